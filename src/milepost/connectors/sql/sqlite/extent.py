"""What a range holds: how many rows, and the highest value of its ``modified`` column as Python would find it."""

from __future__ import annotations

from typing import Any

from milepost.connectors.sql.sqlite.quote import quote
from milepost.migration.keys import encode
from milepost.migration.source import Extent, Row


def bounds(column: str) -> str:
    """The lowest and the highest value, in the order of their bytes: a collation would hide what changed."""
    value = f"{quote(column)} COLLATE BINARY"
    return f"min({value}), max({value})"


def extent_of(row: Row) -> Extent:
    """Of the count, the lowest and the highest value: SQLite puts numbers before texts before bytes, Python refuses."""
    if len(row) == 1:
        return Extent(rows=row[0])
    rows, lowest, highest = row
    if highest is None or _family(lowest) is not _family(highest):
        return Extent(rows=rows)
    return Extent(rows=rows, modified=encode([highest]))


def _family(value: Any) -> type:
    return int if isinstance(value, float) else type(value)
