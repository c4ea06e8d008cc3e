"""Ids that a SQLite table makes are drawn before their rows are there, and never twice."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.errors import PlanError
from milepost.migration.target import Loaded, Loading

PARENT = "CREATE TABLE t (id INTEGER PRIMARY KEY, v)"
COUNTING = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v CHECK (v > 0))"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "new.db")
    yield connection
    connection.close()


def target(connection: sqlite3.Connection, name: str = "t", key: tuple[str, ...] = ("id",)) -> SqliteTarget:
    (file,) = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    return SqliteTarget(f"sqlite:///{file}", name=name, key=key)


@pytest.mark.parametrize("ddl", [PARENT, COUNTING])
def test_ids_follow_the_highest_one_and_none_is_given_twice(database, ddl: str) -> None:
    database.execute(ddl)
    database.execute("INSERT INTO t VALUES (7, 1)")
    one = target(database)
    database.execute("BEGIN IMMEDIATE")
    assert one.draw_ids(database, "id", 0) == []
    assert one.draw_ids(database, "id", 3) == [8, 9, 10]
    assert one.draw_ids(database, "id", 2) == [11, 12]
    database.execute("INSERT INTO t VALUES (12, 1)")  # the others' rows were refused
    database.execute("COMMIT")
    database.execute("BEGIN IMMEDIATE")
    assert one.draw_ids(database, "id", 1) == [13]
    database.execute("COMMIT")


def test_an_empty_table_begins_at_one(database) -> None:
    database.execute(PARENT)
    assert target(database).draw_ids(database, "id", 2) == [1, 2]


def test_an_autoincrement_table_gives_no_id_again_although_its_rows_are_gone_and_is_told_what_was_drawn(
    database,
) -> None:
    database.execute(COUNTING)
    database.executescript("INSERT INTO t VALUES (40, 1); DELETE FROM t")
    assert target(database).draw_ids(database, "id", 2) == [41, 42]
    assert target(database).draw_ids(database, "id", 1) == [43]  # another object's target, which fills the same table
    database.execute("INSERT INTO t (v) VALUES (1)")
    assert database.execute("SELECT id FROM t").fetchall() == [(44,)]


def test_an_autoincrement_table_that_never_held_a_row_is_told_too(database) -> None:
    database.execute(COUNTING)
    assert target(database).draw_ids(database, "id", 5) == [1, 2, 3, 4, 5]
    database.execute("INSERT INTO t (v) VALUES (1)")
    assert database.execute("SELECT id FROM t").fetchall() == [(6,)]


def test_rows_with_drawn_ids_are_loaded_and_keep_them_when_they_come_again(database) -> None:
    database.execute(COUNTING)
    one = target(database)
    loading = Loading(columns=("id", "v"), key=("id",), fresh=False)
    database.execute("BEGIN IMMEDIATE")
    ids = one.draw_ids(database, "id", 3)
    loaded = one.load(database, [(ids[0], 5), (ids[1], 0), (ids[2], 7)], loading)
    assert (loaded.loaded, [each.index for each in loaded.refused]) == (2, [1])
    assert one.load(database, [(1, 5), (3, 8)], loading) == Loaded(loaded=1, unchanged=1)
    assert database.execute("SELECT * FROM t").fetchall() == [(1, 5), (3, 8)]
    assert one.draw_ids(database, "id", 1) == [4]


def test_an_upsert_on_a_unique_key_makes_ids_and_keeps_them(database) -> None:
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT UNIQUE NOT NULL, v)")
    one = target(database, key=("code",))
    database.execute("BEGIN IMMEDIATE")
    for rows, fresh in [([("a", 1), ("b", 1)], True), ([("b", 2), ("c", 1), ("a", 1)], False)]:
        assert not one.load(database, rows, Loading(columns=("code", "v"), key=("code",), fresh=fresh)).refused
    assert database.execute("SELECT * FROM t ORDER BY 1").fetchall() == [(1, "a", 1), (2, "b", 2), (3, "c", 1)]


def test_an_id_of_a_table_without_rowid_or_of_text_is_what_its_default_makes(database) -> None:
    database.executescript(
        """CREATE TABLE t (id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))), v, PRIMARY KEY (id)) WITHOUT ROWID;
           CREATE TABLE few (id TEXT PRIMARY KEY DEFAULT (abs(random()) % 4)); INSERT INTO few VALUES ('2')"""
    )
    drawn = target(database).draw_ids(database, "id", 1000)
    assert len(set(drawn)) == 1000
    assert {len(each) for each in drawn} == {32}
    assert len(target(database).draw_ids(database, "id", 1)) == 1
    assert sorted(target(database, "few").draw_ids(database, "id", 3)) == ["0", "1", "3"]  # as the column holds them


@pytest.mark.parametrize(
    ("ddl", "said"),
    [
        ("CREATE TABLE t (id TEXT PRIMARY KEY, v)", "does not make column id"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, v) WITHOUT ROWID", "does not make column id"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY DESC, v)", "does not make column id"),  # SQLite's own quirk
        ("CREATE TABLE t (v INTEGER PRIMARY KEY, id AS (v + 1) UNIQUE)", "does not make column id"),
        ("CREATE TABLE t (id PRIMARY KEY DEFAULT 'x', v)", "is not new each time"),
        ("CREATE TABLE t (id PRIMARY KEY DEFAULT CURRENT_TIMESTAMP, v)", "is not new each time"),
        ("CREATE TABLE t (id PRIMARY KEY DEFAULT (random() % 2), v)", "is not new each time"),
        ("CREATE TABLE t (id PRIMARY KEY DEFAULT NULL, v)", "is not new each time"),
        ("CREATE TABLE t (number INTEGER PRIMARY KEY)", "no column 'id'"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (9223372036854775800)", "has no ids left"),
    ],
)
def test_a_column_that_the_table_does_not_make_is_refused(database, ddl: str, said: str) -> None:
    database.executescript(ddl)
    with pytest.raises(PlanError, match=said):
        target(database).draw_ids(database, "id", 10)
