"""What han2017's networks see of a recording: 130 numbers of the voice and 98 of the face, ten times a second."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

RATE = 10  # frames a second
WINDOW = 6.0  # seconds of speech behind one frame (han2017, sec. 4.1)
DESCRIPTORS = 65
# iBUG's 68 points without the jaw and the inner corners of the mouth: 5 + 5 brows, 9 nose, 6 + 6 eyes, 12 + 6 mouth.
LANDMARKS = tuple(i for i in range(17, 68) if i not in (60, 64))
_RIGHT_EYE, _LEFT_EYE = ([LANDMARKS.index(i) for i in range(first, first + 6)] for first in (36, 42))
_HOP = 0.01  # seconds between descriptors


def speech_features(waveform: ArrayLike, sampling_rate: int, *, frames: int) -> NDArray[np.float32]:
    """Mean, then coefficient of variation, of ComParE_2016's 65 low-level descriptors: (samples,) to (frames, 130).

    A window of six seconds, cut off at the recording's ends, lies around each frame's time, 0, 0.1, 0.2, ... s. The
    coefficient is the standard deviation over the absolute mean, 0 where the mean is 0 (han2017, sec. 4.1, which does
    not say where a window lies). `waveform` is mono, -1 to 1.

    Raises:
        ValueError: the waveform is not (samples,), not finite, or ends more than a second before the last frame.
    """
    waveform = np.asarray(waveform, np.float32)
    if waveform.ndim != 1 or not np.isfinite(waveform).all():
        raise ValueError(f"expected a mono waveform (samples,) of finite numbers; got {waveform.shape}")
    if len(waveform) / sampling_rate < (frames - 1) / RATE - 1:
        raise ValueError(
            f"the waveform has {len(waveform) / sampling_rate:.1f} s, its {frames} frames {frames / RATE:.1f} s"
        )
    descriptors = _smile().process_signal(waveform, sampling_rate).to_numpy(np.float64)
    mean, deviation = windowed_moments(descriptors, frames=frames)
    with np.errstate(divide="ignore", invalid="ignore"):
        variation = np.where(mean == 0, 0.0, deviation / np.abs(mean))
    return np.hstack([mean, variation]).astype(np.float32)


def windowed_moments(
    descriptors: NDArray[np.float64], *, frames: int, window: float = WINDOW
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (divisor n) of descriptors (n, d), 100 a second, around `frames` frames.

    Both are (frames, d). A window that begins after the last descriptor is moved back to hold one at least.
    """
    n, half = len(descriptors), round(window / _HOP / 2)
    centre = np.arange(frames) * round(1 / RATE / _HOP)
    low, high = np.clip(centre - half, 0, n - 1), np.clip(centre + half, 1, n)
    middle = descriptors.mean(axis=0)  # sums of squares around it lose fewer digits
    x = descriptors - middle
    sums, squares = (np.vstack([np.zeros(x.shape[1]), v.cumsum(axis=0)]) for v in (x, x * x))
    count = (high - low)[:, None]
    mean = (sums[high] - sums[low]) / count
    variance = (squares[high] - squares[low]) / count - mean**2
    return mean + middle, np.sqrt(np.maximum(variance, 0))


def normalise_landmarks(points: ArrayLike) -> NDArray[np.float32]:
    """Landmarks without place, size and tilt: (frames, 49, 2) of `LANDMARKS`, in pixels, to (frames, 98).

    Each frame is moved, turned and scaled so that the eyes' centres lie at (-0.5, 0) and (0.5, 0); the 49 x come
    before the 49 y. How the paper normalised is not said (han2017, sec. 4.1).

    Raises:
        ValueError: another shape, a number that is not finite, or eyes in one place.
    """
    p = np.asarray(points, np.float64)
    if p.ndim != 3 or p.shape[1:] != (len(LANDMARKS), 2) or not np.isfinite(p).all():
        raise ValueError(f"expected finite landmarks (frames, {len(LANDMARKS)}, 2); got {p.shape}")
    z = p[..., 0] + 1j * p[..., 1]
    right, left = z[:, _RIGHT_EYE].mean(axis=1), z[:, _LEFT_EYE].mean(axis=1)
    if (right == left).any():
        frame = int(np.argmax(right == left))
        raise ValueError(
            f"frame {frame}: both eyes have one centre. Correct its landmarks, or leave them out."
        )
    turned = (z - ((right + left) / 2)[:, None]) / (left - right)[:, None]
    return np.hstack([turned.real, turned.imag]).astype(np.float32)


@cache
def _smile() -> Any:
    import opensmile  # here, because it takes a second and only recordings need it

    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.ComParE_2016,
        feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
    )
