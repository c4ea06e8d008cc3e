"""The connection that holds a run's leases in PostgreSQL, and renews them."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import psycopg

from milepost.clock import Clock
from milepost.databases.postgres import connect
from milepost.databases.silence import cut
from milepost.errors import Retryable
from milepost.jobs.lease import Lease
from milepost.stores import statements
from milepost.stores.dialect import POSTGRES, spell
from milepost.stores.encode import number_of, slug_of
from milepost.stores.inherited import keep_from_children

LOCK_SECONDS = 5
LOOK_SECONDS = 0.02

_WITHOUT_WAITING = replace(POSTGRES, shared="")

END_SESSIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = :name AND pid <> pg_backend_pid()
"""


def application_of(job: str, epoch: int) -> str:
    """The name under which a run's main connection shows among the server's sessions."""
    return f"milepost {slug_of(job)} {epoch}"


def end_session(connection: psycopg.Connection[Any], name: str, clock: Clock) -> None:
    """End the session of that name, other than this one, and return when it is over, whatever it was about to commit.

    A connection may be lost on its client's side only. Raises Retryable where the session does not end.
    """
    deadline = clock.monotonic() + LOCK_SECONDS
    while connection.execute(spell(END_SESSIONS, POSTGRES), {"name": name}).fetchone() is not None:
        if clock.monotonic() >= deadline:
            raise Retryable(
                f"a session of this run that lost its connection ({name!r} in pg_stat_activity) does not end",
                hint="Look there for what it waits for; the same command resumes.",
            )
        clock.sleep(LOOK_SECONDS)


class LeaseConnection:
    """Opened when first needed, opened again when it was lost; used by one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._connection: psycopg.Connection[Any] | None = None
        self._held: set[tuple[str, int]] = set()
        self._locked: set[tuple[str, int]] = set()  # those that this connection has, after one was lost

    @staticmethod
    def key(job: str, epoch: int) -> int:
        """The advisory lock of that epoch."""
        return number_of(f"milepost/{job}/{epoch}")

    def take(self, job: str, epoch: int) -> None:
        """Take the epoch's lock. Raises Retryable where another session has it."""
        with self._lock:
            if not self._try(self._opened(), job, epoch):
                raise Retryable(
                    f"the lease of job {job!r} is being taken by another run just now",
                    hint="Run the same command again.",
                )
            self._held.add((job, epoch))

    def renew(self, lease: Lease) -> bool:
        """Extend the lease; False where it is no longer this run's."""
        values = {"job": lease.job, "epoch": lease.epoch, "ttl": float(lease.ttl)}
        with self._lock:
            connection = self._opened()
            for job, epoch in self._held - self._locked:
                self._try(connection, job, epoch)
            if connection.execute(spell(statements.CHECK, _WITHOUT_WAITING), values).fetchone() is None:
                return False
            connection.execute(spell(statements.RENEW, POSTGRES), values)
            return True

    def cut(self) -> None:
        """End the connection under whoever waits on it."""
        if self._connection is not None:
            cut(self._connection)

    def end_sessions(self, job: str, epoch: int) -> None:
        """End the main connection of a run whose lease lapsed, wherever it is: it may not write any more."""
        with self._lock:
            self._opened().execute(spell(END_SESSIONS, POSTGRES), {"name": application_of(job, epoch)})

    def drop(self, job: str, epoch: int) -> None:
        """Let go of the epoch's lock."""
        with self._lock:
            self._held.discard((job, epoch))
            self._locked.discard((job, epoch))
            if self._connection is not None and not self._connection.closed:
                with suppress(psycopg.Error):
                    self._connection.execute("SELECT pg_advisory_unlock(%s)", [self.key(job, epoch)])

    def close(self) -> None:
        """Let go of every lock, without a word to the server if need be."""
        with self._lock:
            self._held.clear()
            self._locked.clear()
            if self._connection is not None:
                with suppress(psycopg.Error):
                    self._connection.close()
                self._connection = None

    def _opened(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self._url, application="milepost lease")
            keep_from_children(self._connection)
            self._connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
            self._locked.clear()
        return self._connection

    def _try(self, connection: psycopg.Connection[Any], job: str, epoch: int) -> bool:
        key = self.key(job, epoch)
        got = connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone() == (True,)
        if got:
            self._locked.add((job, epoch))
        return got
