"""Continuous annotations by several raters: one gold standard, and how far the raters disagree (han2017, sec. 3.1).

A recording has ratings (frames, raters) of one dimension, NaN where a rater gave none. Recordings differ in length, so
each is treated by itself.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paperlib.metrics import to_numpy


def rater_weights(ratings: ArrayLike) -> NDArray[np.float64]:
    """Each rater's correlation with the mean of all (han2017, eqs. 2 to 5): (frames, raters) to (raters,) in [0, 1].

    The correlation is over the frames that the rater rated. Two cases that the equations leave open: a rater who goes
    against the others (a negative correlation) gets no weight, since a negative one would turn his ratings over; one
    whose correlation is undefined (constant, or fewer than two frames) gets none either. If that leaves nobody, all who
    rated count the same.
    """
    e = _checked(ratings)
    known = np.isfinite(e)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, _mean_over_raters(e)[:, None], np.nan)
        own, others = (np.where(known, x - _nanmean(x, axis=0), 0.0) for x in (e, mean))
        r = (own * others).sum(axis=0) / np.sqrt(np.square(own).sum(axis=0) * np.square(others).sum(axis=0))
    constant = np.array([n[k] < 2 or np.ptp(e[known[:, k], k]) == 0 for k in range(e.shape[1])])
    weights = np.where(constant | ~np.isfinite(r), 0.0, r).clip(0, 1)
    return weights if weights.any() else (n > 0).astype(np.float64)


def evaluator_weighted_estimate(ratings: ArrayLike) -> NDArray[np.float64]:
    """The Evaluator Weighted Estimator (Grimm and Kroschel 2005; han2017, eq. 1): (frames, raters) to (frames,).

    In every frame the weights of those who rated it sum to one; NaN where nobody with a weight did.
    """
    e = _checked(ratings)
    weight = np.where(np.isfinite(e), rater_weights(e), 0.0)
    total = weight.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(total > 0, (weight * np.nan_to_num(e)).sum(axis=1) / total, np.nan)


def perception_uncertainty(ratings: ArrayLike) -> NDArray[np.float64]:
    """Standard deviation of the raters in each frame, divisor K - 1 (han2017, eq. 6): (frames, raters) to (frames,).

    NaN where fewer than two rated.
    """
    e = _checked(ratings)
    n = np.isfinite(e).sum(axis=1)
    squared = np.where(np.isfinite(e), e - _mean_over_raters(e)[:, None], 0.0) ** 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n > 1, np.sqrt(squared.sum(axis=1) / (n - 1)), np.nan)


def compensate_delay(gold: ArrayLike, delay: int) -> NDArray[np.float64]:
    """The gold standard (frames, ...) moved back in time: (frames - delay, ...), to stand beside the first frames seen.

    Raters react late: what they say at t + delay belongs to what was seen at t (han2017, sec. 4.2: four seconds). What
    was seen last has not been rated.
    """
    gold = to_numpy(gold)
    if not 0 <= delay < len(gold):
        raise ValueError(
            f"delay must lie in 0 to {len(gold) - 1} frames, one less than the recording; got {delay}"
        )
    return gold[delay:]


def equal_moments(
    gold: ArrayLike,
    spread: ArrayLike,
    time: ArrayLike,
    *,
    within: float = 0.02,
    apart: float = 5.0,
    edge: float = 3.0,
) -> tuple[int, int] | None:
    """Two frames of a recording with equal `gold` whose `spread` differs most, the lower first (han2017, figs. 2, 3).

    All are (frames,), `time` in seconds and rising. The two lie `edge` from both ends and `apart` from each other, and
    their gold differs by `within` at most; None where there are none. Memory is linear in frames.
    """
    e, sigma, t = (to_numpy(x) for x in (gold, spread, time))
    inside = np.flatnonzero((t - t[0] >= edge) & (t[-1] - t >= edge) & np.isfinite(e) & np.isfinite(sigma))
    most, found = -np.inf, None
    for i in inside:
        able = inside[(np.abs(e[inside] - e[i]) <= within) & (np.abs(t[inside] - t[i]) >= apart)]
        if len(able) and (gap := sigma[able].max() - sigma[i]) > most:
            most, found = gap, (int(i), int(able[sigma[able].argmax()]))
    return found


def _checked(ratings: ArrayLike) -> NDArray[np.float64]:
    e = to_numpy(ratings)
    if e.ndim != 2 or 0 in e.shape:
        raise ValueError(f"expected ratings (frames, raters) of one dimension; got {e.shape}")
    if np.isinf(e).any() or np.isnan(e).all():
        raise ValueError("ratings must be finite, NaN where one is missing, and not all missing")
    return e


def _mean_over_raters(e: NDArray[np.float64]) -> NDArray[np.float64]:
    return _nanmean(e, axis=1)


def _nanmean(e: NDArray[np.float64], *, axis: int) -> NDArray[np.float64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a frame that nobody rated has no mean: NaN
        return np.asarray(np.nanmean(e, axis=axis))
