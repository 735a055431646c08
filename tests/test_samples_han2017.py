"""han2017's samples: labels, and what is chosen and fitted on development, of networks whose predictions are known."""

from dataclasses import replace

import numpy as np
import pytest
from damage import cells
from layouts import write_recordings, write_sewa
from numpy.testing import assert_allclose

from paperlib import twin_recordings
from paperlib.companion.plan import read_plan
from paperlib.companion.runs import Result, run_missing
from paperlib.companion.samples import han2017 as S
from paperlib.features import LANDMARKS
from paperlib.tasks import perception_uncertainty
from paperlib.tracks import Track
from paperlib.twin import landmarks, plain_faces

TRACK = Track(name="twin", profile="smoke")
CELL = ["modality", "task", "dimension", "target", "partition"]
PARTS = {"validation": "dev", "test": "test"}


def results_of(block, gold, rng):
    """What its runs would give: the right answer, a third as wide, with noise that is least where w is 1."""
    for run in block.runs:
        if block.labels["network"] == "delay":
            arrays = {"correlation": rng.normal(size=(2, len(run.settings["delays"]), 2))}
        else:
            noise = 0.1 + abs(run.settings["weights"][0] - 1) * (len(run.settings["targets"]) > 1)
            columns = [{"E": "E", "sigma": "σ"}[t] for t in run.settings["targets"]]
            arrays = {"history": np.float32([[1, 3], [1, 2], [1, 4]])}
            for split, partition in PARTS.items():
                y = np.stack([gold.at(run.settings["dimension"], t, partition) for t in columns], axis=1)
                arrays[split] = (y / 3 + 0.5 + noise * rng.normal(size=y.shape)).astype(np.float16)
            arrays["score"] = np.float32([[1 - noise, noise] for _ in columns])
        yield Result(run=run, key="", seconds=0.0, arrays=arrays)


@pytest.fixture(scope="module")
def gold():
    return S.Gold.of(TRACK.recordings(), 40)


@pytest.fixture(scope="module")
def planned(gold):
    rng = np.random.default_rng(0)
    return [(b.labels, list(results_of(b, gold, rng))) for b in read_plan("han2017", TRACK)]


@pytest.fixture(scope="module")
def tables(planned):
    return S.build(TRACK, planned)


def cell(tables, *values, seed=0, **more):
    frames = tables[""]
    keep = frames["seed"] == seed
    for name, value in {**dict(zip(CELL, values, strict=True)), **more}.items():
        keep &= frames[name] == value
    assert keep.any()
    return frames[keep]


def test_a_row_names_the_frame_in_which_it_was_rated(tables, gold):
    of = cell(tables, "audio", "multi", "arousal", "E", "test").set_index("item")
    ratings = tables["ratings"].query("dimension == 'arousal'").set_index("item").loc[of.index]
    assert (ratings["time"] >= 4 - 1e-4).all() and (ratings["partition"] == "test").all()
    assert (ratings["recording"] == of["recording"]).all() and (ratings["unit"] == of["unit"]).all()
    plain = ratings.filter(like="rater ").mean(axis=1)
    assert np.corrcoef(plain, of["label"])[0, 1] > 0.98  # a weighted mean of the same ratings


def test_the_weight_is_chosen_by_development_and_the_first_of_equal_ones(planned, tables):
    chosen = tables["runs"].query("`chosen by CCC`")
    assert (chosen["weight"] == 1).all() and len(chosen) == 2 * 2 * 2 * 2  # modality, dimension, target, seed
    level = {
        of["network"]: [replace(r, arrays={**r.arrays, "score": np.ones((2, 2))}) for r in results]
        for of, results in planned
        if of.get("modality") == "audio" and of["dimension"] == "valence"
    }
    assert [r.run.settings["weights"][0] for r in S.searched(level, "σ")] == [0.5, 0.5]
    weight = tables["runs"].groupby("network")["weight"].first()
    assert (weight["single E"], weight["single sigma"]) == (2, 0)
    assert (tables["runs"]["epoch"] == 2).all()


def test_post_processing_gives_development_its_mean_and_spread(tables):
    dev = cell(tables, "video", "single", "valence", "E", "dev").dropna(subset="label")
    assert_allclose(dev["centred"].mean(), dev["label"].mean(), atol=1 / S.GRID)  # of rounded predictions
    # the last step shifts, and holds an end
    assert_allclose(dev["prediction"].std(), dev["label"].std(), rtol=0.2)
    assert dev["centred"].std() < 0.8 * dev["label"].std()
    steps = tables["steps"].query("partition == 'dev' and target == 'E'")
    by_step = steps.groupby(["modality", "dimension", "seed"])["CCC"]
    assert (by_step.diff().dropna() >= 0).all()  # a step is kept only if it helps there


def test_fusion_is_least_squares_on_development_of_both(tables):
    keys = ("multi", "arousal", "σ")
    ends = {
        p: [cell(tables, m, *keys, p) for m in ("audio", "video", "audio+video")] for p in ("dev", "test")
    }
    x, y = (np.stack([f["prediction"] for f in ends["dev"][:2]], axis=1), ends["dev"][2]["label"].to_numpy())
    rated = np.isfinite(y)
    by, *_ = np.linalg.lstsq(np.c_[np.ones(rated.sum()), x[rated]], y[rated], rcond=None)
    test = np.stack([f["prediction"] for f in ends["test"][:2]], axis=1)
    assert_allclose(ends["test"][2]["prediction"], np.c_[np.ones(len(test)), test] @ by, atol=2 / S.GRID)
    fused, wide = (
        ends["dev"][2]["prediction"].to_numpy()[rated],
        cell(tables, "audio+video, rescaled", *keys, "test"),
    )
    z = (ends["test"][2]["prediction"] - fused.mean()) / fused.std()
    assert len(wide) == len(z) > 0
    assert_allclose(
        wide["prediction"],
        y[rated].mean() + z * y[rated].std(),
        atol=2 / S.GRID * (1 + y[rated].std() / fused.std()),
    )


def test_what_table_1_shows_is_kept_of_development_too_and_the_rest_of_the_test(tables):
    kept = tables[""].groupby(["modality", "task"], observed=True)["partition"].agg(lambda of: set(of))
    for (modality, task), partitions in kept.items():
        shown = task in ("single", "multi") and modality in ("audio", "video", "audio+video")
        assert partitions == ({"dev", "test"} if shown else {"test"})


def test_the_true_uncertainty_has_developments_scale(tables):
    dev = cell(tables, "audio", "single", "arousal", "σ", "dev").dropna(subset="label")
    assert_allclose(dev["true"].agg(["mean", "std"]), dev["label"].agg(["mean", "std"]), rtol=1e-4)
    assert tables[""].query("target == 'E'")["true"].isna().all()


def test_one_modality_is_not_fused(planned):
    alone = [(la, r) for la, r in planned if la.get("modality") == "video"]
    found = S.build(TRACK, alone)
    assert set(found[""]["modality"]) == {"video"} and len(found["delays"]) == 0


# data sets not at hand: from files in their layouts to samples


@pytest.fixture
def chats():
    """Eight people in four video chats of twelve seconds: what was rated, heard and seen; then a gold standard."""
    record = twin_recordings.make_recordings(4, seconds=12)
    heard = [twin_recordings.waveform(i, int(n)) for i, n in enumerate(record.frames)]
    seen = []
    for i, n in enumerate(record.frames):
        units, pose, shape = twin_recordings._shown(i, int(n))
        seen.append(landmarks(plain_faces(units, pose=pose, shape=np.tile(shape, (n, 1))), 128)[:, LANDMARKS])
    sources = {"waveforms": heard, "landmarks": seen, "sampling_rate": 16_000, "video_rate": 10.0}
    return replace(record, truth=None, gold=record.ratings.mean(axis=1)), sources


@pytest.fixture
def on_recordings(tmp_path, monkeypatch):
    monkeypatch.setattr("paperlib.files.CACHE", tmp_path / "cache")
    perception_uncertainty.problem.cache_clear()
    yield lambda name: Track(name=name, root=str(tmp_path), profile="smoke")
    perception_uncertainty.problem.cache_clear()


def trained(track):
    blocks = read_plan("han2017", track, seeds=1)
    return S.build(track, [(b.labels, run_missing(b.runs, progress=False)) for b in blocks])


def test_sewa_is_read_learnt_and_scored(chats, on_recordings, tmp_path):
    record, sources = chats
    write_sewa(record, tmp_path / "sewa", **sources)
    sewa = on_recordings("sewa")
    read = sewa.recordings()
    np.testing.assert_array_equal(read.ratings, record.ratings)
    assert read.audio.shape == (len(record.ratings), 130) and read.video.shape == (len(record.ratings), 98)
    assert {s: (read.split == s).sum() for s in set(read.split)} == {"train": 4, "validation": 2, "test": 2}
    tables = trained(sewa)
    frames = tables[""].query("task in ['single', 'multi'] and not modality.str.contains(',')")
    keys = ["modality", "task", "dimension", "target", "partition"]
    assert len(frames.drop_duplicates(keys)) == 48 and np.isfinite(frames["prediction"]).all()
    test = frames.query("partition == 'test'").groupby(keys, observed=True).size()
    assert set(test) == {sum(record.frames[6:8]) - 80}
    assert frames["true"].isna().all()  # nobody knows it


def test_recordings_of_one_s_own_with_the_face_alone(chats, on_recordings, tmp_path):
    record, sources = chats
    write_recordings(record, tmp_path, **sources | {"waveforms": None})
    mine = on_recordings("recordings")
    assert mine.features("audio") is None and mine.features("video").shape == (len(record.ratings), 98)
    tables = trained(mine)
    assert set(tables[""]["modality"]) == {"video"}
    assert set(tables["delays"]["modality"]) == {"video"} and np.isfinite(tables["delays"]["r"]).all()


def test_recordings_tested_in_turn_are_each_scored_once_by_networks_that_never_saw_them(
    chats, on_recordings, tmp_path
):
    record, _ = chats
    rng = np.random.default_rng(5)
    heard = rng.normal(size=(len(record.ratings), 4)).astype(np.float32)
    write_recordings(replace(record, audio=heard, video=None), tmp_path)
    cells(split="in turn")(tmp_path / "recordings.csv")
    tables = trained(on_recordings("recordings"))
    frames = tables[""].query("task == 'single' and target == 'E' and dimension == 'valence'")
    kept = sum(record.frames) - 40 * len(record)
    for partition in ("test", "dev"):
        assert frames.query(f"partition == '{partition}'")["item"].nunique() == kept
    assert len(frames) == 2 * kept  # each frame is of the test once, and once of development
    assert set(tables["ratings"]["partition"]) == {"test"}
    keys = ["modality", "dimension", "delay", "unit"]
    assert len(tables["delays"].drop_duplicates(keys)) == len(tables["delays"])
    assert set(tables["delays"]["unit"]) == set(record.pair)
