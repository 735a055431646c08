"""The twin as three data sets: what each is known for is there, by the settings of the drawn faces."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from paperlib.labels import EXPRESSIONS
from paperlib.twin.prototypes import CIRCUMPLEX
from paperlib.twin_kinds import AFFECTNET, SCATTER, morphs, skewed_faces, videos

FRAMES = 13  # four key moments: frames 0, 4, 8 and 12
SMALL = {"size": 48, "channels": 1}
KINDS = {
    "faces": lambda n=24, others=9, **options: skewed_faces(n, others=others, **(SMALL | options)),
    "morphs": lambda n=24, others=9, **options: morphs(n, others=others, **(SMALL | options)),
    "videos": lambda n=6, tested=1, frames=3, **options: videos(
        n, tested=tested, frames=frames, **(SMALL | options)
    ),
}


@pytest.fixture(scope="module")
def skewed():
    return skewed_faces(300, others=200, **SMALL)


@pytest.fixture(scope="module")
def morphed():
    return morphs(280, others=35, **SMALL)


@pytest.fixture(scope="module")
def filmed():
    return videos(40, tested=8, frames=FRAMES, **SMALL)


def splits_of(faces):
    return [set(faces.split[faces.subject == one]) for one in np.unique(faces.subject)]


def test_training_faces_are_skewed_like_the_root_of_affectnet(skewed):
    found = np.bincount(skewed.expression[skewed.split == "train"], minlength=8)
    root = np.sqrt([AFFECTNET[name] for name in EXPRESSIONS])
    assert_allclose(found, 300 * root / root.sum(), atol=0.5)
    assert found[1] / found[7] == pytest.approx(np.sqrt(134_415 / 3_750), rel=0.05)  # happy and contempt


def test_morphs_lie_on_the_way_from_neutral_to_their_apex(morphed):
    apex = np.array([CIRCUMPLEX[name] for name in EXPRESSIONS])[morphed.expression]
    away = np.linalg.norm(apex, axis=1)
    neutral = away == 0
    assert_array_equal(neutral, morphed.expression == EXPRESSIONS.index("neutral"))
    assert_allclose(np.sqrt(np.square(morphed.affect[neutral]).mean()), SCATTER, rtol=0.25)
    apex, away, affect = apex[~neutral], away[~neutral], morphed.affect[~neutral]
    across = (affect * apex[:, ::-1] * (1, -1)).sum(axis=1) / away
    assert_allclose(np.sqrt(np.square(across).mean()), SCATTER, rtol=0.15)
    # uniform, 0.35 to 1 of the apex's strength and 0.25 to 1 of the way
    along = (affect * apex).sum(axis=1) / away**2
    assert along.mean() == pytest.approx(0.675 * 0.625, abs=0.05)
    assert SCATTER < 0.1 * np.linalg.norm(morphed.affect, axis=1).max()


def test_the_test_has_as_many_faces_of_each_class_and_further_people(skewed):
    tested = skewed.split == "test"
    assert len(set(np.bincount(skewed.expression[tested], minlength=8))) == 1
    other = np.char.find(skewed.subject, "-") > 0
    assert 100 < other.sum() < tested.sum() and tested[other].all()


def test_morphs_of_a_person_are_in_one_split(morphed):
    assert all(len(splits) == 1 for splits in splits_of(morphed))
    assert set(morphed.split[280:]) == {"test"} and len(morphed) == 280 + 2 * 35
    shares = [(morphed.split[:280] == split).mean() for split in ("train", "validation", "test")]
    assert_allclose(shares, [0.7, 0.1, 0.2], atol=0.06)


def test_a_video_is_in_one_split_and_as_many_as_asked_are_for_test(filmed):
    assert all(len(splits) == 1 for splits in splits_of(filmed))
    of_video = filmed.split.reshape(40, FRAMES)[:, 0]
    found = {split: int((of_video == split).sum()) for split in ("test", "validation", "train")}
    assert found == {"test": 8, "validation": 3, "train": 29}
    assert len(set(np.flatnonzero(of_video == "test") // 10)) > 1  # drawn, not the first ones


@pytest.mark.parametrize("kind", KINDS)
def test_fingerprints_tell_settings_apart_and_repeat(kind):
    make = KINDS[kind]
    more = [{"frames": 4}, {"tested": 2}] if kind == "videos" else [{"others": 10}]
    changes = [{}, {"n": 25}, {"size": 49}, {"channels": 3}, *more]
    made = [make(**change) for change in changes]
    assert len({faces.fingerprint for faces in made}) == len(made)
    again = make()
    assert again.fingerprint == made[0].fingerprint
    for name in ("images", "affect", "split", "subject"):
        assert_array_equal(getattr(again, name), getattr(made[0], name))
