"""SFEW 2.0: round trip, every packaging, films as subjects, bad folders."""

from dataclasses import replace

import numpy as np
import pytest
from layouts import write_sfew
from numpy.testing import assert_array_equal

from paperlib import twin
from paperlib.data import load_sfew, requirements
from paperlib.labels import EXPRESSIONS

SIZE = 48
TRAIN, VAL = "Train_Aligned_Faces", "Val_Aligned_Faces_new"


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(24, seed=0, size=SIZE, channels=3)
    return replace(
        faces,
        split=np.repeat(["train", "test"], [14, 10]),
        expression=np.array([*range(7), *range(7), *range(7), 1, 1, 2], np.int8),
        subject=np.array(["ann", "ben", "eve", "joe"])[np.arange(24) % 4],
    )


@pytest.fixture
def written(faces, tmp_path):
    write_sfew(faces, tmp_path / "sfew")
    return tmp_path / "sfew"


def load(folder, **changes):
    return load_sfew(folder, **{"size": SIZE, "cache": folder.parent / "cache", **changes})


def test_written_faces_are_read_back_by_split_class_and_name(faces, written):
    read = load(written)
    row_of = {image.tobytes(): row for row, image in enumerate(faces.images)}
    rows = [row_of[image.tobytes()] for image in np.asarray(read.images)]
    assert sorted(rows) == list(range(24))
    for name in ("split", "expression", "affect"):
        assert_array_equal(getattr(read, name), getattr(faces, name)[rows])
    film = {"ann": "Film001", "ben": "Film002", "eve": "Film003", "joe": "Film004"}
    assert read.subject.tolist() == [film[name] for name in faces.subject[rows]]
    assert read.split.tolist() == ["train"] * 14 + ["test"] * 10
    assert load(written).fingerprint == read.fingerprint
    assert all(there for _, there in requirements("sfew", written.parent))


@pytest.mark.parametrize(
    ("train", "val"),
    [
        ("Train", "Val"),
        (TRAIN, "Val_Aligned_Faces"),
        ("Train/Train_Aligned_Faces", "Val/Val_Aligned_Faces"),
        ("Train/Train_Aligned_Faces", "Val/Val_Aligned_Faces_new"),
    ],
)
def test_every_packaging_is_read_alike(written, train, val):
    before = load(written)
    for old, new in ((TRAIN, train), (VAL, val)):
        (written / old).rename(written / "moved")
        (written / new).parent.mkdir(exist_ok=True)
        (written / "moved").rename(written / new)
    assert load(written).fingerprint == before.fingerprint
    assert (
        load_sfew(written.parent, size=SIZE, cache=written.parent / "other").fingerprint == before.fingerprint
    )


def test_aligned_faces_come_before_whole_frames_and_new_before_old(written):
    before = load(written)
    for other in ("Train", "Val", "Val_Aligned_Faces"):
        (written / other / "Angry").mkdir(parents=True)
    assert load(written).fingerprint == before.fingerprint


def rename(folder, name):
    """Give the only picture of Fear in the split test another name."""
    (picture,) = (folder / VAL / "Fear").iterdir()
    picture.rename(picture.with_name(name))


def test_a_film_is_all_that_stands_before_time_and_frame(written):
    rename(written, "HarryPotter_Half_Blood_Prince_2_001259094_00000033.png")
    (written / "valence_arousal.csv").unlink()
    assert "HarryPotter_Half_Blood_Prince_2" in load(written).subject
    rename(written, "unnamed.png")
    assert load(written).subject is None


def test_a_frame_in_two_classes_counts_in_both_and_other_files_do_not(written):
    before = load(written)
    (picture,) = (written / VAL / "Fear").iterdir()
    (written / VAL / "Sad" / picture.name).write_bytes(picture.read_bytes())
    (written / VAL / "Sad" / "Thumbs.db").write_bytes(b"")
    read = load(written)
    assert len(read) == len(before) + 1
    image = before.images[(before.split == "test") & (before.expression == EXPRESSIONS.index("fear"))]
    twice = (read.images == image).all(axis=(1, 2, 3))
    assert [EXPRESSIONS[number] for number in read.expression[twice]] == ["fear", "sad"]


def test_affect_needs_the_training_pictures_by_split_and_class(written):
    path = written / "valence_arousal.csv"
    path.write_text(path.read_text().replace("Train/Angry", "Train_Aligned_Faces/Angry", 1))
    with pytest.raises(
        ValueError, match=r"csv, row \d+ .*: name is 'Train_Aligned_Faces/Angry/.*, no picture"
    ):
        load(written)
    path.write_text(
        "name,valence,arousal\nVal/Fear/" + next((written / VAL / "Fear").iterdir()).name + ",0,1\n"
    )
    with pytest.raises(ValueError, match="14 training pictures have no row, Train/Angry/Film"):
        load(written)


def test_folders_that_cannot_be_are_named(written):
    (written / VAL / "Contempt").mkdir()
    with pytest.raises(ValueError, match=f"{VAL}/Contempt is no class of SFEW: these are Angry, Disgust"):
        load(written)
    (written / VAL / "Contempt").rmdir()
    (picture,) = (written / VAL / "Fear").iterdir()
    picture.rename(written / "aside.png")
    with pytest.raises(
        FileNotFoundError, match=f"{VAL}/Fear holds no picture. Unpack the release there again."
    ):
        load(written)
    (written / VAL / "Fear").rmdir()
    with pytest.raises(FileNotFoundError, match=f"{VAL}/Fear holds no picture"):
        load(written)
    (written / VAL).rename(written / "Test_Aligned_Faces")
    with pytest.raises(
        FileNotFoundError, match=r"has none of Val/Val_Aligned_Faces_new, .* with folders Angry"
    ):
        load(written)


def test_pictures_that_are_broken_or_elsewhere_are_named(written):
    (picture,) = (written / VAL / "Fear").iterdir()
    picture.write_bytes(picture.read_bytes()[:200])
    with pytest.raises(ValueError, match=f"{VAL}/Fear: the picture {picture.name} cannot be read"):
        load(written)
    picture.rename(written.parent / "elsewhere.png")
    picture.symlink_to(written.parent / "elsewhere.png")
    with pytest.raises(ValueError, match=f"{VAL}/Fear/{picture.name} leaves the data folder by a link"):
        load(written)


def test_faces_that_the_layout_cannot_hold_are_refused(faces, tmp_path):
    with pytest.raises(ValueError, match="SFEW needs one of seven categories for each face"):
        write_sfew(replace(faces, expression=None), tmp_path)
    write_sfew(replace(faces, subject=None), tmp_path / "sfew")
    assert load(tmp_path / "sfew").subject is None
