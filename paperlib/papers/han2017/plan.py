"""What is trained for han2017: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import metrics
from paperlib.companion.runs import Result, Run
from paperlib.tasks.perception_uncertainty import TARGETS
from paperlib.tracks import Track

KEY = "han2017"
TASK = "paperlib.tasks.perception_uncertainty:train"
SEARCH = "paperlib.tasks.perception_uncertainty:search_delay"
MODALITIES, FUSED = ("audio", "video"), "audio+video"
RESCALED = (
    "audio+video, rescaled"  # with development's mean and spread, as post-processing gives one modality
)
DIMENSIONS = ("arousal", "valence")  # the paper's order
STEP = 0.1  # of the weights (han2017, sec. 4.2)
DELAYS = tuple(range(0, 85, 5))  # frames that the search tries: to eight seconds
SINGLE = {"E": "single E", "sigma": "single sigma"}
TASKS = ("single", "multi")
EQUAL = "w = 1"  # both tasks count the same: nothing is searched
COUNTED = ("frames as n", "recordings as n", "bootstrap")  # ways to call a difference significant
PARTITIONS = {"dev": "validation", "test": "test"}  # the paper's name -> ours
NAMES = {"E": "emotional state", "sigma": "uncertainty"}
FASTER = "The uncertainty changes faster than the emotional state"
HARDER = "The uncertainty is harder to predict than the emotional state"
VIDEO = "Video is ahead of audio in most columns ({partition}), in CCC and RMSE"
BETTER = "Multi-task learning has the higher CCC than single-task learning"
BOTH = "Emotional state and uncertainty are better learnt together than alone ({dimension}), in CCC"
COSTS = "Multi-task learning has the higher RMSE where one modality is used alone ({partition})"
FUSION = "Fusion raises the CCC of the emotional state"
FUSION_ERROR = "Fusion lowers the RMSE of the emotional state"
FUSION_SIGMA = "Fusion gains less for the uncertainty than for the emotional state, in {measure}"
SHRINKAGE = "Fusion costs the uncertainty CCC, and most of it by least squares' shrinkage"
REVERSED = "Some columns in which multi-task learning gains on development are lost on the test"
TREND = "Predictions follow the gold standard's trend within a recording, in r"
CLAIM_IDS = {
    FASTER: "sigma-faster",
    HARDER: "sigma-harder",
    **{VIDEO.format(partition=p): "video-better" for p in PARTITIONS},
    BETTER: "multi-better",
    **{BOTH.format(dimension=d): "multi-both" for d in DIMENSIONS},
    **{COSTS.format(partition=p): "multi-rmse" for p in PARTITIONS},
    FUSION: "fusion-ccc",
    FUSION_ERROR: "fusion-rmse",
    **{FUSION_SIGMA.format(measure=m): "fusion-sigma" for m in ("CCC", "RMSE")},
    SHRINKAGE: "fusion-scale",
    REVERSED: "dev-and-test",
    TREND: "trend",
}  # of claims.csv
PRINTED_ON = "SEWA, mean of its cells"
PRINTED_RMSE_ON = "SEWA, RMSE, mean of its cells"
SHARE = "RMSE / sd"  # of the gold standard on the same frames: emotion and uncertainty have different units
CAVEATS = {
    "twin": "**The data are generated, and the recordings fewer and shorter than the paper's.** {n} people talk in "
    "pairs for up to {seconds:.0f} seconds each (the paper: 64 for 164); valence, arousal and their ambiguity are "
    "smooth random processes; six raters follow them {lag:.1f} seconds late on average, each with a bias, a scale and "
    "noise that grows with the ambiguity. A source-filter voice and a moving face show them, with one exception: "
    "nothing in the voice tells how ambiguous the valence is, so from audio σ(V) cannot be predicted. It is one of "
    "twelve cells all the same; in the comparison of single- with multi-task learning the means without it stand "
    "beside. openSMILE's features are real, of a voice that is not.\n\n"
    "Whoever wrote the twin decided more than the look of it. Ambiguity moves faster than affect, the raters' noise "
    "faster still; how much voice and face show of each was chosen, more of arousal in the voice and more of valence "
    "in the face; so was the raters' lag. Statements on pace, on which modality tells more, on what is harder and on "
    "whether a trend is followed are therefore *not attempted here*: their numbers stand on the page and show that "
    "they can be measured, not that they are so. And ambiguity is drawn independently of affect: but for raters who "
    "differ in lag, and so disagree a little where the emotion moves, a network can learn nothing for the one from the "
    "other. Where multi-task learning gains nothing here, that does not speak against the paper. In return the true "
    "uncertainty is known.",
}
Measure = Callable[..., NDArray[np.float64]]


def weight_name(w: float) -> str:
    return f"w = {w:g}"


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
        # CURRENNT minimises half the sum of a sequence's squared errors where ours are averaged, so its rate of 1e-5 is
        # one of 1e-5 times half the frames of a recording here. Not given: how many sequences make a step.
        rate = 1e-5 * 1640 / 2
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
    if track.brief:
        return Protocol(
            cells=24, schedule=adam | {"epochs": 5, "patience": 3}, sequence=60, step=0.5, draws=500
        )
    return Protocol(cells=24, schedule=adam | {"epochs": 20, "patience": 5}, sequence=60)


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open or contradicts itself in, and this page."""
    plan = protocol(track)
    whole = "whole recordings" if plan.sequence is None else f"pieces of {plan.sequence} frames"
    rows = [
        ("rater with a negative or undefined weight (eq. 2)", "not said", "weight 0"),
        ("EWE: weights over what", "n = 1, …, N; N not said", "each recording's frames"),
        (
            "rescaling of the uncertainty to [0, 1]",
            "“z-normalisation”",
            "extremes of the training recordings",
        ),
        ("the last seconds after the delay is taken off", "not said", "left out: nobody rated them"),
        ("where a window of six seconds lies", "not said", "around its frame"),
        ("normalisation of landmarks", "not said", "eyes' centres to (-0.5, 0) and (0.5, 0)"),
        ("features far from the training mean", "not said", "cut off at five standard deviations"),
        ("240 cells", "of a layer; each direction or both not said", f"{plan.cells} in each direction"),
        (
            "optimiser",
            "learning rate 1e-5, momentum 0.9",
            ", ".join(f"{k} {v}" for k, v in plan.schedule.items()),
        ),
        ("sequences and batches", "not said", whole),
        (
            "weights searched by",
            "“best performance” (3.3), CCC (4.3)",
            "CCC, before post-processing; MSE beside it",
        ),
        (
            "the ends of the search, 0 and 2",
            "included",
            "not multi-task learning: left to single-task networks",
        ),
        (
            "post-processing of the uncertainty; order with fusion",
            "not said",
            "as for emotion; before fusion",
        ),
        ("time shift beside the delay", "both", "both; up to five seconds either way"),
        ("late fusion", "WEKA's simple regression, which uses one input", "least squares on both (eq. 9)"),
        ("CCC over what", "not said", "all frames of a partition; recordings' mean beside it"),
        ("n of Fisher's test", "“over the whole predictions”", "frames; recordings beside it"),
        ("runs", "one, as it seems; no seed given", f"{plan.seeds} seeds"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "this page"])


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
    tried = [delay for delay in DELAYS if delay < record.frames.min()]
    search = {"modalities": there, "delays": tried}
    runs["", "", "delay"] = [Run(task=SEARCH, track=track, data=record.fingerprint, settings=search, seed=0)]
    for modality, dimension in product(there, DIMENSIONS):
        nets = {name: ([target], [1.0]) for target, name in SINGLE.items()}
        nets |= {weight_name(w): (["E", "sigma"], [w, round(2 - w, 2)]) for w in weights(track)}
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


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads: of networks that no weight search chose, their scores alone."""
    track = results[0].run.track
    names = {run.identity: name for name, group in grid(track).items() for run in group}
    groups: dict[tuple[str, str, str], list[Result]] = {}
    for r in results:
        groups.setdefault(names[r.run.identity], []).append(r)
    read = {r.key for r in groups["", "", "delay"]}
    for modality, dimension in {name[:2] for name in groups if name[2] != "delay"}:
        cell = {name[2]: group for name, group in groups.items() if name[:2] == (modality, dimension)}
        for target in TARGETS:
            used = [cell[SINGLE[target]], cell[EQUAL], *(searched(cell, target, by) for by in ("CCC", "MSE"))]
            read |= {r.key for group in used for r in group}
    kept = []
    for r in results:
        names_of = [name for name in r.arrays if r.key in read or name in ("score", "history")]
        kept.append(replace(r, arrays={name: r.arrays[name] for name in names_of}))
    return kept


def searched(cell: Mapping[str, Sequence[Result]], target: str, by: str = "CCC") -> list[Result]:
    """For each seed the multi-task network whose weight does best on validation, by "CCC" (sec. 4.3) or "MSE" (3.3).

    `cell` has the networks of one modality and dimension by name; post-processing is not applied before the search.
    """
    several = [group for name, group in cell.items() if name not in SINGLE.values()]
    column, sign = (0, 1) if by == "CCC" else (1, -1)
    best = []
    for same_seed in zip(*several, strict=True):
        best.append(max(same_seed, key=lambda r: sign * r["score"][TARGETS.index(target), column]))
    return best


ccc, rmse = metrics.ccc_from_sums, metrics.rmse_from_sums
