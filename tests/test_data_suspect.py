"""What is likely wrong and cannot be told for certain is said once; a dimension that nobody rated is refused."""

import shutil
import warnings
from dataclasses import replace

import layouts
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image
from wellformed import LAYOUTS, faces, segments

from paperlib.data.suspect import LARGE, doubts, first_copies
from paperlib.twin import make_sequences

N = LARGE + 20


def halved(x):
    return ((x + 1) / 2).astype(np.float32)


def test_a_scale_from_nought_to_one_is_doubted_once_and_a_right_one_never(tmp_path):
    load, cache = LAYOUTS["manifest"].load, tmp_path / "cache"
    values = {"affect": halved(faces(N).affect), "ratings": halved(faces(N).ratings)}
    layouts.write_manifest(replace(faces(N), **values), tmp_path / "data")
    with pytest.warns(
        UserWarning, match="no valence and no arousal is negative. If their scale is 0 to 1, bring"
    ):
        read = load(tmp_path / "data", cache)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(tmp_path / "data", cache).fingerprint == read.fingerprint
        layouts.write_manifest(faces(N), tmp_path / "right")
        load(tmp_path / "right", cache)


def test_a_dimension_that_nobody_rated_is_refused(tmp_path):
    layouts.write_affectnet_csv(replace(faces(N), affect=faces(N).affect * [1, 0]), tmp_path / "data")
    with pytest.raises(
        ValueError, match=f"arousal is 0 in all {N} rows that have one, as if nobody rated it"
    ):
        LAYOUTS["affectnet-csv"].load(tmp_path / "data", tmp_path / "cache")


def test_ratings_of_segments_are_doubted_too(tmp_path):
    many = make_sequences(seed=0, subjects=15, recordings=2, segments=4, frames=500)
    layouts.write_amigos(replace(many, ratings=halved(many.ratings)), tmp_path)
    with pytest.warns(UserWarning, match="amigos: no valence and no arousal is negative"):
        LAYOUTS["amigos-openface"].load(tmp_path, tmp_path / "cache")


RATINGS = np.random.default_rng(0).uniform(-1, 1, (N, 3, 2))


def copied(*raters):
    """The first rater's ratings in the place of others."""
    new = RATINGS.copy()
    new[:, list(raters)] = RATINGS[:, :1]
    return new


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"ratings": RATINGS}, ""),
        ({"ratings": copied(2)}, f"raters 1 and 3 gave the same ratings in all {N} rows"),
        ({"ratings": RATINGS * [[[1], [0], [0]]]}, ""),  # who never moves is counted elsewhere
        ({"ratings": copied(2)[: LARGE - 1]}, ""),
        (
            {"ratings": np.repeat(RATINGS[..., :1], 2, axis=2)},
            "valence and arousal are the same in every row",
        ),
        (
            {"affect": RATINGS[:, 0] / 10},
            "no valence and no arousal is beyond 0.1. If they were divided already",
        ),
        ({"affect": np.abs(RATINGS[:, 0])}, "no valence and no arousal is negative"),
        ({"affect": np.abs(RATINGS[:, 0]) * [1, -1]}, ""),
        ({"affect": np.full((N, 2), np.nan)}, ""),
    ],
)
def test_scales_and_copied_raters_are_told_in_many_rows(arrays, said):
    found = doubts(arrays)
    assert [said in doubt for doubt in found] == [True] * bool(said)


@pytest.mark.parametrize(
    ("layout", "name", "other", "said"),
    [
        (
            "rafdb",
            "Image/aligned/train_00002_aligned.jpg",
            "Image/aligned/test_0003_aligned.jpg",
            "1 with .* 1 in",
        ),
        ("morphset", "images/000001.png", "images/000008.png", "1 with another label"),
        ("amigos-openface", "action_units/P01_1.csv", "action_units/P02_1.csv", "2 with another label"),
    ],
)
def test_copies_under_two_names_are_counted(layout, name, other, said, written, tmp_path):
    shutil.copytree(written / layout, tmp_path / "data")
    shutil.copy(tmp_path / "data" / name, tmp_path / "data" / other)
    with pytest.warns(UserWarning, match=f"copies of earlier ones, .*{said}.*All are kept"):
        LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache")


def test_the_first_of_each_content_is_found():
    x = np.array([[1, 2], [3, 4], [1, 2], [4, 3], [3, 4], [1, 2]], np.uint8)
    assert first_copies(x).tolist() == [0, 1, 0, 3, 1, 0]


@pytest.mark.parametrize("size", [(1, 1), (900, 3)])
def test_a_picture_of_few_pixels_is_no_face(size, written, tmp_path):
    shutil.copytree(written / "sfew", tmp_path / "data")
    path = min((tmp_path / "data").glob("*/Sad/*.png"))
    Image.new("RGB", size).save(path)
    with pytest.raises(
        ValueError, match=rf"{path.name} has {size[0]} x {size[1]} pixels, too few for a face. Repl"
    ):
        LAYOUTS["sfew"].load(tmp_path / "data", tmp_path / "cache")


def test_features_that_never_change_are_counted(written, tmp_path):
    made = segments()
    still = made.features.copy()
    still[:2, :, 4] = 1.5
    layouts.write_amigos(replace(made, features=still), tmp_path / "data")
    read = LAYOUTS["amigos-json"].load(tmp_path / "data", tmp_path / "cache")
    assert read.adjusted == {"features that never change in a recording": 1}
    assert_array_equal(read.features, still)


def test_rows_that_do_not_belong_together_are_told_by_their_labels(tmp_path):
    made = faces(3 * N, channels=1, raters=10)
    right = (made.votes.argmax(axis=1) % 7).astype(np.int8)
    made = replace(made, split=np.repeat(["train", "validation", "test"], N), original=right.copy())
    layouts.write_ferplus(made, tmp_path / "data")
    assert len(LAYOUTS["ferplus"].load(tmp_path / "data", tmp_path / "cache"))
    made.original[N : 2 * N] = right[N : 2 * N][::-1]
    layouts.write_ferplus(made, tmp_path / "data")
    with pytest.raises(
        ValueError, match="split validation: emotion is what most voted for in .* % in the|of the"
    ):
        LAYOUTS["ferplus"].load(tmp_path / "data", tmp_path / "cache")
