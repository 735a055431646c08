"""Each step undoes what it is for, and none is kept that harms."""

import numpy as np
import pytest

from paperlib.metrics import ccc
from paperlib.postprocessing import PostProcessing, fit_postprocessing, steps


@pytest.fixture
def gold(rng):
    """Slow waves of different lengths."""
    return [np.sin(np.arange(n) / 30 + rng.uniform(0, 6)) * 0.3 + 0.1 for n in (300, 450, 200)]


def gained(chain, predicted, gold):
    """The CCC after each step."""
    rated = np.isfinite(whole := np.concatenate(gold))
    after = {name: np.concatenate([part(x) for x in predicted]) for name, part in steps(chain).items()}
    return {name: ccc(x[rated], whole[rated]) for name, x in after.items()}


def test_a_biased_shrunk_late_and_jittery_trace_is_brought_back(gold, rng):
    predicted = [0.4 * np.roll(y, 7) - 0.5 + rng.laplace(0, 0.03, len(y)) for y in gold]
    chain = fit_postprocessing(predicted, gold)
    assert chain.window > 1 and chain.centre == pytest.approx(0.54, abs=0.05)
    assert chain.scale == pytest.approx(2.5, rel=0.15) and chain.shift == pytest.approx(-7, abs=3)
    values = list(gained(chain, predicted, gold).values())
    assert values == sorted(values) and values[0] < 0.2 and values[-1] > 0.9


def test_a_perfect_trace_is_left_alone(gold):
    assert fit_postprocessing(gold, gold) == PostProcessing()


def test_scaling_that_harms_is_not_kept(gold, rng):
    """Noise of the same spread: to blow it up to the gold standard's lowers no error."""
    predicted = [rng.normal(0.1, 0.01, len(y)) for y in gold]
    found = gained(fit_postprocessing(predicted, gold, windows=(1,), shifts=(0,)), predicted, gold)
    assert found["scaling"] >= found["centring"] >= found["none"]


def test_steps_by_hand():
    x = np.array([0.0, 0.0, 9.0, 0.0, 0.0, 2.0])
    np.testing.assert_array_equal(PostProcessing(window=3)(x), [0, 0, 0, 0, 0, 2])
    np.testing.assert_array_equal(PostProcessing(centre=1.0)(x), x + 1)
    np.testing.assert_array_equal(PostProcessing(scale=2.0, middle=1.0)(x), 2 * x - 1)
    np.testing.assert_array_equal(PostProcessing(shift=2)(x), [0, 0, 0, 0, 9, 0])
    np.testing.assert_array_equal(PostProcessing(shift=-1)(x), [0, 9, 0, 0, 2, 2])


def test_recordings_do_not_leak_into_each_other():
    """Smoothing and shifting end with the recording."""
    first, second = np.zeros(5), np.ones(5)
    chain = PostProcessing(window=5, shift=1)
    np.testing.assert_array_equal(np.r_[chain(first), chain(second)], np.r_[first, second])


def test_recordings_that_do_not_match_are_refused(gold):
    with pytest.raises(ValueError, match="as many predictions as gold traces; got 0 and 3"):
        fit_postprocessing([], gold)
    with pytest.raises(ValueError, match="recording 1: 449 predicted frames and 450"):
        fit_postprocessing([gold[0], gold[1][:-1], gold[2]], gold)


def test_unrated_frames_count_nowhere(gold, rng):
    """Whatever is predicted where nobody rated, as long as no step carries it elsewhere."""
    predicted = [0.4 * y - 0.5 + rng.normal(0, 0.05, len(y)) for y in gold]
    left = fit_postprocessing(
        [np.delete(x, range(50, 70)) for x in predicted],
        [np.delete(y, range(50, 70)) for y in gold],
        windows=(1,),
        shifts=(0,),
    )
    for x, y in zip(predicted, gold, strict=True):
        x[50:70], y[50:70] = 1e3, np.nan
    assert fit_postprocessing(predicted, gold, windows=(1,), shifts=(0,)) == left
