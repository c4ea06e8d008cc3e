"""Load rows that were rejected for want of a parent, now that it has come."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.keys import decode
from milepost.migration.orphaned import load_keys
from milepost.migration.pin import Pin
from milepost.migration.resolve import Edge, Lookup, edges_of, look_up
from milepost.migration.route import Route, way_of
from milepost.migration.source import Key
from milepost.migration.vanished import pages

Awaited = tuple[str, str]
"""A parent object's name, and a key of it as text."""


def load_waiting(checkpoint: Checkpoint, route: Route, pin: Pin) -> JSON:
    """Load them, and those whose own row was set without its parent, as the source has them now."""
    checkpoint.expect(None)
    batches = Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True)
    batches.recover()
    for keys in waiting(checkpoint.store, route, but=checkpoint.path):
        load_keys(batches, keys)
    return {"loaded": checkpoint.counts.loaded}


def waiting(store: BoundStore, route: Route, *, but: str = "") -> Generator[list[Key], None, None]:
    """The source keys of rejects whose parents are all there now; not those of the checkpoint ``but``."""
    edges = {edge.parent.name: edge for edge in edges_of(route.object)}
    rejects = (one for one in store.rejects(route.object.name) if one.stage == "parent" and one.path != but)
    key, comparing = route.object.target_key, None
    with ExitStack() as opened:
        for page in pages(rejects, route.limits.chunk):
            if comparing is None:
                comparing = opened.enter_context(closing(route.target.comparing(key, key)))
            awaited = [_awaited(one, edges) for one in page]
            lookup = Lookup(find=comparing.find, mapped=store.mapped)
            there = _there(lookup, edges, {each for one in awaited for each in one})
            found = [decode(one.key) or () for one, each in zip(page, awaited, strict=True) if each and each <= there]
            if found:
                yield found


def _awaited(one: RejectedRow, edges: Mapping[str, Edge]) -> set[Awaited]:
    """The parents that the row lacked; what these lacked in turn is told beside them, and is not for this row."""
    return {(name, json.dumps(key)) for name, key in one.parent or () if name in edges}


def _there(lookup: Lookup, edges: Mapping[str, Edge], awaited: set[Awaited]) -> set[Awaited]:
    """Those that are there: one query for each parent object."""
    found: set[Awaited] = set()
    for name in sorted({name for name, _ in awaited}):
        texts: Sequence[str] = [text for each, text in awaited if each == name]
        rows = look_up(edges[name], [decode(json.loads(text)) or () for text in texts], lookup)
        found |= {(name, text) for text, row in zip(texts, rows, strict=True) if row is not None}
    return found
