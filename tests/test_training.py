import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from paperlib.data.records import SequenceSet
from paperlib.labels import EXPRESSIONS
from paperlib.models import LabelVarianceNet
from paperlib.tasks.label_variance import (
    DROPOUT_SAMPLES,
    as_input,
    one_rating,
    predict,
    train_faces,
    train_sequences,
)
from paperlib.tracks import Track
from paperlib.training import Rows, Schedule, epoch_batches, fit, fit_averaged, make_fabric
from paperlib.twin.prototypes import CIRCUMPLEX


class Interrupted(Exception):
    pass


def squared_error(model, batch):
    x, y = batch
    return (model(x) - y).square().mean()


def interrupted_at(call):
    """`squared_error`, which ends the training at its so-manieth call."""
    calls = iter(range(1, 1000))

    def loss(model, batch):
        if next(calls) == call:
            raise Interrupted
        return squared_error(model, batch)

    return loss


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def regression(n=50):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 4)).astype(np.float32)
    noise = rng.normal(scale=0.1, size=(n, 1))
    return Rows(x, (x @ [[1.0], [-2.0], [0.5], [0.0]] + noise).astype(np.float32))


def trained(schedule, *, seed=0, loss=squared_error, **options):
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
    fabric = make_fabric(accelerator="cpu", precision="32-true")
    history = fit(model, loss, regression(), schedule, seed=seed, fabric=fabric, **options)
    return weights(model), history


SCHEDULES = {
    "adam": Schedule(epochs=5, batch=8, learning_rate=0.01, optimiser="adam", decay_every=2, decay=0.1),
    "adamw": Schedule(epochs=5, batch=8, learning_rate=0.01, weight_decay=0.01),
    "sgd": Schedule(epochs=5, batch=8, learning_rate=0.01, optimiser="sgd", momentum=0.9),
}


def test_a_seed_names_its_weights_to_the_bit():
    first, second = (trained(SCHEDULES["adamw"], seed=1) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert first[1].loss == second[1].loss
    assert not torch.equal(first[0], trained(SCHEDULES["adamw"], seed=2)[0])


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("after", [0, 1, 4])
def test_an_interrupted_training_ends_with_the_same_bits(tmp_path, name, after):
    checkpoint = tmp_path / "run.ckpt"
    with pytest.raises(Interrupted):  # 50 rows are 7 batches of 8: in the middle of an epoch
        trained(SCHEDULES[name], loss=interrupted_at(after * 7 + 4), checkpoint=checkpoint)
    torch.rand(7)  # whatever else the process drew must not matter
    resumed, history = trained(SCHEDULES[name], checkpoint=checkpoint)
    whole, expected = trained(SCHEDULES[name])
    assert torch.equal(resumed, whole)
    assert history.loss == expected.loss
    assert len(history.loss) == 5


def test_a_resumed_training_still_knows_its_best_weights(tmp_path):
    values = [3.0, 1.0, 2.0, 4.0, 5.0]
    schedule = Schedule(epochs=9, batch=8, learning_rate=0.01, patience=3)

    def told(*answers):
        left = iter(answers)

        def validate(model):
            try:
                return next(left)
            except StopIteration:
                raise Interrupted from None

        return validate

    whole, history = trained(schedule, validate=told(*values))
    checkpoint = tmp_path / "run.ckpt"
    with pytest.raises(Interrupted):
        trained(schedule, validate=told(*values[:2]), checkpoint=checkpoint)
    resumed, again = trained(schedule, validate=told(*values[2:]), checkpoint=checkpoint)
    assert torch.equal(resumed, whole)
    assert again.validation == history.validation == values
    # A finished training is read back, not repeated, and asks for nothing.
    assert torch.equal(trained(schedule, validate=told(), checkpoint=checkpoint)[0], whole)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other network"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    checkpoint = tmp_path / "run.ckpt"
    if damage == "other network":
        fit(nn.Linear(4, 1), squared_error, regression(), SCHEDULES["adam"], seed=0, checkpoint=checkpoint)
    else:
        trained(SCHEDULES["adam"], checkpoint=checkpoint)
        whole = checkpoint.read_bytes()
        checkpoint.write_bytes({"cut": whole[:1000], "empty": b"", "text": b"weights"}[damage])
    with pytest.raises(ValueError, match="run.ckpt cannot be resumed from; delete it"):
        trained(SCHEDULES["adam"], checkpoint=checkpoint)


def test_learning_rate_by_hand():
    steps = Schedule(epochs=250, batch=1, learning_rate=0.01, decay=0.1, decay_every=100)
    assert [steps.learning_rate_at(e, 0.0) for e in (0, 99, 100, 199, 200)] == pytest.approx(
        [1e-2, 1e-2, 1e-3, 1e-3, 1e-4]
    )
    cosine = Schedule(epochs=1, batch=1, learning_rate=2.0)
    assert cosine.learning_rate_at(0, 0.0) == pytest.approx(2e-3)
    assert cosine.learning_rate_at(0, 0.05) == pytest.approx(2 * 0.501 * (1 + math.cos(0.05 * math.pi)) / 2)
    assert cosine.learning_rate_at(0, 0.5) == pytest.approx(1.0)
    assert cosine.learning_rate_at(0, 1.0) == pytest.approx(0.0)


def test_each_step_uses_its_learning_rate():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    schedule = Schedule(epochs=3, batch=5, learning_rate=1.0, optimiser="sgd")
    # gradient 1: the weight sums the learning rates
    fit(model, lambda m, batch: m(torch.ones(1, 1)).squeeze(), regression(20), schedule, seed=0)
    rates = [schedule.learning_rate_at(step // 4, step / 12) for step in range(12)]
    assert -model.weight.item() == pytest.approx(sum(rates), rel=1e-5)


def test_linear_regression_is_recovered():
    rows, model = regression(200), nn.Linear(4, 1)
    fit(model, squared_error, rows, Schedule(epochs=60, batch=20, learning_rate=0.05), seed=0)
    x, y = (a.astype(np.float64) for a in rows.arrays)
    exact = np.linalg.lstsq(np.hstack([x, np.ones((200, 1))]), y, rcond=None)[0].ravel()
    assert np.abs(weights(model).numpy() - exact).max() < 0.01


@pytest.mark.parametrize(
    ("schedule", "gradient", "expected"),
    [
        # velocities 1, 1 + 1/2, 1 + 1/2 + 1/4, 1 + 1/2 + 1/4 + 1/8
        ({"optimiser": "sgd", "momentum": 0.5, "learning_rate": 0.1}, 1, 1 - 0.1 * (1 + 1.5 + 1.75 + 1.875)),
        ({"optimiser": "adamw", "weight_decay": 0.5, "learning_rate": 0.1}, 0, (1 - 0.1 * 0.5) ** 4),
    ],
)
def test_momentum_and_weight_decay_by_hand(schedule, gradient, expected):
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    four = Schedule(epochs=1, batch=5, decay_every=1, **schedule)
    fabric = make_fabric(accelerator="cpu", precision="32-true")
    fit(
        model,
        lambda m, batch: gradient * m(torch.ones(1, 1)).sum(),
        regression(20),
        four,
        seed=0,
        fabric=fabric,
    )
    assert model.weight.item() == pytest.approx(expected, rel=1e-6)


def test_early_stopping_goes_back_to_the_best_weights():
    values = iter([3.0, 1.0, 2.0, 1.0, 0.5])
    kept = []

    def validate(model):
        assert not model.training
        kept.append(weights(model))
        return next(values)

    schedule = Schedule(epochs=9, batch=8, learning_rate=0.01, patience=2)
    best, history = trained(schedule, validate=validate)
    assert history.validation == [3.0, 1.0, 2.0, 1.0]  # an equal value is no better one
    assert torch.equal(best, kept[1])


def test_a_loss_that_is_not_finite_says_where():
    calls = iter(range(100))

    def explodes(model, batch):
        return squared_error(model, batch) * (math.inf if next(calls) == 9 else 1)

    with pytest.raises(FloatingPointError, match="loss is inf in epoch 2, step 3"):
        trained(SCHEDULES["adam"], loss=explodes)


def test_a_validation_value_that_is_not_finite_says_where():
    schedule = Schedule(epochs=9, batch=8, learning_rate=0.01, patience=2)
    values = iter([1.0, math.nan])
    with pytest.raises(FloatingPointError, match="validation value is nan after epoch 2"):
        trained(schedule, validate=lambda _: next(values))


def test_patience_without_validation_is_refused():
    with pytest.raises(ValueError, match="patience needs `validate`"):
        trained(Schedule(epochs=1, batch=8, learning_rate=0.01, patience=1))


@pytest.mark.parametrize(
    "settings", [{"optimiser": "lion"}, {"augment": "strong"}, {"epochs": 0}, {"batch": 0}]
)
def test_a_schedule_that_cannot_be_is_refused(settings):
    with pytest.raises(ValueError, match="must be"):
        Schedule(**{"epochs": 1, "batch": 1, "learning_rate": 0.1} | settings)


@pytest.mark.parametrize(
    ("n", "batch", "left_out"), [(50, 8, 0), (48, 8, 0), (1, 8, 0), (7, 1, 0), (49, 8, 1)]
)
def test_every_row_is_seen_once_an_epoch_but_one_alone(n, batch, left_out):
    batches = epoch_batches(n, batch, seed=0, epoch=3)
    seen = np.concatenate(batches)
    assert len(seen) == len(set(seen)) == n - left_out
    assert [len(b) for b in batches[:-1]] == [batch] * (len(batches) - 1)


def test_rows_refuse_arrays_of_different_lengths():
    with pytest.raises(ValueError, match=r"equal length; got \[3, 4\]"):
        Rows(np.zeros(3), np.zeros((4, 2)))


# --- the task of foteinopoulou2021 ---


SETTINGS = {
    "backbone": "tiny_resnet",
    "pretrained": False,
    "dropout": 0.0,
    "schedule": {"epochs": 12, "batch": 10, "learning_rate": 0.01},
    "loss": "kl_continuous",
    "target": "mean",
}
ONE_EPOCH = {**SETTINGS, "schedule": {"epochs": 1, "batch": 10, "learning_rate": 0.01}}


@pytest.fixture
def track(monkeypatch, faces):
    monkeypatch.setattr(Track, "faces", lambda self: faces)
    return Track()


def test_grey_and_colour_pictures_are_standardised():
    grey = torch.tensor([[[0, 255]]], dtype=torch.uint8)
    assert_close(as_input(grey), torch.tensor([[[[-2.0, 2.0]]]]))
    colour = torch.tensor([[[[124, 0, 255]]]], dtype=torch.uint8)  # (1, 1, 1, 3)
    expected = [(124 / 255 - 0.485) / 0.229, -0.456 / 0.224, (1 - 0.406) / 0.225]
    assert_close(as_input(colour).view(3), torch.tensor(expected))


def test_one_rating_is_a_raters_own_and_stays_drawn(rng):
    ratings = rng.normal(size=(400, 3, 2)).astype(np.float32)
    ratings[:, 1, 0] = np.nan
    drawn = one_rating(ratings, seed=4)
    which = (drawn[:, None] == ratings).all(axis=2)
    assert (which.sum(axis=1) == 1).all()
    assert 140 < which[:, 0].sum() < 260 and not which[:, 1].any()
    assert np.array_equal(drawn, one_rating(ratings, seed=4))
    assert not np.array_equal(drawn, one_rating(ratings, seed=5))


def test_training_on_faces_learns_what_is_in_the_picture(track, faces, tmp_path):
    predicted = train_faces(track, SETTINGS, 0, tmp_path / "run.ckpt")
    test = faces.affect[faces.split == "test"]
    assert np.corrcoef(predicted["mean"][:, 0], test[:, 0])[0, 1] > 0.8  # grey is valence
    assert predicted["log_variance"][:, 0].mean() < predicted["log_variance"][:, 1].mean()
    assert predicted["training_loss"][-1] < predicted["training_loss"][0]


@pytest.mark.parametrize("loss", ["kl_as_printed", "mse", "beta_nll"])
def test_training_on_faces_never_reads_the_test_labels(track, faces, tmp_path, loss):
    before = train_faces(track, ONE_EPOCH | {"loss": loss}, 0, tmp_path / "a.ckpt")
    faces.affect[faces.split == "test"] = np.nan
    after = train_faces(track, ONE_EPOCH | {"loss": loss}, 0, tmp_path / "b.ckpt")
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_training_learns_the_ratings_or_the_place_of_the_voted_category(track, faces, tmp_path):
    faces.ratings[:] = [0.8, -0.8]  # while the labels average zero
    predicted = train_faces(track, SETTINGS | {"target": "rating"}, 0, tmp_path / "a.ckpt")
    assert np.abs(predicted["mean"].mean(axis=0) - [0.8, -0.8]).max() < 0.5
    faces.votes[:] = 10 * (np.array(EXPRESSIONS) == "happy")
    predicted = train_faces(track, SETTINGS | {"loss": "votes"}, 0, tmp_path / "b.ckpt")
    assert np.abs(predicted["mean"] - CIRCUMPLEX["happy"]).max() < 0.3


def test_dropout_gives_the_spread_of_its_passes(faces):
    model = LabelVarianceNet(nn.Flatten(), 256, dropout=0.5)
    predicted = predict(model, faces.images)
    gap = predicted["dropout_mean"] - predicted["mean"]
    error = np.sqrt(predicted["dropout_variance"] / DROPOUT_SAMPLES)
    assert 0.7 < np.sqrt(np.mean((gap / error) ** 2)) < 1.4
    assert "dropout_mean" not in predict(LabelVarianceNet(nn.Flatten(), 256), faces.images)


@pytest.mark.parametrize("folds", [None, 2])
def test_sequences_are_predicted_by_a_network_that_never_saw_the_subject(monkeypatch, tmp_path, rng, folds):
    subject = np.repeat(np.array(["a", "b", "c"]), 8)
    affect = rng.uniform(-0.2, 0.2, size=(24, 2)).astype(np.float32)
    sequences = SequenceSet(
        name="series",
        features=rng.normal(size=(24, 40, 4)).astype(np.float32),
        affect=affect,
        ratings=affect[:, None],
        subject=subject,
        recording=subject,
        fingerprint="series",
    )
    monkeypatch.setattr(Track, "sequences", lambda self: sequences)
    settings = {
        "folds": folds,
        "centroids": 2,
        "hidden": 4,
        "loss": "kl_continuous",
        "schedule": {"epochs": 2, "batch": 8, "learning_rate": 0.01},
    }
    before = train_sequences(Track(), settings, 0, tmp_path / "run")
    affect[subject == "b"] += 0.7
    after = train_sequences(Track(), settings, 0, tmp_path / "run")
    own = subject == "b"
    for name, values in before.items():
        assert np.isfinite(values).all()
        assert np.array_equal(values[own], after[name][own])
        assert not np.array_equal(values, after[name])
    assert not list(tmp_path.iterdir())  # no checkpoint of a finished fold is left


def normalised():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1), nn.BatchNorm1d(1)
    )


def averaged(*, batch=10, average_after=2, loss=squared_error, checkpoint=None):
    model = normalised()
    how = {"average_after": average_after, "inputs": lambda batch: batch[0], "checkpoint": checkpoint}
    fit_averaged(model, loss, regression(), steady(5, batch), seed=0, **how)
    return model


def steady(epochs, batch=10):
    return Schedule(epochs=epochs, batch=batch, learning_rate=0.01, optimiser="adam", decay_every=9)


@pytest.mark.parametrize("average_after", [0, 4])
def test_averaged_weights_are_the_mean_of_those_after_each_later_epoch(average_after):
    after = []
    for epochs in range(average_after + 1, 6):
        model = normalised()
        fit(model, squared_error, regression(), steady(epochs), seed=0)
        after.append(weights(model))
    assert_close(weights(averaged(average_after=average_after)), torch.stack(after).mean(dim=0))


def test_batch_statistics_are_those_of_the_mean_weights_over_all_rows():
    x = torch.from_numpy(regression().arrays[0])
    for batch in (10, 49, 50):  # with 49, one row is left
        model = averaged(batch=batch)
        before = model[0](x).detach()
        assert_close(model[1].running_mean, before.mean(dim=0))
    assert_close(model[1].running_var, before.var(dim=0))  # torch keeps the unbiased variance


@pytest.mark.parametrize("after", [1, 4])  # epochs that were finished; from the third on they are averaged
def test_an_interrupted_average_ends_with_the_same_bits(tmp_path, after):
    checkpoint = tmp_path / "run.ckpt"
    with pytest.raises(Interrupted):
        averaged(loss=interrupted_at(after * 5 + 3), checkpoint=checkpoint)
    torch.rand(7)  # whatever else the process drew must not matter
    resumed, whole = averaged(checkpoint=checkpoint).state_dict(), averaged().state_dict()
    assert resumed.keys() == whole.keys() == normalised().state_dict().keys()
    for name in whole:
        assert torch.equal(resumed[name], whole[name]), name


@pytest.mark.parametrize("average_after", [-1, 5])
def test_an_average_over_no_epoch_is_refused(average_after):
    with pytest.raises(ValueError, match=f"average_after must lie in 0 to 4; got {average_after}"):
        averaged(average_after=average_after)
