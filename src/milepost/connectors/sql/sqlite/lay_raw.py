"""Lay a source's keys into a temporary table as they are: with the types that they were read with."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from milepost.connectors.sql.fit import Misfit
from milepost.connectors.sql.sqlite.describe import Table
from milepost.connectors.sql.sqlite.each import guarded
from milepost.connectors.sql.sqlite.position import bound, is_utf8
from milepost.connectors.sql.sqlite.values import LARGEST, SMALLEST, fit_for
from milepost.migration.source import Key

LAID = "temp.milepost_sought"
OWN = frozenset({int, float, str, bytes})  # what SQLite itself gives


def laid_raw(key: tuple[str, ...]) -> str:
    """The keys as a query. The unary plus takes the affinity away, so that it is the source's that counts."""
    return f"SELECT {', '.join(f'+k{place}' for place in range(len(key)))} FROM {LAID}"


def lay_raw(connection: sqlite3.Connection, table: Table, key: tuple[str, ...], keys: Sequence[Key]) -> None:
    """Lay the keys. One that the source could not hold is left out, for it is nobody's."""
    names = ", ".join(f"k{place}" for place in range(len(key)))
    marks = ", ".join("?" * len(key))
    plain: list[Key] = []
    odd: list[Key] = []
    for each in _held(table, key, keys):
        (plain if all(not isinstance(value, str) or is_utf8(value) for value in each) else odd).append(each)
    with guarded(connection, "milepost_lay"):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {LAID} ({names})")
        connection.execute(f"DELETE FROM {LAID}")
        connection.executemany(f"INSERT INTO {LAID} VALUES ({marks})", plain)
        for each in odd:
            written, values = bound(each)
            connection.execute(f"INSERT INTO {LAID} VALUES ({written})", values)


def _held(table: Table, key: tuple[str, ...], keys: Sequence[Key]) -> Iterator[Key]:
    for each in keys:
        try:
            yield tuple(_own(table, name, value) for name, value in zip(key, each, strict=True))
        except Misfit:
            continue


def _own(table: Table, name: str, value: Any) -> Any:
    """The value with a type of SQLite's: a decimal or date of another database becomes what the column would hold."""
    column = table.description.column(name)
    if type(value) not in OWN and column is not None and value is not None:
        value = fit_for(column, strict=table.strict).convert(value)
    if isinstance(value, int) and not SMALLEST <= value <= LARGEST:
        raise Misfit(f"{value} is beyond SQLite's 64-bit integers")
    return value
