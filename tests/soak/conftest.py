"""What the soak tests share: their summary."""

from collections import Counter

import pytest


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
