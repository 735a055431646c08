"""One training loop for every paper: seeded, resumable, on whatever device Fabric finds."""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from paperlib.augmentation import AUGMENTATIONS

OPTIMISERS: dict[str, type[torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
}


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is trained; everything here can change its result.

    The learning rate follows half a cosine to zero, after a linear warm-up over the first tenth of the steps, when
    `decay_every` is None; else it is multiplied by `decay` every `decay_every` epochs. `patience` stops after that
    many epochs without a better validation value and goes back to the best weights; None trains to the last epoch
    and keeps it. `augment` names one of `augmentation.AUGMENTATIONS`, which changes training pictures.
    """

    epochs: int
    batch: int
    learning_rate: float
    optimiser: str = "adamw"
    weight_decay: float = 0.0
    momentum: float = 0.0
    decay: float = 1.0
    decay_every: int | None = None
    patience: int | None = None
    augment: str = "shift"

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"optimiser must be one of {sorted(OPTIMISERS)}; got {self.optimiser!r}")
        if self.augment not in AUGMENTATIONS:
            raise ValueError(f"augment must be one of {sorted(AUGMENTATIONS)}; got {self.augment!r}")
        if min(self.epochs, self.batch) < 1:
            raise ValueError("epochs and batch must be at least 1")

    def augmented(self, x: Tensor) -> Tensor:
        """Training pictures (n, channels, h, w) changed at random by `augment`."""
        return AUGMENTATIONS[self.augment](x)

    def learning_rate_at(self, epoch: int, progress: float) -> float:
        """The learning rate in this epoch (from 0), `progress` in [0, 1] through the whole training."""
        if self.decay_every is not None:
            return self.learning_rate * self.decay ** (epoch // self.decay_every)
        warm_up = min(1.0, 10 * progress + 1e-3)
        return self.learning_rate * warm_up * (1 + math.cos(math.pi * progress)) / 2


@dataclass
class History:
    """Means over each epoch's steps, and the validation value after it (NaN without validation)."""

    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)


class Rows:
    """Arrays of equal length, read a batch of rows at a time; a memory map stays on disk until its rows are asked for.

    `rows[indices]` gives one tensor per array. `at` selects the rows to use, by index, without copying them:
    `indices` count within it.
    """

    def __init__(self, *arrays: np.ndarray, at: np.ndarray | None = None) -> None:
        if len({len(a) for a in arrays}) != 1:
            raise ValueError(f"arrays must have equal length; got {[len(a) for a in arrays]}")
        self.arrays = arrays
        self.at = np.arange(len(arrays[0])) if at is None else at

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, indices: Any) -> tuple[Tensor, ...]:
        rows = self.at[indices]
        return tuple(torch.from_numpy(np.ascontiguousarray(a[rows])) for a in self.arrays)


def epoch_batches(n: int, batch: int, *, seed: int, epoch: int) -> list[NDArray[np.int64]]:
    """Shuffled batches of n rows, whose order depends on seed and epoch alone, so that a resumed epoch repeats itself.

    A last batch of one row is dropped, unless it is the only one: one row has no batch statistics.
    """
    order = np.random.default_rng([seed, epoch]).permutation(n)
    batches = [order[start : start + batch] for start in range(0, n, batch)]
    return batches[:-1] if len(batches) > 1 and len(batches[-1]) == 1 and batch > 1 else batches


def fit(
    model: nn.Module,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    rows: Rows,
    schedule: Schedule,
    *,
    seed: int,
    fabric: Fabric | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
) -> History:
    """Train `model` in place; the same arguments on the same machine give the same weights, interrupted or not.

    Args:
        loss: the mean loss of a batch, called as loss(model, batch) with the arrays of `rows` on the device.
        validate: a value to minimise, asked after every epoch; needed for `schedule.patience`.
        checkpoint: written after every epoch (to a temporary name, then renamed), read if it is there, and removed at
            the end by the caller who no longer needs it.

    Raises:
        FloatingPointError: the loss of a step or a validation value is not finite; names epoch and step.
        ValueError: fewer than two rows, or a checkpoint that is damaged or of another network.
    """
    if schedule.patience is not None and validate is None:
        raise ValueError("schedule.patience needs `validate`")
    if len(rows) < 2:
        raise ValueError(f"training needs at least two rows; the training split has {len(rows)}")
    fabric = fabric or make_fabric()
    network, optimiser = fabric.setup(model, _optimiser(model, schedule))
    history, first, best, best_weights = History(), 0, math.inf, None
    if checkpoint is not None and checkpoint.is_file():
        state = _resumed(fabric, checkpoint, {"model": network, "optimiser": optimiser})
        history, first = History(**state["history"]), state["epoch"]
        best, best_weights = state["best"], state["best_weights"]

    for epoch in range(first, schedule.epochs):
        if _stopped(history, schedule):
            break
        history.loss.append(_epoch(fabric, network, optimiser, loss, rows, schedule, seed=seed, epoch=epoch))
        network.eval()
        validation = validate(network) if validate else math.nan
        if validate and not math.isfinite(validation):
            raise FloatingPointError(f"the validation value is {validation} after epoch {epoch + 1}")
        history.validation.append(validation)
        if schedule.patience is not None and validation < best:
            best, best_weights = validation, copy.deepcopy(model.state_dict())
        if checkpoint is not None:
            state = {"history": vars(history), "epoch": epoch + 1, "best": best, "best_weights": best_weights}
            _save(fabric, checkpoint, {"model": network, "optimiser": optimiser, **state})
    if best_weights is not None:
        model.load_state_dict(best_weights)
    model.eval()
    return history


def _optimiser(model: nn.Module, schedule: Schedule) -> torch.optim.Optimizer:
    kwargs: dict[str, float] = {"lr": schedule.learning_rate, "weight_decay": schedule.weight_decay}
    if schedule.optimiser == "sgd":
        kwargs["momentum"] = schedule.momentum
    return OPTIMISERS[schedule.optimiser](model.parameters(), **kwargs)  # type: ignore[arg-type]


def _save(fabric: Fabric, checkpoint: Path, state: dict[str, Any]) -> None:
    partial = checkpoint.with_name(f"{checkpoint.name}.{os.getpid()}")
    fabric.save(partial, state)
    os.replace(partial, checkpoint)


def _resumed(fabric: Fabric, checkpoint: Path, state: dict[str, Any]) -> dict[str, Any]:
    try:
        return fabric.load(checkpoint, state, weights_only=True)
    except Exception as error:  # torch raises a different one for every way a file can be broken
        message = f"{checkpoint} cannot be resumed from; delete it to start over ({error})"
        raise ValueError(message) from error


def _epoch(
    fabric: Fabric,
    network: nn.Module,
    optimiser: Any,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    rows: Rows,
    schedule: Schedule,
    *,
    seed: int,
    epoch: int,
) -> float:
    """One pass over all rows in a new order; the mean loss of its steps."""
    torch.manual_seed(int(np.random.SeedSequence([seed, epoch, 1]).generate_state(1)[0]))
    # torch's DataLoader, which read rows when the stored runs were trained, draws a number first
    torch.empty((), dtype=torch.int64).random_()
    network.train()
    total = 0.0
    batches = epoch_batches(len(rows), schedule.batch, seed=seed, epoch=epoch)
    for step, batch in enumerate(batches):
        progress = (epoch + step / len(batches)) / schedule.epochs
        for group in optimiser.param_groups:
            group["lr"] = schedule.learning_rate_at(epoch, progress)
        value = loss(network, fabric.to_device(rows[batch]))
        fabric.backward(value)
        total += value.item()
        if not math.isfinite(total):
            raise FloatingPointError(f"the loss is {value.item()} in epoch {epoch + 1}, step {step + 1}")
        optimiser.step()
        optimiser.zero_grad()
    return total / len(batches)


class _Averaged(nn.Module):
    """A network beside the running average of its weights, saved and resumed together."""

    epochs: Tensor

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.average = network, AveragedModel(network)
        self.register_buffer("epochs", torch.zeros((), dtype=torch.long))

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs)


def fit_averaged(
    model: nn.Module,
    loss: Callable[[nn.Module, tuple[Tensor, ...]], Tensor],
    rows: Rows,
    schedule: Schedule,
    *,
    average_after: int,
    inputs: Callable[[tuple[Tensor, ...]], Tensor],
    seed: int,
    checkpoint: Path | None = None,
) -> None:
    """`fit`, then give `model` the mean of its weights after each epoch past `average_after` (Izmailov et al. 2018).

    torch's stochastic weight averaging; batch statistics are computed anew for the mean weights from `inputs(batch)`
    of all rows, in their order: rows should be in a random one, since torch averages the variances within batches.
    `schedule.patience` must be None. Other arguments and errors as in `fit`.
    """
    if not 0 <= average_after < schedule.epochs:
        raise ValueError(f"average_after must lie in 0 to {schedule.epochs - 1}; got {average_after}")
    both = _Averaged(model)

    def average(_: nn.Module) -> float:
        both.epochs += 1
        if both.epochs > average_after:
            both.average.update_parameters(both.network)
        return 0.0  # `fit` asks for a value after each epoch; nothing is selected by it

    fit(both, loss, rows, schedule, seed=seed, validate=average, checkpoint=checkpoint)
    starts = [start for start in range(0, len(rows), schedule.batch) if start == 0 or start + 1 < len(rows)]
    batches = (rows[np.arange(*piece)] for piece in pairwise([*starts, len(rows)]))  # one row has no variance
    device = next(model.parameters()).device
    update_bn((inputs(tuple(t.to(device) for t in batch)) for batch in batches), both.average)
    model.load_state_dict(both.average.module.state_dict())
    model.eval()


def native_precision(accelerator: str = "auto") -> str:
    """ "bf16-mixed" where the device has bf16 arithmetic, else "32-true" (emulated bf16 is slower than fp32)."""
    if accelerator != "cpu" and torch.cuda.is_available():
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if native else "32-true"


def make_fabric(*, accelerator: str = "auto", precision: str = "") -> Fabric:
    """Fabric on one GPU if there is one; in the native precision unless another is asked for."""
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces bf16 at every call
    precision = precision or native_precision(accelerator)
    return Fabric(accelerator=accelerator, devices=1, precision=precision)  # type: ignore[arg-type]


def _stopped(history: History, schedule: Schedule) -> bool:
    if schedule.patience is None or not history.validation:
        return False
    return len(history.validation) - 1 - int(np.argmin(history.validation)) >= schedule.patience
