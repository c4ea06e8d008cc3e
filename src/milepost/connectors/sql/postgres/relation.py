"""Tables and views by name, and what the catalog knows of them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from milepost.errors import PlanError

TABLES = {"r", "p"}

RELATION = """
SELECT c.oid, n.nspname, c.relname, c.relkind, c.relkind = 'r' AND c.relhassubclass,
       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgtype & 3 = 3 AND t.tgtype & 20 > 0 AND t.tgenabled <> 'D'
               AND (t.tgrelid = c.oid OR t.tgrelid IN (SELECT relid FROM pg_partition_tree(c.oid)))),
       EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tginitdeferred AND t.tgenabled <> 'D'),
       EXISTS (SELECT FROM pg_catalog.pg_constraint f WHERE f.contype = 'f' AND f.conrelid = c.oid
               AND f.confrelid = f.conrelid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
NAMES = """
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN c.relname ELSE n.nspname || '.' || c.relname END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND n.nspname NOT LIKE 'pg_temp%'
ORDER BY 1
"""
COLUMNS = """
SELECT a.attname, a.attnotnull, t.typnotnull, attgenerated = '',
       a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '' OR t.typdefaultbin IS NOT NULL
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped
"""
UNIQUE_INDEXES = """
SELECT i.indexrelid::regclass::text, c.relname,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = i.indrelid AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1]))
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
"""


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """What the catalog says of a column beyond its type. ``never_null``: its type, a domain, takes no NULL."""

    not_null: bool
    never_null: bool
    fills_itself: bool
    writable: bool


@dataclass(frozen=True, kw_only=True)
class Relation:
    """A table or view.

    ``inherited``: other tables hold rows of it, which its unique indexes do not see. ``guarded``: it, or a
    partition of it, has a trigger that may keep a row out (for each row, before insert or update). ``defers``: some
    constraint of the database is checked only at the commit; not only of this table, as a trigger may write elsewhere.
    ``waits``: a row may need another one that comes later.
    """

    oid: int
    schema: str
    name: str
    is_table: bool
    inherited: bool
    guarded: bool
    defers: bool
    waits: bool
    attributes: dict[str, Attribute]
    unique_indexes: dict[str, frozenset[str]]

    def has_index(self, key: Iterable[str]) -> bool:
        """Whether a unique index leads to the one row with such a key."""
        columns = frozenset(key)
        return any(unique <= columns for unique in self.unique_indexes.values())

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def find(connection: psycopg.Connection[Any], name: str) -> Relation:
    """The table or view of that name, which may be ``schema.name``. Raises PlanError with a near name otherwise."""
    for parts in ([name], name.split(".", 1)):
        quoted = sql.Identifier(*parts).as_string(connection)
        found = connection.execute(RELATION, [quoted]).fetchone()
        if found is not None:
            return _relation(connection, found)
    names = [row[0] for row in connection.execute(NAMES)]
    raise PlanError(
        f"there is no table {name} in the PostgreSQL database {connection.info.dbname}",
        hint=_suggestion(name, names) or "It has no tables.",
    )


def no_column(where: str, column: str, names: tuple[str, ...]) -> PlanError:
    """The error for a column that is not there."""
    return PlanError(f"{where} has no column {column}", hint=_suggestion(column, list(names)))


def _relation(connection: psycopg.Connection[Any], found: tuple[Any, ...]) -> Relation:
    oid, schema, name, kind, inherited, guarded, defers, refers_to_itself = found
    attributes = {
        column: Attribute(not_null=not_null, never_null=never_null, fills_itself=fills, writable=writable)
        for column, not_null, never_null, writable, fills in connection.execute(COLUMNS, [oid])
    }
    indexes = connection.execute(UNIQUE_INDEXES, [oid]).fetchall()
    return Relation(
        oid=oid,
        schema=schema,
        name=name,
        is_table=kind in TABLES,
        inherited=inherited,
        guarded=guarded,
        defers=defers,
        waits=defers or refers_to_itself,
        attributes=attributes,
        unique_indexes={index: frozenset(columns) for _, index, columns in indexes},
    )


def _suggestion(name: str, names: list[str]) -> str | None:
    near = difflib.get_close_matches(name.lower(), [each.lower() for each in names], n=1, cutoff=0.5)
    if near:
        return f"Did you mean {next(each for each in names if each.lower() == near[0])}?"
    return f"There are: {', '.join(names[:20])}{', …' if len(names) > 20 else ''}." if names else None
