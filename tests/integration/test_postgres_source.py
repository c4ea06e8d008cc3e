"""Rows come out of PostgreSQL by key: every row once, in PostgreSQL's own order, bounded exactly."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.errors import Fatal, PlanError, Retryable
from milepost.migration.description import Kind
from milepost.migration.keys import decode, encode

pytestmark = pytest.mark.every_postgres

KEYS = {
    "bigint": "SELECT (g - 5) * 9007199254740993 FROM generate_series(1, 9) g",
    "real": "SELECT (g / 10.0)::real FROM generate_series(-5, 5) g UNION SELECT unnest('{NaN,Infinity,1e-45}'::real[])",
    "double precision": "SELECT g / 3.0::float8 FROM generate_series(-5, 5) g UNION SELECT '-Infinity'",
    "numeric": "SELECT g / 7.0 FROM generate_series(-4, 4) g UNION SELECT 'NaN' UNION SELECT 1.10",
    "numeric(38,10)": "SELECT 1234567890123456789012345678 + g / 1e10 FROM generate_series(1, 9) g",
    "text": 'SELECT unnest(\'{a,B,b,A,ä,z,""," ",_,"a b",ab,e\u0301,é,😀,\'\'}\'::text[])',
    'text COLLATE "C"': 'SELECT unnest(\'{a,B,b,A,ä,z,""," ",_,"a b",ab}\'::text[])',
    "char(3)": "SELECT unnest('{a,ab,abc,B,\" b\"}'::text[])",
    "varchar(3)": 'SELECT unnest(\'{a,"a ","a  ",B}\'::text[])',
    "bytea": "SELECT decode(lpad(to_hex(g * 37), 4, '0'), 'hex') FROM generate_series(0, 9) g",
    "uuid": "SELECT md5(g::text)::uuid FROM generate_series(1, 9) g",
    "date": "SELECT unnest('{infinity,-infinity,\"0044-03-15 BC\",2024-02-29,10000-01-01}'::date[])",
    "timestamp": "SELECT '2024-01-01'::timestamp + g * '1 microsecond'::interval FROM generate_series(1, 9) g",
    "timestamptz": "SELECT '2024-10-27 02:30+02'::timestamptz + g * '1 microsecond'::interval"
    " FROM generate_series(1, 9) g UNION SELECT 'infinity' UNION SELECT '0044-03-15 BC'",
    "time": "SELECT unnest('{00:00,24:00,12:00:00.000001}'::time[])",
    "interval": "SELECT unnest('{1 mon,29 days,31 days,-1 day}'::interval[])",
    "boolean": "SELECT unnest('{t,f}'::boolean[])",
    "inet": "SELECT unnest('{10.0.0.1,10.0.0.1/8,::1}'::inet[])",
    "mood": "SELECT unnest('{sad,ok,happy}'::mood[])",
}


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


def source(url: str, name: str | None = "t", **more: Any) -> PostgresSource:
    return PostgresSource(url, name=name, **({"key": ("id",)} | more))


def every(source: PostgresSource, after: Any = None, upto: Any = None, chunk: int = 3) -> list[tuple]:
    rows = [row for rows in source.read(after, upto, chunk) for row in rows]
    source.close()
    return rows


def test_every_type_of_key_bounds_a_range_exactly(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')")
    for native, values in KEYS.items():
        plain.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (k {native} PRIMARY KEY)")
        plain.execute(f"INSERT INTO t {values}")
        ordered = [text for (text,) in plain.execute("SELECT k::text FROM t ORDER BY k")]
        with_key = source(postgres_url, key=("k",))
        found = [key for rows in with_key.read(None, None, 4) for key in rows]
        assert len(found) == len(ordered) > 1, native
        assert with_key.highest() in (found[-1], None) or str(found[-1]) == str(with_key.highest())
        for place, key in enumerate(found):
            again = decode(encode(key))  # as the position comes back from the store
            left = [str(row) for rows in with_key.read(None, again, 100) for row in rows]
            right = [str(row) for rows in with_key.read(again, None, 100) for row in rows]
            assert left == [str(row) for row in found[: place + 1]], (native, key)
            assert right == [str(row) for row in found[place + 1 :]], (native, key)
            assert with_key.count(again) == place + 1, (native, key)
        with_key.close()


def test_a_composite_key_is_compared_as_a_row(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (b text, a numeric, v int, PRIMARY KEY (a, b))")
    plain.execute("INSERT INTO t SELECT chr(65 + i % 5), i / 5, i FROM generate_series(0, 24) i")
    with_key = source(postgres_url, key=("a", "b"))
    assert with_key.columns == ("b", "a", "v")
    expected = plain.execute("SELECT b, a, v FROM t ORDER BY a, b").fetchall()
    assert every(with_key) == expected
    for low in range(0, 25, 6):
        after = (expected[low][1], expected[low][0])
        upto = (expected[low + 7][1], expected[low + 7][0]) if low + 7 < 25 else None
        assert every(with_key, after, upto) == expected[low + 1 : low + 8 if upto else None]


def test_chunks_hold_at_most_what_was_asked_and_are_never_empty(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 7)")
    reader = source(postgres_url)
    assert [len(rows) for rows in reader.read(None, None, 3)] == [3, 3, 1]
    assert list(reader.read((7,), None, 3)) == []
    reader.close()


def test_a_read_is_one_snapshot(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)")
    reader = source(postgres_url)
    chunks = reader.read(None, None, 3)
    found = list(next(chunks))
    plain.execute("DELETE FROM t WHERE id > 5; INSERT INTO t VALUES (100)")
    found += [row for rows in chunks for row in rows]
    assert found == [(number,) for number in range(1, 10)]
    reader.close()


def test_the_middle_of_a_read_may_be_left_and_closed(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)")
    reader = source(postgres_url)
    chunks = reader.read(None, None, 3)
    next(chunks)
    reader.close()
    reader.close()
    chunks.close()
    assert len(every(reader)) == 9  # it connects anew
    chunks = reader.read(None, None, 3)
    next(chunks)
    chunks.close()
    assert reader.count(None) == 9
    reader.close()


def test_columns_and_where_limit_what_is_read(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute('CREATE TABLE "Odd ""Names" ("The id" int PRIMARY KEY, "from" text, "a%s{b}" text)')
    plain.execute("INSERT INTO \"Odd \"\"Names\" SELECT g, 'x' || g, '50%' FROM generate_series(1, 9) g")
    where = '"from" LIKE \'x%\' AND "The id" % 2 = 0 -- even {only} %s'
    reader = source(postgres_url, 'Odd "Names', key=("The id",), columns=("a%s{b}", "from"), where=where)
    assert reader.columns == ("a%s{b}", "from", "The id")
    assert every(reader, (2,)) == [("50%", f"x{number}", number) for number in (4, 6, 8)]
    assert reader.count(None) == 4
    assert reader.highest() == (8,)
    reader.close()


def test_a_query_is_a_source(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)")
    query = "SELECT id * 2 AS id, '{%s}' AS \"%\" FROM t WHERE id % 2 = 1 -- the odd ones;\n;"
    reader = source(postgres_url, None, sql=query)
    reader.check_key()
    assert every(reader, (2,), (14,)) == [(6, "{%s}"), (10, "{%s}"), (14, "{%s}")]
    assert not reader.describe().is_table
    reader.close()


def test_a_schema_is_part_of_a_name(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute(
        'CREATE SCHEMA legacy; CREATE TABLE legacy."T" (id int PRIMARY KEY); INSERT INTO legacy."T" VALUES (1)'
    )
    assert every(source(postgres_url, "legacy.T")) == [(1,)]
    plain.execute('CREATE TABLE "legacy.T" (id int PRIMARY KEY)')
    assert every(source(postgres_url, "legacy.T")) == []


def test_a_description_tells_types_keys_and_nulls(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE DOMAIN price AS numeric(10,2)")
    plain.execute(
        "CREATE TABLE t (id int PRIMARY KEY, p price NOT NULL, c varchar(5), a text[], x inet, gone int,"
        " UNIQUE (p, c), UNIQUE (a) DEFERRABLE)"
    )
    plain.execute("CREATE UNIQUE INDEX ON t (c) WHERE c <> ''; CREATE UNIQUE INDEX ON t (lower(c))")
    plain.execute("CREATE UNIQUE INDEX ON t (x) INCLUDE (c); ALTER TABLE t DROP COLUMN gone")
    reader = source(postgres_url)
    described = reader.describe()
    reader.close()
    assert described.names == ("id", "p", "c", "a", "x")
    assert set(described.unique_keys) == {frozenset({"id"}), frozenset({"p", "c"}), frozenset({"x"})}
    price, code, texts = described.columns[1:4]
    assert (price.kind, price.precision, price.scale, price.nullable) == (Kind.DECIMAL, 10, 2, False)
    assert (code.kind, code.length, code.nullable) == (Kind.TEXT, 5, True)
    assert (texts.kind, texts.of) == (Kind.ARRAY, Kind.TEXT)
    assert described.columns[4].kind is Kind.OTHER


@pytest.mark.parametrize(
    ("definition", "values", "why"),
    [
        ("id int", "(1), (NULL)", r"holds NULL: \(NULL\)"),
        ("id int UNIQUE", "(1), (NULL)", "holds NULL"),
        ("id int", "(1), (2), (2)", r"in several rows: \(2\)"),
        ("id int NOT NULL", "(1), (2), (2)", r"in several rows: \(2\)"),
    ],
)
def test_a_key_that_does_not_identify_is_told(
    postgres_url: str, plain: psycopg.Connection, definition: str, values: str, why: str
) -> None:
    plain.execute(f"CREATE TABLE t ({definition}); INSERT INTO t VALUES {values}")
    reader = source(postgres_url)
    with pytest.raises(PlanError, match=rf"t: the key \(id\) .*{why}"):
        reader.check_key()
    reader.close()


def test_a_unique_index_does_not_speak_for_tables_that_inherit(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE child () INHERITS (t)")
    plain.execute("INSERT INTO t VALUES (1); INSERT INTO child VALUES (1)")
    reader = source(postgres_url)
    with pytest.raises(PlanError, match="several rows"):
        reader.check_key()
    reader.close()


def test_a_key_that_the_database_guarantees_costs_no_query(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL)")
    reader = source(postgres_url, key=("id", "n"))
    reader.describe()
    with psycopg.connect(postgres_url) as blocker:
        blocker.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        assert reader._connection is not None
        reader._connection.execute("SET lock_timeout = '1ms'")
        reader.check_key()
        with pytest.raises(Retryable, match="reading t"):
            reader.count(None)
    reader.close()


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"name": "customer"}, "no table customer(.|\n)*Did you mean customers"),
        ({"name": "zzz"}, "no table zzz(.|\n)*There are: customers, legacy.old"),
        ({"name": "old"}, "no table old(.|\n)*legacy.old"),
        ({"name": "customers", "key": ("Id",)}, "no column Id(.|\n)*Did you mean id"),
        ({"name": "customers", "columns": ("emial",)}, "no column emial(.|\n)*Did you mean email"),
        ({"name": "customers", "where": "emial = ''"}, "emial"),
        ({"name": None, "sql": "SELEKT 1"}, "syntax error"),
        ({"name": None, "sql": "SELECT 1 AS id, 2 AS id"}, "two columns called id"),
        ({"name": None, "sql": "DELETE FROM customers RETURNING id"}, "DELETE|syntax"),
        ({"name": None, "sql": "WITH d AS (DELETE FROM customers RETURNING id) SELECT * FROM d"}, "WITH|read-only"),
    ],
)
def test_a_mistake_is_named_before_anything_is_read(
    postgres_url: str, plain: psycopg.Connection, settings: dict[str, Any], why: str
) -> None:
    plain.execute("CREATE TABLE customers (id int PRIMARY KEY, email text); INSERT INTO customers VALUES (1)")
    plain.execute("CREATE SCHEMA legacy; CREATE TABLE legacy.old (id int)")
    reader = source(postgres_url, **settings)
    with pytest.raises(PlanError, match=why):
        reader.describe()
    reader.close()
    assert plain.execute("SELECT count(*) FROM customers").fetchone() == (1,)


def test_a_source_cannot_write(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE SEQUENCE s")
    reader = source(postgres_url, None, sql="SELECT nextval('s') AS id")
    with pytest.raises(Fatal, match="read-only"):
        every(reader)
    reader.close()


def test_a_lost_connection_is_retryable(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)")
    reader = source(postgres_url)
    chunks = reader.read(None, None, 3)
    next(chunks)
    assert reader._connection is not None
    plain.execute("SELECT pg_terminate_backend(%s)", [reader._connection.info.backend_pid])
    with pytest.raises(Retryable, match="reading t"):
        list(chunks)
    reader.close()
