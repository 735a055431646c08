"""neo2023's page as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from operator import attrgetter

import numpy as np
from statsmodels.stats.multitest import multipletests

from paperlib.ledger import Entry
from paperlib.papers.neo2023.confidence import Confidence
from paperlib.papers.neo2023.fused import FusedLabels
from paperlib.papers.neo2023.maps import Maps
from paperlib.papers.neo2023.plan import (
    CAVEATS,
    CLEAN,
    EUCLID,
    GMM,
    KINDS,
    LABELS,
    NATURAL,
    NOISY,
    NOISY_AFFECT,
    ONE_HOT,
    SMOOTHED,
    VOTES,
)
from paperlib.papers.neo2023.recognition import Recognition
from paperlib.stats import Verdict, p_of_interval


class Study(FusedLabels, Recognition, Confidence, Maps):
    """All of the paper's runs on one track, and the numbers made of them."""

    def caveat(self) -> str:
        """What a reader of this track's page must know first, in Markdown."""
        licensed = f"Licensed data, read from the official layout of {self.track.name}."
        return self.track.caution + CAVEATS.get(self.track.name, licensed)

    def conclusion(self) -> str:
        """The page's answer in Markdown, put together from the ledger's numbers and verdicts."""
        kind_of = self.ledger.verdicts()["verdict"].str.partition(":")[0]
        counts = ", ".join(f"{n} {v}" for v, n in kind_of.value_counts().items())
        where = f"track {self.track.name}, profile {self.track.profile}"
        head = f"**In short** ({where}): of the lines that test a claim {counts}."
        cells = {(e.artefact.partition("/")[2], e.row, e.column): e for e in self.ledger.entries}
        lines = [
            self._after_holm(),
            *self._answer(cells),
            *_told_of_gains(cells),
            *_told_of_places_alone(cells),
            *_told_of_calibration(cells),
        ]
        return "\n".join([head, "", *(f"- {line}" for line in lines)])

    def _after_holm(self) -> str:
        """How many verdicts stay where all of the page's claims are judged together."""
        judged = [
            e for e in self.ledger.entries if e.claim and np.isfinite(e.low) and e.verdict in set(Verdict)
        ]
        if not judged:
            return "No claim has an interval."
        p = [p_of_interval(e.measured, e.low, e.high, seeds=e.seeds) for e in judged]
        stays = multipletests(p, method="holm")[0]
        told = []
        for verdict in (Verdict.HELD, Verdict.DID_NOT_HOLD):
            of = [kept for e, kept in zip(judged, stays, strict=True) if e.verdict == verdict]
            told.append(
                f"{sum(of)} of the {len(of)} that {'held' if verdict == Verdict.HELD else 'did not hold'}"
            )
        return (
            f"Each interval is a 95 % one of its own. Judged together (Holm, {len(judged)} lines, 0.05), "
            f"{' and '.join(told)} remain."
        )

    def _answer(self, cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
        """What fusion adds: a softer label, or a second opinion that the noise did not touch?"""
        lines = []
        for condition in (NOISY, NATURAL):
            asked = {
                "a softer label alone (label smoothing)": f"{condition}: {SMOOTHED} - {ONE_HOT}",
                "the votes of the people who rated": f"{condition}: {VOTES} - {ONE_HOT}",
                **{
                    f"{m}, {words}": f"{condition}, {affect}: {m} - {ONE_HOT}"
                    for affect, words in (
                        ("as labelled", "places untouched"),
                        (NOISY_AFFECT[2], "places as wrong as the labels"),
                    )
                    for m in (EUCLID, GMM)
                },
            }
            found = {w: e for w, row in asked.items() if (e := cells.get(("noisy_affect", row, "F1")))}
            if SMOOTHED not in "".join(found) and VOTES not in "".join(found):
                continue
            soft = found["a softer label alone (label smoothing)"].ahead
            told = [w for w, e in found.items() if e.ahead and "label smoothing" not in w]
            untouched = [w for w in told if "as wrong" not in w]
            if not untouched:
                answer = "softness alone helps" if soft else "neither is seen to help"
            elif soft:
                answer = f"both may help: softness alone does, and {' and '.join(untouched)}"
            else:
                answer = f"a second opinion, of {' and '.join(untouched)}; softness alone is not seen to help"
            if left := [w for w in told if w not in untouched]:
                answer += f" (and {', '.join(left)}, gains too, where the place is no second opinion)"
            details = "; ".join(f"{w} {_gained(e)}" for w, e in found.items())
            lines.append(
                f"A better form of label, or a second opinion? With {condition} wrong labels: {answer}. "
                f"F1 over one-hot: {details}."
            )
        return lines


def _gained(e: Entry) -> str:
    return f"{e.measured:+.3f} [{e.low:.3f}, {e.high:.3f}]"


def _told_of_gains(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    """Sentences on what fusion gains, from the ledger's lines by artefact, row and column."""
    lines = []
    for condition in (NOISY, NATURAL):
        gains = {
            f"{kind} ({m})": e
            for kind, m in product(KINDS, (EUCLID, GMM))
            if (e := cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1")))
        }
        better, worse = (
            ", ".join(name for name, e in gains.items() if which(e)) or "none"
            for which in (attrgetter("ahead"), attrgetter("behind"))
        )
        if gains:
            where = ""
            if next(iter(gains.values())).track == "twin" and condition == NOISY:
                where = (
                    "; valence and arousal are free of noise, or nearly, for the videos and the morphs alone"
                )
            lines.append(
                f"With {condition} wrong labels, valence and arousal untouched, fusion gained over one-hot (the whole "
                f"interval above zero) on: {better}; it lost on: {worse}{where}."
            )
    for kind, condition in product(KINDS, (CLEAN, NOISY, NATURAL)):
        told = [
            f"{m} {_gained(e)}"
            for m in (EUCLID, GMM)
            if (e := cells.get(("table3", f"{kind}, {condition}: {m} - {ONE_HOT}", "F1")))
        ]
        if told:
            lines.append(f"F1 gained over one-hot, {kind}, {condition} wrong labels: {', '.join(told)}.")
    rows = {row: e for (artefact, row, column), e in cells.items() if (artefact, column) == ("table3", "F1")}
    bare = [f"{row} {_gained(e)}" for row, e in rows.items() if "without" in row or "no weights" in row]
    if bare:
        lines.append(f"What the weights W_k do to the baseline, F1: {'; '.join(bare)}.")
    for condition, affect in product((NOISY, NATURAL), NOISY_AFFECT):
        told = [
            f"{m} {_gained(e)}"
            for m in (EUCLID, GMM)
            if (e := cells.get(("noisy_affect", f"{condition}, {affect}: {m} - {ONE_HOT}", "F1")))
        ]
        if told:
            lines.append(
                f"F1 gained over one-hot, both with other valence and arousal ({affect}), {condition} wrong labels: "
                f"{', '.join(told)}."
            )
    return lines


def _told_of_places_alone(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    """Where learning from valence and arousal alone gains, and where it costs: the claim's margin hides a gain."""
    told = []
    for (artefact, row, column), e in cells.items():
        if artefact == "table4" and row.endswith(": alpha = 0 - alpha = 1"):
            word = "a gain" if e.ahead else "a loss" if e.behind else "neither is seen"
            told.append(f"{row.partition(':')[0]}, {column} {_gained(e)} ({word})")
    if not told:
        return []
    return [f"Valence and arousal alone (alpha = 0) against categories alone (alpha = 1): {'; '.join(told)}."]


def _told_of_calibration(cells: Mapping[tuple[str, str, str], Entry]) -> list[str]:
    lines = []
    for condition in (CLEAN, NOISY, NATURAL):
        told = [
            f"{m} {plain.measured:.3f} ({scaled.measured:.3f})"
            for m in LABELS
            if (plain := cells.get(("calibration", f"{condition}: {m}", "ECE")))
            and (scaled := cells.get(("calibration", f"{condition}: {m}", "ECE, temperature")))
        ]
        if told:
            perfect = cells["calibration", f"{condition}: {ONE_HOT}", "ECE, temperature: if perfect"]
            lines.append(
                f"Calibration error (and after temperature scaling; one that is perfect would show "
                f"{perfect.measured:.3f}), {condition} wrong labels: {', '.join(told)}."
            )
    return lines
