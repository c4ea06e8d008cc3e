"""Where a later row of the source takes the place of an earlier one with the same target key: what an earlier one lacks
in the target is no difference once the later one is met.

The earlier rows that differ are kept in the key map of the comparison's own store, so that memory does not grow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from milepost.jobs.checkpoint import Checkpoint
from milepost.migration.expected import Expected
from milepost.migration.findings import Findings
from milepost.migration.keys import readable
from milepost.migration.source import Key


class Superseding:
    """Of one object's comparison at ``checkpoint``. ``target_keys`` gives those of the expected rows."""

    def __init__(self, checkpoint: Checkpoint, target_keys: Callable[[Expected], list[Key]]) -> None:
        self.checkpoint = checkpoint
        self.target_keys = target_keys
        self.path = f"{checkpoint.path}/differing"

    def last_of_each(self, wanted: Expected) -> tuple[Expected, int]:
        """Of the rows with one key the last, and how many were left out."""
        last = {key: place for place, key in enumerate(self.target_keys(wanted))} if wanted.rows else {}
        left = len(wanted.rows) - len(last)
        if not left:
            return wanted, 0
        kept = sorted(last.values())
        rows, places = [wanted.rows[place] for place in kept], [wanted.places[place] for place in kept]
        return replace(wanted, rows=rows, places=places), left

    def settle(self, found: Findings, wanted: Expected, differing: Mapping[int | None, str]) -> Findings:
        """What was found before this batch, without what its rows explain. To be called in a transaction.

        ``differing`` are the places of this batch's own differences, with their source keys as text.
        """
        if not wanted.rows or not (found.differing or differing):
            return found  # as of nearly all batches: nothing is to be looked up
        texts = [_text(key) for key in self.target_keys(wanted)]
        store = self.checkpoint.store
        explained = store.mapped(self.path, texts) if found.differing else {}
        if explained:
            store.unmap(self.path, list(explained))
            store.unmap(self.checkpoint.path, list(explained.values()))
        here = [
            (text, differing[place]) for text, place in zip(texts, wanted.places, strict=True) if place in differing
        ]
        if here:
            store.map_keys(self.path, (self.checkpoint.path, self.checkpoint.batches + 1), here)
        return found.explained(explained.keys())


def _text(key: Key) -> str:
    return json.dumps([readable(value) for value in key])
