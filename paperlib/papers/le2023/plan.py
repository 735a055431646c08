"""What is trained for le2023: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from paperlib.companion.runs import Result, Run
from paperlib.models.ldlva import PAPER, RELEASE
from paperlib.tasks.noisy_labels import (
    CLASSES,
    PSEUDO_GIVEN,
    regressor,
)
from paperlib.tracks import Track

KEY = "le2023"
TASK = "paperlib.tasks.noisy_labels:train"
OURS, BASELINE, BOUNDED, RELEASED = "LDLVA", "baseline", "LDLVA, bounded scores", "as released"
METHODS = (BASELINE, "label smoothing", "SCN", "RUL", OURS, BOUNDED)
INSTANCES = (OURS, BOUNDED, RELEASED)  # LDLVA as printed, with the release's bound alone, and as released
FLIPS = (0.0, 0.1, 0.2, 0.3)
# condition -> what the training faces are labelled with
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"{round(100 * share)} %": {"labels": "consensus", "noise": share} for share in FLIPS},
    "natural": {"labels": "natural", "noise": 0.0},
    "populations": {"labels": "populations", "noise": 0.0},
}
CLEAN, NOISY, NATURAL, POPULATIONS = "0 %", "30 %", "natural", "populations"
# Variants of LDLVA: fields of its settings, or of its options, that differ.
# Table 4: label distribution, adaptive similarity, uncertainty factor, discriminative loss; (i) is the baseline, (v)
# the whole. The fixed factor of (ii) is not printed; 0.5 takes no side.
COMPONENTS: Mapping[str, Mapping[str, Any]] = {
    "(ii) LD, AS": {"factor_rate": 0.0, "factor_start": 0.5, "gamma": 0.0},
    "(iii) LD, AS, UF": {"gamma": 0.0},
    "(iv) LD, UF, DL": {"calibrate": False},
}
NEIGHBOURS: Mapping[str, Mapping[str, Any]] = {"K = 4": {"k": 4}, "K = 16": {"k": 16}}
# As printed, calibration scores may fall to nothing, because eq. 5 asks for their ratios only; the release bounds them.
BOUND: Mapping[str, Any] = {"calibration_floor": -1.3}
# What the paper leaves open, or its release does otherwise.
CHOICES: Mapping[str, Mapping[str, Any]] = {
    RELEASED: {"setting": "release"},
    "gamma as printed": {"gamma": 0.1},
    "factor's rate as released": {"factor_rate": 0.3125},
    "factor a sigmoid's": {"factor": "sigmoid", "factor_start": 0.05},
    "factor a sigmoid's, feels the pull": {
        "factor": "sigmoid",
        "factor_start": 0.05,
        "factor_feels_pull": True,
    },
    "factor waits 3 epochs": {"factor_after": 3},
    "no gradient through the target": {"target_gradient": False},
}
# What would it take? Neighbours that are no neighbours, and knowledge that nobody has.
_HALF = COMPONENTS["(ii) LD, AS"]
PLACES: Mapping[str, Mapping[str, Any]] = {
    "(ii), random neighbours": {**_HALF, "places": "random"},
    "(ii), its own prediction": {**_HALF, "places": "itself"},
    "random neighbours": {"places": "random"},
    "its own prediction": {"places": "itself"},
    "the raters' places": {"places": "raters"},
    "known factors": {"oracle": True, "factor_rate": 0.0},
}
STALENESS: Mapping[str, Mapping[str, Any]] = {
    "online": {"online": True},
    "bank, every 4th epoch": {"refresh": 4},
}
TINY = 1e-3  # a calibration score that is as good as none
BEHIND = "is behind the plain network here"
WAY = "baseline on the consensus - baseline"
HOLM = "by Holm's test of the"
DOUBTS = {
    BASELINE: "plain loss",
    "SCN": "SCN's weight",
    "RUL": "RUL's uncertainty",
    OURS: "factor",
    BOUNDED: "factor, bounded scores",
}
CAVEATS = {
    "twin": "**The data are generated.** Ten raters each choose a category for every face. The category that most of "
    "them choose is the *consensus*; one annotator's choice, a tenth of it replaced by a wrong one, is the *natural* "
    "label. Pseudo valence and arousal come from a network trained on 3,000 generated faces of other people. What "
    "holds here holds of the method on such faces, at this size of network and number of steps.",
    "ferplus": "**The wrong labels are real.** *Natural* labels are those that FER2013 was published with; the "
    "*consensus* is the official majority of FER+'s ten votes for the same faces, without contempt. Neither is made "
    "up. A fifth of the training faces is held out and trains only the network that gives the others their pseudo "
    "valence and arousal (from votes placed on the circumplex; nobody rated it). So neighbours carry some of these "
    "faces' votes into the experiment, which no other method here sees. Subjects are unknown: intervals "
    "over pictures are too narrow if people recur. This page shows no picture of FER2013.",
}
_SETTINGS = ("k", "places", "online", "oracle")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    backbone: str
    schedule: Mapping[str, Any]
    regressor: Mapping[str, Any]
    options: Mapping[str, Any]  # of LDLVA
    seeds: int = 3
    seeds_of_central: int = 5  # of the baseline and LDLVA
    left_out: Sequence[str] = ()  # conditions and variants that take too long
    pretrained: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile; the real faces of FER+ come in larger batches than the twin's."""
    if track.profile == "paper":
        from paperlib.models.backbones import weights_available

        # Not given by the paper: how the learning rate falls; here over half a cosine.
        schedule = {"optimiser": "adam", "learning_rate": 1e-3, "batch": 32, "epochs": 30}
        return Protocol(
            backbone="resnet50",
            schedule=schedule,
            regressor=schedule,
            options={"setting": "paper"},
            pretrained=weights_available("resnet50"),
            draws=5000,
        )
    schedule = {"weight_decay": 0.05, "learning_rate": 4e-3, "batch": 64 if track.name == "twin" else 128}
    epochs = 1 if track.profile == "smoke" else 6
    if track.name == "twin" and epochs > 1:
        epochs = 3 if track.brief else 12
    # A run on real faces takes a minute, so between no flips and the most there is nothing.
    left_out = [] if track.name == "twin" else ["10 %", "20 %", "online", *list(CHOICES)[2:6]]
    if track.brief:
        of_conditions = ["10 %", "20 %", POPULATIONS, "label smoothing", "RUL", BOUNDED]
        left_out = [*of_conditions, *NEIGHBOURS, *PLACES, *CHOICES, *STALENESS]
    return Protocol(
        backbone="tiny_resnet",
        schedule=schedule | {"epochs": epochs},
        regressor=schedule | {"epochs": max(epochs, 12) if epochs > 1 else 1},
        # On 128 features from scratch; the paper's 0.1 belongs to 2,048 pretrained ones. See the page on both.
        options={"setting": "paper", "gamma": 0.01, "factor_rate": 0.1},
        seeds=2 if track.profile == "smoke" else 3,
        seeds_of_central=2 if track.profile == "smoke" else 3 if track.brief else 5,
        left_out=left_out,
        draws=100 if track.profile == "smoke" else 1000,
    )


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open, what its release does, and what is done here."""
    options = protocol(track).options
    least = 1 / (1 + np.exp(-RELEASE.calibration_floor))
    rows = [
        ("start of the factor λ", "0", "λ = 0.38", "0"),
        (
            "how λ stays in [0, 1]",
            "not said; from 0, plain descent leaves it at once",
            "a sigmoid",
            "cut to [0, 1]",
        ),
        (
            "λ's own step",
            "Adam 0.001, as the rest",
            "SGD 10 on a batch mean of 32",
            f"SGD {options.get('factor_rate', PAPER.factor_rate)} a face",
        ),
        ("does λ feel L_D?", "yes (eq. 11), no (eqs. 7 to 9)", "no", "no"),
        ("local similarity", "exp(−d² / δ²)", "exp(−|d|₁ / δ)", "exp(−d² / δ²)"),
        (
            "calibration network",
            "layer norm",
            f"batch norm; score at least {least:.2f}",
            "layer norm; with that bound in “bounded scores”",
        ),
        ("gradient through the target", "not said", "to calibration and own features", "as released"),
        (
            "neighbours' predictions",
            "not said",
            "forward in training mode, no gradient",
            "bank; online below",
        ),
        ("γ", "0.1", "0.01, on a mean over 9 pictures", str(options.get("gamma", PAPER.gamma))),
        ("sum or mean over the batch", "sum", "mean", "mean"),
        (
            "repulsion of centres",
            "exp(−d² / √V), each pair twice",
            "exp(−d² / V), each pair once",
            "exp(−d² / √V), each pair twice",
        ),
        ("centres' update", "“as in center loss”", "SGD 0.5 on class means", "center loss, rate 0.5"),
        ("model selection", "not said", "best on the validation file", "last epoch"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "release", "this page"])


def hard_condition(track: Track) -> str:
    """Where variants of LDLVA are compared: wrong labels that people made, on real faces; else the most flips."""
    return NATURAL if track.name == "ferplus" else NOISY


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str], list[Run]]:
    """The runs of every artefact by (condition, method); `seeds` replaces the profile's number.

    The regressor of pseudo labels is ("", "regressor"), where the track needs one. It learns from the track's faces.
    """
    faces = track.categories()
    if faces is None or not (track.name in PSEUDO_GIVEN or np.isfinite(faces.affect).any()):
        return {}
    plan = protocol(track)
    base = {"backbone": plan.backbone, "pretrained": plan.pretrained, "schedule": plan.schedule}
    runs: dict[tuple[str, str], list[Run]] = {}

    def add(condition: str, name: str, changes: Mapping[str, Any] | None = None) -> None:
        if condition in plan.left_out or name in plan.left_out:
            return
        settings = base | dict(CONDITIONS[condition]) | {"method": OURS if changes is not None else name}
        if changes is not None:
            own = {"k": 8, "places": "pseudo", "online": False, "oracle": False, "regressor": plan.regressor}
            own |= {k: v for k, v in changes.items() if k in _SETTINGS}
            options = {k: v for k, v in changes.items() if k not in _SETTINGS}
            settings |= own | {"options": options if "setting" in options else {**plan.options, **options}}
        runs[condition, name] = [
            Run(task=TASK, track=track, data=faces.fingerprint, settings=settings, seed=s)
            for s in range(seeds or (plan.seeds_of_central if name in (BASELINE, OURS) else plan.seeds))
        ]

    regression = Run.of(regressor(track, base | {"regressor": plan.regressor}))
    runs["", "regressor"] = [] if track.name in PSEUDO_GIVEN else [regression]
    both = faces.original is not None
    conditions = [c for c in CONDITIONS if both or c not in (NATURAL, POPULATIONS)]
    hard = hard_condition(track)
    for condition in sorted(conditions, key=(NATURAL, CLEAN, NOISY, POPULATIONS, "10 %", "20 %").index):
        extra = ("label smoothing", BOUNDED) if condition not in (CLEAN, NOISY, NATURAL) else ()
        two = condition == POPULATIONS or track.brief and condition == NATURAL != hard
        for method in (BASELINE, OURS) if two else METHODS:
            if method not in extra:
                add(condition, method, {OURS: {}, BOUNDED: BOUND}.get(method))
    for name, changes in {**COMPONENTS, **NEIGHBOURS}.items():
        for condition in (hard, CLEAN) if track.name == "twin" and not track.brief else (hard,):
            add(condition, name, changes)
    for name, changes in {**PLACES, **CHOICES, **STALENESS}.items():
        if name != "the raters' places" or np.isfinite(faces.affect).all():
            add(hard, name, changes)
    if track.profile != "smoke":
        for condition in (c for c in conditions if c != POPULATIONS):
            add(condition, RELEASED, CHOICES[RELEASED])
    return runs


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads, to be kept in the repository.

    Where only accuracy is asked for, the likeliest class takes the place of the probabilities.
    """
    track = results[0].run.track
    names = {run.identity: name for name, group in grid(track).items() for run in group}
    hard, kept = hard_condition(track), []
    for r in results:
        condition, method = names[r.run.identity]
        arrays = dict(r.arrays)
        drawn = condition in (CLEAN, hard) and method in (*METHODS, RELEASED)
        if "probability" in arrays and not drawn:
            named = arrays["probability"].argmax(axis=1)
            arrays["probability"] = np.eye(CLASSES, dtype=np.int8)[named]
        if "target" in arrays and condition != hard:
            arrays["target"] = np.eye(CLASSES, dtype=np.int8)[arrays["target"].argmax(axis=1)]
        needed = {
            "doubt": method in DOUBTS and condition in (NATURAL, NOISY),
            "recovered": method == OURS and condition in (NATURAL, NOISY),
            "target": method == OURS and condition in (NATURAL, NOISY),
            "calibration": method in INSTANCES and condition in (CLEAN, hard),
        }
        arrays = {name: values for name, values in arrays.items() if needed.get(name, True)}
        kept.append(replace(r, arrays=arrays))
    return kept
