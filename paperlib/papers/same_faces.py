"""The same faces for every method: no paper's own, and what a user of all five would ask.

A notebook makes a `Study`, which trains what is missing, and asks it for one table after the other; each writes its
numbers to the ledger. Methods are compared with the plain network of the same seed and on the same faces, so that
differences are paired; all intervals resample persons and seeds together, for what is asked is about other people.
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
    Interval,
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
from paperlib.twin.prototypes import circumplex_table

KEY = "same_faces"
TASK = "paperlib.tasks.same_faces:train"
CONTROL = "paperlib.tasks.same_faces:train_on_majority"
PLAIN, ENSEMBLE = "plain network", "ensemble of three"
MAJORITY, VOTES = "plain network, majority label", "vote distribution"
NO_NETWORK = "no network"
MEMBERS = (100, 200)  # added to a seed: the members of its ensemble beside the plain network itself
KEPT = 0.8  # share of the faces that is answered where a single coverage is asked for
GROUPS = 50  # that faces are dealt into by lot where nobody knows whose they are
SPLITS = 20  # of the raters into halves
# A run's method is called what it is: of EmoFAN's losses it has the cross-entropy and the CCC alone.
CALLED = {"EmoFAN's losses": "categories + CCC"}
TOLD = {CALLED.get(name, name): told for name, told in task.TOLD.items()} | {MAJORITY: "all raters"}
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


# What a track cannot tell, said wherever its answer is.
LIMITS = {
    "twin": "People, their raters and the wrong labels are made by a program.",
    "ferplus": "What is told one rater here is told one of the ten votes that it is judged by, and to doubt each label "
    "that this vote contradicts needs no network; a network on half the label and half that vote, without fusion, was "
    "not trained.",
}
SAID_AS = {"weight": "one minus its weight"}  # a score that is kept as a doubt: high where unsure
OF_AFFECT = (
    "variance",
    "variance of the mean",
)  # scores that speak of valence and arousal, not of categories
ASIDE = " (another question)"  # marks such a score where it is asked which categories are wrong
HALF = "half of the raters, for the other half"
CEILING = "the true variance itself (a ceiling)"
ESTIMATED = "ceiling, estimated from the halves"
REFERENCES = {CEILING: "--", ESTIMATED: "-.", HALF: ":"}  # and their lines


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
RIVALS = (*METHODS[1:], NO_NETWORK)  # what is set beside the plain network
ROWS = tuple(Row(m, score) for m in METHODS for score in ("entropy", *OWN_SCORES.get(m, ())))
# What each method has to say against a given label, in words; those without a measure of their own have the loss.
VARIANCE = f"variance{ASIDE}"  # of a face, whatever its label
OWN_DOUBT = {
    "SCN": "one minus its weight",
    "LDLVA": "uncertainty factor",
    "fused labels": "what fusion takes from the label",
    "KL variance": VARIANCE,
    "beta-NLL": VARIANCE,
    "evidential regression": VARIANCE,
    "predicted disagreement": VARIANCE,
}
NOT_SAID = Row(NO_NETWORK, "not what the one rater says")
OF_PAPERS = {
    "KL variance": "foteinopoulou2021",
    "LDLVA": "le2023",
    "fused labels": "neo2023",
    "predicted disagreement": "han2017",
    "categories + CCC": "toisoul2021",
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
        if method == MAJORITY:
            return common
        method = PLAIN if method == ENSEMBLE else method
        own: dict[str, dict[str, Any]] = {
            "LDLVA": {"options": dict(plan.options)},
            "fused labels": {"reading": plan.reading},
        }
        return common | {"method": trained_as.get(method, method)} | own.get(method, {})

    return {
        method: [
            Run(
                task=CONTROL if method == MAJORITY else TASK,
                track=track,
                data=parts.faces.fingerprint,
                settings=settings(method),
                seed=s,
            )
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
        return self._disagreement(self.parts.test)

    def _disagreement(self, rows: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        assert self.faces.ratings is not None
        found = {}
        if self.faces.truth is not None:
            found["true variance"] = self.faces.truth.variance[rows].sum(axis=1).astype(np.float64)
        found[SPREAD] = np.sum(observed_variance(self.faces.ratings[rows]), axis=1)
        found[ENTROPY] = _entropy(self._shares(self._votes(rows)))
        return found

    def _votes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self.faces.votes is not None
        return self.faces.votes[rows, :CLASSES].astype(np.int64)

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
            self._over_faces(
                CEILING, SPREAD, _ranked(self.disagreement["true variance"], self.disagreement[SPREAD])
            )
        for column, (measure, count) in self._halves().items():
            half = self._over_faces(HALF, column, measure, n=count)
            bounds = (best_from_halves(r) for r in (half.measured, half.low, half.high))
            whole = Interval(**dict(zip(("estimate", "low", "high"), bounds, strict=True)), level=0.95)
            self.ledger.add(
                "disagreement",
                ESTIMATED,
                column,
                source="faces",
                n=count,
                interval=whole,
                about=half.interval,
            )
        for row in ROWS:
            if row.score != "entropy":
                entropies = self.scores(Row(row.method, "entropy"))
                pairs = zip(self.scores(row), entropies, strict=True)
                found = {str(row): [_ranked(own, entropy) for own, entropy in pairs]}
                self._compare("disagreement", OWN_ENTROPY, found)
        return self.ledger.table("disagreement")

    def _halves(self) -> dict[str, tuple[Measure, int]]:
        """How the halves of the raters agree on which faces are disputed, the mean of SPLITS; and of how many faces."""
        test, seeds = self.parts.test, range(SPLITS)
        assert self.faces.ratings is not None
        ratings = self.faces.ratings[test]
        # two to a half, for a variance
        enough = np.isfinite(ratings).all(axis=2).sum(axis=1) >= 4
        spreads = [[np.sum(observed_variance(h), axis=1) for h in split_ratings(ratings, s)] for s in seeds]
        entropies = [
            [_entropy(self._shares(h)) for h in split_votes(self._votes(test), seed=s)] for s in seeds
        ]

        def agreed(splits: Sequence[Sequence[NDArray]], known: NDArray[np.bool_]) -> tuple[Measure, int]:
            ranked = [_ranked(*both) for both in splits]
            return lambda rows: float(np.mean([r(rows[known[rows]]) for r in ranked])), int(known.sum())

        return {SPREAD: agreed(spreads, enough), ENTROPY: agreed(entropies, np.ones_like(enough))}

    def labels_know_disagreement(self) -> ArtefactTable:
        """The same of the training faces, by what two papers make of a given label, beside the plain network's loss.

        A fused label's entropy needs no network. What LDLVA makes of a label is not kept by these runs, its factor is.
        """
        fused = (
            task.fused(self.parts.label, task.rating(self.parts, r.run.seed), reading=self.plan.reading)
            for r in self.results["fused labels"]
        )
        scores = {
            f"{PLAIN}: loss": [r["loss"].astype(np.float64) for r in self.results[PLAIN]],
            f"LDLVA: {OWN_DOUBT['LDLVA']}": [r["doubt"].astype(np.float64) for r in self.results["LDLVA"]],
            "fused labels: entropy of the label": [_entropy(label) for label in fused],
        }
        for column, target in self._disagreement(self.parts.train).items():
            found = {row: [_ranked(s, target) for s in of] for row, of in scores.items()}
            self._compare("training_disagreement", column, found, f"{PLAIN}: loss", of="train")
        return self.ledger.table("training_disagreement")

    def finds_wrong_labels(self) -> ArtefactTable:
        """Area under the ROC curve of each method's doubt against the labels that most raters contradict.

        The last row needs no network: it doubts a label where the one rater whose place fusion is told says another
        category.
        """
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
        ratings = [task.rating(self.parts, r.run.seed) for r in self.results[PLAIN]]
        found[str(NOT_SAID)] = [_area(wrong, said_by(rating) != self.parts.label) for rating in ratings]
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
        shares = self._shares(self._votes(self.parts.test))
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
                self.ledger.add(
                    "calibration",
                    method,
                    f"temperature{name}",
                    source="faces",
                    n=len(self.label),
                    values=np.mean(of, axis=1),
                    interval=Interval(estimate=math.nan, low=math.nan, high=math.nan, level=0.95),
                    about="none of a temperature",
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
                COST,
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

        Without a baseline no gain is asked for; with one, also what the vote distribution gains over its control.
        Intervals are over persons and seeds.
        """
        units = self._units[of]
        rest: dict[str, Any] = {"source": "faces", "n": len(units)}
        rows = np.arange(len(units))
        pulls = {row: np.stack([pulled(m, units) for m in each], axis=1) for row, each in found.items()}
        for row, measures in found.items():
            values = [measure(rows) for measure in measures]
            self.ledger.add(artefact, row, column, values=values, **self._interval(pulls[row]), **rest)
        if not baseline:
            return
        pairs = [(row, baseline) for row in found if row != baseline]
        pairs += [(row, row.replace(VOTES, MAJORITY)) for row in found if row.startswith(VOTES)]
        for row, against in pairs:
            better, worse = (against, row) if column in LOWER else (row, against)
            gain = pulls[better] - pulls[worse]
            within = self._interval(gain)
            self.ledger.add(
                artefact,
                f"{better} - {worse}",
                column,
                values=gain.mean(axis=0),
                unit="gain",
                verdict=str(verdict(within["interval"], 1) if within else Verdict.CANNOT_TELL),
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

    def _over_faces(self, row: str, column: str, measure: Measure, *, n: int = 0) -> Entry:
        pulls = pulled(measure, self._units["test"])
        return self.ledger.add(
            "disagreement",
            row,
            column,
            source="faces",
            n=n or len(self.label),
            interval=cluster_bootstrap(_mean, pulls, clusters=None, draws=self.plan.draws, seed=0),
            about=f"95 % bootstrap over {self.resampled(len(pulls))}",
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


SPREAD, ENTROPY = "raters' variance", "votes' entropy"
OWN_ENTROPY = "its own entropy"
ERROR, NLL, TO_VOTES = "calibration error", "negative log likelihood", "cross-entropy to the votes"
AFTER = ", one temperature"
AREA = "area under risk and coverage"
COST = "processor time in training, plain network = 1"
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
        "Another question, the same by a variance of valence and arousal",
        "disagreement",
        "",
        tuple(f": {score}" for score in OF_AFFECT),
    ),
    Question("Finding wrong labels, by a label's loss", "wrong_labels", "", (": loss",)),
    Question(
        "Another question, the same by what a method says of a label itself",
        "wrong_labels",
        "",
        (*(f": {words}" for words in dict.fromkeys(OWN_DOUBT.values()) if words != VARIANCE), str(NOT_SAID)),
    ),
    Question("Being right in spite of wrong labels", "accuracy"),
    Question("Saying how sure it is", "calibration", NLL + AFTER),
    Question("Saying how people's votes divide", "calibration", TO_VOTES + AFTER),
    Question("Leaving faces to people, by the entropy of the categories", "selective", "", (": entropy",)),
)
TOLD_AS = {"nothing": "told nothing more", "one rater": "told one rater", "all raters": "told all raters"}


class Answer(NamedTuple):
    """What the ledger says to a question."""

    question: Question
    column: str
    rows: dict[str, Entry]  # all that are asked, the plain network's first
    gains: dict[str, Entry]  # over the plain network's
    shares: (
        tuple[Entry, Entry] | None
    )  # what the majority's label gains, and what the distribution gains over it


def answers(ledger: Ledger) -> list[Answer]:
    """For each of QUESTIONS the rows that it asks, and their gains.

    Raises:
        LookupError: the ledger lacks a question's table or rows, as one of older code does.
    """
    found = []
    for question in QUESTIONS:
        entries = [e for e in ledger.table(question.artefact).entries if e.seeds]
        column = question.column or entries[0].column
        entries = [e for e in entries if e.column == column]
        plain = entries[0]
        asked = {
            e.row: e for e in entries if e.unit != "gain" and (e is plain or e.row.endswith(question.ends))
        }
        pairs = {compared(e): e for e in entries if e.unit == "gain"}
        gains = {row: pairs[row, plain.row] for row in asked if row != plain.row}
        votes, majority = ([row for row in asked if row.partition(":")[0] == m] for m in (VOTES, MAJORITY))
        shares = (gains[majority[0]], pairs[votes[0], majority[0]]) if votes and majority else None
        found.append(Answer(question, column, asked, gains, shares))
    return found


def conclusion(ledger: Ledger) -> str:
    """For each question, the best row of those told as much that is surely ahead of the plain network, if any is.

    Then what of the votes' gain is the label's, and what the distribution's; and `plain_answer`.
    """
    cost = {e.row: e.measured for e in ledger.table("cost").entries}
    judged: list[Entry] = []
    lines = [
        f"**Which would you use for what?** (track {ledger.track.name}, profile {ledger.track.profile})",
        "",
        f"| | {PLAIN} | {' | '.join(TOLD_AS.values())} |",
        "|---" * (2 + len(TOLD_AS)) + "|",
    ]
    found = answers(ledger)
    for of in found:
        judged += of.gains.values()
        cells = [
            _answer([(of.rows[row], gain) for row, gain in of.gains.items() if told(row) == kind], cost)
            for kind in TOLD_AS
        ]
        plain = next(iter(of.rows.values()))
        lines.append(f"| {of.question.words} ({of.column}) | {plain.measured:.3f} | {' | '.join(cells)} |")
    ahead, behind = sum(e.ahead for e in judged), sum(e.behind for e in judged)
    lines += [
        "",
        "A cell names the best of the rows that are *surely* ahead of the plain network, those whose gain has a 95 % "
        "interval above zero, and what it costs to train, in plain networks. *None surely* leaves the plain network as "
        "the choice; in brackets stands the row that came nearest. *Another question* are lines whose rows are not of "
        "the plain network's kind: there a variance is set beside its entropy, and what a method says of a label "
        "beside its loss. A predicted variance speaks of a face, not of its label or category, and is no candidate "
        "where these are asked for.",
        "",
        f"Of the {len(judged)} comparisons with the plain network behind these lines {ahead} are surely gains, "
        f"{behind} surely losses, and {len(judged) - ahead - behind} cannot be told from nothing. They share the plain "
        "network's runs and the same faces, and restate each other in part. The best of several rows is partly luck, "
        "for which no interval here allows.",
        "",
        "**With all votes: what is the label's, and what the distribution's?** The vote distribution differs from the "
        "plain network in two things: whom it learns from, and that it learns how they divide. Its control learns the "
        "majority's label alone.",
        "",
        f"| | {MAJORITY}: gain over the {PLAIN} | {VOTES}: further gain |",
        "|---|---|---|",
        *(
            f"| {of.question.words} ({of.column}) | {' | '.join(_gained(e) for e in of.shares)} |"
            for of in found
            if of.shares
        ),
        "",
        f"**In plain words.** {plain_answer(ledger)}",
    ]
    return "\n".join(lines)


def plain_answer(ledger: Ledger) -> str:
    """What the ledger's numbers bear, in a few sentences, with the limit that the track sets."""
    found = answers(ledger)
    cost = {e.row: e.measured for e in ledger.table("cost").entries}
    of_each = {m: [[e for row, e in of.gains.items() if _method(row) == m] for of in found] for m in RIVALS}
    asked = {m: sum(map(bool, lines)) for m, lines in of_each.items()}
    ahead = {m: sum(any(e.ahead for e in rows) for rows in lines) for m, lines in of_each.items()}

    def named(kind: str) -> str:
        """The methods told so that are surely ahead of the plain network somewhere, the most often so first."""
        surely = sorted((m for m in RIVALS if told(m) == kind and ahead[m]), key=lambda m: -ahead[m])
        names = {NO_NETWORK: "doubt without a network"}
        said = [f"{names.get(m, m)} in {ahead[m]} of {asked[m]}" for m in surely]
        if ENSEMBLE in surely:
            said[surely.index(ENSEMBLE)] += f", at {cost[ENSEMBLE]:.1f} times the cost"
        return f"surely ahead are: {'; '.join(said)}" if said else "nothing is surely ahead"

    shares = [of.shares for of in found if of.shares]
    papers = ", ".join(f"{m} ({key})" for m, key in OF_PAPERS.items() if ahead[m])
    return (
        f"With all raters' votes to learn from, the {VOTES} is surely ahead of a plain network in {ahead[VOTES]} of "
        f"{asked[VOTES]} lines; its control, the majority's label alone, is so in {ahead[MAJORITY]}, and the "
        f"distribution surely adds to it in {sum(more.ahead for _, more in shares)}. Told one rater beside the label, "
        f"{named('one rater')}. Told the label alone, {named('nothing')}. Of the five papers' methods, "
        f"{f'these are surely ahead in some line: {papers}' if papers else 'none is surely ahead in any line'}. "
        f"{LIMITS[ledger.track.name]}"
    )


def _answer(candidates: Sequence[tuple[Entry, Entry]], cost: Mapping[str, float]) -> str:
    """The best of (row, gain) that are surely ahead; else the best of all, and that it is not surely so."""
    if not candidates:
        return "no such measure"
    sure = [pair for pair in candidates if pair[1].ahead]
    best, gain = max(sure or candidates, key=lambda pair: pair[1].measured)
    times = "no training" if _method(best.row) == NO_NETWORK else f"cost {cost[_method(best.row)]:.1f}"
    said = f"{best.measured:.3f}, gain {gain.measured:+.3f}{_between(gain)}, {times}"
    return f"**{best.row}** {said}" if sure else f"none surely ({best.row} {said})"


def told(row: str) -> str:
    """What the method of a row is told of a training face beside the label, a value of TOLD."""
    return {ENSEMBLE: "nothing", NO_NETWORK: "one rater", **TOLD}[_method(row)]


def _method(row: str) -> str:
    return row.partition(":")[0]


def compared(gain: Entry) -> tuple[str, str]:
    """Which row gains, and over which: differences are named as they are taken, so that a positive one is a gain."""
    first, _, second = gain.row.partition(" - ")
    return (second, first) if gain.column in LOWER else (first, second)


def said_by(affect: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the category that one rater's valence and arousal (n, 2) are nearest to; on FER+ it is that rater's vote."""
    return np.square(affect[:, None] - circumplex_table()).sum(axis=2).argmin(axis=1)


def split_ratings(
    ratings: NDArray[np.floating], seed: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Each row's raters dealt at random into two halves: (n, K, 2) twice, NaN where a rater is of the other half.

    The first half has one rater fewer where their number is odd; as `labels.split_votes` deals votes.
    """
    rated = np.isfinite(ratings).all(axis=2)
    draw = np.random.default_rng(seed).random(rated.shape)
    place = np.where(rated, draw, np.inf).argsort(axis=1).argsort(axis=1)
    first = (place < rated.sum(axis=1, keepdims=True) // 2)[..., None]
    return np.where(first, ratings, np.nan), np.where(first, np.nan, ratings)


def best_from_halves(r: float) -> float:
    """How well what is free of error would go with all raters, of whose halves one goes with the other by r.

    The root of the reliability 2 r / (1 + r) (Spearman 1910, Brown 1910); for ranks an approximation. Nought where r
    is not above it.
    """
    return math.sqrt(2 * r / (1 + r)) if r > 0 else 0.0


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
            row, against = compared(e)
            low, high = (-e.high, -e.low) if e.column in LOWER else (e.low, e.high)
            if against == baseline:
                found.setdefault(e.column, {})[row] = (middle[e.column] + low, middle[e.column] + high)
    return found


def beside(table: ArtefactTable) -> pd.DataFrame:
    """A line a row: mean and standard deviation over seeds, and the gain over the first with interval and verdict."""
    wide = table.wide
    names = [row for row in wide.index if " - " not in row]
    shown = {}
    for column in wide:
        of = [e for e in table.entries if e.column == column and e.unit == "gain"]
        gains = {row: e for e in of for row, against in [compared(e)] if against == names[0]}
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
