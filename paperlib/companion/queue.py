"""Train what data/plans/<plan>.yaml lists, one run after another, and store each run's predictions as it ends.

    python -m paperlib.companion.queue ferplus --track ferplus --data <folder>

Start it as often as there are cores: a run belongs to whoever takes it first, what is stored is not trained again, and
a process that ends costs the run it was in. The plan is read again before every run. Blocks have a label `stage`: runs
come by stage, then by seed, three seeds of every stage before the fourth of any. Of stage 0, looks at
settings, the line in runs.csv is all that is stored.
"""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from paperlib import files
from paperlib.companion.plan import read_plan
from paperlib.companion.provenance import device
from paperlib.companion.runs import Result, Run, attempt, run_missing
from paperlib.companion.samples import STORED, categories
from paperlib.data.records import FaceSet
from paperlib.tracks import Track

LOOK = "0"  # the stage of runs that choose settings
FIRST = 3  # seeds of every block before the fourth of any
COLUMNS = (
    *("identity", "key", "method", "condition", "seed", "validation", "test"),
    *("seconds", "machine", "task", "settings", "files"),
)


def main() -> None:
    """Work through a plan until nothing of it is left that nobody else trains."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan")
    parser.add_argument("--track", default="ferplus")
    parser.add_argument("--data", default="")
    parser.add_argument("--profile", default="full")
    given = parser.parse_args()
    track = Track(name=given.track, root=given.data, profile=given.profile)
    folder = STORED / track.name / "raw"
    folder.mkdir(parents=True, exist_ok=True)
    failed: set[str] = set()
    while (found := _next(given.plan, track, folder, failed)) is not None:
        labels, run, lock = found
        error = attempt(run)
        if error:
            failed.add(run.identity)
            print(error, flush=True)
        else:
            store(labels, run_missing([run], progress=False)[0], folder)
        lock.release()


def wanted(plan: str, track: Track) -> Iterator[tuple[Mapping[str, str], Run]]:
    """The plan's runs with their labels, in the order in which they should be trained."""
    blocks = read_plan(plan, track)
    order = [
        (run.seed >= FIRST, int(block.labels["stage"]), run.seed, place)
        for place, block in enumerate(blocks)
        for run in block.runs
    ]
    runs = [(block.labels, run) for block in blocks for run in block.runs]
    yield from (runs[i] for i in sorted(range(len(runs)), key=order.__getitem__))


def stored(folder: Path) -> pd.DataFrame:
    """The line of each run that is stored; see COLUMNS."""
    path = folder / "runs.csv"
    return pd.read_csv(path, dtype={"key": str}) if path.is_file() else pd.DataFrame(columns=list(COLUMNS))


def store(labels: Mapping[str, str], result: Result, folder: Path) -> None:
    """Write a run's arrays, a file for each grain (test faces, training faces), and its line of runs.csv."""
    run = result.run
    name = "-".join(re.sub(r"[^\w.]+", "_", labels[k]).strip("_") for k in ("key", "method", "condition"))
    rows = faces_of(run)
    kept = result.arrays if labels["stage"] != LOOK else {}
    tables = {part: table(kept, faces, at) for part, (faces, at) in rows.items()}
    written = []
    for part, frame in tables.items():
        path = folder / f"{name}-{run.seed}{'' if part == 'test' else f'.{part}'}.parquet"
        if len(frame):
            with files.whole(path) as partial:
                categories(frame).to_parquet(partial, index=False, compression="zstd", compression_level=15)
            written.append(path.name)
    faces, at = rows["test"]
    probability = result.arrays.get("probability")
    right = np.nan
    if probability is not None and faces.expression is not None:
        right = (probability.argmax(axis=1) == faces.expression[at]).mean()
    validation = result.arrays.get("validation", np.array([np.nan]))
    known = validation.item() if validation.size == 1 else np.nan
    line: dict[str, Any] = {
        "identity": run.identity,
        **{k: labels[k] for k in ("key", "method", "condition")},
    }
    line |= {"seed": run.seed, "validation": round(known, 6), "test": round(right, 6)}
    line |= {"seconds": round(result.seconds), "task": run.task, "files": " ".join(written)}
    line |= {"machine": machine(), "settings": json.dumps(dict(run.settings), sort_keys=True)}
    with FileLock(files.CACHE / "locks" / "runs.csv.lock"):
        before = stored(folder)
        before.loc[before.files == line["files"], "files"] = (
            None  # they are of other settings, which stay a look
        )
        lines = pd.concat([before[before.identity != run.identity], pd.DataFrame([line])], ignore_index=True)[
            list(COLUMNS)
        ]
        with files.whole(folder / "runs.csv") as partial:
            lines.to_csv(partial, index=False, float_format="%.6g")
    print(*(line[k] for k in ("key", "method", "condition", "seed", "validation", "seconds")), flush=True)


def faces_of(run: Run) -> dict[str, tuple[FaceSet, NDArray[np.int64]]]:
    """The faces that a run's arrays are of, as rows of a face set, by part: "test" and "training"."""
    track, module = run.track, run.task.partition(":")[0].rpartition(".")[2]
    if module == "label_variance":
        faces = track.faces()
        assert faces is not None
        known = np.isfinite(faces.affect).all(axis=1)
        rows = {"test": faces.split == "test", "training": (faces.split == "train") & known}
        return {part: (faces, np.flatnonzero(of)) for part, of in rows.items()}
    if module == "noisy_labels":
        found, given = track.categories(), _problem(run)
        assert found is not None
        return {"test": (found, given.test_rows), "training": (found, given.rows)}
    if module == "same_faces":
        parts = _problem(run)
        return {"test": (parts.faces, parts.test), "training": (parts.faces, parts.train)}
    raise ValueError(f"nobody knows which faces the runs of {run.task} are of")


def _problem(run: Run) -> Any:
    return import_module(run.task.partition(":")[0]).problem(run.track)


def table(arrays: Mapping[str, NDArray], faces: FaceSet, at: NDArray[np.int64]) -> pd.DataFrame:
    """The arrays that have a line for each of these faces, after who the faces are; no array, no line.

    `item` is the row of the track's face set, `label` an index into EXPRESSIONS, `votes k` those for the k-th.
    """
    arrays = {name: values for name, values in arrays.items() if len(values) == len(at)}
    if not arrays:
        return pd.DataFrame()
    who = {"item": at.astype(np.int32), "split": faces.split[at]}
    if faces.expression is not None:
        who["label"] = faces.expression[at]
    if faces.votes is not None:
        arrays = {"votes": faces.votes[at].astype(np.int8), **arrays}
    columns: dict[str, Any] = dict(who)
    for name, values in arrays.items():
        wide = values.reshape(len(at), -1)
        numbered = [name] if values.ndim == 1 else [f"{name} {k}" for k in range(wide.shape[1])]
        columns |= dict(zip(numbered, wide.T, strict=True))
    return pd.DataFrame(columns)


def machine() -> str:
    """What trains here."""
    return f"{os.cpu_count()} hyperthreads, no GPU" if device() == "cpu" else device()


def _next(
    plan: str, track: Track, folder: Path, failed: set[str]
) -> tuple[Mapping[str, str], Run, FileLock] | None:
    """The first run that is not stored and that nobody trains, locked for this process."""
    (files.CACHE / "locks").mkdir(parents=True, exist_ok=True)
    for labels, run in wanted(plan, track):
        lock = FileLock(files.CACHE / "locks" / f"queue-{run.identity}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        lines = stored(folder)
        if labels["stage"] != LOOK:  # a look's predictions are not stored
            lines = lines[lines.files.notna()]
        if run.identity not in {*lines.identity, *failed}:
            return labels, run, lock
        lock.release()
    return None


if __name__ == "__main__":
    main()
