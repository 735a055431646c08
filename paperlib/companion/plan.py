"""What is trained for a paper, read from data/plans/<key>.yaml: blocks of runs that differ in their seed alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paperlib.asked import named
from paperlib.companion.runs import Run, UnsuitedError
from paperlib.data.records import FaceSet, RecordingSet, turns
from paperlib.tracks import Track

PLANS = Path(__file__).resolve().parents[2] / "data" / "plans"
WHERE = ("when", "unless", "needs")
FIELDS = {*WHERE, *"task data seeds members labels settings also across check".split()}

# what a block needs, in words; of data by name, and of their attributes
NEEDED = {
    "faces": "faces",
    "categories": "faces with a category",
    "sequences": "recordings cut into segments",
    "recordings": "recordings that were rated all along",
    "affect": "valence and arousal",
    "every affect": "valence and arousal of every face",
    "expression": "categories",
    "label": "categories",
    "original": "a first label by another source",
    "votes": "votes for categories",
    "ratings": "single raters' valence and arousal",
    "landmarks": "landmarks",
    "audio": "speech, or features of it",
    "video": "landmarks, or features of the face",
    "gold": "a gold standard",
}

Part = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Runs that differ in their seed alone, and the labels (network, method, condition, ...) of their samples."""

    labels: Mapping[str, str]
    runs: list[Run]


def read_plan(key: str, track: Track, *, seeds: int = 0) -> list[Block]:
    """The blocks of a paper on a track, in the plan's order; `seeds` (0: the plan's) is how many runs each has.

    A block of one seed keeps it: others wait for it, such as the network of pseudo labels.

    A block of the file has `task`, `data` (see `_data`), and perhaps

    when, unless: track, profile: lists of names; of a list of such mappings, one is enough.
    needs: attributes that the data must have; "every affect": no row lacks it; "no video": they must not.
    seeds: their number, or one for each profile. members: of an ensemble, what is added to each seed.
    labels, settings: of all of its runs. "pretrained: if available" asks for ImageNet weights where they are.
    also: what lies under the block: a list (of lists too) of when, needs, seeds and settings.
    check: a function of data and settings that raises ValueError where these cannot be learnt or tested.
    across: for each label the choices: a name and what it adds to the settings, perhaps with `when` and `needs`.

    Settings inside settings are merged. Of recordings that are tested in turn each block is there once for each turn,
    and has the label "tested".

    Raises:
        ValueError: a block has an unknown field.
        UnsuitedError: a category that a block learns has too few faces to train or to test, or a `check` refuses.
    """
    path = PLANS / f"{key}.yaml"
    return [b for e in _entries(path) for b in _blocks(e, track, seeds, path)]


def lacking(key: str, track: Track) -> str:
    """What the data of a track lack, in words, that would let one block of a paper's plan at least be trained."""
    least: list[str] | None = None
    for entry in _entries(PLANS / f"{key}.yaml"):
        layers = [layer for layer in [*_flat(entry.get("also", [])), entry] if _asked(layer, track)]
        if _asked(entry, track):
            missing = _unmet(entry, layers, _data(track, entry["data"]))
            least = missing if least is None or len(missing) < len(least) else least
    return " and ".join(dict.fromkeys(NEEDED.get(name, name) for name in least or ["data of its kind"]))


def _entries(path: Path) -> list[Part]:
    return [entry for entry in yaml.safe_load(path.read_text(encoding="utf-8")) if "task" in entry]


def _unmet(entry: Part, layers: Sequence[Part], data: Any) -> list[str]:
    """What a block and its layers need and the data lack; of data that are not there, what these are."""
    if data is None:
        name = entry["data"]
        return [name["kind"] if isinstance(name, Mapping) else "data for its task" if ":" in name else name]
    return [need for layer in layers for need in layer.get("needs", []) if not _has(data, need)]


def _refuse_missing_classes(entry: Part, data: Any, track: Track) -> None:
    """ValueError if a split has no face, or none of a category that a block learns or tests."""
    if track.name == "twin" or not isinstance(data, FaceSet):
        return
    from paperlib.labels import refuse_rare  # here, because torch takes seconds

    # beside valence and arousal: three points make a Gaussian
    learns = "expression" in entry.get("needs", [])
    classes = 8 if learns and (np.asarray(data.expression) == 7).any() else 7
    known = np.isfinite(data.affect).all(axis=1) if learns else np.ones(len(data), bool)
    for split, least in (("train", 3 if learns else 1), ("test", 1)):
        where = f"{data.name}, split {split}{' with valence and arousal' if learns else ''}"
        own = np.flatnonzero(known & (data.split == split))
        if not len(own):
            raise ValueError(f"{where}: no face. Every page trains and tests: give some faces that split.")
        if data.expression is not None and (learns or entry["data"] == "categories"):
            refuse_rare(data.expression[own], classes=range(classes), least=least, where=where)


def _blocks(entry: Part, track: Track, seeds: int, path: Path) -> Iterator[Block]:
    layers = [*_flat(entry.get("also", [])), entry]
    if unknown := {name for layer in layers for name in layer} - FIELDS:
        raise ValueError(f"{path}: a block has no field {', '.join(sorted(unknown))}")
    layers = [layer for layer in layers if _asked(layer, track)]
    if not _asked(entry, track):
        return
    data = _data(track, entry["data"])
    if _unmet(entry, layers, data):
        return
    with _unsuited():
        _refuse_missing_classes(entry, data, track)
    for turn in turns(data) or [track.tested]:
        in_turn = replace(track, tested=turn)
        yield from _blocks_of(entry, layers, in_turn, _data(in_turn, entry["data"]) if turn else data, seeds)


@contextmanager
def _unsuited() -> Iterator[None]:
    try:
        yield
    except ValueError as error:
        raise UnsuitedError(str(error)) from None


def _blocks_of(entry: Part, layers: Sequence[Part], track: Track, data: Any, seeds: int) -> Iterator[Block]:
    given: dict[str, Any] = {}
    for layer in layers:
        given = merged(given, {k: layer[k] for k in ("seeds", "settings") if k in layer})
    settings = given.get("settings", {})
    if "check" in entry:
        with _unsuited():
            named(entry["check"])(data, settings)
    allowed = [
        [(label, name, more or {}) for name, more in options.items() if not more or _suits(more, track, data)]
        for label, options in entry.get("across", {}).items()
    ]
    of = {"task": entry["task"], "track": track, "data": _fingerprint(track, entry["data"], data)}
    count = given.get("seeds", 1)
    count = count[track.profile] if isinstance(count, Mapping) else count
    count = count if count == 1 else seeds or count
    numbers = [s + m for s in range(count) for m in entry.get("members", [0])]
    for choice in product(*allowed):
        chosen = _chosen(settings, [more for *_, more in choice])
        labels = {**entry.get("labels", {}), **{label: name for label, name, _ in choice}}
        labels |= {"tested": track.tested} if track.tested else {}
        yield Block(labels=labels, runs=[Run(**of, settings=chosen, seed=s) for s in numbers])


def merged(settings: Part, more: Part) -> dict[str, Any]:
    """Settings with others laid over them, mappings inside mappings too."""
    both = settings.keys() & more.keys()
    nested = {k for k in both if isinstance(settings[k], Mapping) and isinstance(more[k], Mapping)}
    return {**settings, **more, **{k: merged(settings[k], more[k]) for k in nested}}


def _chosen(settings: Part, choices: Sequence[Part]) -> dict[str, Any]:
    for more in choices:
        settings = merged(settings, {k: v for k, v in more.items() if k not in WHERE})
    if settings.get("pretrained") == "if available":
        return {**settings, "pretrained": _weights(settings["backbone"])}
    return dict(settings)


def _flat(layers: Sequence[Any]) -> list[Part]:
    return [m for layer in layers for m in (_flat(layer) if isinstance(layer, list) else [layer])]


def _asked(part: Part, track: Track) -> bool:
    return _fits(part.get("when", {}), track) and not ("unless" in part and _fits(part["unless"], track))


def _fits(where: Any, track: Track) -> bool:
    asked = {"track": track.name, "profile": track.profile}
    ways = where if isinstance(where, list) else [where]
    return any(all(asked[name] in allowed for name, allowed in way.items()) for way in ways)


def _data(track: Track, name: str | Mapping[str, str]) -> Any:
    """By a method of `Track`, such as "faces"; a function of the track, "module:function"; or {kind: videos}."""
    if isinstance(name, Mapping):
        return track.of_kind(name["kind"])
    return named(name)(track) if ":" in name else getattr(track, name)()


def _fingerprint(track: Track, name: str | Mapping[str, str], data: Any) -> str:
    """That of the data, or of what `fingerprint: "module:function"` makes of the track and the rest of `name`."""
    if isinstance(name, str) or "fingerprint" not in name:
        return str(data.fingerprint)
    rest = {k: v for k, v in name.items() if k != "fingerprint"}
    return str(named(name["fingerprint"])(track, **rest).fingerprint)


def _suits(part: Part, track: Track, data: Any) -> bool:
    return _asked(part, track) and all(_has(data, name) for name in part.get("needs", []))


def _has(data: Any, name: str) -> bool:
    how, _, what = name.rpartition(" ")
    if how == "no":
        return not _has(data, what)
    if isinstance(data, RecordingSet) and data.truth is not None and what in ("audio", "video"):
        return True  # the twin's features are made when they are asked for
    found = getattr(data, what)
    kind = getattr(getattr(found, "dtype", None), "kind", "")
    if found is None or kind not in "fi" or not kind:
        return found is not None
    known = np.isfinite(found) if kind == "f" else found >= 0
    return bool(known.all() if how == "every" else known.any())


@cache
def _weights(backbone: str) -> bool:
    from paperlib.models.backbones import weights_available

    return weights_available(backbone)
