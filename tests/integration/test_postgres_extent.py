"""What a range of a PostgreSQL source holds, and the rows of some keys: the same as reading it tells."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.errors import PlanError
from milepost.migration.keys import encode
from milepost.migration.source import Extent

pytestmark = pytest.mark.every_postgres


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


@contextlib.contextmanager
def source(url: str, **settings: Any) -> Iterator[PostgresSource]:
    opened = PostgresSource(url, **({"name": "t", "key": ("id",), "modified": "m"} | settings))
    try:
        yield opened
    finally:
        opened.close()


def as_read(one: PostgresSource, after: Any, upto: Any) -> Extent:
    """What Python makes of the rows themselves."""
    rows = [row for chunk in one.read(after, upto, 100) for row in chunk]
    place = one.columns.index("m")
    values = [row[place] for row in rows if row[place] is not None]
    comparable = len({type(value) for value in values}) == 1
    return Extent(rows=len(rows), modified=encode([max(values)]) if comparable else None)


TYPES: dict[str, list[str]] = {
    "int": ["5", "-7", "NULL", "12"],
    "bigint": ["9223372036854775807", "1"],
    "numeric(10,2)": ["1.10", "10.05", "9.99"],
    "numeric": ["1.5", "123456789012345678901234567890.123"],
    "double precision": ["0.1", "'-Infinity'", "1e300"],
    "real": ["0.1", "0.3"],
    "text": ["'b'", "'a'", "'B'", "'ä'", "'Z'", "NULL", "''"],
    "varchar(5)": ["'_'", "'z'", "'Z'"],
    "char(4)": ["'b'", "'A'"],
    "boolean": ["false", "true", "NULL"],
    "uuid": ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'f0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
    "bytea": ["'\\x00ff'", "'\\xff'", "'\\x'"],
    "date": ["'2024-02-29'", "'2023-12-31'", "NULL"],
    "date ": ["'infinity'", "'-infinity'", "'infinity'"],
    "date  ": ["'infinity'", "'2024-01-01'", "'-infinity'"],
    "time": ["'12:00'", "'23:59:59.5'"],
    "time ": ["'24:00'", "'23:59:59.5'"],
    "timestamp": ["'2024-02-29 12:00:00.000001'", "'2024-02-29 12:00'"],
    "timestamp ": ["'infinity'"],
    "timestamp  ": ["'10000-01-01'", "'2024-02-29 12:00'", "'0044-03-15 BC'"],
    "timestamptz": ["'2024-02-29 12:00+02'", "'2024-02-29 11:00Z'", "'9999-12-31 23:59:59.999999Z'"],
    "timestamptz ": ["'-infinity'", "'-infinity'", "NULL"],
    "interval": ["'1 month'", "'9 days'"],
    "inet": ["'10.0.0.1'", "'9.0.0.1'"],
    "json": ["'1'", "'2'"],
}


@pytest.mark.parametrize("type_name", TYPES)
def test_every_type_of_modified_is_as_high_as_python_finds_it(
    postgres_url: str, plain: psycopg.Connection, type_name: str
) -> None:
    plain.execute(f"CREATE TABLE t (id int PRIMARY KEY, m {type_name})")
    values = TYPES[type_name]
    for place in range(3 * len(values)):
        plain.execute(f"INSERT INTO t VALUES ({place}, {values[place % len(values)]})")
    with source(postgres_url) as one:
        last = 3 * len(values) - 1
        assert one.extent(None, None) == as_read(one, None, None)
        for after in range(-1, len(values)):
            for upto in (after + 1, last):
                assert one.extent((after,), (upto,)) == as_read(one, (after,), (upto,)), (after, upto)
        assert one.extent((last,), None) == Extent(rows=0)


def test_a_range_is_counted_with_where_and_without_modified(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute(
        "CREATE TABLE t (id int, m int, PRIMARY KEY (id, m)); INSERT INTO t VALUES (1, 5), (2, 9), (3, 7), (9, 1)"
    )
    with source(postgres_url, where="id <> 2 -- not", modified="m") as one:
        assert one.extent(None, (3,)) == Extent(rows=2, modified=[7])
    with source(postgres_url, modified=None) as one:
        assert one.extent((1,), None) == Extent(rows=3)
    with source(postgres_url, key=("id", "m")) as one:
        assert one.extent((1, 5), (3, 7)) == Extent(rows=2, modified=[9])
    with source(postgres_url, name=None, sql="SELECT id, m % 5 AS m FROM t") as one:
        assert one.extent(None, None) == Extent(rows=4, modified=[4])


def test_modified_is_read_with_every_row(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (m int, id int PRIMARY KEY, a int, b int)")
    with source(postgres_url, columns=("a",)) as one:
        assert one.columns == ("a", "id", "m")
    with source(postgres_url, columns=("a",), modified=None) as one:
        assert one.columns == ("a", "id")


@pytest.mark.parametrize(("modified", "told"), [("changed", "no column changed"), ("n", "holds lists")])
def test_a_column_of_modified_that_cannot_be_is_named(
    postgres_url: str, plain: psycopg.Connection, modified: str, told: str
) -> None:
    plain.execute("CREATE TABLE t (id int, change int, n int[])")
    with source(postgres_url, modified=modified) as one, pytest.raises(PlanError, match=told) as raised:
        one.describe()
    assert modified != "changed" or raised.value.hint == "Did you mean change?"


def test_rows_are_found_by_key_in_key_order_and_limited_as_in_a_read(
    postgres_url: str, plain: psycopg.Connection
) -> None:
    plain.execute(
        'CREATE TABLE t ("5%" text, id int, m int, PRIMARY KEY ("5%", id));'
        "INSERT INTO t VALUES ('b', 1, 5), ('a', 10, 6), ('a', 9, 7), ('c', 1, 8), ('B', 1, 9)"
    )
    keys = [("c", 1), ("a", 10), ("x", 1), ("b", 1), ("a", 9), ("b", 2**70), ("a\0", 1), ("\ud800", 1), ("a", 10)]
    with source(postgres_url, key=("5%", "id"), where="\"5%\" LIKE '_%' AND m <> 8") as one:
        wanted = {("b", 1), ("a", 10), ("a", 9)}
        expected = [row for chunk in one.read(None, None, 10) for row in chunk if row[:2] in wanted]
        assert one.find(keys) == expected
        assert [row[2] for row in expected] == [7, 6, 5]
        assert one.find([]) == one.find([("x", 1)]) == one.find([("\0", 1)]) == []
    with source(postgres_url, name=None, sql="SELECT id, m, '%' || \"5%\" AS k FROM t -- all", key=("k",)) as one:
        assert one.find([("%c",), ("%",)]) == [(1, 8, "%c")]


def test_keys_that_the_server_cannot_read_cost_no_other(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id uuid PRIMARY KEY, m int)")
    plain.execute("INSERT INTO t SELECT md5(n::text)::uuid, n FROM generate_series(1, 200) n")
    seed = random.randrange(2**32)
    print(f"{seed=}")
    made = [row[0] for row in plain.execute("SELECT id FROM t ORDER BY id")]
    keys: list[Any] = [(each,) for each in made] + [(f"no uuid {n}",) for n in range(40)]
    random.Random(seed).shuffle(keys)
    with source(postgres_url) as one:
        assert [row[0] for row in one.find(keys)] == made


def test_rows_are_found_in_the_middle_of_a_read(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int PRIMARY KEY, m int); INSERT INTO t SELECT n, n FROM generate_series(1, 50) n")
    with source(postgres_url) as one:
        read = one.read(None, None, 10)
        first = next(read)
        assert one.find([(7,), (2**40,), (50,)]) == [(7, 7), (50, 50)]
        assert one.extent(None, None) == Extent(rows=50, modified=[50])
        assert first + [row for chunk in read for row in chunk] == [(n, n) for n in range(1, 51)]


def test_an_error_of_the_users_own_query_is_told(postgres_url: str, plain: psycopg.Connection) -> None:
    plain.execute("CREATE TABLE t (id int, m int); INSERT INTO t VALUES (1, 0)")
    with source(postgres_url, name=None, sql="SELECT id, 1 / m AS m FROM t") as one:
        with pytest.raises(Exception, match="division by zero"):
            one.find([(1,)])
        with pytest.raises(Exception, match="division by zero"):
            one.extent(None, None)
