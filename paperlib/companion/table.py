"""A table of numbers with something small beneath each, as HTML that can do without its style, as text and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from paperlib.companion.verdicts import AHEAD, BEHIND, FAILED, HELD, IN_PART, LEFT, MIXED, OPEN, UNJUDGED

# Colours are see-through, so that they suit white and dark pages; the word always stands beside them.
CSS = Path(__file__).with_name("table.css").read_text(encoding="utf-8")
BLUE, ORANGE, GREY = "rgba(46,134,193,0.22)", "rgba(224,112,32,0.26)", "rgba(128,128,128,0.13)"
SHADE = dict.fromkeys((HELD, AHEAD), BLUE) | dict.fromkeys((FAILED, BEHIND), ORANGE)
SHADE |= dict.fromkeys((OPEN, IN_PART, MIXED), GREY) | {LEFT: "", UNJUDGED: ""}
# A notebook that is not trusted loses <style>, GitHub all styles: attributes carry the structure.
LEFT_ALIGNED, RIGHT_ALIGNED = 'align="left" style="text-align:left"', 'align="right"'
LATEX = str.maketrans({sign: f"\\{sign}" for sign in "%&_#$"} | {"−": "$-$", "–": "--"})
LATEX |= str.maketrans({"±": r"$\pm$", "σ": r"$\sigma$", "·": r"$\cdot$", "≤": r"$\le$", "α": r"$\alpha$"})

Heading = tuple[str, ...]
At = tuple[Heading, Heading]


class Cell(NamedTuple):
    """What stands in one cell. `word` is a verdict, `why` becomes a lettered note, `small` stands beneath."""

    large: str = ""
    spread: str = ""
    small: str = ""
    bold: bool = False
    word: str = ""
    why: str = ""
    printed_bold: bool = False

    @property
    def under(self) -> list[str]:
        """The lines beneath: the verdict, unless it is the large word, and what is small."""
        return [line for line in (self.word * (self.word != self.large), self.small) if line]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Cells under headings of several levels; displays itself in a notebook.

    corner: what stands over the row headings, one name a level or one for all. marks: something small beneath the
    start of a heading. under: the note below. link: the address of the file with every number.
    """

    title: str
    corner: Sequence[str]
    rows: Sequence[Heading]
    columns: Sequence[Heading]
    cells: Mapping[At, Cell]
    marks: Mapping[Heading, str] = field(default_factory=dict)
    under: str = ""
    link: str = ""
    prose: bool = False

    @classmethod
    def of_prose(
        cls,
        title: str,
        columns: Sequence[str],
        rows: Mapping[str, Sequence[Cell]],
        corner: str = "The paper says",
    ) -> Table:
        """A line of cells a sentence."""
        down, across = ([(heading,) for heading in headings] for headings in (rows, columns))
        cells: dict[At, Cell] = {}
        for row, found in zip(down, rows.values(), strict=True):
            cells |= {(row, column): cell for column, cell in zip(across, found, strict=True)}
        return cls(title=title, corner=[corner], rows=down, columns=across, cells=cells, prose=True)

    @property
    def dense(self) -> bool:
        return len(self.columns) > 4

    @property
    def notes(self) -> dict[str, str]:
        """Reason to letter, in the order of the cells."""
        found = (self.cells[r, c].why for r in self.rows for c in self.columns if (r, c) in self.cells)
        return {why: chr(97 + i) for i, why in enumerate(dict.fromkeys(filter(None, found)))}

    def html(self) -> str:
        kind = "t" if self.prose else "d" if self.dense else "n"
        notes = [f"<sup>{letter}</sup> {escape(why)}" for why, letter in self.notes.items()]
        under = escape(self.under)
        if self.link:
            under += f' Every number: <a href="{escape(self.link)}">{escape(Path(self.link).name)}</a>.'
        notes += [under] * bool(under)
        box = f'<div class="pg" tabindex="0" role="region" aria-label="{escape(self.title)}">'
        caption = f'<caption style="text-align:left">{escape(self.title)}</caption>'
        head = "\n".join(f"<tr>{row}</tr>" for row in self._html_head())
        body = "\n".join(self._html_body())
        text = f"<style>\n{CSS}</style>\n{box}\n<table class={kind!r}>{caption}\n"
        text += f"<thead>\n{head}\n</thead>\n{body}\n</table></div>\n"
        return text + (f'<p class="pn"><small>{"<br>".join(notes)}</small></p>\n' if notes else "")

    def _html_head(self) -> Iterator[str]:
        levels, align = len(self.columns[0]), LEFT_ALIGNED if self.prose else RIGHT_ALIGNED
        depth = len(self.rows[0]) if self.rows else 1
        corner = [*self.corner, *[""] * (depth - len(self.corner))]
        row = "".join(f'<th class="k" rowspan="{levels}" {LEFT_ALIGNED}>{escape(c)}</th>' for c in corner)
        for i in range(levels):
            for path, group in groupby(self.columns, key=lambda c: c[: i + 1]):
                n, mark = len(list(group)), self._mark(path)
                if i + 1 < levels:
                    row += f'<th scope="colgroup" align="center" colspan="{n}">{escape(path[-1])}{mark}</th>'
                else:
                    row += f'<th scope="col" {align}>{escape(path[-1])}{mark}</th>'
            yield row
            row = ""

    def _html_body(self) -> Iterator[str]:
        align = LEFT_ALIGNED if self.prose else f"{RIGHT_ALIGNED} nowrap"
        for _, group in groupby(self.rows, key=lambda r: r[:1] if len(r) > 1 else ()):
            block, text = list(group), "<tbody>"
            for i, row in enumerate(block):
                text += "\n<tr>"
                for level in range(len(row)):
                    start = row[: level + 1]
                    if i and block[i - 1][: level + 1] == start:
                        continue
                    n = sum(r[: level + 1] == start for r in block)
                    scope = f'scope="rowgroup" rowspan="{n}"' if level + 1 < len(row) else 'scope="row"'
                    text += f"<th {scope} {LEFT_ALIGNED}>{escape(row[level])}{self._mark(start)}</th>"
                cells = [self.cells.get((row, c), Cell()) for c in self.columns]
                text += "".join(f"<td {align}>{self._html_cell(cell)}</td>" for cell in cells) + "</tr>"
            yield text + "\n</tbody>"

    def _html_cell(self, c: Cell) -> str:
        under = [escape(line) for line in c.under]
        if c.printed_bold:
            under[-1] = re.sub(r"[\d.−-]+", lambda m: f"<b>{m[0]}</b>", under[-1], count=1)
        if not self.dense:
            under = [" · ".join(under)] * bool(under)
        text = f"<b>{escape(c.large)}</b>" if c.bold else escape(c.large)
        if c.spread:
            text += "<br>" if self.dense and c.spread.startswith("[") else " "
            text += f"<small>{escape(c.spread)}</small>"
        text += f"<sup>{self.notes[c.why]}</sup>" if c.why else ""
        text += "".join(f"<br><small>{line}</small>" for line in under)
        shade = f' style="background-color:{SHADE[c.word]}"' if SHADE.get(c.word) else ""
        return f'<span class="v"{shade}>{text}</span>' if c.word in SHADE else text

    def _mark(self, start: Heading) -> str:
        return f"<br><small>{escape(self.marks[start])}</small>" if self.marks.get(start) else ""

    def text(self) -> str:
        frame = self._frame(self._text_cell, str)
        notes = [f"{letter}: {why}" for why, letter in self.notes.items()] + [self.under] * bool(self.under)
        return "\n".join([self.title, frame.to_string(), *notes])

    def _text_cell(self, c: Cell) -> str:
        letter = f"^{self.notes[c.why]}" if c.why else ""
        under = f"({'; '.join(c.under)})" if c.under else ""
        return " ".join(filter(None, [c.large + letter, c.spread, under]))

    def latex(self, label: str) -> str:
        """A tabular for booktabs and multirow."""
        style = self._frame(self._latex_cell, latex).style
        side = "l" * (len(self.rows[0]) if self.rows else 1)
        side += ("l" if self.prose else "r") * len(self.columns)
        text = style.to_latex(
            caption=latex(self.title),
            label=f"tab:{label}",
            hrules=True,
            multicol_align="c",
            multirow_align="t",
            position_float="centering",
            column_format=side,
        )
        notes = "".join(f"\\\\ \\textsuperscript{{{a}}} {latex(why)}" for why, a in self.notes.items())
        end = "\n\\end{tabular}\n"
        return text.replace(end, f"{end}{{\\footnotesize {notes}}}\n") if notes else text

    def _latex_cell(self, c: Cell) -> str:
        text = f"\\textbf{{{latex(c.large)}}}" if c.bold else latex(c.large)
        text += f"\\textsuperscript{{{self.notes[c.why]}}}" if c.why else ""
        text += f" {latex(c.spread)}" if c.spread else ""
        small = f"\\\\ {{\\scriptsize {latex('; '.join(c.under))}}}"
        return f"\\begin{{tabular}}[t]{{@{{}}r@{{}}}}{text}{small}\\end{{tabular}}" if c.under else text

    def _frame(self, cell: Any, heading: Any) -> pd.DataFrame:
        def axis(paths: Sequence[Heading]) -> pd.Index:
            named = [tuple(map(heading, path)) for path in paths]
            return pd.Index(named if named and len(named[0]) > 1 else [name for (name,) in named])

        rows = [[cell(self.cells.get((r, c), Cell())) for c in self.columns] for r in self.rows]
        return pd.DataFrame(rows, axis(self.rows), axis(self.columns))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": self.text()}


def number(x: float, digits: int, sign: str = "") -> str:
    """With a minus sign, and no negative zero."""
    text = f"{x:{sign}.{digits}f}"
    return (text if float(text) else f"{0:.{digits}f}").replace("-", "−")


def digits_of(lines: pd.DataFrame, most: int) -> int:
    """Decimals that the middle standard deviation asks for (two digits of it below 3.55, else one), at most `most`."""
    spread = lines["sd"].fillna((lines["high"] - lines["low"]) / 4).replace(0, np.nan).median()
    return int(np.clip(np.ceil(-np.log10(spread / 3.55)), 0, most)) if spread > 0 else most


def interval(x: Mapping[str, Any], digits: int, sign: str = "+") -> tuple[str, str]:
    """ "+1.2" and "[0.4, 2.0]"; where zero lies outside, what would read as zero gets up to two digits more."""
    outside = x["low"] * x["high"] > 0

    def readable(value: float, sign: str = "") -> str:
        enough = (d for d in range(digits, digits + 3) if not outside or float(f"{value:.{d}f}"))
        return number(value, next(enough, digits), sign)

    estimate = readable(x["estimate"], sign) if x["estimate"] == x["estimate"] else "–"
    if x["low"] != x["low"]:
        return estimate, ""
    return estimate, f"[{readable(x['low'])}, {readable(x['high'])}]"


def span(x: pd.Series) -> str:
    """ "941" where all are equal, else "878 to 941"."""
    return f"{x.min():,.0f}" if x.min() == x.max() else f"{x.min():,.0f} to {x.max():,.0f}"


def latex(text: str) -> str:
    return text.translate(LATEX)
