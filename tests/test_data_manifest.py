"""The manifest: round trip, the forms that a CSV may take, bad cells."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from layouts import write_manifest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import twin
from paperlib.data import load_manifest, manifest

SIZE = 48


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(10, seed=0, size=SIZE, channels=3, raters=3)
    expression, ratings = faces.expression.copy(), faces.ratings.copy()
    expression[4], ratings[6, 1] = -1, np.nan
    return replace(faces, expression=expression, ratings=ratings)


@pytest.fixture
def written(faces, tmp_path):
    write_manifest(faces, tmp_path / "mine")
    return tmp_path / "mine" / "manifest.csv"


def load(path, **options):
    return load_manifest(path, **{"size": SIZE, "cache": path.parent.parent / "cache", **options})


def change(csv, row=None, drop=(), **cells):
    table = pd.read_csv(csv, dtype=str, keep_default_na=False).drop(columns=list(drop))
    for column, value in cells.items():
        table.loc[slice(None) if row is None else row - 2, column] = value
    table.to_csv(csv, index=False)


def test_written_faces_are_read_back(faces, written):
    read = load(written)
    for name in ("images", "split", "subject", "expression", "affect", "ratings"):
        assert_array_equal(getattr(read, name), getattr(faces, name))
    assert_allclose(read.landmarks, faces.landmarks, atol=1e-4)
    assert read.name == "mine"
    by_folder = load_manifest(written.parent, size=SIZE, cache=written.parent.parent / "cache")
    assert by_folder.fingerprint == read.fingerprint


def test_what_a_csv_lacks_is_none(written):
    landmarks = ["landmarks", "subject", "expression"]
    change(written, drop=[*landmarks, *(f"rater_{k}_{d}" for k in (1, 2, 3) for d in ("valence", "arousal"))])
    read = load(written)
    assert read.landmarks is read.subject is read.expression is read.ratings is None


def test_without_labels_of_their_own_faces_get_the_raters_mean(faces, written):
    change(written, drop=["valence", "arousal"])
    assert_allclose(load(written).affect, np.nanmean(faces.ratings, axis=1), atol=1e-6)


def test_empty_cells_are_missing_values(written):
    change(written, 3, valence="", arousal="", landmarks="")
    read = load(written)
    assert np.isnan(read.affect).all(axis=1).tolist() == [False, True, *[False] * 8]
    assert np.isnan(read.landmarks).all(axis=(1, 2)).tolist() == [False, True, *[False] * 8]


def test_a_changed_picture_or_cell_changes_the_fingerprint(faces, written):
    before = load(written).fingerprint
    change(written, 2, expression="fear" if faces.expression[0] != 4 else "sad")
    assert load(written).fingerprint != before


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"path": "../outside.png"}, "'../outside.png' leaves the data folder"),
        ({"path": "/outside.png"}, "'/outside.png' leaves the data folder"),
        ({"path": ""}, "path is empty"),
        ({"path": "x" * 300 + ".png"}, "no file can have the name 'xxx"),
        ({"path": "y/" * 3000 + "x.png"}, "no file can have the name 'y/y"),
        ({"landmarks": "x" * 300 + ".npy"}, "no file can have the name 'xxx"),
        ({"path": "images/gone.png"}, "there is no picture gone.png"),
        ({"path": "manifest.csv"}, "the picture manifest.csv cannot be read"),
        ({"split": "dev"}, "split is 'dev'. Use one of: train, validation, test"),
        ({"expression": "joy"}, "expression is 'joy'. Use one of: neutral, happy"),
        ({"subject": ""}, "subject is empty"),
        ({"valence": "1.01"}, "valence is '1.01', outside -1 to 1"),
        ({"valence": "nan"}, "valence is 'nan', not a number"),
        ({"arousal": ""}, "valence without arousal, or the other way"),
        ({"rater_2_arousal": "high"}, "rater_2_arousal is 'high', not a number"),
        ({"rater_2_arousal": ""}, "rater_2_valence without rater_2_arousal"),
        ({"landmarks": "../points.npy"}, "'../points.npy' leaves the data folder"),
        ({"landmarks": "landmarks/gone.npy"}, "there is no gone.npy"),
        ({"landmarks": "images/000000.png"}, "000000.png is not a .npy of numbers"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_file_and_row(written, cells, message):
    change(written, 5, **cells)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(written)
    assert str(caught.value).startswith("manifest.csv, row 5 (the header is row 1): ")
    assert message in str(caught.value)


def test_landmarks_of_another_shape_are_named(written):
    np.save(written.parent / "landmarks" / "000003.npy", np.zeros((5, 2)))
    with pytest.raises(ValueError, match=r"row 5 .*000003.npy has shape \(5, 2\), or NaN. Save \(68, 2\)"):
        load(written)


def test_constant_raters_are_named(written):
    change(written, rater_3_valence="0.5")
    with pytest.raises(ValueError, match="column rater_3_valence: all 10 ratings are 0.5"):
        load(written)


def test_columns_that_cannot_be_are_named(written):
    change(written, **{"rater_{0.x}_valence": "0.5"})
    with pytest.raises(ValueError, match=r"rater_\{0.x\}_valence is no rater's column"):
        load(written)
    change(written, drop=["rater_{0.x}_valence"], rater_4="0.5")
    with pytest.raises(ValueError, match="rater_4 is no rater's column. Name them rater_<name>_valence"):
        load(written)
    change(written, drop=["rater_4", "rater_1_arousal"])
    with pytest.raises(ValueError, match="no column rater_1_arousal"):
        load(written)
    pd.DataFrame({"path": ["images/000000.png"], "split": ["train"]}).to_csv(written, index=False)
    with pytest.raises(ValueError, match=r"manifest.csv, row 1 \(the header\): no label. Add valence"):
        load(written)


def test_columns_that_are_not_read_may_be_there_twice_and_have_no_name(written):
    before = load(written)
    lines = written.read_text().splitlines()
    written.write_text("\n".join([f"{lines[0]},note,note,,", *(f"{line},a,b,," for line in lines[1:])]))
    assert load(written).fingerprint == before.fingerprint


def test_a_csv_that_changes_just_before_its_pictures_are_read_is_read_anew(written, tmp_path, monkeypatch):
    def late(*arguments, **named):
        change(written, 2, valence="0.25", arousal="0.5")
        return converted(*arguments, **named)

    converted = manifest.converted
    monkeypatch.setattr(manifest, "converted", late)
    load(written)
    monkeypatch.undo()
    assert_array_equal(load(written).affect[0], [0.25, 0.5])


def test_a_link_out_of_the_folder_is_named_and_one_inside_is_followed(written, tmp_path):
    before = load(written).fingerprint
    written.rename(written.parent / "images" / "list.csv")
    written.symlink_to("images/list.csv")
    assert load(written).fingerprint == before
    (written.parent / "images" / "list.csv").rename(tmp_path / "list.csv")
    written.unlink()
    written.symlink_to(tmp_path / "list.csv")
    with pytest.raises(
        ValueError, match="manifest.csv: the file name 'manifest.csv' leaves the data folder by"
    ):
        load(written)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.csv is not a whole CSV file"),
        ("path,split,expression\n", "manifest.csv has a header and no rows"),
        ("path,split,expression\na.png\n", r"manifest.csv, row 2 .*: 1 cells, not 3. Quote"),
        ("path,split,expression\na,b.png,train,fear\n", r"manifest.csv, row 2 .*: 4 cells, not 3. Quote"),
        (
            "path,split,expression\na.png\0b.png,train,fear\n",
            r"manifest.csv, row 2 .*: a zero byte, which no",
        ),
        (
            "path,split,expression,split\na.png,train,fear,test\n",
            r"row 1 \(the header\): 'split' is there twice",
        ),
        ("path, split,expression,split\na.png,train,fear,test\n", "'split' is there twice. Take one out, or"),
        ("\npath,split,expression\na.png,train,fear\n", "manifest.csv is not a whole CSV file: No columns"),
        (b"path,split,expression\n\xff\xfe.png,train,fear\n", "manifest.csv is not a whole CSV file"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, text, message):
    path = tmp_path / "mine" / "manifest.csv"
    path.parent.mkdir()
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        load(path)
