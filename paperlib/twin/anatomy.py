"""The head as points: where they lie at rest, and how muscles and identity move them.

The face's own frame: x to the right of the picture, y down, z towards the viewer; the half width of the head
is 1. The first 68 points are landmarks in iBUG 300-W order (C. Sagonas et al., Image and Vision Computing 47,
2016). Tables give points of the picture's left half, midline included, in hundredths; the right half is the
mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# point x y z
_REST = """
 0 -100 -25 -45,  1 -98.5 5 -44,  2 -95 33 -40,  3 -88 60 -34,  4 -76 84 -26,  5 -59 103 -16,  6 -40 117 -6,
 7 -20 125 2,  8 0 127 5,
17 -79 -46 -14, 18 -67 -56 -4, 19 -51 -60 4, 20 -34 -57 9, 21 -18 -51 12,
27 0 -27 12, 28 0 -9 20, 29 0 9 29, 30 0 25 38, 31 -19 37 14, 32 -10 41 20, 33 0 43 24,
36 -63 -20 -8, 37 -52 -30 -1, 38 -36 -30 2, 39 -24 -18 0, 40 -36 -13 1, 41 -51 -12 -1,
48 -37 75 4, 49 -22 67 14, 50 -8 63 20, 51 0 65 21, 57 0 89 20, 58 -11 88 18, 59 -25 83 12,
60 -32 75 5, 61 -12 74.5 16, 62 0 75 17, 66 0 76 17, 67 -12 75.5 16
"""

# Action unit -> point dx dy at intensity 5, after the description of each unit in the FACS manual.
_MUSCLES = {
    1: "19 0 -6, 20 2 -18, 21 3 -24",
    2: "17 0 -15, 18 0 -21, 19 0 -17, 20 0 -6",
    4: "17 2 2, 18 4 7, 19 6 12, 20 8 19, 21 9 24",
    5: "37 0 -10, 38 0 -10",
    6: "2 -2 -2, 3 -2 -2, 36 0 -1, 40 0 -7, 41 0 -9",
    7: "37 0 6, 38 0 6, 40 0 -5, 41 0 -5",
    9: "20 3 8, 21 4 13, 30 0 -4, 31 -5 -9, 32 -1 -6, 33 0 -4, 37 0 4, 38 0 5, 40 0 -4, 41 0 -3,"
    "49 0 -6, 50 0 -6, 51 0 -5, 61 0 -3, 62 0 -3",
    10: "31 -3 -3, 48 -1 3, 49 -4 -9, 50 0 -10, 51 0 -9, 60 -1 2, 61 -2 -12, 62 0 -11",
    12: "3 -4 -2, 4 -4 -2, 48 -19 -22, 49 -10 -6, 50 -2 1, 51 0 2, 57 0 3, 58 -3 2, 59 -10 -6,"
    "60 -19 -21, 61 -7 -3, 62 0 2, 66 0 3, 67 -7 -1",
    14: "48 -14 -17, 49 -6 -6, 59 -7 -9, 60 -14 -17, 61 -4 -4, 67 -4 -4",
    15: "48 -3 20, 49 -1 6, 59 0 9, 60 -2 18, 61 0 1, 67 0 2",
    17: "7 0 -5, 8 0 -6, 50 0 -3, 51 0 -3, 57 0 -6, 58 0 -5, 59 0 -2, 61 0 -4, 62 0 -6, 66 0 -6, 67 0 -4",
    20: "48 -17 6, 49 -10 3, 58 -3 -1, 59 -11 1, 60 -17 6, 61 -8 0, 67 -8 0",
    23: "48 5 2, 49 3 6, 50 1 7, 51 0 6, 57 0 -8, 58 1 -8, 59 4 -6, 60 4 2, 61 2 0, 67 2 0",
    25: "50 0 -2, 51 0 -2, 57 0 10, 58 0 10, 59 0 7, 61 0 -3, 62 0 -3, 66 0 12, 67 0 10",
    26: "3 1 5, 4 2 12, 5 2 19, 6 1 23, 7 0 24, 8 0 24, 48 7 10, 49 3 -1, 57 0 30, 58 2 29, 59 5 24,"
    "60 7 10, 61 2 -3, 62 0 -3, 66 0 30, 67 2 27",
}

# Identity parameter -> point dx dy at +1; -1 is the opposite.
_VARIETY = {
    "jaw_width": "2 -2 0, 3 -6 0, 4 -10 2, 5 -10 3, 6 -8 2, 7 -3 0",
    "eye_size": "36 -2 0, 37 0 -2.5, 38 0 -2.5, 39 2 0, 40 0 2, 41 0 2",
    "eye_gap": ",".join(f"{point} -3.5 0" for point in (*range(17, 22), *range(36, 42))),
    "brow_height": "17 0 -4, 18 0 -4, 19 0 -4, 20 0 -4, 21 0 -4",
    "nose_length": "29 0 2, 30 0 4, 31 0 5, 32 0 5, 33 0 5",
    "nose_width": "31 -4 0, 32 -1.5 0",
    "mouth_width": "48 -5 0, 49 -3 0, 59 -3 0, 60 -5 0, 61 -1.5 0, 67 -1.5 0",
    "lip_fullness": "49 0 -2, 50 0 -3, 51 0 -3, 57 0 3, 58 0 3, 59 0 2",
}
SHAPES = (*_VARIETY, "face_width", "face_length")

MIRROR = np.array(
    [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]  # jaw, brows, nose
    + [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]  # eyes
    + [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]  # lips
)
# Upper and lower points of lids and of lips, which meet and do not cross.
_MEETING = ((37, 41), (38, 40), (43, 47), (44, 46), (61, 67), (62, 66), (63, 65))


def _table(text: str, *, mirrored: bool = True) -> NDArray[np.float64]:
    """A table of the left half as (68, 2 or 3), zero where it is silent."""
    entries = [entry.split() for entry in text.split(",")]
    table = np.zeros((68, len(entries[0]) - 1))
    for point, *values in entries:
        table[int(point)] = np.array(values, dtype=np.float64) / 100
        if mirrored:
            table[MIRROR[int(point)]] = table[int(point)] * ([-1, 1, 1][: len(values)])
    return table


def _arc(width: float, height: float, depth: float, *, boxy: float = 1.0) -> NDArray[np.float64]:
    """Nine points over the top of the head, from the picture's right temple to its left: (9, 3)."""
    angle = np.linspace(0, np.pi, 9)
    x, y = width * np.cos(angle), -0.25 - height * np.sin(angle) ** boxy
    return np.stack([x, y, np.full(9, -depth)], axis=1)


# What iBUG does not mark: the skull and hair over it, hanging hair, ears, neck, shoulders.
_OUTLINES = {
    "skull": _arc(1.00, 0.98, 0.40),
    "scalp": _arc(1.07, 1.16, 0.45),
    "hairline": _arc(0.97, 0.76, 0.25, boxy=0.6),
    "mane": np.array([(-1.05, -0.05, -0.5), (1.05, -0.05, -0.5)]),
    "left_ear": np.array([(-x, y, -0.5) for x, y in ((0.9, -0.28), (1.12, -0.22), (1.12, 0.08), (0.9, 0.3))]),
    "right_ear": np.array([(x, y, -0.5) for x, y in ((0.9, -0.28), (1.12, -0.22), (1.12, 0.08), (0.9, 0.3))]),
    "neck": np.array([(-0.55, 0.9, -0.4), (0.55, 0.9, -0.4), (0.6, 2.6, -0.5), (-0.6, 2.6, -0.5)]),
    "shoulders": np.array(
        [(x, y, -0.5) for x, y in ((-0.62, 1.62), (0.62, 1.62), (2.2, 2.1), (2.2, 4), (-2.2, 4), (-2.2, 2.1))]
    ),
}

PARTS: dict[str, slice] = {"landmarks": slice(0, 68)}  # name -> its points in the answer of `head`
for _name, _points in _OUTLINES.items():
    _first = list(PARTS.values())[-1].stop
    PARTS[_name] = slice(_first, _first + len(_points))

_AT_REST = np.concatenate([_table(_REST), *_OUTLINES.values()])
_IDENTITY_MOVES = {name: _table(text) for name, text in _VARIETY.items()}
_UNIT_MOVES = {unit: _table(text) for unit, text in _MUSCLES.items()}
_UNIT_14 = {-1: _table(_MUSCLES[14], mirrored=False)}
_UNIT_14[1] = _UNIT_14[-1][MIRROR] * (-1, 1)


def head(
    shape: NDArray, action_units: dict[int, NDArray], side: NDArray, hair_length: NDArray, hairline: NDArray
) -> NDArray[np.float64]:
    """All points of n heads that look straight ahead: (n, points, 3).

    `shape` (n, 10) is -1 to 1 in the order of SHAPES, `action_units` maps a unit to intensities (n,) from 0
    to 5, `side` (n,) is -1 or 1: unit 14 acts on the left or right of the picture only. The hair's two are 0
    to 1.
    """
    points = np.repeat(_AT_REST[None], len(shape), axis=0)
    moved = points[:, :68, :2]
    trait = dict(zip(SHAPES, shape.T[:, :, None, None], strict=True))
    for name, moves in _IDENTITY_MOVES.items():
        moved += trait[name] * moves
    # One unit at a time, not a matrix product: its order of summation may depend on the number of rows.
    for unit, intensity in action_units.items():
        moves = _UNIT_MOVES[unit]
        if unit == 14:
            moves = np.where(side[:, None, None] < 0, _UNIT_14[-1], _UNIT_14[1])
        moved += intensity[:, None, None] / 5 * moves
    for upper, lower in _MEETING:
        moved[:, upper, 1] = np.minimum(moved[:, upper, 1], moved[:, lower, 1] - 0.01)
    points[:, PARTS["mane"], 1] += 1.6 * np.maximum(hair_length - 0.5, -0.02)[:, None]
    points[:, PARTS["hairline"], 1] -= 0.18 * (hairline - 0.5)[:, None]
    points[..., 0] *= 1 + 0.06 * trait["face_width"][..., 0]
    points[..., 1] *= 1 + 0.05 * trait["face_length"][..., 0]
    return points


def project(points: NDArray, pose: NDArray, framing: NDArray, size: int) -> NDArray[np.float64]:
    """Turn the head, then drop z, a weak perspective: (n, points, 3) to pixels x, y, (n, points, 2).

    `pose` (n, 3) in degrees and `framing` (n, 3) are as in FaceParameters. The picture's corner is (0, 0).
    """
    yaw, pitch, roll = np.ascontiguousarray(np.radians(pose).T)[:, :, None]
    x, y, z = np.moveaxis(points, 2, 0)
    x, z = x * np.cos(yaw) + z * np.sin(yaw), z * np.cos(yaw) - x * np.sin(yaw)
    y = y * np.cos(pitch) - z * np.sin(pitch)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    right, down, zoom = framing.T[:, :, None]
    scale = face_unit(zoom, size)
    return np.stack([size * (0.5 + right) + scale * x, size * (0.51 + down) + scale * y], axis=2)


def face_unit(zoom: NDArray, size: int) -> NDArray:
    """Pixels that half a head's width takes at a zoom."""
    return size / 3.3 * zoom
