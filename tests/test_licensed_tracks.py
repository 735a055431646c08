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
    write_recordings,
    write_sewa,
)

from paperlib import tracks, twin_recordings
from paperlib.features import LANDMARKS
from paperlib.fusion import LabelParameters, fit_label_parameters
from paperlib.labels import EXPRESSIONS
from paperlib.papers import TRACKS_OF, foteinopoulou2021, han2017, le2023, neo2023, toisoul2021
from paperlib.tasks import dual_domain as task
from paperlib.tasks import emofan, perception_uncertainty
from paperlib.tracks import Track
from paperlib.twin import landmarks, make_faces, plain_faces
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


# han2017


@pytest.fixture
def chats():
    """Eight people in four video chats of twelve seconds: what was rated, heard and seen; then a gold standard."""
    record = twin_recordings.make_recordings(4, seconds=12)
    heard = [twin_recordings.waveform(i, int(n)) for i, n in enumerate(record.frames)]
    seen = []
    for i, n in enumerate(record.frames):
        units, pose, shape = twin_recordings._shown(i, int(n))
        seen.append(landmarks(plain_faces(units, pose=pose, shape=np.tile(shape, (n, 1))), 128)[:, LANDMARKS])
    sources = {"waveforms": heard, "landmarks": seen, "sampling_rate": 16_000, "video_rate": 10.0}
    return replace(record, truth=None, gold=record.ratings.mean(axis=1)), sources


@pytest.fixture
def on_recordings(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    monkeypatch.setattr(han2017.plan, "DELAYS", (0, 40))
    perception_uncertainty.problem.cache_clear()
    yield lambda name: Track(name=name, root=str(tmp_path), profile="smoke")
    perception_uncertainty.problem.cache_clear()


def test_sewa_is_read_learnt_and_scored(chats, on_recordings, tmp_path):
    record, sources = chats
    write_sewa(record, tmp_path / "sewa", **sources)
    sewa = on_recordings("sewa")
    read = sewa.recordings()
    np.testing.assert_array_equal(read.ratings, record.ratings)
    assert read.audio.shape == (len(record.ratings), 130) and read.video.shape == (len(record.ratings), 98)
    assert {s: (read.split == s).sum() for s in set(read.split)} == {"train": 4, "validation": 2, "test": 2}
    made = han2017.Study(sewa, seeds=1)
    table = made.table1()
    assert len(table.entries) == 48 and all(np.isfinite(e.measured) for e in table.entries)
    (first, *_) = table.entries
    assert (first.track, first.printed, first.seeds, first.n) == (
        "sewa",
        "0.281",
        1,
        sum(record.frames[4:6]) - 80,
    )
    assert first.data == read.fingerprint
    assert "true" not in " ".join(e.row for e in made.uncertainty().entries)  # nobody knows it
    made.significance()
    assert "official layout of sewa" in made.caveat() and "track sewa, profile smoke" in made.conclusion()


def test_recordings_of_one_s_own_with_the_face_alone(chats, on_recordings, tmp_path):
    record, sources = chats
    write_recordings(record, tmp_path, **sources | {"waveforms": None})
    mine = on_recordings("recordings")
    assert mine.features("audio") is None and mine.features("video").shape == (len(record.ratings), 98)
    made = han2017.Study(mine, seeds=1)
    assert made.shown == ["video"] and len(made.table1().entries) == 16
    for entry in made.fusion().entries:
        assert entry.verdict.startswith("not attempted here: the recordings have video only"), entry.row
    (search,) = made.results["", "", "delay"]
    assert search["correlation"].shape == (1, 2, 2)
    assert np.isfinite(search["correlation"]).all()
