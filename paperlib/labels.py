"""Label spaces and their transformations: categories, the circumplex, votes, cleaning rules."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

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
    if expression.ndim != 1 or affect.shape != (len(expression), 2):
        raise ValueError(f"expected (n,) and (n, 2); got {expression.shape} and {affect.shape}")
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
    `classes` - 1 labels, all equally likely. Drawn with replacement, and allowed to return the same label, a
    nominal 30 % would change about 23 % of eight-class labels.
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


def _check_classes(expression: NDArray, classes: int) -> None:
    unknown = (expression < 0) | (expression >= classes)
    if not np.issubdtype(expression.dtype, np.integer) or unknown.any():
        raise ValueError(
            f"categories must be integers 0 to {classes - 1}; {unknown.sum()} of {expression.size} are not "
            f"(type {expression.dtype}); leave rows without a category (-1) out, and count them"
        )
