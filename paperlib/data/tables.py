"""Tables from elsewhere: read as text, checked cell by cell, refused with file, row and mend."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib.labels import AFFECT

MISSING = ("", "na", "nan", "n/a", "#n/a", "<na>", "-nan", "null", "none")  # in small letters
BOTH = "Every page needs both (data/README.md says for what): give both, or neither."

_CUT_OFF = (EOFError, gzip.BadGzipFile, zlib.error)
_NOT_CSV = (csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, *_CUT_OFF)
# what files begin with that are named as text and are not
_NO_TEXT = {
    b"PK\x03\x04": "an archive or a workbook (zip)",
    b"\x1f\x8b": "an archive (gzip)",
    b"BZh": "an archive (bzip2)",
    b"\xfd7zXZ": "an archive (xz)",
    b"7z\xbc\xaf": "an archive (7z)",
    b"Rar!": "an archive (rar)",
    b"\xd0\xcf\x11\xe0": "a workbook (xls)",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x93NUMPY": "an array of numpy",
    b"<": "a web page",
    b"version https://git-lfs": "a pointer of Git LFS, which has not fetched the file",
}
_MARKS = {  # the longer first: UTF-32's begins as UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SEP = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # the line that Excel puts before the header
_THOUSANDS = r"[+-]?[1-9]\d{0,2}(?:,\d{3})+"

# Python's parser reads a .npy's header, and in 3.11 counts its depth for all threads together: a rare SystemError.
_PARSER = Lock()


@dataclass(frozen=True)
class Table:
    """Some columns of a table file, cells as text without blanks around it, and the checks that every adapter needs.

    A row is named as a person counts in the file: the header is row 1, so the first row of data is row 2.
    """

    name: str  # of the file, in messages
    frame: pd.DataFrame  # its index counts the file's rows of data from 0
    separator: str  # of the file's cells
    first: int = 2  # the place of the first row of data in the file; 1 without header

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def columns(self) -> list[str]:
        return [str(name) for name in self.frame.columns]

    def where(self, row: int) -> str:
        """The place of a row of `frame`, for a message."""
        counted = " (the header is row 1)" if self.first == 2 else ""
        return f"{self.name}, row {self.frame.index[row] + self.first}{counted}"

    def rows(self, mask: NDArray[np.bool_]) -> Table:
        """Only those rows, which keep their places."""
        return replace(self, frame=self.frame[mask])

    def of_header(self, problem: str) -> ValueError:
        return ValueError(f"{self.name}, row 1 (the header): {problem}")

    def need(self, columns: Iterable[str]) -> None:
        """ValueError if a column is missing."""
        _need(self.name, self.columns, columns)

    def refuse(self, bad: NDArray[np.bool_], problem: str, mend: str) -> None:
        """Raise ValueError for the first bad row; `{column}` in `problem` shows the cell of that column."""
        if bad.any():
            row = int(np.argmax(bad))
            cells = {f"{{{name}}}": repr(cell) for name, cell in self.frame.iloc[row].items()}
            # not str.format, which finds orders in a name such as {0.x}
            problem = re.sub("|".join(map(re.escape, cells)), lambda found: cells[found[0]], problem)
            more = f" ({bad.sum()} rows like it)" if bad.sum() > 1 else ""
            raise ValueError(f"{self.where(row)}: {problem}{more}. {mend}")

    def text(self, column: str) -> pd.Series:
        """A column's cells, "" where one is of MISSING; rows from 0."""
        cells = self.frame[column].reset_index(drop=True)
        return cells.mask(is_missing(cells), "")

    def numbers(
        self, column: str, *, low: float, high: float, whole: bool = False, blank: bool = False, mend: str
    ) -> NDArray[np.float64]:
        """A column as (n,) finite numbers in [low, high]; with `blank`, NaN where the cell is one of MISSING."""
        text = self.frame[column]
        values = parse_numbers(text, self.separator)
        empty = is_missing(text) & blank
        self.refuse(~np.isfinite(values) & ~empty, f"{column} is {{{column}}}, not a number", mend)
        if whole:
            self.refuse(values % 1 > 0, f"{column} is {{{column}}}, not a whole number", mend)
        outside = (values < low) | (values > high)
        self.refuse(outside, f"{column} is {{{column}}}, outside {low:g} to {high:g}", mend)
        return values

    def matrix(self, columns: Iterable[str], **limits: Any) -> NDArray[np.float64]:
        """Columns as `numbers`, (n, columns)."""
        return np.stack([self.numbers(column, **limits) for column in columns], axis=1)

    def choices(self, column: str, meaning: Mapping[str, Any], *, mend: str = "") -> NDArray:
        """A column whose cells must be keys of `meaning`, as (n,) of what they mean."""
        text = self.frame[column]
        values = text.mask(is_missing(text) & ("" in meaning), "").map(dict(meaning))
        known = f"Use one of: {', '.join(key or 'an empty cell' for key in meaning)}. {mend}"
        self.refuse(values.isna().to_numpy(bool), f"{column} is {{{column}}}", known.strip())
        return np.array(values.tolist())


def is_missing(text: pd.Series) -> NDArray[np.bool_]:
    """Which cells have no value: empty, or one of the words for it (`MISSING`)."""
    return text.str.strip().str.lower().isin(MISSING).to_numpy(bool)


def parse_numbers(text: pd.Series, separator: str) -> NDArray[np.float64]:
    """Cells as numbers, NaN where they are none.

    Where commas do not separate cells they may be decimal: if the column has no point, and they do not all stand where
    those of thousands do.
    """
    if separator != ",":
        commas = text[text.str.contains(",", regex=False)]
        decimal = not text.str.contains(".", regex=False).any() and not commas.str.fullmatch(_THOUSANDS).all()
        text = text.str.replace(",", ".", regex=False) if len(commas) and decimal else text
    return pd.to_numeric(text, errors="coerce").to_numpy(float, na_value=np.nan)


def encoding_of(path: Path, name: str) -> str:
    """How a file's text is encoded: UTF-8, with byte-order mark or without; UTF-16 or 32 with it; Windows-1252.

    Raises:
        ValueError: it is no text, or text in none of these.
    """
    with _opened(path) as file:
        head = file.read(4096)
    for start, kind in _NO_TEXT.items():
        if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(start):
            raise ValueError(f"{name} is {kind}, not text. Unpack it, save it as CSV, or fetch it again.")
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if 4 * head.count(0) > len(head):
        raise ValueError(f"{name} is UTF-16 without its byte-order mark, or no text. Save it as UTF-8.")
    try:
        with io.TextIOWrapper(_opened(path), encoding="utf-8") as text:
            while text.read(2**20):
                pass
    except UnicodeDecodeError:
        return _single_byte(path, name)
    return "utf-8-sig"


def _single_byte(path: Path, name: str) -> str:
    """Windows-1252, which most spreadsheets write that do not write UTF-8, if nothing speaks against it."""
    with _opened(path) as file:
        content = file.read()
    # bytes that it does not use, and UTF-8's pairs
    if re.search(rb"[\x81\x8d\x8f\x90\x9d]|[\xc3-\xf4][\x80-\xbf]", content) is None:
        return "cp1252"
    before = re.split(rb"[\x80-\xff]", content, maxsplit=1)[0]
    row, odd = before.count(b"\n") + 1, content[len(before) : len(before) + 8]
    raise ValueError(
        f"{name}, row {row} (the first is row 1): text that is neither UTF-8 nor Windows-1252, {odd!r}. Save it as "
        "UTF-8."
    )


def read_text(path: Path, name: str) -> str:
    """A file's text, whichever way it is encoded (`encoding_of`), its lines ended by a line feed."""
    return path.read_text(encoding_of(path, name))


def _opened(path: Path) -> IO[bytes]:
    if path.suffix != ".gz":
        return path.open("rb")
    with path.open("rb") as file:
        if not b"\x1f\x8b".startswith(start := file.read(2)):
            raise ValueError(f"{path.name} is not packed ({start!r}). Take .gz out of its name.")
    return gzip.open(path, "rb")  # type: ignore[return-value]


@dataclass(frozen=True)
class _Form:
    """How a CSV is written."""

    encoding: str
    separator: str
    skipped: int  # lines before the first row: Excel's sep=;
    rows: int  # without blank ones at the end

    def options(self, **others: Any) -> dict[str, Any]:
        """For pandas.read_csv: every cell is text, every row a row."""
        return {
            "encoding": self.encoding,
            "sep": self.separator,
            "skiprows": self.skipped,
            "dtype": str,
            "keep_default_na": False,
            "skip_blank_lines": False,
            **others,
        }


def _form_of(path: Path, name: str, *, width: int = 0) -> _Form:
    """How a CSV is written: cells end in tabs, semicolons or commas, the first of these that its first row has.

    Or the first that makes `width` cells of it: without header, what stands there may hold the others.

    Raises:
        ValueError: it is no text, a row has too few cells or too many, or there is a zero byte.
    """
    encoding = encoding_of(path, name)
    with io.TextIOWrapper(_opened(path), encoding=encoding) as file:
        first = file.readline()
        excel = _SEP.fullmatch(first)
        first = file.readline() if excel else first
        unquoted = re.sub('"[^"]*"', "", first)
        there = [mark for mark in "\t;" if mark in unquoted] + [","]
        fitting = [mark for mark in there if len(next(csv.reader([first], delimiter=mark), [])) == width]
        separator = excel[1] if excel else (fitting or there)[0]
        rows = _refuse_ragged(csv.reader(chain([first], file), delimiter=separator), name)
    return _Form(encoding, separator, int(excel is not None), rows)


def _refuse_ragged(rows: Iterable[list[str]], name: str) -> int:
    """How many rows there are up to the last that is not blank.

    ValueError for a row that has fewer cells than the first one, surplus ones that are not blank, or a zero byte:
    pandas fills up and cuts off in silence, and what stands behind a comma too many is then another column's.
    """
    width, last = None, 0
    for number, cells in enumerate(rows, start=1):
        width = width or len(cells)
        surplus, filled = "".join(cells[width:]).strip(), "".join(cells).strip()
        last = number if filled else last
        place = f"{name}, row {number} (the first is row 1)"
        if surplus or (filled and len(cells) < width):
            raise ValueError(
                f"{place}: {len(cells)} cells, not {width}. Quote a cell that holds a separator, and complete a row "
                "that was cut off."
            )
        if "\0" in filled:
            raise ValueError(f"{place}: a zero byte, which no text has. Restore the file.")
    return last


def read_table(
    path: Path,
    columns: Collection[str] | None = None,
    *,
    optional: Collection[str] = (),
    headless: Sequence[str] = (),
    name: str = "",
) -> Table:
    """The named columns of a CSV (gzip by its suffix), or all; `optional` ones only where the file has them.

    A file without header, that is with a number and no column's name in its first row, may have the columns `headless`.
    Messages call the file `name`, or by its own name.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a CSV, or a column is missing, or there twice.
    """
    _there(path)
    name = name or path.name
    try:
        form, header = _head(path, name, width=len(headless))
        first = pd.Series(header)
        values = np.isfinite(parse_numbers(first, form.separator)) | is_missing(first)
        headed = not values.any() or not headless or bool({*header} & {*headless})
        if not headed and len(header) != len(headless):
            said = f"{len(header)} cells, not {', '.join(headless)}"
            raise ValueError(f"{name}, row 1: {said}. Restore the file from the release.")
        header = header if headed else list(headless)
        places = _find_columns(name, header, columns, optional)
        # without index_col=False pandas takes a surplus column for row names, and shifts the others
        options = form.options(usecols=places, index_col=False, nrows=form.rows - headed)
        frame = pd.read_csv(path, **options, header=0 if headed else None)
    except _NOT_CSV as error:
        raise _no_csv(name, error) from error
    if frame.empty:
        raise _no_rows(name)
    frame = frame.set_axis([header[place] for place in places], axis=1)
    return Table(name, _stripped(frame), form.separator, first=1 + headed)


def read_header(path: Path) -> list[str]:
    """The column names of a CSV, without the blanks around them; one that is there twice, twice."""
    _there(path)
    try:
        return _head(path, path.name)[1]
    except _NOT_CSV as error:
        raise _no_csv(path.name, error) from error


def _head(path: Path, name: str, *, width: int = 0) -> tuple[_Form, list[str]]:
    form = _form_of(path, name, width=width)
    names = pd.read_csv(path, **form.options(header=None, nrows=1)).iloc[0]
    return form, [str(column).strip() for column in names]


def read_workbook(path: Path, columns: Collection[str]) -> Table:
    """The named columns of a workbook's first sheet. Raises as `read_table`."""
    _there(path)
    try:
        cells = pd.read_excel(path, header=None, dtype=str, keep_default_na=False)
    except Exception as error:  # openpyxl meets a broken part with many kinds, xml's SyntaxError among them
        raise ValueError(f"{path.name} is not a workbook: {error}. Save it as .xlsx.") from error
    header = [str(name).strip() for name in cells.iloc[0]] if len(cells) else []
    places = _find_columns(path.name, header, columns)
    frame = cells.iloc[1:, places].reset_index(drop=True)
    if frame.empty:
        raise _no_rows(path.name)
    return Table(path.name, _stripped(frame.set_axis([header[k] for k in places], axis=1)), separator="")


def read_json(path: Path, name: str, *, mend: str) -> Any:
    """What a JSON file holds; messages call it `name`, and end in `mend`.

    Raises:
        ValueError: there is none, it is not whole, or has a key twice, of which Python would keep the last.
    """
    try:
        return json.loads(read_text(path, name), object_pairs_hook=_once)
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
        # opened here, since numpy leaves a file that it cannot read open until it is collected
        with path.open("rb") as file, _PARSER:
            array = np.load(file, allow_pickle=False)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "iufSU":
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
    telling = re.compile("|".join([*AFFECT, *([f"^{prefix[:-1]}"] if prefix else [])]), re.IGNORECASE)
    columns = [column for column in header if not (prefix and column in AFFECT)]
    odd = [column for column in columns if telling.search(column) and not form.fullmatch(column)]
    if odd:
        raise ValueError(
            f"{name}, row 1 (the header): {', '.join(odd)} is no rater's column. Name them {prefix}<name>_valence and "
            f"{prefix}<name>_arousal, or leave them out."
        )
    return list(dict.fromkeys(match[1] for column in columns if (match := form.fullmatch(column))))


def refuse_constant_raters(name: str, ratings: Mapping[str, NDArray[np.float64]]) -> None:
    """ValueError if a rater's column, NaN where there is no rating, has none, or one value only in two rows or more."""
    for column, values in ratings.items():
        given = values[np.isfinite(values)]
        if not len(given):
            raise ValueError(f"{name}, column {column}: no row has a rating. Take the rater's columns out.")
        if len(given) > 1 and given.min() == given.max():
            raise ValueError(
                f"{name}, column {column}: all {len(given)} ratings are {given[0]:g}. A rater who never varies "
                "correlates with nobody: restore the ratings, or take the rater's columns out."
            )


def _stripped(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.fillna("").apply(lambda column: column.astype(str).str.strip())


def _there(path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there. data/README.md says where it comes from and belongs.")


def _no_rows(name: str) -> ValueError:
    return ValueError(f"{name} has a header and no rows. Fetch the file again.")


def _no_csv(name: str, error: Exception) -> ValueError:
    return ValueError(f"{name} is not a whole CSV file: {error}. Fetch it again, or save it as CSV.")


def _need(name: str, header: Sequence[str], columns: Iterable[str]) -> None:
    if missing := [column for column in columns if column not in header]:
        raise ValueError(
            f"{name}, row 1 (the header): no column {', '.join(missing[:5])}, only {', '.join(header[:15])}. Name the "
            "columns as data/README.md lists them."
        )


def _find_columns(
    name: str, header: Sequence[str], columns: Collection[str] | None, optional: Collection[str] = ()
) -> list[int]:
    """The places in `header` of the columns to read; ValueError if one is missing, or there twice."""
    _need(name, header, columns or ())
    wanted = header if columns is None else {*columns, *optional}
    places = [place for place, column in enumerate(header) if column in wanted]
    if twice := [header[place] for place in places if header.count(header[place]) > 1]:
        raise ValueError(f"{name}, row 1 (the header): {twice[0]!r} is there twice. Rename one.")
    return places
