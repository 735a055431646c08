"""Training pictures changed at random, each on its own, and test pictures seen both ways.

All draw from torch's generator, which the training loop seeds for every epoch.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SHIFT = 3  # pixels, each way


def augment(x: Tensor) -> Tensor:
    """Mirror each of (n, channels, h, w) with probability 1/2 and move it up to SHIFT pixels, edges repeated."""
    n, _, height, width = x.shape
    mirrored = torch.rand(n, device=x.device) < 0.5
    x = torch.where(mirrored.view(n, 1, 1, 1), x.flip(3), x)
    dy, dx = torch.randint(-SHIFT, SHIFT + 1, (2, n), device=x.device)
    row = (torch.arange(height, device=x.device) + dy.unsqueeze(1)).clamp(0, height - 1)
    column = (torch.arange(width, device=x.device) + dx.unsqueeze(1)).clamp(0, width - 1)
    item = torch.arange(n, device=x.device)
    moved = x.permute(0, 2, 3, 1)[item.view(n, 1, 1), row.unsqueeze(2), column.unsqueeze(1)]
    return moved.permute(0, 3, 1, 2)


def warp(x: Tensor, *, turn: float = 7.0, zoom: float = 0.08, move: float = 0.08) -> Tensor:
    """Mirror each picture of (n, channels, h, w) with probability 1/2, turn, zoom and move it.

    All amounts are drawn evenly up to the given ones, both ways: `turn` in degrees, `zoom` the share by which a face
    becomes larger or smaller, `move` a share of the side. Edges are repeated, pixels interpolated.
    """
    n = len(x)
    # two more are drawn than are used, as when the stored runs were trained
    turned, zoomed, across, down, _, _ = torch.empty(6, n, device=x.device).uniform_(-1, 1)
    side = 1 - 2 * (torch.rand(n, device=x.device) < 0.5).float()
    angle, scale = torch.deg2rad(turn * turned), torch.exp(math.log1p(zoom) * zoomed)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    room = 2 * move  # of the middle, where a picture reaches from -1 to 1
    theta = torch.stack([side * cos, -sin, room * across, side * sin, cos, room * down], dim=1)
    grid = F.affine_grid(theta.view(n, 2, 3), list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


# What a schedule may name; the first is the twin's.
AUGMENTATIONS: dict[str, Callable[[Tensor], Tensor]] = {"shift": augment, "warp": warp}


def see_both_ways(backbone: nn.Module) -> nn.Module:
    """Make a backbone's features in evaluation the mean of a picture's and its mirror image's; training as before."""

    def mean(module: nn.Module, inputs: tuple[Tensor, ...], features: Tensor) -> Tensor:
        return features if module.training else (features + module.forward(inputs[0].flip(3))) / 2

    backbone.register_forward_hook(mean)
    return backbone
