"""One checkpoint's record under way: every durable move, position and ledger entry of it goes through here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from milepost.errors import Fatal
from milepost.jobs.event import BatchCommitted, PositionSaved
from milepost.jobs.ledger import Counts, Entry, RejectedRow
from milepost.jobs.recovery import KILLED, last_failure, recovers
from milepost.jobs.retry import Place, place_at
from milepost.jobs.session import Session
from milepost.jobs.state import JSON, Failure, Move, Record, State, move

UNDER_WAY = (State.STARTED, State.ROLLING_BACK)
BARE = (State.PENDING, State.ROLLED_BACK)


class Progress:
    """The record of one path, kept equal to what is durable (or will be with the open transaction).

    After a write or a transaction that raised, only the store knows: a commit may have been made and its answer lost.
    Then the record is read anew. ``failure`` and ``recovering`` are about the attempts before, and do not change.
    """

    def __init__(self, session: Session, path: str, *, new: bool = False) -> None:
        """``new``: it is known that the store has no record of it, nor of anything below."""
        found = None if new else session.store.get(session.lease.job, path)
        self.session = session
        self.path = path
        self._record = found or Record(path=path)
        self._in_doubt = False
        self.recovering = recovers(found)
        self.again = path in session.started  # in this very run
        self.failure: Failure | None = last_failure(found)
        if self.again and self.failure is KILLED:  # nobody was: its end could not be recorded
            self.failure = session.retried or KILLED
        self.by_batches = False  # an engine moves it on, whose last batch is its position
        self.bare = found is None or found.state in BARE  # below it there is nothing but what this run starts

    @property
    def record(self) -> Record:
        if self._in_doubt and not self.session.in_transaction:
            self._record = self.session.store.get(self.session.lease.job, self.path) or self._record
            self._in_doubt = False
        return self._record

    @property
    def place(self) -> Place:
        """Where a fault came up; as far as this process knows, since the store may be out of reach."""
        return place_at(self.path, self._record.position, self.session.ended)

    def start(self) -> None:
        """START, or REOPEN if it was complete."""
        happening = Move.REOPEN if self.record.state is State.COMPLETE else Move.START
        self._move(happening, attempt=self.record.attempt + 1, failure=None, result=None)

    def complete(self, result: JSON) -> None:
        self._move(Move.COMPLETE, result=result, failure=None)

    def fail(self, failure: Failure) -> None:
        """Note how the attempt ended. A record with a failure leaves the position that is durable as it is."""
        self._move(Move.FAIL, failure=failure)

    def begin_rollback(self) -> None:
        self._move(Move.ROLL_BACK, failure=None)

    def finish_rollback(self) -> None:
        """Forget what was undone and note that it was, in one transaction; only the attempt and its failure stay."""
        store, lease = self.session.store, self.session.lease
        after = move(self.record.state, Move.FINISH_ROLLBACK)
        record = Record(path=self.path, state=after, attempt=self.record.attempt, failure=self.failure)
        self.session.ahead.forget()
        with store.transaction(lease):
            store.rewind(lease, self.path)
            store.put(lease, record)
        self._record, self.bare = record, True

    def save(self, position: JSON) -> None:
        self._refuse_ended()
        if self.by_batches or self.record.batches:
            raise Fatal(f"the position of {self.path} is that of its last batch; it cannot be saved besides")
        self._write(replace(self.record, position=position), PositionSaved(path=self.path, position=position))

    def append(
        self, low: JSON, high: JSON, counts: Counts, rejects: Sequence[RejectedRow], *, modified: JSON = None
    ) -> None:
        self._refuse_ended()
        before, path, seq = self.record, self.path, self.record.batches + 1
        after = replace(before, position=high, counts=before.counts + counts, batches=seq)
        entry = Entry(path=path, seq=seq, low=low, high=high, counts=counts, modified=modified)
        rows = [replace(row, path=path, seq=seq) for row in rejects]
        with self._sure():
            self.session.store.append(self.session.lease, entry, rows)
        self._settle(after, BatchCommitted(path=path, seq=seq, position=high, counts=after.counts))

    def _refuse_ended(self) -> None:
        if self.record.state not in UNDER_WAY:
            raise Fatal(f"{self.path or 'the job'} is {self.record.state}: its checkpoint is written by its step only")

    def _move(self, happening: Move, **changes: Any) -> None:
        record = self.record
        moved = replace(record, state=move(record.state, happening), **changes)
        self.session.store.put(self.session.lease, moved)
        self._record = moved

    def _write(self, record: Record, event: PositionSaved) -> None:
        with self._sure():
            self.session.store.put(self.session.lease, record)
        self._settle(record, event)

    @contextmanager
    def _sure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._in_doubt = True
            raise

    def _settle(self, record: Record, event: PositionSaved | BatchCommitted) -> None:
        before, self._record = self.record, record
        self.session.committed(event, lambda: self._restore(before))

    def _restore(self, record: Record) -> None:
        self._record, self._in_doubt = record, True
