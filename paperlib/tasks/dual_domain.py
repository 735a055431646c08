"""neo2023's runs: learn categories and valence-arousal together, from one-hot, smoothed or fused labels.

One network, loss and loop for all labels; the mean of the last epochs' weights; the test split chooses nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from captum.attr import LayerGradCam
from numpy.typing import NDArray
from torch import Tensor, nn

from paperlib.augmentation import augment
from paperlib.data.cache import data_root
from paperlib.data.categories import with_category
from paperlib.data.ferplus import votes_to_ratings
from paperlib.data.records import FaceSet, subset
from paperlib.fusion import (
    LabelParameters,
    class_weights,
    fit_label_parameters,
    fuse,
    inverse_distances,
    posterior,
)
from paperlib.labels import EXPRESSIONS, flip_labels, sole_winner, split_votes
from paperlib.losses import dual_domain
from paperlib.models.backbones import COMPACT, build_backbone
from paperlib.models.dual_domain import DualDomainNet
from paperlib.tasks.label_variance import as_input
from paperlib.tracks import Track
from paperlib.training import Rows, Schedule, fit_averaged
from paperlib.twin.prototypes import CIRCUMPLEX

SMOOTHING = 0.1
PARAMETERS = "label_parameters.json"  # carried from AffectNet to a data set without categories
# Faces to train and to validate on that a profile takes of a data set of people, drawn once; `paper` takes all.
MOST = {"smoke": (400, 200), "full": (15_000, 3_000)}
EXPLAINED = 64  # test faces whose Grad-CAM a run keeps
TURN, ZOOM, LIGHT = 10.0, 0.1, 0.2  # degrees each way; shares of size, of brightness and of contrast


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A track's faces of one kind, with every label that a run may learn or be judged by; n faces, K classes."""

    images: NDArray[np.uint8]  # (n, size, size[, 3])
    classes: tuple[str, ...]
    label: NDArray[np.int64]  # (n,) index into classes
    natural: NDArray[np.int64] | None  # (n,) what a single source said first
    affect: NDArray[np.float32]  # (n, 2) valence and arousal to learn
    judged: NDArray[np.float32]  # (n, 2) what predictions are compared with
    rater: NDArray[np.float32] | None  # (n, 2) a single rater's, where raters are known
    votes: NDArray[np.float64] | None  # (n, K) shares of the votes by those whose affect it is
    subject: NDArray[np.str_] | None  # (n,) whose pictures, or which video's, are not independent
    train: NDArray[np.int64]  # rows
    validation: NDArray[np.int64]
    test: NDArray[np.int64]
    parameters: LabelParameters | None  # that `label` was made with, where there were no categories
    fingerprint: str
    excluded: Mapping[str, int]


@lru_cache(maxsize=3)
def problem(track: Track, kind: str) -> Problem:
    """The track's "faces", "videos" or "morphs".

    FER+'s raters are dealt into two halves. One half's votes give valence and arousal; the other's sole winner is the
    category, and its votes are what predictions of valence and arousal are judged by. So nobody's vote is on both
    sides. A frame of a video gets the category that is likeliest by parameters from elsewhere (neo2023, sec. 5.1).

    Raises:
        ValueError: the track has no such faces, or they lack categories or valence and arousal.
        FileNotFoundError: label parameters for videos are missing.
    """
    faces = track.of_kind(kind)
    if faces is None:
        raise ValueError(f"track {track.name} has no {kind}")
    faces, judged, label, classes, parameters = _labelled(track, kind, faces)
    train, validation, test = _split(faces)
    if track.name != "twin" and track.profile in MOST:
        rng = np.random.default_rng(0)
        train, validation = (
            np.sort(rng.permutation(rows)[:most])
            for rows, most in zip((train, validation), MOST[track.profile], strict=True)
        )
    usable = np.asarray(np.isfinite(faces.affect)).all(axis=1)
    without = int((~usable[np.concatenate([train, validation])]).sum())  # type: ignore[index]
    settings = (faces.fingerprint, kind, repr(parameters), len(train))
    return Problem(
        images=faces.images,
        classes=classes,
        label=label,
        natural=None if faces.original is None else faces.original.astype(np.int64),
        affect=faces.affect,
        judged=judged,
        rater=None if faces.ratings is None else _one_rater(faces.ratings),
        votes=None if faces.votes is None else _shares(faces.votes[:, : len(classes)]),
        subject=faces.subject,
        train=train[usable[train]],  # type: ignore[index]
        validation=validation[usable[validation]],  # type: ignore[index]
        test=test,
        parameters=parameters,
        fingerprint=hashlib.sha256(repr(settings).encode()).hexdigest(),
        excluded=dict(faces.excluded) | ({"no valence and arousal to learn": without} if without else {}),
    )


def _labelled(
    track: Track, kind: str, faces: FaceSet
) -> tuple[FaceSet, NDArray[np.float32], NDArray[np.int64], tuple[str, ...], LabelParameters | None]:
    """The faces that have a category, what predictions of their affect are judged by, category, classes, parameters."""
    if faces.affect is None:
        raise ValueError(f"track {track.name} has no valence and arousal of its {kind}")
    if kind == "videos":
        parameters = _parameters_for_videos(track)
        label = posterior(parameters, faces.affect).argmax(axis=1)
        return faces, faces.affect, label, parameters.classes, parameters
    if faces.expression is None:
        raise ValueError(
            f"track {track.name} has no categories, and fusion needs them beside valence and arousal"
        )
    if track.name == "ferplus":
        faces, judged = _halves(faces)
    else:
        faces = with_category(faces, classes=8)
        judged = np.asarray(faces.affect)
    assert faces.expression is not None
    label = faces.expression.astype(np.int64)
    return faces, judged, label, EXPRESSIONS[: 8 if (label == 7).any() else 7], None


def _halves(faces: FaceSet) -> tuple[FaceSet, NDArray[np.float32]]:
    """FER+ as two halves of its raters, and the second half's valence and arousal (n, 2)."""
    assert faces.votes is not None
    ours, theirs = split_votes(faces.votes, seed=0)
    winner = sole_winner(theirs[:, :7])
    keep = (winner >= 0) & (ours.sum(axis=1) > 0) & (theirs[:, :7].sum(axis=1) > 0)
    ratings = votes_to_ratings(ours[keep], CIRCUMPLEX)
    kept = replace(
        subset(faces, keep),
        expression=winner[keep].astype(np.int8),
        votes=ours[keep].astype(np.int16),
        ratings=ratings,
        affect=_mean_rating(ratings),
        excluded=dict(faces.excluded)
        | {"no sole winner in the second half of the raters": int((~keep).sum())},
    )
    return kept, _mean_rating(votes_to_ratings(theirs[keep], CIRCUMPLEX))


def _mean_rating(ratings: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(np.nanmean(ratings, axis=1, dtype=np.float64), np.float32)


def _parameters_for_videos(track: Track) -> LabelParameters:
    if track.name == "twin":
        faces = problem(track, "faces")
        rows = faces.train
        return fit_label_parameters(
            faces.affect[rows],
            faces.label[rows],
            classes=faces.classes,
            source="twin (faces), training split",
        )
    path = data_root(track.name, track.root) / PARAMETERS
    if not path.is_file():
        raise FileNotFoundError(
            f"track {track.name} has no categories: its labels need {PARAMETERS}, which reproducing neo2023 on track "
            "affectnet writes beside that track's tables; copy it into the data folder"
        )
    return LabelParameters.load(path)


def _one_rater(ratings: NDArray[np.float32]) -> NDArray[np.float32]:
    """One of the raters (n, K, 2) of each face, drawn once, as AffectNet has one annotator a picture: (n, 2)."""
    known = np.isfinite(ratings).all(axis=2)
    draw = np.random.default_rng(0).random(known.shape)
    return ratings[np.arange(len(ratings)), np.where(known, draw, -1).argmax(axis=1)]


def _shares(votes: NDArray) -> NDArray[np.float64]:
    """Votes (n, K) as shares; where nobody chose one of these classes, nobody knows: all alike."""
    total = votes.sum(axis=1, keepdims=True)
    return np.where(total > 0, votes / np.maximum(total, 1), 1 / votes.shape[1])


def _split(faces: FaceSet) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train, validate and test on; without a validation split, a tenth of the training faces."""
    train, validation, test = (np.flatnonzero(faces.split == s) for s in ("train", "validation", "test"))
    if not len(validation):
        held = np.random.default_rng(0).random(len(train)) < 0.1
        train, validation = train[~held], train[held]
    return train, validation, test


def training_labels(
    track: Track, settings: Mapping[str, Any], seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Given and right labels of the training rows, (n,) each.

    Settings: `kind`; `labels` "consensus", of which a share `noise` of exact count is replaced by another class, drawn
    by the seed, or "natural": what a single source said first.
    """
    parts = problem(track, settings["kind"])
    right = parts.label[parts.train]
    if settings["labels"] == "natural":
        if parts.natural is None:
            raise ValueError(f"track {track.name} knows no first label of its {settings['kind']}")
        return parts.natural[parts.train], right
    flipped = flip_labels(right, settings["noise"], classes=len(parts.classes), seed=seed)[0]
    return flipped.astype(np.int64), right


def training_affect(track: Track, settings: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    """Valence and arousal that the training rows are given: (n, 2).

    Settings: `affect` "as labelled": the data set's own, untouched by wrong categories (the paper's experiment);
    "one rater"; "goes with the label": a face whose category is wrong has the valence and arousal of some face that is
    right to have it, as when one annotator errs in both.
    """
    parts = problem(track, settings["kind"])
    own = parts.affect[parts.train]
    match settings["affect"]:
        case "as labelled":
            return own
        case "one rater":
            assert parts.rater is not None
            return parts.rater[parts.train]
        case "goes with the label":
            given, right = training_labels(track, settings, seed)
            rng = np.random.default_rng([seed, 1])
            affect = own.copy()
            for k in range(len(parts.classes)):
                wrong = np.flatnonzero((given == k) & (right != k))
                affect[wrong] = own[rng.choice(np.flatnonzero(right == k), len(wrong))]
            return affect
    raise ValueError(
        f"affect must be as labelled, one rater or goes with the label; got {settings['affect']!r}"
    )


def label_parameters(track: Track, settings: Mapping[str, Any], seed: int) -> LabelParameters:
    """The Gaussians of the classes, from what the training rows are given (`reading`, see fusion.READINGS).

    Nobody who trains on wrong labels has others to fit them on. Videos use those that made their categories.
    """
    parts = problem(track, settings["kind"])
    if parts.parameters is not None:
        return parts.parameters
    return fit_label_parameters(
        training_affect(track, settings, seed),
        training_labels(track, settings, seed)[0],
        classes=parts.classes,
        source=f"{track.name} ({settings['kind']}), training split",
        reading=settings["reading"],
    )


def targets(track: Track, settings: Mapping[str, Any], seed: int) -> NDArray[np.float32]:
    """The distributions (n, K) that the training rows' categories are learnt from.

    Settings: `method`: "one-hot", "label smoothing" by `SMOOTHING`, or the given label fused by `alpha` with what
    "Euclid" (eq. 3) or "GMM" (eq. 2) makes of valence and arousal, or with the "votes" that these came from. "smoothing
    as soft" leaves the given labels as much as "Euclid" does on average, and deals the rest evenly.
    """
    parts = problem(track, settings["kind"])
    given = training_labels(track, settings, seed)[0]
    k, method = len(parts.classes), settings["method"]
    if method in ("Euclid", "GMM"):
        affect, parameters = training_affect(track, settings, seed), label_parameters(track, settings, seed)
        mixed = (
            inverse_distances(affect, parameters.mean)
            if method == "Euclid"
            else posterior(parameters, affect)
        )
    elif method == "votes":
        assert parts.votes is not None
        mixed = parts.votes[parts.train]
    else:
        mixed = np.full((len(given), k), 1 / k)
    share = {"one-hot": 1.0, "label smoothing": 1 - SMOOTHING}.get(method, settings["alpha"])
    if method == "smoothing as soft":
        fused = targets(track, {**settings, "method": "Euclid"}, seed)
        left = fused[np.arange(len(given)), given].mean(dtype=np.float64)
        share = float((left - 1 / k) / (1 - 1 / k))
    return fuse(given, mixed, alpha=share).astype(np.float32)


def train(track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    """Train on the targets, predict the validation and test rows.

    Settings: those of `training_labels`, `training_affect`, `label_parameters` and `targets`; `weights` "sample" or
    "none", see losses.weighted_cross_entropy; `l2_weighted`; `backbone`, `pretrained`, `schedule`, and `average_after`,
    the epochs before weights are averaged.

    Returns:
        log_probability (n_test, K) and validation (n_validation, K), logarithms; affect (n_test, 2); attention
        (EXPLAINED, h, w): Grad-CAM of the `explained` faces for their own category. All in half precision.
    """
    parts = problem(track, settings["kind"])
    given = training_labels(track, settings, seed)[0]
    model = _network(parts, settings, seed, classes=len(parts.classes))
    arrays = (
        parts.images[parts.train],
        targets(track, settings, seed),
        training_affect(track, settings, seed),
        _weights(given, len(parts.classes), settings["weights"]),
    )

    schedule = Schedule(**settings["schedule"])
    varied = distorted if schedule.augment == "shift" else schedule.augmented

    def loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, target, affect, weight = batch
        out = network(varied(as_input(x)))
        return dual_domain(
            out.logits, out.affect, target, affect, weight, l2_weighted=settings["l2_weighted"]
        ).mean()

    fit_averaged(
        model,
        loss,
        Rows(*arrays),
        schedule,
        average_after=settings["average_after"],
        inputs=lambda batch: as_input(batch[0]),
        seed=seed,
        checkpoint=checkpoint,
    )
    test, affect = predict(model, parts.images[parts.test])
    out = {"log_probability": test, "affect": affect}
    out["validation"], _ = predict(model, parts.images[parts.validation])
    rows = explained(parts)
    out["attention"] = attention(model, parts.images[rows], parts.label[rows])
    return {name: values.astype(np.float16) for name, values in out.items()}


def explained(parts: Problem) -> NDArray[np.int64]:
    """Rows of at most EXPLAINED test faces, evenly spread over them, since neighbours may be of one video."""
    return parts.test[:: max(len(parts.test) // EXPLAINED, 1)][:EXPLAINED]


def build(parts: Problem, settings: Mapping[str, Any], *, seed: int) -> DualDomainNet:
    """The network that a run with these settings and this seed starts from."""
    return _network(parts, settings, seed, classes=len(parts.classes))


def distorted(x: Tensor) -> Tensor:
    """Pictures (n, channels, h, w) mirrored, moved, turned, zoomed and lit at random, each on its own (neo2023, 4.2).

    Draws from torch's generator, which the loop seeds for every epoch.
    """
    x = augment(x)
    turn, zoom, brightness, contrast = torch.empty(4, len(x), device=x.device).uniform_(-1, 1)
    angle, scale = torch.deg2rad(TURN * turn), 1 + ZOOM * zoom
    cos, sin, nothing = scale * angle.cos(), scale * angle.sin(), torch.zeros_like(angle)
    theta = torch.stack([cos, -sin, nothing, sin, cos, nothing], dim=1).view(-1, 2, 3)
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    gain, level = (1 + LIGHT * contrast).view(-1, 1, 1, 1), (LIGHT * brightness).view(-1, 1, 1, 1)
    return (gain * x + level).contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def predict(
    model: DualDomainNet, images: NDArray[np.uint8], *, batch: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logarithms of probabilities (n, K), and valence and arousal (n, 2), computed in fp32."""
    model.eval()
    device = next(model.parameters()).device
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    found = [model(as_input(torch.from_numpy(np.ascontiguousarray(p)).to(device))) for p in parts]
    logits, affect = (torch.cat(one).cpu() for one in zip(*found, strict=True))
    return logits.log_softmax(dim=1).numpy(), affect.numpy()


def attention(
    model: DualDomainNet, images: NDArray[np.uint8], label: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Grad-CAM (Selvaraju et al. 2020), by captum, for `label` (n,): (n, h, w), not negative.

    Of the last stage of a torchvision network, as the paper; of a compact one's last but one, whose map is not 3 x 3.
    """
    model.eval()
    stages = [m for m in model.backbone.children() if any(isinstance(c, nn.Conv2d) for c in m.modules())]
    layer = stages[-2] if len(stages) == len(COMPACT["tiny_resnet"][0]) else stages[-1]
    x = as_input(torch.from_numpy(np.ascontiguousarray(images))).to(next(model.parameters()).device)
    cam = LayerGradCam(lambda pictures: model(pictures).logits, layer)
    found = cam.attribute(x, target=torch.from_numpy(label).to(x.device), relu_attributions=True)
    assert isinstance(found, Tensor)
    return found.detach().squeeze(1).cpu().numpy()


def _weights(given: NDArray[np.int64], classes: int, reading: str) -> NDArray[np.float32]:
    """What each column of each row's target counts: (n, K); see losses.weighted_cross_entropy."""
    if reading == "none":
        return np.ones((len(given), classes), np.float32)
    weight = class_weights(given, classes=classes).astype(np.float32)
    if reading == "sample":
        return np.repeat(weight[given][:, None], classes, axis=1)
    raise ValueError(f"weights must be sample or none; got {reading!r}")


def _network(parts: Problem, settings: Mapping[str, Any], seed: int, *, classes: int) -> DualDomainNet:
    torch.manual_seed(seed)
    channels = 1 if parts.images.ndim == 3 else 3
    backbone, features = build_backbone(
        settings["backbone"],
        channels=channels,
        pretrained=settings["pretrained"],
        mirrored=settings.get("mirrored", False),
    )
    return DualDomainNet(backbone, features, classes=classes).to(memory_format=torch.channels_last)
