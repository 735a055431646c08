"""The words that a page computes in: score, beside, compare, average, and a few more.

**A number is its replicates.** `Scores` have a line a cell of a table (its levels say which: method, dimension, ...,
measure) and a column a replicate: the number itself, the number of each seed, the number with other people drawn, and
what the paper printed. So a comparison is a subtraction, replicate by replicate; the interval of any contrast, and the
paper's contrast beside it, follow without new code. `paperlib.companion.verdicts` turns lines into verdicts.

Three rules hold this together. Cells that share a person draw the same people, so subsets are paired too. A cell whose
rows all lack a column of the measure is no line. Over seeds alone, a number is the mean of its seeds' numbers after
every step, also after one that is not linear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from paperlib.companion.replicates import (
    ABOUT,
    ALL,
    BOTH,
    PAPER,
    PEOPLE,
    SEEDS,
    Measure,
    replicates,
    shared_people,
)


@dataclass(frozen=True, eq=False)
class Scores:
    """Numbers with their replicates: `frame` has a line a cell and a column a replicate, (kind, number).

    over: what the replicates vary: "seeds", "people" or "people and seeds".
    measures: the measures by name; of a difference more is better, whatever was measured.
    """

    frame: pd.DataFrame
    over: str
    measures: Mapping[str, Measure] = field(default_factory=dict)

    @property
    def index(self) -> pd.MultiIndex:
        return self.frame.index

    @property
    def levels(self) -> list[str]:
        return list(self.frame.index.names)

    @property
    def numbers(self) -> pd.Series:
        """The number of each cell."""
        return self.frame[ALL].rename("number")

    @property
    def paper(self) -> pd.Series:
        """What the paper printed for each cell; NaN where it printed nothing."""
        found = self.frame[PAPER] if PAPER in self.frame else pd.Series(np.nan, self.index)
        return found.rename("paper")

    @property
    def seeds(self) -> pd.DataFrame:
        """The number of each seed: a line a cell, a column a seed."""
        return self.frame["seed"] if "seed" in self.frame.columns.get_level_values(0) else self.frame[[]]

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, keep: Any) -> Scores:
        """The lines that a boolean array keeps."""
        return self.like(self.frame[np.asarray(keep, bool)])

    def only(self, at: Mapping[str, Any] | None = None, /, **levels: Any) -> Scores:
        """The lines that have, on each level named, this value or one of these; a level keeps its place."""
        return self[self._are({**(at or {}), **levels})]

    def but(self, at: Mapping[str, Any] | None = None, /, **levels: Any) -> Scores:
        """The lines that `only` would leave out."""
        return self[~self._are({**(at or {}), **levels})]

    def rename(self, level: str, names: Mapping[str, str]) -> Scores:
        """Other names on a level."""
        return self.like(self.frame.rename(index=names, level=level))

    def map(self, f: Callable[[float], float]) -> Scores:
        """Any function of each number: it is applied to every replicate and to the paper's."""
        numbers = [c for c in self.frame if c not in ABOUT]
        return self.like(_set(self.frame, numbers, self.frame[numbers].map(f)))

    def like(self, frame: pd.DataFrame, **changes: Any) -> Scores:
        """Scores of the same kind with another frame."""
        out = replace(self, frame=frame, **changes)
        if out.over == SEEDS and len(frame) and len(out.seeds.columns):
            frame = _set(frame, [ALL], frame["seed"].mean(axis=1).to_frame())
        return replace(out, frame=frame)

    def _are(self, levels: Mapping[str, Any]) -> np.ndarray:
        keep = [self._is(name, wanted) for name, wanted in levels.items()]
        return np.logical_and.reduce([np.ones(len(self), bool), *keep])

    def _is(self, level: str, wanted: Any) -> np.ndarray:
        if level not in self.levels:
            raise ValueError(f"there is no level {level!r}; the scores have {', '.join(self.levels)}")
        values = self.index.get_level_values(level)
        wanted = [wanted] if isinstance(wanted, str) or not isinstance(wanted, Iterable) else list(wanted)
        if unknown := [w for w in wanted if len(self) and w not in set(values)]:
            have = ", ".join(map(repr, values.unique()))
            raise ValueError(f"level {level!r} has no {unknown[0]!r}; it has {have}")
        return np.asarray(values.isin(wanted))

    def _repr_html_(self) -> str:
        shown = pd.concat([self.numbers, self.paper], axis=1).reset_index()
        return str(shown.to_html(index=False, float_format=lambda x: f"{x:.3g}", na_rep=""))


def score(
    samples: pd.DataFrame,
    measures: Measure | Sequence[Measure],
    by: str | Sequence[str],
    *,
    over: str = SEEDS,
    draws: int = 1000,
) -> Scores:
    """Each measure of each group of samples, with its replicates.

    samples: a row an item and run, with columns item, unit, seed, those of `by` and of the measures. `unit` is what is
        drawn anew: a person, a pair, a video; one name is one person wherever it occurs.
    over: "seeds"; "people": units are drawn; "people and seeds": both are, crossed.

    Raises:
        ValueError: two measures of one name, a column that is missing, a row that a cell has twice.
    """
    by = [by] if isinstance(by, str) else list(by)
    measures = [measures] if isinstance(measures, Measure) else measures
    of = {m.name: m for m in measures}
    if len(of) < len(measures):
        raise ValueError(f"two measures have one name: {', '.join(m.name for m in measures)}")
    if over not in (SEEDS, PEOPLE, BOTH):
        raise ValueError(f"over must be {SEEDS!r}, {PEOPLE!r} or {BOTH!r}; got {over!r}")
    for column in ("item", "unit", "seed", *by):
        if column not in samples:
            have = ", ".join(map(repr, samples))
            raise ValueError(f"the samples have no column {column!r}; they have {have}")
    groups = [(key, g) for key, g in samples.groupby(by, sort=False, observed=True) if len(g)]
    people: Sequence[Any] = [None] * len(groups)
    if over != SEEDS and groups:
        people = shared_people([g["unit"] for _, g in groups])
    cells = {
        (*key, name): replicates(g, m, over, draws, who)
        for (key, g), who in zip(groups, people, strict=True)
        for name, m in of.items()
    }
    return Scores(_frame({k: v for k, v in cells.items() if v}, [*by, "measure"]), over, of)


def beside(scores: Scores, printed: pd.Series) -> Scores:
    """The paper's number beside each, joined by the levels that both have; missing where it prints none.

    Raises:
        ValueError: the two share no level, or two printed numbers belong to one cell.
    """
    shared = [name for name in scores.levels if name in printed.index.names]
    if not shared:
        raise ValueError(f"printed numbers have none of the levels {', '.join(scores.levels)}")
    keys = scores.index.droplevel([name for name in scores.levels if name not in shared])
    printed = printed.droplevel([name for name in printed.index.names if name not in shared])
    printed = printed.reorder_levels(shared) if len(shared) > 1 else printed
    if (twice := printed.index.duplicated()).any():
        raise ValueError(f"two printed numbers for {printed.index[twice][0]}: select one of them first")
    found = printed.reindex(keys).to_numpy(float)[:, None]
    own = pd.DataFrame(found, scores.index, pd.MultiIndex.from_tuples([PAPER]))
    return scores.like(pd.concat([scores.frame.drop(columns=[PAPER], errors="ignore"), own], axis=1))


def compare(
    scores: Scores,
    level: str,
    ours: str | Iterable[str],
    theirs: str | Iterable[str],
    *,
    if_there: bool = False,
) -> Scores:
    """Each of `ours` less each of `theirs` on one level, replicate by replicate, turned so that positive is better.

    The level keeps `ours`; a new level "less <level>" says what was taken away. A cell that one side lacks drops out.
    if_there: so does a whole side that was not trained on this track, and no line is left.

    Raises:
        ValueError: the level or one of its values is not there; over people and seeds both sides have other seeds.
    """
    parts = []
    for one, other in product(*([x] if isinstance(x, str) else x for x in (ours, theirs))):
        sides = [
            scores[scores.index.get_level_values(level) == name] if if_there else scores.only({level: name})
            for name in (one, other)
        ]
        a, b = (side.frame.droplevel(level) for side in sides)
        both = a.index.intersection(b.index, sort=False)
        a, b = a.loc[both], b.loc[both]
        known = a[ALL].notna() & b[ALL].notna()
        a, b = a[known], b[known]
        if scores.over == BOTH and len(a) and (a["seed"].notna() != b["seed"].notna()).any(axis=None):
            raise ValueError(f"{one} and {other} have other seeds: score common(samples, {level!r})")
        gap = _difference(a, b, scores)
        parts.append(pd.concat({(one, other): gap}, names=[level, f"less {level}"]))
    return scores.like(pd.concat(parts), measures={k: _turned(m) for k, m in scores.measures.items()})


def _turned(measure: Measure) -> Measure:
    """As of a difference that is positive where it is better: its unit says "lower by" of what should be small."""
    unit = "points" if measure.unit == "%" else measure.unit
    unit = unit if measure.better > 0 else f"{unit} lower" if unit else "lower by"
    return replace(measure, better=1, fisher=False, unit=unit)


def average(scores: Scores, *levels: str, how: str = "mean") -> Scores:
    """The mean (or "min", "max", "sum") over levels, replicate by replicate; missing where one cell is.

    Raises:
        ValueError: a level is not there; over people and seeds the cells have other seeds.
    """
    for level in levels:
        scores._is(level, [])
    rest = [name for name in scores.levels if name not in levels]
    grouped = scores.frame.groupby(level=rest, sort=False, observed=True)
    seeds = scores.seeds.notna().groupby(level=rest, sort=False, observed=True)
    if scores.over == BOTH and (seeds.max() != seeds.min()).any(axis=None):
        raise ValueError(f"cells along {', '.join(levels)} have other seeds: score common(samples, ...)")
    out = grouped.agg(how).where(grouped.count().eq(grouped.size(), axis=0))
    about = [c for c in ABOUT if c in out]
    out = _set(out, about, scores.frame[about].groupby(level=rest, sort=False, observed=True).max())
    return scores.like(out, measures={k: replace(m, fisher=False) for k, m in scores.measures.items()})


def ahead(gap: Scores) -> Scores:
    """1 where a replicate is above zero, else 0: its `average` is the share of cells that are ahead."""
    kept = [c for c in gap.frame if gap.over == SEEDS or c[0] != "seed"]
    drawn = [c for c in kept if c not in ABOUT]
    of = gap.frame[drawn]
    return gap.like(_set(gap.frame[kept], drawn, (of > 0).astype(float).where(of.notna())), measures={})


def together(*scores: Scores) -> Scores:
    """Scores of one kind of replicate and with the same levels, under each other."""
    if len({(s.over, tuple(s.levels)) for s in scores}) > 1:
        kinds = "; ".join(f"over {s.over}: {', '.join(s.levels)}" for s in scores)
        raise ValueError(f"only scores over the same, with the same levels, go together; got {kinds}")
    measures = {name: m for s in scores for name, m in s.measures.items()}
    return scores[0].like(pd.concat([s.frame for s in scores]), measures=measures)


def put(level: str, parts: Mapping[str, Scores]) -> Scores:
    """Scores under each other, told apart by a new first level."""
    named = [s.like(pd.concat({name: s.frame}, names=[level])) for name, s in parts.items()]
    return together(*named)


def pick(scores: Scores, level: str, chosen: pd.Series, name: str = "") -> Scores:
    """Of each cell the line that `chosen` (indexed by other levels) names on the level; `name` renames it there."""
    if not len(scores):
        return scores
    shared = [n for n in scores.levels if n in chosen.index.names]
    keys = scores.index.droplevel([n for n in scores.levels if n not in shared])
    chosen = chosen.reorder_levels(shared) if len(shared) > 1 else chosen
    found = scores[scores.index.get_level_values(level) == chosen.reindex(keys).to_numpy()]
    return found.rename(level, dict.fromkeys(found.index.unique(level), name)) if name else found


def common(samples: pd.DataFrame, level: str) -> pd.DataFrame:
    """The samples of the seeds that every value of a level has: what can be compared seed by seed."""
    has = samples.drop_duplicates([level, "seed"]).groupby("seed").size()
    return samples[samples["seed"].isin(has.index[has == samples[level].nunique()])]


def _frame(cells: Mapping[tuple[str, ...], Mapping[Any, float]], names: Sequence[str]) -> pd.DataFrame:
    if not cells:
        index = pd.MultiIndex.from_arrays([[]] * len(names), names=names)
        return pd.DataFrame(index=index, columns=pd.MultiIndex.from_tuples([ALL, *ABOUT]), dtype=float)
    index = pd.MultiIndex.from_tuples(list(cells), names=names)
    frame = pd.DataFrame.from_records(list(cells.values()), index=index)
    frame.columns = pd.MultiIndex.from_tuples(frame.columns, names=["replicate", "number"])
    return frame


def _difference(a: pd.DataFrame, b: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """a - b, turned by each line's measure."""
    measures = [scores.measures.get(name) for name in a.index.get_level_values("measure")]
    sign = np.array([m.better if m else 1 for m in measures], float).reshape(-1, 1)
    drawn = np.array([c not in ABOUT for c in a.columns])
    return pd.DataFrame(np.where(drawn, sign * (a.to_numpy() - b.to_numpy()), a), a.index, a.columns)


def _set(frame: pd.DataFrame, columns: Sequence[Any], values: pd.DataFrame) -> pd.DataFrame:
    """The frame with other values in some of its columns, found by line."""
    out = frame.to_numpy(float, copy=True)
    at = frame.columns.get_indexer(pd.MultiIndex.from_tuples(columns)) if len(columns) else []
    values = values if values.index.equals(frame.index) else values.reindex(frame.index)
    out[:, at] = values.to_numpy()
    return pd.DataFrame(out, frame.index, frame.columns)
