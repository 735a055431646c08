"""Two processes on this machine's processor, against one."""

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from paperlib.ddp import _check_batches, fit_ddp
from paperlib.losses import concordance_loss, kl_continuous
from paperlib.training import EpochBatches, Rows, Schedule, fit, make_fabric

N, BATCH = 45, 8  # a last batch of five: three rows for one process, two for the other
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


def everything(fabric, folder):
    """On each process: all cases, and the messages of what is refused."""
    torch.set_num_threads(1)
    found = {case: trained(fit_ddp, case, fabric=fabric) for case in CASES}
    found["plain"] = trained(fit, "concordance", fabric=fabric)
    found["stopped"] = trained(fit_ddp, "concordance", fabric=fabric, checkpoint=folder / "c.ckpt")
    found["resumed"] = trained(fit_ddp, "concordance", fabric=fabric, checkpoint=folder / "c.ckpt")
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


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore")
        fabric = Fabric(accelerator="cpu", devices=2, strategy="ddp_spawn", precision="32-true")
        return fabric.launch(everything, tmp_path_factory.mktemp("ddp"))


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
