"""Calibration."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from paperlib import calibration
from paperlib.labels import flip_labels
from paperlib.ledger import ArtefactTable
from paperlib.papers.neo2023.measures import mean_of_sums, printed_ahead
from paperlib.papers.neo2023.plan import (
    CLEAN,
    CONDITIONS,
    EUCLID,
    GMM,
    KINDS,
    LABELS,
    NATURAL,
    NOISY,
    ONE_HOT,
    SMOOTHED,
    VOTES,
    Measure,
)
from paperlib.papers.neo2023.runs import Runs

CALIBRATION: Mapping[str, Measure] = {
    "ECE": calibration.calibration_error,
    "adaptive ECE": lambda log_p, label: calibration.calibration_error(log_p, label, adaptive=True),
    "overconfidence": calibration.overconfidence,
    "Brier": calibration.brier,
    "NLL": calibration.nll,
}
# Proper scores are means over faces, so differences of theirs can be judged: plain, scaled, and what scaling regains.
PROPER = ("Brier", "NLL")
SCALED, REGAINED = ", temperature", " that temperature takes away"
JUDGED = tuple(f"{score}{after}" for score in PROPER for after in ("", SCALED, REGAINED))
LEAVES_LESS = "leaves temperature scaling less to mend than"
FLOOR_DRAWS = 20  # of labels from the predicted probabilities themselves


class Confidence(Runs):
    """Whether fused labels calibrate, before and after temperature scaling."""

    def calibration(self) -> ArtefactTable:
        """The calibration that the paper claims and gives no number for: each label, plain and after temperature."""
        kind, artefact = self.main, "calibration"
        # Recordings of runs keep no more than the likeliest class of what is not asked for here.
        conditions = self.conditions(kind, ONE_HOT, SMOOTHED) or self.conditions(kind)
        for condition in [c for c in conditions if c in (CLEAN, NOISY, NATURAL)]:
            sums: dict[tuple[str, str], NDArray[np.float64]] = {}
            for method in [m for m in LABELS if (kind, condition, m) in self.results]:
                for column, values in self.calibrated(kind, condition, method).items():
                    unit = "nats" if "NLL" in column else ""
                    self._add(kind, artefact, f"{condition}: {method}", column, values, unit=unit)
                sums |= {(method, c): v for c, v in self._calibration_sums(kind, condition, method).items()}
            for method, other in product((EUCLID, GMM), (ONE_HOT, SMOOTHED)):
                if (other, "Brier") in sums:
                    self._calibrates(kind, condition, method, other, sums)
            for method in (EUCLID, GMM, VOTES, SMOOTHED):
                if (method, "overconfidence") in sums:
                    row, column = f"{condition}: {method} - {ONE_HOT}", "overconfidence"
                    sides = (sums[method, column], sums[ONE_HOT, column])
                    # surer is neither better nor worse
                    self._compare(kind, artefact, row, column, mean_of_sums, *sides, judged=False)
        claim = f"Fusion {LEAVES_LESS} label smoothing (0 %)"
        if self.track.brief:
            self.ledger.not_attempted(artefact, claim, self.track.no_time, claim_id="complements")
        return self.ledger.table(artefact)

    def _calibrates(
        self, kind: str, condition: str, method: str, other: str, sums: Mapping[tuple[str, str], NDArray]
    ) -> None:
        """How much better fusion is calibrated than another label; a claim where the paper has this variant ahead.

        The expected calibration error is not judged: on some hundred faces a bin it is biased upwards, the more the
        better a network is calibrated, and a bootstrap adds the bias a second time. What temperature scaling takes
        from Brier's score is a mean over faces, and next to nothing where probabilities are right as they are; the
        score itself would count accuracy too.
        """
        claimed = condition != NATURAL and method == printed_ahead(KINDS[kind], condition)
        for column in JUDGED:
            claim, claim_id = "", ""
            if claimed and column == f"Brier{REGAINED}":
                claim = f"Fusion ({method}) {LEAVES_LESS} {other} ({condition})"
                claim_id = "calibrated" if other == ONE_HOT else "complements"
            elif claimed and other == ONE_HOT and column == "NLL, temperature":
                claim = (
                    f"Fusion ({method}) is better than one-hot after temperature scaling too ({condition})"
                )
                claim_id = "complements"
            row = f"{condition}: {other} - {method}"
            sides = (sums[other, column], sums[method, column])
            told: dict[str, Any] = {"claim": claim, "claim_id": claim_id} if claim else {}
            unit = "nats" if "NLL" in column else ""
            self._compare(kind, "calibration", row, column, mean_of_sums, *sides, unit=unit, **told)

    def _calibration_sums(self, kind: str, condition: str, method: str) -> dict[str, NDArray[np.float64]]:
        """Sums by unit of each column of JUDGED, and of overconfidence."""
        label = self.parts(kind).label[self.parts(kind).test]
        rows = np.arange(len(label))
        each: dict[str, list[NDArray[np.float64]]] = {}
        for plain, suited, _ in self._scaled(kind, condition, method):
            found: dict[str, NDArray[np.float64]] = {}
            for after, log_p in (("", plain), (SCALED, suited)):
                p = np.exp(log_p)
                found[f"overconfidence{after}"] = p.max(axis=1) - (p.argmax(axis=1) == label)
                found[f"Brier{after}"] = np.square(p - np.eye(p.shape[1])[label]).sum(axis=1)
                found[f"NLL{after}"] = -log_p[rows, label]
            for name in PROPER:
                found[f"{name}{REGAINED}"] = found[name] - found[f"{name}{SCALED}"]
            for column, values in found.items():
                each.setdefault(column, []).append(values)
        return {column: self._sums(kind, values) for column, values in each.items()}

    def _scaled(self, kind: str, condition: str, method: str) -> list[tuple[NDArray, NDArray, NDArray]]:
        """Log probabilities of the test faces, one triple a seed: plain, and at the temperatures of `temperatures`."""
        found = []
        for r, pair in zip(
            self.results[kind, condition, method], self.temperatures(kind, condition, method), strict=True
        ):
            log_p = r["log_probability"].astype(np.float64)
            suited, misled = (log_softmax(log_p / t, axis=1) for t in pair)
            found.append((log_softmax(log_p, axis=1), suited, misled))
        return found

    def temperatures(self, kind: str, condition: str, method: str) -> list[tuple[float, float]]:
        """The temperatures that suit right validation labels, and ones as wrong as the training's, one pair a seed."""
        parts, found = self.parts(kind), []
        for r in self.results[kind, condition, method]:
            held = r["validation"].astype(np.float64)
            wrong = self.validation_labels(kind, condition, r.run.seed)
            right = parts.label[parts.validation]
            found.append((calibration.fit_temperature(held, right), calibration.fit_temperature(held, wrong)))
        return found

    def calibrated(self, kind: str, condition: str, method: str) -> dict[str, list[float]]:
        """Measures of calibration, one a seed, plain and with the temperature that suits the validation faces.

        "noisy validation": the temperature that suits validation labels as wrong as the training's, which is what one
        has who has no clean ones. "if perfect": the ECE of labels drawn from the scaled probabilities themselves, which
        is above zero because bins are finite.
        """
        parts = self.parts(kind)
        label = parts.label[parts.test]
        found: dict[str, list[float]] = {}
        for seed, (plain, suited, misled) in enumerate(self._scaled(kind, condition, method)):
            values = {name: measure(plain, label) for name, measure in CALIBRATION.items()}
            values |= {
                f"{name}, temperature": measure(suited, label) for name, measure in CALIBRATION.items()
            }
            values["ECE, temperature: if perfect"] = _floor(suited, seed)
            values["ECE, temperature from noisy validation"] = calibration.calibration_error(misled, label)
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        found["temperature"] = [suited for suited, _ in self.temperatures(kind, condition, method)]
        return found

    def validation_labels(self, kind: str, condition: str, seed: int) -> NDArray[np.int64]:
        """Validation labels that are as wrong as the training's."""
        parts, about = self.parts(kind), CONDITIONS[condition]
        if about["labels"] == "natural":
            assert parts.natural is not None
            return parts.natural[parts.validation]
        right = parts.label[parts.validation]
        return flip_labels(right, about["noise"], classes=len(parts.classes), seed=seed)[0].astype(np.int64)


def _floor(log_probability: NDArray[np.float64], seed: int) -> float:
    """The calibration error of labels that are drawn from the probabilities themselves, mean over draws."""
    rng, rising = np.random.default_rng(seed), np.exp(log_probability).cumsum(axis=1)
    drawn = [
        np.minimum((rng.random((len(rising), 1)) > rising).sum(axis=1), rising.shape[1] - 1)
        for _ in range(FLOOR_DRAWS)
    ]
    return float(np.mean([calibration.calibration_error(log_probability, label) for label in drawn]))
