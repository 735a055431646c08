"""Who knows where people disagree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from paperlib.labels import split_votes
from paperlib.ledger import ArtefactTable, Entry
from paperlib.papers.same_faces.measures import entropy_of, mean_of, pulled
from paperlib.papers.same_faces.plan import (
    BASELINE,
    CEILING,
    ESTIMATED,
    HALF,
    OWN_DOUBT,
    PLAIN,
    ROWS,
    Measure,
    Row,
)
from paperlib.papers.same_faces.runs import Runs
from paperlib.stats import (
    Interval,
    cluster_bootstrap,
    observed_variance,
)
from paperlib.tasks import same_faces as task

SPLITS = 20  # of the raters into halves
SPREAD, ENTROPY = "raters' variance", "votes' entropy"
OWN_ENTROPY = "its own entropy"


class Disagreement(Runs):
    """Whose score follows the raters' disagreement."""

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
        found[ENTROPY] = entropy_of(self._shares(self._votes(rows)))
        return found

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
            [entropy_of(self._shares(h)) for h in split_votes(self._votes(test), seed=s)] for s in seeds
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
            "fused labels: entropy of the label": [entropy_of(label) for label in fused],
        }
        for column, target in self._disagreement(self.parts.train).items():
            found = {row: [_ranked(s, target) for s in of] for row, of in scores.items()}
            self._compare("training_disagreement", column, found, f"{PLAIN}: loss", of="train")
        return self.ledger.table("training_disagreement")

    def _over_faces(self, row: str, column: str, measure: Measure, *, n: int = 0) -> Entry:
        pulls = pulled(measure, self._units["test"])
        return self.ledger.add(
            "disagreement",
            row,
            column,
            source="faces",
            n=n or len(self.label),
            interval=cluster_bootstrap(mean_of, pulls, clusters=None, draws=self.plan.draws, seed=0),
            about=f"95 % bootstrap over {self.resampled(len(pulls))}",
        )


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


def _ranked(a: NDArray, b: NDArray) -> Measure:
    """Spearman's; nought where one says the same of all, as a deviation that is predicted below nought does."""

    def rank(rows: NDArray[np.int64]) -> float:
        x, y = a[rows], b[rows]
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            return 0.0
        return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])

    return rank
