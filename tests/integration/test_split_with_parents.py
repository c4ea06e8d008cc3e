"""Rows that are split go whole or not at all, also when a part lacks its parent; what is tried again is right."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from fix_databases import Pair
from milepost.errors import DefinitionChanged, Fatal
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.run import NO_URLS, rewind, run

STOCKS = [(1, "a", "b"), (2, "a", "nowhere"), (3, "b", "c"), (4, None, "a"), (5, "nowhere", "nowhere"), (6, "c", "c")]


def makes(pair: Pair) -> str:
    if pair.target.url.startswith("sqlite"):
        return "INTEGER PRIMARY KEY AUTOINCREMENT"
    return "BIGINT GENERATED ALWAYS AS IDENTITY (START WITH 700) PRIMARY KEY"


def moves(pair: Pair, move: Table, store: str | None = None) -> Migration:
    """Each stock is moved from one place to another: two rows."""
    pair.source.execute(
        "CREATE TABLE places (code VARCHAR(9) PRIMARY KEY)",
        "CREATE TABLE stocks (no INTEGER PRIMARY KEY, came VARCHAR(9), went VARCHAR(9))",
    )
    pair.source.insert("places", [("a",), ("b",), ("c",)])
    pair.source.insert("stocks", STOCKS)
    pair.target.execute(
        f"CREATE TABLE place (id {makes(pair)}, code VARCHAR(9) UNIQUE NOT NULL)",
        f"CREATE TABLE move (id {makes(pair)}, no INTEGER, side VARCHAR(9), place_id BIGINT REFERENCES place (id),"
        " UNIQUE (no, side))",
    )
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, store=store, max_rejects=2, batch_rows=4)
    place = crm.object("place", source=Table("places", key="code"), target=Table("place", key="code", id="id"))

    @crm.object(source=Table("stocks", key="no"), target=move, parents={"place_id": place})
    def stock(row: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"no": row["no"], "side": side, "place_id": row[side]} for side in ("came", "went")]

    return crm


def moved(pair: Pair) -> list[tuple[Any, ...]]:
    return pair.target.rows(
        "SELECT m.no, m.side, p.code FROM move m LEFT JOIN place p ON p.id = m.place_id ORDER BY m.no, m.side"
    )


WHOLE = [
    (number, side, code)
    for number, came, went in STOCKS
    if "nowhere" not in (came, went)
    for side, code in (("came", came), ("went", went))
]


@pytest.mark.parametrize("where", ["together", "apart"])
def test_a_row_of_which_a_part_lacks_its_parent_is_refused_whole_and_no_other(pair: Pair, where: str, tmp_path) -> None:
    store = None if where == "together" else f"sqlite:///{tmp_path / 'store.db'}"
    run(moves(pair, Table("move", key=("no", "side"), id="id"), store))
    assert moved(pair) == WHOLE
    opened = open_store(store or pair.target.url, create=False)
    assert opened is not None
    with closing(opened):
        rejects = [(one.key, one.stage, one.reason, one.target_key, one.parent) for one in opened.rejects("crm")]
    assert [(key, stage) for key, stage, *_ in rejects] == [([2], "parent"), ([5], "parent")]
    assert rejects[0][2].startswith("no place with code 'nowhere'")
    assert rejects[0][3:] == ([2, "went"], [["place", ["nowhere"]]])


def test_parts_without_a_key_of_their_own_keep_their_ids_when_they_go_in_again(pair: Pair) -> None:
    crm = moves(pair, Table("move", id="id"))
    run(crm)
    assert moved(pair) == WHOLE
    before = pair.target.rows("SELECT id, no, side FROM move ORDER BY id")
    pair.source.execute("UPDATE stocks SET went = 'c' WHERE no = 1")
    rewind(crm, NO_URLS, "stock")
    run(crm)
    assert pair.target.rows("SELECT id, no, side FROM move ORDER BY id") == before
    assert moved(pair) == [(1, "went", "c") if each[:2] == (1, "went") else each for each in WHOLE]


def test_a_half_done_object_is_not_gone_on_with_when_another_column_of_its_circle_is_to_be_set_later(
    sqlite_pair: Pair,
) -> None:
    pair = sqlite_pair
    pair.source.execute(
        "CREATE TABLE depts (code VARCHAR(9) PRIMARY KEY, head INTEGER)",
        "CREATE TABLE staff (no INTEGER PRIMARY KEY, dept VARCHAR(9))",
    )
    pair.source.insert("depts", [("a", 1), ("b", 2)])
    pair.source.insert("staff", [(1, "a"), (2, "b")])
    pair.target.execute(
        f"CREATE TABLE dept (id {makes(pair)}, code VARCHAR(9) UNIQUE, head_id INTEGER)",
        f"CREATE TABLE person (id {makes(pair)}, no INTEGER UNIQUE, dept_id INTEGER)",
    )

    def declared(first: str, broken: str | None) -> Migration:
        crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=1)

        def dept(row: dict[str, Any]) -> dict[str, Any]:
            if row["code"] == broken:
                raise ValueError(broken)
            return {"code": row["code"], "head_id": row["head"]}

        def person(row: dict[str, Any]) -> dict[str, Any]:
            return {"no": row["no"], "dept_id": row["dept"]}

        declare = {
            "dept": lambda: crm.object(
                source=Table("depts", key="code"),
                target=Table("dept", key="code", id="id"),
                parents={"head_id": "person"},
            )(dept),
            "person": lambda: crm.object(
                source=Table("staff", key="no"), target=Table("person", key="no", id="id"), parents={"dept_id": "dept"}
            )(person),
        }
        for name in sorted(declare, key=lambda name: name != first):
            declare[name]()
        return crm

    with pytest.raises(Fatal, match="dept: batch 2 was not committed"):
        run(declared("dept", broken="b"))
    with pytest.raises(DefinitionChanged, match="later"):
        run(declared("person", broken=None))
    run(declared("dept", broken=None))
    assert pair.target.rows(
        "SELECT d.code, p.no, e.code FROM dept d JOIN person p ON p.id = d.head_id JOIN dept e ON e.id = p.dept_id"
    ) == [("a", 1, "a"), ("b", 2, "b")]
