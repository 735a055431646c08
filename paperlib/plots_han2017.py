"""han2017's figures, in the manner of `plots`: functions from arrays to a matplotlib Figure.

E is the emotional state (the gold standard), sigma the perception uncertainty (the raters' standard deviation); in a
name, "sigma" is shown as the letter. Bars on means over seeds are standard errors; a single seed has none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch
from numpy.typing import NDArray

from paperlib.plots import GREY, LINES, PALETTE, _drawing, _figure, _look, _picture
from paperlib.stats import mean_interval

BIN = 0.025  # of the histograms, in units of the rescaled uncertainty
_SIGNS = ((">", "black"), ("o", "white"), ("<", PALETTE["vermillion"]))  # better, neither, worse
_NETWORK = ("input", "noise", "layer", "output")


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment of a recording: its time, what the raters said around it, and how it is labelled."""

    time: float  # seconds, on the axis of `seconds`
    seconds: NDArray  # (T,)
    ratings: NDArray  # (T, K) of K raters, -1 to 1
    gold: NDArray  # (T,)
    state: float  # E at `time`
    uncertainty: float  # sigma at `time`
    image: NDArray[np.uint8] | None  # the face at `time`, (h, w) grey


FramePair: TypeAlias = tuple[Moment, Moment]


@dataclass(frozen=True, kw_only=True)
class DifferenceRow:
    """The CCC of multi-task minus that of single-task learning, and two 95 % intervals (low, high)."""

    name: str
    estimate: float
    frames: tuple[float, float]  # Fisher's r to z, frames taken as independent
    bootstrap: tuple[float, float]  # over whole pairs of recordings and seeds
    group: str = ""  # rows of one group stand together, under its name


@_drawing
def uncertainty_distribution(values: Mapping[str, Mapping[str, NDArray]]) -> Figure:
    """Figure 1: density of the rescaled uncertainty, dimension -> partition -> sigma (frames,), about 0 to 1."""
    figure = _figure(2.8)
    axes = figure.subplots(1, len(values), squeeze=False, sharex=True, sharey=True)[0]
    every = np.concatenate([sigma for partitions in values.values() for sigma in partitions.values()])
    if not np.isfinite(every).all():
        raise ValueError(
            f"{np.sum(~np.isfinite(every))} uncertainties are not finite; leave those frames out"
        )
    first, last = np.floor(min(every.min(), 0) / BIN), np.ceil(max(every.max(), 1) / BIN)
    edges = BIN * np.arange(first, last + 1)
    for i, (ax, (dimension, partitions)) in enumerate(zip(axes, values.items(), strict=True)):
        for k, (name, sigma) in enumerate(partitions.items()):
            density = np.histogram(sigma, edges, density=True)[0]
            look = {"color": _look(k)["color"], "linestyle": LINES[k], "linewidth": 1.4}
            ax.stairs(density, edges, label=f"{name}, n = {len(sigma):,}", **look)
        ax.set(
            xlabel="perception uncertainty, rescaled\n(0 and 1: extremes of training)",
            xlim=(edges[0], edges[-1]),
        )
        _name(ax, i, dimension)
    axes[0].set_ylabel("density (frames)")
    _shared_legend(figure, axes, ncols=3)
    return figure


@_drawing
def frame_pairs(pairs: Sequence[FramePair], *, dimension: str = "arousal") -> Figure:
    """Figures 2 and 3: pairs of moments, comparable in state; left the less uncertain one, right the more uncertain."""
    pictured = any(moment.image is not None for pair in pairs for moment in pair)
    figure = _figure(0.5 + 1.75 * len(pairs))
    widths = (3.2, 1, 3.2, 1) if pictured else (1, 1)
    axes = figure.subplots(len(pairs), len(widths), squeeze=False, width_ratios=widths)
    moments = [moment for pair in pairs for moment in sorted(pair, key=lambda m: m.uncertainty)]
    panels = axes[:, :: len(widths) // 2].flat
    for i, (ax, moment) in enumerate(zip(panels, moments, strict=True)):
        ax.plot(moment.seconds, moment.ratings, color=GREY, linewidth=0.6, alpha=0.8)
        ax.plot(moment.seconds, moment.gold, color=PALETTE["blue"], linewidth=2.2)
        ax.axvline(moment.time, color=PALETTE["vermillion"], linestyle="--", linewidth=1.1)
        now = moment.ratings[np.abs(moment.seconds - moment.time).argmin()]
        ax.plot(np.full(len(now), moment.time), now, "o", color="black", markersize=2.5)
        _name(ax, i, f"E = {moment.state:z.2f}, σ = {moment.uncertainty:.2f}".replace("-", "\N{MINUS SIGN}"))
        ax.set(
            ylim=(-1, 1), yticks=(-1, 0, 1), xlim=(moment.seconds[0], moment.seconds[-1]), xlabel="time (s)"
        )
        ax.set_ylabel(f"rating of {dimension}" if i % 2 == 0 else "")
    if pictured:
        for face, moment in zip(axes[:, 1::2].flat, moments, strict=True):
            face.axis("off")
            if moment.image is not None:
                _picture(face, moment.image)
    names = ("rater", "gold standard", "the moment", "raters at that moment")
    figure.legend([*axes[0, 0].lines[:1], *axes[0, 0].lines[-3:]], names, loc="outside lower center", ncols=4)
    return figure


@_drawing
def traces(panels: Mapping[str, tuple[NDArray, NDArray, NDArray]], *, unit: str = "") -> Figure:
    """Figure 4: panels such as "E, arousal", each (seconds, gold, predicted); (T,), or predicted (seeds, T) for a band.

    `unit` is that of gold and predicted.
    """
    figure = _figure(0.4 + 1.75 * -(-len(panels) // 2))
    axes = _grid(figure, panels)
    for ax, (name, (seconds, gold, predicted)) in zip(axes, panels.items(), strict=True):
        runs = np.atleast_2d(predicted)
        ax.plot(seconds, gold, color=PALETTE["blue"], linewidth=1.8, label="gold standard")
        said = "prediction, mean of seeds" if len(runs) > 1 else "prediction"
        dashes: Any = (0, (4, 1))
        ax.plot(seconds, runs.mean(axis=0), color=PALETTE["vermillion"], linestyle=dashes, label=said)
        if len(runs) > 1:
            look: dict[str, Any] = {"color": PALETTE["vermillion"], "alpha": 0.25, "linewidth": 0}
            ax.fill_between(
                seconds, runs.min(axis=0), runs.max(axis=0), label="lowest to highest seed", **look
            )
        quantity = _greek(name.partition(",")[0])
        ax.set(xlim=(seconds[0], seconds[-1]), xlabel="time (s)")
        ax.set_ylabel(f"{quantity} ({unit})" if unit else quantity)
    _shared_legend(figure, axes, ncols=3)
    return figure


@_drawing
def weight_sweep(
    panels: Mapping[str, Mapping[str, Mapping[float, NDArray]]],
    *,
    chosen: Mapping[str, Mapping[str, Sequence[float]]],
) -> Figure:
    """CCC over the weights of eq. 7: panel -> "E" or "sigma" -> w_E -> CCC (seeds,); a star is the best mean.

    A weight of 0 or 2 is a single-task network's, one end of a curve, and has an open square.
    `chosen` has the weights that are used, panel -> target -> w_E of each seed: diamonds at the bottom.
    """
    figure = _figure(0.6 + 2.1 * -(-len(panels) // 2))
    axes = _grid(figure, panels)
    star: dict[str, Any] = {
        "marker": "*",
        "markersize": 12,
        "markeredgecolor": "black",
        "linestyle": "",
        "zorder": 3,
    }
    alone: dict[str, Any] = {"marker": "s", "markersize": 8, "markerfacecolor": "none", "linestyle": ""}
    used: dict[str, Any] = {"marker": "D", "markersize": 4, "linestyle": "", "alpha": 0.7}
    for ax, (panel, curves) in zip(axes, panels.items(), strict=True):
        for k, (name, by_weight) in enumerate(curves.items()):
            weights = np.array(sorted(by_weight))
            look = {**_look(k + 1), "linestyle": LINES[k], "markersize": 3.5, "label": _greek(name)}
            mean = _means(ax, weights, [by_weight[w] for w in weights], **look)
            single = (weights == 0) | (weights == 2)
            ax.plot(weights[single], mean[single], color=look["color"], **alone)
            best = int(mean.argmax())
            ax.plot(weights[best], mean[best], color=look["color"], **star)
            x = np.array(chosen[panel][name])
            height = np.full(len(x), 0.05 + 0.08 * k)
            ax.plot(x, height, color=look["color"], transform=ax.get_xaxis_transform(), **used)
        low, high = ax.get_ylim()
        ax.set_ylim(low - 0.15 * (high - low), high)
        ax.set(
            xlabel=r"weight of the emotional state, $w_E$ ($w_\sigma = 2 - w_E$)",
            ylabel="CCC on development\n(± standard error of seeds)",
        )
    axes[0].plot([], [], color="black", label="single-task: one end of each curve", **alone)
    axes[0].plot([], [], color="white", label="highest mean", **star)
    axes[0].plot([], [], color="black", label="chosen and used, one a seed", **used)
    _shared_legend(figure, axes, ncols=3)
    return figure


@_drawing
def processing_gains(panels: Mapping[str, Mapping[str, Mapping[str, NDArray]]]) -> Figure:
    """CCC (seeds,) after each step of post-processing: panel -> "audio dev", "audio test", ... -> step -> scores.

    Colour and marker tell the modality; development is solid and filled, test dashed and open.
    """
    figure = _figure(0.5 + 1.9 * -(-len(panels) // 2))
    axes = _grid(figure, panels)
    for ax, series in zip(axes, panels.values(), strict=True):
        modalities = list(dict.fromkeys(key.rpartition(" ")[0] for key in series))
        for k, (key, by_step) in enumerate(series.items()):
            modality, _, partition = key.rpartition(" ")
            look = {**_look(modalities.index(modality) + 1), "markersize": 4, "linewidth": 1.2, "label": key}
            if partition == "test":
                look |= {"linestyle": "--", "markerfacecolor": "white"}
            x = np.arange(len(by_step)) + 0.05 * (k - (len(series) - 1) / 2)
            _means(ax, x, list(by_step.values()), **look)
            ax.set_xticks(range(len(by_step)), list(by_step))
        ax.set_ylabel("CCC (mean ± standard\nerror of seeds)")
    _shared_legend(figure, axes, ncols=len(modalities))
    return figure


@_drawing
def differences(rows: Sequence[DifferenceRow]) -> Figure:
    """What multi-task learning gains, row by row, with both intervals; a triangle where the bootstrap's excludes 0."""
    figure = _figure(0.85 + 0.21 * len(rows))
    ax = figure.subplots()
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=2.5)
    thin: dict[str, Any] = {"color": PALETTE["vermillion"], "linewidth": 1.2}
    thick: dict[str, Any] = {"color": PALETTE["sky"], "linewidth": 3.5, "solid_capstyle": "butt"}
    dot: dict[str, Any] = {"markersize": 5, "color": "black", "linestyle": "", "zorder": 3}
    signs: list[dict[str, Any]] = [{"marker": m, "markerfacecolor": c} for m, c in _SIGNS]
    better, neither, worse = signs
    for i, row in enumerate(rows):
        ax.plot(row.bootstrap, (i + 0.1, i + 0.1), **thick)
        ax.plot(row.frames, (i - 0.2, i - 0.2), **thin)
        sign = better if row.bootstrap[0] > 0 else worse if row.bootstrap[1] < 0 else neither
        ax.plot(row.estimate, i + 0.1, **dot, **sign)
    names = [row.group for row in rows]
    for k, group in enumerate(dict.fromkeys(names) if any(names) else ()):
        first, last = names.index(group), len(names) - 1 - names[::-1].index(group)
        ax.axhspan(first - 0.5, last + 0.5, color="white" if k % 2 == 0 else "#f2f2f2", zorder=0)
        ax.annotate(
            group, (1.01, (first + last) / 2), xycoords=ax.get_yaxis_transform(), rotation=90, va="center"
        )
    ax.set(yticks=range(len(rows)), ylim=(len(rows) - 0.5, -0.5), xlabel="CCC, multi-task minus single-task")
    ax.set_yticklabels([_greek(row.name) for row in rows])
    handles = {
        "95 % interval, frames as n (Fisher)": Line2D([], [], **thin),
        "95 % interval, bootstrap": Line2D([], [], **thick),
        "multi-task better by the bootstrap": Line2D([], [], **dot, **better),
        "neither": Line2D([], [], **dot, **neither),
        "multi-task worse by the bootstrap": Line2D([], [], **dot, **worse),
    }
    figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=2)
    return figure


@_drawing
def delay_curves(curves: Mapping[str, Mapping[float, float]], *, chosen: float) -> Figure:
    """Correlation of a linear model on development by the delay (s) taken off the ratings; dashed is the one used."""
    figure = _figure(2.8)
    ax = figure.subplots()
    ax.axvline(chosen, color=GREY, linestyle="--", linewidth=1, label=f"used: {chosen:g} s")
    for k, (name, by_delay) in enumerate(curves.items(), start=1):
        delays = np.array(sorted(by_delay))
        r = np.array([by_delay[d] for d in delays])
        best, look = int(np.nanargmax(r)), _look(k)
        label = f"{_greek(name)}: highest at {delays[best]:g} s"
        look |= {"markersize": 7, "markevery": [best], "markeredgecolor": "black", "linestyle": LINES[k - 1]}
        ax.plot(delays, r, label=label, **look)
    ax.set(xlabel="delay of the ratings (s)", ylabel="correlation on development (r)")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside right center")
    return figure


@_drawing
def blstm(details: Mapping[str, str]) -> Figure:
    """The network as it is built; `details` are sizes by box: "input", "noise", "layer" (each of both), "output"."""
    unknown = details.keys() - set(_NETWORK)
    if unknown:
        raise ValueError(f"there are no boxes {sorted(unknown)}; choose from {', '.join(_NETWORK)}")
    figure = _figure(1.9)
    ax = figure.subplots()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")
    extra = {name: f"\n{details[name]}" if name in details else "" for name in _NETWORK}
    _box(ax, (0.08, 0.5), (0.14, 0.36), f"features{extra['input']}", "white")
    _box(ax, (0.255, 0.5), (0.13, 0.36), f"noise\n(training only){extra['noise']}", "#fdf0d5")
    for x, name in ((0.455, "layer 1"), (0.69, "layer 2")):
        _box(ax, (x, 0.5), (0.19, 0.98), "", "#f4f4f4")
        _box(ax, (x, 0.63), (0.16, 0.22), "forward LSTM →", "#d9ebf7")
        _box(ax, (x, 0.37), (0.16, 0.22), "← backward LSTM", "#d9ebf7")
        ax.text(x, 0.86, name, ha="center", va="center")
        ax.text(x, 0.14, details.get("layer", ""), ha="center", va="center", fontsize=7)
    for y, name in ((0.7, "E"), (0.3, "σ")):
        _box(ax, (0.92, y), (0.14, 0.28), f"{name}, linear{extra['output']}", "#d9ebf7")
    steps = (((0.15, 0.5), (0.19, 0.5)), ((0.32, 0.5), (0.36, 0.5)), ((0.55, 0.5), (0.595, 0.5)))
    for start, end in (*steps, ((0.785, 0.5), (0.85, 0.7)), ((0.785, 0.5), (0.85, 0.3))):
        arrow = {"arrowstyle": "-|>", "color": "black", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, start, arrowprops=arrow)
    return figure


def _grid(figure: Figure, panels: Mapping[str, object]) -> list[Axes]:
    """A named panel each, two to a row."""
    axes = list(figure.subplots(-(-len(panels) // 2), min(len(panels), 2), squeeze=False).flat)
    for i, (ax, name) in enumerate(zip(axes, panels, strict=False)):
        _name(ax, i, name)
    for ax in axes[len(panels) :]:
        ax.remove()
    return axes[: len(panels)]


def _name(ax: Axes, i: int, name: str) -> None:
    ax.set_title(f"({ascii_lowercase[i]}) {_greek(name)}")


def _greek(name: str) -> str:
    return name.replace("sigma", "σ")


def _shared_legend(figure: Figure, axes: Sequence[Axes], *, ncols: int) -> None:
    """One legend below all panels, each name once."""
    found = [ax.get_legend_handles_labels() for ax in axes]
    by_name = {name: handle for handles, names in found for handle, name in zip(handles, names, strict=True)}
    figure.legend(by_name.values(), by_name.keys(), loc="outside lower center", ncols=ncols)


def _means(ax: Axes, x: NDArray, scores: Sequence[NDArray], **look: Any) -> NDArray[np.float64]:
    """Draw the means of scores (seeds,) at x with their standard errors, and give the means back."""
    found = [mean_interval(s) for s in scores]
    mean = np.array([f.estimate for f in found])
    ax.errorbar(x, mean, yerr=[f.sd / np.sqrt(f.n) for f in found], capsize=2, elinewidth=0.8, **look)
    return mean


def _box(ax: Axes, centre: tuple[float, float], size: tuple[float, float], words: str, color: str) -> None:
    corner = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    style = "round,pad=0,rounding_size=0.015"
    ax.add_patch(FancyBboxPatch(corner, *size, boxstyle=style, facecolor=color, edgecolor=GREY))
    ax.text(*centre, words, ha="center", va="center", fontsize=7)


__all__ = [
    "DifferenceRow",
    "FramePair",
    "Moment",
    "blstm",
    "delay_curves",
    "differences",
    "frame_pairs",
    "processing_gains",
    "traces",
    "uncertainty_distribution",
    "weight_sweep",
]
