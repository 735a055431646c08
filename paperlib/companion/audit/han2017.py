"""What the audit of han2017 computes by programs of its own, of its two tables together; the rest is in audit.yaml.

What links the two tables. A prediction with standard deviation p and bias b, of a gold standard with deviation g,
has MSE = p^2 + g^2 + b^2 - 2 cov and CCC = 2 cov / (p^2 + g^2 + b^2). So `spread` = MSE / (1 - CCC) is
p^2 + g^2 + b^2, and CCC spread / 2 the covariance. A least-squares fit, scored where it was fitted, has in addition
b = 0 and p = R g, hence CCC = 2 R^2 / (1 + R^2) and MSE = (1 - R^2) g^2: its two scores give g away.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from paperlib.companion.audit.intervals import (
    Paper,
    Range,
    Result,
    Status,
    difference,
    exactly,
    joined,
    propagate,
    require,
    select,
    truth,
    worst,
)
from paperlib.companion.audit.listed import Names
from paperlib.companion.published import Printed

PAPER = Paper("han2017")
CCC, RMSE = PAPER.tables[1], PAPER.tables[2]
TASKS, ALONE, FUSED = ("single", "multi"), ("audio", "video"), "audio+video"
ROWS = [f"{modality} {task}" for modality, task in product((*ALONE, FUSED), TASKS)]
TARGETS = ("E(A)", "sigma(A)", "E(V)", "sigma(V)")
SIDES = ("low", "point", "high")  # of a `Range`


def ccc(row: str, column: str) -> Printed:
    return PAPER.number(f"1: {row} | {column}")


def rmse(row: str, column: str) -> Printed:
    return PAPER.number(f"2: {row} | {column}")


def spread(error: float, concordance: float) -> float:
    return error**2 / (1 - concordance)


def r_squared(concordance: float) -> float:
    """Of a least-squares fit, from its CCC where it was fitted."""
    return concordance / (2 - concordance)


def gold_of_fit(error: float, concordance: float) -> float:
    return float(error / np.sqrt(1 - r_squared(concordance)))


def gold_range(task: str, target: str) -> Range:
    row, column = f"{FUSED} {task}", f"{target} dev"
    return propagate(gold_of_fit, rmse(row, column), ccc(row, column))


def gold(target: str) -> Printed:
    """The gold standard's deviation on dev that both fused rows allow, as a middle and half a width."""
    both = [gold_range(task, target) for task in TASKS]
    low, high = max(r.low for r in both), min(r.high for r in both)
    return Printed((low + high) / 2, (high - low) / 2)


def least_correlation(error: float, concordance: float, deviation: float) -> float:
    """The lowest Pearson correlation that a prediction with these scores can have: the one without bias."""
    total = spread(error, concordance)
    predicted = np.sqrt(max(total - deviation**2, 0))
    return float(concordance * total / 2 / (deviation * predicted)) if predicted else np.inf


def at_least(row: str, target: str) -> Range:
    column = f"{target} dev"
    # Not monotone where `spread` is twice the gold's variance, but flat: the box misses less than 1e-4 there.
    return propagate(least_correlation, rmse(row, column), ccc(row, column), gold(target))


def multiple_correlation(task: str, target: str) -> Range:
    return propagate(lambda c: float(np.sqrt(r_squared(c))), ccc(f"{FUSED} {task}", f"{target} dev"))


def covariance_ratio(fused_error: float, fused_ccc: float, error: float, concordance: float) -> float:
    """Covariance with the gold standard, CCC spread / 2, of a fused prediction over that of its input."""
    return fused_ccc * spread(fused_error, fused_ccc) / (concordance * spread(error, concordance))


def could_be_one_input(modality: str, task: str, target: str) -> bool:
    """Is the fused prediction perhaps this input times a constant? Then so is its covariance, on dev and on test."""
    dev, test = (
        propagate(
            covariance_ratio,
            *(f(f"{m} {task}", f"{target} {partition}") for m in (FUSED, modality) for f in (rmse, ccc)),
        )
        for partition in ("dev", "test")
    )
    return dev.low <= test.high and test.low <= dev.high


def fitted() -> Iterator[Result]:
    for target in TARGETS:
        single, multi = (gold_range(task, target) for task in TASKS)
        overlap = exactly(min(single.high, multi.high) - max(single.low, multi.low))
        of = [c for frame in (CCC, RMSE) for c in select(frame, column=f"{target} dev")["cell"] if FUSED in c]
        found = f"single {single}; multi {multi}"
        yield Result("gold-deviation", "equation 9", found, require(overlap), of, {"target": target})
    for task in TASKS:
        parts, statuses = [], []
        for target in TARGETS:
            whole, each = multiple_correlation(task, target), [at_least(f"{m} {task}", target) for m in ALONE]
            parts.append(f"{target} R {whole.point:.3f}, {' and '.join(f'{r.point:.3f}' for r in each)}")
            statuses += [require(whole - r) for r in each]
        yield Result("fit-correlates", "equation 9", joined(parts), worst(statuses), fill={"task": task})
    both = [
        f"{task} {target}"
        for task, target in product(TASKS, TARGETS)
        if not any(could_be_one_input(modality, task, target) for modality in ALONE)
    ]
    found = f"{len(both)} of {len(TASKS) * len(TARGETS)} contradict one input: {', '.join(both)}"
    yield Result("one-input", "Simple Linear Regression", found, truth(not both))
    parts = []
    for task, target in product(TASKS, ("sigma(A)", "sigma(V)")):
        whole, alone = multiple_correlation(task, target), at_least(f"video {task}", target)
        fused, video = (ccc(f"{m} {task}", f"{target} dev").value for m in (FUSED, "video"))
        net = whole.point - fused - (alone.point - video)
        parts.append(
            f"{task} {target} {fused:g} to {whole.point:.3f}, video {video:g} to {alone.point:.3f} or more, "
            f"so fusion itself takes {net:.3f} at most"
        )
    yield Result("fit-rescaled", "reduce the MSE", joined(parts), Status.NOT_CHECKABLE)


def scaling() -> Iterator[Result]:
    floors = [at_least(f"{m} {task}", t) for m, task, t in product(ALONE, TASKS, TARGETS)]
    possible = [require(exactly(1) - r) for r in floors]
    found = f"{sum(s is not Status.IMPOSSIBLE for s in possible)} of {len(possible)} possible"
    yield Result("dev-possible", "16 pairs of scores", found, worst(possible))
    reach, surely, optimal = [], [], []
    for m, t in product(ALONE, TARGETS):
        column, floor = f"{t} dev", at_least(f"{m} single", t)
        before, after = (ccc(f"{m} {task}", column).value for task in TASKS)
        if floor.low > after:
            reach.append(f"{m} {t} {before:g} to {floor.point:.3f}, multi {after:g}")
        if at_least(f"{m} multi", t).low > multiple_correlation("single", t).high:
            surely.append(f"{m} {t}")
        twice = propagate(lambda g: 2 * g**2, gold(t))
        for task in TASKS:
            total = propagate(spread, rmse(f"{m} {task}", column), ccc(f"{m} {task}", column))
            if total.low <= twice.high and twice.low <= total.high:
                optimal.append(f"{m} {task} {t}")
    for name, those in (("single-rescaled", reach), ("surely-correlates", surely)):
        yield Result(name, "multi-task gain", f"{len(those)} of 8: {joined(those)}", Status.NOT_CHECKABLE)
    found = f"{len(optimal)} of 16{Names(optimal):: }"
    yield Result("scaled-for-ccc", "scaling, optimised on dev", found, Status.OURS)


def deviation_cap(target: str) -> Range:
    """The largest deviation of the gold standard on test that every row's two scores allow.

    The covariance, CCC spread / 2, is at most the product of the deviations, so the gold's variance is at most
    spread / 2 (1 + sqrt(1 - CCC^2)), which is below `spread`.
    """

    def cap(e: float, c: float) -> float:
        return float(np.sqrt(spread(e, c) / 2 * (1 + np.sqrt(1 - c**2))))

    column = f"{target} test"
    caps = [propagate(cap, rmse(row, column), ccc(row, column)) for row in ROWS]
    return Range(*(min(getattr(cap, side) for cap in caps) for side in SIDES))


def constant() -> Iterator[Result]:
    """Beside a constant; the paper does not say that it is beaten, so nothing here contradicts it."""
    for target in TARGETS:
        fill, dev, test = {"target": target}, f"{target} dev", f"{target} test"
        g, cap = gold(target), deviation_cap(target)
        over = {row: difference(rmse(row, dev), g) for row in ROWS}
        worse = Names(row for row, gap in over.items() if gap.low > 0)
        even = Names(row for row, gap in over.items() if gap.low <= 0 < gap.high)
        found = (
            f"the mean's RMSE {g.value:.3f}; worse: {len(worse)} of {len(ROWS)}{worse:, }{even:; undecided: }"
        )
        printed = joined(select(RMSE, column=dev)["printed"])
        yield Result("mean-dev", printed, found, Status.NOT_CHECKABLE, fill=fill)
        errors = {row: rmse(row, test) for row in ROWS}
        above = [f"{row} {e.value:g}" for row, e in errors.items() if e.value - e.half_unit > cap.high]
        found = f"the mean's RMSE at most {cap}; surely worse: {', '.join(above) or 'none'}"
        printed = joined(select(RMSE, column=test)["printed"])
        yield Result("mean-test", printed, found, Status.NOT_CHECKABLE, fill=fill)
    low, high = (f(rmse(row, "sigma(V) test").value for row in ROWS) for f in (min, max))
    g, cap = gold("sigma(V)"), deviation_cap("sigma(V)")
    found = (
        f"RMSE {low:g} to {high:g} on test; deviation {g.value:.3f} on dev, at most {cap.high:.3f} on test"
    )
    yield Result("sigma-valence-test", "one scale", found, Status.NOT_CHECKABLE)
    span = PAPER.number("sigma-high").value - PAPER.number("sigma-low").value
    found = f"z scores have deviation 1, a range of {span:g} allows {span / 2:g} at most; dev implies "
    found += joined(f"{gold(t).value:.3f}" for t in TARGETS if t.startswith("sigma"))
    yield Result("z-range", PAPER.printed("sigma-low", "sigma-high"), found, Status.IMPOSSIBLE)


def bold() -> Iterator[Result]:
    """Of numbers that round to the same one is the best, and may be the one that is marked."""
    for number, frame, extreme in ((1, CCC, "max"), (2, RMSE, "min")):
        ties: list[str] = []
        odd: list[str] = []
        marked = frame["bold"].astype(bool)
        for column, of in frame.groupby("column", sort=False):
            best, bold = of["value"] == of["value"].agg(extreme), marked[of.index]
            unmarked = [f"{row} {column} not marked" for row in of["row"][best & ~bold]]
            (ties if (best & bold).any() else odd).extend(unmarked)
            odd += [f"{row} {column} not best" for row in of["row"][bold & ~best]]
        found = f"{marked.sum()} marked; {joined(odd + ties) or 'all best ones, and only those'}"
        status = truth(not odd) if odd or not ties else Status.WITHIN_ROUNDING
        yield Result("bold", "the best", found, status, fill={"number": number})


CHECKS = (fitted, scaling, constant, bold)
