"""The state machine with crashes: the store lives in a process that is killed and begun anew. Needs Hypothesis.

    lives = Lives(partial(MyStore, folder), driver="mysql")
    TestMyStore = crash_machine(lives).TestCase

It is killed between two calls, inside a transaction, and inside a call, wherever that calls the driver. What was
committed stays, an open transaction is gone, the lease counts as its holder's death. A call that was killed before it
could answer is done wholly or not at all.
"""
# ruff: noqa: S101 — a suite asserts

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import rule

from milepost.jobs.lease import Lease
from milepost.stores.memory import MemoryStore
from milepost.testing.clock import ManualClock
from milepost.testing.store_life import Dead, Lives
from milepost.testing.store_machine import BODIES, JOBS, OLDER, OUTCOMES, TTL, WRITES, StoreMachine
from milepost.testing.store_writes import Act, Died, acquire, deaths, die, outcome, release, renew, together

KILLED = Dead(-signal.SIGKILL)
# Where in a call to be killed: a write has some ten calls of a driver in it, some hundred of one written in Python.
# The last is its end.
CALLS = st.one_of(*(st.integers(1, most) for most in (8, 20, 60, 200)), st.just(10**9))


class Model(MemoryStore):
    """The model that can die, and forget what it did."""

    def die(self) -> None:
        raise Died

    def kept(self) -> Any:
        """What it holds."""
        return {name: job.copy() for name, job in self._jobs.items()}

    def put_back(self, kept: Any) -> None:
        """Hold that again."""
        self._jobs = kept


class CrashMachine(StoreMachine):
    """The store in a process, and the model, side by side.

    ``settle`` is called after a death, and returns when nothing of the dead process is under way any more.
    ``found`` counts what the calls that were killed have left, where it makes a difference: "before" or "after".
    """

    lives: Lives
    settle: Callable[[], None]
    found: Counter[str]
    model: Model

    # -- how the store is reached

    def new_model(self) -> Model:
        return Model(ManualClock())

    def open(self) -> None:
        if not self.lives.alive:
            self.lives.begin()

    def die(self) -> None:
        assert self.ask(die) == KILLED
        type(self).settle()

    def ask(self, act: Act, lease: Lease | None = None) -> Any:
        return self.lives.ask(act, lease)

    def teardown(self) -> None:
        """The life goes on into the next example, whose jobs have other names."""

    # -- deaths; between two calls: ``both_die``

    @rule(job=JOBS, older=OLDER, body=BODIES, inner=st.booleans())
    def both_die_inside_a_transaction(self, job: str, older: int, body: list[Any], inner: bool) -> None:
        if not (leases := self.lease(job, older)):
            return
        act = partial(together, body=[*body, ([die], True) if inner else (die,)], commit=True)
        try:
            refused = outcome(act, self.model, leases[0])
        except Died:
            refused = None
        found = self.ask(act, leases[1])
        if refused is not None:
            assert found == refused
            return
        assert found == KILLED
        self.both_begin_anew()

    @rule(job=JOBS, older=OLDER, writes=st.lists(WRITES, max_size=3), last=WRITES, calls=CALLS)
    def both_die_inside_a_write(self, job: str, older: int, writes: list[Act], last: Act, calls: int) -> None:
        if leases := self.lease(job, older):
            for write in writes:
                self.both(write, leases)
            self.both_die_inside(last, leases, calls)

    @rule(job=JOBS, older=OLDER, body=BODIES, calls=CALLS)
    def both_die_inside_several_writes(self, job: str, older: int, body: list[Any], calls: int) -> None:
        if leases := self.lease(job, older):
            self.both_die_inside(partial(together, body=body, commit=True), leases, calls)

    @rule(job=JOBS, older=OLDER, given=OUTCOMES, ends=st.booleans(), calls=CALLS)
    def both_die_inside_the_end(self, job: str, older: int, given: str, ends: bool, calls: int) -> None:
        if leases := self.lease(job, older):
            self.both_die_inside(partial(release, outcome=given, error=None) if ends else renew, leases, calls)

    @rule(job=JOBS, calls=CALLS)
    def both_die_inside_the_beginning(self, job: str, calls: int) -> None:
        if job not in self.held:
            lease = self.both_die_inside(partial(acquire, job=self.prefix + job, holder=job, ttl=TTL), None, calls)
            if lease is not None:
                self.leases[job].append((lease, lease))

    def both_die_inside(self, act: Act, leases: tuple[Lease, Lease] | None, calls: int) -> Any:
        """Kill the store while it does it, begin anew, and see which of the two it was. The model's result, if done."""
        given, look = leases or (None, None), self.look()
        kept, before = self.model.kept(), look(self.model, None)
        expected = outcome(act, self.model, given[0])
        after = look(self.model, None)
        assert self.lives.ask(act, given[1], killed_at=calls) == KILLED
        type(self).settle()
        self.open()
        found = self.ask(look)
        note(f"killed before {found == before}, after {found == after}")
        assert found in (before, after)
        done = found == after
        if before != after:
            self.found["after" if done else "before"] += 1
        if not done:
            self.model.put_back(kept)
        self.both_are_dead()
        return expected if done else None

    def both_begin_anew(self) -> None:
        """After a death: what had been committed is there, and nothing else."""
        type(self).settle()
        self.open()
        self.both_are_dead()

    def both_are_dead(self) -> None:
        """Nobody holds a lease, and the store can tell."""
        self.model.close()
        self.held.clear()
        self.both(partial(deaths, jobs=[self.prefix + job for job in ("first", "second")]))


def nothing_to_settle() -> None:
    """For a store in a file: what a dead process had begun ended with it."""


def crash_machine(lives: Lives, settle: Callable[[], None] = nothing_to_settle) -> type[CrashMachine]:
    """A state machine class over that store; ``found`` is its own."""
    return type("Machine", (CrashMachine,), {"lives": lives, "settle": staticmethod(settle), "found": Counter()})
