"""More trainings of stored pages: what a plan asks for and the stored samples lack is trained and added to them.

`make reproduce TRAIN=more`, with SEEDS=10 for more of each than the plan says. <key>.trained.csv beside a paper's
samples has a line a run whose predictions are in them. Seeds are added one after another, all methods of a paper
together, and what is stored is whole after each: a machine that ends costs one seed at most.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd
from filelock import FileLock

from paperlib import files
from paperlib.companion import samples
from paperlib.companion.plan import Block, read_plan
from paperlib.companion.provenance import device, digest
from paperlib.companion.runs import run_missing
from paperlib.companion.samples import Planned
from paperlib.tracks import Track, check_unchanged

COLUMNS = ["identity", "what", "seed", "seconds", "machine"]


def add(key: str, track: Track, folder: Path, *, seeds: int = 0, jobs: int = 1, cluster: str = "") -> int:
    """Train what a paper's samples in a folder lack and add it; how many runs these were.

    Raises:
        RuntimeError: a run failed; the seeds before it are added.
        ValueError: the samples hold runs of the same names with other settings or data, or are of other items.
    """
    planned = read_plan(key, track, seeds=seeds)
    lacking, count = _lacking(planned, trained(key, folder), key), 0
    labels = list(dict.fromkeys(name for block in planned for name in block.labels))
    for seed in range(max((len(block.runs) for block in planned), default=0)):
        blocks = [
            replace(block, runs=[run for run in block.runs if run.identity in lacking])
            for block in read_plan(key, track, seeds=seed + 1)
        ]
        blocks = [block for block in blocks if block.runs]
        runs = [run for block in blocks for run in block.runs]
        run_missing(runs, jobs=jobs, cluster=cluster)
        if runs:
            _add(blocks, key, track, folder, labels)
            lacking -= {run.identity for run in runs}
            count += len(runs)
    return count


def build(key: str, track: Track, blocks: Sequence[Block]) -> tuple[dict[str, pd.DataFrame], Planned]:
    """A paper's tables by name ("": the samples) of blocks of runs, and their results."""
    done = [(dict(block.labels), run_missing(block.runs)) for block in blocks]
    return import_module(f"paperlib.companion.samples.{key}").build(track, done), done


def stored(key: str, folder: Path) -> dict[str, pd.DataFrame]:
    """A paper's tables in a folder, by name."""
    return {p.stem.partition(".")[2]: pd.read_parquet(p) for p in samples.tables_of(key, folder)}


def _lacking(planned: Sequence[Block], known: pd.DataFrame, key: str) -> set[str]:
    """Identities of the runs that are planned and not known; no other run may have the name of one of them."""
    stored = dict(zip(zip(known["what"], known["seed"], strict=True), known["identity"], strict=True))
    lacking = set()
    for block in planned:
        for run in block.runs:
            name = ", ".join(block.labels.values()), run.seed
            if stored.get(name, run.identity) != run.identity:
                raise ValueError(
                    f"the stored samples of {key} hold {name[0]}, seed {name[1]}, with other settings or data; "
                    f"TRAIN=all makes them anew"
                )
            if name not in stored:
                lacking.add(run.identity)
    return lacking


def _add(blocks: Sequence[Block], key: str, track: Track, folder: Path, labels: Sequence[str]) -> None:
    """Put the rows of these runs into the samples, and the runs on the list; others wait meanwhile."""
    made, done = build(key, track, blocks)
    check_unchanged(track)
    lock = files.CACHE / "locks" / f"{digest(str(folder.resolve()))}-{key}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        kept = stored(key, folder)
        tables = joined(kept, made, labels) if kept else made
        changed = {name: table for name, table in tables.items() if table is not kept.get(name)}
        samples.write(changed, key, track.name, folder=folder)
        note(key, folder, done)


def joined(
    kept: Mapping[str, pd.DataFrame], made: Mapping[str, pd.DataFrame], labels: Sequence[str]
) -> dict[str, pd.DataFrame]:
    """Stored tables with the new rows of those that have rows for each run, after the old; the others as they are.

    labels: columns that say, with `seed`, what a row's run was. Of a run that has rows already none are added.

    Raises:
        ValueError: the new samples have items that the stored ones lack.
    """
    about = [c for c in ("item", "unit", "part", "dimension") if c in made[""] and c in kept[""]]
    of = [set(x[about].astype(str).itertuples(index=False, name=None)) for x in (made[""], kept[""])]
    if not of[0] <= of[1]:
        raise ValueError("the stored samples are of other items than these data: the same files are needed")
    out = dict(kept)
    for name, table in kept.items():
        new = made.get(name, pd.DataFrame())
        by = [c for c in labels if c in table and c in new]
        if not by or "seed" not in table or not len(new):
            continue
        there = set(_runs(table, by))
        new = new[[run not in there for run in _runs(new, by)]]
        out[name] = pd.concat([table, new.astype(_plain(table, new))], ignore_index=True)
    return out


def trained(key: str, folder: Path) -> pd.DataFrame:
    """The runs whose predictions a paper's samples hold, a line each: COLUMNS, of which the last two may be unknown."""
    path = folder / f"{key}.trained.csv"
    if path.is_file():
        return pd.read_csv(path, dtype={"what": str, "machine": str}, keep_default_na=False)
    return pd.DataFrame(columns=COLUMNS)


def note(key: str, folder: Path, done: Planned, *, anew: bool = False) -> None:
    """Write down that the samples hold these runs, beside those that they held, or `anew`."""
    here = f"{os.cpu_count()} hyperthreads, no GPU" if device() == "cpu" else device()
    lines = [
        (r.run.identity, ", ".join(labels.values()), r.run.seed, f"{r.seconds:.0f}", here)
        for labels, results in done
        for r in results
    ]
    before = pd.DataFrame(columns=COLUMNS) if anew else trained(key, folder)
    table = pd.concat([before, pd.DataFrame(lines, columns=COLUMNS)]).drop_duplicates(["what", "seed"])
    files.write_text(folder / f"{key}.trained.csv", table.to_csv(index=False))


def _runs(table: pd.DataFrame, by: Sequence[str]) -> list[tuple[str, ...]]:
    return list(table[[*by, "seed"]].astype(str).itertuples(index=False, name=None))


def _plain(table: pd.DataFrame, new: pd.DataFrame) -> dict[str, object]:
    """The stored numbers' types, for the columns of the new rows."""
    return {c: table[c].dtype for c in new if c in table and table[c].dtype.kind in "fi"}
