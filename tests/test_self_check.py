import json

import numpy as np
import pytest
import torch
from PIL import Image

from paperlib import self_check
from paperlib.emofan_checkpoint import released_name
from paperlib.inference import crop_face
from paperlib.models.emofan import EmoFAN
from tests.test_emofan_checkpoint import Released


@pytest.fixture(scope="module")
def shown():
    return self_check.picture()


@pytest.fixture(scope="module")
def crop(shown):
    return crop_face(shown.image, shown.landmarks, size=self_check.SIZE)[0]


def test_everything_is_as_recorded():
    found = self_check.check()
    assert found["as_expected"].all(), found.to_string()


def test_the_recorded_outputs_are_those_of_an_independent_network(crop):
    model = self_check.formula_weights(EmoFAN(classes=8))
    state = {released_name(name): value for name, value in model.state_dict().items()}
    x = torch.from_numpy(np.array(crop)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        _, expression, valence, arousal = Released(state)(x)
    outputs = [float(valence), float(arousal), *expression.softmax(1)[0].tolist()]
    recorded = json.loads((self_check.FOLDER / "self_check.json").read_text())["outputs"]
    np.testing.assert_allclose(outputs, recorded, atol=1e-4)


def test_the_picture_is_the_twin_s(tmp_path, monkeypatch, shown):
    monkeypatch.setattr(self_check, "FOLDER", tmp_path)
    monkeypatch.setattr(self_check, "FORMS", {"plain": ({"fold": True}, 1e-4)})
    self_check.record()
    again = self_check.picture()
    np.testing.assert_array_equal(again.image, shown.image)
    np.testing.assert_array_equal(again.landmarks, shown.landmarks)
    assert (again.affect, again.expression) == (shown.affect, shown.expression)


def test_the_face_is_where_the_landmarks_say_and_not_in_the_middle(shown):
    height, width = shown.image.shape[:2]
    assert (shown.landmarks > 0).all() and (shown.landmarks < (width, height)).all()
    assert np.abs(shown.landmarks.mean(axis=0) - (width / 2, height / 2)).max() > 20
    eyes, beside = shown.landmarks[36:48].mean(axis=0), np.array([10, 10])
    patches = [
        shown.image[int(y) - 4 : int(y) + 5, int(x) - 20 : int(x) + 21] for x, y in (eyes, beside + 15)
    ]
    assert patches[0].std() > 2 * patches[1].std()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c, "as expected"),
        (
            lambda c: np.asarray(Image.fromarray(c).resize((128, 128), Image.Resampling.LANCZOS)),
            "as expected",
        ),
        (lambda c: c[..., ::-1], "blue and red are exchanged"),
        (lambda c: c[:, ::-1], "the picture is mirrored"),
        (lambda c: c[:, ::-1, ::-1], "exchanged (BGR), and the picture is mirrored"),
        (lambda c: c / 255, "values are float64 from 0 to 1: multiply by 255"),
        (lambda c: c.astype(np.float32), "values are float32 from"),
        (lambda c: c.transpose(2, 0, 1), "channels come first, (3, 256, 256)"),
        (lambda c: c[..., 0], "the shape is (256, 256)"),
        (lambda c: c[:200], "give a square picture"),
        (lambda c: 255 - c, "no crop of the self-check picture"),
    ],
)
def test_a_wrong_crop_is_told_what_is_wrong(crop, change, words):
    assert words in self_check.diagnose(change(crop))


@pytest.mark.parametrize(
    ("scale", "dx", "dy"), [(1.25, 0, 0), (0.8, 0, 0), (1, 0.15, -0.1), (1.2, -0.1, 0.1)]
)
def test_a_wrong_window_is_measured(shown, scale, dx, dy):
    low, high = shown.landmarks.min(axis=0), shown.landmarks.max(axis=0)
    centre, side = (low + high) / 2, 200 * (high - low).sum() / 220
    left, top = centre + np.array([dx, dy]) * side - scale * side / 2
    box = (left, top, left + scale * side, top + scale * side)
    whole = Image.fromarray(shown.image)
    taken = whole.transform((512, 512), Image.Transform.EXTENT, box, Image.Resampling.BICUBIC)
    said = self_check.diagnose(np.asarray(taken.resize((256, 256), Image.Resampling.BOX)))
    width = float(said.split(" times")[0].rpartition(" ")[2])
    assert width == pytest.approx(scale, rel=0.06), said
    if dx:
        assert ("right" if dx > 0 else "left") in said
        pixels = float(said.split("centre ")[1].split()[0])
        assert pixels == pytest.approx(abs(dx) * side, abs=4), said


def test_the_command_says_whether_all_is_well(monkeypatch, capsys):
    monkeypatch.setattr(self_check, "FORMS", {"folded": ({"fold": True}, 1e-4)})
    assert self_check.main([]) == 0
    assert "folded" in capsys.readouterr().out
    monkeypatch.setattr(self_check, "FORMS", {"folded": ({"fold": True}, -1.0)})
    assert self_check.main([]) == 1


def test_a_released_checkpoint_is_asked_about_the_picture(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(self_check, "FORMS", {})
    model = self_check.formula_weights(EmoFAN(classes=8))
    path = tmp_path / "emonet_8.pth"
    torch.save({released_name(name): value for name, value in model.state_dict().items()}, path)
    assert self_check.main([str(path)]) == 0
    said = capsys.readouterr().out
    assert "the twin's truth" in said and "no photograph" in said
    with pytest.raises(SystemExit, match="self_check: "):
        self_check.main([str(tmp_path / "missing.pth")])
