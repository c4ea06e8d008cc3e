"""Durable steps a second: a START and a COMPLETE each, beside what one durable commit costs in the same store."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.measure import Row, measure, pairs

STEPS = 2000

OURS = """
import sys
from milepost import Checkpoint, Job
from milepost.wiring.run import run
job = Job("steps", store=sys.argv[1])
@job.step
def step(cp: Checkpoint, number: int) -> int:
    return number
@job.main
def main() -> int:
    return sum(step(number) for number in range(int(sys.argv[2])))
assert run(job) == sum(range(int(sys.argv[2])))
"""
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


def steps(store: str, make: object, runs: int) -> Row:
    """Steps a second, process start counted; the peer writes two bare rows a step, each its own commit."""
    peer = SQLITE if store == "SQLite" else POSTGRES

    def timed(code: str) -> float:
        return measure([sys.executable, "-c", code, make(), str(STEPS)]).seconds  # type: ignore[operator]

    mine, other, ratio = pairs(runs, lambda: timed(OURS), lambda: timed(peer))
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
