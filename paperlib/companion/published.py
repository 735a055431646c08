"""What the papers printed, as data: every table cell, the numbers in text and captions, and the claims.

The strings are kept as printed, because "0.5540" says more than "0.554": each stands for an interval of half
a unit of its last place to either side. Numbers that a paper spells out are in digits.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

ROOT = Path(__file__).resolve().parents[2] / "data" / "published"

TABLE_COLUMNS = ("row", "column", "dimension", "quantity", "printed", "bold")
TEXT_COLUMNS = ("id", "where", "dimension", "quantity", "printed", "about")
CLAIM_COLUMNS = ("id", "artefact", "kind", "claim", "where", "direction", "metric")
CHECK_COLUMNS = ("id", "artefact", "claims", "check", "note")
CLAIM_KINDS = ("audit", "reproduction", "both")  # settled by the paper's own numbers, by a run, or by either

# Quantities that are counted or chosen, not measured: printed exactly, not rounded.
EXACT = frozenset({"n", "df", "count", "percent", "s", "fps", "scale", "hyperparameter"})

_NUMBER = re.compile(
    r"(?P<sign>[-+]?)(?P<digits>\d+(?:\.(?P<decimals>\d+))?)(?:e\^?\{?(?P<exponent>[-+]?\d+)\}?)?"
)


class Printed(NamedTuple):
    """A printed number, which stands for the interval [value - half_unit, value + half_unit]."""

    value: float
    half_unit: float


def parse(printed: str, *, exact: bool = False) -> Printed:
    """The value and half a unit of the last printed place; 0 when `exact`.

    A power of ten is read as a calculator writes it: "3e-3", or "3e^{-3}" as a paper sets it, is 0.003.

    >>> parse("0.5540")
    Printed(value=0.554, half_unit=5e-05)
    """
    match = _NUMBER.fullmatch(printed.replace(",", ""))
    if match is None:
        raise ValueError(
            f"not a printed number: {printed!r}; write it as in the paper, such as 0.5540 or 3e-3"
        )
    exponent = int(match["exponent"] or 0)
    value = float(f"{match['sign']}{match['digits']}e{exponent}")
    half_unit = 0.0 if exact else float(f"5e{exponent - len(match['decimals'] or '') - 1}")
    return Printed(value, half_unit)


def table_numbers(key: str) -> list[int]:
    """The numbers of a paper's tables that are on file, in order."""
    return sorted(int(path.stem.removeprefix("table")) for path in _folder(key).glob("table[0-9]*.csv"))


def read_table(key: str, number: int) -> pd.DataFrame:
    """Table `number` of paper `key`, one printed number per line.

    Columns: the keys that pages lay a table out by; row and column (the printed headings), dimension (valence,
    arousal or ""), quantity, printed, bold (missing where the source does not show it), value, half_unit, and cell,
    its name ("table1: row | column | quantity"). A paper's dashes, empty on file, are left out.
    """
    path = _folder(key) / f"table{number}.csv"
    frame = _read(path, TABLE_COLUMNS)
    frame = _with_numbers(frame[frame["printed"] != ""], path)
    _refuse(path, ~frame["bold"].isin(["true", "false", ""]), "bold must be true, false or left empty")
    frame["bold"] = frame["bold"].map({"true": True, "false": False, "": pd.NA}).astype("boolean")
    frame["cell"] = f"table{number}: " + frame["row"] + " | " + frame["column"] + " | " + frame["quantity"]
    _refuse_repeated(path, frame["cell"])
    return frame.reset_index(drop=True)


def read_text(key: str) -> pd.DataFrame:
    """The numbers in a paper's text and captions, indexed by id.

    Columns: where (section or figure), dimension, quantity, printed, about, value and half_unit.
    """
    path = _folder(key) / "text.csv"
    return _with_numbers(_read(path, TEXT_COLUMNS), path).set_index("id")


def read_claims(key: str) -> pd.DataFrame:
    """The claims of a paper in our words, indexed by id.

    Columns: artefact (such as foteinopoulou2021/table4), kind (one of CLAIM_KINDS), claim, where, direction
    (what would be seen if it held), metric.
    """
    path = _folder(key) / "claims.csv"
    frame = _read(path, CLAIM_COLUMNS)
    _refuse(path, ~frame["kind"].isin(CLAIM_KINDS), f"kind must be one of {', '.join(CLAIM_KINDS)}")
    elsewhere = ~frame["artefact"].str.startswith(f"{key}/")
    _refuse(path, elsewhere, f"artefact must be {key}/<table, figure, equation or test>")
    return frame.set_index("id")


def read_checks(key: str) -> pd.DataFrame:
    """What the audit of a paper says about each of its checks, indexed by id.

    Columns: artefact, claims (a tuple of ids), check (what is compared) and note (what the outcome means for
    a reader). The last two and artefact may hold {names} that the check fills in.
    """
    path = _folder(key) / "checks.csv"
    frame = _read(path, CHECK_COLUMNS)
    frame["claims"] = [tuple(filter(None, claims.split("; "))) for claims in frame["claims"]]
    known = set(read_claims(key).index)
    unknown = pd.Series([not known.issuperset(claims) for claims in frame["claims"]])
    _refuse(path, unknown, "claims must be ids of claims.csv, joined by '; '")
    return frame.set_index("id")


def _folder(key: str) -> Path:
    known = sorted(path.name for path in ROOT.iterdir() if path.is_dir())
    if key not in known:
        raise ValueError(f"paper must be one of {', '.join(known)}; got {key!r}")
    return ROOT / key


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    if not path.is_file():
        on_file = ", ".join(sorted(other.name for other in path.parent.glob("*.csv")))
        raise FileNotFoundError(f"{path} is not there; on file for this paper: {on_file}")
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    if not set(columns) <= set(frame.columns):
        raise ValueError(f"{path}: columns must be {', '.join(columns)}; got {', '.join(frame.columns)}")
    if "id" in columns:
        _refuse_repeated(path, frame["id"])
    return frame


def _with_numbers(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    numbers = []
    for index, printed, quantity in zip(frame.index, frame["printed"], frame["quantity"], strict=True):
        try:
            numbers.append(parse(printed, exact=quantity in EXACT))
        except ValueError as error:
            raise ValueError(f"{path}, line {index + 2}: {error}") from None
    return frame.assign(value=[n.value for n in numbers], half_unit=[n.half_unit for n in numbers])


def _refuse_repeated(path: Path, names: pd.Series) -> None:
    repeated = names.duplicated()
    _refuse(path, repeated, f"{next(iter(names[repeated]), '')!r} is there twice")


def _refuse(path: Path, bad: pd.Series, why: str) -> None:
    """ValueError with the line in the file, counted from 1 and with the header, of the first row that is bad."""
    if bad.any():
        raise ValueError(f"{path}, line {int(bad.idxmax()) + 2}: {why}")
