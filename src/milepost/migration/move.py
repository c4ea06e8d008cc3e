"""Move one object: read a batch, restructure it, load it; the commit of its rows is its checkpoint."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.gather import gather
from milepost.migration.keys import decode
from milepost.migration.pin import Pin
from milepost.migration.route import Route, way_of


def move(checkpoint: Checkpoint, route: Route, pin: Pin) -> JSON:
    """Move every row behind the checkpoint's position, batch by batch, up to the end that the plan pinned.

    Returns None: what was done is in the ledger. Raises Fatal where more rows are rejected than allowed; that batch is
    then not committed.
    """
    checkpoint.expect(pin.rows)
    way = way_of(checkpoint, route)
    doubtful = way.recover()
    if pin.rows == 0 and doubtful is None:
        return
    batches = Batches(checkpoint, route, pin, way)
    if doubtful is not None:
        batches.replay(doubtful)
    chunks = route.source.read(decode(checkpoint.position), decode(pin.end), route.limits.chunk)
    for rows in gather(chunks, route.limits, route.clock):
        with no_garbage_collection():
            batches.commit(rows)
    read, counts = checkpoint.counts.read, checkpoint.counts
    if read and not counts.loaded + counts.unchanged:
        checkpoint.tell(
            f"of {read:,} rows read none was loaded: {counts.filtered:,} filtered, {counts.rejected:,} rejected"
        )
    if pin.rows is not None and read != pin.rows:
        checkpoint.tell(f"{read:,} rows were read where {pin.rows:,} were counted at the start: the source has changed")


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Do without Python's search for cycles: a batch makes a hundred thousand objects, none of them in one.

    It takes a tenth of the time. What cycles the user's function leaves are found while the next batch is read.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
