"""Copy rows into a table, slice by slice, and find those that PostgreSQL refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.isolate import RowRefused, isolate
from milepost.connectors.sql.postgres.fault import copy_line, fault, is_rows, is_unwritable, reason
from milepost.migration.source import Row
from milepost.migration.target import Refused

DUPLICATE = "another row already has this key"
NOT_WRITTEN = "the database did not write the row, though it held none like it: a trigger or rule keeps it out"
NOT_INSERTED = "the database did not insert the row, though no other has its key: a trigger or rule keeps it out"


def copy_rows(
    connection: psycopg.Connection[Any],
    statement: sql.Composed,
    rows: Sequence[Row],
    where: str,
    is_key: Callable[[str | None], bool] = lambda _: False,
) -> list[Refused]:
    """Run the COPY statement with the rows, and return those that are refused.

    ``where`` is for messages; ``is_key`` tells whether a constraint's name is that of the key. Raises Retryable or
    Fatal for a fault that is no row's.
    """
    text = statement.as_string(connection)

    def attempt(start: int, stop: int) -> None:
        at = -1  # the row that is being written
        try:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(text.encode()) as copy:
                    for at in range(start, stop):
                        copy.write_row(rows[at])
                    at = -1
                if cursor.rowcount != stop - start:
                    raise RowRefused(NOT_INSERTED)
        except UnicodeEncodeError as error:
            raise RowRefused(f"{error.object[error.start : error.end]!r} is no text: {error.reason}", at) from error
        except psycopg.Error as error:
            unwritable = at >= 0 and is_unwritable(error)
            if not unwritable and not is_rows(error):
                raise fault(error, where) from error
            line = copy_line(error)
            index = at if unwritable else start + line - 1 if line is not None else None
            raise refusal(error, index, is_key) from error

    return isolate(len(rows), attempt)[1]


def refusal(error: psycopg.Error, index: int | None, is_key: Callable[[str | None], bool]) -> RowRefused:
    """The error as a row's refusal; a key that another row has is a duplicate."""
    if isinstance(error, psycopg.errors.UniqueViolation) and is_key(error.diag.constraint_name):
        return RowRefused(DUPLICATE, index, stage="duplicate")
    return RowRefused(reason(error), index)
