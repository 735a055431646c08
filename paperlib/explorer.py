"""A point of the valence-arousal plane, and what le2023 and neo2023 make of it, to be looked at in JupyterLab.

    explore(Track())

le2023 weighs the training faces that lie nearest by a similarity (its eq. 2); neo2023 makes a label of the place
alone (its eqs. 2 and 3), and fuses it with the one that was given (eq. 4). `at` computes both for any point, `figure`
draws them, and the sliders of `explore` move the point.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from paperlib.fusion import LabelParameters, fit_label_parameters, fuse, inverse_distances, posterior
from paperlib.labels import local_similarity
from paperlib.plots import GREY, LIGHT_GREY, PALETTE, _drawing, _figure, _look, _picture
from paperlib.plots_toisoul2021 import _plane
from paperlib.tracks import Track

if TYPE_CHECKING:
    from ipywidgets import VBox

DELTA = 0.5  # of le2023's similarity, as in the paper
MOST_DOTS = 3_000  # faint ones, of all training faces
MOST_DRAWN = 12  # neighbours that a figure names; more would be too small to be seen


@dataclass(frozen=True, kw_only=True)
class Faces:
    """The n faces that a track trains on: their places, categories, and the Gaussians fitted on them."""

    affect: NDArray[np.float32]  # (n, 2) valence, arousal in [-1, 1]
    label: NDArray[np.int64]  # (n,) index into parameters.classes
    parameters: LabelParameters
    images: NDArray[np.uint8]  # (all of the track's, size, size[, 3]); may be a memory map
    rows: NDArray[np.int64]  # (n,) which of the images each is


@dataclass(frozen=True, kw_only=True)
class View:
    """What there is at a point: its k neighbours, nearest first, and its labels over K classes, which sum to one."""

    faces: Faces
    point: tuple[float, float]  # valence, arousal
    given: int  # the category that somebody chose
    alpha: float  # its weight in the fused labels
    neighbours: NDArray[np.intp]  # (k,) index into faces.affect
    distance: NDArray[np.float64]  # (k,)
    similarity: NDArray[np.float64]  # (k,) in (0, 1]
    posterior: NDArray[np.float64]  # (K,) neo2023, eq. 2
    inverse_distances: NDArray[np.float64]  # (K,) neo2023, eq. 3
    fused_posterior: NDArray[np.float64]  # (K,) neo2023, eq. 4
    fused_inverse_distances: NDArray[np.float64]  # (K,)


def training_faces(track: Track, kind: str = "faces") -> Faces:
    """What neo2023 trains on: the track's "faces", "videos" or "morphs", and their Gaussians as on its page.

    Raises:
        ValueError: the track has no such faces, or they lack categories or valence and arousal.
        FileNotFoundError: label parameters for videos are missing.
    """
    from paperlib.papers import neo2023
    from paperlib.tasks.dual_domain import problem

    found = problem(track, kind, neo2023.AS_GIVEN)
    rows = found.train
    if not len(rows):
        raise ValueError(
            f"the {kind} of track {track.name} have no valence and arousal, so no place in the plane"
        )
    parameters = found.parameters or fit_label_parameters(
        found.affect[rows],
        found.label[rows],
        classes=found.classes,
        source=f"{track.name} ({kind}), training split",
        reading=neo2023.protocol(track, kind).reading,
    )
    return Faces(
        affect=found.affect[rows],
        label=found.label[rows],
        parameters=parameters,
        images=found.images,
        rows=rows,
    )


def at(faces: Faces, point: ArrayLike, k: int = 8, *, given: int | None = None, alpha: float = 0.5) -> View:
    """Look at a `point` (valence, arousal in [-1, 1]) with its `k` nearest training faces.

    `given` is the category to fuse, an index into the classes; without one, that of the nearest face. A face at the
    point itself counts as a neighbour, unlike in le2023, where a point is a face and none of its own.

    Raises:
        ValueError: the point lies outside, or k, `given` or alpha cannot be.
    """
    place = np.asarray(point, np.float64)
    if place.shape != (2,) or not (np.abs(place) <= 1).all():
        raise ValueError(f"point must be valence and arousal, each in [-1, 1]; got {place.tolist()}")
    if not 1 <= k <= len(faces.affect):
        raise ValueError(f"k must lie in 1 to {len(faces.affect)}, the training faces; got {k}")
    apart = np.hypot(*(faces.affect - place).T)
    near = np.argsort(apart, kind="stable")[:k]
    together = np.vstack([place, faces.affect[near]])
    similarity = local_similarity(together, np.arange(1, k + 1)[None], delta=DELTA)[0]
    label = np.array([faces.label[near[0]] if given is None else given])
    by_gaussians = posterior(faces.parameters, place[None])
    by_distances = inverse_distances(place[None], faces.parameters.mean)
    return View(
        faces=faces,
        point=(float(place[0]), float(place[1])),
        given=int(label[0]),
        alpha=alpha,
        neighbours=near,
        distance=apart[near],
        similarity=similarity,
        posterior=by_gaussians[0],
        inverse_distances=by_distances[0],
        fused_posterior=fuse(label, by_gaussians, alpha=alpha)[0],
        fused_inverse_distances=fuse(label, by_distances, alpha=alpha)[0],
    )


@_drawing
def figure(view: View, *, pictures: bool = False) -> Figure:
    """The point in the plane and close by, its labels, and its nearest MOST_DRAWN neighbours.

    `pictures` shows these neighbours' faces too. Of people, they are for your own eyes: most licences forbid to pass
    them on.
    """
    names = view.faces.parameters.classes
    drawn = _figure(5.3 + 1.0 * pictures)
    heights = (3.0, 2.3, 1.0)[: 2 + pictures]
    top, bottom, *strip = drawn.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
    plane, close = top.subplots(1, 2)
    _whole_plane(plane, view)
    _close_by(close, view)
    top.legend(*plane.get_legend_handles_labels(), loc="outside upper center", ncols=5, handlelength=1)
    gaussians, distances, similar = bottom.subplots(1, 3)
    _bars(gaussians, view.posterior, view.fused_posterior, names, "label by Gaussians (eq. 2)")
    _bars(distances, view.inverse_distances, view.fused_inverse_distances, names, "by distances (eq. 3)")
    distances.set_yticklabels([])
    words = f"hatched: fused with {names[view.given]}, α = {view.alpha:.2f} (neo2023)"
    gaussians.set_xlabel(words, loc="left")
    _similarities(similar, view)
    for panels in strip:
        axes = panels.subplots(1, MOST_DRAWN if len(view.neighbours) > 8 else 8)
        for ax in axes:
            ax.axis("off")
        for rank, (ax, j) in enumerate(zip(axes, view.neighbours, strict=False), start=1):
            ax.axis("on")
            _picture(ax, view.faces.images[view.faces.rows[j]], f"{rank} {names[view.faces.label[j]]}")
    return drawn


def explore(track: Track, k: int = 8, *, kind: str = "faces") -> VBox:
    """Sliders for a point of the plane, the given category and its weight, above the `figure` of what is there.

    Pictures of people appear only once their box is ticked, so that no page shows them when it is merely executed.

    Raises:
        RuntimeError: ipywidgets is not installed.
        ValueError, FileNotFoundError: as `training_faces` and `at`.
    """
    try:
        import ipywidgets as widgets
    except ImportError as error:
        raise RuntimeError(f"explore needs ipywidgets: pip install -e '.[notebooks]' ({error})") from None

    faces = training_faces(track, kind)

    def slider(name: str, value: float, low: float) -> Any:
        return widgets.FloatSlider(
            value=value, min=low, max=1, step=0.02, description=name, continuous_update=False
        )

    valence, arousal, alpha = slider("valence", 0.3, -1), slider("arousal", 0.3, -1), slider("alpha", 0.5, 0)
    options = [("as the nearest", None), *((name, i) for i, name in enumerate(faces.parameters.classes))]
    given = widgets.Dropdown(options=options, description="given")
    pictures = widgets.Checkbox(value=track.name == "twin", description="pictures")
    drawing = widgets.Image(format="png")
    controls = (valence, arousal, given, alpha, pictures)

    def draw(_: Any = None) -> None:
        view = at(faces, (valence.value, arousal.value), k, given=given.value, alpha=alpha.value)
        drawing.value = as_png(figure(view, pictures=pictures.value))

    for control in controls:
        control.observe(draw, names="value")
    draw()
    rows = [widgets.HBox(controls[:2]), widgets.HBox(controls[2:])]
    return widgets.VBox([*rows, drawing])


def as_png(drawn: Figure) -> bytes:
    """The figure as a PNG file; the same figure gives the same bytes."""
    file = BytesIO()
    drawn.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _whole_plane(ax: Axes, view: View) -> None:
    """All faces, the means of the classes, and the point."""
    _plane(ax)
    n = len(view.faces.affect)
    some = view.faces.affect[np.linspace(0, n - 1, min(n, MOST_DOTS)).astype(int)]
    ax.plot(*some.T, ".", color=LIGHT_GREY, markersize=2, zorder=0, rasterized=True)
    for i, name in enumerate(view.faces.parameters.classes):
        ax.plot(*view.faces.parameters.mean[i], linestyle="", markeredgecolor="white", label=name, **_look(i))
    ax.plot(*view.point, "+", color="black", markersize=14, markeredgewidth=2, label="the point")
    ax.set_title("training faces, and the means of their classes")


def _close_by(ax: Axes, view: View) -> None:
    """The neighbours around the point, numbered from the nearest."""
    affect, label = view.faces.affect, view.faces.label
    ax.plot(*affect.T, ".", color=LIGHT_GREY, markersize=3, zorder=0, rasterized=True)
    ranks: dict[tuple[float, float], list[int]] = {}  # of faces on one place
    for rank, j in enumerate(view.neighbours[:MOST_DRAWN], start=1):
        ax.plot(*affect[j], markeredgecolor="white", markersize=8, **_look(int(label[j])))
        ranks.setdefault((float(affect[j, 0]), float(affect[j, 1])), []).append(rank)
    for place, here in ranks.items():
        words = ", ".join(map(str, here))
        ax.annotate(words, place, xytext=(5, 3), textcoords="offset points")
    ax.plot(*view.point, "+", color="black", markersize=14, markeredgewidth=2)
    reach = 1.25 * max(float(view.distance[:MOST_DRAWN].max()), 0.01)
    valence, arousal = view.point
    ax.set(xlim=(valence - reach, valence + reach), ylim=(arousal - reach, arousal + reach), aspect="equal")
    ax.locator_params(nbins=4)
    count, k = min(len(view.neighbours), MOST_DRAWN), len(view.neighbours)
    ax.set(
        xlabel="valence", title=f"its {'nearest ' if count == k else f'{count} nearest of '}{k} neighbours"
    )


def _bars(ax: Axes, mixed: NDArray, fused: NDArray, names: tuple[str, ...], title: str) -> None:
    """A label of the place alone, and fused with the given category."""
    y = np.arange(len(names))
    ax.barh(y - 0.2, mixed, 0.4, color=PALETTE["sky"], edgecolor="black", linewidth=0.5)
    ax.barh(y + 0.2, fused, 0.4, color="white", edgecolor="black", hatch="/////", linewidth=0.5)
    ax.set(xlim=(0, 1), yticks=y, yticklabels=names, ylim=(len(names) - 0.5, -0.5), title=title)


def _similarities(ax: Axes, view: View) -> None:
    """le2023's similarity of the neighbours, numbered from the nearest."""
    values = view.similarity[:MOST_DRAWN]
    names = [view.faces.parameters.classes[view.faces.label[j]] for j in view.neighbours[:MOST_DRAWN]]
    y = np.arange(len(values))
    ax.barh(y, values, 0.6, color=LIGHT_GREY, edgecolor=GREY, linewidth=0.5)
    ax.set(xlim=(0, 1), yticks=y, ylim=(max(len(values), 8) - 0.5, -0.5))
    ax.set_yticklabels([f"{rank} {name}" for rank, name in enumerate(names, start=1)])
    ax.set(title="similarity (le2023)", xlabel=f"δ = {DELTA:g}")
