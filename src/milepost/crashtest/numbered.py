"""Columns that hold numbers of a database's own making: the ids that it makes, and what refers to them.

A number that was taken before a crash is not given again, so that they differ after one, and rightly so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

from milepost.crashtest.declared import Filled
from milepost.crashtest.scratch import Place
from milepost.crashtest.tables import Column, copies_of, named
from milepost.wiring.open import open_store

Pair = tuple[Column, Column]  # a column, and the one that it refers to


@dataclass(frozen=True, kw_only=True)
class Numbered:
    """``ids`` are made by a database; ``refers`` says of which of them a column holds the values.

    ``keys`` are the natural keys of tables that have one; ``mapped`` the objects whose key map says which row is which.
    ``objects`` are all that may have a key map.
    """

    ids: frozenset[Column] = frozenset()
    refers: Mapping[Column, Column] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    mapped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objects: tuple[str, ...] = ()

    @property
    def referred(self) -> frozenset[Column]:
        """The ids that something refers to."""
        return frozenset(self.refers.values())


NOTHING_NUMBERED = Numbered()


def numbered_of(place: Place, job: str, fills: Sequence[Filled]) -> Numbered:
    """Looked up in what the job declares, and in the databases as a run left them."""
    tables = _tables(place, fills)
    ids = {(tables[each.name], each.id) for each in fills if each.id is not None and each.name in tables}
    ids |= set(_numbered_by_themselves(place, _filled(place, job, tables)))
    pairs = [*_declared_pairs(fills, tables), *_foreign_keys(place)]
    objects = [each for each in fills if each.name in tables]
    return Numbered(
        ids=frozenset(ids),
        refers=_resolved(ids, pairs),
        keys={tables[each.name]: each.key for each in reversed(objects) if each.key},
        mapped={
            table: tuple(each.name for each in objects if tables[each.name] == table)
            for table in dict.fromkeys(tables[each.name] for each in objects if not each.key)
        },
        objects=tuple(each.name for each in fills),
    )


def _resolved(ids: Collection[Column], pairs: Sequence[Pair]) -> dict[Column, Column]:
    """Every column that refers to an id, be it by way of others, with that id."""
    holds = {column: column for column in ids}
    while found := {mine: holds[theirs] for mine, theirs in pairs if theirs in holds and mine not in holds}:
        holds |= found
    return {mine: column for mine, column in holds.items() if mine not in ids}


def _tables(place: Place, fills: Sequence[Filled]) -> dict[str, str]:
    """Each object's table, as the crash test names it; without those that are in none."""
    found = {}
    places = list(place.databases)
    for each in fills:
        if each.place not in places:
            continue
        number = place.written.index(place.databases[each.place])
        names = copies_of(place.written[number]).tables_in(place.written[number])
        near = [name for name in names if name.casefold() == each.table.removeprefix("public.").casefold()]
        near += [name for name in names if name.rpartition(".")[2] == each.table]
        if near:
            found[each.name] = named(number, near[0])
    return found


def _declared_pairs(fills: Sequence[Filled], tables: Mapping[str, str]) -> Iterator[Pair]:
    by_name = {each.name: each for each in fills}
    for each in fills:
        for columns, name in each.parents:
            parent = by_name.get(name)
            if parent is None or each.name not in tables or name not in tables:
                continue
            theirs = parent.key if parent.id is None else (parent.id,)
            for mine, column in zip(columns, theirs, strict=False):
                yield (tables[each.name], mine), (tables[name], column)


def _foreign_keys(place: Place) -> Iterator[Pair]:
    for number, url in enumerate(place.written):
        for mine, column, theirs, to in copies_of(url).referring_in(url):
            yield (named(number, mine), column), (named(number, theirs), to)


def _numbered_by_themselves(place: Place, filled: Mapping[str, Collection[str]]) -> Iterator[Column]:
    """Columns that take numbers from a sequence, and that the job does not fill."""
    for number, url in enumerate(place.written):
        for table, columns in copies_of(url).numbered_in(url).items():
            yield from (
                (named(number, table), column)
                for column in columns
                if column not in filled.get(named(number, table), ())
            )


def _filled(place: Place, job: str, tables: Mapping[str, str]) -> dict[str, set[str]]:
    """The columns of each table that the job's objects fill, as the store remembers them."""
    filled: dict[str, set[str]] = {}
    store = open_store(place.store, create=False)
    if store is None:
        return filled
    with closing(store):
        for path, table in tables.items():
            remembered = store.recall(job, path).get("columns") or {}
            filled.setdefault(table, set()).update(remembered.get("names", ()))
    return filled
