import ast
import importlib
import importlib.metadata

import pytest

import paperlib
from paperlib.companion import provenance
from paperlib.companion.provenance import DECIDED_BY, _Spelling, code_of
from paperlib.companion.runs import Run, what_changed
from paperlib.files import ROOT
from paperlib.tracks import Track


@pytest.fixture
def module(tmp_path):
    """Write modules of `paperlib` by name, as a changed working tree would hold them."""
    paperlib.__path__.append(str(tmp_path))

    (tmp_path / "package").mkdir()

    def write(**sources):
        for name, source in sources.items():
            file = tmp_path / ("package/__init__.py" if name == "package" else f"{name}.py")
            file.write_text(source)
        forget()

    yield write
    paperlib.__path__.remove(str(tmp_path))
    forget()


def forget(sources=provenance._source):
    importlib.invalidate_caches()
    for cached in (provenance.code_of, provenance.data_code_of, provenance._parsed, sources):
        cached.cache_clear()


TASK = '''
RATE = 0.1
UNUSED = 3


def task(x):
    """Words."""
    return RATE * helper(x)


def helper(x):
    return x + 1
'''


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ('"""Words."""', '"""Other words."""', ""),
        ("return x + 1", "return x + 1  # why", ""),
        ("return x + 1", "return (x\n            + 1)", ""),
        ("UNUSED = 3", "def unused(x):\n    return x", ""),
        ("RATE = 0.1", "RATE = 0.2", "RATE"),
        ("RATE = 0.1", "RATE: float = 0.1", "RATE"),
        ("RATE = 0.1", "RATE, OTHER = 0.1, 0.2", "RATE"),
        ("RATE = 0.1", "RATE = 0.1\nRATE /= 2", "RATE"),
        ("return x + 1", "return x + 2", "helper"),
        ("def task(x)", "def task(x, y=helper)", "task"),
    ],
)
def test_what_can_change_a_result_is_named_and_nothing_else(module, before, after, changed):
    module(toy=TASK)
    code = code_of("paperlib.toy:task")
    assert TASK.count(before) == 1
    module(toy=TASK.replace(before, after))
    again = code_of("paperlib.toy:task")
    assert [name for name in code if code[name] != again[name]] == [f"paperlib.toy:{changed}"] * bool(changed)
    assert changed or code == again


@pytest.mark.parametrize(
    ("head", "call"),
    [
        ("from paperlib.depth import below", "below()"),
        ("from paperlib import depth", "depth.below()"),
        ("from paperlib import depth", "depth.TABLE['below']()"),
        ("from paperlib.depth import TABLE", "TABLE['below']()"),
        ("from paperlib.package import below", "below()"),
        ("from paperlib import package", "package.below()"),
        ("from paperlib.depth import Below", "Below().method()"),
        ("from paperlib.depth import Child", "Child().method()"),
        ("", "local()"),
    ],
)
def test_a_dependency_is_followed_through(module, head, call):
    depth = """
def below():
    return bottom()
def bottom():
    return 1
TABLE = {}
TABLE['below'] = below
class Below:
    def method(self):
        return bottom()
class Child(Below):
    pass
"""
    toy = f"{head}\ndef task():\n    return {call}\n"
    toy += "def local():\n    from paperlib.depth import below\n    return below()\n"
    module(toy=toy, depth=depth, package="from paperlib.depth import below")
    code = code_of("paperlib.toy:task")
    module(depth=depth.replace("return 1", "return 2"))
    again = code_of("paperlib.toy:task")
    assert [name for name in code if code[name] != again[name]] == ["paperlib.depth:bottom"]


def test_data_and_what_carries_runs_are_not_followed(module):
    module(
        toy="""
from paperlib import data
from paperlib.asked import Asked
from paperlib.data.records import FaceSet
from paperlib.tracks import Track
def task():
    return Track, FaceSet, data.subset, Asked
raise RuntimeError("a module is not run to be read")
"""
    )
    assert set(code_of("paperlib.toy:task")) == {"paperlib.toy:task"}


def test_a_name_that_is_not_there_is_named(module):
    module(toy="from paperlib.losses import no_such_loss\ndef task():\n    return no_such_loss()\n")
    with pytest.raises(LookupError, match="paperlib.losses has no definition 'no_such_loss'"):
        code_of("paperlib.toy:task")
    with pytest.raises(LookupError, match="paperlib.toy has no definition 'taks'"):
        code_of("paperlib.toy:taks")
    for missing in ("paperlib.tasks.toy", "no_such_package"):
        with pytest.raises(LookupError, match=f"there is no module {missing}"):
            code_of(f"{missing}:task")


@pytest.fixture
def edited(tmp_path, monkeypatch):
    """Change a module's source for `provenance` alone."""
    find = provenance._source

    def edit(module, before, after):
        source = find(module).read_text()
        assert source.count(before) == 1
        (tmp_path / "edited.py").write_text(source.replace(before, after))
        edited = lambda name: tmp_path / "edited.py" if name == module else find(name)  # noqa: E731
        monkeypatch.setattr(provenance, "_source", edited)
        forget()

    yield edit
    monkeypatch.undo()
    forget()


@pytest.mark.parametrize(
    ("task", "module", "before", "after", "changed"),
    [
        ("same_faces", "tracks", "len(train) // 10", "len(train) // 5", "as_categories"),
        ("noisy_labels", "data.categories", '(faces, reason == "")', '(faces, reason != "")', "with_category"),
        ("emofan", "tracks", "[fold == 0, fold == 1]", "[fold == 1, fold == 0]", "as_kind"),
        ("perception_uncertainty", "data.records", "self.frames[: i + 1]", "self.frames[:i]", "RecordingSet"),
    ],
)  # fmt: skip
def test_what_decides_rows_splits_and_labels_changes_the_key(edited, task, module, before, after, changed):
    run = Run(task=f"paperlib.tasks.{task}:train", track=Track(), data="d", settings={}, seed=0)
    key, identity, circumstances = run.key, run.identity, run.circumstances
    edited(f"paperlib.{module}", before, after)
    assert run.key != key and run.identity == identity
    assert what_changed(run, circumstances) == f"paperlib.{module}:{changed}"


def test_tasks_ask_a_track_by_the_name_that_is_looked_for():
    methods = {read.partition(".")[2] for read in DECIDED_BY}
    asked = {
        ast.unparse(node)
        for path in (ROOT / "paperlib" / "tasks").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in methods
    }
    assert asked == set(DECIDED_BY)
    assert all(set(code_of(definition)) >= {definition} for definition in DECIDED_BY.values())


@pytest.mark.parametrize("code", ["f\"{', '.join(x)}\"", "f\"{f'[{x}]':25} {y}\"", "f'{x}'", 'f"it\'s {x}"'])
def test_code_is_spelt_alike_by_every_python(code):
    """As Python 3.11 does: a run made on one Python is not made again on the next."""
    assert _Spelling().visit(ast.parse(code)) == code
