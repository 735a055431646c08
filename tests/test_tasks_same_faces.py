"""The comparison's runs on 140 small pictures: who is told what, every method, and what comes out."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.data.records import FaceSet
from paperlib.labels import EXPRESSIONS
from paperlib.models.joint import DropoutNet, JointNet, SoftLabelNet
from paperlib.tasks import same_faces as task
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

N, TRAIN, TEST = 140, 105, 35
SETTINGS = {
    "backbone": "tiny_resnet",
    "schedule": {"epochs": 1, "batch": 35, "learning_rate": 4e-3},
    "options": {"gamma": 0.01, "factor_rate": 0.1},
    "reading": "all",
}
WITHOUT = ("plain network", "EmoFAN's losses", "vote distribution", "LDLVA", "fused labels")
OWN_SCORES = {
    **dict.fromkeys(WITHOUT, set()),
    "MC dropout": {"mutual information"},
    "SCN": {"weight"},
    "KL variance": {"variance"},
    "beta-NLL": {"variance"},
    "evidential regression": {"variance", "variance of the mean"},
    "predicted disagreement": {"variance"},
}


@pytest.fixture
def faces(rng):
    """Faces near their category's place, rated by three people; every seventh was first labelled otherwise."""
    category = np.arange(N) % 7
    place = np.array([CIRCUMPLEX[e] for e in EXPRESSIONS])[category]
    ratings = (place[:, None] + rng.normal(0, 0.15, (N, 3, 2))).clip(-1, 1).astype(np.float32)
    ratings[::9, 1] = np.nan
    return FaceSet(
        name="made up",
        images=(30 * category[:, None, None] + rng.integers(0, 30, (N, 16, 16))).astype(np.uint8),
        affect=np.nanmean(ratings, axis=1),
        split=np.array(["train"] * 3 + ["test"])[np.arange(N) // 7 % 4],
        fingerprint="made up",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) % 5 == 2, (category + 2) % 7, category).astype(np.int8),
        ratings=ratings,
        votes=(6 * np.eye(8)[category] + rng.multinomial(4, np.full(8, 1 / 8), N)).astype(np.int16),
    )


@pytest.fixture
def on(faces, monkeypatch):
    def make(profile="smoke", **changes) -> Track:
        monkeypatch.setattr(Track, "categories", lambda self: replace(faces, **changes))
        task.problem.cache_clear()
        return Track(profile=profile)

    yield make
    task.problem.cache_clear()


# the faces


def test_a_label_is_the_first_source_s_and_wrong_where_most_raters_differ(on, faces):
    parts = task.problem(on())
    assert_array_equal(parts.train, np.flatnonzero(faces.split == "train"))
    assert_array_equal(parts.test, np.flatnonzero(faces.split == "test"))
    assert_array_equal(parts.label, faces.original[parts.train])
    assert_array_equal(parts.wrong, parts.train % 5 == 2)
    assert (len(parts.train), len(parts.test), parts.label.dtype) == (TRAIN, TEST, np.int64)


def test_every_face_is_learnt_where_that_is_asked_and_the_same_are_tested(on, monkeypatch):
    monkeypatch.setattr(task, "MOST", {"smoke": (50, 20)})
    few, every = (task.problem(on(), every_face) for every_face in (False, True))
    assert (len(few.train), len(every.train)) == (50, TRAIN) and set(few.train) < set(every.train)
    assert_array_equal(few.test, every.test)


@pytest.mark.parametrize("lacking", ["original", "votes", "ratings"])
def test_a_track_without_a_second_source_votes_or_ratings_has_no_problem(on, lacking):
    assert task.problem(on(**{lacking: None})) is None


def test_a_category_that_fewer_than_three_are_first_labelled_is_named(faces):
    task.check(faces, {})
    given = faces.original.copy()
    given[np.flatnonzero((given == 4) & (faces.split == "train"))[2:]] = 5
    with pytest.raises(ValueError, match=r"made up, first labels of the split train: too few faces of fear"):
        task.check(replace(faces, original=given), {})


# what is told


def small(faces, **changes):
    """Three training faces of a problem whose numbers are given."""
    few = replace(faces, **changes)
    rows = np.arange(3)
    label = np.zeros(3, np.int64)
    return task.Problem(faces=few, train=rows, test=rows, label=label, wrong=label > 0)


def test_vote_shares_by_hand(faces):
    votes = np.array([[5, 5, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 4, 6], [1, 0, 0, 3, 0, 0, 0, 0]], np.int16)
    expected = np.zeros((3, 7))
    expected[0, :2], expected[1, 6], expected[2, [0, 3]] = 0.5, 1, (0.25, 0.75)  # contempt's six do not count
    assert_allclose(task.vote_shares(small(faces, votes=votes)), expected)


def test_mean_and_deviation_by_hand(faces):
    ratings = np.full((3, 3, 2), 0.1, np.float32)
    ratings[0] = [[0.2, -0.4], [0.4, 0.0], [np.nan, np.nan]]
    ratings[2] = [[0.0, 0.3], [0.3, 0.0], [0.6, -0.3]]
    expected = [[0.3, -0.2, np.sqrt(0.02), np.sqrt(0.08)], [0.1, 0.1, 0, 0], [0.3, 0, 0.3, 0.3]]
    assert_allclose(task.mean_and_deviation(small(faces, ratings=ratings)), expected, atol=1e-6)


# networks


def test_a_rater_is_drawn_by_the_seed_and_is_one_who_rated(on, faces):
    parts = task.problem(on())
    first, again, other = (task.rating(parts, seed) for seed in (0, 0, 1))
    assert_array_equal(first, again)
    assert not np.array_equal(first, other) and np.isfinite(first).all()
    assert (faces.ratings[parts.train] == first[:, None]).all(axis=2).any(axis=1).all()


def test_fused_labels_by_hand(rng):
    """Half the label; the other half is Bayes with classes as frequent as their labels."""
    label = np.repeat(np.arange(7), [20, 10, 10, 10, 10, 10, 30])
    centre = np.array([CIRCUMPLEX[e] for e in EXPRESSIONS[:7]])
    affect = (centre[label] + rng.normal(0, 0.2, (100, 2))).astype(np.float32)
    found = task.fused(label, affect, reading="all")
    x, density = affect.astype(float), np.zeros((100, 7))
    for k in range(7):
        own = x[label == k]
        inverse = np.linalg.inv(np.cov(own.T))
        apart = x - own.mean(axis=0)
        distance = np.einsum("ni,ij,nj->n", apart, inverse, apart)
        density[:, k] = len(own) * np.sqrt(np.linalg.det(inverse)) * np.exp(-distance / 2)
    expected = density / density.sum(axis=1, keepdims=True) / 2
    expected[np.arange(100), label] += 0.5
    assert_allclose(found, expected, atol=1e-9)
    assert_allclose(found.sum(axis=1), 1)


def network(track, method, seed=0):
    return task._method(task.problem(track), SETTINGS | {"method": method}, seed)


def test_networks_learn_what_they_are_told(on):
    track = on()
    parts = task.problem(track)
    one_rater = ("KL variance", "beta-NLL", "evidential regression", "EmoFAN's losses")
    given = {
        **dict.fromkeys(one_rater, task.rating(parts, 4)),
        "predicted disagreement": task.mean_and_deviation(parts),
        "vote distribution": task.vote_shares(parts),
        "fused labels": task.fused(parts.label, task.rating(parts, 4), reading="all"),
    }
    for method, target in given.items():
        own = network(track, method, seed=4)
        assert isinstance(own, JointNet | SoftLabelNet)
        assert_allclose(own.target, target, atol=1e-6)
    assert isinstance(network(track, "MC dropout"), DropoutNet)
    assert_array_equal(network(track, "SCN").label, parts.label)


# a run


@pytest.fixture
def asked(on, tmp_path):
    track, count = on(), itertools.count()

    def run(method, seed=0):
        return task.train(track, SETTINGS | {"method": method}, seed, tmp_path / f"{next(count)}.ckpt")

    return run


@pytest.mark.parametrize("method", OWN_SCORES)
def test_a_run_gives_probabilities_scores_and_doubts(asked, method):
    found = asked(method)
    scores = {f"score: {name}" for name in OWN_SCORES[method] | {"entropy"}}
    assert set(found) == {"probability", "loss", "doubt", "seconds"} | scores
    shapes = {"probability": (TEST, 7), "loss": (TRAIN,), "doubt": (TRAIN,), "seconds": (1,)}
    for name, values in found.items():
        assert values.shape == shapes.get(name, (TEST,))
        assert values.dtype == (np.float64 if name == "seconds" else np.float16)
        assert np.isfinite(values).all()
    assert_allclose(found["probability"].astype(float).sum(axis=1), 1, atol=4e-3)
    assert (found["loss"] > 0).all() and found["seconds"][0] > 0
    p = found["probability"].astype(float).clip(1e-9)
    assert_allclose(found["score: entropy"], -(p * np.log(p)).sum(axis=1), atol=5e-3)
    for name in scores:
        assert (found[name] >= (-1e-3 if "mutual" in name else 0)).all()


def test_the_control_is_a_plain_network_on_the_majority_s_label(on, faces, tmp_path):
    """The same numbers, where all that raters say is the label that is given, as `train`'s of the plain network."""
    settings = {name: SETTINGS[name] for name in ("backbone", "schedule")}
    control = task.train_on_majority(on(), settings, 3, tmp_path / "control.ckpt")
    wrong = task.problem(on()).wrong
    track = on(original=faces.expression)
    plain = task.train(track, settings | {"method": "plain network"}, 3, tmp_path / "plain.ckpt")
    for name in ("probability", "score: entropy"):
        assert_allclose(control[name].astype(float), plain[name].astype(float), atol=2e-3)
    # its loss and its doubt are of the label that is given, as the vote distribution's
    assert_array_equal(control["doubt"], wrong.astype(np.float16))
    assert_allclose(control["loss"][~wrong].astype(float), plain["loss"][~wrong].astype(float), atol=5e-3)
    assert not np.allclose(control["loss"][wrong], plain["loss"][wrong], atol=0.1)


def test_doubt_is_the_method_s_own(asked, on, monkeypatch):
    """The loss where there is no other; what a mixture takes from the label; a predicted variance; SCN's weight."""
    for method in ("plain network", "MC dropout", "EmoFAN's losses"):
        found = asked(method)
        assert_array_equal(found["doubt"], found["loss"])
    parts = task.problem(on())
    shares = task.vote_shares(parts)[np.arange(TRAIN), parts.label]
    assert_allclose(asked("vote distribution")["doubt"], 1 - shares, atol=1e-3)
    fused = task.fused(parts.label, task.rating(parts, 2), reading="all")[np.arange(TRAIN), parts.label]
    assert_allclose(asked("fused labels", 2)["doubt"], 1 - fused, atol=1e-3)
