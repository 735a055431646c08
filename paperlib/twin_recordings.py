"""Generated video chats: people who talk in pairs, a voice, a face, and six raters who never quite agree.

Every tenth of a second a person has a noise-free valence and arousal m and, for each, an ambiguity A (0 to 1); all are
smooth random processes, partly shared by the pair. Rater k moves a lever, late and in a habit of his own:

    mean      m_k(t) = (1 + s_k) m(t - lag_k) + b_k
    variance  v_k(t) = (NOISE_FLOOR + NOISE_SPAN A(t - lag_k))^2 (1 - m(t - lag_k)^2)

The rating is the quantile of the Beta distribution with these moments at the level of a smooth random process of the
rater's own (`_SMOOTH` seconds), so that neighbouring frames' ratings hang together as people's do. Truth, at the time
of the rating: the average of the m_k, and the exact expectation of the raters' sample variance (divisor K - 1).

What is seen and heard follows the same processes. Voice: pitch, loudness and speaking rate rise with arousal; jitter,
shimmer and breath with its ambiguity; the formants spread with a smile; and people pause while the other one talks.
Face: a smile or a frown for valence, both at once where it is ambiguous; raised brows and lids for arousal; a head that
turns away under ambiguity, where the tracker is less sure. People differ in how much they show of each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.special import ndtr

from paperlib.data.cache import converted
from paperlib.data.records import RecordingSet, Truth
from paperlib.features import LANDMARKS, RATE, normalise_landmarks, speech_features
from paperlib.labels import AFFECT
from paperlib.twin import ACTION_UNITS, draw_faces, landmarks, plain_faces
from paperlib.twin.raters import fingerprint, rater_habits, stretched_beta

PARTITIONS = {"train": 17, "validation": 7, "test": 8}  # of 32 pairs (han2017, sec. 4.1)
RATERS = 6
LAGS = np.linspace(2.5, 5.5, RATERS)  # seconds; four on average
BIAS, SCALE = 0.04, 0.12
NOISE_FLOOR, NOISE_SPAN = 0.03, 0.3
SAMPLING_RATE = 16_000
TRACKER = 128  # pixels of the picture that landmarks are found in
_AFFECT = 0.28  # standard deviation of valence and arousal
_SMOOTH = 1.5
_VOWELS = ((730, 1090, 2440), (530, 1840, 2480), (270, 2290, 3010), (570, 840, 2410), (300, 870, 2240))  # Hz
_WIDTHS = (80, 110, 170)
_STATES = ("valence", "arousal", "ambiguity of valence", "ambiguity of arousal")


def make_recordings(pairs: int, *, seconds: float) -> RecordingSet:
    """2 * `pairs` recordings of about `seconds` each, split by pair like the paper's 34, 14 and 16; no features.

    Lengths differ by up to a tenth. Ratings are (F, 6, 2), truth is of each frame.

    Raises:
        ValueError: fewer than four pairs, which three partitions need, or less than eight seconds.
    """
    if pairs < 4 or seconds < 8:
        raise ValueError(f"needs four pairs and eight seconds at least; got {pairs} and {seconds}")
    frames = np.array([_length(i, seconds) for i in range(2 * pairs)])
    rated = [_rate(i, int(n)) for i, n in enumerate(frames)]
    ratings, affect, variance = (
        np.concatenate(parts).astype(np.float32) for parts in zip(*rated, strict=True)
    )
    shares = np.cumsum([*PARTITIONS.values()]) / sum(PARTITIONS.values())
    partition = np.searchsorted(np.round(shares * pairs), np.arange(2 * pairs) // 2, side="right")
    number = np.arange(1, 2 * pairs + 1)
    return RecordingSet(
        name="twin (recordings)",
        recording=np.char.add("r", np.char.zfill(number.astype(str), 2)),
        subject=np.char.add("s", np.char.zfill(number.astype(str), 2)),
        pair=np.char.add("p", np.char.zfill(((number + 1) // 2).astype(str), 2)),
        split=np.array([*PARTITIONS])[partition],
        frames=frames,
        ratings=ratings,
        fingerprint=_mark(pairs, seconds),
        truth=Truth(affect=affect, variance=variance, mislabelled=np.zeros(len(ratings), bool)),
    )


def make_features(record: RecordingSet, modality: str, *, cache: Path | str) -> NDArray[np.float32]:
    """ "audio" (F, 130) or "video" (F, 98) features of these recordings; openSMILE's are kept in `cache`."""
    make = {"audio": _heard, "video": _seen}[modality]

    def convert(_: Path) -> tuple[dict[str, NDArray], dict[str, object]]:
        parts = [make(i, int(n)) for i, n in enumerate(record.frames)]
        return {"features": np.concatenate(parts)}, {}

    settings = {"record": record.fingerprint, "modality": modality}
    arrays, _ = converted(cache, name=f"twin-{modality}", sources=[], settings=settings, convert=convert)
    return arrays["features"]


def face(record: RecordingSet, recording: int, frame: int) -> NDArray[np.uint8]:
    """What a recording shows at a frame, drawn: (96, 96) grey."""
    units, pose, shape = _shown(recording, int(record.frames[recording]))
    there = slice(frame, frame + 1)
    drawn = plain_faces(units[there], pose=pose[there], shape=shape[None])
    return draw_faces(drawn, size=96, channels=1)[0]


def waveform(recording: int, frames: int) -> NDArray[np.float32]:
    """The voice of a recording: (samples,) at 16 kHz, -1 to 1."""
    rng = np.random.default_rng([3, recording])
    states, person = _states(recording, frames), rng.normal(0, 1, 6)
    talks = _turns(recording, frames)
    n = frames * SAMPLING_RATE // RATE
    now = np.arange(n) / SAMPLING_RATE * RATE

    def at_samples(trace: NDArray) -> NDArray[np.float64]:
        return np.interp(now, np.arange(frames), trace)

    arousal = states["arousal"] * (1 + 0.25 * person[0])
    unclear = states["ambiguity of arousal"]
    pitch = (105 if person[1] < 0 else 195) * 2 ** (0.1 * person[2] + 0.9 * arousal)
    cycle = np.cumsum(at_samples(pitch)) / SAMPLING_RATE
    deviation = rng.normal(0, 1, (2, int(cycle[-1]) + 2))
    unsteady = at_samples(0.004 + 0.03 * unclear)
    cycle = np.cumsum(at_samples(pitch) * (1 + unsteady * deviation[0, cycle.astype(int)])) / SAMPLING_RATE
    cycle = np.minimum(cycle.astype(int), deviation.shape[1] - 1)
    pulses = np.diff(cycle, prepend=0) * (1 + 4 * unsteady * deviation[1, cycle])
    noise = rng.normal(0, 1, n)
    source = lfilter([1], [1, -0.95], pulses) + at_samples(0.01 + 0.12 * unclear) * noise

    syllable = np.cumsum(at_samples(3.5 * 2 ** (0.8 * arousal))) / SAMPLING_RATE
    vowel = rng.integers(0, len(_VOWELS), int(syllable[-1]) + 1)[syllable.astype(int)]
    opening = np.sin(np.pi * (syllable % 1))
    smile = at_samples(np.clip(0.5 + states["valence"] * (1 + 0.25 * person[3]), 0, 1))
    tract = 1 + 0.06 * person[4]
    voiced = np.zeros(n)
    for number, formants in enumerate(_VOWELS):
        neutral, spread = (_resonate(source, np.array(formants) * tract * s) for s in (1.0, 1.15))
        voiced += (vowel == number) * ((1 - smile) * neutral + smile * spread)
    consonant = np.diff(noise, prepend=0) * (opening < 0.3)
    loudness = at_samples(talks * 10 ** (0.9 * arousal))
    spoken = loudness * (opening * voiced / np.sqrt(np.mean(voiced**2)) + 0.15 * consonant)
    return (0.05 * spoken + 0.0005 * rng.normal(0, 1, n)).clip(-1, 1).astype(np.float32)


def _length(recording: int, seconds: float) -> int:
    return round(RATE * seconds * (1 - 0.1 * np.random.default_rng([0, recording]).random()))


def _states(recording: int, frames: int) -> Mapping[str, NDArray[np.float64]]:
    """What goes on in a person, each (frames,): valence and arousal in (-1, 1), their ambiguities in 0 to 1."""
    traces = []
    for number, seconds in enumerate((4.0, 3.0, 2.0, 2.0)):
        own, shared = ([1, number, recording], [2, number, recording // 2])
        traces.append(0.9 * _smooth(own, frames, seconds) + np.sqrt(0.19) * _smooth(shared, frames, seconds))
    affect = [np.tanh(_AFFECT * trace) for trace in traces[:2]]
    return dict(zip(_STATES, [*affect, *(ndtr(trace) for trace in traces[2:])], strict=True))


def _smooth(key: Sequence[int], frames: int, seconds: float) -> NDArray[np.float64]:
    """A stationary Gaussian process of unit variance, white noise smoothed over `seconds`: (frames,)."""
    width = seconds * RATE
    margin = round(4 * width)
    trace = gaussian_filter1d(np.random.default_rng(key).normal(0, 1, frames + 2 * margin), width)
    return trace[margin:-margin] * np.sqrt(2 * np.sqrt(np.pi) * width)


def _rate(recording: int, frames: int) -> tuple[NDArray, NDArray, NDArray]:
    """Ratings (frames, 6, 2), their noise-free mean (frames, 2), and the expected sample variance (frames, 2)."""
    states = _states(recording, frames)
    # before a rater's first reaction stands what was there first
    at = np.maximum(np.arange(frames)[:, None] - np.round(RATE * LAGS).astype(int), 0)
    affect, unclear = (
        np.stack([states[f"{prefix}{d}"][at] for d in AFFECT], axis=2) for prefix in ("", "ambiguity of ")
    )
    bias, scale = rater_habits(RATERS, bias=BIAS, scale=SCALE)
    mean = (1 + scale) * affect + bias
    variance = (NOISE_FLOOR + NOISE_SPAN * unclear) ** 2 * (1 - affect**2)
    level = [_smooth([4, d, k, recording], frames, _SMOOTH) for k in range(RATERS) for d in range(2)]
    ratings = stretched_beta(ndtr(np.stack(level, axis=1)).reshape(mean.shape), mean, variance)
    return ratings, mean.mean(axis=1), mean.var(axis=1, ddof=1) + variance.mean(axis=1)


def _turns(recording: int, frames: int) -> NDArray[np.float64]:
    """1 where the person talks, 0 where the other one does, with short slopes: (frames,)."""
    says = _smooth([5, recording // 2], frames, 2.0) * (1 if recording % 2 else -1)
    return gaussian_filter1d((says > -0.3).astype(np.float64), 1.0)


def _resonate(source: NDArray, formants: NDArray) -> NDArray[np.float64]:
    """The source through a vocal tract of three formants (Hz), a two-pole resonator each: (samples,)."""
    for centre, width in zip(formants, _WIDTHS, strict=True):
        radius, angle = np.exp(-np.pi * width / SAMPLING_RATE), 2 * np.pi * centre / SAMPLING_RATE
        poles = [1, -2 * radius * np.cos(angle), radius**2]
        source = lfilter([sum(poles)], poles, source)
    return source


def _heard(recording: int, frames: int) -> NDArray[np.float32]:
    return speech_features(waveform(recording, frames), SAMPLING_RATE, frames=frames)


def _seen(recording: int, frames: int) -> NDArray[np.float32]:
    units, pose, shape = _shown(recording, frames)
    points = landmarks(plain_faces(units, pose=pose, shape=np.tile(shape, (frames, 1))), TRACKER)
    rng = np.random.default_rng([7, recording])
    unsure = 0.3 + 0.9 * np.abs(pose[:, 0]) / 45  # pixels: half a face is harder to track
    points = points[:, LANDMARKS] + unsure[:, None, None] * rng.normal(0, 1, (frames, len(LANDMARKS), 2))
    return normalise_landmarks(points)


def _shown(recording: int, frames: int) -> tuple[NDArray, NDArray, NDArray]:
    """Action units (frames, 16), pose (frames, 3) in degrees, and the person's shape (10,)."""
    rng = np.random.default_rng([6, recording])
    states, talks = _states(recording, frames), _turns(recording, frames)
    shows = 1 + 0.3 * rng.normal(0, 1, 4)  # how much a person shows of each
    up, down = (np.maximum(sign * states["valence"], 0) for sign in (1, -1))
    awake = np.maximum(states["arousal"], 0) * shows[2]
    torn = 1.6 * states["ambiguity of valence"] * shows[3]
    smile, frown = 7 * up * shows[0] + torn, 6 * down * shows[1] + torn
    speaks = talks * np.abs(np.sin(np.pi * np.cumsum(0.35 * 2 ** (0.8 * states["arousal"]))))
    moved = {
        12: smile,
        6: 0.7 * smile,
        4: frown,
        15: 0.8 * frown,
        17: 0.4 * frown,
        1: 5 * awake,
        2: 5 * awake,
    }
    moved |= {5: 4 * awake, 14: torn, 25: 2.5 * speaks + 2 * awake, 26: 2 * speaks}
    drift = 0.4 * rng.random(len(ACTION_UNITS))
    units = np.stack([moved.get(u, np.zeros(frames)) for u in ACTION_UNITS], axis=1) + drift
    away = states["ambiguity of arousal"] * 22 * (1 if rng.random() < 0.5 else -1)
    wander = [_smooth([8, j, recording], frames, 2.0) for j in range(3)]
    pose = np.stack([6 * wander[0] + away, 5 * wander[1], 4 * wander[2]], axis=1)
    return units.clip(0, 5), pose.clip(-40, 40), rng.uniform(-1, 1, 10)


def _mark(*settings: object) -> str:
    return hashlib.sha256(repr((fingerprint("recordings"), settings)).encode() + _source()).hexdigest()


def _source() -> bytes:
    from paperlib import features

    return Path(__file__).read_bytes() + Path(str(features.__file__)).read_bytes()
