"""Read PostgreSQL's values without losing anything.

psycopg's own loaders make floats of JSON numbers and 30 days of a month, and raise for infinity, BC and the year 10000.
Here a value becomes a Python object where that holds it exactly, and otherwise stays the text that PostgreSQL wrote.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.array import ArrayLoader
from psycopg.types.string import TextLoader

from milepost.connectors.sql.postgres.types import DATES, EXACT


def use_exact_loaders(
    cursor: psycopg.Cursor[Any] | psycopg.ServerCursor[Any], types: Iterable[tuple[int, int]]
) -> None:
    """Make the cursor read each type, given by its oid and its elements' oid (0: no array), exactly."""
    for oid, element in types:
        if element in EXACT:
            _register(cursor, element)
            cursor.adapters.register_loader(oid, type("ExactArray", (_ExactArray,), {"base_oid": element}))
        else:
            _register(cursor, oid)


def _register(cursor: psycopg.Cursor[Any] | psycopg.ServerCursor[Any], oid: int) -> None:
    if oid in DATES:
        inner = psycopg.adapters.get_loader(oid, Format.TEXT)
        if inner is not None and not issubclass(inner, _OrText):
            cursor.adapters.register_loader(oid, type("OrText", (_OrText,), {"inner": inner}))
    elif oid not in EXACT:
        cursor.adapters.register_loader(oid, TextLoader)


class _OrText(Loader):
    """The inner loader's value, or the text where Python has no such value: infinity, BC, the year 10000, 24:00."""

    inner: type[Loader]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._load = self.inner(oid, context).load

    def load(self, data: Buffer) -> Any:
        try:
            return self._load(data)
        except (psycopg.DataError, ValueError):
            return str(data, "utf-8")


class _ExactArray(ArrayLoader):
    """A list, or the text where an index does not begin at 1, which a list cannot say."""

    def load(self, data: Buffer) -> Any:
        return str(data, "utf-8") if bytes(data[:1]) == b"[" else super().load(data)
