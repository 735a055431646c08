"""No loss or measure broadcasts: shapes that numpy and torch would stretch to fit are refused."""

import numpy as np
import pytest
import torch

from paperlib import annotations, fusion, labels, losses, metrics, postprocessing
from paperlib.calibration import calibration_error, fit_temperature
from paperlib.models import blstm, ldlva
from paperlib.shapes import check_shapes


def zeros(*shapes):
    return tuple(torch.zeros(shape) for shape in shapes)


def weighted(predicted, target, lengths):
    return blstm.multi_task_mse(predicted, target, lengths, weights=(1.0, 1.0))


REFUSED = [
    *((loss, (7, 2), (7, 2), (7, 1)) for loss in losses.LOSSES.values()),
    *((loss, (7, 2), (2,), (7, 2)) for loss in losses.LOSSES.values()),
    (losses.evidential_regression, (5,), (5,), (1,), (5,), (5,)),
    (losses.weighted_cross_entropy, (4, 7), (4, 7), (4, 1)),
    (losses.weighted_cosine, (4, 7), (1, 7), (4, 7)),
    (losses.weighted_l2, (4, 2), (4, 2), (4, 1)),
    (losses.dual_domain, (4, 7), (4, 2), (4, 7), (4, 1), (4, 7)),
    *((loss, (4, 9, 2), (4, 9, 2)) for loss in (losses.concordance_loss, losses.correlation_loss)),
    (losses.squared_error_sum, (6, 2), (6, 1)),
    (losses.shake_shake, (6, 2), (6, 2), (1,)),
    (losses.distillation, (6, 7), (1, 7)),
    (weighted, (3, 5, 2), (1, 5, 2), (3,)),
    (weighted, (3, 5, 2), (3, 5, 2), (3, 1)),
    (ldlva.aggregate, (4, 8), (4, 8, 7), (1, 7)),
    (ldlva.pull, (4, 32), (4, 32), (4, 1)),
    (ldlva.move_centres, (7, 32), (4, 32), (4,), (1,)),
]


@pytest.mark.parametrize(("loss", "shapes"), [(loss, shapes) for loss, *shapes in REFUSED])
def test_a_loss_refuses_what_would_broadcast(loss, shapes):
    options = {"scale": "sqrt"} if loss is ldlva.move_centres else {}
    with pytest.raises(ValueError, match="expected .*; got "):
        loss(*zeros(*shapes), **options)


@pytest.mark.parametrize(
    "call",
    [
        lambda: postprocessing.PostProcessing(window=3)(np.zeros((9, 2))),
        lambda: fusion.inverse_distances(np.zeros((4, 2)), np.zeros((7, 1))),
        lambda: fusion.fuse(np.zeros((4, 1), int), np.ones((4, 7)), alpha=0.5),
        lambda: fusion.class_weights(np.zeros((1, 4), int), classes=1),
        lambda: labels.local_similarity(np.zeros((4, 2)), np.zeros((1, 3), int), delta=1.0),
        lambda: labels.is_noisy(np.zeros((4, 1), int), np.zeros((4, 2))),
        lambda: calibration_error(np.zeros((4, 7)), np.zeros((4, 1), int)),
        lambda: fit_temperature(np.zeros((4, 7)), np.ones((1, 7))),
    ],
)
def test_a_measure_refuses_what_would_broadcast(call):
    with pytest.raises(ValueError, match="expected .*; got "):
        call()


def test_the_message_has_both_shapes():
    with pytest.raises(ValueError, match=r"expected x \(n, 2\) and y \(n,\); got \(5, 2\) and \(4,\)"):
        check_shapes("n 2, n", x=np.zeros((5, 2)), y=np.zeros(4))
    check_shapes("n 2, n", x=np.zeros((5, 2)), y=torch.zeros(5))
    check_shapes("..., ...", x=np.zeros((5, 2)), y=torch.zeros(5, 2))


@pytest.mark.parametrize(
    "measure",
    [
        lambda x: fusion.inverse_distances(x, [[0.5, 0.5], [-0.5, 0.1]]),
        lambda x: labels.nearest_in_affect(x, 3),
        lambda x: labels.local_similarity(x, np.zeros((9, 2), int), delta=0.5),
        annotations.perception_uncertainty,
        lambda x: annotations.compensate_delay(x, 2),
        lambda x: metrics.rmse(x, np.zeros((9, 2))),
    ],
)
def test_a_tensor_of_any_precision_is_measured_as_its_numbers(measure, rng):
    given = torch.from_numpy(rng.uniform(-1, 1, (9, 2))).to(torch.bfloat16).requires_grad_()
    np.testing.assert_array_equal(measure(given), measure(given.detach().double().numpy()))
