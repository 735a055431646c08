"""foteinopoulou2021's runs: augmentation, targets, splits, and what comes out."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from paperlib.data.records import FaceSet, SequenceSet
from paperlib.tasks import label_variance as task

SCHEDULE = {"epochs": 1, "batch": 16, "learning_rate": 1e-3}
SETTINGS = {
    "backbone": "tiny_resnet",
    "pretrained": False,
    "dropout": 0.1,
    "loss": "kl_as_printed",
    "target": "mean",
    "schedule": SCHEDULE,
}


class Given:
    """A track that gives these records."""

    def __init__(self, faces: FaceSet | None = None, sequences: SequenceSet | None = None) -> None:
        self._faces, self._sequences = faces, sequences

    def faces(self):
        return self._faces

    def sequences(self):
        return self._sequences


def test_augmentation_mirrors_and_shifts_and_does_nothing_else():
    x = torch.rand(8, 1, 6, 7)
    shifted = task.augment(x, shift=2)
    padded = torch.nn.functional.pad(x, (2, 2, 2, 2), mode="replicate")
    for before, after in zip(padded, shifted, strict=True):
        mirrored = before.flip(2)
        candidates = [
            c[:, dy : dy + 6, dx : dx + 7] for c in (before, mirrored) for dy in range(5) for dx in range(5)
        ]
        assert any(torch.equal(after, c) for c in candidates)


def test_pictures_become_floats_of_known_scale():
    grey = task.as_input(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    assert grey.flatten().tolist() == [-2.0, 2.0] and grey.shape == (1, 1, 1, 2)
    white = task.as_input(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8))
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(white[0, :, 0, 0], expected)


def test_one_rating_is_a_present_one_drawn_evenly_and_once(rng):
    ratings = rng.normal(size=(4000, 3, 2)).astype(np.float32)
    ratings[:, 1] = np.nan
    drawn = task.one_rating(ratings, seed=3)
    assert np.isfinite(drawn).all()
    counts = [(drawn == ratings[:, k]).all(axis=1).sum() for k in (0, 2)]
    assert sum(counts) == 4000 and chisquare(counts).pvalue > 0.001
    np.testing.assert_array_equal(drawn, task.one_rating(ratings, seed=3))


@pytest.mark.parametrize("changes", [{}, {"loss": "mse"}, {"loss": "votes"}, {"target": "rating"}])
def test_training_predicts_the_test_split_alone_and_repeats_itself(faces, tmp_path, changes):
    settings = SETTINGS | changes
    first = task.train_faces(Given(faces), settings, 0, tmp_path / "a")
    second = task.train_faces(Given(faces), settings, 0, tmp_path / "b")
    assert first["mean"].shape == first["log_variance"].shape == (20, 2)
    assert first["training_loss"].shape == (1,)
    assert ("dropout_variance" in first) == (settings["loss"] != "votes")
    for name, values in first.items():
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, second[name])


def test_without_dropout_there_is_no_dropout_variance(faces, tmp_path):
    out = task.train_faces(Given(faces), SETTINGS | {"dropout": 0.0}, 0, tmp_path / "a")
    assert "dropout_variance" not in out


def test_a_face_without_a_label_is_not_trained_on(faces, tmp_path, monkeypatch):
    affect = faces.affect.copy()
    affect[:5] = np.nan
    seen = {}
    monkeypatch.setattr(
        task, "fit", lambda model, loss, rows, *a, **k: seen.update(n=len(rows)) or task_history()
    )
    task.train_faces(Given(replace(faces, affect=affect)), SETTINGS, 0, tmp_path / "a")
    assert seen["n"] == 35


@pytest.mark.parametrize("folds", [2, None])
def test_every_segment_is_predicted_once_by_a_network_that_never_saw_its_subject(
    rng, tmp_path, monkeypatch, folds
):
    n = 12
    subject = np.repeat(["a", "b", "c", "d"], 3)
    features = rng.uniform(0, 5, size=(n, 60, 4)).astype(np.float32)
    features[:, 0, 0] = np.arange(n)  # a mark by which a row is known again
    sequences = SequenceSet(
        name="x",
        features=features,
        affect=rng.uniform(-1, 1, size=(n, 2)).astype(np.float32),
        ratings=rng.uniform(-1, 1, size=(n, 3, 2)).astype(np.float32),
        subject=subject,
        recording=subject,
        fingerprint="x",
    )
    left_out = []

    def fit(model, loss, rows, *args, **kwargs):
        trained = rows.arrays[0][rows.at][:, 0, 0].astype(int)
        left_out.append(sorted(set(range(n)) - set(trained)))
        return task_history()

    monkeypatch.setattr(task, "fit", fit)
    settings = {"loss": "kl_as_printed", "centroids": 2, "hidden": 4, "folds": folds, "schedule": SCHEDULE}
    out = task.train_sequences(Given(sequences=sequences), settings, 0, tmp_path / "a")
    assert np.isfinite(out["mean"]).all()
    assert sorted(row for rows in left_out for row in rows) == list(range(n))
    assert len(left_out) == (folds or 4)
    for rows in left_out:
        assert not set(subject[rows]) & set(np.delete(subject, rows))


def task_history():
    from paperlib.training import History

    return History(loss=[0.0])
