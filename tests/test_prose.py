"""Numbers that people wrote into prose are those of the ledgers, to the digits that stand there."""

import re

import nbformat
import numpy as np
import pandas as pd
import pytest

from paperlib.files import ROOT

NUMBER = r"[+−-]?\d+(?:\.\d+)?"
INTERVAL = re.compile(rf"({NUMBER})(?: points?)? \[({NUMBER}), ({NUMBER})\]")
TRACKS = ("twin", "ferplus", "studyforrest")
PAGES = [page for t in TRACKS for page in sorted((ROOT / "notebooks" / "executed" / t).glob("*.ipynb"))]


def prose(page):
    """Markdown cells, and what cells show as Markdown."""
    for cell in nbformat.read(page, as_version=4).cells:
        shown = [o.get("data", {}).get("text/markdown", "") for o in cell.get("outputs", [])]
        yield from [cell.source] if cell.cell_type == "markdown" else shown


@pytest.fixture(scope="module")
def ledger():
    paths = [path for t in TRACKS for path in sorted((ROOT / "figures" / t).glob("*/ledger.csv"))]
    return pd.concat([pd.read_csv(path, low_memory=False) for path in paths])


def is_there(ledger, said):
    """Is there a line whose estimate and bounds read so?"""
    same = np.ones(len(ledger), bool)
    for column, text in zip(("estimate", "low", "high"), said, strict=True):
        half = 0.5 * 10.0 ** -len(text.partition(".")[2]) + 1e-9
        same &= (ledger[column] - float(text.replace("−", "-"))).abs().to_numpy() <= half
    return bool(same.any())


def test_intervals_in_prose_are_a_runs(ledger):
    texts = [(ROOT / "README.md").read_text(encoding="utf-8")]
    texts += [text for page in PAGES for text in prose(page)]
    said = [found for text in texts for found in INTERVAL.findall(text)]
    assert len(said) >= 9
    assert not [found for found in said if not is_there(ledger, found)]
    assert not is_there(ledger, ("0.11", "0.02", "0.31"))  # what no run gave


def test_the_readme_counts_as_the_audit_does(audited):
    counts = audited["status"].value_counts()
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    decided = counts.drop(["not checkable", "question of ours"]).sum()
    told = f"Of {decided} checks that printed numbers alone decide, {counts['does not match']} do not match"
    assert f"{told} and {counts['impossible as printed']} are impossible" in " ".join(text.split())


def test_a_markdown_table_has_a_line_a_row():
    for page in PAGES:
        for text in prose(page):
            rules = [line for line in text.splitlines() if re.search(r"\| *-{3,} *\|", line)]
            assert all(re.fullmatch(r"\s*\|( *:?-{3,}:? *\|)+\s*", line) for line in rules), (page, rules)
