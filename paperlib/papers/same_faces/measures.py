"""Statistics and printed numbers that several parts of same_faces's page share."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from paperlib.papers.same_faces.plan import Measure


def pulled(measure: Measure, units: NDArray[np.int64]) -> NDArray[np.float64]:
    """(g,) what each of g units of rows makes of a measure: their mean is the measure, their spread its uncertainty.

    The jackknife's pseudo-values (Tukey 1958), moved so that their mean is the measure of all rows: resampling them
    stands for resampling the units, and asks the measure g times instead of once a draw.
    """
    rows = np.arange(len(units))
    whole = measure(rows)
    without = np.array([measure(rows[units != unit]) for unit in range(units.max() + 1)])
    return whole + (len(without) - 1) * (without.mean() - without)


def entropy_of(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return -xlogy(probability, probability).sum(axis=1)


def mean_of(pulls: NDArray[np.float64]) -> float:
    return float(pulls.mean())
