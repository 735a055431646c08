"""`make reproduce`: the pages of stored samples, and a part of their runs trained again (TRAIN=part) or none.

With TRAIN=all first all runs that the cache lacks, and their samples; with TRAIN=more those that the samples lack.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from filelock import FileLock
from joblib.externals.loky import get_reusable_executor

from paperlib import files
from paperlib.companion import more, plan, samples
from paperlib.companion.execute import NOTEBOOKS, execute, figures
from paperlib.companion.plan import Block, lacking, read_plan
from paperlib.companion.provenance import device, digest, precision, source_fingerprint, version_of
from paperlib.companion.runs import UnsuitedError, missing_runs, run_missing
from paperlib.companion.samples import tables_of
from paperlib.data.cache import state
from paperlib.files import ROOT, write_text
from paperlib.tracks import PROFILES, TRACKS, Track, check_unchanged

# a paper's key to its notebook: what follows the number in the name
PAPERS = {p.stem[3:]: p.stem for p in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")) if p.stem[:2] != "00"}
SCOREBOARD = "scoreboard"  # of the ledgers of the pages beside it
FAULTS = (ValueError, OSError, RuntimeError)
KEPT = ("twin", "ferplus", "studyforrest")  # tracks whose samples and pages are kept with the code
# Below the cache: names that a file or folder has while it is written, which takes seconds.
PARTIAL, WRITTEN_WITHIN = ("runs/*.*", "checkpoints/*.ckpt.*", "stamps/*/.*"), 3600


@dataclass(frozen=True, kw_only=True)
class Page:
    """A notebook on a track, made from the samples in a folder; the folder's name tells it from others of its track."""

    key: str
    track: str
    samples: Path

    @property
    def variant(self) -> str:
        return self.samples.name

    @property
    def notebook(self) -> Path:
        return NOTEBOOKS / f"{PAPERS.get(self.key, '00_scoreboard')}.ipynb"

    @property
    def path(self) -> Path:
        return NOTEBOOKS / "executed" / self.variant / self.notebook.name

    @property
    def outputs(self) -> Path:
        return figures() / self.variant / self.key

    @property
    def stamp(self) -> Path:
        return files.CACHE / "stamps" / self.variant / f"{self.key}.json"

    def asked(self) -> str:
        """All that decides what the page shows: code, notebook, samples or ledgers, printed numbers, libraries."""
        printed, ledgers = (ROOT / "data" / "published").rglob("*"), self.outputs.parent.glob("*/*.csv")
        if self.key == SCOREBOARD:
            read = [*printed, *(path for path in ledgers if path.parent != self.outputs)]
        else:
            read = [*tables_of(self.key, self.samples), *(p for p in printed if p.parent.name == self.key)]
        return _decided_by(_contents([self.notebook, *sorted(read)]))

    def made(self) -> str:
        return _contents([self.path, *sorted(self.outputs.glob("*"))])

    def make(self) -> None:
        """Execute the notebook, unless nothing changed; another process that makes the same page is waited for."""
        with _unless_current(self.stamp, self.asked, self.made) as stale:
            if stale:
                kept = self.samples == samples.STORED / self.track
                folder = "" if kept else os.path.relpath(self.samples, NOTEBOOKS)
                execute(self.notebook, self.path, track=self.track, samples=folder, variant=self.variant)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.seeds < 0:
            raise ValueError(f"SEEDS must be 0 (as many as the plan says) or more; got {options.seeds}")
        sweep(files.CACHE)
        jobs = joblib.effective_n_jobs(options.jobs or -1)
        if options.method:
            return _with_own_method(options, jobs)
        failed: dict[str, str] = {}
        keys = [options.paper] if options.paper else list(PAPERS)
        how: dict[str, Any] = {"seeds": options.seeds, "jobs": jobs, "cluster": options.cluster}
        if options.explain:
            _explain(keys, _track(options), options.seeds)
            return 0
        if options.train == "all":
            pages, failed = train(keys, _track(options), **how)
        elif options.train == "more":
            pages, failed = train_more(options.paper, _track(options), **how)
        else:
            pages = stored_pages(options.track, options.paper, options.profile, options.seeds)
        failed |= make_pages(pages, jobs=jobs)
        again = train_again(pages, jobs) if options.train == "part" else []
        done = [page for page in pages if f"{page.key} on {page.variant}" not in failed]
        if done:
            _say("\n".join([last_screen(done), *again]))
        _raise(failed)
    except FAULTS as error:
        sys.exit(f"reproduce: {error}")
    return 0


def _raise(failed: Mapping[str, str]) -> None:
    if failed:
        words = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise RuntimeError(f"{len(failed)} failed, the others are finished. {words}")


@contextmanager
def _noted(failed: dict[str, str], name: str) -> Iterator[None]:
    """Go on after the block where it fails, with the reason why in `failed`."""
    try:
        yield
    except FAULTS as error:
        failed[name] = str(error)


def _with_own_method(options: argparse.Namespace, jobs: int) -> int:
    """The pages of one track with the row of a method of the user's own; see `paperlib.companion.own`."""
    from paperlib.companion import own

    method, track = own.check(options.method), _track(options)
    _say(f"{method.path}: {method.name}, a {method.kind}, was tried on a few faces")
    stored = samples_folder(track.name, track.profile)
    pages_of = [key for key, row in own.rows().items() if row["kind"] == method.kind]
    planned = {}
    for key in [key for key in pages_of if options.paper in ("", key)]:
        try:
            planned[key] = own.blocks(method, key, track, stored, seeds=options.seeds)
        except UnsuitedError as why:
            _say(f"not on page {PAPERS[key]}: {why}")
    if not planned:
        raise ValueError(f"no page is left for a {method.kind}, which can stand on {' and '.join(pages_of)}")
    if options.explain:
        _say("\n".join(own.explain(planned)))
        return 0
    missing = {key: len(missing_runs([r for b in of for r in b.runs])) for key, of in planned.items()}
    _say(f"runs to train, {jobs} at a time: {', '.join(f'{n} of {key}' for key, n in missing.items())}")
    folder = own.add(method, track, stored, planned, jobs=jobs, cluster=options.cluster)
    get_reusable_executor().shutdown()
    pages = [Page(key=key, track=track.name, samples=folder) for key in planned]
    failed = make_pages(pages, jobs=jobs)
    _say("\n".join([*places(pages), *own.screen([page.outputs for page in pages])]))
    _raise(failed)
    return 0


def stored_pages(track: str = "", paper: str = "", profile: str = "full", seeds: int = 0) -> list[Page]:
    """The pages that can be made without training; of all kept tracks where none is named.

    Raises:
        ValueError: there are no samples of what was named.
    """
    found = []
    for name in [track] if track else KEPT:
        folder = samples_folder(name, profile, seeds)
        keys = [key for key in PAPERS if paper in ("", key) and tables_of(key, folder)]
        ledgers = (figures() / folder.name).glob("*/ledger.csv")
        if keys and not paper or paper == SCOREBOARD and any(ledgers):
            keys.append(SCOREBOARD)
        found += [Page(key=key, track=name, samples=folder) for key in keys]
    if not found and paper == SCOREBOARD:
        raise ValueError(
            "no page was made yet whose statements a scoreboard could show; make all, without PAPER"
        )
    if not found:
        what = " of ".join(filter(None, ["samples", paper, f"track {track}" if track else ""]))
        raise ValueError(f"no {what} are stored for profile {profile}; TRAIN=all trains and makes them")
    return found


def samples_folder(track: str, profile: str, seeds: int = 0) -> Path:
    """Where the samples of a track lie: with the code where they are kept, else in the cache."""
    if track in KEPT and profile == "full" and not seeds:
        return samples.STORED / track
    return files.CACHE / "samples" / f"{track}-{profile}{f'-{seeds}-seeds' if seeds else ''}"


def make_pages(pages: Sequence[Page], *, jobs: int) -> dict[str, str]:
    """Make pages, `jobs` at a time and scoreboards last, whichever fail; those that failed, each with the reason."""
    failed: dict[str, str] = {}
    stale = [page for page in pages if not _is_current(page.stamp, page.asked, page.made)]
    if stale:
        of = ", ".join(f"{page.key} on {page.variant}" for page in stale)
        _say(f"executing {len(stale)} page{'s' if len(stale) > 1 else ''}: {of}")

    def attempt(page: Page) -> None:
        with _noted(failed, f"{page.key} on {page.variant}"):
            page.make()

    for boards in (False, True):
        turn = [page for page in pages if (page.key == SCOREBOARD) == boards]
        with ThreadPool(
            jobs
        ) as threads:  # kernels do the work; an executor of futures would wait for them at Ctrl-C
            threads.map(attempt, turn, 1)
    return failed


def train(
    keys: Sequence[str], track: Track, *, seeds: int = 0, jobs: int = 1, cluster: str = ""
) -> tuple[list[Page], dict[str, str]]:
    """Train what these papers' plans lack, all together, and make samples of them; pages to make, and what failed.

    A paper whose runs fail does not stop the others. One that is named alone must have something to do on the track.
    """
    folder = samples_folder(track.name, track.profile, seeds)
    plans: dict[str, list[Block]] = {}
    pages = [Page(key=key, track=track.name, samples=folder) for key in keys]
    current = [page for page in pages if _is_current(*_of_samples(page, track, seeds))]
    failed, lacks = {}, {}
    for key in [page.key for page in pages if page not in current]:
        try:
            if blocks := read_plan(key, track, seeds=seeds):
                plans[key] = blocks
            else:
                lacks[key] = f"it needs {lacking(key, track)}"
        except UnsuitedError as error:
            lacks[key] = failed[key] = str(error)
    said = [f"nothing to do for {key} on track {track.name}: {why}" for key, why in lacks.items()]
    if not plans and not current:
        raise ValueError("\n".join(said))
    for line in said:
        _say(line)
    failed |= _train(plans, jobs, cluster)
    for page in [page for page in pages if page.key in plans and page.key not in failed]:
        with _noted(failed, page.key):
            _build(page, track, plans[page.key], seeds)
    pages = [page for page in pages if page in current or page.key in plans and page.key not in failed]
    if len(keys) > 1 and pages:
        pages.append(Page(key=SCOREBOARD, track=track.name, samples=folder))
    return pages, failed


def _train(plans: Mapping[str, Sequence[Block]], jobs: int, cluster: str) -> dict[str, str]:
    runs = {key: [run for block in blocks for run in block.runs] for key, blocks in plans.items()}
    missing = {key: [run for run, _ in missing_runs(of)] for key, of in runs.items()}
    # The first run of a paper may be one that its others wait for. The rest come paper by paper: what a process
    # has read of a paper's data serves it again, and joblib starts a process anew when it grows with every run.
    wanted = [run for of in missing.values() for run in of[:1]]
    wanted += [run for of in missing.values() for run in of[1:]]
    if not wanted:
        return {}
    each = ", ".join(f"{len(of)} of {key}" for key, of in missing.items() if of)
    _say(f"{len(wanted)} runs to train, {f'on {cluster}' if cluster else f'{jobs} at a time'}: {each}")
    try:
        run_missing(wanted, jobs=jobs, cluster=cluster)
    except RuntimeError as error:
        left = {key: len(missing_runs(of)) for key, of in missing.items()}
        if not any(left.values()):
            raise
        return {key: f"{n} of its runs are missing: {error}" for key, n in left.items() if n}
    finally:
        get_reusable_executor().shutdown()  # its processes keep the data in memory, and the pages' kernels need it
    return {}


def train_more(
    paper: str, track: Track, *, seeds: int = 0, jobs: int = 1, cluster: str = ""
) -> tuple[list[Page], dict[str, str]]:
    """Train what the stored samples lack of the plans, and add it to them; pages to make, and what failed.

    With `seeds` it is added to a copy in the cache: see `samples_folder`.
    """
    folder, stored = (samples_folder(track.name, track.profile, n) for n in (seeds, 0))
    keys = [paper] if paper else [key for key in PAPERS if tables_of(key, stored)]
    failed: dict[str, str] = {}
    for key in keys:
        if not tables_of(key, folder):
            folder.mkdir(parents=True, exist_ok=True)
            for path in stored.glob(f"{key}.*"):
                shutil.copy(path, folder)
        with _noted(failed, key):
            count = more.add(key, track, folder, seeds=seeds, jobs=jobs, cluster=cluster)
            _say(f"{key}: {count} runs were added to {os.path.relpath(folder, ROOT)}")
    get_reusable_executor().shutdown()
    of = [key for key in keys if key not in failed] + ([] if paper else [SCOREBOARD])
    return [Page(key=key, track=track.name, samples=folder) for key in of], failed


def train_again(pages: Sequence[Page], jobs: int) -> list[str]:
    """Train for these pages what `paperlib.companion.again` names, and say what came out beside what is stored."""
    from paperlib.companion import again

    asked = again.asked()
    wanted = [p for p in pages if (p.key, p.track) in {(key, again.TRACK.name) for key in asked}]
    if not wanted or any(p.samples != samples.STORED / p.track for p in wanted):
        return []
    path = files.CACHE / "again" / f"{'-'.join(p.key for p in wanted)}.csv"

    def what() -> str:
        plans = [plan.PLANS / f"{name}.yaml" for name in ("again", *(page.key for page in wanted))]
        read = [path for page in wanted for path in tables_of(page.key, page.samples)]
        return _decided_by(precision(), device(), _contents([*plans, *read]))

    with _unless_current(path.with_suffix(".json"), what, lambda: _contents([path])) as stale:
        if stale:
            _say("training a part of the runs again, to compare (TRAIN=none: pages alone)")
            table = again.train_again([p.key for p in wanted], jobs=jobs)
            get_reusable_executor().shutdown()
            write_text(path, table.to_csv(index=False))
    return again.screen(pd.read_csv(path))


def _build(page: Page, track: Track, blocks: Sequence[Block], seeds: int) -> None:
    with _unless_current(*_of_samples(page, track, seeds)) as stale:
        if stale:
            tables, done = more.build(page.key, track, blocks)
            check_unchanged(track)
            written = samples.write(tables, page.key, track.name, folder=page.samples)
            more.note(page.key, page.samples, done, anew=True)
            for path in set(tables_of(page.key, page.samples)) - set(written):
                path.unlink()


def _of_samples(page: Page, track: Track, seeds: int) -> tuple[Path, Callable[[], str], Callable[[], str]]:
    """The stamp of a paper's samples, all that decides them, and what was made."""

    def asked() -> str:
        planned = (plan.PLANS / f"{page.key}.yaml").read_text(encoding="utf-8")
        data = state(Path(track.root), without=files.CACHE) if track.root else ""
        return _decided_by(precision(), device(), planned, str(track), str(seeds), data)

    stamp = page.stamp.with_name(f"{page.key}-samples.json")
    return stamp, asked, lambda: _contents(tables_of(page.key, page.samples))


def _is_current(stamp: Path, asked: Callable[[], str], made: Callable[[], str]) -> bool:
    now = {"asked": asked(), "made": made()}
    return stamp.is_file() and json.loads(stamp.read_text(encoding="utf-8")) == now


@contextmanager
def _unless_current(stamp: Path, asked: Callable[[], str], made: Callable[[], str]) -> Iterator[bool]:
    """Whether something has to be made, which the block then does, alone; the stamp is written when it is made."""
    stamp.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(stamp.with_suffix(".lock")):
        before = asked()
        if _is_current(stamp, lambda: before, made):
            yield False
            return
        yield True
        write_text(stamp, json.dumps({"asked": before, "made": made()}))


def sweep(cache: Path) -> None:
    """Remove from the cache what killed processes left half written: no process writes one file for an hour."""
    for path in [path for pattern in PARTIAL for path in cache.glob(pattern)]:
        with suppress(FileNotFoundError):  # it was finished meanwhile, or another process sweeps
            if time.time() - path.stat().st_mtime > WRITTEN_WITHIN:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def places(pages: Sequence[Page]) -> list[str]:
    """Lines on where pages, and their tables and figures, are."""
    said = []
    for variant in dict.fromkeys(page.variant for page in pages):
        of = [page for page in pages if page.variant == variant]
        name = os.path.relpath(of[0].path if len(of) == 1 else of[0].path.parent, ROOT)
        tables = os.path.relpath(of[0].outputs if len(of) == 1 else of[0].outputs.parent, ROOT)
        said.append(f"{variant}: {name}; its tables, figures and ledger in {tables}")
    return said


def last_screen(pages: Sequence[Page]) -> str:
    """What was made and where, and the statements of each page by verdict."""
    said, counts = places(pages), {}
    for page in pages:
        if page.key != SCOREBOARD and (path := page.outputs / "verdicts.csv").is_file():
            if len(found := pd.read_csv(path)["verdict"]):
                counts[page.variant, page.key] = found.value_counts()
    if counts:
        from paperlib.companion.verdicts import ORDER  # here, because statsmodels takes a second

        table = pd.DataFrame(counts).fillna(0).astype(int)
        table = table.reindex([word for word in ORDER if word in table.index]).T.rename_axis(columns=None)
        said += ["", "Statements by verdict", table.to_string()]
    if any(page.variant.endswith("-smoke") for page in pages):
        said += ["", "Profile smoke trains too briefly to judge by: a network that has hardly learnt can "]
        said[-1] += "make any claim fail, or hold."
    return "\n".join(said)


def _decided_by(*more: str) -> str:
    """A digest of the code, of the libraries and of these."""
    return digest("\n".join([source_fingerprint(), _versions(), *more]))


@cache
def _versions() -> str:
    """The installed version of each package that the lock names: in one's own environment it may be another."""
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    return json.dumps({name: version_of(name) for name in names})


def _contents(paths: Sequence[Path]) -> str:
    return digest("".join(hashlib.sha256(p.read_bytes()).hexdigest() for p in paths if p.is_file()))


def _track(options: argparse.Namespace) -> Track:
    # A worker may run in another folder, so a relative path must not reach it.
    root = str(Path(options.data).resolve()) if options.data else ""
    return Track(name=options.track or "twin", root=root, profile=options.profile)


def _explain(keys: Sequence[str], track: Track, seeds: int) -> None:
    for key in keys:
        runs = [run for block in read_plan(key, track, seeds=seeds) for run in block.runs]
        if not runs:
            _say(f"{key}: nothing to do on track {track.name}: it needs {lacking(key, track)}")
            continue
        missing = missing_runs(runs)
        _say(f"{key}: {len(runs) - len(missing)} of {len(runs)} runs are there")
        for run, why in missing:
            _say(f"  would train {dict(run.settings)} seed {run.seed}: {why}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make reproduce", description=__doc__)
    parser.add_argument(
        "--train",
        default="none",
        choices=["none", "part", "more", "all"],
        help="part: train some stored runs again and compare; more: train what the stored samples lack of the plan, "
        "or of SEEDS, and add it; all: train all of the plan that the cache lacks",
    )
    parser.add_argument(
        "--track", default="", choices=["", *TRACKS], help="one track; by default all kept ones"
    )
    parser.add_argument("--data", default="", help="folder of the track's files, in their official layout")
    parser.add_argument("--profile", default="full", choices=PROFILES)
    parser.add_argument(
        "--paper", default="", choices=["", *PAPERS, SCOREBOARD], help="one paper; all by default"
    )
    parser.add_argument("--seeds", type=int, default=0, help="0: as many as the plan says")
    parser.add_argument("--jobs", type=int, default=0, help="runs at a time; 0: one a core")
    parser.add_argument("--cluster", default="", help="a Dask scheduler's address, tcp://host:port")
    parser.add_argument("--method", default="", help="a Python file with a method of your own, for a row")
    parser.add_argument("--explain", action="store_true", help="say what would be trained and why, and stop")
    return parser


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    started = time.perf_counter()
    code = main()
    _say(f"\n{time.perf_counter() - started:.0f} s")
    sys.exit(code)
