"""AMIGOS: round trips in both layouts of action units, how segments are cut and filled, bad files."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from damage import cells, edit, rows
from layouts import write_amigos
from numpy.testing import assert_allclose, assert_array_equal

from paperlib import twin
from paperlib.data import load_amigos

ANNOTATIONS = "External_Annotations.xlsx"


@pytest.fixture(scope="module")
def sequences():
    """Two subjects, two recordings of two segments each."""
    return twin.make_sequences(seed=0, subjects=2, recordings=2, segments=2)


@pytest.fixture
def written(sequences, tmp_path):
    write_amigos(sequences, tmp_path / "amigos")
    return tmp_path / "amigos"


def load(tmp_path, **options):
    return load_amigos(tmp_path / "amigos", cache=tmp_path / "cache", **options)


@pytest.mark.parametrize("layout", ["openface", "json"])
def test_written_sequences_are_read_back(sequences, tmp_path, layout):
    write_amigos(sequences, tmp_path / "amigos", action_units=layout)
    read = load(tmp_path)
    assert_array_equal(read.features, sequences.features)
    assert_array_equal(read.ratings, sequences.ratings)
    assert_allclose(read.affect, sequences.ratings.mean(axis=1), atol=1e-6)
    assert read.subject.tolist() == ["P01"] * 4 + ["P02"] * 4
    assert read.recording.tolist()[::2] == ["P01_1", "P01_2", "P02_1", "P02_2"]
    assert read.excluded == {} and read.adjusted == {}
    two = load(tmp_path, action_units=["AU12", "AU04"])
    assert_array_equal(two.features, sequences.features[:, :, [6, 2]])
    assert two.fingerprint != read.fingerprint


def test_ratings_beyond_the_scale_are_clipped_and_counted(sequences, tmp_path):
    many = twin.make_sequences(seed=0, subjects=3, recordings=8, segments=1, frames=500)
    write_amigos(many, tmp_path / "amigos")
    cells(5, Valence_Annotator_3="1.2")(tmp_path / "amigos" / ANNOTATIONS)
    read = load(tmp_path)
    assert read.ratings[3, 2, 0] == 1
    assert read.adjusted == {"ratings clipped to -1 to 1": 1}


def test_a_short_last_segment_is_filled_and_a_shorter_one_left_out(written, tmp_path, sequences):
    for name, n in (("P01_1.csv", 800), ("P01_2.csv", 700)):
        rows(slice(n))(written / "action_units" / name)
    read = load(tmp_path)
    assert read.adjusted == {"last segments filled up to 20 s": 1}
    assert read.excluded == {"less than half of the segment on film": 1}
    assert_array_equal(read.features[1, :300], sequences.features[1, :300])
    assert_array_equal(read.features[1, 300:], np.broadcast_to(sequences.features[1, 299], (200, 10)))


def test_frames_without_a_face_hold_the_last_one_and_are_counted(written, tmp_path, sequences):
    def lose(table):
        table.loc[[0, 1, 10, *range(500, 1000)], ["success", "AU12_r"]] = "0", "5"
        return table

    edit(lose)(written / "action_units" / "P02_1.csv")
    read = load(tmp_path)
    assert read.adjusted == {"frames without a face: last intensities held": 503}
    assert read.excluded == {"no face found in the segment": 1}
    expected = sequences.features[4].copy()
    expected[[0, 1]], expected[10] = expected[2], expected[9]
    assert_array_equal(read.features[4], expected)


def test_recordings_without_action_units_and_files_that_are_not_read_are_counted(
    written, tmp_path, sequences
):
    folder = written / "action_units"
    (folder / "P02_2.csv").unlink()
    (folder / "P01_1.csv").rename(folder / "P01_1.CSV")
    for name in ("P07_1.json", "P01_1_of_details.txt", "first.csv"):
        (folder / name).touch()
    read = load(tmp_path)
    assert_array_equal(read.features, sequences.features[:6])
    assert read.excluded == {
        "no action units for the recording": 2,
        "file that is not named as a recording's": 2,
        "recording of action units without ratings": 1,
    }


def test_presences_in_place_of_intensities_are_refused(sequences, tmp_path):
    presences = (sequences.features > 1).astype(np.float32)
    write_amigos(replace(sequences, features=presences), tmp_path / "amigos")
    with pytest.raises(
        ValueError, match="action_units: no intensity is above 1, .* intensities from 0 to 5."
    ):
        load(tmp_path)


def test_segments_may_count_from_one_and_users_have_letters_and_files_a_suffix(written, tmp_path, sequences):
    table = pd.read_excel(written / ANNOTATIONS)
    table["Segment_Index"] += 1
    table["UserID"] = [f"P{user:02d}" for user in table["UserID"]]
    table.to_excel(written / ANNOTATIONS, index=False)
    (written / "action_units" / "P01_1.csv").rename(written / "action_units" / "P1_1_face.csv")
    read = load(tmp_path)
    assert_array_equal(read.features, sequences.features)
    assert read.subject[0] == "P01"
