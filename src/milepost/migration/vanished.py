"""Which rows of the target came of source rows that are gone, or that are filtered or rejected now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TypeAlias, TypeVar

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.expected import restructured
from milepost.migration.keys import canonical, decode, is_former, map_key, readable, unmap_key
from milepost.migration.laid import map_keys_of
from milepost.migration.ranges import Batch, Ranges
from milepost.migration.restructure import picker
from milepost.migration.route import Route
from milepost.migration.source import Key
from milepost.migration.table import Sink
from milepost.migration.way import left_behind, rewound

Mapped: TypeAlias = tuple[str, JSON]
"""A source key, as the key map has it, with the key of its row in the target."""
Item = TypeVar("Item")

PAGE = 500  # rows that are deleted together, each perhaps with many that refer to it
BATCHES = 5  # batches that are asked about together, and held in memory
SHOWN = 20  # keys that are told


def vanished(
    checkpoint: Checkpoint, route: Route, ranges: Ranges, by_key: Sequence[Batch], *, complete: bool
) -> Iterator[Sequence[Mapped]]:
    """The rows that are in the target without a source row, as far as the key map knows them, a page at a time.

    What still belongs to a batch whose range was read again was not loaded by the batches that took its place; what a
    rewind forgot was not loaded since, once the object is ``complete``. ``by_key`` are batches of which no range tells.
    The source is asked for all of these: a row that it still has, and that goes, stays.
    What a source row came to before it came to another row is left behind.
    """
    store, name = checkpoint.store, route.object.name
    yield from pages(store.mapped_by(name, [left_behind(name)]), PAGE)
    for batches in pages([*([rewound(name)] if complete else ()), *ranges.replaced, *by_key], BATCHES):
        for rows in pages(store.mapped_by(name, batches), PAGE):
            if gone := _gone(checkpoint, route, rows):
                yield gone


def pages(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """The items in lists of at most ``size``."""
    rest = iter(items)
    while page := list(islice(rest, size)):
        yield page


def source_keys(rows: Iterable[Mapped]) -> list[Key]:
    """Their source keys, each once."""
    return list(dict.fromkeys(unmap_key(text)[0] for text, _ in rows))


def _gone(checkpoint: Checkpoint, route: Route, rows: Sequence[Mapped]) -> list[Mapped]:
    """Those of the rows that come of no source row: it is not there, is a reject, or is filtered or split otherwise.

    One that the function refuses only now is no reject yet, and stays.
    """
    keys, name = source_keys(rows), route.object.name
    found = route.source.find(keys)
    names = route.source.columns
    key_of = picker([names.index(column) for column in route.source.key])
    batch = restructured(route, found, (), checkpoint.beside(name))
    go = set(map_keys_of(batch, range(len(batch.rows)), lambda index: key_of(found[index])))
    unsure = {map_key(key_of(found[one.index])) for one in batch.rejects}
    refused = checkpoint.store.find_rejects(name, [canonical(key) for key in keys])
    of_rows = (one for one in refused if not one.path.endswith("/links"))  # there only a parent is wanting
    rejects = {map_key(decode(one.key) or ()) for one in of_rows}

    def is_gone(text: str) -> bool:
        source = map_key(unmap_key(text)[0])
        return source in rejects or (text not in go and source not in unsure)

    return [(text, target) for text, target in rows if is_gone(text)]


@dataclass(frozen=True, kw_only=True)
class Left:
    """Rows of an object that are in the target without a source row; ``exact``: so many, otherwise so many or more.

    ``keys`` are the source keys of the first of them, where they are known. ``moved`` of them are rows whose
    source rows came to other keys.
    """

    rows: int
    exact: bool = True
    keys: tuple[JSON, ...] = ()
    moved: int = 0

    def as_json(self) -> JSON:
        return {**asdict(self), "keys": list(self.keys)}

    @staticmethod
    def of_json(found: JSON) -> Left:
        return Left(**{**found, "keys": tuple(found["keys"])})

    def in_words(self, name: str) -> str:
        """What is told of them."""
        least = "" if self.exact else "at least "
        what = f"{least}1 row is" if self.rows == 1 else f"{least}{self.rows:,} rows are"
        gone = "gone at the source, or came to another key there," if self.moved else "gone at the source"
        shown = "; ".join(", ".join(map(str, key)) for key in self.keys)
        more = "; …" if len(self.keys) < self.rows else ""
        which = f": key {shown}{more}" if shown else " (milepost verify finds them)"
        return f"{name}: {what} {gone} and still in the target{which}"


def left_over(store: BoundStore, route: Route, ranges: Ranges, *, countable: bool) -> Left | None:
    """What is to be reported where it is not deleted; None where nothing is known to be left over.

    ``countable``: whatever the table holds came from the object's ranges, so that what is more is left over.
    """
    if isinstance(route.object.target, Sink):
        return None
    if route.keeps_keys:
        return _known_left(store, route, ranges)
    if not ranges.read_again:
        return None
    if not countable:
        return Left(rows=ranges.fewer, exact=False) if ranges.fewer else None
    key = route.object.target_key
    with closing(route.target.comparing(key, key)) as comparing:
        more = comparing.count() - sum(each.held for each in ranges)
    return Left(rows=more) if more > 0 else None


def _known_left(store: BoundStore, route: Route, ranges: Ranges) -> Left | None:
    """As the key map has them."""
    name, count, moved, first = route.object.name, 0, 0, list[Mapped]()
    for batches in ([left_behind(name)], *pages(ranges.replaced, BATCHES)):
        rows = store.mapped_by(name, batches)
        count, first = count + len(rows), [*first, *rows[: SHOWN - len(first)]]
        moved += sum(is_former(text) for text, _ in rows)
    return Left(rows=count, keys=tuple(readable(key) for key in source_keys(first)), moved=moved) if count else None
