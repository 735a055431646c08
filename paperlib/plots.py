"""The papers' figures: functions from arrays to a matplotlib Figure. Nothing is shown, saved or trained here.

Arrays of two columns hold valence before arousal; panels show arousal first, as foteinopoulou2021 does.
Figures are as wide as one (3.5 in) or two (7 in) printed columns, in letters of 8 points and more. Colours
are Okabe and Ito's (jfly.uni-koeln.de/color); line style, marker or hatch repeat what a colour says, for
print in grey. A wrong shape, unequal lengths or a value that is not finite is a ValueError.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from paperlib.files import whole
from paperlib.labels import AFFECT, EXPRESSIONS
from paperlib.losses import kl_as_printed, kl_continuous
from paperlib.stats import mean_interval

PALETTE = {
    "black": "#000000",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "green": "#009E73",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "orange": "#E69F00",
    "yellow": "#F0E442",
}
GREY, LIGHT_GREY = "#6b6b6b", "#c8c8c8"
COLORS, MARKERS = tuple(PALETTE.values()), ("o", "s", "^", "D", "v", "P", "X", "*")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine draws the same letters
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8,
    "figure.titlesize": 9,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.formatter.useoffset": False,  # a network hardly trained predicts 0.13268 to 0.13274
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.6,
    "figure.dpi": 120,
    "svg.hashsalt": "paperlib",  # names of SVG elements are random without it
}
COLUMN, PAGE = 3.5, 7.0  # inches
HATCHES = ("", "////", "....", "xxxx")
UNIT = "squared label units"
Arguments = ParamSpec("Arguments")


def _drawing(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw in STYLE and settle the layout, which would else move a little each time the figure is shown."""

    @wraps(draw)
    def drawn(*args: Arguments.args, **settings: Arguments.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            figure = draw(*args, **settings)
            figure.draw_without_rendering()
            figure.set_layout_engine("none")
        return figure

    return drawn


@mpl.rc_context(STYLE)
def save(figure: Figure, folder: Path | str, name: str) -> list[Path]:
    """Write folder/name.png (200 dpi) and folder/name.svg; the same figure gives the same bytes.

    The folder is made; each file appears whole or not at all.
    """
    if Path(name).name != name:
        raise ValueError(f"name must be a plain file name without suffix; got {name!r}")
    paths = [Path(folder) / f"{name}.{suffix}" for suffix in ("png", "svg")]
    for path, metadata in zip(paths, ({"Software": None}, {"Date": None}), strict=True):
        with whole(path) as partial:
            figure.savefig(partial, dpi=200, metadata=metadata)
    return paths


# Variances


@_drawing
def rater_variance_histogram(
    variance: ArrayLike, *, items: str = "segments", title: str | None = None
) -> Figure:
    """How much raters differ (foteinopoulou2021 fig. 4): `variance` (n, 2); `items` are what a row is."""
    (values,) = _two_columns(variance=variance)
    figure, panels = _affect_panels(title, n=len(values), sharey=True)
    edges = np.histogram_bin_edges(values, bins=30)
    for column, ax in panels:
        counts, mean = np.histogram(values[:, column], bins=edges)[0], values[:, column].mean()
        ax.stairs(counts, edges, fill=True, facecolor=PALETTE["sky"], edgecolor="black", linewidth=0.5)
        ax.axvline(mean, color="black", linestyle="--", label=f"mean {mean:.3f}")
        ax.set(xlabel=f"variance of raters ({UNIT})", xlim=(edges[0], edges[-1]))
        ax.legend()
    panels[0][1].set_ylabel(f"number of {items}")
    return figure


@_drawing
def variance_by_subset(variance: ArrayLike, noisy: ArrayLike, *, title: str | None = None) -> Figure:
    """Densities of the predicted variance (n, 2), for clean labels and `noisy` ones (n,) (fig. 7)."""
    (values,) = _two_columns(variance=variance)
    flags = np.array(noisy, dtype=np.bool_)
    _same_length(variance=values, noisy=flags)
    if flags.all() or not flags.any():
        raise ValueError(f"both subsets need a row; got {np.sum(~flags)} clean and {np.sum(flags)} noisy")
    figure, panels = _affect_panels(title, height=2.7)
    clean_look: dict[str, Any] = {"facecolor": "#9fcbe6", "edgecolor": PALETTE["blue"]}
    noisy_look: dict[str, Any] = {"facecolor": "none", "edgecolor": PALETTE["vermillion"], "hatch": "////"}
    for column, ax in panels:
        edges = np.histogram_bin_edges(values[:, column], bins=30)
        for name, rows, look, line in (
            ("clean", ~flags, clean_look, "--"),
            ("noisy", flags, noisy_look, "-."),
        ):
            x = values[rows, column]
            density, mean = np.histogram(x, bins=edges, density=True)[0], x.mean()
            ax.stairs(density, edges, fill=True, linewidth=1, label=f"{name}, n = {len(x):,}", **look)
            # The lines end below the legend, which has the upper third to itself.
            ax.axvline(mean, ymax=0.7, color=look["edgecolor"], linestyle=line, label=f"mean {mean:.4f}")
        ax.set(xlabel=f"predicted variance ({UNIT})", xlim=(edges[0], edges[-1]))
        ax.set_ylim(top=1.45 * ax.get_ylim()[1])
        ax.locator_params(axis="x", nbins=4)
        ax.legend(ncols=2, loc="upper center", columnspacing=1)
    panels[0][1].set_ylabel("density (1 / squared label unit)")
    return figure


@_drawing
def variance_scatter(
    predicted: ArrayLike,
    observed: ArrayLike,
    *,
    correlation: ArrayLike,
    ceiling: ArrayLike,
    ceiling_bounds: ArrayLike | None = None,
    items: str = "segments",
    title: str | None = None,
) -> Figure:
    """Learned against the raters' variance, both (n, 2), on square-root axes (Table II, drawn).

    `correlation` (2,) and its noise `ceiling` (2,), NaN where it is not known, stand above the panels, and so do
    `ceiling_bounds` (2, 2), the ceiling's interval, where given. Black marks are means of tenths of the rows with
    t intervals that take rows as independent.
    """
    x, y = _two_columns(predicted=predicted, observed=observed)
    r, highest = np.asarray(correlation, dtype=float), np.asarray(ceiling, dtype=float)
    bounds = None if ceiling_bounds is None else np.asarray(ceiling_bounds, dtype=float)
    figure, panels = _affect_panels(title, height=3.4)
    opacity = float(np.clip(300 / len(x), 0.08, 0.6))
    for column, ax in panels:
        dots: dict[str, Any] = {"s": 6, "lw": 0, "color": PALETTE["blue"], "alpha": opacity}
        ax.scatter(x[:, column], y[:, column], rasterized=True, **dots)
        tenths = np.array_split(np.argsort(x[:, column], kind="stable"), min(10, len(x)))
        means = [mean_interval(y[rows, column]) for rows in tenths]
        centers, half = [x[rows, column].mean() for rows in tenths], [m.high - m.estimate for m in means]
        label = "mean of a tenth, 95 % interval"
        heights = [m.estimate for m in means]
        ax.errorbar(centers, heights, yerr=half, fmt="ko", ms=4, mec="white", capsize=2, label=label)
        ax.axline((0, 0), (1, 1), color=GREY, linestyle="--", linewidth=1, label="equal")
        ax.set_xscale("function", functions=(_root, np.square))
        ax.set_yscale("function", functions=(_root, np.square))
        ax.set(xlim=_padded(x[:, column]), ylim=_padded(y[:, column]))
        ax.locator_params(axis="x", nbins=5)
        known = f"{highest[column]:.2f}" if np.isfinite(highest[column]) else "not known"
        if bounds is not None:
            known += f" [{bounds[column][0]:.2f}, {bounds[column][1]:.2f}]"
        ax.set_title(f"{AFFECT[column].capitalize()}: r = {r[column]:.2f}, ceiling {known}")
        ax.set_xlabel(f"predicted variance ({UNIT})")
    panels[0][1].set_ylabel(f"variance of raters ({UNIT})")
    handles, names = panels[0][1].get_legend_handles_labels()
    dot = mpl.lines.Line2D([], [], linestyle="", marker="o", markersize=3, color=PALETTE["blue"])
    figure.legend([dot, *handles], [f"{items}, n = {len(x):,}", *names], loc="outside lower center", ncols=3)
    return figure


# Examples: labels, faces, recordings, votes


@_drawing
def labels_on_circumplex(
    affect: ArrayLike, expression: ArrayLike, noisy: ArrayLike, *, rows: ArrayLike, title: str | None = None
) -> Figure:
    """Some rows' labels on the circumplex, noisy ones ringed (fig. 6 where no picture may be shown).

    `affect` (n, 2) in [-1, 1], `expression` (n,) index of EXPRESSIONS, `noisy` (n,), and the indices of at
    most 12 `rows` to name; every row is also a grey dot.
    """
    (points,) = _two_columns(affect=affect)
    category, flags, chosen = np.asarray(expression), np.array(noisy, dtype=np.bool_), np.asarray(rows)
    _same_length(affect=points, expression=category, noisy=flags)
    if not 1 <= len(chosen) <= 12:
        raise ValueError(f"rows must name 1 to 12 rows, as many as can be read; got {len(chosen)}")
    if (category[chosen] < 0).any():
        raise ValueError(f"rows must have a category; got {np.sum(category[chosen] < 0)} without one (-1)")
    figure = _figure(3.6, title or f"{len(chosen)} labels, {np.sum(flags[chosen])} of them noisy")
    ax = figure.subplots()
    ax.add_patch(plt.Circle((0, 0), 1, fill=False, linewidth=0.8))
    ax.plot([-1, 1, np.nan, 0, 0], [0, 0, np.nan, -1, 1], color=LIGHT_GREY, linewidth=0.8)
    ax.plot(
        *points.T, ".", color=LIGHT_GREY, markersize=2, rasterized=True, label=f"all, n = {len(points):,}"
    )
    for side, align in ((-1, "right"), (1, "left")):
        here = chosen[(points[chosen, 0] >= 0) == (side > 0)]
        here = here[np.argsort(points[here, 1], kind="stable")]
        leader = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "relpos": ((1 - side) / 2, 0.5)}
        for row, height in zip(here, _spread_out(points[here, 1], gap=0.26), strict=True):
            (valence, arousal), index, noise = points[row], int(category[row]), bool(flags[row])
            ax.plot(valence, arousal, markeredgecolor="black", **_look(index))
            ax.annotate(
                f"{EXPRESSIONS[index]}{' (noisy)' * noise}\nA {_signed(arousal)}, V {_signed(valence)}",
                (valence, arousal),
                xytext=(1.25 * side, height),
                ha=align,
                va="center",
                fontweight="bold" if noise else "normal",
                arrowprops={**leader, "shrinkB": 6 if noise else 3},
            )
    rings = points[chosen[flags[chosen]]].T
    ax.plot(
        *rings, "o", color="none", markersize=12, markeredgecolor="black", label="category contradicts place"
    )
    ax.set(xlabel="valence (label units)", ylabel="arousal (label units)", aspect="equal", xlim=(-2.6, 2.6))
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    ax.spines[["bottom", "left"]].set_bounds(-1, 1)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@_drawing
def faces_with_labels(
    images: NDArray[np.uint8],
    captions: Sequence[str],
    *,
    columns: int,
    row_titles: Sequence[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Pictures (n, size, size) grey or (n, size, size, 3) RGB with captions, `columns` to a row (fig. 6)."""
    _same_length(images=images, captions=captions)
    count = -(-len(images) // columns)
    names = list(row_titles) if row_titles is not None else [""] * count
    if len(names) != count:
        raise ValueError(
            f"{len(images)} pictures, {columns} to a row, need {count} row titles; got {len(names)}"
        )
    lines = max(caption.count("\n") + 1 if caption else 0 for caption in captions)
    figure = _figure(count * (PAGE / columns + 0.14 * lines) + 0.25 * bool(title), title)
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # type: ignore[union-attr,call-arg]
    axes = figure.subplots(count, columns, squeeze=False)
    for ax, image, caption in zip(axes.flat, images, captions, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
        ax.set_title(caption, fontsize=8, pad=2)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, name in zip(axes[:, 0], names, strict=True):
        ax.set_ylabel(name, fontsize=9)
    return figure


@_drawing
def action_units_of_segments(
    features: ArrayLike,
    ratings: ArrayLike,
    names: Sequence[str],
    predicted: ArrayLike,
    *,
    frames_per_second: float = 25,
    title: str | None = None,
) -> Figure:
    """At most four segments side by side, their raters below (fig. 5 where no picture may be shown).

    `features` (k, T, C) action-unit intensities 0 to 5, their C `names`, `ratings` (k, K, 2), and `predicted`
    variances (k, 2).
    """
    series, rated = np.asarray(features, dtype=float), np.asarray(ratings, dtype=float)
    (variance,) = _two_columns(predicted=predicted)
    _same_length(features=series, ratings=rated, predicted=variance)
    if series.ndim != 3 or series.shape[2] != len(names):
        raise ValueError(
            f"features must be (k, T, C) with C names; got {series.shape} and {len(names)} names"
        )
    extent = (0, series.shape[1] / frames_per_second, len(names) - 0.5, -0.5)
    shades: dict[str, Any] = {"cmap": "cividis", "vmin": 0, "vmax": series.max()}
    figure = _figure(1.9 + 0.16 * len(names), title)
    axes = figure.subplots(
        2, len(series), squeeze=False, sharey="row", height_ratios=(0.16 * len(names), 0.55)
    )
    for (top, bottom), x, raters, (valence, arousal) in zip(axes.T, series, rated, variance, strict=True):
        drawn = top.imshow(x.T, aspect="auto", interpolation="nearest", extent=extent, **shades)
        top.set_title(f"predicted variance\nA {arousal:.3f}, V {valence:.3f}", fontsize=8)
        top.set_xlabel("time (s)")
        for i, place in enumerate(raters):
            height = np.arange(2) + 0.16 * (i - (len(raters) - 1) / 2)
            bottom.plot(place, height, linestyle="", mfc="none", label=f"rater {i + 1}", **_look(i))
        bottom.set(xlim=(-1.08, 1.08), ylim=(-0.5, 1.5), xlabel="rating (label units)")
        bottom.grid(axis="y", color=LIGHT_GREY, linewidth=0.6)
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[1, 0].set_yticks((0, 1), AFFECT)
    figure.colorbar(drawn, ax=axes[0, :], label="intensity (0 to 5)", aspect=12)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=rated.shape[1])
    return figure


@_drawing
def votes_of_faces(votes: ArrayLike, captions: Sequence[str], *, title: str | None = None) -> Figure:
    """The raters' `votes` (k, 8) for k faces, in the order of EXPRESSIONS, at most four to a row (fig. 5)."""
    counts = np.asarray(votes)
    if counts.ndim != 2 or counts.shape[1] != len(EXPRESSIONS):
        raise ValueError(f"votes must be (k, {len(EXPRESSIONS)}); got {counts.shape}")
    _same_length(votes=counts, captions=captions)
    rows = -(-len(counts) // 4)
    figure = _figure(2.1 * rows + 0.3, title)
    axes = figure.subplots(rows, -(-len(counts) // rows), squeeze=False, sharex=True, sharey=True)
    for ax, face, caption in zip(axes.flat, counts, captions, strict=False):
        bars = ax.barh(EXPRESSIONS, face, color=PALETTE["sky"], edgecolor="black", linewidth=0.6)
        ax.bar_label(bars, labels=[str(v) if v else "" for v in face], padding=2)
        ax.set_title(f"{caption}\n{face.sum()} votes", fontsize=8)
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("votes (raters)")
    axes[0, 0].set(xlim=(0, 1.15 * counts.max()), ylim=(len(EXPRESSIONS) - 0.4, -0.6))
    axes[0, 0].locator_params(axis="x", integer=True)
    for ax in axes.flat[len(counts) :]:
        ax.remove()
    return figure


# Methods


@_drawing
def loss_shapes() -> Figure:
    """Loss against |error|, as printed in foteinopoulou2021 eqs. 1 and 2, and continuous (He et al. 2019).

    A filled dot is the printed loss at |error| = 1, an open one its limit from above.
    """
    figure = _figure(2.9)
    axes = figure.subplots(1, 2, sharey=True)
    names = ("as printed: jumps by s / 2 at |e| = 1", "continuous: s / 2 on both sides")
    pieces = (np.linspace(0, 1, 201), np.linspace(np.nextafter(1, 2), 2, 201))
    for ax, loss, name in zip(axes, (kl_as_printed, kl_continuous), names, strict=True):
        for s, color, line in zip((-2, -1, 0, 1), COLORS, LINES, strict=False):
            near, far = (_loss_of(loss, error, s) for error in pieces)
            # NaN breaks the line where the printed loss jumps.
            error, value = [*pieces[0], np.nan, *pieces[1]], [*near, np.nan, *far]
            ax.plot(error, value, color=color, linestyle=line, label=_signed(s, 0))
            if not np.isclose(near[-1], far[0]):
                ax.plot(1, near[-1], "o", color=color, markersize=4)
                ax.plot(1, far[0], "o", color=color, markersize=4, markerfacecolor="white")
        ax.axvline(1, color=LIGHT_GREY, linewidth=0.8, zorder=0)
        ax.set(title=name, xlabel="absolute error |e| (label units)", xlim=(0, 2), ylim=(-1.2, 5))
    axes[0].set_ylabel("loss (nats, up to a constant)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center", title="log variance s")
    return figure


@_drawing
def coverage_curves(
    levels: ArrayLike, curves: Mapping[str, ArrayLike], *, n: int, title: str | None = None
) -> Figure:
    """Reliability: observed against nominal coverage of central intervals, a curve for each method.

    `levels` (L,) in [0, 1]; each curve (L, 2) is a share of n targets (`metrics.coverage_curve`).
    """
    nominal = np.asarray(levels, dtype=float)
    shares = _two_columns(**dict(curves))
    _same_length(levels=nominal, **dict(curves))
    figure, panels = _affect_panels(title, n=n, height=3.5, sharey=True)
    for column, ax in panels:
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="calibrated (below it, variance too small)")
        for i, (name, share) in enumerate(zip(curves, shares, strict=True)):
            look = {**_look(i), "linestyle": LINES[i % 8], "markersize": 4, "markevery": (i % 3, 3)}
            ax.plot(nominal, share[:, column], label=name, clip_on=False, **look)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="nominal coverage (share)")
    panels[0][1].set_ylabel("observed coverage (share)")
    figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@_drawing
def method_intervals(frame: pd.DataFrame, *, xlabel: str, title: str | None = None) -> Figure:
    """Methods compared: a dot and an interval each, a panel for each dimension, methods in the frame's order.

    `frame` has a row for each method and dimension: columns method, dimension, estimate, low, high (NaN where
    there is no interval), and optionally ceiling. `xlabel` gives the unit, `title` n and seeds.
    """
    missing = {"method", "dimension", "estimate", "low", "high"} - set(frame.columns)
    if missing or frame.empty:
        raise ValueError(f"frame has {len(frame)} rows and lacks columns {sorted(missing)}")
    methods = list(frame["method"].unique())
    dimensions = sorted(frame["dimension"].unique(), key=[*AFFECT[::-1], *frame["dimension"]].index)
    figure = _figure(1.1 + 0.24 * len(methods), title)
    axes = figure.subplots(1, len(dimensions), squeeze=False, sharex=True, sharey=True)[0]
    for ax, dimension in zip(axes, dimensions, strict=True):
        rows = frame[frame["dimension"] == dimension]
        ax.set(title=dimension.capitalize(), xlabel=xlabel)
        for row in rows.to_dict("records"):
            i = methods.index(row["method"])
            ax.plot([row["low"], row["high"]], [i, i], color=_look(i)["color"], linewidth=2)
            ax.plot(row["estimate"], i, markeredgecolor="black", **_look(i))
        for ceiling in rows["ceiling"].dropna().unique() if "ceiling" in rows else ():
            ax.axvline(ceiling, color="black", linestyle="--", linewidth=1, zorder=0)
            ax.set_title(f"{dimension.capitalize()} (dashed: ceiling {ceiling:.2f})")
        ax.grid(axis="y", color=LIGHT_GREY, linewidth=0.5)
    if axes[0].get_xlim()[0] < 0 < axes[0].get_xlim()[1]:
        for ax in axes:
            ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    axes[0].set_yticks(range(len(methods)), methods)
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    return figure


# Networks


class Layer(NamedTuple):
    """A step of a network as it ran: the model's child it belongs to, what it is, and what came out."""

    part: str  # "input", "backbone", "mean_head", ...
    name: str
    shape: tuple[int, ...]  # without the batch


def trace_shapes(model: nn.Module, example: Tensor) -> list[Layer]:
    """Run the model on a batch and list the direct children of its parts, in the order in which they ran.

    The model stays as it is. Layers that never do anything (Identity, Dropout of 0) are left out; functions
    that a forward method calls between its children cannot be seen.
    """
    layers = [Layer("input", "input", tuple(example.shape[1:]))]
    network = copy.deepcopy(model).eval()
    for part, module in network.named_children():
        for name, child in list(module.named_children()) or [("", module)]:
            if not isinstance(child, nn.Identity) and not (isinstance(child, nn.Dropout) and child.p == 0):
                child.register_forward_hook(_recorder(layers, part, name))
    with torch.no_grad():
        network(example)
    return layers


@_drawing
def architecture(layers: Sequence[Layer], *, title: str | None = None) -> Figure:
    """A network as it ran (figs. 1 to 3): input and backbone in a column, every other part a branch below.

    `layers` come from `trace_shapes`; a box tells the layer and the shape of its output.
    """
    trunk = [layer for layer in layers if layer.part in ("input", "backbone")]
    heads = {part: [x for x in layers if x.part == part] for part in dict.fromkeys(x.part for x in layers)}
    heads = {part: head for part, head in heads.items() if part not in ("input", "backbone")}
    depth = len(trunk) + max((len(head) + 1 for head in heads.values()), default=0)
    figure = _figure(0.4 * depth + 0.3, title, width=COLUMN)
    ax = figure.subplots()
    ax.set(xlim=(0, 1), ylim=(depth - 0.6, -0.4))
    ax.set_axis_off()

    def box(layer: Layer, left: float, y: float, width: float, color: str) -> None:
        ax.barh(y, width, 0.66, left=left, color=color, edgecolor="black", linewidth=0.7)
        ax.text(left + 0.02, y, layer.name, va="center")
        shape = " × ".join(map(str, layer.shape))
        ax.text(left + width - 0.02, y, shape, va="center", ha="right", fontweight="bold")

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        style = {"arrowstyle": "-|>", "color": "black", "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0}
        ax.annotate("", end, start, arrowprops={**style, "mutation_scale": 7})

    for y, layer in enumerate(trunk):
        box(layer, 0, y, 1, "white" if layer.part == "input" else "#d6eaf6")
        if y:
            arrow((0.5, y - 0.67), (0.5, y - 0.33))
    for i, (part, head) in enumerate(heads.items()):
        width = 1.04 / len(heads) - 0.04
        left, first = i * (width + 0.04), len(trunk)
        middle = left + width / 2
        arrow((0.5, first - 0.67), (middle, first - 0.25))
        ax.text(middle, first, part.replace("_", " "), ha="center", va="center", fontstyle="italic")
        for y, layer in enumerate(head, start=first + 1):
            box(layer, left, y, width, "#fbe3c8")
            arrow((middle, y - (0.67 if y > first + 1 else 0.75)), (middle, y - 0.33))
    return figure


def _recorder(layers: list[Layer], part: str, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
    def record(module: nn.Module, _: Any, output: Tensor) -> None:
        kind = type(module).__name__
        if isinstance(module, nn.Sequential):
            kinds = {type(layer).__name__ for layer in module}
            kind = f"{len(module)} × {kinds.pop()}" if len(kinds) == 1 else f"{len(module)} layers"
        words = [kind if name.isdigit() or not name else f"{name}: {kind}"]
        if getattr(module, "residual", False):
            words.append("residual")
        for setting in ("kernel_size", "stride"):
            value = getattr(module, setting, None)
            if value is not None:
                sides = sorted(set(value)) if isinstance(value, tuple) else [value]
                words.append(f"{setting.removesuffix('_size')} {' × '.join(map(str, sides))}")
        layers.append(Layer(part, ", ".join(words), tuple(output.shape[1:])))

    return record


def _look(i: int) -> dict[str, Any]:
    """Colour and marker of the i-th thing that is told apart."""
    return {"color": COLORS[i % len(COLORS)], "marker": MARKERS[i % len(MARKERS)]}


def _figure(height: float, title: str | None = None, *, width: float = PAGE) -> Figure:
    """Made by pyplot, so that notebooks know how to show it, and forgotten there, so that they do so once."""
    figure = plt.figure(figsize=(width, height), layout="constrained")
    plt.close(figure)
    if title:
        figure.suptitle(title)
    return figure


def _affect_panels(
    title: str | None, *, n: int | None = None, height: float = 2.5, sharey: bool = False
) -> tuple[Figure, list[tuple[int, Axes]]]:
    """A figure with a panel for arousal and one for valence, each with its column."""
    figure = _figure(height, title)
    panels = list(zip((1, 0), figure.subplots(1, 2, sharey=sharey), strict=True))
    for column, ax in panels:
        ax.set_title(AFFECT[column].capitalize() + (f", n = {n:,}" if n is not None else ""))
    return figure, panels


def _two_columns(**arrays: ArrayLike) -> list[NDArray[np.float64]]:
    """The named arrays as float64, each (n, 2), of one length and finite."""
    values = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
    for name, array in values.items():
        if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
            raise ValueError(f"{name} must be (n, 2), valence before arousal; got shape {array.shape}")
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise ValueError(
                f"{name}: {bad.sum()} of {len(array)} rows are not finite; leave them out, and count them"
            )
    _same_length(**values)
    return list(values.values())


def _same_length(**arrays: Any) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"need as many of each; got {', '.join(f'{n} {name}' for name, n in lengths.items())}"
        )


def _loss_of(
    loss: Callable[..., Tensor], error: NDArray[np.float64], log_variance: float
) -> NDArray[np.float64]:
    target = torch.from_numpy(error)
    return loss(torch.zeros_like(target), torch.full_like(target, log_variance), target).numpy()


def _spread_out(heights: NDArray[np.float64], *, gap: float) -> NDArray[np.float64]:
    """Ascending heights moved apart to at least `gap`, around the same mean."""
    steps = gap * np.arange(len(heights))
    moved = np.maximum.accumulate(heights - steps) + steps
    return moved - (moved - heights).mean() if len(heights) else moved


def _root(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.sqrt(np.clip(x, 0, None))


def _padded(values: NDArray[np.float64]) -> tuple[float, float]:
    """Limits on a square-root axis, a twentieth beyond the values."""
    low, high = _root(np.array([values.min(), values.max()]))
    pad = max(0.05 * (high - low), 0.005)
    return float(max(low - pad, 0) ** 2), float((high + pad) ** 2)


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if value else f"{value:.{digits}f}"


def _picture(ax: Axes, image: NDArray[np.uint8], title: str = "", *, bold: bool = False) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=8, fontweight="bold" if bold else "normal", pad=3)
    for spine in ax.spines.values():
        spine.set_visible(bold)
