"""What is trained for foteinopoulou2021: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from paperlib.companion.runs import Run
from paperlib.tracks import Track

KEY = "foteinopoulou2021"
CAVEATS = {
    "twin": "**The data are generated.** Faces and action units are drawn from known valence, arousal and ambiguity, "
    "and raters' noise grows with ambiguity by a stated function. What holds here holds of the method; whether it "
    "holds of people, only people's ratings can say. In return the true variance is known.",
    "ferplus": "**The ratings are placed, not given.** Ten people each chose one category for a face (FER+). Each vote "
    "is placed on the circumplex at that category's coordinates (Russell and Mehrabian 1977; contempt, which could "
    "not be verified there, halfway between displeased and disgusted), so a face has up to ten ratings. Their variance "
    "is real human disagreement about the *category*, measured in circumplex units; nobody rated a valence. Votes for "
    "*unknown* or *not a face* are missing ratings. Raters have no names in this data set and subjects are unknown: "
    "pictures are taken as independent, so intervals over pictures are too narrow if people recur. There are no "
    "recordings: what needs them is not attempted. This page shows no picture of FER2013.",
}
FACES, SEQUENCES = (
    "paperlib.tasks.label_variance:train_faces",
    "paperlib.tasks.label_variance:train_sequences",
)
DIMENSIONS = ("arousal", "valence")  # the paper's order
BASELINE, PROPOSED = "MSE", "KL as printed"
# name -> (loss, target): what is trained on faces. MC dropout and the ensemble come from these runs.
METHODS = {
    BASELINE: ("mse", "mean"),
    PROPOSED: ("kl_as_printed", "mean"),
    "KL continuous": ("kl_continuous", "mean"),
    "Gaussian NLL": ("gaussian_nll", "mean"),
    "beta-NLL": ("beta_nll", "mean"),
    "KL, one rater": ("kl_continuous", "rating"),
    "vote distribution": ("votes", "mean"),
}
CENTRAL = (BASELINE, PROPOSED)
NEEDS_RATERS = ("KL, one rater", "vote distribution")
RIVALS = (*list(METHODS)[1:], "MC dropout", "deep ensemble")
LEVELS = np.arange(0.05, 1.0, 0.05)
# Table IV's rows -> the backbone's name, which scaled profiles put "tiny_" or "compact_" in front of
SCALED = {"wideResNet": "wide_resnet", "VGG16": "vgg", "ResNet18 (pretrained)": "resnet"}
FULL_SIZE = {"wideResNet": "wide_resnet50_2", "VGG16": "vgg16", "ResNet18 (pretrained)": "resnet18"}
HIDDEN = 32  # of NetVLAD's heads
MAIN = "ResNet18 (pretrained)"  # the row that all but Table IV rests on
ERRORS = {"table4": "RMSE", "table5": "MSE"}
KINDS = {"table4": "images", "table5": "sequences"}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends. `paper` is the paper's own, with what it leaves open filled in and named."""

    backbones: Mapping[str, str]  # row of Table IV -> name
    faces: Mapping[str, Any]
    sequences: Mapping[str, Any]
    folds: int | None  # groups of subjects left out; None: one subject at a time
    seeds: int
    seeds_of_rivals: (
        int  # for methods that no table of the paper needs, and for the backbones of Table IV alone
    )
    dropout: float = 0.1  # in the heads of faces, needed by MC dropout
    pretrained: bool = False
    draws: int = 1000  # of a bootstrap

    @property
    def main(self) -> str:
        """The backbone that all but Table IV rests on."""
        return self.backbones[MAIN]


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile; the real faces of FER+ get more steps than the twin's."""
    if track.profile == "paper":
        return Protocol(
            backbones=FULL_SIZE,
            # Not given by the paper: momentum, and how many epochs convergence took.
            faces={
                "optimiser": "sgd",
                "learning_rate": 1e-4,
                "momentum": 0.9,
                "decay": 0.8,
                "decay_every": 100,
                "batch": 128,
                "epochs": 200,
            },
            sequences={
                "optimiser": "adam",
                "learning_rate": 0.01,
                "decay": 0.1,
                "decay_every": 100,
                "batch": 512,
                "epochs": 300,
            },
            folds=None,
            seeds=5,
            seeds_of_rivals=5,
            pretrained=_imagenet_weights(),
            draws=5000,
        )
    # The twin has few faces, so its steps are smaller and its epochs more.
    twin = track.name == "twin"
    adamw = {"optimiser": "adamw", "weight_decay": 0.05}
    adamw |= {"learning_rate": 4e-3, "batch": 64} if twin else {"learning_rate": 2e-3, "batch": 128}
    adam = {"optimiser": "adam", "learning_rate": 0.01, "batch": 128}
    backbones = {row: f"tiny_{family}" for row, family in SCALED.items()}
    if track.profile == "smoke":
        return Protocol(
            backbones=backbones,
            faces=adamw | {"epochs": 1},
            sequences=adam | {"epochs": 2},
            folds=4,
            seeds=2,
            seeds_of_rivals=2,
            draws=100,
        )
    if not twin or track.brief:
        # real faces take minutes a run; all but Table IV rests on this one
        backbones = {MAIN: backbones[MAIN] if twin else "compact_resnet"}
    few = twin and track.brief
    return Protocol(
        backbones=backbones,
        faces=adamw | {"epochs": 2 if few else 6},
        sequences=adam | {"epochs": 10 if few else 40},
        folds=8,
        seeds=3 if track.brief else 5,
        seeds_of_rivals=3,
        draws=400 if track.brief else 1000,
    )


def grid(track: Track, *, seeds: int | None = None) -> dict[tuple[str, str], list[Run]]:
    """The runs of every artefact, by (backbone or "NetVLAD", method); `seeds` replaces the profile's number.

    A backbone has the name of what is trained, which is not always what the paper trained.
    """
    plan = protocol(track)
    runs: dict[tuple[str, str], list[Run]] = {}
    faces, sequences = track.faces(), track.sequences()
    if faces is not None and np.isfinite(faces.affect).any():
        methods = [m for m in METHODS if m not in NEEDS_RATERS or faces.ratings is not None]
        if faces.votes is None:
            methods = [m for m in methods if m != "vote distribution"]
        if track.brief:
            methods = [m for m in methods if m not in ("beta-NLL", "KL, one rater")]
        for row, backbone in sorted(plan.backbones.items(), key=lambda item: item[0] != MAIN):
            for method in methods if row == MAIN else (BASELINE, PROPOSED):
                count = seeds or (plan.seeds if row == MAIN and method in CENTRAL else plan.seeds_of_rivals)
                loss, target = METHODS[method]
                settings = {
                    "backbone": backbone,
                    "pretrained": plan.pretrained and row == MAIN,
                    "dropout": plan.dropout,
                    "loss": loss,
                    "target": target,
                    "schedule": plan.faces,
                }
                runs[backbone, method] = _seeded(FACES, track, faces.fingerprint, settings, count)
    if sequences is not None:
        for method in (BASELINE, PROPOSED, "KL continuous"):
            settings = {
                "loss": METHODS[method][0],
                "centroids": 8,
                "hidden": HIDDEN,
                "folds": plan.folds,
                "schedule": plan.sequences,
            }
            count = seeds or (plan.seeds if method in CENTRAL else plan.seeds_of_rivals)
            runs["NetVLAD", method] = _seeded(SEQUENCES, track, sequences.fingerprint, settings, count)
    return runs


def _seeded(task: str, track: Track, data: str, settings: Mapping[str, Any], count: int) -> list[Run]:
    return [Run(task=task, track=track, data=data, settings=settings, seed=s) for s in range(count)]


def _imagenet_weights() -> bool:
    from paperlib.models.backbones import weights_available

    return weights_available("resnet18")
