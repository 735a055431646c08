"""What is trained for same_faces: names, protocols, and the grid of runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from paperlib.companion.runs import Run
from paperlib.tasks import same_faces as task
from paperlib.tasks.same_faces import problem
from paperlib.tracks import Track

KEY = "same_faces"
TASK = "paperlib.tasks.same_faces:train"
CONTROL = "paperlib.tasks.same_faces:train_on_majority"
PLAIN, ENSEMBLE = "plain network", "ensemble of three"
MAJORITY, VOTES = "plain network, majority label", "vote distribution"
NO_NETWORK = "no network"
MEMBERS = (100, 200)  # added to a seed: the members of its ensemble beside the plain network itself
KEPT = 0.8  # share of the faces that is answered where a single coverage is asked for
# A run's method is called what it is: of EmoFAN's losses it has the cross-entropy and the CCC alone.
CALLED = {"EmoFAN's losses": "categories + CCC"}
TOLD = {CALLED.get(name, name): told for name, told in task.TOLD.items()} | {MAJORITY: "all raters"}
Measure: TypeAlias = Callable[[NDArray[np.int64]], float]  # of the faces in these rows
CAVEATS = {
    "twin": "**The data are generated.** Raters' noise grows with a face's ambiguity by a stated function, categories "
    "come from one annotator, and a tenth of these are replaced at random. The true variance of a rating is known. "
    "What a method is *told* differs: see the column of that name before comparing two rows.",
    "ferplus": "**Two sources, no ratings of valence.** Labels are FER2013's own; ten other people's votes (FER+) "
    "judge them, and a label that they contradict counts as wrong. One rater is one vote, placed on the circumplex. "
    "So a method that is told one rater's place is told something by the people who judge; the plain network is not. "
    "Subjects are unknown. This page shows no picture of FER2013.",
}
SAID_AS = {"weight": "one minus its weight"}  # a score that is kept as a doubt: high where unsure
OF_AFFECT = (
    "variance",
    "variance of the mean",
)  # scores that speak of valence and arousal, not of categories
ASIDE = " (another question)"  # marks such a score where it is asked which categories are wrong
HALF = "half of the raters, for the other half"
CEILING = "the true variance itself (a ceiling)"
ESTIMATED = "ceiling, estimated from the halves"
REFERENCES = {CEILING: "--", ESTIMATED: "-.", HALF: ":"}  # and their lines


class Row(NamedTuple):
    """A measure of not being sure: which method's, and which of its scores."""

    method: str
    score: str

    def __str__(self) -> str:
        return f"{self.method}: {SAID_AS.get(self.score, self.score)}"


BASELINE = Row(PLAIN, "entropy")
# The entropy of every method, and each method's own score beside it
OWN_SCORES = {
    "MC dropout": ("mutual information",),
    ENSEMBLE: ("mutual information",),
    "SCN": ("weight",),
    "KL variance": ("variance",),
    "beta-NLL": ("variance",),
    "evidential regression": OF_AFFECT,
    "predicted disagreement": ("variance",),
}
METHODS = (*list(TOLD)[:2], ENSEMBLE, *list(TOLD)[2:])  # in the order of what they are told
ROWS = tuple(Row(m, score) for m in METHODS for score in ("entropy", *OWN_SCORES.get(m, ())))
# What each method has to say against a given label, in words; those without a measure of their own have the loss.
VARIANCE = f"variance{ASIDE}"  # of a face, whatever its label
OWN_DOUBT = {
    "SCN": "one minus its weight",
    "LDLVA": "uncertainty factor",
    "fused labels": "what fusion takes from the label",
    "KL variance": VARIANCE,
    "beta-NLL": VARIANCE,
    "evidential regression": VARIANCE,
    "predicted disagreement": VARIANCE,
}
NOT_SAID = Row(NO_NETWORK, "not what the one rater says")


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """What a profile spends."""

    schedule: Mapping[str, Any]
    options: Mapping[str, Any]  # of LDLVA; see le2023
    reading: str  # of "within one standard deviation", for fused labels; see neo2023
    backbone: str = "tiny_resnet"
    seeds: int = 3
    draws: int = 1000  # of a bootstrap


def protocol(track: Track) -> Protocol:
    """The protocol of the track's profile: for every method the same network, order of batches and steps."""
    small: dict[str, Any] = {"options": {"gamma": 0.01, "factor_rate": 0.1}}
    # One vote's place is one of seven points: a class's own lie on one, and have no spread
    reading = "all" if track.name == "ferplus" else "axis"
    if track.profile == "paper":
        adam = {"optimiser": "adam", "learning_rate": 1e-3, "batch": 64, "epochs": 30}
        # FER+'s pictures are grey, and torchvision's networks take colours
        backbone = "compact_resnet" if track.name == "ferplus" else "resnet18"
        return Protocol(schedule=adam, options={}, reading=reading, backbone=backbone, seeds=5, draws=5000)
    schedule = {"weight_decay": 0.05, "learning_rate": 4e-3, "batch": 64 if track.name == "twin" else 128}
    if track.profile == "smoke":
        return Protocol(schedule=schedule | {"epochs": 1}, reading=reading, seeds=2, draws=100, **small)
    epochs = (2 if track.brief else 8) if track.name == "twin" else 5
    draws = 400 if track.brief else 1000
    return Protocol(schedule=schedule | {"epochs": epochs}, reading=reading, draws=draws, **small)


def grid(track: Track, *, seeds: int | None = None) -> dict[str, list[Run]]:
    """The runs by method, and the ensemble's further members; `seeds` replaces the profile's number."""
    parts, plan = problem(track), protocol(track)
    if parts is None:
        return {}
    count = seeds or plan.seeds
    wanted = {method: list(range(count)) for method in TOLD}
    trained_as = {called: name for name, called in CALLED.items()}
    wanted[ENSEMBLE] = [seed + more for seed in range(count) for more in MEMBERS]

    def settings(method: str) -> dict[str, Any]:
        common = {"backbone": plan.backbone, "schedule": dict(plan.schedule)}
        if method == MAJORITY:
            return common
        method = PLAIN if method == ENSEMBLE else method
        own: dict[str, dict[str, Any]] = {
            "LDLVA": {"options": dict(plan.options)},
            "fused labels": {"reading": plan.reading},
        }
        return common | {"method": trained_as.get(method, method)} | own.get(method, {})

    return {
        method: [
            Run(
                task=CONTROL if method == MAJORITY else TASK,
                track=track,
                data=parts.faces.fingerprint,
                settings=settings(method),
                seed=s,
            )
            for s in of
        ]
        for method, of in wanted.items()
    }


ERROR, NLL, TO_VOTES = "calibration error", "negative log likelihood", "cross-entropy to the votes"
AFTER = ", one temperature"
AREA = "area under risk and coverage"
LOWER = {
    *(column + AFTER for column in (ERROR, NLL, TO_VOTES)),
    AREA,
    f"risk at {100 * KEPT:.0f} % coverage",
}  # columns whose small values are good
