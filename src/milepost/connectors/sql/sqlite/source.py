"""Rows out of a SQLite table, view or query, by key, in SQLite's own order."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Generator, Sequence
from functools import cached_property
from typing import Any

from milepost.connectors.sql.sqlite.describe import Table, Unique, collation_of, look, require
from milepost.connectors.sql.sqlite.extent import bounds, extent_of
from milepost.connectors.sql.sqlite.fault import fault, plan_fault
from milepost.connectors.sql.sqlite.lay_raw import laid_raw, lay_raw
from milepost.connectors.sql.sqlite.position import between, keyed
from milepost.connectors.sql.sqlite.quote import listed, quote
from milepost.databases.sqlite import connect_read_only
from milepost.databases.url import sqlite_path
from milepost.errors import PlanError
from milepost.migration.chunks import in_chunks
from milepost.migration.description import Description
from milepost.migration.source import Extent, Key, Row

QUERY = "milepost_query"
COMPOUND = re.compile(r"\b(UNION|INTERSECT|EXCEPT)\b", re.IGNORECASE)


class SqliteSource:
    """A Source over one table or view (``name``) or one SELECT (``sql``), perhaps narrowed by ``where``.

    Values come as SQLite has them, each with its own type: None, int, float, str, bytes. Text that is not valid UTF-8
    comes with lone surrogates in place of the bytes that are not (as ``surrogateescape`` makes them).
    """

    def __init__(
        self,
        url: str,
        *,
        name: str | None,
        sql: str | None,
        key: tuple[str, ...],
        columns: tuple[str, ...] | None,
        where: str | None,
        modified: str | None = None,
    ) -> None:
        self.key = key
        self._url = url
        self._path = sqlite_path(url)
        self._name = name
        self._sql = sql
        self._columns = columns
        self._where = where
        self._modified = modified
        self._opened: sqlite3.Connection | None = None

    @cached_property
    def columns(self) -> tuple[str, ...]:
        chosen = self._columns if self._columns is not None else self._table.description.names
        return chosen + tuple(name for name in self.key if name not in chosen)

    def describe(self) -> Description:
        whole = self._table.description
        chosen = tuple(column for name in self.columns if (column := whole.column(name)) is not None)
        return Description(name=self._shown, columns=chosen, unique_keys=whole.unique_keys, is_table=whole.is_table)

    def check_key(self) -> None:
        try:
            if not self._is_guaranteed():
                self._refuse_null_keys()
                self._refuse_double_keys()
        except sqlite3.Error as error:
            raise plan_fault(error, self._where_it_is) from error

    def highest(self) -> Key | None:
        columns = keyed(self.key, plain=self._is_plain)
        downwards = ", ".join(f"{column} DESC" for column in columns)
        return self._one(f"SELECT {listed(self.key)} FROM {self._from}{self._filter([])} ORDER BY {downwards} LIMIT 1")

    def count(self, upto: Key | None) -> int | None:
        conditions, parameters = between(keyed(self.key, plain=self._is_plain), None, upto)
        row = self._one(f"SELECT count(*) FROM {self._from}{self._filter(conditions)}", parameters)
        return int(row[0]) if row else 0

    def extent(self, after: Key | None, upto: Key | None) -> Extent:
        conditions, parameters = between(keyed(self.key, plain=self._is_plain), after, upto)
        wanted = "count(*)" if self._modified is None else f"count(*), {bounds(self._modified)}"
        row = self._one(f"SELECT {wanted} FROM {self._from}{self._filter(conditions)}", parameters)
        return extent_of(row or (0,))

    def find(self, keys: Sequence[Key]) -> list[Row]:
        if not keys:
            return []
        columns = keyed(self.key, plain=self._is_plain)
        order = ", ".join(columns)
        try:
            lay_raw(self._connection, self._table, self.key, keys)
        except sqlite3.Error as error:
            raise fault(error, self._where_it_is) from error
        some = [f"({order}) IN ({laid_raw(self.key)})"]
        sql = f"SELECT {listed(self.columns)} FROM {self._from}{self._filter(some)} ORDER BY {order}"
        return self._every(sql)

    def read(self, after: Key | None, upto: Key | None, chunk: int) -> Generator[list[Row], None, None]:
        places = [self.columns.index(name) for name in self.key]
        while True:
            cursor = self._query(after, upto)
            try:
                for rows in in_chunks(cursor.fetchmany, chunk):
                    yield rows
                    after = tuple(rows[-1][place] for place in places)
                return
            except sqlite3.Error as error:
                if not self._becomes_lenient(error):
                    raise fault(error, self._where_it_is) from error
            finally:
                if cursor.connection is self._opened:  # one that was closed in the middle of a read took it with it
                    cursor.close()

    def close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @property
    def _where_it_is(self) -> str:
        return f"{self._path}: {self._shown}"

    @property
    def _shown(self) -> str:
        return self._name if self._name is not None else "the query"

    @property
    def _from(self) -> str:
        return self._table.quoted

    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._opened = connect_read_only(self._path)
            if self._sql is not None:
                self._name_query(self._opened, self._sql)
        return self._opened

    def _name_query(self, connection: sqlite3.Connection, sql: str) -> None:
        """Give the query a name, as a view of this connection alone: what is not one SELECT is refused here."""
        try:
            connection.execute(f"CREATE TEMP VIEW {QUERY} AS {sql.strip().rstrip(';')}")
            connection.execute(f"SELECT * FROM temp.{QUERY} LIMIT 0")
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise PlanError(
                f"{self._path}: the query cannot be read: {error}", hint="Write one SELECT, without parameters."
            ) from error

    @cached_property
    def _table(self) -> Table:
        """What is to be read. Every name is checked: SQLite takes a quoted name that is no column for a text."""
        connection = self._connection
        try:
            if self._name is None:
                table = look(connection, QUERY, schema="temp", shown=str(self._path))
            else:
                table = look(connection, self._name, shown=str(self._path))
            require(table.description, self.key, "the key")
            require(table.description, self._columns or (), "columns=")
            require(table.description, filter(None, [self._modified]), "modified=")
            if self._where is not None:
                connection.execute(f"SELECT 1 FROM {table.quoted} WHERE ({self._where}\n) LIMIT 0")
        except sqlite3.Error as error:
            raise plan_fault(error, self._where_it_is) from error
        return table

    @cached_property
    def _is_plain(self) -> bool:
        """Whether key columns are plain columns of a table, or of views and queries that combine no selects."""
        if self._table.description.is_table:
            return True
        views = "SELECT sql FROM {}.sqlite_master WHERE type = 'view'"
        both = f"{views.format('main')} UNION ALL {views.format('temp')}"
        return not any(COMPOUND.search(sql) for (sql,) in self._connection.execute(both))

    def _filter(self, conditions: list[str]) -> str:
        own = [] if self._where is None else [f"({self._where}\n)"]  # a line of its own: it may end in a comment
        every = own + conditions
        return f" WHERE {' AND '.join(every)}" if every else ""

    def _query(self, after: Key | None, upto: Key | None) -> sqlite3.Cursor:
        columns = keyed(self.key, plain=self._is_plain)
        conditions, parameters = between(columns, after, upto)
        order = ", ".join(columns)
        sql = f"SELECT {listed(self.columns)} FROM {self._from}{self._filter(conditions)} ORDER BY {order}"
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.Error as error:
            raise fault(error, self._where_it_is) from error

    def _one(self, sql: str, parameters: tuple[Any, ...] = ()) -> Row | None:
        try:
            row: Row | None = self._connection.execute(sql, parameters).fetchone()
        except sqlite3.Error as error:
            if self._becomes_lenient(error):
                return self._one(sql, parameters)
            raise fault(error, self._where_it_is) from error
        return row

    def _becomes_lenient(self, error: sqlite3.Error) -> bool:
        """Take text that is not valid UTF-8 as escapes from now on, if that is what the error is about.

        Not from the start: decoding in Python is slow, and hardly any source needs it.
        """
        if "Could not decode to UTF-8" not in str(error) or self._connection.text_factory is not str:
            return False
        self._connection.text_factory = _decode
        return True

    def _every(self, sql: str) -> list[Row]:
        try:
            return self._connection.execute(sql).fetchall()
        except sqlite3.Error as error:
            if self._becomes_lenient(error):
                return self._every(sql)
            raise fault(error, self._where_it_is) from error

    def _is_guaranteed(self) -> bool:
        """Whether a unique index covers the key, or part of it, under the order's own collations, without NULL."""
        table = self._table
        columns = [table.description.column(name) for name in self.key]
        if any(column is None or column.nullable for column in columns):
            return False
        return any(set(unique.columns) <= set(self.key) and self._orders_like(unique) for unique in table.uniques)

    def _orders_like(self, unique: Unique) -> bool:
        pairs = zip(unique.columns, unique.collations, strict=True)
        return all(collation_of(self._connection, self._from, name) == collation for name, collation in pairs)

    def _refuse_null_keys(self) -> None:
        missing = " OR ".join(f"{quote(name)} IS NULL" for name in self.key)
        row = self._one(f"SELECT {listed(self.key)} FROM {self._from}{self._filter([f'({missing})'])} LIMIT 1")
        if row is not None:
            raise PlanError(
                f"{self._where_it_is}: the key {self._told(row)} holds NULL",
                hint="Name a key that every row has, or leave such rows out: Table(..., where=...).",
            )

    def _refuse_double_keys(self) -> None:
        columns = keyed(self.key, plain=self._is_plain)
        grouped = f"GROUP BY {', '.join(columns)} HAVING count(*) > 1 LIMIT 1"
        row = self._one(f"SELECT {listed(self.key)}, count(*) FROM {self._from}{self._filter([])} {grouped}")
        if row is not None:
            raise PlanError(
                f"{self._where_it_is}: the key {self._told(row[:-1])} is held by {row[-1]} rows",
                hint="Name a key that is unique (add columns to it), or leave the others out: Table(..., where=...).",
            )

    def _told(self, key: Key) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in zip(self.key, key, strict=True))


def _decode(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")
