"""PostgreSQL connections with settings under which values travel exactly and commits are durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from milepost.databases.refused import refused_commit
from milepost.databases.url import hide_password
from milepost.errors import MilepostError, PlanError, Retryable, StoreError

if TYPE_CHECKING:
    import psycopg

SETTINGS = {
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_min_messages": "warning",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "default_transaction_isolation": "read committed",
}


# What a URL may say otherwise. A network that drops packets without a word is noticed within a minute or so.
CONNECTION = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds; passed over where the system has no such thing
}


def need_driver() -> None:
    """Raise PlanError with the line to type where psycopg is not installed. To be called before importing it."""
    try:
        import psycopg  # noqa: F401 - only to see whether it can be had
    except ImportError as error:
        raise PlanError(
            f"PostgreSQL needs the extra 'postgres', which is not installed or not complete ({error})",
            hint="pip install 'milepost[postgres]'",
        ) from error


LOST = ("08", "57")  # SQLSTATE classes: the connection failed; the server's operator ended it


def connect(url: str, *, read_only: bool = False, application: str = "milepost") -> psycopg.Connection[Any]:
    """A connection in autocommit; transactions are begun by ``connection.transaction()``.

    Raises PlanError for a wrong URL, password or database name, and for a database without an encoding; Retryable for
    a server that cannot be reached, and PlanError with the line to type where psycopg is not installed. No message
    holds the password.
    """
    need_driver()
    import psycopg

    try:
        connection = psycopg.connect(
            _plain(url), autocommit=True, application_name=application, client_encoding="UTF8", **_unsaid(_plain(url))
        )
    except psycopg.Error as error:
        raise _refusal(url, error) from None
    try:
        _refuse_bytes(connection, url)
        _settle(connection, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _unsaid(url: str) -> dict[str, Any]:
    """What of CONNECTION the URL leaves open."""
    from psycopg.conninfo import conninfo_to_dict

    said = conninfo_to_dict(url)
    return {name: value for name, value in CONNECTION.items() if name not in said}


def _refuse_bytes(connection: psycopg.Connection[Any], url: str) -> None:
    if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
        raise PlanError(
            f"{hide_password(url)} has the encoding SQL_ASCII: its text is bytes, and nobody knows of which characters",
            hint="Restore a dump of it into one that has: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
        )


def _settle(connection: psycopg.Connection[Any], read_only: bool) -> None:
    settings = dict(SETTINGS)
    if read_only:
        settings["default_transaction_read_only"] = "on"
    elif connection.execute("SHOW synchronous_commit").fetchone() == ("off",):
        settings["synchronous_commit"] = "on"  # durable means fsynced, whatever the server's default is
    chosen = ", ".join(f"set_config('{name}', '{value}', false)" for name, value in settings.items())
    connection.execute(f"SELECT {chosen}".encode())
    _notice_our_death(connection)


def _notice_our_death(connection: psycopg.Connection[Any]) -> None:
    """Where the server can, it looks every second whether the client of a long statement is still there."""
    import psycopg

    with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
        connection.execute("SET client_connection_check_interval = '1s'")


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Errors of the server that are the user's business become MilepostErrors about ``where``; others pass."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        told = _explanation(where, error)
        if told is None:
            raise
        raise told from error


@contextmanager
def committing(where: str) -> Iterator[None]:
    """Around a commit: what the server has against it is raised as Fatal, other errors as ``explained`` does."""
    import psycopg

    try:
        with explained(where):
            yield
    except psycopg.Error as error:
        if error.sqlstate is None:  # not the server's word
            raise
        said = ". ".join(filter(None, (error.diag.message_primary, error.diag.message_detail)))
        raise refused_commit(where, said) from error


def _explanation(where: str, error: psycopg.Error) -> MilepostError | None:
    from psycopg import OperationalError, errors

    said = error.diag.message_primary or str(error).strip()
    if isinstance(error, errors.DiskFull):
        return StoreError(f"the disk of {where} is full: {said}", hint="Make room; the same command resumes.")
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return StoreError(f"{where} cannot be used: {said}", hint="Check what the user of the URL may do there.")
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return StoreError(f"{where} was changed meanwhile: {said}", hint="Keep it; restore a backup if need be.")
    clash = errors.LockNotAvailable | errors.SerializationFailure | errors.DeadlockDetected
    gone = isinstance(error, OperationalError) and (error.sqlstate is None or error.sqlstate[:2] in LOST)
    if gone or isinstance(error, clash):
        return Retryable(
            f"the connection to {where} failed: {said}",
            hint="Check that the server runs and can be reached; then run the same command to resume.",
        )
    return None


def _plain(url: str) -> str:
    """The URL as libpq takes it: without SQLAlchemy's driver name."""
    head, _, rest = url.partition("://")
    return f"{head.partition('+')[0]}://{rest}"


def _refusal(url: str, error: Exception) -> MilepostError:
    """libpq's message may quote the whole URL where it cannot be parsed; then only ours is shown."""
    shown = hide_password(url)
    text = str(error).strip()
    if "://" in text or not text.startswith(("connection", "could not", "server")):
        return PlanError(
            f"{shown} cannot be understood as a PostgreSQL URL", hint="Check host, port and database name."
        )
    if "FATAL:" in text and not any(word in text for word in ("starting up", "shutting down", "too many", "recovery")):
        return PlanError(f"{shown} was refused: {text.rpartition('FATAL:')[2].strip()}")
    return Retryable(
        f"{shown} cannot be reached: {text}", hint="Check that the server runs; then run the same command again."
    )
