"""What han2017's networks are given to learn from, and that they learn it."""

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter1d

from paperlib import metrics
from paperlib.annotations import evaluator_weighted_estimate
from paperlib.data.records import RecordingSet
from paperlib.tasks import perception_uncertainty as task
from paperlib.tracks import Track

DELAY = 10
FRAMES = np.array([90, 80, 95, 85, 90, 75, 88, 92])
SPLIT = np.array(["train"] * 4 + ["validation"] * 2 + ["test"] * 2)
SETTINGS = {
    "modality": "audio",
    "dimension": "arousal",
    "targets": ["E", "sigma"],
    "weights": [1.0, 1.0],
    "delay": DELAY,
    "cells": 8,
    "noise": 0.1,
    "sequence": 20,
    "schedule": {
        "optimiser": "adam",
        "learning_rate": 0.02,
        "decay_every": 1000,
        "batch": 8,
        "epochs": 12,
        "patience": 4,
    },
}


def smooth(rng, frames):
    trace = gaussian_filter1d(rng.normal(size=(frames, 2)), 4, axis=0)
    return (trace - trace.mean(axis=0)) / trace.std(axis=0)


@pytest.fixture
def made(rng):
    """Three raters who say, ten frames late, what went on and that less and more its uncertainty: both are seen."""
    felt, unsure, ratings = [], [], []
    for n in FRAMES:
        m, s = 0.3 * np.tanh(smooth(rng, n)), 0.1 + 0.05 * np.tanh(smooth(rng, n))
        late = np.maximum(np.arange(n) - DELAY, 0)
        ratings.append((m[:, None] + s[:, None] * np.array([-1, 0, 1])[:, None])[late])
        felt.append(m)
        unsure.append(s)
    record = RecordingSet(
        name="made up",
        recording=np.arange(8).astype(str),
        subject=np.arange(8).astype(str),
        pair=(np.arange(8) // 2).astype(str),
        split=SPLIT,
        frames=FRAMES,
        ratings=np.concatenate(ratings).astype(np.float32),
        fingerprint="made up",
    )
    m, s = np.concatenate(felt), np.concatenate(unsure)
    audio = np.column_stack([3 * m[:, 1] - 2, 10 * s[:, 1], rng.normal(size=len(m)), np.full(len(m), 7.0)])
    video = np.column_stack([m[:, 0], rng.normal(size=len(m))])
    return record, {"audio": audio.astype(np.float32), "video": video.astype(np.float32)}, (m, s)


@pytest.fixture
def on(made, monkeypatch):
    """A track with these recordings, with fields or features changed."""

    def make(features=None, **changes) -> Track:
        changed, given = replace(made[0], **changes), made[1] | (features or {})
        monkeypatch.setattr(Track, "recordings", lambda self: changed)
        monkeypatch.setattr(Track, "features", lambda self, modality: given.get(modality))
        task.problem.cache_clear()
        return Track(profile="smoke")

    yield make
    task.problem.cache_clear()


# the parts


def test_gold_of_a_frame_is_what_was_said_a_delay_later(on, made):
    record, _, (m, s) = made
    parts = task.problem(on(), DELAY)
    assert_array_equal(parts.frames, FRAMES - DELAY)
    felt, unsure = m[parts.kept], s[parts.kept]
    for i in range(len(record)):
        for d in range(2):
            said = evaluator_weighted_estimate(record.ratings[record.rows(i), :, d])
            assert_array_equal(parts.gold[parts.rows(i), 0, d], said[DELAY:])
    # what was said a delay later is what went on: sigma but for its scale, E but for the raters' weights
    train = unsure[parts.frames_of("train")]
    scaled = (unsure - train.min(axis=0)) / np.ptp(train, axis=0)
    assert_allclose(parts.gold[:, 1], scaled, atol=1e-5)
    assert metrics.ccc(parts.gold[:, 0], felt).min() > 0.99


def test_sigma_of_training_lies_in_0_to_1_exactly_whatever_the_others_do(on, made):
    ratings = made[0].ratings.copy()
    ratings[-92:] *= 3  # the last test recording's raters disagree three times as much
    parts = task.problem(on(ratings=ratings), DELAY)
    sigma = parts.gold[parts.frames_of("train"), 1]
    assert_array_equal(sigma.min(axis=0), 0)
    assert_array_equal(sigma.max(axis=0), 1)
    assert parts.gold[parts.rows(7), 1].max() > 1.5


def test_frames_that_fewer_than_two_rated_have_no_uncertainty_and_set_no_extreme(on, made):
    ratings = made[0].ratings.copy()
    ratings[20, 1:] = np.nan  # one rater is left
    ratings[30] = np.nan
    ratings[-5, 1:] = np.nan
    parts = task.problem(on(ratings=ratings), DELAY)
    assert_array_equal(np.flatnonzero(np.isnan(parts.gold[:, 1, 0])), [10, 20, len(parts.gold) - 5])
    assert_array_equal(np.flatnonzero(np.isnan(parts.gold[:, 0, 0])), [20])
    sigma = parts.gold[parts.frames_of("train"), 1]
    assert np.nanmin(sigma) == 0 and np.nanmax(sigma) == 1


def test_features_are_standardised_by_training_alone(on, made):
    track = on()
    parts = task.problem(track, DELAY)
    train = parts.frames_of("train")
    x = task.standardised(track, "audio", parts)
    assert x.shape == (len(parts.gold), 4) and x.dtype == np.float32
    assert_allclose(x[train, :3].mean(axis=0), 0, atol=1e-5)
    assert_allclose(x[train, :3].std(axis=0), 1, atol=0.01)  # a few frames may be cut off
    assert_array_equal(x[:, 3], 0)  # constant
    audio = made[1]["audio"].copy()
    audio[-FRAMES[-1] :] = 1e6
    changed = on({"audio": audio})
    y = task.standardised(changed, "audio", parts)
    before = slice(0, parts.rows(7).start)
    assert_array_equal(y[before], x[before])
    assert_array_equal(y[parts.rows(7)], task.LIMIT)


# sequences


@pytest.mark.parametrize(
    ("stop", "sequence", "lengths"),
    [(80, 20, [20] * 4), (85, 20, [20] * 4), (90, 20, [20] * 4 + [10]), (7, 20, [7]), (80, None, [80])],
)
def test_a_recording_is_cut_into_pieces_and_a_very_short_last_one_left_out(stop, sequence, lengths):
    pieces = task._cut(slice(100, 100 + stop), sequence)
    assert [p.stop - p.start for p in pieces] == lengths and pieces[0].start == 100
    assert all(a.stop == b.start for a, b in zip(pieces, pieces[1:], strict=False))


def test_padded_by_hand():
    x, y = np.arange(10, dtype=np.float32).reshape(5, 2), np.arange(5, dtype=np.float32)[:, None]
    both, target, lengths = task.padded(x, y, [slice(0, 2), slice(2, 5)])
    assert_array_equal(both, [[[0, 1], [2, 3], [0, 0]], [[4, 5], [6, 7], [8, 9]]])
    assert_array_equal(target[..., 0], [[0, 1, 0], [2, 3, 4]])
    assert_array_equal(lengths, [2, 3])


# training


def test_a_network_learns_both_targets(on, made, tmp_path):
    track = on()
    parts = task.problem(track, DELAY)
    out = task.train(track, SETTINGS, 0, tmp_path / "run.ckpt")
    assert out["history"][:, 0].min() < 0.5 * out["history"][0, 0]
    assert out["score"].shape == (2, 2)
    for split in ("validation", "test"):
        gold = parts.gold[parts.frames_of(split), :, 1]
        assert out[split].dtype == np.float16 and out[split].shape == gold.shape
        assert metrics.ccc(out[split], gold).min() > 0.5
    gold = parts.gold[parts.frames_of("validation"), :, 1]
    expected = np.stack([metrics.ccc(out["validation"], gold), metrics.mse(out["validation"], gold)], axis=1)
    assert_allclose(out["score"], expected, atol=1e-3)
    # the weights of the best epoch are those that predict
    assert out["history"][:, 1].min() == pytest.approx(out["score"][:, 1].sum(), rel=1e-4)


def test_the_same_seed_gives_the_same_bytes(on, tmp_path):
    short = SETTINGS | {"schedule": SETTINGS["schedule"] | {"epochs": 2}, "sequence": None}
    first, again, other = (
        task.train(on(), short, seed, tmp_path / f"{k}.ckpt") for k, seed in enumerate((3, 3, 4))
    )
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    assert first["test"].tobytes() != other["test"].tobytes()


def test_unrated_frames_count_in_no_score(on, made, tmp_path):
    ratings = made[0].ratings.copy()
    held = made[0].rows(4)
    ratings[held.start + DELAY : held.start + DELAY + 30, :, 1] = np.nan
    ratings[made[0].rows(0)][40:45, :, 1] = np.nan
    track = on(ratings=ratings)
    parts = task.problem(track, DELAY)
    short = SETTINGS | {"schedule": SETTINGS["schedule"] | {"epochs": 3}}
    out = task.train(track, short, 0, tmp_path / "run.ckpt")
    gold = parts.gold[parts.frames_of("validation"), :, 1]
    rated = np.isfinite(gold).all(axis=1)
    assert (~rated).sum() == 30 and np.isfinite(out["validation"]).all() and np.isfinite(out["history"]).all()
    assert_allclose(out["score"][:, 0], metrics.ccc(out["validation"][rated], gold[rated]), atol=1e-3)


def test_the_search_finds_the_delay_that_was_put_in(on, tmp_path):
    delays = list(range(0, 25, 5))
    settings = {"modalities": ["audio", "video"], "delays": delays}
    r = task.search_delay(on(), settings, 0, tmp_path / "run.ckpt")["correlation"]
    assert r.shape == (2, 5, 2)
    # the voice tells arousal alone, the face valence
    assert delays[r[0, :, 1].argmax()] == delays[r[1, :, 0].argmax()] == DELAY
    assert r[0, 2, 1] > 0.95 and r[1, 2, 0] > 0.95 and abs(r[0, 2, 0]) < 0.5


def alone(ratings):
    ratings[3:, 1:] = np.nan  # two leave after three frames


@pytest.mark.parametrize(
    ("i", "change", "said"),
    [
        (3, alone, "recording 3: one rater rates valence after its first 1 s, labels are moved back by 1 s"),
        (6, lambda r: r[:, :, 1].fill(np.nan), "recording 6: nobody rates arousal after its first 1 s"),
        (slice(4, 6), lambda r: r[:, :, 0].fill(0.2), "valence, split validation (recordings 4, 5): the rat"),
        (slice(4), lambda r: np.copyto(r[:, 1:, 1], r[:, :1, 1] + 0.1), "arousal, split train"),
    ],
)
def test_recordings_that_cannot_be_learnt_are_named_with_their_dimension(made, i, change, said):
    record = made[0]
    task.check(record, {"delay": DELAY})
    for k in np.arange(8)[i].ravel():
        change(record.ratings[record.rows(int(k))])
    with pytest.raises(ValueError, match=re.escape(said)):
        task.check(record, {"delay": DELAY})


@pytest.mark.parametrize("split", ["validation", "test"])
def test_recordings_without_a_split_are_told_before_training(made, split):
    record = replace(made[0], split=np.where(made[0].split == split, "train", made[0].split))
    with pytest.raises(ValueError, match=f"no recording is of the split {split}. Networks are trained"):
        task.check(record, {"delay": DELAY})


def test_the_search_leaves_out_delays_that_a_recording_does_not_reach(on, made, tmp_path):
    with pytest.raises(ValueError, match=r"recording 5 lasts 7.5 s, and labels are moved back by 7.5 s"):
        task.check(made[0], {"delay": 75})
    settings = {"modalities": ["audio"], "delays": [0, 75, 10]}
    found = task.search_delay(on(), settings, 0, tmp_path)["correlation"]
    assert np.isfinite(found[:, [0, 2]]).all() and np.isnan(found[:, 1]).all()
