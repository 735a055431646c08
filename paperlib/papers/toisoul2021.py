"""toisoul2021: the grid of runs behind its artefacts, and every number of its page.

Networks are compared over seeds: runs of one seed share the order of the batches and, but for shake-shake's, the
augmentation; a student learns from the teacher of its seed. So differences are paired. Every difference is taken so
that a positive one speaks for the claim: of RMSE, the worse less the better.

What the paper says of two of its rows is judged in those measures in which it prints a gain, since no run need show
more than the paper's own table does. Where it says "at least as good" or "without degrading", a loss of one unit of the
last printed place is allowed: two numbers that print alike may be as far apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import spearmanr

from paperlib import metrics, stats
from paperlib.data import requirements
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, is_noisy
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.published import claims_for_runs, parse, read_table
from paperlib.stats import Interval, Verdict
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

BEST = "EmoFAN F+R+C+A+S+D"
# the paper's baseline, trained for CCC alone; the second where a track has no landmarks, and crops are nobody's
BASELINES = ("ResNet-18 O+R", "ResNet-18 F+R")
FAIR = "ResNet-18 F+R+C"  # the baseline with the crops and the categories that EmoFAN has


class Step(NamedTuple):
    """A step of the ablation: the row with, the row without, what is said of it, and the paper's statement."""

    better: str
    worse: str
    what: str
    claim_id: str = ""  # "": two printed rows, of which no sentence speaks


STEPS: Mapping[str, Step] = {
    "F": Step("ResNet-18 F+R", "ResNet-18 O+R", "Recomputed landmarks help", "landmarks"),
    "features": Step(
        "EmoFAN F+R", "ResNet-18 F+R", "Building on the face-alignment network helps", "features"
    ),
    "C, ResNet": Step(FAIR, "ResNet-18 F+R", "Predicting categories as well helps a ResNet-18", "classes"),
    "C": Step("EmoFAN F+R+C", "EmoFAN F+R", "Predicting categories as well helps EmoFAN", "classes"),
    "A": Step("EmoFAN F+R+C+A", "EmoFAN F+R+C", "Attention from the landmarks helps", "attention"),
    "D": Step("EmoFAN F+R+C+A+D", "EmoFAN F+R+C+A", "Distillation helps", "distillation"),
    "S": Step("EmoFAN F+R+C+A+S", "EmoFAN F+R+C+A", "The shake-shake loss helps", "shake-shake"),
    "S and D": Step(BEST, "EmoFAN F+R+C+A", "Distillation and shake-shake together help"),
}
KEPT = "S"  # the step that is to keep the CCC
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
NO_SEWA = "SEWA is licensed, and was not at hand"
CLEANED = "cleaned by the rules"
CLEANED_LESS_ALL = f"{CLEANED} - all faces"
BY_OTHERS = "cleaned by other annotators"
CLIPS = "small set: "
GIVEN = ("given label", "given label, smoothed evenly")
VOTES_RMSE = "RMSE to the raters' votes"
OVER_FACES = "95 % bootstrap over {unit}"
CAVEATS = {
    "twin": "**The data are generated, and the networks small.** Faces with known landmarks are cropped by them; each "
    "is labelled by one of ten raters, drawn once, and its category by one annotator, a tenth of these "
    "replaced, as AffectNet has one annotator a face. *Original* landmarks are the right ones with the errors of an "
    "older detector; *FAN* landmarks come from the alignment network that is trained here. What holds here holds "
    "of the method on such faces, at this size of network and number of steps. In return the truth is known.",
    "ferplus": "**The landmarks are another population's.** FER+ has none, so the alignment network has learnt "
    "generated faces, and pictures are taken as they are: the row that compares landmarks is left out, and the paper's "
    "baseline is a ResNet-18 on the same pictures. Ten people each "
    "chose one category for a face; each vote is placed on the circumplex, and nobody rated a valence. Valence and "
    "arousal to learn are one vote's place, the category is what most chose. A neutral vote lies at exactly 0, a sign "
    "that no network predicts, so SAGR counts it against every network. "
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
        # Distillation and shake-shake are the steps that add no part to the network, and cost as much as all before.
        rows = {name: changes for name, changes in rows.items() if not {"teacher", "loss"} & changes.keys()}
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
        self.baseline = next(name for name in BASELINES if name in self.results)

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
        """How far the landmarks lie from the right ones: an older detector's, and the trained network's.

        No claim of the paper: how wrong the older detector's are was chosen here.
        """
        (found,) = self.results["alignment"]
        if "nme" not in found.arrays or found.run.track != self.track:
            why = f"{Verdict.NOT_ATTEMPTED}: the right landmarks are not known"
            self.ledger.add("alignment", "original - FAN", "NME by the box", source="", n=0, verdict=why)
            return self.ledger.table("alignment")
        for column, row in enumerate(("original", "FAN")):
            self._over_faces(
                "alignment", f"{row} landmarks", "NME by the box", _mean, found["nme"][:, column]
            )
        less = found["nme"][:, 0] - found["nme"][:, 1]
        self._over_faces("alignment", "original - FAN", "NME by the box", _mean, less, judged=True)
        return self.ledger.table("alignment")

    def table1(self) -> ArtefactTable:
        """Table 1: the printed scores, with ours on this track's faces."""
        self._printed("table1", 1, "AffectNet")
        rows: dict[str, tuple[str, NDArray[np.bool_] | None]]
        rows = {"ours, ResNet-18": (self.baseline, None), "ours, original set": (self.best, None)}
        if self.clean.any():
            rows["ours, clean set"] = self.best, self.clean
        for row, (name, use) in rows.items():
            n = len(self.affect) if use is None else int(use.sum())
            for measure, values in self.scores(name, use).items():
                self._add("table1", row, measure, values, n=n)
        for measure, values in self.differences(self.best, self.baseline).items():
            claim = f"{self.best} is ahead of the paper's baseline, {self.baseline} ({measure})"
            told = printed_step(1, "ResNet-18", "Ours (original set)", measure)
            claimed = _claimed(told, claim, "above-resnet")
            self._add("table1", f"{self.best} - {self.baseline}", measure, values, **claimed)
        return self.ledger.table("table1")

    def elsewhere(self) -> ArtefactTable:
        """Table 2 as printed: SEWA's frames are licensed."""
        self._printed("table2", 2, "SEWA")
        told = {"printed": printed_ccc(2, "ResNet-18", "Our method"), "printed_on": "SEWA"}
        self._not_attempted("table2", "above-resnet", NO_SEWA, **told)
        return self.ledger.table("table2")

    def figure2(self) -> ArtefactTable:
        """Figure 2's one pass and its speed, which depends on the machine more than on the method."""
        why = "no speed is printed, and one is a machine's; `make bench` measures the full network"
        self._not_attempted("figure2", "real-time", why)
        return self.ledger.table("figure2")

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
            told = printed_step(3, "ResNet-18", "Ours", measure)
            ahead = (
                "EmoFAN trained on more faces first is ahead of a ResNet-18 trained on the small set alone"
            )
            mended = {"claim": f"More faces first mend a small set ({measure})", "claim_id": "small-set"}
            for a, b, row, claimed in (
                (
                    ours,
                    alone,
                    "Ours - ResNet-18",
                    _claimed(told, f"{ahead} ({measure})", "small-set", on="AFEW-VA"),
                ),
                (more, alone, f"{MORE_FACES} - ResNet-18", mended),
                (ours, more, f"Ours - {MORE_FACES}", {}),
            ):
                gained = [x - y for x, y in zip(a[measure], b[measure], strict=True)]
                self.ledger.over_seeds("table3", row, measure, gained, **claimed, **common)
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
        there = {name: s for name, s in STEPS.items() if {s.better, s.worse} <= self.results.keys()}
        for name, step in there.items():
            gains = self.differences(step.better, step.worse)
            told = {m: printed_step(5, step.worse, step.better, m) for m in gains}
            for measure, values in gains.items():
                claimed = _claimed(told[measure], f"{step.what} ({measure})", step.claim_id)
                self._add("table5", f"{name}: {step.better} - {step.worse}", measure, values, **claimed)
            if name == KEPT:
                self._kept("table5", f"{name}: {step.better}", step.worse, gains, told)
        if {self.best, FAIR} <= self.results.keys():
            for measure, values in self.differences(self.best, FAIR).items():
                self._add("table5", f"{self.best} - {FAIR}", measure, values)
        judged = {"", *(s.claim_id for s in there.values())}
        for step in STEPS.values():
            if step.claim_id not in judged:
                judged.add(step.claim_id)
                why = "the track has no landmarks" if self.parts.original is None else self._why_not
                both = {"printed": printed_ccc(5, step.worse, step.better), "printed_on": "AffectNet"}
                self._not_attempted("table5", step.claim_id, why, **both)
        return self.ledger.table("table5")

    def power(self) -> pd.DataFrame:
        """Table 5's claims that cannot be told: the printed step, and the least that this many seeds would have told.

        The least is half the width of the interval: a gain above it would have had an interval above zero.
        """
        rows = [
            {
                "step": e.row.partition(":")[0],
                "measure": e.column,
                "printed step": _printed_gain(e),
                "measured": e.measured,
                "least that would have been told": _least(e),
            }
            for e in self._untold()
        ]
        return pd.DataFrame(rows).round(3)

    def _untold(self) -> list[Entry]:
        """The claims of table 5 on a gain whose interval contains zero."""
        return [
            e
            for e in self.ledger.entries
            if e.artefact == f"{KEY}/table5"
            and e.claim
            and e.verdict == Verdict.CANNOT_TELL
            and np.isfinite(e.low)
            and _printed_gain(e) > 0
        ]

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
                claim=f"Shake-shake keeps the CCC of the CCC-based loss ({measure})",
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
            return self.ledger.table("table6")
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
                claimed = _claimed(
                    told[measure], f"Shake-shake does better than the {row} ({measure})", claim_id
                )
                self._add("table6", f"shake-shake - {row}", measure, values, **claimed)
            if other == concordance:
                self._kept("table6", "shake-shake", row, gains, told)
        self._not_attempted("table6", "balanced", fixed)
        return self.ledger.table("table6")

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
        return self.ledger.table("open_choices")

    def table4(self) -> ArtefactTable:
        """Table 4: people with each other and with the network; the paper's label, too, is one person's."""
        printed, rows = printed_cells(4), {PEOPLE: "AffectNet Human IA", WITH_ONE: "AffectNet Ours"}
        ours = {theirs: row for row, theirs in rows.items()}
        people, network = self.people(), self.network()
        measured = {(c, m) for found in (people, network) for c, scores in found.items() for m in scores}
        for (theirs, measure), cell in printed.items():
            row = ours.get(theirs, theirs) if people else theirs
            if (row, measure) not in measured:
                data = theirs.partition(" ")[0]
                self.ledger.add("table4", row, measure, source="", n=0, printed=cell, printed_on=data)

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
        told = {d: printed_step(4, rows[PEOPLE], rows[WITH_ONE], f"CCC {d}") for d in AFFECT}
        gains = self.gains_over_people()
        for measure, gained in gains.items():
            claim = f"The network agrees with people better than they do with each other ({measure})"
            claimed = _claimed(told["arousal"], claim, "human-arousal") if measure == "CCC arousal" else {}
            self._judged("table4", f"{WITH_ONE} - {PEOPLE}", measure, gained, **claimed)
        people_alone = " to ".join(printed[rows[PEOPLE], f"CCC {d}"] for d in reversed(AFFECT))
        if "CCC valence" in gains:
            self._as_good_as_people(gains["CCC valence"], told["valence"])
            easier = self._over_test(
                lambda x: _pairwise(x[:, :, 0], measure="CCC") - _pairwise(x[:, :, 1], measure="CCC"),
                self.ratings(),
            )
            claimed = {"claim": "People agree more on valence than on arousal", "claim_id": "valence-easier"}
            claimed |= {"printed": people_alone, "printed_on": "AffectNet"}
            self._judged("table4", f"{PEOPLE}: valence - arousal", "CCC", easier, **claimed)
        else:
            why = "nobody rated valence or arousal" if people else "single raters are not known"
            words = {f"human-{d}": of.words for d, of in told.items() if of} | {
                "valence-easier": people_alone
            }
            for claim_id, text in words.items():
                self._not_attempted("table4", claim_id, why, printed=text, printed_on="AffectNet")
        on_sewa = {"printed": printed_ccc(4, "SEWA Human IA", "SEWA Ours"), "printed_on": "SEWA"}
        self._not_attempted("table4", "human-sewa", NO_SEWA, **on_sewa)
        return self.ledger.table("table4")

    def _as_good_as_people(self, gained: Interval, told: Told | None) -> None:
        """ "At least as good": the gain with one unit of the last printed place added."""
        assert told is not None
        bounds = {f: getattr(gained, f) + told.place for f in ("estimate", "low", "high")}
        self._judged(
            "table4",
            f"{WITH_ONE} + {told.place:g} - {PEOPLE}",
            "CCC valence",
            replace(gained, **bounds),
            claim="The network agrees with people at least as well as they do with each other (CCC valence)",
            claim_id="human-valence",
            printed=told.words,
            printed_on="AffectNet",
        )

    def gains_over_people(self) -> dict[str, Interval]:
        """By measure: what networks, mean over seeds, have with one rater, less what two raters have together."""
        if self.parts.faces.ratings is None:
            return {}
        found, ratings = {}, self.ratings()
        for d, dimension in enumerate(self._rated):
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
        for d, dimension in enumerate(self._rated):
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
        """The test faces' (n_test, K, 2)."""
        assert self.parts.faces.ratings is not None
        return self.parts.faces.ratings[self.parts.test].astype(np.float64)

    @property
    def _rated(self) -> Sequence[str]:
        """The dimensions that single people rated: none where a vote stands for a valence and an arousal."""
        return () if self.track.name in VOTES_ALONE else AFFECT

    def network(self) -> dict[str, dict[str, list[float]]]:
        """How far the best networks agree with raters: comparison -> measure -> one value a seed.

        With one of them, the mean over raters; with all, their mean, which no single person is compared with.
        """
        faces, test = self.parts.faces, self.parts.test
        if faces.ratings is None:
            return {}
        found: dict[str, dict[str, list[float]]] = {WITH_ONE: {}, WITH_ALL: {}}
        ratings = self.ratings()
        for r in self.results[self.best]:
            for d, dimension in enumerate(self._rated):
                p, x = r["affect"][:, d].astype(np.float64), ratings[:, :, d]
                for measure, function in MEASURES.items():
                    one = _with_each(p[:, None], x, measure=measure)
                    whole = _complete(function, p, np.nanmean(x, axis=1))
                    for comparison, value in ((WITH_ONE, one), (WITH_ALL, whole)):
                        found[comparison].setdefault(f"{measure} {dimension}", []).append(value)
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
        """What cleaning the test by the labels that are predicted does to a score, and how near to the truth's."""
        truth = self.parts.faces.truth
        unknown = "the truth is not known"
        if not self.clean.any():
            self._not_attempted("cleaning", "cleaning", self._why_not, **self._printed_cleaning())
            self._not_attempted("cleaning", "crucial", unknown)
            return self.ledger.table("cleaning")
        targets = {"given labels": self.affect}
        if truth is not None:
            targets["truth"] = truth.affect[self.parts.test].astype(np.float64)
        for name, rows in self.subsets().items():
            for (labels, target), (d, dimension) in product(targets.items(), enumerate(AFFECT)):
                values = [
                    float(metrics.ccc(r["affect"][rows, d].astype(np.float64), target[rows, d]))
                    for r in self.results[self.best]
                ]
                self._add("cleaning", name, f"CCC {dimension}, {labels}", values, n=int(rows.sum()))
            if truth is not None:
                share = 100 * float(truth.mislabelled[self.parts.test][rows].mean())
                n, column = int(rows.sum()), "% wrong categories"
                self.ledger.add("cleaning", name, column, source="faces", n=n, interval=share, unit="%")
        predicted = np.stack([r["affect"] for r in self.results[self.best]], axis=1).astype(np.float64)
        for (labels, target), (d, dimension) in product(targets.items(), enumerate(AFFECT)):
            column = f"CCC {dimension}, {labels}"
            claimed: dict[str, Any] = {}
            if labels != "truth":
                claimed = {
                    "claim": f"Cleaning the test set raises the score ({column})",
                    "claim_id": "cleaning",
                }
                claimed |= self._printed_cleaning(f"CCC {dimension}")
            arrays = predicted[:, :, d], target[:, d], self.clean
            self._over_networks(CLEANED_LESS_ALL, column, _gain_of_rows, *arrays, **claimed)
        if truth is None:
            self._not_attempted("cleaning", "crucial", unknown)
            return self.ledger.table("cleaning")
        for d, dimension in enumerate(AFFECT):
            column = f"CCC {dimension}, off the truth's"
            claim = f"Cleaning brings the score nearer to that with the right labels (CCC {dimension})"
            both = self.affect[:, d], targets["truth"][:, d]
            claimed = {"claim": claim, "claim_id": "crucial"}
            row, of_faces = f"all faces - {CLEANED}", (*both, self.clean)
            self._over_networks(row, column, _nearer_the_truth, predicted[:, :, d], *of_faces, **claimed)
        return self.ledger.table("cleaning")

    @staticmethod
    def _printed_cleaning(measure: str = "") -> dict[str, str]:
        """What the paper prints of the best row on its original and its clean set."""
        rows = BEST, BEST.replace(" ", " (clean set) ")
        told = printed_step(5, *rows, measure)
        return {"printed": told.words if told else printed_ccc(5, *rows), "printed_on": "AffectNet"}

    def teacher(self) -> ArtefactTable:
        """Are a teacher's labels of the training faces nearer to what raters say than the labels that it learnt?

        As distributions over categories, by RMSE to the shares of the raters' votes. Any soft label is nearer to them
        than a hard one that is often wrong; so a given label smoothed evenly, by as much as brings it nearest, stands
        beside. It and the agreement of the most likely category with most raters are questions of ours.
        """
        votes, label = self.parts.faces.votes, self.parts.label[self.parts.train]
        there = [name for name in TEACHERS if name in self.results]
        if votes is None or not there or self.track.name in VOTES_ALONE:
            known = "the labels learnt are already what most raters chose"
            why = known if votes is not None and there else "several raters' categories are not known"
            self._not_attempted("teacher", "smooths", why)
            return self.ledger.table("teacher")
        counts, n = votes[self.parts.train].astype(np.float64), len(label)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        hard = np.eye(share.shape[1])[label]
        given = dict(zip(GIVEN, (hard, _smoothed(hard, share)), strict=True))
        column, most = VOTES_RMSE, "agrees with most raters"
        off = {row: metrics.rmse(of.ravel(), share.ravel()) for row, of in given.items()}
        for row, value in off.items():
            self.ledger.add("teacher", row, column, source="faces", n=n, interval=float(value))
        right = float((label == share.argmax(axis=1)).mean())
        self.ledger.add("teacher", GIVEN[0], most, source="faces", n=n, interval=right)
        for name in there:
            logits = [r["train"].astype(np.float64) for r in self.results[name]]
            taught = [metrics.rmse(softmax(x, axis=1).ravel(), share.ravel()) for x in logits]
            self._add("teacher", name, column, taught, n=n)
            for row, value in off.items():
                claim = f"A teacher's distribution is nearer to the raters' votes than the label it learnt ({name})"
                claimed = {"claim": claim, "claim_id": "smooths"} if row == GIVEN[0] else {}
                self._add("teacher", f"{row} - {name}", column, [value - t for t in taught], n=n, **claimed)
            agrees = [float((x.argmax(axis=1) == share.argmax(axis=1)).mean()) for x in logits]
            self._add("teacher", name, most, agrees, n=n)
            self._add("teacher", f"{name} - {GIVEN[0]}", most, [a - right for a in agrees], n=n)
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
            claimed: dict[str, Any] = {
                "claim": f"A lower RMSE comes with a higher SAGR ({d})",
                "claim_id": "rmse-sagr",
            }
            self._add("measures", f"{len(names)} networks", f"rank correlation, {d}", values, **claimed)
        self._not_attempted("measures", "outliers", "no run here has more wrong labels than another")
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
        return self.track.caution + CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        found = self.statements()
        held, *others = Verdict
        kinds = (held, stats.IN_PART, stats.MIXED, *others)
        had = list(found.values())
        counts = ", ".join(f"{had.count(kind)} {kind}" for kind in kinds if kind in had)
        where = f"track {self.track.name}, profile {self.track.profile}"
        lines = [f"**In short** ({where}): of {len(found)} statements of the paper {counts}.", ""]
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}

        def told(table: str, row: str) -> str:
            return "; ".join(
                f"{d} {e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]{_said(e)}"
                for d in AFFECT
                if (e := cells.get((table, row, f"CCC {d}")))
            )

        for name, step in STEPS.items():
            if gained := told("table5", f"{name}: {step.better} - {step.worse}"):
                lines.append(f"- {step.what}: CCC gained, {gained}.")
        if untold := self._untold():
            hidden = sum(_printed_gain(e) <= _least(e) for e in untold)
            lines.append(
                f"- Of table 5's gains, {len(untold)} cannot be told; in {hidden} of these a measured gain as large as "
                "the printed one would not have been told either, with so few seeds."
            )
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
        for name in TEACHERS:
            off = {row: cells.get(("teacher", f"{row} - {name}", VOTES_RMSE)) for row in GIVEN}
            if all(off.values()):
                told_of = "; ".join(
                    f"than the {row} {e.measured:+.3f}{_said(e)}" for row, e in off.items() if e
                )
                lines.append(f"- How much nearer to the raters' votes {name}'s labels are (RMSE): {told_of}.")
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

    def statements(self) -> dict[str, str]:
        """The paper's statements on the page, by id: the verdict of the claims that test it, see `stats.combined`."""
        found: dict[str, list[str]] = {}
        for e in self.ledger.entries:
            if e.claim:
                found.setdefault(e.claim_id, []).append(e.verdict.partition(":")[0])
        return {claim_id: stats.combined(verdicts) for claim_id, verdicts in found.items()}

    def _not_attempted(self, artefact: str, claim_id: str, why: str, **rest: Any) -> None:
        """A statement of the paper, in the words of its list, that this track or profile cannot test."""
        claim = claims_for_runs(KEY)[claim_id]
        self.ledger.not_attempted(artefact, claim, why, claim_id=claim_id, **rest)

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
        draws = max(self.plan.draws // 5, 20)
        return stats.cluster_bootstrap(statistic, *of, clusters=self._persons, seed=0, draws=draws)

    def _judged(self, artefact: str, row: str, column: str, found: Interval, **rest: Any) -> None:
        about, verdict = OVER_FACES.format(unit=self.unit), str(stats.verdict(found, 1))
        common: dict[str, Any] = {"interval": found, "about": about, "verdict": verdict}
        self.ledger.add(artefact, row, column, source="faces", n=len(self.affect), **common, **rest)

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

    def _over_networks(
        self,
        row: str,
        column: str,
        statistic: Callable[..., float],
        predicted: NDArray[np.float64],
        *of_faces: NDArray,
        **rest: Any,
    ) -> None:
        """What cleaning does to networks, `predicted` (n, seeds): over faces and seeds; one seed cannot tell."""
        n, seeds = predicted.shape
        arrays = predicted, *(np.repeat(of[:, None], seeds, axis=1) for of in of_faces)
        found: dict[str, Any] = {"interval": statistic(*arrays)}
        judged = Verdict.CANNOT_TELL
        if seeds > 1:
            clusters = self._persons
            interval = stats.crossed_bootstrap(
                statistic, *arrays, clusters=clusters, seed=0, draws=self.plan.draws
            )
            judged = stats.verdict(interval, 1)
            about = f"{OVER_FACES.format(unit=self.unit)} and {seeds} seeds"
            found = {"interval": interval, "about": about}
        verdict = str(judged) if rest.get("claim") else ""
        self.ledger.add("cleaning", row, column, source="faces", n=n, verdict=verdict, **found, **rest)

    @property
    def _persons(self) -> NDArray | None:
        """Of the test faces; None where every face is somebody's own."""
        return None if self.parts.faces.subject is None else self.parts.faces.subject[self.parts.test]

    def _printed(self, artefact: str, number: int, data: str) -> None:
        """Every cell as printed."""
        for (row, measure), printed in printed_cells(number).items():
            self.ledger.add(artefact, row, measure, source="", n=0, printed=printed, printed_on=data)


class Told(NamedTuple):
    """What the paper prints of two rows in one measure."""

    words: str  # "0.71 to 0.72", the second the one that is said to be better
    gain: float  # positive where it is
    place: float  # one unit of the last printed place


def printed_step(number: int, worse: str, better: str, measure: str) -> Told | None:
    """From one printed row of table `number` to another; None where one of them lacks the measure."""
    cells = printed_cells(number)
    if not {(worse, measure), (better, measure)} <= cells.keys():
        return None
    before, after = cells[worse, measure], cells[better, measure]
    gain = _sign(measure) * (parse(after).value - parse(before).value)
    return Told(f"{before} to {after}", gain, 2 * max(parse(cell).half_unit for cell in (before, after)))


def printed_ccc(number: int, worse: str, better: str) -> str:
    """`printed_step` of both CCC, in words."""
    steps = {d: printed_step(number, worse, better, f"CCC {d}") for d in AFFECT}
    return "; ".join(f"{d} {told.words}" for d, told in steps.items() if told)


def _claimed(told: Told | None, claim: str, claim_id: str, *, on: str = "AffectNet") -> dict[str, Any]:
    """The fields of a line that tests the claim, if the paper prints a gain here; else of a question of ours."""
    if told is None:
        return {}
    fields = {"printed": told.words, "printed_on": on}
    return fields | {"claim": claim, "claim_id": claim_id} if claim_id and told.gain > 0 else fields


def _printed_gain(entry: Entry) -> float:
    before, _, after = entry.printed.partition(" to ")
    return _sign(entry.column) * (parse(after).value - parse(before).value)


def _least(entry: Entry) -> float:
    return (entry.high - entry.low) / 2


def _said(entry: Entry) -> str:
    """A verdict as the tables show it, for a conclusion."""
    word = entry.verdict
    return f", {word}" if word else ""


@cache
def printed_cells(number: int) -> Mapping[tuple[str, str], str]:
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
    """CCC on the rows `use` less that on all: mean over networks, all arrays (n, seeds)."""
    networks = zip(predicted.T, target.T, use.T, strict=True)
    return float(np.mean([metrics.ccc(p[rows], t[rows]) - metrics.ccc(p, t) for p, t, rows in networks]))


def _nearer_the_truth(
    predicted: NDArray[np.float64],
    given: NDArray[np.float64],
    truth: NDArray[np.float64],
    use: NDArray[np.bool_],
) -> float:
    """How far CCC with the given labels is from that with the truth: of all rows, less that of the rows `use`.

    The mean over networks; all arrays (n, seeds).
    """

    def off(p: NDArray[np.float64], g: NDArray[np.float64], t: NDArray[np.float64]) -> float:
        return float(abs(metrics.ccc(p, g) - metrics.ccc(p, t)))

    networks = zip(predicted.T, given.T, truth.T, use.T, strict=True)
    return float(np.mean([off(p, g, t) - off(p[rows], g[rows], t[rows]) for p, g, t, rows in networks]))


def _smoothed(hard: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels (n, K) mixed with the even distribution, all by the one weight that brings them nearest to `share`."""
    towards = 1 / hard.shape[1] - hard
    weight = np.sum(towards * (share - hard)) / np.sum(towards**2)
    return hard + weight * towards


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
