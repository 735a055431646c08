"""Figure 6: the uncertainty factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import entropy, spearmanr
from sklearn.metrics import roc_auc_score

from paperlib import stats
from paperlib.ledger import ArtefactTable
from paperlib.papers.le2023.plan import DOUBTS, METHODS, NATURAL, NOISY, OURS
from paperlib.papers.le2023.runs import Runs
from paperlib.stats import paired_differences


class Doubts(Runs):
    """Whether the uncertainty factor finds wrong labels."""

    def figure6(self) -> ArtefactTable:
        """Figure 6: does the factor find wrong labels, and better than SCN's weight, RUL's or the plain loss?"""
        for condition in dict.fromkeys((NATURAL, NOISY)):
            if condition not in self.conditions:
                continue
            found = {
                m: self.detection(condition, m)
                for m in METHODS
                if m in DOUBTS and (condition, m) in self.results
            }
            for method, values in found.items():
                results, row = self.results[condition, method], f"{condition}: {DOUBTS[method]}"
                self._over_seeds("figure6", row, "AUROC", values, n=self.n_train, results=results)
                self._common_seeds("figure6", condition, row, "AUROC", values, n=self.n_train)
            claim = f"The factor, as printed, is higher where the label is wrong ({condition})"
            above = [v - 0.5 for v in found[OURS]]
            about: dict[str, Any] = {"claim_id": "factor-shows-doubt", "n": self.n_train}
            self._over_seeds("figure6", f"{condition}: factor", "AUROC - 0.5", above, claim, **about)
            for rival in (m for m in found if m != OURS):
                self._better_detector(condition, rival, found)
            if self.faces.votes is not None:
                disagreement = entropy(self.human(self.parts.rows), axis=1)
                rho = [
                    float(spearmanr(r["doubt"], disagreement).statistic)
                    for r in self.results[condition, OURS]
                ]
                claim = f"The factor, as printed, is higher where raters disagree ({condition})"
                self._over_seeds(
                    "figure6",
                    f"{condition}: factor",
                    "Spearman with vote entropy",
                    rho,
                    claim,
                    **about,
                )
        return self._table("figure6")

    def _better_detector(self, condition: str, rival: str, found: Mapping[str, Sequence[float]]) -> None:
        """The factor's lead over another doubt; none where that one cannot be told from guessing."""
        gains, theirs = paired_differences(found[OURS], found[rival]), stats.mean_interval(found[rival])
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        if not theirs.low > 0.5 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: {DOUBTS[rival]} cannot be told from guessing here, "
            said += f"AUROC {theirs.estimate:.2f} [{theirs.low:.2f}, {theirs.high:.2f}]"
        row = f"{condition}: factor - {DOUBTS[rival]}"
        about: dict[str, Any] = {"source": "faces", "n": self.n_train, "verdict": said}
        self.ledger.add("figure6", row, "AUROC", values=gains, **about)

    def detection(self, condition: str, method: str) -> list[float]:
        """AUROC of a method's doubt for wrong training labels, one a seed; 0.5 is chance."""
        wrong = [np.not_equal(*self.labels(condition, seed)) for seed in range(self.count(condition, method))]
        results = self.results[condition, method]
        return [float(roc_auc_score(w, r["doubt"])) for w, r in zip(wrong, results, strict=True)]

    def count(self, condition: str, method: str) -> int:
        return len(self.results[condition, method])
