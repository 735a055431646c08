"""The two record types that every data set is read into, and the truth that only a twin knows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

IN_TURN = "in turn"  # the split of recordings that are tested one after the other


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What a twin knows and a data set of people cannot: n items, two dimensions (valence, arousal)."""

    affect: NDArray[np.float32]  # (n, 2) noise-free label in [-1, 1]
    variance: NDArray[np.float32]  # (n, 2) variance of one rater's rating, in squared label units
    mislabelled: NDArray[np.bool_]  # (n,) the category label was replaced by a wrong one


@dataclass(frozen=True, kw_only=True)
class FaceSet:
    """Pictures of faces with the labels a data set has; what it lacks is None.

    n faces, K raters. Valence comes before arousal in every array with a dimension of two.
    Rows are in the data set's own order.
    """

    name: str
    images: NDArray[np.uint8]  # (n, size, size) grey or (n, size, size, 3) RGB; may be a memory map
    affect: NDArray[np.float32]  # (n, 2) the label to learn, in [-1, 1]; NaN where it has none
    split: NDArray[np.str_]  # (n,) "train", "validation" or "test"
    fingerprint: str  # changes whenever any of the above could
    expression: NDArray[np.int8] | None = None  # (n,) index into labels.EXPRESSIONS, -1 where it has none
    original: NDArray[np.int8] | None = None  # (n,) the label it was first published with, same index
    ratings: NDArray[np.float32] | None = None  # (n, K, 2) single raters' labels, NaN where one is missing
    votes: NDArray[np.int16] | None = None  # (n, 8) raters per category of labels.EXPRESSIONS
    subject: NDArray[np.str_] | None = None  # (n,) who is shown; pictures of one subject are not independent
    landmarks: NDArray[np.float32] | None = None  # (n, 68, 2) x, y in pixels of `images`
    truth: Truth | None = None
    excluded: dict[str, int] = field(default_factory=dict)  # reason -> number of rows the protocol left out

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, kw_only=True)
class SequenceSet:
    """Recordings cut into segments, series of features with one label; n segments, T frames, K raters."""

    name: str
    features: NDArray[np.float32]  # (n, T, channels), e.g. action-unit intensities 0 to 5, 25 frames a second
    affect: NDArray[np.float32]  # (n, 2) mean of the raters, in [-1, 1]
    ratings: NDArray[np.float32]  # (n, K, 2)
    subject: NDArray[np.str_]  # (n,) who is recorded: the unit that is left out, and resampled
    recording: NDArray[np.str_]  # (n,) which recording the segment was cut from
    channels: tuple[str, ...] = ()  # names of the features
    fingerprint: str
    truth: Truth | None = None
    excluded: dict[str, int] = field(default_factory=dict)
    adjusted: dict[str, int] = field(default_factory=dict)  # what was changed -> how many of them

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, kw_only=True)
class RecordingSet:
    """Recordings rated all along: n recordings, their frames end to end, F in all, K raters.

    Valence comes before arousal. Frames of one recording are not independent of each other.
    """

    name: str
    recording: NDArray[np.str_]  # (n,) names
    subject: NDArray[np.str_]  # (n,) who is recorded
    pair: NDArray[np.str_]  # (n,) who talked to each other; the recording's own name where that is unknown
    split: NDArray[np.str_]  # (n,) "train", "validation" or "test"; or all IN_TURN, see `tested_in_turn`
    frames: NDArray[np.int64]  # (n,) how many each has
    ratings: NDArray[np.float32]  # (F, K, 2) in [-1, 1], NaN where a rater gave none
    audio: NDArray[np.float32] | None = None  # (F, 130), see features.speech_features
    video: NDArray[np.float32] | None = None  # (F, 98), see features.normalise_landmarks
    gold: NDArray[np.float32] | None = None  # (F, 2) the gold standard as distributed, where there is one
    rate: float = 10.0  # frames a second
    fingerprint: str
    truth: Truth | None = None  # of each frame
    excluded: dict[str, int] = field(default_factory=dict)
    adjusted: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.recording)

    def rows(self, i: int) -> slice:
        """The frames of recording i."""
        end = int(self.frames[: i + 1].sum())
        return slice(end - int(self.frames[i]), end)


def as_first_spelt(names: Iterable[str]) -> list[str]:
    """Names that differ in case or blanks alone, in the spelling that comes first: whose they are is one."""
    first: dict[str, str] = {}
    return [first.setdefault(" ".join(name.split()).casefold(), name) for name in names]


def refuse_two_splits(
    listed: str,
    who: str,
    *,
    names: Sequence[str],
    split: Sequence[str],
    items: Sequence[str],
    part: str = "split",
) -> None:
    """ValueError if one of `names` (n,), such as a person's, has items (n,) in two splits; `listed` is their file."""
    first: dict[str, int] = {}
    for row, name in enumerate(names):
        other = first.setdefault(name, row)
        if split[other] != split[row]:
            raise ValueError(
                f"{listed}: {who} {name!r} is in two {part}s, {items[other]} in {split[other]} and {items[row]} in "
                f"{split[row]}. Who is tested must be unknown in training: put both in one {part}."
            )


def turns(record: object) -> list[str]:
    """The pairs of recordings to be tested in turn, in order; none where the split is given, or there are no pairs."""
    if not isinstance(record, RecordingSet) or (record.split != IN_TURN).any():
        return []
    return [str(pair) for pair in dict.fromkeys(record.pair)]


def tested_in_turn(record: RecordingSet, pair: str) -> RecordingSet:
    """The recordings with `pair` as the test, the pair before it (of the first: the last) for validation.

    Raises:
        ValueError: there is no such pair, or there are fewer than three.
    """
    order = turns(record)
    if pair not in order or len(order) < 3:
        raise ValueError(f"expected one of three pairs or more, tested in turn, {order}; got {pair!r}")
    before = order[order.index(pair) - 1]
    split = np.select([record.pair == pair, record.pair == before], ["test", "validation"], "train")
    return replace(record, split=split, fingerprint=f"{record.fingerprint}-{pair}")


Record = TypeVar("Record", FaceSet, SequenceSet)


def subset(record: Record, rows: NDArray) -> Record:
    """The given rows (an index or a mask over n) of every per-row field, truth included."""
    n = len(record)

    def take(owner: object) -> dict[str, Any]:
        values = {f.name: getattr(owner, f.name) for f in fields(owner)}  # type: ignore[arg-type]
        return {k: v[rows] for k, v in values.items() if isinstance(v, np.ndarray) and len(v) == n}

    truth = replace(record.truth, **take(record.truth)) if record.truth is not None else None
    return replace(record, **take(record), truth=truth)


def concatenated(first: FaceSet, second: FaceSet) -> FaceSet:
    """The faces of two sets that have the same fields, the second's after the first's, under the first's name."""

    def both(a: Any, b: Any) -> dict[str, Any]:
        arrays = [f.name for f in fields(a) if isinstance(getattr(a, f.name), np.ndarray)]
        return {name: np.concatenate([getattr(a, name), getattr(b, name)]) for name in arrays}

    truth = None
    if first.truth is not None and second.truth is not None:
        truth = replace(first.truth, **both(first.truth, second.truth))
    known = f"{first.fingerprint}-{second.fingerprint}"
    return replace(first, **both(first, second), truth=truth, fingerprint=known)
