"""same_faces's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from paperlib.companion.runs import Result, run_groups
from paperlib.data.records import FaceSet
from paperlib.ledger import Ledger
from paperlib.models.joint import disagreement
from paperlib.papers.same_faces.measures import entropy_of, mean_of, pulled
from paperlib.papers.same_faces.plan import (
    ENSEMBLE,
    KEY,
    LOWER,
    MAJORITY,
    MEMBERS,
    PLAIN,
    VOTES,
    Measure,
    Row,
    grid,
    protocol,
)
from paperlib.stats import (
    Verdict,
    crossed_bootstrap,
    verdict,
)
from paperlib.tasks.noisy_labels import CLASSES
from paperlib.tasks.same_faces import Problem, problem
from paperlib.tracks import Track

GROUPS = 50  # that faces are dealt into by lot where nobody knows whose they are


@dataclass
class Runs:
    """The runs on one track, every method's scores of every face, and the ledger."""

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
            return [entropy_of(p) for p in self.probability(row.method)]
        return [r[f"score: {row.score}"].astype(np.float64) for r in self.results[row.method]]

    def _votes(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self.faces.votes is not None
        return self.faces.votes[rows, :CLASSES].astype(np.int64)

    @staticmethod
    def _shares(votes: NDArray[np.int64]) -> NDArray[np.float64]:
        return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)

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
        found = crossed_bootstrap(mean_of, pulls, clusters=None, seed=0, draws=self.plan.draws)
        return {
            "interval": found,
            "about": f"95 % bootstrap over {self.resampled(len(pulls))} and {pulls.shape[1]} seeds",
        }

    def resampled(self, count: int) -> str:
        """What is drawn anew beside the seeds, in words."""
        return f"{count} {'groups of faces' if self.faces.subject is None else 'persons'}"

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


def _normalised(probability: NDArray) -> NDArray[np.float64]:
    """As kept in half precision, to sum to one again."""
    p = probability.astype(np.float64)
    return p / p.sum(axis=1, keepdims=True)
