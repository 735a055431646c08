"""Reproductions that are killed, or that run beside each other, make byte for byte what one alone makes."""

import time
from collections import Counter

import numpy as np
import pytest
from trees import Tree, differences

KILLS, KILLS_A_TREE = 20, 5


def test_two_reproductions_at_once_make_what_one_makes(undisturbed, tmp_path, survived):
    tree, (expected, _) = Tree(tmp_path / "tree"), undisturbed
    both = [tree.start(), tree.start()]
    assert [process.wait(timeout=1800) for process in both] == [0, 0], tree.said
    tree.wait_until_alone()
    assert not differences(tree.made(), expected)
    survived("reproductions at once in one tree", 2)


@pytest.mark.parametrize("part", range(KILLS // KILLS_A_TREE))
def test_a_reproduction_killed_and_restarted_makes_what_an_undisturbed_one_makes(
    part, undisturbed, tmp_path, survived
):
    expected, seconds = undisturbed
    rng, phases, tries = np.random.default_rng([2017, part]), Counter(), 0
    tree = Tree(tmp_path / "tree 0")
    while sum(phases.values()) < KILLS_A_TREE:
        before = len(tree.said)
        process = tree.start()
        time.sleep(rng.uniform(0.03, 0.5) * seconds)
        if process.poll() is not None:  # it was faster: begin again
            assert process.returncode == 0 and not differences(tree.made(), expected), tree.said
            tree = Tree(tmp_path / f"tree {(tries := tries + 1)}")
            continue
        tree.kill(process)
        now = tree.said[before:]
        tries += 1
        phases["executing" if "executing" in now else "training" if "to train" in now else "starting"] += 1
    assert tree.reproduce() == 0, tree.said
    assert not differences(tree.made(), expected)
    for phase, number in phases.items():
        survived(f"kills while {phase}", number)
