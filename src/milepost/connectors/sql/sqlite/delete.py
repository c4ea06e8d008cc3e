"""Delete rows by their keys, but for those that other rows still refer to, whatever a foreign key would do with them.

The keys are laid into a temporary table, ``s``; ``t`` is the target's row that has one of them, ``c`` a row that refers
to it. References are looked at beforehand: some foreign keys would be checked only at the commit, when no row can be
refused any more, others would delete the rows that refer, or set their columns to NULL, in silence.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from milepost.connectors.sql.sqlite.describe import look
from milepost.connectors.sql.sqlite.each import FAULTS, Ignored, deferred, guarded, require_row_fault
from milepost.connectors.sql.sqlite.foreign_keys import ForeignKey, is_same, leading_to
from milepost.connectors.sql.sqlite.lay import Keyed, key_collations, lay
from milepost.connectors.sql.sqlite.quote import listed, quote
from milepost.connectors.sql.sqlite.reason import load_refusal
from milepost.migration.source import Key
from milepost.migration.target import Loaded, Refused


def delete_rows(connection: sqlite3.Connection, keyed: Keyed, keys: Sequence[Key]) -> Loaded:
    """See :meth:`milepost.migration.target.Target.delete`."""
    deleting = _Deleting(connection, keyed)
    deleting.lay(keys)
    with deferred(connection, needed=any(each.itself for each in deleting.references)):
        deleted = deleting.delete()
    refused = tuple(deleting.refused[place] for place in sorted(deleting.refused))
    return Loaded(loaded=deleted, unchanged=len(keys) - deleted - len(refused), refused=refused)


def find_referring(
    connection: sqlite3.Connection, keyed: Keyed, own: tuple[str, ...], keys: Sequence[Key]
) -> list[tuple[Key, Key]]:
    """See :meth:`milepost.migration.target.Target.referring`. ``keyed`` are the columns that refer."""
    lay(connection, keyed, keys)
    rows = connection.execute(
        f"SELECT s.milepost_row, {listed(own, of='t')} FROM {keyed.laid} AS s"
        f" CROSS JOIN {keyed.table.quoted} AS t ON {keyed.match} ORDER BY s.milepost_row"
    )
    return [(tuple(keys[index]), tuple(key)) for index, *key in rows]


@dataclass(frozen=True)
class _Reference:
    """A foreign key that leads here: whose it is, and the condition that the row ``c`` refers to the row ``t``."""

    child: str
    columns: tuple[str, ...]
    refers: str
    itself: bool


class _Deleting:
    """Rows that are to be deleted: those whose keys are laid. ``refused`` holds the others by their key's place."""

    def __init__(self, connection: sqlite3.Connection, keyed: Keyed) -> None:
        self._connection = connection
        self._keyed = keyed
        self.references = [_reference(connection, keyed, *each) for each in leading_to(connection, keyed.table.name)]
        self.refused: dict[int, Refused] = {}

    def lay(self, keys: Sequence[Key]) -> None:
        """Lay the keys of rows that are there, each once."""
        lay(self._connection, self._keyed, keys)
        once = f"SELECT min(s.milepost_row) FROM {self._pairs} GROUP BY {listed(self._keyed.columns, of='t')}"
        self._connection.execute(f"DELETE FROM {self._keyed.laid} WHERE milepost_row NOT IN ({once})")

    def delete(self) -> int:
        """Delete what may go, and return how many. One that does not go may be one that refers to others."""
        while True:
            self._refuse_referred()
            places = [place for (place,) in self._connection.execute(f"SELECT milepost_row FROM {self._keyed.laid}")]
            try:
                with guarded(self._connection, "milepost_delete"):
                    if not self._delete_all():
                        self._delete_each(places)
            except _Stayed as stayed:
                self._refuse(stayed.reasons.items())
            else:
                return len(places)

    def _refuse_referred(self) -> None:
        """Refuse the rows that rows refer to which stay, until nothing refers to those that are left."""
        while found := [refused for reference in self.references for refused in self._referred(reference)]:
            self._refuse(found)

    def _referred(self, reference: _Reference) -> list[tuple[int, str]]:
        stays = ""
        if reference.itself:
            own = ", ".join(self._keyed.compared("c"))
            goes = f"({own}) IN (SELECT {self._keyed.values} FROM {self._keyed.laid})"
            stays = f" AND NOT coalesce({goes}, 0)"
        rows = self._connection.execute(
            f"SELECT DISTINCT s.milepost_row FROM {self._pairs}"
            f" CROSS JOIN main.{quote(reference.child)} AS c ON {reference.refers}{stays}"
        )
        told = f"rows of {reference.child} still refer to it ({', '.join(reference.columns)})"
        return [(place, told) for (place,) in rows]

    def _refuse(self, reasons: Iterable[tuple[int, str]]) -> None:
        for place, reason in reasons:
            self.refused.setdefault(place, load_refusal(place, reason))
            self._connection.execute(f"DELETE FROM {self._keyed.laid} WHERE milepost_row = ?", (place,))

    def _delete_all(self) -> bool:
        """Delete all by one statement; False, and nothing deleted, where one does not go."""
        keyed, number = self._keyed, self._keyed.table.number
        if number is None:
            return False
        sql = f"DELETE FROM {keyed.table.quoted} WHERE {number} IN (SELECT t.{number} FROM {self._pairs})"
        try:
            with guarded(self._connection):
                self._connection.execute(sql)
                self._require_none(f"SELECT 1 FROM {self._pairs}")
        except Ignored:
            return False
        except FAULTS as error:
            require_row_fault(self._connection, sql, error, keyed.place)
            return False
        return True

    def _delete_each(self, places: list[int]) -> None:
        """Delete row after row; again those that did not go, as long as others went. Raises _Stayed for the rest."""
        while places:
            reasons: dict[int, str] = {}
            for place in places:
                reason = self._delete_one(place)
                if reason is not None:
                    reasons[place] = reason
            if len(reasons) == len(places):
                raise _Stayed(reasons)
            places = list(reasons)

    def _delete_one(self, place: int) -> str | None:
        """None if the row is gone, or why it is not."""
        keyed = self._keyed
        which = " AND ".join(
            f"{column} = (SELECT +k{number} FROM {keyed.laid} WHERE milepost_row = {place:d})"
            for number, column in enumerate(keyed.compared("t"))
        )
        sql = f"DELETE FROM {keyed.table.quoted} AS t WHERE {which}"
        try:
            with guarded(self._connection):
                self._connection.execute(sql)
                self._require_none(f"SELECT 1 FROM {keyed.table.quoted} AS t WHERE {which}")
        except Ignored as ignored:
            return str(ignored)
        except FAULTS as error:
            require_row_fault(self._connection, sql, error, keyed.place)
            return str(error)
        return None

    def _require_none(self, sql: str) -> None:
        if self._connection.execute(sql).fetchone() is not None:
            raise Ignored

    @property
    def _pairs(self) -> str:
        return f"{self._keyed.laid} AS s CROSS JOIN {self._keyed.table.quoted} AS t ON {self._keyed.match}"


class _Stayed(Exception):
    """Rows that cannot be deleted, each with the reason."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__(f"{len(reasons)} rows")
        self.reasons = reasons


def _reference(connection: sqlite3.Connection, keyed: Keyed, child: str, foreign_key: ForeignKey) -> _Reference:
    """As a foreign key compares: under the parent's collation and affinity, by the child's index where that may be."""
    table = look(connection, child)
    collations = key_collations(connection, keyed.table, foreign_key.key)
    conditions = []
    for column, key, collation in zip(foreign_key.columns, foreign_key.key, collations, strict=True):
        if table.affinity(column) == keyed.table.affinity(key):
            conditions.append(f"c.{quote(column)} = +t.{quote(key)} COLLATE {collation}")
        else:
            conditions.append(f"t.{quote(key)} COLLATE {collation} = +c.{quote(column)}")
    return _Reference(child, foreign_key.columns, " AND ".join(conditions), is_same(child, keyed.table.name))
