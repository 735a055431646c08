"""The certificate: what a run found and under which circumstances, as JSON; and its comparison with a new run.

    make verify PROFILE=full         # the committed one, of the twin
    make verify CERTIFICATE=<file>       # another's; one that this run wrote itself says nothing

A certificate holds every number of the scoreboard. Two runs are compared number by number:

- Where nothing was trained anew (what the runs gave has the same fingerprints, or was recorded), a number must be the
  same to nine digits: the same predictions on another processor differ by the order of a sum, no more.
- Where networks were trained anew, a mean over k seeds may move by the half-width of the 95 % prediction interval of
  the mean of k' new ones, t(k - 1) s sqrt(1/k + 1/k'), with the certificate's spread s. A number without seeds but with
  an interval must lie in the certificate's. One with neither, such as a p value, cannot be judged: the summary says how
  many these are, and that the two agree in "all that can be told" only.
- By chance one in twenty numbers trained anew lies outside. They are counted as differing all the same, and the
  summary says how many chance alone would give.
- What was printed, units, claims and the statements that they test, numbers of items, and the fingerprints of the data,
  of a paper's and of each number's, must be equal; so must a number's runs, where nothing was trained anew. A verdict
  that changed is always named, also where its numbers are within tolerance.
- Neither may have a number, a paper, a seed or a finding of the audit that the other lacks, nor another number
  of runs of a paper.
- Which runs these are, and whether they gave something else, is counted among the circumstances: another library or
  another arithmetic makes other runs of them all.

A file that contradicts itself is no certificate and is refused: where a mean is not that of its values, a verdict
without a reason not that of its interval, or a p value not between 0 and 1. Whoever changes a number and all that
follows from it is not found out by the file alone, but by a new run.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from scipy import stats

from paperlib.audit import Status, papers, run_audit
from paperlib.companion.provenance import libraries, source_fingerprint
from paperlib.companion.reproduce import NOTEBOOKS, PAPERS, SCOREBOARD
from paperlib.files import CACHE, ROOT, write_text
from paperlib.ledger import Entry, answer, outputs, variant
from paperlib.scoreboard import absent, command, entry_of, ledger_path, read_json, read_ledger, relative
from paperlib.stats import Interval, Verdict, mean_interval, verdict
from paperlib.tracks import PROFILES, TRACKS, Track
from paperlib.training import native_precision

FORMAT = 2
FURTHER_LIBRARIES = ("matplotlib", "opensmile", "pandas", "scipy", "statsmodels")
OVER_SEEDS = "95 % t interval over {} seeds"  # as `Ledger.add` calls it
ROUNDING = 1e-9  # relative, of sums taken in another order
LEVEL = 0.95
# What decides a number; figures and executed pages are made of it, and differ while they are made.
SOURCES = ("paperlib", "data", ":(glob)notebooks/*.ipynb", "requirements.lock", "pyproject.toml")


class Outcome(StrEnum):
    """What became of a certified number in a new run."""

    SAME = "same"
    WITHIN = "within tolerance"
    CANNOT_TELL = "changed, without an interval to judge it by"
    DIFFERS = "differs"
    MISSING = "missing from the run"
    NEW = "not in the certificate"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One compared number: which, what became of it, and in words what differs ("" where nothing does)."""

    name: str  # paper/artefact, row, column
    outcome: Outcome
    detail: str = ""
    trained_anew: bool = False


@dataclass(frozen=True, kw_only=True)
class Report:
    """A certificate beside a new run. All but `lines` are sentences on what changed."""

    lines: tuple[Line, ...]
    verdicts: tuple[str, ...]
    data: tuple[str, ...]
    runs: tuple[str, ...]  # a paper's seeds, and how many runs it has
    audit: tuple[str, ...]
    circumstances: tuple[str, ...]  # may differ: they explain, and decide nothing

    @property
    def ok(self) -> bool:
        """Nothing that can be told differs: see `untold` for what cannot."""
        bad = {Outcome.DIFFERS, Outcome.MISSING, Outcome.NEW}
        changed = self.verdicts or self.data or self.runs or self.audit
        return not (changed or any(line.outcome in bad for line in self.lines))

    @property
    def untold(self) -> int:
        """How many numbers changed that nothing judges."""
        return sum(line.outcome is Outcome.CANNOT_TELL for line in self.lines)

    def text(self, most: int = 10) -> str:
        """The counts, then the first `most` of each kind of difference, one a line."""
        counts = Counter(line.outcome for line in self.lines)
        said = [f"{len(self.lines)} numbers: {', '.join(f'{counts[o]} {o}' for o in Outcome if counts[o])}"]
        judged = [x for x in self.lines if x.trained_anew and x.outcome in (Outcome.WITHIN, Outcome.DIFFERS)]
        if judged:
            outside = sum(line.outcome is Outcome.DIFFERS for line in judged)
            said.append(
                f"{outside} of {len(judged)} numbers trained anew lie outside their 95 % prediction interval; "
                f"chance alone gives about {(1 - LEVEL) * len(judged):.0f}"
            )
        differing = [f"{x.name}: {x.outcome}{f' ({x.detail})' if x.detail else ''}" for x in self._changed()]
        kinds = {
            "data": self.data,
            "runs": self.runs,
            "audit": self.audit,
            "verdicts": self.verdicts,
            "numbers": differing,
            "circumstances": self.circumstances,
        }
        for kind, sentences in kinds.items():
            if sentences:
                said.append(f"{kind}: {len(sentences)} changed")
                said += [f"  {sentence}" for sentence in sentences[:most]]
                if len(sentences) > most:
                    said.append(f"  and {len(sentences) - most} more")
        if not self.ok:
            said.append("the run differs from the certificate")
        elif self.untold:
            said.append(
                f"the run agrees with the certificate in all that can be told; {self.untold} of {len(self.lines)} "
                "numbers changed and have no interval to judge them by"
            )
        else:
            said.append("the run agrees with the certificate")
        return "\n".join(said)

    def _changed(self) -> list[Line]:
        order = (Outcome.MISSING, Outcome.DIFFERS, Outcome.CANNOT_TELL, Outcome.NEW)
        return sorted((x for x in self.lines if x.outcome in order), key=lambda x: order.index(x.outcome))


# Making


def certificate(track: str = "twin", profile: str = "full", figures: Path | None = None) -> dict[str, Any]:
    """What the ledgers of a track say, with the circumstances, as plain JSON in a fixed order.

    Nothing in it names a machine, a user or a folder. `dirty` says whether files that decide numbers (`SOURCES`) differ
    from the commit. `runs` has, per paper, the seeds and, by its key, each run's fingerprint; and of those that are in
    the cache, the precision and the seconds that they took. Libraries, precision and accelerator are those of the runs
    in the cache, several where these differ; else, as all others, those of the moment. `figures` as in
    `scoreboard.gather`, which has the errors.
    """
    of = Track(name=track, profile=profile, root="not read")
    lacking = absent(track, profile, figures)
    keys = [key for key in PAPERS if key not in lacking]
    if not keys:
        raise FileNotFoundError(
            f"no paper has a ledger on track {track}, profile {profile}; "
            f"make them: {command(track, profile, '')}"
        )
    ledgers = {
        key: read_ledger(ledger_path(track, profile, key, figures), key=key, track=track, profile=profile)
        for key in keys
    }
    audited = [key for key in keys if key in papers()]  # a page of ours has no printed numbers
    audit = run_audit(audited or papers())
    counts = audit.groupby(["key", "status"]).size()
    commit, dirty = checkout()
    trained = {key: _trained(ledger) for key, ledger in ledgers.items()}
    ran_on = [about["circumstances"] for found in trained.values() for about in found]
    return {
        "format": FORMAT,
        "track": track,
        "profile": profile,
        "commit": commit,
        "dirty": dirty,
        "source": source_fingerprint(),
        "lock": _digest_of(ROOT / "requirements.lock"),
        "python": platform.python_version(),
        "libraries": _versions(ran_on),
        "machine": _machine(ran_on),
        "absent": lacking,
        "data": {key: dict(sorted(ledger["data"].items())) for key, ledger in ledgers.items()},
        "runs": {key: _runs(ledger, trained[key]) for key, ledger in ledgers.items()},
        "notebooks": {key: _notebook(PAPERS[key], variant(of)) for key in keys},
        "audit": {key: {str(s): int(counts.get((key, str(s)), 0)) for s in Status} for key in audited},
        "numbers": [_plain(asdict(e)) for ledger in ledgers.values() for e in ledger["entries"]],
    }


def certificate_path(track: str = "twin", profile: str = "full") -> Path:
    """Where the certificate of a track lies: beside the papers' folders."""
    return (
        outputs(Track(name=track, profile=profile, root="not read"), SCOREBOARD).parent / "certificate.json"
    )


def write(content: Mapping[str, Any], path: Path) -> None:
    """Write a certificate, whole or not at all, a number a line so that two can be compared by eye."""
    head = {k: v for k, v in content.items() if k != "numbers"}
    text = json.dumps(head, indent=1, allow_nan=False).removesuffix("\n}")
    lines = ",\n  ".join(json.dumps(entry, allow_nan=False) for entry in content["numbers"])
    write_text(path, f'{text},\n "numbers": [\n  {lines}\n ]\n}}\n')


def read(path: Path, *, name: str = "") -> dict[str, Any]:
    """A certificate from a file, which messages call `name`; by default as in `scoreboard.relative`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no JSON, of another format, contradicts itself, or a field is missing or of the wrong type;
            names file and field.
    """
    name = name or relative(path)
    if not path.is_file():
        raise FileNotFoundError(f"{name}: there is no certificate; `make reproduce` writes one")
    try:
        content = read_json(path)
        check(content)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return content


def check(content: Any) -> None:
    """Is this a certificate?

    Raises:
        ValueError: it is not, or contradicts itself; names the first field that is wrong.
    """
    if not isinstance(content, dict):
        raise ValueError("a certificate is an object with fields")
    if content.get("format") != FORMAT:
        raise ValueError(f"format is {content.get('format')!r}; this version reads {FORMAT}")
    for field, shape in _SHAPES.items():
        if field not in content:
            raise ValueError(f"{field} is missing")
        _check(content[field], shape, field)
    if unknown := sorted(content.keys() - _SHAPES.keys()):
        raise ValueError(f"{unknown[0]} is unknown")
    if content["track"] not in TRACKS or content["profile"] not in PROFILES:
        raise ValueError(f"track {content['track']}, profile {content['profile']}: there is no such")
    if others := sorted(content["audit"].keys() - content["data"].keys()):
        raise ValueError(f"audit.{others[0]} is of a paper that data does not name")
    for field in ("runs", "notebooks"):
        if content[field].keys() != content["data"].keys():
            raise ValueError(f"{field} has not the papers that data has: {', '.join(content['data'])}")
    for key, of in content["runs"].items():
        if len(of["seeds"]) > len(of["fingerprints"]):
            raise ValueError(
                f"runs.{key} has {len(of['seeds'])} seeds, and fingerprints of {len(of['fingerprints'])} runs"
            )
    seen: set[tuple[str, str, str]] = set()
    for number, values in enumerate(content["numbers"]):
        try:
            entry = entry_of(values)
            _check_entry(entry, content)
        except ValueError as error:
            raise ValueError(f"numbers[{number}]: {error}") from None
        if _name(entry) in seen:
            raise ValueError(f"numbers[{number}]: {', '.join(_name(entry))} is there twice")
        seen.add(_name(entry))


def _check_entry(entry: Entry, content: Mapping[str, Any]) -> None:
    """Is a number the certificate's, and does it agree with itself? A ValueError says what does not."""
    name, key = ", ".join(_name(entry)), entry.artefact.partition("/")[0]
    if key not in content["data"]:
        raise ValueError(f"artefact {entry.artefact} is of a paper that data does not name")
    for field in ("track", "profile"):
        if getattr(entry, field) != content[field]:
            raise ValueError(f"{name}: of {field} {getattr(entry, field)}, not {content[field]}")
    if entry.data not in ("", *content["data"][key].values()):
        raise ValueError(f"{name}: made of data {entry.data}, which data.{key} does not name")
    if wrong := _at_odds(entry) or _misjudged(entry):
        raise ValueError(f"{name}: {wrong}")


def _at_odds(entry: Entry) -> str:
    """What in an entry is not what its own values give, or cannot be, in words; "" where nothing is."""
    if entry.unit == "p" and not (math.isnan(entry.measured) or 0 <= entry.measured <= 1):
        return f"measured is {entry.measured:.6g}, which is no probability"
    if not entry.values:
        return ""
    over = mean_interval(entry.values)
    given = {"measured": over.estimate, "spread": over.sd}
    if entry.interval == OVER_SEEDS.format(entry.seeds):
        given |= {"low": over.low, "high": over.high}
    for field, value in given.items():
        if not _same(getattr(entry, field), value):
            return f"{field} is {getattr(entry, field):.6g}, by its values it is {value:.6g}"
    return ""


def _misjudged(entry: Entry) -> str:
    """Said of a verdict without a reason that is not that of the entry's bounds; "" where it is, or there are none.

    "cannot tell" may stand beside an interval over seeds alone: a page knows that there were too few recordings, say.
    """
    if math.isnan(entry.low) or not entry.verdict or ": " in entry.verdict:
        return ""
    bounds = Interval(estimate=entry.measured, low=entry.low, high=entry.high, level=LEVEL)
    by_bounds = str(verdict(bounds, 1))
    due = by_bounds if entry.claim else answer(by_bounds)
    over_seeds = entry.interval == OVER_SEEDS.format(entry.seeds)
    if entry.verdict == due or (entry.verdict == Verdict.CANNOT_TELL and over_seeds):
        return ""
    return f"verdict is {entry.verdict}, by its interval from {entry.low:.6g} to {entry.high:.6g} it is {due}"


# Comparing


def verify(old: Mapping[str, Any], new: Mapping[str, Any]) -> Report:
    """A certificate beside a new run, itself given as a certificate; see the module for the rules.

    Raises:
        ValueError: the two are of different tracks or profiles.
    """
    for field in ("track", "profile"):
        if old[field] != new[field]:
            raise ValueError(f"the certificate is of {field} {old[field]}, the run of {new[field]}")
    before = {_name(e): e for e in map(entry_of, old["numbers"])}
    after = {_name(e): e for e in map(entry_of, new["numbers"])}
    anew = {key for key in old["data"] if key in new["data"] and _trained_anew(key, old, new)}
    kept = _kept(old, new)
    lines, verdicts = [], []
    for name, entry in before.items():
        if name not in after:
            lines.append(Line(name=", ".join(name), outcome=Outcome.MISSING))
            continue
        of_kept = bool(entry.runs) and entry.runs == after[name].runs and kept.issuperset(entry.runs)
        trained = name[0].partition("/")[0] in anew and not of_kept
        key = name[0].partition("/")[0]
        runs_say = not (trained or old["runs"][key]["replayed"] or new["runs"][key]["replayed"])
        lines.append(_compared(entry, after[name], anew=trained, runs_say=runs_say))
        was, now = entry.verdict, after[name].verdict
        if was != now:
            verdicts.append(f"{', '.join(name)}: {was or 'none'} became {now or 'none'}")
    lines += [Line(name=", ".join(name), outcome=Outcome.NEW) for name in after if name not in before]
    return Report(
        lines=tuple(lines),
        verdicts=tuple(verdicts),
        data=tuple(_changed_data(old["data"], new["data"])),
        runs=tuple(_changed_amount(old["runs"], new["runs"])),
        audit=tuple(_changes(old["audit"], new["audit"])),
        circumstances=(
            *_changed_runs(old["runs"], new["runs"]),
            *_changes({k: old[k] for k in _CIRCUMSTANCES}, {k: new[k] for k in _CIRCUMSTANCES}),
        ),
    )


def tolerance(old: Entry, seeds: int) -> float:
    """How far the mean over `seeds` new seeds may lie from a certified number: the half-width of its 95 % prediction
    interval, t(k - 1) s sqrt(1/k + 1/seeds). NaN where the certificate has fewer than two seeds, or the run none."""
    if old.seeds < 2 or seeds < 1 or math.isnan(old.spread):
        return math.nan
    quantile = float(stats.t.ppf((1 + LEVEL) / 2, old.seeds - 1))
    return quantile * old.spread * math.sqrt(1 / old.seeds + 1 / seeds)


def _compared(old: Entry, new: Entry, *, anew: bool, runs_say: bool) -> Line:
    name = ", ".join(_name(old))
    words = ("printed", "printed_on", "unit", "claim", "claim_id", "data", "track", "profile", "n")
    changed = [
        f"{field} {getattr(old, field)!r} became {getattr(new, field)!r}"
        for field in (*words, *(() if anew else ("interval",)))
        if getattr(old, field) != getattr(new, field)
    ]
    if runs_say and old.runs != new.runs:
        changed.append(
            f"it names {len(old.runs)} runs behind it, and in this run {len(new.runs)}, other ones"
        )
    if changed:
        return Line(name=name, outcome=Outcome.DIFFERS, detail="; ".join(changed))
    if moved := _moved(old, new):
        if not anew:
            return Line(name=name, outcome=Outcome.DIFFERS, detail=moved)
        if wrong := _at_odds(new) or _left_its_interval(old, new):
            return Line(name=name, outcome=Outcome.DIFFERS, detail=wrong)
        return Line(name=name, outcome=_judged(old, new), detail=moved, trained_anew=True)
    return Line(name=name, outcome=Outcome.SAME)


def _judged(old: Entry, new: Entry) -> Outcome:
    """Of a number trained anew, by `measured` alone: how far its seeds spread and how wide its interval is, may change
    by any amount, if they are what its values give; a verdict that they change is named."""
    if math.isnan(old.measured) != math.isnan(new.measured):
        return Outcome.DIFFERS
    room = tolerance(old, new.seeds)
    if not math.isnan(room):
        within = abs(new.measured - old.measured) <= room
    elif not math.isnan(old.low):
        within = old.low <= new.measured <= old.high
    else:
        return Outcome.CANNOT_TELL
    return Outcome.WITHIN if within else Outcome.DIFFERS


def _left_its_interval(old: Entry, new: Entry) -> str:
    """Said of a number outside its own interval, unless the certificate's is too: that of a biased statistic may be."""

    def outside(e: Entry) -> bool:
        return e.measured < e.low or e.measured > e.high

    return (
        f"measured {new.measured:.6g} lies outside its own interval, {new.low:.6g} to {new.high:.6g}"
        if outside(new) and not outside(old)
        else ""
    )


def _moved(old: Entry, new: Entry) -> str:
    """The first quantity that is not the same to rounding, as "field old became new"; "" where all are."""
    for field in ("measured", "low", "high", "spread"):
        if not _same(getattr(old, field), getattr(new, field)):
            return f"{field} {getattr(old, field):.6g} became {getattr(new, field):.6g}"
    if len(old.values) != len(new.values):
        return f"{len(old.values)} seeds became {len(new.values)}"
    for place, (a, b) in enumerate(zip(old.values, new.values, strict=True)):
        if not _same(a, b):
            return f"value {place} {a:.6g} became {b:.6g}"
    return ""


def _same(a: float, b: float) -> bool:
    return math.isnan(a) and math.isnan(b) or math.isclose(a, b, rel_tol=ROUNDING, abs_tol=1e-12)


def _trained_anew(key: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Did a paper's trainings give the new run something else than the certificate's, or lack some of them?"""
    if new["runs"][key]["replayed"]:
        return False
    before, after = (of["runs"][key]["fingerprints"] for of in (old, new))
    return old["data"][key] != new["data"][key] or any(after.get(run) != was for run, was in before.items())


def _changed_runs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """How many of each paper's runs the two have not in common; of recorded runs the keys say nothing."""
    for key in old:
        if key not in new or old[key]["replayed"] or new[key]["replayed"]:
            continue
        before, after = old[key]["fingerprints"], new[key]["fingerprints"]
        both = before.keys() & after.keys()
        for number, said in (
            (len(before) - len(both), "of the certificate are not in this run"),
            (len(after) - len(both), "of this run are not in the certificate"),
            (sum(before[run] != after[run] for run in both), "gave something else"),
        ):
            if number:
                yield f"runs.{key}: {number} {said}"


def _changed_amount(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Which papers have other seeds, or another number of runs; a paper that only one has is named with the data."""
    for key in [key for key in old if key in new]:
        yield from _changes(old[key]["seeds"], new[key]["seeds"], f"{key}.seeds")
        before, after = len(old[key]["fingerprints"]), len(new[key]["fingerprints"])
        yield from _changes(f"{before} runs", f"{after} runs", key)


def _kept(old: Mapping[str, Any], new: Mapping[str, Any]) -> set[str]:
    """The runs that gave both the same."""
    before, after = ({r for of in c["runs"].values() for r in of["fingerprints"].items()} for c in (old, new))
    return {run for run, _ in before & after}


def _changed_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for key, read_before in old.items():
        if key in new:
            yield from _changes(read_before, new[key], key)
        else:
            yield f"{key} is not in this run"
    yield from (f"{key} is not in the certificate" for key in new if key not in old)


def _changes(old: Any, new: Any, where: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for field in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(field), new.get(field), f"{where}.{field}" if where else field)
    elif old != new:
        yield f"{where}: {'none' if old is None else old} became {'none' if new is None else new}"


def _name(entry: Entry) -> tuple[str, str, str]:
    return entry.artefact, entry.row, entry.column


# Parts


def _git(*arguments: str) -> str:
    """What git says in the repository; "" where it fails: outside one, or where there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def checkout() -> tuple[str, bool]:
    """The commit of the working tree, "" outside a repository; and whether what decides numbers differs from it."""
    commit = _git("rev-parse", "HEAD")
    return commit, bool(commit and _git("status", "--porcelain", "--", *SOURCES))


def committed(track: str, profile: str) -> dict[str, Any]:
    """The certificate of a track as the commit of the working tree has it, whatever a run has written since.

    Raises:
        FileNotFoundError: there is none, or no git that could tell.
        ValueError: as in `read`.
    """
    name = f"figures/{variant(Track(name=track, profile=profile, root='not read'))}/certificate.json"
    commit, _ = checkout()
    if not commit:
        raise FileNotFoundError(
            "the committed certificate is asked of git, which is not here, or knows no commit of this folder; "
            "name a file: make verify CERTIFICATE=<file>"
        )
    text = _git("show", f"{commit}:./{name}")
    if not text:
        raise FileNotFoundError(
            f"{name}: there is none in commit {commit[:12]}. Those of profile full are kept; "
            "or name a file: make verify CERTIFICATE=<file>"
        )
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "certificate.json"
        copy.write_text(text, encoding="utf-8")
        return read(copy, name=f"{name} of commit {commit[:12]}")


def _as_committed(path: Path) -> bool:
    """Is a file or folder in git, and what lies there the same?"""
    if not path.resolve().is_relative_to(ROOT):
        return False
    name = relative(path)
    return bool(_git("ls-files", "--", name)) and not _git("status", "--porcelain", "--", name)


def _whose(folder: Path) -> str:
    """A folder of ledgers, and whether they are this machine's or came with the commit: then nothing was run here."""
    if not folder.is_relative_to(ROOT):
        return str(folder)
    name = relative(folder)
    return f"{name}, as it was committed: nothing was made anew here" if _as_committed(folder) else name


def _trained(ledger: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the cache says of a ledger's runs, of those that it has."""
    files = [CACHE / "runs" / key / "run.json" for key in {run["key"] for run in ledger["runs"]}]
    return [json.loads(path.read_text(encoding="utf-8")) for path in files if path.is_file()]


def _versions(ran_on: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    here = libraries() | {name: importlib.metadata.version(name) for name in FURTHER_LIBRARIES}
    said = {name: _all(about["libraries"].get(name, "") for about in ran_on) for name in sorted(here)}
    return {name: versions or here[name] for name, versions in said.items()}


def _all(said: Iterable[str]) -> str:
    """All that is said, each once."""
    return ", ".join(sorted({word for word in said if word}))


def _machine(ran_on: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    import torch

    cpu = Path("/proc/cpuinfo")
    about = cpu.read_text().splitlines() if cpu.is_file() else []
    models = [line.partition(":")[2].strip() for line in about if line.startswith("model name")]
    here = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    trained_on = _all(about.get("device", "") for about in ran_on)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 0
    return {
        "system": platform.system(),
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory / 2**30),
        "accelerator": {"": here, "cpu": "none"}.get(trained_on, trained_on),
        "precision": _all(about["precision"] for about in ran_on) or native_precision(),
    }


def _runs(ledger: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    runs = {run["key"]: run for run in ledger["runs"]}
    return {
        "replayed": ledger["replayed"],
        "seeds": sorted({run["seed"] for run in runs.values()}),
        "in_cache": len(found),
        "precision": sorted({about["circumstances"]["precision"] for about in found}),
        "seconds": round(sum(about["seconds"] for about in found)),
        "fingerprints": {key: run["fingerprint"] for key, run in sorted(runs.items())},
    }


def _notebook(stem: str, folder: str) -> dict[str, str]:
    page = NOTEBOOKS / "executed" / folder / f"{stem}.ipynb"
    return {"source": _digest_of(NOTEBOOKS / f"{stem}.ipynb"), "page": _digest_of(page)}


def _digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else ""


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        k: None if isinstance(v, float) and math.isnan(v) else list(v) if isinstance(v, tuple) else v
        for k, v in values.items()
    }


# A type; {str: shape} for an object of any names; {"name": shape} for one of these names; [shape] for a list.
_SHAPES: dict[str, Any] = {
    "format": int,
    "track": str,
    "profile": str,
    "commit": str,
    "dirty": bool,
    "source": str,
    "lock": str,
    "python": str,
    "libraries": {str: str},
    "machine": {
        "system": str,
        "processor": str,
        "cores": int,
        "memory_gib": int,
        "accelerator": str,
        "precision": str,
    },
    "absent": {str: str},
    "data": {str: {str: str}},
    "runs": {
        str: {
            "replayed": bool,
            "seeds": [int],
            "in_cache": int,
            "precision": [str],
            "seconds": int,
            "fingerprints": {str: str},
        }
    },
    "notebooks": {str: {"source": str, "page": str}},
    "audit": {str: {str: int}},
    "numbers": [dict],
}
_CIRCUMSTANCES = (
    "commit",
    "dirty",
    "source",
    "lock",
    "python",
    "libraries",
    "machine",
    "absent",
    "notebooks",
)


def _check(value: Any, shape: Any, where: str) -> None:
    if isinstance(shape, type):
        if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
            raise ValueError(f"{where} is {value!r:.60}, which is no {shape.__name__}")
    elif isinstance(shape, list):
        _check(value, list, where)
        for place, inner in enumerate(value):
            _check(inner, shape[0], f"{where}[{place}]")
    else:
        _check(value, dict, where)
        free = shape.get(str)
        for name in dict.fromkeys([*(n for n in shape if n is not str), *value]):
            if name not in value:
                raise ValueError(f"{where}.{name} is missing")
            if free is None and name not in shape:
                raise ValueError(f"{where}.{name} is unknown")
            _check(value[name], shape.get(name, free), f"{where}.{name}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make verify", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "certificate",
        nargs="?",
        default="",
        help="a certificate's file; the track's committed one by default",
    )
    parser.add_argument("--track", default="twin", choices=TRACKS)
    parser.add_argument("--profile", default="full", choices=PROFILES)
    options = parser.parse_args(arguments)
    path = Path(options.certificate)
    try:
        old = read(path) if options.certificate else committed(options.track, options.profile)
        new = certificate(old["track"], old["profile"])
        check(new)
        report = verify(old, new)
    except (ValueError, OSError) as error:
        sys.exit(f"verify: {error}")
    ledgers = ledger_path(old["track"], old["profile"], next(iter(PAPERS))).parent.parent
    named = relative(path) if options.certificate else "the committed certificate"
    print(
        f"{named}, track {old['track']}, profile {old['profile']}, commit {old['commit'][:12] or 'unknown'}"
        + (" and changes on top" if old["dirty"] else "")
    )
    print(f"beside {_whose(ledgers)}")
    if path.resolve() == (ledgers / "certificate.json").resolve() and not _as_committed(path):
        print(
            "this is the run's own certificate, made of these very ledgers: that they agree says nothing; "
            "without a file, `make verify` compares them with the committed one"
        )
    print(report.text())
    return 0 if report.ok else 1


if __name__ == "__main__":
    sys.exit(main())
