"""Look again at a source that lives on: when a run goes on after a pause, when asked to, and after the last object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial

from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON, State
from milepost.migration.again import Task, beyond, has_moved, load_again
from milepost.migration.batches import Batches
from milepost.migration.keys import decode, encode
from milepost.migration.object import Object
from milepost.migration.passes import (
    AS_OF,
    AS_OF_IN_WORDS,
    CATCH_UP,
    PASSES,
    RECHECK,
    VANISHED,
    Pass,
    longest_pause,
    path_of,
    recorded,
)
from milepost.migration.pin import Pin, name_of
from milepost.migration.repair import owes
from milepost.migration.route import Route, way_of
from milepost.migration.sight import as_of_in_words, is_countable
from milepost.migration.source import Source
from milepost.migration.vanished import Left
from milepost.migration.way import left_behind
from milepost.wiring.leavings import Leavings, objects_of
from milepost.wiring.subjects import Subjects

LIMIT = 10  # passes to catch up, unless the user says otherwise


class Passes:
    """The passes of one run over the objects of a migration."""

    def __init__(self, subjects: Subjects, *, deletes: str, recheck_after: timedelta) -> None:
        self.subjects = subjects
        self.root: Checkpoint = subjects.root
        self.deletes = deletes
        self.recheck_after = recheck_after
        runs = subjects.attempt.known.runs
        self._epoch = runs[-1].epoch if runs else 0

    # -- when

    def recheck(self, *, asked: bool) -> None:
        """Before new work: go on with a recheck that was interrupted; begin one if the pause was long, or if asked."""
        last = self._recorded(RECHECK)
        due = (asked and last.epoch != self._epoch) or self._paused_long(since=last.epoch)
        if last.open and self._ended_in_error:
            last, due = self._given_up(RECHECK, last), True
        elif last.open:
            self._sweep(RECHECK, last)
            last = self._recorded(RECHECK)
        if due:
            self._recheck(last)

    def catch_up(self, limit: int) -> None:
        """After the last object: passes over what came or changed since it was read, until one finds nothing.

        At most ``limit`` of them. The time as of which the target is right then is remembered.
        """
        self._settle_waiting()
        self.subjects.look_anew()
        last, at, passes = self._recorded(CATCH_UP), None, 0
        if last.open and self._ended_in_error:
            last = self._given_up(CATCH_UP, last)
        elif last.open:
            self._sweep(CATCH_UP, last)
            last, at, passes = self._recorded(CATCH_UP), last.begun, 1
        while limit:
            begun = self.root.store.now().isoformat()
            ends, objects = self._ends(), self._changed()
            if not passes:
                objects = [each for each in self.subjects.objects if each in objects or self._left_behind(each)]
            if not (objects or ends or self._owes(last)):
                at = begun
                break
            if passes >= limit:
                self.root.tell(f"the source goes on changing: after {passes} passes there was still something to do")
                break
            at, passes = begun, passes + 1
            changed = self._sweep(CATCH_UP, self._open(CATCH_UP, last, objects, ends, begun))
            last = self._recorded(CATCH_UP)
            if not changed:
                break
        with self.root.transaction():
            self.root.replace(AS_OF, at)
            self.root.replace(AS_OF_IN_WORDS, self._as_of_in_words(at))

    def tell(self) -> None:
        """Say, at the end, as of when the target is right, and what is not."""
        values = self.root.recall()
        for name, left in (values.get(VANISHED) or {}).items():
            self.root.tell(Left.of_json(left).in_words(name))
        self.root.tell_as_of(values.get(AS_OF), self._as_of_in_words(values.get(AS_OF)))

    def _as_of_in_words(self, at: str | None) -> str:
        return as_of_in_words(at, self.subjects.objects, self.deletes, self.subjects.closed)

    def _owes(self, last: Pass) -> bool:
        """Whether passes, or a repair that was interrupted, left something to be settled."""
        names = [each.name for each in self.subjects.objects]
        repair = self.deletes == "apply" and owes(self.root.store, self.root.recall(), names)
        return bool(last.unsettled) or repair

    def _recheck(self, last: Pass) -> None:
        begun = self.root.store.now().isoformat()
        ends, pins = self._ends(), self._pins()
        objects = [each for each in self.subjects.objects if self._has_moved(each, closely=True)]
        if objects or ends or self._owes(last):
            self._sweep(RECHECK, self._open(RECHECK, last, objects, ends, begun, pins))
        else:
            self._remember(RECHECK, last.over(epoch=self._epoch), pins)

    def _paused_long(self, since: int) -> bool:
        pause = longest_pause(self.subjects.attempt.known.runs, since)
        return pause is not None and pause >= self.recheck_after

    @property
    def _ended_in_error(self) -> bool:
        """Whether an earlier run ended so: what it was at may fail again for ever if it is gone on with."""
        failure = self.root.failure
        return failure is not None and failure.kind == "error" and self.root.paused_for != timedelta(0)

    # -- what there is to do; children first, so that there is no child without its parent

    def _ends(self) -> dict[str, JSON]:
        """The last keys of complete objects that have rows beyond their ends."""
        ends: dict[str, JSON] = {}
        for each in reversed(self.subjects.objects):
            if self.subjects.is_complete(each):
                end = self.subjects.look(each, partial(beyond, end=self.subjects.end(each)))
                if end is not None:
                    ends[each.name] = end
        return ends

    def _pins(self) -> dict[str, Pin]:
        """The pins of objects still to be moved, with the ends that they have now.

        What was loaded again may refer to rows that came since.
        """
        given, pins = self.subjects.attempt.pins, {}
        for each in reversed(self.subjects.objects):
            if each.name in given and is_countable(each) and not self.subjects.is_complete(each):
                with self.subjects.route(each) as route:
                    pins[each.name] = self._frozen_anew(each, route, given[each.name])
        return {name: pin for name, pin in pins.items() if pin != given[name]}

    def _frozen_anew(self, each: Object, route: Route, pin: Pin) -> Pin:
        record, highest = self.subjects.record(each), route.source.highest()
        if highest is None:
            return replace(pin, end=None, rows=0 if record.position is None else record.counts.read)
        if record.position is None or each.undo is not None:
            return replace(pin, end=encode(highest), rows=route.source.count(highest))
        rest = route.source.extent(decode(record.position), highest).rows
        return replace(pin, end=encode(highest), rows=None if rest is None else record.counts.read + rest)

    def _changed(self) -> list[Object]:
        """The objects of which one query can see that rows came, went or were changed since they were read.

        Without a column that tells of changes it counts the rows: the closing line says that much was looked for.
        """
        return [
            each for each in self.subjects.objects if self._has_moved(each, closely=False) or self._has_rewound(each)
        ]

    def _has_rewound(self, each: Object) -> bool:
        return self.deletes == "apply" and self.subjects.can_be_looked_at(each) and self.subjects.has_rewound(each)

    def _left_behind(self, each: Object) -> bool:
        """Whether rows of it were not loaded again, or under other keys, when it was moved once more."""
        if self.deletes != "apply" or not self.subjects.can_be_looked_at(each):
            return False
        return bool(self.root.store.mapped_by(each.name, [left_behind(each.name)]))

    def _has_moved(self, each: Object, *, closely: bool) -> bool:
        def look(source: Source) -> bool:
            return has_moved(source, self.subjects.ranges(each), closely=closely)

        return bool(self.subjects.look(each, look))

    # -- one pass

    def _sweep(self, kind: str, this: Pass) -> int:
        """Do an open pass, or the rest of it, to its end. Returns how many rows of the target it changed."""
        parts = {path_of(each.name, kind, this.number): each for each in self.subjects.objects if _is_part(this, each)}
        changed = sum(self._load(path, each, this) for path, each in parts.items())
        parts = {**objects_of(this.unsettled, self.subjects.objects), **parts}
        leavings = Leavings(self.subjects, self.deletes, parts, f"{kind}-{this.number}")
        changed += leavings.settle() + leavings.load_waiting()
        leavings.forget_gone()
        leavings.report()
        leavings.write_down()
        self._remember(kind, this.over(epoch=this.epoch, unsettled=leavings.unsettled))
        return changed

    def _load(self, path: str, each: Object, this: Pass) -> int:
        pin = self.subjects.pin(each)
        if pin is None or not self.subjects.can_be_looked_at(each):
            return 0
        self.subjects.started(path)
        task = Task(ranges=each.name in this.objects, end=this.ends.get(each.name))
        with self.subjects.route(each) as route:
            body = partial(load_again, route=route, pin=pin, ranges_of=partial(self.subjects.ranges, each), task=task)
            return int(self.subjects.call(path, body)["loaded"])

    def _given_up(self, kind: str, last: Pass) -> Pass:
        """Settle what a pass that failed left in doubt, and leave the rest of it to the next one.

        The next looks at everything again, parents too, whatever was mended meanwhile.
        """
        parts = {path_of(each.name, kind, last.number): each for each in self.subjects.objects if _is_part(last, each)}
        for path, each in parts.items():
            for below in (path, f"{path}/deletes", f"{path}/again"):
                record = self.root.store.get(below)
                if record is not None and record.state not in {State.PENDING, State.COMPLETE}:
                    self.subjects.call(below, partial(self._settle, each=each))
        return replace(last, unsettled=tuple(dict.fromkeys([*last.unsettled, *parts, *(f"{p}/again" for p in parts)])))

    def _settle(self, checkpoint: Checkpoint, *, each: Object) -> JSON:
        checkpoint.expect(None)
        pin = self.subjects.pin(each)
        if pin is not None and not checkpoint.path.endswith("/deletes"):
            with self.subjects.route(each) as route:
                Batches(checkpoint, route, pin, way_of(checkpoint, route), again=True).recover()
        return {"loaded": checkpoint.counts.loaded}

    def _settle_waiting(self) -> None:
        """Set the links of what was loaded again while its object was half done."""
        last = self._recorded(RECHECK)
        if last.unsettled:
            leavings = Leavings(self.subjects, "report", objects_of(last.unsettled, self.subjects.objects), RECHECK)
            leavings.settle()
            self._remember(RECHECK, last.over(epoch=last.epoch, unsettled=leavings.unsettled))

    # -- what is remembered of them

    def _recorded(self, kind: str) -> Pass:
        return recorded(self.root.recall(), kind)

    def _open(
        self,
        kind: str,
        last: Pass,
        objects: Sequence[Object],
        ends: dict[str, JSON],
        begun: str,
        pins: dict[str, Pin] | None = None,
    ) -> Pass:
        names = [each.name for each in objects]
        this = last.next(epoch=self._epoch, begun=begun, objects=names, ends=ends)
        self._remember(kind, this, pins or {})
        return this

    def _remember(self, kind: str, this: Pass, pins: dict[str, Pin] | None = None) -> None:
        with self.root.transaction():
            self.root.replace(PASSES, {**(self.root.recall().get(PASSES) or {}), kind: this.as_json()})
            for name, pin in (pins or {}).items():
                self.root.replace(name_of(name), pin.as_json())
        self.subjects.attempt.pins.update(pins or {})


def _is_part(this: Pass, each: Object) -> bool:
    return each.name in this.objects or each.name in this.ends
