"""Comparing source and target beside loading the same rows by way of a temporary table."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from statistics import median

import psycopg

from bench.data import Postgres, prepare
from bench.measure import Measured, Row, in_turn, measure
from bench.rows import MIGRATIONS, migrate

FIRST = "SELECT * FROM lineitem ORDER BY l_orderkey, l_linenumber LIMIT 1"


def verify_rows(server: Postgres, files: Path, folder: Path, runs: int) -> Row:
    """``milepost verify`` of lineitem, PostgreSQL to PostgreSQL, and the load into a table that held a row before."""
    source = server.database()
    prepare.load_postgres(source, files)
    with psycopg.connect(source) as connection:
        rows = int(connection.execute("SELECT count(*) FROM lineitem").fetchone()[0])  # type: ignore[index]
        first = connection.execute(FIRST).fetchone()
    loaded: list[str] = []

    def load() -> Measured:
        target = server.database()
        prepare.load_postgres(target, None)
        with psycopg.connect(target) as connection:
            connection.execute(f"INSERT INTO lineitem VALUES ({', '.join(['%s'] * len(first or ()))})", first)
        loaded.append(target)
        return migrate("lines.py", source, target)

    def verify() -> Measured:
        target = loaded.pop()
        try:
            return measure(command_of(folder, source, target))
        finally:
            server.drop(target)

    both = in_turn(runs, verify, load)
    server.drop(source)
    ratio = median(theirs.seconds / mine.seconds for mine, theirs in both)
    mine, theirs = (median(each.seconds for each in column) for column in zip(*both, strict=True))
    peak = max(mine.peak for mine, _ in both)
    return Row(
        name="verify, PostgreSQL → PostgreSQL, lineitem",
        ours=f"{mine:.1f} s",
        peer=f"{theirs:.1f} s",
        ratio=f"{ratio:.2f}",
        note=f"{rows:,} rows, peak {peak:.0f} MiB; peer: the same rows loaded staged",
    )


def command_of(folder: Path, source: str, target: str) -> list[str]:
    """The command that compares; its own progress goes beside the migration, which is copied into ``folder``."""
    file = shutil.copy(MIGRATIONS / "lines.py", folder)
    return [sys.executable, "-m", "milepost", "verify", str(file), "--source", source, "--target", target]
