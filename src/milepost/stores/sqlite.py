"""A store in a SQLite file: one of its own, or the target's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from io import FileIO
from math import inf
from pathlib import Path
from typing import Any

from milepost.databases.sqlite import committing, connect, connect_read_only, explained, is_busy
from milepost.errors import StoreError
from milepost.jobs.lease import Lease
from milepost.stores import file_lock, statements
from milepost.stores.dialect import SQLITE, spell
from milepost.stores.holding import Holding, lost
from milepost.stores.rows import REJECT_COLUMNS
from milepost.stores.sql import SqlStore
from milepost.stores.sqlite_schema import is_store, prepare
from milepost.stores.torn import refuse_torn

INSERT_REJECT = f"INSERT INTO {{reject}} ({', '.join(REJECT_COLUMNS)}) VALUES ({', '.join('?' * len(REJECT_COLUMNS))})"

SIGN_SECONDS = 1.0  # between two signs of life of commits that follow each other closely


class SqliteStore(SqlStore):
    """Keeps the Store contract in a SQLite database, in tables called ``milepost_…``.

    While a batch is being written nobody else can write to the file, so nobody can take the lease either; its commit is
    itself a sign of life, unless there was one within SIGN_SECONDS. That is why a renewal that finds the file busy may
    let it be.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        super().__init__(f"sqlite:///{path}", SQLITE)
        self._path = path.resolve()
        self._connection = connection
        self._locks: dict[tuple[str, int], FileIO] = {}
        self._signed: dict[tuple[str, int], float] = {}  # when each lease was extended with a commit, monotonic

    @classmethod
    def create(cls, path: Path) -> SqliteStore:
        """The store in that file, made or brought to the present schema where need be."""
        refuse_torn(path)
        connection = connect(path)
        try:
            prepare(connection, f"sqlite:///{path}")
        except BaseException:
            connection.close()
            raise
        return cls(path, connection)

    @classmethod
    def look(cls, path: Path) -> SqliteStore | None:
        """The store in that file, to be read only; None where there is none."""
        refuse_torn(path)
        if not path.exists():
            return None
        connection = connect_read_only(path)
        try:
            found = is_store(connection, f"sqlite:///{path}")
        except BaseException:
            connection.close()
            raise
        if found:
            return cls(path, connection)
        connection.close()
        return None

    # -- what SqlStore asks for

    def _cursor(self) -> sqlite3.Cursor:
        cursor = self._connection.cursor()
        cursor.row_factory = None  # the connection is lent to others, who may have set one
        return cursor

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.url)

    def _joined(self) -> AbstractContextManager[sqlite3.Connection]:
        return self._block()

    @contextmanager
    def _block(self) -> Iterator[sqlite3.Connection]:
        name = f"milepost_{self._depth}"
        begin, commit, undo = ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        if self._depth:
            begin, commit = f"SAVEPOINT {name}", f"RELEASE {name}"
            undo = f"ROLLBACK TO {name}"
        with self._explained():
            self._connection.execute(begin)
        with self._counted():
            try:
                yield self._connection
                self._refuse_ended()
                with committing(self.url):
                    self._connection.execute(commit)
            except BaseException:
                self._undo(undo, commit)
                raise

    def _alone(self, lease: Lease, statement: str, values: dict[str, Any]) -> int:
        """SQLite commits a statement by itself; one that a sign of life must go with has a transaction."""
        if self._is_sign_due(lease):
            with self.transaction(lease):
                return int(self._run(statement, **values).rowcount)
        written: int = self._run(statement, **values).rowcount
        if self._connection.in_transaction:  # whoever had the connection lent has changed how its driver commits
            self._connection.execute("COMMIT")
        return written

    def _undo(self, undo: str, commit: str) -> None:
        """Roll back what is still open; a full disk may have made SQLite do so itself."""
        if self._connection.in_transaction:
            with suppress(sqlite3.OperationalError):
                self._connection.execute(undo)
                if self._depth > 1:
                    self._connection.execute(commit)

    def _refuse_ended(self) -> None:
        if not self._connection.in_transaction:
            raise StoreError(
                "the transaction was ended inside its block: what was written before that may be committed alone",
                hint="Leave commit and rollback on that connection to Milepost.",
            )

    def _insert_rejects(self, values: Sequence[tuple[Any, ...]]) -> None:
        self._cursor().executemany(spell(INSERT_REJECT, SQLITE), values)

    # -- who may write

    def _dead(self, job: str, epoch: int) -> bool:
        return file_lock.is_free(file_lock.lease_file(self._path, job, epoch))

    def _holds(self, job: str, epoch: int) -> bool:
        return file_lock.is_held(file_lock.lease_file(self._path, job, epoch))

    def _lock_job(self, job: str, before: Holding | None) -> None:
        """The transaction keeps everybody else from writing."""

    def _take(self, job: str, epoch: int) -> None:
        self._locks[job, epoch] = file_lock.take(file_lock.lease_file(self._path, job, epoch))

    def _drop(self, job: str, epoch: int) -> None:
        file_lock.sweep(self._path, job, epoch + 1)
        self._signed.pop((job, epoch), None)
        held = self._locks.pop((job, epoch), None)
        if held is not None:
            held.close()

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        lease = super().acquire(job, holder=holder, ttl=ttl)
        file_lock.sweep(self._path, job, lease.epoch)
        return lease

    def renew(self, lease: Lease) -> None:
        """See the contract. Waits a little for the file; where it stays busy, returns without having written."""
        if self._mine():
            with self._writing(lease):
                self._extend(lease)
            return
        values = {"job": lease.job, "epoch": lease.epoch, "ttl": float(lease.ttl)}
        wait = min(lease.ttl / 6, 5.0)
        with self._explained(), closing(connect(self._path, busy_seconds=wait)) as connection:
            if connection.execute(spell(statements.CHECK, SQLITE), values).fetchone() is None:
                raise lost(lease)
            try:
                connection.execute(spell(statements.RENEW, SQLITE), values)
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    raise

    def _sign(self, lease: Lease) -> None:
        """A sign of life with the commit, unless one was given a moment ago: it writes a page more."""
        if self._is_sign_due(lease):
            self._extend(lease)
            self._signed[lease.job, lease.epoch] = self._clock.monotonic()

    def _is_sign_due(self, lease: Lease) -> bool:
        signed = self._signed.get((lease.job, lease.epoch), -inf)
        return self._clock.monotonic() - signed >= min(SIGN_SECONDS, lease.ttl / 20)

    def _extend(self, lease: Lease) -> None:
        self._run(statements.RENEW, job=lease.job, epoch=lease.epoch, ttl=float(lease.ttl))

    def close(self) -> None:
        with self._lock:
            self._connection.close()
            for held in self._locks.values():
                held.close()
            self._locks.clear()
