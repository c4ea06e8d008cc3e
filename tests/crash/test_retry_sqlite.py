"""A SQLite file is locked by another process for a while: the same run goes on when it is let go."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from milepost import Migration, Retryable, Table
from milepost.databases import sqlite as databases
from milepost.jobs.event import Told
from milepost.jobs.retry import Patience
from milepost.testing import ManualClock
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

ROWS = 100
LEASE = 3.0  # seconds; a renewal waits for a lock for a sixth of it
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
connection.close()
print("gone", flush=True)
"""


class Holder:
    """Another process that locks a file until it is told to let go."""

    def __init__(self, file: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def let_go(self) -> None:
        self.process.communicate("\n", timeout=60)


class Fate(ManualClock):
    """At its 20th sleep something happens."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], None] | None = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        if len(self.slept) == 20 and self.act is not None:
            self.act()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    held: list[Holder] = []
    yield held
    for each in held:
        each.process.kill()
        each.process.communicate()


@pytest.fixture
def impatient(monkeypatch) -> Openers:
    """Connections that wait for a lock for a moment only."""
    monkeypatch.setattr(databases, "BUSY_SECONDS", 0.05)

    def store(url: str, *, create: bool) -> Any:
        opened: Any = open_store(url, create=create)
        if opened is not None:
            opened._connection.execute("PRAGMA busy_timeout = 50")
        return opened

    return Openers(store=store)


def scene(tmp_path, at_row: Callable[[int], None]) -> Migration:
    source, target = tmp_path / "legacy.db", tmp_path / "crm.db"
    for file, statements in (
        (source, ["CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)"]),
        (target, [f"CREATE TABLE {name} (id INTEGER PRIMARY KEY, name TEXT)" for name in "ab"]),
    ):
        connection = sqlite3.connect(file)
        for statement in statements:
            connection.execute(statement)
        if file is source:
            connection.executemany("INSERT INTO t VALUES (?, ?)", [(n, f"name {n}") for n in range(ROWS)])
        connection.commit()
        connection.close()
    crm = Migration("crm", source=f"sqlite:///{source}", target=f"sqlite:///{target}", batch_rows=10)

    @crm.object(source=Table("t", key="id"), target=Table("a", key="id"))
    def first(row):
        at_row(row["id"])
        return {"id": row["id"], "name": row["name"].upper()}

    crm.object("second", source=Table("t", key="id"), target=Table("b", key="id"), columns={"id": "id", "name": "name"})
    return crm


def rows(file, query):
    connection = sqlite3.connect(file)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.mark.parametrize("which", ["legacy.db", "crm.db"])
def test_a_file_that_another_process_locks_is_waited_for(tmp_path, impatient, holders, which) -> None:
    clock, events = Fate(), []

    def at_row(number: int) -> None:
        if which == "crm.db" and number == 55 and not holders:
            hold()

    def hold() -> None:
        holders.append(Holder(str(tmp_path / which)))
        clock.act = holders[0].let_go

    def emit(event) -> None:
        events.append(event)
        name = type(event).__name__
        if which == "legacy.db" and (name, getattr(event, "path", "")) == ("CheckpointCompleted", "first"):
            hold()  # between two objects: nobody reads the source, so that its file can be locked

    crm = scene(tmp_path, at_row)
    run(crm, emit=emit, openers=impatient, lease_seconds=LEASE, clock=clock, patience=Patience(tries=8, first=1.0))
    told = [each.message for each in events if isinstance(each, Told) and "before try" in each.message]
    assert told
    assert all("locked" in message for message in told)
    source, target = tmp_path / "legacy.db", tmp_path / "crm.db"
    assert rows(target, "SELECT * FROM a ORDER BY id") == rows(source, "SELECT id, upper(name) FROM t ORDER BY id")
    assert rows(target, "SELECT * FROM b ORDER BY id") == rows(source, "SELECT * FROM t ORDER BY id")
    assert rows(target, "SELECT epoch, outcome FROM milepost_run") == [(1, "complete")]
    counts = "SELECT path, sum(read), sum(loaded), count(*) FROM milepost_ledger GROUP BY path ORDER BY path"
    assert rows(target, counts) == [("first", ROWS, ROWS, 10), ("second", ROWS, ROWS, 10)]


def test_a_file_that_stays_locked_is_given_up_and_the_next_run_resumes(tmp_path, impatient, holders) -> None:
    def at_row(number: int) -> None:
        if number == 55 and not holders:
            holders.append(Holder(str(tmp_path / "crm.db")))

    crm, clock = scene(tmp_path, at_row), ManualClock()
    with pytest.raises(Retryable, match=r"locked .*\(tried 4 times\)"):
        run(
            crm, openers=impatient, lease_seconds=LEASE, clock=clock, patience=Patience(tries=4, first=1.0, longest=2.0)
        )
    assert sum(clock.slept) <= 1 + 2 + 2
    holders[0].let_go()
    run(crm, openers=impatient, lease_seconds=LEASE, clock=clock)
    target = tmp_path / "crm.db"
    assert rows(target, "SELECT count(*), sum(id) FROM a") == [(ROWS, sum(range(ROWS)))]
    assert rows(target, "SELECT epoch, outcome FROM milepost_run ORDER BY epoch") == [(1, None), (2, "complete")]
