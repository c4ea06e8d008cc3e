"""The transactions of a SQLite file whose store is elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from milepost.connectors.sql.fit import fit_rows
from milepost.connectors.sql.sqlite.describe import look
from milepost.connectors.sql.sqlite.fault import fault
from milepost.connectors.sql.sqlite.position import bound
from milepost.connectors.sql.sqlite.quote import listed
from milepost.connectors.sql.sqlite.values import fit_for
from milepost.databases.sqlite import committing, connect, explained
from milepost.databases.url import sqlite_path
from milepost.jobs.intent import Outcome
from milepost.jobs.state import JSON
from milepost.migration.source import Key


class SqliteOutside:
    """An Outside over one table of a SQLite file.

    The file's own lock keeps transactions apart. That of a run which was stopped in the middle is waited for: it ends
    with that process only. A file cannot tell later which transactions it has seen.
    """

    def __init__(self, url: str, *, name: str, key: tuple[str, ...]) -> None:
        self._path = sqlite_path(url)
        self._name = name
        self._key = key
        self._opened: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self, check_lease: Callable[[], None]) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        where = str(self._path)
        with explained(where):
            connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            with committing(where):
                connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                with suppress(sqlite3.OperationalError):
                    connection.execute("ROLLBACK")
            raise

    def holds(self, connection: Any, key: Key) -> bool:
        try:
            table = look(connection, self._name, shown=str(self._path))
            columns = filter(None, map(table.description.column, self._key))
            fitted = fit_rows([key], [fit_for(each, strict=table.strict) for each in columns])
            if fitted.refused:
                return False
            marks, values = bound(tuple(fitted.rows[0]))
            query = f"SELECT 1 FROM {table.quoted} WHERE ({listed(self._key)}) = ({marks})"
            return connection.execute(query, values).fetchone() is not None
        except sqlite3.Error as error:
            raise fault(error, f"{self._path}: {self._name}") from error

    def token(self, connection: Any, key: Key | None) -> JSON:
        return None

    def settle(self, connection: Any, token: JSON, key: Key | None) -> Outcome:
        return Outcome.UNKNOWN

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = connect(self._path)
        return self._opened
