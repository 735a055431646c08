"""Text as spreadsheets and scripts write it: every reader reads the same from it, or says what it is."""

import csv
import gzip
import io
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from wellformed import LAYOUTS

from paperlib.data.tables import read_table

# how files are rewritten: encoding, line ends, separator of cells, decimal sign; what stands before, and after the end
PLAIN = ("utf-8", "\n", ",", ".", "", "")
FORMS = {
    "Excel's UTF-8": ("utf-8-sig", "\r\n", ";", ",", "", "\r\n\r\n"),
    "Excel's text": ("utf-16", "\r\n", "\t", ",", "", ""),
    "sep=": ("cp1252", "\n", "|", ".", "sep=|\n", "|\n"),
    "old Mac": ("ascii", "\r", ",", ".", "", "\r\r"),
    "big-endian": ("utf-32", "\n", ";", ".", "SEP=;\n", "\n"),
}


def rewrite(path, encoding, end, separator, decimal, before, after):
    packed = path.suffix == ".gz"
    text = (gzip.decompress(path.read_bytes()) if packed else path.read_bytes()).decode()
    if path.suffix in (".csv", ".gz"):
        own = ";" if ";" in text.partition("\n")[0] else ","
        new = io.StringIO()
        writer = csv.writer(new, delimiter=separator, lineterminator=end)
        for row in csv.reader(io.StringIO(text), delimiter=own):
            number = re.compile(r"-?\d+\.\d+(e-?\d+)?")
            decimals = decimal if len(row) > 1 else "."  # "0,0" alone could be two cells
            writer.writerow([c.replace(".", decimals) if number.fullmatch(c) else c for c in row])
        text = before.replace("\n", end) + new.getvalue() + after.replace("|", separator * 2)
    else:
        text = text.replace("\n", end) + after.replace("|", "")
    raw = text.encode(encoding)
    path.write_bytes(gzip.compress(raw) if packed else raw)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "affectnet-folders"])
def test_every_reader_reads_the_same_however_text_is_written(layout, form, written, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(written / layout, folder)
    expected = LAYOUTS[layout].load(folder, tmp_path / "cache").fingerprint
    files = [path for path in folder.rglob("*") if path.suffix in (".csv", ".gz", ".txt", ".json")]
    assert files
    for path in files:
        rewrite(path, *FORMS[form])
    assert LAYOUTS[layout].load(folder, tmp_path / "cache").fingerprint == expected


WORDLESS = {  # layout -> a file, and where in it a word stands for no value
    "manifest": ("manifest.csv", r"fear,.*"),
    "recordings": ("ratings/a.csv", r"(?m)^0.3;.*"),
    "affwild": ("annotations/train/valence/ben.txt", r"\A\S+"),
}


@pytest.mark.parametrize("word", ["NA", "NaN", "#N/A", " "])
@pytest.mark.parametrize("layout", WORDLESS)
def test_words_for_no_value_are_an_empty_cell(layout, word, written, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(written / layout, folder)
    name, old = WORDLESS[layout]
    path = folder / name
    row = re.search(old, path.read_text())[0]
    separator = ";" if ";" in row else ","
    first, *cells = row.split(separator)
    new = separator.join([first, *[word] * len(cells)]) if cells else word.strip() or "nan"
    path.write_text(path.read_text().replace(row, new, 1))
    found = LAYOUTS[layout].load(folder, tmp_path / "cache")
    if layout == "affwild":
        assert found.excluded["no valence or arousal (-5)"] == 1
    elif layout == "manifest":
        row = int(np.flatnonzero(found.expression == 4)[0])
        for field in (found.affect, found.ratings, found.landmarks):
            assert np.isnan(field[row]).all()
    else:
        assert np.isnan(found.ratings[3, :, 0]).all() and np.isfinite(found.ratings[2]).all()


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (["0,5", "1"], [0.5, 1]),
        (["-1,25", "1,234"], [-1.25, 1.234]),
        (["1,234", "7"], "number is '1,234', not a number"),  # of thousands?
        (["0,5", "0.25"], "number is '0,5', not a number"),
        (["1.234,5", "0,5"], "number is '1.234,5', not a number"),
    ],
)
def test_commas_are_decimal_where_nothing_else_is_possible(cells, numbers, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("number;name\n" + "".join(f"{cell};Ö\n" for cell in cells), encoding="cp1252")
    table = read_table(path, ["number", "name"])
    if isinstance(numbers, str):
        with pytest.raises(ValueError, match=re.escape(numbers)):
            table.numbers("number", low=-10, high=10, mend="")
    else:
        assert table.numbers("number", low=-10, high=10, mend="").tolist() == numbers
        assert table.frame["name"].tolist() == ["Ö", "Ö"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (gzip.compress(b"time,a_valence,a_arousal", mtime=0), "is an archive (gzip), not text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(99), "is a picture, not text"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "is a web page, not text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "is a workbook (xls), not text"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "is a pointer of Git LFS"),
        ("time,a_valence\n".encode("utf-16-le"), "is UTF-16 without its byte-order mark"),
        (
            b"time,n\xc3\xa9,n\xe9\n",
            "row 1 (the first is row 1): text that is neither UTF-8 nor Windows-1252",
        ),
    ],
)
@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("recordings", "ratings/b.csv"),
        ("rafdb", "EmoLabel/list_patition_label.txt"),
        ("afewva", "002/002.json"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(layout, name, raw, said, written, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(written / layout, folder)
    (folder / name).write_bytes(raw)
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    assert Path(name).name in str(error.value)
