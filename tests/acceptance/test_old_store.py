"""A migration and a job that an older Milepost left half done, in a store of schema 1, are ended by `milepost run`.

The databases are what that Milepost left: `tests/contract/shop_0001_*.sql`. Two of ten customers were rejected, the
invoices stopped after the 16th of 20 at their limit of rejects, the job stopped in its last step behind position 4.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from fix_databases import Database
from run_command import milepost

DUMPS = Path(__file__).parent.parent / "contract"
PROGRAM = """
from milepost import Job, Migration, Reject, Table

shop = Migration("shop", source="sqlite:///shop-source.db", target={target!r}, max_rejects=10, batch_rows=4)


@shop.object(source=Table("customers", key="no"), target=Table("customer", key="no"))
def customer(row):
    if "@" not in row["email"]:
        raise Reject("email has no @")
    return row


@shop.object(source=Table("invoices", key="no"), target=Table("invoice", key="no"), parents={{"customer": customer}})
def invoice(row):
    return row


ending = Job("month-end", store={target!r})


@ending.step
def convert(cp):
    raise AssertionError("it was complete")


@ending.step
def post(cp, region):
    for numbers in cp.each(range(cp.position + 1, 8), size=2, position=lambda last: last):
        print(region, numbers, flush=True)


@ending.main
def month_end():
    for region in convert():
        post(region)
"""


@pytest.fixture(params=["sqlite", "postgres"])
def left(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """The target that holds the store of schema 1, its source and program in ``tmp_path``."""
    with closing(sqlite3.connect(tmp_path / "shop-source.db")) as source, source:
        source.execute("CREATE TABLE customers (no INTEGER PRIMARY KEY, name TEXT, email TEXT)")
        source.execute("CREATE TABLE invoices (no INTEGER PRIMARY KEY, customer INTEGER, total INTEGER)")
        customers = [(n, f"name {n}", f"{n}@x" if n % 5 else "none") for n in range(1, 11)]
        source.executemany("INSERT INTO customers VALUES (?, ?, ?)", customers)
        invoices = [(n, n % 11 + 1 if n % 3 else None, n * 10) for n in range(1, 21)]
        source.executemany("INSERT INTO invoices VALUES (?, ?, ?)", invoices)
    dump = (DUMPS / f"shop_0001_{request.param}.sql").read_text(encoding="utf-8").replace("{folder}", str(tmp_path))
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'shop.db'}"
        with closing(sqlite3.connect(tmp_path / "shop.db")) as target:
            target.executescript(dump)
    else:
        url = request.getfixturevalue("postgres_url")
        with psycopg.connect(url) as target:
            target.execute(dump.encode())
    (tmp_path / "shop.py").write_text(PROGRAM.format(target=url), encoding="utf-8")
    return Database(url)


def in_store(database: Database, query: str) -> list[tuple[object, ...]]:
    of_sqlite = database.url.startswith("sqlite")
    versions = "milepost_schema" if of_sqlite else "milepost.schema_version"
    return database.rows(query.format(p="milepost_" if of_sqlite else "milepost.", versions=versions))


def test_the_older_store_is_told_of_by_what_only_looks_and_changed_by_a_run_only(
    left: Database, tmp_path: Path
) -> None:
    seen = milepost(tmp_path, "status", "shop.py:shop")
    assert seen.status != 0
    assert "older schema 1" in seen.err
    assert in_store(left, "SELECT max(version) FROM {versions}") == [(1,)]


def test_a_migration_goes_on_in_the_older_store_where_it_stopped(left: Database, tmp_path: Path) -> None:
    done = milepost(tmp_path, "run", "shop.py:shop")

    assert done.status == 0, done.err
    assert in_store(left, "SELECT max(version) FROM {versions}") == [(2,)]
    with closing(sqlite3.connect(tmp_path / "shop-source.db")) as source:
        customers = source.execute("SELECT * FROM customers WHERE email <> 'none' ORDER BY no").fetchall()
        invoices = source.execute(
            "SELECT i.* FROM invoices i LEFT JOIN customers c ON c.no = i.customer AND c.email <> 'none'"
            " WHERE i.customer IS NULL OR c.no IS NOT NULL ORDER BY i.no"
        ).fetchall()
        waiting = source.execute(
            "SELECT i.no FROM invoices i LEFT JOIN customers c ON c.no = i.customer AND c.email <> 'none'"
            " WHERE i.customer IS NOT NULL AND c.no IS NULL ORDER BY i.no"
        ).fetchall()
    assert left.rows("SELECT * FROM customer ORDER BY no") == customers
    assert left.rows("SELECT * FROM invoice ORDER BY no") == invoices
    kept = in_store(left, "SELECT path, key FROM {p}reject ORDER BY path, seq, ordinal")
    assert kept == [("customer", "[5]"), ("customer", "[10]"), *(("invoice", f"[{number}]") for (number,) in waiting)]
    assert in_store(left, "SELECT seq, low, read FROM {p}ledger WHERE path = 'invoice' AND epoch = 2") == [
        (5, "[16]", 4)
    ]


def test_a_job_goes_on_in_the_older_store_where_it_stopped(left: Database, tmp_path: Path) -> None:
    done = milepost(tmp_path, "run", "shop.py:ending")

    assert done.status == 0, done.err
    assert done.err.count("APAC [5, 6]") + done.out.count("APAC [5, 6]") == 1
    assert "EMEA [" not in done.err + done.out
    assert in_store(left, "SELECT max(version) FROM {versions}") == [(2,)]
    assert in_store(left, "SELECT path, state, position FROM {p}checkpoint WHERE job = 'month-end' ORDER BY path") == [
        ("", "complete", None),
        ("convert", "complete", None),
        ('post["APAC"]', "complete", "7"),
        ('post["EMEA"]', "complete", "7"),
    ]
