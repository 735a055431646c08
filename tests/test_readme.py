"""README's lines of code run as they stand there, on small stand-ins for what a reader would bring.

Nothing is imported for them: what a block needs it has to import.
"""

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from layouts import write_rafdb
from PIL import Image
from safetensors import safe_open
from torch import nn

from paperlib.companion.own import check
from paperlib.companion.reproduce import PAPERS
from paperlib.data import load_rafdb, with_category
from paperlib.emofan_checkpoint import KEPT, load_kept, released_name
from paperlib.models.blstm import BLSTM
from paperlib.models.emofan import EmoFAN
from paperlib.twin import make_faces

ROOT = Path(__file__).parent.parent
TEXTS = ("README.md", "data/README.md", "docs/methods.md", "docs/cite.md")
README = "\n\n".join((ROOT / name).read_text(encoding="utf-8") for name in TEXTS)
FACES, CLASSES, BATCH = 60, 7, 8


def blocks() -> list[str]:
    """The indented blocks of code that import from paperlib."""
    found = re.findall(r"(?:^(?: {4}.*)?\n)+", README, re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in found if "from paperlib" in block]


def of(name: str) -> str:
    """The one block with that name in it."""
    (block,) = [block for block in blocks() if re.search(rf"\b{name}\b", block)]
    return block


def run(name: str, **stand_ins) -> dict:
    """The names that the block leaves behind."""
    exec(of(name), stand_ins)
    return stand_ins


def layer(outputs: int) -> nn.Module:
    """A network of one layer for `pictures()`."""
    return nn.Sequential(nn.Flatten(), nn.Linear(16, outputs))


def pictures() -> torch.Tensor:
    return torch.rand(BATCH, 1, 4, 4)


@pytest.fixture
def valence_arousal(rng) -> np.ndarray:
    return rng.uniform(-1, 1, size=(FACES, 2))


def test_every_block_is_tested_here():
    names = "kl_continuous LDLVA fuse multi_task_mse released export shake_shake Bootstrapped open_picture".split()
    assert sorted(map(of, [*names, r"found\.table, found"])) == sorted(blocks())


def test_the_loss_with_a_variance():
    one = layer(4)
    network = lambda x: one(x).chunk(2, dim=1)  # noqa: E731
    run("kl_continuous", network=network, pictures=pictures(), target=torch.rand(BATCH, 2))
    assert one[1].weight.grad.abs().sum() > 0


def test_label_distributions_around_a_backbone(valence_arousal):
    backbone = layer(32)
    given = {"valence_arousal": valence_arousal, "backbone": backbone, "features": 32, "pictures": pictures()}
    labels = torch.randint(0, CLASSES, (BATCH,))
    found = run("LDLVA", **given, labels=labels, rows=torch.arange(BATCH))
    assert found["near"].shape == (FACES, 8) and backbone[1].weight.grad.abs().sum() > 0
    assert found["network"].eval()(pictures()).shape == (BATCH, CLASSES)


def test_fused_labels(valence_arousal, rng):
    given = {"network": layer(CLASSES), "pictures": pictures(), "rows": torch.arange(BATCH)}
    labels, names = rng.integers(0, CLASSES, size=FACES), [f"class {k}" for k in range(CLASSES)]
    found = run("fuse", **given, valence_arousal=valence_arousal, labels=labels, names=names)
    target = torch.as_tensor(found["target"], dtype=torch.float32)
    torch.testing.assert_close(target.sum(dim=1), torch.ones(FACES))
    assert target.shape == (FACES, CLASSES) and found["loss"].requires_grad


def test_gold_standard_and_loss_of_recordings(rng):
    given = {"network": BLSTM(10, targets=2, cells=4), "features": torch.rand(1, 100, 10)}
    lengths = torch.tensor([100])
    found = run("multi_task_mse", **given, ratings=rng.normal(size=(100, 6)), lengths=lengths)
    assert found["target"].shape == (1, 100, 2) and found["loss"].requires_grad


def test_photographs_are_read_by_the_kept_network_and_a_released_one(tmp_path, monkeypatch):
    """With a checkpoint of random weights, in the release's names and full size."""
    pytest.importorskip("dlib", reason="the extra `faces` is not installed")
    astronaut = pytest.importorskip("skimage.data").astronaut()
    monkeypatch.chdir(tmp_path)
    # torch, since so large a network takes long to write for OpenVINO
    monkeypatch.setattr("paperlib.inference.installed", lambda: False)
    state = EmoFAN(classes=8).state_dict()
    torch.save({released_name(name): tensor for name, tensor in state.items()}, "emonet_8.pth")
    Path("faces").mkdir()
    for name in ("photo.jpg", "faces/0001.png"):
        Image.fromarray(astronaut).save(name)
    assert len(run(r"found\.table, found")["found"].table) == 1
    found = run("released")
    eyes_and_mouth = np.array([[203, 101], [248, 103], [223, 145]])  # in its pixels, by eye
    points = found["found"].landmarks[0]
    marks = [points[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48), slice(48, 68))]
    np.testing.assert_allclose(marks, eyes_and_mouth, atol=8)
    assert found["found"].table["valence"].between(-1, 1).all() and Path("found.png").stat().st_size


def test_a_table_of_pseudo_labels_for_rafdb_is_one_that_its_reader_takes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("paperlib.emofan_checkpoint.load_released", lambda path: load_kept())
    made = with_category(make_faces(60, seed=0, size=48, channels=3))
    made = replace(made, split=np.where(made.split == "test", "test", "train"))
    write_rafdb(made, tmp_path / "rafdb")
    Path("rafdb/valence_arousal.csv").unlink()
    run("open_picture")
    faces = load_rafdb(tmp_path / "rafdb", size=48, channels=1, cache=tmp_path / "cache")
    assert np.abs(faces.affect).max() <= 1 and faces.affect.std(axis=0).min() > 0


def test_the_share_that_the_kept_network_names_right_is_its_own():
    with safe_open(KEPT, framework="pt") as file:
        share = json.loads(file.metadata()["test"])["accuracy"]
    assert f"({share:.0%}".replace("%", " %") + " of eight categories right)" in README


def test_a_network_is_written_for_other_programs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run("export", network=layer(3).eval(), pictures=pictures())
    assert Path("network.onnx").stat().st_size


def test_a_method_of_one_s_own_gets_a_row(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path)
    (tmp_path / "my_method.py").write_text(of("Bootstrapped"))
    found = check(tmp_path / "my_method.py")
    assert (found.name, found.kind, found.line) == ("Bootstrapped", "class", 5)


def test_the_losses_of_valence_and_arousal():
    predicted = torch.rand(BATCH, 2, requires_grad=True)
    found = run("shake_shake", predicted=predicted, target=torch.rand(BATCH, 2))
    found["loss"].backward()
    assert predicted.grad.abs().sum() > 0
    affect = torch.rand(BATCH, 2)
    assert found["concordance_loss"](affect, affect).max() < 1e-5


def test_every_paper_is_cited_with_title_authors_and_year():
    """As CITATION.cff has them, which is another file made by hand."""
    references = yaml.safe_load((Path(__file__).parent.parent / "CITATION.cff").read_text())["references"]
    entries = re.findall(r"@(\w+)\{(\w+),\n(.*?)\n    \}", README, re.DOTALL)
    assert [key for _, key, _ in entries] == [key for key in PAPERS if key != "same_faces"]
    by_key = {key: dict(re.findall(r"(\w+) += \{(.*)\}", body)) for _, key, body in entries}
    assert len(references) == len(by_key)
    for reference in references:
        (found,) = (of for of in by_key.values() if of["title"] == reference["title"])
        names = [f"{a['family-names']}, {a['given-names']}" for a in reference["authors"]]
        assert found["author"].replace('{\\"o}', "ö") == " and ".join(names)
        assert int(found["year"]) == reference["year"] and found.get("doi") == reference.get("doi")
        venue = reference.get("journal") or reference["conference"]["name"]
        assert venue == found.get("journal", found.get("booktitle"))
