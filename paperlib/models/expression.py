"""Networks that name an expression, and how each learns from labels that may be wrong.

The plain network and label smoothing are here; `ldlva` and `rivals` hold the others. A method of one's own is a
subclass that overrides `loss`, and `doubt` if it knows which labels to distrust (docs/methods.md).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ExpressionNet(nn.Module):
    """A backbone and a linear classifier, trained by the cross-entropy to the given labels.

    Called with pictures alone it gives logits (batch, classes); called with their labels (batch,) and rows (batch,) in
    the training set too, the loss of the batch, as torchvision's detectors do: so what a method must remember of each
    picture is a buffer over the n training rows, moves with the network and is saved with it.
    """

    visits: Tensor  # (n,) epochs in which a row was seen
    total_loss: Tensor  # (n,)

    def __init__(
        self, backbone: nn.Module, features: int, *, n: int, classes: int, smoothing: float = 0.0
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(features, classes)
        self.classes, self.smoothing = classes, smoothing
        self.register_buffer("visits", torch.zeros(n, dtype=torch.long))
        self.register_buffer("total_loss", torch.zeros(n))

    def forward(self, x: Tensor, label: Tensor | None = None, row: Tensor | None = None) -> Tensor:
        if label is None:
            return self.logits(x)
        assert row is not None
        return self.loss(x, label, row)

    def features(self, x: Tensor) -> Tensor:
        """(batch, features) in fp32, whatever precision the backbone computed in."""
        return self.backbone(x).float()

    def logits(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x)).float()

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        """The mean of a batch."""
        logits = self.logits(x)
        self.remember(logits, label, row)
        return F.cross_entropy(logits, label, label_smoothing=self.smoothing)

    @torch.no_grad()
    def remember(self, logits: Tensor, label: Tensor, row: Tensor) -> None:
        """Keep each row's cross-entropy to its given label, to average over the epochs."""
        self.visits[row] += 1
        self.total_loss[row] += F.cross_entropy(logits, label, reduction="none")

    def doubt(self) -> Tensor:
        """How far each training row's label (n,) is to be distrusted: here its loss, averaged over training.

        The simplest detector of wrong labels there is (Arazo et al., Unsupervised label noise modeling, ICML 2019).
        """
        return self.total_loss / self.visits.clamp_min(1)
