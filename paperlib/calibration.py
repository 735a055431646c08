"""Are predicted probabilities as often right as they say? The calibration error, and temperature scaling.

Everything takes `log_probability` (n, K), logarithms that need not be normalised (logits will do), of two classes or
more, and `label` (n,), 0 to K - 1, as arrays or tensors on any device and of any precision; a prediction's confidence
is its largest probability. Probabilities in place of their logarithms are a ValueError.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from paperlib.metrics import to_numpy
from paperlib.shapes import check_shapes

BINS = 15  # Guo et al. 2017
TEMPERATURES = (0.05, 20.0)  # searched in between


def calibration_error(log_probability: ArrayLike, label: ArrayLike, *, bins: int = BINS) -> float:
    """Expected calibration error in [0, 1]: mean |accuracy - confidence| over bins of equal width, by their counts.

    A confidence on the edge of two bins belongs to the lower one (Guo et al. 2017).
    """
    gaps = calibration_gaps(log_probability, label, bins=bins)
    return float(np.abs(gaps.sum(axis=0)).sum() / len(gaps))


def calibration_gaps(
    log_probability: ArrayLike, label: ArrayLike, *, bins: int = BINS
) -> NDArray[np.float64]:
    """(n, bins) of each row 1 or 0, as it is right or not, minus its confidence, in the column of its bin; else 0.

    The calibration error is the sum of the columns' absolute sums, divided by n.
    """
    log_p = _normalised(log_probability)
    label = _checked(log_p, label)
    confidence, right = np.exp(log_p.max(axis=1)), log_p.argmax(axis=1) == label
    where = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    return np.eye(bins)[where] * (right - confidence)[:, None]


def fit_temperature(log_probability: ArrayLike, label: ArrayLike) -> float:
    """The temperature T > 0 whose log_probability / T has the least negative log likelihood of these labels.

    Fitted on validation labels, used on the test's (Guo et al. 2017, sec. 4.2); a T at an end of TEMPERATURES says that
    no finite one is best. Labels (n, K) are the shares of raters who name a class: then it is the cross-entropy to them
    that is least.
    """
    log_p, shares = _normalised(log_probability), _to_array(label)
    if shares.ndim == 1:
        shares = np.eye(log_p.shape[1])[_checked(log_p, shares)]
    check_shapes("n K, n K", log_probability=log_p, shares=shares)
    if not (np.isfinite(shares) & (shares >= 0)).all():
        raise ValueError("shares of raters must be 0 or more; leave rows without any out, and count them")
    hopeless = (np.isneginf(log_p) & (shares > 0)).any(axis=1)
    if hopeless.any():
        raise ValueError(
            f"row {np.argmax(hopeless)}: log_probability of its label is -inf, as in {hopeless.sum()} of {len(shares)} "
            "rows, and no temperature changes that; give logits"
        )

    def loss(inverse: float) -> float:
        scaled = log_softmax(inverse * log_p, axis=1)
        return float(
            -np.multiply(shares, scaled, where=shares > 0, out=np.zeros_like(scaled)).sum(axis=1).mean()
        )

    low, high = (1 / t for t in reversed(TEMPERATURES))  # a convex function of 1 / T
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(1 / found.x)


def _to_array(label: ArrayLike) -> NDArray:
    return label.detach().cpu().numpy() if hasattr(label, "detach") else np.asarray(label)


def _checked(log_p: NDArray[np.float64], label: ArrayLike) -> NDArray[np.integer]:
    label = _to_array(label)
    check_shapes("n K, n", log_probability=log_p, label=label)
    if not np.issubdtype(label.dtype, np.integer) or ((label < 0) | (label >= log_p.shape[1])).any():
        raise ValueError(
            f"labels must be integers 0 to {log_p.shape[1] - 1}; leave rows without one out, and count them"
        )
    return label


def _normalised(log_probability: ArrayLike) -> NDArray[np.float64]:
    log_p = to_numpy(log_probability)
    if log_p.ndim != 2 or not len(log_p) or log_p.shape[1] < 2:
        raise ValueError(f"expected log_probability (n, K) of two classes or more; got {log_p.shape}")
    bad = np.isnan(log_p).any(axis=1) | ~np.isfinite(log_p.max(axis=1))
    if bad.any():
        raise ValueError(f"row {np.argmax(bad)}: log_probability is NaN, or infinite in every class")
    # bf16 leaves sums of one up to a hundredth off; logits that are all like this are none
    if (log_p >= 0).all() and (np.abs(log_p.sum(axis=1) - 1) < 0.01).all():
        raise ValueError("these are probabilities, whose rows sum to 1; give their logarithm, or logits")
    return log_softmax(log_p, axis=1)
