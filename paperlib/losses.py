"""Losses of the papers, one function and one formula each.

A network with a variance head predicts a mean and s = log(variance) for every label. Every loss in `LOSSES` takes
`(mean, log_variance, target)` of equal shape and returns one value per element; the caller averages. All are
computed from s and exp(-s), never from the variance itself, and stay finite for |s| <= `MAX_LOG_VARIANCE`.

The losses of neo2023 compare predictions with a target distribution over K classes and return one value a row. Shapes
other than those stated are a ValueError everywhere: nothing broadcasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from paperlib.shapes import check_shapes

# exp(-s) of a float32 overflows near s = -88; a label on [-1, 1] has no use for a variance outside e^-20 .. e^20.
MAX_LOG_VARIANCE = 20.0


def squared_error(mean: Tensor, log_variance: Tensor, target: Tensor) -> Tensor:
    """(target - mean)^2, the baseline of foteinopoulou2021 (eq. 3); the log variance is not used."""
    check_shapes("..., ..., ...", mean=mean, log_variance=log_variance, target=target)
    return (target - mean).square()


def kl_as_printed(mean: Tensor, log_variance: Tensor, target: Tensor) -> Tensor:
    """KL loss of foteinopoulou2021, eqs. 1 and 2, to the letter; e = target - mean, s = log variance.

    e^2 exp(-s) / 2 + s / 2       where |e| <= 1    (eq. 1)
    (|e| - 1/2) exp(-s) + s       where |e| > 1     (eq. 2)

    The two meet only at s = 0: crossing |e| = 1 the value jumps by s / 2, downwards where the variance is below 1.
    """
    check_shapes("..., ..., ...", mean=mean, log_variance=log_variance, target=target)
    error, s = (target - mean).abs(), _bounded(log_variance)
    near = error.square() * torch.exp(-s) / 2 + s / 2
    far = (error - 0.5) * torch.exp(-s) + s
    return torch.where(error <= 1, near, far)


def kl_continuous(mean: Tensor, log_variance: Tensor, target: Tensor) -> Tensor:
    """KL loss of He et al. 2019 (CVPR, eqs. 9 and 10), from which foteinopoulou2021 starts: s / 2 in both branches.

    smooth_l1(e) exp(-s) + s / 2, with smooth_l1(e) = e^2 / 2 where |e| <= 1 and |e| - 1/2 beyond: value and gradient
    are continuous. Where |e| <= 1 it is the Gaussian negative log-likelihood less log(2 pi) / 2.
    """
    check_shapes("..., ..., ...", mean=mean, log_variance=log_variance, target=target)
    s = _bounded(log_variance)
    return torch.nn.functional.smooth_l1_loss(mean, target, reduction="none") * torch.exp(-s) + s / 2


def gaussian_nll(mean: Tensor, log_variance: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood in nats of the target under N(mean, exp(log_variance)) (Nix & Weigend 1994)."""
    check_shapes("..., ..., ...", mean=mean, log_variance=log_variance, target=target)
    s = _bounded(log_variance)
    return ((target - mean).square() * torch.exp(-s) + s + math.log(2 * math.pi)) / 2


def beta_nll(mean: Tensor, log_variance: Tensor, target: Tensor, *, beta: float = 0.5) -> Tensor:
    """Gaussian NLL weighted by variance^beta, the weight held constant (Seitzer et al., ICLR 2022, eq. 5).

    beta = 0 is the plain NLL; beta = 1 gives the mean the gradient of a squared error. 0.5 is the authors' advice.
    """
    weight = torch.exp(beta * _bounded(log_variance)).detach()
    return weight * gaussian_nll(mean, log_variance, target)


def evidential_regression(
    mean: Tensor, nu: Tensor, alpha: Tensor, beta: Tensor, target: Tensor, *, weight: float = 0.01
) -> Tensor:
    """Elementwise loss of a normal-inverse-gamma prior over a Gaussian (Amini et al., NeurIPS 2020, eqs. 8 to 10).

    The negative log likelihood of a Student t with 2 alpha degrees of freedom, and `weight` times the error times the
    evidence 2 nu + alpha. Its variance is beta / (alpha - 1), that of its mean beta / (nu (alpha - 1)).

    Args:
        mean, nu, alpha, beta, target: of one shape; nu and beta above 0, alpha above 1.
    """
    check_shapes("..., ..., ..., ..., ...", mean=mean, nu=nu, alpha=alpha, beta=beta, target=target)
    omega = 2 * beta * (1 + nu)
    error = target - mean
    likelihood = (
        (math.pi / nu).log() / 2
        - alpha * omega.log()
        + (alpha + 0.5) * (error.square() * nu + omega).log()
        + torch.lgamma(alpha)
        - torch.lgamma(alpha + 0.5)
    )
    return likelihood + weight * error.abs() * (2 * nu + alpha)


def _bounded(log_variance: Tensor) -> Tensor:
    return log_variance.clamp(-MAX_LOG_VARIANCE, MAX_LOG_VARIANCE)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "mse": squared_error,
    "kl_as_printed": kl_as_printed,
    "kl_continuous": kl_continuous,
    "gaussian_nll": gaussian_nll,
    "beta_nll": beta_nll,
}


def weighted_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """-sum_k w_k y_k log softmax(logits)_k (neo2023, eq. 6): (n, K), distributions (n, K) and (n, K) to (n,), in nats.

    Eq. 6 has W_k outside any sum over classes, and does not say whose k it is. `weight` holds either answer: the weight
    of the row's given label in every column, or column k's own weight in every row. With one-hot targets the two are
    one; with soft targets the second is torch's cross_entropy(weight=...).
    """
    check_shapes("n K, n K, n K", logits=logits, target=target, weight=weight)
    return -(weight * target * logits.log_softmax(dim=1)).sum(dim=1)


def weighted_cosine(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """W (1 - cosine similarity of softmax(logits) and target) (neo2023, eq. 7): shapes as in eq. 6, (n,) in [0, W].

    W is the target's mean weight, which is the given label's in the first reading of `weighted_cross_entropy`.
    """
    check_shapes("n K, n K, n K", logits=logits, target=target, weight=weight)
    return _row_weight(target, weight) * (1 - F.cosine_similarity(logits.softmax(dim=1), target, dim=1))


def weighted_l2(predicted: Tensor, affect: Tensor, row_weight: Tensor) -> Tensor:
    """W ||affect - predicted||^2 (neo2023, eq. 8): (n, 2), (n, 2) and (n,) to (n,), a sum over valence and arousal."""
    check_shapes("n 2, n 2, n", predicted=predicted, affect=affect, row_weight=row_weight)
    return row_weight * (affect - predicted).square().sum(dim=1)


def dual_domain(
    logits: Tensor,
    predicted: Tensor,
    target: Tensor,
    affect: Tensor,
    weight: Tensor,
    *,
    l2_weighted: bool = True,
) -> Tensor:
    """Weighted L2 + weighted cross-entropy + weighted cosine loss (neo2023, eq. 9): (n,).

    Logits, target and weight are (n, K), predicted and true valence and arousal (n, 2). `l2_weighted` false gives the
    plain L2 of the paper's figure 5, top.
    """
    row_weight = _row_weight(target, weight) if l2_weighted else torch.ones_like(logits[:, 0])
    categories = weighted_cross_entropy(logits, target, weight) + weighted_cosine(logits, target, weight)
    return categories + weighted_l2(predicted, affect, row_weight)


def _row_weight(target: Tensor, weight: Tensor) -> Tensor:
    return (weight * target).sum(dim=1)


# toisoul2021: losses of a whole batch, predicted and target (n, 2), valence and arousal; each a scalar.
# A correlation needs spread. Of a batch of one, or one whose targets are all alike, it is taken as 0, which pulls
# nowhere; of a small batch it is another quantity than that of the data set, and the more so the smaller the batch.


def concordance_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - mean over columns of the batch's CCC (toisoul2021, eq. 6): in [0, 2], of (n, columns) and (n, columns)."""
    covariance, variances, shift = _batch_moments(predicted, target)
    spread = variances.sum(dim=0) + shift.square()
    return 1 - (2 * covariance / torch.where(spread > 0, spread, 1.0)).mean()


def correlation_loss(predicted: Tensor, target: Tensor) -> Tensor:
    """1 - mean over columns of the batch's Pearson correlation (toisoul2021, eq. 10): shapes and range as in eq. 6."""
    covariance, variances, _ = _batch_moments(predicted, target)
    product = variances.prod(dim=0)
    return (
        1 - (torch.where(product > 0, covariance, 0.0) / torch.where(product > 0, product, 1.0).sqrt()).mean()
    )


def squared_error_sum(predicted: Tensor, target: Tensor) -> Tensor:
    """MSE of valence plus MSE of arousal (toisoul2021, eq. 9), a sum where eqs. 6 and 10 take means."""
    check_shapes("n d, n d", predicted=predicted, target=target)
    return (predicted - target).square().mean(dim=0).sum()


def shake_shake(predicted: Tensor, target: Tensor, coefficients: Tensor) -> Tensor:
    """Eqs. 9, 10 and 6 weighted by alpha, beta, gamma over their sum (toisoul2021, eq. 8, without the categories).

    `coefficients` (3,) in [0, 1] are drawn anew in every iteration by the caller.
    """
    check_shapes("3", coefficients=coefficients)
    terms = [loss(predicted, target) for loss in (squared_error_sum, correlation_loss, concordance_loss)]
    return (coefficients * torch.stack(terms)).sum() / coefficients.sum()


def distillation(student: Tensor, teacher: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Mean over rows of KL(p_teacher || p_student) in nats (toisoul2021, eq. 7), from logits (n, K).

    Both are divided by `temperature` before the softmax, and the loss is multiplied by its square, so that its
    gradient keeps its size (Hinton et al. 2015, sec. 2).
    """
    check_shapes("n K, n K", student=student, teacher=teacher)
    p, q = ((logits / temperature).log_softmax(dim=1) for logits in (teacher, student))
    return F.kl_div(q, p, reduction="batchmean", log_target=True) * temperature**2


def _batch_moments(predicted: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Covariance (columns,), both variances (2, columns) and the difference of means (columns,), over n."""
    check_shapes("n d, n d", predicted=predicted, target=target)
    means = predicted.mean(dim=0), target.mean(dim=0)
    x, y = predicted - means[0], target - means[1]
    return (
        (x * y).mean(dim=0),
        torch.stack([x.square().mean(dim=0), y.square().mean(dim=0)]),
        means[0] - means[1],
    )
