"""Figures 3 to 5: label distributions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from paperlib import stats
from paperlib.labels import nearest_in_affect
from paperlib.ledger import ArtefactTable
from paperlib.papers.le2023.plan import (
    BASELINE,
    CLEAN,
    INSTANCES,
    METHODS,
    NATURAL,
    NOISY,
    OURS,
    RELEASED,
    TINY,
)
from paperlib.papers.le2023.recognition import Recognition
from paperlib.stats import paired_differences
from paperlib.tasks.noisy_labels import (
    CLASSES,
)


class Distributions(Recognition):
    """How the rebuilt distributions compare with those of the raters."""

    def figure3(self) -> ArtefactTable:
        """Figures 1 and 3: how far predicted distributions are from the votes, by method and condition."""
        claim = (
            "LDLVA's distributions, as printed, are closer to people's votes than the plain network's ({})"
        )
        about: dict[str, Any] = {"claim_id": "distribution-like-people"}
        if self.faces.votes is None:
            self.ledger.not_attempted(
                "figure3", claim.format(self.hard), "one label a face, no votes", **about
            )
            self._disagreement()
            return self._table("figure3")
        column = "Jensen-Shannon divergence, bits"
        rows = self.parts.test_rows
        for condition in dict.fromkeys((self.hard, CLEAN)):
            mean = {
                m: [float(d.mean()) for d in self.divergence(condition, m)]
                for m in (*METHODS, RELEASED)
                if (condition, m) in self.results
            }
            for method, values in mean.items():
                row = f"{condition}: {method}"
                self._over_seeds("figure3", row, column, values, results=self.results[condition, method])
                self._common_seeds("figure3", condition, row, column, values)
            for method in (m for m in INSTANCES if m in mean):
                nearer, row = (
                    paired_differences(mean[BASELINE], mean[method]),
                    f"{condition}: {BASELINE} - {method}",
                )
                tested = {"claim": claim.format(condition), **about} if method == OURS else {}
                self._over_seeds("figure3", row, column, nearer, **tested)
        guessed = self.guessed()
        for name, each in (("ten other raters, simulated", self.floor()), ("votes of all faces", guessed)):
            self._single("figure3", name, column, each.mean(), n=len(rows))
        gain = guessed - np.mean(self.divergence(self.hard, OURS), axis=0)
        self._over_faces("figure3", f"{self.hard}: votes of all faces - LDLVA", column, gain, rows)
        self._disagreement()
        return self._table("figure3")

    def guessed(self) -> NDArray[np.float64]:
        """Jensen-Shannon divergence in bits of the test faces' votes and the mean votes of the training faces."""
        human, everybody = self.human(self.parts.test_rows), self.human(self.parts.rows).mean(axis=0)
        return jensenshannon(human, np.broadcast_to(everybody, human.shape), axis=1, base=2) ** 2

    def _disagreement(self) -> None:
        """Figure 1: how often do two raters of a face name different categories?"""
        claim, about = "People disagree on the expression of faces", {"claim_id": "people-disagree"}
        if self.faces.votes is None:
            self.ledger.not_attempted("figure3", claim, "one label a face, no votes", **about)
        elif self.track.name == "twin":
            self.ledger.not_attempted("figure3", claim, "the twin's raters are made to disagree", **about)
        else:
            votes = self.faces.votes[:, :CLASSES].astype(np.float64)
            n = votes.sum(axis=1)
            rows = self.parts.test_rows[n[self.parts.test_rows] > 1]
            pairs = (votes * (votes - 1)).sum(axis=1)[rows] / (n * (n - 1))[rows]
            row, column = "two raters of one face", "% that name different categories"
            self._over_faces("figure3", row, column, 100 * (1 - pairs), rows, claim, **about)

    def divergence(self, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Jensen-Shannon divergence in bits of votes and prediction, test face by test face, one array a seed."""
        human = self.human(self.parts.test_rows)
        return [jensenshannon(human, p, axis=1, base=2) ** 2 for p in self.probability(condition, method)]

    def floor(self) -> NDArray[np.float64]:
        """The same of the votes and as many new ones drawn from them: no prediction can be expected to beat it."""
        rows = self.parts.test_rows
        assert self.faces.votes is not None
        human, n = self.human(rows), self.faces.votes[rows, :CLASSES].sum(axis=1)
        drawn = np.random.default_rng(0).multinomial(n, human) / n[:, None]
        return jensenshannon(human, drawn, axis=1, base=2) ** 2

    def figure4(self) -> ArtefactTable:
        """Figure 4: calibration scores of neighbours of the same category less those of others.

        Scores are kept of the first seed alone: the interval is one of pictures, and knows nothing of other trainings.
        """
        for method in (m for m in INSTANCES if (self.hard, m) in self.results):
            _, score, _ = self.calibrated(method)
            tiny = self.collapsed(self.hard, method)
            self._single("figure4", method, f"% of faces with every score below {TINY}", tiny, n=self.n_train)
            self._single("figure4", method, "score, mean", float(score.mean()), n=self.n_train)
            self._single("figure4", method, "score, standard deviation", float(score.std()), n=self.n_train)
        for method, named in ((OURS, "as printed"), (RELEASED, RELEASED)):
            claim = f"Neighbours of another category get lower calibration scores ({named}, one training)"
            if (self.hard, method) in self.results:
                self._suppressed(method, f"{named}: same - other category", claim)
            else:
                why = self.track.no_time
                self.ledger.not_attempted("figure4", claim, why, claim_id="calibration-suppresses")
        return self._table("figure4")

    def _suppressed(self, method: str, row: str, claim: str) -> None:
        _, score, same = self.calibrated(method)
        both = same.any(axis=1) & ~same.all(axis=1)
        other = (score * ~same).sum(axis=1)[both] / (~same).sum(axis=1)[both]
        difference = (score * same).sum(axis=1)[both] / same.sum(axis=1)[both] - other
        none, why = self.collapsed(self.hard, method), ""
        if none > 50:
            why = (
                f"on {none:.0f} % of the faces the scores of all neighbours are below {TINY}, of either kind"
            )
        about = {"claim_id": "calibration-suppresses", "values": [float(difference.mean())]}
        self._over_faces("figure4", row, "score", difference, self.parts.rows[both], claim, why=why, **about)

    def calibrated(self, method: str = "") -> tuple[NDArray, NDArray, NDArray]:
        """Neighbours of the training faces, their last calibration scores, and whether they are of its category.

        Without a `method` those of the release's setting, or where that was not run, of the paper's; to be drawn as
        shares of their sum, so that none is quite nothing.
        """
        least = 0.0 if method else float(np.finfo(np.float32).tiny)
        method = method or (RELEASED if (self.hard, RELEASED) in self.results else OURS)
        near = nearest_in_affect(self.places, 8)
        category = self.category(self.parts.rows)
        score = self.results[self.hard, method][0]["calibration"].astype(np.float64)
        return near, np.maximum(score, least), category[near] == category[:, None]

    def figure5(self) -> ArtefactTable:
        """Figure 5: how often the rebuilt distribution d (eq. 6) names the right class of a wrongly labelled face.

        d is kept of the first seed alone. Of the others, the factor and what the neighbours name say what d names at
        most: where the factor is a half or less, or the neighbours name the given label, d names the given label.
        """
        for condition in (c for c in dict.fromkeys((NATURAL, NOISY)) if c in self.conditions):
            results, most = self.results[condition, OURS], []
            shares: dict[str, list[float]] = {"right": [], "given": [], "of right labels": []}
            for seed, result in enumerate(results):
                given, right = self.labels(condition, seed)
                named, wrong = result["recovered"], given != right
                shares["right"].append(100 * float((named == right)[wrong].mean()))
                shares["given"].append(100 * float((named == given)[wrong].mean()))
                shares["of right labels"].append(100 * float((named == right)[~wrong].mean()))
                stays = (result["doubt"].astype(np.float64) <= 0.5) | (named == given)
                most.append(100 * float(((named == right) & ~stays)[wrong].mean() - stays[wrong].mean()))
            bad, row = int(wrong.sum()), f"{condition}: wrong labels"  # as many for every seed
            self._rebuilt(condition)
            about: dict[str, Any] = {
                "n": bad,
                "column": "% named",
                "row": f"{row}: d, right - given, at most",
            }
            if (
                condition == NOISY
            ):  # The paper shows faces whose label was flipped; people's own are our question.
                about |= {"claim_id": "labels-recovered"}
                about |= {"claim": f"d names the right class of flipped labels ({condition}, as printed)"}
            said = str(stats.verdict(stats.mean_interval(most), 1))
            if said != stats.Verdict.DID_NOT_HOLD:
                said = (
                    f"{stats.Verdict.CANNOT_TELL}: d can name no more than this; d itself is kept of one seed"
                )
            self.ledger.add("figure5", source="faces", values=most, verdict=said, **about)
            for what, words in (("right", "% named right"), ("given", "% named as given")):
                self._over_seeds("figure5", f"{row}: d~", words, shares[what], n=bad, results=results)
            kept, n = shares["of right labels"], self.n_train - bad
            self._over_seeds(
                "figure5", f"{condition}: right labels: d~", "% named right", kept, n=n, results=results
            )
            more = paired_differences(shares["right"], shares["given"])
            self._over_seeds("figure5", f"{row}: d~, right - given", "% named", more, n=bad)
        return self._table("figure5")

    def _rebuilt(self, condition: str) -> None:
        """What d itself names, as last seen in the first seed's training."""
        given, right = self.labels(condition, 0)
        named, wrong = self.results[condition, OURS][0]["target"].argmax(axis=1), given != right
        for row, column, hit, of in (
            ("wrong labels: d, first seed", "% named right", named == right, wrong),
            ("wrong labels: d, first seed", "% named as given", named == given, wrong),
            ("right labels: d, first seed", "% named right", named == right, ~wrong),
        ):
            self._single("figure5", f"{condition}: {row}", column, 100 * hit[of].mean(), n=int(of.sum()))
