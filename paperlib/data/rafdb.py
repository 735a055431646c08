"""RAF-DB's single-label part: seven categories, each face judged by many annotators.

S. Li, W. Deng and J. Du, Reliable crowdsourcing and deep locality-preserving learning for expression
recognition in the wild, CVPR 2017.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from paperlib.data.cache import Faces, converted_faces, data_root, first_of, refuse_twice, resolve_inside
from paperlib.data.categories import PSEUDO, pseudo_affect
from paperlib.data.pictures import unnamed
from paperlib.data.records import FaceSet
from paperlib.data.tables import read_text
from paperlib.labels import EXPRESSIONS

LIST = "EmoLabel/list_patition_label.txt"  # so spelt in the release
PICTURES = ("Image/aligned/aligned", "Image/aligned")  # the first where the archive has a folder of its own
ARCHIVE = "basic"  # the archive's own top folder
CATEGORIES = ("surprise", "fear", "disgust", "happy", "sad", "anger", "neutral")  # RAF-DB's labels 1 to 7

_LINE = re.compile(r"((train|test)_[0-9]{4,5})\.jpg[\s,;]+([1-7])")


def load_rafdb(root: Path | str, *, size: int = 224, channels: int = 3, cache: Path | str) -> FaceSet:
    """RAF-DB's single-label faces with their seven categories, as pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder rafdb, or the folder basic in either, holds the list and the aligned pictures as
    data/README.md shows. A name's prefix is its split, train or test. `affect` is NaN, or what valence_arousal.csv
    beside EmoLabel/ says of the list's names (`pseudo_affect`). Who is shown is not known. Pictures that no line names
    are counted in `excluded`.

    Raises:
        FileNotFoundError: the list, the folder of pictures or a picture is missing.
        ValueError: a line, a value or a picture that cannot be: the message names file, line and mend.
    """
    root = data_root("rafdb", root)
    if first_of(root, [f"{ARCHIVE}/{LIST}", LIST]).startswith(ARCHIVE) and (root / ARCHIVE).is_dir():
        root = resolve_inside(root, ARCHIVE, where=ARCHIVE)
    for path, there, mend in (
        (root / LIST, Path.is_file, "data/README.md says where it comes from and belongs"),
        (root / PICTURES[1], Path.is_dir, "Unpack aligned.zip of the release there"),
    ):
        if not there(path):
            raise FileNotFoundError(f"{path} is not there. {mend}.")
    sources = [LIST, PICTURES[1], PSEUDO]
    return converted_faces("RAF-DB", _list_faces, root, sources, cache=cache, size=size, channels=channels)


def _list_faces(root: Path) -> Faces:
    listed = _read_list(root / LIST)
    split = np.array([line[2] for line in listed.values()])
    expression = [EXPRESSIONS.index(CATEGORIES[int(line[3]) - 1]) for line in listed.values()]
    affect = pseudo_affect(root, [f"{line[1]}.jpg" for line in listed.values()], split)
    pictures = root / first_of(root, PICTURES)
    paths = [pictures / f"{line[1]}_aligned.jpg" for line in listed.values()]
    arrays = {"affect": affect, "split": split, "expression": np.array(expression, np.int8)}
    return Faces(paths=paths, where=list(listed), arrays=arrays, excluded=unnamed(pictures, paths))


def _read_list(path: Path) -> dict[str, re.Match[str]]:
    """The lines of the list, each under its place in the file."""
    listed: dict[str, re.Match[str]] = {}
    lines = read_text(path, path.name).rstrip().split("\n")
    for number, text in enumerate(lines if lines != [""] else [], start=1):
        place = f"{path.name}, line {number}"
        line = _LINE.fullmatch(text.strip())
        if line is None:
            raise ValueError(
                f"{place}: {text[:80]!r} is not a name such as train_00001.jpg or test_0001.jpg, a space and "
                "a label from 1 to 7. Restore the line from the release, or take it out."
            )
        listed[place] = line
    if not listed:
        raise ValueError(f"{path.name} is empty. Fetch it again.")
    names = [line[1] for line in listed.values()]
    refuse_twice(names, [f"{place}: {name}" for place, name in zip(listed, names, strict=True)])
    return listed
