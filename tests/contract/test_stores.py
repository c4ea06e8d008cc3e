"""Every store keeps the contract that is shipped for others'."""

import psycopg
import pytest

from milepost.stores.memory import MemoryStore
from milepost.stores.postgres import PostgresStore
from milepost.stores.sqlite import SqliteStore
from milepost.testing import ManualClock
from milepost.testing.stores import StoreContract

pytestmark = pytest.mark.every_postgres


@pytest.fixture(scope="module")
def database(postgres_server):
    """One for the module: to make one takes longer than a test."""
    with psycopg.connect(postgres_server.keeper_url("postgres"), autocommit=True) as keeper:
        keeper.execute("CREATE DATABASE contract OWNER milepost")
        yield postgres_server.url("contract")
        keeper.execute("DROP DATABASE contract WITH (FORCE)")


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def clock(self):
        return ManualClock()

    @pytest.fixture
    def open_store(self, clock):
        store = MemoryStore(clock)
        return lambda: store

    @pytest.fixture
    def wait(self, clock):
        return clock.advance


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path):
        opened = []

        def open_it():
            opened.append(SqliteStore.create(tmp_path / "store.db"))
            return opened[-1]

        yield open_it
        for store in opened:
            store.close()


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def open_store(self, database):
        opened = []
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute("DROP SCHEMA IF EXISTS milepost CASCADE")

        def open_it():
            opened.append(PostgresStore.create(database))
            return opened[-1]

        yield open_it
        for store in opened:
            store.close()
