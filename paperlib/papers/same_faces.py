"""The same faces for every method: no paper's own, and what a user of all five would ask.

A notebook makes a `Study`, which trains what is missing, and asks it for one table after the other; each writes its
numbers to the ledger. Methods are compared with the plain network of the same seed, so differences are paired, and
their intervals are over seeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import xlogy
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from paperlib import calibration, metrics
from paperlib.data.records import FaceSet
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import split_votes
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.models.joint import disagreement
from paperlib.stats import cluster_bootstrap, observed_variance
from paperlib.tasks.noisy_labels import CLASSES
from paperlib.tasks.same_faces import TOLD, Problem, problem
from paperlib.tracks import Track

KEY = "same_faces"
TASK = "paperlib.tasks.same_faces:train"
PLAIN, ENSEMBLE = "plain network", "ensemble of three"
MEMBERS = (100, 200)  # added to a seed: the members of its ensemble beside the plain network itself
KEPT = 0.8  # share of the faces that is answered where a single coverage is asked for

CAVEATS = {
    "twin": "**The data are generated.** Raters' noise grows with a face's ambiguity by a stated function, categories "
    "come from one annotator, and a tenth of these are replaced at random. The true variance of a rating is known. "
    "What a method is *told* differs: see the column of that name before comparing two rows.",
    "ferplus": "**Two sources, no ratings of valence.** Labels are FER2013's own; ten other people's votes (FER+) "
    "judge them, and a label that they contradict counts as wrong. One rater is one vote, placed on the circumplex. "
    "So a method that is told one rater's place is told something by the people who judge; the plain network is not. "
    "Subjects are unknown. This page shows no picture of FER2013.",
}


SAID_AS = {"weight": "one minus its weight"}  # a score that is kept as a doubt: high where unsure


class Row(NamedTuple):
    """A measure of not being sure: which method's, and which of its scores."""

    method: str
    score: str

    def __str__(self) -> str:
        return f"{self.method}: {SAID_AS.get(self.score, self.score)}"


BASELINE = Row(PLAIN, "entropy")
ROWS = (
    BASELINE,
    Row("MC dropout", "entropy"),
    Row("MC dropout", "mutual information"),
    Row(ENSEMBLE, "entropy"),
    Row(ENSEMBLE, "mutual information"),
    Row("SCN", "weight"),
    Row("LDLVA", "entropy"),
    Row("fused labels", "entropy"),
    Row("EmoFAN's losses", "entropy"),
    Row("KL variance", "variance"),
    Row("KL variance", "entropy"),
    Row("beta-NLL", "variance"),
    Row("evidential regression", "variance"),
    Row("evidential regression", "variance of the mean"),
    Row("predicted disagreement", "variance"),
    Row("predicted disagreement", "entropy"),
    Row("vote distribution", "entropy"),
)
# What each method has to say against a given label, in words; those without a measure of their own have the loss.
OWN_DOUBT = {
    "SCN": "one minus its weight",
    "LDLVA": "uncertainty factor",
    "fused labels": "what fusion takes from the label",
    "KL variance": "predicted variance",
    "beta-NLL": "predicted variance",
    "evidential regression": "predicted variance",
    "predicted disagreement": "predicted variance",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends."""

    schedule: Mapping[str, Any]
    options: Mapping[str, Any]  # of LDLVA; see le2023
    reading: str  # of "within one standard deviation", for fused labels; see neo2023
    backbone: str = "tiny_resnet"
    seeds: int = 3
    draws: int = 1000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile: for every method the same network, order of batches and steps."""
    small: dict[str, Any] = {"options": {"gamma": 0.01, "factor_rate": 0.1}}
    # One vote's place is one of seven points: a class's own lie on one, and have no spread
    reading = "all" if track.name == "ferplus" else "axis"
    if track.profile == "paper":
        adam = {"optimiser": "adam", "learning_rate": 1e-3, "batch": 64, "epochs": 30}
        # FER+'s pictures are grey, and torchvision's networks take colours
        backbone = "compact_resnet" if track.name == "ferplus" else "resnet18"
        return Protocol(schedule=adam, options={}, reading=reading, backbone=backbone, seeds=5, draws=5000)
    schedule = {"weight_decay": 0.05, "learning_rate": 4e-3, "batch": 64 if track.name == "twin" else 128}
    if track.profile == "smoke":
        return Protocol(schedule=schedule | {"epochs": 1}, reading=reading, seeds=2, draws=100, **small)
    epochs = (2 if track.brief else 8) if track.name == "twin" else 5
    return Protocol(schedule=schedule | {"epochs": epochs}, reading=reading, **small)


def grid(track: Track, *, seeds: int | None = None) -> dict[str, list[Run]]:
    """The runs by method, and the ensemble's further members; `seeds` replaces the profile's number."""
    parts, plan = problem(track), protocol(track)
    if parts is None:
        return {}
    count = seeds or plan.seeds
    wanted = {method: list(range(count)) for method in TOLD}
    wanted[ENSEMBLE] = [seed + more for seed in range(count) for more in MEMBERS]

    def settings(method: str) -> dict[str, Any]:
        common = {"backbone": plan.backbone, "schedule": dict(plan.schedule)}
        method = PLAIN if method == ENSEMBLE else method
        own: dict[str, dict[str, Any]] = {
            "LDLVA": {"options": dict(plan.options)},
            "fused labels": {"reading": plan.reading},
        }
        return common | {"method": method} | own.get(method, {})

    return {
        method: [
            Run(task=TASK, track=track, data=parts.faces.fingerprint, settings=settings(method), seed=s)
            for s in of
        ]
        for method, of in wanted.items()
    }


@dataclass
class Study:
    """All methods on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[str, list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"track {self.track.name} lacks faces with a first label, several raters' votes and ratings"
            )
        self.plan = protocol(self.track)
        self.results = run_groups(runs, jobs=self.jobs)
        self.ledger = Ledger(KEY, self.track, {"faces": self.faces.fingerprint}, self.results)

    @property
    def parts(self) -> Problem:
        parts = problem(self.track)
        assert parts is not None
        return parts

    @property
    def faces(self) -> FaceSet:
        return self.parts.faces

    @cached_property
    def label(self) -> NDArray[np.int64]:
        """(m,) what most raters say of the test faces."""
        assert self.faces.expression is not None
        return self.faces.expression[self.parts.test].astype(np.int64)

    @cached_property
    def methods(self) -> list[str]:
        """In the order of what they are told."""
        names = list(TOLD)
        return [*names[:2], ENSEMBLE, *names[2:]]

    def told(self, method: str) -> str:
        return TOLD[PLAIN if method == ENSEMBLE else method]

    def probability(self, method: str) -> list[NDArray[np.float64]]:
        """(m, 7) of the test faces, one a seed."""
        if method == ENSEMBLE:
            return [passes.mean(axis=0) for passes in self.members]
        return [_normalised(r["probability"]) for r in self.results[method]]

    @cached_property
    def members(self) -> list[NDArray[np.float64]]:
        """(3, m, 7) a seed: what the networks of its ensemble say."""
        further = iter(self.results[ENSEMBLE])
        return [
            np.stack([_normalised(r["probability"]) for r in (first, *(next(further) for _ in MEMBERS))])
            for first in self.results[PLAIN]
        ]

    def scores(self, row: Row) -> list[NDArray[np.float64]]:
        """(m,) how unsure of each test face, one a seed."""
        if row.method == ENSEMBLE:
            return [disagreement(torch.from_numpy(passes))[row.score].numpy() for passes in self.members]
        if row.score == "entropy":
            return [_entropy(p) for p in self.probability(row.method)]
        return [r[f"score: {row.score}"].astype(np.float64) for r in self.results[row.method]]

    @cached_property
    def disagreement(self) -> dict[str, NDArray[np.float64]]:
        """(m,) how much people disagree about each test face, by what is known of it."""
        test = self.parts.test
        assert self.faces.ratings is not None
        found = {}
        if self.faces.truth is not None:
            found["true variance"] = self.faces.truth.variance[test].sum(axis=1).astype(np.float64)
        found["raters' variance"] = np.sum(observed_variance(self.faces.ratings[test]), axis=1)
        found["votes' entropy"] = _entropy(self._shares(self._votes))
        return found

    @property
    def _votes(self) -> NDArray[np.int64]:
        assert self.faces.votes is not None
        return self.faces.votes[self.parts.test, :CLASSES].astype(np.int64)

    @staticmethod
    def _shares(votes: NDArray[np.int64]) -> NDArray[np.float64]:
        return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)

    # tables

    def knows_disagreement(self) -> ArtefactTable:
        """Rank correlation of each measure with people's disagreement, and how far any could get."""
        for column, target in self.disagreement.items():
            each = {row: [_rank(s, target) for s in self.scores(row)] for row in ROWS}
            self._compare("disagreement", column, {str(row): v for row, v in each.items()}, str(BASELINE))
        if "true variance" in self.disagreement:
            truth = self.disagreement["true variance"]
            for column in ("raters' variance", "votes' entropy"):
                self._over_faces("the true variance itself", column, truth, self.disagreement[column])
        first, second = split_votes(self._votes, seed=0)
        halves = _entropy(self._shares(first)), _entropy(self._shares(second))
        self._over_faces("half of the raters, for the other half", "votes' entropy", *halves)
        return self.ledger.table("disagreement")

    def finds_wrong_labels(self) -> ArtefactTable:
        """Area under the ROC curve of each method's doubt against the labels that most raters contradict."""
        wrong = self.parts.wrong
        found: dict[str, list[float]] = {}
        for method in self.methods:
            if method == ENSEMBLE:
                further = np.array_split([r["loss"] for r in self.results[ENSEMBLE]], len(self.members))
                losses = [
                    np.mean([first["loss"], *more], axis=0, dtype=np.float64)
                    for first, more in zip(self.results[PLAIN], further, strict=True)
                ]
            else:
                losses = [r["loss"].astype(np.float64) for r in self.results[method]]
            found[f"{method}: loss"] = [float(roc_auc_score(wrong, loss)) for loss in losses]
            if method in OWN_DOUBT:
                own = [r["doubt"].astype(np.float64) for r in self.results[method]]
                found[f"{method}: {OWN_DOUBT[method]}"] = [float(roc_auc_score(wrong, d)) for d in own]
        self._compare("wrong_labels", "area under the ROC curve", found, f"{PLAIN}: loss", n=len(wrong))
        return self.ledger.table("wrong_labels")

    def is_right(self) -> ArtefactTable:
        """Accuracy and macro F1 against what most raters say, after training on one source's labels."""
        measures = {"accuracy": metrics.accuracy, "macro F1": metrics.macro_f1}
        for column, measure in measures.items():
            found = {
                m: [float(measure(p.argmax(axis=1), self.label)) for p in self.probability(m)]
                for m in self.methods
            }
            self._compare("accuracy", column, found, PLAIN)
        return self.ledger.table("accuracy")

    def is_calibrated(self) -> ArtefactTable:
        """Calibration error, negative log likelihood, and the cross-entropy to the raters' votes."""
        shares = self._shares(self._votes)

        def to_votes(log_p: NDArray, _: NDArray) -> float:
            return float(-(shares * log_p).sum(axis=1).mean())

        measures: dict[str, Callable[..., float]] = {
            "calibration error": calibration.calibration_error,
            "negative log likelihood": calibration.nll,
            "cross-entropy to the votes": to_votes,
        }
        for column, measure in measures.items():
            found = {m: [measure(_log(p), self.label) for p in self.probability(m)] for m in self.methods}
            self._compare("calibration", column, found, PLAIN, lower=True)
        floor = float(_entropy(shares).mean())
        self.ledger.add(
            "calibration",
            "the votes themselves",
            "cross-entropy to the votes",
            source="faces",
            n=len(self.label),
            interval=floor,
        )
        return self.ledger.table("calibration")

    def knows_when_to_stop(self) -> ArtefactTable:
        """Selective prediction: the area under risk over coverage, and the risk of the surest 80 %.

        A row's own network answers, and its score says which faces are left to people.
        """
        areas: dict[str, list[float]] = {}
        risks: dict[str, list[float]] = {}
        for row in ROWS:
            curves = self.risk(row)
            areas[str(row)] = [float(curve.mean()) for curve in curves]
            risks[str(row)] = [float(curve[round(KEPT * len(curve)) - 1]) for curve in curves]
        self._compare("selective", "area under risk and coverage", areas, str(BASELINE), lower=True)
        self._compare("selective", f"risk at {100 * KEPT:.0f} % coverage", risks, str(BASELINE), lower=True)
        return self.ledger.table("selective")

    def risk(self, row: Row) -> list[NDArray[np.float64]]:
        """(m,) share of errors among the surest 1, 2, ..., m test faces, one a seed."""
        return [
            risk_over_coverage(score, p.argmax(axis=1) != self.label)
            for score, p in zip(self.scores(row), self.probability(row.method), strict=True)
        ]

    def costs(self) -> ArtefactTable:
        """The processor's time in training, in that of the plain network of the same seed."""
        plain = self._seconds(PLAIN)
        for method in self.methods:
            own = self._seconds(method)
            if method == ENSEMBLE:
                own = plain + own.reshape(len(plain), -1).sum(axis=1)
            self.ledger.add(
                "cost",
                method,
                "training, plain network = 1",
                source="faces",
                n=len(self.parts.train),
                values=(own / plain).tolist(),
            )
        return self.ledger.table("cost")

    def _seconds(self, method: str) -> NDArray[np.float64]:
        return np.array([float(r["seconds"][0]) for r in self.results[method]])

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        return CAVEATS[self.track.name]

    def conclusion(self) -> str:
        """Which would you use for what? Put together from the ledger alone."""
        return conclusion(self.ledger)

    # helpers

    def _compare(
        self,
        artefact: str,
        column: str,
        found: Mapping[str, list[float]],
        baseline: str,
        *,
        lower: bool = False,
        n: int | None = None,
    ) -> None:
        """Record every row, and its gain over the baseline's, taken so that a positive one is better."""
        n = len(self.label) if n is None else n
        sign = -1 if lower else 1
        for row, values in found.items():
            self.ledger.over_seeds(artefact, row, column, values, source="faces", n=n)
        for row, values in found.items():
            if row != baseline:
                gained = [sign * (a - b) for a, b in zip(values, found[baseline], strict=True)]
                self.ledger.over_seeds(
                    artefact, f"{row} - {baseline}", column, gained, source="faces", n=n, unit="gain"
                )

    def _over_faces(self, row: str, column: str, a: NDArray, b: NDArray) -> None:
        found = cluster_bootstrap(_rank, a, b, clusters=self._subjects, draws=self.plan.draws, seed=0)
        about = "95 % bootstrap over " + ("faces" if self._subjects is None else "subjects")
        self.ledger.add(
            "disagreement", row, column, source="faces", n=len(self.label), interval=found, about=about
        )

    @property
    def _subjects(self) -> NDArray[np.str_] | None:
        subject = self.faces.subject
        return None if subject is None else subject[self.parts.test]


QUESTIONS = {
    "disagreement": "Knowing where people disagree",
    "wrong_labels": "Finding wrong labels",
    "accuracy": "Being right in spite of wrong labels",
    "calibration": "Saying how sure it is",
    "selective": "Leaving faces to people",
}
LOWER = ("calibration", "selective")
AS_SEEN_BY = {"calibration error": "; the cross-entropy to the votes, in its table, may order them otherwise"}


def conclusion(ledger: Ledger) -> str:
    """For each question, the best row of those told as much, with its gain over the plain network."""
    lines = [
        f"**Which would you use for what?** (track {ledger.track.name}, profile {ledger.track.profile})",
        "",
    ]
    for artefact, question in QUESTIONS.items():
        entries = [e for e in ledger.entries if e.artefact == f"{KEY}/{artefact}" and e.seeds]
        column = entries[0].column
        rows = [e for e in entries if e.column == column and e.unit != "gain"]
        gains = {e.row.partition(" - ")[0]: e for e in entries if e.column == column and e.unit == "gain"}
        about = f"{question} ({column}{AS_SEEN_BY.get(column, '')})"
        parts = []
        for name, among in (
            ("told nothing more", [e for e in rows if _told(e.row) == "nothing"]),
            ("told one rater", [e for e in rows if _told(e.row) == "one rater"]),
            ("told all raters", [e for e in rows if _told(e.row) == "all raters"]),
        ):
            best = (min if artefact in LOWER else max)(among, key=lambda e: e.measured)
            parts.append(f"{name}, {best.row} ({best.measured:.2f}{_gain(gains.get(best.row))})")
        lines.append(f"- {about}: {'; '.join(parts)}.")
    ahead = sum(e.unit == "gain" and e.verdict == "held" for e in ledger.entries)
    behind = sum(e.unit == "gain" and e.verdict == "did not hold" for e in ledger.entries)
    total = sum(e.unit == "gain" for e in ledger.entries)
    lines += [
        "",
        f"Of {total} comparisons with the plain network {ahead} are gains, {behind} losses, and "
        f"{total - ahead - behind} cannot be told from nothing. The best of many rows is partly luck: an interval "
        f"beside it is that of one comparison. Were nothing different, about {0.025 * total:.0f} gains and as many "
        "losses would be found by chance.",
    ]
    return "\n".join(lines)


def _gain(entry: Entry | None) -> str:
    if entry is None:
        return ""
    gain = f"; gain over the plain network {entry.measured:+.2f}"
    if math.isnan(entry.low):
        return gain
    doubt = "" if entry.low > 0 else ", not surely ahead of it"
    return f"{gain} [{entry.low:+.2f}, {entry.high:+.2f}]{doubt}"


def _told(row: str) -> str:
    method = row.partition(":")[0]
    return TOLD[PLAIN if method == ENSEMBLE else method]


def risk_over_coverage(score: NDArray, wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(m,) the share of `wrong` among the 1, 2, ..., m items of the lowest score (El-Yaniv and Wiener, JMLR 2010).

    Items of one score share their errors evenly, so that no order of theirs is lucky.
    """
    values, group, count = np.unique(score, return_inverse=True, return_counts=True)
    rate = np.bincount(group, weights=wrong, minlength=len(values)) / count
    errors = np.repeat(rate, count).cumsum()
    return errors / np.arange(1, len(score) + 1)


def _normalised(probability: NDArray) -> NDArray[np.float64]:
    """As kept in half precision, to sum to one again."""
    p = probability.astype(np.float64)
    return p / p.sum(axis=1, keepdims=True)


def _entropy(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    return -xlogy(probability, probability).sum(axis=1)


def _log(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """With no probability below half precision's least, 6e-8, that an infinite loss could come from."""
    p = np.maximum(probability, 6e-8)
    return np.log(p / p.sum(axis=1, keepdims=True))


def _rank(a: NDArray, b: NDArray) -> float:
    """Spearman's; nought where one says the same of all, as a deviation that is predicted below nought does."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)
