"""Load rows again that are told by their keys."""

from __future__ import annotations

from collections.abc import Sequence

from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.move import no_garbage_collection
from milepost.migration.source import Key, Row


def load_by_key(batches: Batches, keys: Sequence[Key], *, high: JSON = None, insert_only: bool = False) -> list[Row]:
    """Load the rows with these source keys as one batch, and return those that the source has; no batch for none.

    ``high`` is the position that is reached then (None: the number of the batch). ``insert_only``: they may change no
    row that is there.
    """
    rows, checkpoint = batches.route.source.find(keys), batches.checkpoint
    if rows:
        with no_garbage_collection():
            batches.commit_again(
                rows,
                low=checkpoint.position,
                high=checkpoint.batches + 1 if high is None else high,
                keys_only=True,
                insert_only=insert_only,
            )
    return rows
