"""What an object's ledgers came to, written down at the end of a pass: a look costs the same after any number of them.

1. It is derived from the ledgers, and says which of their batches are in it. So it may be written or not: what it says
   and the batches that it has not seen are together what all ledgers say.
2. Of batches that matter only for the key map, those are dropped that the key map has no row of any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from milepost.jobs.bound_store import BoundStore
from milepost.jobs.ledger import Entry
from milepost.jobs.state import JSON
from milepost.migration.passes import in_order_of_commit, reads_ranges
from milepost.migration.ranges import Batch, Ranges
from milepost.migration.vanished import BATCHES, pages

FOLDED = "folded"
_PASS = re.compile(r"(?P<kind>[a-z-]+)-(?P<number>\d+)")


@dataclass(frozen=True, kw_only=True)
class Folded:
    """``ranges`` as of the batches that it has ``seen``: so many of each path; all of a pass before one that it names.

    ``by_key`` are batches whose rows are to be asked for by their keys, as no range tells of them.
    """

    ranges: Ranges = field(default_factory=Ranges)
    by_key: tuple[Batch, ...] = ()
    seen: Mapping[str, int] = field(default_factory=dict)

    def unseen(self, counts: Mapping[str, int]) -> dict[str, int]:
        """Of these paths of the object, with so many batches each, those that are not behind it."""
        last = _last(self.seen)
        return {path: count for path, count in counts.items() if not _is_before(path, last)}

    def as_json(self) -> JSON:
        return {"ranges": self.ranges.as_json(), "by key": [list(each) for each in self.by_key], "seen": self.seen}


def place_of(name: str) -> str:
    """The path at which it is remembered: below the object, so that it is forgotten with what it is derived from."""
    return f"{name}/ranges"


def recorded(values: Mapping[str, JSON]) -> Folded:
    """What was written down last; nothing where nothing was."""
    found = values.get(FOLDED)
    if found is None:
        return Folded()
    by_key = tuple((path, seq) for path, seq in found["by key"])
    return Folded(ranges=Ranges.of_json(found["ranges"]), by_key=by_key, seen=found["seen"])


def fold_on(store: BoundStore, name: str, counts: Mapping[str, int]) -> Folded:
    """What all batches of the object came to; ``counts`` are its paths with how many batches each has."""
    before = recorded(store.recall(place_of(name)))
    new = before.unseen(counts)
    more = [path for path, count in new.items() if reads_ranges(path, name) and count > before.seen.get(path, 0)]
    for entry in in_order_of_commit({path: _behind(store, path, before.seen.get(path, 0)) for path in more}, name):
        before.ranges.add(entry)
    return Folded(ranges=before.ranges, by_key=by_key_of(before, name, counts), seen=_latest(counts))


def by_key_of(before: Folded, name: str, counts: Mapping[str, int]) -> tuple[Batch, ...]:
    """The batches whose rows are to be asked for by their keys, with those that came since."""
    found = dict.fromkeys(before.by_key)
    for path, count in before.unseen(counts).items():
        found |= dict.fromkeys(_by_key(path, before.seen.get(path, 0), count, of_range=reads_ranges(path, name)))
    return tuple(found)


def without_dead(store: BoundStore, name: str, folded: Folded, *, keeps_keys: bool) -> Folded:
    """The same without batches of which the key map has no row any more."""

    def living(batches: Iterable[Batch]) -> Iterator[Batch]:
        for page in pages(batches, BATCHES) if keeps_keys else ():
            if store.mapped_by(name, page):
                yield from page

    folded.ranges.keep_replaced(list(living(folded.ranges.replaced)))
    return Folded(ranges=folded.ranges, by_key=tuple(living(folded.by_key)), seen=folded.seen)


def _behind(store: BoundStore, path: str, seen: int) -> Iterator[Entry]:
    return (entry for entry in store.ledger(path) if entry.seq > seen)


def _by_key(path: str, seen: int, count: int, *, of_range: bool) -> Iterator[Batch]:
    """And the one behind the last: it may have mapped rows and never been recorded, where the store is outside."""
    return ((path, seq) for seq in range(count + 1 if of_range else seen + 1, count + 2))


def _pass_of(path: str) -> tuple[str, int] | None:
    found = _PASS.fullmatch(path.split("/")[1]) if "/" in path else None
    return (found["kind"], int(found["number"])) if found else None


def _last(paths: Iterable[str]) -> dict[str, int]:
    """The highest number of each kind of pass."""
    last: dict[str, int] = {}
    for kind, number in filter(None, map(_pass_of, paths)):
        last[kind] = max(number, last.get(kind, 0))
    return last


def _is_before(path: str, last: Mapping[str, int]) -> bool:
    """Whether it is of a pass after which there was another of its kind: that one began when this one was settled."""
    found = _pass_of(path)
    return found is not None and found[1] < last.get(found[0], 0)


def _latest(counts: Mapping[str, int]) -> dict[str, int]:
    last = _last(counts)
    return {path: count for path, count in counts.items() if not _is_before(path, last)}
