"""What is trained for toisoul2021: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from paperlib import metrics
from paperlib.companion.runs import Result, Run
from paperlib.data import requirements
from paperlib.tasks.emofan import alignment, clips, larger, problem
from paperlib.tracks import Track

KEY = "toisoul2021"
TASK = "paperlib.tasks.emofan:train"
FOLDS = "paperlib.tasks.emofan:cross_validate"
RESNET: Mapping[str, Any] = {"network": "ResNet-18", "attention": False}
EMOFAN: Mapping[str, Any] = {"network": "EmoFAN", "attention": False}
ATTENTION: Mapping[str, Any] = {"network": "EmoFAN", "attention": True}
# row of Table 5 -> what is different in it; "teacher" names the row whose network is distilled
TABLE5: Mapping[str, Mapping[str, Any]] = {
    "ResNet-18 O+R": {**RESNET, "landmarks": "original", "categories": False},
    "ResNet-18 F+R": {**RESNET, "categories": False},
    "ResNet-18 F+R+C": RESNET,
    "EmoFAN F+R": {**EMOFAN, "categories": False},
    "EmoFAN F+R+C": EMOFAN,
    "EmoFAN F+R+C+A": {**ATTENTION, "teaches": True},
    "EmoFAN F+R+C+A+D": {**ATTENTION, "teacher": "EmoFAN F+R+C+A"},
    "EmoFAN F+R+C+A+S": {**ATTENTION, "loss": "shake-shake", "teaches": True},
    "EmoFAN F+R+C+A+S+D": {**ATTENTION, "loss": "shake-shake", "teacher": "EmoFAN F+R+C+A+S"},
}
# row of Table 6 -> the row of Table 5 that it is, or what is different
TABLE6: Mapping[str, str | Mapping[str, Any]] = {
    "EmoFAN with CCC-based loss": "EmoFAN F+R+C",
    "EmoFAN with MSE loss": {**EMOFAN, "loss": "MSE"},
    "EmoFAN with shake-shake": {**EMOFAN, "loss": "shake-shake"},
}
# row of Table 3 -> what is different in it; the second tells the share of more faces from that of network and loss
MORE_FACES = "ResNet-18, first on more faces"
TABLE3: Mapping[str, Mapping[str, Any]] = {
    "ResNet-18": {**RESNET, "first": False},
    MORE_FACES: {**RESNET, "first": True},
    "Ours": {**ATTENTION, "loss": "shake-shake", "first": True},
}
# choices that the paper leaves open
OPEN: Mapping[str, Mapping[str, Any]] = {
    "alignment trained on": {**ATTENTION, "frozen": False},
    "teacher replaces the labels": {**ATTENTION, "teacher": "EmoFAN F+R+C+A", "distil": "replaces"},
}
BEST = "EmoFAN F+R+C+A+S+D"
# the paper's baseline, trained for CCC alone; the second where a track has no landmarks, and crops are nobody's
BASELINES = ("ResNet-18 O+R", "ResNet-18 F+R")
FAIR = "ResNet-18 F+R+C"  # the baseline with the crops and the categories that EmoFAN has
NETWORK_ALONE, TRAINED_ON = "EmoFAN F+R+C", "alignment trained on"


class Step(NamedTuple):
    """A step of the ablation: the row with, the row without, what is said of it, and the paper's statement."""

    better: str
    worse: str
    what: str
    claim_id: str = ""  # "": two printed rows, of which no sentence speaks


STEPS: Mapping[str, Step] = {
    "F": Step("ResNet-18 F+R", "ResNet-18 O+R", "Recomputed landmarks help", "landmarks"),
    "features": Step(
        "EmoFAN F+R", "ResNet-18 F+R", "Building on the face-alignment network helps", "features"
    ),
    "C, ResNet": Step(FAIR, "ResNet-18 F+R", "Predicting categories as well helps a ResNet-18", "classes"),
    "C": Step("EmoFAN F+R+C", "EmoFAN F+R", "Predicting categories as well helps EmoFAN", "classes"),
    "A": Step("EmoFAN F+R+C+A", "EmoFAN F+R+C", "Attention from the landmarks helps", "attention"),
    "D": Step("EmoFAN F+R+C+A+D", "EmoFAN F+R+C+A", "Distillation helps", "distillation"),
    "S": Step("EmoFAN F+R+C+A+S", "EmoFAN F+R+C+A", "The shake-shake loss helps", "shake-shake"),
    "S and D": Step(BEST, "EmoFAN F+R+C+A", "Distillation and shake-shake together help"),
}
TEACHERS = ("EmoFAN F+R+C+A", "EmoFAN F+R+C+A+S")
MEASURES: Mapping[str, Callable[..., Any]] = {
    "RMSE": metrics.rmse,
    "SAGR": metrics.sagr,
    "PCC": metrics.pcc,
    "CCC": metrics.ccc,
}
PEOPLE, WITH_REST = "rater and rater", "rater and others together"
WITH_ONE, WITH_ALL = "network and rater", "network and raters together"
# tracks whose people chose categories alone: a face's is what most chose, and valence and arousal are votes' places
VOTES_ALONE = ("ferplus",)
NO_SEWA = "SEWA is licensed, and was not at hand"
CLEANED = "cleaned by the rules"
BY_OTHERS = "cleaned by other annotators"
REMOVED = "removed by the rules"
ALL, NAMED = "all faces", "faces with a category"
CLIPS = "small set: "
GIVEN = ("given label", "given label, smoothed evenly")
VOTES_RMSE = "RMSE to the raters' votes"
AGREES = "agrees with most raters"
OVER_FACES = "95 % bootstrap over {unit}"
CAVEATS = {
    "twin": "**The data are generated, and the networks small.** Faces with known landmarks are cropped by them; each "
    "is labelled by one of ten raters, drawn once, and its category by one annotator, a tenth of these "
    "replaced, as AffectNet has one annotator a face. That annotator is none of the ten, and better than they "
    "are: the category is drawn from what the face shows, without what raters mistake it for; even with a tenth "
    "replaced it agrees with most raters more often than one of them does. So a network that stands beside the "
    "raters has learnt categories from somebody better. *Original* landmarks are the right ones with the errors "
    "of an older detector; *FAN* landmarks come from the alignment network that is trained here. What the "
    "tables call ResNet-18 is in all profiles but `paper` a tiny ResNet, and larger than the EmoFAN beside it, "
    "where the paper's is smaller. What holds here holds of the method on such faces, at this size of network "
    "and number of steps. In return the truth is known.",
    "ferplus": "**The landmarks are another population's.** FER+ has none, so the alignment network has learnt "
    "generated faces, and pictures are taken as they are: the row that compares landmarks is left out, and what EmoFAN "
    "is compared with is a ResNet-18 on the same pictures, beside the paper's F+R and not its baseline O+R. It is "
    "in all profiles but `paper` a tiny ResNet, and larger than the EmoFAN beside it, where the paper's is "
    "smaller. Ten people each chose one category for a face; each vote is placed on the circumplex, and nobody "
    "rated a valence. Valence and arousal to learn are one vote's place, the category is what most chose; a "
    "face whose votes tie has none, and is in no accuracy. A neutral vote lies at exactly 0, a sign that no "
    "network predicts, so SAGR counts it against every network. Subjects are unknown. This page shows no "
    "picture of FER2013.",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    schedule: Mapping[str, Any]
    alignment_schedule: Mapping[str, Any]
    width: int
    depth: int
    size: int
    backbone: str
    seeds: int = 3
    turned: bool = False
    draws: int = 1000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile."""
    if track.profile == "paper":
        # Not given by the paper: batch and epochs, and which learning rate the search chose.
        adam = {"optimiser": "adam", "learning_rate": 1e-3, "decay": 0.1, "decay_every": 15, "batch": 64}
        return Protocol(
            schedule=adam | {"epochs": 45},
            alignment_schedule=adam | {"epochs": 45},
            width=256,
            depth=4,
            size=256,
            backbone="resnet18",
            turned=True,
            draws=5000,
        )
    adamw = {"optimiser": "adamw", "weight_decay": 0.05, "learning_rate": 4e-3}
    small: dict[str, Any] = {"width": 32, "depth": 3, "size": 64, "backbone": "tiny_resnet"}
    if track.profile == "smoke":
        few = adamw | {"epochs": 1, "batch": 64}
        small |= {"width": 16, "depth": 2, "size": 32}
        return Protocol(schedule=few, alignment_schedule=few, seeds=2, draws=100, **small)
    brief = track.name == "twin" and track.brief
    epochs = 2 if brief else 12 if track.name == "twin" else 4
    return Protocol(
        schedule=adamw | {"epochs": epochs, "batch": 32},
        alignment_schedule=adamw | {"epochs": 2 if brief else 12, "batch": 32},
        draws=400 if track.brief else 1000,
        **small,
    )


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open or contradicts itself in, what its release does, and this page."""
    plan = protocol(track)
    rows = [
        ("number of classes", "not said", "8 and 5", "8"),
        ("size of pictures, batch, epochs", "not said", "256 pixels", f"{plan.size} pixels; see below"),
        (
            "what is removed from the test set",
            "“manually”, all incorrect labels",
            "rules and a list",
            "the rules",
        ),
        ("landmarks of ResNet-18, row O+R", "original; yet all are said to be new", "", "original"),
        ("loss of rows without S", "not said; table 6 suggests CCC", "", "CCC"),
        ("distillation", "“instead of the labels”, and a term “added”", "", "added; replaced, beside it"),
        ("temperature and weight of distillation", "not said", "", "1 and 1"),
        ("teacher of a student", "not said", "", "the same row without D, same seed"),
        ("valence and arousal from the teacher", "not said", "", "not used"),
        ("face alignment while affect is learnt", "not said", "frozen", "frozen; trained on, beside it"),
        ("pooling of the hourglasses", "", "maximum", "maximum"),
        ("weights of MSE, PCC, CCC", "MSE is a sum over dimensions, the others means", "", "as printed"),
        ("sign of zero in SAGR", "not said", "", "a sign of its own"),
        ("mean over a picture and its mirror image", "not said", "yes", "yes"),
        ("seeds", "one, not given", "", f"{plan.seeds}"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "release", "this page"])


def settings(track: Track) -> dict[str, Any]:
    """What all networks of a track have in common."""
    plan = protocol(track)
    return {
        "width": plan.width,
        "depth": plan.depth,
        "size": plan.size,
        "backbone": plan.backbone,
        "schedule": dict(plan.schedule),
        "alignment_schedule": dict(plan.alignment_schedule),
        "landmarks": "FAN" if problem(track).original is not None else "as given",
        "frozen": True,
        "categories": True,
        "loss": "CCC",
        "teacher": None,
        "distil": "adds",
        "temperature": 1.0,
        "turned": plan.turned,
    }


def grid(track: Track, *, seeds: int | None = None) -> dict[str, list[Run]]:
    """The runs of every artefact by name; `seeds` replaces the profile's number. Teachers come before students."""
    faces = track.of_kind("portraits")
    if faces is None or not np.isfinite(faces.affect).any():
        return {}
    if faces.landmarks is None and track.name != "ferplus":
        return {}  # without landmarks there is nothing to learn alignment from
    parts, plan, common = problem(track), protocol(track), settings(track)
    aligned = Run.of(alignment(track, common))
    runs = {"alignment": [aligned]}
    if aligned.track != track:
        # FER+'s networks stand on an alignment that learnt the twin's faces: a run is known by the data of both.
        common["alignment_data"] = aligned.data
    several = {name: changes for name, changes in TABLE6.items() if not isinstance(changes, str)}
    with_landmarks = parts.original is not None
    categories = bool((parts.label >= 0).any())
    # FER+'s faces are many, and a run takes minutes: what the twin has need not be there twice
    rows = {**TABLE5} if track.name == "ferplus" or track.brief else {**TABLE5, **several, **OPEN}
    if track.brief and track.name == "twin":
        # Distillation and shake-shake are the steps that add no part to the network, and cost as much as all before.
        rows = {name: changes for name, changes in rows.items() if not {"teacher", "loss"} & changes.keys()}
    for name, changes in rows.items():
        of = {**common, **changes}
        if of["landmarks"] == "original" and not with_landmarks or of["categories"] and not categories:
            continue
        if of["teacher"] is not None:
            of["teacher"] = {**common, **TABLE5[of["teacher"]]}
        runs[name] = [
            Run(task=TASK, track=track, data=parts.fingerprint, settings=of, seed=s)
            for s in range(seeds or plan.seeds)
        ]
    few = clips(track)
    if few is not None and _begins(track) and not track.brief:
        for row, changes in TABLE3.items():
            of = {
                k: v
                for k, v in {**common, **changes}.items()
                if k not in ("teacher", "distil", "temperature")
            }
            # a network that has learnt already takes smaller steps
            rate = plan.schedule["learning_rate"] / (4 if of["first"] else 1)
            of |= {"folds": 5, "fold_schedule": {**plan.schedule, "learning_rate": rate}}
            runs[f"{CLIPS}{row}"] = [
                Run(
                    task=FOLDS,
                    track=track,
                    data=f"{few.fingerprint} {parts.fingerprint}",
                    settings=of,
                    seed=s,
                )
                for s in range(seeds or plan.seeds)
            ]
    return runs


def _begins(track: Track) -> bool:
    """Whether the data are there that a network for the small set is first trained on."""
    base = larger(track)
    return base == track or all(there for _, there in requirements(base.name, base.root))


def for_replay(results: Sequence[Result]) -> list[Result]:
    """The results with no more than the page reads: no weights, and labels of training faces from teachers alone."""
    track = results[0].run.track
    teachers = {run.identity for name in TEACHERS for run in grid(track).get(name, [])}
    kept = []
    for r in results:
        read = {"affect", "logits", "landmarks", "nme", "fold"} | (
            {"train"} if r.run.identity in teachers else set()
        )
        names = [n for n in r.arrays if n in read]
        kept.append(replace(r, arrays={n: r.arrays[n] for n in names}))
    return kept


class Told(NamedTuple):
    """What the paper prints of two rows in one measure."""

    words: str  # "0.71 to 0.72", the second the one that is said to be better
    gain: float  # positive where it is
    place: float  # one unit of the last printed place
