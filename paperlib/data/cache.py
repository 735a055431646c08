"""Conversion of a data set to arrays on disk, done once; and the checks that pictures from elsewhere need."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
Conversion = tuple[
    dict[str, Any], dict[str, Any]
]  # the fields of a record: arrays, and the rest as JSON knows it

_MAPPED = 2**24  # arrays above this many bytes are mapped from disk, not read
_BATCH = 64  # pictures that one thread decodes before it reports


def converted(
    cache: Path | str,
    *,
    name: str,
    sources: Iterable[Path],
    settings: Mapping[str, object],
    convert: Callable[[Path], Conversion],
) -> Conversion:
    """What `convert` returns for these sources and settings: computed the first time, later read from
    `cache`.

    Sources (files, or folders with all below them) are known by name, size and time of change, the conversion
    by its settings and this package's code. `convert` gets an empty folder, in which it may write large
    arrays itself (`open_pictures`). Its result appears under its final name only when whole, and a lock makes
    other processes wait for it. The notes that come back have a `fingerprint` of the arrays' content beside
    what `convert` returned: the same data fetched again, or copied elsewhere, have the same fingerprint.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    code = [path.read_text("utf-8") for path in sorted(Path(__file__).parent.glob("*.py"))]
    key = hashlib.sha256(json.dumps([code, dict(settings), list(_stamps(sources))]).encode()).hexdigest()[:16]
    entry = cache / f"{name}-{key}"
    with FileLock(cache / f"{name}.lock"):
        if not entry.is_dir():
            _convert_whole(entry, convert)
    arrays: dict[str, Any] = {
        # copy on write: what a reader changes stays in memory, and torch takes no read-only array
        path.stem: np.load(path, mmap_mode="c" if path.stat().st_size > _MAPPED else None)
        for path in sorted(entry.glob("*.npy"))
    }
    return arrays, json.loads((entry / "notes.json").read_text("utf-8"))


def _convert_whole(entry: Path, convert: Callable[[Path], Conversion]) -> None:
    part = entry.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # a conversion that was interrupted
    part.mkdir()
    try:
        arrays, notes = convert(part)
        for name, array in arrays.items():
            if isinstance(array, np.memmap):
                array.flush()
            else:
                np.save(part / f"{name}.npy", array)
        notes = {**notes, "fingerprint": fingerprint(arrays)}
        (part / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
        os.replace(part, entry)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def state(root: Path, *, without: Path) -> str:
    """A hash of the names, sizes and times of change of all files below `root`, but for those below `without`."""
    apart = os.path.abspath(without) + os.sep
    stamps = [stamp for stamp in _stamps([root]) if not stamp[0].startswith(apart)]
    return hashlib.sha256(json.dumps(stamps).encode()).hexdigest()[:16]


def _stamps(sources: Iterable[Path | str]) -> Iterator[tuple[str, int, int]]:
    """Name, size and time of change of every file, in one order on every machine; size -1 where there is
    none."""
    for source in sources:
        try:
            found = os.stat(source)
        except OSError:
            yield os.path.abspath(source), -1, 0
            continue
        if stat.S_ISDIR(found.st_mode):
            yield from _stamps(os.path.join(source, name) for name in sorted(os.listdir(source)))
        else:
            yield os.path.abspath(source), found.st_size, found.st_mtime_ns


def fingerprint(arrays: Mapping[str, NDArray]) -> str:
    """A hash of the arrays' names, types, shapes and values; memory stays bounded for mapped ones."""
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        rows = max(1, _MAPPED // max(1, array[:1].nbytes))
        for start in range(0, len(array), rows):
            digest.update(np.ascontiguousarray(array[start : start + rows]).tobytes())
    return digest.hexdigest()


def data_root(track: str, root: Path | str) -> Path:
    """The folder of a track's files: the folder `track` in `root` where there is one, else `root` itself."""
    return Path(root) / track if (Path(root) / track).is_dir() else Path(root)


def resolve_inside(root: Path, name: str, *, where: str) -> Path:
    """The file `name` under `root`; a ValueError if it is absolute, or leaves `root` by `..` or a link."""
    top = _real(os.fspath(root))
    folder, last = os.path.split(os.path.join(top, name))
    named = os.path.join(_real(folder), last)
    path = os.path.realpath(named) if os.path.islink(named) else named
    inside = path.startswith(top + os.sep) and not os.path.isabs(name) and "\\" not in name
    if not inside or last in ("", ".", ".."):
        raise ValueError(
            f"{where}: the file name {name!r} leaves the data folder, or names none. "
            "Put the file inside, and give its name relative to that folder, with forward slashes."
        )
    return Path(path if os.path.exists(path) else named)  # what a link lacks is told by the link's name


@lru_cache(maxsize=4096)
def _real(folder: str) -> str:
    """Cached, since hundreds of thousands of pictures lie in a few folders."""
    return os.path.realpath(folder)


def open_pictures(folder: Path, n: int, *, size: int, channels: int) -> np.memmap:
    """A new images.npy in `folder`, mapped for writing: (n, size, size) grey or (n, size, size, 3) RGB."""
    shape = (n, size, size) if channels == 1 else (n, size, size, channels)
    return np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)


def convert_pictures(
    folder: Path,
    paths: Sequence[Path],
    *,
    where: Sequence[str],
    size: int,
    channels: int,
    boxes: Sequence[Box] | None = None,
) -> tuple[np.memmap, NDArray[np.float32]]:
    """Decode picture files, by threads, into images.npy of `folder`; cut to `boxes` first where given.

    Returns the mapped images and (n, 2) float32, the width and height in pixels of what each was scaled from.
    A box may reach over the picture's edge: what lies outside is black. `where` names each picture's row in a
    message.

    Raises:
        FileNotFoundError: a picture is missing.
        ValueError: a picture cannot be read, or its box lies outside it; or `channels` is neither 1 nor 3.
    """
    if channels not in (1, 3) or size < 1:
        raise ValueError(f"channels must be 1 or 3 and size positive; got channels={channels}, size={size}")
    for path, place in zip(paths, where, strict=True):
        if not path.is_file():
            raise FileNotFoundError(
                f"{place}: there is no picture {path.name}. Restore it, or take its row out."
            )
    images = open_pictures(folder, len(paths), size=size, channels=channels)
    scaled_from = np.empty((len(paths), 2), np.float32)

    def decode(rows: range) -> int:
        for row in rows:
            box = None if boxes is None else boxes[row]
            images[row], scaled_from[row] = _decode(paths[row], where[row], size, channels, box)
        return len(rows)

    batches = [range(start, min(start + _BATCH, len(paths))) for start in range(0, len(paths), _BATCH)]
    decoded = joblib.Parallel(n_jobs=-1, prefer="threads", return_as="generator_unordered")(
        joblib.delayed(decode)(batch) for batch in batches
    )
    with tqdm(total=len(paths), desc="reading pictures", unit="img", delay=5) as progress:
        for done in decoded:
            progress.update(done)
    return images, scaled_from


def _decode(
    path: Path, where: str, size: int, channels: int, box: Box | None
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    try:
        with Image.open(path) as file:
            picture = file.convert("L" if channels == 1 else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        problem = f"{where}: the picture {path.name} cannot be read ({type(error).__name__})"
        raise ValueError(f"{problem}. Replace it, or take its row out.") from error
    if box is not None:
        left, top, right, bottom = box
        if left >= picture.width or top >= picture.height or right <= 0 or bottom <= 0:
            raise ValueError(
                f"{where}: the face box {box} lies outside {path.name}, {picture.width} x {picture.height} "
                "pixels. Correct the box, or take the row out."
            )
        picture = picture.crop((round(left), round(top), round(right), round(bottom)))
    scaled = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(scaled), picture.size
