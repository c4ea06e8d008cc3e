"""Lay keys into a temporary table, so that one query meets them all.

A table for each shape of key: its columns have the affinities and collations of those that they are to meet, so that a
value becomes there what it would become in them. ``s`` is that table everywhere, its columns are k0, k1, …; a unary
plus takes their affinity and index away, so that the comparison is that of the other side's column, and its index used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from milepost.connectors.sql.fit import Fit, fit_rows
from milepost.connectors.sql.sqlite.describe import Table, collation_of, require
from milepost.connectors.sql.sqlite.each import RowFault, guarded, insert_each
from milepost.connectors.sql.sqlite.quote import quote
from milepost.connectors.sql.sqlite.values import fit_for
from milepost.migration.source import Key


@dataclass(frozen=True)
class Keyed:
    """Columns of a table as keys meet them: under which collation each is compared, and how values get into it."""

    table: Table
    columns: tuple[str, ...]
    collations: tuple[str, ...]
    fits: tuple[Fit, ...]
    place: str

    @property
    def laid(self) -> str:
        """The temporary table: the same for all keys of the same shape."""
        return f"temp.milepost_keys_{sha256(self.shape.encode()).hexdigest()[:12]}"

    @property
    def match(self) -> str:
        """The condition that the row ``t`` of the table has the key ``s``.

        Without an index, SQLite would make one for the query, with a Bloom filter that knows no RTRIM and misses rows.
        """
        plus = "+" if "RTRIM" in self.collations and self.table.unique(self.columns) is None else ""
        return " AND ".join(f"{plus}{column} = +s.k{place}" for place, column in enumerate(self.compared("t")))

    def compared(self, alias: str) -> list[str]:
        """The columns of that row of the table, each under its collation."""
        return [
            f"{alias}.{quote(name)} COLLATE {collation}"
            for name, collation in zip(self.columns, self.collations, strict=True)
        ]

    @property
    def values(self) -> str:
        """Their names, listed."""
        return ", ".join(f"k{place}" for place in range(len(self.columns)))

    @property
    def create(self) -> str:
        return f"CREATE TABLE IF NOT EXISTS {self.laid} (milepost_row INTEGER PRIMARY KEY, {self.shape})"

    @property
    def shape(self) -> str:
        """The columns k0, k1, … of a temporary table that holds keys."""
        return ", ".join(
            f"k{place} {self.table.affinity(name)} COLLATE {collation}"
            for place, (name, collation) in enumerate(zip(self.columns, self.collations, strict=True))
        )


def keyed(connection: sqlite3.Connection, table: Table, columns: tuple[str, ...], place: str) -> Keyed:
    """Look at the columns. Raises PlanError for one that is not there."""
    require(table.description, columns, "the key")
    found = [column for name in columns if (column := table.description.column(name)) is not None]
    return Keyed(
        table=table,
        columns=columns,
        collations=key_collations(connection, table, columns),
        fits=tuple(fit_for(column, strict=table.strict) for column in found),
        place=place,
    )


def key_collations(connection: sqlite3.Connection, table: Table, key: tuple[str, ...]) -> tuple[str, ...]:
    """Under which collation each of the columns is compared: that of their unique index, or their own."""
    unique = table.unique(key)
    if unique is None:
        return tuple(collation_of(connection, table.quoted, name) for name in key)
    return tuple(unique.collations[unique.columns.index(name)] for name in key)


def lay(connection: sqlite3.Connection, keyed: Keyed, keys: Sequence[Key]) -> None:
    """Lay the keys, each under its index. One that the columns could not hold is left out."""
    fitted = fit_rows(keys, keyed.fits)
    numbered: Iterable[Key] = ((place, *key) for place, key in zip(fitted.places, fitted.rows, strict=True))
    marks = ", ".join("?" * (1 + len(keyed.columns)))
    with guarded(connection, "milepost_lay"):
        connection.execute(keyed.create)
        connection.execute(f"DELETE FROM {keyed.laid}")
        insert_each(connection, f"INSERT INTO {keyed.laid} VALUES ({marks})", numbered, leave_out, keyed.place)


def leave_out(place: int, error: RowFault) -> None:
    """A value that sqlite3 cannot even hand over is in no row."""
