"""The foreign keys of a table, and those that lead to it."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ForeignKey:
    """The values of ``columns`` are to be there as ``key`` of ``table``; NULL in one of them refers to nothing."""

    columns: tuple[str, ...]
    table: str
    key: tuple[str, ...]


def enforced_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    """The table's foreign keys; none where the connection does not enforce them."""
    if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
        return ()
    return foreign_keys(connection, name)


def foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[ForeignKey, ...]:
    """The table's foreign keys."""
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    rows = connection.execute(
        'SELECT id, seq, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (name,)
    )
    for each, _, other, column, to in rows:
        found.setdefault(each, []).append((other, column, to))
    made = []
    for parts in found.values():
        other = parts[0][0]
        to = tuple(part[2] for part in parts if part[2] is not None)
        key = to or _primary_key(connection, other)
        made.append(ForeignKey(columns=tuple(part[1] for part in parts), table=other, key=key))
    return tuple(made)


def leading_to(connection: sqlite3.Connection, name: str) -> list[tuple[str, ForeignKey]]:
    """The foreign keys that lead to the table, each with the name of the table that has it."""
    children = connection.execute(
        "SELECT DISTINCT child.name FROM main.sqlite_master AS child, pragma_foreign_key_list(child.name) AS each"
        """ WHERE child.type = 'table' AND each."table" = ? COLLATE NOCASE ORDER BY 1""",
        (name,),
    ).fetchall()
    return [
        (child, parent)
        for (child,) in children
        for parent in foreign_keys(connection, child)
        if is_same(parent.table, name)
    ]


def is_same(one: str, other: str) -> bool:
    """Whether both name the same table."""
    return one.lower() == other.lower()


def _primary_key(connection: sqlite3.Connection, name: str) -> tuple[str, ...]:
    rows = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (name,))
    return tuple(name for (name,) in rows)
