"""LDLVA term by term: eqs. 3 to 11 of le2023, what stands in the bank, and what the gradient reaches."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

from paperlib.models.ldlva import (
    LDLVA,
    PAPER,
    RELEASE,
    CalibrationNetwork,
    move_centres,
    pull,
)

N, K, CLASSES, V = 12, 3, 4, 5
PICTURES = torch.randn(N, 3, generator=torch.Generator().manual_seed(1))
LABEL = torch.arange(N) % CLASSES
ROW = torch.tensor([7, 2, 11, 4])
HALF = replace(PAPER, factor_start=0.5)


def network(options=PAPER, *, pictures=None, seed=0) -> LDLVA:
    """N pictures whose neighbours are the K rows that follow."""
    torch.manual_seed(seed)
    neighbours = (torch.arange(N)[:, None] + torch.arange(1, K + 1)) % N
    return LDLVA(
        nn.Sequential(nn.Linear(3, V), nn.Tanh()),
        V,
        classes=CLASSES,
        neighbours=neighbours,
        similarity=torch.rand(N, K) * 0.9 + 0.1,
        options=options,
        pictures=pictures,
    )


@torch.no_grad()
def seen(model: LDLVA, *, centres: float = 0.3) -> LDLVA:
    """As if every picture had been visited once by this very network, and the centres had moved."""
    model.visits += 1
    model.bank_prediction.copy_(model(PICTURES).softmax(dim=1))
    model.bank_feature.copy_(model.features(PICTURES))
    model.centres.normal_().mul_(centres)
    return model


def step(model: LDLVA, row=ROW):
    return model(PICTURES[row], LABEL[row], row)


def written_out(model: LDLVA, factor, row=ROW) -> tuple:
    """L_cls and the pull of L_D (eqs. 1 to 6 and 10), picture by picture, each a mean; and the targets."""
    loss, apart, targets = 0.0, 0.0, []
    for i, weight in zip(row.tolist(), factor, strict=True):
        v = model.features(PICTURES[i : i + 1])
        p = model.classifier(v)[0].softmax(dim=0)
        mixture, total = 0.0, 0.0
        for k, s in zip(model.neighbours[i].tolist(), model.similarity[i], strict=True):
            zeta = model.calibration(v, model.bank_feature[k].view(1, 1, V))[0, 0]
            mixture, total = mixture + zeta * s * model.bank_prediction[k], total + zeta * s
        one_hot = torch.eye(CLASSES, dtype=p.dtype)[LABEL[i]]
        targets.append((1 - weight) * one_hot + weight * mixture / total)
        loss = loss - (targets[-1] * p.log()).sum() / len(row)
        apart = apart + (1 - weight) / 2 * (v[0] - model.centres[LABEL[i]]).pow(2).sum() / len(row)
    return loss, apart, torch.stack(targets)


# eqs. 3 to 6


@pytest.mark.parametrize(("name", "norm"), [("layer", nn.LayerNorm), ("batch", nn.BatchNorm1d)])
def test_calibration_is_a_perceptron_on_the_concatenated_features(name, norm):
    net, own, others = CalibrationNetwork(V, norm=name), torch.randn(6, V), torch.randn(6, K, V)
    first, second = nn.Linear(2 * V, 512), nn.Linear(512, 256)
    plain = nn.Sequential(first, norm(512), nn.ReLU(), second, norm(256), nn.ReLU(), nn.Linear(256, 1))
    with torch.no_grad():
        plain[0].weight.copy_(torch.cat([net.own.weight, net.others.weight], dim=1))
        plain[0].bias.copy_(net.own.bias)
    plain[3].load_state_dict(net.hidden.state_dict())
    plain[6].load_state_dict(net.score.state_dict())
    pairs = torch.cat([own.unsqueeze(1).expand(-1, K, -1), others], dim=2)
    assert_close(net(own, others), plain(pairs.flatten(0, 1)).sigmoid().view(6, K))


def test_calibration_floor_bounds_the_value_before_the_sigmoid():
    net = CalibrationNetwork(V, floor=-1.3)
    nn.init.constant_(net.score.bias, -9.0)
    least = 1 / (1 + math.exp(1.3))
    assert_close(net(torch.randn(2, V), torch.randn(2, K, V)), torch.full((2, K), least))


@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
def test_the_loss_is_that_of_the_mixed_target_and_the_pull(factor):
    model = seen(network(replace(PAPER, factor_start=factor)))
    with torch.no_grad():
        expected, apart, target = written_out(model, [factor] * len(ROW))
        assert_close(step(model), expected + 0.1 * apart)
    assert_close(model.target[ROW], target)
    if factor == 0:
        assert_close(expected, F.cross_entropy(model(PICTURES[ROW]), LABEL[ROW]))


# eqs. 7 to 9: the factor


@pytest.mark.parametrize("start", [0.2, 0.7])
@pytest.mark.parametrize("space", ["projected", "sigmoid"])
def test_the_factor_descends_the_loss_of_its_own_picture(space, start):
    options = replace(PAPER, factor=space, factor_start=start, factor_rate=0.01)
    model = seen(network(options), centres=2.0)
    free = model.factor_state[ROW].clone().requires_grad_()
    loss, _, _ = written_out(model, free if space == "projected" else 1 - free.sigmoid())
    expected = free.detach() - 0.01 * torch.autograd.grad(len(ROW) * loss, free)[0]
    step(model)
    if space == "projected":
        expected = expected.clamp(0, 1)
    assert_close(model.factor_state[ROW], expected)
    others = torch.ones(N, dtype=torch.bool).index_fill_(0, ROW, False)
    assert_close(model.factor()[others], torch.full((N - len(ROW),), start))


def test_the_release_starts_and_steps_where_its_code_does():
    model = network(RELEASE)
    trust = torch.tensor(0.5).sigmoid()  # its free value
    assert_close(model.factor(), (1 - trust).expand(N), rtol=0, atol=1e-3)
    assert RELEASE.factor_rate == 10 / 32
    assert isinstance(model.calibration.norm_1, nn.BatchNorm1d) and model.calibration.floor == -1.3


# eq. 10


def repulsion_by_loops(centres, scale):
    m, features = centres.shape
    total = 0.0
    for j in range(m):
        for k in range(m) if scale == "sqrt" else range(j):
            if j != k:
                width = math.sqrt(features) if scale == "sqrt" else features
                total = total + (-(centres[j] - centres[k]).pow(2).sum() / width).exp()
    return total


@pytest.mark.parametrize("scale", ["sqrt", "linear"])
def test_centres_step_down_the_loss_with_each_class_divided_by_one_plus_its_count(scale):
    centres, label = torch.randn(CLASSES, V, requires_grad=True), torch.tensor([0, 0, 2, 2, 2])
    features, factor = torch.randn(5, V), torch.tensor([0.0, 0.4, 1.0, 0.1, 0.2])
    count = torch.bincount(label, minlength=CLASSES)
    loss = (pull(features, centres[label], factor) / (1 + count[label])).sum() + repulsion_by_loops(
        centres, scale
    )
    (gradient,) = torch.autograd.grad(loss, centres)
    with torch.no_grad():
        moved = move_centres(centres, features, label, factor, scale=scale)
    assert_close(moved, centres.detach() - 0.5 * gradient)
    together = torch.ones(CLASSES, V)  # where centres coincide, nothing drives them apart
    assert_close(move_centres(together, together[:0], label[:0], factor[:0], scale=scale), together)


# eq. 11, and what its gradient reaches


def test_the_gradient_reaches_calibration_and_own_features_and_no_neighbour():
    model = seen(network(HALF))
    loss, apart, _ = written_out(model, [0.5] * len(ROW))
    expected = torch.autograd.grad(loss + 0.1 * apart, list(model.parameters()))
    for ours, theirs in zip(
        torch.autograd.grad(step(model), list(model.parameters())), expected, strict=True
    ):
        assert_close(ours, theirs)
        assert theirs.any()


# the bank


def test_online_equals_a_bank_filled_by_the_same_network():
    bank, online = seen(network(HALF)), seen(network(HALF, pictures=lambda row: PICTURES[row]))
    for buffer in (online.bank_prediction, online.bank_feature):
        buffer.fill_(torch.nan)  # nobody looks
    assert_close(step(online), step(bank))
    assert_close(online.target[ROW], bank.target[ROW])


def test_neighbours_that_nobody_saw_do_not_contribute():
    model = network()
    step(model, torch.tensor([0, 1]))
    assert_close(model.aggregated[:2], F.one_hot(LABEL[:2], CLASSES).float())
    step(model, torch.tensor([N - 2, N - 1]))  # the neighbours are rows -1, 0, 1, and 0, 1, 2
    s, z, p = model.similarity, model.calibrated, model.bank_prediction
    for row, at in [(N - 2, [1, 2]), (N - 1, [0, 1])]:
        c = (s[row] * z[row])[at]
        assert_close(model.aggregated[row], (c @ p[:2]) / c.sum())


def test_the_gap_is_the_total_variation_of_what_is_held_and_what_replaces_it():
    model, row = network(PAPER), torch.tensor([3, 5])
    held = []
    for _ in range(2):
        step(model, row)
        held.append(model.bank_prediction[row].clone())
        with torch.no_grad():
            model.classifier.bias.add_(torch.randn(CLASSES))
    assert (held[1] - held[0]).abs().min() > 1e-4
    assert_close(model.bank_gap[row], (held[1] - held[0]).clamp_min(0).sum(dim=1))
