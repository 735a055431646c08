"""han2017's network: a bidirectional LSTM from features to the emotional state, the raters' disagreement, or both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from paperlib.shapes import check_shapes

INITIAL = 0.1  # weights start uniform in -0.1 to 0.1 (han2017, sec. 4.2)


class BLSTM(nn.Module):
    """Two hidden layers of `cells` LSTM cells in each direction and a linear output (han2017, secs. 3.2 and 4.2).

    The paper's 240 cells a layer are read as those of both directions together, as its toolkit counts them (CURRENNT).
    Features get Gaussian noise of standard deviation `noise` in training only.
    """

    def __init__(self, features: int, *, targets: int, cells: int = 120, noise: float = 0.2) -> None:
        super().__init__()
        self.lstm = nn.LSTM(features, cells, num_layers=2, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * cells, targets)
        self.noise = noise
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -INITIAL, INITIAL)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Sequences (batch, frames, features) of `lengths` (batch,), padded, to (batch, frames, targets).

        Padding reaches neither the other direction nor the output, which is zero there.
        """
        if self.training and self.noise:
            x = x + self.noise * torch.randn_like(x)
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        hidden, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=x.shape[1])
        return self.output(hidden) * frame_mask(lengths, x.shape[1]).unsqueeze(2).to(hidden.device)


def frame_mask(lengths: Tensor, frames: int) -> Tensor:
    """Which frames of a padded batch are real: (batch,) to (batch, frames), bool."""
    return torch.arange(frames, device=lengths.device) < lengths.unsqueeze(1)


def multi_task_mse(predicted: Tensor, target: Tensor, lengths: Tensor, *, weights: Sequence[float]) -> Tensor:
    """w_E MSE_E + w_sigma MSE_sigma over the real frames of a padded batch (han2017, eq. 7), a scalar.

    Predicted and target are (batch, frames, targets); the paper's two weights sum to two (eq. 8). Frames whose target
    is NaN (nobody rated) do not count.
    """
    check_shapes("b f t, b f t, b", predicted=predicted, target=target, lengths=lengths)
    if predicted.shape[2] != len(weights):
        raise ValueError(f"{predicted.shape[2]} targets need as many weights; got {len(weights)}")
    real = frame_mask(lengths, predicted.shape[1]).unsqueeze(2) & target.isfinite()
    squared = torch.where(real, predicted - target.nan_to_num(), 0.0).square().sum(dim=(0, 1))
    return (squared / real.sum(dim=(0, 1)).clamp_min(1) * squared.new_tensor(weights)).sum()
