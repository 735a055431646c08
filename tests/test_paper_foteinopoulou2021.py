"""The numbers of the page, made from predictions whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import pearsonr

from paperlib import stats
from paperlib.data.records import SequenceSet
from paperlib.grid import Result
from paperlib.papers import foteinopoulou2021 as paper
from paperlib.tracks import Track


@pytest.fixture
def study_of(monkeypatch, rng):
    """A study of given records whose every run predicts label + noise, and the raters' variance times `sign`."""

    def make(faces=None, sequences=None, sign=1.0):
        monkeypatch.setattr(Track, "faces", lambda self: faces)
        monkeypatch.setattr(Track, "sequences", lambda self: sequences)

        def results(runs, **kwargs):
            out = []
            for run in runs:
                record = sequences if run.task == paper.SEQUENCES else faces
                rows = (
                    np.arange(len(record)) if record is sequences else np.flatnonzero(record.split == "test")
                )
                noise = np.random.default_rng(run.seed).normal(scale=0.1, size=(len(rows), 2))
                if record.ratings is None:
                    variance = np.full((len(rows), 2), 0.1) + 0.01 * np.abs(noise)
                else:
                    observed = stats.observed_variance(record.ratings)[rows]
                    variance = np.exp(sign * observed / observed.max() + 0.01 * noise)
                arrays = {
                    "mean": record.affect[rows] + noise,
                    "log_variance": np.log(variance),
                    "dropout_mean": record.affect[rows] + noise,
                    "dropout_variance": variance,
                }
                out.append(Result(run=run, key=run.identity, seconds=1.0, arrays=arrays))
            return out

        monkeypatch.setattr("paperlib.grid.run_missing", results)
        return paper.Study(Track(profile="smoke"))

    return make


@pytest.fixture
def sequences(rng):
    n = 60
    spread = rng.uniform(0.05, 0.4, size=(n, 1, 1))
    affect = rng.uniform(-0.5, 0.5, size=(n, 2))
    ratings = (affect[:, None] + spread * rng.normal(size=(n, 3, 2))).astype(np.float32)
    return SequenceSet(
        name="made up",
        features=np.zeros((n, 40, 2), dtype=np.float32),
        affect=ratings.mean(axis=1),
        ratings=ratings,
        subject=np.repeat([f"s{i}" for i in range(10)], 6),
        recording=np.array([f"r{i}" for i in range(n)]),
        fingerprint="made up",
        channels=("AU01", "AU02"),
    )


@pytest.fixture
def faces(faces, rng):
    spread = rng.uniform(0.05, 0.4, size=(60, 1, 1))
    ratings = (faces.affect[:, None] + spread * rng.normal(size=(60, 10, 2))).clip(-1, 1).astype(np.float32)
    expression = rng.integers(0, 8, 60).astype(np.int8)
    return replace(faces, ratings=ratings, affect=ratings.mean(axis=1), expression=expression)


def artefacts(study):
    for make in ("table1", "table2", "readings", "table3", "table4", "table5", "loss_forms", "rivals"):
        getattr(study, make)()
    study.against_rivals()
    return study.ledger


def test_table2_is_pearson_s_correlation_and_its_verdict_follows_its_sign(study_of, faces, sequences):
    for sign, expected in ((1.0, stats.Verdict.HELD), (-1.0, stats.Verdict.DID_NOT_HOLD)):
        study = study_of(faces, sequences, sign)
        entries = study.table2().entries
        rows = faces.split == "test"
        observed = stats.observed_variance(faces.ratings)[rows]
        learned = study.predicted(paper.MAIN, paper.PROPOSED).variance
        for d, j in (("valence", 0), ("arousal", 1)):
            e = next(e for e in entries if e.row == f"faces: {d}" and e.column.startswith("PCC with raters'"))
            assert e.values == pytest.approx([pearsonr(v[:, j], observed[:, j])[0] for v in learned])
        assert {e.verdict for e in entries if e.claim} == {expected}


@pytest.mark.parametrize("has", [("faces",), ("sequences",), ("faces", "sequences")])
def test_every_table_says_something_on_every_kind_of_track(study_of, faces, sequences, has):
    given = {"faces": faces, "sequences": sequences}
    ledger = artefacts(study_of(**{k: given[k] for k in has}))
    for number in range(1, 6):
        assert ledger.table(f"table{number}").entries
    assert ledger.verdicts()["verdict"].ne("").all()


def test_a_track_without_single_ratings_says_so(study_of, faces):
    study = study_of(replace(faces, ratings=None, votes=None))
    verdicts = artefacts(study).verdicts().set_index("artefact")["verdict"]
    assert "no single ratings" in verdicts["table2"] and "no single ratings" in verdicts["table1"]
    assert "no recordings" in verdicts["table5"].iloc[0]
    assert "In short" in study.conclusion()


def test_table3_compares_the_two_subsets(study_of, faces):
    study = study_of(faces)
    judged, noisy = study.noisy()
    entries = study.table3().entries
    average = study.predicted(paper.MAIN, paper.PROPOSED).average_variance[judged, 1]
    difference = next(e for e in entries if e.row.startswith("arousal: noisy -") and e.claim)
    assert difference.measured == pytest.approx(average[noisy].mean() - average[~noisy].mean())
    assert next(e.n for e in entries if e.row == "arousal: noisy") == noisy.sum()


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["held", "held"], "held"),
        (["held", "cannot tell"], "cannot tell"),
        (["held", "did not hold"], "did not hold"),
    ],
)
def test_all_of_a_table_holds_only_if_each_does(study_of, faces, verdicts, expected):
    study = study_of(faces)
    for number, v in enumerate(verdicts):
        study.ledger.add(
            "table4", f"net {number}: gain", "valence PCC", source="faces", n=1, interval=0.1, verdict=v
        )
    study._summarise("table4", "a claim", "PCC")
    assert study.ledger.entries[-1].verdict == expected


def test_an_ensemble_has_the_mean_and_variance_of_its_mixture():
    members = paper.Predicted(
        mean=[np.full((1, 2), m) for m in (0.0, 2.0, 4.0)],
        variance=[np.full((1, 2), v) for v in (1.0, 3.0, 5.0)],
        results=[],
    )
    first = paper.ensemble(members)  # leaves the first member out
    assert first.mean[0] == pytest.approx(3.0)
    assert first.variance[0] == pytest.approx((3 + 5) / 2 + 1)  # mean of variances, plus variance of means


def test_the_printed_t_is_reached_only_if_the_spread_is_a_variance():
    tests = paper.printed_t_tests().set_index(["dimension", "spread is", "test"])["t"].astype(float)
    assert tests["arousal", "a variance", "Welch (eq. 6)"] == pytest.approx(-0.96)
    assert tests["valence", "a variance", "Welch (eq. 6)"] == pytest.approx(-2.18)
    assert tests["valence", "a standard deviation", "Welch (eq. 6)"] == pytest.approx(-47.14)


def test_correlation_within_subjects_leaves_out_who_never_differs():
    v = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    y = np.array([1.0, 2.0, 3.0, 5.0, 5.0, 5.0])
    assert paper._per_subject(v, y, np.repeat(["a", "b"], 3)) == pytest.approx(1.0)
