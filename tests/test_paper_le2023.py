"""The numbers of the page, made from predictions whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats as scipy_stats

from paperlib.companion.published import claims_for_runs as statements
from paperlib.companion.runs import Result
from paperlib.data.records import FaceSet
from paperlib.models.backbones import build_backbone
from paperlib.papers import le2023 as paper
from paperlib.stats import Interval, Verdict
from paperlib.tasks import noisy_labels
from paperlib.tracks import Track

N = 420


@pytest.fixture
def faces(rng):
    """Made-up faces whose votes are seven to three or eight to two, whose first label is wrong for every fourth."""
    category = np.arange(N) % 7
    votes = np.zeros((N, 8), np.int16)
    most = 7 + np.arange(N) % 2
    votes[np.arange(N), category], votes[np.arange(N), (category + 1) % 7] = most, 10 - most
    return FaceSet(
        name="made up",
        images=np.zeros((N, 48, 48), np.uint8),
        affect=rng.uniform(-1, 1, (N, 2)).astype(np.float32),
        split=np.array(["train", "train", "validation", "test"])[np.arange(N) // 7 % 4],
        fingerprint="faces",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) % 4 == 0, (category + 3) % 7, category).astype(np.int8),
        votes=votes,
    )


@pytest.fixture
def study(faces, monkeypatch, rng):
    """Every method predicts the votes for a known share of the test faces, LDLVA for 80 %, all others for 60 %."""
    monkeypatch.setattr(Track, "categories", lambda self: faces)
    noisy_labels.problem.cache_clear()
    track = Track(profile="smoke")

    def results(runs, **kwargs):
        parts = noisy_labels.problem(track)
        n, test = len(parts.rows), faces.votes[parts.test_rows, :7] / 10
        out = []
        for run in runs:
            if "method" not in run.settings:
                arrays = {"affect": faces.affect[parts.rows], "test_affect": faces.affect[parts.test_rows]}
                out.append(Result(run=run, key="r", seconds=0.0, arrays=arrays))
                continue
            s = run.settings
            ours = s["method"] == "LDLVA"
            share = (0.8 if ours else 0.6) + 0.01 * run.seed * ours
            share = 0.9 if s["labels"] == "consensus" and not s["noise"] and not ours else share
            right = np.arange(len(test)) < round(share * len(test))
            given, truth = noisy_labels.training_labels(track, s["labels"], noise=s["noise"], seed=run.seed)
            arrays = {
                "probability": np.where(right[:, None], test, np.roll(test, 1, axis=1)).astype(np.float16),
                "doubt": ((given != truth) + 0.1 * np.random.default_rng(run.seed).random(n)).astype(
                    np.float16
                ),
                "validation": np.array([share]),
                "gap": np.array([0.25]),
                "recovered": np.where(np.arange(n) % 2 == 0, truth, given).astype(np.int8),
                "target": np.eye(7)[truth].astype(np.float16),
                "calibration": np.full((n, 8), 0.5, np.float16),
            }
            out.append(Result(run=run, key="r", seconds=0.0, arrays=arrays))
        return out

    monkeypatch.setattr("paperlib.companion.runs.run_missing", results)
    yield paper.Study(track, seeds=2)
    noisy_labels.problem.cache_clear()


def entry(study, artefact, row, column):
    (found,) = [
        e
        for e in study.ledger.entries
        if (e.artefact, e.row, e.column) == (f"{paper.KEY}/{artefact}", row, column)
    ]
    return found


def test_table1_scores_gains_and_the_share_of_the_gap(study):
    n = len(study.parts.test_rows)
    study.table1()
    plain, ours, ceiling = (100 * round(s * n) / n for s in (0.6, 0.8, 0.9))
    assert entry(study, "table1", "baseline", "natural: accuracy").measured == pytest.approx(plain)
    second = 100 * round(0.81 * n) / n
    e = entry(study, "table1", "LDLVA", "30 %: accuracy")
    assert e.values == pytest.approx((ours, second))
    gain = entry(study, "table1", "LDLVA - RUL", "30 %: accuracy")
    assert gain.values == pytest.approx((ours - plain, second - plain))
    assert gain.claim == "LDLVA as printed is more accurate than RUL with 30 % wrong labels"
    assert (gain.claim_id, gain.printed, gain.printed_on) == ("noise-all-cases", "82.59 to 85.85", "RAF-DB")
    mean = entry(study, "table1", "LDLVA - baseline", "10 %, 20 %, 30 %, their mean: accuracy")
    assert mean.values == pytest.approx(gain.values) and not mean.claim  # the same at each share
    released = entry(study, "table1", "as released - baseline", "30 %: accuracy")
    assert released.values == pytest.approx(gain.values) and not released.claim
    closed = entry(study, "table1", "LDLVA", "% of the natural gap closed")
    assert closed.values == pytest.approx([100 * (o - plain) / (ceiling - plain) for o in (ours, second)])
    way = entry(study, "table1", "baseline on the consensus - baseline", "natural: accuracy")
    assert way.measured == pytest.approx(ceiling - plain) and not way.claim


def test_no_share_is_counted_of_a_gap_that_is_hardly_known(study, monkeypatch):
    monkeypatch.setattr(paper.Study, "_way", lambda self: [0.4, 4.0])
    study.table1()
    assert not any("gap closed" in e.column for e in study.ledger.entries)
    assert "is 2.2 points [-20.7, 25.1]: too little known" in study.conclusion()


def test_the_printed_numbers_stand_beside_the_methods_that_the_paper_has(study):
    study.table1()
    study.table4()
    assert entry(study, "table1", "LDLVA", "30 %: accuracy").printed == "85.85, SE 0.09"
    assert entry(study, "table1", "label smoothing", "30 %: accuracy").printed == ""
    assert entry(study, "table4", "(v) LDLVA", "0 %: accuracy").printed == "90.51"
    assert entry(study, "table4", "(i) baseline", "30 %: accuracy").printed == "78.92"


def test_recovery_counts_wrong_labels_alone(study):
    study.figure5()
    for seed, share in enumerate(entry(study, "figure5", "30 %: wrong labels: d~", "% named right").values):
        given, right = study.labels("30 %", seed)
        wrong = np.flatnonzero(given != right)
        assert share == pytest.approx(100 * np.mean(wrong % 2 == 0))
    assert entry(study, "figure5", "30 %: right labels: d~", "% named right").measured == 100
    assert entry(study, "figure5", "30 %: wrong labels: d, first seed", "% named right").measured == 100
    assert entry(study, "figure5", "30 %: wrong labels: d, first seed", "% named as given").measured == 0


def test_the_most_that_d_can_name_is_no_less_than_what_it_names(study, rng):
    """Of eq. 6 itself: made-up factors and neighbours' distributions, whose mixture is known."""
    results = []
    for seed, r in enumerate(study.results["30 %", "LDLVA"]):
        given, _ = study.labels("30 %", seed)
        near, factor = rng.dirichlet(np.full(7, 0.3), len(given)), rng.random(len(given))
        d = (1 - factor[:, None]) * np.eye(7)[given] + factor[:, None] * near
        made = {"doubt": factor, "recovered": near.argmax(axis=1), "target": d}
        results.append(replace(r, arrays={**r.arrays, **made}))
    study.results["30 %", "LDLVA"] = results
    study.figure5()
    most = entry(study, "figure5", "30 %: wrong labels: d, right - given, at most", "% named")
    for seed, (r, bound) in enumerate(zip(results, most.values, strict=True)):
        given, right = study.labels("30 %", seed)
        wrong, named = given != right, r["target"].argmax(axis=1)
        itself = 100 * ((named == right)[wrong].mean() - (named == given)[wrong].mean())
        assert itself <= bound < itself + 40


def test_where_every_factor_is_low_d_repeats_the_given_label(study):
    for r in study.results["30 %", "LDLVA"]:
        r.arrays["doubt"][:] = 0.4
    study.figure5()
    most = entry(study, "figure5", "30 %: wrong labels: d, right - given, at most", "% named")
    assert most.values == (-100, -100) and most.verdict == Verdict.DID_NOT_HOLD
    assert most.claim_id == "labels-recovered"


def test_what_d_can_name_at_most_speaks_for_nothing(study):
    for r in study.results["30 %", "LDLVA"]:
        r.arrays["doubt"][:] = 1
        r.arrays["recovered"][:] = study.labels("30 %", r.run.seed)[1]
    study.figure5()
    most = entry(study, "figure5", "30 %: wrong labels: d, right - given, at most", "% named")
    assert most.values == (100, 100)
    assert most.verdict == "cannot tell: d can name no more than this; d itself is kept of one seed"


def test_a_factor_that_knows_wrong_labels_has_an_auroc_of_one(study):
    study.figure6()
    assert entry(study, "figure6", "natural: factor", "AUROC").measured == 1
    held = entry(study, "figure6", "natural: factor", "AUROC - 0.5")
    assert (held.measured, held.verdict) == (0.5, Verdict.HELD)


def test_what_is_predicted_for_faces_whose_first_label_is_wrong(study):
    study.systematic()
    rows = study.parts.test_rows
    wrong = study.faces.original[rows] != study.faces.expression[rows]
    hit = np.arange(len(rows)) < round(0.6 * len(rows))
    e = entry(study, "systematic", "baseline, trained on natural labels", "% predicted as the consensus")
    assert e.values[0] == pytest.approx(100 * hit[wrong].mean())
    e = entry(study, "systematic", "baseline, trained on natural labels", "% predicted as the first label")
    assert e.measured == 0


def test_the_divergence_is_zero_where_the_votes_are_predicted(study):
    per_face = study.divergence("30 %", "LDLVA")[0]
    right = np.arange(len(per_face)) < round(0.8 * len(per_face))
    assert per_face[right].max() < 1e-6
    assert per_face[~right].min() > 0.2


def test_every_number_says_of_how_many_faces_it_is(study):
    study.figure3()
    study.figure5()
    study.staleness()
    study.systematic()
    study.variants("choices", list(paper.CHOICES))
    parts, first = study.parts, study.faces.original != study.faces.expression
    expected = {
        ("figure3", "ten other raters, simulated", "Jensen-Shannon divergence, bits"): len(parts.test_rows),
        ("figure5", "30 %: wrong labels: d~", "% named right"): round(0.3 * len(parts.rows)),
        ("figure5", "natural: right labels: d~", "% named right"): (~first[parts.rows]).sum(),
        ("staleness", "LDLVA", "30 %: accuracy"): len(parts.test_rows),
        ("staleness", "LDLVA", "change between two entries"): len(parts.rows),
        ("choices", "LDLVA", "30 %: validation accuracy"): len(parts.validation_rows),
        ("systematic", "baseline, trained on natural labels", "% predicted as the consensus"): first[
            parts.test_rows
        ].sum(),
    }
    assert {cell: entry(study, *cell).n for cell in expected} == expected


def test_equal_calibration_scores_say_nothing(study):
    study.figure4()
    for instance in ("as printed", "as released"):
        e = entry(study, "figure4", f"{instance}: same - other category", "score")
        assert (e.measured, e.verdict, e.seeds) == (0, Verdict.CANNOT_TELL, 1)


def rescored(study, method, condition, score):
    """The method's first run with calibration scores of 1 for neighbours of the same category, times `score`."""
    first, *rest = study.results[condition, method]
    _, _, same = study.calibrated(method)
    new = replace(first, arrays={**first.arrays, "calibration": (score * (1 + same)).astype(np.float16)})
    study.results[condition, method] = [new, *rest]


def test_scores_that_fell_to_nothing_suppress_nobody(study):
    rescored(study, "LDLVA", "30 %", 1e-4)
    rescored(study, "as released", "30 %", 0.25)
    study.figure4()
    fell, works = (
        entry(study, "figure4", f"{instance}: same - other category", "score")
        for instance in ("as printed", "as released")
    )
    assert works.measured == pytest.approx(0.25) and works.verdict == Verdict.HELD
    assert fell.measured == pytest.approx(1e-4, rel=1e-2)
    assert fell.verdict.startswith("cannot tell: on 100 % of the faces")
    assert {e.claim_id for e in (fell, works)} == {"calibration-suppresses"}


def test_no_gain_is_one_of_adaptive_similarity_that_weighs_nobody(study):
    study.results["30 %", "(iv) LD, UF, DL"] = study.results["30 %", "baseline"]  # 60 %, LDLVA 80
    rescored(study, "LDLVA", "30 %", 1e-4)
    study.table4()
    added = entry(study, "table4", "LDLVA - (iv) LD, UF, DL", "30 %: accuracy")
    assert added.low > 0 and added.verdict.startswith("cannot tell: all scores are below 0.001 on 100 %")
    column = "% of faces with every score below 0.001, first seed"
    assert entry(study, "table4", "LDLVA", f"30 %: {column}").measured == 100
    assert entry(study, "table4", "as released", f"30 %: {column}").measured == 0
    study.instances()
    assert "LDLVA 100 %, LDLVA, bounded scores 0 %, as released 0 %" in study.conclusion()


def test_holm_leaves_of_a_statement_s_lines_what_holm_by_hand_leaves(study):
    """p of 0.0096 and 0.03 over five lines: by Holm 5 times the first, 0.048, and 4 times the other, 0.12."""

    def shifted(p):  # values with a t test's two-sided p
        t = scipy_stats.t.isf(p / 2, 2)
        return np.array([-1.0, 0.0, 1.0]) + t / np.sqrt(3)

    for row, p in (("a", 0.0096), ("b", 0.03), ("c", 0.2), ("d", 0.3), ("e", 0.4)):
        study.ledger.over_seeds(
            "table4",
            row,
            "x",
            -shifted(p) if row == "a" else shifted(p),
            source="faces",
            n=1,
            claim="made up",
            claim_id="components-help",
        )
    study.ledger.over_seeds(
        "table4", "f", "x", shifted(0.03), source="faces", n=1, claim="its own", claim_id="noise-grows"
    )
    study.ledger.over_seeds("table4", "g - h", "x", shifted(0.03), source="faces", n=1)
    study._table("table4")
    said = {e.row: e.verdict for e in study.ledger.entries}
    assert said["a"] == Verdict.DID_NOT_HOLD
    assert said["b"] == "cannot tell: p 0.030 alone, 0.12 by Holm's test of the 5 lines of this statement"
    assert said["c"] == said["d"] == Verdict.CANNOT_TELL
    assert (said["f"], said["g - h"]) == ("held", "ahead")  # alone, and a question of ours
    assert "b, x (table4)" in study.conclusion()


def test_a_bootstrap_interval_has_the_p_of_a_normal_one(study):
    about = {"source": "faces", "n": 1, "interval": Interval(estimate=1.0, low=0.02, high=1.98, level=0.95)}
    assert paper.runs._chance(study.ledger.add("x", "r", "c", **about)) == pytest.approx(
        0.0455, abs=1e-4
    )  # two SE


def test_means_over_the_seeds_that_all_have_stand_beside_those_of_more(study):
    many = study.results["30 %", "LDLVA"]
    study.results["30 %", "LDLVA"] = [*many, always_wrong(many[0])]
    study.table1()
    assert entry(study, "table1", "LDLVA", "30 %: accuracy").seeds == 3
    few = entry(study, "table1", "LDLVA, seeds 0 to 1", "30 %: accuracy")
    plain, gain = (entry(study, "table1", r, "30 %: accuracy") for r in ("baseline", "LDLVA - baseline"))
    assert few.measured - plain.measured == pytest.approx(gain.measured)
    assert not [e for e in study.ledger.entries if e.row == "baseline, seeds 0 to 1"]


def test_natural_labels_are_set_beside_as_many_flips(study):
    share = (study.faces.original != study.faces.expression)[study.parts.rows].mean()
    n = len(study.parts.test_rows)
    for right, names in ((0.8, ("0 %", "10 %", "20 %")), (0.4, ("30 %", "natural"))):
        for name in names:
            hit = np.arange(n) < round(right * n)
            named = (study.category(study.parts.test_rows) + ~hit) % 7
            results = study.results[name, "baseline"]
            study.results[name, "baseline"] = [
                replace(r, arrays={**r.arrays, "probability": np.eye(7)[named]}) for r in results
            ]
    study.systematic()
    e = entry(
        study,
        "systematic",
        "baseline: as many flips - natural labels",
        f"accuracy, flips of {100 * share:.1f} % between 20 % and 30 %",
    )
    high, low = (100 * round(x * n) / n for x in (0.8, 0.4))
    assert 0.2 < share < 0.3
    assert e.measured == pytest.approx((high - low) * (0.3 - share) / 0.1)
    study.table1()
    assert "harder for the plain network than as many flips? By +" in study.conclusion()


def test_a_distribution_nearer_than_everybody_s_can_still_be_further_than_the_plain_network_s(study):
    study.figure3()
    column = "Jensen-Shannon divergence, bits"
    noisy, clean = (entry(study, "figure3", f"{c}: baseline - LDLVA", column) for c in ("30 %", "0 %"))
    assert (noisy.verdict, clean.verdict) == (Verdict.HELD, Verdict.DID_NOT_HOLD)  # 80 to 60 %, and to 90
    expected = [
        float(np.mean(a) - np.mean(b))
        for a, b in zip(study.divergence("30 %", "baseline"), study.divergence("30 %", "LDLVA"), strict=True)
    ]
    assert noisy.values == pytest.approx(expected) and noisy.claim_id == "distribution-like-people"


def test_no_lead_over_a_detector_that_guesses(study):
    for r in study.results["natural", "SCN"]:
        r.arrays["doubt"][:] = np.random.default_rng(r.run.seed).random(len(r["doubt"]))
    study.figure6()
    lead = entry(study, "figure6", "natural: factor - SCN's weight", "AUROC")
    assert lead.measured > 0.4 and lead.verdict.startswith(
        "cannot tell: SCN's weight cannot be told from guessing here, AUROC 0."
    )


def test_neighbours_of_the_raters_places_and_chance(study):
    shares = study.purity()
    assert shares["any face"] == pytest.approx(1 / 7)
    assert set(shares) == {"any face", "pseudo labels", "the raters' own"}


def always_wrong(result):
    """The same run, but each test face gets the probabilities of the class before."""
    right = result.arrays["probability"].argmax(axis=1)
    worse = np.roll(np.eye(7, dtype=np.float16)[right], 1, axis=1)
    return replace(result, arrays={**result.arrays, "probability": worse})


def test_a_lead_over_a_rival_that_is_behind_the_baseline_tells_nothing(study):
    study.results["30 %", "SCN"] = [always_wrong(r) for r in study.results["30 %", "SCN"]]
    study.table1()
    own = entry(study, "table1", "SCN - baseline", "30 %: accuracy")
    lead = entry(study, "table1", "LDLVA - SCN", "30 %: accuracy")
    assert own.measured < 0 < lead.low
    assert lead.verdict == (
        f"cannot tell: SCN is behind the plain network here, by {-own.measured:.1f} points; "
        "as printed it is ahead by 1.69"  # 80.61 - 78.92
    )
    judged = entry(study, "table1", "LDLVA - RUL", "30 %: accuracy").verdict
    assert judged == "cannot tell: p 0.015 alone, 0.12 by Holm's test of the 9 lines of this statement"
    assert "tells nothing: SCN (30 %). LDLVA's rates were tuned" in study.conclusion()


def test_a_loss_to_a_rival_that_is_behind_the_baseline_stands(study):
    for method in ("SCN", "LDLVA"):
        wrong = [always_wrong(r) for r in study.results["30 %", method]]
        study.results["30 %", method] = wrong if method == "LDLVA" else [always_wrong(wrong[0])] * 2
    study.results["30 %", "SCN"] = study.results["30 %", "RUL"]
    better = study.results["0 %", "baseline"]  # hits 90 %, the rival 60
    study.results["30 %", "baseline"] = better
    study.table1()
    assert entry(study, "table1", "SCN - baseline", "30 %: accuracy").measured < 0
    lost = entry(study, "table1", "LDLVA - SCN", "30 %: accuracy")
    assert lost.high < 0 and "behind the plain" not in lost.verdict


def test_the_rule_is_the_same_where_nothing_is_claimed(study):
    study.results["natural", "SCN"] = [always_wrong(r) for r in study.results["natural", "SCN"]]
    study.table1()
    lead = entry(study, "table1", "LDLVA - SCN", "natural: accuracy")
    assert lead.low > 0 and not lead.claim
    assert lead.verdict.startswith("cannot tell: SCN is behind the plain network here, by")
    study.results["0 %", "SCN"] = [always_wrong(r) for r in study.results["0 %", "SCN"]]
    study.table3()  # no printed lead there, as the paper quotes SCN from another
    assert entry(study, "table3", "LDLVA - SCN", "0 %: accuracy").verdict.endswith(" points")


def test_the_smallest_difference_that_could_be_told_is_half_the_interval(study):
    study.table1()
    study.table4()
    found = study.power().set_index(["artefact", "row", "column"])
    e = entry(study, "table1", "LDLVA - baseline", "30 %: accuracy")
    line = found.loc["table1", "LDLVA - baseline", "30 %: accuracy"]
    gap = abs(e.values[0] - e.values[1])
    assert line["smallest"] == pytest.approx(12.7062 * gap / 2, rel=1e-4)  # t of one degree of freedom
    assert line["printed"] == pytest.approx(85.85 - 78.92) and line["told"] == (6.93 > line["smallest"])
    grows = found.loc["table1", "LDLVA - baseline", "30 % less 10 %: accuracy"]
    assert grows["printed"] == pytest.approx(6.93 - 4.7)
    assert found.loc["table4", "LDLVA - (iv) LD, UF, DL", "0 %: accuracy"]["printed"] == pytest.approx(1.2)
    assert len(found) == 9 + 1 + 10


def test_operations_at_inference_are_those_of_backbone_and_classifier(study):
    backbone, features = build_backbone("tiny_resnet", channels=1)
    counted = [2 * features * 7]

    def count(layer, _, out):
        if isinstance(layer, torch.nn.Conv2d):
            counted.append(2 * layer.weight[0].numel() * out.numel())

    for layer in backbone.modules():
        layer.register_forward_hook(count)
    backbone.eval()(torch.zeros(1, 1, 48, 48))
    assert study.operations("baseline") == study.operations("LDLVA") == sum(counted)
    claimed = study.figure2().entries[-1]
    assert (claimed.measured, claimed.low, claimed.verdict) == (0.01, 0.01, Verdict.HELD)


def test_a_dearer_network_does_not_cost_nothing(study, monkeypatch):
    monkeypatch.setattr(study, "operations", {"baseline": 1000, "LDLVA": 1011}.get)
    claimed = study.figure2().entries[-1]
    assert claimed.measured == pytest.approx(-0.001) and claimed.verdict == Verdict.DID_NOT_HOLD


def test_shapes_know_nothing_of_place_size_and_turn(rng):
    points = rng.normal(size=(5, 68, 2)) * 3 + np.linspace(0, 60, 136).reshape(68, 2)
    angle, size = rng.uniform(-0.3, 0.3, 5), rng.uniform(0.5, 2, (5, 1, 1))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    moved = size * points @ turn + rng.uniform(-9, 9, (5, 1, 2))

    def apart(shapes):
        return np.linalg.norm(shapes[:, None] - shapes, axis=2)

    np.testing.assert_allclose(
        apart(paper.neighbours._shapes(points)), apart(paper.neighbours._shapes(moved)), atol=2e-3
    )
    assert apart(paper.neighbours._shapes(points)).max() > 0.02


def test_two_raters_of_a_face_disagree_as_often_as_their_votes_say(study):
    study.track = replace(study.track, name="ferplus", root="somewhere")
    study._disagreement()
    e = entry(study, "figure3", "two raters of one face", "% that name different categories")
    most = study.faces.votes[study.parts.test_rows].max(axis=1)
    expected = np.where(most == 7, 2 * 7 * 3 / 90, 2 * 8 * 2 / 90)  # pairs of ten raters
    assert e.measured == pytest.approx(100 * expected.mean()) and e.verdict == Verdict.HELD


def test_on_the_twin_nothing_is_claimed_of_people(study):
    study.faces = replace(study.faces, landmarks=np.random.default_rng(0).normal(size=(N, 68, 2)))
    study._disagreement()
    study._space()
    people, shares, landmarks, units = study.ledger.entries
    assert people.verdict == "not attempted here: the twin's raters are made to disagree"
    assert not shares.claim and shares.verdict
    assert {e.claim_id for e in (landmarks, units)} == {"valence-arousal-space"}
    assert landmarks.verdict.endswith("the twin moves the landmarks of its faces by their category")


ARTEFACTS = (
    ("instances", "neighbours", "table1", "table2", "table3", "table4", "figure2")
    + ("figure3", "figure4", "figure5", "figure6", "figure7", "controls", "systematic", "staleness")
)  # fmt: skip


@pytest.mark.parametrize("lacking", ["", "default", "no votes", "no natural labels"])
def test_every_statement_of_the_paper_has_a_line_whatever_is_lacking(study, lacking):
    if lacking == "default":
        study = paper.Study(Track())
    elif lacking == "no votes":
        study.faces = replace(study.faces, votes=None)
    elif lacking:
        study.faces = replace(study.faces, original=None)
        kept = {k: v for k, v in study.results.items() if k[0] not in ("natural", "populations")}
        study.results = kept
    for name in ARTEFACTS:
        getattr(study, name)()
    assert {e.claim_id for e in study.ledger.entries if e.claim} == set(statements("le2023"))
    lines = [e for e in study.ledger.entries if e.claim_id in ("noise-all-cases", "components-help")]
    assert len(lines) == 9 + 8  # attempted or not


def test_every_artefact_can_be_made_and_the_conclusion_names_the_gap(study):
    for make in (study.neighbours, study.table2, study.table3, study.figure3, study.figure7, study.staleness):
        assert make().entries
    assert study.variants("choices", list(paper.CHOICES)).entries
    study.table1()
    study.figure6()
    assert "Of the gap between natural labels and the consensus: label smoothing 0 %" in study.conclusion()


def test_the_default_s_fewer_runs_make_every_artefact_and_name_what_is_left_out(study):
    brief = paper.Study(Track())
    assert {method for _, method in brief.results} == {
        "regressor",
        "baseline",
        "SCN",
        "LDLVA",
        *paper.COMPONENTS,
    }
    for name in ("neighbours", "table1", "table2", "table3", "table4", "figure3", "figure4", "figure5"):
        assert getattr(brief, name)().entries
    for name in ("figure6", "figure7", "controls", "systematic", "staleness"):
        assert getattr(brief, name)().entries
    assert (
        brief.variants("choices", list(paper.CHOICES)).entries and "Accuracy, natural" in brief.conclusion()
    )
    left_out = {e.artefact for e in brief.ledger.entries if e.verdict.endswith("profile full does more")}
    assert {f"le2023/{name}" for name in ("table2", "table3", "table4", "figure4", "figure7")} <= left_out
    whole = paper.grid(Track(profile="full"))
    released = {condition for condition, method in whole if method == "as released"}
    assert released == {"0 %", "10 %", "20 %", "30 %", "natural"}
    assert set(brief.results) < set(whole) and len(whole["30 %", "LDLVA"]) == 5


def test_a_set_of_one_population_says_so(study, faces, monkeypatch):
    study.results.pop(("populations", "LDLVA"))
    claim, why = study.table2().entries
    assert claim.claim_id == "populations-best" and "AIR, NAL, IPA2LT, LDL-ALSG where" in claim.claim
    assert (why.verdict, why.claim) == ("not attempted here: time", "")
    study.ledger.entries.clear()
    study.faces = replace(study.faces, original=None)
    assert study.table2().entries[1].verdict == "not attempted here: one population labelled this data set"


def test_a_track_without_categories_is_refused(monkeypatch):
    monkeypatch.setattr(Track, "categories", lambda self: None)
    with pytest.raises(ValueError, match="beside valence and arousal; track twin has not both"):
        paper.Study(Track(profile="smoke"))


def test_what_is_kept_for_replay_gives_the_same_tables(study):
    made = ("instances", "table1", "table2", "table3", "table4", "figure3", "figure4")
    made += ("figure5", "figure6", "figure7", "staleness")
    before = [getattr(study, name)().text() for name in made]
    size = sum(a.nbytes for group in study.results.values() for r in group for a in r.arrays.values())
    study.results = {name: paper.for_replay(group) for name, group in study.results.items()}
    kept = sum(a.nbytes for group in study.results.values() for r in group for a in r.arrays.values())
    study.ledger.entries.clear()
    assert [getattr(study, name)().text() for name in made] == before
    assert kept < 0.7 * size
