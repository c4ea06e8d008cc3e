"""What a round left behind: rows, files, rejects, counts and results."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

from milepost.crashtest import sqlite_copy
from milepost.crashtest.declared import file_of
from milepost.crashtest.scratch import Place, files_below
from milepost.databases.url import scheme
from milepost.jobs.ledger import Counts
from milepost.jobs.state import State
from milepost.wiring.open import open_store

Line = tuple[str, ...]


@dataclass(frozen=True)
class Rows:
    """The rows of one table, each by its digest: they need not all be in memory, and are read again to be shown."""

    columns: tuple[str, ...]
    digests: Counter[bytes]


@dataclass(frozen=True, kw_only=True)
class Content:
    """``tables`` by name; ``files`` of the working folder by name, with their digest; the rest is the store's."""

    tables: Mapping[str, Rows]
    files: Mapping[str, str]
    rejects: Counter[str]
    counts: Mapping[str, Counts]
    results: Mapping[str, str]
    unfinished: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What is not compared, because it differs from run to run by itself: columns by table, files, results."""

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()

    def __add__(self, other: LeftOut) -> LeftOut:
        columns = {
            table: (*self.columns.get(table, ()), *other.columns.get(table, ()))
            for table in dict.fromkeys([*self.columns, *other.columns])
        }
        return LeftOut(
            columns=columns,
            tables=self.tables | other.tables,
            files=self.files | other.files,
            results=self.results | other.results,
        )


def content_of(place: Place, job: str, left_out: LeftOut) -> Content:
    """Read all of it."""
    tables = {
        name: Rows(columns, Counter(digest(row) for row in rows_of(place, name, columns)))
        for name, columns in compared_columns(place, left_out).items()
    }
    together = place.target is None or place.target == place.store
    rejects, counts, results, unfinished = _remembered(place.store, job, together=together)
    return Content(
        tables=tables,
        files={name: text for name, text in _files(place) if name not in left_out.files},
        rejects=rejects,
        counts=counts,
        results={path: text for path, text in results.items() if path not in left_out.results},
        unfinished=unfinished,
    )


def compared_columns(place: Place, left_out: LeftOut) -> dict[str, tuple[str, ...]]:
    """The tables of the place's databases with the columns to compare."""
    found = {}
    for number, url in enumerate(place.written):
        for name, columns in _copies(url).tables_in(url).items():
            table = _named(number, name)
            if table not in left_out.tables:
                passed = left_out.columns.get(table, ())
                found[table] = tuple(column for column in columns if column not in passed)
    return found


def rows_of(place: Place, table: str, columns: tuple[str, ...]) -> Iterator[Line]:
    """The rows of a table, as ``compared_columns`` names it."""
    url, name = _whose(place, table)
    rows: Iterator[Line] = _copies(url).rows_in(url, name, columns)
    return rows


def numbered_columns(place: Place, filled: Mapping[str, Collection[str]]) -> dict[str, tuple[str, ...]]:
    """The columns that a server numbers by itself, and those that refer to them; not those that are ``filled``.

    A number that was taken before a crash is not given again, so that they differ after one, and rightly so.
    """
    found: dict[str, tuple[str, ...]] = {}
    for number, url in enumerate(place.written):
        if scheme(url) != "postgresql":
            continue
        copies = _copies(url)
        own = {
            (table, column)
            for table, columns in copies.numbered_in(url).items()
            for column in columns
            if column not in filled.get(table, ())
        }
        own |= {(mine, column) for mine, column, theirs, to in copies.referring_in(url) if (theirs, to) in own}
        for table, column in sorted(own):
            name = _named(number, table)
            found[name] = (*found.get(name, ()), column)
    return found


def filled_columns(place: Place, job: str, targets: Mapping[str, str]) -> dict[str, set[str]]:
    """The columns of each target table that the job's objects fill, as the store remembers them."""
    filled: dict[str, set[str]] = {}
    store = open_store(place.store, create=False)
    if store is None:
        return filled
    with closing(store):
        for path, table in targets.items():
            remembered = store.recall(job, path).get("columns") or {}
            filled.setdefault(table.removeprefix("public."), set()).update(remembered.get("names", ()))
    return filled


def digest(row: Line) -> bytes:
    """Short, and the same for the same row only."""
    text = "".join(f"{len(value)} {value}" for value in row)  # with its length: a value may hold any character
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _copies(url: str) -> Any:
    """The module that reads copies of that kind."""
    if scheme(url) == "sqlite":
        return sqlite_copy
    from milepost.crashtest import postgres_copy

    return postgres_copy


def _named(number: int, table: str) -> str:
    """A table by its name; where the job writes to several databases, with the number of its own if not the first."""
    return table if number == 0 else f"{number + 1}:{table}"


def _whose(place: Place, table: str) -> tuple[str, str]:
    number, colon, name = table.partition(":")
    if colon and number.isdecimal():
        return place.written[int(number) - 1], name
    return place.written[0], table


def _files(place: Place) -> Iterator[tuple[str, str]]:
    databases = {file.resolve() for url in place.databases.values() if (file := file_of(url)) is not None}
    for file in files_below(place.folder):
        if file.resolve() not in databases:
            yield str(file.relative_to(place.folder)), hashlib.blake2b(file.read_bytes()).hexdigest()


def _whatever_changed(counts: Counts) -> Counts:
    """Where a batch in doubt is loaded again, the target finds unchanged what was loaded before."""
    return replace(counts, loaded=counts.loaded + counts.unchanged, unchanged=0)


def _remembered(
    url: str, job: str, *, together: bool
) -> tuple[Counter[str], dict[str, Counts], dict[str, str], tuple[str, ...]]:
    store = open_store(url, create=False)
    if store is None:
        return Counter(), {}, {}, ()
    with closing(store):
        rejects = Counter(
            json.dumps([each.path, each.stage, each.reason, each.key, each.content]) for each in store.rejects(job)
        )
        records = store.checkpoints(job)
    counts = {record.path: record.counts if together else _whatever_changed(record.counts) for record in records}
    results = {record.path: json.dumps(record.result) for record in records}
    return rejects, counts, results, tuple(each.path for each in records if each.state is not State.COMPLETE)
