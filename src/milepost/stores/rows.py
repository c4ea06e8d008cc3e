"""The contract's values to and from rows of the store's tables. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from milepost.jobs.lease import Run
from milepost.jobs.ledger import NO_ROWS, Counts, Entry, RejectedRow
from milepost.jobs.state import REWOUND, Completed, Failure, Move, Record, State, moved
from milepost.stores.encode import decode, encode, moment, moment_or_none, readable, same_name
from milepost.stores.holding import Holding, above

REJECT_COLUMNS = ("job", "path", "seq", "ordinal", "stage", "reason", "key", "content", "target_key", "parent")

Row = Sequence[Any]


def record_values(record: Record) -> dict[str, Any]:
    """What ``put`` writes."""
    failure = record.failure
    return {
        "path": same_name(record.path, "path"),
        "state": str(record.state),
        "attempt": record.attempt,
        "position": encode(record.position, "the position"),
        "result": encode(record.result, "the result"),
        "failure_kind": None if failure is None else failure.kind,
        "failure_message": None if failure is None else readable(failure.message),
    }


def rewound_values(path: str) -> list[dict[str, Any]]:
    """What ``rewind`` writes to each checkpoint above ``path``, for each state that it may be in."""
    failure = {"failure_kind": REWOUND.kind, "failure_message": REWOUND.message}
    return [
        {"path": other, "before": str(before), "after": str(after), **failure}
        for other in above(path)
        for before, after in moved(Move.REWIND).items()
    ]


def record(row: Row) -> Record:
    """A checkpoint from the columns of ``statements.CHECKPOINTS``."""
    path, state, attempt, position, result, kind, message, *totals, seq, started_at, finished_at, changed_at = row
    return Record(
        path=path,
        state=State(state),
        attempt=attempt,
        position=decode(position),
        result=decode(result),
        failure=None if kind is None else Failure(kind=kind, message=message),
        counts=_counts([total or 0 for total in totals]),
        batches=seq or 0,
        started_at=moment_or_none(started_at),
        finished_at=moment_or_none(finished_at),
        changed_at=moment(changed_at),
    )


def completed(row: Row) -> Completed:
    """A complete checkpoint from the columns of ``statements.COMPLETED_AFTER``."""
    path, result, *totals, seq = row
    return Completed(path, result, NO_ROWS if seq is None else _counts(totals))


def entry_values(entry: Entry) -> dict[str, Any]:
    """What ``append`` writes."""
    low, high = encode(entry.low, "the low end"), encode(entry.high, "the high end")
    modified = encode(entry.modified, "the highest modified")
    ends = {"low": low, "high": high, "modified": modified}
    return {"path": same_name(entry.path, "path"), "seq": entry.seq, **ends, **asdict(entry.counts)}


def entry(row: Row) -> Entry:
    """A ledger entry from the columns of ``statements.LEDGER``."""
    path, seq, low, high, *counts, epoch, at, modified = row
    return Entry(
        path=path,
        seq=seq,
        low=decode(low),
        high=decode(high),
        counts=_counts(counts),
        epoch=epoch,
        at=moment(at),
        modified=decode(modified),
    )


def reject_values(job: str, of: Entry, ordinal: int, row: RejectedRow) -> tuple[Any, ...]:
    """A reject of the batch ``of``, in the order of ``REJECT_COLUMNS``."""
    key, content = encode(row.key, "a reject's key"), encode(row.content, "a reject's content")
    target_key, parent = encode(row.target_key, "a reject's target key"), encode(row.parent, "a reject's parent")
    return (job, of.path, of.seq, ordinal, row.stage, readable(row.reason), key, content, target_key, parent)


def rejected_row(row: Row) -> RejectedRow:
    """A reject from the columns of the statements that read them."""
    path, seq, _, stage, reason, key, content, target_key, parent, at = row
    return RejectedRow(
        path=path,
        seq=seq,
        stage=stage,
        reason=reason,
        key=decode(key),
        content=decode(content),
        at=moment_or_none(at),
        target_key=decode(target_key),
        parent=decode(parent),
    )


def value_values(path: str, name: str, value: str | None) -> dict[str, Any]:
    """What ``remember`` and ``replace`` write."""
    return {"path": same_name(path, "path"), "name": same_name(name, "name"), "value": value}


def holding(row: Row) -> Holding:
    """The latest run from the columns of ``statements.HOLDING``."""
    epoch, held, holder, until, lapsed, seen_at, renewed_at = row
    return Holding(
        epoch=epoch,
        held=bool(held),
        holder=holder,
        until=moment(until),
        lapsed=bool(lapsed),
        seen_at=moment(seen_at),
        ttl=(moment(until) - moment(renewed_at)).total_seconds(),
    )


def run(row: Row) -> Run:
    """A run from the columns of ``statements.RUNS``."""
    job, epoch, holder, started_at, seen_at, lease_until, ended_at, outcome, error = row
    return Run(
        job=job,
        epoch=epoch,
        holder=holder,
        started_at=moment(started_at),
        seen_at=moment(seen_at),
        lease_until=moment(lease_until),
        ended_at=moment_or_none(ended_at),
        outcome=outcome,
        error=error,
    )


def _counts(numbers: Sequence[int]) -> Counts:
    read, loaded, unchanged, filtered, rejected = numbers
    return Counts(read=read, loaded=loaded, unchanged=unchanged, filtered=filtered, rejected=rejected)
