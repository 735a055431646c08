"""The audit of toisoul2021: every check that its printed numbers allow, in the order of its artefacts."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple, TypeAlias

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
    largest_target_variance,
    pick,
    propagate,
    require,
    select,
    truth,
    worst,
)
from paperlib.published import Printed, read_table, read_text

KEY = "toisoul2021"
TABLES = {number: read_table(KEY, number) for number in range(1, 7)}
AFFECTNET, SEWA, AFEW, HUMANS, ABLATION, LOSS = TABLES.values()
TEXT = read_text(KEY)
DIMENSIONS, METRICS = ("valence", "arousal"), ("rmse", "sagr", "pcc", "ccc")
ORIGINAL, CLEAN, RESNET = "Ours (original set)", "Ours (clean set)", "ResNet-18"
BEST_BEFORE = {1: "VGG-FACE+2M images", 2: "VGG16 CNN+TRL", 3: "AffWild Net"}
OURS = {1: ORIGINAL, 2: "Our method", 3: "Ours"}
LADDER = ("ResNet-18 O+R", "ResNet-18 F+R", *(f"EmoFAN F+R{s}" for s in ("", "+C", "+C+A", "+C+A+S+D")))
PERCENT, LEVEL = 100.0, 0.05
_TOUCH = 1e-9  # of floating point

Row: TypeAlias = tuple[pd.DataFrame, str]


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def at(row: Row, quantity: str, dimension: str = "") -> Printed:
    frame, name = row
    return pick(frame, row=name, quantity=quantity, dimension=dimension)


def has(row: Row, quantity: str, dimension: str = "") -> bool:
    frame, name = row
    return len(select(frame, row=name, quantity=quantity, dimension=dimension)) > 0


def rows(frame: pd.DataFrame, *, clean: bool = False) -> list[Row]:
    names = [name for name in frame["row"].unique() if ("clean" in name) == clean]
    return [(frame, name) for name in names]


def cells(*of: Row) -> list[str]:
    return [cell for frame, name in of for cell in select(frame, row=name)["cell"]]


class Comparison(NamedTuple):
    """What all metrics that two rows share say of the second; positive is better."""

    changes: dict[str, Range]  # by column

    @property
    def text(self) -> str:
        groups: dict[str, list[str]] = {"better": [], "equal": [], "worse": []}
        for column, change in self.changes.items():
            point = round(change.point, 6)
            group = "better" if point > 0 else "worse" if point < 0 else "equal"
            groups[group].append(column if group == "equal" else f"{column} {point:+.2f}")
        counts = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
        named = [f"{g}: {', '.join(names)}" for g, names in groups.items() if names and g != "better"]
        return joined([counts, *named])

    @property
    def status(self) -> Status:
        """Of the statement that all are better; rounding intervals that only touch count as apart."""
        apart = {c for c, r in self.changes.items() if r.point > 0 and r.low > -_TOUCH}
        return worst(truth(True) if c in apart else exceeds_zero(r) for c, r in self.changes.items())

    def of(self, *words: str) -> Comparison:
        return Comparison({c: r for c, r in self.changes.items() if any(word in c for word in words)})


def compare(before: Row, after: Row) -> Comparison:
    changes = {}
    for column in select(before[0], row=before[1])["column"]:
        if not select(after[0], row=after[1], column=column).empty:
            sign = -1 if "RMSE" in column else 1
            a, b = (pick(frame, row=name, column=column) for frame, name in (before, after))
            changes[column] = propagate(lambda x, y, s=sign: s * (y - x), a, b)
    return Comparison(changes)


# What any table of this kind must meet


@check(KEY)
def possible() -> Iterator[Result]:
    for number, frame in TABLES.items():
        shares = frame[frame["quantity"] != "rmse"]
        highest, lowest = shares["value"].max(), shares["value"].min()
        slack = min(1 - highest, lowest)
        found = f"{len(shares)} cells from {lowest:.2f} to {highest:.2f}"
        yield Result("bounded", "0 to 1", found, require(Range(*[slack] * 3)), frame["cell"], {"n": number})

        slacks = {}
        for row, dimension in product([(frame, name) for name in frame["row"].unique()], DIMENSIONS):
            if has(row, "pcc", dimension) and has(row, "ccc", dimension):
                gap = difference(at(row, "pcc", dimension), at(row, "ccc", dimension))
                slacks[f"{row[1]} {dimension}"] = gap
        odd = [f"{name} {gap.point:+.2f}" for name, gap in slacks.items() if gap.point < -1e-9]
        equal = sum(abs(gap.point) < 1e-9 for gap in slacks.values())
        found = f"{len(slacks) - len(odd)} of {len(slacks)} hold, {equal} of them as equals" + (
            f"; not: {', '.join(odd)}" if odd else ""
        )
        status = worst(map(require, slacks.values()))
        yield Result("ccc-below-pcc", "CCC and PCC", found, status, fill={"n": number})

    for name, row, dimension in (
        ("ccc-sewa-baseline", (SEWA, "SEWA baseline"), "arousal"),
        ("ccc-affwild-net", (AFEW, "AffWild Net"), "valence"),
    ):
        pcc, ccc = (at(row, q, dimension) for q in ("pcc", "ccc"))
        excess = difference(ccc, pcc)
        found = f"PCC - CCC {difference(pcc, ccc)}; negative correlations of {excess} on average would do"
        yield Result(name, f"PCC {pcc.value:g}; CCC {ccc.value:g}", found, require(difference(pcc, ccc)))


@check(KEY)
def concordance_is_correlation() -> Iterator[Result]:
    gaps = [
        difference(at(r, "pcc", d), at(r, "ccc", d)).point
        for r, d in product([*rows(ABLATION), *rows(ABLATION, clean=True)], DIMENSIONS)
    ]
    equal = sum(abs(gap) < 1e-9 for gap in gaps)
    found = f"{equal} of {len(gaps)} pairs equal, the largest gap {max(gaps):.2f}"
    yield Result("ccc-is-pcc", "CCC and PCC", found, Status.NOT_CHECKABLE)
    parts = []
    for dimension in DIMENSIONS:
        error, r = (at((AFFECTNET, ORIGINAL), q, dimension) for q in ("rmse", "pcc"))
        # Equal spreads and means: MSE = 2 (1 - r) var; the best rescaling leaves (1 - r^2) var.
        parts.append(f"{dimension} {propagate(lambda e, r: e * np.sqrt((1 + r) / 2), error, r)}")
    yield Result("rescaled", "RMSE 0.33; 0.30", joined(parts), Status.NOT_CHECKABLE)


# The spread of the labels, which rows on one test set share


def deviation_bounds(rmse: Printed, pcc: Printed, ccc: Printed | None = None) -> tuple[float, float]:
    """Least and largest standard deviation of the labels that one row allows, rounding included.

    With S = MSE / (1 - CCC), the sum of both variances and the squared bias, the covariance is CCC S / 2, so the
    predictions' deviation is that over PCC times the labels'. A squared bias that is not negative then leaves the
    labels' variance in S / 2 (1 ± sqrt(1 - (CCC / PCC)^2)). Without a CCC only MSE / (1 - PCC^2) bounds it.
    """
    error, r = rmse.value + rmse.half_unit, pcc.value + pcc.half_unit
    if ccc is None:
        return 0.0, float(np.sqrt(largest_target_variance(error**2, r)))

    def bound(e: float, c: float, side: int) -> float:
        return float(np.sqrt(e**2 / (1 - c) / 2 * (1 + side * np.sqrt(1 - (c / r) ** 2))))

    least, most = min(ccc.value - ccc.half_unit, r), min(ccc.value + ccc.half_unit, r)
    # In CCC the lower bound rises; the upper one has its peak, MSE / (1 - PCC^2), at 2 PCC^2 / (1 + PCC^2).
    peak = min(max(2 * r**2 / (1 + r**2), least), most)
    return bound(rmse.value - rmse.half_unit, least, -1), bound(error, peak, 1)


TEST_SETS: dict[str, list[Row]] = {
    "AffectNet, original set": [row for frame in (AFFECTNET, ABLATION, LOSS) for row in rows(frame)],
    "AffectNet, clean set": [(AFFECTNET, CLEAN)],
    "SEWA": rows(SEWA),
    "AFEW-VA": rows(AFEW),
}
PEOPLE = {"AffectNet": (HUMANS, "AffectNet Human IA"), "SEWA": (HUMANS, "SEWA Human IA")}


def row_deviation(row: Row, dimension: str) -> tuple[float, float]:
    ccc = at(row, "ccc", dimension) if has(row, "ccc", dimension) else None
    return deviation_bounds(at(row, "rmse", dimension), at(row, "pcc", dimension), ccc)


def label_deviation(test_set: str, dimension: str) -> tuple[float, float, str, str]:
    """The deviations that suit all rows of a test set, and the rows that set the least and the largest."""
    bounds = {
        name: row_deviation((frame, name), dimension)
        for frame, name in TEST_SETS[test_set]
        if has((frame, name), "rmse", dimension)
    }
    lowest, highest = max(bounds, key=lambda n: bounds[n][0]), min(bounds, key=lambda n: bounds[n][1])
    return bounds[lowest][0], bounds[highest][1], lowest, highest


@check(KEY)
def label_spread() -> Iterator[Result]:
    for test_set, dimension in product(TEST_SETS, DIMENSIONS):
        fill = {"set": test_set, "dimension": dimension}
        low, high, lowest, highest = label_deviation(test_set, dimension)
        n = sum(has(row, "rmse", dimension) for row in TEST_SETS[test_set])
        found = f"{low:.3f} ({lowest}) to {high:.3f} ({highest})"
        yield Result("one-gold", f"{n} rows", found, require(Range(*[high - low] * 3)), fill=fill)
        if n == 1:
            continue
        worse, undecided = [], []
        for row in TEST_SETS[test_set]:
            if has(row, "rmse", dimension):
                error = at(row, "rmse", dimension)
                if error.value - error.half_unit > high:
                    worse.append(f"{row[1]} {error.value:g}")
                elif error.value + error.half_unit > low:
                    undecided.append(f"{row[1]} {error.value:g}")
        found = f"worse: {', '.join(worse) or 'none'}; undecided: {', '.join(undecided) or 'none'}"
        yield Result("constant", f"RMSE of {n} rows", found, truth(not worse), fill=fill)
    for (name, row), dimension in product(PEOPLE.items(), DIMENSIONS):
        low, high = row_deviation(row, dimension)
        tested = "AffectNet, clean set" if name == "AffectNet" else name
        label_low, label_high, *_ = label_deviation(tested, dimension)
        found = f"people {low:.3f} to {high:.3f}; the network's labels {label_low:.3f} to {label_high:.3f}"
        status = truth(low <= label_high and label_low <= high)
        yield Result(
            "human-spread", "one kind of label", found, status, fill={"set": name, "dimension": dimension}
        )


# Rows and methods that are printed twice


@check(KEY)
def printed_twice() -> Iterator[Result]:
    for a, b, words in (
        ((AFFECTNET, ORIGINAL), (ABLATION, LADDER[-1]), "EmoFAN on the original set, tables 1 and 5"),
        ((AFFECTNET, CLEAN), (ABLATION, "EmoFAN (clean set) F+R+C+A+S+D"), "EmoFAN on the clean set, tables 1 and 5"),
        ((AFFECTNET, CLEAN), (HUMANS, "AffectNet Ours"), "EmoFAN on the clean set, tables 1 and 4"),
        ((SEWA, OURS[2]), (HUMANS, "SEWA Ours"), "EmoFAN on SEWA, tables 2 and 4"),
        ((AFFECTNET, RESNET), (ABLATION, LADDER[0]), "ResNet-18 on AffectNet, tables 1 and 5 (O+R)"),
        ((ABLATION, LADDER[3]), (LOSS, "EmoFAN with CCC-based loss"), "EmoFAN F+R+C, tables 5 and 6 (CCC loss)"),
    ):  # fmt: skip
        found = compare(a, b)
        apart = sum(abs(change.point) > 1e-9 for change in found.changes.values())
        status = truth(not apart)
        yield Result(
            "same-row",
            "one row, two tables",
            f"{apart} of {len(found.changes)} differ",
            status,
            fill={"rows": words},
        )
    again = compare((ABLATION, "EmoFAN F+R+C+A+S"), (LOSS, "EmoFAN with shake-shake"))
    yield Result("shake-shake-twice", "S in tables 5 and 6", again.text, truth("9 equal" in again.text))

    release = {
        k: {
            (q, d): text(f"release-{k}-{f'{d}-' if d else ''}{q}")
            for q, d in [("accuracy", ""), *product(METRICS, DIMENSIONS)]
        }
        for k in (8, 5)
    }
    equal = {
        k: sum(at((AFFECTNET, CLEAN), q, d).value == printed.value for (q, d), printed in of.items())
        for k, of in release.items()
    }
    found = joined(f"{k} classes: {n} of {len(release[k])} equal" for k, n in equal.items())
    yield Result("release", joined(p.value for p in release[8].values()), found, truth(equal[8] == 9))
    lower = release[5]["sagr", "arousal"].value - release[8]["sagr", "arousal"].value
    found = joined(
        f"{q} {d} {release[5][q, d].value - release[8][q, d].value:+.2f}".replace("  ", " ")
        for q, d in release[5]
    )
    yield Result("release-five", "5 against 8 classes", found, truth(lower >= 0))


@check(KEY)
def quoted_elsewhere() -> Iterator[Result]:
    accuracies, affect = read_table("neo2023", 1), read_table("neo2023", 2)
    for name, other in (("AffectNet baseline", "AffectNet"), (BEST_BEFORE[1], "Deep 3DMM")):
        here, there, apart = (AFFECTNET, name), pick(accuracies, row=other, column="Accuracy"), []
        share = Printed(there.value / PERCENT, there.half_unit / PERCENT)
        pairs = {"accuracy": (at(here, "accuracy"), share)}
        pairs |= {
            f"{q} {d}": (at(here, q, d), pick(affect, row=other, quantity=q, dimension=d))
            for q, d in product(("rmse", "ccc"), DIMENSIONS)
        }
        for what, (ours, theirs) in pairs.items():
            if abs(ours.value - theirs.value) > 1e-9:
                apart.append(f"{what} {ours.value:g} here, {theirs.value:g} there")
        found = f"{len(pairs) - len(apart)} of {len(pairs)} equal" + (
            f"; {', '.join(apart)}" if apart else ""
        )
        yield Result("quoted-elsewhere", "one source", found, truth(not apart), fill={"name": name})
    rivals = accuracies[accuracies["column"] == "Accuracy"]
    ours = at((AFFECTNET, ORIGINAL), "accuracy")
    ahead = [
        name
        for name, value, half in rivals[["row", "value", "half_unit"]].itertuples(index=False)
        if difference(ours, Printed(value / PERCENT, half / PERCENT)).low > 0
    ]
    best = rivals.loc[rivals["value"].idxmax()]
    found = f"{len(ahead)} of {len(rivals)} certainly below; the highest {best['value']:.2f} %"
    yield Result("later-rivals", f"{ours.value:g}", found, Status.NOT_CHECKABLE)


# Tables 1 to 3: against others


@check(KEY)
def against_others() -> Iterator[Result]:
    names = {1: "AffectNet", 2: "SEWA", 3: "AFEW-VA"}
    for number, ours in OURS.items():
        frame, fill = TABLES[number], {"set": names[number]}
        others = [row for row in rows(frame) if row[1] != ours]
        leads = {}
        for column in select(frame, row=ours)["column"]:
            known = [compare(row, (frame, ours)).changes.get(column) for row in others]
            leads[column] = min((k for k in known if k is not None), key=lambda k: k.point)
        least = min(lead.point for lead in leads.values())
        smallest = [column for column, lead in leads.items() if lead.point < least + 1e-9]
        quoted = {c for row in others if row[1] != RESNET for c in select(row[0], row=row[1])["column"]}
        found = (
            f"ahead in {sum(x.point > 0 for x in leads.values())} of {len(leads)}, least by {least:.2f} in "
        )
        found += f"{', '.join(smallest)}; rivals print {len(quoted)} of {len(leads)} metrics"
        status = worst(map(exceeds_zero, leads.values()))
        yield Result("best-all", "best in all metrics", found, status, fill=fill | {"n": number})
        found = compare((frame, RESNET), (frame, ours)).text
        status = compare((frame, RESNET), (frame, ours)).status
        yield Result("above-resnet", "ahead of ResNet-18", found, status, fill=fill | {"n": number})


@check(KEY)
def claimed_gains() -> Iterator[Result]:
    for (number, name), dimension in product({1: "affectnet", 2: "sewa", 3: "afew"}.items(), DIMENSIONS):
        frame, fill = TABLES[number], {"n": number, "dimension": dimension, "claim": f"gain-{name}"}
        before, after = (at((frame, row), "ccc", dimension) for row in (BEST_BEFORE[number], OURS[number]))
        gain = difference(after, before)
        id = "gain-affectnet" if number == 1 else f"gain-{name}-{dimension}"
        yield Result(f"gain-{name}", as_printed(id), str(gain), judge(text(id), gain), fill=fill)
        relative = propagate(lambda a, b: PERCENT * (b / a - 1), before, after)
        id = f"percent-{name}-{dimension}"
        yield Result(f"percent-{name}", as_printed(id), str(relative), judge(text(id), relative), fill=fill)
    for dimension in DIMENSIONS:
        fill = {"dimension": dimension}
        before, same, clean = (
            at((AFFECTNET, row), "ccc", dimension) for row in (BEST_BEFORE[1], ORIGINAL, CLEAN)
        )
        gain, id = difference(clean, before), f"gain-clean-{dimension}"
        yield Result("gain-clean", as_printed(id), str(gain), judge(text(id), gain), fill=fill)
        method, change = difference(same, before), difference(clean, same)
        found = f"{method.point:.2f} on one test set; {change.point:.2f} from changing it"
        yield Result("gain-clean-split", f"{gain.point:.2f}", found, Status.NOT_CHECKABLE, fill=fill)
        plain = difference(at((AFFECTNET, RESNET), "ccc", dimension), before)
        found = f"ResNet-18 {plain.point:+.2f} of {method.point:.2f}"
        yield Result("resnet-share", f"{method.point:.2f}", found, Status.NOT_CHECKABLE, fill=fill)


def two_shares_z(a: float, b: float, n: float) -> float:
    return float((a - b) / np.sqrt((a * (1 - a) + b * (1 - b)) / n))


@check(KEY)
def chance() -> Iterator[Result]:
    sizes = [read_text(key).loc[name, "value"] for key, name in (("neo2023", "test-categories"), ("le2023", "affectnet-test"))]  # fmt: skip
    limit = stats.norm.isf(LEVEL / 2)
    ours = at((AFFECTNET, ORIGINAL), "accuracy")
    for n, rival in product(sizes, ("AffectNet baseline", BEST_BEFORE[1])):
        z = propagate(lambda a, b, n=n: two_shares_z(a, b, n), ours, at((AFFECTNET, rival), "accuracy"))
        found = f"z {z}, p {2 * stats.norm.sf(z.point):.2g}"
        status = exceeds_zero(Range(z.low - limit, z.point - limit, z.high - limit))
        fill = {"rival": rival, "n": f"{n:,.0f}"}
        yield Result("accuracy-chance", f"{ours.value:g}", found, status, fill=fill)
    n = sizes[0]
    for dimension in DIMENSIONS:
        pccs = {name: at((ABLATION, name), "pcc", dimension) for name in ABLATION["row"].unique()}
        steps = [(a, b) for a, b, *_ in STEPS.values()]
        z = {
            (a, b): (np.arctanh(pccs[b].value) - np.arctanh(pccs[a].value)) * np.sqrt((n - 3) / 2)
            for a, b in [*steps, (LADDER[0], LADDER[-1])]
        }
        beyond = [f"{a} to {b}" for a, b in steps if abs(z[a, b]) > limit]
        found = f"{len(beyond)} of {len(steps)} steps beyond: {', '.join(beyond) or 'none'}; the whole way z {z[LADDER[0], LADDER[-1]]:.1f}"
        yield Result(
            "step-chance",
            "no spread",
            found,
            Status.NOT_CHECKABLE,
            fill={"dimension": dimension, "n": f"{n:,.0f}"},
        )


# Table 3: a small set


@check(KEY)
def small_set() -> Iterator[Result]:
    for dimension in DIMENSIONS:
        plain, tuned = (at((AFEW, row), "ccc", dimension) for row in (RESNET, "Ours"))
        found = f"{plain.value:g} to {tuned.value:g}"
        status = exceeds_zero(difference(tuned, plain))
        yield Result("small-set", "very poor", found, status, fill={"dimension": dimension})
    sign = at((AFEW, RESNET), "sagr", "valence")
    found = f"{sign.value:g}: a network with every sign turned would have {1 - sign.value:.2f}"
    yield Result("sign-below-half", f"{sign.value:g}", found, Status.NOT_CHECKABLE)
    frames, clips = (text(f"afew-{name}").value for name in ("frames", "clips"))
    found = f"{frames / clips:.0f} frames a clip, {clips / text('afew-folds').value:.0f} clips a fold"
    yield Result("afew-frames", as_printed("afew-clips", "afew-frames"), found, Status.NOT_CHECKABLE)


# Table 4: people


def consensus_raters(ours: float, pair: float) -> float:
    """Raters a consensus must have, pair by pair correlated so, for `ours` to be a possible correlation with it.

    By Spearman and Brown the consensus of k has a reliability of k r / (1 + (k - 1) r), whose root is the ceiling.
    """
    return ours**2 * (1 - pair) / (pair * (1 - ours**2))


@check(KEY)
def people() -> Iterator[Result]:
    for name, human in PEOPLE.items():
        ours, fill = (HUMANS, f"{name} Ours"), {"set": name}
        found = compare(human, ours)
        yield Result("human-cells", "superior", found.text, truth("0 worse" in found.text), fill=fill)
        of = found.of("PCC", "CCC")
        yield Result("human-superior", "PCC and CCC superior", of.text, of.status, fill=fill)
        easier = difference(at(human, "ccc", "valence"), at(human, "ccc", "arousal"))
        yield Result("valence-easier", "much better", str(easier), exceeds_zero(easier), fill=fill)
        for dimension in DIMENSIONS:
            pair, network = at(human, "pcc", dimension), at(ours, "pcc", dimension)
            fill = {"set": name, "dimension": dimension}
            room = propagate(lambda r, x: np.sqrt(r) - x, pair, network)
            found = f"ceiling {np.sqrt(pair.value):.3f}, network {network.value:.2f}: room {room}"
            yield Result(
                "ceiling", f"PCC {pair.value:g}; {network.value:g}", found, Status.NOT_CHECKABLE, fill=fill
            )
            least = propagate(consensus_raters, network, pair)
            yield Result("consensus", f"PCC {pair.value:g}; {network.value:g}", f"at least {least}", Status.NOT_CHECKABLE, fill=fill)  # fmt: skip
    valence, arousal = (
        difference(*(at((HUMANS, f"AffectNet {who}"), "ccc", d) for who in ("Ours", "Human IA")))
        for d in DIMENSIONS
    )
    yield Result("human-valence", "at least as good", str(valence), require(valence))
    id = "human-affectnet-arousal"
    yield Result("human-arousal", as_printed(id), str(arousal), judge(text(id), arousal))
    for dimension in DIMENSIONS:
        gap = difference(*(at((HUMANS, f"SEWA {who}"), "ccc", dimension) for who in ("Ours", "Human IA")))
        status = judge(text("human-sewa"), gap)
        yield Result("human-sewa", as_printed("human-sewa"), str(gap), status, fill={"dimension": dimension})
    for dimension in DIMENSIONS:
        human = at(PEOPLE["AffectNet"], "ccc", dimension)
        same = difference(at((AFFECTNET, ORIGINAL), "ccc", dimension), human)
        status, fill = require(same), {"dimension": dimension}
        yield Result(
            "human-original", f"{human.value:g}", f"{same.point:+.2f} on the original set", status, fill=fill
        )


# Table 5: one switch at a time

STEPS: dict[str, tuple[str, str, str]] = {
    "landmarks": (LADDER[0], LADDER[1], "help"),
    "features": (LADDER[1], LADDER[2], "large improvements"),
    "classes-resnet": (LADDER[1], "ResNet-18 F+R+C", "all metrics"),
    "classes-emofan": (LADDER[2], LADDER[3], "all metrics"),
    "attention": (LADDER[3], LADDER[4], "an improvement"),
    "distillation": (LADDER[4], "EmoFAN F+R+C+A+D", "an improvement"),
    "distillation-with-s": ("EmoFAN F+R+C+A+S", LADDER[5], "an improvement"),
    "shake-shake": (LADDER[4], "EmoFAN F+R+C+A+S", "an improvement"),
    "shake-shake-with-d": ("EmoFAN F+R+C+A+D", LADDER[5], "an improvement"),
    "features-with-c": ("ResNet-18 F+R+C", LADDER[3], "large improvements"),
}


@check(KEY)
def switches() -> Iterator[Result]:
    for name, (before, after, printed) in STEPS.items():
        found = compare((ABLATION, before), (ABLATION, after))
        yield Result(
            f"step-{name}", printed, found.text, found.status, fill={"before": before, "after": after}
        )
    for dimension in DIMENSIONS:
        ccc = {name: at((ABLATION, name), "ccc", dimension).value for name in ABLATION["row"].unique()}
        gains = {b: ccc[b] - ccc[a] for a, b in zip(LADDER, LADDER[1:], strict=False)}
        found = joined(f"{name} {gain:+.2f}" for name, gain in gains.items())
        total = ccc[LADDER[-1]] - ccc[LADDER[0]]
        yield Result("ladder", f"{total:.2f}", found, Status.NOT_CHECKABLE, fill={"dimension": dimension})
    alone = [compare((ABLATION, LADDER[4]), (ABLATION, f"{LADDER[4]}+{switch}")).changes for switch in "SD"]
    both = compare((ABLATION, LADDER[4]), (ABLATION, LADDER[5])).changes
    parts = [
        f"{column} {s.point:+.2f}, {d.point:+.2f}, both {both[column].point:+.2f}"
        for column, (s, d) in ((c, (alone[0][c], alone[1][c])) for c in both)
        if abs(s.point + d.point - both[column].point) > 1e-9
    ]
    yield Result("together", "S and D", joined(parts), Status.NOT_CHECKABLE)

    pairs = [
        (at(a, "rmse", d), at(b, "rmse", d), at(a, "sagr", d), at(b, "sagr", d))
        for frame in (ABLATION, LOSS)
        for (a, b), d in product(combinations(rows(frame), 2), DIMENSIONS)
    ]
    signs = [
        np.sign(round(q.value - p.value, 6)) * np.sign(round(t.value - s.value, 6)) for p, q, s, t in pairs
    ]
    opposite, same = signs.count(-1), signs.count(1)
    found = f"{opposite} of {len(pairs)} pairs of networks so, {same} the other way, the rest tied"
    yield Result("rmse-sagr", "usually", found, truth(opposite > same))


@check(KEY)
def landmarks() -> Iterator[Result]:
    named = [name for name in ABLATION["row"].unique() if "O+" in name]
    same = compare((AFFECTNET, RESNET), (ABLATION, named[0])).text
    found = f"{joined(named)}, which is table 1's {RESNET} ({same})"
    yield Result("landmarks-all", "all reported networks", found, Status.DIFFERS)
    yield Result("landmarks-sewa", "an increase on two data sets", "AffectNet only", Status.NOT_CHECKABLE)


@check(KEY)
def cleaning() -> Iterator[Result]:
    original, clean = (AFFECTNET, ORIGINAL), (AFFECTNET, CLEAN)
    found = compare(original, clean)
    yield Result("step-clean", "a large improvement", found.text, found.status)

    accuracy = [at(row, "accuracy") for row in (original, clean)]
    removed = propagate(lambda a, b: 1 - a / b, *accuracy)
    n = read_text("neo2023").loc["test-categories", "value"]
    printed = joined(f"accuracy {a.value:g}" for a in accuracy)
    found = f"at least {removed} of all, at least {removed.low * n:.0f} of {n:,.0f}"
    yield Result("removed", printed, found, exceeds_zero(removed))
    subsets = read_table("foteinopoulou2021", 3)
    kept, noisy = (pick(subsets, row=f"AffectNet {s}", column="Samples").value for s in ("clean", "noisy"))
    by_rules = noisy / (kept + noisy)
    status = truth(removed.low <= by_rules)
    yield Result("removed-by-rules", f"{removed.low:.1%} or more", f"{noisy:.0f} of {kept + noisy:.0f}, {by_rules:.1%}", status)  # fmt: skip
    yield Result(
        "no-exclusions", "none excluded", "validation and test sets manually cleaned", Status.DIFFERS
    )

    for dimension in DIMENSIONS:
        fill = {"dimension": dimension}
        error, other = (at(row, "rmse", dimension) for row in (original, clean))
        first, second = (at(row, "ccc", dimension) for row in (original, clean))
        # S = MSE / (1 - CCC) holds both variances and the bias; with the original's S the clean error gives this.
        by_error = propagate(lambda c, e, o: 1 - (1 - c) * (o / e) ** 2, first, error, other)
        found = f"{by_error} with the original's spread, so {by_error.point - first.value:.2f} of {second.value - first.value:.2f}"
        yield Result(
            "clean-spread", f"{first.value:g} to {second.value:g}", found, Status.NOT_CHECKABLE, fill=fill
        )
        gone = np.sqrt(other.value**2 + (error.value**2 - other.value**2) / removed.point)
        found = f"RMSE at most about {gone:.2f} on what was removed"
        yield Result(
            "removed-error", f"{error.value:g} to {other.value:g}", found, Status.NOT_CHECKABLE, fill=fill
        )


# Table 6 and the loss


@check(KEY)
def losses() -> Iterator[Result]:
    ccc, mse, shaken = ((LOSS, name) for name in LOSS["row"].unique())
    found = compare(ccc, shaken)
    for quantity, printed in (("RMSE", "lower"), ("SAGR", "better")):
        part = Comparison({c: r for c, r in found.changes.items() if quantity in c})
        yield Result("shake-shake-claim", printed, part.text, part.status, fill={"quantity": quantity})
    kept = Comparison({c: r for c, r in found.changes.items() if "CCC" in c})
    yield Result("shake-shake-keeps", "not degraded", kept.text, worst(map(require, kept.changes.values())))
    for name, row in (("the CCC loss", ccc), ("the MSE loss", mse)):
        found = compare(row, shaken)
        yield Result("overall-loss", "overall improvement", found.text, found.status, fill={"name": name})
    gaps = {
        row[1]: [difference(at(row, "pcc", d), at(row, "ccc", d)) for d in DIMENSIONS]
        for row in (ccc, mse, shaken)
    }
    found = joined(f"{name} {', '.join(f'{g.point:.2f}' for g in of)}" for name, of in gaps.items())
    yield Result("loss-shrinks", "PCC - CCC", found, Status.NOT_CHECKABLE)

    errors, pccs, cccs = (
        [at((AFFECTNET, ORIGINAL), q, d).value for d in DIMENSIONS] for q in ("rmse", "pcc", "ccc")
    )
    terms = np.square(errors).sum(), 1 - np.mean(pccs), 1 - np.mean(cccs)
    found = (
        f"MSE {terms[0]:.3f} as a sum, {terms[0] / 2:.3f} as a mean; PCC {terms[1]:.3f}; CCC {terms[2]:.3f}"
    )
    yield Result("loss-terms", "equations 9, 10 and 6", found, Status.NOT_CHECKABLE)


@check(KEY)
def equations() -> Iterator[Result]:
    wide = np.array([-1.0, 1.0])
    spread = 2 * np.mean(wide * 2 * wide) / (wide.var() + (2 * wide).var())
    found = f"equal means, twice the spread: PCC 1, CCC {spread:.2f}"
    yield Result("ccc-penalises", "different means", found, truth(spread == 1))

    points = (np.arange(60) + 0.5) / 60
    drawn = np.stack(np.meshgrid(points, points, points))
    weight = (drawn / drawn.sum(axis=0))[0]
    found = f"mean {weight.mean():.3f}, standard deviation {weight.std():.2f}; above 1/2 in {(weight > 0.5).mean():.0%}"
    yield Result("weights", "equation 8", found, truth(abs(weight.mean() - 1 / 3) < 1e-6))

    teacher, students = np.array([0.7, 0.2, 0.1]), np.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05]])
    apart = [-(teacher * np.log(s)).sum() - stats.entropy(teacher, s) for s in students]
    found = f"cross-entropy less divergence {joined(f'{x:.4f}' for x in apart)}, the teacher's entropy"
    yield Result("divergence", "equation 7", found, truth(np.allclose(apart, stats.entropy(teacher))))
    found = "agreement 0 for a label of 0, unless the prediction is 0 too"
    yield Result("sign-of-zero", "equation 2", found, Status.NOT_CHECKABLE)


# Words


@check(KEY)
def words() -> Iterator[Result]:
    names = ("extra-text", "extra-note", "extra-label")
    numbers = {text(name).value for name in names}
    yield Result("extra-kind", "proprietary; synthetic", "one source, two kinds", Status.DIFFERS)
    found = f"{len(numbers)} numbers: {joined(f'{x:,.0f}' for x in sorted(numbers))}"
    status = judge(text("extra-label"), propagate(float, text("extra-text")))
    yield Result("extra-number", as_printed(*names), found, status)
    label, note = text("extra-afew-label"), propagate(float, text("extra-afew-note"))
    yield Result(
        "extra-afew", as_printed("extra-afew-label", "extra-afew-note"), str(note), judge(label, note)
    )


@check(KEY)
def not_printed() -> Iterator[Result]:
    for name in (
        "affectnet-split", "sewa-split", "pooled", "afew-scale", "batch", "hyperparameters", "seeds", "selection",
        "teacher", "temperature", "adds", "frozen", "first-weights", "human-pictures", "clean-rivals", "speed",
        "class-weights", "categories-elsewhere", "pcc-alone", "cleaning-rules",
    ):  # fmt: skip
        yield Result(f"open-{name}", "not said", "", Status.NOT_CHECKABLE)
