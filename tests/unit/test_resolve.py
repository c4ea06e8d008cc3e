"""Parents' ids come into the rows that name them by key; NULL stays NULL, and who has no parent is told by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from milepost.migration.keys import decode, map_key
from milepost.migration.object import Object
from milepost.migration.resolve import Edge, Lookup, link_value, resolve
from milepost.migration.source import Key, Row
from milepost.migration.table import Table

COLUMNS = ("no", "customer_id", "region", "zone")


def an_object(name: str, key: Any, id: str | None = None, source: Any = "src") -> Object:  # noqa: A002
    target = Table(name, id=id or "") if key is None else Table(name, key=key, id=id)
    return Object(name=name, source=Table(name, key=source), target=target)


class Tables:
    """The parents that there are, by table and key; counts how often it is asked."""

    def __init__(self, rows: dict[str, dict[Key, Row]]) -> None:
        self.rows = rows
        self.asked: list[tuple[str, tuple[str, ...], tuple[str, ...], list[Key]]] = []

    def find(self, table: str, key: tuple[str, ...], wanted: tuple[str, ...], keys: Sequence[Key]) -> list[Row | None]:
        self.asked.append((table, key, wanted, list(keys)))
        return [self.rows[table].get(one) for one in keys]

    def mapped(self, path: str, keys: Sequence[str]) -> dict[str, Any]:
        known = {map_key(key): list(row) for key, row in self.rows[path].items()}
        return {key: known[key] for key in keys if key in known}

    @property
    def lookup(self) -> Lookup:
        return Lookup(find=self.find, mapped=self.mapped)


CUSTOMERS = Edge(columns=("customer_id",), parent=an_object("customer", "legacy_no", "id"))


@given(st.lists(st.sampled_from([None, "C1", "C2", "C3", "C9"]), max_size=20))
def test_each_row_is_given_its_parents_id_or_is_an_orphan(named: list[str | None]) -> None:
    known = {"C1": 1, "C2": 2, "C3": 3}
    tables = Tables({"customer": {(key,): (number,) for key, number in known.items()}})
    rows: list[Row] = [(place, key, None, None) for place, key in enumerate(named)]
    before = list(rows)
    resolved = resolve([CUSTOMERS], COLUMNS, rows, tables.lookup)
    assert rows == before, "the rows that were given stay, to be resolved once more"
    there = [place for place, key in enumerate(named) if key is None or key in known]
    assert list(resolved.places) == there
    assert resolved.rows == [(place, known.get(named[place] or ""), None, None) for place in there]
    assert [(one.index, one.reason, one.parents, one.columns) for one in resolved.orphans] == [
        (place, "no customer with legacy_no 'C9'", [["customer", ["C9"]]], ("customer_id",))
        for place, key in enumerate(named)
        if key == "C9"
    ]
    assert len(tables.asked) == bool([key for key in named if key is not None])
    assert all(len(set(keys)) == len(keys) for *_, keys in tables.asked)


def test_a_parent_without_an_id_is_only_looked_for() -> None:
    edge = Edge(columns=("region", "zone"), parent=an_object("area", ("region", "zone")))
    tables = Tables({"area": {("eu", 1): ("eu", 1)}})
    rows: list[Row] = [(1, None, "eu", 1), (2, None, "eu", None), (3, None, "us", 7)]
    resolved = resolve([edge], COLUMNS, rows, tables.lookup)
    assert resolved.rows == rows[:2]
    assert [(one.index, one.reason) for one in resolved.orphans] == [(2, "no area with (region, zone) ('us', 7)")]


def test_a_composite_key_stands_as_a_tuple_where_the_id_is_to_be() -> None:
    edge = Edge(columns=("customer_id",), parent=an_object("customer", ("system", "no"), "id"))
    tables = Tables({"customer": {("a", 1): (11,)}})
    rows: list[Row] = [(1, ("a", 1), None, None), (2, ["a", 1], None, None), (3, ("a", None), None, None)]
    rows += [(4, ("a", 2), None, None), (5, "a", None, None), (6, ("a", {}), None, None)]
    resolved = resolve([edge], COLUMNS, rows, tables.lookup)
    assert [row[1] for row in resolved.rows] == [11, 11, None]
    reasons = {one.index + 1: one.reason for one in resolved.orphans}
    assert reasons[4] == "no customer with (system, no) ('a', 2)"
    assert reasons[5].startswith("customer_id holds 'a', and no customer has such a key: a tuple of (system, no)")
    assert reasons[6].startswith("customer_id holds ('a', {})")


def test_a_parent_without_a_key_is_named_by_its_source_key_whatever_its_type() -> None:
    edge = Edge(columns=("customer_id",), parent=an_object("customer", None, "id", source="no"))
    tables = Tables({"customer": {(5,): (50,)}})
    rows: list[Row] = [(1, 5, 0, 0), (2, 5.0, 0, 0), (3, Decimal("5.00"), 0, 0), (4, "5", 0, 0), (5, object, 0, 0)]
    resolved = resolve([edge], COLUMNS, rows, tables.lookup)
    assert [row[:2] for row in resolved.rows] == [(1, 50), (2, 50), (3, 50)]
    assert resolved.orphans[0].reason == "no customer with no '5'"
    assert not tables.asked


def test_a_later_parents_key_may_hold_the_id_that_an_earlier_one_gave() -> None:
    line = Edge(columns=("customer_id", "zone"), parent=an_object("line", ("customer_id", "line_no")))
    tables = Tables({"customer": {("C1",): (1,)}, "line": {(1, 7): (1, 7)}})
    rows: list[Row] = [(1, "C1", None, 7), (2, "C1", None, 8), (3, "C2", None, 7)]
    resolved = resolve([CUSTOMERS, line], COLUMNS, rows, tables.lookup)
    assert resolved.rows == [(1, 1, None, 7)]
    assert [one.reason for one in resolved.orphans] == [
        "no line with (customer_id, line_no) (1, 8)",
        "no customer with legacy_no 'C2'",
    ]


def test_all_parents_that_are_not_there_are_told() -> None:
    area = Edge(columns=("region",), parent=an_object("area", "region"))
    tables = Tables({"customer": {}, "area": {}})
    (orphan,) = resolve([CUSTOMERS, area], COLUMNS, [(1, "C1", "eu", None)], tables.lookup).orphans
    assert orphan.reason == "no customer with legacy_no 'C1'; no area with region 'eu'"
    assert orphan.parents == [["customer", ["C1"]], ["area", ["eu"]]]


@given(st.one_of(st.none(), st.integers(), st.text(), st.decimals(allow_nan=False), st.dates(), st.just(object())))
def test_what_a_link_says_of_one_parent_is_read_back(value: Any) -> None:
    said = json.loads(json.dumps(link_value(CUSTOMERS, (value,))))
    if isinstance(said, dict):
        assert said == {"odd": repr(value)}
    else:
        assert decode(said) == (None if value is None else (value,))


def test_a_link_keeps_what_is_not_null_of_several_columns() -> None:
    edge = Edge(columns=("region", "zone"), parent=an_object("area", ("region", "zone")))
    assert link_value(edge, ("eu", None)) == ["eu", None]
    assert link_value(edge, (None, None)) is None
    assert link_value(edge, ("eu", 1)) == ["eu", 1]
