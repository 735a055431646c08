"""EmoFAN's structure, freezing, and the way from landmarks to heatmaps and back."""

import copy

import numpy as np
import pytest
import torch
from torch.optim.swa_utils import update_bn

from paperlib.models.emofan import EmoFAN, freeze_alignment, landmarks_from_heatmaps, nme, target_heatmaps


def compact(**options) -> EmoFAN:
    return EmoFAN(**({"classes": 8, "width": 16, "depth": 3, "size": 64} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 6}, "classes must be one of 8, 7, 5, .* got classes=6"),
        ({"size": 80}, r"size a multiple of 4 \* 2\^depth; got .* depth=3, .* size=80"),
        ({"size": 0}, "size=0"),
        ({"width": 24}, "width a multiple of 16, .* width=24"),
        ({"depth": 0}, "depth and modules 1 or more.* depth=0"),
    ],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        compact(**options)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"must be \(n, 3, 64, 64\).*got \(1, 3, 96, 96\)"):
        compact()(torch.zeros(1, 3, 96, 96))


def test_frozen_alignment_does_not_move():
    """Neither by gradient, nor by weight decay, nor by batch statistics, in training mode or recomputed."""
    model = compact()
    freeze_alignment(model)
    before = copy.deepcopy(model.state_dict())
    model.train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.1, weight_decay=0.1)
    images = torch.rand(4, 3, 64, 64)
    model(images).affect.square().sum().backward()
    optimiser.step()
    update_bn([images], model)
    for name, tensor in model.state_dict().items():
        if name.startswith("fan."):
            assert torch.equal(tensor, before[name]), name
    assert not torch.equal(model.head.reduce.weight, before["head.reduce.weight"])


@pytest.mark.parametrize("sigma", [0.7, 1.0, 1.5])
def test_landmarks_come_back_from_their_gaussians(rng, sigma):
    true = torch.from_numpy(rng.uniform(6, 58, size=(5, 68, 2)))
    maps = target_heatmaps(true, size=64, heatmap_size=16, sigma=sigma)
    torch.testing.assert_close(
        landmarks_from_heatmaps(maps, size=64), true, atol=1e-3, rtol=0, check_dtype=False
    )


def test_a_gaussian_by_hand():
    landmarks = torch.tensor([[[10.0, 30.0]]])  # cells 2.5 and 7.5: the centres of columns 2 and rows 7
    maps = target_heatmaps(landmarks, size=64, heatmap_size=16, sigma=2.0)
    assert maps.shape == (1, 1, 16, 16)
    assert maps[0, 0, 7, 2] == 1
    assert maps[0, 0, 7, 5].item() == pytest.approx(np.exp(-9 / 8))
    assert maps[0, 0, 9, 1].item() == pytest.approx(np.exp(-5 / 8))


def test_maps_without_a_summit_give_points_in_the_picture():
    maps = torch.stack([torch.zeros(68, 8, 8), -torch.rand(68, 8, 8), torch.eye(8).expand(68, 8, 8) * 9])
    points = landmarks_from_heatmaps(maps, size=32)
    assert ((points >= 0) & (points <= 32)).all()


def test_nme_by_hand():
    true = torch.zeros(1, 68, 2)
    true[0, 45] = torch.tensor([3.0, 4.0])  # a box of 3 by 4
    predicted = true + torch.tensor([0.6, 0.8])  # each point is off by 1
    assert nme(predicted, true).tolist() == pytest.approx([1 / 12**0.5])
