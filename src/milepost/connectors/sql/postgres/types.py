"""PostgreSQL's types as Kinds, from what a query's result says of its columns (a domain shows as its base type)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.migration.description import Column, Kind

KINDS = {
    16: Kind.BOOLEAN,
    17: Kind.BYTES,
    20: Kind.INTEGER,
    21: Kind.INTEGER,
    23: Kind.INTEGER,
    25: Kind.TEXT,
    26: Kind.INTEGER,  # oid
    114: Kind.JSON,
    700: Kind.FLOAT,
    701: Kind.FLOAT,
    1042: Kind.TEXT,
    1043: Kind.TEXT,
    1082: Kind.DATE,
    1083: Kind.TIME,
    1114: Kind.TIMESTAMP,
    1184: Kind.TIMESTAMP_ZONE,
    1186: Kind.INTERVAL,
    1700: Kind.DECIMAL,
    2950: Kind.UUID,
    3802: Kind.JSON,
}
BITS = {20: 64, 21: 16, 23: 32, 26: 64, 700: 32, 701: 64}
DATES = {1082, 1083, 1114, 1184}
AS_TEXT = {114, 1186, 3802}
EXACT = KINDS.keys() - AS_TEXT
"""Types whose psycopg loader is exact, for DATES with text as a way out. All others are read as text."""
PRECISE = {1083, 1114, 1184, 1186, 1266}

TYPES = """
SELECT oid, CASE WHEN typcategory = 'A' AND typlen = -1 THEN typelem ELSE 0 END
FROM pg_catalog.pg_type WHERE oid = ANY(%s)
"""


@dataclass(frozen=True)
class ResultColumn:
    """A column of a query's result: its name, type, modifier, and the elements' type (0: no array).

    ``bare`` is the type without its modifier: a cast to it cuts and rounds nothing, which one to ``native`` would.
    """

    name: str
    oid: int
    modifier: int
    element: int
    native: str
    bare: str

    @property
    def loads(self) -> tuple[int, int]:
        return self.oid, self.element


def result_columns(connection: psycopg.Connection[Any], query: sql.Composed) -> tuple[ResultColumn, ...]:
    """The columns of the query, which gives no rows (LIMIT 0)."""
    cursor = connection.execute(query, prepare=False)  # the table may be another by now
    result = cursor.pgresult
    assert result is not None  # noqa: S101 - a query was executed
    described = [
        ((result.fname(place) or b"").decode(), result.ftype(place), result.fmod(place))
        for place in range(result.nfields)
    ]
    elements = dict(connection.execute(TYPES, [[oid for _, oid, _ in described]]).fetchall())
    natives = _natives(connection, [(oid, modifier) for _, oid, modifier in described])
    return tuple(
        ResultColumn(name, oid, modifier, elements.get(oid, 0), native, bare)
        for (name, oid, modifier), (native, bare) in zip(described, natives, strict=True)
    )


def column(of: ResultColumn, *, nullable: bool = True, fills_itself: bool = False, writable: bool = True) -> Column:
    """The column in words that no vendor owns."""
    array = of.element in KINDS
    inner = of.element if array else of.oid
    kind = KINDS.get(inner, Kind.OTHER)
    precision, scale = _precision(inner, of.modifier)
    return Column(
        name=of.name,
        kind=Kind.ARRAY if array else kind,
        native=of.native,
        database="postgresql",
        nullable=nullable,
        fills_itself=fills_itself,
        writable=writable,
        bits=BITS.get(inner),
        precision=precision,
        scale=scale,
        length=of.modifier - 4 if inner in (1042, 1043) and of.modifier >= 4 else None,
        of=kind if array else None,
    )


def _natives(connection: psycopg.Connection[Any], types: Iterable[tuple[int, int]]) -> list[tuple[str, str]]:
    """Each type with its modifier and without."""
    oids, modifiers = zip(*types, strict=True)
    return connection.execute(
        "SELECT pg_catalog.format_type(t.oid, t.modifier), pg_catalog.format_type(t.oid, -1)"
        " FROM unnest(%s::oid[], %s::int[]) WITH ORDINALITY AS t(oid, modifier, place) ORDER BY t.place",
        [list(oids), list(modifiers)],
    ).fetchall()


def _precision(oid: int, modifier: int) -> tuple[int | None, int | None]:
    if modifier < 0:
        return (6 if oid in PRECISE else None), None
    if oid == 1700:
        scale = (modifier - 4) & 0x7FF
        return (modifier - 4) >> 16 & 0xFFFF, (scale ^ 1024) - 1024
    if oid == 1186:
        return min(modifier & 0xFFFF, 6), None
    return (modifier if oid in PRECISE else None), None
