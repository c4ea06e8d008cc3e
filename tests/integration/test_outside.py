"""A store outside the target's database: what stands in both after an undisturbed run and after a death in between."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import Any

import pytest

from fix_databases import Database
from milepost.jobs.intent import INTENT
from milepost.jobs.ledger import Counts
from milepost.jobs.state import Record, State
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.ends import open_outside
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run

ROWS = [(number, number % 7, number * 10) for number in range(1, 11)]
UNDISTURBED_REJECTS = [
    ("buyer", "duplicate", [8]),
    ("buyer", "duplicate", [9]),
    ("buyer", "duplicate", [10]),
    ("sold", "load", [4]),
]


class Dies(BaseException):
    """As if the process were killed here: nothing of ours catches it for good."""


@pytest.fixture
def shop(sqlite_pair, tmp_path):
    sqlite_pair.source.execute("CREATE TABLE sale (no integer PRIMARY KEY, buyer integer, total integer)")
    sqlite_pair.source.insert("sale", ROWS)
    sqlite_pair.target.execute(
        "CREATE TABLE sold (no integer PRIMARY KEY, buyer integer, total integer CHECK (total <> 40))",
        "CREATE TABLE buyer (buyer integer PRIMARY KEY, no integer)",
    )
    return Shop(sqlite_pair, Database(f"sqlite:///{tmp_path / 'store.db'}"))


class Shop:
    def __init__(self, pair, store: Database) -> None:
        self.source, self.target, self.store = pair.source, pair.target, store

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

    def run(self, openers: Openers | None = None) -> None:
        run(self.migration(), **({} if openers is None else {"openers": openers}))

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


def test_a_store_in_another_file_holds_the_checkpoints_and_the_target_holds_rows_only(shop) -> None:
    shop.run()
    shop.expect()
    tables = {name for (name,) in shop.target.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables == {"sold", "buyer"}


class Dying:
    """An Outside that dies in its n-th transaction, just before its commit or just after it."""

    def __init__(self, inner, *, after: bool, deaths: list[int]) -> None:
        self.inner, self.after, self.deaths = inner, after, deaths

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self, check_lease):
        self.deaths[0] -= 1
        with self.inner.transaction(check_lease) as connection:
            yield connection
            if not self.after and self.deaths[0] == 0:
                raise Dies
        if self.after and self.deaths[0] == 0:
            raise Dies


def dying(at: int, *, after: bool) -> Openers:
    deaths = [at]
    return Openers(outside=lambda *given: Dying(open_outside(*given), after=after, deaths=deaths))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, 11))
def test_a_death_around_a_commit_of_the_target_leaves_what_an_undisturbed_run_does(shop, at, after) -> None:
    with pytest.raises(Dies):
        shop.run(dying(at, after=after))
    doubtful = [path for path in ("sold", "buyer") if shop.intent(path)]
    looked = at in (1, 6)  # the look whether the table is empty intends nothing
    assert doubtful == ([] if looked else ["sold" if at < 6 else "buyer"])
    shop.run()
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS


def test_a_replay_that_dies_is_replayed(shop) -> None:
    with pytest.raises(Dies):
        shop.run(dying(8, after=True))
    for after in (False, True, True):
        with pytest.raises(Dies):
            shop.run(dying(2, after=after))
        assert shop.intent("buyer")["again"]
    shop.run()
    shop.expect()
    assert shop.rejects() == UNDISTURBED_REJECTS
