"""Tests, intervals and ceilings: what a measured difference or correlation can be said to show.

Whatever is compared must be finite (ValueError otherwise). An interval that cannot be had, such as one from a
single seed, has NaN bounds and leads to `Verdict.CANNOT_TELL`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import gammaln

from paperlib.metrics import PerColumn, Values, to_numpy

Alternative: TypeAlias = Literal["two-sided", "less", "greater"]


class Verdict(StrEnum):
    """What became of a claim: its direction, never its digits."""

    HELD = "held"
    DID_NOT_HOLD = "did not hold"
    CANNOT_TELL = "cannot tell"
    NOT_ATTEMPTED = "not attempted here"


# Of a statement that several claims test, whose verdicts differ: some held, and of the rest none can be told; or some
# held and some did not.
IN_PART, MIXED = "held in part", "mixed"


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its confidence interval; `low` and `high` are NaN where there is none."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class MeanInterval(Interval):
    """t interval of a mean; `sd` is the sample standard deviation (over n - 1) of the n values."""

    sd: float
    n: int


@dataclass(frozen=True, kw_only=True)
class PairedDifference(MeanInterval):
    """Mean of a - b over n pairs, its t interval, the paired test, and the effect in standard deviations."""

    df: int
    statistic: float
    p: float  # two-sided
    cohens_dz: float  # mean difference / standard deviation of the differences


@dataclass(frozen=True, kw_only=True)
class TTest:
    """A two-sample t-test; the effect is (mean1 - mean2) / pooled sd, corrected for small samples."""

    statistic: float
    df: float
    p: float
    hedges_g: float
    alternative: Alternative


@dataclass(frozen=True, kw_only=True)
class ZTest:
    """A test of two independent correlations; the effect is Cohen's q = artanh r1 - artanh r2."""

    statistic: float
    p: float
    cohens_q: float
    alternative: Alternative


def verdict(difference: Interval, expected_sign: int) -> Verdict:
    """HELD when the whole interval lies on the expected side of zero, DID_NOT_HOLD when wholly on the other.

    CANNOT_TELL when it touches or spans zero, or a bound is NaN. `expected_sign` is 1 or -1.
    """
    if expected_sign not in (1, -1):
        raise ValueError(f"expected_sign must be 1 or -1; got {expected_sign}")
    bounds = [expected_sign * bound for bound in (difference.low, difference.high)]
    if all(bound > 0 for bound in bounds):
        return Verdict.HELD
    return Verdict.DID_NOT_HOLD if all(bound < 0 for bound in bounds) else Verdict.CANNOT_TELL


def combined(verdicts: Iterable[str]) -> str:
    """The verdict on a statement, in a word of `Verdict`, IN_PART or MIXED, by those of its claims that were attempted.

    One that did not hold speaks against the statement, whether others can be told or not, unless some held. A reason
    after a colon, as in "not attempted here: why", decides nothing.

    A claim that was not attempted speaks neither for a statement nor against it, but a statement of which some claims
    held and others were not attempted held in part.

    Raises:
        ValueError: a verdict that is no word of `Verdict`.
    """
    found = {str(Verdict(said.partition(":")[0])) for said in verdicts}
    if found <= {str(Verdict.NOT_ATTEMPTED)}:
        return str(Verdict.NOT_ATTEMPTED)
    held, failed = (str(v) in found for v in (Verdict.HELD, Verdict.DID_NOT_HOLD))
    if held and len(found) > 1:
        return MIXED if failed else IN_PART
    return str(Verdict.HELD if held else Verdict.DID_NOT_HOLD if failed else Verdict.CANNOT_TELL)


# Means: over seeds, between samples, from printed summaries


def mean_interval(values: ArrayLike, level: float = 0.95) -> MeanInterval:
    """Mean of (n,) values, such as a metric over seeds, and its t interval; NaN bounds and sd for one."""
    x = _sample("values", values, at_least=1)
    n = len(x)
    shifted = x - x[0]  # so that n equal values have a spread of exactly zero
    mean, sd = float(x[0] + shifted.mean()), float(shifted.std(ddof=1)) if n > 1 else np.nan
    half = float(stats.t.ppf((1 + level) / 2, max(n - 1, 1))) * sd / np.sqrt(n)
    return MeanInterval(estimate=mean, low=mean - half, high=mean + half, level=level, sd=sd, n=n)


def paired_difference(a: ArrayLike, b: ArrayLike, level: float = 0.95) -> PairedDifference:
    """Mean of a - b over pairs, such as two methods' metric at the same seeds, with the paired t-test.

    One pair gives NaN for all but the mean: there is no verdict from one seed. Differences that are all equal
    give an interval of no width and p 0, or p NaN when they are all zero.
    """
    x, y = _sample("a", a, at_least=1), _sample("b", b, at_least=1)
    if len(x) != len(y):
        raise ValueError(f"a and b must be paired; got {len(x)} and {len(y)} values")
    mean = mean_interval(x - y, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = float(np.divide(mean.estimate, mean.sd))
    statistic = float(effect * np.sqrt(mean.n))
    p = float(2 * stats.t.sf(abs(statistic), mean.n - 1))
    return PairedDifference(**vars(mean), df=mean.n - 1, statistic=statistic, p=p, cohens_dz=effect)


def t_test(
    a: ArrayLike, b: ArrayLike, *, equal_variance: bool, alternative: Alternative = "two-sided"
) -> TTest:
    """Student's (equal variance) or Welch's t-test of two means; "less" means mean(a) < mean(b)."""
    x, y = _sample("a", a, at_least=2), _sample("b", b, at_least=2)
    moments = (x.mean(), x.std(ddof=1), len(x), y.mean(), y.std(ddof=1), len(y))
    return t_test_from_summary(*moments, equal_variance=equal_variance, alternative=alternative)


def t_test_from_summary(
    mean1: float,
    std1: float,
    n1: int,
    mean2: float,
    std2: float,
    n2: int,
    *,
    equal_variance: bool,
    alternative: Alternative = "two-sided",
) -> TTest:
    """`t_test` from printed means, standard deviations (over n - 1) and sizes.

    Welch's degrees of freedom are Satterthwaite's. Hedges' g divides by the pooled deviation in both tests.
    """
    v1, v2, pooled_df = std1**2 / n1, std2**2 / n2, n1 + n2 - 2
    if min(n1, n2) < 2 or not v1 + v2 > 0:
        raise ValueError(f"need two values a side and some spread; got n {n1}, {n2} and std {std1}, {std2}")
    statistic, p = stats.ttest_ind_from_stats(
        mean1, std1, n1, mean2, std2, n2, equal_var=equal_variance, alternative=alternative
    )
    df = pooled_df if equal_variance else (v1 + v2) ** 2 / (v1**2 / (n1 - 1) + v2**2 / (n2 - 1))
    pooled = np.sqrt(((n1 - 1) * std1**2 + (n2 - 1) * std2**2) / pooled_df)
    # Hedges 1981: the exact correction gamma(m/2) / (sqrt(m/2) gamma((m-1)/2)), m degrees of freedom.
    correction = np.exp(gammaln(pooled_df / 2) - gammaln((pooled_df - 1) / 2)) / np.sqrt(pooled_df / 2)
    g = float(correction * (mean1 - mean2) / pooled)
    return TTest(statistic=float(statistic), df=float(df), p=float(p), hedges_g=g, alternative=alternative)


# Correlations


def correlation_interval(r: float, n: int, level: float = 0.95) -> Interval:
    """Fisher's z interval of a Pearson correlation of n independent pairs: tanh(artanh r +- z / sqrt(n - 3)).

    Bounds are NaN for n <= 3 or r NaN, and r itself for |r| = 1. Rows of one subject are not independent: see
    `cluster_bootstrap`.
    """
    _check_correlation(r)
    half = float(stats.norm.ppf((1 + level) / 2)) / np.sqrt(n - 3) if n > 3 else np.nan
    with np.errstate(divide="ignore"):
        z = np.arctanh(r)
    return Interval(estimate=r, low=float(np.tanh(z - half)), high=float(np.tanh(z + half)), level=level)


def compare_correlations(
    r1: float, n1: int, r2: float, n2: int, *, alternative: Alternative = "two-sided"
) -> ZTest:
    """Fisher's r-to-z test of two correlations from independent samples; "less" means r1 < r2.

    Correlations measured on the same rows are dependent: bootstrap their difference with `cluster_bootstrap`.
    """
    _check_correlation(r1)
    _check_correlation(r2)
    if min(n1, n2) <= 3 or max(abs(r1), abs(r2)) == 1:
        raise ValueError(f"Fisher's z needs more than 3 pairs and |r| < 1; got r {r1}, {r2} and n {n1}, {n2}")
    q = float(np.arctanh(r1) - np.arctanh(r2))
    z = q / np.sqrt(1 / (n1 - 3) + 1 / (n2 - 3))
    tail = {"two-sided": 2 * stats.norm.sf(abs(z)), "less": stats.norm.cdf(z), "greater": stats.norm.sf(z)}
    return ZTest(statistic=float(z), p=float(tail[alternative]), cohens_q=q, alternative=alternative)


def cluster_bootstrap(
    statistic: Callable[..., float],
    *arrays: NDArray[Any],
    clusters: ArrayLike | None,
    seed: int,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of statistic(*arrays), resampling whole clusters of rows that are not independent.

    `clusters` (n,) names each row's subject or recording; None says that the rows are independent.
    `statistic` takes resampled rows of the arrays and returns one number; if it is NaN for any draw, so are
    the bounds. Percentile interval, widened for few clusters by Student's t (Hesterberg 2015, "expanded
    percentile"). Equal seeds give equal intervals.
    """
    g, rows_of = _clusters(clusters, arrays)

    def of_drawn(drawn: NDArray[np.int64]) -> float:
        rows = rows_of(drawn)
        return statistic(*(array[rows] for array in arrays))

    rng = np.random.default_rng(seed)
    values = [of_drawn(rng.integers(g, size=g)) for _ in range(draws)]
    tail = stats.norm.cdf(np.sqrt(g / (g - 1)) * stats.t.ppf((1 - level) / 2, g - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(estimate=float(statistic(*arrays)), low=float(low), high=float(high), level=level)


def crossed_bootstrap(
    statistic: Callable[..., float],
    *arrays: NDArray[Any],
    clusters: ArrayLike | None,
    seed: int,
    draws: int = 2000,
    level: float = 0.95,
) -> Interval:
    """Bootstrap interval of statistic(*arrays) where rows and columns both vary: arrays (n, S, ...) of S trainings.

    `cluster_bootstrap`, and crossed with it a resampling of the columns, the same ones for every row and array (Owen
    2007). One cluster and one column fewer are drawn than there are, which makes the variance of a mean unbiased
    however few they are. A percentile interval, its arms stretched by Student's t over the normal quantile, with
    Satterthwaite's degrees of freedom of both jackknife variances. If `statistic` is NaN for any draw, or without any
    one cluster or column, so are the bounds.

    What rows and columns have together (a person whom one training alone serves badly, say) counts three times in the
    variance. Where differences are mostly that, the interval is about twice as wide as needed and covers practically
    always, not 19 times of 20: a verdict that cannot be told may then be the method's.

    Raises:
        ValueError: fewer than two clusters or columns, or arrays that differ in these.
    """
    g, rows_of = _clusters(clusters, arrays)
    columns = {array.shape[1] if array.ndim > 1 else 0 for array in arrays}
    s = min(columns)
    if len(columns) > 1 or s < 2:
        raise ValueError(f"crossing needs arrays (n, S, ...) of one S, two or more; got {sorted(columns)}")

    def of_drawn(of_clusters: NDArray[np.int64], of_columns: NDArray[np.int64]) -> float:
        at = np.ix_(rows_of(of_clusters), of_columns)
        return statistic(*(array[at] for array in arrays))

    rng = np.random.default_rng(seed)
    values = [of_drawn(rng.integers(g, size=g - 1), rng.integers(s, size=s - 1)) for _ in range(draws)]
    low, middle, high = np.quantile(values, [(1 - level) / 2, 0.5, (1 + level) / 2])
    of_rows = _jackknife_variance([of_drawn(np.delete(np.arange(g), i), np.arange(s)) for i in range(g)])
    of_cols = _jackknife_variance([of_drawn(np.arange(g), np.delete(np.arange(s), j)) for j in range(s)])
    both = of_rows**2 / (g - 1) + of_cols**2 / (s - 1)
    df = (of_rows + of_cols) ** 2 / both if both != 0 else g + s - 2
    stretch = stats.t.ppf((1 + level) / 2, df) / stats.norm.ppf((1 + level) / 2)
    return Interval(
        estimate=float(statistic(*arrays)),
        low=float(middle - stretch * (middle - low)),
        high=float(middle + stretch * (high - middle)),
        level=level,
    )


def _clusters(
    clusters: ArrayLike | None, arrays: Sequence[NDArray[Any]]
) -> tuple[int, Callable[[NDArray[np.int64]], NDArray[np.int64]]]:
    """How many clusters the arrays' rows have, and the function from drawn clusters to the rows of them all."""
    n = len(arrays[0])
    names = np.arange(n) if clusters is None else np.asarray(clusters)
    if len({n, len(names), *map(len, arrays)}) > 1:
        raise ValueError(f"clusters and arrays must have {n} rows; got {[len(names), *map(len, arrays)]}")
    _, cluster, sizes = np.unique(names, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(f"resampling needs at least two clusters; got {len(sizes)} in {n} rows")
    by_cluster = np.argsort(cluster, kind="stable")
    starts = np.cumsum(sizes) - sizes

    def rows_of(drawn: NDArray[np.int64]) -> NDArray[np.int64]:
        lengths = sizes[drawn]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return by_cluster[np.repeat(starts[drawn], lengths) + within]

    return len(sizes), rows_of


def _jackknife_variance(left_out: Sequence[float]) -> float:
    """Variance of a statistic from its values without one unit each: (k - 1) / k times their sum of squares."""
    return float((len(left_out) - 1) * np.var(left_out))


# Raters: ratings are (n, K) or (n, K, dimensions), K raters, NaN where a rating is missing


def observed_variance(ratings: ArrayLike, ddof: int = 1) -> Values:
    """Variance of each item's ratings, missing ones ignored: (n,) or (n, dimensions), in squared label units.

    NaN for an item with no more than `ddof` ratings.
    """
    x = to_numpy(ratings)
    count = np.sum(~np.isnan(x), axis=1)
    mean = np.nansum(x, axis=1) / np.maximum(count, 1)
    squares = np.nansum((x - mean[:, None]) ** 2, axis=1)
    return np.where(count > ddof, squares / np.maximum(count - ddof, 1), np.nan)


def annotator_correlations(ratings: ArrayLike) -> Values:
    """Pearson correlation of every two raters over the items both rated: (n, K) to a symmetric (K, K).

    NaN for a constant rater, or a pair with fewer than two items in common (foteinopoulou2021 Table I).
    """
    return pd.DataFrame(to_numpy(ratings)).corr(min_periods=2).to_numpy()


def icc1(ratings: ArrayLike) -> float:
    """ICC(1,1): reliability of a single rating when raters are exchangeable; at most 1, below 0 by chance.

    (MSB - MSW) / (MSB + (k0 - 1) MSW), one-way random effects on (n, K) ratings (Shrout and Fleiss 1979).
    k0 = (N - sum K_i^2 / N) / (n - 1) is K when no rating is missing, and else the average number of raters
    an item that the analysis of variance asks for (N ratings of n items; items without any are left out).
    """
    x = to_numpy(ratings)
    count = np.sum(~np.isnan(x), axis=1)
    x, count = x[count > 0], count[count > 0]
    n, total = len(x), count.sum()
    if n < 2 or total == n:
        raise ValueError(f"ICC needs two rated items, one rated twice; got {n} items, {total} ratings")
    mean = np.nansum(x, axis=1) / count
    between = np.sum(count * (mean - np.nansum(x) / total) ** 2) / (n - 1)
    within = np.nansum((x - mean[:, None]) ** 2) / (total - n)
    k0 = (total - np.sum(count**2) / total) / (n - 1)
    return float((between - within) / (between + (k0 - 1) * within))


def variance_ceiling(true_variance: ArrayLike, *, raters: int) -> PerColumn:
    """The largest Pearson correlation any predictor can be expected to have with K raters' sample variance.

    The best predictor is the true variance v itself: (n,) or (n, dimensions), of unbiased Gaussian raters. As
    E[s^2 | v] = v and Var(s^2 | v) = 2 v^2 / (K - 1), it reaches sqrt(Var v / (Var v + 2 E[v^2] / (K - 1))).
    """
    v = to_numpy(true_variance)
    if raters < 2 or len(v) < 2 or not np.all(v >= 0):
        raise ValueError(
            f"need two raters and two items of variance >= 0; got {raters} raters, {len(v)} items"
        )
    signal = np.where(v.max(axis=0) == v.min(axis=0), 0, v.var(axis=0, ddof=1))
    noise = 2 * np.mean(v**2, axis=0) / (raters - 1)
    total = signal + noise
    return np.sqrt(signal / np.where(total > 0, total, 1))[()]


def variance_ceiling_from_ratings(
    ratings: ArrayLike, *, gaussian: bool = False, same_raters: bool = False
) -> PerColumn:
    """`variance_ceiling` where the true variance v is unknown, from (n, K) or (n, K, dimensions) ratings.

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
    count = np.sum(~np.isnan(x), axis=1)
    needed = 2 if gaussian else 4
    if x.ndim not in (2, 3) or len(x) < 2 or count.min() < needed:
        raise ValueError(
            f"need (n, K) or (n, K, dimensions), two items, {needed} ratings an item; got {x.shape}, "
            f"{np.sum(count < needed)} items with fewer: leave them out and count them"
            + ("" if gaussian else ", or pass gaussian=True")
        )
    observed = observed_variance(x)
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


def _sample(name: str, values: ArrayLike, *, at_least: int) -> Values:
    x = to_numpy(values)
    if x.ndim != 1 or len(x) < at_least:
        raise ValueError(f"{name} must be (n,) with n >= {at_least}; got shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}: {np.sum(~np.isfinite(x))} of {len(x)} values are NaN or infinite; leave them out"
        )
    return x


def _check_correlation(r: float) -> None:
    if abs(r) > 1:
        raise ValueError(f"a correlation lies in [-1, 1]; got {r}")


def p_of_interval(estimate: float, low: float, high: float, *, seeds: int = 0, level: float = 0.95) -> float:
    """Two-sided p of an estimate being zero, by its interval alone, with the fewest degrees of freedom it can have.

    The bound towards zero lies a quantile of standard errors away: of Student's t with `seeds` - 1 degrees of freedom
    where an interval is over two seeds or more, else of the normal law. So p is 1 - `level` where that bound is zero,
    and for a t interval over seeds it is the p of the paired t-test. An interval of no width gives 0, and 1 around 0.
    """
    arm = abs(estimate - (low if estimate > 0 else high))
    law = stats.t(seeds - 1) if seeds > 1 else stats.norm()
    if arm == 0:
        return float(estimate == 0)
    return float(2 * law.sf(abs(estimate) / arm * law.ppf((1 + level) / 2)))


def paired_differences(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours less theirs at the seeds that both have: (min(len),), in the seeds' order."""
    return [a - b for a, b in zip(ours, theirs, strict=False)]
