"""Tables II and figure 5: the learned variance beside the raters'."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import stats
from paperlib.companion.published import read_table, read_text
from paperlib.data.records import FaceSet, SequenceSet
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.foteinopoulou2021.measures import in_range, pcc, printed_cells, rated_variance
from paperlib.papers.foteinopoulou2021.plan import DIMENSIONS, KEY, PROPOSED
from paperlib.papers.foteinopoulou2021.runs import Predicted, Runs


class LearnedVariance(Runs):
    """Whether the learned variance follows the raters': order, size, and over time."""

    def table2(self) -> ArtefactTable:
        """Table II: PCC of learned and raters' variance, the ceiling that K raters set, and the truth's where known."""
        printed = read_table(KEY, 2)
        for source, record, backbone in self.with_ratings():
            assert record.ratings is not None
            items, observed = rated_variance(record)
            predicted = self.predicted(backbone, PROPOSED)
            people = None if record.subject is None else record.subject[items]
            about = f"95 % bootstrap of {'pictures' if people is None else 'subjects'}"
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = observed[:, j]
                values = [pcc(v[items, j], y) for v in predicted.variance]
                learned = np.stack([v[items, j] for v in predicted.variance], axis=1)
                of_method = self._over_items_and_seeds(
                    lambda v, y: _mean_pcc(v, y[:, 0]), learned, y, clusters=people
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    "PCC with raters' variance",
                    source=source,
                    n=len(y),
                    values=values,
                    results=predicted.results,
                    printed=printed_cells(printed.query(f"dimension == '{d}'")),
                    printed_on="AMIGOS",
                    **in_range("PCC", values),
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    "the same, average of seeds",
                    source=source,
                    n=len(y),
                    **of_method,
                    printed=printed_cells(printed.query(f"dimension == '{d}'")),
                    printed_on="AMIGOS",
                    claim=f"learned and raters' variance correlate positively ({source}, {d})",
                    claim_id="variance-follows-raters",
                    verdict=stats.verdict(of_method["interval"], 1),
                )
                pooled = self._over_items(
                    pcc,
                    predicted.average_variance[items, j],
                    y,
                    clusters=None if record.subject is None else record.subject[items],
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    f"PCC of the average variance of {len(predicted.variance)} networks",
                    source=source,
                    n=len(y),
                    interval=pooled,
                    about=about,
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    f"ceiling with {record.ratings.shape[1]} raters, from ratings",
                    source=source,
                    n=len(y),
                    interval=self._ceiling(record, items, j),
                    about=f"{about}, a ceiling that a resample does not show being 0",
                )
                if record.truth is not None:
                    self.ledger.add(
                        "table2",
                        f"{source}: {d}",
                        "PCC of true and raters' variance",
                        source=source,
                        n=len(y),
                        interval=self._over_items(
                            pcc,
                            record.truth.variance[items, j],
                            y,
                            clusters=None if record.subject is None else record.subject[items],
                        ),
                        about=about,
                    )
                    knows = [pcc(v[:, j], record.truth.variance[:, j]) for v in predicted.variance]
                    self.ledger.add(
                        "table2",
                        f"{source}: {d}",
                        "PCC with the true variance",
                        source=source,
                        n=len(record),
                        values=knows,
                        results=predicted.results,
                        **in_range("PCC", knows),
                    )
            self._order_of_table2(source, record, predicted)
        if not self.with_ratings():
            for claim, of in {
                "learned and raters' variance correlate positively": "variance-follows-raters",
                "they correlate more for arousal than for valence": "variance-pcc-higher-where-agreement-lower",
            }.items():
                self.ledger.not_attempted("table2", claim, "no single ratings", claim_id=of)
        return self.shown("table2")

    def _order_of_table2(self, source: str, record: FaceSet | SequenceSet, predicted: Predicted) -> None:
        """By how much learned and raters' variance correlate more for arousal, on which raters agree less."""
        items, observed = rated_variance(record)
        learned = np.stack([v[items] for v in predicted.variance], axis=1)  # (items, seeds, 2)
        gap = self._over_items_and_seeds(
            lambda v, y: _mean_pcc(v[..., 1], y[:, 0, 1]) - _mean_pcc(v[..., 0], y[:, 0, 0]),
            learned,
            observed,
            clusters=None if record.subject is None else record.subject[items],
        )
        cells = read_table(KEY, 2).set_index("dimension")["value"]
        verdict = stats.verdict(
            gap["interval"], 1
        )  # on the twin, agreement is made, and what is learned is not
        self.ledger.add(
            "table2",
            f"{source}: arousal - valence",
            "the same, average of seeds",
            source=source,
            n=len(items),
            **gap,
            printed=f"{cells['arousal'] - cells['valence']:.2f}",
            printed_on="AMIGOS",
            claim=f"learned and raters' variance correlate more for arousal than for valence ({source})",
            claim_id="variance-pcc-higher-where-agreement-lower",
            verdict=str(verdict) if self.track.name == "twin" else self._of_raters(verdict),
        )

    def _ceiling(self, record: FaceSet | SequenceSet, items: NDArray, j: int) -> stats.Interval:
        """From the ratings of those items that have enough of them, whatever is known of the truth."""
        assert record.ratings is not None
        few = record.ratings.shape[1] <= 3
        ratings = record.ratings[items]
        enough = np.isfinite(ratings[..., 0]).sum(axis=1) >= (2 if few else 4)

        def ceiling(of: NDArray) -> float:
            return float(
                stats.variance_ceiling_from_ratings(
                    of, gaussian=few, same_raters=self.track.name != "ferplus"
                )
            )

        ratings = ratings[enough][..., j]
        found = self._over_items(
            lambda of: float(np.nan_to_num(ceiling(of))),
            ratings,
            clusters=None if record.subject is None else record.subject[items][enough],
        )
        return replace(found, estimate=ceiling(ratings))

    def of_table2(self, source: str, column: str) -> list[float]:
        """Numbers of Table II for valence and arousal, by the beginning of their column."""
        return [e.measured for e in self._of_table2(source, column)]

    def bounds_of_table2(self, source: str, column: str) -> list[tuple[float, float]]:
        """Their intervals."""
        return [(e.low, e.high) for e in self._of_table2(source, column)]

    def readings(self) -> ArtefactTable:
        """Table II under other readings of what was correlated: log variance, deviation, or averaged per subject."""
        for source, record, backbone in self.with_ratings():
            items, observed = rated_variance(record)
            predicted = self.predicted(backbone, PROPOSED)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = observed[:, j]
                learned = [v[items, j] for v in predicted.variance]
                readings = {
                    "variance, pooled": [pcc(v, y) for v in learned],
                    "log variance, pooled": [pcc(np.log(v), y) for v in learned],
                    "standard deviations, pooled": [pcc(np.sqrt(v), np.sqrt(y)) for v in learned],
                }
                if record.subject is not None and source == "sequences":
                    subjects = record.subject[items]
                    within = [_per_subject(v, y, subjects) for v in learned]
                    readings["variance, averaged over subjects"] = within
                for name, values in readings.items():
                    self.ledger.add(
                        "table2_readings",
                        f"{source}: {d}",
                        name,
                        source=source,
                        n=len(y),
                        values=values,
                        results=predicted.results,
                        **in_range("PCC", values),
                    )
        if not self.with_ratings():
            self._nothing("table2_readings", "no single ratings")
        return self.shown("table2_readings")

    def variance_size(self) -> ArtefactTable:
        """Is the learned variance as large as the raters', within a factor of two? The paper names no margin.

        A variance half or twice the true one gives intervals that are meant to cover 95 % and cover 83 or 99 %. The
        loss is least where the variance is the network's own expected squared error, whatever raters do: see
        `size_verdict`.
        """
        of = "variance-is-label-uncertainty"
        for source, record, backbone in self.with_ratings():
            assert record.ratings is not None
            items, observed = rated_variance(record)
            predicted = self.predicted(backbone, PROPOSED)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                rated = float(observed[:, j].mean())
                learned = [float(v[items, j].mean()) for v in predicted.variance]
                error = [float(np.mean((m[items, j] - record.affect[items, j]) ** 2)) for m in predicted.mean]
                numbers = {
                    "mean learned variance": learned,
                    "learned / raters'": [v / rated for v in learned],
                    "own test MSE": error,
                    "learned / own test MSE": [v / e for v, e in zip(learned, error, strict=True)],
                }
                given: dict[str, Any] = {"source": source, "n": len(items)}
                row = f"{source}: {d}"
                self.ledger.add("variance_size", row, "mean variance of the raters", interval=rated, **given)
                if _labels_are_means(record, items):
                    raters = np.isfinite(record.ratings[items][..., j]).sum(axis=1)
                    of_mean = float(np.mean(observed[:, j] / raters))
                    self.ledger.add(
                        "variance_size", row, "the same / K, of the label", interval=of_mean, **given
                    )
                    numbers["learned / (raters' / K)"] = [v / of_mean for v in learned]
                for column, values in numbers.items():
                    self.ledger.add(
                        "variance_size", row, column, values=values, results=predicted.results, **given
                    )
                self.ledger.add(
                    "variance_size",
                    row,
                    "two, less the factor between learned and raters'",
                    values=_room(learned, rated),
                    results=predicted.results,
                    claim=f"the learned variance is that of the raters, within a factor of two ({source}, {d})",
                    claim_id=of,
                    verdict=size_verdict(learned, rated, error),
                    **given,
                )
        if not self.with_ratings():
            claim = "the learned variance is that of the raters, within a factor of two"
            self.ledger.not_attempted("variance_size", claim, "no single ratings", claim_id=of)
        return self.shown("variance_size")

    def figure5(self) -> ArtefactTable:
        """Figure 5 for every subject: raters' variance where the learned one is highest, less where it is lowest."""
        claim = "of one person's segments, raters differ more on the one with the highest variance"
        of = "low-variance-clip-agrees"
        record = self.sequences
        if record is None or record.ratings is None or record.subject is None:
            why = "no recordings" if record is None else "no single ratings of known people"
            self.ledger.not_attempted("figure5", claim, why, claim_id=of)
            return self.shown("figure5")
        items, observed = rated_variance(record)
        gaps = np.stack(
            [
                _high_less_low(v[items].sum(axis=1), observed.mean(axis=1), record.subject[items])
                for v in self.predicted("NetVLAD", PROPOSED).variance
            ],
            axis=1,
        )  # (subjects, seeds)
        gap = self._over_items_and_seeds(_mean, gaps, clusters=np.arange(len(gaps)))
        ratings = read_text(KEY)["value"]
        low, high = (
            np.var([ratings[f"figure5-{clip}-{i}"] for i in (1, 2, 3)], ddof=1) for clip in ("low", "high")
        )
        self.ledger.add(
            "figure5",
            "segments of one subject: highest - lowest learned variance",
            "raters' variance, average of seeds",
            source="sequences",
            n=len(gaps),
            **gap,
            printed=f"{high - low:.3f}",
            printed_on="two clips of AMIGOS",
            claim=claim,
            claim_id=of,
            verdict=stats.verdict(gap["interval"], 1),
        )
        return self.shown("figure5")

    def variance_correlations(self) -> pd.DataFrame:
        """Every method's correlation with the raters' variance and its ceiling, for `plots.method_intervals`.

        Means and intervals are over the seeds that all methods have, so that none is ahead by a lucky seed of its own.
        """
        measure = "PCC with raters' variance"
        entries = [
            e
            for e in self.ledger.entries
            if e.artefact == f"{KEY}/rivals" and e.column.partition(": ")[2] == measure
        ]
        common = min((e.seeds for e in entries), default=0)
        lines = []
        for e in entries:
            dimension = e.column.partition(": ")[0]
            ceiling = self.of_table2("faces", "ceiling")[AFFECT.index(dimension)]
            found = in_range(measure, e.values[:common])["interval"]
            lines.append((e.row, dimension, found.estimate, found.low, found.high, ceiling))
        return pd.DataFrame(lines, columns=["method", "dimension", "estimate", "low", "high", "ceiling"])


def size_verdict(learned: Sequence[float], rated: float, error: Sequence[float]) -> str:
    """Is a mean learned variance, one a seed, within a factor of two of the raters', and is it theirs?

    A network that minimises the loss learns its own expected squared error. If the learned variance is within a factor
    of two of that too, its being of the raters' size, or larger, may be the training's doing: better or worse training
    would move it. Smaller than the raters' it did not hold: better training would make it smaller still.
    """
    size = stats.verdict(stats.mean_interval(_room(learned, rated)), 1)
    own = stats.verdict(stats.mean_interval(_room(learned, error)), 1)
    smaller = float(np.mean(learned)) < rated
    settled = own is stats.Verdict.DID_NOT_HOLD or (size is stats.Verdict.DID_NOT_HOLD and smaller)
    if settled or size is stats.Verdict.CANNOT_TELL:
        return str(size)
    return f"{stats.Verdict.CANNOT_TELL}: the network's own squared error explains its size as well"


def _room(learned: Sequence[float], other: float | Sequence[float]) -> list[float]:
    """Two less the factor between a learned variance and another, one a seed."""
    others = np.broadcast_to(other, len(learned))
    return [2 - max(v / o, o / v) for v, o in zip(learned, others, strict=True)]


def _labels_are_means(record: FaceSet | SequenceSet, items: NDArray) -> bool:
    assert record.ratings is not None
    return bool(np.allclose(np.nanmean(record.ratings[items], axis=1), record.affect[items], atol=1e-4))


def _mean(values: NDArray) -> float:
    return float(values.mean())


def _mean_pcc(columns: NDArray, y: NDArray) -> float:
    return float(np.mean([pcc(columns[:, k], y) for k in range(columns.shape[1])]))


def _high_less_low(learned: NDArray, observed: NDArray, subjects: NDArray) -> NDArray:
    """For each subject: what is observed (n,) where the learned (n,) is highest, less where it is lowest."""
    owned = [np.flatnonzero(subjects == s) for s in np.unique(subjects)]
    return np.array([observed[r[learned[r].argmax()]] - observed[r[learned[r].argmin()]] for r in owned])


def _per_subject(v: NDArray, y: NDArray, subjects: NDArray) -> float:
    """Mean over subjects of the correlation within each; a subject whose raters never differ has none."""
    within = [(v[subjects == s], y[subjects == s]) for s in np.unique(subjects)]
    return float(np.mean([pcc(a, b) for a, b in within if np.ptp(a) > 0 and np.ptp(b) > 0]))
