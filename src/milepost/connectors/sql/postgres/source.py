"""Read a table, a view or a query of PostgreSQL by key."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import psycopg
from psycopg import IsolationLevel, sql

from milepost.connectors.sql.postgres.extent import aggregates, extent_of, has_highest
from milepost.connectors.sql.postgres.fault import fault, faults
from milepost.connectors.sql.postgres.keys import KeyColumns, ask
from milepost.connectors.sql.postgres.loaders import use_exact_loaders
from milepost.connectors.sql.postgres.relation import Relation, find, no_column
from milepost.connectors.sql.postgres.types import ResultColumn, column, result_columns
from milepost.databases.postgres import connect
from milepost.errors import MilepostError, PlanError
from milepost.migration.chunks import in_chunks
from milepost.migration.description import Description
from milepost.migration.source import Extent, Key, Row


class PostgresSource:
    """A table or view ``name`` (``schema.name``), limited by ``columns`` and ``where``; or a query ``sql``.

    Reads on a connection of its own, which cannot write. A read is one snapshot (REPEATABLE READ), through a cursor on
    the server, so that memory does not grow with rows.
    """

    def __init__(
        self,
        url: str,
        *,
        name: str | None = None,
        sql: str | None = None,
        key: tuple[str, ...],
        columns: tuple[str, ...] | None = None,
        where: str | None = None,
        modified: str | None = None,
    ) -> None:
        self.url = url
        self.key = key
        self.name = name or "the query"
        self._table = name
        self._query = sql
        self._wanted = columns
        self._where = where
        self._modified = modified
        self._connection: psycopg.Connection[Any] | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """What a row holds, in order; the columns of key and modified that ``columns`` does not name come last."""
        return tuple(each.name for each in self._columns)

    def describe(self) -> Description:
        """See :class:`milepost.migration.source.Source`. Also raises PlanError for SQL that PostgreSQL refuses."""
        relation = self._relation
        attributes = relation.attributes if relation else {}
        return Description(
            name=self.name,
            columns=tuple(
                column(each, nullable=each.name not in attributes or not attributes[each.name].not_null)
                for each in self._columns
            ),
            unique_keys=tuple(relation.unique_indexes.values()) if relation else (),
            is_table=relation is not None and relation.is_table,
        )

    def check_key(self) -> None:
        relation, key = self._relation, sql.SQL(", ").join(map(sql.Identifier, self.key))
        if not self._never_null(relation):
            condition = sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(sql.Identifier(each)) for each in self.key)
            found = self._first(sql.SQL("SELECT {} FROM {} WHERE {} LIMIT 1").format(key, self._rows, condition))
            if found is not None:
                raise self._bad_key(f"holds NULL: ({_shown(found)})")
        if not self._never_twice(relation):
            twice = sql.SQL("SELECT {0} FROM {1} GROUP BY {0} HAVING count(*) > 1 LIMIT 1")
            found = self._first(twice.format(key, self._rows))
            if found is not None:
                raise self._bad_key(f"has the same value in several rows: ({_shown(found)})")

    def highest(self) -> Key | None:
        key = sql.SQL(", ").join(map(sql.Identifier, self.key))
        order = sql.SQL(", ").join(sql.SQL("{} DESC").format(sql.Identifier(each)) for each in self.key)
        return self._first(sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT 1").format(key, self._rows, order))

    def count(self, upto: Key | None) -> int | None:
        query = sql.SQL("SELECT count(*) FROM {}{}").format(self._rows, self._range(None, upto))
        found = self._first(query)
        return None if found is None else int(found[0])

    def read(self, after: Key | None, upto: Key | None, chunk: int) -> Generator[list[Row], None, None]:
        query = sql.SQL("SELECT {} FROM {}{} ORDER BY {}").format(
            sql.SQL(", ").join(map(sql.Identifier, self.columns)),
            self._rows,
            self._range(after, upto),
            sql.SQL(", ").join(map(sql.Identifier, self.key)),
        )
        connection = self._connected
        with faults(f"reading {self.name}"), connection.transaction(), _read_cursor(connection) as cursor:
            use_exact_loaders(cursor, (each.loads for each in self._columns))
            cursor.execute(query)
            yield from in_chunks(cursor.fetchmany, chunk)

    def extent(self, after: Key | None, upto: Key | None) -> Extent:
        modified = next((each for each in self._columns if each.name == self._modified), None)
        query = sql.SQL("SELECT {} FROM {}{}").format(aggregates(modified), self._rows, self._range(after, upto))
        return extent_of(self._first(query) or (0,))

    def find(self, keys: Sequence[Key]) -> list[Row]:
        by_name = {each.name: each for each in self._columns}
        of = KeyColumns(tuple(by_name[name] for name in self.key))
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        question = sql.SQL("SELECT {0} FROM {1} WHERE ({2}) IN (SELECT {3} FROM {4}) ORDER BY {2}").format(
            columns, _doubled(self._rows), of.names, of.values, of.listed
        )
        with faults(f"reading {self.name}"):
            return ask(self._connected, question, of, keys, self._columns)[0]

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    @property
    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.url, read_only=True)
            self._connection.isolation_level = IsolationLevel.REPEATABLE_READ
        return self._connection

    @cached_property
    def _relation(self) -> Relation | None:
        if self._table is None:
            return None
        with faults(f"looking at {self.name}"):
            return find(self._connected, self._table)

    @cached_property
    def _rows(self) -> sql.Composable:
        """What stands behind FROM. The line ends keep a comment in the user's SQL from going on into ours."""
        if self._relation is None:
            return sql.SQL("(\n{}\n) AS milepost_rows").format(_as_is((self._query or "").rstrip().rstrip(";")))
        if self._where is None:
            return self._relation.identifier
        table, where = self._relation.identifier, _as_is(self._where)
        return sql.SQL("(SELECT * FROM {} WHERE (\n{}\n)) AS milepost_rows").format(table, where)

    @cached_property
    def _columns(self) -> tuple[ResultColumn, ...]:
        try:
            found = result_columns(self._connected, sql.SQL("SELECT * FROM {} LIMIT 0").format(self._rows))
        except psycopg.Error as error:
            raise self._refused(error) from error
        by_name = {each.name: each for each in found}
        twice = [each.name for each in found if [other.name for other in found].count(each.name) > 1]
        if twice:
            raise PlanError(
                f"{self.name} has two columns called {twice[0]}", hint="Give one of them another name (AS)."
            )
        names = self._wanted if self._wanted is not None else tuple(by_name)
        names = (*names, *(each for each in self.key if each not in names))
        if self._modified is not None and self._modified not in names:
            names = (*names, self._modified)
        for name in names:
            if name not in by_name:
                raise no_column(self.name, name, tuple(by_name))
        if self._modified is not None and not has_highest(by_name[self._modified]):
            raise PlanError(
                f"{self.name}: the column {self._modified}, which modified= names, holds lists",
                hint="Name a column of numbers, dates, times or texts that grows with every change.",
            )
        return tuple(by_name[name] for name in names)

    def _range(self, after: Key | None, upto: Key | None) -> sql.Composable:
        """The condition for ``(after, upto]``, every comparison being the database's own."""
        ends = [(">", after), ("<=", upto)]
        conditions = [
            sql.SQL("({}) {} ({})").format(
                sql.SQL(", ").join(map(sql.Identifier, self.key)), sql.SQL(sign), self._literals(key)
            )
            for sign, key in ends
            if key is not None
        ]
        return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")

    def _literals(self, key: Key) -> sql.Composable:
        natives = {each.name: each.native for each in self._columns}
        return key_literals(key, [natives[name] for name in self.key])

    def _first(self, query: sql.Composed) -> Row | None:
        with self._connected.cursor() as cursor:
            use_exact_loaders(cursor, (each.loads for each in self._columns))
            try:
                row: Row | None = cursor.execute(query).fetchone()
            except psycopg.Error as error:
                raise self._refused(error) from error
            return row

    def _never_null(self, relation: Relation | None) -> bool:
        return relation is not None and all(
            name in relation.attributes and relation.attributes[name].not_null for name in self.key
        )

    def _never_twice(self, relation: Relation | None) -> bool:
        return (
            relation is not None
            and not relation.inherited
            and any(unique <= frozenset(self.key) for unique in relation.unique_indexes.values())
        )

    def _bad_key(self, what: str) -> PlanError:
        return PlanError(
            f"{self.name}: the key ({', '.join(self.key)}) {what}",
            hint="Choose columns that identify a row, or leave such rows out (where=).",
        )

    def _refused(self, error: psycopg.Error) -> MilepostError:
        """SQL that cannot be executed is a mistake in the plan; anything else a fault."""
        found = fault(error, f"reading {self.name}")
        if error.sqlstate is not None and error.sqlstate[:2] in {"42", "22", "0A"}:
            return PlanError(found.message, hint=error.diag.message_hint)
        return found


def key_literals(key: Key, natives: Sequence[str]) -> sql.Composable:
    """The key's values as text with a cast to their columns' own types, so that nothing is rounded on the way."""
    return sql.SQL(", ").join(
        sql.SQL("{}::{}").format(sql.Literal(_text(value)), _as_is(native))
        for value, native in zip(key, natives, strict=True)
    )


def _doubled(query: sql.Composable) -> sql.SQL:
    """Finished SQL, for a statement that parameters go along with."""
    return sql.SQL(query.as_string(None).replace("%", "%%"))


def _as_is(text: str) -> sql.SQL:
    """SQL that the user wrote, or a type's name as PostgreSQL writes it."""
    return sql.SQL(text)


def _text(value: Any) -> str:
    """A key's value as PostgreSQL reads it."""
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    return repr(value) if isinstance(value, float) else str(value)


def _shown(key: Row) -> str:
    return ", ".join("NULL" if value is None else str(value) for value in key)


@contextmanager
def _read_cursor(connection: psycopg.Connection[Any]) -> Iterator[psycopg.ServerCursor[Any]]:
    """A cursor on the server. Who gives up reading is not told that the connection is gone: nothing is lost by it."""
    cursor = connection.cursor("milepost_read")
    try:
        yield cursor
    finally:
        with suppress(psycopg.OperationalError):  # it ends with its transaction
            cursor.close()
