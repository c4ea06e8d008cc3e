"""What there is to know of a table before rows go into it, or keys are looked for in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fit, Fitted, fit_rows, without
from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.relation import Relation, find, no_column
from milepost.connectors.sql.postgres.triggers import triggers_of
from milepost.connectors.sql.postgres.types import ResultColumn, column, result_columns
from milepost.connectors.sql.postgres.values import fit_for
from milepost.migration.description import Column, Description
from milepost.migration.source import Row
from milepost.migration.target import Loading, Refused

MORE_UNIQUES = """
SELECT c.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s AND (i.indisexclusion OR (i.indisunique
  AND NOT (i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL))) ORDER BY 1
"""


@dataclass(frozen=True)
class Shape:
    """A table: as the catalog has it, in words that no vendor owns, and how values get into its columns."""

    relation: Relation
    description: Description
    fits: dict[str, Fit | None]
    results: dict[str, ResultColumn]

    def column(self, name: str) -> Column:
        """The column of that name. Raises PlanError where there is none."""
        found = self.description.column(name)
        if found is None:
            raise no_column(self.description.name, name, self.description.names)
        return found

    def fit(self, rows: Sequence[Row], loading: Loading) -> tuple[tuple[Column, ...], Fitted]:
        """The columns, and the rows as they take them: those that do not fit, or hold NULL in the key, are refused."""
        columns = tuple(self.column(name) for name in loading.columns)
        fitted = fit_rows(rows, [self.fits[each.name] for each in columns])
        return columns, without(fitted, _without_key(fitted, loading))

    def result(self, name: str) -> ResultColumn:
        """How the column of that name is read. Raises PlanError where there is none."""
        return self.results[self.column(name).name]


def look(connection: psycopg.Connection[Any], name: str) -> Shape:
    """The table of that name. Raises PlanError with a near name where there is none."""
    with faults(f"looking at {name}"):
        relation = find(connection, name)
        found = result_columns(connection, sql.SQL("SELECT * FROM {} LIMIT 0").format(relation.identifier))
        triggers = triggers_of(connection, relation.oid)
        more_uniques = tuple(index for (index,) in connection.execute(MORE_UNIQUES, [relation.oid]))
    columns = []
    for each in found:
        attribute = relation.attributes[each.name]
        columns.append(
            column(
                each,
                nullable=not attribute.not_null and not attribute.never_null,
                fills_itself=attribute.fills_itself,
                writable=attribute.writable,
            )
        )
    description = Description(
        name=name,
        columns=tuple(columns),
        unique_keys=tuple(relation.unique_indexes.values()),
        is_table=relation.is_table,
        triggers=triggers,
        more_uniques=more_uniques,
    )
    fits: dict[str, Fit | None] = {each.name: fit_for(each) for each in columns}
    return Shape(relation, description, fits, {each.name: each for each in found})


def _without_key(fitted: Fitted, loading: Loading) -> list[Refused]:
    """Rows that could not be told apart later."""
    reasons: dict[int, str] = {}
    for name in loading.key:
        place = loading.columns.index(name)
        for index, row in zip(fitted.places, fitted.rows, strict=True):
            if row[place] is None:
                reasons.setdefault(index, f"column {name} is part of the key and holds NULL")
    return [Refused(index=index, stage="load", reason=reason) for index, reason in reasons.items()]
