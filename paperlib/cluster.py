"""The grid on a Dask cluster: each missing run is one task, computed by a worker with its own checkout and cache.

A cluster is named by the address of its scheduler, tcp://host:port or tls://host:port (certificates as in Dask's own
configuration), or by a YAML file that says how to start one:

    class: SLURMCluster     # or PBSCluster, LSFCluster, SGECluster, OARCluster, HTCondorCluster, MoabCluster of
    workers: 16             # dask-jobqueue, or LocalCluster, for a trial on this machine
    arguments: {queue: short, cores: 4, memory: 16GB, walltime: "04:00:00"}

A worker computes a run only if its code, libraries and arithmetic give the run the key that it has here, and each in
a Python of its own: torch has one random generator a process, which two threads of a worker would share, and a worker
that was started before its checkout changed would still hold the old code. The data folder has to lie at the same
path on the workers, with the same content: a run that reads something else there fails. Results come back over the
network, so the cache need not be shared; where it is, a run whose worker was lost goes on from its last epoch. A run
that is being computed when this side is interrupted ends in the worker's cache.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tqdm import tqdm

from paperlib.companion.runs import RUN_FILES, Run, attempt, failure, folder_of, new_folder, what_changed
from paperlib.files import CACHE, ROOT
from paperlib.tracks import Track, contents, expect_contents

JOB_QUEUES = (
    "HTCondorCluster",
    "LSFCluster",
    "MoabCluster",
    "OARCluster",
    "PBSCluster",
    "SGECluster",
    "SLURMCluster",
)
CLASSES = (*JOB_QUEUES, "LocalCluster")
PATIENCE = 20  # seconds to wait for a scheduler's answer
POLL = 0.2  # seconds
RETRIES = 2  # of a run whose own process was killed; a run that merely fails is not repeated


class Cluster:
    """Computes runs on the cluster that `named` names, see above; `run_missing(runs, cluster=...)` calls it.

    It connects, and starts workers, when the first run is missing; leaving the `with` block ends what it started.

    Raises:
        ValueError: `named` is neither an address nor a file, or a key of the file is wrong; names file and key.
        RuntimeError: Dask is not installed.
        OSError: no scheduler answers at the address.
    """

    def __init__(self, named: str) -> None:
        self.named = named
        self._plan = None if _is_address(named) else _read_plan(Path(named))
        self._client: Any = None
        self._open = ExitStack()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def __call__(self, runs: Sequence[Run]) -> Iterator[str | None]:
        """For each run, as it ends: None, with its result in this cache, or the error in words."""
        if self._client is None:
            self._client = self._connect()
        waiting, at_work = list(runs), dict[Any, Run]()
        while waiting or at_work:
            # As many as there are threads: Dask would pile all on the workers that came first, and runs are long.
            while waiting and len(at_work) < sum(self._client.nthreads().values()):
                run = waiting.pop(0)
                key, asked = run.key, (run, run.key, run.circumstances, contents())
                task = self._client.submit(_compute, *asked, key=f"paperlib-{key}", retries=RETRIES)
                at_work[task] = run
            time.sleep(POLL)
            for task in [task for task in at_work if task.done()]:
                yield _fetch(at_work.pop(task), task)

    def _connect(self) -> Any:
        distributed = _needed("distributed")
        address = self._open.enter_context(self._plan.start()) if self._plan else self.named
        try:
            client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
        except OSError as error:
            raise OSError(f"no scheduler answers at CLUSTER={self.named} ({error})") from None
        if not client.scheduler_info()["workers"]:
            tqdm.write(f"{self.named} has no worker yet; the runs wait for one", file=sys.stderr)
        return self._open.enter_context(client)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What a cluster file says."""

    file: Path
    kind: str
    workers: int
    arguments: Mapping[str, Any]

    def start(self) -> Any:
        make, arguments = self._local() if self.kind == "LocalCluster" else self._job_queue()
        try:
            cluster = make(**arguments)
        except Exception as error:  # every class has its own way to refuse an argument
            root: BaseException = error
            while root.__cause__ is not None:  # Dask wraps it in "failed to start", more than once
                root = root.__cause__
            why = f"{type(root).__name__}: {root}"
            raise ValueError(f"{self.file}: arguments: {self.kind} refuses them: {why}") from error
        cluster.scale(self.workers)
        return cluster

    def _local(self) -> tuple[Any, dict[str, Any]]:
        # two on one machine would want the same port for their status pages
        beside = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
        arguments = {**beside, **self.arguments, "n_workers": self.workers}
        return _needed("distributed").LocalCluster, arguments

    def _job_queue(self) -> tuple[Any, dict[str, Any]]:
        make = getattr(_needed("dask_jobqueue"), self.kind)
        command = make.job_cls.submit_command.split()[0]
        if shutil.which(command) is None:
            raise ValueError(
                f"{self.file}: class: {self.kind} needs the command {command}, which is not here"
            )
        settings = f"jobqueue.{self.arguments.get('config_name', make.job_cls.default_config_name())}"
        own = _needed("dask.config").get(f"{settings}.job-script-prologue", None) or []
        # Not every queue hands PYTHONPATH to its jobs; the site's and the file's own lines come after it, and win.
        lines = [
            f"export PYTHONPATH={shlex.quote(str(ROOT))}",
            *self.arguments.get("job_script_prologue", own),
        ]
        options = {"dashboard_address": ":0"} | dict(self.arguments.get("scheduler_options", {}))
        return make, {**self.arguments, "job_script_prologue": lines, "scheduler_options": options}


def _needed(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise RuntimeError(f"CLUSTER needs Dask: pip install -e '.[cluster]' ({error})") from None


def _is_address(named: str) -> bool:
    if "://" not in named:
        return False
    try:
        parts = urlsplit(named)
        whole = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and bool(parts.port)
    except ValueError:  # a port that is no number
        whole = False
    if not whole:
        raise ValueError(f"CLUSTER must be tcp://host:port, tls://host:port or a YAML file; got {named!r}")
    return True


def _read_plan(path: Path) -> _Plan:
    yaml = _needed("yaml")
    if not path.is_file():
        raise ValueError(
            f"CLUSTER must be tcp://host:port, tls://host:port or a YAML file; there is no file {str(path)!r}"
        )
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(plan, dict):
        raise ValueError(f"{path} must hold the keys class, workers and arguments")
    unknown = plan.keys() - {"class", "workers", "arguments"}
    if unknown:
        raise ValueError(
            f"{path}: {sorted(map(str, unknown))[0]}: no such key; class, workers, arguments are"
        )
    kind, workers, arguments = plan.get("class"), plan.get("workers"), plan.get("arguments", {})
    if kind not in CLASSES:
        raise ValueError(f"{path}: class must be one of {', '.join(CLASSES)}; got {kind!r}")
    if type(workers) is not int or workers < 1:
        raise ValueError(f"{path}: workers must be a whole number from 1; got {workers!r}")
    if not isinstance(arguments, dict) or not all(isinstance(name, str) for name in arguments):
        raise ValueError(f"{path}: arguments must be names and values; got {arguments!r}")
    return _Plan(file=path, kind=kind, workers=workers, arguments=arguments)


def _fetch(run: Run, task: Any) -> str | None:
    """Wait for nothing: the task has ended. Its files go into this cache, unless they are there already."""
    try:
        error, files = task.result()
        if error is None and not folder_of(run.key).is_dir():
            with new_folder(run.key) as folder:
                for name in RUN_FILES:
                    (folder / name).write_bytes(files[name])
    except Exception as broken:  # the worker was killed too often, say; the other runs go on
        return failure(run, f"{type(broken).__name__}: {broken}")
    return error


def _compute(
    run: Run, key: str, circumstances: Mapping[str, Any], data: Mapping[tuple[Track, str], str]
) -> tuple[str | None, dict[str, bytes]]:
    """On a worker: one run in a Python of its own; the error in words, or the run's files by name.

    `data` are the `contents` of the tracks on the machine that asks.

    Raises:
        ChildProcessError: that Python was killed; Dask tries again.
    """
    environment = os.environ | {"PAPERLIB_CACHE": str(CACHE.resolve()), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "paperlib.cluster"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        try:
            pickle.dump((run, key, circumstances, data), child.stdin)
            child.stdin.flush()  # and left open: its end tells the child that this worker is no more
            said = child.stdout.read()
        except BrokenPipeError:
            said = b""
        finally:
            child.stdin.close()
    if child.returncode != 0:
        raise ChildProcessError(
            f"the run's process on {socket.gethostname()} ended with {child.returncode}; out of memory?"
        )
    error = json.loads(said)
    if error is not None:
        return error, {}
    return None, {name: (folder_of(key) / name).read_bytes() for name in RUN_FILES}


def _child() -> None:
    run, key, circumstances, data = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    with redirect_stdout(sys.stderr):  # what a task prints goes to the worker's log
        error = _refusal(run, key, circumstances)
        if error is None and not folder_of(key).is_dir():
            expect_contents(data)
            error = attempt(run)
    print(json.dumps(error), flush=True)


def _end_with_the_worker() -> None:
    os.read(sys.stdin.fileno(), 1)  # nothing is ever sent: it returns when the other end is gone
    os._exit(1)


def _refusal(run: Run, key: str, circumstances: Mapping[str, Any]) -> str | None:
    """Why this machine must not compute the run; None if it may."""
    host = socket.gethostname()
    if run.track.root and not Path(run.track.root).is_dir():
        return failure(run, f"the data folder {run.track.root} does not exist on {host}")
    try:
        if run.key != key:
            changed = what_changed(run, circumstances) or "paperlib.companion.runs"
            return failure(run, f"{host} would compute something else; what differs there: {changed}")
    except LookupError as error:  # the task, or something it needs, does not exist there
        return failure(run, f"{host} has other code: {error}")
    return None


if __name__ == "__main__":
    _child()
