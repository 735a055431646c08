"""foteinopoulou2021: the grid of runs behind its artefacts, and every number of its page.

A notebook makes a `Study`, which trains what is missing, and asks it for one artefact after the other; each writes
its numbers to the ledger and gives back the table. Two kinds of interval are used, and each number says which:
over items (a bootstrap of subjects, or of pictures where subjects are unknown, of the average over seeds) where the
question is whether a relation exists, and over seeds (a paired t interval) where two methods are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import nct, norm
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from paperlib import metrics, stats
from paperlib.data.records import FaceSet, SequenceSet, subset
from paperlib.grid import Result, Run, run_groups
from paperlib.labels import AFFECT, EXPRESSIONS, is_noisy
from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.published import parse, read_table, read_text
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
PRINTED_ON = {"table4": "AffectNet", "table5": "AMIGOS"}
KINDS = {"table4": "images", "table5": "sequences"}
MADE = "the twin's raters are made to differ so"  # why the twin cannot say how raters differ
UNTRAINED = 0.1  # a network whose PCC with the label is below this has not learned
# what decides whether a face is clean or noisy -> what it is called; licensed data sets have one source
CATEGORY = {"twin": "the twin's single label", "ferplus": "FER2013's original label"}
VOTED = "winner of the votes"
SPREAD = "standard deviation / mean"
GROUPS = 50  # that pictures are dealt into by lot where nobody knows whose they are
COUNTED = (
    "networks whose test rejects",
    "PCC: cells",
    "RMSE, PCC: cells",
    "MSE, PCC: cells",
    "RMSE, MSE, PCC: cells",
)
PRINTS_DIFFERENCES = ("table1", "table2", "figure5", "table3", "table4", "table5")


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


class _OfNobody(np.ndarray):
    """An empty array whose mean, which the page prints, is NaN without a warning: a page with warnings is refused."""

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        return np.nan


@dataclass(frozen=True)
class Predicted:
    """One method's Gaussians for the same items, one (n, 2) array a seed."""

    mean: Sequence[NDArray]
    variance: Sequence[NDArray]
    results: Sequence[Result]

    @property
    def average_variance(self) -> NDArray:
        return np.mean(self.variance, axis=0)


class FineTable(ArtefactTable):
    """An artefact whose spreads and small numbers keep two significant digits, and whose counts have no decimals."""

    @property
    def frame(self) -> pd.DataFrame:
        frame = super().frame
        for line, e in zip(frame.index, self.entries, strict=True):
            if e.unit or not np.isfinite(e.measured):
                continue
            if e.column.startswith(COUNTED):
                frame.loc[line, "measured"] = f"{e.measured:.0f}"
                continue
            sure = e.spread if e.seeds > 1 else (e.high - e.low) / 2
            places = _places(sure if np.isfinite(sure) else e.measured)
            spread = f" ± {e.spread:.{places}f}" if e.seeds > 1 else ""
            frame.loc[line, "measured"] = f"{e.measured:.{places}f}{spread}"
            if np.isfinite(e.low):
                frame.loc[line, "95 % interval"] = f"[{e.low:.{places}f}, {e.high:.{places}f}]"
        return frame


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
                f"foteinopoulou2021 learns valence and arousal; track {self.track.name} has none"
            )
        self.results = run_groups(runs, jobs=self.jobs)
        everything = {"faces": self.track.faces(), "sequences": self.track.sequences()}
        self.ledger = Ledger(
            KEY, self.track, {k: v.fingerprint for k, v in everything.items() if v is not None}, self.results
        )

    @cached_property
    def faces(self) -> FaceSet | None:
        """The test faces."""
        faces = self.track.faces()
        return None if faces is None else subset(faces, faces.split == "test")

    @cached_property
    def sequences(self) -> SequenceSet | None:
        return self.track.sequences()

    @property
    def draws(self) -> int:
        return protocol(self.track).draws

    @property
    def main(self) -> str:
        """The backbone that all but Table IV rests on, by the name of what was trained."""
        return protocol(self.track).main

    def predicted(self, backbone: str, method: str) -> Predicted:
        """What a method predicts: (n_test, 2) for faces, (n, 2) out of fold for sequences."""
        if method == "MC dropout":
            results = self.results[backbone, BASELINE]
            return Predicted(
                [r["dropout_mean"] for r in results], [r["dropout_variance"] for r in results], results
            )
        if method == "deep ensemble":
            return ensemble(self.predicted(backbone, "Gaussian NLL"))
        results = self.results[backbone, method]
        return Predicted([r["mean"] for r in results], [np.exp(r["log_variance"]) for r in results], results)

    def methods(self) -> list[str]:
        """The rivals that this track's labels and seeds allow, the proposed one first."""
        trained = {m for b, m in self.results if b == self.main}
        derived = {"MC dropout"} | (
            {"deep ensemble"} if len(self.results[self.main, BASELINE]) > 2 else set()
        )
        return [m for m in RIVALS if m in trained | derived]

    def shown(self, artefact: str) -> ArtefactTable:
        """A recorded artefact as the page shows it."""
        return FineTable(artefact=artefact, entries=self.ledger.table(artefact).entries)

    def category(self, source: str | None = None) -> NDArray[np.int8]:
        """The single category of every test face by a source, or as first published; -1 where it has none."""
        sources = self.category_sources()
        return sources[source or next(iter(sources))]

    def category_sources(self) -> dict[str, NDArray[np.int8]]:
        """Where a test face's category can be had from: first what was published with it, then what most voted."""
        faces = self.faces
        assert faces is not None
        given = faces.original if faces.original is not None else faces.expression
        if given is None:
            given = np.full(len(faces), -1, dtype=np.int8)
        sources = {CATEGORY.get(self.track.name, "category of the data set"): given}
        if faces.votes is not None:
            sources[VOTED] = _winner(faces.votes)
        return sources

    def noisy(self, source: str | None = None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which test faces (n,) have a category and a label, and which of those the released rules call noisy."""
        assert self.faces is not None
        category = self.category(source)
        judged = (category >= 0) & np.isfinite(self.faces.affect).all(axis=1)
        noisy = is_noisy(category[judged], self.faces.affect[judged])
        return judged, noisy if judged.any() else noisy.view(_OfNobody)

    def extremes_of_one_subject(self, variance: NDArray) -> tuple[int, int]:
        """Lowest and highest segment of the subject whose segments' variance (n, 2), summed, ranges most."""
        assert self.sequences is not None
        total = variance.sum(axis=1)
        owned = [np.flatnonzero(self.sequences.subject == s) for s in np.unique(self.sequences.subject)]
        rows = max(owned, key=lambda r: np.ptp(total[r]))
        return int(rows[total[rows].argmin()]), int(rows[total[rows].argmax()])

    def examples_of_subsets(self, each: int = 6) -> NDArray[np.int64]:
        """Clean, then noisy examples among the judged test faces: the first of each category in turn."""
        judged, noisy = self.noisy()
        category = self.category()[judged]
        chosen = []
        for subset_of in (~noisy, noisy):
            first = [np.flatnonzero(subset_of & (category == k)) for k in range(len(EXPRESSIONS))]
            depth = max(len(rows) for rows in first)
            turns = [int(rows[i]) for i in range(depth) for rows in first if i < len(rows)]
            chosen += turns[:each]
        return np.array(chosen)

    # artefacts

    def table1(self) -> ArtefactTable:
        """Table I: Pearson correlations of every two raters; where raters have no names, of any two (ICC)."""
        printed = read_table(KEY, 1)
        record = self.sequences
        if record is not None:
            pairs = [(0, 1), (0, 2), (1, 2)]
            for d in DIMENSIONS:
                ratings = record.ratings[..., AFFECT.index(d)]
                for a, b in pairs:
                    there = f"row == '#{a + 1}' and column == '{d.capitalize()} #{b + 1}'"
                    cell = printed.query(f"dimension == '{d}' and {there}")
                    both = self._over_items(_pcc, ratings[:, a], ratings[:, b], clusters=record.subject)
                    self.ledger.add(
                        "table1",
                        f"{d}: raters {a + 1} and {b + 1}",
                        "PCC",
                        source="sequences",
                        n=len(record),
                        interval=both,
                        about="95 % bootstrap of subjects",
                        printed=_printed(cell),
                        printed_on="AMIGOS",
                    )
            valence, arousal = record.ratings[..., 0], record.ratings[..., 1]
            gap: stats.Interval | None = self._over_items(
                lambda v, a: _mean_pair(v) - _mean_pair(a), valence, arousal, clusters=record.subject
            )
            n, source, about = len(record), "sequences", "95 % bootstrap of subjects"
        else:
            gap, n, source, about = self._agreement_of_nameless_raters()
        claim, of = "raters agree less on arousal than on valence", "raters-disagree-on-arousal"
        if gap is None:
            self.ledger.not_attempted("table1", claim, "no single ratings", claim_id=of)
        else:
            self.ledger.add(
                "table1",
                "valence - arousal",
                "agreement",
                source=source,
                n=n,
                interval=gap,
                about=about,
                printed=f"{_printed_agreement('valence') - _printed_agreement('arousal'):.3f}",
                printed_on="AMIGOS, mean PCC",
                claim=claim,
                claim_id=of,
                verdict=self._of_raters(stats.verdict(gap, 1)),
            )
        return self.shown("table1")

    def _of_raters(self, verdict: stats.Verdict) -> str:
        """A verdict on how raters differ, which on the twin is a property of the generator and judged by nothing."""
        return f"{stats.Verdict.NOT_ATTEMPTED}: {MADE}" if self.track.name == "twin" else str(verdict)

    def _agreement_of_nameless_raters(self) -> tuple[stats.Interval | None, int, str, str]:
        faces = self.faces
        if faces is None or faces.ratings is None:
            return None, 0, "", ""
        about = f"95 % bootstrap of {self._unit_of_faces}"
        clusters = faces.subject
        for d in DIMENSIONS:
            ratings = faces.ratings[..., AFFECT.index(d)]
            one = self._over_items(stats.icc1, ratings, clusters=clusters)
            self.ledger.add(
                "table1",
                f"{d}: any two raters",
                "ICC(1)",
                source="faces",
                n=len(faces),
                interval=one,
                about=about,
            )
        gap = self._over_items(
            lambda r: stats.icc1(r[..., 0]) - stats.icc1(r[..., 1]), faces.ratings, clusters=clusters
        )
        return gap, len(faces), "faces", about

    def kinds(self) -> list[tuple[str, FaceSet | SequenceSet, str]]:
        """What the track has: its name, the data, and the backbone whose results stand for it."""
        every = ("sequences", self.sequences, "NetVLAD"), ("faces", self.faces, self.main)
        return [(source, record, backbone) for source, record, backbone in every if record is not None]

    def with_ratings(self) -> list[tuple[str, FaceSet | SequenceSet, str]]:
        """Those of `kinds` that single raters rated."""
        return [kind for kind in self.kinds() if kind[1].ratings is not None]

    def figure4(self) -> ArtefactTable:
        """Figure 4 in numbers: are most of the raters' variances low, and more of arousal's among the high ones?"""
        of = "disagreement-mostly-low"
        for source, record, _ in self.with_ratings():
            items, observed = _rated(record)
            clusters = None if record.subject is None else record.subject[items]
            about = f"95 % bootstrap of {'pictures' if clusters is None else 'subjects'}"
            measured = {
                (d, "share below the mean variance, less half"): (
                    self._over_items(_share_below_mean, observed[:, AFFECT.index(d)], clusters=clusters),
                    f"most {source} have a low variance of the raters ({d})",
                )
                for d in DIMENSIONS
            }
            measured["arousal - valence", "share among the largest tenth of both"] = (
                self._over_items(_gap_of_tails, observed, clusters=clusters),
                f"more of the high variances are those of arousal ({source})",
            )
            for (row, column), (interval, claim) in measured.items():
                self.ledger.add(
                    "figure4",
                    f"{source}: {row}",
                    column,
                    source=source,
                    n=len(items),
                    interval=interval,
                    about=about,
                    claim=claim,
                    claim_id=of,
                    verdict=self._of_raters(stats.verdict(interval, 1)),
                )
        if not self.with_ratings():
            claim = "most items have a low variance of the raters, and arousal more of the high ones"
            self.ledger.not_attempted("figure4", claim, "no single ratings", claim_id=of)
        return self.shown("figure4")

    def table2(self) -> ArtefactTable:
        """Table II: PCC of learned and raters' variance, the ceiling that K raters set, and the truth's where known."""
        printed = read_table(KEY, 2)
        for source, record, backbone in self.with_ratings():
            assert record.ratings is not None
            items, observed = _rated(record)
            predicted = self.predicted(backbone, PROPOSED)
            people = None if record.subject is None else record.subject[items]
            about = f"95 % bootstrap of {'pictures' if people is None else 'subjects'}"
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = observed[:, j]
                values = [_pcc(v[items, j], y) for v in predicted.variance]
                learned = np.stack([v[items, j] for v in predicted.variance], axis=1)
                of_method = self._over_items_and_seeds(
                    lambda v, y: _mean_pcc(v, y[:, 0]), learned, y, clusters=people
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    "PCC with raters' variance",
                    source=source,
                    n=len(y),
                    values=values,
                    results=predicted.results,
                    printed=_printed(printed.query(f"dimension == '{d}'")),
                    printed_on="AMIGOS",
                    **in_range("PCC", values),
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    "the same, average of seeds",
                    source=source,
                    n=len(y),
                    **of_method,
                    printed=_printed(printed.query(f"dimension == '{d}'")),
                    printed_on="AMIGOS",
                    claim=f"learned and raters' variance correlate positively ({source}, {d})",
                    claim_id="variance-follows-raters",
                    verdict=stats.verdict(of_method["interval"], 1),
                )
                pooled = self._over_items(
                    _pcc,
                    predicted.average_variance[items, j],
                    y,
                    clusters=None if record.subject is None else record.subject[items],
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    f"PCC of the average variance of {len(predicted.variance)} networks",
                    source=source,
                    n=len(y),
                    interval=pooled,
                    about=about,
                )
                self.ledger.add(
                    "table2",
                    f"{source}: {d}",
                    f"ceiling with {record.ratings.shape[1]} raters, from ratings",
                    source=source,
                    n=len(y),
                    interval=self._ceiling(record, items, j),
                    about=f"{about}, a ceiling that a resample does not show being 0",
                )
                if record.truth is not None:
                    self.ledger.add(
                        "table2",
                        f"{source}: {d}",
                        "PCC of true and raters' variance",
                        source=source,
                        n=len(y),
                        interval=self._over_items(
                            _pcc,
                            record.truth.variance[items, j],
                            y,
                            clusters=None if record.subject is None else record.subject[items],
                        ),
                        about=about,
                    )
                    knows = [_pcc(v[:, j], record.truth.variance[:, j]) for v in predicted.variance]
                    self.ledger.add(
                        "table2",
                        f"{source}: {d}",
                        "PCC with the true variance",
                        source=source,
                        n=len(record),
                        values=knows,
                        results=predicted.results,
                        **in_range("PCC", knows),
                    )
            self._order_of_table2(source, record, predicted)
        if not self.with_ratings():
            for claim, of in {
                "learned and raters' variance correlate positively": "variance-follows-raters",
                "they correlate more for arousal than for valence": "variance-pcc-higher-where-agreement-lower",
            }.items():
                self.ledger.not_attempted("table2", claim, "no single ratings", claim_id=of)
        return self.shown("table2")

    def _order_of_table2(self, source: str, record: FaceSet | SequenceSet, predicted: Predicted) -> None:
        """By how much learned and raters' variance correlate more for arousal, on which raters agree less."""
        items, observed = _rated(record)
        learned = np.stack([v[items] for v in predicted.variance], axis=1)  # (items, seeds, 2)
        gap = self._over_items_and_seeds(
            lambda v, y: _mean_pcc(v[..., 1], y[:, 0, 1]) - _mean_pcc(v[..., 0], y[:, 0, 0]),
            learned,
            observed,
            clusters=None if record.subject is None else record.subject[items],
        )
        cells = read_table(KEY, 2).set_index("dimension")["value"]
        self.ledger.add(
            "table2",
            f"{source}: arousal - valence",
            "the same, average of seeds",
            source=source,
            n=len(items),
            **gap,
            printed=f"{cells['arousal'] - cells['valence']:.2f}",
            printed_on="AMIGOS",
            claim=f"learned and raters' variance correlate more for arousal than for valence ({source})",
            claim_id="variance-pcc-higher-where-agreement-lower",
            verdict=stats.verdict(gap["interval"], 1),
        )

    def _ceiling(self, record: FaceSet | SequenceSet, items: NDArray, j: int) -> stats.Interval:
        """From the ratings of those items that have enough of them, whatever is known of the truth."""
        assert record.ratings is not None
        few = record.ratings.shape[1] <= 3
        ratings = record.ratings[items]
        enough = np.isfinite(ratings[..., 0]).sum(axis=1) >= (2 if few else 4)

        def ceiling(of: NDArray) -> float:
            return float(
                stats.variance_ceiling_from_ratings(
                    of, gaussian=few, same_raters=self.track.name != "ferplus"
                )
            )

        ratings = ratings[enough][..., j]
        found = self._over_items(
            lambda of: float(np.nan_to_num(ceiling(of))),
            ratings,
            clusters=None if record.subject is None else record.subject[items][enough],
        )
        return replace(found, estimate=ceiling(ratings))

    def of_table2(self, source: str, column: str) -> list[float]:
        """Numbers of Table II for valence and arousal, by the beginning of their column."""
        return [e.measured for e in self._of_table2(source, column)]

    def bounds_of_table2(self, source: str, column: str) -> list[tuple[float, float]]:
        """Their intervals."""
        return [(e.low, e.high) for e in self._of_table2(source, column)]

    def _of_table2(self, source: str, column: str) -> list[Entry]:
        entries = [e for e in self.ledger.table("table2").entries if e.column.startswith(column)]
        found = [e for d in AFFECT for e in entries if e.row == f"{source}: {d}"]
        if not found:
            raise LookupError(f"table2 has no {column} of {source}")
        return found

    def readings(self) -> ArtefactTable:
        """Table II under other readings of what was correlated: log variance, deviation, or averaged per subject."""
        for source, record, backbone in self.with_ratings():
            items, observed = _rated(record)
            predicted = self.predicted(backbone, PROPOSED)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = observed[:, j]
                learned = [v[items, j] for v in predicted.variance]
                readings = {
                    "variance, pooled": [_pcc(v, y) for v in learned],
                    "log variance, pooled": [_pcc(np.log(v), y) for v in learned],
                    "standard deviations, pooled": [_pcc(np.sqrt(v), np.sqrt(y)) for v in learned],
                }
                if record.subject is not None and source == "sequences":
                    subjects = record.subject[items]
                    within = [_per_subject(v, y, subjects) for v in learned]
                    readings["variance, averaged over subjects"] = within
                for name, values in readings.items():
                    self.ledger.add(
                        "table2_readings",
                        f"{source}: {d}",
                        name,
                        source=source,
                        n=len(y),
                        values=values,
                        results=predicted.results,
                        **in_range("PCC", values),
                    )
        if not self.with_ratings():
            self._nothing("table2_readings", "no single ratings")
        return self.shown("table2_readings")

    def variance_size(self) -> ArtefactTable:
        """Is the learned variance as large as the raters', within a factor of two? The paper names no margin.

        A variance half or twice the true one gives intervals that are meant to cover 95 % and cover 83 or 99 %. The
        loss is least where the variance is the network's own expected squared error, whatever raters do: see
        `size_verdict`.
        """
        of = "variance-is-label-uncertainty"
        for source, record, backbone in self.with_ratings():
            assert record.ratings is not None
            items, observed = _rated(record)
            predicted = self.predicted(backbone, PROPOSED)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                rated = float(observed[:, j].mean())
                learned = [float(v[items, j].mean()) for v in predicted.variance]
                error = [float(np.mean((m[items, j] - record.affect[items, j]) ** 2)) for m in predicted.mean]
                numbers = {
                    "mean learned variance": learned,
                    "learned / raters'": [v / rated for v in learned],
                    "own test MSE": error,
                    "learned / own test MSE": [v / e for v, e in zip(learned, error, strict=True)],
                }
                given: dict[str, Any] = {"source": source, "n": len(items)}
                row = f"{source}: {d}"
                self.ledger.add("variance_size", row, "mean variance of the raters", interval=rated, **given)
                if _labels_are_means(record, items):
                    raters = np.isfinite(record.ratings[items][..., j]).sum(axis=1)
                    of_mean = float(np.mean(observed[:, j] / raters))
                    self.ledger.add(
                        "variance_size", row, "the same / K, of the label", interval=of_mean, **given
                    )
                    numbers["learned / (raters' / K)"] = [v / of_mean for v in learned]
                for column, values in numbers.items():
                    self.ledger.add(
                        "variance_size", row, column, values=values, results=predicted.results, **given
                    )
                self.ledger.add(
                    "variance_size",
                    row,
                    "two, less the factor between learned and raters'",
                    values=_room(learned, rated),
                    results=predicted.results,
                    claim=f"the learned variance is that of the raters, within a factor of two ({source}, {d})",
                    claim_id=of,
                    verdict=size_verdict(learned, rated, error),
                    **given,
                )
        if not self.with_ratings():
            claim = "the learned variance is that of the raters, within a factor of two"
            self.ledger.not_attempted("variance_size", claim, "no single ratings", claim_id=of)
        return self.shown("variance_size")

    def figure5(self) -> ArtefactTable:
        """Figure 5 for every subject: raters' variance where the learned one is highest, less where it is lowest."""
        claim = "of one person's segments, raters differ more on the one with the highest variance"
        of = "low-variance-clip-agrees"
        record = self.sequences
        if record is None or record.ratings is None or record.subject is None:
            why = "no recordings" if record is None else "no single ratings of known people"
            self.ledger.not_attempted("figure5", claim, why, claim_id=of)
            return self.shown("figure5")
        items, observed = _rated(record)
        gaps = np.stack(
            [
                _high_less_low(v[items].sum(axis=1), observed.mean(axis=1), record.subject[items])
                for v in self.predicted("NetVLAD", PROPOSED).variance
            ],
            axis=1,
        )  # (subjects, seeds)
        gap = self._over_items_and_seeds(_mean, gaps, clusters=np.arange(len(gaps)))
        ratings = read_text(KEY)["value"]
        low, high = (
            np.var([ratings[f"figure5-{clip}-{i}"] for i in (1, 2, 3)], ddof=1) for clip in ("low", "high")
        )
        self.ledger.add(
            "figure5",
            "segments of one subject: highest - lowest learned variance",
            "raters' variance, average of seeds",
            source="sequences",
            n=len(gaps),
            **gap,
            printed=f"{high - low:.3f}",
            printed_on="two clips of AMIGOS",
            claim=claim,
            claim_id=of,
            verdict=stats.verdict(gap["interval"], 1),
        )
        return self.shown("figure5")

    def _nothing(self, artefact: str, why: str, row: str = "all") -> None:
        """Record that a question of ours could not be asked on this track, and why."""
        self.ledger.add(artefact, row, "", source="", n=0, verdict=f"{stats.Verdict.NOT_ATTEMPTED}: {why}")

    def table3(self) -> ArtefactTable:
        """Table III: mean predicted variance of clean and noisy faces, the difference, and its t-tests."""
        claim = "faces with contradicting labels get a higher predicted variance ({})"
        why = "no faces" if self.faces is None else self._why_no_subsets()
        if self.faces is None or why:
            for d in DIMENSIONS:
                self.ledger.not_attempted("table3", claim.format(d), why, claim_id="noisy-variance-higher")
            return self.shown("table3")
        printed = read_table(KEY, 3)
        judged, noisy = self.noisy()
        predicted = self.predicted(self.main, PROPOSED)
        clusters = None if self.faces.subject is None else self.faces.subject[judged]
        for d in DIMENSIONS:
            j = AFFECT.index(d)
            per_seed = [v[judged, j] for v in predicted.variance]
            for row, mask in (("clean", ~noisy), ("noisy", noisy)):
                cell = printed.query(
                    f"dimension == '{d}' and quantity == 'mean_variance' and row.str.contains('{row}')"
                )
                self.ledger.add(
                    "table3",
                    f"{d}: {row}",
                    "mean predicted variance",
                    source="faces",
                    n=mask.sum(),
                    values=[v[mask].mean() for v in per_seed],
                    results=predicted.results,
                    printed=_printed(cell),
                    printed_on="AffectNet",
                )
                spread = printed.query(
                    f"dimension == '{d}' and quantity == 'std' and row.str.contains('{row}')"
                )
                headed, as_variance = _relative_spreads(d, row)
                relative = f"{headed:.2f} if a deviation, {as_variance:.2f} if a variance"
                for column, measure, text in (
                    ("standard deviation over faces", _deviation, _printed(spread)),
                    (SPREAD, _relative_deviation, relative),
                ):
                    self.ledger.add(
                        "table3",
                        f"{d}: {row}",
                        column,
                        source="faces",
                        n=mask.sum(),
                        values=[measure(v[mask]) for v in per_seed],
                        results=predicted.results,
                        printed=text,
                        printed_on="AffectNet",
                    )
            difference = self._over_items_and_seeds(
                _difference_of_subsets, np.stack(per_seed, axis=1), noisy, clusters=clusters
            )
            self.ledger.add(
                "table3",
                f"{d}: noisy - clean",
                "difference, average of seeds",
                source="faces",
                n=len(noisy),
                **difference,
                printed=f"{_printed_difference(d):.4f}",
                printed_on="AffectNet",
                claim=claim.format(d),
                claim_id="noisy-variance-higher",
                verdict=stats.verdict(difference["interval"], 1),
            )
            tests = [
                stats.t_test(v[noisy], v[~noisy], equal_variance=False, alternative="greater")
                for v in per_seed
            ]
            for column, values in {
                "Welch t, faces as samples": [t.statistic for t in tests],
                "Hedges' g": [t.hedges_g for t in tests],
            }.items():
                self.ledger.add(
                    "table3",
                    f"{d}: noisy - clean",
                    column,
                    source="faces",
                    n=len(noisy),
                    values=values,
                    results=predicted.results,
                )
            self.ledger.add(
                "table3",
                f"{d}: noisy - clean",
                "one-tailed p, largest of the seeds",
                source="faces",
                n=len(noisy),
                interval=max(t.p for t in tests),
                unit="p",
            )
        return self.shown("table3")

    def reading_of_spread(self) -> str:
        """What our networks say on Table III's spread, which is headed a deviation and called a variance."""
        try:
            found = [e for e in self.ledger.table("table3").entries if e.column == SPREAD]
        except LookupError:
            found = []
        if not found:
            return "No subsets here, so nothing to hold against the printed spread."
        readings = [_relative_spreads(d, row) for d in DIMENSIONS for row in ("clean", "noisy")]
        ours = np.array([e.measured for e in found])
        apart = np.abs(np.log(np.array(readings) / ours[:, None])).mean(axis=0)
        nearer = ("a standard deviation", "a variance")[int(apart.argmin())]
        ranges = [f"{min(x):.2f} to {max(x):.2f}" for x in (*zip(*readings, strict=True), ours)]
        return (
            f"Standard deviation / mean of the predicted variance: printed {ranges[0]} if the bracket is a standard\n"
            f"deviation, {ranges[1]} if it is a variance; here {ranges[2]}: nearer to {nearer}."
        )

    def category_source(self) -> ArtefactTable:
        """Ours: does it matter who said a face's category? Table III again, for every source of it."""
        if self.faces is None or self._why_no_subsets():
            self._nothing("category_source", "no faces" if self.faces is None else self._why_no_subsets())
            return self.shown("category_source")
        for source in self.category_sources():
            if why := self._why_no_subsets(source):
                self._nothing("category_source", why, source)
                continue
            judged, noisy = self.noisy(source)
            self.ledger.add(
                "category_source",
                source,
                "noisy faces, %",
                source="faces",
                n=len(noisy),
                interval=100 * float(noisy.mean()),
                printed=f"{100 * printed_share():.1f}",
                printed_on="AffectNet",
            )
            learned = np.stack([v[judged] for v in self.predicted(self.main, PROPOSED).variance], axis=1)
            for d in DIMENSIONS:
                self._compare_subsets(source, d, learned, judged, noisy)
        return self.shown("category_source")

    def _compare_subsets(
        self, source: str, d: str, learned: NDArray, judged: NDArray[np.bool_], noisy: NDArray[np.bool_]
    ) -> None:
        """How strong the labels are in both subsets of a source, and how large the predicted variance."""
        assert self.faces is not None
        j = AFFECT.index(d)
        strength = np.abs(self.faces.affect[judged, j])
        for what, values in (("|label|", strength), ("predicted variance", learned[..., j].mean(axis=1))):
            for subset_of, mask in (("clean", ~noisy), ("noisy", noisy)):
                self.ledger.add(
                    "category_source",
                    f"{source}: {d}, {subset_of}",
                    f"mean {what}",
                    source="faces",
                    n=mask.sum(),
                    interval=float(values[mask].mean()),
                )
        difference = self._over_items_and_seeds(
            _difference_of_subsets,
            learned[..., j],
            noisy,
            clusters=None if self.faces.subject is None else self.faces.subject[judged],
        )
        self.ledger.add(
            "category_source",
            f"{source}: {d}, noisy - clean",
            "predicted variance",
            source="faces",
            n=len(noisy),
            verdict=stats.verdict(difference["interval"], 1),
            **difference,
        )

    def figure7(self) -> ArtefactTable:
        """Figure 7 in numbers: in how many pairs of a noisy and a clean face the noisy one has the higher variance."""
        claim = "the noisy faces' distribution of predicted variance lies higher ({})"
        of = "distributions-overlap"
        why = "no faces" if self.faces is None else self._why_no_subsets()
        if self.faces is None or why:
            self.ledger.not_attempted("figure7", claim.format("valence, arousal"), why, claim_id=of)
            return self.shown("figure7")
        judged, noisy = self.noisy()
        learned = np.stack([v[judged] for v in self.predicted(self.main, PROPOSED).variance], axis=1)
        for d in DIMENSIONS:
            above = self._over_items_and_seeds(
                lambda v, noisy: _pairs_above(v.mean(axis=1), noisy[:, 0]),
                learned[..., AFFECT.index(d)],
                noisy,
                clusters=None if self.faces.subject is None else self.faces.subject[judged],
            )
            given: dict[str, Any] = {"source": "faces", "n": len(noisy)}
            self.ledger.add(
                "figure7",
                f"{d}: noisy - clean",
                "share of pairs in which the noisy one is higher, less half",
                claim=claim.format(d),
                claim_id=of,
                verdict=stats.verdict(above["interval"], 1),
                **above,
                **given,
            )
            self.ledger.add(
                "figure7",
                f"{d}: overlap",
                "share of pairs in which the clean one is higher",
                interval=0.5 - above["interval"].estimate,
                **given,
            )
        return self.shown("figure7")

    def ttest(self) -> ArtefactTable:
        """The paper's test of Table III, once for each network: Welch's t less the value at which it rejects.

        As in the paper faces are the samples, as if no two were of one person. That arousal is not rejected at 95 % is
        no finding that could come out again: it says that 141 noisy faces were too few. So the half of the statement
        that is about arousal is counted, and not judged.
        """
        usual, lower = (int(read_text(KEY)["value"][f"confidence-{name}"]) for name in ("usual", "lower"))
        tests = {
            (f"valence, {usual} %", "reject-valence-95"): (("valence",), usual),
            (f"arousal, {lower} %", "reject-arousal-80"): (("arousal",), lower),
            (f"both dimensions, {usual} %", "clean-lower-by-test"): (DIMENSIONS, usual),
        }
        claim = "by a one-tailed t-test clean faces have the lower predicted variance ({})"
        why = "no faces" if self.faces is None else self._why_no_subsets()
        if self.faces is None or why:
            for row, of in tests:
                self.ledger.not_attempted("ttest", claim.format(row), why, claim_id=of)
            return self.shown("ttest")
        judged, noisy = self.noisy()
        predicted = self.predicted(self.main, PROPOSED)
        for (row, of), (dimensions, percent) in tests.items():
            beyond = [
                min(_beyond_critical(v[judged, AFFECT.index(d)], noisy, percent) for d in dimensions)
                for v in predicted.variance
            ]
            self.ledger.add(
                "ttest",
                row,
                "(smaller) Welch t, noisy - clean, less its critical value",
                source="faces",
                n=len(noisy),
                values=beyond,
                results=predicted.results,
                printed=f"{_printed_beyond_critical(dimensions, percent):.2f}",
                printed_on="AffectNet",
                claim=claim.format(row),
                claim_id=of,
                verdict=stats.verdict(stats.mean_interval(beyond), 1),
            )
        for d in DIMENSIONS:
            found = [_beyond_critical(v[judged, AFFECT.index(d)], noisy, usual) for v in predicted.variance]
            self.ledger.add(
                "ttest",
                f"{d}, {usual} %",
                f"networks whose test rejects, of {len(found)}",
                source="faces",
                n=len(noisy),
                interval=float(sum(x > 0 for x in found)),
                printed=f"{int(_printed_beyond_critical((d,), usual) > 0)} of 1",
                printed_on="AffectNet",
            )
        return self.shown("ttest")

    def _why_no_subsets(self, source: str | None = None) -> str:
        """Why clean and noisy faces cannot be compared; empty where they can."""
        judged, noisy = self.noisy(source)
        if not judged.any():
            return "no categories beside valence and arousal"
        few = min(noisy.sum(), (~noisy).sum()) < 2
        return f"of {len(noisy)} faces {noisy.sum()} are noisy: each subset needs two" if few else ""

    def table4(self) -> ArtefactTable:
        """Table IV: RMSE and PCC of baseline and proposed on every backbone, and their paired differences."""
        if self.faces is None:
            self._no_comparison("table4", "no faces")
            return self.shown("table4")
        plan = protocol(self.track)
        measures = {"RMSE": metrics.rmse, "PCC": metrics.pcc}
        for row in SCALED:
            if row in plan.backbones:
                name = self._called(row)
                self._scores("table4", name, plan.backbones[row], row, self.faces.affect, "faces", measures)
                self._architecture("table4", name, row)
                continue
            for claim, of in {
                f"RMSE and PCC are better with the proposed loss ({row}, mean of both dimensions)": (
                    "improves-all-architectures"
                ),
                f"PCC is better with the proposed loss ({row})": "pcc-improves-three-backbones",
            }.items():
                self.ledger.not_attempted("table4", claim, self.track.no_time, claim_id=of)
        self._every("table4", {"table4": list(plan.backbones)}, ["PCC"], "pcc-improves-three-backbones")
        return self.shown("table4")

    def _called(self, row: str) -> str:
        """What was trained for a row of Table IV: the backbone, and whether it began with ImageNet's weights."""
        plan = protocol(self.track)
        return plan.backbones[row] + (", ImageNet weights" if plan.pretrained and row == MAIN else "")

    def table5(self) -> ArtefactTable:
        """Table V: MSE and PCC of baseline and proposed NetVLAD, subjects left out; after IV, the cells of both."""
        rows = {} if self.faces is None else {"table4": list(protocol(self.track).backbones)}
        if self.sequences is None:
            self._no_comparison("table5", "no recordings")
        else:
            rows["table5"] = ["NetVLAD"]
            target, measures = self.sequences.affect, {"MSE": metrics.mse, "PCC": metrics.pcc}
            self._scores("table5", "NetVLAD", "NetVLAD", "NetVLAD", target, "sequences", measures)
            self._architecture("table5", "NetVLAD", "NetVLAD")
        if "table5" in rows:  # of images alone it would be Table IV's line again
            self._every("table5", rows, ["PCC"], "pcc-improves-images-and-sequences")
        self._every("table5", rows, [*(ERRORS[t] for t in rows), "PCC"], "improves-both-datasets")
        return self.shown("table5")

    def _no_comparison(self, artefact: str, why: str) -> None:
        """Record why one of the two tables has no cells here."""
        both, kind = f"PCC and {ERRORS[artefact]}", KINDS[artefact]
        claims = {
            f"{both}: better with the proposed loss in every cell ({kind})": "improves-both-datasets",
            f"{both} are better with the proposed loss ({kind}, mean of both dimensions)": (
                "improves-all-architectures"
            ),
            f"PCC: better with the proposed loss in every cell ({kind})": "pcc-improves-images-and-sequences",
        }
        if artefact == "table4":
            claims["PCC: better with the proposed loss on every backbone"] = "pcc-improves-three-backbones"
        for claim, of in claims.items():
            self.ledger.not_attempted(artefact, claim, why, claim_id=of)

    def _scores(
        self,
        artefact: str,
        name: str,
        network: str,
        row: str,
        target: NDArray,
        source: str,
        measures: Mapping[str, Callable[..., Any]],
    ) -> None:
        """Record every measure of baseline and proposed, and the difference over seeds, better being positive.

        The network is called `name` on the page, `network` in the grid, and stands beside the paper's `row`.
        """
        printed = read_table(KEY, int(artefact[-1]))
        printed_on = PRINTED_ON[artefact] + (f", {row}" if row != name else "")
        labelled = np.isfinite(target).all(axis=1)
        for d in DIMENSIONS:
            j = AFFECT.index(d)
            for metric, measure in measures.items():
                by_method = {}
                for method, suffix in ((BASELINE, ""), (PROPOSED, " proposed")):
                    predicted = self.predicted(network, method)
                    values = [float(measure(m[labelled, j], target[labelled, j])) for m in predicted.mean]
                    by_method[method] = values
                    cell = printed.query(
                        f"dimension == '{d}' and quantity == '{metric.lower()}' and row == '{row}{suffix}'"
                    )
                    self.ledger.add(
                        artefact,
                        f"{name}: {method}",
                        f"{d} {metric}",
                        source=source,
                        n=labelled.sum(),
                        values=values,
                        results=predicted.results,
                        printed=_printed(cell),
                        printed_on=printed_on,
                        **in_range(metric, values),
                    )
                gain = 1 if metric == "PCC" else -1
                gains = [gain * g for g in _paired(by_method[PROPOSED], by_method[BASELINE])]
                self.ledger.add(
                    artefact,
                    f"{name}: gain",
                    f"{d} {metric}",
                    source=source,
                    n=labelled.sum(),
                    values=gains,
                    printed=f"{_printed_gain(artefact, row, d, metric):.4f}",
                    printed_on=printed_on,
                    verdict=stats.verdict(stats.mean_interval(gains), 1),
                )

    def _architecture(self, artefact: str, name: str, row: str) -> None:
        """Is a network better with the proposed loss, its gains in valence and arousal averaged?"""
        for metric in (ERRORS[artefact], "PCC"):
            gains = [
                e
                for e in self.ledger.table(artefact).entries
                if e.row == f"{name}: gain" and e.column.endswith(f" {metric}")
            ]
            values = list(np.mean([e.values for e in gains], axis=0))
            printed = np.mean([_printed_gain(artefact, row, d, metric) for d in DIMENSIONS])
            self.ledger.add(
                artefact,
                f"{name}: mean gain",
                metric,
                source="faces" if artefact == "table4" else "sequences",
                n=gains[0].n,
                values=values,
                printed=f"{printed:.4f}",
                printed_on=PRINTED_ON[artefact] + (f", {row}" if row != name else ""),
                claim=f"{metric} is better with the proposed loss ({name}, mean of both dimensions)",
                claim_id="improves-all-architectures",
                verdict=stats.verdict(stats.mean_interval(values), 1),
            )

    def _every(
        self, artefact: str, rows: Mapping[str, Sequence[str]], measures: Sequence[str], claim_id: str
    ) -> None:
        """One verdict on all gains that were recorded of some tables; `rows` are the paper's, by table."""
        gains = [
            e
            for table in rows
            for e in self.ledger.table(table).entries
            if e.row.endswith(": gain") and e.column.rpartition(" ")[2] in measures
        ]
        verdict, ahead, behind = every([e.values for e in gains])
        printed = [
            _printed_gain(table, row, d, metric) > 0
            for table, networks in rows.items()
            for row in networks
            for d in DIMENSIONS
            for metric in {ERRORS[table], "PCC"} & set(measures)
        ]
        what, metric = " and ".join(KINDS[table] for table in rows), ", ".join(measures)
        self.ledger.add(
            artefact,
            f"{what}: every gain",
            f"{metric}: cells ahead (n: cells; behind by Holm's test: {behind})",
            source="",
            n=len(gains),
            interval=float(ahead),
            printed=f"{sum(printed)} of {len(printed)}",
            printed_on=", ".join(PRINTED_ON[table] for table in rows),
            claim=f"{metric}: better with the proposed loss in every cell ({what})",
            claim_id=claim_id,
            verdict=verdict,
        )

    def loss_forms(self) -> ArtefactTable:
        """Beyond: does the jump of the printed loss at |error| = 1 matter? Paired with the continuous form."""
        for source, record, backbone in self.kinds():
            forms = {m: self.predicted(backbone, m) for m in (PROPOSED, "KL continuous")}
            labelled = np.isfinite(record.affect).all(axis=1)
            observed = None if record.ratings is None else stats.observed_variance(record.ratings)
            for d in DIMENSIONS:
                j = AFFECT.index(d)
                y = record.affect[labelled, j]
                far = [float(np.mean(np.abs(m[labelled, j] - y) > 1)) for m in forms[PROPOSED].mean]
                self.ledger.add(
                    "loss_forms",
                    f"{source}: {d}",
                    "share of errors above 1",
                    source=source,
                    n=len(y),
                    values=far,
                    **in_range("share", far),
                )
                measured = {"PCC": [[_pcc(m[labelled, j], y) for m in p.mean] for p in forms.values()]}
                if observed is not None:
                    rated = np.isfinite(observed[:, j])
                    measured["PCC of variances"] = [
                        [_pcc(v[rated, j], observed[rated, j]) for v in p.variance] for p in forms.values()
                    ]
                for name, (as_printed, continuous) in measured.items():
                    self.ledger.add(
                        "loss_forms",
                        f"{source}: {d}",
                        f"{name}, printed - continuous",
                        source=source,
                        n=len(y),
                        values=_paired(as_printed, continuous),
                    )
        return self.shown("loss_forms")

    def rivals(self) -> ArtefactTable:
        """Beyond: every method's accuracy, knowledge of the raters' variance, calibration and cost."""
        if self.faces is None:
            self._nothing("rivals", "no faces")
            return self.shown("rivals")
        for method in (BASELINE, *self.methods()):
            for d in DIMENSIONS:
                for name, values in self._judged(method, AFFECT.index(d)).items():
                    self.ledger.add(
                        "rivals",
                        method,
                        f"{d}: {name}",
                        source="faces",
                        n=len(self.faces),
                        values=values,
                        results=self.predicted(self.main, method).results,
                        **in_range(name, values),
                    )
            trainings = len(self.results[self.main, "Gaussian NLL"]) - 1 if method == "deep ensemble" else 1
            self.ledger.add(
                "rivals",
                method,
                "networks to train",
                source="faces",
                n=len(self.faces),
                interval=float(trainings),
            )
        return self.shown("rivals")

    def _judged(self, method: str, j: int) -> dict[str, list[float]]:
        """A method's measures, one value a seed; those of the variance only where the method has one."""
        assert self.faces is not None
        predicted = self.predicted(self.main, method)
        labelled = np.isfinite(self.faces.affect).all(axis=1)
        y = self.faces.affect[labelled, j]
        out = {
            "PCC": [_pcc(m[labelled, j], y) for m in predicted.mean],
            "RMSE": [float(metrics.rmse(m[labelled, j], y)) for m in predicted.mean],
        }
        if method == BASELINE:
            return out
        both = [
            (m[labelled, j], v[labelled, j]) for m, v in zip(predicted.mean, predicted.variance, strict=True)
        ]
        out["NLL of the label"] = [float(metrics.gaussian_nll(m, v, y)) for m, v in both]
        out["95 % coverage of the label"] = [float(metrics.interval_coverage(m, v, y)) for m, v in both]
        if self.faces.ratings is not None:
            observed = stats.observed_variance(self.faces.ratings)[:, j]
            rated = np.isfinite(observed)
            out["PCC with raters' variance"] = [
                _pcc(v[rated, j], observed[rated]) for v in predicted.variance
            ]
            item, rater = np.nonzero(np.isfinite(self.faces.ratings[..., j]))
            single = self.faces.ratings[item, rater, j]
            out["95 % coverage of one rater"] = [
                float(metrics.interval_coverage(m[item, j], v[item, j], single))
                for m, v in zip(predicted.mean, predicted.variance, strict=True)
            ]
        if self.faces.truth is not None:
            truth = self.faces.truth.variance[:, j]
            out["PCC with the true variance"] = [_pcc(v[:, j], truth) for v in predicted.variance]
        return out

    def against_rivals(self) -> ArtefactTable:
        """Beyond: the proposed loss less each rival, paired over seeds, on the raters' (and the true) variance.

        No verdict on the ensembles: they share their members, and an interval as of independent ones is too narrow.
        """
        if self.faces is None or self.faces.ratings is None:
            self._nothing("against_rivals", "no single ratings")
            return self.shown("against_rivals")
        measures = ["PCC with raters' variance"]
        measures += ["PCC with the true variance"] if self.faces.truth is not None else []
        for d in DIMENSIONS:
            j = AFFECT.index(d)
            ours = self._judged(PROPOSED, j)
            for method in self.methods()[1:]:
                theirs = self._judged(method, j)
                for name in measures:
                    gains = _paired(ours[name], theirs[name])
                    shared = method == "deep ensemble"
                    self.ledger.add(
                        "against_rivals",
                        f"less {method}",
                        f"{d}: {name}",
                        source="faces",
                        n=len(self.faces),
                        values=gains,
                        interval=stats.Interval(estimate=np.nan, low=np.nan, high=np.nan, level=0.95)
                        if shared
                        else None,
                        about="none for ensembles, which share members" if shared else "",
                        verdict="" if shared else stats.verdict(stats.mean_interval(gains), 1),
                    )
        return self.shown("against_rivals")

    def variance_correlations(self) -> pd.DataFrame:
        """Every method's correlation with the raters' variance and its ceiling, for `plots.method_intervals`."""
        lines = []
        for e in self.ledger.entries:
            dimension, _, measure = e.column.partition(": ")
            if e.artefact == f"{KEY}/rivals" and measure == "PCC with raters' variance":
                ceiling = self.of_table2("faces", "ceiling")[AFFECT.index(dimension)]
                lines.append((e.row, dimension, e.measured, e.low, e.high, ceiling))
        return pd.DataFrame(lines, columns=["method", "dimension", "estimate", "low", "high", "ceiling"])

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        return self.track.caution + CAVEATS.get(
            self.track.name, f"Licensed data, read from the official layout of {self.track.name}."
        )

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        verdicts = self.ledger.verdicts()
        kind = verdicts["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind.value_counts().items())
        stated = len({e.claim_id for e in self.ledger.entries if e.claim})
        lines = [
            f"**In short** (track {self.track.name}, profile {self.track.profile}): {stated} statements of the paper, "
            f"tested in {len(verdicts)} lines: {counts}.",
            "",
        ]
        lines += self._behind_the_verdicts()
        for source in ("sequences", "faces"):
            try:
                lines.append(f"- Learned and raters' variance, {source}: {self._beside_ceiling(source)}.")
            except LookupError:
                continue
        lines += self._closest()
        lines += self._by_other_category()
        if unlearned := self.unlearned():
            lines.append(
                f"- Not learned (PCC below {UNTRAINED:g} in both dimensions), and averaged in all the same: "
                f"{'; '.join(unlearned)}."
            )
        power = self.power()
        if len(power):
            lines.append(
                f"- Of the {len(power)} differences measured here that the paper prints too, one as large as printed "
                f"would be told from none more often than not in {(power['chance'] > 0.5).sum()}, and four times in "
                f"five in {(power['chance'] >= 0.8).sum()}."
            )
        lines += [
            f"- {e.claim}: {e.verdict}."
            for e in self.ledger.entries
            if e.claim_id in ("pcc-improves-images-and-sequences", "improves-both-datasets")
        ]
        return "\n".join(lines)

    def _behind_the_verdicts(self) -> list[str]:
        """How many different measurements the lines that held, and those that did not, rest on."""
        said = []
        for word in (stats.Verdict.HELD, stats.Verdict.DID_NOT_HOLD):
            judged = [e for e in self.ledger.entries if e.claim and e.verdict.partition(":")[0] == word]
            behind = list(dict.fromkeys(name for e in judged for name in self.rests_on(e)))
            if judged:
                names = f": {'; '.join(behind)}" if word == stats.Verdict.DID_NOT_HOLD else ""
                said.append(
                    f"- Lines that {word}: {len(judged)}; different measurements behind them: {len(behind)}{names}."
                )
        return said

    def rests_on(self, e: Entry) -> list[str]:
        """What was measured behind a judged claim: claims that share it are no independent evidence.

        All measures of one network in one dimension are one measurement, and so are all comparisons of noisy and clean
        faces in one dimension. "Every gain" rests on the gains that decide it.
        """
        artefact, (name, _, what) = e.artefact.partition("/")[2], e.row.rpartition(": ")
        if what == "every gain":
            asked = e.column.partition(":")[0].split(", ")
            gains = [
                g
                for g in self.ledger.entries
                if g.row.endswith(": gain")
                and g.column.rpartition(" ")[2] in asked
                and KINDS[g.artefact.partition("/")[2]] in name
            ]
            ahead = [g for g in gains if g.ahead]
            behind = [g for g in gains if g.behind]
            decided = behind if e.verdict == stats.Verdict.DID_NOT_HOLD else gains
            if e.verdict == stats.Verdict.CANNOT_TELL:
                decided = [g for g in gains if g not in ahead]
            return list(dict.fromkeys(f"{g.row}, {g.column.split()[0]}" for g in decided))
        if what == "mean gain":
            return [f"{name}: gain, {d}" for d in DIMENSIONS]
        if artefact in ("table3", "figure7", "ttest"):
            dimensions = [d for d in DIMENSIONS if d in e.row]
            if not dimensions:
                alone = [o.row for o in self.ledger.entries if o.values == e.values and o is not e]
                dimensions = [d for d in DIMENSIONS if any(d in row for row in alone)] or list(DIMENSIONS)
            return [f"variance of noisy less clean faces, {d}" for d in dimensions]
        if artefact == "table2":
            dimensions = [d for d in DIMENSIONS if d in e.row]
            return [f"learned and raters' variance, {e.row.partition(':')[0]}, {d}" for d in dimensions]
        names = {"variance_size": "size of the learned variance", "figure4": "raters' variances"}
        return [f"{names.get(artefact, artefact)}, {e.row}"]

    def _beside_ceiling(self, source: str) -> str:
        """Both dimensions' correlation of Table II beside its ceiling, and on the twin beside what truth reaches."""
        columns = ("PCC with raters'", "ceiling", "PCC of true")
        has_truth = any(e.column.startswith(columns[2]) for e in self.ledger.table("table2").entries)
        each = []
        for k, d in enumerate(AFFECT):
            r, highest = (self._of_table2(source, c)[k] for c in columns[:2])
            true = (
                f"; the true variance reaches {self.of_table2(source, columns[2])[k]:.2f}"
                if has_truth
                else ""
            )
            bounds = f"[{highest.low:.2f}, {highest.high:.2f}]"
            each.append(f"{d} {r.measured:.2f} (ceiling from ratings {highest.measured:.2f} {bounds}{true})")
        return ", ".join(each)

    def _closest(self) -> list[str]:
        """Which method's variance correlates most with the raters', of all and of those that see mean labels alone."""
        said = []
        for d, group in self.variance_correlations().groupby("dimension"):
            ordered = group.sort_values("estimate", ascending=False)
            best = ordered.iloc[0]
            line = f"- Highest correlation with the raters' variance, {d}: {best['method']} ({best['estimate']:.2f})"
            if best["method"] in NEEDS_RATERS:
                mean = ordered[~ordered["method"].isin(NEEDS_RATERS)].iloc[0]
                line += (
                    f", which is told single ratings; of those told the mean label alone, {mean['method']} "
                    f"({mean['estimate']:.2f})"
                )
            said.append(line + ".")
        return said

    def _by_other_category(self) -> list[str]:
        """What becomes of noisy less clean faces if the category is another source's."""
        found = [e for e in self.ledger.entries if e.artefact == f"{KEY}/category_source"]
        shares = {e.row: e for e in found if e.column == "noisy faces, %"}
        said = []
        for source, share in list(shares.items())[1:]:
            each = [
                f"{e.row.removeprefix(f'{source}: ').partition(',')[0]} {e.measured:+.4f} [{e.low:.4f}, {e.high:.4f}]"
                for e in found
                if e.row.startswith(f"{source}: ") and e.row.endswith("noisy - clean")
            ]
            first = next(iter(shares.values()))
            said.append(
                f"- By {first.row}, {first.measured:.1f} % of the faces are noisy ({first.printed} % in the paper); by "
                f"the {source}, {share.measured:.1f} %, and noisy less clean predicted variance is {', '.join(each)}."
            )
        return said

    def by_seed(self) -> pd.DataFrame:
        """Every network's PCC with the label in Tables IV and V: a line a network and dimension, a column a seed."""
        lines = [
            {
                "network": e.row.rpartition(": ")[0],
                "trained with": e.row.rpartition(": ")[2],
                "dimension": e.column.partition(" ")[0],
                **{f"seed {k}": v for k, v in enumerate(e.values)},
            }
            for e in self.ledger.entries
            if e.artefact in (f"{KEY}/table4", f"{KEY}/table5")
            and e.column.endswith(" PCC")
            and e.row.rpartition(": ")[2] in CENTRAL
        ]
        return pd.DataFrame(lines)

    def unlearned(self) -> list[str]:
        """The networks of Tables IV and V whose PCC is below UNTRAINED in both dimensions, with their seeds."""
        best: dict[str, NDArray] = {}
        for line in self.by_seed().to_dict("records"):
            name = f"{line['network']} with {line['trained with']}"
            values = np.array([v for k, v in line.items() if str(k).startswith("seed ")])
            best[name] = np.maximum(best.get(name, values), values)
        return [
            f"{name}, {', '.join(f'seed {k}' for k in np.flatnonzero(values < UNTRAINED))}"
            for name, values in best.items()
            if (values < UNTRAINED).any()
        ]

    def power(self) -> pd.DataFrame:
        """Beside every printed difference of Tables I to V and figure 5: could one of its size be told here?

        Columns: artefact, row, column, printed (of the paper's data and network), measured, even (half the width of the
        interval: a true difference of this size is told from none every second time), often (the size that is told four
        times in five), and chance (that a true difference of the printed size, if not 0, is told, spread being what it
        is here: noncentral t of the seeds, normal for a bootstrap).
        """
        lines = []
        for e in self.ledger.entries:
            judged = e.verdict and not e.verdict.startswith(stats.Verdict.NOT_ATTEMPTED)
            differs = " - " in e.row or e.row.endswith(("gain", "learned variance"))
            artefact = e.artefact.partition("/")[2]
            if not (
                judged and differs and e.printed and np.isfinite(e.low) and artefact in PRINTS_DIFFERENCES
            ):
                continue
            effect, half = abs(parse(e.printed).value), (e.high - e.low) / 2
            if effect and half > 0:
                df = e.seeds - 1 if e.seeds > 1 else np.inf
                often, chance = _told_often(half, df), _chance_of_telling(effect, half, df)
                lines.append((artefact, e.row, e.column, effect, e.measured, half, often, chance))
        columns = ["artefact", "row", "column", "printed", "measured", "even", "often", "chance"]
        return pd.DataFrame(lines, columns=columns)

    def coverage(self) -> dict[str, NDArray]:
        """Share of labels in the central interval of each of LEVELS, by method: (levels, 2), average of seeds."""
        assert self.faces is not None
        labelled = np.isfinite(self.faces.affect).all(axis=1)
        y = self.faces.affect[labelled]
        curves = {}
        for method in self.methods():
            p = self.predicted(self.main, method)
            each = [
                metrics.coverage_curve(m[labelled], v[labelled], y, LEVELS)
                for m, v in zip(p.mean, p.variance, strict=True)
            ]
            curves[method] = np.mean(each, axis=0)
        return curves

    @property
    def _unit_of_faces(self) -> str:
        return "pictures" if self.faces is None or self.faces.subject is None else "subjects"

    def _over_items(
        self, statistic: Callable[..., float], *arrays: NDArray, clusters: NDArray | None
    ) -> stats.Interval:
        return stats.cluster_bootstrap(statistic, *arrays, clusters=clusters, seed=0, draws=self.draws)

    def _over_items_and_seeds(
        self,
        statistic: Callable[..., float],
        learned: NDArray,
        *of_items: NDArray,
        clusters: NDArray | None,
    ) -> dict[str, Any]:
        """A ledger's interval for what the method, not these networks, does: `learned` (n, seeds, ...) and (n, ...).

        Of one network there are no bounds. Pictures that are nobody's are drawn in groups, by lot: leaving out one at a
        time would take minutes.
        """
        n, seeds = learned.shape[:2]
        arrays = learned, *(np.repeat(of[:, None], seeds, axis=1) for of in of_items)
        if seeds < 2:
            return {
                "interval": stats.Interval(estimate=statistic(*arrays), low=np.nan, high=np.nan, level=0.95)
            }
        unit = "subjects"
        if clusters is None:
            groups = min(GROUPS, n)
            clusters, unit = np.random.default_rng(0).permutation(n) % groups, f"{groups} groups of pictures"
        found = stats.crossed_bootstrap(statistic, *arrays, clusters=clusters, seed=0, draws=self.draws)
        return {"interval": found, "about": f"95 % bootstrap of {unit} and {seeds} seeds"}


def printed_t_tests() -> pd.DataFrame:
    """Table III's t-test from its printed summaries alone, under each reading of the spread and each convention."""
    cells = read_table(KEY, 3).set_index(["row", "dimension", "quantity"])["value"]
    lines = []
    for d in DIMENSIONS:
        for reading, deviation in (("a standard deviation", np.asarray), ("a variance", np.sqrt)):
            for name, pooled in (("Welch (eq. 6)", False), ("Student", True)):
                summaries = [
                    (
                        cells[f"AffectNet {s}", d, "mean_variance"],
                        float(deviation(cells[f"AffectNet {s}", d, "std"])),
                        int(cells[f"AffectNet {s}", "", "n"]),
                    )
                    for s in ("clean", "noisy")
                ]
                test = stats.t_test_from_summary(
                    *summaries[0], *summaries[1], equal_variance=pooled, alternative="less"
                )
                lines.append((d, reading, name, f"{test.statistic:.2f}", f"{test.df:.1f}", f"{test.p:.2g}"))
    return pd.DataFrame(lines, columns=["dimension", "spread is", "test", "t", "df", "one-tailed p"])


def every(gains: Sequence[Sequence[float]]) -> tuple[stats.Verdict, int, int]:
    """Verdict on "every gain is above zero", of one or more gains with a value a seed each; how many are ahead, behind.

    Ahead: the 95 % t interval over seeds lies above zero. If each does, "every" held, and needs no correction: one that
    does not is enough against it. Behind: below zero by the paired t-test at 5 %, Holm-corrected for as many gains as
    there are. If one is, "every" did not hold; uncorrected, one of many would be by chance.

    Raises:
        ValueError: no gain at all, of which everything would be true.
    """
    if not gains:
        raise ValueError("there is no gain to judge")
    means = [stats.mean_interval(g) for g in gains]
    p = [stats.paired_difference(g, np.zeros(len(g))).p for g in gains]
    rejected = multipletests(np.nan_to_num(p, nan=1.0), alpha=0.05, method="holm")[0]
    ahead = sum(stats.verdict(m, 1) is stats.Verdict.HELD for m in means)
    behind = sum(bool(r) and m.estimate < 0 for r, m in zip(rejected, means, strict=True))
    if behind:
        return stats.Verdict.DID_NOT_HOLD, ahead, behind
    return stats.Verdict.HELD if ahead == len(means) else stats.Verdict.CANNOT_TELL, ahead, behind


def ensemble(members: Predicted) -> Predicted:
    """Deep ensembles (Lakshminarayanan et al. 2017, sec. 2.4): the Gaussian of the mixture's mean and variance.

    From S seeds, S ensembles of S - 1 members, each leaving one seed out. They share members, so their spread
    understates that of independent ensembles.
    """
    seeds = range(len(members.mean))
    mean, variance = [], []
    for left_out in seeds:
        m = np.stack([members.mean[s] for s in seeds if s != left_out])
        v = np.stack([members.variance[s] for s in seeds if s != left_out])
        mean.append(m.mean(axis=0))
        variance.append(v.mean(axis=0) + m.var(axis=0))
    return Predicted(mean, variance, members.results)


def in_range(measure: str, values: Sequence[float]) -> dict[str, Any]:
    """For `Ledger.add`: an interval of the mean over seeds that stays where the measure can be.

    A correlation: the t interval of Fisher's z, transformed back. A share, coverage or error: the t interval, cut at
    the end of the range if it goes beyond; a mean of such values cannot lie there. Nothing for other measures.
    """
    if "PCC" in measure:
        inside = np.clip(values, np.finfo(float).eps - 1, 1 - np.finfo(float).eps)
        z = stats.mean_interval(np.arctanh(inside))
        interval = replace(z, estimate=float(np.mean(values)), low=np.tanh(z.low), high=np.tanh(z.high))
        return {"interval": interval, "about": f"95 % t interval over {z.n} seeds, of Fisher's z"}
    plain = stats.mean_interval(values)
    highest = 1.0 if "coverage" in measure or "share" in measure else np.inf
    bounded = np.isfinite(highest) or measure in (*ERRORS.values(),)
    if not bounded or not (plain.low < 0 or plain.high > highest):
        return {}
    cut = replace(plain, low=max(plain.low, 0.0), high=min(plain.high, highest))
    return {"interval": cut, "about": f"95 % t interval over {plain.n} seeds, cut at the measure's range"}


def size_verdict(learned: Sequence[float], rated: float, error: Sequence[float]) -> str:
    """Is a mean learned variance, one a seed, within a factor of two of the raters', and is it theirs?

    A network that minimises the loss learns its own expected squared error. If the learned variance is within a factor
    of two of that too, its being of the raters' size, or larger, may be the training's doing: better or worse training
    would move it. Smaller than the raters' it did not hold: better training would make it smaller still.
    """
    size = stats.verdict(stats.mean_interval(_room(learned, rated)), 1)
    own = stats.verdict(stats.mean_interval(_room(learned, error)), 1)
    smaller = float(np.mean(learned)) < rated
    settled = own is stats.Verdict.DID_NOT_HOLD or (size is stats.Verdict.DID_NOT_HOLD and smaller)
    if settled or size is stats.Verdict.CANNOT_TELL:
        return str(size)
    return f"{stats.Verdict.CANNOT_TELL}: the network's own squared error explains its size as well"


def _room(learned: Sequence[float], other: float | Sequence[float]) -> list[float]:
    """Two less the factor between a learned variance and another, one a seed."""
    others = np.broadcast_to(other, len(learned))
    return [2 - max(v / o, o / v) for v, o in zip(learned, others, strict=True)]


def _labels_are_means(record: FaceSet | SequenceSet, items: NDArray) -> bool:
    assert record.ratings is not None
    return bool(np.allclose(np.nanmean(record.ratings[items], axis=1), record.affect[items], atol=1e-4))


def _winner(votes: NDArray) -> NDArray[np.int8]:
    """The category (n,) with the most of the votes (n, 8); -1 of a tie, or where nobody voted."""
    most = votes == votes.max(axis=1, keepdims=True)
    return np.where(most.sum(axis=1) == 1, votes.argmax(axis=1), -1).astype(np.int8)


def _places(value: float) -> int:
    """Decimals that show two significant digits of a value, at least three and at most six."""
    if not np.isfinite(value) or value == 0:
        return 3
    return int(np.clip(1 - np.floor(np.log10(abs(value))), 3, 6))


def _told_often(half: float, df: float) -> float:
    """The difference that an interval of this half width tells from none four times in five."""
    if np.isinf(df):
        return float(half * (1 + norm.ppf(0.8) / norm.ppf(0.975)))
    low, high = half, 4 * half
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _chance_of_telling(middle, half, df) < 0.8 else (low, middle)
    return high


def _chance_of_telling(effect: float, half: float, df: float) -> float:
    """How often the interval of a true difference lies on its side of zero, `half` being its half width."""
    if np.isinf(df):
        return float(norm.sf(norm.ppf(0.975) * (1 - effect / half)))
    critical = student.ppf(0.975, df)
    return float(nct.sf(critical, df, effect / half * critical))


def _deviation(v: NDArray) -> float:
    return float(v.std(ddof=1))


def _relative_deviation(v: NDArray) -> float:
    return float(v.std(ddof=1) / v.mean())


def _pcc(a: NDArray, b: NDArray) -> float:
    return float(metrics.pcc(a, b))


def _mean(values: NDArray) -> float:
    return float(values.mean())


def _mean_pcc(columns: NDArray, y: NDArray) -> float:
    return float(np.mean([_pcc(columns[:, k], y) for k in range(columns.shape[1])]))


def _mean_pair(ratings: NDArray) -> float:
    matrix = np.corrcoef(ratings, rowvar=False)
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def _difference_of_subsets(v: NDArray, noisy: NDArray) -> float:
    """NaN where a resample has one of the two subsets only."""
    return float(v[noisy].mean() - v[~noisy].mean()) if noisy.any() and not noisy.all() else np.nan


def _share_below_mean(y: NDArray) -> float:
    """Less half: above zero where most values are low and few are high."""
    return float(np.mean(y < y.mean())) - 0.5


def _gap_of_tails(observed: NDArray) -> float:
    """Share of arousal's variances in the largest tenth of both dimensions' (n, 2), less that of valence's."""
    high = (observed > np.quantile(observed, 0.9)).mean(axis=0)
    return float(high[AFFECT.index("arousal")] - high[AFFECT.index("valence")])


def _high_less_low(learned: NDArray, observed: NDArray, subjects: NDArray) -> NDArray:
    """For each subject: what is observed (n,) where the learned (n,) is highest, less where it is lowest."""
    owned = [np.flatnonzero(subjects == s) for s in np.unique(subjects)]
    return np.array([observed[r[learned[r].argmax()]] - observed[r[learned[r].argmin()]] for r in owned])


def _pairs_above(v: NDArray, noisy: NDArray) -> float:
    """Share of pairs in which the noisy one is higher, less half; NaN where a resample has one subset only."""
    return float(roc_auc_score(noisy, v)) - 0.5 if noisy.any() and not noisy.all() else np.nan


def _beyond_critical(v: NDArray, noisy: NDArray, percent: int) -> float:
    """Welch's t of noisy less clean, less the value at which a one-tailed test of `percent` confidence rejects."""
    test = stats.t_test(v[noisy], v[~noisy], equal_variance=False, alternative="greater")
    return float(test.statistic - student.ppf(percent / 100, test.df))


def _per_subject(v: NDArray, y: NDArray, subjects: NDArray) -> float:
    """Mean over subjects of the correlation within each; a subject whose raters never differ has none."""
    within = [(v[subjects == s], y[subjects == s]) for s in np.unique(subjects)]
    return float(np.mean([_pcc(a, b) for a, b in within if np.ptp(a) > 0 and np.ptp(b) > 0]))


def _paired(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Differences at the seeds that both have; runs of equal seed share order and augmentation."""
    return [a - b for a, b in zip(ours, theirs, strict=False)]


def _rated(record: FaceSet | SequenceSet) -> tuple[NDArray, NDArray]:
    """Which items (indices) have a raters' variance in both dimensions, and that variance (n, 2), over K - 1."""
    assert record.ratings is not None
    observed = stats.observed_variance(record.ratings)
    items = np.flatnonzero(np.isfinite(observed).all(axis=1))
    return items, observed[items]


def _printed_agreement(dimension: str) -> float:
    """Mean of Table I's three correlations of different raters."""
    cells = read_table(KEY, 1).query(f"dimension == '{dimension}' and value < 1")
    return float(cells["value"].mean())


def _printed_difference(dimension: str) -> float:
    """Noisy less clean mean variance of Table III."""
    cells = read_table(KEY, 3).query(f"dimension == '{dimension}' and quantity == 'mean_variance'")
    means = cells.set_index("row")["value"]
    return float(means["AffectNet noisy"] - means["AffectNet clean"])


def _printed_beyond_critical(dimensions: Sequence[str], percent: int) -> float:
    """`_beyond_critical` of the printed t, which are of clean less noisy, and degrees of freedom."""
    value = read_text(KEY)["value"]
    return float(min(-value[f"t-{d}"] for d in dimensions) - student.ppf(percent / 100, value["df"]))


def _printed_gain(artefact: str, row: str, dimension: str, metric: str) -> float:
    """What the proposed loss gains over the baseline in Table IV or V, better being positive."""
    table = read_table(KEY, int(artefact[-1]))
    cells = table.query(f"dimension == '{dimension}' and quantity == '{metric.lower()}'").set_index("row")
    gain = cells["value"][f"{row} proposed"] - cells["value"][row]
    return float(gain if metric == "PCC" else 0 - gain)  # of no gain not minus nothing


def _relative_spreads(dimension: str, row: str) -> tuple[float, float]:
    """Table III's spread over its mean, the spread read as a deviation and as a variance."""
    cells = read_table(KEY, 3).query(f"dimension == '{dimension}' and row == 'AffectNet {row}'")
    value = cells.set_index("quantity")["value"]
    mean, spread = float(value["mean_variance"]), float(value["std"])
    return spread / mean, float(np.sqrt(spread)) / mean


def printed_share() -> float:
    """Table III's share of noisy faces."""
    counts = read_table(KEY, 3).query("quantity == 'n'").set_index("row")["value"]
    return float(counts["AffectNet noisy"] / counts.sum())


def _printed(cells: pd.DataFrame) -> str:
    """A printed cell as printed.

    Raises:
        LookupError: the paper has no such cell, or several.
    """
    if len(cells) != 1:
        raise LookupError(f"asked for one printed cell; got {len(cells)}: {list(cells['cell'])}")
    return str(cells["printed"].iloc[0])


__all__ = ["EXPRESSIONS", "KEY", "Study", "ensemble", "grid", "protocol"]
