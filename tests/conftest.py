"""What every test stands on: a clean environment, fixtures, one way of drawing random cases, no silent skips."""

import os
from importlib.util import find_spec

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["fix_postgres"]

OURS = {"MILEPOST_POSTGRES"}  # tells the tests which server to use

for name in list(os.environ):
    if name.startswith(("MILEPOST_", "PG")) and name not in OURS:
        del os.environ[name]

# A failure prints the blob that repeats it. In CI the cases are the same each time: a red run means a change.
settings.register_profile(
    "here", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.register_profile("ci", settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")


def pytest_report_header() -> str:
    milepost = find_spec("milepost")
    return f"milepost: {milepost.origin if milepost else 'not installed'}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI nothing may be skipped: what is not tested there is tested nowhere."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("CI") or reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    if skipped and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if os.environ.get("CI") and skipped:
        terminalreporter.section("failed: skipped in CI", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else 'no reason'}")
