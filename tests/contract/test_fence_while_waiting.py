"""PostgreSQL: a write that had to wait for somebody who takes the job judges by the epoch that stands afterwards.

A statement sees the database as it was when it began. That it looks again at the row for which it waited is what READ
COMMITTED does with a row that it locks, and all that keeps a single statement from writing under an old epoch.
"""

import threading

import psycopg
import pytest

from milepost.clock import SystemClock
from milepost.errors import LeaseLost
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.state import Record, State
from milepost.stores.postgres import PostgresStore

REJECT = RejectedRow(path="a", seq=2, stage="load", reason="no", key=[1], content={})
ENTRY = Entry(path="a", seq=2, low=[1], high=[2], counts=Counts(read=1, loaded=1))


def in_a_transaction(store, lease):
    with store.transaction(lease) as connection:
        connection.execute("CREATE TABLE written_in_a_transaction ()")


WRITES = {
    "put a new one": lambda store, lease: store.put(lease, Record(path="new", state=State.STARTED, attempt=1)),
    "put": lambda store, lease: store.put(lease, Record(path="a", state=State.COMPLETE, attempt=1, position=[1])),
    "append": lambda store, lease: store.append(lease, ENTRY),
    "append with rejects": lambda store, lease: store.append(lease, ENTRY, [REJECT]),
    "remember": lambda store, lease: store.remember(lease, "a", "new", 2),
    "remember what is recorded": lambda store, lease: store.remember(lease, "a", "name", 2),
    "replace": lambda store, lease: store.replace(lease, "a", "name", 2),
    "rewind": lambda store, lease: store.rewind(lease, "a"),
    "transaction": in_a_transaction,
}
TABLES = ("job", "checkpoint", "ledger", "reject", "value")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name LIKE 'milepost %'"


@pytest.fixture
def store(postgres_url):
    store = PostgresStore.create(postgres_url)
    yield store
    store.close()


@pytest.fixture
def lease(store):
    lease = store.acquire("crm", holder="host:1", ttl=600.0)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    store.append(lease, Entry(path="a", seq=1, low=None, high=[1], counts=Counts(read=1, loaded=1)))
    store.remember(lease, "a", "name", 1)
    for number in range(7):  # so often that the driver has prepared every statement
        store.replace(lease, "a", "name", number)
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    return lease


def session(url):
    return psycopg.connect(url, autocommit=True, options="-c datestyle=ISO,YMD -c timezone=UTC")


def kept(connection):
    """All that the store's tables hold, by plain SQL."""
    return {
        table: connection.execute(f"SELECT * FROM milepost.{table} ORDER BY 1, 2, 3").fetchall() for table in TABLES
    }


def write_while_another_takes_the_job(store, lease, write, postgres_url, *, end):
    """Begin the write while a session has changed the epoch and not committed it, then end that.

    Gives the write's errors, and what the store kept before and after.
    """
    errors = []

    def begin():
        try:
            write(store, lease)
        except BaseException as error:  # noqa: BLE001 — told to the test
            errors.append(error)

    with session(postgres_url) as other, session(postgres_url) as eye:
        before = kept(eye)
        other.execute("BEGIN")
        other.execute("UPDATE milepost.job SET epoch = epoch + 1 WHERE name = 'crm'")
        thread = threading.Thread(target=begin)
        thread.start()
        while eye.execute(WAITING).fetchone() == (0,) and thread.is_alive():
            SystemClock().sleep(0.01)
        assert thread.is_alive(), f"it did not wait: {errors}"
        other.execute(end)
        thread.join(timeout=60)
        assert not thread.is_alive()
        return errors, before, kept(eye)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_waited_for_a_takeover_writes_nothing(store, lease, write, postgres_url) -> None:
    errors, before, after = write_while_another_takes_the_job(store, lease, write, postgres_url, end="COMMIT")
    assert [type(error) for error in errors] == [LeaseLost]
    (name, epoch, held), *rest = before.pop("job")
    assert after.pop("job") == [(name, epoch + 1, held), *rest]
    assert after == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_write_that_waited_for_a_takeover_that_came_to_nothing_is_made(store, lease, write, postgres_url) -> None:
    errors, _, after = write_while_another_takes_the_job(store, lease, write, postgres_url, end="ROLLBACK")
    assert errors == []
    with session(postgres_url) as connection:
        made = connection.execute("SELECT to_regclass('written_in_a_transaction') IS NOT NULL").fetchone() == (True,)
        assert kept(connection) == after
    checks = {
        "put a new one": lambda: "new" in [row[2] for row in after["checkpoint"]],
        "put": lambda: [row[3] for row in after["checkpoint"]] == ["complete"],
        "append": lambda: [row[2] for row in after["ledger"]] == [1, 2],
        "append with rejects": lambda: len(after["ledger"]) == 2 and len(after["reject"]) == 1,
        "remember": lambda: [row[2:] for row in after["value"]] == [("name", "6"), ("new", "2")],
        "remember what is recorded": lambda: [row[2:] for row in after["value"]] == [("name", "6")],
        "replace": lambda: [row[2:] for row in after["value"]] == [("name", "2")],
        "rewind": lambda: after["checkpoint"] == after["ledger"] == after["value"] == [],
        "transaction": lambda: made,
    }
    assert checks[next(name for name, each in WRITES.items() if each is write)]()


def test_a_takeover_waits_for_a_write_under_way(store, lease, postgres_url) -> None:
    """The write holds the job shared until its commit: nobody can change the epoch between its look and its commit."""
    with session(postgres_url) as other, store.transaction(lease):
        store.put(lease, Record(path="new", state=State.STARTED, attempt=1))
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("UPDATE milepost.job SET epoch = epoch + 1 WHERE name = 'crm'")
