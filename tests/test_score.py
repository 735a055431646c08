"""The words of the pages: known answers by hand, scipy and statsmodels."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats as sp

from paperlib.companion.measures import accuracy, ccc, mean, pcc, rmse, rmse_in_sd, sagr, spearman
from paperlib.companion.replicates import ALL, Measure, ranks
from paperlib.companion.score import ahead, average, beside, common, compare, pick, put, score, together
from paperlib.companion.verdicts import lines

MEAN = mean("mean", "x")


def rows(values, *, seed=0, unit=None, **labels):
    n = len(values)
    unit = [f"u{i:02d}" for i in range(n)] if unit is None else unit
    return pd.DataFrame({"item": range(n), "unit": unit, "seed": seed, "x": values, **labels})


@pytest.fixture
def samples():
    rng = np.random.default_rng(1)
    tables = []
    for method, shift in (("ours", 0.5), ("theirs", 0.0), ("third", 0.2)):
        for seed in range(4):
            y = np.random.default_rng(0).normal(size=60)
            p = y + rng.normal(size=60) + shift
            unit = [f"person {i // 5:02d}" for i in range(60)]
            tables.append(rows(p, seed=seed, unit=unit, method=method, dimension="valence").assign(y=y))
    return pd.concat(tables, ignore_index=True)


def test_over_seeds_the_interval_is_scipys(samples):
    x = score(samples, MEAN, "method")
    each = samples[samples["method"] == "ours"].groupby("seed")["x"].mean()
    line = lines(x.only(method="ours")).iloc[0]
    low, high = sp.ttest_1samp(each, 0).confidence_interval()
    of = ["estimate", "sd", "low", "high"]
    assert_allclose(line[of].astype(float), [each.mean(), each.std(), low, high])
    assert (line["n"], line["seeds"], line["over"]) == (60, 4, "seeds")


def test_a_difference_over_seeds_is_the_paired_t_test(samples):
    gap = lines(compare(score(samples, MEAN, "method"), "method", "ours", "theirs")).iloc[0]
    a, b = (samples[samples["method"] == m].groupby("seed")["x"].mean() for m in ("ours", "theirs"))
    low, high = sp.ttest_rel(a, b).confidence_interval()
    assert_allclose([gap["estimate"], gap["low"], gap["high"]], [(a - b).mean(), low, high])


@pytest.mark.parametrize(
    "measure", [pcc("x", "y"), ccc("x", "y"), rmse("x", "y"), sagr("x", "y"), spearman("x", "y")]
)
def test_all_draws_at_once_are_the_draws_one_by_one(samples, measure):
    slow = Measure(name=measure.name, of=measure.of, columns=measure.columns, better=measure.better)
    fast, one = (score(samples, m, "method", over="people and seeds", draws=20) for m in (measure, slow))
    assert_allclose(fast.frame.to_numpy(), one.frame.to_numpy(), rtol=1e-9)


def test_measures_are_those_of_libraries(samples):
    one = samples.query("method == 'ours' and seed == 0")
    x, y = one["x"].to_numpy(), one["y"].to_numpy()
    found = score(one, [pcc("x", "y"), spearman("x", "y"), rmse("x", "y")], "method").numbers
    expected = [sp.pearsonr(x, y)[0], sp.spearmanr(x, y)[0], np.sqrt(np.mean((x - y) ** 2))]
    assert_allclose(found, expected)
    named = one.assign(named=[0, 1] * 30, right=0)
    assert score(named, accuracy(), "method").numbers.item() == 50


@given(st.lists(st.integers(0, 5), min_size=2, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_ranks_of_a_draw_are_scipys_ranks_of_its_rows(values, random):
    x = np.array(values, float)
    unit = np.array([random.randrange(3) for _ in values])
    counts = np.array([[random.randrange(3) for _ in range(3)]])
    drawn = np.repeat(np.arange(len(x)), counts[0][unit])
    if len(drawn):
        assert_allclose(ranks(x, unit, counts)[0][drawn], sp.rankdata(x[drawn]))


@given(st.permutations(range(8)))
@settings(max_examples=20, deadline=None)
def test_the_order_of_rows_changes_nothing(order):
    table = pd.concat([rows(np.arange(4.0) + s, seed=s, method="m") for s in range(2)], ignore_index=True)
    a, b = (score(t, MEAN, "method", over="people and seeds", draws=50) for t in (table, table.iloc[order]))
    assert_allclose(a.frame.to_numpy(), b.frame.to_numpy())


def test_a_difference_turns_so_that_positive_is_better():
    table = pd.concat([rows([1.0, 1.0], method="good", y=0.9), rows([2.0, 2.0], method="bad", y=0.9)])
    printed = pd.Series({"good": 3.0, "bad": 3.5}).rename_axis("method")
    gap = compare(beside(score(table, rmse("x", "y"), "method"), printed), "method", "good", "bad")
    assert_allclose([gap.numbers.item(), gap.paper.item()], [1.0, 0.5])
    again = compare(put("where", {"here": gap, "there": gap.map(lambda v: v / 2)}), "where", "here", "there")
    # a difference of differences is not turned again
    assert_allclose([again.numbers.item(), again.paper.item()], [0.5, 0.25])
    labelled = table.assign(label=[0.0, 1.0, 0.0, 1.0])
    assert compare(score(labelled, rmse_in_sd("x"), "method"), "method", "good", "bad").numbers.item() > 0


def test_subsets_of_the_same_people_are_drawn_together():
    whole = rows(np.arange(30.0), unit=[f"p{i % 10}" for i in range(30)]).assign(subset="all")
    part = whole[whole["item"] % 10 < 9].assign(subset="part")
    found = score(pd.concat([whole, part]), MEAN, "subset", over="people", draws=50)
    gap = compare(found, "subset", "all", "part")
    drawn = found.frame["draw"].loc["all"].to_numpy() - found.frame["draw"].loc["part"].to_numpy()
    assert_allclose(gap.frame["draw"].to_numpy(), drawn)
    assert np.std(drawn) < np.std(found.frame["draw"].loc["all"].to_numpy())


def test_a_cell_without_a_column_is_no_line_and_of_a_family_some_may_lack():
    table = pd.concat([rows([1.0, 2.0], part="a"), rows([np.nan, np.nan], part="b")])
    assert list(score(table, MEAN, "part").index.get_level_values("part")) == ["a"]
    raters = table.assign(**{"rater 1": 1.0, "rater 2": [2.0, 4.0, 2.0, np.nan]})
    spread = Measure(name="raters", columns=("rater *",), of=lambda r: r.shape[1] + np.nanmean(r))
    assert_allclose(score(raters, spread, "part").numbers.to_numpy(), [2 + 2.0, 2 + 4 / 3])


def test_average_is_missing_where_a_cell_is_and_extremes_are_taken_within_a_seed():
    values = {"v": (1.0, 4.0), "a": (3.0, 2.0)}
    found = score(pd.concat([rows([values[d][s]], seed=s, d=d) for d in values for s in (0, 1)]), MEAN, "d")
    assert average(found, "d").numbers.item() == 2.5
    assert average(found, "d", how="min").numbers.item() == 1.5  # of 1 and 2, not of the two means
    missing = found.map(lambda v: v if v < 2.2 else np.nan)
    assert np.isnan(average(missing, "d").numbers.item())
    assert average(ahead(found.map(lambda v: v - 2)), "d").numbers.item() == 0.5


def test_pick_and_common_choose():
    values = {("a", "x"): 1.0, ("a", "y"): 2.0, ("b", "x"): 3.0, ("b", "y"): 4.0}
    table = pd.concat([rows([v], kind=kind, method=method) for (kind, method), v in values.items()])
    chosen = pd.Series({"a": "y", "b": "x"}).rename_axis("kind")
    found = pick(score(table, MEAN, ["kind", "method"]), "method", chosen, "best")
    assert found.numbers.droplevel("measure").to_dict() == {("a", "best"): 2.0, ("b", "best"): 3.0}
    assert len(pick(found[[False, False]], "method", pd.Series(dtype=str))) == 0
    unequal = pd.concat([rows([0.0], seed=s, method=m) for m, n in (("x", 3), ("y", 2)) for s in range(n)])
    assert sorted(common(unequal, "method")["seed"].unique()) == [0, 1]


def test_empty_samples_give_empty_scores():
    found = score(rows([]).assign(method=""), MEAN, "method", over="people")
    assert len(lines(found)) == len(compare(put("d", {"v": found}), "method", "a", "b")) == 0


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (lambda t: score(t.drop(columns="x"), MEAN, "method"), "mean reads column 'x'; the samples have 'item'"),
        (lambda t: score(t, MEAN, "network"), "no column 'network'"),
        (lambda t: score(pd.concat([t, t]), MEAN, "method"), "item 0 of seed 0 is there twice"),
        (lambda t: score(t.drop(index=t.index[7]), MEAN, "method"), "item 7 has no row of seed 0"),
        (lambda t: score(t, [MEAN, MEAN], "method"), "two measures have one name"),
        (lambda t: score(t, MEAN, "method", over="subjects"), "over must be 'seeds'"),
        (lambda t: compare(score(t, MEAN, "method"), "method", "ours", "SCN"), "has no .SCN.; it has .ours."),
        (lambda t: compare(score(t, MEAN, "method"), "network", "ours", "SCN"), "no level 'network'"),
        (lambda t: average(score(t, MEAN, "method"), "dimension"), "no level 'dimension'"),
        (lambda t: together(score(t, MEAN, "method"), score(t, MEAN, "method", over="people")), "only scores over"),
        (lambda t: beside(score(t, MEAN, "method"), pd.Series({"a": 1.0}).rename_axis("row")), "none of the levels"),
        (
            lambda t: compare(
                score(t[(t["method"] != "ours") | (t["seed"] > 0)], MEAN, "method", over="people and seeds", draws=9),
                "method", "ours", "theirs",
            ),
            r"score common\(samples, 'method'\)",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_told_with_the_mend(samples, wrong, told):
    with pytest.raises(ValueError, match=told):
        wrong(samples)


def test_over_seeds_a_number_is_the_mean_of_its_seeds_after_every_step(samples):
    squared = score(samples, MEAN, "method").map(lambda v: v**2)
    assert_allclose(squared.frame[ALL], squared.seeds.mean(axis=1))


def test_each_of_ours_is_compared_with_each_of_theirs(samples):
    pair = ["ours", "theirs"]
    gaps = compare(score(samples, MEAN, "method"), "method", pair, pair).numbers.to_numpy()
    assert_allclose(gaps, [0, gaps[1], -gaps[1], 0], atol=1e-12)
    assert gaps[1]


def test_a_side_that_was_not_trained_leaves_no_line_if_that_is_asked_for(samples):
    scores = score(samples, MEAN, "method")
    both = compare(scores, "method", "ours", ["theirs", "fourth"], if_there=True)
    assert both.index.get_level_values("less method").tolist() == ["theirs"]
    none = compare(scores, "method", "fourth", "ours", if_there=True)
    assert len(none) == 0 and none.levels == both.levels
