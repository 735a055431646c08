import numpy as np
import pytest
import torch
import torchmetrics.functional as tm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.metrics import f1_score

from paperlib import metrics
from paperlib.metrics import (
    accuracy,
    ccc,
    coverage_curve,
    coverage_error,
    gaussian_nll,
    interval_coverage,
    macro_f1,
    mse,
    pcc,
    rmse,
    sagr,
)


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, size=(200, 2))
    return 0.6 * target + rng.normal(0.1, 0.3, size=(200, 2)), target


# Hand cases and other libraries


def test_errors_by_hand():
    assert mse([0.0, 0.5], [1.0, 0.0]) == pytest.approx(0.625)
    assert rmse([0.0, 0.5], [1.0, 0.0]) == pytest.approx(0.625**0.5)


def test_concordance_divides_by_n_where_torchmetrics_divides_by_n_minus_1():
    predicted, target = [0.0, 1.0], [0.0, 2.0]
    assert ccc(predicted, target) == pytest.approx(2 * 0.5 / (0.25 + 1 + 0.25))
    other = tm.concordance_corrcoef(torch.tensor(predicted), torch.tensor(target))
    assert other.item() == pytest.approx(2 * 1 / (0.5 + 2 + 0.25))


def test_torchmetrics_agrees_where_the_definitions_do(pair):
    predicted, target = map(torch.from_numpy, pair)
    columns = [(predicted[:, i], target[:, i]) for i in range(2)]
    assert_allclose(mse(predicted, target), [tm.mean_squared_error(*c) for c in columns], rtol=1e-12)
    assert_allclose(pcc(predicted, target), [tm.pearson_corrcoef(*c) for c in columns], rtol=1e-9)


def test_zero_is_a_sign_of_its_own():
    assert sagr([0.0, 0.0, -0.0, 0.2, -0.1], [0.0, 0.5, 0.0, 0.1, -0.9]) == pytest.approx(4 / 5)
    assert sagr([0.0, 0.0], [1.0, -1.0]) == 0


def test_macro_f1_and_accuracy_by_hand():
    predicted, target = [0, 0, 1, 3], [0, 1, 1, 1]
    assert accuracy(predicted, target) == 0.5
    # class 0: 2/3, class 1: 2 * 1 * (1/3) / (4/3) = 1/2, class 3 never true: 0, class 2: nowhere
    assert macro_f1(predicted, target) == pytest.approx((2 / 3 + 1 / 2 + 0) / 3)


def test_macro_f1_agrees_with_torchmetrics_when_every_class_occurs():
    rng = np.random.default_rng(3)
    predicted, target = rng.integers(0, 8, size=(2, 500))
    other = tm.f1_score(
        torch.tensor(predicted), torch.tensor(target), task="multiclass", num_classes=8, average="macro"
    )
    assert macro_f1(predicted, target) == pytest.approx(other.item(), abs=1e-6)
    assert macro_f1(predicted, target) == f1_score(target, predicted, average="macro")
    assert accuracy(predicted, target) == (predicted == target).mean()


# Inputs


@pytest.mark.parametrize("metric", [mse, rmse, sagr, pcc, ccc])
def test_columns_are_scored_apart_and_tensors_like_arrays(metric, pair):
    predicted, target = pair
    expected = [metric(predicted[:, i], target[:, i]) for i in range(2)]
    assert all(np.ndim(value) == 0 for value in expected)
    assert_allclose(metric(predicted, target), expected, rtol=1e-12)
    tensor = torch.tensor(predicted, requires_grad=True)
    assert_allclose(metric(tensor, torch.tensor(target)), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", [mse, rmse, sagr, pcc, ccc])
@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([[0.1, 0.2], [0.1, np.nan]], [[0.1, 0.2], [0.3, 0.4]], "predicted, column 1: 1 of 2 rows"),
        ([0.1, 0.2], [np.inf, 0.2], "target, column 0: 1 of 2 rows"),
        ([0.1, 0.2], [0.1, 0.2, 0.3], "one shape"),
        ([[0.1], [0.2]], [0.1, 0.2], "one shape"),
        ([], [], "at least one row"),
        (0.5, 0.5, "at least one row"),
    ],
)
def test_bad_input_is_named(metric, predicted, target, message):
    with pytest.raises(ValueError, match=message):
        metric(predicted, target)


@pytest.mark.parametrize("metric", [accuracy, macro_f1])
@pytest.mark.parametrize("labels", [[0, -1, 2], [0.5, 1, 2], [[0], [1], [2]]])
def test_what_is_no_class_is_refused(metric, labels):
    with pytest.raises(ValueError, match="class indices from 0"):
        metric(labels, labels)


# Where nothing is defined


def test_constant_side():
    varied, constant = [0.1, 0.2, 0.4], [0.3, 0.3, 0.3]
    with pytest.warns(RuntimeWarning, match=r"pcc is undefined in column \[0\]"):
        assert np.isnan(pcc(constant, varied))
    assert ccc(constant, varied) == 0
    assert ccc(varied, constant) == 0
    with pytest.warns(RuntimeWarning, match="both sides are constant"):
        assert np.isnan(ccc(constant, constant))


def test_two_constants_are_undefined_in_float32_too():
    # 0.3 in float32 has a standard deviation above zero by rounding: torchmetrics 1.9 calls this PCC 1 or -1.
    constant = torch.full((7,), 0.3)
    with pytest.warns(RuntimeWarning, match="pcc"):
        assert np.isnan(pcc(constant, constant))


# Calibration


def test_nll_is_that_of_scipy_and_torch(pair):
    mean, target = pair
    variance = np.random.default_rng(4).uniform(0.01, 0.5, size=mean.shape)
    expected = -stats.norm.logpdf(target, mean, np.sqrt(variance)).mean(axis=0)
    assert_allclose(gaussian_nll(mean, variance, target), expected, rtol=1e-12)
    loss = torch.nn.GaussianNLLLoss(full=True)(*(torch.from_numpy(x) for x in (mean, target, variance)))
    assert gaussian_nll(mean, variance, target).mean() == pytest.approx(loss.item(), rel=1e-12)


def test_coverage_counts_the_targets_between_scipys_bounds(pair):
    mean, target = pair
    variance = np.random.default_rng(5).uniform(0.01, 0.5, size=mean.shape)
    for level in (0.1, 0.5, 0.95):
        low, high = stats.norm.interval(level, mean, np.sqrt(variance))
        expected = ((low <= target) & (target <= high)).mean(axis=0)
        assert_allclose(interval_coverage(mean, variance, target, level), expected)
        assert_allclose(coverage_curve(mean, variance, target, [0.0, level, 1.0])[1], expected)


def test_a_calibrated_prediction_lies_on_the_diagonal_and_a_bold_one_below():
    rng = np.random.default_rng(6)
    sd = rng.uniform(0.1, 1, size=(40_000, 2))
    target = rng.normal(0, sd)
    levels = np.array([0.2, 0.5, 0.8, 0.95])
    curve = coverage_curve(np.zeros_like(sd), sd**2, target, levels)
    assert_allclose(curve, np.tile(levels[:, None], 2), atol=0.01)
    assert np.all(coverage_error(np.zeros_like(sd), sd**2, target) < 0.01)
    half = interval_coverage(np.zeros_like(sd), sd**2 / 4, target, 0.95)
    assert_allclose(half, 2 * stats.norm.cdf(1.959964 / 2) - 1, atol=0.01)


def test_impossible_predictions_are_refused():
    with pytest.raises(ValueError, match="variance must be positive; 1 of 2"):
        gaussian_nll([0.0, 0.0], [1.0, 0.0], [0.0, 0.0])
    with pytest.raises(ValueError, match=r"levels must be a list of numbers in \[0, 1\]"):
        coverage_curve([0.0], [1.0], [0.0], [95])


# Sums of groups


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_sums_of_groups_give_ccc_and_rmse_of_their_rows(seed, groups):
    rng = np.random.default_rng(seed)
    y = rng.normal(0.2, 0.3, 60)
    x = 0.5 * y + rng.normal(0, 0.2, 60)
    names = rng.integers(groups, size=60)
    sums = metrics.agreement_sums(x, y, names)
    assert_allclose(metrics.ccc_from_sums(sums.sum(axis=0)), ccc(x, y), rtol=1e-9)
    assert_allclose(metrics.rmse_from_sums(sums.sum(axis=0)), rmse(x, y), rtol=1e-9)
    for row, name in zip(sums, np.unique(names), strict=True):
        chosen = names == name
        assert row[0] == chosen.sum()
        if row[0] > 2:
            assert_allclose(metrics.ccc_from_sums(row), ccc(x[chosen], y[chosen]), rtol=1e-6)
            assert_allclose(metrics.rmse_from_sums(row), rmse(x[chosen], y[chosen]), rtol=1e-9)


def test_sums_refuse_what_ccc_refuses():
    with pytest.raises(ValueError, match="target, column 0: 1 of 2 rows are NaN"):
        metrics.agreement_sums([0.0, 1.0], [0.0, np.nan], [0, 0])


@pytest.mark.parametrize("n", [3, 7, 11, 100])
@pytest.mark.parametrize("value", [0.1, 0.3, 0.7])
def test_sums_of_two_constant_sides_give_no_concordance_whatever_rounding_leaves(n, value):
    sums = metrics.agreement_sums(np.full(n, value), np.full(n, value), np.zeros(n))
    assert metrics.ccc_from_sums(sums) == 0
