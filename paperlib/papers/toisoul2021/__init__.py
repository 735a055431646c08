"""toisoul2021: the grid of runs behind its artefacts, and every number of its page.

Networks are compared over seeds: runs of one seed share the order of the batches and, but for shake-shake's, the
augmentation; a student learns from the teacher of its seed. So differences are paired. Every difference is taken so
that a positive one speaks for the claim: of RMSE, the worse less the better.

What the paper says of two of its rows is judged in those measures in which it prints a gain, since no run need show
more than the paper's own table does. Where it says "at least as good" or "without degrading", a loss of one unit of the
last printed place is allowed: two numbers that print alike may be as far apart.

Two rows that differ in more than the paper's do, through what was made here, cannot tell, whatever their difference:
see `Study.unfair`.
"""

from paperlib.papers.toisoul2021.measures import printed_ccc, printed_cells, printed_step
from paperlib.papers.toisoul2021.networks import GENERATED
from paperlib.papers.toisoul2021.plan import (
    ALL,
    BASELINES,
    BEST,
    BY_OTHERS,
    CAVEATS,
    CLEANED,
    FAIR,
    KEY,
    MEASURES,
    MORE_FACES,
    OPEN,
    PEOPLE,
    REMOVED,
    STEPS,
    TABLE3,
    TABLE5,
    TABLE6,
    TASK,
    TEACHERS,
    WITH_ALL,
    WITH_ONE,
    WITH_REST,
    for_replay,
    grid,
    open_choices,
    protocol,
)
from paperlib.papers.toisoul2021.study import Study

__all__ = [
    "ALL",
    "BASELINES",
    "BEST",
    "BY_OTHERS",
    "CAVEATS",
    "CLEANED",
    "FAIR",
    "GENERATED",
    "KEY",
    "MEASURES",
    "MORE_FACES",
    "OPEN",
    "PEOPLE",
    "REMOVED",
    "STEPS",
    "TABLE3",
    "TABLE5",
    "TABLE6",
    "TASK",
    "TEACHERS",
    "WITH_ALL",
    "WITH_ONE",
    "WITH_REST",
    "Study",
    "for_replay",
    "grid",
    "open_choices",
    "printed_ccc",
    "printed_cells",
    "printed_step",
    "protocol",
]
