"""Runs of the comparison: one backbone, one schedule, the same faces, and every method's own way to be unsure.

All learn seven expressions from one source's labels, wrong ones included, and for the last epoch's weights. What a
method is told beside the label differs, and is named: nothing, one rater's valence and arousal, or all raters.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paperlib.data.records import FaceSet
from paperlib.fusion import fit_label_parameters, fuse, posterior
from paperlib.labels import EXPRESSIONS, local_similarity, nearest_in_affect, refuse_rare
from paperlib.models.expression import ExpressionNet
from paperlib.models.joint import DropoutNet, JointNet, SoftLabelNet, read
from paperlib.models.ldlva import LDLVA, LDLVAOptions
from paperlib.models.rivals import SelfCureNet
from paperlib.tasks.label_variance import as_input, first_backbone, one_rating
from paperlib.tasks.noisy_labels import CLASSES, learn
from paperlib.tracks import Track
from paperlib.training import Schedule

MOST = {"smoke": (400, 200), "full": (15_000, 3_000)}  # faces to train and to test; a data set may have fewer
_AFFECT_LOSS = {
    "KL variance": "KL",
    "beta-NLL": "beta-NLL",
    "evidential regression": "evidential",
    "EmoFAN's losses": "concordance",
    "predicted disagreement": "disagreement",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The faces that are trained on and tested, and what the training faces are labelled."""

    faces: FaceSet
    train: NDArray[np.int64]  # (n,) rows of `faces`
    test: NDArray[np.int64]  # (m,)
    label: NDArray[np.int64]  # (n,) one source's, wrong or not
    wrong: NDArray[np.bool_]  # (n,) most raters name another category


@lru_cache(maxsize=2)
def problem(track: Track, every_face: bool = False) -> Problem | None:
    """How the track's faces are divided; None where it lacks a second source of labels, votes or ratings.

    With `every_face` all training faces are learnt, and not as many as `MOST` says; the test faces are the same.
    """
    faces = track.categories()
    if faces is None or faces.original is None or faces.votes is None or faces.ratings is None:
        return None
    assert faces.expression is not None
    most = MOST.get(track.profile, (len(faces), len(faces)))
    most = (len(faces), most[1]) if every_face else most
    train, test = (
        np.sort(np.random.default_rng(0).permutation(np.flatnonzero(faces.split == name))[:k])
        for name, k in zip(("train", "test"), most, strict=True)
    )
    label = faces.original[train].astype(np.int64)
    return Problem(faces=faces, train=train, test=test, label=label, wrong=label != faces.expression[train])


def check(faces: FaceSet, settings: Mapping[str, Any]) -> None:
    """ValueError if too few training faces have a category as their first label: a plan's `check`.

    Fused labels need three, to fit a Gaussian.
    """
    assert faces.original is not None
    given = faces.original[faces.split == "train"]
    where = f"{faces.name}, first labels of the split train"
    refuse_rare(given, classes=range(CLASSES), least=3, where=where)


def train(track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    """Train a method and ask it about the test faces, and about the labels it was trained on.

    Settings: `method`, see `_method`; `backbone`; `schedule`; for LDLVA `options`, in place of the paper's; for SCN
    perhaps `rival`, with `relabel_after`; for fused labels `reading`, see `fusion.READINGS`; perhaps `every_face`, see
    `problem`.

    Returns:
        probability (m, 7) of the test faces; "score: ..." (m,), its measures of not being sure; doubt (n,), the
        method's own of the given labels, and loss (n,), that of each label averaged over training; all in half
        precision. seconds (1,) of the processor, in training.
    """
    parts = problem(track, settings.get("every_face", False))
    assert parts is not None
    return _learnt(parts, settings, seed, checkpoint)


def train_on_majority(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray]:
    """The vote distribution's control: all votes of a training face go to the category that most raters name.

    So it is a plain network on the majority's label in the given one's place: what the vote distribution has beyond it
    is due to the distribution. Settings are `train`'s without `method`; returns what `train` does.
    """
    parts = problem(track, settings.get("every_face", False))
    assert parts is not None and parts.faces.expression is not None
    votes = np.eye(len(EXPRESSIONS), dtype=np.int16)[parts.faces.expression]
    united = replace(parts, faces=replace(parts.faces, votes=votes))
    return _learnt(united, {**settings, "method": "vote distribution"}, seed, checkpoint)


def _learnt(parts: Problem, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    model = _method(parts, settings, seed)
    images = parts.faces.images[parts.train]
    start = time.process_time()
    learn(model, images, parts.label, Schedule(**settings["schedule"]), seed=seed, checkpoint=checkpoint)
    seconds = time.process_time() - start
    probability, scores = _read(model, parts.faces.images[parts.test])
    out = {"probability": probability} | {f"score: {name}": values for name, values in scores.items()}
    out |= {
        "loss": (model.total_loss / model.visits.clamp_min(1)).cpu().numpy(),
        "doubt": _doubt(model, images, parts.label),
    }
    half = {name: np.clip(values, -6e4, 6e4).astype(np.float16) for name, values in out.items()}
    return half | {"seconds": np.array([seconds])}


def _method(parts: Problem, settings: Mapping[str, Any], seed: int) -> ExpressionNet:
    backbone, features = first_backbone(parts.faces.images, settings, seed)
    n, method = len(parts.label), settings["method"]
    match method:
        case "plain network":
            return ExpressionNet(backbone, features, n=n, classes=CLASSES)
        case "MC dropout":
            return DropoutNet(backbone, features, n=n, classes=CLASSES)
        case "SCN":
            own = {"relabel_after": round(settings["schedule"]["epochs"] / 7)}  # SCN's 10 of 70 epochs
            own |= settings.get("rival", {})
            return SelfCureNet(
                backbone, features, labels=torch.from_numpy(parts.label), classes=CLASSES, **own
            )
        case "LDLVA":
            return _ldlva(backbone, features, rating(parts, seed), settings["options"])
        case "fused labels":
            target = fused(parts.label, rating(parts, seed), reading=settings["reading"])
            return SoftLabelNet(backbone, features, target=torch.from_numpy(target).float())
        case "vote distribution":
            return SoftLabelNet(backbone, features, target=torch.from_numpy(vote_shares(parts)).float())
    if method not in _AFFECT_LOSS:
        raise ValueError(f"there is no method {method!r}")
    name = _AFFECT_LOSS[method]
    affect = mean_and_deviation(parts) if name == "disagreement" else rating(parts, seed)
    return JointNet(backbone, features, target=torch.from_numpy(affect).float(), classes=CLASSES, method=name)


def rating(parts: Problem, seed: int) -> NDArray[np.float32]:
    """(n, 2) one rater's valence and arousal of each training face, drawn by the seed."""
    assert parts.faces.ratings is not None
    return one_rating(parts.faces.ratings[parts.train], seed=seed)


def fused(label: NDArray[np.int64], affect: NDArray[np.float32], *, reading: str) -> NDArray[np.float64]:
    """neo2023's labels (n, 7): half the given one, half the class-wise Gaussians' at the face's place."""
    parameters = fit_label_parameters(
        affect, label, classes=EXPRESSIONS[:CLASSES], source="training faces", reading=reading
    )
    return fuse(label, posterior(parameters, affect), alpha=0.5)


def vote_shares(parts: Problem) -> NDArray[np.float64]:
    """(n, 7) the share of a training face's votes that each category has, contempt left out."""
    assert parts.faces.votes is not None
    votes = parts.faces.votes[parts.train, :CLASSES].astype(np.float64)
    return votes / votes.sum(axis=1, keepdims=True)


def mean_and_deviation(parts: Problem) -> NDArray[np.float32]:
    """(n, 4) the raters' mean valence and arousal of each training face, and their standard deviation (n - 1)."""
    assert parts.faces.ratings is not None
    ratings = parts.faces.ratings[parts.train]
    return np.concatenate([np.nanmean(ratings, axis=1), np.nanstd(ratings, axis=1, ddof=1)], axis=1)


def _ldlva(
    backbone: nn.Module, features: int, affect: NDArray[np.float32], options: Mapping[str, Any]
) -> LDLVA:
    chosen = LDLVAOptions(**options)
    near = nearest_in_affect(affect, 8)
    return LDLVA(
        backbone,
        features,
        classes=CLASSES,
        neighbours=torch.from_numpy(near),
        similarity=torch.from_numpy(local_similarity(affect, near, delta=chosen.delta)).float(),
        options=chosen,
    )


def _doubt(model: ExpressionNet, images: NDArray[np.uint8], label: NDArray[np.int64]) -> NDArray[np.float32]:
    """The method's own: a predicted variance, or what a mixture of labels takes away from the given one."""
    if isinstance(model, JointNet):
        scores = _read(model, images)[1]
        return scores.get("variance", model.doubt().cpu().numpy())
    if isinstance(model, SoftLabelNet):
        return 1 - model.target.cpu().numpy()[np.arange(len(label)), label]
    return model.doubt().cpu().numpy()


@torch.inference_mode()
def _read(
    model: ExpressionNet, images: NDArray[np.uint8], *, batch: int = 256
) -> tuple[NDArray, dict[str, NDArray]]:
    model.eval()
    torch.manual_seed(0)  # dropout's passes
    device = next(model.parameters()).device
    parts = [
        read(model, as_input(torch.from_numpy(images[first : first + batch]).to(device)))
        for first in range(0, len(images), batch)
    ]

    def joined(values: list[Tensor]) -> NDArray:
        return torch.cat(values).float().cpu().numpy()

    scores = {name: joined([p.scores[name] for p in parts]) for name in parts[0].scores}
    return joined([p.probability for p in parts]), scores
