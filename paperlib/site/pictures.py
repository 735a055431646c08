"""What a page's pictures show, in words, for readers who cannot see them.

A page holds its figures as pictures without words; the same figures were saved as PNG and SVG, and the SVG has what is
written in them as comments. Which saved figure a picture is, is seen by comparing the two.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

SIDE = 64  # pixels of the thumbnails that are compared
SAME = 25.0  # grey levels of 255; the same figure at another size differs by 1 to 17, another by 11 and more
LONGEST = 400  # characters; a screen reader reads them in one go


class Thumbnail(NamedTuple):
    grey: NDArray[np.float64]  # (SIDE, SIDE), 0 to 255, the margins cut off
    shape: float  # width over height


def describe(picture: Path, figures: Path, heading: str) -> str:
    """Words for a picture of a page: its name in `figures`, the page's heading above it, and what is written in it."""
    saved = find_saved(picture, figures)
    if saved is None:
        return f'Picture under the heading "{heading}".'
    words = written_in(saved.with_suffix(".svg"))
    said = f" Written in it: {words}." if words else ""
    return f'Figure {saved.stem}, under the heading "{heading}".{said}'


def find_saved(picture: Path, figures: Path) -> Path | None:
    """The PNG of `figures` that shows the same figure as `picture`, which may have another size; None if none does."""
    seen = _thumbnail(picture)
    apart = {path: _difference(seen, _thumbnail(path)) for path in sorted(figures.glob("*.png"))}
    best = min(apart, key=apart.__getitem__, default=None)
    return best if best is not None and apart[best] < SAME else None


def written_in(svg: Path) -> str:
    """The words in a figure that matplotlib drew, each once, without the numbers at its axes."""
    if not svg.is_file():
        return ""
    comments = re.findall(r"<!-- (.*?) -->", svg.read_text(encoding="utf-8"), re.S)
    words = list(dict.fromkeys(" ".join(c.split()) for c in comments if re.search(r"[^\W\d_]{2}", c)))
    kept: list[str] = []
    for word in words:
        if len("; ".join([*kept, word])) > LONGEST:
            return "; ".join(kept) + f"; and {len(words) - len(kept)} more"
        kept.append(word)
    return "; ".join(kept)


@lru_cache(maxsize=1024)
def _thumbnail(path: Path) -> Thumbnail:
    with Image.open(path) as opened:
        grey = opened.convert("L")
    inside = grey.crop(ImageChops.invert(grey).getbbox())  # no box, all white: uncropped
    small = inside.resize((SIDE, SIDE), Image.Resampling.BOX)
    return Thumbnail(np.asarray(small, np.float64), inside.width / inside.height)


def _difference(a: Thumbnail, b: Thumbnail) -> float:
    """Mean difference in grey levels, plus one for each percent by which the shapes differ."""
    stretched: Any = abs(np.log(a.shape / b.shape))
    return float(np.abs(a.grey - b.grey).mean() + 100 * stretched)
