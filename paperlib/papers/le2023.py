"""le2023: the grid of runs behind its artefacts, and every number of its page.

Methods are compared over seeds: runs of one seed share the wrong labels, the order of the batches and the augmentation,
so differences are paired. Every difference is taken so that a positive one speaks for the claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, norm, spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from statsmodels.stats.multitest import multipletests
from torch.utils.flop_counter import FlopCounterMode

from paperlib import metrics, stats
from paperlib.audit import select
from paperlib.data.records import FaceSet
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, EXPRESSIONS, nearest_in_affect
from paperlib.ledger import ArtefactTable, Entry, Ledger, answer
from paperlib.models.backbones import build_backbone
from paperlib.models.expression import ExpressionNet
from paperlib.models.ldlva import LDLVA, PAPER, RELEASE
from paperlib.published import read_table, read_text
from paperlib.tasks.noisy_labels import (
    CLASSES,
    PSEUDO_GIVEN,
    Problem,
    problem,
    regressor,
    second_population,
    training_labels,
)
from paperlib.tracks import Track

KEY = "le2023"
TASK = "paperlib.tasks.noisy_labels:train"
OURS, BASELINE, BOUNDED, RELEASED = "LDLVA", "baseline", "LDLVA, bounded scores", "as released"
METHODS = (BASELINE, "label smoothing", "SCN", "RUL", OURS, BOUNDED)
RIVALS = ("label smoothing", "SCN", "RUL")
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
OVER_K = {4: "K = 4", 8: OURS, 16: "K = 16"}
# What each row of table 4 adds to an earlier one: (what, row, earlier row, the statement that it tests).
STEPS = (
    ("label distributions with adaptive similarity", "(ii)", "(i)", "label-distributions-help"),
    ("the uncertainty factor", "(iii)", "(ii)", "components-help"),
    ("the discriminative loss", "(v)", "(iii)", "components-help"),
    ("adaptive similarity", "(v)", "(iv)", "components-help"),
    ("all of them together", "(v)", "(i)", "components-help"),
)
BEHIND = "is behind the plain network here"
WAY = "baseline on the consensus - baseline"
HOLM = "by Holm's test of the"
FREE = 0.01  # a share of the plain network's operations that "no extra costs" leaves room for
# what the paper's tables call our methods
PRINTED = {BASELINE: "Baseline", "SCN": "SCN", "RUL": "RUL", OURS: "LDLVA"}
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

    regression = regressor(track, base | {"regressor": plan.regressor})
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


@dataclass
class Study:
    """All of the paper's runs on one track, and the numbers made of them."""

    track: Track
    seeds: int | None = None
    jobs: int = 1
    results: dict[tuple[str, str], list[Result]] = field(init=False)
    ledger: Ledger = field(init=False)

    def __post_init__(self) -> None:
        runs = grid(self.track, seeds=self.seeds)
        if not runs:
            raise ValueError(
                f"le2023 learns categories beside valence and arousal; track {self.track.name} has not both"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        self.ledger = Ledger(KEY, self.track, {"faces": self.faces.fingerprint}, self.results)

    @cached_property
    def faces(self) -> FaceSet:
        faces = self.track.categories()
        assert faces is not None
        return faces

    @cached_property
    def parts(self) -> Problem:
        return problem(self.track)

    @property
    def hard(self) -> str:
        return hard_condition(self.track)

    @property
    def conditions(self) -> list[str]:
        return [c for c in CONDITIONS if (c, OURS) in self.results and c != POPULATIONS]

    def category(self, rows: NDArray) -> NDArray[np.int8]:
        assert self.faces.expression is not None
        return self.faces.expression[rows]

    def probability(self, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Predicted distributions of the test faces (n_test, 7), one a seed."""
        return [r["probability"].astype(np.float64) for r in self.results[condition, method]]

    def accuracy(self, condition: str, method: str, label: NDArray | None = None) -> list[float]:
        """Per cent of the test faces, one a seed, whose likeliest class is `label` (n_test,), else their category."""
        label = self.category(self.parts.test_rows) if label is None else label
        return [100 * float((p.argmax(axis=1) == label).mean()) for p in self.probability(condition, method)]

    def labels(self, condition: str, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Given and right labels of the training faces (n,) under a condition."""
        about = CONDITIONS[condition]
        return training_labels(self.track, about["labels"], noise=about["noise"], seed=seed)

    # artefacts

    def neighbours(self) -> ArtefactTable:
        """How good the pseudo labels are, and how often neighbours are of the same category."""
        if self.results["", "regressor"]:
            found = self.results["", "regressor"][0]["test_affect"]
            truth = self.faces.affect[self.parts.test_rows]
            for j, dimension in enumerate(AFFECT):
                known = np.isfinite(truth[:, j])
                for name, measure in (("PCC", metrics.pcc), ("CCC", metrics.ccc)):
                    value = float(measure(found[known, j], truth[known, j]))
                    self._single("neighbours", f"pseudo {dimension}", name, value, n=int(known.sum()))
        for name, share in self.purity().items():
            self._single(
                "neighbours",
                f"8 neighbours: {name}",
                "% of the same category",
                100 * share.mean(),
                n=self.n_train,
            )
        self._space()
        self.ledger.not_attempted(
            "neighbours",
            "Adaptive similarity makes up for errors of the pseudo labels",
            "it takes pseudo labels of several qualities, each with and without it; time",
            claim_id="pseudo-corrected",
        )
        return self.ledger.table("neighbours")

    def _space(self) -> None:
        """Are neighbours in the plane of the same category more often than neighbours by landmarks or action units?"""
        claim = "Neighbours in the plane are of the same category more often than neighbours by {}"
        shares, about = self.purity(), {"claim_id": "valence-arousal-space"}
        if "landmarks" in shares:
            row, column = "8 neighbours: pseudo labels - landmarks", "% of the same category"
            more = 100 * (shares["pseudo labels"] - shares["landmarks"])
            tested = {"claim": claim.format("landmarks"), **about} if self.track.name != "twin" else {}
            self._over_faces("neighbours", row, column, more, self.parts.rows, **tested)
        if "landmarks" not in shares or self.track.name == "twin":
            drawn = "the twin moves the landmarks of its faces by their category"
            why = drawn if self.track.name == "twin" else "these faces come without landmarks"
            self.ledger.not_attempted("neighbours", claim.format("landmarks"), why, **about)
        why = "these faces come without action units"
        self.ledger.not_attempted("neighbours", claim.format("action units"), why, **about)

    def purity(self) -> dict[str, NDArray[np.float64]]:
        """Share of each training face's 8 neighbours that are of its category (n,), by where faces lie."""
        category = self.category(self.parts.rows)
        frequency = np.bincount(category, minlength=CLASSES) / len(category)
        shares = {"any face": frequency[category]}
        places = {"pseudo labels": self.places, "the raters' own": self.faces.affect[self.parts.rows]}
        for name, affect in places.items():
            if np.isfinite(affect).all():
                shares[name] = (category[nearest_in_affect(affect, 8)] == category[:, None]).mean(axis=1)
        if self.faces.landmarks is not None:
            shape = _shapes(self.faces.landmarks[self.parts.rows])
            near = NearestNeighbors(n_neighbors=8).fit(shape).kneighbors(return_distance=False)
            shares["landmarks"] = (category[near] == category[:, None]).mean(axis=1)
        return shares

    @property
    def places(self) -> NDArray[np.float32]:
        """Pseudo valence and arousal (n, 2) of the training faces."""
        regression = self.results["", "regressor"]
        return regression[0]["affect"] if regression else np.asarray(self.parts.affect)

    def table1(self) -> ArtefactTable:
        """Table 1: accuracy under wrong labels, LDLVA's gains, and the share of the natural gap that each closes."""
        printed = read_table(KEY, 1)
        for condition in self.conditions:
            for method in (m for m in (*METHODS, RELEASED) if (condition, m) in self.results):
                share = condition.replace(" ", "")
                self._score(
                    "table1", condition, method, printed=_cell(printed, f"{share} {PRINTED.get(method)}")
                )
        for condition in [c for c in CONDITIONS if c not in (CLEAN, POPULATIONS)]:
            for rival in (BASELINE, *RIVALS):
                if condition != NATURAL and rival in PRINTED:
                    share = condition.replace(" ", "")
                    plain, theirs, ours = (
                        _accuracy(printed, f"{share} {PRINTED[m]}") for m in (BASELINE, rival, OURS)
                    )
                    self._lead(
                        "table1",
                        condition,
                        rival,
                        f"LDLVA as printed is more accurate than {rival} with {condition} wrong labels",
                        before=float(theirs) - float(plain),
                        claim_id="noise-all-cases",
                        printed=f"{theirs} to {ours}",
                        printed_on="RAF-DB",
                    )
                elif (condition, rival) in self.results:
                    self._lead("table1", condition, rival)
                if rival in ("SCN", "RUL") and (condition, rival) in self.results:
                    self._gain("table1", condition, rival, BASELINE)
            if (condition, BOUNDED) in self.results:
                for rival in (BASELINE, OURS):
                    self._gain("table1", condition, BOUNDED, rival)
            if (condition, RELEASED) in self.results:
                self._gain("table1", condition, RELEASED, BASELINE)
        self._over_flips()
        text = read_text(KEY)["printed"]
        about: dict[str, Any] = {
            "claim_id": "noise-grows",
            "printed": f"{text['margin-rafdb-10']} to {text['margin-rafdb-30']}",
            "printed_on": "RAF-DB",
        }
        claim = "The gain of LDLVA as printed over the baseline grows with the noise, from 10 to 30 %"
        row = "LDLVA - baseline"
        if "10 %" in self.conditions:
            growth = _less(self._gains(NOISY, OURS, BASELINE), self._gains("10 %", OURS, BASELINE))
            self._over_seeds("table1", row, "30 % less 10 %: accuracy", growth, claim, **about)
        else:
            self.ledger.not_attempted("table1", claim, self.track.no_time, **about)
        growth = _less(self._gains(NOISY, OURS, BASELINE), self._gains(CLEAN, OURS, BASELINE))
        self._over_seeds("table1", row, "30 % less 0 %: accuracy", growth)
        if NATURAL in self.conditions:
            self._over_seeds("table1", WAY, "natural: accuracy", self._way(), unit="%")
            for method in (m for m in (*METHODS[1:], RELEASED) if (NATURAL, m) in self.results):
                self._gap_closed("table1", method)
        self._collapse("table1", self.hard)
        return self._table("table1")

    def _over_flips(self) -> None:
        """Gains over the plain network, their mean over all shares of flips: more can be told of it than of each."""
        flips = [c for c in CONDITIONS if c not in (CLEAN, NATURAL, POPULATIONS)]
        for method in (OURS, RELEASED):
            if all((c, method) in self.results for c in flips):
                gains = [self._gains(c, method, BASELINE) for c in flips]
                mean = np.mean(gains, axis=0).tolist()
                column = f"{', '.join(flips)}, their mean: accuracy"
                self._over_seeds("table1", f"{method} - {BASELINE}", column, mean, unit="%")

    def collapsed(self, condition: str, method: str) -> float:
        """Per cent of the training faces none of whose neighbours has a calibration score above `TINY`; first seed."""
        score = self.results[condition, method][0]["calibration"]
        return 100 * float((score.max(axis=1) < TINY).mean())

    def _collapse(self, artefact: str, condition: str) -> None:
        """Beside what is judged of LDLVA: does its adaptive similarity still weigh neighbours?"""
        column = f"{condition}: % of faces with every score below {TINY}, first seed"
        for method in (m for m in INSTANCES if (condition, m) in self.results):
            self._single(artefact, method, column, self.collapsed(condition, method), n=self.n_train)

    def instances(self) -> ArtefactTable:
        """Of the three instances of LDLVA: how many faces' neighbours get next to no score, and how scores vary."""
        for condition in dict.fromkeys((self.hard, CLEAN)):
            self._collapse("instances", condition)
            for method in (m for m in INSTANCES if (condition, m) in self.results):
                score = self.results[condition, method][0]["calibration"].astype(np.float64)
                column = f"{condition}: score, standard deviation, first seed"
                self._single("instances", method, column, float(score.std()), n=self.n_train)
        return self.ledger.table("instances")

    def _table(self, artefact: str) -> ArtefactTable:
        """The artefact's table, once its lines of one statement are judged together.

        A line that its own interval tells from none, and Holm's test at 5 % over all measured lines of the statement
        does not, becomes *cannot tell*, with both p values.
        """
        entries, families = self.ledger.entries, dict[str, list[int]]()
        for i, e in enumerate(entries):
            if e.artefact == f"{KEY}/{artefact}" and e.claim and np.isfinite(e.low):
                families.setdefault(e.claim_id, []).append(i)
        for lines in (of for of in families.values() if len(of) > 1):
            p = [_chance(entries[i]) for i in lines]
            stays, corrected = multipletests(p, alpha=0.05, method="holm")[:2]
            for i, alone, kept, together in zip(lines, p, stays, corrected, strict=True):
                if entries[i].verdict in (stats.Verdict.HELD, stats.Verdict.DID_NOT_HOLD) and not kept:
                    said = f"{stats.Verdict.CANNOT_TELL}: p {alone:.3f} alone, {together:.2f} {HOLM} "
                    said += f"{len(lines)} lines of this statement"
                    entries[i] = replace(entries[i], verdict=said)
        return self.ledger.table(artefact)

    def gap_closed(self, method: str) -> list[float]:
        """Per cent of the way from the baseline to the baseline trained on the consensus, one a seed.

        The way is its mean over seeds: where it is short, a seed's own may be next to nothing.
        """
        way = np.mean(self._way())
        return [100 * float(gain / way) for gain in self._gains(NATURAL, method, BASELINE)]

    def _way(self) -> list[float]:
        return self._gains_between((CLEAN, BASELINE), (NATURAL, BASELINE))

    def _gap_closed(self, artefact: str, method: str) -> None:
        """A share of the way, where the way is known to a half of itself; of a shorter one a share says nothing."""
        way = stats.mean_interval(self._way())
        if way.low > way.estimate / 2:
            self._over_seeds(artefact, method, "% of the natural gap closed", self.gap_closed(method))

    def table2(self) -> ArtefactTable:
        """Table 2's protocol: half of the faces labelled by one population, half by another, tested on each."""
        rivals = [row for row in read_table(KEY, 2)["row"].unique() if row != OURS]
        claim = f"LDLVA is more accurate than {', '.join(rivals)} where two populations labelled the faces"
        why = "none of these methods is built here"
        self.ledger.not_attempted("table2", claim, why, claim_id="populations-best")
        if (POPULATIONS, OURS) not in self.results:
            both = self.faces.original is not None
            why = self.track.no_time if both else "one population labelled this data set"
            self.ledger.not_attempted("table2", "", why)
            return self.ledger.table("table2")
        rows = self.parts.test_rows
        tests: dict[str, NDArray] = {
            "first": self.category(rows),
            "second": second_population(self.track)[rows],
        }
        average = {}
        for method in (BASELINE, OURS):
            scores = {name: self.accuracy(POPULATIONS, method, label) for name, label in tests.items()}
            scores["average"] = average[method] = np.mean(list(scores.values()), axis=0).tolist()
            for name, values in scores.items():
                results = self.results[POPULATIONS, method]
                self._over_seeds("table2", method, f"accuracy, {name}", values, results=results)
        gains = _less(average[OURS], average[BASELINE])
        self._over_seeds("table2", "LDLVA - baseline", "accuracy, average", gains)
        return self.ledger.table("table2")

    def table3(self) -> ArtefactTable:
        """Table 3: accuracy trained on the data set's labels as they are, here the consensus."""
        printed = read_table(KEY, 3)
        for method in (m for m in (*METHODS, RELEASED) if (CLEAN, m) in self.results):
            self._score("table3", CLEAN, method, printed=_cell(printed, PRINTED.get(method, "")))
        for rival in ("SCN", "RUL"):
            # No printed lead over the plain network: table 3 quotes both from papers whose plain network was another.
            self._lead(
                "table3",
                CLEAN,
                rival,
                f"LDLVA as printed is more accurate than {rival} on the original labels",
                claim_id="original-best",
                printed=" to ".join(_accuracy(printed, row) for row in (rival, OURS)),
                printed_on="RAF-DB",
            )
            if (CLEAN, rival) in self.results:
                self._gain("table3", CLEAN, rival, BASELINE)
        others = [row for row in printed["row"].unique() if row not in PRINTED.values()]
        claim = f"LDLVA is more accurate than {', '.join(others)} on the original labels"
        why = "none of these methods is built here"
        self.ledger.not_attempted("table3", claim, why, claim_id="original-best")
        for method in (m for m in INSTANCES if (CLEAN, m) in self.results):
            self._gain("table3", CLEAN, method, BASELINE)
        self._collapse("table3", CLEAN)
        return self._table("table3")

    def table4(self) -> ArtefactTable:
        """Table 4: the five settings, and what each component adds."""
        printed = read_table(KEY, 4)
        columns = {CLEAN: "RAF-DB (original)", self.hard: "RAF-DB (30% noise)"}
        settings = {"(i)": BASELINE, **{name.split()[0]: name for name in COMPONENTS}, "(v)": OURS}
        for condition, column in columns.items():
            for number, method in settings.items():
                row = method if method.startswith(number) else f"{number} {method}"
                if (condition, method) in self.results:
                    self._score("table4", condition, method, row=row, printed=_cell(printed, number, column))
            if (condition, RELEASED) in self.results:
                self._score("table4", condition, RELEASED)
        if self.hard == NATURAL:
            for name in COMPONENTS:
                self._gap_closed("table4", name)
        for condition, column in columns.items():
            on = "wrong labels" if condition == self.hard else "original labels"
            for what, more, less, claim_id in STEPS:
                about = {
                    "claim_id": claim_id,
                    "printed": " to ".join(_accuracy(printed, row, column) for row in (less, more)),
                    "printed_on": _printed_on(condition),
                }
                claim, pair = f"Adding {what} helps on {on} (as printed)", (settings[more], settings[less])
                if any((condition, method) not in self.results for method in pair):
                    self.ledger.not_attempted("table4", claim, self.track.no_time, **about)
                elif what == "adaptive similarity":
                    self._similarity_added(condition, pair, claim, **about)
                else:
                    self._gain("table4", condition, *pair, claim, **about)
            if (condition, RELEASED) in self.results:
                self._gain("table4", condition, RELEASED, BASELINE)
            self._collapse("table4", condition)
        return self._table("table4")

    def _similarity_added(self, condition: str, pair: tuple[str, str], claim: str, **about: Any) -> None:
        """Adaptive similarity's own step; no gain speaks for it where it weighs nobody's neighbours."""
        gains, none = self._gains(condition, *pair), self.collapsed(condition, OURS)
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        if none > 50 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: all scores are below {TINY} on {none:.0f} % of the faces, "
            said += "so that what was added hardly works"
        row, column, n = " - ".join(pair), f"{condition}: accuracy", len(self.parts.test_rows)
        about |= {"unit": "%", "claim": claim, "verdict": said}
        self.ledger.add("table4", row, column, source="faces", n=n, values=gains, **about)

    def power(self) -> pd.DataFrame:
        """Beside every printed effect of a claim: the smallest difference that could have been told here.

        That is half the width of the interval: a difference is told from none where it is larger. Columns: artefact,
        row, column, printed (the effect, in points, of the paper's data and network), measured, smallest, and told,
        whether a measured one of the printed size would have been. Leads that nothing could be told of are left out.
        """
        lines = []
        for e in self.ledger.entries:
            if e.claim and " to " in e.printed and np.isfinite(e.low) and BEHIND not in e.verdict:
                less, more = map(float, e.printed.split(" to "))
                effect, least = more - less, (e.high - e.low) / 2
                lines.append(
                    (e.artefact.partition("/")[2], e.row, e.column, effect, e.measured, least, effect > least)
                )
        columns = ["artefact", "row", "column", "printed", "measured", "smallest", "told"]
        return pd.DataFrame(lines, columns=columns)

    def figure2(self) -> ArtefactTable:
        """Figure 2: is the network that names faces as cheap as the plain one? Counted, not timed."""
        cost = {method: self.operations(method) for method in (BASELINE, OURS)}
        for method, count in cost.items():
            self._single("figure2", method, "million operations a face", count / 1e6, n=1)
        spare = FREE - (cost[OURS] / cost[BASELINE] - 1)
        self.ledger.add(
            "figure2",
            "LDLVA",
            f"{100 * FREE:.0f} % of the baseline's operations, less what it adds, as a share",
            source="faces",
            n=1,
            interval=(exact := stats.Interval(estimate=spare, low=spare, high=spare, level=1.0)),
            about="none, a count",
            claim="LDLVA costs nothing at inference",
            claim_id="only-training",
            verdict=stats.verdict(exact, 1),
        )
        return self.ledger.table("figure2")

    def operations(self, method: str) -> int:
        """Floating-point operations, of those that multiply, in which the baseline or LDLVA names one face."""
        shape = self.faces.images.shape[1:]
        channels = 1 if len(shape) == 2 else shape[2]
        backbone, features = build_backbone(protocol(self.track).backbone, channels=channels)
        model = ExpressionNet(backbone, features, n=1, classes=CLASSES)
        if method == OURS:
            near = torch.zeros(1, 8, dtype=torch.long)
            model = LDLVA(
                backbone, features, classes=CLASSES, neighbours=near, similarity=torch.ones(near.shape)
            )
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model.eval()(torch.zeros(1, channels, *shape[:2]))
        return int(counter.get_total_flops())

    def figure3(self) -> ArtefactTable:
        """Figures 1 and 3: how far predicted distributions are from the votes, by method and condition."""
        claim = (
            "LDLVA's distributions, as printed, are closer to people's votes than the plain network's ({})"
        )
        about: dict[str, Any] = {"claim_id": "distribution-like-people"}
        if self.faces.votes is None:
            self.ledger.not_attempted(
                "figure3", claim.format(self.hard), "one label a face, no votes", **about
            )
            self._disagreement()
            return self._table("figure3")
        column = "Jensen-Shannon divergence, bits"
        rows = self.parts.test_rows
        for condition in dict.fromkeys((self.hard, CLEAN)):
            mean = {
                m: [float(d.mean()) for d in self.divergence(condition, m)]
                for m in (*METHODS, RELEASED)
                if (condition, m) in self.results
            }
            for method, values in mean.items():
                row = f"{condition}: {method}"
                self._over_seeds("figure3", row, column, values, results=self.results[condition, method])
                self._common_seeds("figure3", condition, row, column, values)
            for method in (m for m in INSTANCES if m in mean):
                nearer, row = _less(mean[BASELINE], mean[method]), f"{condition}: {BASELINE} - {method}"
                tested = {"claim": claim.format(condition), **about} if method == OURS else {}
                self._over_seeds("figure3", row, column, nearer, **tested)
        guessed = self.guessed()
        for name, each in (("ten other raters, simulated", self.floor()), ("votes of all faces", guessed)):
            self._single("figure3", name, column, each.mean(), n=len(rows))
        gain = guessed - np.mean(self.divergence(self.hard, OURS), axis=0)
        self._over_faces("figure3", f"{self.hard}: votes of all faces - LDLVA", column, gain, rows)
        self._disagreement()
        return self._table("figure3")

    def guessed(self) -> NDArray[np.float64]:
        """Jensen-Shannon divergence in bits of the test faces' votes and the mean votes of the training faces."""
        human, everybody = self.human(self.parts.test_rows), self.human(self.parts.rows).mean(axis=0)
        return jensenshannon(human, np.broadcast_to(everybody, human.shape), axis=1, base=2) ** 2

    def _disagreement(self) -> None:
        """Figure 1: how often do two raters of a face name different categories?"""
        claim, about = "People disagree on the expression of faces", {"claim_id": "people-disagree"}
        if self.faces.votes is None:
            self.ledger.not_attempted("figure3", claim, "one label a face, no votes", **about)
        elif self.track.name == "twin":
            self.ledger.not_attempted("figure3", claim, "the twin's raters are made to disagree", **about)
        else:
            votes = self.faces.votes[:, :CLASSES].astype(np.float64)
            n = votes.sum(axis=1)
            rows = self.parts.test_rows[n[self.parts.test_rows] > 1]
            pairs = (votes * (votes - 1)).sum(axis=1)[rows] / (n * (n - 1))[rows]
            row, column = "two raters of one face", "% that name different categories"
            self._over_faces("figure3", row, column, 100 * (1 - pairs), rows, claim, **about)

    def human(self, rows: NDArray) -> NDArray[np.float64]:
        """Shares of the raters' votes for the seven categories (rows, 7)."""
        assert self.faces.votes is not None
        votes = self.faces.votes[rows, :CLASSES].astype(np.float64)
        return votes / votes.sum(axis=1, keepdims=True)

    def divergence(self, condition: str, method: str) -> list[NDArray[np.float64]]:
        """Jensen-Shannon divergence in bits of votes and prediction, test face by test face, one array a seed."""
        human = self.human(self.parts.test_rows)
        return [jensenshannon(human, p, axis=1, base=2) ** 2 for p in self.probability(condition, method)]

    def floor(self) -> NDArray[np.float64]:
        """The same of the votes and as many new ones drawn from them: no prediction can be expected to beat it."""
        rows = self.parts.test_rows
        assert self.faces.votes is not None
        human, n = self.human(rows), self.faces.votes[rows, :CLASSES].sum(axis=1)
        drawn = np.random.default_rng(0).multinomial(n, human) / n[:, None]
        return jensenshannon(human, drawn, axis=1, base=2) ** 2

    def figure4(self) -> ArtefactTable:
        """Figure 4: calibration scores of neighbours of the same category less those of others.

        Scores are kept of the first seed alone: the interval is one of pictures, and knows nothing of other trainings.
        """
        for method in (m for m in INSTANCES if (self.hard, m) in self.results):
            _, score, _ = self.calibrated(method)
            tiny = self.collapsed(self.hard, method)
            self._single("figure4", method, f"% of faces with every score below {TINY}", tiny, n=self.n_train)
            self._single("figure4", method, "score, mean", float(score.mean()), n=self.n_train)
            self._single("figure4", method, "score, standard deviation", float(score.std()), n=self.n_train)
        for method, named in ((OURS, "as printed"), (RELEASED, RELEASED)):
            claim = f"Neighbours of another category get lower calibration scores ({named}, one training)"
            if (self.hard, method) in self.results:
                self._suppressed(method, f"{named}: same - other category", claim)
            else:
                why = self.track.no_time
                self.ledger.not_attempted("figure4", claim, why, claim_id="calibration-suppresses")
        return self._table("figure4")

    def _suppressed(self, method: str, row: str, claim: str) -> None:
        _, score, same = self.calibrated(method)
        both = same.any(axis=1) & ~same.all(axis=1)
        other = (score * ~same).sum(axis=1)[both] / (~same).sum(axis=1)[both]
        difference = (score * same).sum(axis=1)[both] / same.sum(axis=1)[both] - other
        none, why = self.collapsed(self.hard, method), ""
        if none > 50:
            why = (
                f"on {none:.0f} % of the faces the scores of all neighbours are below {TINY}, of either kind"
            )
        about = {"claim_id": "calibration-suppresses", "values": [float(difference.mean())]}
        self._over_faces("figure4", row, "score", difference, self.parts.rows[both], claim, why=why, **about)

    def calibrated(self, method: str = "") -> tuple[NDArray, NDArray, NDArray]:
        """Neighbours of the training faces, their last calibration scores, and whether they are of its category.

        Without a `method` those of the release's setting, or where that was not run, of the paper's; to be drawn as
        shares of their sum, so that none is quite nothing.
        """
        least = 0.0 if method else float(np.finfo(np.float32).tiny)
        method = method or (RELEASED if (self.hard, RELEASED) in self.results else OURS)
        near = nearest_in_affect(self.places, 8)
        category = self.category(self.parts.rows)
        score = self.results[self.hard, method][0]["calibration"].astype(np.float64)
        return near, np.maximum(score, least), category[near] == category[:, None]

    def figure5(self) -> ArtefactTable:
        """Figure 5: how often the rebuilt distribution d (eq. 6) names the right class of a wrongly labelled face.

        d is kept of the first seed alone. Of the others, the factor and what the neighbours name say what d names at
        most: where the factor is a half or less, or the neighbours name the given label, d names the given label.
        """
        for condition in (c for c in dict.fromkeys((NATURAL, NOISY)) if c in self.conditions):
            results, most = self.results[condition, OURS], []
            shares: dict[str, list[float]] = {"right": [], "given": [], "of right labels": []}
            for seed, result in enumerate(results):
                given, right = self.labels(condition, seed)
                named, wrong = result["recovered"], given != right
                shares["right"].append(100 * float((named == right)[wrong].mean()))
                shares["given"].append(100 * float((named == given)[wrong].mean()))
                shares["of right labels"].append(100 * float((named == right)[~wrong].mean()))
                stays = (result["doubt"].astype(np.float64) <= 0.5) | (named == given)
                most.append(100 * float(((named == right) & ~stays)[wrong].mean() - stays[wrong].mean()))
            bad, row = int(wrong.sum()), f"{condition}: wrong labels"  # as many for every seed
            self._rebuilt(condition)
            about: dict[str, Any] = {
                "n": bad,
                "column": "% named",
                "row": f"{row}: d, right - given, at most",
            }
            if (
                condition == NOISY
            ):  # The paper shows faces whose label was flipped; people's own are our question.
                about |= {"claim_id": "labels-recovered"}
                about |= {"claim": f"d names the right class of flipped labels ({condition}, as printed)"}
            said = str(stats.verdict(stats.mean_interval(most), 1))
            if said != stats.Verdict.DID_NOT_HOLD:
                said = (
                    f"{stats.Verdict.CANNOT_TELL}: d can name no more than this; d itself is kept of one seed"
                )
            self.ledger.add("figure5", source="faces", values=most, verdict=said, **about)
            for what, words in (("right", "% named right"), ("given", "% named as given")):
                self._over_seeds("figure5", f"{row}: d~", words, shares[what], n=bad, results=results)
            kept, n = shares["of right labels"], self.n_train - bad
            self._over_seeds(
                "figure5", f"{condition}: right labels: d~", "% named right", kept, n=n, results=results
            )
            more = _less(shares["right"], shares["given"])
            self._over_seeds("figure5", f"{row}: d~, right - given", "% named", more, n=bad)
        return self._table("figure5")

    def _rebuilt(self, condition: str) -> None:
        """What d itself names, as last seen in the first seed's training."""
        given, right = self.labels(condition, 0)
        named, wrong = self.results[condition, OURS][0]["target"].argmax(axis=1), given != right
        for row, column, hit, of in (
            ("wrong labels: d, first seed", "% named right", named == right, wrong),
            ("wrong labels: d, first seed", "% named as given", named == given, wrong),
            ("right labels: d, first seed", "% named right", named == right, ~wrong),
        ):
            self._single("figure5", f"{condition}: {row}", column, 100 * hit[of].mean(), n=int(of.sum()))

    def figure6(self) -> ArtefactTable:
        """Figure 6: does the factor find wrong labels, and better than SCN's weight, RUL's or the plain loss?"""
        for condition in dict.fromkeys((NATURAL, NOISY)):
            if condition not in self.conditions:
                continue
            found = {
                m: self.detection(condition, m)
                for m in METHODS
                if m in DOUBTS and (condition, m) in self.results
            }
            for method, values in found.items():
                results, row = self.results[condition, method], f"{condition}: {DOUBTS[method]}"
                self._over_seeds("figure6", row, "AUROC", values, n=self.n_train, results=results)
                self._common_seeds("figure6", condition, row, "AUROC", values, n=self.n_train)
            claim = f"The factor, as printed, is higher where the label is wrong ({condition})"
            above = [v - 0.5 for v in found[OURS]]
            about: dict[str, Any] = {"claim_id": "factor-shows-doubt", "n": self.n_train}
            self._over_seeds("figure6", f"{condition}: factor", "AUROC - 0.5", above, claim, **about)
            for rival in (m for m in found if m != OURS):
                self._better_detector(condition, rival, found)
            if self.faces.votes is not None:
                disagreement = entropy(self.human(self.parts.rows), axis=1)
                rho = [
                    float(spearmanr(r["doubt"], disagreement).statistic)
                    for r in self.results[condition, OURS]
                ]
                claim = f"The factor, as printed, is higher where raters disagree ({condition})"
                self._over_seeds(
                    "figure6",
                    f"{condition}: factor",
                    "Spearman with vote entropy",
                    rho,
                    claim,
                    **about,
                )
        return self._table("figure6")

    def _better_detector(self, condition: str, rival: str, found: Mapping[str, Sequence[float]]) -> None:
        """The factor's lead over another doubt; none where that one cannot be told from guessing."""
        gains, theirs = _less(found[OURS], found[rival]), stats.mean_interval(found[rival])
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        if not theirs.low > 0.5 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: {DOUBTS[rival]} cannot be told from guessing here, "
            said += f"AUROC {theirs.estimate:.2f} [{theirs.low:.2f}, {theirs.high:.2f}]"
        row = f"{condition}: factor - {DOUBTS[rival]}"
        about: dict[str, Any] = {"source": "faces", "n": self.n_train, "verdict": said}
        self.ledger.add("figure6", row, "AUROC", values=gains, **about)

    def detection(self, condition: str, method: str) -> list[float]:
        """AUROC of a method's doubt for wrong training labels, one a seed; 0.5 is chance."""
        wrong = [np.not_equal(*self.labels(condition, seed)) for seed in range(self.count(condition, method))]
        results = self.results[condition, method]
        return [float(roc_auc_score(w, r["doubt"])) for w, r in zip(wrong, results, strict=True)]

    def count(self, condition: str, method: str) -> int:
        return len(self.results[condition, method])

    def common(self, condition: str) -> int:
        """How many seeds all methods of a condition have: the first ones."""
        return min(len(group) for (c, _), group in self.results.items() if c == condition)

    def figure7(self) -> ArtefactTable:
        """Figure 7: accuracy over the number of neighbours, on original and on wrong labels."""
        for condition in (CLEAN, self.hard):
            for k, method in OVER_K.items():
                if (condition, method) in self.results:
                    self._score("figure7", condition, method, row=f"K = {k}")
        claims = (
            (CLEAN, 16, 4, "More neighbours are better on the original labels (as printed)"),
            (self.hard, 8, 4, "8 neighbours are better than 4 under wrong labels (as printed)"),
            (self.hard, 8, 16, "8 neighbours are better than 16 under wrong labels (as printed)"),
        )
        about = {"claim_id": "more-neighbours"}
        for condition, more, less, claim in claims:
            if (condition, OVER_K[less]) in self.results:
                self._gain("figure7", condition, OVER_K[more], OVER_K[less], claim, **about)
            else:
                self.ledger.not_attempted("figure7", claim, self.track.no_time, **about)
        return self._table("figure7")

    def controls(self) -> ArtefactTable:
        """LDLVA with other neighbours or known factors; and what neighbours bring where every factor is a half."""
        self.variants("controls", list(PLACES))
        half = next(iter(COMPONENTS))
        for name in list(PLACES)[:2]:
            if (self.hard, name) in self.results:
                self._gain("controls", self.hard, half, name)
        return self.ledger.table("controls")

    def variants(self, artefact: str, names: Sequence[str]) -> ArtefactTable:
        """Accuracy of variants of LDLVA under the hard condition, and each less LDLVA as run here."""
        self._score(artefact, self.hard, OURS)
        for name in names:
            if (self.hard, name) in self.results:
                self._score(artefact, self.hard, name)
                self._gain(artefact, self.hard, name, OURS)
                if artefact == "choices":
                    self._gain(artefact, self.hard, name, BASELINE)
                if self.hard == NATURAL:
                    self._gap_closed(artefact, name)
                self._validation(artefact, name)
        self._validation(artefact, OURS)
        if not any((self.hard, name) in self.results for name in names):
            self.ledger.not_attempted(artefact, "", self.track.no_time)
        return self.ledger.table(artefact)

    def _validation(self, artefact: str, method: str) -> None:
        values = [100 * float(r["validation"][0]) for r in self.results[self.hard, method]]
        column, n = f"{self.hard}: validation accuracy", len(self.parts.validation_rows)
        self._over_seeds(artefact, method, column, values, n=n, unit="%")

    def systematic(self) -> ArtefactTable:
        """Are people's wrong labels learnt? What is predicted for test faces whose first label is not the consensus."""
        if NATURAL not in self.conditions:
            self.ledger.not_attempted("systematic", "", "one label a face")
            return self.ledger.table("systematic")
        rows = self.parts.test_rows
        assert self.faces.original is not None
        first, right = self.faces.original[rows], self.category(rows)
        wrong = first != right
        for condition in (CLEAN, NATURAL):
            for method in (BASELINE, OURS):
                for what, label in (("first label", first), ("consensus", right)):
                    named = [
                        100 * float((p.argmax(axis=1) == label)[wrong].mean())
                        for p in self.probability(condition, method)
                    ]
                    row = f"{method}, trained on {condition} wrong labels".replace("natural wrong", "natural")
                    results = self.results[condition, method]
                    self._over_seeds(
                        "systematic",
                        row,
                        f"% predicted as the {what}",
                        named,
                        n=int(wrong.sum()),
                        results=results,
                    )
        self._harder()
        return self.ledger.table("systematic")

    def _harder(self) -> None:
        """Is the plain network less accurate with people's wrong labels than with as many flips?

        Between the shares that were trained with, the accuracy is a straight line; beyond the last it stays.
        """
        flips = {c: CONDITIONS[c]["noise"] for c in self.conditions if c != NATURAL}
        each = np.transpose([self.accuracy(c, BASELINE) for c in flips])
        given, right = self.labels(NATURAL, 0)
        share = float((given != right).mean())
        as_many = [float(np.interp(share, list(flips.values()), of)) for of in each]
        names, above = list(flips), int(np.searchsorted(list(flips.values()), share))
        between = (
            f"between {names[above - 1]} and {names[above]}"
            if above < len(names)
            else f"taken as {names[-1]}"
        )
        column = f"accuracy, flips of {100 * share:.1f} % {between}"
        gains = _less(as_many, self.accuracy(NATURAL, BASELINE))
        self._over_seeds("systematic", f"{BASELINE}: as many flips - natural labels", column, gains, unit="%")

    def staleness(self) -> ArtefactTable:
        """The bank against predictions made anew in every step, and against a bank renewed more rarely."""
        names = [m for m in (OURS, *STALENESS) if (self.hard, m) in self.results]
        for name in names:
            self._score("staleness", self.hard, name)
            if name != "online":
                gap = [float(r["gap"][0]) for r in self.results[self.hard, name]]
                self._over_seeds("staleness", name, "change between two entries", gap, n=self.n_train)
        for name in names[1:]:
            self._gain("staleness", self.hard, OURS, name)
        if names == [OURS]:
            self.ledger.not_attempted("staleness", "", self.track.no_time)
        return self.ledger.table("staleness")

    # sentences

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = (
            f"Licensed data, read from the official layout of {self.track.name}. A set without a validation split "
            "keeps a tenth of its training faces for that."
        )
        return self.track.caution + CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind.value_counts().items())
        lines = [f"**In short** (track {self.track.name}, profile {self.track.profile}): {counts}.", ""]
        by_cell = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        for condition in CONDITIONS:
            of = {m: by_cell.get(("table1", m, f"{condition}: accuracy")) for m in (*METHODS, RELEASED)}
            scores = [f"{m} {e.measured:.1f}" for m, e in of.items() if e is not None]
            if scores:
                lines.append(f"- Accuracy, {condition} wrong labels: {', '.join(scores)} %.")
        lines += self._told_of_instances(by_cell)
        behind: dict[str, list[str]] = {}
        for e in self.ledger.entries:
            if BEHIND in e.verdict:
                rival, condition = e.row.rpartition(" - ")[2], e.column.partition(":")[0]
                behind.setdefault(rival, []).append(condition)
        if behind:
            listed = "; ".join(f"{rival} ({', '.join(conditions)})" for rival, conditions in behind.items())
            lines.append(
                "- Rivals whose mean is itself behind the plain network's here, so that a lead over them tells "
                f"nothing: {listed}. LDLVA's rates were tuned on the twin, theirs were not."
            )
        by_holm = [
            f"{e.row}, {e.column} ({e.artefact.partition('/')[2]})"
            for e in self.ledger.entries
            if HOLM in e.verdict
        ]
        if by_holm:
            lines.append(
                "- Lines whose own interval leaves out zero, and that Holm's correction over the lines of their "
                f"statement makes *cannot tell*: {'; '.join(by_holm)}."
            )
        power = self.power()
        if len(power):
            lines.append(
                f"- Of the {len(power)} comparisons made here whose numbers the paper prints, a measured effect as "
                f"large as printed would have been told from none in {power['told'].sum()}; in the others it would "
                "have come out as *cannot tell*. A true effect of that size may be measured as a smaller one."
            )
        closed = {
            row: f"{row} {e.measured:.0f} % [{e.low:.0f}, {e.high:.0f}]"
            for (_, row, column), e in by_cell.items()
            if column == "% of the natural gap closed"
        }
        if closed:
            lines.append(
                f"- Of the gap between natural labels and the consensus: {', '.join(closed.values())}."
            )
        elif way := by_cell.get(("table1", WAY, "natural: accuracy")):
            lines.append(
                "- The gap between natural labels and the consensus, for the plain network, is "
                f"{way.measured:.1f} points [{way.low:.1f}, {way.high:.1f}]: too little known to be counted in shares."
            )
        instead = [
            f"{e.row.removesuffix(f' - {OURS}')} {e.measured:+.1f} [{e.low:.1f}, {e.high:.1f}]"
            for (artefact, _, _), e in by_cell.items()
            if artefact == "controls" and e.row.endswith(f" - {OURS}")
        ]
        if instead:
            lines.append(
                f"- In place of neighbours and learnt factors, points against LDLVA: {', '.join(instead)}."
            )
        half = next(iter(COMPONENTS))
        plane = [
            f"{e.measured:+.1f} [{e.low:.1f}, {e.high:.1f}] over {e.row.rpartition(', ')[2]}"
            for (artefact, row, _), e in by_cell.items()
            if artefact == "controls" and row.startswith(f"{half} - ")
        ]
        if plane:
            lines.append(
                f"- Where every factor is a half (ii), points that neighbours bring: {'; '.join(plane)}."
            )
        learnt = [
            by_cell.get(("systematic", f"{BASELINE}, trained on {on}", "% predicted as the first label"))
            for on in ("0 % wrong labels", "natural labels")
        ]
        if learnt[0] and learnt[1]:
            lines.append(
                f"- Of the test faces whose first label is wrong, a plain network trained on the consensus names "
                f"{learnt[0].measured:.0f} % by that label, one trained on first labels {learnt[1].measured:.0f} %."
            )
        for e in by_cell.values():
            if e.row.startswith(f"{BASELINE}: as many flips - "):
                said = "yes" if e.ahead else "no" if e.behind else "none can be told from the other"
                lines.append(
                    "- Are people's wrong labels harder for the plain network than as many flips? By "
                    f"{e.measured:+.1f} points [{e.low:.1f}, {e.high:.1f}] ({e.column.partition(', ')[2]}): {said}."
                )
        for e in self.ledger.entries:
            if (
                e.artefact == f"{KEY}/figure6"
                and e.column == "AUROC"
                and " - " not in e.row
                and ", seeds" not in e.row
            ):
                lines.append(f"- Wrong labels found, {e.row}: AUROC {e.measured:.2f}.")
        return "\n".join(lines)

    def _told_of_instances(self, by_cell: Mapping[tuple[str, str, str], Entry]) -> list[str]:
        """Which LDLVA the verdicts are of, how it was tuned, and what the released one does."""
        none = {
            m: e
            for (artefact, m, column), e in by_cell.items()
            if artefact == "instances" and column.startswith(f"{self.hard}: % of faces")
        }
        lines = []
        if OURS in none:
            each = ", ".join(f"{m} {e.measured:.0f} %" for m, e in none.items())
            lines.append(
                "- Verdicts on LDLVA are of the method as printed, but for its γ and λ's step, which were tuned on the "
                "twin in trials that no ledger holds; those of the release were not. Faces whose neighbours' "
                f"calibration scores are all below {TINY} ({self.hard}, first seed): {each}."
            )
        gains = [
            f"{column.removesuffix(': accuracy')} {e.measured:+.1f} [{e.low:.1f}, {e.high:.1f}] ({answer(e.verdict)})"
            for (artefact, row, column), e in by_cell.items()
            if artefact in ("table1", "table3") and row == f"{RELEASED} - {BASELINE}"
        ]
        if gains:
            lines.append(
                f"- As released by its authors, points against the plain network: {'; '.join(gains)}."
            )
        for (artefact, row, column), e in by_cell.items():
            if artefact == "table1" and row == f"{OURS} - {BASELINE}" and "their mean" in column:
                lines.append(
                    f"- LDLVA as printed, points against the plain network over {column.removesuffix(': accuracy')}: "
                    f"{e.measured:+.1f} [{e.low:.1f}, {e.high:.1f}] ({answer(e.verdict)}), a question of ours, asked "
                    "when the single shares were known."
                )
        return lines

    # the ledger

    @property
    def n_train(self) -> int:
        return len(self.parts.rows)

    def _single(self, artefact: str, row: str, column: str, value: float, *, n: int) -> None:
        self.ledger.add(artefact, row, column, source="faces", n=n, interval=float(value))

    def _over_seeds(
        self,
        artefact: str,
        row: str,
        column: str,
        values: Sequence[float],
        claim: str = "",
        *,
        n: int | None = None,
        **rest: Any,
    ) -> None:
        """One value a seed, of n faces: the test's, unless said otherwise."""
        count = len(self.parts.test_rows) if n is None else n
        self.ledger.over_seeds(artefact, row, column, values, claim=claim, source="faces", n=count, **rest)

    def _over_faces(
        self,
        artefact: str,
        row: str,
        column: str,
        each: NDArray,
        rows: NDArray,
        claim: str = "",
        *,
        why: str = "",
        **rest: Any,
    ) -> None:
        """The mean over faces with its bootstrap interval, of persons where they are known; `why` none can be told."""
        subject = self.faces.subject
        clusters = None if subject is None else subject[rows]
        interval = stats.cluster_bootstrap(
            lambda v: float(v.mean()), each, clusters=clusters, seed=0, draws=protocol(self.track).draws
        )
        self.ledger.add(
            artefact,
            row,
            column,
            source="faces",
            n=len(each),
            interval=interval,
            about=f"95 % bootstrap of {'pictures' if subject is None else 'subjects'}",
            claim=claim,
            verdict=f"{stats.Verdict.CANNOT_TELL}: {why}" if why else stats.verdict(interval, 1),
            **rest,
        )

    def _score(
        self,
        artefact: str,
        condition: str,
        method: str,
        *,
        row: str = "",
        printed: str = "",
    ) -> None:
        self._over_seeds(
            artefact,
            row or method,
            f"{condition}: accuracy",
            self.accuracy(condition, method),
            results=self.results[condition, method],
            unit="%",
            printed=printed,
            printed_on=_printed_on(condition) if printed else "",
        )
        values = self.accuracy(condition, method)
        self._common_seeds(artefact, condition, row or method, f"{condition}: accuracy", values, unit="%")

    def _common_seeds(
        self, artefact: str, condition: str, row: str, column: str, values: Sequence[float], **rest: Any
    ) -> None:
        """The mean that differences from methods of fewer seeds rest on, where a method has more."""
        few = self.common(condition)
        if few < len(values):
            self._over_seeds(artefact, f"{row}, seeds 0 to {few - 1}", column, values[:few], **rest)

    def _gains(self, condition: str, ours: str, theirs: str) -> list[float]:
        return self._gains_between((condition, ours), (condition, theirs))

    def _gains_between(self, ours: tuple[str, str], theirs: tuple[str, str]) -> list[float]:
        return _less(self.accuracy(*ours), self.accuracy(*theirs))

    def _gain(
        self, artefact: str, condition: str, ours: str, theirs: str, claim: str = "", **rest: Any
    ) -> None:
        gains, column = self._gains(condition, ours, theirs), f"{condition}: accuracy"
        self._over_seeds(artefact, f"{ours} - {theirs}", column, gains, claim, unit="%", **rest)

    def _lead(
        self,
        artefact: str,
        condition: str,
        rival: str,
        claim: str = "",
        *,
        before: float | None = None,
        **about: Any,
    ) -> None:
        """LDLVA's lead over a rival, or why there is none; `before` is the rival's printed one over the baseline.

        No lead speaks for LDLVA where the rival itself is behind the baseline: it is not what the paper compared with.
        The rule is the same for the paper's claims and for questions of ours.
        """
        if any((condition, method) not in self.results for method in (rival, OURS)):
            self.ledger.not_attempted(artefact, claim, self.track.no_time, **about)
            return
        gains = self._gains(condition, OURS, rival)
        said = str(stats.verdict(stats.mean_interval(gains), 1))
        own = float(np.mean(self._gains(condition, rival, BASELINE))) if rival != BASELINE else 0.0
        if own < 0 and said != stats.Verdict.DID_NOT_HOLD:
            said = f"{stats.Verdict.CANNOT_TELL}: {rival} {BEHIND}, by {-own:.1f} points"
            if before is not None:
                said += f"; as printed it is {'ahead' if before > 0 else 'behind'} by {abs(before):.2f}"
        row, column, n = f"{OURS} - {rival}", f"{condition}: accuracy", len(self.parts.test_rows)
        about |= {"unit": "%", "claim": claim, "verdict": said}
        self.ledger.add(artefact, row, column, source="faces", n=n, values=gains, **about)


def _chance(entry: Entry) -> float:
    """Two-sided p of a difference: of the t test over seeds, or by its interval of pictures taken as a normal one."""
    if entry.seeds > 1:
        p = stats.paired_difference(entry.values, np.zeros(entry.seeds)).p
        return 1.0 if np.isnan(p) else p
    error = (entry.high - entry.low) / (2 * norm.ppf(0.975))
    return float(2 * norm.sf(abs(entry.measured) / error)) if error > 0 else float(entry.measured == 0)


def _printed_on(condition: str) -> str:
    """What the paper's accuracies are of that stand beside ours."""
    return "RAF-DB, 30 % flipped" if condition == NATURAL else "RAF-DB"


def _shapes(landmarks: NDArray) -> NDArray[np.float64]:
    """Landmarks (n, m, 2) without place, size and turn: each is turned to fit their mean, (n, 2 m)."""
    points = landmarks[..., 0] + 1j * landmarks[..., 1].astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    turn = (points.conj() * points.mean(axis=0)).sum(axis=1, keepdims=True)
    points *= turn / np.abs(turn)
    return np.concatenate([points.real, points.imag], axis=1)


def _accuracy(printed: pd.DataFrame, row: str, column: str = "RAF-DB") -> str:
    """The one accuracy of a row, as printed.

    Raises:
        ValueError: there is none, or several.
    """
    return str(select(printed, row=row, column=column, quantity="accuracy")["printed"].item())


def _cell(printed: pd.DataFrame, row: str, column: str = "RAF-DB") -> str:
    """An accuracy as printed, with its standard error where the table has one; empty where it has no such cell."""
    of = printed[(printed["row"] == row) & (printed["column"] == column)].set_index("quantity")["printed"]
    return ", SE ".join(of.reindex(["accuracy", "standard_error"]).dropna())


def _less(a: Sequence[float], b: Sequence[float]) -> list[float]:
    """Differences at the seeds that both have."""
    return [x - y for x, y in zip(a, b, strict=False)]


__all__ = ["EXPRESSIONS", "KEY", "Study", "grid", "protocol"]
