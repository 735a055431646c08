"""Checks as data: `data/published/<key>/audit.yaml` says what is computed from which printed numbers.

An entry of the file, under the id of a line of checks.csv, has

- `for`: names and their values; the check is made once for each combination. A value may be a mapping of names.
- `over`: the same, for the parts of one check. `only` is an expression that drops parts.
- `let`: names for numbers, each a formula of printed numbers in square brackets (`Paper.lines` says how they
  are named) and of the names above it. Each becomes a `Range` over all that rounds to the printed numbers.
- `when`: an expression that says which parts hold, and `name`, what a part is called.
- `whole`: names for what is computed from all parts, in which a name of `let` is the list of its values.
- `say`, joined for all parts as {parts}; `found`, what was found; `printed`, what is printed of it. All may hold
  {names}, with a format, and a number's name in brackets, as it is printed. {those} and {rest} are the names of
  the parts that hold or not, {holds} of {all} how many; "{rest:; not: }" puts "; not: " before, if there are any.
- `equals` (a number's name, or "1.5 ± 1", that `value` should be), `above` (names of `let` that should exceed 0),
  `at least` (that should not be below), `true` (an expression of names in `whole`; if it is not, "does not match" or
  what `otherwise` says) or `status`: how it is judged. Where `tried`, the paper does not claim it, and it is held
  against nobody.
- `compare`: two rows, "table: row", whose change in each metric is {change}. Judged by `words`, see `as_worded`.
- `cells`: which cells of the tables it is about, each a mapping from "table" and columns to values; in `whole`
  they are `frame`, lines as of `read_table`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import yaml
from scipy import stats

from paperlib.companion.audit import intervals
from paperlib.companion.audit.intervals import (
    TOUCH,
    Paper,
    Range,
    Result,
    Status,
    exceeds_zero,
    joined,
    judge,
    propagate,
    require,
    select,
    tried,
    truth,
    worst,
)
from paperlib.companion.published import ROOT, Printed
from paperlib.labels import EXPRESSIONS, is_noisy


def _is_noisy(category: str, valence: float, arousal: float) -> bool:
    return bool(is_noisy([EXPRESSIONS.index(category)], [[valence, arousal]])[0])


_REFERENCE = re.compile(r"\[([^\[\]]+)\]")
_NAMES = {
    "__builtins__": {},
    **{
        name: getattr(np, name)
        for name in ("sqrt", "log", "arctanh", "ceil", "exp", "mean", "sign", "median")
    },
    **{f.__name__: f for f in (abs, min, max, sum, len, round, sorted, zip)},
    "norm": stats.norm,
    "t": stats.t,
    "chi": stats.chi,
    "touch": TOUCH,
    "point": attrgetter("point"),
    "joined": joined,
    "floor": np.floor,
    "eigvalsh": np.linalg.eigvalsh,
    "is_noisy": _is_noisy,
    "largest_target_variance": intervals.largest_target_variance,
}
_KEYS = frozenset(
    "for over only let when name whole say found printed equals above true otherwise status tried "
    "compare words metrics cells".split()
) | {"at least"}


class Names(list):
    """Names in a template: "{names:; not: }" writes "; not: " before them, and nothing if there are none."""

    def __format__(self, before: str) -> str:
        return before + ("; " if before == "; " else ", ").join(self) if self else ""


class Comparison(NamedTuple):
    """How one row changes to another in the metrics that both have; positive is better."""

    changes: dict[str, Range]  # by column

    def __str__(self) -> str:
        groups: dict[str, list[str]] = {"better": [], "equal": [], "worse": []}
        for column, change in self.changes.items():
            point = round(change.point, 6)
            group = "better" if point > 0 else "worse" if point < 0 else "equal"
            groups[group].append(column if group == "equal" else f"{column} {point:+.2f}")
        counts = ", ".join(f"{len(names)} {group}" for group, names in groups.items())
        return joined([counts, *(f"{g}: {', '.join(groups[g])}" for g in ("equal", "worse") if groups[g])])

    def __format__(self, spec: str) -> str:
        return str(self)

    @property
    def differing(self) -> Names:
        return Names(f"{c} {r.point:+.2f}" for c, r in self.changes.items() if abs(r.point) > TOUCH)

    @property
    def status(self) -> Status:
        """Of the statement that all are better; rounding intervals that only touch count as apart."""
        apart = {c for c, r in self.changes.items() if r.point > TOUCH and r.low > -TOUCH}
        return worst(truth(True) if c in apart else exceeds_zero(r) for c, r in self.changes.items())


_NAMES["Names"] = Names


def compare(paper: Paper, before: str, after: str, metrics: str = "") -> Comparison:
    """Of two rows, each "table: row", in all metrics that both have, or in those named."""
    columns, others = (select(paper.tables[int(of[0])], row=of[3:])["column"] for of in (before, after))
    changes = {}
    for column in columns[columns.isin(others)]:
        if not metrics or column.split()[-1] in metrics:
            sign = -1 if "RMSE" in column else 1
            a, b = (paper.number(f"{row} | {column}") for row in (before, after))
            changes[column] = propagate(lambda x, y, s=sign: s * (y - x), a, b)
    return Comparison(changes)


def as_worded(words: str, change: Comparison) -> Status:
    """Does a comparison bear out what the paper says of it, no more than that? Of "" it says nothing.

    An improvement of all metrics is one of each, a large one of most; otherwise more have to rise than fall.
    """
    points = [r.point for r in change.changes.values()]
    rising, falling = sum(x > TOUCH for x in points), sum(x < -TOUCH for x in points)
    if not words:
        return Status.OURS
    if "without degrading" in words:
        return worst(map(require, change.changes.values()))
    if "all metrics" in words:
        return change.status
    return truth(2 * rising > len(points) if "large" in words else rising > falling)


def results_of(paper: Paper) -> Iterator[Result]:
    """The results of all checks in a paper's audit.yaml; none if it has none."""
    path = ROOT / paper.key / "audit.yaml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else {}
    for name, entry in entries.items():
        if name.startswith("."):  # where anchors stand
            continue
        for number, one in enumerate(entry if isinstance(entry, list) else [entry], start=1):
            if unknown := set(one) - _KEYS:
                raise ValueError(f"{path}, {name}, entry {number}: no such key: {', '.join(sorted(unknown))}")
            try:
                for fill in combinations(paper, one.get("for", {})):
                    yield _result(paper, name.format_map(fill), one, fill)
            except (ArithmeticError, LookupError, NameError, SyntaxError, TypeError, ValueError) as error:
                raise ValueError(f"{path}, {name}, entry {number}: {error!r}") from error


def combinations(
    paper: Paper, across: Mapping[str, list | str], fill: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """One mapping for each combination; a value that is itself a mapping is merged in.

    Values are a list, or a table, such as "table 5", for all of its rows, "table 5 | Accuracy" for those that have it.
    """
    lists = [
        paper.rows(of.format_map(fill).removeprefix("table ")) if isinstance(of, str) else of
        for of in across.values()
    ]
    for values in product(*lists):
        combined: dict[str, Any] = {}
        for name, value in zip(across, values, strict=True):
            combined |= value if isinstance(value, dict) else {name: value}
        yield combined


def formula(paper: Paper, text: str, lets: Mapping[str, str] = MappingProxyType({})) -> Range:
    """The range of a formula of printed numbers in brackets, and of the formulas that `lets` names."""
    for name in reversed(list(lets)):  # outside brackets
        text = re.sub(rf"\b{name}\b(?![^\[]*\])", f"({lets[name]})", text)
    variables: dict[str, str] = {}
    code = _REFERENCE.sub(lambda m: variables.setdefault(m[1], f"_{len(variables)}"), text)
    compiled = compile(code, text, "eval")
    inputs = [paper.number(name) for name in variables]

    def evaluate(*values: float) -> float:
        return eval(compiled, _NAMES | dict(zip(variables.values(), values, strict=True)))

    return propagate(evaluate, *inputs)


def template(paper: Paper, text: str, fill: Mapping[str, Any]) -> str:
    """With {names} filled in, and then names of numbers in brackets as these are printed."""

    def printed(match: re.Match[str]) -> str:
        known = " | " in match[1] or match[1] in paper.words.index
        return paper.printed(match[1]) if known else match[0]

    return _REFERENCE.sub(printed, str(text).format_map(fill))


def _part(paper: Paper, entry: Mapping[str, Any], fill: dict[str, Any]) -> dict[str, Any]:
    """A part's names and numbers."""
    lets = {name: str(text).format_map(fill) for name, text in entry.get("let", {}).items()}
    earlier: dict[str, str] = {}
    for name, text in lets.items():
        fill = fill | {name: formula(paper, text, earlier)}
        earlier[name] = text
    if "compare" in entry:
        rows = [row.format_map(fill) for row in entry["compare"]]
        change = compare(paper, rows[0], rows[1], entry.get("metrics", ""))
        of = len(change.changes)
        fill |= {"change": change, "of": of, "cells": 2 * of, "differing": change.differing}
        fill |= {"apart": len(change.differing)}
    return fill


def _result(paper: Paper, name: str, entry: Mapping[str, Any], fill: dict[str, Any]) -> Result:
    parts = [_part(paper, entry, fill | more) for more in combinations(paper, entry.get("over", {}), fill)]
    if "only" in entry:
        parts = [part for part in parts if eval(entry["only"], _NAMES | part)]
    whole = dict(parts[0]) if "over" not in entry else dict(fill)
    lists = {key: [part[key] for part in parts] for key in parts[0]} if "over" in entry else whole
    holding = [bool(eval(str(entry.get("when", True)), _NAMES | part)) for part in parts]
    names = [template(paper, entry.get("name", ""), part) for part in parts]
    cells = _cells(paper, entry, whole)
    whole |= {
        "frame": cells,
        "names": names,
        "all": len(parts),
        "holds": sum(holding),
        "those": Names(n for n, holds in zip(names, holding, strict=True) if holds),
        "rest": Names(n for n, holds in zip(names, holding, strict=True) if not holds),
        "parts": joined(template(paper, entry["say"], part) for part in parts) if "say" in entry else "",
    }
    for key, expression in entry.get("whole", {}).items():
        whole[key] = eval(str(expression), _NAMES | lists | whole)
    printed = entry.get("printed", f"[{entry['equals']}]" if "equals" in entry else "")
    found = template(paper, entry.get("found", "{parts}"), whole)
    status = _status(paper, entry, parts, whole)
    return Result(name, template(paper, printed, whole), found, status, cells["cell"].tolist(), whole)


def _status(
    paper: Paper, entry: Mapping[str, Any], parts: list[dict[str, Any]], whole: dict[str, Any]
) -> Status:
    if "status" in entry:
        return Status[entry["status"].upper().replace(" ", "_")]
    if "compare" in entry and "true" not in entry:
        words = entry.get("words", entry.get("printed"))
        return as_worded(words.format_map(whole), whole["change"])
    if "true" in entry:
        holds = bool(eval(entry["true"], _NAMES | whole))
        status = truth(holds, Status[entry.get("otherwise", "differs").upper().replace(" ", "_")])
    elif "equals" in entry:
        wanted = [_wanted(paper, entry["equals"].format_map(part)) for part in parts]
        status = worst(judge(number, part["value"]) for number, part in zip(wanted, parts, strict=True))
    else:
        kind, verdict = ("above", exceeds_zero) if "above" in entry else ("at least", require)
        names = [entry[kind]] if isinstance(entry[kind], str) else entry[kind]
        status = worst(verdict(part[name]) for part, name in product(parts, names))
    return tried(status) if entry.get("tried") else status


def _wanted(paper: Paper, name: str) -> Printed:
    value, _, half = name.partition(" ± ")
    return (
        Printed(float(value), float(half or 0))
        if value[0].isdigit() and "|" not in name
        else paper.number(name)
    )


def _cells(paper: Paper, entry: Mapping[str, Any], fill: Mapping[str, Any]) -> pd.DataFrame:
    """The cells of tables whose columns equal what `cells` says, or are in its list."""
    found = []
    for where in entry.get("cells", []):
        frame = paper.tables[int(str(where["table"]).format_map(fill))]
        for column in where.keys() - {"table"}:
            values = where[column] if isinstance(where[column], list) else [where[column]]
            frame = frame[frame[column].isin([str(v).format_map(fill) for v in values])]
        found.append(frame)
    return pd.concat(found) if found else paper.tables[1].iloc[:0]
