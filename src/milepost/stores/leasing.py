"""What the stores in SQL databases have in common about their connection, and about who may write."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

from milepost.clock import SystemClock
from milepost.jobs.lease import Lease, Run
from milepost.stores import rows, statements
from milepost.stores.dialect import Dialect, spell
from milepost.stores.encode import moment, readable, same_name
from milepost.stores.holding import Holding, held_by, inside_transaction, lost
from milepost.stores.torn import well_formed
from milepost.stores.watch import lives_on


class LeasingStore(ABC):
    """A store over one main connection, used by one thread at a time; an inner transaction joins the outer one.

    The thread that has a transaction open holds ``_lock``; other threads wait for it.
    """

    def __init__(self, url: str, dialect: Dialect) -> None:
        self.url = url
        self._dialect = dialect
        self._clock = SystemClock()
        self._lock = threading.RLock()
        self._depth = 0
        self._owner = 0  # the thread that has the transaction open
        self._checked: set[tuple[str, int]] = set()  # leases that the open transaction holds valid

    # -- what a database must supply

    @abstractmethod
    def _cursor(self) -> Any:
        """A cursor of the main connection, giving tuples."""

    @abstractmethod
    def _block(self) -> AbstractContextManager[Any]:
        """A transaction that may write, or a savepoint in the open one; gives the connection. Counts ``_depth``."""

    @abstractmethod
    def _explained(self) -> AbstractContextManager[Any]:
        """Turns the driver's errors that are the user's business into MilepostErrors."""

    @abstractmethod
    def _dead(self, job: str, epoch: int) -> bool:
        """Whether the holder of that epoch is provably dead: its lock is gone."""

    @abstractmethod
    def _holds(self, job: str, epoch: int) -> bool:
        """Whether that lock is seen to be held: its holder is there, be it stopped."""

    @abstractmethod
    def _lock_job(self, job: str, before: Holding | None) -> None:
        """Inside a transaction: let no other run acquire the job until the commit."""

    @abstractmethod
    def _take(self, job: str, epoch: int) -> None:
        """Take the lock that proves that the holder of that epoch lives."""

    @abstractmethod
    def _drop(self, job: str, epoch: int) -> None:
        """Let go of that lock and of what is left of earlier ones."""

    @abstractmethod
    def renew(self, lease: Lease) -> None: ...

    def _mine(self) -> bool:
        """Whether this thread is inside a transaction of this store."""
        return self._depth > 0 and self._owner == threading.get_ident()

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Around what is inside a transaction."""
        self._owner = threading.get_ident()
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1
            if not self._depth:
                self._checked.clear()

    # -- statements

    def _run(self, statement: str, **values: Any) -> Any:
        cursor = self._cursor()
        cursor.execute(spell(statement, self._dialect), values)
        return cursor

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, self._explained(), well_formed(self.url):
            yield

    # -- who may write

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        same_name(job, "job")
        with self._lock:
            if self._depth:
                raise inside_transaction("taken")
            seen = self._watched(job)  # refused without waiting for anybody's transaction
            taken: int | None = None
            try:
                with self._block():
                    self._lock_job(job, seen)
                    before = self._judged(job)
                    epoch = before.epoch + 1 if before else 1
                    self._take(job, epoch)
                    taken = epoch
                    return self._granted(job, epoch, readable(holder), ttl, before)
            except BaseException:
                if taken is not None:
                    self._drop(job, taken)
                raise

    def is_dead(self, job: str) -> bool:
        with self._reading():
            last = self._holding(job)
            return last is not None and last.held and self._dead(job, last.epoch)

    def _watched(self, job: str) -> Holding | None:
        """As ``_judged``, but a run whose lease has lapsed while its lock is held may show that it lives."""
        last = self._judged(job)
        if last is None or not last.held:
            return last
        look, holds = partial(self._holding, job), partial(self._holds, job, last.epoch)
        return self._judged(job) if lives_on(last, look=look, holds=holds, clock=self._clock) else last

    def _judged(self, job: str) -> Holding | None:
        """Who held the job last. Raises LeaseHeld if that run lives."""
        last = self._holding(job)
        if last is not None and last.held and not last.lapsed and not self._dead(job, last.epoch):
            raise held_by(job, last.holder, last.until)
        return last

    def _holding(self, job: str) -> Holding | None:
        with self._explained():
            row = self._run(statements.HOLDING, job=job).fetchone()
        return None if row is None else rows.holding(row)

    def _granted(self, job: str, epoch: int, holder: str, ttl: float, before: Holding | None) -> Lease:
        with self._explained():
            self._run(statements.HOLD, job=job, epoch=epoch)
            self._run(statements.BEGIN_RUN, job=job, epoch=epoch, holder=holder, ttl=float(ttl))
            (started_at,) = self._run(statements.STARTED_AT, job=job, epoch=epoch).fetchone()
        return Lease(
            job=job,
            epoch=epoch,
            holder=holder,
            ttl=ttl,
            acquired_at=moment(started_at),
            previous_sign_of_life=before.seen_at if before else None,
        )

    def release(self, lease: Lease, *, outcome: str, error: str | None = None) -> None:
        told = None if error is None else readable(error)
        with self._lock:
            if self._depth:
                raise inside_transaction("released")
            with self._block(), self._explained():
                if self._run(statements.LET_GO, job=lease.job, epoch=lease.epoch).rowcount != 1:
                    raise lost(lease)
                self._run(statements.END_RUN, job=lease.job, epoch=lease.epoch, outcome=outcome, error=told)
            self._drop(lease.job, lease.epoch)

    def runs(self, job: str) -> list[Run]:
        with self._reading():
            return [rows.run(row) for row in self._run(statements.RUNS, job=job)]
