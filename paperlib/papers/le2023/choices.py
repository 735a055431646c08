"""Figures 2 and 7, and questions of ours: costs, open choices, and what would help."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from paperlib import stats
from paperlib.ledger import ArtefactTable
from paperlib.models.backbones import build_backbone
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import LDLVA
from paperlib.papers.le2023.plan import (
    BASELINE,
    CLEAN,
    COMPONENTS,
    CONDITIONS,
    NATURAL,
    OURS,
    PLACES,
    STALENESS,
    protocol,
)
from paperlib.papers.le2023.runs import Runs
from paperlib.stats import paired_differences
from paperlib.tasks.noisy_labels import (
    CLASSES,
)

OVER_K = {4: "K = 4", 8: OURS, 16: "K = 16"}
FREE = 0.01  # a share of the plain network's operations that "no extra costs" leaves room for


class Choices(Runs):
    """What the paper leaves open, what it costs, and what it would take."""

    def figure2(self) -> ArtefactTable:
        """Figure 2: is the network that names faces as cheap as the plain one? Counted, not timed."""
        cost = {method: self.operations(method) for method in (BASELINE, OURS)}
        for method, count in cost.items():
            self._single("figure2", method, "million operations a face", count / 1e6, n=1)
        spare = FREE - (cost[OURS] / cost[BASELINE] - 1)
        self.ledger.add(
            "figure2",
            "LDLVA",
            f"{100 * FREE:.0f} % of the baseline's operations, less what it adds, as a share",
            source="faces",
            n=1,
            interval=(exact := stats.Interval(estimate=spare, low=spare, high=spare, level=1.0)),
            about="none, a count",
            claim="LDLVA costs nothing at inference",
            claim_id="only-training",
            verdict=stats.verdict(exact, 1),
        )
        return self.ledger.table("figure2")

    def operations(self, method: str) -> int:
        """Floating-point operations, of those that multiply, in which the baseline or LDLVA names one face."""
        shape = self.faces.images.shape[1:]
        channels = 1 if len(shape) == 2 else shape[2]
        backbone, features = build_backbone(protocol(self.track).backbone, channels=channels)
        model = ExpressionNet(backbone, features, n=1, classes=CLASSES)
        if method == OURS:
            near = torch.zeros(1, 8, dtype=torch.long)
            model = LDLVA(
                backbone, features, classes=CLASSES, neighbours=near, similarity=torch.ones(near.shape)
            )
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model.eval()(torch.zeros(1, channels, *shape[:2]))
        return int(counter.get_total_flops())

    def figure7(self) -> ArtefactTable:
        """Figure 7: accuracy over the number of neighbours, on original and on wrong labels."""
        for condition in (CLEAN, self.hard):
            for k, method in OVER_K.items():
                if (condition, method) in self.results:
                    self._score("figure7", condition, method, row=f"K = {k}")
        claims = (
            (CLEAN, 16, 4, "More neighbours are better on the original labels (as printed)"),
            (self.hard, 8, 4, "8 neighbours are better than 4 under wrong labels (as printed)"),
            (self.hard, 8, 16, "8 neighbours are better than 16 under wrong labels (as printed)"),
        )
        about = {"claim_id": "more-neighbours"}
        for condition, more, less, claim in claims:
            if (condition, OVER_K[less]) in self.results:
                self._gain("figure7", condition, OVER_K[more], OVER_K[less], claim, **about)
            else:
                self.ledger.not_attempted("figure7", claim, self.track.no_time, **about)
        return self._table("figure7")

    def controls(self) -> ArtefactTable:
        """LDLVA with other neighbours or known factors; and what neighbours bring where every factor is a half."""
        self.variants("controls", list(PLACES))
        half = next(iter(COMPONENTS))
        for name in list(PLACES)[:2]:
            if (self.hard, name) in self.results:
                self._gain("controls", self.hard, half, name)
        return self.ledger.table("controls")

    def variants(self, artefact: str, names: Sequence[str]) -> ArtefactTable:
        """Accuracy of variants of LDLVA under the hard condition, and each less LDLVA as run here."""
        self._score(artefact, self.hard, OURS)
        for name in names:
            if (self.hard, name) in self.results:
                self._score(artefact, self.hard, name)
                self._gain(artefact, self.hard, name, OURS)
                if artefact == "choices":
                    self._gain(artefact, self.hard, name, BASELINE)
                if self.hard == NATURAL:
                    self._gap_closed(artefact, name)
                self._validation(artefact, name)
        self._validation(artefact, OURS)
        if not any((self.hard, name) in self.results for name in names):
            self.ledger.not_attempted(artefact, "", self.track.no_time)
        return self.ledger.table(artefact)

    def _validation(self, artefact: str, method: str) -> None:
        values = [100 * float(r["validation"][0]) for r in self.results[self.hard, method]]
        column, n = f"{self.hard}: validation accuracy", len(self.parts.validation_rows)
        self._over_seeds(artefact, method, column, values, n=n, unit="%")

    def systematic(self) -> ArtefactTable:
        """Are people's wrong labels learnt? What is predicted for test faces whose first label is not the consensus."""
        if NATURAL not in self.conditions:
            self.ledger.not_attempted("systematic", "", "one label a face")
            return self.ledger.table("systematic")
        rows = self.parts.test_rows
        assert self.faces.original is not None
        first, right = self.faces.original[rows], self.category(rows)
        wrong = first != right
        for condition in (CLEAN, NATURAL):
            for method in (BASELINE, OURS):
                for what, label in (("first label", first), ("consensus", right)):
                    named = [
                        100 * float((p.argmax(axis=1) == label)[wrong].mean())
                        for p in self.probability(condition, method)
                    ]
                    row = f"{method}, trained on {condition} wrong labels".replace("natural wrong", "natural")
                    results = self.results[condition, method]
                    self._over_seeds(
                        "systematic",
                        row,
                        f"% predicted as the {what}",
                        named,
                        n=int(wrong.sum()),
                        results=results,
                    )
        self._harder()
        return self.ledger.table("systematic")

    def _harder(self) -> None:
        """Is the plain network less accurate with people's wrong labels than with as many flips?

        Between the shares that were trained with, the accuracy is a straight line; beyond the last it stays.
        """
        flips = {c: CONDITIONS[c]["noise"] for c in self.conditions if c != NATURAL}
        each = np.transpose([self.accuracy(c, BASELINE) for c in flips])
        given, right = self.labels(NATURAL, 0)
        share = float((given != right).mean())
        as_many = [float(np.interp(share, list(flips.values()), of)) for of in each]
        names, above = list(flips), int(np.searchsorted(list(flips.values()), share))
        between = (
            f"between {names[above - 1]} and {names[above]}"
            if above < len(names)
            else f"taken as {names[-1]}"
        )
        column = f"accuracy, flips of {100 * share:.1f} % {between}"
        gains = paired_differences(as_many, self.accuracy(NATURAL, BASELINE))
        self._over_seeds("systematic", f"{BASELINE}: as many flips - natural labels", column, gains, unit="%")

    def staleness(self) -> ArtefactTable:
        """The bank against predictions made anew in every step, and against a bank renewed more rarely."""
        names = [m for m in (OURS, *STALENESS) if (self.hard, m) in self.results]
        for name in names:
            self._score("staleness", self.hard, name)
            if name != "online":
                gap = [float(r["gap"][0]) for r in self.results[self.hard, name]]
                self._over_seeds("staleness", name, "change between two entries", gap, n=self.n_train)
        for name in names[1:]:
            self._gain("staleness", self.hard, OURS, name)
        if names == [OURS]:
            self.ledger.not_attempted("staleness", "", self.track.no_time)
        return self.ledger.table("staleness")
