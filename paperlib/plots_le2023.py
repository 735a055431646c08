"""le2023's figures, in the manner of `plots`: functions from arrays to a matplotlib Figure.

Categories come as integers into `names`; pictures are (n, size, size) grey or (n, size, size, 3), and left out (None)
where they may not be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score, roc_curve

from paperlib.plots import COLUMN, GREY, LIGHT_GREY, LINES, PAGE, PALETTE, _drawing, _figure, _look

HATCHES = ("", "////", "....", "xxxx")
# A method, and its measure of doubt, have one colour and marker in all figures; black is people's votes elsewhere.
LOOKS = {
    **dict.fromkeys(("baseline", "plain loss"), 1),
    **dict.fromkeys(("LDLVA", "factor"), 2),
    "label smoothing": 3,
    **dict.fromkeys(("SCN", "SCN's weight"), 4),
    **dict.fromkeys(("RUL", "RUL's uncertainty"), 5),
    **dict.fromkeys(("LDLVA, bounded scores", "factor, bounded scores"), 6),
    "as released": 0,
}
RIGHT, WRONG = "black", GREY  # of labels, with a hatch or a dashed line for wrong ones: no method's colours
AREA = 600  # of a marker for all of the scores, in square points
SHARES = (0.1, 0.5)  # of the scores, in the legend of sizes


@_drawing
def vote_distributions(
    human: ArrayLike,
    predicted: Mapping[str, ArrayLike],
    names: Sequence[str],
    *,
    images: NDArray[np.uint8] | None = None,
) -> Figure:
    """Votes and predictions face by face (le2023, figs. 1 and 3): arrays (faces, categories) that sum to 1 in a row."""
    series = {"votes": np.asarray(human), **{m: np.asarray(p) for m, p in predicted.items()}}
    count = len(series["votes"])
    columns = min(count, 4)
    rows = -(-count // columns)
    per = 1 if images is None else 2
    figure = _figure(rows * (1.75 if images is None else 2.75), width=PAGE)
    heights = [1.0] if images is None else [0.9, 1.0]
    axes = figure.subplots(rows * per, columns, squeeze=False, height_ratios=heights * rows)
    x = np.arange(len(names))
    width = 0.8 / len(series)
    for face in range(rows * columns):
        column, row = face % columns, face // columns * per
        ax = axes[row + per - 1, column]
        if face >= count:
            for unused in axes[row : row + per, column]:
                unused.axis("off")
            continue
        if images is not None:
            _picture(axes[row, column], images[face])
        for i, (name, shares) in enumerate(series.items()):
            look = (
                {"color": PALETTE["black"]} if i == 0 else {"color": _of(name)["color"], "hatch": HATCHES[i]}
            )
            ax.bar(x + (i - (len(series) - 1) / 2) * width, shares[face], width, label=name, **look)
        ax.set(ylim=(0, 1), xticks=x)
        ax.set_xticklabels([n[:3] for n in names], rotation=90)
        ax.tick_params(labelleft=column == 0)
        if column == 0:
            ax.set_ylabel("share")
    figure.legend(
        *axes[per - 1, 0].get_legend_handles_labels(), loc="outside upper center", ncols=len(series)
    )
    return figure


@_drawing
def divergence_by_method(
    values: Mapping[str, tuple[float, float, float]],
    *,
    unit: str,
    references: Mapping[str, float] | None = None,
) -> Figure:
    """Estimate, low and high by method, in the given order; `references` are drawn as vertical lines."""
    references = references or {}
    figure = _figure(0.9 + 0.28 * len(values) + 0.2 * bool(references), width=0.8 * PAGE)
    ax = figure.subplots()
    for i, (name, (estimate, low, high)) in enumerate(values.items()):
        ax.errorbar(estimate, i, xerr=[[estimate - low], [high - estimate]], capsize=3, **_of(name))
    for (name, at), line in zip(references.items(), LINES[1:], strict=False):
        ax.axvline(at, color=GREY, linestyle=line, label=name)
    if references:
        figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=len(references))
    ax.set(yticks=range(len(values)), yticklabels=list(values), xlabel=unit, ylim=(len(values) - 0.5, -0.5))
    return figure


@_drawing
def neighbours(
    images: NDArray[np.uint8],
    own: NDArray,
    near: NDArray,
    share: NDArray,
    category: NDArray,
    names: Sequence[str],
) -> Figure:
    """Figure 4: faces `own` (faces,), left, their neighbours `near` (faces, K) and these' shares of the scores."""
    figure = _figure(1.15 * len(own) + 0.1)
    axes = figure.subplots(len(own), near.shape[1] + 1, squeeze=False)
    for line, i, js, scores in zip(axes, own, near, share, strict=True):
        _picture(line[0], images[i], names[category[i]], bold=True)
        order = np.argsort(-scores, kind="stable")
        for ax, j, score in zip(line[1:], js[order], scores[order], strict=True):
            _picture(ax, images[j], names[category[j]])
            ax.set_xlabel(f"{score:.2f}")
    return figure


@_drawing
def neighbours_in_plane(
    affect: NDArray, own: NDArray, near: NDArray, share: NDArray, category: NDArray, names: Sequence[str]
) -> Figure:
    """The same in the valence-arousal plane: all faces faint, neighbours as large as their share of the scores."""
    figure = _figure(3.2)
    panels = figure.subplots(1, len(own), squeeze=False)[0]
    shown = sorted(set(category[near].ravel().tolist()))
    for ax, i, js, scores in zip(panels, own, near, share, strict=True):
        ax.plot(*affect.T, ".", color=LIGHT_GREY, markersize=1.5, zorder=0, rasterized=True)
        for c in shown:
            rows = category[js] == c
            look = _look(c)
            ax.scatter(
                *affect[js[rows]].T,
                s=AREA * scores[rows],
                alpha=0.7,
                marker=look["marker"],
                color=look["color"],
            )
        ax.plot(*affect[i], "+", color="black", markersize=12, markeredgewidth=1.5)
        places = affect[np.append(js, i)]
        reach = max(float(np.ptp(places, axis=0).max()), 0.01)
        middle = (places.max(axis=0) + places.min(axis=0)) / 2
        for limits, m in ((ax.set_xlim, middle[0]), (ax.set_ylim, middle[1])):
            limits(m - reach, m + reach)
        ax.set(title=f"+ {names[category[i]]}", xlabel="pseudo valence")
    panels[0].set_ylabel("pseudo arousal")
    handles = [
        panels[0].plot([], [], linestyle="none", label=names[c], alpha=0.7, **_look(c))[0] for c in shown
    ]
    for share_ in SHARES:
        size = {"markersize": (AREA * share_) ** 0.5, "color": LIGHT_GREY, "marker": "o"}
        handles += panels[0].plot([], [], linestyle="none", label=f"share of the scores {share_}", **size)
    figure.legend(handles=handles, loc="outside lower center", ncols=4, handlelength=2.4, labelspacing=1)
    return figure


@_drawing
def recovered_labels(
    target: NDArray,
    given: NDArray,
    right: NDArray,
    names: Sequence[str],
    *,
    about: str = "",
    images: NDArray[np.uint8] | None = None,
) -> Figure:
    """Figure 5: rebuilt distributions (faces, categories) of wrongly labelled faces; which label was given, which is
    right. `about` says which distribution of which training it is."""
    per = 1 if images is None else 2
    figure = _figure(2.1 if images is None else 3.0)
    heights = [1.0] if images is None else [0.7, 1.0]
    axes = figure.subplots(per, len(target), squeeze=False, height_ratios=heights)
    for i, shares in enumerate(target):
        if images is not None:
            _picture(axes[0, i], images[i])
        ax = axes[-1, i]
        bars = ax.barh(np.arange(len(names)), shares, color=LIGHT_GREY, edgecolor=GREY, linewidth=0.5)
        bars[given[i]].set(facecolor="white", edgecolor=WRONG, hatch="////")
        bars[right[i]].set(facecolor=RIGHT)
        ax.set(xlim=(0, 1), ylim=(len(names) - 0.5, -0.5), yticks=range(len(names)), xticks=(0, 1))
        ax.set_yticklabels(names if i == 0 else [])
    figure.supxlabel(f"share of the rebuilt distribution{about and ', '}{about}", fontsize=8)
    handles = [Patch(color=RIGHT, label="consensus")]
    handles += [Patch(facecolor="white", edgecolor=WRONG, hatch="////", label="given label")]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


@_drawing
def factors_by_class(
    factor: NDArray, given: NDArray, names: Sequence[str], *, wrong: NDArray, about: str = ""
) -> Figure:
    """The factor (n,) by given label: medians, quartiles, 5th and 95th percentiles, of right labels and wrong ones.

    `about` says whose factor it is.
    """
    figure = _figure(2.6)
    handles: list[Patch] = []
    looks: tuple[dict[str, Any], ...] = (
        {"facecolor": "white", "hatch": ""},
        {"facecolor": LIGHT_GREY, "hatch": "////"},
    )
    ax = figure.subplots()
    for i, (name, rows) in enumerate((("right label", ~wrong), ("wrong label", wrong))):
        at = np.arange(len(names)) + (i - 0.5) * 0.36
        each = [factor[rows & (given == k)] for k in range(len(names))]
        boxes = ax.boxplot(
            [e if len(e) else [np.nan] for e in each],
            positions=at,
            widths=0.3,
            whis=(5, 95),
            showfliers=False,
            patch_artist=True,
            medianprops={"color": "black"},
        )
        for box in boxes["boxes"]:
            box.set(**looks[i])
        handles.append(Patch(**looks[i], edgecolor="black", label=name))
    ax.set(xticks=range(len(names)), xlabel="given label", ylabel="uncertainty factor λ", ylim=(-0.03, 1.03))
    ax.set_xticklabels(names)
    title = f"boxes: quartiles and median; whiskers: 5 to 95 % of the faces{about and '; '}{about}"
    figure.legend(handles=handles, loc="outside upper center", ncols=2, title=title)
    return figure


@_drawing
def factor_pictures(
    images: NDArray[np.uint8],
    factor: NDArray,
    given: NDArray,
    names: Sequence[str],
    *,
    rows: int = 4,
    about: str = "",
) -> Figure:
    """Figure 6: a column a given label, pictures at evenly spaced ranks from the highest factor to the lowest.

    `about` says whose factor it is.
    """
    figure = _figure(1.1 * rows + 0.3)
    axes = figure.subplots(rows, len(names), squeeze=False)
    for k, name in enumerate(names):
        of = np.flatnonzero(given == k)
        order = of[np.argsort(-factor[of], kind="stable")]
        chosen = order[np.linspace(0, len(order) - 1, rows).round().astype(int)]
        for ax, i in zip(axes[:, k], chosen, strict=True):
            _picture(ax, images[i], name if ax is axes[0, k] else "")
            ax.set_xlabel(f"λ = {factor[i]:.2f}")
    if about:
        figure.supxlabel(about, fontsize=8)
    return figure


@_drawing
def accuracy_over_k(k: Sequence[int], accuracy: Mapping[str, NDArray]) -> Figure:
    """Figure 7: LDLVA's accuracy in per cent (len(k), seeds) by series; bars are standard errors."""
    figure = _figure(2.4, width=COLUMN)
    ax = figure.subplots()
    for i, (name, values) in enumerate(accuracy.items()):
        look = {**_of("LDLVA"), "marker": _look(i)["marker"], "linestyle": LINES[i]}
        _line(ax, np.arange(len(k)) + 0.04 * i, values, name, look)
    ax.set(xticks=range(len(k)), xticklabels=list(k), xlabel="neighbours K", ylabel="accuracy (%)")
    title = f"bars: standard errors, {_seeds(accuracy.values())}"
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2, title=title)
    return figure


@_drawing
def accuracy_over_noise(
    noise: Sequence[float], accuracy: Mapping[str, NDArray], *, natural: Mapping[str, NDArray] | None = None
) -> Figure:
    """Accuracy in per cent (len(noise), seeds) by method over the share of flipped labels; bars are standard errors.

    `natural` (seeds,) by method stands apart, at the right.
    """
    figure = _figure(3.1)
    left, right = (
        figure.subplots(1, 2, sharey=True, width_ratios=(4, 1)) if natural else (figure.subplots(), None)
    )
    for i, (name, values) in enumerate(accuracy.items()):
        shift = i - (len(accuracy) - 1) / 2
        look = {**_of(name, i), "linestyle": LINES[i]}
        _line(left, np.asarray(noise) + 0.3 * shift, values, name, look)
        if natural and name in natural and right is not None:
            _line(right, np.array([0.12 * shift]), natural[name][None], name, look)
    left.set(xlabel="flipped labels (%)", ylabel="accuracy (%)", xticks=list(noise))
    if right is not None:
        right.set(xticks=[0], xticklabels=["natural labels"], xlim=(-0.6, 0.6))
    title = f"bars: standard errors, {_seeds(accuracy.values())}"
    columns = min(len(accuracy), 4)
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=columns, title=title)
    return figure


@_drawing
def detection(
    score: Mapping[str, NDArray], wrong: NDArray, *, factor: str = "factor", about: str = ""
) -> Figure:
    """How well each score (n,) finds wrong labels (n,): ROC curves, beside the densities of the one named `factor`.

    `about` says of which training.
    """
    figure = _figure(2.9)
    left, right = figure.subplots(1, 2)
    edges = np.linspace(0, 1, 31)
    for name, rows, color, line in (
        ("right labels", ~wrong, RIGHT, "-"),
        ("wrong labels", wrong, WRONG, "--"),
    ):
        density = np.histogram(score[factor][rows], bins=edges, density=True)[0]
        left.stairs(
            density, edges, color=color, linestyle=line, linewidth=1.4, label=f"{name}, n = {rows.sum():,}"
        )
    left.set(xlabel="uncertainty factor λ", ylabel="density", yscale="symlog", xlim=(0, 1))
    left.legend()
    for i, (name, values) in enumerate(score.items()):
        false, true, _ = roc_curve(wrong, values)
        area = roc_auc_score(wrong, values)
        right.plot(false, true, color=_of(name, i)["color"], linestyle=LINES[i], label=f"{name} ({area:.2f})")
    right.plot([0, 1], [0, 1], color=LIGHT_GREY, linewidth=0.8)
    right.set(xlabel="right labels flagged (share)", ylabel="wrong labels found (share)", aspect="equal")
    figure.legend(
        *right.get_legend_handles_labels(), title=f"AUROC{about and ', '}{about}", loc="outside right center"
    )
    return figure


def _of(name: str, i: int = 0) -> dict[str, Any]:
    """Colour and marker of a method, or of the i-th thing where it is none of the page's."""
    return _look(LOOKS.get(name, i))


def _seeds(series: Iterable[NDArray]) -> str:
    """Over which seeds the bars are: arrays (points, seeds), whose seeds are the first ones."""
    counts = sorted({values.shape[1] for values in series})
    return "or ".join(f"seeds 0 to {n - 1} " if n > 1 else "seed 0 " for n in counts).strip()


def _line(ax: Axes, x: NDArray, values: NDArray, name: str, look: Mapping[str, Any]) -> None:
    error = values.std(axis=1, ddof=1) / np.sqrt(values.shape[1]) if values.shape[1] > 1 else None
    ax.errorbar(x, values.mean(axis=1), yerr=error, label=name, capsize=3, **look)


def _picture(ax: Axes, image: NDArray[np.uint8], title: str = "", *, bold: bool = False) -> None:
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=8, fontweight="bold" if bold else "normal", pad=3)
    for spine in ax.spines.values():
        spine.set_visible(bold)
