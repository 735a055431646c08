"""The released checkpoints give the released network, or are refused.

released_emonet.json holds the names and shapes of emonet_8.pth, and those that differ in emonet_5.pth.
"""

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from paperlib.emofan_checkpoint import load_released, released_name
from paperlib.models.emofan import EmoFAN

SHAPES = json.loads(Path(__file__).with_name("released_emonet.json").read_text())


def released(classes: int = 8) -> dict[str, torch.Tensor]:
    """Random weights under the released names, of a size that keeps activations near 1."""
    shapes = SHAPES["8"] | (SHAPES["5"] if classes == 5 else {})
    state = {}
    for name, shape in shapes.items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = torch.rand(shape) + 0.5
        elif len(shape) > 1:
            state[name] = torch.randn(shape) / (torch.tensor(shape[1:]).prod() ** 0.5)
        else:  # the scale of a batch norm, or a shift or mean
            state[name] = (
                torch.rand(shape) + 0.5 if re.search(r"bn\w*\.weight", name) else 0.3 * torch.randn(shape)
            )
    return state


class Released:
    """The released forward pass, written from its description on the released names."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.state = state

    def __call__(self, x):
        x = F.relu(self.norm("bn1", self.convolve("conv1", x, stride=2, padding=3)))
        x = F.max_pool2d(self.block("conv2", x), 2, stride=2)
        x = self.block("conv4", self.block("conv3", x))
        previous, kept = x, []
        for m in ("0", "1"):
            ll = self.block(f"top_m_{m}", self.hourglass(f"m{m}", 4, previous))
            ll = F.relu(self.norm(f"bn_end{m}", self.convolve(f"conv_last{m}", ll)))
            heatmaps = self.convolve(f"l{m}", ll)
            if m == "0":
                ll = self.convolve("bl0", ll)
                previous = previous + ll + self.convolve("al0", heatmaps)
            kept.append(ll)
        mask = heatmaps.sum(dim=1, keepdim=True)
        e = self.convolve("conv1x1_input_emo_2", torch.cat([x, mask * torch.cat(kept, dim=1)], dim=1))
        for i in (0, 2, 4, 6):
            e = F.max_pool2d(self.block(f"emo_net_2.{i}", e), 2)
        e = F.avg_pool2d(e, 4).flatten(1)
        e = F.relu(self.norm("emo_fc_2.1", F.linear(e, *self.two("emo_fc_2.0"))))
        out = F.linear(e, *self.two("emo_fc_2.3"))
        return heatmaps, out[:, :-2], out[:, -2], out[:, -1]

    def two(self, name):
        return self.state[f"{name}.weight"], self.state.get(f"{name}.bias")

    def convolve(self, name, x, **options):
        return F.conv2d(x, *self.two(name), **options)

    def norm(self, name, x):
        mean, variance = self.state[f"{name}.running_mean"], self.state[f"{name}.running_var"]
        return F.batch_norm(x, mean, variance, *self.two(name))

    def block(self, name, x):
        parts, out = [], x
        for i in (1, 2, 3):
            out = self.convolve(f"{name}.conv{i}", F.relu(self.norm(f"{name}.bn{i}", out)), padding=1)
            parts.append(out)
        if f"{name}.downsample.2.weight" in self.state:
            x = self.convolve(f"{name}.downsample.2", F.relu(self.norm(f"{name}.downsample.0", x)))
        return torch.cat(parts, dim=1) + x

    def hourglass(self, name, level, x):
        up = self.block(f"{name}.b1_{level}", x)
        low = self.block(f"{name}.b2_{level}", F.max_pool2d(x, 2))
        low = self.hourglass(name, level - 1, low) if level > 1 else self.block(f"{name}.b2_plus_1", low)
        low = self.block(f"{name}.b3_{level}", low)
        return up + F.interpolate(low, scale_factor=2, mode="nearest")


@torch.inference_mode()
@pytest.mark.parametrize("classes", [8, 5])
def test_a_released_checkpoint_gives_the_released_outputs(tmp_path, classes):
    state = released(classes)
    torch.save({f"module.{name}": tensor for name, tensor in state.items()}, tmp_path / "emonet.pth")
    model = load_released(tmp_path / "emonet.pth")
    assert model.classes == classes and not model.training
    image = torch.rand(1, 3, 256, 256)
    heatmaps, expression, valence, arousal = Released(state)(image)
    ours = model(image)
    assert heatmaps.std() > 0.1 and expression.std() > 0.1  # nothing vanished on the way
    for mine, theirs in [(ours.heatmaps, heatmaps), (ours.expression, expression)]:
        torch.testing.assert_close(mine, theirs, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.affect, torch.stack([valence, arousal], dim=1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("classes", "attention"), [(5, True), (7, False)])
def test_classes_and_attention_are_read_off_the_weights(classes, attention):
    model = EmoFAN(classes=classes, attention=attention)
    loaded = load_released({released_name(name): tensor for name, tensor in model.state_dict().items()})
    assert (loaded.classes, loaded.attention) == (classes, attention)
    for name, tensor in loaded.state_dict().items():
        assert torch.equal(tensor, model.state_dict()[name]), name


def test_a_part_that_the_release_does_not_have_has_no_name():
    with pytest.raises(ValueError, match="nothing like fan.stages.2.top.first.0.weight"):
        released_name("fan.stages.2.top.first.0.weight")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"m1.b2_plus_1.conv3.weight": None},
            "Missing key.*stages.1.hourglass.inner.inner.inner.inner.third.2.weight",
        ),
        ({"conv5.bn1.weight": torch.zeros(1)}, "Unexpected key.*released conv5.bn1.weight"),
        ({"fan.stem.norm.weight": torch.zeros(1)}, "Unexpected key.*released fan.stem.norm.weight"),
        (
            {"emo_net_2.0.conv1.weight": torch.zeros(128, 256, 1, 1)},
            "mismatch for head.blocks.0.first.2.weight",
        ),
        ({"emo_fc_2.3.bias": torch.zeros(6)}, "has 6 values"),  # a number of classes that nobody trained
    ],
)
def test_what_is_not_the_released_network_is_refused(change, message):
    state = {name: tensor for name, tensor in (released() | change).items() if tensor is not None}
    with pytest.raises(ValueError, match=message):
        load_released(state)


class Code:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return exec, ("raise SystemExit('ran')",)


@pytest.mark.parametrize(
    "save", [torch.save, lambda what, path: path.write_bytes(pickle.dumps(what, protocol=2))]
)
def test_a_checkpoint_that_carries_code_is_refused(tmp_path, save):
    save({"conv1.weight": Code()}, tmp_path / "emonet.pth")
    with pytest.raises(ValueError, match="emonet.pth is no checkpoint of tensors alone"):
        load_released(tmp_path / "emonet.pth")


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 cut off", {"epoch": 3}])
def test_a_damaged_file_or_one_of_something_else_is_refused(tmp_path, content):
    path = tmp_path / "emonet.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ValueError, match=r"emonet.pth (is no checkpoint|holds no state dict)"):
        load_released(path)
