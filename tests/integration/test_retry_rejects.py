"""Rejected rows tried again after data or function was mended; what is expected comes by plain SQL from the source."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fix_databases import Pair
from milepost import Reject
from milepost.errors import Fatal, PlanError
from milepost.jobs.event import BatchCommitted, Event, Told
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import State
from milepost.migration.migration import Migration
from milepost.migration.table import Table
from milepost.wiring.open import open_store
from milepost.wiring.retry import Retried, retry
from milepost.wiring.run import run
from retry_data import MENDED, arrived, expected, kept, make, migration, rejected, waiting


@pytest.fixture(params=["inside", "outside"])
def store_at(request: pytest.FixtureRequest, pair: Pair, tmp_path: Path) -> str:
    """Where the store is: in the target, or in a file of its own."""
    return pair.target.url if request.param == "inside" else f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def shop(pair: Pair) -> Pair:
    make(pair.source, pair.target)
    return pair


def crm(shop: Pair, store: str, **settings: Any) -> Migration:
    return migration(shop.source.url, shop.target.url, store, **settings)


def is_right(shop: Pair, store: str, good: str = "email IS NOT NULL") -> None:
    assert arrived(shop.target) == expected(shop.source, good)
    assert rejected(store) == waiting(shop.source, good)  # each once


def test_mended_data_brings_the_rows_in_and_the_children_that_wait_for_them(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    is_right(shop, store_at)
    before = len(kept(store_at))
    shop.source.execute(*MENDED)

    done = retry(crm(shop, store_at))

    is_right(shop, store_at)
    assert (done.rejected, done.gone, done.left) == (len(kept(store_at)), 0, ())
    assert before - done.rejected > 0


def test_a_mended_function_brings_the_rows_in_and_what_is_still_bad_has_its_new_reason(
    shop: Pair, store_at: str
) -> None:
    run(crm(shop, store_at))

    retry(crm(shop, store_at, mended=True))

    is_right(shop, store_at, "0 = 0")
    reasons = {(one.path, one.reason.partition(" no ")[0]) for one in kept(store_at) if one.stage == "parent"}
    assert {("invoice/retry-1", "no customer with"), ("line/retry-1", "no invoice with")} < reasons
    assert not any("email" in one.reason for one in kept(store_at))


def test_trying_again_with_nothing_mended_changes_nothing_however_often(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    before = [(one.key, one.reason) for one in sorted(kept(store_at), key=_by_key)]
    for _ in range(3):
        retry(crm(shop, store_at))
    is_right(shop, store_at)
    assert [(one.key, one.reason) for one in sorted(kept(store_at), key=_by_key)] == before


def _by_key(one: RejectedRow) -> tuple[str, int]:
    return one.path.partition("/")[0], one.key[0]


def test_of_one_object_its_own_rejects_are_tried_and_below_it_those_that_wait(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    before = arrived(shop.target), rejected(store_at)
    shop.source.execute("UPDATE customers SET email = 'new@x' WHERE no = 5")

    retry(crm(shop, store_at), only="invoice")
    assert (arrived(shop.target), rejected(store_at)) == before
    retry(crm(shop, store_at), only="customer")
    is_right(shop, store_at)


def test_what_an_interrupted_retry_did_is_told_before_another_one_begins(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    shop.source.execute(*MENDED)
    told: list[str] = []

    def interrupt(event: Event) -> None:
        if isinstance(event, BatchCommitted):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retry(crm(shop, store_at), only="customer", emit=interrupt)

    def note(event: Event) -> None:
        told.extend([event.message] if isinstance(event, Told) else [])

    done = retry(crm(shop, store_at), only="person", emit=note)

    mended = shop.source.rows(
        "SELECT (SELECT count(*) FROM customers WHERE no IN (5, 10)) + count(DISTINCT i.no) + count(l.no)"
        " FROM invoices i LEFT JOIN lines l ON l.invoice = i.no WHERE i.customer IN (5, 10)"
    )[0][0]
    assert told[0] == "first the rest of a retry that was interrupted"
    assert told[1].startswith(f"tried again: {mended} rows loaded, ")
    assert told[2].startswith("tried again: ")
    loaded = [int(text.split()[2]) for text in told[1:3]]
    assert (loaded[0], sum(loaded)) == (mended, done.loaded)
    assert loaded[1] > 0


def test_a_reject_whose_row_is_gone_is_forgotten_and_told(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    shop.source.execute("DELETE FROM lines WHERE invoice IN (SELECT no FROM invoices WHERE customer = 5)")
    gone = len(kept(store_at)) - len(waiting(shop.source))
    told: list[Event] = []

    done = retry(crm(shop, store_at), emit=told.append)

    is_right(shop, store_at)
    assert done.gone == gone > 0
    assert any(f"{gone} rows gone" in one.message for one in told if isinstance(one, Told))


def test_a_duplicate_never_takes_the_place_of_the_row_that_came_first(shop: Pair, store_at: str) -> None:
    run(crm(shop, store_at))
    for ref in (7, 8, 9):  # the third is mended so that it, too, is somebody else; at last it is not
        retry(crm(shop, store_at, ref=ref), only="account")
        there = shop.target.rows("SELECT ref, name FROM account ORDER BY ref")
        assert there == [(7, "first"), (8, "fourth"), *([(9, "third")] if ref == 9 else [])]
    assert [(one.key, one.stage) for one in kept(store_at) if one.path.startswith("account")] == [([2], "duplicate")]
    shop.source.execute("UPDATE accounts SET ref = 10 WHERE no = 2")
    assert retry(crm(shop, store_at), only="account") == Retried(loaded=1)
    assert shop.target.rows("SELECT name FROM account WHERE ref = 10") == [("second",)]


def test_what_is_not_complete_is_left_to_a_run_and_the_job_stays_incomplete(shop: Pair, store_at: str) -> None:
    with pytest.raises(Fatal, match="rejected"):
        run(crm(shop, store_at, max_rejects=4))  # customers have four, invoices more
    assert len(arrived(shop.target)["customer"]) == 16
    with pytest.raises(Fatal, match="not complete"):
        retry(crm(shop, store_at, mended=True))
    assert len(arrived(shop.target)["customer"]) == 20
    run(crm(shop, store_at, mended=True))
    retry(crm(shop, store_at, mended=True))  # invoices that were rejected before the first run stopped
    is_right(shop, store_at, "0 = 0")


def test_where_the_last_of_several_rows_counts_nothing_is_tried_out_of_its_order(shop: Pair, store_at: str) -> None:
    def last(ref: int) -> Migration:
        job = Migration("last", source=shop.source.url, target=shop.target.url, store=store_at, max_rejects=9)

        @job.object(source=Table("accounts", key="no"), target=Table("account", key="ref"), on_duplicate="last")
        def account(row: dict[str, Any]) -> dict[str, Any]:
            if row["ref"] is None and ref == 0:
                raise Reject("no number")
            return {"ref": row["ref"] or ref, "name": row["name"]}

        return job

    run(last(0))
    assert retry(last(8)).left == ("account",)
    assert shop.target.rows("SELECT ref, name FROM account ORDER BY ref") == [(7, "second"), (8, "fourth")]


def test_what_cannot_work_is_refused_before_anything_is_written(shop: Pair, store_at: str) -> None:
    with pytest.raises(PlanError, match="moved nothing yet"):
        retry(crm(shop, store_at))
    run(crm(shop, store_at))
    with pytest.raises(PlanError, match="no object custmer") as refused:
        retry(crm(shop, store_at), only="custmer")
    assert "customer" in (refused.value.hint or "")
    shop.target.execute("ALTER TABLE line RENAME TO lines")
    with pytest.raises(PlanError, match="line"):
        retry(crm(shop, store_at))
    opened = open_store(store_at, create=False)
    assert opened is not None
    assert {record.state for record in opened.checkpoints("crm")} == {State.COMPLETE}
    assert len(opened.runs("crm")) == 1
    opened.close()
