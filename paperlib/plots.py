"""The papers' figures: pure functions from arrays to a matplotlib Figure; nothing is shown, nothing is trained.

Figures are made without pyplot, so none stays open. Arrays of two columns hold valence before arousal; panels show
arousal first, as foteinopoulou2021 does. Widths are those of one (3.5 in) or two (7 in) printed columns. Colours are
Okabe and Ito's (jfly.uni-koeln.de/color); line style, marker or hatch repeat what a colour says, for print in grey.
A wrong shape, unequal lengths or a value that is not finite is a ValueError.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

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
    "lines.linewidth": 1.4,
    "hatch.linewidth": 0.6,
    "figure.dpi": 120,
    "svg.hashsalt": "paperlib",  # names of SVG elements are random without it
}
COLUMN, PAGE = 3.5, 7.0  # inches
VARIANCE_UNIT = "squared label units"
_styled = mpl.rc_context(STYLE)


@_styled
def save(figure: Figure, folder: Path | str, name: str) -> list[Path]:
    """Write folder/name.png (200 dpi) and folder/name.svg; the same figure gives the same bytes.

    The folder is made; each file is written beside its place and moved there whole.
    """
    if Path(name).name != name:
        raise ValueError(f"name must be a plain file name without suffix; got {name!r}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
        path = folder / f"{name}.{suffix}"
        partial = folder / f".{name}.{os.getpid()}.{suffix}"
        figure.savefig(partial, format=suffix, dpi=200, metadata=metadata)
        os.replace(partial, path)
        paths.append(path)
    return paths


# Variances


@_styled
def rater_variance_histogram(
    variance: ArrayLike, *, items: str = "segments", title: str | None = None, bins: int = 30
) -> Figure:
    """foteinopoulou2021 fig. 4: how much raters differ. `variance` (n, 2); `items` is what a row is called."""
    (values,) = _two_columns(variance=variance)
    figure, panels = _affect_panels(title, n=len(values), sharey=True)
    edges = np.histogram_bin_edges(values, bins=bins)
    for column, ax in panels:
        mean = values[:, column].mean()
        counts, _ = np.histogram(values[:, column], bins=edges)
        ax.stairs(counts, edges, fill=True, facecolor=PALETTE["sky"], edgecolor="black", linewidth=0.5)
        ax.axvline(mean, color="black", linestyle="--", label=f"mean {mean:.3f}")
        ax.set(xlabel=f"variance of raters ({VARIANCE_UNIT})", xlim=(edges[0], edges[-1]))
        ax.legend()
    panels[0][1].set_ylabel(f"number of {items}")
    return figure


@_styled
def variance_by_subset(
    variance: ArrayLike, noisy: ArrayLike, *, title: str | None = None, bins: int = 30
) -> Figure:
    """foteinopoulou2021 fig. 7: densities of the predicted variance (n, 2) where labels are clean and `noisy` (n,)."""
    (values,) = _two_columns(variance=variance)
    flags = np.asarray(noisy, dtype=np.bool_)
    _same_length(variance=values, noisy=flags)
    if flags.all() or not flags.any():
        raise ValueError(f"both subsets need a row; got {np.sum(~flags)} clean and {np.sum(flags)} noisy")
    figure, panels = _affect_panels(title, height=2.7)
    looks: tuple[tuple[str, NDArray[np.bool_], dict[str, Any], Any], ...] = (
        ("clean", ~flags, {"fill": True, "facecolor": "#9fcbe6", "edgecolor": PALETTE["blue"]}, "--"),
        ("noisy", flags, {"fill": True, "facecolor": "none", "edgecolor": PALETTE["vermillion"], "hatch": "////"}, "-."),
    )
    for column, ax in panels:
        edges = np.histogram_bin_edges(values[:, column], bins=bins)
        for name, rows, look, line in looks:
            x = values[rows, column]
            density, _ = np.histogram(x, bins=edges, density=True)
            ax.stairs(density, edges, label=f"{name}, n = {len(x):,}", **look)
            ax.axvline(x.mean(), color=look["edgecolor"], linestyle=line, label=f"mean {x.mean():.4f}")
        ax.set(xlabel=f"predicted variance ({VARIANCE_UNIT})", xlim=(edges[0], edges[-1]))
        ax.set_ylim(top=1.45 * ax.get_ylim()[1])  # room for the legend above the bars
        ax.legend(ncols=2, loc="upper center", columnspacing=1)
    panels[0][1].set_ylabel("density (1 / squared label unit)")
    return figure


@_styled
def variance_scatter(
    predicted: ArrayLike,
    observed: ArrayLike,
    *,
    correlation: ArrayLike,
    ceiling: ArrayLike,
    items: str = "segments",
    title: str | None = None,
) -> Figure:
    """Learned against the raters' variance, both (n, 2), on square-root axes (foteinopoulou2021 Table II, drawn).

    `correlation` (2,) and its noise `ceiling` (2,) are written into the panels; a ceiling of NaN is not known.
    Black marks are means of tenths of equal size with t intervals, as if rows were independent.
    """
    x, y = _two_columns(predicted=predicted, observed=observed)
    r, highest = np.asarray(correlation, dtype=float), np.asarray(ceiling, dtype=float)
    figure, panels = _affect_panels(title, height=3.4)
    for column, ax in panels:
        tenths = np.array_split(np.argsort(x[:, column], kind="stable"), min(10, len(x)))
        means = [mean_interval(y[rows, column]) for rows in tenths]
        ax.plot(
            *(x[:, column], y[:, column]),
            **{"linestyle": "", "marker": "o", "markersize": 2.5, "markeredgewidth": 0, "color": PALETTE["blue"]},
            **{"alpha": float(np.clip(300 / len(x), 0.08, 0.6)), "rasterized": True},
        )
        ax.errorbar(
            [x[rows, column].mean() for rows in tenths],
            [m.estimate for m in means],
            yerr=[[m.estimate - m.low for m in means], [m.high - m.estimate for m in means]],
            **{"fmt": "ko", "markersize": 4, "markeredgecolor": "white", "elinewidth": 1.2, "capsize": 2},
            label="mean of a tenth, 95 % interval",
        )
        ax.axline((0, 0), (1, 1), color=GREY, linestyle="--", linewidth=1, label="equal")
        ax.set_xscale("function", functions=(_root, np.square))
        ax.set_yscale("function", functions=(_root, np.square))
        ax.set(xlim=_padded(x[:, column]), ylim=_padded(y[:, column]))
        known = f"{highest[column]:.2f}" if np.isfinite(highest[column]) else "not known"
        ax.set_title(f"{_title(AFFECT[column])}: r = {r[column]:.2f}, ceiling {known}")
        ax.set_xlabel(f"predicted variance ({VARIANCE_UNIT})")
    panels[0][1].set_ylabel(f"variance of raters ({VARIANCE_UNIT})")
    handles, names = panels[0][1].get_legend_handles_labels()
    dot = mpl.lines.Line2D([], [], linestyle="", marker="o", markersize=3, color=PALETTE["blue"])
    figure.legend([dot, *handles], [f"{items}, n = {len(x):,}", *names], loc="outside lower center", ncols=3)
    return figure


# Examples: labels, faces, recordings, votes


@_styled
def labels_on_circumplex(
    affect: ArrayLike, expression: ArrayLike, noisy: ArrayLike, *, rows: ArrayLike, title: str | None = None
) -> Figure:
    """foteinopoulou2021 fig. 6 without pictures: the given rows' labels on the circumplex, the noisy ones ringed.

    `affect` (n, 2) in [-1, 1], `expression` (n,) index of EXPRESSIONS, `noisy` (n,), `rows` indices of at most 16
    rows to name. Every other row is a grey dot.
    """
    (points,) = _two_columns(affect=affect)
    category, flags, chosen = np.asarray(expression), np.asarray(noisy, dtype=np.bool_), np.asarray(rows)
    _same_length(affect=points, expression=category, noisy=flags)
    if not 1 <= len(chosen) <= 16:
        raise ValueError(f"rows must name 1 to 16 rows, as many as can be read; got {len(chosen)}")
    figure = Figure(figsize=(PAGE, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.add_patch(Circle((0, 0), 1, fill=False, edgecolor="black", linewidth=0.8))
    for side in ((-1.05, 1.05), (0, 0)), ((0, 0), (-1.05, 1.05)):
        ax.plot(*side, color=LIGHT_GREY, linewidth=0.8, zorder=0)
    ax.plot(*points.T, ".", color=LIGHT_GREY, markersize=2, zorder=1, rasterized=True, label=f"all, n = {len(points):,}")
    for right in (False, True):
        here = chosen[(points[chosen, 0] >= 0) == right]
        here = here[np.argsort(points[here, 1], kind="stable")]
        for row, height in zip(here, _spread_out(points[here, 1], gap=0.26), strict=True):
            (valence, arousal), index = points[row], int(category[row])
            ax.plot(valence, arousal, MARKERS[index], color=COLORS[index], markersize=6, markeredgecolor="black")
            if flags[row]:
                ax.plot(valence, arousal, "o", color="none", markersize=12, markeredgecolor="black")
            ax.annotate(
                f"{EXPRESSIONS[index]}{' (noisy)' if flags[row] else ''}\nA {_signed(arousal)}, V {_signed(valence)}",
                (valence, arousal),
                xytext=(1.25 if right else -1.25, height),
                **{"ha": "left" if right else "right", "va": "center", "linespacing": 1.1},
                fontweight="bold" if flags[row] else "normal",
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 6 if flags[row] else 3},
            )
    if flags[chosen].any():
        ax.plot([], [], "o", color="none", markersize=9, markeredgecolor="black", label="category contradicts place")
    ax.set(xlabel="valence (label units)", ylabel="arousal (label units)", aspect="equal", xlim=(-2.6, 2.6))
    ax.set(xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    ax.spines["bottom"].set_bounds(-1, 1)
    ax.spines["left"].set_bounds(-1, 1)
    figure.legend(loc="outside lower center", ncols=2, markerscale=1.3)
    figure.suptitle(title or f"{len(chosen)} labels, {np.sum(flags[chosen])} of them noisy")
    return figure


@_styled
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
    if row_titles is not None and len(row_titles) != count:
        raise ValueError(f"{len(images)} pictures, {columns} to a row, need {count} row titles; got {len(row_titles)}")
    lines = max(caption.count("\n") + 1 if caption else 0 for caption in captions)
    side = PAGE / columns
    figure = Figure(figsize=(PAGE, count * (side + 0.14 * lines) + (0.25 if title else 0)), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02)  # type: ignore[union-attr,call-arg]
    axes = figure.subplots(count, columns, squeeze=False)
    for ax, image, caption in zip(axes.flat, images, captions, strict=False):
        ax.imshow(image, cmap="gray", vmin=0, vmax=255)
        ax.set_title(caption, fontsize=8, pad=2)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
    for ax, text in zip(axes[:, 0], row_titles or (), strict=False):
        ax.set_ylabel(text, fontsize=9)
    figure.suptitle(title or "")
    return figure


@_styled
def action_units_of_segments(
    features: ArrayLike,
    ratings: ArrayLike,
    names: Sequence[str],
    predicted: ArrayLike,
    *,
    frames_per_second: float = 25,
    title: str | None = None,
) -> Figure:
    """foteinopoulou2021 fig. 5 without pictures: k segments side by side, their raters below.

    `features` (k, T, C) action-unit intensities 0 to 5 and their C `names`, `ratings` (k, K, 2), `predicted` (k, 2)
    variances.
    """
    series, ratings = np.asarray(features, dtype=float), np.asarray(ratings, dtype=float)
    (variance,) = _two_columns(predicted=predicted)
    _same_length(features=series, ratings=ratings, predicted=variance)
    if series.ndim != 3 or series.shape[2] != len(names):
        raise ValueError(f"features must be (k, T, C) with C names; got {series.shape} and {len(names)} names")
    seconds = series.shape[1] / frames_per_second
    figure = Figure(figsize=(PAGE, 1.9 + 0.16 * len(names)), layout="constrained")
    axes = figure.subplots(2, len(series), squeeze=False, height_ratios=(0.16 * len(names), 0.55))
    for (top, bottom), x, rated, (valence, arousal) in zip(axes.T, series, ratings, variance, strict=True):
        drawn = top.imshow(x.T, aspect="auto", cmap="cividis", vmin=min(0, series.min()), vmax=series.max())
        drawn.set_extent((0, seconds, len(names) - 0.5, -0.5))
        top.set(title=f"predicted variance\narousal {arousal:.3f}, valence {valence:.3f}", xlabel="time (s)")
        top.set_yticks(range(len(names)), names if top is axes[0, 0] else [""] * len(names))
        for rater, place in enumerate(rated):
            offset = 0.16 * (rater - (len(rated) - 1) / 2)
            look: dict[str, Any] = {"marker": MARKERS[rater % 8], "markeredgecolor": COLORS[rater % 8], "linestyle": ""}
            bottom.plot(place, np.arange(2) + offset, **look, markerfacecolor="none", label=f"rater {rater + 1}")
        bottom.set(xlim=(-1.08, 1.08), ylim=(-0.5, 1.5), xlabel="rating (label units)")
        bottom.set_yticks((0, 1), AFFECT if bottom is axes[1, 0] else ("", ""))
        bottom.grid(axis="y", color=LIGHT_GREY, linewidth=0.6)
    figure.colorbar(drawn, ax=axes[0, :], label="intensity (0 to 5)", aspect=12)
    figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=ratings.shape[1])
    figure.suptitle(title or "")
    return figure


@_styled
def votes_of_faces(votes: ArrayLike, captions: Sequence[str], *, title: str | None = None) -> Figure:
    """foteinopoulou2021 fig. 5 on faces with votes: `votes` (k, 8) in the order of EXPRESSIONS, four to a row."""
    counts = np.asarray(votes)
    if counts.ndim != 2 or counts.shape[1] != len(EXPRESSIONS):
        raise ValueError(f"votes must be (k, {len(EXPRESSIONS)}); got {counts.shape}")
    _same_length(votes=counts, captions=captions)
    columns = min(4, len(counts))
    rows = -(-len(counts) // columns)
    figure = Figure(figsize=(PAGE, 2.1 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax, face, caption in zip(axes.flat, counts, captions, strict=False):
        bars = ax.barh(EXPRESSIONS, face, color=PALETTE["sky"], edgecolor="black", linewidth=0.6)
        ax.bar_label(bars, labels=[str(v) if v else "" for v in face], padding=2)
        ax.set_title(f"{caption}\n{face.sum()} votes", fontsize=8)
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("votes (raters)")
    axes[0, 0].set_xlim(0, 1.15 * counts.max())
    axes[0, 0].invert_yaxis()
    for ax in axes.flat[len(counts) :]:
        ax.remove()
    figure.suptitle(title or "")
    return figure


# Methods


@_styled
def loss_shapes(log_variances: Sequence[float] = (-3, -1, 0, 1)) -> Figure:
    """Loss against |error|, as printed in foteinopoulou2021 eqs. 1 and 2, and continuous (He et al. 2019).

    A filled dot is the printed loss at |error| = 1, an open one its limit from above.
    """
    figure = Figure(figsize=(PAGE, 2.9), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    pieces = (np.linspace(0, 1, 201), np.linspace(np.nextafter(1, 2), 2, 201))
    for ax, loss, name in zip(axes, (kl_as_printed, kl_continuous), ("as printed", "continuous"), strict=True):
        for i, s in enumerate(log_variances):
            near, far = (_loss_of(loss, error, s) for error in pieces)
            look: dict[str, Any] = {"color": COLORS[i % 8], "linestyle": LINES[i % 8]}
            # NaN breaks the line where the printed loss jumps.
            ax.plot([*pieces[0], np.nan, *pieces[1]], [*near, np.nan, *far], **look, label=f"{_signed(s, 0)}")
            if not np.isclose(near[-1], far[0]):
                ax.plot([1, 1], [near[-1], far[0]], color=look["color"], linewidth=0.8, linestyle=":")
                ax.plot(1, near[-1], "o", color=look["color"], markersize=4)
                ax.plot(1, far[0], "o", color=look["color"], markersize=4, markerfacecolor="white")
        ax.axvline(1, color=LIGHT_GREY, linewidth=0.8, zorder=0)
        ax.set(title=name, xlabel="absolute error |e| (label units)", xlim=(0, 2))
    axes[0].set_ylabel("loss (nats, up to a constant)")
    figure.legend(
        *axes[0].get_legend_handles_labels(), loc="outside right center", title="log variance s", alignment="left"
    )
    return figure


@_styled
def coverage_curves(
    levels: ArrayLike, curves: Mapping[str, ArrayLike], *, n: int, title: str | None = None
) -> Figure:
    """Reliability: observed against nominal coverage of central intervals, a curve for each method.

    `levels` (L,) in [0, 1]; every curve (L, 2), shares of the n targets, as `metrics.coverage_curve` gives them.
    """
    nominal = np.asarray(levels, dtype=float)
    shares = dict(zip(curves, _two_columns(**{k: np.asarray(v) for k, v in curves.items()}), strict=True))
    figure, panels = _affect_panels(title, n=n, height=3.5, sharey=True)
    for column, ax in panels:
        ax.plot([0, 1], [0, 1], color=GREY, linewidth=1, label="calibrated")
        for i, (name, share) in enumerate(shares.items()):
            _same_length(levels=nominal, **{name: share})
            look: dict[str, Any] = {"color": COLORS[i % 8], "linestyle": LINES[i % 8], "marker": MARKERS[i % 8]}
            ax.plot(nominal, share[:, column], **look, markersize=4, markevery=(i % 3, 3), label=name)
        ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="nominal coverage (share)")
        ax.text(0.97, 0.05, "variance too small", ha="right", color=GREY)
        ax.text(0.03, 0.92, "variance too large", color=GREY)
    panels[0][1].set_ylabel("observed coverage (share)")
    figure.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@_styled
def method_intervals(frame: pd.DataFrame, *, xlabel: str, title: str | None = None) -> Figure:
    """Methods compared: a dot and an interval each, a panel for each dimension.

    `frame` has a row for each method and dimension, with columns method, dimension, estimate, low, high (NaN where
    there is no interval), and where there is one, ceiling. Methods keep the order of their first row, top down.
    `title` says n and seeds.
    """
    missing = {"method", "dimension", "estimate", "low", "high"} - set(frame.columns)
    if missing or frame.empty:
        raise ValueError(f"frame has {len(frame)} rows and lacks columns {sorted(missing)}")
    methods = list(dict.fromkeys(frame["method"]))
    dimensions = sorted(dict.fromkeys(frame["dimension"]), key=(*AFFECT[::-1], *frame["dimension"]).index)
    figure = Figure(figsize=(PAGE, 1.1 + 0.24 * len(methods)), layout="constrained")
    axes = figure.subplots(1, len(dimensions), squeeze=False, sharey=True)[0]
    for ax, dimension in zip(axes, dimensions, strict=True):
        rows = frame[frame["dimension"] == dimension]
        for row in rows.to_dict("records"):
            i = methods.index(row["method"])
            ax.plot([row["low"], row["high"]], [i, i], color=COLORS[i % 8], linewidth=2)
            ax.plot(row["estimate"], i, MARKERS[i % 8], color=COLORS[i % 8], markeredgecolor="black")
        ceiling = rows["ceiling"].dropna().unique() if "ceiling" in rows else []
        for value in ceiling:
            ax.axvline(value, color="black", linestyle="--", linewidth=1, zorder=0, label=f"ceiling {value:.2f}")
        if len(ceiling):
            ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.1))
        if ax.get_xlim()[0] < 0 < ax.get_xlim()[1]:
            ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
        ax.set(title=_title(dimension), xlabel=xlabel)
        ax.grid(axis="y", color=LIGHT_GREY, linewidth=0.5)
    axes[0].set_yticks(range(len(methods)), methods)
    axes[0].set_ylim(len(methods) - 0.5, -0.5)
    figure.suptitle(title or "")
    return figure


# Networks


class Layer(NamedTuple):
    """A step of a network, as it ran: which child of the model it belongs to, what it is, and what came out."""

    part: str  # "input", "backbone", "mean_head", ...
    name: str
    shape: tuple[int, ...]  # without the batch


def trace_shapes(model: nn.Module, example: Tensor) -> list[Layer]:
    """Run the model on a batch and list the direct children of each of its parts, in the order in which they ran.

    The model itself is not changed. Left out are layers that do nothing when training (Identity, Dropout of 0), and
    functions that a forward method calls between its children cannot be seen.
    """
    layers = [Layer("input", "input", tuple(example.shape[1:]))]
    network = copy.deepcopy(model).eval()
    for part, module in network.named_children():
        for name, child in module.named_children() or [(part, module)]:
            if not isinstance(child, nn.Identity) and not (isinstance(child, nn.Dropout) and child.p == 0):
                child.register_forward_hook(_recorder(layers, part, name))
    with torch.no_grad():
        network(example)
    return layers


@_styled
def architecture(layers: Sequence[Layer], *, title: str | None = None) -> Figure:
    """foteinopoulou2021 figs. 1 to 3: input and backbone as a column of boxes, every other part a branch below.

    `layers` as `trace_shapes` gives them; a box tells the layer and the shape of its output.
    """
    trunk = [layer for layer in layers if layer.part in ("input", "backbone")]
    heads = {layer.part: [x for x in layers if x.part == layer.part] for layer in layers if layer not in trunk}
    step, height, width = 0.4, 0.27, 3.3
    depth = len(trunk) + max((len(head) + 1 for head in heads.values()), default=0)
    figure = Figure(figsize=(COLUMN, depth * step + 0.1 + (0.25 if title else 0)))
    ax = figure.add_axes((0, 0, 1, 1), xlim=(0, COLUMN), ylim=(0, figure.get_figheight()))
    ax.set_axis_off()
    top = depth * step - step / 2

    def box(layer: Layer, x: float, y: float, wide: float, color: str) -> None:
        shape = " × ".join(map(str, layer.shape))
        ax.add_patch(FancyBboxPatch((x, y - height / 2), wide, height, boxstyle="round,pad=0,rounding_size=0.05",
                                    facecolor=color, edgecolor="black", linewidth=0.7))  # fmt: skip
        ax.text(x + 0.08, y, layer.name, va="center")
        ax.text(x + wide - 0.08, y, shape, va="center", ha="right", fontweight="bold")

    def arrow(start: tuple[float, float], end: tuple[float, float]) -> None:
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "black", "linewidth": 0.8,
                                                "shrinkA": 0, "shrinkB": 0, "mutation_scale": 7})  # fmt: skip

    for i, layer in enumerate(trunk):
        box(layer, (COLUMN - width) / 2, top - i * step, width, "white" if layer.part == "input" else "#d6eaf6")
        if i:
            arrow((COLUMN / 2, top - (i - 1) * step - height / 2), (COLUMN / 2, top - i * step + height / 2))
    wide = (width - 0.15 * (len(heads) - 1)) / max(len(heads), 1)
    for j, (part, head) in enumerate(heads.items()):
        x, y = (COLUMN - width) / 2 + j * (wide + 0.15), top - len(trunk) * step
        middle = x + wide / 2
        arrow((COLUMN / 2, y + step - height / 2), (middle, y + 0.08))
        ax.text(middle, y, part.replace("_", " "), ha="center", va="center", fontstyle="italic")
        for i, layer in enumerate(head, start=1):
            box(layer, x, y - i * step, wide, "#fbe3c8")
            arrow((middle, y - (i - 1) * step - (height / 2 if i > 1 else 0.08)), (middle, y - i * step + height / 2))
    if title:
        ax.text(COLUMN / 2, depth * step + 0.15, title, ha="center", va="center", fontsize=9)
    return figure


def _recorder(layers: list[Layer], part: str, name: str) -> Any:
    def record(module: nn.Module, _: Any, output: Tensor) -> None:
        kind = type(module).__name__
        words = [kind if name.isdigit() or name == part else f"{name}: {kind}"]
        for setting in ("kernel_size", "stride"):
            value = getattr(module, setting, None)
            if value is not None:
                numbers = set(value) if isinstance(value, tuple) else {value}
                words.append(f"{setting.split('_')[0]} {' × '.join(map(str, sorted(numbers)))}")
        layers.append(Layer(part, ", ".join(words), tuple(output.shape[1:])))

    return record


def _affect_panels(
    title: str | None, *, n: int | None = None, height: float = 2.5, sharey: bool = False
) -> tuple[Figure, list[tuple[int, Axes]]]:
    """A page-wide figure with a panel for arousal and one for valence, each with its column."""
    figure = Figure(figsize=(PAGE, height), layout="constrained")
    panels = list(zip((1, 0), figure.subplots(1, 2, sharey=sharey), strict=True))
    for column, ax in panels:
        ax.set_title(_title(AFFECT[column]) + (f", n = {n:,}" if n is not None else ""))
    figure.suptitle(title or "")
    return figure, panels


def _two_columns(**arrays: ArrayLike) -> list[NDArray[np.float64]]:
    """The named arrays as float64, each (n, 2), of one length and finite."""
    values = {name: np.asarray(array, dtype=np.float64) for name, array in arrays.items()}
    for name, array in values.items():
        if array.ndim != 2 or array.shape[1] != 2 or len(array) == 0:
            raise ValueError(f"{name} must be (n, 2), valence before arousal; got shape {array.shape}")
        bad = ~np.isfinite(array).all(axis=1)
        if bad.any():
            raise ValueError(f"{name}: {bad.sum()} of {len(bad)} rows are not finite; leave them out, and count them")
    _same_length(**values)
    return list(values.values())


def _same_length(**arrays: Any) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"need as many of each; got {', '.join(f'{n} {name}' for name, n in lengths.items())}")


def _loss_of(loss: Any, error: NDArray[np.float64], log_variance: float) -> NDArray[np.float64]:
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
    low, high = np.sqrt(np.clip([values.min(), values.max()], 0, None))
    pad = max(0.05 * (high - low), 0.005)
    return float(max(low - pad, 0) ** 2), float((high + pad) ** 2)


def _signed(value: float, digits: int = 2) -> str:
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}") if value else f"{value:.{digits}f}"


def _title(dimension: str) -> str:
    return dimension[:1].upper() + dimension[1:]
