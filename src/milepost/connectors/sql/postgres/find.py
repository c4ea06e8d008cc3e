"""Find rows by their keys, and the rows that refer to such keys: one query for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg import sql

from milepost.connectors.sql.postgres.fault import faults
from milepost.connectors.sql.postgres.keys import KeyColumns, ask
from milepost.connectors.sql.postgres.shape import Shape
from milepost.connectors.sql.postgres.types import ResultColumn
from milepost.migration.source import Key, Row

FOUND = "SELECT k.place, {} FROM {} JOIN {} AS t ON {}"
# Where an index leads to the one row, it is to be used for each key: a table may be far larger than a batch.
FOUND_BY_INDEX = "SELECT k.place, {0} FROM {1} CROSS JOIN LATERAL (SELECT {0} FROM {2} AS t WHERE {3} LIMIT 1) AS t"


def find_rows(
    connection: psycopg.Connection[Any], shape: Shape, key: Sequence[str], wanted: Sequence[str], keys: Sequence[Key]
) -> list[Row | None]:
    """For each key the ``wanted`` columns of the row that has it; None where no row has."""
    rows: list[Row | None] = [None] * len(keys)
    for index, *row in _matches(connection, shape, key, wanted, keys):
        rows[index] = tuple(row)
    return rows


def find_referring(
    connection: psycopg.Connection[Any], shape: Shape, columns: Sequence[str], own: Sequence[str], keys: Sequence[Key]
) -> list[tuple[Key, Key]]:
    """The rows that hold one of ``keys`` in ``columns``: that key, and the row's values of ``own``, its key."""
    found = _matches(connection, shape, columns, own, keys)
    return [(tuple(keys[index]), tuple(row)) for index, *row in found]


def _matches(
    connection: psycopg.Connection[Any], shape: Shape, key: Sequence[str], wanted: Sequence[str], keys: Sequence[Key]
) -> list[Row]:
    """Every match: the key's index, and the ``wanted`` columns of the row that has it."""
    of = KeyColumns(tuple(shape.result(name) for name in key))
    reads: list[ResultColumn] = [shape.result(name) for name in wanted]
    columns = sql.SQL(", ").join(sql.Identifier("t", name) for name in wanted)
    question = sql.SQL(FOUND_BY_INDEX if shape.relation.has_index(key) else FOUND).format(
        columns, of.listed, shape.relation.identifier, of.equal("t")
    )
    with faults(f"looking into {shape.relation.name}"):
        found, places = ask(connection, question, of, keys, reads)
    return [(places[row[0] - 1], *row[1:]) for row in found]
