"""Training pictures changed at random, each on its own, and test pictures seen both ways.

All draw from torch's generator, which the training loop seeds for every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFT = 3  # pixels, each way


def augment(x: Tensor, *, shift: int = SHIFT) -> Tensor:
    """Mirror each of (n, channels, h, w) with probability 1/2 and move it up to `shift` pixels, edges repeated."""
    n, _, height, width = x.shape
    mirrored = torch.rand(n, device=x.device) < 0.5
    x = torch.where(mirrored.view(n, 1, 1, 1), x.flip(3), x)
    dy, dx = torch.randint(-shift, shift + 1, (2, n), device=x.device)
    row = (torch.arange(height, device=x.device) + dy.unsqueeze(1)).clamp(0, height - 1)
    column = (torch.arange(width, device=x.device) + dx.unsqueeze(1)).clamp(0, width - 1)
    item = torch.arange(n, device=x.device)
    moved = x.permute(0, 2, 3, 1)[item.view(n, 1, 1), row.unsqueeze(2), column.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)


@dataclass(frozen=True, kw_only=True)
class Warp:
    """Mirror each picture of (n, channels, h, w) with probability 1/2, turn, zoom and move it, and change its light.

    All amounts are drawn evenly up to the given ones, both ways; edges are repeated, pixels interpolated.

    turn: degrees.
    zoom: share by which a face becomes larger or smaller.
    move: share of the side.
    light: share by which contrast changes, and level in the units of `x`.
    size: share of the side that is kept: a smaller picture of the same scale, cut out anywhere, costs less to learn.
    """

    turn: float = 0.0
    zoom: float = 0.0
    move: float = 0.0
    light: float = 0.0
    size: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        n, channels, *sides = x.shape
        turn, zoom, across, down, contrast, level = torch.empty(6, n, device=x.device).uniform_(-1, 1)
        side = 1 - 2 * (torch.rand(n, device=x.device) < 0.5).float()
        angle, scale = torch.deg2rad(self.turn * turn), self.size * torch.exp(math.log1p(self.zoom) * zoom)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        room = 1 - self.size + 2 * self.move  # of the middle, where a picture reaches from -1 to 1
        theta = torch.stack([side * cos, -sin, room * across, side * sin, cos, room * down], dim=1)
        target = [n, channels, *(round(self.size * s) for s in sides)]
        grid = F.affine_grid(theta.view(n, 2, 3), target, align_corners=False)
        x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
        x = x * (1 + self.light * contrast).view(n, 1, 1, 1) + (self.light * level).view(n, 1, 1, 1)
        return x.contiguous(memory_format=torch.channels_last)


# What a schedule may name; the first is the twin's.
AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "shift": augment,
    "warp": Warp(turn=7, zoom=0.08, move=0.08),
}


def see_both_ways(backbone: nn.Module) -> nn.Module:
    """Make a backbone's features in evaluation the mean of a picture's and its mirror image's; training as before."""

    def mean(module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
        return features if module.training else (features + module.forward(inputs[0].flip(3))) / 2

    backbone.register_forward_hook(mean)
    return backbone
