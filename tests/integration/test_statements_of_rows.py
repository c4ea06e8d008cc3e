"""What a store keeps of rows costs one statement however many rows there are, and no more where it holds many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fix_trace import Tables, Trace
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store
from milepost.wiring.open import open_store

Act = Callable[[Store, Lease, int], Any]

WRITES: dict[str, Act] = {
    "map_keys": lambda store, lease, n: store.map_keys(lease, "a", ("a", 1), [(f"{k}", [k]) for k in range(n)]),
    "unmap": lambda store, lease, n: store.unmap(lease, "a", [f"{k}" for k in range(n)]),
    "forget by key": lambda store, lease, n: store.forget_rejects(lease, "a", keys=[[k] for k in range(n)]),
    "forget by batch": lambda store, lease, n: store.forget_rejects(lease, "a", batches=[("a", k) for k in range(n)]),
}
READS: dict[str, Act] = {
    "mapped": lambda store, lease, n: store.mapped(lease.job, "a", [f"{k}" for k in range(n)]),
    "mapped_from": lambda store, lease, n: store.mapped_from(lease.job, "a", [[k] for k in range(n)]),
    "mapped_by": lambda store, lease, n: store.mapped_by(lease.job, "a", [("a", k) for k in range(n)]),
    "count_rejects": lambda store, lease, n: store.count_rejects(lease.job, "a", [("a", k) for k in range(n)]),
    "find_rejects": lambda store, lease, n: store.find_rejects(lease.job, "a", [[k] for k in range(n)]),
}


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 's.db'}"
    of_postgres: str = request.getfixturevalue("postgres_url")
    return of_postgres


@pytest.fixture
def store(url: str, trace: Trace) -> Iterator[Store]:
    store = open_store(url, create=True)
    assert store is not None
    yield store
    store.close()


@pytest.mark.parametrize("act", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
def test_it_is_one_statement_however_many_rows(store: Store, trace: Trace, act: Act) -> None:
    lease = store.acquire("job", holder="x", ttl=60.0)
    with store.transaction(lease):
        store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
        for many in (1, 2, 3, 4, 5, 6, 7, 8):
            act(store, lease, many)  # so often that the driver has prepared the statement
        assert trace.count(lambda: act(store, lease, 2000)) == trace.count(lambda: act(store, lease, 1))


def test_links_of_a_batch_are_two_statements_however_many(store: Store, url: str, trace: Trace) -> None:
    lease = store.acquire("job", holder="x", ttl=60.0)
    with store.transaction(lease):
        for many in range(1, 9):
            store.keep_links(lease, "a", many, [many])
        savepoint = 2 if url.startswith("sqlite") else 0
        assert trace.count(lambda: store.keep_links(lease, "a", 9, list(range(2000)))) == 2 + savepoint


@pytest.fixture
def measured(store: Store, url: str, trace: Trace) -> Callable[[Act, int], tuple[int, int]]:
    """Fills the store with so many rows, and gives what an act costs then: instructions of SQLite, rows of PostgreSQL.

    None of it is what the act asks for.
    """
    lease = store.acquire("job", holder="x", ttl=600.0)
    store.put(lease, Record(path="a", state=State.STARTED, attempt=1))
    store.put(lease, Record(path="a/b", state=State.STARTED, attempt=1))
    database, filled = Tables(url), []

    def measure(act: Act, many: int) -> tuple[int, int]:
        while len(filled) < many:
            numbers = range(1000 + len(filled), 1000 + len(filled) + 10)
            filled.extend(numbers)
            _fill(store, lease, numbers)
        if not url.startswith("sqlite"):
            database.execute("ANALYZE")
        act(store, lease, 5)
        work, rows = trace.work, database.rows_read()
        act(store, lease, 5)
        return trace.work - work, database.rows_read() - rows

    return measure


def _fill(store: Store, lease: Lease, numbers: range) -> None:
    """Ten rows of each kind, half of the rejects at the path and half below."""
    batch = numbers.stop
    with store.transaction(lease):
        store.map_keys(lease, "a", ("a", batch), [(f"{number}", [number]) for number in numbers])
        store.keep_links(lease, "a", batch, list(numbers))
        for path in ("a", "a/b"):
            record = store.get(lease.job, path)
            seq = record.batches + 1 if record else 1
            refused = [
                RejectedRow(path="", seq=0, stage="load", reason="no", key=[number], content={}, target_key=[number])
                for number in numbers
            ]
            store.append(lease, Entry(path=path, seq=seq, low=seq, high=seq, counts=Counts()), refused)


@pytest.mark.parametrize("act", [*WRITES.values(), *READS.values()], ids=[*WRITES, *READS])
def test_it_costs_the_same_however_many_other_rows_the_store_holds(
    measured: Callable[[Act, int], tuple[int, int]], act: Act
) -> None:
    few, many = measured(act, 100), measured(act, 10_000)
    assert many[0] <= few[0] * 1.5 + 100
    assert many[1] <= few[1] + 100
