"""From numbers to verdicts: lines with intervals, the claims and questions that they decide, and their power."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from paperlib.companion.replicates import PEOPLE, SEEDS, N
from paperlib.companion.score import Scores

HELD, FAILED, OPEN, LEFT = "held", "did not hold", "cannot tell", "not attempted"
UNJUDGED = "not judged"  # what a page says beside a number of a statement that is not attempted
IN_PART, MIXED = "held in part", "mixed"  # of a statement with several lines
ORDER = (HELD, IN_PART, MIXED, FAILED, OPEN, LEFT)
AHEAD, BEHIND = "ahead", "behind"  # of a question of ours
LINE = ["estimate", "sd", "seeds", "low", "high"]
TAIL, CHANCE = 0.975, 0.8  # of a 95 % interval; with which a difference should be told from none


def lines(scores: Scores, *, within: tuple[float, float] = (-np.inf, np.inf)) -> pd.DataFrame:
    """A tidy line a cell: its levels, estimate, sd (over seeds, n - 1), seeds, low, high, paper, n, over, unit, better.

    The interval, of 95 %, is Student's t over seeds (of Fisher's z for a correlation); over people a percentile
    bootstrap with the expansion of Hesterberg 2015 (The American Statistician 69:371); over both a crossed bootstrap,
    widened by the t of its Satterthwaite degrees of freedom. It is missing where one seed or one person, or a draw
    without the rows that it needs, cannot show how the number varies.

    within: bounds of the measure, at which an interval ends.
    """
    kinds = scores.frame.columns.get_level_values(0)
    blocks = {kind: scores.frame.loc[:, kinds == kind].to_numpy(float) for kind in kinds.unique()}
    of = [scores.measures.get(name) for name in scores.index.get_level_values("measure")]
    found = [
        _line({kind: b[i] for kind, b in blocks.items()}, scores.over, bool(m and m.fisher))
        for i, m in enumerate(of)
    ]
    out = pd.DataFrame(found, index=scores.index, columns=LINE, dtype=float).assign(paper=scores.paper)
    out[["low", "high"]] = out[["low", "high"]].clip(*within)
    about = {"n": scores.frame[N].astype(int), "over": scores.over, "allowed": 0.0}
    about |= {"unit": [m.unit if m else "" for m in of], "better": [m.better if m else 1 for m in of]}
    return out.assign(**about).reset_index()


def claim(
    scores: Scores,
    name: str,
    *,
    allow: float = 0.0,
    unless: Callable[[Any], str] | None = None,
    holm: bool = False,
    **shown: Any,
) -> pd.DataFrame:
    """`lines` with the verdict on a statement of the paper, an id of claims.csv: held if the interval is above zero.

    allow: a loss that counts as none: the interval is judged against -allow in place of zero.
    unless: gives the reason why a line's interval does not decide, "" where it does.
    holm: a verdict stays only where Holm's test at 5 %, over all these lines, leaves it.
    """
    found = lines(scores, **shown)
    found["claim"], found["allowed"] = name, allow
    found["why"] = f"judged against {-allow:g}".replace("-", "−") if allow else ""
    found["verdict"] = np.select([found["low"] > -allow, found["high"] < -allow], [HELD, FAILED], OPEN)
    if unless and len(found):
        why = pd.Series([unless(line) for _, line in found.iterrows()], index=found.index)
        decided = why == ""
        found["verdict"] = found["verdict"].where(decided, OPEN)
        found["why"] = found["why"].where(decided, why)
    return _held_together(found) if holm and len(found) else found


def ask(scores: Scores, **shown: Any) -> pd.DataFrame:
    """`lines` with the answer to a question of ours: ahead, behind or cannot tell."""
    return claim(scores, "", **shown).replace({"verdict": {HELD: AHEAD, FAILED: BEHIND}})


def every(scores: Scores, name: str, of: str = "") -> pd.DataFrame:
    """One line on "all of these are gains": held if each interval is above zero, not if one is below by Holm's test.

    In part, if some are above by that test, and no interval is below zero.
    of: which cells, in words.
    """
    found = lines(scores)
    if not len(found):
        return found
    above, behind = int((found["low"] > 0).sum()), int((found["high"] < 0).sum())
    told = multipletests(found.apply(p_value, axis=1).fillna(1), method="holm")[0]
    below = told & (found["estimate"] < 0)
    partly = (told & (found["estimate"] > 0)).any() and not behind
    verdict = FAILED if below.any() else HELD if above == len(found) else IN_PART if partly else OPEN
    printed = found["paper"].dropna()
    paper = f" (printed {int((printed > 0).sum())} of {len(printed)})" if len(printed) else ""
    line = {
        "measure": "cells ahead" + (f" ({of})" if of else ""),
        "estimate": float(above),
        "claim": name,
        "verdict": verdict,
        "counted": f"by sign {int((found['estimate'] > 0).sum())} of {len(found)}{paper}; "
        f"{above} of {len(found)} with an interval above zero",
        "why": f"{behind} behind, {int(below.sum())} of them by Holm's test" if behind else "",
        "over": scores.over,
        "better": 1,
        "unit": "",
    }
    return pd.DataFrame([line | dict.fromkeys(("sd", "seeds", "low", "high"), np.nan)])


def power(claimed: pd.DataFrame) -> pd.DataFrame:
    """Of each line with a verdict and a printed difference: what difference would be told, and would the printed one?

    Adds, the spread being what it is here: `least`, the difference that is told from none with a chance of CHANCE;
    `chance`, with which the printed one would be; `needed` for the printed one: over seeds how many of them (2 at
    least), else how many times what was drawn here. By Student's t over seeds, else by the normal law.
    """
    of = claimed[claimed["paper"].fillna(0).ne(0) & (claimed["high"] > claimed["low"])]
    found = [
        _told_by_seeds(effect, half, n) if over == SEEDS else _by_normal_law(effect, half)
        for effect, half, n, over in zip(
            of["paper"].abs(), (of["high"] - of["low"]) / 2, of["seeds"], of["over"], strict=True
        )
    ]
    columns = ["least", "chance", "needed"]
    return of.assign(**pd.DataFrame(found, columns=columns, index=of.index, dtype=float))


def _told_by_seeds(effect: float, half: float, n: float) -> tuple[float, float, float]:
    law, sd = TTestPower(), half * np.sqrt(n) / stats.t.ppf(TAIL, n - 1)
    # no number: beyond its range
    told, by_two = (np.nan_to_num(law.power(effect / sd, many, 0.05), nan=1.0) for many in (n, 2))
    needed = 2 if by_two >= CHANCE else np.ceil(law.solve_power(effect / sd, power=CHANCE, alpha=0.05))
    return sd * law.solve_power(nobs=n, alpha=0.05, power=CHANCE), told, needed


def _by_normal_law(effect: float, half: float) -> tuple[float, float, float]:
    told = stats.norm.sf(stats.norm.ppf(TAIL) * (1 - effect / half))
    least = half * (1 + stats.norm.ppf(CHANCE) / stats.norm.ppf(TAIL))
    return least, told, (least / effect) ** 2


def settle(claims: pd.DataFrame, shown: pd.DataFrame, left: pd.DataFrame) -> pd.DataFrame:
    """Every statement once: what its lines say together (`verdict`), or `why` it is not attempted.

    claims: indexed by id. shown: lines with claim and verdict. left: claim, part, why. Without a part it is the whole
    statement, and the reason wins over lines: who decided the data cannot be judged by them. With one ("on SEWA") the
    rest may hold, and the statement then held in part.

    Raises:
        ValueError: a statement has neither lines nor a reason, or a line or reason is about none.
    """
    whole = left[left["part"] == ""].set_index("claim")["why"]
    parts = left[left["part"] != ""]
    lines_of = shown.groupby("claim")["verdict"].agg(set) if len(shown) else pd.Series(dtype=object)
    told = {name: lines_of.get(name, set()) for name in claims.index}
    if odd := (set(lines_of.index) | set(left["claim"])) - set(claims.index) - {""}:
        raise ValueError(f"no statement of claims.csv that a run can test is called {', '.join(sorted(odd))}")
    if forgot := [n for n in claims.index if not told[n] and n not in set(left["claim"])]:
        raise ValueError(f"neither shown nor in not_attempted.csv: {', '.join(forgot)}")
    why = parts.groupby("claim").apply(lambda x: "; ".join(x["part"] + ": " + x["why"])) if len(parts) else {}
    verdict = [LEFT if n in whole else combined(told[n], partly=n in why) for n in claims.index]
    return claims.assign(verdict=verdict, why=[whole.get(n, why.get(n, "")) for n in claims.index])


def combined(verdicts: set[str], *, partly: bool = False) -> str:
    """The verdict on a statement by those of its lines; `partly`: some of it was not attempted.

    A line that did not hold speaks against the statement, whether others can be told or not, unless some held.
    """
    if not verdicts:
        return LEFT
    if verdicts & {HELD, IN_PART}:
        return MIXED if FAILED in verdicts else HELD if verdicts == {HELD} and not partly else IN_PART
    return FAILED if FAILED in verdicts else OPEN


def p_value(line: pd.Series) -> float:
    """Two-sided p by a line's interval: of Student's t over seeds, else of the normal law; NaN without an interval."""
    value = line["estimate"] + line["allowed"]
    arm = abs(line["estimate"] - (line["low"] if value > 0 else line["high"]))
    if np.isnan(arm):
        return np.nan
    if arm == 0:
        return float(value == 0)
    law = stats.t(line["seeds"] - 1) if line["over"] == SEEDS else stats.norm()
    return float(2 * law.sf(abs(value) / arm * law.ppf(TAIL)))


def _held_together(found: pd.DataFrame) -> pd.DataFrame:
    p = found.apply(p_value, axis=1)
    kept, adjusted = multipletests(p.fillna(1), method="holm")[:2]
    gone = found["verdict"].isin([HELD, FAILED]) & ~kept
    found.loc[gone, "why"] = [
        f"p {a:.3f} alone, {b:.2f} by Holm's test of the {len(p)} lines of this statement"
        for a, b in zip(p[gone], adjusted[gone], strict=True)
    ]
    found.loc[gone, "verdict"] = OPEN
    return found


def _line(row: Mapping[str, np.ndarray], over: str, fisher: bool) -> list[float]:
    values = row.get("seed", np.empty(0))
    values = values[np.isfinite(values)]
    sd = float(values.std(ddof=1)) if len(values) > 1 else np.nan
    draws = row.get("draw", np.array([np.nan]))
    if over == SEEDS:
        low, high = _over_seeds(values, fisher)
    elif not np.isfinite(draws).all():
        low, high = np.nan, np.nan
    else:
        low, high = _over_people(row) if over == PEOPLE else _over_both(row)
    return [row["all"][0], sd, len(values), low, high]


def _over_seeds(values: np.ndarray, fisher: bool) -> tuple[float, float]:
    if len(values) < 2 or (fisher and (np.abs(values) == 1).any()):  # z of a perfect correlation is infinite
        return np.nan, np.nan
    x = np.arctanh(values) if fisher else values
    half = stats.t.ppf(TAIL, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    low, high = x.mean() - half, x.mean() + half
    return (np.tanh(low), np.tanh(high)) if fisher else (low, high)


def _over_people(row: Mapping[str, np.ndarray]) -> tuple[float, float]:
    g = int(row["units"][0])
    tail = stats.norm.cdf(np.sqrt(g / (g - 1)) * stats.t.ppf(1 - TAIL, g - 1))
    low, high = np.quantile(row["draw"], [tail, 1 - tail])
    return float(low), float(high)


def _over_both(row: Mapping[str, np.ndarray]) -> tuple[float, float]:
    without = [row[kind][np.isfinite(row[kind])] for kind in ("without unit", "without seed")]
    if len(without[0]) != int(row["units"][0]):
        return np.nan, np.nan
    low, middle, high = np.quantile(row["draw"], [1 - TAIL, 0.5, TAIL])
    u, s = (((len(x) - 1) * np.var(x), len(x) - 1) for x in without)
    spread = u[0] ** 2 / u[1] + s[0] ** 2 / s[1]
    df = (u[0] + s[0]) ** 2 / spread if spread else u[1] + s[1]
    stretch = stats.t.ppf(TAIL, df) / stats.norm.ppf(TAIL)
    return middle - stretch * (middle - low), middle + stretch * (high - middle)
