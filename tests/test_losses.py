import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import cosine
from scipy.special import softmax
from torch.testing import assert_close

from paperlib import losses, metrics
from paperlib.losses import (
    LOSSES,
    beta_nll,
    dual_domain,
    evidential_regression,
    gaussian_nll,
    kl_as_printed,
    kl_continuous,
    squared_error,
    weighted_cosine,
    weighted_cross_entropy,
)


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def value(loss, error, log_variance, **options):
    """The loss of one element whose target exceeds the mean by `error`."""
    return loss(tensor(0.25), tensor(log_variance), tensor(0.25 + error), **options).item()


def gradients(loss, mean, log_variance, target, **options):
    mean, log_variance = mean.clone().requires_grad_(), log_variance.clone().requires_grad_()
    total = loss(mean, log_variance, target, **options).sum()
    return torch.autograd.grad(total, (mean, log_variance), materialize_grads=True)


# Worked by hand with exp(-s) a power of two.
@pytest.mark.parametrize(
    ("loss", "error", "s", "expected"),
    [
        (squared_error, -0.5, 7.0, 0.25),
        (kl_as_printed, 0.5, 0.0, 0.125),
        (kl_as_printed, 0.5, math.log(4), 0.03125 + math.log(4) / 2),
        (kl_as_printed, 1.0, math.log(4), 0.125 + math.log(4) / 2),
        (kl_as_printed, 1.5, math.log(4), 0.25 + math.log(4)),
        (kl_as_printed, -1.5, math.log(0.25), 4.0 - math.log(4)),
        (kl_continuous, 0.5, math.log(4), 0.03125 + math.log(4) / 2),
        (kl_continuous, 1.5, math.log(4), 0.25 + math.log(4) / 2),
        (kl_continuous, -1.5, math.log(0.25), 4.0 - math.log(4) / 2),
        (gaussian_nll, 2.0, math.log(4), 0.5 + math.log(4) / 2 + math.log(2 * math.pi) / 2),
        (beta_nll, 2.0, math.log(4), 2 * (0.5 + math.log(4) / 2 + math.log(2 * math.pi) / 2)),
    ],
)
def test_values_worked_by_hand(loss, error, s, expected):
    assert value(loss, error, s) == pytest.approx(expected, rel=1e-12)


def test_gaussian_nll_is_torchs():
    mean, log_variance, target = torch.randn(3, 40, 2, dtype=torch.float64)
    theirs = torch.nn.GaussianNLLLoss(full=True, reduction="none", eps=1e-12)
    assert_close(gaussian_nll(mean, log_variance, target), theirs(mean, target, log_variance.exp()))


def test_beta_of_one_gives_the_mean_the_gradient_of_half_a_squared_error():
    mean, log_variance, target = torch.randn(3, 40, dtype=torch.float64)
    of_mean, of_log_variance = gradients(beta_nll, mean, log_variance, target, beta=1.0)
    assert_close(of_mean, mean - target)
    # Its weight is held constant, so the log variance sees variance / 2 - error^2 / 2.
    assert_close(of_log_variance, (log_variance.exp() - (target - mean).square()) / 2)


@given(
    error=st.floats(-2, 2, width=32), s=st.floats(-1e4, 1e4, width=32), name=st.sampled_from(sorted(LOSSES))
)
def test_single_precision_stays_finite_for_any_log_variance(error, s, name):
    mean, log_variance, target = torch.zeros(1), torch.full((1,), s), torch.full((1,), error)
    of_mean, of_log_variance = gradients(LOSSES[name], mean, log_variance, target)
    loss = LOSSES[name](mean, log_variance, target)
    assert torch.isfinite(torch.cat([loss, of_mean, of_log_variance])).all()


# --- neo2023 ---


CLASS_WEIGHT = tensor(1.0, 2.5, 7.0)
LABEL = torch.tensor([0, 1, 2, 1, 0, 2])


def drawn():
    """Logits and target distributions (6, 3), predicted and true valence and arousal (6, 2)."""
    logits, other = torch.randn(2, 6, 3, dtype=torch.float64)
    return logits, other.softmax(dim=1), *torch.randn(2, 6, 2, dtype=torch.float64)


def weight_of_label():
    return CLASS_WEIGHT[LABEL][:, None].expand(-1, 3)


def weight_of_column():
    return CLASS_WEIGHT.expand(6, -1)


def test_weighted_cross_entropy_is_torchs():
    logits, target, _, _ = drawn()
    theirs = F.cross_entropy(logits, target, weight=CLASS_WEIGHT, reduction="none")
    assert_close(weighted_cross_entropy(logits, target, weight_of_column()), theirs)
    theirs = CLASS_WEIGHT[LABEL] * F.cross_entropy(logits, target, reduction="none")
    assert_close(weighted_cross_entropy(logits, target, weight_of_label()), theirs)


def test_cosine_loss_is_scipys_by_the_targets_mean_weight():
    logits, target, _, _ = drawn()
    theirs = [cosine(p, y) for p, y in zip(logits.softmax(dim=1).numpy(), target.numpy(), strict=True)]
    assert_close(weighted_cosine(logits, target, weight_of_label()), CLASS_WEIGHT[LABEL] * tensor(*theirs))
    mean_weight = target @ CLASS_WEIGHT
    assert_close(weighted_cosine(logits, target, weight_of_column()), mean_weight * tensor(*theirs))


@pytest.mark.parametrize("weight", [weight_of_label(), weight_of_column()])
def test_dual_domain_loss_is_the_sum_and_its_l2_part_alone_may_go_unweighted(weight):
    logits, target, predicted, affect = drawn()
    categories = weighted_cross_entropy(logits, target, weight) + weighted_cosine(logits, target, weight)
    squared = F.mse_loss(predicted, affect, reduction="none").sum(dim=1)
    whole = dual_domain(logits, predicted, target, affect, weight)
    assert_close(whole, categories + (weight * target).sum(dim=1) * squared)
    plain = dual_domain(logits, predicted, target, affect, weight, l2_weighted=False)
    assert_close(plain, categories + squared)


def test_dual_domain_stays_finite_when_the_network_is_certain_and_wrong():
    logits = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    target, affect = torch.tensor([[0.0, 1.0, 0.0]]), torch.zeros(1, 2)
    loss = dual_domain(logits, affect, target, affect, torch.ones(1, 3))
    assert_close(loss, torch.tensor([2e4 + 1]))
    loss.backward()
    assert logits.grad.isfinite().all()


# --- toisoul2021 ---


def pairs(rng, n=50):
    target = torch.from_numpy(rng.uniform(-1, 1, (n, 2)))
    return target + 0.3 * torch.from_numpy(rng.normal(size=(n, 2))) + 0.1, target


def test_correlation_losses_are_one_less_the_metrics_mean(rng):
    predicted, target = pairs(rng)
    for loss, metric in ((losses.concordance_loss, metrics.ccc), (losses.correlation_loss, metrics.pcc)):
        assert loss(predicted, target).item() == pytest.approx(1 - metric(predicted, target).mean())
    assert losses.squared_error_sum(predicted, target).item() == pytest.approx(
        metrics.mse(predicted, target).sum()
    )


def test_shake_shake_is_the_terms_weighted_over_the_coefficients_sum(rng):
    predicted, target = pairs(rng)
    terms = [metrics.mse(predicted, target).sum()]
    terms += [1 - metric(predicted, target).mean() for metric in (metrics.pcc, metrics.ccc)]
    found = losses.shake_shake(predicted, target, torch.tensor([0.2, 0.5, 0.9]))
    assert found.item() == pytest.approx(np.dot([0.2, 0.5, 0.9], terms) / 1.6)


@pytest.mark.parametrize("loss", [losses.concordance_loss, losses.correlation_loss])
@pytest.mark.parametrize("case", ["one row", "constant target", "constant prediction", "all equal"])
def test_a_batch_without_spread_pulls_nowhere_and_is_finite(loss, case, rng):
    predicted, target = (x[:1] if case == "one row" else x for x in pairs(rng))
    if case in ("constant target", "all equal"):
        target = torch.full_like(target, 0.3)
    if case in ("constant prediction", "all equal"):
        predicted = torch.full_like(predicted, 0.3)
    predicted = predicted.clone().requires_grad_()
    value = loss(predicted, target)
    value.backward()
    assert value.item() == pytest.approx(1) and predicted.grad.isfinite().all()
    if case in ("one row", "constant target"):
        assert_close(predicted.grad, torch.zeros_like(predicted))


def test_distillation_is_kl_from_the_teacher(rng):
    student, teacher = (torch.from_numpy(rng.normal(size=(5, 8))) for _ in range(2))
    p, q = (softmax(x.numpy() / 2, axis=1) for x in (teacher, student))
    expected = 4 * np.mean(np.sum(p * np.log(p / q), axis=1))
    assert losses.distillation(student, teacher, temperature=2).item() == pytest.approx(expected)
    assert losses.distillation(teacher, teacher).item() == pytest.approx(0, abs=1e-12)


# --- evidential regression ---


def test_evidential_likelihood_is_scipys_student_t(rng):
    mean, target = torch.from_numpy(rng.normal(size=(2, 40)))
    nu, beta, more = torch.from_numpy(rng.uniform(-4, 3, (3, 40))).exp()  # the range a network may give
    scale = (beta * (1 + nu) / (nu * (1 + more))).sqrt()
    theirs = -stats.t.logpdf(target, 2 + 2 * more, loc=mean, scale=scale)
    ours = evidential_regression(mean, nu, 1 + more, beta, target, weight=0.0)
    assert_close(ours, torch.from_numpy(theirs))


@given(error=st.floats(-3, 3), nu=st.floats(0.01, 20), alpha=st.floats(1.01, 20), weight=st.floats(0, 1))
def test_evidence_costs_its_weight_times_the_error(error, nu, alpha, weight):
    rest = tensor(0.0), tensor(nu), tensor(alpha), tensor(0.4), tensor(error)
    cost = evidential_regression(*rest, weight=weight) - evidential_regression(*rest, weight=0.0)
    assert cost.item() == pytest.approx(weight * abs(error) * (2 * nu + alpha), abs=1e-9)
