"""Error and agreement of predictions, as the five papers define them.

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

Values: TypeAlias = NDArray[np.float64]
PerColumn: TypeAlias = Any  # a float for 1-D input, (columns,) float64 for (n, columns)


def mse(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Mean squared error, in squared label units (foteinopoulou2021 eq. 3)."""
    predicted, target = _checked(predicted, target)
    return np.mean((predicted - target) ** 2, axis=0)


def rmse(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Root mean squared error, in label units (foteinopoulou2021 eq. 5, toisoul2021 eq. 1)."""
    return np.sqrt(mse(predicted, target))


def sagr(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Sign agreement: the share of rows whose signs are equal, in [0, 1] (toisoul2021 eq. 2).

    The sign is the equation's: -1, 0 or 1. So zero is a sign of its own, and agrees with zero only.
    """
    predicted, target = _checked(predicted, target)
    return np.mean(np.sign(predicted) == np.sign(target), axis=0)


def pcc(predicted: ArrayLike, target: ArrayLike) -> PerColumn:
    """Pearson correlation, in [-1, 1] (foteinopoulou2021 eq. 4, toisoul2021 eq. 3).

    NaN with a RuntimeWarning where a side is constant (max == min), and so for a single row.
    """
    predicted, target = _checked(predicted, target)
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
    predicted, target = _checked(predicted, target)
    either = _constant(predicted) | _constant(target)
    both = _constant(predicted) & _constant(target)
    if np.any(both):
        _warn("ccc", "both sides are constant", both)
    shift = predicted.mean(axis=0) - target.mean(axis=0)
    spread = predicted.var(axis=0) + target.var(axis=0) + shift**2
    covariance = np.where(either, 0, _covariance(predicted, target))
    return (2 * covariance / np.where(both, np.nan, spread))[()]


def ccc_from_sums(sums: ArrayLike) -> PerColumn:
    """`ccc` of rows by their sums (..., 6), of which a bootstrap adds those of whole groups of rows.

    These are n and the sums of x, y, x^2, y^2 and xy, for predicted x and target y; 0 where both sides are constant.
    """
    n, x, y, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    spread = xx / n - (x / n) ** 2 + yy / n - (y / n) ** 2 + ((x - y) / n) ** 2
    covariance = xy / n - x * y / n**2
    left = 1e-12 * (xx + yy) / n  # less than this is what rounding leaves of a difference of equal sums
    return (2 * covariance / np.where(spread > left, spread, np.inf))[()]


def rmse_from_sums(sums: ArrayLike) -> PerColumn:
    """`rmse` of rows by the sums (..., 6) of `ccc_from_sums`."""
    n, _, _, xx, yy, xy = np.moveaxis(np.asarray(sums, np.float64), -1, 0)
    return np.sqrt(np.maximum(xx + yy - 2 * xy, 0) / n)[()]


def to_numpy(values: ArrayLike) -> Values:
    """Float64 copy or view of an array, a list, or a tensor of any device and precision."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()  # numpy has no bfloat16, so double comes first
    return np.asarray(values, dtype=np.float64)


def _checked(predicted: ArrayLike, target: ArrayLike) -> tuple[Values, Values]:
    """Both as float64, of one shape and finite."""
    x, y = to_numpy(predicted), to_numpy(target)
    if x.shape != y.shape or x.ndim not in (1, 2) or x.size == 0:
        raise ValueError(
            f"predicted and target must both be (n,) or (n, columns) with at least one row; got {x.shape} and {y.shape}"
        )
    for name, array in (("predicted", x), ("target", y)):
        bad = np.atleast_1d((~np.isfinite(array)).sum(axis=0))
        if bad.any():
            column = int(np.argmax(bad > 0))
            raise ValueError(
                f"{name}, column {column}: {bad[column]} of {len(array)} rows are NaN or infinite; "
                "leave those rows out, and count them"
            )
    return x, y


def _covariance(predicted: Values, target: Values) -> PerColumn:
    return np.mean((predicted - predicted.mean(axis=0)) * (target - target.mean(axis=0)), axis=0)


def _constant(values: Values) -> NDArray[np.bool_]:
    # The standard deviation of n copies of 0.3 need not be zero in floating point; max == min always tells.
    return values.max(axis=0) == values.min(axis=0)


def _warn(metric: str, why: str, undefined: NDArray[np.bool_]) -> None:
    columns = np.flatnonzero(undefined).tolist()
    warnings.warn(f"{metric} is undefined in column {columns}: {why}", RuntimeWarning, stacklevel=3)
