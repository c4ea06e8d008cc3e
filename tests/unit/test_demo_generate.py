"""The legacy company is the same for the same seed, and as dirty as the demo says it is."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from milepost.demo.dirt import find_dirt
from milepost.demo.generate import FEWEST_ROWS, make_legacy
from milepost.demo.words import ODD_NAMES

TABLES = ("customers", "invoices", "invoice_lines", "suppliers", "orders", "order_lines")
SEED = 11


@pytest.fixture(scope="module")
def legacy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("legacy") / "legacy.db"
    make_legacy(path, rows=12_000, seed=SEED)
    return path


def read(path: Path, table: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")]


def is_day(text: str) -> bool:
    patterns = {"-": "%Y-%m-%d", ".": "%d.%m.%Y", "/": "%m/%d/%Y"}
    for mark, pattern in patterns.items():
        if mark in text:
            try:
                datetime.strptime(text, pattern)  # noqa: DTZ007 - a day has no zone
            except ValueError:
                return False
            return True
    return False


def test_the_same_seed_makes_the_same_file(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_legacy(tmp_path / name, rows=3_000, seed=5)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_another_seed_makes_another_company(tmp_path: Path) -> None:
    for seed in (5, 6):
        make_legacy(tmp_path / str(seed), rows=3_000, seed=seed)
    assert read(tmp_path / "5", "customers") != read(tmp_path / "6", "customers")


def test_there_are_about_as_many_rows_as_asked_for(legacy: Path) -> None:
    total = sum(len(read(legacy, table)) for table in TABLES)
    assert abs(total - 12_000) < 600, f"seed {SEED}"


def test_the_dirt_is_what_the_demo_announces(legacy: Path) -> None:
    """Counted again by Python, row by row."""
    customers, invoices, lines = (read(legacy, table) for table in ("customers", "invoices", "invoice_lines"))
    suppliers, orders, order_lines = (read(legacy, table) for table in ("suppliers", "orders", "order_lines"))
    numbers = [row["cust_no"].strip() for row in customers]
    known = {row["inv_no"] for row in invoices}
    vendors = {row["sup_no"] for row in suppliers}
    days = [row["since"] for row in customers] + [row["inv_date"] for row in invoices]
    days += [row["order_date"] for row in orders]
    amounts = [row["total"] for row in invoices] + [
        row["price"] for row in (*lines, *order_lines) if row["price"] is not None
    ]
    none = {"", "-", "n/a"}
    emails = [(row["email"] or "").strip() for row in customers]
    keys = [row["cust_no"] for row in (*customers, *invoices)] + [row["inv_no"] for row in lines]
    counted = [
        sum(email in none for email in emails),
        sum(email not in none and "@" not in email for email in emails),
        len(numbers) - len(set(numbers)),
        sum(row["name"].strip() in ODD_NAMES for row in (*customers, *suppliers)),
        sum(key != key.strip() for key in keys),
        sum(row["cust_no"].strip() not in numbers for row in invoices),
        sum(row["inv_no"].strip() not in known for row in lines),
        sum(row["sup_no"] not in vendors for row in orders),
        sum("." in day for day in days),
        sum("/" in day for day in days),
        sum(not is_day(day) for day in days),
        sum("," in amount for amount in amounts),
        sum(not any(letter.isdigit() for letter in amount) for amount in amounts),
        sum((row["qty"] or 0) < 0 for row in (*lines, *order_lines)),
        sum(row["article"] is None for row in lines),
    ]
    announced = find_dirt(legacy)
    assert [dirt.rows for dirt in announced] == counted, f"seed {SEED}: {announced}"


def test_even_the_smallest_company_has_every_kind_of_dirt_at_least_twice(tmp_path: Path) -> None:
    make_legacy(tmp_path / "legacy.db", rows=FEWEST_ROWS, seed=SEED)
    assert {dirt.what: dirt.rows for dirt in find_dirt(tmp_path / "legacy.db") if dirt.rows < 2} == {}
