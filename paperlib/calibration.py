"""Are predicted probabilities as often right as they say? Measures for classifiers, and temperature scaling.

Everything takes `log_probability` (n, K), logarithms that need not be normalised (logits will do), and `label` (n,), 0
to K - 1; a prediction's confidence is its largest probability.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

BINS = 15  # Guo et al. 2017
TEMPERATURES = (0.05, 20.0)  # searched in between


class Reliability(NamedTuple):
    """One row a bin that is not empty, by rising confidence."""

    confidence: NDArray[np.float64]  # (bins,) mean, in [0, 1]
    accuracy: NDArray[np.float64]  # (bins,)
    n: NDArray[np.int64]  # (bins,)


def reliability(
    log_probability: ArrayLike, label: ArrayLike, *, bins: int = BINS, adaptive: bool = False
) -> Reliability:
    """Confidence and accuracy in bins of equal width (Guo et al. 2017), or, `adaptive`, of equal count.

    A confidence on the edge of two bins of equal width belongs to the lower one.
    """
    log_p, label = _checked(log_probability, label)
    confidence, right = np.exp(log_p.max(axis=1)), log_p.argmax(axis=1) == label
    if adaptive:
        parts = [rows for rows in np.array_split(np.argsort(confidence, kind="stable"), bins) if len(rows)]
    else:
        where = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
        parts = [np.flatnonzero(where == b) for b in np.unique(where)]
    return Reliability(
        np.array([confidence[rows].mean() for rows in parts]),
        np.array([right[rows].mean() for rows in parts]),
        np.array([len(rows) for rows in parts]),
    )


def calibration_error(
    log_probability: ArrayLike, label: ArrayLike, *, bins: int = BINS, adaptive: bool = False
) -> float:
    """Expected calibration error in [0, 1]: mean |accuracy - confidence| over `reliability`'s bins, by their counts.

    With bins of equal count it is the adaptive one (Nixon et al. 2019, for the predicted class alone).
    """
    found = reliability(log_probability, label, bins=bins, adaptive=adaptive)
    return float(np.average(np.abs(found.accuracy - found.confidence), weights=found.n))


def overconfidence(log_probability: ArrayLike, label: ArrayLike) -> float:
    """Mean confidence less accuracy, in [-1, 1]; negative where predictions are right more often than they say."""
    log_p, label = _checked(log_probability, label)
    return float(np.exp(log_p.max(axis=1)).mean() - (log_p.argmax(axis=1) == label).mean())


def brier(log_probability: ArrayLike, label: ArrayLike) -> float:
    """Brier's score over all K classes, in [0, 2] (Brier 1950)."""
    log_p, label = _checked(log_probability, label)
    return float(np.square(np.exp(log_p) - np.eye(log_p.shape[1])[label]).sum(axis=1).mean())


def nll(log_probability: ArrayLike, label: ArrayLike) -> float:
    """Mean negative log likelihood of the labels, in nats."""
    log_p, label = _checked(log_probability, label)
    return float(-log_p[np.arange(len(label)), label].mean())


def fit_temperature(log_probability: ArrayLike, label: ArrayLike) -> float:
    """The temperature T > 0 whose log_probability / T has the least `nll` on these labels (Guo et al. 2017, sec. 4.2).

    Fitted on validation labels, used on the test's; a T at an end of TEMPERATURES says that no finite one is best.
    Labels (n, K) are the shares of raters who name a class: then it is the cross-entropy to them that is least.
    """
    shares = np.asarray(label)
    if shares.ndim == 2:
        log_p = np.asarray(log_probability, np.float64)

        def loss(inverse: float) -> float:
            return float(-(shares * log_softmax(inverse * log_p, axis=1)).sum())
    else:
        log_p, label = _checked(log_probability, label)

        def loss(inverse: float) -> float:
            return nll(inverse * log_p, label)

    low, high = (1 / t for t in reversed(TEMPERATURES))  # a convex function of 1 / T
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(1 / found.x)


def _checked(log_probability: ArrayLike, label: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    log_p, label = np.asarray(log_probability, np.float64), np.asarray(label)
    if log_p.ndim != 2 or label.shape != log_p.shape[:1] or not len(label):
        raise ValueError(
            f"expected log_probability (n, K) and label (n,); got {log_p.shape} and {label.shape}"
        )
    if not np.issubdtype(label.dtype, np.integer) or ((label < 0) | (label >= log_p.shape[1])).any():
        raise ValueError(
            f"labels must be integers 0 to {log_p.shape[1] - 1}; leave rows without one out, and count them"
        )
    if np.isnan(log_p).any() or not np.isfinite(log_p.max(axis=1)).all():
        bad = np.isnan(log_p).any(axis=1) | ~np.isfinite(log_p.max(axis=1))
        raise ValueError(f"row {np.argmax(bad)}: log_probability is NaN, or infinite in every class")
    return log_softmax(log_p, axis=1), label.astype(np.int64)
