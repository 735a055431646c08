"""Recordings of one's own, rated all along by several raters, listed in a CSV so that no code is needed.

What a reader of such recordings needs is here too: series over time, speech, landmarks, and their assembly.
"""

from __future__ import annotations

import math
import re
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.io import wavfile
from scipy.signal import resample_poly
from tqdm import tqdm

from paperlib.data.cache import Conversion, converted, data_root, resolve_inside, tried
from paperlib.data.manifest import SPLITS
from paperlib.data.pictures import SMALLEST
from paperlib.data.records import IN_TURN, RecordingSet, as_first_spelt, refuse_two_splits
from paperlib.data.suspect import STILL
from paperlib.data.tables import Table, raters_of, read_table
from paperlib.labels import AFFECT

NAME = "recordings.csv"
RATE = 10  # frames a second
SHORTEST = 4 * RATE  # frames; labels are shifted by four seconds (han2017, sec. 4.1), and some must be left
MODALITIES = {"audio": ("audio", "audio_features"), "video": ("landmarks", "video_features")}

_CANCELLED = 0.01  # share of the channels' power that their mean has; half, where they have nothing in common
_LONGEST = 1e5  # seconds; a slip in a time must not fill the memory
_SLOWEST, _SLOWEST_FILM = 10.0, 0.5  # seconds from row to row of ratings, and of landmarks
_FASTEST = 2e-3
_MEND = "Correct the cell, or take the recording out."
_RESAMPLE = "Resample to a constant rate; where a row stands for a change alone, repeat it until the next."
_FEW = 10  # cells of a rater, too few to have a rate of their own


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One recording as its files have it.

    `series` are its fields of a RecordingSet, and valence and arousal (frames, raters) instead of ratings, each with
    the name of its file; lengths may differ.
    """

    name: str
    split: str  # or IN_TURN, of all
    subject: str
    pair: str
    raters: tuple[str, ...]
    series: Mapping[str, tuple[str, NDArray]]
    wave: tuple[str, Path] | None = None  # name and place of the .wav, which is large: read one at a time
    counts: Counter[str] = field(default_factory=Counter)  # what was changed in the files


def load_recordings(path: Path | str, *, cache: Path | str) -> RecordingSet:
    """Recordings listed in a CSV, or in recordings.csv of a folder or of its folder recordings, at 10 frames a second.

    data/README.md has the columns of all CSVs, and what raters may do; files lie in the CSV's folder or below. With the
    split "in turn" in every row, each pair is the test once. With features of one's own `audio` and `video` have as
    many columns as these, the same in every recording, not 130 and 98.

    The raters are all those named anywhere, NaN in recordings that they did not rate. What was resampled, cut or
    interpolated, and raters who never varied in a recording and dimension, are counted in `adjusted`; files that lie
    beside those named, and that no row names, in `excluded`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a value or a file that cannot be, files of one recording that differ by more than a second,
            a subject or a pair in two splits, no training recording: the message names file, row and mend.
    """
    path = data_root("recordings", path) / NAME if Path(path).is_dir() else Path(path)
    files = [file for row in _read_list(path)[1] for named in row.values() for file in _files_of(named)]
    arrays, notes = converted(
        cache,
        name="recordings",
        sources=[path, *files],
        convert=lambda _: _convert(*_read_list(path)),
        root=path.parent,
    )
    beside = {file for folder in {f.parent for f in files} for file in folder.glob("[!.]*") if file.is_file()}
    # counted anew, since files without a row are no source
    if unnamed := len(beside - {*files, path.resolve()}):
        notes["excluded"]["file that no row names"] = unnamed
    return RecordingSet(name=path.parent.resolve().name, **arrays, **notes)


def _read_list(path: Path) -> tuple[Table, list[dict[str, Path]]]:
    """The list of recordings, and each one's files by their column."""
    resolve_inside(path.parent, path.name, where=path.name)
    table = read_names(path, ["recording", "split", "ratings"])
    both = [pair for pair in MODALITIES.values() if set(pair) <= set(table.frame)]
    given = [column for pair in MODALITIES.values() for column in pair if column in table.frame]
    if both or not given:
        ways = " and ".join(both[0]) if both else "none of audio, audio_features, landmarks, video_features"
        raise table.of_header(f"{ways}. Give one for speech, one for the face, or both.")
    in_turn = table.choices("split", {name: name for name in (*SPLITS, IN_TURN)}) == IN_TURN
    other = f"split is {{split}}, in the first row {table.frame['split'].iat[0]!r}"
    table.refuse(in_turn != in_turn[0], other, f"Give {IN_TURN!r} to all recordings, or to none.")
    for column in ("recording", "ratings", *given):
        table.refuse((table.frame[column] == "").to_numpy(bool), f"{column} is empty", _MEND)
    files = [
        {column: resolve_inside(path.parent, name, where=table.where(row)) for column, name in cells.items()}
        for row, cells in enumerate(table.frame[["ratings", *given]].to_dict("records"))
    ]
    for column in {"ratings", *given} - {"audio"}:  # people in one room may share a microphone
        again = pd.Series([named[column] for named in files]).duplicated().to_numpy(bool)
        problem = f"{column} {{{column}}} is an earlier row's too"
        table.refuse(again, problem, "Name each recording's own file.")
    for row, named in enumerate(files):
        for column, file in named.items():
            place, name = table.where(row), table.frame[column].iat[row]
            if column == "ratings" and not _files_of(file):
                raise FileNotFoundError(f"{place}: the folder {name} holds no CSV. Put some there.")
            if not (file.is_file() or (column == "ratings" and file.is_dir())):
                mend = "Restore it, or take its recording out."
                raise FileNotFoundError(f"{name} is not there ({file}), which {place} names. {mend}")
    return table, files


def _convert(table: Table, files: list[dict[str, Path]]) -> Conversion:
    recordings = []
    known: dict[str, tuple[str, list[str]]] = {}  # modality -> the first file, and its columns
    for row, (cells, paths) in enumerate(zip(table.frame.to_dict("records"), files, strict=True)):
        counts: Counter[str] = Counter()
        raters, valence, arousal = _read_ratings(
            paths["ratings"], name=cells["ratings"], scale=_scale_of(table, row), counts=counts
        )
        series = {"valence": (cells["ratings"], valence), "arousal": (cells["ratings"], arousal)}
        if "landmarks" in paths:
            faces = read_landmarks(paths["landmarks"], name=cells["landmarks"], counts=counts)
            series["video"] = (cells["landmarks"], faces)
        for modality, (_, column) in MODALITIES.items():
            if column in paths:
                columns, values = _read_features(paths[column], name=cells[column], counts=counts)
                series[modality] = (cells[column], values)
                first, expected = known.setdefault(modality, (cells[column], columns))
                if columns != expected:
                    raise ValueError(
                        f"{cells[column]}, row 1 (the header): not the {len(expected)} columns of {first}, in their "
                        "order. Give every recording the same features."
                    )
        read = Recording(
            name=cells["recording"],
            split=cells["split"],
            subject=cells.get("subject") or cells["recording"],
            pair=cells.get("pair") or cells["recording"],
            raters=raters,
            series=series,
            wave=(cells["audio"], paths["audio"]) if "audio" in paths else None,
            counts=counts,
        )
        recordings.append(read)
    return assemble(recordings, listed=table.name)


def _files_of(path: Path) -> list[Path]:
    """The file itself, or the CSVs of a folder."""
    return sorted(path.glob("[!.]*.csv")) if path.is_dir() else [path]


def _scale_of(table: Table, row: int) -> tuple[float, float]:
    """The ends of a recording's scale, of which the first becomes -1."""
    text = table.frame["scale"].iat[row] if "scale" in table.frame else ""
    ends = re.fullmatch(r"([-+]?[\d.]+) *to *([-+]?[\d.]+)", text or "-1 to 1")
    low, high = (tried(float, end) for end in (ends.groups() if ends else "??"))
    if not isinstance(low, float) or not isinstance(high, float) or low == high:
        raise ValueError(f"{table.where(row)}: scale is {text!r}. Write '1 to 9': first the end that is -1.")
    return low, high


def _read_ratings(
    path: Path, *, name: str, scale: tuple[float, float], counts: Counter[str]
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """Raters, and their valence and arousal, each (frames, raters), from a CSV or all those of a folder."""
    found: dict[str, tuple[str, NDArray[np.float64]]] = {}  # column -> its file, and (frames,)
    raters: dict[str, None] = {}
    mend = "Correct the cell, or give the column scale in the list of recordings."
    for file in _files_of(path):
        table = read_table(file, name=name if file == path else f"{name}/{file.name}")
        here = raters_of(table.columns, table.name)
        columns = [c for d in AFFECT for rater in here if (c := f"{rater}_{d}") in table.frame]
        if not columns:
            raise table.of_header("no rater. Name columns <rater>_valence and <rater>_arousal.")
        if again := [column for column in columns if column in found]:
            raise table.of_header(f"{again[0]} is in {found[again[0]][0]} too. Take one out.")
        values = to_frames(table, columns, counts=counts, scale=scale, mend=mend)
        found |= {column: (table.name, series) for column, series in zip(columns, values.T, strict=True)}
        raters |= dict.fromkeys(here)
    if lacking := [c for rater in raters for d in AFFECT if (c := f"{rater}_{d}") not in found]:
        only = ", ".join([*found][:15])
        raise ValueError(f"{name}: no column {lacking[0]}, only {only}. Each rater rates both: add it.")
    counts["recordings brought from another scale to -1 to 1"] += scale != (-1, 1)
    both = np.full((2, max(len(series) for _, series in found.values()), len(raters)), np.nan)
    for (d, dimension), (k, rater) in product(enumerate(AFFECT), enumerate(raters)):
        series = found[f"{rater}_{dimension}"][1]
        both[d, : len(series), k] = series
    return tuple(raters), both[0], both[1]


def _read_features(path: Path, *, name: str, counts: Counter[str]) -> tuple[list[str], NDArray[np.float64]]:
    """The names of all columns but `time`, and (frames, columns)."""
    table = read_table(path, name=name)
    clock = clock_of(table)
    lost = "success is {success}: no face was found, and the row's features mean nothing"
    table.refuse(~_detected(table), lost, "Fill the row from its neighbours, and leave out the column.")
    columns = [column for column in table.columns if column != clock]
    if not columns:
        raise table.of_header(f"no column but {clock}. Add the features.")
    late = np.abs(times(table, clock) - np.arange(len(table)) / RATE) > 0.5 / RATE
    problem = f"{clock} {{{clock}}} is not that of a row every 0.1 s from 0"
    table.refuse(late, problem, "Resample the features.")
    values = table.matrix(columns, low=-1e30, high=1e30, mend=_MEND)
    counts[STILL] += int((np.ptp(values, axis=0) == 0).sum())
    return columns, values


def clock_of(table: Table, other: str = "time") -> str:
    """The column of times: time, time_ms, or the `other`; ValueError if there is none."""
    name = next((name for name in ("time", "time_ms") if name in table.frame), other)
    table.need([name])
    return name


def times(table: Table, column: str, *, slowest: float = _SLOWEST) -> NDArray[np.float64]:
    """A column of times in seconds, (rows,), which must increase from 0 or later; `<name>_ms` is in milliseconds.

    ValueError too where a usual row comes more than `slowest` seconds after the one above, as milliseconds and numbers
    of frames would have it, or less than two thousandths.
    """
    unit = 1000 if column.endswith("_ms") else 1
    mend = f"Give {'milliseconds' if unit > 1 else 'seconds'} from the recording's start."
    time = table.numbers(column, low=0, high=_LONGEST * unit, mend=mend) / unit
    problem = f"{column} {{{column}}} is not later than in the row above"
    table.refuse(np.diff(time, prepend=-1) <= 0, problem, "Sort the rows, and keep one for each time.")
    usual = float(np.median(np.diff(time))) if len(time) > 1 else 1 / RATE
    if not _FASTEST <= usual <= slowest:
        raise ValueError(
            f"{table.where(min(1, len(time) - 1))}: {column} rises by {usual:.3g} a row, as milliseconds or numbers of "
            f"frames do. Give seconds, a row every {_FASTEST:g} to {slowest:g}"
            f"{', or name the column time_ms' * (column == 'time')}."
        )
    return time


def read_names(path: Path, columns: Sequence[str]) -> Table:
    """A list of recordings with these columns, of which `recording` names none twice; words for no value are empty."""
    table = read_table(path)
    table.need(columns)
    table = replace(table, frame=pd.DataFrame({column: table.text(column) for column in table.columns}))
    again = table.frame.duplicated("recording").to_numpy(bool)
    table.refuse(again, "recording {recording} stands in an earlier row", "Take one of the two rows out.")
    return table


def to_frames(
    table: Table,
    columns: Sequence[str],
    *,
    counts: Counter[str],
    scale: tuple[float, float] = (-1, 1),
    mend: str = _MEND,
) -> NDArray[np.float64]:
    """Columns at 0, 0.1, 0.2, ... s, (frames, columns), the ends of `scale` brought to -1 and 1; NaN where missing.

    A column has the rate at which its own cells follow each other, or the rows do. Another than 10 a second is
    interpolated linearly from cell to cell. A longer step than usual is a gap, and missing; so is what lies before the
    first cell and after the last.
    """
    clock = clock_of(table)
    time = times(table, clock)
    values = table.matrix(columns, low=min(scale), high=max(scale), blank=True, mend=mend)
    values = (2 * values - sum(scale)) / (scale[1] - scale[0])
    usual, steady = _rate(time)
    gap = np.concatenate([[False], np.abs(np.diff(time) - usual) > usual / 2])
    at = np.arange(int(time[-1] * RATE + 0.01) + 1) / RATE
    grid, moved = np.full((len(at), len(columns)), np.nan), False
    for k, column in enumerate(values.T):
        given = np.isfinite(column)
        step, own = _rate(time[given])
        if not own or given.sum() <= _FEW:
            problem = f"{clock} {{{clock}}} does not follow the row above by the usual {usual:.4g} s"
            table.refuse(gap & (not steady), problem, _RESAMPLE)
            step = usual
        grid[:, k], off = _at_frames(time[given], column[given], at, step=step)
        moved |= off
    counts["series resampled to 10 a second"] += moved
    counts["gaps in the times of ratings: missing"] += int(gap.sum()) * steady
    counts["files with times in milliseconds"] += clock == "time_ms"
    return grid


def _rate(time: NDArray[np.float64]) -> tuple[float, bool]:
    """The usual step in seconds, and whether it is kept: no step is half as short, one in ten at most a gap."""
    steps = np.diff(time)
    if not len(steps):
        return 1 / RATE, True
    usual = float(np.median(steps))
    return usual, bool((steps >= usual / 2).all() and np.mean(steps > 1.5 * usual) <= 0.1)


def _at_frames(
    time: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.float64], *, step: float
) -> tuple[NDArray[np.float64], bool]:
    """Values of `time` at the times `at` of the frames, NaN in gaps, and whether they had to be interpolated."""
    found = np.full(len(at), np.nan)
    frame = np.round(time * RATE).astype(int)
    if not len(time) or (abs(step * RATE - 1) < 0.1 and (np.abs(time * RATE - frame) <= 0.01).all()):
        found[frame] = values
        return found, False
    time, at = time.round(6), at.round(6)
    after = np.searchsorted(time, at).clip(1, max(len(time) - 1, 1))
    found = np.interp(at, time, values, left=np.nan, right=np.nan)
    if len(time) > 1:
        far = (time[after] - time[after - 1] > 1.5 * step) & (at > time[after - 1]) & (at < time[after])
        found[far] = np.nan
    return found, True


def read_wave(path: Path, *, name: str, counts: Counter[str]) -> tuple[NDArray[np.float32], int]:
    """A .wav of whole or floating-point numbers as mono (samples,) from -1 to 1, and its samples a second.

    Channels are averaged; where they are in opposite phase, and would cancel out, the loudest is taken, and counted.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a .wav, ends too early, is empty or silent, or has numbers beyond its range.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{name} is not there. Restore it, or take its recording out.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", wavfile.WavFileWarning)
            # a chunk of notes beside the samples does no harm
            warnings.filterwarnings("ignore", "Chunk", wavfile.WavFileWarning)
            rate, samples = wavfile.read(path)
    except Exception as error:  # scipy meets a broken header with many kinds, ZeroDivisionError among them
        cut_off = isinstance(error, UnboundLocalError | ZeroDivisionError) or not str(error)
        problem = "its header is not finished, as when a recorder was cut off" if cut_off else str(error)
        raise ValueError(f"{name} is not a whole .wav file ({problem}). Save it again as PCM.") from error
    if not len(samples) or rate < 1:
        raise ValueError(f"{name} holds no sound. Save it again, or take its recording out.")
    if samples.dtype.kind == "i":
        samples = samples / -float(np.iinfo(samples.dtype).min)
    elif samples.dtype.kind == "u":  # 8 bits: silence is 128
        samples = samples / 128 - 1
    if not samples.any():
        raise ValueError(f"{name} is silent throughout. Save it again, or take its recording out.")
    if not (np.abs(samples) <= 1).all():
        raise ValueError(f"{name} has samples that are not from -1 to 1. Save it again, not as loud.")
    channels = samples.reshape(len(samples), -1)
    mono, power = channels.mean(axis=1), np.square(channels, dtype=np.float64).mean(axis=0)
    if np.square(mono, dtype=np.float64).mean() < _CANCELLED * power.mean():
        mono = channels[:, power.argmax()]
        counts["stereo that cancels out: the louder channel is heard"] += 1
    return mono.astype(np.float32), rate


def read_landmarks(path: Path, *, name: str, counts: Counter[str]) -> NDArray[np.float64]:
    """features.normalise_landmarks of the faces in each 100 ms, averaged, (frames, 98); gaps are interpolated.

    A frame has no face where its landmarks are empty or all zero, or `success`, where there is such a column, is 0.
    """
    from paperlib.features import LANDMARKS, normalise_landmarks

    table = read_table(path, name=name)
    points = sum(re.fullmatch(r"x_\d+", column) is not None for column in table.columns)
    if points not in (len(LANDMARKS), 68):
        wrong = f"{points} columns x_1, x_2, ..., not {len(LANDMARKS)} or 68"
        raise table.of_header(f"{wrong}. Give those that data/README.md names.")
    first = 0 if "x_0" in table.frame else 1  # OpenFace counts from 0
    columns = [f"{axis}_{k}" for axis in "xy" for k in range(first, points + first)]
    clock = clock_of(table, "timestamp")
    table.need(columns)
    time = times(table, clock, slowest=_SLOWEST_FILM)
    place = table.matrix(columns, low=-1e5, high=1e5, blank=True, mend=_MEND)
    place = place.reshape(-1, 2, points).transpose(0, 2, 1)
    missing, found = np.isnan(place).sum(axis=(1, 2)), _detected(table)
    partly = (missing > 0) & (missing < 2 * points) & found
    table.refuse(partly, "some landmarks are empty", "Give all of a frame, or none.")
    lost = ~found | (missing > 0) | ~place.any(axis=(1, 2))
    if lost.all():
        raise ValueError(f"{name}: no frame has landmarks. Detect them again, or take its recording out.")
    faces = place if points == len(LANDMARKS) else place[:, LANDMARKS]
    tiny = np.zeros(len(table), bool)
    tiny[~lost] = np.ptp(faces[~lost], axis=1).max(axis=1) < SMALLEST
    small = f"the landmarks span less than {SMALLEST} pixels"
    table.refuse(tiny, small, "Give pixels, not shares of the picture.")
    try:
        normalised = normalise_landmarks(faces[~lost])
    except ValueError:
        flat = np.array([isinstance(tried(normalise_landmarks, face[None]), ValueError) for face in faces])
        table.refuse(flat & ~lost, "both eyes have one centre", "Correct its landmarks, or empty them.")
        raise
    slot = (time * RATE + 1e-6).astype(int)
    mean, gaps = _averaged(normalised, slot[~lost], slot[-1] + 1)
    counts["frames without landmarks: interpolated"] += gaps
    counts[STILL] += int((np.ptp(normalised, axis=0) == 0).sum())
    return mean


def _averaged(
    x: NDArray[np.floating], slot: NDArray[np.int64], slots: int
) -> tuple[NDArray[np.float64], int]:
    """The mean (slots, d) of the rows of each slot, and in how many slots it was interpolated, for want of rows."""
    total = np.zeros((slots, x.shape[1]))
    np.add.at(total, slot, x)
    number = np.bincount(slot, minlength=slots)
    seen, gaps = np.flatnonzero(number), np.flatnonzero(number == 0)
    mean = total / np.maximum(number, 1)[:, None]
    for column in mean.T:
        column[gaps] = np.interp(gaps, seen, column[seen])
    return mean, len(gaps)


def _detected(table: Table) -> NDArray[np.bool_]:
    """In which rows a face was found, (rows,): OpenFace says so in `success`; without that column, in all."""
    if "success" not in table.frame:
        return np.ones(len(table), bool)
    return table.numbers("success", low=0, high=1, whole=True, mend=_MEND) == 1


def assemble(
    recordings: Sequence[Recording], *, listed: str, excluded: Mapping[str, int] | None = None
) -> Conversion:
    """The fields of a RecordingSet, frames end to end; `listed` names where the recordings are listed.

    A field that only some recordings have is NaN in the others.

    Raises:
        ValueError: no training recording, a subject or pair in two splits, or a recording of four seconds or less,
            with files that differ by more than a second, or where no frame has two raters.
    """
    recordings = _as_first_spelt(recordings)
    _refuse_splits(recordings, listed)
    raters = list(dict.fromkeys(rater for recording in recordings for rater in recording.raters))
    adjusted: Counter[str] = Counter()
    # a spectrum ends where its sampling rate does, and half of the features depend on that
    rates = [read_wave(r.wave[1], name=r.wave[0], counts=Counter())[1] for r in recordings if r.wave]
    parts = []
    for recording in tqdm(recordings, desc="reading recordings", delay=5):
        adjusted += recording.counts
        parts.append(_cut(recording, raters, adjusted, min(rates, default=0)))
    frames = [len(part["ratings"]) for part in parts]
    arrays: dict[str, Any] = {
        name: np.array([getattr(recording, name) for recording in recordings])
        for name in ("subject", "pair", "split")
    }
    arrays |= {"recording": np.array([r.name for r in recordings]), "frames": np.array(frames, np.int64)}
    widths = {name: array.shape[1:] for part in parts for name, array in part.items()}
    for name, width in widths.items():
        blank = [np.full((number, *width), np.nan) for number in frames]
        series = [part.get(name, nothing) for part, nothing in zip(parts, blank, strict=True)]
        arrays[name] = np.concatenate(series).astype(np.float32)
    return arrays, {"excluded": dict(excluded or {}), "adjusted": dict(+adjusted)}


def _as_first_spelt(recordings: Sequence[Recording]) -> list[Recording]:
    """The same recordings; of names of people and raters that differ in case alone, the first stands for all."""
    subjects, pairs = (as_first_spelt(getattr(r, who) for r in recordings) for who in ("subject", "pair"))
    raters = iter(as_first_spelt(rater for r in recordings for rater in r.raters))
    spelt = []
    for recording, subject, pair in zip(recordings, subjects, pairs, strict=True):
        names = tuple(islice(raters, len(recording.raters)))
        if len(set(names)) < len(names):
            file, given = recording.series["valence"][0], ", ".join(recording.raters)
            raise ValueError(f"{file}, row 1 (the header): of {given}, two differ in case alone. Rename one.")
        spelt.append(replace(recording, subject=subject, pair=pair, raters=names))
    return spelt


def _refuse_splits(recordings: Sequence[Recording], listed: str) -> None:
    split, part = [recording.split for recording in recordings], "split"
    if set(split) == {IN_TURN}:
        split, part = [recording.pair for recording in recordings], "pair"
        if len(set(split)) < 3:
            raise ValueError(
                f"{listed}: {len(set(split))} pairs, and a test, a development and a training part need three. Add "
                "recordings, or name the pairs apart."
            )
    elif "train" not in split:
        raise ValueError(f"{listed}: no recording is of the split train. Add one.")
    for who in ("subject", "pair"):
        names = [getattr(recording, who) for recording in recordings]
        items = [recording.name for recording in recordings]
        refuse_two_splits(listed, who, names=names, split=split, items=items, part=part)


def _cut(
    recording: Recording, raters: Sequence[str], adjusted: Counter[str], sampling_rate: int
) -> dict[str, NDArray]:
    """Ratings (frames, raters, 2) of all `raters`, and the other series, as long as the shortest of its files.

    Features of speech are of `sampling_rate` samples a second, the fewest that a recording has.
    """
    lengths = {name: len(array) for name, array in recording.series.values()}
    if recording.wave:
        file, path = recording.wave
        samples, rate = read_wave(path, name=file, counts=adjusted)
        lengths[file] = int(len(samples) / rate * RATE + 0.01)
    short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
    frames = lengths[short]
    if lengths[long] - frames > RATE:
        raise ValueError(
            f"{short} lasts {frames / RATE:g} s and {long} {lengths[long] / RATE:g} s, of one recording. Restore the "
            "wrong one, give its times in seconds, or cut both to the same time."
        )
    if frames <= SHORTEST:
        needed = f"a recording needs more than {SHORTEST / RATE:g}"
        raise ValueError(f"{short} lasts {frames / RATE:g} s; {needed}. Take it out.")
    adjusted["recordings cut to their shortest file"] += lengths[long] > frames
    series = {name: array[:frames] for name, (_, array) in recording.series.items()}
    given = _of_raters(recording, raters, {d: series.pop(d) for d in AFFECT}, adjusted)
    if recording.wave:
        from paperlib.features import speech_features

        if rate > sampling_rate:
            common = math.gcd(rate, sampling_rate)
            samples = resample_poly(samples, sampling_rate // common, rate // common)
            adjusted["speech resampled to the lowest sampling rate"] += 1
            rate = sampling_rate
        series["audio"] = speech_features(samples, rate, frames=frames)
    return {"ratings": given, **series}


def _of_raters(
    recording: Recording, raters: Sequence[str], said: Mapping[str, NDArray], adjusted: Counter[str]
) -> NDArray[np.float64]:
    """Ratings (frames, raters, 2) of all `raters`, of what a recording's own `said` of each dimension."""
    frames = len(said[AFFECT[0]])
    ratings = np.full((frames, len(raters), 2), np.nan)
    places = [raters.index(rater) for rater in recording.raters]
    for k, dimension in enumerate(AFFECT):
        ratings[:, places, k] = said[dimension]
        number = np.isfinite(ratings[..., k]).sum(axis=1).max()
        if number < 2:
            file, problem = recording.series[dimension][0], "by one rater at most" if number else "by nobody"
            raise ValueError(
                f"{file}: {dimension} is rated {problem} in every frame, and a spread needs two. Add raters, or take "
                "the recording out."
            )
        for values in ratings[:, places, k].T:
            given = values[np.isfinite(values)]
            adjusted["constant rater in a recording"] += bool(len(given) and given.min() == given.max())
            left = np.isnan(values[-RATE:]).all()
            adjusted["rater who leaves a recording early"] += bool(len(given) and left)
    return ratings
