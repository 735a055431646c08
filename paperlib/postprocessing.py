"""What is done to predicted traces before they are scored: smoothing, centring, scaling, shifting (han2017, sec. 4.2).

A trace is (frames,) of one recording. Each step is fitted on development recordings, one after the other, and kept only
if it raises their CCC; then the chain is applied to the test recordings as it is (Trigeorgis et al., ICASSP 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from paperlib.metrics import ccc
from paperlib.shapes import check_shapes

Trace = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PostProcessing:
    """A chain; the default changes nothing."""

    window: int = 1  # frames of the median filter, odd
    centre: float = 0.0  # added
    scale: float = 1.0  # of the distance from `middle`
    middle: float = 0.0
    shift: int = 0  # frames that the trace is moved forward in time, its first value held

    def __call__(self, trace: Trace) -> Trace:
        """(frames,) to (frames,)."""
        check_shapes("frames", trace=np.asarray(trace))
        x = median_filter(np.asarray(trace, np.float64), self.window, mode="nearest") + self.centre
        x = self.middle + self.scale * (x - self.middle)
        return x[np.clip(np.arange(len(x)) - self.shift, 0, len(x) - 1)]


def steps(chain: PostProcessing) -> dict[str, PostProcessing]:
    """The chain up to each of its steps, by name."""
    return {
        "none": PostProcessing(),
        "smoothing": PostProcessing(window=chain.window),
        "centring": PostProcessing(window=chain.window, centre=chain.centre),
        "scaling": replace(chain, shift=0),
        "shifting": chain,
    }


def fit_postprocessing(
    predicted: Sequence[Trace],
    gold: Sequence[Trace],
    *,
    windows: Sequence[int] = (1, 3, 5, 11, 21, 41, 81, 161),
    shifts: Sequence[int] = range(-50, 51),
) -> PostProcessing:
    """The chain whose steps each raise the CCC over the concatenated recordings, or are left out.

    Frames without gold standard (NaN) count nowhere. Windows and shifts are in frames (at ten a second, the defaults
    reach 16 and 5 seconds). Centring adds the mean of gold less predicted, scaling multiplies by the ratio of standard
    deviations, both over all recordings.

    Raises:
        ValueError: no recordings, or traces of different lengths.
    """
    if not predicted or len(predicted) != len(gold):
        raise ValueError(f"expected as many predictions as gold traces; got {len(predicted)} and {len(gold)}")
    for number, (x, y) in enumerate(zip(predicted, gold, strict=True)):
        if len(x) != len(y):
            raise ValueError(f"recording {number}: {len(x)} predicted frames and {len(y)} of gold standard")
    truth = np.concatenate([np.asarray(y, np.float64) for y in gold])
    rated = np.isfinite(truth)
    truth = truth[rated]

    def after(chain: PostProcessing) -> Trace:
        return np.concatenate([chain(x) for x in predicted])[rated]

    def best(*chains: PostProcessing) -> PostProcessing:  # the first of equals
        return max(chains, key=lambda chain: float(ccc(after(chain), truth)))

    chain = best(*(PostProcessing(window=w) for w in windows))
    chain = best(chain, replace(chain, centre=float(truth.mean() - after(chain).mean())))
    x = after(chain)
    if x.std() > 0:
        chain = best(chain, replace(chain, middle=float(x.mean()), scale=float(truth.std() / x.std())))
    return best(chain, *(replace(chain, shift=s) for s in shifts))
