"""Somebody empties a target table by hand, after its object is complete or half way through."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Pair
from milepost import Migration, Table
from milepost.errors import Fatal, PlanError
from milepost.jobs.event import Event, Told
from milepost.wiring.run import NO_URLS, plan, rewind, run

ROWS = 100


class Numbers:
    """Numbers that are copied in batches of ten, and stop at ``bad``; then letters."""

    def __init__(self, pair: Pair) -> None:
        self.pair, self.bad = pair, 0
        pair.source.execute(
            "CREATE TABLE numbers (n INTEGER PRIMARY KEY)", "CREATE TABLE letters (n INTEGER PRIMARY KEY)"
        )
        pair.source.insert("numbers", [(n,) for n in range(1, ROWS + 1)])
        pair.source.insert("letters", [(1,)])
        pair.target.execute(
            "CREATE TABLE number (n INTEGER PRIMARY KEY)", "CREATE TABLE letter (n INTEGER PRIMARY KEY)"
        )
        self.crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=10)
        self.told: list[Event] = []

        @self.crm.object(source=Table("numbers", key="n"), target=Table("number", key="n"))
        def number(row: dict[str, Any]) -> dict[str, Any]:
            if row["n"] == self.bad:
                raise OSError("no luck")
            return row

        self.number = number
        self.crm.object("letter", source=Table("letters", key="n"), target=Table("letter", key="n"))

    def run(self, **settings: Any) -> None:
        self.told.clear()
        run(self.crm, emit=self.told.append, **settings)

    def fail_at(self, bad: int) -> None:
        self.bad = bad
        with pytest.raises(Fatal, match="no luck"):
            self.run()
        self.bad = 0

    def said(self) -> list[str]:
        return [event.message for event in self.told if isinstance(event, Told)]

    def arrived(self) -> list[int]:
        return [n for (n,) in self.pair.target.rows("SELECT n FROM number ORDER BY n")]


@pytest.fixture
def numbers(pair: Pair) -> Numbers:
    return Numbers(pair)


def test_a_table_emptied_after_its_object_completed_is_told_at_every_later_run(numbers: Numbers) -> None:
    numbers.run()
    assert numbers.said() == []
    numbers.pair.target.execute("DELETE FROM number")

    for _ in range(2):
        numbers.run()
        (said,) = numbers.said()
        assert said == (
            "number is complete, but its table number holds no row, though 100 were loaded into it:"
            " milepost rewind FILE number moves it again."
        )
    assert numbers.arrived() == []  # told, and not papered over
    by_name = {each.name: each for each in plan(numbers.crm).objects}
    assert [note for note in by_name["number"].notes if "holds no row" in note]
    assert not by_name["letter"].notes

    rewind(numbers.crm, NO_URLS, "number")
    numbers.run()
    assert numbers.arrived() == list(range(1, ROWS + 1))
    assert numbers.said() == []


def test_a_table_dropped_after_its_object_completed_is_told_too(numbers: Numbers) -> None:
    numbers.run()
    numbers.pair.target.execute("DROP TABLE number")
    numbers.run()
    (said,) = numbers.said()
    assert "number is complete; its table number could not be looked at" in said


def test_a_table_emptied_half_way_is_refused_and_loaded_again_when_rewound(numbers: Numbers) -> None:
    numbers.fail_at(55)
    numbers.pair.target.execute("DELETE FROM number")
    with pytest.raises(PlanError, match="number is half done, and its table number is empty now, though 50 rows") as no:
        numbers.run()
    assert "rewind FILE number" in (no.value.hint or "")
    assert "--accept-changed number" in (no.value.hint or "")
    with pytest.raises(PlanError, match="half done"):
        plan(numbers.crm)
    assert numbers.arrived() == []

    rewind(numbers.crm, NO_URLS, "number")
    numbers.run()
    assert numbers.arrived() == list(range(1, ROWS + 1))


def test_a_table_emptied_half_way_goes_on_without_those_rows_when_that_is_accepted(numbers: Numbers) -> None:
    numbers.fail_at(55)
    numbers.pair.target.execute("DELETE FROM number")
    numbers.run(accept_changed=frozenset({"number"}))
    assert numbers.arrived() == list(range(51, ROWS + 1))


def test_a_rollback_that_empties_the_table_is_no_loss(numbers: Numbers) -> None:
    """Killed in the middle of it, the table is empty and the checkpoint is not forgotten yet."""
    stumbles = True

    @numbers.number.rollback
    def undo(_cp: Any) -> None:
        numbers.pair.target.execute("DELETE FROM number")
        if stumbles:
            raise OSError("no luck in the rollback")

    numbers.fail_at(55)
    with pytest.raises(OSError, match="in the rollback"):
        numbers.run()
    assert numbers.arrived() == []
    stumbles = False
    numbers.run()
    assert numbers.arrived() == list(range(1, ROWS + 1))
