"""Stored samples: what is written is read, and what each paper's builder makes of its runs."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from paperlib.companion.runs import Result, Run
from paperlib.companion.samples import STORED, in_lots, read, rounded, write
from paperlib.companion.samples.foteinopoulou2021 import build, ensembles
from paperlib.tracks import Track


def test_what_is_written_is_read_with_texts_in_their_order(tmp_path):
    table = pd.DataFrame({"method": ["b", "a", "b"], "x": np.float32([0.1, 0.2, np.nan])})
    (path,) = write({"items": table}, "le2023", "twin", folder=tmp_path)
    found = read("le2023", "twin", "items", folder=tmp_path)
    assert found["method"].cat.categories.tolist() == ["b", "a"] and found["x"].dtype == np.float32
    assert_allclose(found["x"], table["x"])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(FileNotFoundError, match=r"in this folder: le2023\.items"):
        read("le2023", "twin", folder=tmp_path)


def test_lots_are_of_one_size_and_always_the_same():
    lots = in_lots(103, 10)
    assert lots == in_lots(103, 10) and sorted(set(lots)) == [f"lot {i:03d}" for i in range(10)]
    assert {lots.count(x) for x in lots} == {10, 11}


@pytest.mark.parametrize(
    "path", sorted(STORED.glob("*/*.parquet")), ids=lambda p: f"{p.parent.name} {p.stem}"
)
def test_a_stored_sample_has_its_keys_and_no_row_twice(path):
    table = pd.read_parquet(path)
    assert len(table) or "." in path.stem  # a track may lack what a further table has
    assert not table.duplicated().any()
    if {"item", "seed", "unit"} <= set(table):
        assert table["unit"].notna().all() and (table["seed"] >= 0).all()
    # a weak prediction that is stretched to the labels' spread may leave their range
    given = "centred" if "centred" in table else "prediction"
    for column in table.columns.intersection(["label", given]):
        assert table[column].dropna().between(-1.5, 1.5).all(), column


def test_every_column_that_is_stored_is_explained():
    text = (STORED / "README.md").read_text(encoding="utf-8")
    columns = {c for path in STORED.glob("*/*.parquet") for c in pd.read_parquet(path).columns}
    words = {c: {c, c.partition(" ")[0]} for c in columns}  # "rater 01" is one of "rater"
    assert not [c for c, names in words.items() if not any(f"`{n}" in text for n in names)]


def test_an_ensemble_is_the_mixture_of_all_networks_but_one():
    mean, variance = {0: 0.0, 1: 2.0, 2: 4.0}, {0: 1.0, 1: 3.0, 2: 5.0}
    rows = [("faces", item, "valence", s, mean[s] + item, variance[s]) for s in (0, 1, 2) for item in (7, 3)]
    networks = pd.DataFrame(rows, columns=["part", "item", "dimension", "seed", "prediction", "variance"])
    found = ensembles(networks)
    assert found[["item", "seed"]].values.tolist() == networks[["item", "seed"]].values.tolist()
    assert_allclose(found["prediction"] - found["item"], [3, 3, 2, 2, 1, 1])
    assert_allclose(found["variance"], np.repeat([4 + 1, 3 + 4, 2 + 1], 2))
    assert not len(ensembles(networks[networks["seed"] == 1]))


def test_foteinopoulou2021s_samples_hold_what_was_predicted_of_each_face():
    track = Track(name="twin", profile="smoke")
    faces = track.faces()
    test = np.flatnonzero(faces.split == "test")
    mean = np.random.default_rng(0).uniform(-1, 1, (len(test), 2)).astype(np.float32)
    arrays = {"mean": mean, "log_variance": 0 * mean - 2}
    runs = [Run(task="", track=track, data="", settings={}, seed=seed) for seed in (1, 4)]
    results = [Result(run=run, key="", seconds=1.0, arrays=arrays) for run in runs]
    tables = build(track, [({"part": "faces", "network": "n", "method": "Gaussian NLL"}, results)])
    found = tables[""].query("method == 'Gaussian NLL' and seed == 4 and dimension == 'arousal'")
    assert_allclose(found["prediction"], mean[:, 1], rtol=2.5e-4)  # rounded to eleven binary digits
    assert_allclose(found["variance"], np.exp(-2.0), rtol=2.5e-4)
    assert_allclose(found["label"], faces.affect[test, 1])
    assert found["unit"].tolist() == [f"faces {x}" for x in faces.subject[test]]
    items = tables["items"].query("part == 'faces' and dimension == 'valence'")
    raters = items.filter(like="rater ").filter(regex=r"\d")
    expected = raters.var(axis=1, ddof=1).where(items["raters' variance"].notna())
    assert_allclose(items["raters' variance"], expected, atol=1e-6)


def test_rounding_keeps_eleven_binary_digits_of_any_size():
    x = np.array([1.0, -1.5, 0.0, 1e-9, 3e12, 1 + 2**-10, 1 + 2**-12], np.float32)
    found = rounded(x)
    assert_allclose(found, x, rtol=2**-12)
    assert found[:3].tolist() == [1.0, -1.5, 0.0] and found[5] == x[5] and found[6] != x[6]
    assert_allclose(rounded(found), found, rtol=0)
