import math

import pytest
import torch
from torch.testing import assert_close

from paperlib.augmentation import AUGMENTATIONS, Warp, augment
from paperlib.models.backbones import build_backbone
from paperlib.training import Schedule


def fixed(monkeypatch, *, drawn=0.0, mirror=False):
    """Every amount is drawn as this share of the largest."""
    monkeypatch.setattr(torch.Tensor, "uniform_", lambda self, low, high: self.fill_(drawn))
    monkeypatch.setattr(torch, "rand", lambda n, device=None: torch.full((n,), 0.0 if mirror else 0.9))


def test_the_default_draws_what_it_always_drew():
    x = torch.rand(6, 1, 8, 8)
    schedule = Schedule(epochs=1, batch=2, learning_rate=1.0)
    torch.manual_seed(5)
    before = augment(x)
    torch.manual_seed(5)
    assert torch.equal(schedule.augmented(x), before)


def test_an_unknown_augmentation_is_refused():
    with pytest.raises(ValueError, match="augment must be one of"):
        Schedule(epochs=1, batch=2, learning_rate=1.0, augment="strong")


def test_a_warp_of_nothing_is_the_picture_or_its_mirror_image():
    x = torch.rand(40, 2, 7, 5)
    y = Warp()(x)
    is_same, is_mirrored = ((y - other).abs().amax(dim=(1, 2, 3)) < 1e-5 for other in (x, x.flip(3)))
    assert (is_same ^ is_mirrored).all() and is_same.any() and is_mirrored.any()
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_a_smaller_picture_is_cut_out_at_the_same_scale(monkeypatch):
    """Across the largest way to the right and down: the last 6 of 8 pixels."""
    x = torch.rand(3, 1, 8, 8)
    fixed(monkeypatch, drawn=1.0)
    assert_close(Warp(size=6 / 8)(x), x[:, :, 2:, 2:])
    fixed(monkeypatch, drawn=-1.0)
    assert_close(Warp(size=6 / 8)(x), x[:, :, :6, :6])


def test_moves_turns_and_light_are_as_large_as_they_say(monkeypatch):
    x = torch.rand(2, 1, 8, 8)
    fixed(monkeypatch, drawn=1.0)
    assert_close(Warp(move=1 / 8)(x)[..., :-1, :-1], x[..., 1:, 1:])
    assert_close(Warp(turn=90)(x), x.rot90(1, (2, 3)))
    assert_close(Warp(light=0.2)(x), 1.2 * x + 0.2)


def test_a_zoom_of_two_shows_twice_as_much(monkeypatch):
    fixed(monkeypatch, drawn=1.0)
    x = torch.zeros(1, 1, 16, 16)
    x[..., 4:12, 4:12] = 1
    assert math.isclose(Warp(zoom=1.0)(x).sum().item(), 16, rel_tol=1e-4)  # 8 x 8 became 4 x 4


def test_what_is_drawn_stays_within_the_largest_amounts():
    x = torch.zeros(500, 1, 48, 48)
    x[..., 24, 24] = 1  # a point near the middle of 48 pixels, which a turn hardly moves
    y = Warp(turn=8, move=2 / 48)(x)
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
