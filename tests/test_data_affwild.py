"""Aff-Wild: round trip, both kinds of annotation, where numbers start, split by video, what is counted, bad files."""

from dataclasses import replace

import numpy as np
import pytest
from layouts import write_affwild
from numpy.testing import assert_array_equal
from PIL import Image

from paperlib import twin
from paperlib.data import load_affwild, requirements
from paperlib.data.affwild import split_by_group

SIZE = 48
VIDEOS = ["105", "212", "318_left", "318_right", "405"]
VALENCE = "annotations/train/valence"


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(20, seed=0, size=SIZE, channels=3)
    return replace(faces, subject=np.repeat(VIDEOS, 4))


@pytest.fixture
def written(faces, tmp_path):
    write_affwild(faces, tmp_path / "affwild")
    return tmp_path / "affwild"


def load(folder, **changes):
    return load_affwild(folder, **{"size": SIZE, "cache": folder.parent / "cache", **changes})


def as_affwild2(folder):
    """Rewrite the annotations as Aff-Wild2 has them, one file a video."""
    top = folder / "annotations" / "train"
    for valence in sorted((top / "valence").iterdir()):
        arousal = top / "arousal" / valence.name
        pairs = zip(valence.read_text().split(), arousal.read_text().split(), strict=True)
        (top / valence.name).write_text("\n".join(["valence,arousal", *(",".join(pair) for pair in pairs)]))
        valence.unlink()
        arousal.unlink()


def count_from_zero(folder):
    for video in (folder / "frames").iterdir():
        for path in sorted(video.iterdir()):
            path.rename(path.with_name(f"{int(path.stem) - 1}.png"))


def test_written_faces_are_read_back(faces, written):
    read = load(written)
    assert_array_equal(read.images, faces.images)
    assert_array_equal(read.affect, faces.affect)
    assert read.subject.tolist() == [video.partition("_")[0] for video in faces.subject]
    assert read.expression is None and read.excluded == {}
    assert load(written).fingerprint == read.fingerprint
    assert (
        load_affwild(written.parent, size=SIZE, cache=written.parent / "other").fingerprint
        == read.fingerprint
    )
    there = dict(requirements("affwild", written.parent))
    assert not there.pop("label_parameters.json") and all(there.values())


def test_no_video_is_in_both_splits(written):
    read = load(written)
    videos = {split: set(read.subject[read.split == split]) for split in ("train", "test")}
    assert videos["train"] | videos["test"] == {"105", "212", "318", "405"}
    assert not videos["train"] & videos["test"] and len(videos["test"]) == 1
    assert_array_equal(load(written, every=4).split, read.split[::4])


def test_a_fifth_of_the_groups_is_for_the_test_whatever_their_size():
    groups = np.repeat([f"{number:03d}" for number in range(252)], np.arange(252) % 7 + 1)
    split = split_by_group(groups)
    assert len(set(groups[split == "test"])) == round(252 / 5)
    assert_array_equal(split_by_group(groups[::-1]), split[::-1])
    with pytest.raises(
        ValueError, match="train and test need two videos or subjects; there is a only. Add more."
    ):
        split_by_group(np.array(["a", "a"]))


def test_numbers_from_zero_padded_and_as_jpeg_are_read_alike(faces, written):
    before = load(written)
    count_from_zero(written)
    assert load(written).fingerprint == before.fingerprint
    path = written / "frames" / "105" / "2.png"
    Image.open(path).save(path.with_name("     2.JPG"), quality=95)
    path.unlink()
    read = load(written)
    assert_array_equal(read.affect, faces.affect)
    assert np.abs(read.images[2].astype(int) - faces.images[2]).mean() < 6


def test_affwild2s_files_are_read_alike_and_minus_five_is_no_value(faces, written):
    before = load(written)
    as_affwild2(written)
    assert load(written).fingerprint == before.fingerprint
    path = written / "annotations" / "train" / "212.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(["valence, arousal", *lines[1:3], "-5,-5", lines[4]]))
    read = load(written)
    assert read.excluded == {"no valence or arousal (-5)": 1}
    assert_array_equal(read.affect, np.delete(faces.affect, 6, axis=0))
    path.write_text("valence,arousal\n")
    with pytest.raises(ValueError, match="annotations/train/212.txt holds no value. Restore the file"):
        load(written)


def test_what_is_left_out_is_counted_and_a_picture_keeps_its_line(faces, written):
    for video, number in (("105", 1), ("405", 2)):
        (written / "frames" / video / f"{number:05d}.png").unlink()
    (written / "frames" / "105" / "Thumbs.db").write_bytes(b"")
    (written / "frames" / "test1").mkdir()
    Image.new("RGB", (9, 9)).save(written / "frames" / "test1" / "7.png")
    read = load(written, every=2)
    left = {
        "picture of a video without annotations": 1,
        "frame without picture": 2,
        "thinned out (every=2)": 9,
    }
    assert read.excluded == left
    rows = [2, *range(4, 20, 2)]
    assert_array_equal(read.images, faces.images[rows])
    assert_array_equal(read.affect, faces.affect[rows])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1.5", "line 2: '1.5' is not one number from -1 to 1. Restore the line."),
        ("-5", "line 2: '-5' is not one number"),
        ("nan", "line 2: 'nan' is not one number"),
        ("0_1", "line 2: '0_1' is not one number"),
        ("", "line 2: '' is not one number"),
        ("0.1,0.2", "line 2: '0.1,0.2' is not one number"),
        ("\udcff\udcfe", "line 2: "),
    ],
)
def test_a_line_that_cannot_be_is_named(written, line, message):
    path = written / VALENCE / "212.txt"
    lines = path.read_text().splitlines()
    path.write_bytes("\n".join([lines[0], line, *lines[2:]]).encode(errors="surrogateescape"))
    with pytest.raises(ValueError) as caught:
        load(written)
    assert str(caught.value).startswith(f"{VALENCE}/212.txt, {message}")


@pytest.mark.parametrize(
    ("number", "line", "message"),
    [
        (0, "arousal,valence", "line 1: it is not the header valence,arousal. Restore the file"),
        (
            2,
            "0.1,-4",
            "line 3: '0.1,-4' is not valence,arousal from -1 to 1, or -5 for none. Restore the line.",
        ),
        (2, "0.1", "line 3: '0.1' is not valence,arousal"),
    ],
)
def test_a_line_of_affwild2_that_cannot_be_is_named(written, number, line, message):
    as_affwild2(written)
    path = written / "annotations" / "train" / "212.txt"
    lines = path.read_text().splitlines()
    lines[number] = line
    path.write_text("\n".join(lines))
    with pytest.raises(ValueError) as caught:
        load(written)
    assert str(caught.value).startswith(f"annotations/train/212.txt, {message}")


def test_annotations_that_do_not_match_are_named(written):
    path = written / VALENCE / "212.txt"
    text = path.read_text()
    path.write_text(text + "0.5\n")
    with pytest.raises(
        ValueError, match=f"{VALENCE}/212.txt has 5 lines, .*arousal/212.txt has 4. Restore both"
    ):
        load(written)
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match=f"{VALENCE}/212.txt is not there. Restore it, or take its count"
    ):
        load(written)
    path.write_text(text)
    (written / "annotations" / "train" / "arousal" / "318_left.txt").unlink()
    with pytest.raises(FileNotFoundError, match="arousal/318_left.txt is not there"):
        load(written)


def test_pictures_that_do_not_match_are_named(written):
    folder = written / "frames" / "212"
    extra = folder / "00005.png"
    extra.write_bytes((folder / "00004.png").read_bytes())
    (folder / "6.jpg").write_bytes(b"")
    message = r"frames/212/00005.png has no line: .* frames 1 to 4, and 2 pictures lie beyond. Restore the"
    with pytest.raises(ValueError, match=message):
        load(written)
    extra.rename(folder / "face_5.png")
    with pytest.raises(
        ValueError, match="frames/212/face_5.png is not named by a frame number. Rename it, as"
    ):
        load(written)
    (folder / "face_5.png").rename(folder / "4.png")
    with pytest.raises(
        ValueError, match="frames/212/4.png is the same frame as 00004.png. Take one of them out."
    ):
        load(written)
    for path in folder.iterdir():
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match="frames/212 holds no picture. Cut its faces out of the video"
    ):
        load(written)
    folder.rmdir()
    with pytest.raises(FileNotFoundError, match="frames/212 holds no picture"):
        load(written)


def test_numbers_that_may_count_from_zero_or_from_one_are_refused(written):
    for video in (written / "frames").iterdir():
        (video / "00004.png").unlink()
    with pytest.raises(
        ValueError, match="no video has a picture 0, or one whose .* Add the first or the last frame"
    ):
        load(written)
    count_from_zero(written)
    (written / "frames" / "405" / "4.png").write_bytes(b"")
    with pytest.raises(
        ValueError, match="frames/405/4.png has no line: the annotations of 405 are of frames 0 to 3"
    ):
        load(written)


def test_pictures_that_are_broken_or_elsewhere_are_named(written):
    picture = written / "frames" / "212" / "00003.png"
    picture.write_bytes(picture.read_bytes()[:200])
    with pytest.raises(ValueError, match="frames/212: the picture 00003.png cannot be read .* Replace it"):
        load(written)
    picture.rename(written.parent / "elsewhere.png")
    picture.symlink_to(written.parent / "elsewhere.png")
    with pytest.raises(ValueError, match="frames/212/00003.png leaves the data folder by a link"):
        load(written)


def test_what_cannot_be_loaded_or_written_is_refused(faces, tmp_path):
    with pytest.raises(ValueError, match="every must be 1 or more; got 0"):
        load(tmp_path, every=0)
    with pytest.raises(
        FileNotFoundError, match=r"annotations/train holds no annotation. data/README.md says where"
    ):
        load(tmp_path)
    with pytest.raises(ValueError, match="Aff-Wild needs a subject"):
        write_affwild(replace(faces, subject=None), tmp_path)
    as_empty = replace(faces, affect=np.full((20, 2), -0.5, np.float32))
    write_affwild(as_empty, tmp_path / "affwild")
    as_affwild2(tmp_path / "affwild")
    for path in (tmp_path / "affwild" / "annotations" / "train").glob("*.txt"):
        path.write_text(path.read_text().replace("-0.5", "-5"))
    with pytest.raises(ValueError, match=r"no frame is left, of .*'no valence or arousal \(-5\)': 20"):
        load(tmp_path / "affwild")
