"""What is trained for a paper, read from data/plans/<key>.yaml: blocks of runs that differ in their seed alone."""

from __future__ import annotations

import importlib
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
    {"task", "data", "instead", "when", "unless", "needs", "seeds", "labels", "settings", "also", "across"}
)
FINGERPRINT = "fingerprint on"  # of a setting: the fingerprint that the block's data have on this track


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs that differ in their seed alone, and the labels (network, method, condition, ...) of their samples."""

    labels: Mapping[str, str]
    runs: list[Run]


def read_plan(key: str, track: Track, *, seeds: int = 0) -> list[Block]:
    """The blocks of a paper on a track, in the plan's order; `seeds` (0: the plan's) is how many runs each has.

    A block of the file has `task`, `data` (a method of `Track`, "kind: videos", or a function of the track as
    "module:function"), and perhaps
    `instead`: by track the other one whose data its runs are on;
    `when` and `unless` (track, profile: lists of names), `needs` (attributes that the data must have; of numbers some
    known one);
    `seeds`: how many, or how many by profile; `labels`;
    `also`: a list of settings for where their own `when` says so, under the block's `settings`;
    `across`: for each label the choices, a name and what it adds to the settings.
    Nested settings are merged. "pretrained: if available" asks for ImageNet weights where they are on this machine.

    Raises:
        ValueError: a block has an unknown field.
    """
    path = PLANS / f"{key}.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [b for e in entries if "task" in e for b in _blocks(e, track, seeds, path)]


def _blocks(entry: Mapping[str, Any], track: Track, seeds: int, path: Path) -> Iterator[Block]:
    if unknown := entry.keys() - FIELDS:
        raise ValueError(f"{path}: a block has no field {', '.join(sorted(unknown))}")
    if not _asked(entry, track):
        return
    settings: dict[str, Any] = {}
    for more in (*entry.get("also", []), entry):
        settings = merged(settings, more.get("settings", {})) if _asked(more, track) else settings
    count = entry.get("seeds", 1)
    count = range(seeds or (count[track.profile] if isinstance(count, Mapping) else count))
    other = entry.get("instead", {}).get(track.name)
    track = Track(name=other, profile=track.profile) if other else track
    data = _data(track, entry["data"])
    if data is None or not all(_has(data, name) for name in entry.get("needs", [])):
        return
    settings, across = _with_fingerprints(settings, track, entry["data"]), entry.get("across", {})
    for choice in product(*(options.items() for options in across.values())):
        chosen = settings
        for _, more in choice:
            chosen = merged(chosen, more or {})
        if chosen.get("pretrained") == "if available":
            chosen = {**chosen, "pretrained": _weights(chosen["backbone"])}
        labels = {**entry.get("labels", {}), **{k: name for k, (name, _) in zip(across, choice, strict=True)}}
        of = {"task": entry["task"], "track": track, "data": data.fingerprint, "settings": chosen}
        yield Block(labels=labels, runs=[Run(**of, seed=s) for s in count])


def _asked(entry: Mapping[str, Any], track: Track) -> bool:
    asked = {"track": track.name, "profile": track.profile}
    refused = any(asked[name] in names for name, names in entry.get("unless", {}).items())
    return not refused and all(asked[name] in names for name, names in entry.get("when", {}).items())


def _with_fingerprints(settings: Mapping[str, Any], track: Track, data: Any) -> dict[str, Any]:
    found = dict(settings)
    for name, value in settings.items():
        if isinstance(value, Mapping) and set(value) == {FINGERPRINT}:
            found[name] = _data(Track(name=value[FINGERPRINT], profile=track.profile), data).fingerprint
        elif isinstance(value, Mapping):
            found[name] = _with_fingerprints(value, track, data)
    return found


def merged(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them, mappings inside mappings too."""
    both = settings.keys() & more.keys()
    nested = {k for k in both if isinstance(settings[k], Mapping) and isinstance(more[k], Mapping)}
    return {**settings, **more, **{k: merged(settings[k], more[k]) for k in nested}}


def _data(track: Track, name: str | Mapping[str, str]) -> Any:
    if isinstance(name, Mapping):
        return track.of_kind(name["kind"])
    module, _, function = name.rpartition(":")
    return getattr(importlib.import_module(module), function)(track) if module else getattr(track, name)()


def _has(data: Any, name: str) -> bool:
    found = getattr(data, name)
    if found is None or found.dtype.kind not in "fi":
        return found is not None
    return bool(np.isfinite(found).any() if found.dtype.kind == "f" else (found >= 0).any())


@cache
def _weights(backbone: str) -> bool:
    return weights_available(backbone)
