"""The objects of a migration as a pass over them finds them: their routes, pins, and what their ledgers vouch for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON, Record, State
from milepost.migration.definition import definition
from milepost.migration.deleting import Family
from milepost.migration.folded import FOLDED, Folded, by_key_of, fold_on, place_of, without_dead
from milepost.migration.fresh import fresh_of
from milepost.migration.object import Object
from milepost.migration.passes import reads_ranges
from milepost.migration.pin import Pin, reads_otherwise, recorded
from milepost.migration.ranges import Batch, Ranges
from milepost.migration.route import Route
from milepost.migration.sight import is_countable
from milepost.migration.source import Source
from milepost.migration.way import rewound
from milepost.wiring.known import Known

Seen = TypeVar("Seen")
SETTLED = "rewound rows"  # under which name an object remembers that they were looked at


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What an attempt at a migration lends to the passes.

    ``pins`` are those of the objects that are still to be moved, and ``routes`` theirs; ``open_route`` makes others.
    ``read_from`` names the database that an object's rows come from.
    """

    objects: Sequence[Object]
    known: Known
    pins: dict[str, Pin]
    routes: Mapping[str, Route]
    open_route: Callable[[Object], Route]
    read_from: Callable[[Object], str | None]


class Subjects:
    """All objects, in order; what is asked about them is asked at the job's own checkpoint, ``root``."""

    def __init__(self, root: Checkpoint, attempt: Attempt) -> None:
        self.root = root
        self.attempt = attempt
        self.objects = attempt.objects
        self._routes: dict[str, Route] = {}
        self._paths = set(attempt.known.records)
        self._started: set[str] = set()
        self._folded: dict[str, Folded] = {}
        self.closed: set[str] = set()  # objects whose sources cannot be asked any more

    # -- one object

    @contextmanager
    def route(self, each: Object) -> Iterator[Route]:
        """The object's route, closed again after it."""
        route = self._route(each)
        try:
            yield route
        finally:
            route.close()

    @contextmanager
    def family(self) -> Iterator[Family]:
        """The routes of all, closed again after it."""
        family = Family(routes={each.name: self._route(each) for each in self.objects})
        try:
            yield family
        finally:
            for route in family.routes.values():
                route.close()

    def _route(self, each: Object) -> Route:
        """Without the trial: that is of rows that are yet to come."""
        if each.name not in self._routes:
            given = self.attempt.routes.get(each.name)
            self._routes[each.name] = replace(given, trial=None) if given else self.attempt.open_route(each)
        return self._routes[each.name]

    def pin(self, each: Object) -> Pin | None:
        return self.attempt.pins.get(each.name) or recorded(self.root.recall(), each)

    def record(self, each: Object) -> Record:
        return self.root.store.get(each.name) or Record(path=each.name)

    def is_complete(self, each: Object) -> bool:
        return self.record(each).state is State.COMPLETE

    def can_be_looked_at(self, each: Object) -> bool:
        """Whether the source can tell of its ranges, and is the one that they were read from, or accepted in its place.

        Of another one nobody knows whether what it lacks was deleted.
        """
        pin = self.pin(each)
        if pin is None or not is_countable(each):
            return False
        record = self.record(each)
        half_done = record.state in {State.STARTED, State.FAILED} and record.batches > 0 and each.undo is None
        if not half_done and record.state is not State.COMPLETE:
            return False
        if not self._route(each).accepted and reads_otherwise(pin, definition(each, self.attempt.read_from(each))):
            self.closed.add(each.name)
            return False
        return True

    def call(self, path: str, body: Callable[[Checkpoint], JSON]) -> JSON:
        """Call the checkpoint at that path, from the root."""
        self.started(path)
        try:
            return self.root.call(path, body)
        finally:
            self.started(path)  # its batches

    def look(self, each: Object, ask: Callable[[Source], Seen]) -> Seen | None:
        """What the object's source says; None where it cannot be asked.

        It may be gone once the object is complete: then that is told at the end.
        """
        if not self.can_be_looked_at(each):
            return None
        try:
            with self.route(each) as route:
                return ask(route.source)
        except PlanError:
            if not self.is_complete(each):
                raise
            self.closed.add(each.name)
            return None

    # -- what the ledger says

    def started(self, path: str) -> None:
        """Note a path at which this run writes."""
        self._paths.add(path)
        self._started.add(path)
        name = path.partition("/")[0]
        if reads_ranges(path, name):
            self._folded.pop(name, None)

    def look_anew(self) -> None:
        """Objects were moved meanwhile."""
        self._folded.clear()

    def ranges(self, each: Object) -> Ranges:
        return self._fold(each).ranges

    def by_key(self, each: Object) -> Sequence[Batch]:
        """The batches of the object of which no range tells."""
        return by_key_of(self._fold(each), each.name, self._counts(each))

    def end(self, each: Object) -> JSON:
        """Up to where the object's rows were taken in."""
        passes = any(path != each.name and reads_ranges(path, each.name) for path in self._paths_of(each))
        return self.ranges(each).end if passes else self.record(each).position

    def write_down(self, each: Object) -> None:
        """Remember what the object's ledgers came to, so that nobody needs to read them again."""
        folded = fold_on(self.root.store, each.name, self._counts(each))
        folded = without_dead(self.root.store, each.name, folded, keeps_keys=self._route(each).keeps_keys)
        self.root.beside(place_of(each.name)).replace(FOLDED, folded.as_json())

    def _fold(self, each: Object) -> Folded:
        if each.name not in self._folded:
            self._folded[each.name] = fold_on(self.root.store, each.name, self._counts(each))
        return self._folded[each.name]

    def _paths_of(self, each: Object) -> list[str]:
        """Its own, and those below it but for links."""
        below = f"{each.name}/"
        return [
            each.name,
            *(path for path in self._paths if path.startswith(below) and not path.endswith("/links")),
        ]

    def _counts(self, each: Object) -> dict[str, int]:
        """The paths of the object with how many batches each has. The store is asked for what this run writes."""
        known = {path: self.attempt.known.records.get(path) for path in self._paths_of(each)}
        known |= {path: self.root.store.get(path) for path in known if path in self._started or path == each.name}
        return {path: record.batches for path, record in known.items() if record is not None}

    def is_sole_and_fresh(self, each: Object) -> bool:
        """Whether whatever its table holds came from this object's ranges, a target row for each that was loaded."""
        place = (each.target.name, each.target.database)
        others = [one for one in self.objects if one is not each and (one.target.name, one.target.database) == place]
        fresh = fresh_of(self.root.store.recall(each.name), each)
        return bool(fresh) and not others and each.on_duplicate != "last" and not self._has_keyed(each)

    def _has_keyed(self, each: Object) -> bool:
        """Whether rows were loaded by their keys."""
        return any(count and not reads_ranges(path, each.name) for path, count in self._counts(each).items())

    # -- what a rewind forgot

    def has_rewound(self, each: Object) -> bool:
        """Whether rows are left of before a rewind, that were not loaded since, and nobody has looked at them."""
        if not self.is_complete(each) or not self._route(each).keeps_keys:
            return False
        store = self.root.store
        return SETTLED not in store.recall(each.name) and bool(store.mapped_by(each.name, [rewound(each.name)]))

    def settle_rewound(self, each: Object) -> None:
        """Note that they were looked at: some may have had to stay. The next rewind forgets it."""
        if self.has_rewound(each):
            self.root.beside(each.name).replace(SETTLED, "looked at")

    # -- links that are set later

    def is_linked(self, each: Object) -> bool:
        """Whether all rows are in that its links may point to."""
        parents = [each.parents[columns] for columns in self._route(each).later]
        return all(self.is_complete(one) for one in (each, *parents))
