"""A user's own CSV: all papers that can learn from its labels have their page, whichever labels it has."""

from dataclasses import replace

import numpy as np
import pytest
from layouts import write_manifest
from trees import Tree

from paperlib.companion.reproduce import NOTEBOOKS, PAPERS, PLANS
from paperlib.twin import make_faces

LEARN = {
    "categories": set(),
    "valence and arousal": {"foteinopoulou2021", "toisoul2021"},
    "both": {"foteinopoulou2021", "le2023", "neo2023"},
    "both, with raters and landmarks": {"foteinopoulou2021", "le2023", "neo2023", "toisoul2021"},
}
LACKING = [("affect", "ratings"), ("expression", "ratings"), ("ratings", "landmarks"), ()]


@pytest.mark.parametrize(("lacking", "pages"), zip(LACKING, LEARN.values(), strict=True), ids=list(LEARN))
def test_a_manifest_has_the_pages_of_the_papers_whose_labels_it_has(lacking, pages, tmp_path, survived):
    faces = make_faces(300, seed=11, size=48)
    without = dict.fromkeys(lacking) | ({"affect": faces.affect * np.nan} if "affect" in lacking else {})
    write_manifest(replace(faces, truth=None, **without), tmp_path / "mine")
    tree = Tree(tmp_path / "tree", papers=())
    status = tree.reproduce("--track", "manifest", "--data", str(tmp_path / "mine"))
    assert (status == 0) == bool(pages), tree.said
    if not pages:
        assert "nothing to do on track manifest, which lacks the labels" in tree.said
    made = {path.name for path in (tree.folder / "notebooks" / "executed").rglob("*.ipynb")}
    assert made == {f"{PAPERS[key]}.ipynb" for key in pages} | ({"00_scoreboard.ipynb"} if pages else set())
    assert all((NOTEBOOKS / name).is_file() for name in made) and {p.stem for p in PLANS.iterdir()} >= pages
    survived("manifests")
