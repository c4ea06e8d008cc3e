"""A shop with rows that cannot be moved until they or the functions are mended, and what must come of it in plain SQL.

Customers without an e-mail are rejected; invoices wait for customers, and lines for invoices. People have no key in the
target, unless the store is elsewhere, and are each other's bosses; one without a name is rejected, and those below him
have no boss until then. Of accounts with one number the first to come counts.
"""

from __future__ import annotations

from typing import Any

from fix_databases import Database
from milepost import Migration, Reject, Table
from milepost.jobs.ledger import RejectedRow
from milepost.wiring.open import open_store

CUSTOMERS = [(no, f"{no}@x" if no % 5 else None) for no in range(1, 21)]
INVOICES = [(no, no % 22 + 1) for no in range(1, 41)]  # some of customers 21 and 22, who are nobody
LINES = [(no, no % 40 + 1) for no in range(1, 81)]
PEOPLE = [(1, "one", None), (2, None, 1), (3, "three", 2), (4, "four", 2), (5, "five", 9), (6, "six", 1)]
ACCOUNTS = [(1, 7, "first"), (2, 7, "second"), (3, None, "third"), (4, 8, "fourth")]
MENDED = (
    "UPDATE customers SET email = 'new@x' WHERE no IN (5, 10)",
    "UPDATE people SET name = 'two' WHERE no = 2",
    "UPDATE accounts SET ref = 8 WHERE no = 3",  # as another has it already
)


def make(source: Database, target: Database) -> None:
    """Fill the source, and make the target's tables."""
    source.execute(
        "CREATE TABLE customers (no integer PRIMARY KEY, email varchar(20))",
        "CREATE TABLE invoices (no integer PRIMARY KEY, customer integer)",
        "CREATE TABLE lines (no integer PRIMARY KEY, invoice integer)",
        "CREATE TABLE people (no integer PRIMARY KEY, name varchar(9), boss integer)",
        "CREATE TABLE accounts (no integer PRIMARY KEY, ref integer, name varchar(9))",
    )
    rows = {"customers": CUSTOMERS, "invoices": INVOICES, "lines": LINES, "people": PEOPLE, "accounts": ACCOUNTS}
    for table, these in rows.items():
        source.insert(table, these)
    ids = "id integer PRIMARY KEY" if target.url.startswith("sqlite") else "id serial PRIMARY KEY"
    target.execute(
        f"CREATE TABLE customer ({ids}, no integer NOT NULL UNIQUE, email varchar(20))",
        f"CREATE TABLE invoice ({ids}, no integer UNIQUE, customer integer NOT NULL REFERENCES customer (id))",
        "CREATE TABLE line (no integer PRIMARY KEY, invoice integer NOT NULL REFERENCES invoice (id))",
        f"CREATE TABLE person ({ids}, no integer UNIQUE, name varchar(9) NOT NULL,"
        " boss integer REFERENCES person (id))",
        "CREATE TABLE account (ref integer PRIMARY KEY, name varchar(9))",
    )


def migration(
    source: str, target: str, store: str | None, *, mended: bool = False, ref: int = 0, **settings: Any
) -> Migration:
    """``mended``: the function takes customers without an e-mail too. ``ref``: accounts without a number get this."""
    settings = {"max_rejects": 100, "batch_rows": 7, **settings}
    crm = Migration("crm", source=source, target=target, store=store, **settings)

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
    key = None if store in {None, target} else "no"  # the key map must be in the target

    @crm.object(source=Table("people", key="no"), target=Table("person", key=key, id="id"), parents={"boss": "self"})
    def person(row: dict[str, Any]) -> dict[str, Any]:
        if row["name"] is None:
            raise Reject("nobody")
        return row

    @crm.object(source=Table("accounts", key="no"), target=Table("account", key="ref"))
    def account(row: dict[str, Any]) -> dict[str, Any]:
        if row["ref"] is None and ref == 0:
            raise Reject("no number")
        return {"ref": row["ref"] or ref, "name": row["name"]}

    return crm


def arrived(target: Database) -> dict[str, list[Any]]:
    """What is there, without ids."""
    return {
        "customer": target.rows("SELECT no, email FROM customer ORDER BY no"),
        "invoice": target.rows("SELECT i.no, c.no FROM invoice i JOIN customer c ON c.id = i.customer ORDER BY i.no"),
        "line": target.rows("SELECT l.no, i.no FROM line l JOIN invoice i ON i.id = l.invoice ORDER BY l.no"),
        "person": target.rows(
            "SELECT p.no, p.name, b.no FROM person p LEFT JOIN person b ON b.id = p.boss ORDER BY p.no"
        ),
        "account": target.rows("SELECT ref, name FROM account ORDER BY ref"),
    }


def expected(source: Database, good: str = "email IS NOT NULL") -> dict[str, list[Any]]:
    """What must be there, by the source's own SQL, where the customers that are ``good`` go."""
    invoices = f"invoices i JOIN customers c ON c.no = i.customer AND {good}"
    return {
        "customer": source.rows(f"SELECT no, coalesce(email, 'none') FROM customers WHERE {good} ORDER BY no"),
        "invoice": source.rows(f"SELECT i.no, c.no FROM {invoices} ORDER BY i.no"),
        "line": source.rows(f"SELECT l.no, i.no FROM {invoices} JOIN lines l ON l.invoice = i.no ORDER BY l.no"),
        "person": source.rows(
            "SELECT p.no, p.name, b.no FROM people p LEFT JOIN people b ON b.no = p.boss AND b.name IS NOT NULL"
            " WHERE p.name IS NOT NULL ORDER BY p.no"
        ),
        "account": [(7, "first"), (8, "fourth")],
    }


def waiting(source: Database, good: str = "email IS NOT NULL") -> list[tuple[str, int]]:
    """What must be rejected, by object and key."""
    bad = f"SELECT no FROM invoices WHERE customer NOT IN (SELECT no FROM customers WHERE {good})"
    there = "SELECT no FROM people WHERE name IS NOT NULL"
    parts = {
        "customer": f"SELECT no FROM customers WHERE NOT ({good})",
        "invoice": bad,
        "line": f"SELECT no FROM lines WHERE invoice IN ({bad})",
        "person": f"SELECT no FROM people WHERE name IS NULL OR boss NOT IN ({there})",
        "account": "SELECT no FROM accounts WHERE no IN (2, 3)",
    }
    return sorted((name, no) for name, query in parts.items() for (no,) in source.rows(query))


def kept(store: str) -> list[RejectedRow]:
    """The rejects in the store."""
    opened = open_store(store, create=False)
    assert opened is not None
    found = list(opened.rejects("crm"))
    opened.close()
    return found


def rejected(store: str) -> list[tuple[str, int]]:
    """The rejects in the store by object and key, each as often as it is there."""
    return sorted((one.path.partition("/")[0], one.key[0]) for one in kept(store))
