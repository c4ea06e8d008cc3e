"""A store outside the target that fails just when a deletion is durable there: nothing is lost that went with it."""

from __future__ import annotations

from typing import Any

import pytest

from fix_databases import Database, Pair
from milepost.errors import Retryable
from milepost.jobs.ledger import Entry
from milepost.jobs.retry import Patience
from milepost.jobs.store import Store
from milepost.migration import vanished
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.openers import Openers
from milepost.wiring.run import run


def migration(pair: Pair, store: Database) -> Migration:
    crm = Migration(
        "crm",
        source=pair.source.url,
        target=pair.target.url,
        store=store.url,
        deletes="apply",
        recheck_after="0s",
        max_rejects=9,
    )
    customer = crm.object(
        "customer",
        source=Table("customers", key="no"),
        target=Table("customer", key="no"),
        columns={"no": "no"},
    )
    crm.object(
        "sale",
        source=Table("orders", key="no"),
        target=Table("sale", key="no"),
        columns={"no": "no", "customer": "customer"},
        parents={"customer": customer},
    )
    return crm


def failing(seq: int) -> Openers:
    """Opens a store that cannot be reached when that batch of deletions is to be recorded, whatever is tried."""

    def opened(url: str, *, create: bool) -> Store | None:
        store: Any = open_store(url, create=create)
        append = None if store is None else store.append

        def fail(lease: Any, entry: Entry, *given: Any) -> None:
            if entry.path == "customer/recheck-1/deletes" and entry.seq == seq:
                raise Retryable("the store is out of reach")
            append(lease, entry, *given)

        if store is not None:
            store.append = fail
        return store

    return Openers(store=opened)


@pytest.mark.parametrize("seq", [1, 2])
def test_a_child_that_went_with_its_parent_is_a_reject_though_the_store_failed_then(
    pair: Pair, tmp_path, monkeypatch, seq: int
) -> None:
    monkeypatch.setattr(vanished, "PAGE", 1)
    pair.source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY)",
        "CREATE TABLE orders (no integer PRIMARY KEY, customer integer)",
        "INSERT INTO customers VALUES (1), (2), (3)",
        "INSERT INTO orders VALUES (10, 1), (20, 2), (30, 3)",
    )
    pair.target.execute(
        "CREATE TABLE customer (no integer PRIMARY KEY)",
        "CREATE TABLE sale (no integer PRIMARY KEY, customer integer NOT NULL REFERENCES customer (no))",
    )
    store = Database(f"sqlite:///{tmp_path / 'store.db'}")
    run(migration(pair, store))
    pair.source.execute("DELETE FROM customers WHERE no IN (2, 3)")
    with pytest.raises(Retryable, match="out of reach"):
        run(migration(pair, store), recheck=True, openers=failing(seq), patience=Patience(tries=1))
    assert pair.target.rows("SELECT count(*) FROM sale") == [(3 - seq,)]

    run(migration(pair, store))
    assert pair.target.rows("SELECT no FROM customer") == [(1,)]
    assert pair.target.rows("SELECT no, customer FROM sale") == [(10, 1)]
    rejects = store.rows("SELECT stage, key FROM milepost_reject WHERE path LIKE 'sale%' ORDER BY key")
    assert rejects == [("parent", "[20]"), ("parent", "[30]")]
