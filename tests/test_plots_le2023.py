"""le2023's figures: what is drawn is what was given."""

import numpy as np
import pytest
from matplotlib.container import BarContainer
from matplotlib.text import Text

from paperlib import plots_le2023 as plots

NAMES = ("neutral", "happy", "sad")


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (12, 16, 16), dtype=np.uint8)


@pytest.fixture
def category():
    return np.arange(12) % 3


def words(figure):
    return {t.get_text() for t in figure.findobj(Text) if t.get_visible()}


def bars(ax):
    return [c for c in ax.containers if isinstance(c, BarContainer)]


def test_votes_and_predictions_stand_side_by_side(images):
    human, predicted = np.array([[1, 0, 0], [0.2, 0.3, 0.5]]), np.full((2, 3), 1 / 3)
    figure = plots.vote_distributions(human, {"LDLVA": predicted}, NAMES)
    for ax, votes in zip(figure.axes, human, strict=True):
        shown = [[bar.get_height() for bar in group] for group in bars(ax)]
        np.testing.assert_allclose(shown, [votes, predicted[0]])
    with_pictures = plots.vote_distributions(human, {"LDLVA": predicted}, NAMES, images=images[:2])
    assert sum(bool(ax.images) for ax in with_pictures.axes) == 2


def test_divergences_keep_their_order_intervals_and_floor():
    figure = plots.divergence_by_method({"b": (0.3, 0.2, 0.5), "a": (0.1, 0.1, 0.1)}, unit="bits", floor=0.05)
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]
    segment = ax.containers[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(segment[:, 0], [0.2, 0.5])
    assert ax.get_xlabel() == "bits" and "ten other raters" in words(figure)


def test_neighbours_stand_by_falling_score(images, category):
    own, near, share = np.array([0]), np.array([[1, 2, 3]]), np.array([[0.2, 0.5, 0.3]])
    figure = plots.neighbours(images, own, near, share, category, NAMES)
    shown = [ax.images[0].get_array().data for ax in figure.axes]
    for drawn, row in zip(shown, [0, 2, 3, 1], strict=True):
        np.testing.assert_array_equal(drawn, images[row])
    assert [ax.get_xlabel() for ax in figure.axes] == ["", "0.50", "0.30", "0.20"]


def test_neighbours_in_the_plane_are_as_large_as_their_share(rng, category):
    affect = rng.uniform(-1, 1, (12, 2))
    near, share = np.array([[1, 4, 2]]), np.array([[0.2, 0.5, 0.3]])
    figure = plots.neighbours_in_plane(affect, np.array([0]), near, share, category, NAMES)
    (ax,) = figure.axes
    drawn = {
        tuple(p): s for c in ax.collections for p, s in zip(c.get_offsets().data, c.get_sizes(), strict=True)
    }
    for row, s in zip(near[0], share[0], strict=True):
        assert drawn[tuple(affect[row])] == pytest.approx(600 * s)
    assert ax.get_title() == "+ neutral"


def test_given_and_right_labels_are_marked(images):
    target = np.array([[0.7, 0.2, 0.1]])
    figure = plots.recovered_labels(target, np.array([2]), np.array([0]), NAMES, images=images[:1])
    group = bars(figure.axes[-1])[0]
    assert [bar.get_width() for bar in group] == pytest.approx(target[0])
    assert [bar.get_hatch() for bar in group] == [None, None, "////"]


def test_a_class_without_wrong_labels_leaves_a_gap(category):
    figure = plots.factors_by_class(np.linspace(0, 1, 12), category, NAMES, wrong=category == 1)
    assert {"right label", "wrong label", *NAMES} <= words(figure)


def test_pictures_fall_from_the_highest_factor_to_the_lowest(images, category):
    factor = np.linspace(0, 1, 12)
    figure = plots.factor_pictures(images, factor, category, NAMES, rows=2)
    first = [ax for ax in figure.axes if ax.get_subplotspec().colspan.start == 0]
    assert [ax.get_xlabel() for ax in first] == ["λ = 0.82", "λ = 0.00"]
    np.testing.assert_array_equal(first[0].images[0].get_array().data, images[9])


def test_lines_are_means_with_standard_errors():
    figure = plots.accuracy_over_k([4, 8], {"clean": np.array([[70.0, 74.0], [80.0, 80.0]])})
    line, _, (bar,) = figure.axes[0].containers[0].lines
    np.testing.assert_allclose(line.get_ydata(), [72, 80])
    np.testing.assert_allclose(bar.get_segments()[0][:, 1], [70, 74])  # SD sqrt(8), over sqrt(2): 2


def test_natural_labels_stand_apart():
    accuracy = {"baseline": np.array([[70.0, 71.0], [60.0, 61.0]])}
    assert len(plots.accuracy_over_noise([0, 30], accuracy).axes) == 1
    figure = plots.accuracy_over_noise([0, 30], accuracy, natural={"baseline": np.array([65.0, 67.0])})
    line = figure.axes[1].containers[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), [66])


def test_the_curve_of_a_perfect_score_and_its_area():
    wrong = np.arange(20) < 5
    figure = plots.detection({"factor": wrong * 0.9, "plain loss": np.ones(20)}, wrong)
    assert {"factor (1.00)", "plain loss (0.50)", "wrong labels, n = 5"} <= words(figure)
