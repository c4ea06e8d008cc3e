"""Rows whose parents are rows of the same table go into PostgreSQL in any order, whatever else is wrong."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.migration.target import Loaded, Loading

pytestmark = pytest.mark.every_postgres

TABLE = """
CREATE TABLE person (id int PRIMARY KEY, boss int REFERENCES person, pay int CHECK (pay < 100), name text UNIQUE)
"""


def load(url: str, rows: list[tuple[Any, ...]], **how: bool) -> Loaded:
    loading = Loading(columns=("id", "boss", "pay", "name"), key=("id",), **how)
    with connect(url) as connection, connection.transaction():
        loaded = PostgresTarget(url, name="person", key=("id",)).load(connection, rows, loading)
    assert loaded.loaded + loaded.unchanged + len(loaded.refused) == len(rows)
    return loaded


@pytest.mark.parametrize(
    "how",
    [{"fresh": True}, {"fresh": False}, {"fresh": True, "last_wins": True}],
    ids=["fresh", "upsert", "last wins"],
)
@pytest.mark.parametrize("bad", [0, 7, 30, 39])
def test_a_row_may_come_before_its_parent_though_another_row_is_refused(
    postgres_url: str, how: dict[str, bool], bad: int
) -> None:
    rows: list[tuple[Any, ...]] = [(number, number + 1, 1, f"n{number}") for number in range(40)]
    rows[20] = (20, None, 1, "n20")  # two chains; in each every row stands before its parent
    rows[39] = (39, None, 1, "n39")
    rows[bad] = (bad, rows[bad][1], 100, f"n{bad}")
    lost = [number for number in range(40) if number <= bad and (bad <= 20 or number > 20)]
    with psycopg.connect(postgres_url, autocommit=True) as plain:
        plain.execute(TABLE)
        found = {one.index: one.reason for one in load(postgres_url, rows, **how).refused}
        assert sorted(found) == lost
        assert "person_pay_check" in found[bad]
        assert all("person_boss_fkey" in found[number] for number in lost if number != bad)
        kept = [row for number, row in enumerate(rows) if number not in lost]
        assert plain.execute("SELECT * FROM person ORDER BY id").fetchall() == kept


def test_the_last_of_rows_with_one_key_wins_though_an_earlier_one_came_before_its_parent(postgres_url: str) -> None:
    rows = [(1, 3, 1, "early"), (9, None, 100, "bad"), (1, None, 1, "late"), (3, None, 1, "parent")]
    with psycopg.connect(postgres_url, autocommit=True) as plain:
        plain.execute(TABLE)
        load(postgres_url, rows, fresh=True, last_wins=True)
        assert plain.execute("SELECT id, name FROM person ORDER BY id").fetchall() == [(1, "late"), (3, "parent")]
