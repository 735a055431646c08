"""Pages: the paper's tables in the paper's shape, and a verdict a statement."""

import re

import numpy as np
import pandas as pd
import pytest

from paperlib.companion import page as P
from paperlib.companion import table as T
from paperlib.companion.execute import OUTPUTS
from paperlib.companion.measures import mean
from paperlib.companion.score import beside, compare, score
from paperlib.companion.verdicts import claim, every

FILES = {
    "tables": "table,title,down,across,where,of,best\ntable1,Table 1: accuracy,method,noise,,RAF-DB,yes\n",
    "headings": "track,heading,here,lacking\nopen,20 %,,took too long\n*,base,small net,\n",
    "claims": "id,artefact,kind,claim,where,direction,metric\n"
    "better,k/table1,both,Ours is better,section 4,up,accuracy\n"
    "rows,k/table1,audit,Rows add up,table 1,sum,n\nreal,k/table1,both,People differ,section 5,up,accuracy\n",
    "not_attempted": "track,claim,part,why\nopen,real,,no people here\n",
    "table1": "noise,method,measure,printed,spread,bold\n"
    "10 %,base,accuracy,70.25,0.5,\n10 %,ours,accuracy,75.50,,true\n"
    "20 %,base,accuracy,60.00,,\n20 %,ours,accuracy,,,\n",
    "text": "id,printed\nmargin,5.25\n",
}


@pytest.fixture
def page(tmp_path, monkeypatch):
    (tmp_path / "published" / "k").mkdir(parents=True)
    for name, text in FILES.items():
        (tmp_path / "published" / "k" / f"{name}.csv").write_text(text)
    monkeypatch.setattr(P, "PUBLISHED", tmp_path / "published")
    monkeypatch.setenv(OUTPUTS, str(tmp_path / "out"))
    made = []
    monkeypatch.setattr(P, "display", lambda *tables: made.extend(tables))
    page = P.Page("k", "open")
    page.made = made
    return page


def accuracy(page):
    rng, parts = np.random.default_rng(0), []
    for method, v in {"base": 70.0, "ours": 76.0, "third": 71.0}.items():
        for s in range(5):
            x = np.full(50, v + rng.normal())
            keys = {"unit": "u", "seed": s, "noise": "10 %", "method": method}
            parts.append(pd.DataFrame({"item": range(50), **keys, "x": x}))
    found = score(pd.concat(parts), mean("accuracy", "x", unit="%"), ["noise", "method"])
    return beside(found, page.paper.table1)


def test_the_papers_rows_and_columns_come_first_and_what_is_lacking_is_said(page):
    page.show("table1", accuracy(page))
    (table,) = page.made
    assert table.rows == [("base",), ("ours",), ("third",)] and table.columns == [("10 %",), ("20 %",)]
    ours, lacking = table.cells[("ours",), ("10 %",)], table.cells[("base",), ("20 %",)]
    assert ours.bold and ours.printed_bold and ours.small == "printed 75.50"
    assert table.cells[("base",), ("10 %",)].small == "printed 70.25 ± 0.5"
    assert (lacking.large, lacking.small, lacking.why) == ("–", "printed 60.00", "took too long")
    assert table.cells[("ours",), ("20 %",)].small == "–"  # the paper's own dash
    assert table.marks["third",] == "not in the paper" and table.marks["base",] == "here small net"
    assert "5 seeds" in table.under and "RAF-DB" in table.under
    assert (page.folder / "table1.csv").is_file() and r"\textbf{" in (page.folder / "table1.tex").read_text()


def test_a_difference_has_its_own_table_with_interval_word_and_print(page):
    gap = compare(accuracy(page), "method", "ours", ["base", "third"])
    page.show("table1", claim(gap, "better"))
    (table,) = page.made
    cell = table.cells[("ours less base",), ("10 %",)]
    assert (cell.word, cell.small) == ("held", "printed +5.25")
    assert re.fullmatch(r"\[[\d.]+, [\d.]+\]", cell.spread)
    assert "background-color" in table.html() and "held" in table.text()


def test_of_a_tested_heading_it_is_said_what_stands_in_for_it(page):
    gap = compare(accuracy(page), "noise", "10 %", "10 %")  # nothing, of each method
    page.show("table1", claim(gap, "better"))
    assert page.made[0].marks == {("base",): "here small net"}


def test_in_short_says_one_word_and_the_evidence(page):
    gap = compare(accuracy(page), "method", "ours", "base")
    table = page.short({"Ours is better.": claim(gap, "better"), "No data": claim(gap[[False]], "better")})
    (word, said), (none, _) = ([table.cells[row, c] for c in table.columns] for row in table.rows)
    assert word.large == "held" and re.match(r"accuracy, points, ours less small net: \+\d", said.large)
    assert none.large == "not attempted"
    page.left = pd.DataFrame({"claim": ["better"], "part": ["on another set"], "why": ["not at hand"]})
    table = page.short({"Ours is better.": claim(gap, "better")})
    assert table.cells[table.rows[0], table.columns[0]].large == "held in part"


def test_evidence_names_a_difference_and_counts_by_sign(page):
    gaps = compare(accuracy(page), "method", "ours", ["base", "third"])
    said = P.evidence(claim(gaps, "c"))
    part = r"\+[\d.]+ \[[\d., ]+\]"
    assert re.fullmatch(
        rf"accuracy, points, ours less base: {part}, printed \+5\.25; ours less third: {part}", said
    )
    assert P.evidence(every(gaps, "c")).startswith("cells ahead: by sign 2 of 2 (printed 1 of 1); 2 of 2")


def test_evidence_says_of_each_measure_which_way_is_better_and_of_many_lines_how_far_they_go():
    of = pd.DataFrame(
        {"item": range(40), "unit": range(40), "seed": 0, "method": ["a", "b"] * 20, "x": 1.0, "y": 2.0}
    )
    of["x"] += np.random.default_rng(0).normal(size=40) + 5 * (of["method"] == "a")
    both = [mean("error", "x", better=-1), mean("score", "y", unit="%")]
    found = claim(compare(score(of, both, "method", over="people"), "method", "b", "a"), "c")
    assert re.match(r"b less a, error, lower by: .*; score, points: 0", P.evidence(found))
    many = pd.concat(
        [found[found["measure"] == "error"].assign(estimate=k) for k in (4.0, 5.0, 4.5, 6.25, 5.5)]
    )
    assert re.fullmatch(r"5 lines: 5 held; error, lower by: \+4\.\d* to \+6\.\d*", P.evidence(many))


def test_two_seeds_have_no_standard_deviation_where_an_interval_says_more(page):
    of = {"item": np.arange(160) // 2, "unit": np.arange(160) // 20, "seed": np.arange(160) % 2}
    of = pd.DataFrame({**of, "method": "a", "x": np.random.default_rng(1).normal(size=160)})
    found = score(of, mean("error", "x"), "method", over="people and seeds", draws=50)
    page.show("own", found, title="Own", down="method", across="measure")
    (table,) = page.made
    assert table.cells[("a",), ("error",)].spread.startswith("[")
    assert "mean over 2 seeds; in brackets" in table.under


def test_verdicts_name_every_statement_that_a_run_can_test(page):
    page.show("table1", claim(compare(accuracy(page), "method", "ours", "base"), "better"))
    table = page.verdicts()
    assert [r[0] for r in table.rows] == ["Ours is better", "People differ"]
    written = pd.read_csv(page.folder / "verdicts.csv")
    assert written["verdict"].tolist() == ["held", "not attempted"]
    assert written["evidence"].tolist()[1] == "no people here"
    ledger = pd.read_csv(page.folder / "ledger.csv")
    assert ledger["artefact"].tolist() == ["table1"] and ledger["claim"].tolist() == ["better"]


def test_a_line_about_what_cannot_be_tested_here_has_no_verdict(page):
    page.show("table1", claim(compare(accuracy(page), "method", "ours", "base"), "real"))
    (cell,) = page.made[0].cells.values()
    assert (cell.word, cell.why) == ("not judged", "no people here")


def test_a_page_that_forgot_a_statement_is_refused(page):
    page.show("table1", accuracy(page))
    with pytest.raises(ValueError, match="not_attempted.csv: better"):
        page.verdicts()


def test_two_lines_in_one_cell_are_refused(page):
    found = accuracy(page)
    with pytest.raises(ValueError, match="two lines in one cell: base 10 %"):
        page.show("table1", found, found)


def test_a_table_without_a_layout_asks_for_one_and_none_without_data_is_told(page, capsys):
    found = accuracy(page)
    with pytest.raises(ValueError, match="give title, down and across"):
        page.show("own", found)
    layout = {"title": "Own", "down": "method", "across": "noise"}
    page.show("own", found[[False] * len(found)], **layout)
    assert "Own: not on this track (open)" in capsys.readouterr().out
    page.show("own", every(compare(found, "method", "ours", "base"), "better"), **layout)


def test_numbers_of_the_text_are_found_by_name(page):
    assert page.paper.text("margin") == 5.25
    assert page.paper.table1["10 %", "ours", "accuracy"] == 75.5


@pytest.mark.parametrize(
    ("sd", "most", "digits"), [(0.6, 2, 1), (1.5, 2, 1), (3.8, 2, 0), (0.0068, 2, 2), (0.0115, 4, 3)]
)
def test_decimals_are_those_that_the_spread_allows(sd, most, digits):
    assert T.digits_of(pd.DataFrame([{"sd": sd, "low": 74.0, "high": 76.0}]), most) == digits


def test_a_bound_beside_zero_never_reads_as_zero():
    assert T.interval({"estimate": 0.74, "low": 0.0333, "high": 1.4545}, 1) == ("+0.7", "[0.03, 1.5]")
    assert T.interval({"estimate": 0.74, "low": -0.0333, "high": 1.4545}, 1) == ("+0.7", "[0.0, 1.5]")
    assert T.interval({"estimate": -0.003, "low": -0.006, "high": -0.001}, 2) == ("−0.003", "[−0.01, −0.001]")
    assert (T.number(-1.26, 1), T.number(-0.004, 2, "+")) == ("−1.3", "0.00")
