"""han2017's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression

from paperlib import metrics, stats
from paperlib.companion.runs import Result, run_groups
from paperlib.data.records import RecordingSet
from paperlib.labels import AFFECT
from paperlib.ledger import Entry, Ledger
from paperlib.papers.han2017.measures import frames_in
from paperlib.papers.han2017.plan import (
    CLAIM_IDS,
    FASTER,
    FUSED,
    HARDER,
    KEY,
    MODALITIES,
    PARTITIONS,
    RESCALED,
    SINGLE,
    TREND,
    VIDEO,
    grid,
    protocol,
    searched,
)
from paperlib.postprocessing import PostProcessing, fit_postprocessing
from paperlib.stats import Interval, Verdict
from paperlib.tasks.perception_uncertainty import TARGETS, Problem, problem
from paperlib.tracks import Track

DECIDED = (FASTER, HARDER, TREND, *(VIDEO.format(partition=p) for p in PARTITIONS))
MADE = "the twin's maker decided it"  # why the twin cannot judge these


@dataclass
class Runs:
    """The runs on one track, their predictions after postprocessing, and the ledger."""

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
            n=frames_in(sums[0]),
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
        untold: str = "",
        **rest: Any,
    ) -> Entry:
        """Record a count or share of columns, each compared by its mean over seeds, as the tables show it.

        It lies `within` two numbers, beyond which its interval is cut off; `untold` as in `_judged`.
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
            n=frames_in(sums[0]),
            interval=interval or of(*sums),
            about=about,
            **self._judged(claim, interval, about, untold) if claim else {},
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
