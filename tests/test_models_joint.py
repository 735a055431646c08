"""Networks whose features are their input, so that what they say can be worked out by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from torch import nn
from torch.testing import assert_close

from paperlib import metrics
from paperlib.models.joint import METHODS, DropoutNet, JointNet, SoftLabelNet, disagreement, entropy, read

N, FEATURES, CLASSES = 12, 6, 3
OUTPUTS = {"concordance": 2, "KL": 4, "beta-NLL": 4, "evidential": 8, "disagreement": 4}
LABEL = torch.arange(N) % CLASSES
every_method = pytest.mark.parametrize("method", METHODS)


@given(p=arrays(np.float64, (4, 5), elements=st.floats(0, 1)).filter(lambda p: (p.sum(axis=1) > 0).all()))
def test_entropy_is_scipys(p):
    p = p / p.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(entropy(torch.from_numpy(p)), stats.entropy(p, axis=1), atol=1e-12)


def test_mutual_information_is_the_mean_divergence_from_the_mean(rng):
    passes = rng.dirichlet(np.ones(4), size=(5, 7))
    found = disagreement(torch.from_numpy(passes))
    np.testing.assert_allclose(found["entropy"], stats.entropy(passes.mean(axis=0), axis=1))
    apart = stats.entropy(passes, passes.mean(axis=0)[None], axis=2).mean(axis=0)
    np.testing.assert_allclose(found["mutual information"], apart)
    assert (apart > 0).all()


def test_a_reading_is_the_mean_of_twenty_passes_and_follows_the_seed():
    dropped, x = DropoutNet(nn.Identity(), FEATURES, n=N, classes=CLASSES).eval(), torch.randn(N, FEATURES)
    torch.manual_seed(3)
    found = read(dropped, x)
    torch.manual_seed(3)
    kept = [
        F.dropout(torch.ones_like(x), 0.5) for _ in range(20)
    ]  # the same draws: twice a feature, or nought
    by_hand = torch.stack([dropped.classifier(mask * x).softmax(dim=1) for mask in kept])
    assert_close(found.probability, by_hand.mean(dim=0))
    assert_close(found.scores, disagreement(by_hand))
    torch.manual_seed(3)
    assert_close(read(dropped, x).probability, found.probability, rtol=0, atol=0)
    assert not torch.equal(read(dropped, x).probability, found.probability)


def test_targets_are_those_of_the_rows_and_the_given_label_only_counts_as_remembered(rng):
    target = torch.from_numpy(rng.dirichlet(np.ones(CLASSES), N)).float()
    soft, x = SoftLabelNet(nn.Identity(), FEATURES, target=target), torch.randn(2, FEATURES)
    rows = torch.tensor([5, 2])
    log_p = soft(x).log_softmax(dim=1)
    by_hand = -(target[rows] * log_p).sum() / 2
    assert_close(soft(x, torch.tensor([0, 1]), rows), by_hand)
    assert_close(soft(x, torch.tensor([2, 2]), rows), by_hand)
    assert_close(soft.doubt()[5], -(log_p[0, 0] + log_p[0, 2]) / 2)


def by_hand(method, out, target):
    """The loss of valence and arousal by somebody else's code."""
    mean = out[:, :2]
    match method:
        case "concordance":
            return 1 - torch.from_numpy(metrics.ccc(mean.numpy(), target.numpy())).mean()
        case "KL":
            return F.gaussian_nll_loss(mean, target, out[:, 2:].exp())  # no error is above one
        case "beta-NLL":
            variance = out[:, 2:].exp()
            nll = F.gaussian_nll_loss(mean, target, variance, full=True, reduction="none")
            return (variance.sqrt() * nll).mean()
        case "evidential":
            nu, alpha, beta = (np.logaddexp(0, x.numpy()) for x in out[:, 2:].split(2, dim=1))
            nu, alpha, beta = nu + 1e-6, alpha + 1.001, beta + 1e-6
            scale = np.sqrt(beta * (1 + nu) / (nu * alpha))
            nll = -stats.t.logpdf(target, 2 * alpha, loc=mean, scale=scale)
            return torch.from_numpy(nll + 0.01 * (target - mean).abs().numpy() * (2 * nu + alpha)).mean()
        case "disagreement":
            return (out - target).square().mean()


@every_method
def test_the_affect_loss_is_the_named_one(method, rng):
    out = torch.from_numpy(rng.uniform(-0.4, 0.4, (N, OUTPUTS[method])))
    target = torch.from_numpy(rng.uniform(-0.5, 0.5, (N, 4 if method == "disagreement" else 2)))
    assert_close(METHODS[method][1](out, target), torch.as_tensor(by_hand(method, out, target)))


@every_method
def test_the_loss_is_cross_entropy_plus_the_named_loss_on_the_rows_own_targets(method):
    target = torch.rand(N, 4 if method == "disagreement" else 2)
    net = JointNet(nn.Identity(), FEATURES, target=target, classes=CLASSES, method=method)
    x = torch.randn(5, FEATURES)
    rows = torch.tensor([7, 0, 3, 11, 4])
    named = METHODS[method][1](net.affect(x), net.target[rows])
    logits = net.classifier(x)
    expected = F.cross_entropy(logits, LABEL[rows]) + named
    assert_close(net(x, LABEL[rows], rows), expected)
    # what is remembered is of the category alone
    assert_close(net.doubt()[rows], F.cross_entropy(logits, LABEL[rows], reduction="none"))
    net.target = net.target[:, :1]
    with pytest.raises(ValueError, match="expected .*; got"):
        net(x, LABEL[rows], rows)


def test_evidential_variances_by_hand():
    out = torch.tensor([[0.1, -0.1, 0.3, -2.0, 1.0, 0.0, -1.0, 2.0]], dtype=torch.float64)
    nu = np.logaddexp(0, [0.3, -2.0]) + 1e-6
    alpha = np.logaddexp(0, [1.0, 0.0]) + 1.001
    beta = np.logaddexp(0, [-1.0, 2.0]) + 1e-6
    found = METHODS["evidential"][2](out)
    assert found["variance"].item() == pytest.approx(np.sum(stats.invgamma.mean(alpha, scale=beta)))
    of_mean = np.sum(stats.invgamma.mean(alpha, scale=beta) / nu)
    assert found["variance of the mean"].item() == pytest.approx(of_mean)
