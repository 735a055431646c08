"""toisoul2021's printed numbers: worked out apart from the audit."""

import re

import numpy as np
import pytest

from paperlib import metrics
from paperlib.companion.audit import Range, Status, run_audit, toisoul2021
from paperlib.companion.audit.toisoul2021 import CLEAN, ORIGINAL, Comparison, Row, as_worded, compare
from paperlib.companion.published import Printed, read_claims, read_table, read_text, table_numbers

KEY = "toisoul2021"


@pytest.fixture(scope="module")
def frame():
    return run_audit([KEY])


# Typed from the paper, apart from the CSV files: table, row, column, printed.
FROM_THE_PAPER = [
    (1, "AffectNet baseline", "Arousal CCC", "0.34"),
    (1, "Face-SSD", "Valence RMSE", "0.44"),
    (1, "VGG-FACE+2M images", "Acc.", "0.60"),
    (1, "Ours (clean set)", "Arousal SAGR", "0.80"),
    (2, "SEWA baseline", "Arousal CCC", "0.20"),
    (2, "Our method", "Valence PCC", "0.66"),
    (3, "AffWild Net", "Valence CCC", "0.52"),
    (3, "VGG-FACE+109k images", "Arousal RMSE", "0.27"),
    (4, "AffectNet Human IA", "Acc.", "0.66"),
    (4, "SEWA Human IA", "Arousal SAGR", "0.62"),
    (5, "ResNet-18 F+R", "Arousal CCC", "0.6"),
    (5, "EmoFAN F+R+C+A+S", "Arousal RMSE", "0.31"),
    (6, "EmoFAN with MSE loss", "Valence CCC", "0.68"),
]


@pytest.mark.parametrize(("number", "row", "column", "printed"), FROM_THE_PAPER)
def test_cells_are_as_printed(number, row, column, printed):
    table = read_table(KEY, number)
    found = table[(table["row"] == row) & (table["column"] == column)]
    assert found["printed"].tolist() == [printed]


def test_whole_columns_sum_as_in_the_paper():
    """Cells, and sums of columns, added from the paper's text apart from the CSV files."""
    assert {n: len(read_table(KEY, n)) for n in table_numbers(KEY)} == {
        1: 52,
        2: 26,
        3: 28,
        4: 34,
        5: 87,
        6: 27,
    }
    for number, column, expected in [
        (1, "Acc.", 2.55),
        (1, "Valence RMSE", 2.19),
        (1, "Arousal CCC", 3.35),
        (2, "Valence PCC", 1.83),
        (2, "Arousal RMSE", 1.11),
        (3, "Valence RMSE", 1.41),
        (3, "Arousal PCC", 2.37),
        (4, "Valence SAGR", 3.0),
        (4, "Arousal CCC", 2.14),
        (5, "Acc.", 4.38),
        (5, "Valence RMSE", 3.53),
        (5, "Arousal SAGR", 7.94),
        (5, "Valence CCC", 7.17),
        (6, "Arousal RMSE", 0.94),
        (6, "Valence CCC", 2.11),
    ]:
        of = read_table(KEY, number).query("column == @column")
        assert of["value"].sum() == pytest.approx(expected, abs=1e-9), (number, column)


def test_the_source_shows_no_bold():
    assert all(read_table(KEY, n)["bold"].isna().all() for n in table_numbers(KEY))


def test_numbers_of_the_text():
    text = read_text(KEY)["printed"]
    percents = [f"percent-{s}-{d}" for s in ("affectnet", "sewa", "afew") for d in ("valence", "arousal")]
    assert text[percents].tolist() == ["17", "20", "38", "56", "33", "18"]
    assert text[["gain-affectnet", "gain-clean-arousal", "human-sewa"]].tolist() == ["0.11", "0.21", "0.38"]
    page = ["release-8-accuracy", "release-8-valence-ccc", "release-5-arousal-sagr"]
    assert text[page].tolist() == ["0.75", "0.82", "0.79"]


def test_claims_are_filled_in():
    claims = read_claims(KEY)
    assert claims["artefact"].str.fullmatch(rf"{KEY}/(table|figure|equation)\d+").all()
    assert (claims != "").all(axis=None)


@pytest.mark.parametrize(
    ("check", "words_of_check", "status", "words"),
    [
        ("ccc-below-pcc", "table 1", Status.MATCHES, "12 of 12"),
        ("ccc-below-pcc", "table 2", Status.MATCHES, "7 of 7 hold, 2 of them as equals"),
        ("ccc-below-pcc", "table 3", Status.MATCHES, "5 of 5 hold"),
        ("ccc-below-pcc", "table 5", Status.MATCHES, "19 of them as equals"),
        ("ccc-sewa-baseline", "", Status.OURS, "-0.02 (-0.03 to -0.01)"),
        ("ccc-affwild-net", "", Status.OURS, "-0.01 (-0.02 to 0)"),
        ("rescaled", "", Status.NOT_CHECKABLE, "0.3069"),  # 0.33 sqrt(1.73 / 2)
        ("one-gold", "original set, valence", Status.MATCHES, "0.438 (EmoFAN F+R) to 0.486 (EmoFAN with MSE loss)"),
        ("one-gold", "original set, arousal", Status.MATCHES, "0.346 (EmoFAN F+R) to 0.389"),
        ("one-gold", "SEWA, valence", Status.MATCHES, "0.325 (Our method) to 0.364 (ResNet-18)"),
        ("one-gold", "SEWA, arousal", Status.MATCHES, "0.352 (Our method) to 0.396 (ResNet-18)"),
        ("one-gold", "AFEW-VA, valence", Status.MATCHES, "to 0.302 (AFEW-VA baseline)"),  # 0.275 / sqrt(1 - 0.415^2)
        ("constant", "original set, arousal", Status.OURS, "larger: AffectNet baseline;"),  # 0.405 above 0.389
        ("constant", "SEWA, valence", Status.OURS, "larger: ResNet-18;"),
        ("constant", "AFEW-VA, arousal", Status.OURS, "larger: VGG-FACE+109k images, ResNet-18;"),
        ("human-spread-affectnet", "valence", Status.OURS, "0.506 to 0.610"),
        ("human-spread-sewa", "valence", Status.OURS, "0.102 to 0.265; the network's labels 0.325 to 0.364; apart"),
        ("same-row", "", Status.MATCHES, "tables 5 and 6 (CCC loss): 0 of 9"),
        ("shake-shake-twice", "", Status.OURS, "Acc. +0.01, Valence RMSE +0.01"),
        ("release", "", Status.MATCHES, "8 classes: 9 of 9 equal; 5 classes: 0 of 9 equal"),
        ("release-five", "", Status.NOT_CHECKABLE, "arousal sagr -0.01"),
        ("quoted-elsewhere", "AffectNet baseline", Status.OURS, "5 of 5"),
        ("quoted-elsewhere", "2M", Status.OURS, "arousal rmse 0.39 here, 0.38 there"),
        ("best-affectnet", "", Status.MATCHES, "9 better"),
        ("margin-affectnet", "", Status.DIFFERS, "0.02: Acc."),  # 0.62 and 0.60
        ("margin-afew", "", Status.DIFFERS, "0.01: Arousal RMSE"),  # 0.22 and 0.23
        ("best-sewa", "", Status.MATCHES, "least by 0.01: Valence RMSE; earlier work prints 6 of 8"),
        ("best-afew", "", Status.MATCHES, "least by 0.01: Arousal RMSE"),
        ("sign-below-half", "", Status.NOT_CHECKABLE, "0.58 less the share of labels of 0"),  # 1 - 0.42
        ("percent-affectnet", "valence", Status.WITHIN_ROUNDING, "17.74"),  # 0.73 / 0.62
        ("percent-affectnet", "arousal", Status.MATCHES, "20.37"),  # 0.65 / 0.54
        ("percent-sewa", "arousal", Status.MATCHES, "56.41"),  # 0.61 / 0.39
        ("percent-afew", "valence", Status.MATCHES, "32.69"),  # 0.69 / 0.52
        ("gain-clean-split", "", Status.NOT_CHECKABLE, "arousal 0.11 on one test set, 0.10 from"),
        ("resnet-share", "", Status.NOT_CHECKABLE, "valence 0.04 of 0.11; arousal 0.06"),
        ("accuracy-chance", "AffectNet baseline", Status.OURS, "of 4,000 z 3.6"),
        ("accuracy-chance", "2M", Status.OURS, "p 0.086"),
        ("step-chance", "valence", Status.OURS, "1 of 10"),
        ("human-cells", "SEWA", Status.OURS, "worse: Valence RMSE -0.08, Arousal RMSE -0.11"),
        ("human-superior", "AffectNet", Status.WITHIN_ROUNDING, "equal: Valence PCC, Valence CCC"),
        ("human-superior", "SEWA", Status.MATCHES, "4 better"),
        ("human-original", "", Status.OURS, "worse: Acc. -0.04, Valence SAGR -0.01, Valence PCC -0.09"),
        ("one-rater", "AffectNet", Status.NOT_CHECKABLE, "arousal 0.755"),  # sqrt(0.57)
        ("one-rater", "SEWA", Status.NOT_CHECKABLE, "valence 0.616"),  # sqrt(0.38)
        ("step-features", "", Status.DIFFERS, "worse: Valence RMSE -0.01"),
        ("step-classes-resnet", "", Status.WITHIN_ROUNDING, "equal: Valence RMSE, Valence SAGR"),
        ("step-classes", "", Status.MATCHES, "8 better"),
        ("step-attention", "", Status.WITHIN_ROUNDING, "4 better, 5 equal"),
        ("step-distillation", "", Status.MATCHES, "3 better, 5 equal, 1 worse"),
        ("step-shake-shake", "", Status.OURS, "2 better, 6 equal, 1 worse"),
        ("step-clean", "", Status.MATCHES, "worse: Arousal SAGR -0.01"),
        ("ladder", "valence", Status.OURS, "ResNet-18 F+R +0.03; EmoFAN F+R +0.01"),
        ("together", "", Status.OURS, "6 of 9"),
        ("removed", "", Status.MATCHES, "at least 0.1733 (0.1611 to"),  # 1 - 0.62 / 0.75
        ("removed-by-rules", "", Status.OURS, "141 of 3999, 3.5%"),
        ("clean-spread", "", Status.NOT_CHECKABLE, "0.7915"),  # 1 - 0.27 (0.29 / 0.33)^2
        ("shake-shake-rmse", "", Status.MATCHES, "2 better"),
        ("shake-shake-sagr", "", Status.WITHIN_ROUNDING, "equal: Valence SAGR"),
        ("overall-loss", "MSE", Status.MATCHES, "worse: Arousal RMSE -0.01, Arousal SAGR -0.01"),
        ("loss-terms", "", Status.NOT_CHECKABLE, "MSE 0.199 as a sum"),  # 0.33^2 + 0.30^2
        ("extra-number", "", Status.DIFFERS, "2,500,000 in words"),
        ("extra-afew", "", Status.MATCHES, "108,864"),
    ],
)  # fmt: skip
def test_known_findings(frame, check, words_of_check, status, words):
    of = frame[(frame["id"] == check) & frame["check"].str.contains(words_of_check, regex=False)]
    found = of.iloc[0]
    assert found["status"] == status and words in found["recomputed"]


def rounded(value):
    return Printed(round(float(value), 2), 0.005)


@pytest.fixture(scope="module")
def simulated():
    """Labels and predictions of every kind with a positive correlation: shrunk, stretched, shifted, noisy."""
    rng = np.random.default_rng(0)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    while len(pairs) < 400:
        truth = rng.normal(rng.normal(0, 0.2), rng.uniform(0.15, 0.6), 300)
        noise = rng.normal(rng.normal(0, 0.1), rng.uniform(0.05, 0.5), 300)
        predicted = rng.uniform(0, 1.5) * truth + noise
        if 0.02 < metrics.pcc(predicted, truth) < 0.99:
            pairs.append((predicted, truth))
    return pairs


def test_squared_error_is_the_spread_times_one_less_the_concordance(simulated):
    for predicted, truth in simulated[:20]:
        spread = predicted.var() + truth.var() + (predicted.mean() - truth.mean()) ** 2
        assert metrics.mse(predicted, truth) == pytest.approx(spread * (1 - metrics.ccc(predicted, truth)))


def test_the_labels_deviation_lies_within_the_bounds(simulated):
    widths = []
    for predicted, truth in simulated:
        of = [rounded(metric(predicted, truth)) for metric in (metrics.rmse, metrics.pcc, metrics.ccc)]
        low, high = toisoul2021.deviation_bounds(*of)
        assert low - 1e-9 <= truth.std() <= high + 1e-9
        assert truth.std() <= toisoul2021.deviation_bounds(*of[:2])[1] + 1e-9
        widths.append(high / low)
    assert np.median(widths) < 4  # not by saying nothing


def test_the_bounds_are_met_without_rounding():
    """A prediction without bias: its labels' deviation is one of the two bounds. One with bias lies between."""
    truth = np.array([-1.0, -1.0, 1.0, 1.0])
    for predicted, where in ((0.5 * truth + [0.2, -0.2, 0.2, -0.2], 1), (3 * truth + [1, -1, 1, -1], 0)):
        of = [Printed(float(m(predicted, truth)), 0.0) for m in (metrics.rmse, metrics.pcc, metrics.ccc)]
        bounds = toisoul2021.deviation_bounds(*of)
        assert bounds[where] == pytest.approx(1.0)
        of = [
            Printed(float(m(predicted + 0.5, truth)), 0.0) for m in (metrics.rmse, metrics.pcc, metrics.ccc)
        ]
        low, high = toisoul2021.deviation_bounds(*of)
        assert low < 1 < high


def test_the_upper_bound_peaks_within_the_rounding_of_ccc():
    """Where CCC may be 2 PCC^2 / (1 + PCC^2) the cap is that of PCC and RMSE alone."""
    pcc, rmse = Printed(0.5, 0.0), Printed(0.3, 0.0)
    with_ccc = toisoul2021.deviation_bounds(rmse, pcc, Printed(0.4, 0.005))  # 2 * 0.25 / 1.25
    assert (
        with_ccc[1]
        == pytest.approx(toisoul2021.deviation_bounds(rmse, pcc)[1])
        == pytest.approx(0.3 / 0.75**0.5)
    )


def test_equal_ccc_and_pcc_leave_half_of_the_spread():
    exact = [Printed(x, 0.0) for x in (0.3, 0.64, 0.64)]  # 0.09 / 0.36 / 2 = 0.125
    assert toisoul2021.deviation_bounds(*exact) == pytest.approx((0.125**0.5,) * 2)


def test_against_a_constant():
    """ResNet-18's 0.43 on AFEW-VA, where labels deviate by 0.3 at most, and EmoFAN's 0.23, where by 0.248 or more."""
    low, high, *_ = toisoul2021.label_deviation("AFEW-VA", "valence")
    worse = toisoul2021.constant_ratio(Row(3, "ResNet-18"), "valence", low, high)
    assert worse[0] == pytest.approx(0.425 / high) and worse[0] > 1.4
    assert toisoul2021.constant_ratio(Row(3, "Ours"), "valence", low, high)[1] < 1


def test_better_means_less_error_and_more_of_the_rest():
    changes = compare(ORIGINAL, CLEAN).changes
    assert changes["Valence RMSE"].point == pytest.approx(0.04)
    assert changes["Arousal SAGR"].point == pytest.approx(-0.01)
    assert len(changes) == 9


def test_a_consensus_of_so_many_raters_is_just_predictable():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=200_000)
    ratings = truth + rng.normal(0, 1.0, (4, truth.size))  # two raters correlate by 1 / 2
    ceiling = np.corrcoef(truth, ratings.mean(axis=0))[0, 1]
    assert toisoul2021.consensus_raters(ceiling, 0.5) == pytest.approx(4, rel=0.03)


def test_averages_over_recordings_break_the_order_by_a_negative_correlation():
    """As SEWA's baseline has it: CCC pulls the recording that went wrong towards 0."""
    truth = np.array([-1.0, -0.5, 0.5, 1.0])
    recordings = [0.9 * truth, -0.1 * truth]
    pcc, ccc = (
        [metric(predicted, truth) for predicted in recordings] for metric in (metrics.pcc, metrics.ccc)
    )
    assert pcc == pytest.approx([1, -1]) and ccc == pytest.approx([1.8 / 1.81, -0.2 / 1.01])
    assert np.mean(ccc) > np.mean(pcc)


def test_every_printed_cell_is_in_some_check(frame):
    assert "not-constrained" not in set(frame["id"])


@pytest.mark.parametrize(
    ("words", "points", "status"),
    [
        ("", (-0.1, -0.1), Status.OURS),
        ("an improvement", (0.1, 0.1, -0.1), Status.MATCHES),
        ("an improvement", (0.1, 0.0, -0.1), Status.DIFFERS),
        ("a large improvement", (0.1, 0.1, -0.1), Status.MATCHES),
        ("a large improvement", (0.1, 0.1, 0.0, -0.1), Status.DIFFERS),
        ("all metrics", (0.1, 0.1, 0.1), Status.MATCHES),
        ("all metrics", (0.1, 0.1, -0.1), Status.DIFFERS),
    ],
)
def test_a_step_is_held_to_the_papers_words_alone(words, points, status):
    change = Comparison({str(i): Range(x, x, x) for i, x in enumerate(points)})
    assert as_worded(words, change) is status


def test_one_contradiction_is_counted_once(frame):
    """Quoted cells, other papers' numbers and rivals' rows contradict no claim of this one."""
    differs = frame[frame["status"] == Status.DIFFERS]
    assert differs["id"].tolist() == [
        *("margin-affectnet", "margin-afew"),
        *("step-features", "landmarks-all", "no-exclusions", "extra-number"),
    ]
    assert Status.IMPOSSIBLE not in set(frame["status"])


def test_a_margin_is_not_claimed_of_sewa(frame):
    """Its sentence says ahead, and no more."""
    of = frame.loc[frame["id"].str.startswith(("best-", "margin-")), "id"]
    assert sorted(of) == ["best-afew", "best-affectnet", "best-sewa", "margin-afew", "margin-affectnet"]


def test_flipped_signs_agree_where_the_labels_are_not_zero():
    label = np.array([0.0, 0.0, 1.0, 1.0, -1.0])
    predicted = np.array([0.3, -0.2, 0.5, -0.1, -0.4])
    agree, flipped = metrics.sagr(predicted, label), metrics.sagr(-predicted, label)
    assert flipped == pytest.approx(1 - agree - 2 / 5)


def test_what_is_called_printed_is_the_papers(frame):
    """Its numbers, its words in quotation marks, or where they stand."""
    outside = frame["printed"].str.replace("“.*?”", "", regex=True)
    words = {word for printed in outside for word in re.findall("[A-Za-z]+", printed)}
    known = "CCC PCC RMSE accuracy and cells e equation equations not of row rows said tables"
    assert words <= set(known.split())
