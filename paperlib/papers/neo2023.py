"""neo2023: the grid of runs behind its artefacts, and every number of its page.

Labels are compared over seeds: runs of one seed share the wrong labels, the first weights, the order of the batches and
the augmentation, so differences are paired. Every difference is taken so that a positive one speaks for the claim.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import entropy, spearmanr

from paperlib import calibration, metrics
from paperlib.fusion import READINGS, inverse_distances, posterior
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, flip_labels
from paperlib.ledger import ArtefactTable, Ledger
from paperlib.published import read_table
from paperlib.stats import Verdict
from paperlib.tasks.dual_domain import (
    Problem,
    explained,
    label_parameters,
    problem,
    regressor,
    training_affect,
    training_labels,
)
from paperlib.tracks import Track

KEY = "neo2023"
TASK = "paperlib.tasks.dual_domain:train"
KINDS = {"faces": "AffectNet", "videos": "Aff-Wild", "morphs": "MorphSet"}  # kind -> whose place it takes
ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES = "one-hot", "label smoothing", "Euclid", "GMM", "votes"
TABLE3 = (ONE_HOT, EUCLID, GMM)
LABELS = (ONE_HOT, SMOOTHED, EUCLID, GMM, VOTES)
Measure = Callable[[NDArray[np.float64], NDArray[np.int64]], float]  # of log probabilities and right classes
CALIBRATION: Mapping[str, Measure] = {
    "ECE": calibration.calibration_error,
    "adaptive ECE": lambda log_p, label: calibration.calibration_error(log_p, label, adaptive=True),
    "overconfidence": calibration.overconfidence,
    "Brier": calibration.brier,
    "NLL": calibration.nll,
}
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
CLAIMS = {
    "0 %": "Fusion ({method}) classifies better even without wrong labels ({kind})",
    "30 %": "Fusion ({method}) classifies better with 30 % wrong labels ({kind})",
    "natural": "Fusion ({method}) classifies better with people's own wrong labels ({kind})",
}
CAVEATS = {
    "twin": "**The data are generated.** *Faces* stand in for AffectNet: eight categories, skewed like the square "
    "root of its counts, test faces equally many of each; the category is what most of ten raters chose, "
    "valence and arousal the mean of their ratings, and the *natural* label one annotator's choice, a tenth "
    "of these replaced. *Videos* stand in for Aff-Wild: no category, so each frame gets the likeliest by the "
    "parameters of the faces. *Morphs* stand in for MorphSet: seven categories, equally often, from neutral "
    "to apex. What holds here holds of the method on such faces, at this size of network and number of steps.",
    "ferplus": "**One half of each face's ten raters labels, the other half judges.** Nobody rated valence "
    "and arousal: they are the mean of the first half's votes, each placed on the circumplex. The category is "
    "the second half's sole winner; *natural* labels are those that FER2013 was published with. So no vote is on both "
    "sides, but note what fusion gets to see: five more people. The label *votes* fuses the same five "
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
        draws=100 if few else 1000,
    )


def tuning_condition(track: Track) -> str:
    """Where alpha is varied: on the labels that a data set comes with, which for FER+'s faces are FER2013's."""
    return NATURAL if track.name == "ferplus" else CLEAN


def open_choices(track: Track) -> pd.DataFrame:
    """What the paper leaves open, what its first author's later code (dexterdley/FER_C) does, and this page."""
    plan = protocol(track, kinds(track)[0])
    first = "ImageNet's" if plan.pretrained else "random"
    rows = [
        (
            "“within one standard deviation”",
            "not explained",
            "per axis, one pass",
            f"reading “{plan.reading}” below",
        ),
        ("priors of the classes", "“computed directly”", "all faces of a class", "as there"),
        (
            "labels that the Gaussians are fitted on",
            "not said, under noise",
            "",
            "those given, wrong ones included",
        ),
        ("eq. 3 at a class's mean", "division by zero", "", "its limit: all belongs to that class"),
        ("class of W_k", "not said for soft labels", "", "the given label's; per class in figure 5"),
        ("W_k under wrong labels", "not said", "", "from the counts of given labels"),
        ("W_k for Aff-Wild", "not said", "none", "none on Aff-Wild, as everywhere on the twin"),
        (
            "valence and arousal under noise",
            "only categories are flipped",
            "",
            "untouched, and three noisy ones",
        ),
        ("first weights", "not said", "ImageNet's", first),
        ("range of valence and arousal", "not said", "tanh", "not bounded"),
        (
            "SWA: first epoch, learning rate",
            "not said",
            "",
            f"after {plan.average_after} epochs, as scheduled",
        ),
        ("Aff-Wild: 80-20 of what", "“videos”", "", "videos; frames beside it"),
        ("F1's average", "not said", "", "macro"),
        ("which label is “Ours”", "not said", "", "each"),
        ("seeds", "one, not given", "0", f"0 to {plan.seeds_of_central - 1}"),
    ]
    return pd.DataFrame(rows, columns=["choice", "paper", "later code", "this page"])


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
            runs[kind, "", "regressor"] = [regressor(track, settings)]
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


@dataclass
class Study:
    """All of the paper's runs on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"neo2023 learns categories with valence and arousal; track {self.track.name} has not both"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        self.kinds = kinds(self.track)
        self.ledger = Ledger(
            KEY, self.track, {k: self.parts(k).fingerprint for k in self.kinds}, self.results
        )

    def parts(self, kind: str, split: str = AS_GIVEN) -> Problem:
        return problem(self.track, kind, split)

    @property
    def main(self) -> str:
        """The kind that the artefacts on one data set are shown for: faces where there are any."""
        return self.kinds[0]

    def conditions(self, kind: str, *names: str) -> list[str]:
        """The conditions under which the kind was trained on all these labels, by rising noise, natural last."""
        return [c for c in CONDITIONS if all((kind, c, n) in self.results for n in names or TABLE3)]

    def settings(self, kind: str, condition: str, name: str = GMM) -> Mapping[str, Any]:
        return self.results[kind, condition, name][0].run.settings

    def scores(
        self, kind: str, condition: str, name: str, measure: Measure, *, split: str = AS_GIVEN
    ) -> list[float]:
        """A measure of (log probabilities, right classes) on the test faces, one a seed."""
        parts = self.parts(kind, split)
        label = parts.label[parts.test]
        return [
            measure(r["log_probability"].astype(np.float64), label)
            for r in self.results[kind, condition, name]
        ]

    def errors(
        self, kind: str, condition: str, name: str, rows: NDArray | None = None
    ) -> list[NDArray[np.float64]]:
        """RMSE of valence and arousal, one pair a seed, over the test faces, or those in the mask `rows`."""
        parts = self.parts(kind)
        truth = parts.judged[parts.test]
        use = np.isfinite(truth).all(axis=1) & (True if rows is None else rows)
        return [metrics.rmse(r["affect"][use], truth[use]) for r in self.results[kind, condition, name]]

    # artefacts

    def parameters(self) -> ArtefactTable:
        """What is left open in the class Gaussians, by what it does to the labels: no network is trained."""
        kind = self.main
        parts, settings = self.parts(kind), self.settings(kind, CLEAN)
        rows = parts.train
        for reading in READINGS if parts.parameters is None else (parts.parameters.reading,):
            try:
                fitted = label_parameters(self.track, {**settings, "reading": reading}, 0)
            except ValueError as error:
                why = f"{Verdict.NOT_ATTEMPTED}: {error}"
                self.ledger.add("parameters", f"eq. 2, {reading}", "", source="", n=0, verdict=why)
                continue
            self._labels(f"eq. 2, {reading}", posterior(fitted, parts.affect[rows]), parts.label[rows])
        means = label_parameters(self.track, settings, 0).mean
        self._labels("eq. 3", inverse_distances(parts.affect[rows], means), parts.label[rows])
        return self.ledger.table("parameters")

    def _labels(self, row: str, mixed: NDArray[np.float64], label: NDArray) -> None:
        for column, values in (
            ("% whose likeliest class is the category", 100 * (mixed.argmax(axis=1) == label)),
            ("largest probability", mixed.max(axis=1)),
            ("entropy", entropy(mixed, base=2, axis=1)),
        ):
            unit = "bits" if column == "entropy" else ""
            mean = float(np.mean(values))
            self.ledger.add(
                "parameters", row, column, source=self.main, n=len(label), interval=mean, unit=unit
            )

    def table1(self) -> ArtefactTable:
        """Table 1: the printed scores, with ours on this track's faces."""
        return self._benchmark("table1", 1, {"accuracy": accuracy, "F1": macro_f1})

    def table2(self) -> ArtefactTable:
        """Table 2: the printed errors and concordance of valence and arousal, with ours on this track's faces."""
        kind, parts = self.main, self.parts(self.main)
        truth = parts.judged[parts.test]
        use = np.isfinite(truth).all(axis=1)
        self._printed("table2", 2)
        for method in TABLE3:
            for name, measure in (("RMSE", metrics.rmse), ("CCC", metrics.ccc)):
                found = [measure(r["affect"][use], truth[use]) for r in self.results[kind, CLEAN, method]]
                for j, dimension in enumerate(AFFECT):
                    values = [float(pair[j]) for pair in found]
                    self._add(kind, "table2", f"ours, {method}", f"{name} {dimension}", values)
        return self.ledger.table("table2")

    def _benchmark(self, artefact: str, number: int, measures: Mapping[str, Measure]) -> ArtefactTable:
        self._printed(artefact, number)
        for method in TABLE3:
            for column, measure in measures.items():
                values = [100 * v for v in self.scores(self.main, CLEAN, method, measure)]
                self._add(self.main, artefact, f"ours, {method}", column, values, unit="%")
        return self.ledger.table(artefact)

    def _printed(self, artefact: str, number: int) -> None:
        """Every cell as printed, on AffectNet."""
        for _, cell in read_table(KEY, number).iterrows():
            column, printed = _column(cell["quantity"], cell["dimension"]), cell["printed"]
            self.ledger.add(
                artefact, cell["row"], column, source="", n=0, printed=printed, printed_on="AffectNet"
            )

    def table3(self) -> ArtefactTable:
        """Table 3: macro F1 over wrong labels, for three labels on each kind of faces; and what fusion gains."""
        printed = read_table(KEY, 3)
        for kind in self.kinds:
            for condition in self.conditions(kind):
                for method in TABLE3:
                    self._add(
                        kind,
                        "table3",
                        f"{kind}, {condition}: {method}",
                        "F1",
                        self.f1(kind, condition, method),
                        printed=_cell(printed, KINDS[kind], condition, method),
                        printed_on=KINDS[kind],
                        results=self.results[kind, condition, method],
                    )
            for method in (EUCLID, GMM):
                gains = {c: self.gain(kind, c, method) for c in self.conditions(kind)}
                for condition, values in gains.items():
                    claim = CLAIMS.get(condition, "").format(method=method, kind=kind)
                    row = f"{kind}, {condition}: {method} - {ONE_HOT}"
                    self._add(kind, "table3", row, "F1", values, claim=claim)
                if {CLEAN, NOISY} <= gains.keys():
                    claim = f"Fusion ({method}) gains more with 30 % wrong labels than with none ({kind})"
                    more = _less(gains[NOISY], gains[CLEAN])
                    self._add(
                        kind, "table3", f"{kind}: gain of {method}, 30 % - 0 %", "F1", more, claim=claim
                    )
            for condition in self.conditions(kind):
                row = f"{kind}, {condition}: {GMM} - {EUCLID}"
                self._add(kind, "table3", row, "F1", self.gain(kind, condition, GMM, EUCLID))
        return self.ledger.table("table3")

    def f1(self, kind: str, condition: str, name: str, *, split: str = AS_GIVEN) -> list[float]:
        """Macro F1, one a seed, as a share like the paper's table 3."""
        return self.scores(kind, condition, name, macro_f1, split=split)

    def gain(self, kind: str, condition: str, name: str, over: str = ONE_HOT) -> list[float]:
        return _less(self.f1(kind, condition, name), self.f1(kind, condition, over))

    def label_quality(self) -> ArtefactTable:
        """What the mixed labels know of wrongly labelled training faces, before any network learns."""
        for kind in self.kinds:
            for condition in self.conditions(kind):
                if condition in (NOISY, NATURAL):
                    for affect in ("as labelled", *NOISY_AFFECT):
                        if affect == "as labelled" or (kind, condition, f"{GMM}, {affect}") in self.results:
                            self._knowledge(kind, condition, affect)
        return self.ledger.table("label_quality")

    def _knowledge(self, kind: str, condition: str, affect: str) -> None:
        name = GMM if affect == "as labelled" else f"{GMM}, {affect}"
        found: dict[str, list[float]] = {}
        for r in self.results[kind, condition, name]:
            settings = r.run.settings
            given, right = training_labels(self.track, settings, r.run.seed)
            wrong = np.flatnonzero(given != right)
            places = training_affect(self.track, settings, r.run.seed)[wrong]
            fitted = label_parameters(self.track, settings, r.run.seed)
            for method, mixed in (
                (GMM, posterior(fitted, places)),
                (EUCLID, inverse_distances(places, fitted.mean)),
            ):
                named = mixed.argmax(axis=1)
                found.setdefault(f"{method}: % named right", []).append(
                    100 * float((named == right[wrong]).mean())
                )
                found.setdefault(f"{method}: % named as given", []).append(
                    100 * float((named == given[wrong]).mean())
                )
        drawn = CONDITIONS[condition]["labels"] != "natural" or affect == NOISY_AFFECT[-1]
        for column, values in found.items():
            row = f"{kind}, {condition}: {affect}"
            common: dict[str, Any] = {"source": kind, "n": len(wrong), "unit": "%"}
            if drawn:
                self.ledger.over_seeds("label_quality", row, column, values, **common)
            else:  # the same for every seed: an interval over seeds would have no width
                self.ledger.add("label_quality", row, column, interval=values[0], **common)

    def noisy_affect(self) -> ArtefactTable:
        """Table 3 again, with valence and arousal that are noisy too: what remains of the gain?"""
        kind = self.main
        for condition in self.conditions(kind):
            for method in (EUCLID, GMM):
                for affect in ("as labelled", *NOISY_AFFECT):
                    name = method if affect == "as labelled" else f"{method}, {affect}"
                    if condition in (NOISY, NATURAL) and (kind, condition, name) in self.results:
                        self._add(
                            kind,
                            "noisy_affect",
                            f"{condition}: {method}, {affect}",
                            "F1",
                            self.f1(kind, condition, name),
                        )
                        row = f"{condition}: {method}, {affect} - {ONE_HOT}"
                        self._add(kind, "noisy_affect", row, "F1", self.gain(kind, condition, name))
            if condition in (NOISY, NATURAL):
                for name in (VOTES, SMOOTHED):
                    if (kind, condition, name) in self.results:
                        self._add(
                            kind,
                            "noisy_affect",
                            f"{condition}: {name} - {ONE_HOT}",
                            "F1",
                            self.gain(kind, condition, name),
                        )
        return self.ledger.table("noisy_affect")

    def splits(self) -> ArtefactTable:
        """Aff-Wild's 80-20 split by video, and by frame: how much of a score is having seen the video?"""
        names = {method: f"{method}, by frame" for method in TABLE3}
        if ("videos", CLEAN, names[ONE_HOT]) not in self.results:
            self.ledger.not_attempted("splits", "", self.track.no_time)
            return self.ledger.table("splits")
        for method, name in names.items():
            video, frame = self.f1("videos", CLEAN, method), self.f1("videos", CLEAN, name, split="by frame")
            self._add("videos", "splits", f"{method}, by video", "F1", video)
            self._add("videos", "splits", f"{method}, by frame", "F1", frame)
            self._add("videos", "splits", f"{method}: by frame - by video", "F1", _less(frame, video))
        return self.ledger.table("splits")

    def table4(self) -> ArtefactTable:
        """Table 4: alpha from the dimensional labels alone (0) to the categories alone (1)."""
        condition, printed = tuning_condition(self.track), read_table(KEY, 4)
        for kind in self.kinds:
            name = {a: {0.5: EUCLID, 1.0: ONE_HOT}.get(a, f"alpha = {a:g}") for a in ALPHAS}
            if (kind, condition, name[0.0]) not in self.results:
                if self.track.brief:
                    self.ledger.not_attempted(
                        "table4", f"alpha = 0.5 classifies best ({kind})", self.track.no_time
                    )
                continue
            for a in ALPHAS:
                for column, values in self._row_of_table4(kind, condition, name[a]).items():
                    cell = _alpha_cell(printed, KINDS[kind], a, column)
                    row = f"{kind}: alpha = {a:g}"
                    self._add(kind, "table4", row, column, values, printed=cell, printed_on=KINDS[kind])
            for a in ALPHAS:
                if a != 0.5:
                    claim = f"alpha = 0.5 classifies better than {a:g} ({kind})"
                    row = f"{kind}: alpha = 0.5 - alpha = {a:g}"
                    self._add(
                        kind, "table4", row, "F1", self.gain(kind, condition, EUCLID, name[a]), claim=claim
                    )
            loss = [0.01 + g for g in self.gain(kind, condition, name[0.0], ONE_HOT)]
            claim = f"The dimensional labels alone cost no more than a point of F1 ({kind})"
            self._add(
                kind, "table4", f"{kind}: alpha = 0 - (alpha = 1 less a point)", "F1", loss, claim=claim
            )
            for j, dimension in enumerate(AFFECT):
                lower = [float(a[j] - b[j]) for a, b in self._error_pairs(kind, condition, ONE_HOT, EUCLID)]
                claim = f"Fusion lowers the error of {dimension} ({kind})"
                row = f"{kind}: alpha = 1 - alpha = 0.5"
                self._add(kind, "table4", row, f"RMSE {dimension}", lower, claim=claim)
        return self.ledger.table("table4")

    def _row_of_table4(self, kind: str, condition: str, name: str) -> dict[str, list[float]]:
        errors = self.errors(kind, condition, name)
        found = {f"RMSE {d}": [float(e[j]) for e in errors] for j, d in enumerate(AFFECT)}
        return found | {
            "accuracy": self.scores(kind, condition, name, accuracy),
            "F1": self.f1(kind, condition, name),
        }

    def _error_pairs(self, kind: str, condition: str, a: str, b: str, rows: NDArray | None = None) -> Any:
        return zip(self.errors(kind, condition, a, rows), self.errors(kind, condition, b, rows), strict=False)

    def calibration(self) -> ArtefactTable:
        """The calibration that the paper claims and gives no number for: each label, plain and after temperature."""
        kind = self.main
        # Recordings of runs keep no more than the likeliest class of what is not asked for here.
        for condition in self.conditions(kind, ONE_HOT, SMOOTHED) or self.conditions(kind):
            found = {
                m: self.calibrated(kind, condition, m) for m in LABELS if (kind, condition, m) in self.results
            }
            for method, columns in found.items():
                for column, values in columns.items():
                    unit = "nats" if "NLL" in column else ""
                    self._add(kind, "calibration", f"{condition}: {method}", column, values, unit=unit)
            others = [m for m in (ONE_HOT, SMOOTHED) if m in found]
            for method, other, column in product((EUCLID, GMM), others, ("ECE", "ECE, temperature")):
                after = ", both after temperature scaling" if column != "ECE" else ""
                claim = f"Fusion ({method}) is calibrated better than one-hot{after} ({condition})"
                less = _less(found[other][column], found[method][column])
                row = f"{condition}: {other} - {method}"
                self._add(kind, "calibration", row, column, less, claim=claim if other == ONE_HOT else "")
        return self.ledger.table("calibration")

    def calibrated(self, kind: str, condition: str, method: str) -> dict[str, list[float]]:
        """Measures of calibration, one a seed, plain and with the temperature that suits the validation faces.

        "noisy validation": the temperature that suits validation labels as wrong as the training's, which is what one
        has who has no clean ones.
        """
        parts = self.parts(kind)
        label, right = parts.label[parts.test], parts.label[parts.validation]
        found: dict[str, list[float]] = {}
        for r in self.results[kind, condition, method]:
            log_p, held = (r[name].astype(np.float64) for name in ("log_probability", "validation"))
            wrong = self.validation_labels(kind, condition, r.run.seed)
            suited, misled = (
                calibration.fit_temperature(held, right),
                calibration.fit_temperature(held, wrong),
            )
            values = {name: measure(log_p, label) for name, measure in CALIBRATION.items()}
            values |= {
                f"{name}, temperature": measure(log_p / suited, label)
                for name, measure in CALIBRATION.items()
            }
            values["ECE, temperature from noisy validation"] = calibration.calibration_error(
                log_p / misled, label
            )
            values["temperature"] = suited
            for name, value in values.items():
                found.setdefault(name, []).append(value)
        return found

    def validation_labels(self, kind: str, condition: str, seed: int) -> NDArray[np.int64]:
        """Validation labels that are as wrong as the training's."""
        parts, about = self.parts(kind), CONDITIONS[condition]
        if about["labels"] == "natural":
            assert parts.natural is not None
            return parts.natural[parts.validation]
        right = parts.label[parts.validation]
        return flip_labels(right, about["noise"], classes=len(parts.classes), seed=seed)[0].astype(np.int64)

    def figure5(self) -> ArtefactTable:
        """Figure 5 in numbers: errors of valence and arousal with plain and weighted L2; and W_k's readings."""
        kind, parts = self.main, self.parts(self.main)
        if (kind, CLEAN, PLAIN_L2) not in self.results:
            self.ledger.not_attempted(
                "figure5", "Weights lower the errors of valence and arousal", self.track.no_time
            )
            return self.ledger.table("figure5")
        truth = parts.judged[parts.test]
        left = (truth[:, 0] < 0) & (truth[:, 1] > 0)
        for name in (EUCLID, *WEIGHTS, ONE_HOT):
            self._add(kind, "figure5", name, "F1", self.f1(kind, CLEAN, name))
            self._add(kind, "figure5", name, "accuracy", self.scores(kind, CLEAN, name, accuracy))
            for where, rows in (("", None), (", upper left", left)):
                errors = self.errors(kind, CLEAN, name, rows)
                n = len(truth) if rows is None else int(rows.sum())
                for j, dimension in enumerate(AFFECT):
                    values = [float(e[j]) for e in errors]
                    self._add(kind, "figure5", name, f"RMSE {dimension}{where}", values, n=n)
        for j, dimension in enumerate(AFFECT):
            column = f"RMSE {dimension}"
            everywhere, there = (
                [float(a[j] - b[j]) for a, b in self._error_pairs(kind, CLEAN, PLAIN_L2, EUCLID, rows)]
                for rows in (None, left)
            )
            row = "plain L2 - weighted L2"
            self._add(
                kind, "figure5", row, column, everywhere, claim=f"Weights lower the error of {dimension}"
            )
            claim = f"They lower the error of {dimension} more in the upper left quadrant than over the plane"
            more = _less(there, everywhere)
            self._add(
                kind, "figure5", f"{row}: upper left - all", column, more, claim=claim, n=int(left.sum())
            )
        return self.ledger.table("figure5")

    def distances(self, name: str) -> NDArray[np.float64]:
        """Distance from predicted to true valence-arousal of each test face, mean over seeds: (n_test,)."""
        parts = self.parts(self.main)
        truth = parts.judged[parts.test]
        each = [np.linalg.norm(r["affect"] - truth, axis=1) for r in self.results[self.main, CLEAN, name]]
        return np.mean(each, axis=0)

    def figure6(self) -> ArtefactTable:
        """Figure 6 in numbers: does Grad-CAM look at the same places with 30 % wrong labels as with none?"""
        for kind in self.kinds:
            n = len(explained(self.parts(kind)))
            found = {method: self.consistency(kind, method) for method in TABLE3}
            for method, values in found.items():
                self._add(kind, "figure6", f"{kind}: {method}", "rank correlation of maps", values, n=n)
            for method in (EUCLID, GMM):
                claim = f"Grad-CAM changes less under wrong labels with fusion ({method}) than with one-hot ({kind})"
                more = _less(found[method], found[ONE_HOT])
                row = f"{kind}: {method} - {ONE_HOT}"
                self._add(kind, "figure6", row, "rank correlation of maps", more, claim=claim, n=n)
        return self.ledger.table("figure6")

    def attention(self, kind: str, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Grad-CAM of the explained test faces (n, h, w) for their right class, one array a seed."""
        return [r["attention"].astype(np.float64) for r in self.results[kind, condition, method]]

    def consistency(self, kind: str, method: str) -> list[float]:
        """Mean over faces of the rank correlation between maps without and with 30 % wrong labels, one a seed.

        A map that is zero everywhere, or the same everywhere, says nothing of a place: its correlation is 0.
        """
        pairs = zip(self.attention(kind, CLEAN, method), self.attention(kind, NOISY, method), strict=True)
        return [
            float(np.mean([_rank_correlation(x.ravel(), y.ravel()) for x, y in zip(a, b, strict=True)]))
            for a, b in pairs
        ]

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind_of = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind_of.value_counts().items())
        lines = [f"**In short** (track {self.track.name}, profile {self.track.profile}): {counts}.", ""]
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        for condition in (NOISY, NATURAL):
            gains = {
                f"{kind} ({m})": cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1"))
                for kind, m in product(KINDS, (EUCLID, GMM))
            }
            better, worse = (
                ", ".join(name for name, e in gains.items() if e and e.verdict == verdict) or "none"
                for verdict in (Verdict.HELD, Verdict.DID_NOT_HOLD)
            )
            if any(gains.values()):
                lines.append(
                    f"- With {condition} wrong labels, valence and arousal untouched as in the paper, fusion gained "
                    f"over one-hot (the whole interval above zero) on: {better}; it lost on: {worse}."
                )
        for kind in KINDS:
            for condition in (CLEAN, NOISY, NATURAL):
                told = [
                    f"{m} {e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]"
                    for m in (EUCLID, GMM)
                    if (e := cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1")))
                ]
                if told:
                    lines.append(
                        f"- F1 gained over one-hot, {kind}, {condition} wrong labels: {', '.join(told)}."
                    )
        for condition in (NOISY, NATURAL):
            told = [
                f"{row.removeprefix(f'{condition}: ').removesuffix(f' - {ONE_HOT}')} {e.measured:+.3f}"
                f" [{e.low:.3f}, {e.high:.3f}]"
                for (artefact, row, _), e in cells.items()
                if artefact == "noisy_affect" and row.startswith(condition) and row.endswith(f" - {ONE_HOT}")
            ]
            if told:
                lines.append(
                    f"- The same with other valence and arousal, {condition} wrong labels: {'; '.join(told)}."
                )
        for condition in (CLEAN, NOISY, NATURAL):
            told = [
                f"{m} {plain.measured:.3f} ({scaled.measured:.3f})"
                for m in LABELS
                if (plain := cells.get(("calibration", f"{condition}: {m}", "ECE")))
                and (scaled := cells.get(("calibration", f"{condition}: {m}", "ECE, temperature")))
            ]
            if told:
                lines.append(
                    f"- Calibration error (and after temperature scaling), {condition} wrong labels: {', '.join(told)}."
                )
        return "\n".join(lines)

    def _add(
        self,
        kind: str,
        artefact: str,
        row: str,
        column: str,
        values: Sequence[float],
        *,
        n: int | None = None,
        **rest: Any,
    ) -> None:
        """One value a seed, of n faces: the kind's test faces, unless said otherwise."""
        count = len(self.parts(kind).test) if n is None else n
        self.ledger.over_seeds(artefact, row, column, values, source=kind, n=count, **rest)


def accuracy(log_probability: NDArray, label: NDArray) -> float:
    return metrics.accuracy(log_probability.argmax(axis=1), label)


def macro_f1(log_probability: NDArray, label: NDArray) -> float:
    return metrics.macro_f1(log_probability.argmax(axis=1), label)


def _cell(printed: pd.DataFrame, data: str, condition: str, method: str) -> str:
    """Table 3's cell, empty where it has none."""
    names = {ONE_HOT: "One-hot", EUCLID: "Fusion (Euclidean)", GMM: "Fusion (GMM)"}
    found = printed[(printed["row"] == f"{data} {condition}") & (printed["column"] == names[method])]
    return "".join(found["printed"])


def _alpha_cell(printed: pd.DataFrame, data: str, alpha: float, column: str) -> str:
    """Table 4's cell, empty where it has none."""
    of = printed[printed["row"] == f"{data} alpha {alpha:.1f}"]
    names = [
        _column(quantity, dimension)
        for quantity, dimension in zip(of["quantity"], of["dimension"], strict=True)
    ]
    return "".join(of["printed"][[name == column for name in names]])


def _column(quantity: str, dimension: str) -> str:
    """A printed quantity as the columns of this page call it: "RMSE valence", "accuracy"."""
    name = quantity if quantity == "accuracy" else quantity.upper()
    return f"{name} {dimension}".strip()


def _less(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Differences at the seeds that both have."""
    return [x - y for x, y in zip(a, b, strict=False)]


def _rank_correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a, b).statistic)
