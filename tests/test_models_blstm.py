"""Padding, noise and weights of han2017's network."""

import numpy as np
import pytest
import torch

from paperlib.models.blstm import BLSTM, INITIAL, multi_task_mse


@pytest.fixture
def network():
    return BLSTM(5, targets=2, cells=7).eval()


def test_a_padded_sequence_gives_what_it_gives_alone(network):
    short, long = torch.randn(1, 4, 5), torch.randn(1, 9, 5)
    batch = torch.full((2, 9, 5), 1e3)  # whatever stands in the padding
    batch[0, :4], batch[1] = short[0], long[0]
    with torch.inference_mode():
        together = network(batch, torch.tensor([4, 9]))
        torch.testing.assert_close(together[0, :4], network(short, torch.tensor([4]))[0])
        torch.testing.assert_close(together[1], network(long, torch.tensor([9]))[0])
    assert (together[0, 4:] == 0).all()


def test_weights_start_uniform_between_a_tenth_each_way():
    values = torch.cat([p.detach().flatten() for p in BLSTM(130, targets=1).parameters()])
    assert values.abs().max() <= INITIAL
    assert values.std().item() == pytest.approx(INITIAL / np.sqrt(3), rel=0.01)


def test_noise_is_added_in_training_only():
    torch.manual_seed(0)
    network, x, lengths = BLSTM(5, targets=1, cells=3), torch.randn(2, 4, 5), torch.tensor([4, 4])
    network.train()
    assert not torch.equal(network(x, lengths), network(x, lengths))
    network.eval()
    assert torch.equal(network(x, lengths), network(x, lengths))


def test_the_loss_by_hand():
    predicted, target = torch.zeros(2, 3, 2), torch.ones(2, 3, 2)
    target[..., 1] = 2.0
    target[0, 0, 1] = torch.nan  # nobody rated
    lengths = torch.tensor([1, 3])
    loss = multi_task_mse(predicted, target, lengths, weights=(1.5, 0.5))
    # four real frames: MSE of the first target is 1, of the second 4 over the three rated ones
    assert loss.item() == pytest.approx(1.5 * 1 + 0.5 * 4)
    with pytest.raises(ValueError, match="2 targets need as many weights; got 1"):
        multi_task_mse(torch.zeros(1, 1, 2), torch.zeros(1, 1, 2), torch.tensor([1]), weights=(1.0,))
