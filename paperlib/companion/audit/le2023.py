"""What the audit of le2023 (LDLVA) computes by programs of its own; the rest is in its audit.yaml."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from paperlib.companion.audit.intervals import (
    Paper,
    Range,
    Result,
    Status,
    difference,
    exceeds_zero,
    joined,
    judge,
    propagate,
    select,
    truth,
    whole_hits,
    worst,
)
from paperlib.companion.published import Printed

PAPER = Paper("le2023")
NOISE, POPULATIONS, ORIGINAL, ABLATION = PAPER.tables.values()
SETS, SHARES = ("AffectNet", "RAF-DB", "SFEW"), ("10%", "20%", "30%")
BASELINE, RIVALS, OURS = "Baseline", ("Baseline", "SCN", "RUL"), "LDLVA"
FULL, LEVEL = 100.0, 0.05  # per cent; of the tests


def number(name: str) -> float:
    return PAPER.number(name).value


RUNS = round(number("runs"))
# Of RAF-DB "more than 3,000" is printed; 3,068 is its test part as released.
PICTURES = {"AffectNet": round(number("affectnet-test")), "RAF-DB": 3_068, "SFEW": round(number("sfew-test"))}


def accuracy(share: str, method: str, data: str) -> Printed:
    return PAPER.number(f"1: {share} {method} | {data} accuracy")


def error(share: str, method: str, data: str) -> float:
    return number(f"1: {share} {method} | {data} standard_error")


def best_rival(share: str, data: str) -> str:
    return max(RIVALS, key=lambda method: accuracy(share, method, data).value)


def lead(share: str, data: str) -> Range:
    return difference(accuracy(share, OURS, data), accuracy(share, BASELINE, data))


# Table 1: wrong labels


def lost_digit() -> Iterator[Result]:
    cell, n = accuracy("30%", OURS, "SFEW"), PICTURES["SFEW"] * RUNS
    (hits,) = whole_hits(cell, n, FULL)
    rest = lead("10%", "SFEW").point + lead("20%", "SFEW").point - accuracy("30%", BASELINE, "SFEW").value
    needed = propagate(lambda mean: len(SHARES) * mean - rest, PAPER.number("margin-sfew"))
    found = f"{needed} by the average margin; {FULL * hits / n:.2f} by the pictures"
    yield Result("lost-digit", f"{cell.value:g}", found, judge(cell, needed))


def beyond_chance() -> Iterator[Result]:
    for reading, scale in (("standard error", np.sqrt(RUNS)), ("standard deviation", 1.0)):
        p = {}
        for share, data in product(SHARES, SETS):
            pair = OURS, best_rival(share, data)
            a, b = ((accuracy(share, m, data).value, scale * error(share, m, data), RUNS) for m in pair)
            p[f"{data} {share} {pair[1]}"] = stats.ttest_ind_from_stats(*a, *b, equal_var=False).pvalue
        below, held = sum(x < LEVEL for x in p.values()), multipletests([*p.values()], method="holm")[0].sum()
        last = max(p, key=p.__getitem__)
        found = f"{below} of {len(p)} below {LEVEL}, {held} after Holm's correction; largest p {p[last]:.2g} ({last})"
        yield Result("beyond-chance", "no test", found, Status.OURS, fill={"reading": reading})


def growth(gain: Callable[[float, float], float], data: str, rivals: list[str]) -> tuple[str, list[Range]]:
    """A gain at each share of noise, and how it rises from each to the next."""
    pairs = [(accuracy(s, OURS, data), accuracy(s, r, data)) for s, r in zip(SHARES, rivals, strict=True)]
    rises = [propagate(lambda a, b, c, d: gain(c, d) - gain(a, b), *x, *y) for x, y in pairwise(pairs)]
    return f"{data} " + " to ".join(f"{gain(a.value, b.value):.2f}" for a, b in pairs), rises


def growing_margin() -> Iterator[Result]:
    readings: dict[str, Callable[[float, float], float]] = {
        "points": np.subtract,
        "per cent of the rival's errors": lambda a, b: FULL * (a - b) / (FULL - b),
    }
    for (reading, gain), against in product(readings.items(), ("the baseline", "the best rival")):
        rivals = {d: [best_rival(s, d) if "best" in against else BASELINE for s in SHARES] for d in SETS}
        parts, rises = zip(*(growth(gain, data, rivals[data]) for data in SETS), strict=True)
        as_said = (reading, against) == ("points", "the baseline")
        status = worst(map(exceeds_zero, sum(rises, []))) if as_said else Status.OURS
        fill = {"against": against, "reading": reading}
        yield Result("growing-margin", "grows with the noise", joined(parts), status, fill=fill)
    p = {}
    for data in SETS:
        squares = np.array([error(s, m, data) ** 2 for s in ("10%", "30%") for m in (OURS, BASELINE)])
        df = squares.sum() ** 2 / np.square(squares).sum() * (RUNS - 1)  # Welch and Satterthwaite's
        rise = lead("30%", data).point - lead("10%", data).point
        p[data] = 2 * stats.t.sf(rise / np.sqrt(squares.sum()), df)
    found = joined(f"{data} p {x:.2g}" for data, x in p.items())
    yield Result("growth-beyond-chance", "no test", found, Status.OURS)


# How many pictures


def granularity() -> Iterator[Result]:
    own = {2: select(POPULATIONS, row=OURS), 3: select(ORIGINAL, row=OURS), 4: ABLATION}
    sizes = ", ".join(f"{data} {n:,}" for data, n in PICTURES.items())
    for table, frame in own.items():
        parts = []
        for column, group in frame.query("column != 'Average'").groupby("column", sort=False):
            printed = [Printed(*pair) for pair in zip(group["value"], group["half_unit"], strict=True)]
            n = PICTURES[str(column).split()[0]]
            fits = {k: sum(bool(whole_hits(cell, n * k, FULL)) for cell in printed) for k in (1, RUNS)}
            parts.append(f"{column} {', '.join(f'{x} of {len(printed)} as {k}' for k, x in fits.items())}")
        fill, printed_all = {"number": table, "runs": RUNS, "sizes": sizes}, joined(frame["printed"])
        yield Result("granularity-other", printed_all, joined(parts), Status.OURS, frame["cell"], fill)


def spreads() -> Iterator[Result]:
    """Which spreads three whole numbers of pictures can have, in the cells of SFEW whose mean is possible."""
    n, around = PICTURES["SFEW"], np.arange(-40, 41)
    readings = {
        f"{name}, divisor {RUNS - ddof}": (ddof, scale)
        for (name, scale), ddof in product((("error", np.sqrt(RUNS)), ("deviation", 1.0)), (1, 0))
    }
    possible = dict.fromkeys(readings, 0)
    cells = list(product(SHARES, (*RIVALS, OURS)))
    totals = {(s, m): whole_hits(accuracy(s, m, "SFEW"), n * RUNS, FULL) for s, m in cells}
    totals = {cell: hits for cell, hits in totals.items() if hits}
    for (share, method), (total,) in totals.items():
        a, b = np.meshgrid(around + total // RUNS, around + total // RUNS)
        for name, (ddof, scale) in readings.items():
            spread = FULL * np.std([a, b, total - a - b], axis=0, ddof=ddof) / n / scale
            possible[name] += bool((np.abs(spread - error(share, method, "SFEW")) <= 0.005 + 1e-9).any())
    found = joined(f"{name}: {count} of {len(totals)}" for name, count in possible.items())
    status = truth(max(possible.values()) == len(totals), Status.IMPOSSIBLE)
    named = select(NOISE, column="SFEW", quantity="standard_error")["cell"]
    yield Result("spreads", f"standard errors of {RUNS} runs", found, status, named)


# Tables 2 and 3: against others


def best_of_tables() -> Iterator[Result]:
    for table, frame in ((2, POPULATIONS), (3, ORIGINAL)):
        leads, sure, fill = {}, [], {"number": table}
        for column, of in frame.groupby("column", sort=False):
            best = str(of[of["row"] != OURS].sort_values("value")["row"].iloc[-1])
            pair = [PAPER.number(f"{table}: {row} | {column}") for row in (OURS, best)]
            gap = leads[f"{column} {best}"] = difference(*pair)
            if n := PICTURES.get(str(column)):
                variance = sum(x.value * (FULL - x.value) / n for x in pair)
                limit = stats.norm.ppf(1 - LEVEL / 2) * np.sqrt(variance)
                ahead = f"{column} {gap.point * n / FULL:.0f} pictures"
                sure.append(f"{ahead}, {gap.point:.2f} of {limit:.2f} points")
        status = worst(map(exceeds_zero, leads.values()))
        found = joined(f"{name} {gap:+.2f}" for name, gap in leads.items())
        yield Result("best-of-table", "best in every column", found, status, frame["cell"], fill)
        yield Result("lead-in-pictures", "no spread", joined(sure), Status.NOT_CHECKABLE, fill=fill)
    methods = ORIGINAL["row"].unique()
    alone = [row for row in methods if len(select(ORIGINAL, row=row)) == len(SETS)]
    filled = ", ".join(f"{data} {len(select(ORIGINAL, column=data)) - 1}" for data in SETS)
    printed = f"{len(ORIGINAL)} of {len(methods) * len(SETS)} cells"
    found = f"all three: {alone[0]}; rivals: {filled}"
    yield Result("blank-cells", printed, found, truth(alone == [OURS], Status.NOT_CHECKABLE))


# The equations


def factor_reach() -> Iterator[Result]:
    """Adam, with a gradient of 1 once an epoch."""
    rate, epochs = number("learning-rate"), number("epochs")
    batches = round(number("rafdb-train") / number("batch"))
    first = second = reached = 0.0
    for step in range(1, round(epochs) * batches + 1):
        gradient = float(step % batches == 1)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient
        reached += rate * first / (1 - 0.9**step) / np.sqrt(second / (1 - 0.999**step))
    plain = f"{epochs * rate:g} a unit of gradient, so 0.5 takes {0.5 / epochs / rate:.1f} nats"
    found = f"plain descent: {plain}; "
    found += f"Adam that steps all in every batch: {reached:.2f} on RAF-DB, whatever the size"
    fill = {"epochs": f"{epochs:g}", "rate": PAPER.printed("learning-rate")}
    yield Result("factor-reach", "learnt with the network", found, Status.NOT_CHECKABLE, fill=fill)


CHECKS = (
    lost_digit,
    beyond_chance,
    growing_margin,
    granularity,
    spreads,
    best_of_tables,
    factor_reach,
)
