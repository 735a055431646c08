"""le2023's runs on 140 small pictures: the parts of a track, wrong labels, every method, and what comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from paperlib.data.records import FaceSet
from paperlib.models.backbones import build_backbone
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
    "places": "random",
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


# neighbours


def test_neighbours_are_of_the_training_rows_by_where_they_lie(on, faces):
    track, paper = on("rafdb"), OURS | {"places": "pseudo"}  # there the user gives the places
    place = faces.affect[task.problem(track).rows].astype(float)
    near, s = task.neighbourhood(track, paper, PAPER)
    squared = np.square(place[:, None] - place[None]).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    np.testing.assert_array_equal(near, np.argsort(squared)[:, :4])
    np.testing.assert_allclose(s, np.exp(-np.sort(squared)[:, :4] / 0.25))
    released = task.neighbourhood(track, paper, RELEASE)[1]
    np.testing.assert_allclose(released, np.exp(-np.abs(place[near] - place[:, None]).sum(axis=2) / 0.5))
    random, _ = task.neighbourhood(track, OURS, PAPER)
    assert (random == near).mean() < 0.2
    itself, one = task.neighbourhood(track, OURS | {"places": "itself"}, PAPER)
    assert itself[:, 0].tolist() == list(range(len(place))) and (one == 1).all()


def test_pseudo_places_come_from_the_held_out_faces_alone_whatever_the_noise(
    on, faces, monkeypatch, tmp_path
):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path)  # an earlier test may have kept the regressor
    fitted, fit = [], task.fit
    monkeypatch.setattr(
        task, "fit", lambda m, loss, rows, *a, **k: fitted.append(rows) or fit(m, loss, rows, *a, **k)
    )
    track = on()
    assert task.regressor(track, OURS | {"noise": 0.0}) == task.regressor(track, OURS | {"noise": 0.3})
    found = task.pseudo_affect(track, OURS)
    held = numbers(fitted[0].arrays[0])
    assert not set(held) & set(task.problem(track).rows)
    np.testing.assert_array_equal(fitted[0].arrays[1], faces.affect[held])
    assert np.abs(found).max() <= 1 and found.std(axis=0).min() > 0


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
    assert ({"gap", "recovered", "named", "target", "calibration"} <= set(out)) == ours
    if ours:
        assert out["gap"] == pytest.approx(0.5)  # of one epoch: nothing stood there before
        largest = out["target"][np.arange(n), out["named"]]
        np.testing.assert_allclose(largest.astype(float), out["target"].max(axis=1).astype(float), atol=1e-3)
        assert set(out["recovered"]) <= set(range(7)) and out["calibration"].shape == (n, 4)
        np.testing.assert_allclose(out["target"].astype(float).sum(axis=1), 1, atol=4e-3)


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


def test_a_rival_is_told_its_settings(on):
    backbone, features = build_backbone("tiny_resnet", channels=1)
    label = torch.zeros(len(task.problem(on()).rows), dtype=torch.long)
    told = {"SCN": ("relabel_after", 9), "RUL": ("mix_after", 3), "label smoothing": ("smoothing", 0.3)}
    for method, (name, value) in told.items():
        settings = SETTINGS | {"method": method, "rival": {name: value}}
        assert getattr(task._method(on(), settings, backbone, features, label), name) == value


def test_an_interrupted_ldlva_goes_on_where_it_stopped(on, tmp_path, monkeypatch):
    track, settings = on(), OURS | {"schedule": SCHEDULE | {"epochs": 3}, "online": False}
    whole = task.train(track, settings, 0, tmp_path / "a")
    augmented, calls = Schedule.augmented, []

    def interrupt(schedule, x):
        calls.append(1)
        if len(calls) == 6:  # of three batches an epoch: in the second
            raise KeyboardInterrupt
        return augmented(schedule, x)

    monkeypatch.setattr(Schedule, "augmented", interrupt)
    with pytest.raises(KeyboardInterrupt):
        task.train(track, settings, 0, tmp_path / "b")
    assert (tmp_path / "b").is_file()
    resumed = task.train(track, settings, 0, tmp_path / "b")
    assert len(calls) == 6 + 6
    for name, values in whole.items():
        assert values.tobytes() == resumed[name].tobytes(), name
