"""Tests of printed and measured numbers, and the ceilings of what can be said of raters' variance.

Whatever is compared must be finite (ValueError otherwise).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import gammaln

from paperlib.metrics import PerColumn, Values, to_numpy


@dataclass(frozen=True, kw_only=True)
class TTest:
    """A two-sample t-test; the effect is (mean1 - mean2) / pooled sd, corrected for small samples."""

    statistic: float
    df: float
    p: float
    hedges_g: float


@dataclass(frozen=True, kw_only=True)
class ZTest:
    """A two-sided test of two independent correlations."""

    statistic: float
    p: float


def t_test(
    a: ArrayLike,
    b: ArrayLike,
    *,
    equal_variance: bool,
    alternative: Literal["two-sided", "less", "greater"] = "two-sided",
) -> TTest:
    """Student's (equal variance) or Welch's t-test of two means; "less" means mean(a) < mean(b).

    Welch's degrees of freedom are Satterthwaite's. Hedges' g divides by the pooled deviation in both tests.
    """
    x, y = _sample("a", a), _sample("b", b)
    (m1, v1, n1), (m2, v2, n2) = ((s.mean(), s.var(ddof=1), len(s)) for s in (x, y))
    if not v1 + v2 > 0:
        raise ValueError("a t-test needs some spread; all values of a are equal, and all of b")
    statistic, p = stats.ttest_ind_from_stats(
        m1, np.sqrt(v1), n1, m2, np.sqrt(v2), n2, equal_var=equal_variance, alternative=alternative
    )
    pooled_df, (e1, e2) = n1 + n2 - 2, (v1 / n1, v2 / n2)
    df = pooled_df if equal_variance else (e1 + e2) ** 2 / (e1**2 / (n1 - 1) + e2**2 / (n2 - 1))
    pooled = np.sqrt(((n1 - 1) * v1 + (n2 - 1) * v2) / pooled_df)
    # Hedges 1981: the exact correction gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)), m degrees of freedom.
    correction = np.exp(gammaln(pooled_df / 2) - gammaln((pooled_df - 1) / 2)) / np.sqrt(pooled_df / 2)
    g = float(correction * (m1 - m2) / pooled)
    return TTest(statistic=float(statistic), df=float(df), p=float(p), hedges_g=g)


def compare_correlations(r1: float, n1: int, r2: float, n2: int) -> ZTest:
    """Fisher's two-sided r-to-z test of two correlations from independent samples of n1 and n2 pairs.

    Correlations measured on the same rows are dependent: bootstrap their difference.
    """
    if not (3 < n1 < np.inf and 3 < n2 < np.inf and abs(r1) < 1 and abs(r2) < 1):
        raise ValueError(f"Fisher's z needs more than 3 pairs and |r| < 1; got r {r1}, {r2} and n {n1}, {n2}")
    z = float(np.arctanh(r1) - np.arctanh(r2)) / np.sqrt(1 / (n1 - 3) + 1 / (n2 - 3))
    return ZTest(statistic=float(z), p=float(2 * stats.norm.sf(abs(z))))


# Raters: ratings are (n, K) or (n, K, dimensions), K raters, NaN where a rating is missing


def observed_variance(ratings: ArrayLike) -> Values:
    """Sample variance of each item's ratings, missing ones ignored: (n,) or (n, dimensions), in squared label units.

    NaN for an item with fewer than two ratings.
    """
    x = to_numpy(ratings)
    if x.ndim not in (2, 3) or np.isinf(x).any():
        raise ValueError(
            f"need (n, K) or (n, K, dimensions) of numbers, NaN where one is missing; got {x.shape}"
        )
    count = np.sum(~np.isnan(x), axis=1)
    mean = np.nansum(x, axis=1) / np.maximum(count, 1)
    squares = np.nansum((x - mean[:, None]) ** 2, axis=1)
    return np.where(count > 1, squares / np.maximum(count - 1, 1), np.nan)


def variance_ceiling_from_ratings(
    ratings: ArrayLike, *, gaussian: bool = False, same_raters: bool = False
) -> PerColumn:
    """The largest Pearson correlation any predictor can be expected to have with the raters' sample variance s^2.

    The best predictor is the true variance v itself, which is unknown: ratings are (n, K) or (n, K, dimensions), and
    Corr(v, s^2) = sqrt(Var v / Var s^2) whatever the ratings' distribution, because E[s^2 | v] = v. Var s^2
    is seen. Var v is the covariance of the sample variances of two disjoint sets of each item's raters, whose
    noise is independent. Its average over all splits, into sets of any size, has a closed form, unbiased:

        Var v = mean_i[w_i] - mean_(i != j)[s_i^2 s_j^2],   w_i = (s_i^4 - k4_i / K_i) (K_i - 1) / (K_i + 1)

    with Fisher's fourth k-statistic k4, for E[s^4 | v] = v^2 + kappa4 / K + 2 v^2 / (K - 1). It needs four
    ratings an item. `gaussian` takes kappa4 to be 0 instead, and needs two. Raters may be missing (NaN).

    An item's ratings are taken as exchangeable. Say `same_raters` where column k is one person throughout:
    that person's bias is then kept from posing as spread in Var v, and stays in the Var s^2 that is judged.

    NaN where the estimate of Var v is not positive: the ratings show no difference between the items'
    variances, and nothing can be said of a correlation with them. At most 1.
    """
    x = to_numpy(ratings)
    observed = observed_variance(x)
    count = np.sum(~np.isnan(x), axis=1)
    needed = 2 if gaussian else 4
    if len(x) < 2 or count.min() < needed:
        raise ValueError(
            f"need (n, K) or (n, K, dimensions), two items, {needed} ratings an item; got {x.shape}, "
            f"{np.sum(count < needed)} items with fewer: leave them out and count them"
            + ("" if gaussian else ", or pass gaussian=True")
        )
    total = observed.var(axis=0, ddof=1)
    if same_raters:
        x = x - np.nanmean(x, axis=0)
    s2 = observed_variance(x)
    k4 = 0.0 if gaussian else _fourth_k_statistic(x, count, s2)
    same_item = np.mean((s2**2 - k4 / count) * (count - 1) / (count + 1), axis=0)
    other_item = s2.mean(axis=0) ** 2 - s2.var(axis=0, ddof=1) / len(x)
    signal = same_item - other_item
    usable = (signal > 0) & (observed.max(axis=0) > observed.min(axis=0))
    return np.sqrt(np.minimum(np.where(usable, signal, np.nan) / np.where(usable, total, 1), 1))[()]


def _fourth_k_statistic(x: Values, count: NDArray[np.int64], variance: Values) -> Values:
    """Unbiased fourth cumulant of each item's ratings, NaN ignored: scipy.stats.kstat for all at once."""
    centred = x - np.nanmean(x, axis=1, keepdims=True)
    fourth = np.nansum(centred**4, axis=1)
    n = count.astype(np.float64)
    return (n * (n + 1) * fourth - 3 * (n - 1) ** 3 * variance**2) / ((n - 1) * (n - 2) * (n - 3))


def _sample(name: str, values: ArrayLike) -> Values:
    x = to_numpy(values)
    if x.ndim != 1 or len(x) < 2:
        raise ValueError(f"{name} must be (n,) with n >= 2; got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}: {np.sum(~np.isfinite(x))} of {len(x)} values are NaN or infinite; leave them out"
        )
    return x
