"""Where files are kept, and how one appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("PAPERLIB_CACHE", ROOT / ".cache"))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to: it becomes `path` when the block ends, and is removed where the block fails.

    The folder is made. The place has the suffix of `path`, by which writers tell what to write.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with whole(path) as partial:
        partial.write_text(text, encoding="utf-8")
