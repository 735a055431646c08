"""Two processes on this machine's processor, against one."""

import os
import signal
from datetime import timedelta

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies import DDPStrategy
from torch import nn
from torch.multiprocessing import ProcessExitedException, ProcessRaisedException

from paperlib.ddp import _check_batches, fit_ddp
from paperlib.losses import concordance_loss, kl_continuous
from paperlib.training import EpochBatches, Rows, Schedule, fit, make_fabric

N, BATCH = 45, 8  # a last batch of five: three rows for one process, two for the other
STEPS = 6  # an epoch
SCHEDULE = Schedule(epochs=3, batch=BATCH, learning_rate=1e-2)
ACCUMULATED = Schedule(epochs=3, batch=BATCH, learning_rate=1e-2, accumulate=4)
PATIENT = Schedule(epochs=6, batch=BATCH, learning_rate=1e-1, patience=1)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 16), nn.LayerNorm(16), nn.ReLU())
        self.mean, self.log_variance = nn.Linear(16, 2), nn.Linear(16, 2)

    def forward(self, x):
        h = self.body(x)
        return {"mean": self.mean(h), "log_variance": self.log_variance(h)}


def network():
    torch.manual_seed(1)
    return TwoHeads()


def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(N, 5)).astype(np.float32)
    y = (x[:, :2] + rng.normal(size=(N, 2))).astype(np.float32)
    return Rows(x, y, np.arange(N, dtype=np.int16))


def kl(net, batch):
    out = net(batch[0])
    return kl_continuous(out["mean"], out["log_variance"], batch[1]).mean() + 0 * out["mean"].sum()


def concordance(net, batch):
    out = net(batch[0])
    return concordance_loss(out["mean"], batch[1]) + 1e-3 * out["log_variance"].square().mean()


def random_share(net, batch):
    """Draws in the loss, as shake-shake does, and depends on the order of rows."""
    out = net(batch[0])
    place = torch.linspace(0, 1, len(batch[0]))[:, None] * (batch[2] % 3)[:, None]
    return (torch.rand(2) * place * (out["mean"] - batch[1]).square() + out["log_variance"].square()).mean()


def value(net):
    net.eval()
    x, y, _ = data()[np.arange(N)]
    with torch.no_grad():
        return (net(x)["mean"] - y).square().mean().item()


def own_loss(net, batch):
    return net(batch[0]).mean()


CASES = {
    "kl": (kl, SCHEDULE, None),
    "concordance": (concordance, SCHEDULE, None),
    "accumulated": (concordance, ACCUMULATED, None),
    "drawn": (random_share, SCHEDULE, None),
    "patient": (kl, PATIENT, value),
}


def trained(fit, case, **more):
    loss, schedule, validate = CASES[case]
    model = network()
    history = fit(model, loss, data(), schedule, seed=3, validate=validate, **more)
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    return weights.numpy(), history.loss, history.validation


def own_disk(fabric, folder):
    """A folder that only this process sees, as on a machine of its own."""
    disk = folder / f"disk{fabric.global_rank}"
    disk.mkdir(exist_ok=True)
    return disk


def killed(fabric, folder):
    """On each process: the patient training, until a SIGKILL in the midst of the third epoch."""
    torch.set_num_threads(1)
    called = []

    def deadly(net, batch):
        called.append(None)
        if len(called) == 2 * STEPS + 3:
            fabric.barrier()
            os.kill(os.getpid(), signal.SIGKILL)
        return kl(net, batch)

    checkpoint = own_disk(fabric, folder) / "killed.ckpt"
    fit_ddp(network(), deadly, data(), PATIENT, seed=3, fabric=fabric, validate=value, checkpoint=checkpoint)


def everything(fabric, folder):
    """On each process: all cases, what goes on after `killed`, and the messages of what is refused."""
    torch.set_num_threads(1)
    found = {case: trained(fit_ddp, case, fabric=fabric) for case in CASES}
    found["plain"] = trained(fit, "concordance", fabric=fabric)
    found["stopped"] = trained(fit_ddp, "concordance", fabric=fabric, checkpoint=folder / "c.ckpt")
    found["resumed"] = trained(fit_ddp, "concordance", fabric=fabric, checkpoint=folder / "c.ckpt")
    disk = own_disk(fabric, folder)
    found["after a kill"] = trained(fit_ddp, "patient", fabric=fabric, checkpoint=disk / "killed.ckpt")
    if fabric.global_rank > 0:
        (disk / "late.ckpt").write_bytes((folder / "c.ckpt").read_bytes())
    found["a file elsewhere"] = trained(fit_ddp, "concordance", fabric=fabric, checkpoint=disk / "late.ckpt")
    (disk / "damaged.ckpt").write_bytes(b"no checkpoint" if fabric.is_global_zero else b"")
    try:
        trained(fit_ddp, "kl", fabric=fabric, checkpoint=disk / "damaged.ckpt")
    except ValueError as error:
        found["damaged"] = str(error)
    refused = {
        "norm": (nn.Sequential(nn.Linear(5, 2), nn.BatchNorm1d(2)), own_loss, SCHEDULE),
        "scalar": (Summed(), own_loss, SCHEDULE),
        "few": (network(), kl, Schedule(epochs=1, batch=14, learning_rate=1e-2)),
    }
    for name, (model, loss, schedule) in refused.items():
        try:
            fit_ddp(model, loss, data(), schedule, seed=0, fabric=fabric)
        except ValueError as error:
            found[name] = str(error)
    return found


class Summed(nn.Linear):
    def __init__(self):
        super().__init__(5, 1)

    def forward(self, x):
        return super().forward(x).sum()


def two_processes():
    # A process that waits for another's part in vain is a failure, and must come back.
    strategy = DDPStrategy(start_method="spawn", timeout=timedelta(minutes=2))
    return Fabric(accelerator="cpu", devices=2, strategy=strategy, precision="32-true")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ddp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore")
        with pytest.raises((ProcessExitedException, ProcessRaisedException)):
            two_processes().launch(killed, folder)
        epoch = torch.load(folder / "disk0" / "killed.ckpt", weights_only=True)["epoch"]
        return {"epoch": epoch} | two_processes().launch(everything, folder)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_give_the_weights_of_one(found, case):
    alone = make_fabric(accelerator="cpu", precision="32-true")
    weights, loss, validation = trained(fit, case, fabric=alone)
    before = torch.cat([p.detach().flatten() for p in network().parameters()]).numpy()
    # Sums of float32 in another order, through up to thirty-six steps of Adam that move weights by 0.02 to 0.1 in all.
    assert np.abs(weights - before).max() > 0.02
    np.testing.assert_allclose(found[case][0], weights, rtol=0, atol=2e-5)
    np.testing.assert_allclose(found[case][1], loss, rtol=1e-5)
    np.testing.assert_allclose(found[case][2], validation, rtol=1e-5)


def test_a_mean_of_each_process_s_correlation_is_another_loss(found):
    assert np.abs(found["plain"][0] - found["concordance"][0]).max() > 1e-3


def test_a_checkpoint_is_read_back(found):
    assert (found["resumed"][0] == found["stopped"][0]).all()


def test_a_killed_training_goes_on_from_the_first_process_s_disk(found):
    assert found["epoch"] == 2 < len(found["patient"][1])
    for resumed, undisturbed in zip(found["after a kill"], found["patient"], strict=True):
        np.testing.assert_array_equal(resumed, undisturbed)


def test_a_checkpoint_on_another_disk_than_the_first_process_s_does_not_count(found):
    assert found["a file elsewhere"][1] == found["concordance"][1]
    assert (found["a file elsewhere"][0] == found["concordance"][0]).all()


def test_a_damaged_checkpoint_stops_every_process(found):
    assert "damaged.ckpt cannot be resumed from; delete it to start over" in found["damaged"]


def test_what_cannot_be_shared_is_refused(found):
    assert found["norm"].startswith("batch normalisation over several processes needs GPUs")
    assert found["scalar"] == "the network must return a row for each of its 4 rows; got ()"
    assert found["few"] == "the last batch has 3 rows, too few for 2 processes; choose another batch than 14"


@pytest.mark.parametrize("world", [2, 3, 4])
def test_the_batches_that_pass_are_those_of_one_process(world):
    for n in range(4, 40):
        for batch in range(1, 20):
            alone, shared = EpochBatches(n, batch, seed=0), EpochBatches(n, batch, seed=0, world=world)
            try:
                _check_batches(n, batch, world)
            except ValueError:
                assert len(alone) != len(shared) or min(n, batch) < world
            else:
                assert len(alone) == len(shared) and len(alone) > 0


def test_one_process_is_fit_itself():
    alone = make_fabric(accelerator="cpu", precision="32-true")
    assert (trained(fit_ddp, "kl", fabric=alone)[0] == trained(fit, "kl", fabric=alone)[0]).all()
