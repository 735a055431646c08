"""le2023's runs: learn seven expressions from labels that are partly wrong, by one of several methods.

One backbone and one loop for all methods; the last epoch's weights; the test split chooses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from paperlib.asked import Asked, product
from paperlib.labels import flip_labels, local_similarity, nearest_in_affect
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import LDLVA, PAPER, RELEASE, LDLVAOptions
from paperlib.models.rivals import RelativeUncertaintyNet, SelfCureNet
from paperlib.tasks.label_variance import as_input, first_backbone
from paperlib.tracks import Track
from paperlib.training import History, Rows, Schedule, fit

CLASSES = 7  # of EXPRESSIONS: all but contempt, which is the last
SMOOTHING = 0.1
SETTINGS = {"paper": PAPER, "release": RELEASE}
HELD_OUT = 0.2  # of the training faces: they train the regressor of pseudo labels and nothing else
OTHER_PEOPLE = {"n": 3_000, "seed": 1}  # twin faces that train it on the twin
PSEUDO_GIVEN = ("rafdb", "sfew")  # nobody rated valence and arousal: the user brings pseudo labels


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A track's faces in the parts that the runs use: n to train, and others to learn valence and arousal from."""

    images: NDArray[np.uint8]  # (n, size, size[, 3])
    rows: NDArray[np.int64]  # (n,) of track.categories()
    validation_rows: NDArray[np.int64]
    test_rows: NDArray[np.int64]
    affect: NDArray[np.float32] | None  # (n, 2) pseudo valence and arousal that the user gave
    other_images: NDArray[np.uint8]
    other_affect: NDArray[np.float32]  # (m, 2)


@lru_cache(maxsize=1)
def problem(track: Track) -> Problem:
    """How the track's faces are divided.

    Raises:
        ValueError: nothing tells where faces lie on the circumplex.
    """
    faces = track.categories()
    assert faces is not None
    train, validation, test = (np.flatnonzero(faces.split == s) for s in ("train", "validation", "test"))
    affect, other = None, faces
    if track.name in PSEUDO_GIVEN:
        affect, others = faces.affect[train], train[:0]
        if not np.isfinite(affect).all():
            raise ValueError(
                f"track {track.name} has no valence and arousal for {(~np.isfinite(affect).all(axis=1)).sum()} of "
                f"{len(train)} training pictures; LDLVA needs pseudo labels: see valence_arousal.csv in data/README.md"
            )
    elif track.name == "twin":
        from paperlib.twin import make_faces

        size, channels = faces.images.shape[1], 3 if faces.images.ndim == 4 else 1
        other = make_faces(OTHER_PEOPLE["n"], seed=OTHER_PEOPLE["seed"], size=size, channels=channels)
        others = np.arange(len(other))
    else:
        held = np.random.default_rng(0).random(len(train)) < HELD_OUT
        others, train = train[held], train[~held]
        others = others[np.isfinite(faces.affect[others]).all(axis=1)]
    return Problem(
        images=faces.images[train],
        rows=train,
        validation_rows=validation,
        test_rows=test,
        affect=affect,
        other_images=other.images[others],
        other_affect=other.affect[others],
    )


def training_labels(
    track: Track, kind: str, *, noise: float = 0.0, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """What the training rows are labelled with, and what they should be: two arrays (n,).

    "consensus": of a share `noise` of exact count, a wrong one, drawn by the seed; "natural": what the data set was
    first published with, wrong or not.
    """
    faces, rows = track.categories(), problem(track).rows
    assert faces is not None and faces.expression is not None
    right = faces.expression[rows].astype(np.int64)
    match kind:
        case "consensus":
            return flip_labels(right, noise, classes=CLASSES, seed=seed)[0].astype(np.int64), right
        case "natural":
            assert faces.original is not None
            return faces.original[rows].astype(np.int64), right
    raise ValueError(f"labels must be consensus or natural; got {kind!r}")


def train_regressor(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float32]]:
    """Pseudo valence and arousal (le2023, sec. 3.2), by a network that saw none of the experiment's labels.

    Returns:
        affect (n, 2) of the training rows, test_affect of the test's, both cut to [-1, 1].
    """
    parts, faces = problem(track), track.categories()
    assert faces is not None
    backbone, features = first_backbone(parts.images, settings, seed)
    schedule = Schedule(**settings["schedule"])
    model = nn.Sequential(backbone, nn.Linear(features, 2)).to(memory_format=torch.channels_last)

    def loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        return F.mse_loss(network(schedule.augmented(as_input(batch[0]))).float(), batch[1])

    fit(model, loss, Rows(parts.other_images, parts.other_affect), schedule, seed=seed, checkpoint=checkpoint)
    return {
        "affect": _outputs(model, parts.images).clip(-1, 1),
        "test_affect": _outputs(model, faces.images[parts.test_rows]).clip(-1, 1),
    }


def train(track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path) -> dict[str, NDArray]:
    """Train one method on the training rows with these labels; predict the test rows.

    Settings: `method`, its name; `labels` and `noise`, see `training_labels`; `backbone`, `pretrained`, `schedule`;
    `mirrored` (test pictures are seen both ways); `rival`, what the method's network is told otherwise than by default.
    For LDLVA also `regressor`, the schedule of `train_regressor`; `places` and `k`, see `neighbourhood`; `online`,
    whether neighbours are sent through the network in every step; `options`: `setting` "paper" or "release", and
    fields that replace its own; `oracle`: a projected factor is 1 for wrong labels and 0 for right ones, as nobody
    can know.

    Returns:
        probability (n_test, 7) and doubt (n,) of the given labels by the method's own measure, in half precision, and
        accuracy on the validation rows (1,). Of LDLVA also gap (1,), the mean total variation between what the bank
        held at the end and what replaced it; recovered (n,) and named (n,), the largest class of the neighbours'
        distribution and of the target. The first seed's also have the target (n, 7) and the calibration scores (n, k),
        as last seen.
    """
    parts = problem(track)
    faces = track.categories()
    assert faces is not None and faces.expression is not None
    label, right = training_labels(track, settings["labels"], noise=settings["noise"], seed=seed)
    backbone, features = first_backbone(parts.images, settings, seed)
    model = _method(track, settings, backbone, features, torch.from_numpy(label))
    if settings.get("oracle"):
        assert isinstance(model, LDLVA)
        model.factor_state.copy_(torch.from_numpy(label != right))
    learn(model, parts.images, label, Schedule(**settings["schedule"]), seed=seed, checkpoint=checkpoint)
    validation = predict(model, faces.images[parts.validation_rows]).argmax(axis=1)
    whole = {"validation": np.array([(validation == faces.expression[parts.validation_rows]).mean()])}
    half = {
        "probability": predict(model, faces.images[parts.test_rows]),
        "doubt": model.doubt().cpu().numpy(),
    }
    if isinstance(model, LDLVA):
        whole["recovered"] = model.aggregated.argmax(dim=1).cpu().numpy().astype(np.int8)
        whole["named"] = model.target.argmax(dim=1).cpu().numpy().astype(np.int8)
        half["gap"] = model.bank_gap.mean(dim=0, keepdim=True).cpu().numpy()
        if seed == 0:
            half |= {"target": model.target.cpu().numpy(), "calibration": model.calibrated.cpu().numpy()}
    return whole | {name: values.astype(np.float16) for name, values in half.items()}


def learn(
    model: ExpressionNet,
    images: NDArray[np.uint8],
    label: NDArray[np.int64],
    schedule: Schedule,
    *,
    seed: int,
    checkpoint: Path | None = None,
) -> History:
    """Train any `ExpressionNet` on pictures (n, size, size[, 3]), changed at random, and their labels (n,)."""

    def loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        x, given, row = batch
        return network(schedule.augmented(as_input(x)), given, row)

    model.to(memory_format=torch.channels_last)
    rows = Rows(images, label, np.arange(len(label)))
    return fit(model, loss, rows, schedule, seed=seed, checkpoint=checkpoint)


def predict(model: ExpressionNet, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Probabilities (n, classes) of pictures (n, size, size[, 3]), computed in fp32."""
    return torch.from_numpy(_outputs(model, images)).softmax(dim=1).numpy()


def neighbourhood(
    track: Track, settings: Mapping[str, Any], options: LDLVAOptions
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Neighbours of the training rows and their local similarity, (n, k) each.

    `places` says where a row lies: "pseudo" (`pseudo_affect`: the paper); "random", anywhere; "itself": its one
    neighbour is it.
    """
    n = len(problem(track).rows)
    match settings["places"]:
        case "pseudo":
            affect = pseudo_affect(track, settings)
        case "random":
            affect = np.random.default_rng(0).uniform(-1, 1, (n, 2)).astype(np.float32)
        case "itself":
            return np.arange(n)[:, None], np.ones((n, 1))
        case other:
            raise ValueError(f"places must be pseudo, random or itself; got {other!r}")
    near = nearest_in_affect(affect, settings["k"])
    return near, local_similarity(affect, near, delta=options.delta, form=options.similarity)


def pseudo_affect(track: Track, settings: Mapping[str, Any]) -> NDArray[np.float32]:
    """The training rows' places (n, 2) on the circumplex: as the user gave them, or the regressor's, trained once."""
    given = problem(track).affect
    return product(regressor(track, settings))["affect"] if given is None else given


def regressor(track: Track, settings: Mapping[str, Any]) -> Asked:
    """The run behind `pseudo_affect`."""
    faces = track.categories()
    assert faces is not None
    wanted = {name: settings[name] for name in ("backbone", "pretrained", "mirrored") if name in settings}
    wanted["schedule"] = settings["regressor"]
    task = f"{__name__}:train_regressor"
    return Asked(task=task, track=track, data=faces.fingerprint, settings=wanted, seed=0)


def _method(
    track: Track, settings: Mapping[str, Any], backbone: nn.Module, features: int, label: Tensor
) -> ExpressionNet:
    own = settings.get("rival", {})
    match settings["method"]:
        case "baseline":
            return ExpressionNet(backbone, features, n=len(label), classes=CLASSES)
        case "label smoothing":
            own = {"smoothing": SMOOTHING, **own}
            return ExpressionNet(backbone, features, n=len(label), classes=CLASSES, **own)
        case "SCN":
            own = {"relabel_after": round(settings["schedule"]["epochs"] / 7), **own}  # SCN's 10 of 70 epochs
            return SelfCureNet(backbone, features, labels=label, classes=CLASSES, **own)
        case "RUL":
            return RelativeUncertaintyNet(backbone, features, n=len(label), classes=CLASSES, **own)
        case "LDLVA":
            given = dict(settings["options"])
            options = replace(SETTINGS[given.pop("setting")], **given)
            near, s = neighbourhood(track, settings, options)
            return LDLVA(
                backbone,
                features,
                classes=CLASSES,
                neighbours=torch.from_numpy(near),
                similarity=torch.from_numpy(s).float(),
                options=options,
                pictures=_pictures(track, settings) if settings["online"] else None,
            )
    raise ValueError(f"there is no method {settings['method']!r}")


def _pictures(track: Track, settings: Mapping[str, Any]) -> Callable[[Tensor], Tensor]:
    images, schedule = problem(track).images, Schedule(**settings["schedule"])

    def of(row: Tensor) -> Tensor:
        return schedule.augmented(as_input(torch.from_numpy(images[row.cpu().numpy()]).to(row.device)))

    return of


@torch.inference_mode()
def _outputs(model: nn.Module, images: NDArray[np.uint8], *, batch: int = 256) -> NDArray[np.float32]:
    model.eval()
    device = next(model.parameters()).device
    parts = [images[start : start + batch] for start in range(0, len(images), batch)]
    return torch.cat([model(as_input(torch.from_numpy(p).to(device))).float().cpu() for p in parts]).numpy()
