"""A migration as the body of a job: its objects checked, pinned, and moved in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from milepost.clock import Clock
from milepost.databases.url import expand, hide_password, same_database, scheme
from milepost.errors import Fatal, Interrupted, PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.intent import INTENT
from milepost.jobs.state import JSON, Record, State
from milepost.jobs.stop import Stop
from milepost.migration.apart import end_earlier
from milepost.migration.check import check_copy, check_declaration, check_target, try_out
from milepost.migration.definition import definition
from milepost.migration.fresh import fresh_of
from milepost.migration.gather import BatchLimits
from milepost.migration.keys import decode
from milepost.migration.migration import Migration, OwnStep
from milepost.migration.move import Route, move
from milepost.migration.object import Object, Undo
from milepost.migration.order import in_order
from milepost.migration.pin import Pin, check_definition, freeze, name_of, reads_otherwise, recorded
from milepost.migration.plan import EXACTLY_ONCE, REPLAYED, SENT_AGAIN, SETTLED, ObjectPlan, Plan
from milepost.migration.table import Rows, Sink
from milepost.migration.trial import Trial
from milepost.wiring.emptied import find_emptied, judge
from milepost.wiring.ends import connect_read_only, place_of
from milepost.wiring.openers import Openers


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
    ) -> None:
        self.migration = migration
        self.openers = openers
        self.source = source
        self.target = target
        self.store = store
        self.clock = clock
        self.objects: list[Object] = []
        self.records: dict[str, Record] = {}
        self.values: dict[str, dict[str, JSON]] = {}
        self.routes: dict[str, Route] = {}
        self.accepted: frozenset[str] = frozenset()
        self.told: dict[str, str] = {}

    def prepare(self, accepted: frozenset[str], stop: Stop | None = None) -> None:
        """Look at everything that could keep the migration from working. Writes nothing; raises PlanError.

        Looking may take a while; where a stop is asked for meanwhile, it raises Interrupted between two objects.
        """
        check_declaration(self.migration)
        self.objects = in_order(self.migration.objects)
        self.accepted = accepted
        self._check_accepted()
        self._refuse_forgetting()
        self._check_parents()
        self._look_into_store()
        for each in self.objects:
            if stop is not None and stop.requested:
                raise Interrupted("stopped before anything was written")
            self._check_definition(each)
            if self.state(each) is not State.COMPLETE:
                route = self._route(each)
                self.routes[each.name] = replace(route, trial=self._check_route(route))
                close(route)  # it opens again when it is read; a hundred objects are not a hundred connections
        self._tell_emptied()

    def state(self, each: Object) -> State:
        record = self.records.get(each.name)
        return State.PENDING if record is None else record.state

    def progress(self, each: Object) -> State:
        """The state, but PENDING as long as it surely moved nothing: no batch is committed, and none is in doubt."""
        record = self.records.get(each.name)
        if record is None:
            return State.PENDING
        moved = record.batches > 0 or self.values[each.name].get(INTENT) is not None
        return record.state if moved or record.state in {State.ROLLING_BACK, State.COMPLETE} else State.PENDING

    @property
    def unfinished(self) -> bool:
        """Whether something is still to be done, also when the job was complete before something was added to it."""
        steps = [*self.migration.first, *self.migration.between, *self.migration.last]
        names = [each.name for each in self.objects] + [step.name for step in steps]
        return any(name not in self.records or self.records[name].state is not State.COMPLETE for name in names)

    def main(self, checkpoint: Checkpoint) -> JSON:
        """The body of the job."""
        self._look_into_store()  # again, now that nobody else can write
        for each in self.objects:
            self._check_definition(each)
        pins = self._pin(checkpoint)
        for each in self.objects:
            if each.name in pins:
                checkpoint.foresee(each.name, pins[each.name].rows)
        _call_all(checkpoint, self.migration.first)
        for each in self.objects:
            body = partial(self._move, name=each.name, pin=pins.get(each.name))
            undo = None if each.undo is None else partial(self._undo, each=each, undo=each.undo)
            checkpoint.call(each.name, body, rollback=undo)
            _call_all(checkpoint, [step for step in self.migration.between if step.after is each])
        _call_all(checkpoint, self.migration.last)

    def plan(self, store: str) -> Plan:
        """What ``main`` would do, for people."""
        objects = tuple(map(self._plan_object, self.objects))
        source = None if self.source is None else hide_password(self.source)
        target = None if self.target is None else hide_password(expand(self.target))
        return Plan(job=self.migration.name, store=store, source=source, target=target, objects=objects)

    def close(self) -> None:
        for route in self.routes.values():
            close(route)

    def _check_accepted(self) -> None:
        unknown = self.accepted - {each.name for each in self.objects}
        if unknown:
            raise PlanError(f"{self.migration.name} has no object {', '.join(sorted(unknown))} to accept a change of")

    def _refuse_forgetting(self) -> None:
        if scheme(self.store) == "memory":
            raise PlanError(
                f"{self.migration.name}: a store in memory cannot say, after a crash, what is in the target",
                hint="Leave store= out; the store is then kept in the target's own database.",
            )

    def _is_outside(self, each: Object) -> bool:
        """Whether rows and checkpoint of the object are in two databases, and cannot commit together."""
        url = self._target_of(each)
        return url is not None and not same_database(url, self.store)

    def _target_of(self, each: Object) -> str | None:
        """The URL of the database that its rows go to; None for a Sink, and where none is given."""
        url = each.target.database or self.target
        return None if url is None or isinstance(each.target, Sink) else expand(url)

    def _check_parents(self) -> None:
        """Parents are looked up in the database that the rows go to."""
        for each in self.objects:
            here = self._target_of(each)
            for parent in each.parents.values():
                there = self._target_of(parent)
                if here is not None and there is not None and not same_database(here, there):
                    raise PlanError(
                        f"{each.name} goes to {hide_password(here)}, and its parent {parent.name} to"
                        f" {hide_password(there)}: nobody there could say whether a row's parent is there",
                        hint="Move both into one database, or leave this parent out.",
                    )

    def _look_into_store(self) -> None:
        store = self.openers.store(self.store, create=False)
        if store is None:
            return
        with closing(store):
            job = self.migration.name
            self.records = {record.path: record for record in store.checkpoints(job)}
            self.values = {path: store.recall(job, path) for path in ("", *(each.name for each in self.objects))}

    def _pinned(self, each: Object) -> Pin | None:
        return recorded(self.values.get("", {}), each)

    def _check_definition(self, each: Object) -> None:
        accepted = each.name in self.accepted
        told = check_definition(each, self.progress(each), self._pinned(each), self._read_from(each), accepted=accepted)
        if told:
            self.told[each.name] = told

    def _tell_emptied(self) -> None:
        found = find_emptied(self.objects, self.records, openers=self.openers, url=self.target)
        for name, said in judge(found, self.accepted):
            self.told[name] = "\n".join(filter(None, (self.told.get(name), said)))

    def _read_from(self, each: Object) -> str | None:
        """Which database the object's rows come from; None where the user's own function reads them."""
        return None if isinstance(each.source, Rows) else place_of(each.source.database or self.source)

    def _route(self, each: Object) -> Route:
        own = each.max_rejects
        return Route(
            object=each,
            source=self.openers.source(each, self.source),
            target=self.openers.target(each, self.target),
            limits=BatchLimits(rows=self.migration.batch_rows),
            max_rejects=self.migration.max_rejects if own is None else own,
            clock=self.clock,
            accepted=each.name in self.accepted,
            outside=self.openers.outside(each, self.target, self.migration.name) if self._is_outside(each) else None,
        )

    def _check_route(self, route: Route) -> Trial | None:
        each = route.object
        target = route.target.describe()
        check_target(each, target)
        source = route.source.describe()
        if each.function is None and not isinstance(each.source, Rows):
            check_copy(each, source, target)
        if self._pinned(each) is None:  # once: it may have to read the whole source, and resuming must stay cheap
            route.source.check_key()
        record = self.records.get(each.name)
        # a resumed object is tried on the rows that come next: those before are not read again
        return try_out(each, route.source, target, after=None if record is None else decode(record.position))

    def _pin(self, checkpoint: Checkpoint) -> dict[str, Pin]:
        """The pin of every object still to move: as recorded, else frozen now and recorded.

        Children are frozen before their parents: a source that lives on may then have parents that no child needs, but
        no child without its parent.
        """
        values, pins = checkpoint.recall(), {}
        for each in reversed([each for each in self.objects if each.name in self.routes]):
            before = recorded(values, each)
            pins[each.name] = self._pin_object(each, before)
            if pins[each.name] != before:
                checkpoint.replace(name_of(each.name), pins[each.name].as_json())
        return pins

    def _pin_object(self, each: Object, pin: Pin | None) -> Pin:
        """The pin as recorded; frozen anew where the object has not begun, or was changed to read other rows."""
        now, source = definition(each, self._read_from(each)), self.routes[each.name].source
        if pin is not None and pin.definition == now:
            return pin
        if pin is None or self.progress(each) is State.PENDING or reads_otherwise(pin, now):
            try:
                return freeze(each, source, self._read_from(each))
            finally:
                source.close()
        return Pin(definition=now, end=pin.end, rows=pin.rows)

    def _move(self, checkpoint: Checkpoint, name: str, pin: Pin | None) -> JSON:
        if pin is None:
            raise Fatal(f"{name} was rewound while this run began", hint="Run the same command again.")
        try:
            return move(checkpoint, self.routes[name], pin)
        finally:
            close(self.routes[name])

    def _plan_object(self, each: Object) -> ObjectPlan:
        state, pin, route = self.state(each), self._pinned(each), self.routes.get(each.name)
        record = self.records.get(each.name) or Record(path=each.name)
        rows = pin.rows if pin is not None else None
        if pin is None and route is not None:
            rows = route.source.count(route.source.highest())
        fresh = fresh_of(self.values.get(each.name, {}), each)
        if fresh is None:
            fresh = route is None or self._is_empty(each, route)
        return ObjectPlan(
            name=each.name,
            source=each.source.name,
            target=each.target.name,
            parents=tuple(parent.name for parent in each.parents.values()),
            rows=rows,
            loading=self._loading(each, fresh=fresh),
            promise=self._promise(each),
            state=state,
            done=record.counts,
            notes=(
                *(_notes(each, fresh=fresh) if route else ()),
                *([self.told[each.name]] if each.name in self.told else []),
            ),
        )

    def _undo(self, checkpoint: Checkpoint, *, each: Object, undo: Undo) -> None:
        """The user's rollback, behind whose back no earlier run may commit any more."""
        route = self.routes.get(each.name)
        if route is not None and route.outside is not None:
            with closing(route.outside):
                end_earlier(checkpoint, route.outside)
        undo(checkpoint)

    def _is_empty(self, each: Object, route: Route) -> bool:
        url = self._target_of(each)
        if url is None:
            return True
        with closing(connect_read_only(url)) as connection:
            return route.target.is_empty(connection)

    def _loading(self, each: Object, *, fresh: bool) -> str:
        url = self._target_of(each)
        if url is None:
            return "sent"
        asked = bool(each.parents) and scheme(url) != "postgresql"
        return "staged" if not fresh or each.on_duplicate == "last" or asked else "direct"

    def _promise(self, each: Object) -> str:
        url, key = self._target_of(each), ", ".join(each.target_key)
        if url is None:
            return SENT_AGAIN.format(name=each.target.name, key=key)
        if not self._is_outside(each):
            return EXACTLY_ONCE
        return SETTLED if scheme(url) == "postgresql" else REPLAYED.format(key=key)


def _notes(each: Object, *, fresh: bool) -> Iterator[str]:
    if not fresh:
        key = ", ".join(each.target_key)
        yield f"{each.target.name} holds rows already: rows are upserted on ({key}), the later of two with one key last"
    if isinstance(each.source, Rows):
        yield "the number of rows is not known beforehand"
    if each.on_duplicate == "last":
        yield "of rows with the same key the last one is kept"


def close(route: Route) -> None:
    """Close what the route itself opened. The store is then the last to close a SQLite file, and folds its WAL in."""
    route.source.close()
    route.target.close()
    if route.outside is not None:
        route.outside.close()


def _call_all(checkpoint: Checkpoint, steps: list[OwnStep]) -> None:
    for step in steps:
        checkpoint.call(step.name, _body(step.function))


def _body(function: Callable[..., Any]) -> Callable[[Checkpoint], JSON]:
    if inspect.signature(function).parameters:
        return function
    return lambda _checkpoint: function()
