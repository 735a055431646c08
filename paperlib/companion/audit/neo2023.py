"""The audit of neo2023: every check that its printed numbers allow, in the order of its artefacts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pandas as pd
from scipy import stats

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
from paperlib.fusion import LabelParameters, fuse, inverse_distances, posterior

KEY = "neo2023"
CATEGORIES, AFFECT, NOISE, ALPHA = (read_table(KEY, number) for number in range(1, 5))
TEXT = read_text(KEY)
SETS, SHARES = ("AffectNet", "Aff-Wild", "MorphSet"), ("0 %", "10 %", "20 %", "30 %")
ONE_HOT, VARIANTS, OURS = "One-hot", ("Fusion (Euclidean)", "Fusion (GMM)"), "Ours"
ALPHAS = ("0.0", "0.3", "0.5", "0.7", "1.0")
POINTS, LEVEL = 100.0, 0.05  # per unit; of tests

# The paper's words, where a check is of a sentence and not of numbers.
LEADS = "“state-of-the-art performance on AffectNet”"
HELPS = (
    "“especially helpful for FER classification tasks "
    "even under the injection of synthetic categorical label noise”"
)
GROWS = "“more pronounced when label noise is increased to 30%”"
BEST_ALPHA = "“both the highest classification scores and lowest regression errors are observed”"
OPEN = {
    "weights": "equation 5",
    "noise-affect": "“categorical label noise”",
    "affwild-labels": "“The one-hot formulations are assigned to the argmax”",
    "calibration": "“provides lower calibration error”",
    "variant": "“Ours”",
    "average": "not said",
    "runs": "“manually seeded for reproducibility”",
    "first-weights": "not said",
    "swa": "“Stochastic Weighted Averaging (SWA)”",
    "split": "“random 80-20 training/test split”",
    "extra-data": "“we only include methods which do not use additional training data”",
    "natural-noise": "“in the presence of natural and synthetic noise”",
    "alpha-choice": "“a subset of training images for validation while selecting hyperparameters”",
    "alpha-regression": "equation 8",
}


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def cells_printed(frame: pd.DataFrame, **where: str) -> str:
    return joined(select(frame, **where)["printed"])


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


def categories() -> Iterator[Result]:
    for column in ("Accuracy", "F1"):
        frame = select(CATEGORIES, column=column)
        rivals = frame[frame["row"] != OURS]
        rival = rivals["row"].iloc[int(rivals["value"].argmax())]
        lead = difference(pick(frame, row=OURS), pick(frame, row=rival))
        yield Result(
            "best-categories",
            LEADS,
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
    printed = joined(cells_printed(CATEGORIES, row=r, column="Accuracy") for r in (OURS, "Weighted Cluster"))
    yield Result("lead-chance", printed, found, Status.OURS, fill={"n": f"{n:,.0f}"})

    both = CATEGORIES.pivot(index="row", columns="column", values="printed").dropna()
    same = both.index[both["Accuracy"] == both["F1"]].tolist()
    apart = {
        data: [abs(points(at(data, a, "Accuracy"), at(data, a, "F1")).point) for a in ALPHAS]
        for data in ("AffectNet", "MorphSet")
    }
    parts = [
        f"{data} in {np.count_nonzero(gaps)} of {len(gaps)} rows, by {min(gaps):.2f} to {max(gaps):.2f} points"
        for data, gaps in apart.items()
    ]
    found = f"equal to four digits: {', '.join(same)}; in table 4 they differ: {joined(parts)}"
    yield Result("accuracy-is-f1", cells_printed(CATEGORIES, row=OURS), found, Status.NOT_CHECKABLE)

    elsewhere = max(at("AffectNet", a, "Accuracy").value for a in ALPHAS)
    gap = POINTS * elsewhere - ours.value
    behind = POINTS * elsewhere - rival.value
    found = (
        f"best accuracy elsewhere {POINTS * elsewhere:.2f} ({gap:+.2f}), {behind:+.2f} from the best rival"
    )
    yield Result("ours-elsewhere", f"{ours.value:.2f}", found, Status.OURS)


def affect() -> Iterator[Result]:
    for (quantity, sign), dimension in product((("rmse", -1), ("ccc", 1)), ("valence", "arousal")):
        frame = select(AFFECT, quantity=quantity, dimension=dimension)
        rivals = frame[frame["row"] != OURS]
        rival = rivals["row"].iloc[int((sign * rivals["value"]).argmax())]
        lead = propagate(lambda a, b, s=sign: s * (a - b), pick(frame, row=OURS), pick(frame, row=rival))
        fill = {"what": f"{quantity.upper()} of {dimension}"}
        yield Result(
            "best-affect", LEADS, f"ahead of {rival} by {lead}", exceeds_zero(lead), frame["cell"], fill
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
        yield Result("table-2-and-4", f"{ours.value:g}", str(as_range), Status.OURS, fill=fill)
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
        pairs = select(AFFECT, quantity="ccc", dimension=dimension)
        yield Result("one-gold", f"RMSE and CCC of {len(pairs)} rows", found, Status.OURS, fill=fill)
    both = [pick(AFFECT, row=OURS, dimension=d, quantity="rmse") for d in ("valence", "arousal")]
    captions = [text(f"weighted-{d}") for d in ("valence", "arousal")]
    statuses = [
        judge(a, Range(b.value - b.half_unit, b.value, b.value + b.half_unit))
        for a, b in zip(captions, both, strict=True)
    ]
    yield Result(
        "figure-5-and-2",
        as_printed("weighted-valence", "weighted-arousal"),
        joined(f"{cell.value:.2f}" for cell in both),
        worst(statuses),
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


def noise() -> Iterator[Result]:
    for data, label in product(SETS, VARIANTS):
        gaps = {share: gain(data, share, label) for share in SHARES}
        found = joined(f"{share} {gap.point:+.2f}" for share, gap in gaps.items())
        fill = {"data": data, "label": label}
        noisy = [gap for share, gap in gaps.items() if share != "0 %"]
        yield Result("robust", HELPS, found, worst(map(exceeds_zero, noisy)), cells(NOISE, data), fill)
    ahead = {s: [gain(d, s, v).low > 0 for d, v in product(SETS, VARIANTS)] for s in SHARES}
    found = f"{sum(map(sum, ahead.values()))} of {sum(map(len, ahead.values()))} ahead: "
    found += joined(f"{share} {sum(better)} of {len(better)}" for share, better in ahead.items())
    yield Result("cells-ahead", f"{len(NOISE)} F1 scores", found, Status.OURS)

    grow, highest = {}, {}
    for data, label in product(SETS, (ONE_HOT, *VARIANTS)):
        grow[data, label] = gain(data, "30 %", label).point > gain(data, "0 %", label).point
        scores = {share: f1(data, share, label).value for share in SHARES}
        highest[data, label] = ", ".join(s for s, x in scores.items() if x == max(scores.values()))
    growing = [f"{d} {v}" for (d, v), grows in grow.items() if grows]
    found = f"{len(growing)} of {len(SETS) * len(VARIANTS)}: {', '.join(growing)}"
    yield Result("variants-grow", GROWS, found, Status.OURS)
    odd = [f"{d} {v} at {share}" for (d, v), share in highest.items() if share != "0 %"]
    yield Result("best-with-noise", f"{len(NOISE)} F1 scores", joined(odd), Status.OURS)

    clean = {(d, v): gain(d, "0 %", v) for d, v in product(SETS, VARIANTS)}
    wanted, euclid = text("gain-clean"), clean["AffectNet", VARIANTS[0]]
    yield Result("clean-gain", as_printed("gain-clean"), str(euclid), judge(wanted, euclid))
    found = joined(f"{d} {v} {gap.point:+.2f}" for (d, v), gap in clean.items())
    printed = "“the improvements of label fusion are marginal”"
    yield Result("clean-everywhere", printed, found, worst(map(exceeds_zero, clean.values())))
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
        first, last = by_share[0], by_share[-1]
        rise = Range(last.low - first.high, last.point - first.point, last.high - first.low)
        yield Result("gains-grow", GROWS, found, exceeds_zero(rise), fill=fill)
        plain = [f1(data, share, ONE_HOT) for share in SHARES]
        falls = sum(difference(a, b).low > 0 for a, b in pairwise(plain))
        lost = points(plain[0], plain[-1]).point
        found = f"lower at {falls} of {len(plain) - 1} steps; {lost:.2f} points lost in all"
        printed = joined(cells_printed(NOISE, row=f"{data} {share}", column=ONE_HOT) for share in SHARES)
        yield Result("one-hot-falls", printed, found, Status.OURS, fill=fill)


def twice_printed() -> Iterator[Result]:
    def printed_in_both(data: str, alpha: str, *labels: str) -> str:
        there = (cells_printed(NOISE, row=f"{data} 0 %", column=label) for label in labels)
        return joined([cells_printed(ALPHA, row=f"{data} alpha {alpha}", column="F1"), *there])

    same = points(at("AffectNet", "0.5", "F1"), f1("AffectNet", "0 %", VARIANTS[0]))
    printed = printed_in_both("AffectNet", "0.5", VARIANTS[0])
    yield Result("fusion-twice", printed, str(same), truth(same.point == 0))
    apart = {d: points(at(d, "1.0", "F1"), f1(d, "0 %", ONE_HOT)) for d in ("AffectNet", "MorphSet")}
    for data, gap in apart.items():
        status = Status.WITHIN_ROUNDING if gap.low <= 0 <= gap.high else Status.DIFFERS
        printed, found = printed_in_both(data, "1.0", ONE_HOT), f"{gap.point:+.2f} points"
        yield Result("one-hot-twice", printed, found, status, fill={"data": data})
    gap = min(
        (points(at("MorphSet", "0.5", "F1"), f1("MorphSet", "0 %", v)) for v in VARIANTS),
        key=lambda g: abs(g.point),
    )
    printed = printed_in_both("MorphSet", "0.5", *VARIANTS)
    yield Result("morphset-twice", printed, f"{gap.point:+.2f} points", Status.OURS)
    for data in apart:
        first = {v: gain(data, "0 %", v) for v in VARIANTS}
        second = points(at(data, "0.5", "F1"), at(data, "1.0", "F1"))
        found = joined(f"table 3 {v} {g.point:+.2f}" for v, g in first.items())
        found += f"; table 4 {second.point:+.2f}"
        printed = f"{as_printed('gain-clean')}; {as_printed('gain-low')} to {as_printed('gain-high')}"
        yield Result("gain-twice", printed, found, Status.OURS, fill={"data": data})
    for data, gap in apart.items():
        beyond = [abs(gain(data, s, v).point) > abs(gap.point) for s, v in product(SHARES, VARIANTS)]
        found = f"{sum(beyond)} of {len(beyond)} differences exceed {abs(gap.point):.2f} points"
        printed = printed_in_both(data, "1.0", ONE_HOT)
        yield Result("beyond-run", printed, found, Status.NOT_CHECKABLE, fill={"data": data})


# Table 4: how much of each


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
            BEST_ALPHA,
            joined(parts),
            worst(map(exceeds_zero, leads)),
            named,
            {"data": data, "kind": kind},
        )
    for data, name in (("AffectNet", "test-categories"), ("MorphSet", "morphset-test")):
        n, parts = text(name).value, []
        accuracies = {alpha: at(data, alpha, "Accuracy").value for alpha in ALPHAS}
        tuned = accuracies.pop("0.5")
        rivals = sorted({max(accuracies, key=accuracies.__getitem__), "1.0"})
        for alpha in rivals:
            variance = (tuned * (1 - tuned) + accuracies[alpha] * (1 - accuracies[alpha])) / n
            limit, gap = stats.norm.isf(LEVEL / 2) * np.sqrt(variance), tuned - accuracies[alpha]
            parts.append(
                f"over {alpha} {gap * n:.1f} pictures, {POINTS * gap:.2f} of {POINTS * limit:.2f} points"
            )
        fill = {"data": data, "n": f"{n:,.0f}"}
        of = (f"{data} alpha {alpha}" for alpha in ("0.5", *rivals))
        printed = joined(cells_printed(ALPHA, row=row, column="Accuracy") for row in of)
        yield Result("alpha-chance", printed, joined(parts), Status.OURS, fill=fill)
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
        printed = f"{as_printed('gain-low')} to {as_printed('gain-high')}"
        yield Result("alpha-gain", printed, str(rise), status, fill=fill)
    for column, name in (("RMSE V", "margin-valence"), ("RMSE A", "margin-arousal")):
        lower = difference(at("MorphSet", "1.0", column), at("MorphSet", "0.5", column))
        yield Result(
            "morphset-error", as_printed(name), str(lower), judge(text(name), lower), fill={"column": column}
        )
        lower = difference(at("AffectNet", "1.0", column), at("AffectNet", "0.5", column))
        printed, fill = "“only help to reduce the overall regression errors slightly”", {"column": column}
        yield Result("affectnet-error", printed, str(lower), exceeds_zero(lower), fill=fill)


def granularity() -> Iterator[Result]:
    printed = {f"table 4, alpha {a}": at("AffectNet", a, "Accuracy") for a in ALPHAS}
    ours = pick(CATEGORIES, row=OURS, column="Accuracy")
    printed |= {"table 1": Printed(ours.value / POINTS, ours.half_unit / POINTS)}
    stated = round(text("test-categories").value)
    each = [cells_printed(ALPHA, row=f"AffectNet alpha {a}", column="Accuracy") for a in ALPHAS]
    each.append(cells_printed(CATEGORIES, row=OURS, column="Accuracy"))
    for n in (stated, stated - 1):
        bad = [f"{name} {cell.value:.4f}" for name, cell in printed.items() if not hits(cell, n)]
        inner = (Printed(cell.value, cell.half_unit * (1 - 1e-3)) for cell in printed.values())
        fit = len(printed) - len(bad)
        tied = fit - sum(bool(hits(cell, n)) for cell in inner)
        found = f"{fit} of {len(printed)} fit"
        found += f", {tied} of them only by a tie in rounding" if tied else ""
        found += f"; not: {', '.join(bad)}" if bad else ""
        yield Result("granularity", joined(each), found, Status.NOT_CHECKABLE, fill={"n": f"{n:,}"})
    near = range(stated - 100, stated + 101)
    fits = [n for n in near if all(hits(cell, n) for cell in printed.values())]
    found = f"{joined(f'{n:,}' for n in fits)}, of {len(near)} tried"
    yield Result("granularity-near", f"{stated:,}", found, Status.NOT_CHECKABLE)


def hits(cell: Printed, n: int) -> list[int]:
    """How many right answers on n pictures round to this accuracy (GRIM; Brown and Heathers 2017)."""
    low, high = ((cell.value + s * (cell.half_unit + 1e-9)) * n for s in (-1, 1))
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))


# The equations


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
        Status.OURS,
    )
    plain = (1 / np.sqrt(squared)) / (1 / np.sqrt(squared)).sum()
    found = f"{ours.round(2)} with the printed square, {plain.round(2)} without"
    yield Result("distance-squared", "equation 3", found, Status.OURS)
    found = joined(f"{x:g}" for x in inverse_distances(gaussians.mean[:1], gaussians.mean)[0])
    yield Result("at-a-mean", "equation 3", f"division by zero; its limit is {found}", Status.NOT_CHECKABLE)

    sure = fuse(np.array([0]), np.array([[0.0, 1.0]]), alpha=0.5)[0]
    yield Result(
        "never-overrules",
        as_printed("alpha"),
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
        "“within one standard deviation”",
        f"a normal class keeps {spread:.3f} of its variance on each axis",
        Status.NOT_CHECKABLE,
    )


def not_printed() -> Iterator[Result]:
    for name, printed in OPEN.items():
        yield Result(f"open-{name}", printed, "", Status.NOT_CHECKABLE)
    yield Result("open-sizes", as_printed("test-categories", "test-affect"), "", Status.NOT_CHECKABLE)
    # Pictures drawn with replacement, their new label from all classes: the right one may come again.
    k, shares = text("classes").value, [int(share.split()[0]) / POINTS for share in SHARES[1:]]
    found = "; ".join(f"{s:.0%} drawn, {(1 - np.exp(-s)) * (k - 1) / k:.1%} wrong" for s in shares)
    yield Result("open-flips", "“randomly flipped to other classes”", found, Status.NOT_CHECKABLE)


CHECKS = (categories, affect, noise, twice_printed, tuning, granularity, equations, not_printed)
