"""`make reproduce`: train what is missing, execute the pages, say what came out."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import nbformat
from filelock import FileLock
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from paperlib.companion.provenance import code_of, device, digest, precision, source_fingerprint
from paperlib.companion.runs import REPLAY, Run, missing_runs, record, recorded_code, run_missing
from paperlib.data.cache import state
from paperlib.files import CACHE, ROOT, whole, write_text
from paperlib.ledger import MAKING, kept_outputs, outputs, variant
from paperlib.papers import TRACKS_OF
from paperlib.tracks import PROFILES, TRACKS, Track, check_unchanged

if TYPE_CHECKING:
    from paperlib.cluster import Cluster

NOTEBOOKS = ROOT / "notebooks"
RECORDED = ROOT / "tests" / "recorded"  # runs behind the committed pages, for the tests
PAPERS = {
    "foteinopoulou2021": "01_foteinopoulou2021",
    "le2023": "02_le2023",
    "neo2023": "03_neo2023",
    "han2017": "04_han2017",
    "toisoul2021": "05_toisoul2021",
    "same_faces": "06_same_faces",
}
OURS = ("same_faces",)  # pages that are no paper's, and test no claim
THREADS = ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")  # read when a library is loaded
SCOREBOARD, SCOREBOARD_NOTEBOOK = "scoreboard", "00_scoreboard"
# Below the cache: names that a file or folder has while it is written, which takes seconds.
PARTIAL, WRITTEN_WITHIN = ("runs/*.*", "checkpoints/*.ckpt.*", "stamps/*/.*"), 3600


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.seeds < 0:
            raise ValueError(f"SEEDS must be 0 (as many as the profile says) or more; got {options.seeds}")
        # The kernel works in another folder, so a relative path must not reach it.
        root = str(Path(options.data).resolve()) if options.data else ""
        if options.paper == SCOREBOARD:
            root = root or "not read"  # it reads ledgers alone
        track = Track(name=options.track, root=root, profile=options.profile)
        jobs = options.jobs or joblib.cpu_count()
        keys = _papers_of(track, options.paper)
        if options.explain:
            for key in keys:
                _explain(key, track, options.seeds)
            return 0
        if options.recorded:
            for key in keys:
                _say(f"  page     {os.path.relpath(remake(key), ROOT)}")
            return 0
        sweep(CACHE)
        with _cluster(options.cluster) as cluster:
            pages = reproduce_all(keys, track, seeds=options.seeds, jobs=jobs, cluster=cluster)
        for key, page in pages.items():
            if page:
                _summarise(key, track, page)
            else:
                _say(f"{key}: nothing to do, these data have none of the labels that it learns")
        if options.paper == SCOREBOARD or not options.paper and any(pages.values()):
            if track.caution:
                _say("\n" + track.caution.replace("**", "").strip())
            _say(f"\n{SCOREBOARD}, of all papers that have a page on track {track.name}")
            _say(f"  page     {os.path.relpath(make_scoreboard(track), ROOT)}")
            _say(f"  beside   {os.path.relpath(_certificate(track), ROOT)}")
            if track.profile == "full" and _certified_dirty(track):
                from paperlib.scoreboard import command  # here, because it reads this module's names

                again = command(track.name, track.profile, SCOREBOARD)
                _say(f"  the certificate names a commit with changes on top: commit, then {again}")
    except (ValueError, OSError, RuntimeError) as error:
        sys.exit(f"reproduce: {error}")
    return 0


def _cluster(named: str) -> AbstractContextManager[Cluster | None]:
    if not named:
        return nullcontext()
    from paperlib.cluster import Cluster  # here, because Dask is an extra

    return Cluster(named)


def _papers_of(track: Track, wanted: str) -> list[str]:
    """The papers that have something to do on a track; refuses one that was named and has not."""
    if wanted == SCOREBOARD:
        return []
    able = [key for key in PAPERS if track.name in TRACKS_OF[key]]
    if wanted and wanted not in able:
        raise ValueError(f"{wanted} has nothing to do on track {track.name}, which is for {', '.join(able)}")
    return [wanted] if wanted else able


def reproduce_all(
    keys: Sequence[str], track: Track, *, seeds: int, jobs: int, cluster: Cluster | None = None
) -> dict[str, Path | None]:
    """Train what the pages of these papers lack, all together, then make the pages, `jobs` at a time.

    A page that fails, or whose runs do, does not stop the others.

    Raises:
        RuntimeError: PAPERLIB_REPLAY is set; or, when the others are made, pages failed: each is named, and why.
    """
    _refuse_recorded_runs()
    stale = [key for key in keys if not _is_current(key, track, seeds)]
    missing = {key: missing_runs(_runs(key, track, seeds)) for key in stale}
    # The first run of a paper may be one that its others wait for. The rest come paper by paper: what a process
    # has read of a paper's data serves it again, and joblib starts a process anew when it grows with every run.
    first = [run for of in missing.values() for run, _ in of[:1]]
    wanted = first + [run for of in missing.values() for run, _ in of[1:]]
    made: dict[str, Path | None] = {}
    failed: dict[str, str] = {}
    if wanted:
        each = ", ".join(f"{len(of)} of {key}" for key, of in missing.items() if of)
        where = f"on {cluster.named}" if cluster else f"{jobs} at a time"
        _say(f"{len(wanted)} runs to train, {where}: {each}")
        try:
            run_missing(wanted, jobs=jobs, cluster=cluster)
        except RuntimeError as error:
            left = {key: len(missing_runs(run for run, _ in of)) for key, of in missing.items()}
            if not any(left.values()):
                raise
            failed = {key: f"{n} of its runs are missing: {error}" for key, n in left.items() if n}
        get_reusable_executor().shutdown()  # its processes keep the data in memory, and the pages' kernels need it
    able = [key for key in keys if key not in failed]
    if executing := [key for key in stale if key in able]:
        pages = "page" if len(executing) == 1 else "pages"
        _say(f"executing {len(executing)} {pages}: {', '.join(executing)}")

    def attempt(key: str) -> None:
        try:
            made[key] = reproduce(key, track, seeds=seeds)
        except (ValueError, OSError, RuntimeError) as error:
            failed[key] = str(error)

    # A page is made by a kernel, a process of its own; here one only waits for it.
    Parallel(n_jobs=min(jobs, max(len(stale), 1)), prefer="threads")(delayed(attempt)(key) for key in able)
    if failed:
        said = "; ".join(f"{key}: {failed[key]}" for key in keys if key in failed)
        raise RuntimeError(f"{len(failed)} of {len(keys)} pages failed, the others are finished. {said}")
    return {key: made[key] for key in keys}


def reproduce(key: str, track: Track, *, seeds: int = 0) -> Path | None:
    """Make one paper's page on one track, with its tables, figures and ledger; returns the executed notebook.

    None where the data have no labels that the paper learns from: faces of a manifest without categories, say.

    Nothing is done when nothing changed: neither the code, nor the notebook, nor the data, nor the libraries and the
    arithmetic of this machine, nor what was made. Another process that makes the same page is waited for. What is not
    trained yet is, one run at a time.

    Raises:
        RuntimeError: PAPERLIB_REPLAY is set: a page of recorded runs would be taken for one of its own later; or as in
            `execute`.
    """
    _refuse_recorded_runs()
    stamp = _stamp(key, track, seeds)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(stamp.with_name(f"{key}.lock")):
        page = _page(key, track)
        if _is_current(key, track, seeds):
            return page
        asked = _asked(key, track, seeds)
        runs = _runs(key, track, seeds)
        if not runs:
            return None
        results = run_missing(runs)
        execute(NOTEBOOKS / f"{PAPERS[key]}.ipynb", page, track, seeds=seeds)
        if variant(track) == "twin" and not seeds:
            paper = importlib.import_module(f"paperlib.papers.{key}")
            keep = getattr(paper, "for_replay", list)  # what the page does not read need not be kept
            record(results, RECORDED / variant(track) / f"{key}.npz", kept=keep(results))
        write_text(stamp, json.dumps({"asked": asked, "made": _made(key, track, page)}))
        return page


def remake(key: str) -> Path:
    """Execute the kept page of a paper on the twin anew from its recorded runs, and return it.

    It is for a change of words, tables or drawings, on a machine that has none of the runs: nothing is trained.

    Raises:
        RuntimeError: the code that a run depends on is not the one that the runs were recorded with, so that their
            numbers would be stale; or as in `execute`.
    """
    track = Track(name="twin", profile="full")
    recording = RECORDED / variant(track) / f"{key}.npz"
    tasks = sorted({run.task for run in _runs(key, track, 0)})
    if recorded_code(recording) != digest(json.dumps([code_of(task) for task in tasks])):
        raise RuntimeError(
            f"what {key}'s runs depend on has changed since they were recorded: "
            f"make reproduce PROFILE=full PAPER={key}"
        )
    lock = _stamp(key, track, 0).with_name(f"{key}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        execute(NOTEBOOKS / f"{PAPERS[key]}.ipynb", _page(key, track), track, recorded=recording.parent)
    return _page(key, track)


def _runs(key: str, track: Track, seeds: int) -> list[Run]:
    paper = importlib.import_module(f"paperlib.papers.{key}")
    return [run for group in paper.grid(track, seeds=seeds or None).values() for run in group]


def _page(key: str, track: Track) -> Path:
    return NOTEBOOKS / "executed" / variant(track) / f"{PAPERS[key]}.ipynb"


def _stamp(key: str, track: Track, seeds: int) -> Path:
    return CACHE / "stamps" / variant(track) / f"{key}-{seeds}.json"


def _is_current(key: str, track: Track, seeds: int) -> bool:
    stamp = _stamp(key, track, seeds)
    if not stamp.is_file():
        return False
    now = {"asked": _asked(key, track, seeds), "made": _made(key, track, _page(key, track))}
    return json.loads(stamp.read_text()) == now


def make_scoreboard(track: Track) -> Path:
    """Make notebook 00 of the ledgers that are there, with its tables and the certificate; returns the page.

    Nothing is done when neither these nor the code changed, nor the libraries and the arithmetic of this machine, nor
    what was made; but for a certificate that names a commit with changes on top, once these are committed. Another
    process that makes the same page is waited for.

    Raises:
        RuntimeError: PAPERLIB_REPLAY is set; or as in `execute`: there is no ledger, say.
    """
    _refuse_recorded_runs()
    page = NOTEBOOKS / "executed" / variant(track) / f"{SCOREBOARD_NOTEBOOK}.ipynb"
    stamp = _stamp(SCOREBOARD, track, 0)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(stamp.with_name(f"{SCOREBOARD}.lock")):
        asked = _asked_of_scoreboard(track, page)
        now = {"asked": asked, "made": _made_of_scoreboard(track, page)}
        if stamp.is_file() and json.loads(stamp.read_text()) == now and not _committed_since(track):
            return page
        execute(NOTEBOOKS / f"{SCOREBOARD_NOTEBOOK}.ipynb", page, track)
        if track.profile == "full":
            from paperlib.scoreboard import renew_front  # here, because it reads this module's names

            renew_front()
        write_text(stamp, json.dumps({"asked": asked, "made": _made_of_scoreboard(track, page)}))
        return page


def _asked_of_scoreboard(track: Track, page: Path) -> str:
    read = [
        NOTEBOOKS / f"{SCOREBOARD_NOTEBOOK}.ipynb",
        ROOT / "requirements.lock",
        *sorted(outputs(track, SCOREBOARD).parent.glob("*/ledger.json")),
        *sorted(set(page.parent.glob("*.ipynb")) - {page}),
        *sorted((ROOT / "data" / "published").rglob("*")),
    ]
    return digest(source_fingerprint() + _here() + _contents(read))


def _made_of_scoreboard(track: Track, page: Path) -> str:
    front = [ROOT / "README.md"] if track.profile == "full" else []
    return _contents([page, _certificate(track), *sorted(outputs(track, SCOREBOARD).glob("*")), *front])


def _certificate(track: Track) -> Path:
    return outputs(track, SCOREBOARD).parent / "certificate.json"


def _certified_dirty(track: Track) -> bool:
    """Does the certificate say that what decides numbers differed from the commit that it names?"""
    path = _certificate(track)
    return path.is_file() and bool(json.loads(path.read_text(encoding="utf-8")).get("dirty"))


def _committed_since(track: Track) -> bool:
    if not _certified_dirty(track):
        return False
    from paperlib.certificate import checkout  # here, because it reads this module's names

    return not checkout()[1]


def _refuse_recorded_runs() -> None:
    if REPLAY in os.environ:
        raise RuntimeError(
            f"{REPLAY} is set, so nothing would be trained, and pages of recorded runs be taken for this machine's "
            "own: unset it; `make pages` executes pages of recorded runs"
        )


def sweep(cache: Path) -> None:
    """Remove from the cache what killed processes left half written: no process writes one file for an hour."""
    for path in [path for pattern in PARTIAL for path in cache.glob(pattern)]:
        with suppress(FileNotFoundError):  # it was finished meanwhile, or another process sweeps
            if time.time() - path.stat().st_mtime > WRITTEN_WITHIN:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def execute(
    notebook: Path, page: Path, track: Track, *, seeds: int = 0, recorded: Path | None = None
) -> None:
    """Execute a notebook with papermill into `page`: whole and verified, or not at all; so are its tables and figures.

    The kernel writes these into a folder of its own (`ledger.outputs`). When the page is whole they are moved to where
    they are kept, the ledger last, and what the page no longer makes is removed there. The data folder reaches the
    kernel through PAPERLIB_DATA, so that no page holds a machine's path. It computes with one thread: several pages
    are made at once, and no sum may depend on how many. `recorded` is a folder of recorded runs (`grid.record`), to be
    read in place of the cache.

    Raises:
        RuntimeError: a cell failed, was not executed, or wrote to stderr; the half-executed notebook is kept and named.
    """
    import papermill
    from traitlets.config import Config

    logging.getLogger("papermill").setLevel(logging.WARNING)
    parameters = {"track": track.name, "profile": track.profile, "seeds": seeds}
    unknown = parameters.keys() - papermill.inspect_notebook(str(notebook)).keys()
    if unknown:
        raise RuntimeError(f"{notebook.name} has no parameter {', '.join(sorted(unknown))}")
    os.environ |= {"PAPERLIB_DATA": track.root} | dict.fromkeys(THREADS, "1")
    page.parent.mkdir(parents=True, exist_ok=True)
    temporary = CACHE / "executing" / f"{variant(track)}-{notebook.name}"
    temporary.parent.mkdir(parents=True, exist_ok=True)
    making = kept_outputs().resolve() / ".making" / temporary.stem
    # An execution that was killed may have left something, there and beside the page.
    shutil.rmtree(making, ignore_errors=True)
    for left in page.parent.glob(f".{page.stem}.*"):
        left.unlink()
    try:
        # Sockets in a folder of their own: kernels that start at once would take each other's ports or names.
        with tempfile.TemporaryDirectory(prefix="kernel-") as sockets:
            papermill.execute_notebook(
                str(notebook),
                str(temporary),
                parameters,
                cwd=str(NOTEBOOKS),
                kernel_name="python3",
                progress_bar=False,
                execution_timeout=3600,
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
                kernel_manager_class=_kernels_with(
                    {MAKING: str(making)} | ({REPLAY: str(recorded)} if recorded else {})
                ),
            )
        executed: Any = nbformat.read(temporary, as_version=4)
        if faults := list(_faults(executed)):
            check_unchanged(track)
            raise RuntimeError(f"{'; '.join(faults)}; see {temporary}")
        with whole(page) as partial:
            partial.write_text(nbformat.writes(_without_times(executed)) + "\n", encoding="utf-8")
            _keep(making)
        temporary.unlink()
    except papermill.PapermillExecutionError as error:
        check_unchanged(track)  # a kernel that found other files than ours fails in other words
        raise RuntimeError(
            f"cell {error.exec_count} failed: {error.ename}: {error.evalue}; see {temporary}"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _kernels_with(environment: Mapping[str, str]) -> type:
    """A manager of kernels that have these variables beside this process's own, which its threads share."""
    from jupyter_client.manager import AsyncKernelManager

    class Kernels(AsyncKernelManager):
        @property
        def kernel_spec(self) -> Any:
            spec: Any = super().kernel_spec
            spec.env.update({name: value.replace("$", "$$") for name, value in environment.items()})
            return spec

    return Kernels


def _keep(making: Path) -> None:
    """Move all that a page made to where it is kept; the folder of its ledger then holds nothing else."""
    top, made = kept_outputs(), [path.relative_to(making) for path in making.rglob("*") if path.is_file()]
    for name in sorted(made, key=lambda name: name.name == "ledger.json"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(making / name, top / name)
    for folder in {top / name.parent for name in made if len(name.parts) > 2}:  # <track>/<paper>/<file>
        for path in set(folder.iterdir()) - {top / name for name in made}:
            if path.is_file():
                path.unlink()


def _faults(notebook: Any) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            # A killed kernel leaves cells marked as completed; only the missing count tells.
            if cell.execution_count is None:
                yield f"cell {number} was not executed"
            for output in cell.outputs:
                if output.output_type == "error" or output.get("name") == "stderr":
                    yield f"cell {number} wrote: {output.get('text', output.get('evalue', ''))[:200]}"


def _without_times(notebook: Any) -> Any:
    """Drop times and addresses, and what time alone decides: git shows only where two executions really differ."""
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        cell.id = f"cell-{number}"
        if "outputs" in cell:
            cell.outputs = _joined(cell.outputs)
        for output in cell.get("outputs", []):
            if "text/plain" in output.get("data", {}):
                output.data["text/plain"] = re.sub(r" at 0x[0-9a-f]+", "", output.data["text/plain"])
    return notebook


def _joined(outputs: list[Any]) -> list[Any]:
    """Outputs with the pieces of a stream made one again: a kernel cuts it where it happens to be when it is read."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and last.get("name") == output.name:
            last["text"] += output.text
        else:
            joined.append(output)
    return joined


def _asked(key: str, track: Track, seeds: int) -> str:
    published = sorted((ROOT / "data" / "published" / key).glob("*"))
    parts = [
        source_fingerprint(),
        (NOTEBOOKS / f"{PAPERS[key]}.ipynb").read_text(),
        str(track),
        str(seeds),
        state(Path(track.root), without=CACHE) if track.root else "",
        _here(),
    ]
    return digest("\n".join([*parts, *(p.read_text() for p in published)]))


@cache
def _here() -> str:
    """This machine's arithmetic and device, and the version that is installed of each package that the lock names: in
    an environment of one's own it may be another than the lock's."""
    versions = {}
    for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE):
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return json.dumps([precision(), device(), versions])


def _made(key: str, track: Track, page: Path) -> str:
    return _contents([page, *sorted(outputs(track, key).glob("*"))])


def _contents(files: Sequence[Path]) -> str:
    return digest("".join(hashlib.sha256(p.read_bytes()).hexdigest() for p in files if p.is_file()))


def _summarise(key: str, track: Track, page: Path) -> None:
    folder = outputs(track, key)
    entries = json.loads((folder / "ledger.json").read_text())["entries"]
    verdicts = [e for e in entries if e["claim"]]
    made = sorted(folder.glob("*"))
    _say(f"\n{key} on track {track.name}, profile {track.profile}")
    _say(f"  page     {os.path.relpath(page, ROOT)}")
    _say(
        f"  beside   {os.path.relpath(folder, ROOT)}/ ({sum(p.suffix == '.png' for p in made)} figures, "
        f"{sum(p.suffix == '.csv' for p in made)} tables, ledger.json with {len(entries)} numbers)"
    )
    for e in verdicts:
        _say(f"  {e['verdict'].partition(':')[0]:>18}  {e['artefact'].partition('/')[2]}: {e['claim']}")


def _explain(key: str, track: Track, seeds: int) -> None:
    paper = importlib.import_module(f"paperlib.papers.{key}")
    runs: list[Run] = [run for group in paper.grid(track, seeds=seeds or None).values() for run in group]
    missing = missing_runs(runs)
    _say(f"{key}: {len(runs) - len(missing)} of {len(runs)} runs are there")
    for run, why in missing:
        _say(f"  would train {dict(run.settings)} seed {run.seed}: {why}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make reproduce", description=__doc__)
    parser.add_argument("--track", default="twin", choices=TRACKS)
    parser.add_argument("--data", default="", help="folder of the track's files, in their official layout")
    parser.add_argument("--profile", default="full", choices=PROFILES)
    parser.add_argument(
        "--paper", default="", choices=["", *PAPERS, SCOREBOARD], help="one paper; all by default"
    )
    parser.add_argument("--seeds", type=int, default=0, help="0: as many as the profile says")
    parser.add_argument("--jobs", type=int, default=0, help="runs at a time; 0: one a core")
    parser.add_argument(
        "--cluster", default="", help="a Dask scheduler's address, or a YAML file that starts one"
    )
    parser.add_argument(
        "--recorded",
        action="store_true",
        help="execute the twin's kept pages from their recorded runs, and stop",
    )
    parser.add_argument("--explain", action="store_true", help="say what would be trained and why, and stop")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    started = time.perf_counter()
    code = main()
    _say(f"\n{time.perf_counter() - started:.0f} s")
    sys.exit(code)
