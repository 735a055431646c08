"""Pictures of every mode and turn are read by one rule, by all readers and in use."""

import struct

import numpy as np
import pytest
from damage import cells
from numpy.testing import assert_array_equal
from PIL import Image
from wellformed import LAYOUTS, faces

from paperlib.data.pictures import list_pictures, misplaced, open_picture
from paperlib.faces import read
from paperlib.inference import Predictor
from paperlib.models.emofan import EmoFAN

MEND = "Replace it."
GREY = np.linspace(0, 255, 40 * 30).round().astype(np.uint8).reshape(30, 40)


def opened(path, **options):
    return np.asarray(open_picture(path, mend=MEND, **options))


@pytest.mark.parametrize("suffix", ["png", "tiff"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_sixteen_bits_are_scaled_to_eight(tmp_path, suffix, mode):
    Image.fromarray(GREY.astype(np.uint16) * 257).save(path := tmp_path / f"x.{suffix}")
    expected = np.asarray(Image.fromarray(GREY).convert(mode))
    assert_array_equal(opened(path, mode=mode), expected)


def test_a_pgm_of_sixteen_bits_is_scaled_too(tmp_path):
    path = tmp_path / "x.pgm"
    path.write_bytes(b"P5 40 30 65535\n" + (GREY.astype(">u2") * 257).tobytes())
    assert_array_equal(opened(path, mode="L"), GREY)


@pytest.mark.parametrize(
    ("kind", "said"), [(np.float32, "floating-point numbers"), (np.int32, "numbers of 32 bits")]
)
def test_numbers_whose_white_is_unknown_are_refused(tmp_path, kind, said):
    Image.fromarray(GREY.astype(kind)).save(tmp_path / "x.tif")
    with pytest.raises(
        ValueError, match=f"row 3: the picture x.tif holds {said}, whose white .* Replace it."
    ):
        opened(tmp_path / "x.tif", where="row 3")


@pytest.mark.parametrize("mode", ["1", "LA", "P", "CMYK"])
def test_other_modes_of_eight_bits_are_what_a_viewer_shows(tmp_path, mode):
    picture = Image.fromarray(GREY).convert("RGB").convert(mode)
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    picture.save(path)
    close = np.abs(opened(path).astype(int) - np.asarray(picture.convert("RGB")))
    assert close.max() <= 2


UPRIGHT = {  # orientation -> what is seen, of the pixels as they are stored (TIFF 6.0)
    1: GREY,
    2: GREY[:, ::-1],
    3: GREY[::-1, ::-1],
    4: GREY[::-1],
    5: GREY.T,
    6: np.rot90(GREY, -1),
    7: GREY[::-1, ::-1].T,
    8: np.rot90(GREY),
}


def turned(path, orientation, picture, **options):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(picture).save(path, exif=exif, **options)


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    ("suffix", "options"),
    [("png", {}), ("webp", {"lossless": True}), ("tiff", {}), ("tif", {"compression": "tiff_lzw"})],
)
def test_a_picture_is_turned_upright_once(tmp_path, suffix, options, orientation):
    turned(path := tmp_path / f"x.{suffix}", orientation, GREY, **options)
    assert_array_equal(opened(path, mode="L"), UPRIGHT[orientation])


def test_a_broken_tag_turns_nothing(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "x.png", exif=b"Exif\0\0MM\0*\0\0\xff\xff")
    assert_array_equal(opened(tmp_path / "x.png", mode="L"), GREY)


def test_another_tag_that_is_broken_leaves_no_picture_on_its_side(tmp_path):
    entries = (
        (0x0100, 11, 1, struct.pack("<f", 1.5)),
        (0x0112, 3, 1, struct.pack("<HH", 6, 0)),
    )  # a width as a float
    tags = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + tags + bytes(4)
    Image.fromarray(GREY).save(tmp_path / "x.png", exif=exif)
    assert_array_equal(opened(tmp_path / "x.png", mode="L"), UPRIGHT[6])


@pytest.mark.parametrize(
    ("layout", "file"),
    [("affectnet-csv", "Manually_Annotated_Images/1/000000.png"), ("afewva", "001/00000.png")],
)
def test_readers_turn_and_scale(layout, file, tmp_path):
    LAYOUTS[layout].write(tmp_path / "data")
    plain = LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache")
    path = tmp_path / "data" / file
    turned(path, 6, np.rot90(faces().images[0]))
    assert_array_equal(LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache").images, plain.images)
    grey = np.asarray(Image.fromarray(faces().images[0]).convert("L"))
    found = []
    for pixels in (grey, grey.astype(np.uint16) * 257):
        Image.fromarray(pixels).save(path)
        found.append(LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache").images[0])
    assert_array_equal(*found)


def test_use_reads_a_folder_as_training_does(tmp_path):
    upright = faces().images[:2]
    predictor = Predictor(EmoFAN(classes=7, width=16, depth=3, size=64), engine="torch")
    turned(tmp_path / "1.TIF", 8, np.rot90(upright[0], 3))
    grey = np.asarray(Image.fromarray(upright[1]).convert("L"))
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "2.png")
    box = {"find": lambda picture: [[8, 8, 56, 56]]}
    found = read(tmp_path, predictor, **box).table
    assert found["picture"].tolist() == ["1.TIF", "2.png"]
    for row, picture in enumerate((upright[0], grey)):
        one = read(picture, predictor, **box).table
        np.testing.assert_allclose(
            found.loc[row, ["valence", "arousal"]].tolist(), one[["valence", "arousal"]].iloc[0], atol=2e-3
        )


def test_files_are_told_by_their_endings_whatever_their_case(tmp_path):
    for name in ("b.JPG", "a.Tiff", "c.gif", ".d.png", "e"):
        (tmp_path / name).touch()
    (tmp_path / "f").mkdir()
    (tmp_path / "g.png").symlink_to(tmp_path / "moved.png")
    pictures, others = list_pictures(tmp_path)
    assert [path.name for path in pictures] == ["a.Tiff", "b.JPG", "g.png"]
    assert [path.name for path in others] == ["c.gif", "e"]


@pytest.mark.parametrize(
    ("low", "high", "fits"),
    [
        ((10, 10), (60, 70), True),
        ((-30, 10), (30, 70), True),  # half of it
        ((-70, 10), (20, 70), False),
        ((0.1, 0.2), (0.9, 0.9), False),
        ((300, 10), (360, 70), False),
        ((np.nan, 10), (60, 70), False),
    ],
)
def test_a_face_lies_in_its_picture_by_a_quarter_at_least(low, high, fits):
    assert (misplaced([low, high], (100, 80)) == "") == fits


ENDING = "file that is no picture by its ending"


@pytest.mark.parametrize(
    ("layout", "file", "reason"),
    [
        ("affectnet-csv", "Manually_Annotated_Images/1/x.PNG", "picture without annotation"),
        ("rafdb", "Image/aligned/x.PNG", "picture without annotation"),
        ("manifest", "images/x.PNG", "picture that no row names"),
        ("afewva", "002/x.PNG", "picture without annotation"),
        ("affectnet-folders", "val_set/images/list.txt", ENDING),
        ("morphset", "images/000000.gif", ENDING),
        ("sfew", "Train_Aligned_Faces/Fear/list.xml", ENDING),
        ("sfew", "Val_Aligned_Faces_new/labels.txt", ENDING),
        ("affwild", "frames/joe/00001.png.bak", ENDING),
        ("affwild", "annotations/train/arousal/zoe.TXT", "file that is no annotation by its ending"),
    ],
)
def test_a_file_that_is_not_read_is_counted(layout, file, reason, tmp_path):
    LAYOUTS[layout].write(tmp_path / "data")
    (tmp_path / "data" / file).touch()
    assert LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache").excluded == {reason: 1}


def test_an_annotation_without_picture_is_counted_and_an_ending_may_be_in_capitals(tmp_path):
    LAYOUTS["affectnet-folders"].write(tmp_path / "data")
    (tmp_path / "data/train_set/images/000000.jpg").unlink()
    path = tmp_path / "data/train_set/images/000003.jpg"
    path.rename(path.with_suffix(".JPG"))
    read = LAYOUTS["affectnet-folders"].load(tmp_path / "data", tmp_path / "cache")
    assert read.excluded == {"annotation without picture": 1}
    assert_array_equal(read.expression, faces().expression[1:])


def test_a_rater_may_have_any_name(tmp_path):
    LAYOUTS["manifest"].write(tmp_path / "data")
    scores = {f"rater_Dr. No-{k}_{d}": ["0.5", "-0.5"] * 7 for k in (1, 2) for d in ("valence", "arousal")}
    cells(**scores)(tmp_path / "data" / "manifest.csv")
    assert LAYOUTS["manifest"].load(tmp_path / "data", tmp_path / "cache").ratings.shape == (14, 5, 2)
