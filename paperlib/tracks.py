"""Tracks: the data that a notebook runs on, by name."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from paperlib import files
from paperlib.data.records import (
    FaceSet,
    RecordingSet,
    SequenceSet,
    subset,
    tested_in_turn,
)

Load = TypeVar("Load", bound=Callable[..., Any])

TRACKS = (
    "twin",
    "ferplus",
    "affectnet",
    "affwild",
    "afewva",
    "morphset",
    "rafdb",
    "sfew",
    "amigos",
    "sewa",
    "recordings",
    "studyforrest",
    "manifest",
)
PROFILES = ("smoke", "full", "paper")

# faces, their size in pixels and colour channels; segments per subject
TWIN_SIZE = {"smoke": (1_000, 48, 1, 4), "full": (6_000, 48, 1, 16), "paper": (60_000, 128, 3, 40)}
# twin: further test faces of each of `twin_kinds.OTHERS_SEEDS`, of 200 people whom nobody has seen
TWIN_OTHERS = {"smoke": 100, "full": 2_500, "paper": 5_000}
# twin: training faces of "faces"; videos, those to test, frames of each; faces of "morphs"
TWIN_KINDS = {
    "smoke": (250, 30, 6, 8, 350),
    "full": (3_000, 502, 300, 12, 3_000),
    "paper": (15_000, 502, 300, 60, 20_000),
}
TWIN_CHATS = {"smoke": (4, 15.0), "full": (75, 50.0), "paper": (32, 164.0)}  # pairs of people, seconds each
CLIP_STEP = {"smoke": 10, "full": 3, "paper": 1}  # of AFEW-VA's frames
FRAME_STEP = 10  # every tenth frame of Aff-Wild: neighbours in time are all but the same picture
TWIN_PORTRAITS = {"smoke": (600, 64), "full": (6_000, 96), "paper": (60_000, 256)}  # and pixels
PICTURE_SIZE = {"smoke": (48, 1), "full": (64, 1), "paper": (224, 3)}  # pixels, channels


# The state of a track's files when this process, or its parent, first looked.
_VERSIONS: dict[Track, str] = {}


def _kept(number: int) -> Callable[[Load], Load]:
    """What a method of `Track` loads is kept, of so many tracks; its files must be those that were first seen."""

    def decorate(load: Load) -> Load:
        @lru_cache(number)
        @wraps(load)
        def checked(track: Track, *arguments: str) -> Any:
            _VERSIONS.setdefault(track, _state(track))
            loaded = load(track, *arguments)
            check_unchanged(track)
            return loaded

        return checked  # type: ignore[return-value]

    return decorate


@dataclass(frozen=True, kw_only=True)
class Track:
    """A data set, where it lies, and how much of it a profile uses.

    `tested` is the pair whose recordings are the test, of recordings that are tested in turn.

    Raises:
        ValueError: the name or the profile does not exist, or a track other than the twin has no folder.
    """

    name: str = "twin"
    root: str = ""
    profile: str = "full"
    tested: str = ""

    def __post_init__(self) -> None:
        if self.name not in TRACKS:
            raise ValueError(f"TRACK must be one of {', '.join(TRACKS)}; got {self.name!r}")
        if self.profile not in PROFILES:
            raise ValueError(f"PROFILE must be one of {', '.join(PROFILES)}; got {self.profile!r}")
        if self.name != "twin" and not self.root:
            raise ValueError(f"track {self.name} reads files: name their folder, DATA=<folder>")

    @_kept(2)
    def faces(self) -> FaceSet | None:
        """The track's pictures of faces; None where it has none."""
        from paperlib import data

        root, cache = Path(self.root), _cache()
        match self.name:
            case "twin":
                n, size, channels, _ = TWIN_SIZE[self.profile]
                return _twin_faces(n, seed=0, profile=self.profile, size=size, channels=channels)
            case "ferplus":
                return data.load_ferplus(root, protocol="named", cache=cache)
            case "affectnet" | "rafdb" | "sfew" | "manifest":
                size, channels = PICTURE_SIZE[self.profile]
                load = getattr(data, f"load_{self.name}")
                return load(root, size=size, channels=channels, cache=cache)
        return None

    @_kept(1)
    def categories(self) -> FaceSet | None:
        """Faces with one of seven categories each (`expression`), contempt left out; None where the track has none.

        Where a face has votes, the category is the one that most raters chose: FER+'s official majority, on the twin
        the sole winner; `original` is then what a single source said first. A set without a validation split gives a
        tenth of its training faces, so that nothing need be chosen on the test.
        """
        from paperlib import data

        if self.name == "ferplus":
            faces: FaceSet | None = data.load_ferplus(Path(self.root), protocol="majority", cache=_cache())
        else:
            faces = self.faces()
        return None if faces is None or faces.expression is None else as_categories(faces, self.name)

    @_kept(3)
    def of_kind(self, kind: str) -> FaceSet | None:
        """The track's "faces" (as AffectNet), "videos" (Aff-Wild), "morphs" (MorphSet); None where it has none.

        "portraits" are faces with room around them, for networks that crop by landmarks, and "clips" (AFEW-VA) a small
        set of such without split. Frames of videos come in a random order, or a batch would hold few videos. AFEW-VA
        has no split: of five folds without a common actor, one is the test and one the validation.
        """
        faces = _loaded_of_kind(self, kind)
        return None if faces is None else as_kind(faces, self.name, kind)

    @_kept(2)
    def sequences(self) -> SequenceSet | None:
        """The track's recordings cut into segments with one label each; None where it has none."""
        from paperlib import data, twin

        match self.name:
            case "twin":
                return twin.make_sequences(seed=0, recordings=TWIN_SIZE[self.profile][3])
            case "amigos":
                return data.load_amigos(Path(self.root), cache=_cache())
            case "studyforrest":
                return data.load_studyforrest_segments(Path(self.root), cache=_cache())
        return None

    @_kept(3)
    def recordings(self) -> RecordingSet | None:
        """The track's recordings that were rated all along; None where it has none. Features: see `features`."""
        from paperlib import data, twin_recordings

        if self.tested:
            everything = replace(self, tested="").recordings()
            assert everything is not None
            return tested_in_turn(everything, self.tested)
        match self.name:
            case "twin":
                pairs, seconds = TWIN_CHATS[self.profile]
                return twin_recordings.make_recordings(pairs, seconds=seconds)
            case "sewa" | "recordings" | "studyforrest":
                return getattr(data, f"load_{self.name}")(Path(self.root), cache=_cache())
        return None

    @_kept(4)
    def features(self, modality: str) -> NDArray[np.float32] | None:
        """ "audio" or "video" features of every frame of `recordings()`, (F, d); None where it has none of these."""
        record = self.recordings()
        if record is not None and self.name == "twin":
            from paperlib import twin_recordings

            return twin_recordings.make_features(record, modality, cache=_cache())
        return None if record is None else getattr(record, modality)


def versions() -> dict[Track, str]:
    """The state of the files of every track that was loaded; what is loaded later must come from the same."""
    return dict(_VERSIONS)


def expect(known: Mapping[Track, str]) -> None:
    """Take `known` for the `versions` of tracks that this process has not looked at itself."""
    _VERSIONS.update({**known, **_VERSIONS})


def check_unchanged(track: Track) -> None:
    """RuntimeError if a track's files are not those that this process, or its parent, first saw."""
    if track in _VERSIONS and _state(track) != _VERSIONS[track]:
        raise RuntimeError(
            f"the files of track {track.name} changed while they were used. What is finished was made of the older "
            "ones; start again (in a notebook: restart the kernel) to use the newer ones"
        )


def _state(track: Track) -> str:
    from paperlib.data.cache import data_root, state

    # the cache may lie in the same folder
    return state(data_root(track.name, track.root), without=_cache().parent) if track.root else ""


# These decide which rows and labels a task gets of what was loaded, and their split. The fingerprint does not tell how;
# a run's key does, which follows them (`provenance.data_code_of`), but not what loads.


def as_categories(faces: FaceSet, name: str) -> FaceSet:
    """What `Track.categories` makes of the loaded faces of the track called `name`."""
    from paperlib import data
    from paperlib.labels import sole_winner

    if name == "twin":
        assert faces.votes is not None
        winner = sole_winner(faces.votes).astype(np.int8)
        faces = replace(faces, original=faces.expression, expression=winner)
    faces = data.with_category(faces)
    train = np.flatnonzero(faces.split == "train")
    if not (faces.split == "validation").any() and len(train) > 1:
        split = faces.split.astype("<U10")
        split[np.random.default_rng(0).permutation(train)[: max(len(train) // 10, 1)]] = "validation"
        faces = replace(faces, split=split, fingerprint=f"{faces.fingerprint}-validation")
    return faces


def as_kind(faces: FaceSet, name: str, kind: str) -> FaceSet:
    """What `Track.of_kind` makes of the loaded faces of the track called `name`."""
    from paperlib.data import person_folds

    if kind == "videos":
        order = np.random.default_rng(0).permutation(len(faces))
        return replace(subset(faces, order), fingerprint=f"{faces.fingerprint}-shuffled")
    if (name, kind) == ("afewva", "portraits"):
        assert faces.subject is not None
        fold = person_folds(faces.subject)
        split = np.select([fold == 0, fold == 1], ["test", "validation"], "train")
        return replace(faces, split=split, fingerprint=f"{faces.fingerprint}-folds")
    return faces


def _loaded_of_kind(track: Track, kind: str) -> FaceSet | None:
    from paperlib import data, twin, twin_kinds

    size, channels = PICTURE_SIZE[track.profile]
    place: dict[str, Any] = {"size": size, "channels": channels, "cache": _cache()}
    match track.name, kind:
        case "twin", "portraits" | "clips":
            n, size = TWIN_PORTRAITS[track.profile]
            if kind == "portraits":
                return _twin_faces(n, seed=4, profile=track.profile, size=size, channels=channels)
            return twin.make_faces(n // 10, seed=5, size=size, channels=channels)
        case "twin", _:
            _, size, channels, _ = TWIN_SIZE[track.profile]
            faces, videos, tested, frames, morphs = TWIN_KINDS[track.profile]
            if kind == "videos":
                return twin_kinds.videos(videos, tested=tested, frames=frames, size=size, channels=channels)
            make, n = (twin_kinds.morphs, morphs) if kind == "morphs" else (twin_kinds.skewed_faces, faces)
            return make(n, others=TWIN_OTHERS[track.profile], size=size, channels=channels)
        case "affwild", "videos":
            return data.load_affwild(Path(track.root), every=FRAME_STEP, **place)
        case "morphset", "morphs":
            return data.load_morphset(Path(track.root), **place)
        case "afewva", "clips" | "portraits":
            return data.load_afewva(Path(track.root), every=CLIP_STEP[track.profile], **place)
        case "ferplus", "portraits":
            named = track.faces()
            return None if named is None else with_landmarks(named, cache=_cache())
        case _, "faces" | "portraits":
            return track.faces()
    return None


def _twin_faces(n: int, *, seed: int, profile: str, **picture: int) -> FaceSet:
    """n generated faces, split by person, and those of further people to test; picture: size and channels."""
    from paperlib import twin, twin_kinds

    others = TWIN_OTHERS[profile]
    return twin_kinds.with_others(
        twin.make_faces(n, seed=seed, **picture),
        lambda another: twin.make_faces(others, seed=another, **picture),
    )


def with_landmarks(faces: FaceSet, *, cache: Path) -> FaceSet:
    """Faces that come without landmarks, with those that a detector finds; a face that it does not find is left out.

    All faces, without landmarks, where no detector is installed (`paperlib.detector`).
    """
    if find_spec("dlib") is None:
        return faces
    from paperlib.detector import landmarks_of

    points = landmarks_of(faces.images, cache=cache)
    found = np.asarray(np.isfinite(points).all(axis=(1, 2)))
    known = f"{faces.fingerprint}-{hashlib.sha256(points.tobytes()).hexdigest()[:16]}"
    excluded = {**faces.excluded, "no face found by the detector": int((~found).sum())}
    return subset(replace(faces, landmarks=points, fingerprint=known, excluded=excluded), found)


def _cache() -> Path:
    return files.CACHE / "data"
