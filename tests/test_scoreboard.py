"""Hand-made ledgers in one frame: every column, every refusal, every count."""

import json
import math

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from paperlib import plots_scoreboard, scoreboard
from paperlib.files import ROOT
from paperlib.ledger import Ledger
from paperlib.papers import same_faces
from paperlib.scoreboard import absent, artefacts, claims, find_cells, gather, link, sentence, summary
from paperlib.tracks import Track


@pytest.fixture
def figures(tmp_path, write_ledger):
    return write_ledger(tmp_path)


def test_a_line_says_what_the_ledger_says(figures):
    frame = gather(figures=figures)
    assert list(frame.columns) == list(scoreboard.COLUMNS)
    held, ours, printed, left = frame.to_dict("records")
    assert (held["paper"], held["artefact"], held["verdict"], held["seeds"]) == (
        "le2023",
        "table1",
        "held",
        3,
    )
    assert held["measured"] == pytest.approx(0.11) and held["spread"] == pytest.approx(0.01)
    assert (ours["claim"], ours["verdict"]) == ("", "behind")
    assert (printed["printed"], printed["printed_on"], printed["verdict"]) == ("0.31", "Set", "")
    assert (printed["low"], printed["high"], printed["interval"]) == (0.2, 0.4, "z")
    assert (left["verdict"], left["reason"]) == ("not attempted here", "needs a GPU: a big one")
    assert math.isnan(left["measured"]) and left["n"] == 0
    assert set(frame["data"]) == {"f00d", ""} and set(frame["track"]) == {"twin"}
    assert set(frame["page"]) == {"executed/twin-default/02_le2023.ipynb"}


def test_papers_come_in_their_order_and_absent_ones_are_named(figures, write_ledger):
    write_ledger(figures, "foteinopoulou2021")
    assert list(dict.fromkeys(gather(figures=figures)["paper"])) == ["foteinopoulou2021", "le2023"]
    lacking = absent(figures=figures)
    assert list(lacking)[:3] == ["neo2023", "han2017", "toisoul2021"]
    assert lacking["neo2023"] == "not made yet: make reproduce PAPER=neo2023"
    assert absent("ferplus", figures=figures)["han2017"].startswith("ferplus has not the data that it needs")


def test_a_missing_ledger_names_paper_and_command(figures):
    with pytest.raises(FileNotFoundError, match="neo2023 .*make reproduce PAPER=neo2023$"):
        gather(papers=["neo2023"], figures=figures)
    with pytest.raises(FileNotFoundError, match="make reproduce TRACK=ferplus DATA=<folder> PROFILE=smoke$"):
        gather("ferplus", "smoke", figures=figures)
    with pytest.raises(ValueError, match="no paper le2024; there are foteinopoulou2021"):
        gather(papers=["le2024"], figures=figures)
    with pytest.raises(ValueError, match="TRACK must be one of"):
        gather("twins", figures=figures)


def test_a_ledger_of_another_profile_track_or_paper_is_refused(figures, write_ledger):
    write_ledger(figures, profile="smoke", folder="twin-default")
    with pytest.raises(
        ValueError, match="is of profile smoke, not default; make it again: make reproduce PAPER=le2023"
    ):
        gather(figures=figures)
    write_ledger(figures, track="ferplus", folder="twin-default")
    with pytest.raises(ValueError, match="is of track ferplus, not twin"):
        gather(figures=figures)
    write_ledger(figures, "neo2023")
    (figures / "twin-default" / "neo2023" / "ledger.json").replace(
        figures / "twin-default" / "le2023" / "ledger.json"
    )
    with pytest.raises(ValueError, match="is of key neo2023, not le2023"):
        gather(figures=figures)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("entries"), "no list of entries"),
        (lambda d: d.pop("data"), "which data were read"),
        (lambda d: d["entries"].append(3), "an entry is int, not an object"),
        (
            lambda d: d["entries"][0].pop("measured"),
            "table1/ours - other/accuracy: field measured is missing",
        ),
        (lambda d: d["entries"][0].update(colour="red"), "field colour is unknown"),
        (lambda d: d["entries"][0].update(measured="0.1"), "field measured is '0.1', which is no float"),
        (lambda d: d["entries"][0].update(n=True), "field n is True, which is no int"),
        (lambda d: d["entries"][0].update(values=["a"]), "field values is"),
        (lambda d: d["entries"][0].update(values=[0.1, False]), "field values is"),
        (lambda d: d["entries"][0].update(low=-(10**400)), "field low is -1000.* which is no float"),
        (lambda d: d["entries"][0].update(row=None), "field row is None"),
    ],
)
def test_damage_is_named_with_file_field_and_command(figures, change, message):
    path = figures / "twin-default" / "le2023" / "ledger.json"
    stated = json.loads(path.read_text())
    change(stated)
    path.write_text(json.dumps(stated))
    with pytest.raises(ValueError, match=message) as refused:
        gather(figures=figures)
    assert "twin-default/le2023/ledger.json is damaged" in str(refused.value)
    assert "make reproduce PAPER=le2023" in str(refused.value)


def test_half_a_file_is_damaged(figures):
    path = figures / "twin-default" / "le2023" / "ledger.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(ValueError, match="is damaged: no JSON"):
        gather(figures=figures)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nests too deep"),
        ('{"entries": [NaN]}', "NaN is no number of JSON"),
    ],
)
def test_what_only_python_reads_or_cannot_read_is_damaged(figures, text, message):
    path = figures / "twin-default" / "le2023" / "ledger.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=f"ledger.json is damaged: .*{message}.*; make it again"):
        gather(figures=figures)


def test_a_part_that_was_not_attempted_stands_beside_the_verdict(figures):
    frame = gather(figures=figures)
    left = frame[frame["verdict"] == "not attempted here"].assign(claim_id="noise-all-cases")
    line = scoreboard.statements(pd.concat([frame[:1], left], ignore_index=True)).iloc[0]
    assert (line["verdict"], line["lines"]) == ("held in part", "1 held, 1 not attempted here")


def test_counts_add_up_and_the_sentence_is_made_of_them(figures):
    frame = gather(figures=figures)
    line = summary(frame).loc["le2023"]
    assert line.to_dict() == {
        "held": 1,
        "held in part": 0,
        "mixed": 0,
        "did not hold": 0,
        "cannot tell": 0,
        "not attempted here": 1,
        "statements": 2,
        "lines": 2,
        "questions of ours": 1,
        "numbers": 3,
    }
    assert summary(frame).loc["all"].equals(line.rename("all"))
    caution, _, said = sentence(frame, {"neo2023": "not made yet"}).partition("\n\n")
    assert caution == Track().caution.strip()
    assert said.startswith(
        "On track `twin`, profile `default`, 1 paper and 2 statements, tested in 2 lines of their tables: 1 *held*, "
        "1 *not attempted here*."
    )
    assert "- **neo2023**: not on this page; not made yet." in said
    assert "1 *not attempted here*. *As printed* is LDLVA by its equations there, but for" in said
    fer = sentence(frame.assign(track="ferplus")).splitlines()
    assert fer[-1].startswith("Nobody rated the valence or arousal of these faces") and fer[-2] == ""
    assert list(claims(frame)["claim"]) == ["Ours is better", "It is fast"]
    first, second = artefacts(frame).to_dict("records")
    assert (first["measured"], first["printed"], first["held"], first["questions of ours"]) == (2, 0, 1, 1)
    assert (second["measured"], second["printed"], second["both"], second["not attempted here"]) == (
        1,
        1,
        1,
        1,
    )


def test_a_statement_is_counted_once_however_many_lines_test_it(figures):
    frame = gather(figures=figures)
    frame = pd.concat([frame, frame[:1].assign(verdict="cannot tell", artefact="table3")], ignore_index=True)
    first, second = scoreboard.statements(frame).to_dict("records")
    assert (first["id"], first["verdict"], first["lines"]) == (
        "noise-all-cases",
        "held in part",
        "1 held, 1 cannot tell",
    )
    assert first["artefacts"] == "table1, table3" and first["where"] == "section 4.3"
    assert first["statement"].startswith("With flipped labels LDLVA is more accurate")
    assert (second["id"], second["verdict"]) == ("populations-best", "not attempted here")
    line = summary(frame).loc["le2023"]
    assert (line["held in part"], line["held"], line["statements"], line["lines"]) == (1, 0, 2, 3)


def test_judged_together_the_surest_lines_remain_and_reasons_and_points_are_left_out(figures):
    """Of z = 4, 2.2 and -2.2 Holm asks the largest for 0.05 / 3 and the next for 0.05 / 2, which p = 0.028 misses."""
    line = gather(figures=figures)[:1]
    half = 1.96
    lines = [
        line.assign(measured=z, low=z - half, high=z + half, seeds=0, reason="") for z in (4.0, 2.2, -2.2)
    ]
    lines[2]["verdict"] = "did not hold"
    aside = [
        lines[1].assign(reason="why"),
        lines[1].assign(low=math.nan, high=math.nan),
        lines[0].assign(claim=""),
    ]
    found = scoreboard.judged_together(pd.concat([*lines, *aside], ignore_index=True))
    assert found.loc["le2023"].to_dict() == {
        "lines": 3,
        "held": 2,
        "held, remain": 1,
        "did not hold": 1,
        "did not hold, remain": 0,
    }
    assert scoreboard.judged_together(pd.concat(aside)).empty


def test_the_cell_is_the_one_that_shows_the_table(tmp_path):
    def cell(source, name, table):
        shown = (
            [new_output("display_data", {"text/html": f'<table id="T_{table}"></table>'})] if table else []
        )
        return new_code_cell(source, id=name, outputs=shown)

    cells = [cell("table(study.table1())", "one", "table1"), cell("w = study.wide()", "two", None)]
    page = tmp_path / "page.ipynb"
    nbformat.write(new_notebook(cells=[*cells, cell("w.half()", "three", "valence")]), page)
    assert find_cells(page, ["table1", "wide", "elsewhere"]) == {
        "table1": ("one", "T_table1"),
        "wide": ("three", "T_valence"),
        "elsewhere": ("", ""),
    }
    assert find_cells(tmp_path / "none.ipynb", ["table1"]) == {"table1": ("", "")}


def test_links():
    assert link("a.ipynb", "cell-3") == "a.ipynb#cell-id=cell-3"
    assert link("a.html", "cell-3", anchor="T_table1") == "a.html#T_table1"
    assert link("a.ipynb", "") == "a.ipynb"


def test_a_linked_table_links_its_artefacts_and_escapes_words(figures):
    frame = artefacts(gather(figures=figures)).assign(cell="cell-1", what="a < b")
    text = scoreboard.linked(frame, "artefacts").to_html()
    assert '<a href="02_le2023.ipynb#cell-id=cell-1">table2</a>' in text
    assert "a &lt; b" in text and 'id="T_artefacts"' in text and "anchor" not in text
    assert "&lt;b&gt;" in scoreboard.linked(pd.DataFrame({"artefact": ["<b>"]}), "x").to_html()


def test_replayed_pages_are_checked_against_the_committed_ledgers(monkeypatch, tmp_path):
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path))
    assert scoreboard.ledger_path("twin", "full", "le2023").is_relative_to(tmp_path)
    monkeypatch.setenv("PAPERLIB_REPLAY", "recorded")
    assert not scoreboard.ledger_path("twin", "full", "le2023").is_relative_to(tmp_path)


def cells_of(text, first):
    """The cells of the one line of a Markdown table that begins with this one."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def test_the_front_has_a_line_a_paper_and_track_with_sums_and_the_audit(figures, write_ledger, tmp_path):
    write_ledger(figures, profile="full")
    write_ledger(figures, "foteinopoulou2021", profile="full")
    write_ledger(figures, "neo2023", profile="full", track="ferplus")
    readme = tmp_path / "README.md"
    marks = (*scoreboard.FRONT, *scoreboard.ANSWERS)
    readme.write_text("before\n{}\nan older table\n{}\n\n{}\nolder words\n{}\nafter\n".format(*marks))
    scoreboard.renew_front(readme, figures)
    text = readme.read_text()
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "older" not in text
    assert cells_of(text, "statements of") == [*scoreboard.ON_STATEMENTS, "statements"]
    assert cells_of(text, "le2023 on the twin") == ["1", "0", "0", "0", "0", "1", "2"]
    assert cells_of(text, "**all on the twin**") == ["2", "0", "0", "0", "0", "2", "4"]
    assert "judged together (Holm's method), these verdicts remain: on the twin " in text
    assert cells_of(text, "le2023 on FER+") == ["no page", *[""] * 6]
    assert cells_of(text, "**all on FER+**") == cells_of(text, "neo2023 on FER+")
    audit = scoreboard.audit_counts(scoreboard.run_audit()).loc["le2023"]
    agree = audit["matches"] + audit["matches within rounding"]
    found = cells_of(text, "le2023")
    assert found[:2] == [str(agree), str(audit["does not match"])] and found[-1] == str(audit["findings"])
    assert sum(map(int, found[:-1])) == int(found[-1])
    again = readme.read_text()
    scoreboard.renew_front(readme, figures)
    assert readme.read_text() == again
    for lacking in (marks[2:], marks[:2]):
        readme.write_text("{}\n{}".format(*lacking))
        with pytest.raises(ValueError, match="README.md lacks the marks <!-- "):
            scoreboard.renew_front(readme, figures)


def test_the_front_quotes_the_plain_words_of_the_page_of_all_methods(tmp_path, monkeypatch):
    ledger = Ledger("same_faces", Track(profile="full"), {"faces": "f"})
    ledger.over_seeds("cost", "plain network", "time", [1.0, 1.0], source="faces", n=3)
    ledger.write(tmp_path / "twin" / "same_faces" / "ledger.json")
    monkeypatch.setattr(
        same_faces, "plain_answer", lambda of: f"{of.track.name}, {of.track.profile}: {of.entries[0].row}."
    )
    assert scoreboard.same_faces_answers(tmp_path) == "- **On the twin.** twin, full: plain network."
    monkeypatch.undo()
    assert scoreboard.same_faces_answers(tmp_path) == (
        "- **On the twin.** Its ledger is of older code: `make reproduce PROFILE=full PAPER=same_faces`."
    )


def test_the_readme_s_front_is_of_the_pages_that_are_kept(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text((ROOT / "README.md").read_text())
    scoreboard.renew_front(readme, ROOT / "figures")
    assert readme.read_text() == (ROOT / "README.md").read_text(), (
        "make reproduce PROFILE=full PAPER=scoreboard"
    )


def test_all_tables_are_saved(figures, tmp_path):
    frame = gather(figures=figures)
    scoreboard.save(frame, tmp_path / "out")
    read = pd.read_csv(tmp_path / "out" / "numbers.csv", keep_default_na=False)
    assert list(read.columns) == list(scoreboard.COLUMNS) and len(read) == len(frame)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        f"{name}.csv" for name in ("numbers", "statements", "claims", "artefacts")
    }


def test_bars_are_as_long_as_the_counts_and_labelled(figures):
    frame = gather(figures=figures)
    figure = plots_scoreboard.verdict_bars(scoreboard.verdict_counts(frame))
    lengths = [[bar.get_width() for bar in ax.patches] for ax in figure.axes]
    assert lengths == [[1, 0, 0, 0, 0, 1], [0, 0, 0, 1, 0, 0]]
    assert [t.get_text() for t in figure.axes[0].texts] == ["1", "1", "2"]
    assert [t.get_text() for t in figure.legends[0].get_texts()] == [
        "held, or ahead",
        "held in part",
        "mixed",
        "did not hold, or behind",
        "cannot tell",
        "not attempted here",
    ]
    with pytest.raises(ValueError, match="no verdicts"):
        plots_scoreboard.verdict_bars({"claims": {}})
    with pytest.raises(ValueError, match="unknown verdicts"):
        plots_scoreboard.verdict_bars({"claims": {"le2023": {"perhaps": 1}}})


def test_the_audit_is_counted_by_paper():
    findings = pd.DataFrame(
        {
            "key": ["le2023", "le2023", "neo2023"],
            "artefact": ["le2023/table1", "le2023/table2", "neo2023/table1"],
            "status": ["matches", "does not match", "impossible as printed"],
            "check": "c",
            "printed": "1",
            "recomputed": "2",
            "note": "n",
        }
    )
    counts = scoreboard.audit_counts(findings)
    assert counts.loc["le2023", "matches"] == 1 and counts.loc["all", "findings"] == 3
    assert list(counts.index) == ["le2023", "neo2023", "all"]
    assert list(scoreboard.amiss(findings, "le2023")["artefact"]) == ["table2"]


def test_claims_are_shown_with_what_they_are_about_and_without_empty_columns(figures):
    lines = scoreboard.claim_lines(claims(gather(figures=figures)))
    first = lines.iloc[0]
    assert (first["of"], first["measured"], first["seeds"]) == ("accuracy", "0.110 ± 0.010", "3")
    assert first["95 % interval"] == "[0.085, 0.135]" and "printed" not in lines
    assert first["interval"] == "t interval over 3 seeds" and lines.iloc[1]["interval"] == ""
    assert lines.iloc[1]["reason"] == "needs a GPU: a big one" and lines.iloc[1]["measured"] == ""


def test_lines_are_counted_by_what_their_intervals_are_over(figures):
    frame = gather(figures=figures)
    over_people = frame[:1].assign(interval="95 % bootstrap over 9 people and 3 seeds", verdict="cannot tell")
    counts = scoreboard.interval_kinds(pd.concat([frame, over_people], ignore_index=True))
    assert counts.to_dict("index") == {
        ("le2023", "seeds alone"): {"held": 1, "cannot tell": 0, "not attempted here": 0},
        ("le2023", "people, pictures or recordings"): {"held": 0, "cannot tell": 1, "not attempted here": 0},
        ("le2023", "no interval"): {"held": 0, "cannot tell": 0, "not attempted here": 1},
    }
    assert counts.to_numpy().sum() == len(claims(frame)) + 1
