"""What the crash tests did in all, added up over their tests and processes and told at the end: fixture `totals`.

MILEPOST_CRASH_ALL=1 (make crash) has them try every point instead of some.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

import pytest

EVERY_POINT = bool(os.environ.get("MILEPOST_CRASH_ALL"))
NAME = "crash totals"
LARGEST = "the most "  # a total that begins so is not added up


@pytest.fixture
def totals(request: pytest.FixtureRequest) -> Iterator[Counter[str]]:
    """Where a test counts what it did; under names that begin with `LARGEST`, the largest it saw."""
    counted: Counter[str] = Counter()
    yield counted
    request.node.user_properties.append((NAME, dict(counted)))


def added(reports: list[pytest.TestReport]) -> Counter[str]:
    """The totals of all those tests together."""
    every: Counter[str] = Counter()
    for counted in (value for report in reports for name, value in report.user_properties if name == NAME):
        for what, number in counted.items():
            every[what] = max(every[what], number) if what.startswith(LARGEST) else every[what] + number
    return every


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    every = [each for each in terminalreporter.getreports("") if getattr(each, "when", "") == "teardown"]
    if counted := added(every):
        terminalreporter.section(NAME)
        width = max(map(len, counted))
        for what, number in counted.items():
            terminalreporter.write_line(f"{what:<{width}}  {number:>8,}")
