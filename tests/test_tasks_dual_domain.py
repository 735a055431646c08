"""What each run is given to learn from, and that it learns it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from paperlib.data.records import FaceSet
from paperlib.fusion import fit_label_parameters, posterior
from paperlib.labels import EXPRESSIONS
from paperlib.tasks import dual_domain as task
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

N = 240
PLACES = np.array([CIRCUMPLEX[e] for e in EXPRESSIONS], np.float32)
SETTINGS = {
    "kind": "faces",
    "labels": "consensus",
    "noise": 0.0,
    "affect": "as labelled",
    "reading": "all",
    "method": "one-hot",
    "alpha": 0.5,
    "weights": "sample",
    "l2_weighted": True,
    "backbone": "tiny_vgg",
    "pretrained": False,
    "schedule": {"epochs": 3, "batch": 32, "learning_rate": 3e-3, "optimiser": "adam"},
    "average_after": 2,
}


@pytest.fixture
def faces(rng):
    """Eight categories whose picture is a stripe at a place of its own, rated by four people near its point."""
    label = np.arange(N) % 8
    images = rng.integers(0, 60, (N, 16, 16)).astype(np.uint8)
    for i, k in enumerate(label):
        images[i, 2 * k : 2 * k + 2] += 150
    ratings = (PLACES[label][:, None] + rng.normal(0, 0.05, (N, 4, 2))).clip(-1, 1).astype(np.float32)
    return FaceSet(
        name="stripes",
        images=images,
        affect=ratings.mean(axis=1),
        split=np.array(["train", "train", "train", "validation", "test"])[np.arange(N) // 8 % 5],
        fingerprint="stripes",
        expression=label.astype(np.int8),
        original=np.where(np.arange(N) % 5 == 0, (label + 1) % 8, label).astype(np.int8),
        ratings=ratings,
        votes=(4 * np.eye(8)[label]).astype(np.int16),
        subject=(np.arange(N) // 40).astype(str),
    )


@pytest.fixture
def on(faces, monkeypatch):
    """A track whose faces and videos are those above, with fields changed."""

    def make(name="twin", profile="paper", **changes) -> Track:
        changed = replace(faces, **changes)
        without = replace(changed, expression=None, original=None, ratings=None, votes=None)
        monkeypatch.setattr(
            Track, "of_kind", lambda self, kind: {"faces": changed, "videos": without}.get(kind)
        )
        task.problem.cache_clear()
        return Track(name=name, root="nowhere", profile=profile)

    yield make
    task.problem.cache_clear()


# the parts


def test_one_rater_s_place_is_one_of_the_ratings_and_not_always_the_same_rater_s(on, faces):
    rater = task.problem(on(), "faces").rater
    which = (faces.ratings == rater[:, None]).all(axis=2)
    assert which.any(axis=1).all()
    assert len(set(which.argmax(axis=1))) == 4


def test_videos_are_labelled_by_the_parameters_of_the_faces(on, faces):
    track = on()
    parts = task.problem(track, "videos")
    rows = task.problem(track, "faces").train
    mine = fit_label_parameters(
        faces.affect[rows], faces.expression[rows].astype(int), classes=EXPRESSIONS, source="mine"
    )
    np.testing.assert_array_equal(parts.label, posterior(mine, faces.affect).argmax(axis=1))
    assert parts.natural is None and parts.parameters.n == len(rows)
    settings = {**SETTINGS, "kind": "videos"}
    assert repr(task.label_parameters(track, settings, 0)) == repr(parts.parameters)


def test_aff_wild_asks_for_the_parameters_and_takes_those_that_were_saved(on, faces, tmp_path):
    track = replace(on("affwild"), root=str(tmp_path))
    with pytest.raises(FileNotFoundError, match="label_parameters.json, which reproducing neo2023 on track"):
        task.problem(track, "videos")
    mine = fit_label_parameters(
        faces.affect,
        faces.expression.astype(int),
        classes=EXPRESSIONS,
        source="elsewhere",
        reading="distance",
    )
    mine.save(tmp_path / task.PARAMETERS)
    assert task.problem(track, "videos").parameters.source == "elsewhere"


def test_a_track_without_categories_or_faces_says_so(on):
    with pytest.raises(ValueError, match="track manifest has no categories"):
        task.problem(on("manifest", expression=None, original=None), "faces")
    with pytest.raises(ValueError, match="track twin has no morphs"):
        task.problem(on(), "morphs")


def test_on_ferplus_one_half_of_the_raters_labels_and_the_other_judges(on, rng):
    votes = rng.multinomial(10, [0.3, 0.3, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05], size=N).astype(np.int16)
    original = (np.arange(N) % 7).astype(np.int8)
    track = on("ferplus", votes=votes, original=original)
    parts = task.problem(track, "faces")
    ours, theirs = task.split_votes(votes, seed=0)
    first = theirs[:, :7]
    sole = (first == first.max(axis=1, keepdims=True)).sum(axis=1) == 1
    np.testing.assert_array_equal(parts.label, first[sole].argmax(axis=1))
    np.testing.assert_allclose(parts.affect, ours[sole] @ PLACES / 5, atol=1e-6)
    np.testing.assert_allclose(parts.judged, theirs[sole] @ PLACES / 5, atol=1e-6)
    shares = ours[sole][:, :7]
    np.testing.assert_allclose(parts.votes, shares / shares.sum(axis=1, keepdims=True))
    np.testing.assert_array_equal(parts.natural, original[sole])
    assert parts.excluded["no sole winner in the second half of the raters"] == (~sole).sum()


# what is learnt from


def test_flips_are_exact_and_natural_labels_are_the_first(on, faces):
    track = on()
    given, right = task.training_labels(track, SETTINGS | {"noise": 0.25}, 3)
    assert (given != right).sum() == round(0.25 * len(right))
    natural, right = task.training_labels(track, SETTINGS | {"labels": "natural"}, 3)
    rows = task.problem(track, "faces").train
    np.testing.assert_array_equal(natural, faces.original[rows])
    np.testing.assert_array_equal(right, faces.expression[rows])
    with pytest.raises(ValueError, match="knows no first label of its videos"):
        task.training_labels(track, SETTINGS | {"labels": "natural", "kind": "videos"}, 0)


def test_a_place_that_goes_with_the_label_is_one_of_the_label_s(on, faces):
    track = on()
    settings = SETTINGS | {"noise": 0.5, "affect": "goes with the label"}
    given, right = task.training_labels(track, settings, 1)
    affect = task.training_affect(track, settings, 1)
    rows = task.problem(track, "faces").train
    np.testing.assert_array_equal(affect[given == right], faces.affect[rows][given == right])
    for i in np.flatnonzero(given != right):
        assert (affect[i] == faces.affect[rows][right == given[i]]).all(axis=1).any()


def test_unknown_places_are_refused(on):
    with pytest.raises(ValueError, match="affect must be as labelled"):
        task.training_affect(on(), SETTINGS | {"affect": "guessed"}, 0)


@pytest.mark.parametrize(
    "method, expected",
    [("one-hot", 1.0), ("label smoothing", 0.9 + 0.1 / 8), ("Euclid", None), ("GMM", None), ("votes", 1.0)],
)
def test_targets_are_distributions_with_at_least_half_for_the_given_label(on, method, expected):
    track = on()
    settings = SETTINGS | {"method": method}
    given, _ = task.training_labels(track, settings, 0)
    target = task.targets(track, settings, 0)
    np.testing.assert_allclose(target.sum(axis=1), 1, atol=1e-6)
    own = target[np.arange(len(given)), given]
    assert (own >= 0.5 - 1e-6).all()
    if expected:
        np.testing.assert_allclose(own, expected, atol=1e-6)


def test_smoothing_as_soft_leaves_the_label_as_much_as_fusion_and_the_rest_evenly(on):
    track = on()
    given, _ = task.training_labels(track, SETTINGS, 0)
    fused, soft = (task.targets(track, SETTINGS | {"method": m}, 0) for m in ("Euclid", "smoothing as soft"))
    own = np.eye(8, dtype=bool)[given]
    np.testing.assert_allclose(soft[own], fused[own].mean(dtype=float), rtol=1e-5)
    np.testing.assert_allclose(soft[~own], (1 - soft[own].mean(dtype=float)) / 7, rtol=1e-5)


def test_weights_by_sample_and_none():
    given = np.array([0, 0, 0, 1])
    np.testing.assert_array_equal(task._weights(given, 2, "sample"), [[1, 1], [1, 1], [1, 1], [3, 3]])
    np.testing.assert_array_equal(task._weights(given, 2, "none"), np.ones((4, 2)))
    with pytest.raises(ValueError, match="weights must be sample or none"):
        task._weights(given, 2, "some")


# runs


def test_a_run_gives_distributions_places_and_maps_and_the_same_twice(on, tmp_path):
    track = on()
    settings = SETTINGS | {"method": "GMM"}
    parts = task.problem(track, "faces")
    out, again = (task.train(track, settings, 0, tmp_path / f"{name}.ckpt") for name in "ab")
    assert out["validation"].shape == (len(parts.validation), 8)
    assert out["affect"].shape == (len(parts.test), 2)
    np.testing.assert_allclose(np.exp(out["log_probability"].astype(float)).sum(axis=1), 1, atol=0.01)
    assert out["attention"].shape[0] == len(task.explained(parts)) and (out["attention"] >= 0).all()
    for name in out:
        np.testing.assert_array_equal(out[name], again[name])


def test_grad_cam_of_a_linear_network_is_its_class_s_weighted_map(rng):
    """By hand: with average pooling, Grad-CAM is the rectified map times the class's weights."""
    body = torch.nn.Sequential(*[torch.nn.Conv2d(1 if i == 0 else 2, 2, 1) for i in range(4)])
    with torch.no_grad():
        for layer in body:
            layer.weight.fill_(0.0)
            for k in range(2):
                layer.weight[k, min(k, layer.in_channels - 1)] = 1.0
            layer.bias.zero_()
    backbone = torch.nn.Sequential(*body, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten())
    model = task.DualDomainNet(backbone, 2, classes=2)
    with torch.no_grad():
        model.classifier.weight.copy_(torch.tensor([[2.0, 0.0], [0.0, -1.0]]))
    images = rng.integers(0, 256, (3, 6, 6)).astype(np.uint8)
    x = (images / 255 - 0.5) / 0.25
    found = task.attention(model, images, np.array([0, 0, 1]))
    expected = np.stack([2 * x[0], 2 * x[1], -x[2]]).clip(min=0) / 36
    np.testing.assert_allclose(found, expected, atol=1e-5)
