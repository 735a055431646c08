"""Pages are executed whole or not at all, and not at all when nothing changed."""

import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from paperlib import reproduce
from paperlib.reproduce import _without_times, execute
from paperlib.tracks import Track


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository of one notebook, whose last cell the test gives."""
    monkeypatch.setattr(reproduce, "NOTEBOOKS", tmp_path)
    monkeypatch.setattr(reproduce, "CACHE", tmp_path / "cache")

    def make(last: str, parameters: str = "track = ''\nprofile = ''\nseeds = 0"):
        first = new_code_cell(parameters)
        first.metadata["tags"] = ["parameters"]
        notebook = new_notebook(cells=[first, new_code_cell(last)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
        path = tmp_path / "n.ipynb"
        nbformat.write(notebook, path)
        return path, tmp_path / "executed" / "n.ipynb"

    return make


@pytest.mark.filterwarnings("ignore")
def test_a_page_holds_its_parameters_and_outputs_and_no_times(tree):
    source, page = tree("print(track, profile)")
    execute(source, page, Track(profile="smoke"))
    first = page.read_bytes()
    cells = nbformat.read(page, as_version=4).cells
    assert cells[-1].outputs[0].text == "twin smoke\n"
    execute(source, page, Track(profile="smoke"))
    assert page.read_bytes() == first


@pytest.mark.filterwarnings("ignore")
def test_a_page_is_computed_by_one_thread(tree):
    source, page = tree(
        "import threadpoolctl, torch\nimport sklearn.linear_model\n"
        "print({p['num_threads'] for p in threadpoolctl.threadpool_info()}, torch.get_num_threads())"
    )
    execute(source, page, Track(profile="smoke"))
    assert nbformat.read(page, as_version=4).cells[-1].outputs[0].text == "{1} 1\n"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("import sys; print('careful', file=sys.stderr)", "wrote: careful"),
    ],
)
def test_a_cell_that_fails_or_complains_leaves_no_page(tree, cell, message):
    source, page = tree(cell)
    with pytest.raises(RuntimeError, match=message):
        execute(source, page, Track())
    assert not page.exists()


def test_an_unknown_parameter_is_refused_instead_of_ignored(tree):
    source, page = tree("1", parameters="track = ''\nprofile = ''")
    with pytest.raises(RuntimeError, match="has no parameter seeds"):
        execute(source, page, Track())


def test_a_killed_kernel_s_cell_is_noticed_though_marked_completed():
    cell = new_code_cell("1", metadata={"papermill": {"status": "completed"}})
    assert list(reproduce._faults(new_notebook(cells=[cell]))) == ["cell 0 was not executed"]


def test_nothing_is_done_when_nothing_changed(tree, tmp_path, monkeypatch):
    key = "foteinopoulou2021"
    made, out = [], tmp_path / "figures" / "twin-smoke" / key
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
    (tmp_path / "01_foteinopoulou2021.ipynb").write_text("{}")
    monkeypatch.setattr("paperlib.papers.foteinopoulou2021.grid", lambda track, seeds: {"a": ["run"]})
    monkeypatch.setattr(reproduce, "missing_runs", lambda runs: [])
    monkeypatch.setattr(reproduce, "run_missing", lambda runs: [])

    def executing(notebook, page, track, *, seeds):
        made.append(page)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("page")
        out.mkdir(parents=True, exist_ok=True)
        (out / "ledger.json").write_text(json.dumps({"entries": []}))

    monkeypatch.setattr(reproduce, "execute", executing)
    again = lambda: reproduce.reproduce(key, Track(profile="smoke"))  # noqa: E731
    page = again()
    again()
    assert len(made) == 1
    page.write_text("a number changed by hand")
    again()
    assert len(made) == 2
    (tmp_path / "01_foteinopoulou2021.ipynb").write_text("{ }")
    again()
    assert len(made) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--track", "ferplus"], "DATA=<folder>"),
        (["--track", "ferplus", "--data", "nowhere-at-all"], "nowhere-at-all"),
    ],
)
def test_a_wrong_setting_ends_with_one_line(arguments, message):
    with pytest.raises(SystemExit) as stopped:
        reproduce.main(arguments)
    assert message in str(stopped.value) and "\n" not in str(stopped.value)


def test_a_paper_that_has_nothing_to_do_on_a_track_is_left_out_or_refused_by_name(monkeypatch):
    assert reproduce._papers_of(Track(name="rafdb", root="x"), "") == ["le2023"]
    assert reproduce._papers_of(Track(name="amigos", root="x"), "") == ["foteinopoulou2021"]
    with pytest.raises(ValueError, match="le2023 has nothing to do on track amigos"):
        reproduce._papers_of(Track(name="amigos", root="x"), "le2023")


def test_data_without_the_labels_that_a_paper_learns_make_no_page(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(reproduce, "CACHE", tmp_path)
    monkeypatch.setattr(Track, "categories", lambda self: None)
    assert reproduce.reproduce("le2023", Track(profile="smoke")) is None


def test_the_scoreboard_needs_no_data_and_comes_alone_when_named(monkeypatch, capsys):
    made = []
    monkeypatch.setattr(reproduce, "reproduce_all", lambda keys, *a, **k: dict.fromkeys(keys))
    monkeypatch.setattr(
        reproduce, "make_scoreboard", lambda track: made.append(track.name) or reproduce.ROOT / "p"
    )
    assert reproduce.main(["--track", "ferplus", "--paper", "scoreboard"]) == 0
    assert made == ["ferplus"]
    assert "figures/ferplus-default/certificate.json" in capsys.readouterr().out


def test_the_scoreboard_comes_after_all_papers_and_not_after_one(monkeypatch, capsys):
    made = []
    monkeypatch.setattr(reproduce, "reproduce_all", lambda keys, *a, **k: made.extend(keys) or {})
    monkeypatch.setattr(
        reproduce, "make_scoreboard", lambda track: made.append("scoreboard") or reproduce.ROOT / "p"
    )
    reproduce.main(["--paper", "le2023"])
    assert made == ["le2023"]
    reproduce.main([])
    assert made == ["le2023", *reproduce.PAPERS, "scoreboard"]


def test_the_scoreboard_is_made_again_when_a_ledger_changes_and_not_else(monkeypatch, tmp_path):
    executed = []

    def execute(notebook, page, track):
        executed.append(page)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("made")

    monkeypatch.setattr(reproduce, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(reproduce, "execute", execute)
    monkeypatch.setattr(reproduce, "outputs", lambda track, key: tmp_path / "figures" / key)
    notebook = "00_scoreboard.ipynb"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / notebook).write_text((reproduce.NOTEBOOKS / notebook).read_text())
    monkeypatch.setattr(reproduce, "NOTEBOOKS", tmp_path / "notebooks")
    ledger = tmp_path / "figures" / "le2023" / "ledger.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("1")
    page = reproduce.make_scoreboard(Track())
    assert reproduce.make_scoreboard(Track()) == page and executed == [page]
    ledger.write_text("2")
    reproduce.make_scoreboard(Track())
    page.write_text("changed by hand")
    reproduce.make_scoreboard(Track())
    assert len(executed) == 3


def test_all_papers_train_together_before_any_page(monkeypatch, capsys, tmp_path):
    done = []
    lacks = {"a": ["a1", "a2"], "b": [], "c": ["c1"]}
    monkeypatch.setattr(reproduce, "_is_current", lambda key, *rest: key == "b")
    monkeypatch.setattr(reproduce, "_runs", lambda key, *rest: lacks[key])
    monkeypatch.setattr(reproduce, "missing_runs", lambda runs: [(run, "never run") for run in runs])
    monkeypatch.setattr(reproduce, "run_missing", lambda runs, **rest: done.append(runs))
    monkeypatch.setattr(reproduce, "reproduce", lambda key, *a, **k: done.append(key) or tmp_path / key)
    pages = reproduce.reproduce_all(["a", "b", "c"], Track(), seeds=0, jobs=1)
    assert done == [["a1", "c1", "a2"], "a", "b", "c"]
    assert pages == {key: tmp_path / key for key in "abc"}
    said = capsys.readouterr().out
    assert "3 runs to train, 1 at a time: 2 of a, 1 of c" in said and "executing 2 pages: a, c" in said


def test_where_a_stream_is_cut_does_not_show():
    outputs = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n", "c")]
    outputs.insert(2, new_output("display_data"))
    page = _without_times(new_notebook(cells=[new_code_cell("x", outputs=outputs)]))
    assert [output.get("text") for output in page.cells[0].outputs] == ["a\nb\n", None, "c"]
