"""Rows of PostgreSQL are found by their keys, whatever type those have; keys that could be nobody's are nobody's."""

from __future__ import annotations

import contextlib
import random
import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.errors import PlanError

pytestmark = pytest.mark.every_postgres


@pytest.fixture
def plain(postgres_url: str):
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as connection:
        yield connection


@pytest.fixture
def connection(postgres_url: str, plain: psycopg.Connection):
    with connect(postgres_url) as connection:
        yield connection


def find(connection: psycopg.Connection, keys: list[tuple], key: Any = ("k",), wanted: Any = ("id",)) -> list[Any]:
    target = PostgresTarget(connection.info.dsn, name="other", key=("x",))
    with connection.transaction():
        return target.find(connection, "t", key, wanted, keys)


NOON = datetime(2024, 2, 29, 12)  # noqa: DTZ001 - one without a zone is meant
KEYS: list[tuple[str, list[str], list[tuple[Any, int | None]]]] = [
    ("int", ["1", "2"], [(2, 2), (1, 1), (3, None), (1, 1), (2**40, None), ("x", None), (1.5, None), ("2", 2)]),
    ("smallint", ["1"], [(1, 1), (70000, None)]),
    ("bigint", ["9223372036854775807"], [(2**63 - 1, 1), (2**63, None)]),
    ("numeric", ["1.10", "'NaN'"], [(Decimal("1.1"), 1), ("1.1", 1), (1.1, 1), (Decimal("NaN"), 2), ("1.2.3", None)]),
    ("numeric(10,2)", ["1.10"], [(Decimal("1.100"), 1), (Decimal("1.104"), None), (Decimal("1e20"), None), (1, None)]),
    ("text", ["'a'", "'A '", "'{\"\\,NULL'", "''"], [("a", 1), ("A", None), ("A ", 2), ('{"\\,NULL', 3), ("", 4)]),
    ("text", ["'NULL'", "'5'"], [("NULL", 1), (5, 2), ("a\0b", None), ("\ud800", None), (b"5", None), ("null", None)]),
    ("varchar(3)", ["'abc'"], [("abc", 1), ("abcd", None), ("ab", None)]),
    ("char(5)", ["'ab'"], [("ab", 1), ("ab   ", 1), ("abc", None), ("abcdefgh", None)]),
    ('"char"', ["'a'"], [("a", 1), ("ab", None)]),
    ("name", ["'a'"], [("a", 1), ("a" * 80, None)]),
    ("bit(3)", ["B'101'"], [("101", 1), ("1011", None), ("10", None), ("abc", None)]),
    (
        "uuid",
        ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
        [(uuid.UUID("a0eebc999c0b4ef8bb6d6bb9bd380a11"), 1), ("x", None)],
    ),
    ("bytea", ["'\\x00ff'", "'\\x'"], [(b"\0\xff", 1), (b"", 2), (b"a", None), ("a", None)]),
    ("date", ["'2024-02-29'", "'infinity'"], [(date(2024, 2, 29), 1), ("infinity", 2), ("2024-02-30", None)]),
    (
        "timestamp(0)",
        ["'2024-02-29 12:00'"],
        [(NOON, 1), (NOON.replace(microsecond=5), None)],
    ),
    (
        "timestamptz",
        ["'2024-02-29 12:00+00'", "'-infinity'"],
        [
            (NOON.replace(tzinfo=UTC), 1),
            ("2024-02-29 14:00+02", 1),
            ("-infinity", 2),
            (NOON, None),
        ],
    ),
    ("real", ["0.1"], [(0.1, 1), (0.2, None)]),
    ("double precision", ["0.1", "'Infinity'"], [(0.1, 1), (float("inf"), 2), (Decimal("0.1"), 1)]),
    ("boolean", ["true"], [(True, 1), (1, 1), (False, None), ("maybe", None)]),
    ("interval", ["'1 month'"], [("1 month", 1), ("30 days", 1), ("soon", None)]),
    ("int[]", ["'{1,2}'", "'{}'"], [([1, 2], 1), ([], 2), ("{1,2}", 1), ([1, None], None)]),
    ("text[]", ["ARRAY['a,b', 'NULL']"], [(["a,b", "NULL"], 1), (["a"], None)]),
    ("mood", ["'sad'"], [("sad", 1), ("angry", None), ("glad", None)]),
    ("shop.percent", ["5"], [(5, 1), (101, None)]),
    ("inet", ["'10.0.0.1'"], [("10.0.0.1", 1), ("10.0.0.256", None)]),
]


@pytest.mark.parametrize(("type_name", "values", "asked"), KEYS, ids=lambda each: each if isinstance(each, str) else "")
def test_keys_of_every_type_are_found(
    plain: psycopg.Connection, connection: psycopg.Connection, type_name: str, values: list[str], asked: list[Any]
) -> None:
    plain.execute(
        "CREATE SCHEMA shop; CREATE DOMAIN shop.percent AS int CHECK (VALUE <= 100);"
        "CREATE TYPE mood AS ENUM ('sad', 'glad')"
    )
    plain.execute(f"CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k {type_name} UNIQUE)")
    for value in [*values, "NULL"]:
        plain.execute(f"INSERT INTO t (k) VALUES ({value})")
    expected = [None if number is None else (number,) for _, number in asked]
    assert find(connection, [(key,) for key, _ in asked]) == expected


def test_the_column_says_which_keys_are_equal_and_not_python(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    alike = {"char(9)": ("Anna", "Anna   ", "anna"), "interval": ("1 day", "24 hours", "25 hours")}
    with contextlib.suppress(psycopg.errors.FeatureNotSupported):  # a server without ICU has no such collation
        plain.execute("CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        alike["text COLLATE loose"] = ("Anna", "ANNA", "Änna")
    for native, (one, same, other) in alike.items():
        plain.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id int, k {native} UNIQUE)")
        plain.execute("INSERT INTO t VALUES (1, %s)", [one])
        assert find(connection, [(same,), (other,), (one,)]) == [(1,), None, (1,)], native


def test_composite_keys_are_found_as_wholes(plain: psycopg.Connection, connection: psycopg.Connection) -> None:
    plain.execute(
        'CREATE TABLE t (id int, "50%" int, "a""b" text, k int, PRIMARY KEY ("50%", "a""b"));'
        "INSERT INTO t VALUES (1, 1, 'x', 7), (2, 1, 'y', 7), (3, 2, 'x', NULL)"
    )
    found = find(connection, [(1, "y"), (2, "y"), (2, "x"), ("z", "x")], ("50%", 'a"b'), ("id", "k", "50%"))
    assert found == [(2, 7, 1), None, (3, None, 2), None]


def test_many_keys_that_only_the_server_refuses_cost_no_other_one(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE TABLE t (id int, k uuid); INSERT INTO t SELECT n, md5(n::text)::uuid FROM generate_series(1, 500) n"
    )
    made = dict(plain.execute("SELECT id, k FROM t").fetchall())
    seed = random.randrange(2**32)
    print(f"{seed=}")
    chance = random.Random(seed)
    numbers = [chance.randrange(1, 700) for _ in range(600)]
    bad = set(chance.sample(range(600), 60))
    keys = [("no uuid" if place in bad else made.get(number, uuid.uuid4()),) for place, number in enumerate(numbers)]
    expected = [None if place in bad or number > 500 else (number,) for place, number in enumerate(numbers)]
    assert find(connection, keys) == expected


def test_one_query_asks_for_all_keys(
    plain: psycopg.Connection, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain.execute(
        "CREATE TABLE t (id int PRIMARY KEY, k int UNIQUE); INSERT INTO t SELECT n, n FROM generate_series(1, 3000) n"
    )
    target = PostgresTarget(connection.info.dsn, name="t", key=("k",))
    asked: list[str] = []
    execute = psycopg.Cursor.execute

    def watched(cursor: Any, query: Any, *args: Any, **settings: Any) -> Any:
        asked.append(query if isinstance(query, str) else query.as_string(cursor))
        return execute(cursor, query, *args, **settings)

    with connection.transaction():
        target.find(connection, "t", ("k",), ("id",), [(1,)])
        monkeypatch.setattr(psycopg.Cursor, "execute", watched)
        found = target.find(connection, "t", ("k",), ("id",), [(number,) for number in range(1, 5001)])
    assert found == [(number,) if number <= 3000 else None for number in range(1, 5001)]
    assert len([query for query in asked if "unnest" in query]) == len(asked) == 1


def test_no_key_asks_nothing_and_what_was_written_before_is_seen(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute("CREATE TABLE t (id int, k int)")
    assert find(connection, []) == []
    target = PostgresTarget(connection.info.dsn, name="t", key=("k",))
    with connection.transaction():
        connection.execute("INSERT INTO t VALUES (5, 50)")
        assert target.find(connection, "t", ("k",), ("id",), [(50,)]) == [(5,)]


@pytest.mark.parametrize("key", [("nothing",), ("k", "nothing")])
def test_a_column_that_is_not_there_is_named(
    plain: psycopg.Connection, connection: psycopg.Connection, key: tuple[str, ...]
) -> None:
    plain.execute("CREATE TABLE t (id int, k int)")
    with pytest.raises(PlanError, match="t has no column nothing"):
        find(connection, [(1,) * len(key)], key)


def test_rows_that_refer_to_keys_are_told_with_their_own_keys(
    plain: psycopg.Connection, connection: psycopg.Connection
) -> None:
    plain.execute(
        "CREATE TABLE line (invoice int, no int, product int, PRIMARY KEY (invoice, no));"
        "INSERT INTO line VALUES (1, 1, 7), (1, 2, 8), (2, 1, 7), (3, 1, NULL)"
    )
    target = PostgresTarget(connection.info.dsn, name="line", key=("invoice", "no"))
    with connection.transaction():
        by_product = target.referring(connection, ("product",), [(7,), (9,), ("x",)])
        by_invoice = target.referring(connection, ("invoice",), [("1",), (3,)])
        by_both = target.referring(connection, ("invoice", "product"), [(1, 8), (2, 8)])
        assert target.referring(connection, ("product",), []) == []
    assert sorted(by_product) == [((7,), (1, 1)), ((7,), (2, 1))]
    assert sorted(by_invoice, key=lambda pair: pair[1]) == [(("1",), (1, 1)), (("1",), (1, 2)), ((3,), (3, 1))]
    assert by_both == [((1, 8), (1, 2))]
