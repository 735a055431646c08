"""The example of how a paper is added: laid over a copy of the repository, it is reproduced like the others."""

import os
import shutil
import subprocess
import sys

import nbformat
import pandas as pd
import pytest

from paperlib.files import ROOT

EXAMPLE = ROOT / "examples" / "one_table_paper"
FILES = sorted(p.relative_to(EXAMPLE) for p in EXAMPLE.rglob("*.*") if "__pycache__" not in p.parts)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the repository, the example's files among its own, after its runs, samples and page were made."""
    tree = tmp_path_factory.mktemp("tree")
    left = shutil.ignore_patterns("__pycache__", "executed", "*.parquet")
    for name in ("paperlib", "notebooks", "data"):
        shutil.copytree(ROOT / name, tree / name, ignore=left)
    shutil.copy(ROOT / "requirements.lock", tree)
    shutil.copytree(EXAMPLE, tree, dirs_exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PAPERLIB_OUTPUTS", "PAPERLIB_DATA")}
    environment |= {"PYTHONPATH": str(tree), "PAPERLIB_CACHE": str(tree / ".cache")}
    words = ["--train", "all", "--paper", "nobody2030", "--profile", "smoke", "--jobs", "1"]
    command = [sys.executable, "-m", "paperlib.companion.reproduce", *words]
    done = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return tree


def test_a_paper_is_new_files_alone():
    assert len(FILES) == 12 and not [path for path in FILES if (ROOT / path).exists()]


def test_its_page_has_the_paper_s_numbers_beside_ours_and_a_verdict_a_statement(tree):
    made = tree / "figures" / "twin-smoke" / "nobody2030"
    verdicts = pd.read_csv(made / "verdicts.csv").set_index("id")
    assert verdicts["verdict"].to_dict() == {"many-better": "held in part", "experts-better": "not attempted"}
    table = pd.read_csv(made / "table1.csv")
    numbers = table[table["less teacher"].isna()].set_index(["teacher", "dimension"])["estimate"]
    assert numbers["one rater", "valence"] < numbers["all raters", "valence"] < 1
    page = nbformat.read(tree / "notebooks" / "executed" / "twin-smoke" / "07_nobody2030.ipynb", as_version=4)
    shown = "".join(o.get("data", {}).get("text/html", "") for c in page.cells for o in c.get("outputs", []))
    assert "printed 0.61" in shown and "the twin&#x27;s raters are all alike" in shown
    assert pd.read_csv(made / "audit.csv")["status"].tolist()[0].startswith("matches")


def test_the_text_names_every_file_of_it():
    text = (ROOT / "docs" / "how-it-is-made.md").read_text()
    names = {path.name for path in FILES}
    assert not [name for name in names if name not in text]
