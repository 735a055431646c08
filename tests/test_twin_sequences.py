"""The twin's recordings: truth that ratings keep to, and raters who agree as much as AMIGOS's do."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.twin import ACTION_UNITS, SEQUENCE_UNITS, make_sequences
from paperlib.twin.sequences import ambiguity

FULL = make_sequences(seed=0)


def test_shape_is_that_of_amigos():
    assert FULL.features.shape == (640, 500, len(SEQUENCE_UNITS)) and FULL.ratings.shape == (640, 3, 2)
    assert len(np.unique(FULL.subject)) == 40 and len(np.unique(FULL.recording)) == 16
    assert set(SEQUENCE_UNITS) <= set(ACTION_UNITS)
    assert FULL.features.min() >= 0 and FULL.features.max() <= 5
    assert np.abs(FULL.ratings).max() <= 1
    assert_allclose(FULL.affect, FULL.ratings.mean(axis=1), atol=1e-6)


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


def test_disagreement_varies_between_segments():
    deviation = np.sqrt(FULL.truth.variance)
    low, high = np.quantile(deviation, [0.05, 0.95], axis=0)
    assert (high > 1.8 * low).all()


def test_ambiguity_tells_conflict_stillness_and_haste():
    time = np.linspace(0, 1, 500)[None, :, None]
    bump = np.sin(np.pi * time) ** 2
    units = np.array(SEQUENCE_UNITS)
    smile, frown = 4.0 * (units == 12), 4.0 * (units == 15)
    plain = ambiguity(bump * (smile + 2.0 * (units == 6)))
    assert ambiguity(bump * (smile + frown)) > plain
    assert ambiguity(0.05 * bump * smile) > plain
    assert ambiguity(np.sin(20 * np.pi * time) ** 2 * (smile + 2.0 * (units == 6))) > plain


def test_smiles_are_pleasant_and_frowns_are_not():
    activity = FULL.features.mean(axis=1)
    smile, frown = (activity[:, SEQUENCE_UNITS.index(unit)] for unit in (12, 4))
    assert np.corrcoef(smile, FULL.truth.affect[:, 0])[0, 1] > 0.4
    assert np.corrcoef(frown, FULL.truth.affect[:, 0])[0, 1] < -0.3


def test_series_are_smooth_but_for_tracker_noise():
    steps = np.abs(np.diff(FULL.features, axis=1))
    assert np.median(steps) < 0.15
    people = [FULL.features[FULL.subject == name].mean() for name in np.unique(FULL.subject)]
    assert np.std(people) > 0.05


def test_same_seed_same_bytes():
    again = make_sequences(seed=0)
    for name in ("features", "affect", "ratings", "subject", "recording"):
        assert_array_equal(getattr(again, name), getattr(FULL, name))
    assert again.fingerprint == FULL.fingerprint != make_sequences(seed=1, frames=50).fingerprint


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"subjects": 0}, "subjects, recordings and segments must be at least 1"),
        ({"frames": 1}, "frames at least 2"),
        ({"raters": 2}, "raters must be at least 3"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_bad_arguments_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_sequences(**({"seed": 0} | wrong))
