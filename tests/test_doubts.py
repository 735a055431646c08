"""Measures of a doubt, and the samples of the page that asks them, by known answers."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from scipy.special import log_softmax
from sklearn.metrics import roc_auc_score

from paperlib.calibration import fit_temperature
from paperlib.companion import doubts, replicates
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Result
from paperlib.companion.samples.same_faces import build, said_by
from paperlib.labels import EXPRESSIONS, split_ratings
from paperlib.tasks.same_faces import problem
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

MEASURES = [doubts.FOLLOWS, doubts.FINDS, doubts.ERRORS, doubts.AREA, doubts.RISK_80]
MEASURES += [doubts.ACCURACY, doubts.TIMID, doubts.NLL, doubts.TO_VOTES]


def drawn(rng, n):
    """A column for each name that a measure reads; scores are tied."""
    some = {name: (rng.random(n) < 0.4).astype(float) for name in ("wrong", "error", "half")}
    some |= {"score": rng.integers(0, 9, n) / 8, "disagreement": rng.integers(0, 30, n) / 7}
    some |= {"p *": rng.dirichlet(np.ones(7), n), "votes *": rng.integers(1, 5, (n, 7)).astype(float)}
    some |= {"category": rng.integers(0, 7, n).astype(float)}
    return some | {name: 0.5 + some["half"] for name in ("temperature", "temperature for votes")}


@pytest.mark.parametrize("measure", MEASURES, ids=lambda m: m.name)
def test_all_draws_at_once_are_each_draw_by_itself(measure, rng, monkeypatch):
    monkeypatch.setattr(replicates, "AT_ONCE", 3 * 60)  # three draws in a block, and two in the last
    columns = [drawn(rng, 60)[name] for name in measure.columns]
    unit = np.arange(60) % 10
    counts = rng.multinomial(10, np.full(10, 0.1), size=8)
    found = measure.many(*columns, unit=unit, counts=counts)
    rows = [np.repeat(np.arange(60), times[unit]) for times in counts]
    assert_allclose(found, [measure.of(*(c[r] for c in columns)) for r in rows], rtol=1e-10, atol=1e-12)


def test_ranks_and_areas_are_the_libraries(rng):
    x, y, wrong = rng.integers(0, 20, 200), rng.normal(size=200), rng.random(200) < 0.3
    assert doubts.rank_correlation(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert doubts.roc_area(wrong, x) == pytest.approx(roc_auc_score(wrong, x))
    assert doubts.rank_correlation(np.ones(200), y) == 0


def test_rows_that_are_units_of_their_own_have_the_libraries_ranks_and_areas(rng):
    x, wrong, unit = rng.normal(size=300), rng.random(300) < 0.4, rng.permutation(300)
    drawn = rng.permutation(300)[:250]
    counts = np.isin(unit, drawn)[None].astype(int) @ np.eye(300, dtype=int)[unit]
    rows = np.flatnonzero(counts[0][unit])
    found = doubts.FINDS.many(wrong, x, unit=unit, counts=counts)
    assert_allclose(found, roc_auc_score(wrong[rows], x[rows]))
    assert_allclose(replicates.ranks(x, unit, counts)[0][rows], stats.rankdata(x[rows]))


def test_risk_is_of_the_surest_and_ties_share_their_errors():
    wrong = np.array([False, True, False, True, True])
    assert_allclose(doubts.risk_over_coverage(np.arange(5), wrong), [0, 1 / 2, 1 / 3, 2 / 4, 3 / 5])
    tied = np.array([1, 2, 2, 2, 3])
    assert_allclose(doubts.risk_over_coverage(tied, wrong), [0, 2 / 6, 4 / 9, 2 / 4, 3 / 5])


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=30))
def test_the_best_doubt_knows_the_errors_and_the_worst_knows_them_the_wrong_way_round(pairs):
    doubt, wrong = map(np.array, zip(*pairs, strict=True))
    risk = doubts.risk_over_coverage(doubt, wrong)
    assert risk[-1] == pytest.approx(wrong.mean())
    assert (doubts.risk_over_coverage(wrong, wrong) <= risk + 1e-12).all()
    assert (doubts.risk_over_coverage(~wrong, wrong) >= risk - 1e-12).all()
    assert_allclose(doubts.risk_over_coverage(np.exp(doubt), wrong), risk)


def test_a_ceiling_from_halves_is_what_the_truth_reaches(rng):
    true = rng.normal(size=20_000)
    raters = true[:, None] + rng.normal(size=(20_000, 4))
    halves = raters[:, :2].mean(axis=1), raters[:, 2:].mean(axis=1)
    reached = np.corrcoef(true, raters.mean(axis=1))[0, 1]
    assert doubts.best_from_halves(np.corrcoef(*halves)[0, 1]) == pytest.approx(reached, abs=0.01)
    assert doubts.best_from_halves(-0.2) == 0.0


def test_raters_are_dealt_into_halves(rng):
    ratings = rng.normal(size=(40, 6, 2))
    ratings[::4, 1] = np.nan
    first, second = split_ratings(ratings, seed=3)
    mine, theirs = (np.isfinite(half).all(axis=2) for half in (first, second))
    rated = np.isfinite(ratings).all(axis=2)
    assert ((mine ^ theirs) == rated).all() and (mine.sum(axis=1) == rated.sum(axis=1) // 2).all()
    assert not np.array_equal(first, split_ratings(ratings, seed=4)[0], equal_nan=True)


def test_a_temperature_for_votes_is_found_again(rng):
    log_p = log_softmax(rng.normal(scale=2, size=(300, 7)), axis=1)
    assert fit_temperature(2.5 * log_p, np.exp(log_p)) == pytest.approx(2.5, rel=1e-3)


def test_a_rater_says_the_category_nearest_to_a_place():
    assert said_by(np.array([CIRCUMPLEX[e] for e in EXPRESSIONS])).tolist() == list(range(8))


def test_samples_hold_each_network_and_an_ensemble_of_three():
    track, rng = Track(name="twin", profile="smoke"), np.random.default_rng(0)
    parts = problem(track)
    n, m = len(parts.train), len(parts.test)
    blocks = [b for b in read_plan("same_faces", track) if b.labels["method"] != "SCN"]

    def result(run):
        p = rng.dirichlet(np.ones(7), m) + np.eye(7)[parts.faces.expression[parts.test]]
        arrays = {"probability": (p / 2).astype(np.float16), "seconds": np.array([2.0])}
        arrays |= {name: rng.random(n).astype(np.float16) for name in ("loss", "doubt")}
        return Result(run=run, key="", seconds=1.0, arrays=arrays)

    planned = [(block.labels, [result(run) for run in block.runs]) for block in blocks]
    of_more = replace(blocks[0].runs[0], settings={**blocks[0].runs[0].settings, "every_face": True})
    planned.append(({"method": "every face"}, [result(of_more)]))
    of = {labels["method"]: results for labels, results in planned}
    assert [r.run.seed for r in of["ensemble of three"]] == [100, 200, 101, 201]
    tables = build(track, planned)
    said = tables[""].query("method == 'ensemble of three' and seed == 1").filter(like="p ")
    members = [of["plain network"][1], *of["ensemble of three"][2:]]
    each = np.stack([member["probability"].astype(float) for member in members])
    assert_allclose(said, np.mean(each / each.sum(axis=2, keepdims=True), axis=0), rtol=1e-5)
    assert tables["runs"].query("method == 'ensemble of three'")["seconds"].tolist() == [6.0, 6.0]
    by_half = tables[""].query("method == 'LDLVA' and seed == 0").groupby("half")["temperature"]
    assert by_half.nunique().tolist() == [1, 1] and by_half.first().nunique() == 2
    alone = tables["training"].query("method == 'no network'")
    assert set(alone["not what one rater says"]) == {0, 1} and alone["loss"].isna().all()
    # what learnt more faces than the others has no doubts of the same labels
    assert (tables[""]["method"] == "every face").sum() == m
    assert "every face" not in set(tables["training"]["method"])
    alone = build(track, planned[-1:])
    assert len(alone[""]) == m and not len(alone["training"])
