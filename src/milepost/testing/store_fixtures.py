"""What the tests of the store contract stand on: fixtures, names, and values that are hard to keep. Needs pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from milepost.clock import SystemClock
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store

Open = Callable[[], Store]

JOB = "crm"
TTL = 600.0
PATHS = ("", "a", "a/b", "a/b/c", "a b", "a0", "ab", "a\u00e9", "A", "z/\U0001f600")

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -(2**63) - 1,
    12345678901234567890123,
    0.1,
    -0.0,
    1e308,
    "",
    "NULL",
    "\x00 \ud800 e\u0301 \U0001f600 ' \" \\ %s :x",
    [],
    [1, [2, [None]]],
    {},
    {"": None, "a": {"b": [1.5]}, "1": 2},
)


def acquire(store: Store, job: str = JOB, *, ttl: float = TTL) -> Lease:
    """The lease of ``job``, for a holder called after the test."""
    return store.acquire(job, holder="host:1", ttl=ttl)


def started(path: str) -> Record:
    """A checkpoint in its first attempt."""
    return Record(path=path, state=State.STARTED, attempt=1)


def batch(path: str, seq: int, **counts: int) -> Entry:
    """A ledger entry for the range from 10 (seq - 1) to 10 seq."""
    return Entry(path=path, seq=seq, low=[10 * seq - 10], high=[10 * seq], counts=Counts(**counts))


def reject(number: int, **content: Any) -> RejectedRow:
    """A reject with a key of its own."""
    return RejectedRow(
        path="a", seq=1, stage="restructure", reason=f"reason {number}", key=[number], content=content or {"n": number}
    )


class StoreFixtures:
    """The fixtures; a store's own test class overrides ``open_store``."""

    @pytest.fixture
    def open_store(self) -> Open:
        """Returns a function: each call gives a store on the same place, which is empty at first."""
        raise NotImplementedError("a store's own test class says how it is opened")

    @pytest.fixture
    def wait(self) -> Callable[[float], None]:
        """Lets that many seconds of the store's time pass."""
        return SystemClock().sleep

    @pytest.fixture
    def store(self, open_store: Open) -> Iterator[Store]:
        store = open_store()
        yield store
        store.close()

    @pytest.fixture
    def lease(self, store: Store) -> Lease:
        return acquire(store)
