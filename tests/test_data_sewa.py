"""SEWA: a round trip of the layout, which recordings count, the gold standard's files, bad files."""

import pytest
from numpy.testing import assert_allclose, assert_array_equal
from wellformed import LAYOUTS, RATE, chats

from paperlib.data import load_sewa
from paperlib.data.requirements import requirements
from paperlib.features import normalise_landmarks, speech_features

RECORD, SOURCES = chats()
NAMES = ["Train_01", "Train_02", "Devel_01", "Test_01"]


@pytest.fixture
def written(tmp_path):
    LAYOUTS["sewa"].write(tmp_path / "sewa")
    return tmp_path / "sewa"


def load(folder):
    return load_sewa(folder.parent, cache=folder.parent / "cache")


def rename(folder, old, new):
    for path in sorted(folder.rglob(f"{old}*")):
        if path.suffix == ".csv" and path.parent.name == "labels":
            path.write_text(path.read_text().replace(old, new))
        path.rename(path.with_name(path.name.replace(old, new)))


def test_what_was_written_is_read_back(written):
    read = load(written)
    for name in ("subject", "pair", "split", "frames", "ratings", "gold"):
        assert_array_equal(getattr(read, name), getattr(RECORD, name))
    assert read.recording.tolist() == NAMES
    for i, (samples, points) in enumerate(zip(SOURCES["waveforms"], SOURCES["landmarks"], strict=True)):
        assert_array_equal(read.audio[read.rows(i)], speech_features(samples, RATE, frames=RECORD.frames[i]))
        assert_allclose(read.video[read.rows(i)], normalise_landmarks(points), rtol=1e-5, atol=1e-5)
    assert (read.name, read.rate, read.excluded, read.adjusted) == ("SEWA", 10, {}, {})
    assert load(written).fingerprint == read.fingerprint
    assert all(there for _, there in requirements("sewa", written.parent))


def test_the_names_of_2018_come_in_order_and_other_languages_are_counted(written):
    for old, new in zip(NAMES, ("Train_DE_10", "Train_DE_9", "Devel_DE_01", "Test_DE_01"), strict=True):
        rename(written, old, new)
    (written / "recordings.csv").unlink()
    (written / "audio" / "Test_HU_01.wav").touch()
    read = load(written)
    assert read.recording.tolist() == ["Train_DE_9", "Train_DE_10", "Devel_DE_01", "Test_DE_01"]
    assert read.split.tolist() == ["train", "train", "validation", "test"]
    assert read.subject.tolist() == read.pair.tolist() == read.recording.tolist()
    assert_array_equal(read.ratings[read.rows(0)], RECORD.ratings[RECORD.rows(1)])
    assert read.excluded == {"recording in another language than German": 1}


def test_without_labels_and_annotations_a_recording_is_counted(written):
    for name in ("annotations/Test_01_valence", "annotations/Test_01_arousal", "labels/Test_01"):
        (written / f"{name}.csv").unlink()
    read = load(written)
    assert read.recording.tolist() == NAMES[:3]
    assert read.excluded == {"recording without labels and annotations": 1}


def test_files_and_rows_that_are_not_read_are_counted(written):
    for name in ("audio/Train_01.WAV", "audio/Train_01.mp3", "landmarks/notes.txt"):
        (written / name).touch()
    with (written / "recordings.csv").open("a") as file:
        file.write("Train_09;p9;nine\n")
    assert load(written).excluded == {
        "file of another ending than .wav in audio": 2,
        "file of another ending than .csv in landmarks": 1,
        "row of recordings.csv without files": 1,
    }


def test_labels_without_traces_are_refused(written):
    for path in (written / "annotations").glob("Devel_01*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="^labels/Devel_01.csv has no counterpart in annotations: th"):
        load(written)
    for path in (written / "labels").iterdir():
        path.unlink()
    assert load(written).gold is None
    for path in (written / "annotations").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match="holds no rated recording .*'recording without labels and a"):
        load(written)


def test_labels_may_have_a_header(written):
    path = written / "labels" / "Train_01.csv"
    text = path.read_text()
    path.write_text("Instance_name;timeStamp;Arousal;Valence;Liking\n" + text)
    assert_array_equal(load(written).gold, RECORD.gold)
