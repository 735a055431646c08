"""The picture of a face, painted from its landmarks.

Each part is a polygon splined through projected points. Pillow paints them back to front on a finer grid,
which is averaged down; then come low resolution, blur and light. Every step treats each face alone, so the
bytes of a picture do not depend on its neighbours in a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

from paperlib.twin.anatomy import PARTS, face_unit
from paperlib.twin.parameters import TONES, FaceParameters, project_heads
from paperlib.twin.prototypes import ACTION_UNITS

_OVERSAMPLING = 4  # the grid that is painted on is this many times finer
_BLOCK = 256
_TURN = np.arange(14) * (2 * np.pi / 14)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)

Part = tuple[NDArray, ArrayLike]  # polygons (n, m, 2) in pixels, RGB colour (n, 3) or (3,)


def draw_faces(parameters: FaceParameters, *, size: int = 64, channels: int = 1) -> NDArray[np.uint8]:
    """Pictures (n, size, size), or (n, size, size, 3) RGB for channels 3; size from 48 to 256 pixels.

    The same parameters give the same bytes, whatever faces are drawn beside them.
    """
    if not 48 <= size <= 256 or channels not in (1, 3):
        raise ValueError(f"size must lie in 48 to 256 and channels be 1 or 3; got {size} and {channels}")
    shape = (len(parameters), size, size) + ((3,) if channels == 3 else ())
    pictures = np.empty(shape, dtype=np.uint8)
    for first in range(0, len(parameters), _BLOCK):
        rows = slice(first, first + _BLOCK)
        pictures[rows] = _draw_block(parameters.rows(rows), size, channels)
    return pictures


def _draw_block(p: FaceParameters, size: int, channels: int) -> NDArray[np.uint8]:
    points = project_heads(p, size)
    parts = list(_Portrait(p, points, size).parts())
    ends = np.cumsum([0] + [2 * shape.shape[1] for shape, _ in parts]).tolist()
    outlines = np.concatenate([shape.reshape(len(p), -1) for shape, _ in parts], axis=1) * _OVERSAMPLING
    colours = [np.broadcast_to(colour, (len(p), 3)) for _, colour in parts]
    inks = np.stack([p.backdrop, *colours], axis=1).clip(0, 255)
    if channels == 1:
        inks = 0.299 * inks[..., 0] + 0.587 * inks[..., 1] + 0.114 * inks[..., 2]
    fine = (size * _OVERSAMPLING, size * _OVERSAMPLING)
    pictures = []
    for i, (outline, (backdrop, *ink)) in enumerate(
        zip(outlines, inks.astype(np.int64).tolist(), strict=True)
    ):
        canvas = Image.new("L", fine, backdrop) if channels == 1 else Image.new("RGB", fine, tuple(backdrop))
        fill, corners = ImageDraw.Draw(canvas).polygon, outline.tolist()
        for first, last, colour in zip(ends[:-1], ends[1:], ink, strict=True):
            fill(corners[first:last], fill=colour if channels == 1 else tuple(colour))
        picture = canvas.reduce(_OVERSAMPLING)
        pictures.append(np.asarray(_degrade(picture, float(p.blur[i]), float(p.coarseness[i]))))
    return _illuminate(np.stack(pictures), p, points[:, 28])


def _degrade(picture: Image.Image, blur: float, coarseness: float) -> Image.Image:
    size = picture.width
    if coarseness > 0:
        small = max(6, round(size * (1 - 0.8 * coarseness)))
        picture = picture.resize((small, small), Image.Resampling.BOX)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return picture.filter(ImageFilter.GaussianBlur(0.035 * blur * size)) if blur > 0 else picture


def _illuminate(pictures: NDArray, p: FaceParameters, centre: NDArray) -> NDArray[np.uint8]:
    """Shade like a ball around `centre` (n, 2): brighter towards the light, darker at the rim."""
    pixel = np.arange(pictures.shape[1]) + 0.5
    reach = face_unit(p.framing[:, 2], pictures.shape[1])
    direction, contrast, brightness = np.ascontiguousarray(p.light.T)

    def ramp(axis: int, radius: float, towards_light: NDArray) -> NDArray[np.float32]:
        at = np.clip((pixel - centre[:, axis, None]) / (radius * reach)[:, None], -1, 1)
        return (brightness[:, None] * (towards_light[:, None] * at - 0.12 * at * at)).astype(np.float32)

    across = ramp(0, 1.3, contrast * np.cos(direction))[:, None, :]
    down = ramp(1, 1.6, contrast * np.sin(direction))[:, :, None]
    shade = across + (down + brightness.astype(np.float32)[:, None, None])
    return np.clip(pictures * (shade if pictures.ndim == 3 else shade[..., None]), 0, 255).astype(np.uint8)


# -------------------------------------------------------------------------------------------- shapes


def _spline(points: int, *, closed: bool, steps: int = 4) -> NDArray[np.float64]:
    """Catmull-Rom weights (samples, points): a curve through the points is `weights @ points`."""
    segments = points if closed else points - 1
    t = np.arange(steps) / steps
    blend = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )
    weights = np.zeros((segments * steps + (not closed), points))
    for segment in range(segments):
        for k in range(4):
            at = segment + k - 1
            at = at % points if closed else min(max(at, 0), points - 1)
            weights[segment * steps : (segment + 1) * steps, at] += blend[k]
    if not closed:
        weights[-1, -1] = 1
    return weights


def _curve(points: NDArray, *, closed: bool = False) -> NDArray:
    return _spline(points.shape[1], closed=closed) @ points


def _blob(*runs: NDArray) -> NDArray:
    """The closed curve through all points of all runs."""
    return _curve(np.concatenate(runs, axis=1), closed=True)


def _band(edge: NDArray, other: NDArray) -> NDArray:
    """The area between two curves that run the same way."""
    return np.concatenate([edge, other[:, ::-1]], axis=1)


def _stroke(points: NDArray, width: NDArray) -> NDArray:
    """A brush stroke along a curve through points (n, m, 2), thinner at its ends; `width` (n,) in pixels."""
    line = _curve(points)
    along = np.gradient(line, axis=1)
    normal = np.stack([-along[..., 1], along[..., 0]], axis=2)
    normal /= np.sqrt((normal * normal).sum(axis=2, keepdims=True)) + 1e-9
    profile = 0.3 + 0.7 * np.sin(np.linspace(0, np.pi, line.shape[1])) ** 0.7
    half = 0.5 * width[:, None, None] * profile[:, None] * normal
    return _band(line + half, line - half)


def _mix(a: ArrayLike, b: ArrayLike, t: NDArray) -> NDArray:
    """From a to b, colours or points, as t (n,) goes from 0 to 1."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return a + (b - a) * t[:, None]


# ---------------------------------------------------------------------------------------------- face


class _Portrait:
    """The parts of n faces; lengths below are in half head widths."""

    def __init__(self, p: FaceParameters, points: NDArray, size: int) -> None:
        self.p = p
        self.part = {name: points[:, rows] for name, rows in PARTS.items()}
        self.mark = self.part["landmarks"]
        self.unit = dict(zip(ACTION_UNITS, p.action_units.T / 5, strict=True))
        self.tone = dict(zip(TONES, p.tone.T, strict=True))
        self.scale = face_unit(p.framing[:, 2], size)
        self.skin = _mix((244, 208, 182), (132, 90, 66), self.tone["skin"])
        self.hair = _mix((28, 22, 20), (190, 145, 85), self.tone["hair"] ** 1.5)
        self.hair *= (1 - 0.4 * self.tone["skin"])[:, None]

    def parts(self) -> Iterator[Part]:
        """From back to front."""
        yield from self.outline()
        for lids, sign in ((self.mark[:, 36:42], 1), (self.mark[:, 42:48], -1)):
            yield from self.eye(lids, sign)
        yield from self.forehead()
        yield from self.nose()
        yield from self.cheeks()
        yield from self.mouth()
        yield _blob(self.part["scalp"], self.part["hairline"][:, ::-1]), self.hair
        # Brows over the hair: a raised brow stays visible.
        width = self.scale * (0.085 + 0.06 * self.tone["brow_thickness"])
        for brow in (self.mark[:, 17:22], self.mark[:, 22:27]):
            yield _stroke(brow, width), np.minimum(0.9 * self.hair, 0.42 * self.skin)
        yield from self.object_in_front()

    def near(self, points: NDArray, offsets: Sequence[tuple[float, float]], sign: int = 1) -> NDArray:
        """`points` (n, 2) or (n, 1 or m, 2) moved by m offsets; a sign of -1 mirrors them."""
        points = points if points.ndim == 3 else points[:, None]
        return points + np.array(offsets) * (sign, 1) * self.scale[:, None, None]

    def crease(self, points: NDArray, width: float | NDArray, depth: float | NDArray) -> Part:
        """A fold of the skin; depth from 0 (unseen) to 1 (darkest)."""
        shade = 1 - 0.78 * np.broadcast_to(depth, self.scale.shape)
        return _stroke(points, self.scale * width), self.skin * shade[:, None]

    def outline(self) -> Iterator[Part]:
        part = self.part
        yield _blob(part["scalp"], part["mane"]), 0.85 * self.hair
        yield part["neck"], 0.80 * self.skin
        yield part["shoulders"], _mix((50, 60, 90), (190, 180, 170), self.tone["shirt"])
        for ear in ("left_ear", "right_ear"):
            yield _blob(part[ear]), 0.88 * self.skin
        yield _blob(self.mark[:, :17], part["skull"][:, 1:-1]), self.skin

    def eye(self, lids: NDArray, sign: int) -> Iterator[Part]:
        """Ball and iris first, then skin all round the lids, which cuts them to the opening."""
        middle, rim = lids.mean(axis=1, keepdims=True), _curve(lids, closed=True)
        gaze = self.near(0.325 * (lids[:, [0]] + lids[:, [3]]) + 0.35 * middle, [(0, -0.02)])
        pixels = self.scale[:, None, None]
        yield middle + 1.15 * (rim - middle), (240, 240, 238)
        yield gaze + 0.125 * pixels * _CIRCLE, _mix((60, 38, 25), (105, 135, 150), self.tone["iris"])
        yield gaze + 0.066 * pixels * _CIRCLE, (12, 12, 12)
        yield self.near(gaze, [(-0.036, -0.04)]) + 0.025 * pixels * _CIRCLE, (255, 255, 255)
        around = np.concatenate([rim, rim[:, :1]], axis=1)
        yield _band(around, middle + (around - middle) * (1.2, 2.6)), self.skin
        upper, lower = lids[:, :4], lids[:, [3, 4, 5, 0]]
        yield self.crease(upper, 0.055, 0.95)
        yield self.crease(lower, 0.025, 0.45 + 0.25 * self.unit[7])
        yield self.crease(self.near(upper, [(0, -0.07)]), 0.022, 0.45 - 0.35 * self.unit[5])
        pouch = 0.10 + 0.45 * np.maximum(self.unit[6], self.unit[9])
        yield self.crease(self.near(lower, [(0, 0.075)]), 0.03, pouch)
        corner = lids[:, 0 if sign == 1 else 3]
        for rise in (-0.06, 0.05):  # crow's feet
            yield self.crease(
                self.near(corner, [(-0.05, 0.2 * rise), (-0.17, rise)], sign), 0.022, 0.5 * self.unit[6]
            )

    def forehead(self) -> Iterator[Part]:
        mark, unit = self.mark, self.unit
        brows, hairline = mark[:, [18, 20, 23, 25]], self.part["hairline"][:, [6, 5, 3, 2]]
        for height in (0.38, 0.62):
            yield self.crease(brows + height * (hairline - brows), 0.03, 0.55 * np.maximum(unit[1], unit[2]))
        for inner, outer in ((21, 20), (22, 23)):
            top = self.near(1.35 * mark[:, inner] - 0.35 * mark[:, outer], [(0, -0.10)])
            foot = 0.45 * mark[:, [inner]] + 0.55 * mark[:, [27]]
            yield self.crease(_band(top, foot), 0.035, 0.65 * np.maximum(unit[4], 0.6 * unit[9]))
        for down in (0.25, 0.8):
            root = mark[:, [27]] + down * (mark[:, [28]] - mark[:, [27]])
            ends = root + 0.55 * (mark[:, [39, 42]] - root)
            wrinkle = np.concatenate([ends[:, :1], self.near(root, [(0, -0.03)]), ends[:, 1:]], axis=1)
            yield self.crease(wrinkle, 0.03, 0.65 * unit[9])

    def nose(self) -> Iterator[Part]:
        mark, unit = self.mark, self.unit
        yield self.crease(self.near(mark[:, 27:31], [(0.10, 0)]), 0.05, 0.13)
        yield self.crease(mark[:, 31:36], 0.045, 0.45)
        for wing, nostril, sign in ((31, 32, -1), (35, 34, 1)):
            arch = self.near(mark[:, wing], [(0, -0.16), (0.06, -0.08), (0.05, 0.02), (0, 0.03)], sign)
            yield self.crease(arch, 0.03, 0.30 + 0.35 * unit[9])
            hole = [(-0.05, -0.02), (0, -0.04), (0.05, -0.02), (0, -0.005)]
            yield _blob(self.near(mark[:, nostril], hole)), 0.3 * self.skin

    def cheeks(self) -> Iterator[Part]:
        """The nasolabial furrow, and the dimple of unit 14."""
        unit = self.unit
        for wing, corner, sign in ((31, 48, -1), (35, 54, 1)):
            dimpled = unit[14] * (self.p.side == sign)
            pull = np.maximum.reduce([unit[6], unit[9], unit[10], unit[12], 0.8 * dimpled])
            start = self.near(self.mark[:, wing], [(0.07, -0.09)], sign)
            end = self.near(self.mark[:, corner], [(0.13, 0.02)], sign)
            bow = self.near(0.5 * (start + end), [(0.06, -0.03)], sign)
            yield self.crease(np.concatenate([start, bow, end], axis=1), 0.045, 0.10 + 0.55 * pull)
            dimple = self.near(self.mark[:, corner], [(0.09, -0.10), (0.13, 0), (0.08, 0.09)], sign)
            yield self.crease(dimple, 0.05, 0.75 * dimpled)

    def mouth(self) -> Iterator[Part]:
        """Lips, the opening, teeth in its upper part, the seam of closed lips, corners and chin."""
        mark, unit = self.mark, self.unit
        yield (
            _blob(mark[:, 48:60]),
            self.skin * _mix((0.78, 0.55, 0.55), (0.66, 0.40, 0.42), self.tone["lip"]),
        )
        upper, lower = _curve(mark[:, [60, 61, 62, 63, 64]]), _curve(mark[:, [60, 67, 66, 65, 64]])
        yield _band(upper, lower), (45, 16, 18)
        gap = lower - upper
        height = np.sqrt((gap * gap).sum(axis=2, keepdims=True)) + 1e-9
        teeth = upper + gap * np.minimum(0.72, 0.15 * self.scale[:, None, None] / height)
        yield _band(upper[:, 3:-3], teeth[:, 3:-3]), (236, 232, 222)
        open_ = np.minimum(1, 3 * np.maximum(unit[25], unit[26]))
        yield self.crease(mark[:, 60:65], 0.04 * (1 - 0.6 * open_), 0.85)
        for corner, sign in ((48, -1), (54, 1)):
            yield self.crease(
                self.near(mark[:, corner], [(0, 0.02), (0.05, 0.13)], sign), 0.035, 0.55 * unit[15]
            )
        lip, chin = mark[:, [59, 57, 55]], mark[:, [6, 8, 10]]
        yield self.crease(lip + 0.22 * (chin - lip), 0.05, 0.16 + 0.35 * unit[17])
        boss = 0.38 * mark[:, 57] + 0.62 * mark[:, 8]
        for sign in (-1, 1):
            yield self.crease(self.near(boss, [(0.09, -0.05), (0.045, 0.06)], sign), 0.04, 0.4 * unit[17])

    def object_in_front(self) -> Iterator[Part]:
        """A tilted card over one of OCCLUDED, shrunk to a point where nothing is hidden."""
        p, mark = self.p, self.mark
        cheeks = [0.7 * mark[:, eye] + 0.3 * mark[:, corner] for eye, corner in ((41, 48), (46, 54))]
        middle = np.stack([mark[:, 27], mark[:, 62], *cheeks])[p.occluded, np.arange(len(p))]
        reach = np.where(p.occluded[:, None] < 2, (0.95, 0.40), (0.45, 1.0))
        reach = reach * ((0.45 + 0.65 * p.occlusion) * (p.occlusion > 0))[:, None]
        x, y = np.moveaxis(reach[:, None] * [(-1, -1), (1, -1), (1, 1), (-1, 1)], 2, 0)
        tilt = np.radians(p.pose[:, 2, None]) + 0.3
        card = np.stack([x * np.cos(tilt) - y * np.sin(tilt), x * np.sin(tilt) + y * np.cos(tilt)], axis=2)
        yield middle[:, None] + card * self.scale[:, None, None], 0.4 * p.backdrop[:, ::-1] + 10
