"""Lines to verdicts."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats
from statsmodels.stats.multitest import multipletests

from paperlib.companion.measures import mean, pcc
from paperlib.companion.score import beside, compare, score
from paperlib.companion.verdicts import ask, claim, combined, every, lines, power, settle


def samples(means, n=30, seeds=5, spread=1.0):
    rng = np.random.default_rng(3)
    parts = []
    for m, v in means.items():
        for s in range(seeds):
            unit = [f"u{i:03d}" for i in range(n)]
            x = np.full(n, v + spread * rng.normal())
            parts.append(pd.DataFrame({"item": range(n), "unit": unit, "seed": s, "m": m, "x": x}))
    return pd.concat(parts)


def scores(means, **how):
    return score(samples(means, **how), mean("x", "x"), "m")


def test_a_claim_follows_its_interval():
    found = claim(scores({"up": 9, "down": -9, "flat": 0}), "c").set_index("m")
    assert found["verdict"].to_dict() == {"up": "held", "down": "did not hold", "flat": "cannot tell"}
    assert ask(scores({"up": 9, "down": -9}))["verdict"].tolist() == ["ahead", "behind"]
    assert claim(scores({"one": 9}, seeds=1), "c")["verdict"].tolist() == ["cannot tell"]


def test_a_reason_stops_a_verdict_and_an_allowance_moves_it():
    found = claim(scores({"up": 9}), "c", unless=lambda line: "rival too weak" if line["m"] == "up" else "")
    assert (found["verdict"].item(), found["why"].item()) == ("cannot tell", "rival too weak")
    (line,) = claim(scores({"down": -0.1}, spread=0.01), "c", allow=0.2).to_dict("records")
    assert (line["verdict"], line["why"]) == ("held", "judged against −0.2") and line["low"] < line[
        "high"
    ] < 0
    many = claim(scores({"a": -0.1, "b": -0.1}, spread=0.01), "c", allow=0.2, holm=True)
    assert set(many["verdict"]) == {"held"}
    assert lines(scores({"up": 9}), within=(0, 1))["high"].item() == 1


def test_holms_test_of_all_lines_decides_where_it_is_asked():
    of = scores({f"m{i}": 0.9 for i in range(12)}, spread=0.7)
    alone, all_ = claim(of, "c"), claim(of, "c", holm=True)
    t = of.frame["seed"].mean(axis=1) / of.frame["seed"].std(axis=1) * np.sqrt(5)
    kept = multipletests(2 * stats.t.sf(abs(t), 4), method="holm")[0]
    expected = np.where(kept, alone["verdict"], "cannot tell")
    assert all_["verdict"].tolist() == expected.tolist() != alone["verdict"].tolist()


def test_every_needs_each_gain_and_one_loss_is_enough_against_it():
    assert every(scores({"a": 9, "b": 8}), "c")[["estimate", "verdict"]].values.tolist() == [[2.0, "held"]]
    assert every(scores({"a": 9, "b": -9}), "c")["verdict"].item() == "did not hold"
    assert every(scores({"a": 9, "b": 0}), "c")["verdict"].item() == "held in part"
    many = scores({"a": 1.7} | {f"m{i}": 0.0 for i in range(12)}, spread=0.7)
    assert lines(many)["low"].iloc[0] > 0, "alone, but not by Holm's test of all"
    assert every(many, "c")["verdict"].item() == "cannot tell"

    assert every(scores({"a": 9, "b": -9}, seeds=1), "c")["verdict"].item() == "cannot tell"
    (line,) = every(scores({"a": 9, "b": 0.01, "c": -8}), "c", "PCC").to_dict("records")
    assert line["measure"] == "cells ahead (PCC)"
    assert line["counted"] == "by sign 2 of 3; 1 of 3 with an interval above zero"


def test_a_correlations_interval_over_seeds_stays_within_one(rng):
    table = {"item": np.tile(np.arange(40), 3), "unit": "u", "seed": np.repeat(np.arange(3), 40), "m": "m"}
    table = pd.DataFrame({**table, "x": rng.normal(size=120)})
    table["y"] = table["x"] + 0.01 * rng.normal(size=120) * 10.0 ** table["seed"]
    line = lines(score(table, pcc("x", "y"), "m")).iloc[0]
    assert line["low"] < line["estimate"] < line["high"] < 1


def test_power_says_what_could_be_seen():
    printed = pd.Series({"a": 5.0, "b": 0.0}).rename_axis("m")
    gap = compare(beside(scores({"a": 1, "b": 0}), printed), "m", "a", "b")
    line = power(claim(gap, "c")).iloc[0]
    rng, sd = np.random.default_rng(0), lines(gap)["sd"].item()

    def told(effect):
        x = effect + sd * rng.normal(size=(20_000, 5))
        return np.mean(abs(x.mean(axis=1) / x.std(axis=1, ddof=1) * np.sqrt(5)) > 2.7764)

    assert_allclose(line["chance"], told(5.0), atol=0.02)
    assert_allclose(told(line["least"]), 0.8, atol=0.02)
    x = 5.0 + sd * rng.normal(size=(20_000, int(line["needed"])))
    enough = np.mean(stats.ttest_1samp(x, 0, axis=1).pvalue < 0.05)
    fewer = np.mean(stats.ttest_1samp(x[:, :-1], 0, axis=1).pvalue < 0.05)
    assert fewer < 0.8 + 0.01 and enough > 0.8 - 0.01


def test_power_over_people_is_the_normal_law_s():
    """Of a standard error of one 1.96 + 0.84 is seen four times in five, half as much of four times the people."""
    line = {"over": "people", "low": -1.959964, "high": 1.959964, "seeds": 0}
    found = power(pd.DataFrame([line | {"paper": 2.801585}, line | {"paper": 2.801585 / 2}]))
    assert_allclose(found.iloc[0][["chance", "least", "needed"]].astype(float), [0.8, 2.801585, 1], atol=1e-5)
    assert_allclose(found["needed"], [1, 4], atol=1e-5)


@pytest.mark.parametrize(
    ("verdicts", "partly", "word"),
    [
        ({"held"}, False, "held"), ({"held"}, True, "held in part"), ({"held", "cannot tell"}, False, "held in part"),
        ({"held", "did not hold"}, False, "mixed"), ({"did not hold", "cannot tell"}, False, "did not hold"),
        ({"cannot tell"}, False, "cannot tell"), (set(), False, "not attempted"),
        ({"held in part"}, False, "held in part"), ({"held in part", "cannot tell"}, False, "held in part"),
        ({"held in part", "did not hold"}, False, "mixed"),
    ],
)  # fmt: skip
def test_lines_of_one_statement_together(verdicts, partly, word):
    assert combined(verdicts, partly=partly) == word


def test_every_statement_is_settled_once_or_the_page_is_refused():
    claims = pd.DataFrame({"id": ["a", "b", "c"], "claim": ["A", "B", "C"]}).set_index("id")
    shown = pd.DataFrame({"claim": ["a", "b"], "verdict": ["held", "held"]})
    left = pd.DataFrame({"claim": ["b", "c"], "part": "", "why": ["its maker decided it", "no recordings"]})
    found = settle(claims, shown, left)
    assert found["verdict"].tolist() == ["held", "not attempted", "not attempted"]
    assert found["why"].tolist() == ["", "its maker decided it", "no recordings"]
    with pytest.raises(ValueError, match="neither shown nor in not_attempted.csv: c"):
        settle(claims, shown, left.iloc[:1])
    with pytest.raises(ValueError, match="is called x"):
        settle(claims, shown.assign(claim=["a", "x"]), left)
