"""What is left to do once a pass has loaded its rows: links, rows that vanished, and those that went with them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import count
from typing import TypeAlias

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON
from milepost.migration.deleting import Deleting
from milepost.migration.links import set_links
from milepost.migration.object import Object
from milepost.migration.orphaned import load_orphans
from milepost.migration.passes import VANISHED, recorded
from milepost.migration.ranges import Ranges
from milepost.migration.repair import REPAIR, left_open
from milepost.migration.retry import forget_gone
from milepost.migration.table import Sink
from milepost.migration.vanished import left_over, vanished
from milepost.migration.waiting import load_waiting, waiting
from milepost.wiring.subjects import Subjects

Table: TypeAlias = tuple[str, str | None]
"""The name of a target's table and its database, as the object names it."""


class Leavings:
    """Of one pass. ``parts`` are the paths at which objects' rows were loaded, by the passes that are to be settled.

    ``path`` gives the path of an object's part of this pass.
    """

    def __init__(self, subjects: Subjects, deletes: str, parts: Mapping[str, Object], number: str) -> None:
        self.subjects = subjects
        self.root = subjects.root
        self.deletes = deletes
        self.parts = parts
        self.number = number
        self.unsettled: list[str] = []  # what is to be settled once more objects are complete

    def settle(self) -> int:
        """Do it, and return how many rows were changed by it."""
        self._set_links(self.parts)
        changed = 0
        if self.deletes == "apply":
            touched = [each for each in self.subjects.objects if each in self.parts.values()]
            changed = sum(self._delete(each) for each in reversed(touched))
            counts = self._deletions()
            if counts:
                changed += sum(self._load_orphans(each, counts) for each in self.subjects.objects)
        return changed

    def load_waiting(self) -> int:
        """Load rows that were rejected for want of a parent that came by this pass. Returns how many rows changed.

        In a circle what came last may be a parent of what comes first: the objects are gone over until nothing came.
        """
        grown, changed = {_table_of(each) for each in self.parts.values()}, 0
        for turn in count(1):
            came = self._load_waiting(turn, grown)
            changed += sum(came.values())
            grown = {_table_of(each) for each in self.subjects.objects if came.get(each.name)}
            if not grown:
                break
        return changed

    def _load_waiting(self, turn: int, grown: Collection[Table]) -> dict[str, int]:
        """How many rows of which objects it changed. ``grown`` are the tables to which parents may have come."""
        came: dict[str, int] = {}
        tables = set(grown)
        for each in self.subjects.objects:
            if any(_table_of(parent) in tables for parent in each.parents.values()) and self._waits(each, turn):
                tables.add(_table_of(each))
                came[each.name] = self._load_again(self._waiting(each, turn), each, load_waiting)
        return came

    def _waits(self, each: Object, turn: int) -> bool:
        """Whether there is something to load, or was when an earlier run began to."""
        if not self.subjects.can_be_looked_at(each):
            return False
        if self.root.store.get(self._waiting(each, turn)) is not None:
            return True
        if self.root.store.get(self._waiting(each, turn + 1)) is not None:  # what is in doubt there is settled first
            return False
        with self.subjects.route(each) as route:
            return any(waiting(self.root.store, route))

    def _waiting(self, each: Object, turn: int) -> str:
        return f"{self._path(each)}/waiting" if turn == 1 else f"{self._path(each)}/waiting-{turn}"

    def forget_gone(self) -> None:
        """Forget rejects of rows that are gone, which no range had. A source without any row may be a mistake."""
        for each in dict.fromkeys(self.parts.values()):
            if self.subjects.can_be_looked_at(each) and any(one.rows for one in self.subjects.ranges(each)):
                with self.subjects.route(each) as route:
                    forget_gone(self.root.store, route)

    def report(self) -> None:
        """Remember, for everybody to see, what is in the target without a source row."""
        known = dict(self.root.recall().get(VANISHED) or {})
        for each in dict.fromkeys(self.parts.values()):
            with self.subjects.route(each) as route:
                countable = self.subjects.is_sole_and_fresh(each)
                left = left_over(self.root.store, route, self.subjects.ranges(each), countable=countable)
            known[each.name] = None if left is None else left.as_json()
        found = {name: left for name, left in known.items() if left is not None}
        if found or self.root.recall().get(VANISHED):
            self.root.replace(VANISHED, found)

    def write_down(self) -> None:
        """Keep what the ledgers came to, once nothing of the pass is left to be done."""
        for each in dict.fromkeys(self.parts.values()):
            self.subjects.write_down(each)

    def _path(self, each: Object) -> str:
        return f"{each.name}/{self.number}"

    # -- links

    def _set_links(self, paths: Mapping[str, Object]) -> None:
        for path, each in paths.items():
            with self.subjects.route(each) as route:
                if not route.later:
                    continue
                if self.subjects.is_linked(each):
                    self.subjects.started(f"{path}/links")
                    set_links(self.root, route, path)
                else:
                    self.unsettled.append(path)

    # -- rows that vanished

    def _delete(self, each: Object) -> int:
        if isinstance(each.target, Sink):
            return 0
        body = partial(self._delete_vanished, each=each)
        return int(self.subjects.call(f"{self._path(each)}/deletes", body)["loaded"])

    def _delete_vanished(self, checkpoint: Checkpoint, *, each: Object) -> JSON:
        checkpoint.expect(None)
        ranges = self.subjects.ranges(each)
        complete = self.subjects.is_complete(each)
        read_again = ranges.read_again or self.subjects.has_rewound(each)
        if read_again and not any(one.rows for one in ranges):
            checkpoint.tell(
                f"the source of {each.name} holds no row any more: nothing is deleted for it, in case that is a mistake"
            )
            return {"loaded": 0}
        self._forget_links(checkpoint, each, ranges)
        with self.subjects.family() as family:
            deleting = Deleting(checkpoint, family, each.name)
            by_key = self.subjects.by_key(each)
            for rows in vanished(checkpoint, family.routes[each.name], ranges, by_key, complete=complete):
                deleting.delete(rows)
        self.subjects.settle_rewound(each)
        if checkpoint.counts.loaded:
            what = "1 row" if checkpoint.counts.loaded == 1 else f"{checkpoint.counts.loaded:,} rows"
            checkpoint.tell(f"deleted {what} that the source has no more")
        return {"loaded": checkpoint.counts.loaded}

    def _forget_links(self, checkpoint: Checkpoint, each: Object, ranges: Ranges) -> None:
        """What batches that were read again wanted to have set later, where that is yet to come."""
        with self.subjects.route(each) as route:
            waits = bool(route.later) and not self.subjects.is_complete(each)
        for path, seq in ranges.replaced if waits else ():
            with checkpoint.transaction():
                checkpoint.store.keep_links(path, seq, [])

    # -- what went with them

    def _deletions(self) -> dict[str, int]:
        """The checkpoints of deletions that left something to be settled, with how many batches each has.

        Those of a repair that was interrupted too: nothing else tells that their rows are missing.
        One whose only batch was never recorded may have deleted rows that are in another database than the store.
        """
        repairs = left_open(recorded(self.root.recall(), REPAIR), [each.name for each in self.subjects.objects])
        paths = dict.fromkeys([*self.parts, *map(self._path, self.parts.values()), *repairs])
        records = ((path, self.root.store.get(path)) for path in (f"{path}/deletes" for path in paths))
        found = {path: record.batches for path, record in records if record is not None}
        first = [(path, 1) for path, batches in found.items() if not batches]
        if first and any(self.root.store.mapped_by(each.name, first) for each in self.subjects.objects):
            return found
        return {path: batches for path, batches in found.items() if batches}

    def _load_orphans(self, each: Object, deletes: Mapping[str, int]) -> int:
        if isinstance(each.target, Sink) or not self.subjects.record(each).batches:
            return 0
        return self._load_again(f"{self._path(each)}/again", each, partial(load_orphans, deletes=deletes))

    def _load_again(self, path: str, each: Object, load: Callable[..., JSON]) -> int:
        """By keys, at a checkpoint of its own; then the links of these rows. Returns how many rows changed."""
        pin = self.subjects.pin(each)
        if pin is None:
            return 0
        with self.subjects.route(each) as route:
            loaded = self.subjects.call(path, partial(load, route=route, pin=pin))["loaded"]
        self._set_links({path: each})
        return int(loaded)


def _table_of(each: Object) -> Table:
    return each.target.name, each.target.database


def objects_of(paths: Iterable[str], objects: Iterable[Object]) -> dict[str, Object]:
    """The objects to whose passes these paths belong."""
    by_name = {each.name: each for each in objects}
    return {path: by_name[name] for path in paths if (name := path.partition("/")[0]) in by_name}
