import os

os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from hypothesis import settings

from paperlib.companion.published import claims_for_runs
from paperlib.companion.runs import Result, Run
from paperlib.data.records import FaceSet
from paperlib.ledger import Ledger, variant
from paperlib.stats import Interval
from paperlib.tracks import Track

try:
    import torch
except ImportError:  # .ci/other_python runs the tests that need none
    torch = None

# A loaded machine is slow, which is no failure; and a failure must come back.
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def repeatable_torch():
    if torch is None:
        return
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def faces(rng):
    """Sixty pictures of 16 pixels whose mean grey is their valence, three raters and ten votes each."""
    affect = rng.uniform(-1, 1, size=(60, 2)).astype(np.float32)
    grey = 128 + 100 * affect[:, 0, None, None] + rng.normal(scale=5, size=(60, 16, 16))
    ratings = affect[:, None] + rng.normal(scale=0.1, size=(60, 3, 2))
    return FaceSet(
        name="grey",
        images=grey.clip(0, 255).astype(np.uint8),
        affect=affect,
        split=np.array(["train"] * 40 + ["test"] * 20),
        fingerprint="grey",
        expression=np.zeros(60, dtype=np.int8),
        ratings=ratings.astype(np.float32),
        votes=rng.multinomial(10, np.full(8, 1 / 8), size=60).astype(np.int16),
    )


@pytest.fixture(scope="session")
def write_ledger():
    return _write_ledger


def _write_ledger(figures, key="le2023", *, track="twin", profile="full", folder=None):
    """Four entries: a claim that held, a question of ours, a printed number, a claim not attempted."""
    of = Track(name=track, profile=profile, root="x")
    runs = [Run(task="m:f", track=of, data="f00d", settings={"rate": 0.1}, seed=s) for s in range(3)]
    results = [Result(run=r, key=f"k{r.seed}", seconds=1.0, arrays={"x": np.array([r.seed])}) for r in runs]
    ledger = Ledger(key=key, track=of, data={"faces": "f00d"}, results={("ours", "0.1"): results})
    over = {"source": "faces", "n": 200}
    first, _, third = list(claims_for_runs(key))[:3]
    ledger.over_seeds(
        "table1",
        "ours - other",
        "accuracy",
        [0.1, 0.11, 0.12],
        claim="Ours is better",
        claim_id=first,
        **over,
    )
    ledger.over_seeds("table1", "ours - third", "accuracy", [-0.1, -0.11, -0.12], **over)
    between = Interval(estimate=0.3, low=0.2, high=0.4, level=0.95)
    ledger.add(
        "table2", "a < b", "PCC", interval=between, about="z", printed="0.31", printed_on="Set", **over
    )
    ledger.not_attempted("table2", "It is fast", "needs a GPU: a big one", claim_id=third)
    ledger.write(figures / (folder or variant(ledger.track)) / key / "ledger.json")
    return figures
