"""Every kind of damage that a file may have, made systematically: a list for each layout, the same every time.

A damage is done to one file of a fresh copy. `wholly` says that no place in the file can be named, since the file
itself is the fault: it is empty, cut short, or of another kind.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl


@dataclass(frozen=True)
class Damage:
    """One way to spoil `file` of `layout`."""

    layout: str
    file: str
    what: str
    do: Callable[[Path], None]
    wholly: bool = False

    def __str__(self) -> str:
        return f"{self.layout}: {self.file}: {self.what}"


@dataclass(frozen=True)
class Sheet:
    """A table of a layout: its file, its cells' separator, and which of its columns hold numbers and names.

    In columns that are `free` a cell may be empty or NaN, those that are `unbounded` have no range, and `optional`
    ones may be missing whole.
    """

    file: str
    numbers: tuple[str, ...]
    names: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    unbounded: tuple[str, ...] = ()
    separator: str = ","
    headed: bool = True


VOTES = ("neutral", "happiness", "sadness", "anger", "contempt", "unknown", "NF")
RATERS = ("rater_1_valence", "rater_1_arousal", "rater_3_valence")
AMIGOS = ("Valence_Annotator_1", "Arousal_Annotator_3")
SHEETS: dict[str, tuple[Sheet, ...]] = {
    "ferplus": (
        Sheet("fer2013.csv.gz", ("emotion",), ("pixels", "Usage")),
        Sheet("fer2013new.csv", VOTES, ("Usage",)),
    ),
    "affectnet-csv": tuple(
        Sheet(
            file,
            ("face_x", "face_y", "face_width", "face_height", "expression", "valence", "arousal"),
            ("subDirectory_filePath", "facial_landmarks"),
        )
        for file in ("training.csv", "validation.csv")
    ),
    "morphset": (Sheet("Morphset.csv", ("Subject", "Valence", "Arousal"), ("Filename", "Emotion Label")),),
    "rafdb": (Sheet("valence_arousal.csv", ("valence", "arousal"), ("name",)),),
    "sfew": (Sheet("valence_arousal.csv", ("valence", "arousal"), ("name",)),),
    "manifest": (
        Sheet(
            "manifest.csv",
            ("valence", "arousal", *RATERS),
            ("path", "split", "expression", "landmarks"),
            free=("expression", "landmarks"),
            optional=("expression", "landmarks"),
        ),
    ),
    "amigos-openface": (
        Sheet(
            "External_Annotations.xlsx", ("Segment_Index", *AMIGOS), ("UserID", "VideoID"), unbounded=AMIGOS
        ),
        Sheet("action_units/P01_1.csv", ("frame", "timestamp", "success", "AU01_r", "AU25_r")),
    ),
    "amigos-json": (
        Sheet(
            "External_Annotations.xlsx", ("Segment_Index", *AMIGOS), ("UserID", "VideoID"), unbounded=AMIGOS
        ),
    ),
    "sewa": (
        Sheet("annotations/Train_01_valence.csv", ("time", "rater_1"), free=("rater_1",), separator=";"),
        Sheet("annotations/Test_01_arousal.csv", ("time", "rater_3"), free=("rater_3",), separator=";"),
        Sheet("landmarks/Devel_01.csv", ("time", "x_1", "y_49"), separator=";"),
        Sheet("recordings.csv", (), ("recording",), separator=";"),
    ),
    "recordings": (
        Sheet(
            "recordings.csv", (), ("split", "ratings", "audio", "landmarks"), optional=("audio", "landmarks")
        ),
        Sheet("ratings/b.csv", ("time", "rater_2_valence"), free=("rater_2_valence",), separator=";"),
        Sheet("landmarks/c.csv", ("time", "x_49", "y_1"), separator=";"),
    ),
    "recordings-features": (
        Sheet(
            "recordings.csv",
            (),
            ("ratings", "audio_features", "video_features"),
            optional=("audio_features", "video_features"),
        ),
        Sheet(
            "audio_features/d.csv",
            ("time", "feature_1"),
            separator=";",
            unbounded=("feature_1",),
        ),
    ),
}

# columns whose cells are the names of files
NAMES_OF_FILES = (
    "subDirectory_filePath",
    "Filename",
    "path",
    "ratings",
    "audio",
    "audio_features",
    "landmarks",
    "video_features",
)

# no table: a line is one number, two, or a name and a label
LINES: dict[str, tuple[str, ...]] = {
    "affwild": ("annotations/train/valence/ann.txt", "annotations/train/arousal/joe.txt"),
    "affwild2": ("annotations/train/eve.txt",),
    "rafdb": ("EmoLabel/list_patition_label.txt",),
}
JSONS: dict[str, tuple[str, ...]] = {
    "afewva": ("001/001.json", "004/004.json"),
    "amigos-json": ("action_units/P02_1.json",),
}
ARRAYS: dict[str, tuple[str, ...]] = {
    "affectnet-folders": tuple(
        f"{folder}/annotations/00000{k}_{ending}.npy"
        for k, (folder, ending) in enumerate(
            [("train_set", "exp"), ("val_set", "val"), ("train_set", "aro"), ("val_set", "lnd")]
        )
    ),
    "manifest": ("landmarks/000003.npy", "landmarks/000011.npy"),
}
PICTURES: dict[str, str] = {
    "affectnet-csv": "Manually_Annotated_Images/1/000003.png",
    "affectnet-folders": "val_set/images/000003.jpg",
    "affwild": "frames/eve/00002.png",
    "affwild2": "frames/eve/00002.png",
    "afewva": "002/00002.png",
    "morphset": "images/000007.png",
    "rafdb": "Image/aligned/train_00003_aligned.jpg",
    "sfew": "Train_Aligned_Faces/Sad/Film001_000000002_00000001.png",
    "manifest": "images/000005.png",
}
WAVES: dict[str, str] = {"sewa": "audio/Devel_01.wav", "recordings": "audio/b.wav"}


# what makes another data set, as well-formed as the first: rows, pictures and files may be given or not
OTHER_DATA = {
    ("affectnet-csv", "a row twice"),
    ("manifest", "a row twice"),
    ("affwild2", "a line twice"),
    *((layout, "not there") for layout in ("amigos-openface", "amigos-json", "affwild", "affwild2")),
    ("rafdb", "valence_arousal.csv: not there"),
    ("sfew", "valence_arousal.csv: not there"),
    ("sewa", "recordings.csv: not there"),
    ("affectnet-folders", "val_set/images/000003.jpg: not there"),
    # a workbook has no separators
    ("amigos-openface", "External_Annotations.xlsx: a separator too many"),
    ("amigos-json", "External_Annotations.xlsx: a separator too many"),
}
# what changes nothing that is read
HARMLESS = {
    ("amigos-openface", "External_Annotations.xlsx: a cell too many"),
    ("amigos-json", "External_Annotations.xlsx: a cell too many"),
    ("sewa", "recordings.csv: a blank row"),
    *((layout, what) for layout in WAVES for what in ("of 0 bits", "longer than the file")),
}


def _is_in(damage: Damage, known: set[tuple[str, str]]) -> bool:
    return bool({(damage.layout, damage.what), (damage.layout, f"{damage.file}: {damage.what}")} & known)


def malformed() -> list[Damage]:
    """All that must be refused."""
    return [d for d in _damages() if not _is_in(d, OTHER_DATA | HARMLESS)]


def harmless() -> list[Damage]:
    """All after which the same data are read."""
    return [d for d in _damages() if _is_in(d, HARMLESS)]


def _damages() -> Iterator[Damage]:
    for layout, sheets in SHEETS.items():
        for sheet in sheets:
            yield from _of_sheet(layout, sheet)
    for layout, files in LINES.items():
        for file in files:
            yield from _of_lines(layout, file)
    for layout, files in JSONS.items():
        for file in files:
            yield from _of_json(layout, file)
    for layout, files in ARRAYS.items():
        for file in files:
            yield from _of_array(layout, file)
    for layout, file in PICTURES.items():
        yield from _of_picture(layout, file)
    for layout, file in WAVES.items():
        yield from _of_wave(layout, file)


# tables


def read(path: Path, separator: str = ",") -> list[list[str]]:
    if path.suffix == ".xlsx":
        sheet = openpyxl.load_workbook(path).worksheets[0]
        return [
            ["" if cell is None else str(cell) for cell in row] for row in sheet.iter_rows(values_only=True)
        ]
    content = path.read_bytes()
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return list(csv.reader(io.StringIO(text), delimiter=separator))


def write(path: Path, rows: list[list[str]], separator: str = ",") -> None:
    if path.suffix == ".xlsx":
        book = openpyxl.Workbook()
        for row in rows:
            book.worksheets[0].append(row)
        book.save(path)
        return
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def _of_sheet(layout: str, sheet: Sheet) -> Iterator[Damage]:
    def edit(what: str, change: Callable[[list[list[str]], np.random.Generator], None]) -> Damage:
        def do(folder: Path) -> None:
            path = folder / sheet.file
            rows = read(path, sheet.separator)
            change(rows, np.random.default_rng(zlib.crc32(f"{layout} {sheet.file} {what}".encode())))
            write(path, rows, sheet.separator)

        return Damage(layout, sheet.file, what, do)

    def cell(column: str, value: str) -> Callable[[list[list[str]], np.random.Generator], None]:
        def change(rows: list[list[str]], rng: np.random.Generator) -> None:
            rows[rng.integers(1, len(rows))][rows[0].index(column)] = value

        return change

    def without(column: str) -> Callable[[list[list[str]], np.random.Generator], None]:
        def change(rows: list[list[str]], rng: np.random.Generator) -> None:
            k = rows[0].index(column)
            for row in rows:
                del row[k]

        return change

    def twice(column: str, blank: str = "") -> Callable[[list[list[str]], np.random.Generator], None]:
        """Once more as the last column, with the cells of other rows."""

        def change(rows: list[list[str]], rng: np.random.Generator) -> None:
            k = rows[0].index(column)
            cells = [row[k] for row in rows[1:]]
            for row, again in zip(rows, [blank + column, *cells[1:], cells[0]], strict=True):
                row.append(again)

        return change

    for column in (*sheet.numbers, *sheet.names):
        if column not in sheet.optional:
            yield edit(f"no column {column}", without(column))
    for column in sheet.numbers:
        values = {"text": "many", "a date": "2021-03-04", "infinite": "inf"}
        if column not in sheet.free:
            values |= {"NaN": "nan", "empty": ""}
        if column not in sheet.unbounded:
            values |= {"out of range": "1e9", "far below": "-1e9"}
        for name, value in values.items():
            yield edit(f"{column} is {name}", cell(column, value))
    for column in sheet.names:
        yield edit(f"{column} is nonsense", cell(column, "no such thing"))
        yield edit(f"{column} is nested without end", cell(column, "[" * 5_000))
        if column not in sheet.free:
            yield edit(f"{column} is empty", cell(column, ""))
        if not sheet.file.endswith(".xlsx"):
            yield edit(f"{column} has a zero byte", cell(column, "images/000003.png\0"))
        if column in NAMES_OF_FILES:
            yield edit(f"{column} has 300 letters", cell(column, "x" * 300))
            yield edit(f"{column} is a path of 3,000 folders", cell(column, "x/" * 3_000 + "x"))
    for column in (*sheet.numbers, *sheet.names):
        yield edit(f"two columns {column}", twice(column))
    yield edit("two columns, one with a blank", twice((*sheet.numbers, *sheet.names)[0], blank=" "))

    yield edit("no rows", lambda rows, _: rows.__delitem__(slice(1, None)))
    yield edit("a row twice", lambda rows, rng: rows.insert(2, list(rows[rng.integers(2, len(rows))])))
    yield edit("a cell too many", lambda rows, _: rows[2].append("1"))
    yield edit("a separator too many", lambda rows, rng: rows[3].insert(rng.integers(len(rows[0])), "0"))
    yield edit("a row cut short", lambda rows, _: rows[-1].__delitem__(slice(1, None)))
    yield edit("a blank row", lambda rows, _: rows.insert(3, [""] * len(rows[0])))
    yield from _of_bytes(layout, sheet.file)


# lines


def _of_lines(layout: str, file: str) -> Iterator[Damage]:
    def edit(what: str, change: Callable[[list[str]], None]) -> Damage:
        def do(folder: Path) -> None:
            lines = (folder / file).read_text().splitlines()
            change(lines)
            (folder / file).write_text("\n".join(lines))

        return Damage(layout, file, what, do)

    for name, value in {
        "text": "many",
        "NaN": "nan",
        "infinite": "inf",
        "out of range": "7.5",
        "blank": "",
        "three numbers": "0.1,0.2,0.3",
        "another separator": "0.1;0.2",
        "no text": "\x00\x01",
        "endless": "1" * 100_000,
        "a number with an underscore": "0_1",
    }.items():
        yield edit(f"a line is {name}", lambda lines, value=value: lines.__setitem__(2, value))
    yield edit("a line twice", lambda lines: lines.insert(2, lines[1]))
    if layout != "rafdb":  # there, valence_arousal.csv is told to have a row too many
        yield edit("a line too few", lambda lines: lines.__delitem__(-1))
    yield from _of_bytes(layout, file)


# JSON


def _of_json(layout: str, file: str) -> Iterator[Damage]:
    def edit(what: str, change: Callable[[Any], Any], wholly: bool = False) -> Damage:
        def do(folder: Path) -> None:
            content = json.loads((folder / file).read_text())
            changed = change(content)
            (folder / file).write_text(json.dumps(content if changed is None else changed))

        return Damage(layout, file, what, do, wholly)

    for name, value in {"a list": [], "a number": 3, "null": None, "text": "text", "true": True}.items():
        whole = {"a list": [1], "null": "null"}.get(name, value)
        yield edit(f"all is {name}", lambda _, value=whole: value, True)
        keys = ("frames",) if layout == "afewva" else ("fps", "action_units", "frames")
        for key in keys:
            if (key, name) != ("fps", "a number"):
                yield edit(f"{key} is {name}", lambda c, key=key, value=value: c.__setitem__(key, value))
    if layout == "afewva":
        yield edit("no actor", lambda c: c.__delitem__("actor"))
        for name, value in {"a list": ["x"], "an object": {"x": 1}, "a number": 3, "true": True}.items():
            yield edit(f"actor is {name}", lambda c, value=value: c.__setitem__("actor", value))
        entries: dict[str, Any] = {
            "text": "many",
            "NaN": float("nan"),
            "out of range": 11,
            "null": None,
            "a list": [1],
        }
        for key in ("valence", "arousal", "landmarks"):
            yield edit(f"a frame without {key}", lambda c, key=key: _frame(c).__delitem__(key))
            for name, value in entries.items():
                if (key, name) != ("landmarks", "null"):
                    yield edit(f"{key} is {name}", lambda c, k=key, v=value: _frame(c).__setitem__(k, v))
        yield edit("67 landmarks", lambda c: _frame(c)["landmarks"].__delitem__(-1))
        yield edit("a landmark is text", lambda c: _frame(c)["landmarks"].__setitem__(5, ["a", "b"]))
        yield edit("a landmark is infinite", lambda c: _frame(c)["landmarks"].__setitem__(5, [1e999, 0]))
        yield edit("a landmark far away", lambda c: _frame(c)["landmarks"].__setitem__(5, [1e9, 0]))
        yield edit("a frame of no number", lambda c: c["frames"].__setitem__("first", _frame(c)))
        yield edit("a frame without picture", lambda c: c["frames"].__setitem__("00999", _frame(c)))
        yield edit("a frame is a list", lambda c: c["frames"].__setitem__(next(iter(c["frames"])), [1]))
    else:
        yield edit("fps is zero", lambda c: c.__setitem__("fps", 0))
        yield edit("fps is infinite", lambda c: c.__setitem__("fps", 1e999))
        yield edit("fps has 400 digits", lambda c: c.__setitem__("fps", 10**400))
        yield edit("an action unit twice", _measure_again)
        yield edit("an action unit too few", lambda c: c["action_units"].__delitem__(-1))
        yield edit("an action unit renamed", lambda c: c["action_units"].__setitem__(0, "AU99"))
        for name, value in {
            "text": "a",
            "NaN": float("nan"),
            "too large": 5.5,
            "negative": -1,
            "null": None,
        }.items():
            yield edit(f"an intensity is {name}", lambda c, v=value: c["frames"][7].__setitem__(3, v))
        yield edit("a row too short", lambda c: c["frames"][7].__delitem__(-1))
        yield edit("rows too short", lambda c: [row.pop() for row in c["frames"]] and None)
        yield edit("no rows", lambda c: c["frames"].clear())
    yield Damage(layout, file, "a key twice", lambda f: _put(f / file, _with_frames_twice(f / file)), True)
    yield Damage(layout, file, "nested without end", lambda f: _put(f / file, b"[" * 200_000), True)
    yield Damage(layout, file, "a number without end", lambda f: _put(f / file, b"1" * 200_000), True)
    yield from _of_bytes(layout, file)


def _frame(content: Any) -> Any:
    return next(iter(content["frames"].values()))


def _measure_again(content: Any) -> None:
    content["action_units"].append(content["action_units"][0])
    for row in content["frames"]:
        row.append(0.0)


def _with_frames_twice(path: Path) -> bytes:
    return b'{"frames": {}, ' + path.read_bytes().lstrip()[1:]


# arrays


def _of_array(layout: str, file: str) -> Iterator[Damage]:
    def save(what: str, array: Any) -> Damage:
        return Damage(layout, file, what, lambda f: np.save(f / file, np.array(array)), True)

    yield save("text", "many")
    yield save("NaN", [np.nan] * 136)
    yield save("infinite", [np.inf] * 136)
    yield save("without numbers", np.empty(0))
    yield save("out of range", 1e9)
    yield save("of another shape", np.zeros((2, 3)))
    yield save("complex", np.full((68, 2), 1 + 2j))
    yield save("dates", np.full((68, 2), "2021-03-04", "datetime64[D]"))
    yield save("records", np.zeros(3, [("a", "f4"), ("b", "i4")]))
    yield Damage(
        layout, file, "objects", lambda f: np.save(f / file, np.array([{}]), allow_pickle=True), True
    )
    huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }"
    yield Damage(layout, file, "larger than any memory", lambda f: _put(f / file, _npy(huge)), True)
    for header in (
        b"{'descr': '<f8'}",
        b"__import__('os').abort()",
        b"{'descr': 3, 'fortran_order': 0, 'shape': ()}",
    ):
        yield Damage(
            layout,
            file,
            f"with the header {header.decode()}",
            lambda f, h=header: _put(f / file, _npy(h)),
            True,
        )
    yield Damage(layout, file, "an archive", lambda f: _put_npz(f / file), True)
    yield from _of_bytes(layout, file)


def _npy(header: bytes) -> bytes:
    header = header.ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(80)


def _put_npz(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, values=np.zeros(3))


# pictures


def _of_picture(layout: str, file: str) -> Iterator[Damage]:
    # 60,000 x 60,000 pixels in some sixty bytes
    bomb = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    bomb += _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b"")
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>'
    yield Damage(layout, file, "larger than any memory", lambda f: _put(f / file, bomb), True)
    yield Damage(layout, file, "a drawing", lambda f: _put(f / file, svg), True)
    yield from _of_bytes(layout, file)


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


# sound


def _of_wave(layout: str, file: str) -> Iterator[Damage]:
    def header(what: str, at: int, form: str, value: int) -> Damage:
        def do(folder: Path) -> None:
            content = bytearray((folder / file).read_bytes())
            struct.pack_into(form, content, at, value)
            (folder / file).write_bytes(content)

        return Damage(layout, file, what, do, True)

    yield header("no channels", 22, "<H", 0)
    yield header("of 0 samples a second", 24, "<I", 0)
    yield header("of 0 bits", 34, "<H", 0)
    yield header("of an unknown code", 20, "<H", 0x55)
    yield header("longer than the file", 40, "<I", 2**31 - 1)
    yield header("much shorter than its recording", 40, "<I", 2000)
    yield from _of_bytes(layout, file)


# any file


def _of_bytes(layout: str, file: str) -> Iterator[Damage]:
    junk = np.random.default_rng(zlib.crc32(file.encode())).bytes(2000)

    def whole(what: str, do: Callable[[Path], object]) -> Damage:
        return Damage(layout, file, what, lambda folder: do(folder / file) and None, True)

    def utf16(path: Path) -> None:
        text = path.read_bytes().decode("latin-1")
        path.write_bytes(text.encode("utf-16"))

    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(path.with_name("nowhere"))

    def folder(path: Path) -> None:
        path.unlink()
        path.mkdir()

    yield whole("not there", lambda path: path.unlink())
    yield whole("a link to nowhere", link)
    yield whole("a folder", folder)
    yield whole("empty", lambda path: path.write_bytes(b""))
    yield whole("junk", lambda path: path.write_bytes(junk))
    yield whole("zeros", lambda path: path.write_bytes(bytes(4096)))
    yield whole(
        "a web page", lambda path: path.write_bytes(b"<!DOCTYPE html>\n<html><p>404, not found</p></html>\n")
    )
    yield whole("UTF-16", utf16)
    yield whole("half", lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]))
    yield whole("all but the first bytes", lambda path: path.write_bytes(path.read_bytes()[30:]))
    if file.endswith(".gz"):
        yield whole("100 MB of blanks, packed", lambda path: path.write_bytes(gzip.compress(b" " * 10**8, 1)))
    if file.endswith(".xlsx"):
        yield whole("100 MB of blanks, packed", _fill_workbook)


def _fill_workbook(path: Path) -> None:
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, content in parts.items():
            book.writestr(name, b" " * 10**8 if name.endswith("sheet1.xml") else content)


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
