"""Mixed labels (neo2023, eqs. 1 to 5) against Bayes by hand, scikit-learn, truncated laws and eq. 3 as printed."""

import json
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import qmc, truncexpon, truncnorm
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis

from paperlib.fusion import (
    LabelParameters,
    class_weights,
    fit_label_parameters,
    fuse,
    inverse_distances,
    posterior,
)

CORNERS = np.array([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]])
SQUARE = 0.1 * CORNERS


def gaussians(means, *, variance=0.04):
    """Equal round Gaussians at the given means."""
    k = len(means)
    return LabelParameters(
        classes=tuple("abcdefgh"[:k]),
        prior=np.full(k, 1 / k),
        mean=np.array(means, float),
        covariance=np.tile(variance * np.eye(2), (k, 1, 1)),
        source="by hand",
        n=100,
    )


def fitted(affect, label=None, *, classes=("only",), **options):
    label = np.zeros(len(affect), int) if label is None else label
    return fit_label_parameters(affect, label, classes=classes, source="my faces", **options)


def test_posterior_is_that_of_quadratic_discriminant_analysis(rng):
    # five hundred places of four classes, unequal in number and in shape
    label = rng.permutation(np.repeat([0, 1, 2, 3], [300, 40, 150, 10]))
    spread = 0.2 * np.eye(2) + rng.uniform(-0.1, 0.1, size=(4, 2, 2))
    affect = 0.5 * CORNERS[label] + np.einsum("nij,nj->ni", spread[label], rng.normal(size=(500, 2)))
    theirs = QuadraticDiscriminantAnalysis(store_covariance=True).fit(affect, label)
    ours = fitted(affect, label, classes="abcd", reading="all")
    assert_allclose(ours.prior, theirs.priors_)
    assert_allclose(ours.mean, theirs.means_)
    # whether it divides by n or n - 1 depends on its version, so take its own
    same = replace(ours, covariance=np.array(theirs.covariance_))
    places = rng.uniform(-1, 1, (200, 2))
    assert_allclose(posterior(same, places), theirs.predict_proba(places), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("variance", [1e-3, 1e-16])
def test_far_from_every_class_the_nearest_takes_all(variance):
    # each density is exp(-1000) and less, which is zero as a number
    parameters = gaussians([[0.0, 0.0], [0.2, 0.1], [-0.3, 0.0]], variance=variance)
    p = posterior(parameters, CORNERS)
    assert_allclose(p.sum(axis=1), 1)
    assert_allclose(p, np.eye(3)[[2, 2, 1, 1]], atol=1e-12)


def normal_sample(covariance):
    """A quasi-random one, whose moments are a hundred times nearer to the law's than those of as many drawn faces."""
    return qmc.MultivariateNormalQMC([0.2, -0.1], covariance, rng=0).random(2**16)


def test_a_normal_class_cut_on_each_axis_keeps_the_variance_of_a_truncated_normal():
    own = np.diag([0.09, 0.01])
    kept = truncnorm(-1, 1).var()
    assert kept == pytest.approx(0.291, abs=5e-4)
    assert_allclose(
        fitted(normal_sample(own), reading="axis").covariance[0], kept * own, rtol=2e-3, atol=2e-5
    )


def test_a_normal_class_cut_by_distance_keeps_its_shape_and_the_mean_of_a_truncated_exponential():
    # half of the squared distance is exponential, and the two directions share it
    own = np.array([[0.09, 0.02], [0.02, 0.01]])
    kept = truncexpon(0.5).mean()
    assert_allclose(fitted(normal_sample(own), reading="distance").covariance[0], kept * own, rtol=5e-3)


@pytest.mark.parametrize(
    ("affect", "reading", "left"),
    [
        (SQUARE[:2], "all", 2),
        (np.full((9, 2), 0.3), "axis", 9),
        # these do spread, and what is left of them does not: two corners, the middle
        (np.concatenate([SQUARE, 5 * SQUARE[[0, 3]]]), "distance", 2),
        (np.concatenate([SQUARE, np.zeros((4, 2))]), "axis", 4),
    ],
)
def test_a_class_without_spread_is_named(rng, affect, reading, left):
    everyone = np.concatenate([affect, rng.normal(scale=0.2, size=(50, 2))])
    label = np.repeat([1, 0], [len(affect), 50])
    message = f"my faces: the {left} faces of class sad that reading '{reading}' keeps have no spread.*'all'"
    with pytest.raises(ValueError, match=message):
        fitted(everyone, label, classes=["happy", "sad"], reading=reading)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reading": "sigma"}, "reading must be one of all, axis, distance and priors of all, kept"),
        ({"priors": "equal"}, "reading must be one of all, axis, distance and priors of all, kept"),
        ({"label": np.zeros(3, int)}, r"got \(4, 2\) and \(3,\)"),
        ({"label": np.array([0, 0, 0, -1])}, r"1 of 4 are not .*leave rows without a category \(-1\) out"),
        ({"label": np.zeros(4)}, "categories must be integers .*float64"),
        ({"affect": np.where(SQUARE > 0, SQUARE, np.nan)}, "row 0: valence, arousal are not finite, as in 3"),
    ],
)
def test_what_no_gaussians_can_be_fitted_to_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        fitted(**({"affect": SQUARE, "reading": "all"} | change))


def test_saved_parameters_come_back_to_the_bit(tmp_path, rng):
    affect, label = rng.normal(scale=0.3, size=(400, 2)), rng.integers(0, 3, 400)
    before = fitted(affect, label, classes=("neutral", "happy", "sad"), reading="distance", priors="kept")
    before.save(tmp_path / "new" / "parameters.json")
    after = LabelParameters.load(tmp_path / "new" / "parameters.json")
    for name, value in vars(before).items():
        assert_array_equal(getattr(after, name), value, strict=isinstance(value, np.ndarray))


def test_parameters_that_are_not_numbers_leave_the_saved_ones_as_they_are(tmp_path):
    path = tmp_path / "parameters.json"
    gaussians(CORNERS).save(path)
    whole = path.read_bytes()
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(gaussians(CORNERS), prior=np.full(4, np.nan)).save(path)
    assert path.read_bytes() == whole and list(tmp_path.iterdir()) == [path]


NO_PARAMETERS = "parameters.json holds no label parameters .*write it anew"
NOT_THESE = "parameters.json: priors must be positive and sum to one.*belong to its 2 classes; write it anew"
ROUND = [[0.1, 0.0], [0.0, 0.1]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prior": [0.5]}, NOT_THESE),
        ({"prior": [1.5, -0.5]}, NOT_THESE),
        ({"mean": [[0.0, 0.0], [0.0, float("inf")]]}, NOT_THESE),
        ({"covariance": [ROUND]}, NOT_THESE),
        ({"covariance": [ROUND, [[0.1, 0.2], [0.2, 0.1]]]}, NOT_THESE),
        ({"classes": 2}, NO_PARAMETERS),
        ({"made_by": "hand"}, NO_PARAMETERS),
        *((text, NO_PARAMETERS) for text in ("", '{"prior": [0.5,', "[1]", "null")),
    ],
)
def test_a_file_without_such_parameters_says_so(tmp_path, change, message):
    path = tmp_path / "parameters.json"
    gaussians([[-0.5, 0.0], [0.5, 0.0]]).save(path)
    path.write_text(change if isinstance(change, str) else json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        LabelParameters.load(path)


def test_distances_of_one_and_two_give_four_fifths_and_one_fifth_however_small():
    assert_allclose(inverse_distances([[0.0, 0.0]], [[1e-100, 0.0], [0.0, -2e-100]]), [[0.8, 0.2]])


def test_eq_3_as_printed_is_the_same_once_normalised(rng):
    affect, centres = rng.uniform(-1, 1, (50, 2)), rng.uniform(-1, 1, (8, 2))
    for x, found in zip(affect, inverse_distances(affect, centres), strict=True):
        squared = np.array([np.linalg.norm(x - centre) ** 2 for centre in centres])
        printed = squared.max() / squared
        assert_allclose(found, printed / printed.sum())


def test_at_the_mean_of_classes_all_belongs_to_them():
    centres = [[0.1, 0.3], [-0.4, 0.2], [0.1, 0.3], [0.7, 0.0]]
    expected = [[0, 1, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 0, 1]]
    assert_array_equal(inverse_distances(np.array(centres)[[1, 0, 3]], centres), expected)


def test_fusion_by_hand_and_at_its_ends():
    mixed = np.array([[0.2, 0.5, 0.3], [0.0, 0.0, 1.0]])
    assert_allclose(fuse([2, 0], mixed, alpha=0.6), [[0.08, 0.2, 0.72], [0.6, 0.0, 0.4]])
    assert_array_equal(fuse([2, 0], mixed, alpha=1), [[0, 0, 1], [1, 0, 0]])
    assert_array_equal(fuse([2, 0], mixed, alpha=0), mixed)


def test_class_weights_by_hand():
    assert_allclose(class_weights([0, 1, 1, 1, 1, 1, 1, 2, 2], classes=3), [6, 1, 3])
    assert_array_equal(class_weights([0, 1, 2, 2, 1, 0], classes=3), [1, 1, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fuse([0], [[0.5, 0.5]], alpha=1.1), r"alpha must lie in \[0, 1\]; got 1.1"),
        (lambda: fuse([0], [[0.5, 0.5]], alpha=np.nan), r"alpha must lie in \[0, 1\]; got nan"),
        (lambda: fuse([2], [[0.5, 0.5]], alpha=0.5), "integers 0 to 1; 1 of 1 are not"),
        (lambda: class_weights([0, 2, 2], classes=4), r"classes \[1, 3\] have no face.*leave them out"),
        (lambda: class_weights([0, 2], classes=2), "integers 0 to 1; 1 of 2 are not"),
    ],
)
def test_what_cannot_be_fused_or_weighed_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
