"""Makes a PostgreSQL database hold a store, brings an older one up, and refuses what is none."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import tuple_row

from milepost.databases.postgres import explained
from milepost.errors import StoreError
from milepost.stores import schema
from milepost.stores.dialect import COLUMNS
from milepost.stores.encode import number_of

LOCK = number_of("milepost schema")

TABLES = """
    SELECT c.relname, a.attname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE n.nspname = 'milepost' AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
"""


def is_store(connection: psycopg.Connection[Any], url: str) -> bool:
    """Whether a store of the present schema is there. Raises StoreError for anything like one that cannot be used."""
    with explained(url):
        version = _version(connection, url)
    if not version:
        return False
    schema.check_version(url, "postgres", version)
    if schema.missing_steps("postgres", version):
        raise schema.OlderSchema(url, version)
    _check_columns(connection, url)
    return True


def prepare(connection: psycopg.Connection[Any], url: str) -> None:
    """Make the store, or apply the schema files that it lacks; safe while others do the same."""
    with explained(url):
        version = _version(connection, url)
        schema.check_version(url, "postgres", version)
        for number, text in schema.missing_steps("postgres", version):
            _apply(connection, url, number, text)
    _check_columns(connection, url)


def _apply(connection: psycopg.Connection[Any], url: str, number: int, text: str) -> None:
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            if _version(connection, url) < number:  # nobody else was quicker
                connection.execute(text.encode())
                connection.execute("INSERT INTO milepost.schema_version VALUES (%s, clock_timestamp())", [number])
    except psycopg.errors.InsufficientPrivilege as error:
        raise StoreError(
            f"the store cannot be made in {url}: {error.diag.message_primary}",
            hint="Let its owner run: CREATE SCHEMA milepost AUTHORIZATION the user of the URL; or name another place: "
            "store='sqlite:///FILE.db'.",
        ) from None


def _version(connection: psycopg.Connection[Any], url: str) -> int:
    """0 where there is no store."""
    found = _columns(connection)
    if "version" not in found.get("schema_version", set()):
        taken = sorted(found.keys() & {*COLUMNS, "schema_version"})
        if taken:
            raise schema.refuse_foreign(url, f"a table milepost.{taken[0]}")
        return 0
    cursor = connection.cursor(row_factory=tuple_row)
    row = cursor.execute("SELECT max(version) FROM milepost.schema_version").fetchone()
    if row is None or not isinstance(row[0], int):
        raise schema.refuse_foreign(url, "a table milepost.schema_version")
    return row[0]


def _check_columns(connection: psycopg.Connection[Any], url: str) -> None:
    with explained(url):
        found = _columns(connection)
    schema.check_columns(url, found)


def _columns(connection: psycopg.Connection[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for table, column in connection.cursor(row_factory=tuple_row).execute(TABLES):
        found.setdefault(table, set()).add(column)
    return found
