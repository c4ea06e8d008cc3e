"""Load rows into a table of PostgreSQL, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fit, Fitted, fit_rows, without
from milepost.connectors.sql.postgres.copy import copy_rows
from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.parents import find_orphans
from milepost.connectors.sql.postgres.relation import Relation, find, no_column
from milepost.connectors.sql.postgres.stage import load_staged
from milepost.connectors.sql.postgres.types import column, result_columns
from milepost.connectors.sql.postgres.values import fit_for
from milepost.databases.postgres import connect
from milepost.migration.description import Column, Description
from milepost.migration.source import Row
from milepost.migration.target import Loaded, Loading, Refused


@dataclass(frozen=True)
class Shape:
    """What there is to know of the table before loading."""

    relation: Relation
    description: Description
    fits: dict[str, Fit | None]


class PostgresTarget:
    """The table ``name`` (``schema.name``), whose rows ``key`` identifies."""

    def __init__(self, url: str, *, name: str, key: tuple[str, ...]) -> None:
        self.url = url
        self.name = name
        self.key = key
        self._shape: Shape | None = None
        self._parents: dict[str, Relation] = {}

    def describe(self) -> Description:
        """See :class:`milepost.migration.target.Target`. Looks anew each time, on a connection that cannot write."""
        with connect(self.url, read_only=True) as connection:
            self._shape = _look(connection, self.name)
        return self._shape.description

    def is_empty(self, connection: Any) -> bool:
        query = sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(self._known(connection).relation.identifier)
        with faults(f"looking at {self.name}"):
            return bool(connection.execute(query).fetchone()[0])

    def load(self, connection: Any, rows: Sequence[Row], loading: Loading) -> Loaded:
        """See :class:`milepost.migration.target.Target`.

        What is DEFERRED to the commit is checked at once, when all rows of the batch are in: so its rows are found too.
        """
        shape = self._known(connection)
        columns = tuple(self._column(shape, name) for name in loading.columns)
        fitted = fit_rows(rows, [shape.fits[each.name] for each in columns])
        fitted = without(fitted, _without_key(fitted, loading))
        with faults(f"loading {self.name}"):
            parents = self._tables(connection, loading)
            relation = shape.relation
            if loading.fresh and not loading.last_wins and all(each.oid != relation.oid for each in parents.values()):
                orphans = find_orphans(connection, columns, fitted, loading, parents)
                if orphans is not None:
                    return _load_directly(connection, relation, without(fitted, orphans), loading)
            return load_staged(connection, relation, columns, fitted, loading, parents=parents)

    def close(self) -> None:
        """Nothing stays open: to describe opens and closes its own connection."""

    def _known(self, connection: psycopg.Connection[Any]) -> Shape:
        if self._shape is None:
            self._shape = _look(connection, self.name)
        return self._shape

    def _tables(self, connection: psycopg.Connection[Any], loading: Loading) -> dict[str, Relation]:
        for parent in loading.parents:
            if parent.table not in self._parents:
                self._parents[parent.table] = find(connection, parent.table)
        return {parent.table: self._parents[parent.table] for parent in loading.parents}

    def _column(self, shape: Shape, name: str) -> Column:
        found = shape.description.column(name)
        if found is None:
            raise no_column(self.name, name, shape.description.names)
        return found


def _look(connection: psycopg.Connection[Any], name: str) -> Shape:
    with faults(f"looking at {name}"):
        relation = find(connection, name)
        found = result_columns(connection, sql.SQL("SELECT * FROM {} LIMIT 0").format(relation.identifier))
    columns = []
    for each in found:
        attribute = relation.attributes[each.name]
        columns.append(
            column(
                each,
                nullable=not attribute.not_null,
                fills_itself=attribute.fills_itself,
                writable=attribute.writable,
            )
        )
    description = Description(
        name=name,
        columns=tuple(columns),
        unique_keys=tuple(relation.unique_indexes.values()),
        is_table=relation.is_table,
    )
    return Shape(relation, description, {each.name: fit_for(each) for each in columns})


def _without_key(fitted: Fitted, loading: Loading) -> list[Refused]:
    """Rows that could not be told apart later."""
    reasons: dict[int, str] = {}
    for name in loading.key:
        place = loading.columns.index(name)
        for index, row in zip(fitted.places, fitted.rows, strict=True):
            if row[place] is None:
                reasons.setdefault(index, f"column {name} is part of the key and holds NULL")
    return [Refused(index=index, stage="load", reason=reason) for index, reason in reasons.items()]


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
