import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import log_loss
from torchmetrics.classification import MulticlassCalibrationError

from paperlib.calibration import TEMPERATURES, calibration_error, fit_temperature


@pytest.fixture
def predicted(rng):
    logits = 2 * rng.normal(size=(500, 5))
    return logits, np.array([rng.choice(5, p=p) for p in softmax(0.6 * logits, axis=1)])


def test_four_predictions_by_hand():
    # confidences 0.9 right, 0.9 wrong, 0.6 right, 0.6 right
    log_p = np.log([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    label = np.array([0, 1, 1, 1])
    assert calibration_error(log_p, label, bins=2) == pytest.approx(abs(0.75 - 0.75))
    assert calibration_error(log_p, label, bins=10) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_as_torchmetrics(predicted):
    logits, label = predicted
    p = softmax(logits, axis=1)
    theirs = MulticlassCalibrationError(num_classes=5, n_bins=15)(torch.tensor(p), torch.tensor(label))
    assert calibration_error(logits, label) == pytest.approx(float(theirs), abs=1e-6)


def test_the_temperature_that_labels_were_drawn_with_is_found(rng):
    logits = 3 * rng.normal(size=(20_000, 4))
    label = np.array([rng.choice(4, p=p) for p in softmax(logits / 2.5, axis=1)])
    temperature = fit_temperature(logits, label)
    assert temperature == pytest.approx(2.5, rel=0.05)
    assert calibration_error(logits / temperature, label) < 0.01 < calibration_error(logits, label)


def test_predictions_that_are_never_wrong_want_the_lowest_temperature():
    assert fit_temperature(1.2 * np.eye(3), np.arange(3)) == pytest.approx(TEMPERATURES[0], rel=0.01)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 5))
def test_a_temperature_changes_confidence_but_no_prediction_and_never_harms_the_likelihood(seed, scale):
    rng = np.random.default_rng(seed)
    logits, label = scale * rng.normal(size=(60, 4)), rng.integers(0, 4, 60)
    scaled = logits / fit_temperature(logits, label)
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()
    before, after = (log_loss(label, softmax(x, axis=1), labels=range(4)) for x in (logits, scaled))
    assert after <= before + 1e-9


@pytest.mark.parametrize(
    "log_p, label, message",
    [
        (np.zeros((0, 3)), np.zeros(0, int), "expected log_probability"),
        (np.zeros((2, 3)), np.array([0, 3]), "integers 0 to 2"),
        (np.zeros((2, 3)), np.array([0.0, 1.0]), "integers 0 to 2"),
        (np.zeros((2, 1)), np.zeros(2, int), "two classes or more"),
        (
            torch.eye(2, dtype=torch.bfloat16),
            np.zeros(2, int),
            "these are probabilities, whose rows sum to 1",
        ),
        (np.array([[0.0, 0], [np.nan, 0]]), np.array([0, 1]), "row 1"),
        (np.array([[0.0, 0], [-np.inf, -np.inf]]), np.array([0, 1]), "row 1"),
    ],
)
def test_bad_inputs_say_what_is_wrong(log_p, label, message):
    with pytest.raises(ValueError, match=message):
        calibration_error(log_p, label)


def test_tensors_of_any_precision_and_with_gradients_are_read(predicted):
    logits, label = (torch.from_numpy(x) for x in predicted)
    given = logits.bfloat16().requires_grad_()
    as_array = given.detach().double().numpy()
    for measure in (calibration_error, fit_temperature):
        assert measure(given, label) == measure(as_array, predicted[1])


def test_no_temperature_is_fitted_to_a_label_without_a_chance():
    log_p = np.array([[0.1, 0.3, -np.inf], [-np.inf, 0.0, 0.2]])
    assert fit_temperature(log_p, [1, 2]) == fit_temperature(log_p, np.eye(3)[[1, 2]]) < 1
    for label in ([1, 0], np.array([[0.5, 0.5, 0], [0.1, 0.9, 0]])):
        with pytest.raises(ValueError, match="row 1: log_probability of its label is -inf, as in 1 of 2"):
            fit_temperature(log_p, label)
