"""The model store: the contract in plain Python, with nothing durable. Other stores are compared with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import dropwhile, islice

from milepost.clock import Clock
from milepost.jobs.lease import Lease, Run
from milepost.jobs.ledger import NO_ROWS, Entry, RejectedRow
from milepost.jobs.state import JSON, REWOUND, Completed, Failure, Move, Record, State, move, moved
from milepost.stores.encode import LARGE_RESULT, decode, encode, readable, same_name
from milepost.stores.holding import above, held_by, inside_transaction, is_within, lost, out_of_order
from milepost.stores.memory_rows import KeptJob, MemoryOfRows, rewind_keys


class MemoryStore(MemoryOfRows):
    """A store that lasts as long as this object. Closing it lets go of its leases and keeps everything else.

    A transaction copies the job, so its cost grows with history: this store is for tests and for trying things out.
    """

    url = "memory:"

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._depth = 0

    # -- who may write

    def acquire(self, job: str, *, holder: str, ttl: float) -> Lease:
        same_name(job, "job")
        with self._lock:
            if self._depth:
                raise inside_transaction("taken")
            kept = self._jobs.get(job, KeptJob())
            now = self._clock.now()
            previous = kept.runs[-1] if kept.runs else None
            if previous and kept.held and not kept.dead and previous.lease_until >= now:
                raise held_by(job, previous.holder, previous.lease_until)
            kept.epoch, kept.held, kept.dead = kept.epoch + 1, True, False
            until = now + timedelta(seconds=ttl)
            run = Run(
                job=job, epoch=kept.epoch, holder=readable(holder), started_at=now, seen_at=now, lease_until=until
            )
            kept.runs.append(run)
            self._jobs[job] = kept
            return Lease(
                job=job,
                epoch=kept.epoch,
                holder=run.holder,
                ttl=ttl,
                acquired_at=now,
                previous_sign_of_life=previous.seen_at if previous else None,
            )

    def is_dead(self, job: str) -> bool:
        with self._lock:
            kept = self._jobs.get(job)
            return kept is not None and kept.held and kept.dead

    def renew(self, lease: Lease) -> None:
        with self._writing(lease):
            pass  # every commit is a sign of life here

    def release(self, lease: Lease, *, outcome: str, error: str | None = None) -> None:
        with self._lock:
            if self._depth:
                raise inside_transaction("released")
            with self._writing(lease) as job:
                job.held = False
                told = None if error is None else readable(error)
                job.runs[-1] = replace(job.runs[-1], ended_at=self._clock.now(), outcome=outcome, error=told)

    def runs(self, job: str) -> list[Run]:
        with self._lock:
            return list(self._jobs.get(job, KeptJob()).runs)

    # -- writing together

    @contextmanager
    def transaction(self, lease: Lease) -> Iterator[None]:
        with self._lock:
            self._check(lease)
            before = {name: job.copy() for name, job in self._jobs.items()}
            self._depth += 1
            try:
                yield
                self._sign(lease)
            except BaseException:
                self._jobs = before
                raise
            finally:
                self._depth -= 1

    @contextmanager
    def _writing(self, lease: Lease) -> Iterator[KeptJob]:
        """What is done inside must not fail after its first change."""
        with self._lock:
            yield self._check(lease)
            self._sign(lease)

    def _check(self, lease: Lease) -> KeptJob:
        job = self._jobs.get(lease.job)
        if job is None or job.epoch != lease.epoch or not job.held:
            raise lost(lease)
        return job

    def _sign(self, lease: Lease) -> None:
        runs, now = self._jobs[lease.job].runs, self._clock.now()
        runs[-1] = replace(runs[-1], seen_at=now, lease_until=now + timedelta(seconds=lease.ttl))

    # -- checkpoints

    def put(self, lease: Lease, record: Record) -> None:
        same_name(record.path, "path")
        position, result = _through_json(record.position, "position"), _through_json(record.result, "result")
        with self._writing(lease) as job:
            now = self._clock.now()
            known = job.records.get(record.path)
            old = known or Record(path=record.path)
            job.records[record.path] = replace(
                record,
                position=known.position if known and record.failure else position,
                result=result,
                failure=_readable_failure(record.failure),
                counts=NO_ROWS,
                batches=0,
                started_at=_started_at(old, record.state, now),
                finished_at=_finished_at(old, record.state, now),
                changed_at=now,
            )

    def get(self, job: str, path: str) -> Record | None:
        with self._lock:
            kept = self._jobs.get(job, KeptJob())
            return _with_ledger(kept.records[path], kept.ledger.get(path, [])) if path in kept.records else None

    def checkpoints(self, job: str) -> list[Record]:
        with self._lock:
            kept = self._jobs.get(job, KeptJob())
            return [_with_ledger(record, kept.ledger.get(path, [])) for path, record in kept.records.items()]

    def completed_after(self, job: str, path: str, places: int) -> list[Completed]:
        with self._lock:
            kept = self._jobs.get(job, KeptJob())
            after = islice(dropwhile(lambda record: record.path != path, kept.records.values()), 1, places + 1)
            done = [_completed(each, kept.ledger.get(each.path, [])) for each in after if each.state is State.COMPLETE]
            return [each for each in done if len(each.text or "") <= LARGE_RESULT]

    def append(self, lease: Lease, entry: Entry, rejects: Sequence[RejectedRow] = ()) -> None:
        low, high = _through_json(entry.low, "low end"), _through_json(entry.high, "high end")
        modified = _through_json(entry.modified, "highest modified")
        with self._writing(lease) as job:
            now = self._clock.now()
            rows = [_kept_reject(row, entry, now) for row in rejects]
            entries = job.ledger.get(entry.path, [])
            kept = replace(entry, low=low, high=high, modified=modified, epoch=lease.epoch, at=now)
            if entry.path not in job.records or entry.seq != len(entries) + 1:
                raise out_of_order(entry.path, entry.seq)
            job.ledger.setdefault(entry.path, []).append(kept)
            job.rejects.setdefault(entry.path, []).extend(rows)

    def ledger(self, job: str, path: str) -> Iterator[Entry]:
        with self._lock:
            return iter(list(self._jobs.get(job, KeptJob()).ledger.get(path, [])))

    def rewind(self, lease: Lease, path: str) -> int:
        with self._writing(lease) as job:
            forgotten = [record for record in job.records.values() if is_within(record.path, path)]
            for record in forgotten:
                move(record.state, Move.FORGET)  # the state after is that of no record
            rewind_keys(job, path)
            for table in (job.records, job.ledger, job.rejects, job.values, job.links):
                for other in [other for other in table if is_within(other, path)]:
                    del table[other]
            for other in above(path) if forgotten else ():
                self._rewind_above(job, other)
            return len(forgotten)

    def _rewind_above(self, job: KeptJob, path: str) -> None:
        record = job.records.get(path)
        if record is not None and record.state in moved(Move.REWIND):
            job.records[path] = replace(
                record,
                state=move(record.state, Move.REWIND),
                result=None,
                failure=REWOUND,
                finished_at=None,
                changed_at=self._clock.now(),
            )

    # -- remembered values

    def remember(self, lease: Lease, path: str, name: str, value: JSON) -> JSON:
        text = encode(value, f"the value {name!r}")
        same_name(path, "path")
        same_name(name, "name")
        with self._writing(lease) as job:
            return decode(job.values.setdefault(path, {}).setdefault(name, text))

    def recall(self, job: str, path: str) -> dict[str, JSON]:
        with self._lock:
            return {name: decode(text) for name, text in self._jobs.get(job, KeptJob()).values.get(path, {}).items()}

    def replace(self, lease: Lease, path: str, name: str, value: JSON) -> None:
        text = encode(value, f"the value {name!r}")
        same_name(path, "path")
        same_name(name, "name")
        with self._writing(lease) as job:
            job.values.setdefault(path, {})[name] = text

    # -- the rest

    def jobs(self) -> list[str]:
        with self._lock:
            return sorted(self._jobs)

    def now(self) -> datetime:
        return self._clock.now()

    def close(self) -> None:
        with self._lock:
            for job in self._jobs.values():
                job.dead = True


def _through_json(value: JSON, what: str) -> JSON:
    """A copy, as a store that writes text would give it back."""
    return decode(encode(value, f"the {what}"))


def _readable_failure(failure: Failure | None) -> Failure | None:
    return failure and replace(failure, message=readable(failure.message))


def _kept_reject(row: RejectedRow, entry: Entry, now: datetime) -> RejectedRow:
    return replace(
        row,
        path=entry.path,
        seq=entry.seq,
        reason=readable(row.reason),
        key=_through_json(row.key, "key"),
        content=_through_json(row.content, "content"),
        at=now,
        target_key=_through_json(row.target_key, "target key"),
        parent=_through_json(row.parent, "parent"),
    )


def _started_at(old: Record, state: State, now: datetime) -> datetime | None:
    if state is State.PENDING:
        return None
    fresh = old.state in (State.PENDING, State.COMPLETE) or old.started_at is None
    return now if state is State.STARTED and fresh else old.started_at


def _finished_at(old: Record, state: State, now: datetime) -> datetime | None:
    if state is not State.COMPLETE:
        return None
    return old.finished_at if old.state is State.COMPLETE else now


def _completed(record: Record, entries: Sequence[Entry]) -> Completed:
    return Completed(record.path, encode(record.result, "the result"), _with_ledger(record, entries).counts)


def _with_ledger(record: Record, entries: Sequence[Entry]) -> Record:
    """As a database would give it: the caller may do with it what he likes."""
    record = replace(
        record,
        position=_through_json(record.position, "position"),
        result=_through_json(record.result, "result"),
    )
    if not entries:
        return record
    last = entries[-1]
    return replace(
        record,
        position=_through_json(last.high, "high end"),
        counts=sum((entry.counts for entry in entries), NO_ROWS),
        batches=last.seq,
        changed_at=max(filter(None, (record.changed_at, last.at))),
    )
