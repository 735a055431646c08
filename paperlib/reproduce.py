"""`make reproduce`: train what is missing, execute the pages, say what came out."""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import logging
import os
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import nbformat
from filelock import FileLock
from joblib import Parallel, delayed
from joblib.externals.loky import get_reusable_executor

from paperlib.grid import CACHE, ROOT, Run, missing_runs, record, run_missing
from paperlib.ledger import outputs, variant
from paperlib.papers import TRACKS_OF
from paperlib.provenance import digest, source_fingerprint
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
        with _cluster(options.cluster) as cluster:
            pages = reproduce_all(keys, track, seeds=options.seeds, jobs=jobs, cluster=cluster)
        for key, page in pages.items():
            if page:
                _summarise(key, track, page)
            else:
                _say(f"{key}: nothing to do, these data have none of the labels that it learns")
        if options.paper in ("", SCOREBOARD):
            if track.caution:
                _say("\n" + track.caution.replace("**", "").strip())
            _say(f"\n{SCOREBOARD}, of all papers that have a page on track {track.name}")
            _say(f"  page     {os.path.relpath(make_scoreboard(track), ROOT)}")
            _say(f"  beside   {os.path.relpath(outputs(track, SCOREBOARD).parent, ROOT)}/certificate.json")
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
    """Train what the pages of these papers lack, all together, then make the pages, `jobs` at a time."""
    stale = [key for key in keys if not _is_current(key, track, seeds)]
    missing = {key: missing_runs(_runs(key, track, seeds)) for key in stale}
    # The first run of a paper may be one that its others wait for. The rest come paper by paper: what a process
    # has read of a paper's data serves it again, and joblib starts a process anew when it grows with every run.
    first = [run for of in missing.values() for run, _ in of[:1]]
    wanted = first + [run for of in missing.values() for run, _ in of[1:]]
    if wanted:
        each = ", ".join(f"{len(of)} of {key}" for key, of in missing.items() if of)
        where = f"on {cluster.named}" if cluster else f"{jobs} at a time"
        _say(f"{len(wanted)} runs to train, {where}: {each}")
        run_missing(wanted, jobs=jobs, cluster=cluster)
        get_reusable_executor().shutdown()  # its processes keep the data in memory, and the pages' kernels need it
    if stale:
        _say(f"executing {len(stale)} {'page' if len(stale) == 1 else 'pages'}: {', '.join(stale)}")
    making = (delayed(reproduce)(key, track, seeds=seeds) for key in keys)
    # A page is made by a kernel, a process of its own; here one only waits for it.
    made = list(Parallel(n_jobs=min(jobs, max(len(stale), 1)), prefer="threads")(making))
    return dict(zip(keys, made, strict=True))


def reproduce(key: str, track: Track, *, seeds: int = 0) -> Path | None:
    """Make one paper's page on one track, with its tables, figures and ledger; returns the executed notebook.

    None where the data have no labels that the paper learns from: faces of a manifest without categories, say.

    Nothing is done when nothing changed: neither the code, nor the notebook, nor the data, nor what was made. Another
    process that makes the same page is waited for. What is not trained yet is, one run at a time.
    """
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
        _replace(stamp, json.dumps({"asked": asked, "made": _made(key, track, page)}))
        return page


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

    Nothing is done when neither these nor the code changed, nor what was made.

    Raises:
        RuntimeError: as in `execute`; there is no ledger, say.
    """
    page = NOTEBOOKS / "executed" / variant(track) / f"{SCOREBOARD_NOTEBOOK}.ipynb"
    stamp = _stamp(SCOREBOARD, track, 0)
    if stamp.is_file() and json.loads(stamp.read_text()) == _state_of_scoreboard(track, page):
        return page
    execute(NOTEBOOKS / f"{SCOREBOARD_NOTEBOOK}.ipynb", page, track)
    if track.profile == "thorough":
        from paperlib.scoreboard import renew_front  # here, because it reads this module's names

        renew_front()
    stamp.parent.mkdir(parents=True, exist_ok=True)
    _replace(stamp, json.dumps(_state_of_scoreboard(track, page)))
    return page


def _state_of_scoreboard(track: Track, page: Path) -> dict[str, str]:
    """What notebook 00 is made of, and what is made of it."""
    folder = outputs(track, SCOREBOARD)
    made = [page, folder.parent / "certificate.json", *sorted(folder.glob("*")), ROOT / "README.md"]
    read = [
        NOTEBOOKS / f"{SCOREBOARD_NOTEBOOK}.ipynb",
        ROOT / "requirements.lock",
        *sorted(folder.parent.glob("*/ledger.json")),
        *sorted(set(page.parent.glob("*.ipynb")) - {page}),
        *sorted((ROOT / "data" / "published").rglob("*")),
    ]
    return {"asked": digest(source_fingerprint() + _contents(read)), "made": _contents(made)}


def execute(notebook: Path, page: Path, track: Track, *, seeds: int = 0) -> None:
    """Execute a notebook with papermill into `page`: whole and verified, or not at all.

    The data folder reaches the kernel through PAPERLIB_DATA, so that no page holds a machine's path. It computes with
    one thread: several pages are made at once, and no sum may depend on how many.

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
            )
    except papermill.PapermillExecutionError as error:
        check_unchanged(track)  # a kernel that found other files than ours fails in other words
        raise RuntimeError(
            f"cell {error.exec_count} failed: {error.ename}: {error.evalue}; see {temporary}"
        ) from None
    executed: Any = nbformat.read(temporary, as_version=4)
    faults = list(_faults(executed))
    if faults:
        check_unchanged(track)
        raise RuntimeError(f"{'; '.join(faults)}; see {temporary}")
    _replace(page, nbformat.writes(_without_times(executed)) + "\n")
    temporary.unlink()


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
    files = sorted(p for p in Path(track.root).rglob("*") if p.is_file()) if track.root else []
    data = [(str(p.relative_to(track.root)), p.stat().st_size, p.stat().st_mtime_ns) for p in files]
    published = sorted((ROOT / "data" / "published" / key).glob("*"))
    parts = [
        source_fingerprint(),
        (NOTEBOOKS / f"{PAPERS[key]}.ipynb").read_text(),
        str(track),
        str(seeds),
        str(data),
    ]
    lock = (ROOT / "requirements.lock").read_text()
    return digest("\n".join([*parts, lock, *(p.read_text() for p in published)]))


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
    parser.add_argument("--profile", default="default", choices=PROFILES)
    parser.add_argument(
        "--paper", default="", choices=["", *PAPERS, SCOREBOARD], help="one paper; all by default"
    )
    parser.add_argument("--seeds", type=int, default=0, help="0: as many as the profile says")
    parser.add_argument("--jobs", type=int, default=0, help="runs at a time; 0: one a core")
    parser.add_argument(
        "--cluster", default="", help="a Dask scheduler's address, or a YAML file that starts one"
    )
    parser.add_argument("--explain", action="store_true", help="say what would be trained and why, and stop")
    return parser


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(text)
    os.replace(temporary, path)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    started = time.perf_counter()
    code = main()
    _say(f"\n{time.perf_counter() - started:.0f} s")
    sys.exit(code)
