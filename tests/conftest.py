import os

os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
from hypothesis import settings

from paperlib.data.records import FaceSet

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
def written(tmp_path_factory):
    """Every layout of data, well-formed, once."""
    from wellformed import LAYOUTS

    top = tmp_path_factory.mktemp("layouts")
    for name, layout in LAYOUTS.items():
        layout.write(top / name)
    return top


@pytest.fixture(scope="session")
def audited():
    """All findings on all papers."""
    from paperlib.companion.audit import run_audit

    return run_audit()
