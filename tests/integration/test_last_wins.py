"""Where the last of rows with one key wins: what is held afterwards, and how the others are counted, in both databases.

A row that a later one of its batch replaced counts as loaded, whatever stood there before; one that stays counts as
what it is.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fix_databases import Database, Pair
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.migration.target import Loaded, Loading

TABLE = "CREATE TABLE t (id integer PRIMARY KEY, v integer CHECK (v > 0))"
LOADING = Loading(columns=("id", "v"), key=("id",), fresh=True, last_wins=True)
Rows = list[tuple[int, int]]


BOTH = pytest.mark.parametrize("pair", ["sqlite-sqlite", "postgres-postgres"], indirect=True)


def load(database: Database, rows: Rows, how: Loading = LOADING) -> Loaded:
    if database.url.startswith("sqlite"):
        with closing(sqlite3.connect(database.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            loaded = SqliteTarget(database.url, name="t", key=("id",)).load(connection, rows, how)
            connection.execute("COMMIT")
            return loaded
    with psycopg.connect(database.url) as connection, connection.transaction():
        return PostgresTarget(database.url, name="t", key=("id",)).load(connection, rows, how)


def told(loaded: Loaded) -> tuple[int, int, list[int]]:
    return loaded.loaded, loaded.unchanged, [one.index for one in loaded.refused]


@BOTH
@pytest.mark.parametrize(
    ("held", "rows", "expected"),
    [
        # replaced, changed, the same, refused
        ([(1, 3), (2, 7)], [(1, 3), (1, 4), (2, 7), (2, 0)], (2, 1, [3])),
        # the same, but replaced far behind; every row on its own, since each other one is refused
        ([(1, 3)], [(1, 3), (5, 0), (6, 0), (1, 4), (7, 0)], (2, 0, [1, 2, 4])),
        ([(1, 3)], [(1, 3), (5, 0), (6, 0), (1, 0), (7, 0)], (0, 1, [1, 2, 3, 4])),
        ([], [(1, 1), (1, 2), (1, 0)], (2, 0, [2])),
    ],
)
def test_a_row_counts_as_replaced_only_if_a_later_one_did_replace_it(
    pair: Pair, held: Rows, rows: Rows, expected: tuple[int, int, list[int]]
) -> None:
    pair.target.execute(TABLE)
    if held:
        pair.target.insert("t", held)
    assert told(load(pair.target, rows)) == expected


@BOTH
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(st.integers(1, 3), st.integers(1, 2)),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 2)), max_size=12),
)
@example({1: 1}, [(1, 1), (2, 0), (1, 2)])
@example({2: 2}, [(2, 2), (2, 1)])
def test_the_last_that_can_be_loaded_is_held_and_each_replaced_row_is_loaded(
    pair: Pair, held: dict[int, int], rows: Rows
) -> None:
    pair.target.execute("DROP TABLE IF EXISTS t", TABLE)
    if held:
        pair.target.insert("t", list(held.items()))
    loaded, unchanged, refused = told(load(pair.target, rows))
    good = [row for row in rows if row[1] > 0]
    last = dict(good)
    assert pair.target.rows("SELECT id, v FROM t ORDER BY id") == sorted((held | last).items())
    assert set(refused) <= {index for index, row in enumerate(rows) if row[1] == 0}
    earlier = {id_: {held.get(id_)} | {v for other, v in good[: _place(good, id_)] if other == id_} for id_ in last}
    replaced = len(good) - len(last)
    assert loaded >= replaced + sum(value not in earlier[id_] for id_, value in last.items())
    assert loaded + unchanged + len(refused) == len(rows)


@BOTH
def test_where_the_first_counts_it_does_so_also_if_it_stands_there_already(pair: Pair) -> None:
    pair.target.execute(TABLE)
    pair.target.insert("t", [(1, 3), (2, 7)])
    again = Loading(columns=("id", "v"), key=("id",), fresh=False)
    assert told(load(pair.target, [(1, 3), (1, 4), (2, 7), (2, 7)], again)) == (0, 2, [1, 3])
    assert pair.target.rows("SELECT id, v FROM t ORDER BY id") == [(1, 3), (2, 7)]


def _place(rows: Rows, id_: int) -> int:
    """Where the last row of this id stands."""
    return max(place for place, row in enumerate(rows) if row[0] == id_)


@BOTH
def test_a_row_whose_replacement_a_trigger_keeps_out_is_held(pair: Pair) -> None:
    pair.target.execute(TABLE)
    if pair.target.url.startswith("sqlite"):
        for event in ("INSERT", "UPDATE"):
            dropping = "WHEN NEW.v = 9 BEGIN SELECT RAISE(IGNORE); END"
            pair.target.execute(f"CREATE TRIGGER no_{event} BEFORE {event} ON t {dropping}")
    else:
        pair.target.execute(
            "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.v = 9 THEN RETURN NULL; END IF; RETURN NEW; END $$",
            "CREATE TRIGGER no BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION no()",
        )
    assert told(load(pair.target, [(1, 1), (2, 1), (1, 9), (2, 2)])) == (3, 0, [2])
    assert pair.target.rows("SELECT id, v FROM t ORDER BY id") == [(1, 1), (2, 2)]
