"""Measures of classifiers and of their probabilities, for `paperlib.companion.score`.

`logs` below is a family of columns, "log p *": logarithms of the probabilities of the classes, in their order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import calibration
from paperlib.companion.measures import mean
from paperlib.companion.replicates import Measure, sums

LOGS = ("log p *", "right")


def macro_f1() -> Measure:
    """F1 from 0 to 1, mean over the classes that are named or right."""

    def terms(a: NDArray, b: NDArray) -> NDArray:
        x, y = (np.eye(8)[v.astype(int)] for v in (a, b))
        return np.concatenate([x * y, x, y], axis=1)

    def of_sums(s: NDArray) -> Any:
        hit, *sizes = np.split(s, 3, axis=-1)
        size = sizes[0] + sizes[1]
        return (2 * hit / np.where(size > 0, size, 1)).sum(axis=-1) / (size > 0).sum(axis=-1)

    return Measure(name="F1", columns=("named", "right"), **sums(terms, of_sums))


def _gaps(logs: NDArray, right: NDArray) -> NDArray:
    return np.column_stack([calibration.calibration_gaps(logs, right.astype(int)), np.ones(len(right))])


def _error_of_gaps(s: NDArray) -> Any:
    return np.abs(s[..., :-1]).sum(axis=-1) / s[..., -1]


def _brier(logs: NDArray, right: NDArray) -> NDArray:
    return np.square(np.exp(logs) - np.eye(logs.shape[1])[right.astype(int)]).sum(axis=1)


def _nll(logs: NDArray, right: NDArray) -> NDArray:
    return -logs[np.arange(len(logs)), right.astype(int)]


ECE = Measure(name="ECE", columns=LOGS, better=-1, **sums(_gaps, _error_of_gaps))
BRIER = mean("Brier", *LOGS, of=_brier, better=-1)
NLL = mean("NLL", *LOGS, of=_nll, better=-1, unit="nats")
