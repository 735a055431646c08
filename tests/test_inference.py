"""What a user is given: the same numbers by both engines, mirrored or not, from an array, a folder or a video."""

import copy
import sys

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from paperlib import inference
from paperlib.export import installed
from paperlib.inference import Predictor, crop_face, smooth
from paperlib.models.emofan import CLASSES, EmoFAN, freeze_alignment
from paperlib.twin.anatomy import MIRROR

WITH_OPENVINO = pytest.mark.skipif(not installed(), reason="OpenVINO is not installed")
OPENVINO = pytest.param("openvino", False, marks=WITH_OPENVINO)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def one_cache(cache, monkeypatch):
    """Networks are written for OpenVINO once."""
    monkeypatch.setattr("paperlib.files.CACHE", cache)


@pytest.fixture
def model() -> EmoFAN:
    """A compact network as it might be after training: no batch norm is the identity."""
    torch.manual_seed(0)
    model = EmoFAN(classes=7, width=16, depth=1, size=64)
    for part in model.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            part.running_mean.normal_(std=0.2)
            part.running_var.uniform_(0.5, 1.5)
            nn.init.normal_(part.weight, mean=1, std=0.5)
            nn.init.normal_(part.bias, std=0.2)
    return model.train()


@pytest.fixture
def pictures(rng) -> np.ndarray:
    return rng.integers(0, 256, size=(5, 64, 64, 3), dtype=np.uint8)


def plainly(model, pictures):
    """What the network itself says of pictures."""
    with torch.inference_mode():
        out = model.eval()(torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2) / 255)
    return out.affect.clamp(-1, 1).numpy(), out.expression.softmax(dim=1).numpy()


@pytest.mark.parametrize(("engine", "frozen"), [("torch", False), ("torch", True), OPENVINO])
def test_prediction_is_the_network_s_output_in_every_form(model, pictures, frozen, engine):
    if frozen:
        freeze_alignment(model)
    before = copy.deepcopy(model.state_dict())
    affect, probability = plainly(model, pictures)
    model.train()
    exact = Predictor(model, mirror=False, engine=engine)
    got = exact.predict(pictures)
    assert_allclose(got.affect, affect, atol=1e-5)
    assert_allclose(got.probability, probability, atol=1e-5)
    assert_array_equal(got.expression, np.array(CLASSES[7])[probability.argmax(axis=1)])
    half = Predictor(model, mirror=False, bf16=True, engine=engine).predict(pictures)
    assert_allclose(half.affect, affect, atol=0.05)
    assert_allclose(half.probability, probability, atol=0.05)
    assert model.training and all(torch.equal(model.state_dict()[name], before[name]) for name in before)


@WITH_OPENVINO
def test_both_engines_find_the_same_landmarks_in_pictures_mirrored_too(model, pictures):
    assert Predictor(model).engine == "openvino"
    one, other = (Predictor(model, engine=engine).predict(pictures) for engine in ("torch", "openvino"))
    for name in ("affect", "probability"):
        assert_allclose(getattr(one, name), getattr(other, name), atol=1e-4, rtol=0, err_msg=name)
    # an untrained network's heatmaps may have two summits that rounding tells apart
    assert (np.abs(one.landmarks - other.landmarks) <= 1e-4).mean() > 0.98


def test_without_openvino_torch_serves_and_who_asks_for_it_is_told_how_to_install_it(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert Predictor(model).engine == "torch"
    with pytest.raises(ModuleNotFoundError, match=r"pip install -e '.\[fast\]'"):
        Predictor(model, engine="openvino")
    with pytest.raises(ValueError, match="engine must be one of openvino, torch; got 'onnx'"):
        Predictor(model, engine="onnx")


def test_a_picture_and_its_mirror_image_agree(model, pictures):
    predictor = Predictor(model)
    one, other = predictor.predict(pictures), predictor.predict(pictures[:, :, ::-1])
    assert_allclose(one.affect, other.affect, atol=1e-5)
    assert_allclose(one.probability, other.probability, atol=1e-5)
    assert_allclose(one.landmarks, other.landmarks[:, MIRROR] * (-1, 1) + (64, 0), atol=1e-3)
    both = [plainly(model, view)[0] for view in (pictures, pictures[:, :, ::-1])]
    assert_allclose(one.affect, np.mean(both, axis=0), atol=1e-4)
    alone = Predictor(model, mirror=False)
    assert np.abs(alone.predict(pictures).affect - alone.predict(pictures[:, :, ::-1]).affect).max() > 1e-3


def test_landmarks_are_in_pixels_of_the_picture_given(model, pictures, monkeypatch):
    found = torch.rand(5, 68, 2) * 64
    monkeypatch.setattr(inference, "landmarks_from_heatmaps", lambda maps, *, size: found)
    wide = np.repeat(np.repeat(pictures, 2, axis=1), 3, axis=2)
    for given, scale in ((pictures, (1, 1)), (wide, (3, 2))):
        got = Predictor(model, mirror=False, batch=5).predict(given)
        assert_allclose(got.landmarks, found * torch.tensor(scale), rtol=1e-6)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 64, 64, 3)), "got float64"),
        (np.zeros((64, 64), np.uint8), "must be uint8"),
        (np.zeros((40, 30, 3), np.uint8), r"\(40, 30, 3\); of one picture, give picture\[None\]"),
        (np.zeros((40, 30, 4), np.uint8), "must be uint8"),
        (["face.png"], "or a list of .*; got str"),
        (torch.zeros(2, 64, 64, 3), "got torch.float32"),
        ([], "got list"),
        (np.zeros((2, 3, 64, 64), np.uint8), "must be uint8"),
        (np.zeros((0, 64, 64), np.uint8), r"got uint8 \(0, 64, 64\)"),
    ],
)
def test_what_is_no_array_of_pictures_is_refused(model, images, message):
    with pytest.raises(ValueError, match=message):
        Predictor(model).predict(images)
    with pytest.raises(ValueError, match="batch must be at least 1; got 0"):
        Predictor(model, batch=0)


def test_a_list_of_pictures_of_many_sizes_gives_what_each_gives(model, pictures):
    given = [pictures[0], pictures[1][:50, :40], pictures[2][..., 0]]
    predictor = Predictor(model, batch=2)
    got = predictor.predict(given)
    for row, picture in enumerate(given):
        assert_allclose(got.affect[row], predictor.predict(picture[None]).affect[0], atol=1e-5)
    assert_allclose(predictor.predict_video(given).affect, smooth(got.affect), atol=1e-5)


def test_smoothing_by_hand():
    values = np.array([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0]])
    weights = [0.1, 0.1, 0.15, 0.25, 0.4]
    expected = [np.average(values[max(i - 4, 0) : i + 1, 0], weights=weights[-i - 1 :]) for i in range(6)]
    assert_allclose(smooth(values)[:, 0], expected, rtol=1e-6)


def test_a_crop_moves_pixels_as_it_moves_points():
    """A ramp of brightness is read at the place that the window names, and black lies outside."""
    picture = np.broadcast_to(np.arange(200, dtype=np.uint8), (200, 200))
    points = np.zeros((68, 2)) + (30, 100)
    points[0], points[1] = (0, 55), (60, 145)
    crop, window = crop_face(picture, points, size=75)
    centres = np.stack([np.arange(75) + 0.5, np.full(75, 37.5)], axis=1)
    at = window.to_picture(centres)[:, 0]
    inner = at > 3
    assert_allclose(crop[37, inner], at[inner] - 0.5, atol=1)
    assert (crop[:, at < -3] == 0).all() and (at < -3).sum() > 10


OFF = [np.eye(68, 2) * 50 - 900, np.eye(68, 2) * 60 + (95, 10), np.eye(68, 2) * (1, 0.75)]


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.full((68, 2), np.nan), *OFF])
def test_landmarks_that_mark_no_face_are_refused(points):
    with pytest.raises(ValueError, match="mark no face in a picture of 100 x 80 pixels"):
        crop_face(np.zeros((80, 100), np.uint8), points, size=64)
