"""Seven of eight categories: which faces go, under which reason, and what stays as it was."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from paperlib.data import FaceSet, Truth, with_category

#                 kept  contempt  none  original contempt, contempt in both, original none, kept
EXPRESSION = np.array([0, 7, -1, 3, 7, 6, 6], np.int8)
ORIGINAL = np.array([1, 2, 0, 7, 7, -1, 5], np.int8)


@pytest.fixture
def faces(rng):
    return FaceSet(
        name="by hand",
        images=rng.integers(0, 256, (7, 4, 4), dtype=np.uint8),
        affect=rng.uniform(-1, 1, (7, 2)).astype(np.float32),
        split=np.array(["train"] * 5 + ["test"] * 2),
        fingerprint="old",
        expression=EXPRESSION,
        truth=Truth(
            affect=np.zeros((7, 2)), variance=rng.normal(size=(7, 2)), mislabelled=np.arange(7) % 2 == 0
        ),
        excluded={"tie": 4, "no category": 2},
    )


def test_contempt_and_no_category_go_and_are_counted(faces):
    seven, kept = with_category(faces), [0, 3, 5, 6]
    for name in ("images", "affect", "split", "expression"):
        assert_array_equal(getattr(seven, name), getattr(faces, name)[kept])
    assert_array_equal(seven.truth.variance, faces.truth.variance[kept])
    assert seven.excluded == {"tie": 4, "no category": 2 + 1, "category contempt": 2}
    assert faces.excluded == {"tie": 4, "no category": 2}
    assert seven.name == "by hand" and seven.original is None


def test_an_original_label_outside_goes_too_and_a_face_counts_once(faces):
    seven = with_category(replace(faces, original=ORIGINAL))
    assert seven.expression.tolist() == [0, 6] and seven.original.tolist() == [1, 5]
    original = {"original label contempt": 1, "no original label": 1}
    assert seven.excluded == {"tie": 4, "no category": 3, "category contempt": 2} | original


def test_the_fingerprint_follows_the_faces_and_the_number_of_classes(faces):
    seven, eight = with_category(faces), with_category(faces, classes=8)
    assert_array_equal(eight.expression, [0, 7, 3, 7, 6, 6])
    other = with_category(replace(faces, fingerprint="new"))
    assert len({faces.fingerprint, seven.fingerprint, eight.fingerprint, other.fingerprint}) == 4
    assert with_category(faces).fingerprint == seven.fingerprint


def test_what_cannot_be_is_said(faces):
    with pytest.raises(ValueError, match="by hand has no expression. Name a data set with categories."):
        with_category(replace(faces, expression=None))
    with pytest.raises(ValueError, match="classes must lie in 2 to 8; got 9"):
        with_category(faces, classes=9)
