"""Say in a reject's words why SQLite refused a row."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from milepost.connectors.sql.sqlite.each import RowFault
from milepost.connectors.sql.sqlite.into import Into
from milepost.connectors.sql.sqlite.quote import quote
from milepost.connectors.sql.sqlite.values import unbindable
from milepost.migration.source import Row
from milepost.migration.target import Refused

DUPLICATE = "another row already has this key"


def refusal(connection: sqlite3.Connection, into: Into, index: int, row: Row, error: RowFault) -> Refused:
    """Why the row is refused: stage "duplicate" for the object's own key, "load" for anything else."""
    if not isinstance(error, sqlite3.Error):
        return load_refusal(index, unbindable(into.loading.columns, row) or str(error))
    if str(error) in _key_messages(into):
        return Refused(index=index, stage="duplicate", reason=DUPLICATE)
    code = getattr(error, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return load_refusal(index, _missing(connection, into, row) or str(error))
    if code == sqlite3.SQLITE_MISMATCH:
        return load_refusal(index, f"{error}: the key of {into.table.name} holds integers only")
    return load_refusal(index, str(error))


def load_refusal(index: int, reason: str) -> Refused:
    return Refused(index=index, stage="load", reason=reason)


def null_key(name: str) -> str:
    return f"column {name} is part of the key and holds NULL"


def absent(name: str, key: Sequence[str], values: Sequence[Any]) -> str:
    """Which row is not there."""
    if len(key) == 1:
        return f"no {name} with {key[0]} {values[0]!r}"
    return f"no {name} with ({', '.join(key)}) ({', '.join(map(repr, values))})"


def _key_messages(into: Into) -> frozenset[str]:
    """SQLite's messages for a second row with the object's key, one for each index over exactly its columns."""
    table, key = into.table, frozenset(into.loading.key)
    return frozenset(
        f"UNIQUE constraint failed: {', '.join(f'{table.name}.{name}' for name in unique.columns)}"
        for unique in table.uniques
        if frozenset(unique.columns) == key
    )


def _missing(connection: sqlite3.Connection, into: Into, row: Row) -> str | None:
    """Which foreign key the row breaks: SQLite does not say."""
    values = dict(zip(into.loading.columns, row, strict=True))
    broken = []
    for parent in into.foreign_keys:
        held = [values.get(name) for name in parent.columns]
        if None in held:
            continue
        where = " AND ".join(f"{quote(name)} = ?" for name in parent.key)
        if connection.execute(f"SELECT 1 FROM {quote(parent.table)} WHERE {where}", held).fetchone() is None:
            columns = ", ".join(parent.columns)
            broken.append(f"FOREIGN KEY constraint failed: {columns}: {absent(parent.table, parent.key, held)}")
    return "; ".join(broken) or None
