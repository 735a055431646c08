"""Runs on a real Dask scheduler with two workers, which share the cache with this process."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from paperlib.companion import provenance
from paperlib.companion import runs as machine
from paperlib.companion.runs import Run, attempt_elsewhere, missing_runs, run_missing
from paperlib.files import ROOT
from paperlib.tracks import Track

pytest.importorskip("distributed")

LONG = 240  # seconds; a test takes ten, but a loaded machine is no failure

TOY = """
import os, time
from pathlib import Path
import numpy as np
import torch
RATE = 1
def task(track, settings, seed, checkpoint):
    folder = Path(settings["folder"])
    (folder / f"began-{seed}-{os.getpid()}").touch()
    while (folder / "hold").exists():
        time.sleep(0.02)
    if seed in settings.get("fail", ()):
        raise ValueError(f"no luck with {seed}")
    torch.manual_seed(seed)
    x = torch.randn(100, 100)
    return {"mean": RATE * (x @ x).numpy(), "threads": np.array(torch.get_num_threads())}
"""


def forget():
    """What `provenance` remembers of a module of this name, from another test."""
    sys.modules.pop("toy", None)
    for remembered in (provenance.code_of, provenance._parsed, provenance._source):
        remembered.cache_clear()


@pytest.fixture
def runs(tmp_path, monkeypatch):
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    forget()
    of = {"task": "toy:task", "track": Track(), "data": "d", "settings": {"folder": str(tmp_path)}}
    yield [Run(**of, seed=seed) for seed in range(4)]
    forget()


@pytest.fixture
def address(tmp_path, runs):
    """Of a scheduler on the loopback address with two workers of one thread each."""
    said, processes = tmp_path / "scheduler.json", []

    def start(*words):
        environment = os.environ | {
            "PAPERLIB_CACHE": str(tmp_path / "cache"),
            "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)]),
        }
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard", "--host", "127.0.0.1"]
        processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment))

    start("scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(said))
    wait_for(lambda: said.exists() and said.read_text().endswith("}"))
    found = json.loads(said.read_text())["address"]
    for _ in range(2):
        start("worker", found, "--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path))
    yield found
    for process in reversed(processes):
        process.kill()
        process.wait()


@pytest.fixture
def held(tmp_path):
    """Runs wait for `held.unlink()`; at the end nothing waits, whatever came between."""
    hold = tmp_path / "hold"
    hold.touch()
    yield hold
    hold.unlink(missing_ok=True)


def aside(function):
    """Call a function in another thread; `aside(f)()` waits for its value, but not for ever."""
    future = Future()

    def call():
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return partial(future.result, timeout=LONG)


def wait_for(found):
    deadline = time.monotonic() + LONG
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def began(folder, seed="*"):
    return sorted(folder.glob(f"began-{seed}-*"))


@pytest.mark.filterwarnings("ignore")
def test_a_worker_killed_in_the_midst_of_a_run_loses_nothing(runs, address, held, tmp_path, monkeypatch):
    results = aside(partial(run_missing, runs, progress=False, cluster=address))
    wait_for(lambda: len(began(tmp_path)) == 2)  # both workers at once
    _, seed, process = began(tmp_path)[0].name.split("-")
    os.kill(int(process), signal.SIGKILL)
    held.unlink()
    there = results()
    assert missing_runs(runs) == [] and len(began(tmp_path, seed)) == 2
    assert {path.name.split("-")[2] for path in began(tmp_path)} != {process}
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "alone")
    for far, near in zip(there, run_missing(runs, progress=False), strict=True):
        assert far.key == near.key and far["threads"] == 1
        assert all(far[name].tobytes() == near[name].tobytes() for name in near.arrays)


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_fails_there_stops_no_other(runs, address):
    failing = [replace(run, settings={**run.settings, "fail": [1]}) for run in runs]
    with pytest.raises(RuntimeError, match=r"1 of 4 runs failed; .* seed 1: ValueError: no luck with 1"):
        run_missing(failing, progress=False, cluster=address)
    assert [run.seed for run, _ in missing_runs(failing)] == [1]


def test_what_another_machine_must_not_compute_is_told(runs, tmp_path, monkeypatch):
    run, loaded = runs[0], machine.LOADED
    key, circumstances = run.key, run.circumstances
    assert "was started with other code: start it again" in attempt_elsewhere(
        run, key, circumstances, "other code", {}
    )
    with monkeypatch.context() as patch:
        patch.setattr(machine, "libraries", lambda: {"torch": "0"})
        said = attempt_elsewhere(run, key, circumstances, loaded, {})
        assert "would compute something else; what differs there: " in said and "torch" in said
    Path(tmp_path / "toy.py").unlink()
    forget()
    assert "has other code: there is no module toy" in attempt_elsewhere(run, key, circumstances, loaded, {})


def test_an_address_where_nobody_answers_is_one_line(runs, monkeypatch):
    monkeypatch.setattr(machine, "PATIENCE", 0.5)
    for nobody in ("tcp://127.0.0.1:9", "no address"):
        with pytest.raises(OSError, match=f"no scheduler answers at CLUSTER={nobody}"):
            run_missing(runs, progress=False, cluster=nobody)
