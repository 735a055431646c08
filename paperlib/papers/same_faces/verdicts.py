"""The page's questions, and their answers in plain words, from a ledger alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from paperlib.ledger import ArtefactTable, Entry, Ledger
from paperlib.papers.same_faces.plan import (
    AFTER,
    ENSEMBLE,
    LOWER,
    MAJORITY,
    METHODS,
    NLL,
    NO_NETWORK,
    NOT_SAID,
    OF_AFFECT,
    OWN_DOUBT,
    PLAIN,
    TO_VOTES,
    TOLD,
    VARIANCE,
    VOTES,
)

# What a track cannot tell, said wherever its answer is.
LIMITS = {
    "twin": "People, their raters and the wrong labels are made by a program.",
    "ferplus": "What is told one rater here is told one of the ten votes that it is judged by, and to doubt each label "
    "that this vote contradicts needs no network; a network on half the label and half that vote, without fusion, was "
    "not trained.",
}
RIVALS = (*METHODS[1:], NO_NETWORK)  # what is set beside the plain network
OF_PAPERS = {
    "KL variance": "foteinopoulou2021",
    "LDLVA": "le2023",
    "fused labels": "neo2023",
    "predicted disagreement": "han2017",
    "categories + CCC": "toisoul2021",
}


class Question(NamedTuple):
    """What is asked of a table: which column, "" for its first, and which rows, by how their names end."""

    words: str
    artefact: str
    column: str = ""
    ends: tuple[str, ...] = ("",)


QUESTIONS = (
    Question(
        "Knowing where people disagree, by the entropy of the categories", "disagreement", "", (": entropy",)
    ),
    Question(
        "Another question, the same by a variance of valence and arousal",
        "disagreement",
        "",
        tuple(f": {score}" for score in OF_AFFECT),
    ),
    Question("Finding wrong labels, by a label's loss", "wrong_labels", "", (": loss",)),
    Question(
        "Another question, the same by what a method says of a label itself",
        "wrong_labels",
        "",
        (*(f": {words}" for words in dict.fromkeys(OWN_DOUBT.values()) if words != VARIANCE), str(NOT_SAID)),
    ),
    Question("Being right in spite of wrong labels", "accuracy"),
    Question("Saying how sure it is", "calibration", NLL + AFTER),
    Question("Saying how people's votes divide", "calibration", TO_VOTES + AFTER),
    Question("Leaving faces to people, by the entropy of the categories", "selective", "", (": entropy",)),
)
TOLD_AS = {"nothing": "told nothing more", "one rater": "told one rater", "all raters": "told all raters"}


class Answer(NamedTuple):
    """What the ledger says to a question."""

    question: Question
    column: str
    rows: dict[str, Entry]  # all that are asked, the plain network's first
    gains: dict[str, Entry]  # over the plain network's
    shares: (
        tuple[Entry, Entry] | None
    )  # what the majority's label gains, and what the distribution gains over it


def answers(ledger: Ledger) -> list[Answer]:
    """For each of QUESTIONS the rows that it asks, and their gains.

    Raises:
        LookupError: the ledger lacks a question's table or rows, as one of older code does.
    """
    found = []
    for question in QUESTIONS:
        entries = [e for e in ledger.table(question.artefact).entries if e.seeds]
        column = question.column or entries[0].column
        entries = [e for e in entries if e.column == column]
        plain = entries[0]
        asked = {
            e.row: e for e in entries if e.unit != "gain" and (e is plain or e.row.endswith(question.ends))
        }
        pairs = {compared(e): e for e in entries if e.unit == "gain"}
        gains = {row: pairs[row, plain.row] for row in asked if row != plain.row}
        votes, majority = ([row for row in asked if row.partition(":")[0] == m] for m in (VOTES, MAJORITY))
        shares = (gains[majority[0]], pairs[votes[0], majority[0]]) if votes and majority else None
        found.append(Answer(question, column, asked, gains, shares))
    return found


def conclusion(ledger: Ledger) -> str:
    """For each question, the best row of those told as much that is surely ahead of the plain network, if any is.

    Then what of the votes' gain is the label's, and what the distribution's; and `plain_answer`.
    """
    cost = {e.row: e.measured for e in ledger.table("cost").entries}
    lines = [
        f"**Which would you use for what?** (track {ledger.track.name}, profile {ledger.track.profile})",
        "",
        f"| | {PLAIN} | {' | '.join(TOLD_AS.values())} |",
        "|---" * (2 + len(TOLD_AS)) + "|",
    ]
    found = answers(ledger)
    for of in found:
        cells = [
            _answer([(of.rows[row], gain) for row, gain in of.gains.items() if told(row) == kind], cost)
            for kind in TOLD_AS
        ]
        plain = next(iter(of.rows.values()))
        lines.append(f"| {of.question.words} ({of.column}) | {plain.measured:.3f} | {' | '.join(cells)} |")
    ahead, behind, count = _counted(found)
    lines += [
        "",
        "A cell names the best of the rows that are *surely* ahead of the plain network, those whose gain has a 95 % "
        "interval above zero, and what it costs to train, in plain networks. *None surely* leaves the plain network as "
        "the choice; in brackets stands the row that came nearest. *Another question* are lines whose rows are not of "
        "the plain network's kind: there a variance is set beside its entropy, and what a method says of a label "
        "beside its loss. A predicted variance speaks of a face, not of its label or category, and is no candidate "
        "where these are asked for.",
        "",
        f"Of the {count} comparisons with the plain network behind these lines {ahead} are surely gains, "
        f"{behind} surely losses, and {count - ahead - behind} cannot be told from nothing. They share the plain "
        "network's runs and the same faces, and restate each other in part. The best of several rows is partly luck, "
        "for which no interval here allows.",
        "",
        "**With all votes: what is the label's, and what the distribution's?** The vote distribution differs from the "
        "plain network in two things: whom it learns from, and that it learns how they divide. Its control learns the "
        "majority's label alone.",
        "",
        f"| | {MAJORITY}: gain over the {PLAIN} | {VOTES}: further gain |",
        "|---|---|---|",
        *(
            f"| {of.question.words} ({of.column}) | {' | '.join(_gained(e) for e in of.shares)} |"
            for of in found
            if of.shares
        ),
        "",
        f"**In plain words.** {plain_answer(ledger)}",
    ]
    return "\n".join(lines)


def plain_answer(ledger: Ledger) -> str:
    """What the ledger's numbers bear, in a few sentences, with the limit that the track sets."""
    found = answers(ledger)
    cost = {e.row: e.measured for e in ledger.table("cost").entries}
    of_each = {m: [[e for row, e in of.gains.items() if _method(row) == m] for of in found] for m in RIVALS}
    asked = {m: sum(map(bool, lines)) for m, lines in of_each.items()}
    ahead = {m: sum(any(e.ahead for e in rows) for rows in lines) for m, lines in of_each.items()}

    def named(kind: str) -> str:
        """The methods told so that are surely ahead of the plain network somewhere, the most often so first."""
        aside = (VOTES, MAJORITY)  # which have a sentence of their own
        surely = sorted(
            (m for m in RIVALS if told(m) == kind and ahead[m] and m not in aside), key=lambda m: -ahead[m]
        )
        names = {NO_NETWORK: "doubt without a network"}
        said = [f"{names.get(m, m)} in {ahead[m]} of {asked[m]}" for m in surely]
        if ENSEMBLE in surely:
            said[surely.index(ENSEMBLE)] += f", at {cost[ENSEMBLE]:.1f} times the cost"
        return f"surely ahead are: {'; '.join(said)}" if said else "nothing is surely ahead"

    shares = [of.shares for of in found if of.shares]
    taken = sum(more.behind for _, more in shares)
    gains, losses, count = _counted(found)
    papers = ", ".join(f"{m} ({key})" for m, key in OF_PAPERS.items() if ahead[m])
    return (
        f"With all raters' votes to learn from, the {VOTES} is surely ahead of a plain network in {ahead[VOTES]} of "
        f"{asked[VOTES]} lines; its control, the majority's label alone, is so in {ahead[MAJORITY]}, and the "
        f"distribution surely adds to it in {sum(more.ahead for _, more in shares)}"
        f"{f' and surely takes from it in {taken}' if taken else ''}. Of what else is told all raters, "
        f"{named('all raters')}. Told one rater beside the label, {named('one rater')}. Told the label alone, "
        f"{named('nothing')}. Of the five papers' methods, "
        f"{f'these are surely ahead in some line: {papers}' if papers else 'none is surely ahead in any line'}. "
        f"Of all {count} comparisons with the plain network {gains} are surely gains and {losses} surely losses. "
        f"{LIMITS[ledger.track.name]}"
    )


def _counted(found: Sequence[Answer]) -> tuple[int, int, int]:
    """How many comparisons with the plain network are surely gains, how many surely losses, and how many there are."""
    judged = [e for of in found for e in of.gains.values()]
    return sum(e.ahead for e in judged), sum(e.behind for e in judged), len(judged)


def _answer(candidates: Sequence[tuple[Entry, Entry]], cost: Mapping[str, float]) -> str:
    """The best of (row, gain) that are surely ahead; else the best of all, and that it is not surely so."""
    if not candidates:
        return "no such measure"
    sure = [pair for pair in candidates if pair[1].ahead]
    best, gain = max(sure or candidates, key=lambda pair: pair[1].measured)
    times = "no training" if _method(best.row) == NO_NETWORK else f"cost {cost[_method(best.row)]:.1f}"
    said = f"{best.measured:.3f}, gain {gain.measured:+.3f}{_between(gain)}, {times}"
    return f"**{best.row}** {said}" if sure else f"none surely ({best.row} {said})"


def told(row: str) -> str:
    """What the method of a row is told of a training face beside the label, a value of TOLD."""
    return {ENSEMBLE: "nothing", NO_NETWORK: "one rater", **TOLD}[_method(row)]


def _method(row: str) -> str:
    return row.partition(":")[0]


def compared(gain: Entry) -> tuple[str, str]:
    """Which row gains, and over which: differences are named as they are taken, so that a positive one is a gain."""
    first, _, second = gain.row.partition(" - ")
    return (second, first) if gain.column in LOWER else (first, second)


def apart(table: ArtefactTable, baseline: str) -> dict[str, dict[str, tuple[float, float]]]:
    """column -> row -> the interval of its difference from the baseline, laid off from the baseline's mean.

    One that misses the baseline's mean is of a row that surely differs from it.
    """
    middle = {e.column: e.measured for e in table.entries if e.row == baseline}
    found: dict[str, dict[str, tuple[float, float]]] = {}
    for e in table.entries:
        if e.unit == "gain" and not math.isnan(e.low):
            row, against = compared(e)
            low, high = (-e.high, -e.low) if e.column in LOWER else (e.low, e.high)
            if against == baseline:
                found.setdefault(e.column, {})[row] = (middle[e.column] + low, middle[e.column] + high)
    return found


def beside(table: ArtefactTable) -> pd.DataFrame:
    """A line a row: mean and standard deviation over seeds, and the gain over the first with interval and verdict."""
    wide = table.wide
    names = [row for row in wide.index if " - " not in row]
    shown = {}
    for column in wide:
        of = [e for e in table.entries if e.column == column and e.unit == "gain"]
        gains = {row: e for e in of for row, against in [compared(e)] if against == names[0]}
        shown[column] = wide[column][names]
        if gains:
            cells = [_gained(gains[name]) if name in gains else "" for name in names]
            shown[f"gain, {column}"] = pd.Series(cells, index=names)
    return pd.DataFrame(shown)


def _gained(gain: Entry) -> str:
    word = f" {gain.verdict}" if gain.ahead or gain.behind else ""
    return f"{gain.measured:+.3f}{_between(gain)}{word}"


def _between(gain: Entry) -> str:
    return "" if math.isnan(gain.low) else f" [{gain.low:+.3f}, {gain.high:+.3f}]"
