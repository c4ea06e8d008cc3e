"""All that a store tells about its jobs, as one value to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from milepost.jobs.ledger import RejectedRow
from milepost.jobs.state import Record, State
from milepost.jobs.store import Store

MAPPED = ("k", "[1]", "[2]", "[3]")  # source keys that are looked for in the key map
TARGETS = ([1], [2], ["k"])  # keys that are looked for among rejects


def everything(store: Store, *, prefix: str = "", times: bool = True) -> dict[str, dict[str, Any]]:
    """By job: runs, checkpoints, ledger, rejects, values, key map and links. Without ``times``, only whether there is a
    time. Only of jobs whose names begin with ``prefix``.

    Of the key map what the batches from 1 to 3 of the checkpoints mapped, or what has a key of ``MAPPED``.

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
        **moved(store, job, paths),
    }


def moved(store: Store, job: str, paths: Sequence[str]) -> dict[str, Any]:
    """What the store tells of rows: the key map, looked at from each side, and the links."""
    batches = {seq: [(path, seq) for path in paths] for seq in (-1, 1, 2, 3)}
    by_key = {path: store.mapped(job, path, MAPPED) for path in paths}
    return {
        "mapped": {path: sorted(known.items()) for path, known in by_key.items()},
        "mapped from": {path: store.mapped_from(job, path, list(known.values())) for path, known in by_key.items()},
        "mapped by": {path: [store.mapped_by(job, path, batches[seq]) for seq in batches] for path in paths},
        "links": {path: list(store.links(job, path)) for path in paths},
        "found": {path: store.find_rejects(job, path, TARGETS) == _having(store, job, path) for path in paths},
    }


def _having(store: Store, job: str, path: str) -> list[RejectedRow]:
    return [row for row in store.rejects(job, path) if row.key in TARGETS or row.target_key in TARGETS]


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
