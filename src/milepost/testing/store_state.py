"""All that a store tells about its jobs, as one value to be compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from milepost.jobs.state import Record
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
        "single": [store.get(job, path) == record for path, record in zip(paths, records, strict=True)],
        "ledger": entries if times else [replace(entry, at=None) for entry in entries],
        "rejects": [row if times else replace(row, at=None) for row in store.rejects(job)],
        "rejects by path": [[(row.seq, row.reason) for row in store.rejects(job, path)] for path in paths],
        "values": {path: store.recall(job, path) for path in paths},
    }


def _timeless(record: Record) -> tuple[Record, bool, bool, bool]:
    known = (record.started_at is None, record.finished_at is None, record.changed_at is None)
    return (replace(record, started_at=None, finished_at=None, changed_at=None), *known)
