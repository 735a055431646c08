"""EmoFAN's structure, freezing, and the way from landmarks to heatmaps and back."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from paperlib.labels import EXPRESSIONS
from paperlib.models.emofan import (
    CLASSES,
    Block,
    EmoFAN,
    Hourglass,
    freeze_alignment,
    landmarks_from_heatmaps,
    nme,
    target_heatmaps,
)


def compact(**options) -> EmoFAN:
    return EmoFAN(**({"classes": 8, "width": 16, "depth": 3, "size": 64} | options))


def silence(block: Block) -> Block:
    """Convolutions that answer nothing."""
    for part in block.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.zeros_(part.weight)
    return block


def test_a_silent_block_is_the_identity():
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(silence(Block(16, 16))(x), x)


def test_a_block_s_parts_lie_in_order_in_its_output():
    block = silence(Block(8, 8)).eval()
    block.first[2].weight.data[0, 0, 1, 1] = 1  # channel 0 of the first, from channel 0 of the input
    block.second[2].weight.data[0, 0, 1, 1] = 1
    block.third[2].weight.data[0, 0, 1, 1] = 1
    x = torch.zeros(1, 8, 1, 1)
    x[0, 0] = 3.0
    got = block(x).flatten().tolist()
    step = 1 / (1 + 1e-5) ** 0.5  # a batch norm that has seen nothing
    assert got == pytest.approx([3 + 3 * step, 0, 0, 0, 3 * step**2, 0, 3 * step**3, 0])


def test_an_hourglass_of_silent_blocks_adds_the_maximum_of_every_level():
    hourglass = Hourglass(2, 8).eval()
    for part in hourglass.modules():
        if isinstance(part, Block):
            silence(part)
    x = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 8, 4, 4)
    largest = torch.tensor([[5.0, 5, 7, 7], [5, 5, 7, 7], [13, 13, 15, 15], [13, 13, 15, 15]])
    # the upper branch, the middle level's own upper branch, and the innermost's 15 everywhere
    torch.testing.assert_close(hourglass(x)[0, 0], x[0, 0] + largest + 15)


def test_outputs_are_landmarks_expression_and_affect():
    model, images = compact(classes=5).eval(), torch.rand(2, 3, 64, 64)
    out, maps = model(images), model.alignment(images)
    assert out.expression.shape == (2, 5) and out.affect.shape == (2, 2)
    assert len(maps) == 2 and maps[0].shape == (2, 68, 16, 16)
    torch.testing.assert_close(maps[-1], out.heatmaps)


def test_grey_is_three_equal_channels():
    model, grey = compact().eval(), torch.rand(2, 1, 64, 64)
    torch.testing.assert_close(model(grey).affect, model(grey.expand(2, 3, 64, 64)).affect)


def test_attention_hides_the_modules_where_no_landmark_is():
    """With a mask of zero, affect depends on the stem alone; without attention, on the modules too."""
    for attention in (True, False):
        model, images = compact(attention=attention).eval(), torch.rand(2, 3, 64, 64)
        nn.init.zeros_(model.fan.stages[-1].heatmaps.weight)
        nn.init.zeros_(model.fan.stages[-1].heatmaps.bias)
        before = model(images).affect
        nn.init.normal_(model.fan.stages[0].convolution.weight)
        assert torch.equal(model(images).affect, before) is attention


def test_the_first_module_s_heatmaps_reach_the_second():
    model, images = compact().eval(), torch.rand(1, 3, 64, 64)
    before = model.alignment(images)
    model.fan.stages[0].heatmaps.bias.data += 1
    after = model.alignment(images)
    torch.testing.assert_close(after[0], before[0] + 1)
    assert not torch.allclose(after[1], before[1])


@pytest.mark.parametrize(
    ("size", "depth", "blocks"), [(256, 4, 4), (64, 4, 2), (64, 3, 2), (96, 3, 3), (32, 3, 1)]
)
def test_the_head_halves_the_maps_to_four_cells_or_less(size, depth, blocks):
    assert len(compact(size=size, depth=depth).head.blocks) == blocks


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 6}, "classes must be one of 8, 7, 5; got 6"),
        ({"size": 80}, "size must be a multiple of 32 for depth 3; got 80"),
        ({"size": 0}, "size must be a multiple of 32"),
        ({"width": 24}, "width must be a multiple of 16; got 24"),
        ({"depth": 0}, "at least 1; got 0 and 2"),
    ],
)
def test_what_cannot_be_built_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        compact(**options)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"must be \(n, 3, 64, 64\).*got \(1, 3, 96, 96\)"):
        compact()(torch.zeros(1, 3, 96, 96))


def test_five_classes_keep_anger_and_leave_out_fear():
    assert CLASSES[5] == ("neutral", "happy", "sad", "surprise", "anger")
    assert CLASSES[8] == EXPRESSIONS and CLASSES[7] == EXPRESSIONS[:-1]


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


@pytest.mark.parametrize("frozen", [False, True])
def test_it_trains_in_bf16(frozen):
    model, images = compact(), torch.rand(2, 3, 64, 64)
    if frozen:
        freeze_alignment(model)
    with torch.autocast("cpu", torch.bfloat16):
        out = model.train()(images)
    (out.affect.float().square().sum() + out.expression.float().square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.head.parameters())
    assert all((p.grad is None) is frozen for p in model.fan.parameters())


def test_freezing_changes_no_output_and_no_state_dict():
    model, images = compact(), torch.rand(2, 3, 64, 64)
    model.train()(images)  # statistics that are not the first
    model.eval()
    frozen = copy.deepcopy(model)
    freeze_alignment(frozen)
    torch.testing.assert_close(frozen(images).affect, model(images).affect)
    again = compact().eval()
    again.load_state_dict(frozen.state_dict())
    torch.testing.assert_close(again(images).affect, model(images).affect)
    frozen.load_state_dict(model.state_dict())


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


def test_noise_moves_a_landmark_by_a_fraction_of_a_cell(rng):
    true = torch.from_numpy(rng.uniform(10, 54, size=(20, 68, 2)).astype(np.float32))
    maps = target_heatmaps(true, size=64, heatmap_size=16, sigma=1.0)
    noisy = maps + 0.02 * torch.randn_like(maps)
    error = (landmarks_from_heatmaps(noisy, size=64) - true).norm(dim=2)
    coarse = (
        landmarks_from_heatmaps((maps == maps.amax((2, 3), keepdim=True)).float(), size=64) - true
    ).norm(dim=2)
    assert error.mean() < 0.2 * coarse.mean()


def test_maps_without_a_summit_give_points_in_the_picture():
    maps = torch.stack([torch.zeros(68, 8, 8), -torch.rand(68, 8, 8), torch.eye(8).expand(68, 8, 8) * 9])
    points = landmarks_from_heatmaps(maps, size=32)
    assert ((points >= 0) & (points <= 32)).all()


def test_nme_by_hand():
    true = torch.zeros(1, 68, 2)
    true[0, 36], true[0, 45] = torch.tensor([0.0, 0.0]), torch.tensor([3.0, 4.0])  # 5 apart; a box of 3 by 4
    predicted = true + torch.tensor([0.6, 0.8])  # each point is off by 1
    assert nme(predicted, true, by="interocular").tolist() == pytest.approx([1 / 5])
    assert nme(predicted, true, by="box").tolist() == pytest.approx([1 / 12**0.5])
    with pytest.raises(ValueError, match="by must be box or interocular; got 'eyes'"):
        nme(predicted, true, by="eyes")


def test_face_alignment_can_be_learnt():
    generator = torch.Generator().manual_seed(0)
    images, true = (
        torch.rand(2, 3, 32, 32, generator=generator),
        4 + 24 * torch.rand(2, 68, 2, generator=generator),
    )
    model = compact(width=32, depth=1, size=32)
    maps = target_heatmaps(true, size=32, heatmap_size=8, sigma=1.0)

    def error() -> float:
        found = landmarks_from_heatmaps(model.alignment(images)[-1], size=32)
        return nme(found, true, by="box").max().item()

    before = error()
    optimiser = torch.optim.Adam(model.fan.parameters(), lr=1e-2)
    for _ in range(80):
        loss = sum((out - maps).square().mean() for out in model.alignment(images))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert error() < 0.5 * before
