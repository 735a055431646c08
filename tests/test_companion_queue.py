import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from paperlib.companion import plan, queue
from paperlib.companion.runs import Result, Run
from paperlib.tracks import Track

PLAN = """
- task: paperlib.tasks.noisy_labels:train
  data: categories
  seeds: 4
  labels: {stage: "2", key: le2023, condition: 0 %}
  settings: {labels: consensus}
  across: {method: {SCN: {method: SCN}}}
- task: paperlib.tasks.noisy_labels:train
  data: categories
  seeds: 4
  labels: {stage: "1", key: le2023, condition: natural}
  settings: {labels: natural}
  across: {method: {"(ii) LD, AS": {method: LDLVA}, baseline: {method: baseline}}}
"""


@pytest.fixture
def track(tmp_path, monkeypatch):
    (tmp_path / "some.yaml").write_text(PLAN)
    monkeypatch.setattr(plan, "PLANS", tmp_path)
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    return Track(profile="smoke")


def named(found):
    return [(labels["method"], run.seed) for labels, run in found]


def test_stages_then_seeds_and_three_seeds_of_everything_before_the_fourth(track):
    first, then = ("(ii) LD, AS", "baseline"), ("SCN",)
    order = [(m, s) for part in (first, then) for s in (0, 1, 2) for m in part]
    assert named(queue.wanted("some", track)) == order + [(m, 3) for m in (*first, *then)]


def test_a_run_that_is_stored_failed_or_in_work_is_passed_over(track, tmp_path):
    labels, run, lock = queue._next("some", track, tmp_path, set())
    assert (labels["method"], run.seed) == ("(ii) LD, AS", 0)
    second = queue._next("some", track, tmp_path, set())
    assert named([second[:2]]) == [("baseline", 0)]
    lock.release()
    assert named([queue._next("some", track, tmp_path, {run.identity})[:2]]) == [("(ii) LD, AS", 1)]


def test_what_is_stored_is_what_the_run_gave(track, tmp_path):
    labels, run = next(queue.wanted("some", track))
    faces, at = queue.faces_of(run)["test"]
    _, training = queue.faces_of(run)["training"]
    probability = np.eye(7, dtype=np.float16)[faces.expression[at]]
    probability[0] = np.roll(probability[0], 1)  # one face is named wrong
    doubt = np.linspace(0, 1, len(training)).astype(np.float16)
    arrays = {"probability": probability, "doubt": doubt, "validation": np.array([0.5])}
    queue.store(labels, Result(run=run, key="k", seconds=61.2, arrays=arrays), tmp_path)
    line = queue.stored(tmp_path).iloc[0]
    assert line.test == pytest.approx(1 - 1 / len(at), rel=1e-5) and line.validation == 0.5
    assert line.files == "le2023-ii_LD_AS-natural-0.parquet le2023-ii_LD_AS-natural-0.training.parquet"
    test, given = (pd.read_parquet(tmp_path / name) for name in line.files.split())
    np.testing.assert_array_equal(test.filter(like="probability"), probability)
    np.testing.assert_array_equal(test.filter(like="votes"), faces.votes[at])
    np.testing.assert_array_equal(test["item"], at)
    np.testing.assert_array_equal(given["doubt"], doubt)
    assert queue._next("some", track, tmp_path, set())[1].identity != run.identity


def test_a_look_stores_no_predictions_and_what_other_settings_replace_stays_a_look(track, tmp_path):
    labels, run = next(queue.wanted("some", track))
    n = len(queue.faces_of(run)["test"][1])
    result = Result(run=run, key="k", seconds=1, arrays={"probability": np.eye(7, dtype=np.float16)[[0] * n]})
    for stage, other in (
        ("0", run),
        ("0", run),
        ("1", run),
        ("1", replace(run, settings={"labels": "natural"})),
    ):
        queue.store({**labels, "stage": stage}, replace(result, run=other), tmp_path)
    assert len(list(tmp_path.glob("*.parquet"))) == 1
    lines = queue.stored(tmp_path)
    assert lines["settings"].tolist() == [
        json.dumps(dict(run.settings), sort_keys=True),
        '{"labels": "natural"}',
    ]
    assert lines["files"].isna().tolist() == [True, False]


def test_faces_of_an_unknown_task_are_refused(track):
    run = Run(task="paperlib.tasks.emofan:train", track=track, data="", settings={}, seed=0)
    with pytest.raises(ValueError, match="nobody knows"):
        queue.faces_of(run)
