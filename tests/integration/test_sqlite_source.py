"""Rows come out of real SQLite files by key: every row once, in SQLite's own order, as SQLite has it."""

import sqlite3
from pathlib import Path

import pytest

from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.errors import Fatal, PlanError, Retryable
from milepost.migration.description import Kind


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "legacy.db"


def make(file: Path, script: str) -> None:
    connection = sqlite3.connect(file)
    connection.executescript(script)
    connection.close()


def source(file: Path, name: str | None = "t", **more: object) -> SqliteSource:
    settings = {"sql": None, "key": ("id",), "columns": None, "where": None} | more
    return SqliteSource(f"sqlite:///{file}", name=name, **settings)


def every(source: SqliteSource, after=None, upto=None, chunk: int = 3) -> list[tuple]:
    return [row for rows in source.read(after, upto, chunk) for row in rows]


def plain(file: Path, sql: str) -> list[tuple]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def plan_of(source: SqliteSource, after, upto) -> str:
    """What SQLite itself says of the very statement that is run."""
    ran: list[str] = []
    connection = source._connection
    connection.set_trace_callback(ran.append)
    list(source.read(after, upto, 10))
    connection.set_trace_callback(None)
    (sql,) = [each for each in ran if " ORDER BY " in each]
    return " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}"))


def test_a_range_is_open_below_and_closed_above(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c'),(5,'d')")
    assert every(source(file), (1,), (3,)) == [(2, "b"), (3, "c")]
    assert every(source(file), None, (1,)) == [(1, "a")]
    assert every(source(file), (3,), None) == [(5, "d")]
    assert [len(rows) for rows in source(file).read(None, None, 3)] == [3, 1]


def test_values_come_as_sqlite_has_them_each_with_its_own_type(file: Path) -> None:
    make(
        file,
        """CREATE TABLE t (id INTEGER PRIMARY KEY, v);
           INSERT INTO t VALUES (1,NULL),(2,-9223372036854775808),(3,9e999),(4,0.1),(5,''),(6,x''),(7,x'00ff'),
               (8,'🙂'||char(769)),(9,'a'||char(0)||'b'),(10,9223372036854775807)""",
    )
    infinity = float("inf")
    wanted = [None, -(2**63), infinity, 0.1, "", b"", b"\x00\xff", "🙂\u0301", "a\0b", 2**63 - 1]
    rows = every(source(file))
    assert [value for _, value in rows] == wanted
    assert [type(value) for _, value in rows] == [type(value) for value in wanted]


def test_a_composite_key_is_read_by_its_index_without_sorting(file: Path) -> None:
    make(
        file,
        "CREATE TABLE t (a TEXT COLLATE NOCASE, b, c, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('A',1,0),('b',2,0)",
    )
    plan = plan_of(source(file, key=("a", "b")), ("A", 1), ("b", 2))
    assert "SEARCH main.t USING INDEX" in plan
    assert "a,b)>" in plan
    assert "TEMP B-TREE" not in plan


def test_a_single_key_is_read_by_the_rowid(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES (1,0),(2,0)")
    plan = plan_of(source(file), (1,), (2,))
    assert "SEARCH main.t USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in plan
    assert "TEMP B-TREE" not in plan


def test_a_simple_query_is_read_by_the_index_of_its_table(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY, c); INSERT INTO t VALUES (1,0),(2,0)")
    plan = plan_of(source(file, None, sql="SELECT id, c + 1 AS d FROM t"), (1,), (2,))
    assert "SEARCH t USING INTEGER PRIMARY KEY" in plan


def test_a_key_under_nocase_is_ordered_and_resumed_as_sqlite_orders_it(file: Path) -> None:
    make(
        file, "CREATE TABLE t (id TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO t VALUES ('b'),('A'),('C'),('d'),('B ')"
    )
    rows = every(source(file), chunk=1)
    assert rows == [("A",), ("b",), ("B ",), ("C",), ("d",)]
    assert every(source(file), ("B",), ("c",)) == [("B ",), ("C",)]


def test_a_text_that_looks_like_a_number_is_resumed_in_a_column_without_affinity(file: Path) -> None:
    make(file, "CREATE TABLE t (id PRIMARY KEY); INSERT INTO t VALUES (5),('5'),(7),('7'),(x'35'),(6.5)")
    assert every(source(file), (7,), None) == [("5",), ("7",), (b"5",)]
    assert every(source(file), ("5",), None) == [("7",), (b"5",)]


def test_a_compound_view_of_numbers_and_texts_loses_no_row_at_any_position(file: Path) -> None:
    make(
        file,
        """CREATE TABLE n (id INTEGER); CREATE TABLE s (id TEXT);
           INSERT INTO n VALUES (1),(10),(9); INSERT INTO s VALUES ('10a'),('2'),('5');
           CREATE VIEW t AS SELECT id FROM n UNION ALL SELECT id FROM s""",
    )
    whole = every(source(file))
    assert sorted(map(repr, whole)) == sorted(["(1,)", "(10,)", "(9,)", "('10a',)", "('2',)", "('5',)"])
    for place, row in enumerate(whole):
        assert every(source(file), row, None) == whole[place + 1 :]
        assert every(source(file), None, row) == whole[: place + 1]


def test_views_queries_and_tables_without_rowid_are_read(file: Path) -> None:
    make(
        file,
        """CREATE TABLE t (a TEXT, b INTEGER, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
           INSERT INTO t VALUES ('x',2,'p'),('x',1,'q'),('a',9,'r');
           CREATE VIEW v AS SELECT b, a, upper(c) AS d FROM t WHERE b < 5""",
    )
    assert every(source(file, key=("a", "b"))) == [("a", 9, "r"), ("x", 1, "q"), ("x", 2, "p")]
    view = source(file, "v", key=("b",))
    assert every(view) == [(1, "x", "Q"), (2, "x", "P")]
    assert not view.describe().is_table
    query = source(file, None, sql="SELECT a || b AS id, c FROM t WHERE c <> 'p'; -- the end", key=("id",))
    assert query.columns == ("id", "c")
    assert every(query) == [("a9", "r"), ("x1", "q")]
    assert (query.count(None), query.count(("a9",)), query.highest()) == (2, 1, ("x1",))


def test_names_may_be_weird(file: Path) -> None:
    make(
        file,
        """CREATE TABLE "odd "" name, of" ("k""1, x" INTEGER PRIMARY KEY, "select" TEXT);
           INSERT INTO "odd "" name, of" VALUES (1, 'v'), (2, 'w')""",
    )
    odd = source(file, 'odd " name, of', key=('k"1, x',))
    assert every(odd, (1,), None) == [(2, "w")]
    assert odd.columns == ('k"1, x', "select")
    assert odd.highest() == (2,)


def test_where_and_columns_narrow_what_is_read_counted_and_highest(file: Path) -> None:
    make(
        file,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v, w); INSERT INTO t VALUES (1,'a',0),(2,'b',1),(3,'c',1),(4,'d',0)",
    )
    some = source(file, columns=("v",), where="w = 1 OR v = 'a' -- the first too")
    assert some.columns == ("v", "id")
    assert every(some, (1,), None) == [("b", 2), ("c", 3)]
    assert (some.count(None), some.count((2,)), some.highest()) == (3, 2, (3,))
    assert some.describe().names == ("v", "id")


def test_an_empty_table_has_no_highest_key(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    empty = source(file)
    assert (empty.highest(), empty.count(None), every(empty)) == (None, 0, [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "custmers"}, ["no table 'custmers'", "Did you mean 'customers'"]),
        ({"name": "zzz"}, ["no table 'zzz'", "customers"]),
        ({"key": ("ID_",)}, ["no column 'ID_'", "Did you mean 'id'"]),
        ({"columns": ("nme",)}, ["no column 'nme'", "Did you mean 'name'"]),
        ({"where": "nosuch(1) = 2"}, ["nosuch"]),
        ({"name": None, "sql": "SELEC 1"}, ["the query cannot be read", "SELEC"]),
        ({"name": None, "sql": "SELECT ? AS id"}, ["the query cannot be read"]),
        ({"name": None, "sql": "SELECT 1 AS id; DROP TABLE customers"}, ["the query cannot be read"]),
        ({"name": None, "sql": "DELETE FROM customers"}, ["the query cannot be read"]),
        ({"name": None, "sql": "SELECT 1 AS other"}, ["no column 'id'", "other"]),
    ],
)
def test_what_is_not_there_is_a_plan_error_that_names_it_and_what_is_near(file: Path, settings, words) -> None:
    make(file, "CREATE TABLE customers (id INTEGER PRIMARY KEY, name)")
    with pytest.raises(PlanError) as caught:
        source(file, **{"name": "customers"} | settings).describe()
    assert all(word in str(caught.value) for word in words), str(caught.value)
    assert plain(file, "SELECT count(*) FROM customers") == [(0,)]


def test_a_file_that_is_not_there_or_no_database_is_a_plan_error(file: Path) -> None:
    with pytest.raises(PlanError, match="there is no file"):
        source(file).describe()
    file.write_text("this is no database, however long it may be" * 50)
    with pytest.raises(PlanError, match="cannot be read as a SQLite database"):
        source(file).describe()


def test_a_damaged_file_is_fatal_and_says_so(file: Path) -> None:
    make(file, "PRAGMA page_size=512; CREATE TABLE t (id INTEGER, v); INSERT INTO t VALUES (1, zeroblob(5000))")
    whole = file.read_bytes()
    file.write_bytes(whole[:512] + b"\xff" * (len(whole) - 512))
    with pytest.raises(Fatal, match="malformed"):
        source(file).check_key()


def test_columns_are_described_with_affinity_and_declaration(file: Path) -> None:
    make(
        file,
        """CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL UNIQUE, price DECIMAL(10,2) DEFAULT 0,
                           raw, w DOUBLE, g TEXT AS (upper(name)) STORED, UNIQUE (price, w));
           CREATE UNIQUE INDEX partial ON t (w) WHERE w > 0; CREATE UNIQUE INDEX expression ON t (lower(name));
           CREATE INDEX plain ON t (raw)""",
    )
    described = source(file).describe()
    told = {
        each.name: (each.affinity, each.native, each.nullable, each.fills_itself, each.writable)
        for each in described.columns
    }
    assert told == {
        "id": ("INTEGER", "INTEGER", False, True, True),
        "name": ("TEXT", "VARCHAR(20)", False, False, True),
        "price": ("NUMERIC", "DECIMAL(10,2)", True, True, True),
        "raw": ("BLOB", "", True, False, True),
        "w": ("REAL", "DOUBLE", True, False, True),
        "g": ("TEXT", "TEXT", True, True, False),
    }
    assert {each.kind for each in described.columns} == {Kind.DYNAMIC}
    assert set(described.unique_keys) == {frozenset({"id"}), frozenset({"name"}), frozenset({"price", "w"})}


AFFINITY_PROBES = ["INT", "CHARINT", "VARCHAR(5)", "CLOB", "BLOB", "", "REAL", "DOUBLE PRECISION", "FLOATING POINT",
                   "DECIMAL(9,2)", "BOOLEAN", "DATE", "STRING", "JSON", "POINT"]  # fmt: skip


@pytest.mark.parametrize("declared", AFFINITY_PROBES)
def test_the_affinity_is_the_one_that_sqlite_acts_on(file: Path, declared: str) -> None:
    make(file, f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared}); INSERT INTO t VALUES (1,'5'),(2,5),(3,'5.5')")
    types = tuple(kind for (kind,) in plain(file, "SELECT typeof(v) FROM t ORDER BY id"))
    acted = {
        ("integer", "integer", "real"): {"INTEGER", "NUMERIC"},
        ("text", "text", "text"): {"TEXT"},
        ("text", "integer", "text"): {"BLOB"},
        ("real", "real", "real"): {"REAL"},
    }[types]
    column = source(file).describe().column("v")
    assert column is not None
    assert column.affinity in acted


def queries_of(source: SqliteSource) -> list[str]:
    source.describe()
    ran: list[str] = []
    source._connection.set_trace_callback(ran.append)
    source.check_key()
    return [sql for sql in ran if "GROUP BY" in sql or "IS NULL" in sql]


@pytest.mark.parametrize(
    ("ddl", "key", "free"),
    [
        ("id INTEGER PRIMARY KEY", ("id",), True),
        ("id INTEGER PRIMARY KEY, v", ("v", "id"), False),  # v may hold NULL
        ("id INTEGER PRIMARY KEY, v NOT NULL", ("v", "id"), True),  # part of the key is unique already
        ("id INT PRIMARY KEY", ("id",), False),  # a primary key that may hold NULLs
        ("id TEXT NOT NULL COLLATE NOCASE UNIQUE", ("id",), True),
        ("id TEXT NOT NULL, UNIQUE (id COLLATE NOCASE)", ("id",), False),
        ("id TEXT NOT NULL COLLATE NOCASE, UNIQUE (id COLLATE BINARY)", ("id",), False),
        ("id TEXT NOT NULL COLLATE RTRIM UNIQUE", ("id",), True),
        ("id NOT NULL, v", ("id",), False),
    ],
)
def test_a_key_that_the_database_guarantees_costs_no_query(file: Path, ddl: str, key, free: bool) -> None:
    make(file, f"CREATE TABLE t ({ddl})")
    assert (queries_of(source(file, key=key)) == []) is free


def test_the_key_of_a_table_without_rowid_is_guaranteed(file: Path) -> None:
    make(file, "CREATE TABLE t (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID")
    assert queries_of(source(file, key=("b", "a"))) == []


def test_a_key_that_holds_null_is_refused_with_an_example(file: Path) -> None:
    make(file, "CREATE TABLE t (a TEXT, b INT, PRIMARY KEY (a, b)); INSERT INTO t VALUES ('x',1),('y',NULL)")
    with pytest.raises(PlanError, match=r"a='y', b=None holds NULL"):
        source(file, key=("a", "b")).check_key()
    source(file, key=("a", "b"), where="b IS NOT NULL").check_key()


def test_a_key_held_twice_is_refused_with_an_example(file: Path) -> None:
    make(file, "CREATE TABLE t (id INT, v); INSERT INTO t VALUES (1,1),(2,1),(7,1),(7,2)")
    with pytest.raises(PlanError, match=r"id=7 is held by 2 rows"):
        source(file).check_key()
    source(file, key=("id", "v")).check_key()


def test_keys_that_the_order_takes_for_equal_are_one_key(file: Path) -> None:
    make(
        file,
        "CREATE TABLE t (id TEXT COLLATE NOCASE NOT NULL, UNIQUE (id COLLATE BINARY));INSERT INTO t VALUES ('a'),('A')",
    )
    with pytest.raises(PlanError, match="held by 2 rows"):
        source(file).check_key()


def test_text_that_is_not_utf8_is_read_as_escapes_and_no_row_is_lost(file: Path) -> None:
    make(
        file,
        """CREATE TABLE t (id PRIMARY KEY, v);
           INSERT INTO t VALUES (1,'a'),(2,CAST(x'ff41' AS TEXT)),(3,'c'),(CAST(x'61fe' AS TEXT),'k'),
               (CAST(x'61ff' AS TEXT),'l'),('b','m'),(CAST(x'20ff' AS TEXT),'j')""",
    )
    rows = every(source(file), chunk=1)
    assert rows == [
        (1, "a"),
        (2, "\udcffA"),
        (3, "c"),
        (" \udcff", "j"),
        ("a\udcfe", "k"),
        ("a\udcff", "l"),
        ("b", "m"),
    ]
    for chunk in (2, 3, 100):
        assert every(source(file), chunk=chunk) == rows
    for place, row in enumerate(rows):
        assert every(source(file), row[:1], None) == rows[place + 1 :]
    assert source(file, where="v IN ('k', 'l')").highest() == ("a\udcff",)


def test_a_file_in_wal_mode_is_read_while_another_writes_to_it(file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("PRAGMA journal_mode=WAL")
    writer.executescript("CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3)")
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (4)")
    reading = source(file)
    chunks = reading.read(None, None, 1)
    assert next(chunks) == [(1,)]
    writer.execute("COMMIT")
    writer.execute("INSERT INTO t VALUES (5)")
    assert list(chunks) == [[(2,)], [(3,)]]
    assert every(reading, (3,), None) == [(4,), (5,)]
    writer.close()
    reading.close()


def test_a_file_with_a_journal_is_read_while_another_has_begun_to_write(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("INSERT INTO t VALUES (2)")
    assert every(source(file)) == [(1,)]
    writer.execute("ROLLBACK")
    writer.close()


def test_a_file_that_stays_locked_is_a_fault_that_may_pass(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
    reading = source(file)
    reading.describe()
    reading._connection.execute("PRAGMA busy_timeout=0")
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Retryable, match=r"legacy.db: t: database is locked"):
        every(reading)
    writer.close()


def test_a_source_cannot_write(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    reading = source(file)
    reading.describe()
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading._connection.execute("INSERT INTO t VALUES (1)")


def test_closing_twice_and_in_the_middle_of_a_read_is_safe(file: Path) -> None:
    make(file, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3)")
    reading = source(file)
    chunks = reading.read(None, None, 1)
    next(chunks)
    reading.close()
    reading.close()
    chunks.close()
    assert [row for rows in reading.read(None, None, 2) for row in rows] == [(1,), (2,), (3,)]  # it opens again
