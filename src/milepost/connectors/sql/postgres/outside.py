"""The transactions of a PostgreSQL target whose store is in another database, and what the server knows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Any

import psycopg
from psycopg import sql

from milepost.clock import SystemClock
from milepost.connectors.sql.fit import fit_rows
from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.relation import find
from milepost.connectors.sql.postgres.source import key_literals
from milepost.connectors.sql.postgres.types import column, result_columns
from milepost.connectors.sql.postgres.values import fit_for
from milepost.databases.postgres import committing, connect, explained
from milepost.databases.url import hide_password
from milepost.errors import Retryable
from milepost.jobs.intent import Outcome
from milepost.jobs.state import JSON
from milepost.migration.source import Key

LookUp = Callable[[Key], sql.Composed | None]
"""Gives the query for the row with a key; None where the key's columns could not hold such values."""

TURN_SECONDS = 5.0  # how long another session may keep its transaction open before it is ended
LOOK_SECONDS = 0.05
XID8 = 130000  # the first version whose transaction ids never come round

# A restored copy has another identifier or timeline: what its transaction numbers mean is not what they meant.
CLUSTER = """
SELECT (SELECT system_identifier FROM pg_control_system())::text,
       substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
       (SELECT oid FROM pg_database WHERE datname = current_database())::text
"""
END_HOLDERS = """
SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND pid <> pg_backend_pid()
  AND (classid::bigint << 32 | objid::bigint) = %s
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


class PostgresOutside:
    """An Outside over one table of a PostgreSQL database.

    An advisory lock keeps the transactions of one object of one job apart. The server knows of every transaction
    whether it was committed; asked later, it is believed only if a row bears witness (``token``): after a crash, or in
    a copy, the number may be another transaction's.
    """

    def __init__(self, url: str, *, name: str, key: tuple[str, ...], job: str, path: str) -> None:
        self._url = url
        self._name = name
        self._key = key
        self._lock = int.from_bytes(sha256(f"milepost/{job}/{path}".encode()).digest()[:8], signed=True)
        self._clock = SystemClock()
        self._opened: psycopg.Connection[Any] | None = None
        self._cluster: list[str] | None = None
        self._query: LookUp | None = None

    @contextmanager
    def transaction(self, check_lease: Callable[[], None]) -> Iterator[psycopg.Connection[Any]]:
        connection, where = self._connection, hide_password(self._url)
        block = connection.transaction()
        with explained(where):
            block.__enter__()
        try:
            self._take_turn(connection, check_lease)
            yield connection
        except BaseException as error:
            if not block.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            with committing(where):
                block.__exit__(None, None, None)

    def holds(self, connection: Any, key: Key) -> bool:
        return self._writer(connection, key) is not None

    def token(self, connection: Any, key: Key | None) -> JSON:
        if self._cluster is None:
            return None
        with faults(f"loading {self._name}"):
            xid = connection.execute("SELECT pg_current_xact_id()::text").fetchone()[0]
        wrote = None if key is None else self._writer(connection, key)
        return {"xid": xid, "cluster": self._cluster, "wrote": wrote if _is_ours(wrote, xid) else None}

    def settle(self, connection: Any, token: JSON, key: Key | None) -> Outcome:
        if token is None or token["cluster"] != self._cluster:
            return Outcome.UNKNOWN
        status = _status(connection, token["xid"])
        if status == "aborted":
            return Outcome.ABORTED
        witnessed = key is not None and token["wrote"] is not None and token["wrote"] == self._writer(connection, key)
        return Outcome.COMMITTED if status == "committed" and witnessed else Outcome.UNKNOWN

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            with suppress(psycopg.Error):
                opened.close()

    @property
    def _connection(self) -> psycopg.Connection[Any]:
        if self._opened is None or self._opened.closed:
            opened = connect(self._url, application="milepost outside")
            try:
                with explained(hide_password(self._url)):
                    self._cluster = _cluster(opened)
            except BaseException:
                opened.close()
                raise
            self._opened, self._query = opened, None
        return self._opened

    def _take_turn(self, connection: psycopg.Connection[Any], check_lease: Callable[[], None]) -> None:
        """Wait for the earlier run's transaction; end its session where it stays open and this run is the one."""
        if self._turns(connection):
            return
        check_lease()
        with faults(f"ending the session of an earlier run at {self._name}"):
            connection.execute(END_HOLDERS, [self._lock])
        if not self._turns(connection):
            raise Retryable(
                f"{self._name}: another session keeps its transaction open, and the server did not end it",
                hint="Look into pg_stat_activity for 'milepost outside' and end it; the same command resumes.",
            )

    def _turns(self, connection: psycopg.Connection[Any]) -> bool:
        deadline = self._clock.monotonic() + TURN_SECONDS
        with faults(f"waiting for an earlier run at {self._name}"):
            while connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [self._lock]).fetchone() != (True,):
                if self._clock.monotonic() >= deadline:
                    return False
                self._clock.sleep(LOOK_SECONDS)
        return True

    def _writer(self, connection: psycopg.Connection[Any], key: Key) -> str | None:
        """The number of the transaction that wrote the row with this key; None where there is no such row."""
        with faults(f"looking at {self._name}"):
            query = self._look_up(connection)(key)
            found = None if query is None else connection.execute(query).fetchone()
        return None if found is None else str(found[0])

    def _look_up(self, connection: psycopg.Connection[Any]) -> LookUp:
        if self._query is None:
            self._query = _by_key(connection, self._name, self._key)
        return self._query


def _by_key(connection: psycopg.Connection[Any], name: str, key: tuple[str, ...]) -> LookUp:
    table = find(connection, name).identifier
    columns = sql.SQL(", ").join(map(sql.Identifier, key))
    found = result_columns(connection, sql.SQL("SELECT {} FROM {} LIMIT 0").format(columns, table))
    types, fits = [each.native for each in found], [fit_for(column(each)) for each in found]
    query = sql.SQL("SELECT xmin::text FROM {} WHERE ({}) = ({})")

    def look_up(values: Key) -> sql.Composed | None:
        fitted = fit_rows([values], fits)
        return None if fitted.refused else query.format(table, columns, key_literals(tuple(fitted.rows[0]), types))

    return look_up


def _cluster(connection: psycopg.Connection[Any]) -> list[str] | None:
    """Which server, timeline and database it is; None where the server does not say."""
    if connection.info.server_version < XID8:
        return None
    with suppress(
        psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFunction
    ):
        found = connection.execute(CLUSTER).fetchone()
        return None if found is None or None in found else list(found)
    return None


def _is_ours(wrote: str | None, xid: str) -> bool:
    """Whether a row was written by the transaction ``xid`` or under one of its savepoints, whose numbers are later."""
    return wrote is not None and (int(wrote) - int(xid)) % 2**32 < 2**31


def _status(connection: psycopg.Connection[Any], xid: str) -> str | None:
    """None for a transaction of which the server knows nothing any more, or nothing yet."""
    try:
        with connection.transaction():
            found = connection.execute("SELECT pg_xact_status(%s::xid8)", [xid]).fetchone()
    except psycopg.errors.InvalidParameterValue:  # its number is still to come: the server went back in time
        return None
    return None if found is None else found[0]
