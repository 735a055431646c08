"""Statistics and printed numbers that several parts of toisoul2021's page share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paperlib.companion.published import parse, read_table
from paperlib.labels import AFFECT
from paperlib.ledger import Entry
from paperlib.papers.toisoul2021.plan import KEY, Told, protocol
from paperlib.stats import Verdict
from paperlib.tracks import Track


def printed_step(number: int, worse: str, better: str, measure: str) -> Told | None:
    """From one printed row of table `number` to another; None where one of them lacks the measure."""
    cells = printed_cells(number)
    if not {(worse, measure), (better, measure)} <= cells.keys():
        return None
    before, after = cells[worse, measure], cells[better, measure]
    gain = sign_of(measure) * (parse(after).value - parse(before).value)
    return Told(f"{before} to {after}", gain, 2 * max(parse(cell).half_unit for cell in (before, after)))


def printed_ccc(number: int, worse: str, better: str) -> str:
    """`printed_step` of both CCC, in words."""
    steps = {d: printed_step(number, worse, better, f"CCC {d}") for d in AFFECT}
    return "; ".join(f"{d} {told.words}" for d, told in steps.items() if told)


def claim_of(told: Told | None, claim: str, claim_id: str, *, on: str = "AffectNet") -> dict[str, Any]:
    """The fields of a line that tests the claim, if the paper prints a gain here; else of a question of ours."""
    if told is None:
        return {}
    fields = {"printed": told.words, "printed_on": on}
    return fields | {"claim": claim, "claim_id": claim_id} if claim_id and told.gain > 0 else fields


def stand_in(track: Track) -> str:
    """What a track's profile trains where the paper has a ResNet-18."""
    backbone = protocol(track).backbone
    return "ResNet-18" if backbone == "resnet18" else "tiny ResNet (for ResNet-18)"


def printed_gain(entry: Entry) -> float:
    before, _, after = entry.printed.partition(" to ")
    return sign_of(entry.column) * (parse(after).value - parse(before).value)


def least_told(entry: Entry) -> float:
    return (entry.high - entry.low) / 2


def not_told(entries: Iterable[Entry]) -> list[Entry]:
    """The claims of table 5 on a gain whose interval contains zero."""
    return [
        e
        for e in entries
        if e.artefact == f"{KEY}/table5"
        and e.claim
        and e.verdict == Verdict.CANNOT_TELL
        and np.isfinite(e.low)
        and printed_gain(e) > 0
    ]


@cache
def printed_cells(number: int) -> Mapping[tuple[str, str], str]:
    """A table's cells by row and measure, as this page calls it: "accuracy", "CCC valence"."""
    cells = read_table(KEY, number)
    named = {}
    for _, cell in cells.iterrows():
        quantity = cell["quantity"] if cell["quantity"] == "accuracy" else cell["quantity"].upper()
        named[cell["row"], f"{quantity} {cell['dimension']}".strip()] = str(cell["printed"])
    return named


def sign_of(measure: str) -> int:
    return -1 if measure.startswith("RMSE") else 1


def of_most(votes: NDArray[np.float64], named: NDArray) -> NDArray[np.float64]:
    """Whether the category named (n,) is the one that most voted for (n, K); one of k that tie counts 1 / k."""
    most = votes == votes.max(axis=1, keepdims=True)
    return most[np.arange(len(named)), named] / most.sum(axis=1)
