"""People who rate the twin's faces: how far they disagree, and the set of faces with their labels.

The law of disagreement. A picture with noise-free affect m (valence or arousal) has the ambiguity A of
`ambiguity`, 0 to 1 and separate for each dimension. Rater k of K gives a rating with

    mean      m_k = (1 + s_k) m + b_k
    variance  v   = (NOISE_FLOOR + NOISE_SPAN * A)^2 (1 - m^2)

drawn from the Beta distribution stretched over [-1, 1] that has these two moments, so no rating is ever
clipped and raters agree more near the ends of the scale. Bias b_k and scale s_k are fixed for a rater, the
raters lie evenly on an ellipse: their sum and cross product are zero and their sample variances (divisor
K - 1) are BIAS^2 and SCALE^2. Hence the sample variance of a picture's K ratings has, whatever K, exactly the
expectation that is stored as truth:

    BIAS^2 + SCALE^2 m^2 + v
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from paperlib.data.records import FaceSet, Truth
from paperlib.labels import EXPRESSIONS
from paperlib.twin.faces import draw_faces
from paperlib.twin.parameters import (
    IDENTITIES,
    FaceParameters,
    counter_uniforms,
    landmarks,
    sample_parameters,
)
from paperlib.twin.prototypes import circumplex_table

NOISE_FLOOR, NOISE_SPAN = 0.06, 0.46
BIAS, SCALE = 0.05, 0.06
_GRAIN = 2.0  # standard deviation of the sensor's noise in grey levels


def ambiguity(parameters: FaceParameters) -> NDArray[np.float64]:
    """How unclear a picture is, for valence and for arousal: (n, 2), 0 (clear) to 1.

    1 - prod(1 - a) over five causes, each of which can be seen in the picture: a second category as far as it
    lies elsewhere in that dimension (up to 0.75), a weak expression (up to 0.45), an object in front (0.55),
    blur or coarseness (0.55), and a head turned by 45 degrees or more (0.35). A neutral face is not a weak
    expression.
    """
    p = parameters
    gap = np.abs(np.subtract(*np.moveaxis(circumplex_table()[p.categories], 1, 0)))
    mixed = 0.75 * (4 * p.weight * (1 - p.weight))[:, None] * np.minimum(1, gap / 0.8)
    neutral = (p.categories[:, 0] == EXPRESSIONS.index("neutral")) & (p.weight == 1)
    weak = 0.45 * np.where(neutral, 0, 1 - p.strength) / 0.65
    hidden = 0.55 * p.occlusion
    unsharp = 0.55 * np.maximum(p.blur, p.coarseness)
    yaw, pitch, _ = p.pose.T
    turned = 0.35 * np.minimum(1, np.sqrt(yaw * yaw + pitch * pitch) / 45)
    clear = (1 - weak) * (1 - hidden) * (1 - unsharp) * (1 - turned)
    return 1 - (1 - mixed) * clear[:, None]


def noise_variance(affect: NDArray, unclear: NDArray) -> NDArray[np.float64]:
    """v of the module's law, for noise-free `affect` and ambiguity `unclear` of one shape."""
    return (NOISE_FLOOR + NOISE_SPAN * unclear) ** 2 * (1 - affect * affect)


def rating_variance(
    affect: NDArray, unclear: NDArray, *, bias: float = BIAS, scale: float = SCALE
) -> NDArray[np.float64]:
    """True variance of one rater's rating of a picture, bias and scale included: the shape given."""
    return bias**2 + scale**2 * affect * affect + noise_variance(affect, unclear)


def rater_habits(raters: int, *, bias: float = BIAS, scale: float = SCALE) -> tuple[NDArray, NDArray]:
    """Each rater's bias and scale for valence and arousal, (raters, 2) each: see the module's law."""
    if raters < 3:
        raise ValueError(f"raters must be at least 3, so that bias and scale can differ; got {raters}")
    turn = 2 * np.pi * (np.arange(raters)[:, None] / raters + np.array([0.0, 0.3]))
    radius = np.sqrt(2 * (raters - 1) / raters)
    return bias * radius * np.cos(turn), scale * radius * np.sin(turn)


def stretched_beta(uniform: NDArray, mean: NDArray, variance: NDArray) -> NDArray[np.float64]:
    """Quantiles of the Beta distribution on [-1, 1] with the given moments; needs variance < 1 - mean^2."""
    concentration = (1 - mean * mean) / variance - 1
    half = 0.5 * concentration
    return 2 * betaincinv(half * (1 + mean), half * (1 - mean), uniform) - 1


def rate(uniform: NDArray, affect: NDArray, unclear: NDArray) -> NDArray[np.float32]:
    """Ratings (n, K, 2) in [-1, 1] from uniforms (n, K, 2), noise-free affect (n, 2), ambiguity (n, 2)."""
    bias, scale = rater_habits(uniform.shape[1])
    mean = (1 + scale) * affect[:, None] + bias
    noise = np.broadcast_to(noise_variance(affect, unclear)[:, None], mean.shape)
    return stretched_beta(uniform, mean, noise).astype(np.float32)


def choice_probabilities(parameters: FaceParameters) -> NDArray[np.float64]:
    """What a rater calls the face: (n, 8) over EXPRESSIONS, rows sum to 1.

    The mixture shown, of which a share (0.05 plus half of the mean ambiguity) leaks to categories that lie
    near the face's affect on the circumplex: weight exp(-d^2 / (2 * 0.35^2)) at distance d.
    """
    leak = 0.05 + 0.5 * ambiguity(parameters).mean(axis=1, keepdims=True)
    offset = parameters.affect[:, None] - circumplex_table()
    near = np.exp((offset * offset).sum(axis=2) / (-2 * 0.35**2))
    return (1 - leak) * parameters.mixture + leak * near / near.sum(axis=1, keepdims=True)


def _split(identity: NDArray) -> NDArray[np.str_]:
    """By person, so that no face is seen in training and in test: 70 % train, 10 % validation, 20 % test."""
    return np.select([identity % 10 < 7, identity % 10 == 7], ["train", "validation"], "test")


def fingerprint(*settings: object) -> str:
    """Of the settings and of every byte of code in this package."""
    digest = hashlib.sha256(repr(settings).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def make_faces(
    n: int,
    *,
    seed: int,
    size: int = 64,
    channels: int = 1,
    raters: int = 10,
    mislabelled: float = 0.1,
    start: int = 0,
) -> FaceSet:
    """Faces start to start + n of the endless set that `seed` names, with labels, ratings, votes and truth.

    `affect` is the mean of `raters` ratings (at least 3). `expression` is one annotator's choice between what
    is shown: the first category with the mixture's share; with probability `mislabelled` it is replaced by a
    category that is not shown, and the row marked. `votes` are all raters' choices by `choice_probabilities`.
    Size lies in 48 to 256 pixels; channels is 1 (grey) or 3 (RGB). A row is the same however many are asked
    for at once.
    """
    if not 0 <= mislabelled <= 1:
        raise ValueError(f"mislabelled must be a share from 0 to 1; got {mislabelled}")
    p = sample_parameters(n, seed, start)
    unclear = ambiguity(p)
    ratings = rate(counter_uniforms(seed, 2, start, n, 2 * raters).reshape(n, raters, 2), p.affect, unclear)

    cumulative = np.cumsum(choice_probabilities(p), axis=1)
    drawn = counter_uniforms(seed, 3, start, n, raters)
    chosen = (drawn[:, :, None] > cumulative[:, None, :-1]).sum(axis=2)
    votes = (chosen[:, :, None] == np.arange(len(EXPRESSIONS))).sum(axis=1).astype(np.int16)

    u = counter_uniforms(seed, 4, start, n, 4).T
    expression = np.where(u[0] < p.weight, p.categories[:, 0], p.categories[:, 1])
    wrong = u[1] < mislabelled
    # The k-th category that is not shown: skip over the lower, then the higher of those that are.
    shown = np.sort(np.where(p.weight[:, None] < 1, p.categories, p.categories[:, :1]), axis=1)
    low, high = shown.T
    other = (u[2] * np.where(low == high, 7, 6)).astype(np.int64)
    other += other >= low
    other += (low != high) & (other >= high)

    pictures = draw_faces(p, size=size, channels=channels)
    return FaceSet(
        name="twin",
        images=_add_grain(pictures, seed, start),
        affect=ratings.mean(axis=1),
        split=_split(p.identity),
        fingerprint=fingerprint("faces", n, seed, size, channels, raters, mislabelled, start),
        expression=np.where(wrong, other, expression).astype(np.int8),
        ratings=ratings,
        votes=votes,
        subject=np.char.zfill(p.identity.astype(str), len(str(IDENTITIES - 1))),
        landmarks=landmarks(p, size),
        truth=Truth(
            affect=p.affect.astype(np.float32),
            variance=rating_variance(p.affect, unclear).astype(np.float32),
            mislabelled=wrong,
        ),
    )


def _add_grain(pictures: NDArray[np.uint8], seed: int, start: int) -> NDArray[np.uint8]:
    """Sensor noise in place: uniform, standard deviation about _GRAIN, one byte of the counter a value."""
    values = pictures[0].size
    words = -(-values // 32) * 4
    levels = round(_GRAIN * np.sqrt(12))
    for i, picture in enumerate(pictures):
        source = np.random.Philox(key=seed + (5 << 64)).advance((start + i) * words // 4)
        noise = source.random_raw(words).view(np.uint8)[:values].reshape(picture.shape)
        noisy = picture.astype(np.int16) + (noise % (levels + 1)) - levels // 2
        picture[:] = np.clip(noisy, 0, 255)
    return pictures
