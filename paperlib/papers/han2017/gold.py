"""The gold standard, its rescaling and delays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics
from paperlib.annotations import rater_weights
from paperlib.audit import han2017 as audit
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.han2017.measures import difference_of, short_name
from paperlib.papers.han2017.plan import DIMENSIONS, ccc
from paperlib.papers.han2017.runs import Runs
from paperlib.tasks.perception_uncertainty import gold_standard
from paperlib.twin_recordings import LAGS


class GoldStandard(Runs):
    """How raters' traces become one label and its uncertainty."""

    def gold_standard(self) -> ArtefactTable:
        """What the weights of EWE are, and on the twin, how near it and the raters' mean come to the truth.

        No verdict: the twin's truth is an unweighted mean of raters who are equally noisy.
        """
        ratings, groups = self.record.ratings, np.repeat(np.arange(len(self.record)), self.record.frames)
        gold = gold_standard(self.record)
        for dimension in DIMENSIONS:
            d = AFFECT.index(dimension)
            every = np.array(
                [rater_weights(ratings[self.record.rows(i), :, d]) for i in range(len(self.record))]
            )
            took_part = np.array(
                [np.isfinite(ratings[self.record.rows(i), :, d]).any(axis=0) for i in range(len(self.record))]
            )
            given = every[took_part]
            rated = np.isfinite(gold[:, 0, d])
            mean = np.nanmean(ratings[rated, :, d], axis=1)
            common: dict[str, Any] = {"source": "recordings", "n": given.size}
            for column, value in (
                ("mean weight", given.mean()),
                ("raters without weight", (given == 0).sum()),
            ):
                self.ledger.add("gold_standard", dimension, column, interval=float(value), **common)
            for k, there in enumerate(took_part.T):
                self._weight(f"{dimension}: rater {k + 1}", every[:, k], there)
            if self.record.truth is not None:
                by_lag = np.argsort(np.abs(LAGS - LAGS.mean()))
                middle, outer = (every[:, by_lag[of]].mean(axis=1) for of in (slice(2), slice(-2, None)))
                row = f"{dimension}: two nearest the mean lag - two farthest"
                self._weight(row, middle - outer, np.ones(len(every), bool))
            between = metrics.pcc(gold[rated, 0, d], mean)
            common["n"] = int(rated.sum())
            self.ledger.add(
                "gold_standard", dimension, "r of EWE and mean", interval=float(between), **common
            )
            if self.record.truth is not None:
                truth = self.record.truth.affect[rated, d]
                ewe, plain = (
                    metrics.agreement_sums(x, truth, groups[rated])[:, None]
                    for x in (gold[rated, 0, d], mean)
                )
                common = {"among": "all", "trained": False}
                for name, statistic, of in (
                    ("EWE", ccc, [ewe]),
                    ("mean", ccc, [plain]),
                    ("EWE - mean", difference_of(ccc), [ewe, plain]),
                ):
                    row = f"{dimension}: {name}"
                    self._add("gold_standard", row, "CCC with the truth", statistic, *of, **common)
        return self.ledger.table("gold_standard")

    def _weight(self, row: str, weights: NDArray[np.float64], there: NDArray[np.bool_]) -> None:
        """Record the mean of weights (recordings,) over the recordings that are `there`."""
        interval, about = self.interval(lambda w: float(w.mean()), weights[there], among="all", rows=there)
        mean = float(weights[there].mean()) if there.any() else None
        self.ledger.add(
            "gold_standard",
            row,
            "mean weight",
            source="recordings",
            n=int(there.sum()),
            interval=interval or mean,
            about=about,
        )

    def rescaling(self) -> ArtefactTable:
        """The spread of the uncertainty on development under each reading of its rescaling to [0, 1]."""
        raw = self.parts.gold[:, 1] * (self.parts.high - self.parts.low) + self.parts.low
        owner = np.repeat(np.arange(len(self.record)), self.parts.frames)
        dev, train = (np.isin(owner, np.flatnonzero(self.record.split == s)) for s in ("validation", "train"))
        for dimension in DIMENSIONS:
            sigma = raw[:, AFFECT.index(dimension)]
            own = np.full(len(sigma), np.nan)
            for i in range(len(self.record)):
                own[self.parts.rows(i)] = _between_extremes(sigma[self.parts.rows(i)])
            readings = {
                "extremes of training (here)": _between_extremes(sigma, sigma[train]),
                "extremes of all recordings": _between_extremes(sigma),
                "extremes of each recording": own,
                "as rated": sigma,
            }
            implied = f"{audit.gold(short_name('sigma', dimension)).value:.3f}"
            for name, values in readings.items():
                self.ledger.add(
                    "rescaling",
                    f"{dimension}: {name}",
                    "standard deviation, dev",
                    source="recordings",
                    n=int(np.isfinite(values[dev]).sum()),
                    interval=float(np.nanstd(values[dev])),
                    printed=implied if name != "as rated" else "",
                    printed_on="SEWA, implied",
                )
        return self.ledger.table("rescaling")

    def delays(self) -> ArtefactTable:
        """The delay that a linear model of the features likes best."""
        gold, held = gold_standard(self.record)[:, 0], self.parts.of("validation").tolist()
        used = self.plan.delay / self.record.rate
        for name, by_delay in self.delay_curves().items():
            d = AFFECT.index(name.partition(", ")[2])
            best = max(by_delay, key=lambda seconds: by_delay[seconds])
            for column, delay, value in (
                ("best delay (s)", best, best),
                ("r at 0 s", 0.0, by_delay[0.0]),
                (f"r at {used:g} s", used, by_delay[used]),
                ("r at the best", best, by_delay[best]),
            ):
                late = round(delay * self.record.rate)
                n = sum(int(np.isfinite(gold[self.record.rows(i)][late:, d]).sum()) for i in held)
                self.ledger.add("delays", name, column, source="recordings", n=n, interval=value)
        return self.ledger.table("delays")

    def delay_curves(self) -> dict[str, dict[float, float]]:
        """Delay in seconds -> correlation on development, by modality and dimension."""
        (found,) = self.results["", "", "delay"]
        r = found["correlation"]
        return {
            f"{m}, {d}": {
                delay / self.record.rate: float(r[i, j, AFFECT.index(d)])
                for j, delay in enumerate(found.run.settings["delays"])
            }
            for i, m in enumerate(found.run.settings["modalities"])
            for d in DIMENSIONS
        }


def _between_extremes(
    values: NDArray[np.float64], of: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    of = values if of is None else of
    return (values - np.nanmin(of)) / (np.nanmax(of) - np.nanmin(of))
