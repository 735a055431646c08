import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor

from paperlib import grid, provenance
from paperlib.grid import REPLAY, ROOT, Run, missing_runs, record, recorded_code, run_missing
from paperlib.tracks import Track

SCALE = 2.0


def product(track, settings, seed, checkpoint):
    """A task of a millisecond, whose sums would depend on the number of threads."""
    folder = Path(settings["folder"])
    with open(folder / "log", "a") as log:
        log.write(f"{seed}\n")
    if seed in settings.get("fail", ()):
        raise ValueError(f"no luck with {seed}")
    if (folder / "kill").exists() and seed == int((folder / "kill").read_text()):
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / f"process-{os.getpid()}").touch()
    wait_for(lambda: len(list(folder.glob("process-*"))) >= settings.get("meet", 1))
    x = torch.randn(200, 200, generator=torch.Generator().manual_seed(seed))
    return {"mean": SCALE * (x @ x).numpy(), "seed": np.array(seed)}


def objects(track, settings, seed, checkpoint):
    return {"mean": np.array([{"any": "object"}], dtype=object)}


def draws(track, settings, seed, checkpoint):
    torch.manual_seed(seed)
    return {"drawn": torch.rand(3).numpy()}


def asks_first(track, settings, seed, checkpoint):
    """Draws, then asks for another run, then draws again, as a network that is built before its teacher is read."""
    torch.manual_seed(seed)
    before = torch.rand(3)
    other = Run(task=f"{__name__}:draws", track=track, data="d", settings={}, seed=seed + 100)
    run_missing([other], progress=False)
    return {"drawn": torch.cat([before, torch.rand(3)]).numpy()}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "CACHE", tmp_path / "cache")
    monkeypatch.delenv(REPLAY, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def runs(tmp_path, cache):
    settings = {"folder": str(tmp_path)}
    task = f"{__name__}:product"
    return [Run(task=task, track=Track(), data="d", settings=settings, seed=seed) for seed in range(3)]


def computed(runs):
    """The seeds that were computed, in order."""
    log = Path(runs[0].settings["folder"], "log")
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def elsewhere(code, runs):
    """Start `code` in a new Python that knows `runs` and uses the same cache."""
    stated = [(r.task, r.data, dict(r.settings), r.seed) for r in runs]
    program = f"""
import json, os, signal
from paperlib import grid
from paperlib.tracks import Track
stated = json.loads({json.dumps(stated)!r})
runs = [grid.Run(task=t, track=Track(), data=d, settings=s, seed=seed) for t, d, s, seed in stated]
{code}
"""
    environment = os.environ | {
        "PAPERLIB_CACHE": str(grid.CACHE),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)]),
    }
    return subprocess.Popen([sys.executable, "-c", program], env=environment)


def wait_for(found, *, seconds=60):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_run_is_computed_once(runs):
    first = run_missing(runs, progress=False)
    again = run_missing(list(reversed(runs)), progress=False)
    assert computed(runs) == [0, 1, 2]
    assert [int(r["seed"]) for r in again] == [2, 1, 0]
    for result, read in zip(first, reversed(again), strict=True):
        assert np.array_equal(result["mean"], read["mean"])
        assert result.key == read.key and result.seconds == read.seconds


def test_a_run_asked_for_twice_is_computed_once(runs):
    results = run_missing([runs[0], runs[1], runs[0]], progress=False)
    assert computed(runs) == [0, 1]
    assert [int(r["seed"]) for r in results] == [0, 1, 0]


def test_whatever_can_change_a_result_changes_its_key(runs, monkeypatch):
    run = runs[0]
    others = [
        replace(run, seed=7),
        replace(run, data="e"),
        replace(run, settings={**run.settings, "rate": 1}),
        replace(run, task=f"{__name__}:objects"),
    ]
    assert len({r.key for r in [run, *others]}) == len({r.identity for r in [run, *others]}) == 5
    assert replace(run, settings=dict(reversed({**run.settings, "a": 1}.items()))).key == (
        replace(run, settings={**run.settings, "a": 1}).key
    )
    key, identity = run.key, run.identity
    monkeypatch.setattr(grid, "libraries", lambda: {"torch": "0"})
    assert run.key != key and run.identity == identity


def test_a_run_that_asks_for_another_draws_the_same_whether_that_was_there_or_not(
    cache, monkeypatch, tmp_path
):
    run = Run(task=f"{__name__}:asks_first", track=Track(), data="d", settings={}, seed=1)
    (trained_in_its_midst,) = run_missing([run])
    shutil.rmtree(grid.folder_of(run.key))
    (was_there,) = run_missing([run])
    assert was_there["drawn"].tobytes() == trained_in_its_midst["drawn"].tobytes()
    torch.manual_seed(1)
    assert was_there["drawn"].tobytes() == torch.rand(6).numpy().tobytes()


def test_a_run_that_fails_loses_no_other(runs):
    failing = [replace(r, settings={**r.settings, "fail": [1]}) for r in runs]
    message = r"1 of 3 runs failed; the first: .*:product .*'fail': \[1\].* seed 1: ValueError: no luck"
    with pytest.raises(RuntimeError, match=message):
        run_missing(failing, progress=False)
    assert [(r.seed, why) for r, why in missing_runs(failing)] == [(1, "never run")]
    with pytest.raises(RuntimeError, match="1 of 1 runs failed"):
        run_missing(failing, progress=False)
    assert computed(runs) == [0, 1, 2, 1]


def test_a_run_killed_while_it_trains_is_repeated_alone(runs, tmp_path):
    (tmp_path / "kill").write_text("1")
    assert elsewhere("grid.run_missing(runs, progress=False)", runs).wait() == -signal.SIGKILL
    assert [r.seed for r, _ in missing_runs(runs)] == [1, 2]
    (tmp_path / "kill").unlink()
    assert len(run_missing(runs, progress=False)) == 3
    assert computed(runs) == [0, 1, 1, 2]


def test_a_run_killed_while_it_is_written_cannot_be_read(runs):
    code = """
def killed(temporary, final, whole=os.rename, calls=[]):
    calls.append(final)
    if len(calls) == 1:
        return whole(temporary, final)
    for file in temporary.iterdir():
        os.truncate(file, file.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)
grid.os.rename = killed
grid.run_missing(runs, progress=False)
"""
    assert elsewhere(code, runs).wait() == -signal.SIGKILL
    assert [(r.seed, why) for r, why in missing_runs(runs)] == [(1, "never run"), (2, "never run")]
    results = run_missing(runs, progress=False)
    assert computed(runs) == [0, 1, 1, 2]
    assert [int(r["seed"]) for r in results] == [0, 1, 2]


def test_two_jobs_give_what_one_gives(runs, monkeypatch, tmp_path):
    alone = run_missing(runs, progress=False)
    monkeypatch.setattr(grid, "CACHE", tmp_path / "other")
    monkeypatch.setenv("PAPERLIB_CACHE", str(tmp_path / "other"))  # read by workers, which start afresh
    get_reusable_executor().shutdown(wait=True)
    together = run_missing(runs, jobs=2, progress=False)
    get_reusable_executor().shutdown(wait=True)
    assert sorted(computed(runs)) == [0, 0, 1, 1, 2, 2]
    for one, two in zip(alone, together, strict=True):
        assert one["mean"].tobytes() == two["mean"].tobytes()


def test_two_processes_may_compute_the_same_run(runs, cache):
    run = replace(runs[0], settings={**runs[0].settings, "meet": 2})
    other = elsewhere("grid.run_missing(runs, progress=False)", [run])
    assert int(run_missing([run], progress=False)[0]["seed"]) == 0
    assert other.wait() == 0
    assert [path.name for path in (cache / "runs").iterdir()] == [run.key]
    assert int(run_missing([run], progress=False)[0]["seed"]) == 0
    assert computed([run]) == [0, 0]


def test_a_missing_run_says_what_changed(runs, monkeypatch, tmp_path):
    (tmp_path / "toy.py").write_text(
        "import numpy as np\nRATE = 1\ndef task(track, settings, seed, checkpoint):\n"
        "    return {'rate': np.array(RATE)}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    run = replace(runs[0], task="toy:task")
    assert missing_runs([run]) == [(run, "never run")]
    run_missing([run], progress=False)
    assert missing_runs([run]) == []
    with monkeypatch.context() as patch:
        patch.setattr(grid, "libraries", lambda: provenance.libraries() | {"torch": "0", "numpy": "0"})
        assert missing_runs([run]) == [(run, "changed: numpy, torch")]
    (tmp_path / "toy.py").write_text((tmp_path / "toy.py").read_text().replace("RATE = 1", "RATE = 2"))
    for cached in (provenance.code_of, provenance._parsed):
        cached.cache_clear()
    assert missing_runs([run]) == [(run, "changed: toy:RATE")]


def test_recorded_runs_are_read_instead_of_trained(runs, cache, monkeypatch, tmp_path):
    results = run_missing(runs[:2], progress=False)
    record(results, tmp_path / "recorded" / "paper.npz")
    assert recorded_code(tmp_path / "recorded" / "paper.npz") != ""
    monkeypatch.setattr(grid, "CACHE", tmp_path / "empty")
    monkeypatch.setattr(grid, "libraries", lambda: {"torch": "of another machine"})
    monkeypatch.setenv(REPLAY, str(tmp_path / "recorded"))
    replayed = run_missing(list(reversed(runs[:2])), progress=False)
    assert computed(runs) == [0, 1]
    for result, again in zip(results, reversed(replayed), strict=True):
        assert set(again.arrays) == {"mean", "seed"}
        assert np.array_equal(result["mean"], again["mean"])
        assert np.isnan(again.seconds)  # time is no result, and would differ in git
    with pytest.raises(LookupError, match=r"no recorded run of .*:product .* seed 2 in .*recorded"):
        run_missing(runs, progress=False)


def test_a_recorded_part_keeps_key_and_fingerprint_of_the_whole_run(runs, monkeypatch, tmp_path):
    results = run_missing(runs[:2], progress=False)
    record(results, tmp_path / "paper.npz", kept=[replace(r, arrays={"mean": r["mean"]}) for r in results])
    monkeypatch.setenv(REPLAY, str(tmp_path))
    for result, again in zip(results, run_missing(runs[:2], progress=False), strict=True):
        assert set(again.arrays) == {"mean"} and set(result.arrays) == {"mean", "seed"}
        assert (again.key, again.fingerprint) == (result.run.key, result.fingerprint)


def test_a_recording_knows_the_code_that_made_it(runs, monkeypatch, tmp_path):
    results = run_missing(runs[:1], progress=False)
    record(results, tmp_path / "before.npz")
    monkeypatch.setattr(grid, "code_of", lambda task: {task: "changed"})
    record(results, tmp_path / "after.npz")
    assert recorded_code(tmp_path / "before.npz") != recorded_code(tmp_path / "after.npz")


def test_objects_are_neither_written_nor_read(runs, cache, monkeypatch, tmp_path):
    run = replace(runs[0], task=f"{__name__}:objects")
    with pytest.raises(RuntimeError, match="runs failed; .*:objects .*[Pp]ickle|[Oo]bject arrays"):
        run_missing([run], progress=False)
    assert [r for r, _ in missing_runs([run])] == [run]
    # What a stranger put there is not unpickled either.
    run_missing(runs[:1], progress=False)
    arrays = cache / "runs" / runs[0].key / "arrays.npz"
    np.savez(arrays, mean=np.array([{"any": "object"}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        run_missing(runs[:1], progress=False)
    arrays.rename(tmp_path / "paper.npz")
    monkeypatch.setenv(REPLAY, str(tmp_path))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        run_missing(runs[:1], progress=False)


def test_a_result_that_cannot_be_written_is_an_error(runs, cache, monkeypatch):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(grid.os, "rename", full)
    with pytest.raises(RuntimeError, match="No space left"):
        run_missing(runs[:1], progress=False)
    assert not list((cache / "runs").iterdir())
