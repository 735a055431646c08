"""Picture files from elsewhere: one opener, one list and one rule of where a face lies, for readers and for use."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

PICTURES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")  # endings, in capitals too
SMALLEST = 4  # pixels: a face is wider or higher than that; one given in shares of the picture is not

_BITS = 258  # a tag of TIFF
_ORIENTATION = 274  # a tag of EXIF, and how a picture is turned back
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_picture(path: Path, *, mode: str = "RGB", where: str = "", mend: str) -> Image.Image:
    """A picture file as "RGB" or "L" (grey) of 8 bits, turned upright by its orientation tag.

    So boxes and landmarks are those of the picture as it is seen, turned. Of 16 bits, 0 is black and 65535 white (of a
    TIFF with fewer bits, their largest number). Transparency is left out; of a file's pictures, the first is read.

    Raises:
        ValueError: it cannot be read, is less than SMALLEST pixels wide or high, or has numbers of which nobody says
            what is white: floating-point ones, or whole ones of 32 bits. The message begins with `where` and ends in
            `mend`.
    """
    named = f"{where}: the picture {path.name}" if where else f"the picture {path.name}"
    try:
        # by a stream, since Pillow mixes up the pixels of a TIFF on its side that it maps by name
        with path.open("rb") as stream, Image.open(stream) as file:
            file.load()
            upright = _upright(file)
            plain = None if file.mode.startswith(("I", "F")) else upright.convert(mode)
            white = _white(file)
    except (OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError) as error:
        raise ValueError(f"{named} cannot be read ({type(error).__name__}). {mend}") from error
    if min(upright.size) < SMALLEST:
        raise ValueError(f"{named} has {upright.width} x {upright.height} pixels, too few for a face. {mend}")
    if plain is not None:
        return plain
    if white is None:
        what = "floating-point numbers" if upright.mode == "F" else "numbers of 32 bits"
        raise ValueError(f"{named} holds {what}, whose white is not known. Save it with 8 or 16 bits. {mend}")
    grey = np.asarray(upright).astype(np.float64) * (255 / white)
    return Image.fromarray(np.rint(grey.clip(0, 255)).astype(np.uint8)).convert(mode)


def _upright(file: Image.Image) -> Image.Image:
    try:  # ImageOps.exif_transpose writes all tags anew, and so turns no picture of which another tag is broken
        turn = _TURNS.get(file.getexif().get(_ORIENTATION, 1))
    except Exception:  # a broken tag is met with many kinds of error, and says nothing
        turn = None
    return file if turn is None else file.transpose(turn)


def _white(file: Image.Image) -> int | None:
    """The number of white in a picture of more than 8 bits, None where it is not known."""
    bits: Any = getattr(file, "tag_v2", {}).get(_BITS, (16,))
    if file.mode == "F" or bits[0] > 16 or (file.mode == "I" and file.format not in ("PNG", "PPM")):
        return None
    return 2 ** bits[0] - 1


def list_pictures(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures right in a folder by their endings, and its other files, by name; hidden ones are neither.

    A folder or a dead link with a picture's name is among the pictures: to open it says what is wrong.
    """
    names = sorted(folder.glob("[!.]*"))
    pictures = [path for path in names if path.suffix.lower() in PICTURES]
    return pictures, [path for path in names if path.suffix.lower() not in PICTURES and not path.is_dir()]


def unnamed(folder: Path, named: Collection[Path]) -> dict[str, int]:
    """How many files right in a folder are not among `named`, by their reasons for `FaceSet.excluded`."""
    pictures, others = list_pictures(folder)
    here = {path.name for path in named if path.parent.name == folder.name}
    return {
        "picture without annotation": sum(path.name not in here for path in pictures),
        "file that is no picture by its ending": sum(path.name not in here for path in others),
    }


def misplaced(points: ArrayLike, size: Sequence[float]) -> str:
    """What keeps landmarks, or two corners of a box, (k, 2) from marking a face in a picture of `size`; "" if nothing.

    `size` is width and height. A face may leave the picture, but a quarter of the points' bounding box lies inside.
    """
    marks: NDArray[np.float64] = np.asarray(points, np.float64)
    low, high = marks.min(axis=0), marks.max(axis=0)
    span = high - low
    inside = np.minimum(high, size) - np.maximum(low, 0)
    few = (inside <= 0).any() or inside.prod() < span.prod() / 4
    if np.isfinite(marks).all() and span.max() >= SMALLEST and not few:
        return ""
    return (
        f"from {low.round(1).tolist()} to {high.round(1).tolist()} mark no face in a picture of "
        f"{size[0]:g} x {size[1]:g} pixels; give x and y in pixels of the picture, turned upright by its tag"
    )
