"""How many statements a piece of work costs, as the drivers themselves trace them: fixture `trace`.

SQLite traces statements. For PostgreSQL libpq traces its messages; a trip to the server is a Query, a Sync, or
the end of a COPY.
"""

import ctypes
import re
import sqlite3
import tempfile

import psycopg
import pytest

from fix_databases import Database

LIBC = ctypes.CDLL(None)
TRIP = re.compile(rb"^F\t\d+\t(?:Query|Sync|CopyDone)", re.MULTILINE)


class Trace:
    """What the drivers sent, of all connections made while it watches."""

    def __init__(self) -> None:
        self.statements = []
        self.messages = tempfile.TemporaryFile()  # noqa: SIM115 — closed by the fixture
        self.work = 0

    def watch_sqlite(self, connection):
        connection.set_trace_callback(self.statements.append)
        connection.set_progress_handler(self.step, 1)
        return connection

    def step(self):
        self.work += 1  # one instruction of SQLite's virtual machine
        return 0

    def watch_postgres(self, connection):
        connection.pgconn.trace(self.messages.fileno())
        connection.pgconn.set_trace_flags(psycopg.pq.Trace.SUPPRESS_TIMESTAMPS)
        return connection

    def count(self, act):
        """The statements, or trips, that it costs."""
        before = self.now()
        act()
        return self.now() - before

    def now(self):
        LIBC.fflush(None)  # libpq writes through a stream of C's
        self.messages.seek(0)
        return len(self.statements) + len(TRIP.findall(self.messages.read()))


@pytest.fixture
def trace(monkeypatch):
    trace = Trace()
    with trace.messages:
        for driver, watch in ((sqlite3, trace.watch_sqlite), (psycopg, trace.watch_postgres)):
            monkeypatch.setattr(driver, "connect", watched(driver.connect, watch))
        yield trace


def watched(connect, watch):
    return lambda *args, **settings: watch(connect(*args, **settings))


class Tables(Database):
    """The store's tables by plain SQL."""

    @property
    def prefix(self):
        return "milepost_" if self.url.startswith("sqlite") else "milepost."

    def rows_read(self):
        """By the server's own counting; 0 for SQLite, whose instructions are counted instead."""
        if self.url.startswith("sqlite"):
            return 0
        self.execute("SELECT pg_stat_force_next_flush()")
        return self.rows("SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_user_tables")[0][0]
