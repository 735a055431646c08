"""Speech and landmark features against direct computation, openSMILE's own output and their invariances."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperlib import features
from paperlib.twin import landmarks, plain_faces


def test_moments_of_a_window_are_those_of_its_rows(rng):
    x = rng.normal(5, 2, (1_000, 3))
    mean, deviation = features.windowed_moments(x, frames=100)
    for frame in (0, 10, 50, 99):
        rows = x[max(10 * frame - 300, 0) : min(10 * frame + 300, 1_000)]
        np.testing.assert_allclose(mean[frame], rows.mean(axis=0))
        np.testing.assert_allclose(deviation[frame], rows.std(axis=0))


def test_a_frame_after_the_last_descriptor_has_the_last_ones():
    x = np.arange(100.0)[:, None]
    mean, deviation = features.windowed_moments(x, frames=60)
    assert mean[59] == 99 and deviation[59] == 0
    assert np.isfinite(mean).all()


def test_speech_features_are_opensmiles_descriptors_averaged():
    t = np.arange(128_000) / 16_000
    signal = 0.1 * sum(np.sin(2 * np.pi * 150 * k * t) / k for k in range(1, 12))  # a buzz of one pitch
    descriptors = features._smile().process_signal(signal.astype(np.float32), 16_000)
    found = features.speech_features(signal, 16_000, frames=80)
    assert found.shape == (80, 130)
    window = descriptors.to_numpy(float)[100:700]  # six seconds around frame 40
    np.testing.assert_allclose(found[40, :65], window.mean(axis=0), rtol=1e-5, atol=1e-6)
    pitch = list(descriptors.columns).index("F0final_sma")
    assert found[40, pitch] == pytest.approx(150, rel=0.02)
    spread = window[:, pitch].std() / window[:, pitch].mean()
    assert found[40, 65 + pitch] == pytest.approx(spread, abs=1e-5)
    assert np.isfinite(found).all()


def test_silence_has_finite_features():
    assert np.isfinite(features.speech_features(np.zeros(48_000), 16_000, frames=30)).all()


def test_a_waveform_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match="expected a mono waveform"):
        features.speech_features(np.zeros((2, 16_000)), 16_000, frames=10)
    with pytest.raises(ValueError, match="the waveform has 1.0 s, its 100 frames 10.0 s"):
        features.speech_features(np.zeros(16_000), 16_000, frames=100)


def points():
    return landmarks(plain_faces({12: 3, 26: 2}), 128)[:, features.LANDMARKS].astype(float)


@given(st.floats(-40, 40), st.floats(-0.7, 0.7), st.floats(0.3, 3))
def test_landmarks_forget_place_tilt_and_size(shift, tilt, size):
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    moved = size * points() @ turn.T + shift
    np.testing.assert_allclose(
        features.normalise_landmarks(moved), features.normalise_landmarks(points()), atol=1e-5
    )


def test_eyes_lie_half_a_unit_left_and_right():
    found = features.normalise_landmarks(points())[0]
    x, y = found[:49], found[49:]
    right = [features.LANDMARKS.index(i) for i in range(36, 42)]
    assert len(features.LANDMARKS) == 49
    assert (x[right].mean(), y[right].mean()) == pytest.approx((-0.5, 0), abs=1e-6)
    mouth = features.LANDMARKS.index(57)
    assert y[mouth] > 0.5  # pictures count y downwards


def test_landmarks_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"expected finite landmarks \(frames, 49, 2\); got \(1, 68, 2\)"):
        features.normalise_landmarks(np.zeros((1, 68, 2)))
    with pytest.raises(ValueError, match="frame 0: both eyes have one centre"):
        features.normalise_landmarks(np.zeros((1, 49, 2)))
