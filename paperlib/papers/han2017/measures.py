"""Statistics and printed numbers that several parts of han2017's page share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from paperlib.companion.published import read_table
from paperlib.papers.han2017.plan import KEY, Measure, ccc, rmse


def printed_mean(number: int, rows: Sequence[str], columns: Sequence[str]) -> float:
    """Mean of the printed cells of a table where these rows and columns meet."""
    values = read_table(KEY, number).set_index(["row", "column"])["value"]
    return float(np.mean([values[cell] for cell in product(rows, columns)]))


def short_name(target: str, dimension: str) -> str:
    """As the paper's columns have it: "E(A)", "sigma(V)"."""
    return f"{target}({dimension[0].upper()})"


def correlation_of_sums(sums: NDArray) -> NDArray[np.float64]:
    """Pearson's correlation from `metrics.agreement_sums` (..., 6); 0 where a side is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = (n * xx - x**2) * (n * yy - y**2)
    return (n * xy - x * y) / np.sqrt(np.where(spread > 0, spread, np.inf))


def rmse_in_deviations(sums: NDArray) -> NDArray[np.float64]:
    """RMSE in standard deviations of the gold standard on the same frames."""
    n, _, y, _, yy, _ = np.moveaxis(sums, -1, 0)
    return rmse(sums) / np.sqrt(yy / n - (y / n) ** 2)


def frames_in(sums: NDArray) -> int:
    """The frames behind sums (recordings, seeds, ..., 6)."""
    return int(sums.reshape(len(sums), -1)[:, 0].sum())


def difference_of(measure: Measure) -> Measure:
    """The measure of the first minus that of the second, of sums (seeds, ..., 6), on average over what is between."""

    def difference(a: NDArray, b: NDArray) -> NDArray[np.float64]:
        gap = measure(a) - measure(b)
        return gap.reshape(len(gap), -1).mean(axis=1)

    return difference


def ahead_of(a: NDArray, b: NDArray) -> NDArray[np.bool_]:
    """In which columns the first is better by its mean over seeds, of sums (seeds, cells, 6): (2 cells,).

    The CCC of all cells, then their RMSE.
    """
    return np.concatenate([(ccc(a) - ccc(b)).mean(axis=0) > 0, (rmse(a) - rmse(b)).mean(axis=0) < 0])
