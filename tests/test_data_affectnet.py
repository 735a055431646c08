"""AffectNet in both packagings: round trips, what is left out and counted, the face box, bad files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from layouts import write_affectnet_csv, write_affectnet_folders
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from paperlib import twin
from paperlib.data import load_affectnet

SIZE = 48


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(12, seed=0, size=SIZE, channels=3)
    expression, affect = faces.expression.copy(), faces.affect.copy()
    expression[2], affect[5] = -1, np.nan
    return replace(faces, split=np.repeat(["train", "test"], [8, 4]), expression=expression, affect=affect)


KEPT = np.delete(np.arange(12), [2, 5])
LEFT_OUT = {"none": 1, "no valence or arousal (-2)": 1}


def load(root, **changes):
    return load_affectnet(root / "affectnet", **{"size": SIZE, "cache": root / "cache", **changes})


def assert_labels_equal(read, faces):
    for name in ("split", "expression", "affect"):
        assert_array_equal(getattr(read, name), getattr(faces, name)[KEPT])
    assert_allclose(read.landmarks, faces.landmarks[KEPT], atol=1e-4)
    assert read.excluded == LEFT_OUT


def test_the_csv_packaging_is_read_back(faces, tmp_path):
    write_affectnet_csv(faces, tmp_path / "affectnet")
    read = load(tmp_path)
    assert_array_equal(read.images, faces.images[KEPT])
    assert_labels_equal(read, faces)
    assert load(tmp_path).fingerprint == read.fingerprint


def test_the_folder_packaging_is_read_back_but_for_jpeg(faces, tmp_path):
    write_affectnet_folders(faces, tmp_path / "affectnet")
    read = load(tmp_path)
    assert_labels_equal(read, faces)
    assert np.abs(read.images.astype(int) - faces.images[KEPT]).mean() < 4


def test_size_and_channels_change_pictures_landmarks_and_fingerprint(faces, tmp_path):
    write_affectnet_csv(faces, tmp_path / "affectnet")
    whole, half = load(tmp_path), load(tmp_path, size=SIZE // 2, channels=1)
    assert half.images.shape == (10, SIZE // 2, SIZE // 2)
    assert_allclose(half.landmarks, whole.landmarks / 2, atol=1e-4)
    assert half.fingerprint != whole.fingerprint


@pytest.fixture
def written(faces, tmp_path):
    write_affectnet_csv(faces, tmp_path / "affectnet")
    return tmp_path / "affectnet"


def damage(folder, row, file="training.csv", **cells):
    """Change cells of a row, counted as in the file, the header being row 1."""
    table = pd.read_csv(folder / file, dtype=str, keep_default_na=False)
    table.loc[row - 2, list(cells)] = list(cells.values())
    table.to_csv(folder / file, index=False)


def test_the_picture_and_its_landmarks_are_cut_to_the_face_box(written, tmp_path, faces):
    frame = np.zeros((100, 80, 3), np.uint8)
    frame[30 : 30 + SIZE, 20 : 20 + SIZE] = faces.images[0]
    Image.fromarray(frame).save(written / "Manually_Annotated_Images" / "1" / "000000.png")
    points = ";".join(map(str, (faces.landmarks[0] + [20, 30]).ravel()))
    damage(written, 2, face_x="20", face_y="30", facial_landmarks=points)
    read = load(tmp_path)
    assert_array_equal(read.images[0], faces.images[0])
    assert_allclose(read.landmarks[0], faces.landmarks[0], atol=1e-4)


def test_rows_left_out_need_no_box_and_are_counted_by_their_category(written, tmp_path):
    gone = dict.fromkeys(["face_x", "face_y", "face_width", "face_height", "facial_landmarks"], "NULL")
    damage(written, 2, expression="10", valence="-2", arousal="-2", **gone)
    damage(written, 3, expression="9", valence="-2", arousal="-2")
    read = load(tmp_path)
    assert read.excluded == {**LEFT_OUT, "uncertain": 1, "no face": 1}
    assert len(read) == 8


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ({"expression": "11"}, "expression is '11', outside 0 to 10"),
        ({"expression": "1.5"}, "expression is '1.5', not a whole number"),
        ({"valence": "1.2"}, "valence is '1.2', outside -2 to 1"),
        ({"arousal": "-1.5"}, "arousal is '-1.5', outside -1 to 1 and not -2 for no value"),
        ({"arousal": ""}, "arousal is '', not a number"),
        ({"face_x": "NULL"}, "face_x is 'NULL', not a number"),
        ({"face_width": "0"}, "face_width is '0', outside 1 to"),
        ({"face_x": "500"}, "the face box (500.0, 0.0, 548.0, 48.0) lies outside 000002.png"),
        ({"facial_landmarks": "1;2;3"}, "facial_landmarks is not 68 points"),
        ({"facial_landmarks": "5"}, "facial_landmarks is not 68 points"),
        ({"facial_landmarks": ";".join(["nan"] * 136)}, "facial_landmarks is not 68 points"),
        ({"subDirectory_filePath": "../../../secret.png"}, "'../../../secret.png' leaves the data folder"),
        ({"subDirectory_filePath": "../training.csv"}, "'../training.csv' leaves the data folder"),
        ({"subDirectory_filePath": "1/" + "x" * 300}, "no file can have the name '1/xxx"),
        ({"facial_landmarks": ";".join(["1_0"] * 136)}, "facial_landmarks is not 68 points"),
        ({"subDirectory_filePath": "1/gone.png"}, "there is no picture gone.png"),
    ],
)
def test_a_cell_that_cannot_be_is_named_with_file_and_row(written, tmp_path, cells, message):
    damage(written, 4, expression="1")
    damage(written, 4, **{"subDirectory_filePath": "1/000002.png", **cells})
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(tmp_path)
    assert str(caught.value).startswith("training.csv, row 4 (the header is row 1): ")
    assert message in str(caught.value)


def test_rows_of_the_second_table_are_named_by_it(written, tmp_path):
    damage(written, 3, file="validation.csv", subDirectory_filePath="1/gone.png")
    with pytest.raises(FileNotFoundError, match=r"^validation.csv, row 3 "):
        load(tmp_path)


def test_a_wrong_column_and_a_missing_table_are_named(written, tmp_path):
    path = written / "validation.csv"
    path.write_text(path.read_text().replace("face_width", "width", 1))
    with pytest.raises(ValueError, match=r"validation.csv, row 1 \(the header\): no column face_width, only"):
        load(tmp_path)
    lines = path.read_text().replace("width", "face_width", 1).splitlines()
    path.write_text("\n".join([f"{lines[0]},valence", *(f"{line},0.5" for line in lines[1:])]))
    with pytest.raises(ValueError, match=r"validation.csv, row 1 \(the header\): 'valence' is there twice."):
        load(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match="validation.csv is not there"):
        load(tmp_path)
    (written / "training.csv").unlink()
    with pytest.raises(FileNotFoundError, match="holds neither training.csv nor train_set/"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("3_exp.npy", np.array("12"), "000003_exp.npy does not hold one category, 0 to 10"),
        ("3_val.npy", np.array("1.5"), "000003_val.npy does not hold one number from -1 to 1, or -2"),
        ("3_aro.npy", np.array("calm"), "000003_aro.npy does not hold one number"),
        ("3_aro.npy", np.array("nan"), "000003_aro.npy does not hold one number"),
        ("3_aro.npy", np.array({"a": 1}, dtype=object), "000003_aro.npy does not hold one number"),
        ("3_lnd.npy", np.zeros(100), "000003_lnd.npy does not hold 68 points"),
        ("3_lnd.npy", None, "000003_lnd.npy is not there"),
    ],
)
def test_an_annotation_that_cannot_be_is_named(faces, tmp_path, file, content, message):
    write_affectnet_folders(faces, tmp_path / "affectnet")
    path = tmp_path / "affectnet" / "train_set" / "annotations" / f"00000{file}"
    path.unlink() if content is None else np.save(path, content)
    with pytest.raises((ValueError, FileNotFoundError), match=f"train_set/annotations/{message}"):
        load(tmp_path)


@pytest.mark.parametrize("file", ["training.csv", "Manually_Annotated_Images", "Manually_Annotated_Images/1"])
def test_what_leads_out_of_the_folder_is_named(written, tmp_path, file):
    (written / file).rename(tmp_path / "elsewhere")
    (written / file).symlink_to(tmp_path / "elsewhere")
    message = (
        f"affectnet/{file} leaves the data folder by a link to {tmp_path}/elsewhere. .* name that one as DATA"
    )
    with pytest.raises(ValueError, match=message):
        load(tmp_path)
    written.rename(tmp_path / "whole")  # all files in one folder, which may be a link itself
    (tmp_path / "whole" / file).unlink()
    (tmp_path / "elsewhere").rename(tmp_path / "whole" / file)
    written.symlink_to(tmp_path / "whole")
    assert len(load(tmp_path))


def test_a_picture_may_be_a_link_to_another_in_the_folder(written, tmp_path):
    before = load(tmp_path).fingerprint
    (written / "Manually_Annotated_Images" / "1" / "000003.png").rename(written / "spare.png")
    (written / "Manually_Annotated_Images" / "1" / "000003.png").symlink_to(written / "spare.png")
    assert load(tmp_path).fingerprint == before


def test_a_broken_picture_is_named(faces, tmp_path):
    write_affectnet_folders(faces, tmp_path / "affectnet")
    (tmp_path / "affectnet" / "val_set" / "images" / "000001.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    with pytest.raises(ValueError, match="val_set/images: the picture 000001.jpg cannot be read"):
        load(tmp_path)
