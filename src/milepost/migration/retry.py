"""Load an object's rejected rows again, as its source has them now.

1. A reject is forgotten in the commit of its row's new fate: what a crash leaves are the rejects yet to be tried.
2. A row that was never loaded may change none that is there; one that was loaded before it was rejected must.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import Forgotten
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.by_key import load_by_key
from milepost.migration.keys import canonical, decode, readable
from milepost.migration.passes import reads_ranges
from milepost.migration.pin import Pin
from milepost.migration.restructure import picker
from milepost.migration.route import Route, way_of
from milepost.migration.source import Row
from milepost.migration.vanished import pages

RETRY = "retry"
LOADED = "loaded"  # below a retry: the part of it that is about rows that may be in the target
NO_LIMIT = 2**62  # of rejects: none of them is new
_OF_ROWS_NEVER_LOADED = re.compile(rf"[^/]+(/{RETRY}-\d+)?")

Chosen = Callable[[RejectedRow], bool]


def was_loaded(one: RejectedRow) -> bool:
    """Whether the row may be in the target: it was loaded before it was rejected, or only its links were.

    As the path says at which it was rejected; where a retry rejects it again, that says the same.
    """
    return not _OF_ROWS_NEVER_LOADED.fullmatch(one.path)


def try_again(checkpoint: Checkpoint, route: Route, pin: Pin, chosen: Chosen) -> JSON:
    """Load the rows of the object's rejects that are ``chosen`` again, at a checkpoint of their own below it.

    Those that a run before this one has dealt with are no rejects any more, or rejects of this very checkpoint, which
    must not be chosen. A reject whose row is gone from the source is forgotten. Returns what came of all of them.
    """
    checkpoint.expect(None)
    batches = Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True)
    batches.recover()
    rejects = filter(chosen, checkpoint.store.rejects(route.object.name))
    for page in pages(rejects, route.limits.chunk):
        _try_page(batches, page)
    counts, gone = checkpoint.counts, checkpoint.recall().get("gone", 0)
    return {"loaded": counts.loaded + counts.unchanged, "rejected": counts.rejected, "gone": gone}


def forget_gone(store: BoundStore, route: Route) -> None:
    """Forget the object's rejects that were found by their keys, of rows that are gone from the source.

    Those of a range go with it when it is loaded again.
    """
    name = route.object.name
    by_key = (one for one in store.rejects(name) if not reads_ranges(one.path, name))
    for page in pages(by_key, route.limits.chunk):
        if gone := _gone(route, page, route.source.find([decode(one.key) or () for one in page])):
            store.forget_rejects(Forgotten(path=name, keys=tuple(gone)))


def _gone(route: Route, page: Sequence[RejectedRow], rows: Sequence[Row]) -> list[JSON]:
    found = set(_texts(route, rows))
    return [one.key for one in page if json.dumps(one.key) not in found]


def _try_page(batches: Batches, page: Sequence[RejectedRow]) -> None:
    checkpoint, route = batches.checkpoint, batches.route
    inserts = batches.fresh and not was_loaded(page[0])
    rows = load_by_key(batches, [decode(one.key) or () for one in page], insert_only=inserts)
    gone = _gone(route, page, rows)
    stale = [one.key for one in page if json.dumps(canonical(decode(one.key) or ())) != json.dumps(one.key)]
    _forget(checkpoint, route.object.name, gone, stale)


def _texts(route: Route, rows: Sequence[Row]) -> Iterator[str]:
    """The rows' keys as rejects hold them, also as those did that an older Milepost left."""
    names = route.source.columns
    key_of = picker([names.index(name) for name in route.source.key])
    for row in rows:
        yield json.dumps(canonical(key_of(row)))
        yield json.dumps(readable(key_of(row)))


def _forget(checkpoint: Checkpoint, name: str, gone: Sequence[JSON], stale: Sequence[JSON]) -> None:
    """Those whose rows are gone, and those under keys that are written otherwise by now."""
    if not (gone or stale):
        return
    with checkpoint.transaction():
        checkpoint.store.forget_rejects(Forgotten(path=name, keys=(*gone, *stale)))
        if gone:
            checkpoint.replace("gone", checkpoint.recall().get("gone", 0) + len(gone))
