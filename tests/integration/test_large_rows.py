"""Rows of a megabyte come few at a time from both databases, and small ones by the thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fix_databases import Database, Pair
from milepost.connectors.sql.postgres.source import PostgresSource
from milepost.connectors.sql.sqlite.source import SqliteSource
from milepost.migration.gather import BatchLimits, gather
from milepost.migration.source import Row
from milepost.testing import ManualClock

LIMITS = BatchLimits(rows=25_000)
MEGABYTE = 1024 * 1024


@pytest.fixture
def filled(pair: Pair) -> Database:
    """60 rows of a megabyte, and 3,000 of a few bytes."""
    pair.source.execute("CREATE TABLE large (id int PRIMARY KEY, v text)", "CREATE TABLE small (id int PRIMARY KEY)")
    pair.source.insert("large", [(number, "x" * MEGABYTE) for number in range(60)])
    pair.source.insert("small", [(number,) for number in range(3000)])
    return pair.source


def chunks(database: Database, table: str) -> Iterator[list[Row]]:
    kind = SqliteSource if database.url.startswith("sqlite") else PostgresSource
    source = kind(database.url, name=table, sql=None, key=("id",), columns=None, where=None)
    yield from source.read(None, None, LIMITS.chunk)
    source.close()


@pytest.mark.parametrize("pair", ["sqlite-sqlite", "postgres-sqlite"], indirect=True)
def test_a_batch_of_large_rows_ends_at_the_limit_of_bytes(filled: Database) -> None:
    batches = [len(batch) for batch in gather(chunks(filled, "large"), LIMITS, ManualClock())]
    assert sum(batches) == 60
    assert all(rows * MEGABYTE <= LIMITS.bytes + 2 * MEGABYTE for rows in batches)


@pytest.mark.parametrize("pair", ["sqlite-sqlite", "postgres-sqlite"], indirect=True)
def test_small_rows_come_by_the_thousand(filled: Database) -> None:
    assert [len(rows) for rows in chunks(filled, "small")] == [16, 32, 64, 128, 256, 512, 1000, 992]
