"""Aff-Wild: videos from the web with valence and arousal for every frame, and no categories.

S. Zafeiriou et al., Aff-Wild: valence and arousal 'in-the-wild' challenge, CVPR Workshops 2017. Aff-Wild2's files
(D. Kollias and S. Zafeiriou, BMVC 2019) are read too.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paperlib.data.cache import Faces, converted_faces, data_root, first_of, refuse_twice
from paperlib.data.pictures import list_pictures
from paperlib.data.records import FaceSet, refuse_two_splits
from paperlib.data.tables import read_table
from paperlib.labels import AFFECT

ANNOTATIONS = (  # of the first two challenges, and of Aff-Wild2 as its later ones gave it out
    "annotations/train",
    *(
        f"{top}{task}/Train_Set"
        for task in ("VA_Set", "VA_Estimation_Challenge")
        for top in ("annotations/", "")
    ),
)
VALIDATION = "Validation_Set"  # beside Train_Set
FRAMES = ("frames", "cropped_aligned")
NO_VALUE = -5  # stands there where a frame has no annotation

_MEND = "Restore the file from the release."
_PERSON = re.compile(r"_(left|right)$")  # two people of one video are annotated apart


def load_affwild(
    root: Path | str, *, size: int = 224, channels: int = 3, every: int = 1, cache: Path | str
) -> FaceSet:
    """Aff-Wild's training videos as faces with valence and arousal, pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder affwild, holds the annotations of either release, a line a frame, and frames/<video>/ (or
    cropped_aligned/<video>/) with the faces, cut out by the user and named by frame number: data/README.md shows where.
    Numbers count from 1 in all videos or from 0 in all: a frame 0 in any of them, or else one whose number is that of
    its video's lines, tells which.

    `subject` is the video, without _left or _right. The split "test" are the videos of a folder Validation_Set beside
    Train_Set, or a fifth of all videos, drawn once. Of every `every` frames by number, the first stays. Those that do
    not, frames without picture (no face was found) or value, and pictures of videos without annotations are counted in
    `excluded`.

    Raises:
        FileNotFoundError: there are no annotations, or a video lacks one of its two files, or all pictures.
        ValueError: a line, a number or a picture that cannot be, or a video in two splits: the message names file, line
            and mend.
    """
    if every < 1:
        raise ValueError(f"every must be 1 or more; got {every}")
    root = data_root("affwild", root)
    settings = {"size": size, "channels": channels, "every": every}
    sources = [*_folders(root).values(), first_of(root, FRAMES)]
    return converted_faces("Aff-Wild", _list_faces, root, sources, cache=cache, **settings)


def split_by_group(groups: NDArray[np.str_]) -> NDArray[np.str_]:
    """The split of rows by their groups, (n,) to (n,): a fifth of the groups is "test", the others are "train".

    A fifth is rounded, and one group at least; which, is drawn by a fixed seed. ValueError for fewer than two.
    """
    names = np.unique(groups)
    if len(names) < 2:
        raise ValueError(f"train and test need two videos or subjects; there is {names[0]} only. Add.")
    test = np.random.default_rng(0).permutation(names)[: max(round(len(names) / 5), 1)]
    return np.where(np.isin(groups, test), "test", "train")


def _list_faces(root: Path, *, every: int) -> Faces:
    labels, part = _read_annotations(root)
    top, excluded = first_of(root, FRAMES), Counter[str]()
    frames = {path.name: _list_frames(path, excluded) for path in sorted((root / top).glob("*/"))}
    first = _first_number(labels, frames, top)
    others = sum(len(frames[video]) for video in set(frames) - set(labels))
    excluded["picture of a video without annotations"] = others
    excluded["file that is no annotation by its ending"] = len(_unread(root))
    files, stays = [], {}
    for video, affect in labels.items():
        numbers = np.arange(first, first + len(affect))
        annotated = (affect != NO_VALUE).all(axis=1)
        seen = annotated & np.isin(numbers, list(frames[video]))
        stays[video] = seen & (np.arange(len(affect)) % every == 0)
        excluded["no valence or arousal (-5)"] += (~annotated).sum()
        excluded["frame without picture"] += (annotated & ~seen).sum()
        excluded[f"thinned out (every={every})"] += (seen & ~stays[video]).sum()
        files += [f"{video}/{frames[video][number]}" for number in numbers[stays[video]].tolist()]
    if not files:
        raise ValueError(f"{top}: no frame is left, of {dict(excluded)}. Add pictures of annotated frames.")
    where = [f"{top}/{os.path.dirname(file)}" for file in files]
    paths = [root / top / file for file in files]
    subject = np.array([_PERSON.sub("", video) for video in labels])
    listed = " and ".join(_folders(root).values())
    refuse_two_splits(listed, "video", names=subject.tolist(), split=part, items=[*labels])
    number = [kept.sum() for kept in stays.values()]
    arrays = {
        "affect": np.concatenate([labels[video][kept] for video, kept in stays.items()]).astype(np.float32),
        "split": np.repeat(part if len(set(part)) > 1 else split_by_group(subject), number),
        "subject": np.repeat(subject, number),
    }
    return Faces(paths=paths, where=where, arrays=arrays, excluded=excluded)


def _folders(root: Path) -> dict[str, str]:
    """The folders of annotations by split."""
    train = first_of(root, ANNOTATIONS)
    test = train.replace("Train_Set", VALIDATION)
    return {"train": train} | ({"test": test} if test != train and (root / test).is_dir() else {})


def _read_annotations(root: Path) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Valence and arousal of each video's frames, (lines, 2), in the order of the videos' names, and their splits."""
    labels, part = {}, []
    for split, folder in _folders(root).items():
        for video, files in _list_files(root, folder).items():
            columns = AFFECT if len(files) == 1 else ("value",)
            values = [_read_numbers(root, file, columns=columns) for file in files]
            if len(values[0]) != len(values[-1]):
                lines = f"{files[0]} has {len(values[0])} lines, {files[1]} has {len(values[1])}"
                raise ValueError(f"{lines}. Restore both from the release.")
            if video in labels:
                raise ValueError(f"{files[0]}: the video is in the other folder too. Take one file out.")
            labels[video] = np.hstack(values)
            part.append(split)
    return labels, part


def _list_files(root: Path, folder: str) -> dict[str, list[str]]:
    """Each video's file of both numbers, or its two files of one."""
    paired = {path.stem for path in (root / folder).glob("[!.]*.txt")}
    single = {path.stem for d in AFFECT for path in (root / folder / d).glob("[!.]*.txt")}
    if not paired | single:
        raise FileNotFoundError(
            f"{root / folder} holds no annotation. data/README.md says what belongs there."
        )
    if paired and single:
        raise ValueError(
            f"{folder} holds annotations of both releases, {min(paired)}.txt and valence/ or arousal/. Take those of "
            "one out."
        )
    if paired:
        return {video: [f"{folder}/{video}.txt"] for video in sorted(paired)}
    return {video: [f"{folder}/{d}/{video}.txt" for d in AFFECT] for video in sorted(single)}


def _read_numbers(root: Path, name: str, *, columns: Sequence[str]) -> NDArray[np.float64]:
    """A file's lines as (lines, columns), -5 for NaN; valence and arousal have a header, and -5 is allowed."""
    paired = len(columns) == 2
    if not (root / name).is_file():
        raise FileNotFoundError(f"{name} is not there. Restore it, or take its counterpart out.")
    table = read_table(root / name, headless=() if paired else columns, name=name)
    if table.columns != [*columns]:
        raise table.of_header(f"it is not {','.join(columns)}. {_MEND}")
    table.refuse((table.frame == "").any(axis=1).to_numpy(bool), "it lacks a number", _MEND)
    values = table.matrix(columns, low=NO_VALUE if paired else -1, high=1, blank=True, mend=_MEND)
    outside = ((values < -1) & (values != NO_VALUE)).any(axis=1)
    table.refuse(outside, f"it is not from -1 to 1, or {NO_VALUE} for none", _MEND)
    return np.nan_to_num(values, nan=NO_VALUE)


def _unread(root: Path) -> list[Path]:
    """The files among the annotations that are not read."""
    folders = [root / top / d for top in _folders(root).values() for d in ("", *AFFECT)]
    return [path for d in folders for path in d.glob("[!.]*") if path.is_file() and path.suffix != ".txt"]


def _list_frames(folder: Path, excluded: Counter[str]) -> dict[int, str]:
    """The pictures of a video, by frame number; other files are counted."""
    pictures, others = list_pictures(folder)
    excluded["file that is no picture by its ending"] += len(others)
    places = [path.relative_to(folder.parents[1]).as_posix() for path in pictures]
    for path, place in zip(pictures, places, strict=True):
        if not path.stem.strip().isdecimal():
            raise ValueError(f"{place} is not named by a frame number. Rename it, as 00001.jpg.")
    numbers = [int(path.stem) for path in pictures]
    refuse_twice(numbers, places)
    return dict(zip(numbers, (path.name for path in pictures), strict=True))


def _first_number(labels: dict[str, NDArray[np.float64]], frames: dict[str, dict[int, str]], top: str) -> int:
    """The number of a video's first frame, 0 or 1, in the pictures' names; all of them must have a line."""
    for video in labels:
        if not frames.get(video):
            raise FileNotFoundError(f"{top}/{video} holds no picture. Cut its faces out of the video.")
    first = 0 if any(0 in frames[video] for video in labels) else 1
    if first and not any(len(lines) in frames[video] for video, lines in labels.items()):
        raise ValueError(
            f"{top}: no video has a picture 0, or one whose number is that of its lines: the names may count "
            "from 0 or from 1. Add the first or the last frame of a video."
        )
    for video, lines in labels.items():
        if surplus := sorted(number for number in frames[video] if number >= first + len(lines)):
            raise ValueError(
                f"{top}/{video}/{frames[video][surplus[0]]} has no line: the annotations of {video} are of frames "
                f"{first} to {first + len(lines) - 1}, and {len(surplus)} pictures lie beyond. Restore the "
                "annotations, or take these pictures out."
            )
    return first
