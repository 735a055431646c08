"""Tables and words that the README quotes from the last run, each between two marks of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from paperlib.files import ROOT, write_text

README = ROOT / "README.md"


def put_between(marks: tuple[str, str], text: str, readme: Path = README) -> None:
    """Replace what stands between two marks in the README, which is written whole or not at all.

    Raises:
        ValueError: the marks are not there, in order.
    """
    head, begin, rest = readme.read_text(encoding="utf-8").partition(marks[0])
    _, end, tail = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"{readme.name} lacks the marks {marks[0]} and {marks[1]}")
    write_text(readme, f"{head}{begin}\n\n{text}\n\n{end}{tail}")


def markdown_table(heads: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [heads, ["---"] * len(heads), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)
