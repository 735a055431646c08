"""Faces from action units: 68 landmarks moved by muscles, identity and pose, and the picture drawn from them.

A face lives in its own frame: x to the right of the picture, y down, z towards the viewer; the half width of the
head is 1. Landmarks follow the iBUG 300-W order (C. Sagonas et al., Image and Vision Computing 47, 2016). Moving
them is a sum of displacements; turning the head is a rotation and a weak-perspective projection. Pillow paints the
parts, each a polygon splined through landmarks, back to front on a finer grid that is then averaged down.
Every step treats each face alone, so the bytes of a picture do not depend on its neighbours in a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy.special import ndtri

from paperlib.labels import EXPRESSIONS
from paperlib.twin.prototypes import ACTION_UNITS, circumplex_table, prototype_table

IDENTITIES = 200
SHAPES = (
    "face_width",
    "face_length",
    "jaw_width",
    "eye_size",
    "eye_gap",
    "brow_height",
    "nose_length",
    "nose_width",
    "mouth_width",
    "lip_fullness",
)
TONES = ("skin", "hair", "iris", "lip", "shirt", "brow_thickness", "hair_length", "hairline")
OCCLUDED = ("eyes", "mouth", "left", "right")  # left and right of the picture

_OVERSAMPLING = 4  # painted on a grid this many times finer in each direction
_BLOCK = 256

# ---------------------------------------------------------------------------------------------- the face at rest

# Left half of the picture, midline included; the right half is its mirror image.
_REST: dict[int, tuple[float, float, float]] = {
    **{0: (-1.00, -0.25, -0.45), 1: (-0.985, 0.05, -0.44), 2: (-0.95, 0.33, -0.40), 3: (-0.88, 0.60, -0.34)},
    **{4: (-0.76, 0.84, -0.26), 5: (-0.59, 1.03, -0.16), 6: (-0.40, 1.17, -0.06), 7: (-0.20, 1.25, 0.02)},
    8: (0, 1.27, 0.05),
    **{17: (-0.79, -0.46, -0.14), 18: (-0.67, -0.56, -0.04), 19: (-0.51, -0.60, 0.04)},
    **{20: (-0.34, -0.57, 0.09), 21: (-0.18, -0.51, 0.12)},
    **{27: (0, -0.27, 0.12), 28: (0, -0.09, 0.20), 29: (0, 0.09, 0.29), 30: (0, 0.25, 0.38)},
    **{31: (-0.19, 0.37, 0.14), 32: (-0.10, 0.41, 0.20), 33: (0, 0.43, 0.24)},
    **{36: (-0.63, -0.20, -0.08), 37: (-0.52, -0.30, -0.01), 38: (-0.36, -0.30, 0.02)},
    **{39: (-0.24, -0.18, 0.00), 40: (-0.36, -0.13, 0.01), 41: (-0.51, -0.12, -0.01)},
    **{48: (-0.37, 0.75, 0.04), 49: (-0.22, 0.67, 0.14), 50: (-0.08, 0.63, 0.20), 51: (0, 0.65, 0.21)},
    **{57: (0, 0.89, 0.20), 58: (-0.11, 0.88, 0.18), 59: (-0.25, 0.83, 0.12)},
    **{60: (-0.32, 0.75, 0.05), 61: (-0.12, 0.745, 0.16), 62: (0, 0.75, 0.17)},
    **{66: (0, 0.76, 0.17), 67: (-0.12, 0.755, 0.16)},
}
_MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
)

# Displacement (x, y) of left-half landmarks at intensity 5, after the FACS manual's description of each unit.
_MUSCLES: dict[int, dict[int, tuple[float, float]]] = {
    1: {19: (0, -0.06), 20: (0.02, -0.18), 21: (0.03, -0.24)},
    2: {17: (0, -0.15), 18: (0, -0.21), 19: (0, -0.17), 20: (0, -0.06)},
    4: {17: (0.02, 0.02), 18: (0.04, 0.07), 19: (0.06, 0.12), 20: (0.08, 0.19), 21: (0.09, 0.24)},
    5: {37: (0, -0.10), 38: (0, -0.10)},
    6: {36: (0, -0.01), 40: (0, -0.07), 41: (0, -0.09), 2: (-0.02, -0.02), 3: (-0.02, -0.02)},
    7: {37: (0, 0.06), 38: (0, 0.06), 40: (0, -0.05), 41: (0, -0.05)},
    9: {
        **{20: (0.03, 0.08), 21: (0.04, 0.13), 37: (0, 0.04), 38: (0, 0.05), 40: (0, -0.04), 41: (0, -0.03)},
        **{30: (0, -0.04), 31: (-0.05, -0.09), 32: (-0.01, -0.06), 33: (0, -0.04)},
        **{49: (0, -0.06), 50: (0, -0.06), 51: (0, -0.05), 61: (0, -0.03), 62: (0, -0.03)},
    },
    10: {
        **{31: (-0.03, -0.03), 48: (-0.01, 0.03), 49: (-0.04, -0.09), 50: (0, -0.10), 51: (0, -0.09)},
        **{60: (-0.01, 0.02), 61: (-0.02, -0.12), 62: (0, -0.11)},
    },
    12: {
        **{48: (-0.19, -0.22), 49: (-0.10, -0.06), 59: (-0.10, -0.06), 60: (-0.19, -0.21), 50: (-0.02, 0.01)},
        **{51: (0, 0.02), 57: (0, 0.03), 58: (-0.03, 0.02), 61: (-0.07, -0.03), 67: (-0.07, -0.01)},
        **{62: (0, 0.02), 66: (0, 0.03), 3: (-0.04, -0.02), 4: (-0.04, -0.02)},
    },
    14: {48: (-0.14, -0.17), 60: (-0.14, -0.17), 49: (-0.06, -0.06), 59: (-0.07, -0.09), 61: (-0.04, -0.04)}
    | {67: (-0.04, -0.04)},
    15: {
        48: (-0.03, 0.20),
        60: (-0.02, 0.18),
        49: (-0.01, 0.06),
        59: (0, 0.09),
        61: (0, 0.01),
        67: (0, 0.02),
    },
    17: {8: (0, -0.06), 7: (0, -0.05), 57: (0, -0.06), 58: (0, -0.05), 59: (0, -0.02), 51: (0, -0.03)}
    | {50: (0, -0.03), 61: (0, -0.04), 62: (0, -0.06), 66: (0, -0.06), 67: (0, -0.04)},
    20: {48: (-0.17, 0.06), 60: (-0.17, 0.06), 49: (-0.10, 0.03), 59: (-0.11, 0.01), 61: (-0.08, 0)}
    | {67: (-0.08, 0), 58: (-0.03, -0.01)},
    23: {48: (0.05, 0.02), 60: (0.04, 0.02), 49: (0.03, 0.06), 50: (0.01, 0.07), 51: (0, 0.06)}
    | {57: (0, -0.08), 58: (0.01, -0.08), 59: (0.04, -0.06), 61: (0.02, 0), 67: (0.02, 0)},
    25: {50: (0, -0.02), 51: (0, -0.02), 61: (0, -0.03), 62: (0, -0.03), 57: (0, 0.10), 58: (0, 0.10)}
    | {59: (0, 0.07), 66: (0, 0.12), 67: (0, 0.10)},
    26: {
        **{3: (0.01, 0.05), 4: (0.02, 0.12), 5: (0.02, 0.19), 6: (0.01, 0.23), 7: (0, 0.24), 8: (0, 0.24)},
        **{48: (0.07, 0.10), 60: (0.07, 0.10), 59: (0.05, 0.24), 58: (0.02, 0.29), 57: (0, 0.30)},
        **{49: (0.03, -0.01), 61: (0.02, -0.03), 62: (0, -0.03), 66: (0, 0.30), 67: (0.02, 0.27)},
    },
}

# Displacement at +1 of one identity parameter; -1 is the opposite. Whole-face scales are in `landmarks_3d`.
_VARIETY: dict[str, dict[int, tuple[float, float]]] = {
    "jaw_width": {
        2: (-0.02, 0),
        3: (-0.06, 0),
        4: (-0.10, 0.02),
        5: (-0.10, 0.03),
        6: (-0.08, 0.02),
        7: (-0.03, 0),
    },
    "eye_size": {
        37: (0, -0.025),
        38: (0, -0.025),
        40: (0, 0.02),
        41: (0, 0.02),
        36: (-0.02, 0),
        39: (0.02, 0),
    },
    "eye_gap": {i: (-0.035, 0) for i in (*range(17, 22), *range(36, 42))},
    "brow_height": {i: (0, -0.04) for i in range(17, 22)},
    "nose_length": {29: (0, 0.02), 30: (0, 0.04), 31: (0, 0.05), 32: (0, 0.05), 33: (0, 0.05)},
    "nose_width": {31: (-0.04, 0), 32: (-0.015, 0)},
    "mouth_width": {
        48: (-0.05, 0),
        60: (-0.05, 0),
        49: (-0.03, 0),
        59: (-0.03, 0),
        61: (-0.015, 0),
        67: (-0.015, 0),
    },
    "lip_fullness": {
        49: (0, -0.02),
        50: (0, -0.03),
        51: (0, -0.03),
        59: (0, 0.02),
        58: (0, 0.03),
        57: (0, 0.03),
    },
}


def _both_sides(left: Mapping[int, tuple[float, ...]], *, sides: int = 2) -> NDArray[np.float64]:
    """Left-half entries as (68, 2 or 3), mirrored unless `sides` is 1."""
    table = np.zeros((68, len(next(iter(left.values())))))
    for point, values in left.items():
        table[point] = values
        if sides == 2:
            table[_MIRROR[point]] = (-values[0], *values[1:])
    return table


_REST_SHAPE = _both_sides(_REST)
_UNIT_SHAPES = {unit: _both_sides(moves, sides=1 if unit == 14 else 2) for unit, moves in _MUSCLES.items()}
_UNIT_14_RIGHT = _UNIT_SHAPES[14][_MIRROR] * (-1, 1)
_IDENTITY_SHAPES = {name: _both_sides(moves) for name, moves in _VARIETY.items()}


def _arc(width: float, height: float, z: float, *, boxy: float = 1.0) -> NDArray[np.float64]:
    """Nine points over the top of the head, from the picture's right temple to its left: (9, 3)."""
    angle = np.linspace(0, np.pi, 9)
    return np.stack([width * np.cos(angle), -0.25 - height * np.sin(angle) ** boxy, np.full(9, z)], axis=1)


# Parts of the head that iBUG does not mark: (first row after the landmarks, points).
_EXTRA = {
    "brow_line": _arc(1.00, 0.98, -0.40),
    "scalp": _arc(1.07, 1.16, -0.45),
    "hairline": _arc(0.97, 0.76, -0.25, boxy=0.6),
    "mane": np.array([(1.08, -0.2, -0.5), (1.08, -0.05, -0.5), (-1.08, -0.05, -0.5), (-1.08, -0.2, -0.5)]),
    "ears": np.array(
        [
            (s * x, y, -0.5)
            for s in (-1, 1)
            for x, y in ((0.9, -0.28), (1.12, -0.22), (1.12, 0.08), (0.9, 0.3))
        ]
    ),
    "neck": np.array([(-0.55, 0.9, -0.4), (0.55, 0.9, -0.4), (0.6, 2.6, -0.5), (-0.6, 2.6, -0.5)]),
    "shoulders": np.array([(-0.62, 1.62, -0.5), (0.62, 1.62, -0.5), (2.2, 2.1, -0.5), (2.2, 4, -0.5)])[
        [0, 1, 2, 3, 3, 2]
    ]
    * np.array([1, 1, 1, 1, -1, -1])[:, None] ** np.array([1, 0, 0]),
}
_EXTRA_ROWS = dict(
    zip(
        _EXTRA,
        np.split(np.arange(sum(map(len, _EXTRA.values()))), np.cumsum([*map(len, _EXTRA.values())])[:-1]),
        strict=True,
    )
)

# -------------------------------------------------------------------------------------------------- parameters


@dataclass(frozen=True, kw_only=True)
class FaceParameters:
    """Everything that a picture depends on, for n faces; `landmarks` and `draw_faces` need nothing else."""

    identity: NDArray[np.int64]  # (n,) 0 to IDENTITIES - 1
    shape: NDArray[np.float64]  # (n, 10) the identity's SHAPES, -1 to 1
    tone: NDArray[np.float64]  # (n, 8) the identity's TONES, 0 to 1
    categories: NDArray[np.int64]  # (n, 2) indices into EXPRESSIONS: what is shown, and what is mixed in
    weight: NDArray[np.float64]  # (n,) share of the first category, 0.5 to 1; 1: no mixture
    strength: NDArray[np.float64]  # (n,) of the expression, 0 to 1
    action_units: NDArray[np.float64]  # (n, 16) FACS intensities 0 to 5 of ACTION_UNITS
    side: NDArray[np.float64]  # (n,) where unit 14 acts: -1 left of the picture, 1 right
    affect: NDArray[np.float64]  # (n, 2) noise-free valence and arousal in [-1, 1]
    pose: NDArray[np.float64]  # (n, 3) degrees: yaw (nose to the right), pitch (nose up), roll (clockwise)
    framing: NDArray[np.float64]  # (n, 3) shift right and down as a share of the picture, and zoom
    light: NDArray[
        np.float64
    ]  # (n, 3) direction in radians clockwise from the right, contrast 0 to 0.5, brightness
    backdrop: NDArray[np.float64]  # (n, 3) RGB, 0 to 255
    blur: NDArray[np.float64]  # (n,) 0 to 1: Gaussian of standard deviation 0.035 * blur * size pixels
    coarseness: NDArray[np.float64]  # (n,) 0 to 1: resampled from (1 - 0.8 * coarseness) * size pixels
    occlusion: NDArray[np.float64]  # (n,) 0 to 1: how much an object hides
    occluded: NDArray[np.int64]  # (n,) what it hides: index into OCCLUDED

    def __len__(self) -> int:
        return len(self.identity)

    def rows(self, rows: Any) -> FaceParameters:
        """The given rows (index, slice or mask) of every field."""
        return FaceParameters(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def counter_uniforms(seed: int, stream: int, start: int, n: int, width: int) -> NDArray[np.float64]:
    """Uniforms in [0, 1): (n, width), where row i depends on seed, stream and start + i only.

    The Philox counter is a position, so rows start to start + n are read from the middle of one long stream.
    A width that is no multiple of 4, the words per count, is padded.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed must be an integer from 0 to 2**64 - 1; got {seed}")
    padded = -(-width // 4) * 4
    source = np.random.Philox(key=seed + (stream << 64)).advance(start * padded // 4)
    return np.random.Generator(source).random((n, padded))[:, :width]


def sample_parameters(n: int, seed: int, start: int = 0) -> FaceParameters:
    """Parameters of faces start to start + n of the endless population that `seed` names.

    Each of the eight categories is equally likely. A third of the faces mix in a second category; an expression's
    strength is 0.35 to 1. Noise-free affect is strength times the mixture's mean point on the circumplex. Yaw, pitch
    and roll are normal with 13, 8 and 6 degrees, cut at 2.5 standard deviations. A quarter each is blurred, coarse
    or partly hidden.
    """
    if n < 1 or start < 0:
        raise ValueError(f"n must be at least 1 and start at least 0; got {n} and {start}")
    person = counter_uniforms(seed, 1, 0, IDENTITIES, len(SHAPES) + len(TONES))
    u = counter_uniforms(seed, 0, start, n, 64).T
    identity = (u[0] * IDENTITIES).astype(np.int64)
    first = (u[1] * 8).astype(np.int64)
    second = (first + 1 + (u[2] * 7).astype(np.int64)) % 8
    weight = np.where(u[3] < 1 / 3, 0.5 + 0.4 * u[4], 1.0)
    strength = 0.35 + 0.65 * u[5]

    prototypes, points = prototype_table(), circumplex_table()
    share = np.stack([weight, 1 - weight], axis=1)[:, :, None]
    # Square roots: a compound keeps the marks of both categories (Du et al. 2014) instead of halving each.
    shown = (np.sqrt(share) * prototypes[np.stack([first, second], axis=1)]).max(axis=1)
    units = strength[:, None] * shown * (0.8 + 0.4 * u[16:32].T) + 0.8 * u[32:48].T ** 8

    return FaceParameters(
        identity=identity,
        shape=2 * person[identity, : len(SHAPES)] - 1,
        tone=person[identity, len(SHAPES) :],
        categories=np.stack([first, second], axis=1),
        weight=weight,
        strength=strength,
        action_units=np.clip(units, 0, 5),
        side=np.where(u[6] < 0.5, -1.0, 1.0),
        affect=strength[:, None] * (share * points[np.stack([first, second], axis=1)]).sum(axis=1),
        pose=np.clip(ndtri(np.maximum(u[7:10], 1e-9)), -2.5, 2.5).T * (13, 8, 6),
        framing=np.stack([0.05 * (u[10] - 0.5), 0.05 * (u[11] - 0.5), 0.95 + 0.1 * u[12]], axis=1),
        light=np.stack([2 * np.pi * u[13], 0.5 * u[14], 0.75 + 0.35 * u[15]], axis=1),
        backdrop=40 + 180 * (0.6 * u[48, :, None] + 0.4 * u[49:52].T),
        blur=np.where(u[52] < 0.25, 0.15 + 0.85 * u[53], 0.0),
        coarseness=np.where(u[54] < 0.25, 0.15 + 0.85 * u[55], 0.0),
        occlusion=np.where(u[56] < 0.25, 0.15 + 0.85 * u[57], 0.0),
        occluded=(u[58] * len(OCCLUDED)).astype(np.int64),
    )


def plain_faces(action_units: NDArray | Mapping[int, float], **changes: Any) -> FaceParameters:
    """Average people, frontal, evenly lit, sharp and unhidden, with the given intensities: for figures and tests.

    `action_units` is (n, 16) in the order of ACTION_UNITS, or one face as a mapping {unit: intensity 0 to 5}.
    `changes` replaces fields of FaceParameters by name. Such faces claim no category or affect: both are neutral.
    """
    if isinstance(action_units, Mapping):
        unknown = set(action_units) - set(ACTION_UNITS)
        if unknown:
            raise ValueError(f"action units {sorted(unknown)} are not drawn; choose from {ACTION_UNITS}")
        action_units = np.array([[action_units.get(unit, 0.0) for unit in ACTION_UNITS]])
    units = np.asarray(action_units, dtype=np.float64)
    if units.ndim != 2 or units.shape[1] != len(ACTION_UNITS) or not ((units >= 0) & (units <= 5)).all():
        raise ValueError(
            f"action units must be (n, {len(ACTION_UNITS)}) intensities from 0 to 5; got {units.shape}"
        )
    n = len(units)
    plain = FaceParameters(
        identity=np.zeros(n, dtype=np.int64),
        shape=np.zeros((n, len(SHAPES))),
        tone=np.tile([0.3, 0.25, 0.3, 0.5, 0.5, 0.5, 0.3, 0.5], (n, 1)),
        categories=np.zeros((n, 2), dtype=np.int64),
        weight=np.ones(n),
        strength=np.ones(n),
        action_units=units,
        side=np.ones(n),
        affect=np.zeros((n, 2)),
        pose=np.zeros((n, 3)),
        framing=np.tile([0.0, 0.0, 1.0], (n, 1)),
        light=np.tile([-2.2, 0.2, 1.0], (n, 1)),
        backdrop=np.full((n, 3), 150.0),
        blur=np.zeros(n),
        coarseness=np.zeros(n),
        occlusion=np.zeros(n),
        occluded=np.zeros(n, dtype=np.int64),
    )
    return replace(plain, **changes)


# ---------------------------------------------------------------------------------------------------- geometry


def _head(parameters: FaceParameters) -> NDArray[np.float64]:
    """Landmarks, then the rest of the head, in the face's own frame: (n, 68 + extra, 3)."""
    n, p = len(parameters), parameters
    trait = {name: p.shape[:, i, None, None] for i, name in enumerate(SHAPES)}
    points = np.repeat(np.concatenate([_REST_SHAPE, *_EXTRA.values()])[None], n, axis=0)
    moved = points[:, :68, :2]
    for name, shape in _IDENTITY_SHAPES.items():
        moved += trait[name] * shape
    # One unit at a time rather than a matrix product, whose order of summation may depend on the number of rows.
    for i, unit in enumerate(ACTION_UNITS):
        amount = p.action_units[:, i, None, None] / 5
        if unit == 14:
            moved += amount * np.where(p.side[:, None, None] < 0, _UNIT_SHAPES[14], _UNIT_14_RIGHT)
        else:
            moved += amount * _UNIT_SHAPES[unit]
    # Lids meet and do not cross; so do lips.
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65)):
        moved[:, upper, 1] = np.minimum(moved[:, upper, 1], moved[:, lower, 1] - 0.01)
    tone = {name: p.tone[:, i, None] for i, name in enumerate(TONES)}
    points[:, 68 + _EXTRA_ROWS["mane"][1:3], 1] += 1.6 * np.maximum(tone["hair_length"] - 0.5, -0.1)
    points[:, 68 + _EXTRA_ROWS["hairline"], 1] -= 0.18 * (tone["hairline"] - 0.5)
    points *= np.concatenate(
        [1 + 0.06 * trait["face_width"], 1 + 0.05 * trait["face_length"], np.ones((n, 1, 1))], axis=2
    )
    return points


def _project(points: NDArray[np.float64], parameters: FaceParameters, size: int) -> NDArray[np.float64]:
    """Turn by yaw, pitch, roll, then drop z: (n, points, 3) to pixels (n, points, 2)."""
    yaw, pitch, roll = np.ascontiguousarray(np.radians(parameters.pose).T)[:, :, None]
    x, y, z = np.moveaxis(points, 2, 0)
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y = y * np.cos(pitch) - z * np.sin(pitch)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    across, down, zoom = parameters.framing.T[:, :, None]
    scale = size / 3.3 * zoom
    return np.stack([size * (0.5 + across) + scale * x, size * (0.51 + down) + scale * y], axis=2)


def landmarks(parameters: FaceParameters, size: int = 64) -> NDArray[np.float32]:
    """The 68 iBUG landmarks (n, 68, 2) as x, y in pixels of a size x size picture, whose corner is (0, 0)."""
    return _project(_head(parameters)[:, :68], parameters, size).astype(np.float32)


# ----------------------------------------------------------------------------------------------------- drawing


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


def _stroke(points: NDArray, width: NDArray, *, taper: float = 0.3) -> NDArray:
    """A brush stroke along an open curve (n, m, 2), `width` (n,) pixels wide in the middle, as a polygon."""
    line = _curve(points)
    along = np.gradient(line, axis=1)
    normal = np.stack([-along[..., 1], along[..., 0]], axis=2)
    normal /= np.sqrt((normal * normal).sum(axis=2, keepdims=True)) + 1e-9
    profile = taper + (1 - taper) * np.sin(np.linspace(0, np.pi, line.shape[1])) ** 0.7
    half = 0.5 * width[:, None, None] * profile[:, None] * normal
    return np.concatenate([line + half, (line - half)[:, ::-1]], axis=1)


def _mix(a: NDArray, b: NDArray, t: NDArray) -> NDArray:
    return a + (b - a) * t[:, None]


def _paint(parameters: FaceParameters, size: int) -> Iterator[tuple[NDArray, NDArray]]:
    """The parts of n faces from back to front: polygons (n, m, 2) in pixels with RGB colours (n, 3)."""
    p = parameters
    projected = _project(_head(p), p, size)
    mark = projected[:, :68]
    part = {name: projected[:, 68 + rows] for name, rows in _EXTRA_ROWS.items()}
    unit = {u: p.action_units[:, i] / 5 for i, u in enumerate(ACTION_UNITS)}
    tone = {name: p.tone[:, i] for i, name in enumerate(TONES)}
    scale = size / 3.3 * p.framing[:, 2]

    skin = _mix(np.array([244.0, 208, 182]), np.array([132.0, 90, 66]), tone["skin"])
    hair = (
        _mix(np.array([28.0, 22, 20]), np.array([190.0, 145, 85]), tone["hair"] ** 1.5)
        * (1 - 0.4 * tone["skin"])[:, None]
    )
    dark = 0.22 * skin

    def line(points: NDArray, width: float | NDArray, depth: float | NDArray) -> tuple[NDArray, NDArray]:
        """A crease: `width` in face units, `depth` 0 (skin) to 1 (darkest)."""
        return _stroke(points, scale * width), _mix(skin, dark, np.broadcast_to(depth, (len(p),)))

    def between(a: NDArray, b: NDArray, t: float) -> NDArray:
        return a + t * (b - a)

    # behind and around the face
    yield _curve(np.concatenate([part["scalp"], part["mane"][:, ::-1]], axis=1), closed=True), 0.85 * hair
    yield part["neck"], 0.80 * skin
    yield part["shoulders"], _mix(np.array([50.0, 60, 90]), np.array([190.0, 180, 170]), tone["shirt"])
    for side in (slice(0, 4), slice(4, 8)):
        yield _curve(part["ears"][:, side], closed=True), 0.88 * skin
    yield _curve(np.concatenate([mark[:, :17], part["brow_line"][:, 1:-1]], axis=1), closed=True), skin

    # eyes: ball and iris first, then skin all round the lids, which cuts them to the opening
    for lids, sign in ((mark[:, 36:42], 1), (mark[:, 42:48], -1)):
        middle = lids.mean(axis=1, keepdims=True)
        rim = _curve(lids, closed=True)
        gaze = 0.5 * (lids[:, [0]] + lids[:, [3]]) + 0.35 * (middle - 0.5 * (lids[:, [0]] + lids[:, [3]]))
        gaze = gaze - (0, 1) * (0.02 * scale)[:, None, None]
        circle = np.stack([np.cos(a := np.arange(14) * (2 * np.pi / 14)), np.sin(a)], axis=1)
        yield middle + 1.15 * (rim - middle), np.broadcast_to([240.0, 240, 238], skin.shape)
        iris = _mix(np.array([60.0, 38, 25]), np.array([105.0, 135, 150]), tone["iris"])
        for radius, colour in ((0.125, iris), (0.066, np.full_like(skin, 12.0))):
            yield gaze + (radius * scale)[:, None, None] * circle, colour
        glint = gaze + (0.045 * scale)[:, None, None] * np.array([-0.8, -0.9])
        yield glint + (0.025 * scale)[:, None, None] * circle, np.full_like(skin, 255.0)
        outer = middle + (rim - middle) * (1.2, 2.6)
        yield np.concatenate([rim, rim[:, :1], outer[:, :1], outer[:, ::-1]], axis=1), skin
        upper = lids[:, :4]
        yield line(upper, 0.055, 0.95)
        yield line(lids[:, [3, 4, 5, 0]], 0.025, 0.45 + 0.25 * unit[7])
        yield line(upper - (0, 1) * (0.07 * scale)[:, None, None], 0.022, 0.35 * (1 - unit[5]) + 0.1)
        # the pouch that unit 6 and 9 push up under the eye, and crow's feet
        pouch = lids[:, [3, 4, 5, 0]] + (0, 1) * (0.075 * scale)[:, None, None]
        yield line(pouch, 0.03, 0.10 + 0.45 * np.maximum(unit[6], unit[9]))
        corner = lids[:, [0]] if sign == 1 else lids[:, [3]]
        for rise in (-0.06, 0.05):
            foot = np.array([(-0.05, 0.2 * rise), (-0.17, rise)]) * (sign, 1) * scale[:, None, None]
            yield line(corner + foot, 0.022, 0.5 * unit[6])

    # forehead, root of the nose
    top = part["hairline"]
    for share in (0.38, 0.62):
        crease = between(mark[:, [18, 20, 23, 25]], top[:, [6, 5, 3, 2]], share)
        yield line(crease, 0.03, 0.55 * np.maximum(unit[1], unit[2]))
    for inner, out in ((21, 20), (22, 23)):
        foot = between(mark[:, inner], mark[:, 27], 0.55)
        head = between(mark[:, inner], mark[:, out], -0.35) - (0, 1) * (0.10 * scale)[:, None]
        yield line(np.stack([head, foot], axis=1), 0.035, 0.65 * np.maximum(unit[4], 0.6 * unit[9]))
    for at in (0.25, 0.8):
        middle = between(mark[:, 27], mark[:, 28], at)
        left, right = between(middle, mark[:, 39], 0.55), between(middle, mark[:, 42], 0.55)
        yield line(
            np.stack([left, middle - (0, 1) * (0.03 * scale)[:, None], right], axis=1), 0.03, 0.65 * unit[9]
        )

    # nose
    yield line(mark[:, [27, 28, 29, 30]] + (1, 0) * (0.10 * scale)[:, None, None], 0.05, 0.13)
    yield line(mark[:, 31:36], 0.045, 0.45)
    for wing, sign in ((31, -1), (35, 1)):
        arch = (
            np.array([(0.00, -0.16), (0.06, -0.08), (0.05, 0.02), (0, 0.03)])
            * (sign, 1)
            * scale[:, None, None]
        )
        yield line(mark[:, [wing]] + arch, 0.03, 0.30 + 0.35 * unit[9])
    for nostril in (32, 34):
        hole = np.array([(-0.05, 0), (0, -0.02), (0.05, 0), (0, 0.015)]) * scale[:, None, None]
        yield (
            _curve(mark[:, [nostril]] + hole - (0, 1) * (0.02 * scale)[:, None, None], closed=True),
            0.3 * skin,
        )

    # cheeks: the nasolabial furrow, and the dimple of unit 14
    for wing, corner, sign, here in ((31, 48, -1, p.side < 0), (35, 54, 1, p.side > 0)):
        start = mark[:, wing] + np.array([0.07 * sign, -0.09]) * scale[:, None]
        end = mark[:, corner] + np.array([0.13 * sign, 0.02]) * scale[:, None]
        bow = between(start, end, 0.5) + np.array([0.06 * sign, -0.03]) * scale[:, None]
        pull = np.maximum.reduce([unit[6], unit[9], unit[10], unit[12], 0.8 * unit[14] * here])
        yield line(np.stack([start, bow, end], axis=1), 0.045, 0.10 + 0.55 * pull)
        dimple = (
            np.array([(0.09 * sign, -0.10), (0.13 * sign, 0), (0.08 * sign, 0.09)]) * scale[:, None, None]
        )
        yield line(mark[:, [corner]] + dimple, 0.05, 0.75 * unit[14] * here)

    # mouth: lips, the opening, teeth in its upper part, the seam of closed lips
    lip = _mix(skin * (0.78, 0.55, 0.55), skin * (0.66, 0.40, 0.42), tone["lip"])
    yield _curve(mark[:, 48:60], closed=True), lip
    ceiling, floor = _curve(mark[:, [60, 61, 62, 63, 64]]), _curve(mark[:, [60, 67, 66, 65, 64]])
    yield np.concatenate([ceiling, floor[:, ::-1]], axis=1), np.broadcast_to([45.0, 16, 18], skin.shape)
    gap = floor - ceiling
    drop = np.minimum(0.72, (0.15 * scale)[:, None, None] / (np.abs(gap).sum(axis=2, keepdims=True) + 1e-9))
    yield (
        np.concatenate([ceiling[:, 3:-3], (ceiling + drop * gap)[:, 3:-3][:, ::-1]], axis=1),
        np.broadcast_to([236.0, 232, 222], skin.shape),
    )
    opening = np.minimum(1, np.maximum(unit[25], unit[26]) * 3)
    yield line(mark[:, [60, 61, 62, 63, 64]], 0.04 * (1 - 0.6 * opening), 0.85)
    for corner, sign in ((48, -1), (54, 1)):
        crease = np.array([(0.0, 0.02), (0.05 * sign, 0.13)]) * scale[:, None, None]
        yield line(mark[:, [corner]] + crease, 0.035, 0.55 * unit[15])
    under = between(mark[:, [59, 57, 55]], mark[:, [6, 8, 10]], 0.22)
    yield line(under, 0.05, 0.16 + 0.35 * unit[17])
    for x in (-0.09, 0.09):
        pit = (
            between(mark[:, [57]], mark[:, [8]], 0.62)
            + np.array([(x, -0.05), (0.5 * x, 0.06)]) * scale[:, None, None]
        )
        yield line(pit, 0.04, 0.4 * unit[17])

    # the hair over the forehead, and brows, which stay visible under it
    yield _curve(np.concatenate([part["scalp"], part["hairline"][:, ::-1]], axis=1), closed=True), hair
    brow = np.minimum(0.9 * hair, 0.42 * skin)
    for arch in (mark[:, 17:22], mark[:, [26, 25, 24, 23, 22]]):
        yield _stroke(arch, scale * (0.085 + 0.06 * tone["brow_thickness"]), taper=0.35), brow

    # an object in front of the face, shrunk to a point where there is none
    anchor = np.stack(
        [
            mark[:, 27],
            mark[:, 62],
            between(mark[:, 41], mark[:, 48], 0.3),
            between(mark[:, 46], mark[:, 54], 0.3),
        ]
    )
    middle = anchor[p.occluded, np.arange(len(p))][:, None]
    reach = (
        np.where(p.occluded[:, None] < 2, (0.95, 0.40), (0.45, 1.0)) * (0.45 + 0.65 * p.occlusion)[:, None]
    )
    tilt = np.radians(p.pose[:, 2]) + 0.3
    box = (
        np.array([(-1, -0.7), (-0.7, -1), (0.7, -1), (1, -0.7), (1, 0.7), (0.7, 1), (-0.7, 1), (-1, 0.7)])
        * reach[:, None]
    )
    c, s = np.cos(tilt)[:, None], np.sin(tilt)[:, None]
    turned = np.stack([c * box[..., 0] - s * box[..., 1], s * box[..., 0] + c * box[..., 1]], axis=2)
    yield middle + turned * (scale * (p.occlusion > 0))[:, None, None], 0.55 * p.backdrop[:, ::-1] + 20


def _degrade(picture: Image.Image, blur: float, coarseness: float) -> Image.Image:
    size = picture.width
    if coarseness > 0:
        small = max(6, round(size * (1 - 0.8 * coarseness)))
        picture = picture.resize((small, small), Image.Resampling.BOX)
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    return picture.filter(ImageFilter.GaussianBlur(float(0.035 * blur * size))) if blur > 0 else picture


def _illuminate(pictures: NDArray, parameters: FaceParameters, centre: NDArray) -> NDArray[np.uint8]:
    """Shade as an ellipsoid around `centre` (n, 2), lit from one side: brighter towards it, darker at the rim."""
    size = pictures.shape[1]
    pixel = np.arange(size, dtype=np.float32) + np.float32(0.5)
    reach = size / 3.3 * parameters.framing[:, 2]
    u = ((pixel - centre[:, [0]]) / (1.3 * reach)[:, None]).astype(np.float32)[:, None, :]
    v = ((pixel - centre[:, [1]]) / (1.6 * reach)[:, None]).astype(np.float32)[:, :, None]
    angle, contrast, brightness = (np.ascontiguousarray(c) for c in parameters.light.T)
    across, down = (
        (contrast * f(angle) * brightness).astype(np.float32)[:, None, None] for f in (np.cos, np.sin)
    )
    bright = brightness.astype(np.float32)[:, None, None]
    shade = (bright + across * np.clip(u, -1, 1) - 0.12 * bright * np.minimum(u * u, 1)) + (
        down * np.clip(v, -1, 1) - 0.12 * bright * np.minimum(v * v, 1)
    )
    lit = pictures * (shade if pictures.ndim == 3 else shade[..., None])
    return np.clip(lit, 0, 255).astype(np.uint8)


def draw_faces(parameters: FaceParameters, *, size: int = 64, channels: int = 1) -> NDArray[np.uint8]:
    """Pictures (n, size, size), or (n, size, size, 3) RGB for channels 3; size from 48 to 256 pixels.

    The same parameters give the same bytes, whatever faces are drawn beside them.
    """
    if not 48 <= size <= 256 or channels not in (1, 3):
        raise ValueError(f"size must lie in 48 to 256 and channels be 1 or 3; got {size} and {channels}")
    shape = (len(parameters), size, size) + ((3,) if channels == 3 else ())
    pictures = np.empty(shape, dtype=np.uint8)
    for first in range(0, len(parameters), _BLOCK):
        block = parameters.rows(slice(first, first + _BLOCK))
        pictures[first : first + _BLOCK] = _draw_block(block, size, channels)
    return pictures


def _draw_block(p: FaceParameters, size: int, channels: int) -> NDArray[np.uint8]:
    parts = list(_paint(p, size))
    corners = np.cumsum([0] + [2 * shape.shape[1] for shape, _ in parts])
    outlines = np.concatenate([shape.reshape(len(p), -1) for shape, _ in parts], axis=1) * _OVERSAMPLING
    colours = np.stack([*(colour for _, colour in parts), p.backdrop], axis=1).clip(0, 255)
    if channels == 1:
        red, green, blue = np.moveaxis(colours, 2, 0)
        inks = (0.299 * red + 0.587 * green + 0.114 * blue).astype(np.int64).tolist()
    else:
        inks = [[tuple(c) for c in face] for face in colours.astype(np.int64).tolist()]
    fine = (size * _OVERSAMPLING, size * _OVERSAMPLING)
    pictures = []
    for i, (outline, ink) in enumerate(zip(outlines, inks, strict=True)):
        canvas = Image.new("L" if channels == 1 else "RGB", fine, ink[-1])
        fill = ImageDraw.Draw(canvas).polygon
        points = outline.tolist()
        for k in range(len(parts)):
            fill(points[corners[k] : corners[k + 1]], fill=ink[k])
        pictures.append(np.asarray(_degrade(canvas.reduce(_OVERSAMPLING), p.blur[i], p.coarseness[i])))
    return _illuminate(np.stack(pictures), p, _project(_head(p)[:, 28:29], p, size)[:, 0])


def categories_shown(parameters: FaceParameters) -> NDArray[np.float64]:
    """The mixture over EXPRESSIONS that each face shows: (n, 8), rows sum to 1."""
    mixture = np.zeros((len(parameters), len(EXPRESSIONS)))
    rows = np.arange(len(parameters))
    mixture[rows, parameters.categories[:, 0]] = parameters.weight
    mixture[rows, parameters.categories[:, 1]] += 1 - parameters.weight
    return mixture
