"""MorphSet: laboratory faces morphed between expressions, with seven categories, valence and arousal.

V. Vonikakis, D. Neo and S. Winkler, MorphSet: augmenting categorical emotion datasets with dimensional affect labels
using face morphing, ICIP 2021.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paperlib.data.affwild import split_by_group
from paperlib.data.cache import Faces, converted_faces, data_root, resolve_each
from paperlib.data.pictures import unnamed
from paperlib.data.records import FaceSet
from paperlib.data.tables import read_table
from paperlib.labels import EXPRESSIONS

TABLE = "Morphset.csv"
PICTURES = "images"
# KDEF's codes of expressions, which MorphSet's are; FE is what other sets write for AF, afraid
CODES = {
    "NE": "neutral",
    "HA": "happy",
    "SA": "sad",
    "SU": "surprise",
    "AF": "fear",
    "FE": "fear",
    "DI": "disgust",
    "AN": "anger",
}

_MEND = "Restore the value from the release, or take the row out."


def load_morphset(root: Path | str, *, size: int = 224, channels: int = 3, cache: Path | str) -> FaceSet:
    """MorphSet's faces with seven categories, valence and arousal, as pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder morphset, holds Morphset.csv as its authors released it, and images/ with the pictures of its
    column Filename. A fifth of the subjects, drawn once, is the split "test", the others are "train". Files of images/
    that no row names are counted in `excluded`.

    Raises:
        FileNotFoundError: the table or a picture is missing.
        ValueError: a value or a picture that cannot be, or a category without pictures: the message names file, row
            and mend.
    """
    root = data_root("morphset", root)
    sources = [TABLE, PICTURES]
    return converted_faces("MorphSet", _list_faces, root, sources, cache=cache, size=size, channels=channels)


def _list_faces(root: Path) -> Faces:
    table = read_table(root / TABLE, ["Filename", "Subject", "Emotion Label", "Valence", "Arousal"])
    names = table.frame["Filename"]
    table.refuse(names.duplicated().to_numpy(bool), "{Filename} has an earlier row", "Take one of them out.")
    subject = table.numbers("Subject", low=1, high=1e6, whole=True, mend=_MEND).astype(int).astype(str)
    expression = table.choices(
        "Emotion Label",
        {code: EXPRESSIONS.index(name) for code, name in CODES.items()},
        mend="Take rows of other expressions out.",
    )
    if missing := [EXPRESSIONS[k] for k in range(7) if k not in expression]:
        raise ValueError(f"{TABLE}: no row of {', '.join(missing)}. Fetch the whole table again.")
    affect = table.matrix(["Valence", "Arousal"], low=-1, high=1, mend=_MEND)
    places = [table.where(row) for row in range(len(table))]
    paths = resolve_each(root, names, where=places, folder=PICTURES)
    arrays = {
        "affect": affect.astype(np.float32),
        "split": split_by_group(subject),
        "expression": expression.astype(np.int8),
        "subject": subject,
    }
    return Faces(paths=paths, where=places, arrays=arrays, excluded=unnamed(root / PICTURES, paths))
