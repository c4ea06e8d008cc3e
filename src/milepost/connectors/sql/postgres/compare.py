"""Compare rows with a table of PostgreSQL, on a connection that can write temporary tables and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import IsolationLevel, sql

from milepost.connectors.sql.postgres.copy import copy_rows
from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.find import find_rows
from milepost.connectors.sql.postgres.keys import KeyColumns
from milepost.connectors.sql.postgres.loaders import use_exact_loaders
from milepost.connectors.sql.postgres.shape import look
from milepost.connectors.sql.postgres.stage import Stage
from milepost.connectors.sql.postgres.statements import equal, listed, with_parameters
from milepost.databases.postgres import connect
from milepost.migration.description import Column
from milepost.migration.keys import readable
from milepost.migration.source import Key, Row
from milepost.migration.target import Compared, Difference, Loading

EXPECTED = sql.Identifier("pg_temp", "milepost_expected")
MOST_COLUMNS = 500  # told at a time: a result may have 1664, and each comes twice
NOT_EXPECTED = "{} AS t WHERE NOT EXISTS (SELECT FROM {} AS e WHERE {})"


class PostgresComparing:
    """See :class:`milepost.migration.target.Comparing`.

    Every transaction is READ ONLY, which leaves temporary tables writable, but for those in which these are made: one
    for the rows, one for the keys, however many batches there are.
    """

    def __init__(self, url: str, name: str, columns: tuple[str, ...], key: tuple[str, ...]) -> None:
        self._name = name
        self._loading = Loading(columns=columns, key=key, fresh=False)
        self._connection = connect(url, read_only=True)
        try:
            self._connection.isolation_level = IsolationLevel.REPEATABLE_READ  # a row stays while it is looked at
            self._shapes = {name: look(self._connection, name)}
            self._shape = self._shapes[name]
            fitted = tuple(self._shape.column(each) for each in columns)
            self._stage = Stage(self._connection, self._shape.relation, fitted, self._loading)
            self._make(self._stage.statements.make())
        except BaseException:
            self._connection.close()
            raise
        self._is_analyzed = False
        self._expects = False

    def compare(self, rows: Sequence[Row]) -> Compared:
        _, fitted = self._shape.fit(rows, self._loading)
        staged = [(place, *row) for place, row in zip(fitted.places, fitted.rows, strict=True)]
        with faults(f"comparing {self._name}"), self._connection.transaction():
            refused = [*fitted.refused, *self._stage.fill(staged)]
            if not self._is_analyzed:  # once: the planner then knows what to expect of every batch
                self._connection.execute(sql.SQL("ANALYZE {}").format(self._stage.table))
                self._is_analyzed = True
            found = self._connection.execute(self._stage.statements.compare()).fetchall()
            missing = sorted(index for index, is_missing in found if is_missing)
            differing = self._tell(sorted(index for index, is_missing in found if not is_missing))
        refused.sort(key=lambda one: one.index)
        return Compared(
            equal=len(rows) - len(refused) - len(missing) - len(differing),
            missing=tuple(missing),
            differing=differing,
            refused=tuple(refused),
        )

    def find(self, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]) -> list[Row | None]:
        if table not in self._shapes:
            self._shapes[table] = look(self._connection, table)
        return find_rows(self._connection, self._shapes[table], key, wanted, keys)

    def count(self) -> int:
        with faults(f"counting {self._name}"):
            return self._one(sql.SQL("SELECT count(*) FROM {}").format(self._shape.relation.identifier))

    def expect(self, keys: Sequence[Key]) -> None:
        fitted = KeyColumns(tuple(self._shape.result(name) for name in self._loading.key)).fit(keys)
        statement = sql.SQL("COPY {} FROM STDIN").format(EXPECTED)
        with faults(f"comparing {self._name}"):
            self._expect_nothing_yet()
            with self._connection.transaction():
                # A key that is refused can be no row's, and so makes none expected.
                copy_rows(self._connection, statement, fitted.rows, f"comparing {self._name}")

    def extra(self, most: int) -> tuple[int, list[Key]]:
        key = self._loading.key
        rows = sql.SQL(NOT_EXPECTED).format(self._shape.relation.identifier, EXPECTED, equal("e", key, "t", key))
        first = sql.SQL("SELECT {0} FROM {1} ORDER BY {0} LIMIT {2}").format(listed(key), rows, sql.Literal(most))
        with faults(f"comparing {self._name}"):
            self._expect_nothing_yet()
            with self._connection.transaction(), self._connection.cursor() as cursor:
                self._connection.execute(sql.SQL("ANALYZE {}").format(EXPECTED))
                count = self._one(sql.SQL("SELECT count(*) FROM {}").format(rows))
                use_exact_loaders(cursor, (self._shape.result(name).loads for name in key))
                return count, cursor.execute(first).fetchall() if count and most else []

    def close(self) -> None:
        self._connection.close()

    def _make(self, table: sql.Composed) -> None:
        with faults(f"comparing {self._name}"), self._connection.transaction():
            self._connection.execute("SET TRANSACTION READ WRITE")
            self._connection.execute(table)

    def _expect_nothing_yet(self) -> None:
        """Make the table of expected keys, the first time that it is needed."""
        if self._expects:
            return
        query = "CREATE TEMP TABLE {} ON COMMIT PRESERVE ROWS AS SELECT {} FROM {} WITH NO DATA"
        names = listed(self._loading.key)
        self._make(sql.SQL(query).format(EXPECTED, names, self._shape.relation.identifier))
        self._expects = True

    def _tell(self, indexes: list[int]) -> tuple[Difference, ...]:
        """In what these rows differ."""
        others = self._stage.statements.others
        found: dict[int, dict[str, tuple[Any, Any]]] = {index: {} for index in indexes}
        for start in range(0, len(others) if indexes else 0, MOST_COLUMNS):
            some = others[start : start + MOST_COLUMNS]
            for index, differ, *values in self._values(some, indexes):
                for place, column in enumerate(some):
                    if differ[place]:
                        found[index][column.name] = readable(values[place]), readable(values[len(some) + place])
        return tuple(Difference(index=index, columns=columns) for index, columns in found.items())

    def _values(self, columns: Sequence[Column], indexes: list[int]) -> list[Row]:
        with self._connection.cursor() as cursor:
            use_exact_loaders(cursor, (self._shape.result(each.name).loads for each in columns))
            query = with_parameters(self._stage.statements.tell(columns))
            return cursor.execute(query, {"some": indexes}, prepare=False).fetchall()

    def _one(self, query: sql.Composed) -> int:
        found = self._connection.execute(query).fetchone()
        return int(found[0]) if found else 0
