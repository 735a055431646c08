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
from importlib import import_module
from importlib.util import find_spec

import pandas as pd

from paperlib.companion.audit.intervals import Paper, Result, Status, joined
from paperlib.companion.audit.listed import results_of
from paperlib.companion.published import ROOT, read_checks


def papers() -> list[str]:
    """Keys of the papers that have an audit."""
    return sorted(path.parent.name for path in ROOT.glob("*/checks.csv"))


def run_audit(keys: Iterable[str] | None = None) -> pd.DataFrame:
    """All findings on the given papers (default: all), one per row.

    Columns: key; artefact; id, of the check in checks.csv; claims, ids in claims.csv; check; printed; recomputed;
    status; note, what it means for a reader; cells, as `read_table` names them. Claims and cells are joined by "; ". A
    printed cell that no check mentions is listed as not checkable, so that nothing is passed over in silence.
    """
    known = papers()
    keys = known if keys is None else list(keys)
    if unknown := [key for key in keys if key not in known]:
        raise ValueError(f"no audit for {', '.join(unknown)}; there is one for {', '.join(known)}")
    return pd.concat(map(findings, keys), ignore_index=True)


def findings(key: str) -> pd.DataFrame:
    """`run_audit` of one paper, in the order of checks.csv."""
    paper, words = Paper(key), read_checks(key)
    results = [*results_of(paper), *(result for check in _programs(key) for result in check())]
    if unknown := {result.id for result in results} - set(words.index):
        raise ValueError(f"checks.csv of {key} has no line for the check {min(unknown)!r}; add one")
    results.sort(key=lambda result: words.index.get_loc(result.id))
    found = [_in_words(words.loc[result.id], result) for result in results]
    covered = {cell for result in results for cell in result.cells}
    for number, frame in paper.tables.items():
        rest = frame[~frame["cell"].isin(covered)]
        if len(rest):
            found.append(_not_constrained(f"{key}/table{number}", number, rest))
    out = pd.DataFrame(found)
    out.insert(0, "key", key)
    return out


def _programs(key: str) -> tuple:
    name = f"{__name__}.{key}"
    return import_module(name).CHECKS if find_spec(name) else ()


def _in_words(line: pd.Series, result: Result) -> dict[str, str]:
    check, artefact, note = (line[name].format_map(result.fill) for name in ("check", "artefact", "note"))
    return {
        **{"artefact": artefact, "id": result.id, "claims": joined(line["claims"]), "check": check},
        **{"printed": result.printed, "recomputed": result.recomputed, "status": str(result.status)},
        **{"note": note, "cells": joined(result.cells)},
    }


def _not_constrained(artefact: str, number: int, rest: pd.DataFrame) -> dict[str, str]:
    return {
        **{"artefact": artefact, "id": "not-constrained", "claims": "", "recomputed": ""},
        **{"check": f"the {len(rest)} cells of table {number} that no other check mentions"},
        **{"printed": joined(rest["printed"]), "status": str(Status.NOT_CHECKABLE)},
        **{"note": "No other printed number constrains them; only a run can.", "cells": joined(rest["cell"])},
    }
