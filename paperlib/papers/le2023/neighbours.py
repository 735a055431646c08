"""Neighbours in valence and arousal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from paperlib import metrics
from paperlib.labels import AFFECT, nearest_in_affect
from paperlib.ledger import ArtefactTable
from paperlib.papers.le2023.runs import Runs
from paperlib.tasks.noisy_labels import (
    CLASSES,
)


class Neighbours(Runs):
    """Whether neighbours in valence and arousal share a category."""

    def neighbours(self) -> ArtefactTable:
        """How good the pseudo labels are, and how often neighbours are of the same category."""
        if self.results["", "regressor"]:
            found = self.results["", "regressor"][0]["test_affect"]
            truth = self.faces.affect[self.parts.test_rows]
            for j, dimension in enumerate(AFFECT):
                known = np.isfinite(truth[:, j])
                for name, measure in (("PCC", metrics.pcc), ("CCC", metrics.ccc)):
                    value = float(measure(found[known, j], truth[known, j]))
                    self._single("neighbours", f"pseudo {dimension}", name, value, n=int(known.sum()))
        for name, share in self.purity().items():
            self._single(
                "neighbours",
                f"8 neighbours: {name}",
                "% of the same category",
                100 * share.mean(),
                n=self.n_train,
            )
        self._space()
        self.ledger.not_attempted(
            "neighbours",
            "Adaptive similarity makes up for errors of the pseudo labels",
            "it takes pseudo labels of several qualities, each with and without it; time",
            claim_id="pseudo-corrected",
        )
        return self.ledger.table("neighbours")

    def _space(self) -> None:
        """Are neighbours in the plane of the same category more often than neighbours by landmarks or action units?"""
        claim = "Neighbours in the plane are of the same category more often than neighbours by {}"
        shares, about = self.purity(), {"claim_id": "valence-arousal-space"}
        if "landmarks" in shares:
            row, column = "8 neighbours: pseudo labels - landmarks", "% of the same category"
            more = 100 * (shares["pseudo labels"] - shares["landmarks"])
            tested = {"claim": claim.format("landmarks"), **about} if self.track.name != "twin" else {}
            self._over_faces("neighbours", row, column, more, self.parts.rows, **tested)
        if "landmarks" not in shares or self.track.name == "twin":
            drawn = "the twin moves the landmarks of its faces by their category"
            why = drawn if self.track.name == "twin" else "these faces come without landmarks"
            self.ledger.not_attempted("neighbours", claim.format("landmarks"), why, **about)
        why = "these faces come without action units"
        self.ledger.not_attempted("neighbours", claim.format("action units"), why, **about)

    def purity(self) -> dict[str, NDArray[np.float64]]:
        """Share of each training face's 8 neighbours that are of its category (n,), by where faces lie."""
        category = self.category(self.parts.rows)
        frequency = np.bincount(category, minlength=CLASSES) / len(category)
        shares = {"any face": frequency[category]}
        places = {"pseudo labels": self.places, "the raters' own": self.faces.affect[self.parts.rows]}
        for name, affect in places.items():
            if np.isfinite(affect).all():
                shares[name] = (category[nearest_in_affect(affect, 8)] == category[:, None]).mean(axis=1)
        if self.faces.landmarks is not None:
            shape = _shapes(self.faces.landmarks[self.parts.rows])
            near = NearestNeighbors(n_neighbors=8).fit(shape).kneighbors(return_distance=False)
            shares["landmarks"] = (category[near] == category[:, None]).mean(axis=1)
        return shares


def _shapes(landmarks: NDArray) -> NDArray[np.float64]:
    """Landmarks (n, m, 2) without place, size and turn: each is turned to fit their mean, (n, 2 m)."""
    points = landmarks[..., 0] + 1j * landmarks[..., 1].astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    turn = (points.conj() * points.mean(axis=0)).sum(axis=1, keepdims=True)
    points *= turn / np.abs(turn)
    return np.concatenate([points.real, points.imag], axis=1)
