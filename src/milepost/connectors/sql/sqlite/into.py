"""What there is to know of a table before rows are loaded into it: looked up once, used for every batch."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from milepost.connectors.sql.fit import Fit
from milepost.connectors.sql.sqlite.describe import Table, look, require
from milepost.connectors.sql.sqlite.foreign_keys import ForeignKey, enforced_keys, is_same
from milepost.connectors.sql.sqlite.lay import key_collations
from milepost.connectors.sql.sqlite.values import fit_for
from milepost.migration.target import Loading

HALFWAY = re.compile(r"\b(IGNORE|FAIL)\b", re.IGNORECASE)
DEFERRED = re.compile(r"\bDEFERRED\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A parent that each row must have: that of a foreign key which SQLite would check too late.

    ``itself``: the parent is a row of the same table, and may come in the same batch.
    """

    parent: ForeignKey
    itself: bool
    collations: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Into:
    """A table as rows are loaded into it.

    ``collations`` are those under which the key is unique, in the order of ``loading.key``. ``careful``: its triggers
    may drop a row in silence (RAISE(IGNORE)) or leave half of it behind (RAISE(FAIL)). ``defers``: a foreign key leads
    to the table itself, so that all are looked at beforehand, and checked by SQLite when the whole batch is in.
    ``adds``: rows that are not there are inserted, and a key that is written differently is changed; otherwise only the
    columns besides the key are set.
    """

    table: Table
    loading: Loading
    place: str
    fits: tuple[Fit, ...]
    collations: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    foreign_keys: tuple[ForeignKey, ...]
    careful: bool
    defers: bool
    adds: bool = True

    @property
    def staged(self) -> bool:
        return self.loading.staged or bool(self.wanted)

    @property
    def nullable_key(self) -> tuple[int, ...]:
        """The places in a row of key columns that SQLite itself would let hold NULL (or fill, for a rowid)."""
        loading, description = self.loading, self.table.description
        columns = [
            (place, description.column(name)) for place, name in enumerate(loading.columns) if name in loading.key
        ]
        return tuple(
            place for place, column in columns if column is not None and (column.nullable or column.fills_itself)
        )


def look_into(connection: sqlite3.Connection, name: str, loading: Loading, shown: str, *, adds: bool = True) -> Into:
    """Look at the table through the caller's connection. Raises PlanError for a table or column that is not there."""
    table = look(connection, name, shown=shown)
    require(table.description, loading.columns, "the row")
    columns = [column for each in loading.columns if (column := table.description.column(each)) is not None]
    foreign_keys = enforced_keys(connection, table.name)
    return Into(
        table=table,
        loading=loading,
        place=f"{shown}: {table.name}",
        fits=tuple(fit_for(column, strict=table.strict) for column in columns),
        collations=key_collations(connection, table, loading.key),
        wanted=_wanted(connection, table, loading, foreign_keys, shown),
        foreign_keys=foreign_keys,
        careful=has_halfway_triggers(connection, table),
        defers=_leads_to_itself(table, foreign_keys),
        adds=adds,
    )


def has_halfway_triggers(connection: sqlite3.Connection, table: Table) -> bool:
    triggers = connection.execute(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ? COLLATE NOCASE", (table.name,)
    )
    return any(HALFWAY.search(sql) for (sql,) in triggers)


def _wanted(
    connection: sqlite3.Connection, table: Table, loading: Loading, foreign_keys: tuple[ForeignKey, ...], shown: str
) -> tuple[Wanted, ...]:
    """The foreign keys that are checked at commit, when no row can be refused any more."""
    late = DEFERRED.search(table.ddl) is not None or _leads_to_itself(table, foreign_keys)
    return tuple(
        Wanted(
            parent=parent,
            itself=is_same(parent.table, table.name),
            collations=_parent_collations(connection, parent, shown),
        )
        for parent in foreign_keys
        if late and set(parent.columns) <= set(loading.columns)
    )


def _leads_to_itself(table: Table, foreign_keys: tuple[ForeignKey, ...]) -> bool:
    return any(is_same(parent.table, table.name) for parent in foreign_keys)


def _parent_collations(connection: sqlite3.Connection, parent: ForeignKey, shown: str) -> tuple[str, ...]:
    return key_collations(connection, look(connection, parent.table, shown=shown), parent.key)
