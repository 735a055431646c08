"""han2017: the grid of runs behind its artefacts, and every number of its page.

Two things vary, and each number says which its interval is over. Pairs: frames of one recording hang together, and so
do the recordings of two people who talked to each other. Seeds: a network trained again is another one; networks of
one seed share the order of the batches and the input noise. An interval of a CCC, or of a difference of two, resamples
pairs and seeds, crossed. A claim of the paper is judged once, over all cells that it speaks of: cells share people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from paperlib.audit import han2017 as audit
from paperlib.data.records import RecordingSet
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT
from paperlib.ledger import AHEAD, BEHIND, ArtefactTable, Entry, Ledger, answer
from paperlib.postprocessing import PostProcessing, fit_postprocessing, steps
from paperlib.published import read_table
from paperlib.stats import Interval, Verdict
from paperlib.tasks.perception_uncertainty import TARGETS, Problem, gold_standard, problem
from paperlib.tracks import TWIN_CHATS, Track
from paperlib.twin_recordings import LAGS

KEY = "han2017"
TASK = "paperlib.tasks.perception_uncertainty:train"
SEARCH = "paperlib.tasks.perception_uncertainty:search_delay"
MODALITIES, FUSED = ("audio", "video"), "audio+video"
RESCALED = (
    "audio+video, rescaled"  # with development's mean and spread, as post-processing gives one modality
)
DIMENSIONS = ("arousal", "valence")  # the paper's order
STEP = 0.1  # of the weights (han2017, sec. 4.2)
DELAYS = tuple(range(0, 85, 5))  # frames that the search tries: to eight seconds
SINGLE = {"E": "single E", "sigma": "single sigma"}
TASKS = ("single", "multi")
EQUAL = "w = 1"  # both tasks count the same: nothing is searched
UNHEARD = ("audio", "valence", "sigma")  # nothing in the twin's voice tells of it
COUNTED_BY = (
    "by Fisher's test with frames as n",
    "with recordings as n",
    "by the bootstrap over pairs and seeds",
)
ANSWERS = {AHEAD: "Yes", BEHIND: "No", Verdict.CANNOT_TELL: "That cannot be told"}
ALIKE = ", fitted alike"  # one modality put through fusion's own least squares
COUNTED = ("frames as n", "recordings as n", "bootstrap")  # ways to call a difference significant
PARTITIONS = {"dev": "validation", "test": "test"}  # the paper's name -> ours
NAMES = {"E": "emotional state", "sigma": "uncertainty"}
FASTER = "The uncertainty changes faster than the emotional state"
HARDER = "The uncertainty is harder to predict than the emotional state"
VIDEO = "Video is ahead of audio in most columns ({partition}), in CCC and RMSE"
BETTER = "Multi-task learning has the higher CCC than single-task learning"
BOTH = "Emotional state and uncertainty are better learnt together than alone ({dimension}), in CCC"
COSTS = "Multi-task learning has the higher RMSE where one modality is used alone ({partition})"
FUSION = "Fusion raises the CCC of the emotional state"
FUSION_ERROR = "Fusion lowers the RMSE of the emotional state"
FUSION_SIGMA = "Fusion gains less for the uncertainty than for the emotional state, in {measure}"
SHRINKAGE = "Fusion costs the uncertainty CCC, and most of it by least squares' shrinkage"
REVERSED = "Some columns in which multi-task learning gains on development are lost on the test"
TREND = "Predictions follow the gold standard's trend within a recording, in r"
CLAIM_IDS = {
    FASTER: "sigma-faster",
    HARDER: "sigma-harder",
    **{VIDEO.format(partition=p): "video-better" for p in PARTITIONS},
    BETTER: "multi-better",
    **{BOTH.format(dimension=d): "multi-both" for d in DIMENSIONS},
    **{COSTS.format(partition=p): "multi-rmse" for p in PARTITIONS},
    FUSION: "fusion-ccc",
    FUSION_ERROR: "fusion-rmse",
    **{FUSION_SIGMA.format(measure=m): "fusion-sigma" for m in ("CCC", "RMSE")},
    SHRINKAGE: "fusion-scale",
    REVERSED: "dev-and-test",
    TREND: "trend",
}  # of claims.csv
OF_BOTH = [claim for claim, name in CLAIM_IDS.items() if name.startswith(("fusion-", "video-"))]
DECIDED = (FASTER, HARDER, TREND, *(VIDEO.format(partition=p) for p in PARTITIONS))
MADE = "the twin's maker decided it"  # why the twin cannot judge these
NO_LOSS = "that fusion costs the uncertainty CCC is not shown"  # so nothing there is to be explained
PRINTED_ON = "SEWA, mean of its cells"
PRINTED_BEST_ON = "SEWA, mean of its best cells"
PRINTED_RMSE_ON = "SEWA, RMSE, mean of its cells"
SHARE = "RMSE / sd"  # of the gold standard on the same frames: emotion and uncertainty have different units
CAVEATS = {
    "twin": "**The data are generated, and the recordings fewer and shorter than the paper's.** {n} people talk in "
    "pairs for up to {seconds:.0f} seconds each (the paper: 64 for 164); valence, arousal and their ambiguity are "
    "smooth random processes; six raters follow them {lag:.1f} seconds late on average, each with a bias, a scale and "
    "noise that grows with the ambiguity. A source-filter voice and a moving face show them, with one exception: "
    "nothing in the voice tells how ambiguous the valence is, so from audio σ(V) cannot be predicted. It is one of "
    "twelve cells all the same; in the comparison of single- with multi-task learning the means without it stand "
    "beside. openSMILE's features are real, of a voice that is not.\n\n"
    "Whoever wrote the twin decided more than the look of it. Ambiguity moves faster than affect, the raters' noise "
    "faster still; how much voice and face show of each was chosen, more of arousal in the voice and more of valence "
    "in the face; so was the raters' lag. Statements on pace, on which modality tells more, on what is harder and on "
    "whether a trend is followed are therefore *not attempted here*: their numbers stand on the page and show that "
    "they can be measured, not that they are so. And ambiguity is drawn independently of affect: but for raters who "
    "differ in lag, and so disagree a little where the emotion moves, a network can learn nothing for the one from the "
    "other. Where multi-task learning gains nothing here, that does not speak against the paper. In return the true "
    "uncertainty is known.",
}


Found = Mapping[tuple[str, str, str], Entry]  # by artefact, row and column
Measure = Callable[..., NDArray[np.float64]]


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
        return Protocol(
            cells=24, schedule=adam | {"epochs": 5, "patience": 3}, sequence=60, step=0.5, draws=500
        )
    return Protocol(cells=24, schedule=adam | {"epochs": 20, "patience": 5}, sequence=60)


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open or contradicts itself in, and this page."""
    plan = protocol(track)
    whole = "whole recordings" if plan.sequence is None else f"pieces of {plan.sequence} frames"
    rows = [
        ("rater with a negative or undefined weight (eq. 2)", "not said", "weight 0"),
        ("EWE: weights over what", "n = 1, …, N; N not said", "each recording's frames"),
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
        ("CCC over what", "not said", "all frames of a partition; recordings' mean beside it"),
        ("n of Fisher's test", "“over the whole predictions”", "frames; recordings beside it"),
        ("runs", "one, as it seems; no seed given", f"{plan.seeds} seeds"),
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
        names_of = [name for name in r.arrays if r.key in read or name in ("score", "history")]
        kept.append(replace(r, arrays={name: r.arrays[name] for name in names_of}))
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
        self.ledger = Ledger(KEY, self.track, {"recordings": record.fingerprint}, self.results)
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
        if modality == RESCALED:
            return self._rescaled(dimension, target, task, partition)
        if modality == FUSED:
            return self.fitted(self.modalities, dimension, target, task, partition)
        return [
            np.concatenate([chain(x) for x in self.raw(r, target, partition)])
            for chain, r in self.processed(modality, dimension, target, task)
        ]

    def fitted(
        self, modalities: Sequence[str], dimension: str, target: str, task: str, partition: str
    ) -> list[NDArray[np.float64]]:
        """Least squares on development of these modalities' predictions (eq. 9): (F,), one a seed.

        With both it is late fusion; with one it gives that one the scale that fusion would.
        """
        dev = self.gold(dimension, target, "dev")
        rated, inputs = np.isfinite(dev), []
        for where in ("dev", partition):
            found = [self.predicted(m, dimension, target, task, where) for m in modalities]
            inputs.append([np.stack(same_seed, axis=1) for same_seed in zip(*found, strict=True)])
        return [
            LinearRegression().fit(fit_on[rated], dev[rated]).predict(apply_to)
            for fit_on, apply_to in zip(*inputs, strict=True)
        ]

    def unscaled(
        self, modality: str, dimension: str, target: str, task: str, partition: str
    ) -> list[NDArray[np.float64]]:
        """One modality's predictions (F,), smoothed and centred only: before the step that sets their spread."""
        return [
            np.concatenate([steps(chain)["centring"](x) for x in self.raw(r, target, partition)])
            for chain, r in self.processed(modality, dimension, target, task)
        ]

    def _rescaled(self, dimension: str, target: str, task: str, partition: str) -> list[NDArray[np.float64]]:
        """Fused predictions with development's mean and spread, which least squares shrinks."""
        gold = self.gold(dimension, target, "dev")
        rated = np.isfinite(gold)
        y, out = gold[rated], []
        for on_dev, x in zip(
            *(self.predicted(FUSED, dimension, target, task, p) for p in ("dev", partition)), strict=True
        ):
            z = on_dev[rated]
            out.append(y.mean() + (x - z.mean()) * (y.std() / z.std() if z.std() > 0 else 1))
        return out

    def sums(
        self, modality: str, dimension: str, target: str, task: str, partition: str
    ) -> NDArray[np.float64]:
        """`agreement` of the predictions as they are scored."""
        predicted = self.predicted(modality, dimension, target, task, partition)
        return self.agreement(predicted, dimension, target, partition)

    def agreement(
        self, predicted: Sequence[NDArray[np.float64]], dimension: str, target: str, partition: str
    ) -> NDArray[np.float64]:
        """`metrics.agreement_sums` of predictions (F,), one a seed: (recordings, seeds, 6), zeros where unrated."""
        gold, groups = self.gold(dimension, target, partition), self.recording_of(partition)
        rated = np.isfinite(gold)
        each = [metrics.agreement_sums(p[rated], gold[rated], groups[rated]) for p in predicted]
        recordings = self.parts.of(PARTITIONS[partition])
        sums = np.zeros((len(recordings), len(each), 6))
        sums[np.isin(recordings, groups[rated])] = np.stack(each, axis=1)
        return sums

    def cells(
        self, cells: Sequence[tuple[str, str, str]], task: str, partition: str = "test"
    ) -> NDArray[np.float64]:
        """`sums` of several cells (modality, dimension, target): (recordings, seeds, cells, 6)."""
        return np.stack([self.sums(*cell, task, partition) for cell in cells], axis=2)

    def pair_of(self, among: str) -> NDArray[np.str_]:
        """Who talked to each other, of each recording of a partition or of "all"."""
        return self.record.pair if among == "all" else self.record.pair[self.parts.of(PARTITIONS[among])]

    def interval(
        self,
        statistic: Callable[..., float],
        *arrays: NDArray[Any],
        among: str,
        rows: NDArray[Any] | slice = slice(None),
        seeds: bool = False,
    ) -> tuple[Interval | None, str]:
        """The bootstrap of arrays of recordings (n, ...), or (n, seeds, ...), and what it is over; or None, and why.

        The recordings are those of `among`, a partition or "all", or its `rows`. There is none without two pairs, nor,
        where there are `seeds`, without two of them: how much people, or trainings, vary cannot be seen.
        """
        pairs = self.pair_of(among)[rows]
        count = len(np.unique(pairs))
        unit = "pair" if len(np.unique(self.record.pair)) < len(self.record) else "recording"
        if count < 2:
            return None, f"one {unit} ({among}) does not show how {unit}s vary"
        if seeds and arrays[0].shape[1] < 2:
            return None, "one seed does not show how trainings vary"
        about = f"95 % bootstrap over {count} {unit}s ({among})"
        about += f" and {arrays[0].shape[1]} seeds" if seeds else ""
        bootstrap = stats.crossed_bootstrap if seeds else stats.cluster_bootstrap
        return bootstrap(statistic, *arrays, clusters=pairs, seed=0, draws=self.plan.draws), about

    def _add(
        self,
        artefact: str,
        row: str,
        column: str,
        statistic: Callable[..., NDArray[np.float64]],
        *sums: NDArray[np.float64],
        among: str = "test",
        claim: str = "",
        judged: bool = False,
        untold: str = "",
        trained: bool = True,
        **rest: Any,
    ) -> Entry:
        """Record a statistic of recordings' sums (recordings, seeds, ...), one value a seed.

        A claim of the paper gets a verdict, and so does a question of ours that is `judged`; `untold` is the reason why
        the interval does not decide. What is not `trained` has no seeds, and its sums a second dimension of one.
        """

        def of(*rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return statistic(*(part.sum(axis=0) for part in rows))

        values = [float(v) for v in of(*sums)]
        interval, about = self.interval(
            lambda *rows: float(np.mean(of(*rows))), *sums, among=among, seeds=trained
        )
        return self.ledger.add(
            artefact,
            row,
            column,
            source="recordings",
            n=_frames(sums[0]),
            values=values if trained else None,
            interval=interval or values[0],
            about=about if interval else "",
            **self._judged(claim, interval, about, untold) if claim or judged else {},
            **rest,
        )

    def _count(
        self,
        artefact: str,
        row: str,
        column: str,
        statistic: Callable[..., float],
        *sums: NDArray[np.float64],
        within: tuple[float, float],
        among: str = "test",
        claim: str = "",
        **rest: Any,
    ) -> Entry:
        """Record a count or share of columns, each compared by its mean over seeds, as the tables show it.

        It lies `within` two numbers, beyond which its interval is cut off.
        """

        def of(*rows: NDArray[np.float64]) -> float:
            return float(statistic(*(part.sum(axis=0) for part in rows)))

        interval, about = self.interval(of, *sums, among=among, seeds=True)
        if interval:
            low, high = np.clip([interval.low, interval.high], *within)
            interval = replace(interval, low=float(low), high=float(high))
        return self.ledger.add(
            artefact,
            row,
            column,
            source="recordings",
            n=_frames(sums[0]),
            interval=interval or of(*sums),
            about=about,
            **self._judged(claim, interval, about) if claim else {},
            **rest,
        )

    def _judged(self, claim: str, interval: Interval | None, about: str, untold: str = "") -> dict[str, Any]:
        """What an entry says of a claim: itself, the paper's statement and the verdict; "" is a question of ours.

        `interval` and `about` are as `interval` gives them; `untold` is the reason why the interval does not decide.
        """
        verdict = str(stats.verdict(interval, 1)) if interval else f"{Verdict.CANNOT_TELL}: {about}"
        if untold:
            verdict = f"{Verdict.CANNOT_TELL}: {untold}"
        if claim in DECIDED and self.track.name == "twin":
            verdict = f"{Verdict.NOT_ATTEMPTED}: {MADE}"
        return {"claim": claim, "claim_id": CLAIM_IDS[claim] if claim else "", "verdict": verdict}

    # artefacts

    def gold_standard(self) -> ArtefactTable:
        """What the weights of EWE are, and on the twin, how near it and the raters' mean come to the truth.

        No verdict: the twin's truth is an unweighted mean of raters who are equally noisy.
        """
        ratings, groups = self.record.ratings, np.repeat(np.arange(len(self.record)), self.record.frames)
        gold = gold_standard(self.record)
        for dimension in DIMENSIONS:
            d = AFFECT.index(dimension)
            every = np.array(
                [rater_weights(ratings[self.record.rows(i), :, d]) for i in range(len(self.record))]
            )
            took_part = np.array(
                [np.isfinite(ratings[self.record.rows(i), :, d]).any(axis=0) for i in range(len(self.record))]
            )
            given = every[took_part]
            rated = np.isfinite(gold[:, 0, d])
            mean = np.nanmean(ratings[rated, :, d], axis=1)
            common: dict[str, Any] = {"source": "recordings", "n": given.size}
            for column, value in (
                ("mean weight", given.mean()),
                ("raters without weight", (given == 0).sum()),
            ):
                self.ledger.add("gold_standard", dimension, column, interval=float(value), **common)
            for k, there in enumerate(took_part.T):
                self._weight(f"{dimension}: rater {k + 1}", every[:, k], there)
            if self.record.truth is not None:
                by_lag = np.argsort(np.abs(LAGS - LAGS.mean()))
                middle, outer = (every[:, by_lag[of]].mean(axis=1) for of in (slice(2), slice(-2, None)))
                row = f"{dimension}: two nearest the mean lag - two farthest"
                self._weight(row, middle - outer, np.ones(len(every), bool))
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
                common = {"among": "all", "trained": False}
                for name, statistic, of in (
                    ("EWE", _ccc, [ewe]),
                    ("mean", _ccc, [plain]),
                    ("EWE - mean", _less(_ccc), [ewe, plain]),
                ):
                    row = f"{dimension}: {name}"
                    self._add("gold_standard", row, "CCC with the truth", statistic, *of, **common)
        return self.ledger.table("gold_standard")

    def _weight(self, row: str, weights: NDArray[np.float64], there: NDArray[np.bool_]) -> None:
        """Record the mean of weights (recordings,) over the recordings that are `there`."""
        interval, about = self.interval(lambda w: float(w.mean()), weights[there], among="all", rows=there)
        mean = float(weights[there].mean()) if there.any() else None
        self.ledger.add(
            "gold_standard",
            row,
            "mean weight",
            source="recordings",
            n=int(there.sum()),
            interval=interval or mean,
            about=about,
        )

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
            implied = f"{audit.gold(_short('sigma', dimension)).value:.3f}"
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
        gold, held = gold_standard(self.record)[:, 0], self.parts.of("validation").tolist()
        used = self.plan.delay / self.record.rate
        for name, by_delay in self.delay_curves().items():
            d = AFFECT.index(name.partition(", ")[2])
            best = max(by_delay, key=lambda seconds: by_delay[seconds])
            for column, delay, value in (
                ("best delay (s)", best, best),
                ("r at 0 s", 0.0, by_delay[0.0]),
                (f"r at {used:g} s", used, by_delay[used]),
                ("r at the best", best, by_delay[best]),
            ):
                late = round(delay * self.record.rate)
                n = sum(int(np.isfinite(gold[self.record.rows(i)][late:, d]).sum()) for i in held)
                self.ledger.add("delays", name, column, source="recordings", n=n, interval=value)
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
        """Table 2: the RMSE of every cell, and of the constant that is development's mean."""
        self._cells("table2", 2, _rmse)
        for dimension, partition, target in product(DIMENSIONS, PARTITIONS, TARGETS):
            gold = self.gold(dimension, target, partition)
            rated = np.isfinite(gold)
            constant = np.full(rated.sum(), np.nanmean(self.gold(dimension, target, "dev")))
            sums = metrics.agreement_sums(constant, gold[rated], np.zeros(rated.sum()))
            self.ledger.add(
                "table2",
                "mean of dev",
                f"{_short(target, dimension)} {partition}",
                source="recordings",
                n=int(rated.sum()),
                interval=float(_rmse(sums)[0]),
            )
        return self.ledger.table("table2")

    def correlations(self) -> ArtefactTable:
        """Pearson's r of every cell: what a prediction knows, whatever its mean and scale."""
        for modality, task in product(self.shown, TASKS):
            for dimension, partition, target in product(DIMENSIONS, PARTITIONS, TARGETS):
                sums = self.sums(modality, dimension, target, task, partition)
                row, column = f"{modality} {task}", f"{_short(target, dimension)} {partition}"
                self._add("correlations", row, column, _r, sums, among=partition)
        return self.ledger.table("correlations")

    def epochs(self) -> ArtefactTable:
        """The epoch that each network went back to, its best by the error on development."""
        for modality in self.modalities:
            best = [
                int(np.argmin(r["history"][:, 1])) + 1
                for name, group in self.results.items()
                if name[0] == modality
                for r in group
            ]
            for column, of in (("lowest", np.min), ("median", np.median), ("highest", np.max)):
                self.ledger.add(
                    "epochs", modality, column, source="recordings", n=len(best), interval=float(of(best))
                )
        return self.ledger.table("epochs")

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
                    among=partition,
                    printed=printed[row, column],
                    printed_on="SEWA",
                )
        return self.ledger.table(artefact)

    def comparisons(self) -> list[tuple[str, str, str, str]]:
        """(modality, dimension, target, partition) of the 24 comparisons of single- with multi-task learning."""
        return list(product(self.shown, DIMENSIONS, TARGETS, PARTITIONS))

    def significance(self) -> ArtefactTable:
        """Each comparison by Fisher's r to z, as the paper did it, and by a bootstrap over pairs and seeds.

        Counted on the test; the paper's sentences are judged by the mean over its cells.
        """
        found = {what: {"better": 0, "worse": 0} for what in COUNTED}
        for modality, dimension, target, partition in self.comparisons():
            single, multi = (self.sums(modality, dimension, target, t, partition) for t in TASKS)
            name = f"{modality}, {_short(target, dimension)}, {partition}"
            row = f"{name}: multi - single"
            entry = self._add("significance", row, "CCC", _less(_ccc), multi, single, among=partition)
            self._add("significance", row, "r", _less(_r), multi, single, among=partition)
            counted = partition == "test"
            if counted and "bootstrap over" in entry.interval:
                found[COUNTED[2]]["better"] += entry.low > 0
                found[COUNTED[2]]["worse"] += entry.high < 0
            r = [float(np.mean(_ccc(s.sum(axis=0)))) for s in (multi, single)]
            for what, n in zip(COUNTED, (entry.n, len(multi)), strict=False):
                test = stats.compare_correlations(r[0], n, r[1], n) if n > 3 else None
                p = test.p if test else np.nan
                if counted and p < 0.05:
                    found[what]["better" if r[0] > r[1] else "worse"] += 1
                self.ledger.add(
                    "significance", name, f"p, {what}", source="recordings", n=n, interval=float(p), unit="p"
                )
        tested = [name[:3] for name in self.comparisons() if name[3] == "test"]
        for what, (kind, count) in ((what, pair) for what, of in found.items() for pair in of.items()):
            row, column = f"significant of {len(tested)}, test", f"{what}: {kind}"
            self.ledger.add("significance", row, column, source="recordings", n=len(tested), interval=count)
        sets = {("all cells", BETTER): tested} | {
            (d, BOTH.format(dimension=d)): [cell for cell in tested if cell[1] == d] for d in DIMENSIONS
        }
        for (name, claim), cells in sets.items():
            multi, single = (self.cells(cells, t) for t in reversed(TASKS))
            row = f"{name}, test: multi - single"
            told: dict[str, Any] = {"printed": f"{printed_gain(1, cells):+.3f}", "printed_on": PRINTED_ON}
            self._add("significance", row, "CCC", _less(_ccc), multi, single, claim=claim, **told)
            self._add("significance", row, "r", _less(_r), multi, single)
            heard = [cell for cell in cells if cell != UNHEARD]
            if self.track.name == "twin" and 0 < len(heard) < len(cells):
                multi, single = (self.cells(heard, t) for t in reversed(TASKS))
                row = f"{name}, test, without audio's sigma(V): multi - single"
                self._add("significance", row, "CCC", _less(_ccc), multi, single)
        self._reversed(tested)
        return self.ledger.table("significance")

    def _reversed(self, cells: Sequence[tuple[str, str, str]]) -> None:
        """What is gained on development, and how many of these columns, of CCC and RMSE, are lost on the test.

        The gains on development are taken as they came, and the test's pairs and the seeds resampled. "Not always" is
        refuted by no count; of none it could not be told.
        """
        dev, test = ([self.cells(cells, t, p) for t in reversed(TASKS)] for p in PARTITIONS)
        row = "all cells, dev: multi - single"
        printed = f"{printed_gain(1, cells, 'dev'):+.3f}"
        told: dict[str, Any] = {"among": "dev", "printed": printed, "printed_on": PRINTED_ON}
        self._add("significance", row, "CCC", _less(_ccc), *dev, **told)
        gained = _ahead(*(part.sum(axis=0) for part in dev))
        ahead, lost = audit.gained_and_lost(self.shown)
        told = {"printed": str(len(ahead)), "printed_on": "SEWA"}
        self.ledger.add(
            "significance",
            "all cells: gained on dev",
            "columns",
            source="recordings",
            n=_frames(dev[0]),
            interval=float(gained.sum()),
            **told,
        )
        told = {"printed": str(len(lost)), "printed_on": "SEWA", "claim": REVERSED}
        self._count(
            "significance",
            "all cells: gained on dev, lost on test",
            "columns",
            lambda multi, single: float((gained & _ahead(single, multi)).sum()),
            *test,
            within=(0, int(gained.sum())),
            **told,
        )

    def differences(self) -> list[tuple[str, str, float, tuple[float, float], tuple[float, float]]]:
        """Name, partition, estimate, interval with frames as n (Zou 2007, from Fisher's), bootstrap's; test first."""
        rows = []
        entries = {
            e.row: e for e in self.ledger.entries if e.artefact == f"{KEY}/significance" and e.column == "CCC"
        }
        for modality, dimension, target, partition in sorted(
            self.comparisons(), key=lambda c: c[3] != "test"
        ):
            name = f"{modality}, {_short(target, dimension)}"
            entry = entries[f"{name}, {partition}: multi - single"]
            multi, single = (
                stats.correlation_interval(
                    float(np.mean(_ccc(self.sums(modality, dimension, target, t, partition).sum(axis=0)))),
                    entry.n,
                )
                for t in reversed(TASKS)
            )
            frames = _apart(multi, single)
            bounds = frames.low, frames.high
            rows.append((name, partition, entry.measured, bounds, (entry.low, entry.high)))
        return rows

    def rmse_of_multi(self) -> ArtefactTable:
        """The paper's remark that multi-task learning costs RMSE where one modality is used alone.

        Judged before the step that stretches a prediction to the gold standard's spread: after it and a centring, RMSE
        is sd sqrt(2 - 2 CCC), and cannot rise with the CCC.
        """
        cells = list(product(self.modalities, DIMENSIONS, TARGETS))
        for partition in PARTITIONS:
            before: dict[str, list[NDArray]] = {task: [] for task in TASKS}
            for modality, dimension, target in cells:
                for task in TASKS:
                    plain = self.unscaled(modality, dimension, target, task, partition)
                    before[task].append(self.agreement(plain, dimension, target, partition))
                both = (before[task][-1] for task in reversed(TASKS))
                row = f"{modality}, {_short(target, dimension)}, {partition}: multi - single"
                self._add("rmse_of_multi", row, "RMSE, unscaled", _less(_rmse), *both, among=partition)
            multi, single = (np.stack(before[task], axis=2) for task in reversed(TASKS))
            row = f"all cells, {partition}: multi - single"
            told: dict[str, Any] = {
                "claim": COSTS.format(partition=partition),
                "printed": f"{printed_gain(2, cells, partition):+.3f}",
                "printed_on": PRINTED_RMSE_ON,
            }
            where: dict[str, Any] = {"among": partition}
            column = f"{SHARE}, unscaled"
            self._add("rmse_of_multi", row, column, _less(_share), multi, single, **where, **told)
            self._add("rmse_of_multi", row, "CCC, unscaled", _less(_ccc), multi, single, **where)
            multi, single = (self.cells(cells, t, partition) for t in reversed(TASKS))
            self._add("rmse_of_multi", row, f"{SHARE}, scaled", _less(_share), multi, single, **where)
        return self.ledger.table("rmse_of_multi")

    def sweep(self) -> ArtefactTable:
        """The weights that the search chose, and what on the test was due to it."""
        cells = list(product(self.modalities, DIMENSIONS, TARGETS))
        pairs = (("multi", EQUAL), (EQUAL, "single"), ("multi", "multi by MSE"))
        says = {pairs[0]: f"searched - {EQUAL}", pairs[1]: f"{EQUAL} - single", pairs[2]: "by CCC - by MSE"}
        for modality, dimension, target in cells:
            name = f"{modality}, {_short(target, dimension)}"
            n = int(np.isfinite(self.gold(dimension, target, "dev")).sum())
            for r in self.networks(modality, dimension, target, "multi"):
                column, w = f"w_E chosen, seed {r.run.seed}", r.run.settings["weights"][0]
                self.ledger.add("sweep", name, column, source="recordings", n=n, interval=w)
            for (one, other), words in says.items():
                both = (self.sums(modality, dimension, target, t, "test") for t in (one, other))
                self._add("sweep", f"{name}: {words}", "CCC test", _less(_ccc), *both)
        for (one, other), words in says.items():
            both = (self.cells(cells, t) for t in (one, other))
            self._add("sweep", f"all cells: {words}", "CCC test", _less(_ccc), *both)
        return self.ledger.table("sweep")

    def chosen_weights(self) -> dict[str, dict[str, list[float]]]:
        """The weight of E that the search chose, one a seed: panel -> target -> w_E."""
        return {
            f"{modality}, {dimension}": {
                target: [
                    r.run.settings["weights"][0] for r in self.networks(modality, dimension, target, "multi")
                ]
                for target in TARGETS
            }
            for modality, dimension in product(self.modalities, DIMENSIONS)
        }

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
        """What both modalities give over the one that does better on development; and which does better.

        Claims are judged as the paper has it, with what least squares gives. Errors would then be compared between a
        fit, whose error is the least of any scale, and predictions stretched for the CCC: the one modality is fitted
        too. With fused predictions stretched as the others are, the CCC is a question of ours.
        """
        if len(self.modalities) < 2:
            why = f"the recordings have {self.modalities[0]} only"
            for claim in OF_BOTH:
                self.ledger.not_attempted("fusion", claim, why, claim_id=CLAIM_IDS[claim])
            return self.ledger.table("fusion")
        settings = list(product(TASKS, DIMENSIONS, TARGETS))
        for partition in PARTITIONS:
            self._video_ahead(settings, partition)

        kinds = ("both", "both, rescaled", "one", "one, fitted")
        made: dict[str, dict[str, list[NDArray]]] = {t: {kind: [] for kind in kinds} for t in TARGETS}
        for task, dimension, target in settings:
            best = max(self.modalities, key=lambda m: self._on_dev(m, dimension, target, task))
            cell, of = (dimension, target, task, "test"), made[target]
            for kind, modality in (("both", FUSED), ("both, rescaled", RESCALED), ("one", best)):
                of[kind].append(self.sums(modality, *cell))
            alone = self.fitted([best], *cell)
            of["one, fitted"].append(self.agreement(alone, dimension, target, "test"))
            for kind, rival, column, measure in COMPARED:
                row = f"{_short(target, dimension)}, {task}: {kind} - {best}{_alike(rival)}"
                self._add("fusion", row, column, _less(measure), of[kind][-1], of[rival][-1])
        whole = {t: {k: np.stack(parts, axis=2) for k, parts in of.items()} for t, of in made.items()}
        loss: Entry | None = None
        for target, (kind, rival, column, measure) in product(TARGETS, COMPARED):
            told: dict[str, Any] = {}
            if target == "E" and (kind, rival, column) in JUDGED:
                told["claim"] = FUSION if column == "CCC" else FUSION_ERROR
            if target == "E" and (kind, rival) == ("both", "one") and column != "r":
                told |= printed_fusion(column, "E")
            row, judged = f"{target}, all cells: {kind} - the better one{_alike(rival)}", kind != "both"
            sums = whole[target]
            entry = self._add(
                "fusion", row, column, _less(measure), sums[kind], sums[rival], judged=judged, **told
            )
            if (target, kind, column) == ("sigma", "both", "CCC"):
                loss = entry
        assert loss is not None
        sigma = whole["sigma"]
        of_sigma = [sigma[k] for k in ("both, rescaled", "both", "one", "both, rescaled")]
        row, told = "sigma, all cells: lost by shrinkage - lost otherwise", {"claim": SHRINKAGE}
        told["untold"] = "" if loss.high < 0 else NO_LOSS
        self._add("fusion", row, "CCC", _gain_less(_ccc), *of_sigma, **told)
        for kind, rival, column, measure in COMPARED:
            row = f"all cells, {kind}{_alike(rival)}: gain for E - gain for sigma"
            gains = [whole[t][k] for t in TARGETS for k in (kind, rival)]
            told = {"judged": kind != "both"}
            if (kind, rival, column) in JUDGED:
                told["claim"] = FUSION_SIGMA.format(measure="CCC" if column == "CCC" else "RMSE")
            if (kind, rival) == ("both", "one") and column != "r":
                told |= printed_fusion(column, "E", "sigma")
            self._add("fusion", row, column, _gain_less(measure), *gains, **told)
        return self.ledger.table("fusion")

    def _video_ahead(self, settings: Sequence[tuple[str, str, str]], partition: str) -> None:
        """By how much CCC video is ahead of audio, and in which share of the columns (CCC, RMSE), minus one half."""
        sides = {
            m: np.stack([self.sums(m, d, target, task, partition) for task, d, target in settings], axis=2)
            for m in ("video", "audio")
        }
        for k, (task, dimension, target) in enumerate(settings):
            row = f"{_short(target, dimension)}, {task}, {partition}: video - audio"
            both = (side[:, :, k] for side in sides.values())
            self._add("fusion", row, "CCC", _less(_ccc), *both, among=partition)
        for name in (*DIMENSIONS, "all cells"):
            of = [k for k, (_, d, _) in enumerate(settings) if name in (d, "all cells")]
            columns = [(t, f"{_short(target, d)} {partition}") for t, d, target in (settings[k] for k in of)]
            told: dict[str, Any] = {
                "printed": f"{printed_share(columns) - 0.5:+.3f}",
                "printed_on": "SEWA",
                "claim": VIDEO.format(partition=partition) if name == "all cells" else "",
            }
            self._count(
                "fusion",
                f"{name}, {partition}: video ahead - one half",
                "share of columns",
                lambda video, audio: float(_ahead(video, audio).mean()) - 0.5,
                *(side[:, :, of] for side in sides.values()),
                within=(-0.5, 0.5),
                among=partition,
                **told,
            )

    def _on_dev(self, modality: str, dimension: str, target: str, task: str) -> float:
        return float(np.mean(_ccc(self.sums(modality, dimension, target, task, "dev").sum(axis=0))))

    def uncertainty(self) -> ArtefactTable:
        """How well the uncertainty can be predicted at all, and on the twin, how near predictions come to the truth."""
        of_e, of_sigma = (
            np.stack(
                [
                    np.concatenate([self.cells([(m, d, t) for m in self.shown], x) for x in TASKS], axis=2)
                    for d in DIMENSIONS
                ],
                axis=2,
            )  # (recordings, seeds, dimensions, settings, 6)
            for t in TARGETS
        )
        rows = [f"{m} {t}" for m, t in product(self.shown, TASKS)]
        for row, column, statistic, of, claim, on in (
            ("best of each dimension: E - sigma", "highest CCC", _best_less, np.max, HARDER, PRINTED_BEST_ON),
            ("all cells: E - sigma", "CCC", _less(_ccc), np.mean, "", PRINTED_ON),
        ):
            e, sigma = (
                np.mean(
                    [of([printed_mean(1, [r], [f"{_short(t, d)} test"]) for r in rows]) for d in DIMENSIONS]
                )
                for t in TARGETS
            )
            told: dict[str, Any] = {"claim": claim, "printed": f"{e - sigma:+.3f}", "printed_on": on}
            self._add("uncertainty", row, column, statistic, of_e, of_sigma, **told)
        widest = self.shown[-1]
        for dimension in DIMENSIONS:
            one, other = (self.sums(widest, dimension, t, "multi", "test") for t in TARGETS)
            self._add(
                "uncertainty", f"{dimension}, {widest} multi: E - sigma", "CCC", _less(_ccc), one, other
            )
            self._ceilings(dimension)
            if self.record.truth is None:
                continue
            truth, groups = self.true_uncertainty(dimension, "test"), self.recording_of("test")
            gold = self.gold(dimension, "sigma", "test")
            best = metrics.agreement_sums(truth, gold, groups)[:, None]
            row = f"{dimension}: the true uncertainty"
            self._add("uncertainty", row, "CCC with the raters'", _ccc, best, trained=False)
            for modality in self.shown:
                predicted = self.predicted(modality, dimension, "sigma", "multi", "test")
                right = np.stack([metrics.agreement_sums(p, truth, groups) for p in predicted], axis=1)
                row = f"{dimension}: {modality} multi"
                sums = self.sums(modality, dimension, "sigma", "multi", "test")
                self._add("uncertainty", row, "CCC with the raters'", _ccc, sums)
                self._add("uncertainty", row, "CCC with the truth", _ccc, right)
        return self.ledger.table("uncertainty")

    def _ceilings(self, dimension: str) -> None:
        """Correlation with the raters' variance, on the test: the raters' own ceiling, and the true variance's."""
        d, test = AFFECT.index(dimension), self.parts.of("test")
        late = [
            np.arange(self.record.rows(i).start + self.plan.delay, self.record.rows(i).stop) for i in test
        ]
        frames, groups = np.concatenate(late), np.repeat(np.arange(len(test)), [len(x) for x in late])
        ratings = self.record.ratings[frames, :, d].astype(np.float64)
        there = np.isfinite(ratings).any(axis=0)  # those who rated the test
        enough = np.isfinite(ratings).sum(axis=1) >= 4
        frames, groups, ratings = frames[enough], groups[enough], ratings[enough][:, there]
        if len(ratings) < 2:
            return
        parts = np.split(np.arange(len(groups)), np.flatnonzero(np.diff(groups)) + 1)
        rated = groups[[part[0] for part in parts]]
        column = "r with their variance"

        def ceiling(recordings: NDArray[np.int64]) -> float:
            rows = np.concatenate([parts[k] for k in recordings])
            return float(stats.variance_ceiling_from_ratings(ratings[rows], same_raters=True))

        every = np.arange(len(parts))
        interval, about = self.interval(ceiling, every, among="test", rows=rated)
        self.ledger.add(
            "uncertainty",
            f"{dimension}: ceiling from the raters",
            column,
            source="recordings",
            n=len(ratings),
            interval=interval or ceiling(every),
            about=about,
        )
        if self.record.truth is not None:
            true, seen = self.record.truth.variance[frames, d], stats.observed_variance(ratings)
            sums = metrics.agreement_sums(true, seen, groups)[:, None]
            self._add("uncertainty", f"{dimension}: the true variance", column, _r, sums, trained=False)

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
        """CCC over all frames of the test put together; the mean over recordings of each one's CCC, and of its r."""
        settings, of = list(product(DIMENSIONS, TARGETS)), self.shown[-1]
        cells = [self.sums(of, dimension, target, "multi", "test") for dimension, target in settings]
        for (dimension, target), sums in zip(settings, cells, strict=True):
            row = f"{of} multi, {_short(target, dimension)}"
            self._add("per_recording", row, "concatenated", _ccc, sums)
            self._mean_of_recordings(row, "mean of recordings", _ccc, sums)
            self._mean_of_recordings(row, "mean r of recordings", _r, sums)
        row = f"{of} multi, all cells"
        self._mean_of_recordings(row, "mean r of recordings", _r, np.stack(cells, axis=2), claim=TREND)
        return self.ledger.table("per_recording")

    def _mean_of_recordings(
        self, row: str, column: str, measure: Measure, sums: NDArray[np.float64], *, claim: str = ""
    ) -> None:
        """Record the mean over recordings, and cells, of a measure of (recordings, seeds, [cells,] 6) sums."""
        rated = sums[..., 0].reshape(len(sums), -1).min(axis=1) > 0
        each = measure(sums[rated]).reshape(rated.sum(), sums.shape[1], -1)
        interval, about = self.interval(
            lambda rows: float(rows.mean()), each, among="test", rows=rated, seeds=True
        )
        self.ledger.add(
            "per_recording",
            row,
            column,
            source="recordings",
            n=int(sums[:, 0].reshape(len(sums), -1, 6)[:, 0, 0].sum()),
            values=each.mean(axis=(0, 2)).tolist(),
            interval=interval,
            about=about if interval else "",
            **self._judged(claim, interval, about) if claim else {},
        )

    def pace(self) -> ArtefactTable:
        """How fast both gold standards change: mean change in a second, in standard deviations over all recordings."""
        both: list[NDArray] = []
        common: dict[str, Any] = {"among": "all", "trained": False}
        for dimension in DIMENSIONS:
            moved = []
            for j, target in enumerate(TARGETS):
                y = self.parts.gold[:, j, AFFECT.index(dimension)]
                each = [self._changes(y[self.parts.rows(i)]) for i in range(len(self.record))]
                moved.append(np.array(each)[:, None])
                self._add("pace", _short(target, dimension), "sd per second", _pace, moved[-1], **common)
            row = f"{dimension}: sigma - E"
            self._add("pace", row, "sd per second", _less(_pace), *reversed(moved), **common)
            both.append(np.stack(moved, axis=2))
        slow, fast = np.moveaxis(np.stack(both, axis=3), 2, 0)  # (recordings, 1, dimensions, 5)
        row = "both dimensions: sigma - E"
        self._add("pace", row, "sd per second", _less(_pace), fast, slow, claim=FASTER, **common)
        return self.ledger.table("pace")

    def dependency(self) -> ArtefactTable:
        """What one target tells of the other: r of the uncertainty with the emotional state, its size and its pace."""
        owner, half = np.repeat(np.arange(len(self.record)), self.parts.frames), round(self.record.rate / 2)
        for dimension in DIMENSIONS:
            e, sigma = self.parts.gold[:, :, AFFECT.index(dimension)].T
            change = np.full(len(e), np.nan)
            for i in range(len(self.record)):
                y = e[self.parts.rows(i)]
                change[self.parts.rows(i)][half:-half] = np.abs(y[2 * half :] - y[: -2 * half])
            for column, x in (
                ("r with E", e),
                ("r with |E|", np.abs(e)),
                ("r with E's change in a second", change),
            ):
                seen = np.isfinite(x) & np.isfinite(sigma)
                sums = np.zeros((len(self.record), 1, 6))
                sums[np.unique(owner[seen]), 0] = metrics.agreement_sums(x[seen], sigma[seen], owner[seen])
                self._add("dependency", f"sigma, {dimension}", column, _r, sums, among="all", trained=False)
        return self.ledger.table("dependency")

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
        return self.track.caution + CAVEATS.get(self.track.name, licensed).format(
            n=2 * pairs, seconds=seconds, lag=float(LAGS.mean())
        )

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        found = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        lines = [self._counts(), "", *self._could_be_told()]
        lines += [line for line in (self._tellable(found), *self._together(found)) if line]
        for row, ask in (
            ("E, all cells: both, rescaled - the better one", "Does fusion help the emotional state?"),
            ("sigma, all cells: both, rescaled - the better one", "The uncertainty?"),
        ):
            if e := found.get(("fusion", row, "CCC")):
                lines.append(f"- {ask} {_answered(e)}: CCC {_told(e)}, both stretched alike.")
        for (artefact, row, column), e in found.items():
            if artefact == "significance" and column == f"{COUNTED[0]}: better":
                ways = [
                    f"{name} better in {found[artefact, row, f'{what}: better'].measured:.0f} and worse in "
                    f"{found[artefact, row, f'{what}: worse'].measured:.0f}"
                    for what, name in zip(COUNTED, COUNTED_BY, strict=True)
                ]
                lines.append(
                    f"- Of {e.n} cells on the test, multi-task learning is, at 5 %, {'; '.join(ways)}."
                )
        return "\n".join(lines)

    def _counts(self) -> str:
        verdicts = self.ledger.verdicts()
        statements = {e.claim_id for e in self.ledger.entries if e.claim}
        counts = verdicts["verdict"].str.partition(":")[0].value_counts()
        head = f"**In short** (track {self.track.name}, profile {self.track.profile})"
        told = ", ".join(f"{n} {v}" for v, n in counts.items())
        return f"{head}: of {len(verdicts)} tests of {len(statements)} statements of the paper, {told}."

    def smallest_told(self) -> pd.DataFrame:
        """Beside each claimed difference: half its interval, a true difference that is told about half the time.

        Columns: claim, of (its unit), printed, measured, told from (half the interval) and verdict.
        """
        tested = [
            e
            for e in self.ledger.entries
            if e.claim not in ("", REVERSED)
            and np.isfinite(e.low)
            and not e.verdict.startswith(Verdict.NOT_ATTEMPTED)
        ]
        rows = [
            (
                e.claim,
                e.column,
                f"{e.printed} ({e.printed_on})" if e.printed else "",
                f"{e.measured:+.3f}",
                f"{_half(e):.3f}",
                e.verdict,
            )
            for e in tested
        ]
        return pd.DataFrame(rows, columns=["claim", "of", "printed", "measured", "told from", "verdict"])

    def _could_be_told(self) -> list[str]:
        """What "cannot tell" says of effects of the printed size; errors are printed in another unit than measured."""
        printed = [
            e
            for e in self.ledger.entries
            if e.claim and e.printed and e.column == "CCC" and e.verdict == Verdict.CANNOT_TELL
        ]
        wide = [e for e in printed if np.isfinite(e.low)]
        if not wide:
            return []
        small = [e for e in wide if abs(float(e.printed)) < _half(e)]
        line = (
            f"- *Cannot tell* is not *no difference*: intervals over {wide[0].interval.partition(' over ')[2]} are "
            "wide, and up to twice as wide as needed where what differs is single people whom one training serves "
            "badly: a verdict may be the method's. Of "
            f"{len(wide)} such tests on CCC for which the paper prints a difference, {len(small)} have one smaller "
            "than half the interval here: were it true, it would sooner be missed than told."
        )
        for e in small[:1]:
            line += f" “{e.claim}”: printed {e.printed}, half the interval {_half(e):.3f}."
        return [line]

    def _tellable(self, found: Found) -> str:
        """Can the uncertainty be told at all?"""
        parts = []
        for dimension in DIMENSIONS:
            column = f"{_short('sigma', dimension)} test"
            rows = [(a, r) for a, r, c in found if a == "table1" and r.endswith(" multi") and c == column]
            if not rows:
                continue
            e = found[*rows[-1], column]
            part = (
                f"{dimension} {'yes' if e.low > 0 else 'not shown'}, CCC {_told(e)} from {rows[-1][1]}-task"
            )
            key = ("uncertainty", f"{dimension}: the true uncertainty", "CCC with the raters'")
            parts.append(
                part + (f" (the true uncertainty itself {_told(found[key])})" if key in found else "")
            )
        return f"- Can one tell where people disagree? {'; '.join(parts)}." if parts else ""

    def _together(self, found: Found) -> list[str]:
        """Does it help to learn both, and what of it is due to the search?"""
        e = found.get(("significance", "all cells, test: multi - single", "CCC"))
        if e is None:
            return []
        ahead = [
            [
                f.measured > 0
                for (a, row, c), f in found.items()
                if (a, c) == ("significance", "CCC") and words in row
            ]
            for words in ("), dev: ", "), test: ")
        ]
        lines = [
            f"- Does it help to learn both? {_answered(e)}: on the test multi-task learning gains "
            f"{_told(e)} in CCC on average. It is ahead in {sum(ahead[0])} of {len(ahead[0])} cells on "
            f"development and in {sum(ahead[1])} of {len(ahead[1])} on the test."
        ]
        equal = found.get(("sweep", f"all cells: {EQUAL} - single", "CCC test"))
        by_search = (
            f"It is the best of {len(weights(self.track))} networks by its CCC on development; single-task "
        )
        by_search += "learning is one network"
        if equal:
            by_search += (
                f". With equal weights, which nobody chose, it gains {_told(equal)}, one modality at a time"
            )
        lines.append(f"- {by_search}.")
        shared = [
            " and ".join(
                f"{f.measured:.2f}" for (a, _, c), f in found.items() if (a, c) == ("dependency", column)
            )
            for column in ("r with E", "r with E's change in a second")
        ]
        if all(shared) and self.track.name == "twin":
            lines.append(
                f"- The twin gives both tasks little to share: its uncertainty correlates with its emotional state by "
                f"{shared[0]} ({' and '.join(DIMENSIONS)}), with how much that moves by {shared[1]}. So this does not "
                "speak against the paper."
            )
        return lines


def _answered(entry: Entry) -> str:
    """What an entry answers to a question, and why it cannot be told."""
    word, _, why = answer(entry.verdict).partition(": ")
    return f"{ANSWERS[word]} ({why})" if why else ANSWERS[word]


def _told(entry: Entry) -> str:
    """A score with its interval to two digits; what is gained or lost, to three with its sign."""
    form = "+.3f" if " - " in entry.row else ".2f"
    bounds = "" if np.isnan(entry.low) else f" [{entry.low:{form}}, {entry.high:{form}}]"
    return f"{entry.measured:{form}}{bounds}"


def _half(entry: Entry) -> float:
    """Half the interval: about the least measured difference that it would tell from none.

    A true difference of that size is measured as larger or smaller equally often, so told about half the time.
    """
    return (entry.high - entry.low) / 2


def _apart(one: Interval, other: Interval) -> Interval:
    """The difference of two independent estimates, its interval from theirs (Zou 2007)."""
    gap = one.estimate - other.estimate
    below = float(np.hypot(one.estimate - one.low, other.high - other.estimate))
    above = float(np.hypot(one.high - one.estimate, other.estimate - other.low))
    return Interval(estimate=gap, low=gap - below, high=gap + above, level=one.level)


def printed_mean(number: int, rows: Sequence[str], columns: Sequence[str]) -> float:
    """Mean of the printed cells of a table where these rows and columns meet."""
    values = read_table(KEY, number).set_index(["row", "column"])["value"]
    return float(np.mean([values[cell] for cell in product(rows, columns)]))


def printed_gain(number: int, cells: Sequence[tuple[str, str, str]], partition: str = "test") -> float:
    """Printed multi-task minus single-task cells of table `number`, their mean over (modality, dimension, target)."""
    multi, single = (
        [printed_mean(number, [f"{m} {task}"], [f"{_short(t, d)} {partition}"]) for m, d, t in cells]
        for task in reversed(TASKS)
    )
    return float(np.mean(multi) - np.mean(single))


def printed_fusion(column: str, *targets: str) -> dict[str, str]:
    """What fusion gains in print over the modality that is better on dev: for a target, or for one minus another."""
    number, on = (1, PRINTED_ON) if column == "CCC" else (2, PRINTED_RMSE_ON)
    first, *others = (audit.fusion_gains(number, target) for target in targets)
    gain = [np.mean([g.point for g in of.values()]) for of in (first, *others)]
    return {"printed": f"{gain[0] - sum(gain[1:]):+.3f}", "printed_on": on}


def printed_share(columns: Iterable[tuple[str, str]]) -> float:
    """In which share of printed columns (task, column), of CCC and of RMSE, video is ahead of audio."""
    ahead = []
    for number, sign in ((1, 1), (2, -1)):
        for task, column in columns:
            video, audio = (printed_mean(number, [f"{m} {task}"], [column]) for m in ("video", "audio"))
            ahead.append(sign * (video - audio) > 0)
    return float(np.mean(ahead))


def _short(target: str, dimension: str) -> str:
    """As the paper's columns have it: "E(A)", "sigma(V)"."""
    return f"{target}({dimension[0].upper()})"


def _between_extremes(
    values: NDArray[np.float64], of: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    of = values if of is None else of
    return (values - np.nanmin(of)) / (np.nanmax(of) - np.nanmin(of))


_ccc, _rmse = metrics.ccc_from_sums, metrics.rmse_from_sums


def _r(sums: NDArray) -> NDArray[np.float64]:
    """Pearson's correlation from `metrics.agreement_sums` (..., 6); 0 where a side is constant."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    spread = (n * xx - x**2) * (n * yy - y**2)
    return (n * xy - x * y) / np.sqrt(np.where(spread > 0, spread, np.inf))


def _share(sums: NDArray) -> NDArray[np.float64]:
    """RMSE in standard deviations of the gold standard on the same frames."""
    n, _, y, _, yy, _ = np.moveaxis(sums, -1, 0)
    return _rmse(sums) / np.sqrt(yy / n - (y / n) ** 2)


def _frames(sums: NDArray) -> int:
    """The frames behind sums (recordings, seeds, ..., 6)."""
    return int(sums.reshape(len(sums), -1)[:, 0].sum())


def _less(measure: Measure) -> Measure:
    """The measure of the first minus that of the second, of sums (seeds, ..., 6), on average over what is between."""

    def difference(a: NDArray, b: NDArray) -> NDArray[np.float64]:
        gap = measure(a) - measure(b)
        return gap.reshape(len(gap), -1).mean(axis=1)

    return difference


def _best_less(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """The highest CCC of the first minus that of the second, of sums (seeds, dimensions, settings, 6): (seeds,)."""
    return (_ccc(a).max(axis=-1) - _ccc(b).max(axis=-1)).mean(axis=-1)


def _ahead(a: NDArray, b: NDArray) -> NDArray[np.bool_]:
    """In which columns the first is better by its mean over seeds, of sums (seeds, cells, 6): (2 cells,).

    The CCC of all cells, then their RMSE.
    """
    return np.concatenate([(_ccc(a) - _ccc(b)).mean(axis=0) > 0, (_rmse(a) - _rmse(b)).mean(axis=0) < 0])


def _gain_less(measure: Measure) -> Measure:
    """What the first gains over the second, minus what the third gains over the fourth."""
    less = _less(measure)
    return lambda a, before_a, b, before_b: less(a, before_a) - less(b, before_b)


def _negative(measure: Measure) -> Measure:
    return lambda sums: -measure(sums)


# what fusion is compared by: kind, rival, column, measure; r knows no scale
COMPARED: tuple[tuple[str, str, str, Measure], ...] = (
    ("both", "one", "CCC", _ccc),
    ("both, rescaled", "one", "CCC", _ccc),
    ("both", "one", "r", _r),
    ("both", "one", f"-{SHARE}", _negative(_share)),
    ("both", "one, fitted", f"-{SHARE}", _negative(_share)),
)
JUDGED = (("both", "one", "CCC"), ("both", "one, fitted", f"-{SHARE}"))  # by the paper's claims


def _alike(rival: str) -> str:
    return ALIKE if rival == "one, fitted" else ""


def _pace(sums: NDArray) -> NDArray[np.float64]:
    """Mean change over the standard deviation of all frames together, from `Study._changes` added up (..., 5)."""
    n, total, squares, change, number = np.moveaxis(sums, -1, 0)
    return change / number / np.sqrt(squares / n - (total / n) ** 2)
