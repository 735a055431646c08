"""le2023's samples: what networks name the test faces, what they doubt in training, and who neighbours whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy
from sklearn.neighbors import NearestNeighbors

from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned, in_lots
from paperlib.data.records import FaceSet
from paperlib.labels import AFFECT, EXPRESSIONS, nearest_in_affect, sole_winner
from paperlib.tasks.noisy_labels import CLASSES, Problem, problem, training_labels
from paperlib.tracks import Track

NAMES = EXPRESSIONS[:CLASSES]
K = 8
INSTANCES = ("LDLVA", "LDLVA, bounded scores", "LDLVA as released")
DOUBTFUL = ("Baseline", "SCN", "RUL", *INSTANCES[:2])  # methods whose doubt of a training label is kept
DRAWN = ("Baseline", "label smoothing", "SCN", "RUL", *INSTANCES)  # whose probabilities are kept
NOISE: Mapping[str, tuple[str, float]] = {
    **{f"{share} %": ("consensus", share / 100) for share in (0, 10, 20, 30)},
    "natural": ("natural", 0.0),
}


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The tables by name: "" test faces a run, "training" faces a run, their "scores", "faces", and the "excluded".

    planned: the labels (noise, method) of each block of runs that differ in their seed alone, and their results.
    """
    faces, parts = track.categories(), problem(track)
    assert faces is not None
    pseudo = [results[0] for labels, results in planned if labels["method"] == "pseudo labels"]
    table = _faces(track, faces, parts, pseudo[0] if pseudo else None)
    of_noise = sorted((x for x in planned if "noise" in x[0]), key=lambda x: list(NOISE).index(x[0]["noise"]))
    runs = [(labels, r) for labels, results in of_noise for r in results]
    hard = "natural" if track.name == "ferplus" else "30 %"  # where variants of LDLVA are compared
    test = table.set_index("item").loc[parts.test_rows].reset_index()
    return {
        "": pd.concat([_tested(test, r, labels, hard) for labels, r in runs], ignore_index=True),
        "training": _together(_trained(track, table, parts, runs, hard)),
        "scores": _together(_scored(table, runs, hard)),
        "faces": table,
        "excluded": pd.DataFrame({"reason": list(faces.excluded), "faces": list(faces.excluded.values())}),
    }


def _together(tables: Iterator[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(), *tables], ignore_index=True)  # of a part of the plan there may be none


def _faces(track: Track, faces: FaceSet, parts: Problem, pseudo: Result | None) -> pd.DataFrame:
    """A row a face that is trained, validated or tested with: labels, votes, places, and who its neighbours are."""
    rows = np.concatenate([parts.rows, parts.validation_rows, parts.test_rows])
    assert faces.expression is not None
    unit = in_lots(len(faces), 200) if faces.subject is None else faces.subject.astype(str)
    items = {"item": rows.astype(np.int32), "unit": np.asarray(unit)[rows]}
    out = pd.DataFrame({**items, "seed": np.int8(0)})
    out["split"] = faces.split[rows]
    out["right"] = faces.expression[rows]
    if faces.original is not None:
        out["first label"] = faces.original[rows].astype(np.int8)
    if faces.votes is not None:
        votes = faces.votes[rows, :CLASSES]
        shares = votes / votes.sum(axis=1, keepdims=True)
        out = out.assign(**_named("votes", votes), disagreement=entropy(shares, axis=1))
        out["other raters"] = _other_raters(shares, votes.sum(axis=1), faces.split[rows] == "test")
    if track.name == "twin":
        out["picture"] = _drawn(track)[rows]
    for d, name in enumerate(AFFECT):
        out[name] = faces.affect[rows, d]
        for part, found in ((parts.rows, "affect"), (parts.test_rows, "test_affect")):
            if pseudo is not None:
                out.loc[np.isin(rows, part), f"pseudo {name}"] = pseudo[found][:, d]
        if pseudo is None:
            out[f"pseudo {name}"] = out[name]
    return pd.concat([out, _neighbours(out, faces, parts)], axis=1)


def _drawn(track: Track) -> NDArray[np.int64]:
    """Of each of the twin's faces with a category the number by which its generator draws it again."""
    faces = track.faces()
    assert faces is not None and faces.votes is not None and faces.expression is not None
    winner = sole_winner(faces.votes)
    return np.flatnonzero((winner >= 0) & (winner < CLASSES) & (faces.expression < CLASSES))


def _neighbours(out: pd.DataFrame, faces: FaceSet, parts: Problem) -> pd.DataFrame:
    """Of training faces: the 8 neighbours (rows of the data), and what share of 8 is of a face's own category."""
    n = len(parts.rows)
    category = out["right"].to_numpy()[:n]
    of = {name: out[[f"{name}{d}" for d in AFFECT]].to_numpy()[:n] for name in ("pseudo ", "")}
    near = {
        name: nearest_in_affect(place, K)
        for name, place in zip(("pseudo labels", "raters' places"), of.values(), strict=True)
        if np.isfinite(place).all()
    }
    if faces.landmarks is not None:
        shape = _shapes(faces.landmarks[parts.rows])
        near["landmarks"] = NearestNeighbors(n_neighbors=K).fit(shape).kneighbors(return_distance=False)
    found = {"by any face": (np.bincount(category, minlength=CLASSES) / n)[category]}
    found |= {f"by {name}": (category[j] == category[:, None]).mean(axis=1) for name, j in near.items()}
    found |= {f"neighbour {k + 1}": parts.rows[near["pseudo labels"][:, k]] for k in range(K)}
    return pd.DataFrame(found).reindex(range(len(out)))


def _shapes(landmarks: NDArray) -> NDArray[np.float64]:
    """Landmarks (n, m, 2) without place, size and turn: each is turned to fit their mean, (n, 2 m)."""
    points = landmarks[..., 0] + 1j * landmarks[..., 1].astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    turn = (points.conj() * points.mean(axis=0)).sum(axis=1, keepdims=True)
    points *= turn / np.abs(turn)
    return np.concatenate([points.real, points.imag], axis=1)


def _other_raters(shares: NDArray, count: NDArray, test: NDArray) -> NDArray[np.float64]:
    """Jensen-Shannon divergence in bits of a test face's votes and as many that are drawn from them; else NaN."""
    drawn = np.random.default_rng(0).multinomial(count[test], shares[test]) / count[test, None]
    out = np.full(len(shares), np.nan)
    out[test] = jensenshannon(shares[test], drawn, axis=1, base=2) ** 2
    return out


def _tested(test: pd.DataFrame, result: Result, labels: Mapping[str, str], hard: str) -> pd.DataFrame:
    kept = ["item", "unit", "right", "first label"]
    kept += [c for c in test if c.startswith("votes ")]
    out = test[[c for c in kept if c in test]].assign(seed=np.int8(result.run.seed), **labels)
    out["named"] = result["probability"].argmax(axis=1).astype(np.int8)
    drawn = labels["method"] in DRAWN and labels["noise"] in ("0 %", hard)
    given = result["probability"].astype(np.float32)
    return out.assign(**_named("p", given if drawn else np.full_like(given, np.nan)))


def _trained(
    track: Track, table: pd.DataFrame, parts: Problem, runs: Sequence[Any], hard: str
) -> Iterator[pd.DataFrame]:
    """Doubts of training labels, and what the rebuilt distribution and the neighbours name."""
    faces = table[[c for c in ("item", "unit", "right", "disagreement") if c in table]][: len(parts.rows)]
    for labels, result in runs:
        if labels["noise"] not in ("natural", "30 %") or labels["method"] not in DOUBTFUL:
            continue
        kind, share = NOISE[labels["noise"]]
        given, _ = training_labels(track, kind, noise=share, seed=result.run.seed)
        one = faces.assign(seed=np.int8(result.run.seed), **labels, given=given.astype(np.int8))
        one["doubt"] = result["doubt"].astype(np.float32)
        if labels["method"] == "LDLVA":
            one["neighbours name"], one["d names"] = result["recovered"], result["named"]
            if "target" in result.arrays and labels["noise"] == hard:
                one = one.assign(**_named("d", result["target"].astype(np.float32)))
        yield one


def _scored(table: pd.DataFrame, runs: Sequence[Any], hard: str) -> Iterator[pd.DataFrame]:
    """The first seed's calibration score of each neighbour of a training face, and whether it is of its category."""
    faces = table[table["neighbour 1"].notna()]
    label = table.set_index("item")["right"]
    same = {}
    for k in range(1, K + 1):
        near = label[faces[f"neighbour {k}"].astype(int)].to_numpy()
        same[f"same {k}"] = (near == faces["right"]).astype(np.int8)
    for labels, result in runs:
        kept = labels["method"] in INSTANCES and labels["noise"] in ("0 %", hard)
        if kept and "calibration" in result.arrays:
            score = {f"score {k + 1}": result["calibration"][:, k].astype(np.float32) for k in range(K)}
            known = {"seed": np.int8(result.run.seed), **labels}
            yield faces[["item", "unit"]].assign(**known, **score, **same)


def _named(family: str, values: NDArray) -> dict[str, NDArray]:
    """Columns "<family> neutral", ... of values (n, 7)."""
    return {f"{family} {name}": values[:, j] for j, name in enumerate(NAMES)}
