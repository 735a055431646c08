"""What toisoul2021's networks are given to learn from, and that they learn it as the settings say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import metrics
from paperlib.asked import product
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
    track = on()
    parts = task.problem(track)
    same = (portraits.ratings == parts.affect[:, None]).all(axis=2)
    assert_array_equal(same.sum(axis=1), 1)
    assert len(set(same.argmax(axis=1))) == 10  # of every rater some
    assert_array_equal(parts.label, portraits.expression)
    task.problem.cache_clear()
    again = task.problem(track)
    assert_array_equal(again.affect, parts.affect)
    assert_array_equal(again.original, parts.original)
    assert again.fingerprint == parts.fingerprint


def test_a_track_without_faces_or_without_affect_says_so(on, portraits, monkeypatch):
    with pytest.raises(ValueError, match="track twin has no faces with valence and arousal"):
        task.problem(on(affect=np.full_like(portraits.affect, np.nan)))
    monkeypatch.setattr(Track, "of_kind", lambda self, kind: None)
    with pytest.raises(ValueError, match="track sewa has no faces with valence and arousal"):
        task.problem(Track(name="sewa", root="x"))


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
    with pytest.raises(
        ValueError, match=rf"split {split} with valence and arousal: too few faces of sad \(0 faces\)"
    ):
        task.check(replace(parts, label=label), SETTINGS)
    with pytest.raises(ValueError, match=f"split {split} with valence and arousal: no face. Every page"):
        task.check(replace(parts, **{split: rows[:0]}), SETTINGS)


def made(pictures, true=None, original=None):
    n = len(pictures)
    return task.Problem(
        pictures=pictures,
        original=original,
        true=true,
        label=np.full(n, -1),
        affect=np.zeros((n, 2), np.float32),
        faces=None,
        train=np.arange(n),
        validation=np.arange(0),
        test=np.arange(n),
        fingerprint="made up",
    )


def test_crops_put_the_eyes_where_the_rule_says():
    """A box of 40 by 70 around (60, 55) gives a window of 200 * 110 / 220 = 100 pixels: 10 to 110, 5 to 105."""
    points = np.tile(np.array([60.0, 55.0], np.float32), (68, 1))
    points[0], points[1], points[2] = (40, 55), (80, 20), (60, 90)
    eyes = np.array([[46, 41], [74, 41]])
    points[[36, 45]] = eyes
    picture = np.zeros((128, 128), np.uint8)
    for x, y in eyes:
        picture[y - 2 : y + 2, x - 2 : x + 2] = 240
    colour = np.stack([picture, np.zeros_like(picture), picture], axis=2)
    for given in (picture, colour):
        found = task.crops(made(given[None]), points[None], 50)
        assert found.images.shape == (1, 50, 50, *given.shape[2:])
        expected = (eyes - [10, 5]) / 2
        assert_allclose(found.landmarks[0, [36, 45]], expected, atol=1e-4)
        shown = np.atleast_3d(found.images[0])[..., 0].astype(float)
        for half, (x, y) in zip((slice(0, 25), slice(25, 50)), expected, strict=True):
            down, across = np.indices(shown.shape)[:, :, half] + 0.5
            weight = shown[:, half] / shown[:, half].sum()
            assert ((across * weight).sum(), (down * weight).sum()) == pytest.approx((x, y), abs=0.1)


def test_right_landmarks_go_through_the_window_of_the_wrong_ones(rng):
    true = rng.uniform(20, 40, (3, 68, 2)).astype(np.float32)
    wrong = true * 1.2 - 3
    pictures = rng.integers(0, 256, (3, 64, 64), dtype=np.uint8)
    by_true, by_wrong = (task.crops(made(pictures, true=true), points, 32) for points in (true, wrong))
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
    out = task.train_alignment(track, task.alignment_settings(learn), 0, tmp_path / "run.ckpt")
    untrained = task.network(parts, learn, 0)
    seen = task.crops(parts, parts.original, 32)
    before = task.locate(untrained, parts, seen.images)[parts.test]
    true = torch.from_numpy(parts.true[parts.test])
    error = nme(torch.from_numpy(before), true).numpy()
    assert out["nme"].shape == (len(parts.test), 2)
    assert out["nme"][:, 1].mean() < 0.7 * error.mean()
    of_original = nme(torch.from_numpy(parts.original[parts.test]), true).numpy()
    assert_allclose(out["nme"][:, 0], of_original, rtol=1e-5)
    found = nme(torch.from_numpy(out["landmarks"][parts.test]), true).numpy()
    assert_allclose(out["nme"][:, 1], found, rtol=1e-5)
    untrained.fan.load_state_dict(
        {k.removeprefix("fan."): torch.from_numpy(v) for k, v in out.items() if k.startswith("fan.")}
    )
    assert_allclose(task.locate(untrained, parts, seen.images), out["landmarks"], atol=1e-3)


# training


@pytest.mark.parametrize("settings", [RESNET, SETTINGS])
def test_valence_arousal_and_categories_are_learnt(on, train, rng, settings):
    """Valence is how bright the upper half is, arousal the lower; bright above is happy."""
    affect = (rng.choice([-1, 1], (110, 2)) * rng.uniform(0.4, 0.9, (110, 2))).astype(np.float32)
    images = np.repeat(128 + 110 * affect, 24, axis=1)[:, :, None].repeat(48, axis=2).astype(np.uint8)
    happy = (affect[:, 0] > 0).astype(np.int8)
    track = on(images=images, affect=affect, ratings=None, expression=happy)
    out = train(
        track,
        of=settings,
        schedule=SCHEDULE | {"epochs": 20, "batch": 16},
        landmarks="original",
        teaches=True,
    )
    test = task.problem(track).test
    assert metrics.ccc(out["affect"], affect[test]).min() > 0.5
    assert (out["logits"].argmax(axis=1) == happy[test]).mean() > 0.7
    known = task.problem(track).train
    assert (out["train"].argmax(axis=1) == happy[known]).mean() > 0.7


def test_landmarks_of_each_kind(on):
    track = on()
    found = task.landmarks_of(track, SETTINGS | {"landmarks": "FAN"})
    learnt = product(task.alignment(track, SETTINGS))
    assert_array_equal(found, learnt["landmarks"])
    assert_array_equal(task.landmarks_of(track, SETTINGS), task.problem(track).original)
    with pytest.raises(ValueError, match="landmarks must be original or FAN; got 'true'"):
        task.landmarks_of(track, SETTINGS | {"landmarks": "true"})


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
    hot = train(on(), of=taught, distil="replaces", temperature=4.0)
    assert (hot["logits"] != out["replaces", False]["logits"]).any()


# prediction


@pytest.mark.parametrize("settings", [SETTINGS, RESNET])
def test_predictions_are_means_over_the_picture_and_its_mirror_image(on, rng, settings):
    model = task.network(task.problem(on()), settings, 0)
    images = rng.integers(0, 256, (9, 32, 32), dtype=np.uint8)
    affect, logits = task.predict(model, images)
    model.eval()
    x = torch.from_numpy(images).unsqueeze(1).float() / 255
    with torch.inference_mode():
        both = [
            task.outputs(model, view)
            for view in (x, torch.from_numpy(images[:, :, ::-1].copy())[:, None] / 255)
        ]
    assert_allclose(logits, (both[0].logits + both[1].logits) / 2, atol=1e-4)
    assert_allclose(affect, ((both[0].affect + both[1].affect) / 2).clamp(-1, 1), atol=1e-4)
    assert (both[0].logits - both[1].logits).abs().max() > 1e-3
    for other in (task.predict(model, images[:, :, ::-1]), task.predict(model, images, batch=2)):
        assert_allclose(other[0], affect, atol=1e-5)
        assert_allclose(other[1], logits, atol=1e-4)
