"""Fused labels, before any training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import entropy, spearmanr

from paperlib import stats
from paperlib.fusion import READINGS, class_weights, fit_label_parameters, inverse_distances, posterior
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.neo2023.plan import (
    CLEAN,
    CONDITIONS,
    EUCLID,
    FLIPS,
    GMM,
    NATURAL,
    NOISY,
    NOISY_AFFECT,
    protocol,
)
from paperlib.papers.neo2023.runs import Runs
from paperlib.stats import Verdict
from paperlib.tasks.dual_domain import (
    label_parameters,
    training_affect,
    training_labels,
)


class FusedLabels(Runs):
    """What the fused labels are, and how near they come to the raters'."""

    def settings(self, kind: str, condition: str, name: str = GMM) -> Mapping[str, Any]:
        return self.results[kind, condition, name][0].run.settings

    def parameters(self) -> ArtefactTable:
        """What is left open in the class Gaussians, by what it does to the labels: no network is trained."""
        kind = self.main
        parts, settings = self.parts(kind), self.settings(kind, CLEAN)
        rows = parts.train
        for reading in READINGS if parts.parameters is None else (parts.parameters.reading,):
            try:
                fitted = label_parameters(self.track, {**settings, "reading": reading}, 0)
            except ValueError as error:
                why = f"{Verdict.NOT_ATTEMPTED}: {error}"
                self.ledger.add("parameters", f"eq. 2, {reading}", "", source="", n=0, verdict=why)
                continue
            self._labels(f"eq. 2, {reading}", posterior(fitted, parts.affect[rows]), parts.label[rows])
        fitted = label_parameters(self.track, settings, 0)
        self._labels("eq. 3", inverse_distances(parts.affect[rows], fitted.mean), parts.label[rows])
        self._derived(posterior(fitted, parts.affect[rows]))
        return self.ledger.table("parameters")

    def _derived(self, mixed: NDArray[np.float64]) -> None:
        """Do valence and arousal know the category, and how far people disagree on it?"""
        parts, claim_id = self.parts(self.main), "from-affect"
        label = parts.label[parts.train]
        claim = "Valence and arousal name the category more often than always naming the commonest would"
        if parts.parameters is not None:
            why = "the categories were made of valence and arousal"
            self.ledger.not_attempted("parameters", claim, why, claim_id=claim_id)
            return
        commonest = label == np.bincount(label).argmax()
        gain = 100 * ((mixed.argmax(axis=1) == label) - commonest.astype(np.float64))
        row, column = "eq. 2 - always the commonest category", "% whose likeliest class is the category"
        self._over_faces(row, column, np.mean, gain, claim=claim, claim_id=claim_id)
        if parts.votes is None:
            return
        people = entropy(parts.votes[parts.train], base=2, axis=1)
        # on FER+ valence and arousal are made of these very votes
        own = self.track.name != "ferplus"
        claim = "The more people disagree on the category, the more mixed is the label of valence and arousal"
        told: dict[str, Any] = {"claim": claim, "claim_id": claim_id} if own else {}

        def together(a: NDArray, b: NDArray) -> float:
            return float(spearmanr(a, b).statistic)

        row = "eq. 2 and the people's votes" if own else "eq. 2 and the very votes that the place is made of"
        mixedness = entropy(mixed, base=2, axis=1)
        self._over_faces(row, "rank correlation of entropies", together, mixedness, people, **told)

    def _over_faces(
        self, row: str, column: str, statistic: Callable[..., Any], *arrays: NDArray, **told: Any
    ) -> None:
        """A statistic of the training faces, with a bootstrap interval over their people."""
        parts = self.parts(self.main)
        people = None if parts.subject is None else parts.subject[parts.train]
        draws = protocol(self.track, self.main).draws
        found = stats.cluster_bootstrap(statistic, *arrays, clusters=people, seed=0, draws=draws)
        about = (
            f"95 % bootstrap over {'training faces' if people is None else 'people of the training faces'}"
        )
        verdict = str(stats.verdict(found, 1))
        self.ledger.add(
            "parameters",
            row,
            column,
            source=self.main,
            n=len(arrays[0]),
            interval=found,
            about=about,
            verdict=verdict,
            **told,
        )

    def later_code(self) -> ArtefactTable:
        """What this page's choices under wrong labels change, against the later code's; no network is trained."""
        kind = self.main
        seeds = range(protocol(self.track, kind).seeds)
        for share in FLIPS[1:]:
            found: dict[str, list[dict[str, float]]] = {"as here": [], "as in the later code": []}
            for seed in seeds:
                for whose, values in found.items():
                    values.append(self._under_noise(kind, share, seed, here=whose == "as here"))
            for whose, values in found.items():
                for column in values[0]:
                    row = f"{round(100 * share)} %, {whose}"
                    each = [v[column] for v in values]
                    self.ledger.over_seeds(
                        "later_code", row, column, each, source=kind, n=len(self.parts(kind).train)
                    )
        return self.ledger.table("later_code")

    def _under_noise(self, kind: str, share: float, seed: int, *, here: bool) -> dict[str, float]:
        """Labels, weights and mixed labels of the training faces at a nominal share of noise, by either code."""
        parts = self.parts(kind)
        settings = {**self.settings(kind, CLEAN), "labels": "consensus", "noise": share}
        given, right = training_labels(self.track, settings, seed)
        k, affect = len(parts.classes), parts.affect[parts.train]
        if not here:
            rng = np.random.default_rng(seed)
            given, rows = right.copy(), rng.integers(len(right), size=int(share * len(right)))
            given[rows] = rng.integers(k, size=len(rows))
        counted = given if here else right
        fitted = parts.parameters or fit_label_parameters(
            affect, counted, classes=parts.classes, source=kind, reading=settings["reading"]
        )
        squared = inverse_distances(affect, fitted.mean)
        euclid = squared if here else np.sqrt(squared) / np.sqrt(squared).sum(axis=1, keepdims=True)
        wrong = np.flatnonzero(given != right)
        found = {
            "% of labels that are wrong": 100 * len(wrong) / len(right),
            "largest W_k": float(class_weights(counted, classes=k).max()),
        }
        for name, mixed in ((GMM, posterior(fitted, affect)), (EUCLID, euclid)):
            found[f"{name}: largest probability"] = float(mixed.max(axis=1).mean())
            found[f"{name}: right class of wrong labels"] = float(mixed[wrong, right[wrong]].mean())
        return found

    def agreement(self) -> ArtefactTable:
        """How far two of the people who rated valence and arousal differ, where single ratings are known."""
        faces = self.track.of_kind(self.main)
        if faces is None or faces.ratings is None:
            self.ledger.not_attempted("agreement", "", "no single ratings of valence and arousal are known")
            return self.ledger.table("agreement")
        for j, dimension in enumerate(AFFECT):
            ratings = faces.ratings[:, :, j].astype(np.float64)
            apart = np.sqrt(2 * np.nanmean(stats.observed_variance(ratings)))
            known = {"RMSE": float(apart), "correlation (ICC 1)": stats.icc1(ratings)}
            # nobody rated FER+'s: see `paperlib.data.ferplus.votes_to_ratings`
            row = (
                "two of the raters" if self.track.name != "ferplus" else "two votes, each put into the plane"
            )
            for column, value in known.items():
                self.ledger.add(
                    "agreement",
                    row,
                    f"{column} {dimension}",
                    source=self.main,
                    n=len(ratings),
                    interval=value,
                )
        return self.ledger.table("agreement")

    def _labels(self, row: str, mixed: NDArray[np.float64], label: NDArray) -> None:
        for column, values in (
            ("% whose likeliest class is the category", 100 * (mixed.argmax(axis=1) == label)),
            ("largest probability", mixed.max(axis=1)),
            ("entropy", entropy(mixed, base=2, axis=1)),
        ):
            unit = "bits" if column == "entropy" else ""
            mean = float(np.mean(values))
            self.ledger.add(
                "parameters", row, column, source=self.main, n=len(label), interval=mean, unit=unit
            )

    def label_quality(self) -> ArtefactTable:
        """What the mixed labels know of wrongly labelled training faces, before any network learns."""
        for kind in self.kinds:
            for condition in self.conditions(kind):
                if condition in (NOISY, NATURAL):
                    for affect in ("as labelled", *NOISY_AFFECT):
                        if affect == "as labelled" or (kind, condition, f"{GMM}, {affect}") in self.results:
                            self._knowledge(kind, condition, affect)
        return self.ledger.table("label_quality")

    def _knowledge(self, kind: str, condition: str, affect: str) -> None:
        name = GMM if affect == "as labelled" else f"{GMM}, {affect}"
        found: dict[str, list[float]] = {}
        for r in self.results[kind, condition, name]:
            settings = r.run.settings
            given, right = training_labels(self.track, settings, r.run.seed)
            wrong = np.flatnonzero(given != right)
            places = training_affect(self.track, settings, r.run.seed)[wrong]
            fitted = label_parameters(self.track, settings, r.run.seed)
            for method, mixed in (
                (GMM, posterior(fitted, places)),
                (EUCLID, inverse_distances(places, fitted.mean)),
            ):
                named = mixed.argmax(axis=1)
                found.setdefault(f"{method}: % named right", []).append(
                    100 * float((named == right[wrong]).mean())
                )
                found.setdefault(f"{method}: % named as given", []).append(
                    100 * float((named == given[wrong]).mean())
                )
        drawn = CONDITIONS[condition]["labels"] != "natural" or affect == NOISY_AFFECT[-1]
        for column, values in found.items():
            row = f"{kind}, {condition}: {affect}"
            common: dict[str, Any] = {"source": kind, "n": len(wrong), "unit": "%"}
            if drawn:
                self.ledger.over_seeds("label_quality", row, column, values, **common)
            else:  # the same for every seed: an interval over seeds would have no width
                self.ledger.add("label_quality", row, column, interval=values[0], **common)
