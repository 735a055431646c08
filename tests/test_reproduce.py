"""Runs, samples and pages are made whole or not at all, and not at all when nothing changed."""

import os
import shutil
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from paperlib.companion import execute as executing
from paperlib.companion import more, plan, reproduce, samples
from paperlib.companion.execute import execute
from paperlib.companion.reproduce import SCOREBOARD, Page, samples_folder, stored_pages, train
from paperlib.tracks import Track

PARAMETERS = "track = ''\nsamples = ''"
SAMPLES = pd.DataFrame({"item": [0, 1], "prediction": [0.1, 0.2]})


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A repository of two papers and a scoreboard, whose last cells the test gives."""
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
    monkeypatch.setenv("PAPERLIB_CACHE", str(tmp_path / "cache"))  # read by workers
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    monkeypatch.setattr(reproduce, "NOTEBOOKS", tmp_path / "notebooks")
    for name, module in (("NOTEBOOKS", executing), ("STORED", samples), ("PLANS", plan)):
        monkeypatch.setattr(module, name, tmp_path / name.lower())
    monkeypatch.setattr(reproduce, "PAPERS", {"toy": "01_toy", "second": "02_second"})

    def make(last: str = "1", name: str = "01_toy", parameters: str = PARAMETERS):
        first = new_code_cell(parameters)
        first.metadata["tags"] = ["parameters"]
        notebook = new_notebook(cells=[first, new_code_cell(last)])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "x", "language": "python"}
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(exist_ok=True)
        nbformat.write(notebook, path)
        return path, tmp_path / "notebooks" / "executed" / "twin" / path.name

    for name in ("01_toy", "02_second", "00_scoreboard"):
        make(name=name)
    for key in ("toy", "second"):
        samples.write({"": SAMPLES}, key, "twin")
    return make


# one page


warnings_of_a_kernel_ignored = pytest.mark.filterwarnings("ignore")


@warnings_of_a_kernel_ignored
def test_a_page_holds_its_parameters_and_outputs_and_no_times(tree):
    source, page = tree(
        "import threadpoolctl, torch\nimport sklearn.linear_model\n"
        "print(track, samples, {p['num_threads'] for p in threadpoolctl.threadpool_info()}, torch.get_num_threads())"
    )
    execute(source, page, track="twin", samples="elsewhere")
    first = page.read_bytes()
    cells = nbformat.read(page, as_version=4).cells
    assert cells[-1].outputs[0].text == "twin elsewhere {1} 1\n"
    execute(source, page, track="twin", samples="elsewhere")
    assert page.read_bytes() == first


@warnings_of_a_kernel_ignored
def test_a_cell_that_complains_leaves_no_page(tree):
    source, page = tree("import sys; print('careful', file=sys.stderr)")
    with pytest.raises(RuntimeError, match="wrote: careful"):
        execute(source, page, track="twin")
    assert not page.exists()


@warnings_of_a_kernel_ignored
def test_what_a_user_set_for_his_own_kernels_changes_no_page(tree, tmp_path, monkeypatch):
    theirs = tmp_path / "kernels" / "python3"
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    for folder in (theirs, startup.parent, tmp_path / ("t" * 90)):
        folder.mkdir(parents=True)
    (theirs / "kernel.json").write_text('{"argv": ["false"], "display_name": "x", "language": "python"}')
    startup.write_text("track = 1 / 0")
    (tmp_path / "matplotlibrc").write_text("savefig.dpi: 7\nfigure.figsize: 1, 1\n")
    source, page = tree(
        "import sys, warnings\nimport matplotlib.pyplot as plt\nwarnings.warn('late', ImportWarning)\n"
        "print(sys.executable, plt.rcParams['figure.figsize'])\nplt.plot([1, 2]);"
    )
    execute(source, page, track="twin")
    expected = page.read_bytes()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("t" * 90)))
    theirs = {"JUPYTER_PATH": tmp_path, "IPYTHONDIR": tmp_path / "ipython", "MATPLOTLIBRC": tmp_path}
    theirs |= {"MPLBACKEND": "pdf", "PYTHONSTARTUP": startup, "PYTHONWARNINGS": "always"}
    for name, value in theirs.items():
        monkeypatch.setenv(name, str(value))
    execute(source, page, track="twin")
    cells = nbformat.read(page, as_version=4).cells
    assert page.read_bytes() == expected and "image/png" in cells[-1].outputs[-1].data
    assert cells[-1].outputs[0].text.startswith(sys.executable)


WRITING = """
import os
from pathlib import Path
folder = Path(os.environ["PAPERLIB_OUTPUTS"], track, "toy")
folder.mkdir(parents=True)
for name in ("a.csv", "ledger.csv"):
    (folder / name).write_text("new")
"""


@warnings_of_a_kernel_ignored
def test_tables_and_ledger_appear_with_their_page_and_others_go(tree, tmp_path):
    figures = tmp_path / "figures"
    kept = figures / "twin-smoke" / "toy"
    kept.mkdir(parents=True)
    for name in ("a.csv", "no_longer.png", ".a.123.png", "ledger.csv"):
        (kept / name).write_text("old")
    (kept / "a folder").mkdir()
    before = {path: path.read_text() for path in figures.rglob("*.*")}
    source, page = tree(WRITING + "1 / 0")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        execute(source, page, track="twin", variant="twin-smoke")
    assert {path: path.read_text() for path in figures.rglob("*") if path.is_file()} == before

    half = figures / ".making" / "twin-smoke-01_toy" / "twin" / "toy" / "half.csv"  # by one that was killed
    half.parent.mkdir(parents=True)
    half.write_text("half")
    page.parent.mkdir(parents=True, exist_ok=True)
    (page.parent / f".{page.stem}.123.ipynb").touch()
    source, page = tree(WRITING)
    execute(source, page, track="twin", variant="twin-smoke")
    files = {path: path.read_text() for path in figures.rglob("*") if path.is_file()}
    assert files == {kept / "a.csv": "new", kept / "ledger.csv": "new"}
    assert [path.name for path in page.parent.iterdir()] == [page.name]
    assert os.environ["PAPERLIB_OUTPUTS"] == str(figures)


def test_an_unknown_parameter_is_refused_instead_of_ignored(tree):
    source, page = tree(parameters="track = ''")
    with pytest.raises(RuntimeError, match="01_toy.ipynb has no parameter samples"):
        execute(source, page, track="twin")


# pages of samples


@pytest.fixture
def executed(tree, monkeypatch):
    """The names of pages in the order in which they are executed, in the place of a kernel; `act` comes first."""
    done = SimpleNamespace(names=[], act=lambda page: None)

    def execute(notebook, page, *, track, samples, variant):
        done.act(page)
        done.names.append(f"{variant}/{page.stem}")
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"{track} {samples}")
        out = executing.figures() / variant / page.stem.partition("_")[2]
        out.mkdir(parents=True, exist_ok=True)
        (out / "ledger.csv").write_text("1")
        (out / "verdicts.csv").write_text("claim,verdict\na,held\nb,held\nc,cannot tell\n")

    monkeypatch.setattr(reproduce, "execute", execute)
    return done


ALL = ["twin/01_toy", "twin/02_second", "twin/00_scoreboard"]


def test_pages_of_stored_samples_come_with_their_scoreboard_and_a_last_screen(executed, capsys):
    assert reproduce.main(["--jobs", "1"]) == 0
    assert executed.names == ALL
    said = " ".join(capsys.readouterr().out.split())
    assert "executing 3 pages: toy on twin, second on twin, scoreboard on twin" in said
    assert "Statements by verdict held cannot tell twin toy 2 1 second 2 1" in said


def test_nothing_is_done_when_nothing_changed(executed, tree, tmp_path, monkeypatch):
    again = lambda: (executed.names.clear(), reproduce.main(["--jobs", "1"]))  # noqa: E731
    again()
    again()
    assert executed.names == []
    (tmp_path / "notebooks" / "executed" / ALL[0]).with_suffix(".ipynb").write_text("changed by hand")
    again()
    assert executed.names == ALL[:1]
    tree("2", name="02_second")
    again()
    assert executed.names == ALL[1:2]
    samples.write({"": SAMPLES, "items": SAMPLES}, "second", "twin")
    again()
    assert executed.names == ALL[1:2]
    (tmp_path / "figures" / "twin" / "toy" / "ledger.csv").write_text("2")
    again()
    assert executed.names == [ALL[0]]  # and the ledger is the old one again
    monkeypatch.setattr(reproduce, "version_of", lambda name: "9")
    reproduce._versions.cache_clear()
    again()
    assert executed.names == ALL
    reproduce._versions.cache_clear()


def test_a_page_that_fails_stops_no_other(executed, capsys):
    def act(page):
        if page.stem == "01_toy":
            raise RuntimeError("cell 3 failed")

    executed.act = act
    with pytest.raises(SystemExit, match="1 failed, the others are finished. toy on twin: cell 3 failed"):
        reproduce.main(["--jobs", "2"])
    assert executed.names == ALL[1:] and "second" in capsys.readouterr().out


def test_one_page_is_made_once_by_two_that_want_it(executed):
    executed.act = lambda page: time.sleep(0.2)
    (page,) = stored_pages("twin", "toy")
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: page.make(), range(2)))
    assert executed.names == ALL[:1]


def test_an_interrupt_waits_for_no_page(executed):
    go_on = threading.Event()

    def act(page):
        go_on.wait(60)
        raise RuntimeError  # or what is left of the page would be written when the test's folders are gone

    executed.act = act
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    threading.Timer(1, os.kill, [os.getpid(), signal.SIGINT]).start()
    start = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            reproduce.make_pages(stored_pages("twin", "toy"), jobs=1)
    finally:
        signal.signal(signal.SIGINT, before)
        go_on.set()
    assert time.monotonic() - start < 30


def test_samples_that_change_while_a_page_is_made_are_not_missed(executed):
    (page,) = stored_pages("twin", "toy")
    executed.act = lambda _: samples.write({"": SAMPLES[:1]}, "toy", "twin")
    page.make()
    executed.act = lambda _: None
    page.make()
    page.make()
    assert executed.names == ALL[:1] * 2


def test_a_paper_alone_brings_no_scoreboard_and_the_scoreboard_comes_alone_by_name(executed):
    reproduce.main(["--paper", "toy"])
    assert executed.names == ALL[:1]
    reproduce.main(["--paper", SCOREBOARD])
    assert executed.names == [ALL[0], ALL[2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--track", "ferplus"], "no samples of track ferplus are stored for profile full; TRAIN=all trains"),
        (["--profile", "smoke", "--paper", "toy"], "no samples of toy are stored for profile smoke"),
        (["--train", "all", "--track", "ferplus"], "DATA=<folder>"),
        (["--seeds", "-1"], "SEEDS must be 0"),
        (["--paper", SCOREBOARD], "no page was made yet"),
    ],
)
def test_a_wrong_setting_ends_with_one_line(tree, tmp_path, arguments, message):
    (tmp_path / "plans").mkdir()
    for key in ("toy", "second"):
        (tmp_path / "plans" / f"{key}.yaml").write_text("- {task: 'm:f', data: faces}\n")
    with pytest.raises(SystemExit) as stopped:
        reproduce.main(arguments)
    assert message in str(stopped.value) and "\n" not in str(stopped.value)


# training


def task(track, settings, seed, checkpoint):
    Path(settings["log"], f"{settings['name']}-{seed}").touch(exist_ok=False)
    if settings["name"] == "bad":
        raise ValueError("no luck")
    return {"prediction": np.full(2, float(seed))}


def build(track, planned):
    of_run = lambda r, labels: {"item": [0, 1], "seed": r.run.seed, **labels, **r.arrays}  # noqa: E731
    rows = [pd.DataFrame(of_run(r, labels)) for labels, results in planned for r in results]
    return {"": pd.concat(rows, ignore_index=True)}


@pytest.fixture
def planned(executed, tmp_path, monkeypatch, faces):
    """Plans of both papers; calling gives one another name of its method, or other data."""
    monkeypatch.setattr(Track, "faces", lambda self: faces if self.name == "twin" else None)
    (tmp_path / "plans").mkdir()
    (tmp_path / "log").mkdir()

    def write(key, name):
        text = f"- {{task: '{__name__}:task', data: faces, seeds: 2, labels: {{method: {name}}}, "
        text += f"settings: {{log: {tmp_path / 'log'}, name: {name}}}}}\n"
        (tmp_path / "plans" / f"{key}.yaml").write_text(text)
        monkeypatch.setitem(sys.modules, f"paperlib.companion.samples.{key}", SimpleNamespace(build=build))

    write("toy", "a")
    write("second", "b")
    return write


TRAIN = ["--train", "all", "--profile", "smoke", "--jobs", "1"]


def trained(tmp_path):
    return sorted(path.name for path in (tmp_path / "log").iterdir())


def test_what_is_missing_is_trained_once_and_its_samples_and_pages_made(planned, executed, tmp_path, capsys):
    assert reproduce.main([*TRAIN, "--explain"]) == 0
    assert "toy: 0 of 2 runs are there" in capsys.readouterr().out and not executed.names
    assert reproduce.main(TRAIN) == 0
    said = capsys.readouterr().out
    assert "4 runs to train, 1 at a time: 2 of toy, 2 of second" in said and "too briefly to judge" in said
    assert trained(tmp_path) == ["a-0", "a-1", "b-0", "b-1"]
    assert executed.names == [name.replace("twin", "twin-smoke") for name in ALL]
    folder = samples_folder("twin", "smoke")
    table = samples.read("toy", "twin", folder=folder)
    assert list(table["seed"]) == [0, 0, 1, 1] and set(table["method"]) == {"a"}
    page = Page(key="toy", track="twin", samples=folder).path
    assert page.read_text() == f"twin {os.path.relpath(folder, tmp_path / 'notebooks')}"
    executed.names.clear()
    assert reproduce.main(TRAIN) == 0 and reproduce.main(["--profile", "smoke"]) == 0
    assert executed.names == [] and len(trained(tmp_path)) == 4


def test_only_the_kept_profile_of_a_kept_track_goes_into_the_repository(tree, tmp_path):
    assert samples_folder("twin", "full") == tmp_path / "stored" / "twin"
    for name, profile, seeds in (("twin", "paper", 0), ("twin", "full", 2), ("affectnet", "full", 0)):
        assert samples_folder(name, profile, seeds).parent == tmp_path / "cache" / "samples"


def test_a_paper_whose_runs_fail_stops_no_other(planned, executed, tmp_path):
    planned("toy", "bad")
    with pytest.raises(SystemExit, match="1 failed, .* toy: 2 of its runs are missing: 2 of 4 runs failed"):
        reproduce.main(TRAIN)
    assert executed.names == ["twin-smoke/02_second", "twin-smoke/00_scoreboard"]


MORE = ["--train", "more", "--jobs", "1", "--track", "twin", "--paper", "toy"]
OLD = pd.DataFrame({"item": [0, 1], "seed": 0, "method": "old", "prediction": [5.0, 6.0]})


def test_more_seeds_are_added_to_what_is_stored_and_nothing_is_trained_twice(planned, tmp_path, capsys):
    samples.write({"": OLD, "items": SAMPLES}, "toy", "twin")
    assert reproduce.main(MORE) == 0
    assert trained(tmp_path) == ["a-0", "a-1"] and "toy: 2 runs were added to" in capsys.readouterr().out
    shutil.rmtree(tmp_path / "cache")  # as on another machine
    assert reproduce.main([*MORE, "--seeds", "3"]) == 0
    assert trained(tmp_path) == ["a-0", "a-1", "a-2"]
    longer, stored = samples_folder("twin", "full", 3), samples_folder("twin", "full")
    for folder, seeds in ((stored, [0, 0, 1, 1]), (longer, [0, 0, 1, 1, 2, 2])):
        table = samples.read("toy", "twin", folder=folder)
        assert table["seed"].tolist() == [0, 0, *seeds] and table["prediction"].tolist() == [5, 6, *seeds]
        assert more.trained("toy", folder)["seed"].tolist() == sorted(set(seeds))
        assert samples.read("toy", "twin", "items", folder=folder).equals(SAMPLES)


def test_runs_of_a_stored_name_with_other_settings_are_refused(planned, tmp_path):
    samples.write({"": OLD}, "toy", "twin")
    reproduce.main(MORE)
    plan_of_toy = tmp_path / "plans" / "toy.yaml"
    plan_of_toy.write_text(plan_of_toy.read_text().replace("name: a}", "name: a, epochs: 9}"))
    with pytest.raises(SystemExit, match="hold a, seed 0, with other settings or data; TRAIN=all"):
        reproduce.main(MORE)
    assert trained(tmp_path) == ["a-0", "a-1"]


def test_a_run_under_a_new_name_is_added_once_and_trained_no_more(planned, tmp_path):
    samples.write({"": OLD}, "toy", "twin")
    reproduce.main(MORE)
    plan_of_toy = tmp_path / "plans" / "toy.yaml"
    plan_of_toy.write_text(plan_of_toy.read_text().replace("method: a}", "method: renamed}"))
    reproduce.main(MORE)
    reproduce.main(MORE)
    assert trained(tmp_path) == ["a-0", "a-1"]
    assert more.trained("toy", samples_folder("twin", "full"))["what"].tolist() == [
        "a",
        "a",
        "renamed",
        "renamed",
    ]
    assert samples.read("toy", "twin")["method"].tolist() == [*["old"] * 2, *["a"] * 4, *["renamed"] * 4]


def test_seeds_before_one_that_fails_are_kept(planned, tmp_path):
    samples.write({"": OLD}, "toy", "twin")
    (tmp_path / "log" / "a-1").touch()  # so seed 1 fails
    with pytest.raises(SystemExit, match="1 failed, .* toy: 1 of 1 runs failed"):
        reproduce.main(MORE)
    assert more.trained("toy", samples_folder("twin", "full"))["seed"].tolist() == [0]
    assert samples.read("toy", "twin")["prediction"].tolist() == [5, 6, 0, 0]


def test_tables_that_have_no_runs_stay_and_other_items_are_refused():
    at = pd.DataFrame({"item": [3], "unit": "x", "method": "a", "seed": 0})
    kept = {"": at, "faces": pd.DataFrame({"item": [3], "seed": 0})}
    made = {"": at.assign(method="b"), "faces": pd.DataFrame({"item": [3], "seed": 1})}
    both = more.joined(kept, made, ["method"])
    assert both[""]["method"].tolist() == ["a", "b"] and both["faces"] is kept["faces"]
    with pytest.raises(ValueError, match="other items"):
        more.joined(kept, {"": at.assign(item=4)}, ["method"])


def test_tables_that_are_no_longer_made_go(planned, tmp_path):
    folder = samples_folder("twin", "smoke")
    samples.write({"items": SAMPLES}, "toy", "twin", folder=folder)
    samples.write({"items": SAMPLES}, "toyish", "twin", folder=folder)
    train(["toy"], Track(profile="smoke"))
    assert {path.name for path in folder.glob("*.parquet")} == {"toy.parquet", "toyish.items.parquet"}


def test_data_without_the_labels_that_a_paper_learns_make_no_page(planned, tmp_path):
    with pytest.raises(ValueError, match="nothing to do for toy on track sewa: it needs "):
        train(["toy"], Track(name="sewa", root=str(tmp_path / "plans")))


def test_what_was_half_written_long_ago_is_swept_away(tmp_path):
    left = ["runs/k.0123abc/arrays.npz", "checkpoints/k.1.ckpt.77", "stamps/twin/.le2023.77.json"]
    whole = ["runs/k/arrays.npz", "checkpoints/k.1.ckpt", "stamps/twin/le2023.json", "stamps/twin/x.lock"]
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
