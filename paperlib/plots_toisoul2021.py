"""toisoul2021's figures, in the manner of `plots`: functions from arrays to a matplotlib Figure.

Valence comes before arousal, both from -1 to 1. Points are x and y in pixels whose corner is (0, 0): the first pixel
has its centre at 0.5.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from paperlib.plots import (
    GREY,
    LIGHT_GREY,
    PAGE,
    PALETTE,
    _drawing,
    _figure,
    _look,
    _picture,
    _spread_out,
    _two_columns,
)
from paperlib.plots_han2017 import _box, _name, _shared_legend
from paperlib.stats import mean_interval

MOST_FACES = 400  # dots behind the circumplex; more would hide the classes
_PLAIN, _LEARNT, _AFFECT = "white", "#d9ebf7", "#fdf0d5"
_BOXES = ("picture", "stem", "hourglass", "heatmaps", "head", "outputs")


@dataclass(frozen=True, kw_only=True)
class FaceResult:
    """A face and what the network says of it."""

    image: NDArray[np.uint8]  # (h, w) grey or (h, w, 3)
    box: tuple[float, float, float]  # left, top and side of the crop, in pixels; may reach out of the picture
    landmarks: NDArray  # (68, 2) in pixels
    predicted: tuple[float, float]  # valence, arousal
    labelled: tuple[float, float]
    names: tuple[str, str]  # predicted and labelled category


@_drawing
def circumplex(points: Mapping[str, NDArray]) -> Figure:
    """Figure 1, from data: where each class's faces (n, 2) lie, by mean and quartiles; some faces as grey dots.

    The bars of a cross reach from the lower to the upper quartile. At most MOST_FACES dots, in the classes' shares. Of
    no class, the plane alone, which says so.
    """
    if not points:
        figure = _figure(3.7)
        ax = figure.subplots()
        _plane(ax)
        ax.text(0, 0.5, "no face has a category", ha="center", va="center")
        return figure
    faces = [_two_columns(**{name: values})[0] for name, values in points.items()]
    mean = np.array([values.mean(axis=0) for values in faces])
    every = np.concatenate(faces)
    some = every[np.linspace(0, len(every) - 1, min(len(every), MOST_FACES)).astype(int)]
    figure = _figure(3.7)
    ax = figure.subplots()
    _plane(ax)
    ax.plot(*some.T, ".", color=LIGHT_GREY, markersize=2.5, zorder=0, rasterized=True)
    for i, (values, (valence, arousal)) in enumerate(zip(faces, mean, strict=True)):
        low, high = np.quantile(values, (0.25, 0.75), axis=0)
        cross = {"color": _look(i)["color"], "linewidth": 1.8, "solid_capstyle": "butt"}
        outline = [withStroke(linewidth=2.6, foreground="black")]
        ax.plot((low[0], high[0]), (arousal, arousal), path_effects=outline, **cross)
        ax.plot((valence, valence), (low[1], high[1]), path_effects=outline, **cross)
        ax.plot(valence, arousal, markeredgecolor="black", markersize=8, zorder=3, **_look(i))
    names = list(points)
    for side, align in ((-1, "right"), (1, "left")):
        here = np.flatnonzero((mean[:, 0] >= 0) == (side > 0))
        here = here[np.argsort(mean[here, 1], kind="stable")]
        for i, height in zip(here.tolist(), _spread_out(mean[here, 1], gap=0.26), strict=True):
            leader = {"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 4}
            ax.annotate(
                f"{names[i]}\nn = {len(faces[i]):,}",
                mean[i],
                xytext=(1.2 * side, height),
                ha=align,
                va="center",
                arrowprops={**leader, "relpos": ((1 - side) / 2, 0.5)},
            )
    ax.set(xlim=(-2.2, 2.2))
    ax.spines[["bottom", "left"]].set_bounds(-1, 1)
    dot = Line2D([], [], marker=".", linestyle="", color=LIGHT_GREY)
    shape = Line2D([], [], marker="o", color=GREY, markeredgecolor="black", linewidth=1.8)
    words = (f"a face ({len(some):,} of {len(every):,})", "mean of a class, and from lower to upper quartile")
    figure.legend((dot, shape), words, loc="outside lower center", ncols=2)
    return figure


@_drawing
def pipelines(steps: Mapping[str, Sequence[str | Sequence[str]]]) -> Figure:
    """Figure 2: ways from a picture to affect, row name -> steps; what comes out together is one step of many names."""
    rows = {name: [[s] if isinstance(s, str) else list(s) for s in row] for name, row in steps.items()}
    if not all(rows.values()):
        raise ValueError(f"a row without steps: {', '.join(name for name, row in rows.items() if not row)}")
    heights = [0.3 + 0.34 * max(map(len, row)) for row in rows.values()]
    figure = _figure(sum(heights))
    ax = _canvas(figure, height=sum(heights))
    top = sum(heights)
    for (name, row), height in zip(rows.items(), heights, strict=True):
        ax.text(0, top - 0.1, name, va="center", fontweight="bold")
        middle, pitch = top - 0.2 - (height - 0.3) / 2, PAGE / len(row)
        ends: list[tuple[float, float]] = []
        for i, together in enumerate(row):
            x, width = (i + 0.5) * pitch, pitch - 0.3
            ys = [middle + 0.34 * ((len(together) - 1) / 2 - k) for k in range(len(together))]
            for y, words in zip(ys, together, strict=True):
                _box(ax, (x, y), (width, 0.27), words, _LEARNT)
                for end in ends:
                    _arrow(ax, end, (x - width / 2, y))
            ends = [(x + width / 2, y) for y in ys]
        top -= height
    return figure


@_drawing
def architecture(details: Mapping[str, str]) -> Figure:
    """Figure 3: EmoFAN as it is built, with attention; `details` are sizes or weights by box.

    Boxes are "picture", "stem", "hourglass" (each of both), "heatmaps", "head" and "outputs".
    """
    unknown = details.keys() - set(_BOXES)
    if unknown:
        raise ValueError(f"there are no boxes {sorted(unknown)}; choose from {', '.join(_BOXES)}")
    extra = {name: f"\n{details[name]}" if name in details else "" for name in _BOXES}
    figure = _figure(3.3)
    ax = _canvas(figure, height=3.3)
    frozen: dict[str, Any] = {"fill": False, "linestyle": "--", "edgecolor": GREY}
    ax.add_patch(Rectangle((1.13, 2.05), 5.82, 1.15, **frozen))
    ax.text(1.2, 3.09, "face alignment (frozen)", va="center", fontstyle="italic")
    places = {"picture": 0.5, "stem": 1.75, "hourglass 1": 3.2, "hourglass 2": 4.65, "heatmaps": 6.2}
    for name, x in places.items():
        color = _PLAIN if name == "picture" else _LEARNT
        _box(ax, (x, 2.55), (0.9 if name == "picture" else 1.1, 0.72), name + extra[name.split()[0]], color)
    for start, end in ((0.95, 1.2), (2.3, 2.65), (3.75, 4.1), (5.2, 5.65)):
        _arrow(ax, (start, 2.55), (end, 2.55))
    product = (2.35, 1.62)
    ax.plot((4.65, 4.65), (2.19, product[1]), color="black", linewidth=0.9)
    ax.plot((3.2, 3.2), (2.19, product[1]), color="black", linewidth=0.9)
    _arrow(ax, (4.65, product[1]), (product[0] + 0.11, product[1]))
    _arrow(ax, (6.2, 2.19), (6.2, 1.25), (product[0], 1.25), (product[0], product[1] - 0.11))
    _arrow(ax, (product[0] - 0.11, product[1]), (1.95, product[1]), (1.95, 0.85))
    _arrow(ax, (1.55, 2.19), (1.55, 0.85))
    ax.add_patch(Circle(product, 0.11, facecolor=_PLAIN, edgecolor="black"))
    ax.text(*product, "×", ha="center", va="center")
    ax.text(3.92, 1.69, "features of both", ha="center", fontsize=7)
    ax.text(6.1, 1.32, "attention: sum of the heatmaps", ha="right", fontsize=7)
    _box(ax, (1.75, 0.55), (1.1, 0.6), "side by side", _PLAIN)
    ax.add_patch(Rectangle((2.55, 0.05), 3.0, 1.0, facecolor="#f4f4f4", edgecolor="none"))
    ax.text(4.05, 0.15, details.get("head", ""), ha="center", va="center", fontsize=7)
    head = {"1 × 1\nconvolution": 3.05, "blocks,\neach halved": 4.05, "mean,\n2 linear layers": 5.05}
    for words, x in head.items():
        _box(ax, (x, 0.55), (0.82, 0.5), words, _AFFECT)
    for start, end in ((2.3, 2.64), (3.46, 3.64), (4.46, 4.64)):
        _arrow(ax, (start, 0.55), (end, 0.55))
    for y, words in ((0.8, "expression"), (0.35, "valence, arousal")):
        _box(ax, (6.3, y), (1.1, 0.3), words, _AFFECT)
        _arrow(ax, (5.46, 0.55), (5.75, y))
    ax.text(6.3, 0.1, details.get("outputs", ""), ha="center", va="center", fontsize=7)
    return figure


@_drawing
def predictions(faces: Sequence[FaceResult]) -> Figure:
    """Figure 4: one to eight faces with the crop's box and landmarks, and where affect is predicted and labelled."""
    if not 1 <= len(faces) <= 8:
        raise ValueError(f"give 1 to 8 faces, as many as can be seen; got {len(faces)}")
    rows = -(-len(faces) // 2)
    figure = _figure(0.35 + 1.95 * rows)
    cells = figure.subfigures(rows, 2, squeeze=False).flat
    mark: dict[str, Any] = {"linestyle": "", "markeredgecolor": "black"}
    for cell, face in zip(cells, faces, strict=False):
        cell.suptitle("predicted {}, labelled {}".format(*face.names), fontsize=8)
        picture, plane = cell.subplots(1, 2)
        _picture(picture, face.image)
        # imshow has the centres of pixels at whole numbers
        left, top, side = np.array(face.box) - (0.5, 0.5, 0)
        box = Rectangle((left, top), side, side, fill=False, edgecolor=PALETTE["vermillion"], linewidth=1.2)
        picture.add_patch(box)
        dots = {"markersize": 2, "markerfacecolor": PALETTE["yellow"], "markeredgewidth": 0.3}
        picture.plot(*(np.asarray(face.landmarks) - 0.5).T, "o", **mark | dots)
        height, width = face.image.shape[:2]
        picture.set_xlim(min(-0.5, left - 1), max(width - 0.5, left + side + 1))
        picture.set_ylim(max(height - 0.5, top + side + 1), min(-0.5, top - 1))
        _plane(plane)
        plane.plot(*zip(face.labelled, face.predicted, strict=True), color=GREY, linewidth=0.8)
        plane.plot(*face.labelled, "s", markerfacecolor="white", label="labelled", **mark)
        plane.plot(*face.predicted, "o", markerfacecolor=PALETTE["vermillion"], label="predicted", **mark)
    figure.legend(*plane.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@_drawing
def ablation(rows: Mapping[str, Mapping[str, NDArray]]) -> Figure:
    """Table 5: row -> metric -> scores (seeds,), a panel for each metric; a row may lack one.

    Bars are 95 % t intervals over seeds. The last word of a metric may be a dimension ("CCC valence"). RMSE is the one
    that is better low.
    """
    metrics = list(dict.fromkeys(metric for scores in rows.values() for metric in scores))
    figure = _figure(1.3 + 0.21 * len(rows))
    axes = figure.subplots(1, len(metrics), squeeze=False, sharey=True)[0]
    for ax, metric in zip(axes, metrics, strict=True):
        for i, scores in enumerate(rows.values()):
            if metric in scores:
                found = mean_interval(scores[metric])
                dot: dict[str, Any] = {"color": GREY, "markersize": 2.5, "alpha": 0.6, "linestyle": ""}
                ax.plot(scores[metric], np.full(found.n, i), marker="o", label="a seed", **dot)
                half = found.high - found.estimate
                bar: dict[str, Any] = {
                    "capsize": 2,
                    "markersize": 5,
                    "label": "mean, 95 % interval over seeds",
                }
                ax.errorbar(found.estimate, i, xerr=half, **bar, **_look(1))
        unit = {"RMSE": "label units,\nlower", "accuracy": "share,\nhigher"}.get(metric.split()[0], "higher")
        ax.set_xlabel(f"{metric}\n({unit} is better)")
        ax.locator_params(axis="x", nbins=3)
    _rows(axes, rows)
    _shared_legend(figure, axes, ncols=2)
    return figure


@_drawing
def ablation_steps(steps: Mapping[str, tuple[NDArray, float]]) -> Figure:
    """What a step of the ablation adds to CCC: step -> (measured differences (seeds,), the paper's)."""
    figure = _figure(1.0 + 0.24 * len(steps), width=0.8 * PAGE)
    ax = figure.subplots()
    ax.axvline(0, color=GREY, linewidth=0.8, zorder=0)
    for i, (measured, printed) in enumerate(steps.values()):
        label = ("measured, 95 % interval over seeds", "printed, on AffectNet") if i == 0 else (None, None)
        found = mean_interval(measured)
        half = found.high - found.estimate
        ax.errorbar(found.estimate, i - 0.12, xerr=half, capsize=2.5, ms=5, label=label[0], **_look(1))
        look: dict[str, Any] = {"color": GREY, "markerfacecolor": "white", "linestyle": "", "markersize": 6}
        ax.plot(printed, i + 0.18, marker="D", label=label[1], **look)
    ax.set_xlabel("difference of CCC (right: the step helps)")
    _rows([ax], steps)
    _shared_legend(figure, [ax], ncols=2)
    return figure


@_drawing
def agreement(panels: Mapping[str, Mapping[str, tuple[float, float, float]]], *, unit: str) -> Figure:
    """Table 4: panel such as "CCC valence" -> comparison -> (estimate, low, high); a panel may lack a comparison.

    Comparisons whose name begins with "network" are told apart from those among raters: their intervals are over seeds,
    the raters' over the test's `unit`, such as "subjects".
    """
    names = list(dict.fromkeys(name for values in panels.values() for name in values))
    figure = _figure(1.0 + 0.26 * len(names))
    figure.set_layout_engine(
        "constrained", w_pad=0.1
    )  # letters are wider where it is saved than where it is laid out
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (panel, values) in zip(axes, panels.items(), strict=True):
        for name, (estimate, low, high) in values.items():
            network = name.startswith("network")
            look = _look(2 if network else 1) | {"markersize": 5, "markeredgecolor": "black"}
            over = "network and raters, interval over seeds", f"raters alone, interval over {unit}"
            y = names.index(name)
            ax.plot((low, high), (y, y), color=look["color"], linewidth=1.6)
            ax.plot(estimate, y, linestyle="", label=over[not network], **look)
        units = {"RMSE": " (label units)", "accu": " (share)"}
        ax.set_xlabel(panel + units.get(panel[:4], ""))
        ax.locator_params(axis="x", nbins=4)
    _rows(axes, names)
    _shared_legend(figure, axes, ncols=2)
    return figure


@_drawing
def cleaning(panels: Mapping[str, Mapping[str, tuple[float, float]]]) -> Figure:
    """What cleaning the test set does: panel -> test faces -> (CCC with the given labels, CCC with the truth)."""
    names = list(dict.fromkeys(name for values in panels.values() for name in values))
    figure = _figure(1.0 + 0.26 * len(names))
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for i, (ax, (panel, values)) in enumerate(zip(axes, panels.items(), strict=True)):
        for name, (given, truth) in values.items():
            y = names.index(name)
            ax.plot((given, truth), (y, y), color=GREY, linewidth=1.6, zorder=1)
            mark: dict[str, Any] = {"linestyle": "", "markersize": 6, "markeredgecolor": "black"}
            ax.plot(given, y, label="with the given labels", **mark | _look(1))
            ax.plot(truth, y, label="with the truth", **mark | _look(3) | {"color": "white"})
        _name(ax, i, panel)
        ax.set_xlabel("CCC of the predictions")
    _rows(axes, names)
    _shared_legend(figure, axes, ncols=2)
    return figure


def _plane(ax: Axes) -> None:
    """The valence-arousal plane with its unit circle."""
    ax.add_patch(Circle((0, 0), 1, fill=False, linewidth=0.8))
    ax.plot([-1, 1, np.nan, 0, 0], [0, 0, np.nan, -1, 1], color=LIGHT_GREY, linewidth=0.8, zorder=0)
    ax.set(xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal")
    ax.set(xlabel="valence", ylabel="arousal")


def _rows(axes: Sequence[Axes], names: Iterable[str]) -> None:
    """Names from the top down, on axes that share them."""
    words = list(names)
    axes[0].set(yticks=range(len(words)), yticklabels=words, ylim=(len(words) - 0.5, -0.5))
    for ax in axes:
        ax.grid(axis="y", color=LIGHT_GREY, linewidth=0.5)
        ax.set_axisbelow(True)


def _canvas(figure: Figure, *, height: float) -> Axes:
    """Axes to draw on in inches, from the lower left corner."""
    ax = figure.subplots()
    ax.set(xlim=(0, PAGE), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax


def _arrow(ax: Axes, *points: tuple[float, float]) -> None:
    """A line through the points with a head at its end."""
    ax.plot(*zip(*points[:-1], strict=True), color="black", linewidth=0.9)
    look = {"arrowstyle": "-|>", "color": "black", "lw": 0.9, "shrinkA": 0, "shrinkB": 0}
    ax.annotate("", points[-1], points[-2], arrowprops=look)


__all__ = [
    "FaceResult",
    "ablation",
    "ablation_steps",
    "agreement",
    "architecture",
    "circumplex",
    "cleaning",
    "pipelines",
    "predictions",
]
