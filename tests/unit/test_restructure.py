"""Rows through the user's function: loaded, filtered, split or rejected, and counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.errors import LeaseLost, PlanError, Reject, mask
from milepost.migration.object import Object
from milepost.migration.restructure import Unmoved, masked, rename, restructure, torn, without
from milepost.migration.table import Table

PLACE = Table("t", key="id")
EACH = Object(name="thing", source=PLACE, target=PLACE)
NAMES = ("id", "name")


def test_a_plain_copy_takes_the_columns_under_their_new_names() -> None:
    each = Object(name="thing", source=PLACE, target=PLACE, columns={"label": "name", "number": "id"})
    batch = rename(each, NAMES, [(1, "a"), (2, None)])
    assert (batch.columns, batch.rows, list(batch.origins)) == (("label", "number"), [("a", 1), (None, 2)], [0, 1])


def test_without_columns_every_column_goes_under_its_own_name() -> None:
    batch = rename(EACH, NAMES, [(1, "a")])
    assert (batch.columns, batch.rows) == (NAMES, [(1, "a")])


def test_a_single_column_is_still_a_row() -> None:
    each = Object(name="thing", source=PLACE, target=PLACE, columns={"number": "id"})
    assert rename(each, NAMES, [(1, "a")]).rows == [(1,)]
    assert restructure(each, lambda row: {"number": row["id"]}, NAMES, [(1, "a")], ()).rows == [(1,)]


def test_each_outcome_of_the_function() -> None:
    def function(row: dict[str, Any]) -> Any:
        match row["id"]:
            case 1:
                return None
            case 2:
                raise Reject("no good")
            case 3:
                return [{"id": 30}, {"id": 31}]
            case 4:
                return []
            case 5:
                return {"id": row["name"].strip()}
        return {"id": row["id"]}

    batch = restructure(EACH, function, NAMES, [(n, None) for n in range(1, 7)], ())
    assert (batch.rows, batch.origins) == ([(30,), (31,), (6,)], [2, 2, 5])
    assert batch.filtered == 2  # None, and a split into nothing
    assert batch.rejects[0] == Unmoved(index=1, stage="restructure", reason="no good")
    assert batch.rejects[1].index == 4
    assert "'NoneType' object has no attribute 'strip' (test_restructure.py:" in batch.rejects[1].reason


def test_reasons_hold_no_password() -> None:
    def function(row: dict[str, Any]) -> Any:
        if row["id"] == 1:
            raise Reject("not found at https://me:hush@api/1")
        raise ConnectionError("no answer from postgresql://me:hush@host/db?password=hush")

    reasons = [one.reason for one in restructure(EACH, function, NAMES, [(1, ""), (2, "")], ()).rejects]
    assert reasons[0] == "not found at https://me:***@api/1"
    assert reasons[1].startswith("ConnectionError: no answer from postgresql://me:***@host/db?password=*** (")


@pytest.mark.parametrize("reason", ["a://b:c@d", "password=x", "Token = 'x'", "no secret", "pass word", ""])
def test_every_reason_is_masked_that_has_something_to_mask(reason: str) -> None:
    assert masked(reason) == mask(reason)


@given(st.lists(st.sampled_from(["load", "filter", "reject", "break", "split", "drop"])))
def test_every_row_read_is_accounted_for_once(fates: list[str]) -> None:
    def function(row: dict[str, Any]) -> Any:
        match row["name"]:
            case "filter":
                return None
            case "reject":
                raise Reject("no")
            case "break":
                raise KeyError("gone")
            case "split":
                return [{"id": 1}, {"id": 2}]
            case "drop":
                return []
        return {"id": row["id"]}

    batch = restructure(EACH, function, NAMES, list(enumerate(fates)), ())
    assert len(set(batch.origins)) + batch.filtered + len(batch.rejects) == len(fates)
    assert len(batch.rows) == len(batch.origins)


def test_what_the_checkpoint_raises_is_no_rows_fault() -> None:
    def function(row: dict[str, Any]) -> Any:
        raise LeaseLost("another run has taken over")

    with pytest.raises(LeaseLost):
        restructure(EACH, function, NAMES, [(1, "a")], ())


@pytest.mark.parametrize(
    ("result", "named"),
    [([(1, 2)], "a list of tuple"), ((1, 2), "a tuple"), ("text", "a str"), (7, "a int"), ({}, "an empty dict")],
)
def test_a_function_that_returns_something_else_is_a_mistake_in_the_plan(result: Any, named: str) -> None:
    with pytest.raises(PlanError, match=f"thing: the restructure function returned {named}"):
        restructure(EACH, lambda row: result, NAMES, [(1, "a")], ())


def test_rows_of_different_columns_are_refused_naming_them() -> None:
    rows = iter([{"id": 1, "name": "a"}, {"id": 2, "nom": "b"}])
    with pytest.raises(PlanError, match="without name and with nom"):
        restructure(EACH, lambda row: next(rows), NAMES, [(1, "a"), (2, "b")], ())


def test_the_columns_of_the_first_batch_hold_for_later_ones() -> None:
    with pytest.raises(PlanError, match="with more"):
        restructure(EACH, lambda row: {"id": 1, "more": 2}, NAMES, [(1, "a")], ("id",))


def test_the_order_of_a_dict_does_not_matter() -> None:
    rows = iter([{"id": 1, "name": "a"}, {"name": "b", "id": 2}])
    assert restructure(EACH, lambda row: next(rows), NAMES, [(1, ""), (2, "")], ()).rows == [(1, "a"), (2, "b")]


def a_split() -> Any:
    return restructure(EACH, lambda row: [{"id": row["id"]}, {"id": -row["id"]}], NAMES, [(1, ""), (2, "")], ())


def test_a_source_row_of_which_a_part_is_refused_goes_whole_or_not_at_all() -> None:
    batch = a_split()
    refused = [Unmoved(index=1, stage="load", reason="no")]
    assert torn(batch, refused) == refused
    rest = without(batch, refused)
    assert (rest.rows, rest.origins, rest.rejects) == ([(1,), (-1,)], [0, 0], refused)
    assert torn(rest, []) == []


def test_a_source_row_of_which_every_part_is_refused_is_one_reject() -> None:
    refused = [Unmoved(index=0, stage="load", reason="no"), Unmoved(index=0, stage="load", reason="nor this")]
    assert torn(a_split(), refused) == refused[:1]


def test_a_row_that_was_not_split_is_never_torn() -> None:
    batch = restructure(EACH, lambda row: {"id": row["id"]}, NAMES, [(1, "")], ())
    assert torn(batch, [Unmoved(index=0, stage="load", reason="no")]) == []


def test_a_subclass_of_list_is_a_list() -> None:
    class Parts(list[dict[str, Any]]):
        pass

    assert restructure(EACH, lambda row: Parts([{"id": 1}, {"id": 2}]), NAMES, [(1, "")], ()).splits
