"""Sphinx's configuration of the site: the README, the executed pages and the API; sources are the repository itself."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from jinja2 import Template
from myst_parser.slugs import github_slugify
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
# Beneath the front page, in this order, what the menu shows; a glob that finds nothing is left out.
MENU = {
    "Pages on the twin": "notebooks/executed/twin/*",
    "Pages on FER+": "notebooks/executed/ferplus/*",
    "Pages on studyforrest": "notebooks/executed/studyforrest/*",
    "Reference": "data/README data/samples/README notebooks/README docs/* CONTRIBUTING",
}
TRACKS = {"twin": "twin", "ferplus": "FER+", "studyforrest": "film"}
ROMAN = {"I": "1", "II": "2", "III": "3", "IV": "4", "V": "5"}

project, copyright = "Uncertainty in affect", "MIT licence"
html_title = f"{project}: a companion to five papers"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
include_patterns = ["*.md", "data/**.md", "docs/*.md", "notebooks/README.md", "notebooks/executed/**.ipynb"]
exclude_patterns = ["**/*-smoke/**", "**/*-own-*/**"]
suppress_warnings = ["toc.not_included", "myst.xref_missing", "mystnb.unknown_mime_type"]

nb_execution_mode, nb_merge_streams = "off", True  # pages are shown as they were committed
nb_code_prompt_show, nb_code_prompt_hide = "Code", "Hide code"
myst_enable_extensions, myst_heading_anchors = ["dollarmath"], 3
html_math_renderer = "mathml"
autodoc_default_options, autodoc_typehints = {"members": True, "member-order": "bysource"}, "none"
root_doc, default_role = "README", "code"  # docstrings put `names` between single quotes

html_theme, html_context = "pydata_sphinx_theme", {"default_mode": "auto"}
html_static_path, templates_path = ["static"], ["templates"]
html_css_files, html_js_files = ["site.css"], ["site.js"]
html_copy_source = html_show_sourcelink = False
html_favicon, html_sidebars = "static/favicon.svg", {"**": ["globaltoc.html"]}
html_theme_options = {
    "logo": {"text": project},
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
}
html_theme_options |= {"navbar_center": [], "footer_end": []}


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (math(as_block=False), None), (math(as_block=True), None))
    app.connect("source-read", prepare)
    app.connect("autodoc-process-docstring", as_written)
    app.connect("html-page-context", link_pages)
    app.connect("build-finished", add_files)


def prepare(app: Sphinx, name: str, source: list[str]) -> None:
    """The front page gets the scoreboard and the menu of all others; of the others the code is folded."""
    if name == root_doc:
        source[0] = source[0].replace("## Two commands", scoreboard() + "## Two commands")
        for caption, pages in MENU.items():
            if here := "\n".join(page for page in pages.split() if any(ROOT.glob(f"{page}.[mi]*"))):
                source[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{here}\n```\n"
    elif name.startswith("notebooks/executed/"):
        source[0] = json.dumps(folded(json.loads(source[0])))


def folded(notebook: dict[str, Any]) -> dict[str, Any]:
    """Code that shows nothing joins the cell after it, so that each result has one fold; a page has one title."""
    cells: list[dict[str, Any]] = []
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])
        if cell["cell_type"] == "code":
            cell["metadata"]["tags"] = ["hide-input"]
            if cells and cells[-1].get("outputs") == []:
                cell["source"] = f"{cells.pop()['source']}\n\n{cell['source']}"
        elif cells:
            cell["source"] = re.sub("^# ", "## ", cell["source"])
        cells.append(cell)
    return {**notebook, "cells": cells}


def artefacts(page: Path) -> dict[str, str]:
    """The tables, figures and equations of its paper that a page has, "Table 4", and the anchor of each."""
    found: dict[str, str] = {}
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    for heading in re.findall(r"^#+ (.*)", text, re.MULTILINE):
        kind, named = "", heading.partition(":")[0]
        for word, number in re.findall(r"((?i:table|figure|equation))s?|\b(\d+|[IV]+)\b", named):
            kind = word.capitalize() or kind
            if kind and number:
                found.setdefault(f"{kind} {ROMAN.get(number, number)}", github_slugify(heading))
    return dict(sorted(found.items(), key=lambda item: (item[0][0] != "T", item[0])))


def scoreboard() -> str:
    """What each page on the twin has of its paper, and all statements, each with a link to what tests it on a track."""
    pages: dict[str, tuple[str, dict[str, str]]] = {}
    rows: dict[tuple[str, str], dict[str, str]] = {}  # by paper and statement, a track's verdict
    for track in TRACKS:
        for path in sorted(ROOT.glob(f"notebooks/executed/{track}/0[1-9]_*.ipynb")):
            key, page, of = path.stem[3:], path.relative_to(ROOT).as_posix(), artefacts(path)
            pages.setdefault(key, (page, of))
            with open(ROOT / "figures" / track / key / "verdicts.csv", encoding="utf-8") as file:
                for x in csv.DictReader(file):
                    name = re.sub(r"\d", r" \g<0>", x["artefact"].partition("/")[2].capitalize(), count=1)
                    link = f"[{x['verdict']}]({page}#{of.get(name, 'all-statements')})"
                    rows.setdefault((key, x["claim"]), dict.fromkeys(TRACKS, ""))[track] = link
    template = (ROOT / "docs/templates/scoreboard.md").read_text(encoding="utf-8")
    return Template(template).render(pages=pages, rows=rows, tracks=TRACKS) + "\n\n"


def as_written(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Docstrings line by line, with their indentation: they are written for people, not for Sphinx."""
    text = re.sub(r"`[^`\n]+`|[*|]|_\b", lambda m: m[0] if m[0][0] == "`" else f"\\{m[0]}", "\n".join(lines))
    lines[:] = [f"| {line}".rstrip() for line in text.rstrip().split("\n")] + [""]


def link_pages(app: Sphinx, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Links to notebooks lead to pages, there without JupyterLab's names of cells; a picture leads to itself, large."""
    body = context.get("body", "").replace(' aria-label="Toggle hidden content"', "")  # in place of its words
    body = re.sub(r'href="((?!\w+:)[^"#]+)\.ipynb(#cell-id=[^"]*)?("|#)', r'href="\1.html\3', body)
    image = r'(<a [^>]*>)?<img [^>]*src="([^"]*_images/[^"]+)"[^>]*>'  # some have a link
    context["body"] = re.sub(image, lambda m: m[0] if m[1] else f'<a href="{m[2]}">{m[0]}</a>', body)


def add_files(app: Sphinx, error: Exception | None) -> None:
    """What pages link to beside pages: tables as CSV, figures for print. And an index, which is the README."""
    if not error:
        shutil.copytree(ROOT / "figures", Path(app.outdir, "figures"), dirs_exist_ok=True)
        Path(app.outdir, "index.html").write_text(
            f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        )


def math(*, as_block: bool) -> Callable[[Any, nodes.Element], None]:
    def visit(writer: Any, node: nodes.Element) -> None:
        writer.body.append(str(tex2mathml(node.astext(), as_block=as_block)))
        raise nodes.SkipNode

    return visit
