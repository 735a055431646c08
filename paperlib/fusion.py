"""Mixed labels: what valence and arousal say of the category, fused with the one that was chosen (neo2023, sec. 3).

Everything is computed for all rows at once, in float64, before training; docs/methods.md has an example.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from scipy.stats import multivariate_normal

from paperlib import files
from paperlib.labels import _check_affect, _check_classes
from paperlib.metrics import to_numpy
from paperlib.shapes import check_shapes

# What "computed within one standard deviation" (neo2023, sec. 4.2) may mean: which of a class's faces count.
READINGS = {
    "all": "all of them",
    "axis": "those within one standard deviation of the class's mean in valence and in arousal",
    "distance": "those within a Mahalanobis distance of one from the class's mean",
}
PRIORS = ("all", "kept")  # share of each class among all faces, or among those that the reading keeps


@dataclass(frozen=True, kw_only=True)
class LabelParameters:
    """One Gaussian a class in the valence-arousal plane (neo2023, eq. 1): K classes, valence first."""

    classes: tuple[str, ...]
    prior: NDArray[np.float64]  # (K,) sums to one
    mean: NDArray[np.float64]  # (K, 2)
    covariance: NDArray[np.float64]  # (K, 2, 2), divisor n - 1
    source: str  # what they were fitted on
    n: int  # faces that they were fitted on
    reading: str = "axis"  # see READINGS
    priors: str = "all"  # see PRIORS

    def save(self, path: Path) -> None:
        """Write them as JSON, whole or not at all, to be carried to a data set without categories."""
        fields = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}
        files.write_text(path, json.dumps(fields, indent=1, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: Path) -> LabelParameters:
        """Read what `save` wrote.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: it does not hold a prior, a mean and a positive covariance for each class.
        """
        try:
            fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            names = ("prior", "mean", "covariance")
            arrays: dict[str, Any] = {name: np.array(fields.pop(name), np.float64) for name in names}
            found = cls(**fields | {"classes": tuple(fields["classes"])}, **arrays)
        except (TypeError, KeyError, AttributeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path.name} holds no label parameters ({error}); write it anew") from error
        k, shapes = len(found.classes), [a.shape for a in arrays.values()]
        right = shapes == [(k,), (k, 2), (k, 2, 2)] and all(np.isfinite(a).all() for a in arrays.values())
        right = right and bool((found.prior > 0).all() and np.isclose(found.prior.sum(), 1))
        if not (right and (np.linalg.eigvalsh(found.covariance) > 0).all()):
            raise ValueError(
                f"{path.name}: priors must be positive and sum to one, and means (K, 2) and covariances (K, 2, 2), "
                f"symmetric and positive, must belong to its {k} classes; write it anew"
            )
        return found


def fit_label_parameters(
    affect: ArrayLike,
    label: ArrayLike,
    *,
    classes: Sequence[str],
    source: str,
    reading: str = "axis",
    priors: str = "all",
) -> LabelParameters:
    """Class-wise Gaussians of valence and arousal `affect` (n, 2) with categories `label` (n,), 0 to K - 1.

    `reading` names the faces of a class that its mean and covariance are computed from, in one pass: repeated, a
    Gaussian would shrink to a point. Of a normal class, "axis" leaves a variance of 0.291 of its own on each axis.

    Raises:
        ValueError: a class has no spread in both dimensions among the faces that count, or an input cannot be.
    """
    affect, label = to_numpy(affect), np.asarray(label)
    _check_affect(affect)
    check_shapes("n 2, n", affect=affect, label=label)
    _check_classes(label, len(classes))
    if reading not in READINGS or priors not in PRIORS:
        raise ValueError(f"reading must be one of {', '.join(READINGS)} and priors of {', '.join(PRIORS)}")
    kept = [_kept(affect[label == k], reading, name, source) for k, name in enumerate(classes)]
    counts = np.array([len(x) for x in kept]) if priors == "kept" else np.bincount(label)
    return LabelParameters(
        classes=tuple(classes),
        prior=counts / counts.sum(),
        mean=np.stack([x.mean(axis=0) for x in kept]),
        covariance=np.stack([np.cov(x.T) for x in kept]),
        source=source,
        n=len(affect),
        reading=reading,
        priors=priors,
    )


def _kept(x: NDArray[np.float64], reading: str, name: str, source: str) -> NDArray[np.float64]:
    if _spreads(x):
        offset = x - x.mean(axis=0)
        match reading:
            case "axis":
                x = x[(np.abs(offset) <= x.std(axis=0, ddof=1)).all(axis=1)]
            case "distance":
                x = x[(offset @ np.linalg.inv(np.cov(x.T)) * offset).sum(axis=1) <= 1]
    if not _spreads(x):
        raise ValueError(
            f"{source}: the {len(x)} faces of class {name} that reading {reading!r} keeps have no spread in both "
            "valence and arousal; take the reading 'all', leave the class out, or merge it with another"
        )
    return x


def _spreads(x: NDArray[np.float64]) -> bool:
    if len(x) < 3:
        return False
    low, high = np.linalg.eigvalsh(np.cov(x.T))
    return bool(low > 1e-9 * max(high, 1e-9))


def posterior(parameters: LabelParameters, affect: ArrayLike) -> NDArray[np.float64]:
    """p(class | valence, arousal) by Bayes (neo2023, eq. 2): (n, 2) to (n, K), rows sum to one.

    The printed denominator repeats the class k where its sum runs over j. Computed from logarithms: a point far from
    every class still gets a distribution.
    """
    affect = to_numpy(affect)
    _check_affect(affect)
    gaussians = zip(parameters.mean, parameters.covariance, strict=True)
    log_density = [multivariate_normal(mean, covariance).logpdf(affect) for mean, covariance in gaussians]
    return softmax(np.stack(log_density, axis=-1).reshape(len(affect), -1) + np.log(parameters.prior), axis=1)


def inverse_distances(affect: ArrayLike, centres: ArrayLike) -> NDArray[np.float64]:
    """Mixed labels from distances to the class means (neo2023, eq. 3): (n, 2) and (K, 2) to (n, K), rows sum to one.

    Normalised, the maximum in the numerator cancels: p is proportional to 1 / d^2. The limit is taken where eq. 3
    divides by zero: at a class's mean all belongs to that class, shared if several means coincide.
    """
    affect, centres = to_numpy(affect), to_numpy(centres)
    _check_affect(affect)
    check_shapes("K 2", centres=centres)
    squared = np.square(affect[:, None] - centres).sum(axis=2)
    least = squared.min(axis=1, keepdims=True)
    # the nearest has weight one, so nothing is divided by zero
    weight = np.divide(least, squared, out=np.ones_like(squared), where=squared > least)
    return weight / weight.sum(axis=1, keepdims=True)


def fuse(label: ArrayLike, mixed: ArrayLike, *, alpha: float) -> NDArray[np.float64]:
    """alpha times the one-hot `label` (n,) plus 1 - alpha times `mixed` (n, K) (neo2023, eq. 4): (n, K).

    From alpha = 1/2 on, no class is likelier than the label's, whatever `mixed` says: fusion never overrules a wrong
    label, it moves at most half of its weight elsewhere.
    """
    label, mixed = np.asarray(label), to_numpy(mixed)
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie in [0, 1]; got {alpha}")
    check_shapes("n, n K", label=label, mixed=mixed)
    _check_classes(label, mixed.shape[1])
    return alpha * np.eye(mixed.shape[1])[label] + (1 - alpha) * mixed


def class_weights(label: ArrayLike, *, classes: int) -> NDArray[np.float64]:
    """N_max / N_k of the categories `label` (n,), 0 to K - 1 (neo2023, eq. 5): (K,), at least one.

    Raises:
        ValueError: a class has no face.
    """
    label = np.asarray(label)
    check_shapes("n", label=label)
    _check_classes(label, classes)
    counts = np.bincount(label, minlength=classes)
    if not counts.all():
        empty = np.flatnonzero(counts == 0).tolist()
        raise ValueError(f"classes {empty} have no face, so eq. 5 gives them no weight; leave them out")
    return counts.max() / counts
