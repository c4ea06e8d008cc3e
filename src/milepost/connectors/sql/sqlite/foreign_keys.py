"""The foreign keys of a table, and those that lead to it."""

from __future__ import annotations

import sqlite3

from milepost.migration.target import Parent


def enforced_keys(connection: sqlite3.Connection, name: str) -> tuple[Parent, ...]:
    """The table's foreign keys, as parents; none where the connection does not enforce them."""
    if connection.execute("PRAGMA foreign_keys").fetchone() != (1,):
        return ()
    return foreign_keys(connection, name)


def foreign_keys(connection: sqlite3.Connection, name: str) -> tuple[Parent, ...]:
    """The table's foreign keys, as parents."""
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    rows = connection.execute(
        'SELECT id, seq, "table", "from", "to" FROM pragma_foreign_key_list(?) ORDER BY id, seq', (name,)
    )
    for each, _, other, column, to in rows:
        found.setdefault(each, []).append((other, column, to))
    parents = []
    for parts in found.values():
        other = parts[0][0]
        to = tuple(part[2] for part in parts if part[2] is not None)
        key = to or _primary_key(connection, other)
        parents.append(Parent(object=other, columns=tuple(part[1] for part in parts), table=other, key=key))
    return tuple(parents)


def leading_to(connection: sqlite3.Connection, name: str) -> list[tuple[str, Parent]]:
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
