"""toisoul2021's runs: learn face alignment, then expression, valence and arousal on its features.

A picture is cropped by its landmarks before anything else: the data set's own ("original"; on FER+, those of
`paperlib.detector`), or those of the alignment network trained here ("FAN").
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from paperlib import losses
from paperlib.asked import Asked, product
from paperlib.augmentation import augment
from paperlib.data import person_folds, requirements
from paperlib.data.records import FaceSet
from paperlib.inference import crop_face
from paperlib.labels import EXPRESSIONS, refuse_rare
from paperlib.models.backbones import build_backbone
from paperlib.models.dual_domain import DualDomainNet
from paperlib.models.emofan import EmoFAN, freeze_alignment, landmarks_from_heatmaps, nme, target_heatmaps
from paperlib.tasks.dual_domain import distorted
from paperlib.tasks.label_variance import one_rating
from paperlib.tracks import Track
from paperlib.training import Rows, Schedule, fit

OLD_DETECTOR = 0.06  # the twin's "original" landmarks: error of place and size, as a share of the face's box
SIGMA = 1.0  # cells of the heatmap
# Faces of people that a profile trains and validates on.
MOST = {"smoke": (300, 100), "full": (15_000, 3_000)}
_ALIGNER: Mapping[str, Any] = {"network": "EmoFAN", "attention": True}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A track's faces with what is learnt and what it is judged by; n faces."""

    original: NDArray[np.float32] | None  # (n, 68, 2) the data set's own landmarks
    true: NDArray[np.float32] | None  # (n, 68, 2) right ones, which only the twin knows
    label: NDArray[np.int64]  # (n,) one annotator's category, index into EXPRESSIONS; -1 where there is none
    affect: NDArray[np.float32]  # (n, 2) one annotator's valence and arousal where raters are known
    faces: FaceSet  # its images are not yet cropped
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    fingerprint: str


@lru_cache(maxsize=2)
def problem(track: Track) -> Problem:
    """The track's faces; as in AffectNet, each has one annotator, drawn once, where several are known.

    The twin's own landmarks, right to a pixel, get the errors of an older detector (`OLD_DETECTOR`). The track has to
    be `learnable`.
    """
    faces = track.of_kind("portraits")
    assert faces is not None
    usable = np.isfinite(_rated(faces)).all(axis=1)
    train, validation, test = (
        np.flatnonzero((faces.split == s) & usable) for s in ("train", "validation", "test")
    )
    if not len(validation):
        order = np.random.default_rng(0).permutation(train)
        train, validation = np.sort(order[len(order) // 10 :]), np.sort(order[: len(order) // 10])
    if track.name != "twin" and track.profile in MOST:
        train, validation = (
            np.sort(np.random.default_rng(0).permutation(rows)[:most])
            for rows, most in zip((train, validation), MOST[track.profile], strict=True)
        )
    label = np.full(len(faces), -1) if faces.expression is None else faces.expression.astype(np.int64)
    settings = (faces.fingerprint, len(train), len(validation), OLD_DETECTOR)
    known_by = hashlib.sha256(repr(settings).encode()).hexdigest()
    return _problem(faces, label=label, train=train, test=test, fingerprint=known_by)


def _problem(faces: FaceSet, **parts: Any) -> Problem:
    twin, landmarks = faces.truth is not None, faces.landmarks
    return Problem(
        original=_as_by_an_older_detector(landmarks) if twin and landmarks is not None else landmarks,
        true=landmarks if twin else None,
        affect=_rated(faces),
        faces=faces,
        **parts,
    )


def _rated(faces: FaceSet) -> NDArray[np.float32]:
    return faces.affect if faces.ratings is None else one_rating(faces.ratings, seed=0)


def learnable(track: Track) -> Problem | None:
    """`problem`, None where a track has no affect to learn, or no landmarks."""
    faces = track.of_kind("portraits")
    known = faces is not None and faces.landmarks is not None and np.isfinite(faces.affect).any()
    return problem(track) if known else None


def check(parts: Problem, settings: Mapping[str, Any]) -> None:
    """ValueError if no face is left to train or to test on, or none of a category that the set has: a plan's `check`.

    A category that no face has is not learnt, and takes nothing from the others.
    """
    for split, rows in (("train", parts.train), ("test", parts.test)):
        where = f"{parts.faces.name}, split {split} with valence and arousal"
        if not len(rows):
            raise ValueError(f"{where}: no face. Every page trains and tests: give some faces that split.")
        known = np.unique(parts.label[parts.label >= 0])
        refuse_rare(parts.label[rows], classes=known.tolist(), least=1, where=where)


def folded(track: Track) -> Problem | None:
    """`clips` as runs know them: by the faces to learn first, too; None where a track has one of both alone."""
    few, base = clips(track), larger(track)
    if few is None or base != track and not all(there for _, there in requirements(base.name, base.root)):
        return None
    return replace(few, fingerprint=f"{few.fingerprint} {problem(track).fingerprint}")


def _as_by_an_older_detector(landmarks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Landmarks (n, 68, 2) with a face's place and size wrong, and each point a little more."""
    rng = np.random.default_rng(0)
    centre = landmarks.mean(axis=1, keepdims=True)
    box = np.ptp(landmarks, axis=1).mean(axis=1)[:, None, None]
    shift, size = rng.normal(0, OLD_DETECTOR, (2, len(landmarks), 1, 2))
    jitter = rng.normal(0, OLD_DETECTOR / 3, landmarks.shape)
    wrong = centre + (landmarks - centre) * (1 + size[..., :1]) + box * (shift + jitter)
    return wrong.astype(np.float32)


class Crops(NamedTuple):
    """Pictures cut out by landmarks, and right landmarks in their pixels."""

    images: NDArray[np.uint8]  # (n, size, size[, 3])
    landmarks: NDArray[np.float32]  # (n, 68, 2)


def crops(parts: Problem, landmarks: NDArray[np.float32], size: int) -> Crops:
    """Every picture cropped by its landmarks (n, 68, 2)."""
    images, points = [], []
    right = parts.true if parts.true is not None else landmarks
    for picture, by, true in zip(parts.faces.images, landmarks, right, strict=True):
        crop, window = crop_face(picture, by, size=size)
        images.append(crop)
        points.append(window.to_crop(true))
    return Crops(np.stack(images), np.stack(points).astype(np.float32))


def alignment(track: Track, settings: Mapping[str, Any]) -> Asked:
    """The one run behind every network that uses face alignment."""
    wanted = {name: settings[name] for name in ("width", "depth", "size", "alignment_schedule")}
    task = f"{__name__}:train_alignment"
    return Asked(task=task, track=track, data=problem(track).fingerprint, settings=wanted, seed=0)


def _give(model: EmoFAN, learnt: Mapping[str, NDArray]) -> None:
    """Put the weights of a run of `train_alignment` into a network."""
    names = model.fan.state_dict()
    model.fan.load_state_dict({name: torch.from_numpy(np.array(learnt[f"fan.{name}"])) for name in names})


def train_alignment(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray]:
    """Learn heatmaps of 68 landmarks on the training faces, cropped by the data set's own landmarks.

    On the twin the right landmarks are learnt, as face alignment is trained on data made for it; else the given ones.
    Settings: `width`, `depth`, `size`, `alignment_schedule`.

    Returns:
        landmarks (n, 68, 2) found in every picture, in its pixels; nme (n_test, 2): error of the original and of the
        found landmarks by the right ones' box, where these are known; "fan.<name>": the network's weights.
    """
    parts = problem(track)
    assert parts.original is not None
    seen = crops(parts, parts.original, settings["size"])
    model = network(parts, {**settings, **_ALIGNER}, seed)
    assert isinstance(model, EmoFAN)
    cells, size = settings["size"] // 4, settings["size"]

    def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, points = batch
        # points that lie outside of the crop have no heatmap, and are learnt as an empty one
        target = target_heatmaps(points, size=size, heatmap_size=cells, sigma=SIGMA)
        maps = net.alignment(scaled(x))  # type: ignore[operator]
        weight = 1 + 10 * target  # a Gaussian covers few cells; without weight, empty maps are nearly right
        return torch.stack([(weight * (m.float() - target).square()).mean() for m in maps]).sum()

    rows = Rows(seen.images, seen.landmarks, at=parts.train)
    fit(model, loss, rows, Schedule(**settings["alignment_schedule"]), seed=seed, checkpoint=checkpoint)
    found = locate(model, parts, seen.images)
    out: dict[str, NDArray] = {f"fan.{k}": v.cpu().numpy() for k, v in model.fan.state_dict().items()}
    out["landmarks"] = found
    if parts.true is not None:
        true = torch.from_numpy(parts.true[parts.test])
        both = (parts.original[parts.test], found[parts.test])
        out["nme"] = np.stack([nme(torch.from_numpy(p), true).numpy() for p in both], axis=1)
    return out


@torch.inference_mode()
def locate(model: EmoFAN, parts: Problem, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The landmarks (n, 68, 2) that the network finds in crops by the original ones, in the pictures' pixels."""
    model.eval()
    device = next(model.parameters()).device
    size, found = images.shape[1], []
    for start in range(0, len(images), 256):
        x = scaled(torch.from_numpy(np.ascontiguousarray(images[start : start + 256])).to(device))
        found.append(landmarks_from_heatmaps(model.alignment(x)[-1].float(), size=size).cpu().numpy())
    points = np.concatenate(found)
    assert parts.original is not None
    back = [
        crop_face(picture, by, size=size)[1].to_picture(p)
        for picture, by, p in zip(parts.faces.images, parts.original, points, strict=True)
    ]
    return np.stack(back).astype(np.float32)


def scaled(images: Tensor) -> Tensor:
    """uint8 (n, size, size[, 3]) to float (n, channels, size, size) in 0 to 1, channels last in memory."""
    x = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
    return (x.float() / 255).contiguous(memory_format=torch.channels_last)


def network(parts: Problem, settings: Mapping[str, Any], seed: int) -> EmoFAN | DualDomainNet:
    """The network a run starts from: "ResNet-18" is `backbone` with two heads, "EmoFAN" has the alignment inside."""
    torch.manual_seed(seed)
    if settings["network"] == "ResNet-18":
        channels = 1 if parts.faces.images.ndim == 3 else 3
        backbone, features = build_backbone(settings["backbone"], channels=channels)
        model: EmoFAN | DualDomainNet = DualDomainNet(backbone, features, classes=len(EXPRESSIONS))
    else:
        sizes = {name: settings[name] for name in ("width", "depth", "size", "attention")}
        model = EmoFAN(classes=len(EXPRESSIONS), **sizes)
    return model.to(memory_format=torch.channels_last)


def train(track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    """Train on the training faces, predict the test faces; the last epoch's weights, chosen by nobody.

    Settings: those of `network`; `landmarks` "original" or "FAN"; `frozen`: face alignment stays as it was learnt;
    `categories`: learn these too; `loss` "CCC" (eq. 6), "MSE" (eq. 9) or "shake-shake" (eq. 8), whose coefficients are
    drawn in every step from the run's seed; `teacher`: the settings of a run whose predictions are distilled (eq. 7),
    `distil` "adds" them to the cross-entropy or "replaces" it; `temperature`; `teaches`: others learn from this run;
    `keeps`: its weights are kept; `schedule`; `alignment_schedule`; `turned`: pictures are turned, zoomed and lit at
    random too, not only mirrored and moved, which takes a small network more steps than a scaled profile has.

    Returns:
        affect (n_test, 2), logits (n_test, 8), in half precision; where the run `teaches`, "train": the logits of the
        training faces; where it `keeps`, "weights.<name>".

    Raises:
        ValueError: the settings of the teacher do not say that it teaches.
    """
    parts = problem(track)
    model = network(parts, settings, seed)
    if isinstance(model, EmoFAN):
        _give(model, product(alignment(track, settings)))
        if settings["frozen"]:
            freeze_alignment(model)
    images = crops(parts, landmarks_of(track, settings), settings["size"]).images
    varied = distorted if settings["turned"] else augment
    teacher = np.zeros((len(parts.train), len(EXPRESSIONS)), np.float32)
    if settings["teacher"] is not None:
        if not settings["teacher"].get("teaches"):
            raise ValueError("a teacher's settings must have `teaches`, or it keeps nothing to learn from")
        known = {"data": parts.fingerprint, "settings": settings["teacher"], "seed": seed}
        run = Asked(task=f"{__name__}:train", track=track, **known)
        teacher = product(run)["train"].astype(np.float32)

    def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, label, affect, soft = batch
        out = outputs(net, varied(scaled(x)))
        total = _regression(settings["loss"], out.affect.float(), affect)
        if settings["categories"]:
            logits, hard = out.logits.float(), F.cross_entropy(out.logits.float(), label, ignore_index=-1)
            if settings["teacher"] is not None:
                softened = losses.distillation(logits, soft, temperature=settings["temperature"])
                hard = softened if settings["distil"] == "replaces" else hard + softened
            total = total + hard
        return total

    rows = Rows(images[parts.train], parts.label[parts.train], parts.affect[parts.train], teacher)
    fit(model, loss, rows, Schedule(**settings["schedule"]), seed=seed, checkpoint=checkpoint)
    affect, logits = predict(model, images[parts.test])
    found = {"affect": affect, "logits": logits}
    if settings.get("teaches"):
        found["train"] = predict(model, images[parts.train])[1]
    if settings.get("keeps"):
        found |= {f"weights.{name}": tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
    return {name: values.astype(np.float16) for name, values in found.items()}


def landmarks_of(track: Track, settings: Mapping[str, Any]) -> NDArray[np.float32]:
    """The landmarks (n, 68, 2) that a run with these settings crops by."""
    original = problem(track).original
    if settings["landmarks"] == "original" and original is not None:
        return original
    if settings["landmarks"] == "FAN":
        return product(alignment(track, settings))["landmarks"]
    raise ValueError(f"landmarks must be original or FAN; got {settings['landmarks']!r}")


class Outputs(NamedTuple):
    """What both kinds of networks say: logits (n, 8), valence and arousal (n, 2)."""

    logits: Tensor
    affect: Tensor


def outputs(model: nn.Module, x: Tensor) -> Outputs:
    out = model(x)
    return Outputs(out.expression if hasattr(out, "expression") else out.logits, out.affect)


@torch.inference_mode()
def predict(
    model: nn.Module, images: NDArray[np.uint8], *, batch: int = 256
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Valence and arousal (n, 2), cut to [-1, 1], and logits (n, 8), in fp32; mean over a picture and its mirror image.

    As the released evaluation does it.
    """
    model.eval()
    device = next(model.parameters()).device
    found = []
    for start in range(0, len(images), batch):
        x = scaled(torch.from_numpy(np.ascontiguousarray(images[start : start + batch])).to(device))
        both = [outputs(model, view) for view in (x, x.flip(3))]
        found.append([(a + b).float().cpu().numpy() / 2 for a, b in zip(*both, strict=True)])
    logits, affect = (np.concatenate(one) for one in zip(*found, strict=True))
    return affect.clip(-1, 1), logits


def _regression(name: str, predicted: Tensor, target: Tensor) -> Tensor:
    if name == "shake-shake":
        return losses.shake_shake(predicted, target, torch.rand(3, device=predicted.device))
    return {"CCC": losses.concordance_loss, "MSE": losses.squared_error_sum}[name](predicted, target)


@lru_cache(maxsize=2)
def clips(track: Track) -> Problem | None:
    """A small data set without split or categories, as AFEW-VA is; None where the track has none.

    On the twin: some hundred portraits of other people, labelled and misplaced as in `problem`.
    """
    faces = track.of_kind("clips")
    if faces is None:
        return None
    assert faces.landmarks is not None and faces.subject is not None
    rows, unknown = np.arange(len(faces)), np.full(len(faces), -1)
    return _problem(faces, label=unknown, train=rows, test=rows, fingerprint=faces.fingerprint)


def larger(track: Track) -> Track:
    """What a network for `clips` is first trained on: AffectNet for AFEW-VA (toisoul2021), else the track's own."""
    return replace(track, name="affectnet") if track.name == "afewva" else track


def cross_validate(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray]:
    """Person-independent cross-validation on `clips`, each fold from the same first weights; the last epoch's.

    Settings: those of `train`, but for distillation's; `first`: first train on the `larger` data, with categories;
    `folds`; `fold_schedule`. Only valence and arousal are learnt in a fold.

    Returns:
        affect (n, 2), each from the network that saw neither the face nor its person, in half precision; fold (n,).
    """
    parts, base = clips(track), problem(larger(track))
    assert parts is not None and parts.original is not None and parts.faces.subject is not None
    learnt = product(alignment(larger(track), settings))
    aligner, model = network(base, {**settings, **_ALIGNER}, seed), network(base, settings, seed)
    for net in (aligner, model):
        if isinstance(net, EmoFAN):
            _give(net, learnt)
            freeze_alignment(net)
    assert isinstance(aligner, EmoFAN)
    size = settings["size"]
    found = locate(aligner, parts, crops(parts, parts.original, size).images)
    images = crops(parts, found, size).images

    def loss(net: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, label, affect = batch
        out = outputs(net, augment(scaled(x)))
        total = _regression(settings["loss"], out.affect.float(), affect)
        known = bool((label >= 0).any())  # cross-entropy of no label at all is NaN
        return total + F.cross_entropy(out.logits.float(), label, ignore_index=-1) if known else total

    def learn(x: NDArray, of: Problem, rows: NDArray, schedule: Mapping[str, Any], name: str) -> None:
        own = checkpoint.with_suffix(f".{name}.ckpt")
        data = Rows(x[rows], of.label[rows], of.affect[rows])
        fit(model, loss, data, Schedule(**schedule), seed=seed, checkpoint=own)
        own.unlink(missing_ok=True)

    if settings["first"]:
        seen = crops(base, learnt["landmarks"], size).images
        learn(seen, base, base.train, settings["schedule"], "first")
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    fold = person_folds(parts.faces.subject, folds=settings["folds"])
    affect = np.full((len(fold), 2), np.nan, np.float32)
    for k in range(settings["folds"]):
        model.load_state_dict(state)
        learn(images, parts, np.flatnonzero(fold != k), settings["fold_schedule"], str(k))
        affect[fold == k] = predict(model, images[fold == k])[0]
    return {"affect": affect.astype(np.float16), "fold": fold.astype(np.int8)}
