"""The audit of han2017: every check that its printed numbers allow, without any data.

What links the two tables. A prediction with standard deviation p and bias b, of a gold standard with deviation g,
has MSE = p^2 + g^2 + b^2 - 2 cov and CCC = 2 cov / (p^2 + g^2 + b^2). So `spread` = MSE / (1 - CCC) is
p^2 + g^2 + b^2, and CCC spread / 2 the covariance. A least-squares fit, scored where it was fitted, has in addition
b = 0 and p = R g, hence CCC = 2 R^2 / (1 + R^2) and MSE = (1 - R^2) g^2: its two scores give g away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pandas as pd
from scipy import integrate, stats

from paperlib.companion.audit.intervals import (
    Range,
    Result,
    Status,
    difference,
    exceeds_zero,
    gains,
    joined,
    pick,
    propagate,
    require,
    select,
    tally,
    truth,
    worst,
)
from paperlib.companion.published import Printed, read_table, read_text
from paperlib.stats import compare_correlations

KEY = "han2017"
CCC, RMSE = (read_table(KEY, number) for number in (1, 2))
TEXT = read_text(KEY)
MODALITIES, TASKS = ("audio", "video", "audio+video"), ("single", "multi")
ALONE, FUSED = MODALITIES[:2], MODALITIES[2]
TARGETS = ("E(A)", "sigma(A)", "E(V)", "sigma(V)")
PARTITIONS = ("dev", "test")
SIDES = ("low", "point", "high")  # of a `Range`


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


LEVEL = text("level").value


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def ccc(modality: str, task: str, column: str) -> Printed:
    return pick(CCC, row=f"{modality} {task}", column=column)


def rmse(modality: str, task: str, column: str) -> Printed:
    return pick(RMSE, row=f"{modality} {task}", column=column)


def cells(frame: pd.DataFrame, end: str) -> list[str]:
    return frame["cell"][frame["column"].str.endswith(end)].tolist()


# Table 1: single against multi


def multi() -> Iterator[Result]:
    pairs = {f"{modality} single": f"{modality} multi" for modality in MODALITIES}
    for partition in PARTITIONS:
        fill, frame = {"partition": partition}, CCC[CCC["column"].str.endswith(partition)]
        gained = [
            g._replace(text=f"{column} {g.text}")
            for column in frame["column"].unique()
            for g in gains(select(frame, column=column), pairs, larger_is_better=True)
        ]
        yield Result(
            "multi-above",
            "in most cases",
            tally(gained),
            truth(2 * sum(g.status is Status.MATCHES for g in gained) > len(gained)),
            cells(CCC, partition),
            fill,
        )
        for unit in ("frames", "recordings"):
            n = round(text(f"{partition}-{unit}").value)
            found = {
                f"{modality} {target}": fisher(modality, f"{target} {partition}", n)
                for modality, target in product(MODALITIES, TARGETS)
            }
            better = [name for name, (z, p) in found.items() if p < LEVEL and z > 0]
            worse = [name for name, (z, p) in found.items() if p < LEVEL and z < 0]
            rest = [f"{name} p {p:.2g}" for name, (_, p) in found.items() if p >= LEVEL]
            parts = [f"{len(better)} of {len(found)} significantly better"]
            parts += [f"significantly worse: {', '.join(worse)}"] if worse else []
            parts += [f"p {min(p for _, p in found.values()):.2g} or more"] if not better else []
            parts += [f"not significant: {', '.join(rest)}"] if rest and better else []
            # of recordings as n the paper says nothing
            said = truth(2 * len(better) > len(found)) if unit == "frames" else Status.NOT_CHECKABLE
            yield Result(
                f"fisher-{unit}",
                "most, significantly",
                joined(parts),
                said,
                fill=fill | {"n": f"{n:,}"},
            )
        yield needed(partition)
    for letter, dimension in (("A", "arousal"), ("V", "valence")):
        found, n = {}, round(text("test-frames").value)
        for modality, target in product(MODALITIES, ("E", "sigma")):
            z, p = fisher(modality, f"{target}({letter}) test", n)
            found[f"{modality} {target}"] = (z > 0 and p < LEVEL, p)
        lacking = [f"{name} p {p:.2g}" for name, (holds, p) in found.items() if not holds]
        yield Result(
            "both-dimensions",
            "significantly outperforms",
            f"{len(found) - len(lacking)} of {len(found)}; not: {', '.join(lacking)}",
            Status.OURS,
            fill={"dimension": dimension},
        )


def fisher(modality: str, column: str, n: int) -> tuple[float, float]:
    """z, positive where multi is ahead, and p of two correlations as if from separate samples of n."""
    single, multi = (ccc(modality, task, column).value for task in TASKS)
    test = compare_correlations(multi, n, single, n)
    return test.statistic, test.p


def frames_needed(single: float, multi: float) -> float:
    """How many independent pairs make a difference of two correlations significant, by Fisher's r-to-z."""
    return 3 + 2 * float((stats.norm.isf(LEVEL / 2) / (np.arctanh(multi) - np.arctanh(single))) ** 2)


def needed(partition: str) -> Result:
    ahead = {
        f"{modality} {target}": frames_needed(
            *(ccc(modality, t, f"{target} {partition}").value for t in TASKS)
        )
        for modality, target in product(MODALITIES, TARGETS)
        if difference(*(ccc(modality, t, f"{target} {partition}") for t in reversed(TASKS))).point > 0
    }
    n, apart = text(f"{partition}-frames").value, text("frame-ms").value / 1000
    median = float(np.median(list(ahead.values())))
    every = n * apart / text("delay").value
    enough = [name for name, frames in ahead.items() if frames <= every]
    found = f"{min(ahead.values()):,.0f} to {max(ahead.values()):,.0f}, median {median:,.0f}, one every "
    found += f"{n / median * apart:.1f} s; with one every {text('delay').value:g} s, {every:.0f}, enough for "
    found += f"{len(enough)} of {len(ahead)}" + (f": {', '.join(enough)}" if enough else "")
    fill = {"partition": partition, "rises": len(ahead)}
    return Result("frames-needed", f"{n:,.0f} frames", found, Status.NOT_CHECKABLE, fill=fill)


def weights() -> Iterator[Result]:
    low, high, step = (text(f"sweep-{name}").value for name in ("low", "high", "step"))
    settings = round((high - low) / step) + 1
    # E max of n standard normals = integral of x n phi(x) Phi(x)^(n-1)
    best, _ = integrate.quad(
        lambda x: x * settings * stats.norm.pdf(x) * stats.norm.cdf(x) ** (settings - 1), -10, 10
    )
    found = (
        f"{settings} settings, two of them single-task; the best of {settings} equal, independent ones is "
    )
    found += f"expected {best:.2f} standard deviations above their mean"
    printed = as_printed("sweep-low", "sweep-high", "sweep-step")
    yield Result("weights-tried", printed, found, Status.NOT_CHECKABLE)

    gap = {
        (p, m, t): difference(ccc(m, "multi", f"{t} {p}"), ccc(m, "single", f"{t} {p}"))
        for p, m, t in product(PARTITIONS, ALONE, TARGETS)
    }
    dev = [gap["dev", m, t] for m, t in product(ALONE, TARGETS)]
    found = f"lowest gain {min(dev, key=lambda g: g.point)}"
    yield Result("never-below", f"{len(dev)} dev cells", found, worst(map(require, dev)))
    test = [gap["test", m, t] for m, t in product(ALONE, TARGETS)]
    means = [np.mean([g.point for g in side]) for side in (dev, test)]
    smaller = sum(b.high < a.low for a, b in zip(dev, test, strict=True))
    found = f"mean gain {means[0]:.3f} on dev, {means[1]:.3f} on test; surely smaller on test in "
    found += f"{smaller} of {len(dev)}"
    yield Result("gain-shrinks", "chosen on dev", found, Status.NOT_CHECKABLE)
    ahead, lost = gained_and_lost()
    found = f"{len(lost)} of {len(ahead)}: {joined(lost)}"
    yield Result("dev-then-test", "not always", found, truth(bool(lost)))


def gained_and_lost(modalities: Sequence[str] = MODALITIES) -> tuple[list[str], list[str]]:
    """The columns in which multi-task learning is ahead on dev, in CCC or RMSE, and those of them lost on test."""
    ahead, lost = [], []
    for (name, frame, sign), m, t in product((("CCC", CCC, 1), ("RMSE", RMSE, -1)), modalities, TARGETS):
        dev, test = (
            difference(*(pick(frame, row=f"{m} {task}", column=f"{t} {p}") for task in reversed(TASKS)))
            for p in PARTITIONS
        )
        if sign * dev.point > 0:
            words = f"{name} {m} {t} {dev.point:+z.3f} then {test.point:+z.3f}"
            ahead.append(words)
            lost += [words] if sign * test.point < 0 else []
    return ahead, lost


def errors() -> Iterator[Result]:
    for modality in ALONE:
        rises = {
            column: difference(rmse(modality, "multi", column), rmse(modality, "single", column))
            for column in RMSE["column"].unique()
        }
        lower = [f"{column} {rise.point:+z.3f}" for column, rise in rises.items() if rise.point < 0]
        found = f"higher in {len(rises) - len(lower)} of {len(rises)}; lower: {', '.join(lower)}"
        yield Result(
            "rmse-of-multi",
            "not as good",
            found,
            truth(2 * len(lower) < len(rises)),
            RMSE["cell"][RMSE["row"].str.startswith(f"{modality} ")],
            {"modality": modality},
        )


# What links table 1 and 2


def spread(error: float, concordance: float) -> float:
    return error**2 / (1 - concordance)


def r_squared(concordance: float) -> float:
    """Of a least-squares fit, from its CCC where it was fitted."""
    return concordance / (2 - concordance)


def gold_of_fit(error: float, concordance: float) -> float:
    return float(error / np.sqrt(1 - r_squared(concordance)))


def gold_range(task: str, target: str) -> Range:
    column = f"{target} dev"
    return propagate(gold_of_fit, rmse(FUSED, task, column), ccc(FUSED, task, column))


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


def at_least(modality: str, task: str, target: str) -> Range:
    column = f"{target} dev"
    # Not monotone where `spread` is twice the gold's variance, but flat: the box misses less than 1e-4 there.
    return propagate(
        least_correlation, rmse(modality, task, column), ccc(modality, task, column), gold(target)
    )


def multiple_correlation(task: str, target: str) -> Range:
    return propagate(lambda c: float(np.sqrt(r_squared(c))), ccc(FUSED, task, f"{target} dev"))


def covariance_ratio(fused_error: float, fused_ccc: float, error: float, concordance: float) -> float:
    """Covariance with the gold standard, CCC spread / 2, of a fused prediction over that of its input."""
    return fused_ccc * spread(fused_error, fused_ccc) / (concordance * spread(error, concordance))


def could_be_one_input(modality: str, task: str, target: str) -> bool:
    """Is the fused prediction perhaps this input times a constant? Then so is its covariance, on dev and on test."""
    dev, test = (
        propagate(
            covariance_ratio,
            *(f(m, task, f"{target} {partition}") for m in (FUSED, modality) for f in (rmse, ccc)),
        )
        for partition in PARTITIONS
    )
    return dev.low <= test.high and test.low <= dev.high


def fitted() -> Iterator[Result]:
    for target in TARGETS:
        single, multi = (gold_range(task, target) for task in TASKS)
        agree = require(
            Range(*[min(single.high, multi.high) - max(single.low, multi.low)] * 3)  # they overlap or do not
        )
        found = f"single {single}; multi {multi}"
        named = [
            c for frame in (CCC, RMSE) for c in select(frame, column=f"{target} dev")["cell"] if FUSED in c
        ]
        yield Result("gold-deviation", "equation 9", found, agree, named, {"target": target})
    slack = [
        difference(rmse(m, task, f"{t} dev"), rmse(FUSED, task, f"{t} dev"))
        for m, task, t in product(ALONE, TASKS, TARGETS)
    ]
    found = f"lower in {sum(s.point > 0 for s in slack)} of {len(slack)}, least by {min(s.point for s in slack):.3f}"
    yield Result("fit-lowers-error", "equation 9", found, worst(map(require, slack)))

    for task in TASKS:
        parts, statuses = [], []
        for target in TARGETS:
            whole, each = multiple_correlation(task, target), [at_least(m, task, target) for m in ALONE]
            parts.append(f"{target} R {whole.point:.3f}, {' and '.join(f'{r.point:.3f}' for r in each)}")
            statuses += [
                require(Range(whole.low - r.high, whole.point - r.point, whole.high - r.low)) for r in each
            ]
        yield Result("fit-correlates", "equation 9", joined(parts), worst(statuses), fill={"task": task})

    both = [
        f"{task} {target}"
        for task, target in product(TASKS, TARGETS)
        if not any(could_be_one_input(modality, task, target) for modality in ALONE)
    ]
    found = f"{len(both)} of {len(TASKS) * len(TARGETS)} are surely no fit of one input: {', '.join(both)}"
    yield Result("one-input", "Simple Linear Regression", found, truth(not both))

    parts = []
    for task, target in product(TASKS, ("sigma(A)", "sigma(V)")):
        whole, alone = multiple_correlation(task, target), at_least("video", task, target)
        fused, video = (ccc(m, task, f"{target} dev").value for m in (FUSED, "video"))
        net = whole.point - fused - (alone.point - video)
        parts.append(
            f"{task} {target} {fused:g} to {whole.point:.3f}, video {video:g} to {alone.point:.3f} or more, "
            f"so fusion itself takes {net:.3f} at most"
        )
    yield Result("fit-rescaled", "reduce the MSE", joined(parts), Status.NOT_CHECKABLE)


def scaling() -> Iterator[Result]:
    floors = [at_least(m, task, t) for m, task, t in product(ALONE, TASKS, TARGETS)]
    possible = [require(Range(1 - r.high, 1 - r.point, 1 - r.low)) for r in floors]
    found = f"{sum(s is not Status.IMPOSSIBLE for s in possible)} of {len(possible)} possible"
    yield Result("dev-possible", "16 pairs of scores", found, worst(possible))

    wider, reach, surely, optimal = [], [], [], []
    for m, t in product(ALONE, TARGETS):
        column = f"{t} dev"
        single, multi = (propagate(spread, rmse(m, task, column), ccc(m, task, column)) for task in TASKS)
        wider.append(multi.low > single.high)
        floor = at_least(m, "single", t)
        if floor.low > ccc(m, "multi", column).value:
            before, after = (ccc(m, task, column).value for task in TASKS)
            reach.append(f"{m} {t} {before:g} to {floor.point:.3f}, multi {after:g}")
        if at_least(m, "multi", t).low > multiple_correlation("single", t).high:
            surely.append(f"{m} {t}")
        for task, total in zip(TASKS, (single, multi), strict=True):
            twice = propagate(lambda g: 2 * g**2, gold(t))
            if total.low <= twice.high and twice.low <= total.high:
                optimal.append(f"{m} {task} {t}")
    n = len(wider)
    yield Result("multi-wider", "CCC up, RMSE up", f"{sum(wider)} of {n}", Status.NOT_CHECKABLE)
    yield Result(
        "single-rescaled", "multi-task gain", f"{len(reach)} of {n}: {joined(reach)}", Status.NOT_CHECKABLE
    )
    yield Result(
        "surely-correlates",
        "multi-task gain",
        f"{len(surely)} of {n}: {joined(surely)}",
        Status.NOT_CHECKABLE,
    )
    found = f"{len(optimal)} of {2 * n}" + (f": {joined(optimal)}" if optimal else "")
    yield Result("scaled-for-ccc", "scaling, optimised on dev", found, Status.OURS)


def deviation_cap(target: str) -> Range:
    """The largest deviation of the gold standard on test that every row's two scores allow.

    The covariance, CCC spread / 2, is at most the product of the deviations, so the gold's variance is at most
    spread / 2 (1 + sqrt(1 - CCC^2)), which is below `spread`.
    """
    column = f"{target} test"
    caps = [
        propagate(
            lambda e, c: float(np.sqrt(spread(e, c) / 2 * (1 + np.sqrt(1 - c**2)))),
            rmse(m, task, column),
            ccc(m, task, column),
        )
        for m, task in product(MODALITIES, TASKS)
    ]
    return Range(*(min(getattr(cap, side) for cap in caps) for side in SIDES))


def printed_errors(column: str) -> str:
    return joined(select(RMSE, column=column)["printed"])


def constant() -> Iterator[Result]:
    """Beside a constant; the paper does not say that it is beaten, so nothing here contradicts it."""
    rows = list(product(MODALITIES, TASKS))
    for target in TARGETS:
        g = gold(target)
        over = {f"{m} {t}": difference(rmse(m, t, f"{target} dev"), g) for m, t in rows}
        worse = [name for name, gap in over.items() if gap.low > 0]
        even = [name for name, gap in over.items() if gap.low <= 0 < gap.high]
        found = f"the mean's RMSE {g.value:.3f}; worse: {len(worse)} of {len(rows)}"
        found += f", {', '.join(worse)}" if worse else ""
        found += f"; undecided: {', '.join(even)}" if even else ""
        fill = {"target": target}
        yield Result("mean-dev", printed_errors(f"{target} dev"), found, Status.NOT_CHECKABLE, fill=fill)
    for target in TARGETS:
        cap = deviation_cap(target)
        errors = {f"{m} {t}": rmse(m, t, f"{target} test") for m, t in rows}
        worse = [f"{name} {e.value:g}" for name, e in errors.items() if e.value - e.half_unit > cap.high]
        found = f"the mean's RMSE at most {cap}; surely worse: {', '.join(worse) or 'none'}"
        fill = {"target": target}
        yield Result("mean-test", printed_errors(f"{target} test"), found, Status.NOT_CHECKABLE, fill=fill)
    low, high = (f([rmse(m, t, "sigma(V) test").value for m, t in rows]) for f in (min, max))
    g, cap = gold("sigma(V)"), deviation_cap("sigma(V)")
    found = (
        f"RMSE {low:g} to {high:g} on test; deviation {g.value:.3f} on dev, at most {cap.high:.3f} on test"
    )
    yield Result("sigma-valence-test", "one scale", found, Status.NOT_CHECKABLE)
    span = text("sigma-high").value - text("sigma-low").value
    found = f"z scores have deviation 1, a range of {span:g} allows {span / 2:g} at most; dev implies "
    found += joined(f"{gold(t).value:.3f}" for t in TARGETS if t.startswith("sigma"))
    yield Result("z-range", as_printed("sigma-low", "sigma-high"), found, Status.IMPOSSIBLE)


# Fusion, modalities, targets


def fusion() -> Iterator[Result]:
    for letter, dimension in (("A", "arousal"), ("V", "valence")):
        column, fill = f"E({letter}) test", {"dimension": dimension}
        before, after = text(f"video-{dimension}"), text(f"fusion-{dimension}")
        same = before.value == ccc("video", "single", column).value
        same &= after.value == ccc(FUSED, "single", column).value
        n = round(text("test-frames").value)
        p = [
            compare_correlations(after.value, k, before.value, k).p
            for k in (n, round(text("test-recordings").value))
        ]
        found = f"video single and fusion single; p {p[0]:.1g} of {n:,} frames, {p[1]:.2f} of recordings"
        printed = as_printed(f"video-{dimension}", f"fusion-{dimension}")
        yield Result("fusion-quoted", printed, found, truth(same), fill=fill)
        drop = difference(rmse("video", "single", column), rmse(FUSED, "single", column))
        yield Result(
            "fusion-error",
            "similar findings",
            f"lower by {drop}",
            exceeds_zero(drop),
            cells(RMSE, column),
            fill,
        )
        best = text(f"best-{dimension}")
        top = select(CCC, column=column).sort_values("value", ascending=False)
        holds = top["row"].iloc[0] == f"{FUSED} multi" and top["value"].iloc[0] == best.value
        found = f"{top['row'].iloc[0]} {top['value'].iloc[0]:g}, then {top['row'].iloc[1]} {top['value'].iloc[1]:g}"
        yield Result("best-on-test", as_printed(f"best-{dimension}"), found, truth(holds), fill=fill)
    for name, number, claimed, said in (
        ("sigma-error", 2, "not as high", cells(RMSE, "test")),
        ("sigma-ccc", 1, "even worse", []),
    ):
        e, sigma = (fusion_gains(number, target) for target in ("E", "sigma"))
        less, (a, b) = sum(sigma[x].point < e[x].point for x in e), map(mean, (e, sigma))
        gap = Range(a.low - b.high, a.point - b.point, a.high - b.low)
        found = f"less by {gap} on average, in {less} of {len(e)}: "
        found += joined(f"{x} {sigma[x].point:+z.3f}, E {e[x].point:+z.3f}" for x in e)
        yield Result(name, claimed, found, exceeds_zero(gap), said)


def mean(ranges: Mapping[str, Range]) -> Range:
    """Mean of several recomputed numbers, each at the same end of its rounding."""
    return Range(*(float(np.mean([getattr(r, side) for r in ranges.values()])) for side in SIDES))


def fusion_gains(number: int, target: str) -> dict[str, Range]:
    """What fusion gains on test over the modality that has the higher CCC on dev: "single A" -> table `number`'s gain.

    `target` is "E" or "sigma"; positive is better, in CCC (table 1) or in RMSE (table 2).
    """
    frame, sign = (CCC, 1) if number == 1 else (RMSE, -1)
    gains = {}
    for task, x in product(TASKS, "AV"):
        column = f"{target}({x})"
        best = max(ALONE, key=lambda m: ccc(m, task, f"{column} dev").value)
        fused, alone = (pick(frame, row=f"{m} {task}", column=f"{column} test") for m in (FUSED, best))
        gains[f"{task} {x}"] = propagate(lambda a, b: sign * (a - b), fused, alone)
    return gains


def orders() -> Iterator[Result]:
    for task in TASKS:
        lead = {
            f"{name} {c}": sign
            * (pick(f, row=f"video {task}", column=c).value - pick(f, row=f"audio {task}", column=c).value)
            for name, f, sign in (("CCC", CCC, 1), ("RMSE", RMSE, -1))
            for c in f["column"].unique()
        }
        behind = [name for name, gap in lead.items() if gap <= 0]
        found = f"{len(lead) - len(behind)} of {len(lead)}; not: {', '.join(behind)}"
        yield Result(
            "video-ahead", "in most cases", found, truth(2 * len(behind) < len(lead)), fill={"task": task}
        )
    below = {
        f"{m} {task} ({x}) {p}": difference(ccc(m, task, f"E({x}) {p}"), ccc(m, task, f"sigma({x}) {p}"))
        for m, task, x, p in product(MODALITIES, TASKS, "AV", PARTITIONS)
    }
    closest = min(below, key=lambda name: below[name].point)
    found = f"lower in {sum(g.low > 0 for g in below.values())} of {len(below)}; closest {closest}, "
    found += f"{below[closest].point:.3f}"
    yield Result("sigma-below", "more difficult", found, worst(map(exceeds_zero, below.values())))
    for number, frame, pickmost in ((1, CCC, "max"), (2, RMSE, "min")):
        ties: list[str] = []
        odd: list[str] = []
        for column in frame["column"].unique():
            of = select(frame, column=column)
            best = of[of["value"] == of["value"].agg(pickmost)]
            unmarked = [f"{row} {column} not marked" for row in best["row"][~best["bold"].astype(bool)]]
            # Of numbers that round to the same one is the best, and may be the one that is marked.
            (ties if best["bold"].any() else odd).extend(unmarked)
            odd += [
                f"{row} {column} not best"
                for row in of["row"][of["bold"].astype(bool) & ~of.index.isin(best.index)]
            ]
        marked = int(frame["bold"].sum())
        found = f"{marked} marked; {joined(odd + ties) or 'all best ones, and only those'}"
        status = truth(not odd) if odd or not ties else Status.WITHIN_ROUNDING
        yield Result("bold", "the best", found, status, fill={"number": number})


# Section 4.1


def data() -> Iterator[Result]:
    recordings = {p: text(f"{p}-recordings").value for p in ("train", *PARTITIONS)}
    frames = {p: text(f"{p}-frames").value for p in recordings}
    seconds = text("frame-ms").value / 1000
    total = sum(recordings.values())
    yield Result("recordings", as_printed("subjects"), f"{total:g}", truth(total == text("subjects").value))
    minutes, printed = sum(frames.values()) * seconds / 60, text("minutes")
    found = (
        f"{sum(frames.values()):,.0f} frames, {minutes:.2f} minutes, {printed.value - minutes:.1f} fewer: "
    )
    found += f"{60 * (printed.value - minutes) / total:.1f} s a recording"
    yield Result("minutes", as_printed("minutes"), found, Status.NOT_CHECKABLE)  # "approximately"
    each = text("chat-minutes").value
    found = f"{total:g} recordings of {each:g} are {total * each:g}, {text('pairs').value:g} conversations "
    found += f"{text('pairs').value * each:g}; printed {printed.value / total:.2f} a recording"
    yield Result("twice-counted", as_printed("minutes"), found, Status.NOT_CHECKABLE)
    lengths = joined(f"{p} {frames[p] * seconds / n:.0f} s" for p, n in recordings.items())
    yield Result(
        "lengths",
        "about three minutes",
        lengths,
        truth(all(frames[p] * seconds / n < 180 for p, n in recordings.items())),
    )
    odd = [p for p, n in frames.items() if n % 2]
    found = f"recordings even in all; frames odd in {joined(odd)}"
    yield Result("pairs-together", as_printed("pairs"), found, Status.NOT_CHECKABLE)
    found = f"{1 / seconds:g} frames a second"
    yield Result("frame-rate", f"{as_printed('frame-ms')} ms", found, Status.NOT_CHECKABLE)
    parts = ["left-brow", "right-brow", "left-eye", "right-eye", "nose", "inner-mouth", "outer-mouth"]
    points = TEXT.loc[parts, "value"].sum()
    yield Result(
        "landmarks",
        as_printed("landmarks"),
        f"{points:g}, {2 * points:g} coordinates",
        truth(points == text("landmarks").value),
    )
    features = 2 * text("llds").value
    yield Result(
        "features",
        as_printed("acoustic-features"),
        f"{features:g}",
        truth(features == text("acoustic-features").value),
    )
    k = text("raters").value
    c4 = stats.chi.mean(k - 1) / np.sqrt(k - 1)
    found = f"relative standard error {np.sqrt(1 - c4**2) / c4:.2f} of the deviation of {k:g} normal ratings"
    yield Result("six-raters", as_printed("raters"), found, Status.NOT_CHECKABLE)


def not_printed() -> Iterator[Result]:
    yield Result(
        "simple-regression", "equation 9", "two inputs in the equation, one in the tool", Status.OURS
    )
    yield Result("wrong-equation", "equation 7", "the loss; fusion is equation 9", Status.OURS)
    for name in (
        "selection",
        "post-processing",
        "weights",
        "runs",
        "normaliser",
        "networks",
        "negative-weights",
    ):
        yield Result(f"open-{name}", "not said", "", Status.NOT_CHECKABLE)


CHECKS = (multi, weights, errors, fitted, scaling, constant, fusion, orders, data, not_printed)
