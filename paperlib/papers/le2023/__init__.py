"""le2023: the grid of runs behind its artefacts, and every number of its page.

Methods are compared over seeds: runs of one seed share the wrong labels, the order of the batches and the augmentation,
so differences are paired. Every difference is taken so that a positive one speaks for the claim.
"""

from paperlib.papers.le2023.choices import OVER_K
from paperlib.papers.le2023.plan import (
    BASELINE,
    CHOICES,
    CLEAN,
    COMPONENTS,
    CONDITIONS,
    DOUBTS,
    KEY,
    METHODS,
    NATURAL,
    OURS,
    RELEASED,
    for_replay,
    grid,
    open_choices,
    protocol,
)
from paperlib.papers.le2023.study import Study

__all__ = [
    "BASELINE",
    "CHOICES",
    "CLEAN",
    "COMPONENTS",
    "CONDITIONS",
    "DOUBTS",
    "KEY",
    "METHODS",
    "NATURAL",
    "OURS",
    "OVER_K",
    "RELEASED",
    "Study",
    "for_replay",
    "grid",
    "open_choices",
    "protocol",
]
