"""The bootstraps by which the engine of scores is checked: against what is known by hand or by Student's t."""

import numpy as np
import pytest
from bootstraps import cluster_bootstrap, crossed_bootstrap
from numpy.testing import assert_allclose
from scipy import stats

from paperlib.metrics import pcc


def t_interval(x, level=0.95):
    """Low and high of the mean's."""
    return stats.t(len(x) - 1, x.mean(), stats.sem(x)).interval(level)


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
    expected = t_interval(x)
    assert_allclose([ours.low, ours.high], expected, atol=0.06 * np.ptp(expected))


def test_bootstrap_of_few_clusters_is_as_wide_as_the_t_interval():
    x = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    ours, expected = cluster_bootstrap(np.mean, x, clusters=None, seed=0, draws=20_000), t_interval(x)
    # The plain percentile interval would have 0.78 of the width.
    assert (ours.high - ours.low) / np.ptp(expected) == pytest.approx(1, abs=0.04)


@pytest.mark.parametrize("bootstrap", [cluster_bootstrap, crossed_bootstrap])
def test_bootstraps_have_the_level_that_is_asked_for(bootstrap):
    x = np.repeat(stats.norm.ppf((np.arange(12) + 0.5) / 12)[:, None], 2, axis=1)
    ours = bootstrap(lambda a: a.mean(), x, clusters=None, seed=0, draws=8000, level=0.8)
    expected = t_interval(x[:, 0], 0.8)
    assert (ours.high - ours.low) / np.ptp(expected) == pytest.approx(1, abs=0.05)
    assert ours.level == 0.8


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
    expected = t_interval(x)
    assert (ours.high - ours.low) / np.ptp(expected) == pytest.approx(1, abs=0.04)
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
    expected = t_interval(x)
    assert (ours.high - ours.low) / np.ptp(expected) == pytest.approx(1, abs=0.04)


def test_few_columns_that_vary_are_covered_where_clusters_alone_deceive(rng):
    hit = {crossed_bootstrap: 0, cluster_bootstrap: 0}
    for seed in range(150):
        x = rng.normal(size=(6, 1)) + rng.normal(size=(1, 3))  # the true mean is 0
        for bootstrap in hit:
            found = bootstrap(lambda a: a.mean(), x, clusters=None, seed=seed, draws=200)
            hit[bootstrap] += found.low <= 0 <= found.high
    assert hit[crossed_bootstrap] / 150 > 0.88 and hit[cluster_bootstrap] / 150 < 0.8
