"""A migration as the body of a job: its objects checked, pinned, and moved in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from milepost.clock import Clock
from milepost.databases.url import expand, hide_password
from milepost.errors import Fatal, Interrupted, PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.parameters import NO_PARAMETERS, PARAMETERS
from milepost.jobs.state import JSON, State
from milepost.jobs.stop import Stop
from milepost.migration.apart import end_earlier
from milepost.migration.check import check_copy, check_declaration, check_store, check_target, look_ahead, try_out
from milepost.migration.duration import duration
from milepost.migration.gather import BatchLimits
from milepost.migration.keys import decode
from milepost.migration.links import set_links
from milepost.migration.migration import Migration, OwnStep
from milepost.migration.move import move
from milepost.migration.object import Object, Undo
from milepost.migration.order import Ordered, in_order
from milepost.migration.pin import Pin, check_definition
from milepost.migration.plan import Plan
from milepost.migration.repair import tell_of_open
from milepost.migration.route import Route
from milepost.migration.table import Rows
from milepost.migration.trial import Trial
from milepost.wiring.emptied import find_emptied, judge
from milepost.wiring.known import Known, known_of
from milepost.wiring.later import why_not_later
from milepost.wiring.openers import Openers
from milepost.wiring.passes import LIMIT, Passes
from milepost.wiring.pinning import pin_all
from milepost.wiring.places import Places
from milepost.wiring.planning import plan_object
from milepost.wiring.subjects import Attempt, Subjects


class Migrating:
    """One attempt at a migration: what its store knows, the routes of the objects still to move, what is to be told."""

    def __init__(
        self,
        migration: Migration,
        *,
        source: str | None,
        target: str | None,
        store: str,
        clock: Clock,
        openers: Openers,
        parameters: Mapping[str, str] = NO_PARAMETERS,
    ) -> None:
        self.migration = migration
        self.parameters = parameters
        self.openers = openers
        self.places = Places(source=source, target=target, store=store)
        self.clock = clock
        self.ordered = Ordered(objects=[])
        self.objects: list[Object] = []
        self.known = Known()
        self.routes: dict[str, Route] = {}
        self.accepted: frozenset[str] = frozenset()
        self.told: dict[str, str] = {}
        self.warnings: dict[str, tuple[str, ...]] = {}
        self.recheck = False  # look again at all ranges that are done, also of a job that is complete
        self.catch_up_limit = LIMIT

    def look(self) -> None:
        """Order the objects, and see what the store knows of them. Writes nothing; raises PlanError."""
        check_declaration(self.migration)
        self.ordered = in_order(self.migration.objects, self._why_not_later)
        self.objects = self.ordered.objects
        self.places.check(self.migration.name, self.objects)
        self._look_into_store()
        self.migration.parameters.settle(self.parameters, self.known.values.get("", {}).get(PARAMETERS))

    def prepare(self, accepted: frozenset[str], stop: Stop | None = None) -> None:
        """Look at everything that could keep the migration from working. Writes nothing; raises PlanError.

        Looking may take a while; where a stop is asked for meanwhile, it raises Interrupted between two objects.
        """
        self.look()
        self.accepted = accepted
        self._check_accepted()
        for each in self.objects:
            if stop is not None and stop.requested:
                raise Interrupted("stopped before anything was written")
            self._check_definition(each)
            if self.known.record(each.name).state is not State.COMPLETE:
                route = self.route(each)
                self.routes[each.name] = replace(route, trial=self._check_route(route))
                close(route)  # it opens again when it is read; a hundred objects are not a hundred connections
        self._tell_emptied()

    @property
    def unfinished(self) -> bool:
        """Whether something is still to be done, also when the job was complete before something was added to it."""
        steps = [*self.migration.first, *self.migration.between, *self.migration.last]
        names = [each.name for each in self.objects] + [step.name for step in steps]
        names += [f"{each.name}/links" for each in self.objects if self.ordered.later_of(each)]
        return self.recheck or not self.known.are_complete(names)

    def main(self, checkpoint: Checkpoint) -> JSON:
        """The body of the job."""
        self._look_into_store()  # again, now that nobody else can write
        checkpoint.settle(self.migration.parameters, self.parameters)
        for each in self.objects:
            self._check_definition(each)
        pins = pin_all(checkpoint, self.ordered, self.routes, self.known, self.places)
        for each in self.objects:
            if each.name in pins:
                checkpoint.foresee(each.name, pins[each.name].rows)
        _call_all(checkpoint, self.migration.first)
        for each in self.objects:
            if self.known.are_complete([one.name for one in self.ordered.awaited(each)]):
                self._set_links_of(checkpoint, each)  # before rows are looked at again, whose links are newer
        passes = self._passes(checkpoint, pins)
        passes.recheck(asked=self.recheck)
        for each in self.objects:
            body = partial(self._move, name=each.name, pin=pins.get(each.name))
            undo = None if each.undo is None else partial(self._undo, each=each, undo=each.undo)
            checkpoint.call(each.name, body, rollback=undo)
            for one in self.ordered.due(each):
                self._set_links_of(checkpoint, one)
            _call_all(checkpoint, [step for step in self.migration.between if step.after is each])
        passes.catch_up(self.catch_up_limit)
        _call_all(checkpoint, self.migration.last)
        passes.tell()
        tell_of_open(checkpoint)

    def plan(self, store: str) -> Plan:
        """What ``main`` would do, for people."""
        places = self.places
        objects = tuple(
            replace(
                plan_object(
                    each,
                    self.routes.get(each.name),
                    places,
                    self.known,
                    self.told.get(each.name),
                    self.objects[:place],
                ),
                warnings=self.warnings.get(each.name, ()),
            )
            for place, each in enumerate(self.objects)
        )
        source = None if places.source is None else hide_password(places.source)
        target = None if places.target is None else hide_password(expand(places.target))
        return Plan(job=self.migration.name, store=store, source=source, target=target, objects=objects)

    def close(self) -> None:
        for route in self.routes.values():
            close(route)

    def _check_accepted(self) -> None:
        unknown = self.accepted - {each.name for each in self.objects}
        if unknown:
            raise PlanError(f"{self.migration.name} has no object {', '.join(sorted(unknown))} to accept a change of")

    def _look_into_store(self) -> None:
        store = self.openers.store(self.places.store, create=False)
        self.known = known_of(store, self.migration.name, self.objects)

    def _check_definition(self, each: Object) -> None:
        accepted = each.name in self.accepted
        progress, pin, place = self.known.progress(each), self.known.pinned(each), self.places.read_from(each)
        rejected = self.known.record(each.name).counts.rejected
        later = self.ordered.later_of(each)
        told = check_definition(each, progress, pin, place, accepted=accepted, rejected=rejected, later=later)
        if told:
            self.told[each.name] = told

    def _tell_emptied(self) -> None:
        found = find_emptied(self.objects, self.known.records, openers=self.openers, url=self.places.target)
        for name, said in judge(found, self.accepted):
            self.told[name] = "\n".join(filter(None, (self.told.get(name), said)))

    def route(self, each: Object) -> Route:
        """The object's way from its source to its target, both not connected yet."""
        own, places = each.max_rejects, self.places
        return Route(
            object=each,
            source=self.openers.source(each, places.source),
            target=self.openers.target(each, places.target),
            limits=BatchLimits(rows=self.migration.batch_rows),
            max_rejects=self.migration.max_rejects if own is None else own,
            clock=self.clock,
            accepted=each.name in self.accepted,
            source_of=lambda other: self.openers.source(other, places.source),
            deletes=self.migration.deletes,
            later=self.ordered.later_of(each),
            outside=self.openers.outside(each, places.target, self.migration.name) if places.is_outside(each) else None,
        )

    def _check_route(self, route: Route) -> Trial | None:
        each = route.object
        check_store(each, outside=route.outside is not None)
        target = route.target.describe()
        check_target(each, target)
        source = route.source.describe()
        if each.function is None and not isinstance(each.source, Rows):
            check_copy(each, source, target)
        if self.known.pinned(each) is None:  # once: it may have to read the whole source, and resuming must stay cheap
            route.source.check_key()
        # a resumed object is tried on the rows that come next: those before are not read again
        trial = try_out(each, route.source, target, after=decode(self.known.record(each.name).position))
        later = [column for columns in sorted(route.later) for column in columns]
        self.warnings[each.name] = look_ahead(each, source, target, trial, later)
        return trial

    def _passes(self, checkpoint: Checkpoint, pins: dict[str, Pin]) -> Passes:
        attempt = Attempt(
            objects=self.objects,
            known=self.known,
            pins=pins,
            routes=self.routes,
            open_route=self.route,
            read_from=self.places.read_from,
        )
        recheck_after = duration(self.migration.recheck_after, "recheck_after")
        return Passes(Subjects(checkpoint, attempt), deletes=self.migration.deletes, recheck_after=recheck_after)

    def _move(self, checkpoint: Checkpoint, name: str, pin: Pin | None) -> JSON:
        if pin is None:
            raise Fatal(f"{name} was rewound while this run began", hint="Run the same command again.")
        try:
            return move(checkpoint, self.routes[name], pin)
        finally:
            close(self.routes[name])

    def _set_links_of(self, checkpoint: Checkpoint, each: Object) -> None:
        """The second pass over an object whose later parents are all there now."""
        if self.ordered.later_of(each):
            with closing(self.routes.get(each.name) or self.route(each)) as route:
                set_links(checkpoint, route, each.name)

    def _why_not_later(self, each: Object, columns: tuple[str, ...]) -> str | None:
        return why_not_later(each, columns, self.openers, self.places)

    def _undo(self, checkpoint: Checkpoint, *, each: Object, undo: Undo) -> None:
        """The user's rollback, behind whose back no earlier run may commit any more."""
        route = self.routes.get(each.name)
        if route is not None and route.outside is not None:
            with closing(route.outside):
                end_earlier(checkpoint, route.outside)
        undo(checkpoint)


def close(route: Route) -> None:
    """Close what the route itself opened."""
    route.close()


def _call_all(checkpoint: Checkpoint, steps: list[OwnStep]) -> None:
    for step in steps:
        checkpoint.call(step.name, _body(step.function))


def _body(function: Callable[..., Any]) -> Callable[[Checkpoint], JSON]:
    if inspect.signature(function).parameters:
        return function
    return lambda _checkpoint: function()
