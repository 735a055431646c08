"""AFEW-VA: round trip, the crop, frames by hand, person-independent folds, what is counted, bad files."""

import json
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_afewva
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from paperlib import twin
from paperlib.data import load_afewva, person_folds, requirements
from paperlib.data.afewva import crop_box

SIZE = 48
ACTORS = ["Ana Abel", "Ben Bach", "Cy Cole"]


@pytest.fixture(scope="module")
def faces():
    faces = twin.make_faces(12, seed=0, size=SIZE, channels=3)
    return replace(faces, subject=np.repeat(ACTORS, 4))


@pytest.fixture
def written(faces, tmp_path):
    write_afewva(faces, tmp_path / "afewva")
    return tmp_path / "afewva"


def load(folder, **changes):
    return load_afewva(folder, **{"size": SIZE, "cache": folder.parent / "cache", **changes})


def change(folder, edit, clip="002"):
    """Rewrite the annotations of a clip after `edit`, which gets and changes what the file holds."""
    path = folder / clip / f"{clip}.json"
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def test_written_faces_are_read_back_and_cut_to_their_landmarks(faces, written):
    read = load(written)
    assert np.abs(read.affect - faces.affect).max() <= 0.0501  # the layout stores tenths
    assert read.subject.tolist() == faces.subject.tolist() and set(read.split) == {"train"}
    assert read.expression is None and read.excluded == {}
    for row, points in enumerate(faces.landmarks):
        box = crop_box(points)
        cut = Image.fromarray(faces.images[row]).crop(box).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
        assert_array_equal(read.images[row], np.asarray(cut))
        scale = SIZE / (box[2] - box[0])
        assert_allclose(read.landmarks[row], (points - box[:2]) * scale, atol=1e-4)
    assert load(written).fingerprint == read.fingerprint
    assert (
        load_afewva(written.parent, size=SIZE, cache=written.parent / "other").fingerprint == read.fingerprint
    )
    assert all(there for _, there in requirements("afewva", written.parent))


def test_faces_that_were_cut_so_are_read_back_as_they_were(tmp_path):
    """In large pictures, where a pixel of rounding is little."""
    write_afewva(twin.make_faces(6, seed=0, size=256, channels=3), tmp_path / "afewva")
    once = load(tmp_path / "afewva", size=256)
    write_afewva(once, tmp_path / "again")
    twice = load(tmp_path / "again", size=256)
    assert_array_equal(twice.affect, once.affect)
    assert_array_equal(twice.subject, once.subject)
    assert_allclose(twice.landmarks, once.landmarks, atol=1.5)
    assert np.abs(twice.images.astype(int) - once.images).mean() < 4


def test_the_crop_is_the_releases():
    """Scale (110 + 110) / 220 = 1: a window of 200 pixels around the centre of the landmarks' box."""
    points = np.full((68, 2), [100.0, 200.0])
    points[0], points[1] = (45, 145), (155, 255)
    assert crop_box(points) == (0, 100, 200, 300)
    assert crop_box(points - [60, 0]) == (-60, 100, 140, 300)
    assert crop_box(2 * points) == (0, 200, 400, 600)


def test_a_frame_by_hand(tmp_path):
    """A white frame of 160 x 120 with the face at its left edge: what lies outside of it is black."""
    (tmp_path / "017").mkdir()
    Image.new("RGB", (160, 120), "white").save(tmp_path / "017" / "00003.png")
    points = [[5.0, 60.0]] * 66 + [[-22.5, 32.5], [32.5, 87.5]]
    entry = {"arousal": 7.0, "valence": -10.0, "landmarks": points}
    content = {"actor": "Unknown", "frames": {"00003": entry}, "video_id": "a film"}
    (tmp_path / "017" / "017.json").write_text(json.dumps(content))
    read = load_afewva(tmp_path, size=50, channels=1, cache=tmp_path / "cache")
    assert_array_equal(read.affect, np.float32([[-1, 0.7]]))
    assert read.subject.tolist() == ["017"]
    assert_allclose(read.landmarks[0, [0, 66, 67]], [[25, 25], [11.25, 11.25], [38.75, 38.75]])
    # the window is 100 wide from x = -45, so 22.5 of 50 pixels are outside
    assert read.images.shape == (1, 50, 50)
    assert (read.images[0, :, :21] == 0).all() and (read.images[0, :, 24:] == 255).all()


def test_clips_of_one_actor_are_one_subject_and_those_of_nobody_are_their_own(written):
    change(written, lambda content: content.update(actor="  Ana   Abel "), "002")
    change(written, lambda content: content.update(actor=None), "003")
    assert load(written).subject.tolist() == ["Ana Abel"] * 8 + ["003"] * 4


def test_clips_may_lie_in_the_folders_of_their_archives(written):
    before = load(written)
    for clip, archive in (("001", "01"), ("003", "02")):
        (written / archive).mkdir()
        (written / clip).rename(written / archive / clip)
    assert load(written).fingerprint == before.fingerprint
    (written / "02" / "002").mkdir()
    with pytest.raises(ValueError, match="02/002 is the same clip as 002. Take one of them out."):
        load(written)


def test_what_is_left_out_is_counted(faces, written):
    def blind(content):
        content["frames"]["00000"]["landmarks"] = []
        content["frames"]["00002"]["landmarks"] = [[0, 0]] * 68
        del content["frames"]["00003"]

    change(written, blind)
    (written / "003" / "landmarks.txt").write_text("")
    read = load(written, every=2)
    assert read.excluded == {
        "picture without annotation": 1,
        "frame without face": 2,
        "thinned out (every=2)": 5,
    }
    rows = [0, 2, 8, 10]
    assert_array_equal(read.subject, faces.subject[rows])
    assert np.abs(read.affect - faces.affect[rows]).max() <= 0.0501


@given(st.lists(st.integers(1, 40), min_size=5, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_persons_together_and_are_of_even_size(frames, folds, seed):
    subject = np.repeat([f"person {number}" for number in range(len(frames))], frames)
    fold = person_folds(subject, folds=folds, seed=seed)
    sizes = np.bincount(fold, minlength=folds)
    assert len(sizes) == folds and sizes.min() > 0
    assert sizes.max() - sizes.min() <= max(frames)
    assert all(len(set(fold[subject == person])) == 1 for person in set(subject))
    assert_array_equal(person_folds(subject[::-1], folds=folds, seed=seed), fold[::-1])


def test_folds_of_equal_persons_are_equal_and_drawn_by_the_seed():
    subject = np.repeat([f"{number:03d}" for number in range(240)], 10)
    folds = [person_folds(subject, seed=seed) for seed in (0, 0, 1)]
    assert np.bincount(folds[0]).tolist() == [480] * 5
    assert_array_equal(folds[0], folds[1])
    assert 0.1 < (folds[0] == folds[2]).mean() < 0.3  # a fifth agrees by chance


def test_too_few_persons_for_the_folds_are_refused():
    with pytest.raises(
        ValueError, match="5 folds need as many persons, and 2 or more; there are 4 persons. Ask"
    ):
        person_folds(np.array(list("abcd") * 3))
    with pytest.raises(ValueError, match="1 folds need as many persons, and 2 or more"):
        person_folds(np.array(["a", "b"]), folds=1)


@pytest.mark.parametrize("key", ["valence", "arousal"])
@pytest.mark.parametrize("value", [11, -10.5, float("nan"), "3", None, True])
def test_a_value_that_cannot_be_is_named(written, key, value):
    change(written, lambda content: content["frames"]["00001"].update({key: value}))
    with pytest.raises(ValueError) as caught:
        load(written)
    assert str(caught.value) == (
        f"002/002.json, frame 00001: {key} is {value}, not a number from -10 to 10. Restore the file from the "
        "release, or take the frame out of it."
    )


@pytest.mark.parametrize(
    "points",
    [
        [[1, 2]] * 67,
        [[1, 2, 3]] * 68,
        [[1, 2]] * 67 + [[1]],
        [[1, 2]] * 67 + [[1, float("nan")]],
        [[1, 2]] * 67 + [[1, float("inf")]],
        [[1, 2]] * 67 + [[1, None]],
        [[1, 2]] * 67 + [[1, 10**400]],
        [[1, 2]] * 67 + [[1, {}]],
        {"left": 3},
    ],
    ids=["67", "3d", "ragged", "nan", "infinite", "null", "huge", "object", "no list"],
)
def test_landmarks_that_cannot_be_are_named(written, points):
    change(written, lambda content: content["frames"]["00001"].update(landmarks=points))
    with pytest.raises(
        ValueError, match="002/002.json, frame 00001: the landmarks are not 68 pairs of finite"
    ):
        load(written)


@pytest.mark.parametrize(
    ("far", "message"),
    [
        ([1, 2], "the landmarks span 0 x 0 pixels, which is no face in a film. Restore the file"),
        ([1e5, 2], "the landmarks span 99999 x 0 pixels, which is no face"),
        ([901, 902], "lies outside 00001.png, 48 x 48 pixels. Correct the box"),
    ],
)
def test_landmarks_of_no_face_in_the_picture_are_named(written, far, message):
    points = [[900, 900], far] * 34 if far[0] == 901 else [[1, 2]] * 67 + [far]
    change(written, lambda content: content["frames"]["00001"].update(landmarks=points))
    with pytest.raises(ValueError, match=f"^002/002.json, frame 00001: .*{message}"):
        load(written)


def test_a_frame_that_is_not_as_it_should_be_is_named(written):
    def rename(content):
        content["frames"]["../../elsewhere"] = content["frames"].pop("00001")

    path = written / "002" / "002.json"
    text = path.read_text()
    change(written, rename)
    with pytest.raises(ValueError, match="002/002.json, frame ../../elsewhere: it is not named by a number"):
        load(written)
    path.write_text(text)
    change(written, lambda content: content["frames"]["00001"].pop("arousal"))
    with pytest.raises(
        ValueError, match="002.json, frame 00001: it lacks valence, arousal or landmarks. Rest"
    ):
        load(written)
    path.write_text(text)
    change(written, lambda content: content["frames"].update({"00001": [1, 2]}))
    with pytest.raises(
        ValueError, match="002.json, frame 00001: it lacks valence, arousal or landmarks. Rest"
    ):
        load(written)


@pytest.mark.parametrize("text", ['{"actor": "Ana", "frames": {', "", "\udcff", "[" * 100_000])
def test_annotations_that_are_no_json_are_named(written, text):
    (written / "002" / "002.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match="002/002.json is no JSON: .*. Restore it from the release."):
        load(written)


@pytest.mark.parametrize(
    "text", ["[]", '{"actor": "Ana"}', '{"frames": {"0": 1}}', '{"actor": "", "frames": {}}']
)
def test_annotations_of_another_form_are_named(written, text):
    (written / "002" / "002.json").write_text(text)
    with pytest.raises(ValueError, match='002/002.json has no "actor", or no "frames". Restore it'):
        load(written)


def test_files_that_are_missing_or_broken_are_named(written):
    picture = written / "002" / "00003.png"
    whole = picture.read_bytes()
    picture.write_bytes(whole[:200])
    with pytest.raises(
        ValueError, match="002.json, frame 00003: the picture 00003.png cannot be read .* Repl"
    ):
        load(written)
    picture.unlink()
    message = (
        "002/002.json, frame 00003: there is no picture 002/00003.png. Restore it, or take the frame out"
    )
    with pytest.raises(FileNotFoundError, match=message):
        load(written, every=2)
    picture.write_bytes(whole)
    (written / "003" / "003.json").unlink()
    with pytest.raises(
        FileNotFoundError, match="003/003.json is not there. Restore it, or take the folder 003"
    ):
        load(written)


def test_a_clip_or_a_picture_that_leaves_the_folder_is_named(written):
    (written / "002").rename(written.parent / "elsewhere")
    (written / "002").symlink_to(written.parent / "elsewhere")
    with pytest.raises(ValueError, match="/002 leaves the data folder by a link to .*elsewhere. Copy there"):
        load(written)
    (written / "002").unlink()
    picture = written / "003" / "00001.png"
    picture.unlink()
    picture.symlink_to(written.parent / "elsewhere" / "00001.png")
    with pytest.raises(ValueError, match=r"/003/00001.png leaves the data folder by a link to .*elsewhere"):
        load(written)
    picture.unlink()
    (written / "01.zip").symlink_to(written.parent / "elsewhere.zip")
    with pytest.raises(ValueError, match=r"01.zip: the file name '01.zip' leaves the data folder by a link"):
        load(written)


@pytest.mark.parametrize(
    ("actor", "message"),
    [
        ('["x"]', """002/002.json, key "actor": ['x'] is no name. Restore the file"""),
        ("7", '002/002.json, key "actor": 7 is no name'),
        ('"Ana", "actor": "Ben"', "002/002.json is no JSON: the key 'actor' is there twice. Restore it"),
    ],
)
def test_an_actor_who_is_no_name_or_named_twice_is_refused(written, actor, message):
    path = written / "002" / "002.json"
    name = json.dumps(json.loads(path.read_text())["actor"])
    path.write_text(path.read_text().replace(f'"actor": {name}', f'"actor": {actor}'))
    with pytest.raises(ValueError, match=re.escape(message)):
        load(written)


def test_an_archive_that_is_not_unpacked_is_named(written, tmp_path):
    before = load(written)
    with zipfile.ZipFile(written / "01.zip", "w") as archive:
        for clip in ("001", "002"):
            archive.write(written / clip / f"{clip}.json", f"01/{clip}/{clip}.json")
    assert load(written).fingerprint == before.fingerprint
    (written / "002").rename(tmp_path / "002")
    with pytest.raises(
        FileNotFoundError, match="01.zip is not unpacked: 1 of its clips, from 002 on, have no folder. Unpack"
    ):
        load(written)
    (written / "01.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="01.zip is not a whole archive: .*. Fetch it again, or take it out"):
        load(written)


def test_what_cannot_be_loaded_or_written_is_refused(faces, written, tmp_path):
    with pytest.raises(ValueError, match="every must be 1 or more; got 0"):
        load(written, every=0)
    (tmp_path / "empty" / "elsewhere").mkdir(parents=True)
    with pytest.raises(
        FileNotFoundError, match="empty holds no clip, a folder such as 001. data/README.md says"
    ):
        load(tmp_path / "empty")
    for clip in ("001", "002", "003"):
        change(written, lambda content: [f.update(landmarks=[]) for f in content["frames"].values()], clip)
    with pytest.raises(
        ValueError, match="no frame is left, of .*'frame without face': 12.* Add annotated frames"
    ):
        load(written)
    for field in ("subject", "landmarks"):
        with pytest.raises(ValueError, match="AFEW-VA needs a subject"):
            write_afewva(replace(faces, **{field: None}), tmp_path)
    with pytest.raises(ValueError, match="AFEW-VA needs a subject"):
        write_afewva(replace(faces, affect=np.full((12, 2), np.nan, np.float32)), tmp_path)
