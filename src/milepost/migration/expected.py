"""The rows that the target should hold for a batch of the source: by the same functions that move them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from milepost.jobs.state import JSON
from milepost.migration.keys import decode, map_key
from milepost.migration.resolve import Lookup, Mapped, edges_of, resolve
from milepost.migration.restructure import Restructured, Unmoved, picker, rename, restructure
from milepost.migration.route import Route
from milepost.migration.source import Row


@dataclass(frozen=True, kw_only=True)
class Expected:
    """A batch as the target should hold it: ``rows`` of ``columns``; ``places[i]`` is the place of ``rows[i]`` there.

    ``unknown`` are the places of the other rows: no id of theirs is known, so that they cannot be there. ``unset`` are
    source rows (by index, with the reason) whose parent is not there, in a column that is set once all rows are in:
    they are expected without it.
    """

    batch: Restructured
    columns: tuple[str, ...]
    rows: Sequence[Row]
    places: Sequence[int]
    unknown: tuple[int, ...] = ()
    unset: Mapping[int, str] = field(default_factory=dict)


def restructured(route: Route, rows: list[Row], columns: tuple[str, ...], checkpoint: Any) -> Restructured:
    """The rows in the target's shape. ``checkpoint`` is what a function is given that takes one."""
    each, names = route.object, route.source.columns
    function = each.function
    if function is None:
        return rename(each, names, rows)
    if each.wants_checkpoint:
        return restructure(each, lambda row: function(row, checkpoint), names, rows, columns)
    return restructure(each, function, names, rows, columns)


def expected(route: Route, rows: list[Row], batch: Restructured, lookup: Lookup) -> Expected:
    """The batch of the source's ``rows`` with its parents' ids and, where the key map alone knows them, its own."""
    batch = _with_parents(route, batch, lookup)
    batch, unset = _with_later_parents(route, batch, lookup)
    if route.object.is_mapped:
        return _with_ids(route, rows, batch, lookup.mapped, unset)
    places = range(len(batch.rows))
    return Expected(batch=batch, columns=batch.columns, rows=batch.rows, places=places, unset=unset)


def _with_parents(route: Route, batch: Restructured, lookup: Lookup) -> Restructured:
    edges = [edge for edge in edges_of(route.object) if edge.columns not in route.later]
    if not edges or not batch.rows:
        return batch
    found = resolve(edges, batch.columns, batch.rows, lookup)
    origins = batch.origins
    lost = {
        origins[one.index]: Unmoved(index=origins[one.index], stage="parent", reason=one.reason, parent=one.parents)
        for one in reversed(found.orphans)
    }
    kept = [(row, origins[place]) for row, place in zip(found.rows, found.places, strict=True)]
    if lost and batch.splits:  # a row goes whole or not at all
        kept = [(row, origin) for row, origin in kept if origin not in lost]
    return replace(
        batch,
        rows=[row for row, _ in kept],
        origins=[origin for _, origin in kept] if lost else origins,
        rejects=[*batch.rejects, *lost.values()],
    )


def _with_later_parents(route: Route, batch: Restructured, lookup: Lookup) -> tuple[Restructured, dict[int, str]]:
    """The columns that are set once all rows are in; NULL where the parent is not there, as the load leaves them."""
    unset: dict[int, str] = {}
    rows = batch.rows
    for edge in edges_of(route.object):
        if edge.columns not in route.later or not rows:
            continue
        found = resolve([edge], batch.columns, rows, lookup)
        places = {batch.columns.index(name) for name in edge.columns}
        whole: list[Row | None] = [None] * len(rows)
        for row, place in zip(found.rows, found.places, strict=True):
            whole[place] = row
        for orphan in found.orphans:
            unset[batch.origins[orphan.index]] = orphan.reason
            whole[orphan.index] = tuple(
                None if place in places else value for place, value in enumerate(rows[orphan.index])
            )
        rows = [row for row in whole if row is not None]
    return replace(batch, rows=rows), unset


def _with_ids(route: Route, rows: list[Row], batch: Restructured, mapped: Mapped, unset: Mapping[int, str]) -> Expected:
    names = route.source.columns
    key = picker([names.index(name) for name in route.source.key])
    parts: Counter[int] = Counter()
    texts = []
    for origin in batch.origins:
        texts.append(map_key(key(rows[origin]), parts[origin]))
        parts[origin] += 1
    ids: dict[str, JSON] = mapped(route.object.name, texts) if texts else {}
    known = [place for place, text in enumerate(texts) if text in ids]
    return Expected(
        batch=batch,
        columns=(*route.object.target_key, *batch.columns),
        rows=[(*_decoded(ids[texts[place]]), *batch.rows[place]) for place in known],
        places=known,
        unknown=tuple(place for place, text in enumerate(texts) if text not in ids),
        unset=unset,
    )


def _decoded(target: JSON) -> Row:
    return decode(target) or ()
