"""han2017: the grid of runs behind its artefacts, and every number of its page.

Two things vary, and each number says which its interval is over. Pairs: frames of one recording hang together, and so
do the recordings of two people who talked to each other. Seeds: a network trained again is another one; networks of
one seed share the order of the batches and the input noise. An interval of a CCC, or of a difference of two, resamples
pairs and seeds, crossed. A claim of the paper is judged once, over all cells that it speaks of: cells share people.
"""

from paperlib.papers.han2017.fusion import NO_LOSS
from paperlib.papers.han2017.plan import (
    BETTER,
    BOTH,
    CLAIM_IDS,
    COSTS,
    COUNTED,
    DIMENSIONS,
    FASTER,
    FUSED,
    FUSION,
    FUSION_ERROR,
    FUSION_SIGMA,
    HARDER,
    KEY,
    MODALITIES,
    PARTITIONS,
    PRINTED_ON,
    PRINTED_RMSE_ON,
    RESCALED,
    REVERSED,
    SHRINKAGE,
    TASKS,
    TREND,
    for_replay,
    grid,
    open_choices,
    protocol,
    searched,
    weights,
)
from paperlib.papers.han2017.runs import DECIDED, MADE
from paperlib.papers.han2017.study import Study
from paperlib.papers.han2017.uncertainty import PRINTED_BEST_ON

__all__ = [
    "BETTER",
    "BOTH",
    "CLAIM_IDS",
    "COSTS",
    "COUNTED",
    "DECIDED",
    "DIMENSIONS",
    "FASTER",
    "FUSED",
    "FUSION",
    "FUSION_ERROR",
    "FUSION_SIGMA",
    "HARDER",
    "KEY",
    "MADE",
    "MODALITIES",
    "NO_LOSS",
    "PARTITIONS",
    "PRINTED_BEST_ON",
    "PRINTED_ON",
    "PRINTED_RMSE_ON",
    "RESCALED",
    "REVERSED",
    "SHRINKAGE",
    "TASKS",
    "TREND",
    "Study",
    "for_replay",
    "grid",
    "open_choices",
    "protocol",
    "searched",
    "weights",
]
