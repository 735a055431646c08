"""Files that are not as they should be, in every layout: refused by file and place, never by an accident inside."""

import gzip
import json
import re
import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from damage import again, cells, content, edit, emptied, gone, line
from wellformed import LAYOUTS

PLACE = re.compile(
    r"(row|line|lines|frame|column|key|frames?) [\w'\"-]|\d+ lines|lines \d|no row for \w|header and no rows"
    r"|no \"\w+\"|frames a second"
)

# tables, and columns that must be there and cannot hold just any word
TABLES = {
    ("ferplus", "fer2013.csv.gz"): ["emotion", "pixels", "Usage"],
    ("ferplus", "fer2013new.csv"): ["neutral", "contempt", "unknown", "NF", "Usage"],
    ("affectnet-csv", "training.csv"): ["face_x", "face_height", "expression", "valence", "facial_landmarks"],
    ("affectnet-csv", "validation.csv"): ["subDirectory_filePath", "face_width", "arousal"],
    ("morphset", "Morphset.csv"): ["Subject", "Valence", "Arousal", "Filename", "Emotion Label"],
    ("rafdb", "valence_arousal.csv"): ["name", "valence", "arousal"],
    ("sfew", "valence_arousal.csv"): ["name", "valence", "arousal"],
    ("manifest", "manifest.csv"): ["path", "split", "valence", "rater_1_valence", "rater_3_arousal"],
    ("amigos-openface", "External_Annotations.xlsx"): ["UserID", "Segment_Index"],
    ("amigos-openface", "action_units/P01_1.csv"): ["frame", "timestamp", "success", "AU01_r", "AU25_r"],
    ("amigos-json", "External_Annotations.xlsx"): ["Valence_Annotator_1", "Arousal_Annotator_3"],
    ("sewa", "annotations/Train_01_valence.csv"): ["time", "rater_1"],
    ("sewa", "landmarks/Devel_01.csv"): ["time", "x_1", "y_49"],
    ("sewa", "recordings.csv"): ["recording"],
    ("recordings", "recordings.csv"): ["split", "ratings"],
    ("recordings", "ratings/b.csv"): ["time", "rater_2_valence"],
    ("recordings", "landmarks/c.csv"): ["time", "x_49", "y_1"],
    ("recordings-features", "audio_features/d.csv"): ["time", "feature_1"],
}
LINES = [
    ("affwild", "annotations/train/valence/ann.txt"),
    ("affwild", "annotations/train/arousal/joe.txt"),
    ("affwild2", "annotations/train/eve.txt"),
    ("rafdb", "EmoLabel/list_patition_label.txt"),
]
# JSON, and its keys
OBJECTS = {
    ("afewva", "001/001.json"): ["frames"],
    ("afewva", "004/004.json"): ["frames"],
    ("amigos-json", "action_units/P02_1.json"): ["fps", "action_units", "frames"],
}
ARRAYS = [
    *(("affectnet-folders", f"train_set/annotations/000002_{k}.npy") for k in ("exp", "val", "aro", "lnd")),
    ("manifest", "landmarks/000003.npy"),
]
PICTURES = [
    ("affectnet-csv", "Manually_Annotated_Images/1/000003.png"),
    ("affectnet-folders", "val_set/images/000003.jpg"),
    ("affwild", "frames/eve/00002.png"),
    ("affwild2", "frames/eve/00002.png"),
    ("afewva", "002/00002.png"),
    ("morphset", "images/000007.png"),
    ("rafdb", "Image/aligned/train_00003_aligned.jpg"),
    ("sfew", "Train_Aligned_Faces/Sad/Film001_000000002_00000001.png"),
    ("manifest", "images/000005.png"),
]
WAVES = [("sewa", "audio/Devel_01.wav"), ("recordings", "audio/b.wav")]
# what may be given or not: without it, it is another data set, as well-formed as the first
OPTIONAL = {
    ("amigos-openface", "action_units/P01_1.csv"),
    ("amigos-json", "action_units/P02_1.json"),
    ("affwild", "frames/eve/00002.png"),
    ("affwild2", "frames/eve/00002.png"),
    ("affwild2", "annotations/train/eve.txt"),
    ("rafdb", "valence_arousal.csv"),
    ("sfew", "valence_arousal.csv"),
    ("sewa", "recordings.csv"),
    ("affectnet-folders", "val_set/images/000003.jpg"),
}


def put(change):
    """What `change` makes of a file's bytes."""
    return lambda path: path.write_bytes(change(path.read_bytes()))


def link(path):
    path.unlink()
    path.symlink_to(path.with_name("nowhere"))


def folder(path):
    path.unlink()
    emptied(path)


def header(at, form, value):
    return put(lambda old: old[:at] + struct.pack(form, value) + old[at + struct.calcsize(form) :])


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def npy(text):
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", 119) + text.ljust(118) + b"\n" + bytes(80)


JUNK = np.random.default_rng(0).bytes(2000)
# 60,000 x 60,000 pixels in some sixty bytes
BOMB = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
BOMB += chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
LARGE = npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,), }")
OF_BYTES = {
    "not there": gone,
    "a link to nowhere": link,
    "a folder": folder,
    "empty": content(b""),
    "junk": content(JUNK),
    "zeros": content(bytes(4096)),
    "a web page": content("<!DOCTYPE html>\n<html><p>404, not found</p></html>\n"),
    "UTF-16": put(lambda old: old.decode("latin-1").encode("utf-16-le")),
    "half": put(lambda old: old[: len(old) // 2]),
    "all but the first bytes": put(lambda old: old[30:]),
}
OF_PICTURES = {"larger than any memory": content(BOMB), "a drawing": content("<svg><rect/></svg>")}
OF_WAVES = {
    "no channels": header(22, "<H", 0),
    "of 0 samples a second": header(24, "<I", 0),
    "of an unknown code": header(20, "<H", 0x55),
    "much shorter than its recording": header(40, "<I", 2000),
}
OF_ARRAYS = {
    "text": lambda path: np.save(path, "many"),
    "infinite": lambda path: np.save(path, [np.inf] * 136),
    "complex": lambda path: np.save(path, np.full((68, 2), 1j)),
    "objects": lambda path: np.save(path, np.array([{}]), allow_pickle=True),
    "larger than any memory": content(LARGE),
    "with code for a header": content(npy(b"__import__('os').abort()")),
}
OF_LINES = {
    "text": line(3, "many"),
    "NaN": line(3, "nan"),
    "blank": line(3, ""),
    "no text": line(3, "\0\1"),
    "endless": line(3, "1" * 10**5),
}
OF_TABLES = {
    "no rows": edit(lambda table: table[:0]),
    "a cell too many": put(lambda old: old.rstrip(b"\n") + b",;1;1,1\n"),
    "a row cut short": put(lambda old: old.rstrip(b"\n").rsplit(b"\n", 1)[0] + b"\nx\n"),
    "100 MB of blanks": content(b" " * 10**8),
}
OF_CELLS = {"nonsense": "no such thing", "infinite": "inf", "nested without end": "[" * 5_000}


def damages():
    """Layout, file, what, how, and whether the whole file is the fault, so that no place in it can be named."""
    for (layout, file), columns in TABLES.items():
        workbook, packed = file.endswith(".xlsx"), file.endswith(".gz")
        for column in columns:
            yield layout, file, f"no {column}", cells(drop=[column]), False
            yield layout, file, f"two {column}", again(column), False
            for what, value in OF_CELLS.items():
                yield layout, file, f"{column} is {what}", cells(3, **{column: value}), False
        for what, do in OF_TABLES.items():
            if not (workbook or packed) or what == "no rows":
                yield layout, file, what, do, what.endswith("blanks")
        if packed:
            yield layout, file, "blanks, packed", content(gzip.compress(b" " * 10**8, 1)), True
    for layout, file in LINES:
        for what, do in OF_LINES.items():
            if what != "NaN" or layout == "rafdb":  # of affect it says that there is none
                yield layout, file, f"a line is {what}", do, False
    for (layout, file), names in OBJECTS.items():
        for value in ([], None, "text", True):
            yield layout, file, f"all is {value}", content(json.dumps(value)), True
            for key in names:
                yield layout, file, f"{key} is {value}", put(with_key(key, value)), False
        yield layout, file, "a key twice", put(lambda old: b'{"frames": {}, ' + old.lstrip()[1:]), True
        yield layout, file, "nested without end", content("[" * 200_000), True
    for files, how in ((ARRAYS, OF_ARRAYS), (PICTURES, OF_PICTURES), (WAVES, OF_WAVES)):
        yield from ((*file, what, do, True) for file in files for what, do in how.items())
    for layout, file in [*TABLES, *LINES, *OBJECTS, *ARRAYS, *PICTURES, *WAVES]:
        for what, do in OF_BYTES.items():
            if what != "not there" or (layout, file) not in OPTIONAL:
                yield layout, file, what, do, True


def with_key(key, value):
    return lambda old: json.dumps(json.loads(old) | {key: value}).encode()


@pytest.mark.parametrize(("layout", "file", "what", "do", "wholly"), list(damages()))
def test_a_malformed_file_is_refused_by_file_and_place(
    layout, file, what, do, wholly, written, tmp_path, survived
):
    folder = tmp_path / layout.partition("-")[0]
    shutil.copytree(written / layout, folder)
    do(folder / file)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    # not a kin such as UnicodeDecodeError, which tells of the code and not of the file
    assert type(caught.value) in (ValueError, FileNotFoundError)
    path, message = Path(file), str(caught.value)
    # a fault that only shows beside another file may be told by that one, with the video, clip or class
    names = "|".join(map(re.escape, (path.name, path.stem, path.parent.name)))
    assert re.search(rf"\b({names})\b", message)
    assert wholly or PLACE.search(message), message
    # nothing that a later load takes for whole; pictures that could be read are kept apart
    assert not [path for path in (tmp_path / "cache").glob("*-*") if path.suffix != ".kept"]
    survived("malformed inputs refused by file and place")
