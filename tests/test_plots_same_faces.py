"""What the comparison's figures show, read back from them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from paperlib import plots_same_faces as plots
from paperlib.calibration import Reliability
from paperlib.stats import mean_interval
from paperlib.tasks.same_faces import TOLD

KINDS = {"A": "nothing", "B": "one rater", "C": "all raters"}


def words(figure):
    return " ".join(t.get_text() for t in figure.findobj(Text) if t.get_visible())


def legends(figure):
    return [t.get_text() for legend in figure.legends for t in legend.get_texts()]


def line_with(ax, x, y):
    (found,) = [
        line
        for line in ax.lines
        if np.shape(line.get_xdata()) == np.shape(x)
        and np.allclose(line.get_xdata(), x)
        and np.allclose(line.get_ydata(), y)
    ]
    return found


@pytest.fixture
def values(rng):
    return {name: 0.5 + 0.1 * i + rng.normal(0, 0.01, 3) for i, name in enumerate(KINDS)}


def test_everything_that_a_method_may_be_told_has_a_look_of_its_own():
    assert set(plots.LOOKS) == set(plots.WORDS) == set(TOLD.values())
    for part in zip(*plots.LOOKS.values(), strict=True):
        assert len(set(part)) == len(plots.LOOKS)


def test_every_row_has_its_seeds_their_mean_and_its_interval(values):
    figure = plots.rows({"accuracy": values, "F1": {k: v - 0.2 for k, v in values.items()}}, KINDS)
    assert [ax.get_xlabel() for ax in figure.axes] == ["accuracy", "F1"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == list(values)
    for ax, less in zip(figure.axes, (0, 0.2), strict=True):
        for i, (name, of) in enumerate(values.items()):
            seeds = of - less
            line_with(ax, seeds, [i] * 3)
            found = mean_interval(seeds)
            interval = line_with(ax, [found.low, found.high], [i, i])
            mean = line_with(ax, [seeds.mean()], [i])
            colour, marker = plots.LOOKS[KINDS[name]]
            assert mean.get_marker() == marker
            assert to_hex(mean.get_color()) == to_hex(interval.get_color()) == colour.lower()
            low, high = ax.get_xlim()
            assert low < seeds.min() and seeds.max() < high
        assert ax.get_ylim() == (2.5, -0.5)  # the first row is on top
    assert legends(figure) == list(plots.WORDS.values())


def test_a_far_seed_is_still_in_the_panel(values):
    values["B"] = np.array([0.5, 0.5, 2.0])
    (ax,) = plots.rows({"accuracy": values}, KINDS).axes
    assert ax.get_xlim()[1] > 2


def test_one_seed_has_no_interval(values):
    (ax,) = plots.rows({"accuracy": {k: v[:1] for k, v in values.items()}}, KINDS).axes
    assert not [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_linestyle() == "-"]


def test_rows_that_are_all_alike_have_room_and_one_kind_one_word():
    figure = plots.rows({"cost": {"A": np.ones(2)}}, {"A": "nothing"})
    low, high = figure.axes[0].get_xlim()
    assert low < 1 < high and legends(figure) == [plots.WORDS["nothing"]]


def test_references_are_dashed_named_and_in_sight(values):
    references = {"first": {"a ceiling": 0.95, "another": 0.1}}
    figure = plots.rows({"first": values, "second": values}, KINDS, references=references)
    first, second = figure.axes
    lines = {line.get_label(): line for line in first.lines if line.get_label() in references["first"]}
    assert {name: line.get_xdata()[0] for name, line in lines.items()} == references["first"]
    styles = {line.get_linestyle() for line in lines.values()}
    assert len(styles) == 2 and "-" not in styles
    assert legends(figure) == [*plots.WORDS.values(), "a ceiling", "another"]
    assert first.get_xlim()[0] < 0.1 and first.get_xlim()[1] > 0.95 > second.get_xlim()[1]


@pytest.mark.parametrize("panels", [{}, {"a": {"A": [1.0]}, "b": {"B": [1.0]}}])
def test_no_panels_or_other_rows_are_refused(panels):
    with pytest.raises(ValueError, match="every panel must have the same rows"):
        plots.rows(panels, KINDS)


def test_a_row_that_is_told_nothing_known_is_refused(values):
    with pytest.raises(ValueError, match="not so: B, C"):
        plots.rows({"accuracy": values}, {"A": "nothing", "B": "everything"})
    with pytest.raises(ValueError, match="not so: D"):
        plots.risk_curves({"D": np.ones((2, 30))}, KINDS)
    with pytest.raises(ValueError, match="no row"):
        plots.risk_curves({}, KINDS)


def test_reliability_is_a_line_a_method_and_the_diagonal():
    bins = {
        f"m{i}": Reliability(np.array([0.3, 0.5, 0.8]), np.array([0.1 * i, 1, 0.9]), np.array([20, 19, 50]))
        for i in range(9)
    }
    figure = plots.reliability({"told nothing": bins, "told all": {"m0": bins["m0"]}})
    first, second = figure.axes
    for ax, count in ((first, 9), (second, 1)):
        line_with(ax, [0, 1], [0, 1])
        assert len(ax.lines) == 1 + count
    for i, name in enumerate(bins):
        assert line_with(first, [0.3, 0.8], [0.1 * i, 0.9]).get_label() == name
    looks = {(line.get_color(), line.get_marker(), str(line.get_linestyle())) for line in first.lines[1:9]}
    assert len(looks) == 8
    assert [ax.get_title() for ax in figure.axes] == ["told nothing", "told all"]
    assert first.get_ylabel() == "accuracy (share)" and second.get_xlabel() == "confidence (share)"


def test_risk_is_the_mean_over_seeds_from_a_twentieth_of_the_faces_on(rng):
    curves = {name: rng.uniform(0, 0.4, (3, 40)) for name in KINDS}
    figure = plots.risk_curves(curves, KINDS)
    (ax,) = figure.axes
    coverage = np.arange(1, 41) / 40
    for name, of in curves.items():
        line = line_with(ax, coverage[1:], of.mean(axis=0)[1:])
        assert line.get_label() == name and to_hex(line.get_color()) == plots.LOOKS[KINDS[name]][0].lower()
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim() == (
        0,
        pytest.approx(1.05 * max(of.mean(axis=0)[1:].max() for of in curves.values())),
    )
    assert all(name in legends(figure) for name in KINDS)
    assert "risk (share of errors)" in words(figure)


def test_curves_that_are_told_as_much_differ_in_style():
    curves = {f"m{i}": np.full((2, 30), 0.1 * i + 0.1) for i in range(7)}
    (ax,) = plots.risk_curves(curves, dict.fromkeys(curves, "one rater")).axes
    assert len({line.get_color() for line in ax.lines}) == 1
    assert (
        len({line._unscaled_dash_pattern[1] is None or str(line._unscaled_dash_pattern) for line in ax.lines})
        == 7
    )


def test_a_network_without_errors_has_a_panel_too():
    (ax,) = plots.risk_curves({"A": np.zeros((2, 30))}, KINDS).axes
    assert ax.get_ylim() == (0, 1)


@pytest.mark.parametrize("shape", [(30,), (0, 30), (2, 0), (2, 3, 4)])
def test_curves_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"A: expected \(seeds, m\); got"):
        plots.risk_curves({"A": np.zeros(shape)}, KINDS)
