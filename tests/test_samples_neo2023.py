"""neo2023's samples, made of runs whose answer is known, and the measures of classifiers that its page takes."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import brier_score_loss, f1_score, log_loss

from paperlib import calibration
from paperlib.companion import classifiers
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Result
from paperlib.companion.samples import neo2023 as samples
from paperlib.companion.score import score
from paperlib.data.records import FaceSet
from paperlib.labels import EXPRESSIONS
from paperlib.tasks import dual_domain
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

N = 480


@pytest.fixture
def faces(rng):
    """Faces that lie near their category's point, three raters each, whose first label is wrong for every fourth."""
    category = np.arange(N) % 8
    points = np.array([CIRCUMPLEX[e] for e in EXPRESSIONS])
    ratings = (points[category][:, None] + rng.normal(0, 0.05, (N, 3, 2))).clip(-1, 1)
    return FaceSet(
        name="made up",
        images=np.zeros((N, 48, 48), np.uint8),
        affect=ratings.mean(axis=1).astype(np.float32),
        split=np.array(["train", "train", "validation", "test"])[np.arange(N) // 8 % 4],
        fingerprint="faces",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) // 8 % 4 == 0, (category + 3) % 8, category).astype(np.int8),
        ratings=ratings.astype(np.float32),
        votes=(8 * np.eye(8)[category]).astype(np.int16),
        subject=np.array([f"p{k}" for k in np.arange(N) // 8 % 20]),
    )


@pytest.fixture
def planned(faces, monkeypatch):
    """The plan's runs on these faces: right of every test face but each fifth, sure of it by three to one."""
    monkeypatch.setattr(Track, "of_kind", lambda self, kind: faces if kind == "faces" else None)
    dual_domain.problem.cache_clear()
    track = Track(profile="smoke")
    parts = dual_domain.problem(track, "faces")

    def arrays(run):
        def log_p(rows):
            named = np.where(
                np.arange(len(rows)) % 5 == run.seed, (parts.label[rows] + 1) % 8, parts.label[rows]
            )
            return np.log(np.where(np.eye(8)[named] > 0, 0.75, 0.25 / 7)).astype(np.float16)

        shown = len(dual_domain.explained(parts))
        maps = np.random.default_rng(len(run.settings.get("method", ""))).random((shown, 2, 2))
        flipped = run.settings.get("noise") and run.settings["method"] == "one-hot"
        return {
            "log_probability": log_p(parts.test),
            "validation": log_p(parts.validation),
            "affect": (parts.judged[parts.test] + 0.1).astype(np.float16),
            "attention": -maps if flipped else maps,
        }

    blocks = read_plan("neo2023", track)
    yield (
        track,
        [(b.labels, [Result(run=r, key="", seconds=0.0, arrays=arrays(r)) for r in b.runs]) for b in blocks],
    )
    dual_domain.problem.cache_clear()


def test_every_row_says_what_the_face_is_what_was_named_and_who_it_is_of(planned, faces):
    track, runs = planned
    tables = samples.build(track, runs)
    test = tables[""]
    keys = ["data", "noise", "method", "alpha", "places", "weights", "variant", "seed"]
    assert (
        not test.duplicated([*keys, "item"]).any()
        and (test.groupby(keys, observed=True).size() == N // 4).all()
    )
    assert len(test.drop_duplicates(keys)) == sum(len(rs) for _, rs in runs)
    assert_allclose((test["named"] == test["right"]).groupby(test["seed"]).mean(), 0.8)
    assert test["unit"].nunique() <= 20 and sorted(test["unit"].unique()) == sorted(set(test["unit"]))
    table3 = test.query("variant == ''")
    assert set(table3["alpha"]) == {"1.0", "0.5", ""} and set(table3["places"]) == {"as labelled"}
    alphas = test.query("variant == 'alpha'")
    assert set(alphas["alpha"]) == {"0.0", "0.3", "0.7"} and set(alphas["noise"]) == {"0 %"}
    off = tables["affect"].eval("prediction - label")
    assert_allclose(off, 0.1, atol=1e-3) and set(tables["affect"]["noise"]) == {"0 %"}


def test_runs_know_their_wrong_labels_weights_and_temperatures(planned):
    track, runs = planned
    found = samples.build(track, runs)["runs"].query("method == 'One-hot'").groupby("noise", observed=True)
    assert_allclose(found["% wrong"].mean()[["0 %", "30 %", "natural"]], [0, 30, 50])
    assert found["largest W_k"].mean()["0 %"] == pytest.approx(1)
    # 80 % are right where 75 % are claimed: a temperature below one mends that, unless many labels are wrong
    fitted = found[["temperature", "temperature by wrong labels"]].mean().loc[["0 %", "30 %", "natural"]]
    assert fitted["temperature"].between(0.5, 1).all() and fitted.loc["0 %"].nunique() == 1
    assert fitted["temperature by wrong labels"]["30 %"] > fitted["temperature"]["30 %"]


def test_the_place_names_what_the_label_hides_unless_it_goes_with_the_label(planned):
    track, runs = planned
    wrong = samples.build(track, runs)["wrong"]
    assert (wrong["right"] != wrong["given"]).all() and not wrong.duplicated(
        ["noise", "places", "method", "seed", "item"]
    ).any()
    right = (
        (wrong["named"] == wrong["right"]).groupby([wrong["places"], wrong["method"]], observed=True).mean()
    )
    assert right["as labelled"].min() > 0.5 and right["goes with the label"].max() < 0.1


def test_maps_are_compared_without_and_with_wrong_labels_and_flat_ones_count_as_0(planned):
    track, runs = planned
    maps = samples.build(track, runs)["maps"].groupby("method", observed=True)["alike"]
    assert_allclose(maps.mean()[["One-hot", "Fusion (GMM)"]], [-1, 1])
    for _, results in runs:
        for r in results:
            r.arrays["attention"][0] = 1
    found = samples.build(track, runs)["maps"].query("item == 0")
    assert (found["flat"] == 1).all() and (found["alike"] == 0).all()


def test_where_nobody_knows_the_people_faces_are_dealt_into_groups():
    parts = SimpleNamespace(subject=None)
    units = samples._units(parts, "AffectNet", np.arange(1000), samples.GROUPS)
    assert (
        len(set(units)) == 200
        and units[0] == units[200]
        and len(set(samples._units(parts, "AffectNet", np.arange(9)))) == 9
    )


def test_macro_f1_of_all_draws_at_once_is_scikit_learn_s(rng):
    right, named = rng.integers(0, 8, (2, 300))
    of = classifiers.macro_f1()
    assert of.of(named, right) == pytest.approx(f1_score(right, named, average="macro"))
    unit, counts = np.arange(300) % 30, rng.integers(0, 3, (5, 30))
    for got, times in zip(of.many(named, right, unit=unit, counts=counts), counts, strict=True):
        rows = np.repeat(np.arange(300), times[unit])
        assert got == pytest.approx(f1_score(right[rows], named[rows], average="macro"))


def test_scores_of_probabilities_are_scikit_learn_s(rng):
    logs = np.log(rng.dirichlet(np.ones(4), 200))
    right = rng.integers(0, 4, 200)
    table = pd.DataFrame(logs, columns=[f"log p {k}" for k in range(4)])
    table = table.assign(right=right, item=np.arange(200), unit="a", seed=0, part="all")
    measures = [classifiers.ECE, classifiers.BRIER, classifiers.NLL]
    found = score(table, measures, by="part").numbers.droplevel("part")
    assert found["ECE"] == pytest.approx(calibration.calibration_error(logs, right))
    assert found["Brier"] == pytest.approx(brier_score_loss(right, np.exp(logs), scale_by_half=False))
    assert found["NLL"] == pytest.approx(log_loss(right, np.exp(logs)))


def test_the_calibration_error_of_all_draws_is_that_of_each_draw(rng):
    logs, right, unit = rng.normal(size=(200, 4)), rng.integers(0, 4, 200), np.arange(200) % 20
    counts = rng.multinomial(20, np.full(20, 0.05), size=5)
    rows = [np.repeat(np.arange(200), times[unit]) for times in counts]
    assert classifiers.ECE.many
    assert_allclose(
        classifiers.ECE.many(logs, right, unit=unit, counts=counts),
        [calibration.calibration_error(logs[r], right[r]) for r in rows],
    )
