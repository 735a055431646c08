"""The checkpoints that toisoul2021's authors released as EmoNet, read into `EmoFAN`.

The files (emonet_8.pth, emonet_5.pth; CC BY-NC-ND) come from the authors' repository, face-analysis/emonet.
"""

from __future__ import annotations

import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from paperlib.models.emofan import CLASSES, EmoFAN

KEPT = Path(__file__).with_name("emofan_small.safetensors")

_BLOCK = {
    "first.0": "bn1",
    "first.2": "conv1",
    "second.0": "bn2",
    "second.2": "conv2",
    "third.0": "bn3",
    "third.2": "conv3",
    "shortcut": "downsample",
}
_MODULE = {
    "top": "top_m_",
    "convolution": "conv_last",
    "norm": "bn_end",
    "heatmaps": "l",
    "features_on": "bl",
    "heatmaps_on": "al",
}
_HOURGLASS = {"skip": "b1", "down": "b2", "up": "b3"}


def _places() -> dict[str, str]:
    """What a part of our network is called in the release."""
    places = {"fan.stem.convolution": "conv1", "fan.stem.norm": "bn1", "head.reduce": "conv1x1_input_emo_2"}
    places |= {f"fan.stem.blocks.{i}": f"conv{i + 2}" for i in range(3)}
    places |= {f"head.blocks.{i}": f"emo_net_2.{2 * i}" for i in range(4)}
    places |= {f"head.predict.{i}": f"emo_fc_2.{i}" for i in range(4)}
    for m in range(2):
        stage = f"fan.stages.{m}"
        places |= {f"{stage}.{ours}": f"{theirs}{m}" for ours, theirs in _MODULE.items()}
        inside = f"{stage}.hourglass"
        for level in (4, 3, 2, 1):  # the release counts from the outermost, ours lie one in another
            places |= {f"{inside}.{ours}": f"m{m}.{theirs}_{level}" for ours, theirs in _HOURGLASS.items()}
            inside += ".inner"
        places[inside] = f"m{m}.b2_plus_1"
    return places


_PLACES = _places()
_OURS = re.compile(
    f"({'|'.join(map(re.escape, _PLACES))})\\.((?:{'|'.join(map(re.escape, _BLOCK))})\\b)?(.*)"
)


def released_name(ours: str) -> str:
    """What a tensor of the full-size `EmoFAN`'s state dict is called in the released checkpoints."""
    match = _OURS.fullmatch(ours)
    if match is None:
        raise ValueError(f"the released network has nothing like {ours}")
    place, block, rest = match.groups()
    return f"{_PLACES[place]}.{_BLOCK[block] if block else ''}{rest}"


def load_released(source: str | Path | Mapping[str, Tensor]) -> EmoFAN:
    """The released network, of 8 or 5 classes, in evaluation mode; from its file or its state dict.

    Number of classes, and whether it has attention, are read off the weights. The file can hold tensors only: nothing
    in it is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no checkpoint, or a tensor is missing, left over or of another shape.
    """
    if isinstance(source, Mapping):
        state, where = dict(source), "state dict"
    else:
        state, where = _read(Path(source)), Path(source).name
    if all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    last, reduce = state.get("emo_fc_2.3.bias"), state.get("conv1x1_input_emo_2.weight")
    classes = 8 if last is None else last.numel() - 2
    if classes not in CLASSES:
        raise ValueError(
            f"{where}: emo_fc_2.3.bias has {classes + 2} values; {sorted(CLASSES)} classes have two more"
        )
    model = EmoFAN(classes=classes, attention=reduce is None or reduce.shape[1:2] != (836,))
    ours = {released_name(name): name for name in model.state_dict()}
    try:
        model.load_state_dict({ours.get(name, f"released {name}"): tensor for name, tensor in state.items()})
    except RuntimeError as error:  # it lists what is missing, left over or of another shape
        raise ValueError(
            f"{where} is not the released network: {' '.join(str(error).split())[:500]}"
        ) from None
    return model.eval()


def _read(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError) as error:
        raise ValueError(
            f"{path.name} is no checkpoint of tensors alone ({type(error).__name__}). Get the authors' file again."
        ) from error
    if not isinstance(state, dict) or not all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    ):
        raise ValueError(
            f"{path.name} holds no state dict, a tensor for each name. Get the authors' file again."
        )
    return state


def load_kept() -> EmoFAN:
    """The small network that is kept with the code, in evaluation mode; KEPT's metadata say how it was trained."""
    with safe_open(KEPT, framework="pt") as file:
        model = EmoFAN(**json.loads(file.metadata()["settings"]))
        model.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    return model.eval()
