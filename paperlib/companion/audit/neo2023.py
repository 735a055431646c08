"""What the audit of neo2023 computes by programs of its own; the rest is in its audit.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from scipy import stats

from paperlib.companion.audit.intervals import (
    Paper,
    Result,
    Status,
    exceeds_zero,
    joined,
    propagate,
    whole_hits,
    worst,
)
from paperlib.companion.audit.listed import Names
from paperlib.companion.published import Printed

PAPER = Paper("neo2023")
ALPHAS = ("0.0", "0.3", "0.5", "0.7", "1.0")
TUNED = {"AffectNet": "test-categories", "MorphSet": "morphset-test"}
BEST_ALPHA = "“both the highest classification scores and lowest regression errors are observed”"


def at(data: str, alpha: str, column: str) -> Printed:
    return PAPER.number(f"4: {data} alpha {alpha} | {column}")


def averages() -> Iterator[Result]:
    """A micro-averaged F1 always equals the accuracy."""
    both = PAPER.tables[1].pivot(index="row", columns="column", values="printed").dropna()
    same = both.index[both["Accuracy"] == both["F1"]].tolist()
    parts = []
    for data in TUNED:
        gaps = [100 * abs(at(data, a, "Accuracy").value - at(data, a, "F1").value) for a in ALPHAS]
        size = f"by {min(gaps):.2f} to {max(gaps):.2f} points"
        parts.append(f"{data} in {np.count_nonzero(gaps)} of {len(gaps)} rows, {size}")
    found = f"equal to four digits: {', '.join(same)}; in table 4 they differ: {joined(parts)}"
    printed = PAPER.printed("1: Ours | Accuracy", "1: Ours | F1")
    yield Result("accuracy-is-f1", printed, found, Status.NOT_CHECKABLE)


def best_with_noise() -> Iterator[Result]:
    frame = PAPER.tables[3]
    odd = []
    for (data, method), of in frame.groupby(["data", "method"], sort=False):
        highest = of.loc[of["value"] == of["value"].max(), "noise"]
        if set(highest) != {"0 %"}:
            odd.append(f"{data} {method} at {', '.join(highest)}")
    yield Result("best-with-noise", f"{len(frame)} F1 scores", joined(odd), Status.OURS)


def tuning() -> Iterator[Result]:
    kinds = (("classification", ("Accuracy", "F1"), 1), ("regression", ("RMSE V", "RMSE A"), -1))
    for data, (kind, columns, sign) in product(TUNED, kinds):
        leads, parts = [], []
        for column in columns:
            half = at(data, "0.5", column)
            others = {
                a: propagate(lambda x, y, s=sign: s * (x - y), half, at(data, a, column))
                for a in ALPHAS
                if a != "0.5"
            }
            rival = min(others, key=lambda a: others[a].point)
            leads.append(others[rival])
            parts.append(f"{column} {half.value:g}, at {rival} {at(data, rival, column).value:g}")
        status, fill = worst(map(exceeds_zero, leads)), {"data": data, "kind": kind}
        named = PAPER.tables[4].query("data == @data")["cell"] if kind == "classification" else ()
        yield Result("alpha-best", BEST_ALPHA, joined(parts), status, named, fill)


def chance() -> Iterator[Result]:
    for data, name in TUNED.items():
        n, parts = PAPER.number(name).value, []
        accuracies = {alpha: at(data, alpha, "Accuracy").value for alpha in ALPHAS}
        tuned = accuracies.pop("0.5")
        rivals = sorted({max(accuracies, key=accuracies.__getitem__), "1.0"})
        for alpha in rivals:
            variance = (tuned * (1 - tuned) + accuracies[alpha] * (1 - accuracies[alpha])) / n
            limit, gap = stats.norm.isf(0.025) * np.sqrt(variance), tuned - accuracies[alpha]
            parts.append(f"over {alpha} {gap * n:.1f} pictures, {100 * gap:.2f} of {100 * limit:.2f} points")
        printed = PAPER.printed(*(f"4: {data} alpha {alpha} | Accuracy" for alpha in ("0.5", *rivals)))
        fill = {"data": data, "n": f"{n:,.0f}"}
        yield Result("alpha-chance", printed, joined(parts), Status.OURS, fill=fill)


def granularity() -> Iterator[Result]:
    names = [f"4: AffectNet alpha {a} | Accuracy" for a in ALPHAS]
    printed = {f"table 4, alpha {a}": PAPER.number(name) for a, name in zip(ALPHAS, names, strict=True)}
    ours = PAPER.number("1: Ours | Accuracy")
    printed["table 1"] = Printed(ours.value / 100, ours.half_unit / 100)
    inner = [Printed(cell.value, cell.half_unit * (1 - 1e-3)) for cell in printed.values()]
    stated = round(PAPER.number("test-categories").value)
    for n in (stated, stated - 1):
        bad = Names(f"{name} {cell.value:.4f}" for name, cell in printed.items() if not whole_hits(cell, n))
        fit = len(printed) - len(bad)
        tied = fit - sum(bool(whole_hits(cell, n)) for cell in inner)
        found = f"{fit} of {len(printed)} fit" + (
            f", {tied} of them only by a tie in rounding" if tied else ""
        )
        each, fill = PAPER.printed(*names, "1: Ours | Accuracy"), {"n": f"{n:,}"}
        yield Result("granularity", each, f"{found}{bad:; not: }", Status.NOT_CHECKABLE, fill=fill)
    near = range(stated - 100, stated + 101)
    fits = [n for n in near if all(whole_hits(cell, n) for cell in printed.values())]
    found = f"{joined(f'{n:,}' for n in fits)}, of {len(near)} tried"
    yield Result("granularity-near", f"{stated:,}", found, Status.NOT_CHECKABLE)


CHECKS = (averages, best_with_noise, tuning, chance, granularity)
