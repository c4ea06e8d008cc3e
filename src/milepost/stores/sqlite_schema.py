"""Makes a SQLite file a store, brings an older one up, and refuses what is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

from milepost.databases.sqlite import explained
from milepost.stores import schema
from milepost.stores.dialect import COLUMNS, SQLITE


def is_store(connection: sqlite3.Connection, url: str) -> bool:
    """Whether a store of the present schema is there. Raises StoreError for anything like one that cannot be used."""
    with explained(url):
        version = _version(connection, url)
    if not version:
        return False
    schema.check_version(url, "sqlite", version)
    if schema.missing_steps("sqlite", version):
        raise schema.OlderSchema(url, version)
    schema.check_columns(url, _columns(connection))
    return True


def prepare(connection: sqlite3.Connection, url: str) -> None:
    """Make the store, or apply the schema files that it lacks; safe while others do the same."""
    with explained(url):
        version = _version(connection, url)
        schema.check_version(url, "sqlite", version)
        for number, text in schema.missing_steps("sqlite", version):
            _apply(connection, url, number, text)
    schema.check_columns(url, _columns(connection))


def _apply(connection: sqlite3.Connection, url: str, number: int, text: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection, url) < number:  # nobody else was quicker
            for statement in _statements(text):
                connection.execute(statement)
            connection.execute(f"INSERT INTO milepost_schema (version, applied_at) VALUES (?, {SQLITE.now})", [number])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(text: str) -> Iterator[str]:
    """One by one: ``executescript`` would commit first."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection, url: str) -> int:
    """0 where there is no store."""
    names = {f"milepost_{table}" for table in (*COLUMNS, "schema")}
    found = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")} & names
    if "milepost_schema" not in found:
        if found:
            raise schema.refuse_foreign(url, f"a table {min(found)}")
        return 0
    if "version" not in _columns_of(connection, "milepost_schema"):
        raise schema.refuse_foreign(url, "a table milepost_schema")
    version = connection.execute("SELECT max(version) FROM milepost_schema").fetchone()[0]
    if not isinstance(version, int):
        raise schema.refuse_foreign(url, "a table milepost_schema")
    return version


def _columns(connection: sqlite3.Connection) -> dict[str, set[str]]:
    found = {table: _columns_of(connection, f"milepost_{table}") for table in COLUMNS}
    return {table: columns for table, columns in found.items() if columns}


def _columns_of(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", [table])}
