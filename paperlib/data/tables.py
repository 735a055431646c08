"""Tables from elsewhere: read as text, checked cell by cell, refused with file, row and mend."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib.labels import AFFECT

NOT_CSV = (
    csv.Error,
    pd.errors.ParserError,
    pd.errors.EmptyDataError,
    UnicodeDecodeError,
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
)


@dataclass(frozen=True)
class Table:
    """Some columns of a table file, cells as they stand there, with the checks that every adapter needs.

    A row is named as a person counts in the file: the header is row 1, so the first row of data is row 2.
    """

    path: Path
    frame: pd.DataFrame  # its index counts the file's rows of data from 0

    def __len__(self) -> int:
        return len(self.frame)

    def where(self, row: int) -> str:
        """The place of a row of `frame`, for a message."""
        return f"{self.path.name}, row {self.frame.index[row] + 2} (the header is row 1)"

    def rows(self, mask: NDArray[np.bool_]) -> Table:
        """Only those rows, which keep their places."""
        return Table(self.path, self.frame[mask])

    def refuse(self, bad: NDArray[np.bool_], problem: str, mend: str) -> None:
        """Raise ValueError for the first bad row; `{column}` in `problem` shows the cell of that column."""
        if bad.any():
            row = int(np.argmax(bad))
            cells = {f"{{{name}}}": repr(cell) for name, cell in self.frame.iloc[row].items()}
            # not str.format, which finds orders in a name such as {0.x}
            problem = re.sub("|".join(map(re.escape, cells)), lambda found: cells[found[0]], problem)
            more = f" ({bad.sum()} rows like it)" if bad.sum() > 1 else ""
            raise ValueError(f"{self.where(row)}: {problem}{more}. {mend}")

    def numbers(
        self, column: str, *, low: float, high: float, whole: bool = False, blank: bool = False, mend: str
    ) -> NDArray[np.float64]:
        """A column as (n,) finite numbers in [low, high]; with `blank`, NaN where the cell is empty."""
        text = self.frame[column].astype(str).str.strip()
        values = pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)
        empty = (text == "").to_numpy(bool) if blank else np.zeros(len(text), bool)
        self.refuse(~np.isfinite(values) & ~empty, f"{column} is {{{column}}}, not a number", mend)
        if whole:
            self.refuse(values % 1 > 0, f"{column} is {{{column}}}, not a whole number", mend)
        outside = (values < low) | (values > high)
        self.refuse(outside, f"{column} is {{{column}}}, outside {low:g} to {high:g}", mend)
        return values

    def choices(self, column: str, meaning: Mapping[str, Any], *, mend: str = "") -> NDArray:
        """A column whose cells must be keys of `meaning`, as (n,) of what they mean."""
        values = self.frame[column].astype(str).str.strip().map(dict(meaning))
        known = ", ".join(key or "an empty cell" for key in meaning)
        self.refuse(
            values.isna().to_numpy(bool), f"{column} is {{{column}}}", f"Use one of: {known}. {mend}".strip()
        )
        return np.array(values.tolist())


def read_table(path: Path, columns: Collection[str], *, optional: Collection[str] = ()) -> Table:
    """The named columns of a CSV (gzip by its suffix); `optional` ones only where the file has them.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a CSV, or a column is missing.
    """
    (table,) = read_table_chunks(path, columns, optional=optional, rows=2**62)
    return table


def read_table_chunks(
    path: Path, columns: Collection[str], *, optional: Collection[str] = (), rows: int
) -> Iterator[Table]:
    """As `read_table`, at most `rows` rows at a time, so that memory stays bounded."""
    header = read_header(path)
    places = _find_columns(path, header, columns, optional)
    options: dict[str, Any] = {
        "dtype": str,
        "keep_default_na": False,
        "skip_blank_lines": False,
        "encoding": "utf-8-sig",
    }
    empty = True
    try:
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig", newline=""
        ) as file:
            refuse_ragged(csv.reader(file), path.name)
        # without index_col=False pandas takes a surplus column for row names, and shifts the others
        with pd.read_csv(path, usecols=places, chunksize=rows, index_col=False, **options) as reader:
            for frame in reader:
                empty &= frame.empty
                yield Table(path, frame.fillna("").set_axis([header[place] for place in places], axis=1))
    except NOT_CSV as error:
        raise _no_csv(path, error) from error
    if empty:
        raise _no_rows(path)


def refuse_ragged(rows: Iterable[list[str]], name: str) -> None:
    """ValueError for the first row that has fewer cells than the first one, surplus ones that are not blank, or a NUL.

    pandas fills up and cuts off in silence, and what stands behind a comma too many is then another column's.
    """
    width = None
    for number, cells in enumerate(rows, start=1):
        width = width or len(cells)
        surplus = "".join(cells[width:]).strip()
        if surplus or 0 < len(cells) < width:
            raise ValueError(
                f"{name}, row {number} (the first is row 1): {len(cells)} cells, not {width}. Quote a cell that holds "
                "a separator, and complete a row that was cut off."
            )
        if "\0" in "".join(cells):
            raise ValueError(
                f"{name}, row {number} (the first is row 1): a zero byte, which no text has. Restore the file."
            )


def read_header(path: Path) -> list[str]:
    """The column names of a CSV, without the blanks around them; one that is there twice, twice."""
    _there(path)
    options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
    try:
        first = pd.read_csv(path, header=None, nrows=1, skip_blank_lines=False, **options)
        return [str(name).strip() for name in first.iloc[0]]
    except NOT_CSV as error:
        raise _no_csv(path, error) from error


def read_workbook(path: Path, columns: Collection[str]) -> Table:
    """The named columns of a workbook's first sheet. Raises as `read_table`."""
    _there(path)
    try:
        cells = pd.read_excel(path, header=None, dtype=str, keep_default_na=False)
    except Exception as error:  # openpyxl meets a broken part with many kinds, xml's SyntaxError among them
        raise ValueError(f"{path.name} is not a workbook: {error}. Save it as .xlsx.") from error
    header = [str(name).strip() for name in cells.iloc[0]] if len(cells) else []
    places = _find_columns(path, header, columns)
    frame = cells.iloc[1:, places].reset_index(drop=True)
    if frame.empty:
        raise _no_rows(path)
    return Table(path, frame.set_axis([header[place] for place in places], axis=1))


def read_json(path: Path, name: str, *, mend: str) -> Any:
    """What a JSON file holds; messages call it `name`, and end in `mend`.

    Raises:
        ValueError: there is none, it is not whole, or has a key twice, of which Python would keep the last.
    """
    try:
        return json.loads(path.read_text("utf-8"), object_pairs_hook=_once)
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{name} is no JSON: {error}. {mend}") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {max(keys, key=keys.count)!r} is there twice")
    return content


def read_numbers(path: Path) -> NDArray[np.float64]:
    """The numbers of a .npy, of any shape; numbers kept as text count, since AffectNet's release has some.

    Raises:
        ValueError: it holds anything else, objects (which could run code) among them, or is no whole .npy.
    """
    try:
        with path.open("rb") as file:  # numpy leaves a file that it cannot read open until it is collected
            array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "biufSU":
            raise ValueError("it holds no plain numbers")
        return array.astype(float)
    # of a broken header, a number of rows that no memory holds
    except (ValueError, EOFError, OSError, MemoryError) as error:
        raise ValueError(
            f"{path.name} is not a .npy of numbers ({error}). Save it with numpy.save."
        ) from error


def raters_of(header: Sequence[str], name: str, *, prefix: str = "") -> list[str]:
    """The raters of a table, by its columns <prefix><rater>_valence and <prefix><rater>_arousal, in their order.

    A rater may have any name. ValueError for another column that speaks of valence or arousal, or begins with `prefix`:
    it would be left out without a word. `name` is the file's, for the message.
    """
    form = re.compile(rf"{prefix}(\S|\S.*\S)_(valence|arousal)")
    matches = {column: form.fullmatch(column) for column in header if not (prefix and column in AFFECT)}
    odd = [
        column
        for column, match in matches.items()
        if not match
        and re.search(f"valence|arousal{'|^' + prefix[:-1] if prefix else ''}", column, re.IGNORECASE)
    ]
    if odd:
        raise ValueError(
            f"{name}, row 1 (the header): {', '.join(odd)} is no rater's column. Name them {prefix}<name>_valence and "
            f"{prefix}<name>_arousal, or leave them out."
        )
    return list(dict.fromkeys(match[1] for match in matches.values() if match))


def refuse_constant_raters(path: Path, ratings: Mapping[str, NDArray[np.float64]]) -> None:
    """ValueError if a rater's column, NaN where there is no rating, holds one value only, in two rows or
    more."""
    for column, values in ratings.items():
        given = values[np.isfinite(values)]
        if len(given) > 1 and given.min() == given.max():
            raise ValueError(
                f"{path.name}, column {column}: all {len(given)} ratings are {given[0]:g}. A rater who never "
                "varies correlates with nobody: restore the ratings, or take the rater's columns out."
            )


def _there(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. data/README.md says where it comes from and belongs.")


def _no_rows(path: Path) -> ValueError:
    return ValueError(f"{path.name} has a header and no rows. Fetch the file again.")


def _no_csv(path: Path, error: Exception) -> ValueError:
    return ValueError(f"{path.name} is not a whole CSV file: {error}. Fetch it again, or save it as CSV.")


def _find_columns(
    path: Path, header: Sequence[str], columns: Collection[str], optional: Collection[str] = ()
) -> list[int]:
    """The places in `header` of the columns to read; ValueError if one is missing, or there twice."""
    if missing := [column for column in columns if column not in header]:
        raise ValueError(
            f"{path.name}, row 1 (the header): no column {', '.join(missing)}, only {', '.join(header[:15])}. "
            "Name the columns as data/README.md lists them."
        )
    places = [place for place, name in enumerate(header) if name in {*columns, *optional}]
    if twice := [header[place] for place in places if header.count(header[place]) > 1]:
        raise ValueError(
            f"{path.name}, row 1 (the header): {twice[0]!r} is there twice. Take one out, or rename it."
        )
    return places
