"""Conversion once and whole, content fingerprints, and pictures that may not be what they say."""

import os

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

from paperlib.data.cache import convert_pictures, converted, fingerprint, open_pictures, resolve_inside


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("3")
    return path


def counting(source, calls):
    def convert(folder):
        calls.append(folder)
        images = open_pictures(folder, 2, size=4, channels=1)
        images[:] = int(source.read_text())
        return {"images": images, "split": np.array(["train", "test"])}, {"excluded": {"blank": 1}}

    return convert


def load(tmp_path, source, calls, **settings):
    convert = counting(source, calls)
    return converted(tmp_path / "cache", name="set", sources=[source], settings=settings, convert=convert)


def test_a_source_is_converted_once_and_read_back_the_same(tmp_path, source):
    calls = []
    first, later = load(tmp_path, source, calls), load(tmp_path, source, calls)
    assert len(calls) == 1
    assert_array_equal(later[0]["images"], np.full((2, 4, 4), 3))
    assert_array_equal(later[0]["split"], first[0]["split"])
    assert later[1] == first[1] and later[1]["excluded"] == {"blank": 1}


def test_new_content_or_settings_are_converted_anew(tmp_path, source):
    calls = []
    before = load(tmp_path, source, calls)[1]["fingerprint"]
    source.write_text("12")
    after = load(tmp_path, source, calls)[1]["fingerprint"]
    assert before != after
    load(tmp_path, source, calls, size=9)
    assert len(calls) == 3


def test_the_fingerprint_follows_content_and_not_the_time_of_change(tmp_path, source):
    calls = []
    before = load(tmp_path, source, calls)[1]["fingerprint"]
    os.utime(source, ns=(1, 1))
    assert load(tmp_path, source, calls)[1]["fingerprint"] == before
    assert len(calls) == 2


def test_an_interrupted_conversion_is_never_read(tmp_path, source):
    def interrupted(folder):
        open_pictures(folder, 2, size=4, channels=1)[:1] = 1
        raise KeyboardInterrupt

    calls = []
    with pytest.raises(KeyboardInterrupt):
        converted(tmp_path / "cache", name="set", sources=[source], settings={}, convert=interrupted)
    assert_array_equal(load(tmp_path, source, calls)[0]["images"], np.full((2, 4, 4), 3))


def test_what_a_killed_conversion_left_behind_is_replaced(tmp_path, source):
    calls = []
    load(tmp_path, source, calls)
    (entry,) = (tmp_path / "cache").glob("set-*")
    entry.rename(entry.with_suffix(".part"))  # the state just before the last step
    assert_array_equal(load(tmp_path, source, calls)[0]["images"], np.full((2, 4, 4), 3))
    assert len(calls) == 2 and not entry.with_suffix(".part").exists()


def test_fingerprints_tell_values_shapes_types_and_names_apart():
    x = np.arange(6, dtype=np.int16)
    others = [x + 1, x.reshape(2, 3), x.astype(np.int32)]
    prints = {fingerprint({"x": array}) for array in (x, *others)} | {fingerprint({"y": x})}
    assert len(prints) == 5
    assert fingerprint({"x": x, "y": x}) == fingerprint({"y": x.copy(), "x": x.copy()})


def test_a_name_inside_the_folder_is_resolved(tmp_path):
    (tmp_path / "data" / "a").mkdir(parents=True)
    assert resolve_inside(tmp_path / "data", "a/../a/x.png", where="row") == tmp_path / "data" / "a" / "x.png"


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/outside/x.png", "", ".", "..", "a\\..\\..\\x", "out/x.png"]
)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"list.csv, row 7: the file name .* leaves the data folder"):
        resolve_inside(tmp_path / "data", name, where="list.csv, row 7")


def test_a_picture_that_is_a_link_to_the_outside_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.png").symlink_to(tmp_path / "secret.png")
    with pytest.raises(ValueError, match="leaves the data folder"):
        resolve_inside(tmp_path / "data", "x.png", where="row 2")


def picture(path, pixels):
    Image.fromarray(pixels).save(path)
    return path


def test_pictures_keep_their_pixels_and_order(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (150, 8, 8, 3), dtype=np.uint8)
    paths = [picture(tmp_path / f"{k}.png", image) for k, image in enumerate(pixels)]
    images, scaled_from = convert_pictures(tmp_path, paths, where=[""] * 150, size=8, channels=3)
    assert_array_equal(images, pixels)
    assert_array_equal(scaled_from, np.full((150, 2), 8))


def test_a_box_cuts_and_may_reach_over_the_edge(tmp_path):
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8) + 1
    path = picture(tmp_path / "x.png", pixels)
    boxes = [(2.0, 4.0, 6.0, 8.0), (6.0, 0.0, 10.0, 4.0)]
    images, scaled_from = convert_pictures(
        tmp_path, [path] * 2, where=["", ""], size=4, channels=1, boxes=boxes
    )
    assert_array_equal(images[0], pixels[4:, 2:6])
    assert_array_equal(images[1], np.pad(pixels[:4, 6:], ((0, 0), (0, 2))))
    assert_array_equal(scaled_from, np.full((2, 2), 4))


@pytest.mark.parametrize(
    ("content", "box", "message"),
    [
        (b"not a picture", None, r"list, row 3: the picture x.png cannot be read .* Replace it"),
        (None, None, r"list, row 3: there is no picture x.png. Restore it"),
        ("whole", (90.0, 0.0, 99.0, 9.0), r"list, row 3: the face box .* lies outside x.png, 8 x 8 pixels"),
        ("cut", None, r"list, row 3: the picture x.png cannot be read"),
    ],
)
def test_a_picture_that_cannot_be_used_is_named(tmp_path, content, box, message):
    path = tmp_path / "x.png"
    if content in ("whole", "cut"):
        picture(path, np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8))
        path.write_bytes(path.read_bytes()[: -40 if content == "cut" else None])
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        convert_pictures(tmp_path, [path], where=["list, row 3"], size=8, channels=1, boxes=box and [box])
