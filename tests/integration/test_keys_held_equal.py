"""Keys that the target holds to be equal, written otherwise: its row is one row, and is deleted only if nobody's."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Database, Pair
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.run import run


def migration(pair: Pair) -> Migration:
    """Customers by a key that the source changes, and sales that refer to it."""
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, deletes="apply", max_rejects=9, batch_rows=2)

    def customer(row: dict[str, Any]) -> dict[str, Any]:
        return {"code": row["code"], "name": row["name"]}

    def sale(row: dict[str, Any]) -> dict[str, Any]:
        return {"no": row["no"], "customer": row["customer"]}

    customers = crm.object(
        source=Table("customers", key="no", modified="changed"), target=Table("customer", key="code")
    )(customer)
    crm.object(
        source=Table("orders", key="no", modified="changed"),
        target=Table("sale", key="no"),
        parents={"customer": customers},
    )(sale)
    return crm


def prepare(pair: Pair, code: str, keys: list[str]) -> None:
    """A target whose customers have keys of the type ``code``; at the source they are texts."""
    pair.source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, code text, name text, changed integer)",
        "CREATE TABLE orders (no integer PRIMARY KEY, customer text, changed integer)",
    )
    pair.source.insert("customers", [(no, key, f"name {no}", 1) for no, key in enumerate(keys)])
    pair.source.insert("orders", [(no, key, 1) for no, key in enumerate(keys)])
    pair.target.execute(
        f"CREATE TABLE customer (code {code} PRIMARY KEY, name text)",
        f"CREATE TABLE sale (no integer PRIMARY KEY, customer {code} REFERENCES customer (code))",
    )


def sales(target: Database) -> list[tuple[int, str]]:
    return target.rows("SELECT s.no, c.name FROM sale s JOIN customer c ON c.code = s.customer ORDER BY s.no")


def paths_of_deleted(target: Database) -> list[tuple[str, int]]:
    prefix = "milepost_" if target.url.startswith("sqlite") else "milepost."
    return target.rows(f"SELECT path, loaded FROM {prefix}ledger WHERE path LIKE '%/deletes' AND loaded > 0")


@pytest.mark.parametrize(
    ("code", "before", "after"),
    [("text COLLATE NOCASE", "anna@x", "Anna@x"), ("text COLLATE RTRIM", "anna", "anna ")],
)
def test_a_key_that_is_written_otherwise_is_the_key_of_the_same_row(sqlite_pair, code, before, after) -> None:
    prepare(sqlite_pair, code, [before, "7"])
    run(migration(sqlite_pair))
    sqlite_pair.source.execute(f"UPDATE customers SET code = '{after}', name = 'new', changed = 2 WHERE no = 0")
    run(migration(sqlite_pair), recheck=True)
    assert sales(sqlite_pair.target) == [(0, "new"), (1, "name 1")]
    assert paths_of_deleted(sqlite_pair.target) == []
    run(migration(sqlite_pair), recheck=True)
    assert sales(sqlite_pair.target) == [(0, "new"), (1, "name 1")]


def test_a_key_of_a_postgres_row_that_is_written_otherwise_is_that_of_the_same_row(pair) -> None:
    if pair.target.url.startswith("sqlite"):
        code, before, after = "text COLLATE NOCASE", "a", "A"
    else:
        code, before, after = "char(4)", "a", "a  "
    prepare(pair, code, [before, "b"])
    run(migration(pair))
    pair.source.execute(f"UPDATE customers SET code = '{after}', name = 'new', changed = 2 WHERE no = 0")
    run(migration(pair), recheck=True)
    assert sales(pair.target) == [(0, "new"), (1, "name 1")]
    assert paths_of_deleted(pair.target) == []


def test_a_row_that_is_gone_does_not_take_along_one_that_has_its_key_written_otherwise(sqlite_pair) -> None:
    prepare(sqlite_pair, "text COLLATE NOCASE", ["anna@x", "b"])
    run(migration(sqlite_pair))
    sqlite_pair.source.execute(
        "DELETE FROM customers WHERE no = 0",
        "INSERT INTO customers VALUES (9, 'Anna@x', 'another', 2)",
        "UPDATE orders SET customer = 'Anna@x', changed = 2 WHERE no = 0",
    )
    run(migration(sqlite_pair), recheck=True)
    run(migration(sqlite_pair), recheck=True)
    assert len(sqlite_pair.target.rows("SELECT code FROM customer WHERE code = 'anna@x'")) == 1
    assert [no for no, _ in sales(sqlite_pair.target)] == [0, 1]


def test_a_key_that_really_changed_leaves_nothing_behind(sqlite_pair) -> None:
    prepare(sqlite_pair, "text COLLATE NOCASE", ["anna@x", "b"])
    run(migration(sqlite_pair))
    sqlite_pair.source.execute(
        "UPDATE customers SET code = 'otto@x', changed = 2 WHERE no = 0",
        "UPDATE orders SET customer = 'otto@x', changed = 2 WHERE no = 0",
    )
    run(migration(sqlite_pair), recheck=True)
    assert sqlite_pair.target.rows("SELECT code FROM customer ORDER BY code") == [("b",), ("otto@x",)]
    assert paths_of_deleted(sqlite_pair.target) == [("customer/recheck-1/deletes", 1)]
