"""What the README quotes is what the last run wrote."""

from pathlib import Path

import pandas as pd
import pytest

from paperlib import bench
from paperlib.readme import README, markdown_table, put_between

MARKS = ("<!-- a -->", "<!-- b -->")


def test_a_table_is_put_between_its_marks_and_only_there(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- a -->\nolder\n<!-- b -->\nafter\n")
    put_between(MARKS, markdown_table(["x", ""], [["1", "2"]]), readme)
    assert readme.read_text() == (
        "before\n<!-- a -->\n\n| x |  |\n| --- | --- |\n| 1 | 2 |\n\n<!-- b -->\nafter\n"
    )


@pytest.mark.parametrize("text", ["none", "<!-- b --> <!-- a -->", "<!-- a -->"])
def test_without_both_marks_in_order_nothing_is_written(tmp_path, text):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(ValueError, match=r"README.md lacks the marks <!-- a --> and <!-- b -->"):
        put_between(MARKS, "table", readme)
    assert readme.read_text() == text


def test_a_readme_that_cannot_be_written_whole_stays_as_it_is(tmp_path, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text("<!-- a --> <!-- b -->")

    def fill(path, *_, **__):
        open(path, "w").close()
        raise OSError("No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Path, "write_text", fill)
        put_between(MARKS, "table", readme)
    assert readme.read_text() == "<!-- a --> <!-- b -->"
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"]


def test_the_readme_has_the_speeds_of_the_table(tmp_path):
    copy = tmp_path / "README.md"
    copy.write_text(README.read_text())
    put_between(bench.MARKS, bench.quoted(pd.read_csv(bench.TABLE)), copy)
    assert copy.read_text() == README.read_text(), "make bench"
