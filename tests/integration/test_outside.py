"""A store outside the target's database: what stands in both after an undisturbed run and after a death in between."""

from __future__ import annotations

import os
import socket
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from fix_databases import Database
from milepost.connectors.sql.postgres import outside as postgres
from milepost.connectors.sql.sqlite import outside as sqlite
from milepost.databases.sqlite import connect as connect_to_file
from milepost.errors import Retryable
from milepost.jobs.intent import INTENT, Outcome
from milepost.jobs.ledger import Counts
from milepost.jobs.retry import Patience
from milepost.jobs.state import Record, State
from milepost.migration.migration import Migration
from milepost.migration.plan import EXACTLY_ONCE, REPLAYED, SETTLED
from milepost.migration.table import Table
from milepost.wiring.ends import open_outside, open_source
from milepost.wiring.open import open_store
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.run import plan, run

ROWS = [(number, number % 7, number * 10) for number in range(1, 11)]
UNDISTURBED_REJECTS = [
    ("buyer", "duplicate", [8]),
    ("buyer", "duplicate", [9]),
    ("buyer", "duplicate", [10]),
    ("sold", "load", [4]),
]


class Dies(BaseException):
    """As if the process were killed here: nothing of ours catches it for good."""


PLACES = ["sqlite-sqlite", "postgres-sqlite", "sqlite-postgres", "postgres-postgres"]  # the target's and the store's


@pytest.fixture(params=PLACES)
def shop(request, tmp_path):
    def database(name: str, kind: str) -> Database:
        if kind == "postgres":
            return Database(request.getfixturevalue("postgres_urls")())
        return Database(f"sqlite:///{tmp_path / name}.db")

    target, store = request.param.split("-")
    return Shop(database("source", "sqlite"), database("target", target), database("store", store))


class Shop:
    """Sales to be moved twice over: as they are, and into one row for each buyer."""

    def __init__(self, source: Database, target: Database, store: Database) -> None:
        self.source, self.target, self.store = source, target, store
        source.execute("CREATE TABLE sale (no integer PRIMARY KEY, buyer integer, total integer)")
        source.insert("sale", ROWS)
        target.execute(
            "CREATE TABLE sold (no integer PRIMARY KEY, buyer integer, total integer CHECK (total <> 40))",
            "CREATE TABLE buyer (buyer integer PRIMARY KEY, no integer)",
        )

    def migration(self, **settings: Any) -> Migration:
        crm = Migration(
            "shop",
            source=self.source.url,
            target=self.target.url,
            store=self.store.url,
            **{"batch_rows": 3, "max_rejects": 9, **settings},
        )
        crm.object("sold", source=Table("sale", key="no"), target=Table("sold", key="no"))
        crm.object(
            "buyer",
            source=Table("sale", key="no"),
            target=Table("buyer", key="buyer"),
            columns={"buyer": "buyer", "no": "no"},
        )
        return crm

    def run(self, openers: Openers = BY_URL) -> None:
        run(self.migration(), openers=openers, patience=Patience(tries=1))

    def records(self) -> dict[str, Record]:
        with closing(open_store(self.store.url, create=False)) as store:
            return {record.path: record for record in store.checkpoints("shop")}

    def intent(self, path: str) -> Any:
        with closing(open_store(self.store.url, create=False)) as store:
            return store.recall("shop", path).get(INTENT)

    def rejects(self) -> list[tuple[str, str, Any]]:
        with closing(open_store(self.store.url, create=False)) as store:
            return [(one.path, one.stage, one.key) for one in store.rejects("shop")]

    def expect(self) -> None:
        """What an undisturbed run leaves, worked out by hand."""
        assert self.target.rows("SELECT * FROM sold ORDER BY no") == [row for row in ROWS if row[2] != 40]
        first = {buyer: no for no, buyer, _ in reversed(ROWS)}
        assert self.target.rows("SELECT * FROM buyer ORDER BY buyer") == sorted(first.items())
        found = self.records()
        assert found["sold"].counts == Counts(read=10, loaded=9, rejected=1)
        assert found["buyer"].counts == Counts(read=10, loaded=7, rejected=3)
        assert {record.state for record in found.values()} == {State.COMPLETE}
        assert (self.intent("sold"), self.intent("buyer")) == (None, None)


def test_a_store_elsewhere_holds_the_checkpoints_and_the_target_holds_rows_only(shop) -> None:
    shop.run()
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS
    every = "SELECT name FROM sqlite_master WHERE type = 'table'"
    if shop.target.url.startswith("postgres"):
        every = "SELECT tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    assert {name for (name,) in shop.target.rows(every)} == {"sold", "buyer"}


class Dying:
    """An Outside that dies in its n-th transaction, just before its commit or just after it."""

    def __init__(self, inner, *, after: bool, deaths: list[int], of: BaseException) -> None:
        self.inner, self.after, self.deaths, self.of = inner, after, deaths, of

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self, check_lease):
        self.deaths[0] -= 1
        with self.inner.transaction(check_lease) as connection:
            yield connection
            if not self.after and self.deaths[0] == 0:
                raise self.of
        if self.after and self.deaths[0] == 0:
            raise self.of


def dying(at: int, *, after: bool, of: BaseException | None = None) -> Openers:
    deaths = [at]
    return Openers(outside=lambda *given: Dying(open_outside(*given), after=after, deaths=deaths, of=of or Dies()))


def reading(asked: list[Any]) -> Openers:
    """Notes from where each reading of the source begins, but for the plan's look at the first rows."""

    def opened(*given):
        source = open_source(*given)
        read = source.read
        source.read = lambda after, upto, chunk: (asked.append((after, upto)), read(after, upto, chunk))[1]
        return source

    return Openers(source=opened)


# of each object: the look whether its table is empty, then the batches 1-3, 4-6, 7-9 and 10
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", [1, 3, 10])
def test_a_death_around_a_commit_of_the_target_leaves_what_an_undisturbed_run_does(shop, at, after) -> None:
    with pytest.raises(Dies):
        shop.run(dying(at, after=after))
    doubtful = [path for path in ("sold", "buyer") if shop.intent(path)]
    assert doubtful == {1: [], 3: ["sold"], 10: ["buyer"]}[at]
    shop.run()
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS


def test_what_came_through_is_not_read_again_where_the_server_can_tell(shop) -> None:
    with pytest.raises(Dies):
        shop.run(dying(3, after=True))
    asked: list[Any] = []
    shop.run(reading(asked))
    replayed = [((3,), (6,))] if shop.target.url.startswith("sqlite") else []
    assert asked == [*replayed, ((6,), (10,)), (None, (10,))]
    shop.expect()


def test_what_did_not_come_through_is_read_as_if_it_had_never_been_where_the_server_can_tell(shop) -> None:
    with pytest.raises(Dies):
        shop.run(dying(3, after=False))
    asked: list[Any] = []
    shop.run(reading(asked))
    replayed = shop.target.url.startswith("sqlite")
    assert asked == [*([((3,), (6,)), ((6,), (10,))] if replayed else [((3,), (10,))]), (None, (10,))]
    shop.expect()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_commit_whose_answer_is_lost_is_settled_in_the_same_run(shop, after) -> None:
    lost = dying(3, after=after, of=Retryable("the connection was lost"))
    run(shop.migration(), openers=lost, patience=Patience(first=0.01))
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS


def test_the_plan_says_for_each_object_what_a_crash_leaves_in_doubt(shop) -> None:
    expected = [REPLAYED.format(key=key) for key in ("no", "buyer")]
    if shop.target.url.startswith("postgres"):
        expected = [SETTLED, SETTLED]
    assert [each.promise for each in plan(shop.migration()).objects] == expected
    together = shop.migration()
    together.store = None
    assert {each.promise for each in plan(together).objects} == {EXACTLY_ONCE}


def test_a_replay_that_dies_is_replayed(shop) -> None:
    with pytest.raises(Dies):
        shop.run(forgetful(dying(8, after=True)))
    for after in (False, True, True):
        with pytest.raises(Dies):
            shop.run(forgetful(dying(2, after=after)))
        assert shop.intent("buyer")["again"]
    shop.run(forgetful(Openers()))
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS


def forgetful(openers: Openers) -> Openers:
    """Of a server that cannot tell what became of a transaction, as after a move to another one."""

    def opened(*given):
        outside = openers.outside(*given)
        outside.settle = lambda *given: Outcome.UNKNOWN
        return outside

    return replace(openers, outside=opened)


class Stopped:
    """An Outside whose process is stopped in its n-th transaction, just before the commit, and keeps it open."""

    def __init__(self, inner, kept: list[Any], at: list[int]) -> None:
        self.inner, self.kept, self.at = inner, kept, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self, check_lease):
        self.at[0] -= 1
        if self.at[0]:
            with self.inner.transaction(check_lease) as connection:
                yield connection
            return
        block = self.inner.transaction(check_lease)
        self.kept.append((block, self.inner))  # and close() closes nothing
        yield block.__enter__()
        raise Dies

    def close(self) -> None:
        if not self.kept:
            self.inner.close()


@pytest.fixture
def stopped(shop, monkeypatch):
    """A shop of which a run was stopped between its intent and its commit, and what is left of that run."""
    monkeypatch.setattr(postgres, "TURN_SECONDS", 0.2)
    monkeypatch.setattr(sqlite, "connect", partial(connect_to_file, busy_seconds=0.2))
    kept: list[Any] = []
    at = [3]
    with pytest.raises(Dies):
        shop.run(Openers(outside=lambda *given: Stopped(open_outside(*given), kept, at)))
    assert shop.intent("sold")
    [(block, outside)] = kept
    yield shop, block
    with suppress(Dies, Retryable):
        block.__exit__(Dies, Dies(), None)
    outside.close()


def test_a_transaction_that_an_earlier_run_keeps_open_is_ended_or_waited_for(stopped) -> None:
    shop, block = stopped
    if shop.target.url.startswith("sqlite"):
        with pytest.raises(Retryable, match="locked"):
            shop.run()
        block.__exit__(None, None, None)  # it goes on, and commits what it intended before it was taken over
        shop.run()
    else:
        shop.run()
        with pytest.raises(Retryable, match="connection"):
            block.__exit__(None, None, None)
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS


@pytest.mark.parametrize("shop", ["postgres-sqlite"], indirect=True)
def test_a_run_that_was_taken_over_ends_nobodys_session(stopped) -> None:
    shop, _ = stopped

    class Lost(Exception):
        pass

    def check_lease() -> None:
        raise Lost

    outside = open_outside(shop.migration().objects[0], shop.target.url, "shop")
    with closing(outside), pytest.raises(Lost), outside.transaction(check_lease):
        pytest.fail("two transactions of one object are open")
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = {}"
    assert shop.target.rows(held.format("(SELECT oid FROM pg_database WHERE datname = current_database())")) == [(1,)]


@pytest.mark.parametrize("shop", ["postgres-sqlite"], indirect=True)
def test_a_rollback_runs_when_no_earlier_run_can_commit_any_more(stopped) -> None:
    shop, block = stopped
    crm = shop.migration()
    seen: list[Any] = []

    @crm.objects[0].rollback
    def undo(cp):
        with pytest.raises(Retryable):
            block.__exit__(None, None, None)
        seen.append(shop.target.rows("SELECT count(*) FROM sold"))
        shop.target.execute("DELETE FROM sold")

    run(crm, patience=Patience(tries=1))
    assert seen == [[(3,)]]  # the batch that was committed, without the one that was intended
    shop.expect()


@pytest.mark.parametrize("shop", ["postgres-sqlite"], indirect=True)
def test_a_server_that_goes_away_before_it_said_who_it_is_has_only_gone_for_a_moment(shop, monkeypatch) -> None:
    kept, known = [postgres.connect], []

    def connect(*given: Any, **settings: Any) -> Any:
        connection = kept[0](*given, **settings)
        if not known:
            known.append(connection)
            with socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
        return connection

    monkeypatch.setattr(postgres, "connect", connect)
    outside = open_outside(shop.migration().objects[0], shop.target.url, "shop")
    with closing(outside):
        with pytest.raises(Retryable, match="the connection to"), outside.transaction(lambda: None):
            pytest.fail("there is nobody at the other end")
        with outside.transaction(lambda: None) as connection:
            assert outside.token(connection, None) is not None
    assert known[0].closed


def some(connection: Any, number: int) -> None:
    """A row, written as the rows of a batch are: under a savepoint."""
    with connection.transaction():
        connection.execute("INSERT INTO sold VALUES (%s, 1, 1)", [number])


@pytest.mark.parametrize("shop", ["postgres-sqlite"], indirect=True)
def test_the_number_of_a_transaction_is_believed_of_this_server_only_and_with_a_row_that_it_wrote(shop) -> None:
    outside = open_outside(shop.migration().objects[0], shop.target.url, "shop")
    with closing(outside):
        with outside.transaction(lambda: None) as connection:
            some(connection, 1)
            wrote = outside.token(connection, (1,))
        with outside.transaction(lambda: None) as connection:
            some(connection, 2)
            met = outside.token(connection, (1,))
        with outside.transaction(lambda: None) as connection:
            settle = partial(outside.settle, connection)
            assert settle(wrote, (1,)) is Outcome.COMMITTED
            assert settle(met, (1,)) is Outcome.UNKNOWN  # the row was there before: it says nothing of who met it
            assert settle(wrote, None) is Outcome.UNKNOWN
            assert settle(wrote, (3,)) is Outcome.UNKNOWN
            for place in range(3):
                elsewhere = [*wrote["cluster"]]
                elsewhere[place] = "another"
                assert settle({**wrote, "cluster": elsewhere}, (1,)) is Outcome.UNKNOWN
            connection.execute("UPDATE sold SET total = 2 WHERE no = 1")
            assert settle(wrote, (1,)) is Outcome.UNKNOWN  # as where the number was given out again
