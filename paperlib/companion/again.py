"""Train a part of the stored runs again on this machine, and set what comes out beside what is stored.

data/plans/again.yaml says which runs: of each paper those of its first statement or a part of them, one seed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy.stats import t

from paperlib.companion import measures, more, plan, samples
from paperlib.companion.replicates import Measure
from paperlib.companion.runs import run_missing
from paperlib.tracks import Track

Labels = Mapping[str, Sequence[str]]  # of runs: by name the values that are wanted
TRACK = Track(name="twin", profile="full")
SAME, WITHIN, OUTSIDE = "bit for bit", "within the spread", "outside the spread"
LEVEL = 0.95


def asked() -> dict[str, dict[str, Any]]:
    """What is trained again, by paper; see data/plans/again.yaml."""
    return yaml.safe_load((plan.PLANS / "again.yaml").read_text(encoding="utf-8"))


def train_again(keys: Sequence[str], *, jobs: int = 1) -> pd.DataFrame:
    """A row a cell of what was trained here: paper, which (its labels), its number stored and here, verdict.

    The runs of all papers are trained together, those that the cache lacks.

    Raises:
        RuntimeError: a run failed.
        ValueError: a run is not among the stored ones.
    """
    wanted = {key: of for key, of in asked().items() if key in keys}
    plans = {key: list(part_of(key, of["runs"])) for key, of in wanted.items()}
    runs = [[run for block in blocks for run in block.runs] for blocks in plans.values()]
    # A paper's first run may be one that its others wait for, and the first paper's takes longest.
    run_missing([r for of in runs for r in of[:1]] + [r for of in runs[::-1] for r in of[1:]], jobs=jobs)
    found = []
    for key, of in wanted.items():
        made, _ = more.build(key, TRACK, plans[key])
        found.append(
            beside(made[""], samples.read(key, TRACK.name), of["by"], of["measure"]).assign(paper=key)
        )
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def screen(found: pd.DataFrame) -> list[str]:
    """Lines for a screen: of each paper how many results came out bit for bit, or within the spread; which did not."""
    table = found.groupby(["paper", "verdict"], sort=False).size().unstack(fill_value=0)
    table = table.reindex(columns=[SAME, WITHIN, OUTSIDE], fill_value=0).rename_axis(index=None, columns=None)
    lines = [
        "",
        "Trained again here, beside what is stored: test results of each network and dimension",
        *table.to_string().splitlines(),
    ]
    for _, row in found[found["verdict"] == OUTSIDE].iterrows():
        lines.append(f"outside: {row.paper}, {row.which}: {row.here:.3f} here, {row.stored:.3f} stored")
    if (found["verdict"] != SAME).any():
        where = f"where {LEVEL:.0%} of trainings of the stored kind would lie (prediction interval)"
        lines.append(f"Within the spread: {where}.")
    return lines


def part_of(
    key: str, wanted: Labels | Sequence[Labels], track: Track = TRACK, *, seeds: int = 1
) -> Iterator[plan.Block]:
    """The blocks of a paper's plan, so many seeds of each, that have for each label of a choice one of its values."""
    choices = [wanted] if isinstance(wanted, Mapping) else wanted
    for block in plan.read_plan(key, track, seeds=seeds):
        if any(all(block.labels.get(name) in of for name, of in one.items()) for one in choices):
            yield block


def beside(made: pd.DataFrame, stored: pd.DataFrame, by: Sequence[str], measure: str) -> pd.DataFrame:
    """A row a cell and seed that was made here: its number stored and here, and whether the rows are the same.

    by: columns that tell one cell from another. A number here is within the spread if it lies in the interval in which
    one more training falls 95 times in 100, by Student's t and the stored seeds.
    """
    of = getattr(measures, measure)()
    made, stored = (x[x["partition"] == "test"] if "partition" in x else x for x in (made, stored))
    cells = dict(tuple(stored.groupby([*by], observed=True, dropna=False, sort=False)))
    rows = []
    for cell, here in made.groupby([*by], observed=True, dropna=False, sort=False):
        which = ", ".join(str(x) for x in cell if str(x) not in ("", "nan"))
        if cell not in cells:
            raise ValueError(f"no stored run of {which}: its name in the plan or in again.yaml changed")
        there = cells[cell]
        number = there.groupby("seed").apply(_number, of)
        if number.isna().all():  # this measure is of others of the paper's rows
            continue
        for seed, one in here.groupby("seed"):
            now = _number(one, of)
            if _same(one, there[there["seed"] == seed]):
                verdict = SAME
            else:
                verdict = WITHIN if abs(now - number.mean()) <= reach(number.to_numpy()) else OUTSIDE
            rows.append({"which": which, "stored": number[seed], "here": now, "verdict": verdict})
    return pd.DataFrame(rows)


def _number(rows: pd.DataFrame, of: Measure) -> float:
    """A measure of the rows that have what it takes; NaN without any."""
    known = rows[[*of.columns]].dropna()
    return float(of.of(*(known[c].to_numpy() for c in of.columns))) if len(known) else np.nan


def reach(numbers: np.ndarray) -> float:
    """How far from the mean of n trainings one more falls at most, 95 times in 100 (a prediction interval)."""
    n = len(numbers)
    return float(t.ppf((1 + LEVEL) / 2, n - 1) * numbers.std(ddof=1) * np.sqrt(1 + 1 / n))


def _same(a: pd.DataFrame, b: pd.DataFrame) -> bool:
    """Whether two tables say the same in the columns that both have, to the bit."""
    both = [c for c in a if c in b]
    # numbers of any width: a column without values has no width of its own
    kinds = {c: float if a[c].dtype.kind in "fi" else object for c in both}
    a, b = (x[both].astype(kinds).reset_index(drop=True) for x in (a, b))
    return a.equals(b)
