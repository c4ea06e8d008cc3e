"""Which errors of a database pass by themselves, so that the same work may go through a little later. Pure.

Everything else is permanent: it stops the run at its last checkpoint. When in doubt a statement's error is permanent,
since somebody should hear of it; a connection's is passing, since what was reached a moment ago has most likely gone
for a moment only.
"""

from __future__ import annotations

import sqlite3

POSTGRES_CONNECTION = "08"  # the class of SQLSTATE for a connection that failed or was lost
POSTGRES_PASSING = frozenset(
    {
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout: a reader goes on behind its last batch
        "40001",  # serialization_failure
        "40003",  # statement_completion_unknown
        "40P01",  # deadlock_detected
        "53300",  # too_many_connections
        "55P03",  # lock_not_available
        "57P01",  # admin_shutdown: also a session that somebody ended
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now: starting up, shutting down, recovering
        "57P05",  # idle_session_timeout
    }
)
# Not 57014, query_canceled: Milepost switches statement_timeout off, so a pooler's own limit or a person ended the
# statement, on purpose; the same statement would come to the same end. Not 57P04, database_dropped.

POSTGRES_REFUSALS = (
    "authentication",
    "does not exist",
    "is not permitted to log in",
    "no pg_hba.conf entry",
    "not currently accepting connections",  # ALLOW_CONNECTIONS false; a server says "is not accepting"
    "permission denied",
    "pg_hba.conf rejects",
    "no such user",  # as poolers say it
    "no such database",
)

SQLITE_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})


def postgres_passes(sqlstate: str) -> bool:
    """Whether an error with that SQLSTATE passes."""
    return sqlstate.startswith(POSTGRES_CONNECTION) or sqlstate in POSTGRES_PASSING


def postgres_refuses(text: str) -> bool:
    """Whether what was said at connecting is a refusal for good; libpq gives no SQLSTATE there.

    A server that speaks another language is taken to pass: better two minutes lost than a night.
    """
    return "FATAL:" in text and any(words in text for words in POSTGRES_REFUSALS)


def sqlite_passes(code: int) -> bool:
    """Whether an error with that result code, primary or extended, passes."""
    return code & 0xFF in SQLITE_PASSING
