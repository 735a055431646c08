"""A method of one's own as one more row of the pages, beside the kept ones: the same faces, seeds and intervals.

`make reproduce METHOD=<file>` checks the file, trains what data/plans/own.yaml says, and makes the pages with its row,
in folders of their own. What the file may define: `paperlib.tasks.own`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from torch import Tensor

from paperlib import files
from paperlib.companion import more, plan, samples
from paperlib.companion.again import part_of
from paperlib.companion.provenance import code_imported, digest
from paperlib.companion.runs import Run, UnsuitedError, missing_runs, run_missing
from paperlib.models.backbones import build_backbone
from paperlib.models.expression import ExpressionNet
from paperlib.tracks import Track
from paperlib.training import Schedule
from paperlib.twin import make_faces

SEEDS = 3  # trainings of each kind, unless SEEDS says otherwise
TRIED = 64  # generated faces that a method is tried on
TASKS = {  # what a plain network's task becomes
    "paperlib.tasks.noisy_labels:train": "paperlib.tasks.own:on_wrong_labels",
    "paperlib.tasks.same_faces:train": "paperlib.tasks.own:on_same_faces",
    "paperlib.tasks.label_variance:train_faces": "paperlib.tasks.own:on_faces",
    "paperlib.tasks.label_variance:train_sequences": "paperlib.tasks.own:on_sequences",
}


@dataclass(frozen=True, kw_only=True)
class Method:
    """What a file defines: its name in tables, its line, class or loss, and the settings by which runs know it."""

    path: Path
    line: int
    name: str
    kind: str
    settings: Mapping[str, str]


def check(path: str | Path) -> Method:
    """Read a file and try its method on a few faces: a class for three steps of training and one of reading.

    Raises:
        OSError: there is no such file.
        ValueError: it defines no method or several; or the method fails, has a wrong shape, or a value or a gradient
            that is missing or not finite. Names file and line.
    """
    task, path = import_module("paperlib.tasks.own"), Path(path)
    found, text = task.read(path), path.read_text(encoding="utf-8")
    kind = "class" if isinstance(found, type) else "loss"
    with task.told(path, task.line_of(vars(found).get("loss", found))), torch.random.fork_rng():
        torch.manual_seed(0)
        (_try_network if kind == "class" else _try_loss)(found)
    known = {"text": task.keep(text), "reads": digest(json.dumps(code_imported(text), sort_keys=True))}
    return Method(path=path, line=task.line_of(found), name=found.__name__, kind=kind, settings=known)


def rows() -> dict[str, dict[str, Any]]:
    """By page, what is trained for its row; see data/plans/own.yaml."""
    return yaml.safe_load((plan.PLANS / "own.yaml").read_text(encoding="utf-8"))


def blocks(method: Method, key: str, track: Track, stored: Path, *, seeds: int = 0) -> list[plan.Block]:
    """The plain network's runs on a page, with the method in its place: of so many of its stored seeds, SEEDS for 0.

    stored: the folder of the kept samples.

    Raises:
        UnsuitedError: no samples of the page are stored, or it needs more seeds.
        ValueError: a stored method has the same name.
    """
    row, seeds = rows()[key], seeds or SEEDS
    if not samples.tables_of(key, stored):
        why = f"no samples of it are stored for {stored.name}; TRAIN=all PAPER={key} makes them"
        raise UnsuitedError(why)
    kept = samples.read(key, track.name, folder=stored, columns=["method", "seed"])
    have = sorted(map(int, kept["seed"][kept["method"] == row["plain"]].unique()))
    if method.name in set(kept["method"]):
        where = f"{method.path}:{method.line}"
        raise ValueError(f"{where}: {key} has a method {method.name} already: rename yours")
    if row.get("seeds") == "all" and seeds < len(have):
        raise UnsuitedError(f"it draws people and seeds together, and needs SEEDS={len(have)}")
    wanted = {**row.get("runs", {}), "method": [row["plain"]]}
    return [
        plan.Block(
            labels={**block.labels, "method": method.name},
            runs=[_instead(run, method) for run in block.runs if run.seed in have[:seeds]],
        )
        for block in part_of(key, wanted, track, seeds=have[-1] + 1)
    ]


def add(
    method: Method, track: Track, stored: Path, planned: Mapping[str, Sequence[plan.Block]], **how: Any
) -> Path:
    """Train what is missing of the `blocks` of each page, and give the folder of samples that have the method's rows.

    stored: the folder of the kept samples, which stay as they are. how: `jobs` and `cluster` of `run_missing`.

    Raises:
        RuntimeError: a run failed.
        ValueError: the stored samples are of other faces.
    """
    folder = files.CACHE / "samples" / f"{stored.name}-own-{method.name}"
    run_missing([run for of in planned.values() for block in of for run in block.runs], **how)
    for key, of in planned.items():
        made, _ = more.build(key, track, of)
        kept = more.stored(key, stored)
        kept[""], made[""] = (x.assign(own=np.int8(of_own)) for of_own, x in enumerate((kept[""], made[""])))
        labels = dict.fromkeys(name for block in of for name in block.labels)
        samples.write(more.joined(kept, made, [*labels]), key, track.name, folder=folder)
    return folder


def explain(planned: Mapping[str, Sequence[plan.Block]]) -> Iterator[str]:
    """Lines on what would be trained: page, block, how many runs, and their settings."""
    for key, block in [(key, block) for key, of in planned.items() for block in of]:
        missing, seeds = missing_runs(block.runs), ", ".join(str(run.seed) for run in block.runs)
        what = ", ".join(block.labels.values())
        yield f"{key}, {what}: {len(missing)} of {len(block.runs)} runs to train, seeds {seeds}"
        yield f"  {json.dumps(dict(block.runs[0].settings))}"


def screen(outputs: Sequence[Path]) -> Iterator[str]:
    """Lines for a screen: what the pages with these folders of tables say of the method, less the plain network."""
    for path in [folder / "own.csv" for folder in outputs if (folder / "own.csv").is_file()]:
        found = pd.read_csv(path).fillna({k: "mean" for k in ("network", "noise", "dimension")})
        keys = [k for k in ("network", "noise", "dimension", "measure") if k in found]
        yield f"\n{path.parent.name}: {found['method'][0]} less {found['less method'][0]}, positive is better"
        for x in found.to_dict("records"):
            said = f"{x['estimate']:+.3g} [{x['low']:.3g}, {x['high']:.3g}]: {x['verdict']}"
            yield f"  {', '.join(x[k] for k in keys)}: {said}"


def _instead(run: Run, method: Method) -> Run:
    recipe = {k: v for k, v in run.settings.items() if k not in ("method", "loss")}
    settings = {**recipe, **method.settings}
    return Run(task=TASKS[run.task], track=run.track, data=run.data, settings=settings, seed=run.seed)


def _try_network(found: type[ExpressionNet]) -> None:
    task = import_module("paperlib.tasks.noisy_labels")
    faces = make_faces(TRIED, seed=0, size=48)
    label = np.arange(TRIED) % task.CLASSES
    backbone, features = build_backbone("tiny_resnet", channels=1)
    model = found(backbone, features, n=TRIED, classes=task.CLASSES)
    x = task.as_input(torch.from_numpy(faces.images))
    value = model.train()(x, torch.from_numpy(label), torch.arange(TRIED))
    _refuse(value, [()], "the mean over the batch")
    value.backward()
    _refuse_gradients({"the backbone": [p.grad for p in model.backbone.parameters()]})
    task.learn(model, faces.images, label, Schedule(epochs=1, batch=32, learning_rate=0.004), seed=0)
    with torch.inference_mode():
        said, doubt = torch.from_numpy(task.predict(model, faces.images)), model.doubt()
    if said.shape != (TRIED, task.CLASSES) or not torch.isfinite(said).all():
        raise ValueError(f"called with pictures alone it must give finite logits ({TRIED}, {task.CLASSES})")
    if doubt.shape != (TRIED,):
        got = tuple(doubt.shape)
        raise ValueError(f"doubt() must give a number a training row, ({TRIED},); it gives {got}")


def _try_loss(found: Any) -> None:
    target = 2 * torch.rand(TRIED, 2) - 1
    mean, log_variance = target + 0.3 * torch.randn(TRIED, 2), torch.full((TRIED, 2), -2.0)
    mean[0] = target[0]  # where a root or a norm has no gradient
    value = found(mean.requires_grad_(), log_variance.requires_grad_(), target)
    _refuse(value, [(TRIED, 2), ()], "one value an element, or their mean")
    value.mean().backward()
    _refuse_gradients({"mean": [mean.grad], "log_variance": [log_variance.grad]})


def _refuse(value: Any, shapes: Sequence[tuple[int, ...]], what: str) -> None:
    if not isinstance(value, Tensor) or tuple(value.shape) not in shapes:
        got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"the loss must be {what}, of shape {' or '.join(map(str, shapes))}; it is {got}")
    if not torch.isfinite(value).all():
        raise ValueError("the loss is not finite in the first step")
    if not value.requires_grad:
        raise ValueError("the loss has no gradient: something in it was detached, or made by numpy")


def _refuse_gradients(of: Mapping[str, Sequence[Tensor | None]]) -> None:
    for name, gradients in of.items():
        there = [g for g in gradients if g is not None]
        if not all(torch.isfinite(g).all() for g in there):
            raise ValueError(f"the gradient of {name} is not finite in the first step")
        if not any(g.abs().sum() > 0 for g in there):
            raise ValueError(f"the loss gives {name} no gradient")
