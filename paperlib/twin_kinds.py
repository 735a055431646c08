"""The twin in place of neo2023's three data sets: skewed faces as AffectNet, videos as Aff-Wild, morphs as MorphSet.

All are drawn by `paperlib.twin`; here is what each data set is known for, and nothing else of it. `with_others` gives
any of the twin's faces more people to test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paperlib.data.records import FaceSet, concatenated, subset
from paperlib.labels import EXPRESSIONS, sole_winner
from paperlib.twin.faces import draw_faces
from paperlib.twin.parameters import sample_parameters
from paperlib.twin.raters import fingerprint, make_faces

# AffectNet's training pictures by category (Mollahosseini et al. 2019, table 3, less 500 a class for validation)
AFFECTNET = {
    "neutral": 74_874,
    "happy": 134_415,
    "sad": 25_459,
    "surprise": 14_090,
    "fear": 6_378,
    "disgust": 3_803,
    "anger": 24_882,
    "contempt": 3_750,
}
SCATTER = 0.05  # standard deviation of morphs' labels: consistent, but a neutral face is no point either
OTHERS_SEEDS = (6, 7)  # of further people to test, 200 each
POOL = 4  # faces are drawn until the rarest classes can be thinned to AffectNet's proportions


def with_others(faces: FaceSet, make: Callable[[int], FaceSet]) -> FaceSet:
    """`faces`, and what `make` draws with each of OTHERS_SEEDS: faces of 200 other people each, to test."""
    for seed in OTHERS_SEEDS:
        others = make(seed)
        assert others.subject is not None
        subject = np.char.add(f"{seed}-", others.subject)
        others = replace(others, split=np.full(len(others), "test"), subject=subject)
        faces = concatenated(faces, others)
    return faces


def skewed_faces(n: int, *, others: int, size: int, channels: int) -> FaceSet:
    """About n training faces, skewed like the square root of AffectNet's counts, and as many test faces of each class.

    The root keeps 6 of AffectNet's 36 : 1 between most and fewest, so that the rarest class can still be learnt from
    so few. The category is the sole winner of ten votes, a tie leaves the face out; `original` is one annotator's.
    The test is drawn from people of the same population and from `others` faces of each of OTHERS_SEEDS.
    """

    def draw(n: int, seed: int) -> FaceSet:
        return make_faces(n, seed=seed, size=size, channels=channels)

    faces = with_others(draw(POOL * n, 0), lambda seed: draw(others, seed))
    assert faces.votes is not None
    winner = sole_winner(faces.votes).astype(np.int8)
    share = np.sqrt([AFFECTNET[name] for name in EXPRESSIONS])
    wanted = np.round(n * share / share.sum()).astype(int)
    kept = [np.flatnonzero((winner >= 0) & (faces.split == "validation"))]
    by_class = {
        s: [np.flatnonzero((winner == k) & (faces.split == s)) for k in range(8)] for s in ("train", "test")
    }
    fewest = min(map(len, by_class["test"]))
    kept += [rows[:count] for rows, count in zip(by_class["train"], wanted, strict=True)]
    kept += [np.random.default_rng(0).permutation(rows)[:fewest] for rows in by_class["test"]]
    rows = np.sort(np.concatenate(kept))
    faces = replace(
        faces, original=faces.expression, expression=winner, fingerprint=_mark(faces.fingerprint, n)
    )
    return replace(subset(faces, rows), excluded={"tie": int((winner < 0).sum())})


def morphs(n: int, *, others: int, size: int, channels: int) -> FaceSet:
    """Faces as from a laboratory: sharp, well lit, nearly frontal, one of seven categories each, equally often.

    Each is a morph between the neutral face and an apex, at least a quarter of the way, and the category is the apex's
    all the way. Valence and arousal go along, with hardly a scatter. n are split by person; `others` more of each of
    OTHERS_SEEDS are tests.
    """
    return with_others(
        _morphs(n, seed=2, size=size, channels=channels),
        lambda seed: _morphs(others, seed=seed, size=size, channels=channels),
    )


def _morphs(n: int, *, seed: int, size: int, channels: int) -> FaceSet:
    p = sample_parameters(n * 16 // 7, seed=seed)
    p = p.rows(np.flatnonzero((p.weight == 1) & (p.categories[:, 0] < 7))[:n])
    nothing = np.zeros(len(p))
    rng = np.random.default_rng(seed)
    way, scatter = rng.uniform(0.25, 1, (len(p), 1)), rng.normal(0, SCATTER, (len(p), 2))
    p = replace(
        p,
        blur=nothing,
        coarseness=nothing,
        occlusion=nothing,
        pose=0.3 * p.pose,
        light=p.light * (1, 0.4, 0) + (0, 0, 0.95),
        action_units=way * p.action_units,
        affect=way * p.affect,
    )
    return FaceSet(
        name="twin (morphs)",
        images=draw_faces(p, size=size, channels=channels),
        affect=(p.affect + scatter).clip(-1, 1).astype(np.float32),
        expression=p.categories[:, 0].astype(np.int8),
        split=np.select([p.identity % 10 < 7, p.identity % 10 == 7], ["train", "validation"], "test"),
        subject=p.identity.astype(str),
        fingerprint=_mark(fingerprint("morphs"), n, seed, size, channels),
    )


def videos(n: int, *, tested: int, frames: int, size: int, channels: int) -> FaceSet:
    """`n` videos of `frames` frames: one person each, who passes through four expressions, under one light and camera.

    Valence and arousal are noise-free and change from frame to frame; there is no category. `subject` is the video.
    `tested` of the videos, drawn once, are test videos; one in ten of the others is for validation.
    """
    moments = 4
    keys = sample_parameters(n * moments, seed=3)
    scene = keys.rows(np.repeat(np.arange(n) * moments, frames))
    at = np.linspace(0, moments - 1, frames)
    p = replace(
        scene,
        action_units=_between(keys.action_units, at, moments),
        affect=_between(keys.affect, at, moments),
        pose=_between(keys.pose, at, moments),
    )
    video = np.repeat(np.arange(n), frames)
    rank = np.random.default_rng(0).permutation(n)[video]
    return FaceSet(
        name="twin (videos)",
        images=draw_faces(p, size=size, channels=channels),
        affect=p.affect.astype(np.float32),
        split=np.select([rank < tested, rank < tested + (n - tested) // 10], ["test", "validation"], "train"),
        subject=np.char.add("video", np.char.zfill(video.astype(str), 3)),
        fingerprint=_mark(fingerprint("videos"), n, tested, frames, size, channels),
    )


def _between(values: NDArray, at: NDArray, moments: int) -> NDArray[np.float64]:
    """Values (n * moments, d) at the key moments, linear in between: (n * len(at), d)."""
    of_video = values.reshape(-1, moments, values.shape[1])
    first = np.minimum(at.astype(int), moments - 2)
    share = (at - first)[:, None]
    return ((1 - share) * of_video[:, first] + share * of_video[:, first + 1]).reshape(-1, values.shape[1])


def _mark(*settings: object) -> str:
    return hashlib.sha256(repr(settings).encode() + Path(__file__).read_bytes()).hexdigest()
