"""Who says how sure it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from paperlib import calibration
from paperlib.ledger import ArtefactTable
from paperlib.papers.same_faces.measures import entropy_of
from paperlib.papers.same_faces.plan import (
    AFTER,
    AREA,
    ASIDE,
    BASELINE,
    ERROR,
    KEPT,
    METHODS,
    NLL,
    OF_AFFECT,
    PLAIN,
    ROWS,
    TO_VOTES,
    Measure,
    Row,
)
from paperlib.papers.same_faces.runs import Runs
from paperlib.stats import (
    Interval,
)
from paperlib.tasks.noisy_labels import CLASSES


class Confidence(Runs):
    """Who says how sure it is: calibration, and selective prediction."""

    def is_calibrated(self) -> ArtefactTable:
        """How sure each method says it is, as it comes; and judged after one temperature, which mends mere timidity.

        A network that learns wrong labels says less than it knows, and so the error of what comes out of it ranks
        confidence. Its temperature is fitted on one half of the persons and judged on the other, and the other way
        round; a number is the mean of both. It is fitted to what is then judged, most raters' word or all votes.
        Intervals take the temperatures as they are.
        """
        shares = self._shares(self._votes(self.parts.test))
        of_log_p: dict[str, Callable[[NDArray, NDArray[np.int64]], float]] = {
            ERROR: lambda log_p, rows: calibration.calibration_error(log_p, self.label[rows]),
            NLL: lambda log_p, rows: calibration.nll(log_p, self.label[rows]),
            TO_VOTES: lambda log_p, rows: float(-(shares[rows] * log_p).sum(axis=1).mean()),
            "confidence less accuracy": lambda log_p, rows: calibration.overconfidence(
                log_p, self.label[rows]
            ),
        }
        log_p = {m: [_log(p) for p in self.probability(m)] for m in METHODS}
        for column, measure in of_log_p.items():
            found = {m: [_on_rows(measure, each) for each in of] for m, of in log_p.items()}
            self._compare("calibration", column, found)
        said = np.eye(CLASSES)[self.label]
        for name, target, columns in (("", said, (ERROR, NLL)), (" for the votes", shares, (TO_VOTES,))):
            fitted = {m: [self._temperatures(each, target) for each in of] for m, of in log_p.items()}
            for method, of in fitted.items():
                self.ledger.add(
                    "calibration",
                    method,
                    f"temperature{name}",
                    source="faces",
                    n=len(self.label),
                    values=np.mean(of, axis=1),
                    interval=Interval(estimate=math.nan, low=math.nan, high=math.nan, level=0.95),
                    about="none of a temperature",
                )
            for column in columns:
                found = {
                    m: [
                        self._cooled(of_log_p[column], each, at)
                        for each, at in zip(of, fitted[m], strict=True)
                    ]
                    for m, of in log_p.items()
                }
                self._compare("calibration", column + AFTER, found, PLAIN)
        floor = float(entropy_of(shares).mean())
        for column in (TO_VOTES, TO_VOTES + AFTER):
            about: dict[str, Any] = {"source": "faces", "n": len(self.label), "interval": floor}
            self.ledger.add("calibration", "the votes themselves", column, **about)
        return self.ledger.table("calibration")

    @cached_property
    def _half(self) -> NDArray[np.bool_]:
        """(m,) the test faces of one half of the persons, drawn by lot."""
        units = self._units["test"]
        count = units.max() + 1
        return (np.random.default_rng(0).permutation(count) < count // 2)[units]

    def _temperatures(self, log_p: NDArray[np.float64], target: NDArray[np.float64]) -> list[float]:
        """For the half's faces and for the rest's, each fitted on the other's."""
        return [fit_temperature(log_p[on], target[on]) for on in (~self._half, self._half)]

    def _cooled(
        self,
        measure: Callable[[NDArray, NDArray[np.int64]], float],
        log_p: NDArray[np.float64],
        temperatures: Sequence[float],
    ) -> Measure:
        """The mean over both halves of a measure of log probabilities and rows, each at its temperature."""
        cooled = log_softmax(log_p / np.where(self._half, *temperatures)[:, None], axis=1)

        def mean(rows: NDArray[np.int64]) -> float:
            parts = (rows[self._half[rows]], rows[~self._half[rows]])
            return float(np.mean([measure(cooled[part], part) for part in parts]))

        return mean

    def knows_when_to_stop(self) -> ArtefactTable:
        """Selective prediction: the area under risk over coverage, and the risk of the surest 80 %.

        A row's own network answers, and its score says which faces are left to people.
        """

        def areas(score: NDArray, wrong: NDArray[np.bool_]) -> Measure:
            return lambda rows: float(risk_over_coverage(score[rows], wrong[rows]).mean())

        def risks(score: NDArray, wrong: NDArray[np.bool_]) -> Measure:
            return lambda rows: float(
                risk_over_coverage(score[rows], wrong[rows])[round(KEPT * len(rows)) - 1]
            )

        for column, made in {AREA: areas, f"risk at {100 * KEPT:.0f} % coverage": risks}.items():
            found = {
                f"{row}{ASIDE if row.score in OF_AFFECT else ''}": [
                    made(score, p.argmax(axis=1) != self.label)
                    for score, p in zip(self.scores(row), self.probability(row.method), strict=True)
                ]
                for row in ROWS
            }
            self._compare("selective", column, found, str(BASELINE))
        return self.ledger.table("selective")

    def risk(self, row: Row) -> list[NDArray[np.float64]]:
        """(m,) share of errors among the surest 1, 2, ..., m test faces, one a seed."""
        return [
            risk_over_coverage(score, p.argmax(axis=1) != self.label)
            for score, p in zip(self.scores(row), self.probability(row.method), strict=True)
        ]


def fit_temperature(log_p: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """The T of least cross-entropy from (n, K) shares to log_p / T: `calibration.fit_temperature` for votes."""
    found = minimize_scalar(
        lambda inverse: -(target * log_softmax(inverse * log_p, axis=1)).sum(),
        bounds=tuple(1 / t for t in reversed(calibration.TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return float(1 / found.x)


def risk_over_coverage(score: NDArray, wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(m,) the share of `wrong` among the 1, 2, ..., m items of the lowest score (El-Yaniv and Wiener, JMLR 2010).

    Items of one score share their errors evenly, so that no order of theirs is lucky.
    """
    values, group, count = np.unique(score, return_inverse=True, return_counts=True)
    rate = np.bincount(group, weights=wrong, minlength=len(values)) / count
    errors = np.repeat(rate, count).cumsum()
    return errors / np.arange(1, len(score) + 1)


def _log(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    """With no probability below half precision's least, 6e-8, that an infinite loss could come from."""
    p = np.maximum(probability, 6e-8)
    return np.log(p / p.sum(axis=1, keepdims=True))


def _on_rows(measure: Callable[[NDArray, NDArray[np.int64]], float], log_p: NDArray[np.float64]) -> Measure:
    return lambda rows: measure(log_p[rows], rows)
