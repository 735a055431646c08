"""The numbers of the comparison's page, made from runs whose answers are known."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from paperlib import calibration
from paperlib.companion.runs import Result
from paperlib.data.ferplus import votes_to_ratings
from paperlib.data.records import FaceSet, Truth
from paperlib.labels import EXPRESSIONS, split_votes
from paperlib.ledger import Ledger
from paperlib.papers import TRACKS_OF
from paperlib.papers import same_faces as paper
from paperlib.papers.same_faces import ENSEMBLE, MAJORITY, PLAIN, VOTES, Row
from paperlib.stats import Verdict
from paperlib.tasks import same_faces as task
from paperlib.tasks.noisy_labels import CLASSES
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

N, TRAIN, TEST = 300, 180, 120
TABLES = {
    "disagreement": "knows_disagreement",
    "training_disagreement": "labels_know_disagreement",
    "wrong_labels": "finds_wrong_labels",
    "accuracy": "is_right",
    "calibration": "is_calibrated",
    "selective": "knows_when_to_stop",
    "cost": "costs",
}
# The further a method's number, the better it is in all things; a member of an ensemble is as good as a plain network.
# The control's runs, which have no method in their settings, are as good as the last but one.
GOOD = {name: i for i, name in enumerate(task.TOLD)} | {MAJORITY: 9.5}


@pytest.fixture
def faces(rng):
    """Valence holds how much a face's raters differ, and its votes scatter; every eighth first label is wrong."""
    category = np.arange(N) % 7
    variance = rng.uniform(0.01, 0.3, N)
    scatter = rng.binomial(12, variance / 0.3)
    votes = np.zeros((N, 8), np.int64)
    votes[np.arange(N), category] = 30 - scatter
    votes[np.arange(N), (category + 1) % 7] += scatter
    votes[::3, 7] = 4
    return FaceSet(
        name="made up",
        images=np.zeros((N, 8, 8), np.uint8),
        affect=np.stack([variance, variance], axis=1).astype(np.float32),
        split=np.array(["train"] * 3 + ["test"] * 2)[np.arange(N) % 5],
        fingerprint="faces",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) % 8 == 3, (category + 3) % 7, category).astype(np.int8),
        ratings=rng.normal(0, np.sqrt(variance)[:, None, None], (N, 5, 2)).astype(np.float32),
        votes=votes.astype(np.int16),
        subject=(np.arange(N) // 2).astype(str),
        truth=Truth(
            affect=np.zeros((N, 2), np.float32),
            variance=np.stack([variance, variance], axis=1).astype(np.float32),
            mislabelled=np.zeros(N, bool),
        ),
    )


def known(parts, settings, seed):
    """What a run gave: the better the method, the more is right and the less noise is on what it says of doubt."""
    method = settings.get("method", MAJORITY)
    good = GOOD[method] / len(task.TOLD)
    rng = np.random.default_rng([seed, int(10 * GOOD[method])])
    label = parts.faces.expression[parts.test].astype(int)
    variance = 2 * parts.faces.affect[parts.test, 0]
    right = rng.permutation(TEST) < round((0.4 + 0.5 * good) * TEST)
    named = np.where(right, label, (label + 1) % 7)
    sure = np.clip(0.95 - variance - (1.1 - good) * 0.2 * rng.random(TEST) - 0.2 * ~right, 0.2, 0.95)
    p = np.full((TEST, 7), ((1 - sure) / 6)[:, None])
    p[np.arange(TEST), named] = sure
    unsure = variance + (1.1 - good) * rng.random(TEST) / 4
    doubt = parts.wrong + (2 - good) * rng.random(TRAIN)
    found = {
        "probability": p,
        "loss": doubt + rng.random(TRAIN),
        "doubt": doubt,
        "seconds": np.array([10.0 + GOOD[method] + seed]),
    }
    found |= {f"score: {r.score}": unsure for r in paper.ROWS if r.method == method}
    return {k: v if k == "seconds" else v.astype(np.float16) for k, v in found.items()}


@pytest.fixture
def study(faces, monkeypatch):
    """A study of these faces, with fields changed, and of runs made by `of(parts, settings, seed)`."""

    def make(of=known, name="twin", seeds=None, profile="smoke", **changes):
        def results(runs, **kwargs):
            return [
                Result(
                    run=run,
                    key=run.identity,
                    seconds=0.0,
                    arrays=of(task.problem(run.track), run.settings, run.seed),
                )
                for run in runs
            ]

        monkeypatch.setattr(Track, "categories", lambda self: replace(faces, **changes))
        monkeypatch.setattr("paperlib.companion.runs.run_missing", results)
        task.problem.cache_clear()
        root = "" if name == "twin" else "x"
        made = paper.Study(Track(name=name, root=root, profile=profile), seeds=seeds)
        made.plan = replace(made.plan, draws=50)
        return made

    yield make
    task.problem.cache_clear()


def cell(table, row, column):
    (entry,) = [e for e in table.entries if (e.row, e.column) == (str(row), column)]
    return entry


def gains(table):
    return [e for e in table.entries if e.unit == "gain"]


def array(made, method, name):
    """(seeds, ...) of the runs, in double precision."""
    return np.stack([r[name].astype(np.float64) for r in made.results[method]])


def rank(a, b):
    """Spearman's correlation, from the ranks."""
    return np.corrcoef(stats.rankdata(a), stats.rankdata(b))[0, 1]


def area(wrong, doubt):
    """The chance that a wrong label is doubted more than a right one; ties count half."""
    apart = doubt[wrong][:, None] - doubt[~wrong][None]
    return np.mean((apart > 0) + (apart == 0) / 2)


# the grid


def test_every_method_has_one_protocol_and_an_ensemble_two_more_plain_networks(study):
    runs = paper.grid(study().track)
    assert set(runs) == set(paper.METHODS) and "EmoFAN's losses" not in runs
    assert runs["categories + CCC"][0].settings.get("method") == "EmoFAN's losses"
    own = {"LDLVA": {"options"}, "fused labels": {"reading"}}
    plain = runs[PLAIN][0].settings
    for method, of in runs.items():
        changed = {k for k in of[0].settings if plain.get(k) != of[0].settings[k]}
        if method == MAJORITY:
            assert of[0].settings == {k: v for k, v in plain.items() if k != "method"}
        else:
            assert of[0].settings["method"] in task.TOLD
            assert changed == ({"method"} if method not in (PLAIN, ENSEMBLE) else set()) | own.get(
                method, set()
            )
        trained = "train_on_majority" if method == MAJORITY else "train"
        assert {r.data for r in of} == {"faces"}
        assert {r.task for r in of} == {f"paperlib.tasks.same_faces:{trained}"}
        assert [r.seed for r in of] == ([100, 200, 101, 201] if method == ENSEMBLE else [0, 1])
    every = [run.identity for of in runs.values() for run in of]
    assert len(set(every)) == len(every) == 12 * 2 + 4
    assert [r.seed for r in paper.grid(study().track, seeds=3)[ENSEMBLE]] == [100, 200, 101, 201, 102, 202]


def test_profiles():
    twin, people = Track(), Track(name="ferplus", root="x")
    smoke, default, whole = (paper.protocol(Track(profile=p)) for p in ("smoke", "default", "paper"))
    assert smoke.schedule["epochs"] < default.schedule["epochs"] < whole.schedule["epochs"]
    assert (smoke.seeds, default.seeds, whole.seeds) == (2, 3, 5)
    assert whole.backbone == "resnet18" and whole.options == {}
    assert paper.protocol(twin).reading == "axis" and paper.protocol(people).reading == "all"
    # grey pictures, which resnet18 does not take
    assert paper.protocol(replace(people, profile="paper")).backbone == "compact_resnet"


def test_a_track_without_what_it_needs_has_no_study(study):
    with pytest.raises(
        ValueError, match="track ferplus lacks faces with a first label, several raters' votes"
    ):
        study(name="ferplus", original=None)
    assert paper.grid(Track(name="ferplus", root="x")) == {}


# what is told, and rows


def test_methods_stand_in_the_order_of_what_they_are_told():
    assert set(paper.METHODS) == {*paper.TOLD, ENSEMBLE} and len(paper.METHODS) == 13
    told = [paper.told(m) for m in paper.METHODS]
    assert told == ["nothing"] * 4 + ["one rater"] * 6 + ["all raters"] * 3
    assert paper.told(ENSEMBLE) == "nothing" and paper.METHODS[0] == PLAIN
    assert paper.told("vote distribution: loss") == "all raters" and paper.told("LDLVA") == "one rater"
    assert paper.told(str(paper.NOT_SAID)) == "one rater"
    assert set(paper.OF_PAPERS) < set(paper.TOLD)


def test_rows_are_of_methods_and_own_doubts_too():
    assert [row.method for row in paper.ROWS if row.score == "entropy"] == list(paper.METHODS)
    assert len(set(map(str, paper.ROWS))) == len(paper.ROWS)
    assert set(paper.OWN_DOUBT) < set(paper.TOLD)
    assert not any(" - " in str(row) for row in paper.ROWS)  # it would get a verdict


# what the runs say


def test_an_ensemble_is_the_plain_network_of_the_seed_and_two_more(study):
    def marked(parts, settings, seed):
        found = known(parts, settings, seed)
        if settings.get("method") == PLAIN:
            p = np.full((TEST, 7), 0.1)
            p[:, {0: 0, 100: 1, 200: 2, 1: 3, 101: 4, 201: 5}[seed]] = 0.4
            found["probability"] = p.astype(np.float16)
        return found

    made = study(marked)
    assert [m.shape for m in made.members] == [(3, TEST, 7)] * 2
    for members, names in zip(made.members, ([0, 1, 2], [3, 4, 5]), strict=True):
        assert [set(p.argmax(axis=1)) for p in members] == [{k} for k in names]
    first, second = made.probability(ENSEMBLE)
    assert_allclose(first[0], [0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.1], atol=1e-3)
    assert_allclose(second[0], [0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.1], atol=1e-3)
    whole, each = stats.entropy([2, 2, 2, 1, 1, 1, 1]), stats.entropy([4, 1, 1, 1, 1, 1, 1])
    assert_allclose(made.scores(Row(ENSEMBLE, "entropy"))[0], whole, atol=1e-3)
    assert_allclose(made.scores(Row(ENSEMBLE, "mutual information"))[1], whole - each, atol=1e-3)


def test_probabilities_sum_to_one_again_and_scores_are_those_of_the_runs(study):
    made = study()
    for method in paper.METHODS:
        for p in made.probability(method):
            assert p.dtype == np.float64 and p.shape == (TEST, 7)
            assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    for row in paper.ROWS:
        scores = made.scores(row)
        assert len(scores) == 2 and all(s.shape == (TEST,) and s.dtype == np.float64 for s in scores)
        if row.score == "entropy" and row.method != ENSEMBLE:
            assert_allclose(scores[1], stats.entropy(array(made, row.method, "probability")[1], axis=1))
        elif row.method != ENSEMBLE:
            assert_array_equal(scores, array(made, row.method, f"score: {row.score}"))


def test_disagreement_is_the_truth_the_raters_and_the_votes(study, faces):
    made, test = study(), faces.split == "test"
    assert list(made.disagreement) == ["true variance", "raters' variance", "votes' entropy"]
    assert_allclose(made.disagreement["true variance"], faces.truth.variance[test].sum(axis=1))
    raters = faces.ratings[test].astype(float).var(axis=1, ddof=1).sum(axis=1)
    assert_allclose(made.disagreement["raters' variance"], raters, rtol=1e-5)
    votes = faces.votes[test][:, :7]
    assert_allclose(made.disagreement["votes' entropy"], stats.entropy(votes, axis=1), atol=1e-12)
    assert list(study(name="ferplus", truth=None).disagreement) == ["raters' variance", "votes' entropy"]


# tables


def test_rank_correlations(study):
    made = study()
    table = made.knows_disagreement()
    for column, target in made.disagreement.items():
        for row in paper.ROWS:
            expected = [rank(s, target) for s in made.scores(row)]
            entry = cell(table, row, column)
            assert_allclose(entry.values, expected, atol=1e-12)
            assert (entry.n, entry.verdict, entry.data) == (TEST, "", "faces")
    row = Row("predicted disagreement", "variance")
    gain = cell(table, f"{row} - {paper.BASELINE}", "true variance")
    both = (cell(table, r, "true variance").values for r in (row, paper.BASELINE))
    assert_allclose(gain.values, np.subtract(*both))
    assert gain.measured > 0 and gain.unit == "gain"
    assert len(gains(table)) == 3 * len(
        paper.ROWS
    )  # one beside each: the vote distribution's over its control


def test_ceilings_are_the_truth_s_and_half_of_the_raters(study, faces):
    made = study()
    table = made.knows_disagreement()
    truth = made.disagreement["true variance"]
    entry = cell(table, paper.CEILING, "raters' variance")
    assert entry.measured == pytest.approx(rank(truth, made.disagreement["raters' variance"]))
    assert entry.low < entry.measured < entry.high and entry.seeds == 0
    assert entry.interval == f"95 % bootstrap over {len(set(faces.subject[faces.split == 'test']))} persons"
    half = cell(table, paper.HALF, "votes' entropy")
    each = []
    for seed in range(paper.SPLITS):
        halves = split_votes(faces.votes[faces.split == "test"][:, :7], seed=seed)
        each.append(rank(*(stats.entropy(h, axis=1).round(9) for h in halves)))
    assert half.measured == pytest.approx(np.mean(each), abs=0.01)
    assert 0.1 < half.measured < 0.95 and half.low < half.measured < half.high
    for column in ("raters' variance", "votes' entropy"):
        half, whole = (cell(table, row, column) for row in (paper.HALF, paper.ESTIMATED))
        assert whole.measured == pytest.approx((2 * half.measured / (1 + half.measured)) ** 0.5)
        assert half.measured < whole.low < whole.measured < whole.high and whole.n == half.n == TEST
    # the true variance of valence and arousal bounds nothing that is asked of categories
    assert sum(not e.seeds for e in table.entries) == 5
    people = study(name="ferplus", truth=None, subject=None).knows_disagreement()
    others = [e for e in people.entries if not e.seeds]
    assert [(e.row, e.column) for e in others] == [
        (row, column)
        for column in ("raters' variance", "votes' entropy")
        for row in (paper.HALF, paper.ESTIMATED)
    ]
    assert {e.interval for e in others} == {"95 % bootstrap over 50 groups of faces"}


def test_the_estimated_ceiling_is_near_the_truth_s(study, rng):
    """Where a face's raters are many, as where the truth is known: about the same can be reached."""
    variance = rng.uniform(0.01, 0.3, N)
    ratings = rng.normal(0, np.sqrt(variance)[:, None, None], (N, 12, 2)).astype(np.float32)
    truth = Truth(
        affect=np.zeros((N, 2), np.float32),
        variance=np.stack([variance, variance], axis=1).astype(np.float32),
        mislabelled=np.zeros(N, bool),
    )
    table = study(ratings=ratings, truth=truth).knows_disagreement()
    exact, estimated = (
        cell(table, row, "raters' variance").measured for row in (paper.CEILING, paper.ESTIMATED)
    )
    assert exact == pytest.approx(estimated, abs=0.05) and exact < 0.95


def test_halves_know_what_a_perfect_measure_would_reach(rng):
    """Of truths and two noisy readings: the mean of both goes with the truth as Spearman and Brown say."""
    truth = rng.normal(size=200_000)
    halves = truth + rng.normal(0, 1.3, (2, len(truth)))
    between = np.corrcoef(halves)[0, 1]
    reached = np.corrcoef(truth, halves.mean(axis=0))[0, 1]
    assert paper.best_from_halves(between) == pytest.approx(reached, abs=0.01)
    assert paper.best_from_halves(-0.2) == paper.best_from_halves(0.0) == 0.0


def test_raters_are_dealt_into_halves(rng):
    ratings = rng.normal(size=(40, 6, 2))
    ratings[::4, 1] = np.nan
    first, second = paper.split_ratings(ratings, 3)
    mine, theirs = (np.isfinite(half).all(axis=2) for half in (first, second))
    rated = np.isfinite(ratings).all(axis=2)
    assert_array_equal(mine ^ theirs, rated)
    assert_array_equal(mine.sum(axis=1), rated.sum(axis=1) // 2)
    assert_array_equal(first[mine], ratings[mine]) and assert_array_equal(second[theirs], ratings[theirs])
    assert 0.2 < mine[1::4].mean(axis=0).min() and not np.array_equal(
        first, paper.split_ratings(ratings, 4)[0]
    )


def test_faces_with_too_few_raters_for_two_variances_are_left_out_of_the_halves(study, faces):
    ratings = faces.ratings.copy()
    ratings[::2, 3:] = np.nan
    table = study(ratings=ratings).knows_disagreement()
    few = np.sum((faces.split == "test") & (np.arange(N) % 2 == 0))
    assert cell(table, paper.HALF, "raters' variance").n == TEST - few
    assert cell(table, paper.HALF, "votes' entropy").n == TEST


def test_both_halves_of_the_raters_are_asked(study, faces):
    """Where each face's votes are all for one category, or shared evenly by all, both halves say the same."""
    votes = np.zeros((N, 8), np.int16)
    votes[:, 0] = 70
    votes[::2, :7] = 400
    found = study(votes=votes).knows_disagreement()
    assert cell(found, "half of the raters, for the other half", "votes' entropy").measured > 0.8


def test_a_measure_that_says_the_same_of_all_knows_no_disagreement(study):
    def flat(parts, settings, seed):
        found = known(parts, settings, seed)
        if settings.get("method") == "predicted disagreement":
            found["score: variance"] = np.zeros(TEST, np.float16)
        return found

    table = study(flat).knows_disagreement()
    assert cell(table, Row("predicted disagreement", "variance"), "true variance").values == (0, 0)


def test_areas_under_the_curve(study):
    made = study()
    table = made.finds_wrong_labels()
    wrong, column = made.parts.wrong, "area under the ROC curve"
    for method in paper.TOLD:
        expected = [area(wrong, loss) for loss in array(made, method, "loss")]
        assert_allclose(cell(table, f"{method}: loss", column).values, expected)
    for method, words in paper.OWN_DOUBT.items():
        expected = [area(wrong, doubt) for doubt in array(made, method, "doubt")]
        assert_allclose(cell(table, f"{method}: {words}", column).values, expected)
    loss, further = array(made, PLAIN, "loss"), array(made, ENSEMBLE, "loss")
    means = [(loss[0] + further[0] + further[1]) / 3, (loss[1] + further[2] + further[3]) / 3]
    assert_allclose(cell(table, f"{ENSEMBLE}: loss", column).values, [area(wrong, m) for m in means])
    assert {e.n for e in table.entries} == {TRAIN}
    assert len([e for e in table.entries if e.unit != "gain"]) == 13 + len(paper.OWN_DOUBT) + 1
    assert len(gains(table)) == 12 + len(paper.OWN_DOUBT) + 2
    others = [e.row for e in gains(table) if not e.row.endswith(f" - {PLAIN}: loss")]
    assert others == [f"{VOTES}: loss - {MAJORITY}: loss"]


def test_one_vote_needs_no_network_to_doubt_a_label(study, rng):
    """On FER+ the category nearest to one rater's place is that rater's vote."""
    votes = rng.multinomial(10, np.full(8, 1 / 8), N)
    people = study(name="ferplus", ratings=votes_to_ratings(votes, CIRCUMPLEX), votes=votes, truth=None)
    table, parts = people.finds_wrong_labels(), people.parts
    voted = np.repeat(np.tile(np.arange(8), N), votes.ravel()).reshape(N, 10)[parts.train]
    for seed, found in enumerate(cell(table, paper.NOT_SAID, "area under the ROC curve").values):
        drawn = np.random.default_rng(seed).random((TRAIN, 10)).argmax(axis=1)
        vote = voted[np.arange(TRAIN), drawn]
        assert found == pytest.approx(area(parts.wrong, 1.0 * (vote != parts.label)))
    assert_array_equal(paper.said_by(np.array([CIRCUMPLEX[e] for e in EXPRESSIONS])), np.arange(8))


def test_what_is_made_of_a_label_is_set_against_the_training_faces_raters(study, faces):
    made = study()
    table = made.labels_know_disagreement()
    train = faces.split == "train"
    votes = faces.votes[train][:, :7]
    for i, r in enumerate(made.results["fused labels"]):
        label = task.fused(made.parts.label, task.rating(made.parts, r.run.seed), reading=made.plan.reading)
        expected = rank(stats.entropy(label, axis=1), stats.entropy(votes, axis=1))
        found = cell(table, "fused labels: entropy of the label", "votes' entropy").values[i]
        assert found == pytest.approx(expected, abs=1e-3)
    factor = array(made, "LDLVA", "doubt")
    expected = [rank(f, faces.truth.variance[train].sum(axis=1)) for f in factor]
    assert_allclose(cell(table, "LDLVA: uncertainty factor", "true variance").values, expected)
    assert {e.n for e in table.entries} == {TRAIN} and len(table.entries) == 3 * (3 + 2)


def test_a_perfect_detector_has_an_area_of_one_and_a_perverse_one_of_nought(study):
    def of(parts, settings, seed):
        found = known(parts, settings, seed)
        found["doubt"] = (parts.wrong if settings.get("method") == "SCN" else ~parts.wrong).astype(np.float16)
        found["loss"] = np.ones(TRAIN, np.float16)
        return found

    table = study(of).finds_wrong_labels()
    column = "area under the ROC curve"
    assert cell(table, "SCN: one minus its weight", column).values == (1, 1)
    assert cell(table, "LDLVA: uncertainty factor", column).values == (0, 0)
    assert cell(table, f"{ENSEMBLE}: loss", column).values == (0.5, 0.5)
    assert cell(table, f"SCN: one minus its weight - {PLAIN}: loss", column).ahead
    assert cell(table, f"LDLVA: uncertainty factor - {PLAIN}: loss", column).behind


def test_accuracy_and_f1(study, faces):
    made = study()
    table = made.is_right()
    label = faces.expression[faces.split == "test"]
    assert_array_equal(made.label, label)
    for method in paper.TOLD:
        named = array(made, method, "probability").argmax(axis=2)
        assert_allclose(cell(table, method, "accuracy").values, (named == label).mean(axis=1))
        f1 = [
            np.mean(
                [2 * np.sum((n == k) & (label == k)) / np.sum((n == k) + 1 * (label == k)) for k in range(7)]
            )
            for n in named
        ]
        assert_allclose(cell(table, method, "macro F1").values, f1)
    best = cell(table, f"vote distribution - {PLAIN}", "accuracy")
    assert best.ahead and best.measured == pytest.approx(0.5 * 10 / 11, abs=0.02)
    more = cell(table, f"{VOTES} - {MAJORITY}", "accuracy")
    assert more.measured == pytest.approx(0.5 * 0.5 / 11, abs=0.02)
    assert {e.n for e in table.entries} == {TEST} and len(gains(table)) == 2 * (12 + 1)


def test_calibration(study, faces):
    made = study()
    table = made.is_calibrated()
    votes = faces.votes[faces.split == "test"][:, :7].astype(float)
    shares = votes / votes.sum(axis=1, keepdims=True)
    for method in ("SCN", "vote distribution"):
        for i, p in enumerate(array(made, method, "probability")):
            p = p / p.sum(axis=1, keepdims=True)
            nll = -np.log(p[np.arange(TEST), made.label]).mean()
            assert cell(table, method, "negative log likelihood").values[i] == pytest.approx(nll)
            crossed = np.mean(stats.entropy(shares, axis=1) + stats.entropy(shares, p, axis=1))
            assert cell(table, method, "cross-entropy to the votes").values[i] == pytest.approx(crossed)
            error = calibration.calibration_error(np.log(p), made.label)
            assert cell(table, method, "calibration error").values[i] == pytest.approx(error)
    floor = cell(table, "the votes themselves", "cross-entropy to the votes")
    assert floor.measured == pytest.approx(stats.entropy(shares, axis=1).mean())
    assert math.isnan(floor.low) and floor.n == TEST and not floor.verdict
    reached = [e.measured for e in table.entries if e.column == floor.column and e.seeds and e.unit != "gain"]
    assert min(reached) > floor.measured


def test_a_certain_and_wrong_network_has_a_finite_loss(study):
    def certain(parts, settings, seed):
        found = known(parts, settings, seed)
        label = parts.faces.expression[parts.test]
        found["probability"] = np.eye(7, dtype=np.float16)[(label + (settings.get("method") == "SCN")) % 7]
        return found

    made = study(certain)
    column = "negative log likelihood"
    table = made.is_calibrated()
    assert_allclose(cell(table, "SCN", column).values, -np.log(6e-8), rtol=1e-6)
    assert_allclose(cell(table, PLAIN, column).values, 0, atol=1e-6)


@pytest.mark.parametrize("artefact", ["accuracy", "calibration", "selective"])
def test_a_gain_is_good_above_nought_and_has_the_verdict_of_its_interval(study, artefact):
    made = study()
    table = getattr(made, TABLES[artefact])()
    sign = 1 if artefact == "accuracy" else -1
    assert gains(table)
    for entry in gains(table):
        row, baseline = paper.compared(entry)
        first, second = (row, baseline) if artefact == "accuracy" else (baseline, row)
        assert entry.row == f"{first} - {second}"
        own, plain = (cell(table, r, entry.column).values for r in (row, baseline))
        # a row says what it is the difference of
        difference = np.subtract(*(cell(table, r, entry.column).values for r in (first, second)))
        assert_allclose(entry.values, difference, atol=1e-12)
        assert_allclose(entry.values, sign * np.subtract(own, plain), atol=1e-12)
        assert entry.interval.endswith(" persons and 2 seeds") and entry.low < entry.high
        told = {(True, True): "ahead", (False, False): "behind"}
        assert entry.verdict == told.get((entry.low > 0, entry.high > 0), Verdict.CANNOT_TELL)
        end = ": entropy" if artefact == "selective" else ""
        if row == VOTES + end and baseline == MAJORITY + end:
            continue
        assert baseline == PLAIN + end
        low, high = paper.apart(table, baseline)[entry.column][row]
        middle = cell(table, baseline, entry.column).measured
        assert_allclose(sorted([sign * (low - middle), sign * (high - middle)]), (entry.low, entry.high))
    assert all(
        len(of) == len(gains(table)) / len(paper.apart(table, PLAIN + end)) - 1
        for of in paper.apart(table, PLAIN + end).values()
    )


@pytest.mark.parametrize("artefact", [name for name in TABLES if name != "cost"])
def test_all_intervals_of_a_table_are_over_persons_and_those_of_values_over_seeds_too(study, artefact):
    entries = getattr(study(), TABLES[artefact])().entries
    assert {e.interval.rpartition(" ")[2] for e in entries if e.seeds} <= {"seeds", "temperature"}
    for e in entries:
        if e.column.startswith("temperature"):
            assert e.interval == "none of a temperature" and math.isnan(e.low) and e.spread >= 0
        elif e.seeds:
            assert re.fullmatch(r"95 % bootstrap over \d+ persons and 2 seeds", e.interval)
            assert e.low <= e.measured <= e.high


def test_the_interval_of_a_value_is_of_other_faces_too(study):
    """Of networks that are all alike, a t interval over seeds would have no width."""

    def alike(parts, settings, seed):
        return known(parts, settings, 0)

    found = cell(study(alike).is_right(), PLAIN, "accuracy")
    assert found.spread == 0 and found.high - found.low > 0.05


def test_what_a_temperature_mends_has_no_verdict_before_it(study):
    table = study().is_calibrated()
    assert {e.column for e in gains(table)} == {
        c + paper.AFTER for c in (paper.ERROR, paper.NLL, paper.TO_VOTES)
    }
    said = {m: cell(table, m, "confidence less accuracy").measured for m in paper.METHODS}
    assert all(-1 < value < 1 for value in said.values())


def test_timidity_is_mended_and_gains_nothing(study):
    """A plain network told nothing more, whose probabilities one temperature flattens, is as good after it."""

    def timid(parts, settings, seed):
        found = known(parts, settings | {"method": PLAIN}, seed)
        if settings.get("method") == "LDLVA":
            p = found["probability"].astype(float) ** 0.4
            found["probability"] = (p / p.sum(axis=1, keepdims=True)).astype(np.float16)
        return {**known(parts, settings, seed), "probability": found["probability"]}

    table = study(timid).is_calibrated()
    before, after = paper.ERROR, paper.ERROR + paper.AFTER
    assert abs(cell(table, "LDLVA", before).measured - cell(table, PLAIN, before).measured) > 0.05
    for column in (after, paper.NLL + paper.AFTER, paper.TO_VOTES + paper.AFTER):
        assert cell(table, "LDLVA", column).measured == pytest.approx(
            cell(table, PLAIN, column).measured, abs=0.01
        )
    ratio = cell(table, "LDLVA", "temperature").measured / cell(table, PLAIN, "temperature").measured
    assert ratio == pytest.approx(0.4, rel=0.02)


def test_halves_are_of_persons(study, faces):
    made = study()
    person = faces.subject[faces.split == "test"]
    assert not set(person[made._half]) & set(person[~made._half])
    assert abs(made._half.mean() - 0.5) < 0.05


def test_each_half_is_judged_at_the_temperature_of_the_other(study, rng):
    made = study()
    here, label = made._half, made.label
    # one half's network is far too sure, the other's far too timid: its own temperature would mend either
    log_p = np.where(here, 4.0, 0.25)[:, None] * np.log(rng.dirichlet(np.ones(CLASSES), len(label)))
    log_p -= np.log(np.exp(log_p).sum(axis=1, keepdims=True))
    first, second = made._temperatures(log_p, np.eye(CLASSES)[label])
    assert first == pytest.approx(calibration.fit_temperature(log_p[~here], label[~here]), rel=1e-3)
    assert second == pytest.approx(calibration.fit_temperature(log_p[here], label[here]), rel=1e-3)
    assert abs(np.log(first / second)) > 0.5
    told = made._cooled(lambda cooled, rows: float(cooled[:, 0].mean()), log_p, [2.0, 5.0])
    cooled = [part / t for part, t in ((log_p[here], 2.0), (log_p[~here], 5.0))]
    by_hand = [(p[:, 0] - np.log(np.exp(p).sum(axis=1))).mean() for p in cooled]
    assert told(np.arange(len(label))) == pytest.approx(np.mean(by_hand))


def test_a_temperature_for_labels_is_calibration_s(rng):
    log_p = np.log(rng.dirichlet(np.ones(7), 200))
    label = rng.integers(7, size=200)
    mine = paper.fit_temperature(log_p, np.eye(7)[label])
    assert mine == pytest.approx(calibration.fit_temperature(log_p, label), rel=1e-3)


def test_pulls_are_the_values_themselves_of_a_mean(rng):
    x, units = rng.normal(size=60), np.arange(60) % 12
    found = paper.pulled(lambda rows: float(x[rows].mean()), units)
    assert_allclose(found, [x[units == unit].mean() for unit in range(12)])
    skewed = paper.pulled(lambda rows: float(np.exp(x[rows]).std()), units)
    assert skewed.mean() == pytest.approx(np.exp(x).std())


def test_risk_is_of_the_surest_and_errors_are_the_row_s_own(study):
    made = study()
    table = made.knows_when_to_stop()
    for row in paper.ROWS:
        for i, curve in enumerate(made.risk(row)):
            score, p = made.scores(row)[i], made.probability(row.method)[i]
            wrong = p.argmax(axis=1) != made.label
            assert curve[-1] == pytest.approx(wrong.mean())
            sure = np.sort(score)
            if sure[95] < sure[96]:  # no tie across the edge
                assert curve[95] == pytest.approx(wrong[score <= sure[95]].mean())
            name = f"{row}{paper.ASIDE if row.score in paper.OF_AFFECT else ''}"
            assert cell(table, name, "risk at 80 % coverage").values[i] == pytest.approx(curve[95])
            assert cell(table, name, paper.AREA).values[i] == pytest.approx(np.mean(curve))
    assert len(gains(table)) == 2 * len(paper.ROWS)


def test_costs_are_multiples_of_the_plain_network_s(study):
    table = study().costs()
    column = "processor time in training, plain network = 1"
    assert cell(table, PLAIN, column).values == (1, 1)
    assert_allclose(cell(table, "SCN", column).values, (12 / 10, 13 / 11))
    assert_allclose(cell(table, ENSEMBLE, column).values, ((10 + 110 + 210) / 10, (11 + 111 + 211) / 11))
    assert {e.n for e in table.entries} == {TRAIN} and len(table.entries) == 13
    assert not any(e.verdict for e in table.entries)


def test_one_seed_cannot_tell(study):
    made = study(seeds=1)
    for name in TABLES.values():
        judged = [e for e in getattr(made, name)().entries if e.verdict]
        assert {e.verdict for e in judged} <= {Verdict.CANNOT_TELL}
    text = made.conclusion()
    assert "nan" not in text and "0 are surely gains, 0 surely losses" in text
    assert "nan" not in paper.beside(made.ledger.table("accuracy")).to_string()


# risk over coverage


def test_risk_by_hand():
    wrong = np.array([True, False, True, False])
    score = np.array([0.9, 0.1, 0.2, 0.3])
    assert_allclose(paper.risk_over_coverage(score, wrong), [0, 1 / 2, 1 / 3, 2 / 4])


def test_ties_share_their_errors():
    wrong = np.array([False, True, False, True, True])
    score = np.array([1, 2, 2, 2, 3])
    assert_allclose(paper.risk_over_coverage(score, wrong), [0, 2 / 6, 4 / 9, 2 / 4, 3 / 5])


scored = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        arrays(np.int64, n, elements=st.integers(0, 6)).map(lambda s: s / 7), arrays(np.bool_, n)
    )
)


@given(scored)
def test_properties_of_risk(drawn):
    score, wrong = drawn
    curve = paper.risk_over_coverage(score, wrong)
    assert curve.shape == score.shape and ((curve >= 0) & (curve <= 1 + 1e-12)).all()
    assert curve[-1] == pytest.approx(wrong.mean())
    assert_allclose(paper.risk_over_coverage(np.zeros(len(wrong)), wrong), wrong.mean())
    assert (paper.risk_over_coverage(wrong, wrong) <= curve + 1e-12).all()
    assert (paper.risk_over_coverage(~wrong, wrong) >= curve - 1e-12).all()
    # a rising function of the score, or another order of the items, changes nothing
    assert_allclose(paper.risk_over_coverage(np.exp(3 * score), wrong), curve)
    assert_allclose(paper.risk_over_coverage(score[::-1], wrong[::-1]), curve)


@given(scored)
def test_ties_are_the_mean_over_all_their_orders(drawn):
    score, wrong = drawn
    rng = np.random.default_rng(0)
    curves = []
    for _ in range(400):
        order = np.lexsort((rng.random(len(score)), score))
        curves.append(wrong[order].cumsum() / np.arange(1, len(score) + 1))
    assert_allclose(paper.risk_over_coverage(score, wrong), np.mean(curves, axis=0), atol=0.15)


# sentences


@pytest.mark.parametrize(("name", "words"), [("twin", "are generated"), ("ferplus", "FER2013's own")])
def test_a_reader_is_told_of_the_data(study, name, words):
    assert set(paper.CAVEATS) == set(TRACKS_OF[paper.KEY])
    assert words in study(name=name, truth=None).caveat()


def ledger_of(values, track="twin", more=0.0):
    """A ledger with the same rows for each question: row -> (measured, gain), the gain with an interval of 0.02.

    `more` is what the vote distribution gains over its control, where the rows have both.
    """
    ledger = Ledger(paper.KEY, Track(name=track, root="x"), {"faces": "f"})
    over = {"source": "faces", "n": 10}

    def difference(artefact, column, row, against, gain):
        pair = f"{against} - {row}" if column in paper.LOWER else f"{row} - {against}"
        ledger.over_seeds(artefact, pair, column, [gain - 0.001, gain + 0.001], unit="gain", **over)

    tables = dict.fromkeys((question.artefact, question.column or "first") for question in paper.QUESTIONS)
    for artefact, column in tables:
        ends = [q.ends[0] for q in paper.QUESTIONS if (q.artefact, q.column or "first") == (artefact, column)]
        names = {row + end: (row, end) for end in ends for row in values}
        for name, (row, _) in names.items():
            ledger.over_seeds(artefact, name, column, [values[row][0]] * 2, **over)
        for name, (row, _) in names.items():
            if name != PLAIN + ends[0]:
                difference(artefact, column, name, PLAIN + ends[0], values[row][1] or 0.0)
        for end in ends if {VOTES, MAJORITY} <= set(values) else ():
            difference(artefact, column, VOTES + end, MAJORITY + end, more)
    for method in paper.METHODS:
        ledger.over_seeds("cost", method, paper.COST, [3.0 if method == ENSEMBLE else 1.0] * 2, **over)
    return ledger


def table_of(text, head):
    """The body of the Markdown table whose header has these words: cells by line."""
    lines = text[text.index(head) :].split("\n")
    return [[c.strip() for c in line.strip("|").split("|")] for line in lines[2 : lines.index("")]]


def test_the_conclusion_names_the_best_that_is_surely_ahead_or_says_that_none_is():
    values = {
        PLAIN: (0.5, None),
        "SCN": (0.45, -0.05),
        "MC dropout": (0.505, 0.005),
        "KL variance": (0.6, 0.1),
        "beta-NLL": (0.55, 0.05),
        "vote distribution": (0.7, 0.2),
    }
    text = paper.conclusion(ledger_of(values))
    lines = table_of(text, f"| | {PLAIN} |")
    assert len(lines) == len(paper.QUESTIONS)
    for question, (words, plain, nothing, one, every) in zip(paper.QUESTIONS, lines, strict=True):
        end = question.ends[0]
        assert question.words in words and plain == "0.500"
        assert nothing.startswith(
            f"none surely (MC dropout{end} 0.505, gain +0.005 [-0.008, +0.018], cost 1.0"
        )
        assert one.startswith(f"**KL variance{end}** 0.600, gain +0.100")
        assert every.startswith(f"**vote distribution{end}** 0.700, gain +0.200")
    assert "(track twin, profile default)" in text


def test_what_is_the_label_s_and_what_the_distribution_s():
    values = {PLAIN: (0.5, None), MAJORITY: (0.6, 0.1), VOTES: (0.7, 0.2)}
    lines = table_of(paper.conclusion(ledger_of(values, more=0.1)), f"| | {MAJORITY}: gain")
    assert len(lines) == len(paper.QUESTIONS)
    assert {tuple(line[1:]) for line in lines} == {("+0.100 [+0.087, +0.113] ahead",) * 2}


def test_plain_words_count_lines_and_name_the_papers_methods_that_are_ahead_and_the_limit():
    values = {
        PLAIN: (0.5, None),
        "SCN": (0.45, -0.05),
        ENSEMBLE: (0.6, 0.1),
        "fused labels": (0.55, 0.05),
        "LDLVA": (0.5, 0.0),
        MAJORITY: (0.6, 0.1),
        VOTES: (0.7, 0.2),
    }
    count = len(paper.QUESTIONS)
    text = paper.plain_answer(ledger_of(values, "ferplus"))
    assert f"vote distribution is surely ahead of a plain network in {count} of {count} lines" in text
    assert f"label alone, is so in {count}, and the distribution surely adds to it in 0." in text
    assert f"Told one rater beside the label, surely ahead are: fused labels in {count} of {count}." in text
    assert f"alone, surely ahead are: ensemble of three in {count} of {count}, at 3.0 times the cost." in text
    assert "papers' methods, these are surely ahead in some line: fused labels (neo2023). " in text
    assert text.endswith(paper.LIMITS["ferplus"]) and "that this vote contradicts needs no network" in text
    behind = {name: (0.5, None if name == PLAIN else -0.1) for name in values}
    text = paper.plain_answer(ledger_of(behind))
    assert "Told the label alone, nothing is surely ahead. " in text
    assert "methods, none is surely ahead in any line. " in text
    assert set(paper.LIMITS) == set(TRACKS_OF[paper.KEY])


def test_without_a_table_there_is_no_answer():
    ledger = Ledger(paper.KEY, Track(), {"faces": "f"})
    with pytest.raises(LookupError, match="nothing was recorded for same_faces/disagreement"):
        paper.answers(ledger)


def test_like_is_compared_with_like():
    like = {q.words: q.ends for q in paper.QUESTIONS}
    assert like["Leaving faces to people, by the entropy of the categories"] == (": entropy",)
    assert not any("variance: variance (another question)".endswith(e) for e in (": entropy", ": variance"))
    # a variance of a face is no candidate where a label is doubted
    ends = like["Another question, the same by what a method says of a label itself"]
    assert not [
        m for m, words in paper.OWN_DOUBT.items() if "variance" in words and f"{m}: {words}".endswith(ends)
    ]
    assert str(paper.NOT_SAID).endswith(ends)
    assert {q.artefact for q in paper.QUESTIONS} == set(TABLES) - {"cost", "training_disagreement"}


def test_a_study_concludes_from_all_its_tables(study):
    made = study()
    for name in TABLES.values():
        getattr(made, name)()
    text = made.conclusion()
    assert all(question.words in text for question in paper.QUESTIONS)
    assert "by the entropy of the categories (true variance)" in text and "(another question)" not in text
    assert text.endswith(f"**In plain words.** {paper.plain_answer(made.ledger)}")
    every = [e for e in made.ledger.entries if e.unit == "gain"]
    rows = len(paper.ROWS)
    assert len(every) == 3 * rows + 3 * 2 + 21 + 2 * 13 + 3 * 13 + 2 * rows
    assert "Of the 81 comparisons with the plain network" in text
    assert {e.artefact for e in made.ledger.entries} == {f"same_faces/{name}" for name in TABLES}
    # verdicts are for differences alone, and no claim is a paper's
    assert {bool(e.verdict) for e in every} == {True} and not any(e.claim for e in made.ledger.entries)
    assert not any(e.verdict for e in made.ledger.entries if e.unit != "gain")
