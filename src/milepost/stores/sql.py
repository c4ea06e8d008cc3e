"""What the stores in SQL databases have in common: every method of the contract but the lease's own locks."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from typing import Any

from milepost.jobs.lease import Lease, Run
from milepost.jobs.ledger import Entry, RejectedRow
from milepost.jobs.state import JSON, Record
from milepost.stores import rows, statements
from milepost.stores.dialect import Dialect, spell
from milepost.stores.encode import decode, encode, moment, readable, same_name
from milepost.stores.holding import Holding, held_by, inside_transaction, lost, out_of_order

PAGE = 1000  # rows read at a time by the methods that iterate


class SqlStore(ABC):
    """A store over one main connection, used by one thread at a time; an inner transaction joins the outer one.

    The thread that has a transaction open holds ``_lock``; other threads wait for it.
    """

    def __init__(self, url: str, dialect: Dialect) -> None:
        self.url = url
        self._dialect = dialect
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
    def _joined(self) -> AbstractContextManager[Any]:
        """Makes several statements inside an open transaction atomic."""

    @abstractmethod
    def _explained(self) -> AbstractContextManager[Any]:
        """Turns the driver's errors that are the user's business into MilepostErrors."""

    @abstractmethod
    def _insert_rejects(self, values: Sequence[tuple[Any, ...]]) -> None:
        """Add rows of ``rows.REJECT_COLUMNS``, in one statement."""

    @abstractmethod
    def _dead(self, job: str, epoch: int) -> bool:
        """Whether the holder of that epoch is provably dead: its lock is gone."""

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

    def _sign(self, lease: Lease) -> None:  # noqa: B027 — most stores need not
        """Just before the outermost commit."""

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
        with self._lock, self._explained():
            yield

    @contextmanager
    def _writing(self, lease: Lease) -> Iterator[None]:
        with self._lock:
            if not self._depth:
                with self.transaction(lease), self._explained():
                    yield
            else:
                self._check(lease)
                with self._joined(), self._explained():
                    yield

    def _check(self, lease: Lease) -> None:
        if (lease.job, lease.epoch) in self._checked:
            return
        with self._explained():
            row = self._run(statements.CHECK, job=lease.job, epoch=lease.epoch).fetchone()
        if row is None:
            raise lost(lease)
        self._checked.add((lease.job, lease.epoch))

    # -- who may write

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        same_name(job, "job")
        with self._lock:
            if self._depth:
                raise inside_transaction("taken")
            seen = self._judged(job)  # refused without waiting for anybody's transaction
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
            row = self._run(statements.HOLDING, job=job).fetchone()
            return row is not None and (last := rows.holding(row)).held and self._dead(job, last.epoch)

    def _judged(self, job: str) -> Holding | None:
        """Who held the job last. Raises LeaseHeld if that run lives."""
        with self._explained():
            row = self._run(statements.HOLDING, job=job).fetchone()
        if row is None:
            return None
        last = rows.holding(row)
        if last.held and not last.lapsed and not self._dead(job, last.epoch):
            raise held_by(job, last)
        return last

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

    # -- writing together

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[Any]:
        with self._lock, self._block() as connection:
            self._check(lease)
            yield connection
            if self._depth == 1:
                with self._explained():
                    self._sign(lease)

    # -- checkpoints

    def put(self, lease: Lease, record: Record) -> None:
        values = rows.record_values(record)
        with self._writing(lease):
            self._run(statements.PUT, job=lease.job, **values)

    def get(self, job: str, path: str) -> Record | None:
        with self._reading():
            row = self._run(statements.ONE_CHECKPOINT, job=job, path=path).fetchone()
            return None if row is None else rows.record(row)

    def checkpoints(self, job: str) -> list[Record]:
        with self._reading():
            return [rows.record(row) for row in self._run(statements.ALL_CHECKPOINTS, job=job)]

    def append(self, lease: Lease, entry: Entry, rejects: Sequence[RejectedRow] = ()) -> None:
        values = rows.entry_values(entry)
        refused = [rows.reject_values(lease.job, entry, ordinal, row) for ordinal, row in enumerate(rejects)]
        with self._writing(lease):
            if self._run(statements.APPEND, job=lease.job, epoch=lease.epoch, **values).rowcount != 1:
                raise out_of_order(entry.path, entry.seq)
            if refused:
                self._insert_rejects(refused)

    def ledger(self, job: str, path: str) -> Iterator[Entry]:
        seq = 0
        while True:
            with self._reading():
                page = self._run(statements.LEDGER, job=job, path=path, seq=seq, page=PAGE).fetchall()
            yield from map(rows.entry, page)
            if len(page) < PAGE:
                return
            seq = page[-1][1]

    def rejects(self, job: str, path: str | None = None) -> Iterator[RejectedRow]:
        statement = statements.REJECTS_OF_JOB if path is None else statements.REJECTS_OF_PATH
        after = {"path": path or "", "seq": -1, "ordinal": -1}
        while True:
            with self._reading():
                page = self._run(statement, job=job, page=PAGE, **after).fetchall()
            yield from map(rows.rejected_row, page)
            if len(page) < PAGE:
                return
            after = dict(zip(after, page[-1], strict=False))

    def rewind(self, lease: Lease, path: str) -> int:
        same_name(path, "path")
        with self._writing(lease):
            forgotten = 0
            for table in ("ledger", "reject", "value", "checkpoint"):
                statement = statements.BELOW.replace("table", table)
                forgotten = self._run(statement, job=lease.job, path=path).rowcount
            for values in rows.rewound_values(path) if forgotten else ():
                self._run(statements.REWIND_ABOVE, job=lease.job, **values)
            return forgotten

    # -- remembered values

    def remember(self, lease: Lease, path: str, name: str, value: JSON) -> JSON:
        values = rows.value_values(path, name, encode(value, f"the value {name!r}"))
        with self._writing(lease):
            self._run(statements.REMEMBER, job=lease.job, **values)
            return decode(self._run(statements.RECALL_ONE, job=lease.job, path=path, name=name).fetchone()[0])

    def recall(self, job: str, path: str) -> dict[str, JSON]:
        with self._reading():
            return {name: decode(text) for name, text in self._run(statements.RECALL, job=job, path=path)}

    def replace(self, lease: Lease, path: str, name: str, value: JSON) -> None:
        values = rows.value_values(path, name, encode(value, f"the value {name!r}"))
        with self._writing(lease):
            self._run(statements.REPLACE, job=lease.job, **values)

    # -- the rest

    def jobs(self) -> list[str]:
        with self._reading():
            return [name for (name,) in self._run(statements.JOBS)]

    def now(self) -> datetime:
        with self._reading():
            return moment(self._run(statements.NOW).fetchone()[0])
