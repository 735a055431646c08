"""SCN and RUL on inputs that are read as weight, logits, mean and log variance."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from paperlib.models.rivals import RelativeUncertaintyNet, SelfCureNet

N, CLASSES = 10, 3
LABELS = torch.zeros(N, dtype=torch.long)
ROWS = torch.arange(N)


def scn(relabel_after=0) -> SelfCureNet:
    """The first input is the weight before its sigmoid, the other three are the logits before they are weighed."""
    net = SelfCureNet(nn.Identity(), 1 + CLASSES, labels=LABELS, classes=CLASSES, relabel_after=relabel_after)
    with torch.no_grad():
        net.attention.weight.copy_(torch.eye(4)[:1])
        net.classifier.weight.copy_(torch.eye(4)[1:])
        net.attention.bias.zero_()
        net.classifier.bias.zero_()
    return net


def inputs(weight, logits):
    return torch.cat([torch.as_tensor(weight).logit()[:, None], torch.as_tensor(logits)], dim=1)


# rows 1, 4 and 8 are the low three
WEIGHT = torch.tensor([0.9, 0.2, 0.8, 0.7, 0.3, 0.6, 0.95, 0.85, 0.1, 0.65])


def test_scn_multiplies_logits_by_the_weight_in_training_and_at_test():
    x = inputs(torch.tensor([0.25, 0.5]), torch.tensor([[4.0, 0.0, 0.0], [2.0, 2.0, 0.0]]))
    assert_close(scn()(x), torch.tensor([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]))


@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_scn_rank_loss_by_hand(scale):
    logits, weight = torch.randn(N, CLASSES), scale * WEIGHT
    loss = scn()(inputs(weight, logits), LABELS, ROWS)
    gap = scale * (5.45 / 7 - 0.6 / 3)
    expected = F.cross_entropy(logits * weight[:, None], LABELS) + max(0.0, 0.15 - gap)
    assert_close(loss, expected)


@pytest.mark.parametrize("n", [2, 3])
def test_scn_always_has_two_groups(n):
    loss = scn()(inputs(WEIGHT[:n], torch.randn(n, CLASSES)), LABELS[:n], ROWS[:n])
    assert loss.isfinite()


def logits_with_margin(weight, margin):
    """Logits of classes 0 and 1 alone, so that after weighing class 1 is `margin` more probable than class 0."""
    p = (1 + margin) / 2
    apart = math.log(p / (1 - p)) / weight
    return torch.stack([torch.zeros(N), apart, torch.full((N,), -1e4)], dim=1)


def test_scn_rank_loss_pushes_the_groups_apart():
    x = inputs(torch.linspace(0.5, 0.52, N), torch.zeros(N, CLASSES)).requires_grad_()
    scn()(x, LABELS, ROWS).backward()
    assert (x.grad[:3, 0] > 0).all() and (x.grad[3:, 0] < 0).all()


def test_scn_relabels_only_the_low_group_only_late_and_for_good():
    net, x = scn(relabel_after=1), inputs(WEIGHT, logits_with_margin(WEIGHT, 0.3))
    net(x, LABELS, ROWS)
    assert net.label.tolist() == [0] * N
    net(x, LABELS, ROWS)
    corrected = [int(row in (1, 4, 8)) for row in range(N)]
    assert net.label.tolist() == corrected
    loss = net(x, LABELS, ROWS)  # the data set's labels say 0 for ever
    assert_close(loss, F.cross_entropy(net(x), torch.tensor(corrected)))  # the groups are apart
    assert net.label.tolist() == corrected


@pytest.mark.parametrize(("margin", "relabelled"), [(0.19, 0), (0.21, 3)])
def test_scn_relabels_by_a_margin(margin, relabelled):
    net = scn()
    net(inputs(WEIGHT, logits_with_margin(WEIGHT, margin)), LABELS, ROWS)
    assert net.label.sum() == relabelled


def test_scn_doubts_by_the_last_weight_and_remembers_the_loss_to_the_given_label():
    net, x = scn(), inputs(WEIGHT, logits_with_margin(WEIGHT, 0.3))
    for weight in (WEIGHT.flip(0), WEIGHT):
        net(inputs(weight, logits_with_margin(weight, 0.3)), LABELS, ROWS)
    assert_close(net.doubt(), 1 - WEIGHT)
    given = F.cross_entropy(net(x), LABELS, reduction="none")
    assert_close(net.total_loss / net.visits, given)


class Columns(nn.Module):
    """Some columns of the input, repeated to RUL's embedding of 64."""

    def __init__(self, *columns: int) -> None:
        super().__init__()
        self.columns = columns

    def forward(self, x):
        return x[:, self.columns].repeat(1, 64 // len(self.columns))


def rul(monkeypatch) -> RelativeUncertaintyNet:
    """The mean is the first column in every unit, log variances the second and third; row i mixes with i + 1."""
    net = RelativeUncertaintyNet(nn.Identity(), 3, n=4, classes=CLASSES)
    net.mean_head, net.log_variance_head = Columns(0), Columns(1, 2)
    monkeypatch.setattr(torch, "randperm", lambda n, **kwargs: (torch.arange(n) + 1) % n)
    return net


def test_rul_mixes_by_relative_uncertainty_and_asks_for_both_labels(monkeypatch):
    net, label = rul(monkeypatch), torch.tensor([0, 1, 2])
    variance = torch.tensor([[1.0, 5.0], [0.5, 1.5], [8.0, 10.0]])  # u: 3, 1, 9
    mean = torch.tensor([1.0, -1.0, 2.0])
    loss = net(torch.cat([mean[:, None], variance.log()], dim=1), label, torch.tensor([3, 1, 0]))
    mixed = torch.tensor([0.75 * 1 + 0.25 * -1, 0.1 * -1 + 0.9 * 2, 0.75 * 2 + 0.25 * 1])
    logits = net.classifier(mixed[:, None].expand(-1, 64))
    log_p = logits.log_softmax(dim=1)
    expected = [-(log_p[i, i] + log_p[i, (i + 1) % 3]) / 2 for i in range(3)]
    assert_close(loss, torch.stack(expected).mean())
    assert_close(net.doubt(), torch.tensor([9.0, 1.0, 0.0, 3.0]))
    own = F.cross_entropy(net.classifier(mean[:, None].expand(-1, 64)), label, reduction="none")
    assert_close(net.total_loss[[3, 1, 0]], own)


def test_rul_mixes_only_after_its_first_epochs(monkeypatch):
    net, x = rul(monkeypatch), torch.tensor([[1.0, 0.3, 0.9], [3.0, 2.0, 0.3]])
    net.mix_after, label, row = 1, torch.tensor([2, 0]), torch.tensor([0, 1])
    assert_close(net(x, label, row), F.cross_entropy(net(x), label))
    assert not net.uncertainty.any()
    mixed = net(x, label, row)
    net.mix_after = 0
    assert_close(net(x, label, row), mixed)


def test_rul_names_a_picture_by_its_own_mean(monkeypatch):
    net, x = rul(monkeypatch), torch.randn(4, 3)
    assert_close(net(x), net.classifier(x[:, :1].expand(-1, 64)))


def test_rul_drops_what_it_is_told():
    net = RelativeUncertaintyNet(nn.Identity(), 3, n=4, classes=CLASSES, dropout=0.1)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.1, 0.1]


def test_rul_learns_the_uncertainty_head():
    net = RelativeUncertaintyNet(nn.Linear(4, 6), 6, n=8, classes=CLASSES)
    net(torch.randn(8, 4), torch.arange(8) % CLASSES, torch.arange(8)).backward()
    assert net.log_variance_head[2].weight.grad.any() and net.mean_head[2].weight.grad.any()
    assert not net.uncertainty.requires_grad and (net.uncertainty > 0).all()
