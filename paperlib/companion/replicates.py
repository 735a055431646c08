"""The replicates of one number: the same number with other seeds, with other people drawn, or with both.

One bootstrap serves every table: which units and which seeds each replicate takes is planned once (`_plan`) and read by
all measures, so that cells which share people are paired, draw by draw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

ALL, PAPER, N, UNITS = ("all", 0), ("paper", 0), ("n", 0), ("units", 0)
ABOUT = (N, UNITS)  # those that are no replicates
SEEDS, PEOPLE, BOTH = "seeds", "people", "people and seeds"
AT_ONCE = 300_000  # draws times rows that are held together

Replicate = tuple[str, int]
Many = Callable[..., NDArray]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number of the rows of a sample: `of(*columns)`.

    columns: names; each is given to `of` as (n,). "rater *" stands for all columns that begin with "rater ", as (n, K)
        without those that nobody has. Rows that lack a column, or all of such a family, are left out.
    better: 1 where more is better, -1 where less is.
    unit: such as "%"; "" for none.
    fisher: a correlation, whose interval over seeds is made of Fisher's z and stays within 1.
    many: the same of many draws at once, (R,), given the columns, `unit` (n,) from 0 to G - 1, and `counts` (R, G), how
        often each draw takes each unit; `sums` makes it. Without it `of` is asked once a draw and seed.
    pooled: `of` gets (n, seeds) and gives one number of all networks together, such as that of their mean.
    """

    name: str
    of: Callable[..., float]
    columns: tuple[str, ...]
    better: int = 1
    unit: str = ""
    fisher: bool = False
    many: Many | None = field(default=None, repr=False)
    pooled: bool = False


def sums(terms: Callable[..., NDArray], of_sums: Callable[[NDArray], Any]) -> dict[str, Any]:
    """`of` and `many` of a measure that is a function of sums over rows: `of_sums` of (..., k), of terms (n, k)."""

    def many(*columns: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
        n = len(unit)
        rows = sparse.csr_matrix((np.ones(n), (unit, np.arange(n))), (counts.shape[1], n))
        with np.errstate(invalid="ignore", divide="ignore"):
            return of_sums(counts @ (rows @ terms(*columns)))

    return {"of": lambda *columns: float(of_sums(terms(*columns).sum(axis=0))), "many": many}


def in_blocks(many: Many) -> Many:
    """`many`, asked for no more draws in one call than AT_ONCE allows: for measures that hold all their rows."""

    @wraps(many)
    def asked(*columns: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
        step = max(AT_ONCE // len(unit), 1)
        blocks = [counts[i : i + step].astype(np.int32) for i in range(0, len(counts), step)]
        return np.concatenate([many(*columns, unit=unit, counts=block) for block in blocks])

    return asked


def up_to_each(
    x: NDArray, unit: NDArray, counts: NDArray, *weights: NDArray
) -> tuple[NDArray, list[NDArray]]:
    """Which of the values of x each row has, (n,), and (R, values) for each of `weights` (n,): its sum in each draw
    over the rows up to each value."""
    _, tie = np.unique(x, return_inverse=True)
    order = np.argsort(tie, kind="stable")
    last = np.flatnonzero(np.diff(tie[order], append=len(x)))
    times = counts[:, unit[order]]
    taken = [times * w[order] for w in weights]
    return tie, [t.cumsum(axis=1, dtype=t.dtype)[:, last] for t in taken]


def ranks(x: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
    """(R, n): the rank of each row among the rows of each draw; ties share their mean."""
    tie, (rows,) = up_to_each(x, unit, counts, np.ones(len(x), np.int32))
    return (rows - np.diff(rows, axis=1, prepend=0) / 2 + 0.5)[:, tie]


def shared_people(units: Sequence[pd.Series]) -> list[NDArray]:
    """Of each group the people to draw from: its own, and those of all groups that share one with it, and so on."""
    names, code = np.unique(np.concatenate([u.unique() for u in units]).astype(str), return_inverse=True)
    group = np.repeat(np.arange(len(units)), [u.nunique() for u in units])
    size = len(units) + len(names)
    links = sparse.coo_matrix((np.ones(len(code)), (group, len(units) + code)), shape=(size, size))
    joined = connected_components(links, directed=False)[1]
    return [names[joined[len(units) :] == joined[i]] for i in range(len(units))]


def replicates(
    group: pd.DataFrame, measure: Measure, over: str, draws: int, people: NDArray | None
) -> dict[Replicate, float]:
    """All replicates of a measure of one cell's rows; nothing where all rows lack a column.

    Raises:
        ValueError: a row is there twice.
    """
    seeds = np.sort(group["seed"].unique())
    columns, use = _by_item(group, measure, seeds)
    if not use.any():
        return {}
    n, s = int(use.sum()), len(seeds)
    cell = _Cell(measure, columns, n)
    each = np.array([cell.of(slice(None), [k] if measure.pooled else k) for k in range(s)])
    found = {ALL: cell.of(slice(None), slice(None)) if measure.pooled else float(np.mean(each)), N: float(n)}
    if over != PEOPLE:
        found |= {("seed", int(name)): float(v) for name, v in zip(seeds, each, strict=True)}
    if over == SEEDS or people is None:
        return found
    found[UNITS] = g = len(people)
    if g < 2 or (over == BOTH and s < 2):
        return found  # how much people, or trainings, vary cannot be seen: no interval
    first = group.groupby(pd.factorize(group["item"])[0])["unit"].first().astype(str).to_numpy()
    unit = np.searchsorted(people, first[use])
    names, units, of_seeds = _plan(over, g, s, draws)
    return found | dict(zip(names, cell.drawn(unit, units, of_seeds, s).tolist(), strict=True))


@dataclass(frozen=True)
class _Cell:
    """A measure with the columns of one cell, each (n, seeds) or (n, seeds, K)."""

    measure: Measure
    columns: list[NDArray]
    n: int

    def of(self, rows: Any, seed: Any) -> float:
        return float(self.measure.of(*(c[rows][:, seed] for c in self.columns)))

    def drawn(self, unit: NDArray, units: NDArray, of_seeds: NDArray, s: int) -> NDArray:
        """The measure of each draw, (R,): of rows as often as their unit is drawn, mean over the seeds drawn."""
        if self.measure.pooled:
            drawn = zip(units, of_seeds, strict=True)
            return np.array([self._rows(u[unit], np.repeat(np.arange(s), c)) for u, c in drawn])
        if self.measure.many:
            seeds = ([c[:, k] for c in self.columns] for k in range(s))
            per_seed = np.stack([self.measure.many(*c, unit=unit, counts=units) for c in seeds], axis=1)
        else:
            per_seed = np.full((len(units), s), np.nan)
            for r, (u, c) in enumerate(zip(units, of_seeds, strict=True)):
                per_seed[r, c > 0] = [self._rows(u[unit], k) for k in np.flatnonzero(c)]
        return np.where(of_seeds > 0, per_seed * of_seeds, 0).sum(axis=1) / of_seeds.sum(axis=1)

    def _rows(self, times: NDArray, seed: Any) -> float:
        rows = np.repeat(np.arange(self.n), times)
        return self.of(rows, seed) if len(rows) else np.nan


def _by_item(group: pd.DataFrame, measure: Measure, seeds: NDArray) -> tuple[list[NDArray], NDArray]:
    """The measure's columns, (items, seeds) or (items, seeds, K), of items that have them all; and which these are."""
    items, at = pd.factorize(group["item"])[0], np.searchsorted(seeds, group["seed"])
    shape = (items.max() + 1, len(seeds))
    if len(np.unique(items * len(seeds) + at)) < len(group):
        twice = group[group.duplicated(["item", "seed"])].iloc[0]
        raise ValueError(
            f"{measure.name}: item {twice['item']} of seed {twice['seed']} is there twice in one cell; "
            "name in `by` the column that tells its rows apart, or select one of them first"
        )
    rows = np.zeros(shape, bool)
    rows[items, at] = True
    if not rows.all():
        row, seed = np.argwhere(~rows)[0]
        item = group["item"].iloc[np.flatnonzero(items == row)[0]]
        raise ValueError(
            f"{measure.name}: item {item} has no row of seed {seeds[seed]}, which others have: number the items of a "
            "run from 0 where runs have items of their own, or score the seeds that all have"
        )
    arrays: list[NDArray] = []
    use: NDArray = np.ones(shape[0], bool)
    for column in measure.columns:
        many = column.endswith("*")
        family = [c for c in group if (c.startswith(column[:-1]) if many else c == column)]
        if not family:
            have = ", ".join(map(repr, group))
            raise ValueError(f"{measure.name} reads column {column!r}; the samples have {have}")
        wide: NDArray = np.full((*shape, len(family)), np.nan)
        wide[items, at] = group[family].to_numpy(float)
        wide = wide[:, :, np.isfinite(wide).any(axis=(0, 1))] if many else wide
        use &= np.isfinite(wide).any(axis=2).all(axis=1)
        arrays.append(wide if many else wide[:, :, 0])
    return [a[use] for a in arrays], use


@lru_cache(maxsize=32)
def _plan(over: str, g: int, s: int, draws: int) -> tuple[list[Replicate], NDArray, NDArray]:
    """The name of each replicate, and how often it takes each unit (R, g) and each seed (R, s).

    Over people, g of g are drawn. Over people and seeds, g - 1 and s - 1 are, which makes up for the narrowness of a
    bootstrap of few, and each unit and each seed is left out once, which tells how much each kind counts.
    """
    rng = np.random.default_rng(0)
    if over == PEOPLE:
        units = np.stack([np.bincount(rng.integers(g, size=g), minlength=g) for _ in range(draws)])
        return [("draw", b) for b in range(draws)], units, np.ones((draws, s), int)
    drawn = [(rng.integers(g, size=g - 1), rng.integers(s, size=s - 1)) for _ in range(draws)]
    units = np.stack([np.bincount(d[0], minlength=g) for d in drawn])
    seeds = np.stack([np.bincount(d[1], minlength=s) for d in drawn])
    units = np.concatenate([units, 1 - np.eye(g, dtype=int), np.ones((s, g), int)])
    seeds = np.concatenate([seeds, np.ones((g, s), int), 1 - np.eye(s, dtype=int)])
    names = [("draw", b) for b in range(draws)] + [("without unit", i) for i in range(g)]
    return [*names, *(("without seed", j) for j in range(s))], units, seeds
