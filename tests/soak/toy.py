"""Two small papers for a copy of the checkout: real trainings by a plan, their samples, and short notebooks."""

from __future__ import annotations

from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_notebook

ONE, TWO = "one", ("one", "two")
SEEDS = 8
_SETTINGS = {
    "dimension": "arousal",
    "targets": ["E"],
    "weights": [1.0],
    "delay": 40,
    "cells": 8,
    "noise": 0.2,
    "sequence": 30,
    "schedule": {"optimiser": "adam", "learning_rate": 0.007, "batch": 32, "epochs": 2, "patience": 2},
}
_SAMPLES = '''"""Samples of a toy: what each run predicts of the test recordings."""

import pandas as pd


def build(track, planned):
    tables = [
        pd.DataFrame({"item": range(len(r["test"])), "seed": r.run.seed, **labels, "prediction": r["test"][:, 0]})
        for labels, results in planned
        for r in results
    ]
    return {"": pd.concat(tables, ignore_index=True)}
'''
_READ = """
from paperlib.companion.samples import read
table = read({key!r}, track, folder=samples)
numbers = table.groupby("seed", as_index=False)["prediction"].agg(["mean", "std"])
"""
_GATHER = """
import pandas as pd
from pathlib import Path
ledgers = sorted(Path(os.environ["KEPT"], Path(samples).name).glob("*/ledger.csv"))
numbers = pd.concat([pd.read_csv(path) for path in ledgers if path.parent.name != {key!r}])
"""
_WRITE = """
import os
from pathlib import Path
import matplotlib.pyplot as plt
from IPython.display import Image, display
folder = Path(os.environ["PAPERLIB_OUTPUTS"], track, {key!r})
folder.mkdir(parents=True)
numbers.to_csv(folder / "ledger.csv", index=False)
figure, axes = plt.subplots()
axes.plot(numbers["seed"], numbers["mean"])
figure.savefig(folder / "numbers.png", dpi=160, metadata={{"Software": None}})
plt.close(figure)
display(Image(folder / "numbers.png"))
"""


def add(tree: Path, papers: tuple[str, ...]) -> None:
    """Have the checkout in `tree` reproduce these papers of TWO, in place of its own, and their scoreboard."""
    for notebook in (tree / "notebooks").glob("0?_*.ipynb"):
        notebook.unlink()
    for key in papers:
        modality = {"one": "audio", "two": "video"}[key]
        plan = {
            "task": "paperlib.tasks.perception_uncertainty:train",
            "data": "recordings",
            "seeds": SEEDS,
            "labels": {"modality": modality},
            "settings": _SETTINGS | {"modality": "audio"},
        }
        if key == "two":
            plan["settings"] = {**plan["settings"], "targets": ["sigma"]}
        (tree / "data" / "plans" / f"{key}.yaml").write_text(yaml.safe_dump([plan]))
        (tree / "paperlib" / "companion" / "samples" / f"{key}.py").write_text(_SAMPLES)
        _notebook(tree, f"0{TWO.index(key) + 1}_{key}", _READ, key)
    _notebook(tree, "00_scoreboard", _GATHER, "scoreboard")


def _notebook(tree: Path, name: str, numbers: str, key: str) -> None:
    parameters = new_code_cell("track = 'twin'\nsamples = ''")
    parameters.metadata["tags"] = ["parameters"]
    cells = [parameters, *(new_code_cell("import os" + c.format(key=key)) for c in (numbers, _WRITE))]
    notebook = new_notebook(cells=[*cells, new_code_cell("numbers")])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
    nbformat.write(notebook, tree / "notebooks" / f"{name}.ipynb")
