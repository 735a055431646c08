"""toisoul2021's page as a whole."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np

from paperlib import stats
from paperlib.labels import AFFECT
from paperlib.ledger import Entry
from paperlib.papers.toisoul2021.cleaning import Cleaning
from paperlib.papers.toisoul2021.measures import least_told, not_told, printed_gain, stand_in
from paperlib.papers.toisoul2021.networks import Networks
from paperlib.papers.toisoul2021.people import People
from paperlib.papers.toisoul2021.plan import (
    AGREES,
    ALL,
    BEST,
    BY_OTHERS,
    CAVEATS,
    CLEANED,
    FAIR,
    GIVEN,
    MORE_FACES,
    NAMED,
    NETWORK_ALONE,
    PEOPLE,
    REMOVED,
    STEPS,
    TEACHERS,
    TRAINED_ON,
    VOTES_RMSE,
    WITH_ALL,
    WITH_ONE,
)
from paperlib.papers.toisoul2021.teachers import Teachers
from paperlib.stats import Verdict

Cells = Mapping[tuple[str, str, str], Entry]  # by artefact, row and column


class Study(Networks, People, Cleaning, Teachers):
    """All of the paper's runs on one track, and the numbers made of them."""

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return self.track.caution + CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        found = self.statements()
        held, *others = Verdict
        kinds = (held, stats.IN_PART, stats.MIXED, *others)
        had = list(found.values())
        counts = ", ".join(f"{had.count(kind)} {kind}" for kind in kinds if kind in had)
        where = f"track {self.track.name}, profile {self.track.profile}"
        first = f"**In short** ({where}): of {len(found)} statements of the paper {counts}."
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        told = (_told_steps, _told_power, self._told_networks, _told_teachers, _told_cleaning, _told_people)
        return "\n".join([first, "", *(f"- {line}" for part in told for line in part(cells))])

    def _told_networks(self, cells: Cells) -> list[str]:
        """EmoFAN beside a ResNet-18 with its crops and categories, and what else changes the network."""
        resnet, lines = stand_in(self.track), []
        differs = {
            NETWORK_ALONE: f"{NETWORK_ALONE}, the network alone changed,",
            "EmoFAN F+R+C+A": "EmoFAN F+R+C+A, with attention,",
            BEST: f"{BEST}, with attention, loss and distillation changed, too,",
            TRAINED_ON: "EmoFAN F+R+C+A, its alignment trained on,",
        }
        for name, words in differs.items():
            if gained := _ccc(cells, "table5", f"{name} - {FAIR}"):
                what = f"{words} against a {resnet} with its crops and categories"
                lines.append(f"{what}: CCC gained, {gained}.")
        frozen, trained_on = (
            [e.behind for d in AFFECT if (e := cells.get(("table5", f"{name} - {FAIR}", f"CCC {d}")))]
            for name in (NETWORK_ALONE, TRAINED_ON)
        )
        if any(frozen) and trained_on and not any(trained_on):
            lines.append(
                "So whether EmoFAN is behind depends on a choice that the paper leaves open, and its release makes: "
                "with a frozen alignment it is; of one that is trained on it cannot be said."
            )
        first = (
            "A small set, by training first on more faces, which have categories, and then in smaller steps"
        )
        changes = {
            ("open_choices", f"{TRAINED_ON} - EmoFAN F+R+C+A"): "Training the alignment on",
            ("table3", f"{MORE_FACES} - ResNet-18"): first,
        }
        for (table, row), words in changes.items():
            if gained := _ccc(cells, table, row):
                lines.append(f"{words}: CCC gained, {gained}.")
        together = [
            e for (table, row, _), e in cells.items() if (table, row) == ("table3", f"Ours - {MORE_FACES}")
        ]
        if together:
            instead = f"EmoFAN and the shake-shake loss instead of a {resnet} and the CCC loss"
            lines.append(f"A small set, by {instead}, both first on more faces: {_by_verdict(together)}.")
        return lines

    def statements(self) -> dict[str, str]:
        """The paper's statements on the page, by id: the verdict of the claims that test it, see `stats.combined`."""
        found: dict[str, list[str]] = {}
        for e in self.ledger.entries:
            if e.claim:
                found.setdefault(e.claim_id, []).append(e.verdict.partition(":")[0])
        return {claim_id: stats.combined(verdicts) for claim_id, verdicts in found.items()}


def _told_steps(cells: Cells) -> list[str]:
    """Each step of table 5, and table 6's loss, in the measures that are claimed or in which a gain is printed."""
    lines = {
        step.what: [
            e
            for (table, row, _), e in cells.items()
            if table == "table5" and row.startswith(f"{name}: ")
            if e.claim or not step.claim_id and e.printed and printed_gain(e) > 0
        ]
        for name, step in STEPS.items()
    }
    for other in ("CCC-based loss", "MSE loss"):
        lines[f"Without attention, the shake-shake loss helps against the {other} (table 6)"] = [
            e
            for (table, row, _), e in cells.items()
            if table == "table6" and row.endswith(f" - {other}") and e.claim
        ]
    return [f"{what}: {_by_verdict(of)}." for what, of in lines.items() if of]


def _by_verdict(entries: Sequence[Entry]) -> str:
    """Measured differences by what became of them: "held in CCC valence +0.020; cannot tell in accuracy -0.001"."""
    groups: dict[str, list[str]] = {}
    for e in entries:
        allowed = re.search(r" \+ ([\d.]+) - ", e.row)
        more = f" ({allowed[1]} of it allowed)" if allowed else ""
        groups.setdefault(e.verdict, []).append(f"{e.column} {e.measured:+.3f}{more}")
    told = []
    for verdict, of in groups.items():
        word, _, reason = verdict.partition(": ")
        told.append(f"{word}{f' ({reason})' if reason else ''} in {', '.join(of)}")
    return "; ".join(told)


def _told_power(cells: Cells) -> list[str]:
    untold = not_told(cells.values())
    hidden = sum(printed_gain(e) <= least_told(e) for e in untold)
    words = (
        f"Of table 5's gains, {len(untold)} cannot be told by their intervals; in {hidden} of these a measured gain as "
        "large as the printed one would not have been told either, with so few seeds."
    )
    return [words] if untold else []


def _told_teachers(cells: Cells) -> list[str]:
    lines = []
    for name in TEACHERS:
        rows = [(f"{row} - {name}", VOTES_RMSE) for row in GIVEN] + [(f"{name} - {GIVEN[0]}", AGREES)]
        compared = [e for row in rows if (e := cells.get(("teacher", *row)))]
        if len(compared) == len(rows):
            hard, smooth, agreed = (f"{e.measured:+.3f}{_said(e)}" for e in compared)
            lines.append(
                f"How much nearer to the raters' votes {name}'s labels are (RMSE): than the label that it learnt "
                f"{hard}; than the same smoothed evenly {smooth}. How much more often the first category is that of "
                f"most raters: {agreed}."
            )
        shares = [
            e
            for kind, who in product(("wrong", "other"), (name, GIVEN[0]))
            if (e := cells.get(("teacher", who, f"{AGREES}, {kind} labels")))
        ]
        if len(shares) == 4:
            wrong, label_wrong, other, label_other = (e.measured for e in shares)
            lines.append(
                f"{name}'s first category is that of most raters for {wrong:.2f} of the faces whose label was "
                f"replaced, the label for {label_wrong:.2f}; of the others, for {other:.2f}, the label for "
                f"{label_other:.2f}."
            )
    return lines


def _told_cleaning(cells: Cells) -> list[str]:
    """What cleaning leaves; last, how much of its gain is the network's and how much the faces'."""
    lines, gains = [], []
    for name in (ALL, NAMED, CLEANED, BY_OTHERS):
        scored = [
            f"{d} {given.measured:.2f} with the given labels, {true.measured:.2f} with the truth"
            for d in AFFECT
            if (given := cells.get(("cleaning", name, f"CCC {d}, given labels")))
            and (true := cells.get(("cleaning", name, f"CCC {d}, truth")))
        ]
        if scored:
            lines.append(f"CCC on {name}: {'; '.join(scored)}.")
    for d in AFFECT:
        errors = [
            f"{name} {of.measured:.3f}, where their raters' noise gives {noise.measured:.3f}"
            for name in (CLEANED, REMOVED, BY_OTHERS)
            if (of := cells.get(("cleaning", name, f"RMSE {d} of the labels")))
            and (noise := cells.get(("cleaning", name, f"RMSE {d} of their raters' noise")))
        ]
        if errors:
            lines.append(f"Error of the labels of {d} on faces {'; '.join(errors)}.")
    for every, d in product((ALL, NAMED), AFFECT):
        given, true = (
            cells.get(("cleaning", f"{CLEANED} - {every}", f"CCC {d}, {labels}"))
            for labels in ("given labels", "truth")
        )
        if given and true:
            gains.append(
                f"{d} {given.measured:+.3f}, of which {true.measured:+.3f} with the right labels too, since the faces "
                f"that stay are clearer, and {given.measured - true.measured:+.3f} by which labels stay"
            )
        elif given:
            gains.append(f"{d} {given.measured:+.3f}")
    if gains:
        unknown = (
            ""
            if "of which" in gains[0]
            else "; whether by clearer faces or by luckier labels, the truth would say"
        )
        lines.append(
            "The last step, from all faces to the clean ones, is the choice of the faces alone: the network is the "
            f"same. CCC gained, {'; '.join(gains)}{unknown}."
        )
    return lines


def _told_people(cells: Cells) -> list[str]:
    lines = []
    for d in AFFECT:
        rows = PEOPLE, WITH_ONE, WITH_ALL
        found = [
            e.measured
            for row in rows
            if (e := cells.get(("table4", row, f"CCC {d}"))) and np.isfinite(e.measured)
        ]
        if len(found) == len(rows):
            people, one, whole = found
            lines.append(
                f"CCC {d}: two people agree at {people:.2f}, the network with one of them at {one:.2f}, with the "
                f"mean of all at {whole:.2f}."
            )
    return lines


def _ccc(cells: Cells, table: str, row: str) -> str:
    """Both dimensions' difference with its interval and verdict; "" where the row was not made."""
    return "; ".join(
        f"{d} {e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]{_said(e)}"
        for d in AFFECT
        if (e := cells.get((table, row, f"CCC {d}")))
    )


def _said(entry: Entry) -> str:
    """A verdict as the tables show it, for a conclusion."""
    word = entry.verdict
    return f", {word}" if word else ""
