from itertools import combinations, product

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.meta_analysis import effectsize_smd

from paperlib.stats import compare_correlations, observed_variance, t_test, variance_ceiling_from_ratings


@pytest.mark.parametrize("equal_variance", [True, False])
@pytest.mark.parametrize("alternative", ["two-sided", "less", "greater"])
def test_t_test_is_scipys(rng, equal_variance, alternative):
    a, b = rng.normal(0, 1, size=12), rng.normal(0.4, 2, size=30)
    ours = t_test(a, b, equal_variance=equal_variance, alternative=alternative)
    theirs = stats.ttest_ind(a, b, equal_var=equal_variance, alternative=alternative)
    assert_allclose(
        [ours.statistic, ours.df, ours.p], [theirs.statistic, theirs.df, theirs.pvalue], rtol=1e-10
    )
    # statsmodels corrects by 1 - 3 / (4 n - 9), which is within 1e-4 of the exact factor here.
    moments = (a.mean(), a.std(ddof=1), 12, b.mean(), b.std(ddof=1), 30)
    assert ours.hedges_g == pytest.approx(effectsize_smd(*moments)[0], rel=2e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: t_test([0.1, np.nan], [0.1, 0.2], equal_variance=True), "a: 1 of 2 values are NaN"),
        (lambda: t_test([[0.1, 0.2]], [0.1, 0.2], equal_variance=True), r"got shape \(1, 2\)"),
        (lambda: t_test([0.1], [0.1, 0.2], equal_variance=True), "a must be .* n >= 2"),
        (lambda: t_test([0.1, 0.1], [0.2, 0.2], equal_variance=True), "some spread"),
        (lambda: compare_correlations(0.3, 3, 0.2, 50), "more than 3 pairs"),
        (lambda: compare_correlations(0.3, 50, -1.0, 50), r"\|r\| < 1"),
        (lambda: compare_correlations(0.3, 50, np.nan, 50), "got r 0.3, nan"),
        (lambda: compare_correlations(0.3, np.inf, 0.2, 50), "n inf, 50"),
        (lambda: compare_correlations(0.3, 10, 0.2, np.nan), "n 10, nan"),
        (lambda: observed_variance([0.1, 0.2]), r"\(n, K\) or .* got \(2,\)"),
        (lambda: variance_ceiling_from_ratings([[0.1, np.inf], [0.2, 0.3]], gaussian=True), "of numbers"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_compare_correlations_by_hand():
    # artanh 0.5 = 0.549306, artanh 0.3 = 0.309520, standard error sqrt(2 / 100).
    result = compare_correlations(0.5, 103, 0.3, 103)
    assert result.statistic == pytest.approx(1.69555, abs=1e-5)
    assert result.p == pytest.approx(0.08997, abs=1e-5)
    # four pairs are enough: standard error sqrt(1 / 1 + 1 / 9), of 4 and 12 pairs
    assert compare_correlations(0.5, 4, 0.3, 12).statistic == pytest.approx(
        0.239786 / (10 / 9) ** 0.5, rel=1e-5
    )


def test_observed_variance_by_hand():
    ratings = np.array([[1.0, 2.0, 3.0], [0.0, np.nan, 1.0], [np.nan, np.nan, 4.0], [np.nan] * 3])
    assert_allclose(observed_variance(ratings), [1, 0.5, np.nan, np.nan])
    both = np.stack([ratings, 2 * ratings], axis=-1)
    assert_allclose(observed_variance(both)[:, 1], [4, 2, np.nan, np.nan])


def reached(truth, ratings):
    return stats.pearsonr(truth, observed_variance(ratings)).statistic


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


@pytest.mark.parametrize(("raters", "gaussian"), [(2, True), (3, True), (6, False)])
def test_ceiling_of_raters_with_a_bias_of_their_own(rng, raters, gaussian):
    truth = rng.uniform(0.01, 0.2, size=100_000)
    ratings = rng.normal(np.linspace(-0.5, 0.5, raters), np.sqrt(truth)[:, None])
    expected = reached(truth, ratings)
    ceiling = variance_ceiling_from_ratings(ratings, gaussian=gaussian, same_raters=True)
    assert ceiling == pytest.approx(expected, abs=0.02)
    unbiased = rng.normal(0, np.sqrt(truth)[:, None], size=(len(truth), raters))
    assert expected < reached(truth, unbiased) - 0.05  # their biases are noise to whom does not know them


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
