"""The printed numbers: how a string is read, and that the strings are the papers'."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperlib.companion import published
from paperlib.companion.published import Printed, parse, read_checks, read_claims, read_table, read_text

KEY = "foteinopoulou2021"


@pytest.mark.parametrize(
    ("printed", "value", "half_unit"),
    [
        ("0.5540", 0.554, 0.00005),
        ("-1.96", -1.96, 0.005),
        ("1", 1.0, 0.5),
        ("3e^{-3}", 0.003, 0.0005),
        ("1.5e2", 150.0, 5.0),
        ("440,000", 440_000.0, 0.5),
    ],
)
def test_a_string_stands_for_half_a_unit_of_its_last_place(printed, value, half_unit):
    assert parse(printed) == Printed(value, half_unit)


def test_counts_are_not_rounded():
    assert parse("3858", exact=True) == Printed(3858.0, 0.0)


@given(st.integers(0, 6), st.floats(-1000, 1000))
def test_everything_that_rounds_to_a_string_lies_in_its_interval(places, number):
    read = parse(f"{number:.{places}f}")
    assert abs(read.value - number) <= read.half_unit * (1 + 1e-9) + 1e-12


@pytest.mark.parametrize("printed", ["", "n/a", "0.5 ", "3e", "1.", "0.1(0.2)"])
def test_what_is_not_a_number_is_refused(printed):
    with pytest.raises(ValueError, match="not a printed number"):
        parse(printed)


def test_text_keeps_counts_exact_and_rounds_the_rest():
    text = read_text(KEY)
    assert tuple(text.loc["df", ["value", "half_unit"]]) == (139, 0)
    assert tuple(text.loc["p-valence", ["value", "half_unit"]]) == (0.025, 0.0005)


# Bad files: one clear message with file, line and mend


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "ROOT", tmp_path)
    (tmp_path / "a2020").mkdir()
    return tmp_path / "a2020"


def write(path, columns, *rows):
    pd.DataFrame(rows, columns=columns).to_csv(path, index=False)


def test_an_unknown_paper_or_table_is_named():
    with pytest.raises(ValueError, match="foteinopoulou2021.*'nobody1999'"):
        read_text("nobody1999")
    with pytest.raises(FileNotFoundError, match=r"table9.csv is not there.*table1.csv"):
        read_table(KEY, 9)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("r", "c", "valence", "pcc", "high", ""), "line 3: not a printed number"),
        (("r", "c", "valence", "pcc", "0.1", "yes"), "line 3: bold must be"),
        (("a", "b", "valence", "pcc", "0.1", ""), r"line 3: 'table1: a \| b \| pcc' is there twice"),
    ],
)
def test_a_bad_line_is_named(folder, row, message):
    write(folder / "table1.csv", published.TABLE_COLUMNS, ("a", "b", "valence", "pcc", "0.5", "true"), row)
    with pytest.raises(ValueError, match=message):
        read_table("a2020", 1)


def test_wrong_columns_are_named(folder):
    write(folder / "text.csv", ("id", "value"), ("t", "1"))
    with pytest.raises(ValueError, match="columns must be id, where"):
        read_text("a2020")


@pytest.mark.parametrize(
    ("artefact", "kind", "message"),
    [("a2020/table1", "guess", "kind must be one of"), ("b2020/table1", "audit", "artefact must be a2020/")],
)
def test_a_bad_claim_is_named(folder, artefact, kind, message):
    write(folder / "claims.csv", published.CLAIM_COLUMNS, ("c", artefact, kind, "x", "x", "x", "x"))
    with pytest.raises(ValueError, match=f"line 2: {message}"):
        read_claims("a2020")


def test_a_check_of_an_unknown_claim_is_named(folder):
    claim = ("known", "a2020/table1", "audit", "x", "x", "x", "x")
    write(folder / "claims.csv", published.CLAIM_COLUMNS, claim)
    write(folder / "checks.csv", published.CHECK_COLUMNS, ("k", "a2020/table1", "known; unheard", "x", "x"))
    with pytest.raises(ValueError, match="line 2: claims must be ids"):
        read_checks("a2020")
