import numpy as np
import pytest

from paperlib import asked
from paperlib.asked import Asked, product
from paperlib.companion.runs import Run
from paperlib.tracks import Track


def task(track, settings, seed, checkpoint):
    trained.append(seed)
    return {"x": np.array(settings["x"] * seed)}


trained = []


@pytest.fixture
def wanted(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path)
    trained.clear()
    return Asked(task=f"{__name__}:task", track=Track(), data="d", settings={"x": 2}, seed=3)


def test_with_the_companion_another_run_s_product_is_kept_and_read(wanted, tmp_path):
    assert int(product(wanted)["x"]) == int(product(wanted)["x"]) == 6
    assert trained == [3]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [Run.of(wanted).key]


def test_without_the_companion_a_task_trains_what_it_builds_on(wanted, monkeypatch):
    monkeypatch.setattr(asked, "_sources", asked._sources[:1])
    assert int(product(wanted)["x"]) == 6 and trained == [3]
