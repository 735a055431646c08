"""Distillation's teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from paperlib import metrics, stats
from paperlib.ledger import ArtefactTable
from paperlib.papers.toisoul2021.measures import of_most
from paperlib.papers.toisoul2021.plan import AGREES, GIVEN, TEACHERS, VOTES_ALONE, VOTES_RMSE
from paperlib.papers.toisoul2021.runs import Runs
from paperlib.stats import Verdict


class Teachers(Runs):
    """What a student is given: the teacher's distributions beside the votes."""

    def teacher(self) -> ArtefactTable:
        """Are a teacher's labels of the training faces cleaner than the labels that it learnt?

        That asks for both: distributions over categories with a lower RMSE to the shares of the raters' votes, and a
        first category that is that of most raters more often. Any soft label has a lower RMSE than a hard one that is
        often wrong; so the claim is against the given label smoothed evenly, by as much as brings it nearest. The one
        of the two that speaks for it less decides.
        """
        faces, train = self.parts.faces, self.parts.train
        votes, label = faces.votes, self.parts.label[train]
        there = [name for name in TEACHERS if name in self.results]
        if votes is None or not there or self.track.name in VOTES_ALONE:
            known = "the labels learnt are already what most raters chose"
            why = known if votes is not None and there else "several raters' categories are not known"
            self._not_attempted("teacher", "smooths", why)
            return self.table("teacher")
        counts, n = votes[train].astype(np.float64), len(label)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        hard = np.eye(share.shape[1])[label]
        given = dict(zip(GIVEN, (hard, _smoothed(hard, share)), strict=True))
        off = {row: float(metrics.rmse(of.ravel(), share.ravel())) for row, of in given.items()}
        for row, value in off.items():
            self.ledger.add("teacher", row, VOTES_RMSE, source="faces", n=n, interval=value)
        kinds = {AGREES: np.ones(n, bool)}
        if faces.truth is not None:
            wrong = faces.truth.mislabelled[train]
            kinds |= {f"{AGREES}, wrong labels": wrong, f"{AGREES}, other labels": ~wrong}
        right = of_most(counts, label)
        for column, rows in kinds.items():
            agrees = float(right[rows].mean())
            self.ledger.add("teacher", GIVEN[0], column, source="faces", n=int(rows.sum()), interval=agrees)
        for name in there:
            logits = [r["train"].astype(np.float64) for r in self.results[name]]
            taught = [float(metrics.rmse(softmax(x, axis=1).ravel(), share.ravel())) for x in logits]
            self._add("teacher", name, VOTES_RMSE, taught, n=n)
            firsts = [of_most(counts, x.argmax(axis=1)) for x in logits]
            for column, rows in kinds.items():
                values = [float(first[rows].mean()) for first in firsts]
                self._add("teacher", name, column, values, n=int(rows.sum()))
            nearer = {row: [value - t for t in taught] for row, value in off.items()}
            agreed = [float((first - right).mean()) for first in firsts]
            lines = {
                (f"{GIVEN[0]} - {name}", VOTES_RMSE): nearer[GIVEN[0]],
                (f"{GIVEN[1]} - {name}", VOTES_RMSE): nearer[GIVEN[1]],
                (f"{name} - {GIVEN[0]}", AGREES): agreed,
            }
            deciding = _weakest({key: lines[key] for key in list(lines)[1:]})
            claim = f"A teacher's labels are cleaner than the label it learnt, smoothed or not ({name})"
            for key, values in lines.items():
                claimed = {"claim": claim, "claim_id": "smooths"} if key == deciding else {}
                self._add("teacher", *key, values, n=n, **claimed)
        return self.table("teacher")


def _weakest(lines: Mapping[Any, Sequence[float]]) -> Any:
    """Of claims that must all hold, given as one difference a seed, the key of the one that speaks for them least."""
    order = Verdict.DID_NOT_HOLD, Verdict.CANNOT_TELL, Verdict.HELD
    return min(lines, key=lambda key: order.index(stats.verdict(stats.mean_interval(lines[key]), 1)))


def _smoothed(hard: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels (n, K) mixed with the even distribution, all by the one weight that brings them nearest to `share`."""
    towards = 1 / hard.shape[1] - hard
    weight = np.sum(towards * (share - hard)) / np.sum(towards**2)
    return hard + weight * towards
