"""Pages are executed whole or not at all, and not at all when nothing changed."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from paperlib.companion import reproduce
from paperlib.companion.reproduce import _without_times, execute
from paperlib.companion.runs import Result, Run, record
from paperlib.ledger import outputs
from paperlib.tracks import Track


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository of one notebook, whose last cell the test gives."""
    monkeypatch.delenv("PAPERLIB_REPLAY", raising=False)
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
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


WRITING = """
from paperlib.ledger import outputs
from paperlib.tracks import Track
folder = outputs(Track(), "le2023")
folder.mkdir(parents=True)
for name in ("a.csv", "ledger.json"):
    (folder / name).write_text("new")
(folder.parent / "certificate.json").write_text("new")
"""


@pytest.mark.filterwarnings("ignore")
def test_tables_and_ledger_appear_with_their_page_and_others_go(tree, tmp_path):
    figures = tmp_path / "figures"
    kept = outputs(Track(), "le2023")
    kept.mkdir(parents=True)
    for name in ("a.csv", "no_longer.png", ".a.123.png", "ledger.json"):
        (kept / name).write_text("old")
    (kept / "a folder").mkdir()
    before = {path: path.read_text() for path in figures.rglob("*.*")}
    source, page = tree(WRITING + "1 / 0")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        execute(source, page, Track())
    assert {path: path.read_text() for path in figures.rglob("*") if path.is_file()} == before

    half = (
        figures / ".making" / "twin-default-n" / "twin-default" / "le2023" / "half.csv"
    )  # by one that was killed
    half.parent.mkdir(parents=True)
    half.write_text("half")
    page.parent.mkdir(parents=True, exist_ok=True)
    (page.parent / ".n.123.ipynb").touch()
    source, page = tree(WRITING + "print(folder.parts[-3])")
    execute(source, page, Track())
    files = {path: path.read_text() for path in figures.rglob("*") if path.is_file()}
    assert files == {
        kept / "a.csv": "new",
        kept / "ledger.json": "new",
        kept.parent / "certificate.json": "new",
    }
    assert [path.name for path in page.parent.iterdir()] == [
        "n.ipynb"
    ] and "PAPERLIB_MAKING" not in os.environ


def test_what_was_half_written_long_ago_is_swept_away(tmp_path):
    left = [
        "runs/k.0123abc/arrays.npz",
        "checkpoints/k.ckpt.77",
        "checkpoints/k.1.ckpt.77",
        "stamps/twin/.le2023-0.77.json",
    ]
    whole = [
        "runs/k/arrays.npz",
        "checkpoints/k.ckpt",
        "checkpoints/k.1.ckpt",
        "stamps/twin/le2023-0.json",
        "stamps/twin/x.lock",
    ]
    for name in (*left, *whole, "runs/j.4567def/arrays.npz"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for name in (*left, *whole):
        for path in (tmp_path / name, (tmp_path / name).parent):
            os.utime(path, (0, 0))
    reproduce.sweep(tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {*whole, "runs/j.4567def/arrays.npz"}  # the last is perhaps being written
    reproduce.sweep(tmp_path / "no cache yet")


def test_pages_of_recorded_runs_are_not_taken_for_this_machine_s(tree, monkeypatch):
    monkeypatch.setenv("PAPERLIB_REPLAY", "recorded")
    for made in (
        lambda: reproduce.reproduce("le2023", Track()),
        lambda: reproduce.reproduce_all(["le2023"], Track(), seeds=0, jobs=1),
        lambda: reproduce.make_scoreboard(Track()),
    ):
        with pytest.raises(RuntimeError, match="PAPERLIB_REPLAY is set.*unset it; `make pages`"):
            made()


@pytest.mark.filterwarnings("ignore")
def test_a_page_is_made_of_recorded_runs_if_their_code_is_today_s(tree, monkeypatch, tmp_path):
    source, _ = tree("import os; print(os.environ['PAPERLIB_REPLAY'])")
    track, task = Track(name="twin", profile="full"), "paperlib.tasks.same_faces:train"
    runs = [Run(task=task, track=track, data="f00d", settings={}, seed=0)]
    monkeypatch.setattr(reproduce, "RECORDED", tmp_path / "recorded")
    monkeypatch.setattr(reproduce, "PAPERS", {"toy": source.stem})
    monkeypatch.setattr(reproduce, "_runs", lambda key, track, seeds: runs)
    record([Result(run=r, key="k", seconds=1.0, arrays={}) for r in runs], tmp_path / "recorded/twin/toy.npz")
    page = nbformat.read(reproduce.remake("toy"), as_version=4)
    assert page.cells[-1].outputs[0].text == f"{tmp_path / 'recorded' / 'twin'}\n"
    monkeypatch.setattr(reproduce, "code_of", lambda task: {task: "changed"})
    with pytest.raises(RuntimeError, match="depend on has changed.*make reproduce PROFILE=full PAPER=toy"):
        reproduce.remake("toy")


def test_other_libraries_arithmetic_or_data_behind_a_link_make_a_page_again(tmp_path, monkeypatch):
    elsewhere = tmp_path / "another disk"
    elsewhere.mkdir()
    (elsewhere / "fer2013.csv").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "ferplus").symlink_to(elsewhere)
    track, here = Track(name="ferplus", root=str(tmp_path / "data")), reproduce._here

    def asked():
        here.cache_clear()
        return reproduce._asked("le2023", track, 0)

    seen = [asked()]
    assert asked() == seen[0]
    (elsewhere / "fer2013.csv").write_text("22")
    seen.append(asked())
    version = reproduce.importlib.metadata.version
    monkeypatch.setattr(
        reproduce.importlib.metadata, "version", lambda name: "9" if name == "pillow" else version(name)
    )
    seen.append(asked())
    monkeypatch.setattr(reproduce, "native_precision", lambda: "another")
    seen.append(asked())
    assert len(set(seen)) == 4
    here.cache_clear()


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
    pages = lambda keys, *a, **k: made.extend(keys) or dict.fromkeys(keys, "p")  # noqa: E731
    monkeypatch.setattr(reproduce, "reproduce_all", pages)
    monkeypatch.setattr(reproduce, "_summarise", lambda *a: None)
    monkeypatch.setattr(
        reproduce, "make_scoreboard", lambda track: made.append("scoreboard") or reproduce.ROOT / "p"
    )
    reproduce.main(["--paper", "le2023"])
    assert made == ["le2023"]
    reproduce.main([])
    assert made == ["le2023", *reproduce.PAPERS, "scoreboard"]


@pytest.fixture
def board(monkeypatch, tmp_path):
    """A ledger, and what is called in the place of executing notebook 00: `executed` has a page a time."""
    executed = []

    def execute(notebook, page, track):
        executed.append(page)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text("made")

    monkeypatch.delenv("PAPERLIB_REPLAY", raising=False)
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
    monkeypatch.setattr(reproduce, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(reproduce, "execute", execute)
    notebook = "00_scoreboard.ipynb"
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / notebook).write_text((reproduce.NOTEBOOKS / notebook).read_text())
    monkeypatch.setattr(reproduce, "NOTEBOOKS", tmp_path / "notebooks")
    ledger = outputs(Track(), "le2023") / "ledger.json"
    ledger.parent.mkdir(parents=True)
    ledger.write_text("1")
    return SimpleNamespace(ledger=ledger, executed=executed)


def test_the_scoreboard_is_made_again_when_a_ledger_changes_and_not_else(board):
    page = reproduce.make_scoreboard(Track())
    assert reproduce.make_scoreboard(Track()) == page and board.executed == [page]
    board.ledger.write_text("2")
    reproduce.make_scoreboard(Track())
    page.write_text("changed by hand")
    reproduce.make_scoreboard(Track())
    assert len(board.executed) == 3


def test_a_ledger_that_changes_while_the_scoreboard_is_made_is_not_missed(board, monkeypatch):
    execute = reproduce.execute
    monkeypatch.setattr(reproduce, "execute", lambda *a: (execute(*a), board.ledger.write_text("2")))
    reproduce.make_scoreboard(Track())
    monkeypatch.setattr(reproduce, "execute", execute)
    reproduce.make_scoreboard(Track())
    reproduce.make_scoreboard(Track())
    assert len(board.executed) == 2


def test_two_scoreboards_are_made_one_after_the_other(board, monkeypatch):
    execute, inside = reproduce.execute, []

    def slowly(*arguments):
        inside.append(1)
        time.sleep(0.2)
        assert len(inside) == 1
        execute(*arguments)
        inside.pop()

    monkeypatch.setattr(reproduce, "execute", slowly)
    with ThreadPoolExecutor(2) as threads:
        assert len({*threads.map(reproduce.make_scoreboard, [Track()] * 2)}) == 1
    assert len(board.executed) == 1


def test_a_certificate_with_changes_on_top_is_told_and_made_again_once_they_are_committed(
    board, monkeypatch, capsys
):
    dirty = {"dirty": True}
    track = Track(profile="full")
    path = outputs(track, "scoreboard").parent / "certificate.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(dirty))
    monkeypatch.setattr("paperlib.scoreboard.renew_front", lambda: None)
    monkeypatch.setattr("paperlib.certificate.checkout", lambda: ("abc", dirty["dirty"]))
    for _ in range(2):
        assert reproduce.main(["--profile", "full", "--paper", "scoreboard"]) == 0
    again = "commit, then make reproduce PROFILE=full PAPER=scoreboard"
    assert f"the certificate names a commit with changes on top: {again}" in capsys.readouterr().out
    assert len(board.executed) == 1
    dirty["dirty"] = False
    reproduce.make_scoreboard(track)
    assert len(board.executed) == 2
    path.write_text(json.dumps(dirty))
    reproduce.main(["--profile", "full", "--paper", "scoreboard"])
    assert "commit, then" not in capsys.readouterr().out


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


@pytest.fixture
def three(monkeypatch):
    """Papers a, b and c, with a run each; the page of b cannot be made, nor that of what has no runs."""
    ran, made = set(), []

    def page(key, track, *, seeds):
        if key == "b":
            raise RuntimeError("cell 3 failed: ValueError: odd")
        made.append(key)

    monkeypatch.delenv("PAPERLIB_REPLAY", raising=False)
    monkeypatch.setattr(reproduce, "_is_current", lambda *a: False)
    monkeypatch.setattr(reproduce, "_runs", lambda key, *rest: [f"{key}1"])
    monkeypatch.setattr(
        reproduce, "missing_runs", lambda runs: [(run, "never run") for run in runs if run not in ran]
    )
    monkeypatch.setattr(reproduce, "run_missing", lambda runs, **rest: ran.update(runs))
    monkeypatch.setattr(reproduce, "reproduce", page)
    return SimpleNamespace(ran=ran, made=made)


def test_a_page_that_fails_is_named_when_the_others_are_made(three):
    with pytest.raises(RuntimeError) as error:
        reproduce.reproduce_all(["a", "b", "c"], Track(), seeds=0, jobs=1)
    assert three.made == ["a", "c"]
    expected = "1 of 3 pages failed, the others are finished. b: cell 3 failed: ValueError: odd"
    assert str(error.value) == expected


def test_runs_that_fail_stop_the_pages_of_their_papers_alone(three, monkeypatch, capsys):
    def train(runs, **rest):
        three.ran.update(set(runs) - {"c1"})
        raise RuntimeError("1 of 3 runs failed; the first: no such class")

    monkeypatch.setattr(reproduce, "run_missing", train)
    with pytest.raises(SystemExit) as stopped:
        monkeypatch.setattr(reproduce, "_papers_of", lambda *a: ["a", "b", "c"])
        reproduce.main([])
    assert three.made == ["a"] and "executing 2 pages: a, b" in capsys.readouterr().out
    assert str(stopped.value) == (
        "reproduce: 2 of 3 pages failed, the others are finished. b: cell 3 failed: ValueError: odd; "
        "c: 1 of its runs are missing: 1 of 3 runs failed; the first: no such class"
    )


def test_where_no_paper_has_anything_to_do_there_is_no_scoreboard(monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "reproduce_all", lambda keys, *a, **k: dict.fromkeys(keys))
    assert reproduce.main(["--track", "rafdb", "--data", "."]) == 0
    assert "le2023: nothing to do, these data have none of the labels" in capsys.readouterr().out


def test_where_a_stream_is_cut_does_not_show():
    outputs = [new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n", "c")]
    outputs.insert(2, new_output("display_data"))
    page = _without_times(new_notebook(cells=[new_code_cell("x", outputs=outputs)]))
    assert [output.get("text") for output in page.cells[0].outputs] == ["a\nb\n", None, "c"]
