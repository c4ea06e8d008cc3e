"""Whether an object may have more rejects: those that it has now count, whichever of its passes made them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.intent import Forgotten
from milepost.jobs.ledger import RejectedRow
from milepost.migration.route import Route


class Allowance:
    """The rejects of one object as a pass over it goes on.

    They are counted once, when the pass rejects its first row, and added to from then on. Rows that went in meanwhile
    make that too many: so they are counted again before anything is refused for it.
    """

    def __init__(self, store: BoundStore, route: Route) -> None:
        self.store = store
        self.name = route.object.name
        self._count: int | None = None

    def taken(self, rejects: Sequence[RejectedRow], limit: int, forgotten: Forgotten | None = None) -> int:
        """How many rows are rejected besides those of the batch to be committed, without what it makes ``forgotten``.

        These count from now on.
        """
        going = 0 if forgotten is None else self._going(forgotten)
        if self._count is None or self._count - going + len(rejects) > limit:
            self._count = self.store.count_rejects(self.name)
        others = self._count - going
        self._count = others + len(rejects)
        return others

    def _going(self, forgotten: Forgotten) -> int:
        """How many rejects the batch makes forgotten, none counted twice."""
        keys, batches = {json.dumps(key) for key in forgotten.keys}, set(forgotten.batches)
        found = self.store.find_rejects(self.name, forgotten.keys) if keys else []
        by_key = sum(1 for one in found if json.dumps(one.key) in keys and (one.path, one.seq) not in batches)
        return by_key + (self.store.count_rejects(self.name, sorted(batches)) if batches else 0)
