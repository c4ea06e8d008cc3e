"""Rows into a SQLite table, inside the caller's transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from milepost.connectors.sql.fit import Fitted, fit_rows
from milepost.connectors.sql.sqlite.comparing import SqliteComparing
from milepost.connectors.sql.sqlite.delete import delete_rows, find_referring
from milepost.connectors.sql.sqlite.describe import look, require
from milepost.connectors.sql.sqlite.direct import load_directly
from milepost.connectors.sql.sqlite.draw import draw_defaults, draw_rowids
from milepost.connectors.sql.sqlite.fault import fault, plan_fault
from milepost.connectors.sql.sqlite.find import Finder
from milepost.connectors.sql.sqlite.into import Into, look_into
from milepost.connectors.sql.sqlite.stage import load_staged, update_staged
from milepost.connectors.sql.sqlite.triggers import triggers_of
from milepost.databases.sqlite import connect_read_only
from milepost.databases.url import sqlite_path
from milepost.errors import PlanError
from milepost.migration.description import Description
from milepost.migration.source import Key, Row
from milepost.migration.target import Loaded, Loading, Refused


class SqliteTarget:
    """A Target over one table of a SQLite file. ``key`` names the columns that an upsert matches on."""

    def __init__(self, url: str, *, name: str, key: tuple[str, ...]) -> None:
        self._path = sqlite_path(url)
        self._name = name
        self._key = key
        self._opened: sqlite3.Connection | None = None
        self._into: dict[tuple[Loading, bool], Into] = {}
        self._finder = Finder(str(self._path))
        self._drawn = 0  # the highest rowid that was drawn: its row may have been refused

    def describe(self) -> Description:
        if self._opened is None:
            self._opened = connect_read_only(self._path)
        try:
            table = look(self._opened, self._name, shown=str(self._path))
            triggers = triggers_of(self._opened, table.name)
        except sqlite3.Error as error:
            raise plan_fault(error, self._place) from error
        if not table.description.is_table:
            raise PlanError(f"{self._place} is a view", hint="Name the table that the rows are to go to.")
        return replace(table.description, triggers=triggers)

    def is_empty(self, connection: Any) -> bool:
        try:
            table = look(connection, self._name, shown=str(self._path))
            return connection.execute(f"SELECT 1 FROM {table.quoted} LIMIT 1").fetchone() is None
        except sqlite3.Error as error:
            raise fault(error, self._place) from error

    def load(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        return self._write(connection, rows, loading, adds=True)

    def update(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        return self._write(connection, rows, loading, adds=False)

    def _write(self, connection: sqlite3.Connection, rows: Sequence[Row], loading: Loading, *, adds: bool) -> Loaded:
        try:
            into = self._into.get((loading, adds))
            if into is None:
                into = look_into(connection, self._name, loading, str(self._path), adds=adds)
                self._into[loading, adds] = into
            fitted = fit_rows(rows, into.fits)
            load = load_staged if into.staged else load_directly
            return _in_places(fitted, (load if adds else update_staged)(connection, fitted.rows, into))
        except sqlite3.Error as error:
            raise fault(error, self._place) from error

    def delete(self, connection: Any, keys: Sequence[Key]) -> Loaded:
        try:
            sought = self._finder.keyed(connection, self._name, self._key)
            return delete_rows(connection, sought, keys)
        except sqlite3.Error as error:
            raise fault(error, self._place) from error

    def referring(self, connection: Any, columns: tuple[str, ...], keys: Sequence[Key]) -> list[tuple[Key, Key]]:
        try:
            return find_referring(connection, self._finder.keyed(connection, self._name, columns), self._key, keys)
        except sqlite3.Error as error:
            raise fault(error, self._place) from error

    def find(
        self, connection: Any, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]
    ) -> list[Row | None]:
        try:
            return self._finder.find(connection, table, key, wanted, keys)
        except sqlite3.Error as error:
            raise fault(error, f"{self._path}: {table}") from error

    def draw_ids(self, connection: Any, column: str, count: int) -> list[Any]:
        if count < 1:
            return []
        try:
            table = look(connection, self._name, shown=str(self._path))
            require(table.description, [column], "id=")
            if column != table.rowid:
                return draw_defaults(connection, self._finder.keyed(connection, self._name, (column,)), count)
            drawn = draw_rowids(connection, table, column, count, self._drawn)
        except sqlite3.Error as error:
            raise fault(error, self._place) from error
        self._drawn = drawn[-1]
        return list(drawn)

    def comparing(self, columns: tuple[str, ...], key: tuple[str, ...]) -> SqliteComparing:
        return SqliteComparing(self._path, self._name, columns, key)

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @property
    def _place(self) -> str:
        return f"{self._path}: {self._name}"


def _in_places(fitted: Fitted, loaded: Loaded) -> Loaded:
    """What became of the fitted rows, told of the batch that they came from."""
    moved = [Refused(index=fitted.places[each.index], stage=each.stage, reason=each.reason) for each in loaded.refused]
    refused = sorted([*fitted.refused, *moved], key=lambda each: each.index)
    return Loaded(loaded=loaded.loaded, unchanged=loaded.unchanged, refused=tuple(refused))
