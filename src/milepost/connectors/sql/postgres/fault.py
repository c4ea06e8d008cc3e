"""What an error of PostgreSQL means: a row's own, a passing fault, or one that somebody has to mend first."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from milepost.databases.postgres import CANCELLED, is_passing
from milepost.errors import Fatal, MilepostError, Retryable

ROW_CLASSES = {"22", "23", "P0"}  # data, integrity, and what triggers raise
ROW_CODES = {"54000"}  # an index entry that is too large
REASON_LENGTH = 300

HINTS = {
    "53100": "The server's disk is full: make room, and run the same command again.",
    "53200": "The server is out of memory; make batches smaller (batch_rows=), and run the same command again.",
    "25006": "The server or the role only allows reading. Is this a standby?",
    "57014": CANCELLED,
    "57P04": "Restore the database, or name another one; a checkpoint that went with it is gone too.",
    "42501": "Grant the role what it lacks: loading needs SELECT, INSERT and UPDATE,"
    " USAGE on the sequences of ids, and TEMPORARY on the database.",
}


def is_rows(error: psycopg.Error) -> bool:
    """Whether the error is about a row's values, so that other rows may go through."""
    if error.sqlstate is None:  # psycopg itself: a value that cannot be sent, such as a text with NUL
        return isinstance(error, psycopg.DataError)
    return error.sqlstate[:2] in ROW_CLASSES or error.sqlstate in ROW_CODES


def is_unwritable(error: psycopg.Error) -> bool:
    """Whether psycopg, asked to write a row, has no form for a value of it; elsewhere such an error is a mistake."""
    return error.sqlstate is None and isinstance(error, psycopg.DataError | psycopg.ProgrammingError)


def fault(error: psycopg.Error, where: str) -> MilepostError:
    """What to raise for an error that is no row's: Retryable or Fatal, saying where and what to do."""
    lost = "the connection to PostgreSQL was lost: " if error.sqlstate is None else ""
    if is_passing(error):
        return Retryable(f"{where}: {lost}{_line(error)}", hint="Run the same command again.")
    return Fatal(f"{where}: {_line(error)}", hint=HINTS.get(error.sqlstate or ""))


@contextmanager
def faults(where: str) -> Iterator[None]:
    """Raise every error of PostgreSQL inside as a fault of ``where``."""
    try:
        yield
    except psycopg.Error as error:
        raise fault(error, where) from error


def reason(error: psycopg.Error) -> str:
    """Why a row was refused: the database's own words on one line, naming the column, without the row's dump."""
    words = _line(error)
    column = error.diag.column_name or _copy_column(error)
    if column and not re.search(rf"\bcolumn \"?{re.escape(column)}\b", words):
        words = f"column {column}: {words}"
    detail = error.diag.message_detail
    if detail and not detail.startswith("Failing row"):
        words = f"{words} ({' '.join(detail.split())})"
    return words if len(words) <= REASON_LENGTH else words[: REASON_LENGTH - 1] + "…"


def copy_line(error: psycopg.Error) -> int | None:
    """The line of COPY, from 1, at which the error arose; None where PostgreSQL does not say."""
    match = re.search(r"^COPY .*?, line (\d+)", error.diag.context or "", re.MULTILINE)
    return int(match.group(1)) if match else None


def _copy_column(error: psycopg.Error) -> str | None:
    match = re.search(r"^COPY .*?, line \d+, column ([^:\n]+)", error.diag.context or "", re.MULTILINE)
    return match.group(1) if match else None


def _line(error: psycopg.Error) -> str:
    if error.sqlstate is None:  # the driver says it on the first line, and guesses at reasons on others
        return str(error).strip().partition("\n")[0]
    return " ".join((error.diag.message_primary or str(error)).split())
