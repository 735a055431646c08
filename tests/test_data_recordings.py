"""One's own recordings: round trips of files and features, how series meet the frames, bad files."""

import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from damage import cells, rows
from layouts import write_recordings
from numpy.testing import assert_allclose, assert_array_equal
from scipy.io import wavfile

from paperlib.data import RecordingSet, load_recordings
from paperlib.data.recordings import read_wave
from paperlib.data.records import tested_in_turn as with_test
from paperlib.data.records import turns
from paperlib.features import LANDMARKS, normalise_landmarks, speech_features

FRAMES = [60, 45, 52, 48]
RATE = 8000  # samples a second


@pytest.fixture(scope="module")
def record():
    """Four recordings of some five seconds, three raters, seven features of the voice and five of the face."""
    rng = np.random.default_rng(0)
    ratings = rng.uniform(-1, 1, (sum(FRAMES), 3, 2)).astype(np.float32)
    ratings[3, 1] = np.nan
    return RecordingSet(
        name="mine",
        recording=np.array(["a", "b", "c", "d"]),
        subject=np.array(["ana", "ana", "ben", "eva"]),
        pair=np.array(["a", "b", "c", "d"]),
        split=np.array(["train", "train", "validation", "test"]),
        frames=np.array(FRAMES),
        ratings=ratings,
        audio=rng.normal(size=(sum(FRAMES), 7)).astype(np.float32),
        video=rng.normal(size=(sum(FRAMES), 5)).astype(np.float32),
        fingerprint="",
    )


@pytest.fixture(scope="module")
def waveforms():
    """Noise in steps that sixteen bits hold."""
    rng = np.random.default_rng(1)
    return [rng.integers(-(2**14), 2**14, n * RATE // 10) / 2**15 for n in FRAMES]


@pytest.fixture(scope="module")
def landmarks():
    """Faces at twenty pictures a second."""
    rng = np.random.default_rng(2)
    return [rng.uniform(0, 500, (2 * n, 49, 2)) for n in FRAMES]


@pytest.fixture
def written(record, tmp_path):
    """Ratings and features."""
    write_recordings(record, tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def filmed(record, waveforms, landmarks, tmp_path):
    """Ratings, speech and landmarks."""
    sources = {"waveforms": waveforms, "landmarks": landmarks}
    write_recordings(record, tmp_path / "mine", **sources, sampling_rate=RATE, video_rate=20)
    return tmp_path / "mine"


def load(folder):
    return load_recordings(folder, cache=folder.parent / "cache")


def test_written_features_are_read_back(record, written):
    read = load(written)
    for name in ("recording", "subject", "pair", "split", "frames", "ratings", "audio", "video"):
        assert_array_equal(getattr(read, name), getattr(record, name))
    assert (read.name, read.gold, read.rate, read.excluded, read.adjusted) == ("mine", None, 10, {}, {})
    by_name = load_recordings(written / "recordings.csv", cache=written.parent / "cache")
    assert by_name.fingerprint == read.fingerprint


def test_written_speech_and_landmarks_become_features(record, filmed, waveforms, landmarks):
    read = load(filmed)
    for i, (samples, points) in enumerate(zip(waveforms, landmarks, strict=True)):
        frames = read.rows(i)
        assert_array_equal(read.audio[frames], speech_features(samples, RATE, frames=FRAMES[i]))
        pairs = normalise_landmarks(points).reshape(FRAMES[i], 2, 98)
        assert_allclose(read.video[frames], pairs.mean(axis=1), rtol=1e-4, atol=1e-4)
    assert_array_equal(read.ratings, record.ratings)
    assert read.adjusted == {}


def test_who_is_unknown_is_the_recording_itself_and_one_modality_is_enough(written):
    cells(drop=["subject", "video_features"], pair="")(written / "recordings.csv")
    read = load(written)
    assert read.subject.tolist() == read.pair.tolist() == ["a", "b", "c", "d"]
    assert read.video is None and read.audio.shape == (sum(FRAMES), 7)


def test_with_the_split_in_turn_each_pair_is_the_test_once(record, written):
    cells(split="in turn", subject="", pair="")(written / "recordings.csv")
    read = load(written)
    assert turns(read) == ["a", "b", "c", "d"]
    assert with_test(read, "c").split.tolist() == ["train", "validation", "test", "train"]
    assert_array_equal(read.ratings, record.ratings)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        (
            {"pair": "x"},
            "recordings.csv: 1 pairs, and a test, a development and a training part need three. Add",
        ),
        ({}, "recordings.csv: subject 'ana' is in two pairs, a in a and b in b. .* put both in one pair"),
    ],
)
def test_turns_that_cannot_be_are_refused(written, who, message):
    cells(split="in turn", **who)(written / "recordings.csv")
    with pytest.raises(ValueError, match=message):
        load(written)


def said(time, rater):
    """What a rater says in valence and arousal at these seconds: lines, which interpolation leaves as they are."""
    slope = {"ana": 0.1, "ben": -0.06, "eva": 0.15}[rater]
    return {f"{rater}_valence": slope * (time - 3), f"{rater}_arousal": 0.5 - slope * time}


def put(folder, scale="", **tables):
    """Recording a's ratings as these CSVs of a folder; each names rows by their seconds, and its raters."""
    (folder / "ratings" / "a").mkdir()
    for name, table in tables.items():
        pd.DataFrame(table).to_csv(folder / "ratings" / "a" / f"{name}.csv", index=False)
    (folder / "ratings" / "a.csv").unlink()
    cells(2, ratings="ratings/a", scale=scale)(folder / "recordings.csv")


def check_said(read, missing, adjusted):
    """Ana and ben of recording a: `missing` has the frames without ratings."""
    frames = np.arange(60)
    at = [read.ratings[:60, k] for k in range(2)]
    for rater, found in zip(("ana", "ben"), at, strict=True):
        expected = np.stack([*said(frames / 10, rater).values()], axis=1)
        gone = np.isin(frames, [*missing.get(rater, [])])
        assert_allclose(found, np.where(gone[:, None], np.nan, expected), atol=1e-6)
    assert read.adjusted == adjusted


RESAMPLED = "series resampled to 10 a second"
LEFT = "rater who leaves a recording early"


def test_each_rater_may_have_a_file_with_a_rate_and_a_start_of_its_own(written):
    quick, slow = np.arange(300) / 50, 0.5 + np.arange(14) / 4  # ben begins at 0.5 s, and leaves at 3.75
    put(written, ana={"time": quick, **said(quick, "ana")}, ben={"time": slow, **said(slow, "ben")})
    missing = {"ben": [*range(5), *range(38, 60)]}
    check_said(load(written), missing, {RESAMPLED: 2, LEFT: 2})


def test_raters_of_two_rates_may_share_a_file(written):
    time = np.arange(360) / 60
    both = said(time, "ana") | said(time, "ben")
    for rater, every in (("ana", 3), ("ben", 20)):  # twenty times a second, and three times
        for column in said(time, rater):
            both[column] = np.where(np.arange(360) % every, np.nan, both[column])
    pd.DataFrame({"time": time, **both}).to_csv(written / "ratings" / "a.csv", index=False)
    check_said(load(written), {"ben": range(57, 60)}, {RESAMPLED: 1})


def test_two_dimensions_may_lie_in_two_files_and_times_be_milliseconds(written):
    time = np.arange(60) / 10
    both = said(time, "ana") | said(time, "ben")
    of = {d: {k: v for k, v in both.items() if k.endswith(d)} for d in ("valence", "arousal")}
    arousal = {"time_ms": np.arange(60) * 100, **of["arousal"]}
    put(written, valence={"time": time, **of["valence"]}, arousal=arousal)
    check_said(load(written), {}, {"files with times in milliseconds": 1})


@pytest.mark.parametrize(
    ("rate", "gap", "missing"), [(10, (25, 32), range(25, 32)), (20, (31, 50), range(16, 25))]
)
def test_missing_rows_are_missing_ratings(written, rate, gap, missing):
    time = np.delete(np.arange(6 * rate) / rate, slice(*gap))
    both = {"time": time, **said(time, "ana"), **said(time, "ben")}
    pd.DataFrame(both).to_csv(written / "ratings" / "a.csv", index=False)
    adjusted = {"gaps in the times of ratings: missing": 1} | ({RESAMPLED: 1} if rate > 10 else {})
    check_said(load(written), dict.fromkeys(("ana", "ben"), missing), adjusted)


@pytest.mark.parametrize(
    ("scale", "ends"), [("0 to 100", (0, 100)), ("7 to 1", (7, 1)), ("-2.5 to 2.5", (-2.5, 2.5))]
)
def test_a_scale_is_brought_to_minus_one_to_one(written, scale, ends):
    time = np.arange(60) / 10
    both = said(time, "ana") | said(time, "ben")
    both = {k: ends[0] + (v + 1) / 2 * (ends[1] - ends[0]) for k, v in both.items()}
    put(written, scale, all={"time": time, **both})
    check_said(load(written), {}, {"recordings brought from another scale to -1 to 1": 1})


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({}, "recordings.csv, row 2 .*: the folder ratings/a holds no CSV"),
        (
            {"one": said(0, "ana"), "two": said(0, "ana")},
            "a/two.csv, row 1 .*: ana_valence is in ratings/a/one.csv too",
        ),
        ({"one": {"ana_valence": 0}}, "a: no column ana_arousal, only ana_valence. Each rater rates both"),
        ({"one": {"mood": 0}}, "ratings/a/one.csv, row 1 .*: no rater. Name columns"),
    ],
)
def test_folders_of_ratings_that_cannot_be_are_refused(written, tables, message):
    put(written, **{name: {"time": np.arange(60) / 10, **columns} for name, columns in tables.items()})
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load(written)


def test_ratings_that_start_late_are_missing_before(record, written):
    rows(slice(12, None))(written / "ratings" / "a.csv")
    read = load(written)
    assert np.isnan(read.ratings[:12]).all()
    assert_array_equal(read.ratings[12:60], record.ratings[12:60])
    assert read.adjusted == {}


def test_files_that_differ_by_up_to_a_second_are_cut_to_the_shortest(record, written):
    rows(slice(0, 42))(written / "ratings" / "c.csv")
    read = load(written)
    assert read.frames.tolist() == [60, 45, 42, 48]
    assert_array_equal(read.video[read.rows(2)], record.video[record.rows(2)][:42])
    assert read.adjusted == {"recordings cut to their shortest file": 1}
    rows(slice(0, 41))(written / "ratings" / "c.csv")
    with pytest.raises(ValueError, match="ratings/c.csv lasts 4.1 s and audio_features/c.csv 5.2 s, of one"):
        load(written)


def test_of_68_landmarks_the_49_are_taken(filmed, rng):
    points = rng.uniform(0, 500, (60, 68, 2))
    columns = [f"{axis}_{k}" for axis in "xy" for k in range(1, 69)]
    table = pd.DataFrame(points.transpose(0, 2, 1).reshape(60, -1), columns=columns)
    table.insert(0, "frame", np.arange(1, 61))
    table.insert(1, "timestamp", np.arange(60) / 10)
    table.to_csv(filmed / "landmarks" / "a.csv", index=False)
    assert_allclose(load(filmed).video[:60], normalise_landmarks(points[:, LANDMARKS]), rtol=1e-5, atol=1e-5)


def test_landmarks_may_be_counted_from_nought(filmed):
    expected = load(filmed)
    for path in (filmed / "landmarks").iterdir():
        table = pd.read_csv(path, sep=";")
        table.columns = [re.sub(r"_(\d+)$", lambda m: f"_{int(m[1]) - 1}", name) for name in table.columns]
        table.to_csv(path, index=False)
    assert_array_equal(load(filmed).video, expected.video)


def test_frames_without_a_face_are_interpolated_and_counted(filmed, landmarks):
    points, path = [f"{axis}_{k}" for axis in "xy" for k in range(1, 50)], filmed / "landmarks" / "a.csv"
    cells(success="1")(path)
    empty = dict.fromkeys(points, "")
    for row in (2, 3, 30):  # the pictures of frame 0, and one of frame 14
        cells(row, **empty)(path)
    for row in (22, 23):  # of frame 10, not detected
        cells(row, success="0", **dict.fromkeys(points, "7"))(path)
    for row in (24, 25):  # of frame 11
        cells(row, **dict.fromkeys(points, "0"))(path)
    read = load(filmed)
    expected = normalise_landmarks(landmarks[0]).reshape(60, 2, 98)
    mean = expected.mean(axis=1)
    gaps = {
        0: mean[1],
        10: (2 * mean[9] + mean[12]) / 3,
        11: (mean[9] + 2 * mean[12]) / 3,
        14: expected[14, 1],
    }
    for frame, value in gaps.items():
        assert_allclose(read.video[frame], value, rtol=1e-4, atol=1e-4)
    assert read.adjusted == {"frames without landmarks: interpolated": 3}


def test_raters_may_have_any_name_and_files_without_a_row_are_counted(record, written):
    path = written / "ratings" / "a.csv"
    path.write_text(path.read_text().replace("rater_2_", "Jörg van der Z.-2_"))
    (written / "ratings" / "a (copy).csv").touch()
    read = load(written)
    assert read.excluded == {"file that no row names": 1}
    assert_array_equal(read.ratings[:60, 1], record.ratings[:60, 1])


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (np.array([-(2**15), 0, 2**14], np.int16), [-1, 0, 0.5]),
        (np.array([-(2**31), 0, 2**30], np.int32), [-1, 0, 0.5]),
        (np.array([0, 128, 192], np.uint8), [-1, 0, 0.5]),
        (np.array([-1, 0, 0.5], np.float32), [-1, 0, 0.5]),
        (np.array([[1, 0], [-0.5, 0.5], [0.25, 0.75]]), [0.5, 0, 0.5]),
        (np.array([[192, 65], [40, 216]], np.uint8), [0.5, -0.6875]),  # nearly opposite
        (np.array([[16384, -16384], [-8192, 8192]], np.int16), [0.5, -0.25]),
    ],
)
def test_every_kind_of_wave_becomes_mono_from_minus_one_to_one(tmp_path, samples, expected):
    wavfile.write(tmp_path / "a.wav", RATE, samples)
    counts = Counter()
    read, rate = read_wave(tmp_path / "a.wav", name="a.wav", counts=counts)
    assert rate == RATE
    cancelled = samples.ndim == 2 and np.corrcoef(samples.T)[0, 1] < -0.9
    assert counts.total() == cancelled
    assert_array_equal(read, np.array(expected, np.float32))


def test_speech_of_two_sampling_rates_is_heard_at_the_lower(filmed, waveforms):
    def tones(rate, *frequencies):
        return 0.3 * sum(np.sin(2 * np.pi * f * np.arange(6 * rate) / rate) for f in frequencies)

    high = tones(44_100, 150, 900, 9_000)  # 8 kHz cannot hold the last
    wavfile.write(filmed / "audio" / "a.wav", 44_100, high.astype(np.float32))
    read = load(filmed)
    expected = speech_features(tones(8_000, 150, 900), 8_000, frames=60)
    alike, unlike = (
        np.isclose(found, expected, rtol=0.05, atol=0.05).mean()
        for found in (read.audio[:60], speech_features(high, 44_100, frames=60))
    )
    assert alike > 0.9 > unlike + 0.2
    assert read.adjusted == {"speech resampled to the lowest sampling rate": 1}
    assert_array_equal(read.audio[read.rows(1)], speech_features(waveforms[1], 8_000, frames=FRAMES[1]))


def test_four_seconds_are_too_short(record, written, tmp_path):
    for folder in ("ratings", "audio_features", "video_features"):
        rows(slice(0, 40))(written / folder / "b.csv")
    with pytest.raises(ValueError, match="b.csv lasts 4 s; a recording needs more than 4. Take it out"):
        load(written)
