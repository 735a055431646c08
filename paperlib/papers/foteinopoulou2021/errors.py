"""Tables IV and V: error and correlation of the label."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.companion.published import read_table
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.foteinopoulou2021.measures import every, in_range, printed_cells
from paperlib.papers.foteinopoulou2021.plan import (
    BASELINE,
    DIMENSIONS,
    ERRORS,
    KEY,
    KINDS,
    MAIN,
    PROPOSED,
    SCALED,
    protocol,
)
from paperlib.papers.foteinopoulou2021.runs import Runs
from paperlib.stats import paired_differences

PRINTED_ON = {"table4": "AffectNet", "table5": "AMIGOS"}


class Errors(Runs):
    """The label's error with the KL loss and without, of every backbone."""

    def table4(self) -> ArtefactTable:
        """Table IV: RMSE and PCC of baseline and proposed on every backbone, and their paired differences."""
        if self.faces is None:
            self._no_comparison("table4", "no faces")
            return self.shown("table4")
        plan = protocol(self.track)
        measures = {"RMSE": metrics.rmse, "PCC": metrics.pcc}
        for row in SCALED:
            if row in plan.backbones:
                name = self._called(row)
                self._scores("table4", name, plan.backbones[row], row, self.faces.affect, "faces", measures)
                self._architecture("table4", name, row)
                continue
            for claim, of in {
                f"RMSE and PCC are better with the proposed loss ({row}, mean of both dimensions)": (
                    "improves-all-architectures"
                ),
                f"PCC is better with the proposed loss ({row})": "pcc-improves-three-backbones",
            }.items():
                self.ledger.not_attempted("table4", claim, self.track.no_time, claim_id=of)
        self._every("table4", {"table4": list(plan.backbones)}, ["PCC"], "pcc-improves-three-backbones")
        return self.shown("table4")

    def _called(self, row: str) -> str:
        """What was trained for a row of Table IV: the backbone, and whether it began with ImageNet's weights."""
        plan = protocol(self.track)
        return plan.backbones[row] + (", ImageNet weights" if plan.pretrained and row == MAIN else "")

    def table5(self) -> ArtefactTable:
        """Table V: MSE and PCC of baseline and proposed NetVLAD, subjects left out; after IV, the cells of both."""
        rows = {} if self.faces is None else {"table4": list(protocol(self.track).backbones)}
        if self.sequences is None:
            self._no_comparison("table5", "no recordings")
        else:
            rows["table5"] = ["NetVLAD"]
            target, measures = self.sequences.affect, {"MSE": metrics.mse, "PCC": metrics.pcc}
            self._scores("table5", "NetVLAD", "NetVLAD", "NetVLAD", target, "sequences", measures)
            self._architecture("table5", "NetVLAD", "NetVLAD")
        if "table5" in rows:  # of images alone it would be Table IV's line again
            self._every("table5", rows, ["PCC"], "pcc-improves-images-and-sequences")
        self._every("table5", rows, [*(ERRORS[t] for t in rows), "PCC"], "improves-both-datasets")
        return self.shown("table5")

    def _no_comparison(self, artefact: str, why: str) -> None:
        """Record why one of the two tables has no cells here."""
        both, kind = f"PCC and {ERRORS[artefact]}", KINDS[artefact]
        claims = {
            f"{both}: better with the proposed loss in every cell ({kind})": "improves-both-datasets",
            f"{both} are better with the proposed loss ({kind}, mean of both dimensions)": (
                "improves-all-architectures"
            ),
            f"PCC: better with the proposed loss in every cell ({kind})": "pcc-improves-images-and-sequences",
        }
        if artefact == "table4":
            claims["PCC: better with the proposed loss on every backbone"] = "pcc-improves-three-backbones"
        for claim, of in claims.items():
            self.ledger.not_attempted(artefact, claim, why, claim_id=of)

    def _scores(
        self,
        artefact: str,
        name: str,
        network: str,
        row: str,
        target: NDArray,
        source: str,
        measures: Mapping[str, Callable[..., Any]],
    ) -> None:
        """Record every measure of baseline and proposed, and the difference over seeds, better being positive.

        The network is called `name` on the page, `network` in the grid, and stands beside the paper's `row`.
        """
        printed = read_table(KEY, int(artefact[-1]))
        printed_on = PRINTED_ON[artefact] + (f", {row}" if row != name else "")
        labelled = np.isfinite(target).all(axis=1)
        for d in DIMENSIONS:
            j = AFFECT.index(d)
            for metric, measure in measures.items():
                by_method = {}
                for method, suffix in ((BASELINE, ""), (PROPOSED, " proposed")):
                    predicted = self.predicted(network, method)
                    values = [float(measure(m[labelled, j], target[labelled, j])) for m in predicted.mean]
                    by_method[method] = values
                    cell = printed.query(
                        f"dimension == '{d}' and quantity == '{metric.lower()}' and row == '{row}{suffix}'"
                    )
                    self.ledger.add(
                        artefact,
                        f"{name}: {method}",
                        f"{d} {metric}",
                        source=source,
                        n=labelled.sum(),
                        values=values,
                        results=predicted.results,
                        printed=printed_cells(cell),
                        printed_on=printed_on,
                        **in_range(metric, values),
                    )
                gain = 1 if metric == "PCC" else -1
                gains = [gain * g for g in paired_differences(by_method[PROPOSED], by_method[BASELINE])]
                self.ledger.add(
                    artefact,
                    f"{name}: gain",
                    f"{d} {metric}",
                    source=source,
                    n=labelled.sum(),
                    values=gains,
                    printed=f"{_printed_gain(artefact, row, d, metric):.4f}",
                    printed_on=printed_on,
                    verdict=stats.verdict(stats.mean_interval(gains), 1),
                )

    def _architecture(self, artefact: str, name: str, row: str) -> None:
        """Is a network better with the proposed loss, its gains in valence and arousal averaged?"""
        for metric in (ERRORS[artefact], "PCC"):
            gains = [
                e
                for e in self.ledger.table(artefact).entries
                if e.row == f"{name}: gain" and e.column.endswith(f" {metric}")
            ]
            values = list(np.mean([e.values for e in gains], axis=0))
            printed = np.mean([_printed_gain(artefact, row, d, metric) for d in DIMENSIONS])
            self.ledger.add(
                artefact,
                f"{name}: mean gain",
                metric,
                source="faces" if artefact == "table4" else "sequences",
                n=gains[0].n,
                values=values,
                printed=f"{printed:.4f}",
                printed_on=PRINTED_ON[artefact] + (f", {row}" if row != name else ""),
                claim=f"{metric} is better with the proposed loss ({name}, mean of both dimensions)",
                claim_id="improves-all-architectures",
                verdict=stats.verdict(stats.mean_interval(values), 1),
            )

    def _every(
        self, artefact: str, rows: Mapping[str, Sequence[str]], measures: Sequence[str], claim_id: str
    ) -> None:
        """One verdict on all gains that were recorded of some tables; `rows` are the paper's, by table."""
        gains = [
            e
            for table in rows
            for e in self.ledger.table(table).entries
            if e.row.endswith(": gain") and e.column.rpartition(" ")[2] in measures
        ]
        verdict, ahead, behind = every([e.values for e in gains])
        printed = [
            _printed_gain(table, row, d, metric) > 0
            for table, networks in rows.items()
            for row in networks
            for d in DIMENSIONS
            for metric in {ERRORS[table], "PCC"} & set(measures)
        ]
        what, metric = " and ".join(KINDS[table] for table in rows), ", ".join(measures)
        self.ledger.add(
            artefact,
            f"{what}: every gain",
            f"{metric}: cells ahead (n: cells; behind by Holm's test: {behind})",
            source="",
            n=len(gains),
            interval=float(ahead),
            printed=f"{sum(printed)} of {len(printed)}",
            printed_on=", ".join(PRINTED_ON[table] for table in rows),
            claim=f"{metric}: better with the proposed loss in every cell ({what})",
            claim_id=claim_id,
            verdict=verdict,
        )


def _printed_gain(artefact: str, row: str, dimension: str, metric: str) -> float:
    """What the proposed loss gains over the baseline in Table IV or V, better being positive."""
    table = read_table(KEY, int(artefact[-1]))
    cells = table.query(f"dimension == '{dimension}' and quantity == '{metric.lower()}'").set_index("row")
    gain = cells["value"][f"{row} proposed"] - cells["value"][row]
    return float(gain if metric == "PCC" else 0 - gain)  # of no gain not minus nothing
