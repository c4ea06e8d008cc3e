"""Two runs of one job, in real processes: only one writes at a time, and none after another has taken over.

That is shown by plain SQL in the target, where triggers note who wrote each row and in which transaction. If the store
is in the target, another notes at each taking of the lease which transactions had been committed by then; if it is
outside, each row carries that.
"""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from writer_program import BUSY, COMPLETE, LOST, REFUSED

from fault_proxy import FaultProxy
from fix_databases import Database
from milepost.clock import SystemClock
from milepost.wiring.open import open_store
from warm_processes import WarmProcesses

pytestmark = pytest.mark.slow

ROUNDS = 10  # of each of the five tests
LANES = 3  # rounds at a time: they mostly wait
ITEMS = 200  # in batches of ten
LEASE = 1.0
PATIENCE = 12.0  # a store on PostgreSQL waits five seconds before it ends the other's open transaction
Ended = tuple[int, int]
BEGUN = ("RunStarted", "refused", "busy")
CLOCK = SystemClock()

SQLITE = (
    "CREATE TABLE item (no integer PRIMARY KEY, writer integer)",
    "CREATE TABLE happened (at integer PRIMARY KEY AUTOINCREMENT, epoch integer, writer integer)",
    """CREATE TRIGGER taken AFTER INSERT ON milepost_run BEGIN
        INSERT INTO happened (epoch) VALUES (new.epoch); END""",
    """CREATE TRIGGER written AFTER INSERT ON item BEGIN
        INSERT INTO happened (writer) VALUES (new.writer); END""",
)
CLEARED = (
    "DROP SCHEMA IF EXISTS milepost CASCADE",
    "DROP SCHEMA public CASCADE",
    "CREATE SCHEMA public",
)
# The role is called milepost, and so is the schema of the store: what is made without a schema is made there.
POSTGRES = (
    "CREATE TABLE public.item (no integer PRIMARY KEY, writer integer)",
    "CREATE TABLE public.written (writer integer, transaction xid8, seen pg_snapshot)",
    """CREATE FUNCTION public.note_written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.written VALUES (new.writer, pg_current_xact_id(), pg_current_snapshot()); RETURN new;
    END $$""",
    """CREATE TRIGGER written AFTER INSERT OR UPDATE ON public.item
        FOR EACH ROW EXECUTE FUNCTION public.note_written()""",
)
POSTGRES_STORE = (
    "CREATE TABLE public.taken (epoch bigint, seen pg_snapshot)",
    """CREATE FUNCTION public.note_taken() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        INSERT INTO public.taken VALUES (new.epoch, pg_current_snapshot()); RETURN new;
    END $$""",
    "CREATE TRIGGER taken AFTER INSERT ON milepost.run FOR EACH ROW EXECUTE FUNCTION public.note_taken()",
)

# Rows of a run that were not yet committed when a later one took the lease. SQLite has one writer at a time: what comes
# later in the table was committed later.
SQLITE_LATE = """
    SELECT w.writer, r.epoch, t.epoch FROM happened w JOIN milepost_run r ON r.holder LIKE '% pid ' || w.writer
    JOIN happened t ON t.epoch > r.epoch AND t.at < w.at
"""
POSTGRES_LATE = """
    SELECT w.writer, r.epoch, t.epoch FROM written w JOIN milepost.run r ON r.holder LIKE '% pid ' || w.writer
    JOIN taken t ON t.epoch > r.epoch AND NOT pg_visible_in_snapshot(w.transaction, t.seen)
"""
# Rows of a run that were not yet committed when the other wrote, whichever was first.
BESIDE = """
    SELECT one.writer, other.writer FROM written one JOIN written other ON one.writer <> other.writer
    AND NOT pg_visible_in_snapshot(one.transaction, other.seen)
    AND NOT pg_visible_in_snapshot(other.transaction, one.seen)
"""
# Who wrote again after the other had: the rows of each must be together.
TURNS = """
    SELECT count(*) FROM (SELECT writer, lag(writer) OVER (ORDER BY transaction) AS before FROM written) AS w
    WHERE writer <> before
"""


@dataclass
class Round:
    """Where two runs meet. ``late`` is the query that must find nothing; ``proxy`` stands before the first's store."""

    warm: WarmProcesses
    folder: Path
    source: Database
    target: Database
    late: tuple[str, ...]
    store: str | None = None
    proxy: FaultProxy | None = None
    unfenced: bool = False
    started: int = 0

    def start(self, *, through: bool = False, pace: float = 0.0, go: Path | None = None) -> Run:
        store = self.proxy.url if self.proxy and through else self.store
        urls = {"source": self.source.url, "target": self.target.url, "store": store}
        self.started += 1
        output = self.folder / f"{self.started}.txt"
        return Run(self.warm, self.warm.start(output, urls, LEASE, pace, go and str(go), self.unfenced), output)

    def must_have_no_row_late_and_be_whole(self) -> None:
        for query in self.late:
            assert self.target.rows(query) in ([], [(0,)], [(1,)] if query is TURNS else []), query
        assert self.target.rows("SELECT no FROM item ORDER BY no") == [(no,) for no in range(1, ITEMS + 1)]

    def writers(self) -> set[int]:
        return {writer for (writer,) in self.target.rows("SELECT DISTINCT writer FROM item")}


@dataclass(frozen=True)
class Run:
    """One process."""

    warm: WarmProcesses
    process: int
    output: Path

    def said(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    def wait(self) -> int:
        status = self.warm.wait(self.process)
        assert status in (COMPLETE, REFUSED, LOST, BUSY), self.said()
        return status

    def send(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):  # it is through already
            os.kill(self.process, number)

    def await_start(self) -> None:
        """Until it has begun to run, or was refused, or has waited long for what the other one holds."""
        until = CLOCK.monotonic() + PATIENCE
        while CLOCK.monotonic() < until and not any(word in self.said() for word in BEGUN):
            CLOCK.sleep(0.005)


# -- places


def of_sqlite(warm: WarmProcesses, folder: Path, source: Database, _: list[str]) -> Round:
    target = Database(f"sqlite:///{folder / 'target.db'}")
    open_store(target.url, create=True).close()
    target.execute(*SQLITE)
    return Round(warm, folder, source, target, (SQLITE_LATE,))


def of_postgres(warm: WarmProcesses, folder: Path, source: Database, urls: list[str]) -> Round:
    target = Database(urls[0])
    target.execute(*CLEARED)
    open_store(target.url, create=True).close()
    target.execute(*POSTGRES, *POSTGRES_STORE)
    return Round(warm, folder, source, target, (POSTGRES_LATE,))


def with_the_store_outside(warm: WarmProcesses, folder: Path, source: Database, urls: list[str]) -> Round:
    target = Database(urls[0])
    target.execute(*CLEARED, *POSTGRES)
    Database(urls[1]).execute(*CLEARED)
    return Round(warm, folder, source, target, (BESIDE, TURNS), store=urls[1], proxy=FaultProxy(urls[1]))


@pytest.fixture
def play(tmp_path, postgres_urls):
    """Play rounds in lanes, each with databases of its own; how the two runs ended, counted."""
    source = Database(f"sqlite:///{tmp_path / 'source.db'}")
    source.execute("CREATE TABLE items (no integer PRIMARY KEY)")
    source.insert("items", [(no,) for no in range(1, ITEMS + 1)])
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")

    def lane(warm, prepare, meet, urls, numbers) -> list[Ended]:
        return [one(warm, prepare, meet, urls, number) for number in numbers]

    def one(warm, prepare, meet, urls, number) -> Ended:
        folder = tmp_path / str(number)
        folder.mkdir()
        round_ = prepare(warm, folder, source, urls)
        ended = meet(round_, random.Random(seed + number))
        round_.must_have_no_row_late_and_be_whole()
        return ended

    def play(prepare: Callable[..., Round], meet: Callable[..., Ended], rounds: int = ROUNDS) -> Counter[Ended]:
        urls = [[] if prepare is of_sqlite else [postgres_urls(), postgres_urls()] for _ in range(LANES)]
        with WarmProcesses("writer_program") as warm, ThreadPoolExecutor(LANES) as pool:
            lanes = [range(number, rounds, LANES) for number in range(LANES)]
            ended = list(pool.map(partial(lane, warm, prepare, meet), urls, lanes))
        found = Counter(each for one in ended for each in one)
        print(found)
        return found

    return play


# -- meetings


def at_the_same_instant(round_: Round, chance: random.Random) -> Ended:
    go = round_.folder / "go"
    first, second = (round_.start(pace=chance.uniform(0.05, 0.1), go=go) for _ in range(2))
    CLOCK.sleep(0.1)
    go.touch()
    ended = first.wait(), second.wait()
    if REFUSED in ended:
        assert round_.writers() == {run.process for run in (first, second) if run.wait() == COMPLETE}
    return ended


def one_stopped(round_: Round, chance: random.Random) -> Ended:
    first = round_.start(pace=0.05)
    first.await_start()
    CLOCK.sleep(chance.uniform(0, 0.45))
    first.send(signal.SIGSTOP)
    CLOCK.sleep(LEASE + 0.2)
    second = round_.start(pace=0.02)
    second.await_start()
    CLOCK.sleep(chance.uniform(0, 0.3))
    first.send(signal.SIGCONT)
    return first.wait(), second.wait()


def one_cut_off(round_: Round, chance: random.Random) -> Ended:
    assert round_.proxy is not None
    with round_.proxy as proxy:
        first = round_.start(pace=0.05, through=True)
        first.await_start()
        CLOCK.sleep(chance.uniform(0, 0.45))
        proxy.stall()
        CLOCK.sleep(LEASE + 0.2)
        second = round_.start(pace=0.02)
        second.await_start()
        CLOCK.sleep(chance.uniform(0, 0.3))
        proxy.release()
        return first.wait(), second.wait()


@pytest.mark.parametrize("place", [of_sqlite, of_postgres])
def test_of_two_runs_that_start_at_the_same_instant_one_writes(play, place) -> None:
    ended = play(place, at_the_same_instant)
    assert set(ended) <= {
        (COMPLETE, REFUSED),
        (REFUSED, COMPLETE),
        (COMPLETE, COMPLETE),
    }  # the last: one after the other
    assert ended[COMPLETE, REFUSED] + ended[REFUSED, COMPLETE] > 0


@pytest.mark.parametrize("place", [of_sqlite, of_postgres])
def test_a_run_that_was_stopped_past_its_lease_writes_nothing_after_another_took_over(play, place) -> None:
    ended = play(place, one_stopped)
    # The other one cannot take over where the first is complete, or where its open transaction locks SQLite's file.
    assert set(ended) <= {(LOST, COMPLETE), (COMPLETE, COMPLETE), (COMPLETE, REFUSED), (COMPLETE, BUSY)}
    assert ended[LOST, COMPLETE] > ROUNDS // 2


def test_a_run_that_is_cut_off_from_its_store_but_not_from_its_target_writes_nothing_after_the_other(play) -> None:
    ended = play(with_the_store_outside, one_cut_off)
    assert set(ended) <= {(LOST, COMPLETE), (COMPLETE, COMPLETE), (COMPLETE, REFUSED)}
    assert ended[LOST, COMPLETE] > ROUNDS // 2


@pytest.mark.parametrize("place", [of_sqlite, of_postgres])
def test_the_queries_find_the_rows_of_a_run_that_is_not_fenced_off(play, place) -> None:
    found: list[Any] = []

    def one_goes_on(round_: Round, chance: random.Random) -> Ended:
        round_.unfenced = True
        first = round_.start(pace=0.05)
        first.await_start()
        CLOCK.sleep(chance.uniform(0.1, 0.3))
        first.send(signal.SIGSTOP)
        CLOCK.sleep(LEASE + 0.2)
        second = round_.start(pace=0.2)
        second.await_start()
        first.send(signal.SIGCONT)
        ended = round_.warm.wait(first.process), round_.warm.wait(second.process)
        found.extend(round_.target.rows(round_.late[0]))
        return ended

    with suppress(AssertionError):
        play(place, one_goes_on, rounds=LANES)
    assert found
