"""``python -m bench [ROW …] [--scale 1] [--runs 3] …``: measure, print one table, write it to bench/RESULTS.md."""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import milepost
from bench.beside_dbos import beside_dbos, pass_over
from bench.data import Postgres, postgres, tpch
from bench.kills import first_batch, kill_storm, kill_storm_dlt
from bench.measure import Row
from bench.rows import memory, postgres_rows, sqlite_rows
from bench.steps import fresh_file, steps
from bench.verify import verify_rows

RESULTS = Path(__file__).parent / "RESULTS.md"


def rows_of(server: Postgres, folder: Path, scale: float, runs: int, passed: int) -> dict[str, Callable[[], Row]]:
    """Every row by the name under which it can be run alone."""

    def files(of_scale: float) -> Path:
        with tpch(of_scale, folder) as made:
            return made

    def file() -> str:
        return fresh_file(folder)

    return {
        "postgres-orders": lambda: postgres_rows(server, files(scale), "orders", runs),
        "postgres-lineitem": lambda: postgres_rows(server, files(scale), "lineitem", runs),
        "sqlite-orders": lambda: sqlite_rows(files(scale), folder, "orders", runs),
        "verify": lambda: verify_rows(server, files(scale), folder, runs),
        "steps-sqlite": partial(steps, "SQLite", file, runs),
        "steps-postgres": partial(steps, "PostgreSQL", server.database, runs),
        "dbos-sqlite": partial(beside_dbos, "SQLite", file, runs),
        "dbos-sqlite-wal": partial(beside_dbos, "SQLite", file, runs, wal=True),
        "dbos-postgres": partial(beside_dbos, "PostgreSQL", server.database, runs),
        "pass-sqlite": partial(pass_over, "SQLite", file, runs, passed),
        "pass-postgres": partial(pass_over, "PostgreSQL", server.database, runs, passed),
        "first-batch": lambda: first_batch(server, files(scale), runs),
        "storm": lambda: kill_storm(server, files(scale), runs),
        "storm-dlt": lambda: kill_storm_dlt(server, files(scale / 10), folder),
        "memory": lambda: memory(server, files(0.1), files(1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", help="rows to run (all)")
    parser.add_argument("--scale", type=float, default=1, help="TPC-H scale of the row lanes (1)")
    parser.add_argument("--runs", type=int, default=3, help="pairs of runs (3)")
    parser.add_argument("--passed", type=int, default=100_000, help="completed steps to pass over (100000)")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="milepost-bench-") as name, postgres() as server:
        rows = rows_of(server, Path(name), wanted.scale, wanted.runs, wanted.passed)
        unknown = [row for row in wanted.rows if row not in rows]
        if unknown:
            parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(rows)}")
        lines = [*head(server.version(), wanted.runs)]
        print("\n".join(lines), flush=True)
        for row in wanted.rows or rows:
            lines.append(line(rows[row]()))
            print(lines[-1], flush=True)
    if not wanted.rows:
        RESULTS.write_text("# Results\n\n" + "\n".join(lines) + "\n")


def head(server: str, runs: int) -> list[str]:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {server}"
    version = getattr(milepost, "__version__", None) or __import__("importlib.metadata").metadata.version("milepost")
    return [
        f"Milepost {version}; {machine}; medians of {runs} paired runs; ratio: ours to the peer's speed, or of times.",
        "",
        "| work | ours | peer | ratio | |",
        "|---|---|---|---|---|",
    ]


def line(row: Row) -> str:
    cells = (row.name, row.ours, row.peer, row.ratio, row.note)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


if __name__ == "__main__":
    main()
