"""Rows that would take the target key of another: so that the second row never takes the place of the first in silence.

1. The key map knows whose row a target key is. One query for each batch that is loaded again.
2. That row may have given its key up since: deleted at the source, filtered or rejected now, or moved to another key.
   If it is not in the batch itself, its source is asked, and its function: only where two rows want one key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.state import JSON
from milepost.migration.keys import is_former
from milepost.migration.route import Route
from milepost.migration.source import Key, Row
from milepost.migration.vanished import Mapped, source_keys

KeysNow = Callable[[list[Row]], list[Mapped]]
"""Which target keys these source rows come to now, by their source keys as the key map has them."""


def taken_by_others(
    store: BoundStore, route: Route, texts: Sequence[str], targets: Sequence[JSON], keys_now: KeysNow
) -> set[int]:
    """The places of ``targets`` that are the keys of other source rows still. ``texts`` are those of the batch."""
    own = set(texts)
    found = store.mapped_from(route.object.name, targets)
    others = [(text, target) for text, target in found if text not in own and not is_former(text)]
    if not others:
        return set()
    now = {(text, json.dumps(target)) for text, target in keys_now(_rows(route, source_keys(others)))}
    held = {json.dumps(target) for text, target in others if (text, json.dumps(target)) in now}
    return {place for place, target in enumerate(targets) if json.dumps(target) in held}


def _rows(route: Route, keys: list[Key]) -> list[Row]:
    """As the source has them now, by a connection of their own: a batch may be half read."""
    source = route.source if route.source_of is None else route.source_of(route.object)
    if source is route.source:
        return source.find(keys)
    with closing(source):
        return source.find(keys)
