"""Valence, arousal and expression of every face in a photograph, a folder of them, or a video's frames.

    python -m paperlib.faces FOLDER --out affect.csv       # can be stopped, and goes on where it was

Faces and landmarks come from dlib by the optional extra `faces`, whose landmarks allow research only
(`paperlib.detector`). Any other detector can take its place: see `read`.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from paperlib import files
from paperlib.data.pictures import PICTURES, list_pictures, open_picture
from paperlib.detector import find_faces
from paperlib.emofan_checkpoint import load_kept, load_released
from paperlib.inference import Predictor, crop_face

Find = Callable[[NDArray[np.uint8]], ArrayLike]
Source = str | Path | NDArray[np.uint8]
Lines = tuple[pd.DataFrame, NDArray[np.float64]]  # of one picture, and their landmarks

BOX, AFFECT = ("left", "top", "right", "bottom"), ("valence", "arousal")
COLUMNS = ("picture", "face", *BOX, *AFFECT, "expression", "probability", "remark")
NONE, CUT = "no face found", "the face reaches beyond the picture"


@dataclass(frozen=True, kw_only=True)
class Faces:
    """What is read from pictures.

    `table` has a line a face, from left to right, and a line with a remark for a picture without one:
    picture: file name, or number of the frame; face: 0, 1, ...; left, top, right, bottom: the landmarks' bounding box
    in pixels of the picture, turned upright by its orientation tag; valence and arousal: -1 to 1; expression: the most
    probable, and its probability; remark: "" if nothing is to be said, or why to be careful.
    """

    table: pd.DataFrame
    landmarks: NDArray[np.float64]  # (lines of the table, 68, 2) x, y in the picture's pixels; NaN: no face
    sources: Sequence[Source]

    def draw(self, picture: int = 0) -> Any:
        """A figure of one picture with boxes, landmarks and numbers, beside its faces on the circumplex."""
        from matplotlib.figure import Figure
        from matplotlib.patches import Rectangle

        name = _name(self.sources[picture], picture)
        of = np.flatnonzero((self.table["picture"] == name) & self.table["valence"].notna())
        figure = Figure(figsize=(9, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.3, 1))
        left.imshow(_opened(self.sources[picture]), cmap="gray")
        left.set_axis_off()
        for i in of:
            face, points = self.table.iloc[i], self.landmarks[i]
            x, y = face["left"], face["top"]
            side = face["right"] - x, face["bottom"] - y
            left.add_patch(Rectangle((x, y), *side, fill=False, color="#E69F00", linewidth=1.5))
            left.plot(
                *points.T, ".", color="white", markersize=3, markeredgecolor="black", markeredgewidth=0.3
            )
            left.annotate(f"{face['face']}", (x, y), color="white", backgroundcolor="black", fontsize=8)
            right.plot(face["valence"], face["arousal"], "o", color="#0072B2", clip_on=False)
            text = f"  {face['face']}: {face['expression']}"
            right.annotate(text, (face["valence"], face["arousal"]), fontsize=9)
        right.set(
            xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), xticks=(-1, 0, 1), yticks=(-1, 0, 1), aspect="equal"
        )
        right.set(xlabel="valence", ylabel="arousal")
        right.axhline(0, color="0.8", zorder=0)
        right.axvline(0, color="0.8", zorder=0)
        return figure


def read(source: Source, network: Predictor | None = None, *, find: Find = find_faces) -> Faces:
    """Every face of a picture (a path, or uint8 (h, w[, 3])), of a folder's pictures, or of frames (n, h, w, 3).

    Args:
        network: a trained network, e.g. `Predictor(load_released("emonet_8.pth"))`; without it `small()`, which is good
            for a first look.
        find: from a picture (h, w, 3) to its faces, as landmarks (k, 68, 2) or as boxes (k, 4), each left, top, right
            and bottom in pixels. Boxes of any detector do: the network finds the landmarks in them, and crops again.

    In a folder, a picture that cannot be read has a line whose remark says why, and a warning counts files that are no
    pictures by their endings; folders in it are left alone.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: the one picture cannot be read, the folder has none, or an array is no picture.
        TypeError: `find` gives neither boxes nor landmarks.
        ImportError: there is no dlib, and no `find`.
    """
    sources = _sources(source)
    alone = len(sources) == 1 and not (isinstance(source, str | Path) and Path(source).is_dir())
    chosen = network or small()
    read_one = _read if alone else _read_or_remark
    parts = [read_one(one, _name(one, i), chosen, find) for i, one in enumerate(sources)]
    table = pd.concat([part for part, _ in parts], ignore_index=True)
    return Faces(table=table, landmarks=np.concatenate([points for _, points in parts]), sources=sources)


@functools.cache
def small() -> Predictor:
    """The small EmoFAN that comes with the code, trained on FER+: grey faces of 48 pixels, votes for a category.

    Its valence and arousal are those of the categories that people chose, placed on the circumplex. For research take
    the authors' networks (`emofan_checkpoint.load_released`).
    """
    return Predictor(load_kept(), engine="torch")  # so small a network starts at once


def _read_or_remark(source: Source, name: str, network: Predictor, find: Find) -> Lines:
    """`_read`; of a picture that cannot be read, a line that says why."""
    try:
        return _read(source, name, network, find)
    except ValueError as error:
        return _without(name, str(error))


def _read(source: Source, name: str, network: Predictor, find: Find) -> Lines:
    picture = _opened(source)
    colour = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
    found: NDArray[np.float64] = np.asarray(find(colour), np.float64)
    if not len(found):
        return _without(name, NONE)
    if found.shape[1:] not in ((4,), (68, 2)):
        raise TypeError(f"find must give boxes (k, 4) or landmarks (k, 68, 2); got {found.shape}")
    if found.ndim == 2:
        found = _landmarks_in(colour, found.reshape(-1, 2, 2), network)
    crops = [crop_face(colour, points, size=network.model.size)[0] for points in found]
    said = network.predict(crops)
    low, high = found.min(axis=1), found.max(axis=1)
    beyond = ((low < 0) | (high > picture.shape[1::-1])).any(axis=1)
    table = pd.DataFrame({"picture": name, "face": range(len(found))})
    table[[*BOX]] = np.hstack([low, high]).round(1)
    table[[*AFFECT]] = said.affect.astype(np.float64).round(3)
    table["expression"], table["probability"] = said.expression, said.probability.max(axis=1).round(3)
    table["remark"] = np.where(beyond, CUT, "")
    return table, found


def _landmarks_in(
    picture: NDArray[np.uint8], boxes: NDArray[np.float64], network: Predictor
) -> NDArray[np.float64]:
    """Landmarks (k, 68, 2) that the network finds in boxes (k, 2, 2), each two corners."""
    crops, windows = zip(*(crop_face(picture, box, size=network.model.size) for box in boxes), strict=True)
    inside = network.predict(crops).landmarks
    return np.stack([window.to_picture(p) for window, p in zip(windows, inside, strict=True)])


def _without(name: str, remark: str) -> Lines:
    line = pd.DataFrame([{"picture": name, "remark": remark}], columns=list(COLUMNS))
    return line.astype({"face": "Int64"}), np.full((1, 68, 2), np.nan)


def _sources(source: Source, *, out: Path | None = None) -> list[Source]:
    if isinstance(source, np.ndarray):
        if source.ndim == 2 or (source.ndim == 3 and source.shape[2] in (1, 3, 4)):
            return [source]
        return list(source)
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(f"there is no {path}")
    if not path.is_dir():
        return [path]
    pictures, others = list_pictures(path)
    others = [other for other in others if out is None or other.resolve() != out.resolve()]
    if not pictures:
        raise ValueError(f"{path} has no picture; pictures end in {', '.join(PICTURES)}")
    if others:
        warnings.warn(
            f"{len(others)} files are no pictures by their endings, {others[0].name} first", stacklevel=3
        )
    return [*pictures]


def _name(source: Source, number: int) -> str:
    return str(number) if isinstance(source, np.ndarray) else Path(source).name


def _opened(source: Source) -> NDArray[np.uint8]:
    if not isinstance(source, np.ndarray):
        return np.asarray(open_picture(Path(source), mend="Replace it, or take it out."))
    if source.dtype != np.uint8 or source.ndim not in (2, 3) or source.shape[2:] not in ((), (3,)):
        raise ValueError(f"a picture must be uint8 (h, w) or (h, w, 3); got {source.dtype} {source.shape}")
    return source


def write(folder: Path, out: Path, network: Predictor) -> None:
    """A folder's faces as a CSV file, picture by picture: the columns of `Faces.table`, and `network`, by its weights.

    What an earlier call wrote stays. Its last picture, which may have been cut off, is read again.

    Raises:
        FileNotFoundError, ValueError: there is no such folder, it has no picture, or `out` is another table, of another
            network, or has a picture of another folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    pictures, known = [Path(str(path)) for path in _sources(folder, out=out)], _fingerprint(network)
    done = _resume(out, known)
    if strange := done - {path.name for path in pictures}:
        raise ValueError(f"{out} has {min(strange)}, which is not in {folder}; name a new file")
    with out.open("a", encoding="utf-8", newline="") as file:
        for path in tqdm([path for path in pictures if path.name not in done], unit="picture"):
            table, _ = _read_or_remark(path, path.name, network, find_faces)
            lines = table[[*COLUMNS]].assign(network=known)
            file.write(lines.to_csv(index=False, header=not file.tell(), lineterminator="\n"))
            file.flush()


def _resume(out: Path, network: str) -> set[str]:
    """The pictures that a file holds whole. The last, which may have been cut off, is taken out of it."""
    if not out.is_file():
        return set()
    whole = out.read_bytes()
    text = whole[: whole.rfind(b"\n") + 1].decode()
    if not text:
        out.unlink()
        return set()
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    if list(table) != [*COLUMNS, "network"]:
        raise ValueError(f"{out} is another table; name a new file")
    if (table["network"] != network).any():
        raise ValueError(f"{out} was written with another network; name a new file")
    table = table[table["picture"] != table["picture"].iloc[-1]] if len(table) else table
    files.write_text(out, table.to_csv(index=False, lineterminator="\n"))
    return set(table["picture"])


def _fingerprint(network: Predictor) -> str:
    weights = network.model.state_dict().values()
    known = hashlib.sha256(b"".join(w.detach().float().cpu().numpy().tobytes() for w in weights))
    return known.hexdigest()[:12]


def main() -> None:
    """`python -m paperlib.faces FOLDER --out affect.csv`."""
    parser = argparse.ArgumentParser(prog="python -m paperlib.faces", description=write.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, default=Path("affect.csv"))
    parser.add_argument("--network", type=Path, help="the authors' checkpoint, such as emonet_8.pth")
    given = parser.parse_args()
    try:
        network = Predictor(load_released(given.network)) if given.network else small()
        write(given.folder, given.out, network)
    except (FileNotFoundError, ValueError, ImportError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
