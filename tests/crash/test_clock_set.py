"""The clock that a database tells is set forward or back, by an hour, while runs go on and between them.

SQLite is given a strftime of ours, PostgreSQL a clock_timestamp of ours that is found before its own.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from fix_databases import Pair
from milepost import Migration, Table
from milepost.clock import SystemClock
from milepost.databases import sqlite as opening
from milepost.errors import LeaseHeld, LeaseLost
from milepost.jobs.event import CheckpointStarted, Event, RunStarted
from milepost.jobs.heartbeat import Heartbeat
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store
from milepost.stores import sqlite as storing
from milepost.wiring.open import open_store
from milepost.wiring.run import run

HOUR = 3600
TTL = 1.5

SHIM = """
    CREATE SCHEMA shim;
    CREATE TABLE shim.shift (seconds integer);
    INSERT INTO shim.shift VALUES (0);
    CREATE FUNCTION shim.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
        'SELECT pg_catalog.clock_timestamp() + make_interval(secs => (SELECT seconds FROM shim.shift))'
"""


@dataclass
class Shifted:
    """The store's place, and ``shift``: sets its clock that many seconds off the right time."""

    url: str
    shift: Callable[[int], None]
    opened: list[Store] = field(default_factory=list)

    def store(self) -> Store:
        store = open_store(self.url, create=True)
        assert store is not None
        self.opened.append(store)
        return store


@pytest.fixture
def sqlite_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Every connection of a SQLite store is told the time by us."""
    off = timedelta(0)

    def strftime(_form: str, _now: str, *more: str) -> str:
        seconds = sum(float(each.removesuffix(" seconds")) for each in more)
        told = SystemClock().now() + off + timedelta(seconds=seconds)
        return told.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def shift(seconds: int) -> None:
        nonlocal off
        off = timedelta(seconds=seconds)

    def told(connect: Callable[..., sqlite3.Connection]) -> Callable[..., sqlite3.Connection]:
        def connected(*args: Any, **settings: Any) -> sqlite3.Connection:
            connection = connect(*args, **settings)
            connection.create_function("strftime", -1, strftime)
            return connection

        return connected

    monkeypatch.setattr(storing, "connect", told(opening.connect))
    monkeypatch.setattr(storing, "connect_read_only", told(opening.connect_read_only))
    return shift


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shifted]:
    if request.param == "sqlite":
        shifted = Shifted(f"sqlite:///{tmp_path / 'store.db'}", request.getfixturevalue("sqlite_clock"))
    else:
        plain = request.getfixturevalue("postgres_url")

        def shift(seconds: int) -> None:
            with psycopg.connect(plain, autocommit=True) as connection:
                connection.execute("UPDATE shim.shift SET seconds = %s", [seconds])

        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute(SHIM)
        shifted = Shifted(f"{plain}?options=-csearch_path%3Dshim,pg_catalog,public", shift)
    yield shifted
    for store in shifted.opened:
        store.close()


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_run_that_lives_is_not_taken_over_because_the_clock_was_set(place: Shifted, seconds: int) -> None:
    mine, others = place.store(), place.store()
    lease = mine.acquire("crm", holder="mine", ttl=TTL)
    with Heartbeat(mine, lease) as heartbeat:
        place.shift(seconds)
        with pytest.raises(LeaseHeld):
            others.acquire("crm", holder="other", ttl=TTL)
        mine.put(lease, Record(path="a", state=State.STARTED, attempt=1))
        assert heartbeat.lost is None


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_a_stopped_run_is_taken_over_although_the_clock_was_set(place: Shifted, seconds: int) -> None:
    """Its lock is held, its lease ends in an hour or ended an hour ago, and nothing renews it."""
    mine, others = place.store(), place.store()
    lease = mine.acquire("crm", holder="mine", ttl=TTL)
    place.shift(seconds)

    taken = others.acquire("crm", holder="other", ttl=TTL)

    assert taken.epoch == 2
    with pytest.raises(LeaseLost):
        mine.put(lease, Record(path="a", state=State.STARTED, attempt=1))


@pytest.mark.parametrize("seconds", [HOUR, -HOUR])
def test_the_clock_is_set_during_a_migration_and_between_its_runs(
    sqlite_pair: Pair, sqlite_clock: Callable[[int], None], seconds: int
) -> None:
    source, target = sqlite_pair.source, sqlite_pair.target
    source.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")
    source.insert("numbers", [(n,) for n in range(1, 101)])
    target.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    stumbles = True
    crm = Migration("crm", source=source.url, target=target.url, batch_rows=10)

    @crm.object(source=Table("numbers", key="n"), target=Table("number", key="n"))
    def number(row: dict[str, Any]) -> dict[str, Any]:
        if row["n"] == 35:
            sqlite_clock(seconds)
        if row["n"] == 65 and stumbles:
            raise OSError("no luck")
        return row

    events: list[Event] = []
    with pytest.raises(Exception, match="no luck"):
        run(crm)
    stumbles = False
    sqlite_clock(2 * seconds)
    run(crm, emit=events.append)

    assert target.rows("SELECT n FROM number ORDER BY n") == [(n,) for n in range(1, 101)]
    (began,) = [event for event in events if isinstance(event, RunStarted)]
    assert began.recovering
    assert began.paused_for is not None
    assert abs(began.paused_for - max(seconds, 0)) < 60
    assert [event.position for event in events if isinstance(event, CheckpointStarted) and event.path == "number"] == [
        [60]
    ]


def test_a_store_says_its_own_time(place: Shifted) -> None:
    """The shim is what the store tells: else these tests would show nothing."""
    with closing(place.store()) as store:
        place.shift(HOUR)
        assert timedelta(seconds=HOUR - 60) < store.now() - SystemClock().now() < timedelta(seconds=HOUR + 60)
