"""Faces and their 68 landmarks by dlib (D. E. King, Dlib-ml, JMLR 2009), the optional extra `faces`.

The landmarks were learnt on iBUG 300-W, whose licence allows research only.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from paperlib import files

SIDE = (
    320,
    1024,
)  # pixels of a picture's longer side between which faces are looked for; it is scaled to fit
LARGEST_SCALE = 4  # a picture of 48 pixels is enlarged to 192, no further
AROUND = 40  # pixels added at each border, then: half of the smallest face that is found
LIKELY = -0.5  # the detector's score that is enough where a picture is known to show a face; its own is 0


def find_faces(
    picture: NDArray[np.uint8], *, threshold: float = 0.0, most: int | None = None
) -> NDArray[np.float64]:
    """Landmarks (k, 68, 2) of the faces in a picture (h, w[, 3]), from left to right; iBUG's order, in pixels.

    Looked for are upright faces of 80 pixels or more, after the picture's longer side was scaled to SIDE: in a large
    photograph, those wider than a twelfth of it. A lower `threshold` finds more, and more that are none. `most` keeps
    those that the detector is surest of.

    Raises:
        ImportError: the extra is not installed.
    """
    detector, landmarks = _dlib()
    size = np.array(picture.shape[1::-1])
    scale = min(LARGEST_SCALE, max(SIDE[0] / size.max(), min(1.0, SIDE[1] / size.max())))
    width, height = np.maximum(np.rint(size * scale), 1).astype(int).tolist()
    scaled = np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC))
    seen = np.pad(scaled, [(AROUND, AROUND)] * 2 + [(0, 0)] * (scaled.ndim - 2), mode="edge")
    boxes = detector.run(seen, 0, threshold)[0][:most]  # the surest first
    points = [[(p.x, p.y) for p in landmarks(seen, box).parts()] for box in boxes]
    found = (np.array(points, np.float64).reshape(-1, 68, 2) - AROUND + 0.5) * (size / (width, height))
    return found[np.argsort(found[:, :, 0].mean(axis=1), kind="stable")]


def landmarks_of(pictures: NDArray[np.uint8], *, cache: Path) -> NDArray[np.float32]:
    """The landmarks (n, 68, 2) of pictures (n, h, w[, 3]) that show one face each; NaN where none is found.

    Kept in `cache`: some 20 ms of a core for each picture.
    """
    known = hashlib.sha256(np.ascontiguousarray(pictures).tobytes())
    known.update(repr((SIDE, LARGEST_SCALE, AROUND, LIKELY, importlib.metadata.version("dlib-bin"))).encode())
    path = cache / f"landmarks-{known.hexdigest()[:16]}.npy"
    if not path.is_file():
        chunks = np.array_split(np.arange(len(pictures)), max(len(pictures) // 200, 1))
        jobs = Parallel(n_jobs=-1, return_as="generator")(delayed(_each)(pictures[rows]) for rows in chunks)
        parts = list(tqdm(jobs, total=len(chunks), desc="finding faces", unit=" x 200", delay=2))
        path.parent.mkdir(parents=True, exist_ok=True)
        with files.whole(path) as partial, partial.open("wb") as file:
            np.save(file, np.concatenate(parts))
    return np.load(path)


def _each(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    out = np.full((len(pictures), 68, 2), np.nan, np.float32)
    for i, picture in enumerate(pictures):
        found = find_faces(picture, threshold=LIKELY, most=1)
        out[i] = found[0] if len(found) else np.nan
    return out


@functools.cache
def _dlib() -> tuple[Any, Any]:
    """dlib's detector of upright faces, and its predictor of landmarks."""
    models = importlib.util.find_spec("face_recognition_models")  # not imported: it needs an old setuptools
    try:
        import dlib
    except ImportError:
        models = None
    if models is None or not models.submodule_search_locations:
        raise ImportError(
            "faces are found by dlib and its models: pip install dlib-bin face-recognition-models; or give a function "
            "of your own from a picture to boxes or landmarks"
        )
    predictor = Path(models.submodule_search_locations[0], "models", "shape_predictor_68_face_landmarks.dat")
    return dlib.get_frontal_face_detector(), dlib.shape_predictor(str(predictor))
