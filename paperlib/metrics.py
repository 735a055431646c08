"""Error, agreement and calibration of predictions, as the five papers define them.

Every metric takes (predicted, target) as arrays or tensors on any device, 1-D or (n, columns), and gives one
float64 per column (a scalar for 1-D) over the whole set: correlations averaged over batches are another
quantity. Moments divide by n (ddof 0) as in toisoul2021's release; torchmetrics' concordance uses n - 1.
An input that is empty, of another shape, or not finite is a ValueError.
"""

from __future__ import annotations

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf
from sklearn.metrics import f1_score

from paperlib.shapes import check_shapes

Values: TypeAlias = NDArray[np.float64]
PerColumn: TypeAlias = Any  # a float for 1-D input, (columns,) float64 for (n, columns)

COVERAGE_LEVELS = tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist())


def mse(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Mean squared error, in squared label units (foteinopoulou2021 eq. 3)."""
    predicted, target = _checked(predicted=predicted, target=target)
    return np.mean((predicted - target) ** 2, axis=0)


def rmse(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Root mean squared error, in label units (foteinopoulou2021 eq. 5, toisoul2021 eq. 1)."""
    return np.sqrt(mse(predicted, target))


def sagr(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Sign agreement: the share of rows whose signs are equal, in [0, 1] (toisoul2021 eq. 2).

    The sign is the equation's: -1, 0 or 1. So zero is a sign of its own, and agrees with zero only.
    """
    predicted, target = _checked(predicted=predicted, target=target)
    return np.mean(np.sign(predicted) == np.sign(target), axis=0)


def pcc(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Pearson correlation, in [-1, 1] (foteinopoulou2021 eq. 4, toisoul2021 eq. 3).

    NaN with a RuntimeWarning where a side is constant (max == min), and so for a single row.
    """
    predicted, target = _checked(predicted=predicted, target=target)
    undefined = _constant(predicted) | _constant(target)
    if np.any(undefined):
        _warn("pcc", "a side is constant", undefined)
    spread = predicted.std(axis=0) * target.std(axis=0)
    correlation = _covariance(predicted, target) / np.where(undefined, np.nan, spread)
    return np.clip(correlation, -1, 1)[()]


def ccc(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Lin's concordance correlation, in [-1, 1] (toisoul2021 eq. 4; Lin 1989).

    2 cov / (var + var + (mean - mean)^2), every moment over n. It is 0 where exactly one side is constant,
    and NaN with a RuntimeWarning where both are (max == min), and so for a single row.
    """
    predicted, target = _checked(predicted=predicted, target=target)
    either = _constant(predicted) | _constant(target)
    both = _constant(predicted) & _constant(target)
    if np.any(both):
        _warn("ccc", "both sides are constant", both)
    shift = predicted.mean(axis=0) - target.mean(axis=0)
    spread = predicted.var(axis=0) + target.var(axis=0) + shift**2
    covariance = np.where(either, 0, _covariance(predicted, target))
    return (2 * covariance / np.where(both, np.nan, spread))[()]


def agreement_sums(predicted: ArrayLike, target: ArrayLike, groups: ArrayLike) -> Values:
    """What `ccc_from_sums` and `rmse_from_sums` need of each group of rows: (groups, 6).

    n and the sums of x, y, x^2, y^2 and xy, for predicted x and target y (n,); `groups` (n,) names each row's, such as
    its recording, and groups come in sorted order. Sums of groups are those of the rows put together, so that a
    bootstrap of whole recordings need not touch their frames.
    """
    x, y = _checked(predicted=predicted, target=target)
    check_shapes("n, n, n", predicted=x, target=y, groups=np.asarray(groups))
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    terms = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=1)
    out = np.zeros((int(group.max()) + 1, terms.shape[1]))
    np.add.at(out, group, terms)
    return out


def ccc_from_sums(sums: ArrayLike) -> PerColumn:
    """`ccc` of rows whose `agreement_sums` are (..., 6); 0 where both sides are constant."""
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    spread = xx / n - (x / n) ** 2 + yy / n - (y / n) ** 2 + ((x - y) / n) ** 2
    covariance = xy / n - x * y / n**2
    left = 1e-12 * (xx + yy) / n  # less than this is what rounding leaves of a difference of equal sums
    return (2 * covariance / np.where(spread > left, spread, np.inf))[()]


def rmse_from_sums(sums: ArrayLike) -> PerColumn:
    """`rmse` of rows whose `agreement_sums` are (..., 6)."""
    n, _, _, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    return np.sqrt(np.maximum(xx + yy - 2 * xy, 0) / n)[()]


def accuracy(predicted: ArrayLike, target: ArrayLike) -> float:
    """The share of rows with the right class, in [0, 1]; both sides (n,) class indices from 0."""
    predicted, target = _classes(predicted=predicted, target=target)
    return float(np.mean(predicted == target))


def macro_f1(predicted: ArrayLike, target: ArrayLike) -> float:
    """F1 averaged over classes with equal weight, in [0, 1]; both sides (n,) class indices from 0.

    Averaged over the classes that occur on either side: one that is predicted but never true counts 0, one
    that occurs on neither side does not count (scikit-learn's f1_score, average="macro").
    """
    predicted, target = _classes(predicted=predicted, target=target)
    return float(f1_score(target, predicted, average="macro", zero_division=0))


def gaussian_nll(mean: ArrayLike, variance: ArrayLike, target: ArrayLike) -> PerColumn:
    """Mean negative log likelihood of the targets under the predicted Gaussians, in nats, with log 2 pi."""
    mean, variance, target = _gaussian(mean, variance, target)
    return np.mean(np.log(2 * np.pi * variance) + (target - mean) ** 2 / variance, axis=0) / 2


def coverage_curve(
    mean: ArrayLike, variance: ArrayLike, target: ArrayLike, levels: ArrayLike = COVERAGE_LEVELS
) -> Values:
    """Share of targets inside the central interval of the predicted Gaussian, at each nominal level.

    Levels (L,) in [0, 1]; gives (L,) or (L, columns). Calibrated predictions lie on the diagonal; below it
    the predicted variance is too small (Kuleshov et al. 2018, for regression).
    """
    mean, variance, target = _gaussian(mean, variance, target)
    nominal = np.asarray(levels, dtype=np.float64)
    if nominal.ndim != 1 or not np.all((nominal >= 0) & (nominal <= 1)):
        raise ValueError(f"levels must be a list of numbers in [0, 1]; got {levels!r}")
    # The smallest central level whose interval reaches the target: P(|Z| <= z) = erf(z / sqrt 2).
    reached = erf(np.abs(target - mean) / np.sqrt(2 * variance))
    return np.stack([np.mean(reached <= level, axis=0) for level in nominal])


def interval_coverage(
    mean: ArrayLike, variance: ArrayLike, target: ArrayLike, level: float = 0.95
) -> PerColumn:
    """Share of targets inside the predicted central interval of one level: `coverage_curve` at a point."""
    return coverage_curve(mean, variance, target, [level])[0]


def coverage_error(
    mean: ArrayLike, variance: ArrayLike, target: ArrayLike, levels: ArrayLike = COVERAGE_LEVELS
) -> PerColumn:
    """Expected coverage error: mean |observed - nominal| coverage over the levels; 0 is calibrated."""
    gap = coverage_curve(mean, variance, target, levels).T - np.asarray(levels, dtype=np.float64)
    return np.mean(np.abs(gap), axis=-1)


def to_numpy(values: ArrayLike) -> Values:
    """Float64 copy or view of an array, a list, or a tensor of any device and precision."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()  # numpy has no bfloat16, so double comes first
    return np.asarray(values, dtype=np.float64)


def _checked(**sides: ArrayLike) -> list[Values]:
    """The named sides as float64, of one shape and finite."""
    arrays = {name: to_numpy(side) for name, side in sides.items()}
    shapes = {name: array.shape for name, array in arrays.items()}
    first = next(iter(arrays.values()))
    if len(set(shapes.values())) > 1:
        raise ValueError(f"the sides must have one shape; got {shapes}")
    if first.ndim not in (1, 2) or first.size == 0:
        raise ValueError(f"expected (n,) or (n, columns) with at least one row; got {shapes}")
    for name, array in arrays.items():
        bad = np.atleast_1d((~np.isfinite(array)).sum(axis=0))
        if bad.any():
            column = int(np.argmax(bad > 0))
            raise ValueError(
                f"{name}, column {column}: {bad[column]} of {len(array)} rows are NaN or infinite; "
                "leave those rows out, and count them"
            )
    return list(arrays.values())


def _classes(**sides: ArrayLike) -> list[Values]:
    arrays = _checked(**sides)
    for name, array in zip(sides, arrays, strict=True):
        wrong = (array < 0) | (array != np.round(array))
        if array.ndim != 1 or wrong.any():
            raise ValueError(
                f"{name} must be (n,) class indices from 0; got shape {array.shape}, {wrong.sum()} others; "
                "rows without a class (-1) must be left out, and counted"
            )
    return arrays


def _gaussian(mean: ArrayLike, variance: ArrayLike, target: ArrayLike) -> list[Values]:
    arrays = _checked(mean=mean, variance=variance, target=target)
    if (arrays[1] <= 0).any():
        raise ValueError(f"variance must be positive; {(arrays[1] <= 0).sum()} of {arrays[1].size} are not")
    return arrays


def _covariance(predicted: Values, target: Values) -> PerColumn:
    return np.mean((predicted - predicted.mean(axis=0)) * (target - target.mean(axis=0)), axis=0)


def _constant(values: Values) -> NDArray[np.bool_]:
    # The standard deviation of n copies of 0.3 need not be zero in floating point; max == min always tells.
    return values.max(axis=0) == values.min(axis=0)


def _warn(metric: str, why: str, undefined: NDArray[np.bool_]) -> None:
    columns = np.flatnonzero(undefined).tolist()
    warnings.warn(f"{metric} is undefined in column {columns}: {why}", RuntimeWarning, stacklevel=3)
