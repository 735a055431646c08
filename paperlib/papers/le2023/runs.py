"""le2023's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.stats.multitest import multipletests

from paperlib import stats
from paperlib.companion.runs import Result, run_groups
from paperlib.data.records import FaceSet
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.papers.le2023.plan import (
    BASELINE,
    CLEAN,
    CONDITIONS,
    HOLM,
    KEY,
    NATURAL,
    OURS,
    POPULATIONS,
    grid,
    hard_condition,
    protocol,
)
from paperlib.stats import paired_differences
from paperlib.tasks.noisy_labels import (
    CLASSES,
    Problem,
    problem,
    training_labels,
)
from paperlib.tracks import Track


@dataclass
class Runs:
    """The runs on one track, how right each method is, and the ledger."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"le2023 learns categories beside valence and arousal; track {self.track.name} has not both"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        self.ledger = Ledger(KEY, self.track, {"faces": self.faces.fingerprint}, self.results)

    @cached_property
    def faces(self) -> FaceSet:
        faces = self.track.categories()
        assert faces is not None
        return faces

    @cached_property
    def parts(self) -> Problem:
        return problem(self.track)

    @property
    def hard(self) -> str:
        return hard_condition(self.track)

    @property
    def conditions(self) -> list[str]:
        return [c for c in CONDITIONS if (c, OURS) in self.results and c != POPULATIONS]

    def category(self, rows: NDArray) -> NDArray[np.int8]:
        assert self.faces.expression is not None
        return self.faces.expression[rows]

    def probability(self, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Predicted distributions of the test faces (n_test, 7), one a seed."""
        return [r["probability"].astype(np.float64) for r in self.results[condition, method]]

    def accuracy(self, condition: str, method: str, label: NDArray | None = None) -> list[float]:
        """Per cent of the test faces, one a seed, whose likeliest class is `label` (n_test,), else their category."""
        label = self.category(self.parts.test_rows) if label is None else label
        return [100 * float((p.argmax(axis=1) == label).mean()) for p in self.probability(condition, method)]

    def labels(self, condition: str, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Given and right labels of the training faces (n,) under a condition."""
        about = CONDITIONS[condition]
        return training_labels(self.track, about["labels"], noise=about["noise"], seed=seed)

    @property
    def places(self) -> NDArray[np.float32]:
        """Pseudo valence and arousal (n, 2) of the training faces."""
        regression = self.results["", "regressor"]
        return regression[0]["affect"] if regression else np.asarray(self.parts.affect)

    def _table(self, artefact: str) -> ArtefactTable:
        """The artefact's table, once its lines of one statement are judged together.

        A line that its own interval tells from none, and Holm's test at 5 % over all measured lines of the statement
        does not, becomes *cannot tell*, with both p values.
        """
        entries, families = self.ledger.entries, dict[str, list[int]]()
        for i, e in enumerate(entries):
            if e.artefact == f"{KEY}/{artefact}" and e.claim and np.isfinite(e.low):
                families.setdefault(e.claim_id, []).append(i)
        for lines in (of for of in families.values() if len(of) > 1):
            p = [_chance(entries[i]) for i in lines]
            stays, corrected = multipletests(p, alpha=0.05, method="holm")[:2]
            for i, alone, kept, together in zip(lines, p, stays, corrected, strict=True):
                if entries[i].verdict in (stats.Verdict.HELD, stats.Verdict.DID_NOT_HOLD) and not kept:
                    said = f"{stats.Verdict.CANNOT_TELL}: p {alone:.3f} alone, {together:.2f} {HOLM} "
                    said += f"{len(lines)} lines of this statement"
                    entries[i] = replace(entries[i], verdict=said)
        return self.ledger.table(artefact)

    def gap_closed(self, method: str) -> list[float]:
        """Per cent of the way from the baseline to the baseline trained on the consensus, one a seed.

        The way is its mean over seeds: where it is short, a seed's own may be next to nothing.
        """
        way = np.mean(self._way())
        return [100 * float(gain / way) for gain in self._gains(NATURAL, method, BASELINE)]

    def _way(self) -> list[float]:
        return self._gains_between((CLEAN, BASELINE), (NATURAL, BASELINE))

    def _gap_closed(self, artefact: str, method: str) -> None:
        """A share of the way, where the way is known to a half of itself; of a shorter one a share says nothing."""
        way = stats.mean_interval(self._way())
        if way.low > way.estimate / 2:
            self._over_seeds(artefact, method, "% of the natural gap closed", self.gap_closed(method))

    def human(self, rows: NDArray) -> NDArray[np.float64]:
        """Shares of the raters' votes for the seven categories (rows, 7)."""
        assert self.faces.votes is not None
        votes = self.faces.votes[rows, :CLASSES].astype(np.float64)
        return votes / votes.sum(axis=1, keepdims=True)

    def common(self, condition: str) -> int:
        """How many seeds all methods of a condition have: the first ones."""
        return min(len(group) for (c, _), group in self.results.items() if c == condition)

    @property
    def n_train(self) -> int:
        return len(self.parts.rows)

    def _single(self, artefact: str, row: str, column: str, value: float, *, n: int) -> None:
        self.ledger.add(artefact, row, column, source="faces", n=n, interval=float(value))

    def _over_seeds(
        self,
        artefact: str,
        row: str,
        column: str,
        values: Sequence[float],
        claim: str = "",
        *,
        n: int | None = None,
        **rest: Any,
    ) -> None:
        """One value a seed, of n faces: the test's, unless said otherwise."""
        count = len(self.parts.test_rows) if n is None else n
        self.ledger.over_seeds(artefact, row, column, values, claim=claim, source="faces", n=count, **rest)

    def _over_faces(
        self,
        artefact: str,
        row: str,
        column: str,
        each: NDArray,
        rows: NDArray,
        claim: str = "",
        *,
        why: str = "",
        **rest: Any,
    ) -> None:
        """The mean over faces with its bootstrap interval, of persons where they are known; `why` none can be told."""
        subject = self.faces.subject
        clusters = None if subject is None else subject[rows]
        interval = stats.cluster_bootstrap(
            lambda v: float(v.mean()), each, clusters=clusters, seed=0, draws=protocol(self.track).draws
        )
        self.ledger.add(
            artefact,
            row,
            column,
            source="faces",
            n=len(each),
            interval=interval,
            about=f"95 % bootstrap of {'pictures' if subject is None else 'subjects'}",
            claim=claim,
            verdict=f"{stats.Verdict.CANNOT_TELL}: {why}" if why else stats.verdict(interval, 1),
            **rest,
        )

    def _score(
        self,
        artefact: str,
        condition: str,
        method: str,
        *,
        row: str = "",
        printed: str = "",
    ) -> None:
        self._over_seeds(
            artefact,
            row or method,
            f"{condition}: accuracy",
            self.accuracy(condition, method),
            results=self.results[condition, method],
            unit="%",
            printed=printed,
            printed_on=printed_on(condition) if printed else "",
        )
        values = self.accuracy(condition, method)
        self._common_seeds(artefact, condition, row or method, f"{condition}: accuracy", values, unit="%")

    def _common_seeds(
        self, artefact: str, condition: str, row: str, column: str, values: Sequence[float], **rest: Any
    ) -> None:
        """The mean that differences from methods of fewer seeds rest on, where a method has more."""
        few = self.common(condition)
        if few < len(values):
            self._over_seeds(artefact, f"{row}, seeds 0 to {few - 1}", column, values[:few], **rest)

    def _gains(self, condition: str, ours: str, theirs: str) -> list[float]:
        return self._gains_between((condition, ours), (condition, theirs))

    def _gains_between(self, ours: tuple[str, str], theirs: tuple[str, str]) -> list[float]:
        return paired_differences(self.accuracy(*ours), self.accuracy(*theirs))

    def _gain(
        self, artefact: str, condition: str, ours: str, theirs: str, claim: str = "", **rest: Any
    ) -> None:
        gains, column = self._gains(condition, ours, theirs), f"{condition}: accuracy"
        self._over_seeds(artefact, f"{ours} - {theirs}", column, gains, claim, unit="%", **rest)


def _chance(entry: Entry) -> float:
    """Two-sided p of a difference: of the t test over seeds, or by its interval of pictures taken as a normal one."""
    if entry.seeds > 1:
        p = stats.paired_difference(entry.values, np.zeros(entry.seeds)).p
        return 1.0 if np.isnan(p) else p
    error = (entry.high - entry.low) / (2 * norm.ppf(0.975))
    return float(2 * norm.sf(abs(entry.measured) / error)) if error > 0 else float(entry.measured == 0)


def printed_on(condition: str) -> str:
    """What the paper's accuracies are of that stand beside ours."""
    return "RAF-DB, 30 % flipped" if condition == NATURAL else "RAF-DB"
