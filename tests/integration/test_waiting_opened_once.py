"""However many rows wait for a parent, the target is opened once to look for the parents of all of them."""

from __future__ import annotations

from typing import Any

from fix_databases import Pair
from milepost.migration.migration import Migration
from milepost.migration.object import Object
from milepost.migration.table import Table
from milepost.migration.target import Comparing, Target
from milepost.wiring.ends import open_target
from milepost.wiring.openers import Openers
from milepost.wiring.run import run


def test_one_look_at_the_target_serves_all_children_that_wait(pair: Pair) -> None:
    pair.source.execute("CREATE TABLE customers (no integer PRIMARY KEY)", "INSERT INTO customers VALUES (1)")
    pair.source.execute("CREATE TABLE orders (no integer PRIMARY KEY, customer integer)")
    pair.source.insert("orders", [(no, 77) for no in range(2500)])
    pair.target.execute("CREATE TABLE customer (no integer PRIMARY KEY)")
    pair.target.execute("CREATE TABLE sale (no integer PRIMARY KEY, customer integer NOT NULL)")
    opened: list[str] = []

    def counting(each: Object, url: str | None) -> Target:
        target = open_target(each, url)
        comparing = target.comparing

        def compare(*given: Any) -> Comparing:
            opened.append(each.name)
            return comparing(*given)

        target.comparing = compare  # type: ignore[method-assign]
        return target

    def crm() -> Migration:
        crm = Migration("crm", source=pair.source.url, target=pair.target.url, batch_rows=1000, max_rejects=9999)
        customers, orders = Table("customers", key="no"), Table("orders", key="no")
        customer = crm.object("customer", source=customers, target=Table("customer", key="no"), columns={"no": "no"})
        crm.object(
            "sale",
            source=orders,
            target=Table("sale", key="no"),
            columns={"no": "no", "customer": "customer"},
            parents={"customer": customer},
        )
        return crm

    run(crm())
    pair.source.execute("INSERT INTO customers VALUES (5)")
    run(crm(), recheck=True, openers=Openers(target=counting))
    assert opened.count("sale") == 1
