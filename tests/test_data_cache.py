"""Conversion once and whole, content fingerprints, and pictures that may not be what they say."""

import importlib.metadata
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from wellformed import LAYOUTS

from paperlib.data import cache
from paperlib.data.cache import (
    Faces,
    convert_faces,
    converted,
    fingerprint,
    open_pictures,
    resolve_inside,
    state,
)


class Source:
    """A file and its conversion, which counts how often it is made."""

    def __init__(self, folder):
        self.folder, self.path, self.made = folder, folder / "source.txt", 0
        self.path.write_text("3")

    def convert(self, folder):
        self.made += 1
        images = open_pictures(folder, 2, size=4, channels=1)
        images[:] = int(self.path.read_text())
        return {"images": images, "split": np.array(["train", "test"])}, {"excluded": {"blank": 1}}

    def load(self, convert=None, **settings):
        sources = {"root": self.folder, "sources": [self.path], "settings": settings}
        return converted(self.folder / "cache", name="set", convert=convert or self.convert, **sources)

    def is_whole(self):
        return (self.load()[0]["images"] == 3).all()


@pytest.fixture
def source(tmp_path):
    return Source(tmp_path)


def test_a_source_is_converted_once_and_read_back_the_same(source):
    first, later = source.load(), source.load()
    assert source.made == 1 and source.is_whole()
    assert_array_equal(later[0]["split"], first[0]["split"])
    assert later[1] == first[1] and later[1]["excluded"] == {"blank": 1}


def test_new_content_settings_or_libraries_are_converted_anew(source, monkeypatch):
    before = source.load()[1]["fingerprint"]
    os.utime(source.path, ns=(1, 1))
    assert source.load()[1]["fingerprint"] == before and source.made == 2
    source.path.write_text("12")
    assert source.load()[1]["fingerprint"] != before
    source.load(size=9)
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda n: "0.1" if n == "pillow" else version(n))
    source.load()
    assert source.made == 5


def test_an_interrupted_conversion_is_never_read(source):
    def interrupted(folder):
        open_pictures(folder, 2, size=4, channels=1)[:1] = 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        source.load(interrupted)
    assert source.is_whole()


def test_what_a_killed_conversion_left_behind_is_replaced(source):
    source.load()
    (entry,) = (source.folder / "cache").glob("set-*")
    entry.rename(entry.with_suffix(".part"))  # the state just before the last step
    assert source.is_whole()
    assert source.made == 2 and not entry.with_suffix(".part").exists()


def test_a_source_that_changes_while_it_is_converted_is_not_kept(source):
    whole = os.stat(source.path)

    def changed_meanwhile(folder):
        source.path.write_text("7")
        return source.convert(folder)

    with pytest.raises(RuntimeError, match=r"files of set changed while they were used, .*source.txt for on"):
        source.load(changed_meanwhile)
    assert not list((source.folder / "cache").glob("set-*"))
    source.path.write_text("3")
    os.utime(source.path, ns=(whole.st_atime_ns, whole.st_mtime_ns))  # as if it had never been another
    assert source.is_whole()


@pytest.mark.parametrize("change", ["a new file", "a file less", "another target"])
def test_a_folder_that_changes_while_it_is_converted_is_not_kept(tmp_path, change):
    folder = tmp_path / "data" / "pictures"
    folder.mkdir(parents=True)
    for name in ("1", "2"):
        (folder / name).write_text(name)
        os.utime(folder / name, (1, 1))
    (folder / "current").symlink_to("1")

    def convert(_):
        if change == "a new file":
            (folder / "3").write_text("3")
        elif change == "a file less":
            (folder / "2").unlink()
        else:  # of the same size and time
            (folder / "current").unlink()
            (folder / "current").symlink_to("2")
        return {"x": np.zeros(2)}, {}

    sources = {"root": tmp_path, "sources": [folder], "settings": {}}
    with pytest.raises(RuntimeError, match="the files of set changed while they were used"):
        converted(tmp_path / "cache", name="set", convert=convert, **sources)


@pytest.fixture
def root(tmp_path):
    """A data folder with tables and pictures, and a file and a folder outside it."""
    for name in ("data/table.csv", "data/pictures/a/1.png", "outside/2.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / "data"


def read_all(root, *names):
    """The files that a conversion of these sources finds, as often as it had to look."""
    calls = []

    def convert(_):
        calls.append(sorted(str(path) for name in names for path in (root / name).glob("**/*.png")))
        return {"x": np.zeros(2)}, {}

    sources = [root / name for name in names]
    converted(root.parent / "cache", name="set", sources=sources, settings={}, convert=convert, root=root)
    return calls


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("table.csv", "outside/nowhere"),
        ("pictures/b", "outside"),
        ("pictures/b", ""),  # the folder above, with all beside the data
        ("pictures/a/2.png", "outside/2.png"),
    ],
)
@pytest.mark.parametrize("relative", [True, False])
def test_a_source_that_leads_out_of_the_folder_is_refused(root, link, target, relative):
    path, target = root / link, root.parent / target
    path.unlink(missing_ok=True)
    path.symlink_to(os.path.relpath(target, path.parent) if relative else target)
    message = f"{path} leaves the data folder by a link to {target}. Copy there .* name that one as DATA"
    with pytest.raises(ValueError, match=message):
        read_all(root, "table.csv", "pictures")


def test_the_folder_itself_and_links_within_it_may_be_links(root):
    root.rename(root.parent / "on another disk")
    root.symlink_to(root.parent / "on another disk")
    (root / "pictures" / "b").symlink_to("a")
    (root / "pictures" / "a" / "2.png").symlink_to("1.png")
    assert read_all(root, "table.csv", "pictures")


def test_a_link_that_leads_elsewhere_is_another_source(root):
    (root / "other").mkdir()
    (root / "other" / "1.png").write_text("another content here!")  # of the same size
    for folder in (root / "other", root / "pictures" / "a"):
        os.utime(folder / "1.png", (1, 1))
    (root / "current").symlink_to("pictures/a")
    assert len(read_all(root, "current")) == 1 and not read_all(root, "current")
    (root / "current").unlink()
    (root / "current").symlink_to("other")
    assert len(read_all(root, "current")) == 1


def test_links_back_to_where_they_lie_end(root):
    (root / "pictures" / "here").symlink_to(".")
    (root / "pictures" / "up").symlink_to("..")
    (root / "pictures" / "a" / "self").symlink_to("self")
    assert read_all(root, "table.csv", "pictures")
    before = state(root, without=root / "cache")
    (root / "pictures" / "a" / "1.png").write_text("other")
    assert state(root, without=root / "cache") != before


def test_fingerprints_tell_values_shapes_types_and_names_apart():
    x = np.arange(6, dtype=np.int16)
    others = [x + 1, x.reshape(2, 3), x.astype(np.int32)]
    prints = {fingerprint({"x": array}) for array in (x, *others)} | {fingerprint({"y": x})}
    assert len(prints) == 5
    assert fingerprint({"x": x, "y": x}) == fingerprint({"y": x.copy(), "x": x.copy()})


@pytest.mark.parametrize(
    "name", ["../x.png", "a/../../x.png", "/outside/x.png", "", ".", "..", "a\\..\\..\\x", "out/x.png"]
)
def test_a_name_that_leaves_the_folder_is_refused(tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "out").symlink_to(tmp_path)
    with pytest.raises(ValueError, match=r"list.csv, row 7: the file name .* leaves the data folder"):
        resolve_inside(tmp_path / "data", name, where="list.csv, row 7")


@pytest.mark.parametrize("name", ["x\0.png", "x\0/1.png", "x" * 300, "a/" * 3000 + "x", "\ud800.png"])
def test_a_name_that_no_file_can_have_is_refused(root, name):
    with pytest.raises(ValueError, match=r"list.csv, row 7: no file can have the name .* Correct it."):
        resolve_inside(root, name, where="list.csv, row 7")


def pictures(folder, pixels, **more):
    """What becomes of these pictures, 8 pixels wide."""
    paths = [folder / f"{k}.png" for k in range(len(pixels))]
    for path, image in zip(paths, pixels, strict=True):
        Image.fromarray(image).save(path)
    faces = Faces(paths=paths, where=[""] * len(paths), arrays={}, **more)
    return convert_faces(folder, faces, size=8, channels=3 if pixels.ndim == 4 else 1)[0]


def test_pictures_keep_their_pixels_and_order(tmp_path, rng):
    pixels = rng.integers(0, 256, (150, 8, 8, 3), dtype=np.uint8)
    assert_array_equal(pictures(tmp_path, pixels)["images"], pixels)


def test_a_box_cuts_and_may_reach_over_the_edge(tmp_path):
    pixels = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16), (2, 1, 1))
    boxes = [(2.0, 4.0, 10.0, 12.0), (12.0, 0.0, 20.0, 8.0)]
    found = pictures(tmp_path, pixels, boxes=boxes)
    assert_array_equal(found["images"][0], pixels[0, 4:12, 2:10])
    assert_array_equal(found["images"][1], np.pad(pixels[1, :8, 12:], ((0, 0), (0, 4))))


@pytest.mark.parametrize("layout", ["manifest", "morphset", "afewva"])
def test_all_broken_pictures_are_listed_and_the_others_are_read_once(layout, written, tmp_path, monkeypatch):
    folder = tmp_path / layout
    shutil.copytree(written / layout, folder)
    pictures = sorted(folder.rglob("*.png"))
    whole = {path: path.read_bytes() for path in pictures[2:12:3]}
    expected = LAYOUTS[layout].load(folder, tmp_path / "other")
    for path in whole:
        path.write_bytes(b"\x89PNG" + bytes(20))
    with pytest.raises(ValueError, match="^4 files cannot be used:") as error:
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    assert all(f"the picture {path.name} cannot be read" in str(error.value) for path in whole)
    opened = []
    real = Image.open
    monkeypatch.setattr(Image, "open", lambda file: (opened.append(Path(file.name)), real(file))[1])
    for path, content in [*whole.items()][:3]:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^(?!4).*the picture {pictures[11].name} cannot be read"):
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    pictures[11].write_bytes(whole[pictures[11]])
    read = LAYOUTS[layout].load(folder, tmp_path / "cache")
    assert sorted(opened) == sorted([*[*whole][:3], pictures[11], pictures[11]])
    assert read.fingerprint == expected.fingerprint
    assert not list((tmp_path / "cache").glob("*.kept"))


def test_of_very_many_missing_files_the_first_are_listed(written, tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "LISTED", 3)
    folder = tmp_path / "affectnet-folders"
    shutil.copytree(written / folder.name, folder)
    gone = sorted(folder.glob("train_set/annotations/*_aro.npy"))[1:6]
    for path in gone:
        path.unlink()
    with pytest.raises(FileNotFoundError) as error:
        LAYOUTS[folder.name].load(folder, tmp_path / "cache")
    said = str(error.value).splitlines()
    assert said[0] == "5 files cannot be used:" and said[-1] == "and 2 more"
    assert all(path.name in line for path, line in zip(gone, said[1:-1], strict=False)) and len(said) == 5
