"""What a range holds: how many rows, and the highest value of its ``modified`` column as Python would find it."""

from __future__ import annotations

from psycopg import sql

from milepost.connectors.sql.postgres.types import ResultColumn, column
from milepost.migration.description import Kind
from milepost.migration.keys import encode
from milepost.migration.source import Extent, Row

HIGHEST = {
    Kind.INTEGER: "max({})",
    Kind.DECIMAL: "max({})",
    Kind.FLOAT: "max({})",
    Kind.TEXT: 'max({} COLLATE "C")',  # characters by their numbers, whatever the column's collation is
    Kind.BOOLEAN: "bool_or({})",
    Kind.UUID: 'max({}::text COLLATE "C")::uuid',
    Kind.BYTES: "decode(max(encode({}, 'hex') COLLATE \"C\"), 'hex')",
    Kind.DATE: "max({})",
    Kind.TIME: "max({})",
    Kind.TIMESTAMP: "max({})",
    Kind.TIMESTAMP_ZONE: "max({})",
}
AS_TEXT = 'max(concat({0}) COLLATE "C") FILTER (WHERE {0} IS NOT NULL)'
"""For whatever is read as text: concat writes it as it is read, which a cast to text does not for every type."""
ODD = {
    Kind.DATE: "{0} < '0001-01-01' OR {0} >= '10000-01-01'",
    Kind.TIME: "{0} >= '24:00'",
    Kind.TIMESTAMP: "{0} < '0001-01-01' OR {0} >= '10000-01-01'",
    Kind.TIMESTAMP_ZONE: "{0} < '0001-01-01Z' OR {0} >= '10000-01-01Z'",
}
"""Values that Python has not, and that are read as text."""


def has_highest(modified: ResultColumn) -> bool:
    """Whether there is a highest value that can be kept."""
    return column(modified).kind is not Kind.ARRAY


def aggregates(modified: ResultColumn | None) -> sql.Composed:
    """What to select of a range, for ``extent_of``."""
    asked: list[sql.Composable] = [sql.SQL("count(*)")]
    if modified is not None:
        kind, name = column(modified).kind, sql.Identifier(modified.name)
        asked.append(sql.SQL(HIGHEST.get(kind, AS_TEXT)).format(name))
        if kind in ODD:
            odd = sql.SQL(ODD[kind]).format(name)
            asked.append(sql.SQL("count({})").format(name))
            asked.append(sql.SQL("count(*) FILTER (WHERE {})").format(odd))
            asked.append(sql.SQL('max(concat({}) COLLATE "C") FILTER (WHERE {})').format(name, odd))
    return sql.SQL(", ").join(asked)


def extent_of(row: Row) -> Extent:
    """Where some values are read as text and others are not they have no order, here as in a batch."""
    rows, *found = row
    if not found:
        return Extent(rows=rows)
    highest, values, odd, text = found if len(found) > 1 else (found[0], 0, 0, None)
    if odd:
        highest = text if odd == values else None
    return Extent(rows=rows, modified=None if highest is None else encode([highest]))
