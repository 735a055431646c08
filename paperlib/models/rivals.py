"""The methods that le2023 compares with, on the common backbone: SCN and RUL.

Both read the backbone's pooled feature vector. RUL's release puts its heads on the last feature map instead.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.models.expression import ExpressionNet


class SelfCureNet(ExpressionNet):
    """SCN (Wang et al., Suppressing uncertainties for large-scale facial expression recognition, CVPR 2020).

    A sigmoid weight per picture multiplies its logits (eq. 2). In every batch the mean weight of the higher HIGH of
    the pictures must exceed that of the others by MARGIN (eq. 3), and after `relabel_after` epochs a picture of the
    lower group whose largest probability exceeds that of its label by RELABEL_MARGIN gets that class for good (eq. 4).
    The paper relabels in the lower group only; its release, over the whole batch.
    """

    HIGH, MARGIN, RELABEL_MARGIN = 0.7, 0.15, 0.2
    label: Tensor  # (n,) as corrected so far
    weight: Tensor  # (n,) at the last visit

    def __init__(
        self, backbone: nn.Module, features: int, *, labels: Tensor, classes: int, relabel_after: int
    ) -> None:
        super().__init__(backbone, features, n=len(labels), classes=classes)
        self.attention = nn.Linear(features, 1)
        self.relabel_after = relabel_after
        self.register_buffer("label", labels.clone())
        self.register_buffer("weight", torch.ones(len(labels)))

    def logits(self, x: Tensor) -> Tensor:
        return self._weighted(x)[0]

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        logits, weight = self._weighted(x)
        self.remember(logits, label, row)
        order = weight.argsort(descending=True)
        count = min(max(round(self.HIGH * len(weight)), 1), len(weight) - 1)
        above, below = order[:count], order[count:]
        rank = F.relu(self.MARGIN - (weight[above].mean() - weight[below].mean()))
        given = self.label[row]
        value = F.cross_entropy(logits, given) + rank
        with torch.no_grad():
            self.weight[row] = weight.detach()
            p = logits.detach().softmax(dim=1)
            best, named = p.max(dim=1)
            sure = best - p.gather(1, given.unsqueeze(1)).squeeze(1) > self.RELABEL_MARGIN
            late = self.visits[row] > self.relabel_after
            low = torch.zeros_like(late).index_fill_(0, below, True)
            self.label[row] = torch.where(sure & late & low, named, given)
        return value

    def _weighted(self, x: Tensor) -> tuple[Tensor, Tensor]:
        v = self.features(x)
        weight = self.attention(v).float().sigmoid()
        return self.classifier(v).float() * weight, weight.squeeze(1)

    def doubt(self) -> Tensor:
        """One minus the weight at the last visit."""
        return 1 - self.weight


class RelativeUncertaintyNet(ExpressionNet):
    """RUL (Zhang, Wang and Deng, Relative uncertainty learning for facial expression recognition, NeurIPS 2021).

    One head gives a feature of 64, the other a log variance, whose exponential's mean is the uncertainty u. In training
    every feature is mixed with that of another picture j of the batch, with weight u_i / (u_i + u_j), so that the more
    uncertain picture weighs more; the mixture has to show both labels, each by half of its cross-entropy. For
    `mix_after` epochs (the release: none) nothing is mixed yet.
    """

    EMBEDDING = 64
    uncertainty: Tensor  # (n,) at the last visit

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        *,
        n: int,
        classes: int,
        dropout: float = 0.4,
        mix_after: int = 0,
    ) -> None:
        super().__init__(backbone, features, n=n, classes=classes)
        self.dropout, self.mix_after = dropout, mix_after
        self.mean_head, self.log_variance_head = self._head(features), self._head(features)
        self.classifier = nn.Linear(self.EMBEDDING, classes)
        self.register_buffer("uncertainty", torch.zeros(n))

    def logits(self, x: Tensor) -> Tensor:
        return self.classifier(self.mean_head(self.features(x))).float()

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        v = self.features(x)
        if self.mix_after and self.visits[row].min() < self.mix_after:
            logits = self.classifier(self.mean_head(v)).float()
            self.remember(logits, label, row)
            return F.cross_entropy(logits, label)
        mean, u = self.mean_head(v), self.log_variance_head(v).float().exp().mean(dim=1, keepdim=True)
        other = torch.randperm(len(x), device=x.device)
        share = u / (u + u[other])
        logits = self.classifier(share * mean + (1 - share) * mean[other]).float()
        with torch.no_grad():
            self.uncertainty[row] = u.detach().squeeze(1)
        self.remember(self.classifier(mean).float(), label, row)
        return (F.cross_entropy(logits, label) + F.cross_entropy(logits, label[other])) / 2

    def doubt(self) -> Tensor:
        """The uncertainty at the last visit."""
        return self.uncertainty

    def _head(self, features: int) -> nn.Sequential:
        return nn.Sequential(
            nn.BatchNorm1d(features),
            nn.Dropout(self.dropout),
            nn.Linear(features, self.EMBEDDING),
            nn.BatchNorm1d(self.EMBEDDING),
        )
