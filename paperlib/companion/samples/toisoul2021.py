"""toisoul2021's samples: what its networks and what people say of each face. data/samples/README.md has the columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import softmax

from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned, in_lots
from paperlib.labels import AFFECT, EXPRESSIONS, is_noisy
from paperlib.tasks.emofan import Problem, clips, problem
from paperlib.tasks.label_variance import one_rating
from paperlib.tracks import Track
from paperlib.twin.prototypes import CIRCUMPLEX

SAID = ("prediction", "label", "named", "right", "votes for it", "of most")
JUDGED = ("kept by the rules", "kept by others", "label", "category", "two agree", "one of most")
KNOWN = ("true", "true variance", "wrong", "error of original", "error of FAN")
TAUGHT = ("trained", "item", "unit", "seed", "off the votes", "agrees", "wrong")
FOLDED = ("network", "dimension", "item", "unit", "seed", "fold", "prediction", "label")


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The tables of a track: predictions (""), test faces, training labels ("taught") and the small set ("clips").

    planned: of each block of the plan its labels and results. What a track cannot have are tables without rows, and
    columns without values: a page then shows no line.
    """
    parts = problem(track)
    affect = [(of, rs) for of, rs in planned if "trained" in of and of["trained"] != "small set"]
    folded = [(of["network"], rs) for of, rs in planned if of.get("trained") == "small set"]
    aligned = next((rs[0] for of, rs in planned if of["network"] == "alignment"), None)
    teachers = [(of["trained"], rs) for of, rs in affect if rs[0].run.settings.get("teaches")]
    few = clips(track)
    return {
        "": pd.concat([f for of, rs in affect for f in _predictions(parts, of, rs)], ignore_index=True),
        "faces": _faces(parts, aligned, votes_alone=track.name == "ferplus"),
        "taught": _table(_taught(parts, teachers) if track.name != "ferplus" else [], TAUGHT),
        "clips": _table([f for of in folded for f in _folded(few, *of)] if few is not None else [], FOLDED),
    }


def _table(parts: Iterable[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    parts = list(parts)
    return pd.concat(parts, ignore_index=True)[[*columns]] if parts else pd.DataFrame(columns=[*columns])


def units(parts: Problem, rows: NDArray) -> NDArray[np.str_]:
    """Whose each face of `rows` is; where nobody knows, the lot that it was dealt into."""
    if parts.faces.subject is not None:
        return parts.faces.subject[rows].astype(str)
    return np.array(in_lots(len(rows), 50))


def _predictions(parts: Problem, of: Mapping[str, str], results: Sequence[Result]) -> Iterator[pd.DataFrame]:
    """A row a test face and dimension; rows without dimension are of categories."""
    test, votes = parts.test, _votes(parts, parts.test)
    for r in results:
        face = {**of, "item": test, "unit": units(parts, test), "seed": np.int8(r.run.seed)}
        face |= dict.fromkeys(SAID, np.float32(np.nan))
        if r.run.settings["categories"]:
            named = r["logits"].argmax(axis=1)
            said = {"named": named.astype(np.float32), "right": _known(parts.label[test])}
            if votes is not None:
                share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
                said |= {"votes for it": share[np.arange(len(test)), named], "of most": of_most(votes, named)}
            yield pd.DataFrame({**face, "dimension": "", **said})
        for d, dimension in enumerate(AFFECT):
            said = {"prediction": r["affect"][:, d].astype(np.float32), "label": parts.affect[test, d]}
            yield pd.DataFrame({**face, "dimension": dimension, **said})


def _faces(parts: Problem, aligned: Result | None, *, votes_alone: bool) -> pd.DataFrame:
    """A row a test face and dimension: raters and truth; rows without dimension have votes and landmarks' errors."""
    faces, test, label = parts.faces, parts.test, parts.label[parts.test]
    known, votes, unrated = label >= 0, _votes(parts, test), np.full((len(test), 1, 2), np.nan)
    clean = np.zeros(len(test), bool)
    clean[known] = ~is_noisy(label[known], parts.affect[test][known])
    rating = unrated if faces.ratings is None or votes_alone else faces.ratings[test]
    columns = [*JUDGED, *KNOWN, *(f"rater {k + 1:02d}" for k in range(rating.shape[1]))]
    face: dict[str, Any] = {"item": test, "unit": units(parts, test), "seed": np.int8(0)}
    face |= dict.fromkeys(columns, np.float32(np.nan))
    face |= {"category": _known(label), "kept by the rules": clean}
    face["kept by others"] = clean_by_others(parts, votes_alone=votes_alone) & known
    if faces.truth is not None:
        face["wrong"] = faces.truth.mislabelled[test].astype(np.float32)
    named = {**face, "dimension": ""}
    if votes is not None:
        named |= {"two agree": two_agree(votes), "one of most": one_of_most(votes)}
        named |= {f"votes {name}": votes[:, k].astype(np.float32) for k, name in enumerate(EXPRESSIONS)}
    if aligned is not None and "nme" in aligned.arrays and aligned.run.data == parts.fingerprint:
        named |= {f"error of {what}": aligned["nme"][:, k] for k, what in enumerate(("original", "FAN"))}
    tables = [pd.DataFrame(named)]
    for d, dimension in enumerate(AFFECT):
        rated = {**face, "dimension": dimension, "label": parts.affect[test, d]}
        rated |= {f"rater {k + 1:02d}": rating[:, k, d].astype(np.float32) for k in range(rating.shape[1])}
        if faces.truth is not None:
            truth = faces.truth.affect[test, d], faces.truth.variance[test, d]
            rated |= dict(zip(("true", "true variance"), truth, strict=True))
        tables.append(pd.DataFrame(rated))
    return pd.concat(tables, ignore_index=True)


def _votes(parts: Problem, rows: NDArray) -> NDArray[np.float64] | None:
    return None if parts.faces.votes is None else parts.faces.votes[rows].astype(np.float64)


def two_agree(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that two voters of a face (n, K), drawn without replacement, chose the same; NaN where there are none."""
    total = votes.sum(axis=1)
    same = (votes * (votes - 1)).sum(axis=1)
    return np.where(total > 1, same / np.maximum(total * (total - 1), 1), np.nan)


def one_of_most(votes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chance that a voter of a face (n, K) chose what most others did, a tie by its share; NaN without others."""
    total, hits = votes.sum(axis=1), np.zeros(len(votes))
    for k in range(votes.shape[1]):
        others = votes - np.eye(votes.shape[1])[k]
        hits += np.where(votes[:, k] > 0, votes[:, k] * of_most(others, np.full(len(votes), k)), 0)
    return np.where(total > 1, hits / np.maximum(total, 1), np.nan)


def clean_by_others(parts: Problem, *, votes_alone: bool) -> NDArray[np.bool_]:
    """Which test faces the rules keep by one drawn vote, and a rating by another than whose rating is predicted.

    votes_alone: the rating that is predicted is the place of one of the votes, which is taken out before.
    """
    faces, test = parts.faces, parts.test
    if faces.ratings is None or faces.votes is None:
        return np.zeros(len(test), bool)
    rater = np.where(np.isfinite(faces.ratings), np.arange(faces.ratings.shape[1])[:, None], np.nan)
    taken = rater == one_rating(rater, seed=0)[:, None]
    other = one_rating(np.where(taken, np.nan, faces.ratings), seed=1)[test]
    votes = faces.votes[test].astype(np.float64)
    if votes_alone:
        own = np.arange(len(votes)), voted(parts.affect[test])
        votes[own] = np.maximum(votes[own] - 1, 0)
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    drawn = np.random.default_rng(1).multinomial(1, share)
    return ~is_noisy(drawn.argmax(axis=1), other.clip(-1, 1))


def voted(affect: NDArray) -> NDArray[np.int64]:
    """The category of votes that are placed in the plane, (n, 2) to (n,)."""
    places = np.array([CIRCUMPLEX[name] for name in EXPRESSIONS])
    return np.square(affect[:, None].astype(np.float64) - places).sum(axis=2).argmin(axis=1)


def _taught(parts: Problem, teachers: Sequence[tuple[str, Sequence[Result]]]) -> Iterator[pd.DataFrame]:
    """A row a training face, label and seed: how far the label is from the votes, and whether most chose the same."""
    votes, truth = _votes(parts, parts.train), parts.faces.truth
    if votes is None or not teachers:
        return
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    hard = np.eye(share.shape[1])[parts.label[parts.train]]
    face: dict[str, Any] = {"item": parts.train, "unit": units(parts, parts.train)}
    face["wrong"] = np.nan if truth is None else truth.mislabelled[parts.train].astype(np.float32)
    labels = {"given label": hard, "given label, smoothed evenly": smoothed(hard, share)}
    said = [(name, r.run.seed, soft) for name, soft in labels.items() for r in teachers[0][1]]
    for name, results in teachers:
        said += [(name, r.run.seed, softmax(r["train"].astype(np.float64), axis=1)) for r in results]
    for name, seed, soft in said:
        off, agrees = np.square(soft - share).mean(axis=1), of_most(votes, soft.argmax(axis=1))
        found = {"trained": name, "seed": np.int8(seed), "off the votes": off, "agrees": agrees}
        yield pd.DataFrame({**face, **found})


def smoothed(hard: NDArray[np.float64], share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Labels (n, K) mixed with the even distribution, all by the one weight that brings them nearest to `share`."""
    towards = 1 / hard.shape[1] - hard
    return hard + np.sum(towards * (share - hard)) / np.sum(towards**2) * towards


def of_most(votes: NDArray[np.float64], named: NDArray) -> NDArray[np.float64]:
    """Whether the category named (n,) is the one that most voted for (n, K); one of k that tie counts 1 / k."""
    most = votes == votes.max(axis=1, keepdims=True)
    return most[np.arange(len(named)), named] / most.sum(axis=1)


def _folded(few: Problem, network: str, results: Sequence[Result]) -> Iterator[pd.DataFrame]:
    for r in results:
        face: dict[str, Any] = {"network": network, "item": few.test, "unit": units(few, few.test)}
        face |= {"seed": np.int8(r.run.seed), "fold": r["fold"]}
        for d, dimension in enumerate(AFFECT):
            said = {"prediction": r["affect"][:, d].astype(np.float32), "label": few.affect[:, d]}
            yield pd.DataFrame({**face, "dimension": dimension, **said})


def _known(label: NDArray) -> NDArray[np.float32]:
    return np.where(label < 0, np.nan, label).astype(np.float32)
