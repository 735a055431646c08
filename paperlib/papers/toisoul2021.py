"""toisoul2021: the grid of runs behind its artefacts, and every number of its page.

Networks are compared over seeds: runs of one seed share the order of the batches and, but for shake-shake's, the
augmentation; a student learns from the teacher of its seed. So differences are paired. Every difference is taken so
that a positive one speaks for the claim: of RMSE, the worse less the better.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr

from paperlib import metrics, stats
from paperlib.data import requirements
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, is_noisy
from paperlib.ledger import ArtefactTable, Ledger
from paperlib.published import read_table
from paperlib.stats import Interval
from paperlib.tasks.emofan import alignment, clips, larger, problem
from paperlib.tasks.label_variance import one_rating
from paperlib.tracks import Track

KEY = "toisoul2021"
TASK = "paperlib.tasks.emofan:train"
FOLDS = "paperlib.tasks.emofan:cross_validate"
RESNET: Mapping[str, Any] = {"network": "ResNet-18", "attention": False}
EMOFAN: Mapping[str, Any] = {"network": "EmoFAN", "attention": False}
ATTENTION: Mapping[str, Any] = {"network": "EmoFAN", "attention": True}
# row of Table 5 -> what is different in it; "teacher" names the row whose network is distilled
TABLE5: Mapping[str, Mapping[str, Any]] = {
    "ResNet-18 O+R": {**RESNET, "landmarks": "original", "categories": False},
    "ResNet-18 F+R": {**RESNET, "categories": False},
    "ResNet-18 F+R+C": RESNET,
    "EmoFAN F+R": {**EMOFAN, "categories": False},
    "EmoFAN F+R+C": EMOFAN,
    "EmoFAN F+R+C+A": {**ATTENTION, "teaches": True},
    "EmoFAN F+R+C+A+D": {**ATTENTION, "teacher": "EmoFAN F+R+C+A"},
    "EmoFAN F+R+C+A+S": {**ATTENTION, "loss": "shake-shake", "teaches": True},
    "EmoFAN F+R+C+A+S+D": {**ATTENTION, "loss": "shake-shake", "teacher": "EmoFAN F+R+C+A+S"},
}
# row of Table 6 -> the row of Table 5 that it is, or what is different
TABLE6: Mapping[str, str | Mapping[str, Any]] = {
    "EmoFAN with CCC-based loss": "EmoFAN F+R+C",
    "EmoFAN with MSE loss": {**EMOFAN, "loss": "MSE"},
    "EmoFAN with shake-shake": {**EMOFAN, "loss": "shake-shake"},
}
# row of Table 3 -> what is different in it; the second tells the network's share from that of more faces
MORE_FACES = "ResNet-18, first on more faces"
TABLE3: Mapping[str, Mapping[str, Any]] = {
    "ResNet-18": {**RESNET, "first": False},
    MORE_FACES: {**RESNET, "first": True},
    "Ours": {**ATTENTION, "loss": "shake-shake", "first": True},
}
# choices that the paper leaves open
OPEN: Mapping[str, Mapping[str, Any]] = {
    "alignment trained on": {**ATTENTION, "frozen": False},
    "teacher replaces the labels": {**ATTENTION, "teacher": "EmoFAN F+R+C+A", "distil": "replaces"},
}

BASELINE, BEST = "ResNet-18 O+R", "EmoFAN F+R+C+A+S+D"
FAIR = "ResNet-18 F+R+C"  # the baseline with the crops and the categories that EmoFAN has
# step of the ablation -> row with, row without, and what the paper says of it
STEPS: Mapping[str, tuple[str, str, str]] = {
    "F": ("ResNet-18 F+R", "ResNet-18 O+R", "Recomputed landmarks help"),
    "features": ("EmoFAN F+R", "ResNet-18 F+R", "Building on the face-alignment network helps"),
    "C, ResNet": ("ResNet-18 F+R+C", "ResNet-18 F+R", "Predicting categories as well helps a ResNet-18"),
    "C": ("EmoFAN F+R+C", "EmoFAN F+R", "Predicting categories as well helps EmoFAN"),
    "A": ("EmoFAN F+R+C+A", "EmoFAN F+R+C", "Attention from the landmarks helps"),
    "D": ("EmoFAN F+R+C+A+D", "EmoFAN F+R+C+A", "Distillation helps"),
    "S": ("EmoFAN F+R+C+A+S", "EmoFAN F+R+C+A", "The shake-shake loss helps"),
    "S and D": (BEST, "EmoFAN F+R+C+A", "Distillation and shake-shake together help"),
}
TEACHERS = ("EmoFAN F+R+C+A", "EmoFAN F+R+C+A+S")
MEASURES: Mapping[str, Callable[..., Any]] = {
    "RMSE": metrics.rmse,
    "SAGR": metrics.sagr,
    "PCC": metrics.pcc,
    "CCC": metrics.ccc,
}
PEOPLE, WITH_REST = "rater and rater", "rater and the others' mean"
WITH_ONE, WITH_ALL = "network and rater", "network and all raters' mean"
# tracks whose people chose categories alone: a face's is what most chose, and valence and arousal are votes' places
VOTES_ALONE = ("ferplus",)
CLEANED = "cleaned by the rules"
CLEANED_LESS_ALL = f"{CLEANED} - all faces"
BY_OTHERS = "cleaned by other annotators"
CLIPS = "small set: "
OVER_FACES = "95 % bootstrap over {unit}"
CAVEATS = {
    "twin": "**The data are generated, and the networks small.** Faces with known landmarks are cropped by them; each "
    "is labelled by one of ten raters, drawn once, and its category by one annotator, a tenth of these "
    "replaced, as AffectNet has one annotator a face. *Original* landmarks are the right ones with the errors of an "
    "older detector; *FAN* landmarks come from the alignment network that is trained here. What holds here holds "
    "of the method on such faces, at this size of network and number of steps. In return the truth is known.",
    "ferplus": "**The landmarks are another population's.** FER+ has none, so the alignment network has learnt "
    "generated faces, and pictures are taken as they are: the row that compares landmarks is left out. Ten people each "
    "chose one category for a face; each vote is placed on the circumplex, and nobody rated a valence. Valence and "
    "arousal to learn are one vote's place, the category is what most chose. A neutral vote lies at exactly 0, a sign "
    "that no network predicts, so SAGR counts it against every network, and cannot be compared with people's. "
    "Subjects are unknown. This page shows no picture of FER2013.",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    schedule: Mapping[str, Any]
    alignment_schedule: Mapping[str, Any]
    width: int
    depth: int
    size: int
    backbone: str
    seeds: int = 3
    turned: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile."""
    if track.profile == "paper":
        # Not given by the paper: batch and epochs, and which learning rate the search chose.
        adam = {"optimiser": "adam", "learning_rate": 1e-3, "decay": 0.1, "decay_every": 15, "batch": 64}
        return Protocol(
            schedule=adam | {"epochs": 45},
            alignment_schedule=adam | {"epochs": 45},
            width=256,
            depth=4,
            size=256,
            backbone="resnet18",
            turned=True,
            draws=5000,
        )
    adamw = {"optimiser": "adamw", "weight_decay": 0.05, "learning_rate": 4e-3}
    small: dict[str, Any] = {"width": 32, "depth": 3, "size": 64, "backbone": "tiny_resnet"}
    if track.profile == "smoke":
        few = adamw | {"epochs": 1, "batch": 64}
        small |= {"width": 16, "depth": 2, "size": 32}
        return Protocol(schedule=few, alignment_schedule=few, seeds=2, draws=100, **small)
    brief = track.name == "twin" and track.brief
    epochs = 2 if brief else 12 if track.name == "twin" else 4
    return Protocol(
        schedule=adamw | {"epochs": epochs, "batch": 32},
        alignment_schedule=adamw | {"epochs": 2 if brief else 12, "batch": 32},
        draws=400 if track.brief else 1000,
        **small,
    )


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open or contradicts itself in, what its release does, and this page."""
    plan = protocol(track)
    rows = [
        ("number of classes", "not said", "8 and 5", "8"),
        ("size of pictures, batch, epochs", "not said", "256 pixels", f"{plan.size} pixels; see below"),
        (
            "what is removed from the test set",
            "“manually”, all incorrect labels",
            "rules and a list",
            "the rules",
        ),
        ("landmarks of ResNet-18, row O+R", "original; yet all are said to be new", "", "original"),
        ("loss of rows without S", "not said; table 6 suggests CCC", "", "CCC"),
        ("distillation", "“instead of the labels”, and a term “added”", "", "added; replaced, beside it"),
        ("temperature and weight of distillation", "not said", "", "1 and 1"),
        ("teacher of a student", "not said", "", "the same row without D, same seed"),
        ("valence and arousal from the teacher", "not said", "", "not used"),
        ("face alignment while affect is learnt", "not said", "frozen", "frozen; trained on, beside it"),
        ("pooling of the hourglasses", "", "maximum", "maximum"),
        ("weights of MSE, PCC, CCC", "MSE is a sum over dimensions, the others means", "", "as printed"),
        ("sign of zero in SAGR", "not said", "", "a sign of its own"),
        ("mean over a picture and its mirror image", "not said", "yes", "yes"),
        ("seeds", "one, not given", "", f"{plan.seeds}"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "release", "this page"])


def settings(track: Track) -> dict[str, Any]:
    """What all networks of a track have in common."""
    plan = protocol(track)
    return {
        "width": plan.width,
        "depth": plan.depth,
        "size": plan.size,
        "backbone": plan.backbone,
        "schedule": dict(plan.schedule),
        "alignment_schedule": dict(plan.alignment_schedule),
        "landmarks": "FAN" if problem(track).original is not None else "as given",
        "frozen": True,
        "categories": True,
        "loss": "CCC",
        "teacher": None,
        "distil": "adds",
        "temperature": 1.0,
        "turned": plan.turned,
    }


def grid(track: Track, *, seeds: int | None = None) -> dict[str, list[Run]]:
    """The runs of every artefact by name; `seeds` replaces the profile's number. Teachers come before students."""
    parts, plan, common = problem(track), protocol(track), settings(track)
    if parts.original is None and track.name != "ferplus":
        return {}  # without landmarks there is nothing to learn alignment from
    runs = {"alignment": [alignment(track, common)]}
    several = {name: changes for name, changes in TABLE6.items() if not isinstance(changes, str)}
    with_landmarks = parts.original is not None
    categories = bool((parts.label >= 0).any())
    # FER+'s faces are many, and a run takes minutes: what the twin has need not be there twice
    rows = {**TABLE5} if track.name == "ferplus" or track.brief else {**TABLE5, **several, **OPEN}
    if track.brief and track.name == "twin":
        rows = {name: changes for name, changes in rows.items() if changes.get("teacher") is None}
    for name, changes in rows.items():
        of = {**common, **changes}
        if of["landmarks"] == "original" and not with_landmarks or of["categories"] and not categories:
            continue
        if of["teacher"] is not None:
            of["teacher"] = {**common, **TABLE5[of["teacher"]]}
        runs[name] = [
            Run(task=TASK, track=track, data=parts.fingerprint, settings=of, seed=s)
            for s in range(seeds or plan.seeds)
        ]
    few = clips(track)
    if few is not None and _begins(track) and not track.brief:
        for row, changes in TABLE3.items():
            of = {
                k: v
                for k, v in {**common, **changes}.items()
                if k not in ("teacher", "distil", "temperature")
            }
            # a network that has learnt already takes smaller steps
            rate = plan.schedule["learning_rate"] / (4 if of["first"] else 1)
            of |= {"folds": 5, "fold_schedule": {**plan.schedule, "learning_rate": rate}}
            runs[f"{CLIPS}{row}"] = [
                Run(
                    task=FOLDS,
                    track=track,
                    data=f"{few.fingerprint} {parts.fingerprint}",
                    settings=of,
                    seed=s,
                )
                for s in range(seeds or plan.seeds)
            ]
    return runs


def _begins(track: Track) -> bool:
    """Whether the data are there that a network for the small set is first trained on."""
    base = larger(track)
    return base == track or all(there for _, there in requirements(base.name, base.root))


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads: no weights, and labels of training faces from teachers alone."""
    track = results[0].run.track
    teachers = {run.identity for name in TEACHERS for run in grid(track).get(name, [])}
    kept = []
    for r in results:
        read = {"affect", "logits", "landmarks", "nme", "fold"} | (
            {"train"} if r.run.identity in teachers else set()
        )
        names = [n for n in r.arrays if n in read]
        kept.append(replace(r, arrays={n: r.arrays[n] for n in names}))
    return kept


@dataclass
class Study:
    """All of the paper's runs on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[str, list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(f"track {self.track.name} has no landmarks to learn face alignment from")
        self.plan, self.parts = protocol(self.track), problem(self.track)
        self.results = run_groups(runs, jobs=self.jobs)
        few = clips(self.track)
        small = {} if few is None else {"clips": few.fingerprint}
        self.ledger = Ledger(KEY, self.track, {"faces": self.parts.fingerprint} | small, self.results)
        test = self.parts.test
        self.label, self.affect = self.parts.label[test], self.parts.affect[test].astype(np.float64)
        labelled = self.label >= 0
        self.clean = np.zeros(len(test), bool)
        self.clean[labelled] = ~is_noisy(self.label[labelled], self.parts.affect[test][labelled])
        self.best = [name for name in TABLE5 if name in self.results][-1]

    # scores

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
        with_category = use & (self.label >= 0)
        if result.run.settings["categories"] and with_category.any():
            named = result["logits"][with_category].argmax(axis=1)
            values = {"accuracy": metrics.accuracy(named, self.label[with_category])} | values
        return values

    def differences(self, better: str, worse: str) -> dict[str, list[float]]:
        """What `better` gains over `worse`, positive where it is better, by measure, one a seed."""
        a, b = self.scores(better), self.scores(worse)
        return {
            measure: [_sign(measure) * (x - y) for x, y in zip(a[measure], b[measure], strict=False)]
            for measure in a
            if measure in b
        }

    # artefacts

    def alignment(self) -> ArtefactTable:
        """How far the landmarks lie from the right ones: an older detector's, and the trained network's."""
        (found,) = self.results["alignment"]
        if "nme" not in found.arrays or found.run.track != self.track:
            why = "the right landmarks are not known"
            self.ledger.not_attempted("alignment", "Recomputed landmarks are more accurate", why)
            return self.ledger.table("alignment")
        for column, row in enumerate(("original", "FAN")):
            self._over_faces(
                "alignment", f"{row} landmarks", "NME by the box", _mean, found["nme"][:, column]
            )
        less = found["nme"][:, 0] - found["nme"][:, 1]
        claim = "Recomputed landmarks are more accurate"
        self._over_faces("alignment", "original - FAN", "NME by the box", _mean, less, claim=claim)
        return self.ledger.table("alignment")

    def table1(self) -> ArtefactTable:
        """Table 1: the printed scores, with ours on this track's faces."""
        self._printed("table1", 1, "AffectNet")
        rows: dict[str, tuple[str, NDArray[np.bool_] | None]]
        rows = {"ours, ResNet-18": (BASELINE, None), "ours, original set": (self.best, None)}
        if self.clean.any():
            rows["ours, clean set"] = self.best, self.clean
        for row, (name, use) in rows.items():
            if name in self.results:
                n = len(self.affect) if use is None else int(use.sum())
                for measure, values in self.scores(name, use).items():
                    self._add("table1", row, measure, values, n=n)
        if BASELINE in self.results:
            for measure, values in self.differences(self.best, BASELINE).items():
                claim = f"{self.best} is ahead of the paper's baseline, ResNet-18 O+R ({measure})"
                judged = claim if measure.startswith("CCC") else ""
                self._add("table1", f"{self.best} - {BASELINE}", measure, values, claim=judged)
        return self.ledger.table("table1")

    def elsewhere(self) -> ArtefactTable:
        """Table 2 as printed: SEWA's frames are licensed."""
        self._printed("table2", 2, "SEWA")
        claim = "EmoFAN is ahead of a ResNet-18 on SEWA"
        self.ledger.not_attempted("table2", claim, "SEWA is licensed, and was not at hand")
        return self.ledger.table("table2")

    def table3(self) -> ArtefactTable:
        """Table 3: five-fold cross-validation on a small set, from nothing or after training on more faces.

        Measures over all folds put together, and the mean of the folds' own CCC.
        """
        self._printed("table3", 3, "AFEW-VA")
        few = clips(self.track)
        if few is None or f"{CLIPS}Ours" not in self.results:
            claim = (
                "EmoFAN trained on more faces first is ahead of a ResNet-18 trained on the small set alone"
            )
            why = self.track.no_time if self.track.brief else "AffectNet is not in the same folder"
            why = "the track has no small set" if few is None else why
            self.ledger.not_attempted("table3", claim, why)
            return self.ledger.table("table3")
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
        for dimension in AFFECT:
            measure = f"CCC {dimension}"
            for a, b, row, claim in (
                (
                    ours,
                    alone,
                    "Ours - ResNet-18",
                    "EmoFAN trained on more faces first is ahead of a ResNet-18 trained on the small set alone",
                ),
                (more, alone, f"{MORE_FACES} - ResNet-18", "More faces first mend a small set"),
                (
                    ours,
                    more,
                    f"Ours - {MORE_FACES}",
                    "EmoFAN is ahead of a ResNet-18 with the same first training",
                ),
            ):
                gained = [x - y for x, y in zip(a[measure], b[measure], strict=True)]
                self.ledger.over_seeds("table3", row, measure, gained, claim=f"{claim} ({measure})", **common)
        return self.ledger.table("table3")

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
        for step, (better, worse, what) in STEPS.items():
            if {better, worse} <= self.results.keys():
                for measure, values in self.differences(better, worse).items():
                    claim = f"{what} ({measure})" if measure.startswith(("CCC", "accuracy")) else ""
                    self._add("table5", f"{step}: {better} - {worse}", measure, values, claim=claim)
        if {self.best, FAIR} <= self.results.keys():
            claim = f"{self.best} is ahead of a ResNet-18 with the same crops and categories"
            for measure, values in self.differences(self.best, FAIR).items():
                judged = f"{claim} ({measure})" if measure.startswith("CCC") else ""
                self._add("table5", f"{self.best} - {FAIR}", measure, values, claim=judged)
        return self.ledger.table("table5")

    def table6(self) -> ArtefactTable:
        """Table 6: three losses."""
        printed = printed_cells(6)
        of = {row: what if isinstance(what, str) else row for row, what in TABLE6.items()}
        if not set(of.values()) <= self.results.keys():
            self.ledger.not_attempted("table6", "Shake-shake does better than one loss", self._why_not)
            return self.ledger.table("table6")
        for row, name in of.items():
            for measure, values in self.scores(name).items():
                cell = printed.get((row, measure), "")
                self._add("table6", row, measure, values, printed=cell, printed_on="AffectNet")
        concordance, squared, shaken = of.values()
        for other, row in ((concordance, "CCC-based loss"), (squared, "MSE loss")):
            for measure, values in self.differences(shaken, other).items():
                keeps = other == concordance and measure.startswith("CCC")
                claimed = measure.startswith(("RMSE", "SAGR", "CCC") if other == concordance else "CCC")
                what = "keeps the CCC of" if keeps else "does better than"
                claim = f"Shake-shake {what} the {row} ({measure})" if claimed else ""
                self._add("table6", f"shake-shake - {row}", measure, values, claim=claim)
        return self.ledger.table("table6")

    def open_choices(self) -> ArtefactTable:
        """What the paper leaves open, tried: alignment trained on, and a teacher that replaces the labels."""
        pairs = {
            "alignment trained on": "EmoFAN F+R+C+A",
            "teacher replaces the labels": "EmoFAN F+R+C+A+D",
        }
        for name, plain in pairs.items():
            if name not in self.results:
                why = f"{stats.Verdict.NOT_ATTEMPTED}: {self._why_not}"
                self.ledger.add("open_choices", name, "", source="", n=0, verdict=why)
                continue
            for measure, values in self.scores(name).items():
                self._add("open_choices", name, measure, values)
            for measure, values in self.differences(name, plain).items():
                self._add("open_choices", f"{name} - {plain}", measure, values)
        return self.ledger.table("open_choices")

    def table4(self) -> ArtefactTable:
        """Table 4: people with each other and with the network; the paper's label, too, is one person's."""
        printed, rows = printed_cells(4), {PEOPLE: "AffectNet Human IA", WITH_ONE: "AffectNet Ours"}
        people, network = self.people(), self.network()
        beside = rows.values() if people else ()
        for (row, measure), cell in printed.items():
            if row not in beside:
                data = row.partition(" ")[0]
                self.ledger.add("table4", row, measure, source="", n=0, printed=cell, printed_on=data)
        if not people:
            claim = "The network agrees with people better than they do with each other"
            self.ledger.not_attempted("table4", claim, "single raters are not known")

        def as_printed(comparison: str, measure: str) -> dict[str, Any]:
            cell = printed.get((rows.get(comparison, ""), measure), "")
            return {"printed": cell, "printed_on": "AffectNet"}

        n, about = len(self.affect), OVER_FACES.format(unit=self.unit)
        for comparison, intervals in people.items():
            for measure, interval in intervals.items():
                told = as_printed(comparison, measure)
                self.ledger.add(
                    "table4", comparison, measure, source="faces", n=n, interval=interval, about=about, **told
                )
        for comparison, scores in network.items():
            for measure, values in scores.items():
                self._add("table4", comparison, measure, values, **as_printed(comparison, measure))
        for measure, gained in self.gains_over_people().items():
            claim = f"The network agrees with people better than they do with each other ({measure})"
            judged = claim if measure.startswith(("CCC", "accuracy")) else ""
            self._judged("table4", f"{WITH_ONE} - {PEOPLE}", measure, gained, claim=judged)
        claim = "People agree more on valence than on arousal"
        if self.track.name in VOTES_ALONE:
            self.ledger.not_attempted("table4", claim, "nobody rated valence or arousal")
        elif people:
            easier = self._over_test(
                lambda x: _pairwise(x[:, :, 0], measure="CCC") - _pairwise(x[:, :, 1], measure="CCC"),
                self.ratings(),
            )
            self._judged("table4", f"{PEOPLE}: valence - arousal", "CCC", easier, claim=claim)
        return self.ledger.table("table4")

    def gains_over_people(self) -> dict[str, Interval]:
        """By measure: what networks, mean over seeds, have with one rater, less what two raters have together."""
        if self.parts.faces.ratings is None:
            return {}
        found, ratings = {}, self.ratings()
        for d, dimension in enumerate(AFFECT):
            predicted = np.stack([r["affect"][:, d] for r in self.results[self.best]], axis=1).astype(
                np.float64
            )
            for measure in MEASURES:

                def more(x: NDArray, p: NDArray, measure: str = measure) -> float:
                    one = _with_each(p, x, measure=measure)
                    return _sign(measure) * (one - _pairwise(x, measure=measure))

                found[f"{measure} {dimension}"] = self._over_test(more, ratings[:, :, d], predicted)
        faces = self.parts.faces
        if faces.votes is not None and self.results[self.best][0].run.settings["categories"]:
            named = np.stack([r["logits"].argmax(axis=1) for r in self.results[self.best]], axis=1)
            votes = faces.votes[self.parts.test].astype(np.float64)
            found["accuracy"] = self._over_test(
                lambda v, c: _named_share(v, c) - _votes_agree(v), votes, named
            )
        return found

    def people(self) -> dict[str, dict[str, Interval]]:
        """How far raters of the test faces agree, comparison -> measure -> interval over faces: means over raters."""
        faces = self.parts.faces
        if faces.ratings is None:
            return {}
        found: dict[str, dict[str, Interval]] = {PEOPLE: {}, WITH_REST: {}}
        ratings = self.ratings()
        for d, dimension in enumerate(AFFECT):
            one = ratings[:, :, d]
            for measure in MEASURES:
                name = f"{measure} {dimension}"
                found[PEOPLE][name] = self._over_test(partial(_pairwise, measure=measure), one)
                found[WITH_REST][name] = self._over_test(partial(_with_rest, measure=measure), one)
        if faces.votes is not None:
            votes = faces.votes[self.parts.test].astype(np.float64)
            found[PEOPLE]["accuracy"] = self._over_test(_votes_agree, votes)
            found[WITH_REST]["accuracy"] = self._over_test(_vote_with_rest, votes)
        return found

    def ratings(self) -> NDArray[np.float64]:
        """The test faces' (n_test, K, 2); FER+'s, whose columns are nobody's, and sorted, in a random order."""
        assert self.parts.faces.ratings is not None
        ratings = self.parts.faces.ratings[self.parts.test].astype(np.float64)
        if self.track.name != "ferplus":
            return ratings
        order = np.random.default_rng(0).random(ratings.shape[:2]).argsort(axis=1)
        return np.take_along_axis(ratings, order[:, :, None], axis=1)

    def network(self) -> dict[str, dict[str, list[float]]]:
        """How far the best networks agree with raters: comparison -> measure -> one value a seed.

        With one of them, the mean over raters; with all, their mean, which no single person is compared with.
        """
        faces, test = self.parts.faces, self.parts.test
        found: dict[str, dict[str, list[float]]] = {}
        if faces.ratings is None:
            return found
        ratings = self.ratings()
        for r in self.results[self.best]:
            for d, dimension in enumerate(AFFECT):
                p, x = r["affect"][:, d].astype(np.float64), ratings[:, :, d]
                for measure, function in MEASURES.items():
                    one = _with_each(p[:, None], x, measure=measure)
                    whole = _complete(function, p, np.nanmean(x, axis=1))
                    for comparison, value in ((WITH_ONE, one), (WITH_ALL, whole)):
                        scores = found.setdefault(comparison, {})
                        scores.setdefault(f"{measure} {dimension}", []).append(value)
            if faces.votes is not None and r.run.settings["categories"]:
                votes = faces.votes[test].astype(np.float64)
                share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
                named = r["logits"].argmax(axis=1)
                one, whole = (
                    share[np.arange(len(named)), named].mean(),
                    (named == share.argmax(axis=1)).mean(),
                )
                found[WITH_ONE].setdefault("accuracy", []).append(float(one))
                found[WITH_ALL].setdefault("accuracy", []).append(float(whole))
        return found

    def cleaning(self) -> ArtefactTable:
        """What cleaning the test by the labels that are predicted does to a score, where the truth is known."""
        truth = self.parts.faces.truth
        if truth is None:
            why = "the truth is not known"
            self.ledger.not_attempted("cleaning", "Cleaning is crucial to assess models accurately", why)
            return self.ledger.table("cleaning")
        right = truth.affect[self.parts.test].astype(np.float64)
        for name, rows in self.subsets().items():
            for column, target in (("given labels", self.affect), ("truth", right)):
                for d, dimension in enumerate(AFFECT):
                    values = [
                        float(metrics.ccc(r["affect"][rows, d].astype(np.float64), target[rows, d]))
                        for r in self.results[self.best]
                    ]
                    self._add("cleaning", name, f"CCC {dimension}, {column}", values, n=int(rows.sum()))
            share = 100 * float(truth.mislabelled[self.parts.test][rows].mean())
            self.ledger.add(
                "cleaning",
                name,
                "% wrong categories",
                source="faces",
                n=int(rows.sum()),
                interval=share,
                unit="%",
            )
        predicted = np.stack([r["affect"] for r in self.results[self.best]], axis=1).astype(np.float64)
        for labels, target in (("given labels", self.affect), ("truth", right)):
            for d, dimension in enumerate(AFFECT):
                column = f"CCC {dimension}, {labels}"
                claim = f"Cleaning the test set raises the score ({column})" if labels != "truth" else ""
                arrays = predicted[:, :, d], target[:, d], self.clean
                self._over_faces("cleaning", CLEANED_LESS_ALL, column, _gain_of_rows, *arrays, claim=claim)
        return self.ledger.table("cleaning")

    def teacher(self) -> ArtefactTable:
        """Are a teacher's labels of the training faces nearer to what most raters say than the labels it learnt?"""
        votes, label = self.parts.faces.votes, self.parts.label[self.parts.train]
        there = [name for name in TEACHERS if name in self.results]
        if votes is None or not there or self.track.name in VOTES_ALONE:
            known = "the labels learnt are already what most raters chose"
            why = known if votes is not None else "several raters' categories are not known"
            self.ledger.not_attempted("teacher", "A teacher smooths wrong labels", why)
            return self.ledger.table("teacher")
        most, n = votes[self.parts.train].argmax(axis=1), len(label)
        given = float((label == most).mean())
        column = "agrees with most raters"
        self.ledger.add("teacher", "given label", column, source="faces", n=n, interval=given)
        for name in there:
            taught = [float((r["train"].argmax(axis=1) == most).mean()) for r in self.results[name]]
            self._add("teacher", name, column, taught, n=n)
            claim = (
                "A teacher's most likely category agrees with most raters more often than the label it learnt "
                f"({name})"
            )
            self._add(
                "teacher", f"{name} - given label", column, [t - given for t in taught], n=n, claim=claim
            )
        return self.ledger.table("teacher")

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
            claim = f"A lower RMSE comes with a higher SAGR ({d})"
            self._add("measures", f"{len(names)} networks", f"rank correlation, {d}", values, claim=claim)
        why = "no run here has more wrong labels than another"
        claim = "Predicting categories as well makes the network robust to wrong labels"
        self.ledger.not_attempted("measures", claim, why)
        return self.ledger.table("measures")

    def subsets(self) -> dict[str, NDArray[np.bool_]]:
        """Test faces (n_test,) that each cleaning leaves; the last asks others than the annotator predicted."""
        faces = self.parts.faces
        found = {"all faces": np.ones(len(self.affect), bool), CLEANED: self.clean}
        if faces.truth is not None:
            found["right categories only"] = ~faces.truth.mislabelled[self.parts.test]
        if faces.ratings is not None and faces.votes is not None:
            rater = np.where(np.isfinite(faces.ratings), np.arange(faces.ratings.shape[1])[:, None], np.nan)
            taken = rater == one_rating(rater, seed=0)[:, None]  # whose label is predicted
            other = one_rating(np.where(taken, np.nan, faces.ratings), seed=1)[self.parts.test]
            votes = faces.votes[self.parts.test].astype(np.float64)
            drawn = np.random.default_rng(1).multinomial(
                1, votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
            )
            found[BY_OTHERS] = ~is_noisy(drawn.argmax(axis=1), other.clip(-1, 1))
        return found

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind_of = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind_of.value_counts().items())
        lines = [f"**In short** (track {self.track.name}, profile {self.track.profile}): {counts}.", ""]
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}

        def told(table: str, row: str) -> str:
            return "; ".join(
                f"{d} {e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]" + (f", {e.verdict}" if e.verdict else "")
                for d in AFFECT
                if (e := cells.get((table, row, f"CCC {d}")))
            )

        for step, (better, worse, what) in STEPS.items():
            if gained := told("table5", f"{step}: {better} - {worse}"):
                lines.append(f"- {what}: CCC gained, {gained}.")
        ours = [name for name in TABLE5 if ("table5", f"{name} - {FAIR}", "CCC valence") in cells]
        for better, worse, table, what in (
            *(
                (name, FAIR, "table5", f"{name} against a ResNet-18 with its crops and categories")
                for name in ours
            ),
            ("alignment trained on", "EmoFAN F+R+C+A", "open_choices", "Training the alignment on"),
            (MORE_FACES, "ResNet-18", "table3", "A small set, by training on more faces first"),
            (
                "Ours",
                MORE_FACES,
                "table3",
                "A small set, by EmoFAN instead of a ResNet-18, both first on more faces",
            ),
        ):
            if gained := told(table, f"{better} - {worse}"):
                lines.append(f"- {what}: CCC gained, {gained}.")
        for name in ("all faces", CLEANED, BY_OTHERS):
            scored = [
                f"{d} {given.measured:.2f} with the given labels, {true.measured:.2f} with the truth"
                for d in AFFECT
                if (given := cells.get(("cleaning", name, f"CCC {d}, given labels")))
                and (true := cells.get(("cleaning", name, f"CCC {d}, truth")))
            ]
            if scored:
                lines.append(f"- CCC on {name}: {'; '.join(scored)}.")
        for measure in ("CCC valence", "CCC arousal"):
            people, one, whole = (
                cells.get(("table4", name, measure)) for name in (PEOPLE, WITH_ONE, WITH_ALL)
            )
            if people and one and whole:
                lines.append(
                    f"- {measure}: two people agree at {people.measured:.2f}, the network with one of them at "
                    f"{one.measured:.2f}, with the mean of all at {whole.measured:.2f}."
                )
        return "\n".join(lines)

    @property
    def _why_not(self) -> str:
        if self.track.brief:
            return self.track.no_time
        return "the twin has it" if self.track.name == "ferplus" else "the faces have no categories"

    @property
    def unit(self) -> str:
        return "faces" if self.parts.faces.subject is None else "subjects"

    def _add(
        self,
        artefact: str,
        row: str,
        column: str,
        values: Sequence[float],
        *,
        n: int | None = None,
        **rest: Any,
    ) -> None:
        """One value a seed, of n test faces: all of them, unless said otherwise."""
        count = len(self.affect) if n is None else n
        self.ledger.over_seeds(artefact, row, column, values, source="faces", n=count, **rest)

    def _over_test(self, statistic: Callable[..., float], *of: NDArray) -> Interval:
        """Over the test faces, whole persons where they are known; fewer draws, each is some hundred correlations."""
        clusters = None if self.parts.faces.subject is None else self.parts.faces.subject[self.parts.test]
        draws = max(self.plan.draws // 5, 20)
        return stats.cluster_bootstrap(statistic, *of, clusters=clusters, seed=0, draws=draws)

    def _judged(self, artefact: str, row: str, column: str, found: Interval, *, claim: str) -> None:
        about, verdict = OVER_FACES.format(unit=self.unit), str(stats.verdict(found, 1))
        n = len(self.affect)
        self.ledger.add(
            artefact,
            row,
            column,
            source="faces",
            n=n,
            interval=found,
            about=about,
            claim=claim,
            verdict=verdict,
        )

    def _over_faces(
        self,
        artefact: str,
        row: str,
        column: str,
        statistic: Callable[..., float],
        *arrays: NDArray,
        claim: str = "",
    ) -> None:
        clusters = None if self.parts.faces.subject is None else self.parts.faces.subject[self.parts.test]
        found = stats.cluster_bootstrap(statistic, *arrays, clusters=clusters, seed=0, draws=self.plan.draws)
        verdict = str(stats.verdict(found, 1)) if claim else ""
        about = OVER_FACES.format(unit=self.unit)
        common: dict[str, Any] = {"interval": found, "about": about, "claim": claim, "verdict": verdict}
        self.ledger.add(artefact, row, column, source="faces", n=len(arrays[0]), **common)

    def _printed(self, artefact: str, number: int, data: str) -> None:
        """Every cell as printed."""
        for (row, measure), printed in printed_cells(number).items():
            self.ledger.add(artefact, row, measure, source="", n=0, printed=printed, printed_on=data)


def printed_cells(number: int) -> dict[tuple[str, str], str]:
    """A table's cells by row and measure, as this page calls it: "accuracy", "CCC valence"."""
    cells = read_table(KEY, number)
    named = {}
    for _, cell in cells.iterrows():
        quantity = cell["quantity"] if cell["quantity"] == "accuracy" else cell["quantity"].upper()
        named[cell["row"], f"{quantity} {cell['dimension']}".strip()] = str(cell["printed"])
    return named


def _sign(measure: str) -> int:
    return -1 if measure.startswith("RMSE") else 1


def _gain_of_rows(
    predicted: NDArray[np.float64], target: NDArray[np.float64], use: NDArray[np.bool_]
) -> float:
    """CCC on the rows `use` less that on all: mean over networks, `predicted` (n, seeds)."""
    return float(np.mean([metrics.ccc(p[use], target[use]) - metrics.ccc(p, target) for p in predicted.T]))


def _mean(values: NDArray) -> float:
    return float(np.mean(values))


def _complete(function: Callable[..., Any], a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Over the rows that both have."""
    both = np.isfinite(a) & np.isfinite(b)
    return float(function(a[both], b[both]))


def _pairwise(ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over pairs of raters (n, K)."""
    pairs = combinations(range(ratings.shape[1]), 2)
    return float(np.mean([_complete(MEASURES[measure], ratings[:, i], ratings[:, j]) for i, j in pairs]))


def _with_each(predicted: NDArray[np.float64], ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over networks (n, seeds) and raters (n, K)."""
    pairs = product(predicted.T, ratings.T)
    return float(np.mean([_complete(MEASURES[measure], p, x) for p, x in pairs]))


def _named_share(votes: NDArray[np.float64], named: NDArray) -> float:
    """Mean share of a face's votes (n, K) that the categories named by networks (n, seeds) have."""
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    return float(np.take_along_axis(share, named, axis=1).mean())


def _with_rest(ratings: NDArray[np.float64], *, measure: str) -> float:
    """Mean over raters (n, K) of the measure between each and the mean of the others."""
    total, count = np.nansum(ratings, axis=1), np.isfinite(ratings).sum(axis=1)
    found = []
    for k in range(ratings.shape[1]):
        own = np.isfinite(ratings[:, k])
        others = np.where(
            own & (count > 1), (total - np.nan_to_num(ratings[:, k])) / np.maximum(count - 1, 1), np.nan
        )
        found.append(_complete(MEASURES[measure], ratings[:, k], others))
    return float(np.mean(found))


def _votes_agree(votes: NDArray[np.float64]) -> float:
    """Chance that two voters of a face, drawn without replacement, name the same category: votes (n, K)."""
    total = votes.sum(axis=1)
    use = total > 1
    same = (votes * (votes - 1)).sum(axis=1)[use] / (total * (total - 1))[use]
    return float(same.mean())


def _vote_with_rest(votes: NDArray[np.float64]) -> float:
    """Chance that a voter of a face names the category that most of the others name; a tie counts by its share."""
    total = votes.sum(axis=1)
    hits = np.zeros(len(votes))
    for k in range(votes.shape[1]):
        rest = votes.copy()
        rest[:, k] -= 1
        most = rest == rest.max(axis=1, keepdims=True)
        hits += np.where(votes[:, k] > 0, votes[:, k] * most[:, k] / most.sum(axis=1), 0)
    return float((hits[total > 1] / total[total > 1]).mean())
