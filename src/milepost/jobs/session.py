"""What all checkpoints of one run share: the store, the lease, the open transaction, the way to tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from weakref import ReferenceType, ref

from milepost.errors import Fatal, Interrupted, LeaseLost, Retryable
from milepost.jobs.ahead import Ahead
from milepost.jobs.event import CheckpointSkipped, Emit, Event, Told
from milepost.jobs.failure import in_words
from milepost.jobs.heartbeat import Heartbeat
from milepost.jobs.lease import Lease
from milepost.jobs.retry import Place
from milepost.jobs.state import Completed, Failure, Record
from milepost.jobs.stop import Stop
from milepost.jobs.store import Store


class Session:
    """One run, seen from its checkpoints.

    1. Events about something durable are emitted after the commit that made it so, or never.
    2. After a transaction that raised, the checkpoints in memory are as the store has them: mostly as before it, but
       its commit may have been made and only the answer lost.
    """

    def __init__(self, store: Store, lease: Lease, *, emit: Emit, stop: Stop, heartbeat: Heartbeat) -> None:
        self.store = store
        self.lease = lease
        self.emit = emit
        self.now: datetime = lease.acquired_at  # until the job's own is read
        self.parameters: Mapping[str, str] | None = None  # until they are asked for
        self.running: set[str] = set()  # the paths of the checkpoints under way
        self.started: set[str] = set()  # every path that was started in this run
        self.ended = ""  # the path that was completed or skipped last
        self.ahead = Ahead(store, lease.job)
        self.retried: Failure | None = None  # why the root was entered again
        self._stop = stop
        self._heartbeat = heartbeat
        self._open = False
        self._doomed = False
        self._events: list[Event] = []
        self._undo: list[Callable[[], None]] = []
        self._came_up: tuple[ReferenceType[Retryable], Place] | None = None

    @property
    def paused_for(self) -> timedelta | None:
        """From the last sign of life of the run before to this run's lease."""
        seen = self.lease.previous_sign_of_life
        return None if seen is None else max(self.lease.acquired_at - seen, timedelta(0))

    @property
    def lost(self) -> LeaseLost | None:
        """Set once another run is known to have taken over."""
        return self._heartbeat.lost

    @property
    def in_transaction(self) -> bool:
        return self._open

    def boundary(self) -> None:
        """Where a run may stop: raises LeaseLost if another took over, Interrupted if it was asked to stop."""
        if self._heartbeat.lost is not None:
            raise self._heartbeat.lost
        trouble, self._heartbeat.trouble = self._heartbeat.trouble, None
        if trouble is not None:
            self.emit(Told(message=f"the lease could not be renewed, trying again: {in_words(trouble)}"))
        if self._stop.requested:
            raise Interrupted("stopped after a commit; the same command resumes")

    def passed(self, path: str) -> Completed | None:
        """What is known to be complete under that path without asking the store: passed over. None says nothing."""
        found = self.ahead.find(path)
        if found is not None:
            self.pass_over(found)
        return found

    def pass_over(self, complete: Completed | Record) -> None:
        """Tell that a checkpoint was complete already."""
        self.emit(CheckpointSkipped(path=complete.path, counts=complete.counts))
        self.ended = complete.path

    def came_up(self, error: Retryable, place: Place, *, undone: bool) -> None:
        """Note where ``error`` came up: the deepest place counts, but an outer one that will be ``undone`` instead."""
        if undone or self._came_up is None or self._came_up[0]() is not error:
            self._came_up = (ref(error), place)  # weakly: its frames hold rows and cursors

    def place_of(self, error: Retryable) -> Place | None:
        """Where it came up; None where that was before any checkpoint was entered, or after."""
        return self._came_up[1] if self._came_up is not None and self._came_up[0]() is error else None

    def keep_lease(self) -> None:
        """Renew the lease now, because the connection that held it may be gone. Raises LeaseLost if it was taken."""
        self._heartbeat.beat()
        if not self._heartbeat.well:
            self._heartbeat.beat()  # a connection that was lost is found to be so by the first, and made anew by this
        self._heartbeat.trouble = None  # the try that follows meets it too
        if self._heartbeat.lost is not None:
            raise self._heartbeat.lost

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A transaction of the store, or a part of the one that is open. After the commit: events, then a boundary."""
        if self._open:
            with self._part() as connection:
                yield connection
            return
        self._open, self._doomed = True, False
        try:
            with self.store.transaction(self.lease) as connection:
                yield connection
                self._refuse_doomed()
        except BaseException:
            for undo in reversed(self._undo):
                undo()
            self._close()
            self.ahead.forget()
            raise
        events = self._close()
        for event in events:
            self.emit(event)
        self.boundary()

    def committed(self, event: Event, undo: Callable[[], None]) -> None:
        """Something was written: emit ``event`` once it is durable, call ``undo`` if it does not come to that."""
        if self._open:
            self._events.append(event)
            self._undo.append(undo)
            return
        self.emit(event)
        self.boundary()

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Call ``undo`` if the open transaction, if any, does not commit."""
        if self._open:
            self._undo.append(undo)

    @contextmanager
    def _part(self) -> Iterator[Any]:
        try:
            with self.store.transaction(self.lease) as connection:
                yield connection
        except BaseException:
            self._doomed = True
            raise

    def _refuse_doomed(self) -> None:
        if self._doomed:
            raise Fatal(
                "a transaction inside this one failed and its error was passed over; nothing was committed",
                hint="Let the error through, or open the inner transaction by itself.",
            )

    def _close(self) -> list[Event]:
        events, self._events, self._undo, self._open = self._events, [], [], False
        return events
