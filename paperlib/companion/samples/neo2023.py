"""neo2023's samples: what networks named the test faces, with which probabilities, and what their labels were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import log_softmax
from scipy.stats import spearmanr

from paperlib import calibration
from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned
from paperlib.fusion import class_weights, inverse_distances, posterior
from paperlib.labels import AFFECT, flip_labels
from paperlib.tasks.dual_domain import (
    Problem,
    explained,
    label_parameters,
    problem,
    training_affect,
    training_labels,
)
from paperlib.tracks import Track

TABLE3 = ("One-hot", "Fusion (Euclidean)", "Fusion (GMM)")
# what a run is where the plan does not say otherwise; `variant` names what differs from the runs of table 3
USUAL = {"variant": "", "noise": "0 %", "places": "as labelled", "weights": "weighted L2"}
KEYS = ("data", "noise", "method", "alpha", "places", "weights", "variant")
CALIBRATED = ("0 %", "30 %", "natural")
GROUPS = 200  # of faces whose people are unknown, drawn as wholes: as good as single faces, and faster
FLOOR_DRAWS = 20  # of labels from the predicted probabilities themselves


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The tables of a track; see data/samples/README.md.

    "": a row a test face and run. "affect": the same for each dimension, of runs on right labels. "probabilities":
    logarithms for the runs whose calibration is asked. "runs": temperatures, and the weights of the classes.
    "labels": the training faces. "wrong": what the place alone says of those labelled wrongly. "maps": Grad-CAM
    without and with wrong labels, compared for 64 faces.
    """
    runs = [(_labels(labels), results) for labels, results in planned if "method" in results[0].run.settings]
    tables = {
        "": [_named(track, x, rs) for x, rs in runs],
        "affect": [_affect(track, x, rs) for x, rs in runs if x["noise"] in ("0 %", _tuned(track))],
        "probabilities": [_probabilities(track, x, rs) for x, rs in runs if _asked(x)],
        "runs": [_runs(track, x, rs) for x, rs in runs if not x["variant"]],
        "labels": list(_training(track, runs)),
        "wrong": [f for x, rs in runs if x["method"] == TABLE3[2] for f in _wrong(track, x, rs)],
        "maps": list(_maps(track, runs)),
    }
    return {
        name: pd.concat(found, ignore_index=True)
        if found
        else pd.DataFrame(columns=[*KEYS, "seed", "item", "unit"])
        for name, found in tables.items()
    }


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """A block's labels by every key: alpha is 1 of one-hot labels, and the paper's 0.5 of fused ones."""
    x = {**USUAL, **labels}
    alpha = "1.0" if x["method"] == "One-hot" else "0.5" if x["method"] in TABLE3 else ""
    return {k: {"alpha": alpha, **x}[k] for k in KEYS}


def _tuned(track: Track) -> str:
    """The labels that alpha is varied on: those that a data set comes with, for FER+ FER2013's own."""
    return "natural" if track.name == "ferplus" else "0 %"


def _asked(x: Mapping[str, str]) -> bool:
    usual = x["data"] == "AffectNet" and not x["variant"]
    return usual and x["method"] != "votes" and x["noise"] in CALIBRATED


def _compared(x: Mapping[str, str]) -> bool:
    return not x["variant"] and x["method"] in TABLE3 and x["noise"] in CALIBRATED[:2]


def _parts(track: Track, results: Sequence[Result]) -> Problem:
    settings = results[0].run.settings
    return problem(track, settings["kind"])


def _units(parts: Problem, data: str, rows: NDArray, groups: int = 0) -> NDArray:
    """Whom intervals draw anew: the person or video of each row; where unknown, one of `groups`, or the face itself."""
    if parts.subject is not None:
        number = np.unique(parts.subject, return_inverse=True)[1][rows]
    else:
        number = np.arange(len(rows)) % min(groups, len(rows)) if groups else rows
    return np.array([f"{data} {k:05d}" for k in number])


def _test(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> tuple[Problem, dict[str, Any]]:
    """What all rows of a test face have."""
    parts = _parts(track, results)
    unit = _units(parts, x["data"], parts.test, GROUPS)
    return parts, {**x, "item": np.arange(len(unit), dtype=np.int32), "unit": unit}


def _each(results: Iterable[Result], of: Any) -> pd.DataFrame:
    return pd.concat([pd.DataFrame(of(r)).assign(seed=np.int8(r.run.seed)) for r in results])


def _named(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> pd.DataFrame:
    parts, common = _test(track, x, results)
    right = parts.label[parts.test].astype(np.int8)

    def of(r: Result) -> dict[str, Any]:
        epochs = np.int16(r.run.settings["schedule"]["epochs"])
        named = r["log_probability"].argmax(axis=1).astype(np.int8)
        return {**common, "epochs": epochs, "right": right, "named": named}

    return _each(results, of)


def _affect(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> pd.DataFrame:
    parts, common = _test(track, x, results)
    truth = parts.judged[parts.test]

    def of(r: Result) -> pd.DataFrame:
        said = r["affect"].astype(np.float32)
        each = (
            {"dimension": d, "label": truth[:, j], "prediction": said[:, j]} for j, d in enumerate(AFFECT)
        )
        return pd.concat([pd.DataFrame({**common, **one}) for one in each])

    known = [r for r in results if "affect" in r.arrays]
    return _each(known, of) if known else pd.DataFrame()


def _probabilities(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> pd.DataFrame:
    parts, common = _test(track, x, results)
    right = parts.label[parts.test].astype(np.int8)

    def of(r: Result) -> dict[str, Any]:
        logs = r["log_probability"].astype(np.float32).T
        return {
            **common,
            "right": right,
            **{f"log p {c}": p for c, p in zip(parts.classes, logs, strict=True)},
        }

    return _each(results, of)


def _runs(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> pd.DataFrame:
    parts = _parts(track, results)

    def of(r: Result) -> dict[str, Any]:
        settings = r.run.settings
        given, right = training_labels(track, settings, r.run.seed)
        weighted = settings["weights"] != "none"
        about: dict[str, Any] = {**x, "item": [0], "unit": "", "% wrong": 100 * (given != right).mean()}
        about["largest W_k"] = class_weights(given, classes=len(parts.classes)).max() if weighted else 1.0
        return {**about, **(_temperatures(parts, r) if _asked(x) else {})}

    return _each(results, of)


def _temperatures(parts: Problem, r: Result) -> dict[str, float]:
    """Temperatures that suit right validation labels, and ones as wrong as the training's; and the least error."""
    held, right = r["validation"].astype(np.float64), parts.label[parts.validation]
    s, k = r.run.settings, len(parts.classes)
    if s["labels"] == "natural":
        assert parts.natural is not None
        wrong = parts.natural[parts.validation]
    else:
        wrong = flip_labels(right, s["noise"], classes=k, seed=r.run.seed)[0].astype(np.int64)
    suited = calibration.fit_temperature(held, right)
    log_p = log_softmax(r["log_probability"].astype(np.float64) / suited, axis=1)
    return {
        "temperature": suited,
        "temperature by wrong labels": calibration.fit_temperature(held, wrong),
        "ECE if perfect": _floor(log_p, r.run.seed),
    }


def _floor(log_p: NDArray[np.float64], seed: int) -> float:
    """The calibration error of labels that are drawn from the probabilities (n, K) themselves, mean over draws."""
    rng, rising = np.random.default_rng(seed), np.exp(log_p).cumsum(axis=1)
    above = [(rng.random((len(rising), 1)) > rising).sum(axis=1) for _ in range(FLOOR_DRAWS)]
    drawn = [np.minimum(a, rising.shape[1] - 1) for a in above]
    return float(np.mean([calibration.calibration_error(log_p, label) for label in drawn]))


def _training(track: Track, runs: Planned) -> Iterator[pd.DataFrame]:
    """The training faces of each data set: right label, the first seed's with 30 % wrong, place, and people's votes.

    Where nobody learnt from labels that were 30 % wrong, these are the natural ones.
    """
    noise = "30 %" if any(x["noise"] == "30 %" for x, _ in runs) else "natural"
    for x, results in runs:
        if x["variant"] or (x["noise"], x["method"]) != (noise, "One-hot"):
            continue
        parts, settings = _parts(track, results), results[0].run.settings
        rows, given = parts.train, training_labels(track, settings, 0)[0]
        shares = () if parts.votes is None else zip(parts.classes, parts.votes[rows].T, strict=True)
        yield pd.DataFrame(
            {
                "data": x["data"],
                "item": rows.astype(np.int32),
                "unit": _units(parts, x["data"], rows),
                "seed": np.int8(0),
                "right": parts.label[rows].astype(np.int8),
                "given": given.astype(np.int8),
                **dict(zip(AFFECT, parts.affect[rows].T, strict=True)),
                **{f"votes {c}": v for c, v in shares},
            }
        )


def _wrong(track: Track, x: Mapping[str, str], results: Sequence[Result]) -> Iterator[pd.DataFrame]:
    """What the mixed label alone names the wrongly labelled training faces of the Gaussians' runs."""
    if x["noise"] not in CALIBRATED[1:] or x["variant"] == "epochs":  # it does not depend on the training
        return
    for r in results:
        settings, seed = r.run.settings, r.run.seed
        given, right = training_labels(track, settings, seed)
        rows, parts = np.flatnonzero(given != right), _parts(track, results)
        places, fitted = training_affect(track, settings, seed)[rows], label_parameters(track, settings, seed)
        mixed = inverse_distances(places, fitted.mean), posterior(fitted, places)
        unit = _units(parts, x["data"], parts.train[rows])
        for method, p in zip(TABLE3[1:], mixed, strict=True):
            about = {
                **x,
                "method": method,
                "seed": np.int8(seed),
                "item": np.arange(len(rows), dtype=np.int32),
            }
            about |= {"unit": unit, "face": parts.train[rows].astype(np.int32)}
            labels = {"right": right[rows], "given": given[rows], "named": p.argmax(axis=1)}
            yield pd.DataFrame({**about, **{name: v.astype(np.int8) for name, v in labels.items()}})


def _maps(track: Track, runs: Planned) -> Iterator[pd.DataFrame]:
    """Rank correlation of each face's maps without and with 30 % wrong labels; 0 where one is the same everywhere."""
    found = {(x["data"], x["noise"], x["method"]): results for x, results in runs if _compared(x)}
    for (data, noise, method), results in found.items():
        if noise != "0 %":
            continue
        parts = _parts(track, results)
        rows = explained(parts)
        about = {"data": data, "method": method, "item": np.arange(len(rows), dtype=np.int32)}
        about["unit"] = _units(parts, data, rows)
        for clean, noisy in zip(results, found[data, "30 %", method], strict=True):
            a, b = (r["attention"].astype(np.float64).reshape(len(rows), -1) for r in (clean, noisy))
            flat = (np.ptp(a, axis=1) == 0) | (np.ptp(b, axis=1) == 0)
            alike = [0.0 if f else spearmanr(p, q).statistic for p, q, f in zip(a, b, flat, strict=True)]
            yield pd.DataFrame(
                {**about, "seed": np.int8(clean.run.seed), "alike": alike, "flat": flat.astype(np.int8)}
            )
