from dataclasses import replace

import numpy as np
import pytest

from paperlib import data, tracks
from paperlib.tracks import Track


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "amigo"}, "TRACK must be one of twin, ferplus"),
        ({"profile": "fast"}, "PROFILE must be one of smoke, default, paper"),
        ({"name": "ferplus"}, "DATA=<folder>"),
    ],
)
def test_a_track_that_cannot_be_says_what_can(settings, message):
    with pytest.raises(ValueError, match=message):
        Track(**settings)


def test_the_twin_has_faces_and_recordings_and_is_made_once():
    track = Track(profile="smoke")
    assert len(track.faces()) == 1_000 and len(track.sequences()) == 160
    assert track.faces() is Track(profile="smoke").faces()


def test_a_track_has_only_what_its_data_set_has(tmp_path):
    assert Track(name="amigos", root=str(tmp_path)).faces() is None
    assert Track(name="ferplus", root=str(tmp_path)).sequences() is None


def test_the_twins_category_is_what_most_raters_chose_and_the_annotators_its_original():
    track = Track(profile="smoke")
    before, after = track.faces(), track.categories()
    votes = np.sort(before.votes, axis=1)
    kept = (votes[:, -1] > votes[:, -2]) & (before.votes.argmax(axis=1) < 7) & (before.expression < 7)
    np.testing.assert_array_equal(after.expression, before.votes[kept].argmax(axis=1))
    np.testing.assert_array_equal(after.original, before.expression[kept])
    np.testing.assert_array_equal(after.images, before.images[kept])
    assert sum(after.excluded.values()) == (~kept).sum() + sum(before.excluded.values())
    assert 0 < (after.original != after.expression).mean() < 0.5
    assert after.fingerprint != before.fingerprint and after is Track(profile="smoke").categories()


def test_a_track_without_categories_has_none(tmp_path, faces, monkeypatch):
    assert Track(name="amigos", root=str(tmp_path)).categories() is None
    monkeypatch.setattr(data, "load_manifest", lambda *args, **kwargs: replace(faces, expression=None))
    assert Track(name="manifest", root=str(tmp_path)).categories() is None


def test_ferplus_takes_its_categories_from_the_official_majority(tmp_path, faces, monkeypatch):
    asked = []
    monkeypatch.setattr(
        data, "load_ferplus", lambda root, **kwargs: asked.append(kwargs["protocol"]) or faces
    )
    track = Track(name="ferplus", root=str(tmp_path))
    assert track.faces() is faces
    np.testing.assert_array_equal(track.categories().expression, faces.expression)
    assert asked == ["named", "majority"]


@pytest.mark.parametrize("name", ["affectnet", "rafdb", "sfew", "manifest"])
def test_a_profile_says_the_size_of_the_pictures(tmp_path, name, faces, monkeypatch):
    asked = []
    monkeypatch.setattr(data, f"load_{name}", lambda root, **kwargs: asked.append((root, kwargs)) or faces)
    for profile in tracks.PROFILES:
        Track(name=name, root=str(tmp_path), profile=profile).faces()
    assert {root for root, _ in asked} == {tmp_path}
    assert [(k["size"], k["channels"]) for _, k in asked] == [(48, 1), (64, 1), (224, 3)]


def test_a_tenth_of_the_training_faces_validates_where_no_split_does(tmp_path, faces, monkeypatch):
    def categories(given, root):
        monkeypatch.setattr(data, "load_manifest", lambda *args, **kwargs: given)
        return Track(name="manifest", root=str(tmp_path / root)).categories()

    found, again = categories(faces, "a"), categories(faces, "b")
    np.testing.assert_array_equal(found.split, again.split)
    changed = np.flatnonzero(found.split != faces.split)
    assert len(changed) == 4 and (faces.split[changed] == "train").all()
    assert (found.split[changed] == "validation").all()
    assert found.fingerprint == again.fingerprint
    split = faces.split.astype("<U10")
    split[:2] = "validation"
    own = categories(replace(faces, split=split), "c")
    np.testing.assert_array_equal(own.split, split)
    assert own.fingerprint != found.fingerprint
