"""A user's own CSV: all papers that can learn from its labels, with their scoreboard, whichever labels it has."""

from dataclasses import replace

import numpy as np
import pytest
from trees import Tree

from paperlib.data import write_manifest
from paperlib.papers import TRACKS_OF
from paperlib.twin import make_faces

PAPERS = [key for key, tracks in TRACKS_OF.items() if "manifest" in tracks]


@pytest.mark.parametrize(
    ("lacking", "pages"),
    [
        (("affect", "ratings"), []),
        (("expression", "ratings"), ["foteinopoulou2021", "toisoul2021"]),
        (("ratings", "landmarks"), ["foteinopoulou2021", "le2023", "neo2023"]),
        ((), PAPERS),
    ],
    ids=["categories", "valence and arousal", "both", "both, with raters and landmarks"],
)
def test_a_manifest_has_the_pages_of_the_papers_whose_labels_it_has(lacking, pages, tmp_path, survived):
    faces = make_faces(300, seed=11, size=48)
    without = dict.fromkeys(lacking) | ({"affect": faces.affect * np.nan} if "affect" in lacking else {})
    write_manifest(replace(faces, truth=None, **without), tmp_path / "mine")
    tree = Tree(tmp_path / "tree", papers=PAPERS)
    assert tree.reproduce("--track", "manifest", "--data", str(tmp_path / "mine")) == 0, tree.said
    made = {path.stem[3:] for path in (tree.folder / "notebooks" / "executed").rglob("*.ipynb")}
    assert made == {*pages, *(["scoreboard"] if pages else [])}
    for key in {*PAPERS} - made:
        assert f"{key}: nothing to do, these data have none of the labels that it learns" in tree.said
    survived("manifests")
