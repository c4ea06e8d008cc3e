"""Find rows by their keys: all by one query."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from milepost.connectors.sql.sqlite.describe import look, require
from milepost.connectors.sql.sqlite.lay import Keyed, keyed, lay
from milepost.connectors.sql.sqlite.quote import listed
from milepost.migration.source import Key, Row


class Finder:
    """Finds rows in any table of one database; remembers what it has seen of the tables."""

    def __init__(self, shown: str) -> None:
        self._shown = shown
        self._known: dict[tuple[str, tuple[str, ...]], Keyed] = {}

    def find(
        self,
        connection: sqlite3.Connection,
        table: str,
        key: tuple[str, ...],
        wanted: tuple[str, ...],
        keys: Sequence[Key],
    ) -> list[Row | None]:
        """See :meth:`milepost.migration.target.Target.find`. Of several rows with one key, one counts."""
        if not keys:
            return []
        sought = self.keyed(connection, table, key)
        require(sought.table.description, wanted, "the query")
        lay(connection, sought, keys)
        found: list[Row | None] = [None] * len(keys)
        for index, *values in connection.execute(
            f"SELECT s.milepost_row, {listed(wanted, of='t')} FROM {sought.laid} AS s"
            f" CROSS JOIN {sought.table.quoted} AS t ON {sought.match}"
        ):
            found[index] = tuple(values)
        return found

    def keyed(self, connection: sqlite3.Connection, table: str, key: tuple[str, ...]) -> Keyed:
        """What there is to know of these columns of the table."""
        known = self._known.get((table, key))
        if known is None:
            seen = look(connection, table, shown=self._shown)
            known = self._known[table, key] = keyed(connection, seen, key, f"{self._shown}: {seen.name}")
        return known
