"""Committed means on the disk: every connection that writes asks its database for an fsync at each commit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import psycopg

from milepost.databases.postgres import connect as connect_to_postgres
from milepost.databases.sqlite import connect as connect_to_sqlite

FULL = 2


def test_sqlite_is_in_wal_and_synchronous_full(tmp_path: Path) -> None:
    with closing(connect_to_sqlite(tmp_path / "a.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (FULL,)


def test_postgres_commits_are_synchronous_even_where_the_role_says_otherwise(postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as owner:
        owner.execute(f"ALTER DATABASE {database} SET synchronous_commit = off".encode())
    with closing(connect_to_postgres(postgres_url)) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
