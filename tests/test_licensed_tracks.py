"""Papers on data sets not at hand: from files in their layouts to a trained network's score."""

from dataclasses import replace

import numpy as np
import pytest
from layouts import (
    write_afewva,
    write_affectnet_csv,
    write_affwild,
    write_ferplus,
    write_manifest,
    write_morphset,
)

from paperlib import tracks
from paperlib.fusion import LabelParameters, fit_label_parameters
from paperlib.labels import EXPRESSIONS
from paperlib.papers import TRACKS_OF, foteinopoulou2021, le2023, neo2023, toisoul2021
from paperlib.tasks import dual_domain as task
from paperlib.tasks import emofan
from paperlib.tracks import Track
from paperlib.twin import make_faces
from paperlib.twin_kinds import morphs, videos


@pytest.fixture
def track(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")

    def on(name):
        task.problem.cache_clear()
        return Track(name=name, root=str(tmp_path), profile="smoke")

    yield on
    task.problem.cache_clear()


def first_run(track, kind, method, tmp_path):
    (run, *_) = neo2023.grid(track, seeds=1)[kind, "0 %", method]
    return task.train(track, run.settings, 0, tmp_path / "run.ckpt")


def test_aff_wild_is_labelled_by_parameters_from_elsewhere_and_learnt(track, tmp_path):
    made = videos(15, frames=21, size=48, channels=1)
    write_affwild(made, tmp_path)
    faces = make_faces(600, seed=0, size=48)
    fit_label_parameters(
        faces.affect, faces.expression.astype(int), classes=EXPRESSIONS, source="a test", reading="all"
    ).save(tmp_path / task.PARAMETERS)
    affwild = track("affwild")
    parts = task.problem(affwild, "videos", "as given")
    assert neo2023.kinds(affwild) == ["videos"] and len(parts.label) == 15 * 3  # every tenth of 21 frames
    assert not set(parts.subject[parts.train]) & set(parts.subject[parts.test])
    assert len(set(parts.subject[:3])) > 1  # in a random order
    assert len(np.unique(parts.label[parts.train])) < 8  # a class that no frame has stops nothing
    out = first_run(affwild, "videos", "GMM", tmp_path)
    assert out["log_probability"].shape == (len(parts.test), 8) and np.isfinite(out["affect"]).all()


def test_morphset_has_seven_classes_and_a_table_4_of_its_own(track, tmp_path):
    write_morphset(morphs(150, size=48, channels=1), tmp_path)
    morphset = track("morphset")
    runs = neo2023.grid(morphset, seeds=1)
    assert ("morphs", "0 %", "alpha = 0.3") in runs and neo2023.kinds(morphset) == ["morphs"]
    parts = task.problem(morphset, "morphs", "as given")
    assert parts.classes == EXPRESSIONS[:7] and parts.rater is None and parts.votes is None
    out = first_run(morphset, "morphs", "Euclid", tmp_path)
    assert out["log_probability"].shape == (len(parts.test), 7)


def test_affectnet_writes_the_parameters_that_aff_wild_reads(track, tmp_path):
    faces = make_faces(500, seed=0, size=48)
    split = np.where(faces.split == "test", "test", "train")
    write_affectnet_csv(replace(faces, split=split), tmp_path)
    affectnet = track("affectnet")
    run = neo2023.grid(affectnet, seeds=1)["faces", "0 %", "GMM"][0]
    task.label_parameters(affectnet, run.settings, 0).save(tmp_path / "p.json")
    read = LabelParameters.load(tmp_path / "p.json")
    assert read.source == "affectnet (faces), training split" and read.classes == EXPRESSIONS
    # one label a face, no raters: neither natural labels nor single ratings, but labels can err in both
    kinds = {name for _, _, name in neo2023.grid(affectnet, seeds=1)}
    assert "GMM, goes with the label" in kinds and "GMM, one rater" not in kinds and "votes" not in kinds


@pytest.mark.parametrize(
    ("lacking", "able"),
    [
        (("affect", "ratings"), set()),
        (("affect", "ratings", "landmarks"), set()),
        (("expression", "ratings", "landmarks"), {foteinopoulou2021}),
        (("expression", "ratings"), {foteinopoulou2021, toisoul2021}),
        (("ratings", "landmarks"), {foteinopoulou2021, le2023, neo2023}),
        ((), {foteinopoulou2021, le2023, neo2023, toisoul2021}),
    ],
)
def test_a_manifest_serves_the_papers_whose_labels_it_has(lacking, able, track, tmp_path):
    faces = make_faces(40, seed=0, size=48)
    without = dict.fromkeys(lacking) | ({"affect": faces.affect * np.nan} if "affect" in lacking else {})
    write_manifest(replace(faces, truth=None, **without), tmp_path)
    mine = track("manifest")
    emofan.problem.cache_clear()
    every = (foteinopoulou2021, le2023, neo2023, toisoul2021)
    assert {of.KEY for of in every} == {key for key, names in TRACKS_OF.items() if "manifest" in names}
    assert {of for of in every if of.grid(mine, seeds=1)} == able
    for of in {*every} - able:
        with pytest.raises(ValueError, match=f"{of.KEY} learns .*; track manifest has n"):
            of.Study(mine)


# toisoul2021


@pytest.fixture
def on_portraits(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    emofan.problem.cache_clear(), emofan.clips.cache_clear()
    yield lambda name: Track(name=name, root=str(tmp_path), profile="smoke")
    emofan.problem.cache_clear(), emofan.clips.cache_clear()


def test_affectnet_is_cropped_by_its_own_and_by_learnt_landmarks(on_portraits, tmp_path):
    faces = make_faces(160, seed=4, size=64)
    split = np.where(np.arange(160) < 110, "train", "test")
    write_affectnet_csv(replace(faces, split=split), tmp_path / "affectnet")
    made = toisoul2021.Study(on_portraits("affectnet"), seeds=1)
    assert [len(r) for r in (made.parts.train, made.parts.validation, made.parts.test)] == [99, 11, 50]
    np.testing.assert_allclose(made.parts.original, faces.landmarks * 48 / 64, atol=1e-3)
    (learnt,) = made.results["alignment"]
    assert learnt.run.track.name == "affectnet" and learnt["landmarks"].shape == (160, 68, 2)
    table = made.table5()
    (first, *_) = table.entries
    assert (first.track, first.row, first.printed, first.seeds, first.n, first.data) == (
        "affectnet",
        "ResNet-18 O+R",
        "0.39",
        1,
        50,
        made.parts.fingerprint,
    )
    assert all(np.isfinite(e.measured) for e in table.entries)
    assert {e.row for e in table.entries} >= set(toisoul2021.TABLE5)
    for name in ("table1", "table6", "open_choices", "elsewhere"):
        assert getattr(made, name)().entries
    for name in ("alignment", "cleaning"):  # the truth is not known
        assert getattr(made, name)().entries[-1].verdict.startswith("not attempted here")
    assert "official layout of affectnet" in made.caveat()
    assert "track affectnet, profile smoke" in made.conclusion()


def test_ferplus_is_taken_as_it_is_with_the_twin_s_alignment(on_portraits, tmp_path):
    faces = make_faces(120, seed=0, size=48)
    split = np.where(np.arange(120) < 60, "train", np.where(np.arange(120) < 80, "validation", "test"))
    original = (faces.expression % 7).astype(np.int8)
    write_ferplus(replace(faces, split=split, original=original), tmp_path / "ferplus")
    made = toisoul2021.Study(on_portraits("ferplus"), seeds=1)
    assert made.parts.original is None and "ResNet-18 O+R" not in made.results
    assert made.results["alignment"][0].run.track == Track(profile="smoke")
    assert len(made.parts.test) == 40
    # one vote's place
    own = (made.parts.faces.ratings == made.parts.affect[:, None]).all(axis=2)
    assert own.any(axis=1).all()
    table = made.table4()
    printed = {(e.row, e.column): e.printed for e in table.entries}
    assert printed[toisoul2021.PEOPLE, "CCC valence"] == "0.82"
    measured = [e.measured for e in table.entries + made.table5().entries if e.n]
    assert np.isfinite(measured).all()
    votes = made.parts.faces.votes[made.parts.test].astype(float)
    agree = [e for e in table.entries if (e.row, e.column) == (toisoul2021.PEOPLE, "accuracy")]
    same = (votes * (votes - 1)).sum(axis=1) / (votes.sum(axis=1) * (votes.sum(axis=1) - 1))
    assert agree[0].measured == pytest.approx(same.mean()) and "faces" in agree[0].interval
    assert "cleaned by other annotators" in made.subsets()
    assert "FER2013" in made.caveat()


def test_afew_va_is_split_by_actor_and_has_no_categories(on_portraits, tmp_path, monkeypatch):
    monkeypatch.setitem(tracks.CLIP_STEP, "smoke", 1)
    faces = make_faces(90, seed=4, size=64)
    faces = replace(faces, subject=np.repeat([f"actor {k}" for k in range(9)], 10))
    write_afewva(faces, tmp_path / "afewva")
    made = toisoul2021.Study(on_portraits("afewva"), seeds=1)
    parts = made.parts
    people = [set(parts.faces.subject[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert all(people) and sum(map(len, people)) == 9
    assert (parts.label == -1).all() and set(made.results) == {
        "alignment",
        "ResNet-18 O+R",
        "ResNet-18 F+R",
        "EmoFAN F+R",
    }
    why = made.table3().entries[-1].verdict
    assert why == "not attempted here: AffectNet is not in the same folder"
    for name in ("alignment", "table1", "table4", "table5", "table6", "open_choices", "cleaning"):
        assert getattr(made, name)().entries
    assert "track afewva, profile smoke" in made.conclusion()


def test_afew_va_is_cross_validated_after_affectnet(on_portraits, tmp_path, monkeypatch):
    monkeypatch.setitem(tracks.CLIP_STEP, "smoke", 1)
    faces = make_faces(160, seed=4, size=64)
    split = np.where(np.arange(160) < 110, "train", "test")
    write_affectnet_csv(replace(faces, split=split), tmp_path / "affectnet")
    few = make_faces(60, seed=5, size=64)
    write_afewva(replace(few, subject=np.repeat([f"actor {k}" for k in range(6)], 10)), tmp_path / "afewva")
    made = toisoul2021.Study(on_portraits("afewva"), seeds=1)
    (ours,) = made.results["small set: Ours"]
    small = emofan.clips(made.track)
    assert len(ours["affect"]) == len(small.affect) and np.isfinite(ours["affect"]).all()
    assert all(len(set(ours["fold"][small.faces.subject == a])) == 1 for a in np.unique(small.faces.subject))
    assert set(ours["fold"].tolist()) == set(range(5))
    entries = made.table3().entries
    assert {e.row for e in entries if not e.printed} >= {f"small set: {row}" for row in toisoul2021.TABLE3}
