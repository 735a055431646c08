"""What the soak tests share: their summary."""

import time
from collections import Counter

import numpy as np
import pytest
from toy import TWO
from trees import PARTS, Tree
from wellformed import LAYOUTS


@pytest.fixture
def survived(record_property):
    """Call it with what was survived, and how often: the summary adds them up."""

    def count(what: str, number: int = 1) -> None:
        record_property("survived", (what, number))

    return count


def pytest_terminal_summary(terminalreporter):
    total: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        for name, value in report.user_properties:
            if name == "survived":
                total[value[0]] += value[1]
    if total:
        terminalreporter.section("survived")
        for what, number in total.items():
            terminalreporter.write_line(f"{number:6,} {what}")


@pytest.fixture(scope="session")
def loaded(written, tmp_path_factory):
    """Fingerprint and exclusions of every layout as it was written."""
    cache = tmp_path_factory.mktemp("cache")
    records = {name: layout.load(written / name, cache) for name, layout in LAYOUTS.items()}
    return {name: (record.fingerprint, record.excluded) for name, record in records.items()}


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """What a reproduction of one paper makes that nobody disturbs."""
    tree = Tree(tmp_path_factory.mktemp("undisturbed") / "tree")
    assert tree.reproduce() == 0, tree.said
    return tree.made()


@pytest.fixture(scope="session")
def both(tmp_path_factory):
    """What an undisturbed one makes of two papers and their scoreboard, and the seconds that each of PARTS takes."""
    tree = Tree(tmp_path_factory.mktemp("undisturbed both") / "tree", papers=TWO)
    process, began = tree.start(), {}
    while process.poll() is None:
        for part, said in PARTS.items():
            if part not in began and said in tree.said:
                began[part] = time.monotonic()
        time.sleep(0.05)
    assert process.returncode == 0 and list(began) == list(PARTS), tree.said
    times = [*began.values(), time.monotonic()]
    tree.wait_until_alone()
    made = tree.made()
    return made, dict(zip(PARTS, np.diff(times), strict=True))
