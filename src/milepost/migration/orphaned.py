"""Load again what was deleted along with what it referred to, and what may go in now that a key is free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.by_key import load_by_key
from milepost.migration.keys import decode
from milepost.migration.pin import Pin
from milepost.migration.route import Route, way_of
from milepost.migration.source import Key
from milepost.migration.vanished import Mapped, pages, source_keys


def load_orphans(checkpoint: Checkpoint, route: Route, pin: Pin, deletes: Mapping[str, int]) -> JSON:
    """Load the rows of the object that the deletions at these paths, with so many batches, left to be loaded again.

    A row whose parent is gone is a reject now, as it would be in a migration of what the source holds now.
    """
    checkpoint.expect(None)
    store, name = checkpoint.store, route.object.name
    batches = Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True)
    batches.recover()
    for path, count in deletes.items():
        for seq in range(1, count + 2):  # the last: what a run that failed marked and deleted
            load_keys(batches, source_keys(store.mapped_by(name, [(path, seq)])))
            _forget(store, route, store.mapped_by(name, [(path, seq)]))
    for keys in pages(_freed(store, route), route.limits.chunk):
        load_keys(batches, keys)
    return {"loaded": checkpoint.counts.loaded}


def load_keys(batches: Batches, keys: Sequence[Key]) -> None:
    """Load the rows with these source keys, those that there are, as batches of no range."""
    for page in pages(keys, batches.route.limits.chunk):
        load_by_key(batches, page)


def _forget(store: BoundStore, route: Route, left: list[Mapped]) -> None:
    """Forget the keys of rows that were not loaded again and are not in the target any more."""
    if left:
        keys = [decode(target) or () for _, target in left]
        there = _look_up(route, keys)
        store.unmap(route.object.name, [text for (text, _), is_there in zip(left, there, strict=True) if not is_there])


def _freed(store: BoundStore, route: Route) -> Iterator[Key]:
    """The source keys of rows that were refused for another row's key, where no row has that key any more."""
    refused = (one for one in store.rejects(route.object.name) if one.stage == "duplicate" and one.target_key)
    for page in pages(refused, route.limits.chunk):
        there = _look_up(route, [decode(one.target_key) or () for one in page])
        yield from (decode(one.key) or () for one, is_there in zip(page, there, strict=True) if not is_there)


def _look_up(route: Route, keys: Sequence[Key]) -> list[bool]:
    """Which of these target keys the table holds."""
    key = route.object.target_key
    with closing(route.target.comparing(key, key)) as comparing:
        return [row is not None for row in comparing.find(route.object.target.name, key, key, keys)]
