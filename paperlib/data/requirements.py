"""What each track reads from its folder."""

from __future__ import annotations

import os
from pathlib import Path

from paperlib.data import (
    affectnet,
    affwild,
    amigos,
    ferplus,
    manifest,
    morphset,
    rafdb,
    recordings,
    sewa,
    sfew,
    studyforrest,
)
from paperlib.data.cache import data_root

# track -> what its folder holds; of several names, one is enough
REQUIRED: dict[str, tuple[tuple[str, ...], ...]] = {
    "ferplus": (ferplus.PIXELS, (ferplus.LABELS,)),
    "affectnet": (
        (*(f"{folder}training.csv" for folder in affectnet.LISTS), "train_set"),
        (*(f"{folder}validation.csv" for folder in affectnet.LISTS), "val_set"),
        (*affectnet.PICTURES, "train_set"),
    ),
    "affwild": (affwild.ANNOTATIONS, affwild.FRAMES, ("label_parameters.json",)),
    "afewva": (("001", "01/001"),),
    "morphset": ((morphset.TABLE,), (morphset.PICTURES,)),
    "rafdb": tuple((name, f"{rafdb.ARCHIVE}/{name}") for name in (rafdb.LIST, rafdb.PICTURES[1])),
    "sfew": (sfew.FOLDERS["train"], sfew.FOLDERS["test"]),
    "amigos": ((amigos.ANNOTATIONS,), (amigos.FOLDER,)),
    "sewa": ((sewa.ANNOTATIONS,), (sewa.AUDIO,), (sewa.LANDMARKS,)),
    "studyforrest": (
        (f"{studyforrest.RATINGS}/raw",),
        (studyforrest.SEGMENTS,),
        (studyforrest.MUSIC,),
        (studyforrest.SPEECH,),
    ),
    "manifest": ((manifest.NAME,),),
    "recordings": ((recordings.NAME,),),
}


def requirements(track: str, root: Path | str | None = None) -> list[tuple[str, bool]]:
    """What a track reads from its folder under `root`, and whether it is there; "a or b" where one is enough.

    `root` is by default the environment variable PAPERLIB_DATA; without either, nothing is there.
    """
    if track not in REQUIRED:
        raise ValueError(f"track must be one of {', '.join(REQUIRED)}; got {track!r}")
    given = root or os.environ.get("PAPERLIB_DATA")
    folder = data_root(track, given) if given else None
    return [
        (" or ".join(names), folder is not None and any((folder / name).exists() for name in names))
        for names in REQUIRED[track]
    ]
