"""The scoreboard's figure, in the manner of `plots`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from paperlib.ledger import answer
from paperlib.plots import GREY, LIGHT_GREY, PALETTE, _drawing, _figure
from paperlib.stats import IN_PART, MIXED, Verdict

# Colour, hatch and colour of the letters; the hatches tell the verdicts apart in print without colour.
_LOOKS = {
    str(Verdict.HELD): (PALETTE["blue"], "", "white"),
    IN_PART: (PALETTE["sky"], "", "black"),
    MIXED: (PALETTE["yellow"], "\\\\\\\\", "black"),
    str(Verdict.DID_NOT_HOLD): (PALETTE["orange"], "////", "black"),
    str(Verdict.CANNOT_TELL): (LIGHT_GREY, "", "black"),
    str(Verdict.NOT_ATTEMPTED): ("white", "....", "black"),
}


@_drawing
def verdict_bars(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> Figure:
    """How many verdicts of each kind: a panel a heading, a bar a paper, as {heading: {paper: {verdict: count}}}.

    Every part of a bar is labelled with its count, and every bar with their sum, so that no colour need be read.
    """
    headings = list(counts)
    papers = list(dict.fromkeys(key for of in counts.values() for key in of))
    if not papers:
        raise ValueError("there are no verdicts to draw")
    known = {*_LOOKS, *map(answer, _LOOKS)}
    if unknown := {v for of in counts.values() for line in of.values() for v in line} - known:
        raise ValueError(f"unknown verdicts {sorted(unknown)}; there are {', '.join(sorted(known))}")
    figure = _figure(1.15 + 0.34 * len(papers))
    panels = figure.subplots(1, len(headings), sharey=True, squeeze=False)[0]
    for ax, heading in zip(panels, headings, strict=True):
        sums = [sum(counts[heading].get(key, {}).values()) for key in papers]
        longest = max(max(sums), 1)
        left = [0] * len(papers)
        for name, (colour, hatch, letters) in _LOOKS.items():
            names = {name, answer(name)}
            widths = [sum(counts[heading].get(key, {}).get(n, 0) for n in names) for key in papers]
            ax.barh(
                range(len(papers)),
                widths,
                left=left,
                height=0.66,
                color=colour,
                hatch=hatch,
                edgecolor="black",
                linewidth=0.5,
                label=", or ".join(dict.fromkeys((name, answer(name)))),
            )
            _label(ax, left, widths, letters, colour, longest)
            left = [at + width for at, width in zip(left, widths, strict=True)]
        for place, total in enumerate(sums):
            ax.text(total + 0.015 * longest, place, str(total), va="center", color=GREY)
        ax.set(title=heading, xlabel="verdicts", xlim=(0, 1.1 * longest), yticks=range(len(papers)))
        ax.set_yticklabels(papers)
        ax.tick_params(axis="y", length=0)
    panels[0].invert_yaxis()
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=3, handlelength=1.6)
    return figure


def _label(
    ax: object, left: Sequence[int], widths: Sequence[int], letters: str, colour: str, longest: int
) -> None:
    for place, (at, width) in enumerate(zip(left, widths, strict=True)):
        if width >= 0.03 * longest * len(
            str(width)
        ):  # a narrower part has no room; the tables have its count
            box = {"facecolor": colour, "edgecolor": "none", "pad": 0.8}
            ax.text(at + width / 2, place, str(width), ha="center", va="center", color=letters, bbox=box)  # type: ignore[attr-defined]
