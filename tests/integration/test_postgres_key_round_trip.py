"""A key that was read from PostgreSQL, kept as JSON and read again finds its row, whatever its type and value."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.connectors.sql.postgres.target import PostgresTarget
from milepost.databases.postgres import connect
from milepost.migration.keys import canonical, decode, encode

pytestmark = pytest.mark.every_postgres

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "numeric": st.decimals(allow_nan=False, allow_infinity=False, places=6),
    "numeric(12,3)": st.decimals(-(10**8), 10**8, places=3),
    "double precision": st.floats(allow_nan=False),
    "real": st.floats(allow_nan=False, width=32),
    "text": TEXTS,
    "varchar(8)": TEXTS,
    "bytea": st.binary(max_size=8),
    "date": st.dates() | st.sampled_from(["infinity", "-infinity", "0044-03-15 BC", "12345-01-01"]),
    "timestamp": st.datetimes() | st.sampled_from(["infinity", "0044-03-15 12:00:00 BC"]),
    "timestamptz": st.datetimes(timezones=st.just(UTC)) | st.just("-infinity"),
    "time": st.times(),
    "uuid": st.uuids(),
    "boolean": st.booleans(),
}


@pytest.mark.parametrize("type_name", VALUES)
def test_a_key_that_was_kept_finds_its_row(postgres_url: str, type_name: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as plain, connect(postgres_url) as connection:
        plain.execute(f"CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, k {type_name} UNIQUE)")
        source = PostgresSource(postgres_url, name="t", key=("k",), columns=("k", "id"))
        target = PostgresTarget(postgres_url, name="t", key=("k",))

        @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.lists(VALUES[type_name], min_size=1, max_size=20))
        def finds(values: list[Any]) -> None:
            plain.execute("TRUNCATE t")
            for value in values:
                plain.execute(f"INSERT INTO t (k) VALUES (%s::{type_name}) ON CONFLICT DO NOTHING", [value])
            rows = [row for chunk in source.read(None, None, 100) for row in chunk]
            assert len(rows) == plain.execute("SELECT count(*) FROM t").fetchone()[0]
            for keep in (encode, canonical):
                keys = [decode(keep(row[:1])) for row in rows]
                assert source.find(keys) == rows
                with connection.transaction():
                    assert target.find(connection, "t", ("k",), ("id",), keys) == [(row[1],) for row in rows]

        try:
            finds()
        finally:
            source.close()
