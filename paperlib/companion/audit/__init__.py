"""The audit: what a paper's own printed numbers confirm or refute, recomputed from `data/published`.

A paper is added as data and one module of short functions. `data/published/<key>/checks.csv` says in words
what each check compares and what it means for a reader; `paperlib/companion/audit/<key>.py` recomputes it, in
generators registered with `@check("<key>")` that yield a `Result` for each.

Rounding is treated by intervals: a printed number stands for everything that rounds to it, so a recomputation
has a range, and "does not match" means that no numbers which round to the printed ones would. A reading that the paper
does not print, tried and rejected, or a test that it does not claim to have done, is a "question of ours": it is
answered, and held against nobody.
"""

from __future__ import annotations

import itertools
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import import_module
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd

from paperlib.companion.published import Printed, read_checks, read_table, table_numbers

_TOLERANCE = 1e-12  # of floating point, far below any printed place


class Status(StrEnum):
    MATCHES = "matches"
    WITHIN_ROUNDING = "matches within rounding"
    DIFFERS = "does not match"
    IMPOSSIBLE = "impossible as printed"
    NOT_CHECKABLE = "not checkable"
    OURS = "question of ours"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that was checked, and what it means for a reader."""

    key: str
    artefact: str
    id: str  # of the check in checks.csv
    claims: tuple[str, ...]  # ids in claims.csv
    check: str
    printed: str
    recomputed: str
    status: Status
    note: str
    cells: tuple[str, ...]  # as `read_table` names them


class Result(NamedTuple):
    """What a check yields; with its line of checks.csv it becomes a `Finding`."""

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
        return f"{self.point:.4g} ({self.low:.4g} to {self.high:.4g})"


Check = Callable[[], Iterator[Result]]
_CHECKS: dict[str, list[Check]] = {}


def check(key: str) -> Callable[[Check], Check]:
    """Register a generator of results for the paper `key`."""

    def register(function: Check) -> Check:
        _CHECKS.setdefault(key, []).append(function)
        return function

    return register


# Picking printed numbers


def pick(frame: pd.DataFrame, **where: str) -> Printed:
    """The one printed number of a `read_table` frame whose columns equal `where`."""
    rows = select(frame, **where)
    if len(rows) != 1:
        raise ValueError(f"{len(rows)} printed numbers, not one, have {where}")
    return Printed(float(rows["value"].iloc[0]), float(rows["half_unit"].iloc[0]))


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
    """A claimed order, difference > 0: certain, not to be excluded because of rounding, or refuted."""
    if difference.low > _TOLERANCE:
        return Status.MATCHES
    return Status.WITHIN_ROUNDING if difference.high > _TOLERANCE else Status.DIFFERS


def worst(statuses: Iterable[Status]) -> Status:
    """The status of a statement about several numbers, each of which has to hold."""
    order = (Status.IMPOSSIBLE, Status.DIFFERS, Status.WITHIN_ROUNDING, Status.MATCHES)
    return min(statuses, key=order.index)


def difference(a: Printed, b: Printed) -> Range:
    return propagate(lambda x, y: x - y, a, b)


def truth(holds: bool, otherwise: Status = Status.DIFFERS) -> Status:
    return Status.MATCHES if holds else otherwise


def joined(values: Iterable[object]) -> str:
    return "; ".join(map(str, values))


# Constraints and statistics


def correlation_slack(frame: pd.DataFrame) -> Range:
    """1 - max |r|, for `require`."""
    return Range(*(1 - (frame["value"].abs() + side * frame["half_unit"]).max() for side in (1, 0, -1)))


def smallest_eigenvalue(off_diagonal: Iterable[Printed]) -> Range:
    """Of the correlation matrix with this upper triangle, row by row; negative if no data can have it."""
    r = tuple(off_diagonal)
    n = round((1 + np.sqrt(1 + 8 * len(r))) / 2)

    def smallest(*values: float) -> float:
        matrix = np.eye(n)
        matrix[np.triu_indices(n, 1)] = values
        return np.linalg.eigvalsh(matrix, UPLO="U")[0]

    return propagate(smallest, *r)


def welch_df(variance1: float, n1: float, variance2: float, n2: float) -> float:
    """Welch and Satterthwaite's degrees of freedom."""
    a, b = variance1 / n1, variance2 / n2
    return (a + b) ** 2 / (a**2 / (n1 - 1) + b**2 / (n2 - 1))


def largest_target_variance(mse: float, pcc: float) -> float:
    """Cap on var(target) from one row's MSE and PCC: any prediction has MSE >= (1 - PCC^2) var(target)."""
    return mse / (1 - pcc**2)


class Gain(NamedTuple):
    """What one row of a table gained over its baseline; positive is better."""

    text: str
    gain: Range
    status: Status  # of gain > 0


def gains(frame: pd.DataFrame, pairs: Mapping[str, str], *, larger_is_better: bool) -> list[Gain]:
    """Gains of `pairs` (baseline row: proposed row) in every dimension of a frame with one quantity."""
    sign = 1 if larger_is_better else -1
    gained = []
    for (baseline, proposed), dimension in itertools.product(pairs.items(), frame["dimension"].unique()):
        before, after = (pick(frame, row=row, dimension=dimension) for row in (baseline, proposed))
        gain = propagate(lambda a, b: sign * (b - a), before, after)
        text = f"{proposed} {dimension} {before.value:g} to {after.value:g}"
        gained.append(Gain(text, gain, exceeds_zero(gain)))
    return gained


def tally(gained: Iterable[Gain]) -> str:
    """How many are better, and which are not."""
    gained = list(gained)
    better, equal, worse = (
        [g.text for g in gained if g.status is status]
        for status in (Status.MATCHES, Status.WITHIN_ROUNDING, Status.DIFFERS)
    )
    rest = [
        f"{word}: {', '.join(texts)}" for word, texts in (("worse", worse), ("undecided", equal)) if texts
    ]
    return "; ".join([f"{len(better)} of {len(gained)} better", *rest])


# Running


def papers() -> list[str]:
    """Keys of the papers that have an audit."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def run_audit(keys: Iterable[str] | None = None) -> pd.DataFrame:
    """All findings on the given papers (default: all), one per row.

    Columns: the fields of `Finding`, with claims and cells joined by "; ". A printed cell that no check
    mentions is listed as not checkable, so that nothing is passed over in silence.
    """
    known = papers()
    keys = known if keys is None else list(keys)
    if unknown := [key for key in keys if key not in known]:
        raise ValueError(f"no audit for {', '.join(unknown)}; there is one for {', '.join(known)}")
    frame = pd.DataFrame([asdict(finding) for key in keys for finding in findings(key)])
    joined = {column: frame[column].map("; ".join) for column in ("claims", "cells")}
    return frame.assign(**joined, status=frame["status"].map(str))


def findings(key: str) -> list[Finding]:
    """Everything that the audit of one paper finds, in the order of its checks."""
    import_module(f"{__name__}.{key}")
    words = read_checks(key)
    found = [_in_words(key, words, result) for function in _CHECKS[key] for result in function()]
    covered = {cell for finding in found for cell in finding.cells}
    for number in table_numbers(key):
        frame = read_table(key, number)
        rest = frame[~frame["cell"].isin(covered)]
        if len(rest):
            found.append(
                Finding(
                    key=key,
                    artefact=f"{key}/table{number}",
                    id="not-constrained",
                    claims=(),
                    check=f"the {len(rest)} cells of table {number} that no other check mentions",
                    printed="; ".join(rest["printed"]),
                    recomputed="",
                    status=Status.NOT_CHECKABLE,
                    note="No other printed number constrains them; only a run can.",
                    cells=tuple(rest["cell"]),
                )
            )
    return found


def _in_words(key: str, words: pd.DataFrame, result: Result) -> Finding:
    if result.id not in words.index:
        raise ValueError(f"checks.csv of {key} has no line for the check {result.id!r}; add one")
    line = words.loc[result.id]
    return Finding(
        key=key,
        artefact=line["artefact"].format_map(result.fill),
        id=result.id,
        claims=tuple(line["claims"]),
        check=line["check"].format_map(result.fill),
        printed=result.printed,
        recomputed=result.recomputed,
        status=result.status,
        note=line["note"].format_map(result.fill),
        cells=tuple(result.cells),
    )
