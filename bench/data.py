"""TPC-H databases to measure with, and a PostgreSQL server that is as durable as a real one."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import psycopg

ROOT = Path(__file__).resolve().parent.parent
DURABLE = {"fsync": "on", "shared_buffers": "512MB", "max_wal_size": "8GB", "timezone": "UTC"}


def module(path: Path) -> ModuleType:
    """A Python file of this repository that belongs to no package."""
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None and specification.loader is not None  # noqa: PT018 - the file is ours
    loaded = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = loaded
    specification.loader.exec_module(loaded)
    return loaded


prepare = module(ROOT / "examples/tpch/prepare.py")


class Postgres:
    """A server of our own, and fresh databases on it."""

    def __init__(self, server: object) -> None:
        self.server = server
        self.binaries: Path = server.binaries  # type: ignore[attr-defined]
        self.made = 0
        self._keeper("postgres", *[f"ALTER SYSTEM SET {name} = '{value}'" for name, value in DURABLE.items()])

    def database(self) -> str:
        """The URL of a new empty database."""
        self.made += 1
        self._keeper("postgres", f"CREATE DATABASE bench{self.made} OWNER milepost")
        return str(self.server.url(f"bench{self.made}"))  # type: ignore[attr-defined]

    def drop(self, url: str) -> None:
        """Drop a database that this server made."""
        self._keeper("postgres", f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)", "CHECKPOINT")

    def version(self) -> str:
        """The server's own name for itself."""
        with psycopg.connect(self.server.keeper_url("postgres")) as connection:  # type: ignore[attr-defined]
            return "PostgreSQL " + str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]

    def _keeper(self, database: str, *statements: str) -> None:
        with psycopg.connect(self.server.keeper_url(database), autocommit=True) as connection:  # type: ignore[attr-defined]
            for statement in statements:
                connection.execute(statement.encode())
            connection.execute("SELECT pg_reload_conf()")


@contextlib.contextmanager
def postgres() -> Iterator[Postgres]:
    """The tests' private server, with fsync on; gone afterwards."""
    fixtures = module(ROOT / "tests/fix_postgres.py")
    with fixtures.server(fixtures.binaries_found()[0]) as server:
        yield Postgres(server)


@contextlib.contextmanager
def tpch(scale: float, folder: Path) -> Iterator[Path]:
    """A folder with the TPC-H files of that scale, made once for each folder."""
    files = folder / f"tpch-{scale}"
    if not files.exists():
        files.mkdir(parents=True)
        prepare.generate(files, scale)
    yield files
