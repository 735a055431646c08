"""What the audit of foteinopoulou2021 computes by programs of its own; the rest is in its audit.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from scipy import stats

from paperlib.companion.audit.intervals import (
    Paper,
    Result,
    Status,
    correlation_slack,
    joined,
    judge,
    propagate,
    require,
    select,
    smallest_eigenvalue,
    tried,
    truth,
    worst,
)
from paperlib.companion.published import Printed
from paperlib.labels import EXPRESSIONS, is_noisy

PAPER = Paper("foteinopoulou2021")
Values: TypeAlias = Any  # a float or an array


def correlation_matrices() -> Iterator[Result]:
    for dimension in ("arousal", "valence"):
        frame = select(PAPER.tables[1], dimension=dimension)
        matrix, names = frame["value"].to_numpy().reshape(3, 3), ("#1 | #2", "#1 | #3", "#2 | #3")
        above = [PAPER.number(f"1: {n.replace('| ', f'| {dimension.title()} ')}") for n in names]
        smallest = smallest_eigenvalue(above)
        sound = bool((matrix == matrix.T).all() and (np.diag(matrix) == 1).all())
        found = f"{'' if sound else 'not '}symmetric with unit diagonal; smallest eigenvalue {smallest}"
        status = worst([truth(sound, Status.IMPOSSIBLE), require(smallest)])
        fill = {"dimension": dimension}
        yield Result("correlation-matrix", joined(frame["printed"]), found, status, frame["cell"], fill)


def bounded_correlations() -> Iterator[Result]:
    for number in (1, 2, 4, 5):
        pcc = select(PAPER.tables[number], quantity="pcc")
        slack = correlation_slack(pcc)
        printed, found = f"up to {pcc['value'].abs().max():g}", f"1 - |r| at least {slack.point:.4g}"
        yield Result("correlations-bounded", printed, found, require(slack), pcc["cell"], {"number": number})


def bold() -> Iterator[Result]:
    for number in (4, 5):
        frame = PAPER.tables[number].query("quantity != 'std'")
        groups: dict[str, list[str]] = {"best": [], "not the best": [], "none": []}
        for column, values in frame.groupby("column", sort=False):
            best = values["value"].max() if (values["quantity"] == "pcc").all() else values["value"].min()
            marked = values.loc[values["bold"], "value"]
            group = "none" if marked.empty else "best" if (marked == best).all() else "not the best"
            groups[group].append(str(column))
        found = joined(f"{group}: {', '.join(columns)}" for group, columns in groups.items() if columns)
        everywhere = not groups["none"] and not groups["not the best"]
        printed = f"{int(frame['bold'].sum())} bold cells"
        # the tables have no legend: that bold marks the best is our reading
        yield Result(f"bold-table{number}", printed, found, tried(truth(everywhere)), frame["cell"])


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
    of_arousal = PAPER.number("3: AffectNet clean | mean_variance arousal")
    jump = propagate(lambda variance: far(1, variance) - near(1, variance), of_arousal)
    found = f"a jump of {jump}, which is log(variance)/2"
    yield Result("loss-continuity", "equations 1 and 2", found, judge(Printed(0, 0), jump))


def faces() -> Iterator[Result]:
    for subset in ("clean", "noisy"):
        agree = []
        for i in (1, 2, 3):
            names = [f"figure6-{subset}-{i}-{dimension}" for dimension in ("valence", "arousal")]
            category = EXPRESSIONS.index(PAPER.words.loc[names[1], "about"])
            noisy = propagate(lambda v, a, c=category: is_noisy([c], [[v, a]])[0], *map(PAPER.number, names))
            agree.append(judge(Printed(subset == "noisy", 0), noisy))
        found = f"{sum(s is Status.MATCHES for s in agree)} of 3"
        yield Result("face-labels", f"{subset}, 3 of 3", found, worst(agree), fill={"subset": subset})

    examples = [[0.5, -0.3], [-0.5, 0.3]]  # valence, arousal
    calm, sour = is_noisy([EXPRESSIONS.index("happy")] * 2, examples)
    each = zip(examples, (calm, sour), strict=True)
    found = joined(f"valence {v:g}, arousal {a:g} noisy: {n}" for (v, a), n in each)
    yield Result("happy-rule", "negative arousal leaves the clean set", found, tried(truth(bool(calm))))


CHECKS = (correlation_matrices, bounded_correlations, bold, loss, faces)
