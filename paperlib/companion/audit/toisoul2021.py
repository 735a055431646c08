"""The audit of toisoul2021: every check that its printed numbers allow, in the order of its artefacts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, pairwise, product
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from paperlib.companion.audit import (
    Range,
    Result,
    Status,
    check,
    difference,
    exceeds_zero,
    joined,
    judge,
    largest_target_variance,
    pick,
    propagate,
    require,
    select,
    truth,
    worst,
)
from paperlib.companion.published import Printed, read_table, read_text

KEY = "toisoul2021"
TABLES = {number: read_table(KEY, number) for number in range(1, 7)}
AFFECTNET, SEWA, AFEW, HUMANS, ABLATION, LOSS = TABLES
TEXT = read_text(KEY)
DIMENSIONS = ("valence", "arousal")
_TOUCH = 1e-9  # of floating point, far below any printed place
RESNET = "ResNet-18"


class Row(NamedTuple):
    table: int
    name: str


ORIGINAL, CLEAN = Row(AFFECTNET, "Ours (original set)"), Row(AFFECTNET, "Ours (clean set)")
OURS = {"AffectNet": ORIGINAL, "SEWA": Row(SEWA, "Our method"), "AFEW-VA": Row(AFEW, "Ours")}
BEST_BEFORE = {
    "AffectNet": Row(AFFECTNET, "VGG-FACE+2M images"),
    "SEWA": Row(SEWA, "VGG16 CNN+TRL"),
    "AFEW-VA": Row(AFEW, "AffWild Net"),
}
PEOPLE = {"AffectNet": Row(HUMANS, "AffectNet Human IA"), "SEWA": Row(HUMANS, "SEWA Human IA")}
QUOTED = {(Row(SEWA, "SEWA baseline"), "arousal"), (BEST_BEFORE["AFEW-VA"], "valence")}  # CCC above PCC
NETWORK = {"AffectNet": Row(HUMANS, "AffectNet Ours"), "SEWA": Row(HUMANS, "SEWA Ours")}

# The paper's words, where a check is of a sentence and not of numbers.
BEST = {
    "AffectNet": "“surpasses all existing methods”; “on all metrics”",
    "SEWA": "“outperforms the baseline approach as well as the previous methods on all metrics”",
    "AFEW-VA": "“outperforms the state of the art on the AFEW-VA dataset”; “on all metrics”",
}
BY_FAR = "“by a very large margin on all metrics”"  # on AffectNet and AFEW-VA
LITTLE = 0.02  # a lead of two units of the last printed place is no very large margin in any of the metrics
ABOVE_RESNET = {
    "AffectNet": "“performs best on all metrics”",
    "SEWA": BEST["SEWA"],
    "AFEW-VA": "“very poor performance”",
}


def slug(name: str) -> str:
    return name.lower().removesuffix("-va")


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def numbers(row: Row) -> pd.DataFrame:
    return select(TABLES[row.table], row=row.name)


def at(row: Row, quantity: str, dimension: str = "") -> Printed:
    return pick(numbers(row), quantity=quantity, dimension=dimension)


def has(row: Row, quantity: str, dimension: str) -> bool:
    return not select(numbers(row), quantity=quantity, dimension=dimension).empty


def rows(table: int) -> list[Row]:
    return [Row(table, name) for name in TABLES[table]["row"].unique()]


def ablation(modality: str, *, network: str = "EmoFAN") -> Row:
    return Row(ABLATION, f"{network} {modality}")


F, FC, FCA, FULL = (ablation(m) for m in ("F+R", "F+R+C", "F+R+C+A", "F+R+C+A+S+D"))
PLAIN, PLAIN_F, PLAIN_FC = (ablation(m, network=RESNET) for m in ("O+R", "F+R", "F+R+C"))
WITH_S, WITH_D = ablation("F+R+C+A+S"), ablation("F+R+C+A+D")


class Comparison(NamedTuple):
    """How one row changes to another in the metrics that both have; positive is better."""

    changes: dict[str, Range]  # by column

    @property
    def text(self) -> str:
        groups: dict[str, list[str]] = {"better": [], "equal": [], "worse": []}
        for column, change in self.changes.items():
            point = round(change.point, 6)
            group = "better" if point > 0 else "worse" if point < 0 else "equal"
            groups[group].append(column if group == "equal" else f"{column} {point:+.2f}")
        counts = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
        return joined([counts, *(f"{g}: {', '.join(groups[g])}" for g in ("equal", "worse") if groups[g])])

    @property
    def balance(self) -> tuple[int, int]:
        """How many are better and how many worse."""
        points = [change.point for change in self.changes.values()]
        return sum(x > _TOUCH for x in points), sum(x < -_TOUCH for x in points)

    @property
    def status(self) -> Status:
        """Of the statement that all are better; rounding intervals that only touch count as apart."""
        apart = {c for c, r in self.changes.items() if r.point > _TOUCH and r.low > -_TOUCH}
        return worst(truth(True) if c in apart else exceeds_zero(r) for c, r in self.changes.items())

    def only(self, *metrics: str) -> Comparison:
        return Comparison({c: r for c, r in self.changes.items() if c.split()[-1] in metrics})


def compare(before: Row, after: Row) -> Comparison:
    changes = {}
    for column in numbers(before)["column"]:
        if column in set(numbers(after)["column"]):
            sign = -1 if "RMSE" in column else 1
            a, b = (pick(numbers(row), column=column) for row in (before, after))
            changes[column] = propagate(lambda x, y, s=sign: s * (y - x), a, b)
    return Comparison(changes)


# What any table of this kind must meet


@check(KEY)
def possible() -> Iterator[Result]:
    for number, frame in TABLES.items():
        fill, shares = {"n": number}, frame[frame["quantity"] != "rmse"]
        highest, lowest = shares["value"].max(), shares["value"].min()
        found = f"{len(shares)} cells from {lowest:.2f} to {highest:.2f}"
        slack = require(Range(*[min(1 - highest, lowest)] * 3))
        yield Result("bounded", f"{len(shares)} cells", found, slack, frame["cell"], fill)

        gaps = {
            f"{row.name} {d}": difference(at(row, "pcc", d), at(row, "ccc", d))
            for row, d in product(rows(number), DIMENSIONS)
            if has(row, "pcc", d) and has(row, "ccc", d) and (row, d) not in QUOTED
        }
        odd = [f"{name} {gap.point:+.2f}" for name, gap in gaps.items() if gap.point < -_TOUCH]
        equal = sum(abs(gap.point) < _TOUCH for gap in gaps.values())
        found = f"{len(gaps) - len(odd)} of {len(gaps)} hold, {equal} of them as equals"
        found += f"; not: {', '.join(odd)}" if odd else ""
        status = worst(map(require, gaps.values()))
        yield Result("ccc-below-pcc", f"PCC and CCC of {len(gaps)} rows", found, status, fill=fill)

    for row, dimension in sorted(QUOTED):
        name = "ccc-sewa-baseline" if row.table == SEWA else "ccc-affwild-net"
        pcc, ccc = (at(row, q, dimension) for q in ("pcc", "ccc"))
        gap = difference(pcc, ccc)
        printed, found = f"PCC {pcc.value:.2f}; CCC {ccc.value:.2f}", f"PCC - CCC {gap}"
        yield Result(name, printed, found, Status.OURS)


@check(KEY)
def concordance_is_correlation() -> Iterator[Result]:
    gaps = [
        difference(at(row, "pcc", d), at(row, "ccc", d)).point
        for row, d in product(rows(ABLATION), DIMENSIONS)
    ]
    found = f"{sum(abs(gap) < _TOUCH for gap in gaps)} of {len(gaps)} equal, the largest gap {max(gaps):.2f}"
    yield Result("ccc-is-pcc", f"PCC and CCC of {len(gaps)} rows", found, Status.NOT_CHECKABLE)
    errors, pccs = ([at(ORIGINAL, q, d) for d in DIMENSIONS] for q in ("rmse", "pcc"))
    # With equal spreads and means MSE is 2 (1 - r) var; the best rescaling leaves (1 - r^2) var.
    found = joined(
        propagate(lambda e, r: e * np.sqrt((1 + r) / 2), *of) for of in zip(errors, pccs, strict=True)
    )
    yield Result("rescaled", joined(f"{e.value:.2f}" for e in errors), found, Status.NOT_CHECKABLE)


# The spread of the labels, which rows on one test set share


def deviation_bounds(rmse: Printed, pcc: Printed, ccc: Printed | None = None) -> tuple[float, float]:
    """Least and largest standard deviation of the labels that one row, of PCC below 1, allows with its rounding.

    S = MSE / (1 - CCC) is the sum of both variances and the squared bias, and CCC S / 2 the covariance, so the
    predictions' deviation is that over PCC times the labels'. As the squared bias is not negative, the labels'
    variance lies in S / 2 (1 ± sqrt(1 - (CCC / PCC)^2)). Without a CCC, MSE / (1 - PCC^2) is the only bound.
    """
    error, r = rmse.value + rmse.half_unit, pcc.value + pcc.half_unit
    if ccc is None:
        return 0.0, float(np.sqrt(largest_target_variance(error**2, r)))

    def bound(e: float, c: float, side: int) -> float:
        return float(np.sqrt(e**2 / (1 - c) / 2 * (1 + side * np.sqrt(1 - (c / r) ** 2))))

    least, most = (min(ccc.value + side * ccc.half_unit, r) for side in (-1, 1))
    # The lower bound rises with CCC; the upper one peaks, at MSE / (1 - PCC^2), where CCC is this.
    peak = 2 * r**2 / (1 + r**2)
    return bound(rmse.value - rmse.half_unit, least, -1), bound(error, min(max(peak, least), most), 1)


TEST_SETS: dict[str, list[Row]] = {
    "AffectNet, original set": [
        row for table in (AFFECTNET, ABLATION, LOSS) for row in rows(table) if "clean" not in row.name
    ],
    "AffectNet, clean set": [CLEAN],
    "SEWA": rows(SEWA),
    "AFEW-VA": rows(AFEW),
}


def row_deviation(row: Row, dimension: str) -> tuple[float, float]:
    """`deviation_bounds` of a row with RMSE and PCC, and with CCC where it has one."""
    ccc = at(row, "ccc", dimension) if has(row, "ccc", dimension) else None
    return deviation_bounds(at(row, "rmse", dimension), at(row, "pcc", dimension), ccc)


def label_deviation(test_set: str, dimension: str) -> tuple[float, float, str, str]:
    """The deviations that suit all rows of a test set, and the rows that set the least and the largest."""
    with_error = [row for row in TEST_SETS[test_set] if has(row, "rmse", dimension)]
    bounds = {row.name: row_deviation(row, dimension) for row in with_error}
    lowest, highest = max(bounds, key=lambda n: bounds[n][0]), min(bounds, key=lambda n: bounds[n][1])
    return bounds[lowest][0], bounds[highest][1], lowest, highest


def constant_ratio(row: Row, dimension: str, low: float, high: float) -> tuple[float, float]:
    """Least and largest RMSE over the labels' deviation, which is from `low` to `high`; a constant has 1."""
    (least, most), error = row_deviation(row, dimension), at(row, "rmse", dimension)
    small, large = error.value - error.half_unit, error.value + error.half_unit
    # Each bound of the row is its RMSE times a number that PCC and CCC give, so the RMSE cancels.
    return max(small / high, large / most), min(large / low, small / least if least else np.inf)


@check(KEY)
def label_spread() -> Iterator[Result]:
    for test_set, dimension in product(TEST_SETS, DIMENSIONS):
        fill = {"set": test_set, "dimension": dimension}
        low, high, lowest, highest = label_deviation(test_set, dimension)
        found = f"{low:.3f} ({lowest}) to {high:.3f} ({highest})"
        tested = [row for row in TEST_SETS[test_set] if has(row, "rmse", dimension)]
        if len(tested) == 1:
            yield Result("one-row", "RMSE, PCC and CCC of 1 row", found, Status.NOT_CHECKABLE, fill=fill)
            continue
        agree = require(Range(*[high - low] * 3))
        yield Result("one-gold", f"{len(tested)} rows", found, agree, fill=fill)
        ratios = {row.name: constant_ratio(row, dimension, low, high) for row in tested}
        worse = [name for name, ratio in ratios.items() if ratio[0] > 1]
        undecided = [name for name, ratio in ratios.items() if ratio[0] <= 1 <= ratio[1]]
        found = f"larger: {', '.join(worse) or 'none'}; either: {', '.join(undecided) or 'none'}"
        yield Result("constant", f"RMSE of {len(tested)} rows", found, Status.OURS, fill=fill)
    for (name, row), dimension in product(PEOPLE.items(), DIMENSIONS):
        (low, high), fill = row_deviation(row, dimension), {"dimension": dimension}
        test_set = "AffectNet, clean set" if name == "AffectNet" else name
        label_low, label_high, *_ = label_deviation(test_set, dimension)
        found = f"people's {low:.3f} to {high:.3f}; the network's labels {label_low:.3f} to {label_high:.3f}"
        found += "" if low <= label_high and label_low <= high else "; apart"
        printed = "RMSE, PCC and CCC of 2 rows"
        yield Result(f"human-spread-{slug(name)}", printed, found, Status.OURS, fill=fill)


# Rows and methods that are printed twice


@check(KEY)
def printed_twice() -> Iterator[Result]:
    parts, statuses = [], []
    for words, a, b in (
        ("EmoFAN, original set, tables 1 and 5", ORIGINAL, FULL),
        ("clean set, tables 1 and 5", CLEAN, ablation("F+R+C+A+S+D", network="EmoFAN (clean set)")),
        ("clean set, tables 1 and 4", CLEAN, NETWORK["AffectNet"]),
        ("SEWA, tables 2 and 4", OURS["SEWA"], NETWORK["SEWA"]),
        ("ResNet-18, tables 1 and 5 (O+R)", Row(AFFECTNET, RESNET), PLAIN),
        ("EmoFAN F+R+C, tables 5 and 6 (CCC loss)", FC, Row(LOSS, "EmoFAN with CCC-based loss")),
    ):
        changes = compare(a, b).changes.values()
        apart = sum(abs(change.point) > _TOUCH for change in changes)
        parts.append(f"{words}: {apart} of {len(changes)}")
        statuses.append(truth(not apart))
    yield Result("same-row", "tables 1, 2, 4, 5 and 6", joined(parts), worst(statuses))
    shaken = compare(WITH_S, Row(LOSS, "EmoFAN with shake-shake"))
    parts = [f"{c} {r.point:+.2f}" for c, r in shaken.changes.items() if abs(r.point) > _TOUCH]
    found = f"{len(parts)} of {len(shaken.changes)} differ, table 6 better by: {', '.join(parts)}"
    yield Result("shake-shake-twice", "“the same model trained with our loss function”", found, Status.OURS)

    eight, five = (released(classes) for classes in (8, 5))
    equal = {k: sum(of[cell] == at(CLEAN, *cell).value for cell in of) for k, of in ((8, eight), (5, five))}
    found = joined(f"{k} classes: {n} of {len(eight)} equal" for k, n in equal.items())
    printed = joined(f"{value:.2f}" for value in eight.values())
    yield Result("release", printed, found, truth(equal[8] == len(eight)))
    found = joined(f"{d} {q} {five[q, d] - eight[q, d]:+.2f}".strip() for q, d in five)
    printed = joined(f"{value:.2f}" for value in five.values())
    yield Result("release-five", printed, found, Status.NOT_CHECKABLE)


def released(classes: int) -> dict[tuple[str, str], float]:
    """What the page of the released model gives, by quantity and dimension."""
    of = [("accuracy", ""), *((q, d) for d, q in product(DIMENSIONS, ("rmse", "sagr", "pcc", "ccc")))]
    return {(q, d): text("-".join(filter(None, ("release", str(classes), d, q)))).value for q, d in of}


def as_share(percent: Printed) -> Printed:
    return Printed(percent.value / 100, percent.half_unit / 100)


@check(KEY)
def quoted_elsewhere() -> Iterator[Result]:
    accuracies, affect = (read_table("neo2023", number) for number in (1, 2))
    accuracies = select(accuracies, quantity="accuracy")
    for here, name in (
        (Row(AFFECTNET, "AffectNet baseline"), "AffectNet"),
        (BEST_BEFORE["AffectNet"], "Deep 3DMM"),
    ):
        pairs = {"accuracy": (at(here, "accuracy"), as_share(pick(accuracies, row=name)))}
        for q, d in product(("rmse", "ccc"), DIMENSIONS):
            pairs[f"{d} {q}"] = at(here, q, d), pick(affect, row=name, quantity=q, dimension=d)
        apart = [
            f"{what} {a.value:.2f} here, {b.value:.2f} there"
            for what, (a, b) in pairs.items()
            if abs(a.value - b.value) > _TOUCH
        ]
        found = joined([f"{len(pairs) - len(apart)} of {len(pairs)} equal", *apart])
        printed = joined(f"{a.value:.2f}" for a, _ in pairs.values())
        yield Result("quoted-elsewhere", printed, found, Status.OURS, fill={"name": here.name})
    ours = at(ORIGINAL, "accuracy")
    below = [difference(ours, as_share(pick(accuracies, row=name))).low > 0 for name in accuracies["row"]]
    found = f"{sum(below)} of {len(below)} certainly below; the highest {accuracies['value'].max():.2f} %"
    yield Result("later-rivals", f"{ours.value:.2f}", found, Status.OURS)


# Tables 1 to 3: against others


@check(KEY)
def against_others() -> Iterator[Result]:
    for name, ours in OURS.items():
        others = [row for row in rows(ours.table) if row not in (ours, CLEAN)]
        earlier = [compare(row, ours).changes for row in others if row.name != RESNET]
        leads = {
            column: min((c[column] for c in earlier if column in c), key=lambda lead: lead.point)
            for column in numbers(ours)["column"]
            if any(column in c for c in earlier)
        }
        least = min(lead.point for lead in leads.values())
        smallest = ", ".join(column for column, lead in leads.items() if lead.point < least + _TOUCH)
        of = len(numbers(ours))
        found = f"{Comparison(leads).text}; least by {least:.2f}: {smallest}"
        found += f"; earlier work prints {len(leads)} of {of} metrics"
        yield Result(f"best-{slug(name)}", BEST[name], found, Comparison(leads).status)
        if name != "SEWA":
            yield Result(
                f"margin-{slug(name)}", BY_FAR, f"{least:.2f}: {smallest}", truth(least > LITTLE + _TOUCH)
            )
        plain, fill = compare(Row(ours.table, RESNET), ours), {"set": name}
        yield Result("above-resnet", ABOVE_RESNET[name], plain.text, plain.status, fill=fill)


@check(KEY)
def claimed_gains() -> Iterator[Result]:
    for name, dimension in product(OURS, DIMENSIONS):
        fill = {"dimension": dimension}
        before, after = (at(row[name], "ccc", dimension) for row in (BEST_BEFORE, OURS))
        for kind, gain in (
            ("gain", difference(after, before)),
            ("percent", propagate(lambda a, b: 100 * (b / a - 1), before, after)),
        ):
            one_for_both = kind == "gain" and name == "AffectNet"
            claim = f"{kind}-{slug(name)}" + ("" if one_for_both else f"-{dimension}")
            yield Result(
                f"{kind}-{slug(name)}", as_printed(claim), str(gain), judge(text(claim), gain), fill=fill
            )
    shares, splits = [], []
    for dimension in DIMENSIONS:
        before, plain, same, clean = (
            at(row, "ccc", dimension)
            for row in (BEST_BEFORE["AffectNet"], Row(AFFECTNET, RESNET), ORIGINAL, CLEAN)
        )
        gain, claim, fill = difference(clean, before), f"gain-clean-{dimension}", {"dimension": dimension}
        yield Result("gain-clean", as_printed(claim), str(gain), judge(text(claim), gain), fill=fill)
        method, change = difference(same, before).point, difference(clean, same).point
        splits.append(f"{dimension} {method:.2f} on one test set, {change:.2f} from changing it")
        shares.append(f"{dimension} {difference(plain, before).point:.2f} of {method:.2f}")
    printed = as_printed("gain-clean-valence", "gain-clean-arousal")
    yield Result("gain-clean-split", printed, joined(splits), Status.NOT_CHECKABLE)
    yield Result("resnet-share", as_printed("gain-affectnet"), joined(shares), Status.NOT_CHECKABLE)


def pictures(key: str, name: str) -> float:
    """A number that another paper prints of AffectNet's test set, which this one does not."""
    return float(read_text(key)["value"][name])


def two_shares(a: float, b: float, n: float) -> float:
    """z of the difference of two independent shares of `n` each."""
    return float((a - b) / np.sqrt((a * (1 - a) + b * (1 - b)) / n))


@check(KEY)
def chance() -> Iterator[Result]:
    eight, seven = pictures("neo2023", "test-categories"), pictures("le2023", "affectnet-test")
    limit = stats.norm.isf(0.025)
    ours = at(ORIGINAL, "accuracy")
    for rival in (Row(AFFECTNET, "AffectNet baseline"), BEST_BEFORE["AffectNet"]):
        parts, theirs = [], at(rival, "accuracy")
        for n in (eight, seven):
            z = propagate(lambda a, b, n=n: two_shares(a, b, n), ours, theirs)
            parts.append(f"of {n:,.0f} z {z}, p {2 * stats.norm.sf(z.point):.2g}")
        printed, fill = f"{ours.value:.2f}; {theirs.value:.2f}", {"rival": rival.name}
        yield Result("accuracy-chance", printed, joined(parts), Status.OURS, fill=fill)
    for dimension in DIMENSIONS:
        beyond, r = [], at(FULL, "pcc", dimension).value
        for before, after, _ in STEPS.values():
            a, b = (np.arctanh(at(row, "pcc", dimension).value) for row in (before, after))
            if abs(b - a) * np.sqrt((eight - 3) / 2) > limit:
                beyond.append(f"{before.name} to {after.name}")
        found = (
            f"{len(beyond)} of {len(STEPS)} beyond about {limit * (1 - r**2) * np.sqrt(2 / (eight - 3)):.3f}"
        )
        found += f": {', '.join(beyond)}" if beyond else ""
        fill = {"dimension": dimension, "n": f"{eight:,.0f}"}
        printed = f"PCC of {len(rows(ABLATION)) - 1} rows"
        yield Result("step-chance", printed, found, Status.OURS, fill=fill)


# Table 3: a small set


@check(KEY)
def small_set() -> Iterator[Result]:
    for dimension in DIMENSIONS:
        plain, tuned = (at(row, "ccc", dimension) for row in (Row(AFEW, RESNET), OURS["AFEW-VA"]))
        found, fill = f"{plain.value:.2f} to {tuned.value:.2f}", {"dimension": dimension}
        yield Result(
            "small-set", "“very poor performance”", found, exceeds_zero(difference(tuned, plain)), fill=fill
        )
    sign = at(Row(AFEW, RESNET), "sagr", "valence").value
    # A label of 0 agrees with neither sign.
    found = f"the opposite sign would agree in {1 - sign:.2f} less the share of labels of 0"
    yield Result("sign-below-half", f"{sign:.2f}", found, Status.NOT_CHECKABLE)
    frames, clips, folds = (text(f"afew-{name}").value for name in ("frames", "clips", "folds"))
    found = f"{frames / clips:.0f} frames a clip, {clips / folds:.0f} clips a fold"
    yield Result("afew-frames", as_printed("afew-clips", "afew-frames"), found, Status.NOT_CHECKABLE)


# Table 4: people


def consensus_raters(network: float, pair: float) -> float:
    """How many raters a consensus needs before `network` is a possible correlation with it.

    If two raters correlate by `pair`, the consensus of k has by Spearman and Brown a reliability of
    k r / (1 + (k - 1) r), and nothing correlates with it by more than that reliability's root.
    """
    return network**2 * (1 - pair) / (pair * (1 - network**2))


@check(KEY)
def people() -> Iterator[Result]:
    for name, human in PEOPLE.items():
        fill, change = {"set": name}, compare(human, NETWORK[name])
        yield Result(
            "human-cells",
            f"{2 * len(change.changes)} cells",
            change.text,
            Status.OURS,
            fill=fill,
        )
        change = change.only("PCC", "CCC")
        printed = "“superior to the agreement between expert human annotators”"
        yield Result("human-superior", printed, change.text, change.status, fill=fill)
        easier = difference(*(at(human, "ccc", d) for d in DIMENSIONS))
        printed = "“much better at judging facial affect in terms of valence”"
        yield Result("valence-easier", printed, str(easier), exceeds_zero(easier), fill=fill)
        parts, raters = [], []
        for dimension in DIMENSIONS:
            pair, network = (at(row, "pcc", dimension) for row in (human, NETWORK[name]))
            lead = propagate(lambda r, x: x - np.sqrt(r), pair, network)
            parts.append(f"{dimension} {np.sqrt(pair.value):.3f}, the network's lead {lead}")
            raters.append(f"{dimension} at least {propagate(consensus_raters, network, pair)}")
        fill, printed = {"set": name}, joined(f"{at(human, 'pcc', d).value:.2f}" for d in DIMENSIONS)
        yield Result("one-rater", printed, joined(parts), Status.NOT_CHECKABLE, fill=fill)
        yield Result("consensus", printed, joined(raters), Status.NOT_CHECKABLE, fill=fill)
    for name, claim, dimension in (
        ("AffectNet", "human-affectnet-arousal", "arousal"),
        *(("SEWA", "human-sewa", dimension) for dimension in DIMENSIONS),
    ):
        gap = difference(*(at(who[name], "ccc", dimension) for who in (NETWORK, PEOPLE)))
        id, fill = "human-sewa" if name == "SEWA" else "human-arousal", {"dimension": dimension}
        yield Result(id, as_printed(claim), str(gap), judge(text(claim), gap), fill=fill)
    gap = difference(*(at(who["AffectNet"], "ccc", "valence") for who in (NETWORK, PEOPLE)))
    printed = "“at least as good as that of any other annotator when estimating valence”"
    yield Result("human-valence", printed, str(gap), require(gap))
    change = compare(PEOPLE["AffectNet"], ORIGINAL)
    yield Result("human-original", f"{2 * len(change.changes)} cells", change.text, Status.OURS)


# Table 5: one switch at a time

STEPS: dict[str, tuple[Row, Row, str]] = {
    "landmarks": (PLAIN, PLAIN_F, "“all showed an increase in their performance”"),
    "features": (PLAIN_F, F, "“large improvements in performance”"),
    "features-with-c": (PLAIN_FC, FC, ""),
    "classes-resnet": (PLAIN_F, PLAIN_FC, "“a further improvement of all metrics”"),
    "classes": (F, FC, "“a further improvement of all metrics”"),
    "attention": (FC, FCA, "“an improvement in the metrics”"),
    "distillation": (FCA, WITH_D, "“again show an improvement”"),
    "distillation-with-s": (WITH_S, FULL, ""),
    "shake-shake": (FCA, WITH_S, ""),
    "shake-shake-with-d": (WITH_D, FULL, ""),
}


def as_worded(words: str, change: Comparison) -> Status:
    """Does a comparison bear out what the paper says of it, no more than that? Of "" it says nothing.

    An improvement of the metrics is one of all, a large one of most; otherwise more have to rise than fall.
    """
    rising, falling = change.balance
    if not words:
        return Status.OURS
    if "metrics" in words:
        return change.status
    return truth(2 * rising > len(change.changes) if "large" in words else rising > falling)


@check(KEY)
def switches() -> Iterator[Result]:
    for name, (before, after, printed) in STEPS.items():
        change, fill = compare(before, after), {"before": before.name, "after": after.name}
        status = as_worded(printed, change)
        yield Result(
            f"step-{name}", printed or f"{2 * len(change.changes)} cells", change.text, status, fill=fill
        )
    for dimension in DIMENSIONS:
        ladder = (PLAIN, PLAIN_F, F, FC, FCA, FULL)
        ccc = {row.name: at(row, "ccc", dimension).value for row in ladder}
        found = joined(f"{b} {ccc[b] - ccc[a]:+.2f}" for a, b in pairwise(ccc))
        fill = {"dimension": dimension}
        yield Result("ladder", f"CCC of {len(ladder)} rows", found, Status.OURS, fill=fill)
    shaken, distilled, both = (compare(FCA, row).changes for row in (WITH_S, WITH_D, FULL))
    excess = {c: round(both[c].point - shaken[c].point - distilled[c].point, 6) for c in both}
    parts = [f"{column} {more:+.2f}" for column, more in excess.items() if more]
    found = f"more together in {sum(x > 0 for x in excess.values())} of {len(excess)}: {', '.join(parts)}"
    yield Result("together", "4 rows", found, Status.OURS)

    orders = [
        [np.sign(round(at(b, q, d).value - at(a, q, d).value, 6)) for q in ("rmse", "sagr")]
        for table in (ABLATION, LOSS)
        for (a, b), d in product(combinations(rows(table), 2), DIMENSIONS)
        if "clean" not in b.name
    ]
    opposite, same = ([e * s for e, s in orders].count(sign) for sign in (-1, 1))
    found = f"so in {opposite} of {len(orders)} pairs of networks, the other way in {same}, the rest are ties"
    yield Result("rmse-sagr", "“a lower RMSE usually leads to a higher SAGR”", found, truth(opposite > same))


@check(KEY)
def landmarks() -> Iterator[Result]:
    found = f"{PLAIN.name} of table 5 is the {RESNET} of table 1"
    printed = "“All reported networks were trained using these improved landmarks”"
    yield Result("landmarks-all", printed, found, Status.DIFFERS)
    printed = "“an increase in their performance on the two datasets”"
    yield Result("landmarks-sewa", printed, "AffectNet's alone", Status.NOT_CHECKABLE)


@check(KEY)
def cleaning() -> Iterator[Result]:
    change = compare(ORIGINAL, CLEAN)
    printed = "“resulting in a large improvement in performance”"
    yield Result("step-clean", printed, change.text, as_worded(printed, change))

    before, after = (at(row, "accuracy") for row in (ORIGINAL, CLEAN))
    # Right answers on the clean part are no more than right answers on the whole.
    removed = propagate(lambda a, b: 1 - a / b, before, after)
    n = pictures("neo2023", "test-categories")
    printed = f"accuracy {before.value:.2f}; {after.value:.2f}"
    found = f"at least {removed} of the set; of {n:,.0f} at least {np.ceil(removed.low * n):.0f}"
    yield Result("removed", printed, found, exceeds_zero(removed))
    subsets = read_table("foteinopoulou2021", 3)
    kept, noisy = (pick(subsets, row=f"AffectNet {s}", column="Samples").value for s in ("clean", "noisy"))
    share = noisy / (kept + noisy)
    found = f"{noisy:.0f} of {kept + noisy:.0f}, {share:.1%}"
    found = f"{found}; removed were at least {removed.low:.1%}"
    yield Result("removed-by-rules", printed, found, Status.OURS)
    printed = "“No data were excluded from the analyses”"
    yield Result("no-exclusions", printed, "“manually removing all incorrect labels”", Status.DIFFERS)

    parts, gone = [], []
    for dimension in DIMENSIONS:
        (error, ccc), (error_clean, ccc_clean) = (
            [at(row, q, dimension) for q in ("rmse", "ccc")] for row in (ORIGINAL, CLEAN)
        )
        # MSE / (1 - CCC) holds both variances and the bias: kept as it was, the clean error gives this CCC.
        by_error = propagate(lambda c, e, k: 1 - (1 - c) * (k / e) ** 2, ccc, error, error_clean)
        rise = f"{by_error.point - ccc.value:.2f} of {ccc_clean.value - ccc.value:.2f}"
        parts.append(f"{dimension} {by_error}, {rise} by error alone")
        squared = error_clean.value**2 + (error.value**2 - error_clean.value**2) / removed.point
        gone.append(f"{dimension} at most about {np.sqrt(squared):.2f}")
    yield Result("clean-spread", "RMSE and CCC of 2 rows", joined(parts), Status.NOT_CHECKABLE)
    yield Result("removed-error", "accuracy and RMSE of 2 rows", joined(gone), Status.NOT_CHECKABLE)


# Table 6 and the loss


@check(KEY)
def losses() -> Iterator[Result]:
    ccc, mse, shaken = rows(LOSS)
    change = compare(ccc, shaken)
    lower, higher, kept = (change.only(metric) for metric in ("RMSE", "SAGR", "CCC"))
    yield Result("shake-shake-rmse", "“a lower RMSE”", lower.text, lower.status)
    yield Result("shake-shake-sagr", "“better SAGR”", higher.text, higher.status)
    status = worst(map(require, kept.changes.values()))
    yield Result("shake-shake-ccc", "“without degrading the CCC values”", kept.text, status)
    for row in (ccc, mse):
        change = compare(row, shaken)
        printed = "“an overall improvement of the network performance”"
        status, fill = as_worded(printed, change), {"row": row.name}
        yield Result("overall-loss", printed, change.text, status, fill=fill)
    parts = []
    for row in (ccc, mse, shaken):
        gaps = [difference(at(row, "pcc", d), at(row, "ccc", d)).point for d in DIMENSIONS]
        parts.append(f"{row.name} {gaps[0]:.2f} and {gaps[1]:.2f}")
    yield Result("loss-shrinks", "PCC and CCC of 3 rows", joined(parts), Status.NOT_CHECKABLE)

    errors, pccs, cccs = ([at(ORIGINAL, q, d).value for d in DIMENSIONS] for q in ("rmse", "pcc", "ccc"))
    squared = np.square(errors)
    found = f"MSE {squared.sum():.3f} as a sum, {squared.mean():.3f} as a mean; "
    found += f"PCC {1 - np.mean(pccs):.3f}; CCC {1 - np.mean(cccs):.3f}"
    yield Result("loss-terms", "equations 9, 10 and 6", found, Status.NOT_CHECKABLE)


@check(KEY)
def equations() -> Iterator[Result]:
    labels, predicted = np.array([-1.0, 1.0]), np.array([-2.0, 2.0])
    ccc = 2 * np.mean(labels * predicted) / (labels.var() + predicted.var())
    found = f"equal means, twice the spread: PCC 1, CCC {ccc:.2f}"
    printed = "“penalizes correlated signals with different means”"
    yield Result("ccc-penalises", printed, found, Status.OURS)

    drawn = (np.arange(60) + 0.5) / 60
    alpha, beta, gamma = np.meshgrid(drawn, drawn, drawn)
    weight = alpha / (alpha + beta + gamma)
    found = (
        f"mean {weight.mean():.3f}, deviation {weight.std():.2f}, above 1/2 in {(weight > 0.5).mean():.0%}"
    )
    printed = "“chosen randomly and uniformly in the range [0;1]”"
    yield Result("weights", printed, found, truth(bool(np.isclose(weight.mean(), 1 / 3))))

    teacher, students = np.array([0.7, 0.2, 0.1]), np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05]])
    apart = [-(teacher * np.log(student)).sum() - stats.entropy(teacher, student) for student in students]
    found = f"cross-entropy less divergence {joined(f'{x:.4f}' for x in apart)} for two students"
    yield Result("divergence", "equation 7", found, Status.OURS)
    yield Result("sign-of-zero", "equation 2", "0 agrees with 0 alone", Status.NOT_CHECKABLE)


# Words


@check(KEY)
def words() -> Iterator[Result]:
    names = ("extra-text", "extra-note", "extra-label")
    yield Result("extra-kind", "“proprietary”; “synthetic”", "one method, two words", Status.OURS)
    long, short = text("extra-text"), text("extra-label")
    found = f"{long.value:,.0f} in words, {short.value:,.0f} in the name"
    yield Result("extra-number", as_printed(*names), found, truth(long.value == short.value))
    note = propagate(float, text("extra-afew-note"))
    status = judge(text("extra-afew-label"), note)
    yield Result("extra-afew", as_printed("extra-afew-label"), as_printed("extra-afew-note"), status)


OPEN = """
affectnet-split sewa-split pooled afew-scale human-pictures clean-rivals cleaning-rules selection batch
hyperparameters seeds first-weights frozen teacher temperature adds class-weights pcc-alone speed
""".split()


@check(KEY)
def not_printed() -> Iterator[Result]:
    for name in OPEN:
        yield Result(f"open-{name}", "not said", "", Status.NOT_CHECKABLE)
