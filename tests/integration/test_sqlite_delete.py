"""Rows of SQLite tables are deleted by key; what other rows refer to stays, whatever the foreign key says."""

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.migration.target import Loaded


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "new.db")
    yield connection
    connection.close()


def target(connection: sqlite3.Connection, name: str = "t", key: tuple[str, ...] = ("id",)) -> SqliteTarget:
    (file,) = connection.execute("SELECT file FROM pragma_database_list WHERE name = 'main'").fetchone()
    return SqliteTarget(f"sqlite:///{file}", name=name, key=key)


def delete(connection, keys, name="t", key=("id",)) -> Loaded:
    """Delete in a transaction of its own, which must then commit."""
    connection.execute("BEGIN IMMEDIATE")
    loaded = target(connection, name, key).delete(connection, keys)
    assert connection.execute("PRAGMA defer_foreign_keys").fetchone() == (0,)
    connection.execute("COMMIT")
    assert loaded.loaded + loaded.unchanged + len(loaded.refused) == len(keys)
    return loaded


def told(loaded: Loaded) -> dict[int, tuple[str, str]]:
    return {each.index: (each.stage, each.reason) for each in loaded.refused}


def ids(connection, name="t") -> list:
    return [row[0] for row in connection.execute(f"SELECT * FROM {name} ORDER BY 1")]


REFERRED = ("load", "rows of c still refer to it (p)")


@pytest.mark.parametrize(
    "action",
    [
        "",
        "ON DELETE CASCADE",
        "ON DELETE SET NULL",
        "ON DELETE SET DEFAULT",
        "ON DELETE RESTRICT",
        "DEFERRABLE INITIALLY DEFERRED",
        "ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED",
    ],
)
def test_a_row_that_is_referred_to_stays_and_the_others_go(database, action: str) -> None:
    database.executescript(
        f"""CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 1), (2, 1), (3, 1), (4, 1);
            CREATE TABLE c (id INTEGER PRIMARY KEY, p INTEGER DEFAULT 1 REFERENCES T {action});
            INSERT INTO c VALUES (1, 2), (2, NULL), (3, 2)"""
    )
    loaded = delete(database, [(1,), (2,), (9,), ("x",), (3,), (3,)])
    assert (loaded.loaded, loaded.unchanged, told(loaded)) == (2, 3, {1: REFERRED})
    assert ids(database) == [2, 4]
    assert database.execute("SELECT * FROM c ORDER BY 1").fetchall() == [(1, 2), (2, None), (3, 2)]


def test_a_reference_is_one_under_the_parents_collation_and_affinity(database) -> None:
    database.executescript(
        """CREATE TABLE t (a TEXT COLLATE NOCASE, b, PRIMARY KEY (a, b));
           INSERT INTO t VALUES ('x', 1), ('Y', 2), ('1', 3);
           CREATE TABLE c (p, q, FOREIGN KEY (p, q) REFERENCES t ON DELETE CASCADE);
           INSERT INTO c VALUES ('X', 1), ('y', NULL), (1, 3)"""
    )
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    loaded = delete(database, [("X", 1), ("y", 2), ("1", 3)], key=("a", "b"))
    reason = ("load", "rows of c still refer to it (p, q)")
    assert (loaded.loaded, told(loaded)) == (1, {0: reason, 2: reason})


@pytest.mark.parametrize("action", ["", "ON DELETE CASCADE", "ON DELETE SET NULL", "DEFERRABLE INITIALLY DEFERRED"])
@pytest.mark.parametrize("trigger", [False, True])
def test_rows_that_refer_to_each_other_go_together_or_stay(database, action: str, trigger: bool) -> None:
    """1 <- 2 <- 3; 4 <- 5 (stays); 6 <-> 7; 8 <- 9 <- 10 (a trigger keeps it)."""
    database.executescript(
        f"""CREATE TABLE t (id INTEGER PRIMARY KEY, m INTEGER REFERENCES t {action});
            PRAGMA foreign_keys=OFF;
            INSERT INTO t VALUES (1, 1), (2, 1), (3, 2), (4, NULL), (5, 4), (6, 7), (7, 6), (8, NULL), (9, 8), (10, 9);
            PRAGMA foreign_keys=ON"""
    )
    if trigger:
        database.execute(
            "CREATE TRIGGER no BEFORE DELETE ON t WHEN old.id = 10 BEGIN SELECT RAISE(ABORT, 'ten stays'); END"
        )
    loaded = delete(database, [(n,) for n in (1, 2, 3, 4, 6, 7, 8, 9, 10)])
    refers = ("load", "rows of t still refer to it (m)")
    above = ("load", "ten stays") if "CASCADE" in action else refers  # they would have taken it along
    stay = {6: above, 7: above, 8: ("load", "ten stays")} if trigger else {}
    assert told(loaded) == {3: refers} | stay
    assert loaded.loaded == (5 if trigger else 8)
    assert ids(database) == ([4, 5, 8, 9, 10] if trigger else [4, 5])
    assert dict(database.execute("SELECT id, m FROM t"))[5] == 4


def test_a_row_that_a_trigger_keeps_in_silence_is_refused(database) -> None:
    database.executescript(
        """CREATE TABLE t (id TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO t VALUES ('a'), ('b');
           CREATE TRIGGER no BEFORE DELETE ON t WHEN old.id = 'a' BEGIN SELECT RAISE(IGNORE); END"""
    )
    loaded = delete(database, [("a",), ("b",)])
    assert (loaded.loaded, told(loaded)) == (1, {0: ("load", "a trigger of the table ignores the row")})


def test_random_trees_keep_exactly_what_sqlite_itself_would_have_to_keep(database) -> None:
    """Independently: of the wanted rows the largest set goes that nothing outside of it refers to."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    database.executescript(
        """CREATE TABLE t (id INTEGER PRIMARY KEY, m REFERENCES t ON DELETE CASCADE);
           CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES t DEFERRABLE INITIALLY DEFERRED)"""
    )
    for _ in range(60):
        database.executescript("PRAGMA foreign_keys=OFF; DELETE FROM c; DELETE FROM t; PRAGMA foreign_keys=ON")
        parents = {n: chance.choice([None, None, *range(1, 13)]) for n in range(1, 13)}
        database.execute("BEGIN")
        database.execute("PRAGMA defer_foreign_keys=ON")
        database.executemany("INSERT INTO t VALUES (?, ?)", parents.items())
        database.execute("COMMIT")
        needed = set(chance.sample(range(1, 13), 2))
        database.executemany("INSERT INTO c (p) VALUES (?)", [(n,) for n in needed])
        wanted = set(chance.sample(range(1, 13), chance.randrange(13)))
        goes = wanted - needed
        while kept := {n for n in goes if any(m == n and child not in goes for child, m in parents.items())}:
            goes -= kept
        loaded = delete(database, [(n,) for n in wanted])
        assert set(ids(database)) == set(parents) - goes
        assert loaded.loaded == len(goes)


def test_the_rows_that_refer_are_told_with_what_they_refer_to(database) -> None:
    database.executescript(
        """CREATE TABLE t (a, b TEXT COLLATE NOCASE, id INTEGER PRIMARY KEY);
           INSERT INTO t VALUES (1, 'x', 10), (1, 'X', 11), (1, 'y', 12), (1, NULL, 13), (2, 'x', 14)"""
    )
    one = target(database)
    assert one.referring(database, ("a", "b"), [(1, "x"), (3, "x"), (1, "z"), (2, "X")]) == [
        ((1, "x"), (10,)),
        ((1, "x"), (11,)),
        ((2, "X"), (14,)),
    ]
    assert one.referring(database, ("a",), [(2,)]) == [((2,), (14,))]
    assert one.referring(database, ("a",), []) == []


def test_many_rows_with_children_by_index_are_deleted_without_scanning_for_each(database) -> None:
    database.executescript(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, m INTEGER REFERENCES t); CREATE INDEX m ON t (m);"
        "CREATE TABLE c (p INTEGER REFERENCES t); CREATE INDEX p ON c (p)"
    )
    database.executemany("INSERT INTO t VALUES (?, ?)", [(n, max(1, n // 2)) for n in range(1, 4001)])
    database.execute("INSERT INTO c VALUES (7)")
    steps = 0

    def count() -> None:
        nonlocal steps
        steps += 1

    database.set_progress_handler(count, 1000)
    loaded = delete(database, [(n,) for n in range(1, 4001)])
    database.set_progress_handler(None, 0)
    assert (loaded.loaded, len(loaded.refused)) == (3997, 3)  # 7, 3 and 1
    assert steps < 4000  # a scan for each row would take some sixteen thousand


@pytest.mark.parametrize("columns", [("id",), ("a", "b")])
def test_rows_that_may_go_are_deleted_by_a_few_statements_and_not_by_some_for_each(database, columns) -> None:
    database.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE, b, UNIQUE (a, b))")
    database.executemany("INSERT INTO t VALUES (?, ?, ?)", [(n, f"A{n}", n) for n in range(3000)])
    keys = [(n,) if columns == ("id",) else (f"a{n}", n) for n in range(1000)]
    statements = []

    def note(statement: str) -> None:
        if not statement.startswith("INSERT INTO temp"):  # a key that is laid is traced too
            statements.append(statement)

    database.set_trace_callback(note)
    assert delete(database, keys, key=columns).loaded == 1000
    database.set_trace_callback(None)
    assert ids(database) == list(range(1000, 3000))
    assert len(statements) < 60
    [deleted] = [each for each in statements if each.startswith("DELETE FROM main")]
    plan = [detail for *_, detail in database.execute(f"EXPLAIN QUERY PLAN {deleted}")]
    assert not [detail for detail in plan if detail.startswith("SCAN t")], plan
