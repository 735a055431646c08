"""Figures of the comparison: every method's dots, a panel a measure, and risk over coverage."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from paperlib.calibration import Reliability
from paperlib.plots import GREY, LIGHT_GREY, LINES, PALETTE, _drawing, _figure, _look

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
SEED = "#999999"  # lighter than a mean, darker than the grid
POINTS = 200  # of a curve
# Middling bars' widths from the baseline; a mean farther off is an arrow at the edge, so that the bars can be seen.
FAR = 10


@_drawing
def rows(
    panels: Mapping[str, Mapping[str, NDArray]],
    told: Mapping[str, str],
    *,
    baseline: str,
    apart: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
    references: Mapping[str, Mapping[str, tuple[float, str]]] | None = None,
) -> Figure:
    """One value a seed of every row, a panel a measure: small dots, their mean, and how surely it is apart.

    Where there are bars, a mean that lies FAR off stands at the edge as an arrow with its value.

    Args:
        panels: axis label -> row -> (seeds,).
        told: row -> what its method is told, a key of LOOKS.
        baseline: the row whose mean the grey line marks.
        apart: axis label -> row -> the interval of its difference from the baseline, laid off from the grey line; a
            row whose bar misses the line surely differs.
        references: axis label -> name -> (value, the style of its line).
    """
    if not panels or len({tuple(of) for of in panels.values()}) != 1:
        raise ValueError("every panel must have the same rows")
    names = list(next(iter(panels.values())))
    _check([*names, baseline], told)
    apart, references = apart or {}, references or {}
    figure = _figure(1.3 + 0.19 * len(names))
    figure.set_layout_engine("constrained", w_pad=0.08)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    arrows = False
    for ax, (label, of) in zip(axes, panels.items(), strict=True):
        bars, lines = apart.get(label, {}), references.get(label, {})
        middle = np.mean(of[baseline])
        reach = FAR * np.median(np.ptp(list(bars.values()), axis=1)) if bars else np.inf
        near = [name for name in names if abs(np.mean(of[name]) - middle) <= reach]
        shown = [
            *np.concatenate([of[name] for name in near]),
            *np.ravel([bars[name] for name in near if name in bars]),
            *(value for value, _ in lines.values()),
        ]
        low, high = min(shown), max(shown)
        room = 0.06 * (high - low or 1.0)
        ax.set_xlim(low - room, high + room)
        ax.axvline(middle, color=GREY, linewidth=0.8, label=f"mean of the {baseline}", zorder=0)
        for i, name in enumerate(names):
            colour, marker = LOOKS[told[name]]
            values = np.asarray(of[name], dtype=np.float64)
            ax.plot(values, np.full(len(values), i), ".", color=SEED, markersize=4, zorder=1)
            if name in bars:
                ax.plot(bars[name], [i, i], color=colour, linewidth=1.2, zorder=2)
            if name in near:
                ax.plot(values.mean(), i, marker, color=colour, markersize=4.5, zorder=3)
            else:
                _arrow(ax, values.mean(), i, colour)
                arrows = True
        for name, (value, style) in lines.items():
            ax.axvline(value, color=GREY, linestyle=style, linewidth=1.2, label=name, zorder=0)
        ax.set_xlabel(label)
        ax.grid(axis="y", color=LIGHT_GREY, linewidth=0.4)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    used = list(dict.fromkeys(told[name] for name in names))
    handles = [
        axes[0].plot([], [], LOOKS[kind][1], color=LOOKS[kind][0], label=WORDS[kind])[0] for kind in used
    ]
    handles.append(axes[0].plot([], [], ".", color=SEED, markersize=4, label="a seed")[0])
    if apart:
        words = f"95 % interval of the difference\nfrom the {baseline}"
        handles.append(axes[0].plot([], [], color=GREY, linewidth=1.2, marker="o", label=words)[0])
    if arrows:
        words = "a mean farther off, as written"
        handles.append(axes[0].plot([], [], "<", color=GREY, markersize=4.5, label=words)[0])
    drawn = {h.get_label(): h for ax in axes for h in ax.get_legend_handles_labels()[0]}
    own = {h.get_label() for h in handles}
    figure.legend(
        handles=[*handles, *(h for name, h in drawn.items() if name not in own)],
        loc="outside lower center",
        ncols=2,
    )
    return figure


def _arrow(ax: Axes, mean: float, place: int, colour: str) -> None:
    """At the edge beyond which a row's mean lies, with its value."""
    left = mean < ax.get_xlim()[0]
    edge, marker, away = (0.0, "<", 1) if left else (1.0, ">", -1)
    across = ax.get_yaxis_transform()  # of the axes from side to side, of the data from row to row
    ax.plot(edge, place, marker, color=colour, markersize=4.5, transform=across, clip_on=False, zorder=3)
    ax.annotate(
        f"{mean:.2f}".replace("-", "\N{MINUS SIGN}"),
        (edge, place),
        xycoords=across,
        xytext=(6 * away, 0),
        textcoords="offset points",
        ha="left" if left else "right",
        va="center",
        fontsize=6.5,
        color=colour,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
    )


@_drawing
def reliability(panels: Mapping[str, Mapping[str, Reliability]]) -> Figure:
    """Accuracy over confidence, a panel for each group of methods with its own legend; the diagonal is calibrated."""
    figure = _figure(3.6)
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
        # below, where no line runs
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), fontsize=6.5, labelspacing=0.25)
    axes[0].set_ylabel("accuracy (share)")
    return figure


@_drawing
def risk_curves(
    panels: Mapping[str, Mapping[str, NDArray]], told: Mapping[str, str], *, baseline: NDArray
) -> Figure:
    """Share of errors among the faces a method answers, over the share that it answers: a panel a method.

    Args:
        panels: method -> measure -> (seeds, m), the risk of the surest 1, ..., m faces: their mean, and a band from the
            least to the greatest seed.
        told: method -> what it is told, a key of LOOKS.
        baseline: (seeds, m), the curve whose mean is grey in every panel.
    """
    _check(panels, told)
    for name, of in {"the baseline": {"": baseline}, **panels}.items():
        for seeds in of.values():
            if np.ndim(seeds) != 2 or not np.size(seeds):
                raise ValueError(f"{name}: expected (seeds, m); got {np.shape(seeds)}")
    lines = -(-len(panels) // 3)
    figure = _figure(0.6 + 1.6 * lines)
    axes = figure.subplots(lines, 3, squeeze=False, sharex=True, sharey=True).ravel()
    m = np.shape(baseline)[1]
    coverage = np.arange(1, m + 1) / m
    # A handful of faces says nothing, and more points than print can show make files of megabytes.
    shown = np.unique(np.ceil(np.linspace(0.05, 1, POINTS) * m).astype(int)) - 1
    top = 0.0
    for ax, (name, of) in zip(axes, panels.items(), strict=False):
        colour, _ = LOOKS[told[name]]
        ax.plot(coverage[shown], np.mean(baseline, axis=0)[shown], color=GREY, linewidth=0.8)
        for (measure, seeds), style in zip(of.items(), LINES[:2] + LINES[3:], strict=False):
            risk = np.asarray(seeds, dtype=np.float64)[:, shown]
            ax.plot(coverage[shown], risk.mean(axis=0), color=colour, linestyle=style, label=measure)
            band = (risk.min(axis=0), risk.max(axis=0))
            ax.fill_between(coverage[shown], *band, color=colour, alpha=0.2, linewidth=0)
            top = max(top, float(risk.max()))
        ax.set_title(name)
        ax.legend(loc="upper left", fontsize=6.5, handlelength=2, labelspacing=0.2)
    for ax in axes[len(panels) :]:
        ax.set_axis_off()
    axes[0].set(xlim=(0, 1), ylim=(0, 1.25 * top or 1))
    figure.supxlabel("coverage (share of faces answered, the surest first)", fontsize=8)
    figure.supylabel("risk (share of errors)", fontsize=8)
    return figure


def _check(names: Collection[str], told: Mapping[str, str]) -> None:
    lacking = [name for name in names if told.get(name) not in LOOKS]
    if lacking or not names:
        raise ValueError(
            f"every row must be told one of {', '.join(LOOKS)}; not so: {', '.join(lacking) or 'no row'}"
        )
