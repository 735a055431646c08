"""README's lines from a photograph to a prediction, as they stand there."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

from paperlib.inference import Predictor, crop_face
from paperlib.models.emofan import EmoFAN

EYES_AND_MOUTH = np.array([[203, 101], [248, 103], [223, 145]])  # of the photograph, in its pixels, by eye


def lines_of_readme() -> str:
    text = (Path(__file__).parent.parent / "docs" / "methods.md").read_text()
    found = re.search(r"\n    from skimage import.*?\n(?=\S)", text, re.DOTALL)
    assert found
    return textwrap.dedent(found[0])


def test_readme_s_lines_find_the_face_of_the_photograph():
    pytest.importorskip("skimage")
    predictor = Predictor(EmoFAN(classes=8, width=16, depth=2, size=64))
    names = {"predictor": predictor, "crop_face": crop_face}
    exec(lines_of_readme(), names)
    box = np.array(names["box"])
    _, window = crop_face(names["photograph"], box, size=64)
    assert (box[0] < EYES_AND_MOUTH).all() and (EYES_AND_MOUTH < box[1]).all()
    assert ((window.to_crop(EYES_AND_MOUTH) > 12) & (window.to_crop(EYES_AND_MOUTH) < 52)).all()
    assert np.ptp(EYES_AND_MOUTH[:, 0]) > 0.25 * window.side
    assert names["found"].affect.shape == (1, 2) and names["crop"].shape == (64, 64, 3)
