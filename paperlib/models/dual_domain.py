"""neo2023's network: categories and valence-arousal from one encoder (its figure 2)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn


class DualDomain(NamedTuple):
    """What the network says of n pictures."""

    logits: Tensor  # (n, classes)
    affect: Tensor  # (n, 2) valence and arousal; nothing holds them inside [-1, 1]


class DualDomainNet(nn.Module):
    """A backbone and two linear heads: pictures (n, channels, h, w) to `DualDomain`, in fp32."""

    def __init__(self, backbone: nn.Module, features: int, *, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(features, classes)
        self.regressor = nn.Linear(features, 2)

    def forward(self, x: Tensor) -> DualDomain:
        features = self.backbone(x)
        return DualDomain(self.classifier(features).float(), self.regressor(features).float())
