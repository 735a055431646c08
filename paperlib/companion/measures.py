"""Measures that several pages use, of columns that the page names; see `paperlib.companion.score`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib import metrics
from paperlib.companion.replicates import Measure, in_blocks, ranks, sums

Function = Callable[..., NDArray | float]


def rmse(predicted: str = "prediction", label: str = "label", name: str = "RMSE") -> Measure:
    """Root mean squared difference of two columns; less is better."""
    return mean(name, predicted, label, of=lambda a, b: (a - b) ** 2, root=True, better=-1)


def rmse_in_sd(predicted: str = "prediction", name: str = "RMSE / sd") -> Measure:
    """Root mean squared difference of a column and the label, in standard deviations of the label on these rows."""
    return Measure(name=name, columns=(predicted, "label"), better=-1, **sums(_moments, _rmse_in_sd))


def pcc(predicted: str = "prediction", label: str = "label", name: str = "PCC") -> Measure:
    """Pearson's correlation of two columns."""
    many = sums(_moments, _pcc)["many"]
    return Measure(name=name, columns=(predicted, label), of=metrics.pcc, many=many, fisher=True)


def ccc(predicted: str = "prediction", label: str = "label", name: str = "CCC") -> Measure:
    """Lin's concordance correlation of two columns; moments divide by n."""
    many = sums(_moments, metrics.ccc_from_sums)["many"]
    return Measure(name=name, columns=(predicted, label), of=metrics.ccc, many=many)


def sagr(predicted: str = "prediction", label: str = "label") -> Measure:
    """Share of rows in which two columns have one sign."""
    return mean("SAGR", predicted, label, of=lambda a, b: np.sign(a) == np.sign(b))


def accuracy(named: str = "named", right: str = "right", name: str = "accuracy", unit: str = "%") -> Measure:
    """Share of rows in which two columns of class numbers are equal, in per cent (or, with unit "", from 0 to 1)."""
    scale = 100.0 if unit == "%" else 1.0
    return mean(name, named, right, of=lambda a, b: scale * (a == b), unit=unit)


def mean(
    name: str, *columns: str, of: Function = lambda x: x, better: int = 1, unit: str = "", root: bool = False
) -> Measure:
    """Mean over rows of a function of columns, or its root; rows where it is NaN do not count."""

    def terms(*values: NDArray) -> NDArray:
        found = np.asarray(of(*values), float)
        return np.stack([np.nan_to_num(found), np.isfinite(found)], axis=1)

    def of_sums(s: NDArray) -> NDArray:
        found = s[..., 0] / s[..., 1]
        return np.sqrt(found) if root else found

    return Measure(name=name, columns=columns, better=better, unit=unit, **sums(terms, of_sums))


def between(
    measure: Measure, *columns: str, pairs: Callable[..., Iterable[tuple[NDArray, NDArray]]]
) -> Measure:
    """Mean of a measure of two columns over `pairs` made of `columns`, such as all pairs of raters.

    Each is of the rows that both sides have.
    """

    def over_pairs(f: Callable[..., Any]) -> Callable[..., Any]:
        def on_both(a: NDArray, b: NDArray, **draws: NDArray) -> Any:
            both = np.isfinite(a) & np.isfinite(b)
            return f(a[both], b[both], **{k: v[both] if k == "unit" else v for k, v in draws.items()})

        return lambda *x, **draws: np.mean([on_both(a, b, **draws) for a, b in pairs(*x)], axis=0)

    many = over_pairs(measure.many) if measure.many else None
    return replace(measure, columns=columns, of=over_pairs(measure.of), many=many, fisher=False)


def spearman(x: str, y: str, name: str = "rank correlation") -> Measure:
    """Spearman's rank correlation of two columns; ties share their mean rank."""

    @in_blocks
    def many(a: NDArray, b: NDArray, *, unit: NDArray, counts: NDArray) -> NDArray:
        times, (ra, rb) = counts[:, unit].astype(float), (ranks(v, unit, counts) for v in (a, b))
        n = times.sum(axis=1)
        level = n * ((n + 1) / 2) ** 2  # ranks have this mean, whatever was drawn
        together = np.einsum("rn,rn,rn->r", times, ra, rb) - level
        spread = [np.einsum("rn,rn,rn->r", times, v, v) - level for v in (ra, rb)]
        with np.errstate(invalid="ignore", divide="ignore"):
            return together / np.sqrt(spread[0] * spread[1])

    one = np.ones((1, 1), int)
    of = lambda a, b: float(many(a, b, unit=np.zeros(len(a), int), counts=one)[0])  # noqa: E731
    return Measure(name=name, columns=(x, y), of=of, many=many)


def _moments(a: NDArray, b: NDArray) -> NDArray:
    return np.stack([np.ones_like(a), a, b, a * a, b * b, a * b], axis=1)


def _pcc(s: NDArray) -> NDArray:
    n, x, y, xx, yy, xy = np.moveaxis(s, -1, 0)
    return (n * xy - x * y) / np.sqrt((n * xx - x**2) * (n * yy - y**2))


def _rmse_in_sd(s: NDArray) -> NDArray:
    n, _, y, _, yy, _ = np.moveaxis(s, -1, 0)
    return metrics.rmse_from_sums(s) / np.sqrt(yy / n - (y / n) ** 2)
