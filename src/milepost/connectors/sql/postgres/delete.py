"""Delete rows by their keys, but for those that other rows still refer to, whatever a foreign key would do with them.

References are looked at beforehand, all keys at once: some foreign keys would delete the rows that refer, or set their
columns to NULL, in silence. What the server refuses for other reasons is found by slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.fit import Fitted
from milepost.connectors.sql.isolate import RowRefused, isolate
from milepost.connectors.sql.postgres.copy import CHECK
from milepost.connectors.sql.postgres.fault import is_rows, reason
from milepost.connectors.sql.postgres.keys import KeyColumns, answer, ask
from milepost.connectors.sql.postgres.shape import Shape
from milepost.connectors.sql.postgres.statements import equal
from milepost.migration.source import Key
from milepost.migration.target import Loaded, Refused

NOT_DELETED = "the database did not delete the row: a trigger or rule keeps it"
REFERENCES = """
SELECT f.conrelid = f.confrelid, n.nspname, c.relname,
       ARRAY(SELECT a.attname::text FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number ORDER BY k.place),
       ARRAY(SELECT a.attname::text FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number ORDER BY k.place)
FROM pg_catalog.pg_constraint f JOIN pg_catalog.pg_class c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE f.contype = 'f' AND f.confrelid = %s AND f.conparentid = 0 ORDER BY 2, 3, f.conname
"""
PRESENT = "SELECT min(k.place) FROM {} JOIN {} AS t ON {} GROUP BY {}"
REFERRED = (
    "WITH going AS (SELECT k.* FROM {}) SELECT DISTINCT k.place FROM going AS k JOIN {} AS t ON {} JOIN {} AS c ON {}"
)
STAYS = " AND NOT EXISTS (SELECT FROM going AS k WHERE {})"
DELETE = (
    "WITH going AS (SELECT k.* FROM {}), gone AS (DELETE FROM {} AS t USING going AS k WHERE {} RETURNING k.place)"
    " SELECT k.place FROM going AS k WHERE NOT EXISTS (SELECT FROM gone WHERE gone.place = k.place)"
)


@dataclass(frozen=True)
class Reference:
    """A foreign key that leads to a table: whose it is, its columns, and those that they refer to."""

    itself: bool
    child: sql.Identifier
    shown: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def delete_rows(connection: psycopg.Connection[Any], shape: Shape, key: Sequence[str], keys: Sequence[Key]) -> Loaded:
    """See :meth:`milepost.migration.target.Target.delete`."""
    deleting = _Deleting(connection, shape, key)
    going = deleting.present(keys)
    unchanged = len(keys) - len(going.rows)
    going, refused = deleting.referred(going)
    refused += deleting.delete(going)
    refused.sort(key=lambda one: one.index)
    return Loaded(loaded=len(keys) - unchanged - len(refused), unchanged=unchanged, refused=tuple(refused))


class _Deleting:
    """Rows of one table that are to be deleted. The keys' places are their indexes among those that were given."""

    def __init__(self, connection: psycopg.Connection[Any], shape: Shape, key: Sequence[str]) -> None:
        self._connection = connection
        self._relation = shape.relation
        self._table = shape.relation.identifier
        self._of = KeyColumns(tuple(shape.result(name) for name in key))

    def present(self, keys: Sequence[Key]) -> Fitted:
        """The keys of rows that are there, each once."""
        of = self._of
        names = sql.SQL(", ").join(sql.Identifier("t", each.name) for each in of.columns)
        question = sql.SQL(PRESENT).format(of.listed, self._table, of.equal("t"), names)
        found, places = ask(self._connection, question, of, keys)
        indexes = sorted(places[place - 1] for (place,) in found)
        fitted = of.fit([keys[index] for index in indexes])
        return Fitted(fitted.rows, indexes)

    def referred(self, going: Fitted) -> tuple[Fitted, list[Refused]]:
        """The keys without those to which rows refer that stay, and these refused."""
        refused: list[Refused] = []
        references = [
            Reference(itself, sql.Identifier(schema, name), name, tuple(columns), tuple(key))
            for itself, schema, name, columns, key in self._connection.execute(REFERENCES, [self._relation.oid])
        ]
        again = True
        while again:
            reasons: dict[int, str] = {}
            for reference in references:
                for (place,) in answer(self._connection, self._refers(reference), going):
                    told = f"rows of {reference.shown} still refer to it ({', '.join(reference.columns)})"
                    reasons.setdefault(place - 1, told)
            refused += [Refused(index=going.places[at], stage="load", reason=told) for at, told in reasons.items()]
            going = _some(going, [at for at in range(len(going.rows)) if at not in reasons])
            again = bool(reasons) and any(reference.itself for reference in references)
        return going, refused

    def delete(self, going: Fitted) -> list[Refused]:
        """Delete the rows; gives those that did not go. One may go only once another one has gone."""
        refused = self._delete_each(going)
        while 0 < len(refused) < len(going.rows):
            places = {index: at for at, index in enumerate(going.places)}
            going = _some(going, [places[one.index] for one in refused])
            refused = self._delete_each(going)
        return refused

    def _delete_each(self, going: Fitted) -> list[Refused]:
        question = sql.SQL(DELETE).format(self._of.listed, self._table, self._of.equal("t"))

        def attempt(start: int, stop: int) -> list[int]:
            try:
                with self._connection.transaction():
                    kept = answer(self._connection, question, _some(going, range(start, stop)))
                    if self._relation.defers:
                        self._connection.execute(CHECK)
            except psycopg.Error as error:
                if not is_rows(error):
                    raise
                raise RowRefused(reason(error)) from error
            return [start + place - 1 for (place,) in kept]

        done, refused = isolate(len(going.rows), attempt)
        stayed = [(at, NOT_DELETED) for each in done for at in each]
        stayed += [(one.index, one.reason) for one in refused]
        return [Refused(index=going.places[at], stage="load", reason=told) for at, told in sorted(stayed)]

    def _refers(self, reference: Reference) -> sql.Composed:
        condition = equal("t", reference.key, "c", reference.columns)
        if reference.itself:
            condition += sql.SQL(STAYS).format(self._of.equal("c"))
        return sql.SQL(REFERRED).format(self._of.listed, self._table, self._of.equal("t"), reference.child, condition)


def _some(fitted: Fitted, places: Sequence[int]) -> Fitted:
    return Fitted([fitted.rows[place] for place in places], [fitted.places[place] for place in places])
