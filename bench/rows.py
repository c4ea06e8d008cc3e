"""The row lane beside the raw limit: ``COPY | COPY`` of psql, and ``INSERT … SELECT`` between attached files."""

from __future__ import annotations

import shlex
import sqlite3
import sys
from pathlib import Path

import psycopg

from bench.data import Postgres, prepare
from bench.measure import Measured, Row, measure, pairs, per_second

MIGRATIONS = Path(__file__).parent / "migrations"


def postgres_rows(server: Postgres, files: Path, table: str, runs: int) -> Row:
    """A Python function for every row, PostgreSQL to PostgreSQL, into a table with its primary key."""
    source = server.database()
    prepare.load_postgres(source, files)
    with psycopg.connect(source) as connection:
        rows = int(connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()[0])  # type: ignore[index]

    def into_fresh_target(run: object) -> float:
        target = server.database()
        prepare.load_postgres(target, None)
        try:
            return run(target).seconds  # type: ignore[operator, no-any-return]
        finally:
            server.drop(target)

    def raw(target: str) -> Measured:
        psql = shlex.quote(str(server.binaries / "psql"))
        copy = f"{psql} -qX {source} -c 'COPY {table} TO STDOUT' | {psql} -qX {target} -c 'COPY {table} FROM STDIN'"
        return measure(["sh", "-c", copy])

    name = {"orders": "orders.py", "lineitem": "lines.py"}[table]
    mine, other, ratio = pairs(
        runs,
        lambda: into_fresh_target(lambda target: migrate(name, source, target)),
        lambda: into_fresh_target(raw),
    )
    server.drop(source)
    return _row(f"PostgreSQL → PostgreSQL, {table}, row function", rows, mine, other, ratio, "COPY | COPY")


def sqlite_rows(files: Path, folder: Path, table: str, runs: int) -> Row:
    """A Python function for every row, SQLite to SQLite."""
    source = folder / "source.db"
    source.unlink(missing_ok=True)
    prepare.load_sqlite(source, files)
    with sqlite3.connect(source) as connection:
        rows = int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    connection.close()

    def target() -> Path:
        for ending in ("", "-wal", "-shm"):
            (folder / f"target.db{ending}").unlink(missing_ok=True)
        prepare.load_sqlite(folder / "target.db", None)
        return folder / "target.db"

    def raw() -> float:
        statements = (
            f"import sqlite3; c = sqlite3.connect({str(target())!r});"
            f"c.execute('PRAGMA journal_mode=WAL'); c.execute('ATTACH {str(source)!r} AS s');".replace(
                f"ATTACH {str(source)!r}", f'ATTACH "{source}"'
            )
            + f"c.execute('INSERT INTO {table} SELECT * FROM s.{table}'); c.commit()"
        )
        return measure([sys.executable, "-c", statements]).seconds

    name = {"orders": "orders.py", "lineitem": "lines.py"}[table]
    mine, other, ratio = pairs(runs, lambda: migrate(name, f"sqlite:///{source}", f"sqlite:///{target()}").seconds, raw)
    return _row(f"SQLite → SQLite, {table}, row function", rows, mine, other, ratio, "INSERT … SELECT")


def memory(server: Postgres, small: Path, large: Path) -> Row:
    """Peak memory of a run over TPC-H at two scales: it must not grow with the rows."""
    peaks = []
    for files in (small, large):
        source, target = server.database(), server.database()
        prepare.load_postgres(source, files)
        prepare.load_postgres(target, None)
        migration = MIGRATIONS.parent.parent / "examples/tpch/tpch.py"
        peaks.append(migrate(str(migration), source, target).peak)
        server.drop(source)
        server.drop(target)
    ratio = peaks[1] / peaks[0]
    return Row(
        name=f"peak memory, TPC-H at {large.name.partition('-')[2]} and at {small.name.partition('-')[2]}",
        ours=f"{peaks[1]:.0f} MiB",
        peer=f"{peaks[0]:.0f} MiB",
        ratio=f"{ratio:.2f}",
        note="the peer is the smaller scale",
    )


def migrate(name: str, source: str, target: str) -> Measured:
    """``milepost run`` as a process of its own, its start counted."""
    return measure(migration_of(name, source, target))


def migration_of(name: str, source: str, target: str) -> list[str]:
    """The command that moves the rows."""
    command = [sys.executable, "-m", "milepost", "run", str(MIGRATIONS / name)]
    return [*command, "--source", source, "--target", target]


def _row(name: str, rows: int, mine: float, other: float, ratio: float, peer: str) -> Row:
    return Row(
        name=name,
        ours=per_second(rows, mine),
        peer=per_second(rows, other),
        ratio=f"{ratio:.2f}",
        note=f"{rows:,} rows; peer: {peer}",
    )
