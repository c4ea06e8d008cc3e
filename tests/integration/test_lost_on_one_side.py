"""A connection to PostgreSQL is lost on this side only: the server keeps its session open, which may yet commit."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

from fix_databases import Database
from milepost import Migration, Table
from milepost.jobs.retry import Patience
from milepost.jobs.runner import run as run_job
from milepost.stores.postgres import PostgresStore
from milepost.testing import ManualClock
from milepost.wiring.ends import open_target
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"


class Side:
    """The server's side of a connection that was taken from its client."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None

    def cut_off(self, connection: Any) -> None:
        """The client finds it broken from now on; the server hears nothing of it."""
        self.socket = socket.socket(fileno=os.dup(connection.fileno()))
        self.socket.settimeout(10)
        here, there = socket.socketpair()
        there.close()
        with here:
            os.dup2(here.fileno(), connection.fileno())

    def commit(self) -> None:
        """What the client was about to say comes late, if anybody is there to hear it."""
        assert self.socket is not None
        with suppress(OSError):
            self.socket.sendall(COMMIT)
            self.socket.recv(1 << 16)


@pytest.fixture
def side() -> Iterator[Side]:
    side = Side()
    yield side
    assert side.socket is not None, "the connection was never lost"
    side.socket.close()


@pytest.fixture
def target(postgres_url) -> Database:
    target = Database(postgres_url)
    # A run that waits for itself fails, instead of waiting until the server finds out.
    target.execute(f"ALTER DATABASE {postgres_url.rpartition('/')[2]} SET lock_timeout = '300ms'")
    return target


def test_a_run_does_not_wait_for_the_locks_of_its_own_lost_session(side, target) -> None:
    target.execute("CREATE TABLE sent (number integer)")

    def post(cp) -> list[int]:
        while (number := cp.position or 0) < 3:
            with cp.transaction() as connection:
                connection.execute("INSERT INTO sent VALUES (%s)", [number])
                cp.save(number + 1)
                if number == 1 and side.socket is None:
                    side.cut_off(connection)
        return [cp.attempt, cp.position]

    with closing(PostgresStore.create(target.url)) as store:
        ended = run_job(
            "post", lambda cp: cp.call("post", post), store=store, patience=Patience(tries=2), clock=ManualClock()
        )
    assert ended == [2, 3]
    assert target.rows("SELECT number FROM sent ORDER BY 1") == [(0,), (1,), (2,)]


class Cutting:
    """A target whose connection is lost when the rows of its second batch are in, and only the commit is to come."""

    def __init__(self, target: Any, side: Side) -> None:
        self.target, self.side, self.loads = target, side, 0

    def load(self, connection, rows, loading):
        loaded = self.target.load(connection, rows, loading)
        self.loads += 1
        if self.loads == 2:
            self.side.cut_off(connection)
        return loaded

    def __getattr__(self, name: str) -> Any:
        return getattr(self.target, name)


def test_a_commit_that_arrives_late_does_not_meet_the_same_batch_on_its_way_again(side, target, tmp_path) -> None:
    source = Database(f"sqlite:///{tmp_path / 'source.db'}")
    source.execute("CREATE TABLE old (no integer PRIMARY KEY)")
    source.insert("old", [(number,) for number in range(1, 21)])
    target.execute("CREATE TABLE new (no integer PRIMARY KEY)")
    crm = Migration("crm", source=source.url, target=target.url, batch_rows=5)

    @crm.object(source=Table("old", key="no"), target=Table("new", key="no"))
    def new(row):
        if row["no"] == 6 and side.socket is not None:  # the second batch is read again: where it begins was looked up
            side.commit()
        return row

    openers = Openers(target=lambda each, url: Cutting(open_target(each, url), side))
    run(crm, openers=openers, patience=Patience(tries=2), clock=ManualClock())
    assert target.rows("SELECT no FROM new ORDER BY 1") == [(number,) for number in range(1, 21)]
    assert target.rows("SELECT epoch, outcome FROM milepost.run") == [(1, "complete")]
