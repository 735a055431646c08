"""The audit of neo2023: every check that its printed numbers allow, in the order of its artefacts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pandas as pd
from scipy import stats

from paperlib.audit import (
    Range,
    Result,
    Status,
    check,
    difference,
    exceeds_zero,
    joined,
    judge,
    pick,
    propagate,
    require,
    select,
    truth,
    worst,
)
from paperlib.fusion import LabelParameters, fuse, inverse_distances, posterior
from paperlib.published import Printed, read_table, read_text

KEY = "neo2023"
CATEGORIES, AFFECT, NOISE, ALPHA = (read_table(KEY, number) for number in range(1, 5))
TEXT = read_text(KEY)
SETS, SHARES = ("AffectNet", "Aff-Wild", "MorphSet"), ("0 %", "10 %", "20 %", "30 %")
ONE_HOT, VARIANTS, OURS = "One-hot", ("Fusion (Euclidean)", "Fusion (GMM)"), "Ours"
ALPHAS = ("0.0", "0.3", "0.5", "0.7", "1.0")
POINTS, LEVEL = 100.0, 0.05  # per unit; of tests


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def f1(data: str, share: str, label: str) -> Printed:
    return pick(NOISE, row=f"{data} {share}", column=label)


def at(data: str, alpha: str, column: str) -> Printed:
    return pick(ALPHA, row=f"{data} alpha {alpha}", column=column)


def points(a: Printed, b: Printed) -> Range:
    return propagate(lambda x, y: POINTS * (x - y), a, b)


def gain(data: str, share: str, label: str) -> Range:
    return points(f1(data, share, label), f1(data, share, ONE_HOT))


def best(data: str, share: str) -> Range:
    return max((gain(data, share, label) for label in VARIANTS), key=lambda gap: gap.point)


def cells(frame: pd.DataFrame, start: str) -> list[str]:
    return frame["cell"][frame["row"].str.startswith(start)].tolist()


# Tables 1 and 2: against others


@check(KEY)
def categories() -> Iterator[Result]:
    for column in ("Accuracy", "F1"):
        frame = select(CATEGORIES, column=column)
        rivals = frame[frame["row"] != OURS]
        rival = rivals["row"].iloc[int(rivals["value"].argmax())]
        lead = difference(pick(frame, row=OURS), pick(frame, row=rival))
        yield Result(
            "best-categories",
            "best",
            f"ahead of {rival} by {lead}",
            exceeds_zero(lead),
            frame["cell"],
            {"column": column},
        )
    n, (ours, rival) = (
        text("test-categories").value,
        (pick(CATEGORIES, row=r, column="Accuracy") for r in (OURS, "Weighted Cluster")),
    )
    shares = np.array([ours.value, rival.value]) / POINTS
    z = (shares[0] - shares[1]) / np.sqrt((shares * (1 - shares) / n).sum())
    p = 2 * stats.norm.sf(z)
    # McNemar's test: a lead of so many pictures is significant if few enough are right in one and wrong in the other.
    paired = (n * (shares[0] - shares[1]) / stats.norm.isf(LEVEL / 2)) ** 2
    found = f"{POINTS * (shares[0] - shares[1]):.2f} points, z {z:.2f}, p {p:.2g}; "
    found += f"paired, below {LEVEL:g} if only one of the two is right on fewer than {paired:.0f}"
    yield Result("lead-chance", "best", found, truth(p < LEVEL), fill={"n": f"{n:,.0f}"})

    both = CATEGORIES.pivot(index="row", columns="column", values="printed").dropna()
    same = both.index[both["Accuracy"] == both["F1"]].tolist()
    apart = [
        difference(at(d, a, "Accuracy"), at(d, a, "F1")).point
        for d, a in product(("AffectNet", "MorphSet"), ALPHAS)
    ]
    found = f"equal to four digits: {joined(same)}; in table 4 they differ in {np.count_nonzero(apart)} of {len(apart)}"
    yield Result("accuracy-is-f1", "two columns", found, Status.NOT_CHECKABLE)

    elsewhere = max(at("AffectNet", a, "Accuracy").value for a in ALPHAS)
    gap = POINTS * elsewhere - ours.value
    behind = POINTS * elsewhere - rival.value
    found = (
        f"best accuracy elsewhere {POINTS * elsewhere:.2f} ({gap:+.2f}), {behind:+.2f} from the best rival"
    )
    yield Result("ours-elsewhere", f"{ours.value:.2f}", found, truth(gap >= 0))


@check(KEY)
def affect() -> Iterator[Result]:
    for (quantity, sign), dimension in product((("rmse", -1), ("ccc", 1)), ("valence", "arousal")):
        frame = select(AFFECT, quantity=quantity, dimension=dimension)
        rivals = frame[frame["row"] != OURS]
        rival = rivals["row"].iloc[int((sign * rivals["value"]).argmax())]
        lead = propagate(lambda a, b, s=sign: s * (a - b), pick(frame, row=OURS), pick(frame, row=rival))
        fill = {"what": f"{quantity.upper()} of {dimension}"}
        yield Result(
            "best-affect", "best", f"ahead of {rival} by {lead}", exceeds_zero(lead), frame["cell"], fill
        )
    for dimension, column, quoted, caption in (
        ("valence", "RMSE V", "rmse-valence", "weighted-valence"),
        ("arousal", "RMSE A", "rmse-arousal", "weighted-arousal"),
    ):
        fill = {"dimension": dimension}
        ours, tuned = (
            pick(AFFECT, row=OURS, dimension=dimension, quantity="rmse"),
            at("AffectNet", "0.5", column),
        )
        as_range = Range(tuned.value - tuned.half_unit, tuned.value, tuned.value + tuned.half_unit)
        yield Result("table-2-and-4", f"{ours.value:g}", str(as_range), judge(ours, as_range), fill=fill)
        yield Result(
            "figure-5-and-4", as_printed(caption), str(as_range), judge(text(caption), as_range), fill=fill
        )
        yield Result(
            "text-and-2",
            as_printed(quoted),
            f"{ours.value:g}",
            truth(text(quoted).value == ours.value),
            fill=fill,
        )
        low, high = gold_deviation(dimension)
        found = f"a standard deviation from {low:.2f} to {high:.2f} suits all rows"
        yield Result(
            "one-gold",
            "one validation set",
            found,
            require(Range(high - low, high - low, high - low)),
            fill=fill,
        )
    for dimension in ("valence", "arousal"):
        plain, others = text(f"plain-{dimension}"), select(AFFECT, quantity="rmse", dimension=dimension)
        better = ((others["row"] != OURS) & (others["value"] < plain.value)).sum()
        lower = points(plain, text(f"weighted-{dimension}"))
        found = f"lower by {lower.point / POINTS:.3f}; without weights {better} of {len(others) - 1} others are better"
        yield Result(
            "weights-gain",
            as_printed(f"plain-{dimension}", f"weighted-{dimension}"),
            found,
            exceeds_zero(lower),
            fill={"dimension": dimension},
        )


def gold_deviation(dimension: str) -> tuple[float, float]:
    """Which standard deviations of the truth every row with RMSE and CCC allows, rounding included.

    S = MSE / (1 - CCC) is the sum of both variances and the squared bias, and CCC S / 2 the covariance, which is at
    most the product of the deviations: so the variance lies in S / 2 (1 ± sqrt(1 - CCC^2)).
    """
    low, high = 0.0, np.inf
    for row in select(AFFECT, quantity="ccc", dimension=dimension)["row"]:
        error, concordance = (pick(AFFECT, row=row, quantity=q, dimension=dimension) for q in ("rmse", "ccc"))

        def bound(e: float, c: float, side: int) -> float:
            return float(np.sqrt(e**2 / (1 - c) / 2 * (1 + side * np.sqrt(1 - c**2))))

        low = max(low, propagate(lambda e, c: bound(e, c, -1), error, concordance).low)
        high = min(high, propagate(lambda e, c: bound(e, c, 1), error, concordance).high)
    return low, high


# Table 3: wrong labels


@check(KEY)
def noise() -> Iterator[Result]:
    for data, label in product(SETS, VARIANTS):
        gaps = {share: gain(data, share, label) for share in SHARES}
        found = joined(f"{share} {gap.point:+.2f}" for share, gap in gaps.items())
        fill = {"data": data, "label": label}
        noisy = [gap for share, gap in gaps.items() if share != "0 %"]
        yield Result(
            "robust", "helpful under noise", found, worst(map(exceeds_zero, noisy)), cells(NOISE, data), fill
        )
    ahead = {s: [gain(d, s, v).low > 0 for d, v in product(SETS, VARIANTS)] for s in SHARES}
    found = f"{sum(map(sum, ahead.values()))} of {sum(map(len, ahead.values()))} ahead: "
    found += joined(f"{share} {sum(better)} of {len(better)}" for share, better in ahead.items())
    yield Result("cells-ahead", "fusion helps", found, truth(all(map(all, ahead.values()))))

    grow, highest = {}, {}
    for data, label in product(SETS, (ONE_HOT, *VARIANTS)):
        by_gain = [gain(data, share, label).point for share in SHARES]
        grow[data, label] = all(a < b for a, b in pairwise(by_gain))
        scores = {share: f1(data, share, label).value for share in SHARES}
        highest[data, label] = ", ".join(s for s, x in scores.items() if x == max(scores.values()))
    growing = [f"{d} {v}" for (d, v), grows in grow.items() if grows]
    found = f"{len(growing)} of {len(SETS) * len(VARIANTS)}: {', '.join(growing)}"
    yield Result("variants-grow", "more pronounced", found, truth(len(growing) == len(SETS) * len(VARIANTS)))
    odd = [f"{d} {v} at {share}" for (d, v), share in highest.items() if share != "0 %"]
    yield Result("best-with-noise", "noise hurts", joined(odd), truth(not odd))

    clean = {(d, v): gain(d, "0 %", v) for d, v in product(SETS, VARIANTS)}
    wanted, euclid = text("gain-clean"), clean["AffectNet", VARIANTS[0]]
    yield Result("clean-gain", as_printed("gain-clean"), str(euclid), judge(wanted, euclid))
    found = joined(f"{d} {v} {gap.point:+.2f}" for (d, v), gap in clean.items())
    yield Result("clean-everywhere", "marginal improvements", found, worst(map(exceeds_zero, clean.values())))
    for data, name in zip(SETS, ("gain-affectnet", "gain-affwild", "gain-morphset"), strict=True):
        yield Result(
            "gain-30",
            as_printed(name),
            str(best(data, "30 %")),
            judge(text(name), best(data, "30 %")),
            fill={"data": data},
        )
        by_share = [best(data, share) for share in SHARES]
        found, fill = joined(f"{gap.point:+.2f}" for gap in by_share), {"data": data}
        rises = [Range(b.low - a.high, b.point - a.point, b.high - a.low) for a, b in pairwise(by_share)]
        yield Result("gains-grow", "more pronounced", found, worst(map(exceeds_zero, rises)), fill=fill)
        fall = [difference(f1(data, a, ONE_HOT), f1(data, b, ONE_HOT)) for a, b in pairwise(SHARES)]
        found = joined(f"{f1(data, share, ONE_HOT).value:.4f}" for share in SHARES)
        yield Result("one-hot-falls", "noise hurts", found, worst(map(exceeds_zero, fall)), fill=fill)


@check(KEY)
def twice_printed() -> Iterator[Result]:
    same = points(at("AffectNet", "0.5", "F1"), f1("AffectNet", "0 %", VARIANTS[0]))
    yield Result("fusion-twice", "table 4, alpha 0.5", str(same), truth(same.point == 0))
    apart = {d: points(at(d, "1.0", "F1"), f1(d, "0 %", ONE_HOT)) for d in ("AffectNet", "MorphSet")}
    for data, gap in apart.items():
        status = Status.WITHIN_ROUNDING if gap.low <= 0 <= gap.high else Status.DIFFERS
        yield Result(
            "one-hot-twice",
            "one setting, two tables",
            f"{gap.point:+.2f} points",
            status,
            fill={"data": data},
        )
    gap = min(
        (points(at("MorphSet", "0.5", "F1"), f1("MorphSet", "0 %", v)) for v in VARIANTS),
        key=lambda g: abs(g.point),
    )
    status = Status.WITHIN_ROUNDING if gap.low <= 0 <= gap.high else Status.DIFFERS
    yield Result("morphset-twice", "one setting, two tables", f"{gap.point:+.2f} points", status)
    for data in apart:
        first = {v: gain(data, "0 %", v) for v in VARIANTS}
        second = points(at(data, "0.5", "F1"), at(data, "1.0", "F1"))
        found = joined(f"table 3 {v} {g.point:+.2f}" for v, g in first.items())
        agree = any(g.low <= second.high and second.low <= g.high for g in first.values())
        yield Result(
            "gain-twice",
            "one comparison",
            f"{found}; table 4 {second.point:+.2f}",
            truth(agree),
            fill={"data": data},
        )
    for data, gap in apart.items():
        beyond = [abs(gain(data, s, v).point) > abs(gap.point) for s, v in product(SHARES, VARIANTS)]
        found = f"{sum(beyond)} of {len(beyond)} differences exceed {abs(gap.point):.2f} points"
        yield Result("beyond-run", "single runs", found, Status.NOT_CHECKABLE, fill={"data": data})


# Table 4: how much of each


@check(KEY)
def tuning() -> Iterator[Result]:
    for data, (kind, columns, sign) in product(
        ("AffectNet", "MorphSet"),
        (("classification", ("Accuracy", "F1"), 1), ("regression", ("RMSE V", "RMSE A"), -1)),
    ):
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
        named = cells(ALPHA, data) if kind == "classification" else ()
        yield Result(
            "alpha-best",
            "best at 0.5",
            joined(parts),
            worst(map(exceeds_zero, leads)),
            named,
            {"data": data, "kind": kind},
        )
    for data, name in (("AffectNet", "test-categories"), ("MorphSet", "morphset-test")):
        n, parts = text(name).value, []
        accuracies = {alpha: at(data, alpha, "Accuracy").value for alpha in ALPHAS}
        tuned = accuracies.pop("0.5")
        for alpha in sorted({max(accuracies, key=accuracies.__getitem__), "1.0"}):
            variance = (tuned * (1 - tuned) + accuracies[alpha] * (1 - accuracies[alpha])) / n
            limit, gap = stats.norm.isf(LEVEL / 2) * np.sqrt(variance), tuned - accuracies[alpha]
            parts.append(
                f"over {alpha} {gap * n:.1f} pictures, {POINTS * gap:.2f} of {POINTS * limit:.2f} points"
            )
        fill = {"data": data, "n": f"{n:,.0f}"}
        yield Result("alpha-chance", "no spread", joined(parts), Status.NOT_CHECKABLE, fill=fill)
    for data, column in product(("AffectNet", "MorphSet"), ("Accuracy", "F1")):
        fill = {"data": data, "column": column}
        loss = points(at(data, "1.0", column), at(data, "0.0", column))
        yield Result(
            "dimensional-alone",
            as_printed("loss-alone"),
            str(loss),
            judge(text("loss-alone"), loss),
            fill=fill,
        )
        rise = points(at(data, "0.5", column), at(data, "1.0", column))
        statuses = [judge(text(name), rise) for name in ("gain-low", "gain-high")]
        between = text("gain-low").value <= rise.point <= text("gain-high").value
        status = (
            Status.MATCHES
            if between
            else min(statuses, key=(Status.MATCHES, Status.WITHIN_ROUNDING, Status.DIFFERS).index)
        )
        yield Result("alpha-gain", "1 to 2", str(rise), status, fill=fill)
    for column, name in (("RMSE V", "margin-valence"), ("RMSE A", "margin-arousal")):
        lower = difference(at("MorphSet", "1.0", column), at("MorphSet", "0.5", column))
        yield Result(
            "morphset-error", as_printed(name), str(lower), judge(text(name), lower), fill={"column": column}
        )
        lower = difference(at("AffectNet", "1.0", column), at("AffectNet", "0.5", column))
        yield Result("affectnet-error", "slightly", str(lower), exceeds_zero(lower), fill={"column": column})


@check(KEY)
def granularity() -> Iterator[Result]:
    printed = {f"table 4, alpha {a}": at("AffectNet", a, "Accuracy") for a in ALPHAS}
    ours = pick(CATEGORIES, row=OURS, column="Accuracy")
    printed |= {"table 1": Printed(ours.value / POINTS, ours.half_unit / POINTS)}
    stated = round(text("test-categories").value)
    for n, otherwise in ((stated, Status.IMPOSSIBLE), (stated - 1, Status.NOT_CHECKABLE)):
        bad = [f"{name} {cell.value:.4f}" for name, cell in printed.items() if not hits(cell, n)]
        found = f"{len(bad)} of {len(printed)} impossible" + (f": {', '.join(bad)}" if bad else "")
        yield Result(
            "granularity",
            f"{len(printed)} accuracies",
            found,
            truth(not bad, otherwise),
            fill={"n": f"{n:,}"},
        )
    near = range(stated - 100, stated + 101)
    fits = [n for n in near if all(hits(cell, n) for cell in printed.values())]
    found = f"{joined(f'{n:,}' for n in fits)}, of {len(near)} tried"
    yield Result("granularity-near", f"{stated:,}", found, Status.NOT_CHECKABLE)


def hits(cell: Printed, n: int) -> list[int]:
    """How many right answers on n pictures round to this accuracy (GRIM; Brown and Heathers 2017)."""
    low, high = ((cell.value + s * (cell.half_unit + 1e-9)) * n for s in (-1, 1))
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))


# The equations


@check(KEY)
def equations() -> Iterator[Result]:
    gaussians = LabelParameters(
        classes=("a", "b"),
        prior=np.array([0.3, 0.7]),
        mean=np.array([[0.0, 0.0], [0.5, 0.0]]),
        covariance=np.stack([0.04 * np.eye(2), 0.09 * np.eye(2)]),
        source="an example",
        n=2,
    )
    place = np.array([[0.2, 0.1]])
    density = np.array(
        [
            stats.multivariate_normal(mean, covariance).pdf(place[0])
            for mean, covariance in zip(gaussians.mean, gaussians.covariance, strict=True)
        ]
    )
    literal = gaussians.prior * density / (gaussians.prior.sum() * density)
    meant = posterior(gaussians, place)[0]
    yield Result(
        "posterior-index",
        "equation 2",
        f"{literal.round(2)} as printed, the priors; {meant.round(2)} with the sum's own index",
        truth(np.allclose(literal, meant)),
    )

    squared = np.square(place - gaussians.mean).sum(axis=1)
    ratio = squared.max() / squared
    ours = inverse_distances(place, gaussians.mean)[0]
    gap = np.abs(ratio / ratio.sum() - ours).max()
    yield Result(
        "maximum-cancels",
        "equation 3",
        f"largest difference {gap:.1g} from 1 / d^2, normalised",
        truth(gap < 1e-12),
    )
    found = joined(f"{x:g}" for x in inverse_distances(gaussians.mean[:1], gaussians.mean)[0])
    yield Result("at-a-mean", "equation 3", f"division by zero; its limit is {found}", Status.NOT_CHECKABLE)

    sure = fuse(np.array([0]), np.array([[0.0, 1.0]]), alpha=0.5)[0]
    yield Result(
        "never-overrules",
        "alpha 0.5",
        f"at most {sure[1]:g} for another class, at least {sure[0]:g} for the label",
        Status.NOT_CHECKABLE,
    )
    batch = text("batch").value
    yield Result(
        "no-mean",
        "equation 7",
        f"a sum over a batch of {batch:g} would weigh {batch:g} times the means beside it",
        Status.NOT_CHECKABLE,
    )
    spread = stats.truncnorm(-1, 1).var()
    yield Result(
        "one-deviation",
        "within one standard deviation",
        f"a normal class keeps {spread:.3f} of its variance on each axis",
        Status.NOT_CHECKABLE,
    )


@check(KEY)
def not_printed() -> Iterator[Result]:
    for name in (
        "weights",
        "noise-affect",
        "affwild-labels",
        "calibration",
        "variant",
        "average",
        "runs",
        "first-weights",
        "swa",
        "split",
        "extra-data",
        "flips",
        "natural-noise",
        "alpha-choice",
        "alpha-regression",
    ):
        yield Result(f"open-{name}", "not said", "", Status.NOT_CHECKABLE)
    yield Result("open-sizes", as_printed("test-categories", "test-affect"), "", Status.NOT_CHECKABLE)
