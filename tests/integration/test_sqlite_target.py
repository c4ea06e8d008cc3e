"""Rows go into real SQLite files: what is refused is named, what is loaded is exactly what was given."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.into import look_into
from milepost.connectors.sql.sqlite.stage_sql import orphans, write_stage_sql
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.sqlite import connect
from milepost.errors import Fatal, PlanError, Retryable
from milepost.migration.target import Loaded, Loading

DUPLICATE = ("duplicate", "another row already has this key")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect(tmp_path / "new.db")
    yield connection
    connection.close()


def file_of(connection: sqlite3.Connection) -> Path:
    return Path(connection.execute("SELECT file FROM pragma_database_list").fetchone()[0])


def load(connection: sqlite3.Connection, rows, name: str = "t", **settings) -> Loaded:
    """Load in a transaction of its own, which must then commit."""
    columns = tuple(row[1] for row in connection.execute(f"PRAGMA table_info({name})"))
    chosen = {"columns": columns, "key": ("id",), "fresh": True} | settings
    target = SqliteTarget(f"sqlite:///{file_of(connection)}", name=name, key=chosen["key"])
    connection.execute("BEGIN IMMEDIATE")
    try:
        loaded = target.load(connection, rows, Loading(**chosen))
        assert connection.execute("PRAGMA defer_foreign_keys").fetchone() == (0,)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
    assert loaded.loaded + loaded.unchanged + len(loaded.refused) == len(rows)
    assert [each.index for each in loaded.refused] == sorted({each.index for each in loaded.refused})
    return loaded


def told(loaded: Loaded) -> dict[int, tuple[str, str]]:
    return {each.index: (each.stage, each.reason) for each in loaded.refused}


def held(connection: sqlite3.Connection, name: str = "t") -> list[tuple]:
    return connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()


WAYS = [{"fresh": True}, {"fresh": False}, {"fresh": True, "last_wins": True}]


@pytest.mark.parametrize("way", WAYS)
def test_rows_that_sqlite_refuses_are_named_and_the_others_loaded(database, way) -> None:
    database.executescript(
        """CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);
           CREATE TABLE t (id INTEGER PRIMARY KEY, a NOT NULL, b UNIQUE, c CHECK (c > 0), p REFERENCES p);
           CREATE TRIGGER no BEFORE INSERT ON t WHEN new.c = 13 BEGIN SELECT RAISE(ABORT, 'thirteen is unlucky'); END"""
    )
    rows = [
        (1, "a", "x", 1, 1),
        (2, None, "y", 1, 1),
        (3, "a", "x", 1, 1),
        (4, "a", "z", 0, 1),
        (5, "a", "u", 13, 1),
        (6, "a", "v", 1, 9),
        ("six", "a", "w", 1, 1),
        (None, "a", "q", 1, 1),
        (9, "a", "r", 1, None),
        (10, "\ud83d", "s", 1, 1),
        (11, "a", 2**63, 1, 1),
        (12, "a", "last", 1, 1),
    ]
    loaded = load(database, rows, **way)
    assert told(loaded) == {
        1: ("load", "NOT NULL constraint failed: t.a"),
        2: ("load", "UNIQUE constraint failed: t.b"),
        3: ("load", "CHECK constraint failed: c > 0"),
        4: ("load", "thirteen is unlucky"),
        5: ("load", "FOREIGN KEY constraint failed: p: no p with id 9"),
        6: ("load", "datatype mismatch: the key of t holds integers only"),
        7: ("load", "column id is part of the key and holds NULL"),
        9: ("load", "column a: the text '\\ud83d' is not valid UTF-8"),
        10: ("load", "column b: 9223372036854775808 is beyond SQLite's 64-bit integers; a TEXT column would hold it"),
    }
    assert loaded.loaded == 3
    assert held(database) == [(1, "a", "x", 1, 1), (9, "a", "r", 1, None), (12, "a", "last", 1, 1)]


@pytest.mark.parametrize("checked", ["", "DEFERRABLE INITIALLY DEFERRED"])
def test_of_two_rows_with_one_key_the_later_is_refused_in_a_batch_and_across_batches(database, checked) -> None:
    database.executescript(
        f"""CREATE TABLE p (id PRIMARY KEY);
            CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, v, p REFERENCES p {checked})"""
    )
    first = load(database, [("a", 1, None), ("b", 2, None), ("A", 3, None)])
    second = load(database, [("B", 4, None), ("c", 5, None)])
    assert (told(first), told(second)) == ({2: DUPLICATE}, {0: DUPLICATE})
    assert held(database) == [("a", 1, None), ("b", 2, None), ("c", 5, None)]


def test_the_next_row_with_a_key_is_loaded_where_the_first_is_refused(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v CHECK (v > 0))")
    rows = [(1, 0), (1, 0), (1, 5), (1, 6), (2, 1)]
    for fresh in (True, False):
        database.execute("DELETE FROM t")
        loaded = load(database, rows, fresh=fresh)
        check = ("load", "CHECK constraint failed: v > 0")
        assert told(loaded) == {0: check, 1: check, 3: DUPLICATE}
        assert held(database) == [(1, 5), (2, 1)]


def test_where_the_last_wins_it_is_taken_and_the_earlier_count_as_loaded(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v CHECK (v > 0)); INSERT INTO t VALUES (1, 9)")
    assert load(database, [(1, 2), (2, 1), (1, 3)], last_wins=True) == Loaded(loaded=3, unchanged=0)
    assert held(database) == [(1, 3), (2, 1)]
    assert load(database, [(2, 7), (2, 0), (1, 3)], last_wins=True).loaded == 1
    assert held(database) == [(1, 3), (2, 7)]  # the last that can be loaded
    rows = [(1, 3), (1, 4), (2, 7), (2, 0)]  # replaced, changed, the same, refused
    loaded = load(database, rows, last_wins=True)
    assert (loaded.loaded, loaded.unchanged, list(told(loaded))) == (2, 1, [3])


def test_an_upsert_counts_what_really_changed_and_leaves_the_rest_alone(database) -> None:
    database.executescript(
        """CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY, v, w TEXT COLLATE NOCASE);
           INSERT INTO t VALUES ('a',1,'x'),('b',1,'x'),('c',1,'x'),('d',NULL,NULL);
           INSERT INTO t VALUES ('e','1','x'),('f',1,'x'),('g',1,'y');
           CREATE TABLE fired (id); CREATE TRIGGER log AFTER UPDATE ON t BEGIN INSERT INTO fired VALUES (new.id); END;
           CREATE TRIGGER ins BEFORE INSERT ON t BEGIN INSERT INTO fired VALUES ('+' || new.id); END"""
    )
    rows = [
        ("a", 1, "x"),  # the same
        ("b", 1.0, "x"),  # equal, but a real number now
        ("c", 1, "X"),  # equal under the collation, but another letter
        ("d", None, None),  # the same
        ("e", 1, "x"),  # a number, not a text
        ("F", 1, "x"),  # the key itself is written differently
        ("g", None, "y"),
        ("h", 1, "new"),
    ]
    assert load(database, rows, fresh=False) == Loaded(loaded=6, unchanged=2)
    fired = [name for (name,) in database.execute("SELECT id FROM fired")]
    assert sorted(fired) == ["+h", "F", "b", "c", "e", "g"]
    assert sorted(map(repr, held(database))) == sorted(map(repr, rows))
    database.execute("DELETE FROM fired")
    assert load(database, rows, fresh=False) == Loaded(loaded=0, unchanged=8)
    assert held(database, "fired JOIN t USING (id)") == []
    assert database.execute("SELECT count(*) FROM fired").fetchone() == (0,)


def test_an_upsert_keeps_the_columns_that_it_is_not_given(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v, kept NOT NULL); INSERT INTO t VALUES (1, 'a', 'k')")
    assert load(database, [(1, "b")], columns=("id", "v"), fresh=False).loaded == 1
    assert held(database) == [(1, "b", "k")]
    assert load(database, [(1,)], columns=("id",), fresh=False).unchanged == 1


def test_rows_without_a_parent_are_refused_with_every_parent_they_lack(database) -> None:
    database.executescript(
        """CREATE TABLE c (no TEXT PRIMARY KEY); INSERT INTO c VALUES ('17'), ('x');
           CREATE TABLE o (a INTEGER, b TEXT, PRIMARY KEY (a, b)); INSERT INTO o VALUES (1, 'p');
           CREATE TABLE t (id INTEGER PRIMARY KEY, c REFERENCES c DEFERRABLE INITIALLY DEFERRED, a, b,
               FOREIGN KEY (a, b) REFERENCES o)"""
    )
    rows = [
        (1, 17, 1, "p"),
        (2, "y", 1, "q"),
        (3, None, 1, None),
        (4, "x", None, "p"),
        (5, "X", None, None),
        (6, "17", 1, "p"),
    ]
    for fresh in (True, False):
        database.execute("DELETE FROM t")
        loaded = load(database, rows, fresh=fresh)
        assert told(loaded) == {
            1: ("parent", "no o with (a, b) (1, 'q'); no c with no 'y'"),
            4: ("parent", "no c with no 'X'"),
        }
        assert [row[0] for row in held(database)] == [1, 3, 4, 6]


NOW, LATE = " REFERENCES t", " REFERENCES t DEFERRABLE INITIALLY DEFERRED"


@pytest.mark.parametrize("foreign", [NOW, LATE])
def test_a_parent_in_the_same_batch_is_found_whatever_the_order(database, foreign: str) -> None:
    database.executescript(f"CREATE TABLE t (id INTEGER PRIMARY KEY, boss INTEGER{foreign}, v CHECK (v > 0))")
    rows = [(1, 2, 1), (2, 3, 1), (3, None, 1), (4, 99, 1), (5, 4, 1), (6, 7, 1), (7, None, 0), (8, 6, 1), (9, 9, 1)]
    loaded = load(database, rows)
    assert told(loaded) == {
        3: ("parent", "no t with id 99"),
        4: ("parent", "no t with id 4"),
        5: ("parent", "no t with id 7"),
        6: ("load", "CHECK constraint failed: v > 0"),
        7: ("parent", "no t with id 6"),
    }
    assert [row[0] for row in held(database)] == [1, 2, 3, 9]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []


@pytest.mark.parametrize("foreign", [NOW, LATE])
def test_the_children_of_a_refused_row_of_the_same_batch_are_refused_too(database, foreign: str) -> None:
    database.executescript(f"CREATE TABLE t (id INTEGER PRIMARY KEY, boss INTEGER{foreign})")
    loaded = load(database, [(1, 2), (2, 3), (3, 99), (4, None), (5, 4)])
    assert [(each.index, each.stage) for each in loaded.refused] == [(0, "parent"), (1, "parent"), (2, "parent")]
    assert held(database) == [(4, None), (5, 4)]


def test_a_foreign_key_that_is_checked_at_commit_is_looked_at_before(database) -> None:
    database.executescript(
        """CREATE TABLE c (id INTEGER PRIMARY KEY); INSERT INTO c VALUES (1);
           CREATE TABLE t (id INTEGER PRIMARY KEY, c REFERENCES c DEFERRABLE INITIALLY DEFERRED)"""
    )
    loaded = load(database, [(1, 1), (2, 7), (3, None)])
    assert told(loaded) == {1: ("parent", "no c with id 7")}
    assert held(database) == [(1, 1), (3, None)]


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("clause", ["REPLACE", "IGNORE", "ROLLBACK", "FAIL"])
def test_a_conflict_clause_of_the_table_drops_or_replaces_nothing(database, clause: str, fresh: bool) -> None:
    database.executescript(
        f"CREATE TABLE t (id PRIMARY KEY ON CONFLICT {clause}, v NOT NULL ON CONFLICT {clause} DEFAULT 'd',"
        f" w UNIQUE ON CONFLICT {clause})"
    )
    loaded = load(database, [(1, "a", 1), (1, "b", 2), (2, None, 3), (3, "c", 1), (4, "d", 4)], fresh=fresh)
    assert told(loaded) == {
        1: DUPLICATE,
        2: ("load", "NOT NULL constraint failed: t.v"),
        3: ("load", "UNIQUE constraint failed: t.w"),
    }
    assert held(database) == [(1, "a", 1), (4, "d", 4)]


@pytest.mark.parametrize("way", WAYS)
def test_a_row_that_a_trigger_ignores_is_refused_and_one_that_it_fails_leaves_nothing(database, way) -> None:
    database.executescript(
        """CREATE TABLE t (id PRIMARY KEY, v);
           CREATE TRIGGER i BEFORE INSERT ON t WHEN new.v = 1 BEGIN SELECT RAISE(IGNORE); END;
           CREATE TRIGGER f AFTER INSERT ON t WHEN new.v = 2 BEGIN SELECT RAISE(FAIL, 'too late'); END;
           CREATE TRIGGER u BEFORE UPDATE ON t WHEN new.v = 4 BEGIN SELECT RAISE(IGNORE); END;
           INSERT INTO t VALUES (9, 9)"""
    )
    loaded = load(database, [(1, 0), (2, 1), (3, 2), (4, 3)], **way)
    ignored = ("load", "a trigger of the table ignores the row")
    assert told(loaded) == {1: ignored, 2: ("load", "too late")}
    assert held(database) == [(1, 0), (4, 3), (9, 9)]
    if not way["fresh"]:
        assert told(load(database, [(9, 4), (1, 0)], **way)) == {0: ignored}


def test_a_function_that_chokes_on_a_value_refuses_its_row(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v CHECK (json_extract(v, '$.a') > 0))")
    rows = [(1, '{"a": 1}'), (2, "{not json"), (3, '{"a": 2}')]
    for fresh in (True, False):
        assert told(load(database, rows, fresh=fresh)) == {1: ("load", "malformed JSON")}
        assert [row[0] for row in held(database)] == [1, 3]
        database.execute("DELETE FROM t")


def test_a_trigger_that_rolls_everything_back_stops_the_run(database) -> None:
    database.executescript(
        """CREATE TABLE t (id PRIMARY KEY);
           CREATE TRIGGER r BEFORE INSERT ON t WHEN new.id = 2 BEGIN SELECT RAISE(ROLLBACK, 'enough'); END"""
    )
    for fresh in (True, False):
        with pytest.raises(Fatal, match=r"new.db: t: .*rolled back the whole batch: enough"):
            load(database, [(1,), (2,), (3,)], fresh=fresh)
        assert database.execute("SELECT count(*) FROM t").fetchone() == (0,)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_full_disk_is_no_row_s_fault(database, fresh: bool) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v)")
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(Fatal, match=r"new.db: t: database or disk is full") as caught:
        load(database, [(place, "x" * 3000) for place in range(20)], fresh=fresh)
    assert "Make room" in str(caught.value)


@pytest.mark.parametrize("fresh", [True, False])
def test_a_lock_that_another_holds_is_a_fault_that_may_pass(database, fresh: bool) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v)")
    database.execute("PRAGMA busy_timeout=0")
    other = sqlite3.connect(file_of(database), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    target = SqliteTarget(f"sqlite:///{file_of(database)}", name="t", key=("id",))
    database.execute("BEGIN")
    with pytest.raises(Retryable, match="locked"):
        target.load(database, [(1, 1)], Loading(columns=("id", "v"), key=("id",), fresh=fresh))
    other.close()


@pytest.mark.parametrize("fresh", [True, False])
def test_a_table_that_is_changed_under_way_is_no_row_s_fault(database, fresh: bool) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v)")
    target = SqliteTarget(f"sqlite:///{file_of(database)}", name="t", key=("id",))
    loading = Loading(columns=("id", "v"), key=("id",), fresh=fresh)
    database.execute("BEGIN")
    assert target.load(database, [(1, 1)], loading).loaded == 1
    database.execute("ALTER TABLE t RENAME COLUMN v TO w")
    with pytest.raises(Fatal, match=r"new.db: t: .*no (such column|column named)"):
        target.load(database, [(2, 1)], loading)


def test_a_table_or_column_that_is_not_there_is_named(database) -> None:
    database.executescript("CREATE TABLE customer (id PRIMARY KEY, name); CREATE VIEW v AS SELECT 1 AS id")
    url = f"sqlite:///{file_of(database)}"
    with pytest.raises(PlanError, match="no table 'custmer'\nDid you mean 'customer'"):
        SqliteTarget(url, name="custmer", key=("id",)).describe()
    with pytest.raises(PlanError, match="is a view"):
        SqliteTarget(url, name="v", key=("id",)).describe()
    with pytest.raises(PlanError, match="no column 'nam'"):
        load(database, [(1, 2)], name="customer", columns=("id", "nam"))


def test_a_target_tells_whether_it_is_empty_inside_the_transaction(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY)")
    target = SqliteTarget(f"sqlite:///{file_of(database)}", name="t", key=("id",))
    assert target.describe().unique_keys == (frozenset({"id"}),)
    database.execute("BEGIN")
    assert target.is_empty(database)
    database.execute("INSERT INTO t VALUES (1)")
    assert not target.is_empty(database)
    target.close()
    target.close()
    database.execute("ROLLBACK")
    assert target.is_empty(database)


def test_names_may_be_weird(database) -> None:
    name, key, column = 'odd "name" ?', "k'1 ?", 'milepost_row"; --'
    quoted = '"odd ""name"" ?"'
    columns = """("k'1 ?" PRIMARY KEY, "milepost_row""; --" CHECK ("milepost_row""; --" > 0))"""
    database.execute(f"CREATE TABLE {quoted} {columns}")
    target = SqliteTarget(f"sqlite:///{file_of(database)}", name=name, key=(key,))
    for fresh in (True, False):
        loading = Loading(columns=(key, column), key=(key,), fresh=fresh)
        database.execute("BEGIN")
        loaded = target.load(database, [(1, 1), (2, 0), (1, 3)], loading)
        database.execute("COMMIT")
        assert [(each.index, each.stage) for each in loaded.refused] == [(1, "load"), (2, "duplicate")]
        assert database.execute(f"SELECT * FROM {quoted}").fetchall() == [(1, 1)]
        database.execute(f"DELETE FROM {quoted}")


@pytest.mark.parametrize("key", ["id INTEGER PRIMARY KEY", "id TEXT COLLATE NOCASE PRIMARY KEY", "id TEXT UNIQUE"])
def test_every_statement_of_a_staged_load_finds_rows_by_index(database, key: str) -> None:
    late = "DEFERRABLE INITIALLY DEFERRED"
    database.executescript(f"CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE t ({key}, v, p REFERENCES p {late})")
    loading = Loading(columns=("id", "v", "p"), key=("id",), fresh=False)
    into = look_into(database, "t", loading, "new.db")
    sql = write_stage_sql(into)
    database.execute(sql.create)
    lookups = [sql.update, sql.insert, sql.present, sql.exists_one, orphans(into, into.wanted[0], 0, in_table=False)]
    for each in lookups:
        assert each is not None
        steps = [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {each}", (1,) * each.count("?"))]
        assert any(step.startswith(("SEARCH t USING", "SEARCH p USING")) for step in steps), (each, steps)
        assert not any(step.startswith(("SCAN t", "SCAN p")) or "AUTOMATIC" in step for step in steps), (each, steps)


def test_a_staged_load_of_another_shape_follows_on_the_same_connection(database) -> None:
    database.executescript("CREATE TABLE t (id PRIMARY KEY, v); CREATE TABLE u (id PRIMARY KEY, v, w)")
    for _ in range(2):
        assert load(database, [(1, 2)], fresh=False).refused == ()
        assert load(database, [(1, 2, 3)], name="u", fresh=False).refused == ()
    assert (held(database), held(database, "u")) == ([(1, 2)], [(1, 2, 3)])
