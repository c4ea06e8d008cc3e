"""Draw ids from where the table makes them, before the rows that will have them are there."""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from milepost.connectors.sql.sqlite.describe import Table
from milepost.connectors.sql.sqlite.lay import Keyed
from milepost.connectors.sql.sqlite.quote import quote, texted
from milepost.errors import PlanError

AUTOINCREMENT = re.compile(r"\bAUTOINCREMENT\b", re.IGNORECASE)
LARGEST = 2**63 - 1
ROUNDS = 100  # in which a default may give values that rows have already
SEQUENCE = "main.sqlite_sequence"


def draw_rowids(connection: sqlite3.Connection, table: Table, column: str, count: int, above: int) -> range:
    """The ids that follow the highest one that the table holds, or has ever held where it is AUTOINCREMENT.

    ``above`` is one that was drawn before, perhaps for a row that did not go in. An AUTOINCREMENT table is told what
    was drawn, as if the rows had been there.
    """
    (highest,) = connection.execute(f"SELECT coalesce(max({quote(column)}), 0) FROM {table.quoted}").fetchone()
    counts = AUTOINCREMENT.search(table.ddl) is not None
    if counts:
        (used,) = connection.execute(
            f"SELECT coalesce(max(seq), 0) FROM {SEQUENCE} WHERE name = ?", (table.name,)
        ).fetchone()
        highest = max(highest, used)
    first = max(highest, above) + 1
    last = first + count - 1
    if last > LARGEST:
        raise PlanError(
            f"{table.name} has no ids left: its highest is {highest}",
            hint="Give the rows of its highest ids smaller ones.",
        )
    if counts:
        _tell(connection, table.name, last)
    return range(first, last + 1)


def draw_defaults(connection: sqlite3.Connection, keyed: Keyed, count: int) -> list[Any]:
    """Values of the column's default, as the column holds them. Raises PlanError if they are not new each time."""
    (column,) = keyed.columns
    default = default_of(connection, keyed.table, column)
    if default is None:
        raise PlanError(
            f"{keyed.place}: the table does not make column {column}, which id= names",
            hint=f"Declare it {column} INTEGER PRIMARY KEY, give it a DEFAULT that is new each time, or name a key=.",
        )
    drawn: dict[Any, None] = {}
    for _ in range(ROUNDS):
        drawn |= dict.fromkeys(_evaluate(connection, keyed, default, max(count, 2)))
        if len(drawn) >= count:
            return list(drawn)[:count]
    raise PlanError(
        f"{keyed.place}: the default of column {column}, {default}, is not new each time",
        hint="Give it one that is, such as DEFAULT (lower(hex(randomblob(16)))), or name a key=.",
    )


def default_of(connection: sqlite3.Connection, table: Table, column: str) -> str | None:
    """The expression of a column's default, as SQL."""
    row = connection.execute(
        f"SELECT dflt_value FROM pragma_table_xinfo({texted(table.name)}) WHERE name = ? AND hidden = 0", (column,)
    ).fetchone()
    return None if row is None else row[0]


def _evaluate(connection: sqlite3.Connection, keyed: Keyed, default: str, count: int) -> list[Any]:
    """Distinct values that no row of the table has; none where the expression gives the same one twice or NULL."""
    connection.execute(keyed.create)
    connection.execute(f"DELETE FROM {keyed.laid}")
    connection.execute(
        f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count:d})"
        f" INSERT INTO {keyed.laid} SELECT i, ({default}) FROM n"
    )
    distinct = f"SELECT count(DISTINCT k0) FROM {keyed.laid}"
    if connection.execute(distinct).fetchone()[0] < 2:
        return []
    free = f"NOT EXISTS (SELECT 1 FROM {keyed.table.quoted} AS t WHERE {keyed.match})"
    rows = connection.execute(f"SELECT k0 FROM {keyed.laid} AS s WHERE k0 IS NOT NULL AND {free} ORDER BY milepost_row")
    return [value for (value,) in rows]


def _tell(connection: sqlite3.Connection, name: str, last: int) -> None:
    told = connection.execute(f"UPDATE {SEQUENCE} SET seq = ? WHERE name = ?", (last, name))
    if not told.rowcount:
        connection.execute(f"INSERT INTO {SEQUENCE} (name, seq) VALUES (?, ?)", (name, last))
