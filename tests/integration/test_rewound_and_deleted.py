"""What was loaded before a rewind: rows that the source has stay; those that it has no more go, once all is in."""

from __future__ import annotations

import pytest

from milepost.jobs.event import BatchCommitted, Event
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.run import NO_URLS, rewind, run


class Dies(KeyboardInterrupt):
    """As if it were interrupted here."""


@pytest.fixture
def shop(pair):
    """Eight customers that are given ids, a batch for two of them, and a sale to each."""
    pair.source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, name text, changed integer)",
        "CREATE TABLE orders (no integer PRIMARY KEY, customer integer, changed integer)",
    )
    pair.source.insert("customers", [(no, f"name {no}", 1) for no in range(1, 9)])
    pair.source.insert("orders", [(no, 9 - no, 1) for no in range(1, 9)])
    number = "integer" if pair.target.url.startswith("sqlite") else "serial"
    pair.target.execute(
        f"CREATE TABLE customer (id {number} PRIMARY KEY, name text)",
        "CREATE TABLE sale (no integer PRIMARY KEY, customer integer REFERENCES customer (id))",
    )
    return pair


def migration(pair) -> Migration:
    shop = Migration(
        "shop",
        source=pair.source.url,
        target=pair.target.url,
        batch_rows=2,
        max_rejects=9,
        deletes="apply",
        recheck_after="0s",
    )
    customer = shop.object(
        "customer",
        source=Table("customers", key="no", modified="changed"),
        target=Table("customer", id="id"),
        columns={"name": "name"},
    )
    shop.object(
        "sale",
        source=Table("orders", key="no", modified="changed"),
        target=Table("sale", key="no"),
        columns={"no": "no", "customer": "customer"},
        parents={"customer": customer},
    )
    return shop


def is_moved(pair) -> bool:
    names = "SELECT name FROM {} ORDER BY name"
    sales = "SELECT s.no, c.name FROM {} s JOIN {} c ON c.{} = s.customer ORDER BY s.no"
    return pair.target.rows(names.format("customer")) == pair.source.rows(names.format("customers")) and (
        pair.target.rows(sales.format("sale", "customer", "id"))
        == pair.source.rows(sales.format("orders", "customers", "no"))
    )


def test_a_row_of_a_batch_that_is_made_anew_is_not_taken_for_one_of_the_batch_before(shop) -> None:
    run(migration(shop))
    rewind(migration(shop), NO_URLS, "customer")
    shop.source.execute("INSERT INTO customers VALUES (0, 'name 0', 2)")

    def die(event: Event) -> None:
        if isinstance(event, BatchCommitted):
            raise Dies

    with pytest.raises(Dies):
        run(migration(shop), emit=die)
    shop.source.execute("UPDATE customers SET name = 'other', changed = 3 WHERE no = 1")
    ids = shop.target.rows("SELECT no, customer FROM sale ORDER BY no")
    run(migration(shop))
    assert is_moved(shop)
    assert shop.target.rows("SELECT no, customer FROM sale ORDER BY no") == ids


def test_what_went_before_a_rewind_is_deleted_when_all_was_loaded_again(shop) -> None:
    run(migration(shop))
    rewind(migration(shop), NO_URLS, "customer")
    shop.source.execute("DELETE FROM orders WHERE no IN (4, 7)", "DELETE FROM customers WHERE no IN (2, 5)")
    run(migration(shop))
    assert is_moved(shop)
    rewind(migration(shop), NO_URLS, "")
    shop.source.execute("DELETE FROM orders WHERE no = 1", "DELETE FROM customers WHERE no = 8")
    run(migration(shop))
    assert is_moved(shop)


def test_nothing_is_deleted_where_the_source_holds_nothing_after_a_rewind(shop) -> None:
    run(migration(shop))
    rewind(migration(shop), NO_URLS, "customer")
    shop.source.execute("DELETE FROM customers")
    run(migration(shop), accept_changed=frozenset({"customer"}))
    assert shop.target.rows("SELECT count(*) FROM customer") == [(8,)]
    assert shop.target.rows("SELECT count(*) FROM sale") == [(8,)]
