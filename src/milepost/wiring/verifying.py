"""One comparison of a migration: which objects, what the store knows of them, and what is done with each."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from milepost.errors import PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.state import JSON, State
from milepost.jobs.store import Store
from milepost.migration.batches import columns_of
from milepost.migration.definition import definition
from milepost.migration.findings import Findings, recorded
from milepost.migration.fresh import fresh_of
from milepost.migration.keys import encode
from milepost.migration.object import Object
from milepost.migration.passes import in_order_of_commit, reads_ranges
from milepost.migration.pin import Pin, check_definition
from milepost.migration.ranges import Range, fold
from milepost.migration.repair import Pages, pages_of, read_pages
from milepost.migration.route import Route
from milepost.migration.sample import Span, sampled
from milepost.migration.table import Sink
from milepost.migration.verified import VerifiedObject, after_repair, with_extra
from milepost.migration.verify import AGAIN, FOUND, Subject, compare, look_for_extra
from milepost.wiring.ends import place_of
from milepost.wiring.mending import Mending
from milepost.wiring.migrate import Migrating

MOST_DELETED = 100_000  # rows that one repair deletes: their keys are kept in memory
KEPT_UNKNOWN = "of the extra rows those stay that the key map does not know to be ours, and what they refer to"
KEPT_EXTRA = 'extra rows stay: a repair deletes them where the migration says deletes="apply"'
MOVED = (State.COMPLETE, State.STARTED, State.FAILED)  # where there may be rows in the target


class Verifying:
    """``store`` is the migration's own, to be read. ``share`` None: every row. ``most`` examples of a kind are kept."""

    def __init__(self, migrating: Migrating, store: Store, *, only: str | None, share: float | None, most: int) -> None:
        self.migrating = migrating
        self.store = store
        self.share = share
        self.seed = 0  # of a sample
        self.identity: JSON = None  # of this comparison: what it compares, and its seed
        self.most = most
        self.job = migrating.migration.name
        self.objects = _chosen(migrating, only)
        self.routes = {each.name: migrating.route(each) for each in migrating.objects}
        self.notes: dict[str, list[str]] = {each.name: [] for each in self.objects}

    @property
    def subject(self) -> JSON:
        """What is compared, as JSON: another one is another comparison. A run that moved rows since makes it one."""
        places = self.migrating.places
        return {
            "objects": {each.name: self._definition(each) for each in self.objects},
            "targets": {each.name: place_of(places.target_of(each)) for each in self.objects},
            "share": self.share,
            "most": self.most,
            "batches": {each.name: self._batches(each) for each in self.objects},
        }

    def main(self, checkpoint: Checkpoint, mending: Mending | None) -> tuple[VerifiedObject, ...]:
        """The body of the comparison."""
        subjects = self._subjects(checkpoint, keeps=mending is not None)
        for name, subject in subjects.items():
            checkpoint.call(name, partial(compare, subject=subject))
            if mending is not None:
                mending.load(subject.route.object, self._pages(checkpoint, name))
            subject.route.close()
        if mending is not None:
            mending.set_links([subject.route.object for subject in subjects.values()])
            for name, subject in subjects.items():
                self._compare_again(checkpoint, name, subject)
        extra = {name: self._extra(checkpoint, subject, mending) for name, subject in reversed(subjects.items())}
        if mending is not None:
            mending.load_orphans(self.migrating.objects)
        return tuple(
            self._result(checkpoint, each, extra.get(each.name), mending, compared=each.name in subjects)
            for each in self.objects
        )

    def close(self) -> None:
        for route in self.routes.values():
            route.close()

    # -- what is to be compared

    def _subjects(self, checkpoint: Checkpoint, *, keeps: bool) -> dict[str, Subject]:
        """What is looked at, up to the end that the source has now; children's ends are taken before their parents'."""
        known, subjects = self.migrating.known, {}
        for each in reversed(self.objects):
            record = known.record(each.name)
            if isinstance(each.target, Sink):
                self.notes[each.name].append(f"it goes to {each.target.name}, whose rows nobody can look at")
                continue
            if record.state not in MOVED or (record.state is not State.COMPLETE and record.position is None):
                self.notes[each.name].append(f"it is {record.state}, and was not compared")
                continue
            route = self.routes[each.name]
            spans, rows = self._spans(checkpoint, each, route)
            self._note_changes(each, record.state)
            subjects[each.name] = Subject(
                route=route,
                store=self.store,
                job=self.job,
                columns=self._columns(each),
                spans=spans,
                rows=rows,
                most=self.most,
                sampled=self.share is not None,
                keeps=keeps,
                replaces=not each.is_mapped and not (self._fresh(each) and each.on_duplicate == "reject"),
            )
        ordered = {each.name: subjects[each.name] for each in self.objects if each.name in subjects}
        for name, subject in ordered.items():
            checkpoint.foresee(name, subject.rows)
        return ordered

    def _spans(self, checkpoint: Checkpoint, each: Object, route: Route) -> tuple[tuple[Span, ...], int | None]:
        """The parts of the source to read, the same ones after an interruption, and how many rows they have."""
        if self.share is not None:
            spans = tuple(sampled(self._ranges(each), self.share, self.seed))
            return spans, sum(one.rows or 0 for one in spans)
        name = f"span {each.name}"
        span = checkpoint.recall().get(name) or checkpoint.remember(name, self._whole(each, route))
        return (Span(low=None, high=span["high"]),), span["rows"]

    def _whole(self, each: Object, route: Route) -> JSON:
        """Everything up to the source's present end; of a half-done object what lies before its position."""
        record = self.migrating.known.record(each.name)
        if record.state is not State.COMPLETE:
            return {"high": record.position, "rows": record.counts.read}
        try:
            highest = route.source.highest()
            rows = route.source.count(highest)
        finally:
            route.source.close()
        return {"high": None if highest is None else encode(highest), "rows": rows}

    def _ranges(self, each: Object) -> Sequence[Range]:
        """What the object's ledger vouches for."""
        paths = [path for path in self.migrating.known.records if reads_ranges(path, each.name)]
        ledgers = {path: self.store.ledger(self.job, path) for path in paths}
        return list(fold(in_order_of_commit(ledgers, each.name)))

    def _columns(self, each: Object) -> tuple[str, ...]:
        return columns_of(self.migrating.known.remembered(each), self.pin(each))

    def pin(self, each: Object) -> Pin:
        """The object's pin, with its definition as it is now."""
        pin, now = self.migrating.known.pinned(each), self._definition(each)
        return Pin(definition=now, end=None if pin is None else pin.end, rows=None if pin is None else pin.rows)

    def _definition(self, each: Object) -> JSON:
        return definition(each, self.migrating.places.read_from(each), self.migrating.ordered.later_of(each))

    def _fresh(self, each: Object) -> bool:
        return bool(fresh_of(self.migrating.known.remembered(each), each))

    def _batches(self, each: Object) -> int:
        """How many batches were committed for it by runs; repairs are not counted."""
        records = self.migrating.known.records
        return sum(record.batches for path, record in records.items() if reads_ranges(path, each.name))

    def _note_changes(self, each: Object, state: State) -> None:
        if state is not State.COMPLETE:
            self.notes[each.name].append("it is not complete: what lies behind its position was not compared")
        pin, place = self.migrating.known.pinned(each), self.migrating.places.read_from(each)
        later = self.migrating.ordered.later_of(each)
        told = check_definition(each, State.COMPLETE, pin, place, accepted=True, later=later)
        if told:
            self.notes[each.name].append(f"it is compared by its definition as it is now: {told}")

    # -- what is found

    def _pages(self, checkpoint: Checkpoint, name: str) -> Pages:
        """The keys of the rows with which something is wrong."""
        record = checkpoint.store.get(name)
        return partial(pages_of, checkpoint.store, name, 0 if record is None else record.batches)

    def _compare_again(self, checkpoint: Checkpoint, name: str, subject: Subject) -> None:
        """Look once more at the rows that were wrong, now that they were loaded again."""
        pages = self._pages(checkpoint, name)
        batches = partial(read_pages, subject.route.source, pages)
        path = f"{name}/again"
        checkpoint.call(path, partial(compare, subject=replace(subject, keeps=False), batches=batches))
        subject.route.close()

    def _findings(self, checkpoint: Checkpoint, path: str, name: str = FOUND) -> Findings:
        return recorded(checkpoint.store.recall(path).get(name))

    def _left(self, checkpoint: Checkpoint, name: str) -> Findings:
        """What still differs after the repair."""
        found, loaded = self._findings(checkpoint, name), self._findings(checkpoint, name, AGAIN)
        return after_repair(found, loaded, self._findings(checkpoint, f"{name}/again"), self.most)

    def _extra(self, checkpoint: Checkpoint, subject: Subject, mending: Mending | None) -> JSON:
        """How many rows nothing accounts for; None where that cannot be told."""
        each = subject.route.object
        why = self._why_no_extra(each, subject)
        if why is not None:
            self.notes[each.name].append(why)
            return None
        found = self._findings(checkpoint, each.name) if mending is None else self._left(checkpoint, each.name)
        deletes = mending is not None and mending.deletes(each)
        look = partial(look_for_extra, subject=subject, met=found.met, most=MOST_DELETED if deletes else self.most)
        counted = checkpoint.call(f"{each.name}/extra", look)
        subject.route.close()
        gone = mending.delete(each, counted["keys"]) if mending is not None and deletes and counted["keys"] else 0
        if gone < counted["extra"] and mending is not None:
            self.notes[each.name].append(KEPT_UNKNOWN if deletes else KEPT_EXTRA)
        return {**counted, "left": counted["extra"] - gone}

    def _why_no_extra(self, each: Object, subject: Subject) -> str | None:
        filled = Counter((one.target.name, one.target.database) for one in self.migrating.objects)
        if filled[each.target.name, each.target.database] > 1:
            return f"several objects fill {each.target.name}: rows that nothing accounts for were not looked for"
        if not self._fresh(each):
            return f"{each.target.name} held rows before: which of them nothing accounts for cannot be told"
        if subject.sampled:
            return "rows that nothing accounts for are not looked for by a sample"
        if self.migrating.known.record(each.name).state is not State.COMPLETE:
            return "rows that nothing accounts for were not looked for"
        return None

    def _result(
        self, checkpoint: Checkpoint, each: Object, extra: JSON, mending: Mending | None, *, compared: bool
    ) -> VerifiedObject:
        found, left = self._findings(checkpoint, each.name), None
        if mending is not None and compared:
            left = self._left(checkpoint, each.name)
        if extra is not None:
            found = with_extra(found, extra["extra"], extra["keys"], self.most)
            left = None if left is None else with_extra(left, extra["left"], [], self.most)
        whole = compared and self.migrating.known.record(each.name).state is State.COMPLETE
        return VerifiedObject(
            name=each.name,
            found=found,
            left=left,
            compared=compared,
            whole=whole,
            extra_known=extra is not None,
            notes=tuple(self.notes[each.name]),
        )


def _chosen(migrating: Migrating, only: str | None) -> list[Object]:
    """Raises PlanError for a name that no object has."""
    if only is None:
        return migrating.objects
    found = [each for each in migrating.objects if each.name == only]
    if not found:
        names = [each.name for each in migrating.objects]
        near = difflib.get_close_matches(only, names) or names
        raise PlanError(
            f"{migrating.migration.name} has no object called {only}", hint=f"Did you mean {' or '.join(near)}?"
        )
    return found
