"""FER2013 with the FER+ votes: ten people's judgement of each face.

Pictures: I. J. Goodfellow et al., Challenges in representation learning, ICONIP 2013 (fer2013.csv). Votes:
E. Barsoum, C. Zhang, C. Canton Ferrer and Z. Zhang, Training deep networks for facial expression recognition
with crowd-sourced label distribution, ICMI 2016, and its release microsoft/FERPlus (MIT licence; the rules
are in its src/ferplus.py).

The trap: rows of the two files belong together by their order and nothing else. The number in an image name
(fer0000123.png) counts only rows that have a name, so it is no row number after the first row without one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from paperlib.data.cache import Conversion, converted, data_root, fingerprint, first_of, open_pictures
from paperlib.data.records import FaceSet
from paperlib.data.suspect import LARGE
from paperlib.data.tables import Table, read_table
from paperlib.labels import EXPRESSIONS, sole_winner
from paperlib.twin.prototypes import CIRCUMPLEX

SIZE = 48  # pixels
ORIGINAL = ("anger", "disgust", "fear", "happy", "sad", "surprise", "neutral")  # FER2013's classes 0 to 6
PIXELS = ("fer2013.csv", "fer2013.csv.gz", "fer2013/fer2013.csv")  # the last as the archive is unpacked
LABELS = "fer2013new.csv"
VOTES = {  # our category -> its FER+ column
    **{name: name for name in EXPRESSIONS},
    "happy": "happiness",
    "sad": "sadness",
}
NO_EMOTION = ("unknown", "NF")  # NF: not a face
SPLITS = {"Training": "train", "PublicTest": "validation", "PrivateTest": "test"}

# name -> which rows it keeps and what label it gives them; every one leaves out rows without an image name
PROTOCOLS = {
    "majority": "votes of one are dropped; the winner has more than half of what is left (FER+'s MV)",
    "argmax10": "the sole winner of all ten columns, if it is an emotion",
    "argmax8": "the sole winner of the eight emotions",
    "probability": "votes of one are dropped; the leading emotions, at most three, until they hold three "
    "quarters; kept if they hold more than half. Training draws a label from `votes` each epoch (FER+'s PLD)",
    "soft": "as probability, but training uses the whole distribution of `votes` (FER+'s CEL)",
    "named": "rows with two or more votes for emotions, to have a variance; label as in argmax8, -1 if a tie",
}

_NO_FACE = "most say unknown or not a face"
_FETCH = "Fetch fer2013new.csv again."


class Consensus(NamedTuple):
    """What a protocol makes of n rows of votes."""

    expression: NDArray[np.int8]  # (n,) index into EXPRESSIONS, -1 where there is none
    votes: NDArray[np.int16]  # (n, 8) the votes for emotions that the protocol counts
    excluded: NDArray[np.str_]  # (n,) why a row is left out, "" where it is kept


def load_ferplus(root: Path | str, *, protocol: str = "majority", cache: Path | str) -> FaceSet:
    """FER2013's pictures with the FER+ votes, those rows that `protocol` (see PROTOCOLS) keeps.

    `root`, or its folder ferplus, holds one of PIXELS, and fer2013new.csv. Images are (n, 48, 48) grey. `votes` are the
    votes for emotions that the protocol counts, `ratings` every vote for an emotion placed on the circumplex
    (`votes_to_ratings`), `affect` their mean; `original` is FER2013's own label. What the protocol leaves out is
    counted by reason in `excluded`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: an unknown protocol, or a cell that cannot be: the message names file, row and mend.
    """
    root = data_root("ferplus", root)
    pixels = root / first_of(root, PIXELS)
    stored, _ = converted(
        cache,
        name="fer2013",
        sources=[pixels, root / LABELS],
        settings={},
        convert=lambda folder: _convert(folder, pixels, root / LABELS),
        root=root,
    )
    votes = stored["votes"]
    label, counted, excluded = consensus(votes, protocol=protocol)
    excluded = np.where(stored["named"], excluded, "no image name: no usable face")
    keep = excluded == ""
    ratings = votes_to_ratings(votes[keep, : len(EXPRESSIONS)], CIRCUMPLEX)
    arrays: dict[str, Any] = {
        "images": np.asarray(stored["images"])[keep],
        "original": stored["original"][keep],
        "split": stored["split"][keep],
        "expression": label[keep],
        "votes": counted[keep],
        "ratings": ratings,
        "affect": np.nanmean(ratings, axis=1, dtype=np.float64).astype(np.float32),
    }
    reasons, numbers = np.unique(excluded[~keep], return_counts=True)
    return FaceSet(
        name=f"FER+ ({protocol})",
        fingerprint=fingerprint(arrays),
        excluded=dict(zip(reasons.tolist(), numbers.tolist(), strict=True)),
        **arrays,
    )


def consensus(votes: ArrayLike, *, protocol: str) -> Consensus:
    """What a protocol of PROTOCOLS makes of votes (n, 10): the eight EXPRESSIONS, then unknown and not a face."""
    votes = np.asarray(votes, np.int16)
    emotions = votes[:, : len(EXPRESSIONS)]
    several = np.where(votes == 1, 0, votes)
    match protocol:
        case "majority":
            label = several.argmax(axis=1)
            won = 2 * several.max(axis=1) > several.sum(axis=1)
            reason = np.where(label < len(EXPRESSIONS), "", _NO_FACE)
            reason = np.where(won, reason, "no majority")
        case "argmax10":
            label = sole_winner(votes)
            reason = np.select([label < 0, label >= len(EXPRESSIONS)], ["tie", _NO_FACE], "")
        case "argmax8":
            label = sole_winner(emotions)
            reason = np.select([~emotions.any(axis=1), label < 0], ["no vote for an emotion", "tie"], "")
        case "probability" | "soft":
            emotions, reason = _leading(several)
            label = sole_winner(emotions)
        case "named":
            label = sole_winner(emotions)
            reason = np.where(emotions.sum(axis=1) < 2, "fewer than two votes for an emotion", "")
        case _:
            raise ValueError(f"protocol must be one of {', '.join(PROTOCOLS)}; got {protocol!r}")
    return Consensus(np.where(reason == "", label, -1).astype(np.int8), emotions, reason)


def _leading(votes: NDArray[np.int16]) -> tuple[NDArray[np.int16], NDArray[np.str_]]:
    """FER+'s rule for distributions: emotions taken from the top, all that tie at once; unknown and NF end it."""
    total = votes.sum(axis=1)
    left, taken = votes.copy(), np.zeros_like(votes[:, : len(EXPRESSIONS)])
    open_, blank = np.ones(len(votes), bool), np.zeros(len(votes), bool)
    for _ in range(3):
        number = (taken > 0).sum(axis=1)
        open_ &= (4 * taken.sum(axis=1) < 3 * total) & (number < 3)
        top = left.max(axis=1, keepdims=True)
        tied = (left == top) & open_[:, None]
        taken += np.where(tied, left, 0)[:, : len(EXPRESSIONS)]
        left[tied] = 0
        ended = tied[:, len(EXPRESSIONS) :].any(axis=1)
        blank |= ended & ~taken.any(axis=1)
        open_ &= ~ended
    scattered = (2 * taken.sum(axis=1) <= total) | ((taken > 0).sum(axis=1) > 3)
    return taken, np.select([blank, scattered], [_NO_FACE, "no three emotions hold more than half"], "")


def votes_to_ratings(votes: ArrayLike, coordinates: Mapping[str, tuple[float, float]]) -> NDArray[np.float32]:
    """Each vote for an emotion as the rating of one rater: (n, 8) votes in EXPRESSIONS order to (n, K, 2).

    `coordinates` gives a category's (valence, arousal). K is the most votes a row has; rows with fewer end in
    NaN (voters who chose unknown, or not a face). Who voted is not published, so position k is no person:
    raters stand in the order of EXPRESSIONS.
    """
    votes = np.asarray(votes)
    places = np.array([*(coordinates[name] for name in EXPRESSIONS), (np.nan, np.nan)], np.float32)
    up_to = votes.cumsum(axis=1)
    rater = np.arange(up_to.max(initial=0))
    return places[(rater[None, :, None] >= up_to[:, None, :]).sum(axis=2)]


def _convert(folder: Path, path: Path, labels_path: Path) -> Conversion:
    """Every row of both files: its pixels, its first label as an index into EXPRESSIONS, its ten votes, its split, and
    whether its picture has a name."""
    labels = read_table(labels_path, ["Usage", "Image name", *VOTES.values(), *NO_EMOTION])
    columns = (*(VOTES[name] for name in EXPRESSIONS), *NO_EMOTION)
    counts = [labels.numbers(column, low=0, high=10, whole=True, mend=_FETCH) for column in columns]
    votes = np.stack(counts, axis=1).astype(np.int16)
    # one row of the release has nine
    labels.refuse(~np.isin(votes.sum(axis=1), (9, 10)), "the votes do not add up to ten", _FETCH)
    split = labels.choices("Usage", SPLITS, mend=_FETCH)
    named = _named(labels)
    mend = f"Fetch {path.name} again."
    table = read_table(path, ["emotion", "pixels", "Usage"])
    if len(table) != len(labels):
        long, short = (path.name, LABELS) if len(table) > len(labels) else (LABELS, path.name)
        raise ValueError(
            f"{long}, row {min(len(table), len(labels)) + 2}: {short} has no such row, but rows belong together by "
            "their order. Fetch both files again, and sort or filter neither."
        )
    table.choices("Usage", SPLITS, mend=mend)
    other = f"Usage is {{Usage}}, another than in the same row of {LABELS}"
    table.refuse((table.frame["Usage"] != labels.frame["Usage"]).to_numpy(bool), other, mend)
    emotion = table.numbers("emotion", low=0, high=len(ORIGINAL) - 1, whole=True, mend=mend)
    original = np.array([EXPRESSIONS.index(name) for name in ORIGINAL], np.int8)[emotion.astype(int)]
    images = open_pictures(folder, len(labels), size=SIZE, channels=1)
    for row, text in enumerate(tqdm(table.frame["pixels"], desc=f"reading {path.name}", unit="img", delay=2)):
        images[row] = _pixels(text, table.where(row), mend)
    for part in SPLITS.values():
        _refuse_unrelated(original[split == part], votes[split == part], f"{path.name}, split {part}")
    return {"images": images, "original": original, "votes": votes, "split": split, "named": named}, {}


def _named(labels: Table) -> NDArray[np.bool_]:
    """Which rows have an image name, (n,). ValueError if their numbers do not rise: then the rows were sorted anew.

    One in a hundred may fall: four rows of the release name a picture of another row.
    """
    names = labels.text("Image name")
    number = pd.to_numeric(names.str.extract(r"(\d+)\.\w+$")[0], errors="coerce")
    falls = number.notna() & (number <= number.ffill().shift())
    problem = "Image name {Image name} has no higher number than those above, as if the rows were sorted"
    labels.refuse(falls.to_numpy(bool) & (falls.mean() > 0.01), problem, _FETCH)
    return (names != "").to_numpy(bool)


def _refuse_unrelated(original: NDArray, votes: NDArray, pictures: str) -> None:
    """ValueError if first labels (n,) are the votes' winner as seldom as by chance (0.18; 0.65 in the release)."""
    winner = sole_winner(votes[:, : len(EXPRESSIONS)])
    agree = (original == winner)[winner >= 0]
    if len(agree) >= LARGE and agree.mean() < 1 / 3:
        raise ValueError(
            f"{pictures}: emotion is what most voted for in {agree.mean():.0%} of the rows of {LABELS}, and in 65 % of "
            "the release's. Rows belong together by their order: fetch both files again, and sort neither."
        )


def _pixels(text: str, where: str, mend: str) -> NDArray[np.uint8]:
    try:
        # the fastest parser at hand; bytes() refuses what is not a whole number from 0 to 255
        values = bytes(json.loads(f"[{text.replace(' ', ',')}]"))
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(f"{where}: pixels must be whole numbers from 0 to 255 ({error}). {mend}") from None
    if len(values) != SIZE * SIZE:
        raise ValueError(f"{where}: {len(values)} pixels, not {SIZE} x {SIZE} = {SIZE * SIZE}. {mend}")
    return np.frombuffer(values, np.uint8).reshape(SIZE, SIZE)
