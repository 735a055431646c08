import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from paperlib.models.expression import ExpressionNet

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def linear(**options) -> ExpressionNet:
    """A network whose logits are its input."""
    net = ExpressionNet(nn.Identity(), 3, n=4, classes=3, **options)
    nn.init.eye_(net.classifier.weight)
    nn.init.zeros_(net.classifier.bias)
    return net


def test_pictures_give_logits_and_pictures_with_labels_their_cross_entropy():
    net, label = linear(), torch.tensor([0, 2])
    assert_close(net(LOGITS), LOGITS)
    e = torch.tensor(1.0).exp()
    expected = ((1 + 2 / e**2).log() + (2 + e).log()) / 2
    assert_close(net(LOGITS, label, torch.tensor([1, 3])), expected)


def test_label_smoothing_gives_every_class_its_share_of_a_tenth():
    target = 0.9 * F.one_hot(torch.tensor([0, 2]), 3) + 0.1 / 3
    expected = -(target * LOGITS.log_softmax(dim=1)).sum(dim=1).mean()
    assert_close(linear(smoothing=0.1)(LOGITS, torch.tensor([0, 2]), torch.tensor([0, 1])), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_doubt_is_the_plain_loss_averaged_over_visits(smoothing):
    net, label = linear(smoothing=smoothing), torch.tensor([0, 2])
    for scale in (1.0, 3.0):
        net(scale * LOGITS, label, torch.tensor([3, 1]))
    net(LOGITS[:1], label[:1], torch.tensor([2]))
    losses = [F.cross_entropy(scale * LOGITS, label, reduction="none") for scale in (1.0, 3.0)]
    mean = (losses[0] + losses[1]) / 2
    assert_close(net.doubt(), torch.stack([torch.tensor(0.0), mean[1], losses[0][0], mean[0]]))
    assert net.visits.tolist() == [0, 2, 1, 2]
