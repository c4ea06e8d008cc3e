"""PostgreSQL connections with settings under which values travel exactly and commits are durable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from milepost.databases.passing import postgres_passes, postgres_refuses
from milepost.databases.refused import refused_commit
from milepost.databases.silence import answered_within, cut
from milepost.databases.url import hide_password
from milepost.errors import Fatal, MilepostError, PlanError, Retryable, StoreError

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

# What older servers do not know. It looks every second whether the client of a long statement is still there.
NEWER = {"client_connection_check_interval": "1s", "idle_session_timeout": "0", "transaction_timeout": "0"}

# What a URL may say otherwise. A network that drops packets without a word is noticed within a minute or so.
CONNECTION = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",  # milliseconds; passed over where the system has no such thing
}

SILENCE = 30.0  # seconds after which a server that does not answer what costs it nothing is taken for gone

CANCELLED = (
    "Somebody, or a limit on the time of a statement that a pooler keeps, ended it; it would end so again. "
    "Raise the limit, or make batches smaller (batch_rows=); the same command resumes."
)


def need_driver() -> None:
    """Raise PlanError with the line to type where psycopg is not installed. To be called before importing it."""
    try:
        import psycopg  # noqa: F401 - only to see whether it can be had
    except ImportError as error:
        raise PlanError(
            f"PostgreSQL needs the extra 'postgres', which is not installed or not complete ({error})",
            hint="pip install 'milepost[postgres]'",
        ) from error


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
        with explained(hide_password(url)), answered_within(SILENCE, partial(cut, connection)):
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
    _settle_what_is_known(connection)


def _settle_what_is_known(connection: psycopg.Connection[Any]) -> None:
    import psycopg

    for name, value in NEWER.items():
        with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject):
            connection.execute(f"SET {name} = '{value}'".encode())


def is_passing(error: psycopg.Error) -> bool:
    """Whether the same work may go through later: the connection was lost, or others were in the way."""
    from psycopg import OperationalError

    if error.sqlstate is None:  # the driver's own word
        return isinstance(error, OperationalError)
    return postgres_passes(error.sqlstate)


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
def users_own(where: str) -> Iterator[None]:
    """Around what others do on a connection of ours: only their errors that pass become MilepostErrors."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        if not is_passing(error):
            raise
        said = error.diag.message_primary or str(error).strip().partition("\n")[0]
        raise _passing(where, error, said) from error


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
    from psycopg import errors

    said = error.diag.message_primary or str(error).strip().partition("\n")[0]
    if isinstance(error, errors.DiskFull):
        return Fatal(f"the disk of {where} is full: {said}", hint="Make room; the same command resumes.")
    if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
        return StoreError(f"{where} cannot be used: {said}", hint="Check what the user of the URL may do there.")
    if isinstance(error, errors.UndefinedTable | errors.UndefinedColumn):
        return StoreError(f"{where} was changed meanwhile: {said}", hint="Keep it; restore a backup if need be.")
    if isinstance(error, errors.QueryCanceled):
        return Fatal(f"{where} cancelled a statement: {said}", hint=CANCELLED)
    return _passing(where, error, said) if is_passing(error) else None


def _passing(where: str, error: psycopg.Error, said: str) -> Retryable:
    from psycopg import errors

    if isinstance(error, errors.TransactionRollback | errors.LockNotAvailable):
        return Retryable(f"{where} is busy with others: {said}", hint="Let them finish; the same command resumes.")
    return Retryable(
        f"the connection to {where} failed: {said}",
        hint="Check that the server runs and can be reached; then run the same command to resume.",
    )


def _plain(url: str) -> str:
    """The URL as libpq takes it: without SQLAlchemy's driver name."""
    head, _, rest = url.partition("://")
    return f"{head.partition('+')[0]}://{rest}"


def _refusal(url: str, error: Exception) -> MilepostError:
    """libpq's message may quote the whole URL where it cannot be parsed; then only ours is shown."""
    shown = hide_password(url)
    text = str(error).strip()
    if "://" in text or not text.startswith(("connection", "could not", "failed to resolve", "server")):
        return PlanError(
            f"{shown} cannot be understood as a PostgreSQL URL", hint="Check host, port and database name."
        )
    if postgres_refuses(text):
        return PlanError(f"{shown} was refused: {text.rpartition('FATAL:')[2].strip()}")
    return Retryable(
        f"{shown} cannot be reached: {text}", hint="Check that the server runs; then run the same command again."
    )
