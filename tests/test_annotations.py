"""The gold standard against hand-computed cases, numpy, and what must hold for any ratings."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paperlib.annotations import (
    compensate_delay,
    equal_moments,
    evaluator_weighted_estimate,
    perception_uncertainty,
    rater_weights,
)

RATINGS = arrays(np.float64, (12, 4), elements=st.floats(-1, 1, width=32))


def test_weights_are_correlations_with_the_mean(rng):
    e = rng.normal(size=(200, 1)) + rng.normal(size=(200, 5))
    expected = [np.corrcoef(e[:, k], e.mean(axis=1))[0, 1] for k in range(5)]
    np.testing.assert_allclose(rater_weights(e), expected)
    estimate = evaluator_weighted_estimate(e)
    np.testing.assert_allclose(estimate, e @ expected / np.sum(expected))


def test_three_raters_by_hand():
    e = np.array([[0.0, 0.0, 0.3], [1.0, 1.0, 0.3], [2.0, 2.0, 0.3]])
    # the third is constant: no correlation, no weight; the others go along with the mean exactly
    np.testing.assert_allclose(rater_weights(e), [1, 1, 0])
    np.testing.assert_allclose(evaluator_weighted_estimate(e), [0, 1, 2])


def test_a_rater_who_goes_against_the_others_has_no_say():
    t = np.linspace(-1, 1, 50)
    e = np.stack([t, t, t, -t], axis=1)
    weights = rater_weights(e)
    assert weights[3] == 0 and (weights[:3] > 0.99).all()
    np.testing.assert_allclose(evaluator_weighted_estimate(e), t)


@pytest.mark.parametrize("e", [[[0.1, 0.5], [0.1, 0.5]], [[0.3], [0.3]]])
def test_if_nobody_has_a_weight_all_count_the_same(e):
    np.testing.assert_array_equal(rater_weights(e), np.ones(len(e[0])))
    np.testing.assert_allclose(evaluator_weighted_estimate(e), [0.3, 0.3])


def test_missing_ratings_leave_the_others_to_decide(rng):
    t = rng.normal(size=100)
    e = np.stack([t, t, t], axis=1)
    e[:40, 0] = np.nan
    e[5] = np.nan
    e[7, 1:] = np.nan  # and 0 is missing there too
    estimate = evaluator_weighted_estimate(e)
    assert np.isnan(estimate[[5, 7]]).all()
    rest = np.delete(np.arange(100), [5, 7])
    np.testing.assert_allclose(estimate[rest], t[rest])
    assert np.isnan(perception_uncertainty(e)[5])
    np.testing.assert_allclose(perception_uncertainty(e)[rest], 0, atol=1e-12)


def test_a_single_rater_has_no_disagreement_to_show():
    assert np.isnan(perception_uncertainty([[0.2], [0.4]])).all()


@given(RATINGS)
def test_the_estimate_lies_between_the_raters_and_follows_a_shift(e):
    estimate = evaluator_weighted_estimate(e)
    assert (estimate >= e.min(axis=1) - 1e-9).all() and (estimate <= e.max(axis=1) + 1e-9).all()
    assert ((rater_weights(e) >= 0) & (rater_weights(e) <= 1 + 1e-12)).all()
    np.testing.assert_allclose(perception_uncertainty(e), e.std(axis=1, ddof=1), atol=1e-9)


@given(RATINGS, st.permutations(range(4)))
def test_raters_have_no_order(e, order):
    np.testing.assert_allclose(
        evaluator_weighted_estimate(e[:, order]), evaluator_weighted_estimate(e), atol=1e-6
    )


def test_a_delay_moves_the_gold_standard_back_and_holds_its_end():
    np.testing.assert_array_equal(compensate_delay([0, 1, 2, 3, 4], 2), [2, 3, 4])
    np.testing.assert_array_equal(compensate_delay(np.eye(3), 1), np.eye(3)[[1, 2]])
    np.testing.assert_array_equal(compensate_delay([1, 2], 0), [1, 2])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluator_weighted_estimate(np.zeros(3)), r"expected ratings \(frames, raters\)"),
        (lambda: evaluator_weighted_estimate(np.full((3, 2), np.nan)), "not all missing"),
        (lambda: evaluator_weighted_estimate([[np.inf, 0.0]]), "must be finite"),
        (lambda: compensate_delay([1, 2, 3], -1), "delay must lie in 0 to 2 frames"),
        (lambda: compensate_delay([1, 2, 3], 3), "delay must lie in 0 to 2 frames"),
    ],
)
def test_bad_ratings_and_delays_say_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_of_moments_with_equal_emotion_those_are_found_whose_spread_differs_most(rng):
    n = 300
    e, sigma, time = rng.integers(0, 9, n) / 100, rng.normal(size=n), np.arange(n) / 10
    sigma[rng.random(n) < 0.1] = np.nan
    i, j = equal_moments(e, sigma, time, within=0.015, apart=4, edge=2)
    pairs = {
        (a, b): sigma[b] - sigma[a]
        for a in range(20, 280)
        for b in range(20, 280)
        if abs(e[a] - e[b]) < 0.016 and abs(a - b) >= 40 and np.isfinite(sigma[[a, b]]).all()
    }
    assert (i, j) == max(pairs, key=pairs.get)
    assert equal_moments(e[:60], sigma[:60], time[:60]) is None


@pytest.mark.filterwarnings("error")
def test_moments_of_a_long_recording_take_little_memory():
    n = 30_000  # 50 minutes; all pairs would take 7 GB a number
    tracemalloc.start()
    equal_moments(np.linspace(-1, 1, n), np.linspace(0, 1, n), np.arange(n) / 10)
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()
