"""Run one statement for each row of a batch; a row that SQLite refuses does not stop the others."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from milepost.connectors.sql.sqlite.fault import code, fault
from milepost.errors import Fatal
from milepost.migration.source import Row

ROW_CODES = frozenset({sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG})
BINDING = (OverflowError, UnicodeEncodeError)  # sqlite3 cannot hand the value to SQLite
FAULTS = (sqlite3.Error, *BINDING)
QUOTED = re.compile(r'"[^"]*"')
SAVEPOINT = "milepost_row"

RowFault = sqlite3.Error | OverflowError | UnicodeEncodeError
OnFault = Callable[[int, RowFault], None]


class Ignored(sqlite3.Error):
    """A trigger dropped the row in silence: RAISE(IGNORE)."""

    def __init__(self) -> None:
        super().__init__("a trigger of the table ignores the row")


def insert_each(connection: sqlite3.Connection, sql: str, rows: Iterable[Row], on_fault: OnFault, where: str) -> None:
    """Run the statement for every row. ``on_fault`` is given the place of each row that is refused, and why.

    The rows before a refused one stay, and it goes on behind it: every row is tried once. A fault that is no row's is
    raised as Retryable or Fatal, and its message begins with ``where``.
    """
    place = -1

    def counted() -> Iterator[Row]:
        nonlocal place
        for row in rows:
            place += 1
            yield row

    feed = counted()
    while True:
        try:
            connection.executemany(sql, feed)
        except FAULTS as error:
            require_row_fault(connection, sql, error, where)
            on_fault(place, error)
        else:
            return


def insert_carefully(
    connection: sqlite3.Connection, sql: str, rows: Iterable[Row], on_fault: OnFault, where: str
) -> None:
    """The same for a table whose triggers may drop a row in silence, or fail and leave half of it behind."""
    for place, row in enumerate(rows):
        try:
            with guarded(connection):
                execute_for_one(connection, sql, row)
        except Ignored as error:
            on_fault(place, error)
        except FAULTS as error:
            require_row_fault(connection, sql, error, where)
            on_fault(place, error)


def execute_for_one(connection: sqlite3.Connection, sql: str, parameters: Row) -> None:
    """Run a statement that changes one row; raise Ignored if it did not."""
    if connection.execute(sql, parameters).rowcount != 1:
        raise Ignored


class guarded:  # noqa: N801 - a context manager, read as a word
    """A savepoint around what may fail: an error inside leaves no trace in the database."""

    def __init__(self, connection: sqlite3.Connection, name: str = SAVEPOINT) -> None:
        self._connection = connection
        self._name = name

    def __enter__(self) -> None:
        self._connection.execute(f"SAVEPOINT {self._name}")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if not self._connection.in_transaction:
            return  # everything was rolled back, savepoints too
        if kind is not None:
            self._connection.execute(f"ROLLBACK TO {self._name}")
        self._connection.execute(f"RELEASE {self._name}")


@contextmanager
def deferred(connection: sqlite3.Connection, *, needed: bool) -> Iterator[None]:
    """Let rows refer to each other in any order meanwhile, where the table has a foreign key to itself.

    Nothing is left to the commit: the caller looks at every foreign key of such a table.
    """
    if not needed or connection.execute("PRAGMA defer_foreign_keys").fetchone() == (1,):
        yield
        return
    connection.execute("PRAGMA defer_foreign_keys=ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA defer_foreign_keys=OFF")


def require_row_fault(connection: sqlite3.Connection, sql: str, error: RowFault, where: str) -> None:
    """Return if SQLite refused this row's values, so that another row may pass; raise what it is otherwise."""
    if isinstance(error, BINDING):
        return
    if code(error) in ROW_CODES:
        if connection.in_transaction:
            return
        raise Fatal(
            f"{where}: the table's own rules rolled back the whole batch: {error}",
            hint="A trigger with RAISE(ROLLBACK) does that. Make it RAISE(ABORT), and such a row becomes a reject.",
        ) from error
    if code(error) == sqlite3.SQLITE_ERROR and _can_be_prepared(connection, sql):
        return  # a function in a CHECK, a trigger or a generated column choked on a value
    raise fault(error, where) from error


def _can_be_prepared(connection: sqlite3.Connection, sql: str) -> bool:
    """Whether the statement itself is right: tables, columns and functions are there."""
    try:
        marks = QUOTED.sub("", sql).count("?")
        connection.execute(f"EXPLAIN {sql}", (None,) * marks).close()
    except sqlite3.Error:
        return False
    return True
