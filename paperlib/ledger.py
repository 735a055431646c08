"""The ledger: every number that a page shows, with where it came from; and the tables made of it."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from paperlib.companion.published import claims_for_runs
from paperlib.companion.runs import REPLAY, Result
from paperlib.files import ROOT, whole, write_text
from paperlib.stats import Interval, Verdict, mean_interval, verdict
from paperlib.tracks import Track

MAKING = "PAPERLIB_MAKING"
AHEAD, BEHIND = "ahead", "behind"  # answers to a question of ours: nothing was claimed that could hold or not


def variant(track: Track) -> str:
    """The folder name of a track's pages and figures; those that are kept, of the profile "full", have its name."""
    return track.name if track.profile == "full" else f"{track.name}-{track.profile}"


def kept_pages(repository: Path = ROOT) -> list[Path]:
    """The executed pages that are kept: not those of other profiles, whose folders `variant` names with a dash."""
    pages = (repository / "notebooks" / "executed").glob("*/*.ipynb")
    return sorted(page for page in pages if "-" not in page.parent.name)


def kept_outputs() -> Path:
    """The folder of all pages' tables, figures and ledgers; PAPERLIB_OUTPUTS replaces the repository's `figures`."""
    return Path(os.environ.get("PAPERLIB_OUTPUTS", ROOT / "figures"))


def outputs(track: Track, key: str) -> Path:
    """Where a paper's tables, figures and ledger go: where they are kept, or, in a kernel of `reproduce.execute`, first
    to a folder of its own, so that they appear together when the page is whole."""
    return Path(os.environ.get(MAKING, kept_outputs())) / variant(track) / key


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number: what it is, what the paper printed, what was measured and how surely.

    `spread` is the standard deviation over seeds (n - 1). `interval` says what low and high are.
    """

    artefact: str  # e.g. "foteinopoulou2021/table2"
    row: str
    column: str
    measured: float
    unit: str = ""  # "p": a probability, of which no more is shown than that it is small
    track: str
    profile: str
    data: str  # fingerprint
    n: int  # items behind the number
    values: tuple[float, ...] = ()  # one per seed
    spread: float = math.nan
    low: float = math.nan
    high: float = math.nan
    interval: str = ""
    printed: str = ""
    printed_on: str = ""
    claim: str = ""  # of the paper, in our words; a verdict without one answers a question of ours
    claim_id: str = ""  # the statement of the paper that it tests, a part or case of it; in claims.csv
    verdict: str = ""  # and the reason, after a colon; ahead or behind where there is no claim
    runs: tuple[str, ...] = ()  # keys of the runs behind it where they are of one kind; the ledger has all

    @property
    def seeds(self) -> int:
        return len(self.values)

    @property
    def ahead(self) -> bool:
        """Surely on the side that is claimed or asked for."""
        return answer(self.verdict) == AHEAD

    @property
    def behind(self) -> bool:
        """Surely on the other."""
        return answer(self.verdict) == BEHIND


@dataclass
class Ledger:
    """The entries of one paper on one track, in the order in which the page makes them."""

    key: str
    track: Track
    data: dict[str, str]  # what was read ("faces", "sequences") -> fingerprint
    results: Mapping[Any, Sequence[Result]] = field(
        default_factory=dict
    )  # all that the page rests on, by name
    entries: list[Entry] = field(default_factory=list)

    def add(
        self,
        artefact: str,
        row: str,
        column: str,
        *,
        source: str,
        n: int,
        values: Sequence[float] | None = None,
        interval: Interval | float | None = None,
        about: str = "",
        results: Iterable[Result] = (),
        **rest: Any,
    ) -> Entry:
        """Record a number: from `values`, one a seed, with the t interval of their mean; or a single one.

        `source` names the data in `self.data`; `about` says what an interval that is not over seeds is. With both, the
        mean and spread are those of `values`, the bounds those of `interval`.

        Raises:
            ValueError: a claim that names no statement of the paper in data/published/<key>/claims.csv.
        """
        if rest.get("claim") and rest.get("claim_id") not in claims_for_runs(self.key):
            raise ValueError(
                f"{artefact}, {row}: claim_id must be one of {', '.join(claims_for_runs(self.key))}"
            )
        measured: dict[str, Any]
        if values is not None:
            over = mean_interval(values)
            measured = {
                "measured": over.estimate,
                "values": tuple(float(v) for v in values),
                "spread": over.sd,
                "low": over.low,
                "high": over.high,
                "interval": about or f"95 % t interval over {over.n} seeds",
            }
            if isinstance(interval, Interval):
                measured |= {"low": interval.low, "high": interval.high}
        elif isinstance(interval, Interval):
            measured = {
                "measured": interval.estimate,
                "low": interval.low,
                "high": interval.high,
                "interval": about,
            }
        else:
            measured = {"measured": math.nan if interval is None else float(interval)}
        entry = Entry(
            artefact=f"{self.key}/{artefact}",
            row=row,
            column=column,
            track=self.track.name,
            profile=self.track.profile,
            data=self.data.get(source, ""),
            n=int(n),
            runs=tuple(r.key for r in results),
            **measured,
            **rest,
        )
        if not entry.claim:
            entry = replace(entry, verdict=answer(entry.verdict))
        self.entries.append(entry)
        return entry

    def over_seeds(
        self, artefact: str, row: str, column: str, values: Sequence[float], *, claim: str = "", **rest: Any
    ) -> Entry:
        """Record one value a seed; a difference, known by the minus sign in its row, or a claim gets a verdict.

        Differences are taken so that a positive one speaks for what is claimed or asked. Others as in `add`.
        """
        judged = bool(claim) or " - " in row
        judgement = str(verdict(mean_interval(values), 1)) if judged else ""
        return self.add(artefact, row, column, values=values, claim=claim, verdict=judgement, **rest)

    def not_attempted(self, artefact: str, claim: str, why: str, **rest: Any) -> Entry:
        """Record that a claim could not be tested on this track, and why."""
        verdict = f"{Verdict.NOT_ATTEMPTED}: {why}"
        return self.add(artefact, claim, "", source="", n=0, claim=claim, verdict=verdict, **rest)

    def table(self, artefact: str) -> ArtefactTable:
        entries = [e for e in self.entries if e.artefact == f"{self.key}/{artefact}"]
        if not entries:
            raise LookupError(f"nothing was recorded for {self.key}/{artefact}")
        return ArtefactTable(artefact=artefact, entries=entries)

    def verdicts(self) -> pd.DataFrame:
        """One line a claim of the paper: artefact, claim, verdict."""
        rows = [(e.artefact.partition("/")[2], e.claim, e.verdict) for e in self.entries if e.claim]
        return pd.DataFrame(rows, columns=["artefact", "claim", "verdict"])

    def _repr_html_(self) -> str:
        """The verdicts: all that a ledger says in one table."""
        caption = (
            f"{self.key} on track {self.track.name}, profile {self.track.profile}: verdicts on its claims."
        )
        return _html(self.verdicts(), caption, f"verdicts_{self.key}")

    def _of_another_machine(self) -> bool:
        """Whether a run would have another key here: then its recorded one says nothing of code and libraries here."""
        return any(r.key != r.run.key for group in self.results.values() for r in group)

    def write(self, path: Path) -> None:
        """Write the ledger as JSON, whole or not at all; NaN becomes null."""
        payload = {
            "key": self.key,
            "track": self.track.name,
            "profile": self.track.profile,
            "data": self.data,
            "replayed": REPLAY in os.environ and self._of_another_machine(),
            "runs": [_about(name, result) for name, group in self.results.items() for result in group],
            "entries": [_plain(asdict(e)) for e in self.entries],
        }
        write_text(path, json.dumps(payload, indent=1, allow_nan=False) + "\n")


def answer(verdict: str) -> str:
    """A verdict in the words of a question that is ours."""
    for was, said in ((Verdict.HELD, AHEAD), (Verdict.DID_NOT_HOLD, BEHIND)):
        if verdict.partition(":")[0] == was:
            return said + verdict.removeprefix(was)
    return verdict


def _about(name: Any, result: Result) -> dict[str, Any]:
    """A run as a ledger lists it: what the page calls its group, what it was asked, and what came out."""
    run = result.run
    return {
        "name": ", ".join(map(str, name)) if isinstance(name, tuple) else str(name),
        "key": result.key,
        "fingerprint": result.fingerprint,
        "task": run.task,
        "settings": dict(run.settings),
        "seed": run.seed,
    }


@dataclass(frozen=True)
class ArtefactTable:
    """Printed beside measured beside verdict; shows itself in a notebook, saves itself as CSV and LaTeX."""

    artefact: str
    entries: Sequence[Entry]

    @property
    def frame(self) -> pd.DataFrame:
        """One line an entry, with words and rounded numbers as the page shows them."""
        lines = [
            {
                "row": e.row,
                "column": e.column,
                "printed": f"{e.printed} ({e.printed_on})" if e.printed and e.printed_on else e.printed,
                "measured": _number(e),
                "95 % interval": _interval(e),
                "n": e.n or "",
                "seeds": e.seeds or "",
                "verdict": e.verdict,
            }
            for e in self.entries
        ]
        frame = pd.DataFrame(lines)
        return frame.loc[:, (frame != "").any()]

    @property
    def caption(self) -> str:
        first = self.entries[0]
        kinds = sorted({e.interval for e in self.entries if e.interval})
        parts = [f"{first.artefact}. Track {first.track}, profile {first.profile}"]
        if any(e.seeds for e in self.entries):
            parts.append("mean ± standard deviation over seeds")
        return "; ".join([*parts, *(f"interval: {k}" for k in kinds)]) + "."

    @property
    def wide(self) -> pd.DataFrame:
        """The measured numbers as the page shows them, a line a row and a column a column."""
        cells = {(e.row, e.column): _number(e) for e in self.entries}
        rows, columns = (list(dict.fromkeys(names)) for names in zip(*cells, strict=True))
        lines = [[cells.get((r, c), "") for c in columns] for r in rows]
        return pd.DataFrame(lines, index=pd.Index(rows), columns=columns)

    def save(self, folder: Path) -> None:
        """Write <artefact>.csv and .tex into the folder, which is made; each appears whole or not at all."""
        with whole(folder / f"{self.artefact}.csv") as partial:
            self.frame.to_csv(partial, index=False)
        styler = self.frame.style.hide(axis="index").format(escape="latex")
        styler = styler.format_index(escape="latex", axis="columns")
        caption = self.caption.translate({ord(c): f"\\{c}" for c in "%&#_$"})
        latex = styler.to_latex(hrules=True, caption=caption)
        write_text(folder / f"{self.artefact}.tex", latex.replace("±", r"$\pm$"))

    def text(self) -> str:
        """Fixed-width lines for a checked cell: compared to the letter when the page is tested."""
        columns = [c for c in ("row", "column", "measured", "n", "seeds", "verdict") if c in self.frame]
        cells = [columns, *self.frame[columns].astype(str).to_numpy().tolist()]
        widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
        return "\n".join(
            "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in cells
        )

    def __repr__(self) -> str:
        return self.text()

    def _repr_html_(self) -> str:
        return _html(self.frame, self.caption, self.artefact)


def _html(frame: pd.DataFrame, caption: str, name: str) -> str:
    """A table with its verdicts shaded; `name` is its id, so that a page run twice is the same page."""
    colours = {
        Verdict.HELD: "#d7ecd9",
        Verdict.DID_NOT_HOLD: "#f6d9c5",
        Verdict.CANNOT_TELL: "#eeeeee",
    }

    def shade(verdict: object) -> str:
        colour = colours.get(str(verdict).partition(":")[0])  # type: ignore[call-overload]
        return f"background-color: {colour}; color: black" if colour else ""

    styler = frame.style.hide(axis="index").format(escape="html").set_caption(caption)
    styler = styler.set_uuid(name).set_table_styles([{"selector": "th, td", "props": "text-align: left"}])
    if "verdict" in frame:
        styler = styler.map(shade, subset=["verdict"])
    return styler.to_html()


def _number(entry: Entry) -> str:
    if math.isnan(entry.measured):
        return ""
    if entry.unit == "p" and entry.measured < 0.0005:
        return "< 0.001"
    if entry.seeds > 1:
        return f"{entry.measured:.3f} ± {entry.spread:.3f}"
    return f"{entry.measured:.3f}"


def _interval(entry: Entry) -> str:
    return "" if math.isnan(entry.low) else f"[{entry.low:.3f}, {entry.high:.3f}]"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
