"""Tables 1 to 3, 5 and 6: networks and losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

from paperlib import metrics, stats
from paperlib.companion.runs import Result
from paperlib.labels import AFFECT, EXPRESSIONS
from paperlib.ledger import ArtefactTable
from paperlib.models.backbones import build_backbone
from paperlib.models.dual_domain import DualDomainNet
from paperlib.models.emofan import EmoFAN
from paperlib.papers.toisoul2021.measures import (
    claim_of,
    least_told,
    not_told,
    printed_ccc,
    printed_cells,
    printed_gain,
    printed_step,
    sign_of,
    stand_in,
)
from paperlib.papers.toisoul2021.plan import (
    BASELINES,
    BEST,
    CLIPS,
    FAIR,
    MEASURES,
    MORE_FACES,
    NETWORK_ALONE,
    NO_SEWA,
    OVER_FACES,
    STEPS,
    TABLE3,
    TABLE5,
    TABLE6,
    TEACHERS,
    TRAINED_ON,
    Told,
    protocol,
)
from paperlib.papers.toisoul2021.runs import Runs
from paperlib.stats import Interval, Verdict
from paperlib.tasks.emofan import clips

KEPT = "S"  # the step that is to keep the CCC
GENERATED = "the face alignment has learnt generated faces"
RANKS = "rank correlation of RMSE (sign turned) and SAGR"


class Weights(NamedTuple):
    """How many a network has, and how many of them learn affect."""

    total: int
    trained: int


class Networks(Runs):
    """EmoFAN and its ablations, step by step, against a ResNet-18 and other data sets."""

    def scores(self, name: str, rows: NDArray[np.bool_] | None = None) -> dict[str, list[float]]:
        """Each measure of a row's networks on the test faces, or those in the mask `rows`, one a seed."""
        use = np.ones(len(self.affect), bool) if rows is None else rows
        found: dict[str, list[float]] = {}
        for r in self.results[name]:
            for measure, value in self._of(r, use).items():
                found.setdefault(measure, []).append(value)
        return found

    def _of(self, result: Result, use: NDArray[np.bool_]) -> dict[str, float]:
        predicted, truth = result["affect"].astype(np.float64)[use], self.affect[use]
        values = {
            f"{measure} {dimension}": float(function(predicted[:, d], truth[:, d]))
            for d, dimension in enumerate(AFFECT)
            for measure, function in MEASURES.items()
        }
        with_category = use & self.labelled
        if result.run.settings["categories"] and with_category.any():
            named = result["logits"][with_category].argmax(axis=1)
            values = {"accuracy": metrics.accuracy(named, self.label[with_category])} | values
        return values

    def differences(self, better: str, worse: str) -> dict[str, list[float]]:
        """What `better` gains over `worse`, positive where it is better, by measure, one a seed."""
        a, b = self.scores(better), self.scores(worse)
        return {
            measure: [sign_of(measure) * (x - y) for x, y in zip(a[measure], b[measure], strict=False)]
            for measure in a
            if measure in b
        }

    def weights(self, name: str, *, of_paper: bool = False) -> Weights:
        """Of a row's network, here or at the paper's size; with a frozen alignment, the head alone is trained."""
        settings, names = self.results[name][0].run.settings, ("width", "depth", "size", "backbone")
        plan = protocol(replace(self.track, profile="paper")) if of_paper else self.plan
        channels = 3 if of_paper or self.parts.pictures.ndim == 4 else 1
        kind = settings["network"], settings["attention"], *(getattr(plan, of) for of in names)
        total, of_alignment = _weights(*kind, channels)
        return Weights(total, total - (of_alignment if settings["frozen"] else 0))

    def sizes(self) -> pd.DataFrame:
        """The networks of table 5 by kind: their weights here and in the paper."""
        rows = {
            f"{stand_in(self.track)}, all rows": FAIR,
            "EmoFAN without attention": NETWORK_ALONE,
            "EmoFAN with attention": TEACHERS[0],
            "EmoFAN, alignment trained on": TRAINED_ON,
        }
        lines = [
            {
                "network": words,
                **{f"{what}, here": n for what, n in self.weights(name)._asdict().items()},
                **{f"{what}, paper": n for what, n in self.weights(name, of_paper=True)._asdict().items()},
            }
            for words, name in rows.items()
            if name in self.results
        ]
        return pd.DataFrame(lines)

    def unfair(self, better: str, worse: str) -> str:
        """Why a difference of two rows cannot tell of the paper's two, in words; "" where it can.

        EmoFAN against a ResNet whose size is not to it as the paper's is; and, of what an alignment network gives,
        one that has learnt the faces of another track.
        """
        a, b = (self.results[name][0].run.settings for name in (better, worse))
        reasons = []
        if a["network"] != b["network"]:
            here, paper = (
                [self.weights(name, of_paper=of_paper).total for name in (better, worse)]
                for of_paper in (False, True)
            )
            if here[0] * paper[1] != here[1] * paper[0]:
                reasons.append(
                    f"EmoFAN's {here[0]:,} weights are {here[0] / here[1]:.2f} times its ResNet's {here[1]:,}, "
                    f"at the paper's size {paper[0] / paper[1]:.2f} times"
                )
        (aligned,) = self.results["alignment"]
        apart = (a["network"], a["attention"]) != (b["network"], b["attention"])
        if apart and aligned.run.track != self.track:
            reasons.append(GENERATED)
        return "; ".join(reasons)

    def alignment(self) -> ArtefactTable:
        """How far the landmarks lie from the right ones: an older detector's, and the trained network's.

        No claim of the paper: how wrong the older detector's are was chosen here.
        """
        (found,) = self.results["alignment"]
        if "nme" not in found.arrays or found.run.track != self.track:
            why = f"{Verdict.NOT_ATTEMPTED}: the right landmarks are not known"
            self.ledger.add("alignment", "original - FAN", "NME by the box", source="", n=0, verdict=why)
            return self.table("alignment")
        for column, row in enumerate(("original", "FAN")):
            self._over_faces(
                "alignment", f"{row} landmarks", "NME by the box", _mean, found["nme"][:, column]
            )
        less = found["nme"][:, 0] - found["nme"][:, 1]
        self._over_faces("alignment", "original - FAN", "NME by the box", _mean, less, judged=True)
        return self.table("alignment")

    def table1(self) -> ArtefactTable:
        """Table 1: the printed scores, with ours on this track's faces."""
        self._printed("table1", 1, "AffectNet")
        rows: dict[str, tuple[str, NDArray[np.bool_] | None]]
        rows = {"ours, ResNet-18": (self.baseline, None), "ours, original set": (self.best, None)}
        if self.clean.any():
            rows["ours, clean set"] = self.best, self.clean
        for row, (name, use) in rows.items():
            n = None if use is None else int(use.sum())
            for measure, values in self.scores(name, use).items():
                self._add("table1", row, measure, values, n=n)
        unfair, of_paper = self.unfair(self.best, self.baseline), self.baseline == BASELINES[0]
        for measure, values in self.differences(self.best, self.baseline).items():
            whose = "the paper's baseline, " if of_paper else ""
            claim = f"{self.best} is ahead of {whose}{self.baseline} ({measure})"
            # table 1's rows are table 5's: the baseline, or what stands for it, is there by its landmarks
            claimed = claim_of(printed_step(5, self.baseline, BEST, measure), claim, "above-resnet")
            row = f"{self.best} - {self.baseline}"
            self._add("table1", row, measure, values, unfair=unfair, **claimed)
        return self.table("table1")

    def elsewhere(self) -> ArtefactTable:
        """Table 2 as printed: SEWA's frames are licensed."""
        self._printed("table2", 2, "SEWA")
        told = {"printed": printed_ccc(2, "ResNet-18", "Our method"), "printed_on": "SEWA"}
        self._not_attempted("table2", "above-resnet", NO_SEWA, **told)
        return self.table("table2")

    def figure2(self) -> ArtefactTable:
        """Figure 2's one pass and its speed, which depends on the machine more than on the method."""
        why = "no speed is printed, and one is a machine's; `make bench` measures the full network"
        self._not_attempted("figure2", "real-time", why)
        return self.table("figure2")

    def table3(self) -> ArtefactTable:
        """Table 3: five-fold cross-validation on a small set, from nothing or after training on more faces.

        Measures over all folds put together, and the mean of the folds' own CCC.
        """
        self._printed("table3", 3, "AFEW-VA")
        few = clips(self.track)
        if few is None or f"{CLIPS}Ours" not in self.results:
            why = self.track.no_time if self.track.brief else "AffectNet is not in the same folder"
            why = "the track has no small set" if few is None else why
            both = {"printed": printed_ccc(3, "ResNet-18", "Ours"), "printed_on": "AFEW-VA"}
            self._not_attempted("table3", "small-set", why, **both)
            return self.table("table3")
        truth = few.affect.astype(np.float64)
        common: dict[str, Any] = {"source": "clips", "n": len(truth)}
        found: dict[str, dict[str, list[float]]] = {}
        for row in TABLE3:
            scores = found.setdefault(row, {})
            for r in self.results[f"{CLIPS}{row}"]:
                p, folds = r["affect"].astype(np.float64), r["fold"]
                for d, dimension in enumerate(AFFECT):
                    for measure, function in MEASURES.items():
                        value = float(function(p[:, d], truth[:, d]))
                        scores.setdefault(f"{measure} {dimension}", []).append(value)
                    each = [metrics.ccc(p[folds == k, d], truth[folds == k, d]) for k in np.unique(folds)]
                    scores.setdefault(f"CCC {dimension}, mean of folds", []).append(float(np.mean(each)))
            for measure, values in scores.items():
                self.ledger.over_seeds("table3", f"small set: {row}", measure, values, **common)
        alone, more, ours = found.values()
        ahead = "EmoFAN trained on more faces first is ahead of a ResNet-18 trained on the small set alone"
        for dimension, name in product(AFFECT, MEASURES):
            measure = f"{name} {dimension}"
            told = printed_step(3, "ResNet-18", "Ours", measure)
            mended = {"claim": f"More faces first mend a small set ({measure})", "claim_id": "small-set"}
            claimed = claim_of(told, f"{ahead} ({measure})", "small-set", on="AFEW-VA")
            for a, b, row, of in (
                (ours, alone, "Ours - ResNet-18", claimed),
                (more, alone, f"{MORE_FACES} - ResNet-18", mended),
                (ours, more, f"Ours - {MORE_FACES}", {}),
            ):
                gained = [sign_of(measure) * (x - y) for x, y in zip(a[measure], b[measure], strict=True)]
                self.ledger.over_seeds("table3", row, measure, gained, **of, **common)
        return self.table("table3")

    def table5(self) -> ArtefactTable:
        """Table 5: every row, and what every switch gains."""
        printed = printed_cells(5)
        for name in TABLE5:
            if name in self.results:
                for measure, values in self.scores(name).items():
                    cell = printed.get((name, measure), "")
                    self._add(
                        "table5",
                        name,
                        measure,
                        values,
                        printed=cell,
                        printed_on="AffectNet",
                        results=self.results[name],
                    )
        name = f"EmoFAN (clean set){self.best.removeprefix('EmoFAN')}"
        on_clean = self.scores(self.best, self.clean) if self.clean.any() else {}
        for measure, values in on_clean.items():
            cell = printed.get((name, measure), "")
            n = int(self.clean.sum())
            self._add("table5", name, measure, values, n=n, printed=cell, printed_on="AffectNet")
        there = {name: s for name, s in STEPS.items() if {s.better, s.worse} <= self.results.keys()}
        for name, step in there.items():
            gains, unfair = self.differences(step.better, step.worse), self.unfair(step.better, step.worse)
            told = {m: printed_step(5, step.worse, step.better, m) for m in gains}
            for measure, values in gains.items():
                claimed = claim_of(told[measure], f"{step.what} ({measure})", step.claim_id)
                row = f"{name}: {step.better} - {step.worse}"
                self._add("table5", row, measure, values, unfair=unfair, **claimed)
            if name == KEPT:
                self._kept("table5", f"{name}: {step.better}", step.worse, gains, told)
        for name in self._against_fair():
            for measure, values in self.differences(name, FAIR).items():
                self._add("table5", f"{name} - {FAIR}", measure, values)
        judged = {"", *(s.claim_id for s in there.values())}
        for step in STEPS.values():
            if step.claim_id not in judged:
                judged.add(step.claim_id)
                why = "the track has no landmarks" if self.parts.original is None else self._why_not
                both = {"printed": printed_ccc(5, step.worse, step.better), "printed_on": "AffectNet"}
                self._not_attempted("table5", step.claim_id, why, **both)
        return self.table("table5")

    def _against_fair(self) -> list[str]:
        """The rows beside a ResNet-18 of the same crops and categories; the first changes the network alone."""
        names = [
            name for name in dict.fromkeys((NETWORK_ALONE, TRAINED_ON, self.best)) if name in self.results
        ]
        return names if FAIR in self.results else []

    def power(self) -> pd.DataFrame:
        """Table 5's claims that cannot be told: the printed step, and the least that this many seeds would have told.

        The least is half the width of the interval: a gain above it would have had an interval above zero.
        """
        rows = [
            {
                "step": e.row.partition(":")[0],
                "measure": e.column,
                "printed step": printed_gain(e),
                "measured": e.measured,
                "least that would have been told": least_told(e),
            }
            for e in not_told(self.ledger.entries)
        ]
        return pd.DataFrame(rows).round(3)

    def _kept(
        self,
        artefact: str,
        better: str,
        worse: str,
        gains: Mapping[str, Sequence[float]],
        told: Mapping[str, Told | None],
    ) -> None:
        """ "Without degrading the CCC": the gains with one unit of the last printed place added."""
        for dimension in AFFECT:
            printed = told[measure := f"CCC {dimension}"]
            assert printed is not None
            self._add(
                artefact,
                f"{better} + {printed.place:g} - {worse}",
                measure,
                [printed.place + gain for gain in gains[measure]],
                claim=f"Shake-shake keeps the CCC of the CCC-based loss, but for {printed.place:g} ({measure})",
                claim_id="shake-shake",
                printed=printed.words,
                printed_on="AffectNet",
            )

    def table6(self) -> ArtefactTable:
        """Table 6: three losses."""
        printed = printed_cells(6)
        of = {row: what if isinstance(what, str) else row for row, what in TABLE6.items()}
        fixed = "no network had the three losses with fixed weights; the audit draws the random ones"
        if not set(of.values()) <= self.results.keys():
            self._not_attempted("table6", "overall-loss", self._why_not)
            self._not_attempted("table6", "balanced", fixed)
            return self.table("table6")
        for row, name in of.items():
            for measure, values in self.scores(name).items():
                cell = printed.get((row, measure), "")
                self._add("table6", row, measure, values, printed=cell, printed_on="AffectNet")
        concordance, squared, shaken = TABLE6
        for other in (concordance, squared):
            row = other.removeprefix("EmoFAN with ")
            gains = self.differences(of[shaken], of[other])
            told = {m: printed_step(6, other, shaken, m) for m in gains}
            for measure, values in gains.items():
                kept = other == concordance and measure.startswith("CCC")
                of_sentence = other == concordance and measure.startswith(("RMSE", "SAGR"))
                claim_id = "" if kept else "shake-shake" if of_sentence else "overall-loss"
                claimed = claim_of(
                    told[measure], f"Shake-shake does better than the {row} ({measure})", claim_id
                )
                self._add("table6", f"shake-shake - {row}", measure, values, **claimed)
            if other == concordance:
                self._kept("table6", "shake-shake", row, gains, told)
        self._not_attempted("table6", "balanced", fixed)
        return self.table("table6")

    def open_choices(self) -> ArtefactTable:
        """What the paper leaves open, tried: alignment trained on, and a teacher that replaces the labels."""
        pairs = {
            "alignment trained on": "EmoFAN F+R+C+A",
            "teacher replaces the labels": "EmoFAN F+R+C+A+D",
        }
        for name, plain in pairs.items():
            if name not in self.results:
                why = f"{Verdict.NOT_ATTEMPTED}: {self._why_not}"
                self.ledger.add("open_choices", name, "", source="", n=0, verdict=why)
                continue
            for measure, values in self.scores(name).items():
                self._add("open_choices", name, measure, values)
            for measure, values in self.differences(name, plain).items():
                self._add("open_choices", f"{name} - {plain}", measure, values)
        return self.table("open_choices")

    def measures(self) -> ArtefactTable:
        """Does a network with a lower RMSE have a higher SAGR? Rank correlation over all networks of a seed."""
        names = [name for name in self.results if name != "alignment" and not name.startswith(CLIPS)]
        scores = [self.scores(name) for name in names]
        for d in AFFECT:
            values = [
                float(
                    spearmanr(
                        [-s[f"RMSE {d}"][k] for s in scores], [s[f"SAGR {d}"][k] for s in scores]
                    ).statistic
                )
                for k in range(len(scores[0][f"RMSE {d}"]))
            ]
            found = _of_fisher_s_z(values)
            self.ledger.add(
                "measures",
                f"{len(names)} networks",
                f"{RANKS}, {d}",
                source="faces",
                n=len(names),
                values=values,
                interval=found,
                about=f"95 % t interval over {len(values)} seeds, of Fisher's z",
                verdict=str(stats.verdict(found, 1)),
                claim=f"A lower RMSE comes with a higher SAGR ({d})",
                claim_id="rmse-sagr",
            )
        self._not_attempted("measures", "outliers", "no run here has more wrong labels than another")
        return self.table("measures")

    def _over_faces(
        self,
        artefact: str,
        row: str,
        column: str,
        statistic: Callable[..., float],
        *arrays: NDArray,
        judged: bool = False,
        **rest: Any,
    ) -> None:
        """With a verdict where it is `judged`, or a claim."""
        found = stats.cluster_bootstrap(
            statistic, *arrays, clusters=self._persons, seed=0, draws=self.plan.draws
        )
        verdict = str(stats.verdict(found, 1)) if judged or rest.get("claim") else ""
        common: dict[str, Any] = {"interval": found, "about": OVER_FACES.format(unit=self.unit)}
        self.ledger.add(
            artefact, row, column, source="faces", n=len(arrays[0]), verdict=verdict, **common, **rest
        )

    def _printed(self, artefact: str, number: int, data: str) -> None:
        """Every cell as printed."""
        for (row, measure), printed in printed_cells(number).items():
            self.ledger.add(artefact, row, measure, source="", n=0, printed=printed, printed_on=data)


@cache
def _weights(
    kind: str, attention: bool, width: int, depth: int, size: int, backbone: str, channels: int
) -> tuple[int, int]:
    """How many weights `tasks.emofan.network` has, and how many of them are face alignment's."""

    def count(module: torch.nn.Module) -> int:
        return sum(p.numel() for p in module.parameters())

    with torch.device("meta"):  # counted, never filled
        if kind == "EmoFAN":
            model = EmoFAN(classes=len(EXPRESSIONS), width=width, depth=depth, size=size, attention=attention)
            return count(model), count(model.fan)
        body, features = build_backbone(backbone, channels=channels)
        return count(DualDomainNet(body, features, classes=len(EXPRESSIONS))), 0


def _of_fisher_s_z(values: Sequence[float]) -> Interval:
    """The t interval of correlations' Fisher's z, transformed back; it stays in [-1, 1]."""
    edge = 1 - np.finfo(float).eps
    z = stats.mean_interval(np.arctanh(np.clip(values, -edge, edge)))
    bounds = {"low": float(np.tanh(z.low)), "high": float(np.tanh(z.high))}
    return Interval(estimate=float(np.mean(values)), level=z.level, **bounds)


def _mean(values: NDArray) -> float:
    return float(np.mean(values))
