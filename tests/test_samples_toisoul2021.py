"""toisoul2021: what its plan trains, and what its samples hold, on generated faces and from files in their layouts."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_afewva, write_affectnet_csv, write_ferplus
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import metrics, tracks
from paperlib.companion.measures import between, ccc
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Result, run_missing
from paperlib.companion.samples import toisoul2021 as samples
from paperlib.labels import EXPRESSIONS, is_noisy
from paperlib.tasks import emofan
from paperlib.tracks import Track
from paperlib.twin import make_faces
from paperlib.twin.prototypes import CIRCUMPLEX

SMOKE = Track(profile="smoke")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A track from files, its runs by network and row, and its samples."""
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")

    def clear():
        emofan.problem.cache_clear(), emofan.clips.cache_clear()

    def make(name):
        clear()
        track = Track(name=name, root=str(tmp_path), profile="smoke")
        planned = [(b.labels, run_missing(b.runs)) for b in read_plan("toisoul2021", track, seeds=1)]
        runs = {(of["network"], of.get("trained", "")): results for of, results in planned}
        return track, runs, samples.build(track, planned)

    yield make
    clear()


# the plan


def test_a_row_changes_what_its_letters_say():
    blocks = read_plan("toisoul2021", SMOKE)
    rows = {(b.labels["network"], b.labels.get("trained", "")): b.runs[0].settings for b in blocks}

    def changed(network, row, other):
        a, b = rows[network, row], rows[network, other]
        return {k for k in a.keys() | b.keys() if a.get(k) != b.get(k)}

    assert changed("ResNet-18", "F+R", "O+R") == {"landmarks"}
    assert changed("ResNet-18", "F+R+C", "F+R") == changed("EmoFAN", "F+R+C", "F+R") == {"categories"}
    assert changed("EmoFAN", "F+R+C+A", "F+R+C") == {"attention", "teaches"}
    assert changed("EmoFAN", "F+R+C+A+D", "F+R+C+A") == {"teacher", "teaches"}
    assert changed("EmoFAN", "F+R+C+A+S", "F+R+C+A") == changed("EmoFAN", "F+R+C+S", "F+R+C") == {"loss"}
    assert changed("EmoFAN", "F+R+C+A+S+D", "F+R+C+A+S") == {"teacher", "teaches"}
    assert changed("EmoFAN", "F+R+C+A, alignment trained on", "F+R+C+A") == {"frozen", "teaches"}
    assert changed("EmoFAN", "F+R+C+A+D, labels replaced", "F+R+C+A+D") == {"distil"}
    kind = {"network": "", "attention": 0}
    assert rows["EmoFAN", "F+R"] | kind == rows["ResNet-18", "F+R"] | kind


# of each face


@given(st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(lambda v: sum(v) > 1))
def test_votes_agree_as_every_voter_does(counts):
    voters = np.repeat(np.arange(3), counts)
    same = [a == b for a, b in combinations(voters, 2)]
    most = []
    for i, own in enumerate(voters):
        rest = np.bincount(np.delete(voters, i), minlength=3)
        most.append((rest[own] == rest.max()) / (rest == rest.max()).sum())
    votes = np.array([counts, [1, 0, 0]], float)  # a lone voter has none to agree with
    assert_allclose(samples.two_agree(votes), [np.mean(same), np.nan])
    assert_allclose(samples.one_of_most(votes), [np.mean(most), np.nan])


def test_a_category_that_ties_counts_its_share():
    votes = np.array([[2.0, 2, 1], [0, 3, 1], [0, 3, 1]])
    assert_allclose(samples.of_most(votes, np.array([0, 1, 2])), [0.5, 1, 0])


def test_labels_are_smoothed_by_the_weight_that_brings_them_nearest(rng):
    share = rng.dirichlet(np.ones(4), 50)
    hard = np.eye(4)[share.argmax(axis=1)]
    off = [np.square(hard + w * (1 / 4 - hard) - share).mean() for w in np.linspace(0, 1, 1001)]
    assert np.square(samples.smoothed(hard, share) - share).mean() == pytest.approx(min(off), rel=1e-4)


def test_a_measure_between_raters_is_its_mean_over_pairs_of_the_faces_that_both_rated(rng):
    x = rng.normal(size=(40, 3))
    x[:10, 2] = np.nan
    pairs = between(ccc(), "rater *", pairs=lambda x: combinations(x.T, 2))
    by_hand = np.mean([metrics.ccc(x[:, 0], x[:, 1]), *(metrics.ccc(x[10:, k], x[10:, 2]) for k in (0, 1))])
    assert pairs.of(x) == pytest.approx(by_hand)
    unit, counts = np.arange(40) % 4, np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    drawn = np.concatenate([np.repeat(x[unit == u], n, axis=0) for u, n in enumerate(counts[1])])
    assert_allclose(pairs.many(x, unit=unit, counts=counts), [by_hand, pairs.of(drawn)])


# the tables


def test_samples_hold_what_was_predicted_and_what_is_known_of_each_face(rng):
    parts = emofan.problem(SMOKE)
    test, truth = parts.test, parts.faces.truth
    affect = rng.uniform(-1, 1, (len(test), 2)).astype(np.float16)
    logits = rng.normal(size=(len(test), 8)).astype(np.float16)
    aligned = np.stack([np.full(len(test), 0.1), np.full(len(test), 0.05)], axis=1)
    arrays = {"": {"nme": aligned}, "F+R+C+A": {"affect": affect, "logits": logits}}
    arrays["F+R+C+A"]["train"] = np.eye(8)[parts.label[parts.train]] * 50
    planned = []
    for block in read_plan("toisoul2021", SMOKE, seeds=1):
        of = arrays.get(block.labels.get("trained", ""))
        if of is not None:
            planned.append((block.labels, [Result(run=block.runs[0], key="", seconds=1.0, arrays=of)]))
    tables = samples.build(SMOKE, planned)
    arousal = tables[""].query("dimension == 'arousal'")
    assert_array_equal(arousal["item"], test)
    assert_allclose(arousal["prediction"], affect[:, 1].astype(float))
    assert_allclose(arousal["label"], parts.affect[test, 1])
    named = tables[""].query("dimension == ''")
    assert_array_equal(named["named"], logits.argmax(axis=1))
    assert_array_equal(named["right"], parts.label[test])
    votes = parts.faces.votes[test]
    assert_allclose(named["votes for it"], votes[np.arange(len(test)), logits.argmax(axis=1)] / 10)
    faces = tables["faces"].query("dimension == 'valence'")
    assert_array_equal(faces["kept by the rules"], ~is_noisy(parts.label[test], parts.affect[test]))
    assert_allclose(faces["rater 03"], parts.faces.ratings[test, 2, 0])
    assert_allclose(faces["true variance"], truth.variance[test, 0])
    assert_allclose(tables["faces"]["error of FAN"].dropna(), 0.05)
    taught = tables["taught"].query("trained == 'F+R+C+A'")  # a teacher that says the given label
    given = tables["taught"].query("trained == 'given label'")
    assert_allclose(taught["off the votes"], given["off the votes"], atol=1e-9)
    assert_array_equal(taught["wrong"], truth.mislabelled[parts.train])
    assert not len(tables["clips"])
    later = samples.build(SMOKE, planned[1:])  # further seeds have no alignment network of their own
    assert later[""].equals(tables[""]) and later["faces"]["error of FAN"].isna().all()


def test_affectnet_has_neither_raters_nor_truth(made, tmp_path):
    faces = make_faces(160, seed=4, size=64)
    split = np.where(np.arange(160) < 110, "train", "test")
    write_affectnet_csv(replace(faces, split=split), tmp_path / "affectnet")
    track, runs, tables = made("affectnet")
    assert runs["alignment", ""][0]["landmarks"].shape == (160, 68, 2)
    assert tables[""].query("dimension == 'valence'").groupby(["network", "trained"]).size().eq(50).all()
    assert np.isfinite(tables[""]["prediction"].dropna()).all()
    assert tables["faces"][["rater 01", "true", "wrong", "two agree"]].isna().all(axis=None)
    assert not len(tables["taught"]) and not len(tables["clips"])


def test_ferplus_has_the_landmarks_that_the_detector_finds(made, tmp_path, monkeypatch):
    faces = make_faces(120, seed=0, size=48)
    found = np.where(np.arange(120)[:, None, None] < 3, np.nan, faces.landmarks)
    monkeypatch.setattr("paperlib.detector.landmarks_of", lambda pictures, cache: found[-len(pictures) :])
    split = np.where(np.arange(120) < 60, "train", np.where(np.arange(120) < 80, "validation", "test"))
    original = (faces.expression % 7).astype(np.int8)
    write_ferplus(replace(faces, split=split, original=original), tmp_path / "ferplus")
    track, runs, tables = made("ferplus")
    parts = emofan.problem(track)
    assert_allclose(parts.original, parts.faces.landmarks)
    assert np.isfinite(parts.original).all()
    assert parts.faces.excluded["no face found by the detector"] == 3
    assert runs["alignment", ""][0].run.track == track and ("ResNet-18", "O+R") in runs
    own = (parts.faces.ratings == parts.affect[:, None]).all(axis=2)
    assert own.any(axis=1).all()  # what is learnt is one vote's place
    found = tables["faces"].query("dimension == ''")
    assert found["two agree"].notna().all() and tables["faces"]["rater 01"].isna().all()
    assert found["unit"].str.startswith("lot ").all() and not len(tables["taught"])
    # the vote to predict is none of the other annotators': a face whose votes are all for one stays
    votes = parts.faces.votes[parts.test]
    sure = (votes.max(axis=1) == votes.sum(axis=1)) & (parts.label[parts.test] >= 0)
    assert sure.any() and found["kept by others"].to_numpy()[sure].all()


def test_afew_va_is_split_by_actor_and_cross_validated_after_affectnet(made, tmp_path, monkeypatch):
    monkeypatch.setitem(tracks.CLIP_STEP, "smoke", 1)
    few = make_faces(60, seed=5, size=64)
    write_afewva(replace(few, subject=np.repeat([f"actor {k}" for k in range(6)], 10)), tmp_path / "afewva")
    alone = read_plan("toisoul2021", Track(name="afewva", root=str(tmp_path), profile="smoke"))
    rows = [b.labels.get("trained") for b in alone]
    assert rows == [None, "O+R", "F+R", "F+R"]  # no categories, and no AffectNet in the same folder
    faces = make_faces(160, seed=4, size=64)
    split = np.where(np.arange(160) < 110, "train", "test")
    write_affectnet_csv(replace(faces, split=split), tmp_path / "affectnet")
    tracks._VERSIONS.clear()
    _, _, tables = made("afewva")
    clips = tables["clips"]
    assert set(clips["network"]) == {"ResNet-18", "ResNet-18, first on more faces", "Ours"}
    assert clips["prediction"].notna().all() and set(clips["fold"]) == set(range(5))
    assert clips.groupby("unit")["fold"].nunique().eq(1).all()


def test_votes_are_told_by_their_place():
    places = np.array([CIRCUMPLEX[name] for name in EXPRESSIONS], np.float32)
    assert_array_equal(samples.voted(places), np.arange(8))
