"""The drawn faces: muscles and pose move landmarks the right way, and bytes depend on the seed only."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.twin import draw_faces, landmarks, make_faces, make_sequences, plain_faces, sample_parameters
from paperlib.twin.anatomy import MIRROR
from paperlib.twin_recordings import make_recordings

REST = landmarks(plain_faces({}), 64)[0]


def moved(units: dict[int, float], **changes: np.ndarray) -> np.ndarray:
    """How far the average face's landmarks move, in pixels of 64: right, down."""
    return landmarks(plain_faces(units, **changes), 64)[0] - REST


def test_a_frontal_neutral_face_is_its_own_mirror_image():
    mirrored = REST[MIRROR] * (-1, 1) + (64, 0)
    assert_allclose(mirrored, REST, atol=1e-4)


@pytest.mark.parametrize(
    ("unit", "point", "right", "down"),
    [
        (1, 21, 0, -1),  # inner brow rises
        (2, 18, 0, -1),  # outer brow rises
        (4, 21, 1, 1),  # inner brow comes down and in
        (5, 37, 0, -1),  # upper lid rises
        (6, 41, 0, -1),  # lower lid is pushed up
        (7, 37, 0, 1),  # the lids narrow
        (9, 33, 0, -1),  # nose is pulled up
        (10, 51, 0, -1),  # upper lip rises
        (12, 48, -1, -1),  # left corner goes out and up
        (12, 54, 1, -1),  # right corner goes out and up
        (15, 48, 0, 1),  # corner comes down
        (17, 57, 0, -1),  # lower lip is pushed up
        (20, 48, -1, 0),  # corner goes out
        (25, 66, 0, 1),  # lips part
        (26, 8, 0, 1),  # jaw drops
    ],
)
def test_each_unit_moves_its_landmark_the_way_facs_describes(unit, point, right, down):
    x, y = moved({unit: 5.0})[point]
    assert x * right > 0.5 or right == 0
    assert y * down > 0.5 or down == 0
    half = moved({unit: 2.5})[point]
    if unit not in (6, 7):  # lids that meet stop
        assert_allclose(half, [x / 2, y / 2], atol=1e-4)


def test_pose_moves_the_nose_monotonically():
    angles = np.linspace(-30, 30, 13)
    for axis, (coordinate, sign) in enumerate(((0, 1), (1, -1))):
        pose = np.zeros((13, 3))
        pose[:, axis] = angles
        tip = landmarks(plain_faces(np.zeros((13, 16)), pose=pose))[:, 30, coordinate]
        assert (sign * np.diff(tip) > 0).all()
    rolled = landmarks(plain_faces({}, pose=np.array([[0.0, 0, 20]])))[0]
    eyes = rolled[45] - rolled[36]
    assert_allclose(np.degrees(np.arctan2(eyes[1], eyes[0])), 20, atol=1e-3)


def test_bytes_do_not_depend_on_block_order_or_neighbours():
    p = sample_parameters(300, 3)
    whole = draw_faces(p, size=48)
    shuffled = np.random.default_rng(0).permutation(300)
    assert_array_equal(draw_faces(p.rows(shuffled), size=48), whole[shuffled])
    for rows in (slice(7, 8), slice(250, 263), np.array([299, 0])):
        assert_array_equal(draw_faces(p.rows(rows), size=48), whole[rows])
        assert_array_equal(landmarks(p.rows(rows)), landmarks(p)[rows])


def test_parameters_of_a_row_depend_on_seed_and_row_only():
    whole = sample_parameters(50, 11)
    part = sample_parameters(9, 11, start=20)
    for name in ("action_units", "pose", "affect", "tone", "backdrop"):
        assert_array_equal(getattr(part, name), getattr(whole, name)[20:29])
    assert not np.array_equal(sample_parameters(50, 12).affect, whole.affect)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: draw_faces(plain_faces({}), size=47), "48 to 256 and channels be 1 or 3"),
        (lambda: draw_faces(plain_faces({}), channels=2), "48 to 256 and channels be 1 or 3"),
        (lambda: plain_faces({3: 1.0}), r"action units \[3\]"),
        (lambda: plain_faces(np.full((1, 16), 6.0)), "from 0 to 5"),
        (lambda: sample_parameters(1, -1), "seed must be"),
        (lambda: make_faces(0, seed=0), "n must be at least 1"),
        (lambda: make_faces(1, seed=0, raters=2), "raters must be at least 3"),
        (lambda: make_faces(1, seed=0, mislabelled=1.5), "share from 0 to 1"),
        (lambda: make_faces(1, seed=0, start=-1), "start at least 0"),
        (lambda: make_sequences(seed=0, subjects=0), "subjects, recordings and segments must be at least 1"),
        (lambda: make_sequences(seed=0, raters=2), "raters must be at least 3"),
        (lambda: make_recordings(3, seconds=60.0), "four pairs and eight seconds at least; got 3 and 60.0"),
    ],
)
def test_what_cannot_be_made_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
