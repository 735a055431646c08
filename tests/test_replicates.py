"""The bootstraps of scores: against what is known by hand, or by Student's t."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from paperlib.companion.measures import mean, pcc
from paperlib.companion.score import score
from paperlib.companion.verdicts import lines

PEOPLE, BOTH = "people", "people and seeds"
EIGHT = stats.norm.ppf((np.arange(8) + 0.5) / 8)


def line(x, *, over, unit=None, y=0.0, draws=1000, measure=None):
    """Of the mean (or another measure) of values (n, seeds)."""
    n, seeds = x.shape
    unit = np.repeat(np.arange(n) if unit is None else unit, seeds)
    table = {"item": np.repeat(np.arange(n), seeds), "unit": unit, "seed": np.tile(np.arange(seeds), n)}
    table |= {"x": x.ravel(), "y": np.repeat(y, seeds) if np.ndim(y) else y, "of": "all"}
    found = score(pd.DataFrame(table), measure or mean("mean", "x"), "of", over=over, draws=draws)
    return lines(found).iloc[0]


def t_interval(x):
    """Low and high of the mean's."""
    return stats.t(len(x) - 1, x.mean(), stats.sem(x)).interval(0.95)


def width(found):
    return found["high"] - found["low"]


def test_copied_rows_do_not_narrow_the_interval_of_their_people(rng):
    x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], size=60).T
    of = {"over": PEOPLE, "measure": pcc("x", "y"), "draws": 300}
    once = line(x[:, None], y=y, unit=np.arange(100, 160), **of)
    order = rng.permutation(300)
    xs, ys, person = (np.repeat(a, 5)[order] for a in (x, y, np.arange(100, 160)))
    five = line(xs[:, None], y=ys, unit=person, **of)
    numbers = ["estimate", "low", "high"]
    assert_allclose(five[numbers].astype(float), once[numbers].astype(float))
    assert width(line(xs[:, None], y=ys, **of)) < 0.6 * width(once)


def test_over_many_people_the_interval_of_a_mean_is_the_t_interval(rng):
    x = rng.normal(size=400)
    ours, expected = line(x[:, None], over=PEOPLE, draws=4000), t_interval(x)
    assert_allclose([ours["low"], ours["high"]], expected, atol=0.06 * np.ptp(expected))


@pytest.mark.parametrize(
    ("x", "unit", "over"),
    [
        (EIGHT[:, None], None, PEOPLE),  # the plain percentile interval would have 0.78 of the width
        (np.repeat(EIGHT[:, None], 3, axis=1), None, BOTH),
        (np.repeat(EIGHT[:, None], 6, axis=0).repeat(3, axis=1), np.repeat(np.arange(8), 6), BOTH),
        # degrees of freedom of the wrong ones, 39 for 7, would be found by the width
        (np.repeat(EIGHT[None], 40, axis=0), None, BOTH),
    ],
    ids=["people", "seeds agree", "seeds agree, six rows a person", "people agree"],
)
def test_of_few_the_interval_is_as_wide_as_students(x, unit, over):
    ours = line(x, unit=unit, over=over, draws=20_000)
    assert width(ours) / np.ptp(t_interval(EIGHT)) == pytest.approx(1, abs=0.04)


def test_over_both_the_variance_is_the_one_worked_out_by_hand(rng):
    """Of the mean of drawn people and seeds: each one's part, and what is left of both, over how many are drawn."""
    x = rng.normal(size=(25, 1)) + 0.7 * rng.normal(size=(1, 20)) + rng.normal(size=(25, 20))
    row, column = (x.mean(axis=a, keepdims=True) - x.mean() for a in (1, 0))
    left = x - x.mean() - row - column
    parts = np.mean(row**2) / 24, np.mean(column**2) / 19
    deviation = np.sqrt(sum(parts) + np.mean(left**2) / (24 * 19))
    df = sum(parts) ** 2 / (parts[0] ** 2 / 24 + parts[1] ** 2 / 19)
    ours = line(x, over=BOTH, draws=6000)
    assert ours["estimate"] == pytest.approx(x.mean())
    assert width(ours) == pytest.approx(2 * stats.t.ppf(0.975, df) * deviation, rel=0.04)
    assert (ours["high"] + ours["low"]) / 2 == pytest.approx(x.mean(), abs=0.1 * deviation)


def test_few_seeds_that_vary_are_covered_where_people_alone_deceive(rng):
    hit = {BOTH: 0, PEOPLE: 0}
    for _ in range(150):
        x = rng.normal(size=(6, 1)) + rng.normal(size=(1, 3))  # the true mean is 0
        for over in hit:
            found = line(x, over=over, draws=200)
            hit[over] += found["low"] <= 0 <= found["high"]
    assert hit[BOTH] / 150 > 0.88 and hit[PEOPLE] / 150 < 0.8
