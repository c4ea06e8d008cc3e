"""A store in a PostgreSQL database, in the schema ``milepost``: usually the target's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from milepost.databases.postgres import SILENCE, committing, connect, explained, users_own
from milepost.databases.silence import answered_within, cut
from milepost.databases.url import hide_password
from milepost.errors import LeaseHeld
from milepost.jobs.lease import Lease
from milepost.stores.dialect import POSTGRES
from milepost.stores.holding import Holding, held_by, lost
from milepost.stores.inherited import keep_from_children
from milepost.stores.postgres_lease import LOCK_SECONDS, LeaseConnection, application_of, end_session
from milepost.stores.postgres_schema import is_store, prepare
from milepost.stores.rows import REJECT_COLUMNS
from milepost.stores.sql import SqlStore

if TYPE_CHECKING:
    from psycopg import Connection

UNNAMED = "milepost"  # the main connection of a store that no run has acquired
COPY_REJECTS = f"COPY milepost.reject ({', '.join(REJECT_COLUMNS)}) FROM STDIN"
LOCK_JOB = "SELECT 1 FROM {job} WHERE name = :job FOR UPDATE"
NEW_JOB = "INSERT INTO {job} (name, epoch, held) VALUES (:job, 0, FALSE) ON CONFLICT (name) DO NOTHING"


class PostgresStore(SqlStore):
    """Keeps the Store contract in a PostgreSQL database.

    Rows are written on the main connection. A second one holds the lease: a session advisory lock for each epoch, which
    the server drops when the process is gone, and the renewals.
    """

    def __init__(self, url: str, connection: Connection[Any], *, read_only: bool = False) -> None:
        super().__init__(hide_password(url), POSTGRES)
        self._secret_url = url
        self._read_only = read_only
        self._connection = connection
        keep_from_children(connection)
        self._application = UNNAMED
        self._leases = LeaseConnection(url)

    @classmethod
    def create(cls, url: str) -> PostgresStore:
        """The store in that database, made or brought to the present schema where need be."""
        connection = connect(url)
        try:
            with answered_within(SILENCE, partial(cut, connection)):
                prepare(connection, hide_password(url))
        except BaseException:
            connection.close()
            raise
        return cls(url, connection)

    @classmethod
    def look(cls, url: str) -> PostgresStore | None:
        """The store in that database, to be read only; None where there is none."""
        connection = connect(url, read_only=True)
        try:
            with answered_within(SILENCE, partial(cut, connection)):
                found = is_store(connection, hide_password(url))
        except BaseException:
            connection.close()
            raise
        if found:
            return cls(url, connection, read_only=True)
        connection.close()
        return None

    # -- what SqlStore asks for

    def _main(self) -> Connection[Any]:
        """The main connection, made anew where it was lost outside a transaction."""
        if self._connection.closed and not self._depth:
            self._connection = self._opened_again()
            keep_from_children(self._connection)
        return self._connection

    def _opened_again(self) -> Connection[Any]:
        """A new main connection, once the server has done with the lost one: what that was to commit is then seen."""
        connection = connect(self._secret_url, read_only=self._read_only, application=self._application)
        try:
            if self._application != UNNAMED:
                with self._explained(), answered_within(SILENCE, partial(cut, connection)):
                    end_session(connection, self._application, self._clock)
        except BaseException:
            connection.close()
            raise
        return connection

    def _cursor(self) -> Any:
        return self._main().cursor(row_factory=tuple_row)  # the connection is lent to others, who may have set one

    def _explained(self) -> AbstractContextManager[None]:
        return explained(self.url)

    def _joined(self) -> AbstractContextManager[None]:
        return nullcontext()  # after an error PostgreSQL commits nothing of the transaction

    @contextmanager
    def _block(self) -> Iterator[Connection[Any]]:
        connection = self._main()
        block = connection.transaction()
        with self._explained():
            block.__enter__()
        with self._counted():
            try:
                with users_own(self.url):
                    yield connection
            except BaseException as error:
                if not block.__exit__(type(error), error, error.__traceback__):
                    raise
            else:
                with committing(self.url):
                    block.__exit__(None, None, None)

    def _alone(self, lease: Lease, statement: str, values: dict[str, Any]) -> int:
        """One trip: the server commits a statement by itself."""
        return int(self._run(statement, **values).rowcount)

    def _insert_rejects(self, values: Sequence[tuple[Any, ...]]) -> None:
        with self._cursor() as cursor, cursor.copy(COPY_REJECTS) as copy:
            for row in values:
                copy.write_row(row)

    # -- who may write

    def _dead(self, job: str, epoch: int) -> bool:
        """Tried for a second: a server needs a moment to notice that its client was killed.

        Asked on the main connection, because a session is never in its own way.
        """
        for _ in range(20):
            if self._is_free(job, epoch):
                return True
            self._clock.sleep(0.05)
        return self._is_free(job, epoch)

    def _is_free(self, job: str, epoch: int) -> bool:
        with self._explained():
            key = {"key": LeaseConnection.key(job, epoch)}
            got: bool = self._run("SELECT pg_try_advisory_lock_shared(:key)", **key).fetchone()[0]
            if got:
                self._run("SELECT pg_advisory_unlock_shared(:key)", **key)
            return got

    def _holds(self, job: str, epoch: int) -> bool:
        return not self._is_free(job, epoch)

    def _lock_job(self, job: str, before: Holding | None) -> None:
        if self._locked(job):
            return
        # Its holder is dead or lapsed, yet its transaction is still open: a stopped process, or a client that vanished.
        if before is not None:
            with self._explained():
                self._leases.end_sessions(job, before.epoch)
            if self._locked(job):
                return
            raise held_by(job, before.holder, before.until)
        raise LeaseHeld(f"job {job!r} is being started by another run just now", hint="Run the same command again.")

    def _locked(self, job: str) -> bool:
        with self._explained():
            self._run(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            try:
                with self._connection.transaction():
                    self._run(NEW_JOB, job=job)
                    self._run(LOCK_JOB, job=job)
            except psycopg.errors.LockNotAvailable:
                return False
            finally:
                self._run("SET LOCAL lock_timeout = 0")
        return True

    def _take(self, job: str, epoch: int) -> None:
        with self._explained():
            self._leases.take(job, epoch)
            self._application = application_of(job, epoch)
            self._run("SELECT set_config('application_name', :name, false)", name=self._application)

    def _drop(self, job: str, epoch: int) -> None:
        self._leases.drop(job, epoch)

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        with answered_within(SILENCE, self._cut):
            return super().acquire(job, holder=holder, ttl=ttl)

    def release(self, lease: Lease, *, outcome: str, error: str | None = None) -> None:
        with answered_within(SILENCE, self._cut):
            super().release(lease, outcome=outcome, error=error)

    def renew(self, lease: Lease) -> None:
        """See the contract. A server that is silent for as long as the lease lasts is taken for gone.

        Then both connections are ended, so that nobody waits for ever for an answer on the other.
        """
        with self._explained(), answered_within(max(lease.ttl, 2 * LOCK_SECONDS), self._cut):
            if not self._leases.renew(lease):
                raise lost(lease)

    def _cut(self) -> None:
        self._leases.cut()
        cut(self._connection)

    def close(self) -> None:
        with self._lock:
            self._leases.close()
            with suppress(psycopg.Error):
                self._connection.close()
