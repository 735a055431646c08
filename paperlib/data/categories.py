"""Data sets of categories: which categories count, and valence and arousal that come from elsewhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paperlib.data.records import FaceSet, subset
from paperlib.data.tables import read_table
from paperlib.labels import AFFECT, EXPRESSIONS

PSEUDO = "valence_arousal.csv"
_MEND = "Correct the row, or take it out."


def with_category(faces: FaceSet, *, classes: int = 7) -> FaceSet:
    """The faces whose category is one of the first `classes` of EXPRESSIONS; 7 leaves out contempt.

    Faces without category go too, and those whose original label, where the set has any, is none of these.
    `excluded` counts them by reason, a face under its first; `votes` keep their eight columns. The images of
    the faces that stay are copied into memory.

    Raises:
        ValueError: the faces have no categories, or `classes` is not 2 to 8.
    """
    if not 2 <= classes <= len(EXPRESSIONS):
        raise ValueError(f"classes must lie in 2 to {len(EXPRESSIONS)}; got {classes}")
    if faces.expression is None:
        raise ValueError(f"{faces.name} has no expression. Name a data set with categories.")
    reason = _reasons(faces.expression, classes, "category")
    if faces.original is not None:
        reason = np.where(reason == "", _reasons(faces.original, classes, "original label"), reason)
    excluded = dict(faces.excluded)
    for name, number in zip(*np.unique(reason[reason != ""], return_counts=True), strict=True):
        excluded[str(name)] = excluded.get(str(name), 0) + int(number)
    digest = hashlib.sha256(f"{faces.fingerprint} {classes} categories".encode()).hexdigest()
    return replace(subset(faces, reason == ""), excluded=excluded, fingerprint=digest)


def _reasons(labels: NDArray[np.int8], classes: int, what: str) -> NDArray[np.str_]:
    """Why a row of `labels` (n,), -1 to 7, is left out; "" where it stays."""
    # the last is what -1 picks
    reasons = [*[""] * classes, *(f"{what} {name}" for name in EXPRESSIONS[classes:]), f"no {what}"]
    return np.array(reasons)[labels]


def pseudo_affect(root: Path, names: Sequence[str], split: NDArray[np.str_]) -> NDArray[np.float32]:
    """(n, 2) valence and arousal of the pictures `names`, from valence_arousal.csv in `root` if it is there.

    The file has the columns name, valence and arousal (-1 to 1), in any order of rows: somebody's own labels,
    or a regressor's, for a data set that has categories alone. Every training picture needs a row, since a
    method that looks for neighbours among them could only drop it in silence; other pictures may lack theirs,
    which is then NaN. Without the file all is NaN.

    Raises:
        ValueError: a value or a name that cannot be, or a training picture without a row.
    """
    affect = np.full((len(names), 2), np.nan, np.float32)
    if not os.path.lexists(root / PSEUDO):  # a link to nowhere is a file that is missing
        return affect
    table = read_table(root / PSEUDO, ["name", *AFFECT])
    listed = table.frame["name"].str.strip()
    rows = listed.map({name: row for row, name in enumerate(names)})
    table.refuse(rows.isna().to_numpy(bool), "name is {name}, no picture of this data set", _MEND)
    table.refuse(listed.duplicated().to_numpy(bool), "{name} has an earlier row", _MEND)
    values = [table.numbers(column, low=-1, high=1, mend=_MEND) for column in AFFECT]
    affect[rows.to_numpy(int)] = np.stack(values, axis=1)
    missing = np.flatnonzero(np.isnan(affect[:, 0]) & (split == "train"))
    if missing.size:
        raise ValueError(
            f"{PSEUDO}: {missing.size} training pictures have no row, {names[missing[0]]} first. "
            "Add them, or take the whole file out."
        )
    return affect
