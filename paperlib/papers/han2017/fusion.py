"""Table 3: audio and video together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib.audit import han2017 as audit
from paperlib.ledger import ArtefactTable, Entry
from paperlib.papers.han2017.measures import (
    ahead_of,
    correlation_of_sums,
    difference_of,
    printed_mean,
    rmse_in_deviations,
    short_name,
)
from paperlib.papers.han2017.plan import (
    CLAIM_IDS,
    DIMENSIONS,
    FUSED,
    FUSION,
    FUSION_ERROR,
    FUSION_SIGMA,
    PARTITIONS,
    PRINTED_ON,
    PRINTED_RMSE_ON,
    RESCALED,
    SHARE,
    SHRINKAGE,
    TASKS,
    VIDEO,
    Measure,
    ccc,
)
from paperlib.papers.han2017.runs import Runs
from paperlib.tasks.perception_uncertainty import TARGETS

ALIKE = ", fitted alike"  # one modality put through fusion's own least squares
OF_BOTH = [claim for claim, name in CLAIM_IDS.items() if name.startswith(("fusion-", "video-"))]
NO_LOSS = "that fusion costs the uncertainty CCC is not shown"  # so nothing there is to be explained


def _negative(measure: Measure) -> Measure:
    return lambda sums: -measure(sums)


# what fusion is compared by: kind, rival, column, measure; r knows no scale
COMPARED: tuple[tuple[str, str, str, Measure], ...] = (
    ("both", "one", "CCC", ccc),
    ("both, rescaled", "one", "CCC", ccc),
    ("both", "one", "r", correlation_of_sums),
    ("both", "one", f"-{SHARE}", _negative(rmse_in_deviations)),
    ("both", "one, fitted", f"-{SHARE}", _negative(rmse_in_deviations)),
)
JUDGED = (("both", "one", "CCC"), ("both", "one, fitted", f"-{SHARE}"))  # by the paper's claims


class Fusion(Runs):
    """What is gained by audio and video together."""

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
                row = f"{short_name(target, dimension)}, {task}: {kind} - {best}{_alike(rival)}"
                self._add("fusion", row, column, difference_of(measure), of[kind][-1], of[rival][-1])
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
                "fusion", row, column, difference_of(measure), sums[kind], sums[rival], judged=judged, **told
            )
            if (target, kind, column) == ("sigma", "both", "CCC"):
                loss = entry
        assert loss is not None
        sigma = whole["sigma"]
        of_sigma = [sigma[k] for k in ("both, rescaled", "both", "one", "both, rescaled")]
        row, told = "sigma, all cells: lost by shrinkage - lost otherwise", {"claim": SHRINKAGE}
        told["untold"] = "" if loss.high < 0 else NO_LOSS
        self._add("fusion", row, "CCC", _gain_less(ccc), *of_sigma, **told)
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
            row = f"{short_name(target, dimension)}, {task}, {partition}: video - audio"
            both = (side[:, :, k] for side in sides.values())
            self._add("fusion", row, "CCC", difference_of(ccc), *both, among=partition)
        for name in (*DIMENSIONS, "all cells"):
            of = [k for k, (_, d, _) in enumerate(settings) if name in (d, "all cells")]
            columns = [
                (t, f"{short_name(target, d)} {partition}") for t, d, target in (settings[k] for k in of)
            ]
            told: dict[str, Any] = {
                "printed": f"{printed_share(columns) - 0.5:+.3f}",
                "printed_on": "SEWA",
                "claim": VIDEO.format(partition=partition) if name == "all cells" else "",
            }
            self._count(
                "fusion",
                f"{name}, {partition}: video ahead - one half",
                "share of columns",
                lambda video, audio: float(ahead_of(video, audio).mean()) - 0.5,
                *(side[:, :, of] for side in sides.values()),
                within=(-0.5, 0.5),
                among=partition,
                **told,
            )

    def _on_dev(self, modality: str, dimension: str, target: str, task: str) -> float:
        return float(np.mean(ccc(self.sums(modality, dimension, target, task, "dev").sum(axis=0))))


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


def _gain_less(measure: Measure) -> Measure:
    """What the first gains over the second, minus what the third gains over the fourth."""
    less = difference_of(measure)
    return lambda a, before_a, b, before_b: less(a, before_a) - less(b, before_b)


def _alike(rival: str) -> str:
    return ALIKE if rival == "one, fitted" else ""
