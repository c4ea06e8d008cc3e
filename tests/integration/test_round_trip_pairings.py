"""Values go through SQLite and come back: exact, or refused with the column's name. Never changed in silence."""

from __future__ import annotations

import math
import re
import sqlite3
import struct
from contextlib import closing
from datetime import UTC, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.connectors.sql.sqlite.target import SqliteTarget
from milepost.databases.postgres import connect
from milepost.databases.sqlite import connect as connect_to_file
from milepost.migration.fidelity import refusal
from milepost.migration.target import Loaded, Loading

HOW: dict[str, Any] = {"columns": ("id", "v"), "key": ("id",)}
# type, its SQLite column, values
VALUES = {
    ("smallint", "INTEGER"): "'-32768', '32767'",
    ("bigint", "INTEGER"): "'-9223372036854775808', '9223372036854775807'",
    ("bigint", "TEXT"): "'-9223372036854775808', '9223372036854775807'",
    ("numeric", "TEXT"): "'NaN', '1.10', '-0.0000000001', '1234567890123456789012345678901234567890', '1e40', '1e-40'",
    ("numeric(38,10)", "TEXT"): "'9999999999999999999999999999.9999999999', '0.0000000001'",
    ("numeric(15,2)", "REAL"): "'9999999999999.99', '-0.01', '0'",
    ("numeric(15,2)", "NUMERIC"): "'9999999999999.99', '-0.01', '1.10', '5.00'",
    ("real", "REAL"): "'0.1', '3.4028235e38', '1e-45', '0', 'Infinity', 'NaN'",
    ("double precision", "NUMERIC"): "'0.1', '5', '1e18', '1e19', '-Infinity', 'NaN'",
    ("double precision", "TEXT"): "'0.1', '-0', '5', '1e300', '-Infinity', 'NaN'",
    ("double precision", "BLOB"): "'0.1', '-0', '5', '1e300', '-Infinity', 'NaN'",
    ("double precision", "REAL"): "'0.1', '0', '1.7976931348623157e308', '5e-324', 'Infinity', '-Infinity', 'NaN'",
    ("boolean", "INTEGER"): "'t', 'f'",
    ("text", "TEXT"): "'', ' ', '007', '1e5', 'NULL', 'Zoë 😀 e\u0301', E'\\n\\t\\\\N'",
    ("text", "BLOB"): "'', '007', 'ä'",
    ("char(3)", "TEXT"): "'', 'a', 'abc'",
    ("bytea", "BLOB"): "'', '\\x00ff'",
    ("bytea", "TEXT"): "'\\x00ff'",
    ("date", "TEXT"): "'infinity', '-infinity', '0044-03-15 BC', '2024-02-29', '10000-01-01'",
    ("date", "NUMERIC"): "'2024-02-29', 'infinity'",
    ("timestamp", "TEXT"): "'infinity', '0044-03-15 12:00 BC', '2024-02-29 23:59:59.999999', '10000-01-01'",
    ("timestamptz", "TEXT"): "'infinity', '0044-03-15 12:00+00 BC', '2024-02-29 23:59:59.999999+05:30', '10000-01-01'",
    ("timestamptz", "NUMERIC"): "'2024-02-29 23:59:59+00'",
    ("time", "TEXT"): "'00:00', '24:00', '23:59:59.999999'",
    ("timetz", "TEXT"): "'24:00-15:59', '12:00:00.5+05:30'",
    ("interval", "TEXT"): "'1 mon', '30 days', '-1 mon +1 day -00:00:00.000001'",
    ("uuid", "TEXT"): "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    ("json", "TEXT"): """'{"a": 1.10, "a":12345678901234567890.123 }', '"x"', '1e400'""",
    ("jsonb", "TEXT"): """'{"a": 1.10}', '12345678901234567890.123'""",
    ("integer[]", "TEXT"): "'{}', '{1,NULL}', '{{1,2},{3,NULL}}', '[2:3]={1,2}'",
    ("text[]", "TEXT"): """'{"",NULL,"NULL","a,b","\\"","\\\\",😀}', '{{a,b},{c,d}}'""",
    ("numeric[]", "TEXT"): "'{NaN,1.10,12345678901234567890.123}'",
    ("double precision[]", "TEXT"): "'{0.1,NaN,-0,-Infinity}'",
    ("boolean[]", "TEXT"): "'{t,f,NULL}'",
    ("timestamptz[]", "TEXT"): "'{infinity,\"2024-02-29 23:59:59.999999+05:30\",NULL}'",
    ("bytea[]", "TEXT"): """'{"\\\\x00ff",NULL}'""",
    ("json[]", "TEXT"): """'{"{\\"a\\": 1.10}",NULL}'""",
    ("inet", "TEXT"): "'10.0.0.1/8', '::1'",
    ("bit varying", "TEXT"): "'', '0001'",
    ("money", "TEXT"): "'-92233720368547758.08'",
    ("point", "TEXT"): "'(0.1,-0)'",
    ("int4range", "TEXT"): "'[1,3)', 'empty'",
    ("tsvector", "TEXT"): "'a:1 b:2A'",
}
NUMBERS = [1, -(2**63), 2**63 - 1, 1.5, -0.0, 1e308, 5e-324, float("inf")]
SQLITE_VALUES = [*NUMBERS, "", "007", "1.10", "Zoë 😀", b"", b"\x00\xff"]


@pytest.mark.parametrize("fresh", [True, False], ids=["directly", "staged"])
def test_postgres_values_come_back_from_sqlite_as_they_were(postgres_url: str, tmp_path: Path, fresh: bool) -> None:
    told = {}
    with psycopg.connect(postgres_url, autocommit=True, prepare_threshold=None) as plain:
        for number, (native, affinity) in enumerate(VALUES):
            file = tmp_path / f"{number}.sqlite"
            literals = [f"(({value})::{native})" for value in split(VALUES[native, affinity])]
            plain.execute("DROP TABLE IF EXISTS one, other")
            plain.execute(f"CREATE TABLE one (id serial PRIMARY KEY, v {native})")
            plain.execute(f"CREATE TABLE other (id int PRIMARY KEY, v {native})")
            plain.execute(f"INSERT INTO one (v) VALUES {', '.join(literals)}, (NULL)")
            there = to_sqlite(postgres_url, file, affinity, fresh=fresh)
            back = to_postgres(file, postgres_url, fresh=fresh)
            count = plain.execute("SELECT count(*) FROM one").fetchone()
            assert count is not None
            lost = plain.execute("SELECT id, v::text FROM one EXCEPT SELECT id, v::text FROM other").fetchall()
            lost += plain.execute("SELECT id, v::text FROM other EXCEPT SELECT id, v::text FROM one").fetchall()
            whole = Loaded(loaded=count[0], unchanged=0)
            if (there, back, lost) != ((None, whole), (None, whole), []):
                told[native, affinity] = (there, back, lost)
    assert told == {}


def split(values: str) -> list[str]:
    """The SQL literals, which have a comma between them."""
    return re.split(r"(?<='), (?=E?')", values)


def to_sqlite(url: str, file: Path, affinity: str, *, fresh: bool) -> tuple[str | None, Loaded]:
    connection = connect_to_file(file)
    connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {affinity})")
    source = PostgresSource(url, name="one", key=("id",))
    target = SqliteTarget(f"sqlite:///{file}", name="t", key=("id",))
    try:
        one, other = source.describe().column("v"), target.describe().column("v")
        assert one is not None
        assert other is not None
        rows = [row for chunk in source.read(None, None, 4) for row in chunk]
        connection.execute("BEGIN IMMEDIATE")
        loaded = target.load(connection, rows, Loading(fresh=fresh, **HOW))
        connection.execute("COMMIT")
        return refusal(one, other), loaded
    finally:
        source.close()
        target.close()
        connection.close()


def to_postgres(file: Path, url: str, *, fresh: bool, name: str = "other") -> tuple[str | None, Loaded]:
    source = SqliteSource(f"sqlite:///{file}", name="t", sql=None, key=("id",), columns=None, where=None)
    target = PostgresTarget(url, name=name, key=("id",))
    try:
        one, other = source.describe().column("v"), target.describe().column("v")
        assert one is not None
        assert other is not None
        rows = [row for chunk in source.read(None, None, 4) for row in chunk]
        with connect(url) as connection, connection.transaction():
            loaded = target.load(connection, rows, Loading(fresh=fresh, **HOW))
        return refusal(one, other), loaded
    finally:
        source.close()


@pytest.mark.parametrize(
    "native", ["bigint", "numeric", "double precision", "real", "text", "bytea", "json", "numeric(10,2)"]
)
def test_sqlite_values_of_every_type_in_one_column_come_back_or_are_refused(
    postgres_url: str, tmp_path: Path, native: str
) -> None:
    with sqlite3.connect(tmp_path / "one.sqlite") as one:
        one.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, v)")
        one.executemany("INSERT INTO t (v) VALUES (?)", [(value,) for value in [*SQLITE_VALUES, None]])
    one.close()
    with psycopg.connect(postgres_url, autocommit=True) as plain:
        plain.execute(f"CREATE TABLE one (id int PRIMARY KEY, v {native})")
        _, loaded = to_postgres(tmp_path / "one.sqlite", postgres_url, fresh=True, name="one")
        plain.execute("SET extra_float_digits = 1")
        held = dict(plain.execute(f"SELECT id, {'v::text' if native == 'json' else 'v'} FROM one").fetchall())
    refused = {refused.index + 1 for refused in loaded.refused}
    assert held.keys() | refused == set(range(1, len(SQLITE_VALUES) + 2))
    assert held[len(SQLITE_VALUES) + 1] is None
    assert all("column v" in one.reason for one in loaded.refused)
    for number, value in enumerate(SQLITE_VALUES, 1):
        if number in held:
            assert same(value, held[number], single=native == "real"), (native, value, held[number])


def same(value: Any, held: Any, *, single: bool) -> bool:
    """Whether PostgreSQL holds SQLite's value: the same number, text or bytes, or the text of the number."""
    if isinstance(value, bytes) or isinstance(held, bytes):
        return value == held and type(value) is type(held)
    if isinstance(held, str):
        return held == (value if isinstance(value, str) else repr(value))
    if isinstance(held, float | int | Decimal) and not isinstance(value, str):
        if single and math.isfinite(value):  # what psycopg shows is the shortest text of 32 bits
            return struct.pack("f", value) == struct.pack("f", held)
        return held == value or (isinstance(held, Decimal) and held == Decimal(repr(value)))
    return str(held) == value


@pytest.mark.parametrize("affinity", ["REAL", "NUMERIC", "INTEGER"])
def test_a_negative_zero_is_refused_where_sqlite_would_drop_its_sign(
    postgres_url: str, tmp_path: Path, affinity: str
) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as plain:
        plain.execute("CREATE TABLE one (id int PRIMARY KEY, v float8); INSERT INTO one VALUES (1, '-0'), (2, 0)")
    _, loaded = to_sqlite(postgres_url, tmp_path / "file.sqlite", affinity, fresh=True)
    assert [one.index for one in loaded.refused] == [0]
    assert "column v: -0.0" in loaded.refused[0].reason


OFFSETS = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
GENERATED: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False),
    "double precision": st.floats(),
    "real": st.floats(width=32),
    "text": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    "bytea": st.binary(),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=OFFSETS),  # noqa: DTZ001
    "time": st.times(),
    "uuid": st.uuids(),
    "integer[]": st.lists(st.none() | st.integers(-(2**31), 2**31 - 1)),
    "text[]": st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))),
    "numeric[]": st.lists(st.none() | st.decimals(allow_infinity=False, places=20, min_value=-1000, max_value=1000)),
}


@pytest.mark.parametrize("native", GENERATED)
def test_what_python_can_say_postgres_holds(postgres_url: str, native: str) -> None:
    """Written by the target and read by the source, compared with what Python generated."""
    source = PostgresSource(postgres_url, name="t", key=("id",))
    target = PostgresTarget(postgres_url, name="t", key=("id",))
    with closing(source), connect(postgres_url) as connection:
        connection.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {native})")

        @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(st.lists(GENERATED[native], min_size=1, max_size=20))
        def trip(values: list[Any]) -> None:
            connection.execute("TRUNCATE t")
            rows = list(enumerate(values))
            with connection.transaction():
                loaded = target.load(connection, rows, Loading(fresh=True, **HOW))
            assert loaded == Loaded(loaded=len(rows), unchanged=0)
            found = [row for chunk in source.read(None, None, 7) for row in chunk]
            assert [repr(plainly(value, native)) for _, value in found] == [
                repr(plainly(value, native)) for value in values
            ]

        trip()


def plainly(value: Any, native: str) -> Any:
    """Equal moments alike, numbers of one value alike, floats by the bits that the column has; the rest as it is."""
    if isinstance(value, datetime | time):
        zoned = isinstance(value, datetime) and value.tzinfo is not None
        return (value.astimezone(UTC) if zoned else value).replace(fold=0)
    if isinstance(value, float) and native == "real":
        return "NaN" if math.isnan(value) else struct.pack("f", value)
    if isinstance(value, Decimal):
        return format(value, "f") if value else format(abs(value), "f")
    if isinstance(value, list):
        return [plainly(each, native) for each in value]
    return str(value) if isinstance(value, UUID) else value
