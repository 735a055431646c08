"""The formulas by which the audit links a paper's numbers, on simulated predictions and hand cases."""

import numpy as np
import pytest

from paperlib import metrics
from paperlib.companion.audit import han2017, toisoul2021
from paperlib.companion.published import Printed


@pytest.fixture(scope="module")
def simulated():
    """Predictions and labels of every kind with a positive correlation: shrunk, stretched, shifted, noisy."""
    rng = np.random.default_rng(0)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    while len(pairs) < 200:
        truth = rng.normal(rng.normal(0, 0.2), rng.uniform(0.15, 0.6), 300)
        noise = rng.normal(rng.normal(0, 0.1), rng.uniform(0.05, 0.5), 300)
        predicted = rng.uniform(0, 1.5) * truth + noise
        if 0.02 < metrics.pcc(predicted, truth) < 0.99:
            pairs.append((predicted, truth))
    return pairs


def scores(predicted, truth, half_unit=0.0, places=16):
    """RMSE, PCC and CCC as a paper would print them."""
    of = (metrics.rmse, metrics.pcc, metrics.ccc)
    return [Printed(round(float(metric(predicted, truth)), places), half_unit) for metric in of]


def test_the_spread_is_both_variances_and_the_squared_bias(simulated):
    for predicted, truth in simulated[:20]:
        expected = predicted.var() + truth.var() + (predicted.mean() - truth.mean()) ** 2
        spread = han2017.spread(metrics.rmse(predicted, truth), metrics.ccc(predicted, truth))
        assert spread == pytest.approx(expected)


def test_the_labels_deviation_lies_within_the_bounds(simulated):
    widths = []
    for predicted, truth in simulated:
        of = scores(predicted, truth, 0.005, 2)
        low, high = toisoul2021.deviation_bounds(*of)
        assert low - 1e-9 <= truth.std() <= high + 1e-9
        assert truth.std() <= toisoul2021.deviation_bounds(*of[:2])[1] + 1e-9
        widths.append(high / low)
    assert np.median(widths) < 4  # not by saying nothing


def test_the_bounds_are_met_without_rounding():
    """A prediction without bias: its labels' deviation is one of the two bounds. One with bias lies between."""
    truth = np.array([-1.0, -1.0, 1.0, 1.0])
    for predicted, where in ((0.5 * truth + [0.2, -0.2, 0.2, -0.2], 1), (3 * truth + [1, -1, 1, -1], 0)):
        assert toisoul2021.deviation_bounds(*scores(predicted, truth))[where] == pytest.approx(1.0)
        low, high = toisoul2021.deviation_bounds(*scores(predicted + 0.5, truth))
        assert low < 1 < high


def test_the_upper_bound_peaks_within_the_rounding_of_ccc():
    """Where CCC may be 2 PCC^2 / (1 + PCC^2) the cap is that of PCC and RMSE alone: 0.3 / sqrt(1 - 0.25)."""
    pcc, rmse = Printed(0.5, 0.0), Printed(0.3, 0.0)
    for ccc in (Printed(0.4, 0.005), None):  # 2 * 0.25 / 1.25
        assert toisoul2021.deviation_bounds(rmse, pcc, ccc)[1] == pytest.approx(0.3 / 0.75**0.5)
    exact = [Printed(x, 0.0) for x in (0.3, 0.64, 0.64)]  # CCC is PCC: half of the spread, 0.09 / 0.36 / 2
    assert toisoul2021.deviation_bounds(*exact) == pytest.approx((0.125**0.5,) * 2)


def test_a_fit_gives_the_deviation_of_its_gold_standard_away(simulated):
    predicted, gold = simulated[0]
    fitted = np.polyval(np.polyfit(predicted, gold, 1), predicted)
    error, concordance = metrics.rmse(fitted, gold), metrics.ccc(fitted, gold)
    assert han2017.gold_of_fit(error, concordance) == pytest.approx(gold.std())
    assert han2017.r_squared(concordance) == pytest.approx(metrics.pcc(fitted, gold) ** 2)


def test_scores_and_the_deviation_bound_the_correlation(simulated):
    for predicted, gold in simulated[:10]:
        centred = predicted - predicted.mean() + gold.mean()
        biased, exact = (
            han2017.least_correlation(metrics.rmse(of, gold), metrics.ccc(of, gold), gold.std())
            for of in (predicted, centred)
        )
        assert biased <= metrics.pcc(predicted, gold) + 1e-12
        assert exact == pytest.approx(metrics.pcc(predicted, gold))


def test_an_input_times_a_constant_multiplies_its_covariance(simulated):
    predicted, gold = simulated[1]
    of = [f(x, gold) for x in (1.7 * predicted - 0.3, predicted) for f in (metrics.rmse, metrics.ccc)]
    assert han2017.covariance_ratio(*of) == pytest.approx(1.7)


def test_the_cap_on_test_is_below_what_each_row_allows():
    # fused single, valence: 0.102^2 / 0.522 = 0.019931; half of it (1 + sqrt(1 - 0.478^2)) is the square of 0.1368
    assert han2017.deviation_cap("E(V)").point == pytest.approx(0.1368, abs=5e-5)
