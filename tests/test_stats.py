from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.meta_analysis import effectsize_smd

from paperlib.stats import (
    _fourth_k_statistic,
    compare_correlations,
    observed_variance,
    t_test,
    t_test_from_summary,
    variance_ceiling,
    variance_ceiling_from_ratings,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def summary(**changed):
    """`t_test_from_summary` of two groups, changed."""
    given = {"mean1": 0.3, "std1": 0.1, "n1": 12, "mean2": 0.2, "std2": 0.2, "n2": 9}
    return t_test_from_summary(**given | changed, equal_variance=False)


# Means


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
        (lambda: t_test([0.1, np.nan], [0.1, 0.2], equal_variance=True), "a: 1 of 2 values are NaN"),
        (lambda: t_test([[0.1, 0.2]], [0.1, 0.2], equal_variance=True), r"got shape \(1, 2\)"),
        (lambda: t_test([0.1], [0.1, 0.2], equal_variance=True), "a must be .* n >= 2"),
        (lambda: t_test([0.1, 0.1], [0.2, 0.2], equal_variance=True), "some spread"),
        (lambda: compare_correlations(0.3, 3, 0.2, 50), "more than 3 pairs"),
        (lambda: compare_correlations(0.3, 50, 0.2, 3), "more than 3 pairs"),
        (lambda: compare_correlations(0.3, 50, -1.0, 50), r"\|r\| < 1"),
        (lambda: compare_correlations(0.3, 50, 1.1, 50), r"\|r\| < 1; got r 0.3, 1.1"),
        (lambda: compare_correlations(0.3, 50, np.nan, 50), "must be finite; got {'r2': nan}"),
        (lambda: compare_correlations(0.3, np.inf, 0.2, 50), "must be finite; got {'n1': inf}"),
        (lambda: summary(mean2=np.inf), "must be finite; got {'mean2': inf}"),
        (lambda: summary(std1=np.nan), "must be finite; got {'std1': nan}"),
        (lambda: summary(std2=-0.2), "standard deviation is not negative; got 0.1 and -0.2"),
        (lambda: variance_ceiling([0.1, np.inf], raters=3), "finite variance"),
        (lambda: observed_variance([0.1, 0.2]), r"\(n, K\) or .* got \(2,\)"),
        (lambda: variance_ceiling_from_ratings([[0.1, np.inf], [0.2, 0.3]], gaussian=True), "of numbers"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# Correlations


def test_two_values_a_side_and_four_pairs_are_enough():
    a, b = [0.1, 0.3], [0.2, 0.7]
    assert t_test(a, b, equal_variance=False).p == pytest.approx(
        stats.ttest_ind(a, b, equal_var=False).pvalue
    )
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


# Raters


def test_observed_variance_by_hand():
    ratings = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 1.0], [np.nan, np.nan, 4.0], [np.nan] * 3])
    assert_allclose(observed_variance(ratings), [1, 0.5, np.nan, np.nan])
    assert_allclose(observed_variance(ratings, ddof=0), [2 / 3, 0.25, 0, np.nan])
    both = np.stack([ratings, 2 * ratings], axis=-1)
    assert_allclose(observed_variance(both)[:, 1], [4, 2, np.nan, np.nan])


SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
)


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
