"""Perception uncertainty."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.han2017.measures import correlation_of_sums, difference_of, printed_mean, short_name
from paperlib.papers.han2017.plan import (
    DIMENSIONS,
    FASTER,
    HARDER,
    PARTITIONS,
    PRINTED_ON,
    TASKS,
    TREND,
    Measure,
    ccc,
)
from paperlib.papers.han2017.runs import Runs
from paperlib.tasks.perception_uncertainty import TARGETS

PRINTED_BEST_ON = "SEWA, mean of its best cells"


class Uncertainty(Runs):
    """Whether the predicted disagreement is the raters', and what it goes with."""

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
            ("all cells: E - sigma", "CCC", difference_of(ccc), np.mean, "", PRINTED_ON),
        ):
            e, sigma = (
                np.mean(
                    [
                        of([printed_mean(1, [r], [f"{short_name(t, d)} test"]) for r in rows])
                        for d in DIMENSIONS
                    ]
                )
                for t in TARGETS
            )
            told: dict[str, Any] = {"claim": claim, "printed": f"{e - sigma:+.3f}", "printed_on": on}
            self._add("uncertainty", row, column, statistic, of_e, of_sigma, **told)
        widest = self.shown[-1]
        for dimension in DIMENSIONS:
            one, other = (self.sums(widest, dimension, t, "multi", "test") for t in TARGETS)
            self._add(
                "uncertainty",
                f"{dimension}, {widest} multi: E - sigma",
                "CCC",
                difference_of(ccc),
                one,
                other,
            )
            self._ceilings(dimension)
            if self.record.truth is None:
                continue
            truth, groups = self.true_uncertainty(dimension, "test"), self.recording_of("test")
            gold = self.gold(dimension, "sigma", "test")
            best = metrics.agreement_sums(truth, gold, groups)[:, None]
            row = f"{dimension}: the true uncertainty"
            self._add("uncertainty", row, "CCC with the raters'", ccc, best, trained=False)
            for modality in self.shown:
                predicted = self.predicted(modality, dimension, "sigma", "multi", "test")
                right = np.stack([metrics.agreement_sums(p, truth, groups) for p in predicted], axis=1)
                row = f"{dimension}: {modality} multi"
                sums = self.sums(modality, dimension, "sigma", "multi", "test")
                self._add("uncertainty", row, "CCC with the raters'", ccc, sums)
                self._add("uncertainty", row, "CCC with the truth", ccc, right)
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
            self._add(
                "uncertainty",
                f"{dimension}: the true variance",
                column,
                correlation_of_sums,
                sums,
                trained=False,
            )

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
            row = f"{of} multi, {short_name(target, dimension)}"
            self._add("per_recording", row, "concatenated", ccc, sums)
            self._mean_of_recordings(row, "mean of recordings", ccc, sums)
            self._mean_of_recordings(row, "mean r of recordings", correlation_of_sums, sums)
        row = f"{of} multi, all cells"
        self._mean_of_recordings(
            row, "mean r of recordings", correlation_of_sums, np.stack(cells, axis=2), claim=TREND
        )
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
                self._add("pace", short_name(target, dimension), "sd per second", _pace, moved[-1], **common)
            row = f"{dimension}: sigma - E"
            self._add("pace", row, "sd per second", difference_of(_pace), *reversed(moved), **common)
            both.append(np.stack(moved, axis=2))
        slow, fast = np.moveaxis(np.stack(both, axis=3), 2, 0)  # (recordings, 1, dimensions, 5)
        row = "both dimensions: sigma - E"
        self._add("pace", row, "sd per second", difference_of(_pace), fast, slow, claim=FASTER, **common)
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
                self._add(
                    "dependency",
                    f"sigma, {dimension}",
                    column,
                    correlation_of_sums,
                    sums,
                    among="all",
                    trained=False,
                )
        return self.ledger.table("dependency")

    def _changes(self, y: NDArray[np.float64]) -> list[float]:
        """Frames, their sum and sum of squares, and the changes from second to second with their number."""
        second, rated = round(self.record.rate), y[np.isfinite(y)]
        change = np.abs(y[second:] - y[:-second])
        change = change[np.isfinite(change)]
        return [len(rated), rated.sum(), (rated**2).sum(), change.sum(), len(change)]

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


def _best_less(a: NDArray, b: NDArray) -> NDArray[np.float64]:
    """The highest CCC of the first minus that of the second, of sums (seeds, dimensions, settings, 6): (seeds,)."""
    return (ccc(a).max(axis=-1) - ccc(b).max(axis=-1)).mean(axis=-1)


def _pace(sums: NDArray) -> NDArray[np.float64]:
    """Mean change over the standard deviation of all frames together, from `Study._changes` added up (..., 5)."""
    n, total, squares, change, number = np.moveaxis(sums, -1, 0)
    return change / number / np.sqrt(squares / n - (total / n) ** 2)
