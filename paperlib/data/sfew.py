"""SFEW 2.0: frames of films in seven class folders.

A. Dhall, R. Goecke, S. Lucey and T. Gedeon, Static facial expression analysis in tough conditions, ICCV Workshops 2011;
version 2.0: A. Dhall et al., Video and image based emotion recognition challenges in the wild: EmotiW 2015, ICMI 2015.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from paperlib.data.cache import Faces, converted_faces, data_root
from paperlib.data.categories import PSEUDO, pseudo_affect
from paperlib.data.pictures import list_pictures
from paperlib.data.records import FaceSet
from paperlib.labels import EXPRESSIONS

SPLITS = {"train": "Train", "test": "Val"}
# Where a split's class folders may lie: aligned faces before what may be whole frames, new before old.
FOLDERS = {
    "train": ("Train/Train_Aligned_Faces", "Train_Aligned_Faces", "Train"),
    "test": (
        "Val/Val_Aligned_Faces_new",
        "Val_Aligned_Faces_new",
        "Val/Val_Aligned_Faces",
        "Val_Aligned_Faces",
        "Val",
    ),
}
CLASSES = {"Angry": "anger"} | {
    name.title(): name for name in ("disgust", "fear", "happy", "neutral", "sad", "surprise")
}

_FRAME = re.compile(r"(.+)_[0-9]+_[0-9]+")  # film, time, frame; a film's name may have underscores and digits


def load_sfew(root: Path | str, *, size: int = 224, channels: int = 3, cache: Path | str) -> FaceSet:
    """SFEW 2.0's aligned faces with their seven categories, as pictures of `size` pixels, 1 or 3 channels.

    `root`, or its folder sfew, holds the class folders of both splits, see FOLDERS and CLASSES (other files are counted
    in `excluded`). Val is the split "test", since the test set's labels are not public. A frame that stands in two
    classes counts in both. `subject` is the film, from names such as AlexEmma_001140240_00000010.png, or None if one
    does not tell. `affect` is NaN, or what valence_arousal.csv in the same folder says of the pictures, there named
    Train/Angry/<file> or Val/Angry/<file> in every packaging (`pseudo_affect`).

    Raises:
        FileNotFoundError: a split has no class folder, or a class no picture.
        ValueError: a folder, a value or a picture that cannot be: the message names it and the mend.
    """
    root = data_root("sfew", root)
    sources = [*(_class_folders(root, split) for split in SPLITS), PSEUDO]
    return converted_faces("SFEW 2.0", _list_faces, root, sources, cache=cache, size=size, channels=channels)


def _class_folders(root: Path, split: str) -> str:
    for folder in FOLDERS[split]:
        if any((root / folder / name).is_dir() for name in CLASSES):
            return folder
    raise FileNotFoundError(
        f"{root} has none of {', '.join(FOLDERS[split])} with folders {', '.join(CLASSES)}. "
        "data/README.md shows SFEW's layouts."
    )


def _list_faces(root: Path) -> Faces:
    others: list[Path] = []
    listed = [
        (part, top, label, file)
        for part in SPLITS
        for top in [_class_folders(root, part)]
        for label, file in _pictures(root / top, others)
    ]
    names = [f"{SPLITS[part]}/{label}/{file}" for part, _, label, file in listed]
    where = [f"{top}/{label}" for _, top, label, _ in listed]
    paths = [root / top / label / file for _, top, label, file in listed]
    split = np.array([part for part, *_ in listed])
    expression = [EXPRESSIONS.index(CLASSES[label]) for _, _, label, _ in listed]
    arrays: dict[str, Any] = {"split": split, "expression": np.array(expression, np.int8)}
    arrays["affect"] = pseudo_affect(root, names, split)
    films = [_FRAME.fullmatch(Path(name).stem) for name in names]
    if all(films):
        arrays["subject"] = np.array([film[1] for film in films if film])
    excluded = {"file that is no picture by its ending": len(others)}
    return Faces(paths=paths, where=where, arrays=arrays, excluded=excluded)


def _pictures(folder: Path, others: list[Path]) -> list[tuple[str, str]]:
    """Class and file name of every picture of a split, class by class; other files are added to `others`."""
    if unknown := sorted({path.name for path in folder.iterdir() if path.is_dir()} - set(CLASSES)):
        raise ValueError(
            f"{folder.name}/{unknown[0]} is no class of SFEW: these are {', '.join(CLASSES)}. Rename the folder, "
            "or take it out."
        )
    listed = []
    for label in CLASSES:
        files, rest = list_pictures(folder / label)
        others += rest
        if not files:
            raise FileNotFoundError(f"{folder.name}/{label} holds no picture. Unpack the release again.")
        listed += [(label, file.name) for file in files]
    others += [path for path in folder.glob("[!.]*") if path.is_file()]
    return listed
