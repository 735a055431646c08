"""han2017: the grid of runs behind its artefacts, and every number of its page.

Two things vary, and each number says which its interval is over. Recordings: frames of one recording hang together, so
an interval of a CCC, or of a difference of two, comes from resampling whole recordings, of the average over seeds.
Seeds: networks of one seed share the order of the batches and the input noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from paperlib import metrics, stats
from paperlib.annotations import rater_weights
from paperlib.data.records import RecordingSet
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.postprocessing import PostProcessing, fit_postprocessing, steps
from paperlib.published import read_table
from paperlib.stats import Interval, Verdict
from paperlib.tasks.perception_uncertainty import TARGETS, Problem, gold_standard, problem
from paperlib.tracks import TWIN_CHATS, Track

KEY = "han2017"
TRACKS = ("twin", "sewa", "recordings")
TASK = "paperlib.tasks.perception_uncertainty:train"
SEARCH = "paperlib.tasks.perception_uncertainty:search_delay"
MODALITIES, FUSED = ("audio", "video"), "audio+video"
DIMENSIONS = ("arousal", "valence")  # the paper's order
STEP = 0.1  # of the weights (han2017, sec. 4.2)
DELAYS = tuple(range(0, 85, 5))  # frames that the search tries: to eight seconds
SINGLE = {"E": "single E", "sigma": "single sigma"}
TASKS = ("single", "multi")
EQUAL = "w = 1"  # both tasks count the same: nothing is searched
PARTITIONS = {"dev": "validation", "test": "test"}  # the paper's name -> ours
NAMES = {"E": "emotional state", "sigma": "uncertainty"}
OVER_RECORDINGS = "95 % bootstrap over {n} recordings, of the mean over seeds"
CAVEATS = {
    "twin": "**The data are generated, and the recordings fewer and shorter than the paper's.** {n} people talk in "
    "pairs for up to {seconds:.0f} seconds each (the paper: 64 for 164); valence, arousal and their ambiguity are "
    "smooth random processes; six raters follow them late, each with a bias, a scale and noise that grows with the "
    "ambiguity; a source-filter voice and a moving face show both. openSMILE's features are real, of a voice that is "
    "not. What holds here holds of the method; which modality tells more, and how much, was decided by whoever wrote "
    "the twin. In return the true uncertainty is known.",
}


def _say(w: float) -> str:
    return f"w = {w:g}"


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    cells: int
    schedule: Mapping[str, Any]
    sequence: int | None  # frames that training recordings are cut into; None: whole recordings
    seeds: int = 3
    noise: float = 0.2
    delay: int = 40  # frames
    step: float = STEP
    draws: int = 2000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile."""
    if track.profile == "paper":
        # CURRENNT minimises half the sum of a sequence's squared errors where ours are averaged, so its rate of 1e-5 is
        # one of 1e-5 times half the frames of a recording here. Not given: how many sequences make a step.
        rate = 1e-5 * 1640 / 2
        schedule = {
            "optimiser": "sgd",
            "momentum": 0.9,
            "learning_rate": rate,
            "decay_every": 1000,
            "batch": 1,
        }
        return Protocol(
            cells=240, schedule=schedule | {"epochs": 150, "patience": 20}, sequence=None, draws=5000
        )
    adam = {"optimiser": "adam", "learning_rate": 7e-3, "decay_every": 1000, "batch": 32}
    if track.profile == "smoke":
        few = adam | {"epochs": 2, "patience": 2}
        return Protocol(cells=8, schedule=few, sequence=30, seeds=2, step=0.5, draws=200)
    if track.brief:
        return Protocol(cells=24, schedule=adam | {"epochs": 8, "patience": 4}, sequence=60, step=0.5)
    return Protocol(cells=24, schedule=adam | {"epochs": 20, "patience": 5}, sequence=60)


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open or contradicts itself in, and this page."""
    plan = protocol(track)
    whole = "whole recordings" if plan.sequence is None else f"pieces of {plan.sequence} frames"
    rows = [
        ("rater with a negative or undefined weight (eq. 2)", "not said", "weight 0"),
        ("EWE: weights over what", "“N instances”", "each recording's frames"),
        (
            "rescaling of the uncertainty to [0, 1]",
            "“z-normalisation”",
            "extremes of the training recordings",
        ),
        ("the last seconds after the delay is taken off", "not said", "left out: nobody rated them"),
        ("where a window of six seconds lies", "not said", "around its frame"),
        ("normalisation of landmarks", "not said", "eyes' centres to (-0.5, 0) and (0.5, 0)"),
        ("features far from the training mean", "not said", "cut off at five standard deviations"),
        ("240 cells", "of a layer; each direction or both not said", f"{plan.cells} in each direction"),
        (
            "optimiser",
            "learning rate 1e-5, momentum 0.9",
            ", ".join(f"{k} {v}" for k, v in plan.schedule.items()),
        ),
        ("sequences and batches", "not said", whole),
        (
            "weights searched by",
            "“best performance” (3.3), CCC (4.3)",
            "CCC, before post-processing; MSE beside it",
        ),
        (
            "the ends of the search, 0 and 2",
            "included",
            "not multi-task learning: left to single-task networks",
        ),
        (
            "post-processing of the uncertainty; order with fusion",
            "not said",
            "as for emotion; before fusion",
        ),
        ("time shift beside the delay", "both", "both; up to five seconds either way"),
        ("late fusion", "WEKA's simple regression, which uses one input", "least squares on both (eq. 9)"),
        ("CCC over what", "“whole predictions”", "all frames of a partition; recordings' mean beside it"),
        ("runs", "one, no seed given", f"{plan.seeds} seeds"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "this page"])


def weights(track: Track) -> list[float]:
    """The weights of E in multi-task learning: those of the sweep that leave both tasks some weight."""
    step = protocol(track).step
    return [round(step * k, 2) for k in range(1, round(2 / step))]


def modalities(track: Track) -> list[str]:
    """The modalities that the track's recordings have; on the twin both, without making their features."""
    return [m for m in MODALITIES if track.name == "twin" or track.features(m) is not None]


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str, str], list[Run]]:
    """The runs of every artefact by (modality, dimension, name); `seeds` replaces the profile's number."""
    record, plan = track.recordings(), protocol(track)
    if record is None:
        return {}
    there = modalities(track)
    runs: dict[tuple[str, str, str], list[Run]] = {}
    tried = [delay for delay in DELAYS if delay < record.frames.min()]
    search = {"modalities": there, "delays": tried}
    runs["", "", "delay"] = [Run(task=SEARCH, track=track, data=record.fingerprint, settings=search, seed=0)]
    for modality, dimension in product(there, DIMENSIONS):
        nets = {name: ([target], [1.0]) for target, name in SINGLE.items()}
        nets |= {_say(w): (["E", "sigma"], [w, round(2 - w, 2)]) for w in weights(track)}
        for name, (targets, share) in nets.items():
            settings = {
                "modality": modality,
                "dimension": dimension,
                "targets": targets,
                "weights": share,
                "delay": plan.delay,
                "cells": plan.cells,
                "noise": plan.noise,
                "sequence": plan.sequence,
                "schedule": plan.schedule,
            }
            runs[modality, dimension, name] = [
                Run(task=TASK, track=track, data=record.fingerprint, settings=settings, seed=s)
                for s in range(seeds or plan.seeds)
            ]
    return runs


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads: of networks that no weight search chose, their scores alone."""
    track = results[0].run.track
    names = {run.identity: name for name, group in grid(track).items() for run in group}
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        groups.setdefault(names[r.run.identity], []).append(r)
    read = {r.key for r in groups["", "", "delay"]}
    for modality, dimension in {name[:2] for name in groups if name[2] != "delay"}:
        cell = {name[2]: group for name, group in groups.items() if name[:2] == (modality, dimension)}
        for target in TARGETS:
            used = [cell[SINGLE[target]], cell[EQUAL], *(searched(cell, target, by) for by in ("CCC", "MSE"))]
            read |= {r.key for group in used for r in group}
    kept = []
    for r in results:
        names_of = [name for name in r.arrays if r.key in read or name == "score"]
        kept.append(replace(r, arrays={name: r.arrays[name] for name in names_of if name != "history"}))
    return kept


def searched(cell: Mapping[str, Sequence[Result]], target: str, by: str = "CCC") -> list[Result]:
    """For each seed the multi-task network whose weight does best on validation, by "CCC" (sec. 4.3) or "MSE" (3.3).

    `cell` has the networks of one modality and dimension by name; post-processing is not applied before the search.
    """
    several = [group for name, group in cell.items() if name not in SINGLE.values()]
    column, sign = (0, 1) if by == "CCC" else (1, -1)
    best = []
    for same_seed in zip(*several, strict=True):
        best.append(max(same_seed, key=lambda r: sign * r["score"][TARGETS.index(target), column]))
    return best


@dataclass
class Study:
    """All of the paper's runs on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        record = self.track.recordings()
        if record is None:
            raise ValueError(
                f"han2017 learns from recordings rated all along; track {self.track.name} has none"
            )
        self.record: RecordingSet = record
        self.plan = protocol(self.track)
        self.results = run_groups(grid(self.track, seeds=self.seeds), jobs=self.jobs)
        self.parts: Problem = problem(self.track, self.plan.delay)
        self.modalities = [m for m in MODALITIES if any(name[0] == m for name in self.results)]
        self.shown = [*self.modalities, FUSED] if len(self.modalities) > 1 else self.modalities
        self.ledger = Ledger(KEY, self.track, {"recordings": record.fingerprint})
        # a method kept from being computed twice; each Study has its own
        self.predicted = cache(self._predicted)
        self.processed = cache(self._processed)

    # what is compared

    def cell(self, modality: str, dimension: str) -> dict[str, list[Result]]:
        """The networks of one modality and dimension by name, one a seed."""
        return {name[2]: r for name, r in self.results.items() if name[:2] == (modality, dimension)}

    def networks(self, modality: str, dimension: str, target: str, task: str) -> list[Result]:
        """One network a seed: `task` is "single", "multi" (weight searched by CCC), "multi by MSE" or a weight."""
        cell = self.cell(modality, dimension)
        if task == "single":
            return cell[SINGLE[target]]
        return (
            searched(cell, target, "MSE" if task == "multi by MSE" else "CCC")
            if task.startswith("multi")
            else cell[task]
        )

    def gold(self, dimension: str, target: str, partition: str) -> NDArray[np.float64]:
        """(F,) over the partition's recordings end to end; NaN where nobody rated."""
        rows = self.parts.frames_of(PARTITIONS[partition])
        return self.parts.gold[rows, TARGETS.index(target), AFFECT.index(dimension)]

    def recording_of(self, partition: str) -> NDArray[np.int64]:
        """The recording of each of the partition's frames: (F,)."""
        chosen = self.parts.of(PARTITIONS[partition])
        return np.repeat(chosen, self.parts.frames[chosen])

    def raw(self, result: Result, target: str, partition: str) -> list[NDArray[np.float64]]:
        """A network's trace of each of the partition's recordings, as it came."""
        column = list(result.run.settings["targets"]).index(target)
        trace = result[PARTITIONS[partition]][:, column].astype(np.float64)
        ends = np.cumsum(self.parts.frames[self.parts.of(PARTITIONS[partition])])[:-1]
        return np.split(trace, ends)

    def _processed(
        self, modality: str, dimension: str, target: str, task: str
    ) -> list[tuple[PostProcessing, Result]]:
        """The chain fitted on development, and its network, one a seed."""
        ends = np.cumsum(self.parts.frames[self.parts.of("validation")])[:-1]
        gold = np.split(self.gold(dimension, target, "dev"), ends)
        found = self.networks(modality, dimension, target, task)
        return [(fit_postprocessing(self.raw(r, target, "dev"), gold)[0], r) for r in found]

    def _predicted(
        self, modality: str, dimension: str, target: str, task: str, partition: str
    ) -> list[NDArray[np.float64]]:
        """Predictions (F,) after post-processing, one a seed; fused ones are fitted on development."""
        if modality != FUSED:
            return [
                np.concatenate([chain(x) for x in self.raw(r, target, partition)])
                for chain, r in self.processed(modality, dimension, target, task)
            ]
        dev = self.gold(dimension, target, "dev")
        rated = np.isfinite(dev)
        fused = []
        for pair in zip(*(self.inputs(dimension, target, task, p) for p in ("dev", partition)), strict=True):
            fit_on, apply_to = pair
            fused.append(LinearRegression().fit(fit_on[rated], dev[rated]).predict(apply_to))
        return fused

    def inputs(self, dimension: str, target: str, task: str, partition: str) -> list[NDArray[np.float64]]:
        """What late fusion is given (eq. 9): (F, modalities), one a seed."""
        found = [self.predicted(m, dimension, target, task, partition) for m in self.modalities]
        return [np.stack(same_seed, axis=1) for same_seed in zip(*found, strict=True)]

    def sums(
        self, modality: str, dimension: str, target: str, task: str, partition: str
    ) -> NDArray[np.float64]:
        """`metrics.agreement_sums` of each recording and seed: (recordings, seeds, 6)."""
        gold, groups = self.gold(dimension, target, partition), self.recording_of(partition)
        rated = np.isfinite(gold)
        each = [
            metrics.agreement_sums(p[rated], gold[rated], groups[rated])
            for p in self.predicted(modality, dimension, target, task, partition)
        ]
        return np.stack(each, axis=1)

    def over_recordings(
        self, statistic: Callable[..., NDArray[np.float64]], *sums: NDArray[np.float64]
    ) -> tuple[list[float], Interval | None]:
        """statistic(sums (seeds, 6), ...) gives one value a seed: these, and the interval of their mean."""

        def of(*rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return statistic(*(part.sum(axis=0) for part in rows))

        values = [float(v) for v in of(*sums)]
        if len(sums[0]) < 2:
            return values, None
        interval = stats.cluster_bootstrap(
            lambda *rows: float(np.mean(of(*rows))), *sums, clusters=None, seed=0, draws=self.plan.draws
        )
        return values, interval

    def _add(
        self,
        artefact: str,
        row: str,
        column: str,
        statistic: Callable[..., NDArray[np.float64]],
        *sums: NDArray[np.float64],
        claim: str = "",
        trained: bool = True,
        **rest: Any,
    ) -> Entry:
        """Record a statistic of recordings; a difference (" - " in its row) or a claim gets a verdict.

        What is not `trained` has no seeds, and its sums a second dimension of one.
        """
        values, interval = self.over_recordings(statistic, *sums)
        judged = claim or " - " in row
        judgement = str(stats.verdict(interval, 1) if interval else Verdict.CANNOT_TELL) if judged else ""
        about = (OVER_RECORDINGS if trained else "95 % bootstrap over {n} recordings").format(n=len(sums[0]))
        n = int(sums[0][:, 0, 0].sum())
        return self.ledger.add(
            artefact,
            row,
            column,
            source="recordings",
            n=n,
            values=values if trained else None,
            interval=interval or values[0],
            about=about if interval else "",
            claim=claim,
            verdict=judgement,
            **rest,
        )

    # artefacts

    def gold_standard(self) -> ArtefactTable:
        """What the weights of EWE are, and on the twin, whether it is nearer to the truth than the raters' mean."""
        ratings, groups = self.record.ratings, np.repeat(np.arange(len(self.record)), self.record.frames)
        gold = gold_standard(self.record)
        for dimension in DIMENSIONS:
            d = AFFECT.index(dimension)
            given = np.array(
                [rater_weights(ratings[self.record.rows(i), :, d]) for i in range(len(self.record))]
            )
            took_part = np.array(
                [np.isfinite(ratings[self.record.rows(i), :, d]).any(axis=0) for i in range(len(self.record))]
            )
            given = given[took_part]
            rated = np.isfinite(gold[:, 0, d])
            mean = np.nanmean(ratings[rated, :, d], axis=1)
            common: dict[str, Any] = {"source": "recordings", "n": given.size}
            for column, value in (
                ("mean weight", given.mean()),
                ("raters without weight", (given == 0).sum()),
            ):
                self.ledger.add("gold_standard", dimension, column, interval=float(value), **common)
            between = metrics.pcc(gold[rated, 0, d], mean)
            common["n"] = int(rated.sum())
            self.ledger.add(
                "gold_standard", dimension, "r of EWE and mean", interval=float(between), **common
            )
            if self.record.truth is not None:
                truth = self.record.truth.affect[rated, d]
                ewe, plain = (
                    metrics.agreement_sums(x, truth, groups[rated])[:, None]
                    for x in (gold[rated, 0, d], mean)
                )
                self._add(
                    "gold_standard", f"{dimension}: EWE", "CCC with the truth", _ccc, ewe, trained=False
                )
                self._add(
                    "gold_standard", f"{dimension}: mean", "CCC with the truth", _ccc, plain, trained=False
                )
                self._add(
                    "gold_standard",
                    f"{dimension}: EWE - mean",
                    "CCC with the truth",
                    _ccc_less,
                    ewe,
                    plain,
                    trained=False,
                )
        return self.ledger.table("gold_standard")

    def rescaling(self) -> ArtefactTable:
        """The spread of the uncertainty on development under each reading of its rescaling to [0, 1]."""
        raw = self.parts.gold[:, 1] * (self.parts.high - self.parts.low) + self.parts.low
        owner = np.repeat(np.arange(len(self.record)), self.parts.frames)
        dev, train = (np.isin(owner, np.flatnonzero(self.record.split == s)) for s in ("validation", "train"))
        for dimension in DIMENSIONS:
            sigma = raw[:, AFFECT.index(dimension)]
            own = np.full(len(sigma), np.nan)
            for i in range(len(self.record)):
                own[self.parts.rows(i)] = _between_extremes(sigma[self.parts.rows(i)])
            readings = {
                "extremes of training (here)": _between_extremes(sigma, sigma[train]),
                "extremes of all recordings": _between_extremes(sigma),
                "extremes of each recording": own,
                "as rated": sigma,
            }
            implied = f"{implied_deviation(dimension):.3f}"
            for name, values in readings.items():
                self.ledger.add(
                    "rescaling",
                    f"{dimension}: {name}",
                    "standard deviation, dev",
                    source="recordings",
                    n=int(np.isfinite(values[dev]).sum()),
                    interval=float(np.nanstd(values[dev])),
                    printed=implied if name != "as rated" else "",
                    printed_on="SEWA, implied",
                )
        return self.ledger.table("rescaling")

    def delays(self) -> ArtefactTable:
        """The delay that a linear model of the features likes best."""
        for name, by_delay in self.delay_curves().items():
            best = max(by_delay, key=lambda d: by_delay[d])
            n = len(self.gold("arousal", "E", "dev"))
            common: dict[str, Any] = {"source": "recordings", "n": n}
            self.ledger.add("delays", name, "best delay", interval=best, unit="s", **common)
            used = self.plan.delay / self.record.rate
            for column, delay in (("r at 0 s", 0.0), (f"r at {used:g} s", used), ("r at the best", best)):
                self.ledger.add("delays", name, column, interval=by_delay[delay], **common)
        return self.ledger.table("delays")

    def delay_curves(self) -> dict[str, dict[float, float]]:
        """Delay in seconds -> correlation on development, by modality and dimension."""
        (found,) = self.results["", "", "delay"]
        r = found["correlation"]
        return {
            f"{m}, {d}": {
                delay / self.record.rate: float(r[i, j, AFFECT.index(d)])
                for j, delay in enumerate(found.run.settings["delays"])
            }
            for i, m in enumerate(found.run.settings["modalities"])
            for d in DIMENSIONS
        }

    def table1(self) -> ArtefactTable:
        """Table 1: the CCC of every cell."""
        return self._cells("table1", 1, _ccc)

    def table2(self) -> ArtefactTable:
        """Table 2: the RMSE of every cell."""
        return self._cells("table2", 2, metrics.rmse_from_sums)

    def _cells(
        self, artefact: str, number: int, measure: Callable[..., NDArray[np.float64]]
    ) -> ArtefactTable:
        printed = read_table(KEY, number).set_index(["row", "column"])["printed"]
        for modality, task in product(self.shown, TASKS):
            for dimension, partition, target in product(DIMENSIONS, PARTITIONS, TARGETS):
                row, column = f"{modality} {task}", f"{_short(target, dimension)} {partition}"
                self._add(
                    artefact,
                    row,
                    column,
                    measure,
                    self.sums(modality, dimension, target, task, partition),
                    printed=printed[row, column],
                    printed_on="SEWA",
                )
        return self.ledger.table(artefact)

    def comparisons(self) -> list[tuple[str, str, str, str]]:
        """(modality, dimension, target, partition) of the 24 comparisons of single- with multi-task learning."""
        return list(product(self.shown, DIMENSIONS, TARGETS, PARTITIONS))

    def significance(self) -> ArtefactTable:
        """Each comparison by Fisher's r to z, as the paper did it, and by a bootstrap over recordings."""
        survived = {"frames as n": 0, "recordings as n": 0, "bootstrap over recordings": 0}
        for modality, dimension, target, partition in self.comparisons():
            single, multi = (self.sums(modality, dimension, target, t, partition) for t in TASKS)
            name = f"{modality}, {_short(target, dimension)}, {partition}"
            claim = f"Multi-task learning predicts the {NAMES[target]} better ({dimension}, {modality})"
            entry = self._add(
                "significance",
                f"{name}: multi - single",
                "CCC",
                _ccc_less,
                multi,
                single,
                claim=claim if partition == "test" else "",
            )
            survived["bootstrap over recordings"] += len(multi) > 1 and bool(entry.low > 0 or entry.high < 0)
            r = [float(np.mean(_ccc(s.sum(axis=0)))) for s in (multi, single)]
            for what, n in (("frames as n", entry.n), ("recordings as n", len(multi))):
                test = stats.compare_correlations(r[0], n, r[1], n) if n > 3 else None
                p = test.p if test else np.nan
                survived[what] += bool(p < 0.05)
                self.ledger.add(
                    "significance", name, f"p, {what}", source="recordings", n=n, interval=float(p)
                )
        for what, count in survived.items():
            row = f"significant of {len(self.comparisons())}"
            self.ledger.add(
                "significance", row, what, source="recordings", n=len(self.record), interval=count
            )
        return self.ledger.table("significance")

    def differences(self) -> list[tuple[str, float, tuple[float, float], tuple[float, float]]]:
        """Name, estimate, interval with frames as n (Zou 2007, from Fisher's), interval over recordings; test only."""
        rows = []
        entries = {
            e.row: e for e in self.ledger.entries if e.artefact == f"{KEY}/significance" and e.column == "CCC"
        }
        for modality, dimension, target, partition in self.comparisons():
            name = f"{modality}, {_short(target, dimension)}, {partition}"
            entry = entries[f"{name}: multi - single"]
            multi, single = (
                stats.correlation_interval(
                    float(np.mean(_ccc(self.sums(modality, dimension, target, t, partition).sum(axis=0)))),
                    entry.n,
                )
                for t in reversed(TASKS)
            )
            below = np.hypot(multi.estimate - multi.low, single.high - single.estimate)
            above = np.hypot(multi.high - multi.estimate, single.estimate - single.low)
            frames = (entry.measured - float(below), entry.measured + float(above))
            rows.append((name, entry.measured, frames, (entry.low, entry.high)))
        return rows

    def rmse_of_multi(self) -> ArtefactTable:
        """The paper's remark that multi-task learning costs RMSE where one modality is used alone."""
        for modality, dimension, target in product(self.modalities, DIMENSIONS, TARGETS):
            multi, single = (self.sums(modality, dimension, target, t, "test") for t in reversed(TASKS))
            claim = f"Multi-task learning raises the RMSE of the {NAMES[target]} ({dimension}, {modality})"
            row = f"{modality}, {_short(target, dimension)}: multi - single"
            self._add("rmse_of_multi", row, "RMSE", _rmse_less, multi, single, claim=claim)
        return self.ledger.table("rmse_of_multi")

    def sweep(self) -> ArtefactTable:
        """The weights that the search chose, and what on the test was due to it."""
        for modality, dimension, target in product(self.modalities, DIMENSIONS, TARGETS):
            name = f"{modality}, {_short(target, dimension)}"
            chosen = [
                r.run.settings["weights"][0] for r in self.networks(modality, dimension, target, "multi")
            ]
            self.ledger.add(
                "sweep", name, "w_E chosen", source="recordings", n=len(self.record), values=chosen
            )
            of = {
                t: self.sums(modality, dimension, target, t, "test")
                for t in ("multi", "multi by MSE", EQUAL, "single")
            }
            self._add("sweep", f"{name}: searched - {EQUAL}", "CCC test", _ccc_less, of["multi"], of[EQUAL])
            self._add("sweep", f"{name}: {EQUAL} - single", "CCC test", _ccc_less, of[EQUAL], of["single"])
            self._add(
                "sweep", f"{name}: by CCC - by MSE", "CCC test", _ccc_less, of["multi"], of["multi by MSE"]
            )
        return self.ledger.table("sweep")

    def sweep_curves(self) -> dict[str, dict[str, dict[float, NDArray[np.float64]]]]:
        """CCC on development before post-processing: panel -> target -> w_E -> (seeds,), single-task at the ends."""
        panels: dict[str, dict[str, dict[float, NDArray[np.float64]]]] = {}
        for modality, dimension in product(self.modalities, DIMENSIONS):
            cell = self.cell(modality, dimension)
            for target, end in zip(TARGETS, (2.0, 0.0), strict=True):
                column = TARGETS.index(target)
                curve = {
                    w: np.array([r["score"][column, 0] for r in cell[_say(w)]]) for w in weights(self.track)
                }
                curve[end] = np.array([r["score"][0, 0] for r in cell[SINGLE[target]]])
                panels.setdefault(f"{modality}, {dimension}", {})[target] = dict(sorted(curve.items()))
        return panels

    def processing(self) -> ArtefactTable:
        """What each step of post-processing gains on development, where it is fitted, and on the test."""
        for name, series in self.processing_gains().items():
            for key, by_step in series.items():
                partition = key.rpartition(" ")[2]
                n = len(self.gold("arousal", "E", partition))
                for step, values in by_step.items():
                    self.ledger.over_seeds(
                        "processing", f"{name}, {key}", step, values, source="recordings", n=n
                    )
        return self.ledger.table("processing")

    def processing_gains(self) -> dict[str, dict[str, dict[str, list[float]]]]:
        """CCC of multi-task networks, one a seed: "E, arousal" -> "audio dev" -> step -> CCC."""
        panels: dict[str, dict[str, dict[str, list[float]]]] = {}
        for target, dimension, modality, partition in product(
            TARGETS, DIMENSIONS, self.modalities, PARTITIONS
        ):
            gold = self.gold(dimension, target, partition)
            rated = np.isfinite(gold)
            found: dict[str, list[float]] = {}
            for chain, result in self.processed(modality, dimension, target, "multi"):
                raw = self.raw(result, target, partition)
                for step, part in steps(chain).items():
                    trace = np.concatenate([part(x) for x in raw])
                    found.setdefault(step, []).append(float(metrics.ccc(trace[rated], gold[rated])))
            panels.setdefault(f"{target}, {dimension}", {})[f"{modality} {partition}"] = found
        return panels

    def fusion(self) -> ArtefactTable:
        """What both modalities give over the one that does better on development; and which does better on the test."""
        if len(self.modalities) < 2:
            why = f"the recordings have {self.modalities[0]} only"
            self.ledger.not_attempted(
                "fusion", "Fusion predicts the emotional state better than one modality", why
            )
            return self.ledger.table("fusion")
        for dimension, target in product(DIMENSIONS, TARGETS):
            video, audio = (self.sums(m, dimension, target, "single", "test") for m in ("video", "audio"))
            claim = f"Video predicts the {NAMES[target]} better than audio ({dimension})"
            row = f"{_short(target, dimension)}, single: video - audio"
            self._add("fusion", row, "CCC", _ccc_less, video, audio, claim=claim)
        for dimension, task in product(DIMENSIONS, TASKS):
            gains = []
            for target in TARGETS:
                best = max(
                    self.modalities, key=lambda m: float(np.mean(self._dev(m, dimension, target, task)))
                )
                fused, alone = (self.sums(m, dimension, target, task, "test") for m in (FUSED, best))
                claim = f"Fusion predicts the {NAMES[target]} better than one modality ({dimension}, {task})"
                row = f"{_short(target, dimension)}, {task}: both - {best}"
                judged = claim if target == "E" else ""
                self._add("fusion", row, "CCC", _ccc_less, fused, alone, claim=judged)
                self._add("fusion", f"{row}, error", "-RMSE", _rmse_less, alone, fused)
                gains += [fused, alone]
            claim = (
                f"Fusion gains less for the uncertainty than for the emotional state ({dimension}, {task})"
            )
            row = f"{dimension}, {task}: gain for E - gain for sigma"
            self._add("fusion", row, "CCC", _gain_less, *gains, claim=claim)
        return self.ledger.table("fusion")

    def _dev(self, modality: str, dimension: str, target: str, task: str) -> NDArray[np.float64]:
        return _ccc(self.sums(modality, dimension, target, task, "dev").sum(axis=0))

    def uncertainty(self) -> ArtefactTable:
        """How well the uncertainty can be predicted at all, and on the twin, how near predictions come to the truth."""
        widest = self.shown[-1]
        for dimension in DIMENSIONS:
            d = AFFECT.index(dimension)
            of_e, of_sigma = (self.sums(widest, dimension, t, "multi", "test") for t in TARGETS)
            claim = f"The uncertainty is harder to predict than the emotional state ({dimension})"
            row = f"{dimension}, {widest} multi: E - sigma"
            self._add("uncertainty", row, "CCC", _ccc_less, of_e, of_sigma, claim=claim)
            ratings = self.record.ratings[:, :, d][np.repeat(self.record.split == "test", self.record.frames)]
            ratings = ratings[:, np.isfinite(ratings).any(axis=0)]  # those who rated the test
            enough = ratings[np.isfinite(ratings).sum(axis=1) >= 4]
            if len(enough) > 1:
                ceiling = float(stats.variance_ceiling_from_ratings(enough, same_raters=True))
                self.ledger.add(
                    "uncertainty",
                    f"{dimension}: ceiling from the raters",
                    "r with their variance",
                    source="recordings",
                    n=len(enough),
                    interval=ceiling,
                )
            if self.record.truth is None:
                continue
            truth, groups = self.true_uncertainty(dimension, "test"), self.recording_of("test")
            gold = self.gold(dimension, "sigma", "test")
            best = metrics.agreement_sums(truth, gold, groups)[:, None]
            self._add(
                "uncertainty",
                f"{dimension}: the true uncertainty",
                "CCC with the raters'",
                _ccc,
                best,
                trained=False,
            )
            for modality in self.shown:
                predicted = self.predicted(modality, dimension, "sigma", "multi", "test")
                right = np.stack([metrics.agreement_sums(p, truth, groups) for p in predicted], axis=1)
                row = f"{dimension}: {modality} multi"
                sums = self.sums(modality, dimension, "sigma", "multi", "test")
                self._add("uncertainty", row, "CCC with the raters'", _ccc, sums)
                self._add("uncertainty", row, "CCC with the truth", _ccc, right)
        return self.ledger.table("uncertainty")

    def true_uncertainty(self, dimension: str, partition: str) -> NDArray[np.float64]:
        """The twin's expected standard deviation (F,), with the mean and spread of the raters' on development."""
        assert self.record.truth is not None
        d = AFFECT.index(dimension)
        late = [
            self.record.truth.variance[self.record.rows(i)][self.plan.delay :, d]
            for i in range(len(self.record))
        ]
        true = np.sqrt(np.concatenate(late))
        x, y = true[self.parts.frames_of("validation")], self.gold(dimension, "sigma", "dev")
        there = true[self.parts.frames_of(PARTITIONS[partition])]
        return (there - x.mean()) / x.std() * y.std() + y.mean()

    def per_recording(self) -> ArtefactTable:
        """CCC over all frames of the test put together, and the mean over recordings of the CCC of each."""
        for dimension, target in product(DIMENSIONS, TARGETS):
            sums = self.sums(self.shown[-1], dimension, target, "multi", "test")
            row = f"{self.shown[-1]} multi, {_short(target, dimension)}"
            self._add("per_recording", row, "concatenated", _ccc, sums)
            each = _ccc(sums)  # (recordings, seeds)
            interval = None
            if len(each) > 1:
                interval = stats.cluster_bootstrap(
                    lambda rows: float(rows.mean()), each, clusters=None, seed=0, draws=self.plan.draws
                )
            self.ledger.add(
                "per_recording",
                row,
                "mean of recordings",
                source="recordings",
                n=int(sums[:, 0, 0].sum()),
                values=each.mean(axis=0).tolist(),
                interval=interval,
                about=OVER_RECORDINGS.format(n=len(each)) if interval else "",
            )
        return self.ledger.table("per_recording")

    def pace(self) -> ArtefactTable:
        """How fast both gold standards change: mean change in a second, in their own standard deviations."""
        for dimension in DIMENSIONS:
            moved = []
            for j in range(len(TARGETS)):
                y = self.parts.gold[:, j, AFFECT.index(dimension)]
                moved.append(
                    np.array([self._changes(y[self.parts.rows(i)]) for i in range(len(self.record))])
                )
            for target, sums in zip(TARGETS, moved, strict=True):
                self._add(
                    "pace", _short(target, dimension), "sd per second", _pace, sums[:, None], trained=False
                )
            claim = f"The uncertainty changes faster than the emotional state ({dimension})"
            slow, fast = (sums[:, None] for sums in moved)
            row = f"{dimension}: sigma - E"
            self._add("pace", row, "sd per second", _pace_less, fast, slow, claim=claim, trained=False)
        return self.ledger.table("pace")

    def _changes(self, y: NDArray[np.float64]) -> list[float]:
        """Frames, their sum and sum of squares, and the changes from second to second with their number."""
        second, rated = round(self.record.rate), y[np.isfinite(y)]
        change = np.abs(y[second:] - y[:-second])
        change = change[np.isfinite(change)]
        return [len(rated), rated.sum(), (rated**2).sum(), change.sum(), len(change)]

    # pictures

    def pairs(self, dimension: str, *, count: int = 2) -> tuple[int, list[tuple[int, int]]]:
        """A test recording, and pairs of its frames of equal emotion and different uncertainty, lower first.

        The rule: the first test recording; of all pairs of frames five seconds apart or more whose states differ by no
        more than 0.02, the one whose uncertainties differ most; then the next that is two seconds away from its frames.
        """
        (first, *_) = self.parts.of("test")
        gold = self.parts.gold[self.parts.rows(int(first)), :, AFFECT.index(dimension)].copy()
        gold[~np.isfinite(gold).all(axis=1)] = np.nan
        e, sigma = gold[:, 0], gold[:, 1]
        at = np.arange(len(e))
        apart = np.abs(at[:, None] - at)  # frames
        able = (np.abs(e[:, None] - e) <= 0.02) & (apart >= 5 * self.record.rate)
        gap = np.where(able, sigma[None] - sigma[:, None], -np.inf)
        found: list[tuple[int, int]] = []
        while len(found) < count and np.isfinite(gap).any() and gap.max() > 0:
            low, high = (int(k) for k in np.unravel_index(int(gap.argmax()), gap.shape))
            found.append((low, high))
            near = np.flatnonzero(np.minimum(apart[low], apart[high]) < 2 * self.record.rate)
            gap[near], gap[:, near] = -np.inf, -np.inf
        return int(first), found

    def one_subject(self, partition: str = "test") -> dict[str, tuple[NDArray, NDArray, NDArray]]:
        """Figure 4: seconds, gold and predictions (seeds, T) of the first test recording, by target and dimension."""
        first = self.recording_of(partition) == self.parts.of(PARTITIONS[partition])[0]
        panels = {}
        for target, dimension in product(TARGETS, DIMENSIONS):
            found = self.predicted(self.shown[-1], dimension, target, "multi", partition)
            seconds = np.arange(first.sum()) / self.record.rate
            gold = self.gold(dimension, target, partition)[first]
            panels[f"{target}, {dimension}"] = (seconds, gold, np.stack([p[first] for p in found]))
        return panels

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        pairs, seconds = TWIN_CHATS[self.track.amount]
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return CAVEATS.get(self.track.name, licensed).format(n=2 * pairs, seconds=seconds)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind_of = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind_of.value_counts().items())
        lines = [f"**In short** (track {self.track.name}, profile {self.track.profile}): {counts}.", ""]
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}

        def told(artefact: str, row: str, column: str) -> str:
            e = cells[artefact, row, column]
            return f"{e.measured:.2f} [{e.low:.2f}, {e.high:.2f}]"

        total = next(row for artefact, row, _ in cells if row.startswith("significant of "))
        widest = [row for artefact, row, _ in cells if artefact == "table1"][-1]
        survived = [
            f"{cells['significance', total, what].measured:.0f} by {name}"
            for what, name in (
                ("frames as n", "Fisher's test with frames as n"),
                ("recordings as n", "the same test with recordings as n"),
                ("bootstrap over recordings", "a bootstrap over recordings"),
            )
        ]
        lines.append(
            f"- Of {total.rpartition(' ')[2]} comparisons of multi- with single-task learning, significant at "
            f"5 %: {'; '.join(survived)}."
        )
        for partition in ("dev", "test"):
            better = [
                e.measured > 0
                for (artefact, row, column), e in cells.items()
                if artefact == "significance" and column == "CCC" and f", {partition}:" in row
            ]
            lines.append(f"- Multi-task learning was ahead in {sum(better)} of {len(better)} on {partition}.")
        for dimension in DIMENSIONS:
            line = ", ".join(
                f"{NAMES[t]} {told('table1', widest, f'{_short(t, dimension)} test')}" for t in TARGETS
            )
            key = ("uncertainty", f"{dimension}: the true uncertainty", "CCC with the raters'")
            if key in cells:
                line += f"; the true uncertainty itself reaches {told(*key)} with the raters'"
            lines.append(f"- CCC on the test, {dimension}, {widest}: {line}.")
        return "\n".join(lines)


def implied_deviation(dimension: str) -> float:
    """The gold uncertainty's standard deviation on the paper's development set, from its fused cells.

    Least squares fitted on the same data has CCC = 2 R^2 / (1 + R^2) and RMSE^2 = (1 - R^2) var; mean of both rows.
    """
    column = f"{_short('sigma', dimension)} dev"
    ccc, rmse = (read_table(KEY, n).set_index(["row", "column"])["value"] for n in (1, 2))
    found = []
    for task in TASKS:
        c, e = ccc[f"{FUSED} {task}", column], rmse[f"{FUSED} {task}", column]
        found.append(e / np.sqrt(1 - c / (2 - c)))
    return float(np.mean(found))


def _short(target: str, dimension: str) -> str:
    """As the paper's columns have it: "E(A)", "sigma(V)"."""
    return f"{target}({dimension[0].upper()})"


def _between_extremes(
    values: NDArray[np.float64], of: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    of = values if of is None else of
    return (values - np.nanmin(of)) / (np.nanmax(of) - np.nanmin(of))


_ccc = metrics.ccc_from_sums


def _ccc_less(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return _ccc(a) - _ccc(b)


def _rmse_less(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return metrics.rmse_from_sums(a) - metrics.rmse_from_sums(b)


def _gain_less(a: NDArray, before_a: NDArray, b: NDArray, before_b: NDArray) -> NDArray[np.float64]:
    return _ccc_less(a, before_a) - _ccc_less(b, before_b)


def _pace(sums: NDArray) -> NDArray[np.float64]:
    """Mean change over standard deviation, from `Study._changes` added up (..., 5)."""
    n, total, squares, change, number = np.moveaxis(sums, -1, 0)
    return change / number / np.sqrt(squares / n - (total / n) ** 2)


def _pace_less(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    return _pace(a) - _pace(b)
