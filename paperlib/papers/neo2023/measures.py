"""Statistics and printed numbers that several parts of neo2023's page share."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import metrics
from paperlib.companion.published import read_table
from paperlib.papers.neo2023.plan import EUCLID, GMM, KEY, ONE_HOT


def accuracy(log_probability: NDArray, label: NDArray) -> float:
    return metrics.accuracy(log_probability.argmax(axis=1), label)


def macro_f1(log_probability: NDArray, label: NDArray) -> float:
    return metrics.macro_f1(log_probability.argmax(axis=1), label)


def mean_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (S, 2): sums and counts."""
    return sums[..., 0] / sums[..., 1]


def root_of_sums(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Root of the mean, of (S, 2): sums and counts."""
    return np.sqrt(mean_of_sums(sums))


def printed_cell(printed: pd.DataFrame, data: str, condition: str, method: str) -> str:
    """Table 3's cell, empty where it has none."""
    names = {ONE_HOT: "One-hot", EUCLID: "Fusion (Euclidean)", GMM: "Fusion (GMM)"}
    found = printed[(printed["row"] == f"{data} {condition}") & (printed["column"] == names[method])]
    return "".join(found["printed"])


def printed_f1(data: str, condition: str, method: str) -> float:
    return float(printed_cell(read_table(KEY, 3), data, condition, method))


def printed_ahead(data: str, condition: str) -> str:
    """The variant of fusion that table 3 has ahead: the one that the paper speaks of."""
    return max((EUCLID, GMM), key=lambda m: printed_f1(data, condition, m))
