"""SEWA: Germans in video chats about an advert, six raters all along, as packaged for the AVEC challenges.

J. Kossaifi et al., SEWA DB: a rich database for audio-visual emotion and sentiment research in the wild, IEEE
Transactions on Pattern Analysis and Machine Intelligence 43 (2021). F. Ringeval et al., AVEC 2017, ACM Multimedia
Workshops 2017. The label files' form is the one that the scripts of AVEC 2018 read, whose recordings are named
otherwise. How single raters' traces are distributed was not to be learnt, and the layout of these and of the landmarks
is ours.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paperlib.data.cache import Conversion, converted, data_root
from paperlib.data.recordings import NAME, Recording, assemble, read_landmarks, read_names, to_frames
from paperlib.data.records import RecordingSet
from paperlib.data.tables import Table, read_table
from paperlib.labels import AFFECT

PARTS = {"Train": "train", "Devel": "validation", "Test": "test"}
LABELS, ANNOTATIONS, AUDIO, LANDMARKS = "labels", "annotations", "audio", "landmarks"
LABEL_COLUMNS = ("name", "time", "arousal", "valence", "liking")

_RECORDING = re.compile(rf"({'|'.join(PARTS)})(?:_([A-Z]{{2}}))?_(\d+)")


def load_sewa(root: Path | str, *, cache: Path | str) -> RecordingSet:
    """SEWA's German recordings, at 10 frames a second, with speech features, landmarks and every rater's trace.

    `root`, or its folder sewa, holds annotations/, audio/, landmarks/ and, where there are any, labels/ and
    recordings.csv, as data/README.md shows. Labels are the challenge's gold standard, `gold`, NaN in recordings
    without. Without recordings.csv, who talks to whom is unknown.

    The split is that of the name. Recordings in another language, and ones with neither labels nor annotations, are
    counted in `excluded`, and so are files of other endings. What was resampled, cut or interpolated, and raters who
    never varied in a recording and dimension, are counted in `adjusted`.

    Raises:
        FileNotFoundError: there is no recording, or one lacks a file.
        ValueError: a value or a file that cannot be, or files of one recording that differ by more than a second:
            the message names file, row and mend.
    """
    root = data_root("sewa", root)
    sources = [root / name for name in (NAME, LABELS, ANNOTATIONS, AUDIO, LANDMARKS)]
    arrays, notes = converted(
        cache, name="sewa", sources=sources, convert=lambda _: _convert(root), root=root
    )
    return RecordingSet(name="SEWA", **arrays, **notes)


def _convert(root: Path) -> Conversion:
    excluded: Counter[str] = Counter()
    usable = []
    names = _names(root, excluded)
    for name in names:
        labelled = (root / LABELS / f"{name}.csv").is_file()
        rated = [(root / ANNOTATIONS / f"{name}_{dimension}.csv").is_file() for dimension in AFFECT]
        if names[name][2] not in (None, "DE"):
            excluded["recording in another language than German"] += 1
        elif not labelled and not any(rated):
            excluded["recording without labels and annotations"] += 1
        else:
            usable.append(name)
            if not any(rated):
                raise FileNotFoundError(
                    f"{LABELS}/{name}.csv has no counterpart in {ANNOTATIONS}: the raters' spread needs the raters' "
                    f"own traces. Ask SEWA's authors for them, and put them there as data/README.md says."
                )
    if not usable:
        said = f"(excluded: {dict(excluded)}). data/README.md says what belongs there"
        raise FileNotFoundError(f"{root} holds no rated recording {said}.")
    who = _read_who(root)
    excluded[f"row of {NAME} without files"] += len(set(who) - set(names))
    recordings = [_read(root, name, PARTS[names[name][1]], who) for name in usable]
    return assemble(recordings, listed=NAME if who else "sewa", excluded=+excluded)


def _names(root: Path, excluded: Counter[str]) -> dict[str, re.Match[str]]:
    """All recordings that any folder has a file of, taken apart: those of train, then validation and test, by number.

    Files of another ending than that of their folder are counted in `excluded`.
    """
    names = {}
    for folder, suffix in ((LABELS, "csv"), (ANNOTATIONS, "csv"), (AUDIO, "wav"), (LANDMARKS, "csv")):
        for path in sorted(path for path in (root / folder).glob("[!.]*") if not path.is_dir()):
            if path.suffix != f".{suffix}":
                excluded[f"file of another ending than .{suffix} in {folder}"] += 1
                continue
            name = re.sub(f"_({'|'.join(AFFECT)})$", "", path.stem) if folder == ANNOTATIONS else path.stem
            match = _RECORDING.fullmatch(name)
            if match is None or (folder == ANNOTATIONS and name == path.stem):
                raise ValueError(
                    f"{folder}/{path.name} is not named as a recording's file, such as Train_01.{suffix} or "
                    "Train_01_valence.csv in annotations. Rename it, or take it out."
                )
            names[name] = match
    order = list(PARTS)
    return dict(sorted(names.items(), key=lambda item: (order.index(item[1][1]), int(item[1][3]), item[0])))


def _read_who(root: Path) -> dict[str, tuple[str, str]]:
    """Recording -> subject and pair, where recordings.csv says; empty cells are the recording's own name."""
    if not os.path.lexists(root / NAME):  # a link to nowhere is a file that is missing
        return {}
    table = read_names(root / NAME, ["recording", "subject", "pair"])
    rows = table.frame[["recording", "subject", "pair"]].itertuples(index=False)
    return {name: (subject or name, pair or name) for name, subject, pair in rows}


def _read(root: Path, name: str, split: str, who: dict[str, tuple[str, str]]) -> Recording:
    if who and name not in who:
        raise ValueError(f"{NAME}: no row for {name}. Add it, or take the file out.")
    subject, pair = who.get(name, (name, name))
    counts: Counter[str] = Counter()
    raters, valence, arousal = _read_annotations(root, name, counts)
    place = f"{LANDMARKS}/{name}.csv"
    series = {
        "valence": (f"{ANNOTATIONS}/{name}_valence.csv", valence),
        "arousal": (f"{ANNOTATIONS}/{name}_arousal.csv", arousal),
        "video": (place, read_landmarks(root / place, name=place, counts=counts)),
    }
    if (root / (labels := f"{LABELS}/{name}.csv")).is_file():
        table = _read_labels(root / labels, labels)
        owner = table.text("name").str.strip("'\"")
        other = owner.str.fullmatch(_RECORDING).to_numpy(bool) & (owner != name).to_numpy(bool)
        table.refuse(other, "the name {name} is another recording's", "Restore the file from the release.")
        series["gold"] = (labels, to_frames(table, AFFECT, counts=counts))
    return Recording(
        name=name,
        split=split,
        subject=subject,
        pair=pair,
        raters=raters,
        series=series,
        wave=(f"{AUDIO}/{name}.wav", root / f"{AUDIO}/{name}.wav"),
        counts=counts,
    )


def _read_labels(path: Path, name: str) -> Table:
    """The challenge's gold standard, with the names of LABEL_COLUMNS; a header ends as they do."""
    table = read_table(path, headless=LABEL_COLUMNS, name=name)
    ends = [column.lower() for column in table.columns[2:]]
    if len(table.columns) != len(LABEL_COLUMNS) or ends != list(LABEL_COLUMNS[2:]):
        raise ValueError(
            f"{name}, row 1: {';'.join(table.columns)[:80]!r} are not the columns {';'.join(LABEL_COLUMNS)}. Restore "
            "the file from the release."
        )
    return replace(table, frame=table.frame.set_axis(LABEL_COLUMNS, axis=1))


def _read_annotations(
    root: Path, name: str, counts: Counter[str]
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Raters, and their valence and arousal, each (frames, raters)."""
    files = [f"{ANNOTATIONS}/{name}_{dimension}.csv" for dimension in AFFECT]
    tables = [read_table(root / file, name=file) for file in files]
    tables[0].need(["time"])
    raters = [column for column in tables[0].columns if column != "time"]
    if "" in raters:
        raise tables[0].of_header("a column has no name. Name its rater, or take it out.")
    if {"time", *raters} != set(tables[1].columns):
        expected = f"time and the raters of {files[0]}, {', '.join(raters)}"
        raise tables[1].of_header(f"not {expected}. Name the same raters in both.")
    valence, arousal = (to_frames(table, raters, counts=counts) for table in tables)
    return tuple(raters), valence, arousal
