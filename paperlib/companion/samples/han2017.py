"""han2017's samples: what people rated all along, what networks predict of it, and what was chosen on development.

Whatever is chosen or fitted is so once a seed, on development: the weights of the two tasks, each step of
post-processing, late fusion. The intervals of a page take these choices as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned
from paperlib.data.records import IN_TURN, RecordingSet, turns
from paperlib.labels import AFFECT
from paperlib.metrics import ccc
from paperlib.postprocessing import fit_postprocessing, steps
from paperlib.tasks.perception_uncertainty import divided
from paperlib.tracks import Track

Trace = NDArray[np.float64]
Traces = Mapping[str, Trace]  # by partition: of its recordings, end to end
GRID = np.float32(4096)  # predictions are kept to an eight-thousandth
Networks = Mapping[str, Sequence[Result]]  # of one modality and dimension, by name; one a seed
DIMENSIONS = ("arousal", "valence")  # the paper's order
TARGETS = {"E": "E", "σ": "sigma"}  # the paper's name: the runs'
PARTITIONS = {"train": "train", "dev": "validation", "test": "test"}
NAMES = {**{split: partition for partition, split in PARTITIONS.items()}, IN_TURN: "test"}
SCORED = ("dev", "test")
FUSED = "audio+video"
WINDOWS = (1, 3, 5, 11, 21, 41, 81, 161)  # frames of the median filter that are tried
LONGEST_WINDOW, LONGEST_SHIFT = 16.1, 5.0  # seconds


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The page's tables: "" (predictions), ratings, runs, steps and delays; data/samples/README.md says what they hold.

    `planned` are the plan's blocks: labels, and the results of runs that differ in their seed alone.
    """
    record = track.recordings()
    assert record is not None
    parts = [_of_turn(track, turn, planned) for turn in turns(record) or [track.tested]]
    tables = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    return {**tables, "ratings": ratings(record)}


def _of_turn(track: Track, turn: str, planned: Planned) -> dict[str, pd.DataFrame]:
    """The tables of the networks that were tested on one pair of recordings, or on the test that the data set has."""
    record = replace(track, tested=turn).recordings()
    assert record is not None
    planned = [(labels, results) for labels, results in planned if labels.get("tested", "") == turn]
    networks: dict[tuple[str, str], dict[str, Sequence[Result]]] = {}
    for labels, results in planned:
        if labels["network"] != "delay":
            networks.setdefault((labels["modality"], labels["dimension"]), {})[labels["network"]] = results
    searches = [results[0] for labels, results in planned if labels["network"] == "delay"]
    some = next(iter(next(iter(networks.values())).values()))[0]
    gold = Gold.of(record, some.run.settings["delay"])
    alone = [p for (m, d), of in networks.items() for p in _alone(m, d, of, gold)]
    every = sorted([*alone, *_fused(alone, gold)], key=lambda p: (p.dimension, p.target))  # packs well
    return {
        "": pd.concat([p.table(gold) for p in every], ignore_index=True),
        "runs": pd.DataFrame([line for (m, d), of in networks.items() for line in _runs(m, d, of)]),
        "steps": pd.DataFrame([line for p in alone if p.task == "multi" for line in p.gains(gold)]),
        "delays": pd.DataFrame(
            [{**line, "unit": turn} for r in searches for line in _delays(r, record.rate)]
        ),
    }


def ratings(record: RecordingSet) -> pd.DataFrame:
    """A row a frame and dimension, at the time of the rating: what each rater said, and the truth where it is known."""
    owner = np.repeat(np.arange(len(record)), record.frames)
    frames = pd.DataFrame(
        {
            "recording": record.recording[owner],
            "unit": record.pair[owner],
            "partition": [NAMES[split] for split in record.split[owner]],  # in turn: each is the test once
            "item": np.arange(len(owner), dtype=np.int32),
            "time": np.concatenate([np.arange(n) / record.rate for n in record.frames]).astype(np.float32),
        }
    )
    parts = []
    for dimension in DIMENSIONS:
        d = AFFECT.index(dimension)
        said = {f"rater {k + 1}": record.ratings[:, k, d] for k in range(record.ratings.shape[1])}
        if record.truth is not None:
            said |= {"true E": record.truth.affect[:, d], "true variance": record.truth.variance[:, d]}
        else:
            said |= dict.fromkeys(("true E", "true variance"), np.full(len(owner), np.nan, np.float32))
        parts.append(frames.assign(dimension=dimension, **said))
    return pd.concat(parts, ignore_index=True)


@dataclass(frozen=True, kw_only=True)
class Gold:
    """The gold standard, moved back by the delay: F frames are left, since nobody rated a recording's last ones."""

    item: NDArray[np.int64]  # (F,) the record's frame in which each was rated
    recording: NDArray[np.str_]  # (F,)
    unit: NDArray[np.str_]  # (F,) the pair of people
    partition: NDArray[np.str_]  # (F,) the paper's names
    label: Mapping[tuple[str, str], Trace]  # (F,) by dimension and target; NaN where too few rated
    true: Mapping[str, Trace]  # (F,) by dimension: the true uncertainty, on the scale of the raters'
    rate: float  # frames a second

    @classmethod
    def of(cls, record: RecordingSet, delay: int) -> Gold:
        """What the networks learn (`perception_uncertainty.divided`), and the truth where it is known."""
        parts = divided(record, delay)
        item = np.flatnonzero(parts.kept) + delay
        owner = np.repeat(np.arange(len(record)), parts.frames)
        partition = np.array([NAMES[split] for split in record.split])[owner]
        dev = partition == "dev"
        label: dict[tuple[str, str], Trace] = {}
        true: dict[str, Trace] = {}
        for dimension in DIMENSIONS:
            d = AFFECT.index(dimension)
            label |= {(dimension, target): parts.gold[:, t, d] for t, target in enumerate(TARGETS)}
            true[dimension] = np.full(len(item), np.nan)
            if record.truth is not None:
                deviation = np.sqrt(record.truth.variance[item, d].astype(np.float64))
                true[dimension] = _like(deviation, deviation[dev], label[dimension, "σ"][dev])
        of: dict[str, Any] = {"item": item, "recording": record.recording[owner], "unit": record.pair[owner]}
        return cls(**of, partition=partition, label=label, true=true, rate=record.rate)

    def at(self, dimension: str, target: str, partition: str) -> Trace:
        """The labels of a partition's frames."""
        return self.label[dimension, target][self.partition == partition]

    def split(self, trace: Trace, partition: str) -> list[Trace]:
        """A partition's trace cut into its recordings."""
        _, first = np.unique(self.recording[self.partition == partition], return_index=True)
        return np.split(trace, np.sort(first)[1:])


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """What one network, or the fusion of two, says of every frame of development and test."""

    modality: str
    task: str
    dimension: str
    target: str
    seed: int
    by_step: Mapping[str, Traces] = field(default_factory=dict)  # after each step of post-processing
    final: Traces

    def table(self, gold: Gold) -> pd.DataFrame:
        """A row a frame; what Table 1 does not show ("w = 1", "multi by MSE", ", fitted") is read on the test alone."""
        parts, whole = [], self.task in ("single", "multi") and "," not in self.modality
        for partition in SCORED if whole else ("test",):
            there = gold.partition == partition
            centred = self.by_step["centring"][partition] if self.by_step and whole else np.nan
            true = gold.true[self.dimension][there] if self.target == "σ" else np.nan
            frames = {k: getattr(gold, k)[there] for k in ("recording", "unit", "item")}
            said: dict[str, Any] = {"label": gold.at(self.dimension, self.target, partition)}
            said |= {"prediction": self.final[partition], "centred": centred, "true": true}
            parts.append(pd.DataFrame({"partition": partition, **frames, **said}))
        keys = {k: getattr(self, k) for k in ("modality", "task", "dimension", "target")}
        out = pd.concat(parts, ignore_index=True)
        out = out.astype({"item": np.int32, **dict.fromkeys(said, np.float32)})
        exact = out[["prediction", "centred"]]  # rounded: half the file, and no number moves by a thousandth
        out = out.assign(**{name: (exact[name] * GRID).round() / GRID for name in exact})
        return pd.DataFrame({**keys, "seed": np.int8(self.seed), **out})

    def gains(self, gold: Gold) -> Iterator[dict[str, Any]]:
        """The CCC of each partition after each step of post-processing."""
        keys = {k: getattr(self, k) for k in ("modality", "dimension", "target", "seed")}
        for partition, (step, traces) in product(SCORED, self.by_step.items()):
            y = gold.at(self.dimension, self.target, partition)
            rated = np.isfinite(y)
            score = float(ccc(traces[partition][rated], y[rated]))
            yield {**keys, "partition": partition, "step": step, "CCC": score}


def searched(networks: Networks, target: str, by: str = "CCC") -> list[Result]:
    """For each seed the network of both tasks that does best on development, by "CCC" (sec. 4.3) or "MSE" (sec. 3.3).

    `target` is "E" or "σ". Post-processing is not applied before the search.
    """
    several = [of for name, of in networks.items() if not name.startswith("single ")]
    column, sign = (0, 1) if by == "CCC" else (1, -1)
    row = list(TARGETS).index(target)
    best = []
    for same_seed in zip(*several, strict=True):
        inner = sorted(same_seed, key=lambda r: r.run.settings["weights"][0])
        best.append(max(inner, key=lambda r: sign * r["score"][row, column]))
    return best


def _alone(modality: str, dimension: str, networks: Networks, gold: Gold) -> Iterator[Predicted]:
    """The networks that a page scores: each target alone, both searched by two criteria, both with equal weights."""
    for target, name in TARGETS.items():
        tasks = {"single": networks[f"single {name}"], "multi": searched(networks, target)}
        tasks |= {"multi by MSE": searched(networks, target, "MSE"), "w = 1": networks["w = 1"]}
        for task, results in tasks.items():
            for r in results:
                by_step = _processed(r, name, gold, gold.at(dimension, target, "dev"))
                keys = {"modality": modality, "task": task, "dimension": dimension, "target": target}
                yield Predicted(**keys, seed=r.run.seed, by_step=by_step, final=by_step["shifting"])


def _processed(result: Result, name: str, gold: Gold, dev: Trace) -> dict[str, Traces]:
    """A network's traces after each step of a chain that is fitted on development."""
    column = list(result.run.settings["targets"]).index(name)
    raw = {p: gold.split(result[PARTITIONS[p]][:, column].astype(np.float64), p) for p in SCORED}
    reach, most = round(LONGEST_WINDOW * gold.rate), round(LONGEST_SHIFT * gold.rate)
    tried = {"windows": [w for w in WINDOWS if w <= reach], "shifts": range(-most, most + 1)}
    chain = fit_postprocessing(raw["dev"], gold.split(dev, "dev"), **tried)
    return {
        step: {p: np.concatenate([part(x) for x in raw[p]]) for p in SCORED}
        for step, part in steps(chain).items()
    }


def _fused(alone: Sequence[Predicted], gold: Gold) -> Iterator[Predicted]:
    """Least squares on development of both modalities (eq. 9), of each alone, and of both with their spread back."""

    def cell(p: Predicted) -> tuple[str, str, str, int]:
        return p.task, p.dimension, p.target, p.seed

    scored = sorted((p for p in alone if p.task in ("single", "multi")), key=cell)
    for _, group in groupby(scored, key=cell):
        inputs = sorted(group, key=lambda p: p.modality)
        y = gold.at(inputs[0].dimension, inputs[0].target, "dev")
        if len(inputs) > 1:
            for p in inputs:
                yield replace(p, modality=f"{p.modality}, fitted", by_step={}, final=_least_squares([p], y))
            both = replace(inputs[0], modality=FUSED, by_step={}, final=_least_squares(inputs, y))
            yield both
            final = {p: _like(both.final[p], both.final["dev"], y) for p in SCORED}
            yield replace(both, modality=f"{FUSED}, rescaled", final=final)


def _least_squares(inputs: Sequence[Predicted], y: Trace) -> Traces:
    """Predictions (F,) by partition of a regression on development's labels y, NaN where unrated."""
    x = {p: np.stack([of.final[p] for of in inputs], axis=1) for p in SCORED}
    rated = np.isfinite(y)
    fit = LinearRegression().fit(x["dev"][rated], y[rated])
    return {p: fit.predict(x[p]) for p in SCORED}


def _like(x: Trace, dev: Trace, y: Trace) -> Trace:
    """x by the line that gives its part `dev` the mean and spread of y, NaN where unrated; a constant is only moved."""
    rated = np.isfinite(y)
    spread = dev[rated].std()
    return y[rated].mean() + (x - dev[rated].mean()) * (y[rated].std() / spread if spread > 0 else 1)


def _runs(modality: str, dimension: str, networks: Networks) -> Iterator[dict[str, Any]]:
    """A line a network and target: its weight, and how it does on development before post-processing."""
    for target, name in TARGETS.items():
        chosen = {by: {r.run.identity for r in searched(networks, target, by)} for by in ("CCC", "MSE")}
        for network, results in networks.items():
            for r in results:
                targets = list(r.run.settings["targets"])
                if name not in targets:
                    continue
                weight = dict(zip(targets, r.run.settings["weights"], strict=True)).get("E", 0.0)
                on_dev = r["score"][targets.index(name)]
                yield {
                    **{"modality": modality, "dimension": dimension, "target": target, "network": network},
                    **{"seed": r.run.seed, "weight": 2.0 if targets == ["E"] else weight},
                    **{"CCC": float(on_dev[0]), "MSE": float(on_dev[1])},
                    "epoch": int(np.argmin(r["history"][:, 1])) + 1,
                    **{f"chosen by {by}": r.run.identity in of for by, of in chosen.items()},
                }


def _delays(result: Result, rate: float) -> Iterator[dict[str, Any]]:
    """How well a linear model of each modality's features does on development if the labels are moved by each delay."""
    for i, modality in enumerate(result.run.settings["modalities"]):
        for dimension, (j, delay) in product(DIMENSIONS, enumerate(result.run.settings["delays"])):
            r = float(result["correlation"][i, j, AFFECT.index(dimension)])
            yield {"modality": modality, "dimension": dimension, "delay": delay / rate, "r": r}
