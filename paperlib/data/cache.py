"""Conversion of a data set to arrays on disk, done once; and the checks that pictures from elsewhere need."""

from __future__ import annotations

import errno
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import stat
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import joblib
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from paperlib.data.pictures import misplaced, open_picture
from paperlib.data.records import FaceSet
from paperlib.data.suspect import doubts, refuse_constant

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels
# the fields of a record: arrays, and the rest as JSON knows it; reasons that exclude nobody are left out
Conversion = tuple[dict[str, Any], dict[str, Any]]

Stamp = tuple[str, int, int]  # a file's name, size in bytes and time of change
Found = TypeVar("Found")

LISTED = 50  # broken files that one message names

_LIBRARIES = ("numpy", "opensmile", "pillow", "scipy")  # they decode, and compute, what is stored
_MAPPED = 2**24  # arrays above this many bytes are mapped from disk, not read


def converted(
    cache: Path | str,
    *,
    name: str,
    sources: Sequence[Path],
    convert: Callable[[Path], Conversion],
    settings: Mapping[str, object] | None = None,
    root: Path | None = None,
) -> Conversion:
    """What `convert` returns for these sources and settings: computed the first time, later read from `cache`.

    Sources (files, or folders with all below them) are known by name, size and time of change, the conversion by its
    settings, the code of this package and of the features, and the versions of its libraries. Sources need a `root`,
    the folder that they lie in: it may be a link, but none of them, and nothing below, may lead out. `convert` must
    read the sources itself, not pass on what was read before. It gets an empty folder, in which it may write large
    arrays (`open_pictures`). Its result appears under its final name only when whole, and a lock makes other processes
    wait for it. The notes that come back have a `fingerprint` of the arrays' content beside what `convert` returned:
    the same data fetched again, or copied elsewhere, have the same fingerprint.

    Warns of what is likely wrong and cannot be told for certain (`suspect.doubts`), once, when it converts.

    Raises:
        ValueError: a link leads out of `root`, or an array cannot be (`suspect.refuse_constant`).
        RuntimeError: a source changed while it was converted.
    """
    cache = Path(cache)
    cache.mkdir(parents=True, exist_ok=True)
    assert root is not None or not sources
    top = os.path.realpath(root) if root is not None else ""
    stamps = list(_stamps(sources, top=top))
    entry = cache / f"{name}-{_digest([_made_by(), dict(settings or {}), stamps])}"

    def check_unchanged() -> None:
        if changed := set(stamps) ^ set(_stamps(sources, top=top)):
            raise RuntimeError(
                f"the files of {name} changed while they were used, {min(changed)[0]} for one. Nothing is kept of "
                "what was read; start again when they are complete."
            )

    with FileLock(cache / f"{name}.lock"):
        if not entry.is_dir():
            for doubt in _convert_whole(entry, convert, check_unchanged):
                warnings.warn(f"{name}: {doubt}", UserWarning, stacklevel=2)
    arrays: dict[str, Any] = {
        # copy on write: what a reader changes stays in memory, and torch takes no read-only array
        path.stem: np.load(path, mmap_mode="c" if path.stat().st_size > _MAPPED else None)
        for path in sorted(entry.glob("*.npy"))
    }
    return arrays, json.loads((entry / "notes.json").read_text("utf-8"))


@dataclass(frozen=True, kw_only=True)
class Faces:
    """The n faces of a data set, before any picture is opened."""

    paths: Sequence[Path]
    where: Sequence[str]  # each one's place in a file or folder, for messages
    arrays: Mapping[str, NDArray]  # fields of FaceSet
    boxes: Sequence[Box] | None = None  # what is cut out
    landmarks: NDArray | None = None  # (n, 68, 2) in pixels of what is cut out; NaN are none
    excluded: Mapping[str, int] = field(default_factory=dict)


def converted_faces(
    name: str,
    list_faces: Callable[..., Faces],
    root: Path,
    sources: Iterable[str],
    *,
    cache: Path | str,
    size: int,
    channels: int,
    **settings: int,
) -> FaceSet:
    """The FaceSet of the Faces of `list_faces(root, **settings)`, see `converted`; `sources` are names in `root`."""
    arrays, notes = converted(
        cache,
        name=re.sub(r"\W.*", "", name.replace("-", "")).lower(),
        sources=[root / source for source in sources],
        settings={"size": size, "channels": channels, **settings},
        convert=lambda to: convert_faces(to, list_faces(root, **settings), size=size, channels=channels),
        root=root,
    )
    return FaceSet(name=name, **arrays, **notes)


def convert_faces(folder: Path, faces: Faces, *, size: int, channels: int) -> Conversion:
    """Faces with their pictures, decoded by threads into images.npy of `folder`: `size` pixels, 1 or 3 `channels`.

    Pictures are turned upright first (`open_picture`), and boxes are of the turned picture. A box may reach over the
    picture's edge: what lies outside is black. Landmarks become those of the scaled pictures.

    Raises:
        FileNotFoundError: pictures are missing; the message lists them.
        ValueError: pictures are there twice, cannot be read, or their boxes mark no face in them: the message lists
            them, and the others are kept for the next conversion. Or landmarks mark no face, or `channels` is neither
            1 nor 3.
    """
    if channels not in (1, 3) or size < 1:
        raise ValueError(f"channels must be 1 or 3 and size positive; got channels={channels}, size={size}")
    all_or_none(
        FileNotFoundError(f"{place}: there is no picture {path.name}. Restore it, or take its row out.")
        for path, place in zip(faces.paths, faces.where, strict=True)
        if not path.is_file()
    )
    images, scaled_from = _decoded(folder, faces, size, channels)
    arrays = {"images": images, **faces.arrays}
    if faces.landmarks is not None:
        _refuse_misplaced(faces, scaled_from)
        arrays["landmarks"] = (faces.landmarks * (size / scaled_from[:, None])).astype(np.float32)
    return arrays, {"excluded": dict(faces.excluded)}


def _decoded(folder: Path, faces: Faces, size: int, channels: int) -> tuple[NDArray, NDArray[np.float32]]:
    """The mapped images, and (n, 2) the width and height in pixels of what each was scaled from."""
    boxes: Sequence[Box | None] = faces.boxes or [None] * len(faces.paths)
    cut = list(zip(faces.paths, boxes, strict=True))
    refuse_twice(cut, [f"{at}: {path.name}" for path, at in zip(faces.paths, faces.where, strict=True)])
    images = open_pictures(folder, len(cut), size=size, channels=channels)
    scaled_from = np.empty((len(cut), 2), np.float32)
    made_by, stamps = _made_by(), [path.stat() for path in faces.paths]
    known_by = [
        f"{path} {box} {stamp.st_size} {stamp.st_mtime_ns} {size} {channels} {made_by}"
        for (path, box), stamp in zip(cut, stamps, strict=True)
    ]
    kept = folder.parent / f"{folder.name.rpartition('-')[0]}.kept"
    left = _restore(kept, known_by, images, scaled_from)

    def decode(row: int) -> tuple[int, Exception | None]:
        found = tried(_decode, *cut[row], faces.where[row], size, channels)
        if isinstance(found, Exception):
            return row, found
        images[row], scaled_from[row] = found
        return row, None

    run = joblib.Parallel(n_jobs=-1, prefer="threads", batch_size=64, return_as="generator_unordered")
    decoded = run(map(joblib.delayed(decode), left))
    decoded = tqdm(decoded, total=len(left), desc="reading pictures", unit="img", delay=5)
    broken = {row: error for row, error in decoded if error}
    shutil.rmtree(kept, ignore_errors=True)
    if broken:
        _keep(kept, known_by, images, scaled_from, broken)
    all_or_none(broken[row] for row in sorted(broken))
    return images, scaled_from


def _refuse_misplaced(faces: Faces, sizes: NDArray) -> None:
    assert faces.landmarks is not None
    known = np.flatnonzero(np.isfinite(faces.landmarks).all(axis=(1, 2))).tolist()
    found = {row: misplaced(faces.landmarks[row], sizes[row].tolist()) for row in known}
    all_or_none(ValueError(f"{faces.where[row]}: landmarks {what}.") for row, what in found.items() if what)


def _made_by() -> str:
    """What decodes and computes what is stored: the code of this package and of the features, and their libraries."""
    here = Path(__file__).parent
    code = [path.read_text("utf-8") for path in [*sorted(here.glob("*.py")), here.parent / "features.py"]]
    return _digest([code, [importlib.metadata.version(library) for library in _LIBRARIES]])


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _save(path: Path, array: NDArray) -> None:
    try:
        np.save(path, array)
    except OSError as error:
        if error.errno is None:  # numpy's words are "147810 requested and 102368 written"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise


def _convert_whole(
    entry: Path, convert: Callable[[Path], Conversion], check_unchanged: Callable[[], None]
) -> list[str]:
    """Convert into `entry`; what is doubtful about it."""
    part = entry.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)  # a conversion that was interrupted
    part.mkdir()
    try:
        arrays, notes = convert(part)
        refuse_constant(arrays, entry.name.rpartition("-")[0])
        doubtful = doubts(arrays)
        for name, array in arrays.items():
            if isinstance(array, np.memmap):
                array.flush()
            else:
                _save(part / f"{name}.npy", array)
        for name in {"excluded", "adjusted"} & set(notes):
            counts = notes[name].items()
            notes[name] = {what: int(n) for what, n in counts if n or name == "adjusted"}
        notes["fingerprint"] = fingerprint(arrays)
        (part / "notes.json").write_text(json.dumps(notes), encoding="utf-8")
        check_unchanged()
        os.replace(part, entry)
        return doubtful
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def state(root: Path, *, without: Path) -> str:
    """A hash of the names, sizes and times of change of all files below `root`, but for those below `without`.

    Links are followed wherever they lead, but for those that lead back to a folder around them.
    """
    apart = os.path.abspath(without) + os.sep
    stamps = [stamp for stamp in _stamps([root]) if not stamp[0].startswith(apart)]
    return _digest(stamps)


def _stamps(sources: Iterable[Path | str], *, top: str = "") -> Iterator[Stamp]:
    """The stamp of every file, in one order on every machine; size -1 where there is none.

    ValueError if a source, or what lies below it, leads out of the folder `top`, a real path.
    """
    real = functools.cache(os.path.realpath)
    for source in sources:
        path = os.path.abspath(source)
        folder, name = os.path.split(path)
        target = os.path.realpath(path) if os.path.islink(path) else os.path.join(real(folder), name)
        if target != path:
            yield f"{path} -> {target}", -1, 0  # led elsewhere, it is another source
        yield from _stamps_of(path, target, top, ())


def _stamps_of(path: str, target: str, top: str, above: tuple[str, ...]) -> Iterator[Stamp]:
    """`target` is the real path of `path`, and `above` are those of the folders that it was reached through."""
    if top and not _lies_in(target, top):
        raise _leads_out(path, target)
    try:
        found = os.stat(path)
    except OSError:
        yield path, -1, 0
        return
    if not stat.S_ISDIR(found.st_mode):
        yield path, found.st_size, found.st_mtime_ns
    elif target not in above:  # else a link back to where we are
        with os.scandir(path) as entries:
            inner = sorted((entry.name, entry.is_symlink()) for entry in entries)
        for name, is_link in inner:
            place, at = os.path.join(path, name), os.path.join(target, name)
            if is_link:
                at = os.path.realpath(place)
                yield f"{place} -> {at}", -1, 0
            yield from _stamps_of(place, at, top, (*above, target))


def _lies_in(path: str, folder: str) -> bool:
    return os.path.join(path, "").startswith(os.path.join(folder, ""))


def _leads_out(what: str, target: str) -> ValueError:
    return ValueError(
        f"{what} leaves the data folder by a link to {target}. Copy there what it leads to, or gather all files "
        "in the folder that it leads to, and name that one as DATA."
    )


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


def first_of(root: Path, names: Sequence[str]) -> str:
    """The one of `names` that `root` holds; the first of all where it holds none.

    ValueError where it holds two, of which neither lies in the other: which one is meant, nobody says.
    """
    there = [name for name in names if (root / name).exists()] or [names[0]]
    if other := [name for name in there[1:] if not there[0].startswith(f"{name}/")]:
        raise ValueError(f"{root} holds {there[0]} and {other[0]}, and one is read. Take the other one out.")
    return there[0]


def resolve_inside(root: Path, name: str, *, where: str) -> Path:
    """The file `name` under `root`; see `resolve_each`."""
    (path,) = resolve_each(root, [name], where=[where])
    return path


def resolve_each(root: Path, names: Iterable[str], *, where: Iterable[str], folder: str = "") -> list[Path]:
    """The files `names` in `folder` of `root`, there or not; `where` are the names' places, for messages.

    Raises:
        ValueError: a name is absolute, leaves `folder` by `..` or `root` by a link, or is none that a file can have.
    """
    real = functools.cache(os.path.realpath)  # hundreds of thousands of pictures lie in a few folders
    top = real(root)
    return [
        _resolve(top, os.path.join(top, folder), name, place, real)
        for name, place in zip(names, where, strict=True)
    ]


def _resolve(top: str, folder: str, name: str, where: str, real: Callable[[str], str]) -> Path:
    above, last = os.path.split(os.path.join(folder, name))
    inside = _lies_in(os.path.normpath(os.path.join(folder, name)), os.path.normpath(folder))
    if not inside or os.path.isabs(name) or "\\" in name or last in ("", ".", ".."):
        raise ValueError(
            f"{where}: the file name {name[:80]!r} leaves the data folder, or names none. "
            "Put the file inside, and give its name relative to that folder, with forward slashes."
        )
    try:
        path = os.path.join(real(above), last)
        target = os.path.realpath(path) if stat.S_ISLNK(os.lstat(path).st_mode) else path
    except (OSError, ValueError) as error:  # ValueError: a NUL, or half of a character
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise ValueError(
                f"{where}: no file can have the name {name[:80]!r} ({len(name)} characters). Correct it."
            ) from None
        target = path
    if not _lies_in(target, top):
        raise _leads_out(f"{where}: the file name {name!r}", target)
    return Path(path)


def open_pictures(folder: Path, n: int, *, size: int, channels: int) -> np.memmap:
    """A new images.npy in `folder`, mapped for writing: (n, size, size) grey or (n, size, size, 3) RGB."""
    shape = (n, size, size) if channels == 1 else (n, size, size, channels)
    return np.lib.format.open_memmap(folder / "images.npy", mode="w+", dtype=np.uint8, shape=shape)


def refuse_twice(items: Sequence[Any], where: Sequence[str]) -> None:
    """ValueError for items of which an earlier one is the same; `where` names each, for the message."""
    first: dict[Any, int] = {}
    earlier = [first.setdefault(item, row) for row, item in enumerate(items)]
    all_or_none(
        ValueError(f"{where[row]} is there already as {where[other]}. Take one of the two out.")
        for row, other in enumerate(earlier)
        if other != row
    )


def tried(function: Callable[..., Found], *arguments: Any) -> Found | Exception:
    """What a function returns, or the ValueError or FileNotFoundError that it raises."""
    try:
        return function(*arguments)
    except (ValueError, FileNotFoundError) as error:
        return error


def all_or_none(results: Iterable[Found | Exception]) -> list[Found]:
    """The results, if no error is among them (see `tried`); else one error that lists all, or the first LISTED."""
    results = list(results)
    errors = [result for result in results if isinstance(result, Exception)]
    if errors:
        more = [f"and {len(errors) - LISTED} more"] if len(errors) > LISTED else []
        head = [f"{len(errors)} files cannot be used:"] if len(errors) > 1 else []
        raise type(errors[0])("\n".join([*head, *map(str, errors[:LISTED]), *more])) from errors[0].__cause__
    return [result for result in results if not isinstance(result, Exception)]


def _restore(kept: Path, known_by: Sequence[str], images: NDArray, scaled_from: NDArray) -> list[int]:
    """Fill in the pictures that a conversion kept which failed for others; the rows that are left to decode."""
    rows: dict[str, int] = {}
    if (kept / "rows.json").is_file():
        rows = json.loads((kept / "rows.json").read_text("utf-8"))
        stored = np.load(kept / "images.npy", mmap_mode="r"), np.load(kept / "scaled_from.npy")
    for row, name in enumerate(known_by):
        if name in rows:
            images[row], scaled_from[row] = (array[rows[name]] for array in stored)
    return [row for row, name in enumerate(known_by) if name not in rows]


def _keep(
    kept: Path, known_by: Sequence[str], images: np.memmap, scaled_from: NDArray, broken: Collection[int]
) -> None:
    images.flush()
    kept.mkdir()
    os.replace(str(images.filename), kept / "images.npy")
    _save(kept / "scaled_from.npy", scaled_from)
    rows = {name: row for row, name in enumerate(known_by) if row not in broken}
    (kept / "rows.json").write_text(json.dumps(rows), encoding="utf-8")


def _decode(
    path: Path, box: Box | None, where: str, size: int, channels: int
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    mend = "Replace it, or take its row out."
    picture = open_picture(path, mode="L" if channels == 1 else "RGB", where=where, mend=mend)
    if box is not None:
        if problem := misplaced([box[:2], box[2:]], picture.size):
            raise ValueError(f"{where}: the corners of the face box {problem} ({path.name}), or take it out.")
        left, top, right, bottom = box
        picture = picture.crop((round(left), round(top), round(right), round(bottom)))
    scaled = picture.resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(scaled), picture.size
