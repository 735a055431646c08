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


def cells_of(notebook: Path) -> list:
    return nbformat.read(notebook, as_version=4).cells


def code_cells(notebook: Path) -> list:
    return [c for c in cells_of(notebook) if c.cell_type == "code" and c.source.strip()]


def folder_of(page: Path) -> Path:
    return ROOT / "figures" / page.parent.name / page.stem.partition("_")[2]


def table(page: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder_of(page) / f"{name}.csv")


named = {"ids": lambda p: f"{p.parent.name}-{p.stem}"}
each_page = pytest.mark.parametrize("page", PAGES, **named)
each_paper_page = pytest.mark.parametrize("page", [p for p in PAGES if SCOREBOARD not in p.stem], **named)


@pytest.mark.parametrize("source", SOURCES, **named)
def test_a_notebook_has_short_cells_no_outputs_and_the_parameters_of_all(source):
    (parameters,) = (c.source for c in cells_of(source) if "parameters" in c.metadata.get("tags", []))
    assert re.findall(r"^(\w+) = ", parameters, re.MULTILINE) == ["track", "samples"]
    for cell in code_cells(source):
        assert len(cell.source.splitlines()) <= MOST_LINES, cell.source
        assert not cell.outputs and cell.execution_count is None


@each_page
def test_a_page_is_its_notebook_executed_on_the_track_of_its_folder(page):
    shown = [c for c in cells_of(page) if "injected-parameters" not in c.metadata.get("tags", [])]
    assert [c.source for c in shown] == [c.source for c in cells_of(NOTEBOOKS / page.name)], "make reproduce"
    (injected,) = (c.source for c in cells_of(page) if "injected-parameters" in c.metadata.get("tags", []))
    settings: dict = {}
    exec(injected, settings)
    assert (settings["track"], settings["samples"]) == (page.parent.name, "")


@each_page
def test_no_machine_s_path_stands_on_a_page(page):
    def texts(value):
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
                if key != "image/png":  # base64 has slashes of its own
                    yield from texts(inner)

    # Of the decoded strings: in JSON a line that starts with a path follows the n of its line break.
    path = re.compile(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home|Users)/", re.MULTILINE)
    assert not list(filter(path.search, texts(json.loads(page.read_text()))))


@each_page
def test_every_picture_is_a_figure_beside_the_page_and_has_words(page):
    """So that what may not be committed as a figure cannot stand on the page either."""
    of_page = [output for cell in code_cells(page) for output in cell.outputs]
    shown = [output for output in of_page if "image/png" in output.get("data", {})]
    assert len(shown) == len(list(folder_of(page).glob("*.png")))
    assert all(o.metadata.get("image/png", {}).get("alt") for o in shown)
    assert not [c for c in cells_of(page) if c.get("attachments")]


@each_paper_page
def test_every_statement_that_a_run_can_test_has_a_verdict_or_a_reason(page):
    found = table(page, "verdicts")
    claims = pd.read_csv(ROOT / "data" / "published" / page.stem.partition("_")[2] / "claims.csv")
    assert sorted(found["id"]) == sorted(claims["id"][claims["kind"] != "audit"])
    left = found["verdict"] == verdicts.LEFT
    assert found["evidence"].notna().all() and found["why"][left].notna().all()


@each_paper_page
def test_verdicts_follow_from_their_intervals(page):
    """But for those with a reason, and counts, which have no interval."""
    ledger = table(page, "ledger")
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
