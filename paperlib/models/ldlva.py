"""le2023: label distributions rebuilt from neighbours in the valence-arousal plane (LDLVA).

What the paper leaves open, and where its authors' released code departs from it, is a field of `LDLVAOptions`;
`PAPER` and `RELEASE` are the two settings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from paperlib.models.expression import ExpressionNet
from paperlib.shapes import check_shapes


@dataclass(frozen=True, kw_only=True)
class LDLVAOptions:
    """How the label distribution is made; defaults are the paper, its gaps filled.

    delta: of the local similarity, in units of valence and arousal in [-1, 1]. See `labels.local_similarity`.
    similarity: "squared", exp(-d^2 / delta^2) (eq. 2); "absolute", exp(-(|dv| + |da|) / delta) (release).
    calibrate: whether neighbours are weighed by the calibration network (adaptive similarity) or by s alone.
    calibration_floor: bound of the value before the sigmoid; the release has -1.3. -inf: none.
    calibration_norm: "layer" (paper) or "batch" (release).
    factor: the space in which the uncertainty factor is stepped. "projected": lambda itself, cut to [0, 1] after each
        step, because a first positive gradient would lead from the paper's start at 0 below it. "sigmoid": a free
        value, as the release has it.
    factor_start: lambda before training (the release's free value 0.5 is lambda 0.378).
    factor_rate: of its own gradient descent, for the classification loss of its own picture (eqs. 7 to 9: eq. 10 holds
        lambda too, and does not move it). 0: lambda stays as it is (Table 4, ii). The release's 10 on a mean over 32 is
        0.3125 here. By Adam, the paper's, every factor would step equally far.
    factor_after: visits of a picture before its factor moves. The paper starts from a pretrained network and waits for
        nothing; a network from scratch doubts every label at first.
    gamma: weight of the discriminative loss; 0 leaves it out.
    repulsion: of the centres: "sqrt", squared distances over sqrt(V), ordered pairs (eq. 10); "linear", over V, each
        pair once (release).
    """

    delta: float = 0.5
    similarity: str = "squared"
    calibrate: bool = True
    calibration_floor: float = -torch.inf
    calibration_norm: str = "layer"
    factor: str = "projected"
    factor_start: float = 0.0
    factor_rate: float = 0.3125
    factor_after: int = 0
    gamma: float = 0.1
    repulsion: str = "sqrt"


PAPER = LDLVAOptions()
# The release averages its pull over a picture and its 8 neighbours, which it does not train: a ninth is left.
RELEASE = LDLVAOptions(
    similarity="absolute",
    calibration_floor=-1.3,
    calibration_norm="batch",
    factor="sigmoid",
    factor_start=0.378,
    gamma=0.01 / 9,
    repulsion="linear",
)


class CalibrationNetwork(nn.Module):
    """How far a neighbour is to be believed (eq. 3): features (batch, V), (batch, K, V) to scores (batch, K) in (0, 1).

    A perceptron of 512, 256 and 1 units on the two concatenated features. Its first layer is written as a sum, so that
    the picture's own half is computed once instead of K times. Without a `floor` nothing holds the scores' level: eq. 5
    uses their ratios only.
    """

    def __init__(self, features: int, *, norm: str = "layer", floor: float = -torch.inf) -> None:
        super().__init__()
        self.own = nn.Linear(features, 512)
        self.others = nn.Linear(features, 512, bias=False)
        self.norm_1, self.norm_2 = (_NORMS[norm](width) for width in (512, 256))
        self.hidden = nn.Linear(512, 256)
        self.score = nn.Linear(256, 1)
        self.floor = floor

    def forward(self, own: Tensor, others: Tensor) -> Tensor:
        batch, k, _ = others.shape
        x = (self.own(own).unsqueeze(1) + self.others(others)).flatten(0, 1)
        x = F.relu(self.norm_1(x))
        x = F.relu(self.norm_2(self.hidden(x)))
        return self.score(x).float().clamp_min(self.floor).sigmoid().view(batch, k)


_NORMS: dict[str, type[nn.Module]] = {"layer": nn.LayerNorm, "batch": nn.BatchNorm1d}


def aggregate(contribution: Tensor, prediction: Tensor, label: Tensor) -> Tensor:
    """The neighbours' distribution (eq. 5): contributions (batch, K), predictions (batch, K, m) to (batch, m).

    Where no neighbour contributes (none was seen yet, or all are too far for the exponential) it is the label
    (batch, m) itself.
    """
    check_shapes("b K, b K m, b m", contribution=contribution, prediction=prediction, label=label)
    total = contribution.sum(dim=1, keepdim=True)
    share = contribution / torch.where(total > 0, total, 1)
    return torch.where(total > 0, (share.unsqueeze(2) * prediction).sum(dim=1), label)


def repulsion(centres: Tensor, *, scale: str) -> Tensor:
    """The second sum of eq. 10 over centres (m, V); see `LDLVAOptions.repulsion`.

    It holds no picture's feature, so it moves the centres and never the network, and has no gradient where centres
    coincide, as they do at their start at zero.
    """
    m, features = centres.shape
    pairs = torch.triu_indices(m, m, 1)
    squared = (centres[pairs[0]] - centres[pairs[1]]).square().sum(dim=1)
    if scale == "sqrt":
        return 2 * (-squared / features**0.5).exp().sum()
    return (-squared / features).exp().sum()


def pull(features: Tensor, centres: Tensor, factor: Tensor) -> Tensor:
    """The first sum of eq. 10, picture by picture: (batch, V) features, their classes' centres and factors (batch,)."""
    check_shapes("b V, b V, b", features=features, centres=centres, factor=factor)
    return (1 - factor) * (features - centres).square().sum(dim=1) / 2


def move_centres(centres: Tensor, features: Tensor, label: Tensor, factor: Tensor, *, scale: str) -> Tensor:
    """Centres (m, V) after a step down eq. 10, which takes each class's mean of the batch and not its sum.

    The rate of 1/2 and the division by one plus the class's count are those of Wen et al. (ECCV 2016, eq. 4), whom
    le2023 says it follows; pictures weigh 1 - lambda.
    """
    check_shapes("m V, b V, b, b", centres=centres, features=features, label=label, factor=factor)
    one_hot = F.one_hot(label, len(centres)).float()
    weight = one_hot * (1 - factor).unsqueeze(1)
    attraction = weight.sum(dim=0).unsqueeze(1) * centres - weight.T @ features
    attraction = attraction / (1 + one_hot.sum(dim=0)).unsqueeze(1)
    return centres - 0.5 * (attraction + torch.func.grad(lambda c: repulsion(c, scale=scale))(centres))


class LDLVA(ExpressionNet):
    """Trained on label distributions mixed from the given label and the neighbours' predictions (le2023, fig. 2).

    Args:
        neighbours, similarity: (n, K) rows in the training set and their s (eq. 2): `labels.nearest_in_affect` and
            `labels.local_similarity`.
        pictures: gives the network's input for rows (r,) of the training set. With it, neighbours are sent through the
            network in every step, in training mode and without gradient, as the release does it (`online`). Without
            it, their predictions and features are those of when each was last seen itself (`bank`).
    """

    neighbours: Tensor  # (n, K)
    similarity: Tensor  # (n, K)
    factor_state: Tensor  # (n,) lambda, or the free value behind it
    centres: Tensor  # (classes, features)
    bank_prediction: Tensor  # (n, classes)
    bank_feature: Tensor  # (n, features)
    bank_gap: Tensor  # (n,) total variation between an entry and the one before it
    target: Tensor  # (n, classes) at the last visit; what follows too
    aggregated: Tensor  # (n, classes)
    calibrated: Tensor  # (n, K)

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        *,
        classes: int,
        neighbours: Tensor,
        similarity: Tensor,
        options: LDLVAOptions = PAPER,
        pictures: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        n = len(neighbours)
        super().__init__(backbone, features, n=n, classes=classes)
        self.options, self.pictures = options, pictures
        self.calibration = CalibrationNetwork(
            features, norm=options.calibration_norm, floor=options.calibration_floor
        )
        start = options.factor_start
        state = torch.tensor(start) if options.factor == "projected" else torch.logit(torch.tensor(1 - start))
        self.register_buffer("neighbours", neighbours)
        self.register_buffer("similarity", similarity)
        self.register_buffer("factor_state", state.expand(n).clone())
        self.register_buffer("centres", torch.zeros(classes, features))
        self.register_buffer("bank_prediction", torch.zeros(n, classes))
        self.register_buffer("bank_feature", torch.zeros(n, features))
        self.register_buffer("bank_gap", torch.zeros(n))
        self.register_buffer("target", torch.zeros(n, classes))
        self.register_buffer("aggregated", torch.zeros(n, classes))
        self.register_buffer("calibrated", torch.zeros(neighbours.shape))

    def factor(self, row: Tensor | slice = slice(None)) -> Tensor:
        """Lambda of these rows, in [0, 1]: 0 trusts the label, 1 the neighbours."""
        state = self.factor_state[row]
        return state if self.options.factor == "projected" else 1 - state.sigmoid()

    def doubt(self) -> Tensor:
        """The uncertainty factor."""
        return self.factor()

    def loss(self, x: Tensor, label: Tensor, row: Tensor) -> Tensor:
        v = self.features(x)
        logits = self.classifier(v).float()
        log_p = logits.log_softmax(dim=1)
        one_hot = F.one_hot(label, self.classes).float()
        near_prediction, near_feature, contribution = self._neighbours_of(row)
        if self.options.calibrate:
            zeta = self.calibration(v, near_feature)
            self.calibrated[row] = zeta.detach()
            contribution = contribution * zeta
        aggregated = aggregate(contribution, near_prediction, one_hot)
        factor = self.factor(row)
        target = (1 - factor).unsqueeze(1) * one_hot + factor.unsqueeze(1) * aggregated
        value = -(target * log_p).sum(dim=1).mean()
        if self.options.gamma:
            value = value + self.options.gamma * pull(v, self.centres[label], factor).mean()
        self.remember(logits, label, row)
        with torch.no_grad():
            self.target[row], self.aggregated[row] = target, aggregated
            gradient = -(aggregated * log_p).sum(dim=1) + (one_hot * log_p).sum(dim=1)  # eq. 9
            self._step_factor(row, gradient)
            if self.options.gamma:
                self.centres.copy_(move_centres(self.centres, v, label, factor, scale=self.options.repulsion))
            self._store(row, log_p.exp(), v)
        return value

    def _neighbours_of(self, row: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predictions (batch, K, m), features (batch, K, V) and contributions (batch, K) before calibration."""
        near = self.neighbours[row]
        similarity = self.similarity[row]
        if self.pictures is None:
            seen = self.visits[near] > 0
            return self.bank_prediction[near], self.bank_feature[near], similarity * seen
        with torch.no_grad():
            v = self.features(self.pictures(near.flatten()))
            prediction = self.classifier(v).float().softmax(dim=1)
        return prediction.view(*near.shape, -1), v.view(*near.shape, -1), similarity

    def _step_factor(self, row: Tensor, gradient: Tensor) -> None:
        late = self.visits[row] > self.options.factor_after
        row, gradient = row[late], gradient[late]
        state = self.factor_state[row]
        if self.options.factor == "projected":
            state = (state - self.options.factor_rate * gradient).clamp(0, 1)
        else:
            trust = state.sigmoid()
            state = state + self.options.factor_rate * gradient * trust * (1 - trust)
        self.factor_state[row] = state

    def _store(self, row: Tensor, prediction: Tensor, features: Tensor) -> None:
        self.bank_gap[row] = (prediction - self.bank_prediction[row]).abs().sum(dim=1) / 2
        self.bank_prediction[row] = prediction
        self.bank_feature[row] = features
