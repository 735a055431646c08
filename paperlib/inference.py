"""Valence, arousal, expression and landmarks of cropped faces and videos, with a trained `EmoFAN`.

The full-size network spends its time in convolutions. OpenVINO's are faster than torch's in fp32, and bf16 halves the
time or better where the processor has instructions for it: `make bench` measures each beside plain torch.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor, nn

from paperlib.data.pictures import misplaced
from paperlib.export import Compiled, installed, kept
from paperlib.models.emofan import CLASSES, EmoFAN, EmoFANOutput, landmarks_from_heatmaps
from paperlib.shapes import check_shapes
from paperlib.twin.anatomy import MIRROR

ENGINES = ("openvino", "torch")
SMOOTHING = (0.1, 0.1, 0.15, 0.25, 0.4)  # of five frames, the newest last (release)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What is read from n pictures."""

    affect: NDArray[np.float32]  # (n, 2) valence and arousal, -1 to 1
    probability: NDArray[np.float32]  # (n, classes), rows sum to 1
    expression: NDArray[np.str_]  # (n,) the most probable
    landmarks: NDArray[np.float32]  # (n, 68, 2) x, y in pixels of the pictures given, whose corner is (0, 0)


class Predictor:
    """A trained network in the form that is fastest to use; the network given is left as it is.

    Args:
        bf16: compute in bfloat16 (with torch, the convolutions alone), whose rounding moves affect by some 0.01.
        mirror: average the outputs for a picture and for its mirror image: logits, affect and landmarks, which
            change sides first. The release averages affect alone, and takes the expression from the picture as it is.
        batch: pictures that go through the network at once; some 4 on a processor, many on a GPU.
        engine: "openvino" computes on the processor, as many threads as torch has; the first start writes the network
            for it (`export.kept`). "torch" computes where the network is. By default OpenVINO if it is installed and
            the network is on the processor, else torch.

    Raises:
        ValueError: a batch below 1, or another engine.
        ModuleNotFoundError: "openvino" is not installed.
    """

    def __init__(
        self,
        model: EmoFAN,
        *,
        bf16: bool = False,
        mirror: bool = True,
        batch: int = 4,
        engine: str | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be at least 1; got {batch}")
        if engine not in (None, *ENGINES):
            raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
        self.device = next(model.parameters()).device
        self.engine = engine or ("openvino" if installed() and self.device.type == "cpu" else "torch")
        self.model, self.mirror, self.batch = copy.deepcopy(model).eval(), mirror, batch
        self.precision = torch.bfloat16 if bf16 and self.engine == "torch" else torch.float32
        self._network: Callable[[Tensor], Sequence[Tensor]]
        if self.engine == "openvino":
            self.device = torch.device("cpu")
            written = kept(model, shape=(3, model.size, model.size))
            self._network = Compiled(written, bf16=bf16)
        else:
            self._network = self.model
            for part in self.model.modules():
                if isinstance(part, nn.Conv2d):
                    part.to(self.precision).to(memory_format=torch.channels_last)

    def predict(self, images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Prediction:
        """Of faces cropped as in training, scaled to the network's size here.

        RGB (n, h, w, 3), grey (n, h, w), or a list of (h, w, 3) and (h, w) that differ in size. ValueError for anything
        else, such as one picture alone, whose rows would pass for pictures.
        """
        pictures = checked(images)
        chunks = [self._chunk(pictures[i : i + self.batch]) for i in range(0, len(pictures), self.batch)]
        return self._named(*(np.concatenate(parts) for parts in zip(*chunks, strict=True)))

    def predict_video(self, frames: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> Prediction:
        """As `predict`, of one face's frames in order; affect and probability are smoothed, landmarks are not."""
        each = self.predict(frames)
        return self._named(smooth(each.affect), smooth(each.probability), each.landmarks)

    @torch.inference_mode()
    def _chunk(self, pictures: Sequence[NDArray[np.uint8]]) -> tuple[NDArray, NDArray, NDArray]:
        """Affect, probability and landmarks."""
        size = self.model.size
        inputs = torch.cat([self._input(picture) for picture in pictures])
        out = EmoFANOutput(*self._network(inputs))
        logits, affect = out.expression, out.affect
        landmarks = landmarks_from_heatmaps(out.heatmaps, size=size)
        if self.mirror:
            out = EmoFANOutput(*self._network(inputs.flip(3)))
            logits, affect = (logits + out.expression) / 2, (affect + out.affect) / 2
            mirrored = landmarks_from_heatmaps(out.heatmaps, size=size)[:, MIRROR]
            sides = mirrored.new_tensor([-1, 1]), mirrored.new_tensor([size, 0])
            landmarks = (landmarks + mirrored * sides[0] + sides[1]) / 2
        scale = np.array([(p.shape[1] / size, p.shape[0] / size) for p in pictures], np.float32)
        affect, probability = affect.clamp(-1, 1), logits.softmax(dim=1)
        return affect.cpu().numpy(), probability.cpu().numpy(), landmarks.cpu().numpy() * scale[:, None]

    def _input(self, picture: NDArray[np.uint8]) -> Tensor:
        """(h, w, 3) or (h, w) to (1, 3, size, size)."""
        size = (self.model.size, self.model.size)
        x = torch.from_numpy(np.atleast_3d(picture).astype(np.float32)).permute(2, 0, 1)[None] / 255
        if x.shape[2:] != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True)
        return x.expand(-1, 3, -1, -1).to(self.device, self.precision, memory_format=torch.channels_last)

    def _named(self, affect: NDArray, probability: NDArray, landmarks: NDArray) -> Prediction:
        named = np.array(CLASSES[self.model.classes])[probability.argmax(axis=1)]
        return Prediction(affect=affect, probability=probability, expression=named, landmarks=landmarks)


def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Frames (frames, k), each the mean of itself and the four before it, weighted by SMOOTHING.

    In the first four frames the weights of those that are there are scaled to sum to 1.
    """
    weights = np.array(SMOOTHING)

    def weighted(x: NDArray) -> NDArray:
        before = np.zeros((len(weights) - 1, x.shape[1]))
        return (
            np.lib.stride_tricks.sliding_window_view(np.concatenate([before, x]), len(weights), 0) @ weights
        )

    return (weighted(values) / weighted(np.ones((len(values), 1)))).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Window:
    """Where in a picture a square crop of `size` pixels lies: its corner and its side, in the picture's pixels."""

    left: float
    top: float
    side: float
    size: int

    def to_crop(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) of the picture, x and y in pixels, in the crop's pixels."""
        return (np.asarray(points) - (self.left, self.top)) * (self.size / self.side)

    def to_picture(self, points: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) of the crop in the picture."""
        return np.asarray(points) * (self.side / self.size) + (self.left, self.top)


def crop_face(
    image: NDArray[np.uint8], landmarks: ArrayLike, *, size: int
) -> tuple[NDArray[np.uint8], Window]:
    """The face of a picture (h, w[, 3]), (size, size[, 3]), and where it lies; one rule for training and use.

    It is the release's: a window of 200 * scale pixels around the centre of the bounding box of the landmarks (68, 2),
    with scale = (width + height) / 220 of that box. What lies outside of the picture is black. Two corners of that box
    do as well, such as a detector's.

    Raises:
        ValueError: the picture is not uint8 (h, w) or (h, w, 3), or the landmarks mark no face in it
            (`pictures.misplaced`): they are not finite, in one place, shares of the picture, or outside.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    check_shapes("k 2", landmarks=points)
    checked([image])
    if problem := misplaced(points, (image.shape[1], image.shape[0])):
        raise ValueError(f"landmarks {problem}")
    low, high = points.min(axis=0), points.max(axis=0)
    side = 200 * float((high - low).sum()) / 220
    left, top = ((low + high - side) / 2).tolist()
    x, y = math.floor(left), math.floor(top)
    patch = Image.fromarray(image).crop((x, y, math.ceil(left + side), math.ceil(top + side)))
    box = (left - x, top - y, left - x + side, top - y + side)
    crop = patch.resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(crop), Window(left=left, top=top, side=side, size=size)


def checked(images: NDArray[np.uint8] | Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """The pictures, (h, w, 3) or (h, w), of an array of many or of a list; ValueError for what is neither."""
    alone = isinstance(images, np.ndarray) and (images.ndim < 3 or images.shape[2:] in ((1,), (3,), (4,)))
    pictures = [] if alone else list(images)
    wrong: list[object] = [images] if alone else [p for p in pictures if not _is_picture(p)]
    if wrong or not pictures:
        first = wrong[0] if wrong else images
        got = f"{getattr(first, 'dtype', type(first).__name__)} {getattr(first, 'shape', '')}"
        raise ValueError(
            "pictures must be uint8 (n, h, w, 3) or (n, h, w), or a list of (h, w, 3) and (h, w); "
            f"got {got}{'; of one picture, give picture[None]' if alone else ''}"
        )
    return pictures


def _is_picture(given: object) -> bool:
    if not isinstance(given, np.ndarray) or given.dtype != np.uint8 or not given.size:
        return False
    return given.ndim == 2 or (given.ndim == 3 and given.shape[2] == 3)
