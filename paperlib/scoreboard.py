"""The scoreboard: every number and claim of all papers' pages in one frame, read from their ledgers.

Nothing is measured here. A page's `ledger.json` says what the paper printed, what was measured and what became of the
claim; this module sets the papers side by side and finds the cell of the executed page that shows each artefact.
"""

from __future__ import annotations

import html
import json
import math
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from filelock import FileLock
from pandas.io.formats.style import Styler
from statsmodels.stats.multitest import multipletests

from paperlib.audit import Status, run_audit
from paperlib.companion.published import read_claims
from paperlib.companion.reproduce import NOTEBOOKS, PAPERS
from paperlib.companion.runs import REPLAY
from paperlib.files import CACHE, ROOT, whole
from paperlib.ledger import Entry, Ledger, kept_outputs, variant
from paperlib.papers import TRACKS_OF
from paperlib.readme import README, markdown_table, put_between
from paperlib.stats import IN_PART, MIXED, Verdict, combined, p_of_interval
from paperlib.tracks import Track

OURS = ("same_faces",)
COLUMNS = (
    "paper",
    "artefact",
    "row",
    "column",
    "claim",
    "claim_id",
    "printed",
    "printed_on",
    "measured",
    "spread",
    "low",
    "high",
    "interval",
    "n",
    "seeds",
    "unit",
    "track",
    "profile",
    "data",
    "verdict",
    "reason",
    "page",
    "cell",
    "anchor",
)
VERDICTS = tuple(str(v) for v in Verdict)
ON_STATEMENTS = (VERDICTS[0], IN_PART, MIXED, *VERDICTS[1:])
FRONT = ("<!-- scoreboard: from the last run -->", "<!-- end of scoreboard -->")
ANSWERS = ("<!-- same faces: from the last run -->", "<!-- end of same faces -->")
LIMITS = {  # what a reader of a track's verdicts must know, whatever the paper
    "ferplus": (
        "",
        "Nobody rated the valence or arousal of these faces: each vote for a category was placed at its point on the "
        "circumplex. Where a line speaks of them, of their variance or of raters of them, it is about votes so placed.",
    ),
}
ASIDE = {  # likewise of a paper's, whatever the track
    "le2023": " *As printed* is LDLVA by its equations there, but for γ and λ's step, which were tuned here.",
}
KEPT = {"twin": "the twin", "ferplus": "FER+"}  # tracks whose pages are kept -> what they are called


def gather(
    track: str = "twin",
    profile: str = "full",
    *,
    papers: Sequence[str] | None = None,
    figures: Path | None = None,
) -> pd.DataFrame:
    """Every entry of the papers' ledgers on a track, one a line, in the papers' order and the pages'.

    Columns are `COLUMNS`. `verdict` holds a verdict's first words ("" for a number that no claim or question rests on)
    and `reason` what follows them. `claim` is "" where a verdict answers a question of ours. `seeds` is how many values
    are behind the number, 0 where it has none of its own. `page` is the executed notebook relative to `notebooks/`,
    `cell` the id of its cell that shows the artefact, `anchor` the HTML id of the table in it; see `link`.

    `papers` are keys of `PAPERS`; by default all whose ledger is there, and `absent` names the others. `figures` is the
    folder that holds <variant>/<paper>/ledger.json, by default where the pages write.

    Raises:
        ValueError: no such track, profile or paper; a ledger is damaged, or of another paper, track or profile.
        FileNotFoundError: a paper of `papers` has no ledger here, or, by default, none has.
    """
    of = _track(track, profile)
    if unknown := [key for key in papers or () if key not in PAPERS]:
        raise ValueError(f"no paper {', '.join(unknown)}; there are {', '.join(PAPERS)}")
    paths = {key: ledger_path(track, profile, key, figures) for key in PAPERS}
    wanted = [key for key in PAPERS if paths[key].is_file()] if papers is None else list(papers)
    if not wanted:
        raise FileNotFoundError(
            f"no paper has a ledger on track {track}, profile {profile}; "
            f"make them: {command(track, profile, '')}"
        )
    lines: list[dict[str, Any]] = []
    for key in wanted:
        entries = read_ledger(paths[key], key=key, track=track, profile=profile)["entries"]
        page = Path("executed", variant(of), f"{PAPERS[key]}.ipynb")
        cells = find_cells(NOTEBOOKS / page, dict.fromkeys(e.artefact.partition("/")[2] for e in entries))
        lines += [_line(key, e, page, cells) for e in entries]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def ledger_path(track: str, profile: str, key: str, figures: Path | None = None) -> Path:
    """Where a paper's ledger lies.

    Under PAPERLIB_REPLAY these are the committed ones: pages that are checked are compared with what was committed, and
    the scoreboard is checked before the pages that would write new ledgers.
    """
    if figures is None:
        figures = ROOT / "figures" if REPLAY in os.environ else kept_outputs()
    return figures / variant(_track(track, profile)) / key / "ledger.json"


def read_ledger(path: Path, *, key: str, track: str, profile: str) -> dict[str, Any]:
    """A ledger as `Ledger.write` wrote it: key, track, profile, data, runs, and `entries` as `Entry`.

    Raises:
        FileNotFoundError, ValueError: as in `gather`; the message names the file and the command that makes it again.
    """
    again, name = command(track, profile, key), relative(path)
    if not path.is_file():
        raise FileNotFoundError(f"{key} has no ledger on track {track}, profile {profile}: {again}")
    try:
        stated = read_json(path)
        if not isinstance(stated, dict) or not isinstance(stated.get("entries"), list):
            raise ValueError("it has no list of entries")
        if not isinstance(stated.get("data"), dict):
            raise ValueError("it does not say which data were read")
        if not isinstance(stated.get("replayed"), bool) or not all(map(_is_run, stated.get("runs", [None]))):
            raise ValueError("it does not say which runs it rests on")
        entries = [entry_of(values) for values in stated["entries"]]
    except ValueError as error:
        raise ValueError(f"{name} is damaged: {error}; make it again: {again}") from None
    for field, value in (("key", key), ("track", track), ("profile", profile)):
        others = {stated.get(field)} | ({getattr(e, field) for e in entries} if field != "key" else set())
        if others != {value}:
            found = ", ".join(sorted(map(str, others - {value})))
            raise ValueError(f"{name} is of {field} {found}, not {value}; make it again: {again}")
    return {**stated, "entries": entries}


def read_json(path: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is no JSON; has NaN or Infinity, which JSON has not; or nests deeper than Python reads.
    """

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    try:
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    except RecursionError:
        raise ValueError("no JSON that can be read: it nests too deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON: {error}") from None


def _is_run(values: Any) -> bool:
    kinds = {"name": str, "key": str, "fingerprint": str, "task": str, "settings": dict, "seed": int}
    return isinstance(values, dict) and all(isinstance(values.get(k), kind) for k, kind in kinds.items())


def entry_of(values: Any) -> Entry:
    """An `Entry` of its JSON form, in which null is NaN.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    if not isinstance(values, dict):
        raise ValueError(f"an entry is {type(values).__name__}, not an object")
    where = "/".join(str(values.get(k, "?")) for k in ("artefact", "row", "column"))
    known = {f.name: f for f in fields(Entry)}
    if wrong := sorted(values.keys() ^ known.keys()):
        optional = {name for name, f in known.items() if f.default is not MISSING}
        wrong = [name for name in wrong if name not in optional or name in values]
        if wrong:
            kind = "unknown" if wrong[0] in values else "missing"
            raise ValueError(f"entry {where}: field {wrong[0]} is {kind}")
    read: dict[str, Any] = {}
    for name, value in values.items():
        kind = str(known[name].type)
        if kind == "float" and value is None:
            read[name] = math.nan
            continue
        if kind.startswith("tuple"):
            inner = "str" if "str" in kind else "float"
            fits = isinstance(value, list) and all(_is(v, inner) for v in value)
            value = tuple(value) if fits else value
        else:
            fits = _is(value, kind)
        if not fits:
            raise ValueError(f"entry {where}: field {name} is {value!r:.60}, which is no {kind}")
        read[name] = value
    return Entry(**read)


def _is(value: Any, kind: str) -> bool:
    """Is it a "str", an "int", or a finite number that a "float" can hold?"""
    if kind == "str":
        return isinstance(value, str)
    if isinstance(value, bool) or not isinstance(value, int if kind == "int" else int | float):
        return False
    return kind == "int" or abs(value) <= sys.float_info.max


def absent(track: str = "twin", profile: str = "full", figures: Path | None = None) -> dict[str, str]:
    """The papers without a ledger here, each with the reason: it has nothing to do on the track, or how to make it."""
    why = {}
    for key in PAPERS:
        if ledger_path(track, profile, key, figures).is_file():
            continue
        tracks = TRACKS_OF[key]
        able = track in tracks
        why[key] = (
            f"not made yet: {command(track, profile, key)}"
            if able
            else f"{track} has not the data that it needs; it is for {', '.join(tracks)}"
        )
    return why


def statements(frame: pd.DataFrame) -> pd.DataFrame:
    """One line a statement of a paper, of those that `frame` has lines on, in the papers' order.

    Columns: paper, id and statement (of claims.csv, in our words), where (the paper makes it), verdict, lines (how many
    have which verdict), artefacts. See `stats.combined` for the verdict.
    """
    found = []
    for key, of_paper in claims(frame).groupby("paper", sort=False):
        stated = read_claims(str(key))
        for name in [name for name in stated.index if name in set(of_paper["claim_id"])]:
            of = of_paper[of_paper["claim_id"] == name]
            found.append(
                {
                    "paper": key,
                    "id": name,
                    "statement": stated.loc[name, "claim"],
                    "where": stated.loc[name, "where"],
                    "verdict": combined(of["verdict"]),
                    "lines": ", ".join(
                        f"{n} {v}" for v in VERDICTS if (n := int((of["verdict"] == v).sum()))
                    ),
                    "artefacts": ", ".join(dict.fromkeys(of["artefact"])),
                }
            )
    return pd.DataFrame(found, columns=["paper", "id", "statement", "where", "verdict", "lines", "artefacts"])


def summary(frame: pd.DataFrame) -> pd.DataFrame:
    """How many of the papers' statements met each verdict, a line a paper and one for all; then our own questions.

    Columns: ON_STATEMENTS, "statements" (their sum), "lines" (of tables, that test them), "questions of ours"
    (verdicts that rest on no statement of the paper) and "numbers" (measured ones).
    """
    stated = statements(frame)
    lines = {}
    for key in [*dict.fromkeys(frame["paper"]), "all"]:
        of = frame if key == "all" else frame[frame["paper"] == key]
        said = stated if key == "all" else stated[stated["paper"] == key]
        counts = said["verdict"].value_counts()
        lines[key] = {
            **{v: int(counts.get(v, 0)) for v in ON_STATEMENTS},
            "statements": len(said),
            "lines": len(claims(of)),
            "questions of ours": int(((of["claim"] == "") & (of["verdict"] != "")).sum()),
            "numbers": int(of["measured"].notna().sum()),
        }
    return pd.DataFrame(lines).T


def claims(frame: pd.DataFrame) -> pd.DataFrame:
    """The lines of `frame` that test a statement of a paper, or say why it was not tested."""
    return frame[frame["claim"] != ""].reset_index(drop=True)


def claim_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """`claims` as a page shows them: words, rounded numbers, and where to find them (page, cell, anchor).

    `of` is the column that the number stands in, such as a metric; `interval` says what was drawn anew. Columns that
    are empty throughout are left out.
    """
    number = frame["measured"].map(lambda v: "" if math.isnan(v) else f"{v:.3f}")
    spread = frame["spread"].map(lambda v: "" if math.isnan(v) else f" ± {v:.3f}")
    bounds = zip(frame["low"], frame["high"], strict=True)
    on = frame["printed_on"].map(lambda data: f" ({data})" if data else "")
    lines = pd.DataFrame(
        {
            "artefact": frame["artefact"],
            "statement": frame["claim_id"],
            "claim": frame["claim"],
            "of": frame["column"],
            "printed": (frame["printed"] + on).where(frame["printed"] != "", ""),
            "measured": number + spread,
            "95 % interval": ["" if math.isnan(low) else f"[{low:.3f}, {high:.3f}]" for low, high in bounds],
            "interval": frame["interval"].where(frame["low"].notna(), "").str.removeprefix("95 % "),
            "n": frame["n"].map(lambda n: str(n) if n else ""),
            "seeds": frame["seeds"].map(lambda k: str(k) if k else ""),
            "verdict": frame["verdict"],
            "reason": frame["reason"],
        }
    )
    return lines.loc[:, (lines != "").any()].join(frame[["page", "cell", "anchor"]])


def interval_kinds(frame: pd.DataFrame) -> pd.DataFrame:
    """How many of `claims` have which verdict, by paper and by what their intervals are over.

    A t interval over seeds speaks of other trainings on the same people and pictures; a bootstrap draws these anew.
    """
    of = claims(frame)
    kinds = ("seeds alone", "people, pictures or recordings", "no interval")
    kind = np.select(
        [of["low"].isna(), of["interval"].str.contains("t interval")], [kinds[2], kinds[0]], kinds[1]
    )
    lines = pd.DataFrame({"paper": of["paper"], "interval over": kind, "verdict": of["verdict"]})
    counts = lines.groupby(["paper", "interval over", "verdict"], sort=False).size().unstack(fill_value=0)
    order = [(paper, k) for paper in dict.fromkeys(of["paper"]) for k in kinds]
    columns = [v for v in VERDICTS if v in counts]
    return counts.reindex([pair for pair in order if pair in counts.index])[columns].rename_axis(columns=None)


def judged_together(frame: pd.DataFrame) -> pd.DataFrame:
    """How many verdicts remain if all lines of a paper are judged together (Holm 1979, at 5 %), one line a paper.

    Judged are the lines that test a statement by an interval, unless a reason decides. p is `stats.p_of_interval`'s.
    Columns: lines (judged), and for *held* and *did not hold* how many and how many of these remain.
    """
    of = claims(frame)
    of = of[of["low"].notna() & (of["reason"] == "")]
    decided = (str(Verdict.HELD), str(Verdict.DID_NOT_HOLD))
    counted = {}
    for key, lines in of.groupby("paper", sort=False):
        numbers = zip(lines["measured"], lines["low"], lines["high"], lines["seeds"], strict=True)
        p = [p_of_interval(middle, low, high, seeds=seeds) for middle, low, high, seeds in numbers]
        remains = multipletests(p, method="holm")[0]
        counted[key] = [len(lines)]
        for so in [(lines["verdict"] == verdict).to_numpy() for verdict in decided]:
            counted[key] += [int(so.sum()), int((so & remains).sum())]
    columns = ["lines", *(column for verdict in decided for column in (verdict, f"{verdict}, remain"))]
    return pd.DataFrame(counted, index=columns, dtype=int).T


def artefacts(frame: pd.DataFrame) -> pd.DataFrame:
    """One line an artefact: how many numbers were measured and printed, from how many seeds and items, which verdicts.

    Columns: paper, artefact, measured, printed, both (numbers that have the two), seeds and n (the largest), a count of
    each verdict on claims, questions of ours (those with a verdict); page, cell and anchor.
    """
    lines = []
    for (key, artefact), of in frame.groupby(["paper", "artefact"], sort=False):
        measured, printed = of["measured"].notna(), of["printed"] != ""
        counts = claims(of)["verdict"].value_counts()
        place: dict[str, Any] = {name: of[name].iloc[0] for name in ("page", "cell", "anchor")}
        lines.append(
            {
                "paper": key,
                "artefact": artefact,
                "measured": int(measured.sum()),
                "printed": int(printed.sum()),
                "both": int((measured & printed).sum()),
                "seeds": int(of["seeds"].max()),
                "n": int(of["n"].max()),
                **{v: int(counts.get(v, 0)) for v in VERDICTS},
                "questions of ours": int(((of["claim"] == "") & (of["verdict"] != "")).sum()),
                **place,
            }
        )
    return pd.DataFrame(lines)


def verdict_counts(frame: pd.DataFrame) -> dict[str, dict[str, dict[str, int]]]:
    """{heading: {paper: {verdict: count}}} for `plots_scoreboard.verdict_bars`: of statements, and of ours."""
    ours = frame[(frame["verdict"] != "") & (frame["claim"] == "")]
    parts = {"the papers' statements": statements(frame), "questions of ours": ours}
    return {
        heading: {
            key: of[of["paper"] == key]["verdict"].value_counts().to_dict()
            for key in dict.fromkeys(frame["paper"])
        }
        for heading, of in parts.items()
    }


def sentence(frame: pd.DataFrame, lacking: Mapping[str, str] = MappingProxyType({})) -> str:
    """What came of all statements, in words made of `summary`'s numbers; `lacking` as `absent` gives it. Markdown."""
    counts = summary(frame)
    track, profile = frame["track"].iloc[0], frame["profile"].iloc[0]
    where = f"track `{track}`, profile `{profile}`"
    names = [key for key in counts.index.drop("all") if key not in OURS]
    total = counts.loc["all"]
    words = [
        f"On {where}, {_many(len(names), 'paper')} and {_many(total['statements'], 'statement')}, "
        f"tested in {_many(total['lines'], 'line')} of their tables: {_of_each(total)}."
    ]
    for key in names:
        line = counts.loc[key]
        words.append(
            f"- **{key}**: of {_many(line['statements'], 'statement')} {_of_each(line) or 'none was judged'}."
            f"{ASIDE.get(key, '')}"
        )
    words += [
        f"- **{key}**: a page of our own, {_many(line['questions of ours'], 'comparison')} and no statement of a paper."
        for key, line in counts.loc[counts.index.isin(OURS)].iterrows()
    ]
    words += [f"- **{key}**: not on this page; {why}." for key, why in lacking.items()]
    return _track(track, profile).caution + "\n".join([words[0], "", *words[1:], *LIMITS.get(track, ())])


def front(frames: Mapping[str, pd.DataFrame], findings: pd.DataFrame) -> str:
    """The README's tables, Markdown: what came of the papers' statements, a line a paper and track; and the audit.

    Args:
        frames: what is said of a track, such as "the twin" -> its frame (as `gather` has them).
        findings: of `paperlib.audit.run_audit`.
    """
    names = [key for key in PAPERS if key not in OURS]
    heads = [*ON_STATEMENTS, "statements"]
    lines = []
    for where, frame in frames.items():
        counts = summary(frame)
        for key in [*names, "all"]:
            cells = [str(counts.loc[key, head]) for head in heads] if key in counts.index else ["no page"]
            named = f"**all on {where}**" if key == "all" else f"{key} on {where}"
            lines.append([named, *cells, *[""] * (len(heads) - len(cells))])
    together = {where: judged_together(frame).sum() for where, frame in frames.items()}
    remain = "; ".join(
        f"on {where} {of['held, remain']} of {of['held']} lines that held, and {of['did not hold, remain']} of "
        f"{of['did not hold']} that did not"
        for where, of in together.items()
    )
    printed = audit_counts(findings)
    others = [str(s) for s in (Status.DIFFERS, Status.IMPOSSIBLE, Status.NOT_CHECKABLE, Status.OURS)]
    audited = pd.concat(
        {
            "agree": printed[str(Status.MATCHES)] + printed[str(Status.WITHIN_ROUNDING)],
            **{status: printed[status] for status in others},
            "findings": printed["findings"],
        },
        axis=1,
    )
    checked = [["**all**" if key == "all" else str(key), *map(str, of)] for key, of in audited.iterrows()]
    return "\n\n".join(
        [
            markdown_table(["statements of", *heads], lines),
            f"With all lines of a paper judged together (Holm's method), these verdicts remain: {remain}.",
            "And the printed numbers of each paper, checked against each other:",
            markdown_table(["printed numbers of", *audited.columns], checked),
        ]
    )


def same_faces_answers(figures: Path | None = None) -> str:
    """What the page of all methods says in plain words, Markdown: a point a track whose page is kept."""
    from paperlib.papers import same_faces  # here, because it imports torch

    points = []
    for track, name in KEPT.items():
        path = ledger_path(track, "full", same_faces.KEY, figures)
        if path.is_file():
            stated = read_ledger(path, key=same_faces.KEY, track=track, profile="full")
            ledger = Ledger(same_faces.KEY, _track(track, "full"), stated["data"], entries=stated["entries"])
            try:
                words = same_faces.plain_answer(ledger)
            except LookupError:
                words = f"Its ledger is of older code: `{command(track, 'full', same_faces.KEY)}`."
            points.append(f"- **On {name}.** {words}")
    return "\n".join(points)


def renew_front(readme: Path = README, figures: Path | None = None) -> None:
    """Put `front`'s tables and `same_faces_answers` of the pages that are kept into the README; see `put_between`."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "readme.lock"):  # two tracks' scoreboards may be made at once
        frames = {
            name: gather(track, "full", figures=figures)
            for track, name in KEPT.items()
            if len(absent(track, "full", figures)) < len(PAPERS)
        }
        put_between(FRONT, front(frames, run_audit()), readme)
        put_between(ANSWERS, same_faces_answers(figures), readme)


def audit_counts(findings: pd.DataFrame) -> pd.DataFrame:
    """How many findings of `paperlib.audit.run_audit` have each status, a line a paper and one for all."""
    counts = pd.crosstab(findings["key"], findings["status"]).reindex(
        index=[key for key in PAPERS if key in set(findings["key"])],
        columns=[str(s) for s in Status],
        fill_value=0,
    )
    counts.loc["all"] = counts.sum()
    return counts.assign(findings=counts.sum(axis=1)).rename_axis(index=None, columns=None)


def amiss(findings: pd.DataFrame, key: str) -> pd.DataFrame:
    """A paper's findings that do not match or are impossible as printed, in the audit's own words."""
    wrong = findings["status"].isin([Status.DIFFERS, Status.IMPOSSIBLE])
    shown = ["artefact", "status", "check", "printed", "recomputed", "note"]
    of = findings.loc[wrong & (findings["key"] == key), shown]
    return of.assign(artefact=of["artefact"].str.partition("/")[2])


def linked(frame: pd.DataFrame, name: str, caption: str = "") -> Styler:
    """A table of the page whose artefacts are links to the cells that show them; `name` becomes its HTML id.

    `page`, `cell` and `anchor`, where the frame has them, go into the links and are not shown. Links lead from a page
    to its neighbours in one folder.
    """
    shown = frame.drop(columns=["page", "cell", "anchor"], errors="ignore").reset_index(drop=True)
    if "page" in frame:
        ways = zip(frame["page"].map(os.path.basename), frame["cell"], frame["artefact"], strict=True)
        shown["artefact"] = [f'<a href="{link(page, cell)}">{html.escape(a)}</a>' for page, cell, a in ways]
    words = [
        c for c in shown if shown[c].dtype.kind not in "iuf" and (c != "artefact" or "page" not in frame)
    ]
    styler = shown.style.hide(axis="index").format(escape="html", subset=words).set_uuid(name)
    if caption:
        styler = styler.set_caption(caption)
    return styler.set_table_styles([{"selector": "th, td", "props": "text-align: left"}])


def save(frame: pd.DataFrame, folder: Path) -> None:
    """Write numbers.csv (every line of `gather`), statements, claims and artefacts.csv into a folder, which is made."""
    made = {"numbers": frame, "statements": statements(frame), "claims": claims(frame)}
    for name, table in (made | {"artefacts": artefacts(frame)}).items():
        with whole(folder / f"{name}.csv") as partial:
            table.to_csv(partial, index=False)


def find_cells(page: Path, artefacts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Where an executed page shows each artefact: the id of the cell and the HTML id of its table.

    An artefact that is too wide for one table is found by the cell that makes it, and the first table from there on.
    Both are "" where the page does not show it, or is not there.
    """
    if not page.is_file():
        return {name: ("", "") for name in artefacts}
    cells = [c for c in nbformat.read(page, as_version=4).cells if c.cell_type == "code"]
    tables = [(i, c.id, f"T_{name}") for i, c in enumerate(cells) for name in _tables(c)]
    found = {}
    for name in artefacts:
        made = [i for i, c in enumerate(cells) if f"study.{name}()" in c.source]
        places = [(cell, anchor) for _, cell, anchor in tables if anchor == f"T_{name}"]
        places += [(cell, anchor) for i, cell, anchor in tables if made and i >= made[0]]
        found[name] = places[0] if places else ("", "")
    return found


def link(page: str, cell: str, *, anchor: str = "") -> str:
    """A link to a cell: `page`#cell-id=`cell`, or `page`#`anchor` where one is given; the page alone without both.

    JupyterLab goes to the cell by the first form. Pages exported to HTML by nbconvert have the same ids on their cells,
    with .html for .ipynb. A site that keeps only the tables' HTML ids, as Sphinx's does, needs the second form and its
    own file name. GitHub's view opens the page at its top.
    """
    fragment = anchor or (f"cell-id={cell}" if cell else "")
    return f"{page}#{fragment}" if fragment else page


def relative(path: Path) -> str:
    """A path as messages and records name it: from the repository's root where it lies inside, else its last parts."""
    inside = path.resolve().is_relative_to(ROOT)
    return path.resolve().relative_to(ROOT).as_posix() if inside else Path(*path.parts[-3:]).as_posix()


def command(track: str, profile: str, key: str) -> str:
    """The command that makes a paper's ledger, or with "" all; `make` settings that are the default are left out."""
    settings = {
        "TRACK": track,
        "DATA": "" if track == "twin" else "<folder>",
        "PROFILE": profile,
        "PAPER": key,
    }
    defaults = {"TRACK": "twin", "PROFILE": "full"}
    said = [f"{name}={value}" for name, value in settings.items() if value and value != defaults.get(name)]
    return " ".join(["make reproduce", *said])


def _line(key: str, entry: Entry, page: Path, cells: dict[str, tuple[str, str]]) -> dict[str, Any]:
    artefact = entry.artefact.partition("/")[2]
    verdict, _, reason = entry.verdict.partition(": ")
    cell, anchor = cells[artefact]
    of_entry = {name: getattr(entry, name) for name in COLUMNS if hasattr(entry, name)}
    return of_entry | {
        "paper": key,
        "artefact": artefact,
        "verdict": verdict,
        "reason": reason,
        "page": page.as_posix(),
        "cell": cell,
        "anchor": anchor,
    }


def _of_each(counts: Any) -> str:
    return ", ".join(f"{counts[v]} *{v}*" for v in ON_STATEMENTS if counts[v])


def _many(count: Any, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _tables(cell: Any) -> list[str]:
    shown = "".join("".join(o.get("data", {}).get("text/html", "")) for o in cell.get("outputs", []))
    return re.findall(r'<table id="T_(\w+)"', shown)


def _track(track: str, profile: str) -> Track:
    return Track(name=track, profile=profile, root="not read")
