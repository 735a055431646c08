"""The same faces for every method: no paper's own, and what a user of all five would ask.

A notebook makes a `Study`, which trains what is missing, and asks it for one table after the other; each writes its
numbers to the ledger. Methods are compared with the plain network of the same seed and on the same faces, so that
differences are paired; their intervals resample persons and seeds together, for what is asked is about other people.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, xlogy
from scipy.stats import rankdata

from paperlib import calibration, metrics
from paperlib.data.records import FaceSet
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import split_votes
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.models.joint import disagreement
from paperlib.stats import (
    Verdict,
    cluster_bootstrap,
    crossed_bootstrap,
    observed_variance,
    verdict,
)
from paperlib.tasks import same_faces as task
from paperlib.tasks.noisy_labels import CLASSES
from paperlib.tasks.same_faces import Problem, problem
from paperlib.tracks import Track

KEY = "same_faces"
TASK = "paperlib.tasks.same_faces:train"
PLAIN, ENSEMBLE = "plain network", "ensemble of three"
MEMBERS = (100, 200)  # added to a seed: the members of its ensemble beside the plain network itself
KEPT = 0.8  # share of the faces that is answered where a single coverage is asked for
GROUPS = 50  # that faces are dealt into by lot where nobody knows whose they are
SPLITS = 20  # of the raters into halves
# A run's method is called what it is: of EmoFAN's losses it has the cross-entropy and the CCC alone.
CALLED = {"EmoFAN's losses": "categories + CCC"}
TOLD = {CALLED.get(name, name): told for name, told in task.TOLD.items()}
Measure: TypeAlias = Callable[[NDArray[np.int64]], float]  # of the faces in these rows

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
OF_AFFECT = (
    "variance",
    "variance of the mean",
)  # scores that speak of valence and arousal, not of categories
ASIDE = " (another question)"  # marks such a score where it is asked which categories are wrong
CEILING, HALF = "the true variance itself", "half of the raters, for the other half"


class Row(NamedTuple):
    """A measure of not being sure: which method's, and which of its scores."""

    method: str
    score: str

    def __str__(self) -> str:
        return f"{self.method}: {SAID_AS.get(self.score, self.score)}"


BASELINE = Row(PLAIN, "entropy")
# The entropy of every method, and each method's own score beside it
OWN_SCORES = {
    "MC dropout": ("mutual information",),
    ENSEMBLE: ("mutual information",),
    "SCN": ("weight",),
    "KL variance": ("variance",),
    "beta-NLL": ("variance",),
    "evidential regression": OF_AFFECT,
    "predicted disagreement": ("variance",),
}
METHODS = (*list(TOLD)[:2], ENSEMBLE, *list(TOLD)[2:])  # in the order of what they are told
ROWS = tuple(Row(m, score) for m in METHODS for score in ("entropy", *OWN_SCORES.get(m, ())))
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
    draws = 400 if track.brief else 1000
    return Protocol(schedule=schedule | {"epochs": epochs}, reading=reading, draws=draws, **small)


def grid(track: Track, *, seeds: int | None = None) -> dict[str, list[Run]]:
    """The runs by method, and the ensemble's further members; `seeds` replaces the profile's number."""
    parts, plan = problem(track), protocol(track)
    if parts is None:
        return {}
    count = seeds or plan.seeds
    wanted = {method: list(range(count)) for method in TOLD}
    trained_as = {called: name for name, called in CALLED.items()}
    wanted[ENSEMBLE] = [seed + more for seed in range(count) for more in MEMBERS]

    def settings(method: str) -> dict[str, Any]:
        common = {"backbone": plan.backbone, "schedule": dict(plan.schedule)}
        method = PLAIN if method == ENSEMBLE else method
        own: dict[str, dict[str, Any]] = {
            "LDLVA": {"options": dict(plan.options)},
            "fused labels": {"reading": plan.reading},
        }
        return common | {"method": trained_as.get(method, method)} | own.get(method, {})

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
            found = {str(row): [_ranked(s, target) for s in self.scores(row)] for row in ROWS}
            self._compare("disagreement", column, found, str(BASELINE))
        if "true variance" in self.disagreement:
            measure = _ranked(self.disagreement["true variance"], self.disagreement["raters' variance"])
            self._over_faces(CEILING, "raters' variance", measure)
        halves = [map(self._shares, split_votes(self._votes, seed=seed)) for seed in range(SPLITS)]
        ranked = [_ranked(*map(_entropy, both)) for both in halves]
        self._over_faces(HALF, "votes' entropy", lambda rows: float(np.mean([r(rows) for r in ranked])))
        for row in ROWS:
            if row.score != "entropy":
                entropies = self.scores(Row(row.method, "entropy"))
                pairs = zip(self.scores(row), entropies, strict=True)
                found = {str(row): [_ranked(own, entropy) for own, entropy in pairs]}
                self._compare("disagreement", OWN_ENTROPY, found)
        return self.ledger.table("disagreement")

    def finds_wrong_labels(self) -> ArtefactTable:
        """Area under the ROC curve of each method's doubt against the labels that most raters contradict."""
        wrong = self.parts.wrong
        found: dict[str, list[Measure]] = {}
        for method in METHODS:
            if method == ENSEMBLE:
                further = np.array_split([r["loss"] for r in self.results[ENSEMBLE]], len(self.members))
                losses = [
                    np.stack([first["loss"], *more]).mean(axis=0, dtype=np.float64)
                    for first, more in zip(self.results[PLAIN], further, strict=True)
                ]
            else:
                losses = [r["loss"].astype(np.float64) for r in self.results[method]]
            found[f"{method}: loss"] = [_area(wrong, loss) for loss in losses]
            if method in OWN_DOUBT:
                own = [r["doubt"].astype(np.float64) for r in self.results[method]]
                found[f"{method}: {OWN_DOUBT[method]}"] = [_area(wrong, d) for d in own]
        self._compare("wrong_labels", "area under the ROC curve", found, f"{PLAIN}: loss", of="train")
        return self.ledger.table("wrong_labels")

    def is_right(self) -> ArtefactTable:
        """Accuracy and macro F1 against what most raters say, after training on one source's labels."""

        def measures(measure: Callable[..., float], p: NDArray) -> Measure:
            said = p.argmax(axis=1)
            return lambda rows: float(measure(said[rows], self.label[rows]))

        for column, measure in {"accuracy": metrics.accuracy, "macro F1": metrics.macro_f1}.items():
            found = {m: [measures(measure, p) for p in self.probability(m)] for m in METHODS}
            self._compare("accuracy", column, found, PLAIN)
        return self.ledger.table("accuracy")

    def is_calibrated(self) -> ArtefactTable:
        """How sure each method says it is, as it comes; and judged after one temperature, which mends mere timidity.

        A network that learns wrong labels says less than it knows, and so the error of what comes out of it ranks
        confidence. Its temperature is fitted on one half of the persons and judged on the other, and the other way
        round; a number is the mean of both. It is fitted to what is then judged, most raters' word or all votes.
        Intervals take the temperatures as they are.
        """
        shares = self._shares(self._votes)
        of_log_p: dict[str, Callable[[NDArray, NDArray[np.int64]], float]] = {
            ERROR: lambda log_p, rows: calibration.calibration_error(log_p, self.label[rows]),
            NLL: lambda log_p, rows: calibration.nll(log_p, self.label[rows]),
            TO_VOTES: lambda log_p, rows: float(-(shares[rows] * log_p).sum(axis=1).mean()),
            "confidence less accuracy": lambda log_p, rows: calibration.overconfidence(
                log_p, self.label[rows]
            ),
        }
        log_p = {m: [_log(p) for p in self.probability(m)] for m in METHODS}
        for column, measure in of_log_p.items():
            found = {m: [_on_rows(measure, each) for each in of] for m, of in log_p.items()}
            self._compare("calibration", column, found)
        said = np.eye(CLASSES)[self.label]
        for name, target, columns in (("", said, (ERROR, NLL)), (" for the votes", shares, (TO_VOTES,))):
            fitted = {m: [self._temperatures(each, target) for each in of] for m, of in log_p.items()}
            for method, of in fitted.items():
                mean = np.mean(of, axis=1)
                self.ledger.over_seeds(
                    "calibration", method, f"temperature{name}", mean, source="faces", n=len(self.label)
                )
            for column in columns:
                found = {
                    m: [
                        self._cooled(of_log_p[column], each, at)
                        for each, at in zip(of, fitted[m], strict=True)
                    ]
                    for m, of in log_p.items()
                }
                self._compare("calibration", column + AFTER, found, PLAIN)
        floor = float(_entropy(shares).mean())
        for column in (TO_VOTES, TO_VOTES + AFTER):
            about: dict[str, Any] = {"source": "faces", "n": len(self.label), "interval": floor}
            self.ledger.add("calibration", "the votes themselves", column, **about)
        return self.ledger.table("calibration")

    @cached_property
    def _half(self) -> NDArray[np.bool_]:
        """(m,) the test faces of one half of the persons, drawn by lot."""
        units = self._units["test"]
        count = units.max() + 1
        return (np.random.default_rng(0).permutation(count) < count // 2)[units]

    def _temperatures(self, log_p: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
        """For the half's faces and for the rest's, each fitted on the other's."""
        return [fit_temperature(log_p[on], target[on]) for on in (~self._half, self._half)]

    def _cooled(
        self,
        measure: Callable[[NDArray, NDArray[np.int64]], float],
        log_p: NDArray[np.float64],
        temperatures: Sequence[float],
    ) -> Measure:
        """The mean over both halves of a measure of log probabilities and rows, each at its temperature."""
        cooled = log_softmax(log_p / np.where(self._half, *temperatures)[:, None], axis=1)

        def mean(rows: NDArray[np.int64]) -> float:
            parts = (rows[self._half[rows]], rows[~self._half[rows]])
            return float(np.mean([measure(cooled[part], part) for part in parts]))

        return mean

    def knows_when_to_stop(self) -> ArtefactTable:
        """Selective prediction: the area under risk over coverage, and the risk of the surest 80 %.

        A row's own network answers, and its score says which faces are left to people.
        """

        def areas(score: NDArray, wrong: NDArray[np.bool_]) -> Measure:
            return lambda rows: float(risk_over_coverage(score[rows], wrong[rows]).mean())

        def risks(score: NDArray, wrong: NDArray[np.bool_]) -> Measure:
            return lambda rows: float(
                risk_over_coverage(score[rows], wrong[rows])[round(KEPT * len(rows)) - 1]
            )

        for column, made in {AREA: areas, f"risk at {100 * KEPT:.0f} % coverage": risks}.items():
            found = {
                f"{row}{ASIDE if row.score in OF_AFFECT else ''}": [
                    made(score, p.argmax(axis=1) != self.label)
                    for score, p in zip(self.scores(row), self.probability(row.method), strict=True)
                ]
                for row in ROWS
            }
            self._compare("selective", column, found, str(BASELINE))
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
        for method in METHODS:
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
        return self.track.caution + CAVEATS[self.track.name]

    def conclusion(self) -> str:
        """Which would you use for what? Put together from the ledger alone."""
        return conclusion(self.ledger)

    # helpers

    def _compare(
        self,
        artefact: str,
        column: str,
        found: Mapping[str, Sequence[Measure]],
        baseline: str = "",
        *,
        of: str = "test",
    ) -> None:
        """Record every row, and its gain over the baseline's, taken so that a positive one is better.

        Without a baseline no gain is asked for. A gain's interval is over persons and seeds.
        """
        units = self._units[of]
        rest: dict[str, Any] = {"source": "faces", "n": len(units)}
        rows = np.arange(len(units))
        for row, measures in found.items():
            self.ledger.over_seeds(artefact, row, column, [m(rows) for m in measures], **rest)
        if not baseline:
            return
        sign = -1 if column in LOWER else 1
        pulls = {row: np.stack([pulled(m, units) for m in of], axis=1) for row, of in found.items()}
        for row, each in pulls.items():
            if row != baseline:
                gain = sign * (each - pulls[baseline])
                within = self._interval(gain)
                judged = verdict(within["interval"], 1) if within else Verdict.CANNOT_TELL
                self.ledger.add(
                    artefact,
                    f"{row} - {baseline}",
                    column,
                    values=gain.mean(axis=0),
                    unit="gain",
                    verdict=str(judged),
                    **within,
                    **rest,
                )

    def _interval(self, pulls: NDArray[np.float64]) -> dict[str, Any]:
        """The ledger's words for the bootstrap of (units, seeds); none of one seed, whose spread cannot be seen."""
        if pulls.shape[1] < 2:
            return {}
        found = crossed_bootstrap(_mean, pulls, clusters=None, seed=0, draws=self.plan.draws)
        return {
            "interval": found,
            "about": f"95 % bootstrap over {self.resampled(len(pulls))} and {pulls.shape[1]} seeds",
        }

    def resampled(self, count: int) -> str:
        """What is drawn anew beside the seeds, in words."""
        return f"{count} {'groups of faces' if self.faces.subject is None else 'persons'}"

    def _over_faces(self, row: str, column: str, measure: Measure) -> None:
        pulls = pulled(measure, self._units["test"])
        found = cluster_bootstrap(_mean, pulls, clusters=None, draws=self.plan.draws, seed=0)
        about = f"95 % bootstrap over {self.resampled(len(pulls))}"
        self.ledger.add(
            "disagreement", row, column, source="faces", n=len(self.label), interval=found, about=about
        )

    @cached_property
    def _units(self) -> dict[str, NDArray[np.int64]]:
        """(m,) and (n,) whose the test and training faces are; by lot one of `GROUPS` where nobody knows."""
        subject = self.faces.subject
        parts = {"test": self.parts.test, "train": self.parts.train}
        if subject is None:
            return {
                name: np.random.default_rng(0).permutation(len(rows)) % GROUPS for name, rows in parts.items()
            }
        return {name: np.unique(subject[rows], return_inverse=True)[1] for name, rows in parts.items()}


OWN_ENTROPY = "its own entropy"
ERROR, NLL, TO_VOTES = "calibration error", "negative log likelihood", "cross-entropy to the votes"
AFTER = ", one temperature"
AREA = "area under risk and coverage"
LOWER = {
    *(column + AFTER for column in (ERROR, NLL, TO_VOTES)),
    AREA,
    f"risk at {100 * KEPT:.0f} % coverage",
}  # columns whose small values are good


class Question(NamedTuple):
    """What is asked of a table: which column, "" for its first, and which rows, by how their names end."""

    words: str
    artefact: str
    column: str = ""
    ends: tuple[str, ...] = ("",)


QUESTIONS = (
    Question(
        "Knowing where people disagree, by the entropy of the categories", "disagreement", "", (": entropy",)
    ),
    Question(
        "The same, by a variance of valence and arousal",
        "disagreement",
        "",
        tuple(f": {score}" for score in OF_AFFECT),
    ),
    Question("Finding wrong labels, by a label's loss", "wrong_labels", "", (": loss",)),
    Question(
        "The same, by a method's own measure",
        "wrong_labels",
        "",
        tuple(dict.fromkeys(f": {words}" for words in OWN_DOUBT.values())),
    ),
    Question("Being right in spite of wrong labels", "accuracy"),
    Question("Saying how sure it is", "calibration", NLL + AFTER),
    Question("Saying how people's votes divide", "calibration", TO_VOTES + AFTER),
    Question("Leaving faces to people, by the entropy of the categories", "selective", "", (": entropy",)),
)
TOLD_AS = {"nothing": "told nothing more", "one rater": "told one rater", "all raters": "told all raters"}


def conclusion(ledger: Ledger) -> str:
    """For each question, the best row of those told as much that is surely ahead of the plain network, if any is."""
    judged: list[Entry] = []
    lines = [
        f"**Which would you use for what?** (track {ledger.track.name}, profile {ledger.track.profile})",
        "",
        f"| | {PLAIN} | {' | '.join(TOLD_AS.values())} |",
        "|---" * (2 + len(TOLD_AS)) + "|",
    ]
    for question in QUESTIONS:
        entries = [e for e in ledger.entries if e.artefact == f"{KEY}/{question.artefact}" and e.seeds]
        column = question.column or entries[0].column
        entries = [e for e in entries if e.column == column]
        rows = {e.row: e for e in entries if e.unit != "gain" and e.row.endswith(question.ends)}
        gains = {e.row.partition(" - ")[0]: e for e in entries if e.unit == "gain"}
        plain = entries[0]
        judged += [gains[row] for row in rows if row in gains]
        cells = [
            _answer([(rows[row], gains[row]) for row in rows if row in gains and _told(row) == told])
            for told in TOLD_AS
        ]
        lines.append(f"| {question.words} ({column}) | {plain.measured:.3f} | {' | '.join(cells)} |")
    ahead, behind = sum(e.ahead for e in judged), sum(e.behind for e in judged)
    lines += [
        "",
        "A cell names the best of the rows that are *surely* ahead of the plain network, those whose gain has a 95 % "
        "interval above zero. *None surely* leaves the plain network as the choice; in brackets stands the row that "
        "came nearest. Each line compares like with like, one kind of measure: a variance of valence and arousal is no "
        "candidate where it would be asked which categories are wrong.",
        "",
        f"Of the {len(judged)} comparisons with the plain network behind these lines {ahead} are surely gains, "
        f"{behind} surely losses, and {len(judged) - ahead - behind} cannot be told from nothing. They share the "
        "plain network's runs and the same faces, and restate each other in part. The best of several rows is partly "
        "luck, for which no interval here allows.",
    ]
    return "\n".join(lines)


def _answer(candidates: Sequence[tuple[Entry, Entry]]) -> str:
    """The best of (row, its gain), in words: of those surely ahead if there are any."""
    if not candidates:
        return "no such measure"
    sure = [pair for pair in candidates if pair[1].ahead]
    best, gain = max(sure or candidates, key=lambda pair: pair[1].measured)
    if sure:
        return f"**{best.row}** {best.measured:.3f}, gain {gain.measured:+.3f}{_between(gain)}"
    return f"none surely ({best.row} {best.measured:.3f}, gain {gain.measured:+.3f}{_between(gain)})"


def _told(row: str) -> str:
    method = row.partition(":")[0]
    return TOLD[PLAIN if method == ENSEMBLE else method]


def fit_temperature(log_p: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """The T of least cross-entropy from (n, K) shares to log_p / T: `calibration.fit_temperature` for votes."""
    found = minimize_scalar(
        lambda inverse: -(target * log_softmax(inverse * log_p, axis=1)).sum(),
        bounds=tuple(1 / t for t in reversed(calibration.TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def pulled(measure: Measure, units: NDArray[np.int64]) -> NDArray[np.float64]:
    """(g,) what each of g units of rows makes of a measure: their mean is the measure, their spread its uncertainty.

    The jackknife's pseudo-values (Tukey 1958), moved so that their mean is the measure of all rows: resampling them
    stands for resampling the units, and asks the measure g times instead of once a draw.
    """
    rows = np.arange(len(units))
    whole = measure(rows)
    without = np.array([measure(rows[units != unit]) for unit in range(units.max() + 1)])
    return whole + (len(without) - 1) * (without.mean() - without)


def apart(table: ArtefactTable, baseline: str) -> dict[str, dict[str, tuple[float, float]]]:
    """column -> row -> the interval of its difference from the baseline, laid off from the baseline's mean.

    One that misses the baseline's mean is of a row that surely differs from it.
    """
    middle = {e.column: e.measured for e in table.entries if e.row == baseline}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for e in table.entries:
        if e.unit == "gain" and not math.isnan(e.low):
            low, high = (-e.high, -e.low) if e.column in LOWER else (e.low, e.high)
            row = e.row.removesuffix(f" - {baseline}")
            found.setdefault(e.column, {})[row] = (middle[e.column] + low, middle[e.column] + high)
    return found


def beside(table: ArtefactTable) -> pd.DataFrame:
    """A line a row: mean and standard deviation over seeds, and the gain with its interval and verdict."""
    wide = table.wide
    names = [row for row in wide.index if " - " not in row]
    shown = {}
    for column in wide:
        gains = {
            e.row.partition(" - ")[0]: e for e in table.entries if e.column == column and e.unit == "gain"
        }
        shown[column] = wide[column][names]
        if gains:
            cells = [_gained(gains[name]) if name in gains else "" for name in names]
            shown[f"gain, {column}"] = pd.Series(cells, index=names)
    return pd.DataFrame(shown)


def _gained(gain: Entry) -> str:
    word = f" {gain.verdict}" if gain.ahead or gain.behind else ""
    return f"{gain.measured:+.3f}{_between(gain)}{word}"


def _between(gain: Entry) -> str:
    return "" if math.isnan(gain.low) else f" [{gain.low:+.3f}, {gain.high:+.3f}]"


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


def _mean(pulls: NDArray[np.float64]) -> float:
    return float(pulls.mean())


def _on_rows(measure: Callable[[NDArray, NDArray[np.int64]], float], log_p: NDArray[np.float64]) -> Measure:
    return lambda rows: measure(log_p[rows], rows)


def _area(wrong: NDArray[np.bool_], doubt: NDArray[np.float64]) -> Measure:
    """The chance that a wrong label is doubted more than a right one, by the ranks (Mann and Whitney 1947)."""

    def area(rows: NDArray[np.int64]) -> float:
        found = wrong[rows]
        count = found.sum()
        above = rankdata(doubt[rows])[found].sum() - count * (count + 1) / 2
        return float(above / (count * (len(rows) - count)))

    return area


def _ranked(a: NDArray, b: NDArray) -> Measure:
    """Spearman's; nought where one says the same of all, as a deviation that is predicted below nought does."""

    def rank(rows: NDArray[np.int64]) -> float:
        x, y = a[rows], b[rows]
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            return 0.0
        return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])

    return rank
