"""Figures of the comparison: every method's dots, a panel a measure, and risk over coverage."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paperlib.calibration import Reliability
from paperlib.plots import GREY, LIGHT_GREY, LINES, PALETTE, _drawing, _figure, _look
from paperlib.stats import mean_interval

# What a method is told of a training face, and how its dots look; markers tell them apart without colour.
LOOKS = {
    "nothing": (PALETTE["black"], "o"),
    "one rater": (PALETTE["blue"], "s"),
    "all raters": (PALETTE["vermillion"], "^"),
}
WORDS = {
    "nothing": "told the label alone",
    "one rater": "told one rater's place too",
    "all raters": "told all raters",
}


@_drawing
def rows(
    panels: Mapping[str, Mapping[str, NDArray]],
    told: Mapping[str, str],
    *,
    references: Mapping[str, Mapping[str, float]] | None = None,
) -> Figure:
    """One value a seed of every row, a panel a measure: small dots, their mean, and its 95 % t interval.

    A panel is as wide as its dots: an interval over three seeds can be wider than all rows together, and is cut.

    Args:
        panels: axis label -> row -> (seeds,).
        told: row -> what its method is told, a key of LOOKS.
        references: axis label -> name -> a value that a dashed line marks, such as a ceiling.
    """
    if not panels or len({tuple(of) for of in panels.values()}) != 1:
        raise ValueError("every panel must have the same rows")
    names = list(next(iter(panels.values())))
    _check(names, told)
    figure = _figure(1.2 + 0.19 * len(names))
    figure.set_layout_engine("constrained", w_pad=0.08)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (label, of) in zip(axes, panels.items(), strict=True):
        for i, name in enumerate(names):
            colour, marker = LOOKS[told[name]]
            values = np.asarray(of[name], dtype=np.float64)
            ax.plot(values, np.full(len(values), i), ".", color=LIGHT_GREY, markersize=4, zorder=1)
            if len(values) > 1:
                found = mean_interval(values)
                ax.plot([found.low, found.high], [i, i], color=colour, linewidth=1.2, zorder=2)
            ax.plot(values.mean(), i, marker, color=colour, markersize=4.5, zorder=3)
        for style, (name, value) in zip(LINES[1:], (references or {}).get(label, {}).items(), strict=False):
            ax.axvline(value, color=GREY, linestyle=style, linewidth=1, label=name, zorder=0)
        ax.set_xlabel(label)
        ax.grid(axis="y", color=LIGHT_GREY, linewidth=0.4)
        shown = [*np.concatenate([of[name] for name in names]), *(references or {}).get(label, {}).values()]
        low, high = min(shown), max(shown)
        room = 0.18 * (high - low or 1.0)
        ax.set_xlim(low - room, high + room)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    used = list(dict.fromkeys(told[name] for name in names))
    handles = [
        axes[0].plot([], [], LOOKS[kind][1], color=LOOKS[kind][0], label=WORDS[kind])[0] for kind in used
    ]
    lines = {h.get_label(): h for ax in axes for h in ax.get_legend_handles_labels()[0]}
    dashed = [h for name, h in lines.items() if name not in WORDS.values()]
    figure.legend(handles=[*handles, *dashed], loc="outside lower center", ncols=3)
    return figure


@_drawing
def reliability(panels: Mapping[str, Mapping[str, Reliability]]) -> Figure:
    """Accuracy over confidence, a panel for each group of methods with its own legend; the diagonal is calibrated."""
    figure = _figure(2.8)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (name, methods) in zip(axes, panels.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=LIGHT_GREY, linewidth=0.8)
        for i, (method, bins) in enumerate(methods.items()):
            use = bins.n >= 20  # a share of a handful says nothing
            look = _look(i) | {"markersize": 3.5, "linewidth": 1}
            ax.plot(
                bins.confidence[use],
                bins.accuracy[use],
                linestyle=LINES[i % len(LINES)],
                label=method,
                **look,
            )
        ax.set(title=name, xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="confidence (share)")
        ax.legend(loc="lower right", fontsize=6.5, handlelength=1.8, labelspacing=0.25)
    axes[0].set_ylabel("accuracy (share)")
    return figure


@_drawing
def risk_curves(curves: Mapping[str, NDArray], told: Mapping[str, str]) -> Figure:
    """Share of errors among the faces a method answers, over the share that it answers.

    Args:
        curves: row -> (seeds, m), the risk of the surest 1, ..., m faces.
        told: row -> what its method is told, a key of LOOKS.
    """
    _check(curves, told)
    for name, seeds in curves.items():
        if np.ndim(seeds) != 2 or not np.size(seeds):
            raise ValueError(f"{name}: expected (seeds, m); got {np.shape(seeds)}")
    figure = _figure(3.2)
    ax = figure.subplots()
    style: dict[str, int] = {}
    top = 0.0
    for name, seeds in curves.items():
        colour, _ = LOOKS[told[name]]
        k = style[told[name]] = style.get(told[name], -1) + 1
        mean = np.asarray(seeds, dtype=np.float64).mean(axis=0)
        coverage = np.arange(1, len(mean) + 1) / len(mean)
        shown = coverage >= 0.05  # a handful of faces says nothing
        ax.plot(coverage[shown], mean[shown], color=colour, linestyle=LINES[k % len(LINES)], label=name)
        top = max(top, float(mean[shown].max()))
    ax.set(
        xlim=(0, 1), ylim=(0, 1.05 * top or 1), xlabel="coverage (share of faces answered, the surest first)"
    )
    ax.set_ylabel("risk (share of errors)")
    figure.legend(loc="outside right center")
    return figure


def _check(names: Collection[str], told: Mapping[str, str]) -> None:
    lacking = [name for name in names if told.get(name) not in LOOKS]
    if lacking or not names:
        raise ValueError(
            f"every row must be told one of {', '.join(LOOKS)}; not so: {', '.join(lacking) or 'no row'}"
        )
