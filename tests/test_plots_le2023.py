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
    values = {"b": (0.3, 0.2, 0.5), "a": (0.1, 0.1, 0.1)}
    figure = plots.divergence_by_method(values, unit="bits", references={"ten raters": 0.05, "all": 0.6})
    (ax,) = figure.axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["b", "a"]
    segment = ax.containers[0].lines[2][0].get_segments()[0]
    np.testing.assert_allclose(segment[:, 0], [0.2, 0.5])
    assert ax.get_xlabel() == "bits" and {"ten raters", "all"} <= words(figure)
    upright = [
        line.get_xdata()[0]
        for line in ax.lines
        if len(set(line.get_xdata())) == 1 and line.get_label() in ("ten raters", "all")
    ]
    assert upright == [0.05, 0.6]


def test_a_method_has_one_colour_in_all_figures():
    """In whatever order it is drawn, among whichever others."""
    few = plots.accuracy_over_noise([0, 30], {"LDLVA": np.ones((2, 2)), "RUL": np.ones((2, 2))})
    other = plots.divergence_by_method({m: (1, 1, 1) for m in ("RUL", "SCN", "LDLVA")}, unit="bits")
    found = plots.detection(
        {"factor": np.linspace(0, 1, 9), "RUL's uncertainty": np.ones(9)}, np.arange(9) > 4
    )
    ldlva, rul = (c.lines[0].get_color() for c in few.axes[0].containers)
    assert [c.lines[0].get_color() for c in other.axes[0].containers][::2] == [rul, ldlva]
    assert [line.get_color() for line in found.axes[1].lines[:2]] == [ldlva, rul]
    assert len({ldlva, rul}) == 2 and plots.LOOKS.keys() > {"LDLVA", "as released", "baseline"}
    over_k = plots.accuracy_over_k([4, 8], {"clean": np.ones((2, 3))})
    assert over_k.axes[0].containers[0].lines[0].get_color() == ldlva


def test_figures_say_what_bars_are_and_whose_they_are(category):
    mixed = {"baseline": np.ones((2, 5)), "RUL": np.ones((2, 3))}
    assert "bars: standard errors, seeds 0 to 2 or seeds 0 to 4" in words(
        plots.accuracy_over_noise([0, 30], mixed)
    )
    wrong = category == 1
    by_class = plots.factors_by_class(np.linspace(0, 1, 12), category, NAMES, wrong=wrong, about="seed 0")
    assert "boxes: quartiles and median; whiskers: 5 to 95 % of the faces; seed 0" in words(by_class)
    assert "AUROC, seed 0" in words(plots.detection({"factor": np.linspace(0, 1, 12)}, wrong, about="seed 0"))


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
    (legend,) = figure.legends
    sizes = {
        t.get_text(): h.get_markersize() ** 2
        for t, h in zip(legend.get_texts(), legend.legend_handles, strict=True)
    }
    assert sizes["share of the scores 0.5"] == pytest.approx(300) and "share of the scores 0.1" in sizes


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
