"""Load rows into a table of PostgreSQL, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fitted
from milepost.connectors.sql.postgres.compare import PostgresComparing
from milepost.connectors.sql.postgres.copy import copy_rows
from milepost.connectors.sql.postgres.delete import delete_rows
from milepost.connectors.sql.postgres.draw import draw
from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.find import find_referring, find_rows
from milepost.connectors.sql.postgres.relation import Relation
from milepost.connectors.sql.postgres.shape import Shape, look
from milepost.connectors.sql.postgres.stage import load_staged
from milepost.connectors.sql.postgres.update import update_staged
from milepost.databases.postgres import connect
from milepost.migration.description import Description
from milepost.migration.source import Key, Row
from milepost.migration.target import Loaded, Loading, Refused


class PostgresTarget:
    """The table ``name`` (``schema.name``), whose rows ``key`` identifies."""

    def __init__(self, url: str, *, name: str, key: tuple[str, ...]) -> None:
        self.url = url
        self.name = name
        self.key = key
        self._shapes: dict[str, Shape] = {}

    def describe(self) -> Description:
        """See :class:`milepost.migration.target.Target`. Looks anew each time, on a connection that cannot write."""
        with connect(self.url, read_only=True) as connection:
            self._shapes = {self.name: look(connection, self.name)}
        return self._shapes[self.name].description

    def is_empty(self, connection: Any) -> bool:
        query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(self._known(connection).relation.identifier)
        with faults(f"looking at {self.name}"):
            return bool(connection.execute(query).fetchone()[0])

    def load(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        """See :class:`milepost.migration.target.Target`.

        What is DEFERRED to the commit is checked at once, when all rows of the batch are in: so its rows are found too.
        """
        shape = self._known(connection)
        columns, fitted = shape.fit(rows, loading)
        with faults(f"loading {self.name}"):
            if loading.fresh and not loading.last_wins:
                return _load_directly(connection, shape.relation, fitted, loading)
            return load_staged(connection, shape.relation, columns, fitted, loading)

    def update(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        shape = self._known(connection)
        columns, fitted = shape.fit(rows, loading)
        with faults(f"updating {self.name}"):
            return update_staged(connection, shape.relation, columns, fitted, loading)

    def delete(self, connection: Any, keys: Sequence[Key]) -> Loaded:
        shape = self._known(connection)
        with faults(f"deleting from {self.name}"):
            return delete_rows(connection, shape, self.key, keys)

    def find(
        self, connection: Any, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]
    ) -> list[Row | None]:
        return find_rows(connection, self._known(connection, table), key, wanted, keys)

    def referring(self, connection: Any, columns: tuple[str, ...], keys: Sequence[Key]) -> list[tuple[Key, Key]]:
        return find_referring(connection, self._known(connection), columns, self.key, keys)

    def draw_ids(self, connection: Any, column: str, count: int) -> list[Any]:
        """See :class:`milepost.migration.target.Target`.

        Raises Fatal where a sequence lags behind the rows of the table.
        """
        return draw(connection, self._known(connection), column, count)

    def comparing(self, columns: tuple[str, ...], key: tuple[str, ...]) -> PostgresComparing:
        return PostgresComparing(self.url, self.name, columns, key)

    def close(self) -> None:
        """Nothing stays open: to describe opens and closes its own connection."""

    def _known(self, connection: psycopg.Connection[Any], name: str | None = None) -> Shape:
        """What there is to know of a table, this one if not otherwise said; looked at once."""
        name = self.name if name is None else name
        if name not in self._shapes:
            self._shapes[name] = look(connection, name)
        return self._shapes[name]


def _load_directly(connection: psycopg.Connection[Any], relation: Relation, fitted: Fitted, loading: Loading) -> Loaded:
    """COPY straight into the table."""
    columns = sql.SQL(", ").join(map(sql.Identifier, loading.columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(relation.identifier, columns)

    def is_key(index: str | None) -> bool:
        return relation.unique_indexes.get(index or "") == frozenset(loading.key)

    found = copy_rows(connection, statement, fitted.rows, f"loading {relation.name}", is_key, relation)
    refused = [Refused(index=fitted.places[one.index], stage=one.stage, reason=one.reason) for one in found]
    every = sorted([*fitted.refused, *refused], key=lambda one: one.index)
    return Loaded(loaded=len(fitted.rows) - len(refused), unchanged=0, refused=tuple(every))
