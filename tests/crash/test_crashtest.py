"""A job of the user's own is broken at every point: what holds comes out the same, what does not is found and named."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from milepost.crashtest.prove import prove
from milepost.errors import PlanError
from run_command import make_company

APPENDING = """

@crm.after
def report(cp):
    with open("report.txt", "a") as file:
        file.write("done\\n")
"""


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """A folder with crm.py and its two databases."""
    folder = tmp_path / "company"
    folder.mkdir()
    make_company(folder)
    return folder


def add(folder: Path, code: str) -> str:
    """The reference of crm.py with that code at its end."""
    file = folder / "crm.py"
    file.write_text(file.read_text(encoding="utf-8") + code, encoding="utf-8")
    return str(file)


def prove_here(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings):
    monkeypatch.chdir(folder)
    return prove("crm.py", **settings)


def test_a_migration_that_holds_is_the_same_after_every_kill(company, monkeypatch):
    report = prove_here(company, monkeypatch, points=12)

    assert [each.messages for each in report.failures] == []
    assert len(report.rounds) == 24
    assert report.kills == 24
    assert {each.restarts for each in report.rounds} == {1}


def test_nothing_real_is_touched(company, monkeypatch):
    before = {file.name: file.read_bytes() for file in company.iterdir()}
    prove_here(company, monkeypatch, points=1)

    assert {file.name: file.read_bytes() for file in company.iterdir()} == before


def test_a_step_that_appends_to_a_file_is_found_and_named(company, monkeypatch):
    add(company, APPENDING)
    report = prove_here(company, monkeypatch, points="all", faults=["error"])

    assert report.outcomes["different"] > 0
    assert [each.step for each in report.suspects] == ["report"]
    assert report.suspects[0].about == ("report.txt",)
    assert all(each.steps["report"] > 1 for each in report.failures)


def test_what_does_not_complete_undisturbed_cannot_be_tested(company, monkeypatch):
    with closing(sqlite3.connect(company / "new.db")) as new:
        new.execute("DROP TABLE invoice")
    with pytest.raises(PlanError, match="invoice"):
        prove_here(company, monkeypatch)
