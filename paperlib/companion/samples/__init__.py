"""Samples: the runs' predictions as tidy tables, stored in data/samples/<track>/, from which every page is made.

A row is a test item, a dimension where there are any, and a run. data/samples/README.md says what each column is.
`paperlib.companion.samples.<key>.build` makes them of a paper's runs.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from paperlib.companion.runs import Result

# a plan's blocks: labels, and the results of runs that differ in their seed alone
Planned: TypeAlias = "Sequence[tuple[Mapping[str, str], Sequence[Result]]]"
STORED = Path(__file__).resolve().parents[3] / "data" / "samples"
# Of a table with many methods, whose labels come again and again, a third of the size that pyarrow's own choices give.
_ENCODINGS = {"f": "BYTE_STREAM_SPLIT", "i": "DELTA_BINARY_PACKED"}
_PAGES = {"max_rows_per_page": 2**20, "data_page_size": 2**24}


def read(
    key: str, track: str, table: str = "", *, folder: str | Path = "", columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """The samples of a paper on a track, or another of its tables; empty `folder`: the stored ones.

    Texts are categories in the order in which they first occur. `columns` reads no more than these.

    Raises:
        FileNotFoundError: no such table is stored.
    """
    path = path_of(key, track, table, folder=folder)
    if not path.is_file():
        on_file = ", ".join(sorted(p.stem for p in path.parent.glob("*.parquet"))) or "nothing"
        raise FileNotFoundError(f"{path} is not there; in this folder: {on_file}")
    return pd.read_parquet(path, columns=list(columns) if columns else None)


def write(tables: Mapping[str, pd.DataFrame], key: str, track: str, *, folder: str | Path = "") -> list[Path]:
    """Store a paper's tables by name ("": the samples), each whole or not at all; texts become categories."""
    paths = []
    for name, table in tables.items():
        path = path_of(key, track, name, folder=folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        table = categories(table)
        texts = [c for c in table if isinstance(table[c].dtype, pd.CategoricalDtype)]
        packed = {c: _ENCODINGS[table[c].dtype.kind] for c in table if table[c].dtype.kind in _ENCODINGS}
        how: dict[str, Any] = {"use_dictionary": texts, "column_encoding": packed, **_PAGES}
        table.to_parquet(partial, index=False, compression="zstd", compression_level=22, **how)
        os.replace(partial, path)
        paths.append(path)
    return paths


def categories(table: pd.DataFrame) -> pd.DataFrame:
    """The table with its texts as categories, in the order in which they first occur."""
    texts = [c for c in table if pd.api.types.is_string_dtype(table[c]) or table[c].dtype == object]
    return table.assign(**{c: pd.Categorical(table[c], pd.unique(table[c].dropna())) for c in texts})


def path_of(key: str, track: str, table: str = "", *, folder: str | Path = "") -> Path:
    """Where a table is stored."""
    return Path(folder or STORED / track) / (f"{key}.{table}.parquet" if table else f"{key}.parquet")


def tables_of(key: str, folder: Path) -> list[Path]:
    """The files of a paper's samples in a folder, if there are any."""
    return sorted([*folder.glob(f"{key}.parquet"), *folder.glob(f"{key}.*.parquet")])


def own_methods(table: pd.DataFrame) -> list[str]:
    """The user's own methods among the samples (`paperlib.companion.own`): on the kept pages there are none."""
    return list(table.loc[table["own"] == 1, "method"].unique()) if "own" in table else []


def in_lots(n: int, lots: int) -> list[str]:
    """Names (n,) of lots that pictures are dealt into, where nobody knows whom they show; always the same."""
    lot = np.random.default_rng(0).permutation(n) % min(lots, n)
    return [f"lot {x:03d}" for x in lot]


def rounded(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """To eleven binary digits, as half precision has, of any size: half the bytes, and errors below 0.03 %."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x800) & np.uint32(0xFFFFF000)).view(np.float32)
