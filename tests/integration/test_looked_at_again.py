"""What is looked at again, when, and what comes of it: each rule by itself."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Database
from milepost.cli.status import show_status
from milepost.errors import Fatal, Reject
from milepost.jobs.event import AsOf, BatchCommitted, CheckpointStarted, Event, Told
from milepost.jobs.ledger import Counts
from milepost.migration.migration import Migration
from milepost.migration.table import Sink, Table
from milepost.wiring.open import open_store
from milepost.wiring.retry import retry
from milepost.wiring.run import Urls, run


class Dies(KeyboardInterrupt):
    """As if it were interrupted here; nothing is mended meanwhile, so that it is no failure."""


class Shop:
    """Ten goods, numbered by tens, with the time of their last change; a run of them writes down what it says."""

    def __init__(self, source: Database, target: Database) -> None:
        self.source, self.target = source, target
        self.events: list[Event] = []
        source.execute("CREATE TABLE good (no integer PRIMARY KEY, name text, changed integer)")
        source.insert("good", [(no, f"name {no}", 1) for no in range(10, 101, 10)])
        target.execute("CREATE TABLE good (no integer PRIMARY KEY, name text)")

    def migration(self, *, modified: str | None = "changed", columns: Any = None, **settings: Any) -> Migration:
        settings = {"batch_rows": 3, "recheck_after": "0s", "deletes": "apply", "max_rejects": 5, **settings}
        shop = Migration("shop", source=self.source.url, target=self.target.url, **settings)
        columns = columns or {"no": "no", "name": "name"}
        shop.object(
            "good", source=Table("good", key="no", modified=modified), target=Table("good", key="no"), columns=columns
        )
        return shop

    def run(self, shop: Migration | None = None, *, dies_at: tuple[str, int] | None = None, **settings: Any) -> None:
        """Run it, or a part of it: until that batch of that path is committed."""
        self.events = []

        def emit(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, BatchCommitted) and (event.path, event.seq) == dies_at:
                raise Dies

        if dies_at is None:
            run(shop or self.migration(), emit=emit, **settings)
        else:
            with pytest.raises(Dies):
                run(shop or self.migration(), emit=emit, **settings)

    @property
    def paths(self) -> list[str]:
        """What was started, but for the job."""
        return [event.path for event in self.events if isinstance(event, CheckpointStarted) and event.path]

    @property
    def told(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Told)]

    @property
    def as_of(self) -> AsOf:
        [event] = [event for event in self.events if isinstance(event, AsOf)]
        return event

    def is_moved(self) -> bool:
        """Whether the target holds what the source does."""
        return self.target.rows("SELECT no, name FROM good ORDER BY no") == self.source.rows(
            "SELECT no, name FROM good ORDER BY no"
        )

    def counts(self, path: str) -> Counts:
        store = open_store(self.target.url, create=False)
        assert store is not None
        record = store.get("shop", path)
        store.close()
        assert record is not None, path
        return record.counts


@pytest.fixture
def shop(pair) -> Shop:
    return Shop(pair.source, pair.target)


@pytest.fixture
def sqlite_shop(sqlite_pair) -> Shop:
    return Shop(sqlite_pair.source, sqlite_pair.target)


def test_an_undisturbed_run_makes_no_pass_and_says_as_of_when_it_is_right(shop) -> None:
    shop.run()
    assert shop.paths == ["good"]
    assert shop.as_of.as_of is not None
    assert "modified" not in shop.as_of.message
    shop.run(shop.migration(modified=None), recheck=True, accept_changed=frozenset({"good"}))
    assert "changes of good that left as many rows as there were" in shop.as_of.message


def test_the_status_says_what_nobody_looked_for_as_the_run_did(sqlite_shop, capsys) -> None:
    shop = sqlite_shop
    shop.run(shop.migration(modified=None))
    assert "but for" in shop.as_of.message
    show_status(shop.migration(modified=None), Urls(), None, "shop.py")
    assert shop.as_of.message in " ".join(capsys.readouterr().out.split())


def test_a_run_that_goes_on_within_the_time_looks_at_nothing_again(sqlite_shop) -> None:
    shop = sqlite_shop
    shop.run(shop.migration(modified=None), dies_at=("good", 2))
    shop.source.execute("DELETE FROM good WHERE no = 10", "INSERT INTO good VALUES (45, 'in another range', 1)")
    shop.run(shop.migration(modified=None, recheck_after="1h"))
    assert shop.paths == ["good"]
    assert shop.target.rows("SELECT no FROM good WHERE no IN (10, 45)") == [(10,)]


def test_a_run_that_goes_on_later_looks_at_what_is_done_before_it_goes_on(shop) -> None:
    shop.run(dies_at=("good", 2))
    shop.source.execute(
        "INSERT INTO good VALUES (15, 'new', 2), (999, 'beyond', 2)",
        "DELETE FROM good WHERE no IN (20, 90)",
        "UPDATE good SET name = 'other', changed = 3 WHERE no IN (50, 100)",
    )
    shop.run()
    assert shop.paths[0] == "good/recheck-1"
    assert shop.paths.index("good/recheck-1") < shop.paths.index("good")
    assert shop.is_moved()


def test_only_ranges_that_moved_are_read_again(shop) -> None:
    shop.run()
    shop.source.execute("UPDATE good SET name = 'other', changed = 2 WHERE no = 50")
    shop.run(recheck=True)
    assert shop.counts("good/recheck-1") == Counts(read=3, loaded=1, unchanged=2)
    shop.run(recheck=True)
    assert shop.paths == []
    assert shop.is_moved()


def test_a_complete_job_is_looked_at_again_when_asked_and_not_otherwise(sqlite_shop) -> None:
    shop = sqlite_shop
    shop.run()
    shop.source.execute("UPDATE good SET name = 'other', changed = 2 WHERE no = 50")
    shop.run()
    assert shop.paths == []
    assert not shop.is_moved()
    shop.run(recheck=True)
    assert shop.is_moved()


def test_a_range_that_grew_is_loaded_in_batches_of_the_usual_size(shop) -> None:
    shop.run()
    shop.source.insert("good", [(no, f"new {no}", 2) for no in range(41, 50)])
    shop.run(dies_at=("good/recheck-1", 2), recheck=True)
    shop.run()
    assert shop.counts("good/recheck-1").read == 12
    assert shop.is_moved()
    shop.run(recheck=True)
    assert shop.paths == []


def test_a_range_of_which_nothing_is_left_is_emptied(shop) -> None:
    shop.run()
    shop.source.execute("DELETE FROM good WHERE no BETWEEN 40 AND 60")
    shop.run(recheck=True)
    assert shop.is_moved()
    shop.run(recheck=True)
    assert shop.paths == []


def test_a_pass_that_was_killed_goes_on_under_its_number(shop) -> None:
    shop.run()
    shop.source.execute("UPDATE good SET name = 'other', changed = 2")
    shop.run(dies_at=("good/recheck-1", 2), recheck=True)
    shop.run()
    assert shop.paths[0] == "good/recheck-1"
    assert "good/recheck-2" not in shop.paths
    assert shop.counts("good/recheck-1").read == 10
    assert shop.is_moved()


def test_a_pass_that_failed_is_left_and_the_next_one_looks_at_everything(sqlite_shop) -> None:
    shop = sqlite_shop
    shop.target.execute("CREATE UNIQUE INDEX one_name ON good (name)")
    shop.run()
    shop.source.execute("UPDATE good SET name = 'same', changed = 2 WHERE no IN (20, 90, 100)")
    with pytest.raises(Fatal):
        shop.run(shop.migration(max_rejects=0), recheck=True)
    shop.source.execute("UPDATE good SET name = 'same ' || no, changed = 3 WHERE no IN (90, 100)")
    shop.run(shop.migration(max_rejects=0))
    assert "good/recheck-2" in shop.paths
    assert shop.is_moved()


def test_what_comes_while_the_last_object_moves_is_caught_up_in_passes(sqlite_shop) -> None:
    shop = sqlite_shop
    crm = Migration("shop", source=shop.source.url, target=shop.target.url, batch_rows=3)

    @crm.object(source=Table("good", key="no", modified="changed"), target=Table("good", key="no"))
    def good(row):
        if row["no"] in {100, 200, 300}:  # while these are read, others come, or change
            shop.source.execute(f"INSERT INTO good VALUES ({row['no'] + 100}, 'late', {row['no']})")
            shop.source.execute(f"UPDATE good SET name = 'x{row['no']}', changed = {row['no']} WHERE no = 20")
        return {"no": row["no"], "name": row["name"]}

    shop.run(crm)
    assert [path for path in shop.paths if path.startswith("good/")] == [f"good/catch-up-{n}" for n in (1, 2, 3)]
    assert shop.is_moved()


def test_rows_that_come_and_go_below_the_end_meanwhile_are_seen_without_a_modified_column(shop) -> None:
    crm = Migration("shop", source=shop.source.url, target=shop.target.url, batch_rows=3, deletes="apply")

    @crm.object(source=Table("good", key="no"), target=Table("good", key="no"))
    def good(row):
        if row["no"] == 100:
            shop.source.execute(
                "INSERT INTO good VALUES (11, 'late', 1), (12, 'late', 1)", "DELETE FROM good WHERE no = 50"
            )
        return {"no": row["no"], "name": row["name"]}

    shop.run(crm)
    assert shop.is_moved()
    shop.source.execute("DELETE FROM good WHERE no = 20")
    shop.run(crm)
    assert shop.paths == []  # a job that is complete looks at nothing


def test_catching_up_ends_at_its_limit_and_says_so(sqlite_shop) -> None:
    shop = sqlite_shop
    crm = Migration("shop", source=shop.source.url, target=shop.target.url, batch_rows=3)

    @crm.object(source=Table("good", key="no"), target=Table("good", key="no"))
    def good(row):
        if row["no"] >= 100:
            shop.source.execute(f"INSERT INTO good VALUES ({row['no'] + 100}, 'late', 1)")
        return {"no": row["no"], "name": row["name"]}

    shop.run(crm, catch_up_limit=2)
    assert [path for path in shop.paths if path.startswith("good/")] == ["good/catch-up-1", "good/catch-up-2"]
    assert "the source goes on changing: after 2 passes there was still something to do" in shop.told
    assert shop.as_of.as_of is not None


def test_without_catching_up_nothing_is_said_to_be_right(sqlite_shop) -> None:
    sqlite_shop.run(catch_up_limit=0)
    assert sqlite_shop.as_of.as_of is None
    assert "was not looked for" in sqlite_shop.as_of.message


def test_where_the_last_of_two_rows_wins_it_still_does_after_the_first_changed(shop) -> None:
    def last_wins() -> Migration:
        one = shop.migration()
        one.objects[0].on_duplicate = "last"
        one.objects[0].columns = {"no": "changed", "name": "name"}  # all come to one row
        return one

    shop.run(last_wins())
    assert shop.target.rows("SELECT * FROM good") == [(1, "name 100")]
    shop.source.execute("UPDATE good SET name = 'other' WHERE no = 20", "INSERT INTO good VALUES (5, 'new', 1)")
    shop.run(last_wins(), recheck=True)
    assert shop.target.rows("SELECT * FROM good") == [(1, "name 100")]


def test_a_row_that_was_refused_for_anothers_key_goes_in_once_that_one_is_gone(shop) -> None:
    by_name = {"no": "changed", "name": "name"}
    shop.source.execute("UPDATE good SET changed = no", "UPDATE good SET changed = 20 WHERE no = 90")
    shop.run(shop.migration(modified=None, columns=by_name))
    assert shop.target.rows("SELECT name FROM good WHERE no = 20") == [("name 20",)]
    shop.source.execute("DELETE FROM good WHERE no = 20")
    shop.run(shop.migration(modified=None, columns=by_name), recheck=True)
    assert shop.target.rows("SELECT name FROM good WHERE no = 20") == [("name 90",)]


def test_a_source_that_holds_nothing_any_more_deletes_nothing(sqlite_shop) -> None:
    sqlite_shop.run()
    sqlite_shop.source.execute("DELETE FROM good")
    sqlite_shop.run(recheck=True)
    assert sqlite_shop.target.rows("SELECT count(*) FROM good") == [(10,)]
    assert any("holds no row any more: nothing is deleted" in each for each in sqlite_shop.told)


def test_another_source_is_not_taken_for_the_one_that_was_read(sqlite_shop, tmp_path) -> None:
    sqlite_shop.run()
    other = Database(f"sqlite:///{tmp_path}/other.db")
    other.execute("CREATE TABLE good (no integer PRIMARY KEY, name text, changed integer)")
    sqlite_shop.source = other
    sqlite_shop.run(recheck=True)
    assert sqlite_shop.target.rows("SELECT count(*) FROM good") == [(10,)]
    assert "whatever changed at the source of good, which is gone or another one" in sqlite_shop.as_of.message


def test_only_reported_rows_are_counted_where_the_table_is_this_objects_alone(shop) -> None:
    shop.run(shop.migration(deletes="report"))
    shop.source.execute("DELETE FROM good WHERE no IN (20, 30)", "INSERT INTO good VALUES (25, 'new', 2)")
    shop.run(shop.migration(deletes="report"), recheck=True)
    assert shop.target.rows("SELECT count(*) FROM good") == [(11,)]
    assert shop.told == ["good: 2 rows are gone at the source and still in the target (milepost verify finds them)"]


def test_only_reported_rows_are_counted_at_least_where_others_are_in_the_table(shop) -> None:
    shop.target.execute("INSERT INTO good VALUES (7, 'was there')")
    shop.run(shop.migration(deletes="report"))
    shop.source.execute("DELETE FROM good WHERE no IN (20, 90)")
    shop.run(shop.migration(deletes="report"), recheck=True)
    [said] = shop.told
    assert said.startswith("good: at least 2 rows are gone")


def test_a_range_that_moved_is_sent_again_to_a_sink(sqlite_shop, tmp_path) -> None:
    shop = sqlite_shop
    sent: list[list[int]] = []

    def send(rows, cp):
        sent.append([row["no"] for row in rows])

    def migration() -> Migration:
        one = Migration(
            "shop", source=shop.source.url, store=f"sqlite:///{tmp_path}/store.db", batch_rows=3, recheck_after="0s"
        )
        one.object("good", source=Table("good", key="no", modified="changed"), target=Sink(send, key="no"))
        return one

    shop.run(migration())
    assert sent == [[10, 20, 30], [40, 50, 60], [70, 80, 90], [100]]
    shop.source.execute("UPDATE good SET name = 'other', changed = 2 WHERE no = 50")
    shop.run(migration(), recheck=True)
    assert sent[4:] == [[40, 50, 60]]


@pytest.mark.parametrize("dies_at", [("good", 2), ("offer", 2)])
def test_a_row_may_come_to_refer_to_one_that_came_since_though_no_reject_is_allowed(shop, dies_at) -> None:
    shop.source.execute("CREATE TABLE offer (no integer PRIMARY KEY, good integer, changed integer)")
    shop.source.insert("offer", [(no, no, 1) for no in range(10, 101, 10)])
    shop.target.execute("CREATE TABLE offer (no integer PRIMARY KEY, good integer REFERENCES good (no))")

    def migration() -> Migration:
        two = shop.migration(max_rejects=0)
        two.object(
            "offer",
            source=Table("offer", key="no", modified="changed"),
            target=Table("offer", key="no"),
            columns={"no": "no", "good": "good"},
            parents={"good": two.objects[0]},
        )
        return two

    shop.run(migration(), dies_at=dies_at)
    shop.source.execute(
        "INSERT INTO good VALUES (999, 'beyond', 2)", "UPDATE offer SET good = 999, changed = 2 WHERE no IN (20, 90)"
    )
    shop.run(migration())
    assert shop.is_moved()
    assert shop.target.rows("SELECT no FROM offer WHERE good = 999 ORDER BY no") == [(20,), (90,)]


def test_a_row_that_comes_to_another_key_leaves_nothing_behind(shop) -> None:
    by_changed = {"no": "changed", "name": "name"}
    shop.source.execute("UPDATE good SET changed = no")
    shop.run(shop.migration(columns=by_changed))
    shop.source.execute(
        "UPDATE good SET changed = 555 WHERE no = 20",
        "UPDATE good SET changed = 60, name = 'swapped' WHERE no = 50",
        "UPDATE good SET changed = 501, name = 'swapped too' WHERE no = 60",
    )
    shop.run(shop.migration(columns=by_changed), recheck=True)
    assert shop.target.rows("SELECT no, name FROM good ORDER BY no") == shop.source.rows(
        "SELECT changed, name FROM good ORDER BY changed"
    )


def test_all_passes_over_an_object_share_one_allowance_of_rejects(shop) -> None:
    columns = {"no": "no", "name": "name", "size": "changed"}
    shop.target.execute("ALTER TABLE good ADD COLUMN size integer CHECK (size < 100)")
    shop.source.execute("UPDATE good SET changed = 100 WHERE no IN (10, 50)")
    shop.run(shop.migration(columns=columns, max_rejects=3))
    shop.source.execute("UPDATE good SET changed = 101 WHERE no = 10", "UPDATE good SET changed = 101 WHERE no = 90")
    shop.run(shop.migration(columns=columns, max_rejects=3), recheck=True)  # 10 once more, 50 still, 90 is new
    shop.source.execute("UPDATE good SET changed = 2 WHERE no = 10", "UPDATE good SET changed = 102 WHERE no = 20")
    shop.run(shop.migration(columns=columns, max_rejects=3), recheck=True)  # one for one
    shop.source.execute("UPDATE good SET changed = 102 WHERE no IN (30, 60)")

    with pytest.raises(Fatal, match=r"[45] rows are rejected and 3 are allowed"):
        shop.run(shop.migration(columns=columns, max_rejects=3), recheck=True)


def test_the_last_of_two_rows_wins_again_in_a_table_that_held_rows_before(shop) -> None:
    shop.source.execute(
        "ALTER TABLE good ADD code text", "UPDATE good SET code = CASE no WHEN 90 THEN 'c10' ELSE 'c' || no END"
    )
    shop.target.execute(
        "CREATE TABLE ware (code varchar(9) PRIMARY KEY, name text)", "INSERT INTO ware VALUES ('x', 'theirs')"
    )
    wares = Migration("wares", source=shop.source.url, target=shop.target.url, batch_rows=3, recheck_after="0s")
    good, ware = Table("good", key="no", modified="changed"), Table("ware", key="code")
    wares.object("ware", source=good, target=ware, columns={"code": "code", "name": "name"})
    shop.run(wares)
    shop.source.execute("UPDATE good SET name = 'other', changed = 2 WHERE no = 20")
    shop.run(wares, recheck=True)
    held = shop.target.rows("SELECT code, name FROM ware WHERE code IN ('c10', 'c20', 'x') ORDER BY code")
    assert held == [("c10", "name 90"), ("c20", "other"), ("x", "theirs")]


@pytest.mark.parametrize("deletes", ["apply", "report"])
def test_a_row_that_was_tried_again_and_is_gone_is_a_reject_no_longer(shop, deletes: str) -> None:
    def migration() -> Migration:
        goods = Migration("goods", source=shop.source.url, target=shop.target.url, max_rejects=5, deletes=deletes)

        @goods.object(source=Table("good", key="no", modified="changed"), target=Table("good", key="no"))
        def good(row: Any) -> Any:
            if row["name"].startswith("bad"):
                raise Reject("bad")
            return {"no": row["no"], "name": row["name"]}

        return goods

    shop.source.execute("UPDATE good SET name = 'bad' WHERE no IN (20, 30)")
    shop.run(migration())
    retry(migration())
    shop.source.execute("DELETE FROM good WHERE no = 20")
    shop.run(migration(), recheck=True)
    store = open_store(shop.target.url, create=False)
    assert store is not None
    assert [one.key for one in store.rejects("goods", "good")] == [[30]]
    store.close()
