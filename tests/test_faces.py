"""Faces of photographs, from a file, a folder or frames, to a table."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from PIL import Image
from safetensors import safe_open
from skimage import data

from paperlib import detector, emofan_checkpoint, faces
from paperlib.companion.runs import Result
from paperlib.companion.samples import kept_network
from paperlib.inference import Predictor
from paperlib.models.emofan import EmoFAN

pytest.importorskip("dlib", reason="the extra `faces` is not installed")


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return Predictor(EmoFAN(classes=8, width=16, depth=1, size=32), mirror=False, engine="torch")


@pytest.fixture(scope="module")
def person():
    return data.astronaut()[:256, 96:352]  # one face, some 90 pixels wide


@pytest.fixture(scope="module")
def points(person):
    return detector.find_faces(person)[0]


def test_the_landmarks_lie_where_eyes_nose_and_mouth_are(person, points):
    red_lips = person[..., 0].astype(int) - person[..., 1]
    x, y = points[48:60].mean(axis=0).astype(int)
    assert red_lips[y, x] > np.median(red_lips) + 20
    assert points[36:42, 0].mean() < points[31:36, 0].mean() < points[42:48, 0].mean()  # eye, nose, eye


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_landmarks_are_in_the_pictures_own_pixels(person, points, scale):
    other = np.asarray(Image.fromarray(person).resize([round(256 * scale)] * 2))
    assert_allclose(detector.find_faces(other)[0] / scale, points, atol=6)


def test_many_faces_come_from_left_to_right(person, network):
    two = np.concatenate([person, person[:, ::-1]], axis=1)
    found = faces.read(two, network)
    assert found.table["face"].tolist() == [0, 1]
    assert found.table["left"][0] < 256 < found.table["left"][1]
    assert found.landmarks.shape == (2, 68, 2)


def test_a_face_cut_by_the_border_is_read_and_remarked(person, points, network):
    cut = person[:, round(points[:, 0].min()) + 12 :]
    found = faces.read(cut, network)
    assert found.table["remark"].tolist() == [faces.CUT]
    assert found.table["valence"].notna().all()


def _saved(folder, person, name):
    folder.mkdir(exist_ok=True)
    Image.fromarray(person).save(folder / name)
    return folder / name


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_picture_in_other_colours_gives_the_same_landmarks(tmp_path, person, points, network, mode):
    Image.fromarray(person).convert(mode).save(tmp_path / "other.jpg")
    found = faces.read(tmp_path / "other.jpg", network)
    assert_allclose(found.landmarks[0], points, atol=4)
    assert found.table["picture"].tolist() == ["other.jpg"]


def test_a_face_reads_the_same_alone_and_in_a_folder(tmp_path, person, network):
    for name in ("b.png", "a.png"):
        _saved(tmp_path, person, name)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.warns(UserWarning, match="1 files are no pictures by their endings, notes.txt first"):
        found = faces.read(tmp_path, network).table
    alone = faces.read(tmp_path / "a.png", network).table
    assert found["picture"].tolist() == ["a.png", "b.png", "broken.jpg"]
    pd.testing.assert_frame_equal(found[:1], alone, check_dtype=False)
    assert "broken.jpg cannot be read" in found["remark"][2]
    with pytest.raises(ValueError, match="broken.jpg cannot be read"):
        faces.read(tmp_path / "broken.jpg", network)


def test_frames_are_numbered_and_one_without_a_face_has_a_line_that_says_so(person, network):
    found = faces.read(np.stack([person, person, np.zeros_like(person)]), network)
    assert found.table["picture"].tolist() == ["0", "1", "2"]
    assert found.table["remark"].tolist() == ["", "", faces.NONE]
    assert found.table.loc[2, ["face", "valence", "expression"]].isna().all()
    assert np.isnan(found.landmarks[2]).all() and list(found.table) == list(faces.COLUMNS)


def test_another_detector_gives_landmarks_or_boxes(person, points, network):
    by_points = faces.read(person, network, find=lambda picture: [points])
    pd.testing.assert_frame_equal(by_points.table, faces.read(person, network).table)
    low, high = points.min(axis=0), points.max(axis=0)
    by_box = faces.read(person, network, find=lambda picture: [[*low, *high]])
    assert by_box.table["remark"].notna().all()
    with pytest.raises(TypeError, match=r"boxes \(k, 4\) or landmarks \(k, 68, 2\); got \(1, 5, 2\)"):
        faces.read(person, network, find=lambda picture: [points[:5]])


def test_a_face_that_cannot_lie_in_its_picture_costs_that_picture_alone(tmp_path, person, points, network):
    for name in ("a.png", "b.png"):
        _saved(tmp_path, person, name)
    answers = iter([[points + 9_000], [points]])
    found = faces.read(tmp_path, network, find=lambda picture: next(answers)).table
    assert "mark no face in a picture" in found["remark"][0] and found["remark"][1] == ""


def test_no_such_file_folder_or_picture(tmp_path, network):
    with pytest.raises(ValueError, match=r"a picture must be uint8 .* got uint8 \(9, 9, 4\)"):
        faces.read(np.zeros((9, 9, 4), np.uint8), network)
    with pytest.raises(FileNotFoundError, match="nobody.jpg"):
        faces.read(tmp_path / "nobody.jpg", network)
    with pytest.raises(ValueError, match="has no picture; pictures end in"):
        faces.read(tmp_path, network)


def test_without_dlib_the_message_says_what_to_install(person, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None)
    detector._dlib.cache_clear()
    with pytest.raises(ImportError, match="pip install dlib-bin"):
        detector.find_faces(person)
    detector._dlib.cache_clear()


def test_landmarks_of_many_are_kept(person, points, tmp_path, monkeypatch):
    nobody = np.zeros_like(person)
    found = detector.landmarks_of(np.stack([person, nobody]), cache=tmp_path)
    assert_allclose(found[0], points, atol=1e-3)
    assert np.isnan(found[1]).all()
    monkeypatch.setattr(detector, "find_faces", None)
    again = detector.landmarks_of(np.stack([person, nobody]), cache=tmp_path)
    np.testing.assert_array_equal(again, found)


def test_the_picture_shows_every_face(person, network):
    figure = faces.read(np.concatenate([person, person], axis=1), network).draw()
    photograph, plane = figure.axes
    assert len(photograph.patches) == 2
    assert {text.get_text().split(":")[0].strip() for text in plane.texts} == {"0", "1"}


def test_the_command_goes_on_where_it_was_cut_off(tmp_path, person, network, monkeypatch):
    folder, out = tmp_path / "in", tmp_path / "affect.csv"
    for name in ("a.png", "b.png", "c.png"):
        _saved(folder, person, name)
    faces.write(folder, out, network)
    whole = out.read_bytes()
    lines = whole.splitlines(keepends=True)
    seen = []
    opened = faces._opened
    monkeypatch.setattr(faces, "_opened", lambda path: seen.append(path.name) or opened(path))
    out.write_bytes(b"".join(lines[:2]) + lines[2][:9])
    faces.write(folder, out, network)
    assert out.read_bytes() == whole
    assert "c.png" in seen and len(seen) < 4
    assert pd.read_csv(out)["picture"].tolist() == ["a.png", "b.png", "c.png"]


def test_the_command_refuses_another_table_another_network_and_another_folder(tmp_path, person, network):
    one, two = tmp_path / "one", tmp_path / "two"
    for folder, name in ((one, "a.png"), (two, "b.png"), (two, "c.png")):
        _saved(folder, person, name)
    other = tmp_path / "other.csv"
    other.write_text("name,age\nx,3\n")
    with pytest.raises(ValueError, match="other.csv is another table; name a new file"):
        faces.write(one, other, network)
    assert other.read_text() == "name,age\nx,3\n"
    out = two / "affect.csv"  # beside the pictures, where it is none of them
    faces.write(two, out, network)
    faces.write(two, out, network)
    with pytest.raises(ValueError, match="affect.csv has b.png, which is not in .*; name a new file"):
        faces.write(one, out, network)
    torch.manual_seed(1)
    with pytest.raises(ValueError, match="affect.csv was written with another network"):
        faces.write(two, out, Predictor(EmoFAN(classes=8, width=16, depth=1, size=32), engine="torch"))


def test_the_command_says_what_is_wrong_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["faces", str(tmp_path / "none")])
    monkeypatch.setattr(faces, "small", lambda: None)
    with pytest.raises(SystemExit, match="there is no folder"):
        faces.main()


def test_a_run_is_kept_with_its_weights_and_its_scores(tmp_path, monkeypatch, rng):
    model = EmoFAN(classes=8, width=16, depth=1, size=32, attention=True).eval()
    affect = rng.uniform(-1, 1, (4, 2)).astype(np.float32)
    parts = SimpleNamespace(faces=SimpleNamespace(name="somebody's"), train=range(5), test=[0, 1, 2, 3])
    parts.label, parts.affect = np.array([0, 1, 2, -1]), affect
    monkeypatch.setattr(kept_network, "problem", lambda track: parts)
    weights = {f"weights.{name}": tensor.numpy() for name, tensor in model.state_dict().items()}
    settings = {"width": 16, "depth": 1, "size": 32, "attention": True}
    run = SimpleNamespace(track=None, settings=settings)
    arrays = {"logits": np.eye(8)[[0, 1, 3, 3]], "affect": affect, **weights}
    path = tmp_path / "kept.safetensors"
    kept_network.keep(Result(run=run, key="", seconds=0.0, arrays=arrays), path)
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["test"])
    assert said == {"accuracy": 0.6667, "faces": 4, "CCC of valence": 1.0, "CCC of arousal": 1.0}
    monkeypatch.setattr(emofan_checkpoint, "KEPT", path)
    read, halved = emofan_checkpoint.load_kept(), 2**-11  # a half has eleven bits
    assert not read.training
    torch.testing.assert_close(read.state_dict(), model.state_dict(), atol=1e-7, rtol=halved)


def test_the_network_that_comes_with_the_code_reads_a_smile():
    found = faces.read(data.astronaut())
    assert found.table["expression"].tolist() == ["happy"] and found.table["valence"][0] > 0.3
