"""Networks that name an expression and say how sure they are, each in one method's way, on one common backbone.

The methods of the five papers and what a user would otherwise pick, reduced to what differs: the loss and the score.
Each is an `ExpressionNet`; `read` gives what it says of pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.losses import beta_nll, concordance_loss, evidential_regression, kl_continuous
from paperlib.models.expression import ExpressionNet
from paperlib.shapes import check_shapes

DROPOUT, PASSES = 0.5, 20  # of MC dropout


class Reading(NamedTuple):
    """What a network says of pictures: class probabilities (batch, classes), and scores (batch,) of its uncertainty."""

    probability: Tensor
    scores: Mapping[str, Tensor]  # the larger, the less sure


def entropy(probability: Tensor) -> Tensor:
    """Of rows (..., classes) that sum to one, in nats."""
    return -torch.special.xlogy(probability, probability).sum(dim=-1)


def read(model: ExpressionNet, x: Tensor) -> Reading:
    """The method's own score, if it has one, beside the entropy of its probabilities."""
    if isinstance(model, DropoutNet | JointNet):
        return model.read(x)
    probability = model(x).softmax(dim=1)
    scores = {"entropy": entropy(probability)}
    attention = getattr(model, "attention", None)
    if attention is not None:  # SCN's weight
        scores["weight"] = 1 - attention(model.features(x)).float().sigmoid().squeeze(1)
    return Reading(probability, scores)


class DropoutNet(ExpressionNet):
    """MC dropout (Gal and Ghahramani, ICML 2016) before the classifier; the dropout stays on when it is read."""

    def __init__(self, backbone: nn.Module, features: int, *, n: int, classes: int) -> None:
        super().__init__(backbone, features, n=n, classes=classes)
        self.dropout = nn.Dropout(DROPOUT)

    def logits(self, x: Tensor) -> Tensor:
        return self.classifier(self.dropout(self.features(x))).float()

    def read(self, x: Tensor) -> Reading:
        """The mean of PASSES passes, its entropy, and how much the passes tell apart (mutual information)."""
        features = self.features(x)
        passes = torch.stack(
            [self.classifier(F.dropout(features, DROPOUT)).float().softmax(dim=1) for _ in range(PASSES)]
        )
        return Reading(passes.mean(dim=0), disagreement(passes))


def disagreement(passes: Tensor) -> dict[str, Tensor]:
    """Scores of the mean of several predictions (passes, batch, classes): of dropout's passes, or an ensemble's."""
    whole = entropy(passes.mean(dim=0))
    return {"entropy": whole, "mutual information": whole - entropy(passes).mean(dim=0)}


class SoftLabelNet(ExpressionNet):
    """Trained by the cross-entropy to a distribution for each training row (n, classes) in place of its label."""

    target: Tensor

    def __init__(self, backbone: nn.Module, features: int, *, target: Tensor) -> None:
        super().__init__(backbone, features, n=len(target), classes=target.shape[1])
        self.register_buffer("target", target)

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        logits = self.logits(x)
        self.remember(logits, label, row)
        return F.cross_entropy(logits, self.target[row])


class JointNet(ExpressionNet):
    """Learns categories and valence and arousal together; the two losses weigh the same.

    Args:
        target: (n, d) of every training row: one rater's valence and arousal, or with "disagreement" the raters' mean
            and then their standard deviation (d = 4).
        method: a name in METHODS.
    """

    target: Tensor

    def __init__(
        self, backbone: nn.Module, features: int, *, target: Tensor, classes: int, method: str
    ) -> None:
        super().__init__(backbone, features, n=len(target), classes=classes)
        self.register_buffer("target", target)
        outputs, self.affect_loss, self.score = METHODS[method]
        self.affect = nn.Linear(features, outputs)

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        features = self.features(x)
        logits = self.classifier(features).float()
        self.remember(logits, label, row)
        return F.cross_entropy(logits, label) + self.affect_loss(
            self.affect(features).float(), self.target[row]
        )

    def read(self, x: Tensor) -> Reading:
        features = self.features(x)
        probability = self.classifier(features).float().softmax(dim=1)
        return Reading(
            probability, {"entropy": entropy(probability)} | self.score(self.affect(features).float())
        )


def _gaussian(loss: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda out, target: loss(out[:, :2], out[:, 2:], target).mean()


def _mean_squared_error(out: Tensor, target: Tensor) -> Tensor:
    check_shapes("n d, n d", predicted=out, target=target)  # torch would broadcast, and only warn
    return F.mse_loss(out, target)


def _variance(out: Tensor) -> dict[str, Tensor]:
    return {"variance": out.chunk(2, dim=1)[1].exp().sum(dim=1)}


def _evidence(out: Tensor) -> Tensor:
    """nu, alpha > 1 and beta of (batch, 8) outputs, stacked (3, batch, 2)."""
    _, nu, alpha, beta = out.chunk(4, dim=1)
    return torch.stack([F.softplus(nu) + 1e-6, F.softplus(alpha) + 1 + 1e-3, F.softplus(beta) + 1e-6])


def _evidential_loss(out: Tensor, target: Tensor) -> Tensor:
    nu, alpha, beta = _evidence(out)
    return evidential_regression(out[:, :2], nu, alpha, beta, target).mean()


def _evidential_scores(out: Tensor) -> dict[str, Tensor]:
    nu, alpha, beta = _evidence(out)
    variance = beta / (alpha - 1)
    return {"variance": variance.sum(dim=1), "variance of the mean": (variance / nu).sum(dim=1)}


# What a method's linear layer gives, what it is trained by, and the scores read from it.
METHODS: Mapping[
    str, tuple[int, Callable[[Tensor, Tensor], Tensor], Callable[[Tensor], dict[str, Tensor]]]
] = {
    "concordance": (2, concordance_loss, lambda out: {}),
    "KL": (4, _gaussian(kl_continuous), _variance),
    "beta-NLL": (4, _gaussian(beta_nll), _variance),
    "evidential": (8, _evidential_loss, _evidential_scores),
    "disagreement": (
        4,
        _mean_squared_error,
        lambda out: {"variance": out[:, 2:].clamp_min(0).square().sum(dim=1)},
    ),
}
