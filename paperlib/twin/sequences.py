"""Series of action units with three raters, in the shape of AMIGOS's external annotations.

A segment holds a few expressions, each with onset, apex and offset, on a subject's resting face. What is felt
runs along with them: the trace of valence and arousal is the sum of the expressions' points on the
circumplex, plus a part that the face does not show. Rater k rates the trace as it was a lag ago (LAG_RANGE),
averaged over the segment:

    mean      m_k = (1 + s_k) w_k + b_k          w_k: average of the trace over the segment delayed by the lag
    variance  v   = (NOISE * A)^2 (1 - w^2)      w: average of w_k over raters, the noise-free label

A is the ambiguity that the series shows (`ambiguity`), b_k and s_k are as in `raters`, the rating is again a
Beta draw with these moments. Truth is the exact expectation of the raters' sample variance (divisor K - 1):
the sample variance of the m_k, lags included, plus v.

Calibration: with the default shape, NOISE brings the correlations between raters near those that
foteinopoulou2021 prints for AMIGOS, 0.63 to 0.73 for valence and 0.51 to 0.62 for arousal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from paperlib.data.records import SequenceSet, Truth
from paperlib.labels import EXPRESSIONS
from paperlib.twin.parameters import counter_uniforms
from paperlib.twin.prototypes import ACTION_UNITS, circumplex_table, prototype_table
from paperlib.twin.raters import fingerprint, rater_habits, stretched_beta

SEQUENCE_UNITS = (1, 2, 4, 5, 6, 9, 12, 15, 20, 25)  # what a column of the features holds
FRAME_RATE = 25
NOISE = 0.31  # see the calibration above
LAG_RANGE = (0.4, 2.0)  # seconds, spread evenly over the raters

# What recordings 1, 2, ... mean to evoke, over and over: pleasant as often as not, as in AMIGOS.
_STIMULI = ("happy", "sad", "surprise", "disgust", "happy", "fear", "surprise", "anger")
_EVENTS = 4
_LIMIT = 0.8  # of the trace; leaves room for bias and noise inside [-1, 1]
_PLEASANT, _UNPLEASANT = ([SEQUENCE_UNITS.index(u) for u in units] for units in ((6, 12), (4, 9, 15, 20)))


def ambiguity(shown: NDArray) -> NDArray[np.float64]:
    """How unclear a series (n, T, 10) of intensities is: (n,), 0 to 1.

    1 - prod(1 - a) over: units of pleasure and of displeasure active in the same frame (up to 0.8), a face
    that hardly moves (0.8), and fast changes (0.5).
    """
    pleasant, unpleasant = shown[:, :, _PLEASANT].max(axis=2), shown[:, :, _UNPLEASANT].max(axis=2)
    both = np.maximum(np.minimum(pleasant, unpleasant) - 0.5, 0).mean(axis=1)
    conflict = 0.8 * np.minimum(1, both / 0.4)
    still = 0.8 * np.exp(-np.ptp(shown, axis=1).mean(axis=1) / 0.6)
    fast = 0.5 * np.minimum(1, np.abs(np.diff(shown, axis=1)).mean(axis=(1, 2)) / 0.012)
    return 1 - (1 - conflict) * (1 - still) * (1 - fast)


def _envelopes(u: NDArray, frames: int, lead: int) -> NDArray[np.float64]:
    """Rise, hold and fall of expressions, 0 to 1: uniforms (n, events, 4) to (n, events, lead + frames)."""
    time = (np.arange(-lead, frames) / FRAME_RATE)[None, None]
    seconds = frames / FRAME_RATE
    begin = (u[..., 0] * 1.1 - 0.2)[..., None] * seconds
    rise, fall = 0.4 + 1.2 * u[..., 1, None], 0.6 + 2 * u[..., 3, None]
    hold = (0.05 + 0.3 * u[..., 2, None]) * seconds
    up = np.clip((time - begin) / rise, 0, 1)
    down = np.clip((begin + rise + hold + fall - time) / fall, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * up)) * (0.5 - 0.5 * np.cos(np.pi * down))


def make_sequences(
    *,
    seed: int,
    subjects: int = 40,
    recordings: int = 16,
    segments: int = 1,
    frames: int = 500,
    raters: int = 3,
) -> SequenceSet:
    """subjects * recordings * segments series of `frames` frames at 25 a second, by subject, then recording.

    Features are intensities 0 to 5 of SEQUENCE_UNITS as a tracker would report them: a subject's resting face
    and expressivity, expressions drawn around the recording's stimulus (the same for all subjects), slow
    drift, noise. At least 3 raters. Truth marks no row mislabelled: there is no category.
    """
    if min(subjects, recordings, segments) < 1 or frames < 2:
        raise ValueError(
            f"subjects, recordings and segments must be at least 1 and frames at least 2; "
            f"got {subjects}, {recordings}, {segments} and {frames}"
        )
    bias, scale = rater_habits(raters)
    n, channels = subjects * recordings * segments, len(SEQUENCE_UNITS)
    subject, recording = np.divmod(np.arange(n) // segments, recordings)
    person = counter_uniforms(seed, 11, 0, subjects, 12)[subject]
    stimulus = np.array([EXPRESSIONS.index(name) for name in _STIMULI])[recording % len(_STIMULI)]
    u = counter_uniforms(seed, 13, 0, n, 80)

    event = u[:, : _EVENTS * 8].reshape(n, _EVENTS, 8)
    category = np.where(
        event[..., 0] < 0.3 + 0.7 * u[:, [42]], stimulus[:, None], (event[..., 1] * 8).astype(np.int64)
    )
    peak = event[..., 2] * (0.1 + 0.9 * u[:, [43]]) * (0.5 + 0.5 * person[:, [0]])
    lead = round(LAG_RANGE[1] * FRAME_RATE)
    envelope = _envelopes(event[..., 3:7], frames, lead) * peak[..., None]

    table = prototype_table()[:, [ACTION_UNITS.index(unit) for unit in SEQUENCE_UNITS]]
    points = circumplex_table()
    shown = np.zeros((n, frames, channels))
    trace = np.zeros((n, lead + frames, 2))
    for k in range(_EVENTS):
        shown += envelope[:, k, lead:, None] * table[category[:, k]][:, None]
        trace += envelope[:, k, :, None] * points[category[:, k]][:, None]
    unseen = 0.13 * ndtri(np.maximum(u[:, 40:42], 1e-9))
    trace = _LIMIT * np.tanh(2.5 * trace + unseen[:, None])

    phase = 2 * np.pi * (np.arange(frames)[:, None] / FRAME_RATE / 25 + u[:, None, 44 : 44 + channels])
    resting = 0.5 * person[:, None, 1 : 1 + channels] ** 2
    shown = np.clip(shown + resting + 0.08 * np.sin(phase), 0, 5)
    tracker = counter_uniforms(seed, 14, 0, n, frames * channels).reshape(n, frames, channels)
    features = np.clip(shown + 0.1 * ndtri(np.maximum(tracker, 1e-9)), 0, 5).astype(np.float32)

    lags = np.round(np.linspace(*LAG_RANGE, raters) * FRAME_RATE).astype(int)
    heard = np.stack([trace[:, lead - lag : lead - lag + frames].mean(axis=1) for lag in lags], axis=1)
    affect = heard.mean(axis=1)
    mean = (1 + scale) * heard + bias
    noise = (NOISE * ambiguity(shown)[:, None]) ** 2 * (1 - affect**2)
    drawn = counter_uniforms(seed, 15, 0, n, 2 * raters).reshape(n, raters, 2)
    ratings = stretched_beta(drawn, mean, np.broadcast_to(noise[:, None], mean.shape)).astype(np.float32)

    def name(letter: str, number: NDArray, count: int) -> NDArray[np.str_]:
        return np.char.add(letter, np.char.zfill((number + 1).astype(str), len(str(count))))

    return SequenceSet(
        name="twin",
        features=features,
        affect=ratings.mean(axis=1),
        ratings=ratings,
        subject=name("s", subject, subjects),
        recording=name("r", recording, recordings),
        channels=tuple(f"AU{unit:02d}" for unit in SEQUENCE_UNITS),
        fingerprint=fingerprint("sequences", seed, subjects, recordings, segments, frames, raters),
        truth=Truth(
            affect=affect.astype(np.float32),
            variance=(mean.var(axis=1, ddof=1) + noise).astype(np.float32),
            mislabelled=np.zeros(n, dtype=np.bool_),
        ),
    )
