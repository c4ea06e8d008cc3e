"""Make TPC-H's customer, orders and lineitem with tpchgen-cli, and fill a PostgreSQL or SQLite database with them.

    python prepare.py postgresql://me@localhost/old
    python prepare.py sqlite:///old.db --scale 1
    python prepare.py postgresql://me@localhost/new --empty

The database must have no such tables yet. `--empty` makes the tables only: a target.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
TABLES = ("customer", "orders", "lineitem")
BLOCK = 1 << 20


def generate(folder: Path, scale: float) -> None:
    """Write a pipe-separated file TABLE.tbl for each table into the folder; scale 1 has 6 million order lines."""
    beside = Path(sys.executable).with_name("tpchgen-cli")
    program = str(beside) if beside.exists() else shutil.which("tpchgen-cli")
    if program is None:
        sys.exit("tpchgen-cli is not installed. Type: pip install tpchgen-cli")
    command = [program, "--scale-factor", str(scale), "--tables", ",".join(TABLES), "--output-dir", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - all of it stands above


def load_postgres(url: str, folder: Path | None) -> None:
    """Make the tables in a PostgreSQL database, and fill them from the folder's files if one is given."""
    import psycopg

    with psycopg.connect(url) as connection:
        connection.execute((HERE / "schema.postgres.sql").read_bytes())
        for table in TABLES if folder else ():
            with connection.cursor().copy(f"COPY {table} FROM STDIN (DELIMITER '|')".encode()) as copy:
                for block in _blocks(folder / f"{table}.tbl"):
                    copy.write(block)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE")


def load_sqlite(path: Path, folder: Path | None) -> None:
    """Make the tables in a SQLite file, and fill them from the folder's files if one is given."""
    connection = sqlite3.connect(path)
    connection.executescript((HERE / "schema.sqlite.sql").read_text())
    with connection:
        for table in TABLES if folder else ():
            with (folder / f"{table}.tbl").open(encoding="utf-8") as lines:
                rows = (line.split("|")[:-1] for line in lines)
                first = next(rows)
                insert = f"INSERT INTO {table} VALUES ({', '.join('?' * len(first))})"
                connection.execute(insert, first)
                connection.executemany(insert, rows)
    connection.close()


def _blocks(path: Path) -> Iterator[bytes]:
    """The file's lines, many at a time, without the separator that ends each of them."""
    with path.open("rb") as lines:
        while block := lines.readlines(BLOCK):
            yield b"".join(line[:-2] + b"\n" for line in block)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="postgresql://… or sqlite:///FILE")
    parser.add_argument("--scale", type=float, default=0.1, help="TPC-H's scale factor (0.1)")
    parser.add_argument("--empty", action="store_true", help="make the tables only")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = None if wanted.empty else Path(name)
        if folder:
            generate(folder, wanted.scale)
        if wanted.url.startswith("sqlite:///"):
            load_sqlite(Path(wanted.url.removeprefix("sqlite:///")), folder)
        else:
            load_postgres(wanted.url, folder)


if __name__ == "__main__":
    main()
