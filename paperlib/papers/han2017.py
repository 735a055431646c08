"""han2017: the grid of runs behind its artefacts, and every number of its page.

Two things vary, and each number says which its interval is over. Recordings: frames of one recording hang together, so
an interval of a CCC, or of a difference of two, comes from resampling whole test recordings, of the average over seeds.
Seeds: networks of one seed share the order of the batches and the input noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from paperlib.grid import Run
from paperlib.tracks import Track

KEY = "han2017"
TRACKS = ("twin", "sewa", "recordings")
TASK = "paperlib.tasks.perception_uncertainty:train"
SEARCH = "paperlib.tasks.perception_uncertainty:search_delay"
MODALITIES, FUSED = ("audio", "video"), "audio+video"
DIMENSIONS = ("arousal", "valence")  # the paper's order
STEP = 0.1  # of the weights (han2017, sec. 4.2)
DELAYS = tuple(range(0, 85, 5))  # frames that the search tries: to eight seconds
SINGLE = {"E": "single E", "sigma": "single sigma"}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    cells: int
    schedule: Mapping[str, Any]
    sequence: int | None  # frames that training recordings are cut into; None: whole recordings
    seeds: int = 3
    noise: float = 0.2
    delay: int = 40  # frames
    step: float = STEP
    draws: int = 2000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile."""
    if track.profile == "paper":
        # CURRENNT adds up the squared errors of a sequence where ours are averaged, so its rate of 1e-5 is one of
        # 1e-5 times the frames of a recording here. Not given by the paper: how many sequences make a step.
        rate = 1e-5 * 1640
        schedule = {
            "optimiser": "sgd",
            "momentum": 0.9,
            "learning_rate": rate,
            "decay_every": 1000,
            "batch": 1,
        }
        return Protocol(
            cells=240, schedule=schedule | {"epochs": 150, "patience": 20}, sequence=None, draws=5000
        )
    adam = {"optimiser": "adam", "learning_rate": 7e-3, "decay_every": 1000, "batch": 32}
    if track.profile == "smoke":
        few = adam | {"epochs": 2, "patience": 2}
        return Protocol(cells=8, schedule=few, sequence=30, seeds=2, step=0.5, draws=200)
    return Protocol(cells=24, schedule=adam | {"epochs": 20, "patience": 5}, sequence=60)


def weights(track: Track) -> list[float]:
    """The weights of E in multi-task learning: those of the sweep that leave both tasks some weight."""
    step = protocol(track).step
    return [round(step * k, 2) for k in range(1, round(2 / step))]


def modalities(track: Track) -> list[str]:
    """The modalities that the track's recordings have; on the twin both, without making their features."""
    return [m for m in MODALITIES if track.name == "twin" or track.features(m) is not None]


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str, str], list[Run]]:
    """The runs of every artefact by (modality, dimension, name); `seeds` replaces the profile's number."""
    record, plan = track.recordings(), protocol(track)
    if record is None:
        return {}
    there = modalities(track)
    runs: dict[tuple[str, str, str], list[Run]] = {}
    search = {"modalities": there, "delays": DELAYS}
    runs["", "", "delay"] = [Run(task=SEARCH, track=track, data=record.fingerprint, settings=search, seed=0)]
    for modality, dimension in product(there, DIMENSIONS):
        nets = {name: ([target], [1.0]) for target, name in SINGLE.items()}
        nets |= {f"w = {w:g}": (["E", "sigma"], [w, round(2 - w, 2)]) for w in weights(track)}
        for name, (targets, share) in nets.items():
            settings = {
                "modality": modality,
                "dimension": dimension,
                "targets": targets,
                "weights": share,
                "delay": plan.delay,
                "cells": plan.cells,
                "noise": plan.noise,
                "sequence": plan.sequence,
                "schedule": plan.schedule,
            }
            runs[modality, dimension, name] = [
                Run(task=TASK, track=track, data=record.fingerprint, settings=settings, seed=s)
                for s in range(seeds or plan.seeds)
            ]
    return runs
