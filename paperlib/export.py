"""Trained networks outside of torch: for OpenVINO, which is faster on processors, or as ONNX, which many programs read.

Both come with `pip install -e '.[fast]'`. A file is kept only after its outputs were compared with torch's.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType

import torch
from filelock import FileLock
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from paperlib import files

_SUFFIXES = (".xml", ".onnx")


class Compiled:
    """A file of `export` on the processor. Called with a batch, it gives the network's outputs, each a tensor.

    It takes as many threads as torch has when it is made, and fp32 unless `bf16` is asked for and the processor has it.
    """

    def __init__(self, path: Path, *, bf16: bool = False) -> None:
        config = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "NUM_STREAMS": 1,
            "ENABLE_HYPER_THREADING": True,  # else two threads of one core become one
            "ENABLE_CPU_PINNING": False,  # other work may be on the same cores
        }
        self._compiled = openvino().Core().compile_model(path, "CPU", config)

    def __call__(self, x: Tensor) -> tuple[Tensor, ...]:
        outputs = self._compiled(x.contiguous().numpy())
        return tuple(torch.from_numpy(outputs[k]) for k in range(len(outputs)))


def export(model: nn.Module, path: str | Path, *, example: Tensor, tolerance: float = 1e-4) -> float:
    """Write a network as it is in evaluation; the file takes batches of any size.

    Args:
        model: gives a tensor or a tuple of them for one tensor, such as an `ExpressionNet` or a `LabelVarianceNet`.
        path: ends in .xml for OpenVINO, whose weights go to a .bin beside it, or in .onnx.
        example: a batch (n, ...) that it can be called with.
        tolerance: how far an output may be from torch's, as a share of its largest number, or of 1 if that is less.

    Returns:
        How far they are.

    Raises:
        ValueError: another ending, or outputs too far from torch's; nothing is written then.
        ModuleNotFoundError: a package is missing; the message says how to install it.
    """
    path = Path(path)
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"{path.name} must end in {' or '.join(_SUFFIXES)}, for OpenVINO or ONNX")
    openvino()
    network = copy.deepcopy(model).cpu().eval()
    rows = torch.cat([example.detach().cpu()] * 3)  # more than the two traced; one alone would be a constant
    with torch.no_grad(), ExitStack() as unfinished:
        program = torch.export.export(network, (rows[:2],), dynamic_shapes=({0: Dim.DYNAMIC},))
        partial = unfinished.enter_context(files.whole(path))
        if path.suffix == ".xml":  # its weights are in place first
            unfinished.enter_context(files.whole(path.with_suffix(".bin")))
            _write_openvino(program, partial, rows)
        else:
            _write_onnx(program, partial)
        apart = _apart(Compiled(partial)(rows), network(rows))
        if not apart <= tolerance:
            raise ValueError(
                f"{path.name} is not written: its outputs are {apart:.1e} from torch's, more than {tolerance:.1e}"
            )
    return apart


def kept(model: nn.Module, *, shape: Sequence[int]) -> Path:
    """The network for OpenVINO, called with inputs (n, *shape): written to paperlib's cache once, and later only read.

    Other weights or settings, other code in the model's module, and another OpenVINO or torch give another file.
    `make clean` removes them all.
    """
    path = files.CACHE / "openvino" / f"{_key(model, shape)}.xml"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            export(model, path, example=torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)))
    return path


def installed() -> bool:
    """Whether OpenVINO is."""
    return importlib.util.find_spec("openvino") is not None


def openvino() -> ModuleType:
    """OpenVINO, without its reports of use to Intel: where their package is missing, it takes a stub of its own.

    Its import reports already, so import it by this function alone.
    """
    if not installed():
        raise ModuleNotFoundError("OpenVINO is not installed: pip install -e '.[fast]'", name="openvino")
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return importlib.import_module("openvino")


def _write_openvino(program: ExportedProgram, path: Path, rows: Tensor) -> None:
    converted = openvino().convert_model(program)
    converted.reshape([-1, *rows.shape[1:]])
    openvino().save_model(converted, path, compress_to_fp16=False)


def _write_onnx(program: ExportedProgram, path: Path) -> None:
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise ModuleNotFoundError(f"for ONNX, pip install {' '.join(missing)}", name=missing[0])
    torch.onnx.export(program, f=path, dynamo=True, external_data=False, verbose=False)


def _apart(found: tuple[Tensor, ...], expected: Tensor | tuple[Tensor, ...]) -> float:
    expected = (expected,) if isinstance(expected, Tensor) else expected
    shares = [(a - b).abs().max() / b.abs().max().clamp_min(1) for a, b in zip(found, expected, strict=True)]
    return float(torch.stack(shares).max())


def _key(model: nn.Module, shape: Sequence[int]) -> str:
    """Of all that `export` depends on."""
    plain = (bool, int, float, str, tuple)
    settings = [
        {name: value for name, value in vars(part).items() if isinstance(value, plain) and name != "training"}
        for part in model.modules()
    ]
    code = inspect.getsource(sys.modules[type(model).__module__])
    versions = (openvino().__version__, torch.__version__)
    digest = hashlib.sha256(repr((versions, str(model), settings, code, tuple(shape))).encode())
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
