"""MorphSet: round trip, the authors' table, split by subject, bad files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from layouts import write_morphset
from numpy.testing import assert_array_equal
from PIL import Image

from paperlib import twin
from paperlib.data import load_morphset, requirements
from paperlib.labels import EXPRESSIONS

SIZE = 48


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(28, seed=0, size=SIZE, channels=3)
    expression = np.arange(28, dtype=np.int8) % 7
    return replace(
        faces, expression=expression, subject=np.array(["ann", "ben", "eve", "joe"])[np.arange(28) // 7]
    )


@pytest.fixture
def written(faces, tmp_path):
    write_morphset(faces, tmp_path / "morphset")
    return tmp_path / "morphset"


def load(folder, **changes):
    return load_morphset(folder, **{"size": SIZE, "cache": folder.parent / "cache", **changes})


def test_written_faces_are_read_back_in_order(faces, written):
    read = load(written)
    for name in ("images", "affect", "expression"):
        assert_array_equal(getattr(read, name), getattr(faces, name))
    number = {"ann": "1", "ben": "2", "eve": "3", "joe": "4"}
    assert read.subject.tolist() == [number[name] for name in faces.subject]
    assert read.excluded == {}
    assert load(written).fingerprint == read.fingerprint
    assert load(written, size=12, channels=1).images.shape == (28, 12, 12)
    assert all(there for _, there in requirements("morphset", written.parent))


def test_no_subject_is_in_both_splits(written):
    read = load(written)
    subjects = {split: set(read.subject[read.split == split]) for split in ("train", "test")}
    assert subjects["train"] | subjects["test"] == {"1", "2", "3", "4"}
    assert not subjects["train"] & subjects["test"] and len(subjects["test"]) == 1


def test_the_authors_table_by_hand(tmp_path):
    """Columns and cells as their notebook prints them; KDEF's codes, and FE for AF."""
    codes = ["NE", "HA", "SU", "AF", "FE", "AN", "DI", "SA"]
    lines = ["Filename,Dataset,Subject,Emotion Label,Agreement,Arousal,Valence,Intensity,x0,y0"]
    (tmp_path / "images").mkdir()
    for number, code in enumerate(codes):
        lines.append(
            f"R_{number % 2}_{code}_1.jpg,R,{1 + number % 2}.0,{code},0.735,0.014317,0.081196,0.082449,10.0,14.0"
        )
        Image.new("RGB", (360, 450), (200, 0, 0)).save(tmp_path / "images" / f"R_{number % 2}_{code}_1.jpg")
    (tmp_path / "Morphset.csv").write_text("\n".join(lines))
    read = load_morphset(tmp_path, size=20, cache=tmp_path / "cache")
    names = ["neutral", "happy", "surprise", "fear", "fear", "anger", "disgust", "sad"]
    assert [EXPRESSIONS[number] for number in read.expression] == names
    assert read.subject.tolist() == ["1", "2"] * 4
    assert_array_equal(read.affect, np.float32([[0.081196, 0.014317]] * 8))


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("Valence", "1.5", "Valence is '1.5', outside -1 to 1. Restore the value from the release"),
        ("Arousal", "", "Arousal is '', not a number"),
        ("Subject", "", "Subject is '', not a number"),
        ("Subject", "1.5", "Subject is '1.5', not a whole number"),
        (
            "Emotion Label",
            "CO",
            "Emotion Label is 'CO'. Use one of: NE, HA, SA, SU, AF, FE, DI, AN. Take rows of other",
        ),
        ("Filename", "000000.png", "'000000.png' has an earlier row. Take one of them out."),
        ("Filename", "../secret.png", "the file name '../secret.png' leaves the data folder"),
        ("Filename", "", "the file name '' leaves the data folder, or names none"),
        ("Filename", "x" * 300, "no file can have the name 'xxx"),
        ("Filename", "999.png", "there is no picture 999.png. Restore it, or take its row out."),
    ],
)
def test_a_cell_that_cannot_be_is_named(written, column, cell, message):
    table = pd.read_csv(written / "Morphset.csv", dtype=str)
    table.loc[2, column] = cell
    table.to_csv(written / "Morphset.csv", index=False)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(written)
    assert str(caught.value).startswith("Morphset.csv, row 4 (the header is row 1): ")
    assert message in str(caught.value)


def test_files_that_cannot_be_are_named(faces, written):
    picture = written / "images" / "000003.png"
    picture.write_bytes(picture.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"csv, row 5 .*: the picture 000003.png cannot be read"):
        load(written)
    write_morphset(replace(faces, expression=np.maximum(faces.expression, 1)), written)
    with pytest.raises(ValueError, match="Morphset.csv: no row of neutral. Fetch the whole table again."):
        load(written)
    write_morphset(replace(faces, subject=np.full(28, "ann")), written)
    with pytest.raises(ValueError, match="train and test need two videos or subjects; there is 1 only"):
        load(written)
    path = written / "Morphset.csv"
    path.write_text(path.read_text().replace("Emotion Label", "Label"))
    with pytest.raises(ValueError, match="no column Emotion Label, only Filename, Subject, Label"):
        load(written)
    lines = path.read_text().replace("Label", "Emotion Label").splitlines()
    path.write_text("\n".join([f"{lines[0]},Valence", *(f"{line},0.5" for line in lines[1:])]))
    with pytest.raises(
        ValueError, match=r"Morphset.csv, row 1 \(the header\): 'Valence' is there twice. Take"
    ):
        load(written)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"Morphset.csv is not there. data/README.md says"):
        load(written)


@pytest.mark.parametrize("changes", [{"subject": None}, {"expression": np.full(28, 7)}])
def test_faces_that_the_layout_cannot_hold_are_refused(faces, tmp_path, changes):
    with pytest.raises(ValueError, match="MorphSet needs a subject and one of seven categories"):
        write_morphset(replace(faces, **changes), tmp_path)
