"""What the figures show, read back from them."""

import numpy as np
import pytest
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from paperlib import plots_toisoul2021 as plots
from paperlib.stats import mean_interval


def words(figure):
    return " ".join(t.get_text() for t in figure.findobj(Text) if t.get_visible())


def names_of_rows(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def points(ax):
    """Where every single marker of a panel stands."""
    return [tuple(np.ravel(line.get_xydata())) for line in ax.lines if len(line.get_xydata()) == 1]


def test_classes_stand_at_their_means_with_their_quartiles(rng):
    faces = {"happy": rng.uniform(0, 1, (40, 2)), "sad": rng.uniform(-1, 0, (600, 2))}
    figure = plots.circumplex(faces)
    (ax,) = figure.axes
    for values in faces.values():
        assert any(np.allclose(p, values.mean(axis=0)) for p in points(ax))
        low, high = np.quantile(values[:, 0], (0.25, 0.75))
        assert any(
            np.allclose(line.get_xdata(), (low, high)) for line in ax.lines if len(line.get_xdata()) == 2
        )
    dots = max((line.get_xydata() for line in ax.lines), key=len)
    assert len(dots) == plots.MOST_FACES == 400
    assert "n = 40" in words(figure) and "a face (400 of 640)" in words(figure)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("valence", "arousal")


def test_without_a_class_the_plane_says_so():
    figure = plots.circumplex({})
    assert "no face has a category" in words(figure) and figure.axes[0].get_xlabel() == "valence"


def test_a_class_without_two_columns_is_refused():
    with pytest.raises(ValueError, match="happy"):
        plots.circumplex({"happy": np.zeros((4, 3))})


def test_pipelines_show_every_step_and_refuse_an_empty_row():
    figure = plots.pipelines({"Several": ["find", "crop", ["a", "b"]], "One": ["EmoFAN"]})
    assert all(step in words(figure) for step in ("Several", "find", "crop", "a", "b", "EmoFAN"))
    with pytest.raises(ValueError, match="a row without steps: One"):
        plots.pipelines({"Several": ["find"], "One": []})


def test_the_architecture_has_the_sizes_it_is_given_and_no_other_box():
    figure = plots.architecture({"stem": "8,688 weights", "heatmaps": "68 × 16 × 16"})
    assert "8,688 weights" in words(figure) and "68 × 16 × 16" in words(figure)
    with pytest.raises(ValueError, match="tail"):
        plots.architecture({"tail": "none"})


def face(names=("happy", "sad")):
    return plots.FaceResult(
        image=np.zeros((20, 30), np.uint8),
        box=(-2.0, 3.0, 25.0),
        landmarks=np.full((68, 2), 10.0),
        predicted=(0.3, -0.2),
        labelled=(-0.5, 0.9),
        names=names,
    )


def test_faces_have_their_box_landmarks_and_both_points():
    figure = plots.predictions([face(), face(("anger", "fear"))])
    assert "predicted happy, labelled sad" in words(figure) and "predicted anger, labelled fear" in words(
        figure
    )
    picture, plane = figure.axes[:2]
    (box,) = picture.findobj(Rectangle, include_self=False)[:1]
    assert (*box.get_xy(), box.get_width()) == (
        -2.5,
        2.5,
        25,
    )  # imshow has the centres of pixels at whole numbers
    assert any(len(line.get_xdata()) == 68 for line in picture.lines)
    assert {(-0.5, 0.9), (0.3, -0.2)} <= set(points(plane))


@pytest.mark.parametrize("count", [0, 9])
def test_no_faces_or_too_many_are_refused(count):
    with pytest.raises(ValueError, match="give 1 to 8 faces"):
        plots.predictions([face()] * count)


def test_scores_of_the_ablation_stand_in_their_row(rng):
    rows = {
        "A": {"CCC valence": rng.random(3)},
        "B": {"CCC valence": rng.random(3), "accuracy": rng.random(3)},
    }
    figure = plots.ablation(rows)
    concordance, accuracy = figure.axes
    assert names_of_rows(concordance) == ["A", "B"]
    for i, name in enumerate(rows):
        scores = rows[name]["CCC valence"]
        means = [line for line in concordance.lines if np.allclose(line.get_xydata(), [(scores.mean(), i)])]
        seeds = [line for line in concordance.lines if np.array_equal(line.get_xdata(), scores)]
        assert means and seeds and set(seeds[0].get_ydata()) == {i}
        found = mean_interval(scores)
        bars = [bar.lines[2][0].get_segments()[0] for bar in concordance.containers]
        assert any(np.allclose(bar, [(found.low, i), (found.high, i)]) for bar in bars)
    assert "a seed" in words(figure) and "mean, 95 % interval over seeds" in words(figure)
    assert concordance.get_xlabel() == "CCC valence\n(higher is better)"
    assert {y for line in accuracy.lines for y in line.get_ydata()} == {1}


def test_steps_have_the_measured_interval_beside_the_printed_difference(rng):
    measured = rng.normal(0.1, 0.02, 3)
    figure = plots.ablation_steps({"C: valence": (measured, 0.03)})
    (ax,) = figure.axes
    found = mean_interval(measured)
    (bar,) = ax.containers
    ends = bar.lines[2][0].get_segments()[0][:, 0]
    np.testing.assert_allclose(ends, (found.low, found.high))
    assert any(np.isclose(x, 0.03) for x, _ in points(ax))
    assert "printed, on AffectNet" in words(figure) and "difference of CCC" in ax.get_xlabel()


def test_people_and_network_are_told_apart():
    panels = {"CCC valence": {"rater and rater": (0.5, 0.4, 0.6), "network and rater": (0.6, 0.55, 0.65)}}
    figure = plots.agreement(panels, unit="subjects")
    (ax,) = figure.axes
    assert names_of_rows(ax) == ["rater and rater", "network and rater"]
    assert points(ax) == [(0.5, 0), (0.6, 1)]
    markers = [line.get_marker() for line in ax.lines if len(line.get_xydata()) == 1]
    assert markers[0] != markers[1] and ax.get_xlabel() == "CCC valence"
    labels = {
        line.get_label(): line.get_xydata().tolist() for line in ax.lines if line.get_marker() != "None"
    }
    assert labels == {
        "raters alone, interval over subjects": [[0.5, 0]],
        "network and raters, interval over seeds": [[0.6, 1]],
    }


def test_cleaning_joins_both_scores_of_the_same_faces():
    figure = plots.cleaning({"valence": {"all faces": (0.5, 0.7)}, "arousal": {"all faces": (0.4, 0.8)}})
    valence, arousal = figure.axes
    assert valence.get_title() == "(a) valence" and points(valence) == [(0.5, 0), (0.7, 0)]
    assert any(np.array_equal(line.get_xdata(), (0.4, 0.8)) for line in arousal.lines)
    assert "with the truth" in words(figure) and valence.get_xlabel() == "CCC of the predictions"
