"""Load the rows again with which a comparison found something wrong, and compare them once more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.by_key import load_by_key
from milepost.migration.keys import unmap_key
from milepost.migration.passes import Pass, path_of, recorded
from milepost.migration.pin import Pin
from milepost.migration.route import Route, way_of
from milepost.migration.source import Key, Row, Source

REPAIR = "repair"

Pages = Callable[[], Iterator[tuple[int, list[Key]]]]
"""Gives the keys that a comparison kept, page by page."""


def repair(checkpoint: Checkpoint, route: Route, pin: Pin, pages: Pages) -> JSON:
    """Load the rows of these pages again, as the source has them now, at a checkpoint of their own below the object.

    A page that an earlier run did is passed over. Rows that are gone from the source stay as they are.
    """
    batches = Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True)
    batches.recover()
    checkpoint.expect(None)
    done = 0 if checkpoint.position is None else checkpoint.position["page"]
    for page, keys in pages():
        if page > done:
            load_by_key(batches, keys, high={"page": page})
    return None


def tell_of_open(root: Checkpoint) -> None:
    """Tell whoever runs the job that a repair is only half done: what it left is seen by a comparison alone."""
    if recorded(root.recall(), REPAIR).open:
        root.tell("a repair was interrupted: milepost verify --repair finishes it")


def left_open(last: Pass, names: Sequence[str]) -> list[str]:
    """The paths of these objects' parts of repairs that were interrupted; ``last`` is the latest one."""
    return [*last.unsettled, *(path_of(name, REPAIR, last.number) for name in names)] if last.open else []


def owes(store: BoundStore, values: Mapping[str, JSON], names: Sequence[str]) -> bool:
    """Whether an interrupted repair deleted rows that are to be loaded again, with what they refer to, and did not."""
    for path in left_open(recorded(values, REPAIR), names):
        record = store.get(f"{path}/deletes")
        batches = [] if record is None else [(record.path, seq) for seq in range(1, record.batches + 2)]
        if batches and any(store.mapped_by(name, batches) for name in names):
            return True
    return False


def pages_of(store: BoundStore, path: str, batches: int) -> Iterator[tuple[int, list[Key]]]:
    """The source keys that the comparison at ``path`` kept, batch by batch."""
    for seq in range(1, batches + 1):
        kept = store.mapped_by(path, [(path, seq)])
        if kept:
            yield seq, [unmap_key(text)[0] for text, _ in kept]


def read_pages(source: Source, pages: Pages, position: JSON) -> Iterator[tuple[JSON, list[Row]]]:
    """The rows of the pages behind the position, each page with the position that it reaches."""
    done = 0 if position is None else position["page"]
    for page, keys in pages():
        if page > done:
            yield {"page": page}, source.find(keys)
