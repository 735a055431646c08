"""AFEW-VA: clips of films with valence, arousal and 68 landmarks for every frame, and the actor of each clip.

J. Kossaifi, G. Tzimiropoulos, S. Todorovic and M. Pantic, AFEW-VA database for valence and arousal estimation
in-the-wild, Image and Vision Computing 65, 2017.
"""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from paperlib.data.cache import (
    Box,
    Faces,
    all_or_none,
    converted_faces,
    data_root,
    refuse_twice,
    resolve_inside,
)
from paperlib.data.pictures import list_pictures
from paperlib.data.records import FaceSet, as_first_spelt
from paperlib.data.tables import read_json
from paperlib.labels import AFFECT

SCALE = 10  # valence and arousal are whole numbers from -SCALE to SCALE
NAMELESS = ("", "?", "n/a", "none", "unknown")  # an actor who is not known, in small letters

_CLIP = re.compile("[0-9]{3,}")
_ARCHIVE = re.compile("[0-9]{2}")  # the folder of an archive that was unpacked into one of its own
_FAR = 1e5  # pixels, further than any film is wide
_MEND = "Restore the file from the release, or take the frame out of it."


def load_afewva(
    root: Path | str, *, size: int = 224, channels: int = 3, every: int = 1, cache: Path | str
) -> FaceSet:
    """AFEW-VA's frames as faces with valence, arousal and landmarks, pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder afewva, holds the clips' folders, 001 and so on, of frames and annotations, or those of the
    archives with the clips in them, 01/001 (data/README.md). Frames are cut to the face (`crop_box`), valence and
    arousal divided by 10.

    `subject` is the actor, or the clip where the actor is not known. All is "train": `person_folds` cross-validates.
    Of every `every` frames by number, the first stays. Those that do not, frames without face (landmarks empty or
    all zero) and pictures without annotation are counted in `excluded`.

    Raises:
        FileNotFoundError: there is no clip, an archive is not unpacked, an annotation or a picture is missing.
        ValueError: an annotation or a picture that cannot be: the message names file, frame and mend.
    """
    if every < 1:
        raise ValueError(f"every must be 1 or more; got {every}")
    root = data_root("afewva", root)
    clips, others = _list_clips(root)
    settings = {"size": size, "channels": channels, "every": every}
    read = converted_faces("AFEW-VA", _list_faces, root, clips, cache=cache, **settings)
    # counted anew, since what is no clip is no source
    more = {"folder that is no clip": others} if others else {}
    return replace(read, excluded={**read.excluded, **more})


def crop_box(landmarks: NDArray) -> Box:
    """The square that toisoul2021's release cuts a face to, in whole pixels, by its landmarks (68, 2) in pixels.

    Its centre is that of the landmarks' bounding box, its side 200 / 220 of the box's width and height together.
    """
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    side = max(round((high - low).sum() * 200 / 220), 1)
    left, top = (round(corner) for corner in ((low + high - side) / 2).tolist())
    return left, top, left + side, top + side


def person_folds(subject: NDArray[np.str_], *, folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """The fold of each row for cross-validation in which no person is in two folds: (n,) to (n,), from 0.

    Persons come in an order drawn by `seed`, each into the fold that is smallest so far: the sizes differ by the
    rows of one person at most. ValueError for fewer persons than folds.
    """
    if folds < 2 or len(np.unique(subject)) < folds:
        raise ValueError(
            f"{folds} folds need as many persons, and 2 or more; there are {len(np.unique(subject))} persons. "
            "Ask for other folds, or add persons."
        )
    # with a single class, stratifying is evening out the sizes; a shuffled GroupKFold evens out the persons alone
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
    rows = np.zeros(len(subject), np.int64)
    fold = np.empty_like(rows)
    for number, (_, test) in enumerate(splitter.split(rows, rows, groups=subject)):
        fold[test] = number
    return fold


@dataclass(frozen=True, kw_only=True)
class _Frame:
    number: int
    picture: Path
    where: str  # for a message
    affect: tuple[float, ...]  # valence and arousal as they stand in the file
    landmarks: NDArray[np.float64] | None  # (68, 2) in pixels of the whole picture, None without face


def _list_clips(root: Path) -> tuple[list[str], int]:
    """The clips' folders relative to `root`, by number, and how many others there are.

    No clip may come twice, or be in an archive alone.
    """
    tops = list(root.glob("[!.]*/"))
    archives = {top: list(top.glob("*/")) for top in tops if _ARCHIVE.fullmatch(top.name)}
    unpacked = [path for folders in archives.values() for path in folders]
    found = [path for path in [*tops, *unpacked] if _CLIP.fullmatch(path.name)]
    others = len(tops) + len(unpacked) - len(found) - sum(map(bool, archives.values()))
    clips = {path.relative_to(root).as_posix(): path.name for path in sorted(found)}
    refuse_twice([*clips.values()], [*clips])
    for archive in sorted(root.glob("*.zip")):
        resolve_inside(root, archive.name, where=archive.name)
        if packed := sorted(_clips_in(archive) - set(clips.values())):
            raise FileNotFoundError(
                f"{archive.name} is not unpacked: {len(packed)} of its clips, from {packed[0]} on, have no folder. "
                "Unpack the archive beside itself."
            )
    if not clips:
        raise FileNotFoundError(f"{root} holds no clip, a folder such as 001. data/README.md says where.")
    return sorted(clips, key=lambda folder: int(clips[folder])), others


def _clips_in(archive: Path) -> set[str]:
    try:
        with zipfile.ZipFile(archive) as opened:
            folders = {part for name in opened.namelist() for part in name.split("/")[:-1]}
    except (zipfile.BadZipFile, OSError) as error:
        raise ValueError(
            f"{archive.name} is not a whole archive: {error}. Fetch it again, or take it out if it is unpacked."
        ) from error
    return {folder for folder in folders if _CLIP.fullmatch(folder)}


def _list_faces(root: Path, *, every: int) -> Faces:
    excluded: Counter[str] = Counter()
    kept: list[_Frame] = []
    subject: list[str] = []
    gone: list[FileNotFoundError] = []
    for clip in _list_clips(root)[0]:
        actor, frames = _read_clip(root, clip)
        frames = _with_pictures(root / clip, frames, gone, excluded)
        faces = [frame for frame in frames if frame.landmarks is not None]
        stay = [frame for frame in faces if frame.number % every == 0]
        excluded["frame without face"] += len(frames) - len(faces)
        excluded[f"thinned out (every={every})"] += len(faces) - len(stay)
        kept += stay
        subject += [actor] * len(stay)
    all_or_none(gone)
    if not kept:
        raise ValueError(f"AFEW-VA: no frame is left, of {dict(excluded)}. Add annotated frames with faces.")
    landmarks = np.stack([frame.landmarks for frame in kept if frame.landmarks is not None])
    boxes = [crop_box(points) for points in landmarks]
    arrays = {
        "affect": (np.array([frame.affect for frame in kept]) / SCALE).astype(np.float32),
        "split": np.full(len(kept), "train"),
        "subject": np.array(as_first_spelt(subject)),
    }
    return Faces(
        paths=[frame.picture for frame in kept],
        where=[frame.where for frame in kept],
        arrays=arrays,
        boxes=boxes,
        landmarks=landmarks - np.array([box[:2] for box in boxes])[:, None],
        excluded=excluded,
    )


def _with_pictures(
    folder: Path, frames: Sequence[_Frame], gone: list[FileNotFoundError], excluded: Counter[str]
) -> list[_Frame]:
    """A clip's frames with the files of their pictures; those that lack one are noted in `gone`."""
    found, others = list_pictures(folder)
    pictures = {path.name.lower(): path for path in found}
    gone += [
        FileNotFoundError(
            f"{frame.where}: there is no picture {folder.name}/{frame.picture.name}. Restore it, or take the "
            "frame out of the file."
        )
        for frame in frames
        if frame.picture.name not in pictures
    ]
    excluded["picture without annotation"] += len(found) - len(frames)
    excluded["file that is neither picture nor annotation"] += len(others) - 1
    return [replace(frame, picture=pictures.get(frame.picture.name, frame.picture)) for frame in frames]


def _read_clip(root: Path, clip: str) -> tuple[str, list[_Frame]]:
    """The subject of a clip, and its annotated frames by number."""
    name = f"{clip}/{Path(clip).name}.json"
    if not (root / name).is_file():
        raise FileNotFoundError(f"{name} is not there. Restore it, or take the folder {clip} out.")
    content = read_json(root / name, name, mend="Restore it from the release.")
    form = isinstance(content, dict) and "actor" in content and isinstance(content.get("frames"), dict)
    if not form or not content["frames"]:
        raise ValueError(f'{name} has no "actor", or no "frames". Restore it from the release.')
    if not isinstance(content["actor"], str | None):
        raise ValueError(f'{name}, key "actor": {str(content["actor"])[:80]} is no name. {_MEND}')
    actor = (content["actor"] or "").strip()
    subject = Path(clip).name if actor.lower() in NAMELESS else actor
    frames = [_read_frame(root, clip, name, key, entry) for key, entry in content["frames"].items()]
    refuse_twice([frame.number for frame in frames], [frame.where for frame in frames])
    return subject, sorted(frames, key=lambda frame: frame.number)


def _read_frame(root: Path, clip: str, name: str, key: str, entry: Any) -> _Frame:
    where = f"{name}, frame {key}"
    if not re.fullmatch("[0-9]{1,9}", key):
        raise ValueError(f"{where}: it is not named by a number, as 00000. {_MEND}")
    if not isinstance(entry, Mapping) or not {*AFFECT, "landmarks"} <= set(entry):
        raise ValueError(f"{where}: it lacks valence, arousal or landmarks. {_MEND}")
    for dimension in AFFECT:
        value = entry[dimension]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not -SCALE <= value <= SCALE:
            raise ValueError(
                f"{where}: {dimension} is {str(value)[:80]}, not a number from -{SCALE} to {SCALE}. {_MEND}"
            )
        if value % 1:
            raise ValueError(
                f"{where}: {dimension} is {value}, not a whole number; those from -{SCALE} to {SCALE} are divided by "
                f"{SCALE}. {_MEND}"
            )
    return _Frame(
        number=int(key),
        picture=root / clip / f"{key}.png",
        where=where,
        affect=tuple(float(entry[dimension]) for dimension in AFFECT),
        landmarks=_read_landmarks(entry["landmarks"], where),
    )


def _read_landmarks(points: Any, where: str) -> NDArray[np.float64] | None:
    """(68, 2), or None where there are none, or all are zero."""
    if not points:
        return None
    try:
        landmarks = np.array(points, float)
    except (ValueError, TypeError, OverflowError):
        landmarks = np.empty(0)
    if landmarks.shape != (68, 2) or not (np.abs(landmarks) < _FAR).all():
        raise ValueError(f"{where}: the landmarks are not 68 pairs of finite x and y. {_MEND}")
    return landmarks if landmarks.any() else None
