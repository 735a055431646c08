"""The committed pages: executed, honest about themselves, and equal to their ledgers."""

import html
import json
import math
import re
from dataclasses import fields
from pathlib import Path

import nbformat
import numpy as np
import pytest
from scipy import stats as scipy_stats

from paperlib.grid import ROOT, recorded_code
from paperlib.ledger import ArtefactTable, Entry
from paperlib.provenance import code_of, digest
from paperlib.stats import Interval, verdict

PAGES = sorted(
    p for p in (ROOT / "notebooks" / "executed").glob("*/*.ipynb") if not p.parent.name.endswith("-smoke")
)
TASKS = {
    "foteinopoulou2021": [f"paperlib.tasks.label_variance:train_{what}" for what in ("faces", "sequences")]
}


@pytest.fixture(params=PAGES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def page(request):
    return request.param


def key_of(page: Path) -> str:
    return page.stem.partition("_")[2]


def code_cells(page: Path) -> list:
    return [c for c in nbformat.read(page, as_version=4).cells if c.cell_type == "code" and c.source.strip()]


def ledger_of(page: Path) -> list[Entry]:
    path = ROOT / "figures" / page.parent.name / key_of(page) / "ledger.json"
    entries = json.loads(path.read_text())["entries"]
    floats = {f.name for f in fields(Entry) if f.type == "float"}
    return [
        Entry(
            **{k: math.nan if v is None and k in floats else v for k, v in e.items()}
            | {"values": e["values"]}
        )
        for e in entries
    ]


def test_there_are_pages():
    assert {p.parent.name for p in PAGES} >= {"twin"}


def test_every_cell_was_executed_without_a_word_on_stderr(page):
    for cell in code_cells(page):
        assert cell.execution_count is not None, cell.source[:80]
        assert all(o.output_type != "error" and o.get("name") != "stderr" for o in cell.outputs)


def test_cells_are_short_and_enough_of_them_are_checked(page):
    cells = code_cells(page)
    assert max(len(c.source.splitlines()) for c in cells) <= 30
    assert sum(c.source.startswith("# NBVAL_CHECK_OUTPUT") for c in cells) >= 5


def test_no_machine_s_path_stands_in_page_or_ledger(page):
    ledger = ROOT / "figures" / page.parent.name / key_of(page) / "ledger.json"
    for text in (page.read_text(), ledger.read_text()):
        assert not re.search(r"(^|[^A-Za-z0-9_.])/(work|tmp|root|home|Users)/", text)


def test_the_page_is_its_notebook_executed(page):
    source = [c.source for c in nbformat.read(ROOT / "notebooks" / page.name, as_version=4).cells]
    cells = nbformat.read(page, as_version=4).cells
    shown = [c.source for c in cells if "injected-parameters" not in c.metadata.get("tags", [])]
    assert shown == source, "run `make reproduce` and commit the page"


def test_every_number_of_the_ledger_stands_on_the_page(page):
    """In the styled table, or in the text of a wide one; a number changed by hand on either side is caught."""
    text = html.unescape(json.dumps(json.loads(page.read_text()), ensure_ascii=False))
    for e in ledger_of(page):
        table = ArtefactTable(artefact=e.artefact.partition("/")[2], entries=[e])
        shown = table.wide.iloc[0, 0]
        assert shown in text, f"{e.artefact}, {e.row}, {e.column}: {shown} is not on the page"


def test_the_tables_beside_the_page_say_what_the_ledger_says(page):
    folder = ROOT / "figures" / page.parent.name / key_of(page)
    by_artefact: dict[str, list[Entry]] = {}
    for e in ledger_of(page):
        by_artefact.setdefault(e.artefact.partition("/")[2], []).append(e)
    for artefact, entries in by_artefact.items():
        saved = (folder / f"{artefact}.csv").read_text()
        assert saved == ArtefactTable(artefact=artefact, entries=entries).frame.to_csv(index=False), artefact


def test_seeds_give_mean_spread_interval_and_verdict_again(page):
    for e in ledger_of(page):
        if len(e.values) < 2:
            continue
        values = np.array(e.values)
        assert e.measured == pytest.approx(values.mean(), rel=1e-9, abs=1e-12)
        assert e.spread == pytest.approx(values.std(ddof=1), rel=1e-6, abs=1e-9)
        half = scipy_stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
        assert (e.low, e.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=1e-9)


def test_verdicts_follow_from_their_intervals(page):
    for e in ledger_of(page):
        if e.verdict and math.isfinite(e.low):
            interval = Interval(estimate=e.measured, low=e.low, high=e.high, level=0.95)
            assert e.verdict == verdict(interval, 1), (e.artefact, e.row, e.column)


def test_the_runs_behind_the_twin_s_page_were_made_by_the_code_of_today():
    for key, tasks in TASKS.items():
        path = ROOT / "tests" / "recorded" / "twin" / f"{key}.npz"
        today = digest(json.dumps([code_of(t) for t in sorted(tasks)]))
        assert recorded_code(path) == today, "run `make reproduce`; commit the page and tests/recorded"


def test_no_picture_of_a_real_face_is_committed():
    made = [p.name for p in (ROOT / "figures").glob("[!t]*/*/*")]
    assert not [name for name in made if name.startswith(("figure5_faces", "figure6_faces", "twin_faces"))]
