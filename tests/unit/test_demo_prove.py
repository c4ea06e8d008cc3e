"""The proof finds whatever was lost, doubled or changed: each test breaks one thing, and the proof says so."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from milepost.demo.folder import EXPECTED, LEGACY, NEW, SCHEMA, shipped
from milepost.demo.generate import make_legacy
from milepost.demo.prove import OBJECTS, Proof, prove
from milepost.jobs.ledger import Counts, Entry, RejectedRow

# How the rows that must be there come into the new database: with ids that it makes, which no proof may depend on.
MOVE = {
    "customer": """INSERT INTO new.customer (customer_no, name, email, country, since)
        SELECT customer_no, name, email, country, since FROM temp.expected_customer ORDER BY random()""",
    "invoice": """INSERT INTO new.invoice (invoice_no, customer_id, issued_on, currency, total_cents)
        SELECT invoice_no, customer_id, issued_on, currency, total_cents
        FROM temp.expected_invoice JOIN new.customer USING (customer_no) ORDER BY random()""",
    "invoice_line_item": """INSERT INTO new.invoice_line_item
        SELECT invoice_id, line_no, article, description, quantity, unit_price_cents
        FROM temp.expected_invoice_line_item JOIN new.invoice USING (invoice_no)""",
    "supplier": "INSERT INTO new.supplier (supplier_no, name, vat_no) SELECT * FROM temp.expected_supplier",
    "purchase_order": """INSERT INTO new.purchase_order (order_no, supplier_id, ordered_on)
        SELECT order_no, supplier_id, ordered_on
        FROM temp.expected_purchase_order JOIN new.supplier USING (supplier_no) ORDER BY random()""",
    "purchase_order_line_item": """INSERT INTO new.purchase_order_line_item
            (order_id, line_no, article, quantity, unit_price_cents)
        SELECT order_id, line_no, article, quantity, unit_price_cents
        FROM temp.expected_purchase_order_line_item JOIN new.purchase_order USING (order_no) ORDER BY random()""",
}
REASONS = {"parent": "no customer 'C1'", "duplicate": "key is there", "load": "CHECK constraint failed"}


@dataclass
class Moved:
    """A migration that went well, by hand: what the store would say about it."""

    folder: Path
    counts: dict[str, Counts]
    rejects: list[RejectedRow]
    ledgers: dict[str, list[Entry]]

    def prove(self) -> Proof:
        return prove(self.folder, self.counts, self.rejects, self.ledgers)

    def write(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.folder / NEW)) as connection:
            connection.executescript(";".join(statements))

    def fault(self) -> str:
        return "\n".join(self.prove().faults)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Moved:
    folder = tmp_path_factory.mktemp("whole")
    make_legacy(folder / LEGACY, rows=4_000, seed=3)
    counts = {}
    with closing(sqlite3.connect(folder / NEW)) as connection:
        connection.executescript(shipped(SCHEMA))
    with closing(sqlite3.connect(folder / LEGACY, isolation_level=None)) as connection:
        connection.executescript(shipped(EXPECTED))
        connection.execute("ATTACH ? AS new", (str(folder / NEW),))
        rejects = [
            RejectedRow(
                path=path,
                seq=1,
                stage=stage,
                reason=REASONS.get(stage, f"{reason}: x"),
                key=json.loads(key),
                content={},
            )
            for path, key, stage, reason in connection.execute("SELECT * FROM temp.expected_reject")
        ]
        for name, (table, left_out, _) in OBJECTS.items():
            connection.execute(MOVE[name])
            counts[name] = Counts(
                read=connection.execute(f"SELECT count(*) FROM main.{table}").fetchone()[0],
                loaded=connection.execute(f"SELECT count(*) FROM new.{name}").fetchone()[0],
                filtered=connection.execute(f"SELECT count(*) FROM main.{table} WHERE {left_out}").fetchone()[0],
                rejected=sum(row.path == name for row in rejects),
            )
    ledgers = {"invoice": [entry(1, None, ["R1"]), entry(2, ["R1"], ["R2"]), entry(3, ["R2"], ["R3"])]}
    return Moved(folder=folder, counts=counts, rejects=rejects, ledgers=ledgers)


@pytest.fixture
def moved(whole: Moved, tmp_path: Path) -> Moved:
    """A copy that may be broken."""
    shutil.copytree(whole.folder, tmp_path / "demo")
    return Moved(
        folder=tmp_path / "demo", counts=dict(whole.counts), rejects=list(whole.rejects), ledgers=dict(whole.ledgers)
    )


def entry(seq: int, low: object, high: object) -> Entry:
    return Entry(path="invoice", seq=seq, low=low, high=high, counts=Counts())


def test_a_whole_migration_is_proven(moved: Moved) -> None:
    assert moved.prove().faults == []


def test_a_deleted_row_is_missing(moved: Moved) -> None:
    moved.write("DELETE FROM invoice_line_item WHERE rowid = 7")
    assert "invoice_line_item: 1 rows are missing" in moved.fault()


def test_a_doubled_row_is_found(moved: Moved) -> None:
    moved.write(
        "CREATE TABLE other AS SELECT * FROM invoice",
        "INSERT INTO other SELECT * FROM invoice WHERE rowid = 9",
        "DROP TABLE invoice",
        "ALTER TABLE other RENAME TO invoice",
    )
    assert "invoice: 1 rows are doubled" in moved.fault()


def test_a_row_doubled_under_another_key_is_found(moved: Moved) -> None:
    moved.write(
        "INSERT INTO customer (customer_no, name, email, country, since)"
        " SELECT customer_no || 'x', name, email, country, since FROM customer WHERE rowid = 2"
    )
    assert "customer: 1 rows should not be there" in moved.fault()


def test_a_row_doubled_where_the_database_knows_ids_alone_is_found(moved: Moved) -> None:
    moved.write(
        "INSERT INTO purchase_order_line_item (order_id, line_no, article, quantity, unit_price_cents)"
        " SELECT order_id, line_no, article, quantity, unit_price_cents FROM purchase_order_line_item WHERE rowid = 4"
    )
    assert "purchase_order_line_item: 1 rows are doubled" in moved.fault()


def test_other_ids_are_as_good_as_long_as_they_lead_to_the_same_rows(moved: Moved) -> None:
    moved.write(
        "UPDATE customer SET customer_id = customer_id + 100000",
        "UPDATE invoice SET customer_id = customer_id + 100000, invoice_id = -invoice_id",
        "UPDATE invoice_line_item SET invoice_id = -invoice_id",
        "UPDATE purchase_order_line_item SET line_item_id = -line_item_id",
    )
    assert moved.prove().faults == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("UPDATE invoice SET customer_id = customer_id % 100 + 1 WHERE rowid = 5", "invoice: 1 rows differ"),
        ("UPDATE purchase_order SET supplier_id = -1 WHERE rowid = 5", "purchase_order: 1 rows differ"),
        (
            "UPDATE purchase_order_line_item SET order_id = -1 WHERE rowid = 5",
            "purchase_order_line_item: 1 rows are missing",
        ),
    ],
)
def test_an_id_that_leads_to_another_row_or_nowhere_is_found(moved: Moved, change: str, fault: str) -> None:
    moved.write(change)
    assert fault in moved.fault()


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE invoice SET total_cents = total_cents + 1 WHERE rowid = 5",
        "UPDATE invoice SET issued_on = '1999-01-01' WHERE rowid = 5",
        "UPDATE invoice SET currency = currency || ' ' WHERE rowid = 5",
    ],
)
def test_a_changed_value_is_found(moved: Moved, change: str) -> None:
    moved.write(change)
    assert "invoice: 1 rows differ" in moved.fault()
    assert "invoice: the content is not the expected one" in moved.fault()


def test_an_empty_text_in_place_of_null_is_found(moved: Moved) -> None:
    moved.write("UPDATE customer SET email = '' WHERE rowid = (SELECT min(rowid) FROM customer WHERE email IS NULL)")
    assert "customer: 1 rows differ" in moved.fault()


def test_letters_that_only_look_the_same_are_found(moved: Moved) -> None:
    moved.write(
        "UPDATE customer SET name = 'Zo\u00eb' WHERE rowid = 1",
    )
    moved.write(
        "UPDATE supplier SET name = replace(name, 'a', '\u0430') WHERE rowid = (SELECT max(rowid) FROM supplier)"
    )
    assert "customer: 1 rows differ" in moved.fault()


def test_a_type_that_changed_is_found(moved: Moved) -> None:
    moved.write("UPDATE customer SET name = CAST(name AS BLOB) WHERE rowid = 3")
    assert "customer: the content is not the expected one" in moved.fault()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda counts: replace(counts, read=counts.read + 1), "rows read"),
        (lambda counts: replace(counts, rejected=counts.rejected + 1), "do not add up"),
        (lambda counts: replace(counts, loaded=counts.loaded - 1), "said to be loaded"),
        (lambda counts: replace(counts, filtered=counts.filtered + 1), "left out"),
    ],
)
def test_counts_that_are_wrong_are_found(moved: Moved, change: Callable[[Counts], Counts], fault: str) -> None:
    moved.counts["invoice"] = change(moved.counts["invoice"])
    assert fault in moved.fault()


def test_an_object_that_the_store_does_not_know_is_found(moved: Moved) -> None:
    del moved.counts["supplier"]
    assert "supplier: 0 rows read" in moved.fault()


def test_a_reject_that_is_not_recorded_is_found(moved: Moved) -> None:
    lost = moved.rejects.pop()
    assert f"{lost.path}: rejects because" in moved.fault()


def test_a_reject_of_another_row_is_found(moved: Moved) -> None:
    moved.rejects[0] = replace(moved.rejects[0], key=[-1])
    assert "2 of them not the same rows" in moved.fault()


def test_a_reject_that_is_recorded_twice_is_found(moved: Moved) -> None:
    moved.rejects.append(moved.rejects[0])
    assert "1 of them not the same rows" in moved.fault()


@pytest.mark.parametrize(
    "entries",
    [
        [entry(1, None, ["R1"]), entry(2, ["R0"], ["R2"])],  # a range twice
        [entry(1, None, ["R1"]), entry(3, ["R2"], ["R3"])],  # a batch lost
        [entry(1, ["R0"], ["R1"])],  # not from the beginning
    ],
)
def test_batches_that_do_not_meet_are_found(moved: Moved, entries: list[Entry]) -> None:
    moved.ledgers["invoice"] = entries
    assert "invoice: batch" in moved.fault()
