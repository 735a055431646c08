"""The twin's raters: the stored truth is the variance that ratings have, and marks are what they say."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.twin import ambiguity, make_faces, sample_parameters
from paperlib.twin.raters import BIAS, SCALE, choice_probabilities, rate, rater_habits, rating_variance

FACES = make_faces(3000, seed=1, size=48)


def test_ratings_have_the_stored_variance():
    p = sample_parameters(40, 9)
    unclear = ambiguity(p)
    uniform = np.random.default_rng(0).random((40, 20_000, 2))
    ratings = rate(uniform, p.affect, unclear)
    truth = rating_variance(p.affect, unclear)
    assert_allclose(ratings.var(axis=1, ddof=1, dtype=np.float64), truth, rtol=0.05)
    assert_allclose(ratings.mean(axis=1, dtype=np.float64), p.affect, atol=0.015)


@pytest.mark.parametrize("raters", [3, 4, 10, 101])
def test_habits_are_centred_uncorrelated_and_of_the_stated_spread(raters):
    bias, scale = rater_habits(raters)
    assert_allclose(bias.sum(axis=0), 0, atol=1e-12)
    assert_allclose((bias * scale).sum(axis=0), 0, atol=1e-12)
    assert_allclose(bias.var(axis=0, ddof=1), BIAS**2)
    assert_allclose(scale.var(axis=0, ddof=1), SCALE**2)


def test_mislabelled_rows_show_another_category_and_the_rest_their_own():
    p = sample_parameters(3000, 1)
    share = p.mixture[np.arange(3000), FACES.expression]
    assert_array_equal(share == 0, FACES.truth.mislabelled)
    # binomial: 3 standard deviations of a share of 0.1 in 3,000 rows
    assert abs(FACES.truth.mislabelled.mean() - 0.1) < 3 * np.sqrt(0.09 / 3000)
    assert not make_faces(50, seed=1, size=48, mislabelled=0).truth.mislabelled.any()
    assert make_faces(50, seed=1, size=48, mislabelled=1).truth.mislabelled.all()


def test_votes_follow_the_stated_probabilities():
    probabilities = choice_probabilities(sample_parameters(3000, 1))
    assert_allclose(probabilities.sum(axis=1), 1)
    assert (FACES.votes.sum(axis=1) == 10).all()
    assert_allclose(FACES.votes.mean(axis=0), 10 * probabilities.mean(axis=0), atol=0.12)
    assert np.corrcoef(FACES.votes.ravel(), probabilities.ravel())[0, 1] > 0.9


def test_people_do_not_cross_splits():
    assert set(np.unique(FACES.split)) == {"train", "validation", "test"}
    for person in np.unique(FACES.subject):
        assert len(set(FACES.split[FACES.subject == person])) == 1
    assert_allclose((FACES.split == "train").mean(), 0.7, atol=0.05)


def test_rows_do_not_depend_on_how_many_are_asked_for():
    part = make_faces(5, seed=1, size=48, start=1234)
    rows = slice(1234, 1239)
    for name in ("images", "affect", "expression", "ratings", "votes", "subject", "split", "landmarks"):
        assert_array_equal(getattr(part, name), getattr(FACES, name)[rows])
    for name in ("affect", "variance", "mislabelled"):
        assert_array_equal(getattr(part.truth, name), getattr(FACES.truth, name)[rows])
