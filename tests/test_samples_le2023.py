"""le2023's samples: what they hold of a run, of a face and of its neighbours."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.companion.runs import Result, Run
from paperlib.companion.samples.le2023 import NAMES, _shapes, build
from paperlib.labels import nearest_in_affect
from paperlib.tasks import noisy_labels
from paperlib.tracks import Track
from paperlib.twin import make_faces

TWIN = Track(name="twin", profile="smoke")


class Given:
    """A track that gives these faces, and knows whom it shows no more than it is told."""

    name = "manifest"

    def __init__(self, faces):
        self.categories = self.faces = lambda: faces


@pytest.fixture(autouse=True)
def few_others(monkeypatch):
    monkeypatch.setattr(noisy_labels, "OTHER_PEOPLE", {"n": 3, "seed": 1})
    noisy_labels.problem.cache_clear()
    yield
    noisy_labels.problem.cache_clear()


def planned(track, rng):
    """A block of pseudo labels, then LDLVA on flips, seed 0 alone, and on right labels with K = 4: all at random."""
    parts = noisy_labels.problem(track)
    n, test = len(parts.rows), len(parts.test_rows)

    def block(labels, arrays, seeds=1):
        runs = [Run(task="m:f", track=TWIN, data="", settings={}, seed=s) for s in range(seeds)]
        return labels, [Result(run=r, key="", seconds=1.0, arrays=arrays) for r in runs]

    learnt = {
        "probability": rng.dirichlet(np.ones(7), test).astype(np.float16),
        "doubt": rng.random(n).astype(np.float16),
        "recovered": rng.integers(7, size=n).astype(np.int8),
        "named": rng.integers(7, size=n).astype(np.int8),
        "target": rng.dirichlet(np.ones(7), n).astype(np.float16),
        "calibration": rng.random((n, 8)).astype(np.float16),
    }
    affect = {"affect": rng.uniform(-1, 1, (n, 2)), "test_affect": rng.uniform(-1, 1, (test, 2))}
    return [
        block({"method": "pseudo labels"}, {k: v.astype(np.float32) for k, v in affect.items()}),
        block({"noise": "30 %", "method": "LDLVA"}, learnt),
        block({"noise": "0 %", "method": "K = 4"}, learnt, seeds=2),
    ]


@pytest.fixture
def made(rng):
    blocks = planned(TWIN, rng)
    return build(TWIN, blocks), blocks


def test_a_test_face_has_what_was_named_and_where_it_is_drawn_how_likely(made):
    tables, blocks = made
    test, arrays = tables[""], blocks[1][1][0].arrays
    assert test["noise"].unique().tolist() == ["0 %", "30 %"]  # in order, whatever was trained first
    drawn = test[test["method"] == "LDLVA"]
    assert_array_equal(drawn["named"], arrays["probability"].argmax(axis=1))
    assert_allclose(drawn[[f"p {name}" for name in NAMES]], arrays["probability"])
    assert test.loc[test["method"] == "K = 4", "p neutral"].isna().all()
    assert_array_equal(drawn["right"], TWIN.categories().expression[drawn["item"]])


def test_a_training_face_has_the_label_that_it_was_given(made):
    tables, blocks = made
    training, arrays = tables["training"], blocks[1][1][0].arrays
    assert set(training["method"]) == {"LDLVA"}
    assert (training["given"] != training["right"]).sum() == round(0.3 * len(training))
    assert_allclose(training["doubt"], arrays["doubt"])
    assert_array_equal(training["d names"], arrays["named"])


def test_neighbours_are_the_nearest_by_pseudo_labels_and_same_says_whether_of_its_category(made):
    tables, blocks = made
    faces, rows = tables["faces"].set_index("item"), noisy_labels.problem(TWIN).rows
    near = rows[nearest_in_affect(blocks[0][1][0].arrays["affect"], 8)]
    assert_array_equal(faces.loc[rows, "neighbour 3"], near[:, 2])
    same = faces["right"].to_numpy()[faces.index.get_indexer(near.ravel())].reshape(near.shape)
    same = same == faces.loc[rows, "right"].to_numpy()[:, None]
    assert_array_equal(tables["scores"].filter(like="same "), same)
    assert_allclose(faces.loc[rows, "by pseudo labels"], same.mean(axis=1))
    assert_allclose(tables["scores"]["score 8"], blocks[1][1][0].arrays["calibration"][:, 7])


def test_the_twin_s_pictures_can_be_drawn_again_and_only_test_faces_meet_other_raters(made):
    faces = made[0]["faces"]
    face = faces.iloc[5]
    (picture,) = make_faces(1, seed=0, size=48, start=int(face["picture"])).images
    assert_array_equal(picture, TWIN.categories().images[face["item"]])
    assert (faces["other raters"].notna() == (faces["split"] == "test")).all()


def test_faces_of_whom_little_is_known_lack_columns_and_fall_into_lots(rng):
    known = TWIN.categories()
    lacking = dict.fromkeys(("subject", "votes", "original", "landmarks", "ratings", "truth"))
    track = Given(replace(known, **lacking))
    tables = build(track, planned(track, rng))
    assert not {"votes neutral", "first label", "picture", "by landmarks"} & set(tables["faces"])
    assert set(tables["faces"]["unit"]) <= {f"lot {i:03d}" for i in range(200)}


def test_shapes_know_nothing_of_place_size_and_turn(rng):
    points = rng.normal(size=(1, 5, 2)).repeat(3, axis=0)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    points[1], points[2] = 3 * points[1] + 7, points[2] @ turn
    first, *others = _shapes(points)
    for other in others:
        assert_allclose(other, first, atol=1e-12)
