"""Data that cannot be written to, and data that change while they are used."""

import os
import time
from dataclasses import replace

import numpy as np
import pytest
from disks import mounted, remount
from layouts import write_recordings
from trees import Tree, differences
from wellformed import LAYOUTS

from paperlib import twin_recordings
from paperlib.data.cache import fingerprint


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Writes recordings that han2017 learns from, in one of two versions that differ in their ratings alone."""
    record = twin_recordings.make_recordings(4, seconds=15)
    audio = twin_recordings.make_features(record, "audio", cache=tmp_path_factory.mktemp("cache"))[:, :8]
    second = np.flip(record.ratings, axis=1) * np.float32(0.9)

    def write(folder, version):
        ratings = second if version == 2 else record.ratings
        write_recordings(replace(record, audio=audio, video=None, truth=None, ratings=ratings), folder)

    return write


@pytest.fixture(scope="module")
def expected(recordings, tmp_path_factory):
    """What each version gives when nothing changes meanwhile; the data's folder cannot be written to."""
    made = {}
    for version in (1, 2):
        top = tmp_path_factory.mktemp(f"version {version}")
        tree = Tree(top / "tree")
        with mounted(top / "mine", "50m"):
            recordings(top / "mine", version)
            remount(top / "mine", "ro")
            assert tree.reproduce("--track", "recordings", "--data", str(top / "mine")) == 0, tree.said
        made[version] = tree.made()
    assert differences(made[1], made[2])
    return made


def test_every_layout_is_read_from_a_disk_that_cannot_be_written_to(loaded, tmp_path, survived):
    disk = tmp_path / "data"
    with mounted(disk, "100m"):
        for name, layout in LAYOUTS.items():
            layout.write(disk / name)
        remount(disk, "ro")
        with pytest.raises(OSError, match="Read-only"):
            (disk / "x").touch()
        for name, layout in LAYOUTS.items():
            record = layout.load(disk / name, tmp_path / "cache")
            assert (record.fingerprint, record.excluded) == loaded[name]
            survived("layouts read from a disk that cannot be written to")


@pytest.mark.parametrize("moment", ["to train", "executing"])
def test_no_page_mixes_two_versions_of_the_data(recordings, expected, tmp_path, moment, survived):
    data, tree = tmp_path / "mine", Tree(tmp_path / "tree")
    recordings(data, 1)
    arguments = ("--track", "recordings", "--data", str(data))
    process = tree.start(*arguments)
    while moment not in tree.said:
        assert process.poll() is None, tree.said
        time.sleep(0.01)
    recordings(data, 2)
    if process.wait(timeout=1800):
        assert "changed while they were used" in tree.said.strip().splitlines()[-1], tree.said
    else:
        assert tree.made() in expected.values()
    tree.wait_until_alone()
    for version in (2, 1):  # and no run of one version was kept as one of the other
        recordings(data, version)
        assert tree.reproduce(*arguments) == 0, tree.said
        assert not differences(tree.made(), expected[version])
    survived("changes of the data while they were used")


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_file_that_changes_while_it_is_converted_is_noticed(name, loaded, tmp_path, monkeypatch, survived):
    folder, cache = tmp_path / "data", tmp_path / "cache"
    LAYOUTS[name].write(folder)
    files = {path.parent: path for path in folder.rglob("*") if path.is_file()}.values()
    for path in files:
        before = os.stat(path)

        def late(arrays, path=path, before=before):  # the last step before the result is kept
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
            return fingerprint(arrays)

        with (
            monkeypatch.context() as patch,
            pytest.raises(RuntimeError, match="changed while they were used"),
        ):
            patch.setattr("paperlib.data.cache.fingerprint", late)
            LAYOUTS[name].load(folder, cache)
        assert not list(cache.glob("*-*"))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        survived("changes of the data while they were converted")
    record = LAYOUTS[name].load(folder, cache)
    assert (record.fingerprint, record.excluded) == loaded[name]


def test_loading_leaves_the_data_as_they_are(written, tmp_path):
    def state():
        return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in written.rglob("*")}

    before = state()
    for name, layout in LAYOUTS.items():
        layout.load(written / name, tmp_path / "cache")
    assert state() == before
