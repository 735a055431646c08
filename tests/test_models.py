import io

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from paperlib.models import (
    BACKBONES,
    DualDomainNet,
    LabelVarianceNet,
    NetVLADBackbone,
    TemporalNetVLAD,
    VoteNet,
    build_backbone,
)
from paperlib.models.backbones import COMPACT, TORCHVISION, Stage


def netvlad_by_definition(x, centroids, alpha):
    """Arandjelovic et al. 2018, eqs. 1 and 3, term by term; x (channels, time)."""
    vlad = np.zeros_like(centroids)
    for t in range(x.shape[1]):
        distance = np.array([((x[:, t] - c) ** 2).sum() for c in centroids])
        weight = np.exp(-alpha * distance) / np.exp(-alpha * distance).sum()
        for k, centroid in enumerate(centroids):
            vlad[k] += weight[k] * (x[:, t] - centroid)
    vlad /= np.linalg.norm(vlad, axis=1, keepdims=True)
    return vlad.ravel() / np.linalg.norm(vlad)


@pytest.mark.parametrize("alpha", [0.1, 0.5, 1.0])
def test_netvlad_starts_from_its_definition(rng, alpha):
    vlad = TemporalNetVLAD(5, centroids=3, alpha=alpha).double()
    x = rng.normal(size=(4, 5, 11))
    expected = [netvlad_by_definition(item, vlad.centroids.detach().numpy(), alpha) for item in x]
    assert_close(vlad(torch.from_numpy(x)).detach().numpy(), np.array(expected))


def test_netvlad_ignores_the_order_and_the_number_of_equal_time_steps():
    vlad, x = TemporalNetVLAD(5, centroids=3).double(), torch.randn(2, 5, 11, dtype=torch.float64)
    assert_close(vlad(x[:, :, torch.randperm(11)]), vlad(x))
    assert_close(vlad(x[:, :, :1].expand(-1, -1, 7)), vlad(x[:, :, :1]))


def test_netvlad_gives_every_centroid_an_equal_share():
    parts = TemporalNetVLAD(5, centroids=3)(torch.randn(2, 5, 11)).view(2, 3, 5)
    assert_close(parts.norm(dim=2), torch.full((2, 3), 3**-0.5))


def test_netvlad_learns_assignment_and_centroids_apart():
    vlad, x = TemporalNetVLAD(5, centroids=3).double(), torch.randn(2, 5, 11, dtype=torch.float64)
    before = vlad.assignment(x).detach()
    with torch.no_grad():
        vlad.centroids += 1
    assert_close(vlad.assignment(x).detach(), before)


def test_netvlad_backbone_needs_37_frames():
    backbone = NetVLADBackbone(4)
    assert backbone(torch.randn(2, 37, 4)).shape == (2, backbone.features)
    with pytest.raises(RuntimeError):
        backbone(torch.randn(2, 36, 4))


def test_netvlad_backbone_pools_one_window_by_hand():
    backbone, x = NetVLADBackbone(4, centroids=2).double(), torch.randn(1, 37, 4, dtype=torch.float64)
    weight, bias = backbone.convolution.weight, backbone.convolution.bias
    convolved = [torch.einsum("oct,tc->o", weight, x[0, s : s + 7]) + bias for s in range(0, 35, 5)]
    pooled = torch.stack(convolved).mean(dim=0).relu()
    assert_close(backbone(x), backbone.vlad(pooled.view(1, 4, 1)))


def test_standardisation_undoes_units_and_travels_with_the_weights():
    plain, other = NetVLADBackbone(4), NetVLADBackbone(4)
    x = torch.randn(6, 40, 4)
    plain.standardise_by(x)
    weights = io.BytesIO()
    torch.save(plain.state_dict(), weights)
    weights.seek(0)
    other.load_state_dict(torch.load(weights, weights_only=True))
    assert_close(other(x), plain(x), rtol=0, atol=0)
    other.standardise_by(10 * x - 3)
    assert_close(other(10 * x - 3), plain(x), rtol=1e-4, atol=1e-4)


def test_a_channel_that_never_moves_is_standardised_to_zero():
    backbone, x = NetVLADBackbone(4), torch.randn(6, 40, 4)
    x[:, :, 2] = 3.0
    backbone.standardise_by(x)
    assert_close(((x - backbone.center) / backbone.scale)[:, :, 2], torch.zeros(6, 40))


@pytest.mark.parametrize("name", sorted(COMPACT))
@pytest.mark.parametrize("channels", [1, 3])
def test_compact_backbones_average_over_place(name, channels):
    backbone, features = build_backbone(name, channels=channels)
    x = torch.rand(2, channels, 1, 1).expand(-1, -1, 48, 32)
    with torch.no_grad():
        out, mirrored = backbone.eval()(x), backbone(x.flip(2, 3))
    assert out.shape == (2, features)
    assert_close(out, mirrored)


@pytest.mark.parametrize("name", sorted(TORCHVISION))
def test_torchvision_backbones_say_the_length_of_their_features(name):
    with torch.no_grad(), torch.device("meta"):  # no memory, no arithmetic: the shapes alone
        backbone, features = build_backbone(name, channels=3)
        assert backbone(torch.rand(2, 3, 32, 32)).shape == (2, features)


def test_a_residual_stage_adds_its_input():
    stages = [Stage(2, 4, residual=r).eval() for r in (False, True)]
    stages[1].load_state_dict(stages[0].state_dict())
    for stage in stages:
        nn.init.zeros_(stage.block[-1].weight)
    x = torch.randn(1, 2, 8, 8)
    assert_close(stages[1](x), stages[1].down(x))
    assert_close(stages[0](x), torch.zeros(1, 4, 4, 4))


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


def test_backbones_are_the_compact_and_the_published_ones():
    assert set(BACKBONES) == {*COMPACT, "resnet18", "resnet50", "wide_resnet50_2", "vgg16"}


def test_variance_head_starts_at_the_given_log_variance():
    net = LabelVarianceNet(nn.Flatten(), 6, initial_log_variance=-3.0)
    predicted = net(torch.randn(50, 6))
    assert_close(predicted.log_variance, torch.full((50, 2), -3.0), rtol=0, atol=1e-2)
    assert predicted.mean.std() > 0.05


def test_heads_share_nothing_but_the_backbone():
    net = LabelVarianceNet(nn.Linear(6, 6), 6)
    net(torch.randn(5, 6)).mean.sum().backward()
    assert all(p.grad is None for p in net.variance_head.parameters())
    assert net.backbone.weight.grad.abs().sum() > 0


def test_vote_distribution_of_two_classes_by_hand():
    net = VoteNet(nn.Identity(), 2, coordinates=torch.tensor([[1.0, 0.5], [-1.0, 0.5]]))
    p = torch.tensor([[0.75, 0.25], [0.5, 0.5]])
    mean, log_variance = net.distribution(p.log())
    assert_close(mean, torch.tensor([[0.5, 0.5], [0.0, 0.5]]))
    # A Bernoulli on -1 and 1 has variance 4 p (1 - p); arousal is the same for both: the floor.
    assert_close(log_variance[:, 0].exp(), torch.tensor([0.75, 1.0]))
    assert_close(log_variance[:, 1].exp(), torch.full((2,), 1e-9))


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


def test_dual_domain_heads_read_the_same_features_once():
    asked = []
    net = DualDomainNet(nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Tanh()), 4, classes=8)
    net.backbone.register_forward_hook(lambda module, args, out: asked.append(out))
    predicted = net(torch.randn(5, 1, 2, 3))
    (features,) = asked
    head, affect = net.classifier, net.regressor
    assert_close(predicted.logits, features @ head.weight.T + head.bias)
    assert_close(predicted.affect, features @ affect.weight.T + affect.bias)
    assert predicted.logits.shape == (5, 8) and predicted.affect.shape == (5, 2)


def test_dual_domain_heads_share_nothing_but_the_backbone():
    net = DualDomainNet(nn.Linear(6, 4), 4, classes=8)
    net(torch.randn(5, 6)).affect.sum().backward()
    assert net.classifier.weight.grad is None
    assert net.backbone.weight.grad.abs().sum() > 0


def test_dual_domain_answers_in_full_precision_and_without_a_bound():
    net = DualDomainNet(nn.Linear(6, 4), 4, classes=8)
    nn.init.constant_(net.regressor.bias, 3.0)
    with torch.autocast("cpu", torch.bfloat16):
        assert net.backbone(torch.randn(5, 6)).dtype == torch.bfloat16
        predicted = net(torch.zeros(5, 6))
    assert predicted.logits.dtype == predicted.affect.dtype == torch.float32
    assert (predicted.affect > 1).all()
