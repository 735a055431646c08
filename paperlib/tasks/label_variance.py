"""foteinopoulou2021's runs: train on faces or on action-unit series, predict the held-out labels' Gaussians."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from paperlib import losses
from paperlib.data.records import FaceSet
from paperlib.labels import EXPRESSIONS
from paperlib.models.backbones import build_backbone
from paperlib.models.label_variance import LabelVarianceNet, NetVLADBackbone, VoteNet
from paperlib.tracks import Track
from paperlib.training import Rows, Schedule, fit
from paperlib.twin.prototypes import CIRCUMPLEX

DROPOUT_SAMPLES = 20  # MC dropout (Gal & Ghahramani 2016)


def train_faces(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float32]]:
    """Train on the training split, predict the test split; the last epoch's weights, chosen by nobody.

    Settings: `backbone`, `pretrained`, `dropout` (in the heads), `schedule` (see `training.Schedule`); `loss`: a name
    in `losses.LOSSES`, or "votes" for a classifier of the vote distribution; `target`: "mean" (the label) or "rating"
    (one rater's rating of every face, drawn once by the seed, as AffectNet has one annotator a face).

    Returns:
        mean, log_variance (n_test, 2); with dropout also dropout_mean and dropout_variance, over 20 passes; and
        training_loss (epochs,).
    """
    faces = track.faces()
    assert faces is not None
    backbone, features = first_backbone(faces.images, settings, seed)
    train = np.flatnonzero((faces.split == "train") & np.isfinite(faces.affect).all(axis=1))
    test = np.flatnonzero(faces.split == "test")
    schedule = Schedule(**settings["schedule"])
    model: LabelVarianceNet | VoteNet
    if settings["loss"] == "votes":
        coordinates = torch.tensor([CIRCUMPLEX[e] for e in EXPRESSIONS], dtype=torch.float32)
        model = VoteNet(backbone, features, coordinates=coordinates)
    else:
        model = LabelVarianceNet(backbone, features, dropout=settings["dropout"])
    model = model.to(memory_format=torch.channels_last)
    rows = Rows(faces.images, _targets(faces, settings, seed), at=train)
    loss = _loss_of_pictures(settings["loss"], schedule)
    history = fit(model, loss, rows, schedule, seed=seed, checkpoint=checkpoint)
    predicted = predict(model, faces.images[test], batch=schedule.batch)
    return predicted | {"training_loss": np.array(history.loss, dtype=np.float32)}


def train_sequences(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float32]]:
    """Leave subjects out in `folds` groups (None: one subject at a time), predict every segment once.

    Returns:
        mean, log_variance (n, 2), each from the network that never saw the segment's subject.
    """
    sequences = track.sequences()
    assert sequences is not None
    schedule = Schedule(**settings["schedule"])
    folds = settings["folds"] or len(np.unique(sequences.subject))
    x = np.asarray(sequences.features, dtype=np.float32)
    out = {name: np.full_like(sequences.affect, np.nan) for name in ("mean", "log_variance")}
    for fold, (train, test) in enumerate(GroupKFold(folds).split(x, groups=sequences.subject)):
        torch.manual_seed(1000 * seed + fold)
        backbone = NetVLADBackbone(x.shape[2], centroids=settings["centroids"])
        backbone.standardise_by(torch.from_numpy(x[train]))
        model = LabelVarianceNet(backbone, backbone.features, hidden=settings["hidden"])
        rows = Rows(x[train], sequences.affect[train])
        fold_checkpoint = checkpoint.with_suffix(f".{fold}.ckpt")
        fit(model, _loss_of_labels(settings["loss"]), rows, schedule, seed=seed, checkpoint=fold_checkpoint)
        fold_checkpoint.unlink(missing_ok=True)
        with torch.inference_mode():
            predicted = model(torch.from_numpy(x[test]).to(next(model.parameters()).device))
        for name, values in predicted._asdict().items():
            out[name][test] = values.cpu().numpy()
    return out


def first_backbone(
    images: NDArray[np.uint8], settings: Mapping[str, Any], seed: int
) -> tuple[nn.Module, int]:
    """The backbone that a run starts from, for pictures (n, size, size[, 3]), and the length of its features."""
    torch.manual_seed(seed)
    channels = 1 if images.ndim == 3 else 3
    wanted = {name: settings[name] for name in ("pretrained", "mirrored") if name in settings}
    return build_backbone(settings["backbone"], channels=channels, **wanted)


def predict(
    model: LabelVarianceNet | VoteNet, images: NDArray[np.uint8], *, batch: int = 256
) -> dict[str, NDArray[np.float32]]:
    """Gaussians of the labels of pictures (n, size, size[, 3]) in fp32; see `train_faces` for what is returned."""
    model.eval()
    device = next(model.parameters()).device
    parts: list[dict[str, Tensor]] = []
    head = getattr(model, "mean_head", nn.Identity())
    dropout = [m for m in head.modules() if isinstance(m, nn.Dropout) and m.p > 0]
    torch.manual_seed(0)
    with torch.inference_mode():
        for start in range(0, len(images), batch):
            x = as_input(torch.from_numpy(np.ascontiguousarray(images[start : start + batch])).to(device))
            if isinstance(model, VoteNet):
                parts.append(model.distribution(model(x))._asdict())
                continue
            features = model.backbone(x)
            part = {"mean": model.mean_head(features), "log_variance": model.variance_head(features)}
            if dropout:
                for module in dropout:
                    module.train()
                draws = torch.stack([model.mean_head(features) for _ in range(DROPOUT_SAMPLES)])
                model.eval()
                part |= {"dropout_mean": draws.mean(dim=0), "dropout_variance": draws.var(dim=0)}
            parts.append(part)
    return {name: torch.cat([p[name] for p in parts]).float().cpu().numpy() for name in parts[0]}


def as_input(images: Tensor) -> Tensor:
    """uint8 (n, size, size[, 3]) to float (n, channels, size, size), channels last in memory, about -2 to 2.

    Grey pictures: (x / 255 - 0.5) / 0.25. Colour: ImageNet's mean and standard deviation, as torchvision's weights
    expect.
    """
    if images.ndim == 3:
        grey = (images.unsqueeze(1).float() / 255 - 0.5) / 0.25
        return grey.contiguous(memory_format=torch.channels_last)
    mean = torch.tensor([0.485, 0.456, 0.406], device=images.device)
    std = torch.tensor([0.229, 0.224, 0.225], device=images.device)
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def _loss_of_labels(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], Tensor]:
    """The mean over batch and dimensions of one of `losses.LOSSES`, in fp32."""

    def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        predicted = model(batch[0])
        return losses.LOSSES[name](predicted.mean.float(), predicted.log_variance.float(), batch[1]).mean()

    return loss


def _loss_of_pictures(name: str, schedule: Schedule) -> Callable[[nn.Module, tuple[Tensor, ...]], Tensor]:
    """The loss by name over augmented pictures, or the cross-entropy to a vote distribution."""

    def loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x = schedule.augmented(as_input(batch[0]))
        if name == "votes":
            return F.cross_entropy(model(x).float(), batch[1])
        return _loss_of_labels(name)(model, (x, batch[1]))

    return loss


def one_rating(ratings: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """One rating drawn for each item of (n, K, 2) among those that are not NaN, and never changed again: (n, 2)."""
    chance = np.random.default_rng(seed).random(ratings.shape[:2])
    chance[~np.isfinite(ratings).all(axis=2)] = -1
    return ratings[np.arange(len(ratings)), chance.argmax(axis=1)]


def _targets(faces: FaceSet, settings: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    if settings["loss"] == "votes":
        assert faces.votes is not None
        return (faces.votes / np.maximum(faces.votes.sum(axis=1, keepdims=True), 1)).astype(np.float32)
    if settings["target"] == "rating":
        assert faces.ratings is not None
        return one_rating(faces.ratings, seed=seed)
    return faces.affect
