"""Makes the legacy database: the same seed and number of rows give the same file.

Each kind of dirt goes into a fixed share of the rows (at least two), drawn by the seed. What really is in the file is
counted by :mod:`milepost.demo.dirt`, which knows nothing of this.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from random import Random
from typing import Any

from milepost.demo.words import ARTICLES, COMPANIES, COUNTRIES, FIRST_NAMES, LAST_NAMES, ODD_NAMES, REMARKS

FEWEST_ROWS = 5_000  # below, two rows of each kind of dirt are more than the migration puts up with
BLANKS = (" ", "   ", "\u00a0", "\t")
NO_EMAIL = (None, None, "", "  ", "-", "n/a")
NO_AMOUNT = ("to be agreed", "?", "")
IMPOSSIBLE = ("2021-02-30", "31.04.2020", "02/29/2019", "soon")


@dataclass(frozen=True, kw_only=True)
class Size:
    """How many of each: about ``rows`` in all, lines included."""

    customers: int
    invoices: int
    suppliers: int
    orders: int

    @classmethod
    def of(cls, rows: int) -> Size:
        return cls(
            customers=rows * 40 // 1000,
            invoices=rows * 200 // 1000,
            suppliers=rows * 5 // 1000,
            orders=rows * 73 // 1000,
        )


def make_legacy(path: Path, *, rows: int, seed: int) -> None:
    """Write a new SQLite file with about ``rows`` rows."""
    random = Random(seed)  # noqa: S311 - repeatable on purpose
    size = Size.of(rows)
    with closing(sqlite3.connect(path)) as legacy:
        legacy.execute("PRAGMA synchronous=OFF")  # it can be made again at any time
        legacy.executescript(files("milepost.demo").joinpath("legacy.sql").read_text("utf-8"))
        numbers = _fill(legacy, "customers", 6, _customers(random, size.customers))
        headers = list(_invoices(random, size.invoices, [row[1].strip() for row in numbers]))
        lines = list(_invoice_lines(random, headers))
        _fill(legacy, "invoices", 5, _with_totals(random, headers, lines))
        _fill(legacy, "invoice_lines", 6, [line[:6] for line in lines])
        _fill(legacy, "suppliers", 3, _suppliers(random, size.suppliers))
        _fill(legacy, "orders", 3, _orders(random, size.orders, size.suppliers))
        _fill(legacy, "order_lines", 5, _order_lines(random, size.orders))
        legacy.commit()


def _fill(legacy: sqlite3.Connection, table: str, width: int, rows: Iterator[Any] | list[Any]) -> list[Any]:
    kept = list(rows)
    legacy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", kept)
    return kept


def _pick(random: Random, rows: int, kinds: dict[str, float]) -> dict[int, str]:
    """Which row has which kind of dirt; at least two rows for each kind, no row with two."""
    wanted = [kind for kind, share in kinds.items() for _ in range(max(2, int(rows * share)))]
    return dict(zip(random.sample(range(rows), len(wanted)), wanted, strict=True))


def _customers(random: Random, count: int) -> Iterator[tuple[Any, ...]]:
    dirt = _pick(
        random,
        count,
        {"no e-mail": 0.06, "no @": 0.003, "twice": 0.005, "odd name": 0.02, "blanks": 0.03, "date": 0.001},
    )
    numbers: list[str] = []
    for index in range(count):
        kind = dirt.get(index)
        if index == 0 or kind != "twice":
            numbers.append(f"C{10_000 + index}")
            number = numbers[-1]
        else:
            number = random.choice(numbers)  # entered again, years later, by somebody who did not look
        yield _customer(random, index + 1, number, kind)


def _customer(random: Random, row_id: int, number: str, kind: str | None) -> tuple[Any, ...]:
    first, last = random.choice(FIRST_NAMES), random.choice(LAST_NAMES)
    name = f"{first} {last}" if random.random() < 0.5 else f"{last} {random.choice(COMPANIES)}"
    address: str | None = f"{first}.{last}{row_id}@example.com".replace("'", "")
    country = random.choice(COUNTRIES)
    if kind == "odd name":
        name = random.choice(ODD_NAMES)
    if kind == "no e-mail":
        address = random.choice(NO_EMAIL)
    if kind == "no @":
        address = f"{first} at example.com"
    if kind == "blanks":
        blank = random.choice(BLANKS)
        number, name, country = number + blank, name + blank, country.lower() + " "
    since = random.choice(IMPOSSIBLE) if kind == "date" else _day(random)
    return row_id, number, name, address, country, since


def _invoices(random: Random, count: int, customers: list[str]) -> Iterator[list[Any]]:
    dirt = _pick(random, count, {"orphan": 0.006, "date": 0.001, "no amount": 0.0005, "blanks": 0.02})
    for index in range(count):
        kind = dirt.get(index)
        customer = random.choice(customers)
        if kind == "orphan":
            customer = f"C{900_000 + index}"
        if kind == "blanks":
            customer += random.choice(BLANKS)
        day = random.choice(IMPOSSIBLE) if kind == "date" else _day(random)
        total = random.choice(NO_AMOUNT) if kind == "no amount" else None  # the others are summed up from their lines
        yield [f"R{100_000 + index}", customer, day, "USD" if index % 7 == 0 else "EUR", total]


def _invoice_lines(random: Random, headers: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    """Rows of invoice_lines, each followed by what it adds to its invoice's total, in cents."""
    dirt = _pick(
        random,
        len(headers),
        {"remark": 0.05, "negative": 0.001, "no amount": 0.0005, "no invoice": 0.002, "blanks": 0.01},
    )
    for index, header in enumerate(headers):
        number, kind = header[0], dirt.get(index)
        written = number + "  " if kind == "blanks" else number
        lines = random.randint(1, 4)
        for line in range(1, lines + 1):
            article, quantity = random.randrange(len(ARTICLES)), random.randint(1, 24)
            price = random.randint(50, 250_000)
            odd = line == 1 and kind
            if odd == "negative":
                quantity = -quantity
            text = random.choice(NO_AMOUNT) if odd == "no amount" else _amount(random, price)
            yield written, line, f"A{article:03}", ARTICLES[article], quantity, text, quantity * price
        if kind == "remark":
            yield number, lines + 1, None, random.choice(REMARKS), None, None, 0
        if kind == "no invoice":
            yield f"R{900_000 + index}", 1, "A001", ARTICLES[1], 1, _amount(random, 1_999), 0


def _with_totals(
    random: Random, headers: list[list[Any]], lines: list[tuple[Any, ...]]
) -> Iterator[tuple[str, str, str, str, str]]:
    totals: dict[str, int] = {}
    for line in lines:
        number = line[0].strip()
        totals[number] = totals.get(number, 0) + line[6]
    for number, customer, day, currency, total in headers:
        yield number, customer, day, currency, _amount(random, max(0, totals[number])) if total is None else total


def _suppliers(random: Random, count: int) -> Iterator[tuple[int, str, str | None]]:
    dirt = _pick(random, count, {"odd name": 0.03, "no vat": 0.1})
    for index in range(count):
        name = f"{random.choice(LAST_NAMES)} {random.choice(COMPANIES)}"
        if dirt.get(index) == "odd name":
            name = random.choice(ODD_NAMES)
        vat = None if dirt.get(index) == "no vat" else f"{random.choice(COUNTRIES)}{random.randrange(10**9):09}"
        yield 70_000 + index, name, vat


def _orders(random: Random, count: int, suppliers: int) -> Iterator[tuple[int, int, str]]:
    dirt = _pick(random, count, {"orphan": 0.004, "date": 0.001})
    for index in range(count):
        supplier = 990_000 + index if dirt.get(index) == "orphan" else 70_000 + random.randrange(suppliers)
        day = random.choice(IMPOSSIBLE) if dirt.get(index) == "date" else _day(random)
        yield 400_000 + index, supplier, day


def _order_lines(random: Random, orders: int) -> Iterator[tuple[int, int, str, int, str]]:
    dirt = _pick(random, orders, {"negative": 0.001})
    for index in range(orders):
        for line in range(1, random.randint(1, 4) + 1):
            article, quantity = random.randrange(len(ARTICLES)), random.randint(10, 500)
            if line == 1 and dirt.get(index):
                quantity = -quantity
            yield 400_000 + index, line, f"A{article:03}", quantity, _amount(random, random.randint(20, 150_000))


def _day(random: Random) -> str:
    """A day in one of the three ways in which the offices write it."""
    year, month, day = random.randint(2012, 2025), random.randint(1, 12), random.randint(1, 28)
    office = random.random()
    if office < 0.6:
        return f"{year}-{month:02}-{day:02}"
    if office < 0.85:
        return f"{day:02}.{month:02}.{year}"
    return f"{month:02}/{day:02}/{year}"


def _amount(random: Random, cents: int) -> str:
    """An amount as an office writes it: 1234.50, or 1.234,50 and perhaps a blank behind it."""
    office = random.random()
    if office < 0.5:
        return f"{cents // 100}.{cents % 100:02}"
    whole = f"{cents // 100:,}".replace(",", ".")
    return f"{whole},{cents % 100:02}" + (" " if office > 0.9 else "")
