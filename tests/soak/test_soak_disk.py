"""A full disk ends a reproduction with one line, and no later one takes what was half written for whole."""

import pytest
from disks import mounted, remount
from trees import Tree, differences


@pytest.mark.parametrize(
    ("full", "size"),
    [("cache", "400k"), ("cache", "620k"), ("figures", "32k")],
    ids=["while data are converted", "while runs are kept", "while figures are drawn"],
)
def test_a_full_disk_is_told_and_left_behind(full, size, undisturbed, tmp_path, survived):
    disk = tmp_path / "disk"
    tree = Tree(tmp_path / "tree", **{full: disk})
    with mounted(disk, size):
        assert tree.reproduce() != 0, tree.said
        last = tree.said.strip().splitlines()[-1]
        assert last.startswith("reproduce: ") and "No space left on device" in last, tree.said
        assert not list((tree.folder / "notebooks" / "executed").rglob("*.ipynb"))
        remount(disk, "size=100m")
        assert tree.reproduce() == 0, tree.said
        assert not differences(tree.made(), undisturbed)
    survived("full disks")
