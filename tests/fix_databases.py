"""Databases of both kinds behind the same few words, and pairs of them: fixtures `pair` and `sqlite_pair`."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

PAIRINGS = ["sqlite-sqlite", "sqlite-postgres", "postgres-sqlite", "postgres-postgres"]


@dataclass(frozen=True)
class Database:
    """A database and plain SQL on it, by its own driver."""

    url: str

    def execute(self, *statements: str) -> None:
        """Run each statement and commit."""
        with self._connected() as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Insert the rows and commit."""
        sign = "?" if self.url.startswith("sqlite") else "%s"
        with self._connected() as connection:
            marks = ", ".join([sign] * len(rows[0]))
            connection.cursor().executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
            connection.commit()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What the query gives."""
        with self._connected() as connection:
            return [tuple(row) for row in connection.execute(query).fetchall()]

    def _connected(self) -> Any:
        if self.url.startswith("sqlite"):
            return _Closing(sqlite3.connect(self.url.removeprefix("sqlite:///")))
        return psycopg.connect(self.url)


class _Closing:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> sqlite3.Connection:
        return self.connection

    def __exit__(self, *_: object) -> None:
        self.connection.close()


@dataclass(frozen=True)
class Pair:
    """A source and a target, both empty."""

    source: Database
    target: Database


def _pair(kinds: str, folder: Path, make_postgres: Callable[[], str]) -> Pair:
    made = []
    for number, kind in enumerate(kinds.split("-")):
        url = make_postgres() if kind == "postgres" else f"sqlite:///{folder / f'{number}.sqlite'}"
        made.append(Database(url))
    return Pair(*made)


@pytest.fixture(params=PAIRINGS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Pair:
    """Every pairing of the two databases as source and target."""
    make = request.getfixturevalue("postgres_urls") if "postgres" in request.param else str
    return _pair(request.param, tmp_path, make)


@pytest.fixture
def sqlite_pair(tmp_path: Path) -> Pair:
    """Two SQLite files: for what does not depend on the database."""
    return _pair("sqlite-sqlite", tmp_path, str)
