"""Files that are not as they should be, in every layout: refused by file and place, never by an accident inside."""

import re
import shutil
from pathlib import Path

import pytest
from damage import harmless, malformed
from wellformed import LAYOUTS

PLACE = re.compile(
    r"(row|line|lines|frame|column|key|frames?) [\w'\"-]|\d+ lines|lines \d|no row for \w|header and no rows"
    r"|no \"\w+\"|frames a second"
)


def spoiled(damage, written, tmp_path):
    """A copy of the damage's layout after the damage."""
    folder = tmp_path / damage.layout.partition("-")[0]
    shutil.copytree(written / damage.layout, folder)
    damage.do(folder)
    return folder


@pytest.mark.parametrize("damage", malformed(), ids=str)
def test_a_malformed_file_is_refused_by_file_and_place(damage, written, tmp_path, survived):
    folder = spoiled(damage, written, tmp_path)
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        LAYOUTS[damage.layout].load(folder, tmp_path / "cache")
    # not a kin such as UnicodeDecodeError, which tells of the code and not of the file
    assert type(caught.value) in (ValueError, FileNotFoundError)
    path, message = Path(damage.file), str(caught.value)
    # a fault that only shows beside another file may be told by that one, with the video, clip or class
    assert re.search(
        rf"\b({re.escape(path.name)}|{re.escape(path.stem)}|{re.escape(path.parent.name)})\b", message
    )
    assert damage.wholly or PLACE.search(message), message
    assert not list((tmp_path / "cache").glob("*-*"))  # nothing that a later load takes for whole
    survived("malformed inputs refused by file and place")


@pytest.mark.parametrize("damage", harmless(), ids=str)
def test_what_changes_nothing_is_read_as_before(damage, written, loaded, tmp_path, survived):
    record = LAYOUTS[damage.layout].load(spoiled(damage, written, tmp_path), tmp_path / "cache")
    assert (record.fingerprint, record.excluded) == loaded[damage.layout]
    survived("harmless oddities read as if they were not there")


def test_every_layout_has_its_damages():
    each = [damage.layout for damage in malformed()]
    assert len(each) >= 200 and len(set(map(str, malformed()))) == len(each)
    assert all(each.count(layout) >= 20 for layout in LAYOUTS)
