"""studyforrest: nine people note the emotions that the characters of *Forrest Gump* show, and what is seen and heard.

Ratings: A. Labs et al., Portrayed emotions in the movie "Forrest Gump", F1000Research 4:92 (2015). What is seen and
heard: the project's annotations of the same film, which it cut into eight runs that overlap.

Raters noted episodes of single characters, each of two levels, in whole seconds. So recordings have one frame a second.
Where an episode begins in one run and ends in the next, both have their part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib.data.cache import Conversion, converted, data_root
from paperlib.data.recordings import times
from paperlib.data.records import IN_TURN, RecordingSet, SequenceSet
from paperlib.data.tables import Table, read_table
from paperlib.labels import AFFECT

RATINGS = "studyforrest-paper-emotionannotation/data"
SEGMENTS = "studyforrest-data-annotations/segments/avmovie"
MUSIC = "studyforrest-data-annotations/researchcut/music.tsv"
SPEECH = "studyforrest-data-annotations/old/speech/english_dialog.csv"
SHOTS = f"{RATINGS}/movie_shots.csv"
RATERS = tuple(f"av1o{k:02d}" for k in range(1, 10))  # those who saw and heard the film
LEVELS = {
    "arousal": {"": 0, "LOW": 1, "HIGH": 2},
    "valence": {"": 0, "NEG": 1, "POS": 2, "POS NEG": 3, "NEG POS": 3},
}
AUDIO = ("loudness", "its change", "left less right", "speech", "music")
VIDEO = ("brightness", "left less right", "up less down", "change of the picture", "cut")
FPS = 25  # pictures a second
WINDOWS = (6, 20)  # seconds around a frame: han2017's, and foteinopoulou2021's segments
SEGMENT = 20  # seconds

_VALUE = np.array([0.0, -1.0, 1.0, 0.0])  # of each level; level 0 is none
# A run fades in for two seconds, and out from its 13th second beyond the next one's start on.
_HANDOVER, _CLEAN = 6, (2, 12)
_SAME = 5.0  # of 255; two runs' brightness of one picture
_QUIET = 1e-4  # the root mean square that counts as silence, -80 dB
_RESTORE = "Restore the file from the release."


@dataclass(frozen=True, kw_only=True)
class Film:
    """When its runs begin, and how long it is, in seconds."""

    starts: tuple[float, ...]
    seconds: int

    @property
    def begins(self) -> NDArray[np.int64]:
        """The first second of each run alone: six seconds into it, where the run before has not faded out yet."""
        return np.array([0, *(int(round(start)) + _HANDOVER for start in self.starts[1:])])

    @property
    def frames(self) -> NDArray[np.int64]:
        """How many seconds each run has alone."""
        return np.diff(self.begins, append=self.seconds)


RESEARCH_CUT = Film(starts=(0, 886, 1752.08, 2612.16, 3572.2, 4480.28, 5342.36, 6410.44), seconds=7086)


def load_studyforrest(root: Path | str, *, cache: Path | str, film: Film = RESEARCH_CUT) -> RecordingSet:
    """The film's eight runs, one frame a second, to be tested in turn: ratings (7086, 9, 2), audio, video (7086, 20).

    A rater's valence at a moment is the mean of +1 (POS) and -1 (NEG) over the episodes that he noted there, whoever
    shows them; arousal likewise (HIGH, LOW). 0 where there is none: whether nothing was shown or nothing noted cannot
    be told. `adjusted` counts the seconds for which a rater noted anything. Features are mean and standard deviation of
    `AUDIO` and `VIDEO` over `WINDOWS` around the middle of the second, cut off at the ends of the run.

    `root`, or its folder studyforrest, holds the two repositories by name, see data/README.md. A second that two runs
    show belongs to one of them (`Film.begins`).

    Raises:
        FileNotFoundError: a rater's file, or a run's, is missing.
        ValueError: a value or file that cannot be, or runs that differ where they show the same: the message names
            file, row and mend.
    """
    arrays, notes = _converted(root, cache, film, "studyforrest", _recordings)
    return RecordingSet(name="studyforrest", rate=1.0, **arrays, **notes)


def load_studyforrest_segments(
    root: Path | str, *, cache: Path | str, film: Film = RESEARCH_CUT
) -> SequenceSet:
    """Each run cut into segments of 20 s: features (n, 500, 10), those of `AUDIO` and `VIDEO` 25 times a second.

    A rating is the mean of the rater's trace over the segment. `subject` is the run, so that whole runs are left out.
    The rest of a run that is no whole segment is counted in `excluded`. Files and errors: see `load_studyforrest`.
    """
    arrays, notes = _converted(root, cache, film, "studyforrest-segments", _segments)
    channels = tuple(f"heard: {x}" for x in AUDIO) + tuple(f"seen: {x}" for x in VIDEO)
    return SequenceSet(name="studyforrest", channels=channels, **arrays, **notes)


def _converted(root: Path | str, cache: Path | str, film: Film, name: str, make: Any) -> Conversion:
    root = data_root("studyforrest", root)
    sources = [f"{RATINGS}/raw/{rater}.csv" for rater in RATERS] + [SHOTS, MUSIC, SPEECH]
    sources += [_run_file(kind, k) for kind in ("audio", "visual") for k in range(len(film.starts))]
    return converted(
        cache,
        name=name,
        sources=[root / source for source in sources],
        convert=lambda _: make(root, film),
        settings={"starts": film.starts, "seconds": film.seconds},
        root=root,
    )


def _recordings(root: Path, film: Film) -> Conversion:
    ratings, counts = read_ratings(root, film)
    heard, seen = read_features(root, film)
    runs = [f"run {k + 1}" for k in range(len(film.starts))]
    arrays: dict[str, Any] = {name: np.array(runs) for name in ("recording", "subject", "pair")}
    arrays |= {"split": np.array([IN_TURN] * len(runs)), "frames": film.frames, "ratings": ratings}
    arrays |= {"audio": _moments(heard, film), "video": _moments(seen, film)}
    return arrays, {"adjusted": counts}


def _segments(root: Path, film: Film) -> Conversion:
    ratings, counts = read_ratings(root, film)
    features = np.hstack(read_features(root, film))
    starts, runs = [], []
    for k, (begin, seconds) in enumerate(zip(film.begins, film.frames, strict=True)):
        starts += [int(begin) + SEGMENT * i for i in range(int(seconds) // SEGMENT)]
        runs += [f"run {k + 1}"] * (int(seconds) // SEGMENT)
    of = np.stack([ratings[s : s + SEGMENT].mean(axis=0) for s in starts])
    series = np.stack([features[s * FPS : (s + SEGMENT) * FPS] for s in starts])
    arrays: dict[str, Any] = {"features": series.astype(np.float32), "ratings": of.astype(np.float32)}
    arrays["affect"] = of.mean(axis=1).astype(np.float32)
    arrays |= {"subject": np.array(runs), "recording": np.array(runs)}
    rest = int((film.frames % SEGMENT).sum())
    return arrays, {"excluded": {"seconds at a run's end, no whole segment": rest}, "adjusted": counts}


def read_ratings(root: Path, film: Film) -> tuple[NDArray[np.float32], dict[str, int]]:
    """Each rater's trace, (seconds, raters, 2), and the number of seconds for which he noted anything."""
    traces, counts = [], {}
    for rater in RATERS:
        name = f"{RATINGS}/raw/{rater}.csv"
        table = read_table(root / name, ["start", "end", *LEVELS], name=name)
        sides = table.matrix(["start", "end"], low=0, high=film.seconds, whole=True, mend=_RESTORE)
        start, end = sides.T.astype(int)
        table.refuse(end <= start, "the episode ends at {end}, and starts at {start}", _RESTORE)
        both = [table.choices(name, LEVELS[name], mend=_RESTORE).astype(int) for name in AFFECT]
        trace, noted = zip(*(_trace(start, end, level, film.seconds) for level in both), strict=True)
        traces.append(np.stack(trace, axis=1))
        any_noted = int(np.any(noted, axis=0).sum())
        counts[f"seconds of {film.seconds} for which {rater} noted anything"] = any_noted
    return np.stack(traces, axis=1).astype(np.float32), counts


def _trace(
    start: NDArray[np.int64], end: NDArray[np.int64], level: NDArray[np.int64], seconds: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The mean level of the episodes that run in each second, 0 where none does; and where one does."""
    total, number = np.zeros(seconds + 1), np.zeros(seconds + 1)
    for sum_of, each in ((total, _VALUE[level]), (number, level > 0)):
        np.add.at(sum_of, start, each)
        np.add.at(sum_of, end, -1.0 * each)
    running = number.cumsum()[:-1]
    return total.cumsum()[:-1] / np.maximum(running, 1), running > 0


def read_features(root: Path, film: Film) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`AUDIO` and `VIDEO` of every picture of the film, each (25 a second, 5)."""
    sound = _joined(root, film, "audio", ["rms", "lrdiff"], high=1)
    loudness = 20 * np.log10(np.maximum(sound[:, 0], _QUIET))
    first = film.begins * FPS
    change = np.abs(np.diff(loudness, prepend=loudness[:1]))
    picture = _joined(root, film, "visual", ["brmean", "brlr", "brud", "norm_diff"], high=1e4)
    for values in (change, picture[:, 3]):
        values[first] = 0  # a change from another run's last picture
    said = _while(root, SPEECH, ("start", "end"), film)
    played = _while(root, MUSIC, ("onset", "duration"), film)
    shots = read_table(root / SHOTS, name=SHOTS, headless=["time"])
    cut = np.zeros(len(loudness))
    at = (shots.numbers("time", low=0, high=film.seconds - 1 / FPS, mend=_RESTORE) * FPS + 0.5).astype(int)
    cut[at.clip(0, len(cut) - 1)] = 1
    return np.stack([loudness, change, sound[:, 1], said, played], axis=1), np.c_[picture, cut]


def _while(root: Path, name: str, columns: tuple[str, str], film: Film) -> NDArray[np.float64]:
    """1 for the pictures during which a row of a table lasts, given from its start to its end, or by how long."""
    table = read_table(root / name, columns, name=name)
    longest = film.seconds + 60.0  # the last piece of music outlasts the film
    start, end = (table.numbers(column, low=0, high=longest, mend=_RESTORE) for column in columns)
    if columns[1] == "duration":
        end = start + end
    # the release has a line of dialogue that ends a tenth of a second before it starts; such a one marks nothing
    table.refuse(end < start - 1, f"it ends at {{{columns[1]}}}, and starts at {{{columns[0]}}}", _RESTORE)
    on = np.zeros(film.seconds * FPS)
    for a, b in zip((start * FPS).round().astype(int), (end * FPS).round().astype(int), strict=True):
        on[a:b] = 1
    return on


def _run_file(kind: str, k: int) -> str:
    return f"{SEGMENTS}/conf_{kind}_run-{k + 1}_events.tsv"


def _joined(root: Path, film: Film, kind: str, columns: Sequence[str], *, high: float) -> NDArray[np.float64]:
    """Columns of the runs' files in film time, (25 a second, columns), each second from the run that it belongs to."""
    parts: list[NDArray[np.float64]] = []
    before: tuple[Table, NDArray[np.float64]] | None = None
    for k, (begin, seconds) in enumerate(zip(film.begins, film.frames, strict=True)):
        name = _run_file(kind, k)
        table = read_table(root / name, ["onset", *columns], name=name)
        late = np.abs(times(table, "onset") - np.arange(len(table)) / FPS) > 0.5 / FPS
        table.refuse(late, "onset {onset} is not that of a row every 0.04 s from 0", _RESTORE)
        values = table.matrix(columns, low=-high, high=high, mend=_RESTORE)
        if still := [column for column, x in zip(columns, values.T, strict=True) if np.ptp(x) == 0]:
            raise ValueError(f"{name}, column {still[0]}: it never changes. {_RESTORE}")
        shift = round(film.starts[k] * FPS)
        rows = values[int(begin) * FPS - shift :][: int(seconds) * FPS]
        if len(rows) < seconds * FPS:
            last = f"{name}: its last row, onset {table.frame['onset'].iloc[-1]}"
            early = f"{seconds - len(rows) / FPS:.2f} s too early for the run after it"
            raise ValueError(f"{last}, ends {early}. {_RESTORE}")
        if before is not None and kind == "visual":
            _refuse_shifted(before, (table, values), film.starts[k] - film.starts[k - 1])
        parts, before = [*parts, rows], (table, values)
    return np.concatenate(parts)


def _refuse_shifted(
    before: tuple[Table, NDArray[np.float64]], run: tuple[Table, NDArray[np.float64]], later: float
) -> None:
    """ValueError if two runs are not equally bright where they show the same pictures."""
    low, high = (second * FPS for second in _CLEAN)
    shift = round(later * FPS)
    at, other = f"{run[0].where(low)} to {high + 2}", before[0].name
    away = np.abs(before[1][low + shift : high + shift, 0] - run[1][low:high, 0]).mean()
    if away > _SAME:
        raise ValueError(
            f"{at}: brmean differs from the same pictures' in {other} by {away:.3g} on average. The run does not begin "
            f"{later:g} s after the one before. {_RESTORE}"
        )


def _moments(features: NDArray[np.float64], film: Film) -> NDArray[np.float32]:
    """Mean and standard deviation around each second, (seconds, windows * 2 * features), from within its run alone."""
    parts = []
    for begin, seconds in zip(film.begins, film.frames, strict=True):
        run = pd.DataFrame(features[begin * FPS : (begin + seconds) * FPS])
        rolling = [run.rolling(w * FPS, center=True, min_periods=1) for w in WINDOWS]
        both = np.hstack([m for r in rolling for m in (r.mean(), r.std(ddof=0))])
        parts.append(both[FPS // 2 :: FPS])
    return np.concatenate(parts).astype(np.float32)
