"""The audit: its engine on hand cases, and what it says of the papers."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from paperlib.companion import audit
from paperlib.companion.audit import Gain, Printed, Range, Result, Status, findings, run_audit
from paperlib.companion.audit import foteinopoulou2021 as foteinopoulou
from paperlib.companion.published import ROOT, parse, read_checks, read_claims, read_table, table_numbers

# Intervals and statuses


def test_propagation_reaches_the_corners_of_the_box():
    box = audit.propagate(lambda a, b: a - b, Printed(0.5, 0.05), Printed(0.2, 0.01))
    assert (box.low, box.point, box.high) == pytest.approx((0.24, 0.3, 0.36))


def test_exact_inputs_have_no_width():
    box = audit.propagate(lambda n, k: n / k, Printed(141, 0), Printed(2, 0))
    assert box == Range(70.5, 70.5, 70.5)


@pytest.mark.parametrize(
    ("recomputed", "status"),
    [
        (Range(0.49, 0.504, 0.51), Status.MATCHES),
        (Range(0.49, 0.505, 0.51), Status.MATCHES),  # the boundary belongs to the printed number
        (Range(0.50, 0.52, 0.54), Status.WITHIN_ROUNDING),
        (Range(0.51, 0.52, 0.53), Status.DIFFERS),
    ],
)
def test_a_printed_number_is_judged_as_an_interval(recomputed, status):
    assert audit.judge(parse("0.50"), recomputed) is status


@pytest.mark.parametrize(
    ("slack", "required", "ordered"),
    [
        (Range(0.1, 0.2, 0.3), Status.MATCHES, Status.MATCHES),
        (Range(-0.1, 0.1, 0.3), Status.MATCHES, Status.WITHIN_ROUNDING),
        (Range(-0.2, -0.1, 0.1), Status.WITHIN_ROUNDING, Status.WITHIN_ROUNDING),
        (Range(-0.3, -0.2, -0.1), Status.IMPOSSIBLE, Status.DIFFERS),
        (Range(0.0, 0.0, 0.0), Status.MATCHES, Status.DIFFERS),
    ],
)
def test_constraints_and_orders(slack, required, ordered):
    assert audit.require(slack) is required
    assert audit.exceeds_zero(slack) is ordered


def test_the_worst_status_speaks_for_all():
    assert audit.worst([Status.MATCHES, Status.DIFFERS, Status.WITHIN_ROUNDING]) is Status.DIFFERS


# Constraints and statistics


def correlations(*printed):
    numbers = [parse(text) for text in printed]
    columns = {"value": [n.value for n in numbers], "half_unit": [n.half_unit for n in numbers]}
    return pd.DataFrame({"row": range(len(numbers)), "dimension": "valence", **columns})


@pytest.mark.parametrize(
    ("printed", "status"),
    [("-0.98", Status.MATCHES), ("-1.003", Status.IMPOSSIBLE), ("1.004", Status.IMPOSSIBLE)],
)
def test_a_correlation_above_one_is_impossible(printed, status):
    assert audit.require(audit.correlation_slack(correlations("0.5", printed))) is status


def test_three_correlations_that_no_data_have():
    """a like b, b like c, but a unlike c: 1 + 2 abc - a^2 - b^2 - c^2 is negative."""
    slack = audit.smallest_eigenvalue([Printed(0.9, 0.005), Printed(-0.9, 0.005), Printed(0.9, 0.005)])
    assert slack.point == pytest.approx(1 - 2 * 0.9)
    assert audit.require(slack) is Status.IMPOSSIBLE


def test_welch_df_in_its_limits():
    assert audit.welch_df(2.0, 11, 2.0, 11) == pytest.approx(20)  # equal groups: pooled
    assert audit.welch_df(1e-12, 1000, 1.0, 11) == pytest.approx(10)  # one group's variance decides


def test_the_variance_cap_is_met_by_the_regression_line():
    rng = np.random.default_rng(0)
    target, x = rng.normal(size=(2, 500))
    x += target
    slope, intercept = np.polyfit(x, target, 1)
    fitted = slope * x + intercept
    pcc = np.corrcoef(fitted, target)[0, 1]
    cap = audit.largest_target_variance
    assert cap(np.mean((fitted - target) ** 2), pcc) == pytest.approx(target.var())
    assert cap(np.mean((fitted + 0.1 - target) ** 2), pcc) > target.var()


def test_gains_list_what_is_not_better():
    frame = correlations("0.50", "0.52", "0.50", "0.50", "0.50", "0.48").assign(row=list("abcdef"))
    gained = audit.gains(frame, {"a": "b", "c": "d", "e": "f"}, larger_is_better=True)
    assert [g.status for g in gained] == [Status.MATCHES, Status.WITHIN_ROUNDING, Status.DIFFERS]
    assert audit.tally(gained) == (
        "1 of 3 better; worse: f valence 0.5 to 0.48; undecided: d valence 0.5 to 0.5"
    )
    opposite = audit.gains(frame, {"e": "f"}, larger_is_better=False)
    assert isinstance(opposite[0], Gain) and opposite[0].gain.point == pytest.approx(0.02)


def test_pick_refuses_what_is_not_one_number():
    with pytest.raises(ValueError, match="2 printed numbers, not one"):
        audit.pick(correlations("0.1", "0.2"), dimension="valence")


# Every paper


@pytest.fixture(scope="module")
def frame():
    return run_audit()


@pytest.mark.parametrize("key", audit.papers())
def test_everything_printed_is_accounted_for(key):
    found = findings(key)
    cells = {cell for number in table_numbers(key) for cell in read_table(key, number)["cell"]}
    claims = read_claims(key)
    assert {cell for finding in found for cell in finding.cells} == cells
    assert {c for f in found for c in f.claims} == set(claims.index[claims["kind"] != "reproduction"])
    assert set(read_checks(key).index) == {f.id for f in found} - {"not-constrained"}
    assert all(f.artefact.startswith(f"{key}/") and f.note.endswith(".") for f in found)


def test_there_is_an_audit_for_every_paper_on_file():
    assert audit.papers() == sorted(path.parent.name for path in ROOT.glob("*/checks.csv"))


def test_every_status_is_reached(frame):
    assert set(frame["status"]) == set(map(str, Status))


def test_an_unknown_paper_is_named():
    with pytest.raises(ValueError, match="no audit for nobody1999; there is one for .*foteinopoulou2021"):
        run_audit(["nobody1999"])


def test_a_check_without_words_is_named(monkeypatch):
    monkeypatch.setitem(
        audit._CHECKS, foteinopoulou.KEY, [lambda: iter([Result("nameless", "", "", Status.MATCHES)])]
    )
    with pytest.raises(ValueError, match="no line for the check 'nameless'"):
        findings(foteinopoulou.KEY)


def test_cells_that_no_check_mentions_are_listed(monkeypatch):
    monkeypatch.setitem(audit._CHECKS, foteinopoulou.KEY, [])
    found = findings(foteinopoulou.KEY)
    assert [len(f.cells) for f in found] == [18, 2, 10, 24, 12]
    assert {f.status for f in found} == {Status.NOT_CHECKABLE}


def test_the_page_is_printed_and_saved(tmp_path):
    path = tmp_path / "audit.csv"
    command = [sys.executable, "-m", "paperlib.companion.audit", "foteinopoulou2021", "--csv", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT.parent.parent, check=True)
    assert "foteinopoulou2021/table3\n  [" in done.stdout
    assert len(pd.read_csv(path)) == done.stdout.count("\n  [")


# foteinopoulou2021: worked out apart from the audit


@pytest.mark.parametrize(
    ("spread", "arousal", "valence"),
    [("variance", -0.961, -2.179), ("standard deviation", -17.59, -47.14)],
)
def test_welch_t_under_each_reading_of_the_spread(spread, arousal, valence):
    """By equation 6, by hand: (0.0775 - 0.0820) / sqrt(0.0025/3858 + 0.003/141) = -0.961."""
    assert foteinopoulou.t_test("arousal", spread)[0].point == pytest.approx(arousal, abs=0.005)
    assert foteinopoulou.t_test("valence", spread)[0].point == pytest.approx(valence, abs=0.005)


@pytest.mark.parametrize(
    ("check", "status", "words"),
    [
        ("t-welch-variance", Status.WITHIN_ROUNDING, "-0.9611"),
        ("t-welch-std", Status.DIFFERS, "-47.14"),  # by the heading and equation 6, both as printed
        ("t-student-variance", Status.OURS, "-1.046"),
        ("reject-welch-std", Status.OURS, "p arousal"),
        ("hypotheses", Status.OURS, "sigma squared"),
        ("df", Status.DIFFERS, "140.0; Welch arousal 148.7; Welch valence 161.2"),
        ("p-t-valence", Status.DIFFERS, "0.026 "),
        ("p-normal-valence", Status.MATCHES, "0.025 "),
        ("reject-student-variance", Status.WITHIN_ROUNDING, "valence 0.05693"),
        ("noisy-count", Status.MATCHES, "141 of 3999 (3.5%)"),
        ("pcc-improves", Status.MATCHES, "8 of 8"),
        ("consistently-improves", Status.DIFFERS, "Error: 3 of 8 better; worse: wideResNet proposed valence"),
        ("mse-arousal", Status.OURS, "36.15"),  # one of those cells
        ("mse-valence", Status.WITHIN_ROUNDING, "0 ("),
        ("constant-arousal", Status.OURS, "0.03462"),  # 0.026 / (1 - 0.499^2)
        ("constant-valence", Status.MATCHES, "0.0231"),
        ("spread-euler", Status.OURS, "3 of 4"),  # 6 e^-3 = 0.299 above 0.0354 sqrt(40) = 0.224
        ("loss-continuity", Status.DIFFERS, "-1.279"),  # log(0.0775) / 2
        ("pcc-formula", Status.IMPOSSIBLE, "2"),
        ("clip-ratings", Status.MATCHES, "0.01182"),
        ("face-labels", Status.MATCHES, "3 of 3"),
        ("bold-table5", Status.DIFFERS, "none: Arousal MSE (std), Valence MSE (std)"),
    ],
)  # fmt: skip
def test_known_findings(frame, check, status, words):
    found = frame[frame["id"] == check].iloc[0]
    assert found["status"] == status and words in found["recomputed"]


def test_a_contradiction_of_foteinopoulou2021_is_counted_once(frame):
    of = frame[frame["key"] == foteinopoulou.KEY]
    against = of[of["status"].isin([Status.DIFFERS, Status.IMPOSSIBLE])]
    assert set(against["id"]) == {
        "t-welch-std",
        "df",
        "p-t-valence",
        "significant-both",
        "consistently-improves",
        "bold-table5",
        "loss-continuity",
        "pcc-formula",
        "happy-rule",
    }
    assert against["id"].is_unique


def test_predicted_variance_is_below_the_squared_error(frame):
    """Weighted means 0.07766 and 0.07900 against 0.3449^2 and 0.387^2."""
    ratios = frame.loc[frame["id"] == "calibration", "recomputed"]
    assert [text.split("MSE ")[2][:4] for text in ratios] == ["0.65", "0.52"]


def test_the_loss_jumps_by_half_the_log_variance():
    for variance in (0.1, 1.0, 3.0):
        jump = foteinopoulou.far(1, variance) - foteinopoulou.near(1, variance)
        assert jump == pytest.approx(np.log(variance) / 2)
