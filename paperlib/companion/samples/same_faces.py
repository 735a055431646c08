"""Samples of the comparison: what every method says of each test face, and what it doubts among its training labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import xlogy

from paperlib.calibration import fit_temperature
from paperlib.companion.doubts import log_of
from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned, in_lots
from paperlib.labels import EXPRESSIONS
from paperlib.tasks.same_faces import Problem, problem, rating
from paperlib.tracks import Track
from paperlib.twin.prototypes import circumplex_table

PLAIN, ENSEMBLE = "plain network", "ensemble of three"
NAMES = EXPRESSIONS[:7]
LOTS = 50  # that faces are dealt into where nobody knows whose they are
# The scores of a test face that a run keeps, and what a method has to say against a given label, in words
SCORES = {
    "score: mutual information": "mutual information",
    "score: weight": "one minus its weight",
    "score: variance": "variance",
    "score: variance of the mean": "variance of the mean",
}
DOUBTS = dict.fromkeys(
    ("KL variance", "beta-NLL", "evidential regression", "predicted disagreement"), "variance"
)
DOUBTS |= {"SCN": "one minus its weight", "LDLVA": "uncertainty factor"}
DOUBTS["fused labels"] = "what fusion takes from the label"


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """Tables "" (test faces, runs), "faces" (what raters say), "training" (labels, runs), "runs" and "excluded".

    Raises:
        ValueError: the track lacks faces with a first label, several raters' votes and ratings.
    """
    parts = problem(track)
    if parts is None:
        raise ValueError(f"track {track.name}: no faces with a first label, several votes and ratings")
    faces = _faces(parts)
    votes = faces.filter(like="votes ").to_numpy(float)
    half = faces["half"].to_numpy()
    train = {**_keys(parts, parts.train), "wrong": parts.wrong}
    said, doubted, seconds = [], [pd.DataFrame()], []
    for method, seed, of in _networks(planned):
        key = {"method": method, "seed": np.int8(seed)}
        scores = _said(of)
        fitted = _temperatures(scores, faces["category"].to_numpy(), votes, half)
        said.append(pd.DataFrame({**faces[["item", "unit", "category", "half"]], **key, **scores, **fitted}))
        spent = {"seconds": sum(float(r["seconds"][0]) for r in of), "faces": len(of[0]["loss"])}
        seconds.append({**key, **spent})
        if of[0].run.settings.get("every_face"):
            continue  # its labels are more than the others'
        doubted.append(pd.DataFrame({**train, **key, **_doubted(method, of)}))
        if method == PLAIN:
            other = said_by(rating(parts, of[0].run.seed)) != parts.label
            found = {"not what one rater says": other.astype(np.float32)}
            doubted.append(pd.DataFrame({**train, **key, "method": "no network", **found}))
    return {
        "": pd.concat(said, ignore_index=True),
        "faces": faces,
        "training": pd.concat(doubted, ignore_index=True),
        "runs": pd.DataFrame(seconds),
        "excluded": pd.DataFrame(parts.faces.excluded.items(), columns=["reason", "faces"]),
    }


def said_by(affect: NDArray[np.floating]) -> NDArray[np.int64]:
    """(n,) the category that one rater's valence and arousal (n, 2) are nearest to; on FER+ it is that rater's vote."""
    return np.square(affect[:, None] - circumplex_table()).sum(axis=2).argmin(axis=1)


def _networks(planned: Planned) -> list[tuple[str, int, list[Result]]]:
    """Method, seed, and its networks: one, or of an ensemble the plain network of the seed and its further members."""
    results = {labels["method"]: list(of) for labels, of in planned}
    further = iter(results.get(ENSEMBLE, []))
    networks = {method: [[r] for r in of] for method, of in results.items()}
    if ENSEMBLE in results:
        networks[ENSEMBLE] = [[plain, next(further), next(further)] for plain in results.get(PLAIN, [])]
    return [(method, of[0].run.seed, of) for method, each in networks.items() for of in each]


def _keys(parts: Problem, rows: NDArray[np.int64]) -> dict[str, Any]:
    """item, and unit: whose the face is, as a number; a lot where nobody knows."""
    subject = parts.faces.subject
    if subject is None:
        unit = in_lots(len(rows), LOTS)
    else:
        unit = [f"{u:04d}" for u in np.unique(subject[rows], return_inverse=True)[1]]
    return {"item": rows.astype(np.int32), "unit": unit}


def _faces(parts: Problem) -> pd.DataFrame:
    """A test face a row: its category, votes, each rater's valence and arousal, and the true variance where known.

    `half` is 0 or 1, by lot of the units: temperatures are fitted on the other half.
    """
    faces, rows = parts.faces, parts.test
    assert faces.expression is not None and faces.votes is not None and faces.ratings is not None
    found = _keys(parts, rows) | {"category": faces.expression[rows]}
    names, which = np.unique(found["unit"], return_inverse=True)
    half = np.random.default_rng(0).permutation(len(names)) < len(names) // 2
    found["half"] = half[which].astype(np.int8)
    if faces.truth is not None:
        found["true variance"] = faces.truth.variance[rows].sum(axis=1)
    found |= {f"votes {name}": faces.votes[rows, i] for i, name in enumerate(NAMES)}
    for d, dimension in enumerate(("valence", "arousal")):
        found |= {f"{dimension} {k + 1}": x for k, x in enumerate(faces.ratings[rows, :, d].T)}
    return pd.DataFrame(found)


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


def _temperatures(
    said: Mapping[str, NDArray], label: NDArray, votes: NDArray, half: NDArray
) -> dict[str, NDArray[np.float64]]:
    """For each half the temperature that suits the other: to what most raters say, and to how their votes divide."""
    p = np.stack([said[f"p {name}"].astype(np.float64) for name in NAMES], axis=1)
    log_p, found = log_of(p), {}
    targets = {"temperature": np.eye(len(NAMES))[label]}
    targets["temperature for votes"] = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    for name, target in targets.items():
        of = [fit_temperature(log_p[half != h], target[half != h]) for h in (0, 1)]
        found[name] = np.array(of)[half]
    return found


def _doubted(method: str, of: Sequence[Result]) -> dict[str, NDArray[np.float32]]:
    """The loss of each training label, the mean of the networks', and the method's own doubt of it."""
    found = {"loss": np.mean([r["loss"].astype(np.float64) for r in of], axis=0)}
    if method in DOUBTS:
        found[DOUBTS[method]] = of[0]["doubt"]
    if "own doubt" in of[0].arrays:  # of a user's own method
        found["its own doubt"] = of[0]["own doubt"]
    return {name: values.astype(np.float32) for name, values in found.items()}
