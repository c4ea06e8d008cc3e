"""What becomes of the target rows that source rows had before they came to other target keys: deleted, or told."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Database
from milepost.jobs.event import Event, Told
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.run import Urls, rewind, run


class People:
    """Three people, whose e-mail is the target's key, and a table of somebody else's that may refer to them."""

    def __init__(self, source: Database, target: Database) -> None:
        self.source, self.target = source, target
        self.told: list[str] = []
        source.execute("CREATE TABLE person (no integer PRIMARY KEY, email text, changed integer)")
        source.insert("person", [(no, f"{letter}@x", 1) for no, letter in enumerate("abc", start=1)])
        target.execute(
            "CREATE TABLE person (email text PRIMARY KEY)",
            "CREATE TABLE stranger (email text REFERENCES person (email))",
        )

    def run(self, **settings: Any) -> None:
        self.told = []

        def emit(event: Event) -> None:
            if isinstance(event, Told):
                self.told.append(event.message)

        run(self.migration(), emit=emit, **settings)

    def migration(self) -> Migration:
        people = Migration("people", source=self.source.url, target=self.target.url, batch_rows=2, deletes="apply")
        source = Table("person", key="no", modified="changed")
        people.object("person", source=source, target=Table("person", key="email"), columns={"email": "email"})
        return people

    def move(self, no: int, email: str) -> None:
        self.source.execute(f"UPDATE person SET email = '{email}', changed = changed + 1 WHERE no = {no}")

    @property
    def emails(self) -> list[str]:
        return [email for (email,) in self.target.rows("SELECT email FROM person ORDER BY email")]


@pytest.fixture
def people(pair) -> People:
    return People(pair.source, pair.target)


def test_a_row_that_is_kept_is_told_and_goes_once_nothing_holds_it_whatever_keys_came_after_it(people) -> None:
    people.run()
    people.target.execute("INSERT INTO stranger VALUES ('a@x')")
    people.move(1, "a2@x")
    people.run(recheck=True)
    assert people.emails == ["a2@x", "a@x", "b@x", "c@x"]
    assert [each for each in people.told if each.startswith("person: 1 row is gone at the source, or came to another")]
    people.move(1, "a3@x")
    people.run(recheck=True)
    assert people.emails == ["a3@x", "a@x", "b@x", "c@x"]
    assert [each for each in people.told if each.startswith("person: 1 row is gone at the source, or came to another")]
    people.target.execute("DELETE FROM stranger")
    people.run(recheck=True)
    assert people.emails == ["a3@x", "b@x", "c@x"]
    assert people.told == ["deleted 1 row that the source has no more"]
    people.run(recheck=True)
    assert people.told == []


def test_a_key_that_was_given_up_and_taken_back_stays(people) -> None:
    people.run()
    people.move(1, "a2@x")
    people.run(recheck=True)
    people.move(1, "a@x")
    people.run(recheck=True)
    assert people.emails == ["a@x", "b@x", "c@x"]
    people.run(recheck=True)
    assert people.told == []


def test_a_row_that_took_over_a_key_that_was_kept_is_deleted_when_it_goes_itself(people) -> None:
    people.run()
    people.target.execute("INSERT INTO stranger VALUES ('a@x')")
    people.move(1, "a2@x")
    people.run(recheck=True)
    people.move(3, "a@x")
    people.run(recheck=True)
    assert people.emails == ["a2@x", "a@x", "b@x"]
    people.target.execute("DELETE FROM stranger")
    people.source.execute("DELETE FROM person WHERE no = 3")
    people.run(recheck=True)
    assert people.emails == ["a2@x", "b@x"]


@pytest.mark.parametrize("rewound", [False, True])
def test_an_object_that_is_moved_once_more_leaves_no_row_under_an_old_key(people, rewound) -> None:
    people.run()
    people.move(1, "a2@x")
    people.move(3, "c2@x")
    if rewound:
        rewind(people.migration(), Urls(), "person")
        people.run()
    else:
        people.run(recheck=True)
    assert people.emails == ["a2@x", "b@x", "c2@x"]
    assert people.told == ["deleted 2 rows that the source has no more"]
    people.run(recheck=True)
    assert people.told == []
