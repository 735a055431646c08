"""Records written out in the official layouts, for tests of their readers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy.io import wavfile

from paperlib.data import (
    afewva,
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
from paperlib.data.categories import PSEUDO
from paperlib.data.records import FaceSet, RecordingSet, SequenceSet
from paperlib.labels import AFFECT, EXPRESSIONS


def write_ferplus(faces: FaceSet, root: Path | str) -> None:
    """From 48-pixel grey faces: votes up to ten are unknown; a face without any is ten times "not a face"."""
    ours = {EXPRESSIONS.index(name): number for number, name in enumerate(ferplus.ORIGINAL)}
    usage = pd.Series(faces.split).map({ours: theirs for theirs, ours in ferplus.SPLITS.items()})
    pixels = [" ".join(map(str, image.ravel())) for image in faces.images]
    table = {"emotion": pd.Series(faces.original).map(ours), "pixels": pixels, "Usage": usage}
    root = _folder(root)
    pd.DataFrame(table).to_csv(root / "fer2013.csv.gz", index=False)

    total = faces.votes.sum(axis=1)
    named = total > 0
    names = [f"fer{number:07d}.png" for number in named.cumsum() - 1]
    columns = {"Usage": usage, "Image name": np.where(named, names, "")}
    columns |= {theirs: faces.votes[:, EXPRESSIONS.index(ours)] for ours, theirs in ferplus.VOTES.items()}
    columns |= {"unknown": np.where(named, 10 - total, 0), "NF": np.where(named, 0, 10)}
    pd.DataFrame(columns).to_csv(root / "fer2013new.csv", index=False)


def write_affectnet_csv(faces: FaceSet, root: Path | str) -> None:
    """The box is the whole picture."""
    root, size = _folder(root), faces.images.shape[1]
    names = _write_pictures(faces.images, root / affectnet.PICTURES[0] / "1", "png")
    expression, affect, landmarks = _affectnet_labels(faces)
    table = pd.DataFrame({"subDirectory_filePath": [f"1/{name}" for name in names]})
    table[["face_x", "face_y", "face_width", "face_height"]] = 0, 0, size, size
    table["facial_landmarks"] = [";".join(map(str, points.ravel())) for points in landmarks]
    table["expression"], table["valence"], table["arousal"] = expression, affect[:, 0], affect[:, 1]
    for split, name in affectnet.CSV_SPLITS.items():
        table[faces.split == split].to_csv(root / name, index=False)


def write_affectnet_folders(faces: FaceSet, root: Path | str) -> None:
    """JPEG does not keep pixels exactly."""
    expression, affect, landmarks = _affectnet_labels(faces)
    for split, folder in affectnet.FOLDER_SPLITS.items():
        rows = np.flatnonzero(faces.split == split)
        names = _write_pictures(faces.images[rows], Path(root) / folder / "images", "jpg")
        annotations = _folder(Path(root) / folder / "annotations")
        for row, name in zip(rows, names, strict=True):
            values = {"val": str(affect[row, 0]), "aro": str(affect[row, 1]), "exp": str(expression[row])}
            for key, value in {**values, "lnd": landmarks[row].ravel()}.items():
                np.save(annotations / f"{Path(name).stem}_{key}.npy", np.array(value))


def _affectnet_labels(faces: FaceSet) -> tuple[NDArray[np.int8], NDArray[np.float32], NDArray[np.float32]]:
    none = affectnet.CATEGORIES.index("none")
    expression = np.where(faces.expression < 0, none, faces.expression).astype(np.int8)
    return expression, np.where(np.isnan(faces.affect), affectnet.NO_VALUE, faces.affect), faces.landmarks


def write_affwild(faces: FaceSet, root: Path | str) -> None:
    """The first release: `subject` is the video, whose frames stand in their order, counted from 1."""
    for video, rows in pd.Series(faces.subject).groupby(faces.subject).indices.items():
        for k, dimension in enumerate(AFFECT):
            folder = _folder(Path(root) / affwild.ANNOTATIONS[0] / dimension)
            np.savetxt(folder / f"{video}.txt", faces.affect[rows, k], fmt="%.9g")
        names = [f"{number:05d}.png" for number in range(1, len(rows) + 1)]
        _save_pictures(faces.images[rows], Path(root) / affwild.FRAMES[0] / str(video), names)


def write_afewva(faces: FaceSet, root: Path | str) -> None:
    """A clip for each subject, of tenths; pictures are whole, and the load cuts them to their landmarks."""
    numbers = np.rint(faces.affect * afewva.SCALE).astype(int).tolist()
    code, actors = pd.factorize(faces.subject)
    for k, actor in enumerate(actors):
        rows, clip = np.flatnonzero(code == k), f"{k + 1:03d}"
        frames = {}
        for number, row in enumerate(rows):
            points = faces.landmarks[row].astype(float).tolist()
            frames[f"{number:05d}"] = dict(zip(AFFECT, numbers[row], strict=True)) | {"landmarks": points}
        folder = _folder(Path(root) / clip)
        content = {"actor": str(actor), "frames": frames, "video_id": clip}
        (folder / f"{clip}.json").write_text(json.dumps(content), encoding="utf-8")
        _save_pictures(faces.images[rows], folder, [f"{name}.png" for name in frames])


def write_morphset(faces: FaceSet, root: Path | str) -> None:
    """Subjects become 1, 2 and so on, in order of appearance."""
    codes = {EXPRESSIONS.index(name): code for code, name in reversed(morphset.CODES.items())}
    names = _write_pictures(faces.images, Path(root) / morphset.PICTURES, "png")
    table = pd.DataFrame({"Filename": names, "Subject": pd.factorize(faces.subject)[0] + 1})
    table["Emotion Label"] = pd.Series(faces.expression).map(codes)
    table["Arousal"], table["Valence"] = faces.affect[:, 1], faces.affect[:, 0]
    table.to_csv(Path(root) / morphset.TABLE, index=False)


def write_rafdb(faces: FaceSet, root: Path | str) -> None:
    """With the affect that faces have as valence_arousal.csv. JPEG does not keep pixels exactly."""
    labels = [rafdb.CATEGORIES.index(name) + 1 for name in _names(faces)]
    number = pd.Series(faces.split).groupby(faces.split).cumcount() + 1
    digits = {"train": 5, "test": 4}
    names = [f"{split}_{n:0{digits[split]}d}" for split, n in zip(faces.split, number, strict=True)]
    _save_pictures(faces.images, Path(root) / rafdb.PICTURES[1], [f"{name}_aligned.jpg" for name in names])
    files = [f"{name}.jpg" for name in names]
    path = Path(root) / rafdb.LIST
    _folder(path.parent)
    lines = (f"{file} {label}\n" for file, label in zip(files, labels, strict=True))
    path.write_text("".join(lines), encoding="utf-8")
    _write_pseudo(faces, Path(root), files)


def write_sfew(faces: FaceSet, root: Path | str) -> None:
    """A picture is named by film (one for each subject), time and frame."""
    ours = {name: label for label, name in sfew.CLASSES.items()}
    files, names = [], []
    for n, (film, category) in enumerate(zip(pd.factorize(faces.subject)[0], _names(faces), strict=True)):
        file = f"{ours[category]}/Film{film + 1:03d}_{n:09d}_00000001.png"
        files.append(f"{sfew.FOLDERS[faces.split[n]][1]}/{file}")
        names.append(f"{sfew.SPLITS[faces.split[n]]}/{file}")
    _save_pictures(faces.images, Path(root), files)
    _write_pseudo(faces, Path(root), names)


def _names(faces: FaceSet) -> list[str]:
    return [EXPRESSIONS[number] for number in np.asarray(faces.expression)]


def _write_pseudo(faces: FaceSet, root: Path, names: list[str]) -> None:
    table = pd.DataFrame(faces.affect, columns=list(AFFECT))
    table.insert(0, "name", names)
    if not (table := table.dropna()).empty:
        table.to_csv(root / PSEUDO, index=False)


def write_amigos(sequences: SequenceSet, root: Path | str, *, action_units: str = "openface") -> None:
    """A file of action units per recording, "openface" (.csv) or "json"; features are (n, 500, 10).

    A recording's segments stand in their order. Subjects, and the videos of each, are counted in order of appearance.
    """
    root = _folder(root)
    keys = pd.DataFrame({"subject": sequences.subject, "recording": sequences.recording})
    keys["user"] = pd.factorize(keys["subject"])[0] + 1
    keys["video"] = keys.groupby("user")["recording"].transform(lambda names: pd.factorize(names)[0] + 1)
    keys["segment"] = keys.groupby(["user", "video"]).cumcount()
    table = pd.DataFrame({"UserID": keys["user"], "VideoID": keys["video"], "Segment_Index": keys["segment"]})
    for k, pair in enumerate(amigos.RATINGS):
        table[pair] = sequences.ratings[:, k].astype(float)
    table.to_excel(root / amigos.ANNOTATIONS, index=False)
    keys["file"] = [f"P{user:02d}_{video}" for user, video in zip(keys["user"], keys["video"], strict=True)]
    for name, rows in keys.groupby("file").indices.items():
        path = _folder(root / amigos.FOLDER) / str(name)
        frames = sequences.features[rows].reshape(-1, len(amigos.ACTION_UNITS))
        _write_openface(path, frames) if action_units == "openface" else _write_json(path, frames)


def _write_openface(path: Path, frames: NDArray[np.float32]) -> None:
    table = pd.DataFrame(frames, columns=[f"{name}_r" for name in amigos.ACTION_UNITS])
    time = np.arange(len(frames)) / amigos.FRAMES_PER_SECOND
    table = table.assign(frame=np.arange(len(frames)) + 1, timestamp=time, confidence=0.98, success=1)
    table.to_csv(path.with_suffix(".csv"), index=False)


def _write_json(path: Path, frames: NDArray[np.float32]) -> None:
    content = {"fps": amigos.FRAMES_PER_SECOND, "action_units": list(amigos.ACTION_UNITS)}
    content["frames"] = frames.astype(float).tolist()
    path.with_suffix(".json").write_text(json.dumps(content), encoding="utf-8")


def write_manifest(faces: FaceSet, root: Path | str) -> None:
    """manifest.csv with images/ and, where there are any, landmarks/."""
    root = _folder(root)
    names = _write_pictures(faces.images, root / "images", "png")
    table = pd.DataFrame({"path": [f"images/{name}" for name in names], "split": faces.split})
    if faces.subject is not None:
        table["subject"] = faces.subject
    if faces.expression is not None:
        table["expression"] = [EXPRESSIONS[number] if number >= 0 else "" for number in faces.expression]
    table[list(AFFECT)] = faces.affect
    for k in range(0 if faces.ratings is None else faces.ratings.shape[1]):
        table[[f"rater_{k + 1}_{dimension}" for dimension in AFFECT]] = faces.ratings[:, k]  # type: ignore[index]
    if faces.landmarks is not None:
        folder = _folder(root / "landmarks")
        for name, points in zip(names, faces.landmarks, strict=True):
            np.save(folder / f"{Path(name).stem}.npy", points)
        table["landmarks"] = [f"landmarks/{Path(name).stem}.npy" for name in names]
    table.to_csv(root / manifest.NAME, index=False)


def write_sewa(
    record: RecordingSet,
    root: Path | str,
    *,
    waveforms: Sequence[NDArray],
    landmarks: Sequence[NDArray],
    sampling_rate: int = 48_000,
    video_rate: float = 25.0,
) -> None:
    """With labels/ of recordings that have a gold standard; recordings and raters are named anew, in their order.

    `waveforms` (samples,) from -1 to 1 and `landmarks` (video frames, 49, 2) are one for each recording.
    """
    top = Path(root)
    ours = {split: part for part, split in sewa.PARTS.items()}
    number = pd.Series(record.split).groupby(record.split).cumcount() + 1
    names = [f"{ours[split]}_{n:02d}" for split, n in zip(record.split, number, strict=True)]
    for i, name in enumerate(names):
        for k, dimension in enumerate(AFFECT):
            table = _rating_columns(record.ratings[record.rows(i), :, k])
            _write_series(table, top / sewa.ANNOTATIONS / f"{name}_{dimension}.csv", rate=record.rate)
        gold = np.empty((0, 2)) if record.gold is None else record.gold[record.rows(i)]
        if np.isfinite(gold).any():
            time = np.arange(len(gold)) / record.rate
            labels = pd.DataFrame({"name": name, "time": time, "arousal": gold[:, 1], "valence": gold[:, 0]})
            path = _folder(top / sewa.LABELS) / f"{name}.csv"
            labels.assign(liking=0.0).to_csv(path, sep=";", header=False, index=False)
        _write_wave(waveforms[i], top / sewa.AUDIO / f"{name}.wav", sampling_rate)
        _write_series(_landmark_columns(landmarks[i]), top / sewa.LANDMARKS / f"{name}.csv", rate=video_rate)
    who = pd.DataFrame({"recording": names, "subject": record.subject, "pair": record.pair})
    who.to_csv(top / recordings.NAME, sep=";", index=False)


def write_recordings(
    record: RecordingSet,
    root: Path | str,
    *,
    waveforms: Sequence[NDArray] | None = None,
    landmarks: Sequence[NDArray] | None = None,
    sampling_rate: int = 48_000,
    video_rate: float = 25.0,
) -> None:
    """With audio/ and landmarks/ as in `write_sewa`; without them, features of `record.audio` or `record.video`."""
    top = _folder(root)
    table = pd.DataFrame({"recording": record.recording, "split": record.split})
    table["subject"], table["pair"] = record.subject, record.pair

    def add(column: str, suffix: str = "csv") -> list[Path]:
        table[column] = [f"{column}/{name}.{suffix}" for name in record.recording]
        return [top / file for file in table[column]]

    for i, path in enumerate(add("ratings")):
        pairs = [_rating_columns(record.ratings[record.rows(i), :, k], f"_{d}") for k, d in enumerate(AFFECT)]
        _write_series(pd.concat(pairs, axis=1), path, rate=record.rate)
    if waveforms is not None:
        for samples, path in zip(waveforms, add("audio", "wav"), strict=True):
            _write_wave(samples, path, sampling_rate)
    if landmarks is not None:
        for points, path in zip(landmarks, add("landmarks"), strict=True):
            _write_series(_landmark_columns(points), path, rate=video_rate)
    instead = {
        "audio_features": record.audio if waveforms is None else None,
        "video_features": record.video if landmarks is None else None,
    }
    for column, values in instead.items():
        for i, path in enumerate(add(column) if values is not None else []):
            features = pd.DataFrame(values[record.rows(i)]).add_prefix("feature_")  # type: ignore[index]
            _write_series(features, path, rate=record.rate)
    table.to_csv(top / recordings.NAME, index=False)


def write_studyforrest(
    root: Path | str,
    *,
    episodes: Mapping[str, pd.DataFrame],
    pictures: pd.DataFrame,
    sound: pd.DataFrame,
    film: studyforrest.Film,
    overlap: float = 16.2,
) -> None:
    """`pictures` and `sound` are of the whole film, 25 rows a second.

    A run goes on for `overlap` seconds after the start of the next; it is grey in the first two and last three of them.
    """
    top = Path(root)
    for rater, table in episodes.items():
        path = top / studyforrest.RATINGS / "raw" / f"{rater}.csv"
        _folder(path.parent)
        table.assign(character="JENNY", emotion="").to_csv(path, index=False)
    for k, start in enumerate(film.starts):
        first = round(start * 25)
        last = len(pictures) if k + 1 == len(film.starts) else round((film.starts[k + 1] + overlap) * 25)
        seen = pictures.iloc[first:last].reset_index(drop=True)
        faded = [*seen.index[: 50 * (k > 0)], *seen.index[len(seen) - 75 * (last < len(pictures)) :]]
        seen.loc[faded, "brmean"] = 128.0
        for kind, table in (("audio", sound.iloc[first:last].reset_index(drop=True)), ("visual", seen)):
            onset = [f"{i / 25:.2f}" for i in range(len(table))]
            path = top / studyforrest.SEGMENTS / f"conf_{kind}_run-{k + 1}_events.tsv"
            _folder(path.parent)
            table.assign(onset=onset, duration=0.04, phash="80").to_csv(path, sep="\t", index=False)
    for name in (studyforrest.MUSIC, studyforrest.SPEECH, studyforrest.SHOTS):
        _folder((top / name).parent)
    (top / studyforrest.MUSIC).write_text("onset\tduration\tfg\n10.000\t5.000\t1\n100.000\t60.000\t0\n")
    (top / studyforrest.SPEECH).write_text('"start","end","person","text"\n3.0,4.52,"JENNY","Run, run!"\n')
    (top / studyforrest.SHOTS).write_text("0.0\r\n50.4\r\n")


def _rating_columns(ratings: NDArray[np.float32], suffix: str = "") -> pd.DataFrame:
    return pd.DataFrame(ratings, columns=[f"rater_{k + 1}{suffix}" for k in range(ratings.shape[1])])


def _landmark_columns(points: NDArray) -> pd.DataFrame:
    columns = [f"{axis}_{k + 1}" for axis in "xy" for k in range(points.shape[1])]
    return pd.DataFrame(points.transpose(0, 2, 1).reshape(len(points), -1), columns=columns)


def _write_series(table: pd.DataFrame, path: Path, *, rate: float) -> None:
    _folder(path.parent)
    table.insert(0, "time", np.arange(len(table)) / rate)
    table.to_csv(path, sep=";", index=False)


def _write_wave(samples: NDArray, path: Path, sampling_rate: int) -> None:
    _folder(path.parent)
    wavfile.write(path, sampling_rate, np.round(samples * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16))


def _write_pictures(images: NDArray[np.uint8], folder: Path, suffix: str) -> list[str]:
    names = [f"{number:06d}.{suffix}" for number in range(len(images))]
    _save_pictures(images, folder, names)
    return names


def _save_pictures(images: NDArray[np.uint8], folder: Path, names: list[str]) -> None:
    for name, image in zip(names, images, strict=True):
        _folder((folder / name).parent)
        Image.fromarray(image).save(folder / name, quality=95)


def _folder(path: Path | str) -> Path:
    Path(path).mkdir(parents=True, exist_ok=True)
    return Path(path)
