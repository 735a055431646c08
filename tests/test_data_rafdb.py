"""RAF-DB: round trip, its label order, valence and arousal beside it, bad files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from layouts import write_rafdb
from numpy.testing import assert_array_equal
from PIL import Image

from paperlib import twin
from paperlib.data import load_rafdb, requirements
from paperlib.labels import EXPRESSIONS

SIZE = 48
LIST = "EmoLabel/list_patition_label.txt"


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(14, seed=0, size=SIZE, channels=3)
    affect = faces.affect.copy()
    affect[13] = np.nan  # a test picture without a row
    expression = np.arange(14, dtype=np.int8) % 7
    return replace(faces, split=np.repeat(["train", "test"], [9, 5]), expression=expression, affect=affect)


@pytest.fixture
def written(faces, tmp_path):
    write_rafdb(faces, tmp_path / "rafdb")
    return tmp_path / "rafdb"


def load(folder, **changes):
    return load_rafdb(folder, **{"size": SIZE, "cache": folder.parent / "cache", **changes})


def test_written_faces_are_read_back_but_for_jpeg(faces, written):
    read = load(written)
    for name in ("split", "expression", "affect"):
        assert_array_equal(getattr(read, name), getattr(faces, name))
    assert np.abs(read.images.astype(int) - faces.images).mean() < 4
    assert read.subject is None and read.excluded == {}
    assert load(written).fingerprint == read.fingerprint
    assert all(there for _, there in requirements("rafdb", written.parent))


def test_the_release_by_hand(tmp_path):
    """Labels 1 to 7 in the order of the release's readme, in the archive's own folder, without affect."""
    root = tmp_path / "basic"
    (root / LIST).parent.mkdir(parents=True)
    (root / "Image" / "aligned").mkdir(parents=True)
    (root / LIST).write_text("".join(f"train_{n:05d}.jpg {n}\n" for n in range(1, 8)) + "test_0001.jpg 4\n")
    for name in [*(f"train_{n:05d}" for n in range(1, 8)), "test_0001"]:
        Image.new("RGB", (100, 100), (200, 0, 0)).save(root / "Image" / "aligned" / f"{name}_aligned.jpg")
    read = load_rafdb(tmp_path, size=20, channels=1, cache=tmp_path / "cache")
    release = ["surprise", "fear", "disgust", "happy", "sad", "anger", "neutral", "happy"]
    assert [EXPRESSIONS[number] for number in read.expression] == release
    assert read.split.tolist() == ["train"] * 7 + ["test"]
    assert np.isnan(read.affect).all()
    assert read.images.shape == (8, 20, 20)


def test_affect_that_appears_later_is_seen_in_any_order_of_rows(faces, written):
    path = written / "valence_arousal.csv"
    table = pd.read_csv(path)
    path.unlink()
    without = load(written)
    assert np.isnan(without.affect).all()
    table[::-1].to_csv(path, index=False)
    read = load(written)
    assert_array_equal(read.affect, faces.affect)
    assert read.fingerprint != without.fingerprint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("train_00003.jpg 0", "'train_00003.jpg 0' is not a name such as train_00001.jpg"),
        ("train_00003.jpg 8", "a label from 1 to 7. Restore the line from the release"),
        ("train_00003.jpg", "is not a name such as"),
        ("val_00003.jpg 5", "'val_00003.jpg 5' is not a name such as"),
        ("train_../../secret.jpg 5", "is not a name such as"),
        ("../train_00003.jpg 5", "is not a name such as"),
        ("", "'' is not a name such as"),
        ("\udcff\udcfe", "is not a name such as"),
        ("train_00001.jpg 5", "train_00001.jpg has line 1 already. Take one of them out."),
        (
            "train_99999.jpg 5",
            "there is no picture train_99999_aligned.jpg. Restore it, or take its row out.",
        ),
    ],
)
def test_a_line_that_cannot_be_is_named(written, line, message):
    lines = (written / LIST).read_text().splitlines()
    lines[2] = line
    (written / "valence_arousal.csv").unlink()
    (written / LIST).write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        load(written)
    assert str(caught.value).startswith("list_patition_label.txt, line 3: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("train_00002.jpg,1.5,0", "row 3 (the header is row 1): valence is '1.5', outside -1 to 1"),
        ("train_00002.jpg,0,", "row 3 (the header is row 1): arousal is '', not a number"),
        (
            "train_00002_aligned.jpg,0,0",
            "row 3 (the header is row 1): name is 'train_00002_aligned.jpg', no pic",
        ),
        ("train_00001.jpg,0,0", "row 3 (the header is row 1): 'train_00001.jpg' has an earlier row"),
        ("test_0005.jpg,0,0", "1 training pictures have no row, train_00002.jpg first. Add them"),
    ],
)
def test_affect_that_cannot_be_is_named(written, row, message):
    path = written / "valence_arousal.csv"
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:2], row, *rows[3:]]))
    with pytest.raises(ValueError) as caught:
        load(written)
    assert str(caught.value).startswith("valence_arousal.csv") and message in str(caught.value)


def test_files_that_are_missing_broken_or_elsewhere_are_named(written):
    picture = written / "Image" / "aligned" / "test_0002_aligned.jpg"
    picture.write_bytes(b"\xff\xd8\xff\xe0 cut")
    with pytest.raises(ValueError, match="txt, line 11: the picture test_0002_aligned.jpg cannot be read"):
        load(written)
    picture.unlink()
    (written.parent / "elsewhere.jpg").write_bytes(b"")
    picture.symlink_to(written.parent / "elsewhere.jpg")
    with pytest.raises(ValueError, match="aligned/test_0002_aligned.jpg leaves the data folder by a link"):
        load(written)
    picture.unlink()
    (written / "Image" / "aligned").rename(written.parent / "elsewhere")
    (written / "Image" / "aligned").symlink_to(written.parent / "elsewhere")
    with pytest.raises(ValueError, match="Image/aligned leaves the data folder by a link"):
        load(written)
    (written / "Image" / "aligned").unlink()
    (written.parent / "elsewhere").rename(written / "Image" / "other")
    with pytest.raises(FileNotFoundError, match=r"aligned is not there. Unpack aligned.zip"):
        load(written)
    (written / LIST).write_text("")
    (written / "Image" / "other").rename(written / "Image" / "aligned")
    with pytest.raises(ValueError, match="list_patition_label.txt is empty. Fetch it again."):
        load(written)
    (written / LIST).unlink()
    with pytest.raises(FileNotFoundError, match=r"list_patition_label.txt is not there. data/README.md says"):
        load(written)


@pytest.mark.parametrize("changes", [{"split": np.full(14, "validation")}, {"expression": np.full(14, 7)}])
def test_faces_that_the_layout_cannot_hold_are_refused(faces, tmp_path, changes):
    with pytest.raises(ValueError, match="RAF-DB needs one of seven categories for each face"):
        write_rafdb(replace(faces, **changes), tmp_path)
