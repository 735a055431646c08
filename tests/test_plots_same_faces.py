"""What the comparison's figures show, read back from them."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.text import Text

from paperlib import plots_same_faces as plots
from paperlib.calibration import Reliability
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


def test_every_row_has_its_seeds_their_mean_and_its_bar(values):
    bars = {"B": (0.4, 0.9), "C": (0.6, 0.8)}
    panels = {"accuracy": values, "F1": {k: v - 0.2 for k, v in values.items()}}
    figure = plots.rows(panels, KINDS, baseline="A", apart={"accuracy": bars})
    assert [ax.get_xlabel() for ax in figure.axes] == ["accuracy", "F1"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == list(values)
    for ax, less in zip(figure.axes, (0, 0.2), strict=True):
        line_with(ax, [(values["A"] - less).mean()] * 2, [0, 1])
        for i, (name, of) in enumerate(values.items()):
            seeds = of - less
            line_with(ax, seeds, [i] * 3)
            mean = line_with(ax, [seeds.mean()], [i])
            colour, marker = plots.LOOKS[KINDS[name]]
            assert mean.get_marker() == marker and to_hex(mean.get_color()) == colour.lower()
            low, high = ax.get_xlim()
            assert low < seeds.min() and seeds.max() < high
        assert ax.get_ylim() == (2.5, -0.5)  # the first row is on top
    first, second = figure.axes
    for name, bar in bars.items():
        i = list(values).index(name)
        line = line_with(first, bar, [i, i])
        assert to_hex(line.get_color()) == plots.LOOKS[KINDS[name]][0].lower()
        assert first.get_xlim()[0] < bar[0] and bar[1] < first.get_xlim()[1]
    assert not [ln for ln in second.lines if np.shape(ln.get_ydata()) == (2,) and ln.get_ydata()[0] == 1]
    assert set(plots.WORDS.values()) < set(legends(figure)) and "mean of the A" in legends(figure)
    assert {"a seed", "95 % interval of the difference\nfrom the A"} < set(legends(figure))
    assert not [text for text in legends(figure) if "farther off" in text]


def test_rows_that_are_all_alike_have_room_and_one_kind_one_word():
    figure = plots.rows({"cost": {"A": np.ones(2)}}, {"A": "nothing"}, baseline="A")
    low, high = figure.axes[0].get_xlim()
    assert low < 1 < high and legends(figure) == [plots.WORDS["nothing"], "a seed", "mean of the A"]


def test_a_reference_has_its_line_and_room(values):
    references = {"first": {"most": (0.95, "--"), "another": (0.1, ":")}}
    panels = {"first": values, "second": values}
    figure = plots.rows(panels, KINDS, baseline="A", references=references)
    first, second = figure.axes
    lines = {line.get_label(): line for line in first.lines}
    assert lines["most"].get_xdata()[0] == 0.95 and lines["another"].get_xdata()[0] == 0.1
    assert lines["most"].get_linestyle() == "--" and lines["another"].get_linestyle() == ":"
    assert {"most", "another"} < set(legends(figure))
    assert first.get_xlim()[0] < 0.1 and first.get_xlim()[1] > 0.95 > second.get_xlim()[1]


@pytest.mark.parametrize(("off", "marker", "words"), [(-3.0, "<", "\N{MINUS SIGN}3.00"), (4.0, ">", "4.00")])
def test_a_mean_far_off_is_an_arrow_with_its_value_where_there_are_bars(values, off, marker, words):
    far = values | {"C": np.full(3, off)}
    bars = {"B": (0.55, 0.65), "C": (off - 0.05, off + 0.05)}
    figure = plots.rows({"first": far, "second": far}, KINDS, baseline="A", apart={"first": bars})
    first, second = figure.axes
    low, high = first.get_xlim()
    assert 0 < low < 0.55 and 0.65 < high < 1  # the bars can be seen
    (text,) = [t for t in first.texts if t.get_text()]
    assert text.get_text() == words
    arrows = [line for line in first.lines if line.get_marker() == marker]
    assert [list(line.get_ydata()) for line in arrows if len(line.get_xdata())][-1] == [2]
    assert "a mean farther off, as written" in legends(figure)
    # without bars nothing need be seen that is narrow
    assert min(second.get_xlim()) < off < max(second.get_xlim()) and not second.texts


@pytest.mark.parametrize("panels", [{}, {"a": {"A": [1.0]}, "b": {"B": [1.0]}}])
def test_no_panels_or_other_rows_are_refused(panels):
    with pytest.raises(ValueError, match="every panel must have the same rows"):
        plots.rows(panels, KINDS, baseline="A")


def test_a_row_that_is_told_nothing_known_is_refused(values):
    with pytest.raises(ValueError, match="not so: B, C"):
        plots.rows({"accuracy": values}, {"A": "nothing", "B": "everything"}, baseline="A")
    with pytest.raises(ValueError, match="not so: D"):
        plots.risk_curves({"D": {"entropy": np.ones((2, 30))}}, KINDS, baseline=np.ones((2, 30)))
    with pytest.raises(ValueError, match="no row"):
        plots.risk_curves({}, KINDS, baseline=np.ones((2, 30)))


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


def test_risk_has_a_panel_a_method_with_bands_and_the_baseline(rng):
    curves = {name: {"entropy": rng.uniform(0, 0.4, (3, 40))} for name in KINDS}
    curves["B"]["variance"] = rng.uniform(0, 0.4, (3, 40))
    curves["B"]["another"] = rng.uniform(0, 0.4, (3, 40))
    baseline = rng.uniform(0, 0.4, (3, 40))
    figure = plots.risk_curves(curves, KINDS, baseline=baseline)
    assert [ax.get_title() for ax in figure.axes] == list(KINDS)
    coverage = np.arange(1, 41) / 40
    for ax, (name, of) in zip(figure.axes, curves.items(), strict=True):
        line_with(ax, coverage[1:], baseline.mean(axis=0)[1:])
        lines = [line_with(ax, coverage[1:], seeds.mean(axis=0)[1:]) for seeds in of.values()]
        assert [line.get_label() for line in lines] == list(of)
        assert {to_hex(line.get_color()) for line in lines} == {plots.LOOKS[KINDS[name]][0].lower()}
        assert len({line.get_linestyle() for line in lines}) == len(lines)
        for band, seeds in zip(ax.collections, of.values(), strict=True):
            spread = band.get_paths()[0].vertices[:, 1]
            assert spread.min() == pytest.approx(seeds[:, 1:].min())
            assert spread.max() == pytest.approx(seeds[:, 1:].max())
    assert figure.axes[0].get_xlim() == (0, 1)
    assert "risk (share of errors)" in words(figure)


def test_a_network_without_errors_has_a_panel_too():
    none = np.zeros((2, 30))
    ax = plots.risk_curves({"A": {"entropy": none}}, KINDS, baseline=none).axes[0]
    assert ax.get_ylim() == (0, 1)


@pytest.mark.parametrize("shape", [(30,), (0, 30), (2, 0), (2, 3, 4)])
def test_curves_of_a_wrong_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"A: expected \(seeds, m\); got"):
        plots.risk_curves({"A": {"entropy": np.zeros(shape)}}, KINDS, baseline=np.zeros((2, 30)))
