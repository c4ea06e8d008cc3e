"""Durable steps a second: a START and a COMPLETE each, beside what one durable commit costs in the same store."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.beside_dbos import STEPS, Make, count
from bench.measure import Row, measure, pairs

SQLITE = """
import sqlite3, sys
c = sqlite3.connect(sys.argv[1].removeprefix("sqlite:///"), isolation_level=None)
c.execute("PRAGMA journal_mode=WAL"); c.execute("PRAGMA synchronous=FULL")
c.execute("CREATE TABLE commits (number INTEGER PRIMARY KEY, text TEXT)")
for number in range(2 * int(sys.argv[2])):
    c.execute("INSERT INTO commits VALUES (?, 'started')", (number,))
"""
POSTGRES = """
import psycopg, sys
with psycopg.connect(sys.argv[1], autocommit=True) as c:
    c.execute("CREATE TABLE commits (number int PRIMARY KEY, text text)")
    for number in range(2 * int(sys.argv[2])):
        c.execute("INSERT INTO commits VALUES (%s, 'started')", (number,))
"""


def steps(store: str, make: Make, runs: int) -> Row:
    """Steps a second, process start counted; the peer writes two bare rows a step, each its own commit."""
    peer = SQLITE if store == "SQLite" else POSTGRES

    def bare() -> float:
        return measure([sys.executable, "-c", peer, make(), str(STEPS)]).seconds

    mine, other, ratio = pairs(runs, lambda: count("milepost", make(), STEPS, 0).process, bare)
    return Row(
        name=f"durable steps, {store}",
        ours=f"{STEPS / mine:,.0f} /s",
        peer=f"{STEPS / other:,.0f} /s",
        ratio=f"{ratio:.2f}",
        note="peer: two bare one-row commits a step",
    )


def fresh_file(folder: Path) -> str:
    """The URL of a SQLite file that is not there yet."""
    number = len(list(folder.glob("steps-*.db")))
    while (folder / f"steps-{number}.db").exists():
        number += 1
    (folder / f"steps-{number}.db").touch()
    return f"sqlite:///{folder / f'steps-{number}.db'}"
