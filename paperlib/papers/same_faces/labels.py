"""Who finds wrong labels, and stays right."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from paperlib import metrics
from paperlib.ledger import ArtefactTable
from paperlib.papers.same_faces.plan import ENSEMBLE, METHODS, NOT_SAID, OWN_DOUBT, PLAIN, Measure
from paperlib.papers.same_faces.runs import Runs
from paperlib.tasks import same_faces as task
from paperlib.twin.prototypes import circumplex_table


class WrongLabels(Runs):
    """Who finds wrong labels, and who is right in spite of them."""

    def finds_wrong_labels(self) -> ArtefactTable:
        """Area under the ROC curve of each method's doubt against the labels that most raters contradict.

        The last row needs no network: it doubts a label where the one rater whose place fusion is told says another
        category.
        """
        wrong = self.parts.wrong
        found: dict[str, list[Measure]] = {}
        for method in METHODS:
            if method == ENSEMBLE:
                further = np.array_split([r["loss"] for r in self.results[ENSEMBLE]], len(self.members))
                losses = [
                    np.stack([first["loss"], *more]).mean(axis=0, dtype=np.float64)
                    for first, more in zip(self.results[PLAIN], further, strict=True)
                ]
            else:
                losses = [r["loss"].astype(np.float64) for r in self.results[method]]
            found[f"{method}: loss"] = [_area(wrong, loss) for loss in losses]
            if method in OWN_DOUBT:
                own = [r["doubt"].astype(np.float64) for r in self.results[method]]
                found[f"{method}: {OWN_DOUBT[method]}"] = [_area(wrong, d) for d in own]
        ratings = [task.rating(self.parts, r.run.seed) for r in self.results[PLAIN]]
        found[str(NOT_SAID)] = [_area(wrong, said_by(rating) != self.parts.label) for rating in ratings]
        self._compare("wrong_labels", "area under the ROC curve", found, f"{PLAIN}: loss", of="train")
        return self.ledger.table("wrong_labels")

    def is_right(self) -> ArtefactTable:
        """Accuracy and macro F1 against what most raters say, after training on one source's labels."""

        def measures(measure: Callable[..., float], p: NDArray) -> Measure:
            said = p.argmax(axis=1)
            return lambda rows: float(measure(said[rows], self.label[rows]))

        for column, measure in {"accuracy": metrics.accuracy, "macro F1": metrics.macro_f1}.items():
            found = {m: [measures(measure, p) for p in self.probability(m)] for m in METHODS}
            self._compare("accuracy", column, found, PLAIN)
        return self.ledger.table("accuracy")


def said_by(affect: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the category that one rater's valence and arousal (n, 2) are nearest to; on FER+ it is that rater's vote."""
    return np.square(affect[:, None] - circumplex_table()).sum(axis=2).argmin(axis=1)


def _area(wrong: NDArray[np.bool_], doubt: NDArray[np.float64]) -> Measure:
    """The chance that a wrong label is doubted more than a right one, by the ranks (Mann and Whitney 1947)."""

    def area(rows: NDArray[np.int64]) -> float:
        found = wrong[rows]
        count = found.sum()
        above = rankdata(doubt[rows])[found].sum() - count * (count + 1) / 2
        return float(above / (count * (len(rows) - count)))

    return area
