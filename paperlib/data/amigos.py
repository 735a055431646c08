"""AMIGOS: people filmed while they watch videos, three raters for every 20 seconds, action units a frame.

J. A. Miranda-Correa, M. K. Abadi, N. Sebe and I. Patras, AMIGOS: a dataset for affect, personality and mood
research on individuals and groups, IEEE Transactions on Affective Computing 12 (2021).

The columns of External_Annotations.xlsx are those that the public reader of foteinopoulou2021's first author
uses. The data set has no action units: they come from a tool of one's own, and the layout here is ours.
Whether segments count from 0 or from 1 was not to be learnt, so both are read; so are users 7, 07 and P07.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from paperlib.data.cache import Conversion, converted, data_root, refuse_twice
from paperlib.data.records import SequenceSet
from paperlib.data.suspect import STILL
from paperlib.data.tables import Table, read_json, read_table, read_workbook, refuse_constant_raters

# foteinopoulou2021 does not name its ten. OpenFace measures these; the twin's sequences have the same.
ACTION_UNITS = ("AU01", "AU02", "AU04", "AU05", "AU06", "AU09", "AU12", "AU15", "AU20", "AU25")
FRAMES_PER_SECOND = 25
FRAMES = 20 * FRAMES_PER_SECOND  # of one segment
RATERS = 3
ANNOTATIONS = "External_Annotations.xlsx"
FOLDER = "action_units"
RATINGS = [[f"{name}_Annotator_{k}" for name in ("Valence", "Arousal")] for k in range(1, RATERS + 1)]
COLUMNS = ("UserID", "VideoID", "Segment_Index", *(column for pair in RATINGS for column in pair))

_MEND = "Restore the value from the release, or take the row out."
_NAMED = re.compile(r"(P?\d+)_([^_]+)")  # user and video


def load_amigos(
    root: Path | str, *, action_units: Sequence[str] = ACTION_UNITS, cache: Path | str
) -> SequenceSet:
    """AMIGOS's 20-second segments: features (n, 500, action units), intensities 0 to 5 at 25 frames a second.

    `root`, or its folder amigos, holds External_Annotations.xlsx and action_units/, one file a recording, OpenFace's
    .csv or a .json (data/README.md). Ratings beyond [-1, 1] are clipped; frames in which OpenFace found no face hold
    the last intensities found; a last segment of at least ten seconds is filled up by holding its last frame. All are
    counted in `adjusted`. Shorter segments, ones without any face, recordings without a file, files without ratings and
    files named otherwise are counted in `excluded`.

    Raises:
        FileNotFoundError: the annotations or all action units are missing.
        ValueError: a value that cannot be: the message names file, row and mend.
    """
    root = data_root("amigos", root)
    arrays, notes = converted(
        cache,
        name="amigos",
        sources=[root / ANNOTATIONS, root / FOLDER],
        settings={"action_units": list(action_units)},
        convert=lambda _: _convert(root, action_units),
        root=root,
    )
    return SequenceSet(name="AMIGOS", channels=tuple(action_units), **arrays, **notes)


def _convert(root: Path, action_units: Sequence[str]) -> Conversion:
    table = read_workbook(root / ANNOTATIONS, COLUMNS)
    ratings, clipped = _ratings(table)
    subject, recording = _recordings(table)
    index = table.numbers("Segment_Index", low=0, high=10_000, whole=True, mend=_MEND).astype(int)
    keys = table.frame.assign(recording=recording, index=index)
    again = "user {UserID}, video {VideoID}, segment {Segment_Index} was rated in an earlier row"
    twice = keys.duplicated(["recording", "index"]).to_numpy()
    table.refuse(twice, again, "Take one of the two rows out.")
    files, others = _files(root / FOLDER)
    excluded, adjusted = Counter[str](), Counter[str]()
    features: dict[int, NDArray[np.float32]] = {}
    groups = keys.groupby("recording", sort=False).indices
    excluded["file that is not named as a recording's"] = others
    excluded["recording of action units without ratings"] = len(set(files) - set(groups))
    start = (index - min(1, index.min())) * FRAMES
    for name, rows in tqdm(groups.items(), desc="reading action units", delay=5):
        if name not in files:
            excluded["no action units for the recording"] += len(rows)
            continue
        filmed = _action_units(files[str(name)], action_units)
        features |= _segments(*filmed, {row: start[row] for row in rows}, excluded, adjusted)
    if not features:
        none = f"{root / FOLDER} holds no action units for any recording of {ANNOTATIONS}"
        raise FileNotFoundError(f"{none}. Name files there as {recording[0]}.csv, see data/README.md.")
    kept = np.array(sorted(features))
    if max(segment.max() for segment in features.values()) <= 1:
        raise ValueError(f"{FOLDER}: no intensity is above 1, like presences. Give intensities from 0 to 5.")
    arrays: dict[str, Any] = {
        "features": np.stack([features[row] for row in kept]),
        "affect": ratings[kept].mean(axis=1, dtype=np.float64).astype(np.float32),
        "ratings": ratings[kept],
        "subject": subject[kept],
        "recording": recording[kept],
    }
    adjusted["ratings clipped to -1 to 1"] = clipped
    return arrays, {"excluded": excluded, "adjusted": +adjusted}


def _segments(
    intensities: NDArray[np.float32],
    found: NDArray[np.bool_],
    starts: Mapping[int, int],
    excluded: Counter[str],
    adjusted: Counter[str],
) -> dict[int, NDArray[np.float32]]:
    """The segments (FRAMES, units) of one recording that begin at these frames, by row, without those to exclude."""
    adjusted["frames without a face: last intensities held"] += (~found).sum()
    adjusted[STILL] += (np.ptp(intensities, axis=0) == 0).sum()
    features = {}
    for row, start in starts.items():
        segment = intensities[start : start + FRAMES]
        if len(segment) < FRAMES // 2:
            excluded["less than half of the segment on film"] += 1
        elif not found[start : start + FRAMES].any():
            excluded["no face found in the segment"] += 1
        else:
            adjusted["last segments filled up to 20 s"] += len(segment) < FRAMES
            features[row] = np.pad(segment, ((0, FRAMES - len(segment)), (0, 0)), mode="edge")
    return features


def _ratings(table: Table) -> tuple[NDArray[np.float32], int]:
    """(n, 3, 2) ratings, clipped, and how many were; more than a few would mean another scale."""
    names = [column for pair in RATINGS for column in pair]
    columns = {name: table.numbers(name, low=-np.inf, high=np.inf, mend=_MEND) for name in names}
    for name, values in columns.items():
        beyond = np.abs(values) > 1
        if beyond.mean() > 0.05:
            table.refuse(beyond, f"{name} is {{{name}}}, beyond 1", "Scale ratings to -1 to 1.")
    refuse_constant_raters(table.name, columns)
    ratings = np.stack([*columns.values()], axis=1).reshape(-1, RATERS, 2)
    return np.clip(ratings, -1, 1).astype(np.float32), int((np.abs(ratings) > 1).sum())


def _recordings(table: Table) -> tuple[NDArray[np.str_], NDArray[np.str_]]:
    """(n,) subject P01 and so on, and (n,) recording P01_18 and so on."""
    # a workbook may keep a whole number as 7.0
    user, video = (table.text(column).str.removesuffix(".0") for column in ("UserID", "VideoID"))
    table.refuse(~user.str.fullmatch(r"P?\d+").to_numpy(bool), "UserID is {UserID}, not a number", _MEND)
    named = video.str.fullmatch(r"\w+").to_numpy(bool)
    table.refuse(~named, "VideoID is {VideoID}, not a number or name", _MEND)
    subject = [_subject(name) for name in user]
    return np.array(subject), np.array([f"{who}_{what}" for who, what in zip(subject, video, strict=True)])


def _subject(user: str) -> str:
    return f"P{int(user.removeprefix('P')):02d}"


def _files(folder: Path) -> tuple[dict[str, Path], int]:
    """Recording -> its file of action units, and how many files are named otherwise."""
    listed = sorted(folder.glob("[!.]*"))
    read = [path for path in listed if path.suffix.lower() in (".csv", ".json") and _NAMED.match(path.stem)]
    matches = [_NAMED.match(path.stem) for path in read]
    recordings = [f"{_subject(match[1])}_{match[2]}" for match in matches if match]
    refuse_twice(recordings, [f"{folder.name}/{path.name}" for path in read])
    others = sum(path.is_file() for path in listed) - sum(path.is_file() for path in read)
    return dict(zip(recordings, read, strict=True)), others


def _action_units(path: Path, names: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Intensities (frames, names), and (frames,) whether a face was found."""
    values, found, fps = (_read_json if path.suffix.lower() == ".json" else _read_openface)(path, names)
    if not np.isclose(fps, FRAMES_PER_SECOND, rtol=0.01):
        raise ValueError(f"{path.name}: {fps:.4g} frames a second, not {FRAMES_PER_SECOND}. Resample it.")
    held = np.maximum.accumulate(np.where(found, np.arange(len(found)), found.argmax()))
    return values[held].astype(np.float32), found


def _read_openface(path: Path, names: Sequence[str]) -> tuple[NDArray, NDArray[np.bool_], float]:
    mend = "Run OpenFace on the recording again, for one face."
    table = read_table(path, ["frame", "timestamp", "success", *(f"{name}_r" for name in names)])
    frame = table.numbers("frame", low=0, high=1e7, whole=True, mend=mend)
    time = table.numbers("timestamp", low=0, high=1e6, mend=mend)
    found = table.numbers("success", low=0, high=1, whole=True, mend=mend) == 1
    after = np.diff(frame, prepend=frame[0] - 1) == 1
    table.refuse(~after, "frame {frame} does not follow the row above", mend)
    rises = np.diff(time, prepend=-1) > 0
    table.refuse(~rises, "timestamp {timestamp} is not later than in the row above", mend)
    if len(time) < 2:
        raise ValueError(f"{path.name} has one frame, which tells no frames a second. {mend}")
    values = table.matrix([f"{name}_r" for name in names], low=0, high=5, mend=mend)
    return values, found, (len(time) - 1) / (time[-1] - time[0])


def _read_json(path: Path, names: Sequence[str]) -> tuple[NDArray, NDArray[np.bool_], float]:
    mend = "Write fps, action_units (names) and frames (as many intensities each, 0 to 5)."
    content = read_json(path, path.name, mend=mend)
    if not isinstance(content, dict):
        raise ValueError(f"{path.name} holds no keys. {mend}")
    for key, kinds in {"fps": (int, float, str), "action_units": (list,), "frames": (list,)}.items():
        if not content.get(key) or not isinstance(content[key], kinds):
            raise ValueError(f"{path.name}, key {key}: {str(content.get(key))[:80]}. {mend}")
    try:
        fps = float(content["fps"])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path.name}, key fps: {error}. {mend}") from error
    units = content["action_units"]
    if wrong := [name for name in names if units.count(name) != 1]:
        raise ValueError(f"{path.name}, key action_units: {wrong[0]} is not there once. {mend}")
    columns = [units.index(name) for name in names]
    for number, row in enumerate(content["frames"]):
        whole = isinstance(row, list) and len(row) == len(units)
        if not whole or not all(_is_intensity(row[column]) for column in columns):
            raise ValueError(f"{path.name}, frame {number} (the first is 0): {str(row)[:200]}. {mend}")
    values = np.array([[row[column] for column in columns] for row in content["frames"]], float)
    return values, np.ones(len(values), bool), fps


def _is_intensity(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 5
