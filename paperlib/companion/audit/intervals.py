"""What a printed number can be: intervals, and what a recomputation makes of a printed statement.

Rounding is treated by intervals: a printed number stands for everything that rounds to it, so a recomputation
has a range, and "does not match" means that no numbers which round to the printed ones would.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from paperlib.companion.published import Printed, read_table, read_text, table_numbers

TOUCH = 1e-9  # of floating point, far below any printed place
_TOLERANCE = 1e-12


class Status(StrEnum):
    MATCHES = "matches"
    WITHIN_ROUNDING = "matches within rounding"
    DIFFERS = "does not match"
    IMPOSSIBLE = "impossible as printed"
    NOT_CHECKABLE = "not checkable"
    OURS = "question of ours"


class Result(NamedTuple):
    """What a check yields; with its line of checks.csv it is a row of `run_audit`."""

    id: str
    printed: str
    recomputed: str
    status: Status
    cells: Iterable[str] = ()
    fill: Mapping[str, object] = MappingProxyType({})  # values for the {names} in checks.csv


@dataclass(frozen=True)
class Range:
    """A recomputed number: from the printed inputs (`point`), and over all inputs that round to them."""

    low: float
    point: float
    high: float

    def __str__(self) -> str:
        return f"{self.point + 0:.4g} ({self.low:.4g} to {self.high:.4g})"

    def __format__(self, spec: str) -> str:
        """The whole of it, or with a format such as ".2f" its point."""
        return format(self.point, spec) if spec else str(self)

    def __sub__(self, other: Range) -> Range:
        """The difference of two numbers that share no input."""
        return Range(self.low - other.high, self.point - other.point, self.high - other.low)


def exactly(value: float) -> Range:
    return Range(value, value, value)


class Paper:
    """The printed numbers of one paper: `tables` by number, and `words`, the numbers in its text."""

    def __init__(self, key: str):
        self.key = key
        self.tables = {number: read_table(key, number) for number in table_numbers(key)}
        self.words = read_text(key)

    def lines(self, name: str) -> pd.DataFrame:
        """The printed numbers that a name means, one a line: the id of one in the text, or "table: row | what".

        `what` is a column, a quantity, "quantity dimension" or "column quantity". Another paper's: "key/name".
        """
        if (key := name.split("/")[0]) != name and key.isalnum():
            return _paper(key).lines(name.removeprefix(f"{key}/"))
        if " | " not in name:
            return self.words.loc[[name]]
        row, what = name[3:].split(" | ")
        frame = select(self.tables[int(name[0])], row=row)
        quantity = frame["quantity"]
        names = (
            frame["column"],
            quantity,
            quantity + " " + frame["dimension"],
            frame["column"] + " " + quantity,
        )
        return frame[np.logical_or.reduce([of == what for of in names])]

    def rows(self, table: str) -> list[str]:
        """The rows of a table of this paper, "5", or of another, "key/5"; those that have "5 | what"."""
        *key, number = table.split("/")
        if key:
            return _paper(key[0]).rows(number)
        number, _, what = number.partition(" | ")
        rows = self.tables[int(number)]["row"].unique().tolist()
        return [row for row in rows if not what or not self.lines(f"{number}: {row} | {what}").empty]

    @cache  # noqa: B019 - there are five papers
    def number(self, name: str) -> Printed:
        """The one printed number with this name."""
        lines = self.lines(name)
        if len(lines) != 1:
            raise ValueError(f"{len(lines)} printed numbers of {self.key}, not one, are named {name!r}")
        return Printed(*map(float, lines[["value", "half_unit"]].iloc[0]))

    def printed(self, *names: str) -> str:
        """The numbers as they are printed."""
        return joined(printed for name in names for printed in self.lines(name)["printed"])


_paper = cache(Paper)


def select(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    """The rows of a `read_table` frame whose columns equal `where`."""
    return frame[np.logical_and.reduce([frame[column] == value for column, value in where.items()])]


# Intervals


def propagate(function: Callable[..., float], *inputs: Printed) -> Range:
    """Range of function(*values) over the box of everything that rounds to the inputs.

    Evaluated at the corners of the box and at the middle of every edge and face, hence exact for a function
    that is monotone in each input while the others are held, which the caller has to see to.
    """
    grid = [
        (x.value - x.half_unit, x.value, x.value + x.half_unit) if x.half_unit else (x.value,) for x in inputs
    ]
    values = [float(function(*point)) for point in itertools.product(*grid)]
    return Range(min(values), float(function(*(x.value for x in inputs))), max(values))


def difference(a: Printed, b: Printed) -> Range:
    return propagate(lambda x, y: x - y, a, b)


def judge(printed: Printed, recomputed: Range) -> Status:
    """Does a recomputation give the printed number: as it stands, within rounding of the inputs, or not?"""
    low, high = printed.value - printed.half_unit - _TOLERANCE, printed.value + printed.half_unit + _TOLERANCE
    if low <= recomputed.point <= high:
        return Status.MATCHES
    overlap = recomputed.low <= high and low <= recomputed.high
    return Status.WITHIN_ROUNDING if overlap else Status.DIFFERS


def require(slack: Range) -> Status:
    """A constraint that any such table must meet, slack >= 0; one that no rounding can meet is impossible."""
    if slack.point >= -_TOLERANCE:
        return Status.MATCHES
    return Status.WITHIN_ROUNDING if slack.high >= -_TOLERANCE else Status.IMPOSSIBLE


def exceeds_zero(difference: Range) -> Status:
    """A claimed order, difference > 0: certain, not to be excluded because of rounding, or refuted.

    A tie at the printed digit shows no order.
    """
    if difference.low > _TOLERANCE:
        return Status.MATCHES
    tie = abs(difference.point) <= _TOLERANCE
    return Status.WITHIN_ROUNDING if difference.high > _TOLERANCE and not tie else Status.DIFFERS


def worst(statuses: Iterable[Status]) -> Status:
    """The status of a statement about several numbers, each of which has to hold."""
    order = (Status.IMPOSSIBLE, Status.DIFFERS, Status.WITHIN_ROUNDING, Status.MATCHES)
    return min(statuses, key=order.index)


def tried(status: Status) -> Status:
    """The status of a reading or a test that the paper does not print: where it fails, nothing printed does."""
    return Status.OURS if status in (Status.DIFFERS, Status.IMPOSSIBLE) else status


def truth(holds: bool, otherwise: Status = Status.DIFFERS) -> Status:
    return Status.MATCHES if holds else otherwise


def joined(values: Iterable[object]) -> str:
    return "; ".join(map(str, values))


def largest_target_variance(mse: float, pcc: float) -> float:
    """Cap on var(target) from one row's MSE and PCC: any prediction has MSE >= (1 - PCC^2) var(target)."""
    return mse / (1 - pcc**2)


def whole_hits(printed: Printed, n: int, per: float = 1.0) -> list[int]:
    """How many hits of n round to this share, which is printed per 1 or per 100; none if no number does.

    GRIM (Brown and Heathers 2017, Social Psychological and Personality Science 8).
    """
    low, high = ((printed.value + s * (printed.half_unit + TOUCH)) * n / per for s in (-1, 1))
    return list(range(int(np.ceil(low)), int(np.floor(high)) + 1))
