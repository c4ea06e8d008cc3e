"""A company whose source lives on while its migration is down: what it holds, what happens to it, what must come of it.

The numbers at first are even, so that there is room between them. A batch has 10 rows. The migration can be held in
the middle of any object: the ones before are complete then, and those behind have not begun.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fix_databases import Database

HELD_AT = {"customer": 40, "invoice": 180, "line": 120, "note": 30}  # the row at which it waits
CRM = '''
import os
import time
from pathlib import Path

from milepost import Migration, Reject, Table

crm = Migration(
    "crm",
    source=os.environ["SOURCE"],
    target=os.environ["TARGET"],
    store=os.environ.get("STORE"),
    batch_rows=10,
    max_rejects=60,
    recheck_after="0s",
    deletes=os.environ.get("DELETES", "report"),
)


def hold(name, number):
    """Wait as long as a file "hold" is there, at most a minute: no test leaves it for ever."""
    if os.environ.get("HOLD") == f"{name} {number}" and Path("hold").exists():
        Path("reached").touch()
        end = time.monotonic() + 60
        while Path("hold").exists() and time.monotonic() < end:
            time.sleep(0.01)


@crm.object(source=Table("customers", key="no", modified="changed"), target=Table("customer", key="legacy", id="id"))
def customer(row):
    hold("customer", row["no"])
    if "@" not in row["email"]:
        raise Reject("email has no @")
    return {"legacy": f"C{row['no']}", "name": row["name"], "email": row["email"]}


@crm.object(
    source=Table("invoices", key="no", modified="changed"),
    target=Table("invoice", key="no", id="id"),
    parents={"customer_id": customer},
)
def invoice(row):
    hold("invoice", row["no"])
    if row["total"] == 0:
        return None
    return {"no": row["no"], "customer_id": f"C{row['customer_no']}", "total": row["total"]}


@crm.object(
    source=Table("lines", key=("invoice_no", "no")),
    target=Table("line", key=("invoice_id", "no")),
    parents={"invoice_id": invoice},
)
def line(row):
    hold("line", row["invoice_no"])
    return {"invoice_id": row["invoice_no"], "no": row["no"], "item": row["item"]}
'''
MAPPED = """

@crm.object(
    source=Table("notes", key="no", modified="changed"),
    target=Table("note", id="id"),
    parents={"customer_id": customer},
)
def note(row):
    hold("note", row["no"])
    return {"customer_id": f"C{row['customer_no']}", "text": row["text"]}
"""
CUSTOMERS, INVOICES, LINES, NOTES = 30, 120, 2, 20


def fill(source: Database, target: Database) -> None:
    """The company as it is when the migration starts; and the empty tables of the target."""
    source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, name text, email text, changed integer)",
        "CREATE TABLE invoices (no integer PRIMARY KEY, customer_no integer, total integer, changed integer)",
        "CREATE TABLE lines (invoice_no integer, no integer, item text, PRIMARY KEY (invoice_no, no))",
        "CREATE TABLE notes (no integer PRIMARY KEY, customer_no integer, text text, changed integer)",
    )
    numbers = range(2, 2 * CUSTOMERS + 1, 2)
    source.insert("customers", [(no, f"name {no}", f"c{no}@x", 1) for no in numbers])
    invoices = range(2, 2 * INVOICES + 1, 2)
    source.insert("invoices", [(no, 2 + (no * 7) % (2 * CUSTOMERS), no, 1) for no in invoices])
    source.insert("lines", [(no, line, f"item {no}.{line}") for no in invoices for line in range(1, LINES + 1)])
    source.insert("notes", [(no, no, f"note {no}", 1) for no in range(2, 2 * NOTES + 1, 2)])
    make_target(target)


def make_target(target: Database) -> None:
    made = "integer PRIMARY KEY" if target.url.startswith("sqlite") else "serial PRIMARY KEY"
    target.execute(
        f"CREATE TABLE customer (id {made}, legacy text UNIQUE NOT NULL, name text, email text)",
        f"CREATE TABLE invoice (id {made}, no integer UNIQUE NOT NULL,"
        " customer_id integer NOT NULL REFERENCES customer (id), total integer)",
        "CREATE TABLE line (invoice_id integer NOT NULL REFERENCES invoice (id), no integer, item text,"
        " PRIMARY KEY (invoice_id, no))",
        f"CREATE TABLE note (id {made}, customer_id integer NOT NULL REFERENCES customer (id), text text)",
    )


UPDATED = [(60, 1), (200, 2)]  # lines of which nothing tells that they were, one below and one above line 120
SWAPPED = [(104, 2), (104, 5)]  # the one line goes, the other comes
BEFORE_120 = [UPDATED[0], *SWAPPED]
UNSEEN = {"customer": [], "invoice": [], "line": BEFORE_120, "note": [*UPDATED, *SWAPPED]}  # held there, they were read


def live_on(source: Database) -> None:
    """What happens during the pause."""
    source.execute(
        # inserts below the position, and beyond the frozen end; one refers to another
        "INSERT INTO customers VALUES (3, 'new 3', 'c3@x', 2), (901, 'new 901', 'c901@x', 2)",
        "INSERT INTO invoices VALUES (5, 3, 55, 2), (7, 901, 77, 2), (901, 901, 9, 2), (903, 4, 9, 2)",
        "INSERT INTO lines VALUES (2, 9, 'new'), (5, 1, 'new'), (5, 2, 'new'), (901, 1, 'new')",
        "INSERT INTO notes VALUES (3, 3, 'new', 2), (901, 901, 'new', 2)",
        # updates that modified tells of: a value, a parent that came since; below and above the position
        "UPDATE customers SET name = 'renamed', changed = 3 WHERE no IN (6, 40)",
        "UPDATE invoices SET total = -1, changed = 3 WHERE no IN (20, 210)",
        "UPDATE invoices SET customer_no = 901, changed = 3 WHERE no IN (22, 212)",
        # rows that are filtered or rejected now
        "UPDATE invoices SET total = 0, changed = 3 WHERE no = 30",
        "UPDATE customers SET email = 'none', changed = 3 WHERE no = 16",
        # updates that nothing tells of
        *(f"UPDATE lines SET item = 'other' WHERE invoice_no = {invoice} AND no = {no}" for invoice, no in UPDATED),
        "DELETE FROM lines WHERE invoice_no = 104 AND no = 2",
        "INSERT INTO lines VALUES (104, 5, 'instead')",
        # a parent deleted with its children, and one deleted without
        "DELETE FROM lines WHERE invoice_no IN (SELECT no FROM invoices WHERE customer_no = 12)",
        "DELETE FROM notes WHERE customer_no = 12",
        "DELETE FROM invoices WHERE customer_no = 12",
        "DELETE FROM customers WHERE no IN (12, 14)",
        # a deleted key used again
        "DELETE FROM customers WHERE no = 18",
        "INSERT INTO customers VALUES (18, 'another', 'other18@x', 4)",
        "DELETE FROM lines WHERE invoice_no = 40",
        "DELETE FROM invoices WHERE no = 40",
        "INSERT INTO invoices VALUES (40, 8, 4040, 4)",
        # a child alone
        "DELETE FROM lines WHERE invoice_no = 50 AND no = 1",
    )


def content(target: Database, *, mapped: bool = True) -> dict[str, set[tuple[Any, ...]]]:
    """What the target holds, generated ids told by the keys that they stand for."""
    queries = {
        "customer": "SELECT legacy, name, email FROM customer",
        "invoice": "SELECT i.no, c.legacy, total FROM invoice i JOIN customer c ON c.id = customer_id",
        "line": "SELECT i.no, l.no, item FROM line l JOIN invoice i ON i.id = invoice_id",
    }
    if mapped:
        queries["note"] = "SELECT c.legacy, text FROM note n JOIN customer c ON c.id = customer_id"
    found = {name: target.rows(query) for name, query in queries.items()}
    for name, rows in found.items():
        assert len(rows) == len(set(rows)) == target.rows(f"SELECT count(*) FROM {name}")[0][0], name
    return {name: set(rows) for name, rows in found.items()}


def rejected(store: Database) -> set[tuple[str, str, str]]:
    """The current rejects: object, stage and source key."""
    prefix = "milepost_" if store.url.startswith("sqlite") else "milepost."
    rows = store.rows(f"SELECT path, stage, key FROM {prefix}reject")
    return {(path.partition("/")[0], stage, str(key).replace(" ", "")) for path, stage, key in rows}


def differing(one: Iterable[Any], other: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """What only the one has, and what only the other has."""
    return sorted(set(one) - set(other)), sorted(set(other) - set(one))
