"""What a round left behind: rows, files, rejects, counts and results."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field

from milepost.crashtest.declared import file_of
from milepost.crashtest.scratch import Place, files_below
from milepost.crashtest.sqlite_copy import rows_in, tables_in
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


def content_of(place: Place, job: str, left_out: LeftOut) -> Content:
    """Read all of it."""
    tables = {
        name: Rows(columns, Counter(digest(row) for row in rows_of(place, name, columns)))
        for name, columns in compared_columns(place, left_out).items()
    }
    rejects, counts, results, unfinished = _remembered(place.store, job)
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
        for name, columns in _tables(url).items():
            table = name if number == 0 else f"{number + 1}:{name}"
            if table not in left_out.tables:
                passed = left_out.columns.get(table, ())
                found[table] = tuple(column for column in columns if column not in passed)
    return found


def rows_of(place: Place, table: str, columns: tuple[str, ...]) -> Iterator[Line]:
    """The rows of a table, as ``compared_columns`` names it."""
    number, colon, name = table.partition(":")
    url = place.written[int(number) - 1] if colon and number.isdecimal() else place.written[0]
    file = file_of(url)
    assert file is not None  # noqa: S101
    return rows_in(file, name if colon and number.isdecimal() else table, columns)


def digest(row: Line) -> bytes:
    """Short, and the same for the same row only."""
    return hashlib.blake2b("\x1f".join(row).encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _tables(url: str) -> dict[str, tuple[str, ...]]:
    file = file_of(url)
    assert file is not None  # noqa: S101
    return tables_in(file)


def _files(place: Place) -> Iterator[tuple[str, str]]:
    databases = {file.resolve() for url in place.databases.values() if (file := file_of(url)) is not None}
    for file in files_below(place.folder):
        if file.resolve() not in databases:
            yield str(file.relative_to(place.folder)), hashlib.blake2b(file.read_bytes()).hexdigest()


def _remembered(url: str, job: str) -> tuple[Counter[str], dict[str, Counts], dict[str, str], tuple[str, ...]]:
    store = open_store(url, create=False)
    if store is None:
        return Counter(), {}, {}, ()
    with closing(store):
        rejects = Counter(
            json.dumps([each.path, each.stage, each.reason, each.key, each.content]) for each in store.rejects(job)
        )
        records = store.checkpoints(job)
    counts = {record.path: record.counts for record in records}
    results = {record.path: json.dumps(record.result) for record in records}
    return rejects, counts, results, tuple(each.path for each in records if each.state is not State.COMPLETE)
