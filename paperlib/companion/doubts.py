"""Measures of a doubt: does it follow people's disagreement, find wrong labels, and know when to stop?

Each has `many`: all draws of a bootstrap at once, from the counts (R, G) of how often a draw takes each unit.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import rankdata

from paperlib.companion.measures import mean, spearman
from paperlib.companion.replicates import Measure, in_blocks, sums, up_to_each

LEAST = 6e-8  # half precision's; a probability of nought would have an infinite loss


def rank_correlation(x: NDArray, y: NDArray) -> float:
    """Spearman's, in [-1, 1]; nought where one says the same of all."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def roc_area(wrong: NDArray, doubt: NDArray) -> float:
    """The chance that a wrong label is doubted more than a right one (Mann and Whitney 1947): 0.5 is guessing."""
    bad = wrong > 0
    count = bad.sum()
    above = rankdata(doubt)[bad].sum() - count * (count + 1) / 2
    return float(above / (count * (len(bad) - count)))


def risk_over_coverage(doubt: NDArray, wrong: NDArray) -> NDArray[np.float64]:
    """(n,) the share of `wrong` among the 1, 2, ..., n items of the least doubt (El-Yaniv and Wiener, JMLR 2010).

    Items of one doubt share their errors evenly, so that no order of theirs is lucky.
    """
    values, group, count = np.unique(doubt, return_inverse=True, return_counts=True)
    rate = np.bincount(group, weights=wrong, minlength=len(values)) / count
    return np.repeat(rate, count).cumsum() / np.arange(1, len(doubt) + 1)


def best_from_halves(r: float) -> float:
    """How well what is free of error would go with all raters, if halves of them go with each other by r.

    The root of the reliability 2 r / (1 + r) (Spearman 1910, Brown 1910); for ranks an approximation.
    """
    return math.sqrt(2 * r / (1 + r)) if r > 0 else 0.0


def _rank_correlations(*columns: NDArray, **draws: NDArray) -> NDArray:
    many = spearman("", "").many
    assert many
    return np.nan_to_num(many(*columns, **draws))


@in_blocks
def _roc_areas(wrong: NDArray, doubt: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
    """How often a wrong label is doubted more than a right one, of all pairs of them in a draw."""
    _, (bad, good) = up_to_each(doubt, unit, counts, 1.0 * (wrong > 0), 1.0 * (wrong <= 0))
    less = good - np.diff(good, axis=1, prepend=0) / 2
    return (np.diff(bad, axis=1, prepend=0) * less).sum(axis=1) / (bad[:, -1] * good[:, -1])


@in_blocks
def _areas(doubt: NDArray, wrong: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
    _, (items, errors) = up_to_each(doubt, unit, counts, np.ones(len(doubt)), wrong)
    at = np.rint(items).astype(int)
    harmonic = np.concatenate([[0], np.cumsum(1 / np.arange(1, at.max() + 1))])[at]
    size, bad, spread = (np.diff(v, axis=1, prepend=0) for v in (items, errors, harmonic))
    rate = bad / np.where(size > 0, size, 1)
    return (bad + (errors - bad - rate * (items - size)) * spread).sum(axis=1) / items[:, -1]


@in_blocks
def _risks(doubt: NDArray, wrong: NDArray, unit: NDArray, counts: NDArray) -> NDArray:
    _, found = up_to_each(doubt, unit, counts, np.ones(len(doubt)), wrong)
    items, errors = (np.pad(v, ((0, 0), (1, 0))) for v in found)
    answered = np.round(0.8 * items[:, -1])
    # the first value up to which as many are answered
    at = (items < answered[:, None]).sum(axis=1)[:, None]
    (i, j), (e, f) = ([np.take_along_axis(v, at - k, axis=1)[:, 0] for k in (1, 0)] for v in (items, errors))
    return (e + (f - e) * (answered - i) / (j - i)) / answered


def log_of(p: NDArray) -> NDArray:
    """Of probabilities (n, K), whose rows are made to sum to one, in nats."""
    p = np.maximum(p / p.sum(axis=1, keepdims=True), LEAST)
    return np.log(p / p.sum(axis=1, keepdims=True))


def _mean_of_halves(s: NDArray) -> NDArray:
    return (s[..., 0] / s[..., 1] + s[..., 2] / s[..., 3]) / 2


def _by_half(value: NDArray, half: NDArray) -> NDArray:
    return np.stack([value * half, half, value * (1 - half), 1 - half], axis=1)


def _cooled_loss(p: NDArray, temperature: NDArray, label: NDArray, half: NDArray) -> NDArray:
    log_p = log_softmax(log_of(p) / temperature[:, None], axis=1)
    return _by_half(-log_p[np.arange(len(label)), label.astype(int)], half)


def _cooled_loss_to_votes(p: NDArray, temperature: NDArray, votes: NDArray, half: NDArray) -> NDArray:
    log_p = log_softmax(log_of(p) / temperature[:, None], axis=1)
    return _by_half(-(votes / votes.sum(axis=1, keepdims=True) * log_p).sum(axis=1), half)


def _right(p: NDArray, label: NDArray) -> NDArray:
    return p.argmax(axis=1) == label


FOLLOWS = Measure(
    name="rank correlation", of=rank_correlation, columns=("score", "disagreement"), many=_rank_correlations
)
FINDS = Measure(name="area under the ROC curve", of=roc_area, columns=("wrong", "score"), many=_roc_areas)
ERRORS = Measure(name="errors told apart", of=roc_area, columns=("error", "score"), many=_roc_areas)
AREA = Measure(
    name="area under risk and coverage",
    of=lambda doubt, wrong: float(risk_over_coverage(doubt, wrong).mean()),
    columns=("score", "error"),
    better=-1,
    many=_areas,
)
RISK_80 = Measure(
    name="risk at 80 % coverage",
    of=lambda doubt, wrong: float(risk_over_coverage(doubt, wrong)[round(0.8 * len(wrong)) - 1]),
    columns=("score", "error"),
    better=-1,
    many=_risks,
)
ACCURACY = mean("accuracy", "p *", "category", of=_right)
TIMID = mean(
    "overconfidence", "p *", "category", of=lambda p, label: p.max(axis=1) / p.sum(axis=1) - _right(p, label)
)
NLL = Measure(
    name="loss of the label",
    columns=("p *", "temperature", "category", "half"),
    better=-1,
    **sums(_cooled_loss, _mean_of_halves),
)
TO_VOTES = Measure(
    name="loss of the votes",
    columns=("p *", "temperature for votes", "votes *", "half"),
    better=-1,
    **sums(_cooled_loss_to_votes, _mean_of_halves),
)
