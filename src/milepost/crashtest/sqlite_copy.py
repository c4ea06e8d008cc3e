"""Scratch copies of SQLite files, and what they hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from milepost.databases.sqlite import connect_read_only
from milepost.databases.url import sqlite_path

OURS = "milepost_"
NULL = repr(None)  # as rows_in gives it


def copy_file(real: Path, copy: Path) -> None:
    """A copy in one file, also of a database that somebody is writing to. Raises PlanError where there is none."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with closing(connect_read_only(real)) as original, closing(sqlite3.connect(copy)) as made:
        original.backup(made)
        made.execute("PRAGMA journal_mode=DELETE")


def forget_store(copy: Path) -> bool:
    """Drop the tables of a store; whether there was one."""
    with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
        tables = [name for name in _names(connection) if name.startswith(OURS)]
        connection.execute("PRAGMA foreign_keys=OFF")
        for name in tables:
            connection.execute(f"DROP TABLE {_quoted(name)}")
    return bool(tables)


def tables_in(url: str) -> dict[str, tuple[str, ...]]:
    """Every table that is not a store's, with its columns."""
    file = sqlite_path(url)
    if not file.exists():
        return {}
    with closing(sqlite3.connect(file)) as connection:
        names = [name for name in _names(connection) if not name.startswith((OURS, "sqlite_"))]
        return {name: _columns(connection, name) for name in names}


def rows_in(url: str, table: str, columns: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Every row, its values in words that tell 1 from '1', and the text 1 from the byte of it."""
    chosen = ", ".join(map(_quoted, columns))
    with closing(sqlite3.connect(sqlite_path(url))) as connection:
        connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        for row in connection.execute(f"SELECT {chosen or 'NULL'} FROM {_quoted(table)}"):
            yield tuple(map(repr, row))


def numbered_in(_url: str) -> dict[str, tuple[str, ...]]:
    """None: a number that SQLite gives by itself is taken back with its row."""
    return {}


def referring_in(url: str) -> list[tuple[str, str, str, str]]:
    """Foreign keys column by column: table and column, and the table and column that they refer to."""
    file = sqlite_path(url)
    if not file.exists():
        return []
    with closing(sqlite3.connect(file)) as connection:
        return [
            (name, column, table, to or _primary_key(connection, table)[place])
            for name in _names(connection)
            for _, place, table, column, to, *_ in connection.execute(f"PRAGMA foreign_key_list({_quoted(name)})")
        ]


def _primary_key(connection: sqlite3.Connection, table: str) -> list[str]:
    columns = connection.execute(f"PRAGMA table_xinfo({_quoted(table)})").fetchall()
    return [row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5]]


def _names(connection: sqlite3.Connection) -> list[str]:
    return [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def _columns(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    return tuple(row[1] for row in connection.execute(f"PRAGMA table_xinfo({_quoted(table)})"))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
