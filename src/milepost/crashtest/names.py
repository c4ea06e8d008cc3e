"""Rows with names in place of numbers: a generated id is compared by the row that it stands for.

A row's name is its natural key; where it has none, the source key that the key map has for it; else its own content.
Names hold names of the rows that they refer to; where tables refer to each other in a circle, a few deep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

from milepost.crashtest.numbered import Numbered
from milepost.crashtest.scratch import Place
from milepost.crashtest.tables import Column, Line, null_of, rows_of, tables_of

Names = Mapping[Column, Mapping[str, str]]
"""For each id column the name of every row, by the id."""
Sources = Mapping[str, Mapping[str, Collection[str]]]
"""For each table with a key map the source keys of its rows, by the id as the table's database writes it."""

DEEP = 5  # so far a circle of references is followed
LONGEST = 48  # characters of a name; a longer one is its digest
UNKNOWN = "…"
NOTHING = "a row that is not there"
TWICE = "an id given twice"


def names_of(place: Place, numbered: Numbered, sources: Sources) -> Names:
    """The names of all rows that have an id of their database's making. Canonical: ids have no part in them."""
    columns = tables_of(place)
    naming = {column: _naming(column, numbered, columns[column[0]]) for column in numbered.ids if column[0] in columns}
    names: dict[Column, Mapping[str, str]] = {}

    def named(column: Column) -> dict[str, str]:
        return _named(place, column, naming[column], numbered, names, sources)

    left = sorted(naming)
    while ready := [each for each in left if _refers_to(each[0], naming[each], numbered) <= names.keys()]:
        names |= {each: named(each) for each in ready}
        left = [each for each in left if each not in ready]
    for _ in range(DEEP if left else 0):
        names |= {each: named(each) for each in left}
    return names


def lines_of(place: Place, table: str, columns: tuple[str, ...], numbered: Numbered, names: Names) -> Iterator[Line]:
    """The rows of a table, with names in place of ids and of what refers to them."""
    replaced = _replaced(table, columns, numbered)
    rows = rows_of(place, table, columns)
    if not replaced:
        return rows
    null = null_of(place, table)
    return (_line(row, replaced, names, null) for row in rows)


def _line(row: Line, replaced: Mapping[int, tuple[Column, bool]], names: Names, null: str) -> Line:
    line = list(row)
    for index, (column, refers) in replaced.items():
        if line[index] != null:
            known = names.get(column)
            line[index] = UNKNOWN if known is None else _found(known, line[index]) if refers else known[line[index]]
    return tuple(line)


def _found(known: Mapping[str, str], value: str) -> str:
    """SQLite may keep as text what refers to a number."""
    return known.get(value) or known.get(value.strip("'")) or NOTHING


def _replaced(table: str, columns: tuple[str, ...], numbered: Numbered) -> dict[int, tuple[Column, bool]]:
    """The places of columns to replace: by the names of which id, and whether it is one that refers to it."""
    replaced = {}
    for index, name in enumerate(columns):
        column = (table, name)
        if column in numbered.ids:
            replaced[index] = (column, False)
        elif column in numbered.refers:
            replaced[index] = (numbered.refers[column], True)
    return replaced


def _naming(column: Column, numbered: Numbered, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns that name the rows of that id; none where the key map does, or where nobody asks."""
    table = column[0]
    if table in numbered.keys:
        return numbered.keys[table]
    if table in numbered.mapped or column not in numbered.referred:
        return ()
    return tuple(name for name in columns if (table, name) not in numbered.ids)


def _refers_to(table: str, columns: Iterable[str], numbered: Numbered) -> set[Column]:
    return {numbered.refers[table, name] for name in columns if (table, name) in numbered.refers}


def _named(
    place: Place, column: Column, naming: tuple[str, ...], numbered: Numbered, names: Names, sources: Sources
) -> dict[str, str]:
    table, own = column
    replaced, null = _replaced(table, naming, numbered), null_of(place, table)
    mapped = sources.get(table, {}) if table in numbered.mapped and not naming else {}
    found: dict[str, str] = {}
    for value, *rest in rows_of(place, table, (own, *naming)):
        parts = _line(tuple(rest), replaced, names, null) if naming else sorted(mapped.get(value, ()))
        found[value] = TWICE if value in found else _short(table, parts)
    return found


def _short(table: str, parts: Iterable[str]) -> str:
    name = f"{table} {', '.join(parts)}".rstrip()
    if len(name) <= LONGEST:
        return name
    return f"{table} #{hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"
