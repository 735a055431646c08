"""Statistics and printed numbers that several parts of foteinopoulou2021's page share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from paperlib import metrics, stats
from paperlib.companion.published import read_table
from paperlib.data.records import FaceSet, SequenceSet
from paperlib.papers.foteinopoulou2021.plan import DIMENSIONS, ERRORS, KEY


def printed_t_tests() -> pd.DataFrame:
    """Table III's t-test from its printed summaries alone, under each reading of the spread and each convention."""
    cells = read_table(KEY, 3).set_index(["row", "dimension", "quantity"])["value"]
    lines = []
    for d in DIMENSIONS:
        for reading, deviation in (("a standard deviation", np.asarray), ("a variance", np.sqrt)):
            for name, pooled in (("Welch (eq. 6)", False), ("Student", True)):
                summaries = [
                    (
                        cells[f"AffectNet {s}", d, "mean_variance"],
                        float(deviation(cells[f"AffectNet {s}", d, "std"])),
                        int(cells[f"AffectNet {s}", "", "n"]),
                    )
                    for s in ("clean", "noisy")
                ]
                test = stats.t_test_from_summary(
                    *summaries[0], *summaries[1], equal_variance=pooled, alternative="less"
                )
                lines.append((d, reading, name, f"{test.statistic:.2f}", f"{test.df:.1f}", f"{test.p:.2g}"))
    return pd.DataFrame(lines, columns=["dimension", "spread is", "test", "t", "df", "one-tailed p"])


def every(gains: Sequence[Sequence[float]]) -> tuple[stats.Verdict, int, int]:
    """Verdict on "every gain is above zero", of one or more gains with a value a seed each; how many are ahead, behind.

    Ahead: the 95 % t interval over seeds lies above zero. If each does, "every" held, and needs no correction: one that
    does not is enough against it. Behind: below zero by the paired t-test at 5 %, Holm-corrected for as many gains as
    there are. If one is, "every" did not hold; uncorrected, one of many would be by chance.

    Raises:
        ValueError: no gain at all, of which everything would be true.
    """
    if not gains:
        raise ValueError("there is no gain to judge")
    means = [stats.mean_interval(g) for g in gains]
    p = [stats.paired_difference(g, np.zeros(len(g))).p for g in gains]
    rejected = multipletests(np.nan_to_num(p, nan=1.0), alpha=0.05, method="holm")[0]
    ahead = sum(stats.verdict(m, 1) is stats.Verdict.HELD for m in means)
    behind = sum(bool(r) and m.estimate < 0 for r, m in zip(rejected, means, strict=True))
    if behind:
        return stats.Verdict.DID_NOT_HOLD, ahead, behind
    return stats.Verdict.HELD if ahead == len(means) else stats.Verdict.CANNOT_TELL, ahead, behind


def in_range(measure: str, values: Sequence[float]) -> dict[str, Any]:
    """For `Ledger.add`: an interval of the mean over seeds that stays where the measure can be.

    A correlation: the t interval of Fisher's z, transformed back. A share, coverage or error: the t interval, cut at
    the end of the range if it goes beyond; a mean of such values cannot lie there. Nothing for other measures.
    """
    if "PCC" in measure:
        inside = np.clip(values, np.finfo(float).eps - 1, 1 - np.finfo(float).eps)
        z = stats.mean_interval(np.arctanh(inside))
        interval = replace(z, estimate=float(np.mean(values)), low=np.tanh(z.low), high=np.tanh(z.high))
        return {"interval": interval, "about": f"95 % t interval over {z.n} seeds, of Fisher's z"}
    plain = stats.mean_interval(values)
    highest = 1.0 if "coverage" in measure or "share" in measure else np.inf
    bounded = np.isfinite(highest) or measure in (*ERRORS.values(),)
    if not bounded or not (plain.low < 0 or plain.high > highest):
        return {}
    cut = replace(plain, low=max(plain.low, 0.0), high=min(plain.high, highest))
    return {"interval": cut, "about": f"95 % t interval over {plain.n} seeds, cut at the measure's range"}


def pcc(a: NDArray, b: NDArray) -> float:
    return float(metrics.pcc(a, b))


def rated_variance(record: FaceSet | SequenceSet) -> tuple[NDArray, NDArray]:
    """Which items (indices) have a raters' variance in both dimensions, and that variance (n, 2), over K - 1."""
    assert record.ratings is not None
    observed = stats.observed_variance(record.ratings)
    items = np.flatnonzero(np.isfinite(observed).all(axis=1))
    return items, observed[items]


def printed_cells(cells: pd.DataFrame) -> str:
    """A printed cell as printed.

    Raises:
        LookupError: the paper has no such cell, or several.
    """
    if len(cells) != 1:
        raise LookupError(f"asked for one printed cell; got {len(cells)}: {list(cells['cell'])}")
    return str(cells["printed"].iloc[0])
