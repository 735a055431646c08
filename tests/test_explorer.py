import numpy as np
import pytest

from paperlib import explorer
from paperlib.fusion import fit_label_parameters, fuse, inverse_distances, posterior
from paperlib.tracks import Track

NAMES = ("neutral", "happy", "sad")


@pytest.fixture
def faces(rng):
    label = np.repeat([0, 1, 2], 40)
    centres = np.array([[0, 0], [0.7, 0.4], [-0.6, -0.2]])
    affect = (centres[label] + rng.normal(0, 0.1, (120, 2))).clip(-1, 1).astype(np.float32)
    parameters = fit_label_parameters(affect, label, classes=NAMES, source="test")
    images = rng.integers(0, 256, (200, 8, 8), dtype=np.uint8)
    return explorer.Faces(
        affect=affect, label=label, parameters=parameters, images=images, rows=np.arange(120) + 50
    )


def test_neighbours_are_the_nearest_and_similar_as_le2023_has_it(faces):
    view = explorer.at(faces, (0.3, 0.1), k=5)
    distance = np.sqrt(((faces.affect.astype(float) - (0.3, 0.1)) ** 2).sum(axis=1))
    assert view.neighbours.tolist() == np.argsort(distance)[:5].tolist()
    np.testing.assert_allclose(view.distance, np.sort(distance)[:5], rtol=1e-6)
    np.testing.assert_allclose(view.similarity, np.exp(-(view.distance**2) / 0.5**2), rtol=1e-5)
    assert view.given == faces.label[view.neighbours[0]]


def test_labels_are_neo2023_s(faces):
    view = explorer.at(faces, (0.3, 0.1), given=2, alpha=0.3)
    place = np.array([[0.3, 0.1]])
    mixed = posterior(faces.parameters, place)
    np.testing.assert_allclose(view.posterior, mixed[0])
    np.testing.assert_allclose(view.fused_posterior, fuse(np.array([2]), mixed, alpha=0.3)[0])
    np.testing.assert_allclose(view.inverse_distances, inverse_distances(place, faces.parameters.mean)[0])
    for label in (view.posterior, view.inverse_distances, view.fused_posterior, view.fused_inverse_distances):
        assert label.sum() == pytest.approx(1)
    assert explorer.at(faces, (0.3, 0.1), given=2, alpha=1.0).fused_posterior.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("point", "k", "message"),
    [
        ((1.2, 0), 8, r"each in \[-1, 1\]; got \[1.2, 0.0\]"),
        ((np.nan, 0), 8, "valence and arousal"),
        ((0, 0, 0), 8, "valence and arousal"),
        ((0, 0), 0, "k must lie in 1 to 120"),
        ((0, 0), 121, "k must lie in 1 to 120, the training faces; got 121"),
    ],
)
def test_a_point_or_a_number_that_cannot_be_is_refused(faces, point, k, message):
    with pytest.raises(ValueError, match=message):
        explorer.at(faces, point, k)


@pytest.mark.parametrize("pictures", [False, True])
@pytest.mark.parametrize("k", [1, 8, 30])
def test_the_figure_shows_neighbours_labels_and_pictures(faces, k, pictures):
    figure = explorer.figure(explorer.at(faces, (0.3, 0.1), k=k), pictures=pictures)
    titles = [ax.get_title() for ax in figure.axes]
    shown = [title for title in titles if title.split()[:1] in [[str(i)] for i in range(1, 13)]]
    assert len(shown) == (min(k, 12) if pictures else 0)
    assert any("neighbours" in title for title in titles) and "similarity (le2023)" in titles
    assert explorer.as_png(figure).startswith(b"\x89PNG")


def test_sliders_draw_anew_and_pictures_of_people_wait_for_their_box(faces, monkeypatch):
    pytest.importorskip("ipywidgets")
    monkeypatch.setattr(explorer, "training_faces", lambda track, kind: faces)
    box = explorer.explore(Track(name="ferplus", root="anywhere"))
    (valence, arousal), (given, alpha, pictures) = (row.children for row in box.children[:2])
    drawing = box.children[2]
    assert pictures.value is False
    seen = [bytes(drawing.value)]
    for control, value in ((valence, -0.5), (arousal, 0.9), (given, 1), (alpha, 0.1), (pictures, True)):
        control.value = value
        seen.append(bytes(drawing.value))
    assert len(set(seen)) == len(seen)
    assert explorer.explore(Track()).children[1].children[2].value is True


def test_a_track_s_training_faces_are_those_of_neo2023_s_page():
    found = explorer.training_faces(Track(profile="smoke"))
    assert len(found.affect) == len(found.label) == len(found.rows) == 250
    assert found.parameters.n == 250 and np.abs(found.affect).max() <= 1
    np.testing.assert_allclose(found.parameters.prior.sum(), 1)
