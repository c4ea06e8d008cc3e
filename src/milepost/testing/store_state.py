"""All that a store tells about its jobs, as one value to be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milepost.jobs.state import Record, State
from milepost.jobs.store import Store


def everything(store: Store, *, prefix: str = "", times: bool = True) -> dict[str, dict[str, Any]]:
    """By job: runs, checkpoints, ledger, rejects and values. Without ``times``, only whether there is a time.

    Only of jobs whose names begin with ``prefix``.

    A run's signs of life are left out: whether a failed write is one is the store's own affair.
    """
    return {job: _job(store, job, times) for job in store.jobs() if job.startswith(prefix)}


def _job(store: Store, job: str, times: bool) -> dict[str, Any]:
    records = store.checkpoints(job)
    paths = [record.path for record in records]
    entries = [entry for path in paths for entry in store.ledger(job, path)]
    return {
        "runs": [
            (run.epoch, run.holder, run.started_at if times else None, run.ended_at is None, run.outcome, run.error)
            for run in store.runs(job)
        ],
        "checkpoints": records if times else [_timeless(record) for record in records],
        "completed after": [untrue(store, job, path, places=2) for path in paths],
        "single": [store.get(job, path) == record for path, record in zip(paths, records, strict=True)],
        "ledger": entries if times else [replace(entry, at=None) for entry in entries],
        "rejects": [row if times else replace(row, at=None) for row in store.rejects(job)],
        "rejects by path": [[(row.seq, row.reason) for row in store.rejects(job, path)] for path in paths],
        "values": {path: store.recall(job, path) for path in paths},
    }


def untrue(store: Store, job: str, path: str, places: int) -> list[str]:
    """The paths of ``completed_after`` that must not be there: incomplete, before ``path``, out of order, or altered.

    One that is left out is no error, that the store gives more than ``places`` is.
    """
    records = store.checkpoints(job)
    paths = [record.path for record in records]
    rest = iter(records[paths.index(path) + 1 :] if path in paths else ())
    given = store.completed_after(job, path, places)
    true = [
        any(
            record.path == each.path
            and record.state is State.COMPLETE
            and (repr(record.result), record.counts) == (repr(each.result), each.counts)
            for record in rest  # goes on where the one before was found
        )
        for each in given
    ]
    return [each.path for number, each in enumerate(given) if number >= places or not true[number]]


def _timeless(record: Record) -> tuple[Record, bool, bool, bool]:
    known = (record.started_at is None, record.finished_at is None, record.changed_at is None)
    return (replace(record, started_at=None, finished_at=None, changed_at=None), *known)
