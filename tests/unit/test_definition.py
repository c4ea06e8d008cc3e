"""A changed definition is told by what changed; comments and layout are no change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from milepost.errors import DefinitionChanged
from milepost.jobs.state import State
from milepost.migration.definition import definition, difference, source_text
from milepost.migration.object import Object
from milepost.migration.pin import Pin, check_definition
from milepost.migration.table import Rows, Table
from milepost.wiring.ends import place_of


def first(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"].strip()}


def commented(row: dict[str, Any]) -> dict[str, Any]:
    # names come with blanks
    return {
        "id": row["id"],
        "name": row["name"].strip(),
    }


def changed(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "name": row["name"].upper()}


def an_object(function: Callable[..., Any] | None, **settings: Any) -> Object:
    place = Table("customers", key="id")
    return Object(**{"name": "customer", "source": place, "target": place, "function": function} | settings)


def test_comments_and_layout_do_not_count() -> None:
    text = source_text(commented)
    assert text.replace("commented", "first") == source_text(first)


def test_a_changed_function_is_shown_by_its_lines() -> None:
    lines = difference(definition(an_object(first)), definition(an_object(changed))).splitlines()
    assert any(line.startswith("-") and ".strip()" in line for line in lines)
    assert any(line.startswith("+") and ".upper()" in line for line in lines)


@pytest.mark.parametrize(
    "settings",
    [
        {"source": Table("customers", key="id", where="active")},
        {"source": Table("customers", key=("id", "name"))},
        {"target": Table("customer", key="id")},
        {"declared": {("x",): an_object(None)}},
        {"columns": {"id": "number"}},
        {"on_duplicate": "last"},
        {"source": Rows(lambda after: iter([]), key="id")},
    ],
)
def test_every_setting_that_moves_other_rows_counts(settings: dict[str, Any]) -> None:
    assert difference(definition(an_object(None)), definition(an_object(None, **settings)))


def test_another_database_is_a_change_and_its_password_is_not_recorded() -> None:
    elsewhere = Table("customers", key="id", database="postgresql://me:secret@host/db")
    assert "secret" not in str(definition(an_object(None, source=elsewhere), place_of(elsewhere.database)))
    assert difference(definition(an_object(None), "here.db"), definition(an_object(None), "there.db"))
    same = {place_of(f"postgresql://{who}@host/db?sslmode=disable") for who in ("me:secret", "you")}
    assert same == {"host:5432/db"}


@pytest.mark.parametrize("url", ["postgresql://host:5433/db", "postgresql:///?dbname=db&host=host&port=5433"])
def test_a_database_is_the_same_whether_its_place_stands_in_front_or_among_the_parameters(url: str) -> None:
    assert place_of(url) == "host:5433/db"


def a_pin(each: Object) -> Pin:
    return Pin(definition=definition(each), end=None, rows=1)


@pytest.mark.parametrize("state", [State.STARTED, State.FAILED, State.ROLLING_BACK, State.ROLLED_BACK])
def test_a_half_done_object_is_refused_with_the_difference_and_three_ways_out(state: State) -> None:
    with pytest.raises(DefinitionChanged) as refused:
        check_definition(an_object(changed), state, a_pin(an_object(first)), None, accepted=False)
    assert ".upper()" in refused.value.message
    for way in ("--accept-changed customer", "rewind FILE customer", "put the old definition back"):
        assert way in (refused.value.hint or "")


def test_a_complete_object_is_told_of_and_a_pending_one_is_not() -> None:
    pin = a_pin(an_object(first))
    told = check_definition(an_object(changed), State.COMPLETE, pin, None, accepted=False)
    assert ".upper()" in (told or "")
    assert check_definition(an_object(changed), State.PENDING, pin, None, accepted=False) is None
    assert check_definition(an_object(first), State.STARTED, pin, None, accepted=False) is None


def test_a_change_that_is_accepted_goes_on_unless_the_position_would_mean_nothing() -> None:
    pin = a_pin(an_object(first))
    assert check_definition(an_object(changed), State.STARTED, pin, None, accepted=True) is None
    other_key = an_object(first, source=Table("customers", key="name"))
    with pytest.raises(DefinitionChanged, match="order of another key"):
        check_definition(other_key, State.STARTED, pin, None, accepted=True)


def test_a_function_without_text_is_the_same_in_every_process() -> None:
    def twice() -> Callable[..., Any]:
        return eval("lambda row: {k: row[k] for k in ('b', 'a') if k in {'a', 'b', 'c', 'd'}}")

    assert source_text(twice()) == source_text(twice())
    assert " at 0x" not in source_text(twice())


def cents(text: str) -> int:
    return int(text) * 100


def priced(row: dict[str, Any]) -> dict[str, Any]:
    return {"id": row["id"], "cents": [cents(price) for price in row["prices"]]}


def test_a_function_that_it_calls_belongs_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before = definition(an_object(priced))

    def thousands(text: str) -> int:
        return int(text) * 1000

    monkeypatch.setitem(globals(), "cents", thousands)
    assert "* 1000" in difference(before, definition(an_object(priced)))


def test_a_password_in_a_function_is_not_recorded() -> None:
    def fetch(row: dict[str, Any]) -> dict[str, Any]:
        return {"url": "postgresql://app:hunter2@db/x", **row}

    assert "hunter2" not in str(definition(an_object(fetch)))
