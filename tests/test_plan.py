"""Plans: what is trained, read from data/plans."""

import re
from dataclasses import replace

import numpy as np
import pytest

from paperlib.companion import plan
from paperlib.companion.plan import lacking, read_plan
from paperlib.companion.runs import UnsuitedError
from paperlib.data.records import IN_TURN
from paperlib.tracks import Track

SMOKE = Track(name="twin", profile="smoke")
TEXT = """
- losses: &losses {mse: {loss: mse}, kl: {loss: kl}}
- task: m:f
  data: faces
  needs: [ratings]
  seeds: 3
  labels: {part: faces}
  settings: {schedule: {epochs: 2, batch: 8}}
  across: {method: *losses, size: {small: {schedule: {epochs: 1}}, large: null}}
- {task: m:g, data: faces, when: {profile: [paper]}}
- {task: m:h, data: faces, unless: {track: [twin]}}
- {task: m:i, data: recordings, needs: [gold]}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(plan, "PLANS", tmp_path)
    return tmp_path


def test_a_plan_is_the_product_of_its_choices(folder):
    (folder / "x.yaml").write_text(TEXT)
    blocks = read_plan("x", SMOKE)
    labels = [tuple(b.labels.values()) for b in blocks]
    assert labels == [("faces", m, s) for m in ("mse", "kl") for s in ("small", "large")]
    assert [[r.seed for r in b.runs] for b in blocks] == [[0, 1, 2]] * 4
    assert blocks[0].runs[0].settings == {"schedule": {"epochs": 1, "batch": 8}, "loss": "mse"}
    assert blocks[3].runs[0].settings == {"schedule": {"epochs": 2, "batch": 8}, "loss": "kl"}


def test_recordings_that_are_tested_in_turn_have_each_block_once_a_turn(folder, monkeypatch):
    record = replace(SMOKE.recordings(), truth=None)
    record = replace(record, split=np.array([IN_TURN] * len(record)))
    monkeypatch.setattr("paperlib.twin_recordings.make_recordings", lambda *args, **sizes: record)
    Track.recordings.cache_clear()
    (folder / "x.yaml").write_text("- {task: m:f, data: recordings, seeds: 2, labels: {network: n}}")
    blocks = read_plan("x", SMOKE)
    Track.recordings.cache_clear()
    pairs = list(dict.fromkeys(record.pair))
    assert [dict(b.labels) for b in blocks] == [{"network": "n", "tested": p} for p in pairs]
    assert [{r.track.tested for r in b.runs} for b in blocks] == [{p} for p in pairs]
    assert len({r.identity for b in blocks for r in b.runs}) == 2 * len(pairs)


def test_a_plan_refuses_recordings_in_which_everybody_always_agrees(monkeypatch):
    record = SMOKE.recordings()
    agreed = np.repeat(record.ratings.mean(axis=1, keepdims=True), record.ratings.shape[1], axis=1)
    monkeypatch.setattr(type(SMOKE), "recordings", lambda _: replace(record, ratings=agreed))
    with pytest.raises(UnsuitedError, match="valence, split .*: their disagreement is the same in every"):
        read_plan("han2017", SMOKE)


def test_a_field_that_nobody_reads_is_refused(folder):
    (folder / "x.yaml").write_text("- {task: m:f, data: faces, sedes: 3}")
    with pytest.raises(ValueError, match="no field sedes"):
        read_plan("x", SMOKE)


@pytest.mark.parametrize("key", sorted({p.stem for p in plan.PLANS.glob("*.yaml")} - {"again", "own"}))
def test_every_paper_has_runs_of_its_own_on_the_twin(key):
    blocks = read_plan(key, SMOKE)
    runs = [r.identity for b in blocks for r in b.runs]
    assert runs and len(runs) == len(set(runs))
    labels = [tuple(sorted(b.labels.items())) for b in blocks]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize(
    ("block", "asked", "seeds"),
    [
        ("seeds: 2, members: [100, 200]", 0, [100, 200, 101, 201]),
        ("seeds: 2, members: [100, 200]", 1, [100, 200]),
        ("seeds: 2", 5, [0, 1, 2, 3, 4]),
        ("seeds: 1", 5, [0]),  # what is trained once stays so
    ],
)
def test_seeds_are_the_plan_s_or_those_asked_for_and_each_has_its_ensemble(folder, block, asked, seeds):
    (folder / "x.yaml").write_text(f"- {{task: m:f, data: faces, {block}}}")
    assert [r.seed for r in read_plan("x", SMOKE, seeds=asked)[0].runs] == seeds


MINE = Track(name="manifest", root="somewhere")


@pytest.fixture
def brought(faces, monkeypatch):
    """Data of one's own in the place of a track's: 60 faces, their categories in turn."""
    faces = replace(faces, name="mine", expression=(np.arange(60) % 7).astype(np.int8), votes=None)
    mine = {"faces": faces, "categories": faces}
    data = lambda track, name: mine.get(name if isinstance(name, str) else name["kind"])  # noqa: E731
    monkeypatch.setattr(plan, "_data", data)
    monkeypatch.setattr(plan, "_fingerprint", lambda *_: "mine")
    return mine


@pytest.mark.parametrize(
    ("key", "split", "learnt", "left", "said"),
    [
        ("le2023", "train", 7, 0, "mine, split train: too few faces of surprise (0 faces). Each"),
        ("neo2023", "train", 7, 2, "of surprise (2 faces). Each category that is learnt needs 3 there"),
        ("neo2023", "test", 8, 1, "split test with valence and arousal: too few faces of contempt (0 faces)"),
    ],
)
def test_a_category_without_faces_is_named_before_training(brought, key, split, learnt, left, said):
    faces = brought["faces"]
    assert read_plan(key, MINE)
    some = np.flatnonzero((faces.expression == 3) & (faces.split == split))[left:]
    expression = faces.expression.copy()
    expression[some] = 2
    if learnt == 8:
        expression[:6] = 7
    brought["faces"] = brought["categories"] = replace(faces, expression=expression)
    with pytest.raises(ValueError, match=re.escape(said)):
        read_plan(key, MINE)


@pytest.mark.parametrize(
    ("key", "without", "needed"),
    [
        ("le2023", ["affect"], "valence and arousal"),
        ("neo2023", ["expression"], "categories"),
        ("foteinopoulou2021", ["affect", "ratings"], "valence and arousal"),
        ("han2017", [], "recordings that were rated all along"),
        ("le2023", ["faces"], "faces with a category"),
    ],
)
def test_what_a_paper_needs_and_the_data_lack_is_said(brought, key, without, needed):
    faces = brought["faces"]
    blank = {"affect": np.full_like(faces.affect, np.nan), "expression": None, "ratings": None}
    less = replace(faces, **{name: blank[name] for name in without if name in blank})
    brought["faces"] = brought["categories"] = None if "faces" in without else less
    assert read_plan(key, MINE) == []
    assert lacking(key, MINE) == needed


@pytest.mark.parametrize(("key", "split"), [("foteinopoulou2021", "test"), ("le2023", "train")])
def test_a_split_without_faces_is_named_before_training(brought, key, split):
    faces = brought["faces"]
    split_of = np.where(faces.split == split, "validation", faces.split)
    brought["faces"] = brought["categories"] = replace(faces, split=split_of)
    with pytest.raises(UnsuitedError, match=f"mine, split {split}.*: no face. Every page trains and tests"):
        read_plan(key, MINE)
