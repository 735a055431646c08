"""FER+: protocols by hand and told differently, the row-order trap, bad files, counts of the real ones."""

import gzip
import os
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_ferplus
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.data import PROTOCOLS, consensus, load_ferplus, requirements, votes_to_ratings
from paperlib.labels import EXPRESSIONS
from paperlib.twin.prototypes import CIRCUMPLEX
from paperlib.twin.raters import make_faces

# neutral, happy, sad, surprise, fear, disgust, anger, contempt, unknown, not a face
BY_HAND = {
    "clear": [8, 1, 1, 0, 0, 0, 0, 0, 0, 0],
    "half only": [4, 4, 0, 0, 0, 0, 0, 0, 1, 1],
    "half of ten": [0, 5, 1, 1, 1, 1, 1, 0, 0, 0],
    "most unknown": [2, 0, 0, 0, 0, 0, 0, 0, 8, 0],
    "four ways": [0, 0, 3, 0, 2, 0, 2, 2, 1, 0],
    "unknown ties": [0, 0, 5, 0, 0, 0, 0, 0, 5, 0],
    "one emotion": [0, 0, 0, 0, 1, 0, 0, 0, 4, 5],
    "no emotion": [0, 0, 0, 0, 0, 0, 0, 0, 5, 5],
}
MIXED = "no majority"
SPREAD = "no three emotions hold more than half"
UNKNOWN = "most say unknown or not a face"


@pytest.mark.parametrize(
    ("protocol", "labels", "reasons"),
    [
        ("majority", [0, -1, 1, -1, -1, -1, -1, -1], ["", MIXED, "", UNKNOWN, MIXED, MIXED, UNKNOWN, MIXED]),
        ("argmax10", [0, -1, 1, -1, 2, -1, -1, -1], ["", "tie", "", UNKNOWN, "", "tie", UNKNOWN, "tie"]),
        ("argmax8", [0, -1, 1, 0, 2, 2, 4, -1], ["", "tie", "", "", "", "", "", "no vote for an emotion"]),
        ("soft", [0, -1, 1, -1, -1, -1, -1, -1], ["", "", "", UNKNOWN, SPREAD, SPREAD, UNKNOWN, UNKNOWN]),
        ("named", [0, -1, 1, 0, 2, 2, -1, -1], [*[""] * 6, *["fewer than two votes for an emotion"] * 2]),
    ],
)
def test_protocols_by_hand(protocol, labels, reasons):
    result = consensus(list(BY_HAND.values()), protocol=protocol)
    assert dict(zip(BY_HAND, result.excluded, strict=True)) == dict(zip(BY_HAND, reasons, strict=True))
    assert dict(zip(BY_HAND, result.expression, strict=True)) == dict(zip(BY_HAND, labels, strict=True))


def test_a_distribution_drops_single_votes_and_stops_at_three_quarters():
    votes = [[5, 0, 3, 0, 1, 0, 1, 0, 0, 0], [4, 2, 2, 2, 0, 0, 0, 0, 0, 0], [6, 2, 2, 0, 0, 0, 0, 0, 0, 0]]
    result = consensus(votes, protocol="probability")
    # the second takes all three that tie for second place, which makes four: too many
    assert result.excluded.tolist() == ["", SPREAD, ""]
    assert_array_equal(result.votes[[0, 2]], [[5, 0, 3, 0, 0, 0, 0, 0], [6, 2, 2, 0, 0, 0, 0, 0]])


def from_the_top(votes):
    """FER+'s rule for distributions, one row, level by level; None where the row is left out."""
    several = [0 if vote == 1 else vote for vote in votes]
    taken = {}
    for level in sorted(set(several) - {0}, reverse=True):
        if sum(taken.values()) >= 0.75 * sum(several) or len(taken) >= 3:
            break
        taken |= {k: level for k in range(8) if several[k] == level}
        if level in several[8:]:
            break
    if not taken or len(taken) > 3 or sum(taken.values()) <= sum(several) / 2:
        return None
    return [taken.get(k, 0) for k in range(8)]


@given(st.lists(st.lists(st.integers(0, 9), min_size=10, max_size=10), min_size=1, max_size=20))
def test_distributions_agree_with_the_rule_told_row_by_row(rows):
    choices = [np.bincount(row, minlength=10).tolist() for row in rows]  # ten people, each for one column
    result = consensus(choices, protocol="probability")
    expected = [from_the_top(row) for row in choices]
    assert (result.excluded == "").tolist() == [row is not None for row in expected]
    for votes, row in zip(result.votes, expected, strict=True):
        assert row is None or votes.tolist() == row


def test_votes_become_ratings_in_the_order_of_expressions():
    votes = np.zeros((2, 8), int)
    votes[0, [1, 6]] = 2, 1
    votes[1, 0] = 1
    ratings = votes_to_ratings(votes, CIRCUMPLEX)
    happy, anger = CIRCUMPLEX["happy"], CIRCUMPLEX["anger"]
    assert_allclose(ratings[0], [happy, happy, anger], rtol=1e-6)
    assert_array_equal(ratings[1, 0], CIRCUMPLEX["neutral"])
    assert np.isnan(ratings[1, 1:]).all()


@pytest.fixture(scope="module")
def faces():
    """Twin faces as FER+ would have them: 48 pixels, grey, an original label that is never contempt."""
    faces = make_faces(40, seed=0, size=48, channels=1)
    votes = faces.votes.copy()
    votes[3] = 0  # not a face: no image name
    votes[5] = np.eye(8, dtype=np.int16)[1] * 9  # one vote unknown
    split = np.where(np.arange(40) < 20, "train", np.where(np.arange(40) < 30, "validation", "test"))
    return replace(faces, votes=votes, original=(faces.expression % 7).astype(np.int8), split=split)


@pytest.fixture
def written(faces, tmp_path):
    write_ferplus(faces, tmp_path / "ferplus")
    return tmp_path / "ferplus"


def test_written_faces_are_read_back_by_the_order_of_rows(faces, written, tmp_path):
    names = pd.read_csv(written / "fer2013new.csv")["Image name"]
    assert names[4] == "fer0000003.png"  # not the row's number, since the fourth row has no name
    read = load_ferplus(written, protocol="named", cache=tmp_path / "cache")
    kept = np.arange(40) != 3
    assert read.excluded == {"no image name: no usable face": 1}
    for name in ("images", "votes", "original", "split"):
        assert_array_equal(getattr(read, name), getattr(faces, name)[kept])
    places = np.array([CIRCUMPLEX[name] for name in EXPRESSIONS])
    mean = faces.votes[kept] @ places / faces.votes[kept].sum(axis=1, keepdims=True)
    assert_allclose(read.affect, mean, atol=1e-6)
    assert np.isnan(read.ratings).any(axis=(1, 2)).sum() == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_dropped_uncounted_and_votes_are_those_counted(written, tmp_path, protocol):
    read = load_ferplus(written, protocol=protocol, cache=tmp_path / "cache")
    assert len(read) + sum(read.excluded.values()) == 40
    assert protocol in read.name
    if protocol == "soft":
        assert not (read.votes == 1).any()


def test_the_picture_table_may_be_unpacked(written, tmp_path):
    packed = load_ferplus(written, cache=tmp_path / "cache")
    (written / "fer2013.csv").write_bytes(gzip.decompress((written / "fer2013.csv.gz").read_bytes()))
    (written / "fer2013.csv.gz").unlink()
    assert load_ferplus(written, cache=tmp_path / "cache").fingerprint == packed.fingerprint


def test_the_fingerprint_changes_with_the_coordinates(written, tmp_path, monkeypatch):
    before = load_ferplus(written, cache=tmp_path / "cache").fingerprint
    monkeypatch.setitem(CIRCUMPLEX, "happy", (0.1, 0.1))
    assert load_ferplus(written, cache=tmp_path / "cache").fingerprint != before


def test_an_unknown_protocol_is_refused(written):
    with pytest.raises(ValueError, match="protocol must be one of majority, .*; got 'mean'"):
        load_ferplus(written, protocol="mean", cache=written.parent)


def test_requirements_say_what_is_there(written, monkeypatch):
    pictures, votes = "fer2013.csv or fer2013.csv.gz or fer2013/fer2013.csv", "fer2013new.csv"
    assert requirements("ferplus", written.parent) == [(pictures, True), (votes, True)]
    (written / "fer2013new.csv").unlink()
    monkeypatch.setenv("PAPERLIB_DATA", str(written))
    assert requirements("ferplus")[1] == (votes, False)
    monkeypatch.delenv("PAPERLIB_DATA")
    assert not any(present for _, present in requirements("affectnet"))
    with pytest.raises(ValueError, match="track must be one of ferplus"):
        requirements("twin")


REAL = os.environ.get("PAPERLIB_DATA")
NEEDS_FILES = pytest.mark.skipif(
    not all(present for _, present in requirements("ferplus")),
    reason="needs fer2013.csv and fer2013new.csv: set PAPERLIB_DATA to their folder, or to one with ferplus/",
)


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    with pytest.warns(UserWarning, match="1844 of 35887 images are copies of earlier ones"):
        load_ferplus(REAL, protocol="majority", cache=cache)
    return cache


@NEEDS_FILES
@pytest.mark.parametrize(
    ("protocol", "train", "validation", "test"),
    [
        ("majority", 25_060, 3_199, 3_153),
        ("argmax10", 26_940, 3_396, 3_376),
        ("argmax8", 27_193, 3_436, 3_414),
        ("named", 28_559, 3_579, 3_573),
    ],
)
def test_the_real_files_give_the_published_counts(real_cache, protocol, train, validation, test):
    faces = load_ferplus(REAL, protocol=protocol, cache=real_cache)
    sizes = [(faces.split == name).sum() for name in ("train", "validation", "test")]
    assert sizes == [train, validation, test]
    assert sum(sizes) + sum(faces.excluded.values()) == 35_887
    assert faces.excluded["no image name: no usable face"] == 173


@NEEDS_FILES
def test_the_real_majority_has_the_official_classes_and_natural_noise(real_cache):
    faces = load_ferplus(REAL, protocol="majority", cache=real_cache)
    counts = np.bincount(faces.expression[faces.split == "test"])
    official = {
        "neutral": 1090,
        "happy": 893,
        "surprise": 396,
        "sad": 384,
        "anger": 273,
        "disgust": 18,
        "fear": 83,
    }
    assert dict(zip(EXPRESSIONS, counts.tolist(), strict=True)) == official | {"contempt": 16}
    assert round((faces.original == faces.expression).mean(), 3) == 0.676
