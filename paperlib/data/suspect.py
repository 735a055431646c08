"""What is likely wrong in data that were read without a fault: another scale, copies, one column in another's place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib.labels import AFFECT

LARGE = 100  # rows; in fewer, all of this may be chance
STILL = "features that never change in a recording"  # a reason, of `adjusted`
TENTH = 0.1 + 1e-6  # of a scale from -1 to 1


def refuse_constant(arrays: Mapping[str, NDArray], name: str) -> None:
    """ValueError for a dimension of `affect` (n, 2) that has one value in all of LARGE rows or more; NaN is none."""
    for dimension, values in zip(AFFECT, arrays.get("affect", np.empty((0, 2))).T, strict=True):
        given = values[np.isfinite(values)]
        if len(given) >= LARGE and given.min() == given.max():
            raise ValueError(
                f"{name}: {dimension} is {given[0]:g} in all {len(given)} rows that have one, as if nobody rated it. "
                "Restore it, or leave valence and arousal out."
            )


def doubts(arrays: Mapping[str, NDArray]) -> list[str]:
    """What is likely wrong in the arrays of a record (`records`), in words: scales and raters in LARGE rows or more."""
    found: list[str] = []
    rated = [arrays[name] for name in ("ratings", "affect") if name in arrays]
    if rated and np.isfinite(rated[0]).any(axis=tuple(range(1, rated[0].ndim))).sum() >= LARGE:
        found += _of_scale(rated[0])
        found += _of_raters(arrays.get("ratings", np.empty((0, 0, 2))))
    for what in ("images", "features"):
        if what in arrays and arrays[what].ndim > 2:  # features of single frames may be alike
            found += _of_copies(what, arrays)
    return found


def _of_scale(values: NDArray) -> Iterator[str]:
    """Of (..., 2) valence and arousal."""
    given = values[np.isfinite(values)]
    if given.min() >= 0:
        yield "no valence and no arousal is negative. If their scale is 0 to 1, bring them to -1 to 1."
    elif np.abs(given).max() <= TENTH:
        yield "no valence and no arousal is beyond 0.1. If they were divided already, bring them to -1 to 1."
    if np.array_equal(values[..., 0], values[..., 1], equal_nan=True):
        yield "valence and arousal are the same in every row. If one was copied for the other, restore it."


def _of_raters(ratings: NDArray) -> Iterator[str]:
    """Of (n, K, 2)."""
    for a, b in combinations(range(ratings.shape[1]), 2):
        both = np.isfinite(ratings[:, [a, b]]).all(axis=(1, 2))
        one, other = ratings[both, a], ratings[both, b]
        if len(one) >= LARGE and np.ptp(one, axis=0).any() and np.array_equal(one, other):
            yield (
                f"raters {a + 1} and {b + 1} gave the same ratings in all {len(one)} rows. If one is a copy of the "
                "other, take it out."
            )


def first_copies(items: Iterable[NDArray]) -> NDArray[np.int64]:
    """The first row of each row's content, (n,): its own where no earlier row has the same."""
    first: dict[bytes, int] = {}
    rows = [first.setdefault(hashlib.sha256(x.tobytes()).digest(), k) for k, x in enumerate(items)]
    return np.array(rows, np.int64)


def differing(labels: Sequence[NDArray], rows: NDArray, others: NDArray) -> NDArray[np.bool_]:
    """Which of `rows` have another value than their `others` in one of `labels`, each (n, ...); NaN is like NaN."""
    different = np.zeros(len(rows), bool)
    for x in labels:
        a, b = x[rows], x[others]
        unlike = (a != b) & ~((a != a) & (b != b))
        different |= unlike.reshape(len(rows), -1).any(axis=1)
    return different


def _of_copies(what: str, arrays: Mapping[str, Any]) -> Iterator[str]:
    """Of `what`, (n, ...); a picture of one colour is nobody's copy."""
    items = arrays[what]
    first = first_copies(items)
    rows = np.flatnonzero(first != np.arange(len(first)))
    rows = rows[[bool((x != x.reshape(-1, *x.shape[2:])[0]).any()) for x in map(items.__getitem__, rows)]]
    if len(rows):
        labels = [arrays[name] for name in ("expression", "original", "affect") if name in arrays]
        splits = [arrays[name] for name in ("split",) if name in arrays]
        other, apart = (int(differing(x, rows, first[rows]).sum()) for x in (labels, splits))
        yield (
            f"{len(rows)} of {len(first)} {what} are copies of earlier ones, {other} with another label, {apart} in "
            f"another split; row {rows[0] + 1} is row {first[rows[0]] + 1}. All are kept. Take them out if they are a "
            "mistake."
        )
