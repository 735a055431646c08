"""What the figures show, read back from them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Ellipse

from paperlib import plots_neo2023 as plots
from paperlib.calibration import Reliability
from paperlib.fusion import LabelParameters


@pytest.fixture
def parameters():
    return LabelParameters(
        classes=("calm", "glad"),
        prior=np.array([0.5, 0.5]),
        mean=np.array([[-0.5, 0.0], [0.5, 0.2]]),
        covariance=np.array([[[0.04, 0.0], [0.0, 0.01]], [[0.01, 0.0], [0.0, 0.09]]]),
        source="made up",
        n=10,
    )


def words(figure):
    return {t.get_text() for t in figure.findobj(match=lambda a: hasattr(a, "get_text"))}


def test_bars_are_as_high_as_the_shares():
    labels = {"one": np.array([[1.0, 0.0], [0.0, 1.0]]), "two": np.array([[0.3, 0.7], [0.6, 0.4]])}
    figure = plots.label_bars(labels, ["calm", "glad"], ["first", "second"])
    heights = [[b.get_height() for b in ax.patches] for ax in figure.axes]
    assert heights == [[1.0, 0.0, 0.3, 0.7], [0.0, 1.0, 0.6, 0.4]]
    assert {"first", "second", "one", "two"} <= words(figure)


def test_bars_stand_below_their_faces(rng):
    labels = {"one": np.eye(2)}
    images = rng.integers(0, 256, (2, 8, 8)).astype(np.uint8)
    figure = plots.label_bars(labels, ["calm", "glad"], ["a", "b"], images=images)
    pictures = [ax for ax in figure.axes if ax.images]
    np.testing.assert_array_equal(pictures[1].images[0].get_array(), images[1])


def test_a_label_has_one_colour_in_every_figure():
    shares = np.array([[1.0, 0.0]])
    bars = plots.label_bars({"category": shares, "GMM (eq. 2)": shares}, ["calm", "glad"], ["a"])
    found = Reliability(np.array([0.5]), np.array([0.5]), np.array([500]))
    line = plots.reliability_diagrams({"0 %": {"one-hot": found, "GMM": found}}).axes[0].lines[2]
    gains = plots.gains({"30 %, one rater: GMM (3 seeds)": (0.1, 0.0, 0.3)}, unit="F1").axes[0]
    colours = [bars.axes[0].containers[1][0].get_facecolor(), line.get_color()]
    colours.append(gains.containers[0].lines[0].get_color())
    assert len({to_hex(c) for c in colours}) == 1


def test_ellipses_have_the_standard_deviations_of_the_classes(parameters):
    figure = plots.class_gaussians(parameters, parameters.mean, np.array([0, 1]))
    ellipses = [p for p in figure.axes[0].patches if isinstance(p, Ellipse)]
    axes = sorted((round(e.width, 6), round(e.height, 6)) for e in ellipses)
    # the longer axis is the width: 2 * k * sd for k standard deviations
    assert axes == [(0.4, 0.2), (0.6, 0.2), (0.8, 0.4), (1.2, 0.4)]
    tall = next(e for e in ellipses if round(e.width, 6) == 0.6)
    assert abs(tall.angle) % 180 == pytest.approx(90)


def test_the_likeliest_class_is_that_of_the_nearer_gaussian(parameters):
    figure = plots.class_gaussians(parameters, parameters.mean, np.array([0, 1]))
    shown = figure.axes[1].images[0].get_array()
    assert shown[100, 30] == 0 and shown[120, 170] == 1


def test_lines_over_noise_are_means_and_natural_labels_stand_apart():
    values = {
        "one-hot": {
            "0 %": np.array([0.6, 0.8]),
            "30 %": np.array([0.5, 0.5]),
            "natural": np.array([0.4, 0.4]),
        }
    }
    figure = plots.scores_over_noise({"faces": values}, ylabel="macro F1")
    lines = [c.lines[0].get_data() for c in figure.axes[0].containers]
    np.testing.assert_allclose(lines[0][0], [0, 3])
    np.testing.assert_allclose(lines[0][1], [0.7, 0.5])
    np.testing.assert_allclose(lines[1], [[4], [0.4]])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["0", "30", "natural"]


def test_a_panel_for_every_kind_over_alpha():
    figure = plots.scores_over_alpha(
        {"faces": {0.0: np.array([0.1]), 1.0: np.array([0.3])}}, ylabel="macro F1"
    )
    np.testing.assert_allclose(figure.axes[0].containers[0].lines[0].get_data(), [[0, 1], [0.1, 0.3]])


def test_gains_stand_in_their_order_with_their_intervals():
    figure = plots.gains({"a": (0.1, 0.0, 0.3), "b": (-0.1, -0.2, 0.0)}, unit="F1")
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]
    ends = [c.lines[2][0].get_segments()[0][:, 0].tolist() for c in ax.containers]
    np.testing.assert_allclose(ends, [[0.0, 0.3], [-0.2, 0.0]])


def test_bins_of_a_handful_are_not_drawn():
    found = Reliability(np.array([0.2, 0.9]), np.array([0.1, 0.8]), np.array([3, 500]))
    figure = plots.reliability_diagrams({"0 %": {"one-hot": found}})
    np.testing.assert_allclose(figure.axes[0].lines[1].get_data(), [[0.9], [0.8]])


def test_errors_are_averaged_where_they_lie(rng):
    truth = np.repeat([[-0.5, 0.5], [0.5, -0.5]], 50, axis=0)
    errors = {"plain": np.repeat([0.2, 0.6], 50), "weighted": np.repeat([0.1, 0.1], 50)}
    figure = plots.error_in_plane(errors, truth)
    shown = sorted(figure.axes[0].collections[0].get_array().tolist())
    np.testing.assert_allclose(shown, [0.2, 0.6])
    assert "plain:\nmean distance 0.400" in words(figure)


def test_maps_are_scaled_to_their_own_maximum_and_an_empty_one_stays_empty(rng):
    maps = {"one-hot": np.stack([np.full((2, 2), 4.0) * np.eye(2), np.zeros((2, 2))])}
    figure = plots.attention_maps(maps, ["faces", "morphs"])
    first, second = (ax.images[-1].get_array() for ax in figure.axes)
    np.testing.assert_array_equal(first, np.eye(2))
    np.testing.assert_array_equal(second, np.zeros((2, 2)))
    over = plots.attention_maps(maps, ["faces", "morphs"], images=np.zeros((2, 8, 8), np.uint8))
    assert len(over.axes) == 4 and over.axes[1].images[-1].get_extent() == [-0.5, 7.5, 7.5, -0.5]


def test_the_framework_names_its_boxes_and_refuses_others():
    figure = plots.framework({"encoder": "tiny_resnet"})
    assert "encoder\ntiny_resnet" in words(figure) and "weighted L2" in words(figure)
    with pytest.raises(ValueError, match=r"no boxes \['decoder'\]"):
        plots.framework({"decoder": "?"})
