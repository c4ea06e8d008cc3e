"""Several sources into one table, one source into several, and databases of their own, with generated ids."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chinook_data import make
from fix_databases import Database, Pair
from milepost.errors import Reject
from milepost.migration.migration import Migration
from milepost.migration.table import Query, Table
from milepost.wiring.open import open_store
from milepost.wiring.run import run


def records(url: str) -> dict[str, Any]:
    store = open_store(url, create=False)
    assert store is not None
    try:
        return {record.path: record for record in store.checkpoints("crm")}
    finally:
        store.close()


def test_two_systems_are_merged_under_a_prefix_and_children_wait_for_both(pair: Pair) -> None:
    pair.source.execute(
        "CREATE TABLE old_customers (no INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE new_customers (no INTEGER PRIMARY KEY, name TEXT)",
        "CREATE TABLE sales (no INTEGER PRIMARY KEY, sys VARCHAR(1), customer INTEGER)",
    )
    pair.source.insert("old_customers", [(n, f"old {n}") for n in range(1, 12)])
    pair.source.insert("new_customers", [(n, f"new {n}") for n in range(5, 17)])
    pair.source.insert("sales", [(n, "AB"[n % 2], 5 + n % 7) for n in range(40)])
    make(
        pair.target,
        "CREATE TABLE customer (id ID, code VARCHAR(9) UNIQUE, name TEXT)",
        "CREATE TABLE sale (id ID, no INTEGER UNIQUE, customer_id REF NOT NULL REFERENCES customer)",
    )
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=4)
    customers = Table("customer", key="code", id="id")

    @crm.object(source=Table("old_customers", key="no"), target=customers)
    def from_old(row):
        return {"code": f"A{row['no']}", "name": row["name"]}

    @crm.object(
        source=Table("sales", key="no"), target=Table("sale", key="no", id="id"), parents={"customer_id": from_old}
    )
    def sale(row):
        return {"no": row["no"], "customer_id": f"{row['sys']}{row['customer']}"}

    @crm.object(source=Table("new_customers", key="no"), target=customers)
    def from_new(row):
        return {"code": f"B{row['no']}", "name": row["name"]}

    run(crm)
    assert sorted(
        pair.target.rows("SELECT s.no, c.name FROM sale s JOIN customer c ON c.id = s.customer_id")
    ) == sorted(
        pair.source.rows(
            "SELECT s.no, c.name FROM sales s JOIN old_customers c ON c.no = s.customer AND s.sys = 'A'"
            " UNION ALL SELECT s.no, c.name FROM sales s JOIN new_customers c ON c.no = s.customer AND s.sys = 'B'"
        )
    )
    assert len(pair.target.rows("SELECT * FROM customer")) == 23
    paths = list(records(pair.target.url))
    assert paths.index("from_new") < paths.index("sale")


def test_one_source_goes_into_several_objects_that_refer_to_each_other(pair: Pair) -> None:
    """A flat table: each row names its city and its customer, many rows the same ones."""
    pair.source.execute("CREATE TABLE flat (no INTEGER PRIMARY KEY, city TEXT, customer TEXT, amount INTEGER)")
    pair.source.insert("flat", [(n, f"city {n % 3}", f"customer {n % 7}", n) for n in range(50)])
    make(
        pair.target,
        "CREATE TABLE city (id ID, name VARCHAR(20) UNIQUE)",
        "CREATE TABLE customer (id ID, name VARCHAR(20) UNIQUE)",
        "CREATE TABLE sale (id ID, no INTEGER UNIQUE, city_id REF REFERENCES city, customer_id REF REFERENCES customer,"
        " amount INTEGER)",
    )
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=8)
    flat = Table("flat", key="no")
    city = crm.object(
        "city",
        source=Query("SELECT DISTINCT city FROM flat", key="city"),
        target=Table("city", key="name", id="id"),
        columns={"name": "city"},
    )
    # the rows themselves: of many with one key the last is taken
    customer = crm.object(
        "customer",
        source=flat,
        target=Table("customer", key="name", id="id"),
        columns={"name": "customer"},
        on_duplicate="last",
    )

    @crm.object(
        source=flat, target=Table("sale", key="no", id="id"), parents={"city_id": city, "customer_id": customer}
    )
    def sale(row):
        return {"no": row["no"], "city_id": row["city"], "customer_id": row["customer"], "amount": row["amount"]}

    run(crm)
    assert len(pair.target.rows("SELECT * FROM customer")) == 7
    assert sorted(
        pair.target.rows(
            "SELECT s.no, c.name, k.name, s.amount FROM sale s JOIN city c ON c.id = s.city_id"
            " JOIN customer k ON k.id = s.customer_id"
        )
    ) == sorted(pair.source.rows("SELECT no, city, customer, amount FROM flat"))


@pytest.mark.parametrize("kinds", ["sqlite-postgres", "postgres-sqlite"])
def test_objects_may_come_from_databases_of_their_own_into_tables_that_refer_to_each_other(
    kinds: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make_postgres: Callable[[], str] = request.getfixturevalue("postgres_urls")
    lite = [Database(f"sqlite:///{tmp_path / f'{n}.db'}") for n in range(2)]
    server = [Database(make_postgres()) for _ in range(2)]
    people, orders, target = (
        (lite[0], server[0], server[1]) if kinds == "sqlite-postgres" else (server[0], lite[0], lite[1])
    )
    people.execute("CREATE TABLE people (no INTEGER PRIMARY KEY, name TEXT)")
    people.insert("people", [(n, f"name {n}") for n in range(1, 9)])
    orders.execute("CREATE TABLE orders (no INTEGER PRIMARY KEY, person NUMERIC(9, 0), amount INTEGER)")
    orders.insert("orders", [(n, n % 8 + 1 if n % 3 else None, n) for n in range(25)])
    make(
        target,
        "CREATE TABLE person (id ID, legacy_no INTEGER UNIQUE, name TEXT)",
        "CREATE TABLE purchase (id ID, no INTEGER UNIQUE, person_id REF REFERENCES person, amount INTEGER)",
    )
    crm = Migration("crm", target=target.url, batch_rows=4)
    person = crm.object(
        "person",
        source=Table("people", key="no", database=people.url),
        target=Table("person", key="legacy_no", id="id"),
        columns={"legacy_no": "no", "name": "name"},
    )
    crm.object(
        "purchase",
        source=Table("orders", key="no", database=orders.url),
        target=Table("purchase", key="no", id="id"),
        columns={"no": "no", "person_id": "person", "amount": "amount"},
        parents={"person_id": person},
    )
    run(crm)
    names = dict(people.rows("SELECT no, name FROM people"))
    assert sorted(
        target.rows("SELECT o.no, p.name, o.amount FROM purchase o LEFT JOIN person p ON p.id = o.person_id"), key=repr
    ) == sorted(
        (
            (no, None if who is None else names[int(who)], amount)
            for no, who, amount in orders.rows("SELECT * FROM orders")
        ),
        key=repr,
    )


def test_a_child_of_a_rejected_parent_is_rejected_with_it_and_all_else_goes(pair: Pair) -> None:
    pair.source.execute(
        "CREATE TABLE p (no INTEGER PRIMARY KEY, email TEXT)", "CREATE TABLE c (no INTEGER PRIMARY KEY, p INTEGER)"
    )
    pair.source.insert("p", [(1, "a@x"), (2, "none"), (3, "b@x"), (4, "TEST")])
    pair.source.insert("c", [(n, n % 4 + 1) for n in range(12)])
    make(
        pair.target,
        "CREATE TABLE p (id ID, email VARCHAR(9))",
        "CREATE TABLE c (id ID, no INTEGER UNIQUE, p_id REF REFERENCES p)",
    )
    crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=5, max_rejects=6)

    @crm.object(source=Table("p", key="no"), target=Table("p", id="id"))
    def p(row):
        if row["email"] == "TEST":
            return None
        if "@" not in row["email"]:
            raise Reject("email has no @")
        return {"email": row["email"]}

    @crm.object(source=Table("c", key="no"), target=Table("c", key="no", id="id"), parents={"p_id": p})
    def c(row):
        return {"no": row["no"], "p_id": row["p"]}

    run(crm)
    assert sorted(pair.target.rows("SELECT c.no, p.email FROM c JOIN p ON p.id = c.p_id")) == sorted(
        pair.source.rows("SELECT c.no, p.email FROM c JOIN p ON p.no = c.p WHERE p.email LIKE '%@%'")
    )
    store = open_store(pair.target.url, create=False)
    assert store is not None
    rejected = {(one.path, one.key[0]): one for one in store.rejects("crm")}
    store.close()
    assert sorted(rejected) == [("c", n) for n in (1, 3, 5, 7, 9, 11)] + [("p", 2)]
    assert rejected["c", 1].reason.startswith("no p with no 2")
    assert rejected["c", 1].parent == [["p", [2]]]
