"""`make verify`: the ledgers that are here against those of the last commit, or of another folder, line by line."""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from paperlib.companion.execute import figures
from paperlib.companion.page import FIELDS
from paperlib.files import ROOT

TOLERANCE = 1e-9  # relative: the last digits of a sum may differ with the processor
SAME, WITHIN, OTHER, GONE, NEW = "the same", "within the interval", "other", "gone", "new"


def compare(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """A row a line of either ledger: its name, the outcome, and the columns that differ with their values.

    Lines are known by all columns that hold no number and no verdict. A number that moved, but stays within the
    interval that it had, under the same verdict, is WITHIN.
    """
    old, new = _named(before), _named(now)
    rows = []
    for name in [*old.index, *new.index.difference(old.index, sort=False)]:
        if name not in new.index or name not in old.index:
            rows.append((name, NEW if name in new.index else GONE, ""))
            continue
        was, found = old.loc[name], new.loc[name]
        differs = [c for c in sorted(old.columns.union(new.columns)) if not _equal(was.get(c), found.get(c))]
        said = ", ".join(f"{c} {_short(was.get(c))} -> {_short(found.get(c))}" for c in differs)
        inside = was.get("low", np.nan) <= found.get("estimate", np.nan) <= was.get("high", np.nan)
        kept = inside and "verdict" not in differs
        rows.append((name, WITHIN if differs and kept else OTHER if differs else SAME, said))
    return pd.DataFrame(rows, columns=["line", "outcome", "what"])


def ledgers_of(folder: Path) -> dict[str, pd.DataFrame]:
    """The ledgers below a folder, by "track/key"."""
    found = sorted(path for path in folder.glob("*/*/ledger.csv") if not path.parts[-3].startswith("."))
    return {"/".join(path.parts[-3:-1]): _read(path.read_text(encoding="utf-8")) for path in found}


def committed_ledgers(repository: Path = ROOT) -> dict[str, pd.DataFrame]:
    """The ledgers of the last commit, by "track/key".

    Raises:
        RuntimeError: git is not there, or the folder is no repository.
    """
    names = _git(repository, "ls-tree", "-r", "--name-only", "HEAD", "figures").splitlines()
    names = [name for name in names if name.endswith("/ledger.csv")]
    return {"/".join(n.split("/")[-3:-1]): _read(_git(repository, "show", f"HEAD:{n}")) for n in names}


def report(before: Mapping[str, pd.DataFrame], now: Mapping[str, pd.DataFrame]) -> tuple[str, bool]:
    """A line a page with how many lines came out how, then those that differ by name; whether all agree."""
    said, differing, whole = [], [], True
    for page in [*before, *sorted(now.keys() - before.keys())]:
        if page not in now:
            said.append(f"{page}: not made here")
            continue
        found = compare(before.get(page, now[page].iloc[:0]), now[page])
        counts = found["outcome"].value_counts()
        said.append(f"{page}: " + ", ".join(f"{n} {what}" for what, n in counts.items()))
        changed = found[found["outcome"] != SAME]
        differing += [f"  {page}: {x.outcome}: {x.line} {x.what}".rstrip() for x in changed.itertuples()]
        whole &= bool(found["outcome"].isin([SAME, WITHIN]).all())
    return "\n".join([*said, *differing]), whole


def main() -> None:
    parser = argparse.ArgumentParser(prog="make verify", description=__doc__)
    words = "figures of another place; by default the last commit's"
    parser.add_argument("folder", nargs="?", default="", help=words)
    folder = parser.parse_args().folder
    try:
        if folder and not Path(folder).is_dir():
            raise RuntimeError(f"there is no folder {folder}")
        before = ledgers_of(Path(folder)) if folder else committed_ledgers()
    except RuntimeError as error:
        sys.exit(f"verify: {error}")
    if not before:
        sys.exit(f"verify: no ledger.csv in {folder or 'the last commit'}")
    text, whole = report(before, ledgers_of(figures()))
    print(text)
    sys.exit(0 if whole else 1)


def _named(ledger: pd.DataFrame) -> pd.DataFrame:
    keys = [c for c in ledger if c not in FIELDS]
    words = ledger[keys].fillna("").astype(str).to_numpy()
    name = pd.Series([", ".join(filter(None, row)) for row in words], index=ledger.index, dtype=str)
    turn = name.groupby(name).cumcount()
    return ledger.drop(columns=keys).set_index(name.where(turn == 0, name + " #" + (turn + 1).astype(str)))


def _equal(was: object, found: object) -> bool:
    if isinstance(was, int | float) and isinstance(found, int | float):
        return bool(np.isclose(was, found, rtol=TOLERANCE, atol=0, equal_nan=True))
    return was == found or (pd.isna(was) and pd.isna(found))


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _read(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text))


def _git(repository: Path, *arguments: str) -> str:
    try:
        return subprocess.check_output(
            ["git", "-C", str(repository), *arguments], stderr=subprocess.PIPE, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        why = getattr(error, "stderr", "") or error
        raise RuntimeError(f"git cannot say what was committed: {why}") from None


if __name__ == "__main__":
    main()
