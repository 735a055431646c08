"""Sphinx's configuration of the site: the README, the executed pages and the API; sources are the repository itself."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent
# Beneath the front page, in this order, what the menu shows; a glob that finds nothing is left out.
MENU = {
    "Pages on the twin": "notebooks/executed/twin/*",
    "Pages on FER+": "notebooks/executed/ferplus/*",
    "Pages on studyforrest": "notebooks/executed/studyforrest/*",
    "Reference": "data/README data/samples/README notebooks/README docs/* CONTRIBUTING",
}

project = "Uncertainty in affect"
html_title = "Uncertainty in affect: a companion to five papers"
copyright = "MIT licence"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
root_doc = "README"
include_patterns = ["*.md", "data/**.md", "docs/**.md", "notebooks/README.md", "notebooks/executed/**.ipynb"]
exclude_patterns = ["**/*-smoke/**", "**/*-own-*/**"]
suppress_warnings = ["toc.not_included", "myst.xref_missing", "mystnb.unknown_mime_type"]

nb_execution_mode = "off"  # pages are shown as they were committed
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"
default_role = "code"  # docstrings put `names` between single quotes

html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"**": ["globaltoc.html"]}
html_theme_options = {
    "logo": {"text": project},
    "navbar_center": [],
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_end": [],
}


def setup(app: Sphinx) -> None:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("source-read", add_menu)
    app.connect("autodoc-process-docstring", as_written)
    app.connect("html-page-context", link_pages)
    app.connect("build-finished", add_files)


def add_menu(app: Sphinx, name: str, source: list[str]) -> None:
    """The front page has the menu of all others."""
    if name == root_doc:
        for caption, pages in MENU.items():
            here = "\n".join(page for page in pages.split() if any(ROOT.glob(f"{page}.[mi]*")))
            source[0] += (
                f"\n\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n{here}\n```\n" if here else ""
            )


def as_written(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Docstrings line by line, with their indentation: they are written for people, not for Sphinx."""
    text = re.sub(r"`[^`\n]+`|[*|]|_\b", lambda m: m[0] if m[0][0] == "`" else f"\\{m[0]}", "\n".join(lines))
    lines[:] = [f"| {line}".rstrip() for line in text.rstrip().split("\n")] + [""]


def link_pages(app: Sphinx, page: str, template: str, context: dict[str, Any], document: Any) -> None:
    """Links to notebooks in the tables of a page lead to pages, there without JupyterLab's names of cells."""
    body = context.get("body", "")
    context["body"] = re.sub(r'href="((?!\w+:)[^"#]+)\.ipynb(#cell-id=[^"]*)?"', r'href="\1.html"', body)


def add_files(app: Sphinx, error: Exception | None) -> None:
    """What pages link to beside pages: tables as CSV, figures for print. And an index, which is the README."""
    if not error:
        shutil.copytree(ROOT / "figures", Path(app.outdir, "figures"), dirs_exist_ok=True)
        Path(app.outdir, "index.html").write_text(
            f'<meta http-equiv="refresh" content="0; url={root_doc}.html">\n'
        )


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(str(tex2mathml(node.astext(), as_block=False)))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    writer.body.append(str(tex2mathml(node.astext(), as_block=True)))
    raise nodes.SkipNode
