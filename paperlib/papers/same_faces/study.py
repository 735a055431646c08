"""same_faces's page as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paperlib.ledger import ArtefactTable
from paperlib.papers.same_faces.confidence import Confidence
from paperlib.papers.same_faces.disagreement import Disagreement
from paperlib.papers.same_faces.labels import WrongLabels
from paperlib.papers.same_faces.plan import CAVEATS, ENSEMBLE, METHODS, PLAIN
from paperlib.papers.same_faces.verdicts import conclusion

COST = "processor time in training, plain network = 1"


class Study(Disagreement, WrongLabels, Confidence):
    """All of the page's runs on one track, and the numbers made of them."""

    def costs(self) -> ArtefactTable:
        """The processor's time in training, in that of the plain network of the same seed."""
        plain = self._seconds(PLAIN)
        for method in METHODS:
            own = self._seconds(method)
            if method == ENSEMBLE:
                own = plain + own.reshape(len(plain), -1).sum(axis=1)
            self.ledger.add(
                "cost",
                method,
                COST,
                source="faces",
                n=len(self.parts.train),
                values=(own / plain).tolist(),
            )
        return self.ledger.table("cost")

    def _seconds(self, method: str) -> NDArray[np.float64]:
        return np.array([float(r["seconds"][0]) for r in self.results[method]])

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        return self.track.caution + CAVEATS[self.track.name]

    def conclusion(self) -> str:
        """Which would you use for what? Put together from the ledger alone."""
        return conclusion(self.ledger)
