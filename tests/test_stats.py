from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.meta_analysis import effectsize_smd

from paperlib.metrics import pcc
from paperlib.stats import (
    Interval,
    Verdict,
    _fourth_k_statistic,
    _jackknife_variance,
    annotator_correlations,
    cluster_bootstrap,
    combined,
    compare_correlations,
    correlation_interval,
    crossed_bootstrap,
    icc1,
    mean_interval,
    observed_variance,
    p_of_interval,
    paired_difference,
    paired_differences,
    t_test,
    t_test_from_summary,
    variance_ceiling,
    variance_ceiling_from_ratings,
    verdict,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


# Verdicts


@pytest.mark.parametrize(
    ("low", "high", "sign", "expected"),
    [
        (0.1, 0.3, 1, Verdict.HELD),
        (0.1, 0.3, -1, Verdict.DID_NOT_HOLD),
        (-0.3, -0.1, -1, Verdict.HELD),
        (-0.3, -0.1, 1, Verdict.DID_NOT_HOLD),
        (-0.1, 0.3, 1, Verdict.CANNOT_TELL),
        (0.0, 0.3, 1, Verdict.CANNOT_TELL),
        (-0.3, 0.0, 1, Verdict.CANNOT_TELL),
        (np.nan, np.nan, 1, Verdict.CANNOT_TELL),
        (np.nan, np.nan, -1, Verdict.CANNOT_TELL),
        (0.1, np.nan, 1, Verdict.CANNOT_TELL),
        (np.nan, 0.1, 1, Verdict.CANNOT_TELL),
        (np.nan, -0.1, 1, Verdict.CANNOT_TELL),
        (-0.1, np.nan, 1, Verdict.CANNOT_TELL),
    ],
)
def test_verdict(low, high, sign, expected):
    assert verdict(Interval(estimate=0.0, low=low, high=high, level=0.95), sign) is expected


def test_verdict_refuses_a_direction_of_zero():
    with pytest.raises(ValueError, match="1 or -1"):
        verdict(Interval(estimate=0.0, low=0.0, high=0.0, level=0.95), 0)


# Means


def test_mean_interval_is_scipys(rng):
    x = rng.normal(0.5, 1, size=5)
    ours = mean_interval(x, 0.9)
    expected = stats.ttest_1samp(x, 0).confidence_interval(0.9)
    assert_allclose([ours.low, ours.high], expected, rtol=1e-12)
    assert (ours.n, ours.estimate, ours.sd) == (5, pytest.approx(x.mean()), pytest.approx(x.std(ddof=1)))


def test_one_seed_gives_no_verdict():
    one = mean_interval([0.4])
    assert one.estimate == 0.4 and np.isnan([one.low, one.high, one.sd]).all()
    pair = paired_difference([0.6], [0.4])
    assert (
        pair.estimate == pytest.approx(0.2) and np.isnan([pair.low, pair.high, pair.p, pair.cohens_dz]).all()
    )
    assert verdict(pair, 1) is Verdict.CANNOT_TELL


def test_paired_difference_is_scipys(rng):
    a, b = rng.normal(0.3, 1, size=(2, 8))
    ours, theirs = paired_difference(a, b), stats.ttest_rel(a, b)
    assert_allclose([ours.statistic, ours.p, ours.df], [theirs.statistic, theirs.pvalue, 7], rtol=1e-12)
    assert_allclose([ours.low, ours.high], theirs.confidence_interval(), rtol=1e-12)
    assert ours.cohens_dz == pytest.approx(np.mean(a - b) / np.std(a - b, ddof=1))
    narrower = paired_difference(a, b, 0.8)
    assert_allclose([narrower.low, narrower.high], theirs.confidence_interval(0.8), rtol=1e-12)


def test_differences_that_do_not_vary():
    equal = paired_difference([0.3, 0.7], [0.3, 0.7])
    assert (equal.low, equal.high) == (0, 0) and np.isnan(equal.p)
    assert verdict(equal, 1) is Verdict.CANNOT_TELL
    shifted = paired_difference([1.5, 2.5, 3.5], [1.0, 2.0, 3.0])
    assert (shifted.low, shifted.high, shifted.p) == (0.5, 0.5, 0)


@pytest.mark.parametrize("equal_variance", [True, False])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_t_test_is_scipys_by_samples_and_by_summary(rng, equal_variance, alternative):
    a, b = rng.normal(0, 1, size=12), rng.normal(0.4, 2, size=30)
    theirs = stats.ttest_ind(a, b, equal_var=equal_variance, alternative=alternative)
    moments = (a.mean(), a.std(ddof=1), 12, b.mean(), b.std(ddof=1), 30)
    for ours in (
        t_test(a, b, equal_variance=equal_variance, alternative=alternative),
        t_test_from_summary(*moments, equal_variance=equal_variance, alternative=alternative),
    ):
        expected = [theirs.statistic, theirs.df, theirs.pvalue]
        assert_allclose([ours.statistic, ours.df, ours.p], expected, rtol=1e-10)
        # statsmodels corrects by 1 - 3 / (4 n - 9), which is within 1e-4 of the exact factor here.
        assert ours.hedges_g == pytest.approx(effectsize_smd(*moments)[0], rel=2e-4)


@pytest.mark.parametrize(
    ("clean", "noisy", "as_variance", "as_deviation"),
    [((0.0775, 0.0025), (0.0820, 0.003), -0.961, -17.6), ((0.0787, 0.004), (0.0872, 0.002), -2.179, -47.1)],
)
def test_foteinopoulou2021_table_3_under_both_readings_of_its_spread(clean, noisy, as_variance, as_deviation):
    for power, expected in ((0.5, as_variance), (1, as_deviation)):
        result = t_test_from_summary(
            clean[0], clean[1] ** power, 3858, noisy[0], noisy[1] ** power, 141, equal_variance=False
        )
        assert result.statistic == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([]), "n >= 1"),
        (lambda: mean_interval([0.1, np.nan]), "values: 1 of 2 values are NaN"),
        (lambda: mean_interval([0.1, np.inf]), "values: 1 of 2 values are NaN or infinite"),
        (lambda: mean_interval([[0.1, 0.2]]), r"got shape \(1, 2\)"),
        (lambda: paired_difference([0.1, 0.2], [0.1]), "paired; got 2 and 1"),
        (lambda: t_test([0.1], [0.1, 0.2], equal_variance=True), "a must be .* n >= 2"),
        (lambda: t_test([0.1, 0.1], [0.2, 0.2], equal_variance=True), "some spread"),
        (lambda: correlation_interval(1.2, 10), r"\[-1, 1\]; got 1.2"),
        (lambda: correlation_interval(-1.2, 10), r"\[-1, 1\]; got -1.2"),
        (lambda: compare_correlations(0.3, 3, 0.2, 50), "more than 3 pairs"),
        (lambda: compare_correlations(0.3, 50, 0.2, 3), "more than 3 pairs"),
        (lambda: compare_correlations(0.3, 50, -1.0, 50), r"\|r\| < 1"),
        (lambda: compare_correlations(0.3, 50, 1.1, 50), r"\[-1, 1\]; got 1.1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Correlations


def test_correlation_interval_is_scipys(rng):
    x = rng.normal(size=40)
    theirs = stats.pearsonr(x, x + rng.normal(size=40))
    ours = correlation_interval(theirs.statistic, 40, 0.9)
    assert_allclose([ours.low, ours.high], theirs.confidence_interval(0.9), rtol=1e-12)


def test_correlation_interval_where_there_is_none():
    for r, n in ((0.5, 3), (np.nan, 50), (1.0, 2)):
        interval = correlation_interval(r, n)
        assert np.isnan([interval.low, interval.high]).all()
    perfect = correlation_interval(-1.0, 10)
    assert (perfect.low, perfect.high) == (-1, -1)


def test_two_values_a_side_and_four_pairs_are_enough():
    a, b = [0.1, 0.3], [0.2, 0.7]
    assert t_test(a, b, equal_variance=False).p == pytest.approx(
        stats.ttest_ind(a, b, equal_var=False).pvalue
    )
    four = correlation_interval(0.5, 4)  # standard error 1 / sqrt(4 - 3)
    assert_allclose([four.low, four.high], np.tanh(np.arctanh(0.5) + stats.norm.ppf([0.025, 0.975])))
    # Standard error sqrt(1 / 1 + 1 / 9), of 4 and 12 pairs.
    assert compare_correlations(0.5, 4, 0.3, 12).statistic == pytest.approx(
        0.239786 / (10 / 9) ** 0.5, rel=1e-5
    )


def test_compare_correlations_by_hand():
    # artanh 0.5 = 0.549306, artanh 0.3 = 0.309520, standard error sqrt(2 / 100).
    result = compare_correlations(0.5, 103, 0.3, 103)
    assert result.statistic == pytest.approx(1.69555, abs=1e-5)
    assert result.p == pytest.approx(0.08997, abs=1e-5)
    assert result.cohens_q == pytest.approx(0.239786, abs=1e-6)
    assert compare_correlations(0.5, 103, 0.3, 103, alternative="greater").p == pytest.approx(result.p / 2)
    assert compare_correlations(0.5, 103, 0.3, 103, alternative="less").p == pytest.approx(1 - result.p / 2)


def test_copied_rows_do_not_narrow_the_cluster_interval(rng):
    x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=60).T
    once = cluster_bootstrap(pcc, x, y, clusters=None, seed=1, draws=300)
    order = rng.permutation(300)
    copies = [np.repeat(a, 5)[order] for a in (x, y, np.arange(60))]
    five = cluster_bootstrap(pcc, *copies[:2], clusters=copies[2], seed=1, draws=300)
    assert_allclose([five.estimate, five.low, five.high], [once.estimate, once.low, once.high], rtol=1e-9)
    naive = cluster_bootstrap(pcc, *copies[:2], clusters=None, seed=1, draws=300)
    assert naive.high - naive.low < 0.6 * (once.high - once.low)


def test_bootstrap_of_a_mean_is_the_t_interval(rng):
    x = rng.normal(size=400)
    ours = cluster_bootstrap(np.mean, x, clusters=None, seed=0, draws=4000)
    expected = mean_interval(x)
    width = expected.high - expected.low
    assert_allclose([ours.low, ours.high], [expected.low, expected.high], atol=0.06 * width)


def test_bootstrap_of_few_clusters_is_as_wide_as_the_t_interval():
    x = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    ours, expected = cluster_bootstrap(np.mean, x, clusters=None, seed=0, draws=20_000), mean_interval(x)
    # The plain percentile interval would have 0.78 of the width.
    assert (ours.high - ours.low) / (expected.high - expected.low) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("bootstrap", [cluster_bootstrap, crossed_bootstrap])
def test_bootstraps_have_the_level_that_is_asked_for(bootstrap):
    x = np.repeat(stats.norm.ppf((np.arange(12) + 0.5) / 12)[:, None], 2, axis=1)
    ours = bootstrap(lambda a: a.mean(), x, clusters=None, seed=0, draws=8000, level=0.8)
    expected = mean_interval(x[:, 0], 0.8)
    assert (ours.high - ours.low) / (expected.high - expected.low) == pytest.approx(1, abs=0.05)
    assert ours.level == 0.8


@pytest.mark.parametrize("bootstrap", [cluster_bootstrap, crossed_bootstrap])
def test_two_clusters_can_be_resampled(bootstrap):
    x = np.repeat([[0.0], [1.0], [1.0]], 2, axis=1)
    found = bootstrap(lambda a: a.mean(), x, clusters=["a", "b", "b"], seed=0, draws=200)
    assert (found.estimate, found.low <= 0, found.high >= 1) == (pytest.approx(2 / 3), True, True)


def test_clusters_of_unequal_size_come_whole():
    sizes = {2: 0, 3: 0, 5: 0}
    values = np.repeat(list(sizes), list(sizes))

    def whole(drawn):
        assert all(np.sum(drawn == size) % size == 0 for size in sizes)
        return drawn.sum() / len(drawn)

    cluster_bootstrap(whole, values, clusters=values.astype(str), seed=0, draws=50)


def test_bootstrap_repeats_by_seed_and_passes_nan_on(rng):
    x, y = rng.normal(size=(2, 30))
    first, again, other = (cluster_bootstrap(pcc, x, y, clusters=None, seed=s, draws=100) for s in (3, 3, 4))
    assert first == again and first.low != other.low
    undefined = cluster_bootstrap(lambda a: np.nan, x, clusters=None, seed=0, draws=10)
    assert np.isnan([undefined.low, undefined.high]).all()


def test_bootstrap_refuses_one_cluster_and_unequal_lengths():
    with pytest.raises(ValueError, match="at least two clusters; got 1 in 4 rows"):
        cluster_bootstrap(np.mean, np.arange(4.0), clusters=["a"] * 4, seed=0)
    with pytest.raises(ValueError, match=r"must have 4 rows; got \[3, 4\]"):
        cluster_bootstrap(np.mean, np.arange(4.0), clusters=[1, 2, 3], seed=0)


def test_crossed_bootstrap_has_the_variance_worked_out_by_hand(rng):
    """Of the mean of drawn rows and columns: each one's part, and what is left of both, over how many are drawn."""
    x = rng.normal(size=(25, 1)) + 0.7 * rng.normal(size=(1, 20)) + rng.normal(size=(25, 20))
    row, column = (x.mean(axis=a, keepdims=True) - x.mean() for a in (1, 0))
    left = x - x.mean() - row - column
    parts = np.mean(row**2) / 24, np.mean(column**2) / 19
    deviation = np.sqrt(sum(parts) + np.mean(left**2) / (24 * 19))
    df = sum(parts) ** 2 / (parts[0] ** 2 / 24 + parts[1] ** 2 / 19)
    ours = crossed_bootstrap(lambda a: a.mean(), x, clusters=None, seed=0, draws=6000)
    assert ours.estimate == pytest.approx(x.mean())
    assert ours.high - ours.low == pytest.approx(2 * stats.t.ppf(0.975, df) * deviation, rel=0.04)
    assert (ours.high + ours.low) / 2 == pytest.approx(x.mean(), abs=0.1 * deviation)


def test_columns_that_agree_leave_the_t_interval_of_the_clusters():
    x = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    same = np.repeat(x[:, None], 3, axis=1)
    ours = crossed_bootstrap(lambda a: a.mean(), same, clusters=None, seed=0, draws=20_000)
    expected = mean_interval(x)
    assert (ours.high - ours.low) / (expected.high - expected.low) == pytest.approx(1, abs=0.04)
    twice = crossed_bootstrap(
        lambda a: a.mean(),
        np.repeat(same, 2, axis=0),
        clusters=np.repeat(np.arange(8), 2),
        seed=0,
        draws=20_000,
    )
    assert_allclose([twice.low, twice.high], [ours.low, ours.high])


def test_clusters_that_agree_leave_the_t_interval_of_the_columns():
    """Forty clusters and eight columns: degrees of freedom of the wrong ones, 39 for 7, would be found by the width."""
    x = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    columns = np.repeat(x[None], 40, axis=0)
    ours = crossed_bootstrap(lambda a: a.mean(), columns, clusters=None, seed=0, draws=20_000)
    expected = mean_interval(x)
    assert (ours.high - ours.low) / (expected.high - expected.low) == pytest.approx(1, abs=0.04)


def test_jackknife_variance_of_a_mean_is_its_squared_standard_error(rng):
    x = rng.normal(size=8)
    left_out = [np.delete(x, i).mean() for i in range(8)]
    assert _jackknife_variance(left_out) == pytest.approx(x.var(ddof=1) / 8)


def test_what_rows_and_columns_have_together_widens_the_crossed_interval(rng):
    """As documented: of independent cells it is about twice as wide as their t interval."""
    widths = []
    for seed in range(30):
        x = rng.normal(size=(20, 5))
        found = crossed_bootstrap(lambda a: a.mean(), x, clusters=None, seed=seed, draws=300)
        expected = mean_interval(x.ravel())
        widths.append((found.high - found.low) / (expected.high - expected.low))
    assert 1.6 < np.mean(widths) < 2.2


def test_crossed_bootstrap_passes_nan_on(rng):
    """A statistic that cannot be had without one row, here the one that differs, or in some draws, tells nothing."""
    x = np.ones((6, 3)) + rng.normal(size=(6, 3)) / 10
    whole = set(x[:, 0])

    def without_one(a):
        return np.nan if len(a) == 5 and set(a[:, 0]) == whole - {x[2, 0]} else a.mean()

    found = crossed_bootstrap(without_one, x, clusters=None, seed=0, draws=2)
    assert found.estimate == pytest.approx(x.mean()) and np.isnan([found.low, found.high]).all()
    assert verdict(found, 1) is Verdict.CANNOT_TELL
    some = crossed_bootstrap(
        lambda a: np.nan if len(set(a[:, 0])) == 1 else a.mean(), x[:3], clusters=None, seed=0, draws=200
    )
    assert np.isnan([some.low, some.high]).all()
    same = crossed_bootstrap(lambda a: 0.3, x, clusters=None, seed=0, draws=20)
    assert (same.low, same.high) == (0.3, 0.3)


def test_few_columns_that_vary_are_covered_where_clusters_alone_deceive(rng):
    hit = {crossed_bootstrap: 0, cluster_bootstrap: 0}
    for seed in range(150):
        x = rng.normal(size=(6, 1)) + rng.normal(size=(1, 3))  # the true mean is 0
        for bootstrap in hit:
            found = bootstrap(lambda a: a.mean(), x, clusters=None, seed=seed, draws=200)
            hit[bootstrap] += found.low <= 0 <= found.high
    assert hit[crossed_bootstrap] / 150 > 0.88 and hit[cluster_bootstrap] / 150 < 0.8


def test_crossed_bootstrap_keeps_arrays_together_and_repeats_by_seed(rng):
    x = rng.normal(size=(10, 4, 2))
    apart = crossed_bootstrap(lambda a, b: (a - b).mean(), x, x + 1, clusters=None, seed=3, draws=50)
    assert_allclose([apart.estimate, apart.low, apart.high], -1)
    first, again = (
        crossed_bootstrap(lambda a: a.mean(), x, clusters=None, seed=3, draws=50) for _ in range(2)
    )
    assert first == again


def test_crossed_bootstrap_refuses_one_column_one_cluster_and_other_columns():
    with pytest.raises(ValueError, match=r"of one S, two or more; got \[1\]"):
        crossed_bootstrap(np.mean, np.zeros((4, 1)), clusters=None, seed=0)
    with pytest.raises(ValueError, match=r"got \[2, 3\]"):
        crossed_bootstrap(np.mean, np.zeros((4, 2)), np.zeros((4, 3)), clusters=None, seed=0)
    with pytest.raises(ValueError, match="two or more"):
        crossed_bootstrap(np.mean, np.zeros(4), clusters=None, seed=0)
    with pytest.raises(ValueError, match="at least two clusters; got 1 in 4 rows"):
        crossed_bootstrap(np.mean, np.zeros((4, 2)), clusters=["a"] * 4, seed=0)


# Raters


def test_observed_variance_by_hand():
    ratings = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 1.0], [np.nan, np.nan, 4.0], [np.nan] * 3])
    assert_allclose(observed_variance(ratings), [1, 0.5, np.nan, np.nan])
    assert_allclose(observed_variance(ratings, ddof=0), [2 / 3, 0.25, 0, np.nan])
    both = np.stack([ratings, 2 * ratings], axis=-1)
    assert_allclose(observed_variance(both)[:, 1], [4, 2, np.nan, np.nan])


def test_annotator_correlations_are_pairwise_complete(rng):
    ratings = rng.normal(size=(50, 1)) + rng.normal(size=(50, 3))
    ratings[:10, 1] = np.nan
    matrix = annotator_correlations(ratings)
    assert_allclose(matrix, matrix.T)
    assert_allclose(np.diag(matrix), 1)
    assert matrix[0, 2] == pytest.approx(stats.pearsonr(ratings[:, 0], ratings[:, 2]).statistic)
    assert matrix[0, 1] == pytest.approx(stats.pearsonr(ratings[10:, 0], ratings[10:, 1]).statistic)
    constant = annotator_correlations(np.column_stack([np.full(50, 0.3), ratings[:, 0]]))
    assert np.isnan(constant[0]).all() and constant[1, 1] == 1
    few = np.array([[0.1, 0.4, np.nan], [0.2, 0.3, 0.5], [np.nan, np.nan, 0.7]])
    two, one = annotator_correlations(few)[0, 1:]
    assert two == pytest.approx(-1) and np.isnan(one)


SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


def test_icc_of_shrout_and_fleiss_1979():
    assert icc1(SHROUT_FLEISS) == pytest.approx(0.17, abs=0.005)
    padded = np.column_stack([SHROUT_FLEISS, np.full(6, np.nan)])
    unrated = np.vstack([padded, np.full(5, np.nan)])
    assert icc1(unrated) == pytest.approx(icc1(SHROUT_FLEISS), rel=1e-12)


def test_icc_with_missing_ratings_finds_the_true_reliability(rng):
    ratings = rng.normal(size=(6000, 1)) + 2 * rng.normal(size=(6000, 6))
    ratings[rng.random(ratings.shape) < 0.4] = np.nan
    assert icc1(ratings) == pytest.approx(1 / (1 + 4), abs=0.015)


def test_icc_needs_a_repeated_rating():
    with pytest.raises(ValueError, match="one rated twice"):
        icc1([[1.0, np.nan], [2.0, np.nan]])


# The ceiling of a correlation with a sample variance


def reached(truth, ratings):
    return stats.pearsonr(truth, observed_variance(ratings)).statistic


@pytest.mark.parametrize("raters", [2, 3, 10])
def test_ceiling_is_what_the_truth_itself_reaches(rng, raters):
    truth = rng.uniform(0.01, 0.2, size=100_000)
    ratings = rng.normal(0.1, np.sqrt(truth)[:, None], size=(len(truth), raters))
    expected = reached(truth, ratings)
    assert variance_ceiling(truth, raters=raters) == pytest.approx(expected, abs=0.01)
    assert variance_ceiling_from_ratings(ratings, gaussian=True) == pytest.approx(expected, abs=0.02)
    if raters >= 4:
        assert variance_ceiling_from_ratings(ratings) == pytest.approx(expected, abs=0.02)


def test_no_function_of_the_truth_beats_the_ceiling(rng):
    truth = rng.gamma(2, 0.03, size=100_000)
    ratings = rng.normal(0, np.sqrt(truth)[:, None], size=(len(truth), 3))
    ceiling = variance_ceiling(truth, raters=3)
    for transformed in (np.sqrt(truth), np.log(truth), truth**2):
        assert reached(transformed, ratings) < ceiling


def test_ceiling_by_hand_in_the_limit_and_per_column():
    # variances 1 and 3: Var v = 2 (over n - 1), 2 E[v^2] / (K - 1) = 10 / 2.
    assert variance_ceiling([1.0, 3.0], raters=3) == pytest.approx((2 / (2 + 5)) ** 0.5)
    assert variance_ceiling([1.0, 3.0], raters=10**9) == pytest.approx(1)
    assert variance_ceiling([0.3, 0.3, 0.3], raters=3) == 0
    # variances 0 and 2: Var v = 2, 2 E[v^2] / (K - 1) = 4; of none at all there is nothing to explain.
    assert variance_ceiling([0.0, 2.0], raters=2) == pytest.approx((2 / (2 + 4)) ** 0.5)
    assert variance_ceiling([0.0, 0.0], raters=2) == 0
    with pytest.raises(ValueError, match="variance >= 0"):
        variance_ceiling([-0.1, 0.2], raters=2)
    assert_allclose(variance_ceiling([[1.0, 0.3], [3.0, 0.3]], raters=3), [(2 / 7) ** 0.5, 0])


def category_votes(rng, items, raters):
    """Votes of known category distributions, on an axis: ratings (items, raters) and true variances."""
    points = np.array([0.0, 0.85, -0.63, 0.36, -0.12, -0.6, -0.43, -0.55])
    shares = rng.dirichlet(np.full(8, 0.4), size=items)
    votes = np.sum(rng.random((items, raters, 1)) > np.cumsum(shares, axis=1)[:, None, :-1], axis=-1)
    return points[votes], shares @ points**2 - (shares @ points) ** 2


def test_ceiling_from_category_votes_with_missing_raters(rng):
    ratings, truth = category_votes(rng, 40_000, 10)
    expected = reached(truth, ratings)
    assert variance_ceiling_from_ratings(ratings) == pytest.approx(expected, abs=0.01)
    # Votes are not Gaussian, and the Gaussian assumption shows it.
    assert abs(variance_ceiling_from_ratings(ratings, gaussian=True) - expected) > 0.02
    ratings[rng.random(ratings.shape) < 0.3] = np.nan
    rated = np.sum(~np.isnan(ratings), axis=1) >= 4
    ratings, truth = ratings[rated], truth[rated]
    assert variance_ceiling_from_ratings(ratings) == pytest.approx(reached(truth, ratings), abs=0.01)


def test_closed_form_is_the_average_over_all_splits_of_the_raters():
    rng = np.random.default_rng(5)
    ratings = rng.normal(size=(3, 5)) * np.array([[1.0], [3.0], [6.0]])

    def halves(row):
        for half in combinations(range(5), 2):
            yield row[list(half)].var(ddof=1), np.delete(row, half).var(ddof=1)

    covariances = [np.cov(np.array(split).T)[0, 1] for split in product(*map(halves, ratings))]
    expected = np.mean(covariances) / observed_variance(ratings).var(ddof=1)
    assert 0 < expected < 1
    assert variance_ceiling_from_ratings(ratings) ** 2 == pytest.approx(expected, rel=1e-9)


@given(st.lists(st.integers(-20, 20), min_size=4, max_size=12))
def test_fourth_k_statistic_is_scipys(values):
    x = np.array([[*values, np.nan]]) / 10
    ours = _fourth_k_statistic(x, np.array([len(values)]), observed_variance(x))
    assert_allclose(ours[0], stats.kstat(np.array(values) / 10, 4), atol=1e-9)


@pytest.mark.parametrize(("raters", "gaussian"), [(3, True), (6, False)])
def test_ceiling_of_raters_with_a_bias_of_their_own(rng, raters, gaussian):
    truth = rng.uniform(0.01, 0.2, size=100_000)
    ratings = rng.normal(np.linspace(-0.5, 0.5, raters), np.sqrt(truth)[:, None])
    expected = reached(truth, ratings)
    ceiling = variance_ceiling_from_ratings(ratings, gaussian=gaussian, same_raters=True)
    assert ceiling == pytest.approx(expected, abs=0.02)
    assert expected < variance_ceiling(truth, raters=raters) - 0.05


def test_ceiling_is_nan_when_the_ratings_show_no_difference_between_items():
    alike = np.tile([0.0, 1.0, 0.0, 1.0, 0.0], (6, 1))
    assert np.isnan(variance_ceiling_from_ratings(alike))
    assert np.isnan(variance_ceiling_from_ratings(alike, gaussian=True))
    with_signal = np.stack([alike, alike * np.arange(6)[:, None]], axis=-1)
    ceiling = variance_ceiling_from_ratings(with_signal)
    assert np.isnan(ceiling[0]) and 0 < ceiling[1] <= 1


def test_ceiling_says_how_many_items_have_too_few_ratings():
    ratings = np.array([[0.1, 0.2, 0.3, 0.1], [0.1, np.nan, 0.3, 0.4]])
    with pytest.raises(ValueError, match="1 items with fewer.*gaussian=True"):
        variance_ceiling_from_ratings(ratings)
    with pytest.raises(ValueError, match="two raters"):
        variance_ceiling([0.1, 0.2], raters=1)


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["held", "held"], "held"),
        (["held", "not attempted here"], "held in part"),
        (["did not hold", "not attempted here"], "did not hold"),
        (["cannot tell", "not attempted here"], "cannot tell"),
        (["held", "cannot tell", "not attempted here"], "held in part"),
        (["did not hold", "cannot tell"], "did not hold"),
        (["did not hold", "held"], "mixed"),
        (["not attempted here"] * 2, "not attempted here"),
        (["cannot tell"], "cannot tell"),
        (["held", "not attempted here: y"], "held in part"),
        (["held: y", "held"], "held"),
        (["held", "cannot tell: x: y"], "held in part"),
        (["not attempted here: x", "not attempted here: y"], "not attempted here"),
        ([], "not attempted here"),
    ],
)
def test_a_statement_has_the_verdict_of_its_lines_or_is_mixed(verdicts, said):
    assert combined(verdicts) == said


def test_words_of_other_questions_are_no_verdicts_on_a_statement():
    with pytest.raises(ValueError, match="'ahead' is not a valid Verdict"):
        combined(["held", "ahead"])


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=6))
def test_p_of_an_interval_over_seeds_is_the_paired_t_test_s(values):
    found = mean_interval(values)
    assume(found.sd > 1e-6)
    p = p_of_interval(found.estimate, found.low, found.high, seeds=len(values))
    assert p == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6, abs=1e-12)


def test_p_of_an_interval_is_one_less_its_level_where_it_ends_at_zero():
    assert p_of_interval(1.0, 0.0, 5.0) == pytest.approx(0.05)
    assert p_of_interval(-1.0, -1.5, 0.0, seeds=3, level=0.9) == pytest.approx(0.1)
    assert p_of_interval(1.0, 1.0, 1.0) == 0 and p_of_interval(0.0, 0.0, 0.0) == 1
    assert p_of_interval(1.96, 0.0, 9.0) == pytest.approx(p_of_interval(-1.96, -9.0, 0.0))


def test_paired_differences_are_of_the_seeds_that_both_have():
    assert paired_differences([3.0, 5.0, 9.0], [1.0, 1.0]) == [2.0, 4.0]
