"""Table III, figure 7 and the t-test: clean and noisy faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.metrics import roc_auc_score

from paperlib import stats
from paperlib.companion.published import read_table, read_text
from paperlib.labels import AFFECT, EXPRESSIONS, is_noisy
from paperlib.ledger import ArtefactTable
from paperlib.papers.foteinopoulou2021.measures import printed_cells
from paperlib.papers.foteinopoulou2021.plan import DIMENSIONS, KEY, PROPOSED
from paperlib.papers.foteinopoulou2021.runs import Runs, winner

# what decides whether a face is clean or noisy -> what it is called; licensed data sets have one source
CATEGORY = {"twin": "the twin's single label", "ferplus": "FER2013's original label"}
BOTH_VOTES = (
    "category and place are both votes for categories, by different people: no rating is contradicted"
)
VOTED = "winner of the votes"
SPREAD = "standard deviation / mean"


class _OfNobody(np.ndarray):
    """An empty array whose mean, which the page prints, is NaN without a warning: a page with warnings is refused."""

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        return np.nan


class Subsets(Runs):
    """Faces whose category contradicts their valence and arousal, against the others."""

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
            sources[VOTED] = winner(faces.votes)
        return sources

    def noisy(self, source: str | None = None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which test faces (n,) have a category and a label, and which of those the released rules call noisy."""
        assert self.faces is not None
        category = self.category(source)
        judged = (category >= 0) & np.isfinite(self.faces.affect).all(axis=1)
        noisy = is_noisy(category[judged], self.faces.affect[judged])
        return judged, noisy if judged.any() else noisy.view(_OfNobody)

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

    def _of_contradicted(self, verdict: stats.Verdict) -> str:
        """A verdict on faces whose rating contradicts their category, where somebody gave ratings."""
        votes_alone = self.track.name == "ferplus"
        return f"{stats.Verdict.NOT_ATTEMPTED}: {BOTH_VOTES}" if votes_alone else str(verdict)

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
                    printed=printed_cells(cell),
                    printed_on="AffectNet",
                )
                spread = printed.query(
                    f"dimension == '{d}' and quantity == 'std' and row.str.contains('{row}')"
                )
                headed, as_variance = _relative_spreads(d, row)
                relative = f"{headed:.2f} if a deviation, {as_variance:.2f} if a variance"
                for column, measure, text in (
                    ("standard deviation over faces", _deviation, printed_cells(spread)),
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
                verdict=self._of_contradicted(stats.verdict(difference["interval"], 1)),
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
                verdict=self._of_contradicted(stats.verdict(above["interval"], 1)),
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
                verdict=self._of_contradicted(stats.verdict(stats.mean_interval(beyond), 1)),
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


def _deviation(v: NDArray) -> float:
    return float(v.std(ddof=1))


def _relative_deviation(v: NDArray) -> float:
    return float(v.std(ddof=1) / v.mean())


def _difference_of_subsets(v: NDArray, noisy: NDArray) -> float:
    """NaN where a resample has one of the two subsets only."""
    return float(v[noisy].mean() - v[~noisy].mean()) if noisy.any() and not noisy.all() else np.nan


def _pairs_above(v: NDArray, noisy: NDArray) -> float:
    """Share of pairs in which the noisy one is higher, less half; NaN where a resample has one subset only."""
    return float(roc_auc_score(noisy, v)) - 0.5 if noisy.any() and not noisy.all() else np.nan


def _beyond_critical(v: NDArray, noisy: NDArray, percent: int) -> float:
    """Welch's t of noisy less clean, less the value at which a one-tailed test of `percent` confidence rejects."""
    test = stats.t_test(v[noisy], v[~noisy], equal_variance=False, alternative="greater")
    return float(test.statistic - student.ppf(percent / 100, test.df))


def _printed_difference(dimension: str) -> float:
    """Noisy less clean mean variance of Table III."""
    cells = read_table(KEY, 3).query(f"dimension == '{dimension}' and quantity == 'mean_variance'")
    means = cells.set_index("row")["value"]
    return float(means["AffectNet noisy"] - means["AffectNet clean"])


def _printed_beyond_critical(dimensions: Sequence[str], percent: int) -> float:
    """`_beyond_critical` of the printed t, which are of clean less noisy, and degrees of freedom."""
    value = read_text(KEY)["value"]
    return float(min(-value[f"t-{d}"] for d in dimensions) - student.ppf(percent / 100, value["df"]))


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
