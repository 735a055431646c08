"""A method of one's own: what its file is refused for, that it is trained as the plain networks, and its rows."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from paperlib.companion import own, reproduce, samples
from paperlib.companion.page import Page
from paperlib.companion.runs import Result, Run
from paperlib.data.records import FaceSet
from paperlib.files import ROOT
from paperlib.tasks import label_variance, noisy_labels, same_faces
from paperlib.tasks import own as task
from paperlib.tracks import Track

GCE, STUDENT = (ROOT / "examples" / f"{name}.py" for name in ("generalised_cross_entropy", "student_t"))
SCHEDULE = {"epochs": 1, "batch": 28, "learning_rate": 4e-3}
RECIPE = {"backbone": "tiny_resnet", "pretrained": False, "schedule": SCHEDULE}
NET = "from paperlib.models.expression import ExpressionNet\nclass Net(ExpressionNet):\n"
N = 140


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Writes a file of one's own, whose text the test gives."""
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")

    def write(text):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def track(rng, tmp_path, monkeypatch):
    """Small pictures with categories, first labels, votes and ratings."""
    category = np.arange(N) % 7
    votes = np.zeros((N, 8), np.int16)
    votes[np.arange(N), category], votes[np.arange(N), (category + 1) % 7] = 6, 4
    affect = rng.uniform(-1, 1, (N, 2)).astype(np.float32)
    faces = FaceSet(
        name="numbered",
        images=rng.integers(0, 256, (N, 16, 16), np.uint8),
        affect=affect,
        split=np.array(["train", "validation", "train", "test", "train"])[np.arange(N) // 7 % 5],
        fingerprint="numbered",
        expression=category.astype(np.int8),
        original=np.where(np.arange(N) % 4 == 0, (category + 3) % 7, category).astype(np.int8),
        votes=votes,
        ratings=(affect[:, None] + rng.normal(scale=0.1, size=(N, 3, 2))).astype(np.float32),
    )
    for kind in ("faces", "categories"):
        monkeypatch.setattr(Track, kind, lambda self: faces)
    for module in (noisy_labels, same_faces):
        module.problem.cache_clear()
    yield lambda name: Track(name=name, root=str(tmp_path), profile="smoke" if name == "manifest" else "full")
    for module in (noisy_labels, same_faces):
        module.problem.cache_clear()


# the file


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = (", 2, "never closed"),
        ("\nimport nothing_of_this_name", 2, "ModuleNotFoundError"),
        ("class Net:\n    pass", 1, "it defines none"),
        (NET + "  pass\ndef b(mean, log_variance, target):\n  pass", 1, r"Net \(line 2\) and b \(line 4\)"),
        (NET + "  def __init__(self, backbone):\n    pass", 2, "unexpected keyword argument .n."),
        (
            NET + "  def loss(self, x, label, row):\n    return self.logits(x).sum(1)",
            3,
            r"shape \(\); .*\(64,\)",
        ),
        (NET + "  def loss(self, x, label, row):\n    return self.logits(x).mean().item()", 3, "it is float"),
        (
            NET + "  def loss(self, x, label, row):\n    return self.logits(x).mean().detach()",
            3,
            "no gradient",
        ),
        (NET + "  def loss(self, x, label, row):\n    return self.logits(x).mean() / 0 * 0", 3, "not finite"),
        (NET + "  def loss(self, x, label, row):\n    y = x.mean()\n    return y @ y", 5, "RuntimeError"),
        (NET + "  def doubt(self):\n    return self.visits[:1]", 2, r"doubt\(\) must give"),
        (
            "def b(mean, log_variance, target):\n  return (mean - target).square()",
            1,
            "log_variance no gradient",
        ),
        (
            "def b(mean, log_variance, target):\n  return mean[:, None] - target + log_variance",
            1,
            r"it is shape \(64, 64, 2\)",
        ),
        (
            "def b(mean, log_variance, target):\n  return (mean - target).square().sqrt() + log_variance",
            1,
            "gradient of mean is not finite",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(written, text, line, words):
    path = written(text)
    with pytest.raises(ValueError, match=words) as refused:
        own.check(path)
    assert str(refused.value).startswith(f"{path}:{line}: ")


def test_a_run_knows_a_method_by_its_text_and_by_the_code_that_it_imports(written, monkeypatch):
    text = "from paperlib.losses import gaussian_nll\ndef b(mean, log_variance, target):\n  return {}"
    first = own.check(written(text.format("gaussian_nll(mean, log_variance, target)")))
    again = own.check(written(text.format("gaussian_nll(mean, log_variance, target)")))
    other = own.check(written(text.format("gaussian_nll(mean, log_variance, target) / 2")))
    assert first == again and first.kind == "loss" and first.name == "b"
    assert first.settings["text"] != other.settings["text"]
    assert first.settings["reads"] == other.settings["reads"]
    monkeypatch.setattr(own, "code_imported", lambda text: {"paperlib.losses:gaussian_nll": "otherwise"})
    assert own.check(first.path).settings["reads"] != first.settings["reads"]


def test_a_copy_in_the_cache_that_was_changed_is_not_run(written, track):
    settings = dict(own.check(written(NET + "  pass")).settings)
    task._place(settings["text"]).write_text("raise SystemExit")
    with pytest.raises(ValueError, match="was changed"):
        task.on_wrong_labels(track("manifest"), settings, 0, None)


# the examples


def test_the_examples_are_one_method_each(written):
    assert [(m.name, m.kind) for m in map(own.check, (GCE, STUDENT))] == [
        ("GeneralisedCrossEntropy", "class"),
        ("student_t", "loss"),
    ]
    assert all(len(path.read_text().splitlines()) <= 30 for path in (GCE, STUDENT))


def test_generalised_cross_entropy_by_hand():
    network = task.read(GCE)(torch.nn.Identity(), 2, n=2, classes=2)
    network.logits = lambda x: x
    # the labels have probability 0.8 and 0.5: (1 - 0.8 ** 0.7) / 0.7 is 0.20658, (1 - 0.5 ** 0.7) / 0.7 is 0.54920
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    assert network(logits, torch.tensor([0, 1]), torch.arange(2)).item() == pytest.approx(0.37789, abs=1e-4)


def test_student_t_is_a_likelihood_whose_variance_is_the_one_learnt():
    mean, s, target = torch.zeros(3), torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([0.1, -2.0, 5.0])
    variance = s.exp().numpy()
    law = stats.t(
        4, scale=np.sqrt(variance / 2)
    )  # of four degrees of freedom the variance is twice the scale's
    np.testing.assert_allclose(law.var(), variance, rtol=1e-6)
    gap = task.read(STUDENT)(mean, s, target).numpy() + law.logpdf(target.numpy())
    np.testing.assert_allclose(gap, gap[0], rtol=1e-5)  # but for a constant


# training


def test_a_class_that_changes_nothing_is_the_plain_network_bit_for_bit(written, track, tmp_path):
    mine, on = dict(own.check(written(NET + "  pass")).settings), track("manifest")
    at = tmp_path / "checkpoint"
    noisy = RECIPE | {"labels": "consensus", "noise": 0.25}
    plain = noisy_labels.train(on, noisy | {"method": "baseline"}, 1, at)
    at.unlink()
    np.testing.assert_array_equal(
        task.on_wrong_labels(on, noisy | mine, 1, at)["probability"], plain["probability"]
    )
    at.unlink()
    plain = same_faces.train(on, RECIPE | {"method": "plain network"}, 1, at)
    at.unlink()
    made = task.on_same_faces(on, RECIPE | mine, 1, at)
    for name in ("probability", "loss"):
        np.testing.assert_array_equal(made[name], plain[name])
    assert "own doubt" not in made


def test_a_loss_that_is_the_squared_error_gives_its_means_bit_for_bit(written, track, tmp_path):
    path = written(
        "def mine(mean, log_variance, target):\n  return (target - mean).square() + 1e-30 * log_variance"
    )
    settings, on, at = RECIPE | {"dropout": 0.1, "target": "mean"}, track("manifest"), tmp_path / "checkpoint"
    plain = label_variance.train_faces(on, settings | {"loss": "mse"}, 2, at)
    at.unlink()
    made = task.on_faces(on, settings | dict(own.check(path).settings), 2, at)
    np.testing.assert_array_equal(made["mean"], plain["mean"])


def test_a_method_that_remembers_nothing_has_no_loss_of_labels_and_its_doubt_has_a_column(
    written, track, tmp_path
):
    text = "  def loss(self, x, label, row):\n    return self.logits(x).logsumexp(1).mean()\n"
    method = own.check(written(NET + text + "  def doubt(self):\n    return self.visits + 0.5"))
    on = track("ferplus")
    run = Run(task="paperlib.tasks.own:on_same_faces", track=on, data="x", settings={}, seed=0)
    arrays = task.on_same_faces(on, RECIPE | dict(method.settings), 0, tmp_path / "checkpoint")
    from paperlib.companion.samples.same_faces import build

    made = build(on, [({"method": "Net"}, [Result(run=run, key="", seconds=1.0, arrays=arrays)])])
    assert made["training"]["loss"].isna().all() and (made["training"]["its own doubt"] == 0.5).all()
    assert len(made[""]) == (on.categories().split == "test").sum()


@pytest.mark.parametrize("condition", ["natural"])
def test_on_real_faces_a_method_is_trained_by_the_recipe_of_the_stored_runs(
    written, track, tmp_path, condition
):
    """Those that the queue trained, whose settings stand in runs.csv."""
    lines = pd.read_csv(ROOT / "data" / "samples" / "ferplus" / "raw" / "runs.csv")
    lines = lines[
        (lines["method"] == "baseline") & (lines["condition"] == condition) & lines["files"].notna()
    ]
    assert len(lines)
    table = [{"method": "Baseline", "noise": condition, "seed": s, "item": 0, "unit": "a"} for s in range(4)]
    samples.write({"": pd.DataFrame(table)}, "le2023", "ferplus", folder=tmp_path / "ferplus")
    method = own.check(written(NET + "  pass"))
    (block,) = own.blocks(method, "le2023", track("ferplus"), tmp_path / "ferplus", seeds=2)
    assert block.labels == {"noise": condition, "method": "Net"} and [r.seed for r in block.runs] == [0, 1]
    recipe = {k: v for k, v in block.runs[0].settings.items() if k not in method.settings}
    for line in lines["settings"]:
        stored = json.loads(line)
        assert stored.pop("method") == "baseline" and stored == recipe
    said = "\n".join(own.explain({"le2023": [block]}))
    assert "2 of 2 runs to train" in said and '"epochs": 16' in said
    for key in ("same_faces", "neo2023"):
        assert key not in own.rows() or pytest.raises(
            own.LeftOutError, own.blocks, method, key, track("ferplus"), tmp_path / "ferplus"
        )


# rows


@pytest.fixture
def stored(track, written, monkeypatch, tmp_path):
    """The plain network's samples of le2023 on a track of one's own, profile smoke."""
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
    on = track("manifest")
    written("")
    blocks = list(own.part_of("le2023", {"noise": ["natural", "30 %"], "method": ["Baseline"]}, on, seeds=3))
    from paperlib.companion.samples.le2023 import build

    done = [(dict(b.labels), own.run_missing(b.runs, progress=False)) for b in blocks]
    folder = reproduce.samples_folder("manifest", "smoke")
    samples.write(build(on, done), "le2023", "manifest", folder=folder)
    return folder


def test_a_file_becomes_a_row_beside_the_stored_ones_which_stay_as_they_are(
    stored, track, tmp_path, monkeypatch, capsys
):
    made = []
    monkeypatch.setattr(reproduce, "make_pages", lambda pages, jobs: made.extend(pages) or {})
    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    asked = ["--method", str(GCE), "--track", "manifest", "--data", str(tmp_path), "--profile", "smoke"]
    asked += ["--jobs", "1", "--seeds", "2"]
    assert reproduce.main([*asked, "--explain"]) == 0
    assert "2 of 2 runs to train" in capsys.readouterr().out and not made
    assert reproduce.main(asked) == 0
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before
    (page,) = made
    assert page.key == "le2023" and page.variant == "manifest-smoke-own-GeneralisedCrossEntropy"
    both, kept = (samples.read("le2023", "manifest", folder=f) for f in (page.samples, stored))
    (name,) = samples.own_methods(both)
    assert name == "GeneralisedCrossEntropy" and samples.own_methods(kept) == []
    mine, plain = both[both["own"] == 1], both[both["own"] == 0]
    pd.testing.assert_frame_equal(plain.drop(columns="own"), kept, check_categorical=False, check_dtype=False)
    pairs = mine.merge(plain, on=["noise", "seed", "item", "unit", "right"])
    assert len(pairs) == len(mine) and set(mine["seed"]) == {0, 1} and set(plain["seed"]) == {0, 1, 2}
    runs = list((tmp_path / "cache" / "runs").iterdir())
    assert reproduce.main(asked) == 0 and list((tmp_path / "cache" / "runs").iterdir()) == runs
    _shown(page, both, kept, capsys)


def _shown(page, both, kept, capsys):
    shown = Page("le2023", "manifest")
    capsys.readouterr()
    shown.yours(kept, own.import_module("paperlib.companion.measures").accuracy(), "Baseline", across="noise")
    assert capsys.readouterr().out == "" and not shown.shown
    accuracy = own.import_module("paperlib.companion.measures").accuracy()
    shown.yours(both, accuracy, "Baseline", across="noise", mean="noise")
    found = pd.read_csv(shown.folder / "own.csv", keep_default_na=False)
    right = both.assign(right=100.0 * (both["named"] == both["right"]))
    right = right[right["seed"] < 2].groupby(["noise", "method"], observed=True)["right"].mean().unstack()
    gain = right["GeneralisedCrossEntropy"] - right["Baseline"]
    assert found["estimate"].astype(float).tolist() == pytest.approx(
        [*gain[found["noise"][:-1]], gain.mean()]
    )
    assert set(found["verdict"]) <= {"ahead", "behind", "cannot tell"}
    said = "\n".join(own.screen([shown.folder]))
    assert "GeneralisedCrossEntropy less Baseline" in said and said.count("accuracy: ") == 3


def test_a_name_that_is_taken_other_faces_and_too_few_seeds_are_refused(stored, track, written, monkeypatch):
    on = track("manifest")
    method = own.check(written(NET + "  pass"))
    with pytest.raises(ValueError, match=r"mine.py:2: page le2023 has a method Baseline already"):
        own.blocks(
            replace(method, name="Baseline", path=written(NET.replace("Net(", "Baseline("))),
            "le2023",
            on,
            stored,
        )
    kept = {"": pd.DataFrame({"method": ["Baseline"], "item": [3], "unit": ["a"]})}
    made = {"": pd.DataFrame({"method": ["Net"], "item": [4], "unit": ["a"]})}
    with pytest.raises(ValueError, match="other faces"):
        own.merged(kept, made, "Baseline")
    row = own.rows()["le2023"] | {"seeds": "all"}
    monkeypatch.setattr(own, "rows", lambda: {"le2023": row})
    with pytest.raises(own.LeftOutError, match="SEEDS=3"):
        own.blocks(method, "le2023", on, stored, seeds=2)
