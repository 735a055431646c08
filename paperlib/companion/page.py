"""A page's tables in the paper's own rows and columns: ours large with its spread, the printed number small beneath.

data/published/<key>/ has
- tableN.csv: key columns in the paper's words and order, `measure`, `printed` as printed (empty: a dash), perhaps
  `spread` and `bold`;
- tables.csv: which keys go down and which across, and whether the best number of a column is bold;
- headings.csv, by track: what stands in for a heading (`here`), or why nothing does (`lacking`);
- claims.csv and not_attempted.csv.
A table of ours is laid out by tables.csv too, or by the words given to `Page.show`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Code, Image, Markdown, display

from paperlib.companion.execute import figures
from paperlib.companion.replicates import SEEDS, Measure
from paperlib.companion.samples import own_methods
from paperlib.companion.score import Scores, average, common, compare, score
from paperlib.companion.table import At, Cell, Heading, Table, digits_of, interval, number, span
from paperlib.companion.verdicts import HELD, LEFT, UNJUDGED, ask, combined, lines, settle
from paperlib.files import ROOT

PUBLISHED = ROOT / "data" / "published"
TEXTS = ["unit", "claim", "verdict", "why", "counted"]
NUMBERS = ["estimate", "sd", "low", "high", "n", "seeds", "over", "paper", "better", "allowed"]
FIELDS = {*TEXTS, *NUMBERS, "digits", "least", "chance"}  # a line's other columns are its keys
MEAN = "mean"  # the heading of what was averaged over


class Paper:
    """The printed numbers of a paper: `paper.table4` is a Series indexed by the table's key columns."""

    def __init__(self, key: str) -> None:
        self.key = key

    def __getattr__(self, name: str) -> pd.Series:
        if name.startswith("_"):
            raise AttributeError(name)
        table = _read(self.key, name)
        keys = list(table.columns[: table.columns.get_loc("measure") + 1])
        values = pd.to_numeric(table["printed"].str.replace(",", ""), errors="coerce")
        return values.set_axis(pd.MultiIndex.from_frame(table[keys])).rename("paper").dropna()

    def text(self, name: str) -> float:
        """A number printed in the text, by its id in text.csv."""
        return float(_read(self.key, "text").set_index("id").loc[name, "printed"])


class Page:
    """What one page shows: tables and figures, each also written to a file, and in the end a verdict a statement."""

    def __init__(self, key: str, track: str) -> None:
        self.key, self.track, self.paper = key, track, Paper(key)
        self.folder = figures() / track / key
        self.folder.mkdir(parents=True, exist_ok=True)
        self.shown: dict[str, pd.DataFrame] = {}
        self.layouts = _read(key, "tables").set_index("table")
        read = (_read(key, name) for name in ("headings", "not_attempted"))
        headings, self.left = (table[table["track"].isin(["*", track])] for table in read)
        headings = headings.set_index("heading")
        self.here, self.lacking = (
            headings[kind][headings[kind] != ""].to_dict() for kind in ("here", "lacking")
        )

    def short(self, statements: Mapping[str, pd.DataFrame], *, corner: str = "The paper says") -> Table:
        """*In short*: statements in a reader's words, each with its verdict and evidence from claimed lines."""
        rows = {}
        for said, found in statements.items():
            word, text = LEFT, "not tested on these data"
            if len(found):
                found = self._judged(found)
                word, text = self._word(found), evidence(self._named_here(found))
                word = UNJUDGED if word == LEFT else word
            rows[said] = [Cell(word, word=word), Cell(text)]
        printed = any(found["paper"].notna().any() for found in statements.values() if len(found))
        heading = "Evidence: estimate [95 % interval]" + ", printed" * printed
        return Table.of_prose("", ["Here", heading], rows, corner)

    def show(
        self, name: str, *tables: pd.DataFrame | Scores, title: str = "", down: str = "", across: str = ""
    ) -> None:
        """Display and save lines, or scores as their lines: numbers as the paper lays them out, tested ones below.

        title, down, across: of a table that tables.csv does not have; keys that stand in rows and in columns.

        Raises:
            ValueError: two lines would stand in one cell.
        """
        found = [lines(t) if isinstance(t, Scores) else t for t in tables if len(t)]
        layout = self._layout(name, title, down, across)
        if not found:
            print(f"{layout['title']}: not on this track ({self.track}).")
            return
        table = pd.concat(found, ignore_index=True)
        table = self._judged(table.assign(**{k: table[k].fillna("") if k in table else "" for k in TEXTS}))
        self.shown[name] = pd.concat([self.shown[name], table]) if name in self.shown else table
        self.shown[name].to_csv(self.folder / f"{name}.csv", index=False, float_format="%.10g")
        made = [t for t in self._tables(name, layout, table) if t.cells]
        text = "\n".join(t.latex(f"{self.key}-{name}-{i}") for i, t in enumerate(made))
        (self.folder / f"{name}.tex").write_text(text, encoding="utf-8")
        display(*made)

    def yours(
        self,
        samples: pd.DataFrame,
        measures: Measure | Sequence[Measure],
        plain: str,
        *,
        over: str = SEEDS,
        mean: str = "",
        down: str = "method",
        across: str,
    ) -> None:
        """A section on a method of the user's own, where the samples have one: what it gains over the plain network.

        Only the seeds that both have count. mean: a key over which the mean gain is shown too.
        """
        keys = [k for k in f"{down} {across}".split() if k not in ("method", "measure")]
        for method in own_methods(samples):
            both = common(samples[samples["method"].isin([method, plain])], "method")
            gain = compare(score(both, measures, ["method", *keys], over=over), "method", method, plain)
            said = [ask(gain)]
            if mean and gain.index.get_level_values(mean).nunique() > 1:
                said.append(ask(average(gain, mean)))
            display(Markdown(f"## Your method: {method}"))
            self.show("own", *said, title=f"{method} less {plain}", down=down, across=across)

    def _named_here(self, table: pd.DataFrame) -> pd.DataFrame:
        """Lines with what was trained here in place of the paper's heading that it stands in for."""
        keys = [k for k in table if k not in FIELDS]
        return table.assign(**{k: table[k].map(lambda v: self.here.get(v, v)) for k in keys})

    def _judged(self, table: pd.DataFrame) -> pd.DataFrame:
        """Lines about statements that this track cannot test have no verdict, whatever their interval."""
        whole = self.left[self.left["part"] == ""].set_index("claim")["why"]
        cannot = table["claim"].isin(whole.index)
        why = table["claim"].map(whole).where(cannot, table["why"])
        return table.assign(verdict=table["verdict"].mask(cannot, LEFT), why=why)

    def _word(self, found: pd.DataFrame) -> str:
        """One word for lines that a reader's sentence rests on; of a statement whose parts are given up, in part."""
        words = set(found["verdict"])
        partly = found["claim"].isin(self.left.loc[self.left["part"] != "", "claim"]).any()
        return words.pop() if len(words) == 1 and words != {HELD} else combined(words, partly=partly)

    def _layout(self, name: str, title: str, down: str, across: str) -> dict[str, str]:
        if name in self.layouts.index:
            return self.layouts.loc[name].to_dict()
        if not (title and down and across):
            raise ValueError(
                f"{name} has no line in tables.csv: give title, down and across, or add it there"
            )
        return {"title": title, "down": down, "across": across, "where": "", "of": "", "best": ""}

    def _tables(self, name: str, layout: Mapping[str, str], table: pd.DataFrame) -> list[Table]:
        printed = pd.DataFrame(columns=["measure", "printed"], dtype=str)
        if (PUBLISHED / self.key / f"{name}.csv").is_file():
            printed = _read(self.key, name)
        printed = printed.query(layout["where"]) if layout["where"] else printed
        tested = table.filter(regex="^less ").fillna("").ne("").any(axis=1) | table["verdict"].ne("")
        # two values hardly show how far others would spread: the interval says more
        table["sd"] = table["sd"].where((table["seeds"] != 2) | (table["over"] == SEEDS))
        table = table.assign(digits=_digits(table, tested, printed))
        link = f"../../../figures/{self.track}/{self.key}/{name}.csv"
        laid_out = _Layout(self, layout, printed, layout["down"].split(), layout["across"].split(), link)
        parts = {laid_out.numbers: table[~tested], laid_out.tests: table[tested]}
        return [of(lines) for of, lines in parts.items() if len(lines)]

    def frame(self, name: str, frame: pd.DataFrame, caption: str = "", precision: int = 3) -> None:
        """Display and save a plain table: settings, counts, findings."""
        _write(frame, self.folder / f"{name}.csv")
        shown = frame.style.set_uuid(name).hide(axis="index").format(precision=precision, na_rep="")
        left = {"selector": "th, td", "props": "text-align: left; vertical-align: top"}
        shown = shown.set_table_styles([left])
        display(shown.set_caption(caption) if caption else shown)

    def figure(self, figure: Any, name: str, alt: str) -> None:
        """Display and save a figure of matplotlib or seaborn as PNG; `alt` is its caption, shown and read aloud."""
        figure = figure.plot()._figure if hasattr(figure, "plot") and hasattr(figure, "facet") else figure
        figure = getattr(figure, "figure", figure)
        path = self.folder / f"{name}.png"
        figure.savefig(path, dpi=160, bbox_inches="tight", metadata={"Software": None})
        import matplotlib.pyplot as plt

        plt.close(figure)
        picture = Image(data=path.read_bytes(), alt=alt, width=int(figure.get_figwidth() * 96))
        display(picture, Markdown(f"*{alt}*"))

    def say(self, **by_track: str) -> None:
        """Show the sentences that were written for this track, in Markdown; of another track none are."""
        if self.track in by_track:
            display(Markdown(inspect.cleandoc(by_track[self.track])))

    def source(self, *functions: Callable[..., Any]) -> None:
        """Show the source of functions of the library."""
        display(Code("\n\n".join(inspect.getsource(f) for f in functions), language="python"))

    def verdicts(self) -> Table:
        """Every statement that a run can test, once; writes ledger.csv and verdicts.csv.

        Raises:
            ValueError: a statement is neither shown nor in not_attempted.csv.
        """
        claims = _read(self.key, "claims").set_index("id")
        claims = claims[claims["kind"] != "audit"]
        ledger = pd.concat([t.assign(artefact=name) for name, t in self.shown.items()], ignore_index=True)
        tested = ledger[ledger["claim"] != ""]
        found = settle(claims, tested, self.left)
        say = {c: evidence(self._named_here(x)) for c, x in tested.groupby("claim")}
        say |= dict.fromkeys(found.index[found["verdict"] == LEFT], "")
        found["evidence"] = [_sentences(say[c], why) for c, why in found["why"].items()]
        _write(ledger[["artefact", *ledger.columns.drop("artefact")]], self.folder / "ledger.csv")
        _write(found.reset_index(), self.folder / "verdicts.csv")
        rows = {
            x["claim"]: [Cell(x["where"]), Cell(x["verdict"], word=x["verdict"]), Cell(x["evidence"])]
            for x in found.to_dict("records")
        }
        title = "Every statement of the paper that a training can test"
        return Table.of_prose(title, ["Where", "Here", "Evidence, or why not attempted"], rows)


@dataclass(frozen=True)
class _Layout:
    """How the lines of one table of a page become cells."""

    page: Page
    layout: Mapping[str, str]
    printed: pd.DataFrame
    down: list[str]
    across: list[str]
    link: str

    def numbers(self, table: pd.DataFrame) -> Table:
        """Ours large with its spread, printed small beneath; the best of a column bold."""
        table = named(table, [*self.down, *self.across])
        fits = {*self.down, *self.across} <= set(self.printed)
        printed = self.printed if fits else self.printed.iloc[:0]
        ours, theirs = placed(table, self.down, self.across), placed(printed, self.down, self.across)
        rows, columns = (order(table, keys, printed) for keys in (self.down, self.across))
        values = {c: [_read_as(x) for (_, k), x in ours.items() if k == c] for c in columns}
        tops = {c: max(of) for c, of in values.items() if self.layout.get("best") == "yes" and len(of) > 1}
        cells: dict[At, Cell] = {}
        for at in dict.fromkeys([*ours, *theirs]):
            best = at in ours and _read_as(ours[at]) == tops.get(at[1])
            cells[at] = self._cell(at, ours.get(at), theirs.get(at), best)
        corner, title = self._headed(table, self.layout["title"])
        known = {*starts(r for r, _ in theirs), *starts(c for _, c in theirs)}
        marks = {s: self._mark(s, known) for s in starts([*rows, *columns])}
        seeds = {r: {x["seeds"] for (row, _), x in ours.items() if row == r and x["seeds"] > 1} for r in rows}
        if len(set().union(*seeds.values())) > 1:  # a difference has the seeds of both
            of = {r: f"{span(pd.Series(sorted(many)))} seeds" for r, many in seeds.items() if many}
            marks |= {r: ", ".join(filter(None, [marks[r], text])) for r, text in of.items()}
        under = self._under(table, any(c.bold for c in cells.values()), bool(theirs))
        made = Table(title=title, corner=corner, rows=rows, columns=columns, cells=cells)
        return replace(made, marks=marks, under=under, link=self.link)

    def _cell(self, at: At, x: dict[str, Any] | None, p: dict[str, Any] | None, best: bool) -> Cell:
        small, strong = (beneath(p), p.get("bold") == "true") if p else ("", False)
        if x:
            large, spread = interval(x, x["digits"], "")
            if x["sd"] == x["sd"]:
                spread = f"± {number(x['sd'], x['digits'])}"
            return Cell(large, spread, small, best, printed_bold=strong)
        assert p
        if not p["printed"]:
            return Cell(small=small)
        why = next((self.page.lacking[h] for h in (*at[0], *at[1]) if h in self.page.lacking), "not run here")
        return Cell("–", small=small, why=why, printed_bold=strong)

    def _mark(self, start: Heading, known: set[Heading]) -> str:
        new = start not in known and (len(start) == 1 or start[:-1] in known)
        here = self.page.here.get(start[-1])
        return f"here {here}" if here else "not in the paper" if new and known else ""

    def _under(self, table: pd.DataFrame, bold: bool, printed: bool) -> str:
        n, seeds = span(table["n"]), table["seeds"][table["seeds"] > 0]
        what = f"Here: {self.page.track}, n = {n}"
        if len(seeds):
            many = seeds.max() > 1
            spread = " ± standard deviation" if table["sd"].notna().any() else ""
            what += f", mean{spread} over {span(seeds)} seeds" if many else ", one training"
        alone = table[table["sd"].isna() & table["low"].notna()]
        over = " and ".join(self.page.here.get(x, x) for x in alone["over"].unique())
        what += f"; in brackets 95 % intervals over {over}" if over else ""
        what += "; best of a column bold" * bold
        small = f" Small print: the paper, {self.layout['of']}." if printed and self.layout["of"] else ""
        return f"{what}.{small}"

    def tests(self, table: pd.DataFrame) -> Table:
        """Differences and what else has a verdict: estimate, interval, verdict, and the printed number."""
        counts = table[table["counted"].ne("")]
        table = named(table.drop(counts.index), [*self.down, *self.across])
        fixed = {k: table[k].iloc[0] for k in [*self.down, *self.across] if table[k].nunique() == 1}
        down = [k for k in self.down if k not in fixed] or self.down[:1]
        across = [k for k in self.across if k not in fixed] or self.across[:1]
        cells: dict[At, Cell] = {}
        for at, x in placed(table, down, across).items():
            word = UNJUDGED if x["verdict"] == LEFT else x["verdict"]
            cells[at] = Cell(*interval(x, x["digits"]), small_print(x, x["digits"]), word=word, why=x["why"])
        said = {k: v for k, v in fixed.items() if k not in (*down, *across) and v and v != MEAN}
        of = "; ".join(v if " less " in v else f"{k} {self.page.here.get(v, v)}" for k, v in said.items())
        title = self.layout["title"].partition(":")[0] + ", tested" + (f" ({of})" if of else "")
        corner, title = replace(self, down=down, across=across)._headed(table, title)
        under = [f"{counted(x)}: {x['verdict']}." for x in counts.to_dict("records")]
        over = " and ".join(self.page.here.get(x, x) for x in table["over"].unique())
        if table["claim"].ne("").any():
            other = ", or above the number that a line names" * bool(table["allowed"].any())
            under.append(f"Held: the whole interval lies above zero{other}.")
        if table.filter(regex="^less ").notna().any(axis=None):
            under.append("Differences are turned so that positive is better.")
        under.append(f"In brackets: 95 % interval over {over}.")
        rows, columns = order(table, down, self.printed), order(table, across, self.printed)
        marks = {
            s: f"here {self.page.here[s[-1]]}" for s in starts([*rows, *columns]) if s[-1] in self.page.here
        }
        made = Table(title=title, corner=corner, rows=rows, columns=columns, cells=cells, marks=marks)
        return replace(made, under=" ".join(under))

    def _headed(self, table: pd.DataFrame, title: str) -> tuple[list[str], str]:
        """The corner, which says measure and unit where no heading does, and the title."""
        if "measure" in (*self.down, *self.across) or not len(table):
            return self.down, title
        what = ", ".join([table["measure"].iloc[0], *filter(None, table["unit"].unique())])
        return ([what], title) if len(self.down) == 1 else (self.down, f"{title}: {what}")


def evidence(found: pd.DataFrame) -> str:
    """Up to four intervals with what they measure and what tells them apart; else how many came out how."""
    if len(found) > 4:
        counts = found["verdict"].replace(LEFT, UNJUDGED).value_counts(sort=False)
        text = f"{len(found)} lines: " + ", ".join(f"{n} {word}" for word, n in counts.items())
        return "; ".join(filter(None, [text, _spread(found)]))
    if found["unit"].nunique() > 1:
        both = [", ".join(filter(None, each)) for each in zip(found["measure"], found["unit"], strict=True)]
        found = found.assign(measure=both)
    keys = [k for k in found if k not in FIELDS and k != "artefact" and not k.startswith("less ")]
    found = compared(found, keys)
    keys = [k for k in keys if found[k].nunique(dropna=False) > 1]
    said: list[str] = []
    of_all = found["why"].iloc[0] if found["why"].nunique() == 1 else ""
    for x in found.to_dict("records"):
        name = " ".join(str(x[k]) for k in keys if x[k] == x[k] and x[k])
        many = bool(x.get("counted")) and x["counted"] == x["counted"]
        text = counted(x) if many else ", ".join(filter(None, [estimated(x), small_print(x, _places(x))]))
        name = name if many or said else ", ".join(filter(None, [_common(found), name]))
        said.append((f"{name}: " if name else "") + text + (f" ({x['why']})" if x["why"] != of_all else ""))
    return "; ".join(said) + (f" ({of_all})" if of_all else "")


def _spread(found: pd.DataFrame) -> str:
    """ "F1: -0.02 to +0.03", the least and the greatest estimate, if all lines have one measure."""
    if found[["measure", "unit"]].drop_duplicates().shape[0] > 1 or found["estimate"].isna().any():
        return ""
    ends = found.sort_values("estimate").iloc[[0, -1]].to_dict("records")
    low, high = (interval(x, _places(x))[0] for x in ends)
    what = ", ".join(filter(None, [found["measure"].iloc[0], found["unit"].iloc[0]]))
    return f"{what}: {low} to {high}"


def _sentences(*parts: str) -> str:
    """Parts that are there as sentences: of more than one each starts large."""
    there = [part for part in parts if part]
    return ". ".join([*there[:1], *(part[:1].upper() + part[1:] for part in there[1:])])


def _common(found: pd.DataFrame) -> str:
    """The measure, its unit, the dimension and what was compared, where all lines share it."""
    same = {k: found[k].iloc[0] for k in found if found[k].nunique(dropna=False) == 1}
    keys = [k for k in same if k not in FIELDS and not k.startswith("less ")]
    shown = [same[k] for k in keys if " less " in str(same[k])]
    said = [same[k] for k in ("measure", "unit", "dimension") if k in same and same[k] not in shown]
    return ", ".join(str(v) for v in [*said, *shown] if v == v and v)


def counted(x: Mapping[str, Any]) -> str:
    """ "cells ahead: by sign 5 of 6 (printed 6 of 6); 4 of 6 with an interval above zero"."""
    return f"{x['measure']}: {x['counted']}"


def estimated(x: Mapping[str, Any]) -> str:
    """ "+1.2 [0.4, 2.0]"."""
    return " ".join(filter(None, interval(x, _places(x))))


def small_print(x: Mapping[str, Any], digits: int) -> str:
    """ "printed +0.05", what the paper has for a line of ours, with a digit more than ours at most; else nothing."""
    if x["paper"] != x["paper"]:
        return ""
    places = min(len(f"{x['paper']:.10g}".partition(".")[2]), digits + 1)
    return f"printed {number(x['paper'], places, '+')}"


def beneath(p: Mapping[str, str]) -> str:
    """What was printed, or the paper's dash."""
    if not p["printed"]:
        return "–"
    return f"printed {p['printed']}" + (f" ± {p['spread']}" if p.get("spread") else "")


def named(table: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """Keys as headings: "a less b" where two were compared, "mean" where there is none."""
    there = table.reindex(columns=[*dict.fromkeys([*table, *keys])])
    there = there.assign(**{k: there[k].astype(object).where(there[k].notna(), MEAN) for k in keys})
    return compared(there, keys).astype(dict.fromkeys(keys, str))


def compared(table: pd.DataFrame, keys: Iterable[str]) -> pd.DataFrame:
    """Keys that name the difference, "a less b", where two were compared."""
    table = table.copy()
    for k in [k for k in keys if f"less {k}" in table]:
        less = table[f"less {k}"].fillna("").astype(str)
        table[k] = table[k].astype(object).where(less == "", table[k].astype(str) + " less " + less)
    return table


def placed(table: pd.DataFrame, down: list[str], across: list[str]) -> dict[At, dict[str, Any]]:
    """The line of each cell; refuses two in one."""
    found: dict[At, dict[str, Any]] = {}
    cells = zip(paths(table, down), paths(table, across), strict=True)
    for at, x in zip(cells, table.to_dict("records"), strict=True):
        if at in found:
            where = " ".join((*at[0], *at[1]))
            raise ValueError(f"two lines in one cell: {where}; select one, or lay out a key more")
        found[at] = x
    return found


def paths(table: pd.DataFrame, keys: list[str]) -> list[Heading]:
    return [*table[keys].fillna("").itertuples(index=False, name=None)] if len(table) else []


def starts(headings: Iterable[Heading]) -> list[Heading]:
    return [h[:i] for h in headings for i in range(1, len(h) + 1)]


def order(table: pd.DataFrame, keys: list[str], like: pd.DataFrame) -> list[Heading]:
    """The headings of a table: the paper's in its order, then others where their group first appears, means last."""
    printed = paths(like, keys) if set(keys) <= set(like) else []
    first: dict[Heading, int] = {}
    for at, start in enumerate(starts([*printed, *paths(table, keys)])):
        first.setdefault(start, at)
    shown = {*paths(table, keys), *(printed if table["verdict"].eq("").all() else ())}
    return sorted(shown, key=lambda h: [(s[-1] == MEAN, first[s]) for s in starts([h])])


def _digits(table: pd.DataFrame, tested: pd.Series, printed: pd.DataFrame) -> pd.Series:
    """Decimals a line: those of its measure's numbers, at most as many as were printed (three where none were)."""
    places = printed["printed"].str.partition(".")[2].str.len() if len(printed) else pd.Series(dtype=float)
    most = places.groupby(printed["measure"]).max() if len(printed) else {}
    of = table[~tested] if (~tested).any() else table
    enough = {m: digits_of(x, int(most.get(m, 3))) for m, x in of.groupby("measure")}
    return table["measure"].map(enough).fillna(3).astype(int)


def _places(x: Mapping[str, Any]) -> int:
    return digits_of(pd.DataFrame([{"sd": float("nan"), "low": x["low"], "high": x["high"]}]), 3)


def _read_as(x: Mapping[str, Any]) -> float:
    """The number as it reads, turned so that more is better: what reads equal is bold together."""
    return round(x["estimate"], x["digits"]) * x["better"]


def _read(key: str, name: str) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / key / f"{name}.csv", dtype=str, keep_default_na=False)


def _write(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False, float_format="%.12g")
