"""The tables of the databases that one round writes, under names that tell the databases apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from milepost.crashtest import sqlite_copy
from milepost.crashtest.scratch import Place
from milepost.databases.url import scheme
from milepost.jobs.state import JSON
from milepost.migration.keys import decode

Line = tuple[str, ...]
Column = tuple[str, str]  # a table, as named here, and a column of it


def tables_of(place: Place) -> dict[str, tuple[str, ...]]:
    """Every table that is not a store's, with its columns."""
    return {
        named(number, name): columns
        for number, url in enumerate(place.written)
        for name, columns in copies_of(url).tables_in(url).items()
    }


def rows_of(place: Place, table: str, columns: tuple[str, ...]) -> Iterator[Line]:
    """The rows of a table, each value as its database writes it."""
    url, name = _whose(place, table)
    rows: Iterator[Line] = copies_of(url).rows_in(url, name, columns)
    return rows


def url_of(place: Place, table: str) -> str:
    """The database of a table."""
    return _whose(place, table)[0]


def null_of(place: Place, table: str) -> str:
    """How the table's database writes NULL among the values of ``rows_of``."""
    null: str = copies_of(url_of(place, table)).NULL
    return null


def as_written(place: Place, table: str, target: JSON) -> str:
    """An id that the key map has (a list of one value) as ``rows_of`` gives it."""
    (value,) = decode(target) or (None,)
    return repr(value) if scheme(url_of(place, table)) == "sqlite" else str(value)


def copies_of(url: str) -> Any:
    """The module that reads copies of that kind."""
    if scheme(url) == "sqlite":
        return sqlite_copy
    from milepost.crashtest import postgres_copy

    return postgres_copy


def named(number: int, table: str) -> str:
    """A table by its name; where the job writes to several databases, with the number of its own if not the first."""
    return table if number == 0 else f"{number + 1}:{table}"


def _whose(place: Place, table: str) -> tuple[str, str]:
    number, colon, name = table.partition(":")
    if colon and number.isdecimal():
        return place.written[int(number) - 1], name
    return place.written[0], table
