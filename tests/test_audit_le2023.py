"""le2023's printed numbers: worked out apart from the audit."""

import pytest

from paperlib.audit import Status, le2023, run_audit
from paperlib.published import Printed


@pytest.fixture(scope="module")
def frame():
    return run_audit(["le2023"])


@pytest.mark.parametrize(
    ("check", "status", "words"),
    [
        ("average-margin", Status.MATCHES, "5.127"),  # (4.23 + 5.52 + 5.63) / 3
        ("lost-digit", Status.WITHIN_ROUNDING, "50.31"),  # 3 x 9.81 - 7.35 - 10.28 + 38.51
        ("best-everywhere", Status.MATCHES, "27 of 27"),
        ("beyond-chance", Status.DIFFERS, "8 of 9 below 0.05"),
        ("margin-populations", Status.MATCHES, "3.12"),
        ("quoted-rivals", Status.NOT_CHECKABLE, "87.06 (table 4), SCN as quoted 87.03"),
        ("same-runs", Status.MATCHES, "90.51 and 90.51"),
        ("hours", Status.MATCHES, "1.67 times the hours for 1.89"),
        ("factor-range", Status.DIFFERS, "gradient +0.555"),  # 0.4 log(0.8 / 0.2)
        ("factor-gradient", Status.DIFFERS, "+0.055"),
        ("centres-at-zero", Status.DIFFERS, "0"),
        ("scores-level", Status.NOT_CHECKABLE, "(0.70, 0.30); a thousandth of them: (0.70, 0.30)"),
    ],
)
def test_known_findings(frame, check, status, words):
    found = frame[frame["id"] == check].iloc[0]
    assert found["status"] == status and words in found["recomputed"]


def test_the_lead_grows_over_the_baseline_everywhere_and_over_rivals_but_for_affectnet(frame):
    grows = frame[frame["id"] == "growing-margin"]
    assert grows["status"].tolist() == ["matches"] * 3 + ["does not match"] + ["matches"] * 2
    assert "1.48 to 2.15 to 1.80" in grows.iloc[3]["recomputed"]


@pytest.mark.parametrize(
    ("printed", "n", "runs", "possible"),
    [
        (58.62, 406, 1, True),  # 238 / 406
        (58.70, 406, 1, False),  # between 238 and 239
        (58.70, 406, 3, True),  # 715 / 1218
        (47.82, 406, 3, False),  # 582 / 1218 = 47.78, 583 / 1218 = 47.87
        (45.98, 406, 3, True),  # 560 / 1218
    ],
)
def test_means_of_whole_numbers_of_pictures(printed, n, runs, possible):
    assert le2023.reachable(Printed(printed, 0.005), n, runs) is possible


def test_seven_of_the_twelve_means_on_sfew_are_impossible(frame):
    sfew = frame[(frame["id"] == "granularity") & frame["check"].str.startswith("SFEW")].iloc[0]
    assert sfew["status"] == Status.IMPOSSIBLE
    assert sfew["recomputed"].startswith("7 of 12 impossible: 10% RUL 47.82")


def test_every_printed_cell_is_in_some_check(frame):
    assert "not-constrained" not in set(frame["id"])
