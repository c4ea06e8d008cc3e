"""The numbers at the end of a run: each source row counts once, and a row is rejected only as long as it is."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from run_command import milepost

CRM = """
from milepost import Migration, Reject, Table

crm = Migration("crm", source="sqlite:///old.db", target="sqlite:///new.db", max_rejects=10)


@crm.object(source=Table("people", key="no", modified="changed"), target=Table("person", key="no"),
            parents={"boss": "self"})
def person(row):
    if row["name"] is None:
        raise Reject("nobody")
    return {"no": row["no"], "name": row["name"], "boss": row["boss"]}


crm.object("note", source=Table("notes", key="no"), target=Table("note", key="no"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "crm.py").write_text(CRM)
    at(
        tmp_path / "old.db",
        "CREATE TABLE people (no integer PRIMARY KEY, name text, boss integer, changed text)",
        "CREATE TABLE notes (no integer PRIMARY KEY)",
        "INSERT INTO people VALUES (1, 'one', NULL, '2026-01-01'), (2, NULL, 1, '2026-01-01'),"
        " (3, NULL, 1, '2026-01-01'), (4, 'four', 1, '2026-01-01')",
        "INSERT INTO notes VALUES (1), (2), (3)",
    )
    at(
        tmp_path / "new.db",
        "CREATE TABLE person (no integer PRIMARY KEY, name text NOT NULL, boss integer REFERENCES person)",
        "CREATE TABLE note (no integer PRIMARY KEY)",
    )
    return tmp_path


def at(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def line_of(said: str, name: str) -> str:
    """A line of the table at the end, from its name on."""
    found = re.search(rf"{name} .*", said)
    assert found, said
    return " ".join(found.group().split())


def test_links_and_rows_that_go_in_again_are_told_apart_from_the_rows_of_the_source(folder: Path) -> None:
    first = milepost(folder, "run", "crm.py")
    assert line_of(first.err, "together").startswith("together 7 5 0 0 2")
    assert line_of(first.err, "passes over them").startswith("passes over them 1 1 0 0 0")
    at(folder / "old.db", "UPDATE people SET name = 'new', changed = '2026-02-01' WHERE no = 2")

    again = milepost(folder, "run", "crm.py", "--recheck")

    assert again.status == 0, again.err
    assert "crm: complete, 0 rows in " in again.err, again.err
    assert "(7 in all)" in again.err
    assert line_of(again.err, "together").startswith("together 7")


def test_rows_that_are_in_by_now_are_no_rejects_at_the_end_of_a_run(folder: Path) -> None:
    first = milepost(folder, "run", "crm.py")
    assert "2 rows rejected, kept in the store: " in first.err
    at(folder / "old.db", "UPDATE people SET name = 'new', changed = '2026-02-01' WHERE no = 2")
    assert "1 row rejected, kept in the store" in milepost(folder, "run", "crm.py", "--recheck").err
    assert "1 row rejected, kept in the store" in milepost(folder, "run", "crm.py").err  # no pass of its own
    at(folder / "old.db", "UPDATE people SET name = 'new', changed = '2026-02-02' WHERE no = 3")

    again = milepost(folder, "run", "crm.py", "--recheck")

    assert "kept in the store" not in again.err, again.err
    assert milepost(folder, "rejects", "crm.py", "--json").document["rejects"] == 0
