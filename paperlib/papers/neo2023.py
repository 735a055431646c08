"""neo2023: the grid of runs behind its artefacts, and every number of its page.

Labels are compared over seeds: runs of one seed share the wrong labels, the first weights, the order of the batches and
the augmentation, so differences are paired. Every difference is taken so that a positive one speaks for the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import metrics, stats
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable, Ledger
from paperlib.published import read_table
from paperlib.tasks.dual_domain import Problem, problem, regressor, training_labels
from paperlib.tracks import Track

KEY = "neo2023"
TRACKS = ("twin", "ferplus", "affectnet", "affwild", "morphset", "manifest")
TASK = "paperlib.tasks.dual_domain:train"
KINDS = {"faces": "AffectNet", "videos": "Aff-Wild", "morphs": "MorphSet"}  # kind -> whose place it takes
ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES = "one-hot", "label smoothing", "Euclid", "GMM", "votes"
TABLE3 = (ONE_HOT, EUCLID, GMM)
FLIPS = (0.0, 0.1, 0.2, 0.3)
# condition -> what the training faces are labelled with
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"{round(100 * share)} %": {"labels": "consensus", "noise": share} for share in FLIPS},
    "natural": {"labels": "natural", "noise": 0.0},
}
CLEAN, NOISY, NATURAL = "0 %", "30 %", "natural"
ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
# The paper's noise leaves valence and arousal as they were labelled. These are as noisy as people, or as the label.
NOISY_AFFECT = ("one rater", "regressor", "goes with the label")
# name -> label, and what is done otherwise: the readings of W_k, and none
WEIGHTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "Euclid, plain L2": (EUCLID, {"l2_weighted": False}),
    "Euclid, weight per class": (EUCLID, {"weights": "class"}),
    "one-hot, no weights": (ONE_HOT, {"weights": "none", "l2_weighted": False}),
    "Euclid, no weights": (EUCLID, {"weights": "none", "l2_weighted": False}),
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends on a kind. `paper` is the paper's own, with what it leaves open filled in and named."""

    backbone: str
    schedule: Mapping[str, Any]
    average_after: int  # epochs, of SWA
    reading: str  # of "within one standard deviation", see fusion.READINGS
    seeds: int = 3
    seeds_of_central: int = 5  # of table 3's labels, without noise and with the most
    pretrained: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track, kind: str) -> Protocol:
    """The protocol of the track's profile for one kind of faces."""
    # FER+'s valence and arousal lie on a lattice of five votes, most of a class on one point: no spread is left there.
    reading = "all" if track.name == "ferplus" else "axis"
    adam = {"optimiser": "adam", "decay": 0.5}
    if track.profile == "paper":
        from paperlib.models.backbones import weights_available

        # Not given by the paper: where SWA starts (torch's example: after three quarters), and the first weights.
        schedule = adam | {"learning_rate": 2.5e-4, "decay_every": 30, "batch": 256, "epochs": 50}
        available = weights_available("resnet18")
        return Protocol(
            backbone="resnet18",
            schedule=schedule,
            average_after=37,
            reading=reading,
            pretrained=available,
            draws=5000,
        )
    epochs, batch = {"faces": (10, 64), "videos": (12, 32), "morphs": (8, 64)}[kind]
    if track.name != "twin":
        epochs = 6
    if track.profile == "smoke":
        epochs = 2
    schedule = adam | {
        "learning_rate": 2e-3,
        "decay_every": (epochs + 1) // 2,
        "batch": batch,
        "epochs": epochs,
    }
    few = track.profile == "smoke"
    return Protocol(
        backbone="tiny_resnet",
        schedule=schedule,
        average_after=epochs * 2 // 3,
        reading=reading,
        seeds=2 if few else 3,
        seeds_of_central=2 if few else 5 if track.name == "twin" else 3,
        draws=100 if few else 1000,
    )


def tuning_condition(track: Track) -> str:
    """Where alpha is varied: on the labels that a data set comes with, which for FER+'s faces are FER2013's."""
    return NATURAL if track.name == "ferplus" else CLEAN


def kinds(track: Track) -> list[str]:
    """The kinds of faces that the track has, with what fusion needs."""
    found = {kind: track.of_kind(kind) for kind in KINDS}
    return [
        k
        for k, faces in found.items()
        if faces is not None and (k == "videos" or faces.expression is not None)
    ]


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str, str], list[Run]]:
    """The runs of every artefact by (kind, condition, label); `seeds` replaces the profile's number."""
    runs: dict[tuple[str, str, str], list[Run]] = {}

    def add(kind: str, condition: str, name: str, count: int, **changes: Any) -> None:
        plan = protocol(track, kind)
        settings = {
            "kind": kind,
            "split": "as given",
            "affect": "as labelled",
            "reading": plan.reading,
            "method": name,
            "alpha": 0.5,
            "weights": "sample",
            "l2_weighted": True,
            "backbone": plan.backbone,
            "pretrained": plan.pretrained,
            "schedule": plan.schedule,
            "average_after": plan.average_after,
        }
        settings |= dict(CONDITIONS[condition]) | changes
        data = problem(track, kind, settings["split"]).fingerprint
        runs[kind, condition, name] = [
            Run(task=TASK, track=track, data=data, settings=settings, seed=s) for s in range(seeds or count)
        ]

    for kind in kinds(track):
        parts, plan = problem(track, kind), protocol(track, kind)
        natural = [NATURAL] if parts.natural is not None else []
        for condition in (*natural, CLEAN, NOISY):
            for method in TABLE3:
                add(kind, condition, method, plan.seeds_of_central)
        for condition in ("10 %", "20 %") if track.name != "ferplus" else ():
            for method in TABLE3:
                add(kind, condition, method, plan.seeds)
        if kind == "videos":
            for method in TABLE3:
                add(kind, CLEAN, f"{method}, by frame", plan.seeds, method=method, split="by frame")
            continue
        for alpha in (a for a in ALPHAS if a not in (0.5, 1.0)):  # these are table 3's fusion and one-hot
            add(kind, tuning_condition(track), f"alpha = {alpha:g}", plan.seeds, method=EUCLID, alpha=alpha)
        if kind != "faces":
            continue
        for condition in (*natural, CLEAN, NOISY):
            add(kind, condition, SMOOTHED, plan.seeds)
            if parts.votes is not None:
                add(kind, condition, VOTES, plan.seeds)
        known = NOISY_AFFECT if parts.rater is not None else NOISY_AFFECT[2:]
        for condition in (*natural, NOISY):
            for affect in known:
                for method in (EUCLID, GMM):
                    add(kind, condition, f"{method}, {affect}", plan.seeds, method=method, affect=affect)
        for name, (method, changes) in WEIGHTS.items():
            add(kind, CLEAN, name, plan.seeds, method=method, **changes)
        if parts.rater is not None:
            settings = runs[kind, NOISY, f"{GMM}, regressor"][0].settings
            runs[kind, "", "regressor"] = [regressor(track, settings)]
    return dict(sorted(runs.items(), key=lambda item: item[0][2] != "regressor"))
