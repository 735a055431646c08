"""SEWA: a round trip of the layout, which recordings count, the gold standard's files, bad files."""

import numpy as np
import pandas as pd
import pytest
from layouts import write_sewa
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.data import RecordingSet, load_sewa
from paperlib.data.requirements import requirements
from paperlib.features import normalise_landmarks, speech_features

FRAMES = [50, 42, 45, 48]
RATE = 8000  # samples a second; SEWA has 44,100 or 48,000
NAMES = ["Train_01", "Train_02", "Devel_01", "Test_01"]


@pytest.fixture(scope="module")
def record():
    """Four recordings of some five seconds, six raters, and a gold standard that the test recording lacks."""
    rng = np.random.default_rng(0)
    ratings = rng.uniform(-1, 1, (sum(FRAMES), 6, 2)).astype(np.float32)
    ratings[3, 1, 0] = np.nan
    gold = ratings[:, 0].copy()
    gold[-FRAMES[-1] :] = np.nan
    return RecordingSet(
        name="written",
        recording=np.array(["a", "b", "c", "d"]),
        subject=np.array(["p1", "p2", "p3", "p4"]),
        pair=np.array(["one", "one", "two", "three"]),
        split=np.array(["train", "train", "validation", "test"]),
        frames=np.array(FRAMES),
        ratings=ratings,
        gold=gold,
        fingerprint="",
    )


@pytest.fixture(scope="module")
def sources():
    """Noise in steps that sixteen bits hold, and a face for each frame."""
    rng = np.random.default_rng(1)
    return {
        "waveforms": [rng.integers(-(2**14), 2**14, n * RATE // 10) / 2**15 for n in FRAMES],
        "landmarks": [rng.uniform(0, 500, (n, 49, 2)) for n in FRAMES],
    }


@pytest.fixture
def written(record, sources, tmp_path):
    write_sewa(record, tmp_path / "sewa", **sources, sampling_rate=RATE, video_rate=10)
    return tmp_path / "sewa"


def load(folder):
    return load_sewa(folder.parent, cache=folder.parent / "cache")


def rename(folder, old, new):
    for path in sorted(folder.rglob(f"{old}*")):
        if path.suffix == ".csv" and path.parent.name == "labels":
            path.write_text(path.read_text().replace(old, new))
        path.rename(path.with_name(path.name.replace(old, new)))


def change(path, row=None, drop=(), **cells):
    """Change cells of a row (the header is row 1), or whole columns."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, sep=";").drop(columns=list(drop))
    for column, value in cells.items():
        table.loc[slice(None) if row is None else row - 2, column] = value
    table.to_csv(path, index=False, sep=";")


def test_what_was_written_is_read_back(record, sources, written):
    read = load(written)
    for name in ("subject", "pair", "split", "frames", "ratings", "gold"):
        assert_array_equal(getattr(read, name), getattr(record, name))
    assert read.recording.tolist() == NAMES
    for i, (samples, points) in enumerate(zip(*sources.values(), strict=True)):
        assert_array_equal(read.audio[read.rows(i)], speech_features(samples, RATE, frames=FRAMES[i]))
        assert_allclose(read.video[read.rows(i)], normalise_landmarks(points), rtol=1e-5, atol=1e-5)
    assert (read.name, read.rate, read.excluded, read.adjusted) == ("SEWA", 10, {}, {})
    assert load(written).fingerprint == read.fingerprint
    assert all(there for _, there in requirements("sewa", written.parent))


def test_the_names_of_2018_come_in_order_and_other_languages_are_counted(record, written):
    for old, new in zip(NAMES, ("Train_DE_10", "Train_DE_9", "Devel_DE_01", "Test_DE_01"), strict=True):
        rename(written, old, new)
    (written / "recordings.csv").unlink()
    (written / "audio" / "Test_HU_01.wav").touch()
    read = load(written)
    assert read.recording.tolist() == ["Train_DE_9", "Train_DE_10", "Devel_DE_01", "Test_DE_01"]
    assert read.split.tolist() == ["train", "train", "validation", "test"]
    assert read.subject.tolist() == read.pair.tolist() == read.recording.tolist()
    assert_array_equal(read.ratings[read.rows(0)], record.ratings[record.rows(1)])
    assert read.excluded == {"recording in another language than German": 1}


def test_without_labels_and_annotations_a_recording_is_counted(record, written):
    for dimension in ("valence", "arousal"):
        (written / "annotations" / f"Test_01_{dimension}.csv").unlink()
    read = load(written)
    assert read.recording.tolist() == NAMES[:3]
    assert read.excluded == {"recording without labels and annotations": 1}


def test_without_any_labels_there_is_no_gold_standard(written):
    for path in (written / "labels").iterdir():
        path.unlink()
    assert load(written).gold is None


def test_labels_without_traces_are_refused(written):
    for path in (written / "annotations").glob("Devel_01*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="^labels/Devel_01.csv has no counterpart in annotations: th"):
        load(written)
    for folder in ("annotations", "labels"):
        for path in (written / folder).iterdir():
            path.unlink()
    with pytest.raises(FileNotFoundError, match="holds no rated recording .*'recording without labels and a"):
        load(written)


def test_labels_may_have_a_header_which_is_checked(record, written):
    path = written / "labels" / "Train_01.csv"
    text = path.read_text()
    path.write_text("Instance_name;timeStamp;Arousal;Valence;Liking\n" + text)
    assert_array_equal(load(written).gold, record.gold)
    path.write_text("name;time;valence;arousal;liking\n" + text)
    with pytest.raises(ValueError, match="^labels/Train_01.csv, row 1: 'name;time;valence;.* are not the co"):
        load(written)
    path.write_text(text.replace(";0.0\n", "\n"))
    with pytest.raises(ValueError, match="^labels/Train_01.csv, row 1: 'Train_01;.* are not the columns"):
        load(written)


def test_labels_of_other_length_are_cut_and_counted_up_to_a_second(record, written):
    path = written / "labels" / "Devel_01.csv"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:43]))
    read = load(written)
    assert read.frames.tolist() == [50, 42, 43, 48]
    assert_array_equal(read.ratings[read.rows(2)], record.ratings[record.rows(2)][:43])
    assert read.adjusted == {"recordings cut to their shortest file": 1}
    path.write_text("".join(lines[:34]))
    with pytest.raises(ValueError, match="^labels/Devel_01.csv lasts 3.4 s and annotations/Devel_01_val"):
        load(written)


def test_one_rater_is_too_few(written):
    for dimension in ("valence", "arousal"):
        raters = [f"rater_{k}" for k in range(2, 7)]
        change(written / "annotations" / f"Devel_01_{dimension}.csv", drop=raters)
    with pytest.raises(ValueError, match="^annotations/Devel_01_valence.csv: valence is rated by one rater"):
        load(written)
