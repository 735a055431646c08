"""The audit: its engine on hand cases, checks as data, and what it says of every paper, worked out apart from it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from paperlib.companion import audit
from paperlib.companion.audit import Status, __main__, findings, intervals, listed, run_audit
from paperlib.companion.audit.intervals import Paper, Range, whole_hits
from paperlib.companion.published import (
    Printed,
    parse,
    read_checks,
    read_claims,
    read_table,
)

# Intervals and statuses


def test_propagation_reaches_the_corners_of_the_box():
    box = intervals.propagate(lambda a, b: a - b, Printed(0.5, 0.05), Printed(0.2, 0.01))
    assert (box.low, box.point, box.high) == pytest.approx((0.24, 0.3, 0.36))
    assert intervals.propagate(lambda n, k: n / k, Printed(141, 0), Printed(2, 0)) == Range(70.5, 70.5, 70.5)
    assert Range(1, 2, 3) - Range(0, 1, 1.5) == Range(-0.5, 1, 3)


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
    assert intervals.judge(parse("0.50"), recomputed) is status


@pytest.mark.parametrize(
    ("slack", "required", "ordered"),
    [
        (Range(0.1, 0.2, 0.3), Status.MATCHES, Status.MATCHES),
        (Range(-0.1, 0.1, 0.3), Status.MATCHES, Status.WITHIN_ROUNDING),
        (Range(-0.2, -0.1, 0.1), Status.WITHIN_ROUNDING, Status.WITHIN_ROUNDING),
        (Range(-0.3, -0.2, -0.1), Status.IMPOSSIBLE, Status.DIFFERS),
        (Range(0.0, 0.0, 0.0), Status.MATCHES, Status.DIFFERS),
        (Range(-0.1, 0.0, 0.1), Status.MATCHES, Status.DIFFERS),  # a tie is no lead
    ],
)
def test_constraints_and_orders(slack, required, ordered):
    assert intervals.require(slack) is required
    assert intervals.exceeds_zero(slack) is ordered
    assert intervals.worst([Status.MATCHES, required, ordered]) is min(
        (required, ordered),
        key=[Status.IMPOSSIBLE, Status.DIFFERS, Status.WITHIN_ROUNDING, Status.MATCHES].index,
    )


def test_the_variance_cap_is_met_by_the_regression_line():
    target, x = np.random.default_rng(0).normal(size=(2, 500))
    slope, intercept = np.polyfit(x + target, target, 1)
    fitted = slope * (x + target) + intercept
    pcc, cap = np.corrcoef(fitted, target)[0, 1], intervals.largest_target_variance
    assert cap(np.mean((fitted - target) ** 2), pcc) == pytest.approx(target.var())
    assert cap(np.mean((fitted + 0.1 - target) ** 2), pcc) > target.var()


@pytest.mark.parametrize(
    ("printed", "half", "n", "per", "possible"),
    [
        (58.62, 0.005, 406, 100, [238]),
        (47.82, 0.005, 1218, 100, []),  # 582 / 1218 = 47.78, 583 / 1218 = 47.87
        (84.38, 0.005, 9204, 100, [7766]),
        (0.6048, 0.00005, 4000, 1, [2419]),  # 0.60475
        (0.6046, 0.00005, 4000, 1, []),  # between 2418, 0.6045, and 2419
    ],
)
def test_whole_numbers_of_pictures(printed, half, n, per, possible):
    assert whole_hits(Printed(printed, half), n, per) == possible


# Checks as data

PAPER = Paper("le2023")
LDLVA = "[1: 30% LDLVA | SFEW accuracy]"
BASELINE = "[1: 30% Baseline | SFEW accuracy]"  # 38.51, below 50.3


def test_a_number_has_a_name():
    assert PAPER.number("margin-sfew") == Printed(9.81, 0.005)
    assert PAPER.number("foteinopoulou2021/4: wideResNet | pcc valence").value == 0.5979
    assert PAPER.rows("4") == ["(i)", "(ii)", "(iii)", "(iv)", "(v)"]
    assert len(PAPER.rows("3")) == 11 and len(PAPER.rows("3 | SFEW")) == 5
    with pytest.raises(ValueError, match="2 printed numbers of le2023, not one, are named '1: 30% LDLVA"):
        PAPER.number("1: 30% LDLVA | SFEW")


def test_a_formula_is_a_range_over_what_rounds_to_the_printed_numbers():
    lead = listed.formula(PAPER, "100 * gap", {"a": LDLVA, "b": BASELINE, "gap": "(a - b) / a"})
    assert lead.point == pytest.approx(100 * (50.3 - 38.51) / 50.3)
    # a paper's 50.3 may be 50.25 or 50.35, and once for both places in which it stands
    assert (lead.low, lead.high) == pytest.approx((100 * (1 - 38.515 / 50.25), 100 * (1 - 38.505 / 50.35)))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"letting": {}}, "audit.yaml, bad, entry 1: no such key: letting"),
        ({"let": {"x": "[4: (vi) | RAF-DB (original)]"}}, "bad, entry 1: .*0 printed numbers of le2023"),
        ({"let": {"x": "nothing - 1"}}, "bad, entry 1: .*'nothing' is not defined"),
        ({"status": "perhaps"}, "bad, entry 1: KeyError"),
    ],
)
def test_a_bad_entry_is_named(tmp_path, monkeypatch, entry, message):
    (tmp_path / "le2023").mkdir()
    (tmp_path / "le2023" / "audit.yaml").write_text(yaml.safe_dump({"bad": entry}), encoding="utf-8")
    monkeypatch.setattr(listed, "ROOT", tmp_path)
    with pytest.raises(ValueError, match=message):
        list(listed.results_of(PAPER))


# Every paper


def known(name):
    """What was typed from the papers and worked out apart from the CSV files and the audit."""
    frame = pd.read_csv(Path(__file__).parent / "audit" / name, dtype=str, keep_default_na=False)
    return list(frame.itertuples(index=False, name=None))


@pytest.mark.parametrize(("key", "check", "words", "status", "recomputed", "by_hand"), known("findings.csv"))
def test_known_findings(audited, key, check, words, status, recomputed, by_hand):
    of = audited[(audited["key"] == key) & (audited["id"] == check)]
    found = of[of["check"].str.contains(words, regex=False)].iloc[0]
    assert found["status"] == status and recomputed in found["recomputed"]


@pytest.mark.parametrize(("key", "number", "row", "column", "quantity", "printed"), known("cells.csv"))
def test_cells_are_as_printed(key, number, row, column, quantity, printed):
    table = read_table(key, int(number)).query("row == @row and column == @column")
    assert printed == table[table["quantity"].str.startswith(quantity)]["printed"].iloc[0]


@pytest.mark.parametrize(("key", "number", "along", "of", "quantity", "total"), known("sums.csv"))
def test_rows_and_columns_sum_as_in_the_paper(key, number, along, of, quantity, total):
    table = read_table(key, int(number))
    table = table[(table[along] == of) & table["quantity"].str.startswith(quantity)]
    assert table["value"].sum() == pytest.approx(float(total), abs=1e-9)


@pytest.mark.parametrize("key", audit.papers())
def test_everything_printed_is_accounted_for(audited, key):
    found = audited[audited["key"] == key]
    named = {name: set(found[name].str.split("; ").explode()) - {""} for name in ("cells", "claims")}
    claims = read_claims(key)
    assert named["cells"] == {cell for frame in Paper(key).tables.values() for cell in frame["cell"]}
    assert named["claims"] == set(claims.index[claims["kind"] != "reproduction"])
    assert set(read_checks(key).index) == set(found["id"]) - {"not-constrained"}
    assert found["artefact"].str.startswith(f"{key}/").all() and found["note"].str.endswith(".").all()
    assert claims["artefact"].str.fullmatch(rf"{key}/\w+").all() and (claims != "").all(axis=None)


@pytest.mark.parametrize(
    ("key", "contradicted"),
    [
        ("foteinopoulou2021", "t-welch-std df p-t-valence consistently-improves loss-continuity pcc-formula "
         "squared-spread backbone-names"),
        ("neo2023", "figure-5-and-2 robust clean-everywhere gains-grow one-hot-twice one-hot-twice alpha-best "
         "dimensional-alone alpha-gain posterior-index morphset-twice best-affect affect-earlier extra-data"),
        ("toisoul2021", "ccc-below-pcc step-features step-classes-resnet human-superior landmarks-all no-exclusions "
         "extra-number quoted-elsewhere"),
        ("han2017", "one-input z-range fusion-error sigma-error"),
        ("le2023", "granularity spreads"),
    ],
)  # fmt: skip
def test_a_contradiction_is_counted_once(audited, key, contradicted):
    against = audited[audited["status"].isin([Status.DIFFERS, Status.IMPOSSIBLE]) & (audited["key"] == key)]
    assert sorted(against["id"]) == sorted(contradicted.split())


def test_an_unknown_paper_is_named():
    with pytest.raises(ValueError, match="no audit for nobody1999; there is one for .*foteinopoulou2021"):
        run_audit(["nobody1999"])


def test_a_check_without_words_is_named(monkeypatch):
    result = intervals.Result("nameless", "", "", Status.MATCHES)
    monkeypatch.setattr(audit, "_programs", lambda key: [lambda: iter([result])])
    with pytest.raises(ValueError, match="no line for the check 'nameless'"):
        findings("han2017")


def test_the_page_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["audit", "foteinopoulou2021"])
    __main__.main()
    printed = capsys.readouterr().out
    assert "foteinopoulou2021/table3\n  [" in printed
    assert printed.count("\n  [") == len(findings("foteinopoulou2021"))
