"""Drives a store at random beside the model and compares everything after each step. Needs Hypothesis.

    TestMyStore = machine(lambda: MyStore(folder)).TestCase

``folder`` may be the same for all examples: each uses jobs of its own.
"""
# ruff: noqa: S101 — a suite asserts

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from milepost.errors import MilepostError
from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.state import Failure, Record, State
from milepost.jobs.store import Store
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock
from milepost.testing.store_state import everything

ALL_PATHS = ("", "a", "a/b", "a/b/c", "a0", "a b", "z")
PATHS = st.sampled_from(ALL_PATHS)
JOBS = st.sampled_from(["first", "second"])
TEXTS = st.text(max_size=5)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
FAILURES = st.none() | st.builds(Failure, kind=st.sampled_from(["error", "killed", "interrupted"]), message=TEXTS)
RECORDS = st.builds(
    Record,
    path=PATHS,
    state=st.sampled_from(State),
    attempt=st.integers(0, 9),
    position=VALUES,
    result=VALUES,
    failure=FAILURES,
)
NUMBERS = st.integers(0, 2**40)
COUNTS = st.builds(Counts, read=NUMBERS, loaded=NUMBERS, unchanged=NUMBERS, filtered=NUMBERS, rejected=NUMBERS)
REJECTS = st.lists(
    st.builds(
        RejectedRow,
        path=st.just("?"),
        seq=st.just(0),
        stage=st.sampled_from(["read", "load"]),
        reason=TEXTS,
        key=VALUES,
        content=VALUES,
    ),
    max_size=3,
)
SELDOM = st.sampled_from([False] * 9 + [True])
OLDER = st.sampled_from([0, 0, 0, 0, 1])  # now and then a lease that is no longer valid

Write = Callable[[Store, Lease], Any]


class Undo(Exception):
    """Raised inside a transaction to have it rolled back."""


def _writes() -> st.SearchStrategy[Write]:
    """One write, as a function of a store and a lease."""
    return st.one_of(
        st.builds(lambda record: lambda store, lease: store.put(lease, record), RECORDS),
        st.builds(_append, PATHS, VALUES, COUNTS, REJECTS, st.sampled_from([1, 1, 1, 1, 0, 2])),
        st.builds(lambda *given: lambda store, lease: store.remember(lease, *given), PATHS, TEXTS, VALUES),
        st.builds(lambda *given: lambda store, lease: store.replace(lease, *given), PATHS, TEXTS, VALUES),
        st.builds(lambda path: lambda store, lease: store.rewind(lease, path), PATHS),
    )


def _append(path: str, high: Any, counts: Counts, rejects: list[RejectedRow], step: int) -> Write:
    def write(store: Store, lease: Lease) -> None:
        record = store.get(lease.job, path)
        seq = (record.batches if record else 0) + step  # 1 is right, anything else must be refused
        entry = Entry(path=path, seq=seq, low=record and record.position, high=high, counts=counts)
        store.append(lease, entry, rejects)

    return write


WRITES = _writes()
# what a transaction does: writes, and inner transactions that commit or not
BODIES = st.lists(st.tuples(WRITES) | st.tuples(st.lists(WRITES, max_size=3), st.booleans()), max_size=4)


def _outcome(act: Callable[[], Any]) -> Any:
    """What came of it: a result, or the kind of error."""
    try:
        return act()
    except (MilepostError, Undo) as error:
        return type(error)


def _together(store: Store, lease: Lease, body: list[Any], commit: bool) -> list[Any]:
    outcomes: list[Any] = []
    with store.transaction(lease):
        for write, *inner in body:
            if inner:
                outcomes.append(_outcome(lambda: _together(store, lease, [(each,) for each in write], inner[0])))  # noqa: B023 — called at once
            else:
                outcomes.append(_outcome(lambda: write(store, lease)))  # noqa: B023 — called at once
        outcomes.append([record.path for record in store.checkpoints(lease.job)])
        if not commit:
            raise Undo
    return outcomes


_examples = count(1)


class StoreMachine(RuleBasedStateMachine):
    """A store and the model, side by side. ``open_store`` gives the store at one place, each time it is called."""

    open_store: Callable[[], Store]

    @initialize()
    def open_both(self) -> None:
        self.prefix = f"{next(_examples)}:"
        self.model: Store = MemoryStore(ManualClock())
        self.store: Store = type(self).open_store()
        self.leases: dict[str, list[tuple[Lease, Lease]]] = {"first": [], "second": []}
        self.held: set[str] = set()
        self.both_acquire("first", refused=False)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def both(self, act: Callable[[Store, Any], Any], given: tuple[Any, Any] = (None, None)) -> None:
        """Do it to model and store, and compare what comes of it."""
        expected = _outcome(lambda: act(self.model, given[0]))
        found = _outcome(lambda: act(self.store, given[1]))
        assert repr(found) == repr(expected)

    def lease(self, job: str, older: int) -> tuple[Lease, Lease] | None:
        """The model's and the store's lease of the latest epoch but ``older``."""
        leases = self.leases[job]
        return leases[-1 - older] if len(leases) > older else None

    @rule(job=JOBS, refused=SELDOM)
    def both_acquire(self, job: str, refused: bool) -> None:
        if job in self.held and not refused:
            return  # a refusal may take its time: a store looks twice before it says that a holder lives
        granted: list[Lease] = []

        def acquire(store: Store, _: Any) -> tuple[int, str, bool]:
            lease = store.acquire(self.prefix + job, holder=job, ttl=9999.0)
            granted.append(lease)
            return lease.epoch, lease.holder, lease.previous_sign_of_life is None

        self.both(acquire)
        if granted:
            self.leases[job].append((granted[0], granted[1]))
            self.held.add(job)

    @rule(job=JOBS, older=OLDER, outcome=st.sampled_from(["complete", "failed"]), error=st.none() | TEXTS)
    def both_release(self, job: str, older: int, outcome: str, error: str | None) -> None:
        if leases := self.lease(job, older):
            self.both(lambda store, lease: store.release(lease, outcome=outcome, error=error), leases)
            self.held -= {job} if older == 0 else set()

    @rule(job=JOBS, older=OLDER)
    def both_renew(self, job: str, older: int) -> None:
        if leases := self.lease(job, older):
            self.both(lambda store, lease: store.renew(lease), leases)

    @rule()
    def both_die(self) -> None:
        self.held.clear()
        self.model.close()
        self.store.close()
        self.store = type(self).open_store()

    @rule(job=JOBS, older=OLDER, write=WRITES)
    def both_write(self, job: str, older: int, write: Write) -> None:
        if leases := self.lease(job, older):
            self.both(write, leases)

    @rule(job=JOBS, older=OLDER, body=BODIES, commit=st.booleans())
    def both_write_together(self, job: str, older: int, body: list[Any], commit: bool) -> None:
        if leases := self.lease(job, older):
            self.both(lambda store, lease: _together(store, lease, body, commit), leases)

    @invariant()
    def both_tell_the_same(self) -> None:
        if hasattr(self, "store"):
            expected, found = (self.told(store) for store in (self.model, self.store))
            assert found == expected

    def told(self, store: Store) -> dict[str, Any]:
        """What the store tells about this example's jobs, values of paths without a checkpoint among it."""
        told = everything(store, prefix=self.prefix, times=False)
        return {job: (each, [store.recall(job, path) for path in ALL_PATHS]) for job, each in told.items()}


def machine(open_it: Callable[[], Store]) -> type[StoreMachine]:
    """A state machine class over the stores that ``open_it`` gives."""
    return type("Machine", (StoreMachine,), {"open_store": staticmethod(open_it)})
