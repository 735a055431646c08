"""Label spaces and their transformations: categories, the circumplex, votes, cleaning rules."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neighbors import NearestNeighbors

from paperlib.metrics import to_numpy
from paperlib.shapes import check_shapes

AFFECT = ("valence", "arousal")

# AffectNet's order (Mollahosseini et al. 2019); FER+ and the twin are mapped into it.
EXPRESSIONS = ("neutral", "happy", "sad", "surprise", "fear", "disgust", "anger", "contempt")


class Contradiction(NamedTuple):
    """A category's label is noisy when `quantity comparison bound` holds for its place on the circumplex."""

    expression: str
    quantity: str  # "valence" or "arousal" in [-1, 1], or "intensity": sqrt(valence^2 + arousal^2)
    comparison: str
    bound: float


_RELEASE = (
    Contradiction("neutral", "intensity", ">=", 0.2),
    Contradiction("happy", "valence", "<=", 0.0),
    Contradiction("happy", "intensity", "<=", 0.2),
    Contradiction("sad", "valence", ">=", 0.0),
    Contradiction("sad", "intensity", "<=", 0.2),
    Contradiction("surprise", "arousal", "<=", 0.0),
    Contradiction("surprise", "intensity", "<=", 0.2),
    Contradiction("fear", "arousal", "<", 0.0),
    Contradiction("fear", "valence", ">", 0.0),
    Contradiction("fear", "intensity", "<=", 0.2),
    Contradiction("disgust", "valence", ">=", 0.0),
    Contradiction("disgust", "intensity", "<=", 0.3),
    Contradiction("anger", "arousal", "<=", 0.0),
    Contradiction("anger", "intensity", "<=", 0.2),
    Contradiction("contempt", "valence", ">=", 0.0),
    Contradiction("contempt", "intensity", "<=", 0.2),
)

# "release": the data loader released with toisoul2021 (face-analysis/emonet), the "rules of [5]" that
# foteinopoulou2021 cites; the loader also drops pictures by a manual flag, which no rule can restore.
# "as_printed": the same, but happy contradicts negative arousal instead of non-positive valence: the example
# that foteinopoulou2021 gives in section V.
CLEANING_RULES: Mapping[str, tuple[Contradiction, ...]] = MappingProxyType(
    {
        "release": _RELEASE,
        "as_printed": tuple(
            Contradiction("happy", "arousal", "<", 0.0) if rule[:2] == ("happy", "valence") else rule
            for rule in _RELEASE
        ),
    }
)

_COMPARE = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def is_noisy(expression: ArrayLike, affect: ArrayLike, *, rules: str = "release") -> NDArray[np.bool_]:
    """Which rows' category contradicts their valence and arousal by a set of `CLEANING_RULES`: (n,) bool.

    `expression` (n,) indexes EXPRESSIONS; `affect` (n, 2) is valence, arousal in [-1, 1]. A row without
    category (-1) or affect (NaN) is neither clean nor noisy: a ValueError asks to leave it out and count it.
    """
    if rules not in CLEANING_RULES:
        raise ValueError(f"rules must be one of {', '.join(CLEANING_RULES)}; got {rules!r}")
    expression, affect = np.asarray(expression), np.asarray(affect)
    check_shapes("n, n 2", expression=expression, affect=affect)
    _check_classes(expression, len(EXPRESSIONS))
    outside = ~(np.abs(affect) <= 1).all(axis=1)
    if outside.any():
        raise ValueError(
            f"row {np.argmax(outside)}: valence, arousal must lie in [-1, 1]; "
            f"{outside.sum()} of {len(affect)} rows do not, or have none; leave them out, and count them"
        )
    # No cast: a float32 label of 0.2 must meet the bound 0.2, and would exceed it as a float64.
    valence, arousal = affect[:, 0], affect[:, 1]
    quantities = {"valence": valence, "arousal": arousal, "intensity": np.sqrt(valence**2 + arousal**2)}
    noisy = np.zeros(len(expression), dtype=np.bool_)
    for rule in CLEANING_RULES[rules]:
        holds = _COMPARE[rule.comparison](quantities[rule.quantity], rule.bound)
        noisy |= holds & (expression == EXPRESSIONS.index(rule.expression))
    return noisy


def flip_labels(
    expression: ArrayLike, share: float, *, classes: int, seed: int
) -> tuple[NDArray[np.integer], NDArray[np.int64]]:
    """Symmetric label noise of an exact amount: (flipped labels, sorted indices of the flipped rows).

    round(share * n) rows of `expression` (n,) are drawn without replacement, and each gets one of the other
    `classes` - 1 labels, all equally likely.
    """
    if not 0 <= share <= 1 or classes < 2:
        raise ValueError(f"share must lie in [0, 1] and classes be at least 2; got {share} and {classes}")
    labels = np.array(expression)
    _check_classes(labels, classes)
    rng = np.random.default_rng(seed)
    indices = np.sort(rng.choice(len(labels), size=round(share * len(labels)), replace=False))
    step = rng.integers(1, classes, size=len(indices))
    labels[indices] = (labels[indices].astype(np.int64) + step) % classes
    return labels, indices


def sole_winner(votes: ArrayLike) -> NDArray[np.intp]:
    """The category with the most votes of (n, categories), -1 where it shares them: (n,)."""
    votes = np.asarray(votes)
    winners = votes == votes.max(axis=1, keepdims=True)
    return np.where(winners.sum(axis=1) == 1, votes.argmax(axis=1), -1)


def split_votes(votes: ArrayLike, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each row's raters dealt at random into two halves: votes (n, categories) to two of the same shape.

    The first half has one rater fewer where their number is odd. So one half can label what the other judges.
    """
    votes = np.asarray(votes, np.int64)
    up_to = votes.cumsum(axis=1)
    rater = np.arange(up_to.max(initial=0))
    category = (rater[None, :, None] >= up_to[:, None, :]).sum(axis=2)  # the number of categories: nobody
    first = _first_half(category < votes.shape[1], seed)
    half = ((category[..., None] == np.arange(votes.shape[1])) & first[..., None]).sum(axis=1)
    return half, votes - half


def split_ratings(
    ratings: NDArray[np.floating], *, seed: int
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Each row's raters dealt at random into two halves: (n, K, 2) twice, NaN where a rater is of the other half.

    The first half has one rater fewer where their number is odd; as `split_votes` deals votes.
    """
    first = _first_half(np.isfinite(ratings).all(axis=2), seed)[..., None]
    return np.where(first, ratings, np.nan), np.where(first, np.nan, ratings)


def _first_half(rated: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    """Which of each row's raters (n, K) are dealt into the first half."""
    draw = np.where(rated, np.random.default_rng(seed).random(rated.shape), np.inf)
    return draw.argsort(axis=1).argsort(axis=1) < rated.sum(axis=1, keepdims=True) // 2


def nearest_in_affect(affect: ArrayLike, k: int) -> NDArray[np.int64]:
    """The `k` rows nearest to each row of `affect` (n, 2) in the valence-arousal plane, nearest first: (n, k).

    A row is no neighbour of its own; its duplicates are (le2023, sec. 3.2). Classes and labels play no part.

    Raises:
        ValueError: k is not in 1 to n - 1, or a row is not finite.
    """
    affect = to_numpy(affect)
    _check_affect(affect)
    n = len(affect)
    if not 1 <= k < n:
        raise ValueError(f"k must lie in 1 to {n - 1}, one less than the rows; got {k}")
    found = NearestNeighbors(n_neighbors=k + 1, algorithm="kd_tree").fit(affect).kneighbors(affect)[1]
    own = found == np.arange(n)[:, None]
    own[~own.any(axis=1), k] = True  # more than k duplicates: any of them may be dropped
    return found[~own].reshape(n, k)


def local_similarity(
    affect: ArrayLike, neighbours: NDArray[np.integer], *, delta: float, form: str = "squared"
) -> NDArray[np.float64]:
    """How near each neighbour lies, in (0, 1]: `affect` (n, 2), `neighbours` (n, k) to (n, k).

    "squared": exp(-(dv^2 + da^2) / delta^2) (le2023, eq. 2). "absolute": exp(-(|dv| + |da|) / delta), as its authors'
    release has it.
    """
    affect = to_numpy(affect)
    _check_affect(affect)
    check_shapes("n 2, n k", affect=affect, neighbours=neighbours)
    if not delta > 0 or form not in ("squared", "absolute"):
        raise ValueError(f"delta must be positive and form squared or absolute; got {delta} and {form!r}")
    apart = np.abs(affect[neighbours] - affect[:, None])
    if form == "squared":
        return np.exp(-np.square(apart).sum(axis=2) / delta**2)
    return np.exp(-apart.sum(axis=2) / delta)


def refuse_rare(label: NDArray[np.integer], *, classes: Iterable[int], least: int, where: str) -> None:
    """ValueError if one of `classes` has fewer than `least` of the labels (n,), indices into EXPRESSIONS or -1."""
    count = np.bincount(label[label >= 0], minlength=len(EXPRESSIONS))
    if few := [f"{EXPRESSIONS[k]} ({count[k]} faces)" for k in classes if count[k] < least]:
        raise ValueError(
            f"{where}: too few faces of {', '.join(few)}. Each category that is learnt needs {least} there: add some, "
            "or move some from elsewhere."
        )


def _check_affect(affect: NDArray) -> None:
    if affect.ndim != 2 or affect.shape[1] != 2:
        raise ValueError(f"expected valence, arousal (n, 2); got {affect.shape}")
    bad = ~np.isfinite(affect).all(axis=1)
    if bad.any():
        raise ValueError(
            f"row {np.argmax(bad)}: valence, arousal are not finite, as in {bad.sum()} of {len(affect)} rows; "
            "give every training picture a place, or leave it out, and count it"
        )


def _check_classes(expression: NDArray, classes: int) -> None:
    unknown = (expression < 0) | (expression >= classes)
    if not np.issubdtype(expression.dtype, np.integer) or unknown.any():
        raise ValueError(
            f"categories must be integers 0 to {classes - 1}; {unknown.sum()} of {expression.size} are not "
            f"(type {expression.dtype}); leave rows without a category (-1) out, and count them"
        )
