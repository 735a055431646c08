"""neo2023's figures, in the manner of `plots`: functions from arrays to a matplotlib Figure.

Valence comes before arousal. Pictures are (n, size, size) grey or (n, size, size, 3), and left out (None) where they
may not be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse, FancyBboxPatch
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from paperlib.calibration import Reliability
from paperlib.fusion import LabelParameters, posterior
from paperlib.plots import (
    COLORS,
    GREY,
    HATCHES,
    LIGHT_GREY,
    LINES,
    PAGE,
    PALETTE,
    _drawing,
    _figure,
    _look,
    _picture,
)

# box -> (centre x, centre y) in the drawing of the framework
_PLACES = {
    "picture": (0.085, 0.47),
    "encoder": (0.285, 0.47),
    "classifier": (0.485, 0.72),
    "regressor": (0.485, 0.22),
    "cross-entropy + cosine": (0.70, 0.72),
    "weighted L2": (0.70, 0.22),
    "fused label": (0.912, 0.72),
    "category": (0.912, 0.97),
    "mixed label": (0.912, 0.47),
    "valence, arousal": (0.912, 0.22),
}
_ARROWS = (
    ("picture", "encoder"),
    ("encoder", "classifier"),
    ("encoder", "regressor"),
    ("classifier", "cross-entropy + cosine"),
    ("regressor", "weighted L2"),
    ("fused label", "cross-entropy + cosine"),
    ("category", "fused label"),
    ("mixed label", "fused label"),
    ("valence, arousal", "mixed label"),
    ("valence, arousal", "weighted L2"),
)

# one look a label on the whole page; two bars' names say after it which equation they come from
_LABELS = ("one-hot", "Euclid", "GMM", "label smoothing", "votes", "fused")
_DARK_YELLOW = "#a08a00"  # where a line or a dot must be seen on white


def _rank(name: str, i: int) -> int:
    """The place of a label in every figure's palette; of what is no such label, its own in this one."""
    first = name.replace("category", "one-hot").replace("given label", "one-hot")
    return next((k for k, label in enumerate(_LABELS) if first.startswith(label)), i)


@_drawing
def label_bars(
    series: Mapping[str, NDArray],
    names: Sequence[str],
    captions: Sequence[str],
    *,
    images: NDArray[np.uint8] | None = None,
) -> Figure:
    """Figures 1 and 4: several labels of the same faces side by side; arrays (faces, categories), rows sum to 1."""
    count, per = len(captions), 1 if images is None else 2
    figure = _figure(2.0 if images is None else 2.9)
    heights = [1.0] if images is None else [0.8, 1.0]
    axes = figure.subplots(per, count, squeeze=False, height_ratios=heights)
    x, width = np.arange(len(names)), 0.8 / len(series)
    for face, caption in enumerate(captions):
        ax = axes[-1, face]
        if images is not None:
            _picture(axes[0, face], images[face])
        for i, (name, shares) in enumerate(series.items()):
            at = x + (i - (len(series) - 1) / 2) * width
            ax.bar(
                at,
                shares[face],
                width,
                label=name,
                color=COLORS[_rank(name, i)],
                hatch=HATCHES[_rank(name, i) % len(HATCHES)],
            )
        axes[0, face].set_title(caption, fontsize=8)
        ax.set(ylim=(0, 1), xticks=x)
        ax.set_xticklabels([n[:3] for n in names], rotation=90)
        ax.tick_params(labelleft=face == 0)
    axes[-1, 0].set_ylabel("share")
    figure.legend(*axes[-1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(series))
    return figure


@_drawing
def framework(details: Mapping[str, str]) -> Figure:
    """Figure 2: what is built; `details` are second lines of the boxes by name, such as shapes and parameters."""
    unknown = details.keys() - _PLACES.keys()
    if unknown:
        raise ValueError(f"there are no boxes {sorted(unknown)}; choose from {', '.join(_PLACES)}")
    figure = _figure(2.6)
    ax = figure.subplots()
    ax.set(xlim=(0, 1), ylim=(0.1, 1.08))
    ax.axis("off")
    half_width, half_height = 0.08, 0.085
    for start, end in _ARROWS:
        (x0, y0), (x1, y1) = _PLACES[start], _PLACES[end]
        if x0 == x1:
            y0, y1 = y0 + np.sign(y1 - y0) * half_height, y1 - np.sign(y1 - y0) * half_height
        else:
            x0, x1 = x0 + np.sign(x1 - x0) * half_width, x1 - np.sign(x1 - x0) * half_width
        ax.annotate("", (x1, y1), (x0, y0), arrowprops={"arrowstyle": "-|>", "color": "black", "lw": 0.9})
    for name, (x, y) in _PLACES.items():
        learnt = name in ("encoder", "classifier", "regressor")
        face = "#d9ebf7" if learnt else "#fdf0d5" if "+" in name or "L2" in name else "white"
        corner = (x - half_width, y - half_height)
        box = FancyBboxPatch(
            corner,
            2 * half_width,
            2 * half_height,
            boxstyle="round,pad=0,rounding_size=0.015",
            fc=face,
            ec=GREY,
        )
        ax.add_patch(box)
        words = name.replace(" + ", "\n+ ")
        ax.text(
            x,
            y,
            "\n".join(filter(None, (words, details.get(name, "")))),
            ha="center",
            va="center",
            fontsize=7,
        )
    return figure


@_drawing
def class_gaussians(parameters: LabelParameters, affect: NDArray, label: NDArray) -> Figure:
    """Figure 3: the faces (n, 2) with their classes (n,), each class's Gaussian at one and two standard deviations;
    and which class is likeliest where, paler where it is less sure."""
    figure = _figure(3.6)
    left, right = figure.subplots(1, 2, sharex=True, sharey=True)
    colors = [COLORS[1:][k % (len(COLORS) - 1)] if k else "#000000" for k in range(len(parameters.classes))]
    colors = [_DARK_YELLOW if c == PALETTE["yellow"] else c for c in colors]
    for k, name in enumerate(parameters.classes):
        rows = np.flatnonzero(label == k)[:200]
        left.plot(*affect[rows].T, ".", markersize=2, color=colors[k], alpha=0.5, rasterized=True)
        for deviations in (1, 2):
            _ellipse(
                left,
                parameters.mean[k],
                parameters.covariance[k],
                deviations,
                colors[k],
                LINES[k % len(LINES)],
            )
        right.plot(*parameters.mean[k], "o", color="white", markeredgecolor="black", markersize=4)
        apart = parameters.mean - parameters.mean[k]
        crowded = ((apart[:, 0] > 0) & (np.abs(apart) < 0.12).all(axis=1)).any()
        words = right.annotate(
            name,
            parameters.mean[k],
            xytext=(-4 if crowded else 4, 2),
            ha="right" if crowded else "left",
            textcoords="offset points",
            fontsize=7,
        )
        words.set_path_effects([withStroke(linewidth=1.5, foreground="white")])
        left.plot([], [], color=colors[k], linestyle=LINES[k % len(LINES)], label=name)
    side = np.linspace(-1, 1, 201)
    p = posterior(parameters, np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)).reshape(201, 201, -1)
    extent = (-1, 1, -1, 1)
    right.imshow(
        p.argmax(axis=2),
        cmap=ListedColormap(colors),
        vmin=-0.5,
        vmax=len(colors) - 0.5,
        alpha=0.15 + 0.65 * np.clip(p.max(axis=2), 0, 1),
        origin="lower",
        extent=extent,
        interpolation="nearest",
    )
    fitted = f"Gaussians as fitted (reading “{parameters.reading}”), 1 and 2 sd"
    for ax, title in ((left, fitted), (right, "likeliest class (paler: less sure)")):
        ax.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.25), aspect="equal", xlabel="valence", title=title)
    left.set_ylabel("arousal")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


@_drawing
def scores_over_noise(panels: Mapping[str, Mapping[str, Mapping[str, NDArray]]], *, ylabel: str) -> Figure:
    """Table 3 drawn: panel -> label -> condition -> scores (seeds,); bars are standard errors; "natural" apart."""
    figure = _figure(2.6)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, by_label) in zip(axes, panels.items(), strict=True):
        ticks: dict[str, float] = {}
        for i, (name, by_condition) in enumerate(by_label.items()):
            shift = 0.06 * (i - (len(by_label) - 1) / 2)
            flips = [c for c in by_condition if c.endswith("%")]
            x = np.array([float(c.removesuffix("%")) / 10 for c in flips])
            _points(ax, x + shift, [by_condition[c] for c in flips], name, i)
            ticks |= dict(zip((c.removesuffix(" %") for c in flips), x, strict=True))
            if "natural" in by_condition:
                ticks["natural"] = 4.0
                _points(ax, np.array([4.0 + shift]), [by_condition["natural"]], "", i)
        ax.set(title=title, xlabel="wrong labels (%)", xticks=list(ticks.values()), xticklabels=list(ticks))
    axes[0].set_ylabel(ylabel)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


@_drawing
def scores_over_alpha(panels: Mapping[str, Mapping[float, NDArray]], *, ylabel: str) -> Figure:
    """Table 4 drawn: panel -> alpha -> scores (seeds,); bars are standard errors."""
    figure = _figure(2.2, width=0.5 * PAGE * max(len(panels), 1) if len(panels) < 2 else PAGE)
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, by_alpha) in zip(axes, panels.items(), strict=True):
        _points(ax, np.array(list(by_alpha)), list(by_alpha.values()), "", 1)
        ax.set(title=title, xlabel="α (0: valence and arousal alone, 1: categories alone)")
    axes[0].set_ylabel(ylabel)
    return figure


@_drawing
def gains(values: Mapping[str, tuple[float, float, float]], *, unit: str) -> Figure:
    """Estimate, low and high by name, in the given order; right of the line is a gain."""
    figure = _figure(0.7 + 0.2 * len(values), width=PAGE)
    ax = figure.subplots()
    ax.axvline(0, color=GREY, linewidth=0.8)
    for i, (name, (estimate, low, high)) in enumerate(values.items()):
        ax.errorbar(
            estimate,
            i,
            xerr=[[estimate - low], [high - estimate]],
            capsize=2.5,
            marker="o",
            ms=4,
            color=COLORS[_rank(name.rpartition(": ")[2], 1)],
        )
    ax.set(yticks=range(len(values)), yticklabels=list(values), xlabel=unit, ylim=(len(values) - 0.5, -0.5))
    ax.tick_params(axis="y", labelsize="small")
    return figure


@_drawing
def reliability_diagrams(panels: Mapping[str, Mapping[str, Reliability]]) -> Figure:
    """Accuracy over confidence, panel -> label -> bins; below the diagonal predictions are surer than right."""
    figure = _figure(2.9)
    axes = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for ax, (title, by_label) in zip(axes, panels.items(), strict=True):
        ax.plot([0, 1], [0, 1], color=LIGHT_GREY, linewidth=0.8)
        for i, (name, found) in enumerate(by_label.items()):
            use = found.n >= 20  # a share of a handful says nothing
            rank = _rank(name, i)
            look = _look(rank) | {"markersize": 4}
            ax.plot(found.confidence[use], found.accuracy[use], linestyle=LINES[rank], label=name, **look)
        ax.set(title=title, xlabel="confidence", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes[0].set_ylabel("accuracy")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=6)
    return figure


@_drawing
def error_in_plane(errors: Mapping[str, NDArray], truth: NDArray) -> Figure:
    """Figure 5: mean distance between predicted and true valence-arousal by place of the truth (n, 2), by loss."""
    figure = _figure(3.2)
    axes = figure.subplots(1, len(errors), squeeze=False, sharey=True)[0]
    top = max(float(np.quantile(e, 0.98)) for e in errors.values())
    for ax, (name, values) in zip(axes, errors.items(), strict=True):
        shown = ax.hexbin(
            *truth.T, C=values, gridsize=14, extent=(-1, 1, -1, 1), cmap="cividis", vmin=0, vmax=top, mincnt=2
        )
        ax.axhline(0, color=LIGHT_GREY, linewidth=0.6)
        ax.axvline(0, color=LIGHT_GREY, linewidth=0.6)
        ax.set(
            title=f"{name}:\nmean distance {values.mean():.3f}",
            xlabel="valence",
            aspect="equal",
            xlim=(-1, 1),
            ylim=(-1, 1),
        )
    axes[0].set_ylabel("arousal")
    figure.colorbar(shown, ax=list(axes), label="mean error (label units)", shrink=0.8)
    return figure


@_drawing
def attention_maps(
    maps: Mapping[str, NDArray], rows: Sequence[str], *, images: NDArray[np.uint8] | None = None
) -> Figure:
    """Figure 6: Grad-CAM maps (faces, h, w) by column over the pictures, each map scaled to its own maximum."""
    columns = list(maps)
    first = 0 if images is None else 1
    figure = _figure(1.15 * len(rows) + 0.5)
    axes = figure.subplots(len(rows), len(columns) + first, squeeze=False)
    for i, row in enumerate(rows):
        if images is not None:
            _picture(axes[i, 0], images[i])
        for j, name in enumerate(columns, start=first):
            ax, values = axes[i, j], maps[name][i]
            size = 48 if images is None else images.shape[1]
            if images is not None:
                ax.imshow(images[i], cmap="gray", vmin=0, vmax=255)
            scaled = values / values.max() if values.max() > 0 else values
            alpha = 1.0 if images is None else 0.5
            ax.imshow(
                scaled,
                cmap="viridis",
                vmin=0,
                vmax=1,
                alpha=alpha,
                interpolation="bilinear",
                extent=(-0.5, size - 0.5, size - 0.5, -0.5),
            )
            ax.set(xticks=[], yticks=[])
            if i == 0:
                ax.set_title(name, fontsize=8)
        axes[i, 0].set_ylabel(row)
    return figure


def _points(ax: Axes, x: NDArray, values: Sequence[NDArray], name: str, i: int) -> None:
    """Means with standard errors over seeds, of which points may have different numbers."""
    mean = np.array([np.mean(v) for v in values])
    error = [float(np.std(v, ddof=1) / np.sqrt(len(v))) if len(v) > 1 else 0.0 for v in values]
    ax.errorbar(x, mean, yerr=error, label=name, capsize=3, linestyle=LINES[i], **_look(i))


def _ellipse(
    ax: Axes, mean: NDArray, covariance: NDArray, deviations: float, color: str, line: object
) -> None:
    values, vectors = np.linalg.eigh(covariance)
    width, height = 2 * deviations * np.sqrt(values[::-1])
    angle = float(np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])))
    ax.add_patch(Ellipse(tuple(mean), width, height, angle=angle, fill=False, color=color, linestyle=line))


__all__ = [
    "attention_maps",
    "class_gaussians",
    "error_in_plane",
    "framework",
    "gains",
    "label_bars",
    "reliability_diagrams",
    "scores_over_alpha",
    "scores_over_noise",
]
