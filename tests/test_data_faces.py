"""Readers of pictures of faces: what was written is read back, and what is special to each layout."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from damage import cells, keys, line
from hypothesis import given
from hypothesis import strategies as st
from layouts import write_affwild
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from wellformed import LAYOUTS, SIZE, as_affwild2, faces

from paperlib import data
from paperlib.data import manifest, person_folds, requirements
from paperlib.data.afewva import crop_box
from paperlib.labels import EXPRESSIONS

# layout -> what it holds exactly; JPEG and tenths are compared below
EXACT = {
    "affectnet-csv": ("images", "split", "expression", "affect"),
    "affectnet-folders": ("split", "expression", "affect"),
    "affwild": ("images", "affect", "subject"),
    "affwild2": ("images", "affect", "subject"),
    "afewva": ("subject",),
    "morphset": ("images", "affect", "expression"),
    "rafdb": ("split", "expression", "affect"),
    "manifest": ("images", "split", "subject", "expression", "affect", "ratings"),
}


@pytest.fixture
def put(tmp_path):
    """Write a layout, well-formed, into the folder that is named after its track."""

    def write(name):
        folder = tmp_path / name.partition("-")[0].rstrip("2")
        LAYOUTS[name].write(folder)
        return folder

    return write


def load(folder, **options):
    read = getattr(data, f"load_{folder.name}")
    return read(folder, **{"size": SIZE, "cache": folder.parent / "c", **options})


@pytest.mark.parametrize("name", EXACT)
def test_written_faces_are_read_back(name, put):
    folder = put(name)
    read = load(folder)
    for field in EXACT[name]:
        assert_array_equal(getattr(read, field), getattr(faces(), field))
    if "images" not in EXACT[name] and name != "afewva":  # JPEG
        assert np.abs(read.images.astype(int) - faces().images).mean() < 4
    if name.startswith(("affectnet", "manifest")):
        assert_allclose(read.landmarks, faces().landmarks, atol=1e-4)
    assert read.excluded == {}
    assert load(folder, cache=folder.parent / "other").fingerprint == read.fingerprint
    if name != "manifest":
        there = dict(requirements(folder.name, folder.parent))
        there.pop("label_parameters.json", None)
        assert all(there.values())
    half = load(folder, size=SIZE // 2, channels=1)
    assert half.images.shape == (14, SIZE // 2, SIZE // 2) and half.fingerprint != read.fingerprint


PACKAGINGS = {  # what lies elsewhere where archives are unpacked as they come
    "affectnet-csv": {
        "training.csv": "Manually_Annotated_file_lists",
        "validation.csv": "Manually_Annotated_file_lists",
        "Manually_Annotated_Images": "Manually_Annotated_compressed",
    },
    "rafdb": {"Image/aligned": "Image/aligned"},
}


@pytest.mark.parametrize("name", PACKAGINGS)
def test_archives_that_were_unpacked_as_they_come_are_read(name, put):
    folder = put(name)
    expected = load(folder).fingerprint
    for part, into in PACKAGINGS[name].items():
        (folder / part).rename(folder / "moved")
        (folder / into).mkdir(parents=True, exist_ok=True)
        (folder / "moved").rename(folder / into / Path(part).name)
    assert load(folder).fingerprint == expected
    assert all(there for _, there in requirements(folder.name, folder.parent))


def test_a_list_without_header_is_read_and_its_rows_counted_from_one(put):
    folder = put("affectnet-csv")
    expected, path = load(folder).fingerprint, folder / "validation.csv"
    path.write_text(path.read_text().partition("\n")[2])
    assert load(folder).fingerprint == expected
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:2], rows[2].replace(rows[2].split(",")[0], "1/none.png"), *rows[3:]]))
    with pytest.raises(FileNotFoundError, match="^validation.csv, row 3: there is no picture none.png"):
        load(folder)


def test_a_list_that_was_saved_with_its_row_numbers_has_a_header_still(put):
    folder = put("affectnet-csv")
    expected, path = load(folder).fingerprint, folder / "training.csv"
    pd.read_csv(path).to_csv(path)  # its first column has no name
    assert load(folder).fingerprint == expected


# AffectNet


def test_the_picture_and_its_landmarks_are_cut_to_the_face_box(put):
    folder = put("affectnet-csv")
    frame = np.zeros((100, 80, 3), np.uint8)
    frame[30 : 30 + SIZE, 20 : 20 + SIZE] = faces().images[0]
    Image.fromarray(frame).save(folder / "Manually_Annotated_Images" / "1" / "000000.png")
    points = ";".join(map(str, (faces().landmarks[0] + [20, 30]).ravel()))
    cells(2, face_x="20", face_y="30", facial_landmarks=points)(folder / "training.csv")
    read = load(folder)
    assert_array_equal(read.images[0], faces().images[0])
    assert_allclose(read.landmarks[0], faces().landmarks[0], atol=1e-4)


def test_rows_left_out_need_no_box_and_are_counted_by_their_category(put):
    folder = put("affectnet-csv")
    gone = dict.fromkeys(["face_x", "face_y", "face_width", "face_height", "facial_landmarks"], "NULL")
    none = {"valence": "-2", "arousal": "-2"}
    for row, more in enumerate(({"expression": "10"} | gone, {"expression": "9"}, {"expression": "8"}, {})):
        cells(row + 2, **none | more)(folder / "training.csv")
    reasons = ["no face", "uncertain", "none", "no valence or arousal (-2)"]
    assert load(folder).excluded == dict.fromkeys(reasons, 1)


# Aff-Wild


def test_no_video_is_in_both_splits_nor_are_two_people_of_one(tmp_path):
    videos = np.array(["105", "212", "318_left", "318_right", "405"])[np.arange(14) * 5 // 14]
    write_affwild(replace(faces(), subject=videos), tmp_path / "affwild")
    read = load(tmp_path / "affwild")
    assert read.subject.tolist() == [video.partition("_")[0] for video in videos]
    train, test = (set(read.subject[read.split == split]) for split in ("train", "test"))
    assert not train & test and len(test) == 1 and len(train) == 3


def test_numbers_from_zero_padded_and_as_jpeg_are_read_alike(put):
    folder = put("affwild")
    before = load(folder)
    for path in sorted((folder / "frames").glob("*/*")):
        path.rename(path.with_name(f"{int(path.stem) - 1}.png"))
    assert load(folder).fingerprint == before.fingerprint
    path = folder / "frames" / "ann" / "2.png"
    Image.open(path).save(path.with_name("     2.JPG"), quality=95)
    path.unlink()
    assert_array_equal(load(folder).affect, faces().affect)


def test_numbers_that_may_count_from_zero_or_from_one_are_refused(put):
    folder = put("affwild")
    for video in (folder / "frames").iterdir():
        max(video.iterdir()).unlink()
    with pytest.raises(ValueError, match="no video has a picture 0, or one whose .* Add the first or the la"):
        load(folder)


def test_frames_left_out_are_counted_and_a_picture_keeps_its_line(put):
    folder = put("affwild")
    for name in ("ann/00001.png", "joe/00002.png"):
        (folder / "frames" / name).unlink()
    (folder / "frames" / "ann" / "Thumbs.db").write_bytes(b"")
    (folder / "frames" / "test1").mkdir()
    Image.new("RGB", (9, 9)).save(folder / "frames" / "test1" / "7.png")
    as_affwild2(folder)
    line(2, "-5,-5")(folder / "annotations" / "train" / "ben.txt")
    read = load(folder, every=2)
    assert read.excluded == {
        "file that is no picture by its ending": 1,
        "picture of a video without annotations": 1,
        "no valence or arousal (-5)": 1,
        "frame without picture": 2,
        "thinned out (every=2)": 5,
    }
    rows = [2, 6, 7, 9, 11, 13]
    assert_array_equal(read.images, faces().images[rows])
    assert_array_equal(read.affect, faces().affect[rows])


# AFEW-VA


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
    read = data.load_afewva(tmp_path, size=50, channels=1, cache=tmp_path / "cache")
    assert_array_equal(read.affect, np.float32([[-1, 0.7]]))
    assert read.subject.tolist() == ["017"]
    assert_allclose(read.landmarks[0, [0, 66, 67]], [[25, 25], [11.25, 11.25], [38.75, 38.75]])
    # the window is 100 wide from x = -45, so 22.5 of 50 pixels are outside
    assert read.images.shape == (1, 50, 50)
    assert (read.images[0, :, :21] == 0).all() and (read.images[0, :, 24:] == 255).all()


def test_clips_of_one_actor_are_one_subject_and_those_of_nobody_are_their_own(put):
    folder = put("afewva")
    keys(actor="  ann ")(folder / "002" / "002.json")
    keys(actor=None)(folder / "003" / "003.json")
    assert load(folder).subject.tolist() == ["ann"] * 7 + ["003"] * 4 + ["joe"] * 3


def test_clips_may_lie_in_the_folders_of_their_archives(put):
    folder = put("afewva")
    before = load(folder)
    for clip, archive in (("001", "01"), ("003", "02")):
        (folder / archive).mkdir()
        (folder / clip).rename(folder / archive / clip)
    assert load(folder).fingerprint == before.fingerprint
    (folder / "02" / "002").mkdir()
    with pytest.raises(ValueError, match="02/002 is there already as 002. Take one of the two out."):
        load(folder)


def test_an_archive_that_is_not_unpacked_is_named(put, tmp_path):
    folder = put("afewva")
    before = load(folder)
    with zipfile.ZipFile(folder / "01.zip", "w") as archive:
        for clip in ("001", "002"):
            archive.write(folder / clip / f"{clip}.json", f"01/{clip}/{clip}.json")
    assert load(folder).fingerprint == before.fingerprint
    (folder / "002").rename(tmp_path / "002")
    with pytest.raises(FileNotFoundError, match="01.zip is not unpacked: 1 of its clips, from 002 on, have"):
        load(folder)
    (folder / "01.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match="01.zip is not a whole archive: .*. Fetch it again, or take it out"):
        load(folder)


def test_faces_left_out_are_counted(put):
    def blind(content):
        content["frames"]["00000"]["landmarks"] = []
        content["frames"]["00001"]["landmarks"] = [[0, 0]] * 68
        del content["frames"]["00002"]

    folder = put("afewva")
    keys(blind)(folder / "002" / "002.json")
    (folder / "003" / "landmarks.txt").write_text("")
    read = load(folder, every=2)
    assert read.excluded == {
        "picture without annotation": 1,
        "file that is neither picture nor annotation": 1,
        "frame without face": 2,
        "thinned out (every=2)": 5,
    }
    assert_array_equal(read.subject, faces().subject[[0, 2, 7, 9, 11, 13]])


@given(st.lists(st.integers(1, 40), min_size=5, max_size=60), st.integers(2, 5), st.integers(0, 99))
def test_folds_keep_persons_together_and_are_of_even_size(frames, folds, seed):
    subject = np.repeat([f"person {number}" for number in range(len(frames))], frames)
    fold = person_folds(subject, folds=folds, seed=seed)
    sizes = np.bincount(fold, minlength=folds)
    assert len(sizes) == folds and sizes.min() > 0
    assert sizes.max() - sizes.min() <= max(frames)
    assert all(len(set(fold[subject == person])) == 1 for person in set(subject))
    assert_array_equal(person_folds(subject[::-1], folds=folds, seed=seed), fold[::-1])


def test_too_few_persons_for_the_folds_are_refused():
    with pytest.raises(ValueError, match="5 folds need as many persons, and 2 or more; there are 4 persons."):
        person_folds(np.array(list("abcd") * 3))


# MorphSet


def test_the_authors_table_by_hand(tmp_path):
    """Columns and cells as their notebook prints them; KDEF's codes, and FE for AF."""
    codes = ["NE", "HA", "SU", "AF", "FE", "AN", "DI", "SA"]
    lines = ["Filename,Dataset,Subject,Emotion Label,Agreement,Arousal,Valence,Intensity,x0,y0"]
    (tmp_path / "images").mkdir()
    for number, code in enumerate(codes):
        name = f"R_{number % 2}_{code}_1.jpg"
        lines.append(f"{name},R,{1 + number % 2}.0,{code},0.735,0.014317,0.081196,0.082449,10.0,14.0")
        Image.new("RGB", (360, 450), (200, 0, 0)).save(tmp_path / "images" / name)
    (tmp_path / "Morphset.csv").write_text("\n".join(lines))
    read = data.load_morphset(tmp_path, size=20, cache=tmp_path / "cache")
    names = ["neutral", "happy", "surprise", "fear", "fear", "anger", "disgust", "sad"]
    assert [EXPRESSIONS[number] for number in read.expression] == names
    assert read.subject.tolist() == ["1", "2"] * 4
    assert_array_equal(read.affect, np.float32([[0.081196, 0.014317]] * 8))


# RAF-DB


def test_the_release_by_hand(tmp_path):
    """Labels 1 to 7 in the order of the release's readme, in the archive's own folder, without affect."""
    root = tmp_path / "basic"
    for folder in ("EmoLabel", "Image/aligned"):
        (root / folder).mkdir(parents=True)
    names = [*(f"train_{n:05d}" for n in range(1, 8)), "test_0001"]
    lines = (f"{name}.jpg {n}\n" for name, n in zip(names, [*range(1, 8), 4], strict=True))
    (root / "EmoLabel" / "list_patition_label.txt").write_text("".join(lines))
    for name in names:
        Image.new("RGB", (100, 100), (200, 0, 0)).save(root / "Image" / "aligned" / f"{name}_aligned.jpg")
    read = data.load_rafdb(tmp_path, size=20, channels=1, cache=tmp_path / "cache")
    release = ["surprise", "fear", "disgust", "happy", "sad", "anger", "neutral", "happy"]
    assert [EXPRESSIONS[number] for number in read.expression] == release
    assert read.split.tolist() == ["train"] * 7 + ["test"]
    assert np.isnan(read.affect).all()


def test_affect_that_appears_later_is_seen_in_any_order_of_rows(put):
    folder = put("rafdb")
    path = folder / "valence_arousal.csv"
    table = pd.read_csv(path)
    path.unlink()
    without = load(folder)
    assert np.isnan(without.affect).all()
    table[::-1].to_csv(path, index=False)
    assert_array_equal(load(folder).affect, faces().affect)
    table[:-1].to_csv(path, index=False)
    assert np.isnan(load(folder).affect).any(axis=1).tolist() == [False] * 13 + [True]  # a test picture's


# SFEW


def test_written_faces_are_read_back_by_split_class_and_name(put):
    folder = put("sfew")
    read = load(folder)
    row_of = {image.tobytes(): row for row, image in enumerate(faces().images)}
    rows = [row_of[image.tobytes()] for image in np.asarray(read.images)]
    assert sorted(rows) == list(range(14))
    for name in ("split", "expression", "affect"):
        assert_array_equal(getattr(read, name), getattr(faces(), name)[rows])
    film = {"ann": "Film001", "ben": "Film002", "eve": "Film003", "joe": "Film004"}
    assert read.subject.tolist() == [film[name] for name in faces().subject[rows]]
    assert load(folder).fingerprint == read.fingerprint
    assert all(there for _, there in requirements("sfew", folder.parent))


def test_every_packaging_is_read_alike_and_aligned_faces_come_first(put):
    folder = put("sfew")
    before, aligned = load(folder), ("Train_Aligned_Faces", "Val_Aligned_Faces_new")
    for top, part in zip(("Train", "Val"), aligned, strict=True):
        (folder / part).rename(folder / top)
    assert load(folder).fingerprint == before.fingerprint
    for top, part in zip(("Train", "Val"), aligned, strict=True):
        (folder / top).rename(folder / part)
        (folder / top / "Angry").mkdir(parents=True)
        (folder / part).rename(folder / top / part)
    assert load(folder).fingerprint == before.fingerprint


def test_a_film_is_all_that_stands_before_time_and_frame(put):
    folder = put("sfew")
    (folder / "valence_arousal.csv").unlink()
    (path,) = (folder / "Val_Aligned_Faces_new" / "Fear").iterdir()
    path = path.rename(path.with_name("HarryPotter_Half_Blood_Prince_2_001259094_00000033.png"))
    assert "HarryPotter_Half_Blood_Prince_2" in load(folder).subject
    path.rename(path.with_name("unnamed.png"))
    assert load(folder).subject is None


# a manifest


def test_what_a_csv_lacks_is_none_and_empty_cells_are_missing(put):
    csv = put("manifest") / "manifest.csv"
    cells(3, valence="", arousal="", landmarks="", expression="", rater_1_valence="", rater_1_arousal="")(csv)
    read = load(csv.parent)
    rest = [False] * 12
    assert np.isnan(read.affect).all(axis=1).tolist() == [False, True, *rest]
    assert np.isnan(read.landmarks).all(axis=(1, 2)).tolist() == [False, True, *rest]
    assert read.expression[1] == -1 and np.isnan(read.ratings[1, 0]).all()
    cells(drop=["valence", "arousal"])(csv)
    assert_allclose(load(csv.parent).affect, np.nanmean(read.ratings, axis=1), atol=1e-6)
    raters = [f"rater_{k}_{d}" for k in (1, 2, 3) for d in ("valence", "arousal")]
    cells(drop=["landmarks", "subject", *raters])(csv)
    read = load(csv.parent)
    assert read.landmarks is read.subject is read.ratings is None


def test_columns_that_are_not_read_may_be_there_twice_and_have_no_name(put):
    csv = put("manifest") / "manifest.csv"
    before = load(csv.parent)
    lines = csv.read_text().splitlines()
    csv.write_text("\n".join([f"{lines[0]},note,note,,", *(f"{line},a,b,," for line in lines[1:])]))
    assert load(csv.parent).fingerprint == before.fingerprint


def test_a_csv_that_changes_just_before_its_pictures_are_read_is_read_anew(put, monkeypatch):
    folder = put("manifest")

    def late(*arguments, **named):
        cells(2, valence="0.25", arousal="0.5")(folder / "manifest.csv")
        return converted(*arguments, **named)

    converted = manifest.converted
    monkeypatch.setattr(manifest, "converted", late)
    load(folder)
    monkeypatch.undo()
    assert_array_equal(load(folder).affect[0], [0.25, 0.5])
