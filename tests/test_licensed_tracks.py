"""neo2023 on data sets that are not at hand: from files in their layouts to a trained network's score."""

from dataclasses import replace

import numpy as np
import pytest

from paperlib.data import write_affectnet_csv, write_affwild, write_manifest, write_morphset
from paperlib.fusion import LabelParameters, fit_label_parameters
from paperlib.labels import EXPRESSIONS
from paperlib.papers import neo2023
from paperlib.tasks import dual_domain as task
from paperlib.tracks import Track
from paperlib.twin import make_faces
from paperlib.twin_kinds import morphs, videos


@pytest.fixture
def track(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.grid.CACHE", tmp_path / "cache")

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


def test_a_manifest_without_categories_has_nothing_to_do(track, tmp_path):
    faces = make_faces(20, seed=0, size=48)
    write_manifest(replace(faces, expression=None), tmp_path)
    assert neo2023.grid(track("manifest"), seeds=1) == {}
