import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from paperlib.companion import provenance
from paperlib.companion import runs as grid
from paperlib.companion.runs import REPLAY, Run, missing_runs, run_missing
from paperlib.data import write_manifest
from paperlib.files import ROOT
from paperlib.tracks import Track

distributed = pytest.importorskip("distributed")

from paperlib.cluster import CLASSES, JOB_QUEUES, Cluster  # noqa: E402

PATIENCE = 240  # seconds; a test takes ten, but a loaded machine is no failure

TOY = """
import os, time
from pathlib import Path
import numpy as np
import torch
RATE = 1
def task(track, settings, seed, checkpoint):
    folder = Path(settings["folder"])
    print("what a task prints is no result")
    (folder / f"began-{seed}-{os.getpid()}").write_text(str(os.getppid()))
    while (folder / "hold").exists():
        time.sleep(0.02)
    if seed in settings.get("fail", ()):
        raise ValueError(f"no luck with {seed}")
    torch.manual_seed(seed)
    x = torch.randn(100, 100)
    return {"mean": RATE * (x @ x).numpy(), "threads": np.array(torch.get_num_threads())}
def seen(track, settings, seed, checkpoint):
    return {"affect": track.faces().affect}
def killed(track, settings, seed, checkpoint):
    with open(Path(settings["folder"], "log"), "a") as log:
        log.write("died\\n")
    os.kill(os.getpid(), 9)
"""


def forget():
    """What `provenance` remembers of a module of this name, from another test."""
    sys.modules.pop("toy", None)
    for remembered in (provenance.code_of, provenance._parsed, provenance._source):
        remembered.cache_clear()


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(TOY)
    return folder


@pytest.fixture
def cache(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    monkeypatch.delenv(REPLAY, raising=False)
    monkeypatch.syspath_prepend(toy)
    forget()
    yield tmp_path / "cache"
    forget()


@pytest.fixture
def runs(tmp_path, cache):
    settings = {"folder": str(tmp_path)}
    return [Run(task="toy:task", track=Track(), data="d", settings=settings, seed=seed) for seed in range(3)]


class Started:
    """A scheduler on the loopback address, and workers of it; `stop` ends whatever still runs."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        said = folder / "scheduler.json"
        anywhere = ["--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0"]
        self._start("scheduler", *anywhere, "--scheduler-file", str(said))
        wait_for(lambda: said.exists() and said.read_text().endswith("}"))
        self.address = json.loads(said.read_text())["address"]

    def worker(self, cache, *places, threads=1):
        words = ["--no-nanny", "--nthreads", str(threads), "--host", "127.0.0.1"]
        environment = os.environ | {
            "PAPERLIB_CACHE": str(cache),
            "PYTHONPATH": os.pathsep.join(map(str, [*places, ROOT])),
        }
        return self._start(
            "worker", self.address, *words, "--local-directory", str(self.folder), env=environment
        )

    def _start(self, *words, **settings):
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard"]
        self.processes.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, **settings))
        return self.processes[-1]

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def standing(tmp_path_factory, toy):
    """The address of a scheduler with two workers that share no cache, and the folders of the two."""
    folder = tmp_path_factory.mktemp("standing")
    started = Started(folder)
    caches = folder / "one", folder / "two"
    for cache in caches:
        started.worker(cache, toy)
    yield started.address, caches
    started.stop()


@pytest.fixture
def started(tmp_path):
    started = Started(tmp_path)
    yield started
    started.stop()


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
    return partial(future.result, timeout=PATIENCE)


def wait_for(found, *, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def began(folder, seed="*"):
    return list(folder.glob(f"began-{seed}-*"))


def on(named, runs):
    with Cluster(named) as cluster:
        return run_missing(runs, progress=False, cluster=cluster)


def begin_on(address, runs):
    return aside(partial(on, address, runs))


def test_workers_without_a_shared_cache_give_what_this_machine_gives(
    runs, cache, standing, held, tmp_path, monkeypatch
):
    address, caches = standing
    results = begin_on(address, runs)
    wait_for(lambda: len(began(tmp_path)) == 2)  # both workers at once
    assert len({path.read_text() for path in began(tmp_path)}) == 2
    held.unlink()
    there = results()
    assert missing_runs(runs) == []
    for result in there:
        (theirs,) = [c / "runs" / result.key for c in caches if (c / "runs" / result.key).exists()]
        for name in grid.RUN_FILES:
            assert (theirs / name).read_bytes() == (cache / "runs" / result.key / name).read_bytes()
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "alone")
    for far, near in zip(there, run_missing(runs, progress=False), strict=True):
        assert far.key == near.key and far.arrays.keys() == near.arrays.keys()
        assert all(far[name].tobytes() == near[name].tobytes() for name in near.arrays)
        assert far["threads"] == 1


def test_a_busy_worker_takes_over_the_run_of_one_that_is_killed(
    runs, cache, toy, started, held, tmp_path, monkeypatch
):
    workers = {tmp_path / "near": None, tmp_path / "far": None}
    for own in workers:
        workers[own] = started.worker(own, toy)
    results = begin_on(started.address, runs)
    wait_for(lambda: len(began(tmp_path)) == 2)
    of = {int(path.read_text()): path for path in began(tmp_path)}
    assert of.keys() == {worker.pid for worker in workers.values()}
    dead, survivor = workers.values()
    _, seed, child = of[dead.pid].name.split("-")
    dead.send_signal(signal.SIGKILL)
    wait_for(lambda: not Path("/proc", child).exists())  # no orphan goes on beside the second attempt
    held.unlink()
    there = results()
    again = [path for path in began(tmp_path, seed) if path != of[dead.pid]]
    assert [int(path.read_text()) for path in again] == [survivor.pid]
    assert len(began(tmp_path)) == len(runs) + 1  # the survivor's own run was not begun anew
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "alone")
    run_missing(runs, progress=False)
    for result in there:
        alone, *others = [c / "runs" / result.key for c in (tmp_path / "alone", cache, tmp_path / "far")]
        assert not (tmp_path / "near" / "runs" / result.key).exists()
        for other in others:
            assert (other / "arrays.npz").read_bytes() == (alone / "arrays.npz").read_bytes()


def test_a_run_of_other_data_than_were_asked_for_is_refused(faces, runs, cache, standing, tmp_path):
    root, original = tmp_path / "data", replace(faces, ratings=None)
    write_manifest(original, root)
    track = Track(name="manifest", root=str(root), profile="smoke")
    given = track.faces()
    one, other = [
        replace(runs[0], task="toy:seen", track=track, data=given.fingerprint, seed=s) for s in (0, 1)
    ]
    assert (begin_on(standing[0], [one])()[0]["affect"] == given.affect).all()
    write_manifest(replace(original, affect=-original.affect), root)
    message = (
        rf"track manifest gives other data on {socket.gethostname()} than where the run was asked for "
        rf"\(faces: fingerprint (?!{given.fingerprint[:16]})\w{{16}}, there {given.fingerprint[:16]}\)"
    )
    with pytest.raises(RuntimeError, match=message):
        begin_on(standing[0], [other])()
    assert not any((c / "runs" / other.key).exists() for c in (cache, *standing[1]))


def test_a_run_that_fails_loses_no_other(runs, standing, tmp_path):
    failing = [replace(r, settings={**r.settings, "fail": [1]}) for r in runs]
    message = r"1 of 3 runs failed; the first: toy:task .* seed 1: ValueError: no luck"
    with pytest.raises(RuntimeError, match=message):
        begin_on(standing[0], failing)()
    assert [r.seed for r, _ in missing_runs(failing)] == [1]
    assert len(began(tmp_path, 1)) == 1  # it would only fail again


def test_a_run_whose_process_dies_is_tried_again_and_named(runs, standing, tmp_path):
    with pytest.raises(RuntimeError, match=r"toy:killed .* ended with -9; out of memory\?"):
        begin_on(standing[0], [replace(runs[0], task="toy:killed")])()
    assert (tmp_path / "log").read_text() == "died\n" * 3


def test_a_worker_with_other_libraries_is_refused(runs, standing, monkeypatch):
    monkeypatch.setattr(grid, "libraries", lambda: provenance.libraries() | {"torch": "0", "numpy": "0"})
    with pytest.raises(RuntimeError, match="what differs there: numpy, torch$"):
        begin_on(standing[0], runs[:1])()


def test_a_worker_without_the_data_is_refused(runs, standing, tmp_path):
    far = replace(runs[0], track=Track(name="ferplus", root=str(tmp_path / "faces")))
    with pytest.raises(RuntimeError, match=r"the data folder .*faces does not exist on \S+$"):
        begin_on(standing[0], [far])()


def test_a_worker_with_other_code_is_refused_until_it_is_brought_up_to_date(runs, cache, started, tmp_path):
    started.worker(cache, tmp_path / "theirs")
    with pytest.raises(RuntimeError, match="has other code: .*toy"):
        begin_on(started.address, runs[:1])()
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "toy.py").write_text(TOY.replace("RATE = 1", "RATE = 2"))
    with pytest.raises(RuntimeError, match="would compute something else; what differs there: toy:RATE$"):
        begin_on(started.address, runs[:1])()
    (tmp_path / "theirs" / "toy.py").write_text(TOY)
    assert [r.run.seed for r in begin_on(started.address, runs[:1])()] == [0]


@pytest.mark.parametrize(
    "named", ["tcp://", "tcp://host", "tcp://host:port", "http://host:80", "tcp://:8786", "tcp://host:99999"]
)
def test_an_address_that_is_none_is_refused(named):
    with pytest.raises(ValueError, match=f"CLUSTER must be tcp://host:port, .* got '{named}'"):
        Cluster(named)


def test_a_scheduler_that_does_not_answer_is_named(runs, monkeypatch):
    monkeypatch.setattr("paperlib.cluster.PATIENCE", 0.5)
    with pytest.raises(OSError, match="no scheduler answers at CLUSTER=tcp://127.0.0.1:9"):
        on("tcp://127.0.0.1:9", runs)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must hold the keys class, workers and arguments"),
        ("{class: [", "is not YAML"),
        ("{class: !!python/name:os.system '', workers: 1}", "is not YAML"),
        ("{class: SSHCluster, workers: 1}", r"class must be one of .*SLURMCluster.*; got 'SSHCluster'"),
        ("{workers: 1}", "class must be one of .*; got None"),
        ("{class: LocalCluster}", "workers must be a whole number from 1; got None"),
        ("{class: LocalCluster, workers: 0}", "workers .* got 0"),
        ("{class: LocalCluster, workers: true}", "workers .* got True"),
        (
            "{class: LocalCluster, workers: 2, arguments: [a]}",
            r"arguments must be names and values; got \['a'\]",
        ),
        ("{class: LocalCluster, worker: 2}", "worker: no such key"),
    ],
)
def test_a_cluster_file_that_is_wrong_is_named_with_its_key(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError, match=rf"c\.yaml:? {message}"):
        Cluster(str(tmp_path / "c.yaml"))
    with pytest.raises(ValueError, match="there is no file '.*missing.yaml'"):
        Cluster(str(tmp_path / "missing.yaml"))


def test_arguments_that_a_class_refuses_are_named(tmp_path, runs, monkeypatch):
    file = tmp_path / "c.yaml"
    file.write_text("{class: LocalCluster, workers: 1, arguments: {wrokers: 2}}")
    with pytest.raises(
        ValueError, match=r"c\.yaml: arguments: LocalCluster refuses them: TypeError: .*wrokers"
    ):
        on(str(file), runs)
    file.write_text("{class: PBSCluster, workers: 1}")
    with pytest.raises(
        ValueError, match=r"c\.yaml: class: PBSCluster needs the command qsub, which is not here"
    ):
        on(str(file), runs)
    assert missing_runs(runs) != []


def test_without_dask_a_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(RuntimeError, match=r"CLUSTER needs Dask: pip install -e '\.\[cluster\]'"),
        Cluster("tcp://a:1") as c,
    ):
        list(c([]))


def test_a_local_cluster_is_started_when_a_run_is_missing_and_ended(runs, cache, toy, tmp_path, monkeypatch):
    file = tmp_path / "c.yaml"
    file.write_text("{class: LocalCluster, workers: 1}")
    monkeypatch.setenv("PAPERLIB_CACHE", str(cache))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(toy), str(ROOT)]))
    with Cluster(str(file)) as cluster:
        assert cluster._client is None
        results = run_missing(runs[:1], progress=False, cluster=cluster)
        address = cluster._client.scheduler.address
    assert results[0]["threads"] == 1 and np.isfinite(results[0]["mean"]).all()
    with pytest.raises(OSError):
        distributed.Client(address, timeout=0.5, set_as_default=False)


# sbatch and scancel of a queue that starts every job at once, on this machine.
QUEUE = {
    "sbatch": '#!/bin/sh\ncp "$1" "$QUEUE/job.sh"\nsh "$QUEUE/job.sh" >"$QUEUE/log" 2>&1 & echo $! >"$QUEUE/pid"\n'
    "echo Submitted batch job $!\n",
    "scancel": '#!/bin/sh\npkill -P "$1"; kill "$1"\n',
}


def test_a_job_queue_starts_workers_of_this_checkout(runs, cache, toy, tmp_path, monkeypatch):
    for name, text in QUEUE.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("QUEUE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("PAPERLIB_CACHE", str(tmp_path / "far"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    file = tmp_path / "c.yaml"
    own = f"export PYTHONPATH=$PYTHONPATH:{toy}"
    file.write_text(f"""
class: SLURMCluster
workers: 1
arguments:
  cores: 1
  memory: 1GB
  job_script_prologue: ["{own}"]
  local_directory: {tmp_path}
  worker_extra_args: [--no-dashboard, --host, 127.0.0.1]
  scheduler_options: {{host: 127.0.0.1, dashboard_address: ":0"}}
""")
    results = on(str(file), runs[:1])
    script = (tmp_path / "job.sh").read_text()
    assert f"export PYTHONPATH={ROOT}\n{own}" in script
    assert [r.run.seed for r in results] == [0]
    assert [p.name for p in (cache / "runs").iterdir()] == [results[0].key]


def test_every_class_exists():
    import dask_jobqueue

    assert all(issubclass(getattr(dask_jobqueue, name), dask_jobqueue.JobQueueCluster) for name in JOB_QUEUES)
    assert set(CLASSES) - set(JOB_QUEUES) == {"LocalCluster"}
