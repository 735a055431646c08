"""Le, Nguyen, Tran, Tjiputra, Le and Nguyen 2023 (LDLVA), held against its own printed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests

from paperlib.companion.audit.intervals import (
    Range,
    Result,
    Status,
    difference,
    exceeds_zero,
    joined,
    judge,
    pick,
    propagate,
    select,
    truth,
    worst,
)
from paperlib.companion.published import Printed, read_table, read_text

KEY = "le2023"
NOISE, POPULATIONS, ORIGINAL, ABLATION = (read_table(KEY, number) for number in range(1, 5))
TEXT = read_text(KEY)
SETS, SHARES = ("AffectNet", "RAF-DB", "SFEW"), ("10%", "20%", "30%")
BASELINE, RIVALS, OURS = "Baseline", ("Baseline", "SCN", "RUL"), "LDLVA"
CLEAN, NOISY = "RAF-DB (original)", "RAF-DB (30% noise)"
STEPS = (("(i)", "(ii)"), ("(ii)", "(iii)"), ("(iii)", "(v)"), ("(iv)", "(v)"))  # of table 4
FULL, LEVEL = 100.0, 0.05  # per cent; of the tests


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


RUNS = round(text("runs").value)
# Of RAF-DB "more than 3,000" is printed; 3,068 is its test part as released.
PICTURES = dict(
    zip(SETS, (round(text("affectnet-test").value), 3_068, round(text("sfew-test").value)), strict=True)
)


def accuracy(share: str, method: str, data: str) -> Printed:
    return pick(NOISE, row=f"{share} {method}", column=data, quantity="accuracy")


def error(share: str, method: str, data: str) -> float:
    return pick(NOISE, row=f"{share} {method}", column=data, quantity="standard_error").value


def best_rival(share: str, data: str) -> str:
    return max(RIVALS, key=lambda method: accuracy(share, method, data).value)


def lead(share: str, data: str, rival: str = BASELINE) -> Range:
    return difference(accuracy(share, OURS, data), accuracy(share, rival, data))


def sizes(gaps: dict[str, Range]) -> str:
    return joined(f"{name} {gap.point:+.2f}" for name, gap in gaps.items())


def whole(printed: Printed, n: int, runs: int) -> list[int]:
    """How many hits on n pictures, `runs` times, round to this accuracy in per cent.

    Empty if none do (GRIM; Brown and Heathers 2017, Social Psychological and Personality Science 8).
    """
    low, high = ((printed.value + s * (printed.half_unit + 1e-9)) * n * runs / FULL for s in (-1, 1))
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))


# Table 1: wrong labels


def margins() -> Iterator[Result]:
    for data, name in zip(SETS, ("margin-affectnet", "margin-rafdb", "margin-sfew"), strict=True):
        inputs = [accuracy(share, method, data) for share in SHARES for method in (OURS, BASELINE)]
        mean = propagate(lambda *x: float(np.mean(np.subtract(x[::2], x[1::2]))), *inputs)
        cells, fill = select(NOISE, column=data, quantity="accuracy")["cell"], {"data": data}
        yield Result("average-margin", as_printed(name), str(mean), judge(text(name), mean), cells, fill)
    for share, name in (("10%", "margin-rafdb-10"), ("30%", "margin-rafdb-30")):
        gap, fill = lead(share, "RAF-DB"), {"share": share}
        yield Result("margin-at", as_printed(name), str(gap), judge(text(name), gap), fill=fill)

    cell, (hits,) = (
        accuracy("30%", OURS, "SFEW"),
        whole(accuracy("30%", OURS, "SFEW"), PICTURES["SFEW"], RUNS),
    )
    rest = [lead("10%", "SFEW").point, lead("20%", "SFEW").point, -accuracy("30%", BASELINE, "SFEW").value]
    needed = propagate(lambda mean: len(SHARES) * mean - sum(rest), text("margin-sfew"))
    found = f"{needed} by the average margin; {FULL * hits / PICTURES['SFEW'] / RUNS:.2f} by the pictures"
    yield Result("lost-digit", f"{cell.value:g}", found, judge(cell, needed))


def best_everywhere() -> Iterator[Result]:
    gaps = [lead(share, data, rival) for share, data, rival in product(SHARES, SETS, RIVALS)]
    closest = min(gaps, key=lambda gap: gap.point)
    found = f"{sum(gap.low > 0 for gap in gaps)} of {len(gaps)} comparisons ahead; the closest by {closest}"
    yield Result("best-everywhere", "ahead in all", found, worst(map(exceeds_zero, gaps)), NOISE["cell"])
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
        fill = {"against": against, "reading": reading}
        as_said = (reading, against) == ("points", "the baseline")
        status = worst(map(exceeds_zero, sum(rises, []))) if as_said else Status.OURS
        yield Result("growing-margin", "grows with the noise", joined(parts), status, fill=fill)

    p = {}
    for data in SETS:
        squares = np.array([error(s, m, data) ** 2 for s in ("10%", "30%") for m in (OURS, BASELINE)])
        df = squares.sum() ** 2 / np.square(squares).sum() * (RUNS - 1)  # Welch and Satterthwaite's
        p[data] = 2 * stats.t.sf(
            (lead("30%", data).point - lead("10%", data).point) / np.sqrt(squares.sum()), df
        )
    found = joined(f"{data} p {x:.2g}" for data, x in p.items())
    yield Result("growth-beyond-chance", "no test", found, Status.OURS)

    none = difference(*(pick(ABLATION, row=r, column=CLEAN) for r in ("(v)", "(i)")))
    found = f"{none.point:.2f} to {lead('10%', 'RAF-DB').point:.2f}"
    yield Result("growth-from-none", "grows with the noise", found, Status.OURS)


# How many pictures


def granularity() -> Iterator[Result]:
    for data, n in PICTURES.items():
        cells = {f"{s} {m}": accuracy(s, m, data) for s, m in product(SHARES, (*RIVALS, OURS))}
        bad = [f"{name} {cell.value:.2f}" for name, cell in cells.items() if not whole(cell, n, RUNS)]
        found = f"{len(bad)} of {len(cells)} impossible" + (f": {', '.join(bad)}" if bad else "")
        status = truth(not bad, Status.IMPOSSIBLE if data == "SFEW" else Status.NOT_CHECKABLE)
        named = select(NOISE, column=data, quantity="accuracy")["cell"]
        yield Result("granularity", f"means of {RUNS} runs", found, status, named, {"data": data, "n": n})

    own = {2: select(POPULATIONS, row=OURS), 3: select(ORIGINAL, row=OURS), 4: ABLATION}
    for number, frame in own.items():
        parts = []
        for column, group in frame.query("column != 'Average'").groupby("column", sort=False):
            printed = [Printed(*pair) for pair in zip(group["value"], group["half_unit"], strict=True)]
            n = PICTURES[str(column).split()[0]]
            counts = {runs: sum(bool(whole(cell, n, runs)) for cell in printed) for runs in (1, RUNS)}
            parts.append(
                f"{column} {', '.join(f'{k} of {len(printed)} as {runs}' for runs, k in counts.items())}"
            )
        listed = ", ".join(f"{data} {n:,}" for data, n in PICTURES.items())
        fill = {"number": number, "runs": RUNS, "sizes": listed}
        yield Result(
            "granularity-other", joined(frame["printed"]), joined(parts), Status.OURS, frame["cell"], fill
        )


def spreads() -> Iterator[Result]:
    """Which spreads three whole numbers of pictures can have, in the cells of SFEW whose mean is possible."""
    n, around = PICTURES["SFEW"], np.arange(-40, 41)
    readings = {
        f"{name}, divisor {RUNS - ddof}": (ddof, scale)
        for (name, scale), ddof in product((("error", np.sqrt(RUNS)), ("deviation", 1.0)), (1, 0))
    }
    possible = dict.fromkeys(readings, 0)
    totals = {(s, m): whole(accuracy(s, m, "SFEW"), n, RUNS) for s, m in product(SHARES, (*RIVALS, OURS))}
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


def averages() -> Iterator[Result]:
    for row in POPULATIONS["row"].unique():
        printed = pick(POPULATIONS, row=row, column="Average")
        mean = propagate(lambda *x: float(np.mean(x)), *(pick(POPULATIONS, row=row, column=d) for d in SETS))
        cells, fill = select(POPULATIONS, row=row)["cell"], {"row": row}
        yield Result("average", f"{printed.value:.2f}", str(mean), judge(printed, mean), cells, fill)
    gap = difference(*(pick(POPULATIONS, row=row, column="Average") for row in (OURS, "LDL-ALSG")))
    name = "margin-populations"
    yield Result(name, as_printed(name), str(gap), judge(text(name), gap))


def best_of_tables() -> Iterator[Result]:
    for number, frame in ((2, POPULATIONS), (3, ORIGINAL)):
        leads, sure, fill = {}, [], {"number": number}
        for column in frame["column"].unique():
            others = select(frame, column=column).query("row != @OURS")
            best = str(others.sort_values("value")["row"].iloc[-1])
            pair = [pick(frame, row=row, column=column) for row in (OURS, best)]
            gap = leads[f"{column} {best}"] = difference(*pair)
            if n := PICTURES.get(column):
                variance = sum(x.value * (FULL - x.value) / n for x in pair)
                limit = stats.norm.ppf(1 - LEVEL / 2) * np.sqrt(variance)
                sure.append(
                    f"{column} {gap.point * n / FULL:.0f} pictures, {gap.point:.2f} of {limit:.2f} points"
                )
        status = worst(map(exceeds_zero, leads.values()))
        yield Result("best-of-table", "best in every column", sizes(leads), status, frame["cell"], fill)
        yield Result("lead-in-pictures", "no spread", joined(sure), Status.NOT_CHECKABLE, fill=fill)

    methods = ORIGINAL["row"].unique()
    alone = [row for row in methods if len(select(ORIGINAL, row=row)) == len(SETS)]
    filled = ", ".join(f"{data} {len(select(ORIGINAL, column=data)) - 1}" for data in SETS)
    printed, found = (
        f"{len(ORIGINAL)} of {len(methods) * len(SETS)} cells",
        f"all three: {alone[0]}; rivals: {filled}",
    )
    yield Result("blank-cells", printed, found, truth(alone == [OURS], Status.NOT_CHECKABLE))
    plain, scn = pick(ABLATION, row="(i)", column=CLEAN), pick(ORIGINAL, row="SCN", column="RAF-DB")
    found = f"plain ResNet-50 {plain.value:.2f} (table 4), SCN as quoted {scn.value:.2f} (table 3)"
    yield Result("quoted-rivals", "SCN below LDLVA", found, Status.NOT_CHECKABLE)


# Table 4: components


def ablation() -> Iterator[Result]:
    pairs = {
        "(i), 30 %": (pick(ABLATION, row="(i)", column=NOISY), accuracy("30%", BASELINE, "RAF-DB")),
        "(v), 30 %": (pick(ABLATION, row="(v)", column=NOISY), accuracy("30%", OURS, "RAF-DB")),
        "(v), original": (pick(ABLATION, row="(v)", column=CLEAN), pick(ORIGINAL, row=OURS, column="RAF-DB")),
    }
    found = joined(f"{name}: {a.value:.2f} and {b.value:.2f}" for name, (a, b) in pairs.items())
    status = truth(all(a == b for a, b in pairs.values()))
    yield Result("same-numbers", "the same settings", found, status, ABLATION["cell"])

    quantile = np.sqrt(2) * stats.t.ppf(1 - LEVEL / 2, 2 * (RUNS - 1))
    needed = [quantile * error("30%", method, "RAF-DB") for method in (OURS, BASELINE)]
    for column, name in ((CLEAN, "ablation-original"), (NOISY, "ablation-noise")):
        setting, fill = (
            {row: pick(ABLATION, row=row, column=column) for row in ABLATION["row"]},
            {"column": column},
        )
        added = {f"{a} to {b}": difference(setting[b], setting[a]) for a, b in STEPS}
        first, of_as = added["(i) to (ii)"], added["(iv) to (v)"]
        yield Result("ablation-gain", as_printed(name), str(first), judge(text(name), first), fill=fill)
        status = worst(map(exceeds_zero, added.values()))
        yield Result("components", "every component helps", sizes(added), status, fill=fill)
        found = f"{first.point:.2f} for both, {of_as.point:.2f} for adaptive similarity on top of the rest"
        found += f": {first.point - of_as.point:.2f} for distributions alone, were effects to add up"
        yield Result("additive", "(ii) adds two at once", found, Status.NOT_CHECKABLE, fill=fill)
        above = (f"{sum(s.point > x for s in added.values())} of {len(added)} above {x:.2f}" for x in needed)
        yield Result("ablation-chance", "no spread", joined(above), Status.NOT_CHECKABLE, fill=fill)


# Cost, and the equations


def hours() -> Iterator[Result]:
    few, many, k = text("hours-8"), text("hours-16"), text("k").value
    ratio, pictures = propagate(lambda a, b: b / a, few, many), (1 + 2 * k) / (1 + k)
    plain = propagate(lambda a, b: 2 * a - b, few, many)
    found = (
        f"{ratio} times the hours for {pictures:.2f} times the pictures; on a line, {plain} hours at K = 0: "
    )
    found += f"K = 8 and 16 take {few.value / plain.point:g} and {many.value / plain.point:g} times as long"
    status = truth(1 < ratio.low and ratio.point <= pictures)
    yield Result("hours", as_printed("hours-8", "hours-16"), found, status)
    yield Result("default-k", as_printed("k"), "16 is called better on original labels", Status.NOT_CHECKABLE)


def factor() -> Iterator[Result]:
    label, around, output = np.array([1.0, 0.0]), np.array([0.6, 0.4]), np.array([0.8, 0.2])
    gamma, rate, epochs = (text(name).value for name in ("gamma", "learning-rate", "epochs"))

    def slope(distance: float) -> float:
        """Derivative of equation 11 by the factor at its start, for a picture at a squared distance."""

        def loss(f: np.ndarray) -> float:
            target = (1 - f[0]) * label + f[0] * around
            return -target @ np.log(output) + gamma / 2 * (1 - f[0]) * distance

        return optimize.approx_fprime([text("factor-start").value], loss)[0]

    printed = (label - around) @ np.log(output)
    found = f"{slope(0):+.4f} by finite difference, {printed:+.4f} by equation 9"
    yield Result("factor-descent", "equation 9", found, truth(np.isclose(slope(0), printed, atol=1e-6)))
    found = f"{printed:+.3f} alone, {slope(10):+.3f} and {slope(20):+.3f} at squared distances of 10 and 20"
    yield Result("factor-gradient", "equations 7 to 9", found, truth(np.isclose(slope(10), printed)))
    found = f"gradient {printed:+.3f}, hence {-rate * printed:+.5f} after one step"
    yield Result("factor-range", "[0, 1], from 0", found, truth(printed <= 0))

    batches = round(text("rafdb-train").value / text("batch").value)
    first = second = reached = 0.0
    for step in range(1, round(epochs) * batches + 1):  # Adam, with a gradient of 1 once an epoch
        gradient = float(step % batches == 1)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient
        reached += rate * first / (1 - 0.9**step) / np.sqrt(second / (1 - 0.999**step))
    found = (
        f"plain descent: {epochs * rate:g} a unit of gradient, so 0.5 takes {0.5 / epochs / rate:.1f} nats; "
    )
    found += f"Adam that steps all in every batch: {reached:.2f} on RAF-DB, whatever the size"
    fill = {"epochs": f"{epochs:g}", "rate": as_printed("learning-rate")}
    yield Result("factor-reach", "learnt with the network", found, Status.NOT_CHECKABLE, fill=fill)


def centres() -> Iterator[Result]:
    def near(apart: np.ndarray) -> np.ndarray:
        return np.exp(-np.square(apart).sum(-1, keepdims=True) / np.sqrt(4))

    centres = 0.1 * np.arange(28.0).reshape(7, 4)
    apart, together = centres[:, None] - centres, np.zeros((7, 7, 4))
    force = np.abs((near(together) * together).sum(axis=1)).max()
    found = f"largest force between 7 centres at zero: {force:g}"
    yield Result("centres-at-zero", "pushed apart", found, truth(force > 0))
    found = f"{(near(apart).sum() - 7) / np.triu(near(apart)[..., 0], 1).sum():g} times the sum over pairs"
    yield Result("pairs-twice", "equation 10", found, Status.NOT_CHECKABLE)

    score, predicted = np.array([0.8, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]])
    full, small = (s @ predicted / s.sum() for s in (score, score / 1000))
    found = f"scores 0.8, 0.4: {full.round(2)}; a thousandth of them: {small.round(2)}"
    yield Result("scores-level", "equations 3 to 5", found, Status.NOT_CHECKABLE)


def not_printed() -> Iterator[Result]:
    for name in ("target", "neighbours", "sums", "space", "shared-factor", "flips", "validation", "weights"):
        yield Result(f"open-{name}", "not said", "", Status.NOT_CHECKABLE)
    yield Result("open-sfew", as_printed("sfew-train", "sfew-test"), "", Status.NOT_CHECKABLE)


CHECKS = (
    margins,
    best_everywhere,
    growing_margin,
    granularity,
    spreads,
    averages,
    best_of_tables,
    ablation,
    hours,
    factor,
    centres,
    not_printed,
)
