"""neo2023's printed numbers: worked out apart from the audit."""

import re

import numpy as np
import pytest

from paperlib import metrics
from paperlib.companion.audit import Status, neo2023, run_audit
from paperlib.companion.published import Printed, read_claims, read_table, read_text, table_numbers

KEY = "neo2023"


@pytest.fixture(scope="module")
def frame():
    return run_audit([KEY])


# Typed from the paper, apart from the CSV files: table, row, column, printed.
FROM_THE_PAPER = [
    (1, "SCN", "Accuracy", "60.23"),
    (1, "Weighted Cluster", "F1", "60.49"),
    (2, "CAAE", "Valence", "0.45"),
    (2, "Wide Ensemble", "Arousal", "0.33"),
    (3, "AffectNet 20 %", "One-hot", "0.5193"),
    (3, "Aff-Wild 10 %", "Fusion (GMM)", "0.2174"),
    (3, "MorphSet 30 %", "Fusion (Euclidean)", "0.8224"),
    (4, "AffectNet alpha 0.7", "RMSE A", "0.296"),
    (4, "MorphSet alpha 0.3", "F1", "0.9503"),
]


@pytest.mark.parametrize(("number", "row", "column", "printed"), FROM_THE_PAPER)
def test_cells_are_as_printed(number, row, column, printed):
    table = read_table(KEY, number)
    found = table[(table["row"] == row) & (table["column"] == column)]
    assert found["printed"].iloc[0] == printed


def test_whole_columns_sum_as_in_the_paper():
    """Cells, and sums of columns, counted from the paper's text apart from the CSV files."""
    assert {n: len(read_table(KEY, n)) for n in table_numbers(KEY)} == {1: 13, 2: 20, 3: 36, 4: 40}
    for number, column, quantity, expected in [
        (1, "Accuracy", "accuracy", 539.69),
        (1, "F1", "f1", 239.42),
        (2, "Valence", "rmse", 2.30),
        (2, "Arousal", "ccc", 1.84),
        (3, "One-hot", "f1", 6.5174),
        (3, "Fusion (Euclidean)", "f1", 6.7141),
        (3, "Fusion (GMM)", "f1", 6.8131),
        (4, "RMSE V", "rmse", 1.688 + 0.32),
        (4, "RMSE A", "rmse", 1.499 + 0.354),
        (4, "Accuracy", "accuracy", 2.9612 + 4.7439),
        (4, "F1", "f1", 2.9542 + 4.7456),
    ]:
        of = read_table(KEY, number).query("column == @column and quantity == @quantity")
        assert of["value"].sum() == pytest.approx(expected, abs=1e-9), (number, column, quantity)


def test_numbers_of_the_text():
    text = read_text(KEY)["printed"]
    gains = ["gain-clean", "gain-affectnet", "gain-affwild", "gain-morphset"]
    assert text[gains].tolist() == ["0.49", "14.9", "0.46", "5.06"]
    settings = ["batch", "learning-rate", "decay", "decay-every", "epochs", "alpha"]
    assert text[settings].tolist() == ["256", "2.5e-4", "0.5", "30", "50", "0.5"]


def test_claims_are_filled_in():
    claims = read_claims(KEY)
    assert claims["artefact"].str.fullmatch(rf"{KEY}/((table|figure|equation)\d+|calibration)").all()
    assert (claims != "").all(axis=None)


@pytest.mark.parametrize(
    ("check", "words_of_check", "status", "words"),
    [
        ("best-categories", "Accuracy", Status.MATCHES, "Weighted Cluster by 1.23"),  # 61.93 - 60.70
        ("lead-chance", "4,000", Status.OURS, "z 1.13, p 0.26"),
        ("accuracy-is-f1", "", Status.NOT_CHECKABLE, "5 of 5 rows, by 0.02 to 0.72 points; MorphSet in 4 of 5"),
        ("ours-elsewhere", "", Status.OURS, "60.48 (-1.45), -0.22"),
        ("best-affect", "RMSE of arousal", Status.WITHIN_ROUNDING, "Wide Ensemble"),
        ("table-2-and-4", "valence", Status.OURS, "0.333"),
        ("table-2-and-4", "arousal", Status.OURS, "0.302"),
        ("figure-5-and-2", "", Status.DIFFERS, "0.34; 0.33"),
        ("figure-5-and-4", "arousal", Status.MATCHES, "0.302"),
        ("weights-gain", "valence", Status.MATCHES, "lower by 0.097; without weights 4 of 5"),
        ("robust", "MorphSet: Fusion (Euclidean)", Status.DIFFERS, "10 % -2.90; 20 % -1.95; 30 % -1.53"),
        ("robust", "AffectNet: Fusion (GMM)", Status.MATCHES, "0 % -0.72"),
        ("clean-gain", "", Status.MATCHES, "0.49"),
        ("clean-everywhere", "", Status.DIFFERS, "MorphSet Fusion (GMM) -0.77"),
        ("gain-30", "AffectNet", Status.MATCHES, "14.86"),  # 58.22 - 43.36
        ("gains-grow", "Aff-Wild", Status.DIFFERS, "+0.98; +1.92; +1.38; +0.46"),
        ("one-hot-falls", "Aff-Wild", Status.OURS, "lower at 1 of 3 steps; 0.06 points"),
        ("one-hot-twice", "AffectNet", Status.DIFFERS, "-1.74"),  # 58.43 - 60.17
        ("one-hot-twice", "MorphSet", Status.DIFFERS, "+5.12"),  # 95.11 - 89.99
        ("morphset-twice", "", Status.OURS, "+6.39"),  # 95.61 - 89.22
        ("fusion-twice", "", Status.MATCHES, "0"),
        ("beyond-run", "AffectNet", Status.NOT_CHECKABLE, "4 of 8"),
        ("beyond-run", "MorphSet", Status.NOT_CHECKABLE, "0 of 8"),
        ("alpha-best", "AffectNet: is alpha 0.5 ahead of all others in regression", Status.DIFFERS, "at 0.7 0.296"),
        ("alpha-best", "MorphSet: is alpha 0.5 ahead of all others in regression", Status.MATCHES, "0.063"),
        ("dimensional-alone", "AffectNet, F1", Status.DIFFERS, "2 ("),  # 58.43 - 56.43
        ("alpha-gain", "MorphSet, Accuracy", Status.DIFFERS, "0.46"),
        ("morphset-error", "RMSE A", Status.MATCHES, "0.016"),
        ("cells-ahead", "", Status.OURS, "18 of 24 ahead: 0 % 3 of 6; 10 % 5 of 6"),
        ("variants-grow", "", Status.OURS, "4 of 6: AffectNet Fusion (Euclidean), AffectNet Fusion (GMM), Aff-Wild"),
        ("best-with-noise", "", Status.OURS, "(Euclidean) at 10 %, 20 %; MorphSet Fusion (GMM) at 10 %"),
        ("gain-twice", "AffectNet", Status.OURS, "(Euclidean) +0.49; table 3 Fusion (GMM) -0.72; table 4 +2.23"),
        ("gain-twice", "MorphSet", Status.OURS, "(GMM) -0.77; table 4 +0.50"),  # 95.61 - 95.11
        ("alpha-chance", "AffectNet", Status.OURS, "over 0.7 0.8 pictures"),  # 0.0002 x 4,000
        ("alpha-chance", "MorphSet", Status.OURS, "0.46 of 0.46"),
        ("lead-chance", "4,000", Status.OURS, "fewer than 630"),
        ("granularity-near", "", Status.NOT_CHECKABLE, "3,993; 3,998, of 201"),
        ("posterior-index", "", Status.DIFFERS, "[0.3 0.7] as printed, the priors; [0.47 0.53]"),
        ("maximum-cancels", "", Status.OURS, "e-1"),
        # Squared distances 0.05 and 0.1: 2 to 1, and the root of 2 to 1.
        ("distance-squared", "", Status.OURS, "[0.67 0.33] with the printed square, [0.59 0.41] without"),
        ("open-flips", "", Status.NOT_CHECKABLE, "30% drawn, 22.7% wrong"),  # 7 / 8 of 1 - exp(-0.3)
    ],
)  # fmt: skip
def test_known_findings(frame, check, words_of_check, status, words):
    of = frame[(frame["id"] == check) & frame["check"].str.contains(words_of_check, regex=False)]
    found = of.iloc[0]
    assert found["status"] == status and words in found["recomputed"]


@pytest.mark.parametrize(
    ("printed", "n", "possible"),
    [
        (0.6048, 4000, [2419]),  # 0.60475
        (0.6046, 4000, []),  # between 2418, 0.6045, and 2419
        (0.5845, 4000, [2338]),
        (0.5715, 3999, []),  # 2285 / 3999 = 0.57139, 2286 / 3999 = 0.57164
    ],
)
def test_whole_numbers_of_pictures(printed, n, possible):
    assert neo2023.hits(Printed(printed, 0.00005), n) == possible


def test_accuracies_that_are_no_whole_numbers_of_the_printed_number(frame):
    stated, reported = frame[frame["id"] == "granularity"].itertuples()
    assert stated.status == reported.status == Status.NOT_CHECKABLE  # table 4 does not say on which pictures
    assert (
        stated.recomputed == "5 of 6 fit, 3 of them only by a tie in rounding; not: table 4, alpha 0.7 0.6046"
    )
    assert reported.recomputed.startswith("0 of 6")


def test_rmse_and_ccc_bound_the_spread_of_the_truth():
    """Predictions made to have a known error: the bound holds whatever they are."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        truth = rng.normal(0, rng.uniform(0.2, 0.6), 500)
        predicted = rng.uniform(0, 1.2) * truth + rng.normal(rng.normal(0, 0.2), rng.uniform(0.05, 0.5), 500)
        error, concordance = metrics.rmse(predicted, truth), metrics.ccc(predicted, truth)
        total = error**2 / (1 - concordance)
        half = np.sqrt(1 - concordance**2)
        low, high = (np.sqrt(total / 2 * (1 + side * half)) for side in (-1, 1))
        assert low - 1e-9 <= truth.std() <= high + 1e-9
    low, high = neo2023.gold_deviation("valence")
    # ours: 0.34^2 / (1 - 0.66) = 0.34, so the variance is at most 0.17 (1 + sqrt(1 - 0.66^2)) = 0.298
    assert 0.19 < low < high < 0.58


def test_every_printed_cell_is_in_some_check(frame):
    assert "not-constrained" not in set(frame["id"])


def test_one_contradiction_is_counted_once(frame):
    """Of those between table 3 and 4 one-hot F1's stays, of those between table 2, 4 and figure 5 the text's own."""
    differs = frame[frame["status"] == Status.DIFFERS]
    assert differs["id"].tolist() == [
        "figure-5-and-2", "robust", "clean-everywhere", "gains-grow", "one-hot-twice", "one-hot-twice",
        "alpha-best", "dimensional-alone", "alpha-gain", "posterior-index",
    ]  # fmt: skip
    assert Status.IMPOSSIBLE not in set(frame["status"])


def test_what_is_called_printed_is_the_papers(frame):
    """Its numbers, its words in quotation marks, or where they stand."""
    outside = frame["printed"].str.replace("“.*?”", "", regex=True)
    words = {word for printed in outside for word in re.findall("[A-Za-z]+", printed)}
    assert words <= set("CCC F RMSE and equation not of rows said scores to".split())
