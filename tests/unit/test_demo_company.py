"""The migration file that the demo leaves: what a newcomer reads must be right."""

from __future__ import annotations

import importlib.util
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from milepost import Reject
from milepost.demo.folder import EXPECTED, shipped
from milepost.demo.generate import make_legacy
from milepost.demo.prove import OBJECTS


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModuleType]:
    path = tmp_path_factory.mktemp("company") / "company.py"
    path.write_text(shipped("company.py.txt"), "utf-8")
    spec = importlib.util.spec_from_file_location("demo_company", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["demo_company"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["demo_company"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2019-03-07", "2019-03-07"),
        ("07.03.2019", "2019-03-07"),
        ("03/07/2019", "2019-03-07"),
        ("29.02.2020", "2020-02-29"),
    ],
)
def test_a_day_is_read_in_each_of_the_three_formats(company: ModuleType, written: str, meant: str) -> None:
    assert company.day(written) == meant


@pytest.mark.parametrize("written", ["2021-02-30", "31.04.2020", "02/29/2019", "soon", ""])
def test_a_day_that_no_calendar_has_is_rejected(company: ModuleType, written: str) -> None:
    with pytest.raises(Reject, match="no such date"):
        company.day(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("1234.50", 123450), ("1.234,50", 123450), ("0,05 ", 5), ("8.10", 810), ("1.234.567,89", 123456789), ("7", 700)],
)
def test_an_amount_becomes_whole_cents(company: ModuleType, written: str, meant: int) -> None:
    assert company.cents(written) == meant


@pytest.mark.parametrize("written", ["to be agreed", "?", ""])
def test_an_amount_that_is_none_is_rejected(company: ModuleType, written: str) -> None:
    with pytest.raises(Reject, match="no such amount"):
        company.cents(written)


@pytest.mark.parametrize(
    ("written", "meant"),
    [("A.B@Example.com ", "a.b@example.com"), (None, None), ("  ", None), ("N/A", None), ("-", None)],
)
def test_an_email_is_in_small_letters_or_none(company: ModuleType, written: str | None, meant: str | None) -> None:
    assert company.email(written) == meant


def test_an_email_without_an_at_is_rejected(company: ModuleType) -> None:
    with pytest.raises(Reject, match="e-mail has no @"):
        company.email("anna at example.com")


def test_the_file_says_its_batch_rows_once() -> None:
    """The demo puts another number there for a small company."""
    assert shipped("company.py.txt").count("batch_rows=500") == 1


@pytest.mark.parametrize("name", OBJECTS)
def test_the_functions_and_the_expected_rows_agree(company: ModuleType, tmp_path: Path, name: str) -> None:
    """Two independent ways from old to new: Python's, row by row, and expected.sql. Parents and keys are left out."""
    make_legacy(tmp_path / "legacy.db", rows=6_000, seed=8)
    with closing(sqlite3.connect(tmp_path / "legacy.db")) as connection:
        connection.executescript(shipped(EXPECTED))
        connection.row_factory = sqlite3.Row
        expected = [dict(row) for row in connection.execute(f"SELECT * FROM temp.expected_{name}")]
        unreadable = connection.execute(
            "SELECT count(*) FROM temp.expected_reject WHERE object = ? AND stage = 'restructure'", (name,)
        ).fetchone()[0]
        rows = [dict(row) for row in connection.execute(f"SELECT * FROM main.{OBJECTS[name][0]}")]
    moved, rejects = restructured(getattr(company, name), rows)
    numbers = {column: parent.target_key[0] for (column,), parent in getattr(company, name).parents.items()}
    moved = [{numbers.get(column, column): value for column, value in row.items()} for row in moved]
    assert rejects == unreadable
    assert [row for row in expected if row not in moved] == []


def restructured(each: Any, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
    function: Callable[[dict[str, Any]], dict[str, Any] | None] = each
    if each.columns:
        return [{new: row[old] for new, old in each.columns.items()} for row in rows], 0
    moved, rejects = [], 0
    for row in rows:
        try:
            new = function(row)
        except Reject:
            rejects += 1
        else:
            moved += [] if new is None else [new]
    return moved, rejects
