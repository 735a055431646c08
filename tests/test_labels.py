import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import multivariate_hypergeom

from paperlib.labels import (
    CLEANING_RULES,
    EXPRESSIONS,
    flip_labels,
    is_noisy,
    local_similarity,
    nearest_in_affect,
    sole_winner,
    split_votes,
)


def noisy(expression, valence, arousal, *, dtype=np.float64, rules="release"):
    affect = np.array([[valence, arousal]], dtype=dtype)
    return bool(is_noisy([EXPRESSIONS.index(expression)], affect, rules=rules)[0])


@pytest.mark.parametrize(
    ("expression", "arousal", "valence", "expected"),
    [
        ("contempt", 0.65, -0.65, False),
        ("fear", 0.53, -0.06, False),
        ("sad", -0.24, -0.66, False),
        ("fear", -0.32, -0.08, True),
        ("neutral", -0.23, -0.37, True),
        ("neutral", -0.29, 0.36, True),
    ],
)
@pytest.mark.parametrize("rules", CLEANING_RULES)
def test_faces_of_foteinopoulou2021_figure_6(expression, arousal, valence, expected, rules):
    assert noisy(expression, valence, arousal, rules=rules) is expected


# One row a rule, read off the released loader: a point on the bound, and one just past it on the other side.
E = 1e-6
BOUNDS = [
    ("neutral", (0.2, 0.0), True, (0.2 - E, 0.0)),
    ("happy", (0.0, 0.5), True, (E, 0.5)),
    ("happy", (0.2, 0.0), True, (0.2 + E, 0.0)),
    ("sad", (0.0, -0.5), True, (-E, -0.5)),
    ("sad", (-0.2, 0.0), True, (-0.2 - E, 0.0)),
    ("surprise", (0.5, 0.0), True, (0.5, E)),
    ("surprise", (0.0, 0.2), True, (0.0, 0.2 + E)),
    ("fear", (-0.5, 0.0), False, (-0.5, -E)),
    ("fear", (0.0, 0.5), False, (E, 0.5)),
    ("fear", (-0.2, 0.0), True, (-0.2 - E, 0.0)),
    ("disgust", (0.0, 0.5), True, (-E, 0.5)),
    ("disgust", (-0.3, 0.0), True, (-0.3 - E, 0.0)),
    ("anger", (-0.5, 0.0), True, (-0.5, E)),
    ("anger", (0.0, 0.2), True, (0.0, 0.2 + E)),
    ("contempt", (0.0, 0.5), True, (-E, 0.5)),
    ("contempt", (-0.2, 0.0), True, (-0.2 - E, 0.0)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("expression", "on", "noisy_on_bound", "past"), BOUNDS)
def test_every_rule_at_its_bound(expression, on, noisy_on_bound, past, dtype):
    assert noisy(expression, *on, dtype=dtype) is noisy_on_bound
    assert noisy(expression, *past, dtype=dtype) is not noisy_on_bound


def test_as_printed_asks_happy_for_arousal_instead_of_valence():
    assert noisy("happy", 0.6, -0.2, rules="as_printed") and not noisy("happy", 0.6, -0.2)
    assert noisy("happy", -0.6, 0.2) and not noisy("happy", -0.6, 0.2, rules="as_printed")


@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=60),
    st.integers(0, 100).map(lambda percent: percent / 100),
    st.integers(0, 2**32 - 1),
)
def test_flips_are_exact_in_number_and_never_return_the_same_class(labels, share, seed):
    before = np.array(labels, dtype=np.int8)
    flipped, indices = flip_labels(before, share, classes=7, seed=seed)
    assert len(indices) == round(share * len(before))
    assert np.array_equal(np.flatnonzero(flipped != before), indices)
    assert flipped.dtype == before.dtype and flipped.min() >= 0 and flipped.max() < 7
    assert before.tolist() == labels


def test_the_sole_winner_has_more_votes_than_any_other():
    votes = [[0, 3, 1], [2, 2, 1], [0, 0, 0], [1, 1, 5]]
    assert sole_winner(votes).tolist() == [1, -1, -1, 2]


# Few places, so that many rows share one.
places = st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=2, max_size=25)


@given(places, st.data())
def test_neighbours_are_those_of_a_full_table_of_distances(points, data):
    affect = np.array(points) / 2
    k = data.draw(st.integers(1, len(affect) - 1))
    found = nearest_in_affect(affect, k)
    distance = np.linalg.norm(affect[:, None] - affect[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(np.take_along_axis(distance, found, axis=1), np.sort(distance)[:, :k])
    assert all(len(set(row)) == k for row in found)


def test_local_similarity_by_hand():
    affect = np.array([[0.0, 0.0], [0.3, -0.4], [0.0, 0.0]], np.float32)
    near = np.array([[2, 1], [0, 2], [0, 1]])
    squared = local_similarity(affect, near, delta=0.5)
    # 0.3, 0.4: 0.25 / 0.25
    np.testing.assert_allclose(squared, np.exp([[0, -1], [-1, -1], [0, -1]]), rtol=1e-6)
    absolute = local_similarity(affect, near, delta=0.5, form="absolute")
    np.testing.assert_allclose(absolute, np.exp([[0, -1.4], [-1.4, -1.4], [0, -1.4]]), rtol=1e-6)


@given(
    arrays(int, st.tuples(st.integers(0, 6), st.integers(1, 8)), elements=st.integers(0, 6)),
    st.integers(0, 9),
)
def test_halves_of_the_votes_make_the_whole(votes, seed):
    first, second = split_votes(votes, seed=seed)
    assert (first >= 0).all() and (second >= 0).all()
    np.testing.assert_array_equal(first + second, votes)
    np.testing.assert_array_equal(first.sum(axis=1), votes.sum(axis=1) // 2)


def test_votes_are_dealt_as_from_an_urn():
    # enough deals that the mean of each category is known to five standard errors
    votes = np.array([[6, 3, 1, 0], [1, 0, 0, 8], [0, 2, 0, 0]])
    deals = np.stack([split_votes(votes, seed=seed)[0] for seed in range(2000)])
    for row, dealt in zip(votes, deals.swapaxes(0, 1), strict=True):
        urn = multivariate_hypergeom(row, row.sum() // 2)
        error = np.sqrt(np.diag(urn.cov()) / len(deals))
        assert (np.abs(dealt.mean(axis=0) - urn.mean()) <= 5 * error).all()
        np.testing.assert_allclose(np.cov(dealt.T), urn.cov(), atol=0.06)


ZEROS = np.zeros((4, 2))
HOLES = np.array([[0, 0], [0, 0], [0, np.nan], [0, np.inf]])
ONE = np.zeros((4, 1), int)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: is_noisy([0, 0, -1, 0], ZEROS), r"0 to 7; 1 of 4 are not .*\(-1\)"),
        (lambda: is_noisy([0, 1, 2, 3], HOLES), "row 2: valence, arousal must lie"),
        (lambda: is_noisy([0, 1], [[0, 0], [-2.0, -2.0]]), "1 of 2 rows"),
        (lambda: is_noisy([0] * 4, ZEROS, rules="supplement"), "release, as_printed"),
        (lambda: flip_labels([0, 1], 30, classes=8, seed=0), r"share must lie in \[0, 1\]"),
        (lambda: flip_labels([0, 7], 0.5, classes=7, seed=0), "categories must be integers 0 to 6"),
        (lambda: nearest_in_affect(ZEROS, 4), "k must lie in 1 to 3, one less than the rows; got 4"),
        (lambda: nearest_in_affect(np.zeros((4, 3)), 1), r"\(n, 2\); got \(4, 3\)"),
        (
            lambda: nearest_in_affect(HOLES, 1),
            "row 2: .* in 2 of 4 rows; give every training picture a place",
        ),
        (lambda: local_similarity(ZEROS, ONE, delta=0.0), "delta must be positive and form .*; got 0.0"),
        (lambda: local_similarity(ZEROS, ONE, delta=0.5, form="cosine"), "form squared or absolute; got 0.5"),
    ],
)
def test_what_cannot_be_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
