"""What a generated face is made of, and the endless population that a seed names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from paperlib.labels import EXPRESSIONS
from paperlib.twin.anatomy import SHAPES, head, project
from paperlib.twin.prototypes import ACTION_UNITS, circumplex_table, prototype_table

IDENTITIES = 200
TONES = ("skin", "hair", "iris", "lip", "shirt", "brow_thickness", "hair_length", "hairline")
OCCLUDED = ("eyes", "mouth", "left", "right")  # left and right of the picture


@dataclass(frozen=True, kw_only=True)
class FaceParameters:
    """Everything that a picture depends on, for n faces."""

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
    ]  # (n, 3) direction (radians, clockwise from right), contrast 0 to 0.5, brightness
    backdrop: NDArray[np.float64]  # (n, 3) RGB, 0 to 255
    blur: NDArray[np.float64]  # (n,) 0 to 1: Gaussian of standard deviation 0.035 * blur * size pixels
    coarseness: NDArray[np.float64]  # (n,) 0 to 1: resampled from (1 - 0.8 * coarseness) * size pixels
    occlusion: NDArray[np.float64]  # (n,) 0 to 1: how much an object hides
    occluded: NDArray[np.int64]  # (n,) what it hides: index into OCCLUDED

    def __len__(self) -> int:
        return len(self.identity)

    @property
    def mixture(self) -> NDArray[np.float64]:
        """The share of each of EXPRESSIONS in what is shown: (n, 8), rows sum to 1."""
        one_hot = np.eye(len(EXPRESSIONS))[self.categories]
        return self.weight[:, None] * one_hot[:, 0] + (1 - self.weight)[:, None] * one_hot[:, 1]

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

    Each of the eight categories is equally likely. A third of the faces mix in a second category; an
    expression's strength is 0.35 to 1. Noise-free affect is strength times the mixture's mean point on the
    circumplex. Yaw, pitch and roll are normal with 13, 8 and 6 degrees, cut at 2.5 standard deviations. A
    quarter each is blurred, coarse or partly hidden.
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
    """Average people, frontal, sharp and unhidden, who move the given units: for figures and tests.

    `action_units` is (n, 16) in the order of ACTION_UNITS, or one face as a mapping {unit: intensity 0 to 5}.
    `changes` replaces fields of FaceParameters by name. Such faces claim no category or affect: both are
    neutral.
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


def project_heads(parameters: FaceParameters, size: int) -> NDArray[np.float64]:
    """All points of `anatomy.PARTS` in pixels: (n, points, 2)."""
    p = parameters
    tone = dict(zip(TONES, p.tone.T, strict=True))
    units = dict(zip(ACTION_UNITS, p.action_units.T, strict=True))
    points = head(p.shape, units, p.side, tone["hair_length"], tone["hairline"])
    return project(points, p.pose, p.framing, size)


def landmarks(parameters: FaceParameters, size: int = 64) -> NDArray[np.float32]:
    """The 68 iBUG landmarks (n, 68, 2) as x, y in pixels of a size x size picture, whose corner is (0, 0)."""
    return project_heads(parameters, size)[:, :68].astype(np.float32)
