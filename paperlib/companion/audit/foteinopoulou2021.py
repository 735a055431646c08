"""What the audit of foteinopoulou2021 computes by programs of its own; the rest is in its audit.yaml."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from paperlib.companion.audit.intervals import (
    Paper,
    Result,
    Status,
    joined,
    judge,
    propagate,
    tried,
    truth,
    worst,
)
from paperlib.companion.published import Printed
from paperlib.labels import EXPRESSIONS, is_noisy

PAPER = Paper("foteinopoulou2021")
Values: TypeAlias = Any  # a float or an array


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


CHECKS = (bold, faces)
