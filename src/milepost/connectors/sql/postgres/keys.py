"""Many keys in one query, each value of its column's own type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fit, Fitted, fit_rows
from milepost.connectors.sql.isolate import RowRefused, isolate
from milepost.connectors.sql.postgres.fault import is_rows, reason
from milepost.connectors.sql.postgres.loaders import use_exact_loaders
from milepost.connectors.sql.postgres.statements import with_parameters
from milepost.connectors.sql.postgres.types import ResultColumn, column
from milepost.connectors.sql.postgres.values import array_text, fit_for
from milepost.migration.description import Kind
from milepost.migration.source import Key, Row


@dataclass(frozen=True)
class KeyColumns:
    """The columns that keys are looked for in."""

    columns: tuple[ResultColumn, ...]

    @cached_property
    def fits(self) -> tuple[Fit, ...]:
        return tuple(fit_for(column(each)) for each in self.columns)

    def fit(self, keys: Sequence[Key]) -> Fitted:
        """The keys as the columns take them, without those that they could not hold."""
        return fit_rows(keys, self.fits)

    @property
    def listed(self) -> sql.Composed:
        """What stands behind FROM: the keys as the rows of ``k``, with their ``place`` from 1. Takes ``arrays``."""
        return sql.SQL("unnest({}) WITH ORDINALITY AS k({}, place)").format(
            sql.SQL(", ").join(sql.SQL("%s::{}[]").format(_type(each, within="text")) for each in self.columns),
            sql.SQL(", ").join(sql.Identifier(f"k{place}") for place in range(len(self.columns))),
        )

    def equal(self, table: str) -> sql.Composed:
        """The condition that a row of ``table`` (an alias) has the key ``k``, by the columns' own comparison."""
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(table, each.name), self._value(place))
            for place, each in enumerate(self.columns)
        )

    @property
    def values(self) -> sql.Composed:
        """The key ``k`` as a list of expressions."""
        return sql.SQL(", ").join(map(self._value, range(len(self.columns))))

    @property
    def names(self) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(each.name) for each in self.columns)

    def _value(self, place: int) -> sql.Composed:
        value, of = sql.Identifier("k", f"k{place}"), self.columns[place]
        return sql.SQL("{}::{}").format(value, _type(of)) if _is_array(of) else sql.SQL("{}").format(value)


def ask(
    connection: psycopg.Connection[Any],
    question: sql.Composed,
    of: KeyColumns,
    keys: Sequence[Key],
    loads: Sequence[ResultColumn] = (),
) -> list[Row]:
    """What the query gives for the keys: one query, where the server can read all of them.

    A key that cannot be a value of its column is left out; where only the server knows, it is found without giving up
    the others. The query is over ``of.listed`` and gives ``k.place`` first, which comes back as the key's index.
    """
    fitted = of.fit(keys)
    query = with_parameters(question)

    def attempt(start: int, stop: int) -> list[Row]:
        try:
            with connection.transaction(), connection.cursor() as cursor:
                use_exact_loaders(cursor, (each.loads for each in loads))
                # Not prepared: a plan that knows how many keys there are, and not one for any number of them.
                found = cursor.execute(query, arrays(fitted.rows[start:stop]), prepare=False).fetchall()
        except UnicodeEncodeError as error:
            raise RowRefused(error.reason) from error
        except psycopg.Error as error:
            if not is_rows(error):
                raise
            raise RowRefused(reason(error)) from error
        return [(fitted.places[start + row[0] - 1], *row[1:]) for row in found]

    return [row for each in isolate(len(fitted.rows), attempt)[0] for row in each]


def arrays(keys: Sequence[Key]) -> list[str]:
    """The parameters of ``KeyColumns.listed``: an array for each column."""
    return [_array(values) for values in zip(*keys, strict=True)]


def _array(values: Sequence[Any]) -> str:
    types = set(map(type, values))
    if types == {int}:
        return "{" + ",".join(map(str, values)) + "}"
    if types == {str}:
        every = "".join(values)
        if '"' not in every and "\\" not in every:
            return '{"' + '","'.join(values) + '"}'
    return array_text(values)


def _is_array(of: ResultColumn) -> bool:
    """Whether it is an array itself: unnest would take one of them apart to its elements."""
    return column(of).kind is Kind.ARRAY


def _type(of: ResultColumn, *, within: str | None = None) -> sql.SQL:
    """The type to cast to; ``within`` another one, which stands in for an array in an array."""
    return sql.SQL((within if within is not None and _is_array(of) else of.bare).replace("%", "%%"))
