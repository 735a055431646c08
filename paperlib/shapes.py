"""One check of shapes for all losses and measures: what broadcasts without a word gives a wrong number."""

from __future__ import annotations

from typing import Any


def check_shapes(pattern: str, **sides: Any) -> None:
    """ValueError unless the arrays or tensors `sides` have, in their order, the shapes of `pattern`.

    "n K, n K, n" are three of them; a letter is one size wherever it stands, a number is itself, and "..." is any
    shape, the same wherever it stands.
    """
    sizes: dict[str, object] = {}
    expected = dict(zip(sides, pattern.split(", "), strict=True))
    for name, axes in expected.items():
        shape = tuple(sides[name].shape)
        named = {"...": shape} if axes == "..." else dict(zip(axes.split(), shape, strict=False))
        fits = axes == "..." or len(axes.split()) == len(shape)
        for axis, size in named.items():
            fits &= (int(axis) if axis.isdecimal() else sizes.setdefault(axis, size)) == size
        if not fits:
            want = [
                f"{side} ({axes.replace(' ', ', ')}{',' * (' ' not in axes)})"
                for side, axes in expected.items()
            ]
            got = [str(tuple(side.shape)) for side in sides.values()]
            raise ValueError(f"expected {' and '.join(want)}; got {' and '.join(got)}")
