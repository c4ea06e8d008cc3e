"""Give rows the ids of their parents: the distinct keys that a batch names are looked up together, never row by row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from milepost.errors import Fatal
from milepost.jobs.state import JSON
from milepost.migration.keys import canonical, decode, encode, map_key, readable, shown
from milepost.migration.object import Object
from milepost.migration.restructure import picker
from milepost.migration.source import Key, Row

ODD = "odd"  # the name, in a link, of what can be no key

Find = Callable[[str, tuple[str, ...], tuple[str, ...], Sequence[Key]], list[Row | None]]
"""See :meth:`milepost.migration.target.Target.find`."""
Mapped = Callable[[str, Sequence[str]], dict[str, JSON]]
"""See :meth:`milepost.jobs.store.Store.mapped`."""


@dataclass(frozen=True, kw_only=True)
class Lookup:
    """Where parents are looked up: by their keys in the target, or in the key map."""

    find: Find
    mapped: Mapped


@dataclass(frozen=True, kw_only=True)
class Edge:
    """One parent of an object, and the columns that hold its key as the function gives it."""

    columns: tuple[str, ...]
    parent: Object

    @property
    def name(self) -> str:
        """The columns as they are told, and written into links."""
        return ", ".join(self.columns)

    @property
    def key(self) -> tuple[str, ...]:
        """Which columns the function names the parent by: of its source where its target has no key."""
        return self.parent.source_key if self.parent.is_mapped else self.parent.target_key

    @property
    def gives_id(self) -> bool:
        """Whether the column comes to hold something else than the key."""
        return self.parent.target_id is not None

    def missing(self, key: Key) -> str:
        """The reason for a row whose parent is not there."""
        columns = self.key[0] if len(key) == 1 else f"({', '.join(self.key)})"
        return f"no {self.parent.name} with {columns} {shown(key)}"

    def odd(self, shown: str) -> str:
        """The reason for a row whose column holds what no parent's key can be."""
        wanted = f"a tuple of ({', '.join(self.key)})" if len(self.key) > 1 else f"a {self.key[0]}"
        return f"{self.name} holds {shown}, and no {self.parent.name} has such a key: {wanted} is wanted"


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """A row without one of its parents: its index among those given, and those parents, each with its key as JSON.

    ``columns`` are those that hold the keys of parents that are not there.
    """

    index: int
    reason: str
    parents: JSON
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """The rows with their parents' ids: ``rows[i]`` was the one at ``places[i]``. The others are the orphans."""

    rows: list[Row]
    places: Sequence[int]
    orphans: Sequence[Orphan] = ()


def edges_of(each: Object) -> list[Edge]:
    """The object's parents in the order of declaration."""
    return [Edge(columns=columns, parent=parent) for columns, parent in each.parents.items()]


def resolve(edges: Sequence[Edge], columns: tuple[str, ...], rows: list[Row], lookup: Lookup) -> Resolved:
    """Put the parents' ids where their keys are, one query for each parent; NULL stays NULL.

    A later parent's key may hold the id that an earlier one gave. The rows that are given stay as they are.
    """
    lost: dict[int, list[_Lost]] = {}
    for edge in edges:
        places = [columns.index(name) for name in edge.columns]
        rows = _resolve_one(edge, places, rows, lookup, lost)
    if not lost:
        return Resolved(rows=rows, places=range(len(rows)))
    kept = [index for index in range(len(rows)) if index not in lost]
    orphans = [_orphan(index, lost[index]) for index in sorted(lost)]
    return Resolved(rows=[rows[index] for index in kept], places=kept, orphans=orphans)


def look_up(edge: Edge, keys: Sequence[Key], lookup: Lookup) -> list[Row | None]:
    """For each key what its parent has: its id where it makes one, else its key; None where there is no such parent."""
    parent = edge.parent
    if not parent.is_mapped:
        wanted = (parent.target_id,) if parent.target_id is not None else parent.target_key
        return lookup.find(parent.target.name, parent.target_key, wanted, keys)
    texts = [_map_key(key) for key in keys]
    found = lookup.mapped(parent.name, [text for text in texts if text is not None])
    return [None if text is None else decode(found.get(text)) for text in texts]


def parent_key(edge: Edge, value: Any) -> Key | None:
    """The key that a column's value names; None for none. Raises OddKey for what no key can be."""
    if value is None:
        return None
    key = tuple(value) if isinstance(value, tuple | list) else (value,)
    if len(key) != len(edge.key) or any(isinstance(part, tuple | list | dict | set | OddKey) for part in key):
        raise OddKey(value)
    return None if None in key else key


def link_value(edge: Edge, values: Row) -> JSON:
    """What a link says of one later parent: its key, None for none, a text in a dict for what can be no key.

    Of several columns with NULL in one the others are kept, though they name no parent.
    """
    value = values[0] if len(edge.columns) == 1 else values
    if value is None or (type(value) is int and len(edge.key) == 1):  # the ordinary one, as quickly as can be
        return None if value is None else [value]
    try:
        key = parent_key(edge, value)
        if key is None and len(edge.columns) > 1 and any(part is not None for part in values):
            return [None if part is None else encode([part])[0] for part in values]
        return None if key is None else encode(key)
    except (OddKey, Fatal):
        return {ODD: repr(value)}


class OddKey(Exception):
    """What stands in a column and can be no parent's key."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value

    def __repr__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, kw_only=True)
class _Lost:
    """Why a row has not the parent of one edge; ``key`` is None where what it holds can be no key."""

    edge: Edge
    reason: str
    key: Key | None = None


def _resolve_one(
    edge: Edge, places: list[int], rows: list[Row], lookup: Lookup, lost: dict[int, list[_Lost]]
) -> list[Row]:
    values = _values(rows, places)
    keys: dict[Any, Key] = {}
    absent: dict[Any, _Lost] = {}
    for value in set(values):
        try:
            key = parent_key(edge, value)
        except OddKey:
            absent[value] = _Lost(edge=edge, reason=edge.odd(repr(value)))
        else:
            if key is not None:
                keys[value] = key
    found = dict(zip(keys, look_up(edge, list(keys.values()), lookup) if keys else [], strict=True))
    absent |= {
        value: _Lost(edge=edge, reason=edge.missing(keys[value]), key=keys[value])
        for value in keys
        if found[value] is None
    }
    if absent:
        for index, value in enumerate(values):
            if value in absent:
                lost.setdefault(index, []).append(absent[value])
    if not edge.gives_id:
        return rows
    place, ids = places[0], {value: row[0] for value, row in found.items() if row is not None}
    return [(*row[:place], ids.get(value), *row[place + 1 :]) for row, value in zip(rows, values, strict=True)]


def _values(rows: list[Row], places: list[int]) -> list[Any]:
    """What the columns hold, row by row: fit for a set."""
    if len(places) == 1:
        place = places[0]
        values = [row[place] for row in rows]
    else:
        values = list(map(picker(places), rows))
    try:
        set(values)
    except TypeError:
        return [_hashable(value) for value in values]
    return values


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return tuple(map(_hashable, value)) if isinstance(value, list | tuple) else OddKey(value)
    return value


def _map_key(key: Key) -> str | None:
    """None for what cannot be in the key map."""
    try:
        return map_key(key)
    except Fatal:
        return None


def _orphan(index: int, lost: Sequence[_Lost]) -> Orphan:
    return Orphan(
        index=index,
        reason="; ".join(one.reason for one in lost),
        parents=[[one.edge.parent.name, key_as_json(one.key)] for one in lost if one.key is not None] or None,
        columns=tuple(name for one in lost for name in one.edge.columns),
    )


def key_as_json(key: Key) -> JSON:
    """The key as rejects hold it; readable only, where it is of a type that is no key's."""
    try:
        return canonical(key)
    except Fatal:
        return [readable(value) for value in key]
