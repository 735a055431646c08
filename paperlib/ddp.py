"""One large training on several processes, by PyTorch's DistributedDataParallel: the weights that one process gives.

The papers' own runs are many and small; the grid puts them side by side, on one machine or on a cluster, and no task
calls this module. It is for a single training that is too slow on one GPU, in a script that every process runs:

    fabric = make_fabric(devices=4)        # paperlib.training; or lightning_fabric.Fabric(num_nodes=2, devices=4)
    fabric.launch()
    fit_ddp(network, loss, rows, schedule, seed=0, fabric=fabric)
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_utilities.core.apply_func import apply_to_collection
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from paperlib.training import History, Rows, Schedule, fit


def fit_ddp(
    model: nn.Module,
    loss: Callable[[Any, tuple[Tensor, ...]], Tensor],
    rows: Rows,
    schedule: Schedule,
    *,
    seed: int,
    fabric: Fabric,
    validate: Callable[[nn.Module], float] | None = None,
    checkpoint: Path | None = None,
    workers: int = 0,
) -> History:
    """`fit` on all processes of a launched `fabric`, with the same arguments, loss and, but for rounding, weights.

    `schedule.batch` counts the rows of all processes together. Each reads its part of every batch; `loss` then gets
    the whole batch, in the order of one process, and a network that computes its part of the rows and returns all of
    them. So a loss that is no mean over rows, a correlation say, is that of the whole batch too. What the processes
    exchange in a step are the batch, the outputs and the gradients.

    Layers that see all rows at once are the exception: batch normalisation becomes torch's SyncBatchNorm, in place,
    which needs a GPU. Dropout draws other masks than one process would.

    The first process (global rank 0) alone writes `checkpoint`, on its own disk, and where it has one all processes go
    on from that, whatever the disks of other machines hold.

    Raises:
        ValueError: batch normalisation on a processor; a batch that leaves a process without rows, or a last batch
            that one process would train on and several could not share, see `EpochBatches`; a network that does not
            return one row for each row it is given (its own loss, say).
    """
    world = fabric.world_size
    if world == 1:
        return fit(
            model,
            loss,
            rows,
            schedule,
            seed=seed,
            fabric=fabric,
            validate=validate,
            checkpoint=checkpoint,
            workers=workers,
        )
    _check_batches(len(rows), schedule.batch, world)
    if any(isinstance(m, _BatchNorm) and not isinstance(m, nn.SyncBatchNorm) for m in model.modules()):
        if fabric.device.type != "cuda":
            raise ValueError(
                "batch normalisation over several processes needs GPUs: torch has none for the CPU"
            )
        nn.SyncBatchNorm.convert_sync_batchnorm(model)

    def of_whole_batch(network: nn.Module, part: tuple[Tensor, ...]) -> Tensor:
        rows_here = torch.tensor(len(part[0]), device=fabric.device)
        total = int(fabric.all_reduce(rows_here, reduce_op="sum"))  # type: ignore[arg-type]
        return loss(_Shared(network, fabric, total), tuple(_whole_bytes(p, total, fabric) for p in part))

    def same_everywhere(network: nn.Module) -> float:
        assert validate is not None
        return fabric.broadcast(validate(network))  # or a rounding could stop one process and not another

    with _of_the_first_process(checkpoint, fabric) as same_checkpoint:
        return fit(
            model,
            of_whole_batch,
            rows,
            schedule,
            seed=seed,
            fabric=fabric,
            validate=validate and same_everywhere,
            checkpoint=same_checkpoint,
            workers=workers,
        )


@contextmanager
def _of_the_first_process(checkpoint: Path | None, fabric: Fabric) -> Iterator[Path | None]:
    """The checkpoint of global rank 0: the file itself there, elsewhere a copy of what it holds, if it is there."""
    if checkpoint is None:
        yield None
        return
    here = checkpoint.read_bytes() if fabric.is_global_zero and checkpoint.is_file() else None
    content = fabric.broadcast(here)
    if fabric.is_global_zero:
        yield checkpoint
        return
    with tempfile.TemporaryDirectory(prefix="from-rank-0-") as folder:
        copy = Path(folder, checkpoint.name)
        if content is not None:
            copy.write_bytes(content)
        yield copy


def _check_batches(n: int, batch: int, world: int) -> None:
    if min(n, batch) < world:
        raise ValueError(f"{world} processes cannot share batches of {min(n, batch)} rows")
    last = n % batch
    if n > batch and 2 <= last < 2 * world:
        raise ValueError(
            f"the last batch has {last} rows, too few for {world} processes; choose another batch than {batch}"
        )


class _Shared:
    """A network called with the rows of the whole batch: each process computes every world-th, all get all outputs."""

    def __init__(self, network: nn.Module, fabric: Fabric, total: int) -> None:
        self.network, self.fabric, self.total = network, fabric, total

    def __call__(self, *inputs: Any) -> Any:
        mine = slice(self.fabric.global_rank, None, self.fabric.world_size)
        outputs = self.network(*(x[mine] if isinstance(x, Tensor) else x for x in inputs))
        return apply_to_collection(outputs, Tensor, self._whole)

    def _whole(self, output: Tensor) -> Tensor:
        expected = len(range(self.fabric.global_rank, self.total, self.fabric.world_size))
        if output.ndim == 0 or len(output) != expected:
            raise ValueError(
                f"the network must return a row for each of its {expected} rows; got {tuple(output.shape)}"
            )
        return _whole(output, self.total, self.fabric)


def _whole(part: Tensor, total: int, fabric: Fabric) -> Tensor:
    """(n, ...) of each process, n = total / world rounded up or down, to (total, ...), every process's rows in turn.

    Its gradient sums over processes, each of which has the same loss; DDP then takes the mean over them, so that
    parameters get the gradient of that loss once.
    """
    most = -(-total // fabric.world_size)
    padded = torch.cat([part, part.new_zeros(most - len(part), *part.shape[1:])])
    gathered = fabric.all_gather(padded, sync_grads=part.requires_grad)
    assert isinstance(gathered, Tensor)
    return gathered.transpose(0, 1).flatten(0, 1)[:total]


def _whole_bytes(part: Tensor, total: int, fabric: Fabric) -> Tensor:
    """`_whole` of data, as bytes: NCCL and gloo each lack some type, such as 16-bit integers."""
    whole = _whole(part.reshape(len(part), -1).view(torch.uint8), total, fabric)
    return whole.view(part.dtype).reshape(total, *part.shape[1:])
