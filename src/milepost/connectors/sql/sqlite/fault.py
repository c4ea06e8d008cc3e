"""Sort what sqlite3 raises: a passing fault, or one that somebody has to mend first."""

from __future__ import annotations

import sqlite3

from milepost.databases.passing import sqlite_passes
from milepost.errors import Fatal, MilepostError, PlanError, Retryable

HINTS = {
    sqlite3.SQLITE_FULL: "Make room on the disk, then run the same command again.",
    sqlite3.SQLITE_READONLY: "Check the permissions of the file and its folder, then run the same command again.",
    sqlite3.SQLITE_IOERR: "Check the disk and the file's folder, then run the same command again.",
    sqlite3.SQLITE_CANTOPEN: "Check the file, its folder and their permissions.",
    sqlite3.SQLITE_CORRUPT: "The file is damaged: restore a backup, or save what is left (sqlite3 FILE .recover).",
    sqlite3.SQLITE_NOTADB: "Check the URL: the file is not a SQLite database.",
    sqlite3.SQLITE_BUSY: "Another program holds the file locked. Run the same command again when it is done.",
    sqlite3.SQLITE_LOCKED: "Another program holds the table locked. Run the same command again when it is done.",
}


def code(error: sqlite3.Error) -> int:
    """SQLite's primary result code, 0 where the error is the driver's own."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def fault(error: sqlite3.Error, where: str) -> MilepostError:
    """The error to raise instead: Retryable where the same call may pass later, Fatal otherwise."""
    found = code(error)
    kind = Retryable if sqlite_passes(found) else Fatal
    return kind(f"{where}: {error}", hint=HINTS.get(found))


def plan_fault(error: sqlite3.Error, where: str) -> MilepostError:
    """The same while nothing was written yet: what is not passing makes the plan impossible."""
    found = code(error)
    kind = Retryable if sqlite_passes(found) else PlanError
    return kind(f"{where}: {error}", hint=HINTS.get(found))
