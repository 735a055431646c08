"""neo2023: the grid of runs behind its artefacts, and every number of its page.

Labels are compared over seeds: runs of one seed share the wrong labels, the first weights, the order of the batches and
the augmentation, so differences are paired. Every difference is taken so that a positive one speaks for the claim; its
interval resamples the seeds and whatever test faces depend on: people, videos, or, where nobody knows them, the faces.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import entropy, norm, spearmanr
from scipy.stats import t as student
from statsmodels.stats.multitest import multipletests

from paperlib import calibration, metrics, stats
from paperlib.fusion import READINGS, class_weights, fit_label_parameters, inverse_distances, posterior
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, flip_labels
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.published import read_table, read_text
from paperlib.stats import Verdict
from paperlib.tasks.dual_domain import (
    Problem,
    explained,
    label_parameters,
    problem,
    regressor,
    training_affect,
    training_labels,
)
from paperlib.tracks import Track

KEY = "neo2023"
TASK = "paperlib.tasks.dual_domain:train"
KINDS = {"faces": "AffectNet", "videos": "Aff-Wild", "morphs": "MorphSet"}  # kind -> whose place it takes
ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES = "one-hot", "label smoothing", "Euclid", "GMM", "votes"
TABLE3 = (ONE_HOT, EUCLID, GMM)
LABELS = (ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES)
Measure = Callable[[NDArray[np.float64], NDArray[np.int64]], float]  # of log probabilities and right classes
CALIBRATION: Mapping[str, Measure] = {
    "ECE": calibration.calibration_error,
    "adaptive ECE": lambda log_p, label: calibration.calibration_error(log_p, label, adaptive=True),
    "overconfidence": calibration.overconfidence,
    "Brier": calibration.brier,
    "NLL": calibration.nll,
}
# Proper scores are means over faces, so differences of theirs can be judged: plain, scaled, and what scaling regains.
PROPER = ("Brier", "NLL")
SCALED, REGAINED = ", temperature", " that temperature takes away"
JUDGED = tuple(f"{score}{after}" for score in PROPER for after in ("", SCALED, REGAINED))
LEAVES_LESS = "leaves temperature scaling less to mend than"
FLIPS = (0.0, 0.1, 0.2, 0.3)
# condition -> what the training faces are labelled with
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"{round(100 * share)} %": {"labels": "consensus", "noise": share} for share in FLIPS},
    "natural": {"labels": "natural", "noise": 0.0},
}
AS_GIVEN = "as given"  # the split; always said, since `problem` remembers its arguments as they were written
CLEAN, NOISY, NATURAL = "0 %", "30 %", "natural"
ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
# The paper's noise leaves valence and arousal as they were labelled. These are as noisy as people, or as the label.
NOISY_AFFECT = ("one rater", "regressor", "goes with the label")
# The labels of this share must hurt before anything can withstand them, and what gives them must be weighted alike.
FLIPPED = "drawn with replacement; the new class may be the old"
GIVEN = "those given, wrong ones included"
WEIGHTS_ALIKE = 1.25  # largest W_k at two shares of noise, one over the other
POINT = 0.015  # what the text's "~1%" can round from
GROUPS = 200  # of faces whose people are unknown, resampled as wholes: as good as single faces, and faster
FLOOR_DRAWS = 20  # of labels from the predicted probabilities themselves
CAVEATS = {
    "twin": "**The data are generated.** *Faces* stand in for AffectNet: eight categories, skewed like the square "
    "root of its counts, test faces equally many of each; the category is what most of ten raters chose, "
    "valence and arousal the mean of their ratings, and the *natural* label one annotator's choice, a tenth "
    "of these replaced. *Videos* stand in for Aff-Wild: no category, so each frame gets the likeliest by the "
    "parameters of the faces; they are split by video, and people recur. *Morphs* stand in for MorphSet: seven "
    "categories, equally often, from neutral to apex. What holds here holds of the method on such faces, at this size "
    "of network and number of steps.\n\n"
    "**Three choices of its maker decide where fusion can win.** Valence and arousal of the videos are the truth "
    "itself, without noise, and their category is a function of them. Those of the morphs are the truth with hardly a "
    "scatter. And the people who label the faces mistake a category for those that lie near the face in the "
    "valence-arousal plane, the more the nearer: what a fused label assumes is the law by which these people "
    "disagree.\n\n"
    "**AffectNet has one annotator a picture.** So *as labelled*, the mean of ten people, is cleaner than AffectNet's "
    "valence and arousal. *One rater* is the counterpart in kind, but these raters are the twin's, and how far two of "
    "them differ stands in a table below; nothing here was set to AffectNet's agreement.",
    "ferplus": "**One half of each face's ten raters labels, the other half judges.** Nobody rated valence "
    "and arousal: they are the mean of the first half's votes, each placed on the circumplex. The category is "
    "the second half's sole winner; *natural* labels are those that FER2013 was published with. So no vote is on both "
    "sides, but note what fusion gets to see: five more people. *As labelled* is five other people's votes, and *one "
    "rater* a single vote, a second category put into the plane, and no rating. The label *votes* fuses the same five "
    "people's votes themselves. The test is as unequal as the faces are, and few show disgust or fear, so "
    "macro F1 is noisy. Subjects are unknown: people may recur. This page shows no picture of FER2013.",
}
PLAIN_L2 = "Euclid, plain L2"
# name -> label, and what is done otherwise: the readings of W_k, and none
WEIGHTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    PLAIN_L2: (EUCLID, {"l2_weighted": False}),
    "Euclid, weight per class": (EUCLID, {"weights": "class"}),
    "one-hot, no weights": (ONE_HOT, {"weights": "none", "l2_weighted": False}),
    "Euclid, no weights": (EUCLID, {"weights": "none", "l2_weighted": False}),
}


# statement of the paper -> the words for it where it is not tested
OF_TABLE4 = {
    "alpha-best": "alpha = 0.5 classifies best, with the lowest errors",
    "dimensional-alone": "The dimensional labels alone cost no more than a point and a half",
    "fusion-gain": "Fusion adds to accuracy and F1",
    "regression-affectnet": "Fusion lowers the errors of valence and arousal (faces)",
    "regression-morphset": "Fusion lowers the errors of valence and arousal (morphs)",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends on a kind. `paper` is the paper's own, with what it leaves open filled in and named."""

    backbone: str
    schedule: Mapping[str, Any]
    average_after: int  # epochs, of SWA
    reading: str  # of "within one standard deviation", see fusion.READINGS
    seeds: int = 3
    seeds_of_central: int = 5  # of what a claim of the paper is judged by
    pretrained: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track, kind: str) -> Protocol:
    """The protocol of the track's profile for one kind of faces."""
    # One vote of FER+ is one of seven points of the plane: nearly all that is left of a class lies on its own.
    reading = "all" if track.name == "ferplus" else "axis"
    adam = {"optimiser": "adam", "decay": 0.5}
    if track.profile == "paper":
        from paperlib.models.backbones import weights_available

        # Not given by the paper: where SWA starts (torch's example: after three quarters), and the first weights.
        schedule = adam | {"learning_rate": 2.5e-4, "decay_every": 30, "batch": 256, "epochs": 50}
        available = weights_available("resnet18")
        return Protocol(
            backbone="resnet18",
            schedule=schedule,
            average_after=37,
            reading=reading,
            pretrained=available,
            draws=5000,
        )
    epochs, batch = {"faces": (10, 64), "videos": (12, 32), "morphs": (8, 64)}[kind]
    if track.name != "twin":
        epochs = 6
    elif track.brief:
        epochs = 2
    if track.profile == "smoke":
        epochs = 2
    schedule = adam | {
        "learning_rate": 2e-3,
        "decay_every": (epochs + 1) // 2,
        "batch": batch,
        "epochs": epochs,
    }
    few = track.profile == "smoke"
    return Protocol(
        backbone="tiny_resnet",
        schedule=schedule,
        average_after=epochs * 2 // 3,
        reading=reading,
        seeds=2 if few else 3,
        seeds_of_central=2 if few else 5 if track.name == "twin" and not track.brief else 3,
        draws=100 if few else 400 if track.brief else 1000,
    )


def tuning_condition(track: Track) -> str:
    """Where alpha is varied: on the labels that a data set comes with, which for FER+'s faces are FER2013's."""
    return NATURAL if track.name == "ferplus" else CLEAN


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open, what its first author's later code (dexterdley/FER_C) does, and this page."""
    plan = protocol(track, kinds(track)[0])
    first = "ImageNet's" if plan.pretrained else "random"
    reading = f"reading “{plan.reading}” below"
    if plan.reading == "all":
        reading += ": of single votes the others leave no spread"
    averaged = f"after {plan.average_after} epochs, as scheduled"
    one_rater = "untouched, and three noisy ones"
    rows = [
        (
            "how labels are flipped",
            "“randomly flipped to other classes”",
            FLIPPED,
            "exact count, another class",
        ),
        (
            "W_k under wrong labels",
            "not said",
            "from the counts of right labels",
            "from the counts of given labels",
        ),
        (
            "labels that the Gaussians are fitted on",
            "not said, under noise",
            "right ones, kept with the data",
            GIVEN,
        ),
        (
            "class of W_k",
            "not said for soft labels",
            "each class's own",
            "the given label's; per class in figure 5",
        ),
        ("distance in eq. 3", "squared", "not squared (a helper that its training does not call)", "squared"),
        ("“within one standard deviation”", "not explained", "per axis, one pass", reading),
        ("priors of the classes", "“computed directly”", "all faces of a class", "as there"),
        (
            "eq. 3 at a class's mean",
            "division by zero",
            "division by zero",
            "its limit: all belongs to that class",
        ),
        ("eq. 7: sum or mean", "neither", "mean", "mean"),
        ("classes of Aff-Wild", "not said", "7", "as many as the parameters have: 8 of AffectNet's"),
        ("W_k for Aff-Wild", "not said", "none", "none on Aff-Wild; on the twin's videos as elsewhere"),
        ("valence and arousal under noise", "only categories are flipped", "untouched", one_rater),
        ("first weights", "not said", "ImageNet's", first),
        ("range of valence and arousal", "not said", "tanh", "not bounded"),
        ("SWA: first epoch, learning rate", "not said", "none: the epoch of best validation F1", averaged),
        (
            "Aff-Wild: 80-20 of what",
            "“videos”",
            "frames at random for validation",
            "videos; frames beside it",
        ),
        ("F1's average", "not said", "macro", "macro"),
        ("which label is “Ours”", "not said", "", "each"),
        ("seeds", "one, not given", "0", f"0 to {plan.seeds_of_central - 1}"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "later code", "this page"])


def kinds(track: Track) -> list[str]:
    """The kinds of faces that the track has, with what fusion needs. The brief twin has no videos, for time."""
    left = "videos" if track.brief and track.name == "twin" else ""
    found = {kind: track.of_kind(kind) for kind in KINDS if kind != left}
    return [
        k
        for k, faces in found.items()
        if faces is not None
        and np.isfinite(faces.affect).any()
        and (k == "videos" or faces.expression is not None)
    ]


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str, str], list[Run]]:
    """The runs of every artefact by (kind, condition, label); `seeds` replaces the profile's number."""
    runs: dict[tuple[str, str, str], list[Run]] = {}

    def add(kind: str, condition: str, name: str, count: int, **changes: Any) -> None:
        plan = protocol(track, kind)
        # By AffectNet's priors a rare class may be the likeliest of no frame at all, and eq. 5 then has no weight.
        weighted = track.name != "affwild"
        settings = {
            "kind": kind,
            "split": AS_GIVEN,
            "affect": "as labelled",
            "reading": plan.reading,
            "method": name,
            "alpha": 0.5,
            "weights": "sample" if weighted else "none",
            "l2_weighted": weighted,
            "backbone": plan.backbone,
            "pretrained": plan.pretrained,
            "schedule": plan.schedule,
            "average_after": plan.average_after,
        }
        settings |= dict(CONDITIONS[condition]) | changes
        data = problem(track, kind, settings["split"]).fingerprint
        runs[kind, condition, name] = [
            Run(task=TASK, track=track, data=data, settings=settings, seed=s) for s in range(seeds or count)
        ]

    for kind in kinds(track):
        parts, plan = problem(track, kind, AS_GIVEN), protocol(track, kind)
        # on the twin these are one annotator's, which le2023's page has too; on FER+ they are what is in question
        brief = track.brief and track.name == "twin"
        natural = [NATURAL] if parts.natural is not None and not brief else []
        for condition in (*natural, CLEAN, NOISY):
            for method in TABLE3:
                add(kind, condition, method, plan.seeds_of_central)
        if track.brief:
            continue
        for condition in ("10 %", "20 %") if track.name != "ferplus" else ():
            for method in TABLE3:
                add(kind, condition, method, plan.seeds)
        if kind == "videos":
            for method in TABLE3:
                add(kind, CLEAN, f"{method}, by frame", plan.seeds, method=method, split="by frame")
            continue
        for alpha in (a for a in ALPHAS if a not in (0.5, 1.0)):  # these are table 3's fusion and one-hot
            name = f"alpha = {alpha:g}"
            add(kind, tuning_condition(track), name, plan.seeds_of_central, method=EUCLID, alpha=alpha)
        if kind != "faces":
            continue
        for condition in (*natural, CLEAN, NOISY):
            add(kind, condition, SMOOTHED, plan.seeds_of_central)
            if parts.votes is not None:
                add(kind, condition, VOTES, plan.seeds)
        known = NOISY_AFFECT if parts.rater is not None else NOISY_AFFECT[2:]
        for condition in (*natural, NOISY):
            for affect in known:
                # one-hot too: the noisy places are the regression target as well, whatever the label
                for method in TABLE3:
                    add(kind, condition, f"{method}, {affect}", plan.seeds, method=method, affect=affect)
        for name, (method, changes) in WEIGHTS.items():
            claimed = name == PLAIN_L2
            add(kind, CLEAN, name, plan.seeds_of_central if claimed else plan.seeds, method=method, **changes)
        if parts.rater is not None:
            settings = runs[kind, NOISY, f"{GMM}, regressor"][0].settings
            runs[kind, "", "regressor"] = [regressor(track, settings)]
    return dict(sorted(runs.items(), key=lambda item: item[0][2] != "regressor"))


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads, to be kept in the repository.

    Of labels whose calibration is not asked for, the likeliest class takes the place of the probabilities.
    """
    kept = []
    for r in results:
        s, arrays = r.run.settings, dict(r.arrays)
        if "method" in s:
            plain = (s["affect"], s["alpha"], s["weights"], s["l2_weighted"], s["split"])
            table3 = plain == ("as labelled", 0.5, "sample", True, AS_GIVEN) and s["noise"] in (
                0.0,
                FLIPS[-1],
            )
            if not (table3 and s["kind"] == "faces"):
                named = arrays["log_probability"].argmax(axis=1)
                arrays["log_probability"] = np.eye(arrays["log_probability"].shape[1], dtype=np.int8)[named]
                del arrays["validation"]
            if not (table3 and s["method"] in TABLE3 and s["labels"] == "consensus"):
                del arrays["attention"]
            if s["noise"] or s["labels"] == "natural" or s["split"] != AS_GIVEN:
                del arrays["affect"]  # errors are shown of right labels only
        kept.append(replace(r, arrays=arrays))
    return kept


@dataclass
class Study:
    """All of the paper's runs on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"neo2023 learns categories with valence and arousal; track {self.track.name} has not both"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        self.kinds = kinds(self.track)
        self.ledger = Ledger(
            KEY, self.track, {k: self.parts(k).fingerprint for k in self.kinds}, self.results
        )

    def parts(self, kind: str, split: str = AS_GIVEN) -> Problem:
        return problem(self.track, kind, split)

    @property
    def main(self) -> str:
        """The kind that the artefacts on one data set are shown for: faces where there are any."""
        return self.kinds[0]

    def conditions(self, kind: str, *names: str) -> list[str]:
        """The conditions under which the kind was trained on all these labels, by rising noise, natural last."""
        return [c for c in CONDITIONS if all((kind, c, n) in self.results for n in names or TABLE3)]

    def settings(self, kind: str, condition: str, name: str = GMM) -> Mapping[str, Any]:
        return self.results[kind, condition, name][0].run.settings

    def scores(
        self, kind: str, condition: str, name: str, measure: Measure, *, split: str = AS_GIVEN
    ) -> list[float]:
        """A measure of (log probabilities, right classes) on the test faces, one a seed."""
        parts = self.parts(kind, split)
        label = parts.label[parts.test]
        return [
            measure(r["log_probability"].astype(np.float64), label)
            for r in self.results[kind, condition, name]
        ]

    def errors(
        self, kind: str, condition: str, name: str, rows: NDArray | None = None
    ) -> list[NDArray[np.float64]]:
        """RMSE of valence and arousal, one pair a seed, over the test faces, or those in the mask `rows`."""
        parts = self.parts(kind)
        truth = parts.judged[parts.test]
        use = np.isfinite(truth).all(axis=1) & (True if rows is None else rows)
        return [metrics.rmse(r["affect"][use], truth[use]) for r in self.results[kind, condition, name]]

    # sums over the test faces of each unit, for intervals that resample units and seeds: (units, S, ...)

    def units(self, kind: str) -> tuple[NDArray[np.int64], str]:
        """The unit of each test face, 0 to G - 1, and what they are: faces of one person are not independent."""
        parts = self.parts(kind)
        if parts.subject is not None:
            names, unit = np.unique(parts.subject[parts.test], return_inverse=True)
            return unit, f"{len(names)} {'videos' if kind == 'videos' else 'people'}"
        count = min(GROUPS, len(parts.test))
        return np.arange(len(parts.test)) % count, f"{count} groups of faces"

    def counts(self, kind: str, condition: str, name: str) -> NDArray[np.float64]:
        """Per class the faces that are it and named so, named so, and that are it: (units, S, K, 3)."""
        parts, unit = self.parts(kind), self.units(kind)[0]
        label, k, g = parts.label[parts.test], len(parts.classes), unit.max() + 1
        found = []
        for r in self.results[kind, condition, name]:
            named = r["log_probability"].argmax(axis=1)
            right = named == label
            cells = (unit * k + label)[right], unit * k + named, unit * k + label
            found.append(np.stack([np.bincount(c, minlength=g * k).reshape(g, k) for c in cells], axis=-1))
        return np.stack(found, axis=1).astype(np.float64)

    def squares(
        self, kind: str, condition: str, name: str, dimension: int, rows: NDArray | None = None
    ) -> NDArray[np.float64]:
        """Squared errors of valence (0) or arousal (1), in the mask `rows`, and how many: (units, S, 2)."""
        parts = self.parts(kind)
        truth = parts.judged[parts.test][:, dimension]
        use = np.isfinite(truth) & (True if rows is None else rows)
        each = [
            np.where(use, r["affect"][:, dimension] - truth, 0).astype(np.float64) ** 2
            for r in self.results[kind, condition, name]
        ]
        return self._sums(kind, each, use)

    def _sums(self, kind: str, each: Sequence[NDArray], use: NDArray | None = None) -> NDArray[np.float64]:
        """Values of the test faces, one array a seed, and how many they are: (units, S, 2)."""
        unit = self.units(kind)[0]
        n = np.bincount(unit, None if use is None else use.astype(np.float64))
        return np.stack([np.stack([np.bincount(unit, values), n], axis=-1) for values in each], axis=1)

    def _compare(
        self,
        kind: str,
        artefact: str,
        row: str,
        column: str,
        of: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        *sides: NDArray[np.float64],
        beyond: float = 0.0,
        about: str = "",
        moved: str = "",
        judged: bool = True,
        n: int | None = None,
        **rest: Any,
    ) -> Entry:
        """A measure `of` the first side's sums less that of the second, the third's added, and so on; with a verdict.

        One value a seed that all sides have; `beyond` is added. The interval resamples units and seeds together.
        `moved` is why the row cannot say what its claim asks, whatever its interval; no verdict unless `judged`.
        """
        seeds = min(side.shape[1] for side in sides)
        arrays = [side[:, :seeds].astype(np.float64) for side in sides]

        def difference(*drawn: NDArray[np.float64]) -> NDArray[np.float64]:
            signed = [(-1) ** i * of(part.sum(axis=0)) for i, part in enumerate(drawn)]
            return beyond + np.sum(signed, axis=0)

        interval, over, word = None, "", str(Verdict.CANNOT_TELL)
        if seeds > 1:
            draws = protocol(self.track, kind).draws
            interval = stats.crossed_bootstrap(
                lambda *drawn: float(difference(*drawn).mean()), *arrays, clusters=None, seed=0, draws=draws
            )
            over = f"95 % bootstrap over {about or self.units(kind)[1]} and {seeds} seeds"
            word = str(stats.verdict(interval, 1))
        return self.ledger.add(
            artefact,
            row,
            column,
            values=[float(v) for v in difference(*arrays)],
            interval=interval,
            about=over,
            verdict="" if not judged else f"{Verdict.CANNOT_TELL}: {moved}" if moved else word,
            source=kind,
            n=len(self.parts(kind).test) if n is None else n,
            **rest,
        )

    def parameters(self) -> ArtefactTable:
        """What is left open in the class Gaussians, by what it does to the labels: no network is trained."""
        kind = self.main
        parts, settings = self.parts(kind), self.settings(kind, CLEAN)
        rows = parts.train
        for reading in READINGS if parts.parameters is None else (parts.parameters.reading,):
            try:
                fitted = label_parameters(self.track, {**settings, "reading": reading}, 0)
            except ValueError as error:
                why = f"{Verdict.NOT_ATTEMPTED}: {error}"
                self.ledger.add("parameters", f"eq. 2, {reading}", "", source="", n=0, verdict=why)
                continue
            self._labels(f"eq. 2, {reading}", posterior(fitted, parts.affect[rows]), parts.label[rows])
        fitted = label_parameters(self.track, settings, 0)
        self._labels("eq. 3", inverse_distances(parts.affect[rows], fitted.mean), parts.label[rows])
        self._derived(posterior(fitted, parts.affect[rows]))
        return self.ledger.table("parameters")

    def _derived(self, mixed: NDArray[np.float64]) -> None:
        """Do valence and arousal know the category, and how far people disagree on it?"""
        parts, claim_id = self.parts(self.main), "from-affect"
        label = parts.label[parts.train]
        claim = "Valence and arousal name the category more often than always naming the commonest would"
        if parts.parameters is not None:
            why = "the categories were made of valence and arousal"
            self.ledger.not_attempted("parameters", claim, why, claim_id=claim_id)
            return
        commonest = label == np.bincount(label).argmax()
        gain = 100 * ((mixed.argmax(axis=1) == label) - commonest.astype(np.float64))
        row, column = "eq. 2 - always the commonest category", "% whose likeliest class is the category"
        self._over_faces(row, column, np.mean, gain, claim=claim, claim_id=claim_id)
        if parts.votes is None:
            return
        people = entropy(parts.votes[parts.train], base=2, axis=1)
        # on FER+ valence and arousal are made of these very votes
        own = self.track.name != "ferplus"
        claim = "The more people disagree on the category, the more mixed is the label of valence and arousal"
        told: dict[str, Any] = {"claim": claim, "claim_id": claim_id} if own else {}

        def together(a: NDArray, b: NDArray) -> float:
            return float(spearmanr(a, b).statistic)

        row = "eq. 2 and the people's votes" if own else "eq. 2 and the very votes that the place is made of"
        mixedness = entropy(mixed, base=2, axis=1)
        self._over_faces(row, "rank correlation of entropies", together, mixedness, people, **told)

    def _over_faces(
        self, row: str, column: str, statistic: Callable[..., Any], *arrays: NDArray, **told: Any
    ) -> None:
        """A statistic of the training faces, with a bootstrap interval over their people."""
        parts = self.parts(self.main)
        people = None if parts.subject is None else parts.subject[parts.train]
        draws = protocol(self.track, self.main).draws
        found = stats.cluster_bootstrap(statistic, *arrays, clusters=people, seed=0, draws=draws)
        about = (
            f"95 % bootstrap over {'training faces' if people is None else 'people of the training faces'}"
        )
        verdict = str(stats.verdict(found, 1))
        self.ledger.add(
            "parameters",
            row,
            column,
            source=self.main,
            n=len(arrays[0]),
            interval=found,
            about=about,
            verdict=verdict,
            **told,
        )

    def later_code(self) -> ArtefactTable:
        """What this page's choices under wrong labels change, against the later code's; no network is trained."""
        kind = self.main
        seeds = range(protocol(self.track, kind).seeds)
        for share in FLIPS[1:]:
            found: dict[str, list[dict[str, float]]] = {"as here": [], "as in the later code": []}
            for seed in seeds:
                for whose, values in found.items():
                    values.append(self._under_noise(kind, share, seed, here=whose == "as here"))
            for whose, values in found.items():
                for column in values[0]:
                    row = f"{round(100 * share)} %, {whose}"
                    each = [v[column] for v in values]
                    self.ledger.over_seeds(
                        "later_code", row, column, each, source=kind, n=len(self.parts(kind).train)
                    )
        return self.ledger.table("later_code")

    def _under_noise(self, kind: str, share: float, seed: int, *, here: bool) -> dict[str, float]:
        """Labels, weights and mixed labels of the training faces at a nominal share of noise, by either code."""
        parts = self.parts(kind)
        settings = {**self.settings(kind, CLEAN), "labels": "consensus", "noise": share}
        given, right = training_labels(self.track, settings, seed)
        k, affect = len(parts.classes), parts.affect[parts.train]
        if not here:
            rng = np.random.default_rng(seed)
            given, rows = right.copy(), rng.integers(len(right), size=int(share * len(right)))
            given[rows] = rng.integers(k, size=len(rows))
        counted = given if here else right
        fitted = parts.parameters or fit_label_parameters(
            affect, counted, classes=parts.classes, source=kind, reading=settings["reading"]
        )
        squared = inverse_distances(affect, fitted.mean)
        euclid = squared if here else np.sqrt(squared) / np.sqrt(squared).sum(axis=1, keepdims=True)
        wrong = np.flatnonzero(given != right)
        found = {
            "% of labels that are wrong": 100 * len(wrong) / len(right),
            "largest W_k": float(class_weights(counted, classes=k).max()),
        }
        for name, mixed in ((GMM, posterior(fitted, affect)), (EUCLID, euclid)):
            found[f"{name}: largest probability"] = float(mixed.max(axis=1).mean())
            found[f"{name}: right class of wrong labels"] = float(mixed[wrong, right[wrong]].mean())
        return found

    def agreement(self) -> ArtefactTable:
        """How far two of the people who rated valence and arousal differ, where single ratings are known."""
        faces = self.track.of_kind(self.main)
        if faces is None or faces.ratings is None:
            self.ledger.not_attempted("agreement", "", "no single ratings of valence and arousal are known")
            return self.ledger.table("agreement")
        for j, dimension in enumerate(AFFECT):
            ratings = faces.ratings[:, :, j].astype(np.float64)
            apart = np.sqrt(2 * np.nanmean(stats.observed_variance(ratings)))
            known = {"RMSE": float(apart), "correlation (ICC 1)": stats.icc1(ratings)}
            # nobody rated FER+'s: see `paperlib.data.ferplus.votes_to_ratings`
            row = (
                "two of the raters" if self.track.name != "ferplus" else "two votes, each put into the plane"
            )
            for column, value in known.items():
                self.ledger.add(
                    "agreement",
                    row,
                    f"{column} {dimension}",
                    source=self.main,
                    n=len(ratings),
                    interval=value,
                )
        return self.ledger.table("agreement")

    def _labels(self, row: str, mixed: NDArray[np.float64], label: NDArray) -> None:
        for column, values in (
            ("% whose likeliest class is the category", 100 * (mixed.argmax(axis=1) == label)),
            ("largest probability", mixed.max(axis=1)),
            ("entropy", entropy(mixed, base=2, axis=1)),
        ):
            unit = "bits" if column == "entropy" else ""
            mean = float(np.mean(values))
            self.ledger.add(
                "parameters", row, column, source=self.main, n=len(label), interval=mean, unit=unit
            )

    def table1(self) -> ArtefactTable:
        """Table 1: the printed scores, with ours on this track's faces."""
        return self._benchmark("table1", 1, {"accuracy": accuracy, "F1": macro_f1})

    def table2(self) -> ArtefactTable:
        """Table 2: the printed errors and concordance of valence and arousal, with ours on this track's faces."""
        kind, parts = self.main, self.parts(self.main)
        truth = parts.judged[parts.test]
        use = np.isfinite(truth).all(axis=1)
        self._printed("table2", 2)
        for method in TABLE3:
            for name, measure in (("RMSE", metrics.rmse), ("CCC", metrics.ccc)):
                found = [measure(r["affect"][use], truth[use]) for r in self.results[kind, CLEAN, method]]
                for j, dimension in enumerate(AFFECT):
                    values = [float(pair[j]) for pair in found]
                    self._add(kind, "table2", f"ours, {method}", f"{name} {dimension}", values)
        return self.ledger.table("table2")

    def _benchmark(self, artefact: str, number: int, measures: Mapping[str, Measure]) -> ArtefactTable:
        self._printed(artefact, number)
        for method in TABLE3:
            for column, measure in measures.items():
                values = [100 * v for v in self.scores(self.main, CLEAN, method, measure)]
                self._add(self.main, artefact, f"ours, {method}", column, values, unit="%")
        return self.ledger.table(artefact)

    def _printed(self, artefact: str, number: int) -> None:
        """Every cell as printed, on AffectNet."""
        for _, cell in read_table(KEY, number).iterrows():
            column, printed = _column(cell["quantity"], cell["dimension"]), cell["printed"]
            self.ledger.add(
                artefact, cell["row"], column, source="", n=0, printed=printed, printed_on="AffectNet"
            )

    def table3(self) -> ArtefactTable:
        """Table 3: macro F1 over wrong labels, for three labels on each kind of faces; and what fusion gains.

        A claim is of the variant that the paper's table has ahead at that share; the other's rows ask for us.
        """
        printed = read_table(KEY, 3)
        for kind in self.kinds:
            for condition in self.conditions(kind):
                for method in TABLE3:
                    self._add(
                        kind,
                        "table3",
                        f"{kind}, {condition}: {method}",
                        "F1",
                        self.f1(kind, condition, method),
                        printed=_cell(printed, KINDS[kind], condition, method),
                        printed_on=KINDS[kind],
                        results=self.results[kind, condition, method],
                    )
            sums = {(c, m): self.counts(kind, c, m) for c, m in product(self.conditions(kind), TABLE3)}
            row = f"{kind}: {ONE_HOT}, 0 % - 30 %"
            harm = self._compare(kind, "table3", row, "F1", _f1, sums[CLEAN, ONE_HOT], sums[NOISY, ONE_HOT])
            for condition in self.conditions(kind):
                for method in (EUCLID, GMM):
                    self._robustness(kind, condition, method, sums, harm)
            for method in (EUCLID, GMM):
                self._growth(kind, method, sums, harm)
            for condition in self.conditions(kind):
                row = f"{kind}, {condition}: {GMM} - {EUCLID}"
                self._compare(kind, "table3", row, "F1", _f1, sums[condition, GMM], sums[condition, EUCLID])
        self._without_weights()
        return self.ledger.table("table3")

    def _robustness(
        self, kind: str, condition: str, method: str, sums: Mapping[Any, NDArray], harm: Entry
    ) -> None:
        """What fusion gains over one-hot at one share of noise."""
        claim, claim_id, why = "", "", ""
        difference = _printed_gain(KINDS[kind], condition, method)
        if condition != NATURAL and method == _ahead(KINDS[kind], condition):
            if condition != CLEAN:
                claim = f"Fusion ({method}) withstands {condition} wrong labels better than one-hot ({kind})"
                claim_id, why = "noise-robust", "" if harm.ahead else _unharmed(harm)
            elif difference > 0:
                claim = f"Fusion ({method}) classifies better without wrong labels too ({kind})"
                claim_id = "clean-marginal"
        told: dict[str, Any] = {"claim": claim, "claim_id": claim_id} if claim else {}
        if condition != NATURAL:
            told |= {"printed": f"{difference:+.4f}", "printed_on": KINDS[kind]}
        row = f"{kind}, {condition}: {method} - {ONE_HOT}"
        self._compare(
            kind,
            "table3",
            row,
            "F1",
            _f1,
            sums[condition, method],
            sums[condition, ONE_HOT],
            moved=why,
            **told,
        )

    def _growth(self, kind: str, method: str, sums: Mapping[Any, NDArray], harm: Entry) -> None:
        """What fusion gains with 30 % wrong labels beyond what it gains with none."""
        data = KINDS[kind]
        claimed = method == _ahead(data, NOISY)
        claim = f"Fusion ({method}) gains more with 30 % wrong labels than with none ({kind})"
        clean, noisy = (self.largest_weight(kind, c) for c in (CLEAN, NOISY))
        why = "" if harm.ahead else _unharmed(harm)
        if max(clean, noisy) > WEIGHTS_ALIKE * min(clean, noisy):
            changed = f"the largest W_k changes from {clean:.1f} to {noisy:.1f} with the labels"
            why = f"{why}; {changed}" if why else changed
        growth = _printed_gain(data, NOISY, method) - _printed_gain(data, CLEAN, method)
        told: dict[str, Any] = {"printed": f"{growth:+.4f}", "printed_on": data}
        if claimed:
            told |= {"claim": claim, "claim_id": "gains-grow"}
        sides = (sums[NOISY, method], sums[NOISY, ONE_HOT], sums[CLEAN, method], sums[CLEAN, ONE_HOT])
        row = f"{kind}: gain of {method}, 30 % - 0 %"
        noisy_gain, noisy_base, clean_gain, clean_base = sides
        self._compare(
            kind,
            "table3",
            row,
            "F1",
            _f1,
            noisy_gain,
            noisy_base,
            clean_base,
            clean_gain,
            moved=why if claimed else "",
            **told,
        )

    def largest_weight(self, kind: str, condition: str) -> float:
        """The largest W_k of the given labels, mean over seeds; 1 where nothing is weighted."""
        group = self.results[kind, condition, ONE_HOT]
        if group[0].run.settings["weights"] == "none":
            return 1.0
        k = len(self.parts(kind).classes)
        given = [training_labels(self.track, r.run.settings, r.run.seed)[0] for r in group]
        return float(np.mean([class_weights(labels, classes=k).max() for labels in given]))

    def _without_weights(self) -> None:
        """What W_k does to the baseline and to the gain over it, on right labels."""
        kind, names = self.main, ("one-hot, no weights", "Euclid, no weights")
        if (kind, CLEAN, names[0]) not in self.results:
            return
        one_hot, euclid = (self.counts(kind, CLEAN, name) for name in names)
        weighted, gmm = (self.counts(kind, CLEAN, name) for name in (ONE_HOT, GMM))
        for row, a, b in (
            (f"{kind}, 0 %, no weights: {EUCLID} - {ONE_HOT}", euclid, one_hot),
            (f"{kind}, 0 %: {ONE_HOT} without weights - with", one_hot, weighted),
            (f"{kind}, 0 %: {GMM} with weights - {ONE_HOT} without", gmm, one_hot),
        ):
            for column, of in (("F1", _f1), ("accuracy", _accuracy)):
                self._compare(kind, "table3", row, column, of, a, b)

    def f1(self, kind: str, condition: str, name: str, *, split: str = AS_GIVEN) -> list[float]:
        """Macro F1, one a seed, as a share like the paper's table 3."""
        return self.scores(kind, condition, name, macro_f1, split=split)

    def gain(self, kind: str, condition: str, name: str, over: str = ONE_HOT) -> list[float]:
        return _less(self.f1(kind, condition, name), self.f1(kind, condition, over))

    def label_quality(self) -> ArtefactTable:
        """What the mixed labels know of wrongly labelled training faces, before any network learns."""
        for kind in self.kinds:
            for condition in self.conditions(kind):
                if condition in (NOISY, NATURAL):
                    for affect in ("as labelled", *NOISY_AFFECT):
                        if affect == "as labelled" or (kind, condition, f"{GMM}, {affect}") in self.results:
                            self._knowledge(kind, condition, affect)
        return self.ledger.table("label_quality")

    def _knowledge(self, kind: str, condition: str, affect: str) -> None:
        name = GMM if affect == "as labelled" else f"{GMM}, {affect}"
        found: dict[str, list[float]] = {}
        for r in self.results[kind, condition, name]:
            settings = r.run.settings
            given, right = training_labels(self.track, settings, r.run.seed)
            wrong = np.flatnonzero(given != right)
            places = training_affect(self.track, settings, r.run.seed)[wrong]
            fitted = label_parameters(self.track, settings, r.run.seed)
            for method, mixed in (
                (GMM, posterior(fitted, places)),
                (EUCLID, inverse_distances(places, fitted.mean)),
            ):
                named = mixed.argmax(axis=1)
                found.setdefault(f"{method}: % named right", []).append(
                    100 * float((named == right[wrong]).mean())
                )
                found.setdefault(f"{method}: % named as given", []).append(
                    100 * float((named == given[wrong]).mean())
                )
        drawn = CONDITIONS[condition]["labels"] != "natural" or affect == NOISY_AFFECT[-1]
        for column, values in found.items():
            row = f"{kind}, {condition}: {affect}"
            common: dict[str, Any] = {"source": kind, "n": len(wrong), "unit": "%"}
            if drawn:
                self.ledger.over_seeds("label_quality", row, column, values, **common)
            else:  # the same for every seed: an interval over seeds would have no width
                self.ledger.add("label_quality", row, column, interval=values[0], **common)

    def noisy_affect(self) -> ArtefactTable:
        """Table 3 again, with valence and arousal that are noisy too, for both sides: what remains of the gain?"""
        kind, artefact = self.main, "noisy_affect"
        for condition in [c for c in self.conditions(kind) if c in (NOISY, NATURAL)]:
            one_hot = self.counts(kind, condition, ONE_HOT)
            for affect in ("as labelled", *NOISY_AFFECT):
                name = {m: m if affect == "as labelled" else f"{m}, {affect}" for m in TABLE3}
                if not all((kind, condition, n) in self.results for n in name.values()):
                    continue
                for method in TABLE3:
                    row = f"{condition}, {affect}: {method}"
                    self._add(kind, artefact, row, "F1", self.f1(kind, condition, name[method]))
                base = self.counts(kind, condition, name[ONE_HOT])
                for method in (EUCLID, GMM):
                    row = f"{condition}, {affect}: {method} - {ONE_HOT}"
                    ours = self.counts(kind, condition, name[method])
                    self._compare(kind, artefact, row, "F1", _f1, ours, base)
                if affect != "as labelled":
                    row = f"{condition}: {ONE_HOT}, {affect} - as labelled"
                    self._compare(kind, artefact, row, "F1", _f1, base, one_hot)
            for name_of in (VOTES, SMOOTHED):
                if (kind, condition, name_of) in self.results:
                    row = f"{condition}: {name_of} - {ONE_HOT}"
                    ours = self.counts(kind, condition, name_of)
                    self._compare(kind, artefact, row, "F1", _f1, ours, one_hot)
        return self.ledger.table(artefact)

    def splits(self) -> ArtefactTable:
        """Aff-Wild's 80-20 split by video, and by frame: how much of a score is having seen the video?"""
        names = {method: f"{method}, by frame" for method in TABLE3}
        if ("videos", CLEAN, names[ONE_HOT]) not in self.results:
            self.ledger.not_attempted("splits", "", self.track.no_time)
            return self.ledger.table("splits")
        for method, name in names.items():
            video, frame = self.f1("videos", CLEAN, method), self.f1("videos", CLEAN, name, split="by frame")
            self._add("videos", "splits", f"{method}, by video", "F1", video)
            self._add("videos", "splits", f"{method}, by frame", "F1", frame)
            self._add("videos", "splits", f"{method}: by frame - by video", "F1", _less(frame, video))
        return self.ledger.table("splits")

    def table4(self) -> ArtefactTable:
        """Table 4: alpha from the dimensional labels alone (0) to the categories alone (1)."""
        condition, printed = tuning_condition(self.track), read_table(KEY, 4)
        name = {a: {0.5: EUCLID, 1.0: ONE_HOT}.get(a, f"alpha = {a:g}") for a in ALPHAS}
        for kind in [k for k in self.kinds if (k, condition, name[0.0]) in self.results]:
            under = "" if condition == CLEAN else f", {condition} wrong labels"
            for a in ALPHAS:
                for column, values in self._row_of_table4(kind, condition, name[a]).items():
                    cell = _alpha_cell(printed, KINDS[kind], a, column)
                    row = f"{kind}{under}: alpha = {a:g}"
                    self._add(kind, "table4", row, column, values, printed=cell, printed_on=KINDS[kind])
            self._alphas(kind, condition, under, name)
            for j, dimension in enumerate(AFFECT):
                self._errors_of_alphas(kind, condition, under, name, j, dimension)
        why = self.track.no_time if self.track.brief else "there are no such faces"
        for claim_id, claim in OF_TABLE4.items():
            if claim_id not in {e.claim_id for e in self.ledger.entries}:
                self.ledger.not_attempted("table4", claim, why, claim_id=claim_id)
        return self.ledger.table("table4")

    def _alphas(self, kind: str, condition: str, under: str, name: Mapping[float, str]) -> None:
        """Classification at 0.5 against every other alpha, and at 0 against 1: plainly, and with the paper's margin."""
        counts = {a: self.counts(kind, condition, n) for a, n in name.items()}
        for column, of in (("F1", _f1), ("accuracy", _accuracy)):
            for a in (0.0, 0.3, 0.7):
                claim = f"alpha = 0.5 has the better {column} than {a:g} ({kind})"
                self._compare(
                    kind,
                    "table4",
                    f"{kind}{under}: alpha = 0.5 - alpha = {a:g}",
                    column,
                    of,
                    counts[0.5],
                    counts[a],
                    claim=claim,
                    claim_id="alpha-best",
                    **_printed_alphas(KINDS[kind], 0.5, a, column),
                )
            self._compare(
                kind,
                "table4",
                f"{kind}{under}: alpha = 0.5 - alpha = 1",
                column,
                of,
                counts[0.5],
                counts[1.0],
                claim=f"Fusion adds to {column} ({kind})",
                claim_id="fusion-gain",
                **_printed_alphas(KINDS[kind], 0.5, 1.0, column),
            )
            words = f"The dimensional labels alone cost no more than a point and a half of {column} ({kind})"
            claimed: dict[str, Any] = {"claim": words, "claim_id": "dimensional-alone"}
            sides: tuple[tuple[str, float, dict[str, Any]], ...] = (
                ("alpha = 1", 0.0, {}),
                ("(alpha = 1 less 1.5 points)", POINT, claimed),
            )
            for alone, beyond, told in sides:
                self._compare(
                    kind,
                    "table4",
                    f"{kind}{under}: alpha = 0 - {alone}",
                    column,
                    of,
                    counts[0.0],
                    counts[1.0],
                    beyond=beyond,
                    **told,
                    **_printed_alphas(KINDS[kind], 0.0, 1.0, column, beyond=beyond),
                )

    def _errors_of_alphas(
        self, kind: str, condition: str, under: str, name: Mapping[float, str], j: int, dimension: str
    ) -> None:
        """Errors at every other alpha against 0.5."""
        column = f"RMSE {dimension}"
        best = self.squares(kind, condition, EUCLID, j)
        regression = f"regression-{KINDS[kind].lower()}"
        for a in (0.0, 0.3, 0.7, 1.0):
            claim = f"The error of {dimension} is lower at alpha = 0.5 than at {a:g} ({kind})"
            if a == 1.0:
                claim = f"Fusion lowers the error of {dimension} ({kind})"
            self._compare(
                kind,
                "table4",
                f"{kind}{under}: alpha = {a:g} - alpha = 0.5",
                column,
                _root,
                self.squares(kind, condition, name[a], j),
                best,
                claim=claim,
                claim_id=regression if a == 1.0 else "alpha-best",
                **_printed_alphas(KINDS[kind], a, 0.5, column),
            )

    def _row_of_table4(self, kind: str, condition: str, name: str) -> dict[str, list[float]]:
        errors = self.errors(kind, condition, name)
        found = {f"RMSE {d}": [float(e[j]) for e in errors] for j, d in enumerate(AFFECT)}
        return found | {
            "accuracy": self.scores(kind, condition, name, accuracy),
            "F1": self.f1(kind, condition, name),
        }

    def calibration(self) -> ArtefactTable:
        """The calibration that the paper claims and gives no number for: each label, plain and after temperature."""
        kind, artefact = self.main, "calibration"
        # Recordings of runs keep no more than the likeliest class of what is not asked for here.
        conditions = self.conditions(kind, ONE_HOT, SMOOTHED) or self.conditions(kind)
        for condition in [c for c in conditions if c in (CLEAN, NOISY, NATURAL)]:
            sums: dict[tuple[str, str], NDArray[np.float64]] = {}
            for method in [m for m in LABELS if (kind, condition, m) in self.results]:
                for column, values in self.calibrated(kind, condition, method).items():
                    unit = "nats" if "NLL" in column else ""
                    self._add(kind, artefact, f"{condition}: {method}", column, values, unit=unit)
                sums |= {(method, c): v for c, v in self._calibration_sums(kind, condition, method).items()}
            for method, other in product((EUCLID, GMM), (ONE_HOT, SMOOTHED)):
                if (other, "Brier") in sums:
                    self._calibrates(kind, condition, method, other, sums)
            for method in (EUCLID, GMM, VOTES, SMOOTHED):
                if (method, "overconfidence") in sums:
                    row, column = f"{condition}: {method} - {ONE_HOT}", "overconfidence"
                    sides = (sums[method, column], sums[ONE_HOT, column])
                    # surer is neither better nor worse
                    self._compare(kind, artefact, row, column, _mean, *sides, judged=False)
        claim = f"Fusion {LEAVES_LESS} label smoothing (0 %)"
        if self.track.brief:
            self.ledger.not_attempted(artefact, claim, self.track.no_time, claim_id="complements")
        return self.ledger.table(artefact)

    def _calibrates(
        self, kind: str, condition: str, method: str, other: str, sums: Mapping[tuple[str, str], NDArray]
    ) -> None:
        """How much better fusion is calibrated than another label; a claim where the paper has this variant ahead.

        The expected calibration error is not judged: on some hundred faces a bin it is biased upwards, the more the
        better a network is calibrated, and a bootstrap adds the bias a second time. What temperature scaling takes
        from Brier's score is a mean over faces, and next to nothing where probabilities are right as they are; the
        score itself would count accuracy too.
        """
        claimed = condition != NATURAL and method == _ahead(KINDS[kind], condition)
        for column in JUDGED:
            claim, claim_id = "", ""
            if claimed and column == f"Brier{REGAINED}":
                claim = f"Fusion ({method}) {LEAVES_LESS} {other} ({condition})"
                claim_id = "calibrated" if other == ONE_HOT else "complements"
            elif claimed and other == ONE_HOT and column == "NLL, temperature":
                claim = (
                    f"Fusion ({method}) is better than one-hot after temperature scaling too ({condition})"
                )
                claim_id = "complements"
            row = f"{condition}: {other} - {method}"
            sides = (sums[other, column], sums[method, column])
            told: dict[str, Any] = {"claim": claim, "claim_id": claim_id} if claim else {}
            unit = "nats" if "NLL" in column else ""
            self._compare(kind, "calibration", row, column, _mean, *sides, unit=unit, **told)

    def _calibration_sums(self, kind: str, condition: str, method: str) -> dict[str, NDArray[np.float64]]:
        """Sums by unit of each column of JUDGED, and of overconfidence."""
        label = self.parts(kind).label[self.parts(kind).test]
        rows = np.arange(len(label))
        each: dict[str, list[NDArray[np.float64]]] = {}
        for plain, suited, _ in self._scaled(kind, condition, method):
            found: dict[str, NDArray[np.float64]] = {}
            for after, log_p in (("", plain), (SCALED, suited)):
                p = np.exp(log_p)
                found[f"overconfidence{after}"] = p.max(axis=1) - (p.argmax(axis=1) == label)
                found[f"Brier{after}"] = np.square(p - np.eye(p.shape[1])[label]).sum(axis=1)
                found[f"NLL{after}"] = -log_p[rows, label]
            for name in PROPER:
                found[f"{name}{REGAINED}"] = found[name] - found[f"{name}{SCALED}"]
            for column, values in found.items():
                each.setdefault(column, []).append(values)
        return {column: self._sums(kind, values) for column, values in each.items()}

    def _scaled(self, kind: str, condition: str, method: str) -> list[tuple[NDArray, NDArray, NDArray]]:
        """Log probabilities of the test faces, one triple a seed: plain, and at the temperatures of `temperatures`."""
        found = []
        for r, pair in zip(
            self.results[kind, condition, method], self.temperatures(kind, condition, method), strict=True
        ):
            log_p = r["log_probability"].astype(np.float64)
            suited, misled = (log_softmax(log_p / t, axis=1) for t in pair)
            found.append((log_softmax(log_p, axis=1), suited, misled))
        return found

    def temperatures(self, kind: str, condition: str, method: str) -> list[tuple[float, float]]:
        """The temperatures that suit right validation labels, and ones as wrong as the training's, one pair a seed."""
        parts, found = self.parts(kind), []
        for r in self.results[kind, condition, method]:
            held = r["validation"].astype(np.float64)
            wrong = self.validation_labels(kind, condition, r.run.seed)
            right = parts.label[parts.validation]
            found.append((calibration.fit_temperature(held, right), calibration.fit_temperature(held, wrong)))
        return found

    def calibrated(self, kind: str, condition: str, method: str) -> dict[str, list[float]]:
        """Measures of calibration, one a seed, plain and with the temperature that suits the validation faces.

        "noisy validation": the temperature that suits validation labels as wrong as the training's, which is what one
        has who has no clean ones. "if perfect": the ECE of labels drawn from the scaled probabilities themselves, which
        is above zero because bins are finite.
        """
        parts = self.parts(kind)
        label = parts.label[parts.test]
        found: dict[str, list[float]] = {}
        for seed, (plain, suited, misled) in enumerate(self._scaled(kind, condition, method)):
            values = {name: measure(plain, label) for name, measure in CALIBRATION.items()}
            values |= {
                f"{name}, temperature": measure(suited, label) for name, measure in CALIBRATION.items()
            }
            values["ECE, temperature: if perfect"] = _floor(suited, seed)
            values["ECE, temperature from noisy validation"] = calibration.calibration_error(misled, label)
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        found["temperature"] = [suited for suited, _ in self.temperatures(kind, condition, method)]
        return found

    def validation_labels(self, kind: str, condition: str, seed: int) -> NDArray[np.int64]:
        """Validation labels that are as wrong as the training's."""
        parts, about = self.parts(kind), CONDITIONS[condition]
        if about["labels"] == "natural":
            assert parts.natural is not None
            return parts.natural[parts.validation]
        right = parts.label[parts.validation]
        return flip_labels(right, about["noise"], classes=len(parts.classes), seed=seed)[0].astype(np.int64)

    def figure5(self) -> ArtefactTable:
        """Figure 5 in numbers: errors of valence and arousal with plain and weighted L2; and W_k's readings."""
        kind, parts = self.main, self.parts(self.main)
        if (kind, CLEAN, PLAIN_L2) not in self.results:
            for claim_id, claim in (
                ("weights-help", "Weights lower the errors of valence and arousal"),
                (
                    "weights-upper-left",
                    "These errors fall more, or rise less, in the upper left than in the rest",
                ),
            ):
                self.ledger.not_attempted("figure5", claim, self.track.no_time, claim_id=claim_id)
            return self.ledger.table("figure5")
        truth = parts.judged[parts.test]
        left = (truth[:, 0] < 0) & (truth[:, 1] > 0)
        for name in (EUCLID, *WEIGHTS, ONE_HOT):
            self._add(kind, "figure5", name, "F1", self.f1(kind, CLEAN, name))
            self._add(kind, "figure5", name, "accuracy", self.scores(kind, CLEAN, name, accuracy))
            for where, rows in (("", None), (", upper left", left)):
                errors = self.errors(kind, CLEAN, name, rows)
                n = len(truth) if rows is None else int(rows.sum())
                for j, dimension in enumerate(AFFECT):
                    values = [float(e[j]) for e in errors]
                    self._add(kind, "figure5", name, f"RMSE {dimension}{where}", values, n=n)
        for j, dimension in enumerate(AFFECT):
            self._weights_on(kind, dimension, j, left)
        return self.ledger.table("figure5")

    def _weights_on(self, kind: str, dimension: str, j: int, left: NDArray) -> None:
        """How much the weights lower the error of a dimension, everywhere and in the upper left against the rest."""
        column, rest = f"RMSE {dimension}", ~left
        text = read_text(KEY)["value"]
        lower = text[f"plain-{dimension}"] - text[f"weighted-{dimension}"]
        for name in (PLAIN_L2, "Euclid, no weights"):
            row = f"{'plain L2' if name == PLAIN_L2 else 'no weights'} - weighted L2"
            told: dict[str, Any] = (
                {"printed": f"{lower:+.3f}", "printed_on": KINDS[kind]} if name == PLAIN_L2 else {}
            )
            if told:
                told |= {"claim": f"Weights lower the error of {dimension}", "claim_id": "weights-help"}
            plain, weighted = (self.squares(kind, CLEAN, n, j) for n in (name, EUCLID))
            self._compare(kind, "figure5", row, column, _root, plain, weighted, **told)
        claim = f"With weights the error of {dimension} falls more, or rises less, in the upper left than in the rest"
        sides = [self.squares(kind, CLEAN, *of) for of in _quadrants(j, left, rest)]
        self._compare(
            kind,
            "figure5",
            "plain L2 - weighted L2: upper left - the rest",
            column,
            _root,
            *sides,
            claim=claim,
            claim_id="weights-upper-left",
        )

    def distances(self, name: str) -> NDArray[np.float64]:
        """Distance from predicted to true valence-arousal of each test face, mean over seeds: (n_test,)."""
        parts = self.parts(self.main)
        truth = parts.judged[parts.test]
        each = [np.linalg.norm(r["affect"] - truth, axis=1) for r in self.results[self.main, CLEAN, name]]
        return np.mean(each, axis=0)

    def figure6(self) -> ArtefactTable:
        """Figure 6 in numbers: does Grad-CAM look at the same places with 30 % wrong labels as with none?"""
        for kind in self.kinds:
            n, column = len(explained(self.parts(kind))), "rank correlation of maps"
            found = {method: self.consistency(kind, method) for method in TABLE3}
            flat = {method: self.flat(kind, method) for method in TABLE3}
            for method, values in found.items():
                row = f"{kind}: {method}"
                self._add(kind, "figure6", row, column, values.mean(axis=0), n=n)
                self._add(kind, "figure6", row, "% without a place", 100 * flat[method].mean(axis=0), n=n)
            for method in (EUCLID, GMM):
                claim = f"Grad-CAM changes less under wrong labels with fusion ({method}) than with one-hot ({kind})"
                row, seen = f"{kind}: {method} - {ONE_HOT}", ~(flat[method] | flat[ONE_HOT])
                told: dict[str, Any] = {"claim": claim, "claim_id": "attention"}
                self._compare_maps(kind, row, np.ones_like(seen), found[method], found[ONE_HOT], **told)
                if not seen.all():
                    row = f"{row}, maps with a place"
                    self._compare_maps(kind, row, seen, found[method], found[ONE_HOT])
        return self.ledger.table("figure6")

    def _compare_maps(self, kind: str, row: str, use: NDArray, a: NDArray, b: NDArray, **told: Any) -> None:
        """Mean correlation of one label's maps less another's, over the pairs (n, seeds) to be used."""
        parts, column = self.parts(kind), "rank correlation of maps"
        unit, about = np.arange(len(use)), f"{len(use)} faces"
        if parts.subject is not None:  # several of these faces may be one person's
            people, unit = np.unique(parts.subject[explained(parts)], return_inverse=True)
            about = f"{len(people)} {'videos' if kind == 'videos' else 'people'}"

        def summed(values: NDArray) -> NDArray[np.float64]:
            return np.stack([np.bincount(unit, v) for v in np.where(use, values, 0).T], axis=1)

        count = summed(np.ones_like(a))
        sides = [np.stack([summed(each), count], axis=-1) for each in (a, b)]
        n = int(use.any(axis=1).sum())
        self._compare(kind, "figure6", row, column, _mean, *sides, n=n, about=about, **told)

    def attention(self, kind: str, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Grad-CAM of the explained test faces (n, h, w) for their right class, one array a seed."""
        return [r["attention"].astype(np.float64) for r in self.results[kind, condition, method]]

    def consistency(self, kind: str, method: str) -> NDArray[np.float64]:
        """Rank correlation of each face's maps without and with 30 % wrong labels: (n, seeds).

        A map that is zero everywhere, or the same everywhere, says nothing of a place: its correlation is 0.
        """
        pairs = zip(self.attention(kind, CLEAN, method), self.attention(kind, NOISY, method), strict=True)
        each = [
            [_rank_correlation(x.ravel(), y.ravel()) for x, y in zip(a, b, strict=True)] for a, b in pairs
        ]
        return np.array(each).T

    def flat(self, kind: str, method: str) -> NDArray[np.bool_]:
        """Whether either of a face's two maps is the same everywhere: (n, seeds)."""
        pairs = zip(self.attention(kind, CLEAN, method), self.attention(kind, NOISY, method), strict=True)
        return np.array([(np.ptp(a, axis=(1, 2)) == 0) | (np.ptp(b, axis=(1, 2)) == 0) for a, b in pairs]).T

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return self.track.caution + CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind_of = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind_of.value_counts().items())
        where = f"track {self.track.name}, profile {self.track.profile}"
        head = f"**In short** ({where}): of the lines that test a claim {counts}."
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        lines = [
            self._after_holm(),
            *self._answer(cells),
            *_told_of_gains(cells),
            *_told_of_places_alone(cells),
            *_told_of_calibration(cells),
        ]
        return "\n".join([head, "", *(f"- {line}" for line in lines)])

    def _after_holm(self) -> str:
        """How many verdicts stay where all of the page's claims are judged together."""
        judged = [
            e for e in self.ledger.entries if e.claim and np.isfinite(e.low) and e.verdict in set(Verdict)
        ]
        if not judged:
            return "No claim has an interval."
        stays = multipletests([_chance(e) for e in judged], method="holm")[0]
        told = []
        for verdict in (Verdict.HELD, Verdict.DID_NOT_HOLD):
            of = [kept for e, kept in zip(judged, stays, strict=True) if e.verdict == verdict]
            told.append(
                f"{sum(of)} of the {len(of)} that {'held' if verdict == Verdict.HELD else 'did not hold'}"
            )
        return (
            f"Each interval is a 95 % one of its own. Judged together (Holm, {len(judged)} lines, 0.05), "
            f"{' and '.join(told)} remain."
        )

    def _answer(self, cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
        """What fusion adds: a softer label, or a second opinion that the noise did not touch?"""
        lines = []
        for condition in (NOISY, NATURAL):
            asked = {
                "a softer label alone (label smoothing)": f"{condition}: {SMOOTHED} - {ONE_HOT}",
                "the votes of the people who rated": f"{condition}: {VOTES} - {ONE_HOT}",
                **{
                    f"{m}, {words}": f"{condition}, {affect}: {m} - {ONE_HOT}"
                    for affect, words in (
                        ("as labelled", "places untouched"),
                        (NOISY_AFFECT[2], "places as wrong as the labels"),
                    )
                    for m in (EUCLID, GMM)
                },
            }
            found = {w: e for w, row in asked.items() if (e := cells.get(("noisy_affect", row, "F1")))}
            if SMOOTHED not in "".join(found) and VOTES not in "".join(found):
                continue
            soft = found["a softer label alone (label smoothing)"].ahead
            told = [w for w, e in found.items() if e.ahead and "label smoothing" not in w]
            untouched = [w for w in told if "as wrong" not in w]
            if not untouched:
                answer = "softness alone helps" if soft else "neither is seen to help"
            elif soft:
                answer = f"both may help: softness alone does, and {' and '.join(untouched)}"
            else:
                answer = f"a second opinion, of {' and '.join(untouched)}; softness alone is not seen to help"
            if left := [w for w in told if w not in untouched]:
                answer += f" (and {', '.join(left)}, gains too, where the place is no second opinion)"
            details = "; ".join(f"{w} {_gained(e)}" for w, e in found.items())
            lines.append(
                f"A better form of label, or a second opinion? With {condition} wrong labels: {answer}. "
                f"F1 over one-hot: {details}."
            )
        return lines

    def _add(
        self,
        kind: str,
        artefact: str,
        row: str,
        column: str,
        values: Sequence[float],
        *,
        n: int | None = None,
        **rest: Any,
    ) -> None:
        """One value a seed, of n faces: the kind's test faces, unless said otherwise."""
        count = len(self.parts(kind).test) if n is None else n
        self.ledger.over_seeds(artefact, row, column, values, source=kind, n=count, **rest)


def accuracy(log_probability: NDArray, label: NDArray) -> float:
    return metrics.accuracy(log_probability.argmax(axis=1), label)


def macro_f1(log_probability: NDArray, label: NDArray) -> float:
    return metrics.macro_f1(log_probability.argmax(axis=1), label)


# Of sums over test faces: (S, ...) of S seeds to (S,)


def _mean(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (S, 2): sums and counts."""
    return sums[..., 0] / sums[..., 1]


def _root(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(_mean(sums))


def _accuracy(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of (S, K, 3): per class, faces that are it and named so, named so, and that are it."""
    return counts[..., 0].sum(axis=-1) / counts[..., 2].sum(axis=-1)


def _f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """`metrics.macro_f1` of (S, K, 3), as for `_accuracy`."""
    size = counts[..., 1] + counts[..., 2]
    each = np.divide(2 * counts[..., 0], size, out=np.zeros_like(size), where=size > 0)
    return each.sum(axis=-1) / (size > 0).sum(axis=-1)


def _cell(printed: pd.DataFrame, data: str, condition: str, method: str) -> str:
    """Table 3's cell, empty where it has none."""
    names = {ONE_HOT: "One-hot", EUCLID: "Fusion (Euclidean)", GMM: "Fusion (GMM)"}
    found = printed[(printed["row"] == f"{data} {condition}") & (printed["column"] == names[method])]
    return "".join(found["printed"])


def _gained(e: Entry) -> str:
    return f"{e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]"


def _told_of_gains(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    """Sentences on what fusion gains, from the ledger's lines by artefact, row and column."""
    lines = []
    for condition in (NOISY, NATURAL):
        gains = {
            f"{kind} ({m})": e
            for kind, m in product(KINDS, (EUCLID, GMM))
            if (e := cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1")))
        }
        better, worse = (
            ", ".join(name for name, e in gains.items() if which(e)) or "none"
            for which in (attrgetter("ahead"), attrgetter("behind"))
        )
        if gains:
            where = ""
            if next(iter(gains.values())).track == "twin" and condition == NOISY:
                where = (
                    "; valence and arousal are free of noise, or nearly, for the videos and the morphs alone"
                )
            lines.append(
                f"With {condition} wrong labels, valence and arousal untouched, fusion gained over one-hot (the whole "
                f"interval above zero) on: {better}; it lost on: {worse}{where}."
            )
    for kind, condition in product(KINDS, (CLEAN, NOISY, NATURAL)):
        told = [
            f"{m} {_gained(e)}"
            for m in (EUCLID, GMM)
            if (e := cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1")))
        ]
        if told:
            lines.append(f"F1 gained over one-hot, {kind}, {condition} wrong labels: {', '.join(told)}.")
    rows = {row: e for (artefact, row, column), e in cells.items() if (artefact, column) == ("table3", "F1")}
    bare = [f"{row} {_gained(e)}" for row, e in rows.items() if "without" in row or "no weights" in row]
    if bare:
        lines.append(f"What the weights W_k do to the baseline, F1: {'; '.join(bare)}.")
    for condition, affect in product((NOISY, NATURAL), NOISY_AFFECT):
        told = [
            f"{m} {_gained(e)}"
            for m in (EUCLID, GMM)
            if (e := cells.get(("noisy_affect", f"{condition}, {affect}: {m} - {ONE_HOT}", "F1")))
        ]
        if told:
            lines.append(
                f"F1 gained over one-hot, both with other valence and arousal ({affect}), {condition} wrong labels: "
                f"{', '.join(told)}."
            )
    return lines


def _told_of_places_alone(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    """Where learning from valence and arousal alone gains, and where it costs: the claim's margin hides a gain."""
    told = []
    for (artefact, row, column), e in cells.items():
        if artefact == "table4" and row.endswith(": alpha = 0 - alpha = 1"):
            word = "a gain" if e.ahead else "a loss" if e.behind else "neither is seen"
            told.append(f"{row.partition(':')[0]}, {column} {_gained(e)} ({word})")
    if not told:
        return []
    return [f"Valence and arousal alone (alpha = 0) against categories alone (alpha = 1): {'; '.join(told)}."]


def _told_of_calibration(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    lines = []
    for condition in (CLEAN, NOISY, NATURAL):
        told = [
            f"{m} {plain.measured:.3f} ({scaled.measured:.3f})"
            for m in LABELS
            if (plain := cells.get(("calibration", f"{condition}: {m}", "ECE")))
            and (scaled := cells.get(("calibration", f"{condition}: {m}", "ECE, temperature")))
        ]
        if told:
            perfect = cells["calibration", f"{condition}: {ONE_HOT}", "ECE, temperature: if perfect"]
            lines.append(
                f"Calibration error (and after temperature scaling; one that is perfect would show "
                f"{perfect.measured:.3f}), {condition} wrong labels: {', '.join(told)}."
            )
    return lines


def _printed_f1(data: str, condition: str, method: str) -> float:
    return float(_cell(read_table(KEY, 3), data, condition, method))


def _printed_gain(data: str, condition: str, method: str) -> float:
    """What table 3 prints for a label less what it prints for one-hot; NaN for people's own labels."""
    if condition == NATURAL:
        return float("nan")
    return _printed_f1(data, condition, method) - _printed_f1(data, condition, ONE_HOT)


def _ahead(data: str, condition: str) -> str:
    """The variant of fusion that table 3 has ahead: the one that the paper speaks of."""
    return max((EUCLID, GMM), key=lambda m: _printed_f1(data, condition, m))


def _printed_alphas(data: str, a: float, b: float, column: str, *, beyond: float = 0.0) -> dict[str, Any]:
    """Table 4's cell at one alpha less that at another, in the digits of the cells; empty where it has none."""
    cells = [_alpha_cell(read_table(KEY, 4), data, alpha, column) for alpha in (a, b)]
    if not all(cells):
        return {}
    digits = len(cells[0].partition(".")[2])
    return {"printed": f"{float(cells[0]) - float(cells[1]) + beyond:+.{digits}f}", "printed_on": data}


def _unharmed(harm: Entry) -> str:
    """Why nothing can be said of robustness."""
    fall = f"{harm.measured:+.3f} [{harm.low:.3f}, {harm.high:.3f}]"
    return f"30 % wrong labels do not measurably lower one-hot's F1: 0 % less 30 % is {fall}"


def _quadrants(j: int, left: NDArray, rest: NDArray) -> list[tuple[str, int, NDArray]]:
    """Plain less weighted in the upper left, less the same in the rest, in `Study._compare`'s order of signs."""
    return [(PLAIN_L2, j, left), (EUCLID, j, left), (EUCLID, j, rest), (PLAIN_L2, j, rest)]


def _floor(log_probability: NDArray[np.float64], seed: int) -> float:
    """The calibration error of labels that are drawn from the probabilities themselves, mean over draws."""
    rng, rising = np.random.default_rng(seed), np.exp(log_probability).cumsum(axis=1)
    drawn = [
        np.minimum((rng.random((len(rising), 1)) > rising).sum(axis=1), rising.shape[1] - 1)
        for _ in range(FLOOR_DRAWS)
    ]
    return float(np.mean([calibration.calibration_error(log_probability, label) for label in drawn]))


def _chance(e: Entry) -> float:
    """Two-sided p of a line with an interval: Student's t with the fewest degrees of freedom that it can have.

    The bound towards zero lies a t quantile of standard errors away, so p is 0.05 where that bound is zero.
    """
    arm = abs(e.measured - (e.low if e.measured > 0 else e.high))
    law = student(e.seeds - 1) if e.seeds > 1 else norm()
    return float(2 * law.sf(abs(e.measured) / arm * law.ppf(0.975))) if arm else 0.0


def _alpha_cell(printed: pd.DataFrame, data: str, alpha: float, column: str) -> str:
    """Table 4's cell, empty where it has none."""
    of = printed[printed["row"] == f"{data} alpha {alpha:.1f}"]
    names = [
        _column(quantity, dimension)
        for quantity, dimension in zip(of["quantity"], of["dimension"], strict=True)
    ]
    return "".join(of["printed"][[name == column for name in names]])


def _column(quantity: str, dimension: str) -> str:
    """A printed quantity as the columns of this page call it: "RMSE valence", "accuracy"."""
    name = quantity if quantity == "accuracy" else quantity.upper()
    return f"{name} {dimension}".strip()


def _less(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Differences at the seeds that both have."""
    return [x - y for x, y in zip(a, b, strict=False)]


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)
