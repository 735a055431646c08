"""Some stored runs are trained again: what counts as the same, and as within the spread of trainings."""

import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from paperlib.companion import again, plan, reproduce, samples
from paperlib.companion.again import OUTSIDE, SAME, WITHIN, beside, reach
from paperlib.tracks import Track

SHIFT = {0: 0.0, 1: 0.2, 2: 0.4}  # of every prediction: so much is each seed's RMSE


def rows(shift=SHIFT, method="a"):
    label = np.linspace(-1, 1, 5)
    parts = [
        pd.DataFrame({"item": range(5), "seed": np.int8(s), "label": label, "prediction": label + by})
        for s, by in shift.items()
    ]
    return pd.concat(parts, ignore_index=True).assign(method=method)


def test_a_prediction_interval_by_hand():
    # two trainings with the numbers 1 and 3: Student's t with one degree of freedom is 12.7062 at 97.5 %
    assert reach(np.array([1.0, 3.0])) == pytest.approx(12.7062 * np.sqrt(2) * np.sqrt(1.5), rel=1e-4)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    # seeds 0 to 2 have mean 0.2 and sd 0.2; t with two degrees of freedom is 4.3027: up to 0.2 + 0.9936 is within
    [(0.0, SAME), (1e-9, WITHIN), (1.19, WITHIN), (1.2, OUTSIDE)],
)
def test_a_training_is_set_beside_the_stored_ones_of_its_kind(shift, verdict):
    stored = pd.concat([rows(), rows({0: 5.0, 1: 9.0}, method="b")])
    found = beside(rows({0: shift}), samples.categories(stored), ["method"], "rmse")
    assert found.verdict.tolist() == [verdict] and found.which.tolist() == ["a"]
    assert found.stored.item() == pytest.approx(0.0) and found.here.item() == pytest.approx(shift)


def test_only_test_rows_are_compared_where_samples_have_others():
    stored = pd.concat([rows().assign(partition="test"), rows({0: 7.0}).assign(partition="dev")])
    made = pd.concat([rows({0: 0.0}).assign(partition="test"), rows({0: 8.0}).assign(partition="dev")])
    assert beside(made, stored, ["method"], "rmse").verdict.tolist() == [SAME]


def test_a_column_without_values_is_the_same_in_any_width():
    stored = rows().assign(named=np.float64(np.nan))
    made = rows({0: 0.0}).assign(named=np.float32(np.nan))
    assert beside(made, stored, ["method"], "rmse").verdict.tolist() == [SAME]


def test_rows_without_the_measures_columns_do_not_count_and_cells_of_them_are_no_line():
    gap = rows().assign(prediction=lambda x: x["prediction"].where(x["item"] > 0))
    stored = pd.concat([gap, rows(method="b").assign(prediction=np.nan)])
    found = beside(pd.concat([gap[gap.seed == 1], stored[stored.method == "b"]]), stored, ["method"], "rmse")
    assert found.which.tolist() == ["a"] and found.here.item() == pytest.approx(0.2)


def test_a_run_that_is_not_stored_is_named():
    with pytest.raises(ValueError, match="no stored run of c"):
        beside(rows({0: 0.0}, method="c"), rows(), ["method"], "rmse")


def task(track, settings, seed, checkpoint):
    return {"shift": np.array(SHIFT[seed] + settings["more"])}


def build(track, planned):
    each = [rows({r.run.seed: float(r["shift"])}, of["method"]) for of, results in planned for r in results]
    return {"": pd.concat(each, ignore_index=True)}


def test_make_reproduce_says_what_came_out_and_does_not_do_it_twice(tmp_path, monkeypatch, faces, capsys):
    monkeypatch.setenv("PAPERLIB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    monkeypatch.setattr(Track, "faces", lambda self: faces)
    for module, name in ((plan, "PLANS"), (samples, "STORED")):
        monkeypatch.setattr(module, name, tmp_path / name.lower())
    monkeypatch.setattr(reproduce, "PAPERS", {"toy": "01_toy"})
    monkeypatch.setattr(reproduce, "make_pages", lambda pages, jobs: {})
    monkeypatch.setitem(sys.modules, "paperlib.companion.samples.toy", SimpleNamespace(build=build))
    (tmp_path / "plans").mkdir()
    methods = "{a: {more: 0.0}, b: {more: 3.0}, c: {more: 0.0}}"
    text = f"- {{task: '{__name__}:task', data: faces, seeds: 3, across: {{method: {methods}}}}}\n"
    (tmp_path / "plans" / "toy.yaml").write_text(text)
    text = "toy: {runs: {method: [a, b]}, by: [method], measure: rmse}\n"
    (tmp_path / "plans" / "again.yaml").write_text(text)
    samples.write({"": pd.concat([rows(), rows(method="b"), rows(method="c")])}, "toy", "twin")
    arguments = ["--train", "part", "--jobs", "1", "--paper", "toy"]
    assert reproduce.main(arguments) == 0
    said = capsys.readouterr().out
    assert "outside: toy, b: 3.000 here, 0.000 stored" in said
    assert len(list((tmp_path / "cache" / "runs").iterdir())) == 2  # one seed of a and of b
    monkeypatch.setattr(again, "train_again", None)
    assert reproduce.main(arguments) == 0
    assert "outside: toy, b" in capsys.readouterr().out
