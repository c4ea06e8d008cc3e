"""Rows of SQLite files are found by their keys, as a foreign key would find them, all by one query."""

import sqlite3
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.errors import PlanError


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "new.db")
    yield connection
    connection.close()


def target(connection: sqlite3.Connection, name: str = "t") -> SqliteTarget:
    (file,) = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    return SqliteTarget(f"sqlite:///{file}", name=name, key=("id",))


def find(connection, key, wanted, keys, table="p"):
    connection.execute("BEGIN IMMEDIATE")
    try:
        return target(connection).find(connection, table, key, wanted, keys)
    finally:
        connection.execute("COMMIT")


def source(file: Path, name: str | None = "t", **more: object) -> SqliteSource:
    settings = {"sql": None, "key": ("id",), "columns": None, "where": None} | more
    return SqliteSource(f"sqlite:///{file}", name=name, **settings)


def test_a_key_is_found_under_the_parents_affinity_and_collation(database) -> None:
    database.executescript(
        """CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE UNIQUE, n NUMERIC UNIQUE);
           INSERT INTO p VALUES (1, 'a', 1.5), (2, '7', 2), (3, 'é', NULL)"""
    )
    assert find(database, ("code",), ("id",), [("A",), (7,), ("É",), ("a",), ("none",)]) == [
        (1,),
        (2,),
        None,
        (1,),
        None,
    ]
    assert find(database, ("n",), ("id", "code"), [(Decimal("1.50"),), ("2",), (2.0,)]) == [
        (1, "a"),
        (2, "7"),
        (2, "7"),
    ]
    assert find(database, ("id",), ("code", "n"), [(3,)]) == [("é", None)]
    assert find(database, ("id",), ("code",), []) == []


def test_a_key_that_its_column_could_not_hold_is_nobodys(database) -> None:
    database.executescript("CREATE TABLE p (id INTEGER PRIMARY KEY, d UNIQUE); INSERT INTO p VALUES (7, 'x')")
    keys = [("007",), (2**63,), ("\udcff",), (object(),), (7,), (b"7",), (7.5,)]
    assert find(database, ("id",), ("id",), keys) == [None, None, None, None, (7,), None, None]


def test_composite_keys_of_many_rows_are_found_by_one_query_and_by_the_index(database) -> None:
    database.executescript("CREATE TABLE p (a TEXT, b INTEGER, id INTEGER PRIMARY KEY, UNIQUE (b, a))")
    database.executemany("INSERT INTO p VALUES (?, ?, ?)", [(str(n % 100), n // 100, n + 1) for n in range(5000)])
    ran: list[str] = []
    database.set_trace_callback(ran.append)
    found = find(database, ("a", "b"), ("id",), [(str(n % 100), n // 100) for n in range(0, 6000, 2)])
    database.set_trace_callback(None)
    assert found == [(n + 1,) if n < 5000 else None for n in range(0, 6000, 2)]
    (query,) = [each for each in ran if each.startswith("SELECT s.milepost_row")]
    plan = " ".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "SCAN s SEARCH t USING COVERING INDEX" in plan or "SEARCH t USING INDEX" in plan, plan


def test_parents_without_an_index_are_found_as_well(database) -> None:
    database.executescript("CREATE TABLE p (code TEXT COLLATE RTRIM, id); INSERT INTO p VALUES ('a ', 1), ('b', 2)")
    assert find(database, ("code",), ("id",), [("a",), ("b  ",), (" b",)]) == [(1,), (2,), None]


def test_finding_in_tables_of_one_shape_and_of_another_in_turns_mixes_nothing_up(database) -> None:
    database.executescript(
        """CREATE TABLE p (k TEXT PRIMARY KEY, id); CREATE TABLE q (k TEXT PRIMARY KEY, id);
           CREATE TABLE r (k INTEGER PRIMARY KEY, id);
           INSERT INTO p VALUES ('1', 'p'); INSERT INTO q VALUES ('1', 'q'); INSERT INTO r VALUES (1, 'r')"""
    )
    one = target(database)
    for _ in range(2):
        for name in "pqr":
            assert one.find(database, name, ("k",), ("id",), [("0",), ("1",)]) == [None, (name,)]
    assert not database.in_transaction


def test_a_table_or_column_that_is_not_there_is_named(database) -> None:
    database.executescript("CREATE TABLE p (id INTEGER PRIMARY KEY, code UNIQUE)")
    with pytest.raises(PlanError, match="no table 'people'"):
        find(database, ("id",), ("id",), [(1,)], table="people")
    with pytest.raises(PlanError, match="no column 'cod'"):
        find(database, ("cod",), ("id",), [(1,)])
    with pytest.raises(PlanError, match="no column 'idd'"):
        find(database, ("code",), ("idd",), [(1,)])


def test_a_source_finds_rows_by_key_in_key_order_limited_as_it_reads(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with connect(file) as made:
        made.executescript(
            """CREATE TABLE t (a TEXT COLLATE NOCASE, b, v, PRIMARY KEY (a, b));
               INSERT INTO t VALUES ('x', 1, 'one'), ('x', 2, 'gone'), ('X', 3, 'three'), ('y', 1.5, 'four');
               INSERT INTO t VALUES (CAST(x'ff' AS TEXT), 1, 'odd'), ('y', x'00', 'bytes')"""
        )
    one = source(file, key=("a", "b"), where="v <> 'gone' -- not those", columns=("v",))
    keys = [("y", 1.5), ("x", 3), ("x", 1), ("x", 2), ("\udcff", 1), ("y", b"\0"), ("z", 2**70)]
    assert one.find(keys) == [("one", "x", 1), ("three", "X", 3), ("four", "y", 1.5), ("bytes", "y", b"\0"),
                              ("odd", "\udcff", 1)]  # fmt: skip
    assert one.find([]) == [] == one.find([("none", 1)])
    rows = one.read(None, None, 1)
    first = next(rows)
    assert one.find([("x", 3)]) == [("three", "X", 3)]  # in the middle of a read
    assert [*first, *(row for chunk in rows for row in chunk)] == [
        row for chunk in one.read(None, None, 9) for row in chunk
    ]
    made.close()


def test_a_source_finds_rows_of_other_types_as_its_columns_would_hold_them(tmp_path: Path) -> None:
    with connect(tmp_path / "old.db") as made:
        made.executescript(
            """CREATE TABLE t (id TEXT PRIMARY KEY);
               INSERT INTO t VALUES ('2024-02-29'), ('00000000-0000-0000-0000-000000000007'), ('12.50'), ('5')"""
        )
    made.close()
    keys = [(date(2024, 2, 29),), (UUID(int=7),), (Decimal("12.50"),), (5,), ([{}],)]
    assert len(source(tmp_path / "old.db").find(keys)) == 4


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id, v FROM t",
        "SELECT id, v FROM t WHERE id < 3 UNION ALL SELECT id, v FROM t WHERE id >= 3",
        "SELECT CAST(id AS TEXT) AS id, v FROM t WHERE id < 3 UNION ALL SELECT id, v FROM t WHERE id >= 3",
    ],
)
def test_a_query_is_searched_by_the_very_keys_that_it_gives(tmp_path: Path, sql: str) -> None:
    with connect(tmp_path / "old.db") as made:
        made.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        made.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"v{n}") for n in range(1, 6)])
    made.close()
    one = source(tmp_path / "old.db", name=None, sql=sql)
    every = [row for chunk in one.read(None, None, 9) for row in chunk]
    assert len(every) == 5
    assert one.find([(row[0],) for row in every]) == every
    assert one.find([every[1][:1], every[4][:1]]) == [each for each in every if each in (every[1], every[4])]


def test_many_keys_are_searched_by_the_index(tmp_path: Path) -> None:
    with connect(tmp_path / "old.db") as made:
        made.executescript("CREATE TABLE t (a INTEGER, b TEXT, v, PRIMARY KEY (a, b))")
        made.executemany("INSERT INTO t VALUES (?, ?, 1)", [(n, str(n)) for n in range(3000)])
    made.close()
    one = source(tmp_path / "old.db", key=("a", "b"))
    ran: list[str] = []
    one._connection.set_trace_callback(ran.append)
    assert len(one.find([(n, str(n)) for n in range(0, 4000, 10)])) == 300
    one._connection.set_trace_callback(None)
    (query,) = [each for each in ran if " ORDER BY " in each]
    plan = " ".join(row[3] for row in one._connection.execute(f"EXPLAIN QUERY PLAN {query}"))
    assert "SEARCH main.t USING INDEX" in plan or "SEARCH t USING INDEX" in plan, plan
