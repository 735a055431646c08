"""han2017's runs: a BLSTM from one modality to the emotional state, the perception uncertainty, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from paperlib.annotations import compensate_delay, evaluator_weighted_estimate, perception_uncertainty
from paperlib.data.records import RecordingSet
from paperlib.labels import AFFECT
from paperlib.metrics import ccc, pcc
from paperlib.models.blstm import BLSTM, multi_task_mse
from paperlib.tracks import Track
from paperlib.training import Rows, Schedule, fit, make_fabric

TARGETS = ("E", "sigma")
LIMIT = 5.0  # standard deviations; a coefficient of variation has no bound where the mean crosses zero
SHORTEST = 10  # frames of a training sequence


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The gold standard of every recording, moved back by the delay; F frames are left.

    Frames that fewer than two rated have no uncertainty (NaN) and count nowhere.
    """

    frames: NDArray[np.int64]  # (n,) of each recording, without its last `delay`
    split: NDArray[np.str_]  # (n,)
    gold: NDArray[np.float64]  # (F, 2, 2): E and sigma, of valence and arousal
    kept: NDArray[np.bool_]  # the record's frames that are left: F of them

    def of(self, split: str) -> NDArray[np.int64]:
        """The recordings of a split."""
        return np.flatnonzero(self.split == split)

    def rows(self, i: int) -> slice:
        """The frames of recording i."""
        end = int(self.frames[: i + 1].sum())
        return slice(end - int(self.frames[i]), end)

    def frames_of(self, split: str) -> NDArray[np.int64]:
        """The frames of a split's recordings, in order."""
        return np.concatenate([np.r_[self.rows(i)] for i in self.of(split)])


def gold_standard(record: RecordingSet) -> NDArray[np.float64]:
    """EWE and the raters' standard deviation of every frame (F, 2, 2), weights by recording (eqs. 1 to 6).

    E and sigma, of valence and arousal, at the time of the rating; sigma in the ratings' units.
    """
    parts = []
    for i in range(len(record)):
        ratings = record.ratings[record.rows(i)]
        both = [
            [of(ratings[:, :, d]) for d in range(len(AFFECT))]
            for of in (evaluator_weighted_estimate, perception_uncertainty)
        ]
        parts.append(np.array(both).transpose(2, 0, 1))
    return np.concatenate(parts)


def check(record: RecordingSet, settings: Mapping[str, Any]) -> None:
    """Whether recordings of all splits, and a gold standard moved back by `delay`, can be learnt: a plan's `check`.

    It looks in the order in which frames are lost.

    Raises:
        ValueError: a recording is no longer than the delay, or nobody's disagreement is left of it; or, in the
            recordings of a split, E or sigma never changes: the message names recording and dimension.
    """
    if missing := [split for split in ("train", "validation", "test") if split not in record.split]:
        raise ValueError(
            f"{record.name}: no recording is of the split {', '.join(missing)}. Networks are trained, stopped and "
            "tested on recordings of their own: give some that split."
        )
    delay = settings["delay"]
    after = f"labels are moved back by {delay / record.rate:g} s"
    for i, name in enumerate(record.recording):
        if record.frames[i] <= delay:
            raise ValueError(
                f"recording {name} lasts {record.frames[i] / record.rate:g} s, and {after}. Take it out."
            )
        number = np.isfinite(record.ratings[record.rows(i)][delay:]).sum(axis=1).max(axis=0)
        for dimension, most in zip(AFFECT, number, strict=True):
            if most < 2:
                who = "one rater rates" if most else "nobody rates"
                raise ValueError(
                    f"recording {name}: {who} {dimension} after its first {delay / record.rate:g} s, {after}, and a "
                    "spread needs two raters. Add ratings, or take the recording out."
                )
    gold = gold_standard(record)
    for split in dict.fromkeys(record.split):
        own = np.flatnonzero(record.split == split).tolist()
        moved = np.concatenate([gold[record.rows(i)][delay:] for i in own])
        for target, d in product(range(len(TARGETS)), range(len(AFFECT))):
            values = moved[:, target, d]
            if np.nanmax(values) - np.nanmin(values) < 1e-6:  # ratings are single precision
                names = ", ".join(record.recording[own[:3]])
                what = ("the raters' mean", "their disagreement")[target]
                raise ValueError(
                    f"{AFFECT[d]}, split {split} (recordings {names}): {what} is the same in every frame, so "
                    "nothing is learnt or tested. Restore the ratings, or add recordings."
                )


@lru_cache(maxsize=4)
def problem(track: Track, delay: int) -> Problem:
    """`divided` recordings of a track."""
    record = track.recordings()
    assert record is not None
    return divided(record, delay)


def divided(record: RecordingSet, delay: int) -> Problem:
    """Recordings with sigma rescaled: 0 and 1 are the smallest and largest value in training.

    The paper calls its rescaling to [0, 1] a z-normalisation, which it cannot have been; see its audit.

    Raises:
        ValueError: a recording is no longer than the delay.
    """
    gold = gold_standard(record)
    moved = np.concatenate([compensate_delay(gold[record.rows(i)], delay) for i in range(len(record))])
    frames = record.frames - delay
    kept = np.concatenate([np.arange(n) < n - delay for n in record.frames])
    train = np.repeat(record.split == "train", frames)
    low, high = np.nanmin(moved[train, 1], axis=0), np.nanmax(moved[train, 1], axis=0)
    moved[:, 1] = (moved[:, 1] - low) / (high - low)
    return Problem(frames=frames, split=record.split, gold=moved, kept=kept)


def standardised(track: Track, modality: str, parts: Problem) -> NDArray[np.float32]:
    """Features (F, d) by the training partition's mean and standard deviation, cut off at five of them."""
    features = track.features(modality)
    assert features is not None
    x = np.asarray(features[parts.kept], np.float64)
    train = x[parts.frames_of("train")]
    deviation = train.std(axis=0)
    x = (x - train.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
    return x.clip(-LIMIT, LIMIT).astype(np.float32)


def train(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.floating]]:
    """Train on the training recordings, stop early by the weighted MSE on validation, predict validation and test.

    Settings: `modality`; `dimension`; `targets`, some of `TARGETS`, and their `weights` in the loss (eqs. 7 and 8);
    `delay` in frames; `cells`; `noise`; `sequence`, the frames that training recordings are cut into, None for whole
    ones; `schedule`.

    Returns:
        validation, test (frames, targets): predictions, recordings end to end, in half precision, which resolves them
        to 0.0005; score (targets, 2): CCC and MSE on validation; history (epochs, 2): training loss, validation MSE.
    """
    parts = problem(track, settings["delay"])
    x = standardised(track, settings["modality"], parts)
    chosen = [TARGETS.index(t) for t in settings["targets"]]
    y = parts.gold[:, chosen, AFFECT.index(settings["dimension"])].astype(np.float32)
    torch.manual_seed(seed)
    model = BLSTM(x.shape[1], targets=len(chosen), cells=settings["cells"], noise=settings["noise"])
    pieces = [p for i in parts.of("train") for p in _cut(parts.rows(i), settings["sequence"])]
    held = padded(x, y, [parts.rows(i) for i in parts.of("validation")])

    def loss(network: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        features, target, lengths = batch
        longest = int(lengths.max())  # what is padding to all of the batch need not be computed
        predicted = network(features[:, :longest], lengths)
        return multi_task_mse(predicted, target[:, :longest], lengths, weights=settings["weights"])

    def validate(network: nn.Module) -> float:
        device = next(network.parameters()).device
        with torch.inference_mode():
            return float(loss(network, tuple(torch.from_numpy(a).to(device) for a in held)))

    history = fit(
        model,
        loss,
        Rows(*padded(x, y, pieces)),
        Schedule(**settings["schedule"]),
        seed=seed,
        fabric=make_fabric(precision="32-true"),  # frames differ by less than bf16 resolves
        validate=validate,
        checkpoint=checkpoint,
    )
    out = {s: predict(model, x, [parts.rows(i) for i in parts.of(s)]) for s in ("validation", "test")}
    right = y[parts.frames_of("validation")]
    predictions: dict[str, NDArray[np.floating]] = {s: v.astype(np.float16) for s, v in out.items()}
    return predictions | {
        "score": np.array([_score(*of) for of in zip(out["validation"].T, right.T, strict=True)], np.float32),
        "history": np.array([history.loss, history.validation], np.float32).T,
    }


def padded(
    x: NDArray[np.float32], y: NDArray[np.float32], pieces: Sequence[slice]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    """Pieces of frames as (pieces, longest, features), (pieces, longest, targets) and lengths; padding is zero."""

    def stacked(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return pad_sequence([torch.from_numpy(values[piece]) for piece in pieces], batch_first=True).numpy()

    return stacked(x), stacked(y), np.array([piece.stop - piece.start for piece in pieces])


def predict(model: BLSTM, x: NDArray[np.float32], recordings: Sequence[slice]) -> NDArray[np.float32]:
    """Predictions (frames, targets) of whole recordings, end to end, from features (F, d)."""
    model.eval()
    device = next(model.parameters()).device
    parts = []
    with torch.inference_mode():
        for rows in recordings:
            one = torch.from_numpy(x[rows]).unsqueeze(0).to(device)
            parts.append(model(one, torch.tensor([one.shape[1]], device=device))[0].float().cpu().numpy())
    return np.concatenate(parts)


def search_delay(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float64]]:
    """How well a linear model of each modality predicts E on validation if the gold standard is moved by each delay.

    The search of S. Mariooryad and C. Busso (IEEE Transactions on Affective Computing 6(2), 2015), with ridge
    regression in place of mutual information; the penalty is chosen on the training recordings. Settings: `modalities`;
    `delays` in frames.

    Returns:
        correlation (modalities, delays, 2): Pearson's, of valence and arousal; NaN where a recording is no longer than
        the delay.
    """
    record = track.recordings()
    assert record is not None
    found = np.full((len(settings["modalities"]), len(settings["delays"]), len(AFFECT)), np.nan)
    for m, modality in enumerate(settings["modalities"]):
        for j, delay in enumerate(settings["delays"]):
            if delay >= record.frames.min():
                continue
            parts = problem(track, delay)
            x = standardised(track, modality, parts)
            train, held = parts.frames_of("train"), parts.frames_of("validation")
            for d in range(len(AFFECT)):
                y = parts.gold[:, 0, d]
                a, b = train[np.isfinite(y[train])], held[np.isfinite(y[held])]
                model = RidgeCV(alphas=np.logspace(1, 5, 5)).fit(x[a], y[a])
                found[m, j, d] = pcc(model.predict(x[b]), y[b])
    return {"correlation": found}


def _score(predicted: NDArray[np.float32], gold: NDArray[np.float32]) -> tuple[float, float]:
    """CCC and MSE over the frames that have a gold standard."""
    rated = np.isfinite(gold)
    p, y = predicted[rated].astype(np.float64), gold[rated].astype(np.float64)
    return float(ccc(p, y)), float(np.mean((p - y) ** 2))


def _cut(rows: slice, sequence: int | None) -> list[slice]:
    """A recording in pieces of `sequence` frames; a last one that is very short is left out."""
    if sequence is None:
        return [rows]
    starts = range(rows.start, rows.stop, sequence)
    pieces = [slice(start, min(start + sequence, rows.stop)) for start in starts]
    return [p for p in pieces if p.stop - p.start >= min(SHORTEST, rows.stop - rows.start)]
