"""A row whose parent is not there is rejected with the parent's key, and with what became of the parent."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Pair
from milepost import Reject
from milepost.jobs.ledger import RejectedRow
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.run import run

CUSTOMERS = [("C1", "a@x"), ("C2", None), ("C3", "closed"), ("C4", "d@x"), ("C6", None)]
INVOICES = [(1, "C1"), (2, "C2"), (3, "C3"), (4, None), (5, "C5"), (6, "C2"), (7, "C6")]
LINES = [(10, 1), (20, 2), (30, 2), (40, 3), (50, 9)]


@pytest.fixture
def company(pair: Pair) -> Pair:
    pair.source.execute(
        "CREATE TABLE customers (no varchar(9) PRIMARY KEY, email varchar(20))",
        "CREATE TABLE invoices (no integer PRIMARY KEY, customer varchar(9))",
        "CREATE TABLE lines (no integer PRIMARY KEY, invoice integer)",
    )
    pair.source.insert("customers", CUSTOMERS)
    pair.source.insert("invoices", INVOICES)
    pair.source.insert("lines", LINES)
    ids = "integer PRIMARY KEY" if pair.target.url.startswith("sqlite") else "serial PRIMARY KEY"
    pair.target.execute(
        f"CREATE TABLE customer (id {ids}, legacy varchar(9) NOT NULL UNIQUE, email varchar(20))",
        f"CREATE TABLE invoice (id {ids}, no integer UNIQUE, customer integer REFERENCES customer (id))",
        "CREATE TABLE line (no integer PRIMARY KEY, invoice integer NOT NULL REFERENCES invoice (id))",
    )
    return pair


def migration(company: Pair, *, mapped: bool = False, batch_rows: int = 3) -> Migration:
    crm = Migration("crm", source=company.source.url, target=company.target.url, max_rejects=100, batch_rows=batch_rows)
    key = None if mapped else "legacy"

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key=key, id="id"))
    def customer(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["email"] is None:
            raise Reject("email has no @")
        return None if row["email"] == "closed" else {"legacy": row["no"], "email": row["email"]}

    @crm.object(
        source=Table("invoices", key="no"), target=Table("invoice", key="no", id="id"), parents={"customer": customer}
    )
    def invoice(row: dict[str, Any]) -> dict[str, Any]:
        return row

    crm.object("line", source=Table("lines", key="no"), target=Table("line", key="no"), parents={"invoice": invoice})
    return crm


def kept(company: Pair) -> list[RejectedRow]:
    store = open_store(company.target.url, create=False)
    assert store is not None
    found = list(store.rejects("crm"))
    store.close()
    return found


@pytest.mark.parametrize("mapped", [False, True], ids=["by key", "by the key map"])
def test_an_orphan_says_what_became_of_its_parent_and_of_the_parents_parent(company: Pair, mapped: bool) -> None:
    run(migration(company, mapped=mapped))

    key = "no" if mapped else "legacy"
    rejected, left_out = "was rejected: email has no @", "its function left it out, or it came since"
    invoice_2 = f"no customer with {key} 'C2'; customer 'C2' {rejected}"
    invoice_3 = f"no customer with {key} 'C3'; customer 'C3' is in the source: {left_out}"
    assert [(one.path, one.key, one.stage, one.reason) for one in kept(company) if one.path != "customer"] == [
        ("invoice", [2], "parent", invoice_2),
        ("invoice", [3], "parent", invoice_3),
        ("invoice", [5], "parent", f"no customer with {key} 'C5'"),
        ("invoice", [6], "parent", f"no customer with {key} 'C2'; customer 'C2' {rejected}"),
        ("invoice", [7], "parent", f"no customer with {key} 'C6'; customer 'C6' {rejected}"),
        ("line", [20], "parent", f"no invoice with no 2; invoice 2 was rejected: {invoice_2}"),
        ("line", [30], "parent", f"no invoice with no 2; invoice 2 was rejected: {invoice_2}"),
        ("line", [40], "parent", f"no invoice with no 3; invoice 3 was rejected: {invoice_3}"),
        ("line", [50], "parent", "no invoice with no 9"),
    ]
    parents = {tuple(one.key): one.parent for one in kept(company) if one.path == "line"}
    assert parents == {
        (20,): [["invoice", [2]], ["customer", ["C2"]]],
        (30,): [["invoice", [2]], ["customer", ["C2"]]],
        (40,): [["invoice", [3]], ["customer", ["C3"]]],
        (50,): [["invoice", [9]]],
    }
    assert company.target.rows("SELECT no FROM invoice ORDER BY no") == [(1,), (4,)]
    assert company.target.rows("SELECT no FROM line ORDER BY no") == [(10,)]


def test_a_key_that_is_another_rows_in_the_source_explains_nothing(company: Pair) -> None:
    """Customer 5 of the target would be C5; the reject with the source's key 5 had another key in the target."""
    company.source.execute(
        "CREATE TABLE parents (no integer PRIMARY KEY, ref integer)",
        "CREATE TABLE children (no integer PRIMARY KEY, parent integer)",
    )
    company.source.insert("parents", [(4, 7), (5, 7)])  # 5 is a duplicate: its key in the target would be 7
    company.source.insert("children", [(1, 5)])
    company.target.execute(
        "CREATE TABLE parent (ref integer PRIMARY KEY)",
        "CREATE TABLE child (no integer PRIMARY KEY, parent integer)",
    )
    crm = Migration("crm", source=company.source.url, target=company.target.url, max_rejects=100)
    parent = crm.object(
        "parent", source=Table("parents", key="no"), target=Table("parent", key="ref"), columns={"ref": "ref"}
    )
    crm.object("child", source=Table("children", key="no"), target=Table("child", key="no"), parents={"parent": parent})
    run(crm)

    assert [(one.key, one.stage, one.reason) for one in kept(company) if one.path == "child"] == [
        ([1], "parent", "no parent with ref 5")
    ]


def test_a_number_that_is_somebody_elses_at_the_source_is_not_said_of_the_parent(company: Pair) -> None:
    """The function gives customers other numbers than the source: 2 of the target is not 2 of the source."""
    company.source.execute(
        "CREATE TABLE parents (no integer PRIMARY KEY, legacy integer)",
        "CREATE TABLE children (no integer PRIMARY KEY, parent integer)",
    )
    company.source.insert("parents", [(1, 101), (2, 102), (3, 103), (4, 104)])  # 2 is rejected, 4 filtered
    company.source.insert("children", [(1, 2), (2, 102), (3, 4), (4, 101)])
    company.target.execute(
        "CREATE TABLE parent (legacy integer PRIMARY KEY)",
        "CREATE TABLE child (no integer PRIMARY KEY, parent integer)",
    )
    crm = Migration("crm", source=company.source.url, target=company.target.url, max_rejects=100)

    @crm.object(source=Table("parents", key="no"), target=Table("parent", key="legacy"))
    def parent(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["no"] == 2:
            raise Reject("not he")
        return None if row["no"] == 4 else {"legacy": row["legacy"]}

    crm.object("child", source=Table("children", key="no"), target=Table("child", key="no"), parents={"parent": parent})
    run(crm)

    assert [(one.key, one.reason) for one in kept(company) if one.path == "child"] == [
        ([1], "no parent with legacy 2"),
        ([2], "no parent with legacy 102"),
        ([3], "no parent with legacy 4"),
    ]


def test_one_row_that_comes_to_another_key_is_enough_not_to_guess(company: Pair) -> None:
    company.source.insert("customers", [("C9", "moved")])
    company.source.insert("invoices", [(8, "C9")])
    crm = Migration("crm", source=company.source.url, target=company.target.url, max_rejects=100, batch_rows=2)

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="legacy", id="id"))
    def customer(row: dict[str, Any]) -> dict[str, Any]:
        if row["email"] is None:
            raise Reject("email has no @")
        return {"legacy": "C0" if row["email"] == "moved" else row["no"], "email": row["email"]}

    parents = {"customer": customer}
    crm.object("invoice", source=Table("invoices", key="no"), target=Table("invoice", key="no"), parents=parents)
    run(crm)

    reasons = {tuple(one.key): one.reason for one in kept(company) if one.path == "invoice"}
    assert reasons == {
        (2,): "no customer with legacy 'C2'",
        (5,): "no customer with legacy 'C5'",
        (6,): "no customer with legacy 'C2'",
        (7,): "no customer with legacy 'C6'",
        (8,): "no customer with legacy 'C9'",
    }
