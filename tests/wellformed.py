"""A small well-formed folder for every adapter, and how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import layouts
import numpy as np
import pandas as pd

from paperlib import data, twin
from paperlib.data import FaceSet, RecordingSet

SIZE = 48
RATE = 8_000  # samples a second


@dataclass(frozen=True)
class Layout:
    """An adapter's files: `write(folder)` makes them, `load(folder, cache)` reads them."""

    write: Callable[[Path], None]
    load: Callable[[Path, Path], Any]


@lru_cache
def faces(n: int = 14, *, channels: int = 3, raters: int = 3) -> FaceSet:
    """Seven categories in turn, four subjects, a training part and a test part."""
    made = twin.make_faces(n, seed=0, size=SIZE, channels=channels, raters=raters)
    return replace(
        made,
        expression=(np.arange(n) % 7).astype(np.int8),
        original=(np.arange(n) % 7).astype(np.int8),
        subject=np.array(["ann", "ben", "eve", "joe"])[np.arange(n) * 4 // n],
        split=np.repeat(["train", "test"], [n - n // 2, n // 2]),
    )


@lru_cache
def chats() -> tuple[RecordingSet, dict[str, Any]]:
    """Four recordings of some five seconds, three raters, noise for speech, and a face for each frame."""
    rng, lengths = np.random.default_rng(0), [50, 42, 45, 48]
    ratings = rng.uniform(-1, 1, (sum(lengths), 3, 2)).astype(np.float32)
    record = RecordingSet(
        name="written",
        recording=np.array(["a", "b", "c", "d"]),
        subject=np.array(["p1", "p2", "p3", "p4"]),
        pair=np.array(["one", "one", "two", "three"]),
        split=np.array(["train", "train", "validation", "test"]),
        frames=np.array(lengths),
        ratings=ratings,
        gold=ratings[:, 0].copy(),
        audio=rng.normal(size=(sum(lengths), 3)).astype(np.float32),
        video=rng.normal(size=(sum(lengths), 2)).astype(np.float32),
        fingerprint="",
    )
    sources = {
        "waveforms": [rng.integers(-(2**14), 2**14, n * RATE // 10) / 2**15 for n in lengths],
        "landmarks": [rng.uniform(0, 500, (n, 49, 2)) for n in lengths],
    }
    return record, sources | {"sampling_rate": RATE, "video_rate": 10}


@lru_cache
def segments() -> data.SequenceSet:
    return twin.make_sequences(seed=0, subjects=2, recordings=1, segments=2)


SHORT = data.studyforrest.Film(starts=(0, 40, 80.2), seconds=130)


@lru_cache
def film() -> dict[str, Any]:
    """A film of three runs: nine raters' episodes of one to thirty seconds, and noise for pictures and sound."""
    rng, pictures = np.random.default_rng(3), SHORT.seconds * 25
    episodes = {}
    for rater in data.studyforrest.RATERS:
        start = np.sort(rng.integers(0, SHORT.seconds - 30, 15))
        episodes[rater] = pd.DataFrame(
            {
                "start": start.astype(float),
                "end": (start + rng.integers(1, 31, 15)).astype(float),
                "arousal": rng.choice(["HIGH", "LOW", ""], 15),
                "valence": rng.choice(["POS", "NEG", "POS NEG"], 15),
            }
        )
    seen = pd.DataFrame(rng.uniform(0, 200, (pictures, 4)), columns=["brmean", "brlr", "brud", "norm_diff"])
    heard = pd.DataFrame(rng.uniform(0.001, 0.2, (pictures, 2)), columns=["rms", "lrdiff"])
    return {"episodes": episodes, "pictures": seen, "sound": heard, "film": SHORT}


def _ferplus(folder: Path) -> None:
    grey = faces(channels=1, raters=10)
    split = np.array(["train", "validation", "test"])[np.arange(len(grey)) % 3]
    layouts.write_ferplus(replace(grey, split=split), folder)


def as_affwild2(folder: Path) -> None:
    """Rewrite Aff-Wild's annotations as Aff-Wild2 has them, one file a video."""
    top = folder / "annotations" / "train"
    for valence in sorted((top / "valence").iterdir()):
        arousal = top / "arousal" / valence.name
        pairs = pd.DataFrame(
            {d: (top / d / valence.name).read_text().split() for d in ("valence", "arousal")}
        )
        pairs.to_csv(top / valence.name, index=False)
        valence.unlink()
        arousal.unlink()


def _affwild2(folder: Path) -> None:
    layouts.write_affwild(faces(), folder)
    as_affwild2(folder)


def _layout(write: Callable[[Path], None], load: Callable[..., Any], **more: Any) -> Layout:
    return Layout(write, lambda folder, cache: load(folder, cache=cache, **more))


def _faces(write: Callable[[FaceSet, Path], None], load: Callable[..., FaceSet]) -> Layout:
    return _layout(lambda folder: write(faces(), folder), load, size=SIZE)


def _chats(write: Callable[..., None], load: Callable[..., RecordingSet]) -> Layout:
    return _layout(lambda folder: write(chats()[0], folder, **chats()[1]), load)


LAYOUTS: dict[str, Layout] = {
    "ferplus": _layout(_ferplus, data.load_ferplus),
    "affectnet-csv": _faces(layouts.write_affectnet_csv, data.load_affectnet),
    "affectnet-folders": _faces(layouts.write_affectnet_folders, data.load_affectnet),
    "affwild": _faces(layouts.write_affwild, data.load_affwild),
    "affwild2": _layout(_affwild2, data.load_affwild, size=SIZE),
    "afewva": _faces(layouts.write_afewva, data.load_afewva),
    "morphset": _faces(layouts.write_morphset, data.load_morphset),
    "rafdb": _faces(layouts.write_rafdb, data.load_rafdb),
    "sfew": _faces(layouts.write_sfew, data.load_sfew),
    "manifest": _faces(layouts.write_manifest, data.load_manifest),
    "amigos-openface": _layout(lambda f: layouts.write_amigos(segments(), f), data.load_amigos),
    "amigos-json": _layout(
        lambda f: layouts.write_amigos(segments(), f, action_units="json"), data.load_amigos
    ),
    "sewa": _chats(layouts.write_sewa, data.load_sewa),
    "recordings": _chats(layouts.write_recordings, data.load_recordings),
    "studyforrest": _layout(
        lambda f: layouts.write_studyforrest(f, **film()), data.load_studyforrest, film=SHORT
    ),
    "recordings-features": _layout(lambda f: layouts.write_recordings(chats()[0], f), data.load_recordings),
}
