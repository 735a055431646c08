"""AffectNet in both packagings that its authors have given out.

A. Mollahosseini, B. Hasani and M. H. Mahoor, AffectNet: a database for facial expression, valence, and
arousal computing in the wild, IEEE Transactions on Affective Computing 10 (2019).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from paperlib.data.cache import (
    Faces,
    all_or_none,
    converted_faces,
    data_root,
    first_of,
    refuse_twice,
    resolve_each,
    tried,
)
from paperlib.data.pictures import PICTURES as ENDINGS
from paperlib.data.pictures import list_pictures
from paperlib.data.records import FaceSet
from paperlib.data.tables import Table, read_numbers, read_table
from paperlib.labels import EXPRESSIONS

CATEGORIES = (*EXPRESSIONS, "none", "uncertain", "no face")  # AffectNet's numbers 0 to 10
NO_VALUE = -2  # stands where a picture has no valence or arousal
# where the CSVs and the pictures lie: as the archives are unpacked, beside each other or in their own folders
LISTS = ("", "Manually_Annotated_file_lists/")
PICTURES = tuple(
    f"{folder}Manually_Annotated_Images"
    for folder in ("", "Manually_Annotated/", "Manually_Annotated_compressed/")
)
# The withheld test set was never given out: every paper tests on what the release calls validation.
CSV_SPLITS = {"train": "training.csv", "test": "validation.csv"}
FOLDER_SPLITS = {"train": "train_set", "test": "val_set"}

_CORNER, _SIDES = ("face_x", "face_y"), ("face_width", "face_height")
_COLUMNS = (
    "subDirectory_filePath",
    *_CORNER,
    *_SIDES,
    "facial_landmarks",
    "expression",
    "valence",
    "arousal",
)
_MEND = "Restore the value from the release, or take the row out."


def load_affectnet(root: Path | str, *, size: int = 224, channels: int = 3, cache: Path | str) -> FaceSet:
    """AffectNet's eight categories with valence and arousal, as pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder affectnet, holds either of the packagings that data/README.md shows; pictures of the one with
    CSVs are cut to the face box. Their validation set is the split "test" here, since it is what papers test on; no
    picture is "validation". The categories none, uncertain and no face, pictures without valence or arousal, pictures
    without annotation (and the reverse), and files of other endings are counted in `excluded`.

    Raises:
        FileNotFoundError: neither packaging is there, or one of its files is missing.
        ValueError: a value, a name or a picture that cannot be: the message names file, row and mend.
    """
    root = data_root("affectnet", root)
    packaging = first_of(root, [*(f"{folder}training.csv" for folder in LISTS), "train_set"])
    if not (root / packaging).exists():
        raise FileNotFoundError(f"{root} holds neither training.csv nor train_set/, see data/README.md.")
    folders = packaging == "train_set"
    sources = [*FOLDER_SPLITS.values()] if folders else [*_lists(root), first_of(root, PICTURES)]
    return converted_faces("AffectNet", _list_faces, root, sources, cache=cache, size=size, channels=channels)


def _list_faces(root: Path) -> Faces:
    return _read_folders(root) if (root / "train_set").is_dir() else _read_csvs(root)


def _kept(expression: NDArray, affect: NDArray, excluded: Counter[str]) -> NDArray[np.bool_]:
    """Which rows stay; those that go are counted, a row under its first reason. (n,) and (n, 2) to (n,)."""
    keep = expression < len(EXPRESSIONS)
    valueless = keep & (affect == NO_VALUE).any(axis=1)
    for number in range(len(EXPRESSIONS), len(CATEGORIES)):
        excluded[CATEGORIES[number]] += (expression == number).sum()
    excluded["no valence or arousal (-2)"] += valueless.sum()
    return keep & ~valueless


def _lists(root: Path) -> list[str]:
    training = first_of(root, [f"{folder}training.csv" for folder in LISTS])
    return [training.replace("training.csv", name) for name in CSV_SPLITS.values()]


def _read_csvs(root: Path) -> Faces:
    parts: list[dict[str, Any]] = []
    excluded, folder, named = Counter[str](), first_of(root, PICTURES), set[str]()
    for split, name in zip(CSV_SPLITS, _lists(root), strict=True):
        table = read_table(root / name, _COLUMNS, headless=_COLUMNS)
        named |= set(table.text("subDirectory_filePath"))
        expression = table.numbers("expression", low=0, high=len(CATEGORIES) - 1, whole=True, mend=_MEND)
        affect = np.stack([_valued(table, column) for column in ("valence", "arousal")], axis=1)
        keep = _kept(expression, affect, excluded)
        # rows that are left out may lack a box ("NULL"), so only the others are checked
        faces = table.rows(keep)
        corner = faces.matrix(_CORNER, low=-1e5, high=1e5, mend=_MEND)
        sides = faces.matrix(_SIDES, low=1, high=1e5, mend=_MEND)
        places = [faces.where(row) for row in range(len(faces))]
        part = {
            "paths": resolve_each(root, faces.text("subDirectory_filePath"), where=places, folder=folder),
            "where": places,
            "boxes": [(*box,) for box in np.hstack([corner, corner + sides]).tolist()],
            "split": np.full(len(faces), split),
            "expression": expression[keep].astype(np.int8),
            "affect": affect[keep].astype(np.float32),
            "landmarks": (_landmarks(faces) - corner[:, None]).astype(np.float32),
        }
        parts.append(part)
    excluded["picture without annotation"] = _unnamed(root / folder, named)
    lists: dict[str, Any] = {n: [x for part in parts for x in part[n]] for n in ("paths", "where", "boxes")}
    arrays = {n: np.concatenate([part[n] for part in parts]) for n in parts[0] if n not in lists}
    return Faces(**lists, landmarks=arrays.pop("landmarks"), arrays=arrays, excluded=excluded)


def _unnamed(folder: Path, named: set[str]) -> int:
    """How many pictures below a folder are not `named`."""
    below = (path for path in folder.rglob("[!.]*") if path.suffix.lower() in ENDINGS)
    return sum(path.relative_to(folder).as_posix() not in named for path in below)


def _valued(table: Table, column: str) -> NDArray[np.float64]:
    values = table.numbers(column, low=NO_VALUE, high=1, mend=_MEND)
    outside = (values < -1) & (values != NO_VALUE)
    table.refuse(outside, f"{column} is {{{column}}}, outside -1 to 1 and not -2 for no value", _MEND)
    return values


def _landmarks(table: Table) -> NDArray[np.float64]:
    """The column of 68 points, x;y;x;y and so on, as (n, 68, 2)."""
    points = np.full((len(table), 68 * 2), np.nan)
    for row, text in enumerate(table.frame["facial_landmarks"]):
        numbers = text.replace("_", "?").replace(",", ".").split(";")  # Python takes 0_1 for 1
        with suppress(ValueError):  # leaves NaN, refused below
            points[row] = [float(number) for number in numbers] if len(numbers) == 68 * 2 else np.nan
    broken = ~np.isfinite(points).all(axis=1)
    table.refuse(broken, "facial_landmarks is not 68 points, x;y;x;y and so on", _MEND)
    return points.reshape(-1, 68, 2)


def _read_folders(root: Path) -> Faces:
    listed, split, excluded = [], [], Counter[str]()
    for name, folder in FOLDER_SPLITS.items():
        found, others = list_pictures(root / folder / "images")
        pictures = sorted(found, key=lambda path: (len(path.stem), path.stem))
        if not pictures:
            raise FileNotFoundError(f"{root / folder / 'images'} holds no picture. Unpack the release there.")
        refuse_twice([path.stem for path in pictures], [f"{folder}/images/{path.name}" for path in pictures])
        annotated = {path.stem[:-4] for path in (root / folder / "annotations").glob("[!.]*_exp.npy")}
        excluded["annotation without picture"] += len(annotated - {path.stem for path in pictures})
        excluded["file that is no picture by its ending"] += len(others)
        listed += pictures
        split += [name] * len(pictures)
    run = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator")
    read = run(joblib.delayed(tried)(_annotations, path) for path in listed)
    labels = np.stack(all_or_none(tqdm(read, total=len(listed), desc="reading annotations", delay=5)))
    keep = _kept(labels[:, 0], labels[:, 1:3], excluded)
    kept = [listed[row] for row in np.flatnonzero(keep)]
    arrays = {
        "split": np.array(split)[keep],
        "expression": labels[keep, 0].astype(np.int8),
        "affect": labels[keep, 1:3],
    }
    return Faces(
        paths=kept,
        where=[f"{path.parents[1].name}/images" for path in kept],
        arrays=arrays,
        landmarks=labels[keep, 3:].reshape(-1, 68, 2),
        excluded=excluded,
    )


def _is_value(x: NDArray[np.float32]) -> bool:
    return x.size == 1 and bool(-1 <= x[0] <= 1 or x[0] == NO_VALUE)


# annotation file's ending -> what it holds, and whether its numbers can be that
_ANNOTATIONS: dict[str, tuple[str, Callable[[NDArray[np.float32]], bool]]] = {
    "exp": ("one category, 0 to 10", lambda x: x.size == 1 and x[0] in range(len(CATEGORIES))),
    "val": ("one number from -1 to 1, or -2", _is_value),
    "aro": ("one number from -1 to 1, or -2", _is_value),
    "lnd": ("68 points, x and y in turn", lambda x: x.size == 68 * 2 and bool(np.isfinite(x).all())),
}


def _annotations(picture: Path) -> NDArray[np.float32]:
    """A picture of the 2021 folders: (139,) category, valence, arousal and the numbers of the landmarks."""
    folder = picture.parents[1] / "annotations"
    values = []
    for ending, (what, possible) in _ANNOTATIONS.items():
        path = folder / f"{picture.stem}_{ending}.npy"
        name = f"{folder.parent.name}/{folder.name}/{path.name}"
        if not path.is_file():
            raise FileNotFoundError(f"{name} is not there. Restore it, or take its picture out.")
        try:
            numbers = read_numbers(path).astype(np.float32)
        except ValueError:
            numbers = np.empty(0, np.float32)
        values.append(numbers.ravel())
        if not possible(values[-1]) or numbers.shape == (2, 68):
            raise ValueError(f"{name} does not hold {what}. Restore it, or take its picture out.")
    return np.concatenate(values)
