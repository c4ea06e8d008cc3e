"""What a user does to the connection that a transaction lent him does not make later writes less durable."""

import sqlite3
from contextlib import suppress

import psycopg
import pytest
from psycopg.rows import dict_row

from milepost.jobs.state import Record, State
from milepost.stores.postgres import PostgresStore
from milepost.stores.sqlite import SqliteStore
from milepost.testing.clock import ManualClock


def spoil_sqlite(connection):
    connection.isolation_level = "DEFERRED"
    connection.row_factory = sqlite3.Row


def spoil_postgres(connection):
    connection.row_factory = dict_row
    connection.prepare_threshold = None


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """A store, what to do to its connection, and how somebody else looks into it."""
    if request.param == "sqlite":
        path = tmp_path / "store.db"
        store, spoil = SqliteStore.create(path), spoil_sqlite
        store._clock = ManualClock()
        other = sqlite3.connect(path)
        table = "milepost_checkpoint"
    else:
        url = request.getfixturevalue("postgres_url")
        store, spoil = PostgresStore.create(url), spoil_postgres
        other = psycopg.connect(url, autocommit=True)
        table = "milepost.checkpoint"
    yield store, spoil, lambda: [path for (path,) in other.execute(f"SELECT path FROM {table} ORDER BY ordinal")]
    store.close()
    other.close()


def test_writes_after_it_was_changed_are_durable_one_by_one(place) -> None:
    store, spoil, look = place
    lease = store.acquire("job", holder="x", ttl=60.0)
    with store.transaction(lease) as connection:
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
        kept = connection
    spoil(kept)
    for path in ("b", "c"):
        store.put(lease, Record(path=path, state=State.STARTED, attempt=1))
        assert look()[-1] == path
    with suppress(ZeroDivisionError), store.transaction(lease):
        store.put(lease, Record(path="d", state=State.STARTED, attempt=1))
        _ = 1 / 0
    assert look() == ["a", "b", "c"]
    assert [record.path for record in store.checkpoints("job")] == ["a", "b", "c"]
