"""toisoul2021's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib.companion.published import claims_for_runs
from paperlib.companion.runs import Result, run_groups
from paperlib.labels import is_noisy
from paperlib.ledger import ArtefactTable, Ledger
from paperlib.papers.toisoul2021.plan import BASELINES, KEY, TABLE5, grid, protocol
from paperlib.stats import Verdict
from paperlib.tasks.emofan import clips, problem
from paperlib.tracks import Track


@dataclass(frozen=True)
class Table(ArtefactTable):
    """An artefact whose caption says what an interval over seeds leaves out."""

    @property
    def caption(self) -> str:
        return re.sub(r"(t interval over \d+ seeds)", r"\1, for these faces", super().caption)


@dataclass
class Runs:
    """The runs on one track, their scores, and the ledger."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[str, list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"toisoul2021 learns valence and arousal of faces with landmarks; track {self.track.name} has not both"
            )
        self.plan, self.parts = protocol(self.track), problem(self.track)
        self.results = run_groups(runs, jobs=self.jobs)
        few = clips(self.track)
        small = {} if few is None else {"clips": few.fingerprint}
        self.ledger = Ledger(KEY, self.track, {"faces": self.parts.fingerprint} | small, self.results)
        test = self.parts.test
        self.label, self.affect = self.parts.label[test], self.parts.affect[test].astype(np.float64)
        self.labelled = self.label >= 0
        self.clean = np.zeros(len(test), bool)
        self.clean[self.labelled] = ~is_noisy(
            self.label[self.labelled], self.parts.affect[test][self.labelled]
        )
        self.best = [name for name in TABLE5 if name in self.results][-1]
        self.baseline = next(name for name in BASELINES if name in self.results)

    def table(self, artefact: str) -> Table:
        """An artefact as the page shows it.

        Raises:
            LookupError: nothing was recorded for it.
        """
        return Table(artefact=artefact, entries=self.ledger.table(artefact).entries)

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
    def persons(self) -> int | None:
        """How many the test has; None where nobody knows."""
        return None if self._persons is None else len(np.unique(self._persons))

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
        unfair: str = "",
        **rest: Any,
    ) -> None:
        """One value a seed, of n test faces: of all that can be scored, unless said otherwise.

        A claim cannot be told if its comparison is `unfair`, and why.
        """
        count = int(self.labelled.sum()) if column == "accuracy" else len(self.affect)
        common: dict[str, Any] = {"values": values, "source": "faces", "n": count if n is None else n}
        if unfair and rest.get("claim"):
            verdict = f"{Verdict.CANNOT_TELL}: {unfair}"
            self.ledger.add(artefact, row, column, verdict=verdict, **common, **rest)
        else:
            self.ledger.over_seeds(artefact, row, column, **common, **rest)

    @property
    def _persons(self) -> NDArray | None:
        """Of the test faces; None where every face is somebody's own."""
        return None if self.parts.faces.subject is None else self.parts.faces.subject[self.parts.test]
