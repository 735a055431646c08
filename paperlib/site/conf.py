"""Sphinx's configuration. Sphinx runs this file, and calls `setup`."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx

from paperlib.site.pictures import describe
from paperlib.site.sources import files_of

project = "Uncertainty in affect"
html_title = "Uncertainty in affect: a companion to five papers"
copyright = "MIT licence"
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "index"
exclude_patterns = ["figures/**"]

nb_execution_mode = "off"  # the pages are shown as they were committed
nb_merge_streams = True
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_type_aliases = {"ArrayLike": "ArrayLike", "Values": "Values", "PerColumn": "PerColumn"}
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "code"  # the docstrings are written for people, with `names` in single quotes
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/favicon.svg"
html_context = {"default_mode": "auto"}  # as the reader's device has it
html_copy_source = False
html_show_sourcelink = False
html_sidebars: dict[str, list[str]] = {
    page: [] for page in ("index", "README", "CONTRIBUTING", "data/README")
}
html_theme_options = {
    "logo": {"text": "Uncertainty in affect"},
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": False,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": {"**": ["page-toc"], "index": []},
}


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", put_pictures_into_words)
    app.connect("doctree-read", name_cells)
    app.connect("doctree-read", link_to_pages)
    app.connect("doctree-read", list_files, priority=400)  # before the page's contents are collected
    # Before napoleon, which makes reStructuredText of the sections.
    app.connect("autodoc-process-docstring", take_as_written, priority=100)


def put_pictures_into_words(app: Sphinx, document: nodes.document) -> None:
    """Give every picture in a page's outputs its alternative text."""
    page = Path(app.srcdir, app.env.docname)
    figures = Path(app.srcdir, "figures", page.parent.name, page.name.partition("_")[2])
    for picture in document.findall(nodes.image):
        if not picture.get("alt"):
            path = Path(app.srcdir, picture["uri"].lstrip("/"))
            picture["alt"] = describe(path, figures, _heading_above(picture))


def _heading_above(node: nodes.Node) -> str:
    section: Any = node
    while not isinstance(section, nodes.section):
        section = section.parent
    return section.next_node(nodes.title).astext()


def name_cells(app: Sphinx, document: nodes.document) -> None:
    """Give every code cell of a page the id by which `paperlib.scoreboard.link` names it."""
    page = Path(app.env.doc2path(app.env.docname))
    if page.suffix == ".ipynb":
        cells: list[Any] = nbformat.read(page, as_version=4).cells
        for node in document.findall(nodes.container):
            if node.get("nb_element") == "cell_code":
                node["ids"].append(f"cell-id={cells[node['cell_index']].id}")


def link_to_pages(app: Sphinx, document: nodes.document) -> None:
    """Lead links of a page's tables to the site's pages; Sphinx does so for those in its prose."""
    for raw in document.findall(nodes.raw):
        text = re.sub(r'(href="[^":]+)\.ipynb(?=["#])', r"\1.html", raw.astext())
        raw.children = [nodes.Text(text)]


def list_files(app: Sphinx, document: nodes.document) -> None:
    """End an executed page with links to its tables, its figures for print, and its ledger."""
    page = Path(app.env.doc2path(app.env.docname))
    if page.suffix != ".ipynb":
        return
    kinds = {name: list(files) for name, files in groupby(files_of(page, Path(app.srcdir)), lambda f: f.stem)}
    up = "../" * app.env.docname.count("/")
    lines = nodes.bullet_list()
    for name, files in kinds.items():
        line = nodes.paragraph("", f"{name}: ")
        for file in files:
            address = up + file.relative_to(app.srcdir).as_posix()
            line += [nodes.reference("", file.suffix[1:].upper(), refuri=address), nodes.Text(" ")]
        lines += nodes.list_item("", line)
    document[-1 if isinstance(document[-1], nodes.section) else 0] += nodes.section(
        "", nodes.title("", "Files of this page"), lines, ids=["files-of-this-page"]
    )


def take_as_written(app: Sphinx, what: str, name: str, of: Any, options: Any, lines: list[str]) -> None:
    """Keep marks that mean something to Sphinx only, set-in code as code, and lists of names line by line."""
    text = "\n".join(lines).rstrip()
    text = re.sub(r"`[^`\n]+`|[*|]|_\b", lambda m: m[0] if m[0][0] == "`" else f"\\{m[0]}", text)
    text = re.sub(r":(?=\n\n {4})", "::", text)
    blocks = [_by_line(block) if _is_list(block) else block for block in text.split("\n\n")]
    lines[:] = [*"\n\n".join(blocks).split("\n"), ""]


def _is_list(block: str) -> bool:
    """Whether lines of it are names with what they are, or set in; sections that napoleon knows are not meant."""
    lines = block.split("\n")
    if re.fullmatch(r"[A-Z]\w+:", lines[0]) or all(line.startswith("    ") for line in lines):
        return False
    named = [line for line in lines if re.match(r"\w[\w\\, ]*: ", line)]
    return len(named) > 1 or any(line.startswith("    ") for line in lines)


def _by_line(block: str) -> str:
    """A line block in which what is set in without a name goes on the line above."""
    items: list[str] = []
    above = 0
    for line in block.split("\n"):
        words = line.lstrip()
        inwards, above = len(line) - len(words) - above, len(line) - len(words)
        if items and inwards >= 0 and not re.match(r"[\w\\/<>., ]{1,45}: ", words):
            items[-1] += f" {words}"
        else:
            items.append(f"| {line}")
    return "\n".join(items)
