"""foteinopoulou2021: the grid of runs behind its artefacts, and every number of its page.

A notebook makes a `Study`, which trains what is missing, and asks it for one artefact after the other; each writes
its numbers to the ledger and gives back the table. Two kinds of interval are used, and each number says which:
over items (a bootstrap of subjects, or of pictures where subjects are unknown, of the average over seeds) where the
question is whether a relation exists, and over seeds (a paired t interval) where two methods are compared.
"""

from paperlib.papers.foteinopoulou2021.measures import every, in_range, printed_t_tests
from paperlib.papers.foteinopoulou2021.plan import (
    DIMENSIONS,
    HIDDEN,
    KEY,
    LEVELS,
    PROPOSED,
    SEQUENCES,
    grid,
    protocol,
)
from paperlib.papers.foteinopoulou2021.runs import FineTable, Predicted, ensemble
from paperlib.papers.foteinopoulou2021.study import Study
from paperlib.papers.foteinopoulou2021.subsets import SPREAD, VOTED, printed_share
from paperlib.papers.foteinopoulou2021.variance import size_verdict

__all__ = [
    "DIMENSIONS",
    "FineTable",
    "HIDDEN",
    "KEY",
    "LEVELS",
    "PROPOSED",
    "SEQUENCES",
    "SPREAD",
    "VOTED",
    "Predicted",
    "Study",
    "ensemble",
    "every",
    "grid",
    "in_range",
    "printed_share",
    "printed_t_tests",
    "protocol",
    "size_verdict",
]
