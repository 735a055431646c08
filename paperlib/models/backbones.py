"""Convolutional backbones: a picture in, a feature vector out.

The torchvision networks are those that foteinopoulou2021 names; the compact ones are members of the same three
families (plain, residual, wide residual), small enough for two processor cores.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
import torchvision.models as tv
from torch import Tensor, nn

from paperlib.augmentation import see_both_ways

TORCHVISION = {
    "resnet18": tv.ResNet18_Weights.IMAGENET1K_V1,
    "resnet50": tv.ResNet50_Weights.IMAGENET1K_V2,
    "wide_resnet50_2": tv.Wide_ResNet50_2_Weights.IMAGENET1K_V2,
    "vgg16": tv.VGG16_Weights.IMAGENET1K_V1,
}
# name: (channels of the four stages, residual); "tiny" trains about twice as fast as "compact"
COMPACT: dict[str, tuple[tuple[int, ...], bool]] = {
    "tiny_vgg": ((16, 32, 64, 128), False),
    "tiny_resnet": ((16, 32, 64, 128), True),
    "tiny_wide_resnet": ((24, 48, 96, 192), True),
    "compact_vgg": ((24, 48, 96, 192), False),
    "compact_resnet": ((24, 48, 96, 192), True),
    "compact_wide_resnet": ((32, 64, 128, 256), True),
}
BACKBONES = (*COMPACT, *TORCHVISION)


class Stage(nn.Module):
    """Halve the picture and set its channels; then, if residual, add one block of two convolutions to its input.

    A residual block starts as the identity (its last scale is zero; Goyal et al. 2017, sec. 5.1): with a few hundred
    steps, some seeds otherwise never leave the mean prediction.
    """

    def __init__(self, channels_in: int, channels: int, *, residual: bool) -> None:
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
        )
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.residual = residual
        if residual:
            nn.init.zeros_(self.block[-1].weight)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return F.relu(x + self.block(x) if self.residual else self.block(x))


class CompactNet(nn.Sequential):
    """Four stages and a global average: (batch, channels_in, height, width) to (batch, widths[-1])."""

    def __init__(self, widths: Sequence[int], *, channels_in: int, residual: bool) -> None:
        stages = [
            Stage(before, after, residual=residual)
            for before, after in zip((channels_in, *widths[:-1]), widths, strict=True)
        ]
        super().__init__(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def build_backbone(
    name: str, *, channels: int, pretrained: bool = False, mirrored: bool = False
) -> tuple[nn.Module, int]:
    """A backbone and the length of its feature vector; `mirrored`: in evaluation it sees pictures both ways.

    `pretrained` asks torchvision for its ImageNet weights, which need three channels; where they are neither on this
    machine nor to be had from the network, torchvision's error comes through: nothing falls back to random weights.
    """
    if name in COMPACT:
        if pretrained:
            raise ValueError(f"there are no ImageNet weights for {name}; choose one of {sorted(TORCHVISION)}")
        widths, residual = COMPACT[name]
        network, features = CompactNet(widths, channels_in=channels, residual=residual), widths[-1]
    elif name not in TORCHVISION:
        raise ValueError(f"backbone must be one of {sorted(BACKBONES)}; got {name!r}")
    elif channels != 3:
        raise ValueError(f"{name} takes pictures with 3 channels; got {channels}")
    else:
        network = tv.get_model(name, weights=TORCHVISION[name] if pretrained else None)
        if name == "vgg16":
            features, network.classifier[-1] = network.classifier[-1].in_features, nn.Identity()
        else:
            features, network.fc = network.fc.in_features, nn.Identity()
    return see_both_ways(network) if mirrored else network, features


def weights_available(name: str) -> bool:
    """Whether torchvision's ImageNet weights of this backbone are on this machine or can be fetched to it."""
    try:
        TORCHVISION[name].get_state_dict(check_hash=True)
    except OSError:  # no network, or the server refused: urllib's errors are OSErrors
        return False
    return True
