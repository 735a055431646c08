"""han2017's page as a whole."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from paperlib.ledger import AHEAD, BEHIND, Entry, answer
from paperlib.papers.han2017.fusion import Fusion
from paperlib.papers.han2017.gold import GoldStandard
from paperlib.papers.han2017.measures import short_name
from paperlib.papers.han2017.plan import CAVEATS, COUNTED, DIMENSIONS, EQUAL, REVERSED, weights
from paperlib.papers.han2017.recognition import Recognition
from paperlib.papers.han2017.uncertainty import Uncertainty
from paperlib.stats import Verdict
from paperlib.tracks import TWIN_CHATS
from paperlib.twin_recordings import LAGS

COUNTED_BY = (
    "by Fisher's test with frames as n",
    "with recordings as n",
    "by the bootstrap over pairs and seeds",
)
ANSWERS = {AHEAD: "Yes", BEHIND: "No", Verdict.CANNOT_TELL: "That cannot be told"}
Found = Mapping[tuple[str, str, str], Entry]  # by artefact, row and column


class Study(GoldStandard, Recognition, Fusion, Uncertainty):
    """All of the paper's runs on one track, and the numbers made of them."""

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        pairs, seconds = TWIN_CHATS[self.track.profile]
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return self.track.caution + CAVEATS.get(self.track.name, licensed).format(
            n=2 * pairs, seconds=seconds, lag=float(LAGS.mean())
        )

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        found = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        lines = [self._counts(), "", *self._could_be_told()]
        lines += [line for line in (self._tellable(found), *self._together(found)) if line]
        for row, ask in (
            ("E, all cells: both, rescaled - the better one", "Does fusion help the emotional state?"),
            ("sigma, all cells: both, rescaled - the better one", "The uncertainty?"),
        ):
            if e := found.get(("fusion", row, "CCC")):
                lines.append(f"- {ask} {_answered(e)}: CCC {_told(e)}, both stretched alike.")
        for (artefact, row, column), e in found.items():
            if artefact == "significance" and column == f"{COUNTED[0]}: better":
                ways = [
                    f"{name} better in {found[artefact, row, f'{what}: better'].measured:.0f} and worse in "
                    f"{found[artefact, row, f'{what}: worse'].measured:.0f}"
                    for what, name in zip(COUNTED, COUNTED_BY, strict=True)
                ]
                lines.append(
                    f"- Of {e.n} cells on the test, multi-task learning is, at 5 %, {'; '.join(ways)}."
                )
        return "\n".join(lines)

    def _counts(self) -> str:
        verdicts = self.ledger.verdicts()
        statements = {e.claim_id for e in self.ledger.entries if e.claim}
        counts = verdicts["verdict"].str.partition(":")[0].value_counts()
        head = f"**In short** (track {self.track.name}, profile {self.track.profile})"
        told = ", ".join(f"{n} {v}" for v, n in counts.items())
        return f"{head}: of {len(verdicts)} tests of {len(statements)} statements of the paper, {told}."

    def smallest_told(self) -> pd.DataFrame:
        """Beside each claimed difference: half its interval, a true difference that is told about half the time.

        Columns: claim, of (its unit), printed, measured, told from (half the interval) and verdict.
        """
        tested = [
            e
            for e in self.ledger.entries
            if e.claim not in ("", REVERSED)
            and np.isfinite(e.low)
            and not e.verdict.startswith(Verdict.NOT_ATTEMPTED)
        ]
        rows = [
            (
                e.claim,
                e.column,
                f"{e.printed} ({e.printed_on})" if e.printed else "",
                f"{e.measured:+.3f}",
                f"{_half(e):.3f}",
                e.verdict,
            )
            for e in tested
        ]
        return pd.DataFrame(rows, columns=["claim", "of", "printed", "measured", "told from", "verdict"])

    def _could_be_told(self) -> list[str]:
        """What "cannot tell" says of effects of the printed size; errors are printed in another unit than measured."""
        printed = [
            e
            for e in self.ledger.entries
            if e.claim and e.printed and e.column == "CCC" and e.verdict == Verdict.CANNOT_TELL
        ]
        wide = [e for e in printed if np.isfinite(e.low)]
        if not wide:
            return []
        small = [e for e in wide if abs(float(e.printed)) < _half(e)]
        line = (
            f"- *Cannot tell* is not *no difference*: intervals over {wide[0].interval.partition(' over ')[2]} are "
            "wide, and up to twice as wide as needed where what differs is single people whom one training serves "
            "badly: a verdict may be the method's. Of "
            f"{len(wide)} such tests on CCC for which the paper prints a difference, {len(small)} have one smaller "
            "than half the interval here: were it true, it would sooner be missed than told."
        )
        for e in small[:1]:
            line += f" “{e.claim}”: printed {e.printed}, half the interval {_half(e):.3f}."
        return [line]

    def _tellable(self, found: Found) -> str:
        """Can the uncertainty be told at all?"""
        parts = []
        for dimension in DIMENSIONS:
            column = f"{short_name('sigma', dimension)} test"
            rows = [(a, r) for a, r, c in found if a == "table1" and r.endswith(" multi") and c == column]
            if not rows:
                continue
            e = found[*rows[-1], column]
            part = (
                f"{dimension} {'yes' if e.low > 0 else 'not shown'}, CCC {_told(e)} from {rows[-1][1]}-task"
            )
            key = ("uncertainty", f"{dimension}: the true uncertainty", "CCC with the raters'")
            parts.append(
                part + (f" (the true uncertainty itself {_told(found[key])})" if key in found else "")
            )
        return f"- Can one tell where people disagree? {'; '.join(parts)}." if parts else ""

    def _together(self, found: Found) -> list[str]:
        """Does it help to learn both, and what of it is due to the search?"""
        e = found.get(("significance", "all cells, test: multi - single", "CCC"))
        if e is None:
            return []
        ahead = [
            [
                f.measured > 0
                for (a, row, c), f in found.items()
                if (a, c) == ("significance", "CCC") and words in row
            ]
            for words in ("), dev: ", "), test: ")
        ]
        lines = [
            f"- Does it help to learn both? {_answered(e)}: on the test multi-task learning gains "
            f"{_told(e)} in CCC on average. It is ahead in {sum(ahead[0])} of {len(ahead[0])} cells on "
            f"development and in {sum(ahead[1])} of {len(ahead[1])} on the test."
        ]
        equal = found.get(("sweep", f"all cells: {EQUAL} - single", "CCC test"))
        by_search = (
            f"It is the best of {len(weights(self.track))} networks by its CCC on development; single-task "
        )
        by_search += "learning is one network"
        if equal:
            by_search += (
                f". With equal weights, which nobody chose, it gains {_told(equal)}, one modality at a time"
            )
        lines.append(f"- {by_search}.")
        shared = [
            " and ".join(
                f"{f.measured:.2f}" for (a, _, c), f in found.items() if (a, c) == ("dependency", column)
            )
            for column in ("r with E", "r with E's change in a second")
        ]
        if all(shared) and self.track.name == "twin":
            lines.append(
                f"- The twin gives both tasks little to share: its uncertainty correlates with its emotional state by "
                f"{shared[0]} ({' and '.join(DIMENSIONS)}), with how much that moves by {shared[1]}. So this does not "
                "speak against the paper."
            )
        return lines


def _answered(entry: Entry) -> str:
    """What an entry answers to a question, and why it cannot be told."""
    word, _, why = answer(entry.verdict).partition(": ")
    return f"{ANSWERS[word]} ({why})" if why else ANSWERS[word]


def _told(entry: Entry) -> str:
    """A score with its interval to two digits; what is gained or lost, to three with its sign."""
    form = "+.3f" if " - " in entry.row else ".2f"
    bounds = "" if np.isnan(entry.low) else f" [{entry.low:{form}}, {entry.high:{form}}]"
    return f"{entry.measured:{form}}{bounds}"


def _half(entry: Entry) -> float:
    """Half the interval: about the least measured difference that it would tell from none.

    A true difference of that size is measured as larger or smaller equally often, so told about half the time.
    """
    return (entry.high - entry.low) / 2
