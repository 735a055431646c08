"""A data set of one's own: pictures listed in a CSV, so that no code is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from paperlib.data.cache import (
    Conversion,
    Faces,
    all_or_none,
    convert_faces,
    converted,
    data_root,
    resolve_each,
    resolve_inside,
    tried,
)
from paperlib.data.pictures import list_pictures
from paperlib.data.records import FaceSet, as_first_spelt, refuse_two_splits
from paperlib.data.suspect import differing, first_copies
from paperlib.data.tables import (
    BOTH,
    Table,
    raters_of,
    read_header,
    read_numbers,
    read_table,
    refuse_constant_raters,
)
from paperlib.labels import AFFECT, EXPRESSIONS

NAME = "manifest.csv"
SPLITS = ("train", "validation", "test")
_MEND = "Correct the cell, or take the row out."


def load_manifest(path: Path | str, *, size: int = 224, channels: int = 3, cache: Path | str) -> FaceSet:
    """Pictures listed in a CSV, or in manifest.csv of a folder or of its folder manifest, scaled to `size`
    pixels and 1 or 3 `channels`.

    data/README.md has the columns, of which path and split are needed, and a label; others are not read, but one that
    speaks of valence or arousal is refused. Valence and arousal are the raters' mean without columns of their own. A
    picture is turned upright by its orientation tag, and its landmarks are those of the turned one. Pictures that lie
    beside those named, and that no row names, are counted in `excluded`.

    Raises:
        FileNotFoundError: the CSV, a picture or a landmark file is missing.
        ValueError: a value, a name or a picture that cannot be, or the same picture with two labels or in two splits:
            the message names file, row and mend.
    """
    path = data_root("manifest", path) / NAME if Path(path).is_dir() else Path(path)
    listed = _read(path)
    arrays, notes = converted(
        cache,
        name="manifest",
        sources=[path, *listed.pictures, *filter(None, listed.landmarks)],
        settings={"size": size, "channels": channels},
        convert=lambda folder: _convert(folder, _read(path), size, channels),
        root=path.parent,
    )
    folders = {picture.parent for picture in listed.pictures}
    beside = {picture for folder in folders for picture in list_pictures(folder)[0]}
    unnamed = len(beside - set(listed.pictures))  # counted anew, since files without a row are no source
    notes["excluded"] = {"picture that no row names": unnamed} if unnamed else {}
    return FaceSet(name=path.parent.resolve().name, **arrays, **notes)


class _Listed(NamedTuple):
    """What the CSV lists, before any other file is opened."""

    table: Table
    raters: list[str]
    pictures: list[Path]
    landmarks: list[Path | None]  # empty without the column


def _read(path: Path) -> _Listed:
    resolve_inside(path.parent, path.name, where=path.name)
    header = read_header(path)
    raters = raters_of(header, path.name, prefix="rater_")
    given = [*AFFECT] if set(AFFECT) & set(header) else []
    pairs = [f"rater_{name}_{dimension}" for name in raters for dimension in AFFECT]
    if missing := [column for column in (*given, *pairs) if column not in header]:
        raise ValueError(f"{path.name}, row 1 (the header): no column {missing[0]}. {BOTH}")
    if not (given or raters or "expression" in header):
        mend = "Add valence and arousal, raters, or expression."
        raise ValueError(f"{path.name}, row 1 (the header): no label. {mend}")
    columns = ["path", "split", *given, *pairs]
    table = read_table(path, columns, optional=["subject", "expression", "landmarks"])
    table.refuse((table.text("path") == "").to_numpy(bool), "path is empty", _MEND)
    pictures = [file for file in _inside(path.parent, table, "path") if file is not None]
    landmarks = _inside(path.parent, table, "landmarks") if "landmarks" in table.frame else []
    return _Listed(table, raters, pictures, landmarks)


def _inside(root: Path, table: Table, column: str) -> list[Path | None]:
    """The files of a column, None where a cell is empty."""
    cells = table.text(column)
    named = cells[cells != ""].to_dict()
    files = resolve_each(root, named.values(), where=map(table.where, named))
    of_row = dict(zip(named, files, strict=True))
    return [of_row.get(row) for row in range(len(table))]


def _convert(folder: Path, listed: _Listed, size: int, channels: int) -> Conversion:
    table = listed.table
    places = [table.where(row) for row in range(len(table))]
    points = all_or_none(map(tried, repeat(_points), listed.landmarks, places))
    faces = Faces(
        paths=listed.pictures,
        where=places,
        arrays=_labels(table, listed.raters),
        landmarks=np.stack(points) if points else None,
    )
    arrays, notes = convert_faces(folder, faces, size=size, channels=channels)
    _refuse_copies(table, arrays)
    return arrays, notes


def _labels(table: Table, raters: Sequence[str]) -> dict[str, Any]:
    arrays: dict[str, Any] = {"split": table.choices("split", {name: name for name in SPLITS})}
    if "subject" in table.frame:
        subject = as_first_spelt(table.text("subject"))
        empty = np.array(subject) == ""
        table.refuse(empty, "subject is empty ({subject})", "Name it, or leave the whole column out.")
        arrays["subject"] = np.array(subject)
        items = table.frame["path"].tolist()
        refuse_two_splits(table.name, "subject", names=subject, split=arrays["split"], items=items)
    if "expression" in table.frame:
        numbers = {name: number for number, name in enumerate(EXPRESSIONS)} | {"": -1}
        arrays["expression"] = table.choices("expression", numbers).astype(np.int8)
    if raters:
        ratings = np.stack([_affect(table, f"rater_{name}_") for name in raters], axis=1)
        for k, name in enumerate(raters):
            own = {f"rater_{name}_{d}": ratings[:, k, j] for j, d in enumerate(AFFECT)}
            refuse_constant_raters(table.name, own)
        arrays["ratings"] = ratings.astype(np.float32)
    if "valence" in table.frame:
        affect = _affect(table, "")
    elif raters:
        rated = np.isfinite(ratings).sum(axis=1)
        affect = np.where(rated > 0, np.nansum(ratings, axis=1) / np.maximum(rated, 1), np.nan)
    else:
        affect = np.full((len(table), 2), np.nan)
    return arrays | {"affect": affect.astype(np.float32)}


def _refuse_copies(table: Table, arrays: Mapping[str, NDArray]) -> None:
    """ValueError for two files that hold the same picture under other labels, or in other splits."""
    labels = [arrays[name] for name in ("split", "expression", "affect") if name in arrays]
    first = first_copies(arrays["images"])
    for row in np.flatnonzero(differing(labels, np.arange(len(first)), first)).tolist():
        raise ValueError(
            f"{table.where(row)}: it is the same picture as in {table.where(first[row])}, with another label or in "
            "another split. Take one of the two rows out."
        )


def _affect(table: Table, prefix: str) -> NDArray[np.float64]:
    """(n, 2) of the columns <prefix>valence and <prefix>arousal, NaN where both are empty."""
    both = table.matrix([f"{prefix}{d}" for d in AFFECT], low=-1, high=1, blank=True, mend=_MEND)
    alone = np.isnan(both).sum(axis=1) == 1
    table.refuse(alone, f"{prefix}valence without {prefix}arousal, or the other way", BOTH)
    return both


def _points(path: Path | None, where: str) -> NDArray[np.float64]:
    if path is None:
        return np.full((68, 2), np.nan)
    if not path.is_file():
        raise FileNotFoundError(f"{where}: there is no {path.name}. Restore it, or empty the cell.")
    try:
        points = read_numbers(path)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"{where}: {path.name} has shape {points.shape}, or NaN. Save (68, 2) finite ones.")
    return points
