"""Which rows have no parent, asked by the distinct keys that a batch names, before anything is loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fitted
from milepost.connectors.sql.postgres.fault import is_rows
from milepost.connectors.sql.postgres.relation import Relation
from milepost.connectors.sql.postgres.statements import with_parameters
from milepost.connectors.sql.postgres.values import array_text
from milepost.migration.description import Column, Kind
from milepost.migration.source import Row
from milepost.migration.target import Loading, Parent, Refused


def missing(parent: Parent, loading: Loading, row: Row) -> str:
    """The reason for a row that has not this parent."""
    values = [_shown(row[loading.columns.index(name)]) for name in parent.columns]
    if len(values) == 1:
        return f"no {parent.object} with {parent.key[0]} {values[0]}"
    return f"no {parent.object} with ({', '.join(parent.key)}) ({', '.join(values)})"


def find_orphans(
    connection: psycopg.Connection[Any],
    columns: tuple[Column, ...],
    fitted: Fitted,
    loading: Loading,
    parents: Mapping[str, Relation],
) -> list[Refused] | None:
    """The rows without one of their parents; None where that shows only in the stage.

    That is so where the database cannot read a value as its column's type, and says so row by row while staging.
    """
    reasons: dict[int, list[str]] = {}
    for parent in loading.parents:
        places = [loading.columns.index(name) for name in parent.columns]
        keys = _keys(fitted.rows, places)
        absent = _absent(connection, [columns[place] for place in places], keys, parent, parents[parent.table])
        if absent is None:
            return None
        if absent:
            take = _taker(places)
            for index, row in zip(fitted.places, fitted.rows, strict=True):
                if take(row) in absent:
                    reasons.setdefault(index, []).append(missing(parent, loading, row))
    return [Refused(index=index, stage="parent", reason="; ".join(found)) for index, found in sorted(reasons.items())]


def _absent(
    connection: psycopg.Connection[Any],
    columns: Sequence[Column],
    keys: list[tuple[Any, ...]],
    parent: Parent,
    table: Relation,
) -> set[tuple[Any, ...]] | None:
    """Those of the keys that the parent's table does not hold; None where they cannot be asked for."""
    if any(column.kind is Kind.ARRAY for column in columns):
        return None
    if not keys:
        return set()
    arrays = [array_text(values) for values in zip(*keys, strict=True)]
    try:
        with connection.transaction():
            found = connection.execute(with_parameters(_question(columns, parent, table)), arrays).fetchall()
    except UnicodeEncodeError:
        return None
    except psycopg.Error as error:
        if not is_rows(error):
            raise
        return None
    return {keys[place - 1] for (place,) in found}


def _question(columns: Sequence[Column], parent: Parent, table: Relation) -> sql.Composed:
    names = [sql.Identifier(f"k{number}") for number in range(len(columns))]
    return sql.SQL(
        "SELECT k.place FROM unnest({}) WITH ORDINALITY AS k({}, place) WHERE NOT EXISTS (SELECT FROM {} AS p WHERE {})"
    ).format(
        sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(column.native.replace("%", "%%"))) for column in columns),
        sql.SQL(", ").join(names),
        table.identifier,
        sql.SQL(" AND ").join(
            sql.SQL("p.{} = k.{}").format(sql.Identifier(key), name)
            for key, name in zip(parent.key, names, strict=True)
        ),
    )


def _keys(rows: Sequence[Row], places: Sequence[int]) -> list[tuple[Any, ...]]:
    """The distinct keys that the rows name; a key with NULL names no parent."""
    return [key for key in set(map(_taker(places), rows)) if None not in key]


def _taker(places: Sequence[int]) -> Any:
    if len(places) == 1:
        place = places[0]
        return lambda row: (row[place],)
    return itemgetter(*places)


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, str | bytes) else str(value)
