"""A method of one's own, from a file of a few lines, trained as the plain networks of the pages are.

The file defines one of two things: a class below `models.expression.ExpressionNet`, which learns categories; or a
function of (mean, log_variance, target), by which a network with a variance head learns, as in `losses.LOSSES`. A
run's settings name the file's text by a hash; a copy lies under that name in the cache, whatever becomes of the file.
"""

from __future__ import annotations

import hashlib
import inspect
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from sys import modules
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paperlib import files, losses
from paperlib.models.expression import ExpressionNet
from paperlib.tasks import label_variance, same_faces
from paperlib.tasks.noisy_labels import CLASSES, learn, predict, problem, training_labels
from paperlib.tracks import Track
from paperlib.training import Schedule

ARGUMENTS = ("mean", "log_variance", "target")  # by which a function is known as a loss
LOSS = "own"  # its name among `losses.LOSSES` while it is learnt by


def on_wrong_labels(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float16]]:
    """`noisy_labels.train` for a class of one's own: the probability (n_test, 7) of the test rows.

    Settings: those of the plain network without `method`; `text`, see `keep`.
    """
    parts, faces = problem(track), track.categories()
    assert faces is not None
    label, _ = training_labels(track, settings["labels"], noise=settings["noise"], seed=seed)
    model = _network(settings, parts.images, len(label), seed)
    learn(model, parts.images, label, Schedule(**settings["schedule"]), seed=seed, checkpoint=checkpoint)
    return {"probability": predict(model, faces.images[parts.test_rows]).astype(np.float16)}


def on_same_faces(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray]:
    """`same_faces.train` for a class of one's own.

    Returns:
        probability, loss and seconds as there; a loss is NaN where the class never calls `remember`. "own doubt" (n,)
        of the given labels, if the class has a `doubt` of its own.
    """
    parts = same_faces.problem(track)
    assert parts is not None
    images = parts.faces.images[parts.train]
    model = _network(settings, images, len(parts.label), seed)
    start = time.process_time()
    learn(model, images, parts.label, Schedule(**settings["schedule"]), seed=seed, checkpoint=checkpoint)
    seconds = time.process_time() - start
    out = {
        "probability": torch.from_numpy(predict(model, parts.faces.images[parts.test])),
        "loss": (model.total_loss / model.visits).cpu(),
    }
    if type(model).doubt is not ExpressionNet.doubt:
        out["own doubt"] = model.doubt().detach().cpu()
    half = {name: values.clamp(-6e4, 6e4).numpy().astype(np.float16) for name, values in out.items()}
    return half | {"seconds": np.array([seconds])}


def on_faces(track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    """`label_variance.train_faces` by a loss of one's own."""
    return _by_loss(label_variance.train_faces, track, settings, seed, checkpoint)


def on_sequences(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray]:
    """`label_variance.train_sequences` by a loss of one's own."""
    return _by_loss(label_variance.train_sequences, track, settings, seed, checkpoint)


def keep(text: str) -> str:
    """Put a file's text into the cache, and give the hash that the setting `text` names it by."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    files.write_text(_place(name), text)
    return name


def read(path: Path) -> Any:
    """Run a file, and give the class or function that is its method.

    Raises:
        ValueError: it fails, or defines no method or several; names file and line.
    """
    module = ModuleType(f"own_{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}")
    module.__file__ = str(path)
    modules[module.__name__] = module  # dataclasses look their module up, and inspect its lines
    with told(path):
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), vars(module))
    there = [x for x in vars(module).values() if getattr(x, "__module__", "") == module.__name__]
    methods = list(dict.fromkeys(x for x in there if _is_network(x) or _is_loss(x)))
    methods = [x for x in methods if not any(_is_network(y) and x in y.__mro__[1:] for y in methods)]
    if len(methods) != 1:
        wanted = f"a class below ExpressionNet or a function of {', '.join(ARGUMENTS)}"
        found = " and ".join(f"{x.__name__} (line {line_of(x)})" for x in methods)
        raise ValueError(f"{path}:1: one method is needed, {wanted}; there is {found or 'none'}")
    return methods[0]


def line_of(found: Any) -> int:
    """The line of its file where a class or function begins."""
    return max(inspect.getsourcelines(found)[1], 1)


@contextmanager
def told(path: Path, line: int = 0) -> Iterator[None]:
    """What fails in the block becomes a ValueError with the line of the file where it did, or else with `line`."""
    try:
        yield
    except SyntaxError as error:
        raise ValueError(f"{path}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        inside = [x.lineno for x in traceback.extract_tb(error.__traceback__) if x.filename == str(path)]
        if not inside and not line:
            raise
        kind = f"{type(error).__name__}: " if inside else ""
        raise ValueError(f"{path}:{[line, *inside][-1]}: {kind}{error}") from error


def _is_network(x: Any) -> bool:
    return isinstance(x, type) and issubclass(x, ExpressionNet)


def _is_loss(x: Any) -> bool:
    return isinstance(x, FunctionType) and tuple(inspect.signature(x).parameters)[:3] == ARGUMENTS


def _place(name: str) -> Path:
    return files.CACHE / "own" / f"{name}.py"


def _network(settings: Mapping[str, Any], images: NDArray, n: int, seed: int) -> ExpressionNet:
    given = read(_place(settings["text"]))  # first: what the file draws at random must not move the weights
    backbone, features = label_variance.first_backbone(images, settings, seed)
    return given(backbone, features, n=n, classes=CLASSES)


def _by_loss(train: Callable[..., Any], track: Track, settings: Mapping[str, Any], *rest: Any) -> Any:
    losses.LOSSES[LOSS] = read(_place(settings["text"]))
    try:
        return train(track, {**settings, "loss": LOSS}, *rest)
    finally:
        del losses.LOSSES[LOSS]
