"""studyforrest: raters' traces and features by hand, runs that are tested in turn, and the authors' own merging."""

import os
from dataclasses import replace
from pathlib import Path

import layouts
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from wellformed import SHORT, film

from paperlib.data import load_studyforrest, load_studyforrest_segments, records, studyforrest

LEVEL = {"HIGH": 1, "POS": 1, "LOW": -1, "NEG": -1, "POS NEG": 0}
OWN = [slice(0, 46), slice(46, 86), slice(86, 130)]  # seconds: six into a run it takes over


@pytest.fixture
def load(tmp_path):
    """What is read of a film that differs from the well-formed one in what is given."""

    def of(reader=load_studyforrest, **more):
        layouts.write_studyforrest(tmp_path / "studyforrest", **film() | more)
        return reader(tmp_path, cache=tmp_path / "cache", film=SHORT)

    return of


def test_a_trace_is_the_mean_of_a_raters_running_episodes(load):
    read = load()
    for k, (rater, table) in enumerate(film()["episodes"].items()):
        noted = 0
        for second in range(SHORT.seconds):
            running = table[(table["start"] <= second) & (second < table["end"])]
            levels = [[LEVEL[x] for x in running[d] if x] for d in ("valence", "arousal")]
            assert_allclose(read.ratings[second, k], [np.mean(x) if x else 0 for x in levels], atol=1e-6)
            noted += any(levels)
        assert read.adjusted[f"seconds of 130 for which {rater} noted anything"] == noted


def test_features_are_moments_around_a_second_within_its_run(load):
    read, given = load(), film()
    loud, bright = 20 * np.log10(given["sound"]["rms"]), given["pictures"]["brmean"]
    for second in (0, 20, 45, 46, 85, 86, 129):
        own = next(o for o in OWN if o.start <= second < o.stop)
        for w, window in enumerate((6, 20)):
            middle = second * 25 + 12
            around = range(
                max(middle - window * 25 // 2, own.start * 25), min(middle + window * 25 // 2, own.stop * 25)
            )
            for values, found in ((loud, read.audio), (bright, read.video)):
                of = values.iloc[list(around)]
                assert_allclose(found[second, [10 * w, 10 * w + 5]], [of.mean(), of.std(ddof=0)], rtol=0.02)
    assert read.audio.shape == read.video.shape == (130, 20)


def test_segments_lie_in_one_run_and_carry_what_is_seen_and_heard_there(load):
    read, given = load(load_studyforrest_segments), film()
    begins = [0, 20, 46, 66, 86, 106]
    assert read.subject.tolist() == ["run 1", "run 1", "run 2", "run 2", "run 3", "run 3"]
    assert read.excluded == {"seconds at a run's end, no whole segment": 6 + 0 + 4}
    for k, begin in enumerate(begins):
        rows = slice(begin * 25, (begin + 20) * 25)
        assert_allclose(read.features[k, :, 2], given["sound"]["lrdiff"][rows], rtol=1e-5)
        assert_allclose(read.features[k, :, 5], given["pictures"]["brmean"][rows], rtol=1e-5)
    time = np.add.outer(begins, np.arange(500) / 25)
    on = [(3, 4.52)], [(10, 15), (100, 160)], [(0, 0.04), (50.4, 50.44)]
    for column, spans in zip((3, 4, 9), on, strict=True):
        expected = sum((time > a - 0.01) & (time < b - 0.01) for a, b in spans)
        assert_array_equal(read.features[:, :, column], expected)
    assert_allclose(read.affect, read.ratings.mean(axis=1), atol=1e-6)
    whole = load()
    assert_allclose(read.ratings[3], whole.ratings[66:86].mean(axis=0), atol=1e-6)


def test_every_run_is_the_test_once_and_the_one_before_it_development(load):
    read = load()
    assert records.turns(read) == ["run 1", "run 2", "run 3"]
    parts = ["test", "train", "validation"]  # of runs 1, 2, 3 if the first is tested
    for k, run in enumerate(records.turns(read)):
        assert records.tested_in_turn(read, run).split.tolist() == np.roll(parts, k).tolist()
    with pytest.raises(ValueError, match="got 'run 9'"):
        records.tested_in_turn(read, "run 9")
    assert records.turns(replace(read, split=np.array(["train", "train", "test"]))) == []


@pytest.mark.parametrize("k", range(3))
def test_nothing_of_a_test_run_is_seen_in_training(load, k):
    """Everything that happens in its seconds, as its own and its neighbours' files have it, becomes another."""
    before, given = load(), film()
    seen, heard = given["pictures"].copy(), given["sound"].copy()
    rows = slice(OWN[k].start * 25, OWN[k].stop * 25)
    seen.iloc[rows] = 255 - seen.iloc[rows]
    heard.iloc[rows] /= 2
    inside = {}
    for rater, table in given["episodes"].items():
        within = (table["start"] >= OWN[k].start) & (table["end"] <= OWN[k].stop)
        inside[rater] = table.assign(valence=table["valence"].where(~within, "POS"))
    after = load(pictures=seen, sound=heard, episodes=inside)
    fold = records.tested_in_turn(after, f"run {k + 1}")
    for i in range(3):
        same = [
            np.array_equal(getattr(before, name)[before.rows(i)], getattr(after, name)[after.rows(i)])
            for name in ("ratings", "audio", "video")
        ]
        assert all(same) if fold.split[i] != "test" else not any(same)


REAL = Path(os.environ.get("PAPERLIB_DATA", "nowhere"))
MERGED = "studyforrest-data-annotations/researchcut/emotions_av_1s_events.tsv"


@pytest.mark.skipif(
    not (REAL / "studyforrest" / MERGED).is_file(),
    reason="needs studyforrest/: set PAPERLIB_DATA to its folder",
)
def test_the_authors_merge_the_nine_raters_alike():
    """Their table has a character a row, ours none: where they have one character alone, the sums agree."""
    ratings, _ = studyforrest.read_ratings(REAL / "studyforrest", studyforrest.RESEARCH_CUT)
    merged = pd.read_csv(REAL / "studyforrest" / MERGED, sep="\t")
    characters, theirs = np.zeros(7086), np.zeros((7086, 2))
    for row in merged.itertuples():
        at = slice(int(row.onset), int(row.onset + row.duration))
        characters[at] += 1
        theirs[at] += [row.valence_positive - row.valence_negative, row.arousal]
    alone = characters == 1
    ours = ratings.mean(axis=1)[alone]
    for d in range(2):
        assert np.corrcoef(ours[:, d], theirs[alone, d])[0, 1] > 0.95
