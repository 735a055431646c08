"""foteinopoulou2021's runs on one track, and what every part of its page reads of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import stats
from paperlib.companion.runs import Result, run_groups
from paperlib.data.records import FaceSet, SequenceSet, subset
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.papers.foteinopoulou2021.plan import BASELINE, KEY, grid, protocol
from paperlib.tracks import Track

GROUPS = 50  # that pictures are dealt into by lot where nobody knows whose they are
# Why a track cannot say how raters differ.
NOT_OF_RATERS = {
    "twin": "the twin's raters are made to differ so",
    "ferplus": "nobody rated valence or arousal, and where the votes' points lie decides it",
}
COUNTED = (
    "networks whose test rejects",
    "PCC: cells",
    "RMSE, PCC: cells",
    "MSE, PCC: cells",
    "RMSE, MSE, PCC: cells",
)


@dataclass(frozen=True)
class Predicted:
    """One method's Gaussians for the same items, one (n, 2) array a seed."""

    mean: Sequence[NDArray]
    variance: Sequence[NDArray]
    results: Sequence[Result]

    @property
    def average_variance(self) -> NDArray:
        return np.mean(self.variance, axis=0)


class FineTable(ArtefactTable):
    """An artefact whose spreads and small numbers keep two significant digits, and whose counts have no decimals."""

    @property
    def frame(self) -> pd.DataFrame:
        frame = super().frame
        for line, e in zip(frame.index, self.entries, strict=True):
            if e.unit or not np.isfinite(e.measured):
                continue
            if e.column.startswith(COUNTED):
                frame.loc[line, "measured"] = f"{e.measured:.0f}"
                continue
            sure = e.spread if e.seeds > 1 else (e.high - e.low) / 2
            places = _places(sure if np.isfinite(sure) else e.measured)
            spread = f" ± {e.spread:.{places}f}" if e.seeds > 1 else ""
            frame.loc[line, "measured"] = f"{e.measured:.{places}f}{spread}"
            if np.isfinite(e.low):
                frame.loc[line, "95 % interval"] = f"[{e.low:.{places}f}, {e.high:.{places}f}]"
        return frame


@dataclass
class Runs:
    """The runs on one track, what they predict, the faces and recordings they are judged by, and the ledger."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"foteinopoulou2021 learns valence and arousal; track {self.track.name} has none"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        everything = {"faces": self.track.faces(), "sequences": self.track.sequences()}
        self.ledger = Ledger(
            KEY, self.track, {k: v.fingerprint for k, v in everything.items() if v is not None}, self.results
        )

    @cached_property
    def faces(self) -> FaceSet | None:
        """The test faces."""
        faces = self.track.faces()
        return None if faces is None else subset(faces, faces.split == "test")

    @cached_property
    def sequences(self) -> SequenceSet | None:
        return self.track.sequences()

    @property
    def draws(self) -> int:
        return protocol(self.track).draws

    @property
    def main(self) -> str:
        """The backbone that all but Table IV rests on, by the name of what was trained."""
        return protocol(self.track).main

    def predicted(self, backbone: str, method: str) -> Predicted:
        """What a method predicts: (n_test, 2) for faces, (n, 2) out of fold for sequences."""
        if method == "MC dropout":
            results = self.results[backbone, BASELINE]
            return Predicted(
                [r["dropout_mean"] for r in results], [r["dropout_variance"] for r in results], results
            )
        if method == "deep ensemble":
            return ensemble(self.predicted(backbone, "Gaussian NLL"))
        results = self.results[backbone, method]
        return Predicted([r["mean"] for r in results], [np.exp(r["log_variance"]) for r in results], results)

    def shown(self, artefact: str) -> ArtefactTable:
        """A recorded artefact as the page shows it."""
        return FineTable(artefact=artefact, entries=self.ledger.table(artefact).entries)

    def extremes_of_one_subject(self, variance: NDArray) -> tuple[int, int]:
        """Lowest and highest segment of the subject whose segments' variance (n, 2), summed, ranges most."""
        assert self.sequences is not None
        total = variance.sum(axis=1)
        owned = [np.flatnonzero(self.sequences.subject == s) for s in np.unique(self.sequences.subject)]
        rows = max(owned, key=lambda r: np.ptp(total[r]))
        return int(rows[total[rows].argmin()]), int(rows[total[rows].argmax()])

    def kinds(self) -> list[tuple[str, FaceSet | SequenceSet, str]]:
        """What the track has: its name, the data, and the backbone whose results stand for it."""
        every = ("sequences", self.sequences, "NetVLAD"), ("faces", self.faces, self.main)
        return [(source, record, backbone) for source, record, backbone in every if record is not None]

    def with_ratings(self) -> list[tuple[str, FaceSet | SequenceSet, str]]:
        """Those of `kinds` that single raters rated."""
        return [kind for kind in self.kinds() if kind[1].ratings is not None]

    def _of_table2(self, source: str, column: str) -> list[Entry]:
        entries = [e for e in self.ledger.table("table2").entries if e.column.startswith(column)]
        found = [e for d in AFFECT for e in entries if e.row == f"{source}: {d}"]
        if not found:
            raise LookupError(f"table2 has no {column} of {source}")
        return found

    def _of_raters(self, verdict: stats.Verdict) -> str:
        """A verdict on how raters differ in valence and arousal, where people rated these."""
        why = NOT_OF_RATERS.get(self.track.name)
        return f"{stats.Verdict.NOT_ATTEMPTED}: {why}" if why else str(verdict)

    def _nothing(self, artefact: str, why: str, row: str = "all") -> None:
        """Record that a question of ours could not be asked on this track, and why."""
        self.ledger.add(artefact, row, "", source="", n=0, verdict=f"{stats.Verdict.NOT_ATTEMPTED}: {why}")

    def _over_items(
        self, statistic: Callable[..., float], *arrays: NDArray, clusters: NDArray | None
    ) -> stats.Interval:
        return stats.cluster_bootstrap(statistic, *arrays, clusters=clusters, seed=0, draws=self.draws)

    def _over_items_and_seeds(
        self,
        statistic: Callable[..., float],
        learned: NDArray,
        *of_items: NDArray,
        clusters: NDArray | None,
    ) -> dict[str, Any]:
        """A ledger's interval for what the method, not these networks, does: `learned` (n, seeds, ...) and (n, ...).

        Of one network there are no bounds. Pictures that are nobody's are drawn in groups, by lot: leaving out one at a
        time would take minutes.
        """
        n, seeds = learned.shape[:2]
        arrays = learned, *(np.repeat(of[:, None], seeds, axis=1) for of in of_items)
        if seeds < 2:
            return {
                "interval": stats.Interval(estimate=statistic(*arrays), low=np.nan, high=np.nan, level=0.95)
            }
        unit = "subjects"
        if clusters is None:
            groups = min(GROUPS, n)
            clusters, unit = np.random.default_rng(0).permutation(n) % groups, f"{groups} groups of pictures"
        found = stats.crossed_bootstrap(statistic, *arrays, clusters=clusters, seed=0, draws=self.draws)
        return {"interval": found, "about": f"95 % bootstrap of {unit} and {seeds} seeds"}


def ensemble(members: Predicted) -> Predicted:
    """Deep ensembles (Lakshminarayanan et al. 2017, sec. 2.4): the Gaussian of the mixture's mean and variance.

    From S seeds, S ensembles of S - 1 members, each leaving one seed out. They share members, so their spread
    understates that of independent ensembles.
    """
    seeds = range(len(members.mean))
    mean, variance = [], []
    for left_out in seeds:
        m = np.stack([members.mean[s] for s in seeds if s != left_out])
        v = np.stack([members.variance[s] for s in seeds if s != left_out])
        mean.append(m.mean(axis=0))
        variance.append(v.mean(axis=0) + m.var(axis=0))
    return Predicted(mean, variance, members.results)


def winner(votes: NDArray) -> NDArray[np.int8]:
    """The category (n,) with the most of the votes (n, 8); -1 of a tie, or where nobody voted."""
    most = votes == votes.max(axis=1, keepdims=True)
    return np.where(most.sum(axis=1) == 1, votes.argmax(axis=1), -1).astype(np.int8)


def _places(value: float) -> int:
    """Decimals that show two significant digits of a value, at least three and at most six."""
    if not np.isfinite(value) or value == 0:
        return 3
    return int(np.clip(1 - np.floor(np.log10(abs(value))), 3, 6))
