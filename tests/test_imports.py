"""Imports run one way: methods, data and the twin know nothing of tasks, and tasks nothing of the companion.

Of the companion a paper's samples alone know its tasks, whose test rows and labels they write down.
"""

import ast
from graphlib import TopologicalSorter

from paperlib.files import ROOT

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "paperlib").rglob("*.py")
}
OVER_ALL = ("paperlib.bench",)  # it times everything


def part(module):
    """ "methods" for these and data, else "tasks", "samples" or "companion"."""
    if module.startswith("paperlib.companion.samples."):
        return "samples"
    name = module.split(".")[1] if "." in module else ""
    return {"tasks": "tasks", "companion": "companion"}.get(name, "methods")


def imports(module):
    """The modules of paperlib that a module names in its imports, wherever they stand; a package counts as itself."""
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paperlib"):
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in SOURCES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in SOURCES)


def test_methods_and_data_import_neither_tasks_nor_companion_and_neither_of_these_the_other():
    allowed = {
        "methods": {"methods"},
        "tasks": {"methods", "tasks"},
        "companion": {"methods", "companion"},
        "samples": {"methods", "tasks", "companion", "samples"},
    }
    wrong = [
        f"{module} imports {other}"
        for module in SOURCES
        if not module.startswith(OVER_ALL)
        for other in imports(module)
        if part(other) not in allowed[part(module)]
    ]
    assert not wrong, wrong


def test_no_imports_go_in_circles():
    graph = {module: set(imports(module)) - {module} for module in SOURCES}
    TopologicalSorter(graph).prepare()  # or it names the circle
