"""What toisoul2021's networks are given to learn from, and that they learn it as the settings say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import metrics
from paperlib.models.emofan import nme
from paperlib.tasks import emofan as task
from paperlib.tracks import Track
from paperlib.twin import make_faces

SCHEDULE = {"optimiser": "adamw", "learning_rate": 4e-3, "weight_decay": 0.05, "epochs": 1, "batch": 32}
SETTINGS = {
    "network": "EmoFAN",
    "attention": True,
    "width": 16,
    "depth": 1,
    "size": 32,
    "backbone": "tiny_resnet",
    "schedule": SCHEDULE,
    "alignment_schedule": SCHEDULE,
    "landmarks": "original",
    "frozen": True,
    "categories": True,
    "loss": "CCC",
    "teacher": None,
    "distil": "adds",
    "temperature": 1.0,
    "turned": False,
}
RESNET = SETTINGS | {"network": "ResNet-18", "attention": False}


@pytest.fixture(scope="module")
def portraits():
    return make_faces(110, seed=4, size=48)


@pytest.fixture
def on(portraits, monkeypatch, tmp_path):
    """A track with these faces, with fields changed."""
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")

    def make(name="twin", profile="smoke", **changes) -> Track:
        changed = replace(portraits, **changes)
        monkeypatch.setattr(Track, "of_kind", lambda self, kind: changed if kind == "portraits" else None)
        task.problem.cache_clear()
        return Track(name=name, root="" if name == "twin" else str(tmp_path), profile=profile)

    yield make
    task.problem.cache_clear()


@pytest.fixture
def train(tmp_path):
    """`task.train` with settings changed."""

    def run(track, seed=0, of=SETTINGS, **changes):
        return task.train(track, of | changes, seed, tmp_path / f"{len(list(tmp_path.glob('*.ckpt')))}.ckpt")

    return run


# what is learnt


def test_the_label_is_one_raters_drawn_once(on, portraits):
    parts = task.problem(on())
    same = (portraits.ratings == parts.affect[:, None]).all(axis=2)
    assert_array_equal(same.sum(axis=1), 1)
    assert len(set(same.argmax(axis=1))) == 10  # of every rater some
    task.problem.cache_clear()
    again = task.problem(on())
    assert_array_equal(again.affect, parts.affect)
    assert_array_equal(again.original, parts.original)


# crops


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_category_of_the_set_that_a_split_lacks_is_named(on, split):
    parts = task.problem(on())
    parts = replace(parts, label=np.full(len(parts.label), -1))
    for own in (parts.train, parts.test):
        parts.label[own] = np.arange(len(own)) % 6
    task.check(parts, SETTINGS)
    task.check(replace(parts, label=np.where(parts.label == 2, 1, parts.label)), SETTINGS)  # nobody is sad
    rows = getattr(parts, split)
    label = parts.label.copy()
    label[rows] = np.where(label[rows] == 2, 1, label[rows])
    where = f"split {split} with valence and arousal: "
    with pytest.raises(ValueError, match=where + r"too few faces of sad \(0 faces\)"):
        task.check(replace(parts, label=label), SETTINGS)
    with pytest.raises(ValueError, match=where + "no face. Every page"):
        task.check(replace(parts, **{split: rows[:0]}), SETTINGS)


def test_right_landmarks_go_through_the_window_of_the_wrong_ones(rng):
    true = rng.uniform(20, 40, (3, 68, 2)).astype(np.float32)
    wrong = true * 1.2 - 3
    pictures = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    parts = SimpleNamespace(faces=SimpleNamespace(images=pictures), true=true)
    by_true, by_wrong = (task.crops(parts, points, 32) for points in (true, wrong))
    low, high = wrong.min(axis=1), wrong.max(axis=1)
    side = (high - low).sum(axis=1)[:, None, None] * 200 / 220
    corner = ((low + high) / 2)[:, None] - side / 2
    assert_allclose(by_wrong.landmarks, (true - corner) * 32 / side, atol=1e-3)
    assert (by_wrong.images != by_true.images).any()


# face alignment


def test_alignment_lowers_the_error_of_an_untrained_network(on, tmp_path):
    track = on()
    parts = task.problem(track)
    learn = SETTINGS | {"alignment_schedule": SCHEDULE | {"epochs": 12, "batch": 16}}
    out = task.train_alignment(track, task.alignment(track, learn).settings, 0, tmp_path / "run.ckpt")
    untrained = task.network(parts, learn, 0)
    seen = task.crops(parts, parts.original, 32)
    before = task.locate(untrained, parts, seen.images)[parts.test]
    true = torch.from_numpy(parts.true[parts.test])
    error = nme(torch.from_numpy(before), true).numpy()
    assert out["nme"].shape == (len(parts.test), 2)
    assert out["nme"][:, 1].mean() < 0.7 * error.mean()
    for column, points in enumerate((parts.original, out["landmarks"])):
        by_hand = nme(torch.from_numpy(points[parts.test]), true).numpy()
        assert_allclose(out["nme"][:, column], by_hand, rtol=1e-5)
    task._give(untrained, out)
    assert_allclose(task.locate(untrained, parts, seen.images), out["landmarks"], atol=1e-3)


# training


@pytest.mark.parametrize("settings", [RESNET, SETTINGS])
def test_valence_arousal_and_categories_are_learnt(on, train, rng, settings):
    """Valence is how bright the upper half is, arousal the lower; bright above is happy."""
    affect = (rng.choice([-1, 1], (110, 2)) * rng.uniform(0.4, 0.9, (110, 2))).astype(np.float32)
    images = np.repeat(128 + 110 * affect, 24, axis=1)[:, :, None].repeat(48, axis=2).astype(np.uint8)
    happy = (affect[:, 0] > 0).astype(np.int8)
    track = on(images=images, affect=affect, ratings=None, expression=happy)
    out = train(track, of=settings, schedule=SCHEDULE | {"epochs": 20, "batch": 16}, teaches=True)
    test = task.problem(track).test
    assert metrics.ccc(out["affect"], affect[test]).min() > 0.5
    assert (out["logits"].argmax(axis=1) == happy[test]).mean() > 0.7
    known = task.problem(track).train
    assert (out["train"].argmax(axis=1) == happy[known]).mean() > 0.7


# distillation


def test_a_teacher_that_replaces_the_labels_hides_them_and_one_that_adds_does_not(
    on, train, monkeypatch, portraits
):
    """The teacher is fixed, and the labels changed under it."""
    n = len(task.problem(on()).train)
    logits = np.random.default_rng(1).normal(size=(n, 8)).astype(np.float16)
    monkeypatch.setattr(task, "product", lambda run: {"train": logits})
    moved = ((portraits.expression + 3) % 8).astype(np.int8)
    taught = RESNET | {"teacher": RESNET | {"teaches": True}}
    out = {
        (distil, changed): train(on(**({"expression": moved} if changed else {})), of=taught, distil=distil)
        for distil in ("replaces", "adds")
        for changed in (False, True)
    }
    assert_array_equal(out["replaces", False]["logits"], out["replaces", True]["logits"])
    assert (out["adds", False]["logits"] != out["adds", True]["logits"]).any()
    assert (out["adds", False]["logits"] != out["replaces", False]["logits"]).any()


# prediction


@pytest.mark.parametrize("settings", [SETTINGS, RESNET])
def test_predictions_are_means_over_the_picture_and_its_mirror_image(on, rng, settings):
    model = task.network(task.problem(on()), settings, 0)
    images = rng.integers(0, 256, (9, 32, 32), dtype=np.uint8)
    affect, logits = task.predict(model, images)
    model.eval()
    views = (torch.from_numpy(x.copy()).unsqueeze(1) / 255 for x in (images, images[:, :, ::-1]))
    with torch.inference_mode():
        one, other = (task.outputs(model, view) for view in views)
    assert_allclose(logits, (one.logits + other.logits) / 2, atol=1e-4)
    assert_allclose(affect, ((one.affect + other.affect) / 2).clamp(-1, 1), atol=1e-4)
    assert (one.logits - other.logits).abs().max() > 1e-3
    for again in (task.predict(model, images[:, :, ::-1]), task.predict(model, images, batch=2)):
        assert_allclose(again[0], affect, atol=1e-5)
        assert_allclose(again[1], logits, atol=1e-4)
