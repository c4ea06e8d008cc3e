"""A pytest plugin that crash tests jobs: put ``pytest_plugins = ["milepost.testing.crash"]`` into a conftest.py.

    def test_the_migration_survives_every_crash(crashtest):
        crashtest("crm.py", points=50, random=5)

Needs pytest. It runs on scratch copies, as the command ``milepost crashtest`` does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from milepost.crashtest.prove import prove
from milepost.crashtest.report import Report, Round
from milepost.crashtest.words import blame, failures, summary, verdict
from milepost.wiring.find import split

MOST = 20  # failures shown


@pytest.fixture
def crashtest(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Returns ``crashtest(FILE, …)``: takes what :func:`milepost.crashtest.prove.prove` does and gives its report.

    Fails the test, telling what differs, unless every round came out as the undisturbed run; ``check=False`` only gives
    the report. FILE is looked for in the working folder, then in that of the test's file. ``faults`` may be one text as
    in the command, "kill,error". Defaults: points="all", faults="kill", random=0, seed: one is drawn, and told.
    """

    def test(reference: str, *, check: bool = True, **settings: Any) -> Report:
        __tracebackhide__ = True
        if isinstance(settings.get("faults"), str):
            settings["faults"] = [each.strip() for each in settings["faults"].split(",")]
        report = prove(_found(reference, request.path.parent), **settings)
        if check and not report.ok:
            pytest.fail("\n".join(_told(report, reference)), pytrace=False)
        return report

    return test


def _found(reference: str, folder: Path) -> str:
    """The file beside the test's own where the working folder has none."""
    place, _ = split(reference)
    beside = folder / place
    return str(folder / reference) if not Path(place).is_file() and beside.is_file() else reference


def _told(report: Report, reference: str) -> list[str]:
    def again(each: Round) -> str:
        return f"crashtest({reference!r}, replay={each.replay!r})"

    return [
        *summary(report),
        *map(blame, report.suspects),
        *failures(report, again, most=MOST),
        *report.notes,
        verdict(report),
    ]
