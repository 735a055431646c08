"""A method of one's own: what its file is refused for, that it is trained as the plain networks are, and its rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from paperlib.companion import measures, own, plan, reproduce, samples
from paperlib.companion.page import Page
from paperlib.companion.runs import Result, Run, UnsuitedError
from paperlib.companion.samples import le2023
from paperlib.companion.samples.same_faces import build as build_same_faces
from paperlib.data.records import FaceSet
from paperlib.files import ROOT
from paperlib.tasks import label_variance, noisy_labels, same_faces
from paperlib.tasks import own as task
from paperlib.tracks import Track

GCE, STUDENT = (ROOT / "examples" / f"{name}.py" for name in ("generalised_cross_entropy", "student_t"))
RECIPE = {"backbone": "tiny_resnet", "pretrained": False}
RECIPE |= {"schedule": {"epochs": 1, "batch": 28, "learning_rate": 4e-3}}
NET = "from paperlib.models.expression import ExpressionNet\nclass Net(ExpressionNet):\n  "
IN_LOSS = NET + "def loss(self, x, label, row):\n    "
FACES = {"part": "faces", "network": "ResNet18 (pretrained)"}
LOSS = "def b(mean, log_variance, target):\n  "
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
    """Small pictures with categories, first labels, votes and ratings, on a track by name."""
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
    yield lambda name, profile="full": Track(name=name, root=str(tmp_path), profile=profile)
    for module in (noisy_labels, same_faces):
        module.problem.cache_clear()


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\nb = (", 2, "never closed"),
        ("\nimport nothing_of_this_name", 2, "ModuleNotFoundError"),
        ("class Net:\n    pass", 1, "there is none"),
        (NET + "pass\n" + LOSS + "pass", 1, r"Net \(line 2\) and b \(line 4\)"),
        (NET + "def __init__(self, backbone):\n    pass", 2, "unexpected keyword argument 'n'"),
        (IN_LOSS + "return self.logits(x).sum(1)", 3, r"shape \(\); it is shape \(64,\)"),
        (IN_LOSS + "return self.logits(x).mean().item()", 3, "it is float"),
        (IN_LOSS + "return self.logits(x).mean().detach()", 3, "no gradient"),
        (IN_LOSS + "return self.logits(x).mean() / 0 * 0", 3, "not finite"),
        (IN_LOSS + "y = self.logits(x)\n    return y @ y", 5, "RuntimeError"),
        (NET + "def doubt(self):\n    return self.visits[:1]", 2, r"doubt\(\) must give"),
        (LOSS + "return (mean - target).square()", 1, "log_variance no gradient"),
        (LOSS + "return mean[:, None] - target + log_variance", 1, r"it is shape \(64, 64, 2\)"),
        (LOSS + "return (mean - target).square().sqrt() + log_variance", 1, "of mean is not finite"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(written, text, line, words):
    path = written(text)
    with pytest.raises(ValueError, match=words) as refused:
        own.check(path)
    assert str(refused.value).startswith(f"{path}:{line}: ")


def test_a_run_knows_a_method_by_its_text_and_by_the_code_that_it_imports(written, monkeypatch):
    text = "from paperlib import losses\n" + LOSS + "return losses.gaussian_nll(mean, log_variance, target)"
    first, again, other = (own.check(written(text + more)).settings for more in ("", "", " / 2"))
    assert first == again and first["reads"] == other["reads"] and first["text"] != other["text"]
    monkeypatch.setattr(own, "code_imported", lambda text: {"paperlib.losses": "otherwise"})
    assert own.check(written(text)).settings["reads"] != first["reads"]


def test_the_examples_compute_what_their_sources_say(written):
    assert [own.check(path).kind for path in (GCE, STUDENT)] == ["class", "loss"]
    network = task.read(GCE)(torch.nn.Identity(), 2, n=2, classes=2)
    network.logits = lambda x: x
    # the labels have probability 0.8 and 0.5: (1 - 0.8 ** 0.7) / 0.7 is 0.20658, (1 - 0.5 ** 0.7) / 0.7 is 0.54920
    logits = torch.tensor([[0.8, 0.2], [0.5, 0.5]]).log()
    assert network(logits, torch.tensor([0, 1]), torch.arange(2)).item() == pytest.approx(0.37789, abs=1e-4)
    mean, s, target = torch.zeros(3), torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([0.1, -2.0, 5.0])
    law = stats.t(4, scale=np.sqrt(s.exp().numpy() / 2))
    np.testing.assert_allclose(law.var(), s.exp(), rtol=1e-6)
    gap = task.read(STUDENT)(mean, s, target).numpy() + law.logpdf(target.numpy())
    np.testing.assert_allclose(gap, gap[0], rtol=1e-5)  # but for a constant


def test_what_changes_nothing_is_the_plain_network_bit_for_bit(written, track, tmp_path):
    mine, on, at = dict(own.check(written(NET + "pass")).settings), track("manifest"), tmp_path / "none"
    noisy = RECIPE | {"labels": "consensus", "noise": 0.25}
    plain = noisy_labels.train(on, noisy | {"method": "baseline"}, 1, at)
    at.unlink()
    made = task.on_wrong_labels(on, noisy | mine, 1, at)
    np.testing.assert_array_equal(made["probability"], plain["probability"])
    at.unlink()
    plain = same_faces.train(on, RECIPE | {"method": "plain network"}, 1, at)
    at.unlink()
    made = task.on_same_faces(on, RECIPE | mine, 1, at)
    assert "own doubt" not in made
    for name in ("probability", "loss"):
        np.testing.assert_array_equal(made[name], plain[name])
    at.unlink()
    both = RECIPE | {"dropout": 0.1, "target": "mean"}
    plain = label_variance.train_faces(on, both | {"loss": "mse"}, 1, at)
    at.unlink()
    mine = dict(own.check(written(LOSS + "return (target - mean).square() + 1e-30 * log_variance")).settings)
    np.testing.assert_array_equal(task.on_faces(on, both | mine, 1, at)["mean"], plain["mean"])


def test_what_is_not_remembered_is_missing_and_a_doubt_of_its_own_has_a_column(written, track, tmp_path):
    text = IN_LOSS + "return self.logits(x).logsumexp(1).mean()\n"
    text += "  def doubt(self):\n    return self.visits + 0.5"
    on, settings = track("ferplus"), dict(own.check(written(text)).settings)
    arrays = task.on_same_faces(on, RECIPE | settings, 0, tmp_path / "checkpoint")
    run = Run(task="paperlib.tasks.own:on_same_faces", track=on, data="x", settings={}, seed=0)
    made = build_same_faces(on, [({"method": "Net"}, [Result(run=run, key="", seconds=1.0, arrays=arrays)])])
    assert made["training"]["loss"].isna().all() and (made["training"]["its own doubt"] == 0.5).all()
    assert len(made[""]) == (on.categories().split == "test").sum()


@pytest.mark.parametrize(
    ("key", "text", "plain", "labels"),
    [
        ("le2023", NET + "pass", "Baseline", {"noise": "natural"}),
        ("foteinopoulou2021", LOSS + "return (target - mean).abs() + log_variance", "baseline", FACES),
    ],
)
def test_on_real_faces_it_has_the_plain_network_s_recipe(written, track, tmp_path, key, text, plain, labels):
    table = [{"method": plain, **labels, "seed": s, "item": 0, "unit": "a"} for s in range(3)]
    stored = tmp_path / "ferplus"
    samples.write({"": pd.DataFrame(table)}, key, "ferplus", folder=stored)
    method = own.check(written(text))
    (block,) = own.blocks(method, key, track("ferplus"), stored, seeds=2)
    assert block.labels == labels | {"method": method.name} and [r.seed for r in block.runs] == [0, 1]
    recipe = {k: v for k, v in block.runs[0].settings.items() if k not in method.settings}
    told = {"le2023": {"method": "baseline"}, "foteinopoulou2021": {"loss": "mse"}}[key]
    (planned,) = [b for b in plan.read_plan(key, track("ferplus")) if b.labels == labels | {"method": plain}]
    assert all(dict(run.settings) == recipe | told for run in planned.runs)
    assert "2 of 2 runs to train" in "\n".join(own.explain({key: [block]}))
    with pytest.raises(UnsuitedError, match="no samples"):
        own.blocks(method, "same_faces", track("ferplus"), stored)


@pytest.fixture
def stored(track, written):
    """The plain network's samples of le2023, three seeds of two conditions, on a track of one's own."""
    wanted, on = {"noise": ["natural", "30 %"], "method": ["Baseline"]}, track("manifest", "smoke")
    planned = list(own.part_of("le2023", wanted, on, seeds=3))
    done = [(dict(b.labels), own.run_missing(b.runs, progress=False)) for b in planned]
    folder = reproduce.samples_folder("manifest", "smoke")
    samples.write(le2023.build(on, done), "le2023", "manifest", folder=folder)
    return folder


def test_a_file_becomes_a_row_beside_the_stored_ones(stored, tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(reproduce, "make_pages", lambda pages, jobs: made.extend(pages) or {})
    monkeypatch.setenv("PAPERLIB_OUTPUTS", str(tmp_path / "figures"))
    before = {path.name: path.read_bytes() for path in stored.iterdir()}
    asked = ["--method", str(GCE), "--track", "manifest", "--data", str(tmp_path), "--profile", "smoke"]
    asked += ["--jobs", "1", "--seeds", "2"]
    assert reproduce.main([*asked, "--explain"]) == 0 and not made
    assert "2 of 2 runs to train" in capsys.readouterr().out
    assert reproduce.main(asked) == 0
    assert {path.name: path.read_bytes() for path in stored.iterdir()} == before
    (page,) = made
    assert page.key == "le2023" and page.variant == "manifest-smoke-own-GeneralisedCrossEntropy"
    both, kept = (samples.read("le2023", "manifest", folder=f) for f in (page.samples, stored))
    assert samples.own_methods(both) == ["GeneralisedCrossEntropy"] and samples.own_methods(kept) == []
    mine, plain = both[both["own"] == 1], both[both["own"] == 0].drop(columns="own")
    pd.testing.assert_frame_equal(plain, kept, check_categorical=False, check_dtype=False)
    pairs = mine.merge(plain, on=["noise", "seed", "item", "unit", "right"])
    assert len(pairs) == len(mine) and set(mine["seed"]) == {0, 1} and set(plain["seed"]) == {0, 1, 2}
    runs = len(list((tmp_path / "cache" / "runs").iterdir()))
    assert reproduce.main(asked) == 0 and len(list((tmp_path / "cache" / "runs").iterdir())) == runs
    capsys.readouterr()
    shown = Page("le2023", "manifest")
    shown.yours(kept, measures.accuracy(), "Baseline", across="noise")
    assert capsys.readouterr().out == "" and not shown.shown
    shown.yours(both, measures.accuracy(), "Baseline", across="noise", mean="noise")
    right = both[both["seed"] < 2].assign(right=lambda x: 100.0 * (x["named"] == x["right"]))
    right = right.groupby(["noise", "method"], observed=True)["right"].mean().unstack()
    gain = right["GeneralisedCrossEntropy"] - right["Baseline"]
    found = pd.read_csv(shown.folder / "own.csv")
    assert found["estimate"].tolist() == pytest.approx([*gain[found["noise"].dropna()], gain.mean()])
    assert set(found["verdict"]) <= {"ahead", "behind", "cannot tell"}
    said = "\n".join(own.screen([shown.folder]))
    assert "GeneralisedCrossEntropy less Baseline" in said and said.count("accuracy: ") == 3


def test_a_name_that_is_taken_and_too_few_seeds_are_refused(stored, track, written, monkeypatch):
    on, method = track("manifest", "smoke"), own.check(written(NET + "pass"))
    with pytest.raises(ValueError, match=r"mine.py:2: le2023 has a method Baseline already"):
        own.blocks(replace(method, name="Baseline"), "le2023", on, stored)
    row = own.rows()["le2023"] | {"seeds": "all"}
    monkeypatch.setattr(own, "rows", lambda: {"le2023": row})
    with pytest.raises(UnsuitedError, match="SEEDS=3"):
        own.blocks(method, "le2023", on, stored, seeds=2)
    with pytest.raises(SystemExit, match="can stand on le2023"):
        reproduce.main(["--method", str(method.path), "--paper", "neo2023"])
