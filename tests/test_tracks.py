import pytest

from paperlib.tracks import Track


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "amigo"}, "TRACK must be one of twin, ferplus"),
        ({"profile": "fast"}, "PROFILE must be one of smoke, default, paper"),
        ({"name": "ferplus"}, "DATA=<folder>"),
    ],
)
def test_a_track_that_cannot_be_says_what_can(settings, message):
    with pytest.raises(ValueError, match=message):
        Track(**settings)


def test_the_twin_has_faces_and_recordings_and_is_made_once():
    track = Track(profile="smoke")
    assert len(track.faces()) == 1_000 and len(track.sequences()) == 160
    assert track.faces() is Track(profile="smoke").faces()


def test_a_track_has_only_what_its_data_set_has(tmp_path):
    assert Track(name="amigos", root=str(tmp_path)).faces() is None
    assert Track(name="ferplus", root=str(tmp_path)).sequences() is None
