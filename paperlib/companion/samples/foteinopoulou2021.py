"""foteinopoulou2021: every method's Gaussians of the test faces and of the sequences, beside labels and ratings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from paperlib import stats
from paperlib.companion.runs import Result
from paperlib.companion.samples import Planned, in_lots, rounded
from paperlib.data.records import FaceSet, SequenceSet, subset
from paperlib.labels import AFFECT, is_noisy, sole_winner
from paperlib.tracks import Track

KEPT = ["part", "item", "unit", "dimension", "label", "raters' variance", "true variance"]
Gaussians = list[tuple[NDArray, NDArray]]  # mean and variance (n, 2), one pair a seed


def build(track: Track, planned: Planned) -> dict[str, pd.DataFrame]:
    """The samples, and "items": what is known of every test item whatever was trained.

    MC dropout is of the baseline's networks.
    """
    faces, items, tables = track.faces(), {}, []
    if faces is not None:
        items["faces"] = _items("faces", subset(faces, faces.split == "test"))
    if (sequences := track.sequences()) is not None:
        items["sequences"] = _items("sequences", sequences)
    for labels, results in planned:
        about = items[labels["part"]][KEPT]
        for method, gaussians in _methods(labels, results):
            for r, (mean, variance) in zip(results, gaussians, strict=True):
                found = {"prediction": rounded(mean.T.ravel()), "variance": rounded(variance.T.ravel())}
                tables.append(about.assign(**{**labels, "method": method}, seed=np.int8(r.run.seed), **found))
    return {"": pd.concat(tables, ignore_index=True), "items": pd.concat(items.values(), ignore_index=True)}


def ensembles(networks: pd.DataFrame) -> pd.DataFrame:
    """Deep ensembles (Lakshminarayanan et al. 2017, section 2.4) of networks that differ in their seed alone.

    networks: their rows of the samples. Of S networks, S ensembles of S - 1, each without one, whose seed it gets: the
    Gaussian of the mixture's mean and variance. They share members, so their spread is too small. Of one network none.
    """
    if networks["seed"].nunique() < 2:
        return networks[:0]
    found = []
    for seed, left_out in networks.groupby("seed"):
        others = networks[networks["seed"] != seed]
        members = others.groupby(["part", "item", "dimension"], observed=True)[["prediction", "variance"]]
        mean, spread = members.mean(), members.var(ddof=0)["prediction"]
        mixture = mean.assign(variance=mean["variance"] + spread)
        rest = left_out.drop(columns=["prediction", "variance"])
        found.append(rest.join(mixture, on=["part", "item", "dimension"]))
    return pd.concat(found, ignore_index=True)


def _methods(labels: Mapping[str, str], results: Sequence[Result]) -> Iterator[tuple[str, Gaussians]]:
    own = [(r["mean"], np.exp(r["log_variance"])) for r in results]
    yield labels["method"], own
    if labels["method"] == "baseline" and all("dropout_mean" in r.arrays for r in results):
        yield "MC dropout", [(r["dropout_mean"], r["dropout_variance"]) for r in results]


def _items(part: str, record: FaceSet | SequenceSet) -> pd.DataFrame:
    """A row an item and dimension: label, ratings, truth, and of faces category and subset by each source of it."""
    n, people = len(record), record.subject
    unit = [f"{part} {x}" for x in (in_lots(n, 50) if people is None else people)]
    ratings = record.ratings if record.ratings is not None else np.full((n, 0, 2), np.nan, np.float32)
    observed = stats.observed_variance(ratings) if ratings.shape[1] > 1 else np.full((n, 2), np.nan)
    observed[~np.isfinite(observed).all(axis=1)] = np.nan  # rated in both dimensions, or not at all
    of_faces = _of_faces(record) if isinstance(record, FaceSet) else {}
    tables = []
    for d, dimension in enumerate(AFFECT):
        table = {"part": part, "item": np.arange(n), "unit": unit, "dimension": dimension}
        table |= {"label": record.affect[:, d], "raters' variance": observed[:, d]}
        truth = record.truth.variance[:, d] if record.truth is not None else np.full(n, np.nan, np.float32)
        table |= {"true variance": truth, **of_faces}
        table |= {f"rater {k + 1:02d}": ratings[:, k, d] for k in range(ratings.shape[1])}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def _of_faces(faces: FaceSet) -> dict[str, NDArray]:
    """The category as published and as voted, each with 1 where the cleaning rules call the face noisy; -1: none."""
    given = faces.original if faces.original is not None else faces.expression
    sources = {"category": np.full(len(faces), -1, np.int8) if given is None else given.astype(np.int8)}
    if faces.votes is not None:
        sources["voted category"] = sole_winner(faces.votes).astype(np.int8)
    found: dict[str, NDArray] = dict(sources)
    labelled = np.isfinite(faces.affect).all(axis=1)
    for name, category in sources.items():
        for rules, column in (("release", "noisy"), ("as_printed", "noisy by the sentence")):
            judged, noisy = (category >= 0) & labelled, np.full(len(faces), np.nan, np.float32)
            noisy[judged] = is_noisy(category[judged], faces.affect[judged], rules=rules)
            found[name.replace("category", column)] = noisy
    if faces.truth is not None:
        found["truly mislabelled"] = faces.truth.mislabelled.astype(np.float32)
    return found
