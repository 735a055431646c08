"""Another run that a task builds on: what is asked for, and where its product comes from."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from paperlib.tracks import Track


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One training: a task, its settings, a seed, and the data it sees.

    `task` is "module:function"; the function is called as task(track, settings, seed, checkpoint) and returns named
    arrays. `settings` must survive JSON.
    """

    task: str
    track: Track
    data: str  # fingerprint of what `track` gives
    settings: Mapping[str, Any]
    seed: int

    def function(self) -> Callable[[Track, Mapping[str, Any], int, Path], dict[str, NDArray]]:
        return named(self.task)


def named(name: str) -> Any:
    """What "module:name" names."""
    module, _, local = name.partition(":")
    return getattr(importlib.import_module(module), local)


Source = Callable[[Asked], Mapping[str, NDArray]]


def product(asked: Asked) -> Mapping[str, NDArray]:
    """The arrays of another run: from the cache where the companion is in use, else trained here and now."""
    return _sources[-1](asked)


def products_from(source: Source) -> None:
    """From now on `product` gets the arrays of another run from `source`."""
    _sources.append(source)


def _trained_now(asked: Asked) -> Mapping[str, NDArray]:
    with tempfile.TemporaryDirectory() as folder:
        return asked.function()(asked.track, asked.settings, asked.seed, Path(folder, "checkpoint"))


_sources: list[Source] = [_trained_now]
