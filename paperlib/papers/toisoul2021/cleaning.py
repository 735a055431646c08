"""Cleaning by the released rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.companion.published import parse
from paperlib.labels import AFFECT, EXPRESSIONS, is_noisy
from paperlib.ledger import ArtefactTable
from paperlib.papers.toisoul2021.measures import printed_ccc, printed_step, sign_of
from paperlib.papers.toisoul2021.plan import (
    ALL,
    BEST,
    BY_OTHERS,
    CLEANED,
    MEASURES,
    NAMED,
    OVER_FACES,
    REMOVED,
    VOTES_ALONE,
)
from paperlib.papers.toisoul2021.runs import Runs
from paperlib.stats import Verdict
from paperlib.tasks.label_variance import one_rating
from paperlib.twin.prototypes import CIRCUMPLEX

BUILT_IN = "the rules remove just the faces whose vote dissents from the category, so that a higher score is built in"
GROUPS = 50  # that faces are dealt into by lot where nobody knows whose they are


class Cleaning(Runs):
    """What the release's rules remove, and whether training without it is better."""

    def cleaning(self) -> ArtefactTable:
        """What cleaning the test by the labels that are predicted does to a score, and how near to the truth's."""
        truth = self.parts.faces.truth
        unknown = "the truth is not known"
        if not self.clean.any():
            self._not_attempted("cleaning", "cleaning", self._why_not, **self._printed_cleaning())
            self._not_attempted("cleaning", "crucial", unknown)
            return self.table("cleaning")
        targets = {"given labels": self.affect}
        if truth is not None:
            targets["truth"] = truth.affect[self.parts.test].astype(np.float64)
        subsets = self.subsets()
        for name, rows in subsets.items():
            for (labels, target), (d, dimension) in product(targets.items(), enumerate(AFFECT)):
                values = [
                    float(metrics.ccc(r["affect"][rows, d].astype(np.float64), target[rows, d]))
                    for r in self.results[self.best]
                ]
                self._add("cleaning", name, f"CCC {dimension}, {labels}", values, n=int(rows.sum()))
        of_labels = {n: rows for n, rows in subsets.items() if n != ALL or self.labelled.all()}
        self._labels_of({**of_labels, REMOVED: self.labelled & ~self.clean})
        predicted = np.stack([r["affect"] for r in self.results[self.best]], axis=1).astype(np.float64)
        every = self.everybody
        for (measure, function), (d, dimension) in product(MEASURES.items(), enumerate(AFFECT)):
            self._cleaned_less_all(f"{measure} {dimension}", function, predicted[:, :, d], self.affect[:, d])
        named = np.stack([r["logits"].argmax(axis=1) for r in self.results[self.best]], axis=1)
        self._cleaned_less_all("accuracy", _right, named, self.label)
        compared = {CLEANED: ("truth",), BY_OTHERS: tuple(targets)}  # with the given labels the first is done
        for (name, of), (d, dimension) in product(compared.items(), enumerate(AFFECT)):
            for labels in [labels for labels in of if name in subsets and labels in targets]:
                self._over_networks(
                    f"{name} - {every}",
                    f"CCC {dimension}, {labels}",
                    partial(_gain_of_rows, function=metrics.ccc),
                    predicted[:, :, d],
                    targets[labels][:, d],
                    subsets[name],
                )
        if truth is None:
            self._not_attempted("cleaning", "crucial", unknown)
            return self.table("cleaning")
        for d, dimension in enumerate(AFFECT):
            column = f"CCC {dimension}, off the truth's"
            claim = f"Cleaning brings the score nearer to that with the right labels (CCC {dimension})"
            both = self.affect[:, d], targets["truth"][:, d]
            claimed = {"claim": claim, "claim_id": "crucial"}
            row, of_faces = f"{every} - {CLEANED}", (*both, self.clean)
            self._over_networks(row, column, _nearer_the_truth, predicted[:, :, d], *of_faces, **claimed)
        return self.table("cleaning")

    def _cleaned_less_all(
        self, measure: str, function: Callable[..., Any], predicted: NDArray, given: NDArray
    ) -> None:
        """What the rules' cleaning adds to the score with the given labels, a claim where the paper prints a gain."""
        column, told = f"{measure}, given labels", self._printed_cleaning(measure)
        gain = partial(_gain_of_rows, function=function, sign=sign_of(measure))
        claim = f"Cleaning the test set raises the score ({column})"
        before, after = (parse(cell).value for cell in told["printed"].split(" to "))
        about: dict[str, Any] = {**told}
        if sign_of(measure) * (after - before) > 0:
            about |= {"claim": claim, "claim_id": "cleaning"}
            if self.track.name in VOTES_ALONE:
                about["verdict"] = f"{Verdict.NOT_ATTEMPTED}: {BUILT_IN}"
        row = f"{CLEANED} - {self.everybody}"
        self._over_networks(row, column, gain, predicted, given, self.clean, **about)

    def _labels_of(self, subsets: Mapping[str, NDArray[np.bool_]]) -> None:
        """How good the labels are that each cleaning leaves, of faces with a category.

        By the truth: the error that they have, and the one that their raters' noise leads one to expect; a cleaning
        that keeps lucky labels leaves a lower one. Of votes alone: how many dissent from the category of the face.
        """
        faces, test = self.parts.faces, self.parts.test
        for name, rows in subsets.items():
            common: dict[str, Any] = {"source": "faces", "n": int(rows.sum())}
            if self.track.name in VOTES_ALONE:
                dissent = 100 * float((_voted(self.affect[rows]) != self.label[rows]).mean())
                column = "% whose vote to predict is not for the category"
                self.ledger.add("cleaning", name, column, interval=dissent, unit="%", **common)
            if faces.truth is None:
                continue
            share = 100 * float(faces.truth.mislabelled[test][rows].mean())
            self.ledger.add("cleaning", name, "% wrong categories", interval=share, unit="%", **common)
            right, noise = faces.truth.affect[test][rows], faces.truth.variance[test][rows]
            for d, dimension in enumerate(AFFECT):
                off = float(metrics.rmse(self.affect[rows, d], right[:, d].astype(np.float64)))
                expected = float(np.sqrt(noise[:, d].mean(dtype=np.float64)))
                for what, value in (("of the labels", off), ("of their raters' noise", expected)):
                    self.ledger.add("cleaning", name, f"RMSE {dimension} {what}", interval=value, **common)

    @property
    def everybody(self) -> str:
        """What cleaning starts from: a face whose votes tie has no category that could contradict it."""
        return ALL if self.labelled.all() else NAMED

    @staticmethod
    def _printed_cleaning(measure: str = "") -> dict[str, str]:
        """What the paper prints of the best row on its original and its clean set."""
        rows = BEST, BEST.replace(" ", " (clean set) ")
        told = printed_step(5, *rows, measure)
        return {"printed": told.words if told else printed_ccc(5, *rows), "printed_on": "AffectNet"}

    def subsets(self) -> dict[str, NDArray[np.bool_]]:
        """Test faces (n_test,) that each cleaning leaves; the last asks others than the annotator predicted."""
        faces, test = self.parts.faces, self.parts.test
        found = {ALL: np.ones(len(self.affect), bool)}
        if not self.labelled.all():
            found[NAMED] = self.labelled
        found[CLEANED] = self.clean
        if faces.truth is not None:
            found["right categories only"] = ~faces.truth.mislabelled[test]
        if faces.ratings is not None and faces.votes is not None:
            rater = np.where(np.isfinite(faces.ratings), np.arange(faces.ratings.shape[1])[:, None], np.nan)
            taken = rater == one_rating(rater, seed=0)[:, None]  # whose label is predicted
            other = one_rating(np.where(taken, np.nan, faces.ratings), seed=1)[test]
            votes = faces.votes[test].astype(np.float64)
            if self.track.name in VOTES_ALONE:  # there the label predicted is one of the votes
                own = np.arange(len(votes)), _voted(self.affect)
                votes[own] = np.maximum(votes[own] - 1, 0)
            drawn = np.random.default_rng(1).multinomial(
                1, votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
            )
            found[BY_OTHERS] = self.labelled & ~is_noisy(drawn.argmax(axis=1), other.clip(-1, 1))
        return found

    def _over_networks(
        self,
        row: str,
        column: str,
        statistic: Callable[..., float],
        predicted: NDArray[np.float64],
        *of_faces: NDArray,
        **rest: Any,
    ) -> None:
        """What cleaning does to networks, `predicted` (n, seeds): over faces with a category, and seeds.

        One seed cannot tell. Faces that are nobody's are drawn in groups, by lot: leaving out one at a time, as the
        bootstrap's correction asks for, takes minutes.
        """
        named, seeds = self.labelled, predicted.shape[1]
        arrays = predicted[named], *(np.repeat(of[named, None], seeds, axis=1) for of in of_faces)
        found: dict[str, Any] = {"interval": statistic(*arrays)}
        judged = Verdict.CANNOT_TELL
        if seeds > 1:
            n = int(named.sum())
            groups = min(GROUPS, n)
            by_lot = np.random.default_rng(0).permutation(n) % groups
            clusters = by_lot if self._persons is None else self._persons[named]
            unit = f"{groups} groups of faces" if self._persons is None else self.unit
            interval = stats.crossed_bootstrap(
                statistic, *arrays, clusters=clusters, seed=0, draws=self.plan.draws
            )
            judged = stats.verdict(interval, 1)
            found = {"interval": interval, "about": f"{OVER_FACES.format(unit=unit)} and {seeds} seeds"}
        about = {"verdict": str(judged), **found, **rest}
        self.ledger.add("cleaning", row, column, source="faces", n=int(named.sum()), **about)


def _gain_of_rows(
    predicted: NDArray,
    target: NDArray,
    use: NDArray[np.bool_],
    *,
    function: Callable[..., Any],
    sign: int = 1,
) -> float:
    """A measure of each column on the rows `use` less that on all: mean over networks, all arrays (n, seeds)."""
    rows = use[:, 0]
    return float(np.mean(sign * (function(predicted[rows], target[rows]) - function(predicted, target))))


def _right(named: NDArray, label: NDArray) -> NDArray[np.float64]:
    """Accuracy of each column of (n, seeds)."""
    return (named == label).mean(axis=0)


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


def _voted(affect: NDArray[np.float64]) -> NDArray[np.int64]:
    """The category of votes that are placed on the circumplex: (n, 2) to (n,)."""
    places = np.array([CIRCUMPLEX[name] for name in EXPRESSIONS])
    return np.square(affect[:, None] - places).sum(axis=2).argmin(axis=1)
