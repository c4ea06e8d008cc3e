"""The checkpoint as a step sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from types import MappingProxyType
from typing import Any, TypeVar

from milepost.errors import Fatal
from milepost.jobs.attempt import attempt
from milepost.jobs.bound_store import BoundStore
from milepost.jobs.event import AsOf, RowsExpected, Told
from milepost.jobs.intent import INTENT, WITNESS, Intent
from milepost.jobs.json_value import as_json
from milepost.jobs.ledger import Counts, RejectedRow
from milepost.jobs.parameters import PARAMETERS, Parameters
from milepost.jobs.progress import Progress
from milepost.jobs.session import Session
from milepost.jobs.state import JSON, Failure

Item = TypeVar("Item")

ONCE = "once "  # sets what users remember apart from what engines do


class Checkpoint:
    """The durable record of one step under way, and the step's means to be restartable.

    A position, and everything else that is kept, is JSON. After every commit, and before a nested step starts, a run
    that was asked to stop raises Interrupted, and one whose lease was taken over raises LeaseLost.
    """

    def __init__(self, progress: Progress, names: tuple[str, ...]) -> None:
        self._progress = progress
        self._session = progress.session
        self.names = names  # the path, part by part
        self._remembered: dict[str, JSON] | None = None
        self._intent: Intent | None = None  # of the batch at hand, where it is going out of the store's reach

    # -- where it stands

    @property
    def path(self) -> str:
        """Where in the hierarchy; "" for the job itself."""
        return self._progress.path

    @property
    def attempt(self) -> int:
        """Which START this is, from 1."""
        return self._progress.record.attempt

    @property
    def recovering(self) -> bool:
        """Whether it was started before and did not complete."""
        return self._progress.recovering

    @property
    def failure(self) -> Failure | None:
        """What ended the last attempt ("error", "interrupted", "killed"); None when not recovering."""
        return self._progress.failure

    @property
    def paused_for(self) -> timedelta | None:
        """From the last sign of life of the run before to the start of this one, on the store's clock.

        None when not recovering; zero when the last attempt was in this very run.
        """
        if not self.recovering:
            return None
        return timedelta(0) if self._progress.again else self._session.paused_for

    @property
    def position(self) -> JSON:
        """How far the durable work has come: what was saved last, or the high end of the last batch; None at first."""
        return self._progress.record.position

    @property
    def counts(self) -> Counts:
        """The rows of all batches of this path so far."""
        return self._progress.record.counts

    @property
    def batches(self) -> int:
        """The number of batches of this path so far."""
        return self._progress.record.batches

    @property
    def now(self) -> datetime:
        """The time at which the job was first started, on the store's clock: the same in every run of it.

        Rows are stamped with it; with ``once`` for a value that is made up, ``parameters`` for one that was given.
        """
        return self._session.now

    @property
    def parameters(self) -> Mapping[str, str]:
        """What the job was told when it was first started, by name: the same in every run of it."""
        if self._session.parameters is None:
            pinned = self._session.store.recall(self._session.lease.job, "").get(PARAMETERS)
            self._session.parameters = MappingProxyType(pinned or {})
        return self._session.parameters

    # -- what a step does

    def save(self, position: JSON) -> None:
        """Make ``position`` durable. Inside ``transaction()`` it commits with the rest."""
        self._progress.save(as_json(position, f"the position of {self.path or 'the job'}"))

    def once(self, name: str, make: Callable[[], JSON]) -> JSON:
        """What ``make()`` gave the first time, recorded under ``name`` for this path; replayed ever after.

        Killed between ``make()`` and the recording, it is made again.
        """
        if self._remembered is None:
            self._remembered = self.recall()
        if ONCE + name in self._remembered:
            return deepcopy(self._remembered[ONCE + name])  # whatever the caller does with it, a replay gives this
        value = self.remember(ONCE + name, self._checked(name, make()))
        self._remembered = {**(self._remembered or {}), ONCE + name: value}  # make() may have remembered more
        self._session.on_rollback(self._forget_remembered)
        return deepcopy(value)

    def each(self, items: Iterable[Item], *, size: int, position: Callable[[Item], JSON]) -> Iterator[list[Item]]:
        """Give the items in lists of at most ``size``; after the loop's body ran for one, save its position.

        ``position`` says where the last item of a list is. It is the caller's to read on from ``cp.position``. A loop
        left by ``break`` or an error has not saved the list it was at.
        """
        if size < 1:
            raise ValueError(f"size is {size}; a batch has at least one item")
        rest = iter(items)
        while batch := list(islice(rest, size)):
            reached = as_json(position(batch[-1]), f"the position of {self.path or 'the job'}")
            yield batch
            self.save(reached)

    def transaction(self) -> AbstractContextManager[Any]:
        """One transaction on the store's database; gives its driver's connection (None for a memory store).

        What is written on the connection commits together with ``save``, ``once`` and ``append`` called inside, or
        not at all: an error inside undoes all of it, ``position`` too. No step can be started inside.
        """
        return self._session.transaction()

    # -- for a Sink, which sends batches to where the store cannot reach

    @property
    def in_doubt(self) -> bool:
        """Whether the batch at hand may have been sent before: whoever sent it did not live to see it through."""
        return self._intent is not None and self._intent.again

    @property
    def token(self) -> JSON:
        """What ``settle_by`` was last given for the batch at hand, by whatever run; None where it was not."""
        return None if self._intent is None else self._intent.token

    def settle_by(self, token: JSON) -> None:
        """Make durable, at once, by what the other side can be asked later whether the batch at hand came through.

        Call it before sending, with a number of your own, or with the one that the other side gives beforehand.
        """
        if self._intent is None:
            raise Fatal(f"{self.path or 'the job'} is sending no batch that could be in doubt")
        self.intend(replace(self._intent, token=token))

    # -- for engines that are built on it

    def settle(self, parameters: Parameters, given: Mapping[str, str]) -> None:
        """Settle the job's parameters by what an earlier run pinned, and pin them. Of the job's own checkpoint."""
        if not parameters and not given:
            return
        pinned = self.recall().get(PARAMETERS)
        settled = parameters.settle(given, pinned)
        if settled != pinned:
            self.replace(PARAMETERS, settled)
        self._session.parameters = MappingProxyType(settled)

    def call(
        self,
        name: str,
        body: Callable[[Checkpoint], JSON],
        *,
        rollback: Callable[[Checkpoint], None] | None = None,
    ) -> JSON:
        """Run ``body`` under a checkpoint ``name`` below this one, or return the recorded result if it is complete.

        Raises what ``body`` raised, after recording it, and Fatal if ``name`` is already under way.
        """
        path = self._path_of(name)
        passed = self._session.passed(path)
        if passed is not None:
            return passed.result
        new = self._progress.bare and path not in self._session.started
        return run_at(self._session, (*self.names, name), body, rollback=rollback, new=new)

    def append(
        self, low: JSON, high: JSON, counts: Counts, rejects: Sequence[RejectedRow] = (), *, modified: JSON = None
    ) -> None:
        """Add the batch ``(low, high]`` to this path's ledger; ``high`` becomes the position.

        The path and the batch number of the rejects are filled in. ``modified`` is the ledger entry's.
        """
        self._progress.append(low, as_json(high, f"the position of {self.path}"), counts, rejects, modified=modified)

    def intend(self, intent: Intent) -> None:
        """Make durable what is about to be done outside the store: from now on until ``done`` it is in doubt."""
        self.replace(INTENT, intent.as_json())
        self._intent = intent

    def done(self, intent: Intent) -> None:
        """Add what was intended to the ledger, and forget the intent, in one transaction."""
        with self.transaction():
            if intent.forgotten is not None:
                self.store.forget_rejects(intent.forgotten)
            self.append(intent.low, intent.high, intent.counts, intent.rejects, modified=intent.modified)
            self.replace(INTENT, None)
            if intent.witness is not None:
                self.replace(WITNESS, intent.witness)
        self._intent = None

    def remember(self, name: str, value: JSON) -> JSON:
        """Record ``value`` for this path unless there is one under ``name``; return the recorded one."""
        return self._session.store.remember(self._session.lease, self.path, name, self._checked(name, value))

    def replace(self, name: str, value: JSON) -> None:
        """Record ``value`` under ``name`` for this path, whatever was there."""
        self._session.store.replace(self._session.lease, self.path, name, self._checked(name, value))

    def recall(self) -> dict[str, JSON]:
        """Every value remembered for this path, by name."""
        return self._session.store.recall(self._session.lease.job, self.path)

    @property
    def store(self) -> BoundStore:
        """What the store keeps of this job besides: the key map, links, rejects. To be written in ``transaction``."""
        return BoundStore(self._session.store, self._session.lease)

    def beside(self, path: str) -> Checkpoint:
        """The checkpoint at another path of the job as it stands: to be read, and for the values remembered there."""
        return Checkpoint(Progress(self._session, path), tuple(path.split("/")))

    def rejects(self) -> Iterator[RejectedRow]:
        """The rejects of this path and all below it, in order, read as they are taken."""
        return self.store.rejects(self.path)

    def expect(self, rows: int | None) -> None:
        """Say that this checkpoint moves on by batches, and how many rows it will have read (None: unknown).

        From then on its position is its last batch's; ``save`` is refused.
        """
        self._progress.by_batches = True
        self._session.emit(RowsExpected(path=self.path, rows=rows))

    def foresee(self, name: str, rows: int | None) -> None:
        """Say that a checkpoint ``name`` below this one is to come, and how many rows it will read (None: unknown)."""
        self._session.emit(RowsExpected(path="/".join((*self.names, name)), rows=rows))

    def tell(self, message: str) -> None:
        """Say something to the person who runs the job, in one line."""
        self._session.emit(Told(message=message, path=self.path))

    def tell_as_of(self, as_of: str | None, message: str) -> None:
        """Say, at the end, as of when what was moved is as its source is; and, in one line, but for what."""
        self._session.emit(AsOf(as_of=as_of, message=message))

    def _checked(self, name: str, value: JSON) -> JSON:
        return as_json(value, f"the value {name!r} of {self.path or 'the job'}")

    def _forget_remembered(self) -> None:
        self._remembered = None

    def _path_of(self, name: str) -> str:
        """The path of a checkpoint that may be called below this one now."""
        if not name:
            raise ValueError("a checkpoint below another has a name")
        if self._session.in_transaction:
            raise Fatal(
                f"{name} was called inside cp.transaction(): its START could not be made durable before it runs",
                hint="Call it before or after the transaction.",
            )
        path = "/".join((*self.names, name))
        if path in self._session.running:
            raise under_way(path)
        return path


_active: ContextVar[Checkpoint | None] = ContextVar("milepost_active_checkpoint", default=None)


def under_way(what: str) -> Fatal:
    """The error of calling a step from within itself."""
    return Fatal(
        f"{what} was called while it is under way: it would never come to an end",
        hint="Call it with other arguments, or make it a plain function.",
    )


def active() -> Checkpoint | None:
    """The checkpoint of the step that is running in this thread, None outside a run."""
    return _active.get()


def run_at(
    session: Session,
    names: tuple[str, ...],
    body: Callable[[Checkpoint], JSON],
    *,
    rollback: Callable[[Checkpoint], None] | None = None,
    reopen: bool = False,
    new: bool = False,
) -> JSON:
    """Bring the checkpoint at ``names`` (none: the job itself) to COMPLETE and return its result."""

    def activated(function: Callable[[Checkpoint], JSON]) -> Callable[[Progress], JSON]:
        def run(progress: Progress) -> JSON:
            checkpoint = Checkpoint(progress, names)
            token = _active.set(checkpoint)
            try:
                return function(checkpoint)
            finally:
                _active.reset(token)

        return run

    path = "/".join(names)
    session.running.add(path)
    try:
        undo = None if rollback is None else activated(rollback)
        return attempt(session, path, body=activated(body), undo=undo, reopen=reopen, new=new)
    finally:
        session.running.discard(path)
