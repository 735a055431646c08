"""What a result depends on: the definitions its code reaches, the libraries and the machine's arithmetic."""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

# A data set is known by its fingerprint, so the code that read it is not asked again; `asked` only carries runs.
NOT_FOLLOWED = ("paperlib.data", "paperlib.tracks", "paperlib.asked")
# What a task reads of its `track`, and the function that decides what it gets beside what the fingerprint tells.
DECIDED_BY = {"track.categories": "paperlib.tracks:as_categories", "track.of_kind": "paperlib.tracks:as_kind"}


@cache
def code_of(definition: str) -> dict[str, str]:
    """Every definition of paperlib that "module:name" reaches, each with a hash of its code.

    Followed are the names that a function, class or constant reads, through `from paperlib.x import y` and
    `from paperlib import x`. Comments, docstrings and layout do not count, so rewording trains nothing again.

    Raises:
        LookupError: the definition does not exist.
    """
    return _reached(definition, NOT_FOLLOWED, {})


@cache
def data_code_of(definition: str) -> dict[str, str]:
    """What decides which rows, splits and labels `definition` gets of a data set, beside `code_of` it, likewise.

    These are the definitions of paperlib.data that it names itself, and those of DECIDED_BY: they change data after
    these were loaded, and the fingerprint does not tell how.
    """
    everything = _reached(definition, NOT_FOLLOWED[1:], DECIDED_BY)
    own = code_of(definition)
    return {name: code for name, code in everything.items() if name not in own}


def _reached(definition: str, not_followed: tuple[str, ...], decided_by: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [definition]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        module, _, local = name.partition(":")
        definitions, imports = _parsed(module)
        if local not in definitions:
            raise LookupError(f"{module} has no definition {local!r}")
        found[name] = digest("\n".join(_Spelling().visit(node) for node in definitions[local]))
        for read in _names_read(definitions[local]):
            head, _, attribute = read.partition(".")
            if read in decided_by:
                waiting.append(decided_by[read])
            if head in definitions:
                waiting.append(f"{module}:{head}")
            elif head in imports:
                target, original = imports[head]
                if original is not None and _source(f"{target}.{original}") is not None:
                    target, original = f"{target}.{original}", attribute or None
                if original is not None and not target.startswith(not_followed):
                    waiting.append(_home(target, original))
    return dict(sorted(found.items()))


def code_imported(text: str) -> dict[str, str]:
    """What a text from elsewhere imports of paperlib: each definition as by `code_of`, and whole modules."""
    nodes = list(ast.walk(ast.parse(text)))
    names = [(n.module or "", a.name) for n in nodes if isinstance(n, ast.ImportFrom) for a in n.names]
    names += [(a.name, "") for n in nodes if isinstance(n, ast.Import) for a in n.names]
    found: dict[str, str] = {}
    for module, name in names:
        if module.partition(".")[0] == "paperlib":
            whole = f"{module}.{name}".rstrip(".")
            source = _source(whole)
            own = {whole: digest(source.read_text(encoding="utf-8"))} if source else {}
            found |= own or code_of(_home(module, name))
    return found


@cache
def source_fingerprint() -> str:
    """A hash of all of paperlib's source: what an executed page depends on."""
    root = Path(__file__).resolve().parents[1]
    return digest("\n".join(p.read_text(encoding="utf-8") for p in sorted(root.rglob("*.py"))))


LIBRARIES = "captum lightning-fabric numpy opensmile pillow scikit-learn scipy torch torchvision".split()


@cache
def libraries() -> dict[str, str]:
    """Versions of the libraries whose arithmetic can change a trained number, or the data it was trained on."""
    return {name: version_of(name) for name in LIBRARIES}


def device() -> str:
    """What trainings run on: "cpu", or the GPU's name; none gives another's bits, whatever the precision."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return "mps" if torch.backends.mps.is_available() else "cpu"


def precision() -> str:
    """In which arithmetic trainings run on this machine, see `training.native_precision`."""
    from paperlib.training import native_precision  # here, because torch takes seconds

    return native_precision()


def digest(text: str) -> str:
    """Sixteen hexadecimal digits of the text's SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def version_of(library: str) -> str:
    """The version that is installed; "none" where none is."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "none"


@cache
def _parsed(module: str) -> tuple[dict[str, list[ast.stmt]], dict[str, tuple[str, str | None]]]:
    source = _source(module)
    if source is None:
        raise LookupError(f"there is no module {module}")
    definitions: dict[str, list[ast.stmt]] = {}
    imports: dict[str, tuple[str, str | None]] = {}
    tree = ast.parse(source.read_text(encoding="utf-8"))
    for node in ast.walk(tree):  # an import inside a function counts too
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("paperlib"):
            for alias in node.names:
                imports[alias.asname or alias.name] = (node.module or "", alias.name)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            definitions.setdefault(node.name, []).append(_without_docstrings(node))
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                for name in {n.id for n in ast.walk(target) if isinstance(n, ast.Name)}:
                    definitions.setdefault(name, []).append(node)
    return definitions, imports


class _Spelling(ast._Unparser):  # type: ignore[name-defined]
    """Code as Python 3.11 spells it: later ones choose other quotes for an f-string, which would be another hash."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        if sys.version_info < (3, 12):
            return super().visit_JoinedStr(node)
        quotes, written = ["'", '"', '"""', "'''"], ""
        for value in node.values:
            with self.buffered() as buffer:
                self._write_fstring_inner(value)
            text, quotes = self._str_literal_helper(
                "".join(buffer), quote_types=quotes, escape_special_whitespace=isinstance(value, ast.Constant)
            )
            written += text
        self.write(f"f{quotes[0]}{written}{quotes[0]}")


def _home(module: str, name: str) -> str:
    """Where a name that a package's __init__ passes on is defined."""
    definitions, imports = _parsed(module)
    if name not in definitions and name in imports:
        return _home(*imports[name])  # type: ignore[arg-type]
    return f"{module}:{name}"


@cache
def _source(module: str) -> Path | None:
    """The module's file; its package is not imported, which for torch's users takes seconds."""
    package, *inner = module.split(".")
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    if not inner:
        return Path(spec.origin)
    places = [Path(folder, *inner) for folder in spec.submodule_search_locations or ()]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    return next(filter(Path.is_file, files), None)


def _names_read(nodes: list[ast.stmt]) -> Iterator[str]:
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                yield f"{node.value.id}.{node.attr}"
            elif isinstance(node, ast.Name):
                yield node.id


def _without_docstrings(node: ast.stmt) -> ast.stmt:
    for child in ast.walk(node):
        if (
            isinstance(child, ast.FunctionDef | ast.ClassDef)
            and ast.get_docstring(child, clean=False) is not None
        ):
            child.body = child.body[1:] or [ast.Pass()]
    return node
