"""Which errors of a database pass, and which need somebody."""

import sqlite3

import psycopg
import pytest
from psycopg import errors

from milepost.connectors.sql.postgres.fault import fault
from milepost.connectors.sql.sqlite.fault import fault as sqlite_fault
from milepost.databases.passing import postgres_passes, postgres_refuses, sqlite_passes
from milepost.databases.postgres import _explanation
from milepost.databases.postgres import explained as postgres_explained
from milepost.databases.sqlite import explained as sqlite_explained
from milepost.errors import Fatal, Retryable

PASSING = [
    errors.ConnectionException,
    errors.ConnectionFailure,
    errors.ConnectionDoesNotExist,
    errors.SqlclientUnableToEstablishSqlconnection,
    errors.SerializationFailure,
    errors.DeadlockDetected,
    errors.LockNotAvailable,
    errors.TooManyConnections,
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleSessionTimeout,
    errors.IdleInTransactionSessionTimeout,
    errors.TransactionTimeout,
]
STANDING = [
    errors.QueryCanceled,
    errors.DatabaseDropped,
    errors.InvalidPassword,
    errors.InvalidAuthorizationSpecification,
    errors.InvalidCatalogName,
    errors.InsufficientPrivilege,
    errors.DiskFull,
    errors.OutOfMemory,
    errors.UndefinedTable,
    errors.ReadOnlySqlTransaction,
    errors.SyntaxError,
    errors.InternalError_,
    errors.TransactionIntegrityConstraintViolation,
]


@pytest.mark.parametrize("kind", PASSING)
def test_what_passes_is_retryable_wherever_postgresql_says_it(kind) -> None:
    error = kind("said")
    assert postgres_passes(kind.sqlstate)
    assert isinstance(fault(error, "loading t"), Retryable)
    with pytest.raises(Retryable), postgres_explained("postgresql://host/db"):
        raise error


@pytest.mark.parametrize("kind", STANDING)
def test_what_somebody_has_to_mend_is_not(kind) -> None:
    error = kind("said")
    assert not postgres_passes(kind.sqlstate)
    assert isinstance(fault(error, "loading t"), Fatal)
    assert not isinstance(_explanation("postgresql://host/db", error), Retryable)


def test_a_lost_connection_of_which_only_the_driver_speaks_passes() -> None:
    error = psycopg.OperationalError("server closed the connection unexpectedly")
    assert isinstance(fault(error, "loading t"), Retryable)
    with pytest.raises(Retryable), postgres_explained("postgresql://host/db"):
        raise error


def test_a_mistake_of_which_only_the_driver_speaks_does_not() -> None:
    error = psycopg.ProgrammingError("the query has 0 placeholders but 1 parameters were passed")
    assert isinstance(fault(error, "loading t"), Fatal)


def test_a_statement_that_was_cancelled_says_what_to_do() -> None:
    error = errors.QueryCanceled("canceling statement due to statement timeout")
    assert "Raise the limit" in (fault(error, "loading t").hint or "")
    with pytest.raises(Fatal, match="cancelled a statement"), postgres_explained("postgresql://host/db"):
        raise error


HEAD = 'connection failed: connection to server at "127.0.0.1", port 5432 failed: '


@pytest.mark.parametrize(
    "said",
    [
        'FATAL:  password authentication failed for user "me"',
        'FATAL:  database "crm" does not exist',
        'FATAL:  role "me" does not exist',
        'FATAL:  role "me" is not permitted to log in',
        'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "me", database "crm", no encryption',
        'FATAL:  database "crm" is not currently accepting connections',
        'FATAL:  permission denied for database "crm"',
    ],
)
def test_a_refusal_for_good_is_known(said) -> None:
    assert postgres_refuses(HEAD + said)


@pytest.mark.parametrize(
    "said",
    [
        "Connection refused\n\tIs the server running on that host and accepting TCP/IP connections?",
        "FATAL:  the database system is starting up",
        "FATAL:  the database system is shutting down",
        "FATAL:  the database system is in recovery mode",
        "FATAL:  the database system is not yet accepting connections\nDETAIL:  Consistent recovery state …",
        "FATAL:  the database system is not accepting connections",
        "FATAL:  sorry, too many clients already",
        'FATAL:  too many connections for role "me"',
        'FATAL:  too many connections for database "crm"',
        "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
        "FATAL:  no more connections allowed (max_client_conn)",
        "FATAL:  das Datenbanksystem startet",
        "server closed the connection unexpectedly",
    ],
)
def test_what_else_is_said_at_connecting_passes(said) -> None:
    assert not postgres_refuses(HEAD + said)


@pytest.mark.parametrize(
    ("code", "passes"),
    [
        ("SQLITE_BUSY", True),
        ("SQLITE_BUSY_SNAPSHOT", True),
        ("SQLITE_BUSY_RECOVERY", True),
        ("SQLITE_LOCKED", True),
        ("SQLITE_PROTOCOL", True),
        ("SQLITE_FULL", False),
        ("SQLITE_IOERR_WRITE", False),
        ("SQLITE_READONLY", False),
        ("SQLITE_CANTOPEN", False),
        ("SQLITE_CORRUPT", False),
        ("SQLITE_NOTADB", False),
        ("SQLITE_NOMEM", False),
        ("SQLITE_CONSTRAINT_UNIQUE", False),
        ("SQLITE_ERROR", False),
    ],
)
def test_what_passes_in_sqlite_is_the_same_for_store_source_and_target(code, passes) -> None:
    error = sqlite3.OperationalError("said")
    error.sqlite_errorcode = getattr(sqlite3, code)
    assert sqlite_passes(error.sqlite_errorcode) is passes
    assert isinstance(sqlite_fault(error, "t"), Retryable) is passes
    with pytest.raises(Exception, match=r"said|locked|full") as raised, sqlite_explained("x.db"):
        raise error
    assert isinstance(raised.value, Retryable) is passes
