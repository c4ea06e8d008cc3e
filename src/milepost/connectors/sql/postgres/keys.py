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
) -> tuple[list[Row], Sequence[int]]:
    """What a query over ``of.listed`` gives for the keys, and the index in ``keys`` of each ``k.place`` less 1.

    A key that cannot be a value of its column is left out. Where only the server knows that, it is found without giving
    up the others, and without asking more than once for the rest.
    """
    fitted = of.fit(keys)
    try:
        return answer(connection, question, fitted, loads), fitted.places
    except UnicodeEncodeError:
        pass
    except psycopg.Error as error:
        if not is_rows(error):
            raise
    known = readable(connection, of, fitted)
    return answer(connection, question, known, loads), known.places


def readable(connection: psycopg.Connection[Any], of: KeyColumns, fitted: Fitted) -> Fitted:
    """The keys without those that the server cannot read as values of their columns."""
    question = sql.SQL("SELECT count(ROW({})) FROM {}").format(of.values, of.listed)

    def attempt(start: int, stop: int) -> range:
        try:
            answer(connection, question, Fitted(fitted.rows[start:stop], ()))
        except UnicodeEncodeError as error:
            raise RowRefused(error.reason) from error
        except psycopg.Error as error:
            if not is_rows(error):
                raise
            raise RowRefused(reason(error)) from error
        return range(start, stop)

    good = [place for each in isolate(len(fitted.rows), attempt)[0] for place in each]
    return Fitted([fitted.rows[place] for place in good], [fitted.places[place] for place in good])


def answer(
    connection: psycopg.Connection[Any], question: sql.Composed, fitted: Fitted, loads: Sequence[ResultColumn] = ()
) -> list[Row]:
    """What the query gives for keys that fit."""
    if not fitted.rows:
        return []
    with connection.transaction(), connection.cursor() as cursor:
        use_exact_loaders(cursor, (each.loads for each in loads))
        # Not prepared: a plan that knows how many keys there are, and not one for any number of them.
        return cursor.execute(with_parameters(question), arrays(fitted.rows), prepare=False).fetchall()


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
