"""Drives a store at random beside the model and compares everything after each step. Needs Hypothesis.

    TestMyStore = machine(lambda: MyStore(folder)).TestCase

``folder`` may be the same for all examples: each uses jobs of its own.
"""
# ruff: noqa: S101 — a suite asserts

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from milepost.jobs.lease import Lease
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.state import Failure, Record, State
from milepost.jobs.store import Store
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock
from milepost.testing.store_state import MAPPED, TARGETS
from milepost.testing.store_writes import (
    Act,
    acquire,
    append,
    forget_rejects,
    keep_links,
    map_keys,
    outcome,
    put,
    release,
    remember,
    renew,
    replace,
    rewind,
    together,
    told,
    unmap,
)

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
KEYS = st.sampled_from(TARGETS)
NUMBERS = st.integers(0, 2**40)
COUNTS = st.builds(Counts, read=NUMBERS, loaded=NUMBERS, unchanged=NUMBERS, filtered=NUMBERS, rejected=NUMBERS)
REJECTS = st.lists(
    st.builds(
        RejectedRow,
        path=st.just("?"),
        seq=st.just(0),
        stage=st.sampled_from(["read", "load"]),
        reason=TEXTS,
        key=KEYS | VALUES,
        content=VALUES,
        target_key=KEYS | VALUES,
        parent=VALUES,
    ),
    max_size=3,
)
BATCHES = st.tuples(PATHS, st.integers(1, 3))
SELDOM = st.sampled_from([False] * 9 + [True])
OLDER = st.sampled_from([0, 0, 0, 0, 1])  # now and then a lease that is no longer valid

WRITES: st.SearchStrategy[Act] = st.one_of(
    st.builds(partial, st.just(put), record=RECORDS),
    st.builds(
        partial,
        st.just(append),
        path=PATHS,
        high=VALUES,
        modified=VALUES,
        counts=COUNTS,
        rejects=REJECTS,
        step=st.sampled_from([1, 1, 1, 1, 0, 2]),
    ),
    st.builds(partial, st.just(remember), path=PATHS, name=TEXTS, value=VALUES),
    st.builds(partial, st.just(replace), path=PATHS, name=TEXTS, value=VALUES),
    st.builds(partial, st.just(rewind), path=PATHS),
    st.builds(
        partial,
        st.just(forget_rejects),
        path=PATHS,
        keys=st.lists(KEYS, max_size=2),
        batches=st.lists(BATCHES, max_size=2),
    ),
    st.builds(
        partial,
        st.just(map_keys),
        path=PATHS,
        batch=BATCHES,
        rows=st.lists(st.tuples(st.sampled_from(MAPPED), KEYS), max_size=3),
    ),
    st.builds(partial, st.just(unmap), path=PATHS, keys=st.lists(st.sampled_from(MAPPED), max_size=2)),
    st.builds(partial, st.just(keep_links), path=PATHS, seq=st.integers(1, 2), links=st.lists(VALUES, max_size=3)),
)
# what a transaction does: writes, and inner transactions that commit or not
BODIES = st.lists(st.tuples(WRITES) | st.tuples(st.lists(WRITES, max_size=3), st.booleans()), max_size=4)
OUTCOMES = st.sampled_from(["complete", "failed"])
TTL = 9999.0

_examples = count(1)


class StoreMachine(RuleBasedStateMachine):
    """A store and the model, side by side. ``open_store`` gives the store at one place, each time it is called."""

    open_store: Callable[[], Store]

    def __init__(self) -> None:
        super().__init__()
        self.prefix = f"{next(_examples)}:"
        self.leases: dict[str, list[tuple[Lease, Lease]]] = {"first": [], "second": []}  # the model's and the store's
        self.held: set[str] = set()

    @initialize()
    def open_both(self) -> None:
        self.model = self.new_model()
        self.open()
        self.both_acquire("first", refused=False)

    # -- how the store is reached

    def new_model(self) -> MemoryStore:
        return MemoryStore(ManualClock())

    def open(self) -> None:
        self.store = type(self).open_store()

    def die(self) -> None:
        """End the store as a process that ends lets go of it."""
        self.store.close()

    def ask(self, act: Act, lease: Lease | None = None) -> Any:
        """The act's outcome with the store."""
        return outcome(act, self.store, lease)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()

    def both(self, act: Act, leases: tuple[Lease, Lease] | tuple[None, None] = (None, None)) -> tuple[Any, Any]:
        """Do it to model and store, and compare what comes of it."""
        expected = outcome(act, self.model, leases[0])
        found = self.ask(act, leases[1])
        assert _comparable(found) == _comparable(expected)
        return expected, found

    def lease(self, job: str, older: int) -> tuple[Lease, Lease] | None:
        """The model's and the store's lease of the latest epoch but ``older``, of the other job where this has none."""
        leases = self.leases[job] or self.leases["first"]
        return leases[-1 - older] if len(leases) > older else None

    # -- what is done

    @rule(job=JOBS, refused=SELDOM)
    def both_acquire(self, job: str, refused: bool) -> None:
        if job in self.held and not refused:
            return  # a refusal may take its time: a store looks twice before it says that a holder lives
        granted = self.both(partial(acquire, job=self.prefix + job, holder=job, ttl=TTL))
        if isinstance(granted[0], Lease):
            self.leases[job].append(granted)
            self.held.add(job)

    @rule(job=JOBS, older=OLDER, outcome=OUTCOMES, error=st.none() | TEXTS)
    def both_release(self, job: str, older: int, outcome: str, error: str | None) -> None:
        if leases := self.lease(job, older):
            self.both(partial(release, outcome=outcome, error=error), leases)
            if older == 0:
                self.held.discard(leases[0].job.removeprefix(self.prefix))

    @rule(job=JOBS, older=OLDER)
    def both_renew(self, job: str, older: int) -> None:
        if leases := self.lease(job, older):
            self.both(renew, leases)

    @rule()
    def both_die(self) -> None:
        self.held.clear()
        self.model.close()
        self.die()
        self.open()

    @rule(job=JOBS, older=OLDER, writes=st.lists(WRITES, min_size=1, max_size=5))
    def both_write(self, job: str, older: int, writes: list[Act]) -> None:
        if leases := self.lease(job, older):
            for write in writes:
                self.both(write, leases)

    @rule(job=JOBS, older=OLDER, body=BODIES, commit=st.booleans())
    def both_write_together(self, job: str, older: int, body: list[Any], commit: bool) -> None:
        if leases := self.lease(job, older):
            self.both(partial(together, body=body, commit=commit), leases)

    @invariant()
    def both_tell_the_same(self) -> None:
        if hasattr(self, "model"):
            look = self.look()
            assert self.ask(look) == outcome(look, self.model, None)

    def look(self) -> Act:
        """Tells all about this example's jobs."""
        return partial(told, prefix=self.prefix, paths=ALL_PATHS)


def _comparable(found: Any) -> str:
    """Leases of two stores differ in their times."""
    if isinstance(found, Lease):
        return repr((found.job, found.epoch, found.holder, found.ttl, found.previous_sign_of_life is None))
    return repr(found)


def machine(open_it: Callable[[], Store]) -> type[StoreMachine]:
    """A state machine class over the stores that ``open_it`` gives."""
    return type("Machine", (StoreMachine,), {"open_store": staticmethod(open_it)})
