"""Foteinopoulou, Tzelepis and Patras 2021, held against its own printed numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import numpy as np
from scipy import stats

from paperlib.companion.audit.intervals import (
    Range,
    Result,
    Status,
    correlation_slack,
    difference,
    exceeds_zero,
    gains,
    joined,
    judge,
    largest_target_variance,
    pick,
    propagate,
    require,
    select,
    smallest_eigenvalue,
    tally,
    truth,
    welch_df,
    worst,
)
from paperlib.companion.published import Printed, parse, read_table, read_text
from paperlib.labels import EXPRESSIONS, is_noisy

KEY = "foteinopoulou2021"
RATERS, VARIANCE_PCC, SUBSETS, IMAGES, SEQUENCES = (read_table(KEY, number) for number in range(1, 6))
TEXT = read_text(KEY)
DIMENSIONS = ("arousal", "valence")  # the paper's order
BASELINE, PROPOSED = "NetVLAD", "NetVLAD proposed"
BACKBONES = ("wideResNet", "VGG16", "ResNet18 (pretrained)")


def text(name: str) -> Printed:
    return Printed(*TEXT.loc[name, ["value", "half_unit"]])


def as_printed(*names: str) -> str:
    return joined(TEXT.loc[list(names), "printed"])


def tried(status: Status) -> Status:
    """The status of a reading or a test that the paper does not print: where it fails, nothing printed does."""
    return Status.OURS if status in (Status.DIFFERS, Status.IMPOSSIBLE) else status


# Tables I and II: raters on AMIGOS


def agreement(dimension: str) -> list[Printed]:
    """The three correlations above the diagonal of table I."""
    above = ((1, 2), (1, 3), (2, 3))
    return [pick(RATERS, row=f"#{i}", column=f"{dimension.title()} #{j}") for i, j in above]


def correlation_matrices() -> Iterator[Result]:
    for dimension in DIMENSIONS:
        frame = select(RATERS, dimension=dimension)
        matrix = frame["value"].to_numpy().reshape(3, 3)
        smallest = smallest_eigenvalue(agreement(dimension))
        well_formed = bool((matrix == matrix.T).all() and (np.diag(matrix) == 1).all())
        yield Result(
            "correlation-matrix",
            joined(frame["printed"]),
            f"{'' if well_formed else 'not '}symmetric with unit diagonal; smallest eigenvalue {smallest}",
            worst([truth(well_formed, Status.IMPOSSIBLE), require(smallest)]),
            frame["cell"],
            {"dimension": dimension},
        )


def agreement_by_dimension() -> Iterator[Result]:
    gaps = [difference(v, a) for a, v in zip(*map(agreement, DIMENSIONS), strict=True)]
    means = [np.mean([r.value for r in agreement(d)]) for d in DIMENSIONS]
    found = f"mean {means[0]:.3f} against {means[1]:.3f}; gaps {joined(gaps)}"
    yield Result(
        "arousal-agreement", "lower for arousal", found, worst(map(exceeds_zero, gaps)), RATERS["cell"]
    )


def learned_variance() -> Iterator[Result]:
    arousal, valence = (pick(VARIANCE_PCC, dimension=d) for d in DIMENSIONS)
    printed, named = joined(VARIANCE_PCC["printed"]), VARIANCE_PCC["cell"]
    ranges = [propagate(float, r) for r in (arousal, valence)]
    yield Result("variance-pcc-positive", printed, joined(ranges), worst(map(exceeds_zero, ranges)), named)

    ahead = difference(arousal, valence)
    lower = [difference(v, a) for a, v in zip(*map(agreement, DIMENSIONS), strict=True)]
    found = f"table II: arousal ahead by {ahead}; table I: behind by {joined(lower)}"
    yield Result("variance-pcc-order", printed, found, worst(exceeds_zero(r) for r in [ahead, *lower]), named)

    z = np.arctanh(arousal.value) - np.arctanh(valence.value)
    needed = 3 + 2 * (stats.norm.ppf(0.975) / z) ** 2
    seconds = text("amigos-participants").value * text("amigos-short-videos").value * np.array(
        [text("amigos-video-min").value, text("amigos-video-max").value]
    )  # fmt: skip
    fewest, most = seconds / text("amigos-segment").value
    found = f"{needed:,.0f} independent segments needed; the short videos give {fewest:,.0f} to {most:,.0f}"
    yield Result("variance-pcc-gap", printed, found, Status.NOT_CHECKABLE, named)


# Table III: clean and noisy subsets, and the t-test on them


def summaries(dimension: str) -> list[Printed]:
    """Mean, spread and size of the clean subset, then of the noisy one."""
    return [
        pick(SUBSETS, row=f"AffectNet {name}", dimension=of, quantity=quantity)
        for name in ("clean", "noisy")
        for of, quantity in ((dimension, "mean_variance"), (dimension, "std"), ("", "n"))
    ]


# What the spread in brackets may be: the standard deviation that it stands for, given the subset's size.
Spread = Callable[[float, float], float]
SPREADS: dict[str, Spread] = {
    "variance": lambda spread, n: np.sqrt(spread),
    "standard deviation": lambda spread, n: spread,
    "standard error": lambda spread, n: spread * np.sqrt(n),
}


def t_test(dimension: str, spread: str, *, student: bool = False) -> tuple[Range, Range]:
    """t and one-tailed p (clean below noisy), by Student's test or else by Welch's, which is equation 6."""
    sd = SPREADS[spread]

    def test(m1: float, s1: float, n1: float, m2: float, s2: float, n2: float):
        return stats.ttest_ind_from_stats(
            m1, sd(s1, n1), n1, m2, sd(s2, n2), n2, equal_var=student, alternative="less"
        )

    inputs = summaries(dimension)
    return propagate(lambda *x: test(*x).statistic, *inputs), propagate(lambda *x: test(*x).pvalue, *inputs)


def subset_sizes() -> Iterator[Result]:
    clean, noisy = (summaries("arousal")[i] for i in (2, 5))
    total, named = clean.value + noisy.value, select(SUBSETS, quantity="n")["cell"]
    share = f"{noisy.value:.0f} of {total:.0f} ({noisy.value / total:.1%})"
    status = judge(text("noisy-samples"), propagate(float, noisy))
    yield Result("noisy-count", as_printed("noisy-samples"), share, status, named)
    yield Result("subset-total", "not printed", f"{total:.0f}", Status.NOT_CHECKABLE, named)


def noisy_above_clean() -> Iterator[Result]:
    pairs = {d: (summaries(d)[3], summaries(d)[0]) for d in DIMENSIONS}
    gaps = [difference(*pair) for pair in pairs.values()]
    named = select(SUBSETS, quantity="mean_variance")
    percent = [f"{d} +{100 * (noisy.value / clean.value - 1):.1f} %" for d, (noisy, clean) in pairs.items()]
    found = joined([*gaps, *percent])
    yield Result(
        "noisy-above-clean", joined(named["printed"]), found, worst(map(exceeds_zero, gaps)), named["cell"]
    )


def variance_against_error() -> Iterator[Result]:
    for dimension in DIMENSIONS:
        m1, _, n1, m2, _, n2 = summaries(dimension)
        rmse = pick(IMAGES, row="ResNet18 (pretrained) proposed", dimension=dimension, quantity="rmse")
        ratio = propagate(
            lambda a, n, b, k, error: (n * a + k * b) / (n + k) / error**2, m1, n1, m2, n2, rmse
        )
        coverage = 2 * stats.norm.cdf(stats.norm.ppf(0.975) * np.sqrt(ratio.point)) - 1
        yield Result(
            "calibration",
            f"{m1.value:g} and {m2.value:g}; RMSE {rmse.value:g}",
            f"MSE {rmse.value**2:.4f}; variance / MSE {ratio}",
            tried(judge(Printed(1, 0), ratio)),
            select(SUBSETS, dimension=dimension, quantity="mean_variance")["cell"],
            {"dimension": dimension, "coverage": f"{coverage:.0%}"},
        )


def printed_t() -> Iterator[Result]:
    for name, spread, student in (
        ("t-welch-variance", "variance", False),
        ("t-student-variance", "variance", True),
        ("t-welch-std", "standard deviation", False),
        ("t-student-std", "standard deviation", True),
        ("t-welch-error", "standard error", False),
    ):
        ts = [t_test(d, spread, student=student)[0] for d in DIMENSIONS]
        status = worst(judge(text(f"t-{d}"), t) for d, t in zip(DIMENSIONS, ts, strict=True))
        if name != "t-welch-std":  # equation 6 with the spread as headed, which is as printed
            status = tried(status)
        yield Result(name, as_printed("t-arousal", "t-valence"), joined(ts), status, SUBSETS["cell"])


def degrees_of_freedom() -> Iterator[Result]:
    n1, n2 = (summaries("arousal")[i].value for i in (2, 5))
    candidates = {"pooled": Range(*[n1 + n2 - 2] * 3), "smaller group - 1": Range(*[min(n1, n2) - 1] * 3)}
    for dimension in DIMENSIONS:
        _, v1, _, _, v2, _ = summaries(dimension)
        candidates[f"Welch {dimension}"] = propagate(lambda a, b: welch_df(a, n1, b, n2), v1, v2)
    reached = any(judge(text("df"), df) is not Status.DIFFERS for df in candidates.values())
    found = joined(f"{name} {df.point:.1f}" for name, df in candidates.items())
    yield Result(
        "df",
        as_printed("df"),
        found,
        truth(reached),
        select(SUBSETS, quantity="n")["cell"],
        {"n": f"{n2:.0f}"},
    )


def printed_p() -> Iterator[Result]:
    for name, tail in (("p-t", stats.t(text("df").value)), ("p-normal", stats.norm)):
        for d in DIMENSIONS:
            p = propagate(tail.cdf, text(f"t-{d}"))
            yield Result(f"{name}-{d}", as_printed(f"p-{d}"), str(p), judge(text(f"p-{d}"), p))


def decisions() -> Iterator[Result]:
    usual, lower = (1 - text(f"confidence-{name}").value / 100 for name in ("usual", "lower"))

    def below(p: Range, level: float) -> Status:
        return exceeds_zero(Range(level - p.high, level - p.point, level - p.low))

    def above(p: Range, level: float) -> Status:
        return exceeds_zero(Range(p.low - level, p.point - level, p.high - level))

    printed = as_printed("p-arousal", "p-valence")
    for name, spread, student in (
        ("reject-welch-variance", "variance", False),
        ("reject-student-variance", "variance", True),
        ("reject-welch-std", "standard deviation", False),
    ):
        arousal, valence = (t_test(d, spread, student=student)[1] for d in DIMENSIONS)
        status = tried(worst([below(valence, usual), above(arousal, usual)]))
        yield Result(name, printed, f"p arousal {arousal}; valence {valence}", status, SUBSETS["cell"])

    arousal = t_test("arousal", "variance")[1]
    named = select(SUBSETS, dimension="arousal")["cell"]
    yield Result("reject-80", as_printed("p-arousal"), f"p {arousal}", below(arousal, lower), named)

    significant = [d for d in DIMENSIONS if below(propagate(float, text(f"p-{d}")), usual) is Status.MATCHES]
    found = f"{len(significant)} of 2: {joined(significant)}"
    yield Result("significant-both", printed, found, truth(len(significant) == 2))


# Tables IV and V: performance


def improvement() -> Iterator[Result]:
    backbones = {name: f"{name} proposed" for name in BACKBONES}
    image_pcc, image_error, sequence_pcc, sequence_error = (
        gains(select(frame, quantity=quantity), pairs, larger_is_better=quantity == "pcc")
        for frame, pairs, error in ((IMAGES, backbones, "rmse"), (SEQUENCES, {BASELINE: PROPOSED}, "mse"))
        for quantity in ("pcc", error)
    )
    pcc, error = image_pcc + sequence_pcc, image_error + sequence_error
    image_cells, sequence_cells = (select(frame, quantity="pcc")["cell"] for frame in (IMAGES, SEQUENCES))
    sizes = [g.gain.point for g in image_pcc]
    found = f"{tally(image_pcc)}; by {min(sizes):.4f} to {max(sizes):.4f}"
    yield Result(
        "pcc-improves",
        "consistent",
        tally(pcc),
        worst(g.status for g in pcc),
        [*image_cells, *sequence_cells],
    )
    yield Result("pcc-improves-images", "consistent", found, worst(g.status for g in image_pcc), image_cells)

    found = f"PCC: {tally(pcc)}. Error: {tally(error)}"
    cells = [*IMAGES["cell"], *SEQUENCES.loc[SEQUENCES["quantity"] != "std", "cell"]]
    printed = "consistently in both; for all tested"
    yield Result("consistently-improves", printed, found, worst(g.status for g in pcc + error), cells)


def sequence_errors() -> Iterator[Result]:
    for dimension in DIMENSIONS:
        frame = select(SEQUENCES, dimension=dimension)
        before, after = (pick(frame, row=row, quantity="mse") for row in (BASELINE, PROPOSED))
        pcc, errors = pick(frame, row=BASELINE, quantity="pcc"), select(frame, quantity="mse")
        change = propagate(lambda a, b: 100 * (b / a - 1), before, after)
        status = tried(exceeds_zero(difference(before, after)))  # the cell is one of `improvement`
        yield Result(f"mse-{dimension}", joined(errors["printed"]), f"{change} %", status, errors["cell"])
        cap = propagate(largest_target_variance, before, pcc)
        room = propagate(lambda m, r, a: largest_target_variance(m, r) - a, before, pcc, after)
        found = f"label variance at most {cap}"
        status = tried(exceeds_zero(room))
        yield Result(f"constant-{dimension}", f"MSE {after.value:g}", found, status, frame["cell"])


def spread_notation() -> Iterator[Result]:
    people, spreads = text("amigos-participants").value, select(SEQUENCES, quantity="std")
    means = select(SEQUENCES, quantity="mse")["printed"]
    # n numbers that are not negative, of mean m, have a sample standard deviation of at most m sqrt(n).
    slack = [
        propagate(lambda m, s: m * np.sqrt(people) - s * np.exp(-3), parse(mean), parse(spread.split("e")[0]))
        for mean, spread in zip(means, spreads["printed"], strict=True)
    ]
    possible = sum(require(s) is not Status.IMPOSSIBLE for s in slack)
    printed, named = joined(spreads["printed"]), spreads["cell"]
    found = f"possible in {possible} of {len(slack)} cells; least room {min(slack, key=lambda s: s.point)}"
    yield Result(
        "spread-euler", printed, found, tried(worst(map(require, slack))), named, {"people": f"{people:.0f}"}
    )
    yield Result("spread-power", printed, joined(spreads["value"]), Status.NOT_CHECKABLE, named)


def previous_work() -> Iterator[Result]:
    frame = select(SEQUENCES, row=PROPOSED, quantity="pcc")
    own = {d: pick(frame, dimension=d) for d in DIMENSIONS}
    room = [difference(own[d], text(f"reference25-svr-{d}")) for d in DIMENSIONS]
    room += [difference(text(f"reference25-lstm-{d}"), own[d]) for d in DIMENSIONS]
    found = joined(f"{as_printed(f'reference25-svr-{d}', f'reference25-lstm-{d}')} {d}" for d in DIMENSIONS)
    yield Result(
        "previous-work", joined(frame["printed"]), found, worst(map(exceeds_zero, room)), frame["cell"]
    )


def same_labels() -> Iterator[Result]:
    def cap(rmse: float, pcc: float) -> float:
        return np.sqrt(largest_target_variance(rmse**2, pcc))

    for dimension in DIMENSIONS:
        frame = select(IMAGES, dimension=dimension)
        rows = {r: [pick(frame, row=r, quantity=q) for q in ("rmse", "pcc")] for r in frame["row"].unique()}
        tightest = min(rows, key=lambda row: cap(*(x.value for x in rows[row])))
        worst_rmse = max(rmse for rmse, _ in rows.values())
        room = propagate(lambda e, r, other: cap(e, r) - other, *rows[tightest], worst_rmse)
        found = f"label std at most {propagate(cap, *rows[tightest])}, from {tightest}"
        printed = f"RMSE up to {worst_rmse.value:g}"
        fill = {"dimension": dimension}
        yield Result("same-labels", printed, found, exceeds_zero(room), frame["cell"], fill)


def bold() -> Iterator[Result]:
    for number, table in ((4, IMAGES), (5, SEQUENCES)):
        frame = table[table["quantity"] != "std"]
        groups: dict[str, list[str]] = {"best": [], "not the best": [], "none": []}
        for column, values in frame.groupby("column", sort=False):
            best = values["value"].max() if (values["quantity"] == "pcc").all() else values["value"].min()
            marked = values.loc[values["bold"], "value"]
            group = "none" if marked.empty else "best" if (marked == best).all() else "not the best"
            groups[group].append(str(column))
        found = joined(f"{group}: {', '.join(columns)}" for group, columns in groups.items() if columns)
        everywhere = not groups["none"] and not groups["not the best"]
        printed = f"{int(frame['bold'].sum())} bold cells"
        yield Result(f"bold-table{number}", printed, found, truth(everywhere), frame["cell"])


def bounded_correlations() -> Iterator[Result]:
    for number, frame in ((1, RATERS), (2, VARIANCE_PCC), (4, IMAGES), (5, SEQUENCES)):
        pcc = select(frame, quantity="pcc")
        slack = correlation_slack(pcc)
        printed, found = f"up to {pcc['value'].abs().max():g}", f"1 - |r| at least {slack.point:.4g}"
        yield Result("correlations-bounded", printed, found, require(slack), pcc["cell"], {"number": number})


# Equations

Values: TypeAlias = Any  # a float or an array


def near(error: Values, variance: Values) -> Values:
    """Equation 1, for |error| <= 1."""
    return error**2 / (2 * variance) + np.log(variance) / 2


def far(error: Values, variance: Values) -> Values:
    """Equation 2, for |error| > 1."""
    return (np.abs(error) - 0.5) / variance + np.log(variance)


def loss() -> Iterator[Result]:
    error, variance = np.meshgrid(np.linspace(-1, 1, 9), np.geomspace(0.01, 10, 7))
    rest = -stats.norm.logpdf(error, scale=np.sqrt(variance)) - near(error, variance)
    found = f"differs by {rest.min():.6f} to {rest.max():.6f}; log(2 pi)/2 is {np.log(2 * np.pi) / 2:.6f}"
    yield Result("loss-likelihood", "equation 1", found, truth(np.allclose(rest, np.log(2 * np.pi) / 2)))

    jump = propagate(lambda variance: far(1, variance) - near(1, variance), summaries("arousal")[0])
    found = f"a jump of {jump}, which is log(variance)/2"
    yield Result("loss-continuity", "equations 1 and 2", found, judge(Printed(0, 0), jump))


def correlation_formula() -> Iterator[Result]:
    deviation = np.array([-1.0, -1.0, 1.0, 1.0])
    as_set = np.sum(deviation**2) / np.sqrt(np.sum(deviation**2 * deviation**2))
    yield Result("pcc-formula", "equation 4", f"{as_set:g}", require(Range(*[1 - as_set] * 3)))


# Figures, and slips of the pen


def clips() -> Iterator[Result]:
    low, high = ([f"figure5-{clip}-{i}" for i in (1, 2, 3)] for clip in ("low", "high"))
    for ddof in (0, 1):
        small, large = (
            propagate(lambda *x, ddof=ddof: np.var(x, ddof=ddof), *map(text, names)) for names in (low, high)
        )
        gap = Range(large.low - small.high, large.point - small.point, large.high - small.low)
        found, fill = f"{small} below {large}", {"divisor": 3 - ddof}
        yield Result("clip-ratings", as_printed(*low, *high), found, exceeds_zero(gap), fill=fill)


def faces() -> Iterator[Result]:
    for subset in ("clean", "noisy"):
        agree = []
        for i in (1, 2, 3):
            name = f"figure6-{subset}-{i}"
            category = EXPRESSIONS.index(TEXT.loc[f"{name}-arousal", "about"])
            noisy = propagate(
                lambda v, a, category=category: is_noisy([category], [[v, a]])[0],
                text(f"{name}-valence"),
                text(f"{name}-arousal"),
            )
            agree.append(judge(Printed(subset == "noisy", 0), noisy))
        found = f"{sum(s is Status.MATCHES for s in agree)} of 3"
        yield Result("face-labels", f"{subset}, 3 of 3", found, worst(agree), fill={"subset": subset})

    examples = [[0.5, -0.3], [-0.5, 0.3]]  # valence, arousal
    calm, sour = is_noisy([EXPRESSIONS.index("happy")] * 2, examples)
    found = joined(
        f"valence {v:g}, arousal {a:g} noisy: {n}" for (v, a), n in zip(examples, (calm, sour), strict=True)
    )
    yield Result("happy-rule", "negative arousal leaves the clean set", found, truth(bool(calm)))


def slips() -> Iterator[Result]:
    """Of words and figure numbers: no printed number is contradicted, so none of them does not match."""
    rejected = f"p {as_printed('p-arousal')} at {as_printed('confidence-lower')} %: rejected"
    for name, printed, found in (
        ("accepting", "rejected; accepted", rejected),
        ("hypotheses", "about sigma", "equation 6 compares means of sigma squared"),
        ("squared-spread", "called std, then a variance", "equation 6 squares it: t-welch-std"),
        ("backbone-names", "VGG16, ResNet50, ResNet18", ", ".join(BACKBONES)),
        ("cleaned-by", "by hand (abstract)", "by rules (section V)"),
        ("error-unit", "n videos (equation 3)", "n segments are labelled (section IV-A)"),
        ("figure-7", "figure 7", "the caption of figure 6"),
        ("figure-1", "figure 1", "the caption of figure 3"),
    ):
        yield Result(name, printed, found, Status.OURS)


CHECKS = (
    correlation_matrices,
    agreement_by_dimension,
    learned_variance,
    subset_sizes,
    noisy_above_clean,
    variance_against_error,
    printed_t,
    degrees_of_freedom,
    printed_p,
    decisions,
    improvement,
    sequence_errors,
    spread_notation,
    previous_work,
    same_labels,
    bold,
    bounded_correlations,
    loss,
    correlation_formula,
    clips,
    faces,
    slips,
)
