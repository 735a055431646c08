"""Runs: each is trained once, kept on disk, and known by everything that can change its result."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import current_process
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from paperlib import files
from paperlib.asked import Asked, products_from
from paperlib.companion.provenance import (
    code_of,
    data_code_of,
    device,
    digest,
    libraries,
    precision,
    source_fingerprint,
)
from paperlib.tracks import Track, expect, versions

PATIENCE = 20  # seconds to wait for a scheduler's answer, and for its first worker
LOADED = source_fingerprint()  # of the code of this process, whatever becomes of the files
ONE_A_PROCESS = threading.Lock()  # torch has one random generator a process
_taken: list[FileLock] = []


class Run(Asked):
    """What was asked for, with the names by which its product is known."""

    @classmethod
    def of(cls, asked: Asked) -> Run:
        return asked if isinstance(asked, cls) else cls(**vars(asked))

    @property
    def identity(self) -> str:
        """What was asked for: the same on every machine and for every version of the code."""
        return digest(json.dumps([self.task, self.data, dict(self.settings), self.seed], sort_keys=True))

    @property
    def circumstances(self) -> dict[str, Any]:
        """What else can change the numbers: the code, the libraries, and what computes in which arithmetic."""
        return {
            "code": code_of(self.task),
            "data code": data_code_of(self.task),
            "device": device(),
            "libraries": libraries(),
            "precision": precision(),
        }

    @property
    def key(self) -> str:
        return digest(self.identity + json.dumps(self.circumstances, sort_keys=True))


class UnsuitedError(ValueError):
    """Whole data, which a paper cannot be trained on; others may be."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The product of a run: `arrays` by name, and how long it took."""

    run: Run
    key: str
    seconds: float
    arrays: Mapping[str, NDArray]

    def __getitem__(self, name: str) -> NDArray:
        return self.arrays[name]


def run_missing(
    runs: Iterable[Run], *, jobs: int = 1, progress: bool = True, cluster: str = ""
) -> list[Result]:
    """The results of these runs, in order; what is not in the cache is computed first, `jobs` at a time.

    A run uses one thread whatever `jobs` is, so parallelism changes no sum, and one GPU where there are several. One
    that another process computes is waited for. A run that fails does not stop the others; afterwards the first error
    is raised. With `cluster`, a Dask scheduler's tcp://host:port, its workers compute the runs, and `jobs` does not
    count. Each worker has one thread, and all machines share the folders of code, data and cache.

    Raises:
        RuntimeError: a run failed, or its worker was killed again and again.
        OSError: no scheduler answers at the address, or it has no workers.
    """
    runs = list(runs)
    missing = list({run.key: run for run in runs if not folder_of(run.key).is_dir()}.values())
    if missing:
        work = _on_cluster(missing, cluster) if cluster else _here(missing, jobs)
        watched = tqdm(work, total=len(missing), unit="run", disable=not progress, smoothing=0)
        if errors := [error for error in watched if error]:
            raise RuntimeError(f"{len(errors)} of {len(missing)} runs failed; the first: {errors[0]}")
        if lost := [run for run in missing if not folder_of(run.key).is_dir()]:
            where = f"{len(lost)} runs of {cluster} are not in {files.CACHE}"
            raise RuntimeError(f"{where}: its machines must share this folder")
    return [_read(run) for run in runs]


def _here(runs: Sequence[Run], jobs: int) -> Iterator[str | None]:
    # joblib starts a process anew once its memory grew by 300 MB, as mapped pictures make it. No run is lost.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
    in_turn = Parallel(n_jobs=jobs, return_as="generator_unordered")
    return in_turn(delayed(attempt)(run, versions()) for run in runs)


def _on_cluster(runs: Sequence[Run], address: str) -> Iterator[str | None]:
    try:
        from distributed import Client, KilledWorker, as_completed
    except ImportError as error:
        raise RuntimeError(f"CLUSTER needs Dask: pip install -e '.[cluster]' ({error})") from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OSError(f"no scheduler answers at CLUSTER={address} ({error})") from None
    with client:
        client.wait_for_workers(1, timeout=PATIENCE)  # a TimeoutError is an OSError
        asked = [(run, run.key, run.circumstances, LOADED, versions()) for run in runs]
        try:
            asking = client.map(attempt_elsewhere, *zip(*asked, strict=True), pure=False)
            for done in as_completed(asking, loop=client.loop):
                yield done.result()
        except KilledWorker as error:
            why = f"the cluster's workers were killed again and again, out of memory? ({error})"
            raise RuntimeError(f"{why} What is finished is kept.") from None


def missing_runs(runs: Iterable[Run]) -> list[tuple[Run, str]]:
    """The runs that are not in the cache, each with the reason why."""
    return [(run, _reason(run)) for run in runs if not folder_of(run.key).is_dir()]


def attempt(run: Run, data: Mapping[Track, str] | None = None) -> str | None:
    """Compute one run into the cache; the error in words if it fails, for one bad run must not lose the others.

    `data` are the `versions` of the files that the runs' fingerprints stand for.
    """
    expect(data or {})
    try:
        if current_process().name != "MainProcess":
            take_a_gpu(files.CACHE / "locks")
        _compute(run)
    except Exception as error:
        return failure(run, f"{type(error).__name__}: {error}")
    return None


def attempt_elsewhere(
    run: Run, key: str, circumstances: Mapping[str, Any], code: str, data: Mapping[Track, str]
) -> str | None:
    """`attempt` on another machine, which must give the run the `key` and use the `code` of the one that asks."""
    host = socket.gethostname()
    if code != LOADED:
        return failure(run, f"a worker on {host} was started with other code: start it again")
    try:
        if run.key != key:
            differs = what_changed(run, circumstances)
            return failure(run, f"{host} would compute something else; what differs there: {differs}")
    except LookupError as error:
        return failure(run, f"{host} has other code: {error}")
    with ONE_A_PROCESS:
        return attempt(run, data)


def take_a_gpu(folder: Path) -> int | None:
    """Where this machine has several GPUs, the one that this process computes on from now on, else None.

    The one that fewest processes have taken; one that ends gives it back. It must not have used a GPU yet.
    """
    import torch

    count = 0 if _taken else torch.cuda.device_count()
    if count < 2:
        return None
    for turn, gpu in itertools.product(range(1000), range(count)):
        lock = FileLock(folder / f"gpu-{socket.gethostname()}-{gpu}-{turn}.lock")
        with suppress(Timeout):
            lock.acquire(timeout=0)
            _taken.append(lock)
            os.environ["CUDA_VISIBLE_DEVICES"] = str(gpu)
            return gpu
    return None


def failure(run: Run, why: str) -> str:
    """The words that say which run failed and why."""
    return f"{run.task} {dict(run.settings)} seed {run.seed}: {why}"


def folder_of(key: str) -> Path:
    """Where the cache keeps the run of this key: arrays.npz and run.json, or no folder at all."""
    return files.CACHE / "runs" / key


@contextmanager
def new_folder(key: str) -> Iterator[Path]:
    """A folder to write arrays.npz and run.json into; when the block ends it is the run's in the cache, whole."""
    final = folder_of(key)
    # a name of its own: two machines of a cluster can share a process id
    temporary = final.with_name(f"{key}.{uuid.uuid4().hex}")
    temporary.mkdir(parents=True)
    yield temporary
    try:
        os.rename(temporary, final)
    except OSError:  # another process finished the same run first
        shutil.rmtree(temporary)
        if not final.is_dir():
            raise


def what_changed(run: Run, before: Mapping[str, Any]) -> str:
    """What of the code, the libraries, the device or the arithmetic differs from these `circumstances`, sorted."""
    now, then = _flat(run.circumstances), _flat(before)
    return ", ".join(sorted(k for k in now.keys() | then.keys() if now.get(k) != then.get(k)))


def _product(asked: Asked) -> Mapping[str, NDArray]:
    return run_missing([Run.of(asked)], progress=False)[0].arrays


products_from(_product)


def _compute(run: Run) -> None:
    """Put the run into the cache, unless it is there by now: whoever wants a run that is being computed waits here.

    A run that asks for another in its midst waits for that one while it holds its own lock. Nobody waits in a circle,
    since a run that is asked for never asks for one of those that ask. The lock of a killed process is free.
    """
    lock = files.CACHE / "locks" / f"{run.key}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        if not folder_of(run.key).is_dir():
            _compute_anew(run)


def _compute_anew(run: Run) -> None:
    import torch

    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    checkpoint = files.CACHE / "checkpoints" / f"{run.key}.ckpt"
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    train = run.function()
    # A run may ask for another in its midst: it must draw the same numbers whether that one was there or not. torch's
    # threads are not those of numpy and scikit-learn, which are limited once the import above has loaded them.
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())), threadpool_limits(1):
        arrays = train(run.track, run.settings, run.seed, checkpoint)
    about = {
        "task": run.task,
        "settings": dict(run.settings),
        "seed": run.seed,
        "data": run.data,
        "identity": run.identity,
        "circumstances": run.circumstances,
        "seconds": round(time.perf_counter() - started, 3),
    }
    with new_folder(run.key) as folder:
        np.savez(folder / "arrays.npz", allow_pickle=False, **arrays)
        (folder / "run.json").write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
    checkpoint.unlink(missing_ok=True)


def _read(run: Run) -> Result:
    folder = folder_of(run.key)
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    with np.load(folder / "arrays.npz", allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Result(run=run, key=run.key, seconds=about["seconds"], arrays=arrays)


def _reason(run: Run) -> str:
    """Why the run is not in the cache: never run, or what changed since it last was."""
    finished = [p for p in (files.CACHE / "runs").glob("*/run.json") if "." not in p.parent.name]
    for path in sorted(finished, key=lambda p: -p.stat().st_mtime):
        about = json.loads(path.read_text(encoding="utf-8"))
        if about["identity"] == run.identity:
            return f"changed: {what_changed(run, about['circumstances'])}"
    return "never run"


def _flat(nested: Mapping[str, Any]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in nested.items():
        flat |= value if isinstance(value, Mapping) else {name: value}
    return flat
