"""le2023's runs on 140 small pictures: the parts of a track, wrong labels, every method, and what comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from paperlib import twin
from paperlib.data.records import FaceSet
from paperlib.labels import EXPRESSIONS
from paperlib.models.backbones import build_backbone
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import PAPER, RELEASE
from paperlib.tasks import noisy_labels as task
from paperlib.tracks import Track
from paperlib.training import Schedule

SCHEDULE = {"epochs": 1, "batch": 28, "learning_rate": 4e-3}
SETTINGS = {
    "backbone": "tiny_resnet",
    "pretrained": False,
    "schedule": SCHEDULE,
    "labels": "consensus",
    "noise": 0.25,
}
OURS = SETTINGS | {
    "method": "LDLVA",
    "k": 4,
    "places": "raters",
    "online": False,
    "options": {"setting": "paper", "factor_start": 0.5},
    "regressor": SCHEDULE,
}
METHODS = {
    **{name: SETTINGS | {"method": name} for name in ("baseline", "label smoothing", "SCN", "RUL")},
    "LDLVA": OURS,
    "released": OURS | {"options": {"setting": "release"}},
    "online": OURS | {"online": True},
}
N = 140


@pytest.fixture
def faces(rng):
    """The picture's number is its grey; every fifth is for validation or test; every fourth was labelled otherwise."""
    category = np.arange(N) % 7
    votes = np.zeros((N, 8), np.int16)
    votes[np.arange(N), category], votes[np.arange(N), (category + 1) % 7] = 6, 4
    return FaceSet(
        name="numbered",
        images=np.tile(np.arange(N, dtype=np.uint8)[:, None, None], (1, 16, 16)),
        affect=rng.uniform(-1, 1, (N, 2)).astype(np.float32),
        split=np.array(["train", "validation", "train", "test", "train"])[np.arange(N) // 7 % 5],
        fingerprint="numbered",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) % 4 == 0, (category + 3) % 7, category).astype(np.int8),
        votes=votes,
    )


@pytest.fixture
def on(faces, monkeypatch):
    """A track by name whose faces are those above, with fields changed; the twin's other people are few."""

    def make(name="manifest", **changes) -> Track:
        monkeypatch.setattr(Track, "categories", lambda self: replace(faces, **changes) if changes else faces)
        task.problem.cache_clear()
        return Track(name=name, root="nowhere", profile="smoke")

    monkeypatch.setitem(task.OTHER_PEOPLE, "n", 20)
    yield make
    task.problem.cache_clear()


def numbers(images):
    return images[:, 0, 0].astype(int)


# the parts


def test_faces_held_out_for_the_regressor_train_nothing_else(on, faces):
    parts = task.problem(on())
    held, train = numbers(parts.other_images), numbers(parts.images)
    np.testing.assert_array_equal(train, parts.rows)
    np.testing.assert_array_equal(np.sort(np.r_[held, train]), np.flatnonzero(faces.split == "train"))
    assert 0.1 < len(held) / (len(held) + len(train)) < 0.3
    np.testing.assert_array_equal(parts.other_affect, faces.affect[held])
    np.testing.assert_array_equal(parts.test_rows, np.flatnonzero(faces.split == "test"))
    np.testing.assert_array_equal(parts.validation_rows, np.flatnonzero(faces.split == "validation"))
    assert parts.affect is None


def test_a_held_out_face_without_a_place_teaches_none(on, faces):
    held = numbers(task.problem(on()).other_images)
    affect = faces.affect.copy()
    affect[held[:2]] = np.nan
    assert numbers(task.problem(on(affect=affect)).other_images).tolist() == held[2:].tolist()


def test_on_the_twin_other_people_teach_the_regressor(on, faces, monkeypatch):
    asked = []
    monkeypatch.setattr(twin, "make_faces", lambda n, **kwargs: asked.append((n, kwargs)) or faces)
    parts = task.problem(on("twin"))
    assert asked == [(20, {"seed": 1, "size": 16, "channels": 1})]
    assert numbers(parts.images).tolist() == np.flatnonzero(faces.split == "train").tolist()
    assert len(parts.other_images) == N


@pytest.mark.parametrize("name", task.PSEUDO_GIVEN)
def test_where_nobody_rated_the_user_gives_places(on, faces, name):
    track = on(name)
    train = faces.split == "train"
    np.testing.assert_array_equal(task.pseudo_affect(track, SETTINGS), faces.affect[train])
    assert len(task.problem(track).other_images) == 0
    affect = faces.affect.copy()
    affect[np.flatnonzero(train)[:3]] = np.nan
    with pytest.raises(ValueError, match=f"track {name} has no .* for 3 of 84 .*valence_arousal.csv"):
        task.problem(on(name, affect=affect))


def test_a_track_without_categories_says_so(on, monkeypatch):
    track = on()
    monkeypatch.setattr(Track, "categories", lambda self: None)
    with pytest.raises(ValueError, match="track manifest has no faces with a category"):
        task.problem(track)


# labels


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.25, 0.3])
def test_flips_are_of_exact_number_and_follow_the_seed(on, noise):
    track = on()
    given, right = task.training_labels(track, "consensus", noise=noise, seed=0)
    assert (given != right).sum() == round(noise * len(right))
    np.testing.assert_array_equal(right, task.problem(track).rows % 7)
    again, other = (task.training_labels(track, "consensus", noise=noise, seed=s)[0] for s in (0, 1))
    np.testing.assert_array_equal(given, again)
    assert np.array_equal(given, other) == (noise == 0)


def test_natural_labels_are_those_first_published(on, faces):
    track = on()
    given, right = task.training_labels(track, "natural")
    rows = task.problem(track).rows
    np.testing.assert_array_equal(given, faces.original[rows])
    np.testing.assert_array_equal(given != right, rows % 4 == 0)


def test_two_populations_label_every_other_face(on, faces):
    track = on()
    given, right = task.training_labels(track, "populations")
    np.testing.assert_array_equal(given[::2], right[::2])
    np.testing.assert_array_equal(given[1::2], faces.original[task.problem(track).rows[1::2]])


def test_the_twins_second_population_differs_where_its_habits_outweigh_the_votes(on, faces):
    def votes(**cast):
        return [cast.get(e, 0) for e in EXPRESSIONS]

    cast = [votes(neutral=6, sad=4), votes(happy=6, sad=2), votes(happy=6, sad=3), votes(neutral=10)]
    expected = ["sad", "happy", "happy", "neutral"]  # 3 : 8, 6 : 4, a tie (the consensus), 5 : 0
    right = np.array([EXPRESSIONS.index(e) for e in ("neutral", "happy", "happy", "neutral")] * 35, np.int8)
    track = on("twin", votes=np.array(cast * 35, np.int16), expression=right)
    named = task.second_population(track)
    assert [EXPRESSIONS[i] for i in named] == expected * 35


def test_unknown_labels_methods_and_places_are_refused(on, tmp_path):
    with pytest.raises(ValueError, match="labels must be consensus, natural or populations; got 'votes'"):
        task.training_labels(on(), "votes")
    with pytest.raises(ValueError, match="there is no method 'SCM'"):
        task.train(on(), SETTINGS | {"method": "SCM"}, 0, tmp_path / "a")
    with pytest.raises(ValueError, match="places must be pseudo, raters, random or itself; got 'votes'"):
        task.neighbourhood(on(), OURS | {"places": "votes"}, PAPER)


# neighbours


def test_neighbours_are_of_the_training_rows_by_where_they_lie(on, faces):
    track = on()
    place = faces.affect[task.problem(track).rows].astype(float)
    near, s = task.neighbourhood(track, OURS, PAPER)
    squared = np.square(place[:, None] - place[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    np.testing.assert_array_equal(near, np.argsort(squared)[:, :4])
    np.testing.assert_allclose(s, np.exp(-np.sort(squared)[:, :4] / 0.25))
    released = task.neighbourhood(track, OURS, RELEASE)[1]
    np.testing.assert_allclose(released, np.exp(-np.abs(place[near] - place[:, None]).sum(axis=2) / 0.5))
    random, _ = task.neighbourhood(track, OURS | {"places": "random"}, PAPER)
    assert (random == near).mean() < 0.2
    itself, one = task.neighbourhood(track, OURS | {"places": "itself"}, PAPER)
    assert itself[:, 0].tolist() == list(range(len(place))) and (one == 1).all()


def test_pseudo_places_come_from_the_held_out_faces_alone_and_are_found_once(
    on, faces, monkeypatch, tmp_path
):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path)
    fitted = []
    fit = task.fit
    monkeypatch.setattr(
        task, "fit", lambda m, loss, rows, *a, **k: fitted.append(rows) or fit(m, loss, rows, *a, **k)
    )
    track = on()
    first, second = (task.pseudo_affect(track, OURS | {"noise": noise}) for noise in (0.0, 0.3))
    np.testing.assert_array_equal(first, second)
    (rows,) = fitted
    held = numbers(rows.arrays[0])
    assert not set(held) & set(task.problem(track).rows)
    np.testing.assert_array_equal(rows.arrays[1], faces.affect[held])
    assert np.abs(first).max() <= 1 and first.std(axis=0).min() > 0


def test_the_regressors_output_is_of_training_and_test_faces_and_cut(on, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "fit", lambda *args, **kwargs: None)
    monkeypatch.setattr(
        task, "_outputs", lambda model, images: np.stack([numbers(images), -numbers(images)], axis=1)
    )
    track = on()
    out = task.train_regressor(track, OURS, 0, tmp_path / "a")
    parts = task.problem(track)
    for name, rows in (("affect", parts.rows), ("test_affect", parts.test_rows)):
        np.testing.assert_array_equal(
            out[name], np.stack([np.minimum(rows, 1), -np.minimum(rows, 1)], axis=1)
        )


# training


@pytest.mark.parametrize("name", METHODS)
def test_every_method_predicts_the_test_faces_and_repeats_itself(on, tmp_path, name):
    track = on()
    n = len(task.problem(track).rows)
    out, again = (task.train(track, METHODS[name], 0, tmp_path / part) for part in ("a", "b"))
    for key, values in out.items():
        assert values.tobytes() == again[key].tobytes()
        assert np.isfinite(values).all()
    assert out["probability"].shape == (28, 7) and out["probability"].dtype == np.float16
    np.testing.assert_allclose(out["probability"].astype(float).sum(axis=1), 1, atol=4e-3)
    assert len(out["doubt"]) == n and out["doubt"].min() >= 0
    assert (28 * out["validation"][0]).round(6).is_integer()
    ours = METHODS[name]["method"] == "LDLVA"
    assert ({"gap", "recovered", "target", "calibration"} <= set(out)) == ours
    if ours:
        assert out["gap"] == pytest.approx(0.5)  # of one epoch: nothing stood there before
        assert set(out["recovered"]) <= set(range(7)) and out["calibration"].shape == (n, 4)
        np.testing.assert_allclose(out["target"].astype(float).sum(axis=1), 1, atol=4e-3)


def test_validation_is_the_accuracy_on_the_validation_faces(on, faces, tmp_path, monkeypatch):
    monkeypatch.setattr(task, "learn", lambda *args, **kwargs: None)
    monkeypatch.setattr(
        task,
        "predict",
        lambda model, images: np.eye(7)[np.where(numbers(images) % 2, numbers(images) % 7, 0)],
    )
    out = task.train(on(), METHODS["baseline"], 0, tmp_path / "a")
    row = np.flatnonzero(faces.split == "validation")
    assert out["validation"] == np.mean((row % 2 == 1) | (row % 7 == 0))
    assert out["probability"].argmax(axis=1).tolist() == [
        r % 7 if r % 2 else 0 for r in np.flatnonzero(faces.split == "test")
    ]


def test_only_the_first_seed_keeps_targets(on, tmp_path):
    out = task.train(on(), OURS, 1, tmp_path / "a")
    assert "gap" in out and not {"target", "calibration"} & set(out)


def test_known_factors_are_one_for_wrong_labels_and_stay(on, tmp_path):
    track = on()
    options = {"setting": "paper", "factor_rate": 0.0}
    for seed in (1, 0):
        settings = OURS | {"oracle": True, "options": options}
        out = task.train(track, settings, seed, tmp_path / str(seed))
        given, right = task.training_labels(track, "consensus", noise=0.25, seed=seed)
        np.testing.assert_array_equal(out["doubt"], given != right)
    kept = np.eye(7)[given][given == right]
    np.testing.assert_array_equal(out["target"][given == right], kept)


def test_options_replace_those_of_the_setting(on):
    parts = task.problem(on())
    backbone, features = build_backbone("tiny_resnet", channels=1)
    label = torch.zeros(len(parts.rows), dtype=torch.long)
    settings = OURS | {"options": {"setting": "release", "gamma": 0.5}}
    model = task._method(on(), settings, backbone, features, label)
    assert model.options == replace(RELEASE, gamma=0.5) and model.pictures is None
    assert task._method(on(), METHODS["online"], backbone, features, label).pictures is not None
    scn = SETTINGS | {"method": "SCN", "schedule": SCHEDULE | {"epochs": 14}}
    assert task._method(on(), scn, backbone, features, label).relabel_after == 2


def test_an_interrupted_ldlva_goes_on_where_it_stopped(on, tmp_path, monkeypatch):
    track, settings = on(), OURS | {"schedule": SCHEDULE | {"epochs": 3}, "online": False}
    whole = task.train(track, settings, 0, tmp_path / "a")
    augment, calls = task.augment, []

    def interrupt(x):
        calls.append(1)
        if len(calls) == 6:  # of three batches an epoch: in the second
            raise KeyboardInterrupt
        return augment(x)

    monkeypatch.setattr(task, "augment", interrupt)
    with pytest.raises(KeyboardInterrupt):
        task.train(track, settings, 0, tmp_path / "b")
    assert (tmp_path / "b").is_file()
    resumed = task.train(track, settings, 0, tmp_path / "b")
    assert len(calls) == 6 + 6
    for name, values in whole.items():
        assert values.tobytes() == resumed[name].tobytes(), name


def test_online_neighbours_are_pictures_of_the_training_rows(on, monkeypatch):
    track = on()
    monkeypatch.setattr(task, "augment", lambda x: x)
    row = torch.tensor([5, 0, 5])
    images = torch.from_numpy(task.problem(track).images[row.numpy()])
    assert torch.equal(task._pictures(track)(row), task.as_input(images))


class Bootstrapped(ExpressionNet):
    """The method of one's own that the interface is for."""

    def loss(self, x, label, row):
        logits = self.logits(x)
        target = 0.8 * F.one_hot(label, logits.shape[1]) + 0.2 * logits.detach().softmax(dim=1)
        return F.cross_entropy(logits, target)


def test_a_method_of_ones_own_learns_to_tell_bright_from_dark():
    images = np.repeat(np.array([40, 210], np.uint8), 20)[:, None, None] * np.ones((1, 16, 16), np.uint8)
    label = np.repeat([0, 1], 20)
    backbone, features = build_backbone("tiny_vgg", channels=1)
    model = Bootstrapped(backbone, features, n=40, classes=2)
    schedule = Schedule(epochs=30, batch=10, learning_rate=1e-3)
    history = task.learn(model, images, label, schedule, seed=0)
    assert history.loss[-1] < history.loss[0]
    probability = task.predict(model, images)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    assert (probability.argmax(axis=1) == label).all()
