"""What the site is made of: the repository's own files in their own places, and a front page made of the ledgers.

The files keep their places, so that a link between two of them leads to the same file on GitHub and on the site.
"""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
from html import unescape
from pathlib import Path
from typing import Any

import jinja2
import nbformat
import pandas as pd

from paperlib import scoreboard
from paperlib.audit import run_audit
from paperlib.companion.published import read_claims
from paperlib.companion.reproduce import SCOREBOARD
from paperlib.ledger import kept_pages
from paperlib.stats import Verdict

LOADER = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
TEXTS = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE", "data/README.md", "notebooks/README.md")
# What a package passes on from its modules is documented once: with `models`' modules, and with `data` itself.
API = {
    "What the methods are made of": (
        "losses",
        "models.backbones",
        "models.label_variance",
        "models.expression",
        "models.ldlva",
        "models.rivals",
        "models.dual_domain",
        "models.blstm",
        "models.emofan",
        "labels",
        "fusion",
        "annotations",
        "features",
        "postprocessing",
        "inference",
        "emofan_checkpoint",
    ),
    "How well, and how surely": (
        "metrics",
        "calibration",
        "stats",
        "published",
        "ledger",
        "scoreboard",
        "plots",
    ),
    "Data": ("tracks", "data", "twin"),
    "Runs": ("grid", "training", "reproduce"),
}
FILES = (".csv", ".json", ".svg", ".tex")
MARKS = {
    Verdict.HELD: "✓",
    Verdict.DID_NOT_HOLD: "✗",
    Verdict.CANNOT_TELL: "?",
    Verdict.NOT_ATTEMPTED: "–",
}


def gather_sources(repository: Path, folder: Path) -> None:
    """Lay out what Sphinx reads in `folder`, from a repository or a folder laid out like one.

    Raises:
        FileNotFoundError: there is no executed page, or one has no ledger.
    """
    pages = kept_pages(repository)
    if not pages:
        raise FileNotFoundError("there is no executed page: make reproduce")
    for path in [repository / text for text in TEXTS] + pages:
        if path.is_file():
            copy = folder / path.relative_to(repository)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    (folder / "figures").symlink_to(repository / "figures", target_is_directory=True)
    listed = folder / "notebooks" / "README.md"
    entries = "\n".join(f"{_name(page)} <{page.relative_to(listed.parent)}>" for page in _pages(folder))
    listed.write_text(f"{listed.read_text()}\n```{{toctree}}\n:hidden:\n\n{entries}\n```\n")
    (folder / "index.md").write_text(_front(claims_of(repository), repository))
    _write_api(folder)


def files_of(page: Path, repository: Path) -> list[Path]:
    """What an executed page saved for use elsewhere: tables, figures for print, ledger; a scoreboard's certificate."""
    track, key = page.parent.name, page.stem.partition("_")[2]
    folder = repository / "figures" / track
    files = [*folder.glob(f"{key}/*"), *(folder.glob("*.json") if key == "scoreboard" else [])]
    return sorted(file for file in files if file.suffix in FILES)


def claims_of(repository: Path) -> pd.DataFrame:
    """One line a claim on a track: the scoreboard's columns, `link` to where the site shows it, and `statement`: what
    the paper says, in our words."""
    frames = []
    for track in _tracks(repository):
        frame = scoreboard.gather(track, "full", figures=repository / "figures")
        # A table shows an artefact's entries in the ledger's order.
        frame["line"] = frame.groupby(["paper", "artefact"]).cumcount()
        frame["link"] = _links(frame, repository)
        frames.append(scoreboard.claims(frame))
    claims = pd.concat(frames, ignore_index=True)
    stated = {key: read_claims(key)["claim"] for key in claims["paper"].unique()}
    return claims.assign(
        statement=[stated[k][i] for k, i in zip(claims["paper"], claims["claim_id"], strict=True)]
    )


def _front(claims: pd.DataFrame, repository: Path) -> str:
    groups = {name: list(dict.fromkeys(claims[name])) for name in ("paper", "track")}
    groups["verdict"] = [str(v) for v in Verdict if v in set(claims["verdict"])]
    marks = {str(verdict): mark for verdict, mark in MARKS.items()}
    audit = scoreboard.audit_counts(run_audit())
    template = jinja2.Environment(loader=LOADER, autoescape=True).get_template("index.md.jinja")
    return template.render(
        claims=claims.to_dict("records"),
        groups=groups,
        counts=_counts(claims),
        marks=marks,
        verdicts=scoreboard.ON_STATEMENTS,
        stated=_stated(claims),
        audit=audit.to_dict("index"),
        statuses=list(audit.columns),
        same_faces=scoreboard.same_faces_answers(repository / "figures"),
        pages=_pages_of(repository, "same_faces"),
        boards=_pages_of(repository, SCOREBOARD),
    )


def _write_api(folder: Path) -> None:
    """A page a module, filled by autodoc, and one that lists them with the first paragraphs of their docstrings."""
    groups: dict[str, dict[str, str]] = {heading: {} for heading in API}
    for heading, names in API.items():
        for name in (f"paperlib.{name}" for name in names):
            about = inspect.getdoc(importlib.import_module(name)) or ""
            groups[heading][name] = " ".join(about.partition("\n\n")[0].split())
            page = folder / "api" / f"{name}.md"
            page.parent.mkdir(exist_ok=True)
            page.write_text(f"# {name}\n\n```{{eval-rst}}\n.. automodule:: {name}\n```\n")
    template = jinja2.Environment(loader=LOADER).get_template("api.md.jinja")
    (folder / "api.md").write_text(template.render(groups=groups))


def _tracks(repository: Path) -> list[str]:
    """The tracks with ledgers, the twin first."""
    found = {path.parent.parent.name for path in (repository / "figures").glob("*/*/ledger.json")}
    return sorted((t for t in found if "-" not in t), key=lambda track: (track != "twin", track))


def _links(frame: pd.DataFrame, repository: Path) -> list[str]:
    """For each entry the site's page and, on it, the line of the table that shows it; else the table, or the cell."""
    shown = {page: _shown(repository / "notebooks" / page) for page in frame["page"].unique()}
    links = []
    for entry in frame.to_dict("records"):
        line = f"T_{entry['artefact']}_row{entry['line']}_col0"
        anchor = line if shown[entry["page"]].get(line) == entry["row"] else entry["anchor"]
        page = "notebooks/" + entry["page"].removesuffix(".ipynb") + ".html"
        links.append(scoreboard.link(page, entry["cell"], anchor=anchor))
    return links


def _shown(page: Path) -> dict[str, str]:
    """The cells of a page's tables that have an HTML id: id to text."""
    cells: list[Any] = nbformat.read(page, as_version=4).cells
    html = "".join(o.get("data", {}).get("text/html", "") for c in cells for o in c.get("outputs", []))
    return {name: unescape(text) for name, text in re.findall(r'<td id="(\w+)"[^>]*>([^<]*)</td>', html)}


def _counts(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """How many claims of each paper on each track came out how, in the papers' order; `page` is the executed page."""
    counted = []
    for paper in dict.fromkeys(claims["paper"]):
        for track, of in claims[claims["paper"] == paper].groupby("track", sort=False):
            page = of["link"].iloc[0].partition("#")[0]
            counted.append(
                {"paper": paper, "track": track, "page": page, "verdicts": of["verdict"].value_counts()}
            )
    return counted


def _stated(claims: pd.DataFrame) -> list[dict[str, Any]]:
    """How many statements of each paper met each verdict, and of all papers of a track together; as `_counts`."""
    counted: list[dict[str, Any]] = []
    for track, of in claims.groupby("track", sort=False):
        for paper, line in scoreboard.summary(of).to_dict("index").items():
            page = "" if paper == "all" else of.loc[of["paper"] == paper, "link"].iloc[0].partition("#")[0]
            counted.append(
                {"paper": paper, "track": track, "page": page} | {str(k): n for k, n in line.items()}
            )
    return counted


def _pages_of(repository: Path, key: str) -> dict[str, str]:
    """The executed pages of a key: track -> the site's page."""
    pages = [page for page in _pages(repository) if page.stem.partition("_")[2] == key]
    return {page.parent.name: page.relative_to(repository).with_suffix(".html").as_posix() for page in pages}


def _pages(folder: Path) -> list[Path]:
    """The executed pages, the twin's first."""
    return sorted(kept_pages(folder), key=lambda page: (page.parent.name != "twin", page))


def _name(page: Path) -> str:
    return f"{page.stem.partition('_')[2]} on {page.parent.name}"
