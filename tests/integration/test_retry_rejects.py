"""Rejected rows tried again after data or function was mended; what is expected comes by plain SQL from the source."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Pair
from milepost import Reject
from milepost.errors import Fatal, PlanError
from milepost.jobs.event import Told
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import State
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.retry import Retried, retry
from milepost.wiring.run import run

CUSTOMERS = [(no, f"{no}@x" if no % 5 else None, None) for no in range(1, 21)]
INVOICES = [(no, no % 22 + 1) for no in range(1, 41)]  # some of customers 21 and 22, who are nobody
LINES = [(no, no % 40 + 1) for no in range(1, 81)]


@pytest.fixture(params=["inside", "outside"])
def store_at(request: pytest.FixtureRequest, pair: Pair, tmp_path: Any) -> str:
    """Where the store is: in the target, or in a file of its own."""
    return pair.target.url if request.param == "inside" else f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def shop(pair: Pair) -> Pair:
    pair.source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, email varchar(20), boss integer)",
        "CREATE TABLE invoices (no integer PRIMARY KEY, customer integer)",
        "CREATE TABLE lines (no integer PRIMARY KEY, invoice integer)",
    )
    pair.source.insert("customers", CUSTOMERS)
    pair.source.insert("invoices", INVOICES)
    pair.source.insert("lines", LINES)
    ids = "integer PRIMARY KEY" if pair.target.url.startswith("sqlite") else "serial PRIMARY KEY"
    pair.target.execute(
        f"CREATE TABLE customer (id {ids}, no integer NOT NULL UNIQUE, email varchar(20))",
        f"CREATE TABLE invoice (id {ids}, no integer UNIQUE, customer integer NOT NULL REFERENCES customer (id))",
        "CREATE TABLE line (no integer PRIMARY KEY, invoice integer NOT NULL REFERENCES invoice (id))",
    )
    return pair


def migration(shop: Pair, store: str, *, mended: bool = False, **settings: Any) -> Migration:
    """``mended``: the function takes customers without an e-mail too."""
    crm = Migration(
        "crm",
        source=shop.source.url,
        target=shop.target.url,
        store=store,
        **{"max_rejects": 100, "batch_rows": 7, **settings},
    )

    @crm.object(source=Table("customers", key="no"), target=Table("customer", key="no", id="id"))
    def customer(row: dict[str, Any]) -> dict[str, Any]:
        if row["email"] is None and not mended:
            raise Reject("email has no @")
        return {"no": row["no"], "email": row["email"] or "none"}

    invoice = crm.object(
        "invoice",
        source=Table("invoices", key="no"),
        target=Table("invoice", key="no", id="id"),
        parents={"customer": customer},
    )
    crm.object("line", source=Table("lines", key="no"), target=Table("line", key="no"), parents={"invoice": invoice})
    return crm


def kept(store: str) -> list[RejectedRow]:
    opened = open_store(store, create=False)
    assert opened is not None
    found = list(opened.rejects("crm"))
    opened.close()
    return found


def arrived(shop: Pair) -> tuple[list[Any], ...]:
    return (
        shop.target.rows("SELECT no, email FROM customer ORDER BY no"),
        shop.target.rows("SELECT i.no, c.no FROM invoice i JOIN customer c ON c.id = i.customer ORDER BY i.no"),
        shop.target.rows("SELECT l.no, i.no FROM line l JOIN invoice i ON i.id = l.invoice ORDER BY l.no"),
    )


def expected(shop: Pair, good: str = "email IS NOT NULL") -> tuple[list[Any], ...]:
    """What must be there, by the source's own SQL, where the customers that are ``good`` go."""
    customers = f"SELECT no, coalesce(email, 'none') FROM customers WHERE {good} ORDER BY no"
    invoices = f"SELECT i.no, c.no FROM invoices i JOIN customers c ON c.no = i.customer AND {good}"
    lines = "SELECT l.no, i.no FROM lines l JOIN invoices i ON i.no = l.invoice JOIN customers c ON c.no = i.customer"
    return (
        shop.source.rows(customers),
        shop.source.rows(f"{invoices} ORDER BY i.no"),
        shop.source.rows(f"{lines} AND {good} ORDER BY l.no"),
    )


def waiting(shop: Pair, good: str = "email IS NOT NULL") -> set[tuple[str, int]]:
    """What must be rejected."""
    there = f"SELECT no FROM customers WHERE {good}"
    parts = {
        "customer": f"SELECT no FROM customers WHERE NOT ({good})",
        "invoice": f"SELECT no FROM invoices WHERE customer NOT IN ({there})",
        "line": f"SELECT l.no FROM lines l JOIN invoices i ON i.no = l.invoice WHERE i.customer NOT IN ({there})",
    }
    return {(name, no) for name, query in parts.items() for (no,) in shop.source.rows(query)}


def rejected(store: str) -> list[tuple[str, int]]:
    return sorted((one.path.partition("/")[0], one.key[0]) for one in kept(store))


def test_mended_data_brings_the_rows_in_and_the_children_that_wait_for_them(shop: Pair, store_at: str) -> None:
    run(migration(shop, store_at))
    assert (arrived(shop), set(rejected(store_at))) == (expected(shop), waiting(shop))
    shop.source.execute("UPDATE customers SET email = 'new@x' WHERE no IN (5, 10)")

    done = retry(migration(shop, store_at))

    assert arrived(shop) == expected(shop)
    assert rejected(store_at) == sorted(waiting(shop))  # each once
    before = len(waiting(shop, "email IS NOT NULL AND email <> 'new@x'"))
    assert done == Retried(loaded=before - len(waiting(shop)), rejected=len(waiting(shop)))


def test_a_mended_function_brings_the_rows_in_and_what_is_still_bad_has_its_new_reason(
    shop: Pair, store_at: str
) -> None:
    run(migration(shop, store_at))

    retry(migration(shop, store_at, mended=True))

    assert arrived(shop) == expected(shop, "0 = 0")
    assert rejected(store_at) == sorted(waiting(shop, "0 = 0"))
    reasons = {(one.path, one.reason.partition(" no ")[0]) for one in kept(store_at)}
    assert reasons == {("invoice/retry-1", "no customer with"), ("line/retry-1", "no invoice with")}
    assert not any("email" in one.reason for one in kept(store_at))


def test_trying_again_with_nothing_mended_changes_nothing_however_often(shop: Pair, store_at: str) -> None:
    run(migration(shop, store_at))
    before = arrived(shop), rejected(store_at), [(one.key, one.reason) for one in sorted(kept(store_at), key=_by_key)]
    for _ in range(3):
        retry(migration(shop, store_at))
    again = arrived(shop), rejected(store_at), [(one.key, one.reason) for one in sorted(kept(store_at), key=_by_key)]
    assert again == before


def _by_key(one: RejectedRow) -> tuple[str, int]:
    return one.path.partition("/")[0], one.key[0]


def test_of_one_object_its_own_rejects_are_tried_and_below_it_those_that_wait(shop: Pair, store_at: str) -> None:
    run(migration(shop, store_at))
    shop.source.execute("UPDATE customers SET email = 'new@x' WHERE no = 5")

    retry(migration(shop, store_at), only="invoice")
    before = "email IS NOT NULL AND email <> 'new@x'"
    assert (arrived(shop), set(rejected(store_at))) == (expected(shop, before), waiting(shop, before))
    retry(migration(shop, store_at), only="customer")
    assert (arrived(shop), set(rejected(store_at))) == (expected(shop), waiting(shop))


def test_a_reject_whose_row_is_gone_is_forgotten_and_told(shop: Pair, store_at: str) -> None:
    run(migration(shop, store_at))
    shop.source.execute("DELETE FROM lines WHERE invoice IN (SELECT no FROM invoices WHERE customer = 5)")
    gone = len(kept(store_at)) - len(waiting(shop))
    told = []

    done = retry(migration(shop, store_at), emit=told.append)

    assert rejected(store_at) == sorted(waiting(shop))
    assert done.gone == gone > 0
    assert any(f"{gone} rows gone" in one.message for one in told if isinstance(one, Told))


def test_a_duplicate_never_takes_the_place_of_the_row_that_came_first(shop: Pair, store_at: str) -> None:
    shop.source.execute("CREATE TABLE people (no integer PRIMARY KEY, ref integer, name varchar(9))")
    shop.source.insert("people", [(1, 7, "first"), (2, 7, "second"), (3, None, "third"), (4, 8, "fourth")])
    shop.target.execute("CREATE TABLE person (ref integer PRIMARY KEY, name varchar(9))")

    def people(ref: int) -> Migration:
        crm = Migration("crm", source=shop.source.url, target=shop.target.url, store=store_at, max_rejects=9)

        @crm.object(source=Table("people", key="no"), target=Table("person", key="ref"))
        def person(row: dict[str, Any]) -> dict[str, Any]:
            if row["ref"] is None and ref == 0:
                raise Reject("no ref")
            return {"ref": row["ref"] or ref, "name": row["name"]}

        return crm

    run(people(0))
    for ref in (7, 8, 9):  # the third is mended so that it, too, is somebody else; at last it is not
        retry(people(ref))
        there = shop.target.rows("SELECT ref, name FROM person ORDER BY ref")
        assert there == [(7, "first"), (8, "fourth"), *([(9, "third")] if ref == 9 else [])]
    assert [(one.key, one.stage) for one in kept(store_at)] == [([2], "duplicate")]
    shop.source.execute("UPDATE people SET ref = 10 WHERE no = 2")
    retry(people(9))
    assert shop.target.rows("SELECT name FROM person WHERE ref = 10") == [("second",)]
    assert kept(store_at) == []


def test_what_is_not_complete_is_left_to_a_run_and_the_job_stays_incomplete(shop: Pair, store_at: str) -> None:
    with pytest.raises(Fatal, match="rejected"):
        run(migration(shop, store_at, max_rejects=4))  # customers have four, invoices more
    assert len(arrived(shop)[0]) == 16
    with pytest.raises(Fatal, match="not complete"):
        retry(migration(shop, store_at, mended=True))
    assert len(arrived(shop)[0]) == 20
    run(migration(shop, store_at, mended=True))
    retry(migration(shop, store_at, mended=True))  # invoices that were rejected before the first run stopped
    assert (arrived(shop), set(rejected(store_at))) == (expected(shop, "0 = 0"), waiting(shop, "0 = 0"))


def test_what_cannot_work_is_refused_before_anything_is_written(shop: Pair, store_at: str) -> None:
    with pytest.raises(PlanError, match="moved nothing yet"):
        retry(migration(shop, store_at))
    run(migration(shop, store_at))
    with pytest.raises(PlanError, match="no object custmer") as refused:
        retry(migration(shop, store_at), only="custmer")
    assert "customer" in (refused.value.hint or "")
    opened = open_store(store_at, create=False)
    assert opened is not None
    assert [(record.path, record.state) for record in opened.checkpoints("crm")] == [
        (path, State.COMPLETE) for path in ("", "customer", "invoice", "line")
    ]
    assert len(opened.runs("crm")) == 1
    opened.close()
