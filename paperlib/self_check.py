"""Does EmoFAN see what it should? One generated picture with known values, and known outputs of the whole chain.

    python -m paperlib.self_check                  # cropping, network and its fast forms against what is recorded here
    python -m paperlib.self_check emonet_8.pth     # what a released network says of the picture, beside its true values

A chain of one's own makes a crop of `picture()` and asks `diagnose` what is wrong with it. The recorded outputs are of
weights by a formula (`formula_weights`), which no random generator and no file can change; they mean nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from paperlib.emofan_checkpoint import load_released
from paperlib.inference import Predictor, Window, crop_face
from paperlib.models.emofan import EmoFAN

FOLDER = Path(__file__).parent
SIZE = 256  # of the release's crops, in pixels
FACE, SIDE, MARGINS = (
    (6, 43),
    160,
    ((45, 35), (110, 50)),
)  # the twin's (seed, number); pixels; above, below, left, right
SAMPLE = 32  # every so many-th pixel of the crop is recorded
CLOSE = 3.0  # mean difference of two crops that are one, in grey levels of 255: decoders and filters differ a little
FORMS: dict[
    str, tuple[dict[str, bool], float]
] = {  # of `Predictor`: settings, and how far its outputs may lie off
    "plain": ({"fold": False, "channels_last": False}, 1e-4),
    "folded": ({"fold": True, "channels_last": False}, 1e-4),
    "channels_last": ({"fold": False, "channels_last": True}, 1e-4),
    "folded, channels_last": ({"fold": True, "channels_last": True}, 1e-4),
    "folded, channels_last, bf16": ({"fold": True, "channels_last": True, "bf16": True}, 1e-2),
}


class Picture(NamedTuple):
    """The picture, and what the twin knows of it."""

    image: NDArray[np.uint8]  # (h, w, 3) RGB; the face is not in its middle
    landmarks: NDArray[np.float64]  # (68, 2) x, y in its pixels
    affect: tuple[float, float]  # valence, arousal
    expression: str


def picture() -> Picture:
    """The self-check picture with its true values."""
    known = _known()
    with Image.open(FOLDER / "self_check.png") as file:
        image = np.asarray(file.convert("RGB"))
    return Picture(image, np.array(known["landmarks"]), tuple(known["affect"]), known["expression"])


def formula_weights(model: EmoFAN) -> EmoFAN:
    """The network with weights that depend on their place alone, on every machine the same; for evaluation.

    A sawtooth of the index in its tensor, other for every tensor, scaled so that activations neither die nor explode.
    """
    state = model.state_dict()
    made = {}
    for k, (name, tensor) in enumerate(state.items()):
        if name.endswith("num_batches_tracked"):
            made[name] = torch.tensor(0)
            continue
        i = np.arange(tensor.numel(), dtype=np.int64)
        u = 2 * ((i % 65521 * (7919 * k % 65521 + 1) + 31 * i) % 65521 / 65521) - 1
        module, _, leaf = name.rpartition(".")
        normalises = f"{module}.running_var" in state
        if leaf == "running_var" or (normalises and leaf == "weight"):
            values = 1 + 0.5 * u
        elif tensor.ndim > 1:
            values = u * np.sqrt(3 / np.prod(tensor.shape[1:])) * 0.6
        else:
            values = 0.1 * u
        made[name] = torch.from_numpy(values.reshape(tensor.shape)).float()
    model.load_state_dict(made)
    return model.eval()


def check() -> pd.DataFrame:
    """Every step against what is recorded: columns step, difference, tolerance, as_expected."""
    known, shown = _known(), picture()
    crop, window = crop_face(shown.image, shown.landmarks, size=SIZE)
    steps = [
        ("window (pixels)", _far(_place(window), known["window"]), 1e-3),
        ("crop (grey levels)", _far(crop[::SAMPLE, ::SAMPLE], known["crop"]), 2.0),
    ]
    model = formula_weights(EmoFAN(classes=8))
    for name, (settings, tolerance) in FORMS.items():
        found = Predictor(model, mirror=False, **settings).predict(crop[None])
        outputs = np.concatenate([found.affect[0], found.probability[0]])
        steps.append((name, _far(outputs, known["outputs"]), tolerance))
    frame = pd.DataFrame(steps, columns=["step", "difference", "tolerance"])
    return frame.assign(as_expected=frame["difference"] <= frame["tolerance"])


def diagnose(crop: ArrayLike) -> str:
    """What is wrong with a crop of the self-check picture, made by somebody's own chain; or "as expected".

    Tells apart another type or scale of values, channels first, blue and red exchanged, a mirror image, and a window
    that is larger, smaller or elsewhere than `crop_face`'s.
    """
    given = np.asarray(crop)
    if given.dtype != np.uint8:
        low, high = float(given.min()), float(given.max())
        unit = "0 to 1: multiply by 255" if 0 <= low and high <= 1 else f"{low:.3g} to {high:.3g}"
        return f"values are {given.dtype} from {unit}; give uint8 from 0 to 255"
    if given.ndim == 3 and given.shape[0] == 3 and given.shape[2] != 3:
        return f"channels come first, {given.shape}; give (height, width, 3)"
    if given.ndim != 3 or given.shape[2] != 3 or given.shape[0] != given.shape[1]:
        return f"the shape is {given.shape}; give a square picture in colour, (size, size, 3)"
    shown = picture()
    right, window = crop_face(shown.image, shown.landmarks, size=SIZE)
    faults = {
        "as expected": given,
        "blue and red are exchanged (BGR): give RGB": given[..., ::-1],
        "the picture is mirrored": given[:, ::-1],
        "blue and red are exchanged (BGR), and the picture is mirrored": given[:, ::-1, ::-1],
    }
    scaled = {words: _resized(values, SIZE) for words, values in faults.items()}
    off = {words: np.abs(values - right.astype(float)).mean() for words, values in scaled.items()}
    words = min(off, key=lambda w: off[w])
    return words if off[words] < CLOSE else _window_of(given, shown.image, window)


def record() -> None:
    """Draw the picture from the twin and write it, its true values and the plain network's outputs anew."""
    from paperlib.labels import EXPRESSIONS
    from paperlib.twin import draw_faces, landmarks, sample_parameters

    seed, number = FACE
    parameters = sample_parameters(1, seed, number)
    image = np.pad(draw_faces(parameters, size=SIDE, channels=3)[0], (*MARGINS, (0, 0)), mode="edge")
    points = landmarks(parameters, SIDE)[0].astype(np.float64) + (MARGINS[1][0], MARGINS[0][0])
    crop, window = crop_face(image, points, size=SIZE)
    plain = Predictor(formula_weights(EmoFAN(classes=8)), mirror=False, **FORMS["plain"][0]).predict(
        crop[None]
    )
    known = {
        "landmarks": np.round(points, 4).tolist(),
        "affect": [round(float(v), 4) for v in parameters.affect[0]],
        "expression": EXPRESSIONS[int(parameters.categories[0, 0])],
        "window": [round(v, 5) for v in _place(window)],
        "crop": crop[::SAMPLE, ::SAMPLE].tolist(),
        "outputs": [round(float(v), 7) for v in (*plain.affect[0], *plain.probability[0])],
    }
    Image.fromarray(image).save(FOLDER / "self_check.png", optimize=True)
    (FOLDER / "self_check.json").write_text(json.dumps(known) + "\n")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m paperlib.self_check", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("checkpoint", nargs="?", help="a released checkpoint, or one with its names")
    parser.add_argument("--record", action="store_true", help="write picture and outputs anew")
    options = parser.parse_args(arguments)
    if options.record:
        record()
        return 0
    found = check()
    print(
        found.to_string(index=False, formatters={"difference": "{:.1e}".format, "tolerance": "{:.0e}".format})
    )
    if options.checkpoint:
        try:
            print(_what_it_says(load_released(options.checkpoint)))
        except (OSError, ValueError) as error:
            sys.exit(f"self_check: {error}")
    return 0 if found["as_expected"].all() else 1


def _what_it_says(model: EmoFAN) -> str:
    shown = picture()
    crop, _ = crop_face(shown.image, shown.landmarks, size=model.size)
    said = Predictor(model).predict(crop[None])
    lines = [
        ("this network", *said.affect[0], str(said.expression[0])),
        ("the twin's truth", *shown.affect, shown.expression),
    ]
    table = (
        pd.DataFrame(lines, columns=["", "valence", "arousal", "expression"]).round(2).to_string(index=False)
    )
    return (
        f"\n{table}\nA drawn face is no photograph, and no output of a released network is recorded here: read the "
        "sign and the expression, not the digits."
    )


def _known() -> dict[str, Any]:
    return json.loads((FOLDER / "self_check.json").read_text())


def _place(window: Window) -> tuple[float, float, float]:
    return window.left, window.top, window.side


def _far(found: ArrayLike, known: ArrayLike) -> float:
    return float(np.abs(np.asarray(found, np.float64) - np.asarray(known, np.float64)).max())


def _resized(image: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    small = Image.fromarray(np.ascontiguousarray(image)).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(small, dtype=np.float64)


def _window_of(given: NDArray[np.uint8], image: NDArray[np.uint8], right: Window) -> str:
    """Where in the picture a crop was taken: the best of a grid of windows, then of a finer one around it."""
    small, whole = _resized(given, 24), Image.fromarray(image)
    best, scale, dx, dy = np.inf, 1.0, 0.0, 0.0
    for width in (0.30, 0.04):
        at = scale, dx, dy
        scales = at[0] * np.exp(np.linspace(-1.5 * width, 1.5 * width, 13))
        shifts = np.linspace(-width, width, 13)
        for s, x, y in product(scales, at[1] + shifts, at[2] + shifts):
            side = s * right.side
            left = right.left + right.side / 2 + x * right.side - side / 2
            top = right.top + right.side / 2 + y * right.side - side / 2
            crop = whole.transform(
                (24, 24),
                Image.Transform.EXTENT,
                (left, top, left + side, top + side),
                Image.Resampling.BILINEAR,
            )
            off = float(np.abs(np.asarray(crop, dtype=np.float64) - small).mean())
            if off < best:
                best, scale, dx, dy = off, s, x, y
    if best > 4 * CLOSE:
        return (
            f"it is no crop of the self-check picture that could be found: at best {best:.0f} grey levels off"
        )
    moved = f"{abs(dx) * right.side:.0f} pixels to the {'right' if dx > 0 else 'left'} and "
    moved += f"{abs(dy) * right.side:.0f} {'down' if dy > 0 else 'up'}"
    return f"the window is {scale:.2f} times as wide as it should be, its centre {moved} (in the picture's pixels)"


if __name__ == "__main__":
    sys.exit(main())
