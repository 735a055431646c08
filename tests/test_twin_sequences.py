"""The twin's recordings: truth that ratings keep to, and raters who agree as much as AMIGOS's do."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.twin import make_sequences

FULL = make_sequences(seed=0)


def test_raters_agree_as_much_as_printed_for_amigos():
    correlations = np.array(
        [
            [
                np.corrcoef(sample.ratings[:, a, d], sample.ratings[:, b, d])[0, 1]
                for a, b in ((0, 1), (0, 2), (1, 2))
            ]
            for sample in (make_sequences(seed=seed) for seed in range(4))
            for d in (0, 1)
        ]
    ).reshape(4, 2, 3)
    valence, arousal = correlations.mean(axis=(0, 2))
    assert 0.63 < valence < 0.73
    assert 0.51 < arousal < 0.62


def test_raters_sample_variance_has_the_stored_expectation():
    many = make_sequences(seed=3, subjects=10, recordings=4, frames=100, raters=4000)
    assert_allclose(many.ratings.var(axis=1, ddof=1, dtype=np.float64), many.truth.variance, rtol=0.12)
    assert_allclose(many.affect, many.truth.affect, atol=0.02)
    few = make_sequences(seed=4, subjects=40, recordings=40, segments=3, frames=20)
    observed = few.ratings.var(axis=1, ddof=1).mean(axis=0, dtype=np.float64)
    assert_allclose(observed, few.truth.variance.mean(axis=0), rtol=0.06)


def test_same_seed_same_bytes():
    again = make_sequences(seed=0)
    for name in ("features", "affect", "ratings", "subject", "recording"):
        assert_array_equal(getattr(again, name), getattr(FULL, name))
    assert again.fingerprint == FULL.fingerprint != make_sequences(seed=1, frames=50).fingerprint
