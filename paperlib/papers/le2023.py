"""le2023: the grid of runs behind its artefacts, and every number of its page.

Methods are compared over seeds: runs of one seed share the wrong labels, the order of the batches and the augmentation,
so differences are paired.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperlib.grid import Run
from paperlib.tasks.noisy_labels import PSEUDO_GIVEN, regressor
from paperlib.tracks import Track

KEY = "le2023"
TASK = "paperlib.tasks.noisy_labels:train"
OURS, BASELINE = "LDLVA", "baseline"
METHODS = (BASELINE, "label smoothing", "SCN", "RUL", OURS)
FLIPS = (0.0, 0.1, 0.2, 0.3)
# condition -> what the training faces are labelled with
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"{round(100 * share)} %": {"labels": "consensus", "noise": share} for share in FLIPS},
    "natural": {"labels": "natural", "noise": 0.0},
    "populations": {"labels": "populations", "noise": 0.0},
}
CLEAN, NOISY, NATURAL, POPULATIONS = "0 %", "30 %", "natural", "populations"

# Variants of LDLVA: fields of its settings, or of its options, that differ.
# Table 4: label distribution, adaptive similarity, uncertainty factor, discriminative loss; (i) is the baseline, (v) the
# whole. The fixed factor of (ii) is not printed; 0.5 takes no side.
COMPONENTS: Mapping[str, Mapping[str, Any]] = {
    "(ii) LD, AS": {"factor_rate": 0.0, "factor_start": 0.5, "gamma": 0.0},
    "(iii) LD, AS, UF": {"gamma": 0.0},
    "(iv) LD, UF, DL": {"calibrate": False},
}
NEIGHBOURS: Mapping[str, Mapping[str, Any]] = {"K = 4": {"k": 4}, "K = 16": {"k": 16}}
# What the paper leaves open, or its release does otherwise.
CHOICES: Mapping[str, Mapping[str, Any]] = {
    "as released": {"setting": "release"},
    "gamma as printed": {"gamma": 0.1},
    "factor's rate as released": {"factor_rate": 0.3125},
    "factor waits 3 epochs": {"factor_after": 3},
    "factor feels the pull": {"factor_feels_pull": True},
    "no gradient through the target": {"target_gradient": False},
}
# What would it take? Neighbours that are no neighbours, and knowledge that nobody has.
PLACES: Mapping[str, Mapping[str, Any]] = {
    "random neighbours": {"places": "random"},
    "its own prediction": {"places": "itself"},
    "the raters' places": {"places": "raters"},
    "known factors": {"oracle": True, "factor_rate": 0.0},
}
STALENESS: Mapping[str, Mapping[str, Any]] = {
    "online": {"online": True},
    "bank, every 4th epoch": {"refresh": 4},
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
    epochs = 1 if track.profile == "smoke" else 12 if track.name == "twin" else 6
    return Protocol(
        backbone="tiny_resnet",
        schedule=schedule | {"epochs": epochs},
        regressor=schedule | {"epochs": max(epochs, 12) if epochs > 1 else 1},
        # On 128 features from scratch; the paper's 0.1 belongs to 2,048 pretrained ones. See the page on both.
        options={"setting": "paper", "gamma": 0.01, "factor_rate": 0.1},
        seeds=2 if track.profile == "smoke" else 3,
        draws=100 if track.profile == "smoke" else 1000,
    )


def hard_condition(track: Track) -> str:
    """Where variants of LDLVA are compared: wrong labels that people made, on real faces; else the most flips."""
    return NATURAL if track.name == "ferplus" else NOISY


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str], list[Run]]:
    """The runs of every artefact by (condition, method); `seeds` replaces the profile's number.

    The regressor of pseudo labels is ("", "regressor"), where the track needs one.
    """
    faces = track.categories()
    if faces is None:
        return {}
    plan = protocol(track)
    base = {"backbone": plan.backbone, "pretrained": plan.pretrained, "schedule": plan.schedule}
    runs: dict[tuple[str, str], list[Run]] = {}

    def add(condition: str, name: str, changes: Mapping[str, Any] | None = None) -> None:
        settings = base | dict(CONDITIONS[condition]) | {"method": OURS if changes is not None else name}
        if changes is not None:
            own = {"k": 8, "places": "pseudo", "online": False, "oracle": False, "regressor": plan.regressor}
            own |= {k: v for k, v in changes.items() if k in _SETTINGS}
            options = {k: v for k, v in changes.items() if k not in _SETTINGS}
            settings |= own | {"options": options if "setting" in options else {**plan.options, **options}}
        runs[condition, name] = [
            Run(task=TASK, track=track, data=faces.fingerprint, settings=settings, seed=s)
            for s in range(seeds or plan.seeds)
        ]

    regression = regressor(track, base | {"regressor": plan.regressor})
    runs["", "regressor"] = [] if track.name in PSEUDO_GIVEN else [regression]
    both = faces.original is not None
    conditions = [c for c in CONDITIONS if both or c not in (NATURAL, POPULATIONS)]
    hard = hard_condition(track)
    for condition in sorted(conditions, key=(NATURAL, CLEAN, NOISY, POPULATIONS, "10 %", "20 %").index):
        methods = [m for m in METHODS if m != "label smoothing" or condition in (CLEAN, NOISY, NATURAL)]
        for method in (BASELINE, OURS) if condition == POPULATIONS else methods:
            add(condition, method, {} if method == OURS else None)
    for name, changes in {**COMPONENTS, **NEIGHBOURS}.items():
        for condition in (hard, CLEAN):
            add(condition, name, changes)
    for name, changes in {**PLACES, **CHOICES, **STALENESS}.items():
        if name != "the raters' places" or np.isfinite(faces.affect).all():
            add(hard, name, changes)
    return runs
