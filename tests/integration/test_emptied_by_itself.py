"""A table that a migration emptied itself, as its source rows are gone: nobody else deleted them."""

from __future__ import annotations

from typing import Any

import pytest

from milepost.errors import PlanError, Reject
from milepost.jobs.event import BatchCommitted, Event, Told
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.run import run


class Dies(KeyboardInterrupt):
    """As if it were interrupted here."""


@pytest.fixture
def shop(sqlite_pair):
    sqlite_pair.source.execute("CREATE TABLE goods (no integer PRIMARY KEY, name text, changed integer)")
    sqlite_pair.source.insert("goods", [(no, f"name {no}", 1) for no in range(1, 7)])
    sqlite_pair.target.execute("CREATE TABLE good (no integer PRIMARY KEY, name text)")
    return sqlite_pair


def run_until(pair, path: str | None, *, recheck: bool = False) -> list[str]:
    """Run it until a batch of this path is committed, or to its end; returns what was told."""
    shop = Migration(
        "shop",
        source=pair.source.url,
        target=pair.target.url,
        batch_rows=2,
        deletes="apply",
        recheck_after="0s",
        max_rejects=9,
    )

    def good(row: dict[str, Any]) -> dict[str, Any]:
        if row["name"] == "bad":
            raise Reject("not this one")
        return {"no": row["no"], "name": row["name"]}

    shop.object(source=Table("goods", key="no", modified="changed"), target=Table("good", key="no"))(good)
    told: list[str] = []

    def emit(event: Event) -> None:
        if isinstance(event, Told):
            told.append(event.message)
        if isinstance(event, BatchCommitted) and event.path == path:
            raise Dies

    if path is None:
        run(shop, emit=emit, recheck=recheck)
    else:
        with pytest.raises(Dies):
            run(shop, emit=emit)
    return told


def test_a_half_done_object_goes_on_though_all_that_it_loaded_is_gone_since(shop) -> None:
    run_until(shop, "good")
    shop.source.execute("UPDATE goods SET name = 'bad', changed = 2 WHERE no IN (1, 2)")
    run_until(shop, "good/recheck-1/deletes")
    assert shop.target.rows("SELECT no FROM good") == []
    run_until(shop, None)
    assert shop.target.rows("SELECT no FROM good ORDER BY no") == [(3,), (4,), (5,), (6,)]


def test_of_a_complete_object_it_is_not_said_that_rows_are_missing_that_are_gone_at_the_source(shop) -> None:
    run_until(shop, None)
    shop.source.execute("UPDATE goods SET name = 'bad', changed = 2")
    run_until(shop, None, recheck=True)
    assert shop.target.rows("SELECT no FROM good") == []
    assert not any("holds no row" in message for message in run_until(shop, None))


def test_a_table_that_others_emptied_is_still_refused(shop) -> None:
    run_until(shop, "good")
    shop.target.execute("DELETE FROM good")
    with pytest.raises(PlanError, match="somebody deleted them since"):
        run_until(shop, None)
