"""Which ranges of the source an object's ledger vouches for now, after some of them were loaded again. Pure.

1. Keys are compared for equality only: what comes before what is the source's business. A range is found by its low
   end, which is the high end of the one before.
2. Whatever the entries are, the ranges have neither gap nor overlap: each begins where the one before ends.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from milepost.jobs.ledger import Entry
from milepost.jobs.state import JSON
from milepost.migration.keys import decode, highest
from milepost.migration.source import Extent

Batch: TypeAlias = tuple[str, int]
"""The path and ``seq`` of a ledger entry."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """``(low, high]`` of the source's keys, and what it held when it was last read.

    ``rows`` None: it was read in part only, and must be looked at again. ``batches`` are those whose rows are, or may
    still be, in the target for it; ``held`` is how many of them there are to be. ``most`` is how many rows it ever
    held, whatever came instead of rows that went.
    """

    low: JSON
    high: JSON
    rows: int | None
    modified: JSON = None
    held: int = 0
    most: int = 0
    batches: tuple[Batch, ...] = ()


@dataclass
class Ranges:
    """The ranges in order, and ``replaced``: the batches of those that were read again from end to end since.

    ``read_again``: whether there ever were such, also where they are not kept any more.
    """

    end: JSON = None  # the high end of the last range
    read_again: bool = False
    _ranges: dict[str, Range] = field(default_factory=dict)  # by their low ends
    _ends: set[str] = field(default_factory=set)  # their high ends
    _replaced: dict[Batch, None] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Range]:
        """In the source's order."""
        low: JSON = None
        while (found := self._ranges.get(_text(low))) is not None:
            yield found
            low = found.high

    def __len__(self) -> int:
        return len(self._ranges)

    @property
    def replaced(self) -> list[Batch]:
        """Batches of which nothing is to be in the target any more, but for what later batches loaded again."""
        still = {batch for each in self._ranges.values() for batch in each.batches}
        return [batch for batch in self._replaced if batch not in still]

    @property
    def fewer(self) -> int:
        """How many rows are gone, at least: as many as are fewer in a range than it held at some time."""
        return sum(each.most - each.rows for each in self if each.rows is not None)

    def keep_replaced(self, batches: Iterable[Batch]) -> None:
        """Forget the other ones that were replaced."""
        self._replaced = dict.fromkeys(batches)

    def as_json(self) -> JSON:
        every = [[one.high, one.rows, one.modified, one.held, one.most, list(map(list, one.batches))] for one in self]
        return {"ranges": every, "replaced": list(map(list, self.replaced)), "read again": self.read_again}

    @staticmethod
    def of_json(found: JSON) -> Ranges:
        """As ``as_json`` made it."""
        ranges = Ranges(read_again=found["read again"])
        for high, rows, modified, held, most, batches in found["ranges"]:
            own = tuple((path, seq) for path, seq in batches)
            low, ranges.end = ranges.end, high
            ranges._put(Range(low=low, high=high, rows=rows, modified=modified, held=held, most=most, batches=own))
        ranges.keep_replaced((path, seq) for path, seq in found["replaced"])
        return ranges

    def add(self, entry: Entry) -> None:
        """Take in the entry that was committed next."""
        new = Range(
            low=entry.low,
            high=entry.high,
            rows=entry.counts.read,
            modified=entry.modified,
            held=entry.counts.loaded + entry.counts.unchanged,
            most=entry.counts.read,
            batches=((entry.path, entry.seq),),
        )
        old = self._ranges.get(_text(entry.low))
        if old is not None and entry.low != entry.high:
            self._override(old, new)
        elif _text(entry.low) == _text(self.end):
            self.end = new.high
            self._put(new)

    def _override(self, old: Range, new: Range) -> None:
        """``new`` begins where ``old`` does. It takes the place of whole ranges, or of the first part of one."""
        covered = self._covered(old, new.high)
        for each in covered or [old]:
            del self._ranges[_text(each.low)]
            self._ends.discard(_text(each.high))
            self._replaced |= dict.fromkeys(each.batches)
            self.read_again = True
        self._put(replace(new, most=max(new.most, sum(each.most for each in covered))))
        if not covered:
            left = max(0, old.most - new.most)
            self._put(replace(old, low=new.high, rows=None, modified=None, held=0, most=left))

    def _put(self, each: Range) -> None:
        self._ranges[_text(each.low)] = each
        self._ends.add(_text(each.high))

    def _covered(self, first: Range, high: JSON) -> list[Range]:
        """The ranges from ``first`` on up to that end; none where no range ends there."""
        if _text(high) not in self._ends:
            return []
        found, each = [first], first
        while _text(each.high) != _text(high):
            following = self._ranges.get(_text(each.high))
            if following is None:
                return []
            found.append(following)
            each = following
        return found


def fold(entries: Iterable[Entry]) -> Ranges:
    """The ranges that these entries, in the order of their commits, leave."""
    ranges = Ranges()
    for entry in entries:
        ranges.add(entry)
    return ranges


def in_all(ranges: Iterable[Range]) -> Extent:
    """What all of them together held when they were last read; ``rows`` None where that is not known."""
    rows: int | None = 0
    modified: JSON = None
    for each in ranges:
        rows = None if rows is None or each.rows is None else rows + each.rows
        modified = later(modified, each.modified)
    return Extent(rows=rows, modified=modified)


def later(one: JSON, other: JSON) -> JSON:
    """The higher of two values of ``modified``, encoded; None where they have no order."""
    return highest(value for each in (one, other) for value in decode(each) or ())


def _text(key: JSON) -> str:
    return json.dumps(key, sort_keys=True)
