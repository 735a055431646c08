"""What the audit of toisoul2021 computes by programs of its own; the rest is in its audit.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import numpy as np

from paperlib.companion.audit.intervals import (
    TOUCH,
    Paper,
    Result,
    Status,
    exactly,
    largest_target_variance,
    require,
    truth,
)
from paperlib.companion.audit.listed import Comparison, Names, compare
from paperlib.companion.published import Printed

PAPER = Paper("toisoul2021")
DIMENSIONS = ("valence", "arousal")
BEST = {
    "affectnet": "“surpasses all existing methods”; “on all metrics”",
    "sewa": "“outperforms the baseline approach as well as the previous methods on all metrics”",
    "afew": "“outperforms the state of the art on the AFEW-VA dataset”; “on all metrics”",
}
BY_FAR = "“by a very large margin on all metrics”"  # on AffectNet and AFEW-VA


def rows(number: int) -> list[str]:
    return [f"{number}: {row}" for row in PAPER.rows(str(number))]


def at(row: str, quantity: str, dimension: str) -> Printed:
    return PAPER.number(f"{row} | {quantity} {dimension}")


def has(row: str, quantity: str, dimension: str) -> bool:
    return not PAPER.lines(f"{row} | {quantity} {dimension}").empty


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


TEST_SETS = {
    "AffectNet, original set": [row for n in (1, 5, 6) for row in rows(n) if "clean" not in row],
    "AffectNet, clean set": ["1: Ours (clean set)"],
    "SEWA": rows(2),
    "AFEW-VA": rows(3),
}


def row_deviation(row: str, dimension: str) -> tuple[float, float]:
    """`deviation_bounds` of a row with RMSE and PCC, and with CCC where it has one."""
    ccc = at(row, "ccc", dimension) if has(row, "ccc", dimension) else None
    return deviation_bounds(at(row, "rmse", dimension), at(row, "pcc", dimension), ccc)


def tested(test_set: str, dimension: str) -> list[str]:
    return [row for row in TEST_SETS[test_set] if has(row, "rmse", dimension)]


def label_deviation(test_set: str, dimension: str) -> tuple[float, float, str, str]:
    """The deviations that suit all rows of a test set, and the rows that set the least and the largest."""
    bounds = {row[3:]: row_deviation(row, dimension) for row in tested(test_set, dimension)}
    lowest, highest = max(bounds, key=lambda n: bounds[n][0]), min(bounds, key=lambda n: bounds[n][1])
    return bounds[lowest][0], bounds[highest][1], lowest, highest


def constant_ratio(row: str, dimension: str, low: float, high: float) -> tuple[float, float]:
    """Least and largest RMSE over the labels' deviation, which is from `low` to `high`; a constant has 1."""
    (least, most), error = row_deviation(row, dimension), at(row, "rmse", dimension)
    small, large = error.value - error.half_unit, error.value + error.half_unit
    # Each bound of the row is its RMSE times a number that PCC and CCC give, so the RMSE cancels.
    return max(small / high, large / most), min(large / low, small / least if least else np.inf)


def label_spread() -> Iterator[Result]:
    for test_set, dimension in product(TEST_SETS, DIMENSIONS):
        fill = {"set": test_set, "dimension": dimension}
        low, high, lowest, highest = label_deviation(test_set, dimension)
        found = f"{low:.3f} ({lowest}) to {high:.3f} ({highest})"
        of = tested(test_set, dimension)
        if len(of) == 1:
            yield Result("one-row", "RMSE, PCC and CCC of 1 row", found, Status.NOT_CHECKABLE, fill=fill)
            continue
        yield Result("one-gold", f"{len(of)} rows", found, require(exactly(high - low)), fill=fill)
        ratios = {row[3:]: constant_ratio(row, dimension, low, high) for row in of}
        worse = [name for name, ratio in ratios.items() if ratio[0] > 1]
        undecided = [name for name, ratio in ratios.items() if ratio[0] <= 1 <= ratio[1]]
        found = f"larger: {', '.join(worse) or 'none'}; either: {', '.join(undecided) or 'none'}"
        yield Result("constant", f"RMSE of {len(of)} rows", found, Status.OURS, fill=fill)


def human_spread() -> Iterator[Result]:
    sets = {"AffectNet": "AffectNet, clean set", "SEWA": "SEWA"}
    for (name, test_set), dimension in product(sets.items(), DIMENSIONS):
        low, high = row_deviation(f"4: {name} Human IA", dimension)
        label_low, label_high, *_ = label_deviation(test_set, dimension)
        found = f"people's {low:.3f} to {high:.3f}; the network's labels {label_low:.3f} to {label_high:.3f}"
        found += "" if low <= label_high and label_low <= high else "; apart"
        id, fill = f"human-spread-{name.lower()}", {"dimension": dimension}
        yield Result(id, "RMSE, PCC and CCC of 2 rows", found, Status.OURS, fill=fill)


def against_others() -> Iterator[Result]:
    for slug, ours in {
        "affectnet": "1: Ours (original set)",
        "sewa": "2: Our method",
        "afew": "3: Ours",
    }.items():
        apart = (ours, "1: Ours (clean set)", f"{ours[0]}: ResNet-18")
        earlier = [compare(PAPER, row, ours).changes for row in rows(int(ours[0])) if row not in apart]
        columns = PAPER.tables[int(ours[0])].query("row == @ours[3:]")["column"]
        leads = {
            column: min((c[column] for c in earlier if column in c), key=lambda lead: lead.point)
            for column in columns
            if any(column in c for c in earlier)
        }
        least = min(lead.point for lead in leads.values())
        smallest = Names(column for column, lead in leads.items() if lead.point < least + TOUCH)
        ahead = Comparison(leads)
        found = f"{ahead}; least by {least:.2f}: {smallest}; earlier work prints {len(leads)} of {len(columns)} metrics"
        yield Result(f"best-{slug}", BEST[slug], found, ahead.status)
        if slug != "sewa":
            yield Result(f"margin-{slug}", BY_FAR, f"{least:.2f}: {smallest}", Status.OURS)


def error_and_sign() -> Iterator[Result]:
    """How often a lower error goes with more right signs, over all pairs of networks on the original set."""
    orders = [
        [np.sign(round(at(b, q, d).value - at(a, q, d).value, 6)) for q in ("rmse", "sagr")]
        for number in (5, 6)
        for (a, b), d in product(combinations(rows(number), 2), DIMENSIONS)
        if "clean" not in b
    ]
    opposite, same = ([e * s for e, s in orders].count(sign) for sign in (-1, 1))
    found = f"so in {opposite} of {len(orders)} pairs of networks, the other way in {same}, the rest are ties"
    yield Result("rmse-sagr", "“a lower RMSE usually leads to a higher SAGR”", found, truth(opposite > same))


def loss_weights() -> Iterator[Result]:
    drawn = (np.arange(60) + 0.5) / 60
    alpha, beta, gamma = np.meshgrid(drawn, drawn, drawn)
    weight = alpha / (alpha + beta + gamma)
    found = (
        f"mean {weight.mean():.3f}, deviation {weight.std():.2f}, above 1/2 in {(weight > 0.5).mean():.0%}"
    )
    printed = "“chosen randomly and uniformly in the range [0;1]”"
    yield Result("weights", printed, found, truth(bool(np.isclose(weight.mean(), 1 / 3))))


CHECKS = (label_spread, human_spread, against_others, error_and_sign, loss_weights)
