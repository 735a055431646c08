"""Le, Nguyen, Tran, Tjiputra, Le and Nguyen 2023 (LDLVA), held against its own printed numbers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

from paperlib.audit import Result, Status, check, exceeds_zero, judge, pick, propagate, worst
from paperlib.published import Printed, read_table, read_text

KEY = "le2023"
NOISE, POPULATIONS, ORIGINAL, ABLATION = (read_table(KEY, number) for number in range(1, 5))
TEXT = read_text(KEY)
SETS = ("AffectNet", "RAF-DB", "SFEW")
SHARES, RIVALS, OURS = ("10%", "20%", "30%"), ("Baseline", "SCN", "RUL"), "LDLVA"
RUNS = 3
# Test pictures: SFEW's are printed; of the others the usual counts, which the paper rounds.
PICTURES = {"AffectNet": 3_500, "RAF-DB": 3_068, "SFEW": 406}
STEPS = (("(i)", "(ii)"), ("(ii)", "(iii)"), ("(iii)", "(v)"), ("(iv)", "(v)"))
LEARNING_RATE = 0.001


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(name: str) -> str:
    return str(TEXT.loc[name, "printed"])


def accuracy(share: str, method: str, data: str) -> Printed:
    return pick(NOISE, row=f"{share} {method}", column=data, quantity="accuracy")


def error(share: str, method: str, data: str) -> float:
    return pick(NOISE, row=f"{share} {method}", column=data, quantity="standard_error").value


def margin(share: str, data: str, rival: str = "Baseline") -> tuple[Printed, Printed]:
    return accuracy(share, OURS, data), accuracy(share, rival, data)


def best_rival(share: str, data: str) -> str:
    return max(RIVALS, key=lambda m: accuracy(share, m, data).value)


def cells_of(column: str, quantity: str = "accuracy") -> list[str]:
    return NOISE.query("column == @column and quantity == @quantity")["cell"].tolist()


# Table 1: wrong labels


@check(KEY)
def average_margins() -> Iterator[Result]:
    for data, name in zip(SETS, ("margin-affectnet", "margin-rafdb", "margin-sfew"), strict=True):
        inputs = [p for share in SHARES for p in margin(share, data)]
        found = propagate(lambda *x: float(np.mean(np.subtract(x[::2], x[1::2]))), *inputs)
        status = judge(text(name), found)
        yield Result("average-margin", as_printed(name), str(found), status, cells_of(data), {"data": data})
    for share, name in (("10%", "margin-rafdb-10"), ("30%", "margin-rafdb-30")):
        found = propagate(lambda a, b: a - b, *margin(share, "RAF-DB"))
        fill = {"share": share}
        yield Result("margin-at", as_printed(name), str(found), judge(text(name), found), fill=fill)


@check(KEY)
def lost_digit() -> Iterator[Result]:
    others = sum(a.value - b.value for a, b in (margin(s, "SFEW") for s in SHARES[:2]))
    needed = 3 * text("margin-sfew").value - others + accuracy("30%", "Baseline", "SFEW").value
    found = f"{needed:.2f} ± 0.015 is needed for the printed average margin"
    yield Result("lost-digit", "50.3", found, Status.WITHIN_ROUNDING)


@check(KEY)
def best_everywhere() -> Iterator[Result]:
    gaps = [propagate(lambda a, b: a - b, *margin(s, d, m)) for s, d, m in product(SHARES, SETS, RIVALS)]
    smallest = min(gaps, key=lambda g: g.point)
    found = f"{sum(g.low > 0 for g in gaps)} of {len(gaps)} comparisons ahead; the closest by {smallest}"
    yield Result("best-everywhere", "ahead in all", found, worst(map(exceeds_zero, gaps)), NOISE["cell"])


@check(KEY)
def beyond_chance() -> Iterator[Result]:
    for reading, scale in (("standard error", np.sqrt(RUNS)), ("standard deviation", 1.0)):
        p, names = [], []
        for share, data in product(SHARES, SETS):
            rival = best_rival(share, data)
            summaries = [
                x
                for m in (OURS, rival)
                for x in (accuracy(share, m, data).value, scale * error(share, m, data), RUNS)
            ]
            p.append(stats.ttest_ind_from_stats(*summaries, equal_var=False).pvalue)
            names.append(f"{data} {share} {rival}")
        below = sum(x < 0.05 for x in p)
        held = multipletests(p, method="holm")[0].sum()
        last = int(np.argmax(p))
        found = f"{below} of 9 below 0.05, {held} after Holm's correction; largest p {p[last]:.2g} ({names[last]})"
        status = Status.MATCHES if below == 9 else Status.DIFFERS
        yield Result("beyond-chance", "consistently", found, status, fill={"reading": reading})


@check(KEY)
def growing_margin() -> Iterator[Result]:
    for against, rival_of in (("the baseline", lambda s, d: "Baseline"), ("the best rival", best_rival)):
        for data in SETS:
            margins = [margin(s, data, rival_of(s, data)) for s in SHARES]
            steps = [propagate(lambda a, b, c, d: (c - d) - (a - b), *x, *y) for x, y in pairwise(margins)]
            found = " to ".join(f"{a.value - b.value:.2f}" for a, b in margins)
            fill = {"data": data, "against": against}
            yield Result(
                "growing-margin", "grows with the noise", found, worst(map(exceeds_zero, steps)), fill=fill
            )


def reachable(printed: Printed, n: int, runs: int) -> bool:
    """Is a mean of `runs` accuracies on n pictures, in per cent, printed like this? (GRIM, Brown and Heathers 2017)"""
    low, high = ((printed.value + side * (printed.half_unit + 1e-9)) * n * runs / 100 for side in (-1, 1))
    return bool(np.floor(high) >= np.ceil(low))


@check(KEY)
def granularity() -> Iterator[Result]:
    for data in SETS:
        cells = {f"{s} {m}": accuracy(s, m, data) for s, m in product(SHARES, (*RIVALS, OURS))}
        bad = [f"{name} {p.value:g}" for name, p in cells.items() if not reachable(p, PICTURES[data], RUNS)]
        found = f"{len(bad)} of {len(cells)} impossible" + (f": {', '.join(bad)}" if bad else "")
        status = Status.MATCHES if not bad else Status.IMPOSSIBLE if data == "SFEW" else Status.NOT_CHECKABLE
        fill = {"data": data, "n": PICTURES[data]}
        yield Result("granularity", "means of three runs", found, status, cells_of(data), fill)
    for frame, number in ((POPULATIONS, 2), (ORIGINAL, 3)):
        ours = pick(frame, row=OURS, column="SFEW")
        grain = PICTURES["SFEW"] / 100
        nearest = [f"{round(ours.value * grain * runs) / (grain * runs):.2f} ({runs})" for runs in (1, RUNS)]
        one, several = (reachable(ours, PICTURES["SFEW"], runs) for runs in (1, RUNS))
        status = Status.MATCHES if one else Status.NOT_CHECKABLE if several else Status.IMPOSSIBLE
        found = f"nearest possible, by number of runs: {', '.join(nearest)}"
        yield Result("granularity-single", f"{ours.value:.2f}", found, status, fill={"number": number})


@check(KEY)
def spreads() -> Iterator[Result]:
    """Which printed spreads three whole numbers of SFEW pictures can have, where their mean is possible."""
    readings = {
        "standard error": (1, np.sqrt(RUNS)),
        "standard error, over n": (0, np.sqrt(RUNS)),
        "standard deviation": (1, 1.0),
        "standard deviation, over n": (0, 1.0),
    }
    possible = dict.fromkeys(readings, 0)
    span = np.arange(-40, 41)
    cells = [
        (s, m) for s, m in product(SHARES, (*RIVALS, OURS)) if reachable(accuracy(s, m, "SFEW"), 406, RUNS)
    ]
    for share, method in cells:
        total = round(accuracy(share, method, "SFEW").value * 406 * RUNS / 100)
        a, b = (g + total // RUNS for g in np.meshgrid(span, span))
        for reading, (ddof, scale) in readings.items():
            spread = np.std([a, b, total - a - b], axis=0, ddof=ddof) / 4.06 / scale
            possible[reading] += bool((np.abs(spread - error(share, method, "SFEW")) <= 0.005 + 1e-9).any())
    found = "; ".join(f"as a {r}: {n} of {len(cells)}" for r, n in possible.items())
    status = Status.MATCHES if possible["standard error"] == len(cells) else Status.IMPOSSIBLE
    yield Result("spreads", "three runs, standard error", found, status, cells_of("SFEW", "standard_error"))


# Tables 2 and 3: against others


@check(KEY)
def averages() -> Iterator[Result]:
    for row in POPULATIONS["row"].unique():
        printed = pick(POPULATIONS, row=row, column="Average")
        parts = [pick(POPULATIONS, row=row, column=d) for d in SETS]
        found = propagate(lambda *x: float(np.mean(x)), *parts)
        cells = POPULATIONS.query("row == @row")["cell"]
        yield Result(
            "average", f"{printed.value:.2f}", str(found), judge(printed, found), cells, {"row": row}
        )
    gap = propagate(
        lambda a, b: a - b, *(pick(POPULATIONS, row=r, column="Average") for r in (OURS, "LDL-ALSG"))
    )
    yield Result(
        "margin-populations",
        as_printed("margin-populations"),
        str(gap),
        judge(text("margin-populations"), gap),
    )


@check(KEY)
def best_of_tables() -> Iterator[Result]:
    for frame, number in ((POPULATIONS, 2), (ORIGINAL, 3)):
        gaps = {}
        for column in frame["column"].unique():
            rest = frame[(frame["column"] == column) & (frame["row"] != OURS)]
            best = rest.loc[rest["value"].idxmax()]
            gaps[f"{column} {best['row']}"] = propagate(
                lambda a, b: a - b,
                pick(frame, row=OURS, column=column),
                Printed(best["value"], best["half_unit"]),
            )
        found = "; ".join(f"{name} by {g.point:.2f}" for name, g in gaps.items())
        status = worst(map(exceeds_zero, gaps.values()))
        yield Result(
            "best-of-table", "best in every column", found, status, frame["cell"], {"number": number}
        )
    plain, quoted = (
        pick(ABLATION, row="(i)", column="RAF-DB (original)"),
        pick(ORIGINAL, row="SCN", column="RAF-DB"),
    )
    found = f"plain ResNet-50 {plain.value:.2f} (table 4), SCN as quoted {quoted.value:.2f} (table 3)"
    yield Result("quoted-rivals", "SCN below LDLVA", found, Status.NOT_CHECKABLE)


# Table 4: components


@check(KEY)
def ablation() -> Iterator[Result]:
    noisy, clean = "RAF-DB (30% noise)", "RAF-DB (original)"
    pairs = (
        ("(i), 30 %", pick(ABLATION, row="(i)", column=noisy), accuracy("30%", "Baseline", "RAF-DB")),
        ("(v), 30 %", pick(ABLATION, row="(v)", column=noisy), accuracy("30%", OURS, "RAF-DB")),
        ("(v), original", pick(ABLATION, row="(v)", column=clean), pick(ORIGINAL, row=OURS, column="RAF-DB")),
    )
    found = "; ".join(f"{name}: {a.value:.2f} and {b.value:.2f}" for name, a, b in pairs)
    same = all(a == b for _, a, b in pairs)
    yield Result(
        "same-runs", "one experiment", found, Status.MATCHES if same else Status.DIFFERS, ABLATION["cell"]
    )
    for name, column in (("ablation-original", clean), ("ablation-noise", noisy)):
        gain = propagate(lambda a, b: b - a, *(pick(ABLATION, row=r, column=column) for r in ("(i)", "(ii)")))
        yield Result(
            "ablation-gain",
            as_printed(name),
            str(gain),
            judge(text(name), gain),
            fill={"column": column},
        )
    steps = []
    for column in (clean, noisy):
        gaps = {
            f"{a} to {b}": propagate(
                lambda x, y: y - x, *(pick(ABLATION, row=r, column=column) for r in (a, b))
            )
            for a, b in STEPS
        }
        steps = [g.point for g in gaps.values()]
        found = "; ".join(f"{name} {g.point:+.2f}" for name, g in gaps.items())
        yield Result(
            "components",
            "every component helps",
            found,
            worst(map(exceeds_zero, gaps.values())),
            fill={"column": column},
        )
    errors = [error("30%", m, "RAF-DB") for m in ("Baseline", OURS)]
    needed = [stats.t.ppf(0.975, 2 * (RUNS - 1)) * np.sqrt(2) * e for e in errors]
    found = (
        f"two means with such spreads must differ by {needed[1]:.2f} to {needed[0]:.2f} for p < 0.05; "
        f"the steps under noise are {min(steps):.2f} to {max(steps):.2f}"
    )
    yield Result("ablation-chance", "no spread", found, Status.NOT_CHECKABLE)


# Cost, and the equations


@check(KEY)
def hours() -> Iterator[Result]:
    ratio = text("hours-16").value / text("hours-8").value
    found = f"{ratio:.2f} times the hours for {17 / 9:.2f} times the pictures (17 against 9 a sample)"
    yield Result("hours", "12 and 20 hours", found, Status.MATCHES if 1 < ratio <= 17 / 9 else Status.DIFFERS)
    yield Result("default-k", "8", "16 is called better on the original labels", Status.NOT_CHECKABLE)


@check(KEY)
def equations() -> Iterator[Result]:
    prediction, neighbours, label = np.array([0.8, 0.2]), np.array([0.6, 0.4]), np.array([1.0, 0.0])
    gradient = float(-(neighbours @ np.log(prediction)) + label @ np.log(prediction))
    found = (
        f"label (1, 0), neighbours (0.6, 0.4), prediction (0.8, 0.2): gradient {gradient:+.3f}, "
        f"so {-LEARNING_RATE * gradient:+.5f} after a step"
    )
    yield Result("factor-range", "[0, 1], from 0", found, Status.DIFFERS)
    distance = 10.0
    pull = -text("gamma").value / 2 * distance
    found = f"{gradient:+.3f} by equation 9, {gradient + pull:+.3f} with the pull at squared distance {distance:g}"
    yield Result("factor-gradient", "equations 7 to 9", found, Status.DIFFERS)
    centres = np.zeros((7, 4))
    offsets = centres[:, None] - centres[None]
    force = (np.exp(-np.square(offsets).sum(-1, keepdims=True) / 2) * offsets).sum(axis=1)
    found = f"largest force between 7 centres at zero: {np.abs(force).max():g}"
    yield Result("centres-at-zero", "pushed apart", found, Status.DIFFERS)
    score, near = np.array([0.8, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]])
    full, small = (s @ near / s.sum() for s in (score, score / 1000))
    found = f"scores (0.8, 0.4): ({full[0]:.2f}, {full[1]:.2f}); a thousandth of them: ({small[0]:.2f}, {small[1]:.2f})"
    yield Result("scores-level", "equations 3 to 5", found, Status.NOT_CHECKABLE)
