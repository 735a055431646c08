"""The look of all figures, and the one interval plot."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

OURS, PRINTED, ZERO = "0.1", "0.5", "0.75"


def style() -> None:
    """Seaborn's white grid, colours that the colour-blind can tell apart, letters that can be read in print."""
    sns.set_theme(context="notebook", style="whitegrid", palette="colorblind", font_scale=0.9)


def forest(
    lines: pd.DataFrame, *, y: str, panel: str, label: str = "", zero: bool = False, width: float = 3.2
) -> Figure:
    """Estimates with their 95 % intervals, a panel each value of `panel`; hollow diamonds are the paper's numbers.

    lines: of `paperlib.companion.verdicts.lines`, one for each y and panel. label: of the x axis, with its unit.
    zero: draws the line of no difference.
    """
    rows, panels = (list(dict.fromkeys(lines[k].astype(str))) for k in (y, panel))
    one = lines["measure"].nunique() == 1  # numbers of one measure are read on one scale
    figure = Figure(figsize=(width * len(panels) + 1.4, 0.36 * len(rows) + 1.1), layout="constrained")
    axes = figure.subplots(1, len(panels), sharex=one, sharey=True, squeeze=False)[0]
    for ax, name in zip(axes, panels, strict=True):
        of = lines[lines[panel].astype(str) == name]
        at = [rows.index(v) for v in of[y].astype(str)]
        if zero:
            ax.axvline(0, color=ZERO, linewidth=1.5)
        ax.hlines(at, of["low"], of["high"], color=OURS, linewidth=2)
        ax.plot(of["estimate"], at, "o", color=OURS, label="measured here")
        if of["paper"].notna().any():
            ax.plot(of["paper"], at, "D", markerfacecolor="none", color=PRINTED, label="printed")
        ax.set(
            title=name, xlabel=label or str(of["measure"].iloc[0]), yticks=range(len(rows)), yticklabels=rows
        )
        ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.grid(axis="y", visible=False)
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    if lines["paper"].notna().any():
        marks = {
            text: mark for ax in axes for mark, text in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        figure.legend(marks.values(), marks, loc="outside lower center", ncols=2, fontsize=8)
    return figure
