"""One object's part of a pass: the ranges that moved at its source, and the rows beyond its end, are loaded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.batches import Batches
from milepost.migration.gather import gather
from milepost.migration.keys import decode, encode
from milepost.migration.move import no_garbage_collection
from milepost.migration.pin import Pin
from milepost.migration.ranges import Batch, Range, Ranges, in_all
from milepost.migration.restructure import picker
from milepost.migration.route import Route, way_of
from milepost.migration.source import Extent, Row, Source
from milepost.migration.table import Sink


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a pass is to look at: with ``ranges`` those that are done, and rows beyond them up to ``end``, if any."""

    ranges: bool
    end: JSON = None


def has_moved(source: Source, ranges: Ranges, *, closely: bool) -> bool:
    """Whether anything of it looks otherwise than when it was read.

    ``closely``: range by range, so that a row that went from one and a row that came into another are both seen; else
    by one query, which sees them by the highest ``modified``, or where they left more rows or fewer.
    """
    before = in_all(ranges)
    if not ranges or before.rows is None or closely:
        return any(_has_moved(source, each) for each in ranges)
    return source.extent(None, decode(ranges.end)) != before


def moved(source: Source, ranges: Iterable[Range], *, last_wins: bool) -> Iterator[Range]:
    """The ranges that look otherwise now than when they were read.

    ``last_wins``: a range loaded again would win over those behind it, so that they are loaded again too.
    """
    again = False
    for each in ranges:
        again = (again and last_wins) or _has_moved(source, each)
        if again:
            yield each


def beyond(source: Source, end: JSON) -> JSON:
    """The key of the last row where there are rows behind ``end``, else None. One query where nothing changed."""
    highest = source.highest()
    found = None if highest is None else encode(highest)
    return found if found is not None and found != end and source.extent(decode(end), highest).rows else None


def _has_moved(source: Source, each: Range) -> bool:
    before = Extent(rows=each.rows, modified=each.modified)
    return before.rows is None or source.extent(decode(each.low), decode(each.high)) != before


def load_again(checkpoint: Checkpoint, route: Route, pin: Pin, ranges_of: Callable[[], Ranges], task: Task) -> JSON:
    """Do the object's part of a pass at ``checkpoint``; ``ranges_of`` tells its present ranges, anew when asked.

    Returns how many ranges moved, and what was read and loaded for them. What an earlier run left in doubt is settled
    first.
    """
    checkpoint.expect(None)
    batches = Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True)
    batches.recover()
    ranges = ranges_of()
    reading = Reading(route, batches)
    if task.ranges:
        upserts = not (batches.fresh or route.object.is_mapped or isinstance(route.object.target, Sink))
        last_wins = route.object.on_duplicate == "last" or upserts
        for each in moved(route.source, ranges, last_wins=last_wins):
            reading.take_in(each.low, each.high, replaces=each.batches)
    if task.end is not None and task.end != ranges.end:
        reading.take_in(ranges.end, task.end)
    counts = checkpoint.counts
    return {"read": counts.read, "loaded": counts.loaded, "rejected": counts.rejected}


class Reading:
    """Reads ranges and commits them, in batches of the usual size."""

    def __init__(self, route: Route, batches: Batches) -> None:
        self.route = route
        self.batches = batches

    def take_in(self, low: JSON, high: JSON, *, replaces: tuple[Batch, ...] = ()) -> None:
        """Load what ``(low, high]`` holds now; without ``replaces`` it is loaded for the first time.

        The last batch ends at ``high``, whatever the last row's key is; a range that holds nothing any more is a batch
        of no rows.
        """
        new = not replaces
        chunks = self.route.source.read(decode(low), decode(high), self.route.limits.chunk)
        rows: list[Row] = []
        for following in gather(chunks, self.route.limits, self.route.clock):
            if rows:
                middle = self._key_of(rows[-1])
                self._commit(rows, low, middle, replaces, new=new)
                low, replaces = middle, ()
            rows = following
        if rows or replaces:
            self._commit(rows, low, high, replaces, new=new)

    def _commit(self, rows: list[Row], low: JSON, high: JSON, replaces: tuple[Batch, ...], *, new: bool) -> None:
        insert_only = new and self.batches.fresh and self.route.object.on_duplicate != "last"
        with no_garbage_collection():
            self.batches.commit_again(rows, low=low, high=high, replaces=replaces, insert_only=insert_only)

    def _key_of(self, row: Row) -> JSON:
        names = self.route.source.columns
        return encode(picker([names.index(name) for name in self.route.source.key])(row))
