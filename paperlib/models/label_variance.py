"""foteinopoulou2021: networks that predict every label's mean and its log variance (figs. 1 to 3)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INITIAL_LOG_VARIANCE = -2.0


class LabelDistribution(NamedTuple):
    """A Gaussian per label: two tensors (batch, 2), valence before arousal."""

    mean: Tensor
    log_variance: Tensor


class LabelVarianceNet(nn.Module):
    """A backbone and two heads, one for the mean and one for the log variance (foteinopoulou2021, fig. 1).

    The paper calls the heads MLPs and gives no sizes; here each has one hidden layer. The variance head starts at the
    labels' own scale, with last weights near zero, as He et al. 2019 do it: training starts from a plain regression.
    """

    def __init__(self, backbone: nn.Module, features: int, *, hidden: int = 64, dropout: float = 0.0) -> None:
        super().__init__()
        self.backbone = backbone
        self.mean_head = _head(features, hidden, dropout)
        self.variance_head = _head(features, hidden, dropout)
        last = self.variance_head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=1e-4)
        nn.init.constant_(last.bias, INITIAL_LOG_VARIANCE)

    def forward(self, x: Tensor) -> LabelDistribution:
        features = self.backbone(x)
        return LabelDistribution(self.mean_head(features), self.variance_head(features))


class TemporalNetVLAD(nn.Module):
    """NetVLAD pooling over time (Arandjelovic et al. 2018, eqs. 1 and 3; foteinopoulou2021, sec. III-B).

    (batch, channels, time) to (batch, centroids * channels). Residuals to each centroid are summed over time, weighted
    by softmax_k(-||x - c_k||^2), then normalised per centroid and as a whole. The assignment is written from the
    squared distance itself; it keeps its own weights and biases, as in the paper, and only starts from it.
    """

    def __init__(self, channels: int, *, centroids: int) -> None:
        super().__init__()
        self.centroids = nn.Parameter(torch.randn(centroids, channels))
        self.assignment = nn.Conv1d(channels, centroids, 1)
        with torch.no_grad():
            self.assignment.weight.copy_(2 * self.centroids.unsqueeze(-1))
            self.assignment.bias.copy_(-self.centroids.square().sum(dim=1))  # type: ignore[union-attr]

    def forward(self, x: Tensor) -> Tensor:
        weight = self.assignment(x).softmax(dim=1)  # (batch, centroids, time)
        total = weight.sum(dim=2, keepdim=True)  # (batch, centroids, 1)
        residual = torch.einsum("bkt,bct->bkc", weight, x) - total * self.centroids
        return F.normalize(F.normalize(residual, dim=2).flatten(1), dim=1)


class NetVLADBackbone(nn.Module):
    """Action units over time to one vector (foteinopoulou2021, fig. 3): convolution, average pooling, ReLU, NetVLAD.

    (batch, time, channels) to (batch, centroids * channels). Convolution and pooling have kernel 7 and stride 5 and
    keep the number of channels, so at least 37 frames are needed. Action units are standardised by statistics of the
    training segments, which travel with the weights.
    """

    def __init__(self, channels: int, *, centroids: int = 8) -> None:
        super().__init__()
        self.register_buffer("center", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.convolution = nn.Conv1d(channels, channels, kernel_size=7, stride=5)
        self.pool = nn.AvgPool1d(kernel_size=7, stride=5)
        self.activation = nn.ReLU()
        self.vlad = TemporalNetVLAD(channels, centroids=centroids)
        self.features = centroids * channels

    def standardise_by(self, x: Tensor) -> None:
        """Take mean and standard deviation per channel from training segments (n, time, channels)."""
        self.center = x.mean(dim=(0, 1))
        self.scale = x.std(dim=(0, 1)).clamp_min(1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = ((x - self.center) / self.scale).transpose(1, 2)
        return self.vlad(self.activation(self.pool(self.convolution(x))))


class VoteNet(nn.Module):
    """The rival for data with votes: a backbone and a classifier trained on the vote distribution.

    A face's distribution p over categories, each placed at coordinates c_k (classes, 2) on the circumplex, has mean
    sum p_k c_k and variance sum p_k (c_k - mean)^2: the same outputs as `LabelVarianceNet`, and the logits.
    """

    coordinates: Tensor

    def __init__(self, backbone: nn.Module, features: int, *, coordinates: Tensor) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(features, len(coordinates))
        self.register_buffer("coordinates", coordinates)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.backbone(x))

    def distribution(self, logits: Tensor) -> LabelDistribution:
        """Mean and log variance (batch, 2) of the circumplex position under softmax(logits)."""
        p = logits.softmax(dim=1)
        mean, second = p @ self.coordinates, p @ self.coordinates.square()
        return LabelDistribution(mean, (second - mean.square()).clamp_min(1e-9).log())


def _head(features: int, hidden: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, 2))
