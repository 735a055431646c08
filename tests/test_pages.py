"""The committed pages: their notebooks executed, from stored samples, honest about every statement of their paper.

That their outputs come out again is for nbval, which `make test` runs over them.
"""

import json
import re
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from paperlib.companion import verdicts
from paperlib.companion.execute import NOTEBOOKS
from paperlib.companion.reproduce import KEPT, PAPERS, SCOREBOARD, tables_of
from paperlib.companion.samples import STORED
from paperlib.files import ROOT

# A track whose samples are not stored yet keeps the pages of an earlier version.
WITH_SAMPLES = [track for track in KEPT if any((STORED / track).glob("*.parquet"))]
PAGES = sorted(page for track in WITH_SAMPLES for page in (NOTEBOOKS / "executed" / track).glob("*.ipynb"))
SOURCES = [NOTEBOOKS / f"{name}.ipynb" for name in PAPERS.values()]
MOST_LINES, MOST_BYTES = 20, 40e6


@pytest.fixture(params=PAGES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def page(request):
    return request.param


@pytest.fixture(params=SOURCES, ids=lambda p: p.stem)
def source(request):
    return request.param


def cells_of(notebook: Path) -> list:
    return nbformat.read(notebook, as_version=4).cells


def code_cells(notebook: Path) -> list:
    return [c for c in cells_of(notebook) if c.cell_type == "code" and c.source.strip()]


def folder_of(page: Path) -> Path:
    return ROOT / "figures" / page.parent.name / page.stem.partition("_")[2]


def outputs(page: Path, kind: str) -> list:
    """The page's outputs that have data of one kind, such as "image/png"."""
    return [o for cell in code_cells(page) for o in cell.outputs if kind in o.get("data", {})]


def table(page: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder_of(page) / f"{name}.csv")


@pytest.fixture(
    params=[p for p in PAGES if SCOREBOARD not in p.stem], ids=lambda p: f"{p.parent.name}-{p.stem}"
)
def paper_page(request):
    return request.param


def test_there_are_pages():
    assert {p.parent.name for p in PAGES} >= {"twin"}


def test_a_notebook_has_short_cells_no_outputs_and_the_parameters_of_all(source):
    (parameters,) = (c.source for c in cells_of(source) if "parameters" in c.metadata.get("tags", []))
    assert re.findall(r"^(\w+) = ", parameters, re.MULTILINE) == ["track", "samples"]
    for cell in code_cells(source):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        assert not cell.outputs and cell.execution_count is None


def test_every_cell_was_executed_without_a_word_on_stderr(page):
    for cell in code_cells(page):
        assert cell.execution_count is not None, cell.source[:80]
        assert all(o.output_type != "error" and o.get("name") != "stderr" for o in cell.outputs)


def test_a_page_is_its_notebook_executed_on_the_track_of_its_folder(page):
    shown = [c for c in cells_of(page) if "injected-parameters" not in c.metadata.get("tags", [])]
    assert [c.source for c in shown] == [c.source for c in cells_of(NOTEBOOKS / page.name)], "make reproduce"
    (injected,) = (c.source for c in cells_of(page) if "injected-parameters" in c.metadata.get("tags", []))
    settings: dict = {}
    exec(injected, settings)
    assert (settings["track"], settings["samples"]) == (page.parent.name, "")


def test_no_machine_s_path_stands_on_a_page(page):
    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                if key != "image/png":  # base64 has slashes of its own
                    yield from texts(inner)

    # Of the decoded strings: in JSON a line that starts with a path follows the n of its line break.
    for text in texts(json.loads(page.read_text())):
        assert not re.search(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home|Users)/", text, re.MULTILINE), text[
            :200
        ]


def test_every_picture_is_a_figure_beside_the_page_and_has_words(page):
    """So that what may not be committed as a figure cannot stand on the page either."""
    shown = outputs(page, "image/png")
    assert len(shown) <= len(list(folder_of(page).glob("*.png")))
    assert all(o.metadata.get("image/png", {}).get("alt") for o in shown)
    assert not [c for c in cells_of(page) if c.get("attachments")]


def test_every_statement_that_a_run_can_test_has_a_verdict_or_a_reason(paper_page):
    found = table(paper_page, "verdicts")
    path = ROOT / "data" / "published" / paper_page.stem.partition("_")[2] / "claims.csv"
    claims = pd.read_csv(path) if path.is_file() else pd.DataFrame({"id": [], "kind": []})
    assert sorted(found["id"]) == sorted(claims["id"][claims["kind"] != "audit"])
    left = found["verdict"] == verdicts.LEFT
    assert found["evidence"].notna().all() and found["why"][left].notna().all()


def test_verdicts_follow_from_their_intervals(paper_page):
    """But for those with a reason, and counts, which have no interval."""
    ledger = table(paper_page, "ledger")
    ledger = ledger[ledger["verdict"].notna() & ledger["low"].notna() & ledger["why"].isna()]
    assert (ledger["low"] <= ledger["estimate"]).all() and (ledger["estimate"] <= ledger["high"]).all()
    above = ledger["verdict"].isin([verdicts.HELD, verdicts.AHEAD])
    below = ledger["verdict"].isin([verdicts.FAILED, verdicts.BEHIND])
    np.testing.assert_array_equal(above, ledger["low"] > 0)
    np.testing.assert_array_equal(below, ledger["high"] < 0)


def test_a_page_is_made_of_stored_samples_that_are_not_too_large_for_git():
    for page in PAGES:
        key = page.stem.partition("_")[2]
        assert key == SCOREBOARD or tables_of(key, STORED / page.parent.name), page
    assert sum(path.stat().st_size for path in STORED.rglob("*.parquet")) <= MOST_BYTES


def test_no_picture_of_a_real_face_is_committed():
    tracks = [p for p in (ROOT / "figures").iterdir() if p.name.partition("-")[0] != "twin"]
    made = [p.name for track in tracks for p in track.glob("*/*")]
    assert not [n for n in made if n.startswith(("figure5_faces", "figure6_faces", "twin_faces"))]
