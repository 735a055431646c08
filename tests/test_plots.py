from functools import cache

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from paperlib import plots
from paperlib.labels import EXPRESSIONS
from paperlib.models import LabelVarianceNet, NetVLADBackbone, VoteNet, build_backbone
from paperlib.plots import Layer

N = 60
RNG = np.random.default_rng(0)
VARIANCE, OBSERVED = RNG.gamma(2, 0.05, (2, N, 2))
NOISY = np.arange(N) % 5 == 0
AFFECT = RNG.uniform(-0.7, 0.7, (N, 2))
EXPRESSION = np.arange(N) % 8
SERIES, RATINGS = RNG.uniform(0, 5, (2, 100, 3)), RNG.uniform(-1, 1, (2, 3, 2))
VOTES = np.array([[10, 0, 0, 0, 0, 0, 0, 0], [3, 2, 0, 1, 0, 0, 4, 0], [0, 5, 0, 0, 0, 5, 0, 0]])
FACES = RNG.integers(0, 256, (5, 8, 8)).astype(np.uint8)
LEVELS = np.array([0.25, 0.5, 0.75])
CURVES = {"a": np.column_stack([LEVELS, LEVELS**2]), "b": np.column_stack([LEVELS**0.5, LEVELS])}
METHODS = pd.DataFrame(
    [
        ("kl", "valence", 0.3, 0.2, 0.4, 0.6),
        ("mse", "valence", -0.1, np.nan, np.nan, 0.6),
        ("kl", "arousal", 0.5, 0.4, 0.6, np.nan),
    ],
    columns=["method", "dimension", "estimate", "low", "high", "ceiling"],
)
LAYERS = [
    Layer("input", "input", (1, 8, 8)),
    Layer("backbone", "Flatten", (64,)),
    Layer("head", "Linear", (2,)),
]

DRAWINGS = {
    "rater_variance_histogram": lambda: plots.rater_variance_histogram(VARIANCE, title="twin"),
    "variance_by_subset": lambda: plots.variance_by_subset(VARIANCE, NOISY),
    "variance_scatter": lambda: plots.variance_scatter(
        VARIANCE, OBSERVED, correlation=(0.31, 0.34), ceiling=(0.6, np.nan)
    ),
    "labels_on_circumplex": lambda: plots.labels_on_circumplex(AFFECT, EXPRESSION, NOISY, rows=[0, 3, 5, 7]),
    "faces_with_labels": lambda: plots.faces_with_labels(
        FACES, list("abcde"), columns=3, row_titles=("x", "y")
    ),
    "action_units_of_segments": lambda: plots.action_units_of_segments(
        SERIES, RATINGS, ("AU1", "AU2", "AU4"), VARIANCE[:2]
    ),
    "votes_of_faces": lambda: plots.votes_of_faces(VOTES, ("low", "high", "high")),
    "loss_shapes": plots.loss_shapes,
    "coverage_curves": lambda: plots.coverage_curves(LEVELS, CURVES, n=N),
    "method_intervals": lambda: plots.method_intervals(METHODS, xlabel="r (no unit)", title="5 seeds"),
    "architecture": lambda: plots.architecture(LAYERS, title="compact"),
}


@cache
def drawn(name):
    return DRAWINGS[name]()


def title_of(figure):
    return figure.get_suptitle() + "".join(ax.get_title() for ax in figure.axes)


# Every figure


@pytest.mark.parametrize("name", DRAWINGS)
def test_every_figure_is_written_twice_with_the_same_bytes_and_leaves_pyplot_as_it_was(name, tmp_path):
    before = plt.get_fignums(), dict(plt.rcParams)
    figure = DRAWINGS[name]()
    first = plots.save(figure, tmp_path / "a" / "b", name)
    assert [path.name for path in first] == [f"{name}.png", f"{name}.svg"]
    assert sorted(path.name for path in first[0].parent.iterdir()) == [f"{name}.png", f"{name}.svg"]
    bytes_written = [path.read_bytes() for path in first]
    for other in (figure, DRAWINGS[name]()):
        assert [path.read_bytes() for path in plots.save(other, tmp_path / "c", name)] == bytes_written
    assert (plt.get_fignums(), dict(plt.rcParams)) == before


@pytest.mark.parametrize("name", sorted(set(DRAWINGS) - {"architecture", "faces_with_labels"}))
def test_axes_carry_units(name):
    labels = [text for ax in drawn(name).axes for text in (ax.get_xlabel(), ax.get_ylabel()) if text]
    without = {text for text in labels if "(" not in text}
    assert labels and without <= {"number of segments"}


@pytest.mark.parametrize("name", DRAWINGS)
def test_letters_are_at_least_eight_points_and_the_width_is_a_column_or_a_page(name):
    figure = drawn(name)
    assert figure.get_figwidth() in (3.5, 7)
    texts = [text for text in figure.findobj(plt.Text) if text.get_text()]
    assert min(text.get_fontsize() for text in texts) >= 8


def test_an_interrupted_save_leaves_the_old_file(tmp_path, monkeypatch):
    figure = drawn("loss_shapes")
    (path, _) = plots.save(figure, tmp_path, "loss")
    whole = path.read_bytes()

    def stop(*_, **__):
        path.with_name(".half").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(figure, "savefig", stop)
    with pytest.raises(KeyboardInterrupt):
        plots.save(figure, tmp_path, "loss")
    assert path.read_bytes() == whole


def test_a_name_cannot_leave_the_folder(tmp_path):
    with pytest.raises(ValueError, match="plain file name"):
        plots.save(drawn("loss_shapes"), tmp_path, "../loss")


# The data drawn is the data given


def test_rater_histogram_counts_every_row_arousal_first():
    arousal, valence = drawn("rater_variance_histogram").axes
    for ax, column in ((arousal, 1), (valence, 0)):
        counts, edges, _ = ax.patches[0].get_data()
        assert_array_equal(counts, np.histogram(VARIANCE[:, column], bins=edges)[0])
        assert counts.sum() == N
        assert_allclose(ax.lines[0].get_xdata(), VARIANCE[:, column].mean())
    assert arousal.get_title() == "Arousal, n = 60"


def test_subset_densities_share_bins_and_have_area_one():
    for ax, column in zip(drawn("variance_by_subset").axes, (1, 0), strict=True):
        clean, noisy = (patch.get_data() for patch in ax.patches)
        assert_array_equal(clean.edges, noisy.edges)
        for data in (clean, noisy):
            assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1)
        means = [line.get_xdata()[0] for line in ax.lines]
        assert_allclose(means, [VARIANCE[~NOISY, column].mean(), VARIANCE[NOISY, column].mean()])
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names[0] == "clean, n = 48" and names[2] == "noisy, n = 12"


def test_scatter_shows_every_row_and_the_means_of_tenths():
    figure = drawn("variance_scatter")
    for ax, column in zip(figure.axes, (1, 0), strict=True):
        x, y = VARIANCE[:, column], OBSERVED[:, column]
        assert_allclose(ax.collections[0].get_offsets(), np.column_stack([x, y]))
        means = ax.containers[0].lines[0]
        lowest = np.argsort(x)[: N // 10]
        assert_allclose([means.get_xdata()[0], means.get_ydata()[0]], [x[lowest].mean(), y[lowest].mean()])
        low, high = ax.get_ylim()
        assert low <= y.min() and y.max() <= high
    assert title_of(figure) == "Arousal: r = 0.34, ceiling not knownValence: r = 0.31, ceiling 0.60"


def test_circumplex_names_the_chosen_rows_and_rings_the_noisy_ones():
    figure = drawn("labels_on_circumplex")
    (ax,) = figure.axes
    everyone = next(line for line in ax.lines if len(line.get_xdata()) == N)
    assert_allclose(everyone.get_xydata(), AFFECT)
    texts = {text.get_text().split("\n")[0] for text in ax.texts}
    assert texts == {"neutral (noisy)", "surprise", "disgust (noisy)", "contempt"}
    (rings,) = (line for line in ax.lines if line.get_label() == "category contradicts place")
    assert_allclose(rings.get_xydata(), AFFECT[[0, 5]])
    assert title_of(figure) == "4 labels, 2 of them noisy"


def test_crowded_names_on_the_circumplex_do_not_overlap():
    affect = np.column_stack([np.full(6, -0.5), np.linspace(0.1, 0.12, 6)])
    figure = plots.labels_on_circumplex(affect, np.arange(6), np.zeros(6, bool), rows=np.arange(6))
    figure.draw_without_rendering()
    boxes = sorted(
        (plt.Text.get_window_extent(text) for text in figure.axes[0].texts), key=lambda box: box.y0
    )
    assert all(below.y1 <= above.y0 + 1 for below, above in zip(boxes, boxes[1:], strict=False))


def test_faces_are_shown_as_they_are_grey_or_rgb():
    figure = drawn("faces_with_labels")
    pictures = [ax.images[0].get_array() for ax in figure.axes if ax.images]
    assert_array_equal(pictures, FACES)
    assert [ax.get_ylabel() for ax in figure.axes if ax.get_ylabel()] == ["x", "y"]
    assert [ax.get_title() for ax in figure.axes][:5] == list("abcde")
    colored = np.repeat(FACES[..., None], 3, axis=3)
    figure = plots.faces_with_labels(colored, [""] * 5, columns=5)
    assert_array_equal([ax.images[0].get_array() for ax in figure.axes], colored)


def test_segments_lie_on_seconds_with_their_raters_below():
    figure = drawn("action_units_of_segments")
    for i in range(2):
        top, bottom = figure.axes[i], figure.axes[2 + i]
        assert_array_equal(top.images[0].get_array(), SERIES[i].T)
        assert top.images[0].get_extent()[:2] == [0, 100 / 25]
        assert_allclose([line.get_xdata() for line in bottom.lines], RATINGS[i])
        valence, arousal = VARIANCE[i]
        assert top.get_title() == f"predicted variance\nA {arousal:.3f}, V {valence:.3f}"


def test_votes_are_bars_of_the_counts():
    axes = drawn("votes_of_faces").axes
    assert_array_equal([[bar.get_width() for bar in ax.patches] for ax in axes], VOTES)
    assert [tick.get_text() for tick in axes[0].get_yticklabels()] == list(EXPRESSIONS)
    assert axes[0].get_ylim()[0] > axes[0].get_ylim()[1]  # neutral on top, as in the array
    assert axes[1].get_title() == "high\n10 votes"


def test_the_printed_loss_jumps_by_half_the_log_variance_and_the_other_does_not():
    printed, continuous = drawn("loss_shapes").axes
    for ax, jumps in ((printed, (-1, -0.5, 0, 0.5)), (continuous, (0, 0, 0, 0))):
        curves = [line.get_ydata() for line in ax.lines if len(line.get_xdata()) > 2]
        assert_allclose([y[202] - y[200] for y in curves], jumps, atol=1e-12)
    marks = [line.get_ydata()[0] for line in printed.lines if line.get_marker() == "o"]
    # s = -2 at |e| = 1: e^2 / 2 + s / 2 before the jump, e^2 / 2 + s after it.
    assert_allclose(marks[:2], [np.exp(2) / 2 - 1, np.exp(2) / 2 - 2])


def test_coverage_curves_and_diagonal():
    for ax, column in zip(drawn("coverage_curves").axes, (1, 0), strict=True):
        diagonal, a, b = ax.lines
        assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
        assert_array_equal([a.get_ydata(), b.get_ydata()], [CURVES["a"][:, column], CURVES["b"][:, column]])
        assert_array_equal(a.get_xdata(), LEVELS)


def test_method_intervals_by_dimension_with_and_without_ceiling():
    figure = drawn("method_intervals")
    arousal, valence = figure.axes
    assert [ax.get_title() for ax in figure.axes] == ["Arousal", "Valence (dashed: ceiling 0.60)"]
    assert [tick.get_text() for tick in arousal.get_yticklabels()] == ["kl", "mse"]
    interval, dot = valence.lines[:2]
    assert list(interval.get_xdata()) == [0.2, 0.4] and list(dot.get_xdata()) == [0.3]
    assert list(valence.lines[3].get_xdata()) == [-0.1]  # a single seed has a dot and no interval


# Networks


def test_traced_shapes_of_a_compact_network():
    backbone, features = build_backbone("compact_resnet", channels=1)
    model = LabelVarianceNet(backbone, features, hidden=16)
    layers = plots.trace_shapes(model, torch.zeros(2, 1, 64, 64))
    sides = [(24, 32, 32), (48, 16, 16), (96, 8, 8), (192, 4, 4)]
    head = [("Linear", (16,)), ("ReLU", (16,)), ("Linear", (2,))]
    assert layers == [
        Layer("input", "input", (1, 64, 64)),
        *(Layer("backbone", "Stage, residual", side) for side in sides),
        Layer("backbone", "AdaptiveAvgPool2d", (192, 1, 1)),
        Layer("backbone", "Flatten", (192,)),
        *(Layer(part, *step) for part in ("mean_head", "variance_head") for step in head),
    ]
    assert model.training and not any(module._forward_hooks for module in model.modules())


def test_traced_shapes_of_the_temporal_network():
    backbone = NetVLADBackbone(10)
    layers = plots.trace_shapes(LabelVarianceNet(backbone, backbone.features), torch.zeros(2, 500, 10))
    shapes = {layer.name: layer.shape for layer in layers if layer.part == "backbone"}
    # 500 frames: floor((500 - 7) / 5) + 1 = 99, floor((99 - 7) / 5) + 1 = 19; 8 centroids of 10 channels.
    assert shapes["convolution: Conv1d, kernel 7, stride 5"] == (10, 99)
    assert shapes["pool: AvgPool1d, kernel 7, stride 5"] == (10, 19)
    assert shapes["vlad: TemporalNetVLAD"] == (80,)


def test_a_part_without_children_is_a_layer_itself():
    model = VoteNet(nn.Sequential(nn.Flatten(), nn.Identity()), 64, coordinates=torch.zeros(8, 2))
    layers = plots.trace_shapes(model, torch.zeros(3, 1, 8, 8))
    assert layers[1:] == [Layer("backbone", "Flatten", (64,)), Layer("classifier", "Linear", (8,))]


def test_architecture_draws_a_box_for_every_layer():
    ax = drawn("architecture").axes[0]
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    assert texts == ["input", "1 × 8 × 8", "Flatten", "64", "head", "Linear", "2"]
    assert len(ax.patches) == len(LAYERS)


# Bad input


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda: plots.rater_variance_histogram(VARIANCE[:, 0]), r"variance must be \(n, 2\).*\(60,\)"),
        (lambda: plots.rater_variance_histogram([[0.1, np.nan]]), "variance: 1 of 1 rows are not finite"),
        (lambda: plots.variance_by_subset(VARIANCE, NOISY[1:]), "60 variance, 59 noisy"),
        (lambda: plots.variance_by_subset(VARIANCE, NOISY & False), "60 clean and 0 noisy"),
        (
            lambda: plots.variance_scatter(VARIANCE, OBSERVED[1:], correlation=(0, 0), ceiling=(1, 1)),
            "60 predicted, 59 observed",
        ),
        (lambda: plots.labels_on_circumplex(AFFECT, EXPRESSION, NOISY, rows=range(13)), "1 to 12 rows.*13"),
        (lambda: plots.labels_on_circumplex(AFFECT, -EXPRESSION, NOISY, rows=[1]), "1 without one"),
        (lambda: plots.faces_with_labels(FACES, ["a"], columns=3), "5 images, 1 captions"),
        (lambda: plots.faces_with_labels(FACES, ["a"] * 5, columns=3, row_titles=["x"]), "need 2 row titles"),
        (lambda: plots.action_units_of_segments(SERIES, RATINGS, ["AU1"], VARIANCE[:2]), "1 names"),
        (lambda: plots.votes_of_faces(VOTES[:, :7], ["a"] * 3), r"votes must be \(k, 8\)"),
        (lambda: plots.coverage_curves(LEVELS[1:], CURVES, n=N), "2 levels, 3 a"),
        (lambda: plots.method_intervals(METHODS.drop(columns="low"), xlabel=""), "lacks columns.*low"),
    ],
)
def test_bad_input_has_one_clear_message(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()
