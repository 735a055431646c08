"""Files from strangers: no code of theirs is run, and no name of theirs leads out of the data folder."""

import os
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from damage import cells
from PIL import Image
from wellformed import LAYOUTS, SIZE

from paperlib.training import Rows, Schedule, fit, make_fabric

# code in files


@dataclass
class Evil:
    """Unpickled, it makes a file."""

    file: str

    def __reduce__(self):
        return os.system, (f"touch {self.file}",)


@pytest.fixture
def evil(tmp_path, survived):
    """What must not be run; afterwards it was not."""
    done = tmp_path / "it was run"
    payload = Evil(f"'{done}'")
    pickle.loads(pickle.dumps(payload))
    assert done.exists()  # it would have been noticed
    done.unlink()
    survived("files with code in them refused, the code not run")
    yield payload
    assert not done.exists()


def objects(path, payload):
    """A .npy that is a pickle."""
    np.save(path, np.array([payload]), allow_pickle=True)


def test_a_checkpoint_of_a_training_with_code_is_not_resumed_from(evil, tmp_path):
    torch.save({"model": evil, "epoch": 1}, tmp_path / "run.ckpt")
    rows = Rows(np.zeros((4, 2), np.float32))
    with pytest.raises(ValueError, match=r"run.ckpt cannot be resumed from; delete it"):
        fit(
            torch.nn.Linear(2, 1),
            lambda model, batch: model(batch[0]).square().mean(),
            rows,
            Schedule(epochs=2, batch=2, learning_rate=0.1),
            seed=0,
            fabric=make_fabric(accelerator="cpu", precision="32-true"),
            checkpoint=tmp_path / "run.ckpt",
        )


@pytest.mark.parametrize(
    ("layout", "file"),
    [
        ("manifest", "landmarks/000002.npy"),
        ("affectnet-folders", "train_set/annotations/000002_exp.npy"),
        ("affectnet-folders", "train_set/annotations/000002_lnd.npy"),
    ],
)
def test_an_array_with_code_is_refused(evil, tmp_path, layout, file):
    LAYOUTS[layout].write(tmp_path / "data")
    objects(tmp_path / "data" / file, evil)
    with pytest.raises(ValueError, match=Path(file).name):
        LAYOUTS[layout].load(tmp_path / "data", tmp_path / "cache")


def test_a_converted_data_set_with_code_is_refused(evil, tmp_path):
    LAYOUTS["manifest"].write(tmp_path / "data")
    LAYOUTS["manifest"].load(tmp_path / "data", tmp_path / "cache")
    (entry,) = (tmp_path / "cache").glob("manifest-*")
    objects(entry / "affect.npy", evil)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        LAYOUTS["manifest"].load(tmp_path / "data", tmp_path / "cache")


# names that lead out

OUTSIDE = (
    "../outside/{0}",
    "{1}/outside/{0}",
    "images/../../outside/{0}",
    "out/{0}",
    "..\\outside\\{0}",
    "~/{0}",
)

# a layout's table, the column of names, and of what suffix the file is
NAMED = [
    ("affectnet-csv", "training.csv", "subDirectory_filePath", "png"),
    ("affectnet-csv", "validation.csv", "subDirectory_filePath", "png"),
    ("morphset", "Morphset.csv", "Filename", "png"),
    ("manifest", "manifest.csv", "path", "png"),
    ("manifest", "manifest.csv", "landmarks", "npy"),
    ("recordings", "recordings.csv", "ratings", "csv"),
    ("recordings", "recordings.csv", "audio", "wav"),
    ("recordings", "recordings.csv", "landmarks", "csv"),
    ("recordings-features", "recordings.csv", "audio_features", "csv"),
]

# layout -> the folder that the names in its table count from, where it is not the table's
COUNTED_FROM = {"affectnet-csv": "Manually_Annotated_Images", "morphset": "images"}


@pytest.fixture
def outside(tmp_path):
    """A folder beside the data, of files that would do if they were read; `secret` stands in none of the data."""
    folder = tmp_path / "outside"
    folder.mkdir()
    Image.new("RGB", (SIZE, SIZE)).save(folder / "secret.png")
    Image.new("RGB", (SIZE, SIZE)).save(folder / "secret.jpg")
    np.save(folder / "secret.npy", np.random.default_rng(0).uniform(0, SIZE, (68, 2)))
    (folder / "secret.csv").write_text("time;a_valence;a_arousal\n0;0;0\n")
    (folder / "secret.wav").write_bytes(b"RIFF")
    return folder


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize(("layout", "table", "column", "suffix"), NAMED)
def test_a_name_in_a_table_does_not_leave_the_folder(
    tmp_path, outside, layout, table, column, suffix, name, survived
):
    folder = tmp_path / "data"
    LAYOUTS[layout].write(folder)
    if name.startswith("out/"):  # where the table's names count from
        (folder / COUNTED_FROM.get(layout, ".") / "out").symlink_to(outside)
    cells(3, **{column: name.format(f"secret.{suffix}", tmp_path)})(folder / table)
    with pytest.raises((ValueError, FileNotFoundError), match=f"{table}, row 3|/out leaves") as caught:
        LAYOUTS[layout].load(folder, tmp_path / "cache")
    inside = name.startswith("~")  # a folder like any other, which is not there
    assert inside or "leaves the data folder" in str(caught.value)
    survived("names that lead out of the data folder refused")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_no_file_and_no_folder_may_be_a_link_that_leads_out(tmp_path, outside, layout, survived):
    folder = tmp_path / "data"
    LAYOUTS[layout].write(folder)
    for path in sorted(folder.rglob("*")):
        path.rename(outside / "moved")  # well-formed, but elsewhere
        path.symlink_to(outside / "moved")
        with pytest.raises(ValueError, match=f"leaves the data folder by a link to {outside}/moved.* as DAT"):
            LAYOUTS[layout].load(folder, tmp_path / "cache")
        path.unlink()
        (outside / "moved").rename(path)
        survived("links that lead out of the data folder refused")
    assert not list((tmp_path / "cache").glob("*-*"))
    LAYOUTS[layout].load(folder, tmp_path / "cache")


# archives


@pytest.mark.parametrize("member", ["../../001/evil.png", "/001/evil.png", "a/../../../002/002.json"])
def test_an_archive_of_afew_va_is_listed_and_never_unpacked(tmp_path, member, survived):
    folder = tmp_path / "data"
    LAYOUTS["afewva"].write(folder)
    with zipfile.ZipFile(folder / "01.zip", "w") as archive:
        archive.writestr(member, b"evil")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    LAYOUTS["afewva"].load(folder, tmp_path / "cache")
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if "cache" not in path.parts}
    assert {path: after[path] for path in before} == before and len(after) == len(before)
    survived("archives with names that lead out not unpacked")
