"""What is trained for a paper, read from data/plans/<key>.yaml: blocks of runs that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
WHERE = (
    "when",
    "unless",
    "needs",
)  # of a block, of what is added to it, and of a choice; the rest of these are settings
FIELDS = frozenset({*WHERE, "task", "data", "also", "seeds", "labels", "settings", "across"})


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs that differ in their seed alone, and the labels (network, method, condition, ...) of their samples."""

    labels: Mapping[str, str]
    runs: list[Run]


def read_plan(key: str, track: Track, *, seeds: int = 0) -> list[Block]:
    """The blocks of a paper on a track, in the plan's order; `seeds` (0: the plan's) is how many runs each has.

    A block of the file has `task`, `data` (a method of `Track`, or "kind: videos"), and perhaps

    when, unless: track, profile: lists of names; of a list of such mappings, one is enough.
    needs: attributes that the data must have; "affect" some finite ones, "every affect" no others.
    seeds: their number, or one for each profile.
    labels, settings: of all of its runs. "pretrained: if available" asks for ImageNet weights where they are.
    also: settings for where their own `when` says so, under those of the block: a list, of lists too.
    across: for each label the choices: a name and what it adds to the settings, perhaps with `when` and `needs`.

    Nested settings are merged.

    Raises:
        ValueError: a block has an unknown field.
    """
    path = PLANS / f"{key}.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [b for e in entries if "task" in e for b in _blocks(e, track, seeds, path)]


def _blocks(entry: Mapping[str, Any], track: Track, seeds: int, path: Path) -> Iterator[Block]:
    if unknown := entry.keys() - FIELDS:
        raise ValueError(f"{path}: a block has no field {', '.join(sorted(unknown))}")
    data = _data(track, entry["data"]) if _asked(entry, track) else None
    also = [more for more in _flat(entry.get("also", [])) if _asked(more, track)]
    if data is None or not all(_needs(part, data) for part in (entry, *also)):
        return
    count = entry.get("seeds", 1)
    count = count[track.profile] if isinstance(count, Mapping) else count
    across = entry.get("across", {})
    allowed = [
        [(name, more or {}) for name, more in options.items() if _asked(more, track) and _needs(more, data)]
        for options in across.values()
    ]
    for choice in product(*allowed):
        settings: dict[str, Any] = {}
        for more in (*also, entry.get("settings", {}), *(more for _, more in choice)):
            settings = merged(settings, {k: v for k, v in more.items() if k not in WHERE})
        if settings.get("pretrained") == "if available":
            settings["pretrained"] = _weights(settings["backbone"])
        labels = {**entry.get("labels", {}), **{k: name for k, (name, _) in zip(across, choice, strict=True)}}
        of = {"task": entry["task"], "track": track, "data": data.fingerprint, "settings": settings}
        yield Block(labels=labels, runs=[Run(**of, seed=s) for s in range(seeds or count)])


def merged(settings: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with others laid over them, mappings inside mappings too."""
    both = settings.keys() & more.keys()
    nested = {k for k in both if isinstance(settings[k], Mapping) and isinstance(more[k], Mapping)}
    return {**settings, **more, **{k: merged(settings[k], more[k]) for k in nested}}


def _flat(also: Sequence[Any]) -> list[Mapping[str, Any]]:
    return [m for more in also for m in (_flat(more) if isinstance(more, list) else [more])]


def _asked(part: Mapping[str, Any] | None, track: Track) -> bool:
    part = part or {}
    return _fits(part.get("when", {}), track) and not ("unless" in part and _fits(part["unless"], track))


def _fits(where: Any, track: Track) -> bool:
    asked, ways = (
        {"track": track.name, "profile": track.profile},
        where if isinstance(where, list) else [where],
    )
    return any(all(asked[name] in allowed for name, allowed in way.items()) for way in ways)


def _needs(part: Mapping[str, Any] | None, data: Any) -> bool:
    return all(_has(data, name) for name in (part or {}).get("needs", []))


def _data(track: Track, name: str | Mapping[str, str]) -> Any:
    return track.of_kind(name["kind"]) if isinstance(name, Mapping) else getattr(track, name)()


def _has(data: Any, name: str) -> bool:
    found = getattr(data, name.removeprefix("every "))
    if found is None or not name.endswith("affect"):
        return found is not None
    return bool(np.isfinite(found).any() if name == "affect" else np.isfinite(found).all())


@cache
def _weights(backbone: str) -> bool:
    return weights_available(backbone)
