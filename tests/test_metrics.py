import numpy as np
import pytest
import torch
import torchmetrics.functional as tm
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from paperlib.metrics import ccc, ccc_from_sums, mse, pcc, rmse, rmse_from_sums, sagr


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    target = rng.uniform(-1, 1, size=(200, 2))
    return 0.6 * target + rng.normal(0.1, 0.3, size=(200, 2)), target


def test_concordance_divides_by_n_where_torchmetrics_divides_by_n_minus_1():
    predicted, target = [0.0, 1.0], [0.0, 2.0]
    assert ccc(predicted, target) == pytest.approx(2 * 0.5 / (0.25 + 1 + 0.25))
    other = tm.concordance_corrcoef(torch.tensor(predicted), torch.tensor(target))
    assert other.item() == pytest.approx(2 * 1 / (0.5 + 2 + 0.25))


def test_torchmetrics_agrees_where_the_definitions_do(pair):
    predicted, target = map(torch.from_numpy, pair)
    columns = [(predicted[:, i], target[:, i]) for i in range(2)]
    assert_allclose(mse(predicted, target), [tm.mean_squared_error(*c) for c in columns], rtol=1e-12)
    assert_allclose(rmse(predicted, target) ** 2, mse(predicted, target))
    assert_allclose(pcc(predicted, target), [tm.pearson_corrcoef(*c) for c in columns], rtol=1e-9)


def test_zero_is_a_sign_of_its_own():
    assert sagr([0.0, 0.0, -0.0, 0.2, -0.1], [0.0, 0.5, 0.0, 0.1, -0.9]) == pytest.approx(4 / 5)
    assert sagr([0.0, 0.0], [1.0, -1.0]) == 0


@pytest.mark.parametrize("metric", [mse, rmse, sagr, pcc, ccc])
def test_columns_are_scored_apart_and_tensors_like_arrays(metric, pair):
    predicted, target = pair
    expected = [metric(predicted[:, i], target[:, i]) for i in range(2)]
    assert all(np.ndim(value) == 0 for value in expected)
    assert_allclose(metric(predicted, target), expected, rtol=1e-12)
    tensor = torch.tensor(predicted, requires_grad=True)
    assert_allclose(metric(tensor, torch.tensor(target)), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("predicted", "target", "message"),
    [
        ([[0.1, 0.2], [0.1, np.nan]], [[0.1, 0.2], [0.3, 0.4]], "predicted, column 1: 1 of 2 rows"),
        ([0.1, 0.2], [np.inf, 0.2], "target, column 0: 1 of 2 rows"),
        ([0.1, 0.2], [0.1, 0.2, 0.3], "at least one row"),
        ([[0.1], [0.2]], [0.1, 0.2], r"got \(2, 1\) and \(2,\)"),
        ([], [], "at least one row"),
        (0.5, 0.5, "at least one row"),
    ],
)
def test_bad_input_is_named(predicted, target, message):
    for metric in (mse, rmse, sagr, pcc, ccc):
        with pytest.raises(ValueError, match=message):
            metric(predicted, target)


def test_constant_side():
    varied, constant = [0.1, 0.2, 0.4], [0.3, 0.3, 0.3]
    with pytest.warns(RuntimeWarning, match=r"pcc is undefined in column \[0\]"):
        assert np.isnan(pcc(constant, varied))
    assert ccc(constant, varied) == 0
    assert ccc(varied, constant) == 0
    with pytest.warns(RuntimeWarning, match="both sides are constant"):
        assert np.isnan(ccc(constant, constant))
    # 0.3 in float32 has a standard deviation above zero by rounding: torchmetrics 1.9 calls this PCC 1 or -1
    with pytest.warns(RuntimeWarning, match="pcc"):
        assert np.isnan(pcc(torch.full((7,), 0.3), torch.full((7,), 0.3)))


def sums_of(x, y):
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], axis=-1).sum(axis=-2)


@given(st.integers(0, 10**6), st.integers(1, 5))
def test_sums_of_groups_added_up_give_ccc_and_rmse_of_all_their_rows(seed, groups):
    rng = np.random.default_rng(seed)
    y = rng.normal(0.2, 0.3, (groups, 12))
    x = 0.5 * y + rng.normal(0, 0.2, (groups, 12))
    for sums, rows in ((sums_of(x, y).sum(axis=0), (x.ravel(), y.ravel())), (sums_of(x, y), (x.T, y.T))):
        assert_allclose(ccc_from_sums(sums), ccc(*rows), rtol=1e-6)
        assert_allclose(rmse_from_sums(sums), rmse(*rows), rtol=1e-9)


def test_sums_of_two_constant_sides_give_no_concordance_whatever_rounding_leaves():
    for n in (3, 7, 11, 100):
        values = np.full((n, 3), [0.1, 0.3, 0.7]).T
        assert not ccc_from_sums(sums_of(values, values)).any()
