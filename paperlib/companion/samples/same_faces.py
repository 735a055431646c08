"""Samples of the comparison: what every method says of each test face, and what it doubts among its training labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from paperlib.grid import Result
from paperlib.labels import EXPRESSIONS
from paperlib.tasks.noisy_labels import CLASSES
from paperlib.tasks.same_faces import Problem, problem, rating
from paperlib.tracks import Track
from paperlib.twin.prototypes import circumplex_table

PLAIN, ENSEMBLE = "plain network", "ensemble of three"
LOTS = 50  # that faces are dealt into where nobody knows whose they are
# The scores of a test face that a run keeps, and what a method has to say against a given label, in words
SCORES = {
    "score: mutual information": "mutual information",
    "score: weight": "one minus its weight",
    "score: variance": "variance",
    "score: variance of the mean": "variance of the mean",
}
DOUBTS = {
    "SCN": "one minus its weight",
    "LDLVA": "uncertainty factor",
    "fused labels": "what fusion takes from the label",
    **dict.fromkeys(
        ("KL variance", "beta-NLL", "evidential regression", "predicted disagreement"), "variance"
    ),
}
NAMES = EXPRESSIONS[:CLASSES]


def build(
    track: Track, planned: Sequence[tuple[Mapping[str, str], Sequence[Result]]]
) -> dict[str, pd.DataFrame]:
    """Tables "" (test faces and runs), "faces" (what raters say), "training" (labels and runs), "runs", "excluded".

    Raises:
        ValueError: the track lacks faces with a first label, several raters' votes and ratings.
    """
    parts = problem(track)
    if parts is None or parts.faces.expression is None:
        raise ValueError(
            f"track {track.name} lacks faces with a first label, several raters' votes and ratings"
        )
    networks = {labels["method"]: [[r] for r in results] for labels, results in planned}
    further = iter(networks[ENSEMBLE])
    networks[ENSEMBLE] = [plain + next(further) + next(further) for plain in networks[PLAIN]]
    test = _keys(parts, parts.test) | {"label": parts.faces.expression[parts.test]}
    train = _keys(parts, parts.train) | {"wrong": parts.wrong}
    runs = [
        (m, {"seed": np.int8(s), "method": m}, of)
        for m, each in networks.items()
        for s, of in enumerate(each)
    ]
    said = [pd.DataFrame({**test, **key, **_said(of)}) for _, key, of in runs]
    doubted = [pd.DataFrame({**train, **key, **_doubted(method, of)}) for method, key, of in runs]
    for seed, of in enumerate(networks[PLAIN]):
        other = said_by(rating(parts, of[0].run.seed)) != parts.label
        key = {"seed": np.int8(seed), "method": "no network"}
        doubted.append(pd.DataFrame({**train, **key, "not what one rater says": other.astype(np.float32)}))
    return {
        "": pd.concat(said, ignore_index=True),
        "faces": _faces(parts, test),
        "training": pd.concat(doubted, ignore_index=True),
        "runs": pd.DataFrame(
            [{**key, "seconds": sum(float(r["seconds"][0]) for r in of)} for _, key, of in runs]
        ),
        "excluded": pd.DataFrame(parts.faces.excluded.items(), columns=["reason", "faces"]),
    }


def said_by(affect: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the category that one rater's valence and arousal (n, 2) are nearest to; on FER+ it is that rater's vote."""
    return np.square(affect[:, None] - circumplex_table()).sum(axis=2).argmin(axis=1)


def _keys(parts: Problem, rows: NDArray[np.int64]) -> dict[str, Any]:
    """item, and unit: whose the face is, as a number; a lot where nobody knows."""
    subject = parts.faces.subject
    if subject is None:
        which = np.random.default_rng(0).permutation(len(rows)) % LOTS
    else:
        which = np.unique(subject[rows], return_inverse=True)[1]
    return {"item": rows.astype(np.int32), "unit": np.char.zfill(which.astype(str), 4)}


def _said(of: Sequence[Result]) -> dict[str, NDArray[np.float32]]:
    """A network's probabilities, in half precision, and scores; an ensemble's mean, and how far its networks differ."""
    if len(of) == 1:
        p = of[0]["probability"].astype(np.float64)
        scores = {words: of[0][name] for name, words in SCORES.items() if name in of[0].arrays}
    else:
        each = np.stack([r["probability"].astype(np.float64) for r in of])
        each /= each.sum(axis=2, keepdims=True)
        p = each.mean(axis=0)
        scores = {"mutual information": xlogy(each, each).sum(axis=2).mean(axis=0) - xlogy(p, p).sum(axis=1)}
    found = {f"p {name}": column for name, column in zip(NAMES, p.T, strict=True)} | scores
    return {name: values.astype(np.float32) for name, values in found.items()}


def _doubted(method: str, of: Sequence[Result]) -> dict[str, NDArray[np.float32]]:
    """The loss of each training label, the mean of the networks', and the method's own doubt of it."""
    found = {"loss": np.mean([r["loss"].astype(np.float64) for r in of], axis=0)}
    if method in DOUBTS:
        found[DOUBTS[method]] = of[0]["doubt"]
    return {name: values.astype(np.float32) for name, values in found.items()}


def _faces(parts: Problem, test: Mapping[str, Any]) -> pd.DataFrame:
    """A test face a row: its votes, each rater's valence and arousal, and the true variance where it is known."""
    faces, rows = parts.faces, parts.test
    assert faces.votes is not None and faces.ratings is not None
    found = dict(test)
    if faces.truth is not None:
        found["true variance"] = faces.truth.variance[rows].sum(axis=1)
    found |= {f"votes {name}": faces.votes[rows, i] for i, name in enumerate(NAMES)}
    for d, dimension in enumerate(("valence", "arousal")):
        found |= {f"{dimension} {k + 1}": x for k, x in enumerate(faces.ratings[rows, :, d].T)}
    return pd.DataFrame(found)
