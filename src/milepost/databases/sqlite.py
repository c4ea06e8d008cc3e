"""SQLite connections: durable ones that write, and strictly read-only ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from milepost.errors import PlanError, StoreError

BUSY_SECONDS = 60.0


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes, created if need be: WAL, synchronous=FULL, foreign keys on, autocommit.

    WAL with FULL survives power loss: every commit is fsynced. Transactions are begun by hand (``BEGIN IMMEDIATE``).
    Usable from several threads as long as only one uses it at a time. Raises StoreError for a file that is not SQLite.
    """
    try:
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except sqlite3.OperationalError as error:
        raise PlanError(f"{path} cannot be opened: {error}", hint="Check the folder and its permissions.") from error
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StoreError(f"{path} cannot be used: {error}", hint="Name another file, or restore this one.") from error
    return connection


def connect_read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, autocommit. Raises PlanError if there is no such file or it is not SQLite."""
    if not path.is_file():
        raise PlanError(f"there is no file {path}", hint="Check the URL; sqlite:///x.db is relative to where you are.")
    connection = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=ro",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as error:
        connection.close()
        raise PlanError(f"{path} cannot be read as a SQLite database: {error}") from error
    return connection
