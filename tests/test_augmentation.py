import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from paperlib.augmentation import AUGMENTATIONS, SHIFT, augment, warp
from paperlib.models.backbones import build_backbone


def test_the_plain_augmentation_only_mirrors_and_moves():
    picture = torch.rand(1, 2, 6, 5)
    padded = [F.pad(p, [SHIFT] * 4, mode="replicate") for p in (picture, picture.flip(3))]
    ways = range(2 * SHIFT + 1)
    moved = [p[:, :, y : y + 6, x : x + 5] for p in padded for y in ways for x in ways]
    drawn = augment(picture.expand(2000, -1, -1, -1))
    which = (drawn.unsqueeze(1) == torch.cat(moved)).all(dim=(2, 3, 4))
    assert (which.sum(dim=1) == 1).all()
    assert which.any(dim=0).all()  # each of the 98 ways was drawn


def test_a_warp_of_nothing_is_the_picture_or_its_mirror_image():
    x = torch.rand(40, 2, 7, 5)
    y = warp(x, turn=0, zoom=0, move=0)
    is_same, is_mirrored = ((y - other).abs().amax(dim=(1, 2, 3)) < 1e-5 for other in (x, x.flip(3)))
    assert (is_same ^ is_mirrored).all() and is_same.any() and is_mirrored.any()
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_moves_turns_and_zooms_are_as_large_as_they_say(monkeypatch):
    # every amount is drawn as the largest, and nothing is mirrored
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(1.0))
    monkeypatch.setattr(torch, "rand", lambda n, device=None: torch.full((n,), 0.9))
    x = torch.zeros(2, 1, 16, 16)
    x[..., 4:12, 4:12] = torch.arange(1, 9)
    assert_close(warp(x, turn=0, zoom=0, move=1 / 16)[..., :-1, :-1], x[..., 1:, 1:])
    assert_close(warp(x, turn=90, zoom=0, move=0), x.rot90(1, (2, 3)))
    assert_close(warp(x, turn=0, zoom=1.0, move=0).sum(), x.sum() / 4)  # 8 x 8 became 4 x 4


def test_what_is_drawn_stays_within_the_largest_amounts():
    x = torch.zeros(500, 1, 48, 48)
    x[..., 24, 24] = 1  # a point near the middle of 48 pixels, which a turn hardly moves
    y = warp(x, turn=8, zoom=0, move=2 / 48)
    rows, columns = (y.amax(dim=(1, d)).argmax(dim=1) for d in (3, 2))
    assert (rows - 23.5).abs().max() <= 3.5 and (columns - 23.5).abs().max() <= 3.5
    assert (y.amax(dim=(1, 2, 3)) > 0.2).all()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_repeats_with_the_seed(name):
    x = torch.rand(4, 1, 48, 48)
    torch.manual_seed(1)
    first = AUGMENTATIONS[name](x)
    torch.manual_seed(1)
    assert torch.equal(first, AUGMENTATIONS[name](x))
    assert not torch.equal(first, AUGMENTATIONS[name](x))


def test_a_picture_seen_both_ways_is_its_mirror_image_to_the_network():
    torch.manual_seed(0)
    backbone, _ = build_backbone("tiny_resnet", channels=1, mirrored=True)
    plain, _ = build_backbone("tiny_resnet", channels=1)
    plain.load_state_dict(backbone.state_dict())
    x = torch.rand(3, 1, 16, 16)
    backbone.eval(), plain.eval()
    assert_close(backbone(x), backbone(x.flip(3)))
    assert_close(backbone(x), (plain(x) + plain(x.flip(3))) / 2)
    backbone.train(), plain.train()
    assert_close(backbone(x), plain(x))  # training sees each picture once
