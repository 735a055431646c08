import numpy as np
import pytest
import torch
from scipy.special import softmax
from torch import nn
from torch.testing import assert_close

from paperlib.models import DualDomainNet
from paperlib.models.backbones import COMPACT, build_backbone
from paperlib.models.label_variance import NetVLADBackbone, TemporalNetVLAD, VoteNet


def netvlad_by_definition(x, centroids):
    """Arandjelovic et al. 2018, eqs. 1 and 3 with alpha of 1, term by term; x (channels, time)."""
    vlad = np.zeros_like(centroids)
    for t in range(x.shape[1]):
        distance = np.array([((x[:, t] - c) ** 2).sum() for c in centroids])
        weight = softmax(-distance)
        for k, centroid in enumerate(centroids):
            vlad[k] += weight[k] * (x[:, t] - centroid)
    vlad /= np.linalg.norm(vlad, axis=1, keepdims=True)
    return vlad.ravel() / np.linalg.norm(vlad)


def test_netvlad_starts_from_its_definition(rng):
    vlad = TemporalNetVLAD(5, centroids=3).double()
    x = rng.normal(size=(4, 5, 11))
    expected = [netvlad_by_definition(item, vlad.centroids.detach().numpy()) for item in x]
    assert_close(vlad(torch.from_numpy(x)).detach().numpy(), np.array(expected))


def test_netvlad_backbone_pools_one_window_by_hand():
    backbone, x = NetVLADBackbone(4, centroids=2).double(), torch.randn(1, 37, 4, dtype=torch.float64)
    weight, bias = backbone.convolution.weight, backbone.convolution.bias
    convolved = [torch.einsum("oct,tc->o", weight, x[0, s : s + 7]) + bias for s in range(0, 35, 5)]
    pooled = torch.stack(convolved).mean(dim=0).relu()
    assert_close(backbone(x), backbone.vlad(pooled.view(1, 4, 1)))


@pytest.mark.parametrize("name", sorted(COMPACT))
@pytest.mark.parametrize("channels", [1, 3])
def test_compact_backbones_average_over_place(name, channels):
    backbone, features = build_backbone(name, channels=channels)
    x = torch.rand(2, channels, 1, 1).expand(-1, -1, 48, 32)
    with torch.no_grad():
        out, mirrored = backbone.eval()(x), backbone(x.flip(2, 3))
    assert out.shape == (2, features)
    assert_close(out, mirrored)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("resnet19", {"channels": 3}, "backbone must be one of .*got 'resnet19'"),
        ("resnet18", {"channels": 1}, "resnet18 takes pictures with 3 channels; got 1"),
        ("compact_vgg", {"channels": 3, "pretrained": True}, "no ImageNet weights for compact_vgg"),
    ],
)
def test_a_backbone_that_cannot_be_built_says_why(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_backbone(name, **options)


def test_vote_distribution_is_numpys_weighted_moments(rng):
    coordinates = torch.from_numpy(rng.uniform(-1, 1, size=(8, 2)))
    net = VoteNet(nn.Identity(), 8, coordinates=coordinates)
    logits = torch.from_numpy(rng.normal(size=(5, 8)))
    mean, log_variance = net.distribution(logits)
    for i, p in enumerate(logits.softmax(dim=1).numpy()):
        centre = np.average(coordinates.numpy(), axis=0, weights=p)
        spread = np.average((coordinates.numpy() - centre) ** 2, axis=0, weights=p)
        assert_close(mean[i].numpy(), centre)
        assert_close(log_variance[i].exp().numpy(), spread)


def test_dual_domain_answers_in_full_precision_and_without_a_bound():
    net = DualDomainNet(nn.Linear(6, 4), 4, classes=8)
    nn.init.constant_(net.regressor.bias, 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert net.backbone(torch.randn(5, 6)).dtype == torch.bfloat16
        predicted = net(torch.zeros(5, 6))
    assert predicted.logits.dtype == predicted.affect.dtype == torch.float32
    assert (predicted.affect > 1).all()
