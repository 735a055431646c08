"""The twin's video chats: ratings keep to the stated law, and voice and face show what they should."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import twin_recordings as twin
from paperlib.annotations import evaluator_weighted_estimate
from paperlib.labels import AFFECT

CHATS = twin.make_recordings(6, seconds=40)


def states(i, name):
    return twin._states(i, int(CHATS.frames[i]))[name]


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


def test_equal_calls_give_equal_bytes():
    again = twin.make_recordings(6, seconds=40)
    for name in ("ratings", "frames", "split"):
        assert getattr(again, name).tobytes() == getattr(CHATS, name).tobytes()
    assert again.truth.variance.tobytes() == CHATS.truth.variance.tobytes()
    assert again.fingerprint == CHATS.fingerprint != twin.make_recordings(6, seconds=41).fingerprint
    assert twin.waveform(2, 90).tobytes() == twin.waveform(2, 90).tobytes() != twin.waveform(3, 90).tobytes()
    assert_array_equal(twin._seen(2, 90), twin._seen(2, 90))


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
