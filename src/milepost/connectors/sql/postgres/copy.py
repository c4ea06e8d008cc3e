"""Copy rows into a table, slice by slice, and find those that PostgreSQL refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.isolate import RowRefused, isolate
from milepost.connectors.sql.postgres.fault import copy_line, fault, is_rows, is_unwritable, reason
from milepost.connectors.sql.postgres.relation import Relation
from milepost.migration.source import Row
from milepost.migration.target import Refused

CHECK = b"SET CONSTRAINTS ALL IMMEDIATE"  # now: at the commit no row could be refused any more
DUPLICATE = "another row already has this key"
NOT_WRITTEN = "the database did not write the row, though it held none like it: a trigger or rule keeps it out"
NOT_INSERTED = "the database did not insert the row, though no other has its key: a trigger or rule keeps it out"

IsKey = Callable[[str | None], bool]


def copy_rows(
    connection: psycopg.Connection[Any],
    statement: sql.Composed,
    rows: Sequence[Row],
    where: str,
    is_key: IsKey = lambda _: False,
    into: Relation | None = None,
) -> list[Refused]:
    """Run the COPY statement with the rows, and return those that are refused.

    ``where`` is for messages; ``is_key`` tells whether a constraint's name is that of the key. ``into`` is the table,
    where rows may wait for each other, or be checked at the commit only. Raises Retryable or Fatal for a fault that is
    no row's.
    """
    text, refused = statement.as_string(connection).encode(), []
    found, early = _copy_each(connection, text, rows, where, is_key, into)
    places: Sequence[int] = range(len(rows))
    while len(early) < len(places):  # else no row was loaded that could be the one they wait for
        refused += [replace(one, index=places[one.index]) for one in found if one.index not in early]
        places = [places[index] for index in sorted(early)]
        found, early = _copy_each(connection, text, [rows[place] for place in places], where, is_key, into)
    refused += [replace(one, index=places[one.index]) for one in found]
    return sorted(refused, key=lambda one: one.index)


def _copy_each(
    connection: psycopg.Connection[Any],
    text: bytes,
    rows: Sequence[Row],
    where: str,
    is_key: IsKey,
    into: Relation | None,
) -> tuple[list[Refused], set[int]]:
    """The rows that are refused, and which of them refer to a row that is not there: it may be a later one of these."""
    early: set[int] = set()

    def attempt(start: int, stop: int) -> None:
        at = -1  # the row that is being written
        try:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(text) as copy:
                    for at in range(start, stop):
                        copy.write_row(rows[at])
                    at = -1
                if cursor.rowcount != stop - start:
                    raise RowRefused(NOT_INSERTED)
                if into is not None and into.defers:
                    cursor.execute(CHECK)
        except UnicodeEncodeError as error:
            raise RowRefused(f"{error.object[error.start : error.end]!r} is no text: {error.reason}", at) from error
        except psycopg.Error as error:
            unwritable = at >= 0 and is_unwritable(error)
            if not unwritable and not is_rows(error):
                raise fault(error, where) from error
            waits = into is not None and into.waits and isinstance(error, psycopg.errors.ForeignKeyViolation)
            if waits and stop - start == 1:
                early.add(start)
            line = copy_line(error)
            index = at if unwritable else start + line - 1 if line is not None else None
            raise refusal(error, index, is_key) from error

    return isolate(len(rows), attempt)[1], early


def refusal(error: psycopg.Error, index: int | None, is_key: IsKey) -> RowRefused:
    """The error as a row's refusal; a key that another row has is a duplicate."""
    if isinstance(error, psycopg.errors.UniqueViolation) and is_key(error.diag.constraint_name):
        return RowRefused(DUPLICATE, index, stage="duplicate")
    return RowRefused(reason(error), index)
