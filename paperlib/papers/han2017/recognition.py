"""Tables 1 and 2: emotion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.audit import han2017 as audit
from paperlib.companion.published import read_table
from paperlib.ledger import ArtefactTable
from paperlib.papers.han2017.measures import (
    ahead_of,
    correlation_of_sums,
    difference_of,
    frames_in,
    printed_mean,
    rmse_in_deviations,
    short_name,
)
from paperlib.papers.han2017.plan import (
    BETTER,
    BOTH,
    COSTS,
    COUNTED,
    DIMENSIONS,
    EQUAL,
    KEY,
    PARTITIONS,
    PRINTED_ON,
    PRINTED_RMSE_ON,
    REVERSED,
    SHARE,
    SINGLE,
    TASKS,
    ccc,
    rmse,
    weight_name,
    weights,
)
from paperlib.papers.han2017.runs import Runs
from paperlib.postprocessing import steps
from paperlib.stats import Interval
from paperlib.tasks.perception_uncertainty import TARGETS

UNHEARD = ("audio", "valence", "sigma")  # nothing in the twin's voice tells of it


class Recognition(Runs):
    """How well single-task and multi-task networks predict emotion."""

    def unscaled(
        self, modality: str, dimension: str, target: str, task: str, partition: str
    ) -> list[NDArray[np.float64]]:
        """One modality's predictions (F,), smoothed and centred only: before the step that sets their spread."""
        return [
            np.concatenate([steps(chain)["centring"](x) for x in self.raw(r, target, partition)])
            for chain, r in self.processed(modality, dimension, target, task)
        ]

    def table1(self) -> ArtefactTable:
        """Table 1: the CCC of every cell."""
        return self._cells("table1", 1, ccc)

    def table2(self) -> ArtefactTable:
        """Table 2: the RMSE of every cell, and of the constant that is development's mean."""
        self._cells("table2", 2, rmse)
        for dimension, partition, target in product(DIMENSIONS, PARTITIONS, TARGETS):
            gold = self.gold(dimension, target, partition)
            rated = np.isfinite(gold)
            constant = np.full(rated.sum(), np.nanmean(self.gold(dimension, target, "dev")))
            sums = metrics.agreement_sums(constant, gold[rated], np.zeros(rated.sum()))
            self.ledger.add(
                "table2",
                "mean of dev",
                f"{short_name(target, dimension)} {partition}",
                source="recordings",
                n=int(rated.sum()),
                interval=float(rmse(sums)[0]),
            )
        return self.ledger.table("table2")

    def correlations(self) -> ArtefactTable:
        """Pearson's r of every cell: what a prediction knows, whatever its mean and scale."""
        for modality, task in product(self.shown, TASKS):
            for dimension, partition, target in product(DIMENSIONS, PARTITIONS, TARGETS):
                sums = self.sums(modality, dimension, target, task, partition)
                row, column = f"{modality} {task}", f"{short_name(target, dimension)} {partition}"
                self._add("correlations", row, column, correlation_of_sums, sums, among=partition)
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
                row, column = f"{modality} {task}", f"{short_name(target, dimension)} {partition}"
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
            name = f"{modality}, {short_name(target, dimension)}, {partition}"
            row = f"{name}: multi - single"
            entry = self._add("significance", row, "CCC", difference_of(ccc), multi, single, among=partition)
            self._add(
                "significance", row, "r", difference_of(correlation_of_sums), multi, single, among=partition
            )
            counted = partition == "test"
            if counted and "bootstrap over" in entry.interval:
                found[COUNTED[2]]["better"] += entry.low > 0
                found[COUNTED[2]]["worse"] += entry.high < 0
            r = [float(np.mean(ccc(s.sum(axis=0)))) for s in (multi, single)]
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
            self._add("significance", row, "CCC", difference_of(ccc), multi, single, claim=claim, **told)
            self._add("significance", row, "r", difference_of(correlation_of_sums), multi, single)
            heard = [cell for cell in cells if cell != UNHEARD]
            if self.track.name == "twin" and 0 < len(heard) < len(cells):
                multi, single = (self.cells(heard, t) for t in reversed(TASKS))
                row = f"{name}, test, without audio's sigma(V): multi - single"
                self._add("significance", row, "CCC", difference_of(ccc), multi, single)
        self._reversed(tested)
        return self.ledger.table("significance")

    def _reversed(self, cells: Sequence[tuple[str, str, str]]) -> None:
        """What is gained on development, and how many of these columns, of CCC and RMSE, are lost on the test.

        The gains on development are taken as they came, and the test's pairs and the seeds resampled. "Not always" is
        refuted by no count, and of what is no gain at all luck loses half, so that no count speaks for it either.
        """
        dev, test = ([self.cells(cells, t, p) for t in reversed(TASKS)] for p in PARTITIONS)
        row = "all cells, dev: multi - single"
        printed = f"{printed_gain(1, cells, 'dev'):+.3f}"
        told: dict[str, Any] = {"among": "dev", "printed": printed, "printed_on": PRINTED_ON}
        self._add("significance", row, "CCC", difference_of(ccc), *dev, **told)
        gained = ahead_of(*(part.sum(axis=0) for part in dev))
        ahead, lost = audit.gained_and_lost(self.shown)
        told = {"printed": str(len(ahead)), "printed_on": "SEWA"}
        self.ledger.add(
            "significance",
            "all cells: gained on dev",
            "columns",
            source="recordings",
            n=frames_in(dev[0]),
            interval=float(gained.sum()),
            **told,
        )
        told = {"printed": str(len(lost)), "printed_on": "SEWA", "claim": REVERSED}
        self._count(
            "significance",
            "all cells: gained on dev, lost on test",
            "columns",
            lambda multi, single: float((gained & ahead_of(single, multi)).sum()),
            *test,
            within=(0, int(gained.sum())),
            untold=f"no count speaks against it, and of {gained.sum()} gains that are none luck loses half",
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
            name = f"{modality}, {short_name(target, dimension)}"
            entry = entries[f"{name}, {partition}: multi - single"]
            multi, single = (
                stats.correlation_interval(
                    float(np.mean(ccc(self.sums(modality, dimension, target, t, partition).sum(axis=0)))),
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
                row = f"{modality}, {short_name(target, dimension)}, {partition}: multi - single"
                self._add("rmse_of_multi", row, "RMSE, unscaled", difference_of(rmse), *both, among=partition)
            multi, single = (np.stack(before[task], axis=2) for task in reversed(TASKS))
            row = f"all cells, {partition}: multi - single"
            told: dict[str, Any] = {
                "claim": COSTS.format(partition=partition),
                "printed": f"{printed_gain(2, cells, partition):+.3f}",
                "printed_on": PRINTED_RMSE_ON,
            }
            where: dict[str, Any] = {"among": partition}
            column = f"{SHARE}, unscaled"
            self._add(
                "rmse_of_multi",
                row,
                column,
                difference_of(rmse_in_deviations),
                multi,
                single,
                **where,
                **told,
            )
            self._add("rmse_of_multi", row, "CCC, unscaled", difference_of(ccc), multi, single, **where)
            multi, single = (self.cells(cells, t, partition) for t in reversed(TASKS))
            self._add(
                "rmse_of_multi",
                row,
                f"{SHARE}, scaled",
                difference_of(rmse_in_deviations),
                multi,
                single,
                **where,
            )
        return self.ledger.table("rmse_of_multi")

    def sweep(self) -> ArtefactTable:
        """The weights that the search chose, and what on the test was due to it."""
        cells = list(product(self.modalities, DIMENSIONS, TARGETS))
        pairs = (("multi", EQUAL), (EQUAL, "single"), ("multi", "multi by MSE"))
        says = {pairs[0]: f"searched - {EQUAL}", pairs[1]: f"{EQUAL} - single", pairs[2]: "by CCC - by MSE"}
        for modality, dimension, target in cells:
            name = f"{modality}, {short_name(target, dimension)}"
            n = int(np.isfinite(self.gold(dimension, target, "dev")).sum())
            for r in self.networks(modality, dimension, target, "multi"):
                column, w = f"w_E chosen, seed {r.run.seed}", r.run.settings["weights"][0]
                self.ledger.add("sweep", name, column, source="recordings", n=n, interval=w)
            for (one, other), words in says.items():
                both = (self.sums(modality, dimension, target, t, "test") for t in (one, other))
                self._add("sweep", f"{name}: {words}", "CCC test", difference_of(ccc), *both)
        for (one, other), words in says.items():
            both = (self.cells(cells, t) for t in (one, other))
            self._add("sweep", f"all cells: {words}", "CCC test", difference_of(ccc), *both)
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
                    w: np.array([r["score"][column, 0] for r in cell[weight_name(w)]])
                    for w in weights(self.track)
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


def _apart(one: Interval, other: Interval) -> Interval:
    """The difference of two independent estimates, its interval from theirs (Zou 2007)."""
    gap = one.estimate - other.estimate
    below = float(np.hypot(one.estimate - one.low, other.high - other.estimate))
    above = float(np.hypot(one.high - one.estimate, other.estimate - other.low))
    return Interval(estimate=gap, low=gap - below, high=gap + above, level=one.level)


def printed_gain(number: int, cells: Sequence[tuple[str, str, str]], partition: str = "test") -> float:
    """Printed multi-task minus single-task cells of table `number`, their mean over (modality, dimension, target)."""
    multi, single = (
        [printed_mean(number, [f"{m} {task}"], [f"{short_name(t, d)} {partition}"]) for m, d, t in cells]
        for task in reversed(TASKS)
    )
    return float(np.mean(multi) - np.mean(single))
