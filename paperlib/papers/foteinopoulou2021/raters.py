"""Table I and figure 4: what raters' labels look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from paperlib import stats
from paperlib.companion.published import read_table
from paperlib.labels import AFFECT
from paperlib.ledger import ArtefactTable
from paperlib.papers.foteinopoulou2021.measures import pcc, printed_cells, rated_variance
from paperlib.papers.foteinopoulou2021.plan import DIMENSIONS, KEY
from paperlib.papers.foteinopoulou2021.runs import Runs


class Raters(Runs):
    """How far raters agree, and how their means and variances are distributed."""

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
                    both = self._over_items(pcc, ratings[:, a], ratings[:, b], clusters=record.subject)
                    self.ledger.add(
                        "table1",
                        f"{d}: raters {a + 1} and {b + 1}",
                        "PCC",
                        source="sequences",
                        n=len(record),
                        interval=both,
                        about="95 % bootstrap of subjects",
                        printed=printed_cells(cell),
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

    def figure4(self) -> ArtefactTable:
        """Figure 4 in numbers: are most of the raters' variances low, and more of arousal's among the high ones?"""
        of = "disagreement-mostly-low"
        for source, record, _ in self.with_ratings():
            items, observed = rated_variance(record)
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

    @property
    def _unit_of_faces(self) -> str:
        return "pictures" if self.faces is None or self.faces.subject is None else "subjects"


def _mean_pair(ratings: NDArray) -> float:
    matrix = np.corrcoef(ratings, rowvar=False)
    return float(matrix[np.triu_indices(len(matrix), 1)].mean())


def _share_below_mean(y: NDArray) -> float:
    """Less half: above zero where most values are low and few are high."""
    return float(np.mean(y < y.mean())) - 0.5


def _gap_of_tails(observed: NDArray) -> float:
    """Share of arousal's variances in the largest tenth of both dimensions' (n, 2), less that of valence's."""
    high = (observed > np.quantile(observed, 0.9)).mean(axis=0)
    return float(high[AFFECT.index("arousal")] - high[AFFECT.index("valence")])


def _printed_agreement(dimension: str) -> float:
    """Mean of Table I's three correlations of different raters."""
    cells = read_table(KEY, 1).query(f"dimension == '{dimension}' and value < 1")
    return float(cells["value"].mean())
