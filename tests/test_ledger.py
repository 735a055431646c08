import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from paperlib.companion.runs import Result, Run
from paperlib.ledger import Ledger, kept_outputs, kept_pages, outputs, variant
from paperlib.scoreboard import ledger_path
from paperlib.stats import Interval, Verdict
from paperlib.tracks import PROFILES, Track

VALUES = [0.61, 0.64, 0.58, 0.66, 0.61]


@pytest.fixture
def ledger():
    """One table: over five seeds, a correlation with its own interval, and a claim not attempted."""
    track = Track(name="twin", profile="smoke")
    ledger = Ledger(key="foteinopoulou2021", track=track, data={"faces": "f00d", "sequences": "cafe"})
    run = Run(task="module:function", track=track, data="f00d", settings={}, seed=0)
    ledger.add(
        "table2",
        "KL",
        "CCC valence",
        source="faces",
        n=200,
        values=VALUES,
        results=[Result(run=run, key="k1", seconds=1.0, arrays={})],
        printed="0.71",
        printed_on="AMIGOS",
        claim="KL_1 beats MSE",
        claim_id="variance-follows-raters",
        verdict=Verdict.HELD,
    )
    between = Interval(estimate=0.31, low=0.2, high=0.41, level=0.95)
    ledger.add("table2", "KL", "variance PCC", source="sequences", n=64, interval=between, about="Fisher z")
    ledger.add("table2", "bound", "ceiling", source="faces", n=200, interval=0.456789)
    ledger.not_attempted("table2", "50 % less & faster", "needs a GPU", claim_id="low-variance-clip-agrees")
    return ledger


def test_mean_spread_and_interval_are_scipys(ledger):
    entry = ledger.entries[0]
    low, high = stats.t.interval(0.95, 4, np.mean(VALUES), stats.sem(VALUES))
    assert_allclose(
        [entry.measured, entry.spread, entry.low, entry.high],
        [np.mean(VALUES), np.std(VALUES, ddof=1), low, high],
    )
    assert entry.seeds == 5
    assert entry.interval == "95 % t interval over 5 seeds"


def test_an_entry_knows_where_it_came_from(ledger):
    first, second, third, last = ledger.entries
    assert (first.artefact, first.track, first.profile, first.data, first.n, first.runs) == (
        "foteinopoulou2021/table2",
        "twin",
        "smoke",
        "f00d",
        200,
        ("k1",),
    )
    assert (second.data, second.measured, second.low, second.high) == ("cafe", 0.31, 0.2, 0.41)
    assert (third.measured, third.seeds, third.interval) == (0.456789, 0, "")
    assert last.verdict == "not attempted here: needs a GPU"
    assert math.isnan(last.measured)


def test_one_seed_has_no_spread_and_no_interval(ledger):
    entry = ledger.add("table9", "KL", "CCC", source="faces", n=10, values=[0.5])
    assert entry.measured == 0.5
    assert math.isnan(entry.spread) and math.isnan(entry.low) and math.isnan(entry.high)
    assert ledger.table("table9").frame.loc[0, "measured"] == "0.500"


def test_json_gives_every_number_back_and_null_for_none(ledger, tmp_path):
    path = tmp_path / "new" / "ledger.json"
    ledger.write(path)
    written = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert {k: written[k] for k in ("key", "track", "profile", "data")} == {
        "key": "foteinopoulou2021",
        "track": "twin",
        "profile": "smoke",
        "data": {"faces": "f00d", "sequences": "cafe"},
    }
    first, *_, last = written["entries"]
    assert first["values"] == VALUES
    assert first["measured"] == ledger.entries[0].measured
    assert first["verdict"] == "held"
    assert last["measured"] is None and last["low"] is None
    before = path.read_bytes()
    ledger.write(path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["ledger.json"]


def test_text_is_of_fixed_width_and_to_the_letter(ledger):
    assert ledger.table("table2").text() == "\n".join(
        [
            "row                 column        measured       n    seeds  verdict",
            "KL                  CCC valence   0.620 ± 0.031  200  5      held",
            "KL                  variance PCC  0.310          64",
            "bound               ceiling       0.457          200",
            "50 % less & faster                                           not attempted here: needs a GPU",
        ]
    )


def test_frame_puts_printed_beside_measured_and_drops_empty_columns(ledger):
    frame = ledger.table("table2").frame
    assert frame.loc[0, "printed"] == "0.71 (AMIGOS)"
    assert frame.loc[1, "95 % interval"] == "[0.200, 0.410]"
    ledger.add("table3", "t", "", source="faces", n=3, interval=1.5)
    assert list(ledger.table("table3").frame) == ["row", "measured", "n"]


def test_caption_states_track_profile_and_what_the_intervals_are(ledger):
    assert ledger.table("table2").caption == (
        "foteinopoulou2021/table2. Track twin, profile smoke; mean ± standard deviation over seeds; "
        "interval: 95 % t interval over 5 seeds; interval: Fisher z."
    )


def test_csv_and_latex_hold_the_table(ledger, tmp_path):
    table = ledger.table("table2")
    table.save(tmp_path)
    csv = tmp_path / "table2.csv"
    read = pd.read_csv(io.StringIO(csv.read_text()), dtype=str, keep_default_na=False)
    assert read.to_numpy().tolist() == table.frame.astype(str).to_numpy().tolist()
    latex = csv.with_suffix(".tex").read_text()
    assert r"0.620 $\pm$ 0.031" in latex
    assert "±" not in latex
    assert r"50 \% less \& faster" in latex
    bare = latex.replace(r"\%", "").replace(r"\&", "").replace(r"\_", "")
    assert "%" not in bare  # it would comment out the rest of the line
    assert "_" not in bare  # it would need math mode
    columns = table.frame.shape[1]
    rows = [line for line in bare.splitlines() if line.endswith(r"\\")]
    assert [line.count("&") for line in rows] == [columns - 1] * (len(table.entries) + 1)


@pytest.mark.parametrize(("owner", "method"), [(pd.DataFrame, "to_csv"), (Path, "write_text")])
def test_a_table_that_cannot_be_written_whole_leaves_the_one_before(
    ledger, tmp_path, monkeypatch, owner, method
):
    table = ledger.table("table2")
    table.save(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def fill(self, path, **_):
        Path(self if owner is Path else path).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(owner, method, fill)
    with pytest.raises(OSError, match="No space left"):
        table.save(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_pages_that_are_being_made_write_apart_from_what_is_kept(monkeypatch):
    monkeypatch.setenv("PAPERLIB_OUTPUTS", "kept")
    assert (
        outputs(Track(), "le2023")
        == Path("kept/twin-default/le2023")
        == kept_outputs() / "twin-default/le2023"
    )
    monkeypatch.setenv("PAPERLIB_MAKING", "making")
    assert outputs(Track(), "le2023") == Path("making/twin-default/le2023")
    assert ledger_path("twin", "full", "le2023") == Path("kept/twin-default/le2023/ledger.json")


def test_html_shows_the_verdict_in_its_colour(ledger):
    html = ledger.table("table2")._repr_html_()
    assert ">held<" in html
    assert "#d7ecd9" in html
    assert "not attempted here: needs a GPU" in html
    assert ledger.table("table2").caption in html
    assert ledger.table("table2")._repr_html_() == html  # a page run twice is the same page


def test_html_shows_a_label_as_text(ledger):
    ledger.add("table9", "<script>", "CCC", source="faces", n=10, interval=0.5)
    assert "<script>" not in ledger.table("table9")._repr_html_()


def test_verdicts_are_one_line_a_claim(ledger):
    assert ledger.verdicts().to_numpy().tolist() == [
        ["table2", "KL_1 beats MSE", "held"],
        ["table2", "50 % less & faster", "not attempted here: needs a GPU"],
    ]


def test_a_table_of_nothing_is_named(ledger):
    with pytest.raises(LookupError, match="nothing was recorded for foteinopoulou2021/table7"):
        ledger.table("table7")


def test_over_seeds_judges_differences_and_claims_and_nothing_else(tmp_path):
    ledger = Ledger(key="neo2023", track=Track(), data={"faces": "f00d"})
    ledger.over_seeds("table3", "one-hot", "F1", VALUES, source="faces", n=9)
    ledger.over_seeds("table3", "GMM - one-hot", "F1", [0.1, 0.2, 0.15], source="faces", n=9)
    ledger.over_seeds(
        "table3",
        "gain",
        "F1",
        [-0.1, 0.2],
        source="faces",
        n=9,
        claim="It gains",
        claim_id="fusion-gain",
    )
    assert ledger.entries[1].data == "f00d" and ledger.entries[1].n == 9
    assert [e.verdict for e in ledger.entries] == ["", "ahead", "cannot tell"]
    assert [e.ahead for e in ledger.entries] == [False, True, False]
    ledger.write(tmp_path / "ledger.json")
    written = json.loads((tmp_path / "ledger.json").read_text())["entries"]
    assert [e["verdict"] for e in written] == ["", "ahead", "cannot tell"]
    assert list(ledger.verdicts()["claim"]) == ["It gains"]
    assert list(ledger.table("table3").frame["verdict"]) == [
        "",
        "ahead",
        "cannot tell",
    ]  # a claim alone can hold


def test_values_with_an_interval_of_their_own_keep_mean_and_spread_of_the_seeds(ledger):
    over_recordings = Interval(estimate=0.63, low=0.4, high=0.8, level=0.95)
    entry = ledger.add(
        "table1",
        "audio",
        "CCC",
        source="faces",
        n=90,
        values=VALUES,
        interval=over_recordings,
        about="bootstrap",
    )
    assert entry.values == tuple(VALUES) and entry.seeds == 5
    assert_allclose([entry.measured, entry.spread], [np.mean(VALUES), np.std(VALUES, ddof=1)])
    assert (entry.low, entry.high, entry.interval) == (0.4, 0.8, "bootstrap")
    (line,) = ledger.table("table1").frame.to_dict("records")
    assert line["measured"] == "0.620 ± 0.031" and line["95 % interval"] == "[0.400, 0.800]"


def test_one_seed_has_an_interval_over_recordings_all_the_same(ledger):
    interval = Interval(estimate=0.5, low=0.1, high=0.7, level=0.95)
    entry = ledger.add(
        "table1", "a", "CCC", source="faces", n=9, values=[0.5], interval=interval, about="bootstrap"
    )
    assert (entry.low, entry.high) == (0.1, 0.7) and math.isnan(entry.spread)


def test_only_the_full_profile_s_pages_are_kept(tmp_path):
    for profile in PROFILES:
        page = tmp_path / "notebooks" / "executed" / variant(Track(profile=profile)) / "n.ipynb"
        page.parent.mkdir(parents=True)
        page.touch()
    assert kept_pages(tmp_path) == [tmp_path / "notebooks" / "executed" / "twin" / "n.ipynb"]


@pytest.mark.parametrize("claim_id", ["", "no-such", "bold-is-best"])
def test_a_claim_names_a_statement_of_the_paper_that_runs_can_test(ledger, claim_id):
    with pytest.raises(ValueError, match=r"table2, KL: claim_id must be one of .*variance-follows-raters"):
        ledger.add("table2", "KL", "CCC", source="faces", n=1, claim="It is best", claim_id=claim_id)
