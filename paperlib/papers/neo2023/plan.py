"""What is trained for neo2023: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib.companion.runs import Result, Run
from paperlib.tasks.dual_domain import (
    problem,
    regressor,
)
from paperlib.tracks import Track

KEY = "neo2023"
TASK = "paperlib.tasks.dual_domain:train"
KINDS = {"faces": "AffectNet", "videos": "Aff-Wild", "morphs": "MorphSet"}  # kind -> whose place it takes
ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES = "one-hot", "label smoothing", "Euclid", "GMM", "votes"
TABLE3 = (ONE_HOT, EUCLID, GMM)
LABELS = (ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES)
Measure = Callable[[NDArray[np.float64], NDArray[np.int64]], float]  # of log probabilities and right classes
FLIPS = (0.0, 0.1, 0.2, 0.3)
# condition -> what the training faces are labelled with
CONDITIONS: Mapping[str, Mapping[str, Any]] = {
    **{f"{round(100 * share)} %": {"labels": "consensus", "noise": share} for share in FLIPS},
    "natural": {"labels": "natural", "noise": 0.0},
}
AS_GIVEN = "as given"  # the split; always said, since `problem` remembers its arguments as they were written
CLEAN, NOISY, NATURAL = "0 %", "30 %", "natural"
ALPHAS = (0.0, 0.3, 0.5, 0.7, 1.0)
# The paper's noise leaves valence and arousal as they were labelled. These are as noisy as people, or as the label.
NOISY_AFFECT = ("one rater", "regressor", "goes with the label")
# The labels of this share must hurt before anything can withstand them, and what gives them must be weighted alike.
FLIPPED = "drawn with replacement; the new class may be the old"
GIVEN = "those given, wrong ones included"
CAVEATS = {
    "twin": "**The data are generated.** *Faces* stand in for AffectNet: eight categories, skewed like the square "
    "root of its counts, test faces equally many of each; the category is what most of ten raters chose, "
    "valence and arousal the mean of their ratings, and the *natural* label one annotator's choice, a tenth "
    "of these replaced. *Videos* stand in for Aff-Wild: no category, so each frame gets the likeliest by the "
    "parameters of the faces; they are split by video, and people recur. *Morphs* stand in for MorphSet: seven "
    "categories, equally often, from neutral to apex. What holds here holds of the method on such faces, at this size "
    "of network and number of steps.\n\n"
    "**Three choices of its maker decide where fusion can win.** Valence and arousal of the videos are the truth "
    "itself, without noise, and their category is a function of them. Those of the morphs are the truth with hardly a "
    "scatter. And the people who label the faces mistake a category for those that lie near the face in the "
    "valence-arousal plane, the more the nearer: what a fused label assumes is the law by which these people "
    "disagree.\n\n"
    "**AffectNet has one annotator a picture.** So *as labelled*, the mean of ten people, is cleaner than AffectNet's "
    "valence and arousal. *One rater* is the counterpart in kind, but these raters are the twin's, and how far two of "
    "them differ stands in a table below; nothing here was set to AffectNet's agreement.",
    "ferplus": "**One half of each face's ten raters labels, the other half judges.** Nobody rated valence "
    "and arousal: they are the mean of the first half's votes, each placed on the circumplex. The category is "
    "the second half's sole winner; *natural* labels are those that FER2013 was published with. So no vote is on both "
    "sides, but note what fusion gets to see: five more people. *As labelled* is five other people's votes, and *one "
    "rater* a single vote, a second category put into the plane, and no rating. The label *votes* fuses the same five "
    "people's votes themselves. The test is as unequal as the faces are, and few show disgust or fear, so "
    "macro F1 is noisy. Subjects are unknown: people may recur. This page shows no picture of FER2013.",
}
PLAIN_L2 = "Euclid, plain L2"
# name -> label, and what is done otherwise: the readings of W_k, and none
WEIGHTS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    PLAIN_L2: (EUCLID, {"l2_weighted": False}),
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
    seeds_of_central: int = 5  # of what a claim of the paper is judged by
    pretrained: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track, kind: str) -> Protocol:
    """The protocol of the track's profile for one kind of faces."""
    # One vote of FER+ is one of seven points of the plane: nearly all that is left of a class lies on its own.
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
    elif track.brief:
        epochs = 2
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
        seeds_of_central=2 if few else 5 if track.name == "twin" and not track.brief else 3,
        draws=100 if few else 400 if track.brief else 1000,
    )


def tuning_condition(track: Track) -> str:
    """Where alpha is varied: on the labels that a data set comes with, which for FER+'s faces are FER2013's."""
    return NATURAL if track.name == "ferplus" else CLEAN


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open, what its first author's later code (dexterdley/FER_C) does, and this page."""
    plan = protocol(track, kinds(track)[0])
    first = "ImageNet's" if plan.pretrained else "random"
    reading = f"reading “{plan.reading}” below"
    if plan.reading == "all":
        reading += ": of single votes the others leave no spread"
    averaged = f"after {plan.average_after} epochs, as scheduled"
    one_rater = "untouched, and three noisy ones"
    rows = [
        (
            "how labels are flipped",
            "“randomly flipped to other classes”",
            FLIPPED,
            "exact count, another class",
        ),
        (
            "W_k under wrong labels",
            "not said",
            "from the counts of right labels",
            "from the counts of given labels",
        ),
        (
            "labels that the Gaussians are fitted on",
            "not said, under noise",
            "right ones, kept with the data",
            GIVEN,
        ),
        (
            "class of W_k",
            "not said for soft labels",
            "each class's own",
            "the given label's; per class in figure 5",
        ),
        ("distance in eq. 3", "squared", "not squared (a helper that its training does not call)", "squared"),
        ("“within one standard deviation”", "not explained", "per axis, one pass", reading),
        ("priors of the classes", "“computed directly”", "all faces of a class", "as there"),
        (
            "eq. 3 at a class's mean",
            "division by zero",
            "division by zero",
            "its limit: all belongs to that class",
        ),
        ("eq. 7: sum or mean", "neither", "mean", "mean"),
        ("classes of Aff-Wild", "not said", "7", "as many as the parameters have: 8 of AffectNet's"),
        ("W_k for Aff-Wild", "not said", "none", "none on Aff-Wild; on the twin's videos as elsewhere"),
        ("valence and arousal under noise", "only categories are flipped", "untouched", one_rater),
        ("first weights", "not said", "ImageNet's", first),
        ("range of valence and arousal", "not said", "tanh", "not bounded"),
        ("SWA: first epoch, learning rate", "not said", "none: the epoch of best validation F1", averaged),
        (
            "Aff-Wild: 80-20 of what",
            "“videos”",
            "frames at random for validation",
            "videos; frames beside it",
        ),
        ("F1's average", "not said", "macro", "macro"),
        ("which label is “Ours”", "not said", "", "each"),
        ("seeds", "one, not given", "0", f"0 to {plan.seeds_of_central - 1}"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "later code", "this page"])


def kinds(track: Track) -> list[str]:
    """The kinds of faces that the track has, with what fusion needs. The brief twin has no videos, for time."""
    left = "videos" if track.brief and track.name == "twin" else ""
    found = {kind: track.of_kind(kind) for kind in KINDS if kind != left}
    return [
        k
        for k, faces in found.items()
        if faces is not None
        and np.isfinite(faces.affect).any()
        and (k == "videos" or faces.expression is not None)
    ]


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str, str], list[Run]]:
    """The runs of every artefact by (kind, condition, label); `seeds` replaces the profile's number."""
    runs: dict[tuple[str, str, str], list[Run]] = {}

    def add(kind: str, condition: str, name: str, count: int, **changes: Any) -> None:
        plan = protocol(track, kind)
        # By AffectNet's priors a rare class may be the likeliest of no frame at all, and eq. 5 then has no weight.
        weighted = track.name != "affwild"
        settings = {
            "kind": kind,
            "split": AS_GIVEN,
            "affect": "as labelled",
            "reading": plan.reading,
            "method": name,
            "alpha": 0.5,
            "weights": "sample" if weighted else "none",
            "l2_weighted": weighted,
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
        parts, plan = problem(track, kind, AS_GIVEN), protocol(track, kind)
        # on the twin these are one annotator's, which le2023's page has too; on FER+ they are what is in question
        brief = track.brief and track.name == "twin"
        natural = [NATURAL] if parts.natural is not None and not brief else []
        for condition in (*natural, CLEAN, NOISY):
            for method in TABLE3:
                add(kind, condition, method, plan.seeds_of_central)
        if track.brief:
            continue
        for condition in ("10 %", "20 %") if track.name != "ferplus" else ():
            for method in TABLE3:
                add(kind, condition, method, plan.seeds)
        if kind == "videos":
            for method in TABLE3:
                add(kind, CLEAN, f"{method}, by frame", plan.seeds, method=method, split="by frame")
            continue
        for alpha in (a for a in ALPHAS if a not in (0.5, 1.0)):  # these are table 3's fusion and one-hot
            name = f"alpha = {alpha:g}"
            add(kind, tuning_condition(track), name, plan.seeds_of_central, method=EUCLID, alpha=alpha)
        if kind != "faces":
            continue
        for condition in (*natural, CLEAN, NOISY):
            add(kind, condition, SMOOTHED, plan.seeds_of_central)
            if parts.votes is not None:
                add(kind, condition, VOTES, plan.seeds)
        known = NOISY_AFFECT if parts.rater is not None else NOISY_AFFECT[2:]
        for condition in (*natural, NOISY):
            for affect in known:
                # one-hot too: the noisy places are the regression target as well, whatever the label
                for method in TABLE3:
                    add(kind, condition, f"{method}, {affect}", plan.seeds, method=method, affect=affect)
        for name, (method, changes) in WEIGHTS.items():
            claimed = name == PLAIN_L2
            add(kind, CLEAN, name, plan.seeds_of_central if claimed else plan.seeds, method=method, **changes)
        if parts.rater is not None:
            settings = runs[kind, NOISY, f"{GMM}, regressor"][0].settings
            runs[kind, "", "regressor"] = [Run.of(regressor(track, settings))]
    return dict(sorted(runs.items(), key=lambda item: item[0][2] != "regressor"))


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads, to be kept in the repository.

    Of labels whose calibration is not asked for, the likeliest class takes the place of the probabilities.
    """
    kept = []
    for r in results:
        s, arrays = r.run.settings, dict(r.arrays)
        if "method" in s:
            plain = (s["affect"], s["alpha"], s["weights"], s["l2_weighted"], s["split"])
            table3 = plain == ("as labelled", 0.5, "sample", True, AS_GIVEN) and s["noise"] in (
                0.0,
                FLIPS[-1],
            )
            if not (table3 and s["kind"] == "faces"):
                named = arrays["log_probability"].argmax(axis=1)
                arrays["log_probability"] = np.eye(arrays["log_probability"].shape[1], dtype=np.int8)[named]
                del arrays["validation"]
            if not (table3 and s["method"] in TABLE3 and s["labels"] == "consensus"):
                del arrays["attention"]
            if s["noise"] or s["labels"] == "natural" or s["split"] != AS_GIVEN:
                del arrays["affect"]  # errors are shown of right labels only
        kept.append(replace(r, arrays=arrays))
    return kept
