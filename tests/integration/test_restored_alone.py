"""A target or a store that was put back to an earlier state without the other: noticed, refused, and the ways out."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fix_databases import Database
from milepost.errors import DefinitionChanged, Fatal
from milepost.jobs.event import Told
from milepost.jobs.state import State
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.ends import open_outside, open_source
from milepost.wiring.open import open_store
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.run import NO_URLS, rewind, run

ROWS = [(number, f"name {number}") for number in range(1, 31)]


class Dies(BaseException):
    """As if the process were killed here."""


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    url = f"sqlite:///{tmp_path / 'target.db'}"
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_urls")()
    return Place(tmp_path, Database(url))


class Place:
    def __init__(self, folder: Path, target: Database) -> None:
        self.folder, self.target, self.store = folder, target, folder / "store.db"
        self.source = Database(f"sqlite:///{folder / 'source.db'}")
        self.source.execute("CREATE TABLE old (no integer PRIMARY KEY, name text)")
        self.source.insert("old", ROWS)
        target.execute("CREATE TABLE new (no integer PRIMARY KEY, name text)")

    def migration(self) -> Migration:
        crm = Migration(
            "crm",
            source=self.source.url,
            target=self.target.url,
            store=f"sqlite:///{self.store}",
            batch_rows=5,
            max_rejects="100%",
        )
        crm.object("new", source=Table("old", key="no"), target=Table("new", key="no"))
        return crm

    def run(self, openers: Openers = BY_URL, **settings: Any) -> list[str]:
        """Run, and return what was told."""
        events: list[Any] = []
        run(self.migration(), emit=events.append, openers=openers, **settings)
        return [event.message for event in events if isinstance(event, Told)]

    def die_after(self, batches: int, **settings: Any) -> None:
        """Die while the source is asked for more."""

        def opened(*given):
            source = open_source(*given)
            read = source.read

            def few(*bounds):
                for number, rows in enumerate(read(*bounds)):
                    if number == batches:
                        raise Dies
                    yield rows

            source.read = few
            return source

        with pytest.raises(Dies):
            self.run(Openers(source=opened), **settings)

    def die_in_doubt(self) -> None:
        """Die between the first commit of the target from now on and its ledger entry."""

        class Doubtful:
            def __init__(self, inner) -> None:
                self.inner = inner

            def __getattr__(self, name: str) -> Any:
                return getattr(self.inner, name)

            def token(self, connection, key):
                self.dying = True
                return self.inner.token(connection, key)

            def transaction(self, check_lease):
                return Then(self.inner.transaction(check_lease), self)

        class Then:
            def __init__(self, block, outside) -> None:
                self.block, self.outside = block, outside

            def __enter__(self):
                return self.block.__enter__()

            def __exit__(self, *error):
                self.block.__exit__(*error)
                if getattr(self.outside, "dying", False):
                    raise Dies

        with pytest.raises(Dies):
            self.run(Openers(outside=lambda *given: Doubtful(open_outside(*given))))

    def keep_store(self) -> Path:
        return shutil.copy(self.store, self.folder / "kept.db")

    def put_store_back(self, kept: Path) -> None:
        shutil.copy(kept, self.store)

    def numbers(self) -> list[int]:
        return [no for (no,) in self.target.rows("SELECT no FROM new ORDER BY no")]

    def record(self):
        with closing(open_store(f"sqlite:///{self.store}", create=False)) as store:
            return store.get("crm", "new")


@pytest.fixture
def target_behind(place):
    """Of three batches that are done, the target lost the third, and half of the second."""
    place.die_after(3)
    place.target.execute("DELETE FROM new WHERE no > 7")
    return place


def test_a_target_put_back_behind_its_checkpoint_is_refused_and_nothing_is_written(target_behind) -> None:
    with pytest.raises(Fatal, match=r"checkpoint is ahead of the target. Batch 3 is done.*no 15, is not in new"):
        target_behind.run()
    assert target_behind.numbers() == list(range(1, 8))
    assert target_behind.record().position == [15]


def test_a_target_put_back_is_gone_on_with_behind_what_is_missing_where_that_is_accepted(target_behind) -> None:
    [told, *_] = target_behind.run(accept_changed=frozenset({"new"}))
    assert told.startswith("going on by upsert. new: its checkpoint is ahead of the target")
    assert target_behind.numbers() == [*range(1, 8), *range(16, 31)]
    assert target_behind.record().state is State.COMPLETE


def test_an_object_whose_target_was_put_back_is_whole_again_after_a_rewind(target_behind) -> None:
    rewind(target_behind.migration(), NO_URLS, "new")
    target_behind.run()
    assert target_behind.target.rows("SELECT * FROM new ORDER BY no") == ROWS
    assert (target_behind.record().counts.loaded, target_behind.record().counts.unchanged) == (23, 7)


def test_a_target_put_back_while_a_batch_is_in_doubt_is_refused_too(place) -> None:
    place.die_after(2)
    place.die_in_doubt()
    place.target.execute("DELETE FROM new WHERE no > 7")
    with pytest.raises(Fatal, match=r"its checkpoint is ahead of the target. Batch 2 is done"):
        place.run()
    assert place.numbers() == list(range(1, 8))


def test_a_batch_in_doubt_whose_rows_the_target_lost_is_loaded_again(place) -> None:
    place.die_after(2)
    place.die_in_doubt()
    assert place.numbers() == list(range(1, 16))
    place.target.execute("DELETE FROM new WHERE no > 10")
    place.run()
    assert place.target.rows("SELECT * FROM new ORDER BY no") == ROWS
    assert (place.record().counts.loaded, place.record().counts.rejected) == (30, 0)


def test_a_store_put_back_behind_the_target_is_refused_and_nothing_is_written(place) -> None:
    place.die_after(1)
    kept = place.keep_store()
    place.die_after(2)
    place.put_store_back(kept)
    with pytest.raises(Fatal, match=r"checkpoint is behind the target. The rows that come next, from no 6 on, are"):
        place.run()
    assert place.numbers() == list(range(1, 16))
    assert place.record().position == [5]


def test_a_store_put_back_to_a_batch_in_doubt_is_refused_behind_that_batch(place) -> None:
    place.die_after(1)
    place.die_in_doubt()
    kept = place.keep_store()
    place.die_after(2)
    place.put_store_back(kept)
    with pytest.raises(Fatal, match="from no 11 on"):
        place.run()


def test_a_store_put_back_goes_on_by_upsert_where_that_is_accepted(place) -> None:
    place.die_after(1)
    kept = place.keep_store()
    place.die_after(2)
    place.put_store_back(kept)
    place.run(accept_changed=frozenset({"new"}))
    assert place.target.rows("SELECT * FROM new ORDER BY no") == ROWS
    counts = place.record().counts
    assert (counts.loaded, counts.unchanged, counts.rejected) == (20, 10, 0)


def test_what_was_accepted_once_is_accepted_for_good(place) -> None:
    place.die_after(1)
    kept = place.keep_store()
    place.die_after(3)
    place.put_store_back(kept)
    place.die_after(1, accept_changed=frozenset({"new"}))
    place.run()
    assert place.target.rows("SELECT * FROM new ORDER BY no") == ROWS
    assert place.record().counts.unchanged == 15


def test_rows_that_are_duplicates_of_each_other_are_no_sign_of_a_store_put_back(place) -> None:
    place.source.execute("UPDATE old SET name = 'name 1'")
    place.target.execute("CREATE TABLE named (name text PRIMARY KEY, no integer)")

    declare = place.migration

    def migration() -> Migration:
        crm = declare()
        crm.objects.clear()
        crm.object(
            "named",
            source=Table("old", key="no"),
            target=Table("named", key="name"),
            columns={"name": "name", "no": "no"},
        )
        return crm

    place.migration = migration
    place.die_after(2)
    place.run()
    assert place.target.rows("SELECT * FROM named") == [("name 1", 1)]


def test_rows_of_which_the_last_wins_may_well_be_there_and_are_no_sign_of_a_store_put_back(place) -> None:
    """From sales to the currencies that are in them: nearly every row is there already."""
    declare = place.migration

    def migration() -> Migration:
        crm = declare()
        crm.objects.clear()

        @crm.object(source=Table("old", key="no"), target=Table("new", key="no"), on_duplicate="last")
        def new(row):
            return {"no": row["no"] % 5, "name": "as ever"}

        return crm

    place.migration = migration
    place.die_after(3)
    assert place.run() == []
    assert place.target.rows("SELECT * FROM new ORDER BY no") == [(number, "as ever") for number in range(5)]
    counts = place.record().counts
    assert (counts.read, counts.loaded, counts.unchanged) == (30, 5, 25)


def test_an_object_whose_first_batch_is_in_doubt_is_not_finished_as_another(place) -> None:
    declare = place.migration

    def migration() -> Migration:
        crm = declare()
        crm.objects.clear()
        crm.object("new", source=Table("old", key="no", where="no % 2 = 0"), target=Table("new", key="no"))
        return crm

    place.die_in_doubt()
    assert (place.record().batches, place.numbers()) == (0, [1, 2, 3, 4, 5])
    place.migration = migration
    with pytest.raises(DefinitionChanged, match="new is half done"):
        place.run()
    assert place.numbers() == [1, 2, 3, 4, 5]
    place.migration = declare
    place.run()
    assert place.target.rows("SELECT * FROM new ORDER BY no") == ROWS


def test_a_batch_in_doubt_is_settled_though_the_changed_object_has_no_row_to_come(place) -> None:
    place.die_in_doubt()
    declare = place.migration

    def migration() -> Migration:
        crm = declare()
        crm.objects.clear()
        crm.object("new", source=Table("old", key="no", where="no < 0"), target=Table("new", key="no"))
        return crm

    place.migration = migration
    place.run(accept_changed=frozenset({"new"}))
    assert place.record().state is State.COMPLETE
    assert place.record().batches == 1
