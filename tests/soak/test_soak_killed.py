"""Reproductions that are killed, or that run beside each other, make byte for byte what one alone makes.

They are of two papers and their scoreboard: trainings, samples, pages of both at a time, then notebook 00.
"""

import time
from collections import Counter

import numpy as np
import pytest
from toy import TWO
from trees import PARTS, Tree, differences

TREES, KILLS_A_PART = 2, 3  # in each tree, trainings and pages are hit so many times at least: 12 kills
# How late at most, as a share of what the part takes: a training is not lost, so all kills together must not outlast
# them; of a page nothing is kept.
LATEST = {"training": 0.9 / KILLS_A_PART, "executing": 0.8}


def strike(tree, wanted, after):
    """Kill a reproduction `after` seconds of one of PARTS, or as the next begins; the part that was hit, or ""."""
    order, before, process = list(PARTS), len(tree.said), tree.start()

    def begun():
        return [name for name, said in PARTS.items() if said in tree.said[before:]]

    def wait(condition):
        while process.poll() is None and not condition():
            time.sleep(0.01)

    wait(lambda: begun() and order.index(begun()[-1]) >= order.index(wanted))
    late = time.monotonic() + after
    wait(lambda: begun()[-1] != wanted or time.monotonic() > late)
    hit = ""
    if process.poll() is None:
        tree.kill(process)
        hit = begun()[-1]
    else:
        tree.wait_until_alone()
        assert process.returncode == 0, tree.said
    if not hit or wanted not in begun():
        tree.forget(wanted)  # it was done before
    return hit


def test_two_reproductions_at_once_make_what_one_makes(both, tmp_path, survived):
    tree, (expected, _) = Tree(tmp_path / "tree", papers=TWO), both
    processes = [tree.start(), tree.start()]
    assert [process.wait(timeout=1800) for process in processes] == [0, 0], tree.said
    tree.wait_until_alone()
    assert not differences(tree.made(), expected)
    survived("reproductions at once in one tree", 2)


@pytest.mark.parametrize("part", range(TREES))
def test_a_reproduction_killed_and_restarted_makes_what_an_undisturbed_one_makes(
    part, both, tmp_path, survived
):
    (expected, seconds), rng = both, np.random.default_rng([2017, part])
    tree, hits = Tree(tmp_path / "tree", papers=TWO), Counter(dict.fromkeys(PARTS, 0))
    while wanted := next((name for name in PARTS if hits[name] < KILLS_A_PART), ""):
        if hit := strike(tree, wanted, rng.uniform(0, LATEST[wanted]) * seconds[wanted]):
            hits[hit] += 1
    assert tree.reproduce() == 0, tree.said
    assert not differences(tree.made(), expected)
    for name, number in hits.items():
        survived(f"kills while {name}", number)
