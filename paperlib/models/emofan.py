"""toisoul2021's network: a face alignment network whose features and landmarks serve to read expression and affect.

Pictures are RGB in [0, 1], without a mean taken off. Sizes and points are in pixels whose corner is (0, 0): the first
pixel has its centre at 0.5.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import FrozenBatchNorm2d

from paperlib.labels import EXPRESSIONS

LANDMARKS = 68
STRIDE = 4  # pixels of the picture to a cell of a heatmap
# The release counts anger as its fifth class of five and leaves out fear, disgust and contempt.
CLASSES = {8: EXPRESSIONS, 7: EXPRESSIONS[:7], 5: (*EXPRESSIONS[:4], "anger")}


class EmoFANOutput(NamedTuple):
    """What the network says of n pictures."""

    heatmaps: Tensor  # (n, 68, size / 4, size / 4) of the last module
    expression: Tensor  # (n, classes) logits, in the order of CLASSES
    affect: Tensor  # (n, 2) valence and arousal, not clipped


def _pre_activated(before: int, after: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.BatchNorm2d(before),
        nn.ReLU(inplace=True),
        nn.Conv2d(before, after, kernel, padding=kernel // 2, bias=False),
    )


class Block(nn.Module):
    """Three convolutions, each fed by the one before, put side by side and added to the input (Bulat et al. 2017)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = _pre_activated(before, after // 2, 3)
        self.second = _pre_activated(after // 2, after // 4, 3)
        self.third = _pre_activated(after // 4, after // 4, 3)
        self.shortcut = nn.Identity() if before == after else _pre_activated(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(first)
        third = self.third(second)
        return torch.cat([first, second, third], dim=1).add_(self.shortcut(x))


class Hourglass(nn.Module):
    """Halve the picture `depth` times, then double it back, with a skip at each size (Newell et al. 2016).

    Halving takes the maximum, as the release does; the face alignment network it comes from takes the mean.
    """

    def __init__(self, depth: int, width: int) -> None:
        super().__init__()
        self.skip, self.down, self.up = (Block(width, width) for _ in range(3))
        self.inner = Hourglass(depth - 1, width) if depth > 1 else Block(width, width)

    def forward(self, x: Tensor) -> Tensor:
        small = self.up(self.inner(self.down(F.max_pool2d(x, 2))))
        return self.skip(x).add_(F.interpolate(small, scale_factor=2, mode="nearest"))


class Stem(nn.Module):
    """A picture to features of a quarter of its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, width // 4, 7, stride=2, padding=3)
        self.norm = nn.BatchNorm2d(width // 4)
        self.blocks = nn.ModuleList(
            [Block(width // 4, width // 2), Block(width // 2, width // 2), Block(width // 2, width)]
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks[0](F.relu(self.norm(self.convolution(images))))
        return self.blocks[2](self.blocks[1](F.max_pool2d(x, 2)))


class AlignmentModule(nn.Module):
    """An hourglass and the heatmaps read from it: (n, width, h, w) to features and heatmaps of the same size.

    All but the last also make the next one's input; their features are those they send there.
    """

    def __init__(self, width: int, depth: int, *, last: bool) -> None:
        super().__init__()
        self.hourglass = Hourglass(depth, width)
        self.top = Block(width, width)
        self.convolution = nn.Conv2d(width, width, 1)
        self.norm = nn.BatchNorm2d(width)
        self.heatmaps = nn.Conv2d(width, LANDMARKS, 1)
        self.last = last
        if not last:
            self.features_on = nn.Conv2d(width, width, 1)
            self.heatmaps_on = nn.Conv2d(LANDMARKS, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = F.relu(self.norm(self.convolution(self.top(self.hourglass(x)))))
        heatmaps = self.heatmaps(features)
        if self.last:
            return features, heatmaps, x
        features = self.features_on(features)
        return features, heatmaps, x + features + self.heatmaps_on(heatmaps)


class FAN(nn.Module):
    """The face alignment network of Bulat and Tzimiropoulos (ICCV 2017).

    It hands on the stem's features and each module's (n, width, h, w), and each module's heatmaps (n, 68, h, w); h and
    w are a quarter of the picture's size.
    """

    def __init__(self, *, width: int, depth: int, modules: int) -> None:
        super().__init__()
        self.stem = Stem(width)
        self.stages = nn.ModuleList(
            AlignmentModule(width, depth, last=i == modules - 1) for i in range(modules)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        stem = x = self.stem(images)
        features, heatmaps = [], []
        for stage in self.stages:
            kept, maps, x = stage(x)
            features.append(kept)
            heatmaps.append(maps)
        return stem, features, heatmaps


class AffectHead(nn.Module):
    """Maps of `before` channels to logits of expressions, valence and arousal: (n, outputs), in fp32 from the mean on.

    Halves the maps of `cells` by `cells` until they are 4 by 4 or smaller.
    """

    def __init__(self, before: int, *, width: int, cells: int, outputs: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(before, width, 1)
        halvings = 0
        while cells >> halvings > 4:
            halvings += 1
        self.blocks = nn.ModuleList(Block(width, width) for _ in range(halvings))
        self.predict = nn.Sequential(
            nn.Linear(width, width // 2),
            nn.BatchNorm1d(width // 2),
            nn.ReLU(inplace=True),
            nn.Linear(width // 2, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.reduce(x)
        for block in self.blocks:
            x = F.max_pool2d(block(x), 2)
        return self.predict(x.mean(dim=(2, 3)).float())


class EmoFAN(nn.Module):
    """Landmarks, expression and affect in one pass (toisoul2021, fig. 3).

    The defaults are the released network of 14 million weights; a smaller one of the same family has fewer channels,
    levels and pixels, say width 32, depth 3, size 64.

    Args:
        classes: 8, 7 (without contempt) or 5; see CLASSES.
        width: channels of the hourglasses, a multiple of 16.
        attention: multiply the modules' features by the sum of the last module's heatmaps; otherwise the heatmaps
            join the features.
        depth: how often an hourglass halves its input.
        modules: hourglasses in a row.
        size: pixels of the square pictures, a multiple of 2^(depth + 2): 256 or 64 for depth 4, 64 or 96 for depth 3.
    """

    def __init__(
        self,
        *,
        classes: int,
        width: int = 256,
        attention: bool = True,
        depth: int = 4,
        modules: int = 2,
        size: int = 256,
    ) -> None:
        super().__init__()
        if (
            classes not in CLASSES
            or min(width, depth, modules, size) < 1
            or width % 16
            or size % (STRIDE * 2**depth)
        ):
            raise ValueError(
                f"classes must be one of {', '.join(map(str, CLASSES))}, width a multiple of 16, depth and modules 1 "
                f"or more, and size a multiple of {STRIDE} * 2^depth; "
                f"got {classes=}, {width=}, {depth=}, {modules=}, {size=}"
            )
        self.classes, self.attention, self.size = classes, attention, size
        self.fan = FAN(width=width, depth=depth, modules=modules)
        before = width * (1 + modules) + (0 if attention else LANDMARKS)
        self.head = AffectHead(before, width=width, cells=size // STRIDE, outputs=classes + 2)

    def forward(self, images: Tensor) -> EmoFANOutput:
        """Pictures (n, 3, size, size), or (n, 1, size, size) in grey, from 0 to 1."""
        stem, modules, heatmaps = self.fan(self._rgb(images))
        if self.attention:
            attended = torch.cat(modules, dim=1) * heatmaps[-1].sum(dim=1, keepdim=True)
            out = self.head(torch.cat([stem, attended], dim=1))
        else:
            out = self.head(torch.cat([stem, *modules, heatmaps[-1]], dim=1))
        return EmoFANOutput(heatmaps[-1], out[:, : self.classes], out[:, self.classes :])

    def alignment(self, images: Tensor) -> list[Tensor]:
        """The heatmaps of every module, to train face alignment by: each (n, 68, size / 4, size / 4)."""
        return self.fan(self._rgb(images))[2]

    def _rgb(self, images: Tensor) -> Tensor:
        if images.ndim != 4 or images.shape[1] not in (1, 3) or images.shape[2:] != (self.size, self.size):
            raise ValueError(
                f"pictures must be (n, 3, {self.size}, {self.size}), or 1 for 3 in grey; "
                f"got {tuple(images.shape)}"
            )
        return images.expand(-1, 3, -1, -1)


class _Frozen(FrozenBatchNorm2d):
    """torchvision's, in one pass over the data instead of two, and in the data's precision."""

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


def freeze_alignment(model: EmoFAN) -> None:
    """Keep face alignment as it is: its weights get no gradient, and its batch statistics stay, in training mode too.

    Batch norms give way to torchvision's frozen ones, which recomputing of batch statistics leaves alone as well. A
    state dict of the one loads into the other.
    """
    model.fan.requires_grad_(False)
    for parent in list(model.fan.modules()):
        for name, norm in parent.named_children():
            if isinstance(norm, nn.BatchNorm2d):
                frozen = _Frozen(norm.num_features, eps=norm.eps)
                frozen.load_state_dict(norm.state_dict())
                setattr(parent, name, frozen.to(norm.weight.device))


def target_heatmaps(landmarks: Tensor, *, size: int, heatmap_size: int, sigma: float) -> Tensor:
    """Gaussians of height 1 at landmarks (n, 68, 2) of pictures of `size` pixels: (n, 68, heatmap_size, heatmap_size).

    `sigma` is in cells of the heatmap. The centre of the first cell is at 0.5 cells.
    """
    centre = landmarks * (heatmap_size / size)
    cell = torch.arange(heatmap_size, device=landmarks.device, dtype=landmarks.dtype) + 0.5
    across, down = (torch.exp(-((cell - at.unsqueeze(-1)) ** 2) / (2 * sigma**2)) for at in centre.unbind(-1))
    return down.unsqueeze(-1) * across.unsqueeze(-2)


def landmarks_from_heatmaps(heatmaps: Tensor, *, size: int) -> Tensor:
    """x and y (n, 68, 2) of heatmaps (n, 68, h, w), in pixels of a square picture of `size`.

    The highest cell, moved by up to half a cell to the summit of a parabola through its logarithm and those of both
    its neighbours: exact for a Gaussian. It is the Taylor expansion of Zhang et al. (Distribution-aware coordinate
    representation, CVPR 2020) without their smoothing and mixed derivative. A cell at the border stays.
    """
    h, w = heatmaps.shape[2:]
    row, column = torch.unravel_index(heatmaps.flatten(2).argmax(dim=2), (h, w))
    log = heatmaps.float().clamp_min(1e-6).log()

    def summit(at: Tensor, cells: int, lines: Tensor) -> Tensor:
        """`lines` (n, 68, cells) run through the highest cells, at index `at` (n, 68)."""
        inside = at.clamp(1, cells - 2).unsqueeze(2)
        before, here, after = (lines.gather(2, inside + step).squeeze(2) for step in (-1, 0, 1))
        move = (before - after) / (2 * (before - 2 * here + after).clamp_max(-1e-6))
        return at + 0.5 + torch.where(at == inside.squeeze(2), move.clamp(-0.5, 0.5), 0.0)

    in_row = log.gather(2, row[..., None, None].expand(-1, -1, 1, w)).squeeze(2)
    in_column = log.gather(3, column[..., None, None].expand(-1, -1, h, 1)).squeeze(3)
    x, y = summit(column, w, in_row), summit(row, h, in_column)
    return torch.stack([x * (size / w), y * (size / h)], dim=2)


def nme(predicted: Tensor, true: Tensor) -> Tensor:
    """Each face's mean distance between predicted and true landmarks (n, 68, 2) over its size: (n,).

    The size is the root of the area of the true landmarks' bounding box.
    """
    scale = (true.amax(dim=1) - true.amin(dim=1)).prod(dim=1).sqrt()
    return (predicted - true).norm(dim=2).mean(dim=1) / scale
