"""Columns of rows that are in a SQLite table are set, where they differ; no row is added."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.migration.target import Loaded, Loading


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "new.db")
    yield connection
    connection.close()


def update(connection, rows, columns=("id", "m"), key=("id",), name="t") -> Loaded:
    """Update in a transaction of its own, which must then commit."""
    (file,) = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    target = SqliteTarget(f"sqlite:///{file}", name=name, key=key)
    connection.execute("BEGIN IMMEDIATE")
    loaded = target.update(connection, rows, Loading(columns=columns, key=key, fresh=False))
    assert connection.execute("PRAGMA defer_foreign_keys").fetchone() == (0,)
    connection.execute("COMMIT")
    assert loaded.loaded + loaded.unchanged + len(loaded.refused) == len(rows)
    return loaded


def told(loaded: Loaded) -> dict[int, tuple[str, str]]:
    return {each.index: (each.stage, each.reason) for each in loaded.refused}


def test_only_what_differs_is_set_and_what_is_not_there_is_refused(database) -> None:
    database.executescript(
        """CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, m, v NOT NULL);
           INSERT INTO t VALUES ('a', NULL, 1), ('b', 2, 1), ('c', 2, 1), ('d', 1, 1);
           CREATE TABLE fired (id);
           CREATE TRIGGER log AFTER UPDATE ON t BEGIN INSERT INTO fired VALUES (new.id); END"""
    )
    rows = [("A", 1), ("b", 2), ("c", None), ("d", 1.0), ("e", 1), (None, 1), ("a", 5)]
    loaded = update(database, rows)
    assert (loaded.loaded, loaded.unchanged) == (3, 1)
    assert told(loaded) == {
        4: ("load", "no t with id 'e'"),
        5: ("load", "column id is part of the key and holds NULL"),
        6: ("duplicate", "another row already has this key"),
    }
    after = [("a", 1, 1), ("b", 2, 1), ("c", None, 1), ("d", 1.0, 1)]  # the key is written as it was
    assert database.execute("SELECT * FROM t").fetchall() == after
    assert isinstance(database.execute("SELECT m FROM t WHERE id = 'd'").fetchone()[0], float)
    assert sorted(database.execute("SELECT id FROM fired").fetchall()) == [("a",), ("c",), ("d",)]


@pytest.mark.parametrize("deferred", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_rows_that_sqlite_refuses_are_named_and_the_others_set(database, deferred: str) -> None:
    database.executescript(
        f"""CREATE TABLE p (code TEXT PRIMARY KEY); INSERT INTO p VALUES ('x');
            CREATE TABLE t (id INTEGER PRIMARY KEY, m INTEGER REFERENCES t {deferred}, p REFERENCES p {deferred},
                n INTEGER CHECK (n > 0), u UNIQUE);
            INSERT INTO t (id, u) VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e'), (6, 'f')"""
    )
    rows = [(1, 2, "x", 1, "a"), (2, 9, "x", 1, "b"), (3, 3, "z", 1, "c"), (4, 1, None, 0, "d"), (5, 1, "x", 1, "a"),
            (6, 7, None, "nan", "f"), (7, 1, None, 1, "g")]  # fmt: skip
    loaded = update(database, rows, columns=("id", "m", "p", "n", "u"))
    late = bool(deferred)
    known = told(loaded)
    assert loaded.loaded == 1
    assert sorted(known) == [1, 2, 3, 4, 5, 6]
    assert known[1] == ("parent", "no t with id 9")
    assert known[2] == ("parent", "no p with code 'z'") or (not late and "no p with code 'z'" in known[2][1])
    assert known[3] == ("load", "CHECK constraint failed: n > 0")
    assert known[4] == ("load", "UNIQUE constraint failed: t.u")
    assert known[6] == ("load", "no t with id 7")
    assert database.execute("SELECT * FROM t WHERE m IS NOT NULL").fetchall() == [(1, 2, "x", 1, "a")]


def test_rows_of_one_batch_may_come_to_refer_to_each_other_and_back_to_nothing(database) -> None:
    database.executescript(
        """CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, m INTEGER REFERENCES t);
           INSERT INTO t (id) VALUES (1), (2), (3)"""
    )
    assert update(database, [(1, 2), (2, 3), (3, 1)]) == Loaded(loaded=3, unchanged=0)
    assert update(database, [(1, None), (2, 3), (3, 3)]) == Loaded(loaded=2, unchanged=1)
    assert database.execute("SELECT * FROM t").fetchall() == [(1, None), (2, 3), (3, 3)]


def test_a_composite_key_and_nothing_besides_it(database) -> None:
    database.executescript(
        "CREATE TABLE t (a TEXT, b INTEGER, m, PRIMARY KEY (b, a)) WITHOUT ROWID; INSERT INTO t VALUES ('x', 1, 0)"
    )
    loaded = update(database, [("x", 1, "y"), ("y", 1, "y")], columns=("a", "b", "m"), key=("a", "b"))
    assert (loaded.loaded, told(loaded)) == (1, {1: ("load", "no t with (a, b) ('y', 1)")})
    assert update(database, [("x", 1)], columns=("a", "b"), key=("a", "b")) == Loaded(loaded=0, unchanged=1)
    assert database.execute("SELECT * FROM t").fetchall() == [("x", 1, "y")]


def test_a_trigger_that_keeps_a_row_in_silence_is_seen(database) -> None:
    database.executescript(
        """CREATE TABLE t (id INTEGER PRIMARY KEY, m); INSERT INTO t VALUES (1, 0), (2, 0);
           CREATE TRIGGER no BEFORE UPDATE ON t WHEN new.id = 2 BEGIN SELECT RAISE(IGNORE); END"""
    )
    loaded = update(database, [(1, 1), (2, 1), (3, 1)])
    assert loaded.loaded == 1
    assert told(loaded) == {1: ("load", "a trigger of the table ignores the row"), 2: ("load", "no t with id 3")}


def test_many_rows_are_set_by_one_statement(database) -> None:
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, m)")
    database.executemany("INSERT INTO t VALUES (?, NULL)", [(n,) for n in range(1, 1001)])
    ran: list[str] = []
    database.set_trace_callback(ran.append)
    assert update(database, [(n, n // 2) for n in range(1, 1001)]).loaded == 1000
    database.set_trace_callback(None)
    assert len([sql for sql in ran if sql.startswith("UPDATE OR ABORT main")]) == 1
    assert database.execute("SELECT count(*) FROM t WHERE m = id / 2").fetchone() == (1000,)
