"""In CI a skipped test is a failure: what is not tested there is tested nowhere."""

import os

import pytest


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and skipped_in_ci(reporter) and session.exitstatus in {0, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if skipped := skipped_in_ci(terminalreporter):
        terminalreporter.section("failed: skipped in CI", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2]}")


def skipped_in_ci(reporter: pytest.TerminalReporter) -> list[pytest.TestReport]:
    """Reports of the tests that were skipped. An expected failure is none: it ran."""
    return reporter.stats.get("skipped", []) if os.environ.get("CI") else []
