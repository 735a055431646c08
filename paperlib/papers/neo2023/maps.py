"""Figures 5 and 6: the loss's weights, and attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from paperlib.companion.published import read_text
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.neo2023.measures import accuracy, mean_of_sums, root_of_sums
from paperlib.papers.neo2023.plan import (
    CLEAN,
    EUCLID,
    GMM,
    KEY,
    KINDS,
    NOISY,
    ONE_HOT,
    PLAIN_L2,
    TABLE3,
    WEIGHTS,
)
from paperlib.papers.neo2023.runs import Runs
from paperlib.tasks.dual_domain import (
    explained,
)


class Maps(Runs):
    """What the weights of the loss change, and what networks look at."""

    def figure5(self) -> ArtefactTable:
        """Figure 5 in numbers: errors of valence and arousal with plain and weighted L2; and W_k's readings."""
        kind, parts = self.main, self.parts(self.main)
        if (kind, CLEAN, PLAIN_L2) not in self.results:
            for claim_id, claim in (
                ("weights-help", "Weights lower the errors of valence and arousal"),
                (
                    "weights-upper-left",
                    "These errors fall more, or rise less, in the upper left than in the rest",
                ),
            ):
                self.ledger.not_attempted("figure5", claim, self.track.no_time, claim_id=claim_id)
            return self.ledger.table("figure5")
        truth = parts.judged[parts.test]
        left = (truth[:, 0] < 0) & (truth[:, 1] > 0)
        for name in (EUCLID, *WEIGHTS, ONE_HOT):
            self._add(kind, "figure5", name, "F1", self.f1(kind, CLEAN, name))
            self._add(kind, "figure5", name, "accuracy", self.scores(kind, CLEAN, name, accuracy))
            for where, rows in (("", None), (", upper left", left)):
                errors = self.errors(kind, CLEAN, name, rows)
                n = len(truth) if rows is None else int(rows.sum())
                for j, dimension in enumerate(AFFECT):
                    values = [float(e[j]) for e in errors]
                    self._add(kind, "figure5", name, f"RMSE {dimension}{where}", values, n=n)
        for j, dimension in enumerate(AFFECT):
            self._weights_on(kind, dimension, j, left)
        return self.ledger.table("figure5")

    def _weights_on(self, kind: str, dimension: str, j: int, left: NDArray) -> None:
        """How much the weights lower the error of a dimension, everywhere and in the upper left against the rest."""
        column, rest = f"RMSE {dimension}", ~left
        text = read_text(KEY)["value"]
        lower = text[f"plain-{dimension}"] - text[f"weighted-{dimension}"]
        for name in (PLAIN_L2, "Euclid, no weights"):
            row = f"{'plain L2' if name == PLAIN_L2 else 'no weights'} - weighted L2"
            told: dict[str, Any] = (
                {"printed": f"{lower:+.3f}", "printed_on": KINDS[kind]} if name == PLAIN_L2 else {}
            )
            if told:
                told |= {"claim": f"Weights lower the error of {dimension}", "claim_id": "weights-help"}
            plain, weighted = (self.squares(kind, CLEAN, n, j) for n in (name, EUCLID))
            self._compare(kind, "figure5", row, column, root_of_sums, plain, weighted, **told)
        claim = f"With weights the error of {dimension} falls more, or rises less, in the upper left than in the rest"
        sides = [self.squares(kind, CLEAN, *of) for of in _quadrants(j, left, rest)]
        self._compare(
            kind,
            "figure5",
            "plain L2 - weighted L2: upper left - the rest",
            column,
            root_of_sums,
            *sides,
            claim=claim,
            claim_id="weights-upper-left",
        )

    def distances(self, name: str) -> NDArray[np.float64]:
        """Distance from predicted to true valence-arousal of each test face, mean over seeds: (n_test,)."""
        parts = self.parts(self.main)
        truth = parts.judged[parts.test]
        each = [np.linalg.norm(r["affect"] - truth, axis=1) for r in self.results[self.main, CLEAN, name]]
        return np.mean(each, axis=0)

    def figure6(self) -> ArtefactTable:
        """Figure 6 in numbers: does Grad-CAM look at the same places with 30 % wrong labels as with none?"""
        for kind in self.kinds:
            n, column = len(explained(self.parts(kind))), "rank correlation of maps"
            found = {method: self.consistency(kind, method) for method in TABLE3}
            flat = {method: self.flat(kind, method) for method in TABLE3}
            for method, values in found.items():
                row = f"{kind}: {method}"
                self._add(kind, "figure6", row, column, values.mean(axis=0), n=n)
                self._add(kind, "figure6", row, "% without a place", 100 * flat[method].mean(axis=0), n=n)
            for method in (EUCLID, GMM):
                claim = f"Grad-CAM changes less under wrong labels with fusion ({method}) than with one-hot ({kind})"
                row, seen = f"{kind}: {method} - {ONE_HOT}", ~(flat[method] | flat[ONE_HOT])
                told: dict[str, Any] = {"claim": claim, "claim_id": "attention"}
                self._compare_maps(kind, row, np.ones_like(seen), found[method], found[ONE_HOT], **told)
                if not seen.all():
                    row = f"{row}, maps with a place"
                    self._compare_maps(kind, row, seen, found[method], found[ONE_HOT])
        return self.ledger.table("figure6")

    def _compare_maps(self, kind: str, row: str, use: NDArray, a: NDArray, b: NDArray, **told: Any) -> None:
        """Mean correlation of one label's maps less another's, over the pairs (n, seeds) to be used."""
        parts, column = self.parts(kind), "rank correlation of maps"
        unit, about = np.arange(len(use)), f"{len(use)} faces"
        if parts.subject is not None:  # several of these faces may be one person's
            people, unit = np.unique(parts.subject[explained(parts)], return_inverse=True)
            about = f"{len(people)} {'videos' if kind == 'videos' else 'people'}"

        def summed(values: NDArray) -> NDArray[np.float64]:
            return np.stack([np.bincount(unit, v) for v in np.where(use, values, 0).T], axis=1)

        count = summed(np.ones_like(a))
        sides = [np.stack([summed(each), count], axis=-1) for each in (a, b)]
        n = int(use.any(axis=1).sum())
        self._compare(kind, "figure6", row, column, mean_of_sums, *sides, n=n, about=about, **told)

    def attention(self, kind: str, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Grad-CAM of the explained test faces (n, h, w) for their right class, one array a seed."""
        return [r["attention"].astype(np.float64) for r in self.results[kind, condition, method]]

    def consistency(self, kind: str, method: str) -> NDArray[np.float64]:
        """Rank correlation of each face's maps without and with 30 % wrong labels: (n, seeds).

        A map that is zero everywhere, or the same everywhere, says nothing of a place: its correlation is 0.
        """
        pairs = zip(self.attention(kind, CLEAN, method), self.attention(kind, NOISY, method), strict=True)
        each = [
            [_rank_correlation(x.ravel(), y.ravel()) for x, y in zip(a, b, strict=True)] for a, b in pairs
        ]
        return np.array(each).T

    def flat(self, kind: str, method: str) -> NDArray[np.bool_]:
        """Whether either of a face's two maps is the same everywhere: (n, seeds)."""
        pairs = zip(self.attention(kind, CLEAN, method), self.attention(kind, NOISY, method), strict=True)
        return np.array([(np.ptp(a, axis=(1, 2)) == 0) | (np.ptp(b, axis=(1, 2)) == 0) for a, b in pairs]).T


def _quadrants(j: int, left: NDArray, rest: NDArray) -> list[tuple[str, int, NDArray]]:
    """Plain less weighted in the upper left, less the same in the rest, in `Study._compare`'s order of signs."""
    return [(PLAIN_L2, j, left), (EUCLID, j, left), (EUCLID, j, rest), (PLAIN_L2, j, rest)]


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)
