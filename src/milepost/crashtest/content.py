"""What a round left behind: rows, files, rejects, counts, results and the key map."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from milepost.crashtest.declared import file_of
from milepost.crashtest.names import Names, Sources, lines_of, names_of
from milepost.crashtest.numbered import NOTHING_NUMBERED, Numbered
from milepost.crashtest.remembered import KeyMap, remembered
from milepost.crashtest.scratch import Place, files_below
from milepost.crashtest.tables import Line, as_written, tables_of
from milepost.jobs.ledger import Counts


@dataclass(frozen=True)
class Rows:
    """The rows of one table, each by its digest: they need not all be in memory, and are read again to be shown."""

    columns: tuple[str, ...]
    digests: Counter[bytes]


@dataclass(frozen=True, kw_only=True)
class Content:
    """``tables`` by name; ``files`` of the working folder by name, with their digest; the rest is the store's.

    ``mapped`` counts the source keys that the key map has, by object. ``names`` are what ids were compared by.
    """

    tables: Mapping[str, Rows]
    files: Mapping[str, str]
    rejects: Counter[str]
    counts: Mapping[str, Counts]
    results: Mapping[str, str]
    unfinished: tuple[str, ...]
    mapped: Mapping[str, Counter[bytes]] = field(default_factory=dict)
    names: Names = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """What is not compared, because it differs from run to run by itself: columns by table, files, results.

    ``numbered`` is compared, but not as it stands: by what the numbers stand for.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tables: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    results: frozenset[str] = frozenset()
    numbered: Numbered = NOTHING_NUMBERED

    def __add__(self, other: LeftOut) -> LeftOut:
        """Both; what is numbered is the first one's."""
        columns = {
            table: (*self.columns.get(table, ()), *other.columns.get(table, ()))
            for table in dict.fromkeys([*self.columns, *other.columns])
        }
        return LeftOut(
            columns=columns,
            tables=self.tables | other.tables,
            files=self.files | other.files,
            results=self.results | other.results,
            numbered=self.numbered,
        )


def content_of(place: Place, job: str, left_out: LeftOut) -> Content:
    """Read all of it."""
    numbered = left_out.numbered
    known = remembered(place.store, job, numbered.objects, together=place.target is None or place.target == place.store)
    names = names_of(place, numbered, _sources(place, numbered, known.key_map))
    tables = {
        name: Rows(columns, Counter(digest(line) for line in lines_of(place, name, columns, numbered, names)))
        for name, columns in compared_columns(place, left_out).items()
    }
    return Content(
        tables=tables,
        files={name: text for name, text in _files(place) if name not in left_out.files},
        rejects=known.rejects,
        counts=known.counts,
        results={path: text for path, text in known.results.items() if path not in left_out.results},
        unfinished=known.unfinished,
        mapped={name: Counter(digest((key,)) for key, _ in keys) for name, keys in known.key_map.items()},
        names=names,
    )


def _sources(place: Place, numbered: Numbered, key_map: KeyMap) -> Sources:
    """Of rows that the key map alone identifies: the source keys that each came of."""
    sources: dict[str, dict[str, list[str]]] = {}
    for table, objects in numbered.mapped.items():
        found = sources.setdefault(table, {})
        for name in objects:
            for key, target in key_map.get(name, ()):
                found.setdefault(as_written(place, table, target), []).append(f"{name} {key}")
    return sources


def compared_columns(place: Place, left_out: LeftOut) -> dict[str, tuple[str, ...]]:
    """The tables of the place's databases with the columns to compare."""
    return {
        table: tuple(column for column in columns if column not in left_out.columns.get(table, ()))
        for table, columns in tables_of(place).items()
        if table not in left_out.tables
    }


def digest(row: Line) -> bytes:
    """Short, and the same for the same row only."""
    text = "".join(f"{len(value)} {value}" for value in row)  # with its length: a value may hold any character
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _files(place: Place) -> Iterator[tuple[str, str]]:
    databases = {file.resolve() for url in place.databases.values() if (file := file_of(url)) is not None}
    for file in files_below(place.folder):
        if file.resolve() not in databases:
            yield str(file.relative_to(place.folder)), hashlib.blake2b(file.read_bytes()).hexdigest()
