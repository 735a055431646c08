"""neo2023's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.companion.runs import Result, run_groups
from paperlib.ledger import Entry, Ledger
from paperlib.papers.neo2023.measures import macro_f1
from paperlib.papers.neo2023.plan import AS_GIVEN, CONDITIONS, KEY, TABLE3, Measure, grid, kinds, protocol
from paperlib.stats import Verdict
from paperlib.tasks.dual_domain import (
    Problem,
    problem,
)
from paperlib.tracks import Track

GROUPS = 200  # of faces whose people are unknown, resampled as wholes: as good as single faces, and faster


@dataclass
class Runs:
    """The runs on one track, their scores and errors, and the ledger."""

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

    def units(self, kind: str) -> tuple[NDArray[np.int64], str]:
        """The unit of each test face, 0 to G - 1, and what they are: faces of one person are not independent."""
        parts = self.parts(kind)
        if parts.subject is not None:
            names, unit = np.unique(parts.subject[parts.test], return_inverse=True)
            return unit, f"{len(names)} {'videos' if kind == 'videos' else 'people'}"
        count = min(GROUPS, len(parts.test))
        return np.arange(len(parts.test)) % count, f"{count} groups of faces"

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

    def f1(self, kind: str, condition: str, name: str, *, split: str = AS_GIVEN) -> list[float]:
        """Macro F1, one a seed, as a share like the paper's table 3."""
        return self.scores(kind, condition, name, macro_f1, split=split)

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
