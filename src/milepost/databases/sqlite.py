"""SQLite connections: durable ones that write, and strictly read-only ones; and their errors in plain words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from milepost.clock import SystemClock
from milepost.databases.passing import sqlite_passes
from milepost.databases.refused import refused_commit
from milepost.errors import Fatal, MilepostError, PlanError, Retryable, StoreError

BUSY_SECONDS = 10.0  # in which nothing else is heard, not even Ctrl-C; a run that waits longer tries again

_CLOCK = SystemClock()


def connect(path: Path, *, busy_seconds: float = BUSY_SECONDS) -> sqlite3.Connection:
    """A connection that writes, created if need be: WAL, synchronous=FULL, foreign keys on, autocommit.

    WAL with FULL survives power loss: every commit is fsynced. Transactions are begun by hand (``BEGIN IMMEDIATE``).
    Usable from several threads as long as only one uses it at a time. A lock of somebody else is waited for, up to
    ``busy_seconds``. Raises StoreError for a file that is not SQLite, PlanError for one that cannot be opened.
    """
    try:
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise PlanError(f"{path} cannot be opened: {error}", hint="Check the folder and its permissions.") from error
    try:
        with explained(str(path)):
            _settle(connection, busy_seconds)
    except BaseException:
        connection.close()
        raise
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, autocommit. Raises PlanError if there is no such file or it is not SQLite."""
    if not path.is_file():
        raise PlanError(f"there is no file {path}", hint="Check the URL; sqlite:///x.db is relative to where you are.")
    try:
        return _opened_to_read(path)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode not in LEFT_HALF_DONE:
            raise _unreadable(path, error) from error
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error
    try:
        _undo_half_done(path)
        return _opened_to_read(path)
    except sqlite3.DatabaseError as error:
        raise _unreadable(path, error) from error


LEFT_HALF_DONE = (sqlite3.SQLITE_READONLY_ROLLBACK, sqlite3.SQLITE_READONLY_RECOVERY)


def _opened_to_read(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _undo_half_done(path: Path) -> None:
    """Let SQLite undo the transaction of a process that was killed in it, as the next who opens the file must.

    Nobody can read the file before, and a connection that cannot write is not allowed to.
    """
    with closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _unreadable(path: Path, error: sqlite3.DatabaseError) -> MilepostError:
    if is_busy(error):
        return _busy(str(path))
    return PlanError(f"{path} cannot be read as a SQLite database: {error}")


def _settle(connection: sqlite3.Connection, busy_seconds: float) -> None:
    deadline = _CLOCK.monotonic() + busy_seconds
    while True:
        try:
            if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                connection.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:  # SQLite itself does not wait when two change the mode at once
            if not is_busy(error) or _CLOCK.monotonic() >= deadline:
                raise
            _CLOCK.sleep(0.02)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")


def is_busy(error: sqlite3.Error) -> bool:
    """Whether somebody else held a lock for longer than the connection waits."""
    return sqlite_passes(_code(error))


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Errors of SQLite that are the user's business become MilepostErrors about ``where``; others pass."""
    try:
        yield
    except sqlite3.Error as error:
        told = _explanation(where, error)
        if told is None:
            raise
        raise told from error


@contextmanager
def committing(where: str) -> Iterator[None]:
    """Around a commit: a constraint that refuses it is raised as Fatal, other errors as ``explained`` does."""
    try:
        with explained(where):
            yield
    except sqlite3.IntegrityError as error:
        raise refused_commit(where, str(error)) from error


def _explanation(where: str, error: sqlite3.Error) -> MilepostError | None:
    code = _code(error)
    if is_busy(error):
        return _busy(where)
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        full = code == sqlite3.SQLITE_FULL
        said = f"the disk that holds {where} is full" if full else f"{where} cannot be read or written: {error}"
        return Fatal(said, hint="Make room; check the disk, and any quota on it. The same command resumes.")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH):
        return StoreError(f"{where} cannot be written: {error}", hint="Check the permissions of file and folder.")
    if code == sqlite3.SQLITE_CANTOPEN:
        return StoreError(f"{where} cannot be read or written: {error}", hint="Check the disk and the file's folder.")
    if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return StoreError(f"{where} cannot be used: {error}", hint="Name another file, or restore this one.")
    return None


def _busy(where: str) -> Retryable:
    return Retryable(
        f"{where} is locked by another program that writes to it",
        hint="Let it finish. A stopped process keeps its lock: continue it or end it. Then run the same command.",
    )


def _code(error: sqlite3.Error) -> int:
    """The primary result code; 0 for an error of the module's own."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
