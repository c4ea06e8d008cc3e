"""The command finds one flipped byte in a million rows, in memory that does not grow with them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg

MILLION = 1_000_000
FEW = 60_000  # batches of the usual size, so that memory is what it comes to be
FLIPPED = 777_777
GROWN = 24  # MiB, by which the larger one may need more

FILE = """
from milepost import Migration, Table

flip = Migration("flip", source="sqlite:///source.db", target="${FLIP_TARGET}")


@flip.object(source=Table("many", key="no"), target=Table("many", key="no"))
def many(row):
    return row


@flip.object(source=Table("few", key="no"), target=Table("few", key="no"))
def few(row):
    return row
"""
NUMBERS = "WITH RECURSIVE n(no) AS (SELECT 1 UNION ALL SELECT no + 1 FROM n WHERE no < {rows}) SELECT no FROM n"


def test_one_flipped_byte_in_a_million_rows_is_found_in_a_file(tmp_path: Path) -> None:
    target = sqlite3.connect(tmp_path / "target.db")
    for table in ("many", "few"):
        target.execute(f"CREATE TABLE {table} (no INTEGER PRIMARY KEY, word TEXT)")
    prepared(tmp_path, f"sqlite:///{tmp_path / 'target.db'}")
    target.execute(f"ATTACH '{tmp_path / 'source.db'}' AS source")
    for table in ("many", "few"):
        target.execute(f"INSERT INTO {table} SELECT * FROM source.{table} WHERE no > 1")
    target.execute("UPDATE many SET word = 'word#777777' WHERE no = ?", (FLIPPED,))
    target.execute("INSERT INTO many VALUES (?, 'nobody')", (MILLION + 1,))
    target.commit()
    target.close()

    found(tmp_path, f"sqlite:///{tmp_path / 'target.db'}", extra=[[MILLION + 1]])


def test_one_flipped_byte_in_a_million_rows_is_found_in_a_server(tmp_path: Path, postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as target:
        for table in ("many", "few"):
            target.execute(f"CREATE TABLE {table} (no integer PRIMARY KEY, word text)".encode())
    prepared(tmp_path, postgres_url)
    with psycopg.connect(postgres_url) as target:
        for table, rows in (("many", MILLION), ("few", FEW)):
            target.execute(f"INSERT INTO {table} SELECT n, 'word ' || n FROM generate_series(2, {rows}) AS n".encode())
        target.execute("UPDATE many SET word = 'word#777777' WHERE no = %s", (FLIPPED,))

    found(tmp_path, postgres_url)


def prepared(folder: Path, target: str) -> None:
    """Run the migration while there is one row to move, then fill the source: comparing is what is tried here."""
    (folder / "flip.py").write_text(FILE)
    source = sqlite3.connect(folder / "source.db")
    for table in ("many", "few"):
        source.execute(f"CREATE TABLE {table} (no INTEGER PRIMARY KEY, word TEXT)")
        source.execute(f"INSERT INTO {table} VALUES (1, 'word 1')")
    source.commit()
    status, said, _ = milepost(folder, target, "run", "flip.py")
    assert status == 0, said
    for table, rows in (("many", MILLION), ("few", FEW)):
        source.execute(f"INSERT INTO {table} SELECT no, 'word ' || no FROM ({NUMBERS.format(rows=rows)}) WHERE no > 1")
    source.commit()
    source.close()


def found(folder: Path, target: str, extra: Sequence[list[int]] = ()) -> None:
    status, said, small = milepost(folder, target, "verify", "flip.py", "--object", "few", "--json")
    assert status == 0, said
    status, said, large = milepost(folder, target, "verify", "flip.py", "--object", "many", "--json")

    assert status == 1, said
    (many,) = json.loads(said)["objects"]
    numbers = {name: many[name] for name in ("read", "equal", "missing", "differing", "extra", "refused")}
    assert numbers == {
        "read": MILLION,
        "equal": MILLION - 1,
        "missing": 0,
        "differing": 1,
        "extra": len(extra),
        "refused": 0,
    }
    example, *others = many["examples"]
    assert [(one["kind"], one["target_key"]) for one in others] == [("extra", key) for key in extra]
    assert example["key"] == [FLIPPED]
    assert example["columns"] == {"word": ["word#777777", "word 777777"]}
    assert large - small < GROWN


def milepost(folder: Path, target: str, *arguments: str) -> tuple[int, str, float]:
    """Run the command; its exit status, standard output, and peak memory in MiB."""
    with subprocess.Popen(
        [sys.executable, "-m", "milepost", *arguments],
        cwd=folder,
        env={**os.environ, "FLIP_TARGET": target},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        said = process.stdout.read() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said, usage.ru_maxrss / 1024
