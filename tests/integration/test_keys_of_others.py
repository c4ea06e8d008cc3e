"""What becomes of rows that come, loaded again, to the target keys of others: never does one take a place in silence.

Expected is what a migration of the source as it is now gives into an empty target, where it can be had.
"""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Database
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.run import run
from milepost.wiring.verify import verify


class People:
    """Five people, whose e-mail is the target's key."""

    def __init__(self, source: Database, target: Database) -> None:
        self.source, self.target = source, target
        source.execute("CREATE TABLE person (no integer PRIMARY KEY, email text, name text, changed integer)")
        source.insert("person", [(no, f"{letter}@x", letter, 1) for no, letter in enumerate("abcde", start=1)])
        target.execute("CREATE TABLE person (email text PRIMARY KEY, name text)")

    def run(self, *, batch_rows: int = 1, max_rejects: int = 0, **settings: Any) -> None:
        run(self.migration(batch_rows, max_rejects), **settings)

    def migration(self, batch_rows: int = 1, max_rejects: int = 0) -> Migration:
        columns = {"email": "email", "name": "name"}
        people = Migration(
            "people",
            source=self.source.url,
            target=self.target.url,
            batch_rows=batch_rows,
            deletes="apply",
            max_rejects=max_rejects,
        )
        source = Table("person", key="no", modified="changed")
        people.object("person", source=source, target=Table("person", key="email"), columns=columns)
        return people

    def change(self, *emails: tuple[int, str]) -> None:
        self.source.execute(
            *(f"UPDATE person SET email = '{email}', changed = 2 WHERE no = {no}" for no, email in emails)
        )

    @property
    def rows(self) -> list[Any]:
        return self.target.rows("SELECT email, name FROM person ORDER BY email")

    @property
    def first_of_each(self) -> list[Any]:
        """As the first row with each key says."""
        return self.source.rows(
            "SELECT email, name FROM person p WHERE no = (SELECT min(no) FROM person q WHERE q.email = p.email)"
            " ORDER BY email"
        )

    @property
    def rejects(self) -> list[tuple[Any, str]]:
        store = open_store(self.target.url, create=False)
        assert store is not None
        found = [(one.key, one.stage) for one in store.rejects("people")]
        store.close()
        return found


@pytest.fixture
def people(pair) -> People:
    return People(pair.source, pair.target)


@pytest.mark.parametrize("batch_rows", [1, 5])
def test_a_row_that_comes_to_the_key_of_an_earlier_one_is_a_duplicate(people, batch_rows) -> None:
    people.run(batch_rows=batch_rows)
    people.change((3, "a@x"))
    people.run(batch_rows=batch_rows, recheck=True, max_rejects=1)
    assert people.rows == people.first_of_each
    assert people.rejects == [([3], "duplicate")]


def test_a_row_that_comes_to_the_key_of_a_later_one_is_not_lost_in_silence(people) -> None:
    people.run()
    people.change((1, "c@x"))
    people.run(recheck=True, max_rejects=1)
    assert people.rejects == [([1], "duplicate")]
    assert people.rows == [(f"{letter}@x", letter) for letter in "bcde"]


@pytest.mark.parametrize("batch_rows", [1, 2, 5])
@pytest.mark.parametrize(
    "emails",
    [
        [(1, "c@x"), (3, "a@x")],
        [(1, "b@x"), (2, "c@x"), (3, "d@x"), (4, "e@x"), (5, "a@x")],
        [(3, "b@x"), (2, "a@x"), (1, "new@x")],
    ],
    ids=["a swap", "a ring", "a row of them"],
)
def test_rows_that_hand_their_keys_on_go_in_all_of_them(people, batch_rows, emails) -> None:
    people.run(batch_rows=batch_rows)
    people.change(*emails)
    people.run(batch_rows=batch_rows, recheck=True)
    assert people.rows == people.first_of_each
    assert people.rejects == []


def test_a_key_whose_row_is_gone_from_the_source_is_free(people) -> None:
    people.run()
    people.source.execute("DELETE FROM person WHERE no IN (4)")
    people.change((2, "d@x"))
    people.run(recheck=True)
    assert people.rows == people.first_of_each
    assert people.rejects == []


def test_keys_that_the_target_holds_to_be_equal_are_one(sqlite_pair) -> None:
    people = People(sqlite_pair.source, sqlite_pair.target)
    people.target.execute(
        "DROP TABLE person", "CREATE TABLE person (email text COLLATE NOCASE PRIMARY KEY, name text) WITHOUT ROWID"
    )
    people.run()
    people.change((3, "A@X"))
    people.run(recheck=True, max_rejects=1)
    assert people.rows == [(f"{letter}@x", letter) for letter in "abde"]
    assert people.rejects == [([3], "duplicate")]


def test_a_repair_does_not_let_two_rows_with_one_key_take_turns(people, tmp_path) -> None:
    people.run()
    people.change((3, "a@x"))
    for found in (verify(people.migration(max_rejects=1), repair=True, beside=tmp_path) for _ in range(2)):
        (person,) = found.objects
        assert (person.now.equal, person.now.rejected, person.now.differing) == (4, 1, 0)
        assert ("a@x", "a") in people.rows
        assert people.rejects == [([3], "duplicate")]
