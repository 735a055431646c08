"""What toisoul2021's networks are given to learn from, and that they learn it as the settings say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from torch import nn

from paperlib import losses, metrics
from paperlib.asked import product
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Run, run_missing
from paperlib.models.dual_domain import DualDomainNet
from paperlib.models.emofan import EmoFAN, nme, target_heatmaps
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


def test_without_raters_and_categories_the_label_is_the_set_s_own(on, portraits):
    parts = task.problem(on(ratings=None, expression=None))
    assert_array_equal(parts.affect, portraits.affect)
    assert_array_equal(parts.label, -1)


def test_the_twin_s_landmarks_err_by_the_stated_share_and_the_right_ones_are_kept(on):
    faces = make_faces(1, seed=4, size=48)
    n = 4_000
    right = np.repeat(faces.landmarks, n, axis=0)
    truth = replace(
        faces.truth,
        affect=np.zeros((n, 2), np.float32),
        variance=np.ones((n, 2), np.float32),
        mislabelled=np.zeros(n, bool),
    )
    parts = task.problem(
        on(
            images=np.zeros((n, 8, 8), np.uint8),
            landmarks=right,
            truth=truth,
            affect=truth.affect,
            split=np.array(["train"] * n),
            ratings=None,
            expression=None,
        )
    )
    assert_array_equal(parts.true, right)
    box = np.ptp(right[0], axis=0).mean()
    moved = (parts.original - right).mean(axis=1) / box
    assert_allclose(moved.mean(axis=0), 0, atol=0.005)
    assert_allclose(moved.std(axis=0), task.OLD_DETECTOR, rtol=0.05)
    centred = right[0] - right[0].mean(axis=0)
    wrong = parts.original - parts.original.mean(axis=1, keepdims=True)
    size = (wrong * centred).sum(axis=(1, 2)) / np.square(centred).sum()
    assert size.mean() == pytest.approx(1, abs=0.005)
    assert size.std() == pytest.approx(task.OLD_DETECTOR, rel=0.1)
    left = (wrong - size[:, None, None] * centred) / box
    assert left.std() == pytest.approx(task.OLD_DETECTOR / 3, rel=0.05)


def test_landmarks_of_people_are_taken_as_right(on, portraits):
    parts = task.problem(on("affectnet", truth=None))
    assert parts.true is None
    assert_array_equal(parts.original, portraits.landmarks)


def test_nobody_is_in_two_splits(on, portraits):
    parts = task.problem(on())
    rows = (parts.train, parts.validation, parts.test)
    assert sum(map(len, rows)) == len(portraits)
    people = [set(portraits.subject[r]) for r in rows]
    assert not (people[0] & people[1] or people[0] & people[2] or people[1] & people[2])


def test_a_tenth_of_training_validates_where_no_split_does_and_faces_without_affect_go(on, portraits):
    affect = portraits.affect.copy()
    affect[::5] = np.nan
    split = np.where(np.arange(110) < 80, "train", "test")
    parts = task.problem(on(affect=affect, ratings=None, split=split))
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (58, 6, 24)
    every = np.concatenate([parts.train, parts.validation, parts.test])
    assert len(set(every)) == 88 and np.isfinite(parts.affect[every]).all()
    assert (np.diff(parts.train) > 0).all() and set(parts.validation) < set(range(80))


def test_a_profile_says_how_many_people_s_faces_it_learns_from(on, monkeypatch):
    monkeypatch.setitem(task.MOST, "smoke", (20, 5))
    whole, part = task.problem(on()), task.problem(on("affectnet"))
    assert (len(part.train), len(part.validation)) == (20, 5)
    assert set(part.train) < set(whole.train) and set(part.validation) < set(whole.validation)
    assert_array_equal(part.test, whole.test)
    assert part.fingerprint != whole.fingerprint
    every = task.problem(on("affectnet", profile="paper"))
    assert_array_equal(every.train, whole.train)


def test_a_track_without_faces_or_without_affect_says_so(on, portraits, monkeypatch):
    with pytest.raises(ValueError, match="track twin has no faces with valence and arousal"):
        task.problem(on(affect=np.full_like(portraits.affect, np.nan)))
    monkeypatch.setattr(Track, "of_kind", lambda self, kind: None)
    with pytest.raises(ValueError, match="track sewa has no faces with valence and arousal"):
        task.problem(Track(name="sewa", root="x"))


# crops


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


@pytest.mark.parametrize("shape", [(5, 48, 64), (5, 48, 48, 3), (5, 16, 16)])
def test_pictures_as_given_are_scaled_as_pillow_does(rng, shape):
    pictures = rng.integers(0, 256, shape, dtype=np.uint8)
    found = task.crops(made(pictures), None, 32)
    assert found.landmarks is None and found.images.dtype == np.uint8
    expected = [Image.fromarray(p).resize((32, 32), Image.Resampling.BILINEAR) for p in pictures]
    assert_allclose(found.images.astype(int), np.stack([np.asarray(p) for p in expected]).astype(int), atol=1)


def test_landmarks_are_found_in_the_pixels_of_the_pictures(on):
    """A network that draws every heatmap where it belongs in the crop."""
    parts = task.problem(on())
    seen = task.crops(parts, parts.original, 32)

    class Perfect(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def alignment(self, x):
            points = torch.from_numpy(seen.landmarks)
            return [torch.zeros(1), target_heatmaps(points, size=32, heatmap_size=16, sigma=1.0)]

    found = task.locate(Perfect(), parts, seen.images)
    inside = ((seen.landmarks > 2) & (seen.landmarks < 30)).all(axis=2)  # a cell at the border stays
    assert inside.mean() > 0.7
    assert_allclose(found[inside], parts.true[inside], atol=0.02)


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
    error = nme(torch.from_numpy(before), true, by="box").numpy()
    assert out["nme"].shape == (len(parts.test), 2)
    assert out["nme"][:, 1].mean() < 0.7 * error.mean()
    of_original = nme(torch.from_numpy(parts.original[parts.test]), true, by="box").numpy()
    assert_allclose(out["nme"][:, 0], of_original, rtol=1e-5)
    found = nme(torch.from_numpy(out["landmarks"][parts.test]), true, by="box").numpy()
    assert_allclose(out["nme"][:, 1], found, rtol=1e-5)
    untrained.fan.load_state_dict(
        {k.removeprefix("fan."): torch.from_numpy(v) for k, v in out.items() if k.startswith("fan.")}
    )
    assert_allclose(task.locate(untrained, parts, seen.images), out["landmarks"], atol=1e-3)


def test_people_s_landmarks_are_learnt_without_an_error_to_tell(on, tmp_path):
    track = on("affectnet", truth=None, images=np.stack([make_faces(1, seed=1, size=48).images[0]] * 110))
    out = task.train_alignment(track, task.alignment_settings(SETTINGS), 0, tmp_path / "run.ckpt")
    assert "nme" not in out and out["landmarks"].shape == (110, 68, 2)


def test_one_alignment_serves_every_row_and_seed_and_ferplus_takes_the_twin_s(on):
    track = on()
    run = task.alignment(track, SETTINGS)
    assert run.seed == 0 and run.track == track and run.data == task.problem(track).fingerprint
    changed = SETTINGS | {"attention": False, "loss": "MSE", "landmarks": "FAN", "frozen": False}
    assert Run.of(task.alignment(track, changed)).identity == Run.of(run).identity
    assert Run.of(task.alignment(track, SETTINGS | {"size": 64})).identity != Run.of(run).identity
    people = on("ferplus", landmarks=None)
    assert task.alignment(people, SETTINGS).track == Track(profile="smoke")


# training


@pytest.fixture
def trained(monkeypatch):
    """The networks that were trained, in order."""
    networks, predict = [], task.predict

    def spy(model, images, **kwargs):
        if not networks or networks[-1] is not model:
            networks.append(model)
        return predict(model, images, **kwargs)

    monkeypatch.setattr(task, "predict", spy)
    return networks


def test_frozen_alignment_keeps_weights_and_statistics_and_another_does_not(on, train, trained):
    track = on()
    learnt = product(task.alignment(track, SETTINGS))
    train(track)
    train(track, frozen=False)
    for model, frozen in zip(trained, (True, False), strict=True):
        changed = {
            name
            for name, v in model.fan.state_dict().items()
            if "num_batches" not in name and not np.array_equal(v.numpy(), learnt[f"fan.{name}"])
        }
        if frozen:
            assert not changed
        else:
            assert any("running_mean" in n for n in changed) and any(
                "convolution.weight" in n for n in changed
            )
    start = task.network(task.problem(track), SETTINGS, 0).head.state_dict()
    assert any(not torch.equal(v, start[k]) for k, v in trained[0].head.state_dict().items())


def test_the_networks_of_the_settings(on):
    parts = task.problem(on())
    resnet = task.network(parts, RESNET, 0)
    assert isinstance(resnet, DualDomainNet) and resnet.classifier.out_features == 8
    for attention in (True, False):
        model = task.network(parts, SETTINGS | {"attention": attention}, 0)
        assert isinstance(model, EmoFAN) and model.attention == attention and model.size == 32
    first, same, other = (task.network(parts, RESNET, s).classifier.weight for s in (3, 3, 4))
    assert torch.equal(first, same) and not torch.equal(first, other)
    colour = replace(parts, pictures=np.zeros((2, 48, 48, 3), np.uint8))
    x = torch.rand(2, 3, 32, 32)
    assert task.outputs(task.network(colour, RESNET, 0), x).affect.shape == (2, 2)


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
    assert metrics.accuracy(out["logits"].argmax(axis=1), happy[test]) > 0.7
    known = task.problem(track).train
    assert metrics.accuracy(out["train"].argmax(axis=1), happy[known]) > 0.7


def test_the_same_seed_gives_the_same_bytes(on, train):
    track = on()
    first, again, other = (train(track, seed=s, loss="shake-shake") for s in (3, 3, 4))
    assert set(first) == {"affect", "logits"}  # of the training faces nothing, where nobody learns from it
    assert all(v.dtype == np.float16 for v in first.values())
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert first["affect"].tobytes() != other["affect"].tobytes()


def test_shake_shake_s_coefficients_differ_from_step_to_step_and_repeat_with_the_seed(on, train, monkeypatch):
    drawn, shaken = [], losses.shake_shake

    def spy(predicted, target, coefficients):
        drawn.append(tuple(coefficients.tolist()))
        return shaken(predicted, target, coefficients)

    monkeypatch.setattr(losses, "shake_shake", spy)
    track = on()
    for seed in (0, 0, 1):
        train(track, seed, RESNET, loss="shake-shake", schedule=SCHEDULE | {"epochs": 3})
    steps = len(drawn) // 3
    assert steps >= 6 and len(set(drawn[:steps])) == steps
    assert drawn[:steps] == drawn[steps : 2 * steps]
    assert not set(drawn[:steps]) & set(drawn[2 * steps :])
    assert all(0 <= c < 1 for three in drawn for c in three)
    assert len({c for three in drawn[:steps] for c in three}) == 3 * steps


def test_without_categories_labels_do_not_matter_and_need_not_be_there(on, train, portraits):
    with_labels = train(on(), of=RESNET, categories=False)
    without = train(on(expression=None), of=RESNET, categories=False)
    assert set(without) == {"affect", "logits"}
    assert_array_equal(with_labels["affect"], without["affect"])
    wrong = (portraits.expression + 1) % 8
    right, moved = (train(on(**e), of=RESNET) for e in ({}, {"expression": wrong.astype(np.int8)}))
    assert (right["affect"] != moved["affect"]).any()


def test_a_face_without_category_is_learnt_for_its_affect_alone(on, train, portraits):
    some = np.where(np.arange(110) % 2, portraits.expression, -1).astype(np.int8)
    out = train(on(expression=some), of=RESNET)
    assert np.isfinite(out["affect"]).all() and np.isfinite(out["logits"]).all()


@pytest.mark.parametrize("loss", ["CCC", "MSE"])
def test_rows_without_shaking_learn_by_their_one_loss(on, train, monkeypatch, loss):
    function = {"CCC": "concordance_loss", "MSE": "squared_error_sum"}
    calls = {name: 0 for name in function.values()}
    for name in calls:
        real = getattr(losses, name)

        def spy(*args, name=name, real=real):
            calls[name] += 1
            return real(*args)

        monkeypatch.setattr(losses, name, spy)
    train(on(), of=RESNET, loss=loss)
    assert [name for name, n in calls.items() if n] == [function[loss]]


def test_landmarks_of_each_kind(on):
    track = on()
    found = task.landmarks_of(track, SETTINGS | {"landmarks": "FAN"})
    learnt = product(task.alignment(track, SETTINGS))
    assert_array_equal(found, learnt["landmarks"])
    assert task.landmarks_of(track, SETTINGS | {"landmarks": "as given"}) is None
    assert_array_equal(task.landmarks_of(track, SETTINGS), task.problem(track).original)
    with pytest.raises(ValueError, match="landmarks must be original, FAN or as given; got 'true'"):
        task.landmarks_of(track, SETTINGS | {"landmarks": "true"})


# distillation


def test_a_student_s_teacher_is_the_run_of_its_seed_in_the_grid(on, monkeypatch):
    track = on()
    blocks = read_plan("toisoul2021", track)
    runs = {b.labels["trained"]: b.runs for b in blocks if b.labels["network"] == "EmoFAN"}
    asked = []

    def spy(wanted):
        asked.append(Run.of(wanted))
        return product(wanted)

    monkeypatch.setattr(task, "product", spy)
    teachers = {"F+R+C+A+D": "F+R+C+A", "F+R+C+A+S+D": "F+R+C+A+S", "F+R+C+A+D, labels replaced": "F+R+C+A"}
    order = list(runs)
    for student, teacher in teachers.items():
        assert order.index(teacher) < order.index(student)
        for run, of_its_seed in zip(runs[student], runs[teacher], strict=True):
            assert run.settings["teacher"] == of_its_seed.settings and run.seed == of_its_seed.seed
    (_, run) = runs["F+R+C+A+D"]
    (taught,) = run_missing([run], progress=False)
    trained = [r for r in asked if r.task == run.task]
    assert [r.identity for r in trained] == [runs["F+R+C+A"][1].identity]
    assert trained[0].key == runs["F+R+C+A"][1].key
    plain = product(trained[0])
    assert (taught["logits"] != plain["logits"]).any()


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


def test_who_keeps_nothing_to_learn_from_is_no_teacher(on, train):
    with pytest.raises(ValueError, match="a teacher's settings must have `teaches`"):
        train(on(), of=RESNET | {"teacher": RESNET})


def test_a_student_learns_what_its_teacher_says(on, train, monkeypatch):
    """A teacher who calls every face of the class 5."""
    track = on()
    logits = np.full((len(task.problem(track).train), 8), -2, np.float16)
    logits[:, 5] = 4
    monkeypatch.setattr(task, "product", lambda run: {"train": logits})
    more = SCHEDULE | {"epochs": 10, "batch": 16}
    out = train(track, of=RESNET | {"teacher": RESNET | {"teaches": True}}, distil="replaces", schedule=more)
    assert (out["logits"].argmax(axis=1) == 5).all()


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


def test_predicted_affect_is_cut_to_its_range():
    class Far(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Parameter(torch.zeros(1))

        def forward(self, x):
            return task.Outputs(torch.zeros(len(x), 8), torch.tensor([[1.7, -3.0]]).expand(len(x), 2))

    affect, _ = task.predict(Far(), np.zeros((2, 32, 32), np.uint8))
    assert_array_equal(affect, [[1, -1]] * 2)
