"""The shop's two databases, and what a migration of it must come to: by plain SQL, not by Milepost."""

from __future__ import annotations

from typing import Any

from fix_databases import Database

OBJECTS = {
    "currency": 5,
    "customer": 17,
    "sale": 19,
    "sale_line": 30,
    "refund": 6,
    "tag": 12,
}  # and how many rows are read

SOURCE = (
    "CREATE TABLE currencies (code TEXT PRIMARY KEY, name TEXT)",
    "CREATE TABLE customers (cust_no TEXT PRIMARY KEY, name TEXT, email TEXT)",
    "CREATE TABLE orders (order_no INTEGER PRIMARY KEY, cust_no TEXT, total INTEGER)",
    "CREATE TABLE order_lines (order_no INTEGER, line_no INTEGER, amount INTEGER, PRIMARY KEY (order_no, line_no))",
    "CREATE TABLE refunds (refund_no INTEGER PRIMARY KEY, order_no INTEGER, line_no INTEGER)",
    "CREATE TABLE notes (note_no INTEGER PRIMARY KEY, words TEXT)",
)
TARGET = (
    "CREATE TABLE currency (iso TEXT PRIMARY KEY, name TEXT)",
    "CREATE TABLE customer (legacy_no TEXT PRIMARY KEY, name TEXT, email TEXT NOT NULL)",
    """CREATE TABLE sale (
        sale_no INTEGER PRIMARY KEY, customer TEXT REFERENCES customer, total INTEGER CHECK (total >= 0))""",
    """CREATE TABLE sale_line (
        sale_no INTEGER REFERENCES sale, line_no INTEGER, amount INTEGER, PRIMARY KEY (sale_no, line_no))""",
    """CREATE TABLE refund (
        refund_no INTEGER PRIMARY KEY, sale_no INTEGER, line_no INTEGER,
        FOREIGN KEY (sale_no, line_no) REFERENCES sale_line)""",
    "CREATE TABLE tag (note_no INTEGER, word TEXT, PRIMARY KEY (note_no, word))",
    "INSERT INTO currency VALUES ('EUR', 'Euro'), ('USD', 'Yankee dollar'), ('XAU', 'Gold')",
)

CURRENCIES = [("CHF", "Swiss franc"), ("EUR", "Euro"), ("GBP", "Pound"), ("JPY", "Yen"), ("USD", "US dollar")]
BAD_CUSTOMER, TEST_CUSTOMER, TWIN = 4, 10, 7
CUSTOMERS = [
    (
        f"c{number:02}",
        "TEST" if number == TEST_CUSTOMER else f" Name {number} ",
        f"c{number}.example" if number == BAD_CUSTOMER else f"C{number}@example",
    )
    for number in range(1, 17)
] + [(f"c{TWIN:02}-again", "Twin", "twin@example")]
NEGATIVE, ORPHAN = 106, 113
ORDERS = [
    (order, "c99" if order == ORPHAN else f"c{order % 3 + 1:02}", -1 if order == NEGATIVE else order * 3)
    for order in range(100, 119)
]
LINES = [(order, line, order + line) for order in range(100, 110) for line in range(1, 4)]
REFUNDS = [(number, 103 + number, 2) for number in range(6)]
NOTES = [(note, " ".join(f"word{each}" for each in range(note % 4))) for note in range(1, 13)]

# What the target must hold, with the parents' own keys in place of ids.
EXPECTED: dict[str, list[tuple[Any, ...]]] = {
    "SELECT iso, name FROM currency": [*CURRENCIES, ("XAU", "Gold")],
    "SELECT legacy_no, name, email FROM customer": [
        (no, name.strip(), email.lower()) for no, name, email in CUSTOMERS if "@" in email and name.startswith(" ")
    ],
    "SELECT sale_no, customer, total FROM sale": [row for row in ORDERS if row[0] not in (NEGATIVE, ORPHAN)],
    "SELECT sale_no, line_no, amount FROM sale_line": [row for row in LINES if row[0] != NEGATIVE],
    "SELECT refund_no, sale_no, line_no FROM refund": [row for row in REFUNDS if row[1] != NEGATIVE],
    "SELECT note_no, word FROM tag": [(note, word) for note, words in NOTES for word in words.split()],
}
JOURNAL = [("opened",), ("greeted",), ("closed",)]
REJECTED = {
    "customer": {f"c{BAD_CUSTOMER:02}", f"c{TWIN:02}-again"},
    "sale": {NEGATIVE, ORPHAN},
    "sale_line": {(order, line) for order, line, _ in LINES if order == NEGATIVE},
    "refund": {number for number, order, _ in REFUNDS if order == NEGATIVE},
}


def fill(source: Database, target: Database) -> None:
    """Make the two, the source full and the target as it is before the migration."""
    fill_source(source)
    target.execute(*TARGET)


def fill_source(source: Database) -> None:
    """Make the source alone."""
    source.execute(*SOURCE)
    for table, rows in {
        "currencies": CURRENCIES,
        "customers": CUSTOMERS,
        "orders": ORDERS,
        "order_lines": LINES,
        "refunds": REFUNDS,
        "notes": NOTES,
    }.items():
        source.insert(table, rows)


def differences(target: Database) -> dict[str, tuple[list[Any], list[Any]]]:
    """What the target lacks and what it has too much, by query; empty where it is as it must be."""
    found = {}
    for query, expected in EXPECTED.items():
        rows = sorted(target.rows(query))
        if rows != sorted(expected):
            found[query] = ([row for row in expected if row not in rows], _surplus(rows, expected))
    return found


def _surplus(rows: list[Any], expected: list[Any]) -> list[Any]:
    rest = list(rows)
    for row in expected:
        if row in rest:
            rest.remove(row)
    return rest
