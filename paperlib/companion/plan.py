"""What is trained for a paper, read from data/plans/<key>.yaml: blocks of runs that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paperlib.companion.runs import Run
from paperlib.models.backbones import weights_available
from paperlib.tracks import Track

PLANS = Path(__file__).resolve().parents[2] / "data" / "plans"
FIELDS = frozenset(
    {"task", "data", "when", "unless", "needs", "seeds", "members", "labels", "settings", "across"}
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs that differ in their seed alone, and the labels (network, method, condition, ...) of their samples."""

    labels: Mapping[str, str]
    runs: list[Run]


def read_plan(key: str, track: Track, *, seeds: int = 0) -> list[Block]:
    """The blocks of a paper on a track, in the plan's order; `seeds` (0: the plan's) is how many runs each has.

    A block of the file has `task`, `data` (a method of `Track`, or "kind: videos"), and perhaps `when` and `unless`
    (track, profile: lists of names), `needs` (attributes that the data must have; "affect" some finite), `seeds`,
    `members` (of an ensemble: what is added to each seed), `labels`, `settings` and `across`: for each label the
    choices, a name and what it adds to the settings. Nested settings are merged. "pretrained: if available" asks for
    ImageNet weights where they are on this machine.

    Raises:
        ValueError: a block has an unknown field.
    """
    path = PLANS / f"{key}.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [b for e in entries if "task" in e for b in _blocks(e, track, seeds, path)]


def _blocks(entry: Mapping[str, Any], track: Track, seeds: int, path: Path) -> Iterator[Block]:
    if unknown := entry.keys() - FIELDS:
        raise ValueError(f"{path}: a block has no field {', '.join(sorted(unknown))}")
    asked = {"track": track.name, "profile": track.profile}
    if not all(asked[name] in allowed for name, allowed in entry.get("when", {}).items()):
        return
    if any(asked[name] in refused for name, refused in entry.get("unless", {}).items()):
        return
    data = _data(track, entry["data"])
    if data is None or not all(_has(data, name) for name in entry.get("needs", [])):
        return
    across = entry.get("across", {})
    for choice in product(*(options.items() for options in across.values())):
        settings = dict(entry.get("settings", {}))
        for _, more in choice:
            settings = merged(settings, more or {})
        if settings.get("pretrained") == "if available":
            settings["pretrained"] = _weights(settings["backbone"])
        labels = {**entry.get("labels", {}), **{k: name for k, (name, _) in zip(across, choice, strict=True)}}
        count = [s + m for s in range(seeds or entry.get("seeds", 1)) for m in entry.get("members", [0])]
        of = {"task": entry["task"], "track": track, "data": data.fingerprint, "settings": settings}
        yield Block(labels=labels, runs=[Run(**of, seed=s) for s in count])


def merged(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them, mappings inside mappings too."""
    both = settings.keys() & more.keys()
    nested = {k for k in both if isinstance(settings[k], Mapping) and isinstance(more[k], Mapping)}
    return {**settings, **more, **{k: merged(settings[k], more[k]) for k in nested}}


def _data(track: Track, name: str | Mapping[str, str]) -> Any:
    return track.of_kind(name["kind"]) if isinstance(name, Mapping) else getattr(track, name)()


def _has(data: Any, name: str) -> bool:
    found = getattr(data, name)
    return found is not None and (name != "affect" or bool(np.isfinite(found).any()))


@cache
def _weights(backbone: str) -> bool:
    return weights_available(backbone)
