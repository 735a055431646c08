"""What a written network gives, read by OpenVINO itself, against torch; what is kept, refused and not sent."""

import copy
import os
import subprocess
import sys

import pytest
import torch
from joblib import cpu_count
from numpy.testing import assert_allclose
from torch import nn

from paperlib.export import Compiled, export, installed, kept, openvino
from paperlib.files import ROOT
from paperlib.models import ExpressionNet, LabelVarianceNet, build_backbone
from paperlib.models.label_variance import NetVLADBackbone

if not installed():
    pytest.skip("OpenVINO is not installed", allow_module_level=True)
ov = openvino()  # a plain import would report it to Intel


def expression():
    return ExpressionNet(*build_backbone("tiny_resnet", channels=1), n=9, classes=5), (1, 24, 24)


def label_variance():
    backbone = NetVLADBackbone(3, centroids=2)
    return LabelVarianceNet(backbone, backbone.features, hidden=8, dropout=0.5), (40, 3)


@pytest.mark.parametrize("suffix", [".xml", ".onnx"])
@pytest.mark.parametrize("make", [expression, label_variance])
def test_a_file_gives_what_the_network_gives_for_any_number_of_rows(make, suffix, tmp_path):
    if suffix == ".onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnx")
    model, shape = make()
    path = tmp_path / f"network{suffix}"
    assert export(model, path, example=torch.randn(1, *shape)) < 1e-5
    assert model.training
    written = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for rows in (1, 7):
        x = torch.randn(rows, *shape)
        with torch.no_grad():
            outputs = copy.deepcopy(model).eval()(x)
        outputs = [outputs] if isinstance(outputs, torch.Tensor) else outputs
        found = written(x.numpy())
        assert len(found) == len(outputs)
        for k, expected in enumerate(outputs):
            assert_allclose(found[k], expected, atol=1e-5)
    beside = {"network.bin"} if suffix == ".xml" else set()
    assert {p.name for p in tmp_path.iterdir()} == {path.name} | beside


class OtherWhenWritten(nn.Module):
    def forward(self, x):
        return x * (1.5 if torch.compiler.is_exporting() else 1)


class OfTwo(nn.Module):
    def forward(self, x):
        return x.reshape(2, -1)


@pytest.mark.parametrize(
    ("model", "name", "error", "message"),
    [
        (
            OtherWhenWritten(),
            "other.xml",
            ValueError,
            "other.xml is not written: .* 5.0e-01 from torch's, more",
        ),
        (OfTwo(), "of_two.xml", RuntimeError, "dynamic"),
        (nn.Linear(3, 2), "network.pt", ValueError, "network.pt must end in .xml or .onnx"),
    ],
)
def test_what_would_be_wrong_is_not_written(model, name, error, message, tmp_path):
    with pytest.raises(error, match=message):
        export(model, tmp_path / name, example=torch.ones(4, 3))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "package"), [("a.xml", r"\.\[fast\]"), ("a.onnx", "onnxscript")])
def test_a_missing_package_is_named(name, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "openvino" if name == "a.xml" else "onnxscript", None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install .*{package}"):
        export(nn.Linear(3, 2), tmp_path / name, example=torch.rand(1, 3))


def test_as_many_threads_as_torch_has(tmp_path):
    export(nn.Linear(3, 2), tmp_path / "a.xml", example=torch.rand(1, 3))
    for threads in (1, 2):
        torch.set_num_threads(threads)
        network = Compiled(tmp_path / "a.xml")
        assert network._compiled.get_property("INFERENCE_NUM_THREADS") == min(threads, cpu_count())


def test_what_changes_the_outputs_is_written_anew(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path)
    monkeypatch.setattr(
        "paperlib.export.export", lambda model, path, *, example: (written.append(path), path.touch())
    )
    model, shape = expression()
    assert kept(model, shape=shape) == kept(copy.deepcopy(model).eval(), shape=shape) == written[0]
    model.classifier.bias.data[3] += 1e-3
    kept(model, shape=shape)
    next(part for part in model.modules() if isinstance(part, nn.BatchNorm2d)).eps = 1e-4
    kept(model, shape=shape)
    model.classifier = nn.Sequential(model.classifier, nn.ReLU())
    kept(model, shape=shape)
    monkeypatch.setattr(ov, "__version__", "2031.0")
    kept(model, shape=shape)
    assert len(set(written)) == len(written) == 5


SILENT = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        print(event, args, flush=True)
sys.addaudithook(refuse)
import torch
from paperlib.export import export
export(torch.nn.Linear(3, 2), "a.xml", example=torch.rand(1, 3))
"""


def test_nothing_is_sent_to_anybody(tmp_path):
    """Of OpenVINO's reports the first would leave an identity in the user's home."""
    env = {name: value for name, value in os.environ.items() if name not in ("CI", "TF_BUILD", "JENKINS_URL")}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", SILENT], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and not (tmp_path / "intel").exists()
    assert (tmp_path / "a.xml").exists()
