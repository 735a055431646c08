"""A file that cannot be written whole is not written at all, and nothing remains of it."""

import pytest

from paperlib.files import whole, write_text


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path):
    path = tmp_path / "deep" / "table.csv"
    write_text(path, "naïve")
    assert path.read_text(encoding="utf-8") == "naïve"
    with pytest.raises(OSError, match="No space left"), whole(path) as partial:
        partial.write_text("half")
        assert partial.suffix == ".csv" and path.read_text(encoding="utf-8") == "naïve"
        raise OSError("No space left on device")
    assert path.read_text(encoding="utf-8") == "naïve"
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]
