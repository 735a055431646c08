import json
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from joblib.externals.loky import get_reusable_executor
from sklearn.linear_model import RidgeCV
from threadpoolctl import threadpool_info

from paperlib import asked, files
from paperlib.asked import Asked
from paperlib.companion import provenance
from paperlib.companion import runs as machine
from paperlib.companion.runs import Run, attempt_elsewhere, missing_runs, run_missing
from paperlib.files import ROOT
from paperlib.tracks import Track

SCALE = 2.0


def product(track, settings, seed, checkpoint):
    """A task of a millisecond, whose sums would depend on the number of threads."""
    folder = Path(settings["folder"])
    with open(folder / "log", "a") as log:
        log.write(f"{seed} {os.getpid()}\n")
    if seed in settings.get("fail", ()):
        raise ValueError(f"no luck with {seed}")
    wait_for(lambda: list(folder.glob(settings.get("until", "*"))))
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
    asked.product(Asked(task=f"{__name__}:draws", track=track, data="d", settings={}, seed=seed + 100))
    return {"drawn": torch.cat([before, torch.rand(3)]).numpy()}


def asks_product(track, settings, seed, checkpoint):
    """Asks for a run that waits for this to be asked for."""
    base = Run(task=f"{__name__}:product", track=track, data="d", settings=settings, seed=100)
    Path(settings["folder"], f"asked-{seed}-{base.key}").touch()  # a key takes time when it is made first
    return dict(asked.product(base))


def regression(track, settings, seed, checkpoint):
    """Sums of numpy and scikit-learn that are others on two threads, and the threads of all that has some."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6_000, 130)), rng.normal(size=6_000)
    return {
        "coefficients": RidgeCV(alphas=np.logspace(1, 5, 5)).fit(x, y).coef_,
        "product": x.T @ x,
        "threads": np.array([pool["num_threads"] for pool in threadpool_info()]),
    }


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture
def runs(tmp_path, cache):
    settings = {"folder": str(tmp_path)}
    task = f"{__name__}:product"
    return [Run(task=task, track=Track(), data="d", settings=settings, seed=seed) for seed in range(3)]


def computed(runs, what=0):
    """The seeds that were computed, in order, or (1) the processes that did it."""
    log = Path(runs[0].settings["folder"], "log")
    return [int(line.split()[what]) for line in log.read_text().splitlines()] if log.exists() else []


def elsewhere(code, runs, **environment):
    """Start `code` in a new Python that knows `runs` and this module, and uses the same cache."""
    stated = [(r.task, r.data, dict(r.settings), r.seed) for r in runs]
    program = f"""
import json, os, signal
import numpy as np
import {__name__} as tasks
from paperlib.companion import runs as machine
from paperlib.tracks import Track
stated = json.loads({json.dumps(stated)!r})
runs = [machine.Run(task=t, track=Track(), data=d, settings=s, seed=seed) for t, d, s, seed in stated]
{code}
"""
    return start("-c", program, **environment)


def start(*arguments, stderr=None, **environment):
    """Start a Python that knows this module and uses the same cache."""
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    environment = os.environ | environment | {"PAPERLIB_CACHE": str(files.CACHE), "PYTHONPATH": path}
    return subprocess.Popen([sys.executable, *arguments], env=environment, stderr=stderr)


def wait_for(found):
    deadline = time.monotonic() + 240  # it takes ten seconds, but a loaded machine is no failure
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


def test_whatever_can_change_a_result_changes_its_key(runs, monkeypatch):
    run = runs[0]
    of = {"seed": 7, "data": "e", "settings": {**run.settings, "a": 1}, "task": f"{__name__}:objects"}
    others = [run, *(replace(run, **{name: other}) for name, other in of.items())]
    assert len({r.key for r in others}) == len({r.identity for r in others}) == 5
    assert replace(run, settings=dict(reversed(of["settings"].items()))).key == others[3].key
    key, identity = run.key, run.identity
    for circumstance, other in {
        "code_of": lambda task: {"m:f": "0"},
        "data_code_of": lambda task: {"m:f": "0"},
        "device": lambda: "NVIDIA H100",
        "libraries": lambda: {"torch": "0"},
        "precision": lambda: "64-true",
    }.items():
        with monkeypatch.context() as patch:
            patch.setattr(machine, circumstance, other)
            assert run.key != key and run.identity == identity
    assert run.key == key


def test_a_run_that_asks_for_another_draws_the_same_whether_that_was_there_or_not(cache):
    run = Run(task=f"{__name__}:asks_first", track=Track(), data="d", settings={}, seed=1)
    (trained_in_its_midst,) = run_missing([run])
    shutil.rmtree(machine.folder_of(run.key))
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


def test_a_run_killed_while_it_is_written_cannot_be_read(runs):
    code = """
def killed(temporary, final, whole=os.rename, calls=[]):
    calls.append(final)
    if len(calls) == 1:
        return whole(temporary, final)
    for file in temporary.iterdir():
        os.truncate(file, file.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)
machine.os.rename = killed
machine.run_missing(runs, progress=False)
"""
    assert elsewhere(code, runs).wait() == -signal.SIGKILL
    assert [(r.seed, why) for r, why in missing_runs(runs)] == [(1, "never run"), (2, "never run")]
    results = run_missing(runs, progress=False)
    assert computed(runs) == [0, 1, 1, 2]
    assert [int(r["seed"]) for r in results] == [0, 1, 2]


def test_two_jobs_give_what_one_gives(runs, monkeypatch, tmp_path):
    alone = run_missing(runs, progress=False)
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "other")
    monkeypatch.setenv("PAPERLIB_CACHE", str(tmp_path / "other"))  # read by workers, which start afresh
    get_reusable_executor().shutdown(wait=True)
    together = run_missing(runs, jobs=2, progress=False)
    get_reusable_executor().shutdown(wait=True)
    assert sorted(computed(runs)) == [0, 0, 1, 1, 2, 2]
    for one, two in zip(alone, together, strict=True):
        assert one["mean"].tobytes() == two["mean"].tobytes()


# A key takes time when it is made first, so it is made before this is said to ask.
ASK = """
open(f"{runs[0].settings['folder']}/asks-{os.getpid()}-{runs[0].key}", "w").close()
machine.run_missing(runs, progress=False)
"""


@pytest.fixture
def two_that_ask(runs, tmp_path):
    """Two processes that want the same run, which one of them computes until the file `go` is there."""
    run = replace(runs[0], settings={**runs[0].settings, "until": "go"})
    both = []
    for asking in (1, 2):
        both.append(elsewhere(ASK, [run]))
        wait_for(lambda n=asking: len(list(tmp_path.glob("asks-*"))) == n and computed([run]))
    time.sleep(0.5)  # in which the second would begin
    assert computed([run]) == [0]
    yield run, both
    for process in both:
        process.kill()
        process.wait()


def test_a_run_that_another_process_computes_is_waited_for(two_that_ask, cache, tmp_path):
    run, both = two_that_ask
    assert [process.poll() for process in both] == [None, None]
    assert missing_runs([run]) == [(run, "never run")]
    (tmp_path / "go").touch()
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert int(run_missing([run], progress=False)[0]["seed"]) == 0
    assert computed([run]) == [0]
    assert [path.name for path in (cache / "runs").iterdir()] == [run.key]


def test_who_waits_for_a_process_that_is_killed_computes_the_run(two_that_ask, tmp_path):
    run, (first, second) = two_that_ask
    first.kill()
    (tmp_path / "go").touch()
    assert second.wait(timeout=60) == 0
    assert missing_runs([run]) == [] and computed([run]) == [0, 0]


def test_a_run_that_others_ask_for_in_their_midst_is_computed_once(runs, cache, monkeypatch):
    monkeypatch.setenv("PAPERLIB_CACHE", str(cache))  # read by workers, which start afresh
    settings = {**runs[0].settings, "until": "asked-*"}
    base = replace(runs[0], settings=settings, seed=100)
    asking = [replace(run, task=f"{__name__}:asks_product", settings=settings) for run in runs]
    get_reusable_executor().shutdown(wait=True)
    results = run_missing([base, *asking], jobs=2, progress=False)
    get_reusable_executor().shutdown(wait=True)
    assert computed(runs) == [100]
    assert [int(r["seed"]) for r in results] == [100] * 4


def test_a_run_computes_with_one_thread_and_gives_what_one_thread_gives(runs, tmp_path):
    run = replace(runs[0], task=f"{__name__}:regression")
    (result,) = run_missing([run], progress=False)
    assert set(result["threads"]) == {1}
    code = "np.savez(runs[0].settings['folder'] + '/alone.npz', **tasks.regression(None, {}, 0, None))"
    one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
    assert elsewhere(code, [run], **one).wait() == 0
    with np.load(tmp_path / "alone.npz") as alone:
        assert set(alone["threads"]) == {1}
        for name in ("coefficients", "product"):
            assert alone[name].tobytes() == result[name].tobytes()


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
        patch.setattr(machine, "libraries", lambda: provenance.libraries() | {"torch": "0", "numpy": "0"})
        patch.setattr(machine, "device", lambda: "NVIDIA H100")
        assert missing_runs([run]) == [(run, "changed: device, numpy, torch")]
    (tmp_path / "toy.py").write_text((tmp_path / "toy.py").read_text().replace("RATE = 1", "RATE = 2"))
    for cached in (provenance.code_of, provenance._parsed):
        cached.cache_clear()
    assert missing_runs([run]) == [(run, "changed: toy:RATE")]


def test_objects_are_neither_written_nor_read(runs, cache):
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


def test_a_result_that_cannot_be_written_is_an_error(runs, cache, monkeypatch):
    def full(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(machine.os, "rename", full)
    with pytest.raises(RuntimeError, match="No space left"):
        run_missing(runs[:1], progress=False)
    assert not list((cache / "runs").iterdir())


def test_each_process_takes_a_gpu_of_its_own_where_there_are_several(cache, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    cache.mkdir()
    locks = []
    for gpu in (0, 1, 0, 1):  # four processes, of which the second has ended when the fourth comes
        monkeypatch.setattr(machine, "_taken", [])
        assert machine.take_a_gpu(cache) == gpu and os.environ["CUDA_VISIBLE_DEVICES"] == str(gpu)
        assert machine.take_a_gpu(cache) is None  # it has one
        locks += machine._taken
        if len(locks) == 3:
            locks[1].release()
    monkeypatch.setattr(machine, "_taken", [])
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert machine.take_a_gpu(cache) is None


@pytest.fixture
def address(tmp_path, cache):
    """Of a real Dask scheduler on the loopback address with two workers of one thread each."""
    pytest.importorskip("distributed")
    said, processes = tmp_path / "scheduler.json", []

    def dask(*words):
        words = ["-m", "dask", *words, "--no-dashboard", "--host", "127.0.0.1"]
        processes.append(start(*words, stderr=subprocess.DEVNULL))

    dask("scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(said))
    wait_for(lambda: said.exists() and said.read_text().endswith("}"))
    found = json.loads(said.read_text())["address"]
    for _ in range(2):
        dask("worker", found, "--no-nanny", "--nthreads", "1", "--local-directory", str(tmp_path))
    yield found
    for process in reversed(processes):
        process.kill()
        process.wait()


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_s_worker_killed_in_the_midst_of_a_run_loses_nothing(runs, address, tmp_path, monkeypatch):
    runs = [replace(run, settings={**run.settings, "until": "go"}) for run in runs]
    monkeypatch.setattr(machine, "PATIENCE", 240)
    with ThreadPoolExecutor(1) as aside:
        results = aside.submit(run_missing, runs, progress=False, cluster=address)
        wait_for(lambda: results.done() or len(computed(runs)) == 2)  # both workers at once
        assert not results.done(), results.exception()
        seed, process = computed(runs)[0], computed(runs, 1)[0]
        os.kill(process, signal.SIGKILL)
        (tmp_path / "go").touch()
        there = results.result()
    assert missing_runs(runs) == [] and computed(runs).count(seed) == 2
    assert computed(runs, 1).count(process) == 1
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "alone")
    for far, near in zip(there, run_missing(runs, progress=False), strict=True):
        assert far.key == near.key and far["mean"].tobytes() == near["mean"].tobytes()


def test_what_another_machine_must_not_compute_is_told(runs, monkeypatch):
    asked = runs[0], runs[0].key, runs[0].circumstances
    assert "was started with other code: start it again" in attempt_elsewhere(*asked, "other code", {})
    gone = replace(runs[0], task="toy_of_nobody:task"), *asked[1:]
    assert "has other code: there is no module toy_of" in attempt_elsewhere(*gone, machine.LOADED, {})
    monkeypatch.setattr(machine, "libraries", lambda: {"torch": "0"})
    said = attempt_elsewhere(*asked, machine.LOADED, {})
    assert "would compute something else; what differs there: " in said and "torch" in said


def test_an_address_where_nobody_answers_is_one_line(runs, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr(machine, "PATIENCE", 0.5)
    for nobody in ("tcp://127.0.0.1:9", "no address"):
        with pytest.raises(OSError, match=f"no scheduler answers at CLUSTER={nobody}"):
            run_missing(runs, progress=False, cluster=nobody)
