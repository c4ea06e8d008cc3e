"""Run the rejected rows of a migration again, and the children that wait for them."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from milepost.clock import Clock, SystemClock
from milepost.errors import Fatal, PlanError
from milepost.jobs.checkpoint import Checkpoint
from milepost.jobs.event import Emit, ignore
from milepost.jobs.ledger import RejectedRow
from milepost.jobs.parameters import NO_PARAMETERS
from milepost.jobs.retry import PATIENT, Patience
from milepost.jobs.runner import run as run_to_end
from milepost.jobs.state import JSON, State
from milepost.jobs.stop import Stop
from milepost.migration.check import check_copy, check_target
from milepost.migration.definition import definition
from milepost.migration.links import set_links
from milepost.migration.migration import Migration
from milepost.migration.object import Object
from milepost.migration.passes import PASSES, Pass, path_of, recorded
from milepost.migration.pin import Pin
from milepost.migration.retry import LOADED, NO_LIMIT, RETRY, Chosen, try_again, was_loaded
from milepost.migration.route import Route
from milepost.migration.table import Rows
from milepost.wiring.early import look_first
from milepost.wiring.migrate import Migrating
from milepost.wiring.openers import BY_URL, Openers
from milepost.wiring.run import LEASE_SECONDS, NO_URLS, Urls, migrating_of, opened, store_url
from milepost.wiring.subjects import Attempt, Subjects


@dataclass(frozen=True, kw_only=True)
class Retried:
    """What came of the rows that were tried again: target rows that are in now, and source rows that are not.

    ``rejected`` again, be it only for a parent that is set later; ``gone`` from the source, so that nothing is left to
    be moved. ``left`` are objects whose rejects were not tried. Where the rest of an interrupted retry went before, a
    row that both tried and rejected counts twice.
    """

    loaded: int = 0
    rejected: int = 0
    gone: int = 0
    left: tuple[str, ...] = ()


def retry(
    migration: Migration,
    *,
    urls: Urls = NO_URLS,
    only: str | None = None,
    parameters: Mapping[str, str] = NO_PARAMETERS,
    emit: Emit = ignore,
    stop: Stop | None = None,
    clock: Clock | None = None,
    openers: Openers = BY_URL,
    lease_seconds: float = LEASE_SECONDS,
    patience: Patience = PATIENT,
) -> Retried:
    """Run the rejected rows again as the source has them now, parents first, and commit each with its new fate.

    ``only`` names an object: then its rejects, and those of the objects below it that wait for a parent. An object that
    is not complete is left to ``milepost run``. A run as any other: under the job's lease, and killed at any point the
    next one goes on where it was. Raises PlanError before anything is written, and Fatal at the end where the migration
    is not complete; else as :func:`milepost.wiring.run.run`.
    """
    clock, url = clock or SystemClock(), store_url(migration, urls)
    with closing(migrating_of(migration, urls, clock, openers, parameters)) as migrating:
        look_first(migration.name, url, openers, emit)
        migrating.look()
        _check(migrating, only)
        retrying = _Retrying(migrating, only)
        with closing(opened(url, openers)) as store:
            run_to_end(
                migration.name,
                retrying.main,
                store=store,
                emit=emit,
                stop=stop,
                ttl=lease_seconds,
                reopen=True,
                patience=patience,
                clock=clock,
            )
    return retrying.retried


def _check(migrating: Migrating, only: str | None) -> None:
    """Look at what could keep it from working. Raises PlanError."""
    job, names = migrating.migration.name, [each.name for each in migrating.objects]
    if not migrating.known.records:
        raise PlanError(f"{job} has moved nothing yet: there are no rejected rows", hint="milepost run FILE begins it.")
    if only is not None and only not in names:
        near = difflib.get_close_matches(only, names)
        raise PlanError(f"{job} has no object {only}", hint=f"Did you mean {' or '.join(near)}?" if near else None)
    for each in migrating.objects:
        if migrating.known.record(each.name).state is State.COMPLETE and _may_be_tried(each, only, migrating.objects):
            _check_ends(migrating, each)


def _check_ends(migrating: Migrating, each: Object) -> None:
    with closing(migrating.route(each)) as route:
        target, source = route.target.describe(), route.source.describe()
    check_target(each, target)
    if each.function is None and not isinstance(each.source, Rows):
        check_copy(each, source, target)


def _may_be_tried(each: Object, only: str | None, objects: Sequence[Object]) -> bool:
    return only is None or each.name == only or each in below(objects, only)


def below(objects: Sequence[Object], name: str) -> list[Object]:
    """The objects whose rows may wait for rows of that object, be it for their parents' parents."""
    places = {_place(each) for each in objects if each.name == name}
    found: list[Object] = []
    grown = True
    while grown:
        new = [
            each
            for each in objects
            if each not in found and any(_place(parent) in places for parent in each.parents.values())
        ]
        found += new
        places |= {_place(each) for each in new}
        grown = bool(new)
    return found


def _place(each: Object) -> tuple[str, str | None]:
    """The table that it fills, as others may too."""
    return each.target.name, each.target.database


class _Retrying:
    """One run that tries again: ``only`` names the object that it was asked for."""

    def __init__(self, migrating: Migrating, only: str | None) -> None:
        self.migrating = migrating
        self.only = only
        self.retried = Retried()

    def main(self, root: Checkpoint) -> JSON:
        """The body of the job. First the pass that a run before this one did not bring to its end."""
        self.migrating.look()  # again, now that nobody else can write
        root.settle(self.migrating.migration.parameters, self.migrating.parameters)
        last = recorded(root.recall(), RETRY)
        wanted = () if self.only is None else (self.only,)
        if not last.open or last.objects != wanted:
            if last.open:
                root.tell("first the rest of a retry that was interrupted")
                self._take(root, self._do(root, last))
            last = self._open(root, last, wanted)
        self._take(root, self._do(root, last))
        if self.migrating.unfinished:
            raise Fatal(
                f"{self.migrating.migration.name} is not complete: the rest of it is to be run yet",
                hint="milepost run FILE does the rest. What was tried again stays as it is.",
            )

    def _open(self, root: Checkpoint, last: Pass, wanted: tuple[str, ...]) -> Pass:
        epoch = self.migrating.known.runs[-1].epoch
        this = last.next(epoch=epoch, begun=root.store.now().isoformat(), objects=wanted, ends={})
        _remember(root, this)
        return this

    def _take(self, root: Checkpoint, done: Retried) -> None:
        """Tell what a pass did, before another one does more, and add it up."""
        _tell(root, done)
        before = self.retried
        self.retried = Retried(
            loaded=before.loaded + done.loaded,
            rejected=before.rejected + done.rejected,
            gone=before.gone + done.gone,
            left=tuple(dict.fromkeys((*before.left, *done.left))),
        )

    def _do(self, root: Checkpoint, this: Pass) -> Retried:
        """The pass, or the rest of it."""
        subjects = self._subjects(root)
        only = this.objects[0] if this.objects else None
        done, left = [], []
        for each in self.migrating.objects:
            if not _may_be_tried(each, only, self.migrating.objects):
                continue
            full = only is None or each.name == only
            why = self._why_left(subjects, each)
            if why is None:
                done += list(_Part(subjects, each, self._pin(subjects, each), this, full=full).do())
            elif any(_chosen(each, this, full=full)(one) for one in root.store.rejects(each.name)):
                root.tell(f"{each.name}: its rejected rows are left as they are: {why}")
                left.append(each.name)
        _remember(root, this.over(epoch=this.epoch))
        return Retried(
            loaded=sum(one["loaded"] for one in done),
            rejected=sum(one["rejected"] for one in done),
            gone=sum(one["gone"] for one in done),
            left=tuple(left),
        )

    def _subjects(self, root: Checkpoint) -> Subjects:
        return Subjects(
            root,
            Attempt(
                objects=self.migrating.objects,
                known=self.migrating.known,
                pins={},
                routes={},
                open_route=self.migrating.route,
                read_from=self.migrating.places.read_from,
            ),
        )

    def _why_left(self, subjects: Subjects, each: Object) -> str | None:
        if not subjects.is_complete(each) or not subjects.is_linked(each):
            return "it is not complete (milepost run FILE goes on with it)"
        if each.on_duplicate == "last":
            return (
                "where the last of several rows is taken, one that comes out of its order would take the place of a"
                f" later one (milepost rewind FILE {each.name} has all of it moved again)"
            )
        return None

    def _pin(self, subjects: Subjects, each: Object) -> Pin:
        """As it is declared now: what was mended counts, also in which columns a row has."""
        pin = subjects.pin(each)
        database, later = self.migrating.places.read_from(each), self.migrating.ordered.later_of(each)
        now = definition(each, database, later)
        return Pin(definition=now, end=pin.end if pin else None, rows=pin.rows if pin else None)


def _tell(root: Checkpoint, done: Retried) -> None:
    if not (done.loaded or done.rejected or done.gone or done.left):
        root.tell("there are no rejected rows to try again")
        return
    said = [f"{_rows(done.loaded)} loaded"]
    if done.rejected:
        said.append(f"{_rows(done.rejected)} rejected again")
    if done.gone:
        said.append(f"{_rows(done.gone)} gone from the source, and forgotten")
    root.tell(f"tried again: {', '.join(said)}")


class _Part:
    """One object's part of a pass. ``full``: all of its rejects, else those that wait for a parent."""

    def __init__(self, subjects: Subjects, each: Object, pin: Pin, this: Pass, *, full: bool) -> None:
        self.subjects = subjects
        self.each = each
        self.pin = pin
        self.path = path_of(each.name, RETRY, this.number)
        self.chosen = _chosen(each, this, full=full)

    def do(self) -> Iterator[JSON]:
        """First the rows that were never loaded, then those that may be there."""
        for path, loaded in ((self.path, False), (f"{self.path}/{LOADED}", True)):
            if not self._is_to_do(path, loaded=loaded):
                continue
            with self.subjects.route(self.each) as own:
                route = replace(own, max_rejects=NO_LIMIT)
                chosen: Chosen = partial(self._is_of, loaded=loaded)
                done = self.subjects.call(path, partial(try_again, route=route, pin=self.pin, chosen=chosen))
                unset = self._set_links(route, path)
            yield {**done, "loaded": done["loaded"] - unset, "rejected": done["rejected"] + unset}

    def _set_links(self, route: Route, path: str) -> int:
        """How many rows lack a parent that is set later."""
        if not route.later:
            return 0
        self.subjects.started(f"{path}/links")
        set_links(self.subjects.root, route, path)
        record = self.subjects.root.store.get(f"{path}/links")
        return 0 if record is None else record.counts.rejected

    def _is_of(self, one: RejectedRow, *, loaded: bool) -> bool:
        return was_loaded(one) is loaded and self.chosen(one)

    def _is_to_do(self, path: str, *, loaded: bool) -> bool:
        """Whether there is something to try, or something of it was begun by a run before."""
        store = self.subjects.root.store
        rejects = store.rejects(self.each.name)
        return store.get(path) is not None or any(self._is_of(one, loaded=loaded) for one in rejects)


def _chosen(each: Object, this: Pass, *, full: bool) -> Chosen:
    """Which of the object's rejects the pass is to try: not those that it has made itself."""
    own = path_of(each.name, RETRY, this.number)

    def chosen(one: RejectedRow) -> bool:
        return one.path != own and not one.path.startswith(f"{own}/") and (full or one.stage == "parent")

    return chosen


def _remember(root: Checkpoint, this: Pass) -> None:
    with root.transaction():
        root.replace(PASSES, {**(root.recall().get(PASSES) or {}), RETRY: this.as_json()})


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
