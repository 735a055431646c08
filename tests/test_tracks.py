import os
from dataclasses import replace

import layouts
import numpy as np
import pytest

from paperlib import data, tracks
from paperlib.tracks import Track
from paperlib.twin import make_faces
from paperlib.twin_kinds import OTHERS_SEEDS


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "amigo"}, "TRACK must be one of twin, ferplus"),
        ({"profile": "fast"}, "PROFILE must be one of smoke, full, paper"),
        ({"name": "ferplus"}, "DATA=<folder>"),
    ],
)
def test_a_track_that_cannot_be_says_what_can(settings, message):
    with pytest.raises(ValueError, match=message):
        Track(**settings)


def test_the_twin_has_faces_and_recordings_and_is_made_once():
    track = Track(profile="smoke")
    assert len(track.faces()) == 1_200 and len(track.sequences()) == 160
    assert track.faces() is Track(profile="smoke").faces()


@pytest.mark.parametrize(
    ("load", "n", "seed", "size"),
    [(Track.faces, 1_000, 0, 48), (lambda track: track.of_kind("portraits"), 600, 4, 64)],
    ids=["faces", "portraits"],
)
def test_the_twins_further_test_faces_are_of_people_whom_nobody_has_seen(load, n, seed, size):
    faces = load(Track(profile="smoke"))
    own = make_faces(n, seed=seed, size=size, channels=1)
    other = make_faces(100, seed=OTHERS_SEEDS[1], size=size, channels=1)
    np.testing.assert_array_equal(faces.images[:n], own.images)
    np.testing.assert_array_equal(faces.split[:n], own.split)
    np.testing.assert_array_equal(faces.images[n + 100 :], other.images)
    np.testing.assert_array_equal(faces.truth.variance[n + 100 :], other.truth.variance)
    assert set(faces.split[n:]) == {"test"}
    people = [set(faces.subject[rows]) for rows in (slice(n), slice(n, n + 100), slice(n + 100, None))]
    assert len(set.union(*people)) == sum(map(len, people))
    columns = (faces.ratings, faces.votes, faces.landmarks, faces.affect)
    assert {len(column) for column in columns} == {n + 200}


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


def test_ferplus_takes_its_categories_from_the_official_majority(tmp_path, faces, monkeypatch):
    asked = []
    monkeypatch.setattr(data, "load_ferplus", lambda *_, protocol, cache: asked.append(protocol) or faces)
    track = Track(name="ferplus", root=str(tmp_path))
    assert track.faces() is faces
    np.testing.assert_array_equal(track.categories().expression, faces.expression)
    assert asked == ["named", "majority"]


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


def test_afew_va_s_portraits_are_split_by_actor(tmp_path, faces, monkeypatch):
    actor = np.repeat([f"{k}" for k in range(10)], len(faces) // 10)
    frames = replace(faces, subject=actor, split=np.array(["train"] * len(faces)))
    monkeypatch.setattr(data, "load_afewva", lambda root, **kwargs: frames)
    found = Track(name="afewva", root=str(tmp_path)).of_kind("portraits")
    share = {s: (found.split == s).mean() for s in ("train", "validation", "test")}
    assert share == pytest.approx({"train": 0.6, "validation": 0.2, "test": 0.2})
    assert all(len(set(found.split[actor == a])) == 1 for a in set(actor))
    assert found.fingerprint != frames.fingerprint


def test_files_that_change_are_not_mixed_with_what_was_loaded_before(faces, tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")  # in the data folder, where it may lie
    track = Track(name="manifest", root=str(tmp_path), profile="smoke")
    layouts.write_manifest(replace(faces, ratings=None), tmp_path)
    monkeypatch.setattr(tracks, "_VERSIONS", {})
    first = track.faces()
    Track.faces.cache_clear()
    assert track.faces().fingerprint == first.fingerprint
    os.utime(tmp_path / "manifest.csv", ns=(1, 1))
    Track.faces.cache_clear()
    message = "files of track manifest changed while they were used.* start ag"
    for look in (track.faces, lambda: tracks.check_unchanged(track)):
        with pytest.raises(RuntimeError, match=message):
            look()
    seen, tracks._VERSIONS = tracks._VERSIONS, {}  # another process, which is told what this one saw
    tracks.check_unchanged(track)
    tracks.expect(seen)
    with pytest.raises(RuntimeError, match=message):
        tracks.check_unchanged(track)
