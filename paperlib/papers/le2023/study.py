"""le2023's page as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paperlib.ledger import Entry, answer
from paperlib.papers.le2023.choices import Choices
from paperlib.papers.le2023.distributions import Distributions
from paperlib.papers.le2023.doubts import Doubts
from paperlib.papers.le2023.neighbours import Neighbours
from paperlib.papers.le2023.plan import (
    BASELINE,
    BEHIND,
    CAVEATS,
    COMPONENTS,
    CONDITIONS,
    HOLM,
    KEY,
    METHODS,
    OURS,
    RELEASED,
    TINY,
    WAY,
)


class Study(Neighbours, Distributions, Doubts, Choices):
    """All of the paper's runs on one track, and the numbers made of them."""

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
