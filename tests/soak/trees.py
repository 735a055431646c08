"""Copies of the checkout in which reproductions run, are killed, and are looked at afterwards."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import toy

from paperlib.files import ROOT

# What a reproduction says when a part of it begins; the scoreboard's page comes last.
PARTS = {"training": "to train, ", "executing": "executing "}
_NOT_COPIED = ".git .venv .cache executed figures tests .*_cache __pycache__ *.egg-info".split()
_MARK = "PAPERLIB_SOAK_TREE"  # in the environment of all that a tree's processes start


class Tree:
    """A copy of the checkout with toy papers, a cache and outputs of its own."""

    def __init__(
        self,
        folder: Path,
        *,
        cache: Path | None = None,
        figures: Path | None = None,
        papers: tuple[str, ...] = (toy.ONE,),
    ) -> None:
        self.folder, self.cache, self.figures = folder, cache or folder / ".cache", figures or folder / "made"
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        if papers:
            toy.add(folder, papers)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a reproduction, in a group of processes of its own; what it says goes to the file `said`."""
        words = ["--train", "all", "--profile", "smoke", "--jobs", "2", *arguments]
        drop = {"PAPERLIB_DATA"}
        environment = {name: value for name, value in os.environ.items() if name not in drop} | {
            "PYTHONPATH": str(self.folder),
            "PAPERLIB_CACHE": str(self.cache),
            "PAPERLIB_OUTPUTS": str(self.figures),
            "KEPT": str(self.figures),
            _MARK: str(self.folder),
        }
        with open(self.folder / "said", "a") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "paperlib.companion.reproduce", *words],
                cwd=self.folder,
                env=environment,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
            )

    @property
    def said(self) -> str:
        file = self.folder / "said"
        return file.read_text() if file.exists() else ""

    def reproduce(self, *arguments: str) -> int:
        """The exit status of a whole reproduction."""
        status = self.start(*arguments).wait(timeout=1800)
        self.wait_until_alone()
        return status

    def kill(self, process: subprocess.Popen[str]) -> None:
        """kill -9 of the process and its group, at once; the kernel, in a group of its own, has to notice."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.wait_until_alone()

    def forget(self, part: str) -> None:
        """Have one of PARTS, and what follows it, to do again."""
        for name in {"training": ["runs", "samples", "stamps"], "executing": ["stamps"]}[part]:
            shutil.rmtree(self.cache / name, ignore_errors=True)

    def wait_until_alone(self, *, seconds: float = 60) -> None:
        """Fails where a process that the tree's reproductions started outlives them by `seconds`."""
        deadline = time.monotonic() + seconds
        while orphans := self._processes():
            if time.monotonic() > deadline:
                for pid in orphans:
                    os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"orphans: {orphans}")
            time.sleep(0.1)

    def _processes(self) -> dict[int, str]:
        mark, found = f"{_MARK}={self.folder}\0".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (place / "environ").read_bytes() + b"\0":
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it ended meanwhile, or is another user's
                continue
        return found

    def made(self) -> dict[str, bytes]:
        """The samples and pages, and all that lies beside these, but for how long each run took."""
        tops = (self.folder / "notebooks" / "executed", self.figures, self.cache / "samples")
        files = [(path.relative_to(top), path) for top in tops for path in top.rglob("*") if path.is_file()]
        # named on a page
        samples = os.path.relpath(self.cache / "samples", self.folder / "notebooks").encode()
        whole = {str(name): path.read_bytes().replace(samples, b"samples") for name, path in files}
        lists = {name for name in whole if name.endswith(".trained.csv")}
        return whole | {name: _without(whole[name], "seconds") for name in lists}


def _without(table: bytes, column: str) -> bytes:
    return pd.read_csv(io.BytesIO(table), dtype=str).drop(columns=column).to_csv(index=False).encode()


def differences(made: dict[str, bytes], expected: dict[str, bytes]) -> list[str]:
    """Names of files that differ, or that only one has."""
    return sorted(name for name in made.keys() | expected.keys() if made.get(name) != expected.get(name))
