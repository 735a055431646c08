"""nobody2030's runs (a made-up paper): what does a linear model learn from few raters, or from many?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold, cross_val_predict

from paperlib.tracks import Track


def train(
    track: Track, settings: Mapping[str, Any], seed: int, checkpoint: Path
) -> dict[str, NDArray[np.float32]]:
    """Ridge regression of each segment's mean features to the mean of some raters, people left out in `folds`.

    Settings: `raters`, how many teach, drawn by the seed; `ridge`, the strength; `folds`.

    Returns:
        prediction (n, 2): valence and arousal of every segment, by a model that never saw its person.
    """
    segments = track.sequences()
    assert segments is not None
    teach = np.random.default_rng(seed).permutation(segments.ratings.shape[1])[: settings["raters"]]
    features, labels = segments.features.mean(axis=1), segments.ratings[:, teach].mean(axis=1)
    model, folds = Ridge(alpha=settings["ridge"]), GroupKFold(settings["folds"])
    found = cross_val_predict(model, features, labels, groups=segments.subject, cv=folds)
    return {"prediction": found.astype(np.float32)}
