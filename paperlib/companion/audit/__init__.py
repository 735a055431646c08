"""The audit: what a paper's own printed numbers confirm or refute, recomputed from `data/published`.

A paper is added as data. `data/published/<key>/checks.csv` says in words what each check compares and what it
means for a reader; `audit.yaml` beside it says what is computed of which printed numbers (see `listed`). What
needs a program of its own is a generator in `paperlib/companion/audit/<key>.py`, listed there in `CHECKS`, that
yields a `Result` for each.

A reading that the paper does not print, tried and rejected, or a test that it does not claim to have done, is a
"question of ours": it is answered, and held against nobody. So is the count of cases in which a sentence holds that
does not say in how many. What a paper leaves out is "not checkable". A tie at the printed digit is not "better".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec

import pandas as pd

from paperlib.companion.audit.intervals import Paper, Result, Status
from paperlib.companion.audit.listed import results_of
from paperlib.companion.published import ROOT, read_checks


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked, and what it means for a reader."""

    key: str
    artefact: str
    id: str  # of the check in checks.csv
    claims: tuple[str, ...]  # ids in claims.csv
    check: str
    printed: str
    recomputed: str
    status: Status
    note: str
    cells: tuple[str, ...]  # as `read_table` names them


def papers() -> list[str]:
    """Keys of the papers that have an audit."""
    return sorted(path.parent.name for path in ROOT.glob("*/checks.csv"))


def run_audit(keys: Iterable[str] | None = None) -> pd.DataFrame:
    """All findings on the given papers (default: all), one per row.

    Columns: the fields of `Finding`, with claims and cells joined by "; ". A printed cell that no check
    mentions is listed as not checkable, so that nothing is passed over in silence.
    """
    known = papers()
    keys = known if keys is None else list(keys)
    if unknown := [key for key in keys if key not in known]:
        raise ValueError(f"no audit for {', '.join(unknown)}; there is one for {', '.join(known)}")
    frame = pd.DataFrame([asdict(finding) for key in keys for finding in findings(key)])
    joined = {column: frame[column].map("; ".join) for column in ("claims", "cells")}
    return frame.assign(**joined, status=frame["status"].map(str))


def findings(key: str) -> list[Finding]:
    """Everything that the audit of one paper finds, in the order of checks.csv."""
    paper, words = Paper(key), read_checks(key)
    results = [*results_of(paper), *(result for check in _programs(key) for result in check())]
    if unknown := {result.id for result in results} - set(words.index):
        raise ValueError(f"checks.csv of {key} has no line for the check {min(unknown)!r}; add one")
    results.sort(key=lambda result: words.index.get_loc(result.id))
    found = [_in_words(key, words.loc[result.id], result) for result in results]
    covered = {cell for finding in found for cell in finding.cells}
    for number, frame in paper.tables.items():
        rest = frame[~frame["cell"].isin(covered)]
        if len(rest):
            found.append(_not_constrained(key, number, rest))
    return found


def _programs(key: str) -> tuple:
    name = f"{__name__}.{key}"
    return import_module(name).CHECKS if find_spec(name) else ()


def _in_words(key: str, line: pd.Series, result: Result) -> Finding:
    return Finding(
        key=key,
        artefact=line["artefact"].format_map(result.fill),
        id=result.id,
        claims=tuple(line["claims"]),
        check=line["check"].format_map(result.fill),
        printed=result.printed,
        recomputed=result.recomputed,
        status=result.status,
        note=line["note"].format_map(result.fill),
        cells=tuple(result.cells),
    )


def _not_constrained(key: str, number: int, rest: pd.DataFrame) -> Finding:
    return Finding(
        key=key,
        artefact=f"{key}/table{number}",
        id="not-constrained",
        claims=(),
        check=f"the {len(rest)} cells of table {number} that no other check mentions",
        printed="; ".join(rest["printed"]),
        recomputed="",
        status=Status.NOT_CHECKABLE,
        note="No other printed number constrains them; only a run can.",
        cells=tuple(rest["cell"]),
    )
