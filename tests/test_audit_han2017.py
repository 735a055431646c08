"""han2017's printed numbers: worked out apart from the audit."""

import numpy as np
import pytest

from paperlib import metrics
from paperlib.companion.audit import Status, han2017, run_audit
from paperlib.companion.published import read_claims, read_table, read_text, table_numbers

KEY = "han2017"


@pytest.fixture(scope="module")
def frame():
    return run_audit([KEY])


# Typed from the paper, apart from the CSV files: table, row, column, printed.
FROM_THE_PAPER = [
    (1, "audio single", "sigma(V) test", "0.015"),
    (1, "audio multi", "sigma(A) test", "0.246"),
    (1, "video multi", "E(V) dev", "0.588"),
    (1, "audio+video single", "E(A) test", "0.386"),
    (1, "audio+video multi", "sigma(V) dev", "0.235"),
    (2, "audio multi", "E(V) test", "0.155"),
    (2, "video single", "sigma(A) dev", "0.180"),
    (2, "audio+video single", "sigma(V) test", "0.247"),
    (2, "audio+video multi", "E(A) dev", "0.115"),
]


@pytest.mark.parametrize(("number", "row", "column", "printed"), FROM_THE_PAPER)
def test_cells_are_as_printed(number, row, column, printed):
    table = read_table(KEY, number)
    found = table[(table["row"] == row) & (table["column"] == column)]
    assert found["printed"].tolist() == [printed]


def test_whole_rows_sum_as_in_the_paper():
    """Cells, and sums of rows, counted from the paper's text apart from the CSV files."""
    assert {n: len(read_table(KEY, n)) for n in table_numbers(KEY)} == {1: 48, 2: 48}
    for number, row, expected in [
        (1, "audio single", 1.458),
        (1, "audio multi", 2.015),
        (1, "video single", 2.300),
        (1, "video multi", 2.856),
        (1, "audio+video single", 2.631),
        (1, "audio+video multi", 2.917),
        (2, "audio single", 1.329),
        (2, "audio multi", 1.388),
        (2, "video single", 1.237),
        (2, "video multi", 1.287),
        (2, "audio+video single", 1.209),
        (2, "audio+video multi", 1.182),
    ]:
        of = read_table(KEY, number).query("row == @row")
        assert len(of) == 8 and of["value"].sum() == pytest.approx(expected, abs=1e-9), (number, row)


def test_numbers_of_the_text():
    text = read_text(KEY)["printed"]
    frames = ["train-frames", "dev-frames", "test-frames"]
    assert text[frames].tolist() == ["55,072", "22,307", "27,597"]
    settings = ["layers", "cells", "learning-rate", "momentum", "noise", "patience", "epochs", "delay"]
    assert text[settings].tolist() == ["2", "240", "1e-5", "0.90", "0.2", "20", "150", "4"]


def test_claims_are_filled_in():
    claims = read_claims(KEY)
    assert claims["artefact"].str.fullmatch(rf"{KEY}/(table|figure|equation)\d").all()
    assert (claims != "").all(axis=None)


@pytest.mark.parametrize(
    ("check", "words_of_check", "status", "words"),
    [
        ("multi-above", "dev", Status.MATCHES, "11 of 12 better"),
        ("multi-above", "test", Status.MATCHES, "10 of 12 better"),
        ("fisher-frames", "dev", Status.MATCHES, "11 of 12 significantly better; significantly worse: audio+video"),
        ("fisher-frames", "test", Status.MATCHES, "9 of 12 significantly better; not significant: video sigma(A)"),
        # the largest: artanh 0.588 - artanh 0.456 = 0.6745 - 0.4922, times sqrt(11 / 2), is 0.43
        ("fisher-recordings", "dev", Status.NOT_CHECKABLE, "0 of 12 significantly better; p 0.67"),
        ("fisher-recordings", "test", Status.NOT_CHECKABLE, "0 of 12"),
        ("frames-needed", "dev", Status.NOT_CHECKABLE, "558, enough for 1 of 11: video E(V)"),  # 22,307 / 40
        ("both-dimensions", "arousal", Status.OURS, "4 of 6"),
        ("both-dimensions", "valence", Status.OURS, "5 of 6; not: audio+video sigma"),
        ("weights-tried", "", Status.NOT_CHECKABLE, "21 settings"),
        ("never-below", "", Status.MATCHES, "0.051"),  # 0.317 - 0.266
        ("gain-shrinks", "", Status.NOT_CHECKABLE, "0.088 on dev, 0.051 on test; surely smaller on test in 8 of 8"),
        ("dev-then-test", "", Status.MATCHES, "5 of 17: CCC video sigma(A) +0.072 then -0.004; RMSE audio"),
        ("rmse-of-multi", "audio", Status.MATCHES, "higher in 7 of 8; lower: sigma(V) dev -0.001"),
        ("rmse-of-multi", "video", Status.MATCHES, "higher in 6 of 8"),
        # R^2 = 0.505 / 1.495 = 0.33779; 0.119 / sqrt(0.66221) = 0.14623
        ("gold-deviation", "E(A)", Status.MATCHES, "single 0.1462"),
        ("gold-deviation", "sigma(V)", Status.MATCHES, "single 0.1898 (0.1892 to 0.1904); multi 0.189 ("),
        ("fit-lowers-error", "", Status.MATCHES, "16 of 16, least by 0.001"),  # 0.176 - 0.175
        ("fit-correlates", "single", Status.MATCHES, "E(A) R 0.581"),
        # R = sqrt(0.235 / 1.765) = 0.365
        ("fit-rescaled", "", Status.NOT_CHECKABLE, "multi sigma(V) 0.235 to 0.365, video 0.317 to 0.342 or more"),
        ("one-input", "", Status.DIFFERS, "5 of 8"),
        ("dev-possible", "", Status.MATCHES, "16 of 16"),
        ("multi-wider", "", Status.NOT_CHECKABLE, "8 of 8"),
        ("single-rescaled", "", Status.NOT_CHECKABLE, "3 of 8: video E(A) 0.386 to 0.515, multi 0.477"),
        ("surely-correlates", "", Status.NOT_CHECKABLE, "2 of 8"),
        ("scaled-for-ccc", "", Status.OURS, "1 of 16: audio multi E(V)"),
        ("mean-dev", "sigma(A)", Status.NOT_CHECKABLE, "worse: 2 of 6, audio single, audio multi"),
        ("mean-dev", "sigma(V)", Status.NOT_CHECKABLE, "undecided: video multi"),
        ("mean-dev", "E(A)", Status.NOT_CHECKABLE, "worse: 0 of 6"),
        ("mean-test", "E(V)", Status.NOT_CHECKABLE, "surely worse: audio multi 0.155"),
        ("mean-test", "sigma(V)", Status.NOT_CHECKABLE, "surely worse: none"),
        ("sigma-valence-test", "", Status.NOT_CHECKABLE, "0.241 to 0.255"),
        ("z-range", "", Status.IMPOSSIBLE, "0.5 at most"),
        ("fusion-quoted", "arousal", Status.MATCHES, "video single and fusion single"),
        ("fusion-error", "arousal", Status.WITHIN_ROUNDING, "lower by 0 "),
        ("fusion-error", "valence", Status.MATCHES, "0.007"),
        ("best-on-test", "valence", Status.MATCHES, "audio+video multi 0.515, then video multi 0.505"),
        ("sigma-error", "", Status.MATCHES, "in 2 of 4: single A +0.008, E +0.000"),  # 0.166 - 0.158, 0.111 - 0.111
        ("sigma-ccc", "", Status.MATCHES, "in 4 of 4: single A +0.022, E +0.091"),  # 0.193 - 0.171, 0.386 - 0.295
        ("video-ahead", "single", Status.MATCHES, "14 of 16; not: CCC sigma(A) test, RMSE sigma(A) test"),
        ("sigma-below", "", Status.MATCHES, "24 of 24; closest audio multi (A) test, 0.029"),  # 0.275 - 0.246
        ("bold", "table 1", Status.MATCHES, "8 marked"),
        ("bold", "table 2", Status.WITHIN_ROUNDING, "audio single sigma(A) test not marked"),
        ("recordings", "", Status.MATCHES, "64"),
        ("minutes", "", Status.NOT_CHECKABLE, "104,976 frames, 174.96 minutes"),
        ("lengths", "", Status.MATCHES, "train 162 s; dev 159 s; test 172 s"),
        ("landmarks", "", Status.MATCHES, "49, 98"),
        ("features", "", Status.MATCHES, "130"),
        ("six-raters", "", Status.NOT_CHECKABLE, "0.32"),  # c4(6) = 0.9515
    ],
)  # fmt: skip
def test_known_findings(frame, check, words_of_check, status, words):
    of = frame[(frame["id"] == check) & frame["check"].str.contains(words_of_check, regex=False)]
    found = of.iloc[0]
    assert found["status"] == status and words in found["recomputed"]


def test_frames_needed_makes_the_test_just_significant():
    n = han2017.frames_needed(0.295, 0.373)
    z = (np.arctanh(0.373) - np.arctanh(0.295)) / np.sqrt(2 / (n - 3))
    assert z == pytest.approx(1.959964)
    assert n == pytest.approx(998, abs=1)


def test_what_fusion_gains_is_over_the_modality_that_is_better_on_dev():
    """Video, in all of them, from the paper's table 2: arousal and valence of single, then of multi-task networks."""
    found = han2017.fusion_gains(2, "sigma")
    expected = [0.166 - 0.158, 0.245 - 0.247, 0.171 - 0.159, 0.254 - 0.241]
    assert [g.point for g in found.values()] == pytest.approx(expected)
    assert list(found) == ["single A", "single V", "multi A", "multi V"]
    assert han2017.mean(found).point == pytest.approx(np.mean(expected))
    assert han2017.mean(found).high == pytest.approx(np.mean(expected) + 0.001)  # two cells, half a unit each


def test_columns_gained_on_dev_and_lost_on_test():
    """By hand, of video alone: CCC rises in four on dev, 0.171 to 0.167 on test; RMSE falls in both of arousal."""
    ahead, lost = han2017.gained_and_lost(["video"])
    assert [words.partition(" video")[0] for words in ahead] == ["CCC"] * 4 + ["RMSE"] * 2
    assert lost == [
        "CCC video sigma(A) +0.072 then -0.004",
        "RMSE video E(A) -0.004 then +0.001",
        "RMSE video sigma(A) -0.005 then +0.005",
    ]


@pytest.fixture(scope="module")
def series():
    """A gold standard and two predictions of it, each biased and of a scale of its own, on dev and on test."""
    rng = np.random.default_rng(0)

    def part():
        gold = rng.normal(0.2, 0.15, 400)
        return gold, np.stack(
            [0.5 * gold + rng.normal(0.1, 0.1, 400), 1.2 * gold + rng.normal(0, 0.3, 400)], 1
        )

    return part(), part()


def test_a_fit_gives_the_deviation_of_its_gold_standard_away(series):
    gold, inputs = series[0]
    design = np.column_stack([np.ones(len(gold)), inputs])
    fitted = design @ np.linalg.lstsq(design, gold, rcond=None)[0]
    error, concordance = metrics.rmse(fitted, gold), metrics.ccc(fitted, gold)
    assert han2017.gold_of_fit(error, concordance) == pytest.approx(gold.std())
    assert han2017.r_squared(concordance) == pytest.approx(metrics.pcc(fitted, gold) ** 2)
    rescaled = (fitted - gold.mean()) / np.sqrt(han2017.r_squared(concordance)) + gold.mean()
    assert metrics.ccc(rescaled, gold) == pytest.approx(np.sqrt(han2017.r_squared(concordance)))


def test_scores_and_the_deviation_bound_the_correlation(series):
    gold, inputs = series[0]
    for predicted in inputs.T:
        biased = han2017.least_correlation(
            metrics.rmse(predicted, gold), metrics.ccc(predicted, gold), gold.std()
        )
        centred = predicted - predicted.mean() + gold.mean()
        exact = han2017.least_correlation(metrics.rmse(centred, gold), metrics.ccc(centred, gold), gold.std())
        assert biased <= metrics.pcc(predicted, gold) + 1e-12
        assert exact == pytest.approx(metrics.pcc(predicted, gold))


def test_an_input_times_a_constant_multiplies_its_covariance(series):
    for gold, inputs in series:
        predicted = inputs[:, 0]
        fused = 1.7 * predicted - 0.3
        scores = [f(x, gold) for x in (fused, predicted) for f in (metrics.rmse, metrics.ccc)]
        assert han2017.covariance_ratio(*scores) == pytest.approx(1.7)


def test_the_spread_is_both_variances_and_the_squared_bias(series):
    gold, inputs = series[1]
    predicted = inputs[:, 1]
    expected = predicted.var() + gold.var() + (predicted.mean() - gold.mean()) ** 2
    assert han2017.spread(metrics.rmse(predicted, gold), metrics.ccc(predicted, gold)) == pytest.approx(
        expected
    )


def test_the_cap_on_test_is_below_what_each_row_allows():
    # video single, valence: 0.109^2 / 0.598 = 0.019868; fused single: 0.102^2 / 0.522 = 0.019931, and
    # 0.019931 / 2 (1 + sqrt(1 - 0.478^2)) = 0.018719, the square of 0.1368
    assert han2017.deviation_cap("E(V)").point == pytest.approx(0.1368, abs=5e-5)


def test_every_printed_cell_is_in_some_check(frame):
    assert "not-constrained" not in set(frame["id"])
