"""Papers on data sets not at hand: from files in their layouts to a trained network's score."""

from dataclasses import replace

import numpy as np
import pytest
from layouts import write_affectnet_csv, write_affwild, write_manifest, write_morphset

from paperlib.companion.plan import read_plan
from paperlib.fusion import LabelParameters, fit_label_parameters
from paperlib.labels import EXPRESSIONS
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


def blocks(key, track, **labels):
    """The blocks of a plan that have these labels."""
    return [b for b in read_plan(key, track, seeds=1) if labels.items() <= b.labels.items()]


def first_run(track, method, tmp_path, **labels):
    (run,) = blocks("neo2023", track, method=method, noise="0 %", **labels)[0].runs
    return task.train(track, run.settings, 0, tmp_path / "run.ckpt")


def test_aff_wild_is_labelled_by_parameters_from_elsewhere_and_learnt(track, tmp_path):
    made = videos(15, tested=3, frames=21, size=48, channels=1)
    write_affwild(made, tmp_path)
    faces = make_faces(600, seed=0, size=48)
    fit_label_parameters(
        faces.affect, faces.expression.astype(int), classes=EXPRESSIONS, source="a test", reading="all"
    ).save(tmp_path / task.PARAMETERS)
    affwild = track("affwild")
    parts = task.problem(affwild, "videos")
    assert {b.labels["data"] for b in read_plan("neo2023", affwild)} == {"Aff-Wild"}
    assert len(parts.label) == 15 * 3  # every tenth of 21 frames
    assert not set(parts.subject[parts.train]) & set(parts.subject[parts.test])
    assert len(set(parts.subject[:3])) > 1  # in a random order
    assert len(np.unique(parts.label[parts.train])) < 8  # a class that no frame has stops nothing
    out = first_run(affwild, "Fusion (GMM)", tmp_path)
    assert out["log_probability"].shape == (len(parts.test), 8) and np.isfinite(out["affect"]).all()


def test_morphset_has_seven_classes_and_a_table_4_of_its_own(track, tmp_path):
    write_morphset(morphs(150, others=20, size=48, channels=1), tmp_path)
    morphset = track("morphset")
    assert {b.labels["data"] for b in read_plan("neo2023", morphset)} == {"MorphSet"}
    assert blocks("neo2023", morphset, variant="alpha", alpha="0.3")
    parts = task.problem(morphset, "morphs")
    assert parts.classes == EXPRESSIONS[:7] and parts.rater is None and parts.votes is None
    out = first_run(morphset, "Fusion (Euclidean)", tmp_path)
    assert out["log_probability"].shape == (len(parts.test), 7)


def test_affectnet_writes_the_parameters_that_aff_wild_reads(track, tmp_path):
    faces = make_faces(500, seed=0, size=48)
    split = np.where(faces.split == "test", "test", "train")
    write_affectnet_csv(replace(faces, split=split), tmp_path)
    affectnet = track("affectnet")
    (run,) = blocks("neo2023", affectnet, method="Fusion (GMM)", noise="0 %")[0].runs
    task.label_parameters(affectnet, run.settings, 0).save(tmp_path / "p.json")
    read = LabelParameters.load(tmp_path / "p.json")
    assert read.source == "affectnet (faces), training split" and read.classes == EXPRESSIONS
    # one label a face and no raters: labels can err, but there are neither natural labels nor votes
    assert blocks("neo2023", affectnet) and not blocks("neo2023", affectnet, method="votes")
    assert not blocks("neo2023", affectnet, noise="natural")


@pytest.mark.parametrize(
    ("lacking", "able"),
    [
        (("affect", "ratings"), set()),
        (("affect", "ratings", "landmarks"), set()),
        (("expression", "ratings", "landmarks"), {"foteinopoulou2021"}),
        (("expression", "ratings"), {"foteinopoulou2021", "toisoul2021"}),
        (("ratings", "landmarks"), {"foteinopoulou2021", "le2023", "neo2023"}),
        ((), {"foteinopoulou2021", "le2023", "neo2023", "toisoul2021"}),
    ],
)
def test_a_manifest_serves_the_papers_whose_labels_it_has(lacking, able, track, tmp_path):
    faces = make_faces(200, seed=0, size=48)
    without = dict.fromkeys(lacking) | ({"affect": faces.affect * np.nan} if "affect" in lacking else {})
    write_manifest(replace(faces, truth=None, **without), tmp_path)
    mine = track("manifest")
    emofan.problem.cache_clear()
    every = ("foteinopoulou2021", "le2023", "neo2023", "toisoul2021")
    assert {key for key in every if read_plan(key, mine, seeds=1)} == able
