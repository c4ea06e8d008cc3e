"""What is wrong with the legacy database, found by plain SQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

BLANKS = "char(9, 32, 160)"


@dataclass(frozen=True, kw_only=True)
class Dirt:
    """One kind of dirt: how many rows have it, and what will become of them."""

    what: str
    rows: int
    fate: str


KINDS: tuple[tuple[str, str, str], ...] = (
    (
        "customers without an e-mail (NULL, '', '-', 'n/a')",
        "NULL",
        f"SELECT count(*) FROM customers WHERE trim(coalesce(email, ''), {BLANKS}) IN ('', '-', 'n/a')",
    ),
    (
        "customers with an e-mail that is none",
        "reject",
        f"""SELECT count(*) FROM customers
            WHERE trim(email, {BLANKS}) NOT IN ('', '-', 'n/a') AND email NOT LIKE '%@%'""",
    ),
    (
        "customers entered a second time",
        "reject",
        f"SELECT count(*) - count(DISTINCT trim(cust_no, {BLANKS})) FROM customers",
    ),
    (
        "names with emoji, combining marks, right-to-left letters",
        "kept exactly",
        f"""SELECT (SELECT count(*) FROM customers WHERE trim(name, {BLANKS}) GLOB '*[^-A-Za-z.''& ]*')
                 + (SELECT count(*) FROM suppliers WHERE name GLOB '*[^-A-Za-z.''& ]*')""",
    ),
    (
        "numbers with blanks, tabs or no-break spaces behind them",
        "trimmed",
        f"""SELECT (SELECT count(*) FROM customers WHERE cust_no <> trim(cust_no, {BLANKS}))
                 + (SELECT count(*) FROM invoices WHERE cust_no <> trim(cust_no, {BLANKS}))
                 + (SELECT count(*) FROM invoice_lines WHERE inv_no <> trim(inv_no, {BLANKS}))""",
    ),
    (
        "invoices of a customer that does not exist",
        "reject",
        f"""SELECT count(*) FROM invoices
            WHERE trim(cust_no, {BLANKS}) NOT IN (SELECT trim(cust_no, {BLANKS}) FROM customers)""",
    ),
    (
        "invoice lines of an invoice that does not exist",
        "reject",
        f"""SELECT count(*) FROM invoice_lines
            WHERE trim(inv_no, {BLANKS}) NOT IN (SELECT inv_no FROM invoices)""",
    ),
    (
        "orders from a supplier that does not exist",
        "reject",
        "SELECT count(*) FROM orders WHERE sup_no NOT IN (SELECT sup_no FROM suppliers)",
    ),
    (
        "dates written the German way, 31.12.2019",
        "read",
        """SELECT (SELECT count(*) FROM customers WHERE since LIKE '%.%')
                + (SELECT count(*) FROM invoices WHERE inv_date LIKE '%.%')
                + (SELECT count(*) FROM orders WHERE order_date LIKE '%.%')""",
    ),
    (
        "dates written the American way, 12/31/2019",
        "read",
        """SELECT (SELECT count(*) FROM customers WHERE since LIKE '%/%')
                + (SELECT count(*) FROM invoices WHERE inv_date LIKE '%/%')
                + (SELECT count(*) FROM orders WHERE order_date LIKE '%/%')""",
    ),
    (
        "dates that no calendar has",
        "reject",
        """WITH dates (text) AS (SELECT since FROM customers UNION ALL SELECT inv_date FROM invoices
                                 UNION ALL SELECT order_date FROM orders),
                iso (text) AS (SELECT CASE
                    WHEN text LIKE '%.%' THEN substr(text, 7) || '-' || substr(text, 4, 2) || '-' || substr(text, 1, 2)
                    WHEN text LIKE '%/%' THEN substr(text, 7) || '-' || substr(text, 1, 2) || '-' || substr(text, 4, 2)
                    ELSE text END FROM dates)
           SELECT count(*) FROM iso WHERE text IS NOT date(text, '+0 days')""",
    ),
    (
        "amounts with a comma, 1.234,50",
        "read",
        """SELECT (SELECT count(*) FROM invoices WHERE total LIKE '%,%')
                + (SELECT count(*) FROM invoice_lines WHERE price LIKE '%,%')
                + (SELECT count(*) FROM order_lines WHERE price LIKE '%,%')""",
    ),
    (
        "amounts that are none ('to be agreed', '?', '')",
        "reject",
        """SELECT (SELECT count(*) FROM invoices WHERE total NOT GLOB '*[0-9]*')
                + (SELECT count(*) FROM invoice_lines WHERE price NOT GLOB '*[0-9]*')""",
    ),
    (
        "lines with a quantity below zero",
        "reject",
        """SELECT (SELECT count(*) FROM invoice_lines WHERE qty < 0)
                + (SELECT count(*) FROM order_lines WHERE qty < 0)""",
    ),
    (
        "remarks among the invoice lines",
        "left out",
        "SELECT count(*) FROM invoice_lines WHERE article IS NULL",
    ),
)


def find_dirt(legacy: Path) -> list[Dirt]:
    """Count every kind in the legacy database at that path."""
    with closing(sqlite3.connect(f"{legacy.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        return [Dirt(what=what, rows=connection.execute(query).fetchone()[0], fate=fate) for what, fate, query in KINDS]
