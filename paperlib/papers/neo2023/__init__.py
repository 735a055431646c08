"""neo2023: the grid of runs behind its artefacts, and every number of its page.

Labels are compared over seeds: runs of one seed share the wrong labels, the first weights, the order of the batches and
the augmentation, so differences are paired. Every difference is taken so that a positive one speaks for the claim; its
interval resamples the seeds and whatever test faces depend on: people, videos, or, where nobody knows them, the faces.
"""

from paperlib.papers.neo2023.measures import accuracy
from paperlib.papers.neo2023.plan import (
    ALPHAS,
    AS_GIVEN,
    CAVEATS,
    CLEAN,
    EUCLID,
    KEY,
    KINDS,
    LABELS,
    NATURAL,
    NOISY,
    ONE_HOT,
    PLAIN_L2,
    TABLE3,
    for_replay,
    grid,
    kinds,
    open_choices,
    protocol,
    tuning_condition,
)
from paperlib.papers.neo2023.study import Study

__all__ = [
    "ALPHAS",
    "AS_GIVEN",
    "CAVEATS",
    "CLEAN",
    "EUCLID",
    "KEY",
    "KINDS",
    "LABELS",
    "NATURAL",
    "NOISY",
    "ONE_HOT",
    "PLAIN_L2",
    "TABLE3",
    "Study",
    "accuracy",
    "for_replay",
    "grid",
    "kinds",
    "open_choices",
    "protocol",
    "tuning_condition",
]
