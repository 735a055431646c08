"""The twin's video chats: ratings keep to the stated law, and voice and face show what they should."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import twin_recordings as twin
from paperlib.annotations import evaluator_weighted_estimate
from paperlib.features import LANDMARKS
from paperlib.labels import AFFECT

CHATS = twin.make_recordings(6, seconds=40)


def states(i, name):
    return twin._states(i, int(CHATS.frames[i]))[name]


# ratings


def test_ratings_of_many_other_raters_have_the_stored_mean_and_sample_variance(monkeypatch):
    """The states stay, the raters' own noise is drawn anew: truth is the expectation, frame by frame."""
    smooth, draws, frames = twin._smooth, 300, 80

    def draw(number):
        monkeypatch.setattr(
            twin, "_smooth", lambda key, *rest: smooth([*key, number] if key[0] == 4 else key, *rest)
        )
        return twin._rate(1, frames)

    drawn = [draw(number) for number in range(draws)]
    _, mean, expected = drawn[0]
    ratings = np.stack([ratings for ratings, _, _ in drawn])
    observed = ratings.var(axis=2, ddof=1)
    error = observed.std(axis=0) / np.sqrt(draws)
    assert np.abs((observed.mean(axis=0) - expected) / error).max() < 5
    assert_allclose(observed.mean(axis=(0, 1)), expected.mean(axis=0), rtol=0.03)
    error = ratings.mean(axis=2).std(axis=0) / np.sqrt(draws)
    assert np.abs((ratings.mean(axis=(0, 2)) - mean) / error).max() < 5


def test_truth_by_hand_where_every_rater_sees_the_same(monkeypatch):
    """A state that never changes: the raters' habits and the stated variance are all there is."""
    still = {"valence": 0.5, "arousal": -0.2, "ambiguity of valence": 1.0, "ambiguity of arousal": 0.0}
    monkeypatch.setattr(
        twin, "_states", lambda i, frames: {name: np.full(frames, x) for name, x in still.items()}
    )
    _, mean, variance = twin._rate(0, 5)
    # the habits' mean is zero and their sample variances BIAS^2 and SCALE^2
    assert_allclose(mean, np.tile([0.5, -0.2], (5, 1)))
    noise = np.array([0.33**2 * (1 - 0.5**2), 0.03**2 * (1 - 0.2**2)])
    assert_allclose(variance, np.tile(0.04**2 + 0.12**2 * np.array([0.5, 0.2]) ** 2 + noise, (5, 1)))


def test_ratings_lie_within_the_scale_and_neighbours_hang_together():
    assert np.abs(CHATS.ratings).max() < 1 and CHATS.ratings.shape == (CHATS.frames.sum(), 6, 2)
    x = CHATS.ratings[CHATS.rows(0)]
    step, spread = np.diff(x, axis=0).std(axis=0), x.std(axis=0)
    assert (step < 0.2 * spread).all()  # white noise would have 1.4


def test_raters_are_four_seconds_late_on_average():
    late, frames = np.arange(81), 1_500
    found = np.zeros((12, 2, len(late)))
    for i in range(len(found)):
        ratings, *_ = twin._rate(i, frames)
        for d, dimension in enumerate(AFFECT):
            said, felt = evaluator_weighted_estimate(ratings[:, :, d]), twin._states(i, frames)[dimension]
            found[i, d] = [np.corrcoef(felt[: frames - k], said[k:])[0, 1] for k in late]
    curves = found.mean(axis=0)
    assert twin.LAGS.mean() == 4
    assert_allclose(curves.argmax(axis=1), 40, atol=3)
    assert (curves[:, 40] > 0.8).all() and (curves[:, 40] > curves[:, 0] + 0.15).all()


def test_states_are_stationary_and_partly_shared_by_the_pair():
    long = [twin._states(i, 20_000) for i in range(20)]
    for name in ("valence", "arousal"):
        trace = np.arctanh(np.stack([s[name] for s in long]))
        assert_allclose(trace.std(axis=1).mean(), 0.28, rtol=0.03)
        together = np.corrcoef(trace)
        partners = np.arange(0, 20, 2), np.arange(1, 20, 2)
        assert_allclose(together[partners].mean(), 0.19, atol=0.06)
        assert_allclose(together[:10, 10:].mean(), 0, atol=0.03)
    unclear = long[0]["ambiguity of arousal"]  # uniform from 0 to 1
    assert_allclose(np.quantile(unclear, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], atol=0.06)


# the set


def test_of_32_pairs_come_34_14_and_16_recordings_and_no_pair_is_split():
    paper = twin.make_recordings(32, seconds=8)
    assert {s: int((paper.split == s).sum()) for s in twin.PARTITIONS} == {
        "train": 34,
        "validation": 14,
        "test": 16,
    }
    for record in (paper, *(twin.make_recordings(n, seconds=8) for n in (4, 5, 7, 11))):
        partners = record.split.reshape(-1, 2)
        assert_array_equal(partners[:, 0], partners[:, 1])
        assert_array_equal(*record.pair.reshape(-1, 2).T)
        assert len(np.unique(record.pair)) == len(record) // 2 and len(np.unique(record.subject)) == len(
            record
        )
        assert set(record.split) == {"train", "validation", "test"}
    assert paper.frames.sum() == len(paper.ratings) == len(paper.truth.affect) == len(paper.truth.variance)
    assert paper.frames.min() >= 72 and paper.frames.max() <= 80 and len(set(paper.frames)) > 3


def test_equal_calls_give_equal_bytes():
    again = twin.make_recordings(6, seconds=40)
    for name in ("ratings", "frames", "split"):
        assert getattr(again, name).tobytes() == getattr(CHATS, name).tobytes()
    assert again.truth.variance.tobytes() == CHATS.truth.variance.tobytes()
    assert again.fingerprint == CHATS.fingerprint != twin.make_recordings(6, seconds=41).fingerprint
    assert twin.waveform(2, 90).tobytes() == twin.waveform(2, 90).tobytes() != twin.waveform(3, 90).tobytes()
    assert_array_equal(twin._seen(2, 90), twin._seen(2, 90))


def test_a_recording_does_not_depend_on_how_many_there_are():
    few = twin.make_recordings(4, seconds=40)
    assert_array_equal(few.ratings, CHATS.ratings[: len(few.ratings)])


@pytest.mark.parametrize(("pairs", "seconds"), [(3, 60.0), (4, 7.9)])
def test_too_few_pairs_or_seconds_are_refused(pairs, seconds):
    with pytest.raises(ValueError, match=f"four pairs and eight seconds at least; got {pairs} and {seconds}"):
        twin.make_recordings(pairs, seconds=seconds)


# voice


def descriptors(i):
    """openSMILE's, 100 a second, and the talking turns and arousal at their times."""
    from paperlib.features import _smile

    frames = int(CHATS.frames[i])
    found = _smile().process_signal(twin.waveform(i, frames), twin.SAMPLING_RATE)
    at = np.arange(len(found)) / 10
    return found, *(
        np.interp(at, np.arange(frames), x) for x in (twin._turns(i, frames), states(i, "arousal"))
    )


def test_measured_pitch_and_loudness_rise_with_arousal_in_the_turns_alone():
    for i in (0, 3):
        found, talks, arousal = descriptors(i)
        pitch = found["F0final_sma"].to_numpy()
        voiced = pitch > 0
        assert np.corrcoef(np.log2(pitch[voiced]), arousal[voiced])[0, 1] > 0.95
        loud = found["pcm_RMSenergy_sma"].to_numpy()
        speaks, silent = talks > 0.99, talks < 0.01
        assert np.median(loud[speaks]) > 20 * np.median(loud[silent])
        assert voiced[speaks].mean() > 0.5 and voiced[silent].mean() < 0.05
        assert np.corrcoef(np.log(loud[speaks & voiced]), arousal[speaks & voiced])[0, 1] > 0.3


def test_samples_fit_a_sound_file():
    voice = twin.waveform(1, 100)
    assert len(voice) == 160_000 and np.isfinite(voice).all()
    assert 0.05 < np.abs(voice).max() and (np.abs(voice) < 1).mean() > 0.999


def test_jitter_rises_with_the_ambiguity_of_arousal(monkeypatch):
    """Two voices that differ in nothing else."""
    from paperlib.features import _smile

    def jitter(unclear):
        still = dict.fromkeys(twin._STATES, 0.0) | {"ambiguity of arousal": unclear}
        monkeypatch.setattr(
            twin, "_states", lambda i, frames: {name: np.full(frames, x) for name, x in still.items()}
        )
        found = _smile().process_signal(twin.waveform(0, 150), twin.SAMPLING_RATE)
        voiced = found["F0final_sma"] > 0
        return found["jitterLocal_sma"][voiced].mean()

    assert jitter(0.6) > 1.5 * jitter(0.0)


def test_partners_take_turns():
    for pair in range(3):
        one, other = (twin._turns(2 * pair + k, 3_000) for k in range(2))
        assert one.min() >= 0 and one.max() <= 1
        assert np.corrcoef(one, other)[0, 1] < -0.4
        silence = np.mean((one < 0.5) & (other < 0.5))
        both = np.mean((one > 0.5) & (other > 0.5))
        assert silence < 0.02 and both < 0.4
        assert 0.4 < one.mean() < 0.85


# face


def width_of_mouth(seen):
    x, y = seen[:, :49], seen[:, 49:]
    right, left = LANDMARKS.index(48), LANDMARKS.index(54)
    return np.hypot(x[:, left] - x[:, right], y[:, left] - y[:, right])


def test_a_smile_widens_the_mouth():
    smiles, r = [], []
    for i in range(len(CHATS)):
        valence, torn = states(i, "valence"), states(i, "ambiguity of valence")
        pleased = np.maximum(valence, 0)
        if pleased.std() < 0.03:
            continue
        width = width_of_mouth(twin._seen(i, int(CHATS.frames[i])))
        r.append(np.corrcoef(width, valence)[0, 1])
        # what ambiguity does to both sides of the mouth is taken out
        rest = np.column_stack([np.ones_like(torn), torn])
        left = [x - rest @ np.linalg.lstsq(rest, x, rcond=None)[0] for x in (width, pleased)]
        smiles.append(np.corrcoef(*left)[0, 1])
    assert len(r) > 6 and np.mean(r) > 0.3 and np.mean(smiles) > 0.6


def test_heads_turn_away_under_ambiguity_and_action_units_keep_their_scale():
    for i in range(4):
        units, pose, shape = twin._shown(i, 400)
        assert units.min() >= 0 and units.max() <= 5 and np.abs(pose).max() <= 40 and shape.shape == (10,)
        unclear = twin._states(i, 400)["ambiguity of arousal"]
        assert abs(np.corrcoef(pose[:, 0], unclear)[0, 1]) > 0.4


def test_a_drawn_face_is_a_picture_that_changes():
    first, later = (twin.face(CHATS, 3, frame) for frame in (0, 200))
    assert first.shape == (96, 96) and first.dtype == np.uint8 and first.std() > 10
    assert (first != later).any()


# features


def test_features_are_those_of_each_recording_end_to_end_and_kept(tmp_path, monkeypatch):
    from dataclasses import replace

    few = replace(CHATS, recording=CHATS.recording[:2], frames=np.array([90, 85]))
    video = twin.make_features(few, "video", cache=tmp_path)
    assert_array_equal(video[:90], twin._seen(0, 90))
    assert_array_equal(video[90:], twin._seen(1, 85))
    asked = []
    monkeypatch.setattr(twin, "_heard", lambda i, n: asked.append(i) or np.full((n, 130), i, np.float32))
    for _ in range(2):
        audio = twin.make_features(few, "audio", cache=tmp_path)
        assert_array_equal(audio[:, 0], np.repeat([0, 1], [90, 85]))
    assert asked == [0, 1]  # the second time from the cache
