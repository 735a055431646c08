"""nobody2030 (a made-up paper): what each model says of every segment, beside the mean of all its raters."""

from __future__ import annotations

import numpy as np
import pandas as pd

from paperlib.companion.samples import Planned
from paperlib.labels import AFFECT
from paperlib.tracks import Track


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The samples: a row a segment, dimension and run."""
    segments = track.sequences()
    assert segments is not None
    about = {"item": np.arange(len(segments)), "unit": segments.subject}
    tables = []
    for labels, results in planned:
        for result in results:
            run = pd.DataFrame({**about, "seed": result.run.seed, **labels})
            for d, dimension in enumerate(AFFECT):
                found = {"label": segments.affect[:, d], "prediction": result["prediction"][:, d]}
                tables.append(run.assign(dimension=dimension, **found))
    return {"": pd.concat(tables, ignore_index=True)}
